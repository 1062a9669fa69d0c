"""From settings to an office: the one place where engine, clock, blobs and the platform's keys are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from crypto import rehearsals
from crypto.canonical import unb64u
from deposits.bank.simulated import SimulatedBank
from trading.kernel import at_rest, faults, lease, log, log_own, moved_clock, rehearsal, system_clock
from trading.kernel.access import CLOCK
from trading.kernel.audit import PlatformKeys
from trading.kernel.blobs import LocalBlobs
from trading.kernel.clock import Clock, rehearsal_clock
from trading.kernel.db import open_engine
from trading.kernel.errors import NotReady, Refusal
from trading.kernel.lease import Holder
from trading.kernel.memory import Memory
from trading.kernel.restored import Standing, covered
from trading.kernel.work import Office
from web import private
from web.clamd import Clamd, parse_address
from web.mail.way import DEFAULT_FOLDER
from web.settings import Settings, secret_of
from web.workers.mirror.line import Line
from web.workers.outbox_worker import Post
from web.workers.watch import beacon

REHEARSAL = "rehearsal"
"""A file of this name marks a data folder made for rehearsal; only there may a clock be moved."""
KEY_MARK = "rehearsal:"
"""Before the secret in the key files of a rehearsal of a site, so that no site signs with them."""
INITIATED = "init.json"
"""What `bidhall init` leaves in the data folder of a real site."""
SIGNING_KEY, LOG_KEY, DATA_KEYS = "platform.key", "log.key", "data.keys"
BANK_FILE = "bank.db"
RESTORING = ".restoring"
"""In it lies what `bidhall restore` has not put in its place yet."""


def open_office(settings: Settings) -> Office:
    """The office of a running platform. Refuses: NotReady (clock, blob folder, a secret others can read, ``log.key_missing``,
    ``restore.half``, ``rehearsal.mark_missing``, ``rehearsal.mark_on_site``, ``rehearsal.keys``, ``rehearsal.keys_real``)."""
    if faults.armed() and not is_rehearsal(settings.data):
        raise NotReady("faults.not_rehearsal", name=faults.VARIABLE)
    if settings.blobs.startswith("s3://"):
        raise NotReady("settings.value", name="BIDHALL_BLOBS", value=settings.blobs, expected="a folder")
    if (settings.data / RESTORING).exists():
        raise NotReady("restore.half", data=str(settings.data))
    _check_mark(settings)
    private.make(settings.data)
    clock, engine = open_clock(settings), open_database(settings)
    keys = _keys_of(settings, engine)
    return Office(
        engine=engine,
        clock=clock,
        blobs=open_blobs(settings),
        platform=settings.platform,
        keys=keys,
        zone=settings.zone,
        mirror=open_mirror(settings, clock, keys),
        memory=open_memory(settings, keys, engine),
        restored=Standing(),
    )


def open_database(settings: Settings) -> Engine:
    """An engine whose values at rest are sealed. Refuses: NotReady as ``data_keys``."""
    engine = open_engine(settings.database)
    at_rest.attach(engine, data_keys(settings, engine))
    return engine


def data_keys(settings: Settings, engine: Engine) -> at_rest.Ring:
    """The keys of values at rest, made when first needed and never again once something is sealed. Refuses: NotReady
    ``at_rest.file_missing``, ``at_rest.file_bad``, ``settings.secret_open``, ``database.unreachable``."""
    path = data_keys_file(settings)
    if not path.exists():
        if _there(engine) and _asked(engine, at_rest.holds_any):
            raise NotReady("at_rest.file_missing", path=str(path))
        return at_rest.Ring(path=path, make=True)
    at_rest.read_file(path)
    return at_rest.Ring(path=path)


def open_reading(settings: Settings, url: str = "") -> Engine:
    """An engine on the database, or on a copy of it, for what only reads and can do without what is sealed: a copy may be without
    its keys, and none are made."""
    engine, path = open_engine(url or settings.database), data_keys_file(settings)
    at_rest.attach(engine, at_rest.Ring(path=path) if path.exists() else at_rest.Blind())
    return engine


def data_keys_file(settings: Settings) -> Path:
    return Path(settings.data_keys) if settings.data_keys else settings.data / DATA_KEYS


def open_signing_office(settings: Settings) -> Office:
    """The office of a process that signs: its keys and its name are those the log began with, and it has looked whether the log
    goes on from what is remembered; its ``trouble`` says so if not. A log that has not begun gets its name. The tables are of this version.

    Refuses: NotReady as ``open_office`` and ``at_rest.look``, and ``log.foreign_name``, ``log.foreign_log_key``,
    ``log.foreign_signing_key``.
    """
    private.narrow(settings)
    office = open_office(settings)
    at_rest.look(office.engine)
    with office.view(CLOCK) as view:
        log_own.check(view.session, office.platform, office.keys)
        office.restored.look(view)
        if office.memory is not None:
            office.memory.look(view.session)
    if office.trouble is None:
        log_own.begin(office)
        rehearsal.follow_log(office)
    return office


def open_worker_office(settings: Settings, trouble: Refusal | None, server: Holder | None = None) -> Office:
    """The office of one worker of a server that has looked at its start: it stands still with it, or for what its files say now; the
    server's lease is renewed by its workers. ``trouble`` is the memory's; whether a gap waits to be declared the worker asks itself."""
    office = open_office(settings)
    with office.view(CLOCK) as view:
        office.restored.look(view)
    if office.memory is not None:
        office.memory.trouble = trouble
        if server is not None:
            office.memory.serves = True
            office.memory.holder = lambda: replace(server, database=lease.database_of(office.engine))
        with office.view(CLOCK) as view:
            office.memory.look(view.session, afar=False)
    return office


def _keys_of(settings: Settings, engine: Engine) -> PlatformKeys:
    """The keys, made on first use and never again: a log that has begun has keys of its own, which a restored folder may lack.
    Refuses: NotReady ``log.key_missing``, ``database.unreachable``."""
    missing = [name for name in (SIGNING_KEY, LOG_KEY) if not (settings.data / name).exists()]
    if missing and _has_begun(engine):
        raise NotReady("log.key_missing", path=str(settings.data / missing[0]))
    return platform_keys(settings.data, of_rehearsal=rehearsals.is_name(settings.platform))


def _has_begun(engine: Engine) -> bool:
    return _there(engine) and _asked(engine, _log_has_begun)


def _there(engine: Engine) -> bool:
    url = make_url(engine.url)
    return url.get_backend_name() != "sqlite" or bool(url.database and Path(url.database).exists())


def _log_has_begun(engine: Engine) -> bool:
    with engine.connect() as connection, Session(connection) as session:
        tables = inspect(connection)
        return tables.has_table("log_entry") and tables.has_table("log_tick") and log_own.begun(session)


def _asked(engine: Engine, question: Callable[[Engine], bool]) -> bool:
    try:
        return question(engine)
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error


def open_blobs(settings: Settings) -> LocalBlobs:
    """The store of bytes, with its second folder where one is configured."""
    return LocalBlobs(Path(settings.blobs), Path(settings.mirror_dir) if settings.mirror_dir else None)


def open_mirror(settings: Settings, clock: Clock, keys: PlatformKeys) -> Line | None:
    """The line to the supervisory body's mirror; None where none is configured."""
    if not settings.mirror_url:
        return None
    return Line(settings.mirror_url, unb64u(settings.mirror_key, 32), settings.platform, keys.signing, clock)


def open_memory(settings: Settings, keys: PlatformKeys, engine: Engine) -> Memory | None:
    """What remembers the log outside the data folder: files on other disks, and the time beacon by its public address."""
    if not settings.memory and not settings.beacon_url:
        return None
    key = log.log_key(settings.platform, keys)
    afar = {settings.beacon_url: partial(beacon.ask, settings.beacon_url, str(key))} if settings.beacon_url else {}
    return Memory(
        settings.platform,
        key,
        [Path(path) for path in settings.memory],
        afar,
        partial(lease.of_process, engine),
        lambda session, kept: covered(session, keys.public, kept),
    )


def open_clock(settings: Settings) -> Clock:
    """The machine's clock; in a rehearsal of a site the one that people move, by the log; one that is moved from outside only in a data
    folder made for tests and the town. Refuses: NotReady ``clock.not_rehearsal``."""
    if rehearsals.is_name(settings.platform):
        return moved_clock.MovedClock(
            settings.data / moved_clock.AHEAD_FILE, system_clock.Kept(settings.data / system_clock.ANCHOR_FILE)
        )
    if not settings.test_clock:
        return system_clock.of_folder(settings.data, settings.time_sources)
    if not is_rehearsal(settings.data):
        raise NotReady("clock.not_rehearsal", data=str(settings.data))
    return rehearsal_clock(settings.test_clock)


def is_rehearsal(data: Path) -> bool:
    return (data / REHEARSAL).exists()


def open_bank(settings: Settings, clock: Clock) -> SimulatedBank | None:
    """The bank of a rehearsal, in a file of its own. Elsewhere None: no bank is connected, orders go to it as the batch's payment file
    and come back on its statement; money must never seem to move where none does."""
    return SimulatedBank(settings.data / BANK_FILE, clock) if is_rehearsal(settings.data) else None


def open_scanner(settings: Settings) -> Clamd | None:
    """The scanner for files of opened bids; None where none is configured, and every such file says so."""
    return parse_address(settings.clamd) if settings.clamd else None


def open_post(settings: Settings, here: str = "") -> Post:
    """How letters are sent. ``here``: where this process answers, which counts as the platform's address in a rehearsal only."""
    rehearsal = is_rehearsal(settings.data)
    base = settings.base_url or (here if rehearsal else "")
    way = settings.mail
    if not way.host and not way.folder:
        way = replace(way, folder=str(settings.data / DEFAULT_FOLDER))
    return Post(way, settings.place, base, keep_links=rehearsal)


def _check_mark(settings: Settings) -> None:
    """Name and folder say the same: a rehearsal has a simulated bank and no second factors, and a site must never. Refuses: NotReady
    ``rehearsal.mark_missing``, ``rehearsal.mark_on_site``."""
    marked = is_rehearsal(settings.data)
    if rehearsals.is_name(settings.platform) and not marked:
        raise NotReady("rehearsal.mark_missing", data=str(settings.data), platform=settings.platform)
    if marked and (settings.data / INITIATED).exists():
        raise NotReady("rehearsal.mark_on_site", path=str(settings.data / REHEARSAL))


def platform_keys(data: Path, *, of_rehearsal: bool = False) -> PlatformKeys:
    """The platform's signing and log secrets, 0600 files made on first use. Those of a rehearsal of a site bear its mark: a site refuses
    them, and a rehearsal refuses a site's. Refuses: NotReady ``rehearsal.keys``, ``rehearsal.keys_real``, ``settings.secret_open``."""
    found = []
    for name in (SIGNING_KEY, LOG_KEY):
        text = secret_of(data, name, KEY_MARK if of_rehearsal else "")
        if text.startswith(KEY_MARK) is not of_rehearsal:
            raise NotReady("rehearsal.keys_real" if of_rehearsal else "rehearsal.keys", path=str(data / name))
        found.append(bytes.fromhex(text.removeprefix(KEY_MARK)))
    return PlatformKeys(*found)
