"""What the sealing benches share: a policy of five officers with a quorum of three, and their keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import headers, sealed_bid
from crypto.canonical import b64u
from crypto.headers import TAG
from crypto.keys import derive_key_pair, new_secret
from crypto.policies import SIDES, check_policy


@dataclass(frozen=True)
class Officers:
    """A policy and the X25519 secrets of its officers, by index from 1."""

    policy: dict[str, Any]
    secrets: dict[int, bytes]

    def seed(self, header: headers.Header) -> bytes:
        """What the hall does with a bid's boxes: a quorum opens its shares, they are checked and joined."""
        quorum = list(self.secrets)[: header.t]
        return headers.join_shares(header, {j: headers.open_share(header, j, self.secrets[j]) for j in quorum})


def officers(t: int = 3, n: int = 5) -> Officers:
    pairs = [derive_key_pair(new_secret()) for _ in range(n)]
    policy = {
        "v": 1, "suite": headers.SUITE, "platform": "bench.example", "tender": "T-1", "lot": "T-1-1", "envelope": "bid",
        "serial": 1, "supersedes": "", "t": t, "n": n, "co_opening": False, "window": 30,
        "deadline": "2026-12-01T01:00:00Z", "opens_at": "2026-12-01T01:30:00Z", "max_plen": headers.MAX_PLEN,
        "mirror": "none", "rescue": False, "file_names": True,
        "officers": [
            {"name": f"Officer {at + 1}", "side": SIDES[at % len(SIDES)], "pk": b64u(public), "sign_kid": b64u(bytes([at] * 16))}
            for at, (_, public) in enumerate(pairs)
        ],
    }  # fmt: skip
    check_policy(policy)
    return Officers(policy, {at + 1: secret for at, (secret, _) in enumerate(pairs)})


def seal_file(group: Officers, source: Path, target: Path) -> sealed_bid.Sealed:
    """File to file, as `bidhall seal` does it."""
    with source.open("rb") as stream, target.open("wb") as out:
        item = sealed_bid.FileIn(source.name, source.stat().st_size, stream)
        return sealed_bid.seal(group.policy, bidder="B-1", announce={"price": "8180000.00"}, files=[item], out=out)


def open_file(group: Officers, sealed: Path, target: Path, sealed_root: bytes) -> sealed_bid.Opened:
    """Boxes, join, re-derivation, root and decryption, file to file."""
    with sealed.open("rb") as stream:
        header = sealed_bid.read_header(stream)
        seed = group.seed(header)
        stream.seek(0)
        with target.open("wb") as out:
            return sealed_bid.open(stream, seed, lambda _: out, sealed_root)


PIECE = 1 << 20
RAW = "raw AES-256-GCM, MiB by MiB"
"""The name of the rival below: a plain loop on one thread that encrypts or decrypts and proves nothing else."""


def raw_encrypt(source: Path, target: Path) -> None:
    aes = AESGCM(bytes(32))
    with source.open("rb") as stream, target.open("wb") as out:
        for number, piece in enumerate(iter(lambda: stream.read(PIECE), b"")):
            out.write(aes.encrypt(number.to_bytes(12, "big"), piece, None))


def raw_decrypt(source: Path, target: Path) -> None:
    aes = AESGCM(bytes(32))
    with source.open("rb") as stream, target.open("wb") as out:
        for number, piece in enumerate(iter(lambda: stream.read(PIECE + TAG), b"")):
            out.write(aes.decrypt(number.to_bytes(12, "big"), piece, None))
