"""t-of-n sharing of 32 bytes over GF(256) (x^8+x^4+x^3+x+1), byte by byte.

Implements the sharing of the protocol, section 3.1. The coefficients come from the caller, who derives them from the
seed: whoever has the seed can rebuild every share. Multiplying by a constant is one `bytes.translate`.
"""

from collections.abc import Mapping, Sequence
from functools import reduce

from crypto.errors import CryptoError


def _tables() -> tuple[list[int], list[int]]:
    exp, log, x = [0] * 510, [0] * 256, 1
    for i in range(255):
        exp[i] = exp[i + 255] = x
        log[x] = i
        x ^= x << 1  # times 3, a generator
        if x & 0x100:
            x ^= 0x11B
    return exp, log


_EXP, _LOG = _tables()


def multiply(a: int, b: int) -> int:
    """The product in GF(256)."""
    return _EXP[_LOG[a] + _LOG[b]] if a and b else 0


def _inverse(a: int) -> int:
    return _EXP[255 - _LOG[a]]


_TIMES = [bytes(multiply(a, b) for b in range(256)) for a in range(256)]


def xor(a: bytes, b: bytes) -> bytes:
    """Bytewise sum of two strings of one length."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def split(secret: bytes, coefficients: Sequence[bytes], n: int) -> dict[int, bytes]:
    """Shares 1..n: the values at j of the polynomial secret + a_1·x + … (t = 1 + number of coefficients)."""
    if not 1 <= n <= 255 or len(coefficients) >= n or any(len(a) != len(secret) for a in coefficients):
        raise ValueError("not a polynomial for n shares")
    terms = [secret, *coefficients]
    return {
        j: reduce(
            lambda value, a, j=j: xor(value.translate(_TIMES[j]), a),  # type: ignore[misc]
            reversed(terms[:-1]),
            terms[-1],
        )
        for j in range(1, n + 1)
    }


def join(shares: Mapping[int, bytes], t: int) -> bytes:
    """The secret from the t shares of lowest index. Wrong shares give a wrong secret: check them first.

    Refuses: TOO_FEW_SHARES.
    """
    used = sorted(shares)[:t]
    if len(used) < t:
        raise CryptoError("TOO_FEW_SHARES", f"{len(used)} of {t} shares")
    if any(not 1 <= j <= 255 for j in used) or len({len(shares[j]) for j in used}) != 1:
        raise ValueError("shares of another index or length")
    secret = bytes(len(shares[used[0]]))
    for j in used:
        weight = 1
        for m in used:
            if m != j:
                weight = multiply(weight, multiply(m, _inverse(m ^ j)))
        secret = xor(secret, shares[j].translate(_TIMES[weight]))
    return secret
