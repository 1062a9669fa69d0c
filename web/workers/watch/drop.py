"""The digest drop (摘要寄存): takes a signed 32-byte digest when the main service cannot, and answers with a signed, dated ticket.

A process of its own: its port, its append-only file, its key; it needs no database and knows no bidder and no lot. The same digest by the
same key gets its first ticket again. A key may leave so many an hour, an address so many; nothing is listed, counted or looked up.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from datetime import datetime, timedelta
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

from crypto.canonical import b64u
from crypto.drops import make_ticket, open_digest
from crypto.errors import CryptoError
from crypto.keys import ed25519_public, kid
from crypto.signatures import payload_of
from trading.kernel.clock import Clock, floor_second, write_moment
from web.workers.watch.process import Handler, folder_of, key_of, listening

KIND = "drop"
FILE = "drop.jsonl"
MOST_BYTES = 16_384
BY_KEY, BY_ADDRESS = 20, 200
"""Digests an hour."""
MOST_LINES = 200_000
HOUR = timedelta(hours=1)
PAGE = (Path(__file__).parent / "drop.html").read_text(encoding="utf-8")


class Full(Exception):
    """Too many from one hand, or in all."""


class Drop:
    def __init__(self, platform: str, data: Path, clock: Clock) -> None:
        self.platform, self.clock, self.secret = platform, clock, key_of(data, KIND)
        self.path = folder_of(data) / FILE
        self._lock = threading.Lock()
        self._given: dict[tuple[str, str], str] = {}
        self._knocks: dict[str, deque[datetime]] = {}
        for line in lines(self.path):
            document = json.loads(payload_of(line))
            self._given[document["digest"], document["kid"]] = json.dumps(line, separators=(",", ":"))
        self._out = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @property
    def public(self) -> str:
        return b64u(ed25519_public(self.secret))

    def leave(self, value: Any, address: str) -> str:
        """The ticket for a signed digest, as JSON text; it lies synced in the file before it is answered. Refuses: CryptoError, Full."""
        digest, public, _ = open_digest(value, self.platform)
        name = kid("ed25519", public)
        with self._lock:
            if (first := self._given.get((digest, name))) is not None:
                return first
            now = self.clock.now()
            self._knock("a" + address, now, BY_ADDRESS)
            self._knock("k" + name, now, BY_KEY)
            if len(self._given) >= MOST_LINES:
                raise Full("all")
            ticket = make_ticket(value, self.platform, write_moment(floor_second(now)), self.secret)
            text = json.dumps(ticket, separators=(",", ":"))
            os.write(self._out, text.encode() + b"\n")
            os.fsync(self._out)
            self._given[digest, name] = text
            return text

    def _knock(self, who: str, now: datetime, most: int) -> None:
        held = self._knocks.setdefault(who, deque())
        while held and held[0] <= now - HOUR:
            held.popleft()
        if len(held) >= most:
            raise Full(who[:1])
        held.append(now)
        if len(self._knocks) > 10_000:
            self._knocks = {name: times for name, times in self._knocks.items() if times and times[-1] > now - HOUR}

    def run(self, host: str, port: int, stop: threading.Event, on_ready: Any = None) -> None:
        drop = self

        class Answers(Handler):
            def do_GET(self) -> None:
                if self.path == "/":
                    self.answer(200, PAGE.encode(), "text/html; charset=utf-8")
                elif self.path == "/key":
                    self.answer(
                        200, json.dumps({"platform": drop.platform, "key": drop.public}).encode(), "application/json"
                    )
                else:
                    self.answer(404, b"", "text/plain")

            do_HEAD = do_GET

            def do_POST(self) -> None:
                self.close_connection = True
                length = self.headers.get("Content-Length", "")
                if self.path != "/" or not length.isdigit() or int(length) > MOST_BYTES:
                    self.answer(404 if self.path != "/" else 413, b"", "text/plain")
                    return
                try:
                    text = drop.leave(
                        _value(self.headers.get("Content-Type", ""), self.rfile.read(int(length))),
                        self.client_address[0],
                    )
                except CryptoError as error:
                    self.answer(422, json.dumps({"code": error.code}).encode(), "application/json")
                except (ValueError, KeyError):
                    self.answer(422, b'{"code":"FORMAT"}', "application/json")
                except Full:
                    self.answer(429, b'{"code":"drop.wait"}', "application/json", Retry_After="3600")
                except OSError:
                    self.answer(503, b'{"code":"drop.no_room"}', "application/json")
                else:
                    self.answer(
                        200,
                        text.encode(),
                        "application/json",
                        Content_Disposition='attachment; filename="drop-ticket.json"',
                    )

        with listening(Answers, host, port) as real:
            if on_ready:
                on_ready(real)
            stop.wait()


def _value(media: str, body: bytes) -> Any:
    """The signed digest of a request: JSON itself, or the file ``digest`` of a form."""
    if media.startswith("multipart/form-data"):
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + media.encode("latin-1") + b"\r\n\r\n" + body)
        parts = [
            part for part in message.iter_parts() if part.get_param("name", header="content-disposition") == "digest"
        ]
        if not parts:
            raise ValueError("no file")
        body = parts[0].get_payload(decode=True) or b""  # type: ignore[assignment]
    return json.loads(body)


def lines(path: Path) -> list[Any]:
    """The tickets of a drop's file; a last line cut short by a crash was never answered and is left out."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line]
