"""What a process can learn of the machine it runs on, without asking any clock."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def boot() -> str:
    """A name for the time since this machine was started; "" where the system has none."""
    return line("/proc/sys/kernel/random/boot_id")


def time_space() -> str:
    """Within which time since boot is counted: a container may have one of its own."""
    try:
        return os.readlink("/proc/self/ns/time")
    except OSError:
        return ""


def line(path: str) -> str:
    """A file of one line, "" where it cannot be read."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
