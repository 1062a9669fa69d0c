"""Lists of panels for the centre, and for a purchaser the places its representatives take. No name is shown before the result."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from evaluation.panels import panels
from evaluation.panels.panels import FORMS_IN, Panel
from evaluation.reporting import queries
from evaluation.reporting.queries import PanelCard
from trading.kernel.access import Act, Role
from trading.kernel.work import View
from trading.parties import parties
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from trading.views.lot_cards import LotCard


@dataclass(frozen=True)
class OwnPlaces:
    """The places of a purchaser's own people on a panel. ``held``: by place, (name, state of the seat); ``people``: who may take one,
    (username, name); ``running``: representatives may be named now."""

    asked: bool
    places: tuple[int, ...]
    held: dict[int, tuple[str, str]]
    people: tuple[tuple[str, str], ...]
    running: bool

    @property
    def free(self) -> int:
        return len(self.places) - len(self.held)


def panel_cards(view: View) -> list[PanelCard]:
    """All panels, the latest review first. Refuses: NotAllowed."""
    view.require(Act.PANEL_DRAW)
    rows = view.session.scalars(select(Panel).order_by(Panel.starts_at.desc(), Panel.id.desc())).all()
    return [queries.panel_card(view, row.lot) for row in rows]


def without_panel(view: View) -> list[LotCard]:
    """Lots for which a panel may be asked for and has not been, by the hour of their opening. Refuses: NotAllowed."""
    view.require(Act.PANEL_DRAW)
    rows = select(Lot).where(Lot.state.in_(FORMS_IN), Lot.id.not_in(select(Panel.lot_id)))
    lots = view.session.scalars(rows.order_by(Lot.opens_at, Lot.id))
    return [lot_cards.card_of(view, lot) for lot in lots]


def own_places(view: View, lot: Lot) -> OwnPlaces:
    """For the purchaser of the lot; the caller has looked whose it is."""
    panel = panels.of_lot(view.session, lot)
    seats = panels.in_play(panel) if panel is not None else []
    taken = {seat.account_id for seat in panel.seats} if panel is not None else set()
    able = parties.holders(view.session, lot.project.purchaser, Role.EXPERT)
    return OwnPlaces(
        panel is not None,
        tuple(range(1, panel.members - panel.experts + 1)) if panel is not None else (),
        {seat.no: (seat.account.name, seat.state) for seat in seats if seat.kind == "purchaser"},
        tuple((one.username, one.name) for one in able if one.id not in taken),
        panel is not None and panel.state in ("FORMING", "CALLED"),
    )
