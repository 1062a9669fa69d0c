"""Names of districts: an administrative division code (GB/T 2260) as people know it.

The table is that of python-stdnum, with the years a name was in force. What is no such code stands as it was typed.
"""

from __future__ import annotations

import re
from functools import lru_cache

_YEARS = re.compile(r"\[(\d*)-(\d*)\]([^\[\]]+)")


@lru_cache(maxsize=4096)
def region_name(code: str) -> str:
    """``130205`` → ``开平区``; a code without a name in force, and any other text, is returned unchanged."""
    if not re.fullmatch(r"[1-9][0-9]{5}", code, re.ASCII):
        return code
    from stdnum import numdb  # here: the table is read when the first code is shown

    parts = numdb.get("cn/loc").info(code)
    told = str(parts[1][1].get("county", "")) if len(parts) > 1 else ""
    names = [name for _since, until, name in _YEARS.findall(told) if not until] if "[" in told else [told]
    return names[-1].strip(" ,") if names and names[-1] else code


def region_choices(codes: list[str]) -> list[tuple[str, str]]:
    """Pairs ``(code, name)`` for a filter, in the order of the names."""
    return sorted(((code, region_name(code)) for code in codes), key=lambda pair: (pair[1], pair[0]))
