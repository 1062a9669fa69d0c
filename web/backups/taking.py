"""A backup taken while the platform runs: there whole, or not at all.

The database is copied first and the bytes its rows name afterwards: bytes come before rows, so none is missing that was not erased by rule
meanwhile. Bytes that lie in the folder already are not copied again, and never written over by worse ones.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from importlib import metadata
from pathlib import Path

from crypto import checkpoints, merkle, rehearsals, signatures
from crypto.errors import CryptoError
from migrations import runner
from trading.bidding import named_blobs
from trading.bidding.named_blobs import is_named_so
from trading.kernel import log
from trading.kernel.access import CLOCK
from trading.kernel.blobs import LocalBlobs, sync_below, sync_folder
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import Conflict, NotReady
from trading.kernel.faults import fault
from trading.kernel.memory import write_whole
from trading.kernel.work import Office
from web import wiring
from web.backups import databases, keys, layout, state
from web.backups.layout import Manifest
from web.settings import PREFIX, Settings, given

Tell = Callable[[int, int], None]
"""Told of the blobs looked at so far, and of how many there are."""
PLACES = ("DATA", "DATABASE", "BLOBS", "DATA_KEYS", "TEST_CLOCK", "MAIL_USER", "MAIL_PASSWORD_FILE", "MAIL_CA")
"""Settings that name places of one machine, or that need a password: kept as a remark."""
SECRET = ("MAIL_PASSWORD",)
DATA_FILES = ("watch/drop.jsonl",)
REHEARSAL_FILES = (wiring.REHEARSAL, "town.json", "keys")
_PASSWORD = re.compile(r"(://[^/:@\s]*):\S*@")


def take(
    office: Office,
    settings: Settings,
    folder: Path,
    passphrase: Callable[[], str],
    *,
    keep: int = 0,
    tell: Tell = lambda _done, _all: None,
) -> tuple[Path, Manifest]:
    """One more backup in ``folder``. ``passphrase`` is asked only where the folder does not hold these very keys already; ``keep``: how
    many backups stay, 0 for all.

    Refuses: NotReady ``backup.inside``, ``backup.unwritten``, ``backup.no_program``, ``backup.program_failed``,
    ``rehearsal.no_backup``; Conflict ``backup.busy``, ``backup.foreign``, ``backup.behind``. Nothing half is left.
    """
    if rehearsals.is_name(settings.platform):
        raise NotReady("rehearsal.no_backup", data=str(settings.data))
    for ours in (settings.data, office.blobs.folder):
        if folder.resolve().is_relative_to(ours.resolve()):
            raise NotReady("backup.inside", folder=str(folder), data=str(ours))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder):
            _continues(office, folder)
            made = _take(office, settings, folder, passphrase, tell)
            state.note(
                settings.data, folder=str(folder), name=made[0].name, at=made[1].at, missing=len(made[1].missing)
            )
            if keep:
                _drop_older(folder, keep)
            return made
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NotReady("backup.unwritten", folder=str(folder), reason=reason) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / layout.LOCK).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict("backup.busy", folder=str(folder)) from error
        yield


def _continues(office: Office, folder: Path) -> None:
    """The newest backup there is of this log, and not of a later state of it: an old copy that was started must not push the newer ones
    out. Refuses: Conflict ``backup.foreign``, ``backup.behind``."""
    held = layout.names(folder)
    if not held:
        return
    try:
        before = layout.read_manifest(
            layout.read_json(folder / layout.BACKUPS / held[-1] / layout.MANIFEST), office.keys.public
        )
        if before.platform != office.platform:
            raise CryptoError("SIG", "of another platform")
        note = before.checkpoint
        old = checkpoints.verify_checkpoint(note, log.log_key(office.platform, office.keys)) if note else None
    except (OSError, ValueError, CryptoError) as error:
        raise Conflict("backup.foreign", folder=str(folder), name=held[-1]) from error
    if old is None:
        return
    with office.view(CLOCK) as view:
        last = log.last_tick(view.session)
        size = last.tick + 1 if last else 0
        try:
            if last is None or old.size > size:
                raise CryptoError("TICK_PROOF", "shorter")
            new = checkpoints.verify_checkpoint(last.checkpoint, log.log_key(office.platform, office.keys))
            proof = log.consistency_proof(view.session, old.size, size)
            merkle.verify_consistency(old.size, size, proof, old.root, new.root)
        except CryptoError as error:
            raise Conflict("backup.behind", folder=str(folder), name=held[-1], ticks=old.size, size=size) from error


def _take(
    office: Office, settings: Settings, folder: Path, passphrase: Callable[[], str], tell: Tell
) -> tuple[Path, Manifest]:
    place = folder / layout.BACKUPS
    place.mkdir(mode=0o700, exist_ok=True)
    _sweep(folder)
    secrets = keys.held(settings)
    sealed = _sealed_before(folder, secrets) or _json(keys.sealed(secrets, passphrase(), office.platform))
    now = floor_second(office.clock.now())
    name = f"{now:%Y%m%dT%H%M%SZ}"
    if (place / name).exists():
        raise Conflict("backup.busy", folder=str(folder))
    half = place / f".{name}"
    half.mkdir(mode=0o700)
    try:
        manifest = _fill(office, settings, folder, half, now, sealed, tell)
        fault("backup.filled")
        sync_below(half)
        half.rename(place / name)
        sync_folder(place)
        fault("backup.named")
    except BaseException:
        _sweep(folder)
        raise
    return place / name, manifest


def _sweep(folder: Path) -> None:
    """Take away what a backup that was killed, or could not be written, left: nobody else writes here now."""
    for left in (folder / layout.BACKUPS).glob(".*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in (folder / layout.BLOBS / "incoming").glob("*"):
        left.unlink(missing_ok=True)


def _fill(
    office: Office, settings: Settings, folder: Path, half: Path, now: datetime, sealed: bytes, tell: Tell
) -> Manifest:
    dialect = office.engine.dialect.name
    with databases.copied(office.engine, half / layout.DATABASES[dialect]) as session:
        fault("backup.database")
        named = sorted(named_blobs.named(session))
        last = log.last_tick(session)
        revision = runner.applied(session.connection())
    sizes, missing = _copy_blobs(office, folder, named, tell)
    write_whole(half / layout.BLOB_LIST, "".join(f"{name} {size}\n" for name, size in sizes.items()).encode())
    write_whole(half / layout.KEYS, sealed)
    write_whole(half / layout.SETTINGS, _settings(settings).encode())
    _copy_files(settings, half / layout.DATA)
    paths = [path for path in sorted(half.rglob("*")) if path.is_file()]
    files = {str(path.relative_to(half)): layout.digest_of(path) for path in paths}
    manifest = Manifest(
        platform=office.platform,
        version=metadata.version("bidhall"),
        revision=revision,
        at=write_moment(now),
        database=dialect,
        checkpoint=last.checkpoint if last else "",
        ticks=last.tick + 1 if last else 0,
        ticked_at=write_moment(last.at) if last else "",
        files=files,
        blobs=(len(sizes), sum(sizes.values())),
        missing=tuple(missing),
    )
    signed = signatures.sign(layout.KIND, manifest.to_json(), office.keys.signing)
    write_whole(half / layout.MANIFEST, signatures.to_text(signed).encode() + b"\n")
    return manifest


# --- what belongs to it -----------------------------------------------------------------------------------------------------------


def _copy_blobs(office: Office, folder: Path, named: list[str], tell: Tell) -> tuple[dict[str, int], list[str]]:
    """Name → size of every blob that lies in the folder now, and the names of those nobody has. Bytes that are not the ones of their name
    are looked for on the second disk."""
    sizes: dict[str, int] = {}
    missing: list[str] = []
    store = LocalBlobs(folder / layout.BLOBS)
    for number, name in enumerate(named, 1):
        if not store.has(name):
            source = next((one for one in _sources(office, name) if is_named_so(one, name)), None)
            if source is not None:
                store.copy_of(source, name)
        if store.has(name):
            sizes[name] = store.path(name).stat().st_size
        else:
            missing.append(name)
        tell(number, len(named))
    if missing:
        with office.view(CLOCK) as view:
            still = named_blobs.named(
                view.session
            )  # what was erased by rule since the database was copied is not missed
        missing = [name for name in missing if name in still]
    return sizes, missing


def _sources(office: Office, name: str) -> list[Path]:
    stores = [office.blobs, *([office.blobs.second] if office.blobs.second else [])]
    return [store.path(name) for store in stores]


def _sealed_before(folder: Path, secrets: keys.Secrets) -> bytes | None:
    """The sealed keys of the newest backup, if they are these very keys."""
    for name in reversed(layout.names(folder)[-1:]):
        try:
            path = folder / layout.BACKUPS / name / layout.KEYS
            if keys.checked(layout.read_json(path)) == keys.names_of(secrets):
                return path.read_bytes()
        except (OSError, ValueError, CryptoError):
            return None
    return None


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _settings(settings: Settings) -> str:
    """The settings in force, from the file and from variables alike: no password among them, places of this machine as remarks."""
    lines = ["# the settings at the time of the backup; passwords in addresses were left out"]
    for name, value in sorted({**given()[1], "PLATFORM": settings.platform}.items()):
        if name in SECRET:
            lines.append(f"# left out: {PREFIX}{name}")
            continue
        plain = _PASSWORD.sub(r"\1@", value)
        lines.append(f"# was: {PREFIX}{name}={plain}" if name in PLACES else f"{PREFIX}{name}={plain}")
    return "\n".join(lines) + "\n"


def _copy_files(settings: Settings, to: Path) -> None:
    """Small files of the data folder: the digest drop's tickets; of a rehearsal also what makes it one."""
    names = [*DATA_FILES, *(REHEARSAL_FILES if wiring.is_rehearsal(settings.data) else ())]
    for name in names:
        source = settings.data / name
        if source.is_dir():
            shutil.copytree(source, to / name)
        elif source.is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            data = source.read_bytes()
            whole = data.rfind(b"\n") + 1 if name.endswith(".jsonl") else len(data)  # a line is being written just now
            (to / name).write_bytes(data[:whole])
    bank = settings.data / wiring.BANK_FILE
    if bank.exists() and wiring.is_rehearsal(settings.data):
        to.mkdir(exist_ok=True)
        with closing(sqlite3.connect(bank)) as old, closing(sqlite3.connect(to / wiring.BANK_FILE)) as new:
            old.backup(new)


# --- what goes --------------------------------------------------------------------------------------------------------------------


def _drop_older(folder: Path, keep: int) -> None:
    """Leave the newest ``keep`` backups, and the blobs they name."""
    place = folder / layout.BACKUPS
    gone = layout.names(folder)[:-keep]
    for name in gone:
        (place / name).rename(place / f".{name}")  # from now on it is none
        shutil.rmtree(place / f".{name}")
    if not gone:
        return
    wanted = {name for one in layout.names(folder) for name in layout.blob_sizes(place / one)}
    store = LocalBlobs(folder / layout.BLOBS)
    for name in list(store.names()):
        if name not in wanted:
            store.remove(name)
