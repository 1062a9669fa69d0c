"""kill -9 at every step from the closing to the published record, two processes at once, and a clock that jumps: the lot closes once, is
opened exactly once, and what an officer was told is kept (promises R3, R7, R11, R14)."""

from __future__ import annotations

import json
import os
import random
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crypto.canonical import unb64u
from crypto.signatures import countersign
from tests.faults.ground import KILLS, Told, begin, copied, join, log_holds, points, worker
from tests.kit import opening_steps, sealing, stages
from tests.kit.opening_steps import ALL
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading import timeline
from trading.bidding import bids, closing, uploads
from trading.bidding.closing import Closing
from trading.kernel.audit import ActRecord, LogEntry
from trading.kernel.errors import Conflict, Refusal, TooEarly, WrongStep
from trading.kernel.log_ticks import LogTick
from trading.opening import ceremony as opening
from trading.opening import decryption, opening_list, opening_set
from trading.opening import shares as opening_shares
from trading.opening.ceremony import OpenedBid, Opening, Share
from trading.tendering import notices

PATH = (
    "trading/opening/opening_set.py",
    "trading/opening/shares.py",
    "trading/opening/decryption.py",
    "trading/opening/opening_list.py",
)
OTHERS = ("blob.linked", "blob.named", "work.commit", "work.committed")


def ceremony(ref: str) -> object:
    """A whole opening from the closed lot on, as people at their pages would go on with it after any crash: each looks at what stands and
    takes the next step."""

    def play(world: World, tell: Told) -> None:
        with world.view("host") as view:
            row = opening.find(view.session, world.lot_in(view, ref))
        if row is None:
            with world.work("host") as work:
                row = opening_set.list_bids(work, world.lot_in(work, ref))
            tell(listed=row.set_hash)
        if row.state == "LISTED":
            world.clock.set(max(world.now, row.shares_from))
            for username in ALL:
                opening_steps.share(world, ref, username)  # the same shares again get the first answer
                tell(share=username)
            row = decryption.open_bids(world.office, world.actor("host"), ref)
            tell(opened=row.opened_c or "")
        if row.state == "OPENED":
            for username in ALL[:3]:
                with world.work(username) as work:
                    mine = opening.opening(work.session, world.lot_in(work, ref))
                    opening_list.countersign(
                        work, mine, countersign(dict(mine.opened or {}), world.keys[username].sign)
                    )
            assert row.confirm_until is not None
            world.clock.set(row.confirm_until + timedelta(minutes=1))
            minutes = world.office.blobs.put([b"minutes of " + ref.encode()]).name
            with world.work("host") as work:
                row = opening.opening(work.session, world.lot_in(work, ref))
                opening_list.sign_minutes(work, row, minutes=minutes)
            tell(signed=row.opened_c)
        if row.state == "SIGNED":
            world.clock.advance(minutes=20)
            with world.work("host") as work:
                opening_list.close(work, opening.opening(work.session, world.lot_in(work, ref)))
            tell(closed=True)

    return play


def opened_once(world: World, ref: str, *, whole: bool = True) -> None:
    """Exactly one opening; its outcome is all there or not at all."""
    with world.view("clock") as view:
        session = view.session
        lot = world.lot_in(view, ref)
        rows = session.scalars(select(Opening)).all()
        assert len(rows) <= 1
        shares = session.scalars(select(Share.j)).all()
        assert len(shares) == len(set(shares))
        outcome = session.scalars(select(OpenedBid)).all()
        assert (not rows and not outcome) or len(outcome) in (0, len(rows[0].bids))
        assert (rows[0].opened is not None if rows else False) == bool(outcome)
        decrypted = session.scalar(
            select(func.count()).select_from(ActRecord).where(ActRecord.act == "opening.decrypt")
        )
        assert decrypted == (1 if outcome else 0)
        sets = session.scalar(select(func.count()).select_from(LogEntry).where(LogEntry.event == "opening-set"))
        assert sets == len(rows)
        for bid in outcome:
            assert bid.verdict == "opened" and all(world.office.blobs.has(file["blob"]) for file in bid.files)
        published = [row for row in notices.of_lot(session, lot) if row.kind == "opening_record"]
        assert len(published) == (1 if rows and rows[0].state == "CLOSED" else 0)
        if whole:
            assert rows and rows[0].state == "CLOSED" and len(outcome) == 3 and published
            assert session.scalar(select(func.count()).select_from(LogEntry).where(LogEntry.event == "opened")) == 1
    log_holds(world)


def go_on(world: World, ref: str, *, fault: str = "", kill_after: float = 0) -> bool:
    """One trial: a ceremony that dies, and another that goes on. Says whether the first was killed."""
    play = ceremony(ref)
    died = worker(world, play, fault=fault, kill_after=kill_after)  # type: ignore[arg-type]
    assert died.killed or not died.error, died.error
    opened_once(world, ref, whole=False)
    with world.view("clock") as view:
        row = opening.find(view.session, world.lot_in(view, ref))
        kept = {share.j for share in opening.shares(view.session, row)} if row else set()
        told = {ALL.index(fact["share"]) + 1 for fact in died.acked if "share" in fact}
        assert told <= kept  # an officer who was told is not asked again
        assert not [fact for fact in died.acked if "listed" in fact] or row is not None
        assert not [fact for fact in died.acked if "opened" in fact] or (row is not None and row.opened is not None)
        first = row.opened if row else None
    done = worker(world, play)  # type: ignore[arg-type]
    assert not done.error and not done.killed, done.error
    opened_once(world, ref)
    if first is not None:
        with world.view("clock") as view:
            again = opening.opening(view.session, world.lot_in(view, ref)).opened
        assert again is not None and again["payload"] == first["payload"]  # the list is the one of before
    return died.killed


def test_the_points_of_the_way_are_known() -> None:
    known = {"opening.listed", "share.stored", "opening.recorded", "opening.closed", "decrypt.bid", "decrypt.kept"}
    assert set(points(*PATH)) >= known and set(points("trading/bidding/closing.py", "trading/kernel/log.py")) == {
        "closing.written",
        "log.leaf",
        "log.sealed",
    }


@pytest.mark.promise("R3")
@pytest.mark.promise("R14")
def test_killed_once_at_every_step_of_the_opening(world: World, tmp_path: Path) -> None:
    ref = stages.closed(world)
    if world.office.engine.dialect.name == "sqlite":
        named = [
            *(f"{name}:kill@1" for name in (*points(*PATH), *OTHERS)),
            "share.stored:kill@3",
            "decrypt.kept:kill@3",
        ]
    else:
        named = ["decrypt.kept:kill@2"]  # there is one world only, and it opens once
    for order in named:
        with copied(world, tmp_path / "killed") as mine:
            assert go_on(mine, ref, fault=order), order


@pytest.mark.promise("R6")
@pytest.mark.promise("R14")
def test_no_room_at_any_step_of_the_opening(world: World, tmp_path: Path) -> None:
    """One ceremony that finds the disk full at every step in turn, and goes on each time from what stands."""
    ref = stages.closed(world)
    play = ceremony(ref)
    with copied(world, tmp_path / "full") as mine:
        for name in (
            "opening.listed",
            "share.stored",
            "share.stored",
            "share.stored",
            "decrypt.bid",
            "blob.linked",
            "blob.named",
            "decrypt.kept",
            "work.commit",
            "opening.recorded",
            "opening.closed",
        ):
            died = worker(mine, play, fault=f"{name}:ENOSPC@1")  # type: ignore[arg-type]
            assert "Errno 28" in died.error, (name, died.error)
            opened_once(mine, ref, whole=False)
        done = worker(mine, play)  # type: ignore[arg-type]
        assert not done.error, done.error
        opened_once(mine, ref)


@pytest.mark.promise("R3")
@pytest.mark.promise("R11")
@pytest.mark.parametrize(
    "order", ["closing.written:kill@1", "log.leaf:kill@3", "log.sealed:kill@3", "work.commit:kill@4"]
)
def test_killed_while_the_lot_closes(world: World, tmp_path: Path, order: str) -> None:
    ref = stages.bid(world)

    def close(one: World, tell: Told) -> None:
        sealing.close(one, ref)
        tell(closed=True)

    with copied(world, tmp_path / "killed") as mine:
        died = worker(mine, close, fault=order)
        assert died.killed and not died.acked
        log_holds(mine)
        done = worker(mine, close)
        assert done.acked == [{"closed": True}], done.error
        with mine.view("clock") as view:
            (row,) = view.session.scalars(select(Closing))
            ticks = view.session.scalars(select(LogTick.tick).order_by(LogTick.tick)).all()
            assert list(ticks) == list(range(len(ticks))) and len(row.entries["entries"]) == 3
        log_holds(mine)


@pytest.mark.promise("R11")
@pytest.mark.promise("R14")
def test_two_processes_open_at_once(world: World, tmp_path: Path) -> None:
    ref = stages.shared(world)

    def decrypt(one: World, tell: Told) -> None:
        try:
            decryption.open_bids(one.office, one.actor("host"), ref)
            tell(did=True)
        except (Conflict, WrongStep) as refusal:
            tell(did=False, code=refusal.code)

    with copied(world, tmp_path / "two") as mine:
        waiting, go = os.pipe()
        begun = [begin(mine, decrypt, fault="decrypt.bid:sleep=0.1@1+", go=waiting) for _ in range(3)]
        os.close(waiting)
        os.write(go, b"...")
        os.close(go)
        found = [join(one) for one in begun]
        assert not [one.error for one in found if one.error]
        assert sorted(one.acked[0]["did"] for one in found) == [False, False, True]
        opened_once(mine, ref, whole=False)
        with mine.view("clock") as view:
            assert opening.opening(view.session, mine.lot_in(view, ref)).opened is not None


@pytest.mark.promise("R11")
def test_two_clocks_turn_at_once(world: World, tmp_path: Path) -> None:
    ref = stages.bid(world)

    def turn(one: World, tell: Told) -> None:
        deadline = sealing_deadline(one, ref)
        for seconds in range(-60, 130, 10):
            one.clock.set(deadline + timedelta(seconds=seconds))
            timeline.turn(one.office)
        tell(turned=True)

    with copied(world, tmp_path / "two") as mine:
        waiting, go = os.pipe()
        begun = [begin(mine, turn, go=waiting) for _ in range(2)]
        os.close(waiting)
        os.write(go, b"..")
        os.close(go)
        for one in (join(begun[0]), join(begun[1])):
            assert not one.error, one.error
        with mine.view("clock") as view:
            moments = view.session.scalars(select(LogTick.at).order_by(LogTick.tick)).all()
            assert len(moments) == len(set(moments)) and list(moments) == sorted(moments)
            assert len(view.session.scalars(select(Closing)).all()) == 1
        log_holds(mine)


def sealing_deadline(world: World, ref: str):  # type: ignore[no-untyped-def]
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
        assert deadline is not None
        return deadline


# --- a clock that jumps -----------------------------------------------------------------------------------------------

JUMPS = (-86_400, -3600, -61, -1, 0, 0, 1, 1, 30, 61, 61, 3600, 86_400)


def jumping(world: World, ref: str, chance: random.Random, steps: int) -> tuple[int, int]:
    """Random jumps round the deadline, a turn and a try to hand in after each: (accepted, refused). What must hold: nothing is taken once
    the closing list is written, nothing at or after the deadline, and the log never goes back."""
    deadline = sealing_deadline(world, ref)
    world.clock.set(deadline - timedelta(seconds=90))
    accepted = refused = 0
    standing: dict[str, str] = {}
    for _ in range(steps):
        world.clock.set(world.now + timedelta(seconds=chance.choice(JUMPS), milliseconds=chance.randrange(1000)))
        try:
            timeline.turn(world.office)
        except Refusal as refusal:
            assert refusal.code == "log.too_slow"
        username = chance.choice(world.bidders)
        with world.view("clock") as view:
            closed = closing.find(view.session, world.lot_in(view, ref)) is not None
        sealed, submission = sealing.seal(world, ref, username, replaces=standing.get(username, ""))
        try:
            with world.work(username, SIGNER) as work:
                token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
            uploads.receive(world.office, world.actor(username, SIGNER), token, offset=0, pieces=[sealed])
            with world.work(username, SIGNER) as work:
                outcome = bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)
        except Refusal:
            refused += 1  # late, too early for this log, or too many refusals: each has its code
            continue
        if outcome.accepted:
            assert not closed and world.now < deadline
            accepted, standing[username] = accepted + 1, outcome.receipt.statement
        else:
            assert closed or world.now >= deadline or outcome.reason in ("LATE", "UNAVAILABLE")
            refused += 1
    with world.view("clock") as view:
        moments = view.session.scalars(select(LogTick.at).order_by(LogTick.tick)).all()
        assert list(moments) == sorted(set(moments))
        rows = view.session.scalars(select(Closing)).all()
        assert len(rows) <= 1
        taken = view.session.scalars(
            select(LogEntry.c).where(LogEntry.event.in_(("bid-received", "bid-replaced")))
        ).all()
        if rows:
            assert set(taken) <= set(rows[0].entries["entries"])  # whatever was taken is on the list
    log_holds(world)
    return accepted, refused


@pytest.mark.promise("R7")
@pytest.mark.parametrize("seed", range(12))
def test_a_jumping_clock_neither_closes_early_nor_reopens(world: World, tmp_path: Path, seed: int) -> None:
    ref = stages.bidding(world)
    with copied(world, tmp_path / "jumps") as mine:
        accepted, refused = jumping(mine, ref, random.Random(seed), 30)
        assert accepted + refused == 30


@pytest.mark.promise("R7")
def test_no_share_before_claims_end_however_the_clock_jumps_back(world: World, tmp_path: Path) -> None:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("one world, two clocks: only a file of a database can be copied")
    ref = stages.closed(world)
    with copied(world, tmp_path / "back") as mine:
        with mine.work("host") as work:
            row = opening_set.list_bids(work, mine.lot_in(work, ref))
        with copied(mine, tmp_path / "right") as right:  # an officer whose own clock is right makes good shares
            right.clock.set(row.shares_from)
            opening_steps.share(right, ref, "officer1")
            with right.view("clock") as view:
                document = json.loads(view.session.scalars(select(Share.document)).one())
        for back in (1, 60, 3600, 86_400):
            mine.clock.set(row.shares_from - timedelta(seconds=back))
            with pytest.raises(TooEarly, match="share.too_early"), mine.work("officer1") as work:
                opening_shares.accept_share(work, opening.opening(work.session, mine.lot_in(work, ref)), document)
            with pytest.raises(TooEarly):
                decryption.open_bids(mine.office, mine.actor("host"), ref)
        with mine.view("clock") as view:
            assert view.session.scalars(select(Share)).all() == [] and unb64u(row.set_hash)


# --- the long loops -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not KILLS, reason="the long loop: make faults")
@pytest.mark.promise("R3")
@pytest.mark.promise("R14")
def test_long_every_pass_of_any_step(world: World, tmp_path: Path) -> None:
    """N = 1, 2, 3 … of any point until a ceremony is clean."""
    ref, order, hit = stages.closed(world), 0, True
    while hit:
        order += 1
        with copied(world, tmp_path / "killed") as mine:
            hit = go_on(mine, ref, fault=f"*:kill@{order}")
    print(
        f"opening path, forked workers: killed at each of its {order - 1} passes: opened exactly once each time",
        flush=True,
    )


@pytest.mark.skipif(not KILLS, reason="the long loop: make faults")
@pytest.mark.promise("R7")
def test_long_jumps(world: World, tmp_path: Path) -> None:
    ref = stages.bidding(world)
    taken = 0
    for seed in range(100, 100 + max(1, KILLS // 8)):
        with copied(world, tmp_path / "jumps") as mine:
            taken += sum(jumping(mine, ref, random.Random(seed), 40))
    print(f"clock: {taken} tries to hand in between jumps: 0 wrong", flush=True)
