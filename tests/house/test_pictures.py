"""Pictures in the documents: each exists, is shown, is described, and is one that the walk of the served town takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.house.tree import ROOT, documents, files, text
from tests.walk.pictures import LARGEST, TAKEN

FOLDER = "docs/pictures/"
SHOWN = re.compile(r"!\[([^\]]*)\]\((?:\S*/)?pictures/([^)\s]+)\.png\)")
NAME = re.compile(r'"([a-z0-9-]+-(?:zh|en))"')
"""A picture's name as a walk writes it."""
CALL = re.compile(r'\.picture(?:_of)?\((?:\w+, )?"([^"]+)"')
LISTED = [name for names in TAKEN.values() for name in names]


def test_every_picture_is_one_that_the_walk_takes_and_is_shown() -> None:
    shown = {picture for name in documents() for _, picture in SHOWN.findall(text(name))}
    assert len(LISTED) == len(set(LISTED))
    assert sorted(shown ^ set(LISTED)) == []
    assert sorted({Path(name).stem for name in files() if name.startswith(FOLDER)} ^ shown) == []


@pytest.mark.parametrize("walk", TAKEN)
def test_a_walk_takes_what_is_listed(walk: str) -> None:
    assert sorted(set(TAKEN[walk]) - set(NAME.findall(text(walk)))) == []


def test_no_walk_takes_what_is_not_listed() -> None:
    taken = {
        (name, picture)
        for name in files()
        if name.startswith("tests/walk/test_")
        for picture in CALL.findall(text(name))
    }
    assert sorted((name, picture) for name, picture in taken if picture not in TAKEN.get(name, ())) == []


def test_every_picture_is_described_in_words() -> None:
    assert [
        (name, picture)
        for name in documents()
        for words, picture in SHOWN.findall(text(name))
        if len(words.strip()) < 4
    ] == []


@pytest.mark.parametrize("name", LISTED)
def test_pictures_stay_small_and_of_one_width(name: str) -> None:
    path = ROOT / FOLDER / f"{name}.png"
    assert path.stat().st_size <= LARGEST
    with Image.open(path) as picture:
        assert picture.width <= 1440
