"""Parts that several procedures have in common."""

from trading.procedures.procedure import NoticeRule

ENVELOPES = (("bid",), ("bid", "price"))
"""One envelope, or a technical one with the prices apart."""

TENDER = NoticeRule(
    "tender",
    (
        "project",
        "code",
        "regime",
        "category",
        "method",
        "purchaser",
        "agency",
        "region",
        "budget",
        "ceiling",
        "currency",
        "deposit",
        "need",
        "qualification",
        "contact",
        "place",
        "issue_at",
        "clarify_until",
        "deadline",
        "opens_at",
        "round",
        "policy",
        "consortium_most",
        "files",
    ),
)
OPENING_RECORD = NoticeRule("opening_record", ("opened", "envelope", "bids"))
AWARD = NoticeRule("award", ("winner",))
CONTRACT = NoticeRule("contract", ("number", "supplier", "amount_minor", "differences"))
