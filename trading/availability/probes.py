"""Probes of the platform's own availability: who has to probe, since when, and what came (promises, section C).

Law of the noun: a point is on duty from the moment it is enrolled until it is taken off, both written into the log; what it does not send
while on duty counts against the platform. A slot of a point is told once. Nothing here knows of lots, bids or bidders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Index, String, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.availability import verdict
from trading.availability.verdict import Duty, Sample
from trading.kernel.access import Act
from trading.kernel.calendar import local_day
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Invalid, NotAllowed
from trading.kernel.work import UnitOfWork

INSIDE = "inside"
"""The point on the platform's own machine."""
MOST_SAMPLES = 1000
OLDEST = timedelta(days=1)
AHEAD = timedelta(seconds=60)
KEPT = timedelta(days=40)
"""How long samples lie in the table; those a verdict rests on stand for ever in its document."""
NAME = r"[a-z][a-z0-9-]{0,31}"


class ProbePoint(Base):
    """A point and its Ed25519 key (base64url), on duty from ``since`` until ``until``. ``beat_at``: its last whole submission."""

    __tablename__ = "probe_point"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), index=True)
    public: Mapped[str] = mapped_column(String(50))
    since: Mapped[datetime] = mapped_column(Moment)
    until: Mapped[datetime | None] = mapped_column(Moment)
    beat_at: Mapped[datetime | None] = mapped_column(Moment)


class ProbeSample(Base):
    """What a point says of one slot. ``code``: "" or why it failed; ``offset_ms``: our clock less its own, None where it could not tell."""

    __tablename__ = "probe_sample"
    __table_args__ = (UniqueConstraint("point", "at"), Index("ix_probe_sample_at", "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    point: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(Moment)
    ms: Mapped[int]
    ok: Mapped[bool]
    code: Mapped[str] = mapped_column(String(40), default="")
    offset_ms: Mapped[int | None]
    told_at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True)
class ReportedSample:
    """A sample as a point hands it in."""

    at: datetime
    ms: int
    ok: bool
    code: str
    offset_ms: int | None


# --- acts -------------------------------------------------------------------------------------------------------------


def keep_duties(work: UnitOfWork, wanted: Mapping[str, str]) -> list[str]:
    """Make the points on duty those of ``wanted`` (name → public key, base64url): new ones begin now, others end now; a changed key ends
    and begins. Returns what was done, as ``begin NAME`` and ``end NAME``. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    standing = {point.name: point for point in on_duty(work.session)}
    done = []
    for name, point in sorted(standing.items()):
        if wanted.get(name) != point.public:
            point.until = work.now
            work.record("probe.end", f"probe/{name}", public=point.public)
            done.append(f"end {name}")
    for name, public in sorted(wanted.items()):
        if name not in standing or standing[name].public != public:
            work.session.add(ProbePoint(name=name, public=public, since=work.now, until=None, beat_at=None))
            work.record("probe.begin", f"probe/{name}", public=public)
            done.append(f"begin {name}")
    work.session.flush()
    return done


def beat(work: UnitOfWork, name: str) -> None:
    """A probe's submission came whole: one small write, so that a probe succeeds only where a bid could be written too."""
    work.require(Act.CLOCK)
    point(work.session, name).beat_at = work.now
    work.session.flush()


def take(work: UnitOfWork, name: str, told: Iterable[ReportedSample]) -> int:
    """Keep what a point says of its slots; a slot told before keeps its first answer. Returns how many were new.

    Refuses: NotAllowed (not on duty), Invalid ``probe.samples`` (too many, too old, of the future).
    """
    work.require(Act.CLOCK)
    point(work.session, name)
    terms = verdict.terms_on(local_day(work.now))
    rows = {verdict.slot_of(one.at, terms): one for one in reversed(list(told))}
    if len(rows) > MOST_SAMPLES or any(not work.now - OLDEST <= at <= work.now + AHEAD for at in rows):
        raise Invalid("probe.samples", most=MOST_SAMPLES)
    known = set(
        work.session.scalars(select(ProbeSample.at).where(ProbeSample.point == name, ProbeSample.at.in_(list(rows))))
    )
    new = [
        ProbeSample(
            point=name,
            at=at,
            ms=min(max(one.ms, 0), 3_600_000),
            ok=one.ok and not one.code,
            code=one.code[:40],
            offset_ms=one.offset_ms,
            told_at=work.now,
        )
        for at, one in sorted(rows.items())
        if at not in known
    ]
    work.session.add_all(new)
    work.session.flush()
    return len(new)


def sweep(work: UnitOfWork) -> None:
    """Drop samples nobody can need any more."""
    work.require(Act.CLOCK)
    work.session.execute(delete(ProbeSample).where(ProbeSample.at < work.now - KEPT))


# --- looking ----------------------------------------------------------------------------------------------------------


def on_duty(session: Session) -> list[ProbePoint]:
    return list(session.scalars(select(ProbePoint).where(ProbePoint.until.is_(None)).order_by(ProbePoint.name)))


def point(session: Session, name: str) -> ProbePoint:
    """A point on duty. Refuses: NotAllowed ``probe.unknown``."""
    found = session.scalar(select(ProbePoint).where(ProbePoint.name == name, ProbePoint.until.is_(None)))
    if found is None:
        raise NotAllowed("probe.unknown", name=name)
    return found


def duties(session: Session, since: datetime) -> list[Duty]:
    """Who was on duty at some time from ``since`` on."""
    rows = session.scalars(
        select(ProbePoint).where((ProbePoint.until.is_(None)) | (ProbePoint.until > since)).order_by(ProbePoint.id)
    )
    return [Duty(row.name, row.since, row.until) for row in rows]


def samples(session: Session, since: datetime, until: datetime) -> list[Sample]:
    """The samples whose slots begin in [since, until)."""
    rows = session.execute(
        select(ProbeSample.point, ProbeSample.at, ProbeSample.ms, ProbeSample.ok).where(
            ProbeSample.at >= since, ProbeSample.at < until
        )
    )
    return [Sample(*row) for row in rows]


def newest(session: Session) -> dict[str, ProbeSample]:
    """The newest sample of each point."""
    last = select(ProbeSample.point, func.max(ProbeSample.at).label("at")).group_by(ProbeSample.point).subquery()
    rows = session.scalars(
        select(ProbeSample).join(last, (last.c.point == ProbeSample.point) & (last.c.at == ProbeSample.at))
    )
    return {row.point: row for row in rows}
