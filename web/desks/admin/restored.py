"""After a backup was brought back: two security administrators look at what was lost, and say so; then the platform goes on."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from trading.kernel import restored
from trading.kernel.access import Act
from trading.kernel.errors import Refusal
from trading.kernel.memory import Remembered
from trading.parties import parties
from trading.views import restored_queries
from web.desks.admin.room import admin, crumbs_of
from web.http.forms import Form
from web.http.gate import go, office, reading, render, work
from web.http.page_rules import ByHand

RESTORED = "/admin/restored"


def _seen() -> dict[str, Remembered | Refusal | None]:
    memory = office().memory
    return {} if memory is None else dict(memory.seen())


@admin.page("/restored", needs=Act.RESTORE_CONFIRM, fresh=True)
def restored_page(form: Form | None = None) -> str:
    """The read-back: the copy, what is remembered outside, what is lost; and the gaps that were declared before."""
    waits = office().restored is not None and office().restored.trouble is not None
    seen = _seen() if waits else {}
    with reading() as view:
        card = restored_queries.to_declare(view, seen) if waits else None
        return render(
            "admin/restored.html",
            card=card,
            declared=restored_queries.gap_lines(view),
            still=office().memory.trouble if office().memory is not None and card is None else None,
            form=form or Form.blank(),
            crumbs=crumbs_of((_("Restored"), "")),
        )


@admin.page("/restored/acts/confirm", needs=Act.RESTORE_CONFIRM, post=ByHand.OUTSIDE, back=restored_page)
def do_confirm_restored() -> Any:
    """Field: ``remembered``, how many ticks the person was shown as remembered. What remembers is asked before the unit opens."""
    form = Form.read()
    remembered = form.whole("remembered", least=0)
    form.refuse_if_any()
    assert remembered is not None
    seen = _seen()
    with work() as unit:
        unit.once(form.form_id, RESTORED)
        alone = len(parties.administrators(unit.session)) < 2
        restored.confirm(unit, seen, remembered=remembered, alone=alone)
    with reading() as view:
        if office().restored.look(view) is None and office().memory is not None:
            office().memory.look_anew(view.session)
    return go(RESTORED)
