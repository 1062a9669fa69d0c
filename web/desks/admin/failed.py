"""Sign-ins that failed, of all accounts: read by all three administrators, changed by nobody."""

from __future__ import annotations

from trading.kernel.access import Act
from trading.parties import failed_sign_ins
from web import words
from web.desks.admin.room import admin
from web.http.forms import Form
from web.http.gate import reading, render, request
from web.http.layout import page_of
from web.http.refusals import language

PATH = "/admin/sign-ins"


@admin.page("/sign-ins", needs=Act.SIGN_INS_LOOK)
def failed() -> str:
    form = Form.query()
    wrong = form.choice("wrong", failed_sign_ins.WRONG, needed=False)
    with reading() as view:
        total = failed_sign_ins.of_all(view, wrong=wrong, limit=0)[1]
        page = page_of(total, request.args, PATH)
        rows, _total = failed_sign_ins.of_all(view, wrong=wrong, limit=page.size, offset=page.offset)
    kinds = [(one, words.state("sign_in_wrong", one, language()).text) for one in failed_sign_ins.WRONG]
    return render("admin/failed.html", rows=rows, page=page, form=form, kinds=kinds, days=failed_sign_ins.KEPT.days)
