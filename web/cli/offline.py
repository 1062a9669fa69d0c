"""What the commands that work without a server share: trusted keys, key files, the clock, signed documents, progress.

Nothing here imports a database or Flask: bidders and officers run these on machines of their own.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from crypto import keyfiles, positional
from crypto.documents import check_document
from crypto.errors import PASSPHRASE, CryptoError
from crypto.keyfiles import Keyring
from crypto.signatures import kind_of, payload_of, verify_any
from crypto.trust import Trust, trust_of
from trading.kernel.clock import floor_second, rehearsal_clock
from trading.kernel.system_clock import SystemClock
from web.cli.common import BAD_INPUT, passphrase, read_json, say, stop

key_option = click.option(
    "--key", "key_file", required=True, metavar="KEYFILE", help="Your key file (bidhall keys new)."
)
passphrase_option = click.option(
    "--passphrase-file", metavar="FILE", help="The passphrase: first line of FILE (asked for)."
)
trust_option = click.option(
    "--trust",
    "trust_file",
    metavar="FILE",
    help="A ticket, or its trusted keys, kept from an earlier day (else those enclosed).",
)

OF_REHEARSAL = (
    "演练，不具法律效力：不证明任何真实项目",
    "REHEARSAL, no legal effect: this proves no real tender",
)
"""The first line about anything that a rehearsal signed."""


def now() -> datetime:
    """The machine's clock, to the second; the clock of a rehearsal where BIDHALL_TEST_CLOCK names one, and that is said."""
    setting = os.environ.get("BIDHALL_TEST_CLOCK")
    if setting:
        say(f"rehearsal clock: {setting}")
        return floor_second(rehearsal_clock(setting).now())
    return floor_second(SystemClock().now())


def tool() -> str:
    """Name and version of this sealer, as it stands in a submission."""
    try:
        return f"bidhall/{version('bidhall')}"
    except PackageNotFoundError:
        return "bidhall/0"


# --- trusted keys ---------------------------------------------------------------------------------------------------------


def read_trust(path: str) -> Trust:
    """The trusted keys of a file: a ticket's, or bare. Stops with exit 2 for what is neither."""
    value = read_json(path)
    try:
        if isinstance(value, dict) and "payload" in value:
            return trust_of(open_ticket(value)["trust"])
        return trust_of(value)
    except CryptoError as error:
        stop(f"{path}: no trusted keys: {error.detail} [{error.code}]", BAD_INPUT)


def trust_for(path: str | None, enclosed: Any, where: str) -> tuple[Trust, str]:
    """(keys, ``given`` or ``enclosed``): those of --trust, else those that came with the file. Exit 2 where there are none."""
    if path:
        return read_trust(path), "given"
    if enclosed is None:
        stop(f"{where}: no trusted keys came with it; name a ticket, or its trust, with --trust", BAD_INPUT)
    return trust_of(enclosed), "enclosed"


def open_ticket(envelope: Any, trust: Trust | None = None) -> dict[str, Any]:
    """A ticket signed by the platform: by a trusted key, or by one it names itself. Refuses: SIG, SIG_TYPE, JSON_PROFILE."""
    from crypto.canonical import loads

    if kind_of(envelope) != "ticket":
        raise CryptoError("SIG_TYPE", "not a ticket")
    if trust is None:
        claimed = loads(payload_of(envelope))
        trust = trust_of(
            claimed["trust"] if isinstance(claimed, dict) and isinstance(claimed.get("trust"), dict) else {}
        )
    ticket, _ = verify_any(envelope, "ticket", trust.platform_keys)
    check_document("ticket", ticket)
    found: dict[str, Any] = ticket
    return found


# --- files ----------------------------------------------------------------------------------------------------------------


def open_keys(path: str, passphrase_file: str | None, role: str) -> tuple[Keyring, str]:
    """(keyring, passphrase) of a key file of this role. Stops with exit 2 for another file, role or passphrase."""
    ring = read_json(path)
    try:
        keyfiles.check_keyring(ring)
    except CryptoError as error:
        stop(f"{path}: not a key file: {error.detail} [{error.code}]", BAD_INPUT)
    if ring["role"] != role:
        stop(f"{path}: the key file of a {ring['role']}, not of a {role}", BAD_INPUT)
    secret = passphrase(passphrase_file)
    try:
        return keyfiles.open_keyring(ring, secret), secret
    except CryptoError as error:
        stop(f"{path}: {error.detail} [{error.code}]", BAD_INPUT if error.code == PASSPHRASE else 1)


def read_signed(path: str, kind: str) -> dict[str, Any]:
    """The envelope of a signed document of this kind; whose signature it is, is not proved here. Stops with exit 2."""
    value = read_json(path)
    try:
        if kind_of(value) != kind:
            raise CryptoError("SIG_TYPE", f"not a {kind}")
        read_payload(value, kind)
    except CryptoError as error:
        stop(f"{path}: {error.detail} [{error.code}]", BAD_INPUT)
    envelope: dict[str, Any] = value
    return envelope


def read_payload(envelope: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The checked document in an envelope. Refuses: SIG, JSON_PROFILE."""
    from crypto.canonical import loads

    document = loads(payload_of(envelope))
    check_document(kind, document)
    found: dict[str, Any] = document
    return found


def there(path: str) -> Path:
    """A file that is there and can be read by its place. Stops with exit 2."""
    found = Path(path)
    if not found.is_file():
        stop(f"{path}: not a file", BAD_INPUT)
    return found


# --- progress -------------------------------------------------------------------------------------------------------------


class Progress:
    """Says on stderr how far long work has come: nothing within the first second, then once a second at most."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, max(total, 1), 0
        self._next = time.monotonic() + 1
        self._said = False
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:  # threads tell, each of its own pieces
            self._done += size
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + 1
                self._say()

    def end(self) -> None:
        if self._said:
            self._say()
            if sys.stderr.isatty():
                click.echo("", err=True)

    def _say(self) -> None:
        self._said = True
        text = f"{self._what}: {min(100, self._done * 100 // self._total)} %"
        click.echo("\r" + text if sys.stderr.isatty() else text, err=True, nl=not sys.stderr.isatty())


class Counted:
    """A file read or written through, its bytes told to a Progress."""

    def __init__(self, file: Any, progress: Progress) -> None:
        self._file, self._progress = file, progress

    def read(self, size: int = -1, /) -> bytes:
        data: bytes = self._file.read(size)
        self._progress.add(len(data))
        return data

    def write(self, data: memoryview, /) -> Any:
        self._progress.add(len(data))
        return self._file.write(data)

    def place(self, writing: bool) -> positional.Place | None:
        """Where the file stands, if it is a regular one (crypto.positional): its bytes are told too."""
        found = positional.place_of(self._file, writing=writing)
        return None if found is None else replace(found, told=self._progress.add)

    def seek(self, at: int) -> Any:
        return self._file.seek(at)
