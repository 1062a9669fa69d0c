"""Keeps the processes of the watch running: each a child of its own, started again five seconds after it ends.

The keeper is no part of the web server: killed workers, or a killed server, leave it and its children as they are. A child that finds its
place taken (by the child of a keeper that was killed) ends at once and is tried again later.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from trading.kernel.errors import NotReady

PAUSE = 5
CODE = "from web.cli.main import main; main()"
PATIENT = "from web.workers.watch.wait_ready import until_it_answers; until_it_answers({port}); " + CODE


def command(*words: str) -> list[str]:
    """Our own command line in a new process."""
    return [sys.executable, "-c", CODE, *words]


class Keeper:
    def __init__(self, children: Sequence[Sequence[str]]) -> None:
        self.wanted = [list(words) for words in children]
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self._ended: dict[int, float] = {}

    def turn(self) -> None:
        """Start what does not run and has not ended just now."""
        for at, words in enumerate(self.wanted):
            child = self.running.get(at)
            if child is not None and child.poll() is None:
                continue
            if child is not None:
                del self.running[at]
                self._ended[at] = time.monotonic()
            if time.monotonic() - self._ended.get(at, -PAUSE) >= PAUSE:
                self.running[at] = subprocess.Popen(command(*words), stdin=subprocess.DEVNULL)

    def run(self, stop: threading.Event) -> None:
        try:
            self.turn()
            while not stop.wait(1):
                self.turn()
        finally:
            self.end()

    def end(self) -> None:
        """End the children we started, politely, then not."""
        for child in self.running.values():
            if child.poll() is None:
                child.terminate()
        for child in self.running.values():
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


def start(words: Sequence[str], *, port: int) -> subprocess.Popen[bytes]:
    """A keeper in a session of its own: it outlives whoever started it, unless that one ends it. It begins once the platform on ``port``
    answers, or should have: five processes that start beside it would double its own start."""
    try:
        return subprocess.Popen(
            [sys.executable, "-c", PATIENT.format(port=port), *words], stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise NotReady("watch.not_started", reason=error.strerror or "") from error
