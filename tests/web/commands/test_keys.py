"""`bidhall keys`: key files made and shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from crypto import keyfiles
from crypto.canonical import unb64u
from crypto.errors import CryptoError
from tests.kit.commands import PASSPHRASE, Desk


def test_a_new_key_file_holds_what_its_role_needs_and_opens_with_its_passphrase_alone(desk: Desk) -> None:
    ran = desk.run("keys", "new", "--bidder", "--party", "91130205MA0000011X", "-o", desk.path("k"), "--passphrase-file", desk.passphrase)
    assert (ran.code, ran.out) == (0, "")
    ring = keyfiles.open_keyring(desk.read("k"), PASSPHRASE)
    assert (ring.party, ring.role, set(ring.secrets)) == ("91130205MA0000011X", "bidder", {"ed25519", "x25519"})
    with pytest.raises(CryptoError, match="PASSPHRASE"):
        keyfiles.open_keyring(desk.read("k"), PASSPHRASE + "x")
    assert stat.S_IMODE(os.stat(desk.path("k")).st_mode) == 0o600


def test_show_names_party_role_and_public_keys_without_a_passphrase(desk: Desk) -> None:
    made = desk.run("keys", "new", "--officer", "--party", "chen", "-o", desk.path("k"), "--passphrase-file", desk.passphrase, "--json")
    shown = desk.run("keys", "show", desk.path("k"), "--json")
    assert shown.code == 0 and shown.json == made.json
    assert (shown.json["party"], shown.json["role"]) == ("chen", "officer")
    assert [row["alg"] for row in shown.json["keys"]] == ["ed25519", "root"]
    secrets = keyfiles.open_keyring(desk.read("k"), PASSPHRASE).secrets
    for row in shown.json["keys"]:
        assert row["pub"] == secrets[row["alg"]].pub and unb64u(row["kid"], 16)
        assert secrets[row["alg"]].secret not in shown.out.encode()
    assert shown.json["keys"][0]["fingerprint"].replace(" ", "") == unb64u(shown.json["keys"][0]["kid"]).hex()
    assert "chen" in desk.run("keys", "show", desk.path("k")).out


def test_nothing_is_written_over_without_force(desk: Desk) -> None:
    Path(desk.path("k")).write_text("mine")
    arguments = ("keys", "new", "--bidder", "--party", "p", "-o", desk.path("k"), "--passphrase-file", desk.passphrase)
    assert desk.run(*arguments).code == 2
    assert Path(desk.path("k")).read_text() == "mine"
    assert desk.run(*arguments, "--force").code == 0
    assert desk.read("k")["party"] == "p"


@pytest.mark.parametrize("arguments", [
    ("--party", "p"), ("--bidder", "--party", ""), ("--bidder", "--party", "drill"), ("--bidder", "--party", "x" * 129), ("--bidder",),
    ("--bidder", "--officer", "--party", "p"),
])
def test_a_wrong_call_is_exit_2_and_leaves_no_file(desk: Desk, arguments: tuple[str, ...]) -> None:
    ran = desk.run("keys", "new", *arguments, "-o", desk.path("k"), "--passphrase-file", desk.passphrase)
    assert ran.code == 2 and ran.err and not Path(desk.path("k")).exists()


def test_an_empty_passphrase_file_is_named(desk: Desk) -> None:
    empty = desk.write("empty", b"\n")
    ran = desk.run("keys", "new", "--bidder", "--party", "p", "-o", desk.path("k"), "--passphrase-file", empty)
    assert ran.code == 2 and "empty" in ran.err


@pytest.mark.parametrize("text", [b"{}", b"not json", b'{"type": "bidhall-keyring"}', b"[1]", b"\xff"])
def test_show_refuses_what_is_no_key_file(desk: Desk, text: bytes) -> None:
    assert desk.run("keys", "show", desk.write("k", text)).code == 2
    assert desk.run("keys", "show", desk.path("absent")).code == 2


def test_every_other_role_holds_a_signing_key_alone(desk: Desk) -> None:
    ran = desk.run("keys", "new", "--role", "expert", "--party", "li", "-o", desk.path("k"), "--passphrase-file", desk.passphrase, "--json")
    assert [row["alg"] for row in ran.json["keys"]] == ["ed25519"] and ran.json["role"] == "expert"
