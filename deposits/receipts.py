"""Money that arrives: statements of the bank taken in once, each payment matched by its sub-account, posted, and handed down.

Law of the noun: a bank line counts once, by the bank's own number; a file whose balances do not follow is taken as a whole or not at all.
Money is never refused: a wrong payer is an exception shown from the opening list on (rules D-05, D-12), an unknown sub-account is money
in suspense until somebody is found (rule D-29). Whether it came in time is for ``participants.is_secured`` (rule D-13).
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import dumps
from deposits import bound, demands
from deposits.bank import statements, transfers
from deposits.bank.statements import StatementLine
from deposits.demands import DepositDemand
from deposits.ledger import accounts, postings
from trading.bidding import participants
from trading.kernel import audit, ids
from trading.kernel.access import Act, Role
from trading.kernel.at_rest import Sealed, hold
from trading.kernel.calendar import day_end
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Json, Moment, append_only, one_of
from trading.kernel.errors import Conflict, Fault, Invalid, NotFound
from trading.kernel.work import UnitOfWork
from trading.parties.parties import Party

EXCEPTIONS = ("payer_name", "payer_account", "late")
USES = ("receipt", "transfer", "returned", "charge")


class PooledAccount(Base):
    """The one account all deposits lie on: where its statement stands. Its row is the lock of all imports."""

    __tablename__ = "pooled_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    balance_minor: Mapped[int | None] = mapped_column(BigInteger)
    stated_at: Mapped[datetime | None] = mapped_column(Moment)


class BankStatement(Base):
    """A file as it was taken: who, when, from which balance to which."""

    __tablename__ = "bank_statement"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Moment)
    taken_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    opening_minor: Mapped[int] = mapped_column(BigInteger)
    closing_minor: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[int]


class BankLine(Base):
    """One line as the bank wrote it; ``bank_id`` is the bank's own number. ``at``: the moment the money had arrived at the latest."""

    __tablename__ = "bank_line"

    id: Mapped[int] = mapped_column(primary_key=True)
    statement_id: Mapped[int] = mapped_column(ForeignKey("bank_statement.id"), index=True)
    bank_id: Mapped[str] = mapped_column(String(64), unique=True)
    at: Mapped[datetime] = mapped_column(Moment)
    day: Mapped[str] = mapped_column(String(10))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    payer_name: Mapped[str] = mapped_column(Sealed)
    payer_account: Mapped[str] = mapped_column(Sealed)
    text: Mapped[str] = mapped_column(Sealed)
    sub_account: Mapped[str] = mapped_column(String(64))
    balance_minor: Mapped[int] = mapped_column(BigInteger)


hold(BankLine, row="bank_id")


class LineUse(Base):
    """What a bank line was: a receipt, a payment of ours, one that came back, a charge. A line without a use is unexplained."""

    __tablename__ = "bank_line_use"
    __table_args__ = (CheckConstraint(one_of("kind", USES), name="kind"),)

    line_id: Mapped[int] = mapped_column(ForeignKey("bank_line.id"), primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(20))
    of: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment)


class Receipt(Base):
    """A payment in. ``demand_id`` None: in suspense, until ``settled`` says what it was (``deposit`` | ``stranger`` | ``bank_interest`` |
    ``centre``). ``salt`` makes the hashes of accounts and persons in the dossier, and stays here."""

    __tablename__ = "deposit_receipt"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("bank_line.id"), unique=True)
    demand_id: Mapped[int | None] = mapped_column(ForeignKey("deposit_demand.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Moment)
    exceptions: Mapped[list[str]] = mapped_column(Json)
    settled: Mapped[str] = mapped_column(String(20), default="", index=True)
    note: Mapped[str] = mapped_column(Text, default="")
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    line: Mapped[BankLine] = relationship(lazy="joined")
    demand: Mapped[DepositDemand | None] = relationship(lazy="joined")


for _table in (BankStatement, BankLine, LineUse):
    append_only(_table.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ImportReport:
    """What became of each line, as (row of the file, bank's number). Says nothing of what a line was matched to."""

    name: str
    taken: tuple[tuple[int, str], ...]
    skipped: tuple[tuple[int, str], ...]
    refused: tuple[Fault, ...] = ()
    opening_minor: int | None = None
    closing_minor: int | None = None


# --- acts -------------------------------------------------------------------------------------------------------------


def import_statement(work: UnitOfWork, data: bytes, *, name: str) -> ImportReport:
    """Take a statement file in; lines known already are skipped, so the same or an overlapping file is harmless. By the cashier, or by the
    clock from a bank that is connected.

    Payments of ours and those that came back wait for ``settlement``. Refuses: NotAllowed; Invalid ``statement.file`` with every fault
    (nothing is taken then): those of ``statements.read_csv``, ``statement.line_differs``, ``statement.gap``.
    """
    if work.actor.role is not Role.CLOCK:
        work.require(Act.STATEMENT_IMPORT)
    lines = statements.read_csv(data)
    pool = _pool(work)
    known = _known(work.session, [line.bank_id for line in lines])
    new = [line for line in lines if line.bank_id not in known]
    faults = [
        Fault(str(line.row), "statement.line_differs", {"bank_id": line.bank_id})
        for line in lines
        if line.bank_id in known and _same(known[line.bank_id]) != (line.day.isoformat(), *line.same[1:])
    ]
    if new and any(after.opening_minor != before.balance_minor for before, after in pairwise(new)):
        faults.append(Fault(str(new[0].row), "statement.between"))
    if not faults and new and pool.balance_minor is not None and new[0].opening_minor != pool.balance_minor:
        # last and alone: who guesses at the balance with a file of their own leaves the file in the books when the guess is right
        faults.append(Fault(str(new[0].row), "statement.gap"))
    if faults:
        raise Invalid("statement.file", faults=faults, count=len(faults))
    skipped = tuple((line.row, line.bank_id) for line in lines if line.bank_id in known)
    if not new:
        return ImportReport(name, (), skipped)
    statement = BankStatement(
        ref=ids.new_reference(),
        name=name[:200],
        sha256=hashlib.sha256(data).hexdigest(),
        at=work.now,
        taken_by=work.actor.account_id,
        opening_minor=new[0].opening_minor,
        closing_minor=new[-1].balance_minor,
        lines=len(new),
    )
    work.session.add(statement)
    work.session.flush()
    if pool.balance_minor is None and statement.opening_minor:
        postings.post(work, "brought_forward", accounts.brought_forward(statement.opening_minor), of=statement.ref)
    for line in new:
        _take_in(work, statement, line)
    pool.balance_minor, pool.stated_at = statement.closing_minor, work.now
    work.session.flush()
    work.record(
        "statement.import",
        f"statement/{statement.ref}",
        sha256=statement.sha256,
        bound=audit.hide({"lines": digest_of_lines(work.session, statement)}),
    )
    taken = tuple((line.row, line.bank_id) for line in new)
    return ImportReport(name, taken, skipped, (), statement.opening_minor, statement.closing_minor)


def claim(work: UnitOfWork, demand: DepositDemand, *, bank_id: str) -> Receipt:
    """A bidder finds its own payment that named no, or a wrong, sub-account: taken when the payer's name is the bidder's (rule D-29).

    Refuses: NotAllowed, NotFound ``deposit.claim_unknown`` (whatever the reason: nobody is told of another's payment).
    """
    work.require(Act.DEPOSIT_LOOK_OWN)
    if demand.participant.party_id != work.actor.party_id:
        raise NotFound("deposit.unknown")
    receipt = work.session.scalar(
        select(Receipt)
        .join(BankLine, BankLine.id == Receipt.line_id)
        .where(BankLine.bank_id == bank_id.strip(), Receipt.demand_id.is_(None), Receipt.settled == "")
    )
    if receipt is None or plain(receipt.line.payer_name) != plain(demand.participant.party.name):
        raise NotFound("deposit.claim_unknown", bank_id=bank_id.strip()[:64])
    work.lock(demand.participant)
    work.lock(demand)
    work.lock(receipt)
    if receipt.settled:
        raise Conflict("deposit.settled")
    receipt.demand_id, receipt.settled = demand.id, "deposit"
    receipt.demand = demand
    receipt.exceptions = _exceptions(receipt.line, demand)
    postings.post(
        work, "identified", accounts.identified(receipt.ref, demand.sub_account, receipt.amount_minor), of=receipt.ref
    )
    _hand_down(work, demand, receipt.at)
    work.record(
        "receipt.claim",
        f"receipt/{receipt.ref}",
        payer=receipt.line.payer_account,
        bound=audit.hide(bound.received(receipt) | bound.matched(receipt)),
    )
    return receipt


def explain(work: UnitOfWork, receipt: Receipt, *, account: str, note: str) -> None:
    """Say what a payment in suspense was, if no deposit: ``stranger`` (goes back to its payer), ``bank_interest``, or ``centre`` (the
    centre paid in for what it bears). Refuses: NotAllowed, Conflict, Invalid (every field)."""
    work.require(Act.DEPOSIT_RECONCILE)
    if account not in ("stranger", accounts.BANK_INTEREST, accounts.CENTRE):
        raise Invalid("deposit.explained_as", account=account)
    if not note.strip():
        raise Invalid("form.required", field="note")
    work.lock(receipt)
    if receipt.demand_id is not None or receipt.settled:
        raise Conflict("deposit.settled")
    receipt.settled, receipt.note = account, note.strip()
    if account != "stranger":
        postings.post(work, "explained", accounts.explained(receipt.ref, account, receipt.amount_minor), of=receipt.ref)
    work.session.flush()
    work.record("receipt.explain", f"receipt/{receipt.ref}", kind=account, note=receipt.note)


def book_charge(work: UnitOfWork, line: BankLine, *, note: str) -> None:
    """An unexplained line out is a charge of the bank; the centre bears it. Refuses: NotAllowed, Conflict, Invalid."""
    work.require(Act.DEPOSIT_RECONCILE)
    if not note.strip():
        raise Invalid("form.required", field="note")
    if line.amount_minor >= 0 or use_of(work.session, line) is not None:
        raise Conflict("deposit.settled")
    use_line(work, line, "charge", of=line.bank_id[:40], note=note.strip())
    postings.post(work, "charged", accounts.charged(-line.amount_minor), of=line.bank_id[:60])
    work.record("statement.charge", f"statement/{line.statement_id}", amount=-line.amount_minor, note=note.strip())


def record(work: UnitOfWork, line: BankLine, demand: DepositDemand | None) -> Receipt:
    """Post one payment in and hand the fact down (called by the import, which has taken the locks): known sub-account or suspense."""
    if demand is not None:
        work.lock(demand.participant)
        work.lock(demand)
    receipt = Receipt(
        ref=ids.new_reference(),
        line_id=line.id,
        demand_id=demand.id if demand else None,
        amount_minor=line.amount_minor,
        at=line.at,
        exceptions=_exceptions(line, demand) if demand else [],
        settled="deposit" if demand else "",
        note="",
        salt=secrets.token_bytes(32),
    )
    receipt.line, receipt.demand = line, demand
    work.session.add(receipt)
    use_line(work, line, "receipt", of=receipt.ref)
    if demand is None:
        postings.post(work, "unidentified", accounts.unidentified(receipt.ref, receipt.amount_minor), of=receipt.ref)
    else:
        postings.post(work, "received", accounts.received(demand.sub_account, receipt.amount_minor), of=receipt.ref)
        _hand_down(work, demand, receipt.at)
    work.record(
        "receipt.record",
        f"receipt/{receipt.ref}",
        amount=receipt.amount_minor,
        payer=line.payer_account,
        bound=audit.hide(bound.received(receipt) | bound.matched(receipt)),
    )
    return receipt


def use_line(work: UnitOfWork, line: BankLine, kind: str, *, of: str, note: str = "") -> None:
    """Note what a line was, once (the primary key holds it)."""
    work.session.add(LineUse(line_id=line.id, kind=kind, of=of, note=note, at=work.now))
    work.session.flush()


# --- inside -----------------------------------------------------------------------------------------------------------


def _pool(work: UnitOfWork) -> PooledAccount:
    pool = work.session.get(PooledAccount, 1)
    if pool is None:
        pool = PooledAccount(id=1, balance_minor=None, stated_at=None)
        work.session.add(pool)
        work.session.flush()
    work.lock(pool)
    return pool


def _known(session: Session, bank_ids: list[str]) -> dict[str, BankLine]:
    """The lines taken before, by the bank's number; asked in pieces, as a database takes only so many parameters."""
    found: dict[str, BankLine] = {}
    for start in range(0, len(bank_ids), demands.PIECE):
        piece = bank_ids[start : start + demands.PIECE]
        found |= {row.bank_id: row for row in session.scalars(select(BankLine).where(BankLine.bank_id.in_(piece)))}
    return found


def _take_in(work: UnitOfWork, statement: BankStatement, line: StatementLine) -> None:
    row = BankLine(
        statement_id=statement.id,
        bank_id=line.bank_id,
        at=_arrived(line, work.now),
        day=line.day.isoformat(),
        amount_minor=line.amount_minor,
        payer_name=line.name,
        payer_account=line.account,
        text=line.text,
        sub_account=_sub_account(line),
        balance_minor=line.balance_minor,
    )
    work.session.add(row)
    work.session.flush()
    if row.amount_minor > 0 and transfers.find_in_text(work.session, row.text) is None:
        record(work, row, demands.find_by_sub_account(work.session, row.sub_account) if row.sub_account else None)


def _arrived(line: StatementLine, now: datetime) -> datetime:
    """The bank's time; for a bare date the latest moment it can have been: the end of that day, or now."""
    return line.at if line.at is not None else floor_second(min(now, day_end(line.day) - timedelta(seconds=1)))


def _sub_account(line: StatementLine) -> str:
    """The sub-account the bank names, else the well-formed number that stands in the remark."""
    if line.sub_account:
        return line.sub_account
    digits = "".join(
        letter if letter.isascii() and letter.isdecimal() else " "
        for letter in unicodedata.normalize("NFKC", line.text)
    )
    return next((word for word in digits.split() if demands.is_sub_account(word)), "")


def plain(name: str) -> str:
    """A name without what banks change: width, blanks, kind of brackets."""
    return "".join(unicodedata.normalize("NFKC", name).split()).replace("〔", "(").replace("〕", ")").casefold()


def _exceptions(line: BankLine, demand: DepositDemand) -> list[str]:
    party: Party = demand.participant.party
    wrong = {
        "payer_name": plain(line.payer_name) != plain(party.name),
        "payer_account": bool(party.bank_account) and line.payer_account != "".join(party.bank_account.split()),
        "late": line.at >= demand.due_at,
    }
    return [code for code in EXCEPTIONS if wrong[code]]


def _hand_down(work: UnitOfWork, demand: DepositDemand, at: datetime) -> None:
    total = postings.balance(work.session, accounts.DEPOSITS, demand.sub_account)
    participants.mark_secured(work, demand.participant, amount_minor=total, at=at)


def _same(row: BankLine) -> tuple[Any, ...]:
    return (row.day, row.amount_minor, row.payer_name, row.payer_account)


# --- looking ----------------------------------------------------------------------------------------------------------


def digest_of_lines(session: Session, statement: BankStatement) -> str:
    """SHA-256 over what a statement says and every line of it, as it was taken in."""
    lines = select(BankLine).where(BankLine.statement_id == statement.id).order_by(BankLine.id)
    digest = hashlib.sha256(
        dumps([statement.ref, statement.sha256, statement.opening_minor, statement.closing_minor, statement.lines])
    )
    for line in session.scalars(lines):
        digest.update(
            dumps(
                [
                    line.bank_id,
                    write_moment(line.at),
                    line.day,
                    line.amount_minor,
                    line.payer_name,
                    line.payer_account,
                    line.text,
                    line.sub_account,
                    line.balance_minor,
                ]
            )
        )
    return digest.hexdigest()


def of_demand(session: Session, demand_id: int) -> list[Receipt]:
    """A demand's payments in the order they arrived. Secret until ``demands.is_public``."""
    return list(session.scalars(select(Receipt).where(Receipt.demand_id == demand_id).order_by(Receipt.at, Receipt.id)))


def receipt(session: Session, ref: str) -> Receipt:
    """Refuses: NotFound."""
    found = session.scalar(select(Receipt).where(Receipt.ref == ref))
    if found is None:
        raise NotFound("deposit.unknown")
    return found


def statement_of(session: Session, report: ImportReport) -> str:
    """The reference of the statement a report made; "" when it held nothing new."""
    if not report.taken:
        return ""
    query = select(BankStatement.ref).join(BankLine, BankLine.statement_id == BankStatement.id)
    return session.scalars(query.where(BankLine.bank_id == report.taken[0][1])).one()


def use_of(session: Session, line: BankLine) -> LineUse | None:
    return session.get(LineUse, line.id)


def unexplained(session: Session) -> list[BankLine]:
    """Lines without a use, in the bank's order: payments out that are none of ours."""
    return list(
        session.scalars(select(BankLine).where(BankLine.id.not_in(select(LineUse.line_id))).order_by(BankLine.id))
    )


def ours(session: Session) -> list[tuple[BankLine, transfers.Transfer]]:
    """Unexplained lines that carry the key and the amount of an order of ours: they wait to be settled."""
    found = [(line, transfers.find_in_text(session, line.text)) for line in unexplained(session)]
    return [
        (line, order) for line, order in found if order is not None and abs(line.amount_minor) == order.amount_minor
    ]


def in_suspense(session: Session) -> list[Receipt]:
    """Payments nobody has claimed or explained yet."""
    query = select(Receipt).where(Receipt.demand_id.is_(None), Receipt.settled == "")
    return list(session.scalars(query.order_by(Receipt.at, Receipt.ref)))


def stated(session: Session) -> PooledAccount | None:
    return session.get(PooledAccount, 1)
