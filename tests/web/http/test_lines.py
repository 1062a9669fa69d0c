"""Lines of the edge: a thread only for what is here, nothing past a request's end, and an end for who is slow (promise R1)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.web.http.test_edge import pair
from web.http import lines
from web.http.edge import EACH, FLOWING, OTHERS, RankedPool
from web.http.lines import HEAD_MOST, SMALL, StampedSocket, seconds_for
from web.http.shedding import Load

POST = b"POST /account/acts/sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def line() -> Iterator[tuple[StampedSocket, socket.socket]]:
    ours, theirs = pair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def gathered(ours: StampedSocket, seconds: float = 2) -> bool:
    """Whether a request is here, once what was sent has arrived."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ours.gather():
            return True
        time.sleep(0.005)
    return False


@pytest.mark.promise("R1")
def test_a_request_is_whole_when_its_last_byte_is_here() -> None:
    with line() as (ours, theirs):
        theirs.sendall(POST % 10 + b"123456789")
        assert not gathered(ours, 0.1) and ours.length == 10
        theirs.sendall(b"0GET /next HTTP/1.1\r\n")
        assert gathered(ours) and not ours.flows and ours.peek().startswith(b"POST /account")
        said = ours.recv(70_000)
        assert said.endswith(b"1234567890") and ours.recv(10) == b"", "what follows waits its own turn"
        ours.begins()
        assert not gathered(ours, 0.1)
        theirs.sendall(b"Host: x\r\n\r\n")
        assert gathered(ours) and ours.recv(70_000) == b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


def test_byte_by_byte_it_is_the_same() -> None:
    request = b"\r\n" + POST % 3 + b"abc"
    with line() as (ours, theirs):
        for at in range(len(request)):
            assert not ours.gather()
            theirs.sendall(request[at : at + 1])
            time.sleep(0.001)
        assert gathered(ours) and ours.recv(70_000) == request[2:]


def test_large_bodies_flow_and_what_has_no_measure_is_refused() -> None:
    with line() as (ours, theirs):
        theirs.sendall(POST % (SMALL + 1) + b"begins")
        assert gathered(ours) and ours.flows
    with line() as (ours, theirs):
        theirs.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (HEAD_MOST + 1))
        assert gathered(ours) and ours.refused.startswith(b"431")
    with line() as (ours, theirs):
        theirs.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert gathered(ours) and ours.refused.startswith(b"411")
    with line() as (ours, theirs):
        theirs.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert gathered(ours) and ours.flows
    with line() as (ours, theirs):
        theirs.sendall(b"POST")
        theirs.close()
        assert not gathered(ours, 0.1) and ours.ended


def test_a_moment_for_each_request() -> None:
    assert seconds_for(None) == lines.HEAD_SECONDS < seconds_for(SMALL) < 90


@pytest.mark.promise("R1")
def test_who_sends_or_reads_too_slowly_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(lines, "GRACE_SECONDS", 0.5)
    with line() as (ours, theirs):
        theirs.sendall(POST % (SMALL + 1))
        assert gathered(ours)
        ours.setblocking(True)
        ours.recv(8192)
        with pytest.raises(ConnectionResetError):  # nothing comes
            ours.recv(8192)
    with line() as (ours, theirs):
        theirs.sendall(POST % (SMALL + 1))
        assert gathered(ours)
        ours.setblocking(True)
        ours.recv(8192)
        stop = threading.Event()
        trickle = threading.Thread(target=lambda: [theirs.send(b"x") for _ in range(50) if not stop.wait(0.05)])
        trickle.start()
        with pytest.raises(ConnectionResetError):  # a byte at a time
            for _ in range(50):
                ours.recv(8192)
        stop.set()
        trickle.join()
    with line() as (ours, _theirs):
        ours.setblocking(True)
        with pytest.raises(ConnectionResetError):
            ours.sendall(b"x" * (32 << 20))


def test_an_answer_of_any_size_arrives_whole(tmp_path: Any) -> None:
    data = bytes(range(256)) * 8000
    (tmp_path / "file").write_bytes(data)
    for send in ("sendall", "sendfile"):
        with line() as (ours, theirs):
            ours.setblocking(True)

            def answer(ours: StampedSocket = ours, send: str = send) -> None:
                if send == "sendall":
                    ours.sendall(data)
                else:
                    with (tmp_path / "file").open("rb") as file:
                        assert ours.sendfile(file, 5, len(data) - 5) == len(data) - 5
                ours.shutdown(socket.SHUT_WR)

            writer = threading.Thread(target=answer)
            writer.start()
            said = b""
            while piece := theirs.recv(1 << 16):
                said += piece
            writer.join()
            assert said == data[0 if send == "sendall" else 5 :]


class Asker:
    """A connection in the pool's eyes: whose it is, its first line, whether its bytes are still coming."""

    def __init__(self, address: str, first: bytes = b"GET / ", flows: bool = False) -> None:
        self.address, self.first, self.flows, self.sock = address, first, flows, self

    def peek(self) -> bytes:
        return self.first


@pytest.mark.promise("R1")
def test_one_address_has_its_part_and_leaves_others_theirs() -> None:
    load = Load()
    pool, gate = RankedPool(64, 8, load=load), threading.Event()
    greedy = [pool.submit(lambda _conn: gate.wait(10), Asker("198.51.100.7")) for _ in range(60)]
    time.sleep(0.7)
    assert sum(one.running() for one in greedy) == EACH[OTHERS]
    assert load.age_ms() < 500, "nobody is put off for what one address asks"
    assert pool.submit(lambda _conn: "page", Asker("203.0.113.9")).result(2) == "page"
    gate.set()
    for one in greedy:
        one.result(10)
    pool.shutdown()


@pytest.mark.promise("R1")
def test_bodies_that_flow_leave_threads_for_pages_and_for_who_hands_in() -> None:
    pool, gate = RankedPool(64, 8, load=Load()), threading.Event()
    slow = [
        pool.submit(lambda _conn: gate.wait(10), Asker(f"198.51.100.{at}", b"PATCH /uploads/acts/1 ", flows=True))
        for at in range(100)
    ]
    time.sleep(0.3)
    assert sum(one.running() for one in slow) == FLOWING
    assert pool.submit(lambda _conn: "page", Asker("203.0.113.9")).result(2) == "page"
    assert pool.submit(lambda _conn: "bid", Asker("203.0.113.9", b"POST /x/acts/submit ")).result(2) == "bid"
    gate.set()
    for one in slow:
        one.result(10)
    pool.shutdown()
