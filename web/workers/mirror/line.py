"""How the platform talks to the mirror: a line a request, signed, with a time limit; what comes back counts by its signature or its root.

Implements ``trading.bidding.copies.Line``. A mirror that is away, slow or wrong is a ``LineDown``: told to nobody by whom or what it was
about.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from crypto import mirror
from crypto.canonical import b64u
from crypto.errors import CryptoError
from crypto.headers import Header
from crypto.inspection import inspect
from crypto.mirror import Facts
from crypto.signatures import Envelope, to_text
from trading.bidding.copies import LineDown
from trading.kernel.clock import Clock, floor_second, write_moment
from web.workers.mirror.server import HEADER

TIMEOUT = 30
PIECE = 1 << 20
MOST_ANSWER = 1 << 20


class Line:
    """``url``: the mirror's address; ``key``: its Ed25519 public key; ``secret``: the platform's signing key."""

    def __init__(self, url: str, key: bytes, platform: str, secret: bytes, clock: Clock) -> None:
        self.url, self.key, self.platform, self._secret, self.clock = url.rstrip("/"), key, platform, secret, clock

    def ping(self) -> None:
        """Refuses: LineDown."""
        nonce = b64u(secrets.token_bytes(16))
        value = self._ask("ping", mirror.nobody(self.platform), nonce=nonce)
        try:
            mirror.check_pong(value, self.platform, nonce, self.key)
        except CryptoError as error:
            raise LineDown("answered by somebody else") from error

    def deliver(self, facts: Facts, source: BinaryIO) -> Envelope:
        """Send what the mirror has not got yet of a sealed file, or its digests; the acknowledgement, unchecked but for its shape.

        Refuses: LineDown, OSError (our own bytes cannot be read).
        """
        state = self._ask("state", facts)
        if (ack := state.get("ack")) is not None:
            return dict(ack)
        if facts.kind == "digests":
            done = inspect(source)
            body = mirror.head_of(done.header) + done.pieces
            return _ack_of(self._ask("put", facts, body=body))
        have = state.get("have", 0)
        if type(have) is not int or not 0 <= have <= facts.size:
            raise LineDown("an offset beyond the file")
        source.seek(have)
        return _ack_of(self._ask("put", facts, offset=have, stream=source, length=facts.size - have))

    def fetch(self, facts: Facts) -> Iterator[bytes]:
        """The bytes the mirror holds of a bid, unproved. Refuses: LineDown where it has none, or breaks off."""
        with self._asked("fetch", facts) as answer:
            if answer.status != 200:
                raise LineDown(f"HTTP {answer.status}")
            left = facts.size + 1
            while left > 0 and (piece := answer.read(min(PIECE, left))):
                left -= len(piece)
                yield piece

    def prove(self, facts: Facts, header: Header, source: BinaryIO | None) -> Envelope:
        """Show the random pieces the mirror asks for; its signed finding, unchecked. Refuses: LineDown."""
        asked = self._ask("challenge", facts)
        try:
            wanted = mirror.open_answer(mirror.CHALLENGE, asked, facts, [self.key])["pieces"]
            body = _pieces(header, wanted, source)
        except CryptoError as error:
            raise LineDown("a challenge of somebody else") from error
        return self._ask("answer", facts, body=body)

    def forget(self, facts: Facts, opening_set: Envelope) -> None:
        """Tell the mirror that a bid is outside the published set. Refuses: LineDown."""
        self._ask("forget", facts, body=to_text(opening_set).encode())

    # --- the line -----------------------------------------------------------------------------------------------------

    def _ask(self, op: str, facts: Facts, **what: Any) -> dict[str, Any]:
        with self._asked(op, facts, **what) as answer:
            data = answer.read(MOST_ANSWER)
            if answer.status not in (200, 202):
                raise LineDown(f"HTTP {answer.status}")
            try:
                value = json.loads(data)
            except ValueError as error:
                raise LineDown("not a mirror's answer") from error
            if type(value) is not dict:
                raise LineDown("not a mirror's answer")
            return value

    @contextmanager
    def _asked(
        self,
        op: str,
        facts: Facts,
        *,
        nonce: str = "",
        offset: int = 0,
        body: bytes = b"",
        stream: BinaryIO | None = None,
        length: int = 0,
    ) -> Iterator[HTTPResponse]:
        at = write_moment(floor_second(self.clock.now()))
        request = mirror.make_request(
            op,
            facts,
            self._secret,
            at=at,
            nonce=nonce or b64u(secrets.token_bytes(16)),
            offset=offset,
            body=None if stream is not None else body,
        )
        headers = {
            HEADER: base64.urlsafe_b64encode(to_text(request).encode()).decode(),
            "Content-Type": "application/octet-stream",
            "Content-Length": str(length if stream is not None else len(body)),
        }
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        line = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
        try:
            line.request(
                "POST",
                f"{parts.path}/v1/{op}",
                body=_limited(stream, length) if stream is not None else body,
                headers=headers,
            )
            yield line.getresponse()
        except (OSError, HTTPException) as error:
            raise LineDown(type(error).__name__) from error
        finally:
            line.close()


def _limited(stream: BinaryIO, length: int) -> Iterator[bytes]:
    while length and (piece := stream.read(min(PIECE, length))):
        length -= len(piece)
        yield piece


def _pieces(header: Header, numbers: list[int], source: BinaryIO | None) -> bytes:
    """The pieces asked for, one after the other; what is not there is zeros, and so a miss."""
    out = bytearray()
    for number in numbers:
        offset, length = mirror.piece_at(header, number)
        data = b""
        if source is not None:
            source.seek(offset)
            data = source.read(length)
        out += data.ljust(length, b"\0")
    return bytes(out)


def _ack_of(value: dict[str, Any]) -> Envelope:
    ack = value.get("ack")
    if type(ack) is not dict:
        raise LineDown("no acknowledgement")
    return dict(ack)
