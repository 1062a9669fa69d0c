"""Notices: what the platform tells everybody, in versions that are never changed or deleted (rulebook §9.2, §9.3).

Law of the noun: a correction is a new notice; each published notice leaves its hash in the log, so a text shown later can be proved to be
the one that was published.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto.errors import CryptoError
from trading.kernel import audit
from trading.kernel.access import Act
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Json, Moment, append_only, one_of
from trading.kernel.errors import Faults, Invalid, NotFound, WrongStep
from trading.kernel.work import UnitOfWork
from trading.procedures import fields
from trading.tendering import follows
from trading.tendering.projects import require_tie
from trading.tendering.tenders import Lot

KINDS = (
    "tender",
    "correction",
    "clarification",
    "failure",
    "termination",
    "opening_record",
    "candidates",
    "result",
    "award",
    "contract",
)


class Notice(Base):
    """``body``: facts as canonical JSON values (no floats, no nulls); ``text``: the words; ``until``: end of the notice period, if any;
    ``version``: the how-manieth notice of its kind on this lot; ``document_hash``: name of the kept document."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("lot_id", "kind", "version"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20), index=True)
    title: Mapped[str] = mapped_column(String(300))
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    text: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime] = mapped_column(Moment, index=True)
    until: Mapped[datetime | None] = mapped_column(Moment)
    version: Mapped[int]
    document_hash: Mapped[str] = mapped_column(String(50))


append_only(Notice.__table__)  # type: ignore[arg-type]


# --- small rules ------------------------------------------------------------------------------------------------------------------

BY_HAND = ("correction", "clarification")
"""Kinds an agency may publish by itself; every other notice follows from the act it tells of."""


def document_of(notice: Notice, *, platform: str, lot: Lot) -> dict[str, Any]:
    """The document whose hash the log holds: the notice word for word."""
    return _document(
        platform,
        lot,
        notice.kind,
        notice.version,
        notice.title,
        notice.body,
        notice.text,
        notice.published_at,
        notice.until,
    )


def _document(
    platform: str,
    lot: Lot,
    kind: str,
    version: int,
    title: str,
    body: Mapping[str, Any],
    text: str,
    at: datetime,
    until: datetime | None,
) -> dict[str, Any]:
    return {
        "v": 1,
        "platform": platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "kind": kind,
        "version": version,
        "title": title,
        "body": dict(body),
        "text": text,
        "at": write_moment(at),
        "until": write_moment(until) if until else "",
    }


def of_lot(session: Session, lot: Lot, kind: str | None = None) -> list[Notice]:
    """All notices of a lot, oldest first; of one kind if named."""
    rows = select(Notice).where(Notice.lot_id == lot.id)
    return list(
        session.scalars((rows.where(Notice.kind == kind) if kind else rows).order_by(Notice.published_at, Notice.id))
    )


def latest(session: Session, lot: Lot, kind: str) -> Notice:
    """Refuses: NotFound ``notice.missing``."""
    found = of_lot(session, lot, kind)
    if not found:
        raise NotFound("notice.missing", ref=lot.ref, kind=kind)
    return found[-1]


# --- acts -------------------------------------------------------------------------------------------------------------------------


def post(
    work: UnitOfWork,
    lot: Lot,
    kind: str,
    *,
    title: str,
    body: Mapping[str, Any],
    text: str = "",
    until: datetime | None = None,
) -> Notice:
    """Publish a notice that follows from another act (which has taken its own locks). ``body``: canonical JSON values only.

    Refuses: Invalid ``notice.kind``, ``notice.body`` (fractions, nulls, keys outside the profile; facts that are not declared for the kind,
    which no page would show).
    """
    if kind not in KINDS:
        raise Invalid("notice.kind", kinds=list(KINDS))
    if strange := sorted(body.keys() - {one.name for one in fields.of_notice(kind)}):
        raise Invalid("notice.body", reason="UNDECLARED", detail=", ".join(strange))
    last = work.session.scalar(select(func.max(Notice.version)).where(Notice.lot_id == lot.id, Notice.kind == kind))
    at, version = floor_second(work.now), (last or 0) + 1
    title = title.strip()[:300]
    document = _document(work.office.platform, lot, kind, version, title, body, text, at, until)
    try:
        name = audit.keep_document(work, "notice", document, signed=False)
    except CryptoError as error:
        raise Invalid("notice.body", reason=error.code, detail=error.detail) from error
    new = Notice(
        lot_id=lot.id,
        kind=kind,
        title=title,
        body=dict(body),
        text=text,
        published_at=at,
        until=until,
        version=version,
        document_hash=name,
    )
    work.session.add(new)
    work.session.flush()
    work.record("notice.publish", lot.log_of, kind=kind, version=version, document=name)
    follows.tell(work, lot, kind, version)
    return new


def publish(
    work: UnitOfWork, lot: Lot, kind: str, *, title: str, text: str, body: Mapping[str, Any] | None = None
) -> Notice:
    """An agency's own notice, ``correction`` or ``clarification``, at once and to everybody.

    It moves no date and changes no document: ``publication.extend`` and ``publication.amend`` do. Refuses: NotAllowed, WrongStep, Invalid.
    """
    work.require(Act.NOTICE_PUBLISH)
    require_tie(work, lot.project)
    work.lock(lot)
    faults = Faults()
    if kind not in BY_HAND:
        faults.add("kind", "notice.kind", kinds=list(BY_HAND))
    for where, value in (("title", title), ("text", text)):
        if not value.strip():
            faults.add(where, "form.required")
    faults.refuse_if_any()
    if lot.published_at is None:
        raise WrongStep("lot.not_published", ref=lot.ref, state=lot.state)
    return post(work, lot, kind, title=title, body=body or {}, text=text.strip())
