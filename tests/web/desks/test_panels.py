"""The centre's panels: asked for with every fault told at once, called, replaced, seated; no names here; the purchaser's own people."""

from __future__ import annotations

import re

import pytest

from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps
from tests.web.desks.expert.kit import offers
from tests.web.desks.expert.test_desk import CENTRE, accept, beijing, drawn, opened
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import JSON, Rooms

NAMES = [f"专家{number}" for number in range(1, 13)]


@pytest.mark.rule("P-02")
def test_a_request_is_told_every_fault_at_once(rooms: Rooms) -> None:
    ref, clerk = opened(rooms), rooms.person("clerk")
    assert f'href="{CENTRE}{ref}"' in clerk.get("/centre").text  # a lot that wants its panel is a duty
    assert 'type="checkbox" name="specialties" value="A0201"' in clerk.get(CENTRE + ref).text  # chosen, not typed
    refused = send(clerk, CENTRE + ref, "request", members="4", specialties="", starts_at="yesterday", place="")
    assert refused.status_code == 422
    told = errors(refused)
    assert told.count("请") + told.count("必") >= 2
    told = errors(send(clerk, CENTRE + ref, "request", members="4", specialties="A0201", starts_at=beijing(rooms)))
    assert "P-02" in told and "单数" in told
    assert "12" in errors(
        send(clerk, CENTRE + ref, "request", members="15", specialties="A0201", starts_at=beijing(rooms))
    )
    assert offers(clerk, CENTRE + ref, "request")  # nothing was kept of all that


def test_called_replaced_and_seated_without_a_name_on_the_page(rooms: Rooms) -> None:
    ref, clerk = opened(rooms), rooms.person("clerk")
    drawn(rooms, ref)
    data = clerk.get(f"{CENTRE}{ref}/data").json
    assert [seat["state"] for seat in data["seats"]] == ["called"] * 5 and data["draw"]["size"] == 12
    who = steps.usernames(rooms.world, ref)
    done(send(clerk, CENTRE + ref, "silent"))  # the first form on the page: seat 1
    after = steps.usernames(rooms.world, ref)
    assert after[1] != who[1] and {no: after[no] for no in (2, 3, 4, 5)} == {no: who[no] for no in (2, 3, 4, 5)}
    calls = clerk.get(f"{CENTRE}{ref}/data").json["calls"]
    assert [(one["no"], one["position"], one["state"]) for one in calls if one["no"] == 1] == [
        (1, 0, "silent"),
        (1, 5, "called"),
    ]

    declining = rooms.person(after[2])
    call = next(
        line.split('"')[0]
        for line in declining.get("/expert").text.split('href="')
        if line.startswith("/expert/calls/")
    )
    assert done(send(declining, call, "answer", answer="no", reason="出差")) == "/expert"
    assert "出差" not in clerk.get(CENTRE + ref).text
    accept(rooms, ref)
    done(send(clerk, CENTRE + ref, "convene"))
    page = clerk.get(CENTRE + ref).text
    assert not any(f">{name}<" in page or name + " " in page for name in NAMES) and "expert0" not in page
    assert "已就座" in page
    done(send(clerk, CENTRE + ref, "remove", no="3", reason="未到场"))
    assert clerk.get(f"{CENTRE}{ref}/data").json["state"] == "CALLED"


def test_a_panel_does_not_sit_before_everybody_has_accepted(rooms: Rooms) -> None:
    ref, clerk = opened(rooms), rooms.person("clerk")
    drawn(rooms, ref)
    page = clerk.get(CENTRE + ref).text
    assert re.search(r"<button[^>]* disabled[^>]*>\s*评标委员会就座", page)
    refused = clerk.act(f"{CENTRE}{ref}/acts/convene", page=CENTRE + ref, json=True)
    assert refused.status_code == 409 and refused.json["code"] == "panel.not_full"


def test_an_expert_accepts_only_with_the_declaration(rooms: Rooms) -> None:
    ref = opened(rooms)
    drawn(rooms, ref)
    one = rooms.person(steps.usernames(rooms.world, ref)[4])
    call = next(
        line.split('"')[0] for line in one.get("/expert").text.split('href="') if line.startswith("/expert/calls/")
    )
    refused = send(one, call, "answer", answer="yes")
    assert refused.status_code == 422 and 'id="e-no_conflict"' in refused.text
    assert rooms.person("expert01").get("/expert/calls/999").status_code == 404
    done(send(one, call, "answer", answer="yes", no_conflict="yes"))
    assert "已接受" in one.get(call).text
    assert done(send(one, call, "recuse", reason="与某投标人有合作")) == "/expert"
    assert one.get(call).status_code == 404  # the seat is given up; the call is nobody's any more


def test_the_purchaser_names_its_own_people_and_no_others(rooms: Rooms) -> None:
    ref, clerk, buyer = opened(rooms), rooms.person("clerk"), rooms.person("buyer")
    steps.representative(rooms.world)
    where = f"/agency/lots/{ref}/panel"
    assert "还没有申请组建" in buyer.get(where).text
    done(
        send(
            clerk,
            CENTRE + ref,
            "request",
            members="5",
            experts="4",
            specialties=steps.SPECIALTY,
            starts_at=beijing(rooms),
        )
    )
    assert "delegate" in buyer.get(where).text
    refused = send(buyer, where, "representatives", accounts="expert01")
    assert refused.status_code == 422 and "expert01" in errors(refused)
    assert done(send(buyer, where, "representatives", accounts="delegate")) == where
    assert "采购人代表" in buyer.get(where).text and not offers(buyer, where, "representatives")
    opening_steps.play_draw(rooms.world, ref, "experts", hosted_by="clerk")
    done(send(clerk, CENTRE + ref, "call"))
    kinds = [seat["kind"] for seat in clerk.get(f"{CENTRE}{ref}/data").json["seats"]]
    assert kinds == ["purchaser", "expert", "expert", "expert", "expert"]


@pytest.mark.parametrize("who", ["agent", "bidder1", "expert01", "host"])
def test_nobody_else_enters(rooms: Rooms, who: str) -> None:
    ref = opened(rooms)
    for path in ("/centre/panels", CENTRE + ref, f"{CENTRE}{ref}/data"):
        assert rooms.person(who).get(path, headers=JSON).status_code == 403
