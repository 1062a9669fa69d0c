"""Score sheets: committed, listed, revealed together (protocol §6; rules E-01e, E-32, P-45).

Law of the noun: nobody sees another's sheet before all are committed and every member has signed the list of commitments; after that no
sheet changes but by a recheck of the whole panel, whose reason and earlier sheets stay on record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto import checkpoints
from crypto.canonical import b64u, loads, parse_time, unb64u
from crypto.documents import open_document, sign_document
from crypto.draws import check_sheet
from crypto.errors import CryptoError
from crypto.keys import kid
from crypto.signatures import payload_of, verify_quorum
from evaluation.panels import panels
from evaluation.panels.panels import PANEL_FLOW, Panel, Seat
from evaluation.scoring import reviews, schemes, signed_sheets
from evaluation.scoring.sheet_rows import Sheet, SheetCommit, SheetList
from trading.kernel import log
from trading.kernel.access import Act
from trading.kernel.audit import document, keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import Conflict, Invalid, NotFound, TooEarly, WrongStep
from trading.kernel.exact import number
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork
from trading.opening import technical
from trading.opening.ceremony import OpenedBid
from trading.tendering.tenders import Lot

SKEW = timedelta(minutes=10)
"""How far the moment in a signed document may be from the platform's clock."""
GROUNDS = ("sum_error", "out_of_range", "objective_differs", "abnormal", "bad_sheet")
"""Why a panel may score again: the grounds of rule E-32, and a sheet that cannot be read."""
GROUNDS_UNSCORED = ("sum_error", "bad_finding")
"""Why a panel may review again where nothing is scored: an error of arithmetic (rule E-32), and a finding that is wrong."""
ALL_GROUNDS = tuple(dict.fromkeys((*GROUNDS, *GROUNDS_UNSCORED)))


# --- small rules ------------------------------------------------------------------------------------------------------------------


def names_of(session: Session, panel: Panel) -> dict[str, OpenedBid]:
    """The scored bids by the name they bear in sheets, in the order of sheets: the bidder's code, or its blind name."""
    valid = reviews.valid_bids(session, panel)
    if schemes.of_lot(panel.lot).blind:
        labels = panels.blind_labels(panel, reviews.qualified(session, panel.lot))
        return dict(sorted((labels[bid.id], bid) for bid in valid))
    return {bid.party.code: bid for bid in sorted(valid, key=lambda bid: bid.party.code)}


def sheet_document(panel: Panel, seat: Seat, scores: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The sheet a member signs: ``scores`` name of bid → items ``{id, score, reason}`` in the order of the scheme."""
    return {
        "v": 1,
        "tender": panel.lot.tender.ref,
        "lot": panel.lot.no_text,
        "expert": panels.holder(seat),
        "bids": [{"bidder": name, "items": [dict(item) for item in scores[name]]} for name in scores],
    }


def commit_document(panel: Panel, seat: Seat, *, commit: bytes, at: str, reason: str = "") -> dict[str, Any]:
    """The document a member signs to commit; ``commit``: ``crypto.draws.score_commit(salt, sheet)``."""
    return {
        "v": 1,
        "at": at,
        "commit": b64u(commit),
        "expert": panels.holder(seat),
        "lot": panel.lot.no_text,
        "reason": reason,
        "tender": panel.lot.tender.ref,
    }


def commits_of(session: Session, panel: Panel, round_: int | None = None) -> dict[int, SheetCommit]:
    """seat id → the commitment that counts in a round (this one by default): its newest."""
    rows = session.scalars(
        select(SheetCommit)
        .where(SheetCommit.panel_id == panel.id, SheetCommit.round == (round_ or panel.round))
        .order_by(SheetCommit.id)
    )
    return {row.seat_id: row for row in rows}


def find_list(session: Session, panel: Panel, round_: int | None = None) -> SheetList | None:
    return session.scalar(
        select(SheetList).where(SheetList.panel_id == panel.id, SheetList.round == (round_ or panel.round))
    )


def revealed(session: Session, panel: Panel, round_: int | None = None) -> list[Sheet]:
    """The sheets revealed in a round, by place."""
    rows = session.scalars(select(Sheet).where(Sheet.panel_id == panel.id, Sheet.round == (round_ or panel.round)))
    return sorted(rows, key=lambda sheet: sheet.seat.no)


def content(session: Session, sheet: Sheet) -> dict[str, Any]:
    """What a revealed sheet says, from its signed document."""
    value: dict[str, Any] = loads(payload_of(document(session, sheet.statement)))
    return value


def scores_of(session: Session, panel: Panel) -> dict[int, dict[str, dict[str, Fraction]]]:
    """seat number → bidder's code → criterion → points, from the signed sheets of this round, blind names resolved.

    Nobody where nothing is scored. Refuses: WrongStep ``sheet.not_revealed`` while a sheet is missing.
    """
    if not schemes.of_lot(panel.lot).scored:
        return {}
    seats, shown = panels.seated(panel), revealed(session, panel)
    if {sheet.seat_id for sheet in shown} != {seat.id for seat in seats}:
        raise WrongStep("sheet.not_revealed", revealed=len(shown), members=len(seats))
    return scores_in(session, panel, panel.round)


def scores_in(session: Session, panel: Panel, round_: int) -> dict[int, dict[str, dict[str, Fraction]]]:
    """As ``scores_of``, of the sheets revealed in a round, be they all or not."""
    named = names_of(session, panel)
    found: dict[int, dict[str, dict[str, Fraction]]] = {}
    for sheet in revealed(session, panel, round_):
        told = content(session, sheet)
        found[sheet.seat.no] = {
            named[bid["bidder"]].party.code: {item["id"]: number(item["score"], item["id"]) for item in bid["items"]}
            for bid in told["bids"]
        }
    return found


# --- commit -----------------------------------------------------------------------------------------------------------------------


def commit(work: UnitOfWork, panel: Panel, envelope: Any) -> SheetCommit:
    """A member's signed commitment to its sheet. A later one, before the list is made, needs a reason and takes the place of the first.

    Refuses: NotAllowed, NotFound (no member, no key), WrongStep (not seated, no chair), Conflict ``review.open``, ``sheet.listed``, Invalid
    ``sheet.bad_commit`` (signature, another lot or member, moment), ``sheet.reason_missing``.
    """
    work.require(Act.SHEET_COMMIT)
    work.lock(panel)
    seat = panels.own_seat(work, panel, "seated")
    _in_state(panel, "SEATED")
    if panels.find_chair(panel) is None:
        raise WrongStep("panel.no_chair")
    if not schemes.of_lot(panel.lot).scored:
        raise WrongStep("sheet.nothing_scored")
    reviews.require_settled(work.session, panel)
    if find_list(work.session, panel) is not None:
        raise Conflict("sheet.listed")
    told = _opened(work, panel, seat, envelope, "sheet-commit", "sheet.bad_commit")
    if abs(parse_time(told["at"]) - work.now) > SKEW:
        raise Invalid("sheet.bad_commit", reason="CONTEXT_MISMATCH", detail="another time than the platform's")
    if (panel.round > 1 or seat.id in commits_of(work.session, panel)) and not told["reason"].strip():
        raise Invalid("sheet.reason_missing")
    statement = keep_document(work, "sheet-commit", envelope, signed=True)
    if (first := work.session.scalar(select(SheetCommit).where(SheetCommit.statement == statement))) is not None:
        return first
    entry = work.log("sheet-commit", statement=statement, tender=panel.lot.tender.ref, lot=panel.lot.no_text)
    row = SheetCommit(
        panel_id=panel.id,
        round=panel.round,
        commit=told["commit"],
        statement=statement,
        c=entry.c,
        reason=told["reason"].strip(),
        at=work.now,
    )
    row.seat, row.seat_id = seat, seat.id
    work.session.add(row)
    panel.scoring = True
    work.session.flush()
    return row


def _opened(work: UnitOfWork, panel: Panel, seat: Seat, envelope: Any, kind: str, code: str) -> dict[str, Any]:
    """The document of a member's envelope, of this lot and this member. Refuses: Invalid ``code``."""
    try:
        told = open_document(envelope, kind, panels.sign_key(work.session, seat))
        wanted = {"expert": panels.holder(seat), "tender": panel.lot.tender.ref, "lot": panel.lot.no_text}
        if wrong := sorted(name for name, value in wanted.items() if told[name] != value):
            raise CryptoError("CONTEXT_MISMATCH", ", ".join(wrong))
    except CryptoError as error:
        raise Invalid(code, reason=error.code, detail=error.detail) from error
    return told


def list_commits(work: UnitOfWork, panel: Panel) -> SheetList:
    """Once every member has committed and a tick has sealed it: the platform signs the list of commitments, in the order of members.

    Refuses: NotAllowed, NotFound, WrongStep, TooEarly ``sheet.waiting`` (who), ``sheet.not_sealed``, Conflict as
    ``signed_sheets.require``.
    """
    work.require(Act.SHEET_COMMIT)
    work.lock(panel)
    panels.own_seat(work, panel, "seated")
    _in_state(panel, "SEATED")
    if (made := find_list(work.session, panel)) is not None:
        return made
    signed_sheets.require(work, panel)
    seats, found = panels.seated(panel), commits_of(work.session, panel)
    if missing := [seat.no for seat in seats if seat.id not in found]:
        raise TooEarly("sheet.waiting", places=missing)
    chosen = [found[seat.id] for seat in panels.in_document_order(seats)]
    ticks = [log.tick_of(work.session, row.c) for row in chosen]
    sealed = [tick for tick in ticks if tick is not None]
    if len(sealed) < len(chosen):
        raise TooEarly("sheet.not_sealed")
    newest = max(sealed, key=lambda tick: tick.tick)
    root = checkpoints.verify_checkpoint(newest.checkpoint, log.log_key(work.office.platform, work.office.keys)).root
    told = {"v": 1, "at": _at(work), "entries": [row.c for row in chosen], "of": panel.lot.log_of, "root": b64u(root)}
    row = SheetList(
        panel_id=panel.id,
        round=panel.round,
        version=0,
        commits=[one.id for one in chosen],
        made_at=work.now,
        listing=dict(sign_document("commit-list", told, work.office.keys.signing)),
    )
    work.session.add(row)
    panel.listed_round = panel.round
    panel.version += 1
    work.session.flush()
    return row


def sign_list(work: UnitOfWork, panel: Panel, envelope: Any) -> SheetList:
    """A member signs the list once its client has seen that all proofs are there; with the last signature it is public and logged.

    ``envelope``: the list with the member's signature added. Refuses: NotAllowed, NotFound, WrongStep, TooEarly ``sheet.no_list``,
    Invalid ``sheet.bad_list``, Conflict as ``signed_sheets.require``.
    """
    work.require(Act.SHEET_COMMIT)
    work.lock(panel)
    seat = panels.own_seat(work, panel, "seated")
    _in_state(panel, "SEATED")
    row = find_list(work.session, panel)
    if row is None:
        raise TooEarly("sheet.no_list")
    signed_sheets.require(work, panel)
    keys = [panels.sign_key(work.session, one) for one in panels.in_document_order(panels.seated(panel))]
    mine = panels.sign_key(work.session, seat)
    try:
        if payload_of(envelope) != payload_of(row.listing):
            raise CryptoError("CONTEXT_MISMATCH", "another list")
        added = [one for one in envelope["signatures"] if one["keyid"] == kid("ed25519", mine)][:1]
        held = [one for one in row.listing["signatures"] if one["keyid"] != kid("ed25519", mine)]
        merged = {**row.listing, "signatures": [*held, *added]}
        verify_quorum(merged, "commit-list", (work.office.keys.public, mine), [key for key in keys if key != mine], 0)
    except CryptoError as error:
        raise Invalid("sheet.bad_list", reason=error.code, detail=error.detail) from error
    row.listing = merged
    row.version += 1
    work.record("sheet.sign_list", panel.log_of, no=seat.no, round=panel.round)
    if len(merged["signatures"]) == len(keys) + 1:
        row.statement = keep_document(work, "commit-list", merged, signed=True)
        row.c = work.log("commit-list", statement=row.statement, tender=panel.lot.tender.ref, lot=panel.lot.no_text).c
        PANEL_FLOW.take(work, panel, "list", round=panel.round)
    work.session.flush()
    return row


# --- reveal -----------------------------------------------------------------------------------------------------------------------


def reveal(work: UnitOfWork, panel: Panel, envelope: Any, *, salt: str) -> Sheet:
    """A member shows the sheet it committed to; checked at once: signature, commitment, every item (rules E-01, E-32). With the last one
    all sheets become visible. A sheet that cannot stand is refused item by item; the chair then orders a recheck.

    Refuses: NotAllowed, SignInNeeded, NotFound, WrongStep, TooEarly ``sheet.list_not_sealed``, Conflict, also as
    ``signed_sheets.require``, Invalid ``sheet.bad_sheet``, ``sheet.faults`` (every item).
    """
    work.require(Act.SHEET_REVEAL)
    work.lock(panel)
    seat = panels.own_seat(work, panel, "seated")
    _in_state(panel, "LISTED")
    listed = find_list(work.session, panel)
    if listed is None or listed.c is None or log.tick_of(work.session, listed.c) is None:
        raise TooEarly("sheet.list_not_sealed")
    if any(sheet.seat_id == seat.id for sheet in revealed(work.session, panel)):
        raise Conflict("sheet.revealed")
    signed_sheets.require(work, panel)
    told = _opened(work, panel, seat, envelope, "sheet", "sheet.bad_sheet")
    held = commits_of(work.session, panel)[seat.id]
    try:
        check_sheet(told, unb64u(salt, 32), unb64u(held.commit, 32))
    except CryptoError as error:
        raise Invalid("sheet.bad_sheet", reason=error.code, detail=error.detail) from error
    faults = schemes.sheet_faults(schemes.of_lot(panel.lot), list(names_of(work.session, panel)), told)
    if faults:
        raise Invalid("sheet.faults", faults=faults, count=len(faults))
    statement = keep_document(work, "sheet", envelope, signed=True)
    entry = work.log("sheet", statement=statement, tender=panel.lot.tender.ref, lot=panel.lot.no_text)
    row = Sheet(panel_id=panel.id, round=panel.round, statement=statement, salt=salt, c=entry.c, at=work.now)
    row.seat, row.seat_id = seat, seat.id
    work.session.add(row)
    work.session.flush()
    if len(revealed(work.session, panel)) == len(panels.seated(panel)):
        PANEL_FLOW.take(work, panel, "reveal", round=panel.round)
    return row


def recheck(work: UnitOfWork, panel: Panel, *, ground: str, reason: str, seen: int | None = None) -> None:
    """The panel scores again on one of the grounds of rule E-32: a new round, in which every member commits anew, with a reason. The
    earlier sheets stay on record; a report drawn up before no longer stands. Where nothing is scored, its findings may change again. Never
    after the technical result of two envelopes is fixed.

    Refuses: NotAllowed (not the chair), NotFound, WrongStep, Conflict, Invalid.
    """
    work.require(Act.REPORT_CONCLUDE)
    work.lock(panel)
    panels.require_chair(work, panel)
    check_version(panel, seen)
    technical.refuse_fixed(work.session, panel.lot)
    scored = bool(schemes.of_lot(panel.lot).scored)
    if scored and find_list(work.session, panel) is None:
        raise WrongStep("sheet.nothing_listed")
    if not scored and panel.state != "REVEALED":
        raise WrongStep("sheet.review_open")
    if ground not in (allowed := grounds(panel.lot)):
        raise Invalid("sheet.ground", grounds=list(allowed))
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    PANEL_FLOW.take(work, panel, "recheck", ground=ground, reason=reason.strip(), round=panel.round)
    panel.round += 1
    panel.recheck = reason.strip()
    work.session.flush()


def grounds(lot: Lot) -> tuple[str, ...]:
    """On what grounds the panel of a lot may do its work again."""
    return GROUNDS if schemes.of_lot(lot).scored else GROUNDS_UNSCORED


def own_sheet(session: Session, seat: Seat) -> Sheet | None:
    """The newest sheet a member has revealed."""
    return session.scalar(select(Sheet).where(Sheet.seat_id == seat.id).order_by(Sheet.round.desc()).limit(1))


def standing_commit(session: Session, panel: Panel, seat: Seat) -> SheetCommit:
    """Refuses: NotFound ``sheet.not_committed``."""
    found = commits_of(session, panel).get(seat.id)
    if found is None:
        raise NotFound("sheet.not_committed")
    return found


def _in_state(panel: Panel, *states: str) -> None:
    if panel.state not in states:
        raise WrongStep("panel.wrong_step", state=panel.state, from_states=list(states))


def _at(work: UnitOfWork) -> str:
    return write_moment(floor_second(work.now))
