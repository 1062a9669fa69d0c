"""`bidhall doctor`: whether what should be sealed in the database is, and by which keys; every value is opened, none is shown."""

from __future__ import annotations

from collections import Counter
from typing import Any

from trading.kernel import at_rest
from trading.kernel.errors import NotReady
from web.cli.common import refusal_text
from web.cli.doctor_finding import Finding

MOST = 20
REMEDIES = {
    "at_rest.in_the_open": "compare the row with a backup: it was written past the platform",
    "at_rest.changed": "compare the row with a backup: it was written past the platform",
    "at_rest.key_missing": "put the file of the data keys back from its backup",
}


def examine(office: Any) -> list[Finding]:
    ring, seen, found = at_rest.ring_of(office.engine), Counter[str](), []
    with office.engine.connect().execution_options(bidhall_readonly=True) as connection:
        for one in at_rest.all_values(connection):
            try:
                ring.open(one.held.table.name, one.column, one.row, one.token)
                seen[one.token[len(at_rest.MARK) :].partition(".")[0]] += 1
            except NotReady as refusal:
                code = "sealed_" + refusal.code.partition(".")[2]
                found.append(
                    Finding(code, "error", refusal_text(refusal, "en"), REMEDIES.get(refusal.code, "bidhall doctor"))
                )
    if found:
        return found[:MOST]
    first = ring.first.id
    old = {key: many for key, many in seen.items() if key != first}
    if old:
        what = ", ".join(f"{many} values under {key}" for key, many in sorted(old.items()))
        return [Finding("sealed", "warning", f"{what}; the first key is {first}", "bidhall keys rotate-data")]
    return [Finding("sealed", "ok", f"{sum(seen.values())} values sealed with the data key {first}")]
