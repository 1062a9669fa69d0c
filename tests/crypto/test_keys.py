"""Keys: identifiers, the strict Ed25519 rule, refused keys, the officer's key for one tender (protocol section 2)."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import keys
from crypto.canonical import D, H
from crypto.errors import CryptoError
from tests.crypto.vectors import vec


def test_identifiers() -> None:
    for name, key in vec("keys").items():
        for item in key if isinstance(key, list) else [key]:
            public = bytes.fromhex(item["pk"])
            kem = "ikm" in item
            if kem:
                assert keys.derive_key_pair(bytes.fromhex(item["ikm"])) == (bytes.fromhex(item["sk"]), public), name
            else:
                assert keys.ed25519_public(bytes.fromhex(item["sk"])) == public, name
            if "kid" in item:
                assert keys.kid("x25519" if kem else "ed25519", public) == item["kid"], name


@pytest.mark.parametrize("case", vec("ed25519_signatures"), ids=lambda c: c["id"])
def test_strict_signatures(case: dict[str, Any]) -> None:
    args = (bytes.fromhex(case["pk"]), bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
    if case["valid"]:
        keys.ed25519_verify(*args)
    else:
        with pytest.raises(CryptoError) as refused:
            keys.ed25519_verify(*args)
        assert refused.value.code == "SIG"


@pytest.mark.parametrize("public", vec("ed25519_refuse_keys"))
def test_refused_signing_keys(public: str) -> None:
    with pytest.raises(CryptoError) as refused:
        keys.check_ed25519_public(bytes.fromhex(public))
    assert refused.value.code == "SIG"


P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D_ED = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def plus(a: Point, b: Point) -> Point:
    """Two points of -x^2 + y^2 = 1 + dx^2y^2, by the law as RFC 8032 writes it down."""
    cross = D_ED * a[0] * b[0] * a[1] * b[1]
    return (
        (a[0] * b[1] + b[0] * a[1]) * pow(1 + cross, -1, P) % P,
        (a[1] * b[1] + a[0] * b[0]) * pow(1 - cross, -1, P) % P,
    )


def times(n: int, point: Point) -> Point:
    result = (0, 1)
    for bit in bin(n)[2:]:
        result = plus(result, result)
        if bit == "1":
            result = plus(result, point)
    return result


def encoded(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decoded(encoding: bytes) -> Point | None:
    """The point of an encoding, by trial of both roots; None where there is none."""
    number = int.from_bytes(encoding, "little")
    y = number & (2**255 - 1)
    square = (y * y - 1) * pow(D_ED * y * y + 1, -1, P) % P
    for root in (x := pow(square, (P + 3) // 8, P), x * pow(2, (P - 1) // 4, P) % P):
        if root * root % P == square:
            return (P - root if root & 1 != number >> 255 else root), y
    return None


def of_order_eight() -> Point:
    """A point whose multiples are the eight of small order."""
    for y in range(2, 100):
        point = decoded(y.to_bytes(32, "little"))
        if point is not None:
            small = times(L, point)
            if times(4, small) != (0, 1):
                return small
    raise AssertionError("no point of order eight")


def passes(point: Point) -> bool:
    try:
        keys.check_ed25519_public(encoded(point))
    except CryptoError as refused:
        assert refused.code == "SIG"
        return False
    return True


def test_only_the_prime_order_subgroup_passes_whatever_of_small_order_is_added() -> None:
    small = of_order_eight()
    assert len({times(j, small) for j in range(8)}) == 8 and not any(passes(times(j, small)) for j in range(8))
    for number in range(20):
        honest = decoded(keys.ed25519_public(bytes([number]) * 32))
        assert honest is not None and times(L, honest) == (0, 1)
        assert [j for j in range(8) if passes(plus(honest, times(j, small)))] == [0]


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_a_key_passes_iff_l_times_it_is_the_neutral_point(encoding: bytes) -> None:
    number = int.from_bytes(encoding, "little")
    point = decoded(encoding) if number & (2**255 - 1) < P else None
    if point is None or point[0] == 0:
        with pytest.raises(CryptoError):
            keys.check_ed25519_public(encoding)
    else:
        assert passes(point) is (times(L, point) == (0, 1))


@pytest.mark.parametrize("public", vec("x25519_refuse_keys"))
def test_refused_sealing_keys(public: str) -> None:
    for raw in (bytes.fromhex(public), bytes.fromhex(public)[:31] + bytes([bytes.fromhex(public)[31] | 0x80])):
        with pytest.raises(CryptoError):
            keys.check_x25519_public(raw)


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64), st.integers(0, 511))
def test_every_honest_key_passes_and_every_flipped_bit_fails(secret: bytes, message: bytes, bit: int) -> None:
    public = keys.ed25519_public(secret)
    signature = bytearray(keys.ed25519_sign(secret, message))
    keys.ed25519_verify(public, bytes(signature), message)
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CryptoError):
        keys.ed25519_verify(public, bytes(signature), message)
    keys.check_x25519_public(keys.x25519_public(secret))


def test_officer_tender_key() -> None:
    case = vec("officer_tender_key")
    scope = keys.officer_scope(platform="bidhall.example", tender="KP-2026-0031", lot="1", envelope="price", serial=1)
    assert scope == case["scope_jcs"].encode()
    root = bytes.fromhex(case["root"])
    assert D(root, H("officer-scope", scope), "officer-tender-key").hex() == case["ikm"]
    secret, public = keys.officer_tender_key(root, scope)
    assert public.hex() == case["pk"] and keys.x25519_public(secret) == public
    other = keys.officer_scope(platform="bidhall.example", tender="KP-2026-0031", lot="1", envelope="price", serial=2)
    assert keys.officer_tender_key(root, other)[1] != public


def test_a_fingerprint_is_the_identifier_for_the_ear() -> None:
    public = keys.ed25519_public(b"\1" * 32)
    groups = keys.fingerprint("ed25519", public).split()
    assert len(groups) == 8 and all(len(g) == 4 for g in groups)
    from crypto.canonical import unb64u

    assert bytes.fromhex("".join(groups)) == unb64u(keys.kid("ed25519", public))
    with pytest.raises(ValueError):
        keys.kid("rsa", public)


P = 2**255 - 19


@pytest.mark.parametrize(
    "number",
    [0, 1, 2, 9, P - 2, P - 1, P, P + 1, P + 2, 2**255 - 1, 2**255, 2**255 + 1, 2**255 + 9, 2**256 - 1]
    + [int.from_bytes(bytes.fromhex(low), "little") for low in (
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    )],
)  # fmt: skip
def test_the_exchange_agrees_with_another_library_for_keys_at_every_edge(number: int) -> None:
    """libsodium multiplies here; OpenSSL says the same, and both refuse what gives nought."""
    public, secret = number.to_bytes(32, "little"), D(b"secret", b"", str(number))
    own = X25519PrivateKey.from_private_bytes(secret)
    try:
        expected = own.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        with pytest.raises(ValueError, match="small order"):
            keys.x25519_exchange(secret, public)
        return
    assert keys.x25519_exchange(secret, public) == (expected, own.public_key().public_bytes_raw())


def test_a_key_of_another_length_is_exchanged_with_nobody() -> None:
    secret, public = D(b"secret", b"", "x"), keys.x25519_public(D(b"other", b"", "x"))
    for pair in ((secret[:31], public), (secret, public[:31]), (secret, public + b"\0")):
        with pytest.raises(ValueError, match="32 bytes"):
            keys.x25519_exchange(*pair)
