"""``python -m bench [NAME …] [--quick] [--against REV] [--json]``: the benchmarks, each against its rivals in the same run.

Every other module here is one bench: ``run(quick) -> row or rows``. One JSON line a row with ``--json``, else a Markdown table for
docs/benchmarks.md. ``--quick`` does a tenth of the work, several benches at once: it shows that a bench runs, its figures mean nothing.
Exit code 1 if a bench failed to run; a goal that is not met is a figure, not a failure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

import bench
from bench import rates
from bench.race import Row, machine

AT_ONCE = 4
"""Benches that run beside each other when nothing is measured: the longest mostly wait for a deadline."""
HEADINGS = ("bench", "workload", "ours", "unit", "rival", "ratio", "goal", "met", "notes")


def benches() -> dict[str, Callable[[bool], Row | list[Row]]]:
    """Name (``seal-browser``) -> its run."""
    found = {}
    for module in sorted(pkgutil.iter_modules(bench.__path__), key=lambda module: module.name):
        if module.name not in ("__main__", "race"):
            loaded = importlib.import_module(f"bench.{module.name}")
            if hasattr(loaded, "run"):
                found[module.name.replace("_", "-")] = cast(Callable[[bool], Row | list[Row]], loaded.run)
    return found


def main(arguments: list[str] | None = None) -> int:
    known = benches()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run benchmarks against their rivals.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: does it run?")
    parser.add_argument("--against", metavar="REV", help="the older code that `rates` is held against")
    parser.add_argument("--json", action="store_true", help="one JSON line a figure")
    wish = parser.parse_args(arguments)
    strange = [name for name in wish.names if name not in known]
    if strange:
        parser.error(f"no such bench: {', '.join(strange)} (there are: {', '.join(known)})")
    names = wish.names or list(known)
    if wish.against:
        if names != ["rates"]:
            parser.error("--against goes with the bench rates")
        known["rates"] = partial(rates.run, against=wish.against)
    if wish.quick and len(names) > 1:
        return _at_once(names, ["--quick", *(["--json"] if wish.json else [])])
    place = machine()
    if not wish.json:
        print(
            f"{place['cpu']}, {place['cores']} cores, {place['system']}, Python {place['python']}{', quick' if wish.quick else ''}\n"
        )
        print("| " + " | ".join(HEADINGS) + " |\n|" + " --- |" * len(HEADINGS))
    failed = []
    for name in names:
        start = time.monotonic()
        try:
            answer = known[name](wish.quick)
        except Exception:
            traceback.print_exc()
            failed.append(name)
            continue
        for one in [answer] if isinstance(answer, dict) else answer:
            line = {"bench": name, **one, "machine": place}
            print(json.dumps(line, ensure_ascii=False) if wish.json else _table_row(line), flush=True)
        print(f"{name}: {time.monotonic() - start:.1f} s", file=sys.stderr)
    if failed:
        print(f"did not run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _at_once(names: list[str], options: list[str]) -> int:
    """Several at once, each in a process of its own, those that wait longest first: whether they run is all that is asked."""

    def run(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bench", name, *options], capture_output=True, text=True, check=False
        )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {
            name: pool.submit(run, name) for name in sorted(names, key=lambda name: not name.startswith("surge"))
        }
        done = [running[name].result() for name in names]
    for one in done:
        print(one.stdout, end="")
        print(one.stderr, end="", file=sys.stderr)
    return max(one.returncode for one in done)


def _table_row(line: Row) -> str:
    rival = line["rival_name"] + ("" if line["rival"] is None else f" {line['rival']:g}")
    met = {True: "yes", False: "no", None: ""}[line["met"]]
    ours, ratio = ("" if line[key] is None else f"{line[key]:g}" for key in ("ours", "ratio"))
    return (
        "| "
        + " | ".join(
            [line["bench"], line["workload"], ours, line["unit"], rival, ratio, line["goal"], met, line["notes"]]
        )
        + " |"
    )


if __name__ == "__main__":
    sys.exit(main())
