"""Faults before a deadline at the desks: seen by three roles, confirmed by the centre or the host, decided by the supervisory body."""

from __future__ import annotations

from tests.kit import stages
from tests.trading.availability.test_deadline_faults import outage, sealing_turns
from tests.web.desks.purchasing import done, errors
from tests.web.desks.rooms import Rooms
from trading.availability import deadline_faults


def state_of(rooms: Rooms, ref: str) -> list[str]:
    with rooms.world.view("clock") as view:
        return [one.state for one in deadline_faults.of_lot(view.session, rooms.world.lot_in(view, ref))]


def test_the_centre_sees_the_fault_and_its_notice_and_confirms_it(rooms: Rooms) -> None:
    ref = stages.bid(rooms.world)
    outage(rooms.world, ref, first=-60, count=20, now=-30)
    clerk = rooms.person("clerk")
    assert f"/centre/faults/{ref}" in clerk.get("/centre/faults").text
    page = clerk.get(f"/centre/faults/{ref}").text
    assert (
        "08:30–08:50" in page
        and "2026-03-24 11:00" in page
        and "Because of a fault" in page
        and "acts/decide" not in page
    )
    done(clerk.act(f"/centre/faults/{ref}/acts/confirm", page=f"/centre/faults/{ref}"))
    assert state_of(rooms, ref) == ["SUSPENDED"]
    after = clerk.get(f"/centre/faults/{ref}").text
    assert "因故障暂停" in after and "acts/confirm" not in after
    pages = {"": f"/lots/{ref}", "bidder1": f"/bidder/lots/{ref}", "host": f"/hall/{ref}"}
    for username, path in pages.items():  # whoever looks at the lot is told on its page
        told = (rooms.person(username) if username else clerk).get(path).text
        assert "因故障暂停" in told and "不开启任何" in told and "2026-03-24 11:00" in told, path
    notice = clerk.get(f"/lots/{ref}").text
    assert "不能正常提交" in notice or "更正" in notice


def test_the_supervisor_decides_with_a_reason_and_only_after_a_confirmation(rooms: Rooms) -> None:
    ref = stages.bid(rooms.world)
    at = outage(rooms.world, ref, first=-3, count=2, now=2)
    sealing_turns(rooms.world, at)
    watch, host = rooms.person("watch"), rooms.person("host")
    assert "acts/decide" not in watch.get(f"/centre/faults/{ref}").text
    done(host.act(f"/centre/faults/{ref}/acts/confirm", page=f"/centre/faults/{ref}"))
    page = f"/centre/faults/{ref}"
    assert errors(watch.act(f"{page}/acts/decide", page=page, decision="lift", reason=""))
    assert state_of(rooms, ref) == ["SUSPENDED"]
    done(watch.act(f"{page}/acts/decide", page=page, decision="lift", reason="经核实无人受影响"))
    assert state_of(rooms, ref) == ["LIFTED"]
    assert "不开启任何" not in watch.get(f"/lots/{ref}").text + watch.get(f"/hall/{ref}").text


def test_nothing_watched_is_said_so_and_a_draft_lot_is_not_there(rooms: Rooms) -> None:
    ref = rooms.world.lot("DRAFTED")
    clerk = rooms.person("clerk")
    assert "近期没有截止时间" in clerk.get("/centre/faults").text
    assert clerk.get(f"/centre/faults/{ref}").status_code == 404
