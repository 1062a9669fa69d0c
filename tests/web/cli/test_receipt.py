"""`bidhall receipt`: what receipts and proofs of attempt prove, and what convicts."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto import ticks
from crypto.canonical import b64u
from crypto.documents import sign_document
from crypto.receipts import check_words
from crypto.signatures import payload_of
from tests.kit import sealing
from tests.kit.commands import Desk, other_trust, ticket
from tests.kit.world import World
from tests.web.cli.test_seal import bare
from trading import timeline
from trading.bidding import bids, tickets, uploads
from trading.kernel import log
from trading.kernel.log_ticks import LogTick


@pytest.fixture
def handed_in(desk: Desk, world: World, lot: str) -> bids.Outcome:
    sealed, submission = sealing.seal(world, lot, "bidder1")
    desk.write("bid", sealed)
    desk.write("bid.submission.json", submission)
    desk.write("ticket.json", ticket(world, lot))
    outcome = sealing.hand_in(world, lot, "bidder1", sealed, submission)
    assert outcome.accepted
    return outcome


def file_of(world: World, outcome: bids.Outcome) -> dict[str, Any]:
    """The receipt as the bidder saves it."""
    with world.view("bidder1", sealing.SIGNER) as view:
        found = tickets.receipt_file(view, bids.own_receipt(view, outcome.receipt.c))
    return dict(json.loads(json.dumps(found)))


def late_bid(desk: Desk, world: World, lot: str) -> bids.Outcome:
    """A submission whose last byte came in the deadline's second: refused, with a proof of the refusal."""
    sealed, submission = sealing.seal(world, lot, "bidder1")
    desk.write("late", sealed)
    desk.write("late.submission.json", submission)
    with world.work("bidder1", sealing.SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, lot), length=len(sealed)).token
        deadline = world.lot_in(work, lot).deadline
    uploads.receive(world.office, world.actor("bidder1", sealing.SIGNER), token, offset=0, pieces=[sealed])
    assert deadline is not None
    world.clock.set(deadline)
    with world.work("bidder1", sealing.SIGNER) as work:
        return bids.submit(work, world.lot_in(work, lot), token=token, submission=submission)


def test_at_once_submitted_from_its_tick_on_in_the_log(desk: Desk, world: World, handed_in: bids.Outcome) -> None:
    bare_receipt = sealing.receipt_of(world, "bidder1", handed_in)
    path = desk.write("r.json", bare_receipt)
    ran = desk.run("receipt", path, "--trust", desk.path("ticket.json"), "--bid", desk.path("bid"), "--json")
    assert ran.code == 0, ran.out
    told = ran.json
    assert (told["ok"], told["state"], told["speaks_of_bid"], told["trust"], told["tick"]) == (
        True,
        "submitted",
        True,
        "given",
        None,
    )
    assert told["unwitnessed"] is True and told["overdue"] is False and told["event"] == "bid-received"
    entry = json.loads(payload_of(bare_receipt["entry"]))
    assert (
        told["check_words"] == {"zh": check_words(entry, "zh"), "en": check_words(entry, "en")}
        and len(told["check_words"]["zh"]) == 4
    )
    world.tick()
    desk.write("r.json", sealing.receipt_of(world, "bidder1", handed_in))
    told = desk.run("receipt", path, "--trust", desk.path("ticket.json"), "--bid", desk.path("bid"), "--json").json
    assert (told["state"], told["c"]) == ("in_log", handed_in.receipt.c) and told["tick"]["at"] <= told["tick_by"]
    text = desk.run("receipt", path, "--trust", desk.path("ticket.json")).out
    assert all(word in text for word in (*told["check_words"]["zh"], *told["check_words"]["en"]))


def test_a_receipt_as_saved_needs_nothing_else_and_no_server(desk: Desk, world: World, handed_in: bids.Outcome) -> None:
    world.tick()
    path = desk.write("saved.json", file_of(world, handed_in))
    Path(desk.path("bid.submission.json")).unlink()
    ran = bare("receipt", path, "--bid", desk.path("bid"), "--json")
    assert ran.returncode == 0, ran.stderr.decode()
    told = json.loads(ran.stdout)
    assert (told["state"], told["speaks_of_bid"], told["trust"]) == ("in_log", True, "enclosed")


def test_without_any_trusted_keys_the_call_is_wrong(desk: Desk, world: World, handed_in: bids.Outcome) -> None:
    ran = desk.run("receipt", desk.write("r.json", sealing.receipt_of(world, "bidder1", handed_in)), "--json")
    assert ran.code == 2 and "--trust" in ran.err and ran.out == ""


def test_a_receipt_speaks_of_one_bid_only(desk: Desk, world: World, lot: str, handed_in: bids.Outcome) -> None:
    path = desk.write("r.json", file_of(world, handed_in))
    sealed, submission = sealing.seal(world, lot, "bidder1")
    desk.write("other", sealed)
    desk.write("other.submission.json", submission)
    ran = desk.run("receipt", path, "--bid", desk.path("other"), "--json")
    assert (ran.code, ran.json["ok"], ran.json["code"], ran.json["speaks_of_bid"]) == (1, False, "SEALED_ROOT", False)
    ran = desk.run(
        "receipt", path, "--bid", desk.path("other"), "--submission", desk.path("other.submission.json"), "--json"
    )
    assert (ran.code, ran.json["code"]) == (1, "CONTEXT_MISMATCH")


def test_what_is_signed_by_another_or_changed_is_refused(desk: Desk, world: World, handed_in: bids.Outcome) -> None:
    world.tick()
    good = file_of(world, handed_in)
    other = desk.write("t.json", other_trust(good["trust"]))
    path = desk.write("r.json", good)
    assert desk.run("receipt", path, "--trust", other, "--json").json["code"] == "SIG"
    entry = json.loads(payload_of(good["entry"]))
    forged = {**good, "entry": ticks.sign_entry({**entry, "event": "bid-replaced"}, bytes(range(32)))}
    assert desk.run("receipt", desk.write("r.json", forged), "--json").json["code"] == "SIG"
    resigned = {**good, "entry": ticks.sign_entry({**entry, "event": "bid-replaced"}, world.office.keys.signing)}
    ran = desk.run("receipt", desk.write("r.json", resigned), "--json")
    assert (ran.code, ran.json["code"]) == (1, "TICK_PROOF")
    assert desk.run("receipt", desk.write("r.json", {**good, "extra": 1}), "--json").json["code"] == "JSON_PROFILE"
    for text in (b"[]", b"x", b"\xff", b'"r"'):
        assert desk.run("receipt", desk.write("r.json", text), "--json").code == 2


def ticks_of(world: World) -> list[dict[str, Any]]:
    with world.view("clock") as view:
        last = log.last_tick(view.session)
        assert last is not None
        leaves = [view.session.get(LogTick, tick) for tick in range(last.tick + 1)]
        return [
            {"leaf": json.loads(leaf.leaf), "tlog": log.tlog_proof(view.session, leaf.tick)}
            for leaf in leaves
            if leaf is not None
        ]


def test_a_log_that_ticked_without_the_entry_convicts_the_platform(
    desk: Desk, world: World, lot: str, handed_in: bids.Outcome
) -> None:
    good = file_of(world, handed_in)
    signed = ticks.make_entry(
        at=json.loads(payload_of(good["entry"]))["at"],
        event="bid-received",
        statement=handed_in.receipt.statement,
        tender=lot.rpartition("-")[0],
        lot="1",
        envelope="bid",
    )
    swallowed = {
        "entry": ticks.sign_entry(signed, world.office.keys.signing),
        "trust": good["trust"],
        "statement": good["statement"],
    }
    path = desk.write("r.json", swallowed)
    assert desk.run("receipt", path, "--json").json["state"] == "submitted"
    world.tick()
    early = desk.write("log.json", ticks_of(world))
    assert desk.run("receipt", path, "--log", early, "--json").code == (
        0 if ticks_of(world)[-1]["leaf"]["at"] < signed["tick_by"] else 1
    )
    for _ in range(3):
        world.tick()
    assert desk.run("receipt", path, "--json").json["overdue"] is True
    known = desk.write("log.json", ticks_of(world))
    ran = desk.run("receipt", path, "--log", known, "--bid", desk.path("bid"), "--json")
    assert (ran.code, ran.json["state"], ran.json["code"], ran.json["ok"]) == (1, "LOG_OMISSION", "LOG_OMISSION", False)
    assert (
        desk.run("receipt", desk.write("whole.json", file_of(world, handed_in)), "--log", known, "--json").json["state"]
        == "in_log"
    )


def test_false_ticks_convict_nobody(desk: Desk, world: World, handed_in: bids.Outcome) -> None:
    for _ in range(3):
        world.tick()
    known = ticks_of(world)
    known[-1]["leaf"]["at"] = "2026-12-01T00:00:00Z"
    ran = desk.run(
        "receipt", desk.write("r.json", file_of(world, handed_in)), "--log", desk.write("log.json", known), "--json"
    )
    assert (ran.code, ran.json["code"]) == (1, "TICK_PROOF")
    ran = desk.run("receipt", desk.path("r.json"), "--log", desk.write("log.json", [{"x": 1}]), "--json")
    assert (ran.code, ran.json["code"]) == (1, "TICK_PROOF")


def test_a_late_bid_has_its_proof(desk: Desk, world: World, lot: str) -> None:
    outcome = late_bid(desk, world, lot)
    assert outcome.reason == "LATE"
    world.clock.set(world.now + timedelta(seconds=60))
    timeline.turn(world.office)
    ran = desk.run("receipt", desk.write("r.json", file_of(world, outcome)), "--bid", desk.path("late"), "--json")
    assert ran.code == 0, ran.out
    told = ran.json
    assert (told["event"], told["reason"], told["state"], told["speaks_of_bid"]) == (
        "bid-refused",
        "LATE",
        "in_log",
        True,
    )


def test_a_refusal_of_a_flood_is_proved_by_the_list_it_stands_in(desk: Desk, world: World, lot: str) -> None:
    sealed, submission = sealing.seal(world, lot, "bidder1")
    outcomes = []
    for turn in range(11):
        payload = bids.submission_payload(submission) | {"lot": "9", "tool": f"flood/{turn}"}
        outcomes.append(
            sealing.hand_in(
                world, lot, "bidder1", sealed, sign_document("submission", payload, world.keys["bidder1"].sign)
            )
        )
    early = desk.run("receipt", desk.write("early.json", file_of(world, outcomes[-1])), "--json").json
    assert (early["ok"], early["state"], early["event"]) == (True, "submitted", "bid-refused") and "list" not in early
    world.tick()
    saved = file_of(world, outcomes[-1])
    ran = desk.run("receipt", desk.write("r.json", saved), "--json")
    assert ran.code == 0, ran.out
    assert (ran.json["state"], ran.json["reason"], ran.json["list"]["refusals"]) == ("in_log", "CONTEXT_MISMATCH", 3)
    assert "one of 3 refusals" in desk.run("receipt", desk.path("r.json")).out
    alone = desk.run("receipt", desk.write("alone.json", file_of(world, outcomes[0])), "--json").json
    assert alone["state"] == "in_log" and "list" not in alone
    fewer = {
        **saved["list"]["refusals"],
        "entries": [c for c in saved["list"]["refusals"]["entries"] if c != outcomes[-1].receipt.c],
    }
    lied = {**saved, "list": {**saved["list"], "refusals": fewer}}
    assert desk.run("receipt", desk.write("lied.json", lied), "--json").json["code"] == "JSON_PROFILE"


def test_a_broken_off_upload_has_its_proof_of_attempt(desk: Desk, world: World, lot: str) -> None:
    sealed, _ = sealing.seal(world, lot, "bidder1")
    desk.write("bid", sealed)
    with world.work("bidder1", sealing.SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, lot), length=len(sealed)).token
        deadline = world.lot_in(work, lot).deadline
    uploads.receive(world.office, world.actor("bidder1", sealing.SIGNER), token, offset=0, pieces=[sealed[:50_000]])
    assert deadline is not None
    world.clock.set(deadline + timedelta(seconds=1))
    with world.work("bidder1", sealing.SIGNER) as work:
        outcome = bids.prove_attempt(work, world.lot_in(work, lot), token=token)
    saved = file_of(world, outcome)
    assert saved["statement"]["bytes"] == 50_000
    told = desk.run("receipt", desk.write("r.json", saved), "--bid", desk.path("bid"), "--json").json
    assert (told["ok"], told["reason"], told["speaks_of_bid"]) == (True, "LATE", True)
    ran = desk.run(
        "receipt", desk.path("r.json"), "--bid", desk.write("other", sealed[:40_000] + bytes(20_000)), "--json"
    )
    assert (ran.code, ran.json["code"]) == (1, "CONTEXT_MISMATCH")
    lied = {**saved, "statement": {**saved["statement"], "sha256": b64u(bytes(32))}}
    assert (
        desk.run("receipt", desk.write("r.json", lied), "--bid", desk.path("bid"), "--json").json["code"]
        == "CONTEXT_MISMATCH"
    )
