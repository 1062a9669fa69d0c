"""The escrow opening of a public draw, on the officer's side: read, checked and answered without a server (protocol §6).

A party that does not reveal gains nothing: from ``opens_at`` of the draw's policy the officers open the escrow header it left. Before it
opens a box the client holds the commit list, signed by the platform and every party, against the logged commits. Pure: no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from crypto.canonical import b64u, loads, unb64u
from crypto.documents import check_document, open_document, open_policy
from crypto.draws import check_escrow
from crypto.errors import CryptoError
from crypto.headers import Header, open_share
from crypto.keys import x25519_public
from crypto.opening import commit_list_id
from crypto.policies import policy_id
from crypto.signatures import document_hash, payload_of, verify_any
from crypto.trust import Trust
from trading.opening.files import DRAW, EnrolledKeys, bad, header_name, in_log

PLATFORM = "platform"


@dataclass(frozen=True)
class CheckedDraw:
    """A draw whose escrows an officer may open: ``set`` names the commit list, ``headers`` the escrows by hash."""

    policy: dict[str, Any]
    set: str
    draw: str
    headers: Mapping[str, Header]
    officer_keys: Mapping[str, bytes]


def check_draw(value: Mapping[str, Any], trust: Trust, *, now: str) -> CheckedDraw:
    """Check the package of ``hall.package.escrow_package``. ``now``: the officer's own clock.

    Refuses: UNAVAILABLE before ``opens_at``, SIG, SIG_TYPE, JSON_PROFILE, TICK_PROOF, CONTEXT_MISMATCH, HEADER_*.
    """
    if value.get("type") != DRAW or value.get("v") != 1:
        raise bad("not the package of a draw's escrow, version 1")
    try:
        return _check(value, trust, now)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise bad(f"the package has another form: {error!r}"[:200]) from error


def _check(value: Mapping[str, Any], trust: Trust, now: str) -> CheckedDraw:
    keys = EnrolledKeys(value["enrolments"], trust, value["platform"])
    officer_keys = keys.by_kid("officer")
    policy = _policy(value["policies"][-1], trust, officer_keys)
    in_log(value["policy_receipts"][-1], trust, "policy", document_hash(policy))
    if now < policy["opens_at"]:
        raise CryptoError("UNAVAILABLE", f"no escrow is opened before {policy['opens_at']}")
    notice, _ = verify_any(value["notice"], "draw-notice", trust.platform_keys)
    check_document("draw-notice", notice)
    in_log(value["notice_receipt"], trust, "draw-notice", document_hash(notice))
    if (
        notice["policy"] != policy_id(policy)
        or notice["draw"] != f"{policy['tender']}/{policy['envelope'].removeprefix('draw:')}"
    ):
        raise CryptoError("CONTEXT_MISMATCH", "a notice of another policy or draw")
    signing = {party: _keys_of(party, keys, trust) for party in notice["parties"]}
    listing = _listing(value["listing"], signing)
    in_log(value["listing_receipt"], trust, "commit-list", document_hash(listing))
    if listing["of"] != notice["draw"] or not (
        len(listing["entries"]) == len(value["commits"]) == len(value["commit_receipts"]) == len(notice["parties"])
    ):
        raise CryptoError("CONTEXT_MISMATCH", "a commit list of another draw, or not of every party")
    raws = {}
    for text in value["headers"]:
        raw = unb64u(text)
        raws[header_name(raw)] = raw
    headers = {}
    rows = zip(notice["parties"], value["commits"], value["commit_receipts"], listing["entries"], strict=True)
    for party, envelope, receipt, listed in rows:
        commit, _ = verify_any(envelope, "draw-commit", signing[party])
        check_document("draw-commit", commit)
        found = in_log(receipt, trust, "draw-commit", document_hash(commit))
        if b64u(found.c) != listed or (commit["draw"], commit["party"]) != (notice["draw"], party):
            raise CryptoError("CONTEXT_MISMATCH", "a commit that is not the listed one")
        if commit["header_hash"] not in raws:
            raise CryptoError("SET_CONFLICT", "an escrow that was committed to is missing")
        headers[commit["header_hash"]] = check_escrow(
            raws[commit["header_hash"]], draw=notice["draw"], party=party, policy=notice["policy"]
        )
    if set(raws) != set(headers):
        raise CryptoError("SET_CONFLICT", "an escrow that nobody committed to")
    return CheckedDraw(policy, commit_list_id(listing), notice["draw"], headers, officer_keys)


def release_escrows(checked: CheckedDraw, *, j: int, secret: bytes, now: str) -> dict[str, Any]:
    """Officer j's ``shares`` document over the escrows. ``secret``: of this draw's scope. Refuses: CONTEXT_MISMATCH."""
    officers = checked.policy["officers"]
    if not 1 <= j <= len(officers) or b64u(x25519_public(secret)) != officers[j - 1]["pk"]:
        raise CryptoError("CONTEXT_MISMATCH", "not this officer's key of this draw")
    items = []
    for name, header in sorted(checked.headers.items(), key=lambda pair: unb64u(pair[0])):
        part, code = b"", ""
        try:
            part = open_share(header, j, secret)
        except CryptoError as error:
            code = error.code
        items.append({"header_hash": name, "part": b64u(part), "error": code})
    document = {"v": 1, "at": now, "set": checked.set, "j": j, "items": items}
    check_document("shares", document)
    return document


def _policy(envelope: Any, trust: Trust, officer_keys: Mapping[str, bytes]) -> dict[str, Any]:
    fault = CryptoError("SIG", "no platform key")
    for key in trust.platform_keys:
        try:
            return open_policy(envelope, key, officer_keys)
        except CryptoError as error:
            fault = error
    raise fault


def _keys_of(party: str, keys: EnrolledKeys, trust: Trust) -> list[bytes]:
    """Whose keys stand for a party of a draw: the platform's own, or those of the one tenderee or supervisor handed over."""
    if party == PLATFORM:
        return list(trust.platform_keys)
    found = keys.of_role(party)
    if not found:
        raise CryptoError("SIG", f"no enrolled key of the {party}")
    return found


def _listing(envelope: Any, signing: Mapping[str, list[bytes]]) -> dict[str, Any]:
    """The commit list, signed by each party with one of its keys, and by nobody else."""
    claimed = loads(payload_of(envelope))
    check_document("commit-list", claimed)
    fault = CryptoError("SIG", "no keys")
    for publics in product(*signing.values()):
        try:
            return open_document(envelope, "commit-list", *publics)
        except CryptoError as error:
            fault = error
    raise fault
