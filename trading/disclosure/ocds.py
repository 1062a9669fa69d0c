"""Open contracting data (OCDS 1.1.5): release and record packages of the platform's lots, checked against the standard's own schema.

One contracting process is one lot (rule ST-01), so a reader's sums agree with ours. Builders take cards, plain mappings read from the
database by others, and give plain documents; amounts are Decimal from end to end and are written as JSON numbers digit for digit. What a
card must not yet say is refused here as well: before the tender period is over a release names no tenderer, no bid and no award.

A card: ``ref``, ``date`` (aware moment of the release), ``tag`` (list), ``title``, ``state`` (rulebook §1.5), ``method`` (M1 … M10),
``category``, ``regime``, ``currency``, ``purchaser`` and ``agency`` (organisations), and where known ``project`` {id, title}, the fields of
the lot that are declared with a place in a release, by name (amounts Decimal), ``price_form``, ``discount_pct``, ``tender_start`` (aware
moment), ``tenderers``
[organisation], ``bids`` [{id, date, status, tenderer: organisation, amount}], ``awards`` [{id, title, date, status, amount, suppliers:
[organisation]}], ``contracts`` [{id, award_id, date, status, amount}], ``documents`` [{id, type, title, url, date, format}].
An organisation: {id, name, code, region}; ``code`` is its unified social credit code (GB 32100).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from trading.disclosure.merging import compiled
from trading.kernel.errors import Fault, Invalid, TooEarly
from trading.procedures.field import MOMENT, MONEY
from trading.procedures.fields import FIELDS

SCHEMAS = Path(__file__).parent / "schemas" / "ocds-1.1.5"
BIDS_EXTENSION = (
    "https://raw.githubusercontent.com/open-contracting-extensions/ocds_bid_extension/v1.1.5/extension.json"
)

TENDER_STATUS = {
    **dict.fromkeys(("DRAFT", "FILED", "RETURNED", "INTENT"), "planning"),
    "ACCEPTED": "planned",
    **dict.fromkeys(
        (
            "PQ_NOTICE",
            "PQ_REVIEW",
            "PQ_RESULT",
            "NOTICE",
            "DOC_ISSUE",
            "CLARIFY",
            "BIDDING",
            "OPENING",
            "QUAL_REVIEW",
            "EVALUATION",
            "NEGOTIATION",
            "REPORT",
            "CANDIDATES",
            "AWARD",
            "SUSPENDED",
        ),
        "active",
    ),
    **dict.fromkeys(("RESULT", "CONTRACT", "FILING", "CLOSING", "ARCHIVED"), "complete"),
    "FAILED": "unsuccessful",
    "TERMINATED": "cancelled",
}
METHODS = {
    "M1": ("open", "公开招标"),
    "M2": ("selective", "邀请招标"),
    "M3": ("limited", "竞争性谈判"),
    "M4": ("limited", "竞争性磋商"),
    "M5": ("limited", "询价"),
    "M6": ("direct", "单一来源"),
    "M7": ("open", "公开招标"),
    "M8": ("open", "公开招标（资格预审）"),
    "M9": ("selective", "邀请招标"),
}
CATEGORIES = {"GOODS": "goods", "SERVICES": "services", "WORKS": "works"}
ROLES = ("buyer", "procuringEntity", "tenderer", "supplier")


# --- building ---------------------------------------------------------------------------------------------------------


def release(card: Mapping[str, Any], *, prefix: str) -> dict[str, Any]:
    """One release of one lot; ``prefix`` is the publisher's registered OCID prefix (``ocds-…``).

    Refuses: TooEarly ``ocds.before_opening`` for a card that names tenderers, bids or awards before its tender period is over.
    """
    ends, moment = card.get("deadline"), card["date"]
    if (
        ends is not None
        and moment < ends
        and any(card.get(name) for name in ("tenderers", "bids", "awards", "contracts"))
    ):
        raise TooEarly("ocds.before_opening", ref=card["ref"], opens_at=ends, now=moment)
    parties = _Parties()
    buyer = parties.add(card["purchaser"], "buyer")
    agency = card.get("agency")
    entity = parties.add(agency or card["purchaser"], "procuringEntity")
    currency = card.get("currency") or "CNY"
    procurement, words = METHODS.get(card["method"], (None, card["method"]))
    ocid = f"{prefix}-{card['ref']}"
    made = {
        "ocid": ocid,
        "id": f"{ocid}-{_moment(moment)}-{'-'.join(card['tag'])}",
        "date": _moment(moment),
        "tag": list(card["tag"]),
        "initiationType": "tender",
        "language": "zh",
        "buyer": buyer,
        "planning": _planning(card),
        "tender": _part(
            "tender",
            card,
            {
                "id": card["ref"],
                "title": card["title"],
                "description": None,
                "status": TENDER_STATUS[card["state"]],
                "procuringEntity": entity,
                "value": _value(card.get("budget"), currency),  # where no ceiling is known
                "procurementMethod": procurement,
                "procurementMethodDetails": words,
                "mainProcurementCategory": CATEGORIES.get(str(card.get("category")).upper()),
                "submissionMethod": ["electronicSubmission"],
                "tenderPeriod": _part("tender.tenderPeriod", card, {"startDate": _moment(card.get("tender_start"))}),
                "numberOfTenderers": len(card["tenderers"])
                if card.get("tenderers") is not None and (ends is None or moment >= ends)
                else None,
                "tenderers": [parties.add(one, "tenderer") for one in card.get("tenderers") or ()],
                "documents": [_document(one) for one in card.get("documents") or ()],
            },
        ),
        "bids": _compact(
            {
                "details": [
                    _compact(
                        {
                            "id": one["id"],
                            "date": _moment(one.get("date")),
                            "status": one.get("status"),
                            "tenderers": [parties.add(one["tenderer"], "tenderer")],
                            "value": _value(one.get("amount"), currency),
                        }
                    )
                    for one in card.get("bids") or ()
                ]
            }
        ),
        "awards": [
            _compact(
                {
                    "id": one["id"],
                    "title": one.get("title") or card["title"],
                    "status": one["status"],
                    "date": _moment(one.get("date")),
                    "value": _value(one.get("amount"), currency),
                    "suppliers": [parties.add(firm, "supplier") for firm in one.get("suppliers") or ()],
                }
            )
            for one in card.get("awards") or ()
        ],
        "contracts": [
            _compact(
                {
                    "id": one["id"],
                    "awardID": one["award_id"],
                    "status": one.get("status"),
                    "dateSigned": _moment(one.get("date")),
                    "value": _value(one.get("amount"), currency),
                }
            )
            for one in card.get("contracts") or ()
        ],
        "x_regime": card.get("regime"),
        "x_method": card["method"],
        "x_priceForm": card.get("price_form"),
        "x_discountPct": card.get("discount_pct"),
    }
    made["parties"] = parties.listed()
    return _compact(made)


def release_package(
    releases: Iterable[Mapping[str, Any]], *, uri: str, publisher: str, published_at: datetime
) -> dict[str, Any]:
    """A release package around releases made by `release`."""
    held = [dict(one) for one in releases]
    return {**_package(uri, publisher, published_at, held), "releases": held}


def record_package(
    releases: Iterable[Mapping[str, Any]], *, uri: str, publisher: str, published_at: datetime
) -> dict[str, Any]:
    """A record package: for each process its releases and the compiled release, in the order of first appearance."""
    processes: dict[str, list[dict[str, Any]]] = {}
    for one in releases:
        processes.setdefault(one["ocid"], []).append(dict(one))
    records = [{"ocid": ocid, "releases": held, "compiledRelease": compiled(held)} for ocid, held in processes.items()]
    everything = [one for held in processes.values() for one in held]
    return {**_package(uri, publisher, published_at, everything), "records": records}


def _package(uri: str, publisher: str, published_at: datetime, releases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    package = {"uri": uri, "version": "1.1", "publishedDate": _moment(published_at), "publisher": {"name": publisher}}
    return {**package, "extensions": [BIDS_EXTENSION]} if any("bids" in one for one in releases) else package


class _Parties:
    """The organisations of one release, each once, with all roles it plays there."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def add(self, card: Mapping[str, Any], role: str) -> dict[str, Any]:
        party = self.found.setdefault(
            card["id"],
            _compact(
                {
                    "id": card["id"],
                    "name": card["name"],
                    "identifier": {"id": card["code"], "legalName": card["name"]} if card.get("code") else None,
                    "address": _compact({"region": card.get("region"), "countryName": "中国"})
                    if card.get("region")
                    else None,
                    "roles": [],
                }
            ),
        )
        party.setdefault("roles", [])
        if role not in party["roles"]:
            party["roles"].append(role)
        return {"id": card["id"], "name": card["name"]}

    def listed(self) -> list[dict[str, Any]]:
        return [{**party, "roles": sorted(party["roles"], key=ROLES.index)} for party in self.found.values()]


def _planning(card: Mapping[str, Any]) -> dict[str, Any]:
    project = card.get("project") or {}
    held = {"amount": None, "project": project.get("title"), "projectID": project.get("id")}
    return _compact({"budget": _part("planning.budget", card, held)})


def _part(where: str, card: Mapping[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """A part of a release with the declared fields of the lot that belong there; a name that ``made`` has keeps its place."""
    for field in FIELDS:
        place, _dot, name = field.ocds.rpartition(".")
        value = card.get(field.name)
        if place == where and value is not None:
            amount, moment = field.kind == MONEY, field.kind == MOMENT
            made[name] = _value(value, card.get("currency") or "CNY") if amount else _moment(value) if moment else value
    return _compact(made)


def _document(card: Mapping[str, Any]) -> dict[str, Any]:
    return _compact(
        {
            "id": card["id"],
            "documentType": card.get("type"),
            "title": card.get("title"),
            "url": card.get("url"),
            "datePublished": _moment(card.get("date")),
            "format": card.get("format"),
            "language": "zh",
        }
    )


def _value(amount: Decimal | int | None, currency: str) -> dict[str, Any] | None:
    if isinstance(amount, float):
        raise TypeError("money is never a binary float")
    return None if amount is None else {"amount": Decimal(amount), "currency": currency}


def _moment(value: datetime | None) -> str | None:
    if value is not None and value.tzinfo is None:
        raise ValueError("a moment without its offset")
    return None if value is None else value.isoformat(timespec="seconds")


def _compact(card: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known: OCDS leaves fields out rather than writing them empty."""
    return {name: value for name, value in card.items() if value is not None and value != [] and value != {}}


# --- writing ----------------------------------------------------------------------------------------------------------


def written(value: Any, indent: int = 0) -> str:
    """JSON text of a document, its Decimals as numbers digit for digit; a float is a defect of the caller."""
    gap, end = "\n" + " " * (indent + 1), "\n" + " " * indent
    if isinstance(value, Mapping):
        parts = [
            f"{json.dumps(str(name), ensure_ascii=False)}: {written(held, indent + 1)}" for name, held in value.items()
        ]
        return "{" + gap + f",{gap}".join(parts) + end + "}" if parts else "{}"
    if isinstance(value, list | tuple):
        return "[" + gap + f",{gap}".join(written(held, indent + 1) for held in value) + end + "]" if value else "[]"
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("not a number")
        return format(value, "f")
    if isinstance(value, float):
        raise TypeError("a binary float in open data")
    return json.dumps(value, ensure_ascii=False)


# --- checking ---------------------------------------------------------------------------------------------------------


def faults(document: Any) -> list[Fault]:
    """Every place where a release or record package breaks the schema of OCDS 1.1.5 (with the bids extension); none if it is sound."""
    kind = "record-package" if isinstance(document, dict) and "records" in document else "release-package"
    found = sorted(_validator(kind).iter_errors(document), key=lambda error: (error.json_path, error.message))
    return [
        Fault(error.json_path, f"ocds.{error.validator}", {"detail": error.message[:300]}) for error in _leaves(found)
    ]


def validate(document: Any) -> None:
    """Refuses: Invalid ``ocds.schema`` with every fault."""
    found = faults(document)
    if found:
        raise Invalid("ocds.schema", faults=found, count=len(found))


def _leaves(errors: Iterable[Any]) -> Iterator[Any]:
    """The errors inside alternatives, where they say more than the alternative itself."""
    for error in errors:
        inner = [one for one in error.context or () if one.validator not in ("type", "enum")]
        if inner:
            yield from _leaves(inner)
        else:
            yield error


@cache
def codelist(name: str) -> frozenset[str]:
    """The codes of a codelist of the standard, such as ``partyRole``."""
    import csv

    with (SCHEMAS / "codelists" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return frozenset(row["Code"] for row in csv.DictReader(stream))


@cache
def _validator(kind: str) -> Any:
    from jsonschema import FormatChecker
    from jsonschema.validators import validator_for
    from referencing import Registry, Resource

    def load(path: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found

    base = _patched(
        load(SCHEMAS / "release-schema.json"), load(SCHEMAS / "bid-extension-1.1.5" / "release-schema.json")
    )
    registry: Any = Registry().with_resources(
        [
            (schema["id"], Resource.from_contents(schema))
            for schema in (base, load(SCHEMAS / "versioned-release-validation-schema.json"))
        ]
    )
    checker = FormatChecker(formats=())
    checker.checks("date-time")(_is_moment)
    checker.checks("uri")(_is_uri)
    schema = load(SCHEMAS / f"{kind}-schema.json")
    return validator_for(schema)(schema, registry=registry, format_checker=checker)


def _patched(schema: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396), by which OCDS extensions change the schema."""
    if not isinstance(patch, dict):
        return patch
    whole = dict(schema) if isinstance(schema, dict) else {}
    for name, value in patch.items():
        if value is None:
            whole.pop(name, None)
        else:
            whole[name] = _patched(whole.get(name), value)
    return whole


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


def _is_moment(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not _MOMENT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or _URI.fullmatch(value) is not None
