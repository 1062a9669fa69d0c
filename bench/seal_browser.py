"""Sealing in a browser: from a File to the sealed file, in the worker, piece digests included, in a profile as a person has one.

Rivals: the browser's own SHA-256 of pieces of the same size alone, which is the least that a tree of digests must cost; and its own
AES-GCM and SHA-256 of them in memory, which no sealer in a page can beat, since WebCrypto is all there is.
"""

from __future__ import annotations

import tempfile

from bench.race import Row, row, skipped

RIVALS = {
    "native SHA-256 of the same pieces": ("sha", ">= 0.9"),
    "raw WebCrypto: AES-GCM and SHA-256 in memory": ("raw", ">= 0.5"),
}
STORES = {"opfs": "the browser's private files", "blob": "a Blob"}


def run(quick: bool) -> list[Row]:
    sizes = (26,) if quick else (64, 256)
    cases = [(size, store) for size in sizes for store in STORES]
    try:
        from tests.js.serving import browser_page, static_server
    except ImportError as error:
        return [_skipped(size, store, str(error)) for size, store in cases]
    import pytest

    rows = []
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bidhall-bench-") as profile,
            static_server() as address,
            browser_page(address, profile) as page,
        ):
            for size, store in cases:
                wish = {"megabytes": size, "store": store, "rounds": 2 if quick else 5}
                found = page.evaluate("(wish) => window.speed(wish)", wish)
                rows += [
                    row(
                        workload=_workload(size, store), ours=found["seal"], unit="MiB/s", rival=found[key], rival_name=name,
                        ratio=found["seal"] / found[key], goal=goal,
                        notes=f"AES-GCM and SHA-256 alone reach {found['raw'] / found['sha']:.2f} of SHA-256 alone" if key == "sha" else "",
                    )
                    for name, (key, goal) in RIVALS.items()
                ]  # fmt: skip
    except pytest.skip.Exception as why:
        return [_skipped(size, store, str(why)) for size, store in cases]
    return rows


def _workload(size: int, store: str) -> str:
    return f"seal {size} MiB in the worker, headless Chromium, File to {STORES[store]}"


def _skipped(size: int, store: str, why: str) -> Row:
    name, (_, goal) = next(iter(RIVALS.items()))
    return skipped(workload=_workload(size, store), rival_name=name, goal=goal, why=why)
