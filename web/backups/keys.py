"""The keys of a platform in its backup: each secret of its key files in a key file of the protocol (§2), under a passphrase kept elsewhere.

A key's own name (``kid``) stands in the open beside it, so a later backup of the same keys takes the sealed ones over and asks for no
passphrase: what makes backups by night holds none. The keys of sign-ins are no part of it: whoever restores lets everybody sign in anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crypto import keyfiles
from crypto.canonical import unb64u
from crypto.errors import CryptoError
from trading.kernel import at_rest
from web import wiring
from web.settings import Settings
from web.workers.watch.process import FOLDER

TYPE = "bidhall-backup-keys"
SIGNING = (wiring.SIGNING_KEY, wiring.LOG_KEY)
Secrets = dict[str, list[bytes]]
"""File below the data folder → its secrets, in their order."""


def held(settings: Settings) -> Secrets:
    """The secrets of this installation. Refuses: NotReady (a file others can read, or a damaged one)."""
    found: Secrets = {}
    files = {name: settings.data / name for name in SIGNING} | {wiring.DATA_KEYS: wiring.data_keys_file(settings)}
    files |= {f"{FOLDER}/{path.name}": path for path in sorted((settings.data / FOLDER).glob("*.key"))}
    for name, path in files.items():
        if path.exists():
            found[name] = at_rest.read_file(path)
    return found


def _algorithm(name: str) -> str:
    return "ed25519" if name in SIGNING else "root"


def names_of(secrets: Secrets) -> dict[str, list[str]]:
    """File → the key ids of its secrets."""
    return {
        name: [keyfiles.key_id(_algorithm(name), keyfiles.public_of(_algorithm(name), one)) for one in some]
        for name, some in secrets.items()
    }


def sealed(secrets: Secrets, passphrase: str, platform: str) -> dict[str, Any]:
    """What is written to ``keys.json``."""
    files = {name: [keyfiles.wrap(_algorithm(name), one, passphrase) for one in some] for name, some in secrets.items()}
    return {"type": TYPE, "v": 1, "platform": platform, "files": files}


def checked(value: Any) -> dict[str, list[str]]:
    """File → key ids of what lies in a ``keys.json``; its form is whole. Refuses: CryptoError JSON_PROFILE."""
    if not isinstance(value, Mapping) or (value.get("type"), value.get("v")) != (TYPE, 1):
        raise CryptoError("JSON_PROFILE", "not the keys of a backup")
    files = value.get("files")
    if not isinstance(files, Mapping) or not set(SIGNING) <= set(files):
        raise CryptoError("JSON_PROFILE", "not the keys of a platform")
    for name, some in files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts or not isinstance(some, list) or not some:
            raise CryptoError("JSON_PROFILE", "not the keys of a backup")
        for one in some:
            keyfiles.check_key_file(one)
    return {name: [one["kid"] for one in some] for name, some in files.items()}


def public_of(value: Any, name: str) -> bytes:
    """The public half of a signing key, as it stands beside the sealed one: what unsealing it proves. Refuses: as ``checked``."""
    checked(value)
    return unb64u(value["files"][name][0]["pub"], 32)


def unsealed(value: Any, passphrase: str) -> Secrets:
    """Refuses: CryptoError PASSPHRASE, JSON_PROFILE."""
    checked(value)
    return {name: [keyfiles.unwrap(one, passphrase).secret for one in some] for name, some in value["files"].items()}


def written(secrets: Secrets, data: Path) -> None:
    """Write the files, 0600. Refuses: NotReady ``at_rest.file_unmade``."""
    for name, some in secrets.items():
        at_rest.write_file(data / name, some)
