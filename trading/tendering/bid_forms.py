"""The structured part of a bid: what is asked, and what an opened ``announce`` says (pure; no database).

A form is a list of fields ``{key, label, label_en, type, required}``; ``announce`` is one flat object of strings with those keys. Types:
``money`` (decimal yuan text), ``days`` and ``count`` (whole numbers), ``percent`` (decimal), ``text``, ``choice`` (with ``choices``). The
platform's sealer checks it before sealing; after opening it is read again, because what a bidder sealed is untrusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading.kernel.errors import Faults

TYPES = ("money", "days", "count", "percent", "text", "choice", "file")
PRICE = "price"
TECHNICAL_ENVELOPE, PRICE_ENVELOPE = "bid", "price"
"""The envelopes of a bid; a bid in one envelope has the first alone, with the whole form."""
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_MONEY = re.compile(r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?\Z", re.ASCII)
_WHOLE = re.compile(r"(0|[1-9][0-9]{0,5})\Z", re.ASCII)
_PERCENT = re.compile(r"(0|[1-9][0-9]{0,2})(\.[0-9]{1,4})?\Z", re.ASCII)

Field = dict[str, Any]

FORMS: dict[str, tuple[Field, ...]] = {
    "GOODS": (
        {
            "key": "price",
            "label": "投标总价（元）",
            "label_en": "Total price (yuan)",
            "type": "money",
            "required": True,
        },
        {
            "key": "delivery_days",
            "label": "交货期（日）",
            "label_en": "Delivery (days)",
            "type": "days",
            "required": True,
        },
        {
            "key": "warranty_months",
            "label": "质保期（月）",
            "label_en": "Warranty (months)",
            "type": "count",
            "required": True,
        },
        {
            "key": "small_firm",
            "label": "小微企业声明",
            "label_en": "Small or micro firm",
            "type": "choice",
            "required": True,
            "choices": ["no", "yes"],
        },
    ),
    "SERVICES": (
        {
            "key": "price",
            "label": "投标总价（元）",
            "label_en": "Total price (yuan)",
            "type": "money",
            "required": True,
        },
        {"key": "duration_days", "label": "服务期（日）", "label_en": "Term (days)", "type": "days", "required": True},
        {
            "key": "small_firm",
            "label": "小微企业声明",
            "label_en": "Small or micro firm",
            "type": "choice",
            "required": True,
            "choices": ["no", "yes"],
        },
    ),
    "WORKS": (
        {
            "key": "price",
            "label": "投标总价（元）",
            "label_en": "Total price (yuan)",
            "type": "money",
            "required": True,
        },
        {
            "key": "duration_days",
            "label": "工期（日历天）",
            "label_en": "Duration (calendar days)",
            "type": "days",
            "required": True,
        },
        {"key": "quality", "label": "质量承诺", "label_en": "Quality", "type": "text", "required": True},
        {"key": "manager", "label": "项目经理", "label_en": "Project manager", "type": "text", "required": True},
    ),
}


@dataclass(frozen=True)
class BidFormValues:
    """``price_minor`` in fen, None where the form asks for no price (a technical envelope); the other values as read."""

    price_minor: int | None
    values: dict[str, str]


def default_form(category: str) -> list[Field]:
    """The form offered to a new lot of this category; the agency may change it before publication."""
    return [dict(field) for field in FORMS[category]]


def of_envelope(form: Sequence[Mapping[str, Any]], envelope: str, *, two_envelopes: bool) -> list[Field]:
    """The fields asked for in one envelope: with two, all that is money (and what names the price envelope) lies in the price envelope,
    everything else in the technical one, so that no technical form can hold a price."""
    return [dict(field) for field in form if not two_envelopes or _lies_in(field) == envelope]


def _lies_in(field: Mapping[str, Any]) -> str:
    return (
        PRICE_ENVELOPE
        if field.get("type") == "money" or field.get("envelope") == PRICE_ENVELOPE
        else TECHNICAL_ENVELOPE
    )


def check_form(form: Sequence[Mapping[str, Any]], *, two_envelopes: bool = False) -> None:
    """Refuses: Invalid naming every field of the form definition that is wrong; a price in money is always asked, and of two envelopes
    none is without a field. A field may name its ``envelope``; money belongs into the price envelope whatever it says."""
    faults = Faults()
    seen: set[str] = set()
    for number, field in enumerate(form):
        where, key = f"form.{number}", str(field.get("key", ""))
        if not _KEY.match(key):
            faults.add(where, "bid_form.bad_key", key=key)
        if key in seen:
            faults.add(where, "bid_form.key_twice", key=key)
        seen.add(key)
        if field.get("type") not in TYPES:
            faults.add(where, "bid_form.bad_type", type=str(field.get("type")), types=list(TYPES))
        if field.get("part_of") and (field["part_of"] != PRICE or field.get("type") != "money" or key == PRICE):
            faults.add(where, "bid_form.bad_item", key=key)
        if field.get("type") == "choice" and not field.get("choices"):
            faults.add(where, "bid_form.no_choices", key=key)
        if not str(field.get("label", "")).strip():
            faults.add(where, "form.required")
        if field.get("envelope", PRICE_ENVELOPE) not in (TECHNICAL_ENVELOPE, PRICE_ENVELOPE):
            faults.add(where, "bid_form.bad_envelope", envelope=str(field.get("envelope"))[:40])
        if field.get("type") == "money" and field.get("envelope", PRICE_ENVELOPE) != PRICE_ENVELOPE:
            faults.add(where, "bid_form.price_outside", key=key)
    if not any(f.get("key") == PRICE and f.get("type") == "money" and f.get("required") for f in form):
        faults.add("form", "bid_form.no_price")
    if two_envelopes and not of_envelope(form, TECHNICAL_ENVELOPE, two_envelopes=True):
        faults.add("form", "bid_form.no_technical")
    faults.refuse_if_any()


def parse(form: Sequence[Mapping[str, Any]], announce: Mapping[str, Any]) -> BidFormValues:
    """Read what a bid announces. Refuses: Invalid naming every field that is missing, foreign or malformed.

    No ceiling is applied here: a price above it is opened and read out, and rejected by those who review (rules C-04, C-06).
    """
    faults = Faults()
    known = {str(f["key"]): f for f in form if f.get("type") != "file"}
    for key in announce:
        if key not in known:
            faults.add(key, "bid_form.foreign_key", key=key)
    for key, field in known.items():
        value = announce.get(key, "")
        if not isinstance(value, str):
            faults.add(key, "bid_form.not_text", key=key)
        elif not value.strip():
            if field.get("required"):
                faults.add(key, "form.required")
        else:
            _check(faults, key, field, value)
    faults.refuse_if_any("bid_form.faults")
    return BidFormValues(
        price_minor(announce[PRICE]) if PRICE in known else None,
        {k: str(announce[k]) for k in known if announce.get(k)},
    )


def _check(faults: Faults, key: str, field: Mapping[str, Any], value: str) -> None:
    kind = field["type"]
    if kind == "money" and (not _MONEY.match(value) or Decimal(value) == 0):
        faults.add(key, "bid_form.bad_money", value=value)
    elif kind in ("days", "count") and not _WHOLE.match(value):
        faults.add(key, "bid_form.bad_whole", value=value)
    elif kind == "percent" and not _PERCENT.match(value):
        faults.add(key, "bid_form.bad_percent", value=value)
    elif kind == "choice" and value not in field.get("choices", ()):
        faults.add(key, "bid_form.bad_choice", value=value, choices=list(field.get("choices", ())))
    elif kind == "text" and len(value) > 500:
        faults.add(key, "bid_form.too_long", most=500)


ENTRY = "entry_"
"""How the key of an entry begins that an agency added to the form of the category."""


def with_lists(
    form: Sequence[Mapping[str, Any]],
    *,
    items: Sequence[str],
    files: Sequence[str],
    entries: Sequence[str] = (),
) -> list[Field]:
    """The form with these items of the price, these files asked for and these further entries, in place of those it had. Each by its label.

    An item is money that is ``part_of`` the price; a file is looked for before sealing, and announced by nobody; an entry is a text that
    every bidder gives and that is read out.
    """
    kept = [
        dict(field)
        for field in form
        if field.get("type") != "file" and not field.get("part_of") and not str(field["key"]).startswith(ENTRY)
    ]
    kept += [
        {"key": f"{ENTRY}{n}", "label": label, "label_en": label, "type": "text", "required": True}
        for n, label in enumerate(entries, 1)
    ]
    priced = [
        {"key": f"item_{n}", "label": label, "label_en": label, "type": "money", "required": True, "part_of": PRICE}
        for n, label in enumerate(items, 1)
    ]
    asked = [
        {"key": f"file_{n}", "label": label, "label_en": label, "type": "file", "required": True}
        for n, label in enumerate(files, 1)
    ]
    at = next((n for n, field in enumerate(kept) if field["key"] == PRICE), -1) + 1
    return [*kept[:at], *priced, *kept[at:], *asked]


def lists_of(form: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """(labels of the price's items, labels of the files asked for)."""
    items = [str(field["label"]) for field in form if field.get("part_of") == PRICE]
    return items, [str(field["label"]) for field in form if field.get("type") == "file"]


def entries_of(form: Sequence[Mapping[str, Any]]) -> list[str]:
    """Labels of the entries added to the form of the category."""
    return [str(field["label"]) for field in form if str(field["key"]).startswith(ENTRY)]


def sum_of_items(form: Sequence[Mapping[str, Any]], values: Mapping[str, str]) -> int | None:
    """What the items of the price come to, in fen; None where the form has none."""
    items = [str(field["key"]) for field in form if field.get("part_of") == PRICE]
    return sum(price_minor(values[key]) for key in items if values.get(key)) if items else None


def price_minor(text: str) -> int:
    """A checked money text in yuan → fen."""
    return int(Decimal(text) * 100)
