"""Sharing over GF(256), against the products of FIPS 197, multiplication bit by bit, and polynomials reckoned power by power."""

from __future__ import annotations

from functools import reduce
from itertools import combinations
from operator import xor

import pytest

from crypto import shares
from crypto.errors import CryptoError

SECRET = bytes(range(250, 256)) + bytes(range(26))
COEFFICIENTS = [bytes((37 * at + 11 * place + 5) % 256 for place in range(32)) for at in range(4)]


def times(a: int, b: int) -> int:
    """The product, one bit of `b` after the other, reduced by x^8+x^4+x^3+x+1."""
    found = 0
    for bit in range(8):
        found ^= (a << bit) if b >> bit & 1 else 0
    for bit in range(15, 7, -1):
        found ^= (0x11B << bit - 8) if found >> bit & 1 else 0
    return found


def value_at(j: int, terms: list[bytes]) -> bytes:
    """The polynomial at j: each term times its own power of j, added up."""
    powers = [reduce(times, [j] * power, 1) for power in range(len(terms))]
    return bytes(
        reduce(xor, (times(term[place], power) for term, power in zip(terms, powers, strict=True)))
        for place in range(len(terms[0]))
    )


@pytest.mark.parametrize(("a", "b", "product"), [
    (0x57, 0x83, 0xC1), (0x57, 0x13, 0xFE), (0x57, 0x02, 0xAE), (0x53, 0xCA, 0x01), (0, 7, 0), (7, 0, 0), (1, 1, 1), (255, 1, 255),
])  # fmt: skip
def test_products_of_the_standard(a: int, b: int, product: int) -> None:
    assert shares.multiply(a, b) == product == times(a, b)


def test_every_product_by_some_and_every_inverse() -> None:
    for b in (0, 1, 2, 3, 5, 0x53, 0x80, 0xCA, 0xFF):
        assert [shares.multiply(a, b) for a in range(256)] == [times(a, b) for a in range(256)]
    assert {times(a, shares._inverse(a)) for a in range(1, 256)} == {1}


def test_the_sum_of_strings_is_taken_byte_by_byte() -> None:
    assert shares.xor(b"\x00\x0f\xff", b"\x01\xff\xff") == b"\x01\xf0\x00"
    assert shares.xor(b"\x00\x00", b"\x00\x01") == b"\x00\x01"


@pytest.mark.parametrize("t", [1, 2, 3, 5])
def test_shares_are_the_values_of_the_polynomial_and_any_t_join(t: int) -> None:
    made = shares.split(SECRET, COEFFICIENTS[: t - 1], 5)
    assert made == {j: value_at(j, [SECRET, *COEFFICIENTS[: t - 1]]) for j in (1, 2, 3, 4, 5)}
    for some in combinations(made, t):
        assert shares.join({j: made[j] for j in reversed(some)}, t) == SECRET


def test_the_lowest_t_are_used_and_what_is_more_is_not_looked_at() -> None:
    made = shares.split(SECRET, COEFFICIENTS[:1], 4)
    assert shares.join({4: b"of another length", 2: made[2], 1: made[1]}, 2) == SECRET
    assert shares.join({**made, 3: bytes(32)}, 2) == SECRET
    assert shares.join({**made, 1: bytes(32)}, 2) != SECRET


def test_one_share_too_few() -> None:
    made = shares.split(SECRET, COEFFICIENTS[:2], 3)
    with pytest.raises(CryptoError, match="2 of 3 shares") as refused:
        shares.join({1: made[1], 3: made[3]}, 3)
    assert refused.value.code == "TOO_FEW_SHARES"


def test_from_one_share_to_255() -> None:
    assert shares.split(SECRET, [], 1) == {1: SECRET}
    made = shares.split(SECRET, COEFFICIENTS[:1], 255)
    assert sorted(made) == list(range(1, 256)) and made[255] == value_at(255, [SECRET, COEFFICIENTS[0]])
    assert shares.join({254: made[254], 255: made[255]}, 2) == SECRET
    for n in (0, 256):
        with pytest.raises(ValueError, match="not a polynomial"):
            shares.split(SECRET, [], n)


def test_a_polynomial_that_n_shares_cannot_tell_is_refused() -> None:
    """With n coefficients it takes n + 1 shares to join, and nobody would ever have them."""
    assert len(shares.split(SECRET, COEFFICIENTS[:2], 3)) == 3
    with pytest.raises(ValueError, match="not a polynomial"):
        shares.split(SECRET, COEFFICIENTS[:3], 3)
    with pytest.raises(ValueError, match="not a polynomial"):
        shares.split(SECRET, [COEFFICIENTS[0][:31]], 3)


@pytest.mark.parametrize("given", [{0: SECRET, 1: SECRET}, {1: SECRET, 256: SECRET}, {1: SECRET, 2: SECRET[:31]}])
def test_an_index_or_a_length_that_no_share_has(given: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="another index or length"):
        shares.join(given, 2)
