"""Numbered work on threads: the same answers in the same order as one after the other, and never too far ahead."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import workers


@settings(max_examples=60)
@given(count=st.integers(0, 40), ahead=st.integers(1, 9), threads=st.integers(1, 5), slow=st.sets(st.integers(0, 39)))
def test_in_order_whatever_takes_long(count: int, ahead: int, threads: int, slow: set[int]) -> None:
    consumed, lock = -1, threading.Lock()
    far: list[int] = []

    def work(i: int) -> int:
        with lock:
            if i > consumed + ahead:
                far.append(i)
        if i in slow:
            time.sleep(0.001)
        return i * i

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "THREADS", threads)
        got = []
        for i, value in enumerate(workers.in_order(work, count, ahead)):
            got.append(value)
            with lock:
                consumed = i
    assert got == [i * i for i in range(count)]
    assert not far, "a buffer is used again before what was in it has been consumed"


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_comes_in_its_turn_and_leaves_no_thread(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "THREADS", threads)
    before, got = threading.active_count(), []

    def work(i: int) -> int:
        if i == 7:
            raise ValueError(i)
        return i

    with pytest.raises(ValueError, match="7"):
        for value in workers.in_order(work, 40, 6):
            got.append(value)
    assert got == list(range(7)) and threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 4])
def test_one_who_stops_asking_leaves_no_thread(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "THREADS", threads)
    before = threading.active_count()
    begun: list[int] = []

    def work(i: int) -> int:
        begun.append(i)
        return i

    answers = workers.in_order(work, 1000, 8)
    assert [next(answers), next(answers)] == [0, 1]
    answers.close()
    assert threading.active_count() == before and len(begun) <= 2 + 8


def test_several_at_once_do_not_mix() -> None:
    def squares(base: int) -> list[int]:
        return list(workers.in_order(lambda i: base + i, 200, 5))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(squares, range(0, 6000, 1000))) == [list(range(b, b + 200)) for b in range(0, 6000, 1000)]
