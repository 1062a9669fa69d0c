"""Who decides what the protocol alone cannot: the arbiter on bad boxes, the supervisory body on claims, the host on causes (protocol §5.2;
rulebook §5.2, point 6).

Law of the noun: the arbiter opens the box itself, with the complaining officer's key of this scope, and signs what it found: a bad box is
its bidder's fault, a good one means that the complaint was false and its part counts. The host rules only where nothing was proved, with
reasons, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto.canonical import loads, unb64u
from crypto.documents import open_document
from crypto.errors import CryptoError
from crypto.policy_lines import generation_of
from crypto.signatures import payload_of
from crypto.verdicts import Finding, check_finding
from trading.bidding import claims, late_close
from trading.bidding.claims import OUTCOMES, Claim
from trading.custody import officers
from trading.kernel import signed
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.clock import floor_second
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.errors import Conflict, Faults, Invalid, NotFound, WrongStep
from trading.kernel.work import UnitOfWork
from trading.opening import ceremony, rescue, rulings, shares
from trading.opening.ceremony import OpenedBid, Opening
from trading.opening.rescue import BidFailure
from trading.opening.rulings import CAUSES, LEAST_REASONS, Ruling
from trading.tendering.tenders import Lot

LOST, LOST_J = "SEALED_ROOT", 0
"""Code and ``j`` of a finding on lost bytes: no officer's box is meant."""


class BoxFinding(Base):
    """What the supervisory body found in box ``j`` of a bid: SHARE_OPEN or SHARE_COMMIT, or FALSE_COMPLAINT with the ``part`` that counts
    (base64url, "" otherwise); with ``j`` 0 and SEALED_ROOT that the platform lost the bid's bytes."""

    __tablename__ = "box_finding"
    __table_args__ = (UniqueConstraint("opening_id", "header_hash", "j"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"))
    header_hash: Mapped[str] = mapped_column(String(50))
    j: Mapped[int]
    code: Mapped[str] = mapped_column(String(30))
    part: Mapped[str] = mapped_column(String(50), default="")
    c: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)


append_only(BoxFinding.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Complaint:
    """An officer's report of a bad box ``j`` in a bid that is unresolved, and what was found, if anything; ``officer``: the number of who
    reported it in the newest policy."""

    failure: BidFailure
    j: int
    code: str
    found: BoxFinding | None
    officer: int


# --- the arbiter ------------------------------------------------------------------------------------------------------


def complaints(session: Session, row: Opening) -> list[Complaint]:
    """Every complaint about a bid noted as UNRESOLVED, by bid and officer."""
    made = {(one.header_hash, one.j): one for one in of_opening(session, row)}
    posted = ceremony.posted(session, row)
    return [
        Complaint(failed, j, code, made.get((failed.header_hash, j)), posted[failed.header_hash].officers[j])
        for failed in rescue.failures(session, row)
        if failed.code == "UNRESOLVED"
        for j, code in sorted(posted[failed.header_hash].errors.items())
    ]


def of_opening(session: Session, row: Opening) -> list[BoxFinding]:
    return list(session.scalars(select(BoxFinding).where(BoxFinding.opening_id == row.id).order_by(BoxFinding.id)))


def by_bid(session: Session, row: Opening) -> dict[str, dict[int, Finding]]:
    """header_hash → officer → (code, part), for ``crypto.verdicts.open_bid``."""
    found: dict[str, dict[int, Finding]] = {}
    for one in of_opening(session, row):
        found.setdefault(one.header_hash, {})[one.j] = (one.code, unb64u(one.part, 32) if one.part else b"")
    return found


def sign(work: UnitOfWork, row: Opening, envelope: Any, *, part: str = "") -> BoxFinding:
    """Log a signed ``finding``; ``part`` (base64url): what lay in a good box. The same finding again gives the first.

    The officer's key never comes here: the supervisory body opened the box on its own machine (``crypto.verdicts.judge_box``).
    Refuses: NotAllowed, NotFound ``finding.no_complaint``, WrongStep (opened already), Invalid ``finding.bad`` (signature, set, part),
    Conflict ``finding.made`` (another one).
    """
    work.require(Act.FINDING_SIGN)
    work.lock(row)
    if row.opened is not None:
        raise WrongStep("opening.opened", state=row.state)
    try:
        given = open_document(envelope, "finding", late_close.own_key(work))
        if given["set"] != row.set_hash:
            raise CryptoError("CONTEXT_MISMATCH", "of another set")
        about = next(
            (
                one
                for one in complaints(work.session, row)
                if (one.failure.header_hash, one.j) == (given["header_hash"], given["j"])
            ),
            None,
        )
        if about is None:
            raise NotFound("finding.no_complaint", j=given["j"])
        header = ceremony.headers(work.session, row)[given["header_hash"]]
        check_finding(header, given["j"], (given["code"], unb64u(part, 32) if part else b""))
    except CryptoError as error:
        raise Invalid("finding.bad", reason=error.code, detail=error.detail) from error
    if about.found is not None:
        if (about.found.code, about.found.part) == (given["code"], part):
            return about.found
        raise Conflict("finding.made", j=given["j"], code=about.found.code)
    return _log(work, row, envelope, given, part)


def _log(work: UnitOfWork, row: Opening, envelope: Any, given: dict[str, Any], part: str) -> BoxFinding:
    statement = keep_document(work, "finding", envelope, signed=True)
    entry = work.log("finding", statement=statement, tender=row.lot.tender.ref, lot=row.lot.no_text, envelope=row.part)
    new = BoxFinding(
        opening_id=row.id,
        header_hash=given["header_hash"],
        j=given["j"],
        code=given["code"],
        part=part,
        c=entry.c,
        at=entry.at,
    )
    work.session.add(new)
    work.session.flush()
    row.version += 1
    work.record("opening.finding", row.log_of, header_hash=given["header_hash"], j=given["j"], code=given["code"])
    return new


# --- bids whose bytes are lost ----------------------------------------------------------------------------------------


def lost(session: Session, lot: Lot) -> list[tuple[Opening, OpenedBid, BoxFinding | None]]:
    """Every bid of a lot whose bytes were lost when it was to be opened, of every envelope, with the finding on it once there is one."""
    found: list[tuple[Opening, OpenedBid, BoxFinding | None]] = []
    for part in officers.bid_envelopes(lot):
        row = ceremony.find(session, lot, part)
        if row is None or row.opened_at is None:
            continue
        made = {one.header_hash: one for one in of_opening(session, row) if one.j == LOST_J}
        found += [
            (row, bid, made.get(bid.header_hash)) for bid in ceremony.opened_bids(session, row) if bid.verdict == LOST
        ]
    return found


def awaited(session: Session, lot: Lot) -> list[OpenedBid]:
    """The lost bids on which the supervisory body has signed no finding yet: until then no award is made (protocol §5.1)."""
    return [bid for _, bid, finding in lost(session, lot) if finding is None]


def refuse_awaited(session: Session, lot: Lot) -> None:
    """Refuses: Conflict ``award.finding_awaited``."""
    if waiting := awaited(session, lot):
        raise Conflict("award.finding_awaited", bidders=[bid.party.name for bid in waiting])


def set_of(envelope: Any) -> str:
    """The set a signed finding names, not verified: to know whose opening it is. Refuses: Invalid ``finding.bad``."""
    try:
        value = loads(payload_of(envelope))
        return str(value["set"])
    except (CryptoError, KeyError, TypeError) as error:
        raise Invalid("finding.bad", reason="JSON_PROFILE") from error


def sign_lost(work: UnitOfWork, row: Opening, envelope: Any) -> BoxFinding:
    """Log the signed ``finding`` that the platform lost a bid's bytes after the shares had been given: SEALED_ROOT, ``j`` 0. Its cause
    stays the platform's; the award may be made from then. The same finding again gives the first.

    Refuses: NotAllowed, WrongStep ``opening.not_opened``, NotFound ``finding.not_lost``, Invalid ``finding.bad``.
    """
    work.require(Act.FINDING_SIGN)
    work.lock(row)
    if row.opened_at is None:
        raise WrongStep("opening.not_opened", state=row.state)
    try:
        given = open_document(envelope, "finding", late_close.own_key(work))
        if given["set"] != row.set_hash or (given["code"], given["j"]) != (LOST, LOST_J):
            raise CryptoError("CONTEXT_MISMATCH", "of another set, or no finding on lost bytes")
    except CryptoError as error:
        raise Invalid("finding.bad", reason=error.code, detail=error.detail) from error
    held = next(
        (
            (bid, one)
            for of, bid, one in lost(work.session, row.lot)
            if of.id == row.id and bid.header_hash == given["header_hash"]
        ),
        None,
    )
    if held is None:
        raise NotFound("finding.not_lost")
    if held[1] is not None:
        return held[1]
    return _log(work, row, envelope, given, "")


# --- claims -----------------------------------------------------------------------------------------------------------


def settle_claim(work: UnitOfWork, claim: Claim, *, outcome: str, reasons: str) -> None:
    """The supervisory body settles a claim of omission: ``upheld`` (the platform's fault: the bid counts as withdrawn, its bidder may claim
    the direct loss) or ``rejected``. The opening goes on; its window for shares runs anew, as it stood still.

    Refuses: NotAllowed, Conflict ``claim.settled``, ``signed.differs`` (the claim's row), Invalid (every field).
    """
    work.require(Act.FINDING_SIGN)
    work.lock(claim.lot)
    work.lock(claim)
    signed.refuse_first(claim.lot.ref, claims.differences(work, claim.lot, claim.part))
    if claim.outcome:
        raise Conflict("claim.settled", at=claim.settled_at)
    faults = Faults()
    if outcome not in OUTCOMES[1:]:
        faults.add("outcome", "form.required")
    if len(reasons.strip()) < LEAST_REASONS:
        faults.add("reasons", "ruling.reasons", least=LEAST_REASONS)
    faults.refuse_if_any()
    claim.outcome, claim.reasons, claim.settled_by, claim.settled_at = (
        outcome,
        reasons.strip(),
        work.actor.account_id,
        work.now,
    )
    row, moved = ceremony.find(work.session, claim.lot, claim.part), dict[str, Any]()
    if row is not None and row.opened is None:
        shares.restart_window(work, row)
        moved = {"envelope": row.part, "shares_from": row.shares_from, "shares_until": row.shares_until}
    work.record(
        "claim.settle",
        claim.lot.log_of,
        code=claim.code,
        entry=claim.entry,
        outcome=outcome,
        reasons=claim.reasons,
        **moved,
    )


# --- the host ---------------------------------------------------------------------------------------------------------


def rule(work: UnitOfWork, row: Opening, *, header_hash: str, cause: str, reasons: str) -> Ruling:
    """The host's ruling on a bid that failed for a cause nobody has proved; its effects follow from then (rulebook §5.2, point 6).

    Refuses: NotAllowed, WrongStep (nothing opened), NotFound ``ruling.no_bid``, Conflict ``ruling.not_needed``, ``ruling.made``, Invalid
    (every field).
    """
    work.require(Act.OPENING_HOST)
    work.lock(row)
    if row.opened is None:
        raise WrongStep("opening.not_opened", state=row.state)
    bid = next((one for one in ceremony.opened_bids(work.session, row) if one.header_hash == header_hash), None)
    if bid is None:
        raise NotFound("ruling.no_bid")
    if bid.cause != "unknown":
        raise Conflict("ruling.not_needed", cause=bid.cause)
    if header_hash in rulings.of_opening(work.session, row.id):
        raise Conflict("ruling.made")
    faults = Faults()
    if cause not in CAUSES:
        faults.add("cause", "ruling.cause")
    if len(reasons.strip()) < LEAST_REASONS:
        faults.add("reasons", "ruling.reasons", least=LEAST_REASONS)
    faults.refuse_if_any()
    assert work.actor.account_id is not None
    new = Ruling(
        opening_id=row.id,
        party_id=bid.party_id,
        header_hash=header_hash,
        cause=cause,
        reasons=reasons.strip(),
        account_id=work.actor.account_id,
        at=floor_second(work.now),
    )
    work.session.add(new)
    work.session.flush()
    row.version += 1
    work.send(f"ruling/{row.id}/{header_hash}", to=f"party:{bid.party_id}", template="opening.ruling", lot=row.lot.ref)
    work.record("opening.rule", row.log_of, header_hash=header_hash, cause=cause, reasons=new.reasons)
    return new


def scope_of(session: Session, row: Opening, j: int, header_hash: str = "") -> dict[str, Any]:
    """What the key of officer ``j`` for this opening was derived for, with the public half its policy names. With ``header_hash`` that of
    box ``j`` of one bid: sealed under earlier officers it has another scope."""
    line = ceremony.generations(session, row)
    found = (
        line[-1] if not header_hash else generation_of(line, ceremony.headers(session, row)[header_hash].ctx["policy"])
    )
    policy = found.policy
    return {
        **{name: policy[name] for name in ("platform", "tender", "lot", "envelope", "serial")},
        "pk": policy["officers"][j - 1]["pk"],
    }
