"""Recovery sheets: a wrapped keyring as a text short enough to print, scan and, at worst, type; and a key's fingerprint in words.

Format `BKS1`, all integers big-endian, then base32 (RFC 4648, no padding):

    "BKS1" || u8 len || role || u8 len || party || u8 n || n keys || first 4 bytes of SHA-256 of all before
    key = u8 alg (0 ed25519, 1 x25519, 2 root) || u32 memory_kib || u8 passes || salt 16 || iv 12 || pub 32 || ct 48

On paper: one QR code of `BIDHALL-KEY:` and the base32 text, and the same text in numbered lines, each with a check of its own, so that a
slip of the pen is found in its line. It holds what the key file holds, no more: without the passphrase it opens nothing.
"""

import re
from base64 import b32decode, b32encode
from binascii import Error
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from crypto.canonical import H, b64u, unb64u
from crypto.errors import CryptoError
from crypto.keyfiles import check_keyring, key_id
from crypto.receipts import word_list

MAGIC, MARK = b"BKS1", "BIDHALL-KEY:"
ALGORITHMS = ("ed25519", "x25519", "root")
A_LINE, A_GROUP = 40, 5
_FIELDS = (("salt", 16), ("iv", 12), ("pub", 32), ("ct", 48))
_MISREAD = str.maketrans({"0": "O", "1": "I", "8": "B"})
"""Digits that base32 does not have, as the letters they were."""
_LINE = re.compile(r"\s*(\d{1,2})[\s.:]+([A-Z2-7018\s]+?)\s*", re.ASCII)


def key_words(alg: str, public: bytes, language: str) -> list[str]:
    """Twelve words (`zh` or `en`) of a public key, to be read to each other: 132 bits, so that nobody can make a second key for them."""
    words = word_list(language)
    bits = int.from_bytes(H("kid", alg.encode(), b"\0", public)[:17], "big") >> 4
    return [words[bits >> 11 * place & 2047] for place in range(11, -1, -1)]


def pack(ring: Mapping[str, Any]) -> str:
    """The base32 text of a keyring's wrapped keys. Refuses: JSON_PROFILE for what is none."""
    check_keyring(ring)
    out = bytearray(MAGIC)
    for name in ("role", "party"):
        text = ring[name].encode()
        out += bytes([len(text)]) + text
    out.append(len(ring["keys"]))
    for file in ring["keys"]:
        if file["alg"] not in ALGORITHMS:
            raise CryptoError("JSON_PROFILE", "no key of a party")
        out += bytes([ALGORITHMS.index(file["alg"])]) + file["memory_kib"].to_bytes(4, "big") + bytes([file["passes"]])
        for name, length in _FIELDS:
            out += unb64u(file[name], length)
    out += sha256(out).digest()[:4]
    return b32encode(out).decode().rstrip("=")


def code_text(ring: Mapping[str, Any]) -> str:
    """What the QR code of a sheet holds."""
    return MARK + pack(ring)


def lines_of(ring: Mapping[str, Any]) -> list[str]:
    """The numbered lines of a sheet: `01 ABCDE … 7Q`, the last two characters the check of the line."""
    text = pack(ring)
    rows = [text[at : at + A_LINE] for at in range(0, len(text), A_LINE)]
    return [
        f"{no:02d} {' '.join(row[at : at + A_GROUP] for at in range(0, len(row), A_GROUP))} {_check(no, row)}"
        for no, row in enumerate(rows, start=1)
    ]


def _check(no: int, row: str) -> str:
    return b32encode(sha256(f"{no}:{row}".encode()).digest())[:2].decode()


def restore(text: str) -> dict[str, Any]:
    """The keyring of a sheet, from what its code holds or from its lines as typed (case and spaces do not matter).

    Refuses: FORMAT, naming every line that is wrong or missing; JSON_PROFILE.
    """
    given = text.strip().upper()
    if given.startswith(MARK):
        return unpack("".join(given[len(MARK) :].split()))
    return unpack(_typed(given))


def _typed(text: str) -> str:
    rows: dict[int, str] = {}
    wrong: set[str] = set()
    for at, line in enumerate((line for line in text.splitlines() if line.strip()), start=1):
        found = _LINE.fullmatch(line)
        body = "".join(found[2].split()).translate(_MISREAD) if found else ""
        no, row, check = int(found[1]) if found else at, body[:-2], body[-2:]
        if not row or check != _check(no, row):
            wrong.add(f"{no:02d}")
        rows[no] = row
    most = max(rows, default=0)
    wrong |= {f"{no:02d}" for no in range(1, most + 1) if no not in rows or (no < most and len(rows[no]) != A_LINE)}
    if wrong or not rows:
        raise CryptoError("FORMAT", "lines to look at again: " + (", ".join(sorted(wrong)) or "01"))
    return "".join(rows[no] for no in sorted(rows))


def unpack(text: str) -> dict[str, Any]:
    """The keyring of a base32 text. Refuses: FORMAT (cut short, altered, of another kind), JSON_PROFILE."""
    try:
        raw = b32decode(text + "=" * (-len(text) % 8))
    except (Error, ValueError) as error:
        raise CryptoError("FORMAT", "not the text of a recovery sheet") from error
    if len(raw) < 12 or raw[:4] != MAGIC or sha256(raw[:-4]).digest()[:4] != raw[-4:]:
        raise CryptoError("FORMAT", "the text of the sheet is not whole: a last line may be missing")
    reader = _Reader(raw[4:-4])
    role, party = (reader.take(reader.take(1)[0]).decode("utf-8", "replace") for _ in range(2))
    ring = {
        "type": "bidhall-keyring",
        "v": 1,
        "party": party,
        "role": role,
        "keys": [_key(reader) for _ in range(reader.take(1)[0])],
    }
    if reader.rest:
        raise CryptoError("FORMAT", "more on the sheet than its keys")
    check_keyring(ring)
    return ring


class _Reader:
    def __init__(self, rest: bytes) -> None:
        self.rest = rest

    def take(self, count: int) -> bytes:
        if len(self.rest) < count:
            raise CryptoError("FORMAT", "the sheet ends too soon")
        found, self.rest = self.rest[:count], self.rest[count:]
        return found


def _key(reader: _Reader) -> dict[str, Any]:
    place = reader.take(1)[0]
    if place >= len(ALGORITHMS):
        raise CryptoError("FORMAT", "a key of an unknown kind")
    file: dict[str, Any] = {
        "alg": ALGORITHMS[place],
        "kdf": "argon2id",
        "lanes": 1,
        "memory_kib": int.from_bytes(reader.take(4), "big"),
        "passes": reader.take(1)[0],
        "type": "bidhall-key",
        "v": 1,
    }
    file |= {name: b64u(reader.take(length)) for name, length in _FIELDS}
    return file | {"kid": key_id(file["alg"], file["pub"])}
