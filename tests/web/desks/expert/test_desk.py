"""The expert's desk and the centre's panel over real acts, by the forms their pages hold: from the request to the proposed award."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps
from tests.kit.opening_steps import turn
from tests.kit.schemes import SCHEMES
from tests.web.desks.expert.kit import Member, offers, text
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import JSON, Rooms
from trading.awarding import awards
from trading.opening import ceremony

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
    done(
        send(
            clerk,
            CENTRE + ref,
            "request",
            members="5",
            experts=drawn,
            specialties=steps.SPECIALTY,
            starts_at=beijing(rooms),
            place="第二评标室",
            region="",
        )
    )
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
    members = [
        Member(rooms, username, ref) for _no, username in sorted(steps.usernames(rooms.world, ref, "seated").items())
    ]
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
        done(
            send_bid(
                chair,
                page,
                bid["id"],
                votes_for="1" if bad else "5",
                clause="三、2" if bad else "",
                reason="未响应实质性要求" if bad else "",
            )
        )


def send_bid(chair: Member, page: str, bid: int, **fields: Any) -> Any:
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
        members[0].person, members[0].base + "/list", "list"
    )  # the commitments wait for their tick
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
    with rooms.world.view("clock") as view:
        lot = rooms.world.lot_in(view, ref)
        award = awards.find(view.session, lot)
        assert lot.state == "REPORT" and award is not None and [row["rank"] for row in award.ranking] == [1, 2, 3]
    page = members[0].person.get(members[0].base + "/report").text
    assert "对第二家的技术分有不同意见" in page and "÷ 5 =" in page
    assert award.ranking[0]["total"] in page


# --- what is kept from whom -----------------------------------------------------------------------------------------------------------


def committed(rooms: Rooms, members: list[Member]) -> None:
    for one in members:
        one.fill_in(reason="理由甲乙丙")
        done(one.commit())


def listed(rooms: Rooms, members: list[Member]) -> None:
    """Sheets locked, the list signed by all and in the log."""
    committed(rooms, members)
    turn(rooms.world)
    done(send(members[0].person, members[0].base + "/list", "list"))
    for one in members:
        done(one.sign_list())
    turn(rooms.world)


def test_nobody_sees_a_point_or_a_name_before_all_are_revealed(rooms: Rooms) -> None:
    ref = opened(rooms)
    members = seated(rooms, ref)
    conformed(rooms, members)
    listed(rooms, members)
    for one in members[:4]:
        done(one.reveal())
    names = {f"专家{int(one.username[-2:])}" for one in members}
    for path in ("", "/review", "/score", "/list", "/report", "/data"):
        answer = members[4].person.get(members[4].base + path).text
        page = answer.partition("<main")[2] or answer
        assert "理由甲乙丙" not in page and not names & set(re.findall(r"专家\d+", page)), path
    centre = rooms.person("clerk").get(f"{CENTRE}{ref}").text
    assert "理由甲乙丙" not in centre
    assert members[0].data()["next_step"] == "wait_reveal" and members[0].data()["sheet"] == members[0].sheet


def test_a_room_is_for_its_members_alone(rooms: Rooms) -> None:
    ref = opened(rooms)
    members = seated(rooms, ref)
    inside = {one.username for one in members}
    outside = next(name for name in (f"expert{n:02d}" for n in range(1, 13)) if name not in inside)
    stranger = rooms.person(outside)
    for path in ("", "/data", "/review", "/score", "/list", "/report", "/files/1/0"):
        assert stranger.get(f"/expert/{ref}{path}").status_code == 404, path
    assert ref not in stranger.get("/expert").text
    for who in ("agent", "clerk", "bidder1", "watch"):
        assert rooms.person(who).get(f"/expert/{ref}", headers=JSON).status_code == 403


def test_a_blind_review_shows_no_bidder_and_no_price_until_the_reveal(rooms: Rooms) -> None:
    ref = opened(rooms, scheme=SCHEMES["GP"] | {"blind": True})
    members = seated(rooms, ref)
    with rooms.world.view("clock") as view:
        bids = ceremony.opened_of_lot(view.session, rooms.world.lot_in(view, ref))
        prices = [bid.price_minor for bid in bids if bid.price_minor is not None]
        assert len(prices) == len(bids)
        told = (
            {bid.party.name for bid in bids}
            | {bid.party.code for bid in bids}
            | {f"{price // 100:,}" for price in prices}
        )
        files = {one["name"] for bid in bids for one in bid.files}
    conformed(rooms, members)
    for path in ("", "/review", "/score", "/data"):
        page = members[0].person.get(members[0].base + path).text
        assert not [one for one in told | files if one in page], path
    assert set(members[0].data()["bids"]) == {"松", "竹", "梅"}
    taken = members[0].person.get(f"{members[0].base}/files/{members[0].data()['reviewed'][0]['id']}/0")
    assert taken.status_code == 200 and "attachment; filename=1" in taken.headers["Content-Disposition"].replace(
        '"', ""
    )
    listed(rooms, members)
    for one in members:
        done(one.reveal())
    shown = members[0].person.get(members[0].base).text
    assert all(bid.party.name in shown for bid in bids) and all(f"{price // 100:,}" in shown for price in prices)
    assert set(members[0].data()["bids"]) == {
        "松",
        "竹",
        "梅",
    }  # in the sheets they keep the names they were signed with


# --- what is refused ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ready(rooms: Rooms) -> list[Member]:
    ref = opened(rooms)
    members = seated(rooms, ref)
    conformed(rooms, members)
    return members


def test_commitments_that_cannot_stand_are_refused_with_their_reason(rooms: Rooms, ready: list[Member]) -> None:
    one, other = ready[0], ready[2]
    one.fill_in()
    for broken in (text(other_commitment(one, other)), text(one.commitment(lot="9")), text({"payload": ""})):
        refused = one.person.act(one.base + "/acts/commit", page=one.base + "/score", json=True, commit=broken)
        assert refused.status_code == 422 and refused.json["code"] == "sheet.bad_commit"
    refused = send(one.person, one.base + "/score", "commit", commit="no json")
    assert refused.status_code == 422 and "JSON" in errors(refused)
    done(one.commit())
    one.fill_in(reason="另一个理由")
    refused = one.person.act(
        one.base + "/acts/commit", page=one.base + "/score", json=True, commit=text(one.commitment())
    )
    assert refused.status_code == 422 and refused.json["code"] == "sheet.reason_missing"
    done(one.commit(why="误录"))


def other_commitment(one: Member, other: Member) -> dict[str, Any]:
    """A commitment in one's name under another's key."""
    from crypto.canonical import loads
    from crypto.signatures import payload_of, sign

    return dict(sign("sheet-commit", loads(payload_of(one.commitment())), other.key))


def test_a_sheet_other_than_the_committed_one_is_not_revealed(rooms: Rooms, ready: list[Member]) -> None:
    committed(rooms, ready)
    turn(rooms.world)
    done(send(ready[0].person, ready[0].base + "/list", "list"))
    for one in ready:
        done(one.sign_list())
    one = ready[0]
    assert not offers(one.person, one.base + "/reveal", "reveal")  # the list is not in the log yet
    turn(rooms.world)
    kept = one.sheet
    one.sheet = kept | {"bids": kept["bids"][::-1]}
    refused = one.reveal()
    assert refused.status_code == 422 and "与锁定时的不同" in errors(refused)
    one.sheet = kept
    refused = one.reveal(salt=bytes(32))
    assert refused.status_code == 422
    done(one.reveal())


def test_only_the_chair_records_and_too_few_conforming_bids_end_the_evaluation(rooms: Rooms) -> None:
    ref = opened(rooms)
    members = seated(rooms, ref)
    plain, chair = members[0], members[1]
    first = chair.data()["reviewed"][0]["id"]
    refused = plain.person.act(
        plain.base + "/acts/conformity", page=plain.base, json=True, bid=str(first), votes_for="5"
    )
    assert refused.status_code == 403 and refused.json["code"] == "panel.not_chair"
    refused = send_bid(chair, chair.base + "/review", first, votes_for="1")
    assert refused.status_code == 422 and "条款和理由" in errors(refused)
    assert not offers(chair.person, chair.base + "/review", "fail")
    conformed(rooms, members, reject=(0,))
    page = chair.person.get(chair.base + "/review").text
    assert "1 票赞成，4 票反对" in page and "应予废标" in page
    done(send(chair.person, chair.base + "/review", "fail", reason="符合的投标不足三份"))
    with rooms.world.view("clock") as view:
        assert rooms.world.lot_in(view, ref).state == "FAILED"


def test_the_chair_orders_a_recheck_and_all_score_anew(rooms: Rooms, ready: list[Member]) -> None:
    chair = ready[1]
    committed(rooms, ready)
    turn(rooms.world)
    done(send(ready[0].person, ready[0].base + "/list", "list"))
    for one in ready:
        done(one.sign_list())
    assert not offers(ready[0].person, ready[0].base + "/report", "recheck")
    refused = send(chair.person, chair.base + "/report", "recheck", ground="", reason="")
    assert refused.status_code == 422
    done(send(chair.person, chair.base + "/report", "recheck", ground="abnormal", reason="技术分畸低"))
    assert "技术分畸低" in ready[0].person.get(ready[0].base).text
    assert ready[0].data()["round"] == 2 and ready[0].data()["reason_needed"]
    ready[0].fill_in()
    refused = ready[0].person.act(
        ready[0].base + "/acts/commit", page=ready[0].base + "/score", json=True, commit=text(ready[0].commitment())
    )
    assert refused.json["code"] == "sheet.reason_missing"
    done(ready[0].commit(why="按复核要求重新评分"))
