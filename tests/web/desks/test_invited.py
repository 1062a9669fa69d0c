"""Pages of an invited tender: the agency's list, the bidder's invitation, and what everybody else is told."""

from __future__ import annotations

from tests.web.desks.purchasing import done, send
from tests.web.desks.rooms import Person, Rooms
from trading.parties import parties
from trading.tendering import invitations


def code_of(rooms: Rooms, name: str) -> str:
    with rooms.world.view("clock") as view:
        return parties.party(view.session, rooms.world.party_ids[name]).code


def test_the_agency_lists_whom_it_invites_and_nobody_else_sees_it(rooms: Rooms) -> None:
    world, agent = rooms.world, rooms.person("agent")
    where = f"/agency/lots/{world.lot('DRAFTED', 'M9')}"
    assert "还没有" not in agent.get(where + "/invited").text and "名单还是空的" in agent.get(where + "/invited").text
    wrong = send(agent, where + "/invited", "invite", called="无此公司\n" + code_of(rooms, "bidder1"))
    assert wrong.status_code == 422 and "无此公司" in wrong.text
    done(send(agent, where + "/invited", "invite", called="\n".join(code_of(rooms, name) for name in world.bidders)))
    page = agent.get(where + "/invited").text
    assert all(code_of(rooms, name) in page for name in world.bidders) and "3 家，至少 3 家（规则 M9.3）" in page
    done(send(agent, where + "/invited", "strike-invitation", code=code_of(rooms, "bidder1")))
    assert code_of(rooms, "bidder1") not in agent.get(where + "/invited").text
    assert "邀请了 2 家" in agent.get(where).text, "the checklist says what is missing"
    for other in ("clerk", "bidder1", "watch"):
        assert rooms.person(other).get(where + "/invited").status_code in (403, 404)


def test_an_open_tender_has_no_such_page(rooms: Rooms) -> None:
    where = f"/agency/lots/{rooms.world.lot('DRAFTED')}"
    agent = rooms.person("agent")
    assert agent.get(where + "/invited").status_code == 409
    assert "/invited" not in agent.get(where).text


def test_the_invited_are_told_and_others_read_why_they_cannot_take_part(rooms: Rooms) -> None:
    world = rooms.world
    ref = world.lot("READY", "M9")
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        stranger = parties.Party(kind="bidder", code="91130205MA0000STND", name="替补单位", region="130205")
        work.session.add(stranger)
        work.session.flush()
        invitations.take_back(work, lot, code_of(rooms, "bidder3"))
        invitations.invite(work, lot, ["替补单位"])
    world.publish(ref)
    world.issue(ref)
    invited, other, anybody = rooms.person("bidder1"), rooms.person("bidder3"), Person(rooms.app.test_client())
    assert "受邀投标" in invited.get("/bidder").text
    assert "acts/take-part" in invited.get(f"/bidder/lots/{ref}").text
    assert "招标文件.pdf" in invited.get(f"/lots/{ref}").text
    page = other.get(f"/bidder/lots/{ref}").text
    assert "贵单位不在其中" in page and "acts/take-part" not in page and "受邀投标" not in other.get("/bidder").text
    assert other.act(f"/bidder/lots/{ref}/acts/take-part", page=f"/bidder/lots/{ref}").status_code == 403
    told = anybody.get(f"/lots/{ref}").text
    assert "只向受邀单位提供" in told and "开标前不公布邀请了谁" in told
    assert f"/lots/{ref}/documents/" not in told
    done(send(invited, f"/bidder/lots/{ref}", "take-part"))
