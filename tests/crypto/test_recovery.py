"""The recovery sheet: what is printed gives the keyring back, a slip of the pen is found in its line, nothing else passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import keyfiles, recovery
from crypto.canonical import b64u
from crypto.errors import CryptoError


def ring(role: str = "bidder", party: str = "91130205MA0000011X", seed: int = 1) -> dict[str, Any]:
    """A keyring of the right form. Its ciphertexts are no real ones: restoring needs no passphrase."""
    keys = []
    for place, alg in enumerate(keyfiles.ROLES.get(role, ("ed25519",)), start=seed):
        pub = b64u(bytes([place]) * 32)
        keys.append(
            {
                "alg": alg,
                "ct": b64u(bytes([place, 7]) * 24),
                "iv": b64u(bytes([place]) * 12),
                "kdf": "argon2id",
                "kid": keyfiles.key_id(alg, pub),
                "lanes": 1,
                "memory_kib": 65_536,
                "passes": 3,
                "pub": pub,
                "salt": b64u(bytes([place, 9]) * 8),
                "type": "bidhall-key",
                "v": 1,
            }
        )
    return {"type": "bidhall-keyring", "v": 1, "party": party, "role": role, "keys": keys}


@given(
    st.sampled_from(("bidder", "officer", "supervisor")),
    st.text("甲乙abcXYZ019 -", min_size=1, max_size=40),
    st.integers(1, 200),
)
def test_code_and_lines_give_the_keyring_back(role: str, party: str, seed: int) -> None:
    made = ring(role, party, seed)
    lines = recovery.lines_of(made)
    assert recovery.restore(recovery.code_text(made)) == made
    assert recovery.restore("\n".join(lines)) == made
    assert recovery.restore("\n\n".join(line.lower().replace(" ", "  ") for line in reversed(lines))) == made


@settings(max_examples=60)
@given(st.data())
def test_one_wrong_letter_is_found_in_its_line(data: st.DataObject) -> None:
    lines = recovery.lines_of(ring())
    no = data.draw(st.integers(0, len(lines) - 1))
    places = [at for at, one in enumerate(lines[no]) if at > 2 and one != " "]
    at = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from([one for one in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" if one != lines[no][at]]))
    lines[no] = lines[no][:at] + other + lines[no][at + 1 :]
    try:
        found = recovery.restore("\n".join(lines))
    except CryptoError as error:
        assert error.code == "FORMAT"
    else:  # one slip in a thousand passes its line; the sum over the whole text must catch that
        pytest.fail(f"took {found}")


def test_missing_and_swapped_lines_are_named() -> None:
    lines = recovery.lines_of(ring())
    with pytest.raises(CryptoError, match="03"):
        recovery.restore("\n".join(lines[:2] + lines[3:]))
    swapped = [lines[0], "02" + lines[2][2:], "03" + lines[1][2:], *lines[3:]]
    with pytest.raises(CryptoError, match="02, 03"):
        recovery.restore("\n".join(swapped))
    with pytest.raises(CryptoError, match="not whole"):
        recovery.restore("\n".join(lines[:-1]))


@pytest.mark.parametrize("text", ["", "BIDHALL-KEY:", "BIDHALL-KEY:AAAA", "01 ABCDE", "hello", "BIDHALL-KEY:!!"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(CryptoError) as refusal:
        recovery.restore(text)
    assert refusal.value.code == "FORMAT"


def test_digits_base32_does_not_have_are_read_as_the_letters_they_were() -> None:
    made = ring()
    lines = [
        line[:3] + line[3:].replace("O", "0").replace("I", "1").replace("B", "8") for line in recovery.lines_of(made)
    ]
    assert recovery.restore("\n".join(lines)) == made


def test_words_differ_with_the_key_and_agree_in_place() -> None:
    one, other = (recovery.key_words("ed25519", bytes([n]) * 32, "en") for n in (1, 2))
    assert len(one) == 12 and one != other
    zh, en = recovery.word_list("zh"), recovery.word_list("en")
    assert [zh.index(word) for word in recovery.key_words("ed25519", bytes([1]) * 32, "zh")] == [
        en.index(word) for word in one
    ]


def test_a_restored_keyring_opens_with_its_passphrase() -> None:
    made = keyfiles.new_keyring("officer1", "officer", "a lantern over nine bridges")
    back = recovery.restore("\n".join(recovery.lines_of(made)))
    opened = keyfiles.open_keyring(back, "a lantern over nine bridges")
    assert back == made and opened.secrets == keyfiles.open_keyring(made, "a lantern over nine bridges").secrets
