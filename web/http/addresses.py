"""What an address may hold, told once for every page: bounds of the ids in its path, and the characters of its arguments.

An id that no row can have, a text that no database takes and a page of noise are no matter of each page: the map does not match them (404),
and what no argument holds is a bad request (400), before anybody is asked for.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, request
from werkzeug.datastructures import ImmutableDict
from werkzeug.exceptions import BadRequest
from werkzeug.routing import IntegerConverter, Map, PathConverter, UnicodeConverter, ValidationError

MOST_ID = 2**31 - 1
"""The largest id of a row on either database."""
MOST_TEXT, MOST_PATH, MOST_ARGUMENT = 200, 500, 8_000
"""Characters of a name in the path, of a path below one, of an argument (a preview carries the text of a notice)."""

_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Number(IntegerConverter):
    """``<int:…>``: 0 to MOST_ID, in ASCII digits."""

    regex = "[0-9]{1,10}"

    def __init__(self, url_map: Map, **more: Any) -> None:
        super().__init__(url_map, max=MOST_ID, **more)


class Name(UnicodeConverter):
    """``<…>``: printable characters and spaces, no longer than any name we give."""

    def to_python(self, value: str) -> str:
        return _plain(value, MOST_TEXT)


class Below(PathConverter):
    """``<path:…>``: the same, with slashes."""

    def to_python(self, value: str) -> str:
        return _plain(value, MOST_PATH)


def _plain(value: str, most: int) -> str:
    if len(value) > most or not value.isprintable():
        raise ValidationError
    return value


class Addresses(Map):
    """The map of this house: no route has an id of another kind."""

    default_converters = ImmutableDict(
        {**Map.default_converters, "default": Name, "string": Name, "path": Below, "int": Number}
    )


class AddressedApp(Flask):
    """Flask with this map, from its first route on."""

    url_map_class = Addresses


def refuse_odd_arguments() -> None:
    """Refuses (400) what no page reads as an argument: control characters but breaks of lines, what is no character, whole books."""
    for name, value in request.args.items(multi=True):
        if len(name) > MOST_TEXT or len(value) > MOST_ARGUMENT or _ODD.search(name) or _ODD.search(value):
            raise BadRequest
