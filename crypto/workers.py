"""Work on numbered pieces on threads, results in order: hashing, encrypting, reading and writing release the interpreter's lock.

`in_order` where a piece can be got at by its number, `Workers` where pieces come one after the other from a stream.
"""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
THREADS = min(os.cpu_count() or 1, 4)
_IN_FLIGHT = 6


def in_order(work: Callable[[int], R], count: int, ahead: int) -> Generator[R, None, None]:
    """What ``work`` gives for 0 … count-1, in order; it is begun for none more than ``ahead`` before the one that is consumed.

    Whoever iterates works too where it would have to wait, so that there are as many threads as cores, and all of them busy.
    """
    todo: SimpleQueue[int | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, R | Exception]] = SimpleQueue()

    def step(i: int) -> tuple[int, R | Exception]:
        try:
            return i, work(i)
        except Exception as error:
            return i, error

    def help_out() -> None:
        while (i := todo.get()) is not None:
            done.put(step(i))

    def next_done() -> tuple[int, R | Exception]:
        with contextlib.suppress(Empty):
            return done.get_nowait()
        try:
            i = todo.get_nowait()
        except Empty:
            return done.get()
        assert i is not None  # those are for helpers, at the end
        return step(i)

    helpers: list[threading.Thread] = []
    try:
        for i in range(min(ahead, count)):
            todo.put(i)
        for _ in range(min(THREADS, count) - 1):
            helper = threading.Thread(target=help_out)
            helper.start()
            helpers.append(helper)
        found: dict[int, R | Exception] = {}
        for i in range(count):
            while i not in found:
                at, value = next_done()
                found[at] = value
            value = found.pop(i)
            if isinstance(value, Exception):
                raise value
            yield value
            if i + ahead < count:
                todo.put(i + ahead)
    finally:
        with contextlib.suppress(Empty):
            while True:
                todo.get_nowait()
        for _ in helpers:
            todo.put(None)
        for helper in helpers:
            helper.join()


class Workers:
    """Runs a function over numbered pieces on threads, a few in flight, results in order; inline for small files."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(THREADS) if count > 2 and THREADS > 1 else None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, work: Callable[[int, T], R], pieces: Iterator[T]) -> Iterator[tuple[T, R]]:
        if self._pool is None:
            for i, piece in enumerate(pieces):
                yield piece, work(i, piece)
            return
        queue: deque[tuple[T, Future[R]]] = deque()
        for i, piece in enumerate(pieces):
            queue.append((piece, self._pool.submit(work, i, piece)))
            if len(queue) >= _IN_FLIGHT:
                done, future = queue.popleft()
                yield done, future.result()
        while queue:
            done, future = queue.popleft()
            yield done, future.result()
