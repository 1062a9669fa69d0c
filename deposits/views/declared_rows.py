"""Which columns of money the audit derives anew, and which not and why (as ``trading.disclosure.rows.declared``).

What an act bound stands in its record as a hash; the ledger is posted anew from it. A change is named where it first no longer fits: of a
line at its statement's record, of a payment or a refund at itself or at the entry of the ledger.
"""

from __future__ import annotations

_TAKEN = "the record of taking the statement in, which binds every line of it"
_RECORD = "the record of the act that made the value"
_POSTED = "the ledger, posted anew from what acts bound"
_MOMENTS = "when it was written down"
_COUNTS = "counts changes of a form"

AUDITED: dict[str, dict[str, str]] = {
    "bank_statement": {_TAKEN: "ref sha256 opening_minor closing_minor lines"},
    "bank_line": {
        _TAKEN: "statement_id bank_id at day amount_minor payer_name payer_account text sub_account balance_minor",
    },
    "pooled_account": {"the last statement": "balance_minor stated_at"},
    "deposit_receipt": {_RECORD: "ref line_id demand_id amount_minor at exceptions settled note salt"},
    "deposit_demand": {_POSTED: "sub_account", "what a payment was held against": "amount_minor"},
    "refund": {
        _RECORD: "ref receipt_id part state event rule event_on due_on with_interest amount_minor converted_minor interest_minor fee_minor"
        " payee_name payee_account batch_id prepared_by approved_by confirmed_at",
        "the order that was sent": "bank_key",
    },
    "refund_batch": {_RECORD: "ref value_on digest prepared_by approved_by sent_at"},
    "bank_transfer": {
        "the refund it pays, as approved": "key refund principal_minor extra_minor payee_name payee_account"
    },
    "forfeit": {_RECORD: "ref demand_id state ground evidence hearing goes_to amount_minor"},
    "ledger_entry": {_POSTED: "kind of terminal"},
    "ledger_posting": {_POSTED: "entry_id account item amount_minor"},
}

FREE: dict[str, dict[str, str]] = {
    "bank_statement": {
        "who took it in: the record names the person": "taken_by",
        _MOMENTS: "at",
        "a file's name": "name",
    },
    "bank_line_use": {"what a line was follows from the record of the payment, the order or the charge": "*"},
    "deposit_demand": {"whose it is follows from taking part": "participant_id lot_id", _MOMENTS: "made_at due_at"},
    "deposit_hold": {"a stop ends by itself, and moves no money": "*"},
    "refund": {
        _COUNTS: "version",
        _MOMENTS: "made_at prepared_at approved_at sent_at returned_at",
        "words of the bank, which the bank's own line holds": "returned_why",
        "how the day was counted, from the day that is bound": "due_reason",
        "the demand of its payment": "demand_id",
    },
    "refund_batch": {
        _MOMENTS: "prepared_at approved_at closed_at",
        "words of who sent it back": "reason",
        "hides how many rows the digest covers": "secret",
    },
    "bank_transfer": {
        "the bank's answer, held against its statements": "state reason answered_at settled_at returned_at",
        _MOMENTS: "made_at",
    },
    "forfeit": {
        _COUNTS: "version",
        _MOMENTS: "drafted_at heard_at checked_at decided_at",
        "whose hands they were is in the records, and asked of them": "drafted_by checked_by decided_by",
        "the stop it stands on": "hold_id",
    },
    "ledger_entry": {"a number of its own": "ref", _MOMENTS: "at"},
    "payee_change": {"a request; the account that counts is bound in the record of its approval": "*"},
    "reconciliation": {"a comparison, which can be made again from the ledger and the statements": "*"},
    "reconciliation_case": {"a difference somebody looks into": "*"},
}
