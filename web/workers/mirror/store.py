"""What a mirror keeps, in files alone: a folder a bid, whose name tells nothing without the mirror's own secret.

In a bid's folder: ``meta.json`` what was announced; ``part`` the bytes on their way, ``sealed`` the whole file (create-only, synced before
it is named); ``head`` and ``pieces`` the head and the digests; ``ack.json`` the answer given; ``challenge.json`` and ``check.json`` the
random pieces asked for and what came of it. Nothing is listed or counted for anybody.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from crypto import mirror
from crypto.canonical import unb64u
from crypto.documents import check_document
from crypto.errors import CryptoError
from crypto.headers import CHUNK, TAG, chunk_count, parse_header
from crypto.inspection import Inspector, inspect
from crypto.keys import ed25519_public
from crypto.mirror import Facts
from crypto.signatures import Envelope, verify_any
from trading.kernel.blobs import sync_folder
from trading.kernel.faults import fault
from web.settings import secret_of
from web.workers.watch.process import write_whole

PIECE = 1 << 20
RESERVE = 1 << 30
KEY, NAMES = "mirror.key", "names.key"


class Behind(Exception):
    """Bytes were sent from another place than where the file ends. ``have``: where that is."""

    def __init__(self, have: int) -> None:
        super().__init__(str(have))
        self.have = have


class Busy(Exception):
    """Another line is just sending this bid."""


class NoRoom(Exception):
    """The disk's reserve would be touched."""


class Store:
    """``data``: the mirror's own folder, mode 0700."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secret = bytes.fromhex(secret_of(data, KEY))
        self._names = bytes.fromhex(secret_of(data, NAMES))
        for name in ("bids", "sets"):
            (data / name).mkdir(mode=0o700, exist_ok=True)

    @property
    def public(self) -> bytes:
        """The key its answers are signed with: to be enrolled as a supervisor's."""
        return ed25519_public(self.secret)

    def _name(self, *parts: str) -> str:
        return hmac.new(self._names, b"\0".join(part.encode() for part in parts), hashlib.sha256).hexdigest()

    def folder(self, facts: Facts) -> Path:
        return self.data / "bids" / self._name(facts.header_hash, facts.sealed_root)

    def have(self, facts: Facts) -> int:
        """Bytes of a sealed file that are here and synced."""
        for name in ("sealed", "part"):
            path = self.folder(facts) / name
            if path.exists():
                return path.stat().st_size
        return 0

    def ack(self, facts: Facts) -> Envelope | None:
        found = _read(self.folder(facts) / "ack.json")
        return None if found is None else dict(found)

    # --- taking -------------------------------------------------------------------------------------------------------

    def take(self, facts: Facts, offset: int, pieces: Iterable[bytes], *, at: str) -> Envelope | None:
        """Take the bytes of a sealed file from ``offset`` on; the acknowledgement once the file is whole, None while it is not.

        Bytes that are no sealed bid of this root are thrown away at once. Refuses: Behind, Busy, NoRoom, CryptoError.
        """
        with self._hold(facts) as folder:
            if (given := self.ack(facts)) is not None:
                return given
            if (folder / "sealed").exists():  # it was whole, and we died before we could say so
                with (folder / "sealed").open("rb") as source:
                    if inspect(source).sealed_root == unb64u(facts.sealed_root, 32):
                        return self._acknowledge(folder, facts, at)
                (folder / "sealed").unlink()
            part = folder / "part"
            inspector = Inspector(facts.size, lambda header: mirror.check_header(facts, header))
            have = _catch_up(part, inspector)
            if have != offset:
                raise Behind(have)
            if shutil.disk_usage(self.data).free - (facts.size - have) < min(
                RESERVE, shutil.disk_usage(self.data).total // 20
            ):
                raise NoRoom
            try:
                _append(part, inspector, pieces, most=facts.size)
                if part.stat().st_size < facts.size:
                    return None
                done = inspector.finish()
                if done.sealed_root != unb64u(facts.sealed_root, 32):
                    raise CryptoError("SEALED_ROOT", "the bytes do not give the signed root")
            except CryptoError:
                part.unlink(missing_ok=True)
                raise
            fault("mirror.whole")
            self._keep(folder, facts, mirror.head_of(done.header), done.pieces)
            _name_file(part, folder / "sealed")
            fault("mirror.named")
            return self._acknowledge(folder, facts, at)

    def take_digests(self, facts: Facts, body: bytes, *, at: str) -> Envelope:
        """Take head and digests of all pieces of a bid. Refuses: Busy, CryptoError."""
        with self._hold(facts) as folder:
            if (given := self.ack(facts)) is not None:
                return given
            head, pieces = mirror.check_digests(facts, body)
            self._keep(folder, facts, head, pieces)
            return self._acknowledge(folder, facts, at)

    @contextmanager
    def _hold(self, facts: Facts) -> Iterator[Path]:
        folder = self.folder(facts)
        folder.mkdir(mode=0o700, exist_ok=True)
        with (folder / "lock").open("a") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy from error
            yield folder

    def _keep(self, folder: Path, facts: Facts, head: bytes, pieces: bytes) -> None:
        write_whole(folder / "head", head, 0o600)
        write_whole(folder / "pieces", pieces, 0o600)
        write_whole(folder / "meta.json", json.dumps(facts.__dict__, sort_keys=True).encode(), 0o600)

    def _acknowledge(self, folder: Path, facts: Facts, at: str) -> Envelope:
        ack = mirror.make_ack(facts, self.secret, at=at)
        sync_folder(folder)
        write_whole(folder / "ack.json", json.dumps(ack).encode(), 0o600)
        sync_folder(folder)
        sync_folder(folder.parent)
        fault("mirror.acknowledged")
        return ack

    # --- giving -------------------------------------------------------------------------------------------------------

    def open(self, facts: Facts) -> BinaryIO | None:
        """The sealed file, None where it is not here (any more)."""
        try:
            return (self.folder(facts) / "sealed").open("rb")
        except FileNotFoundError:
            return None

    def challenge(self, facts: Facts, *, at: str) -> Envelope | None:
        """Which pieces of a bid the mirror wants to see: chosen once, so that nobody asks until it suits him. None for a bid unknown."""
        folder = self.folder(facts)
        if not (folder / "ack.json").exists():
            return None
        with self._hold(facts):
            if (asked := _read(folder / "challenge.json")) is None:
                header = parse_header((folder / "head").read_bytes()[12:])
                pieces = mirror.choose_pieces(1 + chunk_count(header.plen), secrets.randbelow)
                asked = mirror.make_challenge(facts, pieces, self.secret, at=at)
                write_whole(folder / "challenge.json", json.dumps(asked).encode(), 0o600)
                sync_folder(folder)
            return dict(asked)

    def check(self, facts: Facts, body: bytes, *, at: str) -> Envelope | None:
        """What the pieces that came are worth, signed. None where nothing was asked for."""
        folder = self.folder(facts)
        if (asked := _read(folder / "challenge.json")) is None:
            return None
        wanted = mirror.open_answer(mirror.CHALLENGE, asked, facts, [self.public])["pieces"]
        header = parse_header((folder / "head").read_bytes()[12:])
        missed = mirror.check_pieces(header, (folder / "pieces").read_bytes(), wanted, body)
        found = mirror.make_check(facts, wanted, missed, self.secret, at=at)
        write_whole(folder / "check.json", json.dumps(found).encode(), 0o600)
        return found

    # --- after the opening --------------------------------------------------------------------------------------------

    def forget(self, facts: Facts, opening_set: Any, platform_keys: Iterable[bytes]) -> None:
        """Delete the chunks of a bid that the signed opening set of its envelope does not name; head, digests and acknowledgement stay. The
        first set shown is kept: a second one convicts the platform.

        Refuses: SIG, SIG_TYPE, JSON_PROFILE, CONTEXT_MISMATCH (another envelope's set, or a bid that stands in it), SET_CONFLICT.
        """
        document, _ = verify_any(opening_set, "opening-set", tuple(platform_keys))
        check_document("opening-set", document)
        if any(document[name] != value for name, value in facts.place().items()):
            raise CryptoError("CONTEXT_MISMATCH", "the set of another envelope")
        kept = self.data / "sets" / (self._name(*facts.place().values()) + ".json")
        if (first := _read(kept)) is None:
            write_whole(kept, json.dumps(opening_set).encode(), 0o600)
            sync_folder(kept.parent)
        elif first["payload"] != opening_set["payload"]:
            write_whole(kept.with_suffix(".second.json"), json.dumps(opening_set).encode(), 0o600)
            raise CryptoError("SET_CONFLICT", "another set of this envelope was shown before")
        if facts.header_hash in {one["header_hash"] for one in document["bids"]}:
            raise CryptoError("CONTEXT_MISMATCH", "a bid of the set stays")
        folder = self.folder(facts)
        if folder.exists():
            for name in ("sealed", "part"):
                (folder / name).unlink(missing_ok=True)
            sync_folder(folder)

    def of_set(self, opening_set: Any, platform_keys: Iterable[bytes]) -> Iterator[tuple[str, Path | None]]:
        """(header_hash, sealed file or None) of every bid of a signed opening set: for an export, never before the set is published.

        Refuses: SIG, SIG_TYPE, JSON_PROFILE.
        """
        document, _ = verify_any(opening_set, "opening-set", tuple(platform_keys))
        check_document("opening-set", document)
        here = {}
        for path in (self.data / "bids").iterdir():
            meta = _read(path / "meta.json")
            if meta is not None and (path / "sealed").exists():
                here[meta["header_hash"]] = path / "sealed"
        for one in document["bids"]:
            yield one["header_hash"], here.get(one["header_hash"])


# --- files ------------------------------------------------------------------------------------------------------------


def _catch_up(part: Path, inspector: Inspector) -> int:
    """Bring an inspector to the end of what lies there, and say where that is. What is no sealed bid is thrown away."""
    if not part.exists():
        return 0
    try:
        with part.open("rb") as source:
            while piece := source.read(PIECE):
                inspector.feed(piece)
    except CryptoError:
        part.unlink()
        raise
    return part.stat().st_size


def _append(part: Path, inspector: Inspector, pieces: Iterable[bytes], *, most: int) -> None:
    """What came stays, whatever cut the line: it is synced before anybody counts on it."""
    with part.open("ab") as out:
        os.chmod(part, 0o600)
        have = out.seek(0, os.SEEK_END)
        try:
            for piece in pieces:
                if have + len(piece) > most:
                    raise CryptoError("SIZE", "more bytes than announced")
                inspector.feed(piece)
                out.write(piece)
                fault("mirror.piece")
                have += len(piece)
        finally:
            out.flush()
            os.fsync(out.fileno())


def _name_file(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError:
        pass
    sync_folder(target.parent)
    part.unlink(missing_ok=True)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None


MOST_ANSWER = mirror.PIECES * (CHUNK + TAG) + (1 << 17)
"""Bytes the answer to a challenge may have."""
