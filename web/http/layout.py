"""What the frame of a page shows: links, rail, sun line, duties, pages of a list. Plain data; the macros of templates/parts draw it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from web.words import formatting


@dataclass(frozen=True)
class Link:
    """A link in a rail, a band or tabs. ``n`` is a count, red when ``due`` (something is due today or late)."""

    label: str
    href: str
    here: bool = False
    n: int | None = None
    due: bool = False


@dataclass(frozen=True)
class Group:
    title: str
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Column:
    """A table heading. ``sort`` is the key in ``?sort=``; ``sorted`` is ascending, descending or ''."""

    label: str
    num: bool = False
    sort: str = ""
    sorted: str = ""
    href: str = ""


@dataclass(frozen=True)
class Duty:
    """A row of "what needs me now": the duty, its basis, its hour, the one act that settles it (``act``: the words of its button)."""

    text: str
    href: str = ""
    until: datetime | None = None
    when: str = ""
    basis: str = ""
    label: str = ""
    tone: str = ""
    urgency: str = ""
    act: str = ""


def sorted_duties(duties: Iterable[Duty], now: datetime, soon: timedelta = timedelta(days=1)) -> list[Duty]:
    """Nearest deadline first, those without one last; marks what is late and what is soon."""

    def marked(duty: Duty) -> Duty:
        if duty.until is None:
            return duty
        urgency = "late" if duty.until <= now else "soon" if duty.until - now <= soon else ""
        return Duty(**{**duty.__dict__, "urgency": urgency})

    return [marked(d) for d in sorted(duties, key=lambda d: (d.until is None, d.until or now, d.text))]


# --- the sun line -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tick:
    """Something of today on the sun line; ``due`` when a legal limit falls there."""

    at: datetime
    text: str
    due: bool = False


@dataclass(frozen=True)
class _Place:
    """A mark on the line. ``text`` stands beside it: to its right (``start``) or left (``end``), in ``lane`` 0 or, where it is crowded, 1
    above that. ``name`` is always there, for whoever points at the mark."""

    at: str
    text: str
    anchor: str
    due: bool = False
    first: bool = False
    lane: int = 0
    name: str = ""


@dataclass(frozen=True)
class SunLine:
    """Today from 08:00 to 18:00; the sun is now."""

    date: Any
    working: bool
    zone: str
    now_at: str
    now_shown: bool
    hours: tuple[_Place, ...]
    ticks: tuple[_Place, ...]
    spoken: str
    lanes: int = 1


_FIRST, _LAST = 8, 18


def sun_line(now: datetime, ticks: Iterable[Tick], *, lang: str, zone: ZoneInfo, working: bool = True) -> SunLine:
    """Places today's ticks. What lies outside the day's hours or on another day is left out of the picture, never of the duty list."""
    local = now.astimezone(zone)
    begin = datetime.combine(local.date(), time(_FIRST), zone)
    span = timedelta(hours=_LAST - _FIRST)

    def share(moment: datetime) -> int:
        """In hundredths of a percent; whole numbers, so that the same day gives the same picture."""
        return (moment - begin) * 10_000 // span

    here = min(max(share(now), 0), 10_000)
    today = sorted((t for t in ticks if 0 <= share(t.at) <= 10_000), key=lambda t: (t.at, t.text))
    following = next((t for t in today if t.at >= now), None)
    places: dict[int, _Place] = {}
    marks = [share(tick.at) for tick in today]
    taken: list[tuple[int, int, int]] = []  # lane, from, to: labels, and the poles of those above
    for n in sorted(range(len(today)), key=lambda n: (today[n] is not following, not today[n].due, n)):
        tick, at = today[n], share(today[n].at)
        words = f"{formatting.hour(tick.at, zone)[:5]} {tick.text}"
        lane, anchor = _room(at, _HALF * sum(2 if ord(c) > 0x2E80 else 1 for c in words) + 2 * _HALF, marks, taken)
        places[n] = _Place(
            _percent(at), words if anchor else "", anchor or "start", tick.due, tick is following, lane, words
        )
    hours = tuple(
        _Place(_percent(h * 1000), f"{_FIRST + h:02}:00", _anchor(h * 1000)) for h in range(0, _LAST - _FIRST + 1, 2)
    )
    listed = "；".join(f"{formatting.hour(t.at, zone)[:5]} {t.text}" for t in today)
    lead = f"现在 {formatting.hour(now, zone)}" if lang == "zh" else f"Now {formatting.hour(now, zone)}"
    zone_words = formatting.zone_name(now, lang, zone).replace("（", " (").partition(" (")[0]
    return SunLine(
        local.date(),
        working,
        zone_words,
        _percent(here),
        0 <= share(now) <= 10_000,
        hours,
        tuple(places[n] for n in sorted(places)),
        lead + ("；" + listed if listed else ""),
        lanes=max((one.lane + 1 for one in places.values() if one.text), default=1),
    )


_HALF = 85
"""The width of half a Chinese character, or a Latin letter, in hundredths of a percent of a line about 750 px wide."""


def _room(at: int, width: int, marks: list[int], taken: list[tuple[int, int, int]]) -> tuple[int, str]:
    """(lane, anchor) where a label beside its mark runs into no other; anchor "" where there is no such place. Takes it. Of its two sides
    the one over fewer ``marks`` comes first, which leaves their labels room."""
    spans = {"start": (at, at + width), "end": (at - width, at)}
    sides = sorted(
        ("end", "start") if at > 7500 else ("start", "end"),
        key=lambda side: sum(spans[side][0] < mark < spans[side][1] for mark in marks),
    )
    for lane in (0, 1):
        for anchor in sides:
            low, high = spans[anchor]
            within = 0 <= low and high <= 10_000
            poles = [(0, at, at)] if lane else []  # a mark of the upper lane stands through the lower one
            wanted = [(lane, low, high), *poles]
            if within and not any(
                one == other and (a < y and x < b if x < y else a < x < b)
                for one, a, b in taken
                for other, x, y in wanted
            ):
                taken += wanted
                return lane, anchor
    return 0, ""


def _percent(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02}"


def _anchor(hundredths: int) -> str:
    return "start" if hundredths <= 300 else "end" if hundredths >= 9700 else "middle"


# --- pages of a list --------------------------------------------------------------------------------------------------

SIZES = (20, 50, 100)


@dataclass(frozen=True)
class Page:
    """Which rows of how many, and the addresses of the pages beside it. Filters and order stay in the address."""

    total: int
    number: int
    size: int
    first: int
    last: int
    before: str
    after: str
    sizes: tuple[tuple[int, str], ...]
    csv: str = ""

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


def page_of(total: int, arguments: Mapping[str, Any], path: str, *, csv: bool = False) -> Page:
    """Reads ``page`` and ``rows`` from the address; what makes no sense falls back to the first page of 20."""
    size = int(arguments.get("rows", 0)) if str(arguments.get("rows", "")) in map(str, SIZES) else SIZES[0]
    pages = max(1, -(-total // size))
    asked = str(arguments.get("page", "1"))
    number = min(max(int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1, 1), pages)

    def to(**change: Any) -> str:
        return address(path, arguments, **change)

    return Page(
        total,
        number,
        size,
        min((number - 1) * size + 1, total),
        min(number * size, total),
        to(page=number - 1) if number > 1 else "",
        to(page=number + 1) if number < pages else "",
        tuple((s, to(rows=s, page=None)) for s in SIZES),
        to(format="csv", page=None) if csv else "",
    )


def address(path: str, arguments: Mapping[str, Any], **change: Any) -> str:
    """The same address with some arguments changed (None drops one)."""
    kept = {k: v for k, v in {**dict(arguments), **change}.items() if v not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path


def column(label: str, key: str, arguments: Mapping[str, Any], path: str, *, num: bool = False) -> Column:
    """A heading that sorts: ``?sort=key`` up, ``?sort=-key`` down."""
    now = str(arguments.get("sort", ""))
    order = "ascending" if now == key else "descending" if now == "-" + key else ""
    return Column(label, num, key, order, address(path, arguments, sort="-" + key if now == key else key, page=None))


# --- the frame itself ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RoleChoice:
    value: str
    label: str
    here: bool


@dataclass(frozen=True)
class Mover:
    """The clock of a rehearsal, on every page of who may move it. ``next_one``: the next moment of any lot, None where there is none;
    ``closing``: a deadline for bids comes or is being sealed, and it stays where it is."""

    form: Any
    next_one: Any
    closing: bool


@dataclass
class Frame:
    """Everything around the work of a page. Made once a request by web/app.py. ``here``: its address without language and theme;
    ``own``: the address of a page that is shown under another (a form shown again), else ""."""

    lang: str
    theme: str
    place: str
    hotline: str
    now: datetime
    zone: ZoneInfo
    here: str
    own: str
    next: str
    nav: list[Link]
    rail: list[Group]
    theme_href: str
    lang_href: str
    rehearsal: bool
    town: bool = False
    drill: str = ""
    """The site whose rehearsal this is; "" on any other platform."""
    mover: Any = None
    """For who may move the clock of a rehearsal: a form to send, the next moment (or None)."""
    still: str = ""
    log_head: str = ""
    signed_in: bool = False
    name: str = ""
    role: str = ""
    home: str = "/"
    roles: list[RoleChoice] = field(default_factory=list)
    session_ends: datetime | None = None
    unread: int = 0
    first: str = ""
    restored: Any = None

    @property
    def other_lang(self) -> str:
        return "en" if self.lang == "zh" else "zh-CN"

    @property
    def now_ms(self) -> int:
        return _ms(self.now)

    @property
    def offset_ms(self) -> int:
        """What to add to UTC for the centre's time of day."""
        return int((self.now.astimezone(self.zone).utcoffset() or timedelta()).total_seconds()) * 1000

    @property
    def utc(self) -> str:
        return formatting.zone_name(self.now, "en", self.zone).rpartition("(")[2].rstrip(")")

    @property
    def today(self) -> Any:
        return self.now.astimezone(self.zone).date()

    @property
    def session_ends_ms(self) -> int:
        return _ms(self.session_ends) if self.session_ends else 0


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


Rail = Callable[[], list[Group]]
