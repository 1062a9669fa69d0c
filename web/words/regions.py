"""Administrative divisions (GB/T 2260): a code as people know it, the list to choose from, and what was typed read back to a code.

The table is that of python-stdnum, with the years a name was in force. What is no such code stands as it was typed.
"""

from __future__ import annotations

import re
from functools import lru_cache

_YEARS = re.compile(r"\[(\d*)-(\d*)\]([^\[\]]+)")
_CODE = re.compile(r"[1-9][0-9]{5}", re.ASCII)
_NO_NAME = ("市辖区", "县", "市辖县", "省直辖县级行政单位", "自治区直辖县级行政单位")
"""Entries of the table that only group others."""


def _in_force(told: str) -> str:
    """The name in force of an entry such as ``[-1983]郊区[1983-]开平区``, "" where none is."""
    names = [name for _since, until, name in _YEARS.findall(told) if not until] if "[" in told else [told]
    return names[-1].strip(" ,") if names else ""


@lru_cache(maxsize=4096)
def region_name(code: str) -> str:
    """``130205`` → ``开平区``; a code without a name in force, and any other text, is returned unchanged."""
    if not _CODE.fullmatch(code):
        return code
    return divisions_by_code().get(code, code)


@lru_cache(maxsize=1)
def divisions_by_code() -> dict[str, str]:
    """Code → own name of every division in force, in the order of the codes."""
    from stdnum import numdb  # here: the table is read when the first code is shown

    found: dict[str, str] = {}
    for _length, province, _high, _facts, children in numdb.get("cn/loc").prefixes:
        for _size, low, _to, facts, _none in children:
            if name := _in_force(str(facts.get("county", ""))):
                found[province + low] = name
    return dict(sorted(found.items()))


def full_name(code: str) -> str:
    """``130205`` → ``河北省唐山市开平区``: province, city and county, each once."""
    names = divisions_by_code()
    if code not in names:
        return code
    above = [names.get(one, "") for one in dict.fromkeys((code[:2] + "0000", code[:4] + "00", code))]
    return "".join(dict.fromkeys(name for name in above if name and name not in _NO_NAME)) or names[code]


@lru_cache(maxsize=1)
def divisions() -> tuple[tuple[str, str], ...]:
    """(code, full name) of every division one can choose, in the order of the codes."""
    return tuple((code, full_name(code)) for code, name in divisions_by_code().items() if name not in _NO_NAME)


def near(code: str) -> list[tuple[str, str]]:
    """The divisions to offer first in ``code``: itself, its city, its province, then the rest of the city and of the province."""
    own = [one for one in dict.fromkeys((code, code[:4] + "00", code[:2] + "0000")) if one in divisions_by_code()]
    rest = [one for one, _name in divisions() if one[:2] == code[:2] and one not in own]
    rest.sort(key=lambda one: (one[:4] != code[:4], one))
    return [(one, full_name(one)) for one in own + rest]


def region_label(code: str) -> str:
    """What a field shows for a code: the code and its full name; any other text unchanged."""
    return f"{code} {full_name(code)}" if code in divisions_by_code() else code


def read_region(text: str) -> str | None:
    """The code of what was typed or chosen: a code with or without its name, a full name, or a name only one division has. None: no such
    division in force, or a name that several have."""
    typed = re.sub(r"[\s·/,，-]+", "", text)
    if match := re.match(r"\d{6}(?!\d)", typed, re.ASCII):
        return match.group() if match.group() in divisions_by_code() else None
    if not typed:
        return None
    names = divisions_by_code()
    full = [code for code, name in divisions() if name == typed]
    found = full or [code for code, name in divisions() if name.endswith(typed) and typed.endswith(names[code])]
    return found[0] if len(found) == 1 else None


def region_choices(codes: list[str]) -> list[tuple[str, str]]:
    """Pairs ``(code, name)`` for a filter, in the order of the names."""
    return sorted(((code, region_name(code)) for code in codes), key=lambda pair: (pair[1], pair[0]))
