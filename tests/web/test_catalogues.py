"""The catalogues: a message says one thing. Flask-Babel merges the rooms' folders, and of two rooms that say one message differently only
the later is heard, so such a message carries a context."""

from __future__ import annotations

import re
from collections import defaultdict
from importlib.resources import files

from web import catalogues

LITTLE = set(
    "of when since by for from on over until at to in about against before where who whose why what then there".split()
)
"""Words that mean nothing by themselves: 'Of' stood as 'time' over the most points one can get."""


def test_what_two_rooms_say_differently_carries_a_context() -> None:
    said: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for room in catalogues.rooms():
        for message in catalogues.read(room):
            if message.id and message.string:
                said[str(message.id), message.context or ""][room] = str(message.string)
    assert {key: rooms for key, rooms in said.items() if len(set(rooms.values())) > 1} == {}


def test_no_little_word_stands_alone() -> None:
    alone = [(room, str(message.id)) for room, template in catalogues.messages().items() for message in template
             if message.id and not message.context and str(message.id).lower() in LITTLE]  # fmt: skip
    assert alone == []


def test_nothing_is_translated_from_nothing() -> None:
    """The empty message is the catalogue's header: its words would be the header's lines."""
    texts = {path: path.read_text(encoding="utf-8") for path, _kind in catalogues.sources()}
    assert [path.name for path, text in texts.items() if re.search(r"(?<!\w)(?:_|gettext)\((['\"])\1\)", text)] == []
    by_variable = [
        path.name for path, text in texts.items() if path.suffix == ".html" and re.search(r"(?<!\w)_\((?!['\"])", text)
    ]
    assert by_variable == [], "a variable may be empty"


def test_working_pages_speak_of_no_salts_and_heads() -> None:
    """Words of the protocol stand only on the pages of proof (the room ``public``), which explain them."""
    told = [(room, str(message.string)) for room in catalogues.rooms() if room != "public" for message in catalogues.read(room)
            if re.search("盐值|承诺值|链头|树根|日志根|draw:", str(message.string))]  # fmt: skip
    refusals = [(path.name, found) for path in (files("web") / "words").iterdir() if path.name.endswith(".toml")
                for found in re.findall("盐值|承诺值|链头|树根|日志根|draw:", path.read_text(encoding="utf-8"))]  # fmt: skip
    assert told + refusals == []
