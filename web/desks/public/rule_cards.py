"""Rules as cards: a plain sentence, the source, what changed, the sum for a lot. Not a desk; the numbers are the rulebook's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from markupsafe import Markup, escape

from trading.kernel.errors import Invalid
from trading.rulebook import Rule, Rulebook, change_days, differences, select
from trading.views.lot_rules import Sum
from web import words
from web.desks.public.words import amount_of
from web.words.citations import citation

MOST_CHANGES = 8
CHAPTERS = ("notice", "bidding", "deposit", "opening", "review", "award", "contract", "disputes", "other")
_ACTS = (
    ("contract", ("post_award", "notice_data")),
    (
        "notice",
        (
            "notice_p",
            "compulsory",
            "issue_",
            "intention",
            "prequalification",
            "application",
            "single_source",
            "medium",
            "open_tender",
            "invitees",
            "invitation_pool",
        ),
    ),
    ("deposit", ("bid_deposit", "performance_deposit", "deposit", "late_fee", "interest")),
    ("bidding", ("bid_", "clarification", "quote", "final_quote", "price_ceiling", "price_floor", "budget")),
    ("opening", ("opening", "bidders", "applicants", "decrypt", "other_bids", "base_price")),
    (
        "review",
        (
            "panel",
            "expert",
            "large_panel",
            "price_weight",
            "deduction",
            "bonus",
            "abnormal",
            "score",
            "weight",
            "member",
            "draw",
        ),
    ),
    ("award", ("award", "report", "result", "candidates", "publicity", "written_report")),
    ("contract", ("contract", "files_", "archive")),
    ("disputes", ("enquiry", "challenge", "objection", "complaint", "procurement_resumed")),
)
Change = tuple[date, list[tuple[Rule | None, Rule | None]]]


@dataclass(frozen=True)
class Card:
    """``deltas``: (day, before, after) in words, newest first; ``hit``: the search finds it; ``sum``: for the chosen lot."""

    rule: Rule
    chapter: str
    title: str
    sentence: str
    source: str
    only_for: str
    deltas: tuple[tuple[date, str, str], ...]
    hit: bool
    sum: Sum | None

    @property
    def applies(self) -> bool:
        return self.sum is not None and self.sum.applies


@dataclass
class Chapter:
    code: str
    cards: list[Card] = field(default_factory=list)
    open: bool = False


def chapter_of(rule: Rule) -> str:
    return next((code for code, starts in _ACTS if rule.act.startswith(starts)), "other")


def limit_words(rule: Rule, speech: str) -> str:
    """What the rule asks in words: ``不少于 20 日``, ``及时``, ``单数``."""
    kind, amount = words.state("limit", rule.kind, speech).text, amount_of(rule, speech)
    if rule.unit == "prompt":
        return amount
    return f"{kind} {amount}" if amount else kind


def sentence(rule: Rule, speech: str) -> str:
    """The rule in a plain sentence: what it limits, by how much, how that is counted."""
    zh = speech == "zh"
    parts = [(f"{rule.zh}：" if zh else f"{rule.en}: ") + limit_words(rule, speech)]
    if rule.unit == "D" and rule.value is not None:
        parts.append("按自然日算，当天不计" if zh else "calendar days, the first day does not count")
    elif rule.unit == "WD":
        parts.append("只数工作日，当天不计" if zh else "working days only, the first day does not count")
    if rule.roll:
        parts.append("末日是休息日的，顺延到下一个工作日" if zh else "a last day of rest moves to the next working day")
    if rule.warn_at_exact:
        parts.append("恰好满期时平台会提醒" if zh else "exactly met, it is lawful and the platform warns")
    if rule.kind in ("BEFORE", "NOT_EARLIER"):
        parts.append("从后一时点往前数" if zh else "counted back from the later moment")
    return ("；".join(parts) + "。") if zh else ("; ".join(parts) + ".")


def changes(regime: str, until: date) -> list[Change]:
    """The last changes of the law of a regime up to a day, newest first."""
    found: list[Change] = []
    for day in reversed([one for one in change_days(regime) if one <= until][1:]):
        try:
            found.append((day, differences(select(regime, day - timedelta(days=1)), select(regime, day))))
        except Invalid:  # nothing was in force before
            break
        if len(found) == MOST_CHANGES:
            break
    return found


def cards(book: Rulebook, sums: Mapping[str, Sum], changed: Sequence[Change], asked: str, speech: str) -> list[Card]:
    """Every rule of a book. ``asked``: words that must all occur in its number, sentence or source."""
    deltas: dict[str, list[tuple[date, str, str]]] = {}
    for day, pairs in changed:
        for old, new in pairs:
            if new is not None and old is not None:
                deltas.setdefault(new.id, []).append((day, limit_words(old, speech), limit_words(new, speech)))
    found = []
    for rule in book.rules:
        title, told, source = (
            (rule.zh if speech == "zh" else rule.en),
            sentence(rule, speech),
            citation(rule.source, speech),
        )
        wide = " ".join((rule.id, rule.also, rule.zh, rule.en, told, source, rule.source)).casefold()
        only = [words.state("method", one, speech).text for one in rule.methods]
        only += [words.state("category", one, speech).text for one in rule.categories]
        found.append(
            Card(
                rule,
                chapter_of(rule),
                title,
                told,
                source,
                ("、" if speech == "zh" else ", ").join(only),
                tuple(one for one in deltas.get(rule.id, ()) if one[1] != one[2]),
                all(word in wide for word in asked.casefold().split()),
                sums.get(rule.id) if sums else None,
            )
        )
    return found


def chapters(found: Sequence[Card], *, opened: str = "", all_open: bool = False) -> list[Chapter]:
    """Cards by chapter, those without a card left out; the first is open, or the one that holds ``opened``, or all of a search."""
    held = {code: Chapter(code) for code in CHAPTERS}
    for one in found:
        held[one.chapter].cards.append(one)
    listed = [one for one in held.values() if one.cards]
    for chapter in listed:
        chapter.open = all_open or any(one.rule.id == opened for one in chapter.cards)
    if listed and not any(one.open for one in listed):
        listed[0].open = True
    return listed


def marked(text: str, asked: str) -> Markup:
    """The text with every word that was searched for marked."""
    plain, at, out = text.casefold(), 0, Markup()
    needles = [word for word in asked.casefold().split() if word]
    while needles and at < len(text) and len(plain) == len(text):
        hits = [(place, word) for word in needles if (place := plain.find(word, at)) >= 0]
        if not hits:
            break
        place, word = min(hits, key=lambda pair: (pair[0], -len(pair[1])))
        out += escape(text[at:place]) + Markup("<mark>{}</mark>").format(text[place : place + len(word)])
        at = place + len(word)
    return out + escape(text[at:])
