"""The edge: the last byte's moment as the kernel saw it, who goes first, and a real server stalled round a deadline (promise R2)."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sqlite3
import threading
import time
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.service import AGENT, Person, bidhall, signed_in
from bench.worlds import DATABASE, world_in
from crypto.signatures import payload_of
from tests.kit import sealing, stages
from tests.kit.world import World
from trading.bidding import bids, uploads
from trading.kernel.clock import Machine, SetClock, Span, parse_moment, steady_ns
from trading.kernel.errors import NotReady
from trading.kernel.system_clock import Kept, SystemClock
from web.http.arrivals import Stamped, arrived_at
from web.http.edge import RankedPool, rank_of
from web.http.lines import StampedSocket, stamping
from web.settings import read_settings

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)


def pair() -> tuple[StampedSocket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        stamping(door)
        client = socket.create_connection(door.getsockname())
        accepted, _address = door.accept()
    return StampedSocket.over(accepted), client


linux = pytest.mark.skipif(not hasattr(socket, "MSG_ERRQUEUE"), reason="time stamps of the kernel are Linux's")


# --- the stamp --------------------------------------------------------------------------------------------------------


@linux
@pytest.mark.promise("R2")
def test_the_kernel_knows_when_the_last_byte_came_however_late_it_is_read() -> None:
    line, client = pair()
    with line, client:
        client.sendall(b"first half, ")
        time.sleep(0.4)
        client.sendall(b"second half")
        time.sleep(0.5)
        read = b""
        while len(read) < 23:
            read += line.recv(4)
        ago = (NOW - arrived_at({"gunicorn.socket": line}, SetClock(NOW)).moment).total_seconds()
        assert read == b"first half, second half" and 0.5 <= ago < 0.85


def test_without_a_stamped_line_the_moment_is_that_of_reading() -> None:
    line, client = pair()
    with line, client:
        assert arrived_at({"gunicorn.socket": line}, SetClock(NOW)) == Span.at(NOW)  # nothing read yet
    assert arrived_at({}, SetClock(NOW)) == Span.at(NOW)
    assert arrived_at({"gunicorn.socket": client}, SetClock(NOW)) == Span.at(NOW)


def test_a_header_counts_only_where_the_settings_name_it_and_never_in_the_future() -> None:
    def told(value: str, header: str = "X-Arrived-At") -> timedelta:
        return NOW - arrived_at({"HTTP_X_ARRIVED_AT": value}, SetClock(NOW), header).moment

    stamp = f"{int(time.time()) - 20}.000"
    assert timedelta(seconds=20) <= told(stamp) < timedelta(seconds=26)
    assert told(stamp, header="") == timedelta(0)
    for value in (f"{time.time() + 500:.3f}", "", "soon", "-5", "1e9", "nan", "1.2.3", "٣", "9" * 30):
        assert told(value) == timedelta(0), value


class Jumping(Machine):
    """This machine, its wall clock off by so many nanoseconds."""

    off = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.off


@pytest.mark.promise("R7")
def test_a_stamp_of_a_wall_clock_that_jumped_says_no_more_than_between_which_moments_it_came() -> None:
    machine = Jumping()
    present = SystemClock(Kept(), machine)
    second = timedelta(seconds=1)

    def came(off_then: int, heard: int = 2, read: int = 1) -> tuple[float, ...]:
        """Seconds from now to each of what is said, of bytes that came ``heard`` seconds ago while the clock was so much off."""
        wall, steady = time.time_ns(), steady_ns()
        line = Stamped(steady - heard * 10**9, steady - read * 10**9, wall - heard * 10**9 + off_then)
        return tuple(round((one - present.now()) / second) for one in arrived_at({"gunicorn.socket": line}, present))

    assert came(0) == (-2, -2, -2)
    machine.off = 720 * 10**9
    assert came(0) == (-1, -2, 719)  # the stamp was right; as one reads it, the clock is not
    machine.off = 0
    assert came(machine.off) == (-1, -2, -1)  # right again: it was read a second ago at the latest
    assert came(720 * 10**9) == (-1, -1, -1)  # stamped in the future: no more is known than when it was read
    assert came(-720 * 10**9) == (-1, -722, -1)
    time.sleep(0.01)
    fresh = Stamped(steady_ns(), steady_ns(), time.time_ns())
    assert len(set(arrived_at({"gunicorn.socket": fresh}, present))) == 1


def test_a_header_without_a_trusted_proxy_is_no_setting() -> None:
    named = {"BIDHALL_ARRIVAL_HEADER": "X-Arrived-At"}
    assert read_settings({**named, "BIDHALL_PROXIES": "1"}).arrival_header == "X-Arrived-At"
    for wrong in (
        named,
        {**named, "BIDHALL_PROXIES": "0"},
        {"BIDHALL_ARRIVAL_HEADER": "not a header", "BIDHALL_PROXIES": "1"},
    ):
        with pytest.raises(NotReady, match="settings.value"):
            read_settings(wrong)


# --- who goes first ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "rank"), [
    (b"POST /bidder/lots/X-1/acts/submit HTTP/1.1\r\n", 0), (b"POST /bidder/lots/X-1/acts/withdraw HTTP/1.1\r\n", 0),
    (b"GET /bidder/receipts/abc?lang=en HTTP/1.1\r\n", 0), (b"GET /time HTTP/1.1\r\n", 0),
    (b"PATCH /uploads/acts/00 HTTP/1.1\r\n", 1), (b"POST /uploads/acts HTTP/1.1\r\n", 1),
    (b"GET /bidder/lots/X-1/acts/submit HTTP/1.1\r\n", 2), (b"GET /savings?x=/acts/submit HTTP/1.1\r\n", 2), (b"", 2), (b"\xff\xfe", 2),
])  # fmt: skip
def test_the_rank_of_a_request(line: bytes, rank: int) -> None:
    assert rank_of(line) == rank


class Line:
    """A connection in the pool's eyes: what its first line is."""

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.sock = self

    def peek(self) -> bytes:
        return self.first


def test_who_hands_in_goes_before_all_who_wait_and_finds_a_thread_when_uploads_hold_the_others() -> None:
    pool, gate, order = RankedPool(2, 1), threading.Event(), []
    held = pool.submit(lambda _conn: gate.wait(10), Line(b"PATCH /uploads/acts/1 "))
    while not held.running():
        time.sleep(0.001)
    others = (b"GET /a ", b"PATCH /uploads/acts/2 ", b"GET /b ")
    later = [pool.submit(lambda conn: order.append(conn.first), Line(first)) for first in others]
    assert pool.submit(lambda _conn: "signed", Line(b"POST /bidder/lots/X/acts/submit ")).result(5) == "signed"
    assert not any(one.done() for one in later)  # the one thread for them is held
    gate.set()
    for one in later:
        one.result(5)
    assert order == [b"PATCH /uploads/acts/2 ", b"GET /a ", b"GET /b "]
    failed = pool.submit(lambda _conn: 1 // 0, Line(b"GET /time "))
    with pytest.raises(ZeroDivisionError):
        failed.result(5)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(lambda _conn: None, Line(b""))


# --- a real server, stalled -------------------------------------------------------------------------------------------


class Client:
    """One bidder's submission over one connection, sent when told, its answer read later."""

    def __init__(self, port: int, person: Person, ref: str, token: str, submission: Any) -> None:
        form = {
            "csrf_token": person.csrf,
            "form_id": secrets.token_urlsafe(16),
            "upload": token,
            "submission": json.dumps(submission),
        }
        body = urllib.parse.urlencode(form).encode()
        self.request = b"\r\n".join(
            [
                f"POST /bidder/lots/{ref}/acts/submit HTTP/1.1".encode(),
                b"Host: 127.0.0.1",
                f"User-Agent: {AGENT}".encode(),
                b"Accept: application/json",
                b"Content-Type: application/x-www-form-urlencoded",
                b"Connection: close",
                f"Cookie: {person.cookie}".encode(),
                f"Content-Length: {len(body)}".encode(),
                b"",
                body,
            ]
        )
        self.port = port

    def send(self, but: int = 0) -> None:
        """All of it, but for so many bytes at its end."""
        self.line = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.line.sendall(self.request[: len(self.request) - but])

    def answer(self) -> dict[str, Any]:
        said = b""
        while piece := self.line.recv(65536):
            said += piece
        self.line.close()
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), said[:2000]
        found: dict[str, Any] = json.loads(body)
        return found


def workers(port: int) -> list[int]:
    """The processes that listen on a port, but for the one that started them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    doors = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if any(os.readlink(fd) in doors for fd in (entry / "fd").iterdir()):
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return [pid for pid, parent in parents.items() if parent in parents]


def stalled(
    folder: Path,
    world: World,
    deadline: datetime,
    window: float,
    people: list[Person],
    ref: str,
    tokens: dict[str, str],
    submissions: dict[str, Any],
) -> list[dict[str, Any]]:
    """The answers to the four, T being ``window`` seconds away as the server starts; none if it took longer to start."""
    shift = deadline - timedelta(seconds=window) - datetime.now(UTC)
    ends = (deadline - shift).timestamp()

    def wait_until(second: float) -> None:
        time.sleep(max(0.0, ends + second - time.time()))

    with bidhall(world, folder, shift) as port:
        if time.time() > ends - 4:
            return []
        locked, stopped, cut, late = (
            Client(port, person, ref, tokens[name], submissions[name])
            for name, person in zip(world.bidders, people, strict=True)
        )
        pids = workers(port)
        assert len(pids) == 2
        wait_until(-2.9)
        database = sqlite3.connect(folder / DATABASE, isolation_level=None)
        database.execute("BEGIN IMMEDIATE")
        locked.send()
        wait_until(-0.9)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            stopped.send()
            cut.send(but=1)
            wait_until(0.2)
            cut.line.sendall(cut.request[-1:])
            late.send()
            wait_until(3)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            database.execute("ROLLBACK")
            database.close()
        return [client.answer() for client in (locked, stopped, cut, late)]


@linux
@pytest.mark.long
@pytest.mark.promise("R2")
def test_a_server_that_stalls_over_the_deadline_takes_what_came_before_it_and_nothing_else(tmp_path: Path) -> None:
    """Before T: one waits for the database, one for a worker that is stopped. After T: the last byte only, or all. Read at T + 3 s."""
    with world_in(tmp_path, 4) as world:
        ref = stages.bidding(world)
        with world.view("clock") as view:
            deadline = world.lot_in(view, ref).deadline
        assert deadline is not None
        made = {name: sealing.seal(world, ref, name) for name in world.bidders}
        world.clock.set(deadline - timedelta(minutes=2))
        tokens = {}
        for name, (sealed, _submission) in made.items():
            with world.work(name, sealing.SIGNER) as work:
                tokens[name] = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
            assert uploads.receive(
                world.office, world.actor(name, sealing.SIGNER), tokens[name], offset=0, pieces=[sealed]
            ).whole
        people = signed_in(world, tmp_path, world.bidders)
        world.office.engine.dispose()
        answers = next(
            found
            for window in (20.0, 60.0, 120.0)
            if (
                found := stalled(
                    tmp_path, world, deadline, window, people, ref, tokens, {name: one[1] for name, one in made.items()}
                )
            )
        )
        assert [(one["accepted"], one["reason"]) for one in answers] == [
            (True, ""),
            (True, ""),
            (False, "LATE"),
            (False, "LATE"),
        ]
        with world.view("clock") as view:
            rows = {row.c: row for row in view.session.query(bids.BidReceipt)}
            standing = {bid.c for bid in bids.standing_bids(view.session, world.lot_in(view, ref))}
        moments = [rows[one["c"]].at for one in answers]
        assert (
            moments[:2] == [deadline - timedelta(seconds=3), deadline - timedelta(seconds=1)]
            and min(moments[2:]) >= deadline
        )
        assert standing == {one["c"] for one in answers[:2]}
        for one in answers:
            entry = json.loads(payload_of(json.loads(rows[one["c"]].entry)))
            assert parse_moment(entry["at"]) == rows[one["c"]].at
