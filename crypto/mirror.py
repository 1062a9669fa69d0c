"""What passes between platform and mirror, checked on both sides without a clock, a file or a line (the protocol §5.1, Mirror).

Every request is a document ``mirror-request`` signed by the platform: what is asked, when, a number used once, and the SHA-256 of a small
body; a sealed file needs none, for it is held to the root the request names. Answers are signed by the mirror: ``mirror-ack`` (of the
protocol, logged), and ``mirror-pong``, ``mirror-challenge``, ``mirror-check``, which are not.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crypto import inspection
from crypto.canonical import b64u, parse_time, same, unb64u
from crypto.documents import check_document, sign_document
from crypto.errors import CryptoError
from crypto.headers import CHUNK, TAG, Header, chunk_count, parse_header
from crypto.inspection import MAGIC
from crypto.signatures import Envelope, sign, verify, verify_any

REQUEST, PONG, CHALLENGE, CHECK = "mirror-request", "mirror-pong", "mirror-challenge", "mirror-check"
OPERATIONS = ("ping", "state", "put", "fetch", "challenge", "answer", "forget")
KINDS = ("files", "digests")
PIECES = 32
"""How many pieces of each bid a mirror that holds only digests asks for before the shares."""
SKEW = 120
"""Seconds by which the moment of a request may be off the mirror's clock."""
_REQUEST_KEYS = {
    "v",
    "platform",
    "at",
    "nonce",
    "op",
    "tender",
    "lot",
    "envelope",
    "header_hash",
    "sealed_root",
    "size",
    "offset",
    "kind",
    "body",
}
_EMPTY = b64u(hashlib.sha256(b"").digest())


@dataclass(frozen=True)
class Facts:
    """What a bid is to a mirror: where it belongs and which bytes it is. ``kind``: ``files`` or ``digests``; ``size`` in bytes."""

    platform: str
    tender: str
    lot: str
    envelope: str
    header_hash: str
    sealed_root: str
    size: int
    kind: str

    def place(self) -> dict[str, str]:
        return {"platform": self.platform, "tender": self.tender, "lot": self.lot, "envelope": self.envelope}


def nobody(platform: str) -> Facts:
    """The facts of a request about no bid (``ping``)."""
    return Facts(platform, "", "", "", "", "", 0, "")


# --- requests ---------------------------------------------------------------------------------------------------------


def make_request(
    op: str, facts: Facts, secret: bytes, *, at: str, nonce: str, offset: int = 0, body: bytes | None = b""
) -> Envelope:
    """A signed request. ``at``: protocol time; ``body``: the bytes that go with it, None for a stream that its root speaks for."""
    document = {
        "v": 1,
        "at": at,
        "nonce": nonce,
        "op": op,
        **facts.place(),
        "header_hash": facts.header_hash,
        "sealed_root": facts.sealed_root,
        "size": facts.size,
        "offset": offset,
        "kind": facts.kind,
        "body": "" if body is None else b64u(hashlib.sha256(body).digest()),
    }
    check_request(document)
    return sign(REQUEST, document, secret)


def check_request(document: Any) -> None:
    """The exact keys and forms. Refuses: JSON_PROFILE."""
    if (
        type(document) is not dict
        or document.keys() != _REQUEST_KEYS
        or type(document["v"]) is not int
        or document["v"] != 1
    ):
        raise CryptoError("JSON_PROFILE", "not a request to a mirror")
    texts = ("platform", "op", "tender", "lot", "envelope", "kind")
    if any(type(document[name]) is not str or len(document[name].encode()) > 128 for name in texts):
        raise CryptoError("JSON_PROFILE", "texts of up to 128 bytes")
    if any(type(document[name]) is not int or not 0 <= document[name] <= 1 << 41 for name in ("size", "offset")):
        raise CryptoError("JSON_PROFILE", "sizes are whole numbers")
    parse_time(document["at"])
    unb64u(document["nonce"], 16)
    if document["op"] not in OPERATIONS:
        raise CryptoError("JSON_PROFILE", "an operation nobody knows")
    if document["body"] != "":
        unb64u(document["body"], 32)
    if document["op"] == "ping":
        if any(
            document[name]
            for name in ("tender", "lot", "envelope", "header_hash", "sealed_root", "size", "offset", "kind")
        ):
            raise CryptoError("JSON_PROFILE", "a ping speaks of no bid")
        return
    unb64u(document["header_hash"], 32)
    unb64u(document["sealed_root"], 32)
    if document["kind"] not in KINDS or not all(document[name] for name in ("tender", "lot", "envelope", "size")):
        raise CryptoError("JSON_PROFILE", "a bid has its place, its size and its kind")


def open_request(envelope: Any, platform: str, keys: Iterable[bytes], *, now: str) -> dict[str, Any]:
    """A request of this platform, not older or younger than ``SKEW`` seconds. Whether its number was used before is the caller's to know.

    Refuses: SIG, SIG_TYPE, JSON_PROFILE, CONTEXT_MISMATCH (another platform), LATE.
    """
    document, _ = verify_any(envelope, REQUEST, tuple(keys))
    check_request(document)
    if document["platform"] != platform:
        raise CryptoError("CONTEXT_MISMATCH", "a request of another platform")
    if abs((parse_time(now) - parse_time(document["at"])).total_seconds()) > SKEW:
        raise CryptoError("LATE", "a request of another time")
    found: dict[str, Any] = document
    return found


def check_body(document: Mapping[str, Any], body: bytes) -> None:
    """Refuses: CONTEXT_MISMATCH where the body is not the one that was signed."""
    if not same(document["body"].encode(), b64u(hashlib.sha256(body).digest()).encode()):
        raise CryptoError("CONTEXT_MISMATCH", "another body than the one signed")


def facts_of(document: Mapping[str, Any]) -> Facts:
    """The bid a request speaks of."""
    return Facts(**{name: document[name] for name in Facts.__dataclass_fields__})


# --- what the mirror checks -------------------------------------------------------------------------------------------


def check_header(facts: Facts, header: Header) -> None:
    """That a header is of the bid named. Refuses: CONTEXT_MISMATCH, SIZE."""
    if b64u(header.header_hash) != facts.header_hash or any(
        header.ctx[name] != value for name, value in facts.place().items()
    ):
        raise CryptoError("CONTEXT_MISMATCH", "the header of another bid")
    if header.size != facts.size:
        raise CryptoError("SIZE", f"{facts.size} bytes announced instead of {header.size}")


def head_of(header: Header) -> bytes:
    """The first bytes of a sealed file, up to its first chunk."""
    return MAGIC + len(header.raw).to_bytes(4, "big") + header.raw


def check_digests(facts: Facts, body: bytes) -> tuple[bytes, bytes]:
    """(head, pieces) of ``head || digests of all pieces``, good for the root named. Refuses: FORMAT, SIZE, SEALED_ROOT, HEADER_*,
    CONTEXT_MISMATCH."""
    if len(body) < 12 or body[:8] != MAGIC:
        raise CryptoError("FORMAT", "not the head of a sealed bid")
    length = 12 + int.from_bytes(body[8:12], "big")
    head, pieces = body[:length], body[length:]
    header = parse_header(head[12:])
    check_header(facts, header)
    if len(pieces) != 32 * (1 + chunk_count(header.plen)):
        raise CryptoError("SIZE", "digests of more or fewer pieces than the file has")
    if hashlib.sha256(head).digest() != pieces[:32] or inspection.root_of_pieces(pieces) != unb64u(
        facts.sealed_root, 32
    ):
        raise CryptoError("SEALED_ROOT", "the digests do not give the signed root")
    return head, pieces


def make_ack(facts: Facts, secret: bytes, *, at: str) -> Envelope:
    """The mirror's word that it holds the bytes, or their digests."""
    document = {
        "v": 1,
        **facts.place(),
        "at": at,
        "header_hash": facts.header_hash,
        "sealed_root": facts.sealed_root,
        "kind": facts.kind,
    }
    return sign_document("mirror-ack", document, secret)


def check_ack(envelope: Any, facts: Facts, keys: Iterable[bytes]) -> dict[str, Any]:
    """An acknowledgement of just this bid, by one of these keys. Refuses: SIG, SIG_TYPE, JSON_PROFILE, CONTEXT_MISMATCH, SEALED_ROOT."""
    document, _ = verify_any(envelope, "mirror-ack", tuple(keys))
    check_document("mirror-ack", document)
    if any(document[name] != value for name, value in facts.place().items()) or (
        document["header_hash"],
        document["kind"],
    ) != (facts.header_hash, facts.kind):
        raise CryptoError("CONTEXT_MISMATCH", "an acknowledgement of something else")
    if document["sealed_root"] != facts.sealed_root:
        raise CryptoError("SEALED_ROOT", "an acknowledgement of other bytes")
    found: dict[str, Any] = document
    return found


# --- pings and random pieces ------------------------------------------------------------------------------------------


def make_pong(platform: str, nonce: str, secret: bytes, *, at: str) -> Envelope:
    return sign(PONG, {"v": 1, "platform": platform, "nonce": nonce, "at": at}, secret)


def check_pong(envelope: Any, platform: str, nonce: str, key: bytes) -> str:
    """The mirror's moment. Refuses: SIG, SIG_TYPE, CONTEXT_MISMATCH (an answer to another ping)."""
    document = verify(envelope, PONG, key)
    if (document.get("platform"), document.get("nonce")) != (platform, nonce):
        raise CryptoError("CONTEXT_MISMATCH", "an answer to another ping")
    return str(document["at"])


def choose_pieces(count: int, below: Callable[[int], int]) -> list[int]:
    """``PIECES`` distinct pieces of ``count`` (all, if there are no more), sorted. ``below(n)``: a random whole number under n."""
    left = list(range(count))
    return sorted(left.pop(below(len(left))) for _ in range(min(PIECES, count)))


def make_challenge(facts: Facts, pieces: Sequence[int], secret: bytes, *, at: str) -> Envelope:
    return sign(
        CHALLENGE,
        {
            "v": 1,
            **facts.place(),
            "header_hash": facts.header_hash,
            "sealed_root": facts.sealed_root,
            "pieces": list(pieces),
            "at": at,
        },
        secret,
    )


def make_check(facts: Facts, pieces: Sequence[int], missed: Sequence[int], secret: bytes, *, at: str) -> Envelope:
    """The mirror's finding after the pieces came: ``missed`` names those that were not the ones whose digests it holds."""
    return sign(
        CHECK,
        {
            "v": 1,
            **facts.place(),
            "header_hash": facts.header_hash,
            "sealed_root": facts.sealed_root,
            "pieces": list(pieces),
            "missed": list(missed),
            "at": at,
        },
        secret,
    )


def open_answer(kind: str, envelope: Any, facts: Facts, keys: Iterable[bytes]) -> dict[str, Any]:
    """A challenge or a check about just this bid. Refuses: SIG, SIG_TYPE, JSON_PROFILE, CONTEXT_MISMATCH."""
    document, _ = verify_any(envelope, kind, tuple(keys))
    wanted = {"v": 1, **facts.place(), "header_hash": facts.header_hash, "sealed_root": facts.sealed_root}
    lists = ("pieces", "missed") if kind == CHECK else ("pieces",)
    if type(document) is not dict or document.keys() != {*wanted, *lists, "at"}:
        raise CryptoError("JSON_PROFILE", f"not a {kind}")
    if any(document[name] != value for name, value in wanted.items()):
        raise CryptoError("CONTEXT_MISMATCH", f"a {kind} about another bid")
    for name in lists:
        if type(document[name]) is not list or any(type(one) is not int or one < 0 for one in document[name]):
            raise CryptoError("JSON_PROFILE", f"{name} are piece numbers")
    return document


def piece_at(header: Header, number: int) -> tuple[int, int]:
    """(offset, length) of a piece of the sealed file: number 0 is the head, number i the chunk i−1. Refuses: SIZE."""
    if not 0 <= number <= chunk_count(header.plen):
        raise CryptoError("SIZE", "a piece the file does not have")
    head = 12 + len(header.raw)
    if number == 0:
        return 0, head
    offset = head + (number - 1) * (CHUNK + TAG)
    return offset, min(CHUNK + TAG, header.size - offset)


def check_pieces(header: Header, digests: bytes, wanted: Sequence[int], body: bytes) -> list[int]:
    """Which of the pieces asked for are not there or not the ones of these digests; ``body``: they, one after the other."""
    missed, at = [], 0
    for number in wanted:
        _, length = piece_at(header, number)
        if hashlib.sha256(body[at : at + length]).digest() != digests[32 * number : 32 * number + 32]:
            missed.append(number)
        at += length
    return missed
