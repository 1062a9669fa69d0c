"""Following a lot: signed in, into the inbox; without, by an Atom feed of the lot and its dates as iCalendar. Nobody sees who does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from flask import Response
from flask_babel import gettext as _

from trading.kernel.access import Act
from trading.kernel.clock import write_moment
from trading.kernel.work import UnitOfWork
from trading.tendering import follows, notices
from trading.views import lot_cards, public_queries
from trading.views.lot_cards import LotCard
from web import words
from web.desks.public.words import attachment, lang, page
from web.http.forms import Form
from web.http.gate import Desk, office, reading, request
from web.http.page_rules import ANYONE

desk = Desk("follow")


@desk.page("/followed", needs=Act.ACCOUNT_OWN)
def followed() -> str:
    """One's own list."""
    with reading() as view:
        lots = [lot_cards.card_of(view, lot) for lot in follows.own(view) if lot.published_at is not None]
    return page("public/followed.html", lots=lots, form=Form.blank())


@desk.act("/lots/<ref>/acts/follow", needs=Act.ACCOUNT_OWN)
def follow(unit: UnitOfWork, _form: Form, ref: str) -> str:
    follows.follow(unit, public_queries.published_lot(unit, ref))
    return f"/lots/{ref}#follow"


@desk.act("/lots/<ref>/acts/unfollow", needs=Act.ACCOUNT_OWN)
def unfollow(unit: UnitOfWork, form: Form, ref: str) -> str:
    follows.unfollow(unit, public_queries.published_lot(unit, ref))
    return "/followed" if form.typed.get("from") == "list" else f"/lots/{ref}#follow"


@desk.page("/lots/<ref>/feed.xml", needs=ANYONE)
def feed(ref: str) -> Response:
    """Atom (RFC 4287) of one lot: every notice of it, newest first."""
    with reading() as view:
        row = public_queries.published_lot(view, ref)
        listed = notices.of_lot(view.session, row)[::-1]
        card = lot_cards.card_of(view, row)
    text = page(
        "public/lot_feed.html",
        base=request.host_url.rstrip("/"),
        card=card,
        notices=listed,
        moment=write_moment,
        updated=write_moment(listed[0].published_at if listed else row.published_at or office().clock.now()),
    )
    return Response(text, mimetype="application/atom+xml")


@desk.page("/lots/<ref>/dates.ics", needs=ANYONE)
def dates(ref: str) -> Response:
    """The public dates of a lot as iCalendar (RFC 5545)."""
    with reading() as view:
        row = public_queries.published_lot(view, ref)
        card, told = lot_cards.card_of(view, row), public_queries.outcome(view, row)
        at = view.now
    moments = [
        ("questions", _("Questions until"), card.clarify_until),
        ("deadline", _("Bid deadline"), card.deadline),
        ("opening", _("Opening"), card.opens_at),
        ("objections", _("Last moment to object to the result"), told.object_until),
    ]
    held = [(code, label, moment) for code, label, moment in moments if moment is not None]
    return attachment(
        ical(card, held, at, request.host_url.rstrip("/")).encode(), f"{ref}.ics", "text/calendar; charset=utf-8"
    )


def ical(card: LotCard, held: list[tuple[str, str, datetime]], at: datetime, base: str) -> str:
    """A calendar of moments; lines of at most 75 octets, as the format wants."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Bidhall//Lot dates//EN", "CALSCALE:GREGORIAN"]
    for code, label, moment in held:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{card.ref}-{code}@bidhall",
            f"DTSTAMP:{_utc(at)}",
            f"DTSTART:{_utc(moment)}",
            f"SUMMARY:{_escaped(f'{label} · {card.title}')}",
            f"DESCRIPTION:{_escaped(words.state('lot', card.state, lang()).text)}",
            *([f"LOCATION:{_escaped(card.place)}"] if code == "opening" and card.place else []),
            f"URL:{base}/lots/{card.ref}",
            "END:VEVENT",
        ]
    return "".join(f"{part}\r\n" for line in [*lines, "END:VCALENDAR"] for part in _folded(line))


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n").replace("\r", "")


def _folded(line: str) -> Iterator[str]:
    """The line in pieces of at most 75 octets, cut between characters; every piece but the first begins with a space."""
    piece = ""
    for letter in line:
        if len((piece + letter).encode()) > 75:
            yield piece
            piece = " "
        piece += letter
    yield piece
