"""Who should have signed each kind of document, by which keys (claim A1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crypto import signatures
from crypto.documents import open_document, open_opened, open_policy
from crypto.errors import CryptoError
from crypto.keys import kid
from crypto.policies import policy_id
from crypto.signatures import verify_all, verify_quorum
from crypto.trust import Trust
from web.verifier.material import BID, Document, Entry, Material


def check_signers(material: Material, kind: str, claimed: dict[str, Any], envelope: Any, entry: Entry) -> None:
    """Documents with one signer. Refuses: SIG where that is not who should have signed."""
    trust = material.trust
    if kind in ("published", "opening-set", "bid-failed", "draw-notice", "draw", "ranking"):
        signatures.verify_any(envelope, kind, trust.platform_keys)
    elif kind in ("bidder-part", "rescue"):
        bidder = _bidder_of(material, claimed["header_hash"])
        signatures.verify_any(envelope, kind, material.public_keys(bidder, ("bidder",), entry))
    elif kind in ("submission", "withdrawal", "omission-claim"):
        signatures.verify_any(envelope, kind, material.public_keys(claimed["bidder"], ("bidder",), entry))
    elif kind in ("late-close", "finding", "mirror-ack"):
        signatures.verify_any(envelope, kind, trust.supervisor_keys)
    elif kind in ("drill", "shares"):
        part = entry.value["envelope"]
        officer = officer_key(
            material, part, claimed["j"], claimed["policy"] if kind == "drill" else material.opened_under(part)
        )
        open_document(envelope, kind, officer)
    elif kind in ("draw-commit", "draw-reveal"):
        signatures.verify_any(envelope, kind, _party_keys(material, claimed["party"], entry))
    elif kind in ("sheet-commit", "sheet"):
        signatures.verify_any(envelope, kind, material.public_keys(claimed["expert"], ("expert", "tenderee"), entry))
    elif kind == "draw-void":
        _by_a_platform_key(trust, lambda key: verify_quorum(envelope, kind, (key,), trust.supervisor_keys, 1))
    else:
        raise CryptoError("SIG", f"nobody is known to sign a {kind}")


def _bidder_of(material: Material, header_hash: str) -> str:
    return next(
        (str(d.value["bidder"]) for d in material.of_kind("submission") if d.value["header_hash"] == header_hash), ""
    )


def officer_key(material: Material, envelope: str, j: int, policy: str) -> bytes:
    """The signing key of officer j under the named policy. Refuses: SIG."""
    for entry in material.of_event("policy", envelope=envelope):
        document = material.documents.get(entry.value["statement"])
        if document is None or policy_id(document.value) != policy or not 1 <= j <= document.value["n"]:
            continue
        return _key_of(material, document.value["officers"][j - 1], entry)
    raise CryptoError("SIG", f"no enrolled key of officer {j}")


def _key_of(material: Material, officer: Mapping[str, Any], entry: Entry) -> bytes:
    """The key a policy binds an officer to: the officer's own, enrolled by the tick of the policy. Refuses: SIG."""
    for public in material.enrolled_by(officer["name"], "officer", entry):
        if kid("ed25519", public) == officer["sign_kid"]:
            return public
    raise CryptoError("SIG", f"no key of officer {officer['name']} that was enrolled by then")


def _party_keys(material: Material, party: str, entry: Entry) -> Iterable[bytes]:
    """A draw's parties: the platform; the tenderee (its purchaser's key); a supervisor; or a bidder by its code."""
    if party == "platform":
        return material.trust.platform_keys
    if party == "tenderee":
        return material.public_keys(str(material.lot.get("purchaser", "")), ("tenderee",), entry)
    if party == "supervisor":
        return material.trust.supervisor_keys
    return material.public_keys(party, ("bidder",), entry)


def check_many(material: Material, document: Document) -> None:
    """Documents with several signers: policies, opening lists, commit lists."""
    trust = material.trust
    if document.kind == "policy":
        entries = [e for e in material.logged(document) if e.event == "policy"]
        for entry in entries:
            officers = {one["sign_kid"]: _key_of(material, one, entry) for one in document.value["officers"]}
            _by_a_platform_key(trust, lambda key, officers=officers: open_policy(document.envelope, key, officers))
    elif document.kind == "opened":
        part = next((str(e.value["envelope"]) for e in material.logged(document)), BID)
        policy = material.chain(part)[-1]
        keys = [officer_key(material, part, j, policy_id(policy)) for j in range(1, policy["n"] + 1)]
        came = len(material.of_event("shares", envelope=part))
        least = min(policy["t"], came) or 1
        _by_a_platform_key(trust, lambda key: open_opened(document.envelope, key, keys, least))
    else:
        others = _list_signers(material, document)
        _by_a_platform_key(trust, lambda key: verify_all(document.envelope, "commit-list", [key, *others]))


def _list_signers(material: Material, document: Document) -> list[bytes]:
    """Of a draw its parties but the platform, of score sheets the experts: those whose commitments stand in the list, their key of then."""
    keys: list[bytes] = []
    (listed,) = material.logged(document)
    for c in document.value["entries"]:
        entry = material.entries.get(c)
        if entry is None:
            raise CryptoError("SIG", f"a listed commitment that is not here: {c}")
        claimed = material.spoken_of(entry).value
        if entry.event == "sheet-commit":
            found = material.public_keys(claimed["expert"], ("expert", "tenderee"), listed)
        elif claimed["party"] == "platform":
            continue
        else:
            found = list(_party_keys(material, claimed["party"], listed))
        signed = signatures.signers(document.envelope, found)
        if not signed:
            raise CryptoError("SIG", "a commit list that a party did not sign")
        keys.append(signed[0])
    return list(dict.fromkeys(keys))


def _by_a_platform_key(trust: Trust, check: Any) -> None:
    fault = CryptoError("SIG", "no platform key")
    for key in trust.platform_keys:
        try:
            check(key)
            return
        except CryptoError as error:
            fault = error
    raise fault
