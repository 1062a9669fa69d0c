"""Tickets: what a sealer is handed, signed by the platform; and receipts that need nothing else to be checked."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from crypto import sealed_bid
from crypto.canonical import unb64u
from crypto.documents import open_document, open_policy
from crypto.errors import CryptoError
from crypto.keys import ed25519_public
from crypto.receipts import verify_receipt
from crypto.signatures import document_hash, payload_of
from crypto.trust import trust_of
from tests.kit import opening_steps, sealing, stages
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading.bidding import bids, tickets
from trading.kernel.errors import NotFound


def ticket(world: World, ref: str) -> Any:
    with world.view("clock") as view:
        return json.loads(json.dumps(tickets.ticket(view, world.lot_in(view, ref))))


def test_a_ticket_is_signed_and_holds_all_a_sealer_needs(world: World) -> None:
    ref = stages.bidding(world)
    made = ticket(world, ref)
    document = open_document(made, "ticket", world.office.keys.public)
    assert document["tender"] + "-" + document["lot"] == ref and document["envelope"] == "bid"
    with world.view("clock") as view:
        keys = tickets.officer_keys(view.session, world.lot_in(view, ref))
    policy = open_policy(json.loads(document["policy"]), world.office.keys.public, keys)
    out = io.BytesIO()
    made_bid = sealed_bid.seal(
        policy, bidder=sealing.code_of(world, "bidder1"), announce=opening_steps.form(), files=[], out=out
    )
    assert made_bid.header.ctx["policy"] and {f["key"] for f in document["form"]} >= {"price"}
    for field in document["form"]:
        assert (
            {"key", "label", "type", "required"}
            <= set(field)
            <= {"key", "label", "type", "required", "choices", "most", "part_of"}
        )
    with pytest.raises(CryptoError):
        open_document(made, "ticket", ed25519_public(bytes(32)))


def test_a_ticket_tells_nothing_of_bids(world: World) -> None:
    ref = stages.bidding(world)
    before = payload_of(ticket(world, ref))
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    assert payload_of(ticket(world, ref)) == before


def test_no_ticket_before_the_policy(world: World) -> None:
    ref = world.lot("DRAFTED")
    with pytest.raises(NotFound) as refusal:
        ticket(world, ref)
    assert refusal.value.code == "policy.missing"
    with pytest.raises(NotFound), world.view("clock") as view:
        tickets.ticket(view, world.lot_in(view, ref), "price")


def test_a_receipt_file_is_checked_with_nothing_but_itself(world: World) -> None:
    ref = stages.bidding(world)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    outcome = sealing.hand_in(world, ref, "bidder1", sealed, submission)
    world.tick()
    world.tick()
    with world.view("bidder1", SIGNER) as view:
        found = json.loads(json.dumps(tickets.receipt_file(view, bids.own_receipt(view, outcome.receipt.c))))
    trust = trust_of(found["trust"])
    told = verify_receipt(
        {"entry": found["entry"], "proof": found["proof"]}, trust.platform_keys, trust.log_key, trust.witnesses
    )
    assert (
        told.entry["statement"]
        == document_hash(payload_of(found["statement"]))
        == document_hash(payload_of(submission))
    )
    assert [unb64u(key) for key in found["trust"]["platform_keys"]] == [world.office.keys.public]
    assert len(found["trust"]["supervisor_keys"]) == 1 and found["trust"]["quorum"] == 0
