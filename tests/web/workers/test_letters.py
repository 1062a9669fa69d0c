"""Messages leave as letters: to whoever wants them, in their language, telling nobody on the way what is sealed; once, whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import select

from tests.kit.mail_server import MailServer
from tests.web.conftest import House
from trading.kernel.access import CLOCK, Actor, Role
from trading.kernel.outbox import Message
from trading.parties import mail_choices, mail_queue, own_people, parties
from trading.parties.mail_queue import GIVEN_UP, HANDED, REFUSED, WAITING, MailLetter
from trading.parties.message_groups import ABOUT, TELLING, USUAL
from web.cli import doctor_mail
from web.mail import carry
from web.mail.way import Way
from web.workers.outbox_worker import Post, deliver

BASE = "https://hall.example"
LOT = "GP-2026-0117-01"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as one:
        yield one


def post(server: MailServer, seconds: int = 5) -> Post:
    way = Way(chosen=True, host="127.0.0.1", port=server.port, sender="hall@centre.example", seconds=seconds)
    return Post(way, "阳光标厅", BASE)


def acting(house: House, username: str) -> Actor:
    with house.office.view(CLOCK) as view:
        who = parties.find_account(view.session, username)
        assert who is not None
        roles = parties.roles_of(view.session, who)
        return parties.actor_for(who, min(roles), roles, fresh_until=view.now + timedelta(hours=1))


def reachable(house: House, username: str, *roles: Role, mail: str = "", **choice: Any) -> int:
    """Somebody whose address is confirmed by the link that was sent to it."""
    number = house.person(username, *roles)
    who = acting(house, username)
    with house.office.work(who) as work:
        own_people.set_mail(work, mail or f"{username}@firm.example")
        mail_choices.ask(work, BASE)
        if choice:
            mail_choices.choose(work, **{"pace": "each", "lang": "zh", "groups": USUAL, **choice})
    with house.office.work(CLOCK) as work:
        rows = select(Message).where(Message.template == "mail.check").order_by(Message.id.desc()).limit(1)
        asked = work.session.scalars(rows).one()
        mail_choices.confirm(work, asked.facts["link"].rpartition("/")[2])
        asked.sent_at = work.now  # its letter is no matter of these tests
        work.session.add(
            MailLetter(
                ref=f"check-{number}",
                kind="address",
                message_id=asked.id,
                state=HANDED,
                made_at=work.now,
                due_at=work.now,
                tries=0,
                code=250,
                claim="",
                done_at=work.now,
            )
        )
    return number


def tell(house: House, key: str, to: str, template: str = "award.lost", **facts: Any) -> None:
    with house.office.work(CLOCK) as work:
        work.send(key, to=to, template=template, **{"lot": LOT, "rank": 2, **facts})


def letters(house: House, *, kind: str = "") -> list[MailLetter]:
    with house.office.view(CLOCK) as view:
        rows = select(MailLetter).where(MailLetter.ref.not_like("check-%")).order_by(MailLetter.id)
        return [one for one in view.session.scalars(rows) if not kind or one.kind == kind]


def text_of(message: EmailMessage) -> str:
    return str(message.get_content())


def test_a_message_comes_to_whoever_wants_it_in_their_language_with_a_link_to_its_page(
    house: House, server: MailServer
) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    other = reachable(house, "other", Role.BIDDER_SIGNER, lang="en")
    house.person("silent", Role.BIDDER_SIGNER)
    reachable(house, "never", Role.BIDDER_SIGNER, pace="never")
    for username in ("one", "other", "silent", "never"):
        tell(house, username, f"party:{acting(house, username).party_id}")
    assert deliver(house.office, post(server)) == 2 and deliver(house.office, post(server)) == 0
    chinese, english = (got.message for got in server.letters)
    assert (chinese["To"], english["To"]) == ("one@firm.example", "other@firm.example")
    assert chinese["Subject"] == f"结果通知：{LOT}" and "未中标" in text_of(chinese)
    assert english["Subject"] == f"Result: {LOT}" and "was not awarded it" in text_of(english)
    with house.office.view(acting(house, "one")) as view:
        (message,), _ = mail_queue.inbox.letters(view)
    assert f"{BASE}/account/inbox/{message.id}" in text_of(chinese) and f"{BASE}/account/mail" in text_of(chinese)
    assert {(one.account_id, one.state, one.code) for one in letters(house)} == {
        (one, HANDED, 250),
        (other, HANDED, 250),
    }


def test_what_tells_who_bids_or_evaluates_comes_only_when_asked_for_and_says_nothing(
    house: House, server: MailServer
) -> None:
    reachable(house, "usual", Role.BIDDER_SIGNER)
    reachable(house, "asked", Role.BIDDER_SIGNER, groups=tuple(ABOUT))
    facts = {
        "title": "绝密标题",
        "refund": "r",
        "forfeit": "f",
        "place": "第二评标室",
        "starts_at": "2026-03-19T01:30:00Z",
    }
    for template in sorted(TELLING):
        for username in ("usual", "asked"):
            tell(house, f"{template}/{username}", f"account:{acting(house, username).account_id}", template, **facts)
    while deliver(house.office, post(server)):
        pass
    assert len(server.letters) == len(TELLING) and {got.to for got in server.letters} == {"asked@firm.example"}
    wholes = {f"{got.message['Subject']}\n{text_of(got.message).partition('到平台查看')[0]}" for got in server.letters}
    assert len(wholes) == 1, "one is as the other"
    heads = "\n".join(str(value) for got in server.letters for value in got.message.values())
    for secret in (LOT, "绝密", "第二评标室", "2026-03-19", "09:30"):
        assert secret not in heads and not any(secret in whole for whole in wholes)
    assert "bid.copy" not in heads and "fault" not in heads


def test_a_kind_nobody_has_put_into_a_group_never_leaves(house: House, server: MailServer) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER, groups=tuple(ABOUT))
    tell(house, "x", f"account:{one}", "never.written")
    assert deliver(house.office, post(server)) == 0 and letters(house) == []


def test_the_letter_of_the_day_gathers_what_came_and_counts_what_it_does_not_tell(
    house: House, server: MailServer
) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER, pace="daily", groups=tuple(ABOUT))
    tell(house, "a", f"account:{one}")
    tell(house, "b", f"account:{one}", "bid.copy_wanted")
    deliver(house.office, post(server))
    assert server.letters == []
    house.clock.advance(hours=22)  # 09:52 in Beijing → 07:52
    deliver(house.office, post(server))
    assert server.letters == []
    house.clock.advance(minutes=10)
    assert deliver(house.office, post(server)) == 1
    text = text_of(server.letters[0].message)
    assert "未中标" in text and "另有 1 条" in text and "副本" not in text and text.count(LOT) == 1
    assert server.letters[0].message["Subject"] == "阳光标厅：今日消息汇总（2 条）"
    assert [one.state for one in letters(house)] == ["bound", "bound", HANDED]


def test_a_greylisted_letter_comes_later_under_the_same_number(house: House) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    tell(house, "a", f"account:{one}")
    with MailServer(greylist=3) as server:
        waits = []
        for _ in range(3):
            assert deliver(house.office, post(server)) == 0 == deliver(house.office, post(server))
            (row,) = letters(house)
            assert (row.state, row.code) == (WAITING, 451)
            waits.append(row.due_at - house.clock.now())
            house.clock.advance(seconds=int(waits[-1].total_seconds()))
        assert deliver(house.office, post(server)) == 1
        assert [w.total_seconds() for w in waits] == [60, 120, 240]
        assert server.letters[0].message["Message-ID"] == f"<{letters(house)[0].ref}@centre.example>"


def test_an_address_that_is_refused_gets_no_more_until_it_is_confirmed_anew(house: House) -> None:
    reply = b"550 5.1.1 <one@firm.example> is unknown"
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    tell(house, "a", f"account:{one}")
    client = house.client()
    house.sign_in(client, "one")
    with MailServer(refuses={"one@firm.example": reply}) as server:
        assert deliver(house.office, post(server)) == 0
        assert [(row.state, row.code) for row in letters(house)] == [(REFUSED, 550)]
        assert "有邮件被退回" in client.get("/account").text and "550" in client.get("/account/mail").text
        tell(house, "b", f"account:{one}")
        deliver(house.office, post(server))
        assert len(letters(house)) == 1
        with house.office.view(CLOCK) as view:
            assert mail_queue.backlog(view.session, view.now) == mail_queue.Backlog(False, False, 1)
            assert mail_queue.backlog(view.session, view.now + timedelta(days=8)).failed == 0
        server.refuses.clear()
        with house.office.work(acting(house, "one")) as work:
            mail_choices.ask(work, BASE)
        assert deliver(house.office, post(server)) == 1
        link = text_of(server.letters[0].message).partition(BASE)[2].split()[0]
        page = client.get(link)
        assert "one@firm.example" in page.text, "looking at it confirms nothing"
        tell(house, "c", f"account:{one}")
        deliver(house.office, post(server))
        assert len(server.letters) == 1
        from tests.web.conftest import marks

        assert client.post(f"{link}/acts/confirm", data=marks(page.text)).location == "/account/mail/confirmed"
        assert client.get(link).location == "/account/mail/over"
        tell(house, "d", f"account:{one}")
        assert deliver(house.office, post(server)) == 1


def test_a_letter_whose_text_is_refused_says_nothing_against_the_address(house: House, server: MailServer) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    tell(house, "a", f"account:{one}")
    server.data_reply = b"554 5.7.1 looks like spam"
    deliver(house.office, post(server))
    server.data_reply = b"250 ok"
    tell(house, "b", f"account:{one}")
    assert deliver(house.office, post(server)) == 1
    assert [row.state for row in letters(house)] == [REFUSED, HANDED]


def test_while_no_server_answers_all_wait_ever_longer_and_are_given_up_after_three_days(house: House) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    for key in "abc":
        tell(house, key, f"account:{one}")
    with MailServer() as gone:
        pass
    begun, waits = house.clock.now(), []
    while any(row.state == WAITING for row in letters(house)) or not letters(house):
        assert deliver(house.office, post(gone)) == 0
        rows = letters(house)
        assert len({(row.state, row.tries) for row in rows}) == 1
        waits.append(rows[0].due_at - house.clock.now())
        house.clock.advance(seconds=max(1, int(waits[-1].total_seconds())))
    assert {row.state for row in rows} == {GIVEN_UP}
    assert waits[:-1] == sorted(waits[:-1]) and max(waits) == timedelta(hours=4)
    assert timedelta(days=3) <= house.clock.now() - begun < timedelta(days=3, hours=5)


def test_one_letter_a_server_cannot_bear_does_not_keep_the_others(house: House, server: MailServer) -> None:
    for username in ("one", "two"):
        number = reachable(house, username, Role.BIDDER_SIGNER)
        tell(house, username, f"account:{number}")
    server.refuses["one@firm.example"] = b"421 4.3.0 I am gone"  # and smtplib hangs up
    deliver(house.office, post(server))
    deliver(house.office, post(server))
    assert [got.to for got in server.letters] == ["two@firm.example"]


def test_while_a_server_hangs_others_write_and_the_letter_waits(house: House) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    tell(house, "a", f"account:{one}")
    with MailServer(hangs_at="data") as server:
        carrier = threading.Thread(target=deliver, args=(house.office, post(server, seconds=2)))
        carrier.start()
        until = time.monotonic() + 10
        while not any(line.upper() == "DATA" for line in server.lines) and time.monotonic() < until:
            time.sleep(0.01)
        begun = time.monotonic()
        tell(house, "b", f"account:{one}")
        assert time.monotonic() - begun < 1 and carrier.is_alive(), "who writes does not wait for the server"
        assert (
            deliver(house.office, post(server, seconds=1)) == 0
        )  # another worker takes the other letter, not this one
        carrier.join(15)
        assert not carrier.is_alive()
    assert {(row.state, row.tries) for row in letters(house)} == {(WAITING, 1)} and len(letters(house)) == 2


def test_two_workers_at_once_never_carry_the_same_letter(house: House, server: MailServer) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    for n in range(30):
        tell(house, f"k{n}", f"account:{one}")
    together = threading.Barrier(2)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            together.wait()
            for _ in range(4):
                deliver(house.office, post(server))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(3):
        deliver(house.office, post(server))
    assert not failed
    numbers = [got.message["Message-ID"] for got in server.letters]
    assert len(numbers) == len(set(numbers)) == 30


def test_who_dies_after_handing_over_leaves_the_letter_to_be_carried_again_under_its_number(
    house: House, server: MailServer
) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    tell(house, "a", f"account:{one}")
    with house.office.work(CLOCK) as work:
        mail_queue.place(work)
        (parcel,) = mail_queue.claim(work, timedelta(minutes=2))
    assert deliver(house.office, post(server)) == 0, "it is somebody's"
    house.clock.advance(minutes=2)
    assert deliver(house.office, post(server)) == 1
    with house.office.work(CLOCK) as work:  # the first comes back from the dead
        mail_queue.mark(work, parcel, mail_queue.Outcome(REFUSED, 550, bounced=True))
    assert letters(house)[0].state == HANDED and letters(house)[0].ref == parcel.ref


def test_an_address_taken_away_meanwhile_gets_nothing(house: House, server: MailServer) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    tell(house, "a", f"account:{one}")
    with house.office.work(CLOCK) as work:
        mail_queue.place(work)
    with house.office.work(acting(house, "one")) as work:
        own_people.set_mail(work, "other@firm.example")
    assert deliver(house.office, post(server)) == 0 and server.letters == []
    assert [row.state for row in letters(house)] == ["dropped"]


def test_old_letters_are_forgotten_and_what_never_left_does_not_leave_then(house: House, server: MailServer) -> None:
    one = reachable(house, "one", Role.BIDDER_SIGNER, pace="daily")
    tell(house, "a", f"account:{one}")
    deliver(house.office, post(server))
    with house.office.work(CLOCK) as work:
        work.send("r", channel="mail", to="gone@firm.example", template="registration.returned", name="x")
    server.refuses["gone@firm.example"] = b"550 no"
    deliver(house.office, post(server))
    house.clock.advance(days=2)
    assert deliver(house.office, post(server)) == 1
    house.clock.advance(days=91)
    for _ in range(2):
        with house.office.work(CLOCK) as work:
            mail_queue.sweep(work)
    assert [(row.kind, row.state) for row in letters(house)] == [("address", REFUSED)]
    assert deliver(house.office, post(server)) == 0 and carry.longest(post(server).way) == 20


def test_the_doctor_says_that_no_server_is_set_and_that_letters_do_not_leave(house: House, server: MailServer) -> None:
    def found(way: Way) -> tuple[str, str, str]:
        (one,) = doctor_mail.examine(replace(house.app.extensions["bidhall"].settings, mail=way), house.office)
        return one.code, one.level, one.what

    assert found(Way())[:2] == ("mail", "warning")
    way = replace(post(server).way, user="hall", password="nobody reads this")
    assert found(way)[1] == "ok" and "nobody" not in found(way)[2]
    one = reachable(house, "one", Role.BIDDER_SIGNER)
    tell(house, "a", f"account:{one}")
    with MailServer() as gone:
        pass
    deliver(house.office, post(gone))
    house.clock.advance(minutes=59)
    assert found(way)[1] == "ok"
    house.clock.advance(minutes=1)
    assert found(way) == ("mail_waits", "error", "1 letters have waited for longer than an hour")
