"""The expert's desk and the centre's panel over real acts, by the forms their pages hold: from the request to the proposed award."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps
from tests.kit.opening_steps import turn
from tests.web.desks.expert_kit import Member, offers, text
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import JSON, Rooms
from trading import awards, opening

CENTRE = "/centre/panels/"


def beijing(rooms: Rooms, minutes: int = 5) -> str:
    return (rooms.world.now + timedelta(hours=8, minutes=minutes)).strftime("%Y-%m-%d %H:%M")


def opened(rooms: Rooms, regime: str = "GP", **how: Any) -> str:
    steps.library(rooms.world)
    ref = steps.opened(rooms.world, regime, **how)
    if regime == "GP":
        steps.qualify(rooms.world, ref)
    return ref


def drawn(rooms: Rooms, ref: str, *, drawn: str = "") -> None:
    """The centre asks by its form, the draw is played, the drawn are called."""
    clerk = rooms.person("clerk")
    done(send(clerk, CENTRE + ref, "request", members="5", experts=drawn, specialties=steps.SPECIALTY, starts_at=beijing(rooms),
              place="第二评标室", region=""))
    opening_steps.play_draw(rooms.world, ref, "experts", hosted_by="clerk")
    done(send(clerk, CENTRE + ref, "call"))


def accept(rooms: Rooms, ref: str) -> None:
    for username in steps.usernames(rooms.world, ref, "called").values():
        one = rooms.person(username)
        page = one.get("/expert").text
        call = re.search(r'href="(/expert/calls/\d+)"', page)
        assert call and ref not in page  # time and place, never the project (rule P-12)
        assert ref not in one.get(call.group(1)).text
        done(send(one, call.group(1), "answer", answer="yes", no_conflict="yes"))


def seated(rooms: Rooms, ref: str) -> list[Member]:
    drawn(rooms, ref)
    accept(rooms, ref)
    done(send(rooms.person("clerk"), CENTRE + ref, "convene"))
    members = [Member(rooms, username, ref) for _no, username in sorted(steps.usernames(rooms.world, ref, "seated").items())]
    for one in members:
        done(send(one.person, one.base, "vote", no="2"))
        if one.data()["chair"] or any(seat["chair"] for seat in one.data()["seats"]):
            break
    return members


def conformed(rooms: Rooms, members: list[Member], *, reject: tuple[int, ...] = ()) -> None:
    chair = members[1]
    for at, bid in enumerate(chair.data()["reviewed"]):
        bad = at in reject
        page = chair.base + "/review"
        done(send_bid(chair, page, bid["id"], votes_for="1" if bad else "5", clause="三、2" if bad else "",
                      reason="未响应实质性要求" if bad else ""))


def send_bid(chair: Member, page: str, bid: int, **fields: str) -> Any:
    """The form of one bid on the review page."""
    return chair.person.act(chair.base + "/acts/conformity", page=page, bid=str(bid), **fields)


# --- the whole road -------------------------------------------------------------------------------------------------------------------


def test_from_the_request_to_the_proposed_award_by_forms_alone(rooms: Rooms) -> None:
    ref = opened(rooms)
    members = seated(rooms, ref)
    chair = members[1]
    assert chair.data()["chair"] and chair.data()["next_step"] == "conform"
    assert members[0].data()["next_step"] == "wait_conform"
    assert not offers(members[0].person, members[0].base + "/review", "conformity")
    conformed(rooms, members)

    for one in members:
        assert one.data()["next_step"] == "commit"
        one.fill_in()
        assert done(one.commit()) == one.base + "/list"
    assert "还没有" in members[0].person.get(members[0].base + "/list").text or not offers(
        members[0].person, members[0].base + "/list", "list")  # the commitments wait for their tick
    turn(rooms.world)
    done(send(members[3].person, members[3].base + "/list", "list"))
    for one in members:
        assert len(one.data()["commit_receipts"]) == 5
        done(one.sign_list())
    turn(rooms.world)
    for one in members:
        assert "所有评分" not in one.person.get(one.base + "/report").text
        done(one.reveal())
    assert chair.data()["next_step"] == "draw_up"
    done(send(chair.person, chair.base + "/report", "draw-up"))
    for one in members:
        done(one.sign_report(dissent="对第二家的技术分有不同意见" if one is members[4] else ""))
    done(send(chair.person, chair.base + "/report", "conclude"))
    with rooms.world.look("clock") as look:
        lot = rooms.world.lot_in(look, ref)
        award = awards.find(look.session, lot)
        assert lot.state == "REPORT" and award is not None and [row["rank"] for row in award.ranking] == [1, 2, 3]
    page = members[0].person.get(members[0].base + "/report").text
    assert "对第二家的技术分有不同意见" in page and "÷ 5 =" in page
    assert award.ranking[0]["total"] in page
