"""Accounts: a firm registers itself and is accepted; a forgotten password tells nobody which accounts exist."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pyotp
import pytest
from sqlalchemy import select

from tests.kit.rows import fingerprint
from tests.kit.world import SETUP, credit_code
from tests.web.conftest import PASSWORD, House, marks
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import Person, Rooms
from trading.files.scanning import CLEAN, INFECTED, Finding
from trading.kernel.access import CLOCK, Role
from trading.kernel.errors import NotAllowed, NotFound
from trading.kernel.outbox import Message
from trading.parties import own_people, parties, password_links, registrations
from web.mail.way import Way
from web.workers.outbox_worker import Post, deliver

OVER = "/account/forgotten?over=yes"
NEW = "seven herons cross a slow river"
FIRM = {
    "name": "清溪教学仪器有限公司",
    "code": credit_code(321),
    "region": "130205",
    "bank_account": "6222 0000 1234 5678",
    "bank_name": "春晓银行",
    "person": "苏清溪",
    "phone": "0310-1234567",
    "mail": "Su@Example.com",
}
PDF = b"%PDF-1.7 a licence"


def licence(data: bytes = PDF, name: str = "营业执照.pdf") -> Any:
    return (io.BytesIO(data), name)


def stranger(rooms: Rooms) -> Person:
    return Person(rooms.app.test_client())


def registered(rooms: Rooms, **changes: Any) -> Person:
    who = stranger(rooms)
    assert (
        done(
            send(
                who,
                "/register",
                "send",
                **{**FIRM, "username": "suqingxi", "password": NEW, "proof": licence(), **changes},
            )
        )
        == "/register/state"
    )
    return who


def test_every_fault_of_a_registration_at_once_and_nothing_is_kept(rooms: Rooms) -> None:
    who = stranger(rooms)
    before = fingerprint(rooms.world, without=("rate_count",))
    told = errors(send(who, "/register", "send", **dict.fromkeys(FIRM, ""), username="", password="", proof=None))
    assert told.count("请填写") >= 8 and "请选择文件" in told
    wrong = {
        "code": credit_code(321)[:-1] + ("0" if credit_code(321)[-1] != "0" else "1"),
        "mail": "su at example",
        "phone": "call me",
        "bank_account": "12",
    }
    answer = send(
        who,
        "/register",
        "send",
        **{**FIRM, **wrong, "username": "su", "password": "short", "proof": licence(b"MZ", "x.pdf")},
    )
    told = errors(answer)
    for part in ("校验", "邮箱", "电话", "8 至 32 位", "密码至少", "PDF、JPG 或 PNG"):
        assert part in told, (part, told)
    assert "清溪教学仪器有限公司" in answer.text and "short" not in answer.text
    known = errors(
        send(
            who,
            "/register",
            "send",
            **{**FIRM, "code": credit_code(101), "username": "bidder1", "password": NEW, "proof": licence()},
        )
    )
    assert "已经登记" in known
    assert fingerprint(rooms.world, without=("rate_count",)) == before


@pytest.mark.parametrize(
    ("data", "name", "good"),
    [
        (PDF, "a.pdf", True),
        (b"\xff\xd8\xff\xe0", "a.JPEG", True),
        (b"\x89PNG\r\n\x1a\n", "a.png", True),
        (PDF, "a.png", False),
        (b"<html>", "a.pdf", False),
        (b"", "a.pdf", False),
        (PDF, "a.exe", False),
        (PDF + b"x" * registrations.MOST_BYTES, "a.pdf", False),
    ],
)
def test_a_proof_is_what_its_name_says(rooms: Rooms, data: bytes, name: str, good: bool) -> None:
    answer = send(
        stranger(rooms),
        "/register",
        "send",
        **{**FIRM, "username": "suqingxi", "password": NEW, "proof": licence(data, name)},
    )
    assert (answer.status_code == 303) is good, answer.text[:500]


def test_a_firm_is_returned_corrected_accepted_and_takes_part(rooms: Rooms) -> None:
    who = registered(rooms)
    assert "待办理" in who.get("/register/state").text
    for page in ("/bidder", "/account", "/centre/registrations"):
        assert who.get(page).status_code in (302, 303), "the account of a registration sees its state and nothing else"
    taken = errors(
        send(
            stranger(rooms),
            "/register",
            "send",
            **{**FIRM, "code": credit_code(322), "username": "SuQingxi", "password": NEW, "proof": licence()},
        )
    )
    assert "已存在" in taken
    again = errors(
        send(
            stranger(rooms), "/register", "send", **{**FIRM, "username": "another", "password": NEW, "proof": licence()}
        )
    )
    assert "已有一份登记" in again
    clerk = rooms.person("clerk")
    assert "核对单位登记：清溪教学仪器有限公司" in clerk.get("/centre").text
    (page,) = set(re.findall(r"/centre/registrations/\w+", clerk.get("/centre/registrations").text))
    proof = clerk.get(page + "/proof")
    assert (
        proof.data == PDF
        and proof.mimetype == "application/octet-stream"
        and "sandbox" in proof.headers["Content-Security-Policy"]
    )
    assert proof.headers["Content-Disposition"].startswith("attachment")
    for other in ("bidder1", "host", "agent", "watch"):
        assert {rooms.person(other).get(page + part).status_code for part in ("", "/proof")} == {403}
    assert "请填写" in errors(send(clerk, page, "return", reasons=" "))
    done(send(clerk, page, "return", reasons="扫描件看不清，请重新上传"))
    shown = who.get("/register/state").text
    assert "扫描件看不清" in shown and "清溪教学仪器有限公司" in shown
    late = stranger(rooms)
    late.get("/account/sign-in")
    assert late.act("/account/acts/sign-in", username="suqingxi", password=NEW, code="").location == "/register/state"
    wrong = stranger(rooms)
    assert (
        wrong.act(
            "/account/acts/sign-in", page="/account/sign-in", username="suqingxi", password="x" * 12, code=""
        ).status_code
        == 422
    )
    done(send(who, "/register/state", "again", name="清溪教学仪器（春晓）有限公司", proof=licence(b"%PDF-2.0 clear")))
    more: Any = FIRM
    who.marks["form_id"] = "f" * 32  # another form, not the same one twice
    assert who.act("/register/acts/again", **more).status_code in (409, 422), "only what was returned can be changed"
    assert "请" in errors(send(clerk, page, "accept"))
    done(send(clerk, page, "accept", checked="yes"))
    assert clerk.get(page + "/proof").data == b"%PDF-2.0 clear"
    assert "acts/accept" not in clerk.get(page).text
    admin = stranger(rooms)
    admin.get("/account/sign-in")
    assert admin.act("/account/acts/sign-in", username="suqingxi", password=NEW, code="").location == "/bidder"
    assert "单位登记已受理" in admin.get("/account/inbox").text
    with rooms.world.office.work(SETUP) as work:
        firm = parties.party_by_code(work.session, FIRM["code"])
        assert (firm.kind, firm.bank_account, firm.name) == (
            "bidder",
            "6222000012345678",
            "清溪教学仪器（春晓）有限公司",
        )
        mails = {m.template: m.address for m in work.session.scalars(select(Message).where(Message.channel == "mail"))}
        assert mails == {"registration.returned": "su@example.com", "registration.accepted": "su@example.com"}
    people(rooms, admin)


def people(rooms: Rooms, admin: Person) -> None:
    """The administrator of the new firm adds a signer, who takes part in a lot."""
    assert "请" in errors(send(admin, "/bidder/people", "invite", username="xiao", name="", password="short", roles=[]))
    assert (
        admin.act(
            "/bidder/acts/invite", page="/bidder/people", username="mole1", name="甲", password=NEW, roles="cashier"
        ).status_code
        == 422
    )
    done(
        send(
            admin,
            "/bidder/people",
            "invite",
            username="xiaohe",
            name="苏小河",
            password=NEW,
            roles=["bidder-signer", "bidder-operator"],
        )
    )
    assert "已存在" in errors(
        send(admin, "/bidder/people", "invite", username="xiaohe", name="乙", password=NEW, roles=["bidder-signer"])
    )
    page = re.findall(r"/bidder/people/\d+", admin.get("/bidder/people").text)[0]
    signer = stranger(rooms)
    signer.get("/account/sign-in")
    assert signer.act("/account/acts/sign-in", username="xiaohe", password=NEW, code="").location == "/bidder"
    assert signer.get("/bidder/people").status_code == 200 or signer.get("/bidder/people").status_code == 403
    assert signer.get("/bidder/lots").status_code == 200
    assert "请" in errors(send(admin, page, "roles", roles=[]))
    done(send(admin, page, "roles", roles=["bidder-operator"]))
    with rooms.world.office.work(SETUP) as work:
        who = parties.find_account(work.session, "xiaohe")
        assert who is not None and parties.roles_of(work.session, who) == {Role.BIDDER_OPERATOR}
        other = rooms.world.people["bidder1"]
    assert admin.get(f"/bidder/people/{other}").status_code == 404, "nobody outside the firm"
    done(send(admin, page, "close", sure="yes"))
    assert signer.get("/bidder").status_code in (302, 303)


def test_an_administrator_of_a_firm_changes_nothing_about_themself(rooms: Rooms) -> None:
    world = rooms.world
    with world.office.work(SETUP) as work:
        parties.give(work, parties.account(work.session, world.people["bidder1"]), Role.BIDDER_ADMIN, by=None)
    with pytest.raises(NotAllowed), world.work("bidder1", Role.BIDDER_ADMIN) as work:
        own_people.set_roles(work, parties.account(work.session, world.people["bidder1"]), [Role.BIDDER_SIGNER])
    with pytest.raises(NotFound), world.work("bidder1", Role.BIDDER_ADMIN) as work:
        own_people.close(work, parties.account(work.session, world.people["bidder2"]))
    with pytest.raises(NotAllowed), world.work("bidder1", Role.BIDDER_SIGNER) as work:
        own_people.invite(work, username="xiaohe", name="x", password=NEW, mail="", roles=[Role.BIDDER_SIGNER])


class Looking:
    """A scanner that says what it is told to (the protocol of scanners is that of opened files)."""

    def __init__(self, state: str) -> None:
        self.state = state

    def version(self) -> str:
        return "test"

    def scan(self, source: Any) -> Finding:
        source.read()
        return Finding(self.state, "Eicar" if self.state == INFECTED else "")


def test_a_proof_waits_for_the_scanner_where_there_is_one(rooms: Rooms) -> None:
    registered(rooms)
    with rooms.world.view("clerk") as view:
        (row,) = registrations.listed(view, registrations.SENT)
        assert registrations.release(view, row, scanned=False) == "unscanned"
        with pytest.raises(Exception, match="file.waiting"):
            registrations.release(view, row, scanned=True)
    assert registrations.scan(rooms.world.office, Looking(INFECTED)) == 1
    with rooms.world.view("clerk") as view, pytest.raises(Exception, match="file.infected"):
        registrations.release(view, registrations.find(view.session, row.ref), scanned=True)
    with rooms.world.office.work(CLOCK) as work:
        registrations.find(work.session, row.ref).scan = "waiting"
    assert (
        registrations.scan(rooms.world.office, Looking(CLEAN)) == 1
        and registrations.scan(rooms.world.office, Looking(CLEAN)) == 0
    )
    with rooms.world.view("clerk") as view:
        assert registrations.release(view, registrations.find(view.session, row.ref), scanned=True) == "clean"


# --- a forgotten password -------------------------------------------------------------------------------------------------


@pytest.fixture
def forgetful(house: House, tmp_path: Path) -> House:
    """A rehearsal, where mail can be read on the platform; ``p`` has an address."""
    (tmp_path / "rehearsal").touch()
    who = house.person("p", Role.CENTRE)
    with house.office.work(SETUP) as work:
        parties.account(work.session, who).mail = "p@example.com"
    return house


def ask(house: House, typed: str) -> Any:
    client = house.client()
    return client.post("/account/acts/forgotten", data={**marks(client.get("/account/forgotten").text), "typed": typed})


def links(house: House) -> list[str]:
    with house.office.work(CLOCK) as work:
        password_links.answer(work)
    return re.findall(r"/account/new-password/[\w-]+", house.client().get("/account/rehearsal-post").text)


def test_asking_says_and_does_the_same_for_everybody(forgetful: House) -> None:
    seen = []
    for typed in ("p", "nobody", "p@example.com", "nobody@example.com"):
        before = fingerprint(forgetful, without=("rate_count", "password_wish", "form_use"))  # type: ignore[arg-type]
        answer = ask(forgetful, typed)
        seen.append((answer.status_code, answer.location, re.sub(r"\s", "", answer.text)))
        assert fingerprint(forgetful, without=("rate_count", "password_wish", "form_use")) == before, (  # type: ignore[arg-type]
            "whose it is, the clock looks later"
        )
    assert len(set(seen)) == 1
    assert len(links(forgetful)) == 1, "the newer voids the older of the two"


def test_the_link_works_once_for_half_an_hour_and_ends_every_sign_in(forgetful: House) -> None:
    house = forgetful
    inside = house.client()
    house.sign_in(inside, "p")
    ask(house, "P")
    (old,) = links(house)
    ask(house, "p@example.com")
    newest = links(house)[0]
    client = house.client()
    assert client.get(old).location == OVER, "a newer one voids it"
    for bad in ("short", "toubiao2026"):
        answer = client.post(newest + "/acts/set", data={**marks(client.get(newest).text), "new": bad})
        assert answer.status_code == 422 and bad not in answer.text
    assert inside.get("/account").status_code == 200
    set_ = client.post(newest + "/acts/set", data={**marks(client.get(newest).text), "new": NEW})
    assert set_.location == "/account/new-password-set"
    assert inside.get("/account").status_code == 302, "other sign-ins are over"
    assert client.get(newest).location == OVER and house.sign_in(house.client(), "p").status_code == 422
    page = client.get("/account/sign-in")
    assert (
        client.post(
            "/account/acts/sign-in", data={**marks(page.text), "username": "p", "password": NEW, "code": ""}
        ).status_code
        == 303
    )
    assert "密码已重设" in client.get("/account/inbox").text
    ask(house, "p")
    late = links(house)[0]
    house.clock.advance(minutes=31)
    assert client.get(late).location == OVER and "已失效" in client.get(OVER).text
    with house.office.glance() as connection:
        stored = str(connection.execute(select(password_links.PasswordLink.token_hash)).all())
    assert late.rpartition("/")[2] not in stored


def test_a_second_factor_is_asked_for_all_the_same(forgetful: House) -> None:
    house, secret = forgetful, pyotp.random_base32()
    with house.office.work(SETUP) as work:
        who = parties.find_account(work.session, "p")
        assert who is not None
        who.totp_secret = secret
    ask(house, "p")
    (link,) = links(house)
    client = house.client()
    page = client.get(link)
    assert client.post(link + "/acts/set", data={**marks(page.text), "new": NEW}).status_code == 422
    code = pyotp.TOTP(secret).at(house.clock.now())
    assert (
        client.post(link + "/acts/set", data={**marks(client.get(link).text), "new": NEW, "code": code}).status_code
        == 303
    )


def test_outside_a_rehearsal_nobody_reads_the_post_and_a_link_that_left_is_forgotten(
    house: House, tmp_path: Path
) -> None:
    who = house.person("p", Role.CENTRE)
    client = house.client()
    assert client.get("/account/rehearsal-post").status_code == 404
    assert "没有开通邮件" in client.get("/account/forgotten").text
    with house.office.work(SETUP) as work:
        parties.account(work.session, who).mail = "p@example.com"
        password_links.ask(work, "p", "https://bidhall.example")
    with house.office.work(CLOCK) as work:
        assert password_links.answer(work) == 1
    assert deliver(house.office, Post(Way(folder=str(tmp_path / "mail")), "标厅")) == 1
    (letter,) = (tmp_path / "mail").glob("*.eml")
    from email import message_from_bytes, policy

    text = message_from_bytes(letter.read_bytes(), policy=policy.default).get_content()
    assert "https://bidhall.example/account/new-password/" in text
    with house.office.glance() as connection:
        (facts,) = connection.execute(select(Message.facts).where(Message.channel == "mail")).scalars()
    assert facts["link"] == ""


def test_one_gives_ones_own_address(house: House) -> None:
    house.person("p", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "p")
    assert "还没有登记邮箱" in client.get("/account").text
    answer = client.post("/account/acts/mail", data={**marks(client.get("/account/mail").text), "mail": "not one"})
    assert answer.status_code == 422 and "not one" in answer.text
    assert (
        client.post(
            "/account/acts/mail", data={**marks(client.get("/account/mail").text), "mail": "P@Example.com"}
        ).status_code
        == 303
    )
    assert "p@example.com" in client.get("/account").text
    assert PASSWORD not in client.get("/account").text
