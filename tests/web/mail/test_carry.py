"""Letters handed to a real server over sockets: what it answers, and what it means that it does not."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.kit.mail_server import PASSWORD, USER, MailServer, trust
from tests.kit.office import START
from trading.kernel.errors import NotReady
from web.mail import carry, compose, way
from web.mail.way import Way

TO = "su@firm.example"


def way_to(server: MailServer, **more: object) -> Way:
    found = Way(chosen=True, host="127.0.0.1", port=server.port, tls="none", sender="hall@centre.example", seconds=5)
    return replace(found, **more)  # type: ignore[arg-type]


def hand(to_server: Way, to: str = TO, ref: str = "one") -> carry.Answer:
    letter = compose.envelope(
        to, to_server, subject="一条消息", text="请登录。\n", ref=ref, place="阳光标厅", now=START
    )
    with carry.opened(to_server) as line:
        return line.hand(letter, to)


def test_a_letter_arrives_with_its_heads() -> None:
    with MailServer() as server:
        assert hand(way_to(server)) == carry.Answer("taken", 250)
    (got,) = server.letters
    assert (got.sender, got.to) == ("hall@centre.example", TO)
    assert got.message["From"] == "阳光标厅 <hall@centre.example>" and got.message["Subject"] == "一条消息"
    assert got.message["Message-ID"] == "<one@centre.example>" and got.message["Auto-Submitted"] == "auto-generated"
    assert got.message.get_content().splitlines() == ["请登录。"]


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_tls_is_spoken_and_the_certificate_looked_at(mode: str, tmp_path: Path) -> None:
    with MailServer(tls=mode, auth=True) as server:
        known = way_to(server, tls=mode, ca=trust(tmp_path), user=USER, password=PASSWORD)
        assert hand(known).kind == "taken" and server.letters[0].over_tls
        with pytest.raises(carry.Unreachable, match="mail.way_certificate"):
            hand(replace(known, ca=""))
        with pytest.raises(carry.Unreachable, match="mail.way_sign_in") as refused:
            hand(replace(known, password="another one"))
    assert refused.value.code == 535 and len(server.letters) == 1
    assert PASSWORD not in repr(known)


def test_nothing_goes_in_the_open_where_tls_was_asked_for(tmp_path: Path) -> None:
    with MailServer() as server, pytest.raises(carry.Unreachable, match="mail.way_no_starttls"):
        hand(way_to(server, tls="starttls", ca=trust(tmp_path)))
    assert not any(line.startswith(("MAIL", "AUTH")) for line in server.lines)


@pytest.mark.parametrize(
    ("server", "answer"),
    [
        (MailServer(greylist=1), carry.Answer("later", 451, "4.7.1 greylisted, come again", True)),
        (MailServer(refuses={TO: b"550 5.1.1 no such user"}), carry.Answer("never", 550, "5.1.1 no such user", True)),
        (MailServer(data_reply=b"554 5.7.1 no"), carry.Answer("never", 554, "5.7.1 no")),
        (MailServer(data_reply=b"452 4.3.1 full"), carry.Answer("later", 452, "4.3.1 full")),
    ],
    ids=["greylisted", "no such user", "content refused", "full"],
)
def test_what_the_server_says_of_a_letter(server: MailServer, answer: carry.Answer) -> None:
    with server:
        assert hand(way_to(server)) == answer
    assert server.letters == []


def test_a_server_that_does_not_want_us_says_nothing_of_a_letter() -> None:
    with MailServer(mail_reply=b"550 5.7.1 not from there") as server:
        with pytest.raises(carry.Unreachable, match="mail.way_refused") as refused:
            hand(way_to(server))
    assert refused.value.code == 550
    with pytest.raises(carry.Unreachable, match="mail.way_no_answer"):
        hand(way_to(server))  # its door is shut
    with pytest.raises(carry.Unreachable, match="mail.way_no_host"):
        hand(replace(way_to(server), host="nowhere.invalid"))


@pytest.mark.parametrize("place", ["greeting", "ehlo", "data"])
def test_a_server_that_hangs_is_left(place: str) -> None:
    with MailServer(hangs_at=place) as server:
        begun = time.monotonic()
        with pytest.raises(carry.Unreachable, match="mail.way_hangs"):
            hand(way_to(server, seconds=1))
        assert time.monotonic() - begun < 4


def test_a_server_that_drips_is_cut_however_long_it_goes_on() -> None:
    with MailServer(drips=True) as server:
        begun = time.monotonic()
        with pytest.raises(carry.Unreachable, match="mail.way_hangs"):
            hand(way_to(server, seconds=1))
        assert time.monotonic() - begun < 1 * carry.LONGEST + 2


def test_a_folder_holds_each_letter_once_for_the_platform_alone(tmp_path: Path) -> None:
    folder = Way(folder=str(tmp_path / "mail"))
    assert hand(folder).kind == hand(folder).kind == "taken"
    (path,) = (tmp_path / "mail").iterdir()
    assert path.name == "one.eml" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert message_from_bytes(path.read_bytes(), policy=policy.default).get_content().splitlines() == ["请登录。"]
    (tmp_path / "file").touch()
    with pytest.raises(carry.Unreachable, match="mail.way_folder"):
        hand(Way(folder=str(tmp_path / "file")))


# --- settings -----------------------------------------------------------------------------------------------------------------

SERVER = {"MAIL": "smtp://mail.example.cn", "MAIL_FROM": "hall@example.cn"}


def test_the_mode_follows_from_host_and_port_and_letters_go_into_a_folder_without_a_server(tmp_path: Path) -> None:
    assert way.read({}, tmp_path) == Way(folder=str(tmp_path / "mail"))
    assert way.read({"MAIL": "/var/letters"}, tmp_path) == Way(folder="/var/letters", chosen=True)
    found = way.read(SERVER, tmp_path)
    assert (found.host, found.port, found.tls, found.seconds) == ("mail.example.cn", 587, "starttls", 20)
    assert way.read({**SERVER, "MAIL": "smtp://mail.example.cn:465"}, tmp_path).tls == "tls"
    assert way.read({**SERVER, "MAIL": "smtp://localhost:25"}, tmp_path).tls == "none"


def test_the_password_comes_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "mail.password"
    path.write_text("secret of the server\n")
    path.chmod(0o600)
    values = {**SERVER, "MAIL_USER": "hall", "MAIL_PASSWORD_FILE": str(path)}
    found = way.read(values, tmp_path)
    assert found.password == "secret of the server" and "secret" not in repr(found) + found.shown
    path.chmod(0o644)
    with pytest.raises(NotReady, match="settings.secret_open"):
        way.read(values, tmp_path)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"MAIL": "http://mail.example.cn"}, "BIDHALL_MAIL"),
        ({"MAIL": "smtp://hall:word@mail.example.cn"}, "BIDHALL_MAIL"),
        ({"MAIL": "smtp://mail.example.cn:x"}, "BIDHALL_MAIL"),
        ({"MAIL": "smtp://mail.example.cn"}, "BIDHALL_MAIL_FROM"),
        ({**SERVER, "MAIL_FROM": "hall@example.cn, x@example.cn"}, "BIDHALL_MAIL_FROM"),
        ({**SERVER, "MAIL_TLS": "none"}, "BIDHALL_MAIL_TLS"),
        ({**SERVER, "MAIL_TLS": "ssl"}, "BIDHALL_MAIL_TLS"),
        ({**SERVER, "MAIL_USER": "hall"}, "BIDHALL_MAIL_USER"),
        ({**SERVER, "MAIL_PASSWORD": "word"}, "BIDHALL_MAIL_USER"),
        ({**SERVER, "MAIL_USER": "hall", "MAIL_PASSWORD_FILE": "word"}, "BIDHALL_MAIL_PASSWORD_FILE"),
        ({**SERVER, "MAIL_CA": "ca.pem"}, "BIDHALL_MAIL_CA"),
        ({**SERVER, "MAIL_TIMEOUT": "0"}, "BIDHALL_MAIL_TIMEOUT"),
    ],
)
def test_what_cannot_be_so_is_refused_by_its_name(values: dict[str, str], name: str, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="settings.value") as refused:
        way.read(values, tmp_path)
    assert refused.value.facts["name"] == name and "word" not in str(refused.value.facts["value"]).replace(
        "word", "", name == "BIDHALL_MAIL_PASSWORD_FILE"
    )
