"""Score sheets: filled in and committed in the member's own browser, listed and signed by all, revealed together (protocol §6).

Before the reveal no point ever comes to this side: the page scores, checks and commits; what is posted is the signed commitment alone.
"""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from evaluation.methods.inputs import Band, Criterion
from evaluation.panels import panels
from evaluation.reporting.queries import RoomCard
from evaluation.scoring import schemes, sheets
from trading.kernel import log
from trading.kernel.access import Act
from trading.kernel.exact import written_exactly
from trading.kernel.work import UnitOfWork
from web.desks.expert.room import expert, own_room, panel_in, room_card, room_crumbs
from web.desks.hall.room import signed
from web.http.forms import Form
from web.http.gate import go, reading, render

GROUPS = ("objective", "subjective", "price")


@expert.page("/<ref>/score", needs=Act.SHEET_COMMIT)
def score(ref: str, form: Form | None = None) -> Any:
    with reading() as view:
        panel, seat = own_room(view, ref)
        card = room_card(view, ref)
        if not card.scored:
            return go(f"/expert/{ref}")
        named = sheets.names_of(view.session, panel) if card.bids else {}
        by_name = {bid.name: bid for bid in card.bids}
        held = sheets.commits_of(view.session, panel).get(seat.id)
        scheme = schemes.of_lot(panel.lot)
        parts = [(kind, [one for one in scheme.criteria if one.kind == kind]) for kind in GROUPS]
        ready = card.next_step in ("commit", "wait_commit", "list") and sheets.find_list(view.session, panel) is None
        return render(
            "expert/score.html",
            form=form or Form.blank(),
            card=card,
            bids=[by_name[name] for name in named],
            parts=parts,
            scored=scheme.scored,
            total=sum(one.max for one in scheme.scored),
            price=scheme.price,
            held=held,
            ready=ready,
            reason_needed=panel.round > 1 or held is not None,
            band_texts={one.id: band_text(one) for one in scheme.scored},
            crumbs=room_crumbs(card, (_("Score sheet"), "")),
        )


def band_text(criterion: Criterion) -> str:
    """The bands of a criterion in a line by their short names: ``good 11–14 / fair 7–10``."""
    return " / ".join(f"{band.short} {limits(band)}".strip() for band in criterion.bands)


def limits(band: Band) -> str:
    low, high = plain(band.low), plain(band.high)
    return low if low == high else f"{low}–{high}"


def plain(points: Any) -> str:
    return written_exactly(points, 0)


@expert.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"plain_points": plain, "band_limits": limits}


@expert.act("/<ref>/acts/commit", needs=Act.SHEET_COMMIT, back=score)
def do_commit(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``commit``: the signed ``sheet-commit``."""
    document = signed(form, "commit")
    form.refuse_if_any()
    sheets.commit(unit, panel_in(unit, ref), document)
    return f"/expert/{ref}/list"


# --- the list ---------------------------------------------------------------------------------------------------------------------


@expert.page("/<ref>/list", needs=Act.SHEET_COMMIT)
def listing(ref: str, form: Form | None = None) -> Any:
    with reading() as view:
        panel, seat = own_room(view, ref)
        card = room_card(view, ref)
        if not card.scored:
            return go(f"/expert/{ref}")
        held = sheets.commits_of(view.session, panel)
        rows = []
        for one in panels.seated(panel):
            commit = held.get(one.id)
            tick = log.tick_of(view.session, commit.c) if commit else None
            rows.append(
                {
                    "no": one.no,
                    "mine": one is seat,
                    "at": commit.at if commit else None,
                    "sealed": tick.at if tick else None,
                    "commit": commit.commit if commit and one is seat else "",
                    "progress": next(seen.progress for seen in card.seats if seen.no == one.no),
                }
            )
        made = sheets.find_list(view.session, panel)
        sealed = log.tick_of(view.session, made.c) if made and made.c else None
        return render(
            "expert/list.html",
            form=form or Form.blank(),
            card=card,
            sheet_file=_sheet_file(card, seat),
            rows=rows,
            made=made,
            sealed=sealed,
            all_in=all(row["at"] for row in rows),
            all_sealed=all(row["sealed"] for row in rows),
            crumbs=room_crumbs(card, (_("List of locked sheets"), "")),
        )


@expert.act("/<ref>/acts/list", needs=Act.SHEET_COMMIT, back=listing)
def do_list(unit: UnitOfWork, _form: Form, ref: str) -> str:
    sheets.list_commits(unit, panel_in(unit, ref))
    return f"/expert/{ref}/list"


@expert.act("/<ref>/acts/sign-list", needs=Act.SHEET_COMMIT, back=listing)
def do_sign_list(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``listing``: the commit list with the member's signature added."""
    document = signed(form, "listing")
    form.refuse_if_any()
    sheets.sign_list(unit, panel_in(unit, ref), document)
    return f"/expert/{ref}/list"


def _sheet_file(card: RoomCard, seat: panels.Seat) -> str:
    """The name the page of scoring saves a sheet under (expert_vault.js)."""
    return f"sheet-{card.lot}-{card.round}-{panels.holder(seat)}.json"


# --- the reveal -------------------------------------------------------------------------------------------------------------------


@expert.page("/<ref>/reveal", needs=Act.SHEET_REVEAL, fresh=True)
def reveal(ref: str, form: Form | None = None) -> Any:
    with reading() as view:
        panel, seat = own_room(view, ref)
        card = room_card(view, ref)
        if not card.scored:
            return go(f"/expert/{ref}")
        made = sheets.find_list(view.session, panel)
        sealed = bool(made and made.c and log.tick_of(view.session, made.c))
        return render(
            "expert/reveal.html",
            form=form or Form.blank(),
            card=card,
            sheet_file=_sheet_file(card, seat),
            sealed=sealed,
            crumbs=room_crumbs(card, (_("Reveal"), "")),
        )


@expert.act("/<ref>/acts/reveal", needs=Act.SHEET_REVEAL, back=reveal)
def do_reveal(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``sheet``: the signed ``sheet``; ``salt``: base64url."""
    document, salt = signed(form, "sheet"), form.text("salt", limit=100)
    form.refuse_if_any()
    sheets.reveal(unit, panel_in(unit, ref), document, salt=salt)
    return f"/expert/{ref}/report"
