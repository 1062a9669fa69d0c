"""A supplier registers its own firm: sent with proof of the firm, accepted or returned by a clerk of the centre, with reasons.

Law of the noun: until it is accepted there is neither organisation nor account; whoever sent it can see its state and nothing else. Once
accepted the firm may take part, and the person who registered it is its administrator. The proof is a stranger's file: it is handed out
only to a clerk, only once a scanner has passed it, or where the platform has none, and never shown as a page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.files import proof_scans
from trading.files.scanning import STATES, WAITING, Scanner
from trading.kernel import ids
from trading.kernel.access import Act, Role
from trading.kernel.at_rest import Sealed, hold
from trading.kernel.blobs import Blob
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Faults, Invalid, NotFound, WrongStep
from trading.kernel.flow import check_version
from trading.kernel.work import Office, UnitOfWork, View
from trading.parties import parties
from trading.parties.parties import Account, Party

SENT, RETURNED, ACCEPTED = "SENT", "RETURNED", "ACCEPTED"
MOST_BYTES = 5_000_000
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"[0-9+() -]{5,30}", re.ASCII)
_KINDS = (
    (b"%PDF-", "application/pdf", "pdf"),
    (b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "image/png", "png"),
)
FIELDS = ("code", "name", "region", "bank_name", "bank_account", "person", "phone", "mail")


class FirmRegistration(Base):
    """``person``, ``username``, ``password``: who registers it and becomes its administrator. ``reasons``: why it was returned."""

    __tablename__ = "firm_registration"
    __table_args__ = (
        CheckConstraint(one_of("state", (SENT, RETURNED, ACCEPTED)), name="state"),
        CheckConstraint(one_of("scan", STATES), name="scan"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    code: Mapped[str] = mapped_column(String(40), index=True)
    name: Mapped[str] = mapped_column(String(200))
    region: Mapped[str] = mapped_column(String(40))
    small: Mapped[bool]
    bank_name: Mapped[str] = mapped_column(String(120))
    bank_account: Mapped[str] = mapped_column(Sealed)
    person: Mapped[str] = mapped_column(String(80))
    phone: Mapped[str] = mapped_column(Sealed)
    mail: Mapped[str] = mapped_column(Sealed)
    username: Mapped[str] = mapped_column(String(80), index=True)
    password: Mapped[str] = mapped_column(String(300))
    proof: Mapped[str] = mapped_column(String(64))
    proof_name: Mapped[str] = mapped_column(String(200))
    proof_size: Mapped[int]
    scan: Mapped[str] = mapped_column(String(20), default=WAITING)
    finding: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(20), default=SENT, index=True)
    sent_at: Mapped[datetime] = mapped_column(Moment)
    returns: Mapped[int] = mapped_column(default=0)
    reasons: Mapped[str] = mapped_column(String(2000), default="")
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    version: Mapped[int] = mapped_column(default=1)

    @property
    def log_of(self) -> str:
        return f"registration/{self.ref}"


hold(FirmRegistration, row="ref")


@dataclass(frozen=True)
class Proof:
    """A scan of the licence, stored: ``head`` are its first bytes, which tell what it is."""

    blob: Blob
    name: str
    head: bytes


def check(
    session: Session, fields: dict[str, Any], *, proof: Proof | None, old: FirmRegistration | None = None
) -> dict[str, Any]:
    """The fields as they will be kept. Refuses: Invalid with every fault."""
    faults, held = Faults(), {name: str(fields.get(name, "")).strip() for name in FIELDS}
    try:
        if not held["code"]:
            raise Invalid("form.required")
        held["code"] = ids.read_uscc(held["code"])
    except Invalid as refusal:
        faults.take("code", refusal)
    else:
        if session.scalar(select(Party.id).where(Party.code == held["code"])) is not None:
            faults.add("code", "registration.firm_known", credit_code=held["code"])
        elif (
            session.scalar(
                select(FirmRegistration.id).where(
                    FirmRegistration.code == held["code"],
                    FirmRegistration.state != ACCEPTED,
                    FirmRegistration.id != (old.id if old else 0),
                )
            )
            is not None
        ):
            faults.add("code", "registration.code_waits", credit_code=held["code"])
    held["bank_account"] = "".join(held["bank_account"].split())
    for name in FIELDS:
        if not held[name] and name != "code":
            faults.add(name, "form.required")
    if held["mail"] and not _MAIL.fullmatch(held["mail"]):
        faults.add("mail", "account.mail_bad")
    if held["phone"] and not _PHONE.fullmatch(held["phone"]):
        faults.add("phone", "registration.phone_bad")
    if held["bank_account"] and not re.fullmatch(r"[0-9]{8,32}", held["bank_account"], re.ASCII):
        faults.add("bank_account", "registration.account_bad")
    if proof is None and old is None:
        faults.add("proof", "form.bad_file")
    if proof is not None:
        _check_proof(proof, faults)
    faults.refuse_if_any()
    return held | {"mail": held["mail"].lower(), "small": bool(fields.get("small"))}


def _check_proof(proof: Proof, faults: Faults) -> None:
    ending = proof.name.rpartition(".")[2].lower().replace("jpeg", "jpg")
    if not any(proof.head.startswith(magic) and ending == kind for magic, _, kind in _KINDS):
        faults.add("proof", "registration.proof_kind")
    elif not 0 < proof.blob.size <= MOST_BYTES:
        faults.add("proof", "registration.proof_size", most=MOST_BYTES // 1_000_000)


def send(
    work: UnitOfWork, fields: dict[str, Any], *, username: str, password: str, proof: Proof | None
) -> FirmRegistration:
    """A firm asks to be registered; ``password``: its hash. Open to everybody. Refuses: Invalid with every fault."""
    faults, username = Faults(), username.strip().lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9._@-]{3,79}", username):
        faults.add("username", "registration.username_bad")
    elif parties.find_account(work.session, username) or waiting_named(work.session, username):
        faults.add("username", "account.exists", username=username)
    held: dict[str, Any] = {}
    try:
        held = check(work.session, fields, proof=proof)
    except Invalid as refusal:
        faults.found.extend(refusal.faults)
    faults.refuse_if_any()
    assert proof is not None
    new = FirmRegistration(
        ref=ids.new_reference(),
        username=username,
        password=password,
        proof=proof.blob.name,
        proof_name=proof.name[-200:],
        proof_size=proof.blob.size,
        scan=WAITING,
        finding="",
        state=SENT,
        sent_at=work.now,
        returns=0,
        reasons="",
        version=1,
        **held,
    )
    work.session.add(new)
    work.session.flush()
    work.record("registration.send", new.log_of)
    return new


def send_again(
    work: UnitOfWork, row: FirmRegistration, fields: dict[str, Any], *, version: int | None, proof: Proof | None
) -> None:
    """Corrected after it was returned. Whoever calls has checked that it is theirs. Refuses: WrongStep, Conflict, Invalid."""
    work.lock(row)
    if row.state != RETURNED:
        raise WrongStep("registration.not_returned")
    check_version(row, version)
    for name, value in check(work.session, fields, proof=proof, old=row).items():
        setattr(row, name, value)
    if proof is not None:
        row.proof, row.proof_name, row.proof_size = proof.blob.name, proof.name[-200:], proof.blob.size
        row.scan, row.finding = WAITING, ""
    row.state, row.sent_at, row.version = SENT, work.now, row.version + 1
    work.record("registration.send_again", row.log_of)


def accept(work: UnitOfWork, row: FirmRegistration, *, version: int | None) -> Party:
    """The clerk registers the firm: organisation, account and its first role. Refuses: NotAllowed, WrongStep, Conflict."""
    _decided(work, row, version)
    if work.session.scalar(select(Party.id).where(Party.code == row.code)) is not None:
        raise Conflict("registration.firm_known", credit_code=row.code)
    if parties.find_account(work.session, row.username):
        raise Conflict("account.exists", username=row.username)
    firm = Party(
        code=row.code,
        name=row.name,
        kind="bidder",
        region=row.region,
        small=row.small,
        bank_account=row.bank_account,
        bank_name=row.bank_name,
    )
    work.session.add(firm)
    work.session.flush()
    who = Account(
        username=row.username, name=row.person, party_id=firm.id, password=row.password, mail=row.mail, made_at=work.now
    )
    work.session.add(who)
    work.session.flush()
    parties.give(work, who, Role.BIDDER_ADMIN, by=work.actor.account_id)
    row.state, row.decided_at, row.decided_by, row.party_id, row.password = (
        ACCEPTED,
        work.now,
        work.actor.account_id,
        firm.id,
        "",
    )
    row.version += 1
    work.record("registration.accept", row.log_of, party=f"party/{firm.id}")
    work.send(
        f"registration.accepted/{row.id}", to=f"account:{who.id}", template="registration.accepted", name=row.name
    )
    work.send(
        f"registration.accepted/{row.id}/mail",
        channel="mail",
        to=row.mail,
        template="registration.accepted",
        name=row.name,
    )
    return firm


def give_back(work: UnitOfWork, row: FirmRegistration, reasons: str, *, version: int | None) -> None:
    """Returned once with everything that is wanting. Refuses: NotAllowed, WrongStep, Conflict, Invalid."""
    _decided(work, row, version)
    if not reasons.strip():
        faults = Faults()
        faults.add("reasons", "form.required")
        faults.refuse_if_any()
    row.state, row.reasons, row.decided_at, row.decided_by = (
        RETURNED,
        reasons.strip()[:2000],
        work.now,
        work.actor.account_id,
    )
    row.returns, row.version = row.returns + 1, row.version + 1
    work.record("registration.return", row.log_of)
    work.send(
        f"registration.returned/{row.id}/{row.returns}",
        channel="mail",
        to=row.mail,
        template="registration.returned",
        name=row.name,
    )


def _decided(work: UnitOfWork, row: FirmRegistration, version: int | None) -> None:
    work.require(Act.FIRM_ACCEPT)
    work.lock(row)
    if row.state != SENT:
        raise WrongStep("registration.decided")
    check_version(row, version)


# --- looking --------------------------------------------------------------------------------------------------------------


def find(session: Session, ref: str) -> FirmRegistration:
    """Refuses: NotFound."""
    found = session.scalar(select(FirmRegistration).where(FirmRegistration.ref == ref))
    if found is None:
        raise NotFound("registration.unknown")
    return found


def waiting_named(session: Session, username: str) -> FirmRegistration | None:
    """The registration not yet accepted that this username stands on."""
    return session.scalar(
        select(FirmRegistration)
        .where(FirmRegistration.username == username.strip().lower(), FirmRegistration.state != ACCEPTED)
        .order_by(FirmRegistration.id)
        .limit(1)
    )


def listed(view: View, state: str) -> list[FirmRegistration]:
    """Those that wait, oldest first; others newest first. Refuses: NotAllowed."""
    view.require(Act.FIRM_ACCEPT)
    order = FirmRegistration.sent_at if state == SENT else FirmRegistration.decided_at.desc()
    return list(
        view.session.scalars(
            select(FirmRegistration)
            .where(FirmRegistration.state == state)
            .order_by(order, FirmRegistration.id)
            .limit(200)
        )
    )


def release(view: View, row: FirmRegistration, *, scanned: bool) -> str:
    """Whether the proof may be handed out to the clerk; its kind. Refuses: NotAllowed, WrongStep ``file.waiting`` and others."""
    view.require(Act.FIRM_ACCEPT)
    return proof_scans.release(row, scanned=scanned)


standing = proof_scans.standing


def scan(office: Office, scanner: Scanner | None) -> int:
    """The clock's part: proofs that wait are looked at. Raises: ScannerDown."""
    return proof_scans.scan(office, scanner, FirmRegistration, act="registration.scan")
