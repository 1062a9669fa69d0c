"""Every column of every table: declared, and if it is audited, changed by raw SQL and named (money: tests/deposits/test_signed_rows.py)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, select, text

import deposits.views.declared_rows
import evaluation.reporting.declared_rows
import web.app  # noqa: F401  so that every table is there
from tests.kit import altering, sealing, stages
from tests.kit.altering import auditor
from tests.kit.database import Databases
from tests.kit.world import World
from tests.web.bundles.conftest import world_of
from tests.web.bundles.play import Finished
from trading.bidding.bids import SealedBid
from trading.disclosure.rows import declared
from trading.kernel.clock import floor_minute
from trading.kernel.db import APPEND_ONLY
from trading.remedies import complaints, disputes
from web import whole_audit

ROOMS = (declared, evaluation.reporting.declared_rows, deposits.views.declared_rows)
AUDITED = {name: rules for room in ROOMS for name, rules in room.AUDITED.items()}
FREE = {name: reasons for room in ROOMS for name, reasons in room.FREE.items()}


def audited(table: Table) -> list[str]:
    return [column for columns in AUDITED.get(table.name, {}).values() for column in columns.split()]


def test_every_column_stands_in_one_list() -> None:
    """What a new column does to the audit is said when the column is made."""
    tables = {table.name: table for table in altering.tables()}
    assert set(AUDITED) | set(FREE) == set(tables)
    for name, table in tables.items():
        columns = {column.name for column in table.columns} - {"id"}
        held = audited(table)
        free = [column for some in FREE.get(name, {}).values() for column in some.split()]
        if "*" in free:
            free = sorted(columns - set(held))
        assert sorted(held + free) == sorted(columns), name
    assert all(len(why) > 8 for some in (*AUDITED.values(), *FREE.values()) for why in some)


def two(world: World) -> tuple[str, str]:
    """A tender that is over, and one that takes bids: two are in, one of them replaced, a challenge is answered, a complaint taken up;
    and one to which its bidders are invited."""

    def build(world: World) -> tuple[str, str]:
        first = stages.contracted(world)
        ref = world.lot("DRAFTED")
        world.prepare(ref, deadline=floor_minute(world.now) + timedelta(days=40))
        world.publish(ref)
        world.issue(ref)
        world.take_part(ref)
        sealing.open_for_bids(world, ref)
        made = [sealing.hand_in(world, ref, name, *sealing.seal(world, ref, name)) for name in world.bidders[:2]]
        again = sealing.seal(world, ref, world.bidders[0], replaces=made[0].receipt.statement)
        assert sealing.hand_in(world, ref, world.bidders[0], *again).accepted
        with world.work(world.bidders[0], sealing.SIGNER) as work:
            lot = world.lot_in(work, ref)
            until = world.now + timedelta(days=1)
            filed = disputes.file(work, lot, stage="documents", text="参数有倾向性", until=until).ref
        with world.work("agent") as work:
            disputes.answer(work, disputes.objection(work.session, filed), text="并无倾向", upheld=False)
        with world.work(world.bidders[0], sealing.SIGNER) as work:
            complained = complaints.file(work, disputes.objection(work.session, filed), text="答非所问").ref
        with world.work("watch") as work:
            complaints.accept(work, complaints.complaint(work.session, complained), suspend=True, reasons="影响公平")
        invited = world.lot("DRAFTED", "M9")
        world.prepare(invited, deadline=floor_minute(world.now) + timedelta(days=40))
        world.publish(invited)
        world.tick()
        return first, ref

    found = stages.reach(world, "two", build)
    return found[0], found[1]


@pytest.fixture(scope="module")
def kept_world(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both lots, for tests that change rows and roll it back."""
    with world_of(databases, tmp_path_factory.mktemp("columns"), 3) as world:
        two(world)
        yield world


@pytest.fixture
def own_world(databases: Databases, tmp_path: Path) -> Iterator[World]:
    """The same, to be damaged for good."""
    with world_of(databases, tmp_path, 3) as world:
        two(world)
        yield world


def named(world: World, connection: Connection, *, log: bool = True) -> list[str]:
    """Where the audit finds something, the guards apart, which are down while a row is changed; ``log``: trees and entries too."""
    with auditor(world, connection) as view:
        found = whole_audit.verify(view) if log else whole_audit.verify_rows(view)
    return [f"{one['where']}: {one['what']}" for one in found.faults if one["code"] != "GUARD_MISSING"]


def of_log(table: str) -> bool:
    return table.startswith(("log_", "act_"))


def is_named(found: list[str], table: str, column: str) -> bool:
    places = (table, *declared.NAMED_AT.get((table, column), ()))
    return any(one.split()[0] in places for one in found)


def unseen(world: World, wanted: list[Table]) -> Iterator[str]:
    """The audited columns whose change nobody names; ``table: empty`` where there is no row to change."""
    for table in wanted:
        for name in audited(table):
            column = table.columns[name]
            with altering.altered(world) as connection:
                row = altering.first_row(connection, table, column)
                if row is None:
                    yield f"{table.name}: empty"
                    break
                assert altering.change(connection, table, column, row), (table.name, name)
                if not is_named(named(world, connection, log=of_log(table.name)), table.name, name):
                    yield f"{table.name}.{name}"


SELDOM = (
    "bidder_part",
    "rescue",
    "bid_failure",
    "box_finding",
    "technical_result",
    "omission_claim",
    "opening_remark",
    "ruling",
    "enquiry",
)
"""Tables that only seldom ways of an opening write into."""


@pytest.mark.long
@pytest.mark.promise("I1")
def test_every_audited_column_that_was_changed_is_named(kept_world: World) -> None:
    world = kept_world
    elsewhere = {*SELDOM, *deposits.views.declared_rows.AUDITED}
    assert list(unseen(world, [table for table in altering.tables() if table.name not in elsewhere])) == []


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("lot", "deadline"),
        ("lot", "scheme"),
        ("project", "regime"),
        ("notice", "text"),
        ("policy", "payload"),
        ("enrolled_key", "sign_public"),
        ("standing_bid", "bid_id"),
        ("sealed_bid", "header"),
        ("opened_bid", "price_minor"),
        ("sheet", "statement"),
        ("award", "price_minor"),
        ("role_grant", "role"),
    ],
)
@pytest.mark.promise("I1")
def test_what_decides_most_is_named_when_it_was_changed(kept_world: World, table: str, column: str) -> None:
    world = kept_world
    found = next(one for one in altering.tables() if one.name == table)
    with altering.altered(world) as connection:
        row = altering.first_row(connection, found, found.columns[column])
        assert altering.change(connection, found, found.columns[column], row)
        assert is_named(named(world, connection, log=of_log(table)), table, column)


@pytest.mark.promise("I1")
def test_rows_taken_away_put_in_or_exchanged_are_named(kept_world: World) -> None:
    world = kept_world
    with altering.altered(world) as connection:
        assert named(world, connection) == []
    for statement, table in (
        ("DELETE FROM standing_bid WHERE id = (SELECT max(id) FROM standing_bid)", "standing_bid"),
        ("DELETE FROM notice WHERE id = (SELECT max(id) FROM notice)", "notice"),
        ("DELETE FROM sealed_bid WHERE id = (SELECT max(id) FROM sealed_bid)", "sealed_bid"),
        ("DELETE FROM bid_receipt WHERE id = (SELECT max(id) FROM bid_receipt)", "bid_receipt"),
        ("DELETE FROM enrolled_key WHERE id = (SELECT max(id) FROM enrolled_key)", "enrolled_key"),
        ("DELETE FROM opened_bid WHERE id = (SELECT max(id) FROM opened_bid)", "opened_bid"),
        ("DELETE FROM policy WHERE id = (SELECT max(id) FROM policy WHERE standing)", "policy"),
        ("DELETE FROM sheet WHERE id = (SELECT max(id) FROM sheet)", "sheet"),
        ("DELETE FROM log_tick WHERE tick > (SELECT max(tick) - 3 FROM log_tick)", "log_"),
        (
            "INSERT INTO role_grant (account_id, role, granted_at) SELECT max(id), 'controller', made_at FROM account",
            "role_grant",
        ),
    ):
        with altering.altered(world) as connection:
            connection.execute(text(statement))
            assert any(one.startswith(table) for one in named(world, connection, log=of_log(table))), statement
    with altering.altered(world) as connection:
        for column in ("statement", "salt", "c"):
            connection.execute(
                text(
                    f"UPDATE sheet SET {column} = (SELECT other.{column} FROM sheet AS other WHERE other.id = 3 - sheet.id)"
                    " WHERE id IN (1, 2)"
                )
            )
        assert any(one.startswith("sheet ") for one in named(world, connection, log=False))


def test_a_trigger_dropped_and_a_bit_of_a_stored_bid_are_named(own_world: World) -> None:
    world = own_world
    with world.office.view(altering.AUDITOR) as view:
        assert whole_audit.verify(view, every_byte=True).faults == []
        blob = world.office.blobs.path(
            view.session.scalars(select(SealedBid.blob).order_by(SealedBid.id)).first() or ""
        )
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(data)
    table = APPEND_ONLY[0].name
    with world.office.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text(f"DROP TRIGGER {table}_no_update"))
        else:
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
    with world.office.view(altering.AUDITOR) as view:
        found = {(one["code"], one["where"].split()[0]) for one in whole_audit.verify(view, every_byte=True).faults}
    assert found == {("GUARD_MISSING", table), ("BYTES_ALTERED", "sealed_bid")}


# --- seldom ways --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", ["whole", "eventful", "co_opened"])
def test_nothing_is_found_where_nothing_was_changed_and_seldom_tables_are_audited(
    request: pytest.FixtureRequest, name: str
) -> None:
    world = request.getfixturevalue(name).over.world
    with altering.altered(world) as connection:
        assert named(world, connection) == []
    here = [table for table in altering.tables() if table.name in SELDOM]
    left = list(unseen(world, here))
    assert [one for one in left if not one.endswith(": empty")] == []


@pytest.mark.long
@pytest.mark.parametrize("name", ["alive", "dead", "failed"])
def test_nothing_is_found_where_officers_changed_or_a_lot_failed(request: pytest.FixtureRequest, name: str) -> None:
    over: Finished = request.getfixturevalue(name)
    with altering.altered(over.world) as connection:
        assert named(over.world, connection) == []
