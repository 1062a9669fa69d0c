"""Every audited column of money, changed by raw SQL: the audit names it, and nothing where nothing was changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event, select, text

from deposits import receipts
from deposits.ledger import accounts
from deposits.receipts import Receipt
from deposits.refunds.refunds import REFUND_FLOW
from deposits.views import declared_rows, signed_rows
from tests.deposits.money_room import DEPOSIT, MoneyRoom, demand_of
from tests.kit import altering
from tests.kit.database import Databases
from tests.web.bundles.conftest import world_of
from trading.disclosure.rows import tried
from trading.kernel.calendar import local_day
from trading.kernel.money import Money

MONEY = {table.name: table for table in altering.tables() if table.name in declared_rows.AUDITED}


@pytest.fixture(scope="module")
def room(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MoneyRoom]:
    """Money in all its ways: paid, found later, explained, charged, kept, refunded, sent back by the bank and out again."""
    folder = tmp_path_factory.mktemp("money")
    with world_of(databases, folder, 3) as world:
        room = MoneyRoom(world, folder / "bank.db")
        room.bank.receive(Money.parse("8800"), name="陌生人", account="62229999", text="往来款")
        room.bank.pay_interest(Money.parse("12.34"))
        room.bank.charge(Money.parse("3"))
        room.fetch()
        ref = world.lot("BIDDING", regime="WORKS")
        subs = room.take_part(ref)
        for username in ("bidder1", "bidder2"):
            room.pay_in(username, subs[username])
        room.pay_in("bidder1", subs["bidder1"], Money.parse("100"))
        stray = room.pay_in("bidder3", "", DEPOSIT)
        room.fetch()
        with world.work("bidder3") as work:
            receipts.claim(work, demand_of(work.session, subs["bidder3"]), bank_id=stray)
        explain(room)
        room.bid(ref)
        room.list_set(ref)
        room.open(ref)
        room.evaluate(ref)
        room.award(ref)
        room.keep(subs["bidder1"], ground="D-41", until=local_day(world.now))
        room.contract(ref)
        room.refund_all()
        keys = [row.bank_key for row in room.refunds_of(subs["bidder2"])]
        room.bank.give_back(str(keys[0]))
        room.fetch()
        again = room.prepare(*(row.ref for row in room.refunds_of(subs["bidder2"])))
        room.approve(again)
        room.pay(again)
        room.fetch()
        yield room


def explain(room: MoneyRoom) -> None:
    with room.world.work("cashier") as work:
        for row in work.session.scalars(select(Receipt).where(Receipt.settled == "")).all():
            kind = accounts.BANK_INTEREST if "结息" in row.line.text else "stranger"
            receipts.explain(work, row, account=kind, note="见对账单")
        for line in receipts.unexplained(work.session):
            receipts.book_charge(work, line, note="账户维护费")


def found(room: MoneyRoom, connection: Connection) -> list[str]:
    with altering.auditor(room.world, connection) as view:
        every = [tried("money -", check) for check in signed_rows.checks(view)]
        return [f"{one.table} {one.row}: {one.column}" for some in every for one in some]


def test_nothing_is_found_where_nothing_was_changed(room: MoneyRoom) -> None:
    with altering.altered(room.world) as connection:
        assert found(room, connection) == []


def test_the_steps_of_refunds_are_read_once_an_audit(room: MoneyRoom) -> None:
    with altering.altered(room.world) as connection:
        asked: list[str] = []
        note = lambda _c, _cu, _sql, parameters, *_rest: asked.append(str(parameters))  # noqa: E731
        event.listen(connection, "before_cursor_execute", note)
        assert found(room, connection) == []
    assert [sum(f"'refund.{step.name}'" in one for one in asked) for step in REFUND_FLOW.steps] == [1] * len(
        REFUND_FLOW.steps
    )


@pytest.mark.promise("I1")
@pytest.mark.parametrize("table", sorted(MONEY))
def test_every_audited_column_that_was_changed_is_named(room: MoneyRoom, table: str) -> None:
    unseen = []
    for name in (name for names in declared_rows.AUDITED[table].values() for name in names.split()):
        column = MONEY[table].columns[name]
        with altering.altered(room.world) as connection:
            row = altering.first_row(connection, MONEY[table], column)
            assert row is not None, "no such row was played"
            assert altering.change(connection, MONEY[table], column, row), name
            if not found(room, connection):
                unseen.append(name)
    assert unseen == []


@pytest.mark.promise("I1")
@pytest.mark.parametrize(
    "table", ["bank_statement", "deposit_receipt", "refund", "refund_batch", "ledger_entry", "ledger_posting"]
)
def test_a_row_taken_away_is_named(room: MoneyRoom, table: str) -> None:
    with altering.altered(room.world) as connection:
        connection.execute(text(f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})"))
        assert found(room, connection)


@pytest.mark.promise("I1")
def test_a_movement_put_in_is_named(room: MoneyRoom) -> None:
    with altering.altered(room.world) as connection:
        connection.execute(
            text(
                "INSERT INTO ledger_posting (entry_id, account, item, amount_minor) SELECT max(id), 'centre', '', 5 FROM ledger_entry"
            )
        )
        assert any(one.startswith("ledger_entry") for one in found(room, connection))
