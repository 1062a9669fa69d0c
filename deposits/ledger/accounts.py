"""The chart of accounts and the entries that may be made in it: pure, no database (rulebook §4.6).

Every movement of deposit money is one of the functions below: it returns lines that add up to nothing. An amount is whole fen; debit is
positive, credit negative, so what is owed to somebody stands as a negative sum. What must not be put here: why money moves, who decided
it, and anything that reads a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BANK, DEPOSITS, SUSPENSE, TRANSIT, INTEREST = "bank", "deposits", "suspense", "in_transit", "interest_payable"
TREASURY, TENDEREE, PERFORMANCE = "forfeited_treasury", "forfeited_tenderee", "performance"
BANK_INTEREST, CENTRE = "bank_interest", "centre"


@dataclass(frozen=True)
class Account:
    """``sign``: 1 for what we have, -1 for what we owe, 0 for a settlement that may stand on either side. ``item``: what its
    sub-accounts are, "" for none."""

    code: str
    zh: str
    en: str
    sign: int
    item: str = ""


CHART: dict[str, Account] = {
    account.code: account
    for account in (
        Account(BANK, "银行存款", "pooled account at the bank", 1),
        Account(DEPOSITS, "应退投标保证金", "deposits owed, one sub-account a demand", -1, "sub-account"),
        Account(SUSPENSE, "待查款项", "money of nobody known yet", -1, "receipt"),
        Account(TRANSIT, "在途退款", "refunds ordered, not yet on a statement", -1, "refund"),
        Account(INTEREST, "应付利息及占用费", "interest and late fees ordered with a refund", -1, "refund"),
        Account(TREASURY, "不予退还（上缴国库）", "forfeited to the treasury", -1, "sub-account"),
        Account(TENDEREE, "不予退还（归招标人）", "forfeited to the tenderee", -1, "sub-account"),
        Account(PERFORMANCE, "转作履约保证金", "converted into performance deposits", -1, "sub-account"),
        Account(BANK_INTEREST, "银行结息", "interest: what the bank pays against what we pay", 0),
        Account(CENTRE, "中心承担", "charges and late fees the centre bears, and what it pays in for them", 0),
    )
}
HELD = (DEPOSITS, SUSPENSE, TRANSIT)
"""Principal still in our hands: owed, unidentified, or under way to its payer."""
FORFEITED = (TREASURY, TENDEREE)
KEPT_BY = {"treasury": TREASURY, "tenderee": TENDEREE}
"""The account of whoever a kept deposit goes to, by the word of the procedure."""


@dataclass(frozen=True)
class Line:
    """One posting: ``amount`` in fen, debit positive."""

    account: str
    item: str
    amount: int


Lines = tuple[Line, ...]


def entry(*lines: tuple[str, str, int]) -> Lines:
    """Lines without the empty ones. Raises ValueError when they do not add up, or name no account of the chart: a defect, not a refusal."""
    made = tuple(Line(*line) for line in lines if line[2] != 0)
    if not made or sum(line.amount for line in made) != 0:
        raise ValueError("an entry must move something and add up to nothing")
    for line in made:
        if bool(CHART[line.account].item) != bool(line.item):
            raise ValueError(f"account {line.account} and item {line.item!r} do not fit")
    return made


def brought_forward(amount: int) -> Lines:
    """What lay on the account before its first statement here: the centre's, until it says otherwise."""
    return entry((BANK, "", _positive(amount)), (CENTRE, "", -amount))


def received(sub_account: str, amount: int) -> Lines:
    """A payment with a known sub-account."""
    return entry((BANK, "", _positive(amount)), (DEPOSITS, sub_account, -amount))


def unidentified(receipt: str, amount: int) -> Lines:
    """A payment whose sub-account nobody knows (rule D-29)."""
    return entry((BANK, "", _positive(amount)), (SUSPENSE, receipt, -amount))


def identified(receipt: str, sub_account: str, amount: int) -> Lines:
    """A payment in suspense is found to belong to a sub-account."""
    return entry((SUSPENSE, receipt, _positive(amount)), (DEPOSITS, sub_account, -amount))


def explained(receipt: str, account: str, amount: int) -> Lines:
    """A payment in suspense is no deposit but the bank's interest, or money the centre paid in."""
    if account not in (BANK_INTEREST, CENTRE):
        raise ValueError(f"not a settlement account: {account}")
    return entry((SUSPENSE, receipt, _positive(amount)), (account, "", -amount))


def charged(amount: int) -> Lines:
    """The bank took a charge; the centre bears it, never a deposit."""
    return entry((CENTRE, "", _positive(amount)), (BANK, "", -amount))


def ordered(source: str, item: str, refund: str, principal: int, *, interest: int = 0, fee: int = 0) -> Lines:
    """A refund is sent to the bank: principal from where it is owed, interest from the bank's interest, the late fee from the centre."""
    if source not in (DEPOSITS, SUSPENSE):
        raise ValueError(f"no refund comes from {source}")
    return entry(
        (source, item, _positive(principal)),
        (TRANSIT, refund, -principal),
        (BANK_INTEREST, "", interest),
        (CENTRE, "", fee),
        (INTEREST, refund, -interest - fee),
    )


def confirmed(refund: str, principal: int, extra: int = 0) -> Lines:
    """The statement shows the payment: ``extra`` is interest and fee together."""
    return entry((TRANSIT, refund, _positive(principal)), (INTEREST, refund, extra), (BANK, "", -principal - extra))


def bounced(refund: str, principal: int, extra: int = 0) -> Lines:
    """The bank gave the payment back: it is under way again, not owed anew, so nothing can be paid twice."""
    return tuple(Line(line.account, line.item, -line.amount) for line in confirmed(refund, principal, extra))


def forfeited(sub_account: str, amount: int, to: str) -> Lines:
    """Money that is kept, by decision (rules D-40 to D-45)."""
    if to not in FORFEITED:
        raise ValueError(f"nobody gets forfeits as {to}")
    return entry((DEPOSITS, sub_account, _positive(amount)), (to, sub_account, -amount))


def converted(sub_account: str, amount: int) -> Lines:
    """The winner's bid deposit becomes its performance deposit (rulebook §4.5)."""
    return entry((DEPOSITS, sub_account, _positive(amount)), (PERFORMANCE, sub_account, -amount))


def overdrawn(account: str, balance: int) -> bool:
    """Whether the sum of an account, or of one of its items, stands on the wrong side."""
    return CHART[account].sign * balance < 0


def _positive(amount: int) -> int:
    if amount <= 0:
        raise ValueError("an amount that moves is more than nothing")
    return amount


# --- totals -----------------------------------------------------------------------------------------------------------

RECEIVING = ("received", "unidentified", "identified", "explained")
PAYING = ("confirmed", "bounced")
KINDS = (*RECEIVING, *PAYING, "brought_forward", "charged", "ordered", "forfeited", "converted")
"""Every kind of entry: the name of the function that makes it."""


@dataclass(frozen=True)
class Totals:
    """All in fen. ``balanced``: received = refunded + forfeited + converted + held; interest (late fees included) stands apart."""

    received: int
    refunded: int
    forfeited: int
    converted: int
    held: int
    interest: int

    @property
    def balanced(self) -> bool:
        return self.received == self.refunded + self.forfeited + self.converted + self.held


def totals(turnover: Iterable[tuple[str, str, int]]) -> Totals:
    """The totals from (kind of entry, account, sum of its lines). ``held`` is the balance of the accounts, the others are what moved, so
    that ``balanced`` compares two ways of counting."""
    rows = list(turnover)

    def moved(kinds: Iterable[str], accounts: Iterable[str]) -> int:
        among, of = set(kinds), set(accounts)
        return sum(amount for kind, account, amount in rows if kind in among and account in of)

    return Totals(
        received=-moved(RECEIVING, (DEPOSITS, SUSPENSE)),
        refunded=moved(PAYING, (TRANSIT,)),
        forfeited=-moved(("forfeited",), FORFEITED),
        converted=-moved(("converted",), (PERFORMANCE,)),
        held=-moved(KINDS, HELD),
        interest=moved(PAYING, (INTEREST,)),
    )
