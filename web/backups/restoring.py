"""The way back: a checked backup laid into an empty folder, marked as restored: it is read until two people have said what was lost.

Everything is looked at before anything is written. What is written lies in ``.restoring`` until it is whole and on the disk, and no
platform starts over a folder that holds that.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from crypto.checkpoints import LOG_KEY, NoteKey
from migrations import runner
from trading.kernel import at_rest, log, restored
from trading.kernel.audit import PlatformKeys
from trading.kernel.blobs import LocalBlobs, sync_below, sync_folder
from trading.kernel.clock import parse_moment
from trading.kernel.db import open_engine
from trading.kernel.errors import Conflict, NotReady, Refusal
from trading.kernel.faults import fault
from trading.kernel.memory import Memory, Remembered
from web import private, wiring
from web.backups import checking, databases, keys, layout
from web.backups.layout import Manifest
from web.settings import PREFIX, Settings, given, read_settings

OWN_PLACES = ("BLOBS", "DATA_KEYS")
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Back:
    """What was brought back, and where. ``remembered``: what each place outside remembers of the log, by its name; None for nothing."""

    data: Path
    name: str
    manifest: Manifest
    remembered: Mapping[str, Remembered | Refusal | None]

    @property
    def lost(self) -> int:
        """Ticks that are remembered and not in the copy."""
        sizes = [one.checkpoint.size for one in self.remembered.values() if isinstance(one, Remembered)]
        return max(0, max(sizes, default=0) - self.manifest.ticks)


def restore(
    folder: Path,
    passphrase: Callable[[], str],
    *,
    name: str = "",
    to: Path | None = None,
    environment: Mapping[str, str],
    tell: Tell = lambda _done, _all: None,
) -> Back:
    """Lay one backup (the newest if none is named) into the data folder of the environment, or into ``to``.

    Refuses: as ``layout.chosen`` and ``checking.check``; Invalid ``backup.damaged``; Conflict ``restore.not_empty``, ``restore.foreign``;
    NotReady ``database.newer``, ``memory.foreign``, ``restore.database_wanted``, ``restore.database_full``, ``restore.database_log``,
    ``restore.unwritten``; CryptoError PASSPHRASE. Nothing is left of one that was refused.
    """
    backup = layout.chosen(folder, name)
    manifest = checking.check(folder, backup, tell).refuse_if_any(backup.name)
    if not runner.knows(manifest.revision):
        raise NotReady("database.newer", revision=manifest.revision, head=runner.head())
    settings, seen = _settings_of(backup, manifest, dict(environment), to)
    _refuse_where_something_is(settings, manifest)
    value = layout.read_json(backup / layout.KEYS)
    secrets = keys.unsealed(value, passphrase())
    log_public = keys.public_of(value, wiring.LOG_KEY)
    remembered = _remembered(settings, seen, manifest, log_public)
    try:
        with _whole_or_nothing(settings, manifest) as half:
            _lay(folder, backup, manifest, secrets, half, tell)
            _mark(half, manifest, secrets)
            fault("restore.laid")
            _put_in_place(half, settings, manifest)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NotReady("restore.unwritten", data=str(settings.data), reason=reason) from error
    return Back(settings.data, backup.name, manifest, remembered)


# --- before anything is written ---------------------------------------------------------------------------------------------------


def _settings_of(
    backup: Path, manifest: Manifest, environment: dict[str, str], to: Path | None
) -> tuple[Settings, tuple[str, ...]]:
    """The settings that will be in force, and the files that will be asked what they remember: those named now, else those of the backup.
    Refuses: Conflict ``restore.foreign``; as ``read_settings``."""
    if to is not None and to != given(environment)[0]:
        environment[PREFIX + "DATA"] = str(
            to
        )  # all of it in there: what the places named now hold is another platform, running perhaps
        for name in (*OWN_PLACES, *(() if manifest.database == "postgresql" else ("DATABASE",))):
            environment.pop(PREFIX + name, None)
    settings, named = read_settings(environment), given(environment)[1]
    if (named.get("PLATFORM") or named.get("BASE_URL")) and settings.platform != manifest.platform:
        raise Conflict("restore.foreign", platform=settings.platform, stored=manifest.platform)
    kept = {}
    for line in (backup / layout.SETTINGS).read_text(encoding="utf-8").splitlines():
        name, sign, value = line.partition("=")
        if sign and name.startswith(PREFIX):
            kept[name.removeprefix(PREFIX)] = value
    places = named.get("MEMORY") or kept.get("MEMORY", "")
    return settings, tuple(filter(None, (one.strip() for one in places.split(","))))


def _refuse_where_something_is(settings: Settings, manifest: Manifest) -> None:
    """Refuses: Conflict ``restore.not_empty``, NotReady ``restore.database_wanted``, ``restore.database_full``."""
    for place in (settings.data, Path(settings.blobs)):
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise Conflict("restore.not_empty", folder=str(place))
    url = make_url(settings.database)
    backend = url.get_backend_name()
    if backend != manifest.database:
        raise NotReady("restore.database_wanted", wanted=manifest.database, named=backend)
    if backend == "sqlite":
        if url.database is None or Path(url.database).exists():
            raise Conflict("restore.not_empty", folder=str(url.database))
        return
    engine = open_engine(settings.database)
    try:
        if not databases.is_empty(engine):
            raise NotReady("restore.database_full", database=str(url.database))
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error
    finally:
        engine.dispose()


def _remembered(
    settings: Settings, files: tuple[str, ...], manifest: Manifest, log_public: bytes
) -> Mapping[str, Remembered | Refusal | None]:
    """What the files remember of this log. Refuses: NotReady ``memory.foreign``: the memory of another platform."""
    key = NoteKey(log.origin(manifest.platform), LOG_KEY, log_public)
    seen = Memory(manifest.platform, key, [Path(one) for one in files]).seen()
    for one in seen.values():
        if isinstance(one, Refusal) and one.code == "memory.foreign":
            raise one
    return seen


# --- writing ----------------------------------------------------------------------------------------------------------------------


@contextmanager
def _whole_or_nothing(settings: Settings, manifest: Manifest) -> Iterator[Settings]:
    """Settings of a half that lies beside what it will be; taken away again where the way does not come to its end."""
    data = settings.data
    was_there = data.exists()
    private.make(data)
    half = data / wiring.RESTORING
    half.mkdir(mode=0o700)
    database = settings.database if manifest.database != "sqlite" else f"sqlite:///{half / 'bidhall.db'}"
    try:
        yield replace(
            settings,
            data=half,
            database=database,
            blobs=str(half / "blobs"),
            platform=manifest.platform,
            memory=(),
            data_keys="",
        )
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        if manifest.database == "postgresql":
            databases.emptied(settings.database)
        if not was_there and not any(data.iterdir()):
            data.rmdir()
        raise


def _lay(folder: Path, backup: Path, manifest: Manifest, secrets: keys.Secrets, half: Settings, tell: Tell) -> None:
    for path in manifest.files:
        within = Path(path)
        if within.parts[0] == layout.DATA:
            target = half.data / within.relative_to(layout.DATA)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(backup / within, target)
    shutil.copyfile(backup / layout.SETTINGS, half.data / private.SETTINGS_FILE)
    keys.written(secrets, half.data)
    store, sizes = LocalBlobs(Path(half.blobs)), layout.blob_sizes(backup)
    for number, name in enumerate(sizes, 1):
        store.copy_of(layout.blob_path(folder, name), name)
        tell(number, len(sizes))
    copy = backup / layout.DATABASES[manifest.database]
    if manifest.database == "sqlite":
        shutil.copyfile(copy, str(make_url(half.database).database))
    else:
        engine = open_engine(half.database)
        try:
            databases.filled(engine, copy)
        finally:
            engine.dispose()
    for laid in half.data.rglob("*"):
        laid.chmod(0o700 if laid.is_dir() else 0o600)


def _mark(half: Settings, manifest: Manifest, secrets: keys.Secrets) -> None:
    """Bring the tables to this version, look at the log once more where it now lies, and write down that it was brought back.

    Refuses: NotReady ``restore.database_log``."""
    engine = open_engine(half.database)
    at_rest.attach(engine, wiring.data_keys(half, engine))
    own = PlatformKeys(secrets[wiring.SIGNING_KEY][0], secrets[wiring.LOG_KEY][0])
    try:
        with Session(engine) as session:
            looked = checking.Looked(manifest)
            checking.log_faults(looked, session, manifest, own.public, own.log_public)
        if looked.faults:
            raise NotReady("restore.database_log", reason=str(looked.faults[0].facts["reason"]))
        runner.upgrade(engine)
        with Session(engine) as session:
            restored.note(session, backup_at=parse_moment(manifest.at), at=wiring.open_clock(half).now())
            session.commit()
        if engine.dialect.name == "sqlite":
            _fold(engine)
    finally:
        engine.dispose()


def _fold(engine: Engine) -> None:
    """What SQLite keeps beside its file goes into it, so that one file is all there is to put in its place."""
    line = engine.raw_connection()
    try:
        line.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        line.close()


def _put_in_place(half: Settings, settings: Settings, manifest: Manifest) -> None:
    """Move what is whole to where it belongs; ``.restoring`` goes last, so that nothing starts before."""
    sync_below(half.data)
    blobs = Path(settings.blobs)
    if blobs.exists():
        blobs.rmdir()
    blobs.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(half.blobs, blobs)
    sync_folder(blobs.parent)
    if manifest.database == "sqlite":
        target = Path(str(make_url(settings.database).database))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(str(make_url(half.database).database), target)
        sync_folder(target.parent)
    if settings.data_keys:
        target = Path(settings.data_keys)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(half.data / wiring.DATA_KEYS, target)
    for path in sorted(half.data.iterdir()):
        path.rename(settings.data / path.name)
    half.data.rmdir()
    sync_folder(settings.data)
