"""What `bidhall doctor` answers with, whichever of its files has looked."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_FREE = 1 << 30
"""Bytes of disk below which nothing more should be taken in."""


@dataclass(frozen=True)
class Finding:
    """One finding. ``level``: ok, warning or error; ``remedy``: what to do, "" where there is nothing to do."""

    code: str
    level: str
    what: str
    remedy: str = ""
