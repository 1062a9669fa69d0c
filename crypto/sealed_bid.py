"""The sealed bid as a file: inspect it without keys, seal it, open it, all of it streaming.

Implements the protocol, sections 3, 3.2 and 3.3. Memory stays flat whatever the size: a few chunks are in flight, and
threads hash and encrypt them, since both release the interpreter's lock. Works on file objects; opens none itself.
The seed is drawn here, fresh for each call, and cannot be handed in: a second content under one seed would repeat
nonces under one key.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import merkle, positional
from crypto.contents import MAX_FILES, MAX_MANIFEST, Content, ContentParser, FileIn, Sink, check_manifest, content_head
from crypto.errors import CryptoError
from crypto.headers import MAX_PLEN, Header, chunk_count, content_key, make_header, padded, parse_header, rederive
from crypto.inspection import (
    MAGIC,
    Inspection,
    Inspector,
    Reader,
    Writer,
    chunks_at,
    inspect,
    pieces_of,
    read_header,
    root_of_pieces,
)
from crypto.policies import make_ctx
from crypto.workers import Workers

__all__ = [
    "MAGIC",
    "MAX_FILES",
    "MAX_MANIFEST",
    "FileIn",
    "Inspection",
    "Inspector",
    "Opened",
    "Reader",
    "Sealed",
    "Sink",
    "Writer",
    "check_manifest",
    "content_head",
    "inspect",
    "nonce",
    "open",
    "read_header",
    "root_of_pieces",
    "seal",
]


def nonce(i: int, last: bool) -> bytes:
    """The nonce of chunk i: eleven bytes of counter and the flag of the last chunk."""
    return i.to_bytes(11, "big") + bytes((last,))


# sealing


@dataclass(frozen=True)
class Sealed:
    """What a seal call has made. `seed` alone opens the bid: it belongs in the bidder's keeper file, nowhere else."""

    header: Header
    size: int
    sealed_root: bytes
    pieces: bytes = field(repr=False)
    seed: bytes = field(repr=False)


def seal(
    policy: Mapping[str, Any],
    *,
    bidder: str,
    announce: Mapping[str, str],
    files: Sequence[FileIn],
    out: Writer,
    bidder_key: bytes = b"",
    drill: bool = False,
) -> Sealed:
    """Seals announcement and files under a policy, writing the sealed file to `out`, under a fresh seed.

    `bidder_key`: the bidder's X25519 public key, for co-opening only. `drill`: makes the drill bid every officer must
    open before publication; no bidder may bear that name.
    Refuses: CONTEXT_MISMATCH (name, key), MANIFEST (names, a stream that is longer or shorter than said), TOO_LARGE.
    """
    return _seal(os.urandom(32), policy, "drill" if drill else bidder, announce, files, out, bidder_key, drill)


def _seal(
    seed: bytes,
    policy: Mapping[str, Any],
    bidder: str,
    announce: Mapping[str, str],
    files: Sequence[FileIn],
    out: Writer,
    bidder_key: bytes,
    drill: bool = False,
) -> Sealed:
    head = content_head(announce, files)
    length = len(head) + sum(file.size for file in files)
    if length > MAX_PLEN or padded(length) > min(MAX_PLEN, policy["max_plen"]):
        raise CryptoError("TOO_LARGE", "more than the tender allows")
    ctx = make_ctx(policy, bidder=bidder, bidder_key=bidder_key, plen=padded(length), drill=drill)
    return _seal_content(
        seed, ctx, Content(head, files, padded(length)).chunks(), out, _by_position(head, files, padded(length), out)
    )


def _by_position(head: bytes, files: Sequence[FileIn], plen: int, out: Writer) -> positional.Content | None:
    """The content by position where every file and the target are regular files; None for other streams and small contents.

    Refuses: MANIFEST for a file that is longer or shorter than said.
    """
    if chunk_count(plen) < 4 or positional.place_of(out, writing=True) is None:
        return None
    places = []
    for file in files:
        place = positional.place_of(file.stream)
        if place is None:
            return None
        if place.size != file.size:
            raise CryptoError(
                "MANIFEST", f"a file is {'shorter' if place.size < file.size else 'longer'} than it was said to be"
            )
        places.append((place, file.size))
    return positional.Content(head, places, plen)


def _seal_content(
    seed: bytes, ctx: dict[str, Any], chunks: Iterator[bytes], out: Writer, content: positional.Content | None = None
) -> Sealed:
    try:
        header = parse_header(make_header(seed, ctx))
    except ValueError as error:
        raise CryptoError("CONTEXT_MISMATCH", "a key of the policy is of small order") from error
    aes, last = AESGCM(content_key(seed, header)), chunk_count(header.plen) - 1
    head = MAGIC + len(header.raw).to_bytes(4, "big") + header.raw
    pieces, tree = bytearray(hashlib.sha256(head).digest()), merkle.Frontier()
    tree.append(bytes(pieces))

    def work(i: int, plain: bytes) -> tuple[bytes, bytes]:
        sealed = aes.encrypt(nonce(i, i == last), plain, None)
        return sealed, hashlib.sha256(sealed).digest()

    out.write(memoryview(head))
    if content is not None and (place := positional.place_of(out, writing=True)) is not None:
        for digest in positional.seal_chunks(content, content_key(seed, header), nonce, last + 1, place):
            pieces += digest
            tree.append(digest)
        out.seek(place.base + header.size - len(head))  # type: ignore[attr-defined]
        return Sealed(header, header.size, tree.root(), bytes(pieces), seed)
    with Workers(last + 1) as workers:
        for _, (sealed, digest) in workers.run(work, chunks):
            out.write(memoryview(sealed))
            pieces += digest
            tree.append(digest)
    return Sealed(header, header.size, tree.root(), bytes(pieces), seed)


# opening


@dataclass(frozen=True)
class Opened:
    """An opened bid: what is announced, its files (name, size, type) and their digests for the opening list."""

    header: Header
    sealed_root: bytes
    manifest: dict[str, Any]
    digests: tuple[str, ...]
    hashes: tuple[bytes, ...] = field(repr=False)
    """SHA-256 of each file's bytes, unsalted: not for the list, it could be guessed."""

    @property
    def announce(self) -> dict[str, str]:
        return dict(self.manifest["announce"])


def open(source: Reader, seed: bytes, sink: Sink | None = None, sealed_root: bytes | None = None) -> Opened:
    """Opens a sealed file with its seed, in one pass: re-derivation, root, decryption, manifest, padding.

    `sink`: called with each manifest item in order; gives what the file's bytes are written to, or None. Bytes reach
    it before the end of the file is proved: on a refusal throw away what was written.
    `sealed_root`: the root the bidder signed. If the bytes have another, that is the refusal, whatever else is wrong.
    Refuses: SEALED_ROOT; FORMAT, SIZE, HEADER_*, SUITE_UNKNOWN; REDERIVE; CHUNK_AUTH; MANIFEST; PADDING.
    """
    try:
        header = read_header(source)
    except CryptoError as error:
        if sealed_root is not None:  # no well-formed file was accepted with this root, so these are other bytes
            raise CryptoError("SEALED_ROOT", f"not the bytes that were signed: {error}") from error
        raise
    fault: CryptoError | None = None
    try:
        rederive(header, seed)
    except CryptoError as error:
        fault = error
    try:
        place = chunks_at(source, header)
        parser = ContentParser(header, seed, sink, by_position=place is not None)
        root, broken = _decrypt(place or source, header, seed, parser, fault is None)
    except CryptoError as error:
        if error.code == "SIZE" and sealed_root is not None:
            raise CryptoError("SEALED_ROOT", f"not the bytes that were signed: {error}") from error
        raise
    if sealed_root is not None and root != sealed_root:
        raise CryptoError("SEALED_ROOT", "not the bytes that were signed")
    fault = fault or broken or parser.fault
    if fault is not None:
        raise fault
    return Opened(header, root, parser.manifest, tuple(parser.digests), tuple(parser.hashes))


def _decrypt(
    source: Reader | positional.Place, header: Header, seed: bytes, parser: ContentParser, wanted: bool
) -> tuple[bytes, CryptoError | None]:
    """(root, first chunk that does not authenticate). Hashes every piece; feeds the parser as long as all is well."""
    aes, last = AESGCM(content_key(seed, header)), chunk_count(header.plen) - 1
    tree = merkle.Frontier()
    tree.append(hashlib.sha256(MAGIC + len(header.raw).to_bytes(4, "big") + header.raw).digest())

    def work(i: int, sealed: bytes) -> tuple[bytes, bytes | None]:
        try:
            plain = aes.decrypt(nonce(i, i == last), sealed, None) if wanted else None
        except InvalidTag:
            plain = None
        return hashlib.sha256(sealed).digest(), plain

    broken = None
    if isinstance(source, positional.Place):
        key = content_key(seed, header) if wanted else None
        chunks = positional.open_chunks(source, key, nonce, header.plen, last + 1, lambda: parser.output)
        for i, (digest, view, written) in enumerate(chunks):
            tree.append(digest)
            if view is None and wanted and broken is None:
                broken = CryptoError("CHUNK_AUTH", f"chunk {i} does not authenticate")
            if view is not None and broken is None:
                parser.feed(view, written)
        return tree.root(), broken
    with Workers(last + 1) as workers:
        for i, (_, (digest, plain)) in enumerate(workers.run(work, pieces_of(source, header))):
            tree.append(digest)
            if plain is None and wanted and broken is None:
                broken = CryptoError("CHUNK_AUTH", f"chunk {i} does not authenticate")
            if plain is not None and broken is None:
                parser.feed(memoryview(plain))
    return tree.root(), broken
