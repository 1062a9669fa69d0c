"""`bidhall doctor`: what clocks outside say of the platform's, each asked now (docs/operate/clock.md)."""

from __future__ import annotations

from typing import Any

from trading.kernel.system_clock import SystemClock
from web.cli.doctor_finding import Finding

WRONG = "set the clock right by NTP; if it is the sources that are wrong, take them out of BIDHALL_TIME_SOURCES and start anew"
SILENT = "let the machine reach them over UDP (port 123), or name others in BIDHALL_TIME_SOURCES"


def examine(office: Any) -> list[Finding]:
    """Nothing where none are named, or the clock is moved by hand."""
    from web.workers import time_sources

    clock = office.clock
    if not isinstance(clock, SystemClock) or not clock.outside.sources:
        return []
    asked = time_sources.asked_now(clock)
    told = clock.by_outside(asked)
    assert told is not None
    each = ", ".join(f"{one.source}: {one.fault or 'answers'}" for one in asked.answers)
    what = f"{told.near} of {told.of} clocks outside agree, {told.far} do not, {told.silent} say nothing ({each})"
    if told.apart:
        return [Finding("time_sources", "error", what, WRONG)]
    if not told.confirmed:
        return [Finding("time_sources", "warning", what, SILENT)]
    return [Finding("time_sources", "ok", what)]
