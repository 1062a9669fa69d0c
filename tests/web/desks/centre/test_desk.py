"""The centre's desk: two answers to a filing and no third, the slip, and archives sealed whole."""

from __future__ import annotations

import pytest

from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import Person, Rooms
from trading import publication
from trading.kernel.access import CLOCK
from trading.tendering import projects


@pytest.fixture
def clerk(rooms: Rooms) -> Person:
    return rooms.person("clerk")


def state_of(rooms: Rooms, ref: str) -> str:
    with rooms.world.view("clock") as view:
        return projects.project(view.session, ref).state


def test_a_complete_filing_is_accepted_and_gets_its_code(rooms: Rooms, clerk: Person) -> None:
    ref = rooms.world.project("FILED")
    assert "开平区中小学多媒体设备采购" in clerk.get("/centre").text
    assert "不像" not in errors(send(clerk, f"/centre/filings/{ref}", "accept", category_code="D"))
    assert state_of(rooms, ref) == "FILED"
    done(send(clerk, f"/centre/filings/{ref}", "accept", category_code="D01"))
    assert state_of(rooms, ref) == "ACCEPTED"
    slip = clerk.get(f"/centre/filings/{ref}/slip").text
    assert "D01-12130205000000000E-20260302-000001-" in slip and "不代表审批" in slip


def test_an_incomplete_filing_can_only_be_returned_with_all_gaps(rooms: Rooms, clerk: Person) -> None:
    ref = rooms.world.project("FILED", funds="", approval_no="", contact="")
    page = clerk.get(f"/centre/filings/{ref}")
    assert "acts/accept" not in page.text and page.text.count(">缺<") == 3
    direct = clerk.act(f"/centre/filings/{ref}/acts/accept", page=f"/centre/filings/{ref}")
    assert direct.status_code == 422 and state_of(rooms, ref) == "FILED"
    done(send(clerk, f"/centre/filings/{ref}", "return", note__region="代码与单位所在地不符，请核对"))
    with rooms.world.view("clock") as view:
        assert [gap["field"] for gap in projects.project(view.session, ref).gaps] == [
            "approval_no",
            "funds",
            "contact",
            "region",
        ]
    slip = clerk.get(f"/centre/filings/{ref}/slip").text
    assert "代码与单位所在地不符" in slip and "以后不能再要" in slip


def test_there_is_no_third_answer(rooms: Rooms, clerk: Person) -> None:
    ref = rooms.world.project("FILED")
    page = clerk.get(f"/centre/filings/{ref}").text.partition("<main")[2]
    assert sorted(part.partition('"')[0] for part in page.split("/acts/")[1:]) == ["accept", "return"]


def test_drafts_are_not_the_centres_to_see(rooms: Rooms, clerk: Person) -> None:
    ref = rooms.world.project("DRAFT")
    assert clerk.get(f"/centre/filings/{ref}").status_code == 404
    assert "开平区中小学多媒体设备采购" not in clerk.get("/centre/filings").text


@pytest.mark.parametrize("username", ["agent", "buyer", "bidder1", "host"])
def test_others_stay_outside(rooms: Rooms, username: str) -> None:
    person = rooms.person(username)
    ref = rooms.world.project("FILED")
    for page in ("/centre", "/centre/filings", f"/centre/filings/{ref}", "/centre/archive"):
        assert person.get(page).status_code == 403
    person.get("/account")
    assert person.act(f"/centre/filings/{ref}/acts/accept").status_code == 403 and state_of(rooms, ref) == "FILED"


def test_a_terminated_lot_is_archived_once_and_whole(rooms: Rooms, clerk: Person) -> None:
    world, ref = rooms.world, rooms.world.lot("BIDDING")
    page = f"/centre/archive/{ref}"
    assert "acts/seal" not in clerk.get(page).text  # not finished
    with world.work("buyer") as work:
        publication.terminate(work, world.lot_in(work, ref), reason="需求发生重大变化。")
    text = clerk.get(page).text
    assert "招标公告" in text and "终止公告" in text and "招标文件.pdf" in text and "开启方案" in text
    assert 'href="/notices/' in text and f'href="/lots/{ref}/documents/' in text  # what is listed can be read
    paper = clerk.get(f"{page}/contents.pdf")
    assert paper.status_code == 200 and paper.data.startswith((b"%PDF-", b"<!doctype"))
    rooms.world.project("FILED")
    home = clerk.get("/centre").text.partition("<main")[2]
    assert (
        0 < home.index("/centre/filings/") < home.index(page)
    )  # who waits for the clerk stands before what has no hurry
    done(send(clerk, page, "seal"))
    with world.office.view(CLOCK) as view:
        assert world.lot_in(view, ref).state == "ARCHIVED"
    clerk.get(page)
    assert clerk.get(f"/centre/archive/{rooms.world.lot('NOTICE')}/contents.pdf").status_code == 409  # not finished
    assert clerk.act(f"{page}/acts/seal", form_id="another-form-sent-later-x").status_code == 409


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_opens(rooms: Rooms, clerk: Person, lang: str) -> None:
    refs = [
        rooms.world.project(state, **gaps)
        for state, gaps in (("FILED", {}), ("RETURNED", {"funds": ""}), ("ACCEPTED", {}))
    ]
    pages = [
        "/centre",
        "/centre/filings",
        "/centre/filings?state=RETURNED",
        "/centre/filings?state=ACCEPTED",
        "/centre/archive",
    ]
    for page in (*pages, *(f"/centre/filings/{ref}{end}" for ref in refs for end in ("", "/slip"))):
        assert clerk.get(page + ("&" if "?" in page else "?") + f"lang={lang}").status_code == 200, page
