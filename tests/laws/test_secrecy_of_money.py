"""Twin worlds with money (promise S1): two platforms that differ only in who has paid for a sealed lot, and in what went back of it, look
the same to everybody who may look at money, whatever is taken in, prepared, approved, paid, confirmed and compared.

What both have in common is a lot that was terminated, whose deposits are public and go back. In one of them three firms besides pay for the
sealed lot, one too much and one to no number; one takes no part any more, and its deposit goes back before the opening.
"""

from __future__ import annotations

import io
import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deposits.money_room import DEPOSIT, MoneyRoom
from tests.kit.database import Databases
from tests.kit.world import World
from tests.laws.test_secrecy import OBSERVERS, Twin, addresses, letters_of, log_size, make_twins, seen, staffed
from tests.web.desks.approving import sign
from tests.web.desks.purchasing import done, send
from tests.web.desks.rooms import Person, open_rooms
from trading.bidding import bids, participants
from trading.kernel.money import Money
from web import wiring
from web.workers import scheduler

WHO = ("cashier", "controller", "system-admin", "security-admin", "audit-admin", "supervisor", "agency", "public")
OF_A_BATCH = re.compile(r"TF-\d{8}-[0-9A-HJKMNP-TV-Z]{4}")
RANDOM = re.compile(r"\b[0-9a-hjkmnp-tv-z]{26}\b")
BANKS_OWN = re.compile(r"\b[0-9a-f]{20}\b")
"""The number the simulated bank gives a line."""
GROUPS = re.compile(r"\b[0-9a-f]{4}( [0-9a-f]{4})+( … [0-9a-f]{4})?\b")


@dataclass
class House:
    """One of the two: its world, who looks, its bank; ``done`` are the pages that acts led to."""

    twin: Twin
    room: MoneyRoom
    bank_file: Path
    done: list[str]

    def go(self, who: str, page: str, act: str, **fields: Any) -> str:
        where = done(send(self.twin.seats[who], page, act, **fields))
        self.done.append(where)
        return where.partition("?")[0]


def with_money(world: World) -> str:
    """A lot that was terminated with two deposits paid, and the one that is sealed."""
    ref = staffed(world)
    world.enrol("check", "controller", seal=False)
    room = MoneyRoom(world, world.office.blobs.folder.parent / "bank.db")
    ended = world.lot("BIDDING")
    for name, number in room.take_part(ended, "bidder1", "bidder2").items():
        room.pay_in(name, number)
    room.fetch()
    room.terminate(ended)
    return ref


@pytest.fixture
def houses(databases: Databases, tmp_path: Path) -> Iterator[tuple[House, House]]:
    for twins in make_twins(databases, tmp_path, with_money):
        yield house(twins[0], tmp_path / "first"), house(twins[1], tmp_path / "second")


def house(twin: Twin, folder: Path) -> House:
    """The desks of a world beside a bank of its own, which has booked what both banks have."""
    world = twin.world
    twin.rooms = open_rooms(world, folder)
    (folder / "data" / wiring.REHEARSAL).touch()
    bank_file = folder / "data" / wiring.BANK_FILE
    shutil.copy(world.office.blobs.folder.parent.parent / "one" / "bank.db", bank_file)
    for who, (username, role) in OBSERVERS.items():
        twin.seats[who] = twin.rooms.person(username, role)
    twin.seats["public"] = Person(twin.rooms.app.test_client())
    room = MoneyRoom.__new__(MoneyRoom)
    room.world, room.bank = world, wiring.SimulatedBank(bank_file, world.clock)
    return House(twin, room, bank_file, [])


def plain(text: str) -> str:
    """Without what is random: references, numbers of batches, digests in groups."""
    for pattern in (OF_A_BATCH, RANDOM, GROUPS, BANKS_OWN):
        text = pattern.sub("*", text)
    return text


def shown(house: House, who: str, path: str) -> tuple[Any, ...]:
    status, headers, text = seen(house.twin, who, path)
    text = plain(text.replace(str(house.bank_file.parent.parent), "*folder*"))
    if path.endswith(".csv"):
        text = "\n".join(sorted(text.splitlines()))  # in the order of the bank's keys, which are random
    return status, [(key, plain(value)) for key, value in headers], text


def pages_of(house: House, who: str, whole: bool) -> list[str]:
    """What somebody may open: everything, or the money room alone."""
    pages = [path for path in addresses(house.twin.ref, who) if whole or path.startswith("/cashier")]
    if who in ("cashier", "controller"):
        acted = list(dict.fromkeys(house.done))
        pages += [*acted, *(f"{path}/payments.csv" for path in acted if "/batches/" in path)]
        pages += ["/cashier/refunds?format=csv", "/cashier/refunds?show=done"]
    return pages


def compare(one: House, two: House, when: str, *, whole: bool = False) -> int:
    """All that may be looked at, and the pages that acts led to; nothing may differ. Returns how many had content."""
    assert [plain(where) for where in one.done] == [plain(where) for where in two.done], when
    found, differ = 0, []
    for who in WHO if whole else ("cashier", "controller"):
        for first, second in zip(pages_of(one, who, whole), pages_of(two, who, whole), strict=True):
            a, b = shown(one, who, first), shown(two, who, second)
            found += a[0] == 200
            if a != b:
                at = next((i for i, (x, y) in enumerate(zip(a[2], b[2], strict=False)) if x != y), 0)
                told = [text[2][max(0, at - 200) : at + 120] for text in (a, b)]
                differ.append(f"{when}: {who} {first} {a[:2]} {b[:2]}\n {told[0]!r}\n {told[1]!r}")
    assert not differ, "\n".join(differ[:8])
    return found


def pay_busily(house: House) -> str:
    """Everything that can happen to the money of a sealed lot; returns who leaves it."""
    room, ref = house.room, house.twin.ref
    subs = room.take_part(ref, "bidder1", "bidder2", "bidder3")
    room.pay_in("bidder1", subs["bidder1"])
    room.pay_in("bidder2", subs["bidder2"], DEPOSIT + Money.parse("12.34"))
    room.pay_in("bidder3", subs["bidder3"], Money.parse("30000"), name="张三", account="62229999")
    name, account = room.payer("bidder3")
    room.bank.receive(Money.parse("20000"), name=name, account=account, text="投标保证金")
    return "bidder1"


def leave(house: House, username: str) -> None:
    with house.room.world.work(username) as work:
        bids.leave(work, participants.own(work, house.room.world.lot_in(work, house.twin.ref)))


def turn(house: House) -> list[str]:
    return scheduler.money(house.room.world.office, house.room.bank)


def credit(house: House) -> None:
    scheduler.credit(house.room.world.office, house.room.bank, {})


@pytest.mark.rule("D-12")
@pytest.mark.long
@pytest.mark.promise("S1")
def test_nobody_can_tell_how_many_have_paid(houses: tuple[House, House], caplog: pytest.LogCaptureFixture) -> None:
    quiet, busy = houses
    both = (quiet, busy)
    assert compare(quiet, busy, "before anybody paid", whole=True) > 40
    gone = pay_busily(busy)
    for one in both:
        credit(one)
    compare(quiet, busy, "once the clock has taken the statement in")
    for one in both:
        one.go("cashier", "/cashier/import", "fetch")
        one.go("cashier", "/cashier/reconcile", "reconcile")
    compare(quiet, busy, "once the cashier has fetched and compared")
    leave(busy, gone)
    said = [turn(one) for one in both]
    assert said[0] == said[1] == ["refund"]  # of the lot that was terminated; of the sealed one nothing is said
    for one in both:
        one.go("cashier", "/cashier/refunds", "due")
    compare(quiet, busy, "once a deposit of the sealed lot is due")
    refused = [send(one.twin.seats["cashier"], "/cashier/refunds?show=prepare", "prepare", refs=[]) for one in both]
    assert [answer.status_code for answer in refused] == [422, 422]
    for one in both:
        refs = re.findall(r'name="refs" value="([^"]+)"', one.twin.seats["cashier"].get("/cashier/refunds").text)
        assert len(refs) == 2
        batch = one.go("cashier", "/cashier/refunds", "prepare", refs=refs)
        one.done.append(done(sign(one.room, one.twin.seats["controller"], batch, by="check")))
        one.go("cashier", batch, "pay")
        one.room.world.clock.advance(seconds=5)
        one.go("cashier", "/cashier/refunds", "prepare", along="yes")
    compare(quiet, busy, "with one batch paid and one that may be empty")
    (row,) = [row for row in busy.room.all_refunds() if row.demand and row.demand.lot.ref == busy.twin.ref]
    assert row.state == "SENT"
    said = [turn(one) for one in both]
    assert said[0] == said[1]
    for one in both:
        credit(one)
    compare(quiet, busy, "with payments of ours on the statement that nobody has settled")
    for one in both:
        one.go("cashier", "/cashier/reconcile", "reconcile", note="已查明")
        one.go("cashier", "/cashier/import", "fetch")
        one.go("cashier", "/cashier/reconcile", "reconcile", note="已查明")
    assert busy.room.refund(row.ref).state == "CONFIRMED"
    compare(quiet, busy, "once the money is back", whole=True)
    key = busy.room.refund(row.ref).bank_key
    assert key is not None
    busy.room.bank.give_back(key, "账户已销户")
    for one in both:
        one.go("cashier", "/cashier/import", "fetch")
        one.go("cashier", "/cashier/reconcile", "reconcile", note="已查明")
    assert busy.room.refund(row.ref).state == "RETURNED_BY_BANK"
    compare(quiet, busy, "once the bank has given a payment back")
    assert log_size(quiet.room.world) == log_size(busy.room.world) and letters_of(quiet.twin) == letters_of(busy.twin)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert quiet.room.bank.balance() != busy.room.bank.balance(), "and yet the two banks hold different sums"
    guessed = [guess(one, busy.room.bank.balance()) for one in both]
    assert guessed[0] == guessed[1], "a file with another fault beside it tells nothing of the balance"


def guess(house: House, balance: Money) -> str:
    """What the desk says to a file made up to ask whether the account holds this much, and made to be refused."""
    head = "日期,金额,对方户名,对方账号,附言,流水号,余额\n"
    lines = f"2026-03-01,0.01,甲,1,,x1,{(balance + Money(1)).text()}\n2026-03-01,1,乙,2,,x2,5\n"
    file = (io.BytesIO((head + lines).encode()), "猜.csv")
    answer = send(house.twin.seats["cashier"], "/cashier/import", "import", statement=file)
    return (
        str(answer.status_code)
        + re.sub(r"(?s)<[^>]+>|\s+", " ", answer.text[answer.text.index('class="errors"') :])[:300]
    )


@pytest.mark.long
def test_a_statement_of_sealed_money_alone_is_listed_when_its_lot_is_public(
    tmp_path: Path, databases: Databases
) -> None:
    for twins in make_twins(databases, tmp_path, with_money):
        one = house(twins[1], tmp_path / "only")
        pay_busily(one)
        credit(one)
        cashier = one.twin.seats["cashier"]
        before = cashier.get("/cashier/import").text.count("/cashier/statements/")
        one.room.terminate(one.twin.ref)
        assert cashier.get("/cashier/import").text.count("/cashier/statements/") == before + 1
