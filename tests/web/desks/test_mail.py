"""Mail on the pages: an address is given, confirmed by its link and listened to; the administrator tries the server."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.mail_server import MailServer
from tests.web.conftest import House, marks
from trading.kernel.access import CLOCK, Role
from trading.parties import mail_choices
from web.mail.way import Way
from web.workers.outbox_worker import Post, deliver

MAIL = "p@firm.example"


def way(server: MailServer, **more: Any) -> Way:
    return Way(chosen=True, host="127.0.0.1", port=server.port, sender="hall@centre.example", seconds=5, **more)


def test_an_address_is_confirmed_by_the_link_in_the_letter_and_messages_come_as_chosen(
    make_house: Callable[..., House],
) -> None:
    with MailServer() as server:
        house = make_house(base_url="https://localhost", mail=way(server))
        post = Post(way(server), "标厅", "https://localhost")
        house.person("p", Role.CENTRE)
        client = house.client()
        house.sign_in(client, "p")
        page = client.get("/account/mail")
        for bad in ("nobody", "a@b.example,c@d.example", "a b@c.example", "x@firm.example\r\nBcc: y@z.example"):
            answer = client.post("/account/acts/mail", data={**marks(page.text), "mail": bad})
            assert answer.status_code == 422, bad
        answer = client.post("/account/acts/mail", data={**marks(page.text), "mail": MAIL.upper()})
        assert answer.location == "/account/mail?asked=yes"
        assert "一天内打开链接" in client.get(answer.location).text
        assert "邮箱还没有确认" in client.get("/account").text
        assert deliver(house.office, post) == 1
        text = server.letters[0].message.get_content()
        found = re.search(r"https://localhost(/account/mail/confirm/[\w-]+)", text)
        assert found is not None and text.splitlines().count(found.group(0)) == 1
        stranger = house.client()  # on a telephone, not signed in
        shown = stranger.get(found.group(1))
        assert MAIL in shown.text and "已于" not in client.get("/account/mail").text
        done = stranger.post(f"{found.group(1)}/acts/confirm", data=marks(shown.text))
        assert done.location == "/account/mail/confirmed" and "邮箱已确认" in stranger.get(done.location).text
        assert "已于" in client.get("/account/mail").text and "邮箱还没有确认" not in client.get("/account").text
        assert stranger.get(found.group(1)).location == "/account/mail/over"
        with house.office.work(CLOCK) as work:
            work.send("x", to=f"account:{_number(house)}", template="password.changed")
        assert deliver(house.office, post) == 1
        assert server.letters[1].message["Subject"] == "密码已重设"
        assert "已交邮件服务器" in client.get("/account/mail").text
        chosen = {"pace": "each", "lang": "en", "groups": ["money"]}
        client.post("/account/acts/mail-choice", data={**marks(client.get("/account/mail").text), **chosen})
        with house.office.work(CLOCK) as work:
            work.send("y", to=f"account:{_number(house)}", template="password.changed")
            work.send("z", to=f"account:{_number(house)}", template="refund.returned", refund="r-1")
        assert deliver(house.office, post) == 1
        assert server.letters[2].message["Subject"] == "标厅: a new message for you"
        assert "r-1" not in server.letters[2].message.get_content()


def _number(house: House) -> int:
    from trading.parties import parties

    with house.office.view(CLOCK) as view:
        who = parties.find_account(view.session, "p")
        assert who is not None
        return who.id


def test_a_link_that_comes_back_is_told_on_the_page(make_house: Callable[..., House]) -> None:
    with MailServer(refuses={MAIL: b"550 5.1.1 no such user"}) as server:
        house = make_house(base_url="https://localhost", mail=way(server))
        house.person("p", Role.CENTRE)
        client = house.client()
        house.sign_in(client, "p")
        client.post("/account/acts/mail", data={**marks(client.get("/account/mail").text), "mail": MAIL})
        assert deliver(house.office, Post(way(server), "标厅", "https://localhost")) == 0
        page = client.get("/account/mail?asked=yes").text
        assert "有邮件被退回" in page and "550" in page and "有邮件被退回" in client.get("/account").text
        other = {**marks(page), "mail": "q@firm.example"}
        client.post("/account/acts/mail", data=other)
        assert "有邮件被退回" not in client.get("/account/mail").text


def test_links_are_not_sent_to_strangers_by_the_dozen(make_house: Callable[..., House]) -> None:
    house = make_house(base_url="https://localhost")
    house.person("p", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "p")
    answers = []
    for n in range(8):
        data = {**marks(client.get("/account/mail").text), "mail": f"{n}@firm.example"}
        answers.append(client.post("/account/acts/mail", data=data).status_code)
    assert answers[:6] == [303] * 6 and set(answers[6:]) == {429}
    with house.office.view(CLOCK) as view:
        asked = mail_choices.MailCheck
        assert view.session.query(asked).filter(asked.until > view.now).count() == 1, "a new link voids the old"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({}, "已交给邮件服务器"),
        ({"greylist": 9}, "请稍后再试"),
        ({"refuses": {MAIL: b"550 5.1.1 no such user here"}}, "550 5.1.1 no such user here"),
        ({"mail_reply": b"550 5.7.1 not from there"}, "发件地址或者授权"),
        ({"hangs_at": "ehlo"}, "没有答复"),
    ],
    ids=["taken", "greylisted", "refused", "sender", "hangs"],
)
def test_a_test_letter_says_what_the_server_answered(
    make_house: Callable[..., House], kind: dict[str, Any], words: str
) -> None:
    with MailServer(**kind) as server:
        house = make_house(mail=way(server).hurried(1))
        house.person("sys", Role.SYSTEM_ADMIN)
        client = house.client()
        house.sign_in(client, "sys")
        page = client.get("/admin/mail")
        assert f"127.0.0.1:{server.port}" in page.text and "没有设置邮件服务器" not in page.text
        assert client.post("/admin/acts/test-mail", data={**marks(page.text), "to": "nobody"}).status_code == 422
        said = client.post("/admin/acts/test-mail", data={**marks(page.text), "to": MAIL})
        assert said.status_code == 200 and words in said.text


def test_without_a_server_the_pages_say_so_and_a_letter_is_a_file(house: House, tmp_path: Path) -> None:
    house.person("sys", Role.SYSTEM_ADMIN)
    client = house.client()
    house.sign_in(client, "sys")
    page = client.get("/admin/mail")
    assert "没有设置邮件服务器" in page.text and "没有接通邮件服务器" not in page.text
    said = client.post("/admin/acts/test-mail", data={**marks(page.text), "to": MAIL})
    assert "写进了文件夹" in said.text and len(list((tmp_path / "mail").glob("*.eml"))) == 1
    assert "没有设置对外网址" in client.get("/account/mail").text


def test_only_the_system_administrator_tries_the_server(house: House) -> None:
    house.person("sec", Role.SECURITY_ADMIN)
    client = house.client()
    house.sign_in(client, "sec")
    assert client.get("/admin/mail").status_code == 403
