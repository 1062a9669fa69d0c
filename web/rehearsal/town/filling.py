"""A small town for rehearsal: people for every role with their key files, tenders in every stage, one with its deadline minutes away.

Everything is reached by the same pages a person uses, on a clock that ends at the present moment; nothing is written by hand. The town is
filled in a process of its own: whatever the play has loaded and started there is gone before anybody is served.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trading.kernel.errors import NotReady
from web.rehearsal.town import card
from web.settings import Settings

DONE, BEGUN = "town.json", "town.begun"
KEPT = ("rehearsal", "settings.env", BEGUN)


def fill(settings: Settings, tell: Callable[[str], None]) -> list[str]:
    """Fill an empty data folder, or use the town an earlier run made. Returns the lines of the card: who can sign in, and what to try.

    A town whose filling was broken off is begun anew. Refuses: NotReady ``demo.failed``.
    """
    kept = settings.data / DONE
    if not kept.exists():
        if (settings.data / BEGUN).exists():
            _clear(settings.data)
        (settings.data / BEGUN).touch()
        _in_a_child(settings, tell)
        (settings.data / BEGUN).unlink()
    return card.lines(facts(settings.data), settings.data)


def facts(data: Path) -> dict[str, Any]:
    """What ``town.json`` says (``web.rehearsal.town.files.facts``), {} where there is no town."""
    try:
        found = json.loads((data / DONE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def _clear(data: Path) -> None:
    """Away with what a broken filling left; only in a folder that a filling has begun."""
    for one in data.iterdir():
        if one.name not in KEPT:
            shutil.rmtree(one) if one.is_dir() else one.unlink()


def _in_a_child(settings: Settings, tell: Callable[[str], None]) -> None:
    asked = json.dumps({**asdict(settings), "data": str(settings.data)})
    with subprocess.Popen(
        [sys.executable, "-m", "web.rehearsal.town.filling"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(asked)
        child.stdin.close()
        for line in child.stdout:
            tell(line.rstrip("\n"))
    if child.returncode:
        raise NotReady("demo.failed", data=str(settings.data))


def build(settings: Settings, tell: Callable[[str], None]) -> None:
    """Play the town in this process and write its files; ``town.json`` last."""
    from crypto import passwords
    from trading.kernel.clock import floor_minute
    from trading.kernel.system_clock import SystemClock
    from web.rehearsal import cast, server
    from web.rehearsal.town import files, history, plans, play
    from web.rehearsal.town import papers as town_papers

    now = floor_minute(SystemClock().now())
    parts = plans.parts(now)
    passwords.lower_cost()
    with (
        town_papers.Papers() as papers,
        server.stage(replace(settings, test_clock=""), now - plans.BACK, pace=plans.PACE, second=True) as scene,
    ):
        papers.order(list(parts.values()))
        scene.turn()
        tell("人员与历年成果 / people, and the results of older years")
        history.take_in(scene)
        town = play.Town(scene, cast.settle(scene, bidders=10), parts, papers, tell, now)
        play.play(town)
        scene.look_at_files()  # else the served town begins with it, and for two minutes no finished lot has a bundle
        tell("密钥文件与角色卡 / key files and the card")
        folder = settings.data / "keys"
        files.write_keys(folder, town.people)
        review = parts["REVIEW"].plan
        tender, lot = review.ref.rsplit("-", 1)
        sheets = files.write_sheets(folder, review.ref, tender, lot, town.panel)
        told = json.dumps(files.facts(town, sheets), ensure_ascii=False, indent=1)
    (settings.data / DONE).write_text(told + "\n", encoding="utf-8")


def _main() -> None:
    from web.rehearsal.server import settings_from

    build(settings_from(sys.stdin.read()), lambda line: print(line, flush=True))


if __name__ == "__main__":
    _main()
