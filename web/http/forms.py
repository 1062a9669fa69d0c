"""Reading a form: every field at once, every fault at once, and what was typed is never lost.

    @agency.act("/lots/<ref>/acts/plan", needs=Act.TENDER_DRAFT, back=timetable_page)
    def do_plan(unit, form, ref):               # what was posted; Form.blank(version=lot.version) for a page that shows one
        price = form.money("price")
        until = form.moment("until")
        form.refuse_if_any()                    # Invalid form.faults with all of them; the gate shows the page again
        lot = tenders.lot(unit.session, ref)
        check_version(lot, form.version)        # somebody else changed it: Conflict, the entries are kept

A reader returns None (or "" for text) where its field is at fault or empty and not needed. The macros of ``parts/forms.html`` take the
form and show each field with its typed value, its fault and the hidden ``form_id`` and ``version``.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app, g, has_request_context, request
from werkzeug.datastructures import FileStorage, ImmutableMultiDict, MultiDict

from trading.kernel.errors import Fault, Faults, Invalid, Refusal
from trading.kernel.exact import BadValue, number
from trading.kernel.money import Money
from web.words.formatting import ZONE

_FORM_ID = re.compile(r"[A-Za-z0-9_-]{22,64}")
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)", re.ASCII)


def new_form_id() -> str:
    """128 random bits: unique without a counter, which would tell how many forms there were."""
    return secrets.token_urlsafe(16)


@dataclass
class Form:
    """What a person typed, what is wrong with it, and the marks that make sending twice harmless.

    ``first`` holds the values a page shows before anybody typed; ``version`` is the record's at that moment. ``suffix`` ends the ids of the
    fields on the page.
    """

    typed: MultiDict[str, Any] = field(default_factory=ImmutableMultiDict)
    files: MultiDict[str, FileStorage] = field(default_factory=ImmutableMultiDict)
    first: Mapping[str, Any] = field(default_factory=dict)
    form_id: str = field(default_factory=new_form_id)
    version: int | None = None
    faults: Faults = field(default_factory=Faults)
    sent: bool = False
    zone: ZoneInfo = ZONE
    suffix: str = ""

    @classmethod
    def blank(cls, first: Mapping[str, Any] | None = None, *, version: int | None = None) -> Form:
        """An empty form for a page, with first values."""
        return cls(first=first or {}, version=version, zone=_zone())

    @classmethod
    def read(cls, typed: Mapping[str, Any] | None = None) -> Form:
        """The form that was posted. Refuses: Invalid ``form.no_id`` when its marks are missing or malformed."""
        held: MultiDict[str, Any] = request.form if typed is None else MultiDict(typed)
        form_id, version = held.get("form_id", ""), held.get("version", "")
        if not _FORM_ID.fullmatch(form_id) or (
            version and not (version.isascii() and version.isdigit() and len(version) < 10)
        ):
            raise Invalid("form.no_id")
        form = cls(
            typed=held,
            files=request.files if typed is None else MultiDict(),
            form_id=form_id,
            version=int(version) if version else None,
            sent=True,
            zone=_zone(),
        )
        if has_request_context():
            g.form = form  # the gate shows it again when the act refuses
        return form

    @classmethod
    def query(cls) -> Form:
        """The filters in the address, read by the same readers."""
        return cls(typed=request.args, sent=True, zone=_zone())

    def of(self, **marks: Any) -> Form:
        """Of a page that shows one form for each of several things: this one where it was posted with these marks (names and values of
        hidden fields), else a blank one whose ids differ from those of its neighbours. So what was typed for one is never shown for
        another, and every label belongs to one field."""
        if self.sent and all(self.holds(name, str(value)) for name, value in marks.items()):
            return self
        blank = Form.blank(version=self.version)
        blank.suffix = "".join(f"-{value}" for value in marks.values())
        return blank

    # --- readers ------------------------------------------------------------------------------------------------------

    def text(self, name: str, *, needed: bool = True, limit: int = 200, lines: bool = False) -> str:
        """A text, normalised (NFC), without blanks at its ends. Control characters are a fault; ``lines`` allows line breaks."""
        value = unicodedata.normalize("NFC", str(self.typed.get(name, ""))).replace("\r\n", "\n").strip()
        odd = [c for c in value if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") and not (lines and c in "\n\t")]
        if odd or _bidi(value):
            self.faults.add(name, "form.bad_text")
            return ""
        if len(value) > limit:
            self.faults.add(name, "form.too_long", limit=limit, length=len(value))
            return ""
        if needed and not value:
            self.faults.add(name, "form.required")
        return value

    def password(self, name: str, *, needed: bool = True) -> str:
        """A secret exactly as typed (normalised NFKC), up to 200 characters; it is never shown again."""
        value = unicodedata.normalize("NFKC", str(self.typed.get(name, "")))[:200]
        if needed and not value:
            self.faults.add(name, "form.required")
        return value

    def money(
        self, name: str, *, needed: bool = True, unit: str = "元", least: Money | None = None, most: Money | None = None
    ) -> Money | None:
        value = self.text(name, needed=needed, limit=40)
        if not value:
            return None
        try:
            amount = Money.parse(value, unit=unit)
        except Invalid as refusal:
            self.faults.take(name, refusal)
            return None
        return self._within(name, amount, least, most)

    def number(
        self, name: str, *, needed: bool = True, least: Fraction | int | None = None, most: Fraction | int | None = None
    ) -> Fraction | None:
        """An exact number: points, a percentage, a rate."""
        value = self.text(name, needed=needed, limit=40).replace("，", "").replace(",", "")
        if not value:
            return None
        try:
            found = number(value, name)
        except BadValue:
            self.faults.add(name, "form.bad_number")
            return None
        return self._within(name, found, least, most)

    def whole(self, name: str, *, needed: bool = True, least: int | None = None, most: int | None = None) -> int | None:
        value = self.text(name, needed=needed, limit=18)
        if not value:
            return None
        if not re.fullmatch(r"-?\d+", value, re.ASCII):
            self.faults.add(name, "form.bad_whole")
            return None
        return self._within(name, int(value), least, most)

    def day(self, name: str, *, needed: bool = True) -> date | None:
        value = self.text(name, needed=needed, limit=20)
        if not value:
            return None
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
                return date.fromisoformat(value)
        except ValueError:
            pass
        self.faults.add(name, "form.bad_day")
        return None

    def moment(self, name: str, *, needed: bool = True) -> datetime | None:
        """Date and time of day in the centre's zone (``2026-03-18 09:30`` or what a date-time field sends) → aware UTC."""
        value = self.text(name, needed=needed, limit=30)
        if not value:
            return None
        match = _MOMENT.fullmatch(value)
        try:
            local = datetime.fromisoformat(f"{match[1]}T{match[2]}") if match else None
        except ValueError:
            local = None
        if local is None:
            self.faults.add(name, "form.bad_moment")
            return None
        return local.replace(tzinfo=self.zone).astimezone(UTC)

    def choice(self, name: str, allowed: Iterable[str], *, needed: bool = True) -> str:
        value = str(self.typed.get(name, ""))
        if not value:
            if needed:
                self.faults.add(name, "form.required")
            return ""
        if value not in set(allowed):
            self.faults.add(name, "form.bad_choice")
            return ""
        return value

    def choices(self, name: str, allowed: Iterable[str], *, least: int = 0) -> list[str]:
        """Ticked boxes, in the order of ``allowed``."""
        ticked, known = set(map(str, self.typed.getlist(name))), list(allowed)
        if ticked - set(known):
            self.faults.add(name, "form.bad_choice")
        elif len(ticked) < least:
            self.faults.add(name, "form.required")
        return [one for one in known if one in ticked]

    def ticked(self, name: str, *, needed: bool = False) -> bool:
        value = bool(self.typed.get(name, ""))
        if needed and not value:
            self.faults.add(name, "form.not_ticked")
        return value

    def file(self, name: str, *, needed: bool = True) -> FileStorage | None:
        found = self.files.get(name)
        if found is None or not found.filename:
            if needed:
                self.faults.add(name, "form.bad_file")
            return None
        return found

    # --- faults -------------------------------------------------------------------------------------------------------

    def fault(self, name: str, code: str, **facts: Any) -> None:
        """A fault a page finds itself."""
        self.faults.add(name, code, **facts)

    def refuse_if_any(self) -> None:
        """Refuses: Invalid ``form.faults`` with every fault found."""
        self.faults.refuse_if_any()

    def learn(self, refusal: Refusal) -> None:
        """Take over what an act refused, so that the page shows it beside its fields or above them."""
        faults = getattr(refusal, "faults", ())
        for one in faults:
            if not any(held.where == one.where and held.code == one.code for held in self.faults.found):
                self.faults.found.append(Fault(one.where, one.code, dict(one.facts)))
        if not faults:
            where = refusal.facts.get("where", "")
            facts = {
                k: v for k, v in refusal.facts.items() if k != "where"
            }  # a fact may be called "code", so they go as they are
            self.faults.found.append(
                Fault(where if isinstance(where, str) and where in self.typed else "", refusal.code, facts)
            )

    def fault_of(self, name: str) -> Any:
        """The first fault of a field, or None."""
        return next((f for f in self.faults.found if f.where == name), None)

    def shown(self, name: str) -> str:
        """What the field shows: what was typed, else its first value."""
        if self.sent:
            return str(self.typed.get(name, ""))
        value = self.first.get(name)
        if value is None:
            return ""
        if isinstance(value, Money):
            return value.text()
        if isinstance(value, datetime):
            return f"{value.astimezone(self.zone):%Y-%m-%d %H:%M}"
        return str(value)

    def picked(self, name: str, *, day: bool = False) -> str | None:
        """What a native picker of a moment (or a day) is to show, "" when empty. None where what was typed is no such thing: only a field
        of text can hold it to be mended."""
        typed = self.shown(name).strip()
        match = _MOMENT.fullmatch(typed)
        wanted = typed if day else f"{match[1]}T{match[2]}" if match else ""
        try:
            if wanted:
                date.fromisoformat(wanted) if day else datetime.fromisoformat(wanted)
        except ValueError:
            return None
        return wanted if wanted or not typed else None

    def holds(self, name: str, value: str) -> bool:
        """Is this option chosen or ticked?"""
        if self.sent:
            return value in map(str, self.typed.getlist(name))
        held = self.first.get(name)
        return (
            value in map(str, held)
            if isinstance(held, (list, tuple, set, frozenset))
            else held is not None and str(held) == value
        )

    def _within(self, name: str, value: Any, least: Any, most: Any) -> Any:
        if least is not None and value < least:
            return self._bad(name, "form.too_small", least=least)
        if most is not None and value > most:
            return self._bad(name, "form.too_large", most=most)
        return value

    def _bad(self, name: str, code: str, **facts: Any) -> Any:
        self.faults.add(name, code, **facts)
        return None


def _bidi(text: str) -> bool:
    """Marks that turn the direction of text can make a name read as another."""
    return any(c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" for c in text)


def _zone() -> ZoneInfo:
    return current_app.extensions["bidhall"].zone if current_app and "bidhall" in current_app.extensions else ZONE
