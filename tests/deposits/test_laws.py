"""The law of the ledger: whatever happens in whatever order, received = refunded + forfeited + converted + held, nothing falls below
nothing, and a deposit ends once."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from deposits.ledger import accounts, postings
from deposits.ledger.accounts import Lines
from tests.kit.office import make_office
from trading.kernel.access import CLOCK
from trading.kernel.errors import Conflict

LEDGERS = int(os.environ.get("BIDHALL_LEDGERS", "20000"))
ACTS = (
    "receive",
    "stray",
    "identify",
    "explain",
    "order",
    "order_stray",
    "confirm",
    "bounce",
    "forfeit",
    "convert",
    "charge",
    "interest",
)


@dataclass
class Books:
    """What an onlooker with a pencil would keep: independent of the ledger's own sums."""

    deposits: dict[str, int] = field(default_factory=dict)
    strays: dict[str, int] = field(default_factory=dict)
    orders: dict[str, tuple[int, int, bool]] = field(default_factory=dict)
    received: int = 0
    refunded: int = 0
    forfeited: int = 0
    converted: int = 0
    interest: int = 0
    bank: int = 0


def play(choose: random.Random, steps: int, post: Callable[[str, Lines, str | None], bool]) -> Books:
    """Random acts, also senseless ones: each is posted if the ledger takes it, and then the onlooker notes it too."""
    books, ended = Books(), set[str]()
    for n in range(steps):
        act, amount, name = choose.choice(ACTS), choose.randint(1, 9_999_999), f"n{n}"
        sub = choose.choice(sorted(books.deposits)) if books.deposits else ""
        stray = choose.choice(sorted(books.strays)) if books.strays else ""
        order = choose.choice(sorted(books.orders)) if books.orders else ""
        if act == "receive":
            sub = sub if sub and choose.random() < 0.2 else name
            if sub not in ended and post("received", accounts.received(sub, amount), None):
                books.deposits[sub] = books.deposits.get(sub, 0) + amount
                books.received, books.bank = books.received + amount, books.bank + amount
        elif act == "stray" and post("unidentified", accounts.unidentified(name, amount), None):
            books.strays[name] = amount
            books.received, books.bank = books.received + amount, books.bank + amount
        elif (
            act == "identify"
            and stray
            and sub
            and post("identified", accounts.identified(stray, sub, books.strays[stray]), None)
        ):
            books.deposits[sub] += books.strays.pop(stray)
        elif (
            act == "explain"
            and stray
            and post("explained", accounts.explained(stray, accounts.BANK_INTEREST, books.strays[stray]), None)
        ):
            books.received -= books.strays.pop(stray)
        elif act in ("order", "forfeit", "convert") and sub:
            owed = books.deposits[sub] if choose.random() < 0.8 else amount
            extra = choose.randint(0, 500) if act == "order" else 0
            kind = {"order": "ordered", "forfeit": "forfeited", "convert": "converted"}[act]
            if not owed:
                continue
            if act == "order":
                lines = accounts.ordered(accounts.DEPOSITS, sub, name, owed, interest=extra)
            elif act == "forfeit":
                lines = accounts.forfeited(sub, owed, choose.choice(accounts.FORFEITED))
            else:
                lines = accounts.converted(sub, owed)
            if post(kind, lines, sub):
                books.deposits[sub] -= owed
                ended.add(sub)
                if act == "order":
                    books.orders[name] = (owed, extra, False)
                books.forfeited += owed * (act == "forfeit")
                books.converted += owed * (act == "convert")
        elif act == "order_stray" and stray:
            if post("ordered", accounts.ordered(accounts.SUSPENSE, stray, name, books.strays[stray]), stray):
                books.orders[name] = (books.strays.pop(stray), 0, False)
        elif act == "confirm" and order:
            principal, extra, _ = books.orders[order]
            if post("confirmed", accounts.confirmed(order, principal, extra), None):
                assert not books.orders[order][2]
                books.orders[order] = (principal, extra, True)
                books.refunded, books.interest = books.refunded + principal, books.interest + extra
                books.bank -= principal + extra
        elif act == "bounce" and order and books.orders[order][2]:
            principal, extra, _ = books.orders[order]
            if post("bounced", accounts.bounced(order, principal, extra), None):
                books.orders[order] = (principal, extra, False)
                books.refunded, books.interest = books.refunded - principal, books.interest - extra
                books.bank += principal + extra
        elif act == "charge" and post("charged", accounts.charged(amount), None):
            books.bank -= amount
    return books


class PaperLedger:
    """The rules of ledger.post on plain dictionaries, so that a hundred thousand lines take seconds."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str], int] = defaultdict(int)
        self.turnover: dict[tuple[str, str], int] = defaultdict(int)
        self.ended: set[str] = set()

    def post(self, kind: str, lines: Lines, terminal: str | None) -> bool:
        if terminal in self.ended:
            return False
        after = {(line.account, line.item): self.sums[line.account, line.item] for line in lines}
        for line in lines:
            after[line.account, line.item] += line.amount
        if any(accounts.overdrawn(account, total) for (account, _), total in after.items()):
            return False
        self.sums.update(after)
        for line in lines:
            self.turnover[kind, line.account] += line.amount
        if terminal:
            self.ended.add(terminal)
        return True


def compare(books: Books, totals: accounts.Totals, bank: int) -> None:
    held = (
        sum(books.deposits.values())
        + sum(books.strays.values())
        + sum(p for p, _, done in books.orders.values() if not done)
    )
    assert totals.balanced
    assert totals == accounts.Totals(
        books.received, books.refunded, books.forfeited, books.converted, held, books.interest
    )
    assert (
        bank == books.bank >= 0
        and held >= 0
        and min(totals.received, totals.refunded, totals.forfeited, totals.converted) >= 0
    )


@pytest.mark.promise("R15")
def test_random_ledgers() -> None:
    """BIDHALL_LEDGERS=1000000 plays the million of the promise, in some minutes."""
    for seed in range(LEDGERS):
        paper = PaperLedger()
        books = play(random.Random(seed), 14, paper.post)
        compare(
            books,
            accounts.totals((kind, account, total) for (kind, account), total in paper.turnover.items()),
            paper.sums["bank", ""],
        )


@given(st.integers(0, 2**63), st.integers(20, 300))
@settings(max_examples=150)
def test_long_ledgers(seed: int, steps: int) -> None:
    paper = PaperLedger()
    books = play(random.Random(seed), steps, paper.post)
    compare(
        books,
        accounts.totals((kind, account, total) for (kind, account), total in paper.turnover.items()),
        paper.sums["bank", ""],
    )


@given(seed=st.integers(0, 2**63))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@pytest.mark.promise("R15")
def test_the_stored_ledger_is_the_paper_one(engine: Engine, tmp_path: Path, seed: int) -> None:
    """The same acts on paper and in the database, which is emptied again after each example: every yes and no agrees, and all sums."""
    paper = PaperLedger()
    with make_office(engine, tmp_path).work(CLOCK) as work:
        assert postings.totals(work.session) == accounts.Totals(0, 0, 0, 0, 0, 0)

        def post(kind: str, lines: Lines, terminal: str | None) -> bool:
            savepoint = work.session.begin_nested()
            try:
                postings.post(work, kind, lines, of="law", terminal=terminal)
            except Conflict:
                savepoint.rollback()
                assert not paper.post(kind, lines, terminal)
                return False
            savepoint.commit()
            assert paper.post(kind, lines, terminal)
            return True

        books = play(random.Random(seed), 60, post)
        compare(books, postings.totals(work.session), postings.balance(work.session, accounts.BANK))
        assert postings.unbalanced(work.session) == []
        assert postings.items(work.session, accounts.DEPOSITS) == {
            sub: owed for sub, owed in books.deposits.items() if owed
        }
        assert postings.items(work.session, accounts.SUSPENSE) == books.strays
        work.session.rollback()
        work.session.begin()


def test_an_entry_that_does_not_add_up_is_a_defect() -> None:
    for lines in (
        [(accounts.BANK, "", 1)],
        [(accounts.BANK, "", 0)],
        [(accounts.BANK, "x", 1), (accounts.CENTRE, "", -1)],
        [(accounts.BANK, "", 1), (accounts.DEPOSITS, "", -1)],
    ):
        with pytest.raises(ValueError):
            accounts.entry(*lines)
    for amount in (0, -1):
        with pytest.raises(ValueError):
            accounts.received("1", amount)
    with pytest.raises(ValueError):
        accounts.forfeited("1", 1, accounts.CENTRE)
