"""How values look on a page, in both languages: money, moments, days, lengths, digests, check words, states.

Every function is pure: value and language in, text out. Nothing is rounded silently: money keeps its exact yuan, and a figure in 亿元
or 万元 always has the exact amount beside it. Moments are shown in the centre's zone, which is named (desks §3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from crypto.canonical import unb64u
from crypto.receipts import number_of
from trading.kernel.exact import exact, written, written_exactly
from trading.kernel.money import Money

ZONE = ZoneInfo("Asia/Shanghai")
_WEEKDAYS = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NOTHING = "–"


# --- money ------------------------------------------------------------------------------------------------------------


def figure(value: Money | None) -> str:
    """The exact amount without a unit, for a table column whose heading names it: ``8,180,000.00``."""
    if value is None:
        return NOTHING
    return _minus(value.full("en").removeprefix(value.currency + " "))


def amount(text: str) -> str:
    """An amount that stands as exact text, in groups of three, every decimal kept: ``-1234567.5`` as ``−1,234,567.5``."""
    whole, point, rest = text.removeprefix("-").partition(".")
    return f"{'−' if text.startswith('-') else ''}{int(whole):,}{point}{rest}"


def share(text: str) -> str:
    """A share of 1 that stands as exact text, in percent: ``0.10`` as ``10%``."""
    return f"{written_exactly(exact(text) * 100, 0)}%"


def money(value: Money | None, lang: str = "zh") -> str:
    """The exact amount with its unit: ``8,180,000.00 元`` / ``8,180,000.00 yuan``."""
    if value is None:
        return NOTHING
    if lang == "zh":
        return _minus(value.full("zh"))
    return f"{figure(value)} {'yuan' if value.currency == 'CNY' else value.currency}"


def big(value: Money, lang: str = "zh") -> tuple[str, str]:
    """A figure for reading at a glance and its unit, two decimals, half up: ``('28.59', '亿元')``. Show `money` beside it."""
    steps = ((10**8, "亿"), (10**4, "万")) if lang == "zh" else ((10**9, "bn "), (10**6, "m "))
    name = money(Money.zero(value.currency), lang).split(" ")[-1]
    for scale, unit in steps:
        if abs(value.fraction) >= scale:
            return _minus(f"{Decimal(written(value.fraction / scale, 2)):,}"), unit + name
    return figure(value), name


def percent(value: Fraction | Decimal | int | None, places: int = 2) -> str:
    """A ratio given in percent: ``Fraction(563, 100)`` → ``5.63%``."""
    return NOTHING if value is None else _minus(written(Fraction(value), places)) + "%"


def points(value: Fraction | Decimal | int | None, places: int = 2) -> str:
    """Score points with their decimals."""
    return NOTHING if value is None else _minus(written(Fraction(value), places))


def count(value: int | None) -> str:
    return NOTHING if value is None else _minus(f"{value:,}")


def size(octets: int, lang: str = "zh") -> str:
    """A file's size: ``38.2 MB`` (decimal units), octets below a thousand."""
    if octets < 1000:
        return f"{octets} {'字节' if lang == 'zh' else 'bytes'}"
    for unit, step in (("KB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12)):
        if octets < step * 1000 or unit == "TB":
            return f"{written(Fraction(octets, step), 1)} {unit}"
    raise AssertionError("unreachable")


# --- time -------------------------------------------------------------------------------------------------------------


def zone_name(moment: datetime, lang: str = "zh", zone: ZoneInfo = ZONE) -> str:
    """The zone's name with its offset at that moment: ``北京时间（UTC+8）``."""
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    utc = f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")
    if zone.key == "Asia/Shanghai":
        return f"北京时间（{utc}）" if lang == "zh" else f"Beijing time ({utc})"
    place = zone.key.rsplit("/", 1)[-1].replace("_", " ")
    return f"{place} 时间（{utc}）" if lang == "zh" else f"{place} time ({utc})"


def moment(value: datetime | None, lang: str = "zh", zone: ZoneInfo = ZONE) -> str:
    """A moment in full, to the second, with its zone: ``2026-03-18 09:30:00 北京时间（UTC+8）``."""
    if value is None:
        return NOTHING
    return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone_name(value, lang, zone)}"


def moment_short(
    value: datetime | None, lang: str = "zh", zone: ZoneInfo = ZONE, *, now: datetime | None = None
) -> str:
    """A moment for a desk: no year if it is this year's, no seconds if they are zero, ``今日`` if it is today. Never for papers."""
    if value is None:
        return NOTHING
    local = value.astimezone(zone)
    hour = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    if now is not None:
        today = now.astimezone(zone)
        if local.date() == today.date():
            return f"今日 {hour}" if lang == "zh" else f"today {hour}"
        if local.year == today.year:
            return (
                f"{local.month} 月 {local.day} 日 {hour}"
                if lang == "zh"
                else f"{local.day} {_MONTHS[local.month - 1]} {hour}"
            )
    return f"{local:%Y-%m-%d} {hour}"


def hour(value: datetime, zone: ZoneInfo = ZONE) -> str:
    """The time of day to the second."""
    return f"{value.astimezone(zone):%H:%M:%S}"


def day(value: date | None, lang: str = "zh", *, weekday: bool = False) -> str:
    """A date; with ``weekday`` its day of the week: ``2026-03-18 周三``."""
    if value is None:
        return NOTHING
    text = f"{value:%Y-%m-%d}"
    return f"{text} {_WEEKDAYS[lang][value.weekday()]}" if weekday else text


def day_words(value: date, lang: str = "zh") -> str:
    """A date in words for a heading: ``3 月 18 日 周三`` / ``Wed 18 Mar``."""
    week = _WEEKDAYS[lang][value.weekday()]
    return (
        f"{value.month} 月 {value.day} 日 {week}" if lang == "zh" else f"{week} {value.day} {_MONTHS[value.month - 1]}"
    )


def length(value: timedelta, lang: str = "zh") -> str:
    """A length of time in its two largest units: ``1 小时 19 分``, ``2 天 3 小时``; below a minute in seconds. Never rounded up."""
    whole = abs(int(value.total_seconds()))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    names = {"zh": ("天", "小时", "分", "秒"), "en": ("d", "h", "min", "s")}[lang]
    parts = list(zip((days, hours, minutes, seconds), names, strict=True))
    first = next((i for i, (n, _) in enumerate(parts) if n), 3)
    shown = [(n, name) for n, name in parts[first : first + 2] if n or name == parts[first][1]]
    return " ".join(f"{n} {name}" for n, name in shown)


def left(until: datetime, now: datetime, lang: str = "zh") -> str:
    """What is left until a moment, or by how much it is past: ``还有 7 天 17 小时`` / ``逾期 1 天``."""
    if until > now:
        return f"还有 {length(until - now, lang)}" if lang == "zh" else f"{length(until - now, lang)} left"
    return f"逾期 {length(now - until, lang)}" if lang == "zh" else f"{length(now - until, lang)} late"


# --- proofs -----------------------------------------------------------------------------------------------------------


def digest(value: str | bytes | None, groups: int = 0) -> str:
    """A digest in groups of four; ``groups`` keeps that many in front and one behind: ``a81f 30c2 9e47 d6b5 … 51c0``."""
    if not value:
        return NOTHING
    text = value.hex() if isinstance(value, bytes) else re.sub(r"^sha-?256[:-]", "", value)
    fours = [text[i : i + 4] for i in range(0, len(text), 4)]
    if groups and len(fours) > groups + 1:
        return " ".join(fours[:groups]) + " … " + fours[-1]
    return " ".join(fours)


def check_words(words: Iterable[str]) -> str:
    """Check words as they are read aloud: ``山泉 · 木桥 · 灯塔 · 秋雁``."""
    return " · ".join(words)


# --- states -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Label:
    """A state in words and its tone (a class of ``.tag``): '', now, ok, sealed, warn, stop, info or plain."""

    text: str
    tone: str = ""


def tag(label: Label) -> Markup:
    """A state tag: a shape and a word, colour only helps."""
    tone = f" tag--{label.tone}" if label.tone else ""
    return Markup('<span class="tag{}">{}</span>').format(tone, label.text)


def time_element(value: datetime | date | None, text: str) -> Markup:
    """``<time>`` with the machine's form beside the words."""
    if value is None:
        return escape(text)
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), text)


def fact(value: Any, lang: str = "zh", zone: ZoneInfo = ZONE) -> str:
    """Any fact of a refusal as a person reads it. Money, moments, days and lengths take their full forms."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return ("是", "否")[not value] if lang == "zh" else ("yes", "no")[not value]
    if isinstance(value, datetime):
        return moment(value, lang, zone)
    if isinstance(value, date):
        return day(value, lang)
    if isinstance(value, timedelta):
        return length(value, lang)
    if isinstance(value, Money):
        return money(value, lang)
    if isinstance(value, int):
        return count(value)
    if isinstance(value, Fraction):
        return written(value)
    if isinstance(value, bytes):
        return digest(value, 4)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return ("、" if lang == "zh" else ", ").join(fact(item, lang, zone) for item in items)
    return str(value)


def _minus(text: str) -> str:
    """A true minus sign, which is as wide as a digit."""
    return "−" + text[1:] if text.startswith("-") else text


def teach(
    environment: Any,
    *,
    lang: Callable[[], str],
    zone: ZoneInfo,
    now: Callable[[], datetime],
    state: Callable[[str, str, str], Label],
) -> None:
    """Gives the filters and globals to a Jinja environment.

    Filters: money figure amount share capitals percent points whole size moment moment_short hour day day_words duration left digest
    check_words filled fact.
    Globals: big(value), state(noun, code) → tag, state_text(noun, code), zone_name(moment).
    """

    def spoken(function: Callable[..., str]) -> Callable[..., str]:
        return lambda value, *args, **more: function(value, lang(), *args, **more)

    def show_moment(value: datetime | None) -> Markup:
        return time_element(value, moment(value, lang(), zone))

    def show_short(value: datetime | None) -> Markup:
        return time_element(value, moment_short(value, lang(), zone, now=now()))

    environment.filters.update(
        money=spoken(money),
        figure=figure,
        amount=amount,
        share=share,
        amount_words=lambda v: v.amount_words(),
        percent=percent,
        points=points,
        whole=count,
        size=spoken(size),
        moment=show_moment,
        moment_short=show_short,
        hour=lambda v: hour(v, zone),
        day=spoken(day),
        day_words=spoken(day_words),
        duration=spoken(length),
        left=lambda v: left(v, now(), lang()),
        digest=digest,
        receipt_number=receipt_number,
        check_words=check_words,
        filled=filled,
        fact=lambda v: fact(v, lang(), zone),
    )
    environment.globals.update(
        big=lambda v: big(v, lang()),
        state=lambda noun, code: tag(state(noun, str(code), lang())),
        state_text=lambda noun, code: state(noun, str(code), lang()).text,
        zone_name=lambda v: zone_name(v, lang(), zone),
        tag=lambda text, tone="": tag(Label(text, tone)),
    )


def filled(sentence: str, facts: dict[str, str]) -> str:
    """A sentence with its facts in the places named ``{so}``: as the scripts fill theirs."""
    return re.sub(r"\{(\w+)\}", lambda found: facts.get(found[1], ""), sentence)


def number(event: str, c: bytes | str) -> str:
    """The number of a receipt as it is read out: ``R-7Q4M-K29D-XW``; a proof of attempt begins with A."""
    signs = number_of(c if isinstance(c, bytes) else unb64u(c, 32))
    return f"{'A' if event in ('bid-refused', 'refused') else 'R'}-{signs[:4]}-{signs[4:8]}-{signs[8:]}"


def receipt_number(c: bytes | str) -> str:
    """The number of a receipt for a bid or a withdrawal that was accepted."""
    return number("bid-submitted", c)


def number_signs(text: str) -> str:
    """The ten signs of a number as somebody typed it: capitals, hyphens, spaces and the letter in front do not matter."""
    signs = re.sub(r"[\s\-–—·.]", "", text).upper()
    return signs[1:] if len(signs) == 11 and signs[0] in "RA" else signs
