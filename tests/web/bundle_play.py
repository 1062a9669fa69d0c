"""Whole lots for the bundle tests: from bidding to the closed opening, by the acts the product itself has, ticks and all."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any

from crypto import documents, headers, sealed_bid, submissions
from crypto.canonical import b64u, format_time, loads
from crypto.headers import parse_header
from crypto.signatures import countersign, document_hash, payload_of
from tests.kit.world import DEADLINE, OFFICERS, World
from trading import bids, decryption, draws, officers, opening, parties, timeline, uploads
from trading.kernel.access import Role

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
ANSWERS = {"money": "1.00", "days": "30", "count": "12", "percent": "10", "text": "合格"}


def turn_to(world: World, moment: datetime) -> None:
    """Set the clock and let it do what is due."""
    world.clock.set(moment)
    timeline.turn(world.office)


def next_tick(world: World) -> None:
    turn_to(world, world.now.replace(second=0, microsecond=0) + timedelta(minutes=1))


def seal(world: World, ref: str, who: str, price: str, *, replaces: str = "", data: bytes = PDF) -> tuple[bytes, dict[str, Any]]:
    """A bid and its signed submission, as the bidder's own machine makes them."""
    with world.look("clock") as look:
        lot = world.lot_in(look, ref)
        policy = officers.policy_document(officers.current_policy(look.session, lot))
        code = parties.party(look.session, world.party_ids[who]).code
        announce = {field["key"]: price if field["key"] == "price" else ANSWERS.get(field["type"], "no") for field in lot.form}
    out = io.BytesIO()
    made = sealed_bid.seal(policy, bidder=code, announce=announce, out=out,
                           files=[sealed_bid.FileIn("投标文件.pdf", len(data), io.BytesIO(data), "application/pdf")])
    statement = submissions.make_submission(made, sealed_at=format_time(world.now), tool="test/1", replaces=replaces)
    return out.getvalue(), documents.sign_document("submission", statement, world.keys[who].sign)


def submit(world: World, ref: str, who: str, price: str = "2500000.00", *, replaces: str = "", at: datetime | None = None) -> tuple[str, str]:
    """(reason of a refusal or "", hash of the submission)."""
    data, envelope = seal(world, ref, who, price, replaces=replaces)
    with world.work(who) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(data)).token
    uploads.receive(world.office, world.actor(who), token, offset=0, pieces=[data])
    if at is not None:
        world.clock.set(at)
    with world.work(who) as work:
        done = bids.submit(work, world.lot_in(work, ref), token=token, submission=envelope)
    return done.reason, document_hash(payload_of(envelope))


def withdraw(world: World, ref: str, who: str) -> None:
    with world.look(who) as look:
        receipt = bids.own_receipts(look, world.lot_in(look, ref))[0]
        statement = loads(payload_of(__import__("json").loads(_document(look, receipt.statement))))
    withdrawal = submissions.make_withdrawal(statement, at=format_time(world.now))
    with world.work(who) as work:
        envelope = documents.sign_document("withdrawal", withdrawal, world.keys[who].sign)
        assert bids.withdraw(work, world.lot_in(work, ref), withdrawal=envelope).accepted


def _document(look: Any, name: str) -> str:
    import json

    from trading.kernel import audit

    return json.dumps(audit.document(look.session, name))


def bid(world: World, ref: str) -> None:
    """Everybody takes part; the first replaces a bid, and if there are five, the last withdraws; one comes too late."""
    world.take_part(ref)
    turn_to(world, DEADLINE - timedelta(hours=2))
    for number, who in enumerate(world.bidders):
        assert submit(world, ref, who, f"{2_500_000 + 10_000 * number}.00")[0] == ""
        next_tick(world)
    with world.look(world.bidders[0]) as look:
        old = bids.own_receipts(look, world.lot_in(look, ref))[0].statement
    assert submit(world, ref, world.bidders[0], "2480000.00", replaces=old)[0] == ""
    next_tick(world)
    if len(world.bidders) >= 4:
        withdraw(world, ref, world.bidders[-1])
        next_tick(world)
    turn_to(world, DEADLINE - timedelta(minutes=1))
    late = world.bidders[1]
    with world.look(late) as look:
        old = bids.own_receipts(look, world.lot_in(look, ref))[0].statement
    assert submit(world, ref, late, "1.00", replaces=old, at=DEADLINE)[0] == "LATE"


def close(world: World) -> None:
    """Every tick from the deadline to the closing one, and on to claims end."""
    for seconds in range(0, 240, 10):
        turn_to(world, DEADLINE + timedelta(seconds=seconds))


def open_lot(world: World, ref: str, *, absent: tuple[str, ...] = ()) -> None:
    """Set, shares, decryption, countersignatures, minutes, closed."""
    with world.work("host") as work:
        opening.list_bids(work, world.lot_in(work, ref))
    next_tick(world)
    came = [username for username, _, _ in OFFICERS if username not in absent]
    for username in came:
        with world.work(username) as work:
            row = opening.opening(work.session, world.lot_in(work, ref))
            opening.accept_share(work, row, shares_of(world, work, row, username))
    if absent:
        world.clock.set(row.shares_until + timedelta(seconds=1))
    next_tick(world)
    decryption.open_bids(world.office, world.actor("host"), ref)
    for username in came[:3]:
        with world.work(username) as work:
            row = opening.opening(work.session, world.lot_in(work, ref))
            opening.countersign(work, row, countersign(row.opened, world.keys[username].sign))
    world.clock.advance(minutes=16)
    with world.work("host") as work:
        opening.sign_minutes(work, opening.opening(work.session, world.lot_in(work, ref)), minutes="")
    next_tick(world)
    with world.work("host") as work:
        opening.close(work, opening.opening(work.session, world.lot_in(work, ref)))
    next_tick(world)


def shares_of(world: World, work: Any, row: opening.Opening, username: str) -> Any:
    """What an officer's client signs."""
    policy = officers.policy_document(officers.current_policy(work.session, row.lot))
    secret = world.policy_secret(username, policy)
    j = officers.own_seat(work, row.lot).j
    items = [{"header_hash": name, "part": b64u(headers.open_share(header, j, secret)), "error": ""}
             for name, header in opening.headers(work.session, row).items()]
    document = {"v": 1, "at": format_time(work.now), "set": row.set_hash, "j": j, "items": items}
    return documents.sign_document("shares", document, world.keys[username].sign)


def draw(world: World, ref: str, label: str, pool: list[str], take: int = 1, *, who: str = "host", role: Role | None = None) -> list[int]:
    """A whole public draw, its parties revealing."""
    from crypto import draws as rules
    from crypto.keys import new_secret

    r = new_secret()

    def row_in(work: Any) -> draws.Draw:
        return draws.draw(work.session, world.lot_in(work, ref), label)

    with world.work(who, role) as work:
        draws.announce(work, world.lot_in(work, ref), label=label, pool=pool, take=take)
    next_tick(world)
    with world.work(who, role) as work:
        draws.commit_platform(work, row_in(work))
    with world.work("buyer") as work:
        row = row_in(work)
        policy = officers.policy_document(officers.current_policy(work.session, row.lot, officers.draw_envelope(label, row.lot)))
        header = rules.make_escrow(policy, draw=row.draw, party="tenderee", r=r)
        document = draws.commit_document(row, "tenderee", r=r, header=header, at=format_time(work.now))
        draws.commit(work, row, documents.sign_document("draw-commit", document, world.keys["buyer"].sign), header=header)
    assert parse_header(header).ctx["bidder"] == "tenderee"
    next_tick(world)
    with world.work(who, role) as work:
        draws.list_commits(work, row_in(work))
    with world.work("buyer") as work:
        row = row_in(work)
        draws.sign_list(work, row, countersign(row.listing, world.keys["buyer"].sign))
    next_tick(world)
    with world.work(who, role) as work:
        draws.reveal_platform(work, row_in(work))
    with world.work("buyer") as work:
        row = row_in(work)
        document = draws.reveal_document(row, "tenderee", r=r, at=format_time(work.now))
        draws.reveal(work, row, documents.sign_document("draw-reveal", document, world.keys["buyer"].sign))
    next_tick(world)
    with world.work(who, role) as work:
        picks = draws.conclude(work, row_in(work))
    next_tick(world)
    return picks
