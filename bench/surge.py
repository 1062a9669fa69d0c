"""The last minute before a deadline: many bidders hand in at once, in an open loop, half of them in the last quarter.

The whole service (two workers, SQLite, every commit synced) shares the cores of the machine with the clients. A receipt's time runs from
the moment a bidder was due to arrive: announcement, upload of 256 KiB, submission, receipt. Some hand in late on purpose. Afterwards the
database and the store are asked: every receipt's bid must stand there, whole, on the closing list, and no late one.

Sustained submissions are measured in a closed loop of 16 clients, against an endpoint under the same server that only writes and syncs.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.race import Row, row, workshop
from bench.service import Delivery, Person, bare, bidhall, cpu_seconds, deliver, floor, post_bare, signed_in
from bench.worlds import disk, world_in
from crypto import sealed_bid, submissions
from crypto.canonical import format_time
from crypto.documents import sign_document
from trading import timeline
from trading.bidding import bids, closing

if TYPE_CHECKING:
    from tests.kit.world import World

SIZE = 256 << 10
CLIENTS = 16
LATE_SHARE = 20
"""One bidder in so many uploads in time and submits after the deadline."""
MARGIN_S = 1.0
"""The last arrival stands so long before the deadline."""
BOOT_S = 40.0
GOAL_P99_S = 2.0


def run(quick: bool) -> list[Row]:
    if quick:
        return at(40, 8.0, 20)
    return [*at(500, 60.0, 150), *at(2000, 60.0, 150)]


def at(bidders: int, span: float, steady: int, url: str = "") -> list[Row]:
    """A surge of so many over so many seconds, then so many bids without pause; in the database at ``url``, else SQLite."""
    with disk() as folder, workshop() as shop, world_in(folder, bidders, url) as world:
        surge = _lot(world)
        sustained = _lot(world, later=timedelta(days=1))
        _past_ticks(world, surge)
        files = {ref: _sealed(world, ref, names, shop) for ref, names in
                 ((surge, world.bidders), (sustained, world.bidders[:2 * steady]))}  # fmt: skip
        deadline = _moment_of(world, surge)
        world.clock.set(deadline - timedelta(seconds=span + BOOT_S + 5))
        people = signed_in(world, folder, world.bidders)
        world.office.engine.dispose()
        shift = deadline - timedelta(seconds=span + BOOT_S) - datetime.now(UTC)
        ends = (deadline - shift).timestamp()
        with bidhall(world, folder, shift) as port:
            found = asyncio.run(_surge(port, people, surge, files[surge], ends, span))
            steadily = _steady(
                port, people, sustained, files[sustained], folder, steady
            )  # the closing tick comes a minute later
            _wait_for_closing(world, surge)
            rows = _judged(world, surge, found, ends, span)
    return [*rows, steadily]


# --- before ---------------------------------------------------------------------------------------------------------------


def _lot(world: World, later: timedelta = timedelta()) -> str:
    """A published lot in which everybody takes part."""
    from tests.kit.world import DEADLINE

    ref = world.lot("DRAFTED")
    world.prepare(ref, deadline=DEADLINE + later)
    world.publish(ref)
    world.issue(ref)
    world.take_part(ref)
    return ref


def _past_ticks(world: World, ref: str) -> None:
    from tests.kit import sealing

    sealing.open_for_bids(world, ref)
    timeline.turn(world.office)


def _moment_of(world: World, ref: str) -> datetime:
    with world.view("clock") as view:
        found = world.lot_in(view, ref).deadline
        assert found is not None
        return found


def _sealed(world: World, ref: str, names: list[str], shop: Path) -> list[tuple[Path, str]]:
    """Each bidder's sealed file and signed submission, made before the surge on the bidder's own machine."""
    from tests.kit import sealing

    policy, found = sealing.policy_of(world, ref), []
    block = bytes(range(256)) * (SIZE // 256)
    for number, name in enumerate(names):
        path = shop / f"{ref}-{number}"
        with path.open("wb") as out:
            made = sealed_bid.seal(
                policy,
                bidder=sealing.code_of(world, name),
                announce=sealing.FORM,
                out=out,
                files=[sealed_bid.FileIn("f.bin", SIZE, io.BytesIO(block))],
            )
        statement = submissions.make_submission(made, sealed_at=format_time(world.now), tool="bench/1", replaces="")
        found.append((path, json.dumps(sign_document("submission", statement, world.keys[name].sign))))
    return found


# --- the surge ------------------------------------------------------------------------------------------------------------


def arrivals(count: int, span: float) -> list[float]:
    """Seconds before the deadline at which bidders arrive: half of them in the last quarter of the span, at random moments."""
    chance = random.Random(20261201)
    quarter = span / 4
    half = count // 2
    found = [MARGIN_S + chance.random() * (quarter - MARGIN_S) for _ in range(count - half)]
    return sorted([*found, *(quarter + chance.random() * (span - quarter) for _ in range(half))], reverse=True)


async def _surge(
    port: int, people: list[Person], ref: str, files: list[tuple[Path, str]], ends: float, span: float
) -> list[Delivery]:
    if time.time() > ends - span:
        raise RuntimeError("the service took too long to start")
    chance = random.Random(7)
    tasks = []
    for number, (person, (path, submission), before) in enumerate(
        zip(people, files, arrivals(len(people), span), strict=True)
    ):
        late = ends + 0.2 + chance.random() if number % LATE_SHARE == LATE_SHARE // 2 else 0.0
        tasks.append(deliver(port, person, ref, path, submission, due=ends - before, submit_at=late))
    return await asyncio.gather(*tasks)


def _wait_for_closing(world: World, ref: str) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with world.view("clock") as view:
            if closing.find(view.session, world.lot_in(view, ref)) is not None:
                return
        time.sleep(0.5)
    raise TimeoutError("the closing tick did not come")


def _judged(world: World, ref: str, found: list[Delivery], ends: float, span: float) -> list[Row]:
    """What the database and the store say of what the clients heard."""
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        standing = {bid.c: bid for bid in bids.standing_bids(view.session, lot)}
        row_of_closing = closing.find(view.session, lot)
        assert row_of_closing is not None
        listed = len(row_of_closing.entries["entries"])
    roots = {}
    for c, bid in standing.items():
        with world.office.blobs.open(bid.blob) as source:
            roots[c] = sealed_bid.inspect(source).sealed_root.hex() == bid.blob
    accepted = [one for one in found if one.accepted]
    lost = sum(1 for one in accepted if not roots.get(one.c, False)) + abs(len(standing) - len(accepted))
    late = sum(1 for one in accepted if one.sent >= ends)
    refused = [one for one in found if not one.accepted and 0 < one.sent < ends]
    cut = sum(1 for one in found if not one.sent)
    tardy = [one for one in found if one.sent >= ends and not one.accepted]
    proved = sum(1 for one in tardy if one.reason == "LATE")
    times = sorted(one.seconds for one in accepted)
    median, p99 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
    workload = f"{len(found):,} bidders, 256 KiB each, over {span:.0f} s, half in the last {span / 4:.0f} s"
    reasons = f" ({', '.join(sorted({one.reason for one in refused})[:3])})" if refused else ""
    return [
        row(workload=workload, ours=lost + late + len(refused) + cut, unit="lost, late accepted or in-time refused", goal="0",
            met=not (lost or late or refused or cut) and proved == len(tardy),
            notes=f"{lost} lost, {late} late accepted, {len(refused)} refused though sent in time{reasons}, {cut} "
                  f"still uploading at the deadline; {len(accepted):,} receipts, {proved} of {len(tardy)} late ones refused by "
                  f"signed receipt, {listed} on the closing list"),
        row(workload=workload + ": receipt, p99", ours=p99, unit="s", goal=f"<= {GOAL_P99_S:g} s", met=p99 <= GOAL_P99_S,
            notes=f"p50 {median:.3f} s, slowest {times[-1]:.2f} s; clients on the same cores"),
    ]  # fmt: skip


# --- sustained ------------------------------------------------------------------------------------------------------------


def _steady(port: int, people: list[Person], ref: str, files: list[tuple[Path, str]], folder: Path, count: int) -> Row:
    """Two rounds of each in turn; every submission is a bid of its own."""
    best, least = {"bare": 0.0, "floor": 0.0, "ours": 0.0}, dict.fromkeys(("bare", "floor", "ours"), float("inf"))
    with bare(folder / "bare", sync=True) as other, floor(folder / "floor") as lowest:
        for turn in range(2):
            chosen = list(zip(people, files, strict=False))[turn * count : (turn + 1) * count]
            for name, door, lot in (("bare", other, ""), ("floor", lowest, ""), ("ours", port, ref)):
                before = cpu_seconds(door)
                best[name] = max(best[name], count / asyncio.run(_closed(door, chosen, lot)))
                least[name] = min(least[name], 1000 * (cpu_seconds(door) - before) / count)
    best_ours, best_bare = best["ours"], best["bare"]
    return row(
        workload=f"sustained submissions of 256 KiB, {CLIENTS} clients",
        ours=best_ours,
        unit="bids/s",
        rival=best_bare,
        rival_name="bare endpoint, writes and syncs",
        ratio=best_ours / best_bare,
        goal=">= 0.5",
        notes=f"{least['ours']:.1f} ms of processor a bid; ours: two requests, signed receipts; the rival: one request, "
        f"{least['bare']:.1f} ms; one request of Flask with one row and its sync: {best['floor']:.0f} a second, "
        f"{least['floor']:.1f} ms",
    )


async def _closed(port: int, chosen: list[tuple[Person, tuple[Path, str]]], ref: str) -> float:
    """Seconds for all of them, ``CLIENTS`` at a time."""
    waiting = iter(chosen)

    async def client() -> None:
        for person, (path, submission) in waiting:
            if not ref:
                await post_bare(port, path)
                continue
            told = await deliver(port, person, ref, path, submission, due=time.time())
            if not told.accepted:
                raise RuntimeError(f"not accepted: {told.reason}")

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return time.perf_counter() - start
