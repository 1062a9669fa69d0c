"""How a folder of backups is laid out, and the signed manifest that names all that belongs to one of them.

DIR/lock                        held by whoever writes here
DIR/blobs/ab/<name>             sealed bids and files, shared by all backups, each written once
DIR/backups/<UTC time>/         one backup, there whole or not at all
    manifest.json               DSSE, kind ``backup``, signed with the platform's key
    database.sqlite|.pgdump     the database at one moment
    blobs.txt                   name and size of every blob that belongs to it
    keys.json                   the keys, each a key file of the protocol (§2) under the passphrase of the backup
    settings.env, data/…        settings without passwords; small files of the data folder
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crypto import signatures
from crypto.errors import CryptoError
from trading.kernel.errors import NotFound, NotReady

KIND = "backup"
BACKUPS, BLOBS, LOCK = "backups", "blobs", "lock"
MANIFEST, KEYS, SETTINGS, BLOB_LIST = "manifest.json", "keys.json", "settings.env", "blobs.txt"
DATABASES = {"sqlite": "database.sqlite", "postgresql": "database.pgdump"}
DATA = "data"
NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z")
MOST_MANIFEST = 10 << 20


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself.

    ``at``: when its database was copied; ``checkpoint``: the last signed note of the log in it, "" where it has not begun, ``ticks`` its
    size and ``ticked_at`` its moment; ``files``: path → (bytes, hex SHA-256); ``blobs``: (how many, bytes); ``missing``: names of blobs
    that were gone or damaged on the platform itself when the backup was taken.
    """

    platform: str
    version: str
    revision: str
    at: str
    database: str
    checkpoint: str
    ticks: int
    ticked_at: str
    files: dict[str, tuple[int, str]]
    blobs: tuple[int, int]
    missing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "v": 1,
            "platform": self.platform,
            "version": self.version,
            "revision": self.revision,
            "at": self.at,
            "database": self.database,
            "checkpoint": self.checkpoint,
            "ticks": self.ticks,
            "ticked_at": self.ticked_at,
            "files": [{"path": path, "size": size, "sha256": sha} for path, (size, sha) in sorted(self.files.items())],
            "blobs": self.blobs[0],
            "blob_bytes": self.blobs[1],
            "missing": list(self.missing),
        }


def read_manifest(value: Any, public: bytes) -> Manifest:
    """The manifest of an envelope signed with this key. Refuses: CryptoError SIG, SIG_TYPE, JSON_PROFILE."""
    told = signatures.verify(value, KIND, public)
    try:
        if told["v"] != 1 or told["database"] not in DATABASES:
            raise ValueError("another version")
        files = {str(one["path"]): (int(one["size"]), str(one["sha256"])) for one in told["files"]}
        if any(path.startswith("/") or ".." in Path(path).parts for path in files):
            raise ValueError("a path out of the backup")
        return Manifest(
            platform=str(told["platform"]),
            version=str(told["version"]),
            revision=str(told["revision"]),
            at=str(told["at"]),
            database=str(told["database"]),
            checkpoint=str(told["checkpoint"]),
            ticks=int(told["ticks"]),
            ticked_at=str(told["ticked_at"]),
            files=files,
            blobs=(int(told["blobs"]), int(told["blob_bytes"])),
            missing=tuple(map(str, told["missing"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CryptoError("JSON_PROFILE", "not the manifest of a backup") from error


def read_json(path: Path) -> Any:
    """Raises: OSError, ValueError."""
    with path.open("rb") as source:
        return json.loads(source.read(MOST_MANIFEST))


def names(folder: Path) -> list[str]:
    """The backups of a folder, oldest first; what is not whole has another name."""
    place = folder / BACKUPS
    return sorted(one.name for one in place.iterdir() if NAME.match(one.name)) if place.is_dir() else []


def chosen(folder: Path, name: str = "") -> Path:
    """One backup of a folder: the newest if none is named. Refuses: NotReady ``backup.none``, NotFound ``backup.unknown``."""
    held = names(folder)
    if not held:
        raise NotReady("backup.none", folder=str(folder))
    if name and name not in held:
        raise NotFound("backup.unknown", name=name, folder=str(folder))
    return folder / BACKUPS / (name or held[-1])


def blob_path(folder: Path, name: str) -> Path:
    return folder / BLOBS / name[:2] / name


def digest_of(path: Path) -> tuple[int, str]:
    """(bytes, hex SHA-256) of a file. Raises: OSError."""
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        return source.tell(), digest


def blob_sizes(backup: Path) -> dict[str, int]:
    """Name → size of each blob of a backup. Raises: OSError, ValueError."""
    lines = (backup / BLOB_LIST).read_text(encoding="ascii").splitlines()
    return {name: int(size) for name, size in (line.split(" ") for line in lines)}
