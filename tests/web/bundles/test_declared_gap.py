"""A bundle of a platform that was brought back: a checkpoint somebody kept of what was lost is excused by the declaration that covers it,
and told; by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit import restored as kit
from tests.kit.world import World
from tests.web.bundles import play
from tests.web.bundles.test_commands import Run, command_line
from web.verifier import verify_bundle

LOST = 4
DECLARED = "log/declared.json"


def verified(path: Path, known: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    found = verify_bundle(path, None, known)
    return play.broken(found), {f"{one['claim']}.{one['what']}": one["of"] for one in found["told"]}


@pytest.mark.promise("R16")
def test_a_kept_checkpoint_of_the_gap_is_told_and_no_other_is_excused(
    failed_now: tuple[World, str], tmp_path: Path
) -> None:
    world, ref = failed_now
    early, size = play.checkpoint(world), kit.size(world)
    told = kit.declare(world, tmp_path, LOST)
    bundle = play.export(world, ref, tmp_path, "audit")
    assert verified(bundle, early) == ({}, {"log.lost": verified(bundle, early)[1]["log.lost"]})
    for kept in (told, kit.note(world, size + 1), kit.note(world, size + 2)):
        broken, said = verified(bundle, kept)
        assert broken == {} and said["log.known_lost"] == [kept.split("\n")[1]]
    for kept in (kit.note(world, size), kit.note(world, size + LOST), kit.note(world, size + LOST + 1)):
        assert verified(bundle, kept)[0] == {"log": ["B_CHECKPOINT"]}

    run: Run = command_line(world, tmp_path / "data")
    (tmp_path / "kept").write_text(told)
    for lang, words in (("en", "keep it, and tell the supervisory body"), ("zh", "请保存好并告知监督机构")):
        ran = run("verify", str(bundle), "--known-checkpoint", str(tmp_path / "kept"), "--lang", lang)
        assert ran.code == 0 and words in ran.out


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["record"]["facts"].update(remembered=one["record"]["facts"]["remembered"] + 100),
        lambda one: one["record"]["facts"].update(ticks=one["record"]["facts"]["ticks"] - 1),
        lambda one: one["record"].update(act="clock.accept"),
        lambda one: one.pop("proof"),
        lambda one: one["entry"]["signatures"][0].update(sig="AAAA"),
    ],
)
def test_a_changed_declaration_excuses_nothing(
    failed_now: tuple[World, str], tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    world, ref = failed_now
    told = kit.declare(world, tmp_path, LOST)
    forger = play.Forger(world, play.export(world, ref, tmp_path, "public"))
    assert verified(forger.write(), told)[0] == {}
    forger.edit(DECLARED, lambda value: change(value[0]))
    broken, said = verified(forger.write(), told)
    assert set(broken["log"]) == {"B_PROOF", "B_CHECKPOINT"} and "log.known_lost" not in said


def test_without_a_declaration_nothing_is_excused(failed_now: tuple[World, str], tmp_path: Path) -> None:
    world, ref = failed_now
    told = kit.declare(world, tmp_path, LOST)
    forger = play.Forger(world, play.export(world, ref, tmp_path, "public"))
    del forger.files[DECLARED]
    assert verified(forger.write(), told)[0] == {"log": ["B_CHECKPOINT"]}
