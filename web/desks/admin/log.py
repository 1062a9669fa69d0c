"""Audit administration: the log read and verified, acts of administration listed. Nothing here counts the entries of a tick: only ticks and
public entries are shown, as to anybody."""

from __future__ import annotations

from flask_babel import gettext as _

from trading.disclosure.audit import Audit
from trading.kernel import log
from trading.kernel.access import Act
from trading.views import log_queries
from web import whole_audit
from web.desks.admin.room import admin
from web.http.forms import Form
from web.http.gate import reading, render, request

ADMINISTRATION = (
    "account.invite",
    "account.disable",
    "account.reset",
    "role.propose",
    "role.grant",
    "role.refused",
    "role.withdrawn",
    "role.revoke",
    "party.register",
    "calendar.load",
)
ROWS = 20


@admin.page("/log", needs=Act.LOG_LOOK)
def log_page() -> str:
    """``?verify=yes`` verifies the whole log from its own tables."""
    form = Form.query()
    ref, skip = form.text("lot", needed=False, limit=60), form.whole("from", needed=False, least=0) or 0
    with reading() as view:
        seen = whole_audit.verify(view) if request.args.get("verify") == "yes" else None
        entries = log_queries.entry_lines(view, lot=ref, limit=ROWS + 1, skip=skip)
        return render(
            "admin/log.html",
            ticks=log_queries.tick_lines(view, limit=10),
            tip=log.last_tick(view.session),
            entries=entries[:ROWS],
            more=skip + ROWS if len(entries) > ROWS else None,
            form=form,
            ref=ref,
            seen=seen,
            acts=log_queries.act_lines(view, ADMINISTRATION, limit=15),
            told=[] if seen is None else _told(seen),
        )


def _told(seen: Audit) -> list[tuple[str, str]]:
    """What was proven, line by line, without how many entries there are."""
    lines = [
        (
            "ok" if seen.ok else "bad",
            _("every leaf, root and checkpoint") if seen.ok else _("%(n)s faults", n=len(seen.faults)),
        ),
        ("ok" if seen.ok else "bad", _("every entry under its signature and in its tick")),
        (
            "ok",
            _("no gap between ticks")
            if not seen.gaps
            else _("%(n)s gaps: the clock stood still then", n=len(seen.gaps)),
        ),
    ]
    return lines
