"""Public keys by their fingerprints, and the key holders of lots not opened yet. There is nothing secret to show."""

from __future__ import annotations

from trading.kernel.access import Act
from trading.parties.enrolments import KEY_ROLES
from trading.views import people_queries
from web import words
from web.desks.admin.room import admin
from web.http.forms import Form
from web.http.gate import reading, render, request
from web.http.layout import page_of
from web.http.refusals import language


@admin.page("/keys", needs=Act.USER_ADMIN)
def keys() -> str:
    form = Form.query()
    role = form.choice("role", [one for one in KEY_ROLES if one != "expert"], needed=False)
    with reading() as view:
        ended = request.args.get("ended") == "yes"
        rows = people_queries.key_cards(view, role=role, ended=ended)
        page = page_of(len(rows), request.args, "/admin/keys")
        return render(
            "admin/keys.html",
            rows=rows[page.offset : page.offset + page.size],
            page=page,
            form=form,
            ended=ended,
            seats=people_queries.key_holder_cards(view),
            roles=[(one, words.state("key_role", one, language()).text) for one in KEY_ROLES if one != "expert"],
        )
