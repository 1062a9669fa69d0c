"""What a watch tells: how long a page's reading takes, and one's own submission, while nobody else hands in and while others do (S1).

    python -m tests.kit.watch_in_hand 60        so many rounds, the quiet and the busy ones in turn; prints medians in milliseconds

Nothing is decided here: the law that no page stands in the line of writers is in tests/laws/test_shared_commits.py, and what the figures
mean in docs/security.md. Files, database and commits are real; network and web server are left out, so that they hide nothing.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kit import sealing
from tests.kit.world import World
from trading.bidding import bids, uploads
from trading.kernel.access import PUBLIC
from trading.kernel.db import open_engine
from trading.views import lot_cards
from web import schema

OTHERS = (0, 1, 4)
"""How many hand in again and again meanwhile."""


class Bidder:
    """One firm that hands in again and again, each bid replacing the one before."""

    def __init__(self, world: World, ref: str, username: str) -> None:
        self.world, self.ref, self.username, self.standing = world, ref, username, ""

    def ready(self) -> tuple[str, Any]:
        """An upload that is whole, and a signed submission of it."""
        world, username = self.world, self.username
        sealed, submission = sealing.seal(world, self.ref, username, replaces=self.standing)
        with world.work(username, sealing.SIGNER) as work:
            token = uploads.start(work, world.lot_in(work, self.ref), length=len(sealed)).token
        uploads.receive(world.office, world.actor(username, sealing.SIGNER), token, offset=0, pieces=[sealed])
        return token, submission

    def submit(self, token: str, submission: Any) -> None:
        actor = self.world.actor(self.username, sealing.SIGNER)
        with self.world.office.work(actor, together=True) as work:
            outcome = bids.submit(work, self.world.lot_in(work, self.ref), token=token, submission=submission)
            assert outcome.accepted, outcome.reason
        self.standing = outcome.receipt.statement


@contextmanager
def meanwhile(bidders: list[Bidder]) -> Iterator[None]:
    """These hand in as fast as they can."""
    stop = threading.Event()

    def go_on(one: Bidder) -> None:
        while not stop.is_set():
            one.submit(*one.ready())

    threads = [threading.Thread(target=go_on, args=(one,), daemon=True) for one in bidders]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def milliseconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter_ns()
    act()
    return (time.perf_counter_ns() - begun) / 1e6


def play(world: World, rounds: int) -> dict[int, tuple[list[float], list[float]]]:
    """others → (milliseconds of a page's reading, of one's own submission)."""
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    mine, *others = (Bidder(world, ref, username) for username in world.bidders)
    found: dict[int, tuple[list[float], list[float]]] = {count: ([], []) for count in OTHERS}

    def page() -> None:
        with world.office.view(PUBLIC) as view:
            lot_cards.lot_card(view, ref)

    for _ in range(rounds):
        for count in OTHERS:  # in turn, so that whatever else the machine does falls on all alike
            made = mine.ready()
            with meanwhile(others[:count]):
                time.sleep(0.02)
                found[count][0].append(milliseconds(page))
                found[count][1].append(milliseconds(lambda made=made: mine.submit(*made)))  # type: ignore[misc]
    return found


def run() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as name:
        engine = open_engine(f"sqlite:///{name}/bidhall.db")
        schema.migrate(engine)
        found = play(World(engine, Path(name), bidders=1 + max(OTHERS)), rounds)
        engine.dispose()
    print("others who hand in    a page is read    own submission    (medians, ms)")
    for count, (pages, own) in found.items():
        print(f"{count:18}    {statistics.median(pages):14.2f}    {statistics.median(own):14.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run())
