"""A backup looked through: every byte of it against its signed manifest, its database against the log it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from crypto import checkpoints, merkle, ticks
from crypto.checkpoints import LOG_KEY, NoteKey
from crypto.errors import CryptoError
from migrations import runner
from trading.bidding import named_blobs
from trading.bidding.named_blobs import is_named_so
from trading.kernel import log
from trading.kernel.audit import LogEntry
from trading.kernel.errors import Fault, Invalid, NotReady, Refusal
from trading.kernel.log_ticks import LogTick
from web import wiring
from web.backups import databases, keys, layout
from web.backups.layout import Manifest

MOST = 20
"""Faults named; the rest is counted."""
BATCH = 2000


@dataclass
class Looked:
    """What was looked at. ``faults``: where, code and facts of each thing that is not as it should be."""

    manifest: Manifest | None = None
    faults: list[Fault] = field(default_factory=list)

    def fault(self, where: str, code: str, **facts: Any) -> None:
        self.faults.append(Fault(where, code, facts))

    def refuse_if_any(self, name: str) -> Manifest:
        """Refuses: Invalid ``backup.damaged`` with the first faults."""
        if self.faults or self.manifest is None:
            raise Invalid("backup.damaged", faults=self.faults[:MOST], name=name, count=len(self.faults))
        return self.manifest


def check(folder: Path, backup: Path, tell: Callable[[int, int], None] = lambda _done, _all: None) -> Looked:
    """Read all of one backup again: manifest and signature, files, keys' form, blobs, the database's own soundness and the end of its log.
    No passphrase is needed, no platform, and nothing is changed; a PostgreSQL dump is read through by ``pg_restore``.

    Refuses: NotReady ``backup.no_program``.
    """
    looked = Looked()
    try:
        sealed = layout.read_json(backup / layout.KEYS)
        public, log_public = keys.public_of(sealed, wiring.SIGNING_KEY), keys.public_of(sealed, wiring.LOG_KEY)
    except (OSError, ValueError, CryptoError) as error:
        looked.fault(layout.KEYS, "backup.fault_keys", reason=_reason(error))
        return looked
    try:
        manifest = layout.read_manifest(layout.read_json(backup / layout.MANIFEST), public)
    except (OSError, ValueError, CryptoError) as error:
        looked.fault(layout.MANIFEST, "backup.fault_manifest", reason=_reason(error))
        return looked
    looked.manifest = manifest
    _files(looked, manifest, backup)
    sizes = _sizes(looked, backup)
    for number, (name, size) in enumerate(sizes.items(), 1):
        path = layout.blob_path(folder, name)
        if not path.is_file():
            looked.fault(name, "backup.fault_missing")
        elif path.stat().st_size != size or not is_named_so(path, name):
            looked.fault(name, "backup.fault_bytes")
        tell(number, len(sizes))
    if not looked.faults:
        _database(looked, manifest, backup, sizes, public, log_public)
    return looked


def _reason(error: Exception) -> str:
    return error.detail if isinstance(error, CryptoError) else getattr(error, "strerror", None) or type(error).__name__


def _files(looked: Looked, manifest: Manifest, backup: Path) -> None:
    wanted = {layout.DATABASES[manifest.database], layout.BLOB_LIST, layout.KEYS, layout.SETTINGS}
    for path in sorted(wanted - manifest.files.keys()):
        looked.fault(path, "backup.fault_missing")
    for name, told in sorted(manifest.files.items()):
        try:
            if layout.digest_of(backup / name) != told:
                looked.fault(name, "backup.fault_bytes")
        except OSError:
            looked.fault(name, "backup.fault_missing")


def _sizes(looked: Looked, backup: Path) -> dict[str, int]:
    try:
        return layout.blob_sizes(backup)
    except (OSError, ValueError):
        return {}  # its digest has told


def _database(
    looked: Looked, manifest: Manifest, backup: Path, sizes: dict[str, int], public: bytes, log_public: bytes
) -> None:
    copy = backup / layout.DATABASES[manifest.database]
    if manifest.database == "postgresql":
        try:
            databases.looked_through(copy)
        except NotReady as refusal:
            if refusal.code != "backup.program_failed":
                raise
            looked.fault(copy.name, "backup.fault_database", reason=str(refusal.facts["reason"]))
        return
    if not databases.is_sound(copy):
        looked.fault(copy.name, "backup.fault_database", reason="integrity_check")
        return
    try:
        with databases.reading(copy) as session:
            revision = runner.applied(session.connection())
            if revision != manifest.revision:
                looked.fault(copy.name, "backup.fault_database", reason=f"revision {revision}")
                return
            log_faults(looked, session, manifest, public, log_public)
            if revision == runner.head():
                named = named_blobs.named(session)
                for name in sorted(named.keys() - sizes.keys() - set(manifest.missing)):
                    looked.fault(name, "backup.fault_missing")
    except SQLAlchemyError as error:
        looked.fault(copy.name, "backup.fault_database", reason=type(error).__name__)


def log_faults(looked: Looked, session: Session, manifest: Manifest, public: bytes, log_public: bytes) -> None:
    """Whether the log of a copied database ends where the manifest says, under the key and the name of this platform, and every leaf of it
    leads there; whether its entries were signed with the platform's key."""
    last = log.last_tick(session)
    told = last.checkpoint if last else ""
    if told != manifest.checkpoint or (last.tick + 1 if last else 0) != manifest.ticks:
        looked.fault("log", "backup.fault_log", reason="another end than the manifest says")
        return
    try:
        if last is not None:
            key = NoteKey(log.origin(manifest.platform), LOG_KEY, log_public)
            end = checkpoints.verify_checkpoint(last.checkpoint, key)
            tree = merkle.Frontier()
            for leaf in session.scalars(select(LogTick.leaf).order_by(LogTick.tick).execution_options(yield_per=BATCH)):
                tree.append(leaf.encode())
            if (tree.size, tree.root()) != (end.size, end.root):
                looked.fault("log", "backup.fault_log", reason="its leaves do not give its checkpoint")
        for text in session.scalars(select(LogEntry.envelope).execution_options(yield_per=BATCH)):
            ticks.open_entry(json.loads(text), (public,))
    except (CryptoError, ValueError, Refusal) as error:
        looked.fault("log", "backup.fault_log", reason=_reason(error))
