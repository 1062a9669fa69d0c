"""The mirror's own process: one door, ``POST /v1/<operation>``, for requests the platform has signed; everybody else gets the same no.

Nothing is logged about what comes: no names, sizes or numbers. Answers that carry weight are signed by the mirror's key. TLS is a proxy's
work, as before the platform.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from crypto import mirror
from crypto.errors import CryptoError
from crypto.signatures import from_text
from trading.kernel.clock import Clock, floor_second, write_moment
from web.workers.mirror.store import MOST_ANSWER, PIECE, Behind, Busy, NoRoom, Store
from web.workers.watch.process import Handler, listening

KIND = "mirror"
HEADER = "Bidhall-Request"
MOST_BODY = 1 << 21
"""Bytes of a body that is no sealed file: digests of the largest bid, an opening set."""
MOST_SET = 1 << 25


class Mirror:
    """``keys``: the platform's signing keys, the present one and those of before."""

    def __init__(self, store: Store, platform: str, keys: Sequence[bytes], clock: Clock) -> None:
        self.store, self.platform, self.keys, self.clock = store, platform, tuple(keys), clock
        self._lock = threading.Lock()
        self._used: dict[str, Any] = {}

    def now(self) -> str:
        return write_moment(floor_second(self.clock.now()))

    def admit(self, text: str | None, op: str) -> dict[str, Any]:
        """The signed request of a header, used for the first time. Refuses: CryptoError, whatever is wrong."""
        try:
            envelope = from_text(base64.urlsafe_b64decode((text or "").encode("ascii")))
        except ValueError as error:
            raise CryptoError("SIG", "no request") from error
        document = mirror.open_request(envelope, self.platform, self.keys, now=self.now())
        if document["op"] != op:
            raise CryptoError("CONTEXT_MISMATCH", "signed for something else")
        now = self.clock.now()
        with self._lock:
            self._used = {
                nonce: at for nonce, at in self._used.items() if now - at < timedelta(seconds=3 * mirror.SKEW)
            }
            if document["nonce"] in self._used:
                raise CryptoError("CONTEXT_MISMATCH", "used before")
            self._used[document["nonce"]] = now
        return document

    def run(self, host: str, port: int, stop: threading.Event, on_ready: Any = None) -> None:
        place = self

        class Answers(_Answers):
            mirror = place

        with listening(Answers, host, port) as real:
            if on_ready:
                on_ready(real)
            stop.wait()


class _Answers(Handler):
    mirror: Mirror
    timeout = 60

    def do_GET(self) -> None:
        self.answer(404, b"", "text/plain")

    def do_POST(self) -> None:
        op = self.path.removeprefix("/v1/")
        length = self.headers.get("Content-Length", "")
        self.close_connection = (
            True  # a request is a line of its own: what was not read of a body is nobody's next request
        )
        try:
            document = self.mirror.admit(self.headers.get(HEADER), op)
        except CryptoError:
            self.answer(403, b"", "text/plain")
            return
        if not length.isdigit():
            self.answer(411, b"", "text/plain")
            return
        try:
            self._take(op, document, int(length))
        except Behind as error:
            self._tell(409, {"have": error.have})
        except Busy:
            self._tell(409, {"code": "busy"})
        except NoRoom:
            self._tell(507, {"code": "no_room"})
        except CryptoError as error:
            self._tell(422, {"code": error.code})
        except OSError:
            self._tell(503, {"code": "disk"})

    def _take(self, op: str, document: dict[str, Any], length: int) -> None:
        store, facts, now = self.mirror.store, mirror.facts_of(document), self.mirror.now()
        if op == "put" and facts.kind == "files":
            ack = store.take(facts, document["offset"], self._pieces(length), at=now)
            self._tell(
                200 if ack else 202, {"have": store.have(facts), "ack": ack} if ack else {"have": store.have(facts)}
            )
            return
        most = {"answer": MOST_ANSWER, "forget": MOST_SET}.get(op, MOST_BODY)
        if length > most:
            raise CryptoError("TOO_LARGE", "a body nobody asked for")
        body = self.rfile.read(length)
        mirror.check_body(document, body)
        if op == "ping":
            self._tell(200, mirror.make_pong(self.mirror.platform, document["nonce"], store.secret, at=now))
        elif op == "state":
            ack = store.ack(facts)
            self._tell(200, {"have": store.have(facts), **({"ack": ack} if ack else {})})
        elif op == "put":
            self._tell(200, {"ack": store.take_digests(facts, body, at=now)})
        elif op == "fetch":
            self._give(store.open(facts))
        elif op == "forget":
            store.forget(facts, from_text(body), self.mirror.keys)
            self._tell(200, {})
        else:
            found = store.challenge(facts, at=now) if op == "challenge" else store.check(facts, body, at=now)
            self._tell(200 if found else 404, found or {})

    def _pieces(self, length: int) -> Iterator[bytes]:
        left = length
        while left:
            piece = self.rfile.read1(min(PIECE, left))
            if not piece:
                return
            left -= len(piece)
            yield piece

    def _give(self, source: Any) -> None:
        if source is None:
            self._tell(404, {})
            return
        with source:
            size = source.seek(0, 2)
            source.seek(0)
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(size))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            while piece := source.read(PIECE):
                self.wfile.write(piece)

    def _tell(self, status: int, value: dict[str, Any]) -> None:
        self.answer(status, json.dumps(value).encode(), "application/json")
