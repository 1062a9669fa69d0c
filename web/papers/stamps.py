"""Trusted time stamps on papers (RFC 3161): asked of the authority named by ``BIDHALL_TSA``, verified before they are kept.

What is sent is the SHA-256 of a paper and a nonce, never the paper. The certificates that are trusted lie in ``tsa.pem`` of the data
folder; a stamp that does not lead to one of them is refused like one over other bytes. Anybody checks it later with
``openssl ts -verify -data paper.pdf -in paper.tsr -CAfile tsa.pem``.
"""

from __future__ import annotations

import hashlib
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from trading.kernel.errors import NotReady
from web.settings import Settings

ANCHORS = "tsa.pem"
SECONDS = 8
MOST_BYTES = 65_536


@dataclass(frozen=True)
class Stamp:
    """``answer``: the authority's answer as it came; ``at``: the time it names."""

    answer: bytes
    at: datetime


def ready(settings: Settings) -> bool:
    return bool(settings.tsa)


def stamp(settings: Settings, paper: bytes) -> Stamp:
    """A verified stamp over a paper. Refuses: NotReady ``stamp.none`` (not configured), ``stamp.no_anchor`` (no trusted certificate),
    ``stamp.unreachable``, ``stamp.bad`` (refused by the authority, over other bytes, another nonce, another signer)."""
    if not settings.tsa:
        raise NotReady("stamp.none")
    roots = anchors(settings.data)
    request = TimestampRequestBuilder(data=paper, hash_algorithm=HashAlgorithm.SHA256).build()
    answer = _ask(settings.tsa, request.as_bytes())
    try:
        found = decode_timestamp_response(answer)
        builder = VerifierBuilder.from_request(request)
        for root in roots:
            builder = builder.add_root_certificate(root)
        builder.build().verify(found, hashlib.sha256(paper).digest())
        return Stamp(answer, found.tst_info.gen_time.astimezone(UTC))
    except (VerificationError, ValueError) as error:
        raise NotReady("stamp.bad", reason=str(error)[:200]) from error


def anchors(data: Path) -> list[x509.Certificate]:
    """The certificates an authority must lead to. Refuses: NotReady ``stamp.no_anchor``."""
    path = data / ANCHORS
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotReady("stamp.no_anchor", path=ANCHORS) from error


def _ask(address: str, request: bytes) -> bytes:
    if not address.startswith(("https://", "http://")):
        raise NotReady("settings.value", name="BIDHALL_TSA", value=address, expected="https://tsa.example/")
    sent = urllib.request.Request(address, data=request, headers={"Content-Type": "application/timestamp-query"})
    try:
        with urllib.request.urlopen(sent, timeout=SECONDS) as response:
            return bytes(response.read(MOST_BYTES))
    except OSError as error:
        raise NotReady("stamp.unreachable", address=address) from error
