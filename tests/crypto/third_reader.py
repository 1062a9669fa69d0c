"""A third reader of sealed bids, written from docs/formats/sealed-bid.md alone: standard library and primitives of `cryptography`, nothing
of ours. If it and the product disagree, the document is wrong or one of them is. It is slow and holds everything in memory.
"""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK, TAG = 524_288, 16


class Refused(Exception):
    """args[0]: a code of the document"""


def need(holds: bool, code: str) -> None:
    if not holds:
        raise Refused(code)


# 1. ground rules


def H(tag: str, *parts: bytes) -> bytes:
    return hashlib.sha256(b"bidhall/sb1/" + tag.encode() + b"\0" + b"".join(parts)).digest()


def hkdf_expand(prk: bytes, info: bytes, length: int) -> bytes:
    out, block, n = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([n]), "sha256")
        out, n = out + block, n + 1
    return out[:length]


def D(ikm: bytes, salt: bytes, label: str, length: int = 32) -> bytes:
    return hkdf_expand(hmac.digest(salt, ikm, "sha256"), b"bidhall/sb1/" + label.encode(), length)


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64u(text: object, length: int) -> bytes:
    need(
        isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]*", text) is not None and len(text) % 4 != 1,
        "JSON_PROFILE",
    )
    data = base64.urlsafe_b64decode(str(text) + "=" * (-len(str(text)) % 4))
    need(b64u(data) == text and len(data) == length, "JSON_PROFILE")
    return data


def cj(value: Any, level: int = 0) -> str:
    need(level <= 16, "JSON_PROFILE")
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        need(abs(value) <= 2**53 - 1, "JSON_PROFILE")
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(cj(one, level + 1) for one in value) + "]"
    need(
        isinstance(value, dict) and all(re.fullmatch(r"[a-z][a-z0-9_]{0,39}", key, re.ASCII) for key in value),
        "JSON_PROFILE",
    )
    return "{" + ",".join(f'"{key}":{cj(value[key], level + 1)}' for key in sorted(value)) + "}"


def read_cj(data: bytes, code: str) -> dict:
    try:
        value = json.loads(data.decode("utf-8"))
        need(cj(value).encode("utf-8") == data, code)
    except (Refused, ValueError, RecursionError) as fault:
        raise Refused(code) from fault
    return value


# 4. the file and its header


def padme(n: int) -> int:
    if n < 2:
        return n
    e = n.bit_length() - 1
    b = e - e.bit_length()
    return n if b <= 0 else (n + 2**b - 1) // 2**b * 2**b


def padded(n: int) -> int:
    return max(65_536, padme(n))


def check_header(header: Any) -> None:
    need(isinstance(header, dict) and set(header) == {"boxes", "commit", "ctx"}, "HEADER_SCHEMA")
    ctx, boxes = header["ctx"], header["boxes"]
    names = {"platform", "tender", "lot", "envelope", "bidder", "policy", "suite"}
    need(
        isinstance(ctx, dict) and set(ctx) == names | {"v", "t", "n", "officers", "co_opening", "bidder_key", "plen"},
        "HEADER_SCHEMA",
    )
    need(all(isinstance(ctx[k], str) and 1 <= len(ctx[k].encode()) <= 128 for k in names), "HEADER_SCHEMA")
    need(
        all(type(ctx[k]) is int for k in ("v", "t", "n", "plen")) and type(ctx["co_opening"]) is bool and ctx["v"] == 1,
        "HEADER_SCHEMA",
    )
    need(ctx["suite"] == "sb1-x25519-sha256-aes256gcm", "SUITE_UNKNOWN")
    need(
        2 <= ctx["t"] <= ctx["n"] <= 15 and isinstance(ctx["officers"], list) and len(ctx["officers"]) == ctx["n"],
        "HEADER_SCHEMA",
    )
    need(len({unb64u(pk, 32) for pk in ctx["officers"]}) == ctx["n"], "HEADER_SCHEMA")
    if ctx["co_opening"]:
        unb64u(ctx["bidder_key"], 32)
    else:
        need(ctx["bidder_key"] == "", "HEADER_SCHEMA")
    need(65_536 <= ctx["plen"] <= 2**40 and padded(ctx["plen"]) == ctx["plen"], "HEADER_SCHEMA")
    unb64u(header["commit"], 32)
    wanted = list(range(0 if ctx["co_opening"] else 1, ctx["n"] + 1))
    need(isinstance(boxes, list) and len(boxes) == len(wanted), "HEADER_SCHEMA")
    for j, box in zip(wanted, boxes, strict=True):
        need(
            isinstance(box, dict) and set(box) == {"j", "enc", "ct", "c"} and type(box["j"]) is int and box["j"] == j,
            "HEADER_SCHEMA",
        )
        for key, length in (("enc", 32), ("ct", 48), ("c", 32)):
            unb64u(box[key], length)


class File:
    """A well-formed sealed file. Refuses, in this order: FORMAT, SIZE, HEADER_CANONICAL, HEADER_SCHEMA or SUITE_UNKNOWN, SIZE."""

    def __init__(self, data: bytes) -> None:
        need(len(data) >= 12 and data[:8] == b"BIDSEAL1", "FORMAT")
        h = int.from_bytes(data[8:12], "big")
        need(h <= 65_536, "FORMAT")
        need(len(data) >= 12 + h, "SIZE")
        self.raw = data[12 : 12 + h]
        self.header = read_cj(self.raw, "HEADER_CANONICAL")
        try:
            check_header(self.header)
        except Refused as fault:
            raise Refused("SUITE_UNKNOWN" if fault.args[0] == "SUITE_UNKNOWN" else "HEADER_SCHEMA") from fault
        self.ctx = self.header["ctx"]
        self.count = -(-self.ctx["plen"] // CHUNK)
        need(len(data) == 12 + h + self.ctx["plen"] + TAG * self.count, "SIZE")
        self.ctx_hash, self.header_hash = H("ctx", cj(self.ctx).encode()), H("header", self.raw)
        self.chunks = [data[at : at + CHUNK + TAG] for at in range(12 + h, len(data), CHUNK + TAG)]
        self.root = tree([hashlib.sha256(piece).digest() for piece in [data[: 12 + h], *self.chunks]])

    def box(self, j: int) -> dict:
        return next(box for box in self.header["boxes"] if box["j"] == j)


def tree(entries: list[bytes]) -> bytes:
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    k = 1 << ((len(entries) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + tree(entries[:k]) + tree(entries[k:])).digest()


# 5. from seed to header: GF(2^8), HPKE


def times(a: int, b: int) -> int:
    out = 0
    while b:
        out ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return out


def power(a: int, n: int) -> int:
    out = 1
    for _ in range(n):
        out = times(out, a)
    return out


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def labelled(suite: bytes, prk_or_salt: bytes, label: bytes, value: bytes, length: int | None = None) -> bytes:
    if length is None:
        return hmac.digest(prk_or_salt or bytes(32), b"HPKE-v1" + suite + label + value, "sha256")
    return hkdf_expand(prk_or_salt, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + value, length)


KEM, SUITE = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"


def derive_key_pair(ikm: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(labelled(KEM, labelled(KEM, b"", b"dkp_prk", ikm), b"sk", b"", 32))


def hpke_key(shared: bytes, enc: bytes, pk: bytes, info: bytes) -> tuple[bytes, bytes]:
    secret = labelled(KEM, labelled(KEM, b"", b"eae_prk", shared), b"shared_secret", enc + pk, 32)
    context = b"\0" + labelled(SUITE, b"", b"psk_id_hash", b"") + labelled(SUITE, b"", b"info_hash", info)
    prk = labelled(SUITE, secret, b"secret", b"")
    return labelled(SUITE, prk, b"key", context, 32), labelled(SUITE, prk, b"base_nonce", context, 12)


def make_header(seed: bytes, ctx: dict) -> bytes:
    ctx_hash = H("ctx", cj(ctx).encode())
    part_0 = D(seed, ctx_hash, "bidder-part")
    terms = [
        xor(seed, part_0) if ctx["co_opening"] else seed,
        *(D(seed, ctx_hash, f"shamir/{k}") for k in range(1, ctx["t"])),
    ]
    boxes = []
    for j in range(0 if ctx["co_opening"] else 1, ctx["n"] + 1):
        part = part_0
        if j:
            part = bytes(32)
            for k, term in enumerate(terms):
                part = xor(part, bytes(times(byte, power(j, k)) for byte in term))
        pk = unb64u(ctx["officers"][j - 1] if j else ctx["bidder_key"], 32)
        own = derive_key_pair(D(seed, ctx_hash, f"ephemeral/{j}"))
        enc = own.public_key().public_bytes_raw()
        key, nonce = hpke_key(own.exchange(X25519PublicKey.from_public_bytes(pk)), enc, pk, share_info(j, ctx_hash))
        ct = AESGCM(key).encrypt(nonce, part, b"")
        boxes.append({"j": j, "enc": b64u(enc), "ct": b64u(ct), "c": b64u(H("share", ctx_hash, bytes([j]), part))})
    return cj({"boxes": boxes, "commit": b64u(D(seed, ctx_hash, "commit")), "ctx": ctx}).encode()


def share_info(j: int, ctx_hash: bytes) -> bytes:
    return f"bidhall/sb1/share/{j}".encode() + b"\0" + ctx_hash


def open_box(file: File, j: int, secret: bytes) -> bytes:
    """An officer's part from box j. Refuses: SHARE_OPEN, SHARE_COMMIT."""
    own, box = X25519PrivateKey.from_private_bytes(secret), file.box(j)
    enc = unb64u(box["enc"], 32)
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(enc))
        key, nonce = hpke_key(shared, enc, own.public_key().public_bytes_raw(), share_info(j, file.ctx_hash))
        part = AESGCM(key).decrypt(nonce, unb64u(box["ct"], 48), b"")
    except (InvalidTag, ValueError) as fault:
        raise Refused("SHARE_OPEN") from fault
    need(good_part(file, j, part), "SHARE_COMMIT")
    return part


def good_part(file: File, j: int, part: bytes) -> bool:
    return hmac.compare_digest(b64u(H("share", file.ctx_hash, bytes([j]), part)), file.box(j)["c"])


# 6 and 9. opening


def open_bid(data: bytes, signed_root: bytes, parts: dict[int, bytes]) -> tuple[dict, list[bytes], list[str]]:
    """(manifest, bytes of each file, their digests). Refuses in the order of the document: the shape of the file, SEALED_ROOT,
    BIDDER_PART_MISSING, SHARE_COMMIT, TOO_FEW_SHARES, REDERIVE, CHUNK_AUTH, MANIFEST, PADDING."""
    file = File(data)
    need(file.root == signed_root, "SEALED_ROOT")
    seed = join(file, parts)
    need(make_header(seed, file.ctx) == file.raw, "REDERIVE")
    aes = AESGCM(D(seed, file.header_hash, "content"))
    content = b""
    for i, chunk in enumerate(file.chunks):
        try:
            content += aes.decrypt(i.to_bytes(11, "big") + bytes([i == file.count - 1]), chunk, b"")
        except InvalidTag as fault:
            raise Refused("CHUNK_AUTH") from fault
    manifest, at = read_manifest(content)
    files, digests = [], []
    for item in manifest["files"]:
        files.append(content[at : at + item["size"]])
        at += item["size"]
        salt, sha = D(seed, file.header_hash, "file-salt"), hashlib.sha256(files[-1]).digest()
        digests.append(b64u(H("file", salt, cj(item).encode(), sha)))
    need(not any(content[at:]), "PADDING")
    return manifest, files, digests


def copied(bids: list[tuple[File, dict[int, bytes], bytes]]) -> list[bool]:
    """Which bids of a set, each (file, posted parts, seed of a rescue or b""), share enc or ct of a box with one that re-derives and do not
    re-derive themselves."""

    def is_own(file: File, parts: dict[int, bytes], seed: bytes) -> bool:
        try:
            known = [seed, join(file, parts)]
        except Refused:
            known = [seed]
        return any(one and make_header(one, file.ctx) == file.raw for one in known)

    own = [is_own(*bid) for bid in bids]
    held = [{box[key] for box in file.header["boxes"] for key in ("enc", "ct")} for file, _, _ in bids]
    return [not own[i] and any(own[k] and held[i] & held[k] for k in range(len(bids))) for i in range(len(bids))]


def join(file: File, parts: dict[int, bytes]) -> bytes:
    if file.ctx["co_opening"]:
        need(0 in parts, "BIDDER_PART_MISSING")
        need(good_part(file, 0, parts[0]), "SHARE_COMMIT")
    officers = sorted(j for j in parts if j)
    good = [j for j in officers if good_part(file, j, parts[j])][: file.ctx["t"]]
    need(len(good) == file.ctx["t"] or all(good_part(file, j, parts[j]) for j in officers), "SHARE_COMMIT")
    need(len(good) == file.ctx["t"], "TOO_FEW_SHARES")
    secret = bytes(32)
    for j in good:
        weight = 1
        for m in good:
            if m != j:
                weight = times(weight, times(m, power(m ^ j, 254)))  # a^254 = 1/a
        secret = xor(secret, bytes(times(byte, weight) for byte in parts[j]))
    return xor(secret, parts[0]) if file.ctx["co_opening"] else secret


def read_manifest(content: bytes) -> tuple[dict, int]:
    m = int.from_bytes(content[:4], "big")
    need(m <= 1_048_576 and 4 + m <= len(content), "MANIFEST")
    manifest = read_cj(content[4 : 4 + m], "MANIFEST")
    need(isinstance(manifest, dict) and set(manifest) == {"v", "announce", "files"}, "MANIFEST")
    need(manifest["v"] == 1 and type(manifest["v"]) is int and isinstance(manifest["announce"], dict), "MANIFEST")
    need(all(isinstance(text, str) for text in manifest["announce"].values()), "MANIFEST")
    files = manifest["files"]
    need(isinstance(files, list) and len(files) <= 1000, "MANIFEST")
    for item in files:
        need(isinstance(item, dict) and set(item) == {"name", "size", "type"}, "MANIFEST")
        name = item["name"]
        need(type(item["size"]) is int and item["size"] >= 0, "MANIFEST")
        need(isinstance(name, str) and isinstance(item["type"], str) and 1 <= len(name.encode()) <= 255, "MANIFEST")
        need(name not in (".", "..") and re.search(r"[/\\\x00-\x1f\x7f]", name) is None, "MANIFEST")
    need(len({item["name"] for item in files}) == len(files), "MANIFEST")
    length = 4 + m + sum(item["size"] for item in files)
    need(length <= len(content), "MANIFEST")
    need(padded(length) == len(content), "PADDING")
    return manifest, 4 + m
