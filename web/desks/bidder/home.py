"""The bidder's first page: the running clock, losses with an open remedy, what is next, money on its way back, two weeks, our lots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from deposits.views.own_lots import OwnLot, own_lots
from trading.bidding import bids
from trading.kernel.access import Act
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony
from trading.procedures import procedure_of
from trading.views import lot_cards
from web.desks.bidder import agenda
from web.desks.bidder.duties import duties, invitation_duties, objection_duties
from web.desks.bidder.losses import losses
from web.desks.bidder.room import SEE, bidder, can, lang, own_lot, zone
from web.desks.hall.cards import said_of
from web.desks.hall.law import OBJECTION, with_law
from web.desks.parts import letters
from web.http.forms import Form
from web.http.gate import reading, render
from web.http.layout import Duty, Tick, sorted_duties, sun_line
from web.words import formatting

MOST = 8
LINE_FIELDS = 3
LETTERS = 4


@dataclass(frozen=True)
class Line:
    """Our line of an opening whose window runs, or ran out today. ``same``: it is the file of our receipt. ``said``: what we said."""

    ref: str
    title: str
    place: str
    until: datetime
    running: bool
    price: Money | None
    read: tuple[tuple[str, str], ...]
    receipt: str
    same: bool
    said: tuple[str, ...]
    law: str


@bidder.page("", needs=SEE)
def index() -> str:
    with reading() as view:
        lots = own_lots(view)
        lines = windows(view, lots)
        clock, more = lines[:1], lines[1:]
        lost = losses(view, lots)
        coming, days = agenda.expected(lots), agenda.dates(view, lots)
        held_up = {line.ref for line in clock if line.running}
        under_way, today = _today(view, lots)
        others_due = [
            one for one in duties(view, lots) if not any(one.href == f"/bidder/lots/{ref}/opening" for ref in held_up)
        ]
        mine = {one.card.ref for one in lots}
        asked = [*others_due, *today, *objection_duties(view), *invitation_duties(view, mine)]
        todo = [*under_way, *sorted_duties(asked, view.now)]
        others = [
            card
            for card in lot_cards.published_lots(view, states=("NOTICE", "BIDDING"), limit=MOST)
            if card.ref not in mine
            and procedure_of(card).invitation is None
            and card.deadline is not None
            and card.deadline > view.now
        ]
        ticks = [Tick(one.at, one.text, due=True) for one in days]
        day = sun_line(view.now, ticks, lang=lang(), zone=zone())
        fortnight = agenda.fortnight(view, days, coming)
        ahead = next((one for one in days if one.at > view.now), None)
        rows = [
            (one, agenda.bar_of(one, view.now), agenda.own_tags(one, view.now), agenda.next_date(one, view.now))
            for one in lots
            if not agenda.is_over(one)
        ][:MOST]
        mail = letters.excerpt(view, LETTERS)
        at = view.now
    return render(
        "bidder/index.html",
        todo=todo,
        clock=clock[0] if clock else None,
        more_clocks=more,
        lost=lost[:1],
        more_lost=lost[1:],
        coming=coming,
        in_trust=agenda.in_trust(lots),
        total=Money(sum(one.total.minor for one in coming)),
        fortnight=fortnight,
        rows=rows,
        lots=lots,
        others=others,
        mail=mail,
        day=day,
        ahead=ahead,
        now=at,
        form=Form.blank(),
        can_confirm=can(Act.OPENING_CONFIRM),
    )


def windows(view: View, lots: list[OwnLot]) -> list[Line]:
    """Openings of ours in which we may say something now, the nearest end first; else the one whose window ran out today."""
    running = [
        one
        for one in lots
        if one.verdict
        and one.confirm_until is not None
        and one.opening == "OPENED"
        and view.now <= one.confirm_until
        and not one.said
    ]
    if running:
        return [_line(view, one, True) for one in sorted(running, key=lambda one: one.confirm_until or view.now)]
    today = agenda.start_of_day(view.now)
    past = [
        one
        for one in lots
        if one.verdict
        and one.confirm_until is not None
        and one.opening in ("OPENED", "SIGNED", "CLOSED")
        and (today <= one.confirm_until < view.now or (one.said and one.opening == "OPENED"))
    ]
    return [
        _line(view, one, False) for one in sorted(past, key=lambda one: one.confirm_until or view.now, reverse=True)[:1]
    ]


def _line(view: View, one: OwnLot, running: bool) -> Line:
    row, taking = own_lot(view, one.card.ref)
    found = ceremony.current(view.session, row)
    assert found is not None and one.confirm_until is not None
    line = ceremony.own_opened(view, found)
    assert line is not None
    label = "label" if lang() == "zh" else "label_en"
    read = [
        (field.get(label) or field["label"], said_of(field, line.announce.get(field["key"], "–")))
        for field in row.form
        if field["type"] not in ("file", "money") and field["key"] in line.announce
    ]
    stands = bids.standing(view.session, taking.id, found.part)
    return Line(
        one.card.ref,
        one.card.title,
        one.card.place,
        one.confirm_until,
        running,
        Money(line.price_minor) if line.price_minor is not None else None,
        tuple(read[:LINE_FIELDS]),
        one.bid.c if one.bid is not None else "",
        stands is not None and stands.bid.header_hash == line.header_hash,
        one.said,
        with_law(one.card, OBJECTION),
    )


def _today(view: View, lots: list[OwnLot]) -> tuple[list[Duty], list[Duty]]:
    """(under way, still to come): the openings of today; where one's own line is known, the page of it says the rest."""
    going, coming = [], []
    for one in lots:
        at, ref = one.card.opens_at, one.card.ref
        if (
            at is None
            or one.left_at is not None
            or one.card.state in ("FAILED", "TERMINATED")
            or one.opening in ("SIGNED", "CLOSED")
        ):
            continue
        if at.astimezone(zone()).date() != view.now.astimezone(zone()).date() or one.verdict:
            continue
        if view.now < at:
            basis = _("Sign in to the hall from here; your own line shows on its page once the bids are open.")
            coming.append(
                Duty(
                    _("Opening today: %(title)s", title=one.card.title),
                    f"/hall/{ref}",
                    until=at,
                    basis=basis,
                    act=_("To the hall"),
                )
            )
        else:
            basis = (
                _("Your own line shows on its page once the bids are open; then you confirm it or object.")
                if one.bid is not None
                else _("You handed nothing in; anybody may watch.")
            )
            going.append(
                Duty(
                    _("Opening under way: %(title)s", title=one.card.title),
                    f"/bidder/lots/{ref}/opening",
                    when=_("since %(at)s", at=formatting.moment_short(at, lang(), zone(), now=view.now)),
                    basis=basis,
                    act=_("Watch it"),
                )
            )
    return going, coming
