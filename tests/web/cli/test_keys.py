"""`bidhall keys`: key files made and shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from crypto import hpke, keyfiles, keys
from crypto.canonical import b64u, unb64u
from crypto.documents import open_enrolment
from crypto.errors import CryptoError
from crypto.recovery import key_words
from tests.kit.commands import PASSPHRASE, Desk
from tests.kit.world import World


def test_a_new_key_file_holds_what_its_role_needs_and_opens_with_its_passphrase_alone(desk: Desk) -> None:
    ran = desk.run(
        "keys",
        "new",
        "--bidder",
        "--party",
        "91130205MA0000011X",
        "-o",
        desk.path("k"),
        "--passphrase-file",
        desk.passphrase,
    )
    assert (ran.code, ran.out) == (0, "")
    ring = keyfiles.open_keyring(desk.read("k"), PASSPHRASE)
    assert (ring.party, ring.role, set(ring.secrets)) == ("91130205MA0000011X", "bidder", {"ed25519", "x25519"})
    with pytest.raises(CryptoError, match="PASSPHRASE"):
        keyfiles.open_keyring(desk.read("k"), PASSPHRASE + "x")
    assert stat.S_IMODE(os.stat(desk.path("k")).st_mode) == 0o600


def test_show_names_party_role_and_public_keys_without_a_passphrase(desk: Desk) -> None:
    made = desk.run(
        "keys",
        "new",
        "--officer",
        "--party",
        "chen",
        "-o",
        desk.path("k"),
        "--passphrase-file",
        desk.passphrase,
        "--json",
    )
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


@pytest.mark.parametrize(
    "arguments",
    [
        ("--party", "p"),
        ("--bidder", "--party", ""),
        ("--bidder", "--party", "drill"),
        ("--bidder", "--party", "x" * 129),
        ("--bidder",),
        ("--bidder", "--officer", "--party", "p"),
    ],
)
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
    ran = desk.run(
        "keys",
        "new",
        "--role",
        "expert",
        "--party",
        "li",
        "-o",
        desk.path("k"),
        "--passphrase-file",
        desk.passphrase,
        "--json",
    )
    assert [row["alg"] for row in ran.json["keys"]] == ["ed25519"] and ran.json["role"] == "expert"


def test_a_sheet_gives_the_key_file_back_with_its_passphrase_alone(desk: Desk) -> None:
    desk.run(
        "keys",
        "new",
        "--bidder",
        "--party",
        "91130205MA0000011X",
        "-o",
        desk.path("k"),
        "--passphrase-file",
        desk.passphrase,
    )
    assert desk.run("keys", "sheet", desk.path("k"), "-o", desk.path("sheet.txt")).code == 0
    assert desk.run("keys", "sheet", desk.path("k"), "-o", desk.path("sheet.html")).code == 0
    page = Path(desk.path("sheet.html")).read_text(encoding="utf-8")
    lines = Path(desk.path("sheet.txt")).read_text(encoding="utf-8")
    assert (
        all(line in page for line in lines.splitlines())
        and "<svg" in page
        and " · ".join(desk.run("keys", "show", desk.path("k"), "--json").json["keys"][0]["words"]["zh"]) in page
    )
    back = desk.run(
        "keys", "restore", desk.path("sheet.txt"), "-o", desk.path("k2"), "--passphrase-file", desk.passphrase
    )
    assert back.code == 0 and desk.read("k2") == desk.read("k")
    wrong = desk.write("wrong", b"another one altogether")
    assert (
        desk.run("keys", "restore", desk.path("sheet.txt"), "-o", desk.path("k3"), "--passphrase-file", wrong).code == 2
    )
    slipped = desk.write("slipped.txt", ("02" + lines.splitlines()[0][2:] + "\n" + lines).encode())
    ran = desk.run("keys", "restore", slipped, "-o", desk.path("k3"), "--passphrase-file", desk.passphrase)
    assert ran.code == 2 and "02" in ran.err and not Path(desk.path("k3")).exists()


def test_another_passphrase_wraps_the_same_keys(desk: Desk) -> None:
    desk.run("keys", "new", "--officer", "--party", "chen", "-o", desk.path("k"), "--passphrase-file", desk.passphrase)
    other = desk.write("other", b"seven herons at the weir")
    ran = desk.run(
        "keys",
        "passphrase",
        desk.path("k"),
        "-o",
        desk.path("k2"),
        "--passphrase-file",
        desk.passphrase,
        "--new-passphrase-file",
        other,
    )
    assert ran.code == 0
    assert (
        keyfiles.open_keyring(desk.read("k2"), "seven herons at the weir").secrets
        == keyfiles.open_keyring(desk.read("k"), PASSPHRASE).secrets
    )


def test_enrolments_are_signed_rotated_and_vouched_for_offline(desk: Desk, world: World) -> None:
    given = ("--platform", world.office.platform, "--passphrase-file", desk.passphrase)
    for name, whose in (("old", "--bidder"), ("new", "--bidder")):
        desk.run(
            "keys",
            "new",
            whose,
            "--party",
            "91130205MA0000011X",
            "-o",
            desk.path(name),
            "--passphrase-file",
            desk.passphrase,
        )
    desk.run(
        "keys",
        "new",
        "--role",
        "supervisor",
        "--party",
        "watch",
        "-o",
        desk.path("s"),
        "--passphrase-file",
        desk.passphrase,
    )
    public = {
        name: unb64u(next(one["pub"] for one in desk.read(name)["keys"] if one["alg"] == "ed25519"))
        for name in ("old", "new", "s")
    }
    assert desk.run("keys", "enrol", desk.path("old"), *given, "-o", desk.path("e1")).code == 0
    assert open_enrolment(desk.read("e1"))[1] == "first"
    assert (
        desk.run(
            "keys",
            "enrol",
            desk.path("new"),
            *given,
            "--old",
            desk.path("old"),
            "--old-passphrase-file",
            desk.passphrase,
            "-o",
            desk.path("e2"),
        ).code
        == 0
    )
    assert open_enrolment(desk.read("e2"), public["old"])[1] == "rotated"
    lost = keys.kid("ed25519", public["old"])
    assert desk.run("keys", "enrol", desk.path("new"), *given, "--lost", lost, "-o", desk.path("e3")).code == 0
    with pytest.raises(CryptoError):
        open_enrolment(desk.read("e3"), public["old"], [public["s"]])
    told = desk.run(
        "keys",
        "vouch",
        desk.path("e3"),
        "--key",
        desk.path("s"),
        "--passphrase-file",
        desk.passphrase,
        "-o",
        desk.path("e4"),
    )
    assert told.code == 0 and " · ".join(key_words("ed25519", public["new"], "en")) in told.err
    assert open_enrolment(desk.read("e4"), public["old"], [public["s"]])[1] == "replaced by supervisor"
    assert (
        desk.run(
            "keys",
            "vouch",
            desk.path("e3"),
            "--key",
            desk.path("old"),
            "--passphrase-file",
            desk.passphrase,
            "-o",
            desk.path("e5"),
        ).code
        == 2
    )


def test_the_challenge_is_answered_offline(desk: Desk) -> None:
    desk.run(
        "keys",
        "new",
        "--bidder",
        "--party",
        "91130205MA0000011X",
        "-o",
        desk.path("k"),
        "--passphrase-file",
        desk.passphrase,
    )
    seal = unb64u(next(one["pub"] for one in desk.read("k")["keys"] if one["alg"] == "x25519"))
    for info, code in ((b"bidhall/sb1/enrol", 0), (b"bidhall/sb1/share/1", 1)):
        enc, ct = hpke.seal(seal, info, b"\x05" * 32, ikm=b"\x06" * 32)
        box = desk.write("box", {"enc": b64u(enc), "ct": b64u(ct)})
        ran = desk.run("keys", "answer", desk.path("k"), "--box", box, "--passphrase-file", desk.passphrase)
        assert ran.code == code and (ran.out.strip() == b64u(b"\x05" * 32)) is (code == 0)
