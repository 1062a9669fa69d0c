"""Trusted keys: their JSON form, and what is refused."""

from typing import Any

import pytest

from crypto.errors import CryptoError
from crypto.trust import trust_of
from tests.crypto.ceremony import TRUST


def test_round_trip() -> None:
    assert trust_of(TRUST.to_json()) == TRUST and not TRUST.unwitnessed


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "other"},
        {"quorum": 2},
        {"quorum": True},
        {"log_key": "x"},
        {"platform_keys": []},
        {"platform_keys": ["AAAA"]},
        {"witnesses": None},
        {"log_key": TRUST.to_json()["witnesses"][0]},
    ],
)
def test_bad_trust(change: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        trust_of({**TRUST.to_json(), **change})
    assert refused.value.code == "JSON_PROFILE"
