"""Boxes (RFC 9180, base mode): the vector of the RFC, another implementation, and what does not open (protocol section 3.1)."""

import pytest
from cryptography.hazmat.primitives import hpke as other
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from crypto import hpke
from crypto.errors import CryptoError
from tests.crypto.vectors import vec


def refused(secret: bytes, enc: bytes, ct: bytes, info: bytes = b"info", aad: bytes = b"") -> bool:
    try:
        hpke.open_box(secret, enc, ct, info, aad=aad)
    except CryptoError as error:
        return (error.code, error.detail) == ("SHARE_OPEN", "the box does not open with this key")
    return False


def test_the_box_of_the_rfc() -> None:
    box = {k: bytes.fromhex(v) for k, v in vec("hpke_base").items()}
    assert hpke.seal(box["pk_r"], box["info"], box["pt"], ikm=box["ikm_e"], aad=box["aad"]) == (box["enc"], box["ct"])
    assert hpke.open_box(box["sk_r"], box["enc"], box["ct"], box["info"], aad=box["aad"]) == box["pt"]


def test_boxes_agree_with_another_implementation() -> None:
    key = X25519PrivateKey.generate()
    secret, public = key.private_bytes_raw(), key.public_key()
    suite = other.Suite(other.KEM.X25519, other.KDF.HKDF_SHA256, other.AEAD.AES_256_GCM)
    enc, ct = hpke.seal(public.public_bytes_raw(), b"info", b"plain", ikm=b"\5" * 32)
    assert suite.decrypt(enc + ct, key, info=b"info") == b"plain"
    whole = suite.encrypt(b"back", public, info=b"info")
    assert hpke.open_box(secret, whole[:32], whole[32:], b"info") == b"back"


def test_what_was_not_sealed_so_does_not_open() -> None:
    key = X25519PrivateKey.generate()
    secret = key.private_bytes_raw()
    enc, ct = hpke.seal(key.public_key().public_bytes_raw(), b"info", b"plain", ikm=b"\5" * 32, aad=b"beside")
    assert hpke.open_box(secret, enc, ct, b"info", aad=b"beside") == b"plain"
    assert refused(secret, enc, ct[:-1] + bytes([ct[-1] ^ 1]), aad=b"beside")
    assert refused(secret, enc, ct) and refused(secret, enc, ct, b"another", b"beside")
    assert refused(secret, bytes(32), ct, aad=b"beside")  # of small order
    assert refused(b"\7" * 32, enc, ct, aad=b"beside") and refused(secret, enc, ct[:15], aad=b"beside")
    assert refused(secret, enc[:31], ct, aad=b"beside")


def test_nothing_is_sealed_to_a_key_of_small_order() -> None:
    for public in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(ValueError):
            hpke.seal(public, b"info", b"plain", ikm=b"\5" * 32)
