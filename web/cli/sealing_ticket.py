"""The ticket `bidhall seal` starts from: whose it is, and that those who will open the bid are the officers they are said to be.

The platform's signature alone proves nothing about them: with its key somebody could write a policy that names the officers and seals to
keys of its own. So each officer's signature over the policy is checked, against a key whose enrolment stands in the proved log, or against
keys the bidder keeps from an earlier day. A ticket also names the log it is proved in, so who has the platform's key can bring a log of its
own: what the bidder's folder remembers (known.py) stops that, and at the first use the bidder is told what nobody has checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from crypto.documents import check_document, open_policy
from crypto.errors import CryptoError
from crypto.keys import fingerprint, kid
from crypto.policies import policy_id
from crypto.signatures import from_text, signers
from crypto.trust import Trust, trust_of
from trading.opening.files import EnrolledKeys
from web.cli.common import read_json, say
from web.cli.known import Known
from web.cli.offline import open_ticket, read_payload, read_trust


@dataclass(frozen=True)
class Ticket:
    """A checked ticket. ``whose``: the trusted keys were ``given``, ``known`` here or ``enclosed``.

    ``unchecked``: ``{who, words}`` of keys that nothing older than the ticket speaks for; ``keep`` remembers all of them for the next use.
    """

    ticket: dict[str, Any]
    policy: dict[str, Any]
    whose: str
    unchecked: list[dict[str, str]]
    keep: Callable[[], None]


def sealing_ticket(path: str, trust_file: str | None, known_file: Path, lang: str | None = None) -> Ticket:
    """The ticket of one lot and envelope, signed by the platform, the policy by every officer with an enrolled key.

    Refuses: SIG, SIG_TYPE, CONTEXT_MISMATCH, JSON_PROFILE, TICK_PROOF; Conflict ``known.changed``.
    """
    given = read_trust(trust_file) if trust_file else None
    ticket = open_ticket(read_json(path), given)
    named = trust_of(ticket["trust"])
    known = Known(known_file, ticket["platform"], lang)
    trust = given or known.hold(named)
    envelope = from_text(ticket["policy"])
    policy = read_payload(envelope, "policy")
    platform = next((key for key in trust.platform_keys if signers(envelope, [key])), None)
    if platform is None:
        raise CryptoError("SIG", "the policy in the ticket is not signed by the platform")
    if any(ticket[name] != policy[name] for name in ("platform", "tender", "lot", "envelope")):
        raise CryptoError("CONTEXT_MISMATCH", "the policy in the ticket is of another lot")
    check_document("policy", policy)
    if trust.officer_keys:
        chains, new = _given_keys(policy, trust), list[str]()
    else:
        chains, new = _proved_keys(ticket, trust, named, known, _kept(trust_file))
    keys = _keys_of(policy, chains, bool(trust.officer_keys))
    try:
        open_policy(envelope, platform, keys)
    except CryptoError as error:
        raise CryptoError("SIG", f"the policy in the ticket is not signed by every officer: {error.detail}") from error
    say(
        f"{ticket['title']} — {ticket['tender']} / {ticket['lot']}; policy {policy_id(policy)}: compare it with the published notice"
    )
    for officer in policy["officers"]:
        say(f"  {officer['name']} ({officer['side']}) {fingerprint('ed25519', keys[officer['sign_kid']])}")
    unproved = {one["name"]: keys[one["sign_kid"]] for one in policy["officers"] if one["name"] in new}
    first = given is None and known.trust is None
    return Ticket(
        ticket,
        policy,
        "given" if given else "enclosed" if first else "known",
        known.first_use(trust if first else None, unproved),
        partial(known.keep, replace(trust, officer_keys=()), chains),
    )


def _given_keys(policy: dict[str, Any], trust: Trust) -> dict[str, list[bytes]]:
    """Holder → key, of the officers whose keys are named outright: somebody has compared them."""
    named = {kid("ed25519", key): key for key in trust.officer_keys}
    return {one["name"]: [named[one["sign_kid"]]] for one in policy["officers"] if one["sign_kid"] in named}


def _proved_keys(
    ticket: dict[str, Any], trust: Trust, named: Trust, known: Known, kept: dict[str, list[bytes]]
) -> tuple[dict[str, list[bytes]], list[str]]:
    """(holder → chain of keys proved in the log, holders nothing older speaks for). ``kept``: chains in a ticket of an earlier day.

    Refuses: SIG, JSON_PROFILE, TICK_PROOF; Conflict ``known.changed`` for another key than the one kept or remembered.
    """
    try:
        chains = enrolled_keys(ticket, trust).chains("officer")
    except CryptoError as error:
        unknown = known.vouching(named) if trust is known.trust else None
        raise (unknown or error) from error
    for holder, chain in chains.items():
        before = kept.get(holder, [])
        if chain[: len(before)] != before:
            raise CryptoError(
                "SIG", f"{holder} has another key than in the ticket you kept, and none that follows from it"
            )
    return chains, [holder for holder in known.follow(chains) if holder not in kept]


def _keys_of(policy: dict[str, Any], chains: dict[str, list[bytes]], given: bool) -> dict[str, bytes]:
    """kid → key of every officer of the policy. Refuses: SIG for an officer without a proved or trusted key."""
    where = (
        "is none of the officers' keys you trust"
        if given
        else "is not shown to be enrolled in the log: fetch the ticket anew, or name the officers' keys with --trust"
    )
    known = {(holder, kid("ed25519", key)): key for holder, chain in chains.items() for key in chain}
    found = {}
    for officer in policy["officers"]:
        key = known.get((officer["name"], officer["sign_kid"]))
        if key is None:
            raise CryptoError("SIG", f"the key of {officer['name']} ({officer['side']}) {where}")
        found[officer["sign_kid"]] = key
    return found


def enrolled_keys(ticket: dict[str, Any], trust: Trust) -> EnrolledKeys:
    """The keys whose enrolments a ticket brings along, each proved. Refuses: SIG, SIG_TYPE, JSON_PROFILE, TICK_PROOF."""
    try:
        brought = [json.loads(text) for text in ticket.get("enrolments", ())]
    except (ValueError, RecursionError) as error:
        raise CryptoError("JSON_PROFILE", "an enrolment that is not JSON") from error
    return EnrolledKeys(brought, trust, ticket["platform"])


def _kept(trust_file: str | None) -> dict[str, list[bytes]]:
    """The officers' keys of a ticket kept from an earlier day, by holder, oldest first; nothing where bare keys or no file was given."""
    value = read_json(trust_file) if trust_file else None
    if not isinstance(value, dict) or "payload" not in value:
        return {}
    ticket = open_ticket(value)
    return enrolled_keys(ticket, trust_of(ticket["trust"])).chains("officer")
