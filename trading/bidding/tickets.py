"""Tickets: what a lot's page hands to the sealer, signed by the platform and never logged (commands.md, ``bidhall seal``)."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto.canonical import b64u, unb64u
from crypto.documents import sign_document
from crypto.signatures import Envelope, document_hash, payload_of
from trading.bidding import bids
from trading.bidding.bids import BidReceipt
from trading.custody import officers
from trading.kernel import audit, log
from trading.kernel.audit import LogEntry
from trading.kernel.errors import WrongStep
from trading.kernel.work import View
from trading.parties import enrolments
from trading.parties.enrolments import EnrolledKey
from trading.tendering import bid_forms
from trading.tendering.tenders import Lot


def trust(view: View) -> dict[str, Any]:
    """Whom a client should trust: the log's key, the platform's, the supervisors'; no witnesses yet, so the quorum is 0."""
    office = view.office
    return {
        "origin": log.origin(office.platform),
        "log_key": str(log.log_key(office.platform, office.keys)),
        "platform_keys": [b64u(office.keys.public)],
        "supervisor_keys": _supervisors(view.session),
        "witnesses": [],
        "quorum": 0,
    }


def _supervisors(session: Session) -> list[str]:
    keys = session.scalars(select(EnrolledKey).where(EnrolledKey.role == "supervisor").order_by(EnrolledKey.id))
    return [b64u(enrolments.sign_bytes(key)) for key in keys]


def ticket(view: View, lot: Lot, envelope: str = officers.BID) -> Envelope:
    """The ticket of one envelope of a published lot. Refuses: NotFound ``policy.missing``, WrongStep ``policy.drilling`` while new officers
    try their keys."""
    policy = officers.current_policy(view.session, lot, envelope)
    if officers.untried(view.session, lot):
        raise WrongStep("policy.drilling", ref=lot.ref)
    named = {officer["sign_kid"] for officer in officers.policy_document(policy)["officers"]}
    document = {
        "v": 1,
        "platform": view.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "envelope": envelope,
        "title": lot.title,
        "policy": policy.dsse,
        "trust": trust(view),
        "enrolments": [
            json.dumps(one, ensure_ascii=False) for one in enrolments_of(view.session, named, set(), log.size(view))
        ],
        "form": [_field(f, lot.ceiling.text() if lot.ceiling.minor else "") for f in officers.form_of(lot, envelope)],
    }
    return sign_document("ticket", document, view.office.keys.signing)


def _field(field: dict[str, Any], ceiling: str = "") -> dict[str, Any]:
    """A field of the form as a sealer needs it; without its choices a choice could not be checked before sealing, nor a price without
    the ceiling."""
    told = {
        "key": field["key"],
        "label": field["label"],
        "type": field["type"],
        "required": bool(field.get("required")),
    }
    told |= {"most": ceiling} if ceiling and field["key"] == bid_forms.PRICE else {}
    told |= {"part_of": field["part_of"]} if field.get("part_of") else {}
    return {**told, "choices": list(field["choices"])} if field.get("choices") else told


def receipt_file(view: View, receipt: BidReceipt) -> dict[str, Any]:
    """A receipt as a bidder saves it: ``{entry, proof}`` with the document it speaks of and whom to trust, so that
    ``bidhall receipt`` needs nothing else."""
    return {
        **bids.receipt_document(view.session, receipt),
        "trust": trust(view),
        "statement": audit.document(view.session, receipt.statement),
    }


def officer_keys(session: Session, lot: Lot) -> dict[str, bytes]:
    """kid → Ed25519 key of the officers who signed the lot's policies."""
    return {seat.sign_kid: unb64u(seat.sign_public, 32) for seat in officers.seats(session, lot) if seat.sign_public}


def enrolments_of(
    session: Session, kids: set[str], bidders: set[str], size: int, *, tenderee: str = ""
) -> list[dict[str, Any]]:
    """Every enrolment of these holders up to a size of the log, oldest first, each with its proof: a chain from the first key on."""
    names = set(session.scalars(select(EnrolledKey.holder).where(EnrolledKey.sign_kid.in_(sorted(kids)))))
    wanted = [("officer", names), ("bidder", bidders), ("tenderee", {tenderee} if tenderee else set())]
    found = []
    for role, holders in wanted:
        rows = session.scalars(
            select(EnrolledKey)
            .where(EnrolledKey.role == role, EnrolledKey.holder.in_(sorted(holders)))
            .order_by(EnrolledKey.id)
        )
        found += [json.loads(row.document) for row in rows]
    entries = {
        row.statement: row
        for row in session.scalars(
            select(LogEntry).where(
                LogEntry.event == "key-enrolled",
                LogEntry.statement.in_([document_hash(payload_of(envelope)) for envelope in found]),
            )
        )
    }
    sealed = {c for c, seat in log.seats(session, [row.c for row in entries.values()]).items() if seat.tick < size}
    proofs = log.proofs(session, sorted(sealed), size=size)
    return [
        {"document": envelope, "receipt": receipt_of(entry, proofs)}
        for envelope in found
        if (entry := entries[document_hash(payload_of(envelope))]).c in sealed
    ]


def receipt_of(entry: LogEntry, proofs: dict[str, dict[str, object]]) -> dict[str, Any]:
    return {"entry": json.loads(entry.envelope), "proof": proofs[entry.c]}
