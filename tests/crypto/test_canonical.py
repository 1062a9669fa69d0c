"""Canonical JSON, times, base64url: vectors of the protocol, section 1, and an outside implementation as oracle."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from crypto import canonical
from crypto.errors import CODES, CryptoError
from tests.crypto.vectors import vec


def test_good_values_have_one_form() -> None:
    import hashlib

    for case in vec("jcs_good"):
        data = canonical.dumps(json.loads(case["value_text"]))
        assert data == case["canonical"].encode()
        assert hashlib.sha256(data).hexdigest() == case["sha256"]
        assert canonical.dumps(canonical.loads(data)) == data


@pytest.mark.parametrize("case", vec("jcs_reject"), ids=lambda c: c["why"].replace(" ", "-"))
def test_other_forms_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        canonical.loads(bytes.fromhex(case["bytes"]))
    assert refused.value.code == "JSON_PROFILE"


@pytest.mark.parametrize("text", vec("bad_times"))
def test_bad_times(text: str) -> None:
    with pytest.raises(CryptoError) as refused:
        canonical.parse_time(text)
    assert refused.value.code == "JSON_PROFILE"


def test_a_time_that_is_a_number_is_refused() -> None:
    for value in (0, None, True, b"2026-03-01T00:00:00Z"):
        with pytest.raises(CryptoError):
            canonical.parse_time(value)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31)))
def test_times_round_trip_and_sort_as_strings(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    text = canonical.format_time(moment)
    assert canonical.parse_time(text) == moment.replace(microsecond=0)
    assert (text < "2026-03-01T00:00:00Z") == (moment < datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        None,
        {"A": 1},
        {"": 1},
        {1: 1},
        {"a" * 41: 1},
        2**53,
        -(2**53),
        b"x",
        "\ud800",
        {"a": {"b": float("nan")}},
        {"a\n": 1},
        {"ａ": 1},
        [set()],
    ],
)
def test_values_outside_the_profile(value: object) -> None:
    with pytest.raises(CryptoError) as refused:
        canonical.dumps(value)
    assert refused.value.code == "JSON_PROFILE"


def nested(levels: int) -> object:
    value: object = []
    for _ in range(levels):
        value = [value]
    return value


def test_sixteen_levels_and_no_more() -> None:
    canonical.dumps(nested(16))
    with pytest.raises(CryptoError):
        canonical.dumps(nested(17))


KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_the_same_bytes_as_rfc8785(value: Any) -> None:
    data = canonical.dumps(value)
    assert data == rfc8785.dumps(value)
    assert canonical.loads(data) == value


@given(VALUES, st.data())
def test_a_changed_byte_is_another_value_or_none(value: object, data: st.DataObject) -> None:
    raw = bytearray(canonical.dumps(value))
    i = data.draw(st.integers(0, len(raw) - 1))
    raw[i] ^= data.draw(st.integers(1, 255))
    try:
        other = canonical.loads(raw)
    except CryptoError as refused:
        assert refused.code == "JSON_PROFILE"
    else:
        assert canonical.dumps(other) == bytes(raw)
        assert repr(other) != repr(value)


@given(st.binary(max_size=80))
def test_base64url_round_trip(data: bytes) -> None:
    text = canonical.b64u(data)
    assert canonical.unb64u(text, len(data)) == data
    for bad in (text + "=", text + "\n", text + "+", " " + text):
        with pytest.raises(CryptoError):
            canonical.unb64u(bad)


@pytest.mark.parametrize("text", ["A", "AB", "AAF", "AA==", "A/AA", "A+AA", "ＡAAA", None, 5, b"AAAA"])
def test_sloppy_base64url_is_refused(text: object) -> None:
    with pytest.raises(CryptoError):
        canonical.unb64u(text)


def test_only_codes_of_the_protocol() -> None:
    assert len(set(CODES)) == len(CODES) == 29
    with pytest.raises(ValueError):
        CryptoError("SOMETHING")
