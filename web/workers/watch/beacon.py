"""The time beacon: the newest signed checkpoint of the log, dated and signed again by a process of its own.

A document ``beacon`` ``{v, platform, checkpoint, seen_at}``: at that moment the log's newest checkpoint was this one. While the platform
runs there is a new one each tick; when it is dead the last one stands, with its date, and so leaves dated evidence of the fault.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from sqlalchemy.exc import SQLAlchemyError

from crypto import merkle
from crypto.canonical import b64u, unb64u
from crypto.checkpoints import Checkpoint, parse_vkey, verify_checkpoint
from crypto.errors import CryptoError
from crypto.keys import ed25519_public
from crypto.signatures import sign, verify
from trading.kernel import log
from trading.kernel.access import CLOCK
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import Refusal
from trading.kernel.restored import covered
from trading.kernel.work import Office
from web.workers.watch.process import Handler, folder_of, key_of, listening, write_whole

KIND = "beacon"
FILE = "beacon.json"
LOOK_SECONDS = 1
ASK_SECONDS = 5
MOST = 100_000


def make(office: Office, secret: bytes) -> dict[str, Any] | None:
    """The beacon of this moment, or None before the first tick. Refuses: SQLAlchemyError when the database is away."""
    with office.view(CLOCK) as view:
        note = log.checkpoint(view.session)
        now = view.now
    if note is None:
        return None
    document = {"v": 1, "platform": office.platform, "checkpoint": note, "seen_at": write_moment(floor_second(now))}
    return {"key": b64u(ed25519_public(secret)), "signed": sign(KIND, document, secret)}


def check(value: Any, log_key: str) -> tuple[Checkpoint, str]:
    """(checkpoint, moment) of a kept beacon. ``log_key``: the log's verifier key, from a ticket's trust. Refuses: SIG, TICK_PROOF,
    JSON_PROFILE."""
    if not isinstance(value, dict) or value.keys() != {"key", "signed"}:
        raise CryptoError("JSON_PROFILE", "not a beacon")
    document = verify(value["signed"], KIND, unb64u(value["key"], 32))
    return verify_checkpoint(document["checkpoint"], parse_vkey(log_key)), str(document["seen_at"])


def ask(address: str, log_key: str) -> tuple[str, str] | None:
    """(signed note, moment) of a beacon at its public address; None before its first checkpoint.
    Raises: OSError, CryptoError, ValueError."""
    try:
        with urlopen(address, timeout=ASK_SECONDS) as response:
            text = response.read(MOST)
    except HTTPError as error:
        if error.code == 503:
            return None
        raise
    checkpoint, seen = check(json.loads(text), log_key)
    return checkpoint.note, seen


class Beacon:
    """Publishes on ``/`` (signed JSON) and ``/checkpoint`` (the bare note); keeps the last one in a file over restarts."""

    def __init__(self, office: Office, data: Path) -> None:
        self.office, self.path, self.secret = office, folder_of(data) / FILE, key_of(data, KIND)
        self.text = self.path.read_bytes() if self.path.exists() else b""
        self.note = ""

    def turn(self) -> bool:
        """Look once; True if there is a new checkpoint. A database that is away leaves the last one standing, and so
        does one whose log does not continue it: an older copy, or another history."""
        try:
            made = make(self.office, self.secret)
            if made is None:
                return False
            note = note_of(made)
            if note == self.note or not self._continues(note):
                return False
        except (SQLAlchemyError, Refusal, OSError):
            return False
        self.text, self.note = json.dumps(made, separators=(",", ":")).encode() + b"\n", note
        write_whole(self.path, self.text)
        return True

    def _continues(self, note: str) -> bool:
        """Whether a newer checkpoint of our database extends the one that was published last."""
        before = self.note or (note_of(json.loads(self.text)) if self.text else "")
        if not before or note == before:
            return True
        key = log.log_key(self.office.platform, self.office.keys)
        try:
            old, new = verify_checkpoint(before, key), verify_checkpoint(note, key)
            with self.office.view(CLOCK) as view:
                proof = log.consistency_proof(view.session, old.size, new.size) if old.size <= new.size else []
            merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)
        except CryptoError:
            with self.office.view(CLOCK) as view:  # lost, and by the log's own word
                return covered(view.session, self.office.keys.public, old)
        return True

    def run(self, host: str, port: int, stop: threading.Event, on_ready: Any = None) -> None:
        beacon = self

        class Answers(Handler):
            def do_GET(self) -> None:
                text = beacon.text
                if self.path not in ("/", "/beacon.json", "/checkpoint") or not text:
                    self.answer(404 if text else 503, b"", "text/plain")
                elif self.path == "/checkpoint":
                    self.answer(
                        200,
                        note_of(json.loads(text)).encode(),
                        "text/plain; charset=utf-8",
                        Access_Control_Allow_Origin="*",
                    )
                else:
                    self.answer(200, text, "application/json", Access_Control_Allow_Origin="*")

            do_HEAD = do_GET

        with listening(Answers, host, port) as real:
            self.turn()
            if on_ready:
                on_ready(real)
            while not stop.wait(LOOK_SECONDS):
                self.turn()


def note_of(made: dict[str, Any]) -> str:
    """The checkpoint in a beacon of our own making."""
    document = verify(made["signed"], KIND, unb64u(made["key"], 32))
    return str(document["checkpoint"])
