"""A unit of work: all or nothing, one moment, forms once, entries in time."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from tests.kit.rows import changed, fingerprint, unchanged
from tests.kit.world import World
from trading.kernel import audit, log, outbox
from trading.kernel.access import CLOCK, Act
from trading.kernel.audit import ActRecord, LogEntry, LogPending
from trading.kernel.errors import AlreadyDone, NotAllowed, NotReady, SignInNeeded
from trading.kernel.work import FormUse, need


class Broken(Exception):
    pass


@pytest.fixture
def world(engine, tmp_path) -> World:  # type: ignore[no-untyped-def]
    return World(engine, tmp_path)


def test_all_or_nothing(world: World) -> None:
    for error in (Broken, KeyboardInterrupt, NotAllowed):
        with unchanged(world), pytest.raises(error), world.work("clerk") as work:
            work.record("thing.done", "KP-2026-000001/1", note="x")
            work.log("act", statement="A" * 43, tender="KP-2026-000001")
            work.send("k", to="party:1", template="x")
            work.once("f" * 32, "/here")
            raise error("x")
    before = fingerprint(world)
    with world.work("clerk") as work:
        work.record("thing.done", "KP-2026-000001/1", note="x")
    assert changed(world, before) == {"log_entry", "log_pending", "act_record"}


def test_a_refusal_after_the_last_act_rolls_everything_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "write_pending", lambda work: (_ for _ in ()).throw(Broken()))
    with unchanged(world), pytest.raises(Broken), world.work("clerk") as work:
        work.send("k", to="party:1", template="x")


def test_the_moment_of_a_unit_stands_still(world: World) -> None:
    with world.work("clerk") as work:
        first = work.now
        world.clock.advance(seconds=30)
        assert work.now == first
    stamped = world.now - timedelta(seconds=5)
    with world.work("clerk", arrived_at=stamped) as work:
        assert work.now == stamped


@pytest.mark.parametrize(("seconds", "signed"), [(0, True), (59, True), (60, False), (61, False), (86400, False)])
def test_an_entry_that_comes_after_its_tick_is_not_signed(world: World, seconds: int, signed: bool) -> None:
    world.clock.set(world.now.replace(second=0, microsecond=0))
    before = fingerprint(world)
    if signed:
        with world.work("clerk") as work:
            work.record("thing.done", "KP-2026-000001/1")
            world.clock.advance(seconds=seconds)
        assert "log_entry" in changed(world, before)
        return
    with pytest.raises(NotReady) as refusal, world.work("clerk") as work:
        work.record("thing.done", "KP-2026-000001/1")
        work.log("act", statement="A" * 43, tender="KP-2026-000001")
        world.clock.advance(seconds=seconds)
    assert refusal.value.code == "log.too_slow" and changed(world, before) == set()


def test_a_clock_behind_the_log_signs_nothing_whose_tick_is_sealed(world: World) -> None:
    """R7: after a jump back every entry would have to stand in a tick that is over; a second of drift between machines does no harm."""
    world.tick()
    sealed = world.now
    world.clock.set(sealed - timedelta(seconds=1))
    with world.work("clerk") as work:
        work.record("thing.done", "KP-2026-000001/1")
    world.clock.set(sealed - timedelta(minutes=2))
    with unchanged(world), pytest.raises(NotReady), world.work("clerk") as work:
        work.record("thing.done", "KP-2026-000001/1")
    with world.work("clerk") as work:  # what leaves no entry goes on
        assert work.session.scalar(select(func.count()).select_from(LogEntry)) is not None


def test_a_look_writes_nothing(world: World) -> None:
    with unchanged(world):
        with world.view("clerk") as view:
            view.session.add(FormUse(form_id="x", account_id=None, at=view.now, where="/"))
        with pytest.raises(NotAllowed), world.view("clerk") as view:
            view.require(Act.SHARE_RELEASE)


def test_what_was_read_stays_readable_after_the_unit(world: World) -> None:
    ref = world.project("DRAFT")
    from trading.tendering import projects

    with world.view("agent") as view:
        row = projects.project(view.session, ref)
    assert row.ref == ref


def test_a_form_sent_twice_leads_to_the_first_result(world: World) -> None:
    with world.work("clerk") as work:
        work.once("a" * 32, "/first")
    with unchanged(world), pytest.raises(AlreadyDone) as again, world.work("clerk") as work:
        work.once("a" * 32, "/second")
    assert again.value.where == "/first"
    with world.work("clerk") as work:
        work.once("b" * 32, "/third")


def test_the_page_of_a_form_may_be_known_last(world: World) -> None:
    with world.work("clerk") as work:
        use = work.once("a" * 32)
        use.where = "/made-in-the-unit"
    with pytest.raises(AlreadyDone) as again, world.work("clerk") as work:
        work.once("a" * 32)
    assert again.value.where == "/made-in-the-unit"


def test_a_unit_that_fails_leaves_no_claim(world: World) -> None:
    with unchanged(world), pytest.raises(LookupError), world.work("clerk") as work:
        work.once("a" * 32, "/first")
        raise LookupError
    with world.work("clerk") as work:
        work.once("a" * 32, "/second")


def test_what_else_stands_in_the_way_of_a_claim_is_no_second_sending(world: World) -> None:
    """A row of something else that cannot be written is a defect of ours: nobody is told that it was done already."""
    with world.work("clerk") as work:
        work.once("a" * 32, "/first")
    with unchanged(world), pytest.raises(IntegrityError), world.work("clerk") as work:
        work.session.add(FormUse(form_id="a" * 32, account_id=None, at=work.now, where="/wrong"))
        with work.session.no_autoflush:
            work.once("b" * 32, "/second")


@pytest.mark.promise("R13")
def test_a_form_sent_twice_at_the_same_moment_has_one_effect(world: World) -> None:
    """R13: on PostgreSQL both units really run; the later one is told, not broken."""
    told: list[str] = []
    ready = threading.Barrier(2)

    def send(n: int) -> None:
        try:
            with world.office.work(world.actor("clerk")) as work:
                ready.wait(timeout=1)
                use = work.once("c" * 32)
                work.send("c", to="party:1", template="x")
                use.where = f"/done/{n}"
            told.append(f"done {n}")
        except AlreadyDone as refusal:
            told.append(refusal.where)

    def in_turn(n: int) -> None:
        try:
            send(n)
        except threading.BrokenBarrierError:  # SQLite lets one unit write at a time, so they never meet
            ready.reset()
            told.append("alone")

    threads = [threading.Thread(target=in_turn, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with world.view("clock") as view:
        count = view.session.scalar(select(func.count()).select_from(FormUse).where(FormUse.form_id == "c" * 32))
        sent = view.session.scalar(select(func.count()).select_from(outbox.Message).where(outbox.Message.key == "c"))
    assert sent is not None and count == sent <= 1
    assert sorted(told) in (["/done/0", "done 0"], ["/done/1", "done 1"], ["alone", "alone"])


def test_persons_stand_in_records_as_salted_hashes_alone(world: World) -> None:
    with world.work("clerk") as work:
        work.record(
            "thing.done", "KP-2026-000001/2", account="91130205", note="公开", amount=7, at=work.now, list=["a", 1]
        )
    with world.view("clock") as view:
        record = view.session.scalars(select(ActRecord).where(ActRecord.act == "thing.done")).one()
        assert (
            "91130205" not in record.payload
            and f"account:{world.people['clerk']}" not in record.payload
            and "公开" in record.payload
        )
        assert audit.check_fact_of(record.payload, "account", "91130205")
        assert audit.check_fact_of(record.payload, "person", f"account:{world.people['clerk']}")
        assert not audit.check_fact_of(record.payload, "account", "91130206")
        entry = audit.entry(view.session, record.entry_hash)
        assert (entry.event, entry.tender, entry.lot) == ("act", "KP-2026-000001", "2")
    with unchanged(world), pytest.raises(TypeError), world.work("clerk") as work:
        work.record("thing.done", "x", share=0.5)


def test_entries_wait_until_a_tick_and_are_then_proved(world: World) -> None:
    world.tick()
    with world.work("clerk") as work:
        entry = work.log("act", statement="A" * 43, tender="KP-2026-000001")
    with world.view("clock") as view:
        assert log.proof(view.session, entry.c) is None
        assert view.session.scalar(select(func.count()).select_from(LogPending)) == 1
    world.tick()
    with world.view("clock") as view:
        assert log.proof(view.session, entry.c) is not None
        assert view.session.scalar(select(func.count()).select_from(LogPending)) == 0


def test_who_must_sign_in(world: World) -> None:
    from trading.kernel.access import PUBLIC

    with pytest.raises(SignInNeeded), world.office.view(PUBLIC) as view:
        view.require(Act.ACCOUNT_OWN)
    with world.office.view(CLOCK) as view:
        view.require(Act.CLOCK)
        with pytest.raises(NotAllowed):
            view.require(Act.ACCOUNT_OWN)


def test_what_is_not_wired_is_said() -> None:
    assert need(5, "x.missing") == 5 and need(0, "x.missing") == 0
    with pytest.raises(NotReady) as refusal:
        need(None, "x.missing", name="y")
    assert (refusal.value.code, refusal.value.facts) == ("x.missing", {"name": "y"})
