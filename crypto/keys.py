"""Keys: identifiers, strict Ed25519, X25519, the officer's key for one tender.

Secrets and public keys are raw 32-byte strings everywhere; this file alone turns them into objects of `cryptography`, and asks libsodium
(PyNaCl) whether a signing key is of the prime order, which `cryptography` does not tell.
Implements the protocol, section 2. The strict Ed25519 rule keeps the platform from signing receipts that only some
verifiers accept: S < L, no cofactor, R compared byte for byte, public key canonical and of order L.
"""

import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_scalarmult, crypto_scalarmult_base

from crypto.canonical import D, H, b64u, dumps, hkdf_expand
from crypto.errors import CryptoError

_P = 2**255 - 19
_X25519_SMALL = frozenset(
    (
        0,
        1,
        _P - 1,
        int.from_bytes(bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"),
        int.from_bytes(bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"),
    )
)


def new_secret() -> bytes:
    """32 bytes of the operating system's generator: an Ed25519 or X25519 secret, an officer root or a seed."""
    return os.urandom(32)


def kid(alg: str, public: bytes) -> str:
    """Key identifier: base64url of 16 bytes. `alg` is ed25519 or x25519."""
    if alg not in ("ed25519", "x25519"):
        raise ValueError(f"no such algorithm: {alg}")
    return b64u(H("kid", alg.encode(), b"\0", public)[:16])


def fingerprint(alg: str, public: bytes) -> str:
    """The identifier as eight groups of four hexadecimal digits, for reading over the telephone."""
    text = H("kid", alg.encode(), b"\0", public)[:16].hex()
    return " ".join(text[i : i + 4] for i in range(0, 32, 4))


def secret_id(secret: bytes) -> str:
    """What stands as `pub` in the key file of a seed or an officer root."""
    return b64u(H("secret-id", secret))


# Ed25519


def ed25519_public(secret: bytes) -> bytes:
    """The public key of a secret."""
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def ed25519_sign(secret: bytes, message: bytes) -> bytes:
    """A 64-byte signature (RFC 8032, deterministic)."""
    return Ed25519PrivateKey.from_private_bytes(secret).sign(message)


def ed25519_verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Proves a signature by the strict rule. Refuses: SIG."""
    check_ed25519_public(public)
    try:
        # OpenSSL refuses S >= L, works without the cofactor and compares R as bytes: the rule of section 2
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise CryptoError("SIG", "the signature does not verify") from error


@lru_cache(maxsize=8192)
def check_ed25519_public(public: bytes) -> None:
    """A public key must be canonical and of order L. Refuses: SIG."""
    if len(public) != 32:
        raise CryptoError("SIG", "an Ed25519 key has 32 bytes")
    if not crypto_core_ed25519_is_valid_point(
        public
    ):  # canonical, on the curve, of the prime order: once per key and process
        raise CryptoError("SIG", "not a canonical Ed25519 key of the prime-order subgroup")


# X25519


def x25519_public(secret: bytes) -> bytes:
    """The public key of a secret."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def x25519_exchange(secret: bytes, public: bytes) -> tuple[bytes, bytes]:
    """(shared 32 bytes, public key of the secret). Raises ValueError where the shared ones would be all zero."""
    if len(public) != 32 or len(secret) != 32:
        raise ValueError("an X25519 key has 32 bytes")
    try:
        # libsodium multiplies the base point in half the time
        return crypto_scalarmult(secret, public), crypto_scalarmult_base(secret)
    except RuntimeError as error:
        raise ValueError("an X25519 key of small order") from error


def check_x25519_public(public: bytes) -> None:
    """A public key must be canonical (u < p) and not of small order. Refuses: JSON_PROFILE."""
    if len(public) != 32:
        raise CryptoError("JSON_PROFILE", "an X25519 key has 32 bytes")
    number = int.from_bytes(public, "little")
    if number >= _P:
        raise CryptoError("JSON_PROFILE", "not a canonical X25519 key")
    if number in _X25519_SMALL:
        raise CryptoError("JSON_PROFILE", "an X25519 key of small order")


def labeled_extract(suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """RFC 9180 section 4, LabeledExtract with SHA-256."""
    return hmac.digest(salt, b"HPKE-v1" + suite_id + label + ikm, "sha256")


def labeled_expand(suite_id: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """RFC 9180 section 4, LabeledExpand with SHA-256."""
    return hkdf_expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info, length)


KEM_SUITE = b"KEM\x00\x20"


def derive_key_pair(ikm: bytes) -> tuple[bytes, bytes]:
    """(secret, public): RFC 9180 section 7.1.3, DeriveKeyPair for KEM 0x0020."""
    secret = derive_secret(ikm)
    return secret, x25519_public(secret)


def derive_secret(ikm: bytes) -> bytes:
    """The secret of `derive_key_pair`."""
    prk = labeled_extract(KEM_SUITE, b"", b"dkp_prk", ikm)
    return labeled_expand(KEM_SUITE, prk, b"sk", b"", 32)


def officer_scope(*, platform: str, tender: str, lot: str, envelope: str, serial: int) -> bytes:
    """The canonical bytes that name one key of an officer, for one tender, lot, envelope; `serial` counts re-keys."""
    return dumps({"envelope": envelope, "lot": lot, "platform": platform, "serial": serial, "tender": tender})


def officer_tender_key(root: bytes, scope: bytes) -> tuple[bytes, bytes]:
    """(secret, public) of an officer for one scope. The secret of one scope tells nothing about another."""
    return derive_key_pair(D(root, H("officer-scope", scope), "officer-tender-key"))
