"""The rehearsal of this site was played: two administrators say so, each with the checkpoint its log ended with."""

from __future__ import annotations

from flask_babel import gettext as _

from trading.kernel import rehearsal
from trading.kernel.access import Act
from trading.kernel.work import UnitOfWork
from web.desks.admin.room import admin, crumbs_of
from web.http.forms import Form
from web.http.gate import office, reading, render

REHEARSED = "/admin/rehearsed"


@admin.page("/rehearsed", needs=Act.REHEARSAL_CONFIRM)
def rehearsed_page(form: Form | None = None) -> str:
    """How a rehearsal is made, what was said of it, and the form to say so."""
    with reading() as view:
        said = rehearsal.words(view)
        return render(
            "admin/rehearsed.html",
            said=said,
            ended=rehearsal.played(said),
            platform=office().platform,
            form=form or Form.blank(),
            crumbs=crumbs_of((_("First week"), "/admin/first-week"), (_("Rehearsal"), "")),
        )


@admin.act("/rehearsed/acts/confirm", needs=Act.REHEARSAL_CONFIRM, back=rehearsed_page)
def do_confirm_rehearsed(unit: UnitOfWork, form: Form) -> str:
    """Field: ``checkpoint``, the lines as the page of the rehearsal shows them."""
    text = form.text("checkpoint", limit=4_000, lines=True)
    form.refuse_if_any()
    rehearsal.confirm(unit, rehearsal.read_ended(text, unit.office.platform))
    return REHEARSED
