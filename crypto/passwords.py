"""Passwords for signing in: Argon2id (RFC 9106) as PHC strings. Key files have their own wrapping, see keyfiles."""

import os
import re
import unicodedata

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from crypto.errors import PASSPHRASE, CryptoError

MEMORY_KIB, PASSES, LANES = 47_104, 1, 1
"""OWASP's first choice for Argon2id: 46 MiB, one pass."""
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}", re.ASCII
)
_MAX_MEMORY_KIB, _MAX_PASSES, _MAX_LANES = 262_144, 10, 4


def hash_password(password: str) -> str:
    """A PHC string with a fresh salt."""
    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    return kdf.derive_phc_encoded(_normal(password))


def verify_password(password: str, phc: str) -> None:
    """Refuses: PASSPHRASE for a wrong password; for a PHC string that is none, or that asks for too much work."""
    found = _PHC.fullmatch(phc)
    if found is None or any(
        int(a) > b for a, b in zip(found.groups(), (_MAX_MEMORY_KIB, _MAX_PASSES, _MAX_LANES), strict=True)
    ):
        raise CryptoError(PASSPHRASE, "not a password hash of ours")
    try:
        Argon2id.verify_phc_encoded(_normal(password), phc)
    except (InvalidKey, ValueError) as error:
        raise CryptoError(PASSPHRASE, "the password is wrong") from error


def lower_cost() -> None:
    """For the process that plays a rehearsal: whose password stands on a card for everybody needs no slow hash. What is hashed so is hashed
    anew, at the full cost, when its owner signs in to another process."""
    global MEMORY_KIB
    MEMORY_KIB = 64


def needs_rehash(phc: str) -> bool:
    """Whether a hash was made with other costs than today's: make a new one at the next sign-in."""
    return not phc.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$")


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
