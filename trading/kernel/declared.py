"""A declared gap: what two people said, and the log holds, about signed ticks that were lost and of which a backup took the place.

Pure: no database, so that a verifier of bundles reads the same records by the same rule.

Law of the noun: a checkpoint of the lost ticks does not continue, for whoever kept one. It is excused, and still shown, only if the
declaration covers its size: more than the copy had, no more than was remembered, and at that very size the remembered root. The
declaration itself lies in the first tick after the copy, so nothing was signed between the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crypto.canonical import unb64u
from crypto.checkpoints import Checkpoint
from crypto.errors import CryptoError

ACT = "platform.restored"


@dataclass(frozen=True)
class Gap:
    """``ticks``, ``root``, ``at``: the log of the copy (0, "", "" where it had not begun) and ``backup_at`` when that was copied;
    ``remembered``, ``remembered_root``, ``remembered_at``: the last checkpoint anything outside remembered, 0 and "" where nothing did;
    ``restored_at``: when the copy was brought back. Roots in base64url, moments as written in documents."""

    ticks: int
    root: str
    at: str
    backup_at: str
    remembered: int
    remembered_root: str
    remembered_at: str
    restored_at: str

    @property
    def lost(self) -> int:
        """How many sealed ticks are known to be lost."""
        return max(0, self.remembered - self.ticks)

    def covers(self, kept: Checkpoint) -> bool:
        """Whether a kept checkpoint that this log does not continue lies in the gap."""
        if not self.ticks < kept.size <= self.remembered:
            return False
        return kept.size < self.remembered or kept.root == unb64u(self.remembered_root, 32)

    def facts(self) -> dict[str, Any]:
        return dict(vars(self))


NAMES: dict[str, type] = {name: int if name in ("ticks", "remembered") else str for name in Gap.__dataclass_fields__}


def of_record(record: Mapping[str, Any]) -> Gap:
    """The gap of a record of ``platform.restored``. Refuses: CryptoError JSON_PROFILE."""
    facts = record.get("facts")
    if record.get("act") != ACT or not isinstance(facts, Mapping):
        raise CryptoError("JSON_PROFILE", "not a declared gap")
    if any(type(facts.get(name)) is not kind for name, kind in NAMES.items()):
        raise CryptoError("JSON_PROFILE", "a declared gap of another form")
    return Gap(**{name: facts[name] for name in NAMES})
