"""Pictures in the documents: each exists and is shown, and those of the bidder's desk and of the hall are what a journey takes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.house.tree import ROOT, documents, dotted, files, text, tree
from tests.journeys.pictures import JOURNEYS, LARGEST

FOLDER = "docs/pictures/"
SHOWN = re.compile(r"!\[([^\]]*)\]\((?:\S*/)?pictures/([^)\s]+)\.png\)")
LISTED = [name for names in JOURNEYS.values() for name in names]


def shown(*names: str) -> set[str]:
    return {picture for name in names for _, picture in SHOWN.findall(text(name))}


def taken(journey: str) -> list[str]:
    """The pictures a journey takes, read from its code."""
    path, _, function = journey.partition("::")
    found = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef) and node.name == function]
    assert len(found) == 1, journey
    calls = [node for node in ast.walk(found[0]) if isinstance(node, ast.Call) and dotted(node.func) in ("take", "take_paper")]
    return [str(ast.literal_eval(call.args[1])) for call in calls]


def test_every_picture_of_bidder_and_hall_is_one_that_a_journey_takes() -> None:
    assert sorted(shown("docs/desks/bidder.md", "docs/desks/hall.md") - set(LISTED)) == []


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_journey_takes_what_is_listed(journey: str) -> None:
    assert sorted(taken(journey)) == sorted(JOURNEYS[journey])


def test_no_picture_is_taken_or_kept_for_nothing() -> None:
    everywhere = shown(*documents())
    assert len(LISTED) == len(set(LISTED))
    assert sorted(set(LISTED) - everywhere) == []
    assert sorted({Path(name).stem for name in files() if name.startswith(FOLDER)} ^ everywhere) == []


def test_every_picture_is_described_in_words() -> None:
    assert [(name, picture) for name in documents() for words, picture in SHOWN.findall(text(name)) if len(words.strip()) < 4] == []


@pytest.mark.parametrize("name", LISTED)
def test_pictures_stay_small_and_of_one_width(name: str) -> None:
    path = ROOT / FOLDER / f"{name}.png"
    assert path.stat().st_size <= LARGEST
    with Image.open(path) as picture:
        assert picture.width <= 1440
