"""The expert's desk: its rail, whose room it is, and what a member's own program needs to know (desks §7.6, §9.5)."""

from __future__ import annotations

import json
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from crypto import checkpoints
from evaluation.panels import panels
from evaluation.panels.panels import Panel, Seat
from evaluation.reporting import queries, report
from evaluation.reporting.queries import RoomCard
from evaluation.scoring import schemes, sheets
from evaluation.scoring.sheet_rows import SheetList
from trading.bidding import tickets
from trading.files.scanning import Quarantine
from trading.kernel import audit, log
from trading.kernel.access import Act
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.work import UnitOfWork, View
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from web.http import login
from web.http.forms import Form
from web.http.gate import Desk, office, reading, request
from web.http.layout import Group, Link
from web.http.opened import states_of

expert = Desk("expert", prefix="/expert")

# The page on which a member takes its next step.
PAGE_OF_STEP = {
    "elect": "",
    "conform": "/review",
    "wait_conform": "/review",
    "commit": "/score",
    "wait_commit": "/list",
    "list": "/list",
    "sign_list": "/list",
    "wait_list": "/list",
    "reveal": "/reveal",
    "wait_reveal": "/reveal",
    "fix": "/prices",
    "wait_fix": "/prices",
    "wait_prices": "/prices",
    "conform_prices": "/prices",
    "wait_conform_prices": "/prices",
    "recheck": "/report",
    "wait_recheck": "/report",
    "draw_up": "/report",
    "wait_report": "/report",
    "sign": "/sign",
    "wait_sign": "/report",
    "conclude": "/report",
    "done": "/report",
}
STEPS_OF_OTHERS = (
    "wait_qualification",
    "wait_conform",
    "wait_commit",
    "wait_list",
    "wait_reveal",
    "wait_fix",
    "wait_prices",
    "wait_conform_prices",
    "wait_recheck",
    "wait_report",
    "wait_sign",
    "done",
)
"""Steps in which this member waits for others, or for nothing."""


def zone() -> Any:
    return current_app.extensions["bidhall"].zone


def own_room(view: View, ref: str) -> tuple[Panel, Seat]:
    """The panel of a lot and the seat of the member who looks. Refuses: NotFound (no panel, no member), WrongStep (not seated)."""
    view.require(Act.SEAT_ANSWER)
    panel = panels.panel(view.session, tenders.lot(view.session, ref))
    return panel, panels.own_seat(view, panel, "seated")


def panel_in(unit: UnitOfWork, ref: str) -> Panel:
    return panels.panel(unit.session, tenders.lot(unit.session, ref))


def room_card(view: View, ref: str) -> RoomCard:
    return queries.room(view, tenders.lot(view.session, ref))


def step_href(card: RoomCard) -> str:
    return f"/expert/{card.lot}{PAGE_OF_STEP.get(card.next_step, '')}"


def own_to_do(card: RoomCard) -> bool:
    return card.next_step not in STEPS_OF_OTHERS


def crumbs_of(*links: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("My reviews"), "/expert"), *links]


def room_crumbs(card: RoomCard, *links: tuple[str, str]) -> list[tuple[str, str]]:
    return crumbs_of((card.lot, f"/expert/{card.lot}"), *links)


# --- what a member's program needs ------------------------------------------------------------------------------------------------


def room_data(view: View, lot: Lot) -> dict[str, Any]:
    """Everything a member's own program needs for its next document; of others places and progress only."""
    session, card = view.session, queries.room(view, lot)
    panel = panels.panel(session, lot)
    seat = panels.own_seat(view, panel, "seated")
    held, row, at = (
        sheets.commits_of(session, panel).get(seat.id),
        report.find(session, panel),
        write_moment(floor_second(view.now)),
    )
    return {
        "v": 1,
        "platform": office().platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "ref": lot.ref,
        "expert": panels.holder(seat),
        "seat": seat.no,
        "chair": seat.is_chair,
        "members": panel.members,
        "state": panel.state,
        "lot_state": lot.state,
        "round": panel.round,
        "recheck": panel.recheck,
        "next_step": card.next_step,
        "at": at,
        "trust": tickets.trust(view),
        "seats": [
            {"no": one.no, "kind": one.kind, "chair": one.is_chair, "progress": one.progress} for one in card.seats
        ],
        "scheme": lot.scheme,
        "rules": schemes.rules_hash(lot.scheme or {}),
        "blind": card.has_blind_names,
        "bids": list(sheets.names_of(session, panel)) if card.bids else [],
        "reviewed": [{"id": one.id, "name": one.name, "finding": one.finding} for one in card.bids],
        "items": [{"id": one.id, "kind": one.kind} for one in schemes.of_lot(lot).scored],
        "reason_needed": panel.round > 1 or held is not None,
        "commit": {"commit": held.commit, "statement": held.statement, "c": held.c, "at": write_moment(held.at)}
        if held
        else None,
        **listing_data(view, panel),
        "sheet": card.sheet,
        "report": {"hash": row.hash, "document": report.signature_document(row, seat, at=at)} if row else None,
    }


def listing_data(view: View, panel: Panel) -> dict[str, Any]:
    """The list of commitments; ``commit_receipts``: each listed commitment with its proof under the list's own root, in list order."""
    row = sheets.find_list(view.session, panel)
    if row is None:
        return {"listing": None, "list_c": "", "list_sealed": False, "commit_receipts": []}
    return {
        "listing": row.listing,
        "list_c": row.c or "",
        "list_sealed": bool(row.c and log.tick_of(view.session, row.c)),
        "commit_receipts": _commit_receipts(view, panel, row),
    }


def _commit_receipts(view: View, panel: Panel, row: SheetList) -> list[dict[str, Any]]:
    session, entries = view.session, listed_entries(view, panel, row)
    newest = max((tick for c in entries if (tick := log.tick_of(session, c)) is not None), key=lambda tick: tick.tick)
    size = checkpoints.verify_checkpoint(newest.checkpoint, log.log_key(office().platform, office().keys)).size
    proofs = log.proofs(session, entries, size=size)
    return [{"entry": json.loads(audit.entry(session, c).envelope), "proof": proofs[c]} for c in entries]


def listed_entries(view: View, panel: Panel, row: SheetList) -> list[str]:
    """The commitments' entries in the order of the list."""
    found = {one.id: one for one in sheets.commits_of(view.session, panel, row.round).values()}
    return [found[one].c for one in row.commits if one in found]


# --- the rail ---------------------------------------------------------------------------------------------------------------------


@expert.rail
def rail() -> list[Group]:
    here, ref = request.path, str((request.view_args or {}).get("ref", ""))
    with reading() as view:
        rooms = queries.own_rooms(view)
        card = room_card(view, ref) if ref in rooms else None
        waiting = sum(one.state == "called" for one in queries.own_calls(view))
    groups = [
        Group(
            _("Reviews"),
            (
                Link(_("My reviews"), "/expert", here == "/expert", waiting or None, bool(waiting)),
                Link(_("My signing key"), "/account/keys"),
            ),
        )
    ]
    return groups if card is None else [*groups, Group(card.lot, tuple(_of_room(card, here)))]


def _of_room(card: RoomCard, here: str) -> list[Link]:
    base = f"/expert/{card.lot}"
    due = step_href(card) if own_to_do(card) else ""
    links = [
        (_("The room"), base),
        (_("Conformity"), base + "/review"),
        *(
            [
                (_("Score sheet"), base + "/score"),
                (_("List of locked sheets"), base + "/list"),
                (_("Reveal"), base + "/reveal"),
            ]
            if card.scored
            else []
        ),
        *([(_("Technical result and prices"), base + "/prices")] if card.two_envelopes else []),
        (_("Evaluation report"), base + "/report"),
    ]
    if here == base + "/sign" or card.report_hash:
        links.append((_("Sign the report"), base + "/sign"))
    return [Link(label, href, here == href, 1 if href == due else None, href == due) for label, href in links]


@expert.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"blank_form": Form.blank, "file_state": _file_state, "sign_in_mark": login.mark}


def _file_state(bid_id: int, place: int) -> Quarantine:
    """Where a file of the room's lot stands; the page's look is over, so this is one of its own."""
    with reading() as view:
        return states_of(view, tenders.lot(view.session, str((request.view_args or {})["ref"])))[bid_id, place]
