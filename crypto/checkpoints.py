"""Signed notes and what stands in them: checkpoints, cosignatures, tlog-proof texts, tlog-tiles paths and bundles.

Implements C2SP signed-note, tlog-checkpoint, tlog-cosignature (type 0x04), tlog-proof@v1 and tlog-tiles, as far as the
protocol, section 4, uses them: one log per platform, no extension lines. Any flaw in a note: TICK_PROOF.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from crypto.canonical import MAX_INT
from crypto.errors import CryptoError
from crypto.keys import check_ed25519_public, ed25519_public, ed25519_sign, ed25519_verify

LOG_KEY, COSIGNER_KEY = 1, 4
TILE_HEIGHT, TILE_WIDTH = 8, 256
_PROOF_HEAD = "c2sp.org/tlog-proof@v1\n"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


@dataclass(frozen=True)
class NoteKey:
    """A key that signs notes: its name, kind (LOG_KEY or COSIGNER_KEY) and 32-byte Ed25519 public key."""

    name: str
    kind: int
    public: bytes

    @property
    def key_hash(self) -> bytes:
        """The first 4 bytes of SHA-256(name, newline, kind, public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes((self.kind,)) + self.public).digest()[:4]

    def __str__(self) -> str:
        body = base64.b64encode(bytes((self.kind,)) + self.public).decode()
        return f"{self.name}+{self.key_hash.hex()}+{body}"


def parse_vkey(text: str) -> NoteKey:
    """The key of a `name+hash+key` text. Refuses: TICK_PROOF for another form, kind, hash or a bad key."""
    name, _, rest = text.partition("+")
    wanted, _, body = rest.partition("+")
    raw = _unbase64(body)
    if not _is_name(name) or len(raw) != 33 or raw[0] not in (LOG_KEY, COSIGNER_KEY):
        raise CryptoError("TICK_PROOF", "not a verifier key")
    key = NoteKey(name, raw[0], raw[1:])
    if key.key_hash.hex() != wanted:
        raise CryptoError("TICK_PROOF", "a verifier key with another hash")
    try:
        check_ed25519_public(key.public)
    except CryptoError as error:
        raise CryptoError("TICK_PROOF", error.detail) from error
    return key


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: the log's origin, size and root, and who cosigned it when (unix seconds)."""

    origin: str
    size: int
    root: bytes
    note: str = field(repr=False)
    cosigned: tuple[tuple[str, int], ...] = ()

    def cosigned_by(self, moment: int, quorum: int) -> bool:
        """Whether `quorum` witnesses had cosigned by that unix second; true where no witness is asked for."""
        return sum(1 for _, at in self.cosigned if at <= moment) >= quorum


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The three lines that are signed."""
    if not _is_name(origin) or not 0 <= size <= MAX_INT or len(root) != 32:
        raise ValueError("not an origin, size and root")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def sign_checkpoint(origin: str, size: int, root: bytes, secret: bytes) -> str:
    """A checkpoint signed by the log key: a complete note."""
    text = checkpoint_text(origin, size, root)
    key = NoteKey(origin, LOG_KEY, ed25519_public(secret))
    return text + "\n" + _line(key, ed25519_sign(secret, text.encode()))


def cosign(note: str, name: str, secret: bytes, timestamp: int) -> str:
    """The witness's signature line over a checkpoint note, to be added below it; `timestamp` in unix seconds.

    The witness has verified the note and its consistency with the last one it cosigned.
    """
    text, _ = _split_note(note)
    key = NoteKey(name, COSIGNER_KEY, ed25519_public(secret))
    signature = ed25519_sign(secret, _cosigned_message(text, timestamp))
    return _line(key, timestamp.to_bytes(8, "big") + signature)


def add_cosignatures(note: str, lines: Iterable[str]) -> str:
    """The note with more signature lines; a line that is there already is not doubled."""
    _, have = note.split("\n\n", 1)
    known = set(have.splitlines(keepends=True))
    return note + "".join(line for line in dict.fromkeys(lines) if line not in known)


def verify_checkpoint(note: str, log_key: NoteKey, witnesses: Sequence[NoteKey] = ()) -> Checkpoint:
    """The checkpoint of a note signed by the log key, with the witnesses' cosignatures that verify.

    Signatures of unknown keys are ignored; one that claims a known key and does not verify refuses the note.
    """
    if type(note) is not str:
        raise CryptoError("TICK_PROOF", "not a signed note")
    return _verified(note, log_key, tuple(witnesses))


@lru_cache(maxsize=64)  # many proofs under one checkpoint: its signatures are verified once
def _verified(note: str, log_key: NoteKey, witnesses: tuple[NoteKey, ...]) -> Checkpoint:
    text, lines = _split_note(note)
    parts = text.split("\n")
    if len(parts) != 4 or parts[3] or parts[0] != log_key.name or not _NUMBER.fullmatch(parts[1]):
        raise CryptoError("TICK_PROOF", "not a checkpoint of this log")
    size, root = int(parts[1]), _unbase64(parts[2])
    if len(root) != 32 or size > MAX_INT:
        raise CryptoError("TICK_PROOF", "a checkpoint's root has 32 bytes")
    signed = False
    cosigned: dict[str, int] = {}
    keys = {(key.name, key.key_hash): key for key in (log_key, *witnesses)}
    for name, key_hash, blob in lines:
        key = keys.get((name, key_hash))
        if key is None:
            continue
        try:
            if key.kind == LOG_KEY:
                ed25519_verify(key.public, blob, text.encode())
                signed = signed or key == log_key
            else:
                at = int.from_bytes(blob[:8], "big")
                ed25519_verify(key.public, blob[8:], _cosigned_message(text, at))
                cosigned[str(key)] = min(at, cosigned.get(str(key), at))
        except CryptoError as error:
            raise CryptoError("TICK_PROOF", "a signature of the checkpoint does not verify") from error
    if not signed:
        raise CryptoError("TICK_PROOF", "the checkpoint lacks the log's signature")
    return Checkpoint(parts[0], size, root, note, tuple(sorted(cosigned.items())))


def signed_as(note: str) -> tuple[str, bytes]:
    """(name, key hash) that the first signature of a note claims, unproved; ("", b"") of what is no note. To say whose it is."""
    try:
        _, lines = _split_note(note)
    except CryptoError:
        return "", b""
    name, key_hash, _ = lines[0]
    return name, key_hash


def proof_text(index: int, path: Sequence[bytes], note: str) -> str:
    """The tlog-proof@v1 text: inclusion of leaf `index` in the tree of the checkpoint `note`."""
    hashes = "".join(base64.b64encode(item).decode() + "\n" for item in path)
    return f"{_PROOF_HEAD}index {index}\n{hashes}\n{note}"


def parse_proof(text: str) -> tuple[int, list[bytes], str]:
    """(index, path, checkpoint note) of a tlog-proof@v1 text. Refuses: TICK_PROOF."""
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 2 or lines[0] + "\n" != _PROOF_HEAD or not lines[1].startswith("index "):
        raise CryptoError("TICK_PROOF", "not a tlog-proof@v1")
    number = lines[1][6:]
    path = [_unbase64(line) for line in lines[2:]]
    if not _NUMBER.fullmatch(number) or any(len(item) != 32 for item in path) or len(path) > 63:
        raise CryptoError("TICK_PROOF", "not an index and a path of hashes")
    return int(number), path, note


# tlog-tiles


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of the tile of hashes at `level` (a tile is 8 tree levels); partial if narrower than 256."""
    return f"tile/{level}/{_tile_number(index)}{_partial(width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path of the bundle of leaves number `index`."""
    return f"tile/entries/{_tile_number(index)}{_partial(width)}"


def tile_paths(size: int) -> list[str]:
    """Every tile and entry bundle a log of `size` leaves consists of, in a fixed order."""
    paths, level, count = [], 0, size
    while count:
        for index in range(-(-count // TILE_WIDTH)):
            width = min(TILE_WIDTH, count - index * TILE_WIDTH)
            paths.append(tile_path(level, index, width))
            if level == 0:
                paths.append(entries_path(index, width))
        count //= TILE_WIDTH
        level += 1
    return paths


def entry_bundle(leaves: Iterable[bytes]) -> bytes:
    """Leaves as tlog-tiles bundle them: each with its length as two bytes before it."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def parse_entry_bundle(data: bytes) -> list[bytes]:
    """The leaves of a bundle. Refuses: TICK_PROOF for a bundle cut off in a leaf."""
    leaves, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data):
            raise CryptoError("TICK_PROOF", "an entry bundle is cut off")
        leaves.append(data[at + 2 : end])
        at = end
    return leaves


def _tile_number(index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def _partial(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError("a tile is 1 to 256 wide")
    return "" if width == TILE_WIDTH else f".p/{width}"


# notes


def _line(key: NoteKey, blob: bytes) -> str:
    return f"— {key.name} {base64.b64encode(key.key_hash + blob).decode()}\n"


def _cosigned_message(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    if type(note) is not str or len(note) > 100_000 or any(ord(c) < 32 and c != "\n" for c in note):
        raise CryptoError("TICK_PROOF", "not a signed note")
    body, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise CryptoError("TICK_PROOF", "not a signed note")
    lines = []
    for line in tail[:-1].split("\n"):
        mark, _, rest = line.partition(" ")
        name, _, blob = rest.partition(" ")
        raw = _unbase64(blob)
        if mark != "—" or not _is_name(name) or len(raw) < 5:
            raise CryptoError("TICK_PROOF", "not a signature line")
        lines.append((name, raw[:4], raw[4:]))
    return body + "\n", lines


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise CryptoError("TICK_PROOF", "not base64") from error
    if base64.b64encode(data).decode() != text:
        raise CryptoError("TICK_PROOF", "sloppy base64")
    return data
