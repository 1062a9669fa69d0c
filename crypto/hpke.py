"""HPKE base mode, one message: KEM 0x0020 (X25519), KDF 0x0001 (HKDF-SHA-256), AEAD 0x0002 (AES-256-GCM).

Implements RFC 9180 as the protocol, section 3.1, uses it. Sealing is deterministic: the ephemeral key pair comes from
`ikm` by DeriveKeyPair, so that a header can be rebuilt from its seed and compared. Never use one ikm twice for
different plaintexts; in this package it is always derived from the seed and the whole context.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.errors import CryptoError
from crypto.keys import (
    KEM_SUITE,
    derive_secret,
    labeled_expand,
    labeled_extract,
    x25519_exchange,
)

_SUITE = b"HPKE\x00\x20\x00\x01\x00\x02"
_PSK_ID_HASH = labeled_extract(_SUITE, b"", b"psk_id_hash", b"")


def seal(public: bytes, info: bytes, plaintext: bytes, *, ikm: bytes, aad: bytes = b"") -> tuple[bytes, bytes]:
    """(enc, ct) for the holder of `public`. Raises ValueError for a public key of small order."""
    dh, enc = x25519_exchange(derive_secret(ikm), public)
    key, nonce = _schedule(_shared(dh, enc, public), info)
    return enc, AESGCM(key).encrypt(nonce, plaintext, aad)


def open_box(secret: bytes, enc: bytes, ct: bytes, info: bytes, *, aad: bytes = b"") -> bytes:
    """The plaintext. Refuses: SHARE_OPEN."""
    try:
        dh, public = x25519_exchange(secret, enc)
        key, nonce = _schedule(_shared(dh, enc, public), info)
        return AESGCM(key).decrypt(nonce, ct, aad)
    except (InvalidTag, ValueError) as error:
        raise CryptoError("SHARE_OPEN", "the box does not open with this key") from error


def _shared(dh: bytes, enc: bytes, public: bytes) -> bytes:
    prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", dh)
    return labeled_expand(KEM_SUITE, prk, b"shared_secret", enc + public, 32)


def _schedule(shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    context = b"\0" + _PSK_ID_HASH + labeled_extract(_SUITE, b"", b"info_hash", info)
    secret = labeled_extract(_SUITE, shared, b"secret", b"")
    return (
        labeled_expand(_SUITE, secret, b"key", context, 32),
        labeled_expand(_SUITE, secret, b"base_nonce", context, 12),
    )
