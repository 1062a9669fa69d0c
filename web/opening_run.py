"""Decryption beside the request: the host presses once, the page counts the bids, and nobody's browser has to wait for gigabytes.

A small opening is over before the answer is sent. A run ends with the process that carries it; then the page says so and the host begins
again, which is harmless (``trading.decryption``).
"""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import DBAPIError

from trading import decryption, opening, opening_runs
from trading.kernel.access import Actor
from trading.kernel.errors import Refusal
from trading.kernel.work import Office
from trading.tenders import lot as find_lot

PATIENCE_SECONDS = 2.0
"""How long an answer waits for the end."""
BEAT_SECONDS = 1.0
logger = logging.getLogger("bidhall.opening")


class _Run(threading.Thread):
    """Opens the bids of one lot and keeps what came of it."""

    def __init__(self, office: Office, actor: Actor, ref: str, part: str) -> None:
        super().__init__(name=f"opening-{ref}", daemon=True)
        self.office, self.actor, self.ref, self.part = office, actor, ref, part
        self.done = 0
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            decryption.open_bids(self.office, self.actor, self.ref, part=self.part, progress=self._count)
        except Exception as error:
            self.failure = error
            if not isinstance(error, Refusal):
                logger.exception("the decryption of %s stopped", self.ref)

    def _count(self, done: int) -> None:
        self.done = done


def start(office: Office, actor: Actor, ref: str, *, part: str) -> None:
    """Open the bids of a lot; returns when it is done, or goes on beside the request after a moment. A run that is alive is left alone.

    Refuses: as ``decryption.open_bids``, where it refuses within that moment, which it does for everything it can know beforehand.
    """
    with office.work(actor) as work:
        row = opening.opening(work.session, find_lot(work.session, ref), part)
        word = opening_runs.begin(work, row) if row.state == "LISTED" else None
        if word is None and row.state == "LISTED":
            return
    run = _Run(office, actor, ref, part)
    run.start()
    run.join(PATIENCE_SECONDS)
    if word is not None and run.is_alive():
        threading.Thread(target=_tell, args=[run, word], name=f"beats-{ref}", daemon=True).start()
        return
    if word is not None:
        _beat(run, word, ended=True)
    run.join()
    if run.failure is not None:
        raise run.failure


def _tell(run: _Run, word: str) -> None:
    while run.is_alive():
        _beat(run, word)
        run.join(BEAT_SECONDS)
    _beat(run, word, ended=True)


def _beat(run: _Run, word: str, *, ended: bool = False) -> None:
    """A beat that is lost makes the page late, nothing else."""
    try:
        with run.office.work(run.actor) as work:
            opening_runs.beat(work, word, run.done, ended=ended)
    except (DBAPIError, Refusal) as error:
        logger.warning("no beat of %s: %s", run.ref, type(error).__name__)
