"""The base price (标底) of works: kept by the tenderee alone until the opening, bound beforehand, published in the hall.

Law of the noun: one for a project, secret until opening, for reference only: closeness to it is neither a condition of award nor a
ground of rejection (rule C-07; TReg arts. 27, 50). The platform never holds it before the hour: what is handed in before the deadline is
a hash of price and salt, and what is handed in at the opening must hash to it, so nobody can leak it here and nobody can choose it
afterwards.

    document   {"v":1, "platform", "tender", "lot", "price": "2750000.00", "salt": 32 bytes base64url}     canonical JSON
    commitment base64url of H("base-price", document)
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto.canonical import H, b64u, dumps, unb64u
from crypto.errors import CryptoError
from trading.kernel.access import Act
from trading.kernel.clock import floor_second
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Conflict, Invalid, NotReady, Refusal, TooLate, WrongStep
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony
from trading.procedures import procedure_of
from trading.tendering.projects import require_tie
from trading.tendering.tenders import Lot

TAG = "base-price"
_KEYS = {"v", "platform", "tender", "lot", "price", "salt"}


class BasePrice(Base):
    """``price_minor`` in fen and ``salt`` once it is published; before that the row holds a hash alone."""

    __tablename__ = "base_price"

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), unique=True)
    commitment: Mapped[str] = mapped_column(String(50))
    committed_at: Mapped[datetime] = mapped_column(Moment)
    price_minor: Mapped[int | None] = mapped_column(BigInteger)
    salt: Mapped[str] = mapped_column(String(50), default="")
    published_at: Mapped[datetime | None] = mapped_column(Moment)


def document_of(platform: str, lot: Lot, price: Money, salt: bytes) -> dict[str, Any]:
    """What is hashed. ``salt``: 32 random bytes, without which a price could be guessed from its hash."""
    return {
        "v": 1,
        "platform": platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "price": price.text(),
        "salt": b64u(salt),
    }


def commitment_of(document: dict[str, Any]) -> str:
    return b64u(H(TAG, dumps(document)))


def find(session: Session, lot: Lot) -> BasePrice | None:
    return session.scalar(select(BasePrice).where(BasePrice.lot_id == lot.id))


def may_bind(view: View, lot: Lot) -> bool:
    """Whether a base price may still be bound: before the deadline, where the procedure has one."""
    early = lot.state in ("ACCEPTED", "NOTICE", "BIDDING") and (lot.deadline is None or view.now < lot.deadline)
    return early and procedure_of(lot).base_price is not None


def bind(work: UnitOfWork, lot: Lot, commitment: str) -> BasePrice:
    """Bind the base price by its hash, before the deadline; until then it may be bound anew, and each time is recorded.

    Refuses: NotAllowed, WrongStep ``base_price.works_only``, TooLate ``lot.deadline_past``, Invalid ``base_price.commitment``.
    """
    work.require(Act.BASE_PRICE)
    require_tie(work, lot.project)
    work.lock(lot)
    if procedure_of(lot).base_price is None:
        raise WrongStep("base_price.works_only")
    if not may_bind(work, lot):
        raise TooLate("lot.deadline_past", deadline=lot.deadline, now=work.now)
    try:
        unb64u(commitment, 32)
    except CryptoError as error:
        raise Invalid("base_price.commitment", where="commitment") from error
    row = find(work.session, lot)
    if row is None:
        row = BasePrice(lot_id=lot.id, commitment=commitment, committed_at=floor_second(work.now))
        work.session.add(row)
    row.commitment, row.committed_at = commitment, floor_second(work.now)
    work.session.flush()
    work.record("base_price.bind", lot.log_of, commitment=commitment)
    return row


def publish(work: UnitOfWork, lot: Lot, document: Any) -> BasePrice:
    """Publish the base price at the opening: from the published set on, until the minutes are signed. ``document``: what was hashed.

    Refuses: NotAllowed, NotReady ``base_price.none``, WrongStep ``base_price.not_now``, Conflict ``base_price.published``,
    Invalid ``base_price.document``, ``base_price.differs``.
    """
    work.require(Act.BASE_PRICE)
    require_tie(work, lot.project)
    work.lock(lot)
    row = find(work.session, lot)
    if row is None:
        raise NotReady("base_price.none", ref=lot.ref)
    held = ceremony.find(work.session, lot)
    if held is None or held.state not in ("LISTED", "OPENED"):
        raise WrongStep("base_price.not_now")
    if row.published_at is not None:
        raise Conflict("base_price.published")
    price = _read(work, lot, document)
    if commitment_of(document) != row.commitment:
        raise Invalid("base_price.differs", where="document", commitment=row.commitment)
    row.price_minor, row.salt, row.published_at = price.minor, document["salt"], floor_second(work.now)
    work.session.flush()
    work.record("base_price.publish", lot.log_of, price=price.text())
    return row


def price_of(row: BasePrice, lot: Lot) -> Money | None:
    return None if row.price_minor is None else Money(row.price_minor, lot.currency)


def _read(work: UnitOfWork, lot: Lot, document: Any) -> Money:
    """The price of a document of this very lot. Refuses: Invalid ``base_price.document``."""
    bad = Invalid("base_price.document", where="document")
    if not isinstance(document, dict) or set(document) != _KEYS or not isinstance(document["price"], str):
        raise bad
    try:
        price = Money.parse(document["price"])
        wanted = document_of(work.office.platform, lot, price, unb64u(document["salt"], 32))
        if dumps(document) != dumps(wanted):
            raise bad
    except (Refusal, CryptoError) as error:
        raise bad from error
    return price
