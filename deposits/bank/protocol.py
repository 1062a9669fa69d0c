"""What the money room asks of a bank. An order carries a key; the same key is the same payment, however often it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

ACCEPTED, REFUSED, UNKNOWN = "accepted", "refused", "unknown"


@dataclass(frozen=True)
class TransferOrder:
    """One payment out of the pooled account. ``amount_minor`` in fen, more than nothing; ``text`` holds the key and comes back on the
    statement."""

    key: str
    amount_minor: int
    payee_name: str
    payee_account: str
    text: str


@dataclass(frozen=True)
class BankAnswer:
    """``state``: accepted, refused (with the bank's reason), or unknown: the bank knows no order of this key."""

    key: str
    state: str
    reason: str = ""


class BankUnreachable(Exception):
    """No answer came. The order may or may not have been taken: ask again by its key, never with another one."""


class Bank(Protocol):
    def transfer(self, order: TransferOrder) -> BankAnswer:
        """Take an order; one of a known key gets the first answer, and is refused when it says something else. Raises BankUnreachable."""
        ...

    def find(self, key: str) -> BankAnswer:
        """What became of an order. Raises BankUnreachable."""
        ...

    def statement(self) -> bytes:
        """The statement of the pooled account as a CSV file of statements.py, oldest first. Raises BankUnreachable."""
        ...
