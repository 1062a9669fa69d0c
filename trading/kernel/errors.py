"""Refusals: what the platform says when a rule says no.

A refusal is for something a person did or asked; nothing has been changed when it is raised. It carries a stable ``code``
(``noun.reason``, lower case) and ``facts``; the words in both languages live in the catalogues of ``web``. Whatever is not a
Refusal is a defect of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


class Refusal(Exception):
    """A rule said no. ``code`` is stable, ``facts`` fill the words."""

    def __init__(self, code: str, /, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        if not self.facts:
            return self.code
        return self.code + " (" + ", ".join(f"{k}={v}" for k, v in self.facts.items()) + ")"


class NotFound(Refusal):
    """There is no such thing, or this person may not know of it."""


class NotAllowed(Refusal):
    """This person may know of it, but may not do it."""


class SignInNeeded(NotAllowed):
    """The act wants a sign-in, or a fresh one (``reason`` ``sign-in`` or ``fresh``)."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a form or file: ``where`` names the field, line or cell."""

    where: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)


class Invalid(Refusal):
    """The input is wrong. ``faults`` names every field at once; one fault alone may be given by ``code`` and facts."""

    def __init__(self, code: str, /, *, faults: Iterable[Fault] = (), **facts: Any) -> None:
        super().__init__(code, **facts)
        self.faults: tuple[Fault, ...] = tuple(faults)


class Faults:
    """Collects faults and refuses once, with all of them."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, where: str, code: str, **facts: Any) -> None:
        self.found.append(Fault(where, code, facts))

    def take(self, where: str, refusal: Refusal) -> None:
        """Note a refusal raised while reading the field ``where``."""
        self.found.append(Fault(where, refusal.code, refusal.facts))

    def refuse_if_any(self, code: str = "form.faults") -> None:
        """Refuses: Invalid with all faults found so far."""
        if self.found:
            raise Invalid(code, faults=self.found, count=len(self.found))


class WrongStep(Refusal):
    """The thing is not in a state from which this step can be taken."""


class Conflict(Refusal):
    """Somebody else changed this, or it was done already."""


class AlreadyDone(Conflict):
    """The same form was sent before; ``where`` is the page that shows its result."""

    def __init__(self, where: str) -> None:
        super().__init__("form.already_done", where=where)
        self.where = where


class TooEarly(Refusal):
    """Not yet; both moments are facts."""


class TooLate(Refusal):
    """No longer; both moments are facts."""


class NotReady(Refusal):
    """The platform itself is not ready (pending migrations, no database, a missing key)."""
