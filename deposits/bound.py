"""The values of money that acts bind: in the form in which the archive's bundle shows them (docs/formats/bundle.md §4).

Accounts, names and persons are hashes under the salt of their payment, which stays in its row. An act that makes a value holds it as a
hidden fact (``audit.hide``), so a row that was changed afterwards no longer fits, and neither does a bundle. Pure, but for ``kept``.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from crypto.canonical import b64u, dumps
from trading.kernel.clock import floor_second, write_moment

Values = dict[str, Any]
Receipt = Any
Refund = Any
Forfeit = Any
"""Rows of the rooms that stand above this file and import it."""


def account(receipt: Receipt, number: str) -> str:
    return _hash(receipt, "account", number)


def name(receipt: Receipt, text: str) -> str:
    return _hash(receipt, "name", text)


def person(receipt: Receipt, account_id: int | None) -> str:
    """ "" for nobody."""
    return "" if account_id is None else _hash(receipt, "person", str(account_id))


def _hash(receipt: Receipt, kind: str, value: str) -> str:
    return b64u(sha256(receipt.salt + kind.encode() + b"\0" + value.encode()).digest())


def received(receipt: Receipt) -> Values:
    """A payment as the bank's line brought it."""
    return {
        "receipt": receipt.ref,
        "at": write_moment(receipt.at),
        "received": receipt.line.amount_minor,
        "payer": account(receipt, receipt.line.payer_account),
        "payer_name": name(receipt, receipt.line.payer_name),
    }


def matched(receipt: Receipt) -> Values:
    """Whose deposit it was taken for, what was asked, and what was wrong with it; of a payment in suspense nothing is said yet."""
    demand = receipt.demand
    return {
        "bidder": demand.participant.party.code if demand is not None else "",
        "demanded": demand.amount_minor if demand is not None else 0,
        "exceptions": dumps(list(receipt.exceptions)).decode(),
    }


def fallen_due(row: Refund) -> Values:
    """The part of a payment that goes back, and why and when."""
    return {
        "refund": row.ref,
        "receipt": row.receipt.ref,
        "part": row.part,
        "event": row.event,
        "rule": row.rule,
        "event_on": row.event_on.isoformat(),
        "due_on": row.due_on.isoformat(),
        "amount": row.amount_minor,
        "with_interest": "yes" if row.with_interest else "no",
    }


def line(row: Refund) -> Values:
    """What would be paid to whom: what one approves of a refund."""
    return {
        "refund": row.ref,
        "receipt": row.receipt.ref,
        "amount": row.amount_minor,
        "converted": row.converted_minor,
        "interest": row.interest_minor,
        "fee": row.fee_minor,
        "payee": account(row.receipt, row.payee_account),
        "payee_name": name(row.receipt, row.payee_name),
    }


def prepared(row: Refund, digest: str) -> Values:
    return line(row) | {"prepared": person(row.receipt, row.prepared_by), "batch": digest}


def approved(row: Refund, digest: str) -> Values:
    return prepared(row, digest) | {"approved": person(row.receipt, row.approved_by)}


def confirmed(row: Refund) -> Values:
    return {"confirmed_at": write_moment(floor_second(row.confirmed_at)) if row.confirmed_at is not None else ""}


def kept(receipt: Receipt, forfeit: Forfeit, forfeited: int) -> Values:
    """What of a payment was kept by decision, by whose hands."""
    return {
        "forfeit": forfeit.ref,
        "ground": forfeit.ground,
        "to": forfeit.goes_to,
        "drafted": person(receipt, forfeit.drafted_by),
        "checked": person(receipt, forfeit.checked_by),
        "decided": person(receipt, forfeit.decided_by),
        "decided_at": write_moment(floor_second(forfeit.decided_at)) if forfeit.decided_at is not None else "",
        "forfeited": forfeited,
    }
