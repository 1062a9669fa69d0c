"""What the bank tells of people who pay lies sealed in the files of the database, through every step until the money is back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from deposits import receipts
from deposits.bank.transfers import Transfer
from tests.deposits.money_room import MoneyRoom
from tests.trading.kernel.test_at_rest import forms
from trading.kernel.errors import NotReady
from trading.kernel.money import Money

NAME, NUMBER, REMARK = "欧阳静怡", "6217000099887766554", "代朋友缴纳谢谢"


@pytest.fixture
def stranger(room: MoneyRoom) -> str:
    """A payment of somebody unknown, paid back; the reference of its refund."""
    room.keys_sealed()
    room.bank.receive(Money.parse("1000"), name=NAME, account=NUMBER, text=REMARK)
    room.fetch()
    with room.world.work("cashier") as work:
        (paid,) = receipts.in_suspense(work.session)
        receipts.explain(work, paid, account="stranger", note="来源不明")
    (name,) = room.refund_all()
    return name


def test_no_payer_is_found_in_the_files(room: MoneyRoom, stranger: str) -> None:
    row = room.refund(stranger)
    assert (row.state, row.payee_name, row.payee_account) == ("CONFIRMED", NAME, NUMBER)
    assert (row.receipt.line.payer_name, row.receipt.line.text) == (NAME, REMARK)
    with room.world.view("clock") as view:
        assert view.session.query(Transfer).one().payee_account == NUMBER
    if room.world.office.engine.dialect.name != "sqlite":
        pytest.skip("files of SQLite")
    path = Path(room.world.office.engine.url.database or "")
    held = b"".join(one.read_bytes() for one in sorted(path.parent.glob(path.name + "*")))
    assert stranger.encode() in held, "what is not sealed is found this way"
    for value in (NAME, NUMBER, REMARK):
        assert [one for one in forms(value) if one in held] == [], value


def test_an_account_written_by_whoever_has_no_data_key_pays_nobody(room: MoneyRoom) -> None:
    room.bank.receive(Money.parse("1000"), name=NAME, account=NUMBER)
    room.fetch()
    with room.world.work("cashier") as work:
        (paid,) = receipts.in_suspense(work.session)
        receipts.explain(work, paid, account="stranger", note="来源不明")
    (name,) = room.due()
    batch = room.prepare(name)
    room.approve(batch)
    with room.world.office.engine.begin() as connection:
        connection.execute(
            text("UPDATE refund SET payee_account = '6222000099998888777' WHERE ref = :ref"), {"ref": name}
        )
    with pytest.raises(NotReady) as refusal:
        room.pay(batch)
    assert refusal.value.code == "at_rest.in_the_open" and refusal.value.facts["row"] == name
    assert room.bank.balance() == Money.parse("1000")
