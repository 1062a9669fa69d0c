"""What a deposit may be, when it goes back, and what it earns: pure rules, the numbers read from the rulebook
(rulebook §4).

Amounts are `Money` and rates exact numbers; caps are cut to the fen, interest and fees are rounded once, half up. No
clock and no database: the days are given. What must not be put here: who decides a forfeiture, and anything that
posts to the ledger.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from trading.kernel import exact
from trading.kernel.calendar import Term, WorkingDayCalendar, packaged_calendar
from trading.kernel.errors import Invalid
from trading.kernel.exact import BadValue, Rounding, take
from trading.kernel.money import Money
from trading.rulebook import Rule, Rulebook, select

Number = Fraction | Decimal | int | str
REFUNDED = "deposit_refunded"


# --- caps (D-01 to D-03) ----------------------------------------------------------------------------------------------


def bid_deposit_cap(book: Rulebook, base: Money, category: str | None = None) -> Money:
    """The largest bid deposit: a share of budget (GP) or estimate (works), and the absolute cap of the category
    (D-01, D-02).

    `category`: works_construction, works_goods or survey_design; None knows no absolute cap. Cut to the fen.
    """
    caps = [
        base.portion(rule.number, Rounding.DOWN) if rule.unit == "rate" else Money.rounded(rule.number, base.currency)
        for rule in _bid_caps(book, category)
    ]
    return min(caps)


def _bid_caps(book: Rulebook, category: str | None) -> list[Rule]:
    return [
        rule for rule in book.about("bid_deposit", category=category, kind="MAX") if category or not rule.categories
    ]


def performance_deposit_cap(book: Rulebook, contract_price: Money) -> Money:
    """The largest performance deposit: a share of the contract price, cut to the fen (D-03)."""
    return contract_price.portion(book.rule("D-03").number, Rounding.DOWN)


def refuse_above_cap(book: Rulebook, asked: Money, base: Money, category: str | None = None) -> None:
    """Refuses: Invalid deposit.above_cap for a bid deposit above what the law allows."""
    cap = bid_deposit_cap(book, base, category)
    if asked > cap:
        raise Invalid("deposit.above_cap", amount=asked, cap=cap, base=base, rule="D-01")


# --- when money goes back (D-20 to D-25) ------------------------------------------------------------------------------


@dataclass(frozen=True)
class RefundDue:
    """When a deposit must be back: `term.day` is the last day; None means promptly. `interest`: bank interest is owed
    with it."""

    rule: Rule
    event: str
    term: Term | None

    @property
    def day(self) -> dt.date | None:
        return self.term.day if self.term else None

    @property
    def interest(self) -> bool:
        return self.rule.interest


def refund_due(book: Rulebook, event: str, on: dt.date, calendar: WorkingDayCalendar) -> RefundDue:
    """The last day for the refund that an event of the Beijing day `on` calls for.

    Events: withdrawn_before_deadline, tender_terminated, tender_failed; GP: award_notice_sent_losers,
    contract_signed_winner, left_before_final_quote; works: contract_signed_all. Refuses: Invalid
    deposit.event_unknown, calendar.year_unknown.
    """
    rules = book.about(REFUNDED, anchor=event, kind="MAX")
    if not rules:
        raise Invalid("deposit.event_unknown", event=event, regime=book.regime)
    return RefundDue(rules[0], event, rules[0].term(on, calendar))


def overdue_days(due: dt.date, paid: dt.date) -> int:
    """Days after the last lawful day, the day of payment included; 0 when it was in time (D-52)."""
    return max(0, (paid - due).days)


# --- interest and late fee (D-50 to D-53) -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    """A time at one rate: `since` counts, `until` does not."""

    since: dt.date
    until: dt.date
    annual_rate: Fraction

    @property
    def days(self) -> int:
        return (self.until - self.since).days


def segments(since: dt.date, until: dt.date, rates: Mapping[dt.date, Number]) -> list[Segment]:
    """The time from value date to refund date, cut at each change of rate. `rates`: first day in force → annual rate.

    Refuses: Invalid interest.dates_reversed, interest.rate_missing (none in force on `since`).
    """
    if until < since:
        raise Invalid("interest.dates_reversed", since=since, until=until)
    starts = sorted(rates)
    if not starts or starts[0] > since:
        raise Invalid("interest.rate_missing", day=since)
    current = max(start for start in starts if start <= since)
    cuts = [since, *(start for start in starts if since < start < until), until]
    found = []
    for begin, end in pairwise(cuts):
        current = begin if begin in rates else current
        found.append(Segment(begin, end, exact.exact(rates[current])))
    return found


def interest(principal: Money, held: Sequence[Segment], basis: int = 360) -> Money:
    """principal x rate x days / basis over all segments, rounded once (D-53).

    Refuses: Invalid interest.dates_reversed, interest.gap (a segment that does not start where the last one ended).
    """
    _check_segments(held)
    return Money.rounded(_interest(principal.fraction, held, basis), principal.currency)


def _check_segments(held: Sequence[Segment]) -> None:
    for segment in held:
        if segment.until < segment.since:
            raise Invalid("interest.dates_reversed", since=segment.since, until=segment.until)
    for before, after in pairwise(held):
        if before.until != after.since:
            raise Invalid("interest.gap", until=before.until, since=after.since)


def _interest(principal: Fraction, held: Sequence[Segment], basis: int) -> Fraction:
    return sum((principal * segment.annual_rate * segment.days / basis for segment in held), Fraction(0))


def late_fee(book: Rulebook, principal: Money, base_loan_rate: Number, overdue: int, basis: int = 360) -> Money:
    """What a late refund costs: the base loan rate plus 20 percent for the days overdue (D-52, GP).

    Refuses: NotFound rulebook.rule_unknown in works, where no such fee is named.
    """
    rate = exact.exact(base_loan_rate) * book.rule("D-52").number
    return Money.rounded(principal.fraction * rate * overdue / basis, principal.currency)


# --- conversion (4.5) -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conversion:
    """A bid deposit turned into a performance deposit: what is needed, what the winner adds, what goes back."""

    performance_required: Money
    top_up: Money
    refund: Money


def convert(book: Rulebook, bid_deposit: Money, contract_price: Money, performance_rate: Number) -> Conversion:
    """Turn the winner's bid deposit into the performance deposit. Refuses: Invalid deposit.performance_above_cap
    (D-03)."""
    rate, cap = exact.exact(performance_rate), book.rule("D-03").number
    if not 0 <= rate <= cap:
        raise Invalid("deposit.performance_above_cap", rate=exact.written(rate * 100), cap=exact.written(cap * 100))
    required = contract_price.portion(rate)
    rest = bid_deposit - required
    nothing = Money.zero(required.currency)
    return Conversion(required, -rest if rest.is_negative else nothing, rest if rest.is_positive else nothing)


# --- recompute --------------------------------------------------------------------------------------------------------
# A vector may name any number of decimals, so these calculate in fractions; a test holds them and the rules above together.

Params = Mapping[str, Any]
_LATEST = {"GP": dt.date(2026, 1, 1), "WORKS": dt.date(2026, 1, 1)}
"""The day whose rulebook the vectors mean; the numbers of deposits have not changed since."""

_LISTED = {
    "gp": ("withdrawn_before_deadline", "award_notice_sent_losers", "contract_signed_winner", "tender_terminated"),
    "works": ("withdrawn_before_deadline", "contract_signed_all", "tender_terminated"),
}
_CATEGORIES = {
    "gp": ("GP", None),
    "works_construction": ("WORKS", "works_construction"),
    "works_goods": ("WORKS", "works_goods"),
    "survey_design": ("WORKS", "survey_design"),
}


def _book(regime: str) -> Rulebook:
    return select(regime, _LATEST[regime])


def _basis(params: Params) -> int:
    return int(take(params, "basis", exact.word("360", "365"), default="360"))


def bid_cap(params: Params, inputs: Params) -> dict[str, Any]:
    """deposit.bid_cap (D-01, D-02)."""
    caps = []
    for place, case in enumerate(exact.cases(inputs)):
        where = f"cases[{place}]"
        regime, category = _CATEGORIES[take(case, "regime", exact.word(*_CATEGORIES), where)]
        base = take(case, "base", exact.price, where)
        rules = _bid_caps(_book(regime), category)
        cap = min(base * rule.number if rule.unit == "rate" else rule.number for rule in rules)
        caps.append(exact.written(cap, 2, Rounding.DOWN))
    return {"caps": caps}


def performance_cap(params: Params, inputs: Params) -> dict[str, Any]:
    """deposit.performance_cap (D-03)."""
    cap = take(inputs, "contract_price", exact.price) * _book("GP").rule("D-03").number
    return {"cap": exact.written(cap, 2, Rounding.DOWN)}


def demand_interest(params: Params, inputs: Params) -> dict[str, Any]:
    """deposit.demand_interest (D-53)."""
    principal, rate = take(inputs, "principal", exact.amount), take(inputs, "annual_rate", exact.rate)
    held = Segment(take(inputs, "value_date", exact.day), take(inputs, "refund_date", exact.day), rate)
    if held.days < 0:
        raise BadValue("dates_reversed", "refund_date", "not before the value date")
    return {"days": held.days, "interest": exact.written(_interest(principal, [held], _basis(params)))}


def _segment(value: object, where: str) -> Segment:
    row = exact.record(value, where)
    found = Segment(
        take(row, "from", exact.day, where),
        take(row, "to", exact.day, where),
        take(row, "annual_rate", exact.rate, where),
    )
    if found.days < 0:
        raise BadValue("dates_reversed", where, "to is not before from")
    return found


def demand_interest_segments(params: Params, inputs: Params) -> dict[str, Any]:
    """deposit.demand_interest_segments (D-53)."""
    principal = take(inputs, "principal", exact.amount)
    held = take(inputs, "segments", exact.list_of(_segment, at_least=1))
    for place, (before, after) in enumerate(pairwise(held), start=1):
        if before.until != after.since:
            raise BadValue("segment_gap", f"segments[{place}].from", "the day the last segment ended")
    return {"days": [one.days for one in held], "interest": exact.written(_interest(principal, held, _basis(params)))}


def late_fee_method(params: Params, inputs: Params) -> dict[str, Any]:
    """deposit.late_fee (D-52)."""
    principal, rate = take(inputs, "principal", exact.amount), take(inputs, "base_loan_rate", exact.rate)
    overdue = take(inputs, "overdue_days", exact.count(0))
    effective = rate * _book("GP").rule("D-52").number
    fee = principal * effective * overdue / _basis(params)
    return {"effective_rate": exact.written_exactly(effective), "fee": exact.written(fee)}


def convert_method(params: Params, inputs: Params) -> dict[str, Any]:
    """deposit.convert (4.5): top-up and refund both from the rounded requirement."""
    deposit, contract = take(inputs, "bid_deposit", exact.amount), take(inputs, "contract_price", exact.price)
    share = take(inputs, "performance_rate", exact.between(0, _book("GP").rule("D-03").number))
    required = exact.rounded(contract * share)
    return {
        "performance_required": exact.written(required),
        "top_up": exact.written(max(required - deposit, Fraction(0))),
        "refund": exact.written(max(deposit - required, Fraction(0))),
    }


_SIGNS = {"in": 1, "refund": -1, "interest_accrued": 1, "interest_paid": -1}


def _signed_entry(value: object, where: str) -> Fraction:
    row = exact.record(value, where)
    return _SIGNS[take(row, "t", exact.word(*_SIGNS), where)] * take(row, "amt", exact.amount, where)


def reconciliation(params: Params, inputs: Params) -> dict[str, Any]:
    """deposit.reconciliation (4.6): the ledger of a sub-account against the bank; balanced means a difference of
    exactly nothing."""
    opening, bank = take(inputs, "opening", exact.number), take(inputs, "bank_balance", exact.number)
    ledger = sum(take(inputs, "entries", exact.list_of(_signed_entry)), opening)
    return {
        "ledger_balance": exact.written(ledger),
        "difference": exact.written(bank - ledger),
        "balanced": bank == ledger,
    }


def refund_due_method(params: Params, inputs: Params) -> dict[str, Any]:
    """deposit.refund_due (D-20 to D-23); null means promptly."""
    due: list[str | None] = []
    for place, case in enumerate(exact.cases(inputs)):
        where = f"cases[{place}]"
        regime = take(case, "regime", exact.word(*_LISTED), where)
        event = take(case, "event", exact.word(*_LISTED[regime]), where)
        on = take(case, "date", exact.day, where)
        try:
            day = refund_due(_book(regime.upper()), event, on, packaged_calendar()).day
        except Invalid as refusal:
            raise BadValue(refusal.code.replace(".", "_"), where, str(refusal)) from refusal
        due.append(None if day is None else day.isoformat())
    return {"due": due}


METHODS: dict[str, exact.Answer] = {
    "deposit.bid_cap": bid_cap,
    "deposit.performance_cap": performance_cap,
    "deposit.demand_interest": demand_interest,
    "deposit.demand_interest_segments": demand_interest_segments,
    "deposit.late_fee": late_fee_method,
    "deposit.convert": convert_method,
    "deposit.reconciliation": reconciliation,
    "deposit.refund_due": refund_due_method,
}
