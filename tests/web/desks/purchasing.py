"""A browser without scripts for the desks of agency and centre: it fills in the form a page holds and sends exactly its fields."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from tests.web.desks.rooms import Person


class _Forms(HTMLParser):
    """The forms of a page: action → list of (name, value) as a browser would send them untouched."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, list[tuple[str, str]]]] = []
        self.select, self.area, self.chosen = "", "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((held.get("action", ""), []))
        if not self.forms:
            return
        fields = self.forms[-1][1]
        name = held.get("name", "")
        if tag == "input" and name and held.get("type") not in ("checkbox", "radio", "file", "submit"):
            fields.append((name, held.get("value", "")))
        elif tag == "input" and name and "checked" in held:
            fields.append((name, held.get("value", "on")))
        elif tag == "textarea":
            self.area = name
            fields.append((name, ""))
        elif tag == "select":
            self.select, self.chosen = name, False
        elif tag == "option" and self.select and ("selected" in held or not self.chosen):
            fields[:] = [pair for pair in fields if pair[0] != self.select] + [(self.select, held.get("value", ""))]
            self.chosen = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.area = ""
        elif tag == "select":
            self.select = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            name, before = self.forms[-1][1][-1]
            self.forms[-1][1][-1] = (name, before + data)


def forms_of(page: str) -> list[tuple[str, dict[str, str]]]:
    reader = _Forms()
    reader.feed(page)
    return [(action, dict(fields)) for action, fields in reader.forms]


def form_on(person: Person, page: str, act: str) -> tuple[str, dict[str, str]]:
    """(address, fields) of the first form on a page whose address ends in ``acts/<act>``."""
    answer = person.get(page)
    assert answer.status_code == 200, answer.text
    found = [one for one in forms_of(answer.text.partition("<main")[2]) if one[0].endswith(f"/acts/{act}")]
    assert found, f"{page} offers no {act}: {[action for action, _ in forms_of(answer.text)]}"
    return found[0]


def send(person: Person, page: str, act: str, /, **changes: Any) -> Any:
    """Fill in the form of an act on a page and send it. ``changes`` with ``__`` for a point; None leaves the field out."""
    address, fields = form_on(person, page, act)
    for name, value in changes.items():
        key = name.replace("__", ".")
        if value is None:
            fields.pop(key, None)
        else:
            fields[key] = value
    return person.client.post(address, data=fields)


def done(answer: Any) -> str:
    """Where an act led to."""
    assert answer.status_code == 303, re.sub(r"(?s)<head>.*?</head>|<[^>]+>|\s+", " ", answer.text)[:1500]
    return str(answer.headers["Location"])


def errors(answer: Any) -> str:
    """What the summary of faults says, the form having been shown again."""
    assert answer.status_code in (409, 422), (answer.status_code, answer.text[-600:])
    found = re.search(r'(?s)<div class="errors".*?</div>', answer.text)
    assert found, answer.text
    return re.sub(r"<[^>]+>", " ", found.group(0))
