"""Decryption beside the request: the host presses once, the page counts the bids, and nobody's browser has to wait for gigabytes.

A small opening is over before the answer is sent. A run lives as long as the process that holds its lock: the system lets go of it at the
very moment that process dies; then the page says so and the host begins again, which is harmless (``trading.opening.decryption``).
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.exc import DBAPIError

from trading.kernel.access import Actor
from trading.kernel.errors import Refusal
from trading.kernel.work import Office
from trading.opening import ceremony, decryption, runs
from trading.tendering.tenders import lot as find_lot
from web.workers.watch.process import is_locked

PATIENCE_SECONDS = 5.0
"""How long an answer waits for the end."""
BEAT_SECONDS = 1.0
TRIES = 10
"""A page that looks whether a run lives holds the lock for a moment too."""
logger = logging.getLogger("bidhall.opening")


@contextmanager
def hold(office: Office, opening_id: int) -> Iterator[bool]:
    """Hold the run of an opening for the block: True, or False where another process or thread holds it."""
    with _lock_of(office, opening_id).open("ab") as held:
        yield any(_locked(held) for _ in range(TRIES))


def _locked(held: BinaryIO) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(0.02)
        return False
    return True


def is_held(office: Office, opening_id: int) -> bool:
    """Whether a living process decrypts this opening."""
    return is_locked(_lock_of(office, opening_id))


def _lock_of(office: Office, opening_id: int) -> Path:
    folder = office.blobs.folder / "locks"
    folder.mkdir(exist_ok=True)
    return folder / f"opening-{opening_id}"


class _Run(threading.Thread):
    """Opens the bids of one lot, keeps what came of it and tells how far it is."""

    def __init__(self, office: Office, actor: Actor, ref: str, part: str) -> None:
        super().__init__(name=f"opening-{ref}", daemon=True)
        self.office, self.actor, self.ref, self.part = office, actor, ref, part
        self.opening_id = 0
        self.done = 0
        self.over = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            with self.office.view(self.actor) as view:
                row = ceremony.opening(view.session, find_lot(view.session, self.ref), self.part)
            self.opening_id = row.id
            with hold(self.office, row.id) as mine:
                if mine:
                    self._open(is_first=row.state == "LISTED")
        except Exception as error:
            self.failure = error
            if not isinstance(error, Refusal):
                logger.exception("the decryption of %s stopped", self.ref)
        finally:
            self.over.set()

    def _open(self, *, is_first: bool) -> None:
        if is_first:
            with self.office.work(self.actor) as work:
                runs.begin(work, ceremony.opening(work.session, find_lot(work.session, self.ref), self.part))
            threading.Thread(target=self._tell, name=f"beats-{self.ref}", daemon=True).start()
        try:
            decryption.open_bids(self.office, self.actor, self.ref, part=self.part, progress=self._count)
        finally:
            self.over.set()
            if is_first:
                self._beat(ended=True)

    def _count(self, done: int) -> None:
        self.done = done

    def _tell(self) -> None:
        while not self.over.wait(BEAT_SECONDS):
            self._beat()

    def _beat(self, *, ended: bool = False) -> None:
        """A beat that is lost makes the page late, nothing else."""
        try:
            with self.office.work(self.actor) as work:
                runs.beat(work, self.opening_id, self.done, ended=ended)
        except (DBAPIError, Refusal) as error:
            logger.warning("no beat of %s: %s", self.ref, type(error).__name__)


def start(office: Office, actor: Actor, ref: str, *, part: str) -> None:
    """Open the bids of a lot; returns when it is done, or goes on beside the request after a moment. A run that is alive, here or in
    another process, is left alone.

    Refuses: as ``decryption.open_bids``, where it refuses within that moment, which it does for everything it can know beforehand.
    """
    run = _Run(office, actor, ref, part)
    run.start()
    run.join(PATIENCE_SECONDS)
    if run.failure is not None:
        raise run.failure
