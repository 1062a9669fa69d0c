"""The opening policy: who opens, how many of them, when; and whether a bid was sealed under it.

Implements the protocol, section 2 (opening policy). Bids bind to the policy id, not to the deadline, so that an
extension does not void them: a chain of policies that only move deadline, opening and size up keeps them valid.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from crypto.canonical import H, b64u, dumps, parse_time, unb64u
from crypto.errors import CryptoError
from crypto.headers import MAX_OFFICERS, MAX_PLEN, MIN_PLEN, SUITE, Header
from crypto.keys import check_x25519_public

DRILL = "drill"
POLICY_KEYS = frozenset(
    (
        "co_opening",
        "deadline",
        "envelope",
        "file_names",
        "lot",
        "max_plen",
        "mirror",
        "n",
        "officers",
        "opens_at",
        "platform",
        "rescue",
        "serial",
        "suite",
        "supersedes",
        "t",
        "tender",
        "v",
        "window",
    )
)
SIDES = ("platform", "tenderee", "supervisor", "notary")
_MAY_GROW = ("deadline", "opens_at", "max_plen")


def policy_id(policy: Mapping[str, Any]) -> str:
    """What the tender document prints and every bid binds to."""
    return b64u(H("policy", dumps(dict(policy))))


def check_policy(policy: Any) -> None:
    """The rules of a policy, sides included. Refuses: JSON_PROFILE, SUITE_UNKNOWN."""
    if type(policy) is not dict or policy.keys() != POLICY_KEYS or type(policy["v"]) is not int or policy["v"] != 1:
        raise CryptoError("JSON_PROFILE", "a policy has exactly its nineteen keys")
    for name in ("platform", "tender", "lot", "envelope", "suite"):
        if type(policy[name]) is not str or not 1 <= len(policy[name].encode("utf-8", "surrogatepass")) <= 128:
            raise CryptoError("JSON_PROFILE", f"{name} is a text of 1 to 128 bytes")
    if policy["suite"] != SUITE:
        raise CryptoError("SUITE_UNKNOWN", "no other suite is known")
    if any(type(policy[name]) is not bool for name in ("co_opening", "file_names", "rescue")):
        raise CryptoError("JSON_PROFILE", "a flag that is none")
    if any(type(policy[name]) is not int for name in ("t", "n", "serial", "window", "max_plen")):
        raise CryptoError("JSON_PROFILE", "a number that is none")
    if not 2 <= policy["t"] <= policy["n"] <= MAX_OFFICERS:
        raise CryptoError("JSON_PROFILE", "2 <= t <= n <= 15")
    if not 1 <= policy["window"] <= 1440 or policy["serial"] < 0 or not MIN_PLEN <= policy["max_plen"] <= MAX_PLEN:
        raise CryptoError("JSON_PROFILE", "window, serial or max_plen out of range")
    if policy["mirror"] not in ("none", "digests", "files"):
        raise CryptoError("JSON_PROFILE", "mirror is none, digests or files")
    if policy["supersedes"] != "":
        unb64u(policy["supersedes"], 32)
    deadline, opens_at = parse_time(policy["deadline"]), parse_time(policy["opens_at"])
    if deadline.second or opens_at.second or opens_at < deadline:
        raise CryptoError("JSON_PROFILE", "deadline and a later or equal opens_at are whole minutes")
    _check_officers(policy)


def _check_officers(policy: Mapping[str, Any]) -> None:
    officers, t, n = policy["officers"], policy["t"], policy["n"]
    if type(officers) is not list or len(officers) != n:
        raise CryptoError("JSON_PROFILE", "n officers")
    for officer in officers:
        if type(officer) is not dict or officer.keys() != {"name", "pk", "side", "sign_kid"}:
            raise CryptoError("JSON_PROFILE", "an officer is exactly name, pk, side, sign_kid")
        name = officer["name"]
        if type(name) is not str or not 1 <= len(name.encode("utf-8", "surrogatepass")) <= 128:
            raise CryptoError("JSON_PROFILE", "an officer's name is a text of 1 to 128 bytes")
        if officer["side"] not in SIDES:
            raise CryptoError("JSON_PROFILE", "an unknown side")
        check_x25519_public(unb64u(officer["pk"], 32))
        unb64u(officer["sign_kid"], 16)
    if len({o["pk"] for o in officers}) != n or len({o["sign_kid"] for o in officers}) != n:
        raise CryptoError("JSON_PROFILE", "a key twice")
    for side, count in Counter(o["side"] for o in officers).items():
        if count >= t:
            raise CryptoError("JSON_PROFILE", f"the {side} could open alone")
        if n - count < t:
            raise CryptoError("JSON_PROFILE", f"the {side} could block alone")


def extends(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether bids under `old` stay valid under `new`: it names it, and only moves deadline, opening, size up."""
    if new["supersedes"] != policy_id(old) or any(new[name] < old[name] for name in _MAY_GROW):
        return False
    ignored = {*_MAY_GROW, "supersedes"}
    return {k: v for k, v in new.items() if k not in ignored} == {k: v for k, v in old.items() if k not in ignored}


def policy_chain(policies: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids a bid may bear, from the policies in order of time: the newest, and those it keeps valid."""
    ids: list[str] = []
    for i, policy in enumerate(policies):
        if i and not extends(policies[i - 1], policy):
            ids = []
        ids.append(policy_id(policy))
    return ids


def make_ctx(
    policy: Mapping[str, Any], *, bidder: str, plen: int, bidder_key: bytes = b"", drill: bool = False
) -> dict[str, Any]:
    """The context of a bid under a policy. Refuses: CONTEXT_MISMATCH for a key too many or few, or the drill's name."""
    if (bidder == DRILL) is not drill:
        raise CryptoError("CONTEXT_MISMATCH", "the name of the drill bid")
    if bool(bidder_key) is not policy["co_opening"]:
        raise CryptoError("CONTEXT_MISMATCH", "a bidder's sealing key goes with co-opening, and only with it")
    return context_of(policy, holder=bidder, plen=plen, bidder_key=bidder_key)


def context_of(policy: Mapping[str, Any], *, holder: str, plen: int, bidder_key: bytes = b"") -> dict[str, Any]:
    """The context of whatever a holder seals under a policy, a bid or an escrow; its maker has looked what goes with what."""
    return {
        "v": 1,
        "suite": policy["suite"],
        "platform": policy["platform"],
        "tender": policy["tender"],
        "lot": policy["lot"],
        "envelope": policy["envelope"],
        "bidder": holder,
        "policy": policy_id(policy),
        "t": policy["t"],
        "n": policy["n"],
        "officers": [o["pk"] for o in policy["officers"]],
        "co_opening": policy["co_opening"],
        "bidder_key": b64u(bidder_key),
        "plen": plen,
    }


def check_context(
    header: Header, policies: Sequence[Mapping[str, Any]], *, bidder: str, bidder_key: bytes = b""
) -> None:
    """Whether a header was made for this policy, or an earlier one it keeps valid, and by this bidder.

    `policies`: in order of time, the newest last. `bidder_key`: the enrolled X25519 key.
    Refuses: CONTEXT_MISMATCH, TOO_LARGE.
    """
    ctx, newest = header.ctx, policies[-1]
    wanted = {name: newest[name] for name in ("suite", "platform", "tender", "lot", "envelope", "t", "n", "co_opening")}
    wanted |= {
        "officers": [o["pk"] for o in newest["officers"]],
        "bidder": bidder,
        "bidder_key": b64u(bidder_key) if newest["co_opening"] else "",
    }
    wrong = sorted(name for name, value in wanted.items() if ctx[name] != value)
    if ctx["policy"] not in policy_chain(policies):
        wrong.append("policy")
    if wrong:
        raise CryptoError("CONTEXT_MISMATCH", "not of this tender, policy or bidder: " + ", ".join(wrong))
    if ctx["plen"] > newest["max_plen"]:
        raise CryptoError("TOO_LARGE", "larger than the tender allows")
