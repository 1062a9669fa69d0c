"""Rows of openings and draws, held against the documents of who took part."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from crypto.canonical import H, b64u
from crypto.draws import pool_hash
from crypto.errors import CryptoError
from crypto.headers import hash_of_text, rederive
from trading.bidding import claims
from trading.custody import officers
from trading.draws import Draw
from trading.kernel import signed
from trading.kernel.signed import Difference, Proved
from trading.kernel.work import View
from trading.opening import ceremony, signed_opening, signed_posted, technical
from trading.opening.ceremony import Opening
from trading.tendering.tenders import Lot


def _openings(view: View, lot: Lot) -> Iterator[Difference]:
    rows = list(view.session.scalars(select(Opening).where(Opening.lot_id == lot.id)))
    for row in rows:
        yield from signed_opening.differences(view, row)
        yield from _seeds(view, row)
    parts = {row.part for row in rows}
    for one in signed.listed(view, "opening-set", tender=lot.tender.ref, lot=lot.no_text):
        if one.entry["envelope"] not in parts:
            yield Difference("opening", f"{lot.ref} {one.entry['envelope']}", "set_c", one.c)


def _seeds(view: View, row: Opening) -> Iterator[Difference]:
    """The seed of an opened bid gives its header again."""
    headers = ceremony.headers(view.session, row)
    for bid in ceremony.opened_bids(view.session, row):
        if bid.verdict != "opened" or bid.header_hash not in headers:
            continue
        try:
            rederive(headers[bid.header_hash], bid.seed)
        except (CryptoError, ValueError):
            yield Difference("opened_bid", str(bid.id), "seed", row.opened_c or row.set_c)


def _posted(view: View, lot: Lot) -> Iterator[Difference]:
    """What bidders, the host and the supervisory body gave during an opening."""
    for row in view.session.scalars(select(Opening).where(Opening.lot_id == lot.id)):
        yield from signed_posted.differences(view, row)
        yield from signed_opening.of_remarks(view, row)
        yield from signed_opening.of_rulings(view, row)
    for part in officers.bid_envelopes(lot):
        yield from claims.differences(view, lot, part)


def _technical(view: View, lot: Lot) -> Iterator[Difference]:
    row = technical.find(view.session, lot)
    records = signed.records(view, ("technical.fix",), lot.log_of)
    if row is None or not records:
        if row is not None or records:
            yield Difference("technical_result", lot.ref, "passed", records[-1][0].c if records else "")
        return
    entry, record = records[-1]
    facts = record["facts"]
    yield from signed.compare(row, {"passed": facts["passed"]}, entry.c)
    told = [(one["bidder"], f"{one['stage']}: {one['clause']}") for one in row.rejected]
    if told != list(zip(facts["rejected"], facts["clauses"], strict=True)):
        yield Difference("technical_result", str(row.id), "rejected", entry.c)


def _draws(view: View, lot: Lot) -> Iterator[Difference]:
    rows = {row.notice_c: row for row in view.session.scalars(select(Draw).where(Draw.lot_id == lot.id))}
    events = ("draw-notice", "draw-commit", "commit-list", "draw-reveal", "draw")
    listed = signed.listed(view, events, tender=lot.tender.ref, lot=lot.no_text)
    for notice in (one for one in listed if one.entry["event"] == "draw-notice"):
        row = rows.pop(notice.c, None)
        if row is None:
            yield Difference("draw", notice.c, "notice_c", notice.c)
            continue
        mine = [one for one in listed if one.entry["envelope"] == notice.entry["envelope"]]
        yield from _draw(row, notice, {name: [one for one in mine if one.entry["event"] == name] for name in events})
    for row in rows.values():
        yield Difference("draw", str(row.id), "notice_c", "", row.notice_c)


def _draw(row: Draw, notice: Proved, found: dict[str, list[Proved]]) -> Iterator[Difference]:
    told = notice.payload
    yield from signed.compare(row, {"draw": told["draw"], "label": told["label"], "notice": told}, notice.c)
    if b64u(_pool_hash(row)) != told["pool"]:
        yield Difference("draw", str(row.id), "pool", notice.c)
    for event, column, value in (("commit-list", "list_c", "listing"), ("draw", "result_c", "result")):
        last = found[event][-1] if found[event] else None
        if last is not None:
            yield from signed.compare(row, {column: last.c, value: last.document}, last.c)
        elif getattr(row, column) is not None:
            yield Difference("draw", str(row.id), column, notice.c, str(getattr(row, column)))
    if found["commit-list"]:
        yield from signed.compare(row, {"root": found["commit-list"][-1].payload["root"]}, found["commit-list"][-1].c)
    state = "DRAWN" if found["draw"] else "LISTED" if found["commit-list"] else "COMMITTED"
    if len(found["draw-commit"]) < len(told["parties"]):
        state = "NOTICED"
    yield from signed.compare(row, {"state": state}, notice.c)
    reveals = {one.payload["party"]: one for one in found["draw-reveal"]}
    turns = {turn.commit_c: turn for turn in row.turns}
    for one in found["draw-commit"]:
        turn = turns.pop(one.c, None)
        if turn is None:
            yield Difference("draw_turn", one.c, "commit_c", one.c)
            continue
        said, reveal = one.payload, reveals.get(one.payload["party"])
        wanted = {"party": said["party"], "commit": said["commit"], "reveal_c": reveal.c if reveal else None}
        yield from signed.compare(turn, wanted | {"r": reveal.payload["r"] if reveal else ""}, one.c)
        if hash_of_text(turn.header) != said["header_hash"]:
            yield Difference("draw_turn", str(turn.id), "header", one.c)
    for turn in turns.values():
        yield Difference("draw_turn", str(turn.id), "commit_c", "", turn.commit_c)


def _pool_hash(row: Draw) -> bytes:
    try:
        return pool_hash(row.pool_salt, row.pool)
    except (CryptoError, TypeError, ValueError, AttributeError):
        return H("pool", b"")


CHECKS = (_openings, _posted, _technical, _draws)
