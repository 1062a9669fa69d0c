"""Signed documents: DSSE envelopes over canonical JSON.

Implements the protocol, section 4 (first paragraph). The signature covers the type and the exact payload bytes; the
bytes are proved first and parsed after. `keyid` is a hint for people: the keys come from the caller, who takes them
from the enrolments of the named parties.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from crypto.canonical import H, b64u, dumps, loads
from crypto.errors import CryptoError
from crypto.keys import ed25519_public, ed25519_sign, ed25519_verify, kid

Envelope = dict[str, Any]


def payload_type(kind: str) -> str:
    """The DSSE type of a kind of document, such as `submission`."""
    return f"application/vnd.bidhall.{kind}+json;v=1"


def pae(type_: str, payload: bytes) -> bytes:
    """DSSE pre-authentication encoding: what is signed."""
    name = type_.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def document_hash(document: Any) -> str:
    """The hash by which others name a document (its value, or its canonical bytes): base64url of 32 bytes."""
    payload = bytes(document) if isinstance(document, (bytes, bytearray, memoryview)) else dumps(document)
    return b64u(H("entry", payload))


def sign(kind: str, document: Any, *secrets: bytes) -> Envelope:
    """An envelope signed by each of the Ed25519 secrets, in the order given."""
    payload = dumps(document)
    type_ = payload_type(kind)
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": type_,
        "signatures": [_signature(secret, pae(type_, payload)) for secret in secrets],
    }


def countersign(envelope: Envelope, secret: bytes) -> Envelope:
    """The same envelope with one more signature. The caller has read and checked what it signs."""
    payload, type_, _ = _open(envelope)
    return {**envelope, "signatures": [*envelope["signatures"], _signature(secret, pae(type_, payload))]}


def _signature(secret: bytes, message: bytes) -> dict[str, str]:
    return {
        "keyid": kid("ed25519", ed25519_public(secret)),
        "sig": base64.b64encode(ed25519_sign(secret, message)).decode(),
    }


def verify(envelope: Any, kind: str, public: bytes) -> Any:
    """The document of an envelope signed by exactly this key.

    Refuses: SIG (shape, base64, signature, a second signature), SIG_TYPE (another kind), JSON_PROFILE.
    """
    return verify_all(envelope, kind, (public,))


def verify_any(envelope: Any, kind: str, publics: Iterable[bytes]) -> tuple[Any, bytes]:
    """(document, key) of an envelope with one signature, by one of these keys (a party whose key was rotated)."""
    payload, type_, signatures = _open(envelope)
    if len(signatures) != 1:
        raise CryptoError("SIG", "one signature expected")
    for public in publics:
        if _signed_by(public, signatures, pae(type_, payload)) is not None:
            return _document(payload, type_, kind), public
    raise CryptoError("SIG", "signed by none of the known keys")


def verify_all(envelope: Any, kind: str, publics: Sequence[bytes]) -> Any:
    """The document of an envelope with one signature of each of these keys, in any order, and no other."""
    return verify_quorum(envelope, kind, publics, (), 0)


def verify_quorum(envelope: Any, kind: str, required: Sequence[bytes], others: Sequence[bytes], at_least: int) -> Any:
    """The document of an envelope signed once by each key of `required`, by `at_least` of `others`, by nobody else."""
    payload, type_, signatures = _open(envelope)
    message = pae(type_, payload)
    left = list(signatures)
    for public in required:
        found = _signed_by(public, left, message)
        if found is None:
            raise CryptoError("SIG", "a signature is missing or does not verify")
        left.pop(found)
    came = 0
    for public in others:
        found = _signed_by(public, left, message)
        if found is not None:
            left.pop(found)
            came += 1
    if left:
        raise CryptoError("SIG", "a signature of nobody expected here")
    if came < at_least:
        raise CryptoError("SIG", f"{came} of at least {at_least} signatures")
    return _document(payload, type_, kind)


def signers(envelope: Any, publics: Iterable[bytes]) -> list[bytes]:
    """Which of these keys signed the envelope, in the order given. Says nothing about its other signatures."""
    payload, type_, signatures = _open(envelope)
    return [public for public in publics if _signed_by(public, signatures, pae(type_, payload)) is not None]


def payload_of(envelope: Any) -> bytes:
    """The payload bytes of a well-formed envelope, NOT verified: to see whose key to look up."""
    return _open(envelope)[0]


def kind_of(envelope: Any) -> str:
    """The kind an envelope claims, NOT verified. Refuses: SIG, SIG_TYPE."""
    type_ = _open(envelope)[1]
    head, tail = payload_type("|").split("|")
    if not (type_.startswith(head) and type_.endswith(tail)):
        raise CryptoError("SIG_TYPE", "not a document of ours")
    return type_[len(head) : -len(tail)]


def to_text(envelope: Envelope) -> str:
    """An envelope as the one JSON text we write: sorted keys, no spaces."""
    return json.dumps(envelope, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_text(text: str | bytes) -> Envelope:
    """An envelope from JSON text. Refuses: SIG for text that is no envelope, or names a key twice."""
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise CryptoError("SIG", "not an envelope") from error
    _open(value)
    envelope: Envelope = value
    return envelope


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _open(envelope: Any) -> tuple[bytes, str, list[bytes]]:
    if type(envelope) is not dict or set(envelope) != {"payload", "payloadType", "signatures"}:
        raise CryptoError("SIG", "not an envelope of exactly payload, payloadType, signatures")
    type_, rows = envelope["payloadType"], envelope["signatures"]
    if type(type_) is not str or type(rows) not in (list, tuple) or not rows:
        raise CryptoError("SIG", "an envelope without type or signature")
    signatures = []
    for row in rows:
        if type(row) is not dict or set(row) != {"keyid", "sig"} or type(row["keyid"]) is not str:
            raise CryptoError("SIG", "a signature is exactly keyid and sig")
        signature = _unbase64(row["sig"])
        if len(signature) != 64:
            raise CryptoError("SIG", "a signature has 64 bytes")
        signatures.append(signature)
    try:
        type_.encode()
    except UnicodeEncodeError as error:
        raise CryptoError("SIG", "a type that is no text") from error
    return _unbase64(envelope["payload"]), type_, signatures


def _unbase64(text: Any) -> bytes:
    if type(text) is not str:
        raise CryptoError("SIG", "not base64")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise CryptoError("SIG", "not base64") from error
    if base64.b64encode(data).decode() != text:
        raise CryptoError("SIG", "sloppy base64")
    return data


def _signed_by(public: bytes, signatures: Sequence[bytes], message: bytes) -> int | None:
    for i, signature in enumerate(signatures):
        try:
            ed25519_verify(public, signature, message)
        except CryptoError:
            continue
        return i
    return None


def _document(payload: bytes, type_: str, kind: str) -> Any:
    if type_ != payload_type(kind):
        raise CryptoError("SIG_TYPE", f"not a {kind}")
    document = loads(payload)
    if type(document) is not dict:
        raise CryptoError("JSON_PROFILE", "a document is an object")
    return document
