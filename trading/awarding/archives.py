"""Archives: what a finished lot must hold on record, and sealing it (rulebook §9.4).

Law of the noun: an archive is sealed once, whole; what is missing is said all at once, and nothing is taken out afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from crypto.signatures import document_hash
from trading.awarding import awards, contracts, signed_award
from trading.custody import officers, signed_policies
from trading.hall import opened_files
from trading.kernel import signed
from trading.kernel.access import Act
from trading.kernel.clock import parse_moment, write_moment
from trading.kernel.errors import Fault, Invalid
from trading.kernel.signed import Difference
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony, signed_opening
from trading.procedures import procedure_of
from trading.tendering import documents, notices, signed_terms
from trading.tendering.tenders import LOT_FLOW, Lot

READY = ("CLOSING", "FAILED", "TERMINATED")
"""States from which a lot is archived."""


@dataclass(frozen=True)
class Item:
    """One thing an archive holds. ``kind``: a code with words (``state.archive``); ``name``: which of its kind; ``at`` and ``digest``: of
    what is there; ``needed``: the archive is not whole without it; ``number``: of the row, where several of a kind are told apart by it."""

    kind: str
    name: str
    needed: bool
    at: datetime | None = None
    digest: str = ""
    number: int = 0

    @property
    def there(self) -> bool:
        return self.at is not None


def needed_notices(lot: Lot) -> tuple[str, ...]:
    """The kinds of notices a lot in its present state must have published (rulebook §9.2)."""
    if lot.published_at is None:
        return ()
    if lot.state == "FAILED":
        return ("tender", "failure")
    if lot.state == "TERMINATED":
        return ("tender", "termination")
    return tuple(one.kind for one in procedure_of(lot).notices)


def contents(view: View, lot: Lot) -> list[Item]:
    """Everything on record of a lot, and what is missing. Refuses: NotAllowed."""
    view.require(Act.ARCHIVE_SEAL)
    project = lot.project
    found = [Item("filing", project.ref, True, project.accepted_at, project.code or "")]
    posted = notices.of_lot(view.session, lot)
    needed = needed_notices(lot)
    found += [
        Item("notice", row.kind, row.kind in needed, row.published_at, row.document_hash, row.id) for row in posted
    ]
    found += [Item("notice", kind, True) for kind in needed if all(row.kind != kind for row in posted)]
    files = [row for row in documents.standing(view.session, lot) if row.published]
    found += [Item("document", row.name, True, row.published_at, row.sha256, row.id) for row in files]
    if lot.published_at is not None and not files:
        found.append(Item("document", "", True))
    policies = view.session.scalars(
        select(officers.Policy).where(officers.Policy.lot_id == lot.id, officers.Policy.dsse.is_not(None))
    )
    found += [Item("policy", row.envelope, True, row.drafted_at, row.policy_id) for row in policies.all()]
    opened = view.session.scalars(select(ceremony.Opening).where(ceremony.Opening.lot_id == lot.id)).all()
    found += [Item("opening", row.part, True, row.opened_at, row.set_hash) for row in opened]
    held = opened_files.held_back(view.session, lot)  # files nobody was handed, and why
    found += [Item("held_file", f"{row.finding} {row.digest}", False, row.scanned_at, row.blob) for row in held]
    if lot.state not in ("FAILED", "TERMINATED"):
        award, contract = awards.find(view.session, lot), contracts.find(view.session, lot)
        found.append(
            Item("report", "", True, award.proposed_at if award else None, award.ranking_hash if award else "")
        )
        found.append(
            Item("contract", contract.number if contract else "", True, contract.filed_at if contract else None)
        )
    return found


def differences(view: View, lot: Lot) -> Iterator[Difference]:
    """Where what an archive would list differs from what was signed: terms, notices, files, policies, openings, award and contract.

    Refuses: Conflict ``signed.altered``, ``signed.missing``."""
    said = signed_terms.history(view, lot)
    yield from signed_terms.differences(view, lot, said)
    yield from signed_policies.differences(view, lot)
    rows = {row.document_hash: row for row in notices.of_lot(view.session, lot)}
    for kind, posted in said.notices.items():
        for entry, document in posted:
            row = rows.pop(document_hash(document), None)
            if row is None or (row.kind, row.published_at) != (kind, parse_moment(document["at"])):
                yield Difference("notice", f"{kind} {document['at']}", "document_hash", entry.c)
    for row in rows.values():
        yield Difference("notice", str(row.id), "document_hash", "", row.document_hash)
    for opening in view.session.scalars(select(ceremony.Opening).where(ceremony.Opening.lot_id == lot.id)):
        yield from signed_opening.differences(view, opening)
    award, contract = awards.find(view.session, lot), contracts.find(view.session, lot)
    if award is not None:
        yield from signed_award.differences(view, award)
    filed = [(entry.c, record["facts"]) for entry, record in said.steps if record["act"] == "lot.contract"]
    told = {"number": filed[-1][1]["number"], "amount_minor": filed[-1][1]["amount_minor"]} if filed else {}
    if (contract is None) != (not filed):
        yield Difference("contract", lot.ref, "number", filed[-1][0] if filed else "")
    elif contract is not None:
        yield from signed.compare(contract, told, filed[-1][0])


def seal(work: UnitOfWork, lot: Lot) -> list[Item]:
    """Seal the archive: the list of its contents goes into the log by its digest. Returns the list.

    Refuses: NotAllowed, WrongStep (not finished), Invalid ``archive.incomplete`` with every item missing, Conflict as ``differences``: what
    is sealed is what was signed.
    """
    work.lock(lot)
    LOT_FLOW.check(lot, "archive")
    signed.refuse_first(lot.ref, differences(work, lot))
    items = contents(work, lot)
    missing = [item for item in items if item.needed and not item.there]
    if missing:
        faults = [Fault(item.kind, "archive.missing", {"kind": item.kind, "name": item.name}) for item in missing]
        raise Invalid("archive.incomplete", faults=faults, count=len(missing))
    listed = [
        {"kind": item.kind, "name": item.name, "at": write_moment(item.at) if item.at else "", "digest": item.digest}
        for item in items
    ]
    LOT_FLOW.take(work, lot, "archive", items=len(items), contents=document_hash({"items": listed}))
    return items
