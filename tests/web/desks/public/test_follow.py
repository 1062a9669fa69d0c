"""A lot is followed: signed in into the inbox, without sign-in by Atom and iCalendar; and nobody can tell who or how many follow."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.web.desks.rooms import Rooms
from trading import publication
from trading.kernel.audit import ActRecord
from trading.kernel.outbox import Message
from trading.tendering import follows, notices

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def guest(rooms: Rooms) -> FlaskClient:
    return rooms.app.test_client()


def told(rooms: Rooms) -> list[tuple[str, str]]:
    with rooms.world.view("clock") as view:
        rows = view.session.scalars(select(Message).where(Message.template.like("follow.%")).order_by(Message.id))
        return [(row.to, row.template) for row in rows]


def test_a_public_event_comes_to_the_inbox_of_whoever_follows(rooms: Rooms) -> None:
    world = rooms.world
    ref, other = world.lot("BIDDING"), world.lot("BIDDING")
    watcher, bidder = rooms.person("watch"), rooms.person("bidder1", "bidder-signer")
    for one in (watcher, bidder, bidder):  # twice is once
        assert one.act(f"/lots/{ref}/acts/follow", page=f"/lots/{ref}").status_code == 303
    assert "停止关注" in bidder.get(f"/lots/{ref}").text and "停止关注" not in bidder.get(f"/lots/{other}").text
    assert f"/lots/{ref}" in bidder.get("/followed").text and f"/lots/{other}" not in bidder.get("/followed").text
    with world.work("agent") as work:
        for name in (ref, other):
            lot = world.lot_in(work, name)
            notices.publish(work, lot, "clarification", title=lot.title, text="答疑一")
    assert len(told(rooms)) == 2 and {template for _to, template in told(rooms)} == {"follow.clarification"}
    assert "您关注的标段" in bidder.get("/account/inbox").text and ref in bidder.get("/account/inbox").text
    assert bidder.act(f"/lots/{ref}/acts/unfollow", page=f"/lots/{ref}").status_code == 303
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        assert lot.deadline is not None
        publication.extend(work, lot, deadline=lot.deadline + timedelta(days=7), reason="顺延")
        notices.publish(work, lot, "correction", title=lot.title, text="更正")
    assert len(told(rooms)) == 3
    assert "您没有关注" in bidder.get("/followed").text


def test_who_follows_is_told_to_nobody(rooms: Rooms, guest: FlaskClient) -> None:
    """No act, no count, and no page of anybody else changes by it."""
    world = rooms.world
    ref = world.lot("BIDDING")
    seen = {name: rooms.person(name) for name in ("clerk", "agent", "buyer")}

    def pages() -> list[str]:
        found = [guest.get(f"/lots/{ref}").text.partition("<main")[2]]
        return found + [
            one.get(f"/lots/{ref}").text.partition("<main")[2].partition('id="follow"')[0] for one in seen.values()
        ]

    before = pages()
    with world.view("clock") as view:
        acts = len(list(view.session.scalars(select(ActRecord.id))))
    for name in world.bidders:
        with world.work(name) as work:
            follows.follow(work, world.lot_in(work, ref))
    assert pages() == before
    with world.view("clock") as view:
        assert len(list(view.session.scalars(select(ActRecord.id)))) == acts
    assert guest.post(f"/lots/{ref}/acts/follow").status_code in (302, 303, 400, 401, 403)
    assert guest.get("/followed").status_code in (302, 303, 401, 403)


def test_a_lot_has_a_feed_and_its_dates(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        notices.publish(work, lot, "clarification", title=lot.title, text="<b>答疑</b> & 更多")
    answer = guest.get(f"/lots/{ref}/feed.xml")
    assert answer.mimetype == "application/atom+xml"
    root = ElementTree.fromstring(answer.data)
    assert len(root.findall(f"{ATOM}entry")) == 2 and "<b>答疑</b> & 更多" in (
        root.findtext(f"{ATOM}entry/{ATOM}summary") or ""
    )
    told_ = guest.get(f"/lots/{ref}/dates.ics")
    assert told_.mimetype == "text/calendar"
    lines = told_.data.decode().split("\r\n")
    assert (
        lines[0] == "BEGIN:VCALENDAR"
        and lines[-2] == "END:VCALENDAR"
        and all(len(line.encode()) <= 75 for line in lines)
    )
    assert "DTSTART:20260324T013000Z" in lines
    for path in ("feed.xml", "dates.ics"):
        assert guest.get(f"/lots/{rooms.world.lot('READY')}/{path}").status_code == 404
