"""Deposits the centre proposes to keep, for the purchaser of the lot: the third of three persons, who decides (rules D-40 to D-45)."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from deposits import forfeits
from deposits.refunds import signed_approvals
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from web.desks.agency.room import agency, crumbs_of
from web.desks.cashier.forfeits import ground_words
from web.desks.hall.room import signed
from web.http.forms import Form
from web.http.gate import reading, render


@agency.page("/forfeits", needs=Act.AWARD_DECIDE)
def forfeits_page() -> str:
    with reading() as view:
        return render(
            "agency/forfeits.html",
            found=forfeits.of_purchaser(view),
            money=Money,
            ground_words=ground_words,
            crumbs=crumbs_of((_("Deposits kept"), "")),
        )


@agency.page("/forfeits/<ref>", needs=Act.AWARD_DECIDE, fresh=True)
def forfeit_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row = _own(view, ref)
        return render(
            "agency/forfeit.html",
            row=row,
            amount=forfeits.kept(view.session, row),
            form=form or Form.blank(),
            shown=_shown(view, row),
            has_key=signed_approvals.has_key(view, forfeits.DECIDER),
            ground_words=ground_words,
            bidder=row.demand.participant.party.name,
            lot=row.demand.lot,
            crumbs=crumbs_of((_("Deposits kept"), "/agency/forfeits"), (row.demand.participant.party.name, "")),
        )


def _shown(view: View, row: forfeits.Forfeit) -> dict[str, Any]:
    """What the purchaser would sign of what this page shows."""
    if row.state != "CHECKED":
        return {}
    about = forfeits.decision(view, row)
    return {"of": about.of, "facts": dict(about.facts)}


@agency.page("/forfeits/<ref>/approval.json", needs=Act.AWARD_DECIDE, fresh=True)
def forfeit_data(ref: str) -> Response:
    """What the purchaser signs to keep the deposit, all but the moment: ``{document}``."""
    with reading() as view:
        document = signed_approvals.to_sign(view, forfeits.decision(view, _own(view, ref)))
    return jsonify({"document": document})


@agency.act("/forfeits/<ref>/acts/keep", needs=Act.AWARD_DECIDE, back=forfeit_page)
def do_keep(unit: UnitOfWork, form: Form, ref: str) -> str:
    """The deposit is kept. Field: ``approval``, signed by the key of one's firm (JSON)."""
    document = signed(form, "approval")
    form.refuse_if_any()
    forfeits.decide(unit, _own(unit, ref), approval=document)
    return f"/agency/forfeits/{ref}"


def _own(view: View, ref: str) -> forfeits.Forfeit:
    """Refuses: NotFound for a proposal of another purchaser's lot."""
    row = forfeits.forfeit(view.session, ref)
    if row.demand.lot.project.purchaser_id != view.actor.party_id:
        raise NotFound("forfeit.unknown")
    return row
