"""The guide of the rehearsal, run in both languages: what it tells an operator to type does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.tree import text
from tests.web.cli.test_guide import blocks, commands, serves
from tests.web.rehearse.kit import made, run
from web.rehearsal.site import folder
from web.words import refusals

GUIDES = ("docs/operate/rehearsal.md", "docs/operate/rehearsal.zh-CN.md")


def test_both_guides_give_the_same_commands_and_name_refusals_that_there_are() -> None:
    one, other = GUIDES
    assert commands(one) == commands(other) and len(commands(one)) == 2 and len(blocks(one, "sh")) == 2
    for guide in GUIDES:
        codes = set(re.findall(r"`((?:rehearsal|database)\.\w+)`", text(guide))) - {
            "rehearsal.clock",
            "rehearsal.played",
        }
        assert len(codes) > 10 and codes <= refusals().keys(), codes - refusals().keys()
    headings = [re.findall(r"(?m)^## (\d\.)?", text(guide)) for guide in GUIDES]
    assert headings[0] == headings[1]


@pytest.mark.long
@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_leads_to_a_served_rehearsal(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = made(tmp_path, monkeypatch)
    for line in commands(guide):
        line = line.replace("/srv/rehearsal", str(site.play)).replace("8090", "8080")
        if line.startswith("bidhall serve"):
            serves(line, tmp_path)
        else:
            ran = run(*line.split()[1:])
            assert ran.code == 0, ran.err
    assert folder.facts(site.play)["done"] and (site.play / "session.key").exists()
