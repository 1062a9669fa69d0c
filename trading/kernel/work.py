"""One unit of work: one actor, one moment, one transaction.

Only this file says commit or rollback. A page, a command and the clock are the only three that open a unit. Audit entries are written
last, in the same transaction, without a global lock; the clock seals them into the public log at the next tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Engine, String, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel import access, audit, outbox
from trading.kernel.access import Act, Actor
from trading.kernel.blobs import LocalBlobs
from trading.kernel.clock import Clock, Span
from trading.kernel.commit_queue import turns_of
from trading.kernel.db import Base, Moment
from trading.kernel.errors import AlreadyDone, NotReady, Refusal
from trading.kernel.faults import fault
from trading.kernel.spool import Spool


class FormUse(Base):
    """A form sent once: a second sending of the same ``form_id`` leads to the first one's result."""

    __tablename__ = "form_use"

    form_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(Moment)
    where: Mapped[str] = mapped_column(String(300))


class _SentMeanwhile(Exception):
    """The same form was sent at the same moment by another line, which has committed while this one waited for it. The page it leads to can
    be read once this unit is rolled back."""

    def __init__(self, form_id: str, error: IntegrityError) -> None:
        super().__init__(form_id)
        self.form_id, self.error = form_id, error


@dataclass(frozen=True)
class Office:
    """Everything a unit of work needs, wired once per process (web/wiring.py).

    ``platform`` is the name that stands in every signed document; ``keys`` are the platform's signing and log keys; ``mirror`` is the line
    to the supervisory body's mirror (``trading.bidding.copies.Line``), None where there is none; ``memory`` what remembers the log outside
    the data folder (``trading.kernel.memory.Memory``); ``restored`` whether a gap waits to be declared
    (``trading.kernel.restored.Standing``).
    """

    engine: Engine
    clock: Clock
    blobs: LocalBlobs
    platform: str
    keys: audit.PlatformKeys
    zone: str = "Asia/Shanghai"
    mirror: Any = None
    memory: Any = None
    restored: Any = None

    @property
    def trouble(self) -> Refusal | None:
        """Why this process signs nothing but that the fault is ours; None while all is well. Found before, never looked for here."""
        waits = None if self.restored is None else self.restored.trouble
        return waits or (None if self.memory is None else self.memory.trouble)

    @cached_property
    def spool(self) -> Spool:
        """Where uploads arrive before they become blobs: on the same disk, so taking over is a link and no copy."""
        return Spool(self.blobs.folder / "uploads")

    @contextmanager
    def work(
        self, actor: Actor, *, arrived_at: datetime | Span | None = None, together: bool = False
    ) -> Iterator[UnitOfWork]:
        """A unit that may write. ``arrived_at``: the moment stamped at the edge, where that is what counts (promise R2). ``together``: it
        is short, and may share its commit with others of its kind; it returns when that commit is durable.

        Refuses: whatever the acts inside refuse; nothing is changed then.
        """
        span = arrived_at or self.clock.span()  # not after waiting for our turn
        try:
            with self._session(together) as session:
                work = UnitOfWork(self, session, actor, span)
                yield work
                session.flush()
                audit.write_pending(work)
                audit.still_in_time(work, self.clock.now())
                fault("work.commit")
                session.commit()
        except _SentMeanwhile as race:
            with self.glance() as connection:
                where = connection.scalar(select(FormUse.where).where(FormUse.form_id == race.form_id))
            if where is None:
                raise race.error from None  # another row stood in the way, of something written before
            raise AlreadyDone(where) from race
        fault("work.committed")

    @contextmanager
    def _session(self, together: bool) -> Iterator[Session]:
        """A session in a transaction of its own, rolled back unless it was committed; on SQLite in its turn, under a savepoint in what may
        be a shared one, and left when that is durable."""
        if self.engine.dialect.name != "sqlite":
            with Session(self.engine, expire_on_commit=False) as session:
                session.begin()
                yield session
            return
        with turns_of(self.engine).turn(together=together) as connection:
            with Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session:
                session.begin()
                yield session

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """A connection that only reads: for the one question that is asked with every request, without a session's bookkeeping."""
        with self.engine.connect().execution_options(bidhall_readonly=True) as connection:
            yield connection

    @contextmanager
    def view(self, actor: Actor) -> Iterator[View]:
        """A unit that only reads."""
        with self.engine.connect().execution_options(bidhall_readonly=True) as connection:
            with Session(connection, expire_on_commit=False, autoflush=False) as session:
                yield View(self, session, actor, self.clock.now())
                session.expunge_all()  # what was read stays readable; a rollback would void it
                session.rollback()


@dataclass
class View:
    """A reading unit: the same words as a unit of work, without acts."""

    office: Office
    session: Session
    actor: Actor
    now: datetime

    @cached_property
    def span(self) -> Span:
        """Between which moments ``now`` lies while the machine's clocks disagree."""
        return self.office.clock.span()

    def require(self, act: Act) -> None:
        access.require(self.actor, act, self.now)


class UnitOfWork(View):
    """What an act gets first: who, when, and the session. ``now`` and ``span`` are fixed for all of it."""

    def __init__(self, office: Office, session: Session, actor: Actor, now: datetime | Span) -> None:
        self.span = now if isinstance(now, Span) else Span.at(now)
        super().__init__(office, session, actor, self.span.moment)
        self.pending: list[audit.PendingAct] = []
        self.entries: list[audit.SignedEntry] = []
        self.declares = False
        self._held: dict[Any, bool] = {}

    def require(self, act: Act) -> None:
        """As reading does; and what cannot be undone waits while the clock is in doubt. Refuses: NotReady as ``certain``."""
        super().require(act)
        if act in access.LATCHING:
            self.certain()

    def certain(self) -> None:
        """Nothing is closed, opened or sealed by a clock that may be wrong (promise R7). Refuses: NotReady ``clock.apart``,
        ``clock.before_log``, ``clock.outside``."""
        doubt = self.office.clock.doubt()
        if doubt is not None:
            raise doubt

    def write(self, statement: Any, facts: dict[str, Any]) -> int:
        """Insert a row straight into its table, past the session's bookkeeping, as what is written in a rush is; returns its number."""
        found = self.session.connection().execute(statement, facts).inserted_primary_key
        return int(found[0]) if found is not None and found[0] is not None else 0

    def record(self, act: str, of: str, **facts: Any) -> None:
        """Note an act for the log. ``of`` names the thing (``tender/lot`` or ``tender``); facts are strings, whole numbers or
        lists of them; ``person`` and ``account`` are stored as salted hashes only."""
        self.pending.append(audit.PendingAct(act, of, facts))

    def record_unless_still(self, act: str, of: str, **facts: Any) -> None:
        """As ``record``; where the platform stands still it goes on unlogged, for people must sign in to see what is wrong and mend it."""
        if self.office.trouble is None:
            self.record(act, of, **facts)

    def log(
        self,
        event: str,
        *,
        statement: str,
        tender: str,
        lot: str = "",
        envelope: str = "",
        reason: str = "",
        at: datetime | None = None,
        slot: bool = True,
    ) -> audit.SignedEntry:
        """Sign a protocol entry at once (its envelope is a receipt) and store it with this transaction (protocol §4). ``slot`` False: the
        next tick gives it none, a list will stand for it."""
        return audit.sign_entry(
            self, event, statement=statement, tender=tender, lot=lot, envelope=envelope, reason=reason, at=at, slot=slot
        )

    def send(self, key: str, *, channel: str = "inbox", to: str, template: str, **facts: Any) -> None:
        outbox.send(self.session, self.now, key, channel=channel, to=to, template=template, **facts)

    def once(self, form_id: str, where: str = "") -> FormUse:
        """Claim a form id for this unit. ``where``, the page that shows the result, may be written to the row returned until the unit ends,
        for some acts know it last. Refuses: AlreadyDone with the first sending's page."""
        first = self.session.scalar(select(FormUse).where(FormUse.form_id == form_id))
        if first is not None:
            raise AlreadyDone(first.where)
        use = FormUse(form_id=form_id, account_id=self.actor.account_id, at=self.now, where=where)
        self.session.add(use)
        try:
            self.session.flush()
        except IntegrityError as error:
            raise _SentMeanwhile(form_id, error) from error
        return use

    def lock(self, thing: Any, *, shared: bool = False) -> None:
        """Hold a row until the end of the unit and read it anew. Order: lot, then participant, then the rest. ``shared``: others may hold
        it so too; it is kept from those only who lock it alone, to change or close it. A row that is held already is not read again, which
        would undo what the unit has changed in it. On SQLite nobody else has written since the unit began, so what it has read is as it
        stands."""
        held = self._held.get(thing)
        if held is False or (held and shared):
            return
        if self.session.get_bind().dialect.name == "postgresql":
            self.session.refresh(
                thing, with_for_update={"of": type(thing), "read": shared}
            )  # its own row, not those joined to it
            self._held[thing] = shared
        elif thing not in self.session:
            self.session.refresh(thing)

    def found_held(self, thing: Any, *, shared: bool = False) -> None:
        """Note a row whose very question held it (``FOR UPDATE`` or ``FOR SHARE OF`` its table): ``lock`` need not ask once more."""
        self._held[thing] = shared


def need(value: Any, code: str, **facts: Any) -> Any:
    """The value, or NotReady when wiring left it out."""
    if value is None:
        raise NotReady(code, **facts)
    return value
