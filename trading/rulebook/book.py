"""Rules, the choice of those in force on a day, and the snapshot a lot keeps.

A row says what it limits in words of both languages, the moment or amount it counts from, the number, and the source.
This file knows no particular rule: a new law is a new row with a new `valid_from`, and the old row gets its
`valid_to`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

from trading.kernel.calendar import Term, WorkingDayCalendar
from trading.kernel.errors import Faults, Invalid, NotFound

GP, WORKS = "GP", "WORKS"
REGIMES = (GP, WORKS)
UNITS = ("D", "WD", "h", "Y", "prompt", "moment", "count", "percent", "rate", "yuan")
KINDS = ("MIN", "MAX", "BEFORE", "NOT_EARLIER", "SAME", "WORKDAY", "ODD", "FORBIDDEN", "VALUE")
MARKS = ("V", "K", "L")
_WITHOUT_VALUE = ("SAME", "WORKDAY", "ODD", "FORBIDDEN")
SNAPSHOT_FORMAT = 1


@dataclass(frozen=True)
class Rule:
    """One row: `act` is limited by `value` `unit` from `anchor`, in the way `kind` says (the head of gp.toml explains
    the words).

    `value` is the text of an exact number ("20", "0.02", "2/3"), None where the kind needs none. `valid_to` is the
    first day the row is no longer in force. `mark`: V seen in a source, K from knowledge, L local or platform
    parameter. `also`: a second id under which the rule book knows it.
    """

    id: str
    en: str
    zh: str
    act: str
    unit: str
    kind: str
    source: str
    mark: str
    valid_from: dt.date
    valid_to: dt.date | None = None
    value: str | None = None
    anchor: str = ""
    methods: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    also: str = ""
    roll: bool = False
    warn_at_exact: bool = False
    counting: str = "literal"
    interest: bool = False
    date_mark: str = "V"

    @property
    def number(self) -> Fraction:
        """The value as an exact number, in its unit."""
        if self.value is None:
            raise ValueError(f"rule {self.id} has no number")
        return Fraction(self.value)

    @property
    def whole(self) -> int:
        """The value of a rule that counts: days, hours, years, persons."""
        number = self.number
        if number.denominator != 1:
            raise ValueError(f"rule {self.id} is no whole number")
        return number.numerator

    @property
    def length(self) -> int:
        """Units to count. Strict counting asks one day more, so that the full days lie between (rule N-08)."""
        return self.whole + (1 if self.counting == "strict" and self.unit == "D" else 0)

    def in_force(self, on: dt.date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on < self.valid_to)

    def applies(self, method: str | None = None, category: str | None = None) -> bool:
        """Whether the row speaks of this method and category; None asks about none in particular."""
        return (method is None or not self.methods or method in self.methods) and (
            category is None or not self.categories or category in self.categories
        )

    def term(self, anchor: dt.date, calendar: WorkingDayCalendar) -> Term | None:
        """The day this rule leads to from the Beijing day `anchor`; None where the law says promptly.

        Refuses: Invalid calendar.year_unknown.
        """
        if self.unit == "prompt":
            return None
        if self.unit not in ("D", "WD", "Y"):
            raise ValueError(f"rule {self.id} counts no days")
        before = self.kind in ("BEFORE", "NOT_EARLIER")
        return calendar.term(anchor, self.length, self.unit, roll=self.roll, before=before)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without the fields that hold their default."""
        held: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                held[field.name] = (
                    value.isoformat()
                    if isinstance(value, dt.date)
                    else list(value)
                    if isinstance(value, tuple)
                    else value
                )
        return held


class Rulebook:
    """The rules of one regime in force on one day. Immutable, and the same for ever once it is stored with a lot."""

    def __init__(self, regime: str, on: dt.date, rules: Iterable[Rule]) -> None:
        self.regime = regime
        self.on = on
        self.rules: tuple[Rule, ...] = tuple(rules)
        self._by_id = {rule.id: rule for rule in self.rules}

    @cached_property
    def version(self) -> str:
        """Regime, day and a digest of all rows: equal versions judge alike."""
        rows = json.dumps(
            [rule.as_dict() for rule in self.rules], ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        digest = hashlib.sha256(rows.encode()).hexdigest()
        return f"{self.regime}@{self.on.isoformat()}.{digest[:12]}"

    def rule(self, id: str) -> Rule:
        """The row with this id. Refuses: NotFound rulebook.rule_unknown (not in force on that day, or never)."""
        found = self._by_id.get(id)
        if found is None:
            raise NotFound("rulebook.rule_unknown", rule=id, regime=self.regime, on=self.on.isoformat())
        return found

    def find(self, id: str) -> Rule | None:
        return self._by_id.get(id)

    def about(
        self,
        act: str,
        *,
        method: str | None = None,
        category: str | None = None,
        kind: str | None = None,
        anchor: str | None = None,
    ) -> list[Rule]:
        """All rows that limit `act` for a method and category, in the order of the file."""
        return [
            rule
            for rule in self.rules
            if rule.act == act
            and rule.applies(method, category)
            and kind in (None, rule.kind)
            and anchor in (None, rule.anchor)
        ]

    def term(self, id: str, anchor: dt.date, calendar: WorkingDayCalendar) -> Term | None:
        """The day rule `id` leads to from the Beijing day `anchor`; None where the law says promptly.

        Refuses: NotFound rulebook.rule_unknown, Invalid calendar.year_unknown.
        """
        return self.rule(id).term(anchor, calendar)

    def snapshot(self) -> dict[str, Any]:
        """Everything, JSON-able, to be stored with a lot."""
        return {
            "format": SNAPSHOT_FORMAT,
            "regime": self.regime,
            "on": self.on.isoformat(),
            "version": self.version,
            "rules": [rule.as_dict() for rule in self.rules],
        }

    @classmethod
    def from_snapshot(cls, snapshot: Mapping[str, Any]) -> Rulebook:
        """The rulebook a lot keeps. Refuses: Invalid rulebook.snapshot_format, rulebook.snapshot_altered (its digest
        differs)."""
        if snapshot.get("format") != SNAPSHOT_FORMAT:
            raise Invalid("rulebook.snapshot_format", found=snapshot.get("format"))
        book = cls(
            snapshot["regime"],
            dt.date.fromisoformat(snapshot["on"]),
            (_rule(row, f"rules[{place}]") for place, row in enumerate(snapshot["rules"])),
        )
        if book.version != snapshot.get("version"):
            raise Invalid("rulebook.snapshot_altered", version=snapshot.get("version"), found=book.version)
        return book


# --- choosing ---------------------------------------------------------------------------------------------------------


def select(regime: str, on: dt.date, *, local: Iterable[Rule] = ()) -> Rulebook:
    """The rules of a regime (GP | WORKS) in force on the day the first notice is published.

    `local` rows replace the row of the same id, where that is a local parameter (mark L), or add one of mark L.
    Refuses: Invalid rulebook.no_law (before the first law of the regime), rulebook.not_local.
    """
    rules = {rule.id: rule for rule in all_rules(regime) if rule.in_force(on)}
    if not any(rule.mark != "L" for rule in rules.values()):
        raise Invalid("rulebook.no_law", regime=regime, on=on.isoformat())
    for rule in local:
        if rule.mark != "L" or (rule.id in rules and rules[rule.id].mark != "L"):
            raise Invalid("rulebook.not_local", rule=rule.id)
        if rule.in_force(on):
            rules[rule.id] = rule
    return Rulebook(regime, on, rules.values())


@lru_cache(maxsize=len(REGIMES))
def all_rules(regime: str) -> tuple[Rule, ...]:
    """Every row of a regime, of all times, in the order of its file."""
    if regime not in REGIMES:
        raise ValueError(f"no such regime: {regime}")
    file = resources.files("trading").joinpath("rulebook", f"{regime.lower()}.toml")
    return read_rules(file.read_text(encoding="utf-8"))


def change_days(regime: str) -> list[dt.date]:
    """The days on which some rule of the regime begins or ends to hold, ascending."""
    found = {rule.valid_from for rule in all_rules(regime)}
    return sorted(found | {rule.valid_to for rule in all_rules(regime) if rule.valid_to is not None})


def differences(old: Rulebook, new: Rulebook) -> list[tuple[Rule | None, Rule | None]]:
    """Pairs (before, after) of every row that came, went or changed, by id; a row that only changed its times is left
    out."""
    timeless = dt.date.min
    pairs: list[tuple[Rule | None, Rule | None]] = []
    for id in sorted({rule.id for rule in (*old.rules, *new.rules)}):
        before, after = old.find(id), new.find(id)
        if (
            before is None
            or after is None
            or replace(before, valid_from=timeless, valid_to=None) != replace(after, valid_from=timeless, valid_to=None)
        ):
            pairs.append((before, after))
    return pairs


# --- reading ----------------------------------------------------------------------------------------------------------


def read_rules(toml: str) -> tuple[Rule, ...]:
    """Rows from TOML (`[[rule]]` tables). Refuses: Invalid rulebook.file with every faulty row: rulebook.row_malformed,
    rulebook.row_overlap (two rows of one id in force on the same day)."""
    faults, rules = Faults(), []
    try:
        rows = tomllib.loads(toml).get("rule", [])
    except tomllib.TOMLDecodeError as error:
        raise Invalid("rulebook.file", reason=str(error)) from error
    for place, row in enumerate(rows):
        try:
            rules.append(_rule(row, str(row.get("id", f"rule {place + 1}"))))
        except Invalid as refusal:
            faults.take(refusal.facts["row"], refusal)
    seen: dict[str, list[Rule]] = {}
    for rule in rules:
        for other in seen.setdefault(rule.id, []):
            if (other.valid_to is None or rule.valid_from < other.valid_to) and (
                rule.valid_to is None or other.valid_from < rule.valid_to
            ):
                faults.add(rule.id, "rulebook.row_overlap", valid_from=rule.valid_from.isoformat())
        seen[rule.id].append(rule)
    faults.refuse_if_any("rulebook.file")
    return tuple(rules)


def _rule(row: Mapping[str, Any], where: str) -> Rule:
    """One row, from TOML or from a snapshot. Refuses: Invalid rulebook.row_malformed."""
    names = {field.name for field in fields(Rule)}
    held = dict(row)
    try:
        for name in ("valid_from", "valid_to"):
            if isinstance(held.get(name), str):
                held[name] = dt.date.fromisoformat(held[name])
        for name in ("methods", "categories"):
            held[name] = tuple(held.get(name, ()))
        if isinstance(held.get("value"), int) and not isinstance(held["value"], bool):
            held["value"] = str(held["value"])
        rule = Rule(**held)
        right = (
            names >= held.keys()
            and rule.unit in UNITS
            and rule.kind in KINDS
            and rule.mark in MARKS
            and rule.date_mark in MARKS
            and rule.counting in ("literal", "strict")
            and rule.id
            and rule.act
            and rule.en
            and rule.zh
            and rule.source
            and type(rule.valid_from) is dt.date
            and (rule.valid_to is None or rule.valid_from < rule.valid_to)
            and (rule.value is None) == (rule.kind in _WITHOUT_VALUE or rule.unit == "prompt")
            and (rule.value is None or rule.number >= 0)
        )
        if right and rule.unit in ("D", "WD", "h", "Y", "count"):
            right = rule.value is None or rule.whole >= 0
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise Invalid("rulebook.row_malformed", row=where, reason=str(error)) from error
    if not right:
        raise Invalid("rulebook.row_malformed", row=where, reason="a field is missing or not one of its words")
    return rule
