"""The header of a sealed bid: who, for what, under which keys; and everything that follows from one seed.

Implements the protocol, sections 3 and 3.1. A header is a function of (seed, context): whoever recovers the seed builds
it again and compares byte for byte (REDERIVE). So either every set of t honest officers opens a header, all to the same
seed, or none does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from crypto import hpke, shares
from crypto.canonical import D, H, b64u, dumps, loads, same, unb64u
from crypto.errors import CryptoError

SUITE = "sb1-x25519-sha256-aes256gcm"
CHUNK = 524_288
TAG = 16
MIN_PLEN, MAX_PLEN = 65_536, 2**40
MAX_HEADER = 65_536
_SMALL = 8192
MAX_OFFICERS = 15
CTX_KEYS = frozenset(
    (
        "v",
        "suite",
        "platform",
        "tender",
        "lot",
        "envelope",
        "bidder",
        "policy",
        "t",
        "n",
        "officers",
        "co_opening",
        "bidder_key",
        "plen",
    )
)
_TEXTS = ("suite", "platform", "tender", "lot", "envelope", "bidder", "policy")


def padme(n: int) -> int:
    """Padmé: n rounded up so that its binary form has few significant bits; n itself below 2."""
    if n < 2:
        return n
    e = n.bit_length() - 1
    b = e - e.bit_length()
    return n if b <= 0 else -(-n >> b) << b


def padded(n: int) -> int:
    """The length of a content of n bytes after padding."""
    return max(MIN_PLEN, padme(n))


def chunk_count(plen: int) -> int:
    """How many chunks a content of `plen` bytes has."""
    return -(-plen // CHUNK)


def sealed_size(header_length: int, plen: int) -> int:
    """The size in bytes of the whole sealed file."""
    return 12 + header_length + plen + TAG * chunk_count(plen)


@dataclass(frozen=True)
class Box:
    """One share, sealed: for officer j, or for the bidder (j = 0)."""

    j: int
    enc: bytes
    ct: bytes
    c: bytes


@dataclass(frozen=True)
class Header:
    """A header of the right schema, with its hashes. Says nothing about whether its boxes are honest."""

    raw: bytes = field(repr=False)
    ctx: dict[str, Any]
    boxes: dict[int, Box] = field(repr=False)
    commit: bytes = field(repr=False)
    ctx_hash: bytes = field(repr=False)
    header_hash: bytes

    @property
    def t(self) -> int:
        return int(self.ctx["t"])

    @property
    def plen(self) -> int:
        return int(self.ctx["plen"])

    @property
    def co_opening(self) -> bool:
        return bool(self.ctx["co_opening"])

    @property
    def size(self) -> int:
        """The size of the sealed file this header belongs to."""
        return sealed_size(len(self.raw), self.plen)


def parse_header(raw: bytes) -> Header:
    """Refuses: HEADER_CANONICAL, HEADER_SCHEMA, SUITE_UNKNOWN. The value may be shared: nobody changes it."""
    return _parse_known(bytes(raw)) if len(raw) <= _SMALL else _parse(raw)


def _parse(raw: bytes) -> Header:
    if len(raw) > MAX_HEADER:
        raise CryptoError("HEADER_SCHEMA", "a header of more than 65536 bytes")
    try:
        value = loads(raw)
    except CryptoError as error:
        raise CryptoError("HEADER_CANONICAL", error.detail) from error
    try:
        if type(value) is not dict or value.keys() != {"boxes", "commit", "ctx"}:
            raise CryptoError("HEADER_SCHEMA", "a header is exactly boxes, commit, ctx")
        ctx = value["ctx"]
        check_ctx(ctx)
        commit = unb64u(value["commit"], 32)
        boxes = _boxes(value["boxes"], ctx)
    except CryptoError as error:
        if error.code == "SUITE_UNKNOWN":
            raise
        raise CryptoError("HEADER_SCHEMA", error.detail) from error
    return Header(raw, ctx, boxes, commit, H("ctx", dumps(ctx)), H("header", raw))


_parse_known = lru_cache(maxsize=512)(_parse)
"""An opening looks at the same headers again and again: for each officer, for the join, for the list."""


def read_text(text: str) -> Header:
    """A header kept as base64url. Refuses: as `parse_header`, JSON_PROFILE."""
    return _read_known(text) if len(text) <= _SMALL else parse_header(unb64u(text))


_read_known = lru_cache(maxsize=512)(lambda text: parse_header(unb64u(text)))


def hash_of_text(text: str) -> str:
    """The hash (base64url) of a header kept as base64url, "" for a text that holds none."""
    try:
        return b64u(read_text(text).header_hash)
    except CryptoError:
        return ""


def check_ctx(ctx: Any) -> None:
    """The rules of a context. Refuses: HEADER_SCHEMA, SUITE_UNKNOWN, JSON_PROFILE."""
    if type(ctx) is not dict or ctx.keys() != CTX_KEYS:
        raise CryptoError("HEADER_SCHEMA", "a context has exactly its fourteen keys")
    for name in _TEXTS:
        if type(ctx[name]) is not str or not 1 <= len(ctx[name].encode("utf-8", "surrogatepass")) <= 128:
            raise CryptoError("HEADER_SCHEMA", f"{name} is a text of 1 to 128 bytes")
    if any(type(ctx[name]) is not int for name in ("v", "t", "n", "plen")) or type(ctx["co_opening"]) is not bool:
        raise CryptoError("HEADER_SCHEMA", "a number that is none, or a flag that is none")
    if ctx["v"] != 1:
        raise CryptoError("HEADER_SCHEMA", "a context of another version")
    if ctx["suite"] != SUITE:
        raise CryptoError("SUITE_UNKNOWN", "no other suite is known, and none is fallen back to")
    officers = ctx["officers"]
    if not 2 <= ctx["t"] <= ctx["n"] <= MAX_OFFICERS or type(officers) is not list or len(officers) != ctx["n"]:
        raise CryptoError("HEADER_SCHEMA", "2 <= t <= n <= 15, and n officers")
    if len({unb64u(pk, 32) for pk in officers}) != ctx["n"]:
        raise CryptoError("HEADER_SCHEMA", "an officer twice")
    if ctx["co_opening"]:
        unb64u(ctx["bidder_key"], 32)
    elif ctx["bidder_key"] != "":
        raise CryptoError("HEADER_SCHEMA", "a bidder's key without co-opening")
    if not MIN_PLEN <= ctx["plen"] <= MAX_PLEN or padded(ctx["plen"]) != ctx["plen"]:
        raise CryptoError("HEADER_SCHEMA", "plen is no padded length")


def _boxes(rows: Any, ctx: Mapping[str, Any]) -> dict[int, Box]:
    wanted = list(range(0 if ctx["co_opening"] else 1, ctx["n"] + 1))
    if type(rows) is not list or len(rows) != len(wanted):
        raise CryptoError("HEADER_SCHEMA", "one box for each holder of a share")
    boxes = {}
    for j, row in zip(wanted, rows, strict=True):
        if type(row) is not dict or row.keys() != {"j", "enc", "ct", "c"} or type(row["j"]) is not int or row["j"] != j:
            raise CryptoError("HEADER_SCHEMA", "a box is exactly j, enc, ct, c, and they stand in order")
        boxes[j] = Box(j, unb64u(row["enc"], 32), unb64u(row["ct"], 48), unb64u(row["c"], 32))
    return boxes


# from the seed


def make_header(seed: bytes, ctx: dict[str, Any]) -> bytes:
    """The one header of this seed in this context. Refuses: what `check_ctx` refuses.

    Raises ValueError for an officer's key of small order: no policy may hold one.
    """
    if len(seed) != 32:
        raise ValueError("a seed has 32 bytes")
    check_ctx(ctx)
    ctx_hash = H("ctx", dumps(ctx))
    rows = []
    for j, part in sorted(make_parts(seed, ctx).items()):
        public = unb64u(ctx["officers"][j - 1] if j else ctx["bidder_key"], 32)
        enc, ct = hpke.seal(public, _info(j, ctx_hash), part, ikm=D(seed, ctx_hash, f"ephemeral/{j}"))
        rows.append({"j": j, "enc": b64u(enc), "ct": b64u(ct), "c": b64u(share_commit(ctx_hash, j, part))})
    return dumps({"boxes": rows, "commit": b64u(D(seed, ctx_hash, "commit")), "ctx": ctx})


def make_parts(seed: bytes, ctx: Mapping[str, Any]) -> dict[int, bytes]:
    """Every share of the seed by holder: 1..n the officers', 0 the bidder's where co-opening is asked for."""
    ctx_hash = H("ctx", dumps(ctx))
    own, s = {}, seed
    if ctx["co_opening"]:
        own[0] = D(seed, ctx_hash, "bidder-part")
        s = shares.xor(seed, own[0])
    coefficients = [D(seed, ctx_hash, f"shamir/{k}") for k in range(1, ctx["t"])]
    return {**own, **shares.split(s, coefficients, ctx["n"])}


def share_commit(ctx_hash: bytes, j: int, part: bytes) -> bytes:
    """c_j: what a posted share is checked against."""
    return H("share", ctx_hash, bytes((j,)), part)


def content_key(seed: bytes, header: Header) -> bytes:
    """The key of the content. It hangs on the header bytes, so that no other header can share a content."""
    return D(seed, header.header_hash, "content")


def file_salt(seed: bytes, header: Header) -> bytes:
    """The salt of the file digests in the opening list."""
    return D(seed, header.header_hash, "file-salt")


def _info(j: int, ctx_hash: bytes) -> bytes:
    return f"bidhall/sb1/share/{j}".encode() + b"\0" + ctx_hash


# towards the seed


def open_share(header: Header, j: int, secret: bytes) -> bytes:
    """The own share of officer j (0: the bidder): opened with the X25519 secret and checked against c_j.

    Refuses: SHARE_OPEN, SHARE_COMMIT: then the officer posts the code, and no share.
    """
    if j not in header.boxes:
        raise CryptoError("SHARE_OPEN", f"no box {j} in this header", index=j)
    box = header.boxes[j]
    try:
        part = hpke.open_box(secret, box.enc, box.ct, _info(j, header.ctx_hash))
    except CryptoError as error:
        raise CryptoError("SHARE_OPEN", error.detail, index=j) from error
    check_share(header, j, part)
    return part


def check_share(header: Header, j: int, part: bytes) -> None:
    """A posted share against its commitment. Refuses: SHARE_COMMIT, with the officer's index."""
    box = header.boxes.get(j)
    if box is None or len(part) != 32 or not same(share_commit(header.ctx_hash, j, part), box.c):
        raise CryptoError("SHARE_COMMIT", f"share {j} is not the one committed to", index=j)


def join_shares(header: Header, parts: Mapping[int, bytes]) -> bytes:
    """The seed from posted shares (index -> 32 bytes; 0 is the bidder's part), all of them checked first.

    A wrong share counts as none while t others are good. Refuses, in this order: BIDDER_PART_MISSING, SHARE_COMMIT of
    the bidder's part, SHARE_COMMIT of an officer's share, TOO_FEW_SHARES. The seed is not proved: see `rederive`.
    """
    if header.co_opening:
        if 0 not in parts:
            raise CryptoError("BIDDER_PART_MISSING", "the bidder's part was not posted", index=0)
        check_share(header, 0, parts[0])
    good, wrong = {}, []
    for j in sorted(j for j in parts if j):
        try:
            check_share(header, j, parts[j])
            good[j] = parts[j]
        except CryptoError as error:
            wrong.append(error)
    if len(good) < header.t and wrong:
        raise wrong[0]
    s = shares.join(good, header.t)
    return shares.xor(s, parts[0]) if header.co_opening else s


def rederive(header: Header, seed: bytes) -> None:
    """Builds the header again from the seed and compares byte for byte. Refuses: REDERIVE."""
    try:
        again = make_header(seed, header.ctx)
    except ValueError as error:
        raise CryptoError("REDERIVE", "no honest header holds such a key") from error
    if not same(again, header.raw):
        raise CryptoError("REDERIVE", "the seed gives another header")
