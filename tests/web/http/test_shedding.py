"""Under more load than it can carry the platform puts pages off in the promised order, and who hands in does not notice (promises, C)."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.service import Line, bidhall, deliver, signed_in
from bench.worlds import world_in
from tests.kit import sealing
from trading.bidding import bids
from web.app import HEADERS, find_desks
from web.http import page_rules
from web.http.edge import RankedPool, rank_of
from web.http.shedding import STAGES, Load, Shedding, stage_of

PAGES = ("/savings", "/lots", "/feed.xml", "/account/sign-in")
"""One of each of four stages, in their order."""
PLACES = {
    "<ref>": "KP-2026-000001-1",
    "<int:number>": "7",
    "<path:topic>": "hall/x",
    "<c>": "A" * 43,
    "<token>": "0" * 48,
}
NEVER = (
    ("POST", "/bidder/lots/KP-2026-000001-1/acts/submit"), ("POST", "/bidder/lots/KP-2026-000001-1/acts/withdraw"),
    ("POST", "/bidder/lots/KP-2026-000001-1/acts/prove-attempt"), ("POST", "/uploads/acts"), ("PATCH", "/uploads/acts/00"),
    ("GET", "/bidder/lots/KP-2026-000001-1/seal"), ("GET", "/bidder/lots/KP-2026-000001-1/withdraw"), ("GET", "/bidder/receipts"),
    ("POST", "/bidder/lots/KP-2026-000001-1/acts/take-part"), ("GET", "/log/checkpoint"), ("GET", "/time"), ("GET", "/"),
    ("GET", "/hall/KP-2026-000001-1"), ("POST", "/hall/KP-2026-000001-1/acts/release"), ("POST", "/probe/acts"), ("GET", "/status"),
    ("GET", "/lots/KP-2026-000001-1"), ("GET", "/lots/KP-2026-000001-1/ticket.json"), ("GET", "/static/css/base.css"),
)  # fmt: skip


class Held(Load):
    """A load that is what the test says."""

    def __init__(self, ms: int) -> None:
        super().__init__()
        self.ms = ms

    def age_ms(self) -> int:
        return self.ms


def asked(ms: int, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    told: list[Any] = []

    def inner(_environ: object, start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"served"]

    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, **{f"HTTP_{k.upper()}": v for k, v in headers.items()}}
    body = b"".join(
        Shedding(inner, HEADERS, Held(ms))(environ, lambda status, lines: told.extend((int(status[:3]), dict(lines))))
    )
    return told[0], told[1], body.decode()


# --- the order --------------------------------------------------------------------------------------------------------


def test_the_order_is_that_of_the_promise() -> None:
    assert [stage.name for stage in STAGES] == ["reports", "search", "feed", "questions", "documents", "sign-in"]
    assert [stage.from_ms for stage in STAGES] == sorted({stage.from_ms for stage in STAGES})
    one_of_each = (
        ("GET", "/savings"),
        ("GET", "/lots"),
        ("GET", "/feed.xml"),
        ("POST", "/bidder/lots/X-1/acts/ask"),
        ("GET", "/lots/X-1/documents/7"),
        ("POST", "/account/acts/sign-in"),
    )
    for ms in range(0, 6000, 100):
        shed = [asked(ms, *one)[0] == 503 for one in one_of_each]
        assert shed == [ms >= stage.from_ms for stage in STAGES]
        assert not any(shed[i + 1] and not shed[i] for i in range(5))


@pytest.mark.promise("R1")
@pytest.mark.parametrize(("method", "path"), NEVER)
def test_what_a_deadline_depends_on_is_never_put_off(method: str, path: str) -> None:
    assert asked(10**9, method, path) == (200, {}, "served")


def test_every_stage_has_pages_and_no_urgent_page_has_a_stage() -> None:
    find_desks()
    found: Counter[str] = Counter()
    for rule in page_rules.PAGES.values():
        path = re.sub(r"<[^>]+>", lambda m: PLACES.get(m[0], "7"), rule.path)
        stage = stage_of(rule.method, path)
        if stage is not None:
            found[stage.name] += 1
            assert rank_of(f"{rule.method} {path} HTTP/1.1".encode()) >= 2, rule.path
    assert set(found) == {stage.name for stage in STAGES}, found


# --- what is told -----------------------------------------------------------------------------------------------------


def test_the_page_is_calm_in_both_languages_and_comes_back_by_itself() -> None:
    status, headers, page = asked(4000, "GET", "/account/sign-in", accept="text/html")
    assert status == 503 and headers["Retry-After"] == "20" and headers["Cache-Control"] == "no-store"
    assert headers.items() >= HEADERS.items()
    assert (
        "请过 20 秒再打开" in page
        and "open it again in 20 seconds" in page
        and '<meta http-equiv="refresh" content="20">' in page
    )
    assert not re.search(r"<style|<script|\sstyle=|\son[a-z]+=", page)
    assert asked(4000, "GET", "/account/sign-in", accept="text/html") == asked(
        10**6, "GET", "/account/sign-in", accept="text/html"
    )


def test_a_form_is_not_sent_again_by_itself_and_programs_get_json() -> None:
    assert "refresh" not in asked(4000, "POST", "/account/acts/sign-in", accept="text/html")[2]
    assert asked(4000, "HEAD", "/savings")[2] == ""
    status, headers, body = asked(500, "GET", "/savings", accept="application/json")
    assert (status, headers["Content-Type"], json.loads(body)["code"]) == (503, "application/json", "platform.shed")


# --- the load ---------------------------------------------------------------------------------------------------------


class Conn:
    def __init__(self, first: bytes) -> None:
        self.first, self.sock = first, self

    def peek(self) -> bytes:
        return self.first


def test_the_load_is_how_long_requests_wait_and_others_never_take_all_threads() -> None:
    load, gate_ = Load(), threading.Event()
    running: list[Conn] = []

    def page(conn: Conn) -> bool:
        running.append(conn)
        return gate_.wait(10)

    pool = RankedPool(6, 1, others=2, load=load)
    assert load.age_ms() == 0
    pages = [pool.submit(page, Conn(b"GET /a ")) for _ in range(4)]
    stream = pool.submit(lambda _conn: "live", Conn(b"GET /live/hall/X "))
    assert stream.result(5) == "live"
    assert pool.submit(lambda _conn: "up", Conn(b"PATCH /uploads/acts/1 ")).result(5) == "up"
    assert pool.submit(lambda _conn: "in", Conn(b"POST /bidder/lots/X/acts/submit ")).result(5) == "in"
    time.sleep(0.3)
    assert len(running) == 2 and 250 <= load.age_ms() < 5000
    gate_.set()
    for one in pages:
        one.result(5)
    assert len(running) == 4 and load.age_ms() >= 250  # it is remembered for a while
    pool.shutdown()


# --- ten times as much as it can ----------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.promise("R1")
def test_ten_times_the_load_is_put_off_in_order_while_all_who_hand_in_get_their_receipt(tmp_path: Path) -> None:
    folder = tmp_path / "hall"
    with world_in(folder, 12) as world:
        ref = world.lot("BIDDING")
        world.take_part(ref)
        sealing.open_for_bids(world, ref)
        sealed = [sealing.seal(world, ref, name, data=b"offer " * 20_000) for name in world.bidders]
        for number, (data, _submission) in enumerate(sealed):
            (tmp_path / f"bid-{number}").write_bytes(data)
        people = signed_in(world, folder, world.bidders)
        world.office.engine.dispose()
        shift = world.now - datetime.now(UTC) + timedelta(seconds=1)
        with bidhall(world, folder, shift) as port:
            answers, delivered = asyncio.run(
                _rush(port, ref, people, tmp_path, [json.dumps(submission) for _data, submission in sealed])
            )
        with world.view("clock") as view:
            standing = bids.standing_bids(view.session, world.lot_in(view, ref))
    assert all(one.accepted for one in delivered), [one.reason for one in delivered if not one.accepted]
    assert len(standing) == len(delivered) == 12
    assert max(one.seconds for one in delivered) < 10
    assert {status for _path, status in answers} == {200, 503}

    def share(page: str) -> float:
        told = [status for path, status in answers if path == page]
        return told.count(503) / max(1, len(told))

    shares = [share(page) for page in PAGES]
    assert shares[0] > 0.3, shares
    assert all(one + 0.1 >= other for one, other in pairwise(shares)), shares


async def _rush(
    port: int, ref: str, people: list[Any], folder: Path, submissions: list[str]
) -> tuple[list[tuple[str, int]], list[Any]]:
    """Readers far beyond what two workers can serve, each asking again and again, and bidders who come while they do."""
    answers: list[tuple[str, int]] = []
    ends = time.time() + 12

    async def reader(path: str) -> None:
        line = None
        while time.time() < ends:
            line = line or await Line.open(port)
            status, headers, _body = await line.ask("GET", path, Accept="text/html")
            answers.append((path, status))
            if headers.get("connection") == "close":
                line.close()
                line = None
        if line is not None:
            line.close()

    async def hand_in() -> list[Any]:
        await asyncio.sleep(3)
        return await asyncio.gather(
            *(
                deliver(port, person, ref, folder / f"bid-{number}", submission, due=time.time() + number / 4)
                for number, (person, submission) in enumerate(zip(people, submissions, strict=True))
            )
        )

    *_, delivered = await asyncio.gather(*(reader(PAGES[n % 4]) for n in range(240)), hand_in())
    assert delivered is not None
    return answers, delivered
