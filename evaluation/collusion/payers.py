"""The money trail: deposits of several bidders paid from one account (CL-07)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trading.kernel.exact import Answer, list_of, record, take, text


def shared_payers(deposits: Iterable[tuple[str, str | None]]) -> list[list[str]]:
    """Groups of different bidders whose deposits came from the same account; pairs are (bidder, payer account).
    Sorted, each group once; a missing or empty account is skipped. Groups are not joined: sharing with B and B
    sharing with C is two findings.
    """
    by_account: dict[str, set[str]] = {}
    for bidder, account in deposits:
        if account:
            by_account.setdefault(account, set()).add(bidder)
    return [
        list(group) for group in sorted({tuple(sorted(bidders)) for bidders in by_account.values() if len(bidders) > 1})
    ]


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _asked_payer(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    groups = shared_payers(
        (take(row, "bidder", text, "deposits"), take(row, "payer_account", text, "deposits", default=None))
        for row in take(inputs, "deposits", list_of(record))
    )
    return {"groups": groups, "legal_effect": "deemed_collusion" if groups else "none"}


METHODS: dict[str, Answer] = {"collusion.deposit_payer": _asked_payer}
