"""What a verification has found: claims by name, each with its codes and reasons (protocol §6, table; commands.md, ``bidhall verify``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from crypto.errors import CryptoError
from trading.kernel.errors import Refusal
from trading.kernel.exact import BadValue

CLAIMS: dict[str, tuple[str, ...]] = {
    "manifest": ("B_INDEX", "B_SIG", "B_REHEARSAL"),
    "procedure": ("B_METHOD",),
    "log": ("B_GAP", "B_TICK", "B_CHECKPOINT", "B_PROOF"),
    "deadline": ("B_LATE",),
    "sealed_bids": ("B_SET", "B_BID", "B_POLICY"),
    "opening": ("B_SHARE", "B_REDERIVE"),
    "opening_list": ("B_CONTENT",),
    "expert_draw": ("B_DRAW",),
    "coefficient_draw": ("B_DRAW",),
    "invitation_draw": ("B_DRAW",),
    "score_sheets": ("B_SHEET",),
    "arithmetic": ("B_SCORE",),
    "ranking": ("B_RANK",),
    "award": ("B_AWARD",),
    "deposits": ("B_DEPOSIT",),
}
"""Every claim with the codes it may break with, in the order of the report."""
MAX_SHOWN, MOST_KEPT = 20, 10_000

DAMAGE = (
    CryptoError,
    BadValue,
    Refusal,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    OSError,
)
"""What a damaged or hostile file can raise in code that reads it: all of it is a fault of the bundle, none of the verifier."""


@dataclass
class Claim:
    """``checked``: what was looked at and held, in words; no claim without it is ok."""

    name: str
    faults: dict[tuple[str, str], None] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool | None:
        """False if anything failed, None if there was nothing to check."""
        return False if self.faults else True if self.checked else None

    @property
    def codes(self) -> list[str]:
        return sorted({code for code, _ in self.faults})

    def to_json(self) -> dict[str, Any]:
        if not self.faults:
            return {
                "name": self.name,
                "ok": self.ok,
                "codes": [],
                "detail": "; ".join(self.checked) or "nothing in this bundle to check",
            }
        shown = [f"{code}: {what}" for code, what in list(self.faults)[:MAX_SHOWN]]
        more = len(self.faults) - len(shown)
        return {
            "name": self.name,
            "ok": False,
            "codes": self.codes,
            "detail": "; ".join(shown) + (f"; and {more} more" if more else ""),
        }


class Findings:
    """All claims of one verification."""

    def __init__(self) -> None:
        self.claims = {name: Claim(name) for name in CLAIMS}
        self._told: dict[tuple[str, str], list[str]] = {}

    def fault(self, claim: str, code: str, what: str) -> None:
        """A failure. A code that the claim does not know is a defect."""
        if code not in CLAIMS[claim]:
            raise AssertionError(f"{claim} does not break with {code}")
        faults = self.claims[claim].faults
        if len(faults) < MOST_KEPT:
            faults.setdefault((code, what))

    def checked(self, claim: str, what: str) -> None:
        if what not in self.claims[claim].checked:
            self.claims[claim].checked.append(what)

    def told(self, claim: str, what: str, of: str = "") -> None:
        """Something that the bundle says and does not prove. ``what``: a word of the claim; ``of``: what it is said of."""
        named = self._told.setdefault((claim, what), [])
        if of and of not in named and len(named) < MOST_KEPT:
            named.append(of)

    def told_to_json(self) -> list[dict[str, Any]]:
        return [{"claim": claim, "what": what, "of": named} for (claim, what), named in sorted(self._told.items())]

    def guard(self, claim: str, code: str, what: str) -> Guard:
        """Whatever the checks inside refuse or trip over becomes a fault of the claim."""
        return Guard(self, claim, code, what)


class Guard:
    """See ``Findings.guard``: it swallows what damage can raise, and nothing else."""

    def __init__(self, findings: Findings, claim: str, code: str, what: str) -> None:
        self._findings, self._claim, self._code, self._what = findings, claim, code, what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, DAMAGE):
            return False
        reason = (
            f"{error.code}: {error.detail}" if isinstance(error, CryptoError) else str(error) or type(error).__name__
        )
        self._findings.fault(self._claim, self._code, f"{self._what}: {reason}"[:400])
        return True
