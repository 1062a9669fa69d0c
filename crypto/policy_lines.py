"""The line of an envelope's policies: its generations of officers, and what becomes of bids sealed under earlier ones.

Implements the protocol, section 2 (superseding policies) and 5.3. Everything here follows from public policies alone,
so that the platform, an officer's client and the verifier find the same. An extension keeps its generation; a policy
that changes more begins a new one, with keys of a higher serial. Bids stay bound to the policy they were sealed under.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from crypto.errors import CryptoError
from crypto.headers import Header
from crypto.policies import extends, policy_id

KEPT = ("platform", "tender", "lot", "envelope", "suite", "co_opening", "file_names")
"""What no successor changes: the place, and what a bidder was told would be done with its bid."""
_NEVER_DOWN = ("deadline", "opens_at", "max_plen")


@dataclass(frozen=True)
class Generation:
    """Policies of one set of officers, oldest first. `missing`: the officers (from 1) whom a later generation lacks."""

    policies: tuple[Mapping[str, Any], ...]
    missing: tuple[int, ...] = ()

    @property
    def policy(self) -> Mapping[str, Any]:
        """Its newest policy: officers, t, n and serial are those of all of them."""
        return self.policies[-1]

    @cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(policy_id(policy) for policy in self.policies)

    @cached_property
    def alive(self) -> bool:
        """Whether its bids are opened: fewer keys are missing than open a bid, and enough are left to open one (5.3)."""
        gone, t, n = len(self.missing), int(self.policy["t"]), int(self.policy["n"])
        return gone < t <= n - gone

    @property
    def sides_missing(self) -> tuple[str, ...]:
        return tuple(str(self.policy["officers"][j - 1]["side"]) for j in self.missing)

    def number_of(self, officer: Mapping[str, Any]) -> int:
        """The number an officer of any generation has in this one, by name and signing key; 0 for none."""
        return next((j for j, one in enumerate(self.policy["officers"], 1) if _who(one) == _who(officer)), 0)


def _who(officer: Mapping[str, Any]) -> tuple[str, str]:
    return str(officer["name"]), str(officer["sign_kid"])


def line_to(policies: Iterable[Mapping[str, Any]], newest: str) -> list[Mapping[str, Any]]:
    """The line that ends with the policy of this id, oldest first: each names the one before in `supersedes`.

    What else is handed in (policies drafted and dropped before publication) is left out. Refuses: CONTEXT_MISMATCH for an
    id that is not there.
    """
    found = {policy_id(policy): policy for policy in policies}
    line: list[Mapping[str, Any]] = []
    name = newest
    while name:
        if name not in found:
            raise CryptoError("CONTEXT_MISMATCH", f"policy {name} is not shown")
        line.insert(0, found.pop(name))
        name = str(line[0]["supersedes"])
    return line


def generations(line: Sequence[Mapping[str, Any]]) -> tuple[Generation, ...]:
    """The generations of a line, oldest first. Refuses: CONTEXT_MISMATCH for policies that are no line."""
    runs: list[list[Mapping[str, Any]]] = []
    for policy in line:
        if runs and extends(runs[-1][-1], policy):
            runs[-1].append(policy)
            continue
        if runs:
            _check_successor(runs[-1][-1], policy)
        runs.append([policy])
    if not runs:
        raise CryptoError("CONTEXT_MISMATCH", "a line without a policy")
    present = [{_who(officer) for officer in run[-1]["officers"]} for run in runs]
    found = []
    for at, run in enumerate(runs):
        missing = tuple(
            j
            for j, officer in enumerate(run[-1]["officers"], 1)
            if any(_who(officer) not in later for later in present[at + 1 :])
        )
        found.append(Generation(tuple(run), missing))
    return tuple(found)


def _check_successor(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    if new["supersedes"] != policy_id(old):
        raise CryptoError("CONTEXT_MISMATCH", "a policy that does not supersede the one before it")
    changed = [name for name in KEPT if new[name] != old[name]]
    if changed:
        raise CryptoError("CONTEXT_MISMATCH", "a successor that changes " + ", ".join(changed))
    if not new["serial"] > old["serial"]:
        raise CryptoError("CONTEXT_MISMATCH", "new officers under the keys of before: the serial must rise")
    if any(new[name] < old[name] for name in _NEVER_DOWN):
        raise CryptoError("CONTEXT_MISMATCH", "a successor that moves a bound down")


def generation_of(found: Sequence[Generation], policy: str) -> Generation:
    """The generation a bid belongs to, by the policy it was sealed under. Refuses: CONTEXT_MISMATCH."""
    for one in found:
        if policy in one.ids:
            return one
    raise CryptoError("CONTEXT_MISMATCH", "a bid under a policy that is not of this line")


def check_sealed_under(header: Header, found: Sequence[Generation]) -> Generation:
    """The generation of a header, its officers and thresholds being those of its policy. Refuses: CONTEXT_MISMATCH."""
    ctx, generation = header.ctx, generation_of(found, header.ctx["policy"])
    policy = generation.policy
    wrong = [
        name
        for name in ("suite", "platform", "tender", "lot", "envelope", "t", "n", "co_opening")
        if ctx[name] != policy[name]
    ]
    if wrong or ctx["officers"] != [officer["pk"] for officer in policy["officers"]]:
        raise CryptoError("CONTEXT_MISMATCH", "not of its policy: " + ", ".join(wrong or ["officers"]))
    return generation


def dead_bids(found: Sequence[Generation], headers: Mapping[str, Header]) -> dict[str, Generation]:
    """Those bids (by header hash) whose generation is dead: nobody opens them, code POLICY_DEAD."""
    pairs = ((name, generation_of(found, header.ctx["policy"])) for name, header in headers.items())
    return {name: generation for name, generation in pairs if not generation.alive}


def boxes_of(
    found: Sequence[Generation], headers: Mapping[str, Header], j: int, left: Collection[str] = ()
) -> dict[str, int]:
    """header hash -> the box of officer j of the newest policy: its own number in that bid's generation.

    Bids of dead generations, and of those the officer was not in, are not there; who left gives nothing. `left`: bids
    that stay sealed. Refuses: CONTEXT_MISMATCH for a number the newest policy has not.
    """
    officers = found[-1].policy["officers"]
    if not 1 <= j <= len(officers):
        raise CryptoError("CONTEXT_MISMATCH", "no such officer in the newest policy")
    numbers = {name: one.number_of(officers[j - 1]) if one.alive else 0 for one in found for name in one.ids}
    boxes = {}
    for name, header in headers.items():
        if header.ctx["policy"] not in numbers:
            raise CryptoError("CONTEXT_MISMATCH", "a bid under a policy that is not of this line")
        if name not in left and numbers[header.ctx["policy"]]:
            boxes[name] = numbers[header.ctx["policy"]]
    return boxes
