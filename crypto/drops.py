"""The digest drop's two documents: a digest signed by its holder, and the ticket that says when it came.

``drop-digest``: ``{v, platform, digest}``, signed by the bidder's key; ``digest`` is the hash of the signed submission, which binds the
tender, the lot, the bidder, the header and the sealed bytes without telling any of them. ``drop-ticket``: ``{v, platform, digest, key,
kid, sig, at}``, signed by the drop: ``key`` and ``sig`` (base64url) prove the holder's signature again, ``at`` is the drop's moment.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from crypto.canonical import b64u, dumps, parse_time, unb64u
from crypto.errors import CryptoError
from crypto.keys import check_ed25519_public, ed25519_public, ed25519_verify, kid
from crypto.signatures import Envelope, pae, payload_type, sign, verify

DIGEST, TICKET = "drop-digest", "drop-ticket"


@dataclass(frozen=True)
class DropTicket:
    """A verified ticket. ``at``: protocol time."""

    digest: str
    kid: str
    at: str


def make_digest(platform: str, digest: str, secret: bytes) -> dict[str, Any]:
    """What a bidder hands to the drop: the signed digest and the key that verifies it."""
    unb64u(digest, 32)
    return {
        "key": b64u(ed25519_public(secret)),
        "signed": sign(DIGEST, {"v": 1, "platform": platform, "digest": digest}, secret),
    }


def open_digest(value: Any, platform: str) -> tuple[str, bytes, bytes]:
    """(digest, public key, signature) of a signed digest. Refuses: SIG, SIG_TYPE, JSON_PROFILE."""
    if type(value) is not dict or value.keys() != {"key", "signed"} or type(value["key"]) is not str:
        raise CryptoError("JSON_PROFILE", "a signed digest is exactly key and signed")
    public = unb64u(value["key"], 32)
    check_ed25519_public(public)
    document = verify(value["signed"], DIGEST, public)
    _check(document, {"v", "platform", "digest"}, platform)
    return str(document["digest"]), public, _signature(value["signed"])


def make_ticket(value: Any, platform: str, at: str, secret: bytes) -> Envelope:
    """The drop's ticket for a signed digest. Refuses: as ``open_digest``."""
    digest, public, signature = open_digest(value, platform)
    return sign(
        TICKET,
        {
            "v": 1,
            "platform": platform,
            "digest": digest,
            "key": b64u(public),
            "kid": kid("ed25519", public),
            "sig": b64u(signature),
            "at": at,
        },
        secret,
    )


def open_ticket(envelope: Any, drop_key: bytes, platform: str) -> DropTicket:
    """A ticket signed by the drop, whose holder's signature still verifies. Refuses: SIG, SIG_TYPE, JSON_PROFILE."""
    document = verify(envelope, TICKET, drop_key)
    _check(document, {"v", "platform", "digest", "key", "kid", "sig", "at"}, platform)
    public = unb64u(str(document["key"]), 32)
    parse_time(document["at"])
    payload = dumps({"v": 1, "platform": platform, "digest": document["digest"]})
    if document["kid"] != kid("ed25519", public):
        raise CryptoError("SIG", "the ticket names another key")
    ed25519_verify(public, unb64u(str(document["sig"]), 64), pae(payload_type(DIGEST), payload))
    return DropTicket(str(document["digest"]), str(document["kid"]), str(document["at"]))


def _check(document: Any, names: set[str], platform: str) -> None:
    if type(document) is not dict or document.keys() != names or document["v"] != 1 or document["platform"] != platform:
        raise CryptoError("JSON_PROFILE", "not a document of this drop")
    if type(document["digest"]) is not str:
        raise CryptoError("JSON_PROFILE", "a digest is a text")
    unb64u(document["digest"], 32)


def _signature(envelope: Envelope) -> bytes:
    try:
        return base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise CryptoError("SIG", "sloppy base64") from error
