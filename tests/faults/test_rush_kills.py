"""kill -9 and a failing disk while several bidders share one commit: each bid is wholly there or not at all, whatever became of the others,
and nobody was told of one that is not (promises R3, R5)."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crypto.signatures import document_hash, payload_of
from tests.faults.ground import Told, copied, log_holds, worker
from tests.kit import sealing, stages
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading.bidding import bids, uploads
from trading.bidding.bids import BidReceipt, SealedBid, StandingBid
from trading.kernel import commit_queue
from trading.kernel.audit import LogEntry
from trading.kernel.commit_queue import turns_of

NAMES = ("bidder1", "bidder2", "bidder3")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, they share: what becomes of a shared commit is the question here, not when it is closed."""
    monkeypatch.setattr(commit_queue, "LONGEST_NS", 60 * 10**9)


class Rush:
    """Three bidders whose files lie there hand in at once: the first has its turn when the others stand in line."""

    def __init__(self, world: World, ref: str) -> None:
        self.ref, self.tokens, self.submissions = ref, {}, {}
        for name in NAMES:
            sealed, self.submissions[name] = sealing.seal(world, ref, name)
            with world.work(name, SIGNER) as work:
                self.tokens[name] = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
            uploads.receive(world.office, world.actor(name, SIGNER), self.tokens[name], offset=0, pieces=[sealed])

    def __call__(self, world: World, tell: Told) -> None:
        line, inside = turns_of(world.office.engine), threading.Event()
        failed: list[BaseException] = []

        def hand_in(name: str) -> None:
            try:
                with world.office.work(world.actor(name, SIGNER), together=True) as work:
                    inside.set()
                    end = time.monotonic() + 10
                    while name == NAMES[0] and len(line._waiting) < len(NAMES) - 1 and time.monotonic() < end:
                        time.sleep(0.001)
                    outcome = bids.submit(
                        work, world.lot_in(work, self.ref), token=self.tokens[name], submission=self.submissions[name]
                    )
                tell(name=name, c=outcome.receipt.c, accepted=outcome.accepted)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=hand_in, args=(name,)) for name in NAMES]
        threads[0].start()
        assert inside.wait(10)
        for one in threads[1:]:
            one.start()
        for one in threads:
            one.join()
        if failed:
            raise failed[0]

    def there(self, world: World) -> dict[str, str]:
        """Bidder → receipt, of the bids that are wholly there; nothing of any other is."""
        found = {}
        with world.view("clock") as view:
            for name in NAMES:
                statement = document_hash(payload_of(self.submissions[name]))
                rows: list[Any] = [
                    view.session.scalars(select(table).where(table.statement == statement)).all()
                    for table in (SealedBid, BidReceipt, LogEntry)
                ]
                assert len({len(row) for row in rows}) == 1 and len(rows[0]) <= 1
                if rows[0]:
                    assert (
                        view.session.scalar(select(StandingBid.id).where(StandingBid.bid_id == rows[0][0].id))
                        is not None
                    )
                    assert world.office.blobs.has(rows[0][0].blob)
                    found[name] = rows[1][0].c
        return found


@pytest.mark.promise("R3")
@pytest.mark.promise("R13")
@pytest.mark.parametrize(
    ("order", "kept"),
    [
        ("bid.stored:kill@1", 0),
        ("bid.stored:kill@3", 0),
        ("bid.receipt:kill@2", 0),
        ("work.commit:kill@2", 0),
        ("work.commit:kill@3", 0),
        ("turns.commit:kill@1", 0),
        ("turns.committed:kill@1", 3),
        ("work.committed:kill@1", 3),
        ("work.committed:kill@3", 3),
    ],
)
def test_killed_while_three_share_a_commit(world: World, tmp_path: Path, order: str, kept: int) -> None:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL shares commits by itself")
    ref = stages.bidding(world)
    with copied(world, tmp_path / "killed") as mine:
        rush = Rush(mine, ref)
        died = worker(mine, rush, fault=order)
        assert died.killed and not died.error, died.error
        told, there = {fact["name"]: fact["c"] for fact in died.acked}, rush.there(mine)
        assert (
            len(there) == kept and told.items() <= there.items()
        )  # one commit: all or none, and no receipt without a bid
        again = worker(mine, rush)
        assert not again.error and {fact["name"]: fact["c"] for fact in again.acked}.items() >= there.items(), (
            again.error
        )
        assert set(rush.there(mine)) == set(NAMES)
        log_holds(mine)


@pytest.mark.promise("R5")
@pytest.mark.parametrize("order", ["turns.commit:EIO@1", "turns.commit:ENOSPC@1"])
def test_a_commit_that_fails_gives_nobody_a_receipt(world: World, tmp_path: Path, order: str) -> None:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("a queue of SQLite's")
    ref = stages.bidding(world)
    with copied(world, tmp_path / "full") as mine:
        rush = Rush(mine, ref)
        died = worker(mine, rush, fault=order)
        assert not died.acked and "Errno" in died.error and rush.there(mine) == {}
        assert len(worker(mine, rush).acked) == 3 and set(rush.there(mine)) == set(NAMES)
