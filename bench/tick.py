"""Sealing waiting entries into one tick of the log: the law of the clock leaves ten seconds, whatever the count.

No rival: the goal is a time. 0, 10 and 2 000 entries; the pace of the log must not tell how many there were.
"""

from __future__ import annotations

import time
from datetime import timedelta

from bench.race import Row, row
from bench.worlds import disk, reopened, world_in
from trading.kernel import log
from trading.kernel.access import CLOCK
from trading.kernel.audit import LogPending

LIMIT_S = 0.25
GOAL = f"<= {LIMIT_S} s"


def run(quick: bool) -> list[Row]:
    sizes = (0, 10, 200) if quick else (0, 10, 2000)
    with disk() as folder, world_in(folder / "world", 3) as world:
        world.tick()
        rows = []
        for size in sizes:
            best = spent = float("inf")
            for turn in range(1 if quick else 3):
                with reopened(world, folder / "world", folder / f"{size}-{turn}") as copy:
                    with copy.office.work(CLOCK) as work:
                        for number in range(size):
                            work.record("bench.entry", f"bench/{number}")
                    copy.clock.set(copy.now.replace(second=0, microsecond=0) + timedelta(minutes=1))
                    start, cpu = time.perf_counter(), time.process_time()
                    copy.seal_log()
                    best, spent = min(best, time.perf_counter() - start), min(spent, time.process_time() - cpu)
                    with copy.view("clock") as view:
                        left = view.session.query(LogPending).count()
                        sealed = log.last_tick(view.session)
                    if left or sealed is None or sealed.at != copy.now:
                        raise AssertionError(f"{left} entries of {size} were not sealed")
            rows.append(
                row(
                    workload=f"seal {size:,} entries into a tick, SQLite, synced",
                    ours=best,
                    unit="s",
                    goal=GOAL,
                    met=best <= LIMIT_S,
                    notes=f"{spent:.3f} s of them at work, the rest waiting for disk and neighbours",
                )
            )
    return rows
