"""What follows when an opening goes wrong, by the acts of the product: late closings confirmed, bids rescued, boxes judged, claims filed.

seeds = bid(world, ref)                      # every bidder bids and keeps its seed
fail(world, ref, came=("officer1",))         # too few came: the failures are in the log, the window for repair runs
rescue(world, ref, "bidder1", seeds["bidder1"])
"""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

from crypto import sealed_bid, submissions
from crypto.canonical import b64u, format_time, loads
from crypto.documents import sign_document
from crypto.signatures import countersign, payload_of
from crypto.ticks import commitment
from crypto.verdicts import judge_box
from tests.kit import opening_steps, sealing
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading import timeline
from trading.bidding import bids, claims, late_close, uploads
from trading.custody import officers
from trading.opening import ceremony, decryption, findings, opening_list, rescue, shares
from trading.opening.ceremony import Opening

REASONS = "核对审计簿与回执后认定，理由如上。"


class _Undone(Exception):
    """Thrown to lose a unit of work after its receipt went out."""


def row_of(world: World, unit: Any, ref: str) -> Opening:
    return ceremony.opening(unit.session, world.lot_in(unit, ref))


def seal_and_keep(
    world: World, ref: str, username: str, *, data: bytes = b"offer"
) -> tuple[bytes, dict[str, Any], bytes]:
    """As ``sealing.seal``, with the seed that the keeper file would hold."""
    out = io.BytesIO()
    made = sealed_bid.seal(
        sealing.policy_of(world, ref),
        bidder=sealing.code_of(world, username),
        announce=sealing.FORM,
        out=out,
        files=[sealed_bid.FileIn("投标文件.txt", len(data), io.BytesIO(data))],
    )
    statement = submissions.make_submission(made, sealed_at=format_time(world.now), tool="test/1", replaces="")
    return out.getvalue(), dict(sign_document("submission", statement, world.keys[username].sign)), made.seed


def bid(world: World, ref: str, *usernames: str) -> dict[str, bytes]:
    """The named bidders (all by default) hand in a bid each; returns their seeds."""
    seeds = {}
    for username in usernames or tuple(world.bidders):
        sealed, submission, seeds[username] = seal_and_keep(world, ref, username, data=b"offer of " + username.encode())
        assert sealing.hand_in(world, ref, username, sealed, submission).accepted
    world.tick()
    return seeds


def fail(world: World, ref: str, *, came: tuple[str, ...]) -> None:
    """Shares of those who came, the window over, the first call to open: it notes the failures, and they are in a tick."""
    for username in came:
        opening_steps.share(world, ref, username)
    with world.view("clock") as view:
        until = row_of(world, view, ref).shares_until
    if len(came) < len(opening_steps.ALL):
        world.clock.set(until + timedelta(seconds=1))
    decrypt(world, ref)
    opening_steps.turn(world)


def decrypt(world: World, ref: str) -> Opening:
    return decryption.open_bids(world.office, world.actor("host"), ref)


def pause_over(world: World, ref: str) -> None:
    """Past the end of the window for repair."""
    with world.view("clock") as view:
        window = rescue.pause(view.session, row_of(world, view, ref))
    assert window is not None and window.until is not None
    world.clock.set(window.until + timedelta(seconds=1))
    timeline.turn(world.office)


def failures_of(world: World, unit: Any, ref: str) -> list[rescue.BidFailure]:
    return rescue.failures(unit.session, row_of(world, unit, ref))


def finish(world: World, ref: str, *came: str) -> None:
    """Countersignatures of those who came, minutes, close."""
    for username in came:
        with world.work(username) as work:
            row = row_of(world, work, ref)
            opening_list.countersign(work, row, countersign(dict(row.opened or {}), world.keys[username].sign))
    opening_steps.turn(world, minutes=16)
    with world.work("host") as work:
        opening_list.sign_minutes(work, row_of(world, work, ref), minutes=world.office.blobs.put([b"minutes"]).name)
    with world.work("host") as work:
        opening_list.close(work, row_of(world, work, ref))


def lie(world: World, ref: str, username: str) -> None:
    """An officer's client that reports every box of the set as bad."""
    with world.work(username) as work:
        row = row_of(world, work, ref)
        items = [{"header_hash": one["header_hash"], "part": "", "error": "SHARE_OPEN"} for one in row.bids]
        document = {
            "v": 1,
            "at": format_time(work.now),
            "set": row.set_hash,
            "j": opening_steps.ALL.index(username) + 1,
            "items": items,
        }
        shares.accept_share(work, row, sign_document("shares", document, world.keys[username].sign))


def three_lie(world: World, ref: str) -> None:
    """Two officers give their shares, three report every box as bad, and the failures are noted: no bid of the set has enough."""
    for username in opening_steps.ALL[:2]:
        opening_steps.share(world, ref, username)
    for username in opening_steps.ALL[2:]:
        lie(world, ref, username)
    fail(world, ref, came=())


def post_rescue(
    world: World, ref: str, username: str, seed: bytes, *, key: bytes = b"", **changes: Any
) -> rescue.Rescue:
    with world.work(username, SIGNER) as work:
        row = row_of(world, work, ref)
        failed = rescue.own_failure(work.session, row, work.actor.party_id)
        document = {
            "v": 1,
            "at": format_time(world.now),
            "set": row.set_hash,
            "seed": b64u(seed),
            "header_hash": failed.header_hash if failed else row.bids[0]["header_hash"],
        }
        envelope = sign_document("rescue", document | changes, key or world.keys[username].sign)
        return rescue.post(work, row, envelope)


def judge(world: World, ref: str, header_hash: str, j: int) -> tuple[str, bytes]:
    """What the supervisory body finds with the officer's key of this scope."""
    username = opening_steps.ALL[j - 1]
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        policy = officers.policy_document(officers.current_policy(view.session, row.lot))
        return judge_box(ceremony.headers(view.session, row)[header_hash], j, world.policy_secret(username, policy))


def sign_finding(
    world: World, ref: str, header_hash: str, j: int, finding: tuple[str, bytes], *, key: bytes = b"", **changes: Any
) -> findings.BoxFinding:
    code, part = finding
    with world.work("watch") as work:
        row = row_of(world, work, ref)
        document = {
            "v": 1,
            "at": format_time(world.now),
            "set": row.set_hash,
            "header_hash": header_hash,
            "j": j,
            "code": code,
        }
        envelope = sign_document("finding", document | changes, key or world.keys["watch"].sign)
        return findings.sign(work, row, envelope, part=b64u(part) if part else "")


def rule(world: World, ref: str, header_hash: str, cause: str, reasons: str = REASONS) -> None:
    with world.work("host") as work:
        findings.rule(work, row_of(world, work, ref), header_hash=header_hash, cause=cause, reasons=reasons)


def late_closing(world: World, ref: str, *, minutes: int = 45) -> None:
    """Nothing runs from a minute before the deadline on; the clock comes back so much later."""
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
    assert deadline is not None
    for at in (-60, 60 * minutes):
        world.clock.set(deadline + timedelta(seconds=at))
        timeline.turn(world.office)
    opening_steps.turn(world)


def confirm_late(world: World, ref: str, *, key: bytes = b"", username: str = "watch", **changes: Any) -> None:
    with world.work(username) as work:
        lot = world.lot_in(work, ref)
        late = late_close.what_happened(work.session, lot)
        assert late is not None
        document = late_close.document(
            work, late, finding="机房停电，双路电源切换失败；已核对日志。", at=format_time(world.now)
        )
        late_close.confirm(work, lot, sign_document("late-close", document | changes, key or world.keys["watch"].sign))


def lost_receipt(world: World, ref: str, username: str) -> dict[str, Any]:
    """A receipt whose bid the platform has lost: it was signed and sent, and the unit of work never reached the disk."""
    sealed, submission, _ = seal_and_keep(world, ref, username)
    with world.work(username, SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    uploads.receive(world.office, world.actor(username, SIGNER), token, offset=0, pieces=[sealed])
    found: dict[str, Any] = {}
    try:
        with world.work(username, SIGNER) as work:
            outcome = bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)
            assert outcome.accepted
            found = {**bids.receipt_document(work.session, outcome.receipt), "statement": submission}
            raise _Undone
    except _Undone:
        return found


def file_claim(
    world: World, ref: str, username: str, receipt: dict[str, Any], *, key: bytes = b"", **changes: Any
) -> claims.Claim:
    with world.work(username, SIGNER) as work:
        lot = world.lot_in(work, ref)
        document = {
            "v": 1,
            "platform": world.office.platform,
            "tender": lot.tender.ref,
            "lot": lot.no_text,
            "envelope": "bid",
            "bidder": sealing.code_of(world, username),
            "entry": b64u(commitment(loads(payload_of(receipt["entry"])))),
            "at": format_time(world.now),
        }
        envelope = sign_document("omission-claim", document | changes, key or world.keys[username].sign)
        return claims.file(work, lot, claim=envelope, receipt=receipt)


def settle_claim(world: World, ref: str, outcome: str, reasons: str = REASONS) -> None:
    with world.work("watch") as work:
        claim = claims.of_lot(work.session, world.lot_in(work, ref))[-1]
        findings.settle_claim(work, claim, outcome=outcome, reasons=reasons)
