"""PDFs are set by processes of their own: started anew, never forked, kept for a while, each job within a time limit.

The setter's threads do not survive a fork: in a worker forked from a server that had set a paper a second one never came back. So no
process of the platform sets anything itself. At most CHILDREN jobs run at once in a process of ours; whoever finds no place in
TURN_SECONDS, and whoever waits SECONDS for the paper, is told so (``paper.busy``, ``paper.slow``), and a child that was too slow is ended.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import logging
import os
import selectors
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime
from typing import Any

from trading.kernel.errors import NotReady

CHILDREN = 2
TURN_SECONDS = 15.0
SECONDS = 30.0
MOST_BYTES = 64 << 20
COMMAND = [sys.executable, "-I", "-B", "-m", "web.papers.typesetter_child"]
log = logging.getLogger("bidhall.papers")


def can_set() -> bool:
    """Whether the setter is installed."""
    return importlib.util.find_spec("typst") is not None


class _Gone(Exception):
    """The child ended before it answered."""


class Child:
    """One setter at the other end of two pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )

    def ask(self, job: bytes, until: float) -> bytes:
        """Raises: _Gone; NotReady ``paper.slow``, ``paper.failed``."""
        assert self._process.stdin is not None and self._process.stdout is not None
        to, source = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(to, False)
        rest, data = memoryview(struct.pack(">I", len(job)) + job), bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(to, selectors.EVENT_WRITE)
            ready.register(source, selectors.EVENT_READ)
            while len(data) < 5 or len(data) < 5 + struct.unpack(">I", data[1:5])[0]:
                found = ready.select(max(0.0, until - time.monotonic()))
                if not found:
                    raise NotReady("paper.slow", seconds=int(SECONDS))
                for key, _events in found:
                    if key.fd == source:
                        if not (piece := os.read(source, 1 << 20)):
                            raise _Gone
                        data += piece
                        if len(data) > MOST_BYTES:
                            raise NotReady("paper.failed")
                    else:
                        try:
                            rest = rest[os.write(to, rest) :]
                        except BrokenPipeError as error:
                            raise _Gone from error
                        if not rest:
                            ready.unregister(to)
        if data[:1] != b"P":
            log.error("a paper could not be set: %s", bytes(data[5:]).decode("utf-8", "replace"))
            raise NotReady("paper.failed")
        return bytes(data[5:])

    def close(self) -> None:
        """The pipes of this process only: the child ends when it reads the end of its input."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def end(self) -> None:
        self._process.kill()
        self.close()
        self._process.wait()

    def disown(self) -> None:
        """In a fork: the child belongs to the process that started it."""
        self.close()
        self._process.returncode = 0


class Typesetter:
    """The children of this process."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(CHILDREN)
        self._idle: list[Child] = []

    def compile(self, template: str, data: Any, *, at: datetime | None, standard: str = "", mark: str = "") -> bytes:
        """``mark``: a watermark for every page. Refuses: NotReady ``paper.busy``, ``paper.slow``, ``paper.failed``."""
        job = json.dumps(
            {
                "template": template,
                "data": data,
                "standard": standard,
                "mark": mark,
                "at": at.isoformat() if at else None,
            },
            ensure_ascii=False,
        ).encode()
        if not self._places.acquire(timeout=TURN_SECONDS):
            raise NotReady("paper.busy")
        try:
            return self._compile(job, time.monotonic() + SECONDS)
        finally:
            self._places.release()

    def _compile(self, job: bytes, until: float) -> bytes:
        kept = self._idle.pop() if self._idle else None
        if kept is not None:
            with suppress(_Gone):  # it had nothing to do and ended: another is started
                return self._ask(kept, job, until)
        try:
            return self._ask(Child(), job, until)
        except (_Gone, OSError) as error:
            log.error("the setter of papers ended: %s", type(error).__name__)
            raise NotReady("paper.failed") from error

    def _ask(self, child: Child, job: bytes, until: float) -> bytes:
        try:
            made = child.ask(job, until)
        except BaseException:
            child.end()
            raise
        self._idle.append(child)
        return made

    def close(self) -> None:
        while self._idle:
            self._idle.pop().end()

    def after_fork(self) -> None:
        """The fork has children of its own, and starts none before it needs one."""
        idle, self._idle, self._places = self._idle, [], threading.BoundedSemaphore(CHILDREN)
        for child in idle:
            child.disown()


SETTER = Typesetter()
os.register_at_fork(after_in_child=SETTER.after_fork)
atexit.register(SETTER.close)
