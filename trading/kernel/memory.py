"""What remembers the log outside the data folder: the last signed checkpoint, in files on other disks, so that an old copy is noticed.

A log proves only what lies in it. Data that were copied and brought back are as sound as on the day of the copy, and a platform that went
on from them would sign a second history under the same key. So each tick leaves its checkpoint in every file of ``BIDHALL_MEMORY``, and a
process that signs asks there first: at its start, and before each tick it seals, whether the log still continues what is remembered (a
consistency proof, RFC 9162 §2.1.4, not the size alone). If it does not, the process *stands still*: pages are read, nothing is signed but
the proof to a bidder that the fault is ours (``audit.sign_entry``).

Between two ticks nothing is written down here: what was signed since the last one, a minute at most, is not covered.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
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

logger = logging.getLogger("bidhall.memory")

MOST = 100_000
"""Bytes a memory may have: a note and a few words."""
KEYS = frozenset(("v", "platform", "checkpoint", "at"))


@dataclass(frozen=True)
class Remembered:
    """The last checkpoint one place holds, and the moment it speaks of."""

    where: str
    checkpoint: Checkpoint
    at: str


Afar = Callable[[], tuple[str, str] | None]
"""Asks somebody else for (signed note, moment); None where it has none. Raises: OSError, CryptoError, ValueError."""


class Memory:
    """``files`` on other disks; ``afar``: others that hold checkpoints, by their address. ``trouble``: why this process stands still, asked
    with every entry that is signed, so it is a word in memory and nothing more."""

    def __init__(
        self, platform: str, key: NoteKey, files: Sequence[Path], afar: Mapping[str, Afar] | None = None
    ) -> None:
        self.platform, self.key = platform, key
        self.files, self.afar = tuple(sorted(files)), dict(afar or {})
        self.trouble: Refusal | None = None

    # --- asking -----------------------------------------------------------------------------------------------------------

    def look(self, session: Session, *, afar: bool = True) -> Refusal | None:
        """Asked once, at the start: the trouble of this process, which stays until it ends. ``afar``: those over a line too."""
        self.trouble = self.trouble or self._compared(session, self.seen(afar=afar))
        if self.trouble is None and self.files and log.last_tick(session) is not None:
            readable = [one for one in self.seen(afar=False).values() if isinstance(one, Remembered)]
            if not readable:
                self.trouble = NotReady("memory.lost", where=self._names())
        return self.trouble

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
            return NotReady("memory.behind", last=write_moment(floor_second(last.at)) if last else "-", **facts)
        try:
            newest = checkpoints.verify_checkpoint(last.checkpoint, self.key)
            proof = log.consistency_proof(session, old, size)
            merkle.verify_consistency(old, size, proof, one.checkpoint.root, newest.root)
        except (CryptoError, NotFound):
            return NotReady("memory.forked", **facts)
        return None

    # --- a tick -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Hold every file that can be held, so that no other log is sealed against it meanwhile. False: somebody else does just now."""
        with ExitStack() as held:
            yield all(_lock(path, held) for path in self.files)

    def check(self, session: Session) -> None:
        """Before a tick is sealed. Refuses: NotReady ``memory.behind``, ``memory.forked``, ``memory.foreign``; from then on this process
        stands still."""
        self.trouble = self.trouble or self._compared(session, self.seen(afar=False))
        if self.trouble is not None:
            raise self.trouble

    def keep(self, note: str, at: datetime) -> None:
        """Leave the checkpoint of a tick that is committed. A disk that is away or full is told in the platform's own log and by
        `doctor`; the tick stands."""
        for path in self.files:
            try:
                self.write(path, note, write_moment(floor_second(at)))
            except OSError as error:
                logger.error("the memory %s was not written: %s", path, error.strerror or type(error).__name__)

    def write(self, path: Path, note: str, at: str) -> None:
        """Whole or not at all. Raises: OSError."""
        value = {"v": 1, "platform": self.platform, "checkpoint": note, "at": at}
        write_whole(path, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


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
