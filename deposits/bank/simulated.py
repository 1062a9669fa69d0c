"""A small real bank for rehearsals and tests: one pooled account kept in an SQLite file of its own, with its own numbers.

It keeps the habits that matter: an order key is one payment for ever; what it did and what it answered may differ (an answer can get lost);
a payment can come back days later. It knows nothing of lots, bidders or our tables.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deposits.bank import statements
from deposits.bank.protocol import ACCEPTED, REFUSED, UNKNOWN, BankAnswer, BankUnreachable, TransferOrder
from trading.kernel.calendar import BEIJING
from trading.kernel.clock import Clock
from trading.kernel.money import Money

_TABLES = """
CREATE TABLE IF NOT EXISTS line (n INTEGER PRIMARY KEY, bank_id TEXT UNIQUE NOT NULL, at TEXT NOT NULL, amount INTEGER NOT NULL,
    name TEXT NOT NULL, account TEXT NOT NULL, text TEXT NOT NULL, sub_account TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS asked (key TEXT PRIMARY KEY, amount INTEGER NOT NULL, name TEXT NOT NULL, account TEXT NOT NULL,
    text TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, returned INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS closed_account (account TEXT PRIMARY KEY);
"""


class SimulatedBank:
    """``lost_answers``: how many of the next orders are carried out, or not even received (``lost_orders``), without an answer."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self.lost_answers = 0
        self.lost_orders = 0
        with self._open() as bank:
            bank.executescript(_TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        bank = sqlite3.connect(self.path, timeout=10)
        try:
            with bank:
                yield bank
        finally:
            bank.close()

    # --- what the money room may ask (protocol.Bank) ------------------------------------------------------------------------------

    def transfer(self, order: TransferOrder) -> BankAnswer:
        if self.lost_orders:
            self.lost_orders -= 1
            raise BankUnreachable("no connection")
        with self._open() as bank:
            answer = self._take(bank, order)
        if self.lost_answers:
            self.lost_answers -= 1
            raise BankUnreachable("the answer got lost")
        return answer

    def find(self, key: str) -> BankAnswer:
        with self._open() as bank:
            row = bank.execute("SELECT state, reason FROM asked WHERE key = ?", (key,)).fetchone()
        return BankAnswer(key, UNKNOWN) if row is None else BankAnswer(key, *row)

    def statement(self, lang: str = "zh") -> bytes:
        with self._open() as bank:
            rows = bank.execute(
                "SELECT at, amount, name, account, text, bank_id, sub_account FROM line ORDER BY n"
            ).fetchall()
        cells, balance = [], 0
        for at, amount, name, account, text, bank_id, sub_account in rows:
            balance += amount
            cells.append((at, Money(amount).text(), name, account, text, bank_id, Money(balance).text(), sub_account))
        return statements.write_csv(cells, lang)

    # --- what the world does to the account ---------------------------------------------------------------------------------------

    def receive(self, amount: Money, *, name: str, account: str, sub_account: str = "", text: str = "") -> str:
        """Somebody pays in; returns the bank's number of the line."""
        with self._open() as bank:
            return self._book(bank, amount.minor, name, account, text, sub_account)

    def pay_interest(self, amount: Money) -> str:
        return self.receive(amount, name="开户银行", account="", text="结息")

    def charge(self, amount: Money) -> str:
        with self._open() as bank:
            return self._book(bank, -amount.minor, "开户银行", "", "手续费", "")

    def give_back(self, key: str, reason: str = "户名不符") -> str:
        """A payment that was carried out comes back (退汇), once."""
        with self._open() as bank:
            row = bank.execute(
                "SELECT amount, name, account FROM asked WHERE key = ? AND state = ? AND returned = 0", (key, ACCEPTED)
            ).fetchone()
            if row is None:
                raise ValueError("no such payment, or returned before")
            bank.execute("UPDATE asked SET returned = 1 WHERE key = ?", (key,))
            return self._book(bank, row[0], row[1], row[2], f"退汇 {reason} {key}", "")

    def booked(self, sub_account: str) -> list[tuple[str, Money]]:
        """What was paid in for a sub-account, oldest first: (the bank's own time, amount). What a payer's bank tells the payer."""
        with self._open() as bank:
            rows = bank.execute(
                "SELECT at, amount FROM line WHERE sub_account = ? ORDER BY n", (sub_account,)
            ).fetchall()
        return [(at, Money(amount)) for at, amount in rows]

    def close_account(self, account: str) -> None:
        """Orders to this account are refused from now on."""
        with self._open() as bank:
            bank.execute("INSERT OR IGNORE INTO closed_account VALUES (?)", (account,))

    def balance(self) -> Money:
        with self._open() as bank:
            return Money(self._balance(bank))

    # --- inside -------------------------------------------------------------------------------------------------------------------

    def _take(self, bank: sqlite3.Connection, order: TransferOrder) -> BankAnswer:
        bank.execute("BEGIN IMMEDIATE")
        said = (order.amount_minor, order.payee_name, order.payee_account, order.text)
        row = bank.execute(
            "SELECT amount, name, account, text, state, reason FROM asked WHERE key = ?", (order.key,)
        ).fetchone()
        if row is not None:
            return (
                BankAnswer(order.key, *row[4:])
                if row[:4] == said
                else BankAnswer(order.key, REFUSED, "key used for another payment")
            )
        reason = self._why_not(bank, order)
        state = REFUSED if reason else ACCEPTED
        bank.execute(
            "INSERT INTO asked (key, amount, name, account, text, state, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (order.key, *said, state, reason),
        )
        if state == ACCEPTED:
            self._book(bank, -order.amount_minor, order.payee_name, order.payee_account, order.text, "")
        return BankAnswer(order.key, state, reason)

    def _why_not(self, bank: sqlite3.Connection, order: TransferOrder) -> str:
        if order.amount_minor <= 0:
            return "amount"
        if bank.execute("SELECT 1 FROM closed_account WHERE account = ?", (order.payee_account,)).fetchone():
            return "account closed"
        return "no cover" if self._balance(bank) < order.amount_minor else ""

    def _balance(self, bank: sqlite3.Connection) -> int:
        return int(bank.execute("SELECT coalesce(sum(amount), 0) FROM line").fetchone()[0])

    def _book(self, bank: sqlite3.Connection, amount: int, name: str, account: str, text: str, sub_account: str) -> str:
        bank_id = secrets.token_hex(10)
        at = self.clock.now().astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        bank.execute(
            "INSERT INTO line (bank_id, at, amount, name, account, text, sub_account) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (bank_id, at, amount, name, account, text, sub_account),
        )
        return bank_id
