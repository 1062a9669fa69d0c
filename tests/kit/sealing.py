"""Bids in a world: sealed, uploaded, submitted; the clock taken over the deadline; the set published. By the acts the product has."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

from crypto import sealed_bid, submissions
from crypto.canonical import format_time, unb64u
from crypto.documents import sign_document
from crypto.keys import x25519_public
from tests.kit.world import World
from trading import timeline
from trading.bidding import bids, participants, uploads
from trading.custody import officers
from trading.kernel.access import Role
from trading.opening import opening_set
from trading.parties import parties

FORM = {"price": "2750000.00", "delivery_days": "30", "warranty_months": "36", "small_firm": "no"}
SIGNER = Role.BIDDER_SIGNER


def code_of(world: World, username: str) -> str:
    """The name a bidder has in signed documents."""
    with world.view("clock") as view:
        return parties.account(view.session, world.people[username]).party.code


def open_for_bids(world: World, ref: str) -> None:
    """Past the hour from which bids are taken; a tick is sealed there."""
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.issue_at is not None
        begins = lot.issue_at
    if world.now < begins:
        world.clock.set(begins)
    world.tick()


def policy_of(world: World, ref: str, envelope: str = officers.BID) -> dict[str, Any]:
    with world.view("clock") as view:
        return officers.policy_document(officers.current_policy(view.session, world.lot_in(view, ref), envelope))


def seal(
    world: World,
    ref: str,
    username: str,
    *,
    replaces: str = "",
    form: dict[str, str] | None = None,
    data: bytes = b"offer",
    part: str = officers.BID,
) -> tuple[bytes, dict[str, Any]]:
    """A sealed file and its signed submission; ``part``: of which envelope."""
    out, policy = io.BytesIO(), policy_of(world, ref, part)
    made = sealed_bid.seal(
        policy,
        bidder=code_of(world, username),
        announce=form or FORM,
        out=out,
        bidder_key=x25519_public(world.keys[username].seal) if policy["co_opening"] else b"",
        files=[sealed_bid.FileIn("投标文件.txt", len(data), io.BytesIO(data))],
    )
    statement = submissions.make_submission(made, sealed_at=format_time(world.now), tool="test/1", replaces=replaces)
    return out.getvalue(), sign_document("submission", statement, world.keys[username].sign)


def pay_deposits(world: World, ref: str) -> None:
    """The deposit of everybody who takes part has arrived in full, as the cashier's desk tells it."""
    with world.work("clerk") as work:
        lot = world.lot_in(work, ref)
        for row in participants.by_party(work.session, lot).values():
            participants.mark_secured(work, row, amount_minor=lot.deposit_minor, at=work.now)


def hand_in(
    world: World, ref: str, username: str, sealed: bytes, submission: Any, *, part: str = officers.BID
) -> bids.Outcome:
    """Upload the bytes and submit: the legal moment."""
    with world.work(username, SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed), envelope=part).token
    uploads.receive(world.office, world.actor(username, SIGNER), token, offset=0, pieces=[sealed])
    with world.work(username, SIGNER) as work:
        return bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)


def receipt_of(world: World, username: str, outcome: bids.Outcome) -> dict[str, Any]:
    with world.view(username, SIGNER) as view:
        document = bids.receipt_document(view.session, bids.own_receipt(view, outcome.receipt.c))
    return dict(json.loads(json.dumps(document)))


def close(world: World, ref: str) -> None:
    """Over the deadline: the tick before, then the closing tick."""
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
        assert deadline is not None
    for seconds in (-60, 0, 50, 60):
        world.clock.set(deadline + timedelta(seconds=seconds))
        timeline.turn(world.office)


def list_set(world: World, ref: str, part: str = officers.BID) -> None:
    """Publish the opening set, in a tick of its own, and go on to the moment from which shares are taken."""
    with world.work("host") as work:
        lot = world.lot_in(work, ref)
        row = opening_set.list_bids(work, lot, part)
        begins = row.shares_from
    world.clock.set(world.now + timedelta(seconds=70))
    timeline.turn(world.office)
    world.clock.set(max(world.now, begins))


def header_hash_of(sealed: bytes) -> bytes:
    return sealed_bid.inspect(io.BytesIO(sealed)).header.header_hash


def unb64(text: str) -> bytes:
    return unb64u(text)
