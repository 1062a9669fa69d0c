"""The ticket `bidhall seal` starts from: whose it is, and that those who will open the bid are the officers they are said to be.

The platform's signature alone proves nothing about them: with its key somebody could write a policy that names the officers and seals to
keys of its own. So each officer's signature over the policy is checked, against a key whose enrolment stands in the proved log, or against
keys the bidder keeps from an earlier day.
"""

from __future__ import annotations

import json
from typing import Any

from crypto.documents import check_document, open_policy
from crypto.errors import CryptoError
from crypto.keys import fingerprint, kid
from crypto.policies import policy_id
from crypto.signatures import from_text, signers
from crypto.trust import Trust, trust_of
from trading.opening.files import EnrolledKeys
from web.cli.common import read_json, say
from web.cli.offline import open_ticket, read_payload, read_trust


def sealing_ticket(path: str, trust_file: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """(ticket, policy) of one lot and envelope, signed by the platform, the policy by every officer with an enrolled key.

    Refuses: SIG, SIG_TYPE, CONTEXT_MISMATCH, JSON_PROFILE, TICK_PROOF.
    """
    trust = read_trust(trust_file) if trust_file else None
    ticket = open_ticket(read_json(path), trust)
    trust = trust or trust_of(ticket["trust"])
    envelope = from_text(ticket["policy"])
    policy = read_payload(envelope, "policy")
    platform = next((key for key in trust.platform_keys if signers(envelope, [key])), None)
    if platform is None:
        raise CryptoError("SIG", "the policy in the ticket is not signed by the platform")
    if any(ticket[name] != policy[name] for name in ("platform", "tender", "lot", "envelope")):
        raise CryptoError("CONTEXT_MISMATCH", "the policy in the ticket is of another lot")
    check_document("policy", policy)
    keys = _officer_keys(ticket, policy, trust, _kept(trust_file))
    try:
        open_policy(envelope, platform, keys)
    except CryptoError as error:
        raise CryptoError("SIG", f"the policy in the ticket is not signed by every officer: {error.detail}") from error
    say(
        f"{ticket['title']} — {ticket['tender']} / {ticket['lot']}; policy {policy_id(policy)}: compare it with the published notice"
    )
    for officer in policy["officers"]:
        say(f"  {officer['name']} ({officer['side']}) {fingerprint('ed25519', keys[officer['sign_kid']])}")
    return ticket, policy


def _officer_keys(
    ticket: dict[str, Any], policy: dict[str, Any], trust: Trust, kept: dict[str, list[bytes]]
) -> dict[str, bytes]:
    """kid → key of every officer of the policy. ``kept``: holder → chain of keys in a ticket of an earlier day.

    Refuses: SIG for an officer without a proved or trusted key, or with another than the one kept.
    """
    if trust.officer_keys:
        known = {
            (officer["name"], kid("ed25519", key)): key for key in trust.officer_keys for officer in policy["officers"]
        }
        where = "is none of the officers' keys you trust"
    else:
        chains = enrolled_keys(ticket, trust).chains("officer")
        for holder, chain in chains.items():
            before = kept.get(holder, [])
            if chain[: len(before)] != before:
                raise CryptoError(
                    "SIG", f"{holder} has another key than in the ticket you kept, and none that follows from it"
                )
        known = {(holder, kid("ed25519", key)): key for holder, chain in chains.items() for key in chain}
        where = "is not shown to be enrolled in the log: fetch the ticket anew, or name the officers' keys with --trust"
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
