"""Turns: writers of an SQLite database go in the order they came, short ones share a commit, and each stays whole or nothing."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as Waited

from trading.kernel import commit_queue, faults
from trading.kernel.commit_queue import turns_of
from trading.kernel.db import open_engine

pytestmark = pytest.mark.promise("R3")


class Line:
    """A database with one table, its commits counted, and people who write a word each, one behind the other."""

    def __init__(self, path: Path) -> None:
        self.engine = open_engine(f"sqlite:///{path}")
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE word (w TEXT UNIQUE)"))
        self.commits = 0
        event.listen(self.engine, "commit", lambda _connection: setattr(self, "commits", self.commits + 1))
        self.pool = ThreadPoolExecutor(16)

    def say(self, word: str, *, together: bool = True, after: Callable[[], object] | None = None) -> None:
        with turns_of(self.engine).turn(together=together) as connection:
            connection.execute(text("INSERT INTO word VALUES (:w)"), {"w": word})
            if after is not None:
                after()

    def behind(self, words: list[Callable[[], object]]) -> list[Future[object]]:
        """All of them queue in this order behind one who has the turn and leaves it when all stand in line."""
        gate, ready = threading.Event(), threading.Event()

        def hold() -> None:
            ready.set()
            gate.wait(10)

        found: list[Future[object]] = [self.pool.submit(lambda: self.say("first", after=hold))]
        assert ready.wait(10)
        for number, word in enumerate(words, start=1):
            found.append(self.pool.submit(word))
            while len(turns_of(self.engine)._waiting) < number:
                threading.Event().wait(0.001)
        gate.set()
        return found

    @property
    def words(self) -> list[str]:
        with self.engine.connect().execution_options(bidhall_readonly=True) as connection:
            return list(connection.scalars(text("SELECT w FROM word ORDER BY rowid")))


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setattr(commit_queue, "LONGEST_NS", 60 * 10**9)  # however slow the machine, who stands in line shares
    yield from _line(tmp_path)


@pytest.fixture
def line_on_disk() -> Iterator[Line]:
    """Whose commits take as long as a disk takes: in memory the one who writes is back before the other has woken."""
    with tempfile.TemporaryDirectory(prefix="bidhall-turns-", dir="/var/tmp") as folder:
        yield from _line(Path(folder))


def _line(folder: Path) -> Iterator[Line]:
    made = Line(folder / "turns.db")
    yield made
    made.pool.shutdown()
    made.engine.dispose()


def test_they_go_in_their_order_and_share_one_commit(line: Line) -> None:
    before = line.commits
    done = line.behind([lambda n=n: line.say(f"w{n}") for n in range(9)])  # type: ignore[misc]
    assert [one.result(10) for one in done] == [None] * 10
    assert line.words == ["first", *(f"w{n}" for n in range(9))]
    assert line.commits - before == 1


def test_nobody_leaves_before_the_commit_that_holds_all(line: Line) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        line.say("last", after=lambda: seen.append(line.words))

    done = line.behind([lambda: line.say("w1"), look])
    for one in done:
        one.result(10)
    assert seen == [[]]  # when the last one wrote, nothing of the first two was to be seen, and neither had been let go
    assert line.words == ["first", "w1", "last"]


def test_one_that_refuses_takes_nobody_along(line: Line) -> None:
    def refuse() -> None:
        def no() -> None:
            raise KeyError("no")

        line.say("refused", after=no)

    before = line.commits
    done = line.behind([lambda: line.say("w1"), refuse, lambda: line.say("w1"), lambda: line.say("w2")])
    with pytest.raises(KeyError):
        done[2].result(10)
    with pytest.raises(IntegrityError):
        done[3].result(10)
    for at in (0, 1, 4):
        done[at].result(10)
    assert line.words == ["first", "w1", "w2"]
    assert line.commits - before == 1


def test_a_commit_that_fails_has_failed_for_all(line: Line) -> None:
    faults.arm("turns.commit:EIO@1")
    try:
        done = line.behind([lambda: line.say("w1"), lambda: line.say("w2")])
        for one in done:
            with pytest.raises(OSError, match="turns.commit"):
                one.result(10)
    finally:
        faults.arm("")
    assert line.words == []
    line.say("later")
    assert line.words == ["later"]


@pytest.mark.promise("R6")
def test_what_sqlite_rolled_back_by_itself_is_not_taken_for_done(line: Line) -> None:
    """A full disk may end the transaction under our feet: the ones before are gone with it, and are told so."""

    def lose() -> None:
        with turns_of(line.engine).turn(together=True) as connection:
            connection.execute(text("INSERT INTO word VALUES ('lost')"))
            connection.connection.driver_connection.execute("ROLLBACK")  # type: ignore[union-attr]
            raise OSError("disk full")

    done = line.behind([lambda: line.say("w1"), lose, lambda: line.say("w2")])
    for at in (0, 1):
        with pytest.raises(OperationalError, match="no such savepoint"):
            done[at].result(10)
    with pytest.raises((OSError, OperationalError)):
        done[2].result(10)
    done[3].result(10)  # in a new transaction
    assert line.words == ["w2"]


def test_even_if_the_one_who_saw_it_says_nothing(line: Line) -> None:
    def lose_silently() -> None:
        with turns_of(line.engine).turn(together=True) as connection:
            connection.connection.driver_connection.execute("ROLLBACK")  # type: ignore[union-attr]

    done = line.behind([lose_silently, lambda: line.say("w1")])
    for at in (0, 1):
        with pytest.raises(OperationalError):
            done[at].result(10)
    done[2].result(10)
    assert line.words == ["w1"]


def test_a_long_one_shares_with_nobody(line: Line) -> None:
    before = line.commits
    done = line.behind([lambda: line.say("w1"), lambda: line.say("long", together=False), lambda: line.say("w2")])
    for one in done:
        one.result(10)
    assert line.words == ["first", "w1", "long", "w2"]
    assert line.commits - before == 3


def test_a_transaction_that_has_been_open_long_takes_nobody_in(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_queue, "LONGEST_NS", 0)
    before = line.commits
    for one in line.behind([lambda: line.say("w1"), lambda: line.say("w2")]):
        one.result(10)
    assert line.words == ["first", "w1", "w2"] and line.commits - before == 3


def test_so_many_share_and_no_more(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_queue, "MOST_TOGETHER", 3)
    before = line.commits
    for one in line.behind([lambda n=n: line.say(f"w{n}") for n in range(6)]):  # type: ignore[misc]
        one.result(10)
    assert line.commits - before == 3  # 3, 3 and 1


def test_who_gets_no_turn_is_told_and_blocks_nobody(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_queue, "PATIENCE_MS", 50)
    gate = threading.Event()
    first = line.pool.submit(lambda: line.say("first", after=lambda: gate.wait(10)))
    while not turns_of(line.engine)._taken:
        threading.Event().wait(0.001)
    with pytest.raises(Waited):
        line.say("impatient")
    gate.set()
    first.result(10)
    line.say("next")
    assert line.words == ["first", "next"]


def test_another_connection_that_writes_is_waited_for(line: Line) -> None:
    """The command line opens a database of its own, without our queue."""
    other = sqlite3.connect(str(line.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO word VALUES ('outside')")
    waiting = line.pool.submit(lambda: line.say("inside"))
    threading.Event().wait(0.05)
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    waiting.result(10)
    assert line.words == ["outside", "inside"]


def test_processes_take_turns(line_on_disk: Line) -> None:
    """Two processes write as fast as they can: neither is locked out, neither starves, every word is there."""
    line = line_on_disk
    path = str(line.engine.url.database)
    line.engine.dispose()
    children = []
    for name in "ab":
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                engine: Engine = open_engine(f"sqlite:///{path}")
                for number in range(150):
                    with turns_of(engine).turn(together=True) as connection:
                        connection.execute(text("INSERT INTO word VALUES (:w)"), {"w": f"{name}{number}"})
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
    words = line.words
    assert len(words) == 300
    changes = sum(1 for one, other in pairwise(words) if one[0] != other[0])
    assert changes > 60, f"{changes} changes of hand"


def test_who_is_interrupted_in_line_leaves_it(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a command: those behind go on."""
    gate, first = threading.Event(), threading.Event()

    def hold() -> None:
        first.set()
        gate.wait(10)

    done = line.pool.submit(lambda: line.say("first", after=hold))
    assert first.wait(10)
    wait = threading.Event.wait

    def interrupted(self: threading.Event, timeout: float | None = None) -> bool:
        if any(ticket is self for ticket, _ in turns_of(line.engine)._waiting):
            raise KeyboardInterrupt
        return wait(self, timeout)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            line.say("interrupted")
    assert not turns_of(line.engine)._waiting
    gate.set()
    done.result(10)
    line.say("next")
    assert line.words == ["first", "next"]
