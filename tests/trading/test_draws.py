"""Public draws in every wrong order, with false papers, and with a party that will not reveal."""

from __future__ import annotations

from typing import Any

import pytest

from crypto import draws as rules
from crypto.canonical import format_time, loads, unb64u
from crypto.documents import sign_document
from crypto.keys import new_secret
from crypto.signatures import countersign, payload_of
from tests.kit import opening_steps, stages
from tests.kit.rows import unchanged
from tests.kit.world import Keys, World
from trading import draws
from trading.custody import officers
from trading.draws import Draw
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Refusal, TooEarly, WrongStep

POOL = ["E003", "E001", "E002", "E004", "E005"]


def of(world: World, unit: Any, ref: str) -> Draw:
    return draws.draw(unit.session, world.lot_in(unit, ref), "experts")


class Play:
    """One draw of experts, each step by its own call."""

    def __init__(self, world: World, ref: str) -> None:
        self.world, self.ref, self.r = world, ref, new_secret()

    def as_centre(self, act: Any) -> Any:
        with self.world.work("clerk") as work:
            return act(work, of(self.world, work, self.ref))

    def announce(self, pool: list[str] = POOL, take: int = 2) -> None:
        with self.world.work("clerk") as work:
            draws.announce(work, self.world.lot_in(work, self.ref), label="experts", pool=pool, take=take)

    def commit_platform(self) -> None:
        self.as_centre(draws.commit_platform)

    def commit(
        self,
        *,
        r: bytes = b"",
        draw: str = "",
        party: str = draws.TENDEREE,
        key: bytes = b"",
        escrow_of: str = draws.TENDEREE,
        **changes: Any,
    ) -> None:
        with self.world.work("buyer") as work:
            row = of(self.world, work, self.ref)
            policy = officers.policy_document(
                officers.current_policy(work.session, row.lot, officers.draw_envelope("experts", row.lot))
            )
            header = rules.make_escrow(policy, draw=row.draw, party=escrow_of, r=r or self.r)
            document = (
                draws.commit_document(row, party, r=r or self.r, header=header, at=format_time(work.now)) | changes
            )
            document |= {"draw": draw} if draw else {}
            draws.commit(
                work, row, sign_document("draw-commit", document, key or self.world.keys["buyer"].sign), header=header
            )

    def list_commits(self) -> None:
        self.as_centre(draws.list_commits)

    def sign_list(self, *, key: bytes = b"", listing: Any = None) -> None:
        with self.world.work("buyer") as work:
            row = of(self.world, work, self.ref)
            draws.sign_list(
                work, row, countersign(dict(listing or row.listing or _NONE), key or self.world.keys["buyer"].sign)
            )

    def reveal_platform(self) -> None:
        self.as_centre(draws.reveal_platform)

    def reveal(self, *, r: bytes = b"", key: bytes = b"", party: str = draws.TENDEREE) -> None:
        with self.world.work("buyer") as work:
            row = of(self.world, work, self.ref)
            document = draws.reveal_document(row, party, r=r or self.r, at=format_time(work.now))
            draws.reveal(work, row, sign_document("draw-reveal", document, key or self.world.keys["buyer"].sign))

    def conclude(self) -> list[int]:
        return list(self.as_centre(draws.conclude))

    def row(self) -> Draw:
        with self.world.view("clock") as view:
            found = of(self.world, view, self.ref)
            assert found.turns is not None
            return found


_NOTHING = {"v": 1, "at": "2026-03-24T00:00:00Z", "entries": ["A" * 43], "of": "x", "root": "A" * 43}
_NONE = sign_document("commit-list", _NOTHING, new_secret())
ORDER = ("commit_platform", "commit", "list_commits", "sign_list", "reveal_platform", "reveal", "conclude")
TICK_BEFORE = ("commit_platform", "list_commits", "reveal_platform")
"""Steps that want what went before in the log."""


@pytest.fixture
def play(world: World) -> Play:
    return Play(world, stages.bidding(world))


def test_every_step_out_of_turn_is_refused_and_changes_nothing(world: World, play: Play) -> None:
    with unchanged(world), pytest.raises(NotFound):
        play.commit_platform()
    play.announce()
    for done, step in enumerate(ORDER):
        for wrong in ORDER:
            if wrong == step or (done and wrong == ORDER[done - 1] == "list_commits"):
                continue  # asking for the list again gives the list again
            if step == "conclude" or (step, wrong) == ("reveal_platform", "reveal"):
                continue  # the two reveals may come in either order, once the list is in the log
            with unchanged(world), pytest.raises(Refusal) as refusal:
                getattr(play, wrong)()
            assert isinstance(refusal.value, (TooEarly, WrongStep, Conflict, Invalid)), (step, wrong)
        if step in TICK_BEFORE:
            with unchanged(world), pytest.raises(TooEarly) as early:
                getattr(play, step)()
            assert early.value.code in ("draw.notice_not_sealed", "draw.commits_not_sealed", "draw.list_not_sealed"), (
                step
            )
            opening_steps.turn(world)
        getattr(play, step)()
    for again in ORDER:
        with unchanged(world), pytest.raises((Conflict, WrongStep)):
            getattr(play, again)()
    with unchanged(world), pytest.raises(Conflict):
        play.announce()
    row = play.row()
    assert row.state == "DRAWN" and len(draws.picks(row)) == 2 and sorted(draws.order(row)) == list(range(5))
    assert draws.order(row)[:2] == draws.picks(row)


def to(play: Play, step: str) -> None:
    play.announce()
    for name in ORDER[: ORDER.index(step)]:
        if name in TICK_BEFORE:
            opening_steps.turn(play.world)
        getattr(play, name)()
    if step in TICK_BEFORE:
        opening_steps.turn(play.world)


def test_a_pool_is_sorted_named_once_and_large_enough(world: World, play: Play) -> None:
    for pool, take in (([], 1), (POOL, 6), (POOL, 0), ([*POOL, "E001"], 1)):
        with unchanged(world), pytest.raises(Invalid) as refusal:
            play.announce(pool, take)
        assert refusal.value.code == "draw.bad_pool"
    play.announce()
    row = play.row()
    assert row.pool == sorted(POOL) and row.notice["pool"] != "" and "E001" not in str(row.notice)


def test_false_commitments(world: World, play: Play) -> None:
    to(play, "commit")
    other = "KP-2026-000000/experts/1"
    cases: dict[str, dict[str, Any]] = {
        "another draw": {"draw": other},
        "as the platform": {"party": draws.PLATFORM},
        "a stranger's key": {"key": Keys().sign},
        "the platform's key": {"key": world.office.keys.signing},
        "an escrow of another party": {"escrow_of": draws.PLATFORM},
        "another header": {"header_hash": "A" * 43},
    }
    for name, how in cases.items():
        with unchanged(world), pytest.raises(Invalid) as refusal:
            play.commit(**how)
        assert refusal.value.code == "draw.bad_commit", name
    play.commit()


def test_false_lists_and_reveals(world: World, play: Play) -> None:
    to(play, "sign_list")
    with unchanged(world), pytest.raises(Invalid):
        play.sign_list(key=Keys().sign)
    with unchanged(world), pytest.raises(Invalid):
        play.sign_list(listing=_NONE)
    play.sign_list()
    opening_steps.turn(world)
    for how in ({"key": Keys().sign}, {"party": draws.PLATFORM}):
        with unchanged(world), pytest.raises(Invalid) as refusal:
            play.reveal(**how)
        assert refusal.value.code == "draw.bad_reveal"


def test_another_value_revealed_counts_as_zeros_and_is_named(world: World, play: Play) -> None:
    """Neither r nor a refusal can be chosen after the fact: what does not fit commitment and escrow counts as 32 zero bytes."""
    to(play, "reveal")
    play.reveal(r=new_secret())
    picks = play.conclude()
    result = loads(payload_of(play.row().result))
    assert len(result["faults"]) == 1 and draws.TENDEREE in str(result["faults"])
    row = play.row()
    platform = next(t for t in row.turns if t.party == draws.PLATFORM)
    seed = rules.draw_seed(
        beacon="",
        commits=[unb64u(t.commit, 32) for t in row.turns],
        draw=row.draw,
        pool=unb64u(row.notice["pool"], 32),
        reveals=[unb64u(platform.r, 32), bytes(32)],
        root=unb64u(row.root, 32),
    )
    assert picks == rules.picks(seed, "experts", 5, 2)


def test_anybody_can_recompute_the_result(world: World, play: Play) -> None:
    to(play, "conclude")
    picks = play.conclude()
    row = play.row()
    seed = rules.draw_seed(
        beacon="",
        commits=[unb64u(t.commit, 32) for t in row.turns],
        draw=row.draw,
        pool=unb64u(row.notice["pool"], 32),
        reveals=[unb64u(t.r, 32) for t in row.turns],
        root=unb64u(row.root, 32),
    )
    assert picks == rules.picks(seed, "experts", 5, 2)
    assert rules.pool_hash(row.pool_salt, row.pool) == unb64u(row.notice["pool"], 32)
    assert all(t.own is None for t in row.turns)


def test_no_result_without_a_reveal_before_the_escrow_may_be_opened(world: World, play: Play) -> None:
    to(play, "reveal")
    with unchanged(world), pytest.raises(TooEarly) as refusal:
        play.conclude()
    assert refusal.value.code == "draw.not_revealed"
    with world.work("officer1") as work:
        row = of(world, work, play.ref)
        with pytest.raises(TooEarly) as early:
            draws.release_escrow(work, row, {})
        assert early.value.code == "draw.escrow_closed"


def test_who_may_do_what(world: World, play: Play) -> None:
    play.announce()
    opening_steps.turn(world)
    for username in ("host", "agent", "buyer", "officer1", "bidder1", "watch"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            draws.commit_platform(work, of(world, work, play.ref))
    play.commit_platform()
    for username in ("clerk", "agent", "host", "officer1", "bidder1"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            draws.commit(work, of(world, work, play.ref), {}, header=b"")
    with unchanged(world), pytest.raises(NotAllowed), world.work("clerk") as work:
        draws.announce(work, world.lot_in(work, play.ref), label="k", pool=["0.95"])
    with unchanged(world), pytest.raises(NotAllowed), world.work("host") as work:
        draws.announce(work, world.lot_in(work, play.ref), label="experts", pool=POOL)


def test_a_coefficient_is_one_of_the_tenders_own(world: World) -> None:
    ref = stages.bidding(world, "WORKS")
    value = opening_steps.draw_coefficient(world, ref)
    with world.view("clock") as view:
        assert value in world.lot_in(view, ref).coefficients
