"""Trusted keys: their JSON form, and what is refused."""

import pytest

from crypto.errors import CryptoError
from crypto.trust import trust_of
from tests.crypto.ceremony import TRUST


def test_round_trip():
    assert trust_of(TRUST.to_json()) == TRUST and not TRUST.unwitnessed


@pytest.mark.parametrize("change", [{"origin": "other"}, {"quorum": 2}, {"quorum": True}, {"log_key": "x"},
                                    {"platform_keys": []}, {"platform_keys": ["AAAA"]}, {"witnesses": None},
                                    {"log_key": TRUST.to_json()["witnesses"][0]}])
def test_bad_trust(change):
    with pytest.raises(CryptoError) as refused:
        trust_of({**TRUST.to_json(), **change})
    assert refused.value.code == "JSON_PROFILE"
