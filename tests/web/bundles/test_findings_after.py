"""Findings and rulings that come after the reading out: what follows from them, and what does not, in the record, on the pages, in the
bundle and for whoever verifies it (protocol §5.1, §5.2; rulebook §5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crypto.canonical import b64u, later
from crypto.documents import sign_document
from crypto.signatures import document_hash
from crypto.ticks import tick_by
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.database import Databases
from tests.kit.rows import unchanged
from tests.kit.world import World
from tests.trading.bidding.test_stored import bid_of, finding_of, spoil
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.play import Finished
from tests.web.bundles.rewriting import Rewriter
from tests.web.bundles.test_verifier_verdicts import begun, detail, terminated
from tests.web.desks.rooms import open_rooms
from trading.awarding import awards
from trading.hall import legal_effects
from trading.kernel.errors import Conflict, WrongStep
from trading.opening import ceremony, decryption, findings
from web.verifier import verify_bundle

AWAITED = "待监督机构认定"


@dataclass(frozen=True)
class Lost:
    """A lot one bid of which was lost once prices were known; ``refused``: what the platform said to an award before the finding."""

    over: Finished
    name: str
    refused: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def decide(world: World, ref: str) -> None:
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))


def announce(world: World, ref: str) -> None:
    with world.work("agent") as work:
        awards.announce(work, world.lot_in(work, ref))


def refusals(world: World, ref: str) -> list[str]:
    """The codes by which the platform refuses an award now; it changes nothing."""
    found = []
    for act in (decide, announce):
        with unchanged(world), pytest.raises((Conflict, WrongStep)) as refusal:
            act(world, ref)
        found.append(refusal.value.code)
    return found


def pages(world: World, folder: Path, ref: str) -> tuple[str, ...]:
    """Who is told that the finding is awaited: the bidder, the hall's record, the supervisory body with what it is to sign."""
    rooms = open_rooms(world, folder)
    looked = {
        "bidder1": (f"/bidder/lots/{ref}/opening", AWAITED),
        "host": (f"/hall/{ref}", AWAITED),
        "watch": (f"/supervisor/hall/{ref}/lost.json", "header_hash"),
    }
    told = []
    for username, (path, words) in looked.items():
        answer = rooms.person(username, "bidder-signer" if username == "bidder1" else "").get(path)
        assert answer.status_code == 200, (username, path)
        told += [username] if words in answer.text else []
    return tuple(told)


def lose(databases: Databases, folder: Path, regime: str) -> Iterator[Lost]:
    """Read out, confirmed and closed; then evaluated; the finding comes last, and the award after it."""
    with world_of(databases, folder, 5) as world:
        steps.library(world)
        world.tick()
        early = play.checkpoint(world)
        ref = steps.published(world, regime)
        world.take_part(ref)
        play.bid(world, ref, regime)
        sealing.close(world, ref)
        sealing.list_set(world, ref)
        for username in opening_steps.ALL:
            opening_steps.share(world, ref, username)
        lost = bid_of(world, ref, "bidder1")
        spoil(world, lost, "gone")
        decryption.open_bids(world.office, world.actor("host"), ref)
        verdict_steps.finish(world, ref, *opening_steps.ALL)
        _evaluate(world, ref, regime)
        before = pages(world, folder, ref)
        refused = refusals(world, ref)
        with world.work("watch") as work:
            findings.sign_lost(work, stages.opening_of(world, work, ref), finding_of(world, ref, "bidder1"))
        after = pages(world, folder, ref)
        play.turn(world)
        decide(world, ref)
        announce(world, ref)
        play.turn(world)
        yield Lost(play.bundled(world, ref, folder, early), lost.header_hash, tuple(refused), before, after)


def _evaluate(world: World, ref: str, regime: str) -> None:
    steps.score_opened(world, ref, regime)
    steps.report_and_conclude(world, ref)
    play.turn(world)
    if regime == "WORKS":
        with world.work("agent") as work:
            until = awards.publicise(work, world.lot_in(work, ref)).publicity_until
            assert until is not None, "candidates may be shown: that is no award"
        world.clock.set(until)


@pytest.fixture(scope="module", params=["GP", "WORKS"])
def lost(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lost]:
    yield from lose(databases, tmp_path_factory.mktemp(f"lost-{request.param}"), request.param)


# --- a bid lost, found on after everything --------------------------------------------------------------------------------------------


def test_no_award_before_the_finding_and_the_pages_say_so(lost: Lost) -> None:
    assert lost.refused == ("award.finding_awaited", "flow.wrong_step")
    assert lost.before == ("bidder1", "host", "watch") and lost.after == ()


def test_the_finding_changes_nothing_of_what_was_read_out(lost: Lost) -> None:
    world, ref = lost.over.world, lost.over.ref
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        effect = legal_effects.of_party(view.session, lot, world.party_ids["bidder1"])
        assert effect is not None and (effect.code, effect.cause, effect.awaits_finding) == (
            "SEALED_ROOT",
            "platform",
            False,
        )
        assert effect.outcome.result == "treated_as_withdrawn"
        assert awards.award(view.session, lot).winner_party_id != world.party_ids["bidder1"]


def test_both_bundles_prove_it(lost: Lost) -> None:
    for path in (lost.over.audit, lost.over.public):
        assert play.broken(verify_bundle(path)) == {}, path
        assert "a bid whose bytes the platform lost is listed as such" in detail(path, "sealed_bids")
        assert any(name.startswith("opening/finding.") for name in play.contents(path))


def forged(lost: Lost, public: bool = False) -> Rewriter:
    return Rewriter(lost.over.world, lost.over.public if public else lost.over.audit)


def act_of(forger: Rewriter, name: str) -> str:
    return forger.one("acts/", lambda value: bool(value.get("act") == name))


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("act", ["lot.decide", "lot.announce"])
def test_an_award_before_the_finding_is_named(lost: Lost, public: bool, act: str) -> None:
    """The platform that decides or announces first, and writes its log to match."""
    forger = forged(lost, public)
    at = later(forger.entry(forger.entry_of("finding"))["at"], -1)
    path = act_of(forger, act)
    forger.change(path, lambda record: record.update(at=at))
    entry = next(
        name
        for name in forger.below("entries/")
        if "lists" not in name and forger.entry(name)["statement"] == forger_hash(forger, act)
    )
    forger.change_entry(entry, lambda one: one.update(at=at, tick_by=tick_by(at)))
    forger.relog()
    answer = verify_bundle(forger.write())
    claim = next(one for one in answer["claims"] if one["name"] == "award")
    assert "B_AWARD" in claim["codes"] and "awarded before the supervisory body had found" in str(claim["detail"])


def forger_hash(forger: Rewriter, act: str) -> str:
    return document_hash(forger.files[act_of(forger, act)])


@pytest.mark.parametrize(
    "change",
    [{"j": 1}, {"code": "SHARE_OPEN"}, {"set": b64u(bytes(32))}, {"header_hash": b64u(bytes(32))}],
    ids=["of a box", "of another kind", "of another set", "of another bid"],
)
def test_a_finding_of_something_else_allows_no_award(lost: Lost, change: dict[str, Any]) -> None:
    forger = forged(lost)
    forger.change(
        forger.one("opening/finding."), lambda value: value.update(change), lost.over.world.keys["watch"].sign
    )
    assert "B_AWARD" in forger.rewritten()["award"]


def test_a_finding_the_platform_signed_itself_allows_no_award(lost: Lost) -> None:
    forger = forged(lost)
    path = forger.one("opening/finding.")
    forger.put(path, sign_document("finding", forger.value(path), lost.over.world.office.keys.signing))
    found = forger.verdict()
    assert found["manifest"] == ["B_SIG"] and "B_AWARD" in found["award"]


# --- boxes: after the reading out the arbiter comes too late, and the host rules ----------------------------------------------------------


@dataclass(frozen=True)
class Ruled:
    over: Finished
    name: str
    late: str


@pytest.fixture(scope="module")
def ruled(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ruled]:
    """Three officers lie about one bid's boxes and nobody finds on them in time: it is read out as UNRESOLVED, cause unknown. The arbiter's
    finding comes after that, and again after the record was closed; then the host rules."""
    folder = tmp_path_factory.mktemp("ruled")
    with world_of(databases, folder, 3) as world:
        ref, early = begun(world)
        verdict_steps.bid(world, ref)
        sealing.close(world, ref)
        sealing.list_set(world, ref)
        verdict_steps.three_lie(world, ref)
        with world.view("clock") as view:
            names = [one.header_hash for one in verdict_steps.failures_of(world, view, ref)]
        for name in names[1:]:
            verdict_steps.sign_finding(world, ref, name, 3, verdict_steps.judge(world, ref, name, 3))
        verdict_steps.pause_over(world, ref)
        verdict_steps.decrypt(world, ref)
        late = too_late(world, ref, names[0])
        verdict_steps.finish(world, ref, *opening_steps.ALL)
        assert too_late(world, ref, names[0]) == late
        verdict_steps.rule(world, ref, names[0], "platform")
        yield Ruled(terminated(world, ref, folder, early), names[0], late)


def too_late(world: World, ref: str, name: str) -> str:
    """A finding on a box of a bid that was read out is refused, and the effect on its bidder stays undecided."""
    finding = verdict_steps.judge(world, ref, name, 3)
    with unchanged(world), pytest.raises(WrongStep) as refusal:
        verdict_steps.sign_finding(world, ref, name, 3, finding)
    with world.view("clock") as view:
        one = next(
            one for one in legal_effects.of_lot(view.session, world.lot_in(view, ref)) if one.header_hash == name
        )
        assert (one.code, one.cause, one.outcome.result) == ("UNRESOLVED", "unknown", "ruling_required")
        assert one.ruling is None
    return refusal.value.code


def test_a_finding_on_a_box_after_the_reading_out_is_refused(ruled: Ruled) -> None:
    assert ruled.late == "opening.opened"
    with ruled.over.world.view("clock") as view:
        lot = ruled.over.world.lot_in(view, ruled.over.ref)
        row = ceremony.opening(view.session, lot)
        verdicts = {bid.header_hash: (bid.verdict, bid.cause) for bid in ceremony.opened_bids(view.session, row)}
        assert verdicts.pop(ruled.name) == ("UNRESOLVED", "unknown") and set(verdicts.values()) == {("opened", "")}
        effect = next(one for one in legal_effects.of_lot(view.session, lot) if one.header_hash == ruled.name)
        assert (
            effect.cause == "platform" and effect.ruling is not None and effect.outcome.result == "treated_as_withdrawn"
        )


def test_the_list_keeps_what_was_read_out_and_the_archive_holds_the_ruling(ruled: Ruled) -> None:
    for path in (ruled.over.audit, ruled.over.public):
        assert play.broken(verify_bundle(path)) == {}
    assert "1 failed bids of unknown cause ruled on by the host" in detail(ruled.over.audit, "opening")


def test_a_finding_slipped_in_after_the_list_counts_for_nothing(ruled: Ruled) -> None:
    """The platform logs the arbiter's late finding all the same, in place of one of its acts after the list, and the supervisor signed it.
    A list that had counted it would have been written before what it rests on."""
    for told in (False, True):
        forger = Rewriter(ruled.over.world, ruled.over.audit)
        opened = forger.value(forger.one("opening/opened."))
        document = {
            "v": 1,
            "at": opened["at"],
            "set": opened["set"],
            "header_hash": ruled.name,
            "code": "SHARE_OPEN",
            "j": 3,
        }
        act = forger.one(
            "acts/",
            lambda value, opened=opened: value.get("act") == "opening.rule" and value["at"] > opened["at"],  # type: ignore[misc]
        )
        entry = act.replace("acts/", "entries/")
        del forger.files[act]
        published = forger.entry(forger.entry_of("opening-set"))
        forger.change_entry(
            entry,
            lambda one, document=document, published=published: one.update(  # type: ignore[misc]
                event="finding",
                envelope="bid",
                tender=published["tender"],
                lot=published["lot"],
                statement=document_hash(document),
            ),
        )
        signed = sign_document("finding", document, ruled.over.world.keys["watch"].sign)
        forger.put(f"opening/finding.{document_hash(document)}.json", signed)
        if told:

            def blame(value: Any) -> None:
                next(row for row in value["bids"] if row["header_hash"] == ruled.name).update(
                    verdict="SHARE_OPEN", cause="bidder"
                )

            keys = [ruled.over.world.keys[name].sign for name in opening_steps.ALL]
            forger.change(forger.one("opening/opened."), blame, ruled.over.world.office.keys.signing, *keys)
        forger.relog()
        path = forger.write()
        claim = next(one for one in verify_bundle(path)["claims"] if one["name"] == "opening")
        assert "B_SHARE" in claim["codes"] and "made after the list" in str(claim["detail"])
        assert ("B_REDERIVE" in claim["codes"]) is told


@pytest.mark.parametrize("change", ["another bid", "before the list", "unknown cause"])
def test_a_ruling_where_there_was_nothing_to_rule_on(ruled: Ruled, change: str) -> None:
    forger = Rewriter(ruled.over.world, ruled.over.audit)
    opened = forger.value(forger.one("opening/opened."))
    other = next(row["header_hash"] for row in opened["bids"] if row["verdict"] == "opened")
    path = act_of(forger, "opening.rule")

    def bend(record: Any) -> None:
        if change == "another bid":
            record["facts"]["header_hash"] = other
        elif change == "before the list":
            record["at"] = later(opened["at"], -60)
        else:
            record["facts"]["cause"] = "unknown"

    forger.change(path, bend)
    assert forger.rewritten()["opening"] == ["B_SHARE"]
