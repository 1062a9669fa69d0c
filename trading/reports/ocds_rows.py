"""OCDS release and record packages become rows: one for each contracting process.

Budget is ``planning.budget.amount``, else ``tender.value``; award is the sum of the active awards (rule ST-10: contracts do not
change it). Releases of one process are merged by the rules of the OCDS 1.1 merge, so a corrected award replaces the earlier one
(rule ST-09). The day of a result is the latest ``date`` of its active awards, as written there, else that of the release.
Nothing is fetched: a record that only links to its releases is a fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from trading.disclosure.merging import merged
from trading.kernel.errors import Faults
from trading.reports import savings
from trading.reports.amounts import EXACT, AmountFault, Scale, json_amount
from trading.reports.source import Table

STATUSES = {"cancelled": savings.CANCELLED, "withdrawn": savings.CANCELLED, "unsuccessful": savings.FAILED}
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?=$|[T ])", re.ASCII)
_NO_CURRENCY = "XXX"


def read(text: str, faults: Faults) -> Table | None:
    """Rows of an OCDS text, in the order in which the processes first appear; None after a fault."""
    processes: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    compiled: dict[str, tuple[str, dict[str, Any]]] = {}
    for where, document in _documents(text, faults):
        for place, kind, release in _releases(where, document, faults):
            ocid = release.get("ocid")
            if not isinstance(ocid, str) or not ocid:
                faults.add(f"{place}.ocid", "ocds.no_ocid")
            elif kind == "compiled":
                if ocid not in compiled or str(compiled[ocid][1].get("date") or "") <= str(release.get("date") or ""):
                    compiled[ocid] = (place, release)
                processes.setdefault(ocid, [])
            else:
                processes.setdefault(ocid, []).append((place, release))
    scale = Scale()
    drafts = []
    for ocid, releases in processes.items():
        place, whole = compiled.get(ocid) or (releases[0][0], merged([release for _, release in releases]))
        drafts.append(_draft(ocid, place, whole, faults, scale))
    if faults.found:
        return None
    if not drafts:
        faults.add("", "ocds.nothing")
        return None
    return Table(
        [draft._replace(budget=scale.whole(draft.budget), award=scale.whole(draft.award)) for draft in drafts],
        scale.places,
        "ocds",
    )


def _documents(text: str, faults: Faults) -> Iterator[tuple[str, Any]]:
    """The JSON values of the text: one of the whole, or one for each line."""
    first = text.lstrip().split("\n", 1)
    if len(first) == 2 and first[1].strip() and _parsed(first[0]) is not None:
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                found = _parse(line, f"line {number}", faults, first_line=number)
                if found is not None:
                    yield f"line {number}: ", found
    else:
        found = _parse(text, "", faults, first_line=1)
        if found is not None:
            yield "", found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_float=_text_of, parse_int=_text_of)
    except (ValueError, RecursionError):
        return None


def _text_of(digits: str) -> str:
    return digits


def _not_a_number(word: str) -> None:
    raise ValueError(word)


def _parse(text: str, where: str, faults: Faults, *, first_line: int) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_not_a_number)
    except json.JSONDecodeError as error:
        faults.add(f"line {first_line + error.lineno - 1}, column {error.colno}", "json.broken", detail=error.msg)
    except RecursionError:
        faults.add(where, "json.too_deep")
    except (ValueError, ArithmeticError) as error:
        faults.add(where, "json.broken", detail=str(error))
    return None


def _releases(where: str, document: Any, faults: Faults) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(place, kind, release) of a package, a bare release or record, or a list of any of these."""
    if isinstance(document, list):
        for number, part in enumerate(document):
            yield from _releases(f"{where}[{number}]", part, faults)
    elif not isinstance(document, dict):
        faults.add(where.rstrip(": "), "ocds.not_ocds")
    elif "records" in document:
        for number, record in _objects(document["records"], f"{where}records", faults):
            yield from _record(f"{where}records[{number}]", record, faults)
    elif "compiledRelease" in document or ("ocid" in document and "releases" in document):
        yield from _record(where.rstrip(": ") or "record", document, faults)
    elif "releases" in document:
        for number, release in _objects(document["releases"], f"{where}releases", faults):
            yield f"{where}releases[{number}]", "release", release
    elif "ocid" in document:
        yield where.rstrip(": ") or "release", _kind(document), document
    else:
        faults.add(where.rstrip(": "), "ocds.not_ocds")


def _kind(release: dict[str, Any]) -> str:
    tag = release.get("tag")
    return "compiled" if isinstance(tag, list) and "compiled" in tag else "release"


def _record(place: str, record: dict[str, Any], faults: Faults) -> Iterator[tuple[str, str, dict[str, Any]]]:
    whole = record.get("compiledRelease")
    if isinstance(whole, dict):
        yield f"{place}.compiledRelease", "compiled", {"ocid": record.get("ocid"), **whole}
        return
    found = list(_objects(record.get("releases", []), f"{place}.releases", faults))
    for number, release in found:
        if "url" in release and "id" not in release:
            faults.add(f"{place}.releases[{number}]", "ocds.linked_release")
        else:
            yield f"{place}.releases[{number}]", "release", release
    if not found:
        faults.add(place, "ocds.empty_record")


def _objects(value: Any, where: str, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    if value is None:
        return
    if not isinstance(value, list):
        faults.add(where, "ocds.not_a_list")
        return
    for number, part in enumerate(value):
        if isinstance(part, dict):
            yield number, part
        else:
            faults.add(f"{where}[{number}]", "ocds.not_an_object")


def _draft(ocid: str, place: str, whole: dict[str, Any], faults: Faults, scale: Scale) -> Any:
    """The row of one process, its amounts still Decimal."""

    def part(*path: str) -> Any:
        value: Any = whole
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def words(*path: str) -> str | None:
        value = part(*path)
        return value.strip() or None if isinstance(value, str) else None

    def money(value: Any, where: str) -> tuple[Decimal | None, str]:
        if value is None:
            return None, ""
        if not isinstance(value, dict):
            faults.add(where, "ocds.not_an_object")
            return None, ""
        currency = value.get("currency")
        try:
            found = json_amount(value.get("amount"))
            scale.see(found)
        except AmountFault as wrong:
            faults.add(f"{where}.amount", wrong.code, value=wrong.value)
            found = None
        if currency is not None and not (isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency)):
            faults.add(f"{where}.currency", "cell.currency", value=str(currency)[:40])
            currency = None
        return found, (currency or "") if found is not None else ""

    budget, paid_in = money(part("planning", "budget", "amount"), f"{place}.planning.budget.amount")
    if budget is None:
        budget, paid_in = money(part("tender", "value"), f"{place}.tender.value")
    active = [
        (number, one)
        for number, one in _objects(part("awards"), f"{place}.awards", faults)
        if one.get("status") == "active"
    ]
    sums = [money(one.get("value"), f"{place}.awards[{number}].value") for number, one in active]
    award = None
    if sums and all(amount is not None for amount, _ in sums):
        award = Decimal(0)
        for amount, _ in sums:
            award = EXACT.add(award, amount or 0)
    currencies = {name for name in (paid_in, *(name for _, name in sums)) if name}
    status = savings.AWARDED if active else STATUSES.get(str(part("tender", "status")), savings.PENDING)
    days = [found for _, one in active if (found := _day(one.get("date"))) is not None]
    parties = {
        one.get("id"): one
        for _, one in _objects(part("parties"), f"{place}.parties", faults)
        if isinstance(one.get("id"), str)
    }

    def organisation(*path: str) -> tuple[str | None, str | None]:
        known = part(*path, "id")
        party = parties.get(known) if isinstance(known, str) else None
        name = words(*path, "name") or (str(party["name"]) if party and party.get("name") else None)
        address = party.get("address") if party else None
        region = address.get("region") if isinstance(address, dict) else None
        return name, region if isinstance(region, str) and region.strip() else None

    buyer, region = organisation("buyer")
    entity, entity_region = organisation("tender", "procuringEntity")
    discount, form = part("x_discountPct"), words("x_priceForm") or "total"
    return savings.Row(
        id=ocid,
        budget=budget,  # type: ignore[arg-type]
        award=award,  # type: ignore[arg-type]
        status=status,
        price_form=form if form in savings.PRICE_FORMS else "total",
        date=max(days) if days else _day(part("date")),
        currency=None if len(currencies) > 1 else next(iter(currencies), _NO_CURRENCY),
        project=words("planning", "budget", "projectID"),
        regime=words("x_regime"),
        category=words("tender", "mainProcurementCategory"),
        method=words("x_method") or words("tender", "procurementMethod"),
        purchaser=buyer or entity,
        agency=entity if buyer and entity != buyer else None,
        region=region or entity_region,
        discount_pct=discount if isinstance(discount, Decimal) and 0 <= discount <= 100 else None,
    )


def _day(value: Any) -> date | None:
    found = _DAY.match(value) if isinstance(value, str) else None
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
