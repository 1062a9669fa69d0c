"""Experts: who they are, what they know, and which units they must keep away from (rules P-05, P-07, P-20 to P-22).

Law of the noun: an expert is known to the public by a code, never by name, until the result names the panel; ties to units are kept with
their dates, because a tie counts for three years after it ended. Whether an expert must avoid a lot is a pure question of ties and codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.kernel.access import Act, Role
from trading.kernel.calendar import local_day
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Faults, NotFound
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork
from trading.parties import parties
from trading.parties.parties import Account

TIES = ("employed", "board", "owner", "relative", "other")
"""How a person belongs to a unit: works there, sits on its board, holds or controls it, is a relative of its head, anything else."""
YEARS = 3
"""A tie counts until this many years after it ended (rule P-20)."""


class Expert(Base):
    """``code``: public name such as ``E007``. ``unit``: where the expert works, for people to read. ``specialties``: codes of the
    library, sorted. An expert who is not ``active`` is in no pool."""

    __tablename__ = "expert"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), unique=True)
    code: Mapped[str] = mapped_column(String(20), unique=True)
    unit: Mapped[str] = mapped_column(String(200))
    specialties: Mapped[list[str]] = mapped_column(Json)
    region: Mapped[str] = mapped_column(String(40), default="")
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=0)
    registered_at: Mapped[Any] = mapped_column(Moment)
    account: Mapped[Account] = relationship(lazy="joined")
    ties: Mapped[list[ExpertTie]] = relationship(order_by="ExpertTie.id", lazy="selectin")

    @property
    def log_of(self) -> str:
        return f"expert:{self.code}"


class ExpertTie(Base):
    """A tie to a unit: its credit code, the kind of tie, and from when to when (open where it lasts)."""

    __tablename__ = "expert_tie"
    __table_args__ = (CheckConstraint(one_of("kind", TIES), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    expert_id: Mapped[int] = mapped_column(ForeignKey("expert.id"), index=True)
    code: Mapped[str] = mapped_column(String(40), index=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    kind: Mapped[str] = mapped_column(String(20))
    since: Mapped[date]
    until: Mapped[date | None]


# --- small rules ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Avoidance:
    """Why an expert must keep away: the unit's code and the kind of tie (rules P-20, P-21, P-05)."""

    code: str
    kind: str


def years_before(day: date, years: int) -> date:
    """The same day ``years`` earlier; 29 February goes to the 28th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def still_counts(until: date | None, on: date) -> bool:
    """Whether a tie that ended on ``until`` (None: it lasts) still counts on a day (rule P-20)."""
    return until is None or until >= years_before(on, YEARS)


def avoidances(expert: Expert, codes: Collection[str], on: date) -> list[Avoidance]:
    """Every reason why this expert must keep away from a matter of these units, in order; none means the expert may sit."""
    found = {Avoidance(tie.code, tie.kind) for tie in expert.ties if tie.code in codes and still_counts(tie.until, on)}
    if expert.account.party.code in codes:
        found.add(Avoidance(expert.account.party.code, "employed"))
    return sorted(found, key=lambda one: (one.code, one.kind))


def pool(
    session: Session, *, specialties: Collection[str], codes: Collection[str], on: date, region: str = ""
) -> list[Expert]:
    """Active experts of one of the specialties who need not avoid any of the units, by code; ``region`` narrows it where given."""
    rows = session.scalars(select(Expert).where(Expert.active).order_by(Expert.code))
    wanted = set(specialties)
    return [
        one
        for one in rows
        if wanted & set(one.specialties)
        and one.account.disabled_at is None
        and (not region or one.region.startswith(region))
        and not avoidances(one, codes, on)
    ]


def specialties(session: Session) -> list[tuple[str, int]]:
    """The codes of the library, with the number of active experts of each."""
    rows = session.scalars(select(Expert).where(Expert.active))
    found = Counter(code for one in rows if one.account.disabled_at is None for code in one.specialties)
    return sorted(found.items())


def count_active(session: Session) -> int:
    """How many experts are in the pool."""
    rows = select(func.count()).select_from(Expert).join(Account, Account.id == Expert.account_id)
    return int(session.scalar(rows.where(Expert.active, Account.disabled_at.is_(None))) or 0)


def by_code(session: Session, code: str) -> Expert:
    """Refuses: NotFound ``expert.unknown``."""
    found = session.scalar(select(Expert).where(Expert.code == code))
    if found is None:
        raise NotFound("expert.unknown", code=code)
    return found


def of_account(session: Session, account_id: int | None) -> Expert | None:
    return session.scalar(select(Expert).where(Expert.account_id == account_id))


# --- acts -------------------------------------------------------------------------------------------------------------------------


def register(
    work: UnitOfWork,
    account: Account,
    *,
    code: str,
    unit: str,
    specialties: Iterable[str],
    region: str = "",
    ties: Iterable[Mapping[str, Any]] = (),
) -> Expert:
    """Enter an expert of the library. ``ties``: ``{code, name, kind, since, until}``, days as dates, ``until`` None while the tie lasts.

    Refuses: NotAllowed, Invalid (every field), Conflict ``expert.exists``.
    """
    work.require(Act.EXPERT_REGISTER)
    code, held = code.strip(), [dict(tie) for tie in ties]
    known = sorted({one.strip() for one in specialties if one.strip()})
    faults = Faults()
    if not code:
        faults.add("code", "form.required")
    if not unit.strip():
        faults.add("unit", "form.required")
    if not known:
        faults.add("specialties", "form.required")
    if Role.EXPERT not in parties.roles_of(work.session, account):
        faults.add("account", "expert.role_needed", username=account.username)
    _check_ties(faults, held)
    faults.refuse_if_any()
    if (
        work.session.scalar(select(Expert.id).where((Expert.code == code) | (Expert.account_id == account.id)))
        is not None
    ):
        raise Conflict("expert.exists", code=code)
    new = Expert(
        account_id=account.id,
        code=code,
        unit=unit.strip(),
        specialties=known,
        region=region.strip(),
        active=True,
        version=0,
        registered_at=work.now,
    )
    new.ties = [_tie(tie) for tie in held]
    work.session.add(new)
    work.session.flush()
    work.session.refresh(new)
    work.record("expert.register", new.log_of, specialties=known, ties=len(held))
    return new


def _check_ties(faults: Faults, ties: list[dict[str, Any]]) -> None:
    for place, tie in enumerate(ties):
        where = f"ties.{place}"
        if not str(tie.get("code", "")).strip():
            faults.add(f"{where}.code", "form.required")
        if tie.get("kind") not in TIES:
            faults.add(f"{where}.kind", "expert.tie_kind", kinds=list(TIES))
        since, until = tie.get("since"), tie.get("until")
        if not isinstance(since, date):
            faults.add(f"{where}.since", "form.required")
        elif until is not None and until < since:
            faults.add(f"{where}.until", "expert.tie_ends_first", since=since, until=until)


def _tie(tie: Mapping[str, Any]) -> ExpertTie:
    return ExpertTie(
        code=tie["code"].strip(),
        name=str(tie.get("name", "")).strip(),
        kind=tie["kind"],
        since=tie["since"],
        until=tie.get("until"),
    )


def add_tie(work: UnitOfWork, expert: Expert, tie: Mapping[str, Any]) -> ExpertTie:
    """Note a tie that has become known. Refuses: NotAllowed, Invalid."""
    work.require(Act.EXPERT_REGISTER)
    faults = Faults()
    _check_ties(faults, [dict(tie)])
    faults.refuse_if_any()
    new = _tie(tie)
    expert.ties.append(new)
    expert.version += 1
    work.session.flush()
    work.record("expert.tie", expert.log_of, kind=new.kind)
    return new


def edit(
    work: UnitOfWork,
    expert: Expert,
    *,
    specialties: Iterable[str] | None = None,
    active: bool | None = None,
    region: str | None = None,
    seen: int | None = None,
) -> None:
    """Change what an expert knows, where, or whether the expert may be drawn. Refuses: NotAllowed, Conflict, Invalid."""
    work.require(Act.EXPERT_REGISTER)
    work.lock(expert)
    check_version(expert, seen)
    if specialties is not None:
        known = sorted({one.strip() for one in specialties if one.strip()})
        faults = Faults()
        if not known:
            faults.add("specialties", "form.required")
        faults.refuse_if_any()
        expert.specialties = known
    if active is not None:
        expert.active = active
    if region is not None:
        expert.region = region.strip()
    expert.version += 1
    work.session.flush()
    work.record("expert.edit", expert.log_of, active=expert.active)


def today(work: UnitOfWork) -> date:
    """The Beijing day of the unit."""
    return local_day(work.now)
