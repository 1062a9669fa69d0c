"""Rows of a lot from its filing to its award, held against notices, records, policies, submissions and the ranking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from crypto.canonical import b64u, parse_time
from crypto.errors import CryptoError
from crypto.headers import hash_of_text
from crypto.signatures import payload_of
from trading.awarding import awards, contracts, reopened, signed_award
from trading.bidding import closing, participants, signed_bids
from trading.bidding.bids import BidReceipt
from trading.custody import officers, signed_policies
from trading.custody.officers import Drill, DrillReturn, OfficerSeat, Policy
from trading.custody.signed_policies import SignedPolicy
from trading.kernel import audit, signed
from trading.kernel.audit import LogEntry
from trading.kernel.clock import parse_moment
from trading.kernel.log import LogBusy
from trading.kernel.signed import Difference
from trading.kernel.work import View
from trading.parties.parties import Party
from trading.remedies import complaints, disputes
from trading.tendering import enquiries, invitations, notices, signed_terms
from trading.tendering.documents import TenderDocument
from trading.tendering.enquiries import Enquiry
from trading.tendering.tenders import Lot


def _terms(view: View, lot: Lot) -> Iterator[Difference]:
    yield from signed_terms.differences(view, lot)
    if lot.ref != f"{lot.tender.ref}-{lot.no}":
        yield Difference("lot", str(lot.id), "ref", "", lot.ref, f"{lot.tender.ref}-{lot.no}")


def _end(view: View, lot: Lot) -> Iterator[Difference]:
    """When the lot was judged, and why it failed."""
    said = signed_terms.history(view, lot)
    row = closing.find(view.session, lot)
    faulted = [entry for entry, one in said.steps if one["act"] == "lot.fail_fault"]
    if lot.closed_at is not None and row is not None and not faulted and lot.closed_at != row.tick_at:
        yield Difference("lot", str(lot.id), "closed_at", row.deadline_c, signed.shown(lot.closed_at))
    if lot.closed_at is not None and row is None and not faulted:
        yield Difference("lot", str(lot.id), "closed_at", "", signed.shown(lot.closed_at))
    over = lot.state not in (*closing.OPEN_STATES, "ACCEPTED", "TERMINATED")
    if lot.closed_at is None and row is not None and over:
        yield Difference("lot", str(lot.id), "closed_at", row.deadline_c)
    told = said.notices.get("failure", [])
    ended = any(one["act"] == "lot.terminate" for _, one in said.steps)
    wanted = told[-1][1]["body"]["ground"] if told else "terminated" if ended else None
    if lot.failure != wanted:
        yield Difference("lot", str(lot.id), "failure", told[-1][0].c if told else "", str(lot.failure), str(wanted))
    if told and lot.failure_reason not in (told[-1][1]["body"].get("rule"), told[-1][1]["text"]):
        yield Difference("lot", str(lot.id), "failure_reason", told[-1][0].c, lot.failure_reason[:60])
    elif not told and not ended and lot.failure_reason:
        yield Difference("lot", str(lot.id), "failure_reason", "", lot.failure_reason[:60])


def _notices(view: View, lot: Lot) -> Iterator[Difference]:
    rows = {(row.kind, row.version): row for row in notices.of_lot(view.session, lot)}
    for entry, record in signed.records(view, ("notice.publish",), lot.log_of):
        facts = record["facts"]
        row = rows.pop((facts["kind"], facts["version"]), None)
        told = signed.kept(view.session, facts["document"])
        if row is None or told is None:
            table = "notice" if row is None else "log_document"
            yield Difference(table, f"{facts['kind']} {facts['version']}", "document_hash", entry.c)
            continue
        wanted = {
            "title": told["title"],
            "body": told["body"],
            "text": told["text"],
            "published_at": parse_moment(told["at"]),
            "until": parse_moment(told["until"]) if told["until"] else None,
            "document_hash": facts["document"],
        }
        yield from signed.compare(row, wanted, entry.c)
    for row in rows.values():
        yield Difference("notice", str(row.id), "document_hash", "", row.document_hash)


def _documents(view: View, lot: Lot) -> Iterator[Difference]:
    """Files as they were put in, and as publication named them."""
    added = {}
    for entry, record in signed.records(view, ("document.add",), lot.log_of):
        facts = record["facts"]
        added[facts["file"], facts["version"], facts["sha256"]] = entry.c
    published = {
        (one["name"], one["sha256"], one["size"])
        for proved in signed.listed(view, "published", tender=lot.tender.ref, lot=lot.no_text)
        for one in proved.payload["files"]
    }
    rows = list(view.session.scalars(select(TenderDocument).where(TenderDocument.lot_id == lot.id)))
    for row in rows:
        c = added.pop((row.name, row.version, row.sha256), "")
        if not c:
            yield Difference("tender_document", str(row.id), "sha256", "", row.sha256)
            continue
        if row.blob != row.sha256:
            yield Difference("tender_document", str(row.id), "blob", c, row.blob, row.sha256)
        named = (row.name, b64u(bytes.fromhex(row.sha256)), row.size) in published
        if row.published is not named:
            yield Difference("tender_document", str(row.id), "published", c, str(row.published), str(named))
    for (name, version, _), c in added.items():
        yield Difference("tender_document", f"{name} {version}", "sha256", c)


def _policies(view: View, lot: Lot) -> Iterator[Difference]:
    """Every complete policy against the log, those that were dropped before publication too; the officers of each serial."""
    yield from signed_policies.differences(view, lot)
    rows = {row.policy_id: row for row in view.session.scalars(select(Policy).where(Policy.lot_id == lot.id))}
    logged: dict[str, SignedPolicy] = {}
    for one in signed.listed(view, "policy", tender=lot.tender.ref, lot=lot.no_text):
        text = audit.envelope_text(one.document)
        document, name = signed_policies.opened(view, text)
        logged[name] = SignedPolicy(document, name, text, one.c)
    for name, policy in logged.items():
        if name in rows:
            yield from signed_policies.of_row(rows[name], policy, lot)
        else:
            yield Difference("policy", name, "policy_id", policy.c, "", name)
    for name, row in rows.items():
        if name not in logged and (row.dsse is not None or row.standing or row.log_c):
            yield Difference("policy", str(row.id), "dsse", "", name)
    past = select(OfficerSeat).where(OfficerSeat.lot_id == lot.id, OfficerSeat.stage != officers.STANDING)
    for seat in view.session.scalars(past):
        for policy in logged.values():
            document = policy.document
            if document["serial"] == seat.serial and document["envelope"] in officers.bid_envelopes(lot):
                if seat.j <= len(document["officers"]):
                    officer, part = document["officers"][seat.j - 1], document["envelope"]
                    yield from signed_policies.of_seat(seat, officer, seat.serial, part, policy.c)
    yield from _given_keys(view, lot, logged)
    yield from _drills(view, lot, logged)


def _given_keys(view: View, lot: Lot, logged: dict[str, SignedPolicy]) -> Iterator[Difference]:
    """After publication an officer has given the keys its policies name, one for each envelope, and no other."""
    if not signed.listed(view, "published", tender=lot.tender.ref, lot=lot.no_text):
        return
    named: dict[tuple[int, int], dict[str, str]] = {}
    for policy in logged.values():
        for j, officer in enumerate(policy.document["officers"], 1):
            named.setdefault((policy.document["serial"], j), {})[policy.document["envelope"]] = officer["pk"]
    for seat in view.session.scalars(select(OfficerSeat).where(OfficerSeat.lot_id == lot.id)):
        wanted = named.get((seat.serial, seat.j))
        if wanted is not None and seat.stage != officers.NEXT and seat.publics != wanted:
            yield Difference("officer_seat", str(seat.id), "publics", "")


def _drills(view: View, lot: Lot, logged: dict[str, SignedPolicy]) -> Iterator[Difference]:
    query = select(DrillReturn, Drill, Policy).join(Drill, Drill.id == DrillReturn.drill_id).join(Policy)
    rows = {
        one.log_c: (one, drill, policy)
        for one, drill, policy in view.session.execute(query.where(Policy.lot_id == lot.id))
    }
    for one in signed.listed(view, "drill", tender=lot.tender.ref, lot=lot.no_text):
        told = one.payload
        found = rows.pop(one.c, None)
        if found is None:
            yield Difference("drill_return", one.c, "log_c", one.c)
            continue
        row, drill, policy = found
        yield from signed.compare(row, {"j": told["j"], "document": audit.envelope_text(one.document)}, one.c)
        yield from signed.compare(drill, {"header_hash": told["header_hash"]}, one.c)
        if hash_of_text(drill.header) != told["header_hash"]:
            yield Difference("drill", str(drill.id), "header", one.c)
        if policy.policy_id != told["policy"]:
            yield Difference("drill", str(drill.id), "policy_id", one.c, policy.policy_id, told["policy"])
    for row, _, _ in rows.values():
        yield Difference("drill_return", str(row.id), "log_c", "", row.log_c)


def _enquiries(view: View, lot: Lot) -> Iterator[Difference]:
    for row in view.session.scalars(select(Enquiry).where(Enquiry.lot_id == lot.id).order_by(Enquiry.id)):
        yield from enquiries.differences(view, row)
    yield from enquiries.missing(view, lot)


def _bids(view: View, lot: Lot) -> Iterator[Difference]:
    for part in officers.bid_envelopes(lot):
        yield from signed_bids.differences(view, lot, part)
        yield from signed_bids.of_closing(view, lot, part)
    yield from _participants(view, lot)


def _participants(view: View, lot: Lot) -> Iterator[Difference]:
    """Who takes part, and who has left, has a record that says so of that very party."""
    rows = {row.party.code: row for row in participants.by_party(view.session, lot).values()}
    told: dict[str, tuple[str, Any]] = {}
    for entry, record in signed.records(view, ("lot.take_part",), lot.log_of):
        text = json.dumps(record)
        code = next((one for one in rows if audit.check_fact_of(text, "account", one)), "")
        if code:
            told[code] = (entry.c, parse_moment(record["at"]))
        else:
            yield Difference("participant", entry.c, "party_id", entry.c)
    for code, row in rows.items():
        c, at = told.get(code, ("", None))
        yield from signed.compare(row, {"joined_at": at}, c)
    yield from participants.of_leaving(view, lot)


def _award(view: View, lot: Lot) -> Iterator[Difference]:
    row = awards.find(view.session, lot)
    if row is not None:
        yield from signed_award.differences(view, row)
    elif (found := signed.listed(view, "ranking", tender=lot.tender.ref, lot=lot.no_text)) and not reopened.is_reopened(
        view, lot
    ):
        yield Difference("award", lot.ref, "ranking_c", found[-1].c)
    contract = contracts.find(view.session, lot)
    for entry, record in signed.records(view, ("lot.contract",), lot.log_of):
        if contract is None:
            yield Difference("contract", lot.ref, "number", entry.c)
            continue
        facts = record["facts"]
        yield from signed.compare(contract, {"number": facts["number"], "amount_minor": facts["amount_minor"]}, entry.c)
        if row is not None and contract.party_id != row.winner_party_id:
            yield Difference("contract", str(contract.id), "party_id", entry.c)


CHECKS = (
    _terms,
    invitations.differences,
    _end,
    _notices,
    _documents,
    _enquiries,
    _policies,
    _bids,
    disputes.differences,
    complaints.differences,
    _award,
)


# --- what belongs to no lot alone -------------------------------------------------------------------------------------------------


def _receipts(view: View) -> Iterator[Difference]:
    """Each receipt against the entry it is: whose, of which lot, what it says."""
    query = select(BidReceipt, LogEntry, Lot).outerjoin(LogEntry, LogEntry.c == BidReceipt.c)
    query = query.outerjoin(Lot, Lot.id == BidReceipt.lot_id).order_by(BidReceipt.id)
    found: Any = view.session.execute(query)
    for row, entry, lot in found:
        if entry is None:
            yield Difference("bid_receipt", str(row.id), "c", "", row.c)
            continue
        try:
            value, c = signed.entry_of(view.office.keys.public, row.entry)
        except CryptoError:
            yield Difference("bid_receipt", str(row.id), "entry", entry.c)
            continue
        wanted = {
            "c": c,
            "part": value["envelope"],
            "kind": value["event"].removeprefix("bid-"),
            "reason": value["reason"],
            "statement": value["statement"],
            "at": parse_time(value["at"]),
        }
        yield from signed.compare(row, wanted, entry.c)
        if lot is None or (lot.tender.ref, lot.no_text) != (value["tender"], value["lot"]):
            yield Difference("bid_receipt", str(row.id), "lot_id", entry.c)
        yield from _whose(view, row, value["statement"])


def _whose(view: View, row: BidReceipt, statement: str) -> Iterator[Difference]:
    kept = signed.kept(view.session, statement)
    if kept is None:
        return
    told = kept if "payload" not in kept else json.loads(payload_of(kept))
    party = view.session.get(Party, row.party_id)
    if party is None or told["bidder"] != party.code:
        yield Difference("bid_receipt", str(row.id), "party_id", row.c)


def _missing_receipts(view: View) -> Iterator[Difference]:
    """An answer that was signed has its receipt."""
    events = ("bid-received", "bid-replaced", "bid-withdrawn", "bid-refused")
    query = select(LogEntry.c).outerjoin(BidReceipt, BidReceipt.c == LogEntry.c)
    for c in view.session.scalars(query.where(LogEntry.event.in_(events), BidReceipt.id.is_(None))):
        yield Difference("bid_receipt", c, "c", c)


def _busy(view: View) -> Iterator[Difference]:
    """The log's quick times are those of the logged policies."""
    wanted: dict[tuple[Any, Any], str] = {}
    for one in view.session.scalars(select(Policy).where(Policy.log_c.is_not(None))):
        wanted[one.deadline, one.opens_at] = one.log_c or ""
    rows = list(view.session.scalars(select(LogBusy)))
    held = {(row.deadline, row.opens_at) for row in rows}
    for row in rows:
        if (row.deadline, row.opens_at) not in wanted:
            yield Difference("log_busy", str(row.id), "deadline", "", signed.shown(row.deadline))
    for moments, c in wanted.items():
        if moments not in held:
            yield Difference("log_busy", c, "deadline", c, "", signed.shown(moments[0]))


def _orphans(view: View) -> Iterator[Difference]:
    """A lot that the log speaks of is there."""
    known = {(lot.tender.ref, lot.no_text) for lot in view.session.scalars(select(Lot))}
    query = select(LogEntry.tender, LogEntry.lot, LogEntry.c).where(LogEntry.event == "published")
    for tender, no, c in view.session.execute(query):
        if (tender, no) not in known:
            yield Difference("lot", f"{tender}-{no}", "ref", c)


WHOLE = (_receipts, _missing_receipts, _busy, _orphans)
