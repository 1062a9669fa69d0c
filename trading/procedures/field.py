"""What a field of a lot or of a notice is: the type its one declaration is written in (``fields.py`` has the list).

Form, checks, notice, audit, bundle, export, pages and the reference page read the declaration; only the column of the database is
written beside it. A field that no rule of its own concerns needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from trading.kernel.clock import parse_moment, write_moment
from trading.kernel.money import Money
from trading.procedures.procedure import Words

TEXT, MONEY, MINOR, COUNT, TICK, MOMENT, DAY = "text", "money", "minor", "count", "tick", "moment", "day"
"""A text; an amount as text in the currency of the notice, or as whole minor units (fen); a whole number; whether something is so; a
moment, UTC; a day of the calendar."""
STATE, FAULT, REGION, DIGEST = "state", "fault", "region", "digest"
"""A code with words of its own; a fault of the platform; the code of a division; the hash of a document."""
TABLE, FORM, NUMBERS = "table", "form", "numbers"
"""Rows a page shows as a table; the structured bid form; decimal texts."""

DRAFT, PUBLICATION = "draft", "publication"
"""When a field must hold something: as soon as a lot is drafted, or when it is published."""
BY_NOTICE, BY_POLICY, BY_RECORD = "notice", "policy", "record"
"""What proves the column of a published lot: its tender notice, the policy in force (dates may move), a hash in the record of
publication."""
NAME, AMOUNTS, TEXTS, TERMS, OPENING, LATER = "name", "amounts", "texts", "terms", "opening", "later"
"""Parts of the agency's form; ``LATER``: not while a tender is created, only on the lot itself."""


@dataclass(frozen=True)
class Ask:
    """How the agency's form asks for a field. ``limit``: characters of a text, of several lines above 1000, then shown in ``rows``;
    ``least``, ``most``: of a count, ``refusal`` the code for another; ``blank``: nothing typed counts as 0, which is allowed beside;
    ``first``: the count before anything is typed. ``coefficient``: only where the procedure draws one. ``copied``: taken over from an
    earlier lot (never money)."""

    part: str
    label: Words
    hint: Words | None = None
    limit: int = 200
    rows: int = 4
    least: int = 0
    most: int = 0
    refusal: str = ""
    blank: bool = False
    first: int = 0
    unit: Words | None = None
    coefficient: bool = False
    copied: bool = True

    @property
    def lines(self) -> bool:
        """Whether the text may have several lines."""
        return self.limit > 1000


@dataclass(frozen=True)
class Field:
    """``label``: what notices and public pages call it, None where no page says it in a line. ``notices``: kinds of notice whose body
    carries it under ``name``; ``only``: the option of a lot without which that notice says nothing of it. ``of``: where the value stands,
    from the lot (``deadline``, ``project.purchaser.name``), "" for a fact of notices alone. ``proved``: by what, once published.
    ``words``: noun of the words of a code; ``said``: a tick or a count in words, ``unsaid``: one that is off or 0. ``terms``: a text that
    the public page of the lot shows under what is bought and who may bid. ``ocds``: its place in a release; ``bundled``: whether the
    bundle's facts of the lot hold it."""

    name: str
    kind: str
    label: Words | None = None
    notices: tuple[str, ...] = ()
    of: str = ""
    proved: str = ""
    needed: str = ""
    ask: Ask | None = None
    only: str = ""
    words: str = ""
    said: Words | None = None
    unsaid: Words | None = None
    terms: bool = False
    ocds: str = ""
    bundled: bool = False

    @property
    def column(self) -> tuple[str, str]:
        """(table, column) of the database that holds it."""
        owner, _dot, rest = self.of.rpartition(".")
        if owner.startswith("project."):
            return "project", owner.removeprefix("project.") + "_id"
        return (owner or "lot"), (self.name + "_minor" if self.kind == MONEY else rest)

    def value(self, lot: Any) -> Any:
        """As the lot holds it; None where what it stands in is missing."""
        held = lot
        for name in self.of.split("."):
            held = getattr(held, name, None)
        return held

    def plain(self, lot: Any) -> Any:
        """As a canonical JSON value, "" where there is none."""
        return written(self.value(lot))

    def read_back(self, plain: Any) -> Any:
        """What a column must hold where a signed notice says ``plain``. Refuses: NotReady (no moment)."""
        return parse_moment(plain) if self.kind == MOMENT and plain else plain


def written(value: Any) -> Any:
    """A value of a lot as a canonical JSON value."""
    if isinstance(value, Money):
        return value.text()
    if isinstance(value, datetime):
        return write_moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return list(value)
    return "" if value is None else value
