"""A page is reached and explained: another page of ours leads to it, and the help of its desk has an act that says what it is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.house.tree import in_packages, text
from tests.web.conftest import House
from tests.web.words.test_helping import sample
from web.http.gate import HOMES
from web.http.page_rules import PAGES
from web.words import helping

DECLARED = re.compile(r"""\.page\(\s*["'][^"']*["']""")


def shown(house: House) -> Iterator[str]:
    """The address of every page that is looked at; a function that says it gives a ``Response`` hands out a file or data."""
    for rule in PAGES.values():
        function: Any = house.app.view_functions.get(rule.endpoint)
        if function is None or rule.method != "GET":
            continue
        view = function.view
        if view.__annotations__.get("return") != "Response":
            yield rule.path


def sources() -> Iterator[str]:
    for name in in_packages():
        if (
            name.startswith("web/")
            and name.endswith((".py", ".html", ".js"))
            and not name.startswith("web/static/vendor/")
        ):
            yield DECLARED.sub("", text(name))


def test_every_page_is_linked_from_somewhere(make_house: Callable[..., House]) -> None:
    whole = [path for path in shown(make_house()) if "<" not in path]
    assert len(whole) > 50
    told = "\n".join(sources())
    assert [path for path in whole if not re.search(re.escape(path) + r"""(?=["'`?#])""", told)] == []


def test_every_page_of_a_desk_is_explained_by_an_act_of_its_help(make_house: Callable[..., House]) -> None:
    desks = {home.split("/")[1] for home in HOMES.values() if home != "/"}
    pages = [path for path in shown(make_house()) if path.split("/")[1] in desks and "." not in path]
    assert len(pages) > 80
    assert [path for path in pages if "#" not in helping.help_href(sample(path))] == []
