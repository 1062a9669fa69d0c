"""Device marks: bids prepared on the same machine (CL-02, rulebook 8.2).

All three marks equal: the rule deems the bids prepared by the same person. One or two equal marks are a clue only:
offices share printers, networks and suppliers of computers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from trading.kernel.exact import Answer, list_of, map_of, record, take, text

FIELDS = ("mac", "cpu", "disk")
PLACEHOLDERS = ("-", "/", "无", "", "00-00-00-00-00-00")
"""What devices report when they have nothing to say; it matches nothing."""

DEEMED = "deemed_same_preparer_rule_hit"
CLUE = "clue_only"


@dataclass(frozen=True)
class SharedDevices:
    """Groups with all three marks equal; per pair how grave; per field the groups that share only some marks."""

    all_three_equal: list[list[str]]
    severity: dict[tuple[str, str], str]
    single_field_only: list[tuple[str, list[str]]]


def shared_devices(
    bids: Mapping[str, Mapping[str, str | None]], placeholders: Collection[str] = PLACEHOLDERS
) -> SharedDevices:
    """Who shares a device. Per bidder the marks `mac`, `cpu`, `disk`; absent and placeholder values match nothing."""
    marks = {
        bidder: {name: value for name in FIELDS if (value := bid.get(name)) is not None and value not in placeholders}
        for bidder, bid in bids.items()
    }
    whole: dict[tuple[str, ...], list[str]] = {}
    for bidder in sorted(marks):
        if len(marks[bidder]) == len(FIELDS):
            whole.setdefault(tuple(marks[bidder].values()), []).append(bidder)
    same = sorted(group for group in whole.values() if len(group) > 1)
    severity = {}
    partly: list[tuple[str, list[str]]] = []
    for name in FIELDS:
        by_value: dict[str, list[str]] = {}
        for bidder in sorted(marks):
            if name in marks[bidder]:
                by_value.setdefault(marks[bidder][name], []).append(bidder)
        for group in sorted(found for found in by_value.values() if len(found) > 1):
            together = any(set(group) <= set(alike) for alike in same)
            if not together:
                partly.append((name, group))
            for first, second in combinations(group, 2):
                deemed = any(first in alike and second in alike for alike in same)
                severity[first, second] = DEEMED if deemed else CLUE
    return SharedDevices(same, severity, partly)


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _asked_hardware(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    bids = {
        bidder: {name: take(bid, name, text, f"bids.{bidder}", default=None) for name in FIELDS}
        for bidder, bid in take(inputs, "bids", map_of(record)).items()
    }
    found = shared_devices(bids, take(inputs, "placeholders", list_of(text), default=PLACEHOLDERS))
    graver_last = sorted(
        found.severity.items(), key=lambda pair: (pair[1] == DEEMED, pair[0])
    )  # ids may hold a "-" themselves
    return {
        "all_three_equal": found.all_three_equal,
        "severity": {f"{first}-{second}": how for (first, second), how in graver_last},
        "single_field_only": [{"field": name, "bidders": group} for name, group in found.single_field_only],
    }


METHODS: dict[str, Answer] = {"collusion.hardware": _asked_hardware}
