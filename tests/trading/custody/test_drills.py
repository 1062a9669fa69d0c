"""A drill bid never comes back (protocol §2): what officers opened before the publication, to try their keys, is no bid, on no list, opens
nothing afterwards, and what they found in it opens nothing else."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import pytest
from sqlalchemy import select

from crypto import headers, sealed_bid
from crypto import opening as rules
from crypto.canonical import b64u, format_time, unb64u
from crypto.documents import sign_document
from crypto.errors import CryptoError
from crypto.headers import check_share, join_shares, open_share, parse_header
from crypto.policies import DRILL, check_context
from crypto.signatures import payload_of, sign
from tests.kit import opening_steps, replacing, sealing, stages, verdict_steps
from tests.kit.rows import unchanged
from tests.kit.world import OFFICERS, World
from trading.bidding import bids, closing
from trading.custody import officers, policies
from trading.custody.officers import Drill
from trading.kernel import audit
from trading.kernel.errors import Conflict, Invalid, Refusal, WrongStep
from trading.opening import ceremony, shares
from trading.parties import enrolments

J = {username: j for j, (username, _, _) in enumerate(OFFICERS, 1)}


def drill_of(world: World, ref: str) -> tuple[bytes, headers.Header, dict[int, bytes]]:
    """The sealed drill bid of a lot's bids, its header, and what each officer finds in its box."""
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        drill = view.session.scalar(
            select(Drill).where(Drill.policy_id == officers.current_policy(view.session, lot).id)
        )
        assert drill is not None
        data = b"".join(world.office.blobs.read(drill.blob))
    header = parse_header(unb64u(drill.header))
    policy = sealing.policy_of(world, ref)
    return data, header, {j: open_share(header, j, world.policy_secret(name, policy)) for name, j in J.items()}


def handed_in(world: World, ref: str, username: str, data: bytes, envelope: Any) -> str:
    """The code the platform answers an upload and its submission with."""
    try:
        outcome = sealing.hand_in(world, ref, username, data, envelope)
    except Refusal as refusal:
        return str(refusal.facts.get("reason") or refusal.code)
    assert not outcome.accepted
    return outcome.reason


def statement_of(
    world: World, ref: str, data: bytes, header: headers.Header, username: str, bidder: str
) -> dict[str, Any]:
    seen = sealed_bid.inspect(io.BytesIO(data))
    policy = sealing.policy_of(world, ref)
    value = {
        "v": 1,
        **{name: policy[name] for name in ("platform", "tender", "lot", "envelope")},
        "policy": header.ctx["policy"],
        "bidder": bidder,
        "header_hash": b64u(header.header_hash),
        "sealed_root": b64u(seen.sealed_root),
        "sealed_size": len(data),
        "sealed_at": format_time(world.now),
        "tool": "test/1",
        "replaces": "",
    }
    return dict(sign_document("submission", value, world.keys[username].sign))


# --- as a bid -----------------------------------------------------------------------------------------------------------------------------


def test_it_is_nobodys_bid(world: World) -> None:
    """Handed in as it is, under the bidder's name, under the drill's; and with the name in its header changed."""
    ref = stages.bidding(world)
    data, header, _ = drill_of(world, ref)
    code = sealing.code_of(world, "bidder1")
    for bidder in (code, DRILL):
        assert (
            handed_in(world, ref, "bidder1", data, statement_of(world, ref, data, header, "bidder1", bidder))
            == "CONTEXT_MISMATCH"
        )
    renamed = parse_header(header.raw.replace(b'"bidder":"drill"', b'"bidder":"%s"' % code.encode()))
    moved = data[:8] + len(renamed.raw).to_bytes(4, "big") + renamed.raw + data[12 + len(header.raw) :]
    outcome = sealing.hand_in(world, ref, "bidder1", moved, statement_of(world, ref, moved, renamed, "bidder1", code))
    assert outcome.accepted, "nobody can see without keys that its boxes were made for another name"
    made = sealing.seal(world, ref, "bidder2")
    assert sealing.hand_in(world, ref, "bidder2", *made).accepted
    assert sealing.hand_in(world, ref, "bidder3", *sealing.seal(world, ref, "bidder3")).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    verdict_steps.fail(world, ref, came=opening_steps.ALL)
    name = b64u(renamed.header_hash)
    assert verdict_steps.judge(world, ref, name, 3) == ("SHARE_OPEN", b"")
    verdict_steps.sign_finding(world, ref, name, 3, ("SHARE_OPEN", b""))
    verdict_steps.pause_over(world, ref)
    verdict_steps.decrypt(world, ref)
    with world.view("clock") as view:
        found = {
            bid.party_id: (bid.verdict, bid.cause)
            for bid in ceremony.opened_bids(view.session, stages.opening_of(world, view, ref))
        }
    assert found[world.party_ids["bidder1"]] == ("SHARE_OPEN", "bidder") and found[world.party_ids["bidder2"]] == (
        "opened",
        "",
    )


def test_no_party_has_the_name_and_no_client_seals_or_checks_under_it(world: World) -> None:
    ref = stages.bidding(world)
    policy = sealing.policy_of(world, ref)
    _, header, _ = drill_of(world, ref)
    assert header.ctx["bidder"] == DRILL in enrolments.RESERVED
    with pytest.raises(CryptoError) as refusal:
        sealed_bid.seal(policy, bidder=DRILL, announce={}, files=[], out=io.BytesIO())
    assert refusal.value.code == "CONTEXT_MISMATCH"
    with pytest.raises(CryptoError) as refusal:
        check_context(header, [policy], bidder=sealing.code_of(world, "bidder1"))
    assert refusal.value.code == "CONTEXT_MISMATCH"


# --- on a list, in a set, opened ----------------------------------------------------------------------------------------------------------


def test_it_stands_on_no_list_in_no_set_and_in_no_package(world: World) -> None:
    ref = stages.bidding(world)
    _, header, _ = drill_of(world, ref)
    name = b64u(header.header_hash)
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        drills = {
            entry.c for entry in view.session.scalars(select(audit.LogEntry).where(audit.LogEntry.event == "drill"))
        }
        row = closing.find(view.session, lot)
        assert row is not None and len(drills) >= 5 and not drills & set(row.entries["entries"])
        held = stages.opening_of(world, view, ref)
        assert name not in {one["header_hash"] for one in held.bids} and name not in ceremony.headers(
            view.session, held
        )
        assert name not in {bid.header_hash for bid in bids.standing_bids(view.session, lot)}


def test_a_client_that_replays_the_list_never_counts_a_drill(world: World) -> None:
    """A hostile list with the entries of the drills on it: the replay stops."""
    ref = stages.bidding(world)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    outcome = sealing.hand_in(world, ref, "bidder1", sealed, submission)
    with world.view("clock") as view:
        rows = list(view.session.scalars(select(audit.LogEntry).where(audit.LogEntry.event == "drill")))
        entries = [json.loads(payload_of(json.loads(row.envelope))) for row in rows]
        documents = {row.statement: audit.document(view.session, row.statement) for row in rows}
    mine = json.loads(payload_of(json.loads(outcome.receipt.entry)))
    statement = json.loads(payload_of(submission))
    value = {mine["statement"]: statement}
    place = {name: statement[name] for name in ("tender", "lot", "envelope")}
    assert [one["header_hash"] for one in rules.replay([mine], value, **place)] == [statement["header_hash"]]
    for entry in entries:
        drill = json.loads(payload_of(documents[entry["statement"]]))
        with pytest.raises(CryptoError) as refusal:
            rules.replay([mine, entry], value | {entry["statement"]: drill}, **place)
        assert refusal.value.code == "SET_CONFLICT"
        forged = entry | {"event": "bid-received"}
        with pytest.raises(CryptoError) as refusal:
            rules.replay([mine, forged], value | {entry["statement"]: drill}, **place)
        assert refusal.value.code == "SET_CONFLICT"


def test_it_is_opened_once_by_each_and_never_after_the_publication(world: World) -> None:
    ref = world.lot("READY")
    data, header, parts = drill_of(world, ref)

    def again(username: str) -> str:
        with world.work(username) as work:
            lot = world.lot_in(work, ref)
            drill = work.session.scalar(
                select(Drill).where(Drill.policy_id == officers.current_policy(work.session, lot).id)
            )
            envelope, part = world.drill_answer(work, username, drill)  # type: ignore[arg-type]
            with pytest.raises((Conflict, WrongStep)) as refusal:
                policies.return_drill(work, drill, envelope, part=part)  # type: ignore[arg-type]
        return str(refusal.value.code)

    assert {again(username) for username in J} == {"drill.done"}
    world.publish(ref)
    assert {again(username) for username in J} == {"drill.done"}
    for username in J:
        with world.view(username) as view:
            assert [one for one in policies.drills_to_open(view) if one.policy.lot.ref == ref] == []
    assert data and parts and header.t == 3


# --- its shares ---------------------------------------------------------------------------------------------------------------------------


def test_what_lay_in_it_opens_no_bid(world: World) -> None:
    """The same officers' keys, the same policy: no part of the drill is the part of a bid, alone or together, posted or joined."""
    ref = stages.bidding(world)
    _, drill, parts = drill_of(world, ref)
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    with world.view("clock") as view:
        row = stages.opening_of(world, view, ref)
        held = ceremony.headers(view.session, row)
    policy = sealing.policy_of(world, ref)
    for header in held.values():
        real = {j: open_share(header, j, world.policy_secret(name, policy)) for name, j in J.items()}
        for j, part in parts.items():
            with pytest.raises(CryptoError) as refusal:
                check_share(header, j, part)
            assert (refusal.value.code, refusal.value.index) == ("SHARE_COMMIT", j)
        for size in range(1, 6):
            for drilled in itertools.combinations(parts, size):
                mixed = {j: parts[j] if j in drilled else real[j] for j in real}
                if 5 - size >= 3:
                    continue  # three good ones are left: they open it without any drill
                with pytest.raises(CryptoError) as refusal:
                    join_shares(header, mixed)
                assert refusal.value.code == "SHARE_COMMIT"
    for username, j in J.items():
        with world.work(username) as work:
            row = stages.opening_of(world, work, ref)
            items = [{"header_hash": one["header_hash"], "part": b64u(parts[j]), "error": ""} for one in row.bids]
            document = {"v": 1, "at": format_time(work.now), "set": row.set_hash, "j": j, "items": items}
            with pytest.raises(Invalid):
                shares.accept_share(work, row, sign("shares", document, world.keys[username].sign))
            named = [{"header_hash": b64u(drill.header_hash), "part": b64u(parts[j]), "error": ""}]
            with pytest.raises(Invalid):
                shares.accept_share(work, row, sign("shares", document | {"items": named}, world.keys[username].sign))


def test_what_lay_in_an_earlier_drill_passes_for_no_later_one(world: World) -> None:
    """Officers replaced while bids lie sealed: who stays must open the new drill, not answer with what it found in the old one."""
    ref = stages.bidding(world)
    _, _, parts = drill_of(world, ref)
    replacing.take_over(world, ref, replacing.SPARE)
    with unchanged(world), world.work("officer1") as work, pytest.raises(Invalid) as refusal:
        drill = next(one for one in policies.drills_to_open(work) if one.policy.envelope == officers.BID)
        envelope, part = world.drill_answer(work, "officer1", drill)
        assert part != b64u(parts[1])
        policies.return_drill(work, drill, envelope, part=b64u(parts[1]))
    assert refusal.value.code == "drill.part"
    world.open_drills(ref, only=("officer1",))
