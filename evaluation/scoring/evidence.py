"""Evidence below a member's reason: numbered places in the bid, signed with the sheet as lines of the reason (docs/formats/evidence.md).

    计划写到日（1），有考核
    [1] F1 P147 @500,140,390,55 不少于 5 个工作日的现场培训

``F`` counts the files of the bid, ``P`` the pages of the file, both from 1; the box is left, top, width and height in thousandths of the
page. A line of another shape is a line of the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = "([0-9]{1,4})"
_LINE = re.compile(
    rf"\[([1-9])\] F([1-9][0-9]{{0,2}}) P([1-9][0-9]{{0,3}}) @{_PART},{_PART},{_PART},{_PART}(?: (.*))?\Z", re.ASCII
)


@dataclass(frozen=True)
class Pin:
    """A place in a bid: file and page from 1, the box in thousandths of the page, what stands there in the member's words."""

    no: int
    file: int
    page: int
    box: tuple[int, int, int, int]
    quote: str


def read(reason: str) -> tuple[str, tuple[Pin, ...]]:
    """A signed reason as its words and its evidence, by number. Only the lines at its end are evidence."""
    lines = reason.split("\n")
    pins: list[Pin] = []
    while lines and (match := _LINE.match(lines[-1])):
        no, file, page, *box = (int(group) for group in match.groups()[:7])
        pins.append(Pin(no, file, page, (box[0], box[1], box[2], box[3]), match[8] or ""))
        lines.pop()
    return "\n".join(lines), tuple(sorted(pins, key=lambda pin: pin.no))
