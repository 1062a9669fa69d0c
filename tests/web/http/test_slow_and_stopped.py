"""A real server with 500 lines that say nothing or half of something, and with a worker that is stopped while it holds the writers' lock:
pages answer in two seconds, who hands in gets a receipt, and what was acknowledged is there (promises R1, R11)."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.service import Person, bidhall, signed_in
from bench.worlds import DATABASE, world_in
from tests.kit import sealing, stages
from tests.kit.world import World
from tests.web.http.test_edge import Client, linux, workers
from trading.bidding import bids, uploads
from web.cli.serve import STOPPED_SECONDS

SOON = 2.0


@contextmanager
def ready(folder: Path, count: int) -> Iterator[tuple[World, int, str, list[Client]]]:
    """A served lot ten minutes before its deadline; each bidder's file is here, and its submission about to be sent."""
    with world_in(folder, count) as world:
        ref = stages.bidding(world)
        with world.view("clock") as view:
            deadline = world.lot_in(view, ref).deadline
        assert deadline is not None
        made = {name: sealing.seal(world, ref, name) for name in world.bidders}
        world.clock.set(deadline - timedelta(minutes=20))
        tokens = {}
        for name, (sealed, _submission) in made.items():
            with world.work(name, sealing.SIGNER) as work:
                tokens[name] = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
            uploads.receive(world.office, world.actor(name, sealing.SIGNER), tokens[name], offset=0, pieces=[sealed])
        world.clock.set(deadline - timedelta(minutes=10))
        people: list[Person] = signed_in(world, folder, world.bidders)
        world.office.engine.dispose()
        with bidhall(world, folder, deadline - timedelta(minutes=10) - datetime.now(UTC)) as port:
            clients = [
                Client(port, person, ref, tokens[name], made[name][1])
                for name, person in zip(world.bidders, people, strict=True)
            ]
            yield world, port, ref, clients


def page(port: int, path: str = "/notices") -> float:
    """How long a page takes on a line of its own."""
    since = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        assert answer.status == 200 and answer.read()
    return time.monotonic() - since


def handed_in(client: Client) -> dict[str, Any]:
    """The answer to a submission, sent again as a client would if its line breaks."""
    for _ in range(5):
        try:
            client.send()
            return client.answer()
        except (OSError, AssertionError):
            time.sleep(0.5)
    raise AssertionError("no answer")


def standing(world: World, ref: str) -> set[str]:
    with world.view("clock") as view:
        return {bid.c for bid in bids.standing_bids(view.session, world.lot_in(view, ref))}


@linux
@pytest.mark.long
@pytest.mark.promise("R1")
def test_five_hundred_lines_that_say_nothing_or_half_leave_pages_and_submissions_alone(tmp_path: Path) -> None:
    halves = (
        b"",
        b"GET /notices HTT",
        b"GET /notices HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /account/acts/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nusername=",
        b"POST /bidder/lots/X-1/acts/submit HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\nupload=",
        b"PATCH /uploads/acts/00 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90000000\r\n\r\n",
    )
    with ready(tmp_path, 2) as (world, port, ref, clients):
        page(port)
        lines = []
        for at in range(500):
            one = socket.create_connection(("127.0.0.1", port), timeout=30)
            one.sendall(halves[at % len(halves)])
            lines.append(one)
        time.sleep(1)
        took = [page(port) for _ in range(20)]
        if max(took) >= SOON:  # a machine with much else to do: what the lines do would show again
            took = [page(port) for _ in range(20)]
        assert max(took) < SOON, took
        since = time.monotonic()
        answer = handed_in(clients[0])
        assert answer["accepted"] and time.monotonic() - since < SOON
        time.sleep(24)  # beyond the time for a head
        gone = 0
        for one in lines:
            one.settimeout(0.05)
            try:
                gone += one.recv(1) == b"" or True
            except TimeoutError:
                pass
            except OSError:
                gone += 1
        assert gone >= 400, "idle and half heads are given up"
        assert handed_in(clients[1])["accepted"] and max(page(port) for _ in range(5)) < SOON
        for one in lines:
            one.close()
        assert len(standing(world, ref)) == 2


def holder_of(path: Path) -> int:
    """The process that holds the lock on a file; 0 for nobody."""
    inode = str(path.stat().st_ino)
    for row in Path("/proc/locks").read_text().splitlines():
        fields = row.split()
        if "->" not in fields and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
            return int(fields[4])
    return 0


@linux
@pytest.mark.long
@pytest.mark.promise("R11")
def test_a_worker_stopped_with_the_writers_lock_is_killed_and_nobody_loses_anything(tmp_path: Path) -> None:
    with ready(tmp_path, 12) as (world, port, ref, clients):
        pids, door = workers(port), tmp_path / (DATABASE + "-turn")
        page(port)
        answers: list[dict[str, Any]] = []
        senders = [threading.Thread(target=lambda one=one: answers.append(handed_in(one))) for one in clients]
        stopped = 0
        for sender in senders[:6]:
            sender.start()
        end = time.monotonic() + 30
        while not stopped and time.monotonic() < end:
            pid = holder_of(door)
            if pid in pids:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.02)
                if holder_of(door) == pid:
                    stopped = pid
                else:
                    os.kill(pid, signal.SIGCONT)
            elif not any(one.is_alive() for one in senders[:6]):
                break
        assert stopped, "no worker was met with the lock"
        since = time.monotonic()
        for sender in senders[6:]:
            sender.start()
        took = []
        while time.monotonic() - since < STOPPED_SECONDS - 3:
            took.append(page(port))
            time.sleep(0.3)
        assert sorted(took)[-2] < SOON, (
            took
        )  # one may meet a machine with much else to do; who waits for the lock would be many
        assert holder_of(door) == stopped, "nobody took the lock from whom it belongs to"
        for sender in senders:
            sender.join(60)
        assert len(answers) == 12 and all(one["accepted"] for one in answers)
        assert time.monotonic() - since < STOPPED_SECONDS + 15
        assert stopped not in workers(port) and len(workers(port)) == 2
        assert standing(world, ref) == {one["c"] for one in answers}
