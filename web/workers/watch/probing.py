"""A probe: every ten seconds it hands in a test bid the way a bidder does (announce, send, submit, receipt) and says how that went.

It needs no database: from inside it talks to the platform's own address, from outside to the public one, and hands its signed samples in
over the same line. What could not be told yet is kept in a file and told later; what is never told counts as failed.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from crypto import keys, sealed_bid
from crypto.canonical import b64u, parse_time
from crypto.errors import CryptoError
from crypto.headers import SUITE
from crypto.signatures import payload_of, sign, verify
from trading.kernel.clock import Clock, write_moment

EVERY = timedelta(seconds=10)
TIMEOUT = 30
TUS = {"Tus-Resumable": "1.0.0"}
CONTENT = 64 * 1024
MOST_UNTOLD = 8_000
MOST_KEPT = 4 << 20
"""Bytes of samples, some six days of them; as many of before are kept beside them."""
AT_ONCE = 500
STEP, SAMPLES, RECEIPT = "probe-step", "probe-samples", "probe-receipt"


@dataclass(frozen=True)
class Result:
    """One probe. ``code``: "" if all of it went well; ``offset_ms``: the platform's clock less ours."""

    at: datetime
    ms: int
    code: str
    offset_ms: int | None

    @property
    def told(self) -> dict[str, Any]:
        return {
            "at": write_moment(self.at),
            "ms": self.ms,
            "code": self.code,
            "offset_ms": "" if self.offset_ms is None else str(self.offset_ms),
        }


def test_bid(platform: str) -> tuple[bytes, str]:
    """A real sealed bid under a policy of nobody's, and its root: keys that are thrown away, so nobody can ever open it."""

    def kid() -> str:
        return keys.kid("ed25519", keys.ed25519_public(keys.new_secret()))

    officers = [
        {"name": side, "side": side, "pk": b64u(keys.x25519_public(keys.new_secret())), "sign_kid": kid()}
        for side in ("platform", "tenderee", "supervisor")
    ]
    policy = {
        "v": 1,
        "suite": SUITE,
        "platform": platform,
        "tender": "probe",
        "lot": "0",
        "envelope": "bid",
        "serial": 1,
        "t": 2,
        "n": 3,
        "officers": officers,
        "co_opening": False,
        "deadline": "2020-01-01T00:00:00Z",
        "opens_at": "2020-01-01T00:00:00Z",
        "file_names": False,
        "max_plen": 1 << 20,
        "mirror": "none",
        "rescue": False,
        "supersedes": "",
        "window": 30,
    }
    out = io.BytesIO()
    made = sealed_bid.seal(
        policy,
        bidder="probe",
        announce={"probe": "probe"},
        out=out,
        files=[sealed_bid.FileIn("probe.bin", CONTENT, io.BytesIO(secrets.token_bytes(CONTENT)))],
    )
    return out.getvalue(), b64u(made.sealed_root)


class Probe:
    """One point. ``base``: the platform's address; ``platform``: its name in signed documents; ``key``: the platform's public key, to check
    its receipts with, or None to take them unchecked; ``kept``: the file of samples."""

    def __init__(
        self, base: str, point: str, secret: bytes, platform: str, clock: Clock, kept: Path, key: bytes | None = None
    ) -> None:
        self.base, self.point, self.secret, self.platform, self.clock, self.key = (
            base.rstrip("/"),
            point,
            secret,
            platform,
            clock,
            key,
        )
        self.kept = kept
        self.data, self.root = test_bid(platform)
        self._untold: deque[dict[str, Any]] = deque(_recent(kept, clock.now()), maxlen=MOST_UNTOLD)
        self._telling, self._rolling = threading.Lock(), threading.Lock()

    def once(self, at: datetime) -> Result:
        """One probe for the slot ``at``, never longer than some 30 s."""
        begun, offset = time.monotonic(), None
        try:
            offset = self._submit(begun)
            code = ""
        except HTTPError as error:
            with error:
                code = f"HTTP {error.code}"
        except (OSError, ValueError, KeyError, TypeError) as error:
            code = type(error).__name__
        except CryptoError as error:
            code = error.code
        return Result(at, int((time.monotonic() - begun) * 1000), code, offset)

    def _submit(self, begun: float) -> int:
        def left() -> float:
            return max(TIMEOUT - (time.monotonic() - begun), 0.1)

        started = json.loads(self._post("/probe/acts", self._step("announce", ""), left()))
        token = str(started["token"])
        request = Request(
            self.base + f"/probe/acts/{token}",
            data=self.data,
            method="PATCH",
            headers={**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
        )
        with urlopen(request, timeout=left()) as answer:
            if answer.headers.get("Upload-Offset") != str(len(self.data)):
                raise ValueError("not all bytes were taken")
        step = self._step("submit", token)
        sent = self.clock.now()
        receipt = json.loads(self._post(f"/probe/acts/{token}/submit", step, left()))
        heard = self.clock.now()
        document = verify(receipt, RECEIPT, self.key) if self.key else json.loads(payload_of(receipt))
        if document["root"] != self.root or document["token"] != token or document["point"] != self.point:
            raise ValueError("a receipt for something else")
        theirs = datetime.fromtimestamp(0, sent.tzinfo) + timedelta(milliseconds=int(document["ms"]))
        return (theirs - (sent + (heard - sent) / 2)) // timedelta(milliseconds=1)

    def _step(self, step: str, token: str) -> dict[str, Any]:
        return sign(
            STEP,
            {
                "v": 1,
                "platform": self.platform,
                "point": self.point,
                "step": step,
                "token": token,
                "length": len(self.data),
                "root": self.root,
                "at": write_moment(self.clock.now()),
            },
            self.secret,
        )

    def _post(self, path: str, document: Any, timeout: float) -> bytes:
        request = Request(
            self.base + path, data=json.dumps(document).encode(), headers={"Content-Type": "application/json", **TUS}
        )
        with urlopen(request, timeout=timeout) as answer:
            return bytes(answer.read(100_000))

    # --- telling ------------------------------------------------------------------------------------------------------

    def note(self, result: Result) -> None:
        """Keep a sample: in the file, and among those to be told."""
        line = json.dumps(result.told, separators=(",", ":"))
        with self._rolling:
            if self.kept.exists() and self.kept.stat().st_size > MOST_KEPT:
                self.kept.replace(before(self.kept))
        descriptor = os.open(self.kept, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode() + b"\n")
        finally:
            os.close(descriptor)
        self._untold.append(result.told)

    def tell(self) -> int:
        """Hand in what is not told yet; returns how many the platform took. Refuses: OSError while it can't be reached."""
        with self._telling:
            told = 0
            while self._untold:
                some = list(self._untold)[:AT_ONCE]
                document = {
                    "v": 1,
                    "platform": self.platform,
                    "point": self.point,
                    "samples": some,
                    "at": write_moment(self.clock.now()),
                }
                self._post("/probe/acts/samples", sign(SAMPLES, document, self.secret), 20)
                for _ in some:
                    self._untold.popleft()
                told += len(some)
            return told

    def run(self, stop: threading.Event) -> None:
        """Probe each slot in a thread of its own, so that a slow answer never makes the next one late."""
        while True:
            now = self.clock.now()
            at = now - timedelta(seconds=now.second % 10, microseconds=now.microsecond) + EVERY
            if stop.wait((at - now).total_seconds()):
                return
            threading.Thread(target=self._slot, args=(at,), daemon=True).start()

    def _slot(self, at: datetime) -> None:
        self.note(self.once(at))
        try:
            self.tell()
        except OSError:
            return  # kept, and told with a later one


def before(kept: Path) -> Path:
    """The file of the samples before those in this one."""
    return kept.with_name(f"{kept.name}.1")


def _recent(kept: Path, now: datetime) -> list[dict[str, Any]]:
    """What lies in the files of the last hours: told again after a restart, which does no harm."""
    return _tail(before(kept), now) + _tail(kept, now)


def _tail(kept: Path, now: datetime) -> list[dict[str, Any]]:
    if not kept.exists():
        return []
    found = []
    with kept.open("rb") as source:
        source.seek(max(0, kept.stat().st_size - 300_000))
        for line in source.read().splitlines():
            try:
                value = json.loads(line)
                if parse_time(value["at"]) > now - timedelta(hours=6):
                    found.append(value)
            except (ValueError, KeyError, TypeError, CryptoError):
                continue  # the first line may be cut by the seek
    return found
