"""The race at a deadline: every delay of ours between a submission's last byte and its receipt, on both sides of T (promise R2).

    python -m tests.kit.deadline_race 1000      a thousand cases a side, some minutes; the suite plays a few

A case arrives at a random moment up to a minute before T, or at T or within half a minute after it, then waits for a worker, for the lot's
lock, and with its signature checked for the commit: 0 to 30 s together. The clock turns meanwhile, so ticks are sealed in between.
"""

from __future__ import annotations

import random
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from crypto.documents import sign_document
from tests.kit import sealing, stages
from tests.kit.world import World
from trading import timeline
from trading.bidding import bids, closing, uploads

MOST = 30.0
"""Seconds of delay a case may have."""


@dataclass(frozen=True)
class Case:
    """``came``: seconds from T at which the last byte arrived; the unit of work opens and commits so many seconds later."""

    came: float
    opens: float
    commits: float


@dataclass(frozen=True)
class Result:
    """How many cases a side were played, and which were not answered as the law wants."""

    before: int
    after: int
    wrong: list[str]


def cases(count: int, seed: int) -> list[Case]:
    """``count`` a side, in the order in which they are settled."""
    chance = random.Random(seed)
    found = []
    for number in range(2 * count):
        early = number < count
        came = chance.choice(
            (-1e-6, -0.5, -1.0, -chance.uniform(1e-6, 60)) if early else (0.0, 1e-6, 0.999, chance.uniform(0, 29))
        )
        whole = chance.choice((0.0, MOST, chance.uniform(0, MOST)))
        opens = chance.uniform(0, whole)
        found.append(Case(came, came + opens, came + whole))
    return sorted(found, key=lambda case: (case.commits, case.came))


def play(world: World, count: int, seed: int = 20261201) -> Result:
    """Play ``count`` cases a side in a fresh lot of this world."""
    ref = stages.bidding(world)
    deadline = _deadline(world, ref)
    ready = []
    for number, case in enumerate(cases(count, seed)):
        name = world.bidders[number % len(world.bidders)]
        sealed, submission = sealing.seal(world, ref, name)
        with world.work(name, sealing.SIGNER) as work:
            token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
        uploads.receive(world.office, world.actor(name, sealing.SIGNER), token, offset=0, pieces=[sealed])
        ready.append((case, name, token, submission))
    world.clock.set(deadline - timedelta(seconds=61))
    timeline.turn(world.office)
    wrong, taken = [], set()
    standing: dict[str, str] = {}
    for case, name, token, submission in ready:
        payload = bids.submission_payload(submission) | {"replaces": standing.get(name, "")}
        _on_to(world, deadline + timedelta(seconds=case.opens))
        with world.work(name, sealing.SIGNER, arrived_at=deadline + timedelta(seconds=case.came)) as work:
            outcome = bids.submit(
                work,
                world.lot_in(work, ref),
                token=token,
                submission=sign_document("submission", payload, world.keys[name].sign),
            )
            world.clock.set(
                max(world.now, deadline + timedelta(seconds=case.commits))
            )  # the signature is checked, the disk is slow
        if outcome.accepted:
            standing[name] = outcome.receipt.statement
            taken.add(outcome.receipt.c)
        if outcome.reason != ("" if case.came < 0 else "LATE"):
            wrong.append(f"{case}: {outcome.reason or 'accepted'}")
    _on_to(world, deadline + timedelta(seconds=60))
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        listed = set(closing.closing(view.session, lot).entries["entries"])
        stands = {bid.statement for bid in bids.standing_bids(view.session, lot)}
    if not taken <= listed or stands != set(standing.values()):
        wrong.append("the closing list or the bids that stand are not those that came in time")
    return Result(sum(case.came < 0 for case, *_ in ready), sum(case.came >= 0 for case, *_ in ready), wrong)


def _deadline(world: World, ref: str) -> datetime:
    with world.view("clock") as view:
        found = world.lot_in(view, ref).deadline
    assert found is not None
    return found


def _on_to(world: World, moment: datetime) -> None:
    """The clock goes on to ``moment``, never back, and every tick on the way is sealed."""
    while (due := world.now.replace(microsecond=0) + timedelta(seconds=10 - world.now.second % 10)) <= moment:
        world.clock.set(due)
        timeline.turn(world.office)
    world.clock.set(max(world.now, moment))


def run() -> int:
    from trading.kernel.db import open_engine
    from web import schema

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        engine = open_engine(f"sqlite:///{name}/bidhall.db", durable=False)
        schema.migrate(engine)
        result = play(World(engine, Path(name)), count)
        engine.dispose()
    for line in result.wrong[:20]:
        print(line)
    print(f"{result.before} before T, {result.after} at or after it, {len(result.wrong)} wrong")
    return 1 if result.wrong else 0


if __name__ == "__main__":
    raise SystemExit(run())
