"""What the worker takes away of what grows, and what it leaves."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trading.kernel.errors import NotReady
from trading.kernel.system_clock import SystemClock
from web.settings import read_settings
from web.workers import tidying
from web.workers.watch import probing

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)


def aged(path: Path, **ago: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    moment = (NOW - timedelta(**ago)).timestamp()
    os.utime(path, (moment, moment))
    return path


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_old_letters_and_drafts_of_the_dead_go_and_nothing_else(tmp_path: Path) -> None:
    for name in (
        "mail/old.eml",
        "mail/notes.txt",
        ".session.key.ab12cd_9",
        "watch/.mirror.json.abcdefgh",
        "mail/.x.eml.abcdefgh",
    ):
        aged(tmp_path / name, days=91)
    for name in ("session.key", "platform.key", "watch/drop.jsonl", "bidhall.db", ".hidden", "blobs/.a.abcdefgh"):
        aged(tmp_path / name, days=4000)
    aged(tmp_path / "mail/new.eml", days=89)
    aged(tmp_path / ".data.keys.abcdefgh", hours=23)
    settings = read_settings({"BIDHALL_DATA": str(tmp_path)})
    assert tidying.tidy(settings, NOW) == 4
    assert left(tmp_path) == sorted(
        [".data.keys.abcdefgh", ".hidden", "bidhall.db", "blobs/.a.abcdefgh", "mail/new.eml", "mail/notes.txt"]
        + ["platform.key", "session.key", "watch/drop.jsonl"]
    )
    assert tidying.tidy(settings, NOW) == 0


@pytest.mark.parametrize(("days", "kept"), [("0", 1), ("30", 0), ("60", 1)])
def test_letters_stay_as_long_as_the_setting_says(tmp_path: Path, days: str, kept: int) -> None:
    folder = tmp_path / "letters"
    aged(folder / "one.eml", days=45)
    told = {"BIDHALL_DATA": str(tmp_path / "data"), "BIDHALL_MAIL": str(folder), "BIDHALL_KEEP_DAYS": days}
    tidying.tidy(read_settings(told), NOW)
    assert len(left(folder)) == kept


def test_in_a_rehearsal_nothing_is_old(tmp_path: Path) -> None:
    aged(tmp_path / "mail/old.eml", days=4000)
    (tmp_path / "rehearsal").touch()
    assert tidying.tidy(read_settings({"BIDHALL_DATA": str(tmp_path)}), NOW) == 0


@pytest.mark.parametrize("days", ["-1", "soon", "1.5", "12345", "٣"])
def test_days_that_are_none_are_refused(tmp_path: Path, days: str) -> None:
    with pytest.raises(NotReady) as refused:
        read_settings({"BIDHALL_DATA": str(tmp_path), "BIDHALL_KEEP_DAYS": days})
    assert refused.value.facts["name"] == "BIDHALL_KEEP_DAYS"


def test_samples_of_a_probe_roll_over_and_those_of_before_are_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "MOST_KEPT", 300)
    kept, clock = tmp_path / "probe-inside.jsonl", SystemClock()

    def probe() -> probing.Probe:
        return probing.Probe("http://127.0.0.1:9", "inside", b"\1" * 32, "test", clock, kept)

    one = probe()
    for ms in range(20):
        one.note(probing.Result(clock.now(), ms, "", None))
    rolled = [*probing.before(kept).read_text().splitlines(), *kept.read_text().splitlines()]
    assert len(rolled) < 20 and json.loads(rolled[-1])["ms"] == 19
    assert kept.stat().st_size < 500 and probing.before(kept).stat().st_size < 500
    assert [sample["ms"] for sample in probe()._untold] == [json.loads(line)["ms"] for line in rolled]
