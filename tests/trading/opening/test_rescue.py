"""Too few shares, bad boxes, keeper files, the arbiter and the host's ruling: what can be repaired, what follows, nothing shown before."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from crypto.canonical import loads, unb64u
from crypto.opening import set_id
from crypto.signatures import payload_of
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.opening_steps import ALL
from tests.kit.rows import unchanged
from tests.kit.verdict_steps import row_of
from tests.kit.world import Keys, World
from tests.trading.opening.test_ceremony import FORGED, forged, of_bidder
from trading.custody import policies
from trading.hall import legal_effects
from trading.kernel import audit, log
from trading.kernel.audit import LogEntry
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, TooLate, WrongStep
from trading.opening import ceremony, decryption, findings, rescue


def listed(world: World, regime: str = "GP") -> tuple[str, dict[str, bytes]]:
    """The set is published; every bidder kept its seed."""

    def build(world: World) -> tuple[str, dict[str, bytes]]:
        ref = stages.bidding(world, regime)
        if regime == "GP":
            seeds = verdict_steps.bid(world, ref)
        else:
            seeds = {}
            for username in world.bidders:
                assert sealing.hand_in(
                    world, ref, username, *sealing.seal(world, ref, username, form=opening_steps.form(regime))
                ).accepted
        sealing.close(world, ref)
        sealing.list_set(world, ref)
        return ref, seeds

    found = stages.reach(world, f"listed with seeds/{regime}", build)
    return str(found[0]), dict(found[1])


def failed(world: World) -> tuple[str, dict[str, bytes]]:
    """Two officers came of three needed; the failures are in a tick."""

    def build(world: World) -> tuple[str, dict[str, bytes]]:
        ref, seeds = listed(world)
        verdict_steps.fail(world, ref, came=("officer1", "officer3"))
        return ref, seeds

    found = stages.reach(world, "failed for want of shares", build)
    return str(found[0]), dict(found[1])


def bad_box(world: World, name: str = "no box is the one committed to") -> str:
    """bidder1 cheats with its boxes; all officers came and two honest bids are there."""

    def build(world: World) -> str:
        ref = stages.bidding(world)
        verdict_steps.bid(world, ref, "bidder2", "bidder3")
        assert sealing.hand_in(world, ref, "bidder1", *forged(world, ref, "bidder1", **FORGED[name][0])).accepted
        sealing.close(world, ref)
        sealing.list_set(world, ref)
        verdict_steps.fail(world, ref, came=ALL)
        return ref

    return str(stages.reach(world, f"unresolved/{name}", build))


def codes(world: World, ref: str) -> dict[str, tuple[str, str]]:
    with world.view("clock") as view:
        found = ceremony.opened_bids(view.session, row_of(world, view, ref))
        names = {world.party_ids[name]: name for name in world.bidders}
        return {names[bid.party_id]: (bid.verdict, bid.cause) for bid in found}


def hash_of(world: World, ref: str, username: str) -> str:
    with world.view("clock") as view:
        found = rescue.own_failure(view.session, row_of(world, view, ref), world.party_ids[username])
        assert found is not None
        return found.header_hash


def effect(world: World, ref: str, username: str) -> legal_effects.Effect:
    with world.view("clock") as view:
        found = legal_effects.of_party(view.session, world.lot_in(view, ref), world.party_ids[username])
        assert found is not None
        return found


# --- rescue -----------------------------------------------------------------------------------------------------------


def test_failures_are_told_and_nothing_is_shown(world: World) -> None:
    ref, _ = failed(world)
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        found = rescue.failures(view.session, row)
        assert [(one.code, one.cause) for one in found] == [("TOO_FEW_SHARES", "unknown")] * 3
        assert row.state == "LISTED" and row.opened is None and ceremony.opened_bids(view.session, row) == []
        window = rescue.pause(view.session, row)
        tick = log.tick_of(view.session, found[0].c)
        assert (
            window is not None
            and tick is not None
            and window.since == tick.at
            and window.until == tick.at + timedelta(minutes=30)
        )
        assert legal_effects.of_lot(view.session, row.lot) == []
        for one in found:
            entry = audit.entry(view.session, one.c)
            value = loads(payload_of(json.loads(entry.envelope)))
            assert (value["event"], value["reason"]) == ("bid-failed", "TOO_FEW_SHARES")
            told = loads(payload_of(audit.document(view.session, entry.statement)))
            assert told["header_hash"] == one.header_hash and told["set"] == set_id(loads(payload_of(row.opening_set)))
    with unchanged(world), pytest.raises(TooEarly) as refusal:
        verdict_steps.decrypt(world, ref)
    assert refusal.value.code == "opening.repair_running"
    with world.view("clock") as view:
        assert window.until is not None
        world.clock.set(window.until)
    with unchanged(world), pytest.raises(TooEarly):
        verdict_steps.decrypt(world, ref)


def test_a_rescued_bid_is_opened_with_the_others_at_the_end(world: World) -> None:
    ref, seeds = failed(world)
    before = verdict_steps.post_rescue(world, ref, "bidder1", seeds["bidder1"])
    with unchanged(world):
        assert verdict_steps.post_rescue(world, ref, "bidder1", seeds["bidder1"]).id == before.id
    verdict_steps.post_rescue(world, ref, "bidder3", seeds["bidder3"])
    with world.view("clock") as view:
        assert ceremony.opened_bids(view.session, row_of(world, view, ref)) == []
        assert {row.event for row in view.session.query(LogEntry).filter(LogEntry.c == before.c)} == {"rescue"}
    verdict_steps.pause_over(world, ref)
    verdict_steps.decrypt(world, ref)
    assert codes(world, ref) == {
        "bidder1": ("opened", ""),
        "bidder2": ("TOO_FEW_SHARES", "unknown"),
        "bidder3": ("opened", ""),
    }
    assert of_bidder(world, ref, "bidder1").price_minor == 275_000_000
    assert effect(world, ref, "bidder1").outcome.result == "opened"
    assert effect(world, ref, "bidder2").outcome == legal_effects.decrypt_outcome("unknown")
    with unchanged(world), pytest.raises(WrongStep):
        verdict_steps.post_rescue(world, ref, "bidder2", seeds["bidder2"])


def test_what_rescues_nothing(world: World) -> None:
    ref, seeds = failed(world)
    cases: list[tuple[str, bytes, dict[str, Any], str]] = [
        ("another bid's seed", seeds["bidder2"], {}, "rescue.wrong_seed"),
        ("a guess", bytes(32), {}, "rescue.wrong_seed"),
        ("another set", seeds["bidder1"], {"set": hash_of(world, ref, "bidder1")}, "rescue.bad"),
        ("another's bid", seeds["bidder2"], {"header_hash": hash_of(world, ref, "bidder2")}, "rescue.bad"),
        ("a stranger's signature", seeds["bidder1"], {"key": Keys().sign}, "rescue.bad"),
        ("another bidder's signature", seeds["bidder1"], {"key": world.keys["bidder2"].sign}, "rescue.bad"),
    ]
    for name, seed, how, code in cases:
        with unchanged(world), pytest.raises(Invalid) as refusal:
            verdict_steps.post_rescue(world, ref, "bidder1", seed, **how)
        assert refusal.value.code == code, name
    for username in ("host", "officer1", "watch", "agent"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            rescue.post(work, row_of(world, work, ref), {})
    verdict_steps.pause_over(world, ref)
    with unchanged(world), pytest.raises(TooLate):
        verdict_steps.post_rescue(world, ref, "bidder1", seeds["bidder1"])


def test_a_rescue_waits_for_the_tick_of_the_failure(world: World) -> None:
    ref, seeds = listed(world)
    with unchanged(world), pytest.raises(NotFound):
        verdict_steps.post_rescue(world, ref, "bidder1", seeds["bidder1"])
    with world.view("clock") as view:
        until = row_of(world, view, ref).shares_until
    world.clock.set(until + timedelta(seconds=1))
    verdict_steps.decrypt(world, ref)
    for act in (
        lambda: verdict_steps.post_rescue(world, ref, "bidder1", seeds["bidder1"]),
        lambda: verdict_steps.decrypt(world, ref),
    ):
        with unchanged(world), pytest.raises(TooEarly):
            act()


def test_without_rescue_in_the_policy_too_few_shares_are_final(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = policies.draft_policies
    monkeypatch.setattr(policies, "draft_policies", lambda work, lot, **more: real(work, lot, **more, rescue=False))
    ref = world.lot()
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    verdict_steps.bid(world, ref)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    with world.view("clock") as view:
        world.clock.set(row_of(world, view, ref).shares_until + timedelta(seconds=1))
    assert verdict_steps.decrypt(world, ref).state == "OPENED"
    assert set(codes(world, ref).values()) == {("TOO_FEW_SHARES", "unknown")}


def test_two_at_once_note_the_failures_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ref, _ = listed(world)
    with world.view("clock") as view:
        world.clock.set(row_of(world, view, ref).shares_until + timedelta(seconds=1))
    real = decryption._stuck

    def slow(*arguments: Any) -> Any:
        monkeypatch.setattr(decryption, "_stuck", real)
        verdict_steps.decrypt(world, ref)
        return real(*arguments)

    monkeypatch.setattr(decryption, "_stuck", slow)
    with pytest.raises(Conflict) as refusal:
        verdict_steps.decrypt(world, ref)
    assert refusal.value.code == "opening.failures_noted"
    with world.view("clock") as view:
        assert len(rescue.failures(view.session, row_of(world, view, ref))) == 3


# --- the arbiter ------------------------------------------------------------------------------------------------------


def test_a_bad_box_is_its_bidders_fault(world: World) -> None:
    ref = bad_box(world)
    name = hash_of(world, ref, "bidder1")
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        assert [(one.header_hash, one.code) for one in rescue.failures(view.session, row)] == [(name, "UNRESOLVED")]
        made = findings.complaints(view.session, row)
        # the forger changed the commitments of all boxes but the first
        assert [(one.j, one.code, one.found) for one in made] == [(j, "SHARE_COMMIT", None) for j in range(2, 6)]
    found = verdict_steps.judge(world, ref, name, 2)
    assert found == ("SHARE_COMMIT", b"")
    row_id = verdict_steps.sign_finding(world, ref, name, 2, found).id
    with unchanged(world):
        assert verdict_steps.sign_finding(world, ref, name, 2, found).id == row_id
    verdict_steps.pause_over(world, ref)
    verdict_steps.decrypt(world, ref)
    assert codes(world, ref) == {
        "bidder1": ("SHARE_COMMIT", "bidder"),
        "bidder2": ("opened", ""),
        "bidder3": ("opened", ""),
    }
    one = effect(world, ref, "bidder1")
    assert (one.outcome.result, one.outcome.deposit, one.outcome.claim_for_loss) == (
        "treated_as_revoked",
        "may_be_withheld",
        False,
    )
    with unchanged(world), pytest.raises(Conflict) as refusal:
        verdict_steps.rule(world, ref, name, "platform")
    assert refusal.value.code == "ruling.not_needed"


def test_a_false_complaint_is_found_and_its_part_counts(world: World) -> None:
    ref, _ = listed(world)
    verdict_steps.three_lie(world, ref)
    with world.view("clock") as view:
        assert {one.code for one in rescue.failures(view.session, row_of(world, view, ref))} == {"UNRESOLVED"}
    for username in world.bidders:
        name = hash_of(world, ref, username)
        code, part = verdict_steps.judge(world, ref, name, 4)
        assert code == "FALSE_COMPLAINT" and len(part) == 32
        verdict_steps.sign_finding(world, ref, name, 4, (code, part))
    verdict_steps.pause_over(world, ref)
    verdict_steps.decrypt(world, ref)
    assert set(codes(world, ref).values()) == {("opened", "")}


def test_findings_that_do_not_hold(world: World) -> None:
    ref = bad_box(world)
    name, other = hash_of(world, ref, "bidder1"), ""
    with world.view("clock") as view:
        other = next(one["header_hash"] for one in row_of(world, view, ref).bids if one["header_hash"] != name)
    bad = ("SHARE_COMMIT", b"")
    cases: list[tuple[str, str, int, tuple[str, bytes], dict[str, Any], str]] = [
        ("a bid nobody complained of", other, 1, bad, {}, "finding.no_complaint"),
        ("an officer who complained of nothing", name, 1, bad, {}, "finding.no_complaint"),
        ("no such officer", name, 9, bad, {}, "finding.no_complaint"),
        ("a stranger's key", name, 2, bad, {"key": Keys().sign}, "finding.bad"),
        ("the platform's key", name, 2, bad, {"key": world.office.keys.signing}, "finding.bad"),
        ("another set", name, 2, bad, {"set": name}, "finding.bad"),
        ("a good box without its part", name, 2, ("FALSE_COMPLAINT", b""), {}, "finding.bad"),
        ("a good box with another part", name, 2, ("FALSE_COMPLAINT", bytes(32)), {}, "finding.bad"),
        ("a bad box with a part", name, 2, ("SHARE_OPEN", bytes(32)), {}, "finding.bad"),
        ("a code that is none of a box", name, 2, ("CHUNK_AUTH", b""), {}, "finding.bad"),
    ]
    for what, header_hash, j, found, how, code in cases:
        with unchanged(world), pytest.raises((Invalid, NotFound)) as refusal:
            verdict_steps.sign_finding(world, ref, header_hash, j, found, **how)
        assert refusal.value.code == code, what
    verdict_steps.sign_finding(world, ref, name, 2, bad)
    with unchanged(world), pytest.raises(Conflict):
        verdict_steps.sign_finding(world, ref, name, 2, ("SHARE_OPEN", b""))
    for username in ("host", "officer1", "bidder1", "agent"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            findings.sign(work, row_of(world, work, ref), {})


# --- rulings and what follows -----------------------------------------------------------------------------------------


@pytest.mark.rule("X-09")
@pytest.mark.parametrize(
    ("cause", "result", "deposit"),
    [
        ("bidder", "treated_as_revoked", "may_be_withheld"),
        ("platform", "treated_as_withdrawn", "refund"),
        ("tenderee", "treated_as_withdrawn", "refund"),
    ],
)
def test_the_host_rules_once_with_reasons_where_nothing_was_proved(
    world: World, cause: str, result: str, deposit: str
) -> None:
    ref = bad_box(world)
    name = hash_of(world, ref, "bidder1")
    with unchanged(world), pytest.raises(WrongStep):
        verdict_steps.rule(world, ref, name, cause)
    verdict_steps.pause_over(world, ref)
    verdict_steps.decrypt(world, ref)
    assert codes(world, ref)["bidder1"] == ("UNRESOLVED", "unknown")
    assert effect(world, ref, "bidder1").outcome.result == "ruling_required"
    for what, how in (("no cause", {"cause": "unknown"}), ("no reasons", {"reasons": "短"})):
        with unchanged(world), pytest.raises(Invalid):
            verdict_steps.rule(world, ref, name, **({"cause": cause} | how))
        assert what
    with unchanged(world), pytest.raises(NotFound):
        verdict_steps.rule(world, ref, "x" * 43, cause)
    for username in ("officer1", "watch", "bidder2", "agent"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            findings.rule(work, row_of(world, work, ref), header_hash=name, cause=cause, reasons=verdict_steps.REASONS)
    verdict_steps.rule(world, ref, name, cause)
    with unchanged(world), pytest.raises(Conflict):
        verdict_steps.rule(world, ref, name, cause)
    one = effect(world, ref, "bidder1")
    assert (one.outcome.result, one.outcome.deposit, one.cause) == (result, deposit, cause)
    assert one.ruling is not None and one.ruling.reasons == verdict_steps.REASONS
    assert effect(world, ref, "bidder2").outcome.result == "opened", "the others go on"


@pytest.mark.parametrize(
    ("regime", "ground", "rule"), [("GP", "none_opened", "X-09"), ("WORKS", "none_opened", "X-09")]
)
def test_a_tender_none_of_whose_bids_could_be_opened_has_failed(
    world: World, regime: str, ground: str, rule: str
) -> None:
    ref, _ = listed(world, regime)
    verdict_steps.fail(world, ref, came=("officer1",))
    verdict_steps.pause_over(world, ref)
    verdict_steps.decrypt(world, ref)
    verdict_steps.finish(world, ref, "officer1")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert (lot.state, lot.failure, lot.failure_reason) == ("FAILED", ground, rule)


def works_of_cheats(world: World, cheats: int) -> str:
    ref = stages.bidding(world, "WORKS")
    for at, username in enumerate(world.bidders):
        made = (
            forged(world, ref, username, content_seed=bytes(32))
            if at < cheats
            else sealing.seal(world, ref, username, form=opening_steps.form("WORKS"))
        )
        assert sealing.hand_in(world, ref, username, *made).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        opening_steps.share(world, ref, username)
    verdict_steps.decrypt(world, ref)
    verdict_steps.finish(world, ref, *ALL)
    return ref


@pytest.mark.rule("B-08", "X-09")
@pytest.mark.parametrize(("cheats", "state", "failure"), [(2, "EVALUATION", None), (3, "FAILED", "all_revoked")])
def test_works_go_on_with_one_bid_left_of_three(world: World, cheats: int, state: str, failure: str | None) -> None:
    ref = works_of_cheats(world, cheats)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert (lot.state, lot.failure) == (state, failure)
        found = legal_effects.of_lot(view.session, lot)
        assert [one.outcome.result for one in found].count("treated_as_revoked") == cheats
        assert all(unb64u(one.header_hash, 32) for one in found)
