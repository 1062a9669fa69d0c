"""The tables of money in the audit of rows: the ledger and the daily comparison with the bank are their audit (docs/ledger.md)."""

from __future__ import annotations

_MONEY = "money: held against the ledger and the bank's own statements, day by day"

TABLES = (
    "bank_transfer deposit_demand deposit_hold forfeit ledger_entry ledger_posting reconciliation_case bank_line bank_line_use"
    " bank_statement deposit_receipt pooled_account reconciliation payee_change refund refund_batch"
)

AUDITED: dict[str, dict[str, str]] = {}
FREE = {table: {_MONEY: "*"} for table in TABLES.split()}
