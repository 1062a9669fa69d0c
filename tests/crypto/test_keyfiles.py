"""Key files, keyrings, keeper files, passwords: the vector, round trips, wrong passphrases, greedy files."""

from typing import Any

import pytest

from crypto import keyfiles, passwords
from crypto.canonical import dumps, loads, unb64u
from crypto.errors import CryptoError
from tests.crypto.vectors import vec

CASE = vec("key_file")
FILE = loads(CASE["file_jcs"].encode())


def test_vector() -> None:
    salt = unb64u(FILE["salt"])
    assert keyfiles.wrapping_key(CASE["passphrase"], salt, 65_536, 3).hex() == CASE["kek"]
    assert dumps({k: v for k, v in FILE.items() if k != "ct"}) == CASE["aad_jcs"].encode()
    opened = keyfiles.unwrap(FILE, CASE["passphrase"])
    assert (opened.alg, opened.secret.hex()) == ("x25519", CASE["secret"])
    assert keyfiles._wrap("x25519", opened.secret, CASE["passphrase"], salt, unb64u(FILE["iv"])) == FILE


def test_wrong_passphrase_and_changed_fields() -> None:
    with pytest.raises(CryptoError) as refused:
        keyfiles.unwrap(FILE, CASE["passphrase"] + " ")
    assert refused.value.code == "PASSPHRASE"
    for change in ({"pub": FILE["pub"][:-4] + "AAAA"}, {"kid": "A" * 22}, {"alg": "ed25519"}, {"passes": 2}):
        with pytest.raises(CryptoError) as refused:
            keyfiles.unwrap({**FILE, **change}, CASE["passphrase"])
        assert refused.value.code == "PASSPHRASE"


@pytest.mark.parametrize(
    "change",
    [
        {"memory_kib": 262_145},
        {"passes": 11},
        {"lanes": 2},
        {"passes": True},
        {"v": 2},
        {"type": "bidhall-seed"},
        {"kdf": "scrypt"},
        {"alg": "rsa"},
        {"salt": "AAAA"},
        {"more": 1},
        {"memory_kib": 0},
    ],
)
def test_files_that_ask_for_too_much_are_refused_before_any_work(change: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        keyfiles.unwrap({**FILE, **change}, CASE["passphrase"])
    assert refused.value.code == "JSON_PROFILE"


def test_keyring_of_an_officer() -> None:
    ring = keyfiles.new_keyring("officer-1", "officer", "é 电池")
    assert loads(dumps(ring)) == ring
    opened = keyfiles.open_keyring(ring, "e\u0301 电池")  # the same text, otherwise composed
    assert set(opened.secrets) == {"ed25519", "root"} and len(opened.secret("root")) == 32
    assert opened.secret("root").hex() not in repr(opened)
    with pytest.raises(CryptoError):
        opened.secret("x25519")
    for wrong in (
        {**ring, "keys": []},
        {**ring, "keys": ring["keys"][:1] * 2},
        {**ring, "v": True},
        {**ring, "party": ""},
    ):
        with pytest.raises(CryptoError) as refused:
            keyfiles.open_keyring(wrong, "é 电池")
        assert refused.value.code == "JSON_PROFILE"


def test_keeper_file() -> None:
    kept = keyfiles.wrap_seed(b"\7" * 32, "p")
    assert (kept["type"], kept["alg"]) == ("bidhall-seed", "seed")
    assert keyfiles.unwrap_seed(kept, "p") == b"\7" * 32
    with pytest.raises(CryptoError):
        keyfiles.unwrap_seed(FILE, CASE["passphrase"])


def test_passwords() -> None:
    phc = passwords.hash_password("电池 correct")
    assert phc != passwords.hash_password("电池 correct") and not passwords.needs_rehash(phc)
    passwords.verify_password("电池 correct", phc)
    for password, stored in (
        ("电池 Correct", phc),
        ("x", ""),
        ("x", "$argon2id$v=19$m=9999999,t=1,p=1$" + "A" * 22 + "$" + "A" * 43),
        ("电池 correct", phc[:-2] + "AA"),
    ):
        with pytest.raises(CryptoError) as refused:
            passwords.verify_password(password, stored)
        assert refused.value.code == "PASSPHRASE"
    assert passwords.needs_rehash("$argon2id$v=19$m=8,t=1,p=1$" + "A" * 22 + "$" + "A" * 43)
