"""The wall of the centre: today's openings by hall and hour, on one dark screen for whoever comes in.

    anybody   GET  /hall/wall       ``?page=2`` where the day has more than fits; each page comes anew by itself and leads to the next

An opening's hour and place are public from its notice on. Review rooms are not on it: that a panel sits, and where, is told to its
members alone until the result names it (rules P-12, P-13).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trading.kernel.work import View
from trading.views import hall_queries
from trading.views.lot_cards import LotCard
from web import words
from web.desks.hall.room import hall, zone
from web.http.gate import reading, render, request
from web.http.page_rules import ANYONE
from web.http.refusals import language
from web.words import formatting

WIDTH, LEFT, TOP, LANE, BOX = 1372, 250, 34, 66, 57
"""Units of the drawing: its width, where the hours begin, where the lanes begin, from lane to lane, height of a box."""
LANES = 9
"""Lanes of a page."""
FIRST, LAST = 8, 18
"""Hours shown at least."""
USUAL = timedelta(hours=1)
"""How long an opening is drawn while nobody knows."""
TITLE, ROOM = 2000, 1150
"""Most letters, in hundredths of a Chinese one: of a title, of a line of a room's name."""
KINDS = {"BEFORE": "next", hall_queries.FAILED: "off", "SIGNED": "done", "CLOSED": "done"}


@dataclass(frozen=True)
class Slot:
    """An opening of today. ``kind``: next, live, done or off (failed); ``x``, ``y``, ``width``: its box in the drawing."""

    card: LotCard
    step: str
    kind: str
    title: str
    note: str
    x: int
    y: int
    width: int


@dataclass(frozen=True)
class Room:
    """``lines``: its name in at most two lines; ``y``: of its first lane."""

    lines: tuple[str, ...]
    y: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Day:
    """``hours``: (x, text) of the axis; ``now_x``: None outside the hours drawn; ``next``: the opening that comes next, today or later."""

    rooms: tuple[Room, ...]
    listed: tuple[Slot, ...]
    hours: tuple[tuple[int, str], ...]
    height: int
    now_x: int | None
    live: tuple[tuple[LotCard, str], ...]
    next: LotCard | None
    next_is_today: bool
    page: int
    pages: int


@hall.page("/wall", needs=ANYONE)
def wall() -> str:
    with reading() as view:
        shown = day_of(view)
    return render("hall/wall.html", day=shown)


def day_of(view: View) -> Day:
    here = view.now.astimezone(zone())
    rows = hall_queries.openings_ahead(view, zone())
    of_day = [
        (card, step) for card, step in rows if card.opens_at and card.opens_at.astimezone(zone()).date() == here.date()
    ]
    coming = next(
        (card for card, step in rows if step == "BEFORE" and card.opens_at and card.opens_at > view.now), None
    )
    starts = [card.opens_at.astimezone(zone()) for card, _step in of_day if card.opens_at]
    first, last = min([FIRST, *(one.hour for one in starts)]), max([LAST, *(min(one.hour + 2, 24) for one in starts)])

    def x_of(moment: datetime) -> int:
        local = moment.astimezone(zone())
        minutes = local.hour * 60 + local.minute if local.date() == here.date() else 24 * 60
        return LEFT + (minutes - first * 60) * (WIDTH - LEFT) // ((last - first) * 60)

    pages, drawn = _laid_out(of_day, view.now, x_of)
    asked = request.args.get("page", "")
    page = min(max(int(asked), 1), len(pages)) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 1
    rooms = tuple(pages[page - 1])
    lanes = max([5] + [(slot.y - TOP) // LANE + 1 for room in rooms for slot in room.slots])
    hours = tuple(
        (x_of(here.replace(hour=hour, minute=0)) if hour < 24 else WIDTH, f"{hour:02}:00")
        for hour in range(first, last + 1)
    )
    return Day(
        rooms,
        tuple(sorted(drawn, key=lambda one: (one.card.opens_at or view.now, one.card.ref))),
        hours,
        TOP + lanes * LANE,
        x_of(view.now) if first <= here.hour < last else None,
        tuple((card, step) for card, step in hall_queries.running_openings(view) if step not in KINDS),
        coming,
        bool(coming and coming.opens_at and coming.opens_at.astimezone(zone()).date() == here.date()),
        page,
        len(pages),
    )


def _laid_out(rows: list[tuple[LotCard, str]], moment: datetime, x_of: Any) -> tuple[list[list[Room]], list[Slot]]:
    """The rooms, page by page, and every slot of the day. Openings of a room that would cover each other stand in lanes of their own."""
    by_room: dict[str, list[tuple[LotCard, str]]] = {}
    for card, step in rows:
        by_room.setdefault(card.place or "–", []).append((card, step))
    pages: list[list[Room]] = [[]]
    everything: list[Slot] = []
    at = 0
    for place in sorted(by_room):
        ends: list[int] = []
        boxes: list[tuple[int, tuple[LotCard, str], int, int]] = []
        for card, step in by_room[place]:
            x, width = _box(card, step, moment, x_of)
            lane = next((lane for lane, end in enumerate(ends) if end < x), len(ends))
            ends[lane : lane + 1] = [x + width + 6]
            boxes.append((lane, (card, step), x, width))
        if at and at + len(ends) > LANES:
            pages.append([])
            at = 0
        slots = tuple(_slot(card, step, x, TOP + (at + lane) * LANE, width) for lane, (card, step), x, width in boxes)
        pages[-1].append(Room(_lines(place), TOP + at * LANE, slots))
        everything += slots
        at += len(ends)
    return pages, everything


def _box(card: LotCard, step: str, moment: datetime, x_of: Any) -> tuple[int, int]:
    """From the opening's hour to its usual end, or to now while it is going on; never narrower than its words, never past the edge."""
    assert card.opens_at is not None
    end = card.opens_at + USUAL
    if step not in KINDS:
        end = max(end, moment)
    x, letters = x_of(card.opens_at), max(_letters(_title(card)) * 20, _letters(_note(card, step)) * 17) // 100
    width = min(max(x_of(end) - x, letters + 20), WIDTH - LEFT)
    return min(x, WIDTH - width), width


def _slot(card: LotCard, step: str, x: int, y: int, width: int) -> Slot:
    return Slot(card, step, KINDS.get(step, "live"), _title(card), _note(card, step), x, y, width)


def _title(card: LotCard) -> str:
    return _cut(card.title, TITLE)


def _note(card: LotCard, step: str) -> str:
    assert card.opens_at is not None
    return f"{formatting.hour(card.opens_at, zone())[:5]} · {words.state('hall_step', step, language()).text}"


def _letters(text: str) -> int:
    """Its length in hundredths of a Chinese letter."""
    return sum(100 if ord(letter) > 0x2E7F else 56 for letter in text)


def _cut(text: str, most: int) -> str:
    kept = text
    while _letters(kept) > most:
        kept = kept[:-1]
    return kept if kept == text else kept[:-1] + "…"


def _lines(place: str) -> tuple[str, ...]:
    if _letters(place) <= ROOM:
        return (place,)
    first = place
    while _letters(first) > ROOM:
        first = first[:-1]
    return first, _cut(place[len(first) :].strip(), ROOM)
