"""The outcome of an evaluation as each may read it: order, totals, arithmetic, and names once they are public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evaluation.methods import registry
from evaluation.methods.declared import BY_PRICE, EvaluationMethod
from evaluation.panels import panels
from evaluation.panels.panels import Panel
from evaluation.reporting import conclusion, report
from evaluation.reporting.queries import NAMED_FROM, PUBLIC_FROM
from trading.awarding import awards
from trading.kernel.access import Role
from trading.kernel.errors import NotAllowed
from trading.kernel.work import View
from trading.parties import parties
from trading.procedures import procedure_of
from trading.tendering.tenders import Lot


@dataclass(frozen=True)
class OutcomeCard:
    """The score table after the result. ``bids``: as in the report, each number with its line; ``own``: the row of the bidder who looks.
    ``members``: (place, name, kind), empty before the result names them."""

    lot: str
    title: str
    method: str
    criteria: tuple[tuple[str, str, str, str], ...]
    """(id, title, title_en, kind)"""
    bids: tuple[dict[str, Any], ...]
    rejected: tuple[dict[str, Any], ...]
    ties: tuple[tuple[str, ...], ...]
    price: dict[str, Any]
    tie_rule: str
    dissents: tuple[tuple[int, str], ...]
    members: tuple[tuple[int, str, str], ...]
    report_hash: str
    report_blob: str
    same: bool
    own: dict[str, Any] | None

    @property
    def declared(self) -> EvaluationMethod:
        """The evaluation method by which the lot was ranked."""
        return registry.method(self.method)

    @property
    def by_price(self) -> bool:
        """Whether a price ranks and nobody has points."""
        return self.declared.ranks_by == BY_PRICE


def outcome_card(view: View, lot: Lot) -> OutcomeCard:
    """The score table: from the report on for the panel, purchaser, agency, centre and supervisor; for everybody once candidates or result
    are published, and for a bidder its own row marked. Refuses: NotAllowed ``outcome.not_yet``, NotFound."""
    panel = panels.panel(view.session, lot)
    row = report.report(view.session, panel)
    public = lot.state in NAMED_FROM or (lot.state in PUBLIC_FROM and procedure_of(lot).award.publicity is not None)
    if awards.find(view.session, lot) is None or not (public or _concerned(view, panel)):
        raise NotAllowed("outcome.not_yet", ref=lot.ref)
    facts = row.facts
    bids = tuple(_public(one, full=_concerned(view, panel)) for one in facts["bids"])
    code = _code(view)
    own = next((one for one in facts["bids"] if one["bidder"] == code), None)
    members = (
        tuple((seat.no, seat.account.name, seat.kind) for seat in panels.seated(panel))
        if lot.state in NAMED_FROM
        else ()
    )
    return OutcomeCard(
        lot=lot.ref,
        title=lot.title,
        method=facts["method"],
        criteria=tuple((one["id"], one["title"], one["title_en"], one["kind"]) for one in facts["criteria"]),
        bids=bids,
        rejected=tuple(facts["rejected"]),
        ties=tuple(tuple(group) for group in facts["ties"]),
        price=facts["price"],
        tie_rule=facts["tie_rule"],
        dissents=tuple((one.seat.no, one.dissent) for one in row.signatures if one.dissent),
        members=members,
        report_hash=row.hash,
        report_blob=row.blob,
        same=bool(conclusion.recompute(view.session, lot)["same"]),
        own=own,
    )


def _concerned(view: View, panel: Panel) -> bool:
    project = panel.lot.project
    if view.actor.role in (Role.CENTRE, Role.SUPERVISOR, Role.AUDIT_ADMIN):
        return True
    if view.actor.role in (Role.PURCHASER, Role.AGENCY) and view.actor.party_id in (
        project.purchaser_id,
        project.agency_id,
    ):
        return True
    return (
        any(seat.account_id == view.actor.account_id for seat in panels.seated(panel))
        and view.actor.account_id is not None
    )


def _public(one: dict[str, Any], *, full: bool) -> dict[str, Any]:
    """A bid's row; single members' points are for those concerned, the public sees means with the arithmetic of the price alone."""
    if full:
        return one
    rows = [
        {key: value for key, value in part.items() if key != "given" and (key != "line" or part["kind"] == "price")}
        for part in one["criteria"]
    ]
    return {**one, "criteria": rows}


def _code(view: View) -> str:
    return parties.party(view.session, view.actor.party_id).code if view.actor.party_id is not None else ""
