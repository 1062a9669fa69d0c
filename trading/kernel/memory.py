"""What remembers the log outside the data folder: the last signed checkpoint, in files on other disks, so that an old copy is noticed.

A log proves only what lies in it. Data that were copied and brought back are as sound as on the day of the copy, and a platform that went
on from them would sign a second history under the same key. So each tick leaves its checkpoint in every file of ``BIDHALL_MEMORY``, and a
process that signs asks there first: at its start, and before each tick it seals, whether the log still continues what is remembered (a
consistency proof, RFC 9162 §2.1.4, not the size alone). If it does not, the process *stands still*: pages are read, nothing is signed but
the proof to a bidder that the fault is ours (``audit.sign_entry``).

A memory also names who signs against it (kernel/lease.py), so that of two copies started at once the second refuses.

Between two ticks nothing is written down here: what was signed since the last one, a minute at most, is not covered.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from crypto import checkpoints, merkle
from crypto.checkpoints import Checkpoint, NoteKey
from crypto.errors import CryptoError
from trading.kernel import log
from trading.kernel.blobs import sync_folder
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import NotFound, NotReady, Refusal
from trading.kernel.lease import Holder, of_json

logger = logging.getLogger("bidhall.memory")

PAUSE_MS = 50
"""Between two looks at a memory that somebody else holds."""
MOST = 100_000
"""Bytes a memory may have: a note and a few words."""
KEYS = frozenset(("v", "platform", "checkpoint", "at"))


@dataclass(frozen=True)
class Remembered:
    """The last checkpoint one place holds, and the moment it speaks of."""

    where: str
    checkpoint: Checkpoint
    at: str


Excuse = Callable[[Session, Checkpoint], bool]
"""Whether the log declares, by its own signed entry, that it lost the ticks of a checkpoint (kernel/restored.py)."""
Afar = Callable[[], tuple[str, str] | None]
"""Asks somebody else for (signed note, moment); None where it has none. Raises: OSError, CryptoError, ValueError."""


class Memory:
    """``files`` on other disks; ``afar``: others that hold checkpoints, by their address. ``holder`` says who we are; a server ``serves``,
    and so holds a lease, while a command only heeds it. ``trouble``: why this process stands still, asked
    with every entry that is signed, so it is a word in memory and nothing more. ``mine``: the lease this process took.
    ``excused``: asked of a checkpoint the log does not continue."""

    def __init__(
        self,
        platform: str,
        key: NoteKey,
        files: Sequence[Path],
        afar: Mapping[str, Afar] | None = None,
        holder: Callable[[], Holder] | None = None,
        excused: Excuse = lambda _session, _kept: False,
    ) -> None:
        self.platform, self.key = platform, key
        self.files, self.afar = tuple(sorted(files)), dict(afar or {})
        self.holder, self.serves, self.excused = holder, False, excused
        self.mine: Holder | None = None
        self.trouble: Refusal | None = None

    # --- asking -----------------------------------------------------------------------------------------------------------

    def look(self, session: Session, *, afar: bool = True) -> Refusal | None:
        """Asked once, at the start: the trouble of this process, which stays until it ends. ``afar``: those over a line too."""
        self.trouble = self.trouble or self.taken() or self._compared(session, self.seen(afar=afar))
        if self.trouble is None and self.files and log.last_tick(session) is not None:
            readable = [one for one in self.seen(afar=False).values() if isinstance(one, Remembered)]
            if not readable:
                self.trouble = NotReady("memory.lost", where=self._names())
        return self.trouble

    def look_anew(self, session: Session) -> Refusal | None:
        """Once a gap is declared: the trouble that it lifts is none any more, and what it does not cover stays one."""
        if self.trouble is not None and self.trouble.code in ("memory.behind", "memory.forked", "memory.lost"):
            self.trouble = None
        return self.look(session)

    def seen(self, *, afar: bool = True) -> dict[str, Remembered | Refusal | None]:
        """What each place holds: None for nothing, a Refusal for what cannot be read (``memory.unreadable``) or is not this log's
        (``memory.foreign``)."""
        found: dict[str, Remembered | Refusal | None] = {str(path): self._held(path) for path in self.files}
        for where, ask in self.afar.items() if afar else ():
            try:
                told = ask()
                found[where] = None if told is None else self._remembered(where, *told)
            except (OSError, CryptoError, ValueError) as error:
                found[where] = NotReady(
                    "memory.unreadable", where=where, reason=f"{type(error).__name__}: {error}"[:200]
                )
        return found

    def _names(self) -> str:
        return ", ".join(map(str, self.files))

    def _held(self, path: Path) -> Remembered | Refusal | None:
        try:
            value = read(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            return NotReady("memory.unreadable", where=str(path), reason=f"{type(error).__name__}: {error}"[:200])
        if value["platform"] != self.platform:
            return NotReady("memory.foreign", where=str(path), platform=value["platform"])
        if not value["checkpoint"]:
            return None
        try:
            return self._remembered(str(path), value["checkpoint"], value["at"])
        except CryptoError:
            return NotReady("memory.foreign", where=str(path), platform=value["platform"])

    def _remembered(self, where: str, note: str, at: str) -> Remembered:
        return Remembered(where, checkpoints.verify_checkpoint(note, self.key), at)

    def _compared(self, session: Session, seen: dict[str, Remembered | Refusal | None]) -> Refusal | None:
        """The first place that remembers another log than this one. A place that cannot be asked is no
        objection; one that is not ours is."""
        last = log.last_tick(session)
        for one in seen.values():
            if isinstance(one, Refusal):
                if one.code == "memory.foreign":
                    return one
            elif one is not None and (last is None or one.checkpoint.note != last.checkpoint):
                if (trouble := self._continues(session, one, last)) is not None:
                    return trouble
        return None

    def _continues(self, session: Session, one: Remembered, last: Any) -> Refusal | None:
        size, old = 0 if last is None else last.tick + 1, one.checkpoint.size
        facts = {"where": one.where, "remembered": old, "at": one.at, "size": size}
        if old > size:
            if self.excused(session, one.checkpoint):
                return None
            return NotReady("memory.behind", last=write_moment(floor_second(last.at)) if last else "-", **facts)
        try:
            newest = checkpoints.verify_checkpoint(last.checkpoint, self.key)
            proof = log.consistency_proof(session, old, size)
            merkle.verify_consistency(old, size, proof, one.checkpoint.root, newest.root)
        except (CryptoError, NotFound):
            if not self.excused(session, one.checkpoint):
                return NotReady("memory.forked", **facts)
        return None

    # --- a tick -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Hold every file that can be held, so that no other log is sealed against it meanwhile. False: somebody else does just now."""
        with ExitStack() as held:
            yield all(_lock(path, held) for path in self.files)

    def check(self, session: Session) -> None:
        """Before a tick is sealed. Refuses: NotReady ``memory.behind``, ``memory.forked``, ``memory.foreign``, ``memory.taken``; from
        then on this process stands still."""
        self.trouble = self.trouble or self.taken() or self._compared(session, self.seen(afar=False))
        if self.trouble is not None:
            raise self.trouble

    def keep(self, note: str, at: datetime) -> None:
        """Leave the checkpoint of a tick that is committed. A disk that is away or full is told in the platform's own log and by
        `doctor`; the tick stands."""
        for path in self.files:
            try:
                self.write(path, note, write_moment(floor_second(at)), self._lease_of(path))
            except OSError as error:
                logger.error("the memory %s was not written: %s", path, error.strerror or type(error).__name__)

    def write(self, path: Path, note: str, at: str, held: Holder | None = None) -> None:
        """Whole or not at all. Raises: OSError."""
        lease_of = held.to_json() if held is not None else None
        value = {"v": 1, "platform": self.platform, "checkpoint": note, "at": at, "lease": lease_of}
        write_whole(path, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")

    # --- who signs ----------------------------------------------------------------------------------------------------

    def taken(self) -> Refusal | None:
        """The lease of another database that stands on one of the files. Refuses: ``memory.taken``."""
        if self.holder is None:
            return None
        us = self.holder()
        for path in self.files:
            one = _lease(path)
            if one is not None and one.stands() and one.database != us.database and not one.is_same_process(us):
                until = write_moment(datetime.fromtimestamp(one.until, UTC))
                return NotReady("memory.taken", where=str(path), host=one.host, pid=str(one.pid), until=until)
        return None

    def _lease_of(self, path: Path) -> Holder | None:
        """What to write beside a tick: the lease that stands, renewed, whoever of this database has it; else our own."""
        if self.holder is None:
            return None
        us, one = self.holder(), _lease(path)
        if one is not None and one.stands() and one.database == us.database and not one.is_same_process(us):
            return one.renewed()
        return us.renewed() if self.serves else None

    def take(self, session: Session) -> None:
        """A server that will sign says so in every file. Refuses: NotReady ``memory.taken`` where another copy does."""
        last = log.last_tick(session)
        note, at = (last.checkpoint, write_moment(floor_second(last.at))) if last is not None else ("", "")
        with self._patiently():
            self.trouble = self.taken()
            if self.trouble is not None:
                raise self.trouble
            self.serves, self.mine = True, self.holder() if self.holder else None
            self._rewrite(note, at, self._lease_of)

    def release(self) -> None:
        """A server that stops clean says so: another may sign at once. Only its own lease is taken out."""
        if self.mine is None:
            return
        with self._patiently():
            self._rewrite("", "", lambda _path: None, only=self.mine)

    def _rewrite(
        self, note: str, at: str, lease_of: Callable[[Path], Holder | None], only: Holder | None = None
    ) -> None:
        """Each file with another lease and what it remembers; ``note`` for one that is not there. What cannot be read is left alone."""
        for path in self.files:
            try:
                found = read(path)
                if only is None or ((one := of_json(found.get("lease"))) and one.is_same_process(only)):
                    self.write(path, found["checkpoint"], found["at"], lease_of(path))
            except FileNotFoundError:
                if only is None and path.parent.is_dir():
                    self.write(path, note, at, lease_of(path))
            except (OSError, ValueError) as error:
                logger.error("no lease in the memory %s: %s", path, type(error).__name__)

    @contextmanager
    def _patiently(self, seconds: int = 10) -> Iterator[None]:
        """Hold every file, after whoever holds one just now for a tick."""
        end = time.monotonic() + seconds
        while True:
            with self.turn() as ours:
                if ours or time.monotonic() > end:
                    yield
                    return
            time.sleep(PAUSE_MS / 1000)


def _lease(path: Path) -> Holder | None:
    """The lease in a file; None where there is none to be read."""
    try:
        return of_json(read(path).get("lease"))
    except (OSError, ValueError):
        return None


def read(path: Path) -> dict[str, Any]:
    """A memory as it lies there, its signature unproved. Raises: OSError, ValueError."""
    with path.open("rb") as source:
        value = json.loads(source.read(MOST))
    if (
        not isinstance(value, dict)
        or not KEYS <= value.keys()
        or not all(isinstance(value[name], str) for name in KEYS - {"v"})
    ):
        raise ValueError("not a memory of a log")
    return value


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all, and stays over a power cut. Raises: OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _lock(path: Path, held: ExitStack) -> bool:
    """Hold the file beside a memory until ``held`` ends. A disk that is away is held by nobody."""
    try:
        door = held.enter_context(path.with_name(path.name + ".lock").open("a"))
        fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        logger.error("the memory %s is out of reach: %s", path, error.strerror or type(error).__name__)
    return True
