"""Sealing in a browser: from a File to the sealed file, in the worker, piece digests included.

Rival: the browser's own SHA-256 of pieces of the same size alone, which is the least that a tree of digests must cost.
"""

from __future__ import annotations

from bench.race import Row, row, skipped

GOAL = ">= 0.9"
NAME = "native SHA-256 of the same pieces"


def run(quick: bool) -> list[Row]:
    sizes = (26,) if quick else (64, 256)
    try:
        from tests.js.serving import browser_page, static_server
    except ImportError as error:
        return [skipped(workload=f"seal {size} MiB in the worker", rival_name=NAME, goal=GOAL, why=str(error)) for size in sizes]
    import pytest

    rows = []
    try:
        with static_server() as address, browser_page(address) as page:
            for size in sizes:
                found = page.evaluate(
                    "(wish) => window.speed(wish)", {"megabytes": size, "store": "blob", "rounds": 2 if quick else 5}
                )
                rows.append(row(
                    workload=f"seal {size} MiB in the worker, headless Chromium, File to Blob", ours=found["seal"], unit="MiB/s",
                    rival=found["sha"], rival_name=NAME, ratio=found["ratio"], goal=GOAL,
                ))  # fmt: skip
    except pytest.skip.Exception as why:
        return [skipped(workload=f"seal {size} MiB in the worker", rival_name=NAME, goal=GOAL, why=str(why)) for size in sizes]
    return rows
