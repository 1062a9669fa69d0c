"""The merge of OCDS 1.1: all releases of one contracting process become one compiled release.

Later values win, null takes a value away, objects join field by field, lists of objects with ids join by ``id``, other lists are
replaced whole. Pure.
"""

from __future__ import annotations

from typing import Any


def merged(releases: list[dict[str, Any]]) -> dict[str, Any]:
    """The releases of one process, in the order of their ``date``, as one. ``tag`` and ``id`` are those of the last."""
    whole: dict[str, Any] = {}
    for release in sorted(releases, key=lambda one: str(one.get("date") or "")):
        whole = _merge(whole, release)
    return whole


def compiled(releases: list[dict[str, Any]]) -> dict[str, Any]:
    """The compiled release of one process: merged, tagged, and with an id of its own, as a record carries it."""
    whole = merged(releases)
    return {**whole, "id": f"{whole['ocid']}-{whole['date']}", "tag": ["compiled"]}


def _merge(old: Any, new: dict[str, Any]) -> dict[str, Any]:
    joined = dict(old) if isinstance(old, dict) else {}
    for name, value in new.items():
        if value is None:
            joined.pop(name, None)
        elif isinstance(value, dict):
            joined[name] = _merge(joined.get(name), value)
        elif isinstance(value, list) and value and all(_has_id(part) for part in value):
            was = joined.get(name)
            held: dict[str, Any] = {}
            for part in [*(was if isinstance(was, list) else []), *value]:
                if _has_id(part):
                    key = str(part["id"])
                    held[key] = _merge(held.get(key), part)
            joined[name] = list(held.values())
        else:
            joined[name] = value
    return joined


def _has_id(part: Any) -> bool:
    return isinstance(part, dict) and part.get("id") is not None
