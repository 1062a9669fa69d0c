"""The log: ticks by the clock, one leaf each, proofs that verify, tables that refuse rewriting."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from crypto import merkle, ticks
from crypto.canonical import unb64u
from tests.kit.office import PLATFORM, START, make_office
from trading.kernel import log
from trading.kernel.access import CLOCK, Actor, Role
from trading.kernel.audit import LogEntry, LogPending
from trading.kernel.errors import NotFound
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import Office

AGENCY = Actor(Role.AGENCY, account_id=7, name="somebody")


def _tick(office: Office) -> LogTick | None:
    with office.work(CLOCK) as work:
        moment = log.due_tick(work.session, work.now)
        return None if moment is None else log.seal(work, moment)


@pytest.fixture
def office(engine: Engine, tmp_path: Path) -> Office:
    return make_office(engine, tmp_path)


def test_every_entry_is_proven_in_its_tick(office: Office) -> None:
    for minute in range(5):
        for number in range(minute):
            with office.work(AGENCY) as work:
                work.record("test.act", "T-1", number=number)
        office.clock.advance(seconds=60)  # type: ignore[attr-defined]
        assert _tick(office) is not None
    key = log.log_key(PLATFORM, office.keys)
    with Session(office.engine) as session:
        cs = [c for (c,) in session.execute(text("select c from log_entry"))]
        assert len(cs) == 10
        proofs = log.proofs(session, cs)
        for c in cs:
            proven = ticks.verify_proof(proofs[c], unb64u(c), key)
            assert proven.at <= _entry(session, c)
        assert session.query(LogPending).count() == 0
        assert session.query(LogTick).count() == 5


@pytest.mark.parametrize("ticks_sealed", [3, 70])
def test_many_proofs_cost_as_many_questions_as_one(office: Office, ticks_sealed: int) -> None:
    """Whatever the shape of the tree: five for the entries of up to a hundred ticks, one for a proof that a log continues another."""
    for _ in range(ticks_sealed):
        with office.work(AGENCY) as work:
            work.record("test.act", "T-1")
        office.clock.advance(seconds=60)  # type: ignore[attr-defined]
        assert _tick(office) is not None
    key, asked = log.log_key(PLATFORM, office.keys), 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    with Session(office.engine) as session:
        cs = list(session.scalars(select(LogEntry.c)))
        event.listen(office.engine, "before_cursor_execute", count)
        proofs = log.proofs(session, cs)
        assert asked == 5 and len(proofs) == ticks_sealed
        for c in cs:
            ticks.verify_proof(proofs[c], unb64u(c), key)
        leaves = [leaf.encode() for leaf in session.scalars(select(LogTick.leaf).order_by(LogTick.tick))]
        for old in range(1, ticks_sealed + 1):
            asked = 0
            path = log.consistency_proof(session, old, ticks_sealed)
            assert asked <= 1
            merkle.verify_consistency(old, ticks_sealed, path, merkle.root(leaves[:old]), merkle.root(leaves))
    with Session(office.engine) as session:
        with pytest.raises(NotFound, match="log.node_missing"):
            log.nodes(session, lambda at: at(40, 0))(40, 0)
        assert log.proofs(session, ["unknown"]) == {}


def _entry(session: Session, c: str) -> str:
    from trading.kernel.clock import write_moment

    row = session.query(LogEntry).filter_by(c=c).one()
    return write_moment(row.tick_by)


def test_a_tick_is_sealed_once_and_a_gap_stays_a_gap(office: Office) -> None:
    assert _tick(office) is not None
    assert _tick(office) is None
    office.clock.advance(seconds=59)  # type: ignore[attr-defined]
    assert _tick(office) is None
    office.clock.advance(hours=3)  # type: ignore[attr-defined]
    tick = _tick(office)
    assert tick is not None and tick.tick == 1
    assert _tick(office) is None


def test_the_pace_follows_published_deadlines(office: Office) -> None:
    with office.work(CLOCK) as work:
        log.announce_busy(work, START + timedelta(minutes=30), START + timedelta(minutes=30))
    assert _tick(office) is not None
    for _ in range(6):
        office.clock.advance(seconds=10)  # type: ignore[attr-defined]
        assert _tick(office) is not None


def test_personal_facts_are_hashed(office: Office) -> None:
    with office.work(AGENCY) as work:
        work.record("test.act", "T-1", payer="甲公司", note="x")
    with Session(office.engine) as session:
        payload = session.execute(text("select payload from act_record")).scalar_one()
    assert "甲公司" not in payload and "account:7" not in payload and '"note":"x"' in payload


@pytest.mark.parametrize("table", ["log_entry", "log_document", "act_record", "log_tick", "log_seat", "log_node"])
@pytest.mark.promise("I1")
def test_append_only_tables_refuse_rewriting(office: Office, table: str) -> None:
    with office.work(AGENCY) as work:
        work.record("test.act", "T-1")
        from trading.kernel.audit import keep_document

        keep_document(work, "attempt", {"v": 1}, signed=False)
    _tick(office)
    column = {"log_tick": "leaf", "log_seat": "slot", "log_node": "hash"}.get(table, "id")
    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError), office.engine.begin() as connection:
            connection.execute(text(statement))


def test_nothing_is_kept_of_a_refused_unit(office: Office) -> None:
    with pytest.raises(RuntimeError), office.work(AGENCY) as work:
        work.record("test.act", "T-1")
        work.log("act", statement="", tender="T-1")
        raise RuntimeError
    with Session(office.engine) as session:
        assert session.query(LogEntry).count() == 0
