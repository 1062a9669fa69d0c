"""What `bidhall doctor` says of stored bytes that the clock reads again: when all had been read, and what nobody could bring back. Never of
which lot, or whether it is a bid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from web.cli.doctor_finding import Finding

LATE = timedelta(days=8)
MOST = 20


def examine(office: Any) -> list[Finding]:
    from trading.kernel.access import CLOCK
    from trading.kernel.clock import write_moment
    from trading.opening import scrub

    with office.view(CLOCK) as view:
        held, now = scrub.passed(view), view.now
    remedy = "put the file of this name back into the store from a backup (its folder blobs/), or ask who has it"
    found = [
        Finding("stored_damaged", "error", f"a stored file is damaged: {one}", remedy) for one in held.unmended[:MOST]
    ]
    if held.whole_at is None:
        return [*found, Finding("stored", "ok", "stored files have not all been read again yet")]
    since = f"all stored files were last read again by {write_moment(held.whole_at)}"
    if now - held.whole_at > LATE:
        return [*found, Finding("stored_unread", "warning", since, "start bidhall serve; see its log")]
    return found or [Finding("stored", "ok", since)]
