"""The inbox: what is sent to a person or an organisation is read by them, in words, and by nobody else."""

from __future__ import annotations

import re
from pathlib import Path

from tests.web.conftest import House, marks
from tests.web.desks.rooms import Rooms
from trading.kernel.access import CLOCK, Role
from trading.parties import parties
from web import words
from web.desks.parts import letters

ROOT = Path(__file__).parents[3]


def bell(page: str) -> str:
    found = re.search(r'class="bell" href="/account/inbox"\s+aria-label="([^"]*)"', page)
    assert found is not None
    return found.group(1)


def test_a_message_is_read_by_its_addressees_only_and_each_notes_it_for_themself(house: House) -> None:
    one, other = house.person("one", Role.BIDDER_SIGNER), house.person("other", Role.BIDDER_SIGNER)
    with house.office.work(CLOCK) as work:
        party = parties.account(work.session, one).party_id
        colleague = parties.Account(
            username="colleague",
            name="同事",
            party_id=party,
            made_at=work.now,
            password=parties.account(work.session, one).password,
        )
        work.session.add(colleague)
        work.session.flush()
        work.session.add(parties.RoleGrant(account_id=colleague.id, role=Role.BIDDER_OPERATOR, granted_at=work.now))
        work.send("a", to=f"party:{party}", template="award.lost", lot="KP-2026-0B65B2-1", rank=2)
        work.send(
            "b", to=f"account:{one}", template="panel.called", starts_at="2026-03-19T01:30:00Z", place="第二评标室"
        )
        work.send(
            "c", to=f"account:{other}", template="panel.called", starts_at="2026-03-20T01:30:00Z", place="第三评标室"
        )
        work.send("d", channel="mail", to="x@example.com", template="award.lost", lot="KP-2026-0B65B2-1", rank=2)
    house.clock.advance(seconds=5)
    client = house.client()
    house.sign_in(client, "one")
    page = client.get("/account/inbox").text
    assert bell(page) == "收件箱，2 条未读"
    assert (
        "结果通知：KP-2026-0B65B2-1" in page and "评审邀请：" in page and "09:30" in page and "第三评标室" not in page
    )
    assert "2026-03-19T01:30" not in page.partition("<main")[2].replace("datetime=", "")  # a moment is said as one
    idents = re.findall(r'href="/account/inbox/(\d+)"', page.partition("<main")[2])
    assert len(idents) == 2
    letter = client.get(f"/account/inbox/{idents[1]}").text
    assert "/bidder/lots/KP-2026-0B65B2-1/outcome" in letter and bell(letter) == "收件箱，1 条未读"
    assert bell(client.get("/account").text) == "收件箱，1 条未读"
    unread = client.get("/account/inbox?only=unread").text.partition("<main")[2]
    assert "评审邀请" in unread and "结果通知" not in unread
    money = client.get("/account/inbox?about=money").text
    assert "没有符合条件的消息" in money
    friend = house.client()
    house.sign_in(friend, "colleague")
    assert bell(friend.get("/account").text) == "收件箱，1 条未读", "what one has read the other has not"
    stranger = house.client()
    house.sign_in(stranger, "other")
    assert {stranger.get(f"/account/inbox/{ident}").status_code for ident in idents} == {404}
    assert stranger.get("/account/inbox/99999999999999999999").status_code == 404
    page = client.get("/account/inbox").text
    answer = client.post("/account/inbox/acts/read", data=marks(page))
    assert answer.status_code == 303 and bell(client.get("/account").text) == "收件箱，没有未读消息"
    assert client.post("/account/inbox/acts/read", data=marks(page)).status_code == 303  # twice is harmless


def test_a_message_not_yet_due_waits_and_one_without_words_still_says_where_to_look(house: House) -> None:
    one = house.person("one", Role.PURCHASER)
    with house.office.work(CLOCK) as work:
        work.send("a", to=f"account:{one}", template="never.written", secret="x")
    client = house.client()
    house.clock.advance(minutes=-1)
    house.sign_in(client, "one")
    assert "没有消息" in client.get("/account/inbox").text
    house.clock.advance(minutes=2)
    page = client.get("/account/inbox").text
    assert "平台通知" in page and "never.written" not in page


def test_every_kind_of_message_has_its_words_in_both_languages() -> None:
    sent: set[str] = set()
    for room in ("trading", "evaluation", "deposits", "web"):
        for path in sorted((ROOT / room).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if "send(" in source:
                sent |= set(re.findall(r'template="([a-z_.]+)"', source)) | set(
                    re.findall(r'"(fault\.[a-z]+)" if drafted', source)
                )
                sent |= {
                    t
                    for line in re.findall(r"_tell\(work, fault, ([^)]*)\)", source)
                    for t in re.findall(r'"([a-z_.]+)"', line)
                }
                sent |= {
                    t
                    for line in re.findall(r"template = ([^\n]*)", source)
                    for t in re.findall(r'"([a-z_]+\.[a-z_]+)"', line)
                }
    known = {template for templates in letters.ABOUT.values() for template in templates} | set(letters.MAILS)
    assert len(sent) > 12 and sent <= known, sorted(sent - known)
    for template in known:
        for code in (template, f"{template}.subject"):
            assert code in words.refusals(), code
    assert {words.state("letter_about", about).tone for about in (*letters.ABOUT, letters.OTHER)} == {""}


def test_the_last_messages_for_a_home(rooms: Rooms) -> None:
    world = rooms.world
    with world.office.work(CLOCK) as work:
        for n in range(7):
            work.send(f"m{n}", to=f"party:{world.party_ids['bidder1']}", template="refund.returned", refund=f"RF-{n}")
    with world.view("bidder1", Role.BIDDER_SIGNER) as view:
        with rooms.app.test_request_context("/?lang=zh"):
            rooms.app.preprocess_request()
            last = letters.excerpt(view)
    assert (
        [one.href for one in last] == ["/bidder/deposits"] * 5
        and "RF-6" in last[0].text
        and all(one.unread for one in last)
    )
