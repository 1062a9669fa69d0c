"""The alarm clock: APScheduler calls, the database remembers.

Each process may run it; ``timeline.turn`` is harmless twice, late or on two machines, and a tick is sealed once. Nothing is scheduled per
lot: what is due stands in the rows. It is started in a worker's own process, never at import.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DBAPIError

from deposits.bank import transfers
from deposits.bank.protocol import Bank, BankUnreachable
from deposits.refunds import falling_due, payees, refunds, sealed, settlement
from deposits.refunds.sealed import Sealed
from trading import timeline
from trading.availability import probes
from trading.bidding import copies, uploads
from trading.files import attachment_scans
from trading.files.scanning import Scanner, ScannerDown
from trading.hall import opened_files
from trading.kernel import rates
from trading.kernel.access import CLOCK
from trading.kernel.errors import Invalid, Refusal
from trading.kernel.system_clock import SystemClock
from trading.kernel.work import Office
from trading.opening import rechecks, scrub
from trading.parties import failed_sign_ins, mail_queue, password_links, registrations
from web import room
from web.settings import Settings
from web.tally import TALLY
from web.workers import outbox_worker, tidying, time_sources
from web.workers.outbox_worker import Post
from web.workers.watch import mirror_state, taking

EVERY_SECONDS = 1
OUTBOX_SECONDS = 5
SCAN_SECONDS = 5
COPY_SECONDS, PING_SECONDS = 2, 60
LOOK_SECONDS = 5
SCRUB_SECONDS = 20
CREDIT_SECONDS = 15
GO_ON_SECONDS = 2
TIDY_MINUTES = 20
logger = logging.getLogger("bidhall.scheduler")


def turn(office: Office, bank: Bank | None) -> list[str]:
    """One turn of the clock: the procedure's, and when it took anything (a tick, so once a minute, is enough) the money room's."""
    taken = timeline.turn(office)
    return taken + (money(office, bank) if taken else [])


def money(office: Office, bank: Bank | None) -> list[str]:
    """The money room's part: orders are handed to the bank and its answers noted, then refunds that have fallen due get their rows.
    Says what was done as ``deliver`` and ``refund``, never for whom, and of sealed lots not at all; twice is harmless. Refuses: as
    ``falling_due.due``."""
    keys = refunds.deliver(office, bank) if bank is not None else []
    with office.work(CLOCK) as work:
        left_out = Sealed(work.session).refunds
        done = ["deliver"] if any(transfers.transfer(work.session, key).refund not in left_out for key in keys) else []
        done += ["refund"] if sealed.visible(work.session, falling_due.due(work)) else []
    return done


def credit(office: Office, bank: Bank, seen: dict[str, str]) -> int:
    """Takes in what a connected bank has booked since the last time; ``seen`` keeps the digest of the statement, so that nothing is locked
    for nothing. Returns how many lines were new."""
    data = bank.statement()
    digest = hashlib.sha256(data).hexdigest()
    if seen.get("statement") == digest:
        return 0
    try:
        with office.work(CLOCK) as work:
            taken = settlement.credit(work, data)
    except Invalid as refusal:
        if [fault.code for fault in refusal.faults] != ["statement.empty"]:
            raise
        taken = 0  # nobody has paid anything yet
    seen["statement"] = digest
    return taken


def start(
    office: Office,
    bank: Bank | None,
    post: Post | None = None,
    scanner: Scanner | None = None,
    settings: Settings | None = None,
) -> BackgroundScheduler:
    """Start turning. The caller keeps the scheduler and shuts it down."""
    scheduler = BackgroundScheduler(
        timezone=office.zone, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )

    def each(job: Callable[..., object], args: list[Any], name: str, **pace: int) -> None:
        scheduler.add_job(_awake, "interval", args=[office, job, *args], id=name, **pace)

    scheduler.add_job(_go_on, "interval", args=[office], id="restored", seconds=GO_ON_SECONDS)
    each(_turn, [office, bank], "turn", seconds=EVERY_SECONDS)
    if bank is not None:
        each(_credit, [office, bank, {}], "credit", seconds=CREDIT_SECONDS)
    if post is not None:
        each(_deliver, [office, post], "outbox", seconds=OUTBOX_SECONDS)
    each(scan, [office, scanner], "scanner", seconds=SCAN_SECONDS)
    each(_sweep, [office], "sweeper", hours=1)
    each(_look_after, [office], "stored", seconds=LOOK_SECONDS)
    each(_erase, [office], "eraser", minutes=1)
    each(_scrub, [office, scrub.Walk()], "scrub", seconds=SCRUB_SECONDS)
    data = settings.data if settings is not None else None
    if office.mirror is not None:
        each(_copy, [office], "copies", seconds=COPY_SECONDS)
        if data is not None:
            each(mirror_state.ping, [office, data], "mirror", seconds=PING_SECONDS)
    if data is not None:
        each(_take_over, [office, data], "drop", minutes=1)
        each(_tidy, [office, settings], "tidy", minutes=TIDY_MINUTES)
    if isinstance(office.clock, SystemClock) and office.clock.outside.sources:
        scheduler.add_job(_ask_time, args=[office.clock], id="time at once")
        scheduler.add_job(_ask_time, "interval", args=[office.clock], id="time", seconds=time_sources.EVERY_SECONDS)
    scheduler.start()
    return scheduler


def _awake(office: Office, job: Callable[..., object], *args: Any) -> None:
    """A platform that stands still does nothing by itself either: no step, no money, no mail, no erasing. While the machine's clocks
    disagree nothing goes that cannot be undone."""
    if office.trouble is None and (job not in (_sweep, _erase, _tidy) or office.clock.doubt() is None):
        job(*args)


def _go_on(office: Office) -> None:
    """A process on restored data looks whether two people have declared the gap by now, and goes on then."""
    if office.restored is None or office.restored.trouble is None:
        return
    try:
        with office.view(CLOCK) as view:
            if office.restored.look(view) is None and office.memory is not None:
                if office.memory.look_anew(view.session) is None:
                    office.memory.take(view.session)
    except (DBAPIError, Refusal) as error:
        logger.error("after the restoration: %s", error)


def _ask_time(clock: SystemClock) -> None:
    """Clocks outside are asked by a job of their own, outside any transaction, on a platform that stands still too: a source that does not
    answer holds up nobody."""
    try:
        time_sources.ask(clock)
    except OSError as error:
        logger.error("clocks outside were not asked: %s", type(error).__name__)


def scan(office: Office, scanner: Scanner | None) -> None:
    """Files of opened bids are looked at in a job of their own: a slow scanner never holds up the clock."""
    try:
        for found in (*opened_files.scan(office, scanner), *attachment_scans.scan(office, scanner)):
            logger.info("scanned: %s", found)
        registrations.scan(office, scanner)
        payees.scan(office, scanner)
    except ScannerDown as error:
        logger.error("the scanner does not answer: %s", error)
    except (DBAPIError, OSError) as error:
        logger.error("scanning failed: %s", type(error).__name__)


def _take_over(office: Office, data: Path) -> None:
    """Tickets of the digest drop, and samples nobody needs any more."""
    try:
        taking.take_over(office, data)
        with office.work(CLOCK) as work:
            probes.sweep(work)
    except (DBAPIError, OSError, Refusal) as error:
        logger.error("drop failed: %s", type(error).__name__)


def _copy(office: Office) -> None:
    """Copies to the mirror. A failing line says nothing here: only the ping, which comes at a fixed pace, tells that a mirror is away."""
    try:
        copies.send_due(office)
    except DBAPIError as error:
        logger.error("copies failed: %s", type(error).__name__)


def _look_after(office: Office) -> None:
    """Stored bytes looked at round an opening: whole files are read, so it is a job of its own. What it found is no word of a log."""
    try:
        rechecks.recheck(office)
    except (DBAPIError, OSError, Refusal) as error:
        logger.error("looking at stored bytes failed: %s", type(error).__name__)


def _scrub(office: Office, walk: scrub.Walk) -> None:
    """Stored bytes read again, slowly. What it found is no word of a log."""
    try:
        scrub.scrub(office, walk)
    except (DBAPIError, OSError, Refusal) as error:
        logger.error("reading stored bytes again failed: %s", type(error).__name__)


def _erase(office: Office) -> None:
    try:
        rechecks.erase(office)
    except (DBAPIError, OSError, Refusal) as error:
        logger.error("erasing failed: %s", type(error).__name__)


def _sweep(office: Office) -> None:
    try:
        uploads.sweep(office)
        with office.work(CLOCK) as work:
            rates.sweep(work)
            failed_sign_ins.sweep(work)
            mail_queue.sweep(work)
    except (DBAPIError, OSError) as error:
        logger.error("sweeper failed: %s", type(error).__name__)


def _tidy(office: Office, settings: Settings) -> None:
    try:
        room.note(settings, office.clock.now())
        if gone := tidying.tidy(settings, office.clock.now()):
            logger.info("tidied: %s files", gone)
    except OSError as error:
        logger.error("tidying failed: %s", error.strerror)


def _turn(office: Office, bank: Bank | None) -> None:
    try:
        for step in turn(office, bank):
            if step != "tick":
                logger.info("taken: %s", step)
        TALLY.turned(int(office.clock.now().timestamp()))
    except (DBAPIError, Refusal) as error:  # tried again in a second; what is due stays due
        logger.error("turn failed: %s", error if office.trouble else type(error).__name__)


def _credit(office: Office, bank: Bank, seen: dict[str, str]) -> None:
    try:
        credit(office, bank, seen)
    except (BankUnreachable, DBAPIError, OSError, Refusal) as error:
        logger.error("the bank's statement was not taken in: %s", type(error).__name__)


def _deliver(office: Office, post: Post) -> None:
    try:
        with office.view(CLOCK) as view:
            asked = password_links.wished(view)
        if asked:
            with office.work(CLOCK) as work:
                password_links.answer(work)
        outbox_worker.deliver(office, post)
    except (DBAPIError, OSError) as error:
        logger.error("outbox worker failed: %s", type(error).__name__)
