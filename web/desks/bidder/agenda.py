"""The bidder's days: what falls on which of the next fourteen, which money comes back when, how far each lot is. Own dates only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask_babel import gettext as _
from flask_babel import pgettext

from deposits.views.own_lots import OwnLot
from deposits.views.queries import RefundCard
from trading.kernel.errors import Invalid
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.rulebook import calendars
from web.desks.bidder.duties import OVER
from web.desks.bidder.room import lang, zone
from web.words import formatting

DAYS = 14
COMING = ("DUE", "REFUND_DRAFT", "REFUND_CHECKED", "SENT", "HELD")
STAGES = 8
PLACE = {
    "NOTICE": 0,
    "BIDDING": 1,
    "OPENING": 2,
    "QUAL_REVIEW": 3,
    "EVALUATION": 3,
    "REPORT": 4,
    "CANDIDATES": 4,
    "AWARD": 5,
    "RESULT": 5,
    "CONTRACT": 6,
    "FILING": 7,
    "CLOSING": 7,
    "ARCHIVED": 8,
}


@dataclass(frozen=True)
class Date:
    """Something of ours at an hour. ``kind``: sealed (deadline), sun (opening), stop (a remedy's end), act (money, contract)."""

    at: datetime
    text: str
    href: str
    kind: str
    lot: str = ""


@dataclass(frozen=True)
class Day:
    day: date
    today: bool
    rest: bool
    items: tuple[tuple[Date, str], ...]


@dataclass(frozen=True)
class Expected:
    """A refund on its way, with why and by when."""

    lot: str
    href: str
    row: RefundCard
    total: Money


def dates(view: View, lots: list[OwnLot]) -> list[Date]:
    """Everything that has an hour and lies ahead, nearest first; of today also what is past."""
    since = start_of_day(view.now)
    found = [one for lot in lots for one in _of_lot(lot) if one.at >= since]
    return sorted(found, key=lambda one: (one.at, one.text))


def _of_lot(one: OwnLot) -> list[Date]:
    if one.left_at is not None:
        return []
    home, title, card = f"/bidder/lots/{one.card.ref}", one.card.title, one.card
    found = []
    if one.early and card.issue_at is not None:
        found.append(Date(card.issue_at, _("bids taken from: %(lot)s", lot=title), home, "act", title))
    ended = card.state in ("FAILED", "TERMINATED")
    if card.deadline is not None and not ended:
        found.append(Date(card.deadline, _("deadline: %(lot)s", lot=title), home, "sealed", title))
    if card.opens_at is not None and card.opens_at != card.deadline and not ended:
        found.append(Date(card.opens_at, _("opening: %(lot)s", lot=title), f"/hall/{card.ref}", "sun", title))
    if one.confirm_until is not None and one.opening == "OPENED":
        found.append(Date(one.confirm_until, _("confirm until: %(lot)s", lot=title), home + "/opening", "sun", title))
    if one.object_until is not None:
        found.append(
            Date(one.object_until, _("last moment to object: %(lot)s", lot=title), home + "/outcome", "stop", title)
        )
    if one.won and one.contract_by is not None and card.state in ("AWARD", "RESULT"):
        found.append(Date(one.contract_by, _("sign the contract: %(lot)s", lot=title), home + "/outcome", "act", title))
    return found


def next_date(one: OwnLot, now: datetime) -> Date | None:
    """The next hour of one lot."""
    return min((item for item in _of_lot(one) if item.at > now), key=lambda item: item.at, default=None)


def fortnight(view: View, found: list[Date], coming: list[Expected]) -> list[Day]:
    """Today and the thirteen days after it; a day of rest is one by the calendar in force, or a weekend of a year it does not know."""
    calendar, today = calendars.current(view.session), view.now.astimezone(zone()).date()
    days = []
    for n in range(DAYS):
        day = today + timedelta(days=n)
        items = [(one, _hour(one.at, day)) for one in found if _day(one.at) == day]
        money = [
            (Date(view.now, _("back: %(sum)s", sum=formatting.money(one.total, lang())), one.href, "act"), "")
            for one in coming
            if one.row.due_on == day
        ]
        try:
            rest = not calendar.is_working_day(day)
        except Invalid:
            rest = day.weekday() >= 5
        days.append(Day(day, n == 0, rest, (*items, *money)))
    return days


def _day(at: datetime) -> date:
    """The day an hour belongs to; midnight is the end of the day before, as the law counts."""
    return (at.astimezone(zone()) - timedelta(microseconds=1)).date()


def _hour(at: datetime, day: date) -> str:
    local = at.astimezone(zone())
    return f"{local:%H:%M}" if local.date() == day else "24:00"


def start_of_day(now: datetime) -> datetime:
    return now.astimezone(zone()).replace(hour=0, minute=0, second=0, microsecond=0)


# --- money that comes back --------------------------------------------------------------------------------------------


def expected(lots: list[OwnLot]) -> list[Expected]:
    """Refunds of ours that are due or on their way, by due day."""
    found = [
        Expected(one.card.title, f"/bidder/deposits/{one.card.ref}", row, _total(row))
        for one in lots
        if one.deposit is not None
        for row in one.deposit.refunds
        if row.state in COMING
    ]
    return sorted(found, key=lambda one: (one.row.due_on, one.lot))


def in_trust(lots: list[OwnLot]) -> Money:
    """What lies with the centre and has no day to go back yet."""
    return Money(
        sum(
            one.deposit.received.minor
            for one in lots
            if one.deposit is not None
            and one.deposit.received.is_positive
            and not one.deposit.refunds
            and one.deposit.state != "forfeited"
        )
    )


def _total(row: RefundCard) -> Money:
    return Money(sum(part.minor for part in (row.amount, row.interest, row.fee) if part is not None))


# --- how far a lot is -------------------------------------------------------------------------------------------------


def bar_of(one: OwnLot, now: datetime) -> list[str]:
    """Eight stages: on, cur, off, bad."""
    state = one.card.state
    if state in ("FAILED", "TERMINATED"):
        place = 2 if not one.opening else 3
        return ["on"] * place + ["bad"] + ["off"] * (STAGES - place - 1)
    place = PLACE.get(state, 0)
    if state == "BIDDING" and one.card.deadline is not None and now >= one.card.deadline:
        place = 2
    return ["on"] * place + ["cur"] * (place < STAGES) + ["off"] * (STAGES - place - 1)


def own_tags(one: OwnLot, now: datetime) -> list[tuple[str, str]]:
    """Our own state on a lot in one to three words: (words, tone)."""
    if one.left_at is not None:
        return [(_("left the lot"), "plain")]
    found: list[tuple[str, str]] = []
    d = one.deposit
    running = one.open or one.early
    if one.won:
        found.append((_("awarded to us"), "ok"))
    elif one.bid is None:
        found.append((_("not submitted"), "warn" if running else "plain"))
    elif one.missing:
        found.append((_("one envelope missing"), "warn" if running else "stop"))
    else:
        found.append((_("submitted"), "ok"))
    if one.verdict and one.verdict != "opened" and not one.left_sealed:
        found.append((pgettext("bid", "not opened"), "stop"))
    if (
        one.confirm_until is not None
        and one.opening == "OPENED"
        and one.verdict
        and not one.said
        and now <= one.confirm_until
    ):
        found.append((_("to confirm"), "now"))
    if d is not None and one.card.state not in ("FAILED", "TERMINATED"):
        if running and not d.secured:
            found.append((_("deposit not in full") if d.state == "short" else _("deposit not arrived"), "warn"))
        elif d.state in ("none", "short", "late") and one.bid is not None:
            found.append((_("deposit did not count"), "stop"))
    if d is not None and d.state in ("forfeited", "returned"):
        found.append((_("deposit kept") if d.state == "forfeited" else _("refund returned"), "stop"))
    if one.outcome and one.ranked is False and one.bid is not None and not one.won:
        found.append((_("rejected"), "stop"))
    return found


def is_over(one: OwnLot) -> bool:
    return one.card.state in OVER and (one.deposit is None or one.deposit.state in ("back", "none", "unpaid"))
