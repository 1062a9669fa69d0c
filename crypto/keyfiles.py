"""Key files: secrets wrapped under a passphrase; keyrings that hold a party's secrets; the keeper file of one bid.

Implements the key file of the protocol, section 2: AES-256-GCM under Argon2id, everything but the ciphertext
authenticated. Readers cap the work a file may ask for, and prove that the secret yields the public key named.
"""

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from crypto.canonical import H, b64u, dumps, same, unb64u
from crypto.errors import PASSPHRASE, CryptoError
from crypto.keys import ed25519_public, kid, secret_id, x25519_public

MEMORY_KIB, PASSES = 65_536, 3
_MAX_MEMORY_KIB, _MAX_PASSES = 262_144, 10
_KEYS = frozenset(("alg", "ct", "iv", "kdf", "kid", "lanes", "memory_kib", "passes", "pub", "salt", "type", "v"))
ALGORITHMS = ("ed25519", "x25519", "root", "seed")
ROLES = {"bidder": ("ed25519", "x25519"), "officer": ("ed25519", "root")}
"""What the keyring of a role holds; any other role holds an ed25519 key alone."""


@dataclass(frozen=True)
class Secret:
    """An unwrapped secret: 32 bytes, and the public key (or secret id) it yields."""

    alg: str
    pub: str
    secret: bytes = field(repr=False)


def public_of(alg: str, secret: bytes) -> str:
    """What stands as `pub`: base64url of the public key; of a hash of the secret for a root or a seed."""
    if alg == "ed25519":
        return b64u(ed25519_public(secret))
    if alg == "x25519":
        return b64u(x25519_public(secret))
    return secret_id(secret)


def key_id(alg: str, pub: str) -> str:
    """What stands as `kid` in a key file."""
    if alg in ("ed25519", "x25519"):
        return kid(alg, unb64u(pub, 32))
    return b64u(H("kid", alg.encode(), b"\0", unb64u(pub, 32))[:16])


def wrap(alg: str, secret: bytes, passphrase: str, *, cost: tuple[int, int] = (MEMORY_KIB, PASSES)) -> dict[str, Any]:
    """The key file of a secret (alg: ed25519, x25519, root or seed), with fresh salt and nonce. ``cost``: KiB and passes of Argon2id."""
    return _wrap(alg, secret, passphrase, os.urandom(16), os.urandom(12), cost)


def _wrap(
    alg: str, secret: bytes, passphrase: str, salt: bytes, iv: bytes, cost: tuple[int, int] = (MEMORY_KIB, PASSES)
) -> dict[str, Any]:
    if alg not in ALGORITHMS or len(secret) != 32:
        raise ValueError("not a secret of a known algorithm")
    pub = public_of(alg, secret)
    fields = {
        "alg": alg,
        "iv": b64u(iv),
        "kdf": "argon2id",
        "kid": key_id(alg, pub),
        "lanes": 1,
        "memory_kib": cost[0],
        "passes": cost[1],
        "pub": pub,
        "salt": b64u(salt),
        "type": "bidhall-seed" if alg == "seed" else "bidhall-key",
        "v": 1,
    }
    ct = AESGCM(wrapping_key(passphrase, salt, *cost)).encrypt(iv, secret, dumps(fields))
    return {**fields, "ct": b64u(ct)}


def wrapping_key(passphrase: str, salt: bytes, memory_kib: int, passes: int) -> bytes:
    """Argon2id of the passphrase, Unicode-normalised (NFC): 32 bytes."""
    kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=1, memory_cost=memory_kib)
    return kdf.derive(unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass"))


def check_key_file(file: Any) -> None:
    """The form and the caps of a key file, before any work is spent on it. Refuses: JSON_PROFILE."""
    if type(file) is not dict or file.keys() != _KEYS or file["alg"] not in ALGORITHMS:
        raise CryptoError("JSON_PROFILE", "not a key file")
    wanted = {"v": 1, "kdf": "argon2id", "lanes": 1, "type": "bidhall-seed" if file["alg"] == "seed" else "bidhall-key"}
    if any(type(file[name]) is not type(value) or file[name] != value for name, value in wanted.items()):
        raise CryptoError("JSON_PROFILE", "a key file of another type, version, kdf or number of lanes")
    for name, least, most in (("memory_kib", 8, _MAX_MEMORY_KIB), ("passes", 1, _MAX_PASSES)):
        if type(file[name]) is not int or not least <= file[name] <= most:
            raise CryptoError("JSON_PROFILE", f"{name} from {least} to {most}")
    for name, length in (("salt", 16), ("iv", 12), ("ct", 48), ("pub", 32), ("kid", 16)):
        unb64u(file[name], length)


def unwrap(file: Any, passphrase: str) -> Secret:
    """The secret of a key file. Refuses: JSON_PROFILE (form, caps, a secret that yields another key), PASSPHRASE."""
    check_key_file(file)
    kek = wrapping_key(passphrase, unb64u(file["salt"]), file["memory_kib"], file["passes"])
    aad = dumps({name: value for name, value in file.items() if name != "ct"})
    try:
        secret = AESGCM(kek).decrypt(unb64u(file["iv"]), unb64u(file["ct"]), aad)
    except InvalidTag as error:
        raise CryptoError(PASSPHRASE, "the passphrase is wrong, or the file was changed") from error
    if not same(public_of(file["alg"], secret).encode(), file["pub"].encode()):
        raise CryptoError("JSON_PROFILE", "the secret yields another public key")
    if file["alg"] in ("ed25519", "x25519") and file["kid"] != key_id(file["alg"], file["pub"]):
        raise CryptoError("JSON_PROFILE", "a key identifier of another key")
    return Secret(file["alg"], file["pub"], secret)


@dataclass(frozen=True)
class Keyring:
    """A party's secrets, unwrapped: alg -> secret."""

    party: str
    role: str
    secrets: Mapping[str, Secret] = field(repr=False)

    def secret(self, alg: str) -> bytes:
        """The secret of an algorithm. Refuses: CONTEXT_MISMATCH if the ring has none."""
        if alg not in self.secrets:
            raise CryptoError("CONTEXT_MISMATCH", f"the keyring of a {self.role} has no {alg} key")
        return self.secrets[alg].secret


def make_keyring(
    party: str,
    role: str,
    secrets: Mapping[str, bytes],
    passphrase: str,
    *,
    cost: tuple[int, int] = (MEMORY_KIB, PASSES),
) -> dict[str, Any]:
    """A keyring of wrapped secrets (alg -> 32 bytes), all under one passphrase. ``cost`` below the usual is for passphrases that anybody
    may know."""
    ring = {
        "type": "bidhall-keyring",
        "v": 1,
        "party": party,
        "role": role,
        "keys": [wrap(alg, secret, passphrase, cost=cost) for alg, secret in sorted(secrets.items())],
    }
    check_keyring(ring)
    return ring


def new_keyring(party: str, role: str, passphrase: str) -> dict[str, Any]:
    """A keyring with the fresh secrets a role needs."""
    return make_keyring(party, role, {alg: os.urandom(32) for alg in ROLES.get(role, ("ed25519",))}, passphrase)


def check_keyring(ring: Any) -> None:
    """The form of a keyring, without its passphrase. Refuses: JSON_PROFILE."""
    if (
        type(ring) is not dict
        or ring.keys() != {"type", "v", "party", "role", "keys"}
        or ring["type"] != "bidhall-keyring"
        or type(ring["v"]) is not int
        or ring["v"] != 1
    ):
        raise CryptoError("JSON_PROFILE", "not a keyring")
    if any(type(ring[name]) is not str or not 1 <= len(ring[name].encode()) <= 128 for name in ("party", "role")):
        raise CryptoError("JSON_PROFILE", "party and role are texts of 1 to 128 bytes")
    if type(ring["keys"]) is not list or not ring["keys"]:
        raise CryptoError("JSON_PROFILE", "a keyring without keys")
    for file in ring["keys"]:
        check_key_file(file)
    if len({file["alg"] for file in ring["keys"]}) != len(ring["keys"]):
        raise CryptoError("JSON_PROFILE", "two keys of one algorithm")


def open_keyring(ring: Any, passphrase: str) -> Keyring:
    """Unwraps every key of a ring. Refuses: JSON_PROFILE, PASSPHRASE."""
    check_keyring(ring)
    return Keyring(ring["party"], ring["role"], {file["alg"]: unwrap(file, passphrase) for file in ring["keys"]})


def wrap_seed(seed: bytes, passphrase: str) -> dict[str, Any]:
    """The keeper file of a bid: its seed, for a rescue or a dispute."""
    return wrap("seed", seed, passphrase)


def unwrap_seed(file: Any, passphrase: str) -> bytes:
    """The seed of a keeper file. Refuses: JSON_PROFILE, PASSPHRASE."""
    if type(file) is not dict or file.get("alg") != "seed":
        raise CryptoError("JSON_PROFILE", "not a keeper file")
    return unwrap(file, passphrase).secret
