"""Putting a lot to the market, and the acts that change or end it afterwards: publish, extend, amend, fail, terminate.

Law of the noun: publication happens once, with everything in place, and says everything that is missing at once; what was published is
corrected only by a further notice (rulebook §9.3); a clarification or amendment that affects bids comes early enough or the deadline moves
first (rule T-05); a deadline moves only later, and only under a policy that every officer has signed (protocol §2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto.canonical import b64u
from crypto.signatures import sign
from trading import rulebook
from trading.custody import officers, policies
from trading.kernel import audit, log
from trading.kernel.access import Act
from trading.kernel.blobs import Blob
from trading.kernel.calendar import local_day
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import Conflict, Faults, Invalid, TooEarly, WrongStep
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork, View
from trading.procedures import fields, procedure_of
from trading.procedures.field import TEXT
from trading.rulebook import Finding, calendars
from trading.tendering import documents, invitations, notices, signed_terms
from trading.tendering.documents import TenderDocument
from trading.tendering.notices import Notice
from trading.tendering.planning import (
    book_of,
    check_deposit,
    check_early_enough,
    check_new_dates,
    lock_open,
    notice_until,
    plan_findings,
    require_open,
)
from trading.tendering.projects import require_tie
from trading.tendering.tenders import LOT_FLOW, Lot

GROUNDS = (
    "few_bidders",
    "few_qualified",
    "few_conforming",
    "no_competition",
    "all_rejected",
    "over_budget",
    "unfair",
    "platform_fault",
    "upheld",
    "dropped",
)
"""Why a lot fails (rules B-01, B-03, B-07, B-10, B-11, B-16; protocol §5.3; O94 art. 16)."""
FAIL_STEPS = {"OPENING": "fail_few", "QUAL_REVIEW": "fail_review", "EVALUATION": "fail_evaluation"} | dict.fromkeys(
    ("REPORT", "CANDIDATES", "AWARD", "RESULT"), "annul"
)


# --- small rules ------------------------------------------------------------------------------------------------------------------


def faults_of(session: Session, lot: Lot, now: datetime) -> tuple[Faults, list[Finding]]:
    """(everything that keeps the lot from publication, all findings of the timetable)."""
    faults, findings = Faults(), []
    for field in fields.asked():
        if field.kind == TEXT and field.needed and not str(field.value(lot)).strip():
            faults.add(field.name, "form.required", rule="O87 art. 13")
    if lot.deadline is None or lot.opens_at is None:
        faults.add("deadline", "lot.no_timetable")
    elif lot.deadline <= now:
        faults.add("deadline", "lot.deadline_past", deadline=lot.deadline, now=now)
    else:
        findings = plan_findings(session, lot, now)
        for one in rulebook.breaches(findings):
            faults.add(one.field, one.code, **({"rule": one.rule} | one.facts))
    consent_on = lot.project.consent_on
    if consent_on is not None and consent_on > local_day(now):
        faults.add("consent_on", "project.consent_after", day=consent_on, rule="R-08")
    if lot.ceiling > lot.budget and procedure_of(lot).ceiling_within is not None:
        faults.add("ceiling", "lot.ceiling_over_budget", ceiling=lot.ceiling.text(), budget=lot.budget.text())
    check_deposit(faults, "", lot.project, lot.budget, lot.deposit, book_of(lot, now))
    invitations.check(faults, session, lot, now)
    if not lot.scheme:
        faults.add("scheme", "lot.no_scheme")
    if not lot.form:
        faults.add("form", "lot.no_form")
    if not any(row.kind == "tender_document" for row in documents.standing(session, lot)):
        faults.add("documents", "lot.no_document")
    found = officers.seats(session, lot)
    if found:
        faults.found += policies.policy_faults(session, lot).found
        if waiting := _not_sealed(session, lot):
            faults.add("policy", "policy.not_in_log_yet", waiting=waiting)
    else:
        faults.add("officers", "officer.none")
    return faults, findings


def _not_sealed(session: Session, lot: Lot) -> int:
    """How many entries of standing policies and their drills no tick has sealed yet: they must lie before publication in the log."""
    rows = [policy for name in officers.envelopes(lot) if (policy := officers.find_policy(session, lot, name))]
    entries = [policy.log_c for policy in rows if policy.log_c]
    entries += session.scalars(
        select(officers.DrillReturn.log_c)
        .join(officers.Drill)
        .where(officers.Drill.policy_id.in_([policy.id for policy in rows]))
    )
    return len(entries) - len(log.proofs(session, entries)) if entries else 0


# --- acts -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Published:
    """What publication hands back: the notice, and the warnings a person should have seen."""

    notice: Notice
    warnings: tuple[Finding, ...]


def publish(work: UnitOfWork, lot: Lot, *, text: str = "", seen: int | None = None) -> Published:
    """Publish the tender notice of a lot: the rulebook of the day is kept with it, the documents are fixed, the log says so.

    Refuses: NotAllowed, WrongStep, Conflict, Invalid ``lot.not_publishable`` with everything that is missing or unlawful, each with its
    rule and the earliest or latest lawful moment.
    """
    work.require(Act.LOT_PUBLISH)
    require_tie(work, lot.project)
    work.lock(lot)
    LOT_FLOW.check(lot, "publish")
    check_version(lot, seen)
    faults, findings = faults_of(work.session, lot, work.now)
    faults.refuse_if_any("lot.not_publishable")
    now = floor_second(work.now)
    book, calendar = book_of(lot, now), calendars.current(work.session)
    lot.rules, lot.published_at = book.snapshot(), now
    if lot.issue_at is None or lot.issue_at < now:
        lot.issue_at = now
    files = documents.publish_all(work, lot)
    _log_published(work, lot, files)
    LOT_FLOW.take(work, lot, "publish", rules=book.version, **signed_terms.bound(lot))
    notice = notices.post(
        work,
        lot,
        "tender",
        title=_title(lot),
        body=_facts(work.session, lot, files),
        text=text.strip(),
        until=notice_until(lot, now, book, calendar),
    )
    invitations.send(work, lot)
    return Published(notice, tuple(one for one in findings if one.severity == "warning"))


def _log_published(work: UnitOfWork, lot: Lot, files: Iterable[TenderDocument]) -> None:
    """The ``published`` document of the protocol: the files by digest and the policies they go with."""
    document = {
        "v": 1,
        "platform": work.office.platform,
        "tender": lot.tender.ref,
        "at": write_moment(work.now),
        "files": [{"name": row.name, "sha256": b64u(bytes.fromhex(row.sha256)), "size": row.size} for row in files],
        "policies": [officers.current_policy(work.session, lot, name).policy_id for name in officers.envelopes(lot)],
    }
    statement = audit.keep_document(
        work, "published", sign("published", document, work.office.keys.signing), signed=True
    )
    work.log("published", statement=statement, tender=lot.tender.ref, lot=lot.no_text)


def _facts(session: Session, lot: Lot, files: Iterable[TenderDocument]) -> dict[str, Any]:
    """What a tender notice must say (O87 art. 13, rulebook §9.2), as canonical JSON values; "" for what a draft still lacks."""
    said = [one for one in fields.of_notice("tender") if not one.only or getattr(lot, one.only)]
    body = {one.name: one.plain(lot) for one in said if one.of}
    body["clarify_until"] = body["clarify_until"] or body["deadline"]
    body["policy"] = _policy_id(session, lot, officers.BID)
    if lot.two_envelopes:
        body["policy_price"] = _policy_id(session, lot, officers.PRICE)
    body["files"] = [
        {"name": row.name, "sha256": row.sha256, "size": row.size, "version": row.version} for row in files
    ]
    return body


def _policy_id(session: Session, lot: Lot, envelope: str) -> str:
    found = officers.find_policy(session, lot, envelope)
    return found.policy_id if found else ""


@dataclass(frozen=True)
class Preview:
    """A tender notice as it would be, were the lot published now; nothing is kept. The names are those of ``Notice``."""

    kind: str
    title: str
    body: dict[str, Any]
    text: str
    published_at: datetime
    until: datetime | None
    version: int = 1


def preview(view: View, lot: Lot, *, text: str) -> Preview:
    """For purchaser and agency before publication: what a draft lacks is left out. Refuses: NotAllowed, WrongStep."""
    require_tie(view, lot.project)
    LOT_FLOW.check(lot, "publish")
    now = floor_second(view.now)
    body = _facts(view.session, lot, documents.standing(view.session, lot))
    if lot.issue_at is None or lot.issue_at < now:
        body["issue_at"] = write_moment(now)
    until = notice_until(lot, now, book_of(lot, now), calendars.current(view.session))
    return Preview("tender", _title(lot), body, text.strip(), now, until)


def _title(lot: Lot) -> str:
    return lot.tender.title + (f" · {lot.title}" if lot.title != lot.tender.title else "")


def issue(work: UnitOfWork, lot: Lot) -> None:
    """The clock hands out the documents: bids may be made. Refuses: NotAllowed, WrongStep, TooEarly ``lot.not_issued``."""
    work.require(Act.CLOCK)
    work.lock(lot)
    LOT_FLOW.check(lot, "issue")
    if lot.issue_at is None or work.now < lot.issue_at:
        raise TooEarly("lot.not_issued", issue_at=lot.issue_at, now=work.now)
    LOT_FLOW.take(work, lot, "issue")


def amend(
    work: UnitOfWork, lot: Lot, *, name: str, blob: Blob, text: str, affects_bids: bool = True, kind: str = "amendment"
) -> TenderDocument:
    """A new or changed tender document after publication, with its correction notice to everybody.

    Refuses: NotAllowed, WrongStep, TooLate ``lot.deadline_past``, ``lot.clarification_late`` (rule T-05), Invalid.
    """
    require_open(work, lot, Act.NOTICE_PUBLISH)
    if not text.strip():
        raise Invalid("form.required", field="text")
    if affects_bids:
        check_early_enough(work.session, lot, work.now)
    new = documents.put(work, lot, name=name, blob=blob, kind=kind)
    files = documents.publish_all(work, lot)
    _log_published(work, lot, files)
    body = {
        "file": new.name,
        "version": new.version,
        "sha256": new.sha256,
        "size": new.size,
        "affects_bids": affects_bids,
    }
    notices.post(work, lot, "correction", title=lot.title, body=body, text=text.strip())
    return new


def extend(
    work: UnitOfWork, lot: Lot, *, deadline: datetime, opens_at: datetime | None = None, reason: str
) -> list[officers.Policy]:
    """The agency drafts the policies that move the deadline; it moves, with a correction notice that gives the reason, when every officer
    has signed. ``opens_at``: the deadline, unless named.

    Bids already received stay valid (protocol §2). Refuses: NotAllowed, WrongStep, TooLate, Conflict ``officers.change_open`` (that change
    may move the deadline itself; it is taken back first), Invalid (every field).
    """
    require_open(work, lot, Act.LOT_PUBLISH)
    change = officers.open_change(work.session, lot)
    if change is not None and change.kind == "officers":
        raise Conflict("officers.change_open", ref=lot.ref)
    return extend_deadline(work, lot, deadline=deadline, opens_at=opens_at or deadline, reason=reason)


def extend_deadline(
    work: UnitOfWork, lot: Lot, *, deadline: datetime, opens_at: datetime, reason: str
) -> list[officers.Policy]:
    """Draft, for any act that has checked who acts and the tie to the lot, the policies that move the deadline: nothing is moved yet.

    It moves in the unit of the last officer's signature, with a correction notice whose words are ``reason``; no drill is repeated and all
    bids received stay valid, for the policies only move moments up (protocol §2). That signature must reach a tick before the deadline
    that stands now, or the extension is refused as too late: so call this in good time. ``deadline``, ``opens_at``: whole minutes, UTC.
    Drafting again before the last signature voids the former draft. Gives the drafts, that of the bids first.
    Refuses: WrongStep ``lot.not_open``, TooLate ``lot.deadline_past``, Invalid (every field, ``form.required`` without a reason; rules of
    the book, each with its id), NotFound ``policy.missing``.
    """
    lock_open(work, lot)
    check_new_dates(work, lot, deadline=deadline, opens_at=opens_at, reason=reason)
    return policies.draft_extension(work, lot, deadline=deadline, opens_at=opens_at, reason=reason.strip())


def fail(work: UnitOfWork, lot: Lot, *, ground: str, reason: str = "") -> Notice:
    """The lot has failed (流标): from the opening, the qualification review or the evaluation, by whoever holds that step.

    Refuses: NotAllowed, WrongStep, Invalid ``lot.ground``.
    """
    if ground not in GROUNDS:
        raise Invalid("lot.ground", grounds=list(GROUNDS))
    work.lock(lot)
    if lot.state not in FAIL_STEPS:
        raise WrongStep("flow.wrong_step", noun="lot", step="fail", state=lot.state, from_states=sorted(FAIL_STEPS))
    LOT_FLOW.take(work, lot, FAIL_STEPS[lot.state], ground=ground)
    lot.failure, lot.failure_reason = ground, reason.strip()
    return notices.post(
        work, lot, "failure", title=lot.title, body={"ground": ground, "round": lot.round}, text=reason.strip()
    )


def terminate(work: UnitOfWork, lot: Lot, *, reason: str) -> Notice | None:
    """The purchaser ends the procurement, with reasons; the notice goes out at once where the lot was public (rulebook §9.2).

    Refuses: NotAllowed, WrongStep, Invalid (no reason).
    """
    work.require(Act.TENDER_TERMINATE)
    require_tie(work, lot.project)
    work.lock(lot)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    LOT_FLOW.take(work, lot, "terminate")
    lot.failure, lot.failure_reason = "terminated", reason.strip()
    if lot.published_at is None:
        return None
    return notices.post(work, lot, "termination", title=lot.title, body={"round": lot.round}, text=reason.strip())
