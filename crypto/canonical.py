"""One byte string per value: canonical JSON, times, base64url and the two labelled hashes everything else is built on.

Implements the protocol, section 1. Canonical JSON ("CJ") is RFC 8785 narrowed to objects, arrays, strings, booleans
and integers, so that two implementations cannot disagree about a number. A reader parses, serialises again and
compares: what is not canonical is refused, never repaired.
"""

import hashlib
import hmac
import json
import re
from binascii import a2b_base64, b2a_base64
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn

from crypto.errors import CryptoError

MAX_INT = 2**53 - 1
MAX_DEPTH = 16
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")


def dumps(value: Any) -> bytes:
    """The canonical bytes of a value. Refuses: JSON_PROFILE for anything outside the profile."""
    _check(value, 0)
    text = _encode(value)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CryptoError("JSON_PROFILE", "a string holds a lone surrogate") from error


def loads(data: bytes | bytearray | memoryview) -> Any:
    """The value of canonical bytes. Refuses: JSON_PROFILE unless serialising the value gives these very bytes."""
    raw = bytes(data)
    try:
        value = _decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CryptoError("JSON_PROFILE", f"not JSON of the profile: {error}"[:200]) from error
    if dumps(value) != raw:
        raise CryptoError("JSON_PROFILE", "not in canonical form")
    return value


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"number {text[:40]} is not an integer")


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_decode = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float).decode


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CryptoError("JSON_PROFILE", "nested deeper than 16")
    kind = type(value)
    if kind is str or kind is bool:
        return
    if kind is int:
        if not -MAX_INT <= value <= MAX_INT:
            raise CryptoError("JSON_PROFILE", "integer beyond 2^53-1")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str or not _is_key(key):
                raise CryptoError("JSON_PROFILE", f"key {key!r} is not of the alphabet"[:120])
            if type(item) is not str or depth == MAX_DEPTH:  # a text needs no look of its own
                _check(item, depth + 1)
    elif kind is list or kind is tuple:
        for item in value:
            _check(item, depth + 1)
    else:
        raise CryptoError("JSON_PROFILE", f"{kind.__name__} is not of the profile")


@lru_cache(maxsize=1024)
def _is_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None


def b64u(data: bytes | bytearray | memoryview) -> str:
    """base64url without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def unb64u(text: Any, length: int | None = None) -> bytes:
    """The bytes of a base64url text; `length` in bytes, if it must be that.

    Refuses: JSON_PROFILE for foreign characters, padding, trailing bits that are not zero, or another length.
    """
    if type(text) is not str:
        raise CryptoError("JSON_PROFILE", "not base64url")
    try:
        data = a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4))
    except ValueError as error:
        raise CryptoError("JSON_PROFILE", "not base64url") from error
    if b64u(data) != text:  # the decoder passes over what is foreign to it
        raise CryptoError("JSON_PROFILE", "base64url with foreign characters, padding or trailing bits")
    if length is not None and len(data) != length:
        raise CryptoError("JSON_PROFILE", f"{len(data)} bytes instead of {length}")
    return data


def H(tag: str, *parts: bytes) -> bytes:
    """SHA-256 of "bidhall/sb1/" + tag, a zero byte and the parts: 32 bytes."""
    digest = hashlib.sha256(b"bidhall/sb1/" + tag.encode() + b"\0")
    for part in parts:
        digest.update(part)
    return digest.digest()


def D(ikm: bytes, salt: bytes, label: str, length: int = 32) -> bytes:
    """HKDF-SHA-256 (RFC 5869, extract and expand) with info "bidhall/sb1/" + label."""
    prk = hmac.digest(salt, ikm, "sha256")
    return hkdf_expand(prk, b"bidhall/sb1/" + label.encode(), length)


def hkdf_expand(prk: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 section 2.3 with SHA-256."""
    block, out, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes((counter,)), "sha256")
        out += block
        counter += 1
    return out[:length]


def same(a: bytes, b: bytes) -> bool:
    """Equality of secrets and tags, in constant time."""
    return hmac.compare_digest(a, b)


def parse_time(text: Any) -> datetime:
    """The aware UTC moment of `YYYY-MM-DDTHH:MM:SSZ`. Refuses: JSON_PROFILE for any other form or an unreal date."""
    if type(text) is not str or not _TIME.fullmatch(text):
        raise CryptoError("JSON_PROFILE", "not a time of the form YYYY-MM-DDTHH:MM:SSZ")
    try:
        moment = datetime(
            int(text[:4]),
            int(text[5:7]),
            int(text[8:10]),
            int(text[11:13]),
            int(text[14:16]),
            int(text[17:19]),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise CryptoError("JSON_PROFILE", "not a real date") from error
    if moment.year < 1970:
        raise CryptoError("JSON_PROFILE", "before 1970")
    return moment


def format_time(moment: datetime) -> str:
    """The text of an aware moment, floored to the second. Raises ValueError for a naive one: that is a defect."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    utc = moment.astimezone(UTC)
    if utc.year < 1970:
        raise ValueError("a moment before 1970")
    return f"{utc.year:04d}-{utc.month:02d}-{utc.day:02d}T{utc.hour:02d}:{utc.minute:02d}:{utc.second:02d}Z"


def later(text: str, seconds: int) -> str:
    """A time text moved by whole seconds. Refuses: JSON_PROFILE beyond the calendar."""
    try:
        return format_time(parse_time(text) + timedelta(seconds=seconds))
    except (OverflowError, ValueError) as error:
        raise CryptoError("JSON_PROFILE", "beyond the calendar") from error
