"""The opening ceremony: from the published set to verdicts in the database.

Ours is what the hall does: three officers' clients open their boxes, the server checks every posted share, signs and logs; then the join,
the re-derivation, the root, the decryption, the files into the store, the announced form parsed, rows and the signed opening list.
Rival: the bare cryptography of the same in one process: boxes, checks, join, re-derivation, root, decryption into nothing. All do it for a
lot of three small bids first, untimed: a worker compiles its statements at its first opening and never again. What that costs is noted.
Large bids have the pace of `open` as a rival too: the same bids one after the other, file to file and synced.
"""

from __future__ import annotations

import io
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.race import Row, row, workshop
from bench.worlds import disk, reopened, world_in
from crypto import headers, sealed_bid
from crypto.canonical import unb64u
from trading.bidding import bids
from trading.custody import officers
from trading.opening import ceremony, decryption

if TYPE_CHECKING:
    from tests.kit.world import World

KIB, MIB = 1 << 10, 1 << 20
CAME = ("officer1", "officer2", "officer3")
WARM = 3
"""Bids of the lot that is opened before the one that is timed."""


def run(quick: bool) -> list[Row]:
    if quick:
        return _at(10, 64 * KIB, ">= 0.5", rounds=1)
    rows: list[Row] = []
    for count in (10, 30, 100):
        rows += _at(count, 64 * KIB, ">= 0.5" if count == 100 else "none: growth", rounds=3)
    return rows + _at(10, 50 * MIB, "none: growth", rounds=3) + _at(100, 50 * MIB, "none", rounds=2)


def _at(count: int, size: int, goal: str, rounds: int) -> list[Row]:
    """Once in memory, where only the work counts, and once on the disk, where every file and commit is synced."""
    return _in(workshop, "in memory", count, size, goal, rounds) + _in(
        disk, "on disk, synced", count, size, goal, rounds
    )


def _in(
    place: Callable[[], AbstractContextManager[Path]], name: str, count: int, size: int, goal: str, rounds: int
) -> list[Row]:
    large = size >= MIB
    with place() as folder, world_in(folder / "world", count) as world:
        warm, ref = _listed(world, size, count)

        first: list[float] = []
        mine: list[float] = []
        alone: list[float] = []
        each: list[float] = []

        def ours() -> None:
            before, took = _ours(world, folder / "world", folder / "copy", {warm: WARM, ref: count})
            first.append(before)
            mine.append(took)

        def bare() -> None:
            _alone(world, warm, WARM, _Nothing)
            alone.append(_alone(world, ref, count, _Nothing))

        def one_by_one() -> None:
            with tempfile.TemporaryDirectory(dir=folder) as opened:
                each.append(_alone(world, ref, count, _files_in(Path(opened))))

        contestants = [ours, bare, one_by_one] if large else [ours, bare]
        for turn in range(rounds):
            for contestant in contestants if turn % 2 == 0 else reversed(contestants):
                contestant()
        amount = f"{count} bids of {size // MIB if large else size // KIB} {'MiB' if large else 'KiB'}"
        notes = f"{min(mine) / count * 1000:.1f} ms a bid; {WARM} small bids just before, the first of a worker: {min(first) * 1000:.0f} ms"
        rivals = [("bare cryptography, one process", alone, goal)]
        if large:
            rivals.append(("open, file to file and synced, one after the other", each, ">= 0.8"))
        return [
            row(workload=f"open {amount}, 3 of 5 officers, {name}", ours=min(mine), unit="s", rival=min(took), rival_name=rival,
                ratio=min(took) / min(mine), goal=wanted, notes=notes)
            for rival, took, wanted in rivals
        ]  # fmt: skip


def _listed(world: World, size: int, count: int) -> tuple[str, str]:
    """Two lots whose sets are published: a few small bids, and those from as many bidders as there are."""
    from tests.kit import opening_steps, sealing

    block = bytes(range(256))
    forms = {name: opening_steps.form(price=f"{2_000_000 + at}.00") for at, name in enumerate(world.bidders)}
    few = dict(list(forms.items())[:WARM])
    if len(forms) != count:
        raise AssertionError(f"{len(forms)} bidders instead of {count}")
    lots = [world.lot("READY"), world.lot("READY")]
    for step in (world.publish, world.issue):
        for ref in lots:
            step(ref)
    opening_steps.bid(world, lots[0], few, data=block)
    opening_steps.bid(world, lots[1], forms, data=block * (size // 256))
    sealing.close(world, lots[0])
    for ref in lots:
        sealing.list_set(world, ref)
    return lots[0], lots[1]


def _ours(world: World, source: Path, target: Path, lots: dict[str, int]) -> tuple[float, float]:
    """The seconds of each lot's opening, in a worker that has just started; ``lots``: reference → bids."""
    from tests.kit import opening_steps

    with reopened(world, source, target) as copy:
        took = []
        for ref in lots:
            start = time.perf_counter()
            for username in CAME:
                opening_steps.share(copy, ref, username)
            took.append(time.perf_counter() - start)
        copy.clock.advance(minutes=31)  # t came, so the window has to end first
        for at, (ref, count) in enumerate(lots.items()):
            start = time.perf_counter()
            decryption.open_bids(copy.office, copy.actor("host"), ref)
            took[at] += time.perf_counter() - start
            with copy.view("clock") as view:
                found = ceremony.opened_of_lot(view.session, copy.lot_in(view, ref))
                if len(found) != count or any(bid.price_minor is None for bid in found):
                    raise AssertionError(f"{len(found)} of {count} bids were opened")
    first, timed = took
    return first, timed


Target = Callable[[], AbstractContextManager[sealed_bid.Writer]]


def _alone(world: World, ref: str, count: int, target: Target) -> float:
    """The seconds of the cryptography alone, bid after bid; what is opened goes to ``target``."""
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        policy = officers.policy_document(officers.current_policy(view.session, lot))
        stored = [
            (unb64u(bid.sealed_root), world.office.blobs.path(bid.blob))
            for bid in bids.standing_bids(view.session, lot)
        ]
    if len(stored) != count:
        raise AssertionError(f"{len(stored)} of {count} bids are there")
    secrets = {at: world.policy_secret(name, policy) for at, name in enumerate(CAME, start=1)}
    start = time.perf_counter()
    for root, path in stored:
        with path.open("rb") as source, target() as out:
            header = sealed_bid.read_header(source)
            seed = headers.join_shares(
                header, {j: headers.open_share(header, j, secret) for j, secret in secrets.items()}
            )
            source.seek(0)
            sealed_bid.open(source, seed, lambda _: out, root)
    return time.perf_counter() - start


def _files_in(folder: Path) -> Target:
    """A file of its own for each bid, synced at its end."""
    names = itertools.count()

    @contextmanager
    def synced() -> Iterator[sealed_bid.Writer]:
        with (folder / str(next(names))).open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())

    return synced


class _Nothing(io.RawIOBase):
    """Takes what is written and forgets it."""

    def write(self, data: object, /) -> int:
        return len(data)  # type: ignore[arg-type]
