"""What anybody sees without signing in: lists, lots, notices, files, feeds; and what nobody sees before the opening."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from crypto.canonical import b64u, unb64u
from crypto.documents import open_document
from crypto.keys import ed25519_public, new_secret
from crypto.signatures import document_hash
from tests.kit import opening_steps, sealing, stages
from tests.kit.world import PDF
from tests.web.desks.rooms import Rooms
from trading import publication, timeline
from trading.availability import probes
from trading.kernel.db import Base
from trading.kernel.money import Money
from trading.tendering import documents, enquiries, notices, tenders
from web.desks.public.words import notice_facts

SECRET = ("投标单位1有限公司", "投标单位2有限公司", "投标单位3有限公司", "91130205MA00001")


@pytest.fixture
def guest(rooms: Rooms) -> FlaskClient:
    return rooms.app.test_client()


def text_of(guest: FlaskClient, path: str, status: int = 200) -> str:
    answer = guest.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text[-600:]
    return answer.text


@pytest.mark.rule("C-01")
def test_a_lot_shows_its_road_facts_files_and_rights(rooms: Rooms, guest: FlaskClient) -> None:
    ref = rooms.world.lot("BIDDING")
    page = text_of(guest, f"/lots/{ref}")
    for wanted in (
        "开平区多媒体设备采购",
        "3,000,000.00 元",
        "2,900,000.00 元",
        "50,000.00 元",
        "5 份中任 3 份可开",
        "≥20 日",
        "≥5 个工作日",
        "招标文件.pdf",
        "2026-03-24 09:30:00 北京时间（UTC+8）",
        "知道之日起 7 个工作日内",
        "李工 0315-3111111",
        'aria-current="step"',
    ):
        assert wanted in page, wanted
    english = text_of(guest, f"/lots/{ref}?lang=en")
    assert "Stages and legal limits" in english and "≥20 days" in english and "any 3 of 5 holders open" in english


@pytest.mark.rule("T-24")
def test_works_count_their_own_terms(rooms: Rooms, guest: FlaskClient) -> None:
    ref = rooms.world.lot("BIDDING", "WORKS", deposit=Money.zero())
    page = text_of(guest, f"/lots/{ref}")
    assert (
        "候选人公示" in page and "对文件的异议" in page and "止 2026-03-14 24:00" in page
    )  # ten days before 24 March (rule T-24)


@pytest.mark.parametrize("at", ["DRAFTED", "READY"])
def test_nothing_of_an_unpublished_lot(rooms: Rooms, guest: FlaskClient, at: str) -> None:
    ref = rooms.world.lot(at)
    for path in ("", "/result", "/contract", "/ticket.json", "/policy.json", "/documents/1"):
        text_of(guest, f"/lots/{ref}{path}", 404)
    assert all(ref not in text_of(guest, path) for path in ("/lots", "/?phase=all", "/notices", "/audit"))
    rooms.world.tick()
    assert "没有这个标段的公开条目" in text_of(guest, f"/audit?lot={ref}")
    assert guest.get("/check/files/" + hashlib.sha256(PDF).hexdigest() + ".json").json == {"files": []}


def test_filters_narrow_and_each_can_be_dropped(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    first, second = world.lot("BIDDING"), world.lot("BIDDING", "WORKS", deposit=Money.zero(), title="教学楼加固")

    def shown(query: str) -> set[str]:
        return {ref for ref in (first, second) if f"/lots/{ref}" in text_of(guest, "/" + query)}

    assert shown("") == {first, second}
    assert shown("?regime=WORKS") == {second}
    assert shown("?words=加固") == {second}
    assert shown("?words=教育局 加固") == {second}
    assert shown(f"?words={first}") == {first}
    assert shown("?words=100%") == set()
    assert shown("?budget=299.99-300") == {first, second}
    assert shown("?budget=300.01-") == set()
    assert shown("?region=999999") == set()
    assert shown("?phase=result") == set()
    empty = text_of(guest, "/?phase=failed&words=加固")
    assert "没有符合的标段" in empty and 'href="/?phase=failed"' in empty
    wrong = text_of(guest, "/?budget=viele&regime=WORKS")
    assert "100-5000" in wrong and f"/lots/{second}" in wrong and f"/lots/{first}" not in wrong


def test_a_list_costs_the_same_however_long_it_is(rooms: Rooms, guest: FlaskClient) -> None:
    def queries(path: str) -> int:
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
            seen.append(statement)

        event.listen(rooms.world.office.engine, "before_cursor_execute", note)
        try:
            text_of(guest, path)
        finally:
            event.remove(rooms.world.office.engine, "before_cursor_execute", note)
        return len(seen)

    rooms.world.lot("BIDDING")
    before = {path: queries(path) for path in ("/", "/lots", "/notices", "/audit")}
    for _ in range(2):
        rooms.world.lot("BIDDING")
    assert {path: queries(path) for path in before} == before


def test_csv_holds_the_rows_shown_and_runs_no_formula(rooms: Rooms, guest: FlaskClient) -> None:
    ref = rooms.world.lot("BIDDING", title="=HYPERLINK(1)")
    answer = guest.get("/lots?format=csv")
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[1][0] == ref and rows[1][1] == "'=HYPERLINK(1)" and rows[1][9] == "3000000.00"
    assert "attachment" in answer.headers["Content-Disposition"]


def test_pages_of_a_list(rooms: Rooms, guest: FlaskClient) -> None:
    refs = [rooms.world.lot("BIDDING") for _ in range(2)]
    assert all(ref in text_of(guest, "/lots?rows=50") for ref in refs)
    beyond = text_of(guest, "/lots?page=99&rows=7")
    assert "第 1–2 条，共 2 条" in beyond and all(ref in beyond for ref in refs)


# --- secrecy --------------------------------------------------------------------------------------------------------------------------


def bare(page: str) -> str:
    """A page without what differs by request: tokens, form ids and the seconds of the clock."""
    page = re.sub(r'name="(csrf_token|form_id)" value="[^"]*"', "", page)
    return re.sub(r"[0-9a-f]{4}-[0-9a-f]{4}", "", page)


def test_pages_of_a_sealed_lot_are_the_same_whoever_bids(rooms: Rooms, guest: FlaskClient) -> None:
    """Promise S1: with no bid, with one and with three, every public page is the same text."""
    world = rooms.world
    ref = world.lot("BIDDING")
    paths = [
        f"/lots/{ref}",
        f"/lots/{ref}/result",
        "/",
        "/lots",
        "/notices",
        "/feed.json",
        f"/audit?lot={ref}",
        "/savings",
    ]
    sealing.open_for_bids(world, ref)
    world.tick()

    def all_pages() -> dict[str, str]:
        return {path: bare(text_of(guest, path)) for path in paths}

    def bids_of(*names: str) -> None:
        world.take_part(ref, *names)
        for name in names:
            assert sealing.hand_in(world, ref, name, *sealing.seal(world, ref, name)).accepted

    empty, hour = all_pages(), world.now
    bids_of("bidder1")
    assert world.now == hour and all_pages() == empty
    bids_of("bidder2", "bidder3")
    assert world.now == hour and all_pages() == empty
    world.tick()
    later = all_pages()
    assert not any(name in page for page in later.values() for name in SECRET)
    assert [page.count('<tr data-entry="') for page in later.values()] == [
        page.count('<tr data-entry="') for page in empty.values()
    ]
    assert not any(name in page for page in empty.values() for name in SECRET)


def test_names_are_no_lot_page_matter_before_the_result(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    opening_steps.bid(world, ref, {name: opening_steps.form() for name in world.bidders})
    sealing.close(world, ref)
    page = text_of(guest, f"/lots/{ref}")
    assert not any(name in page for name in SECRET) and "家数与名称封存至开标" in page
    assert "封存待开" in text_of(guest, "/?phase=all") or "开标" in text_of(guest, "/?phase=all")


def test_a_failed_lot_says_why(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    sealing.close(world, ref)
    timeline.turn(world.office)
    page = text_of(guest, f"/lots/{ref}")
    assert "流标" in page and "不足法定数量" in page
    assert f'href="/lots/{ref}"' in text_of(guest, "/?phase=failed") and f'href="/lots/{ref}"' not in text_of(
        guest, "/"
    )
    assert "流标公告" in text_of(guest, f"/lots/{ref}/result")


def test_openings_stand_by_day_and_tell_nothing_before_the_hour(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    hour = re.compile(r"2026-03-02[T ][0-9:]{8}")  # of the page itself: bidding takes a minute of the clock

    def shown() -> str:
        return hour.sub("*", text_of(guest, "/openings").partition("<main")[2])

    before = shown()
    assert (
        f"/hall/{ref}" in before and "2026-03-24" in before and f"/hall/{ref}" not in text_of(guest, "/openings?past=1")
    )
    opening_steps.bid(world, ref, {name: opening_steps.form() for name in world.bidders})
    assert shown() == before
    world.clock.set(world.now + timedelta(days=30))
    assert f"/hall/{ref}" in text_of(guest, "/openings?past=1") and f"/hall/{ref}" not in text_of(guest, "/openings")
    assert '/openings"' in text_of(guest, "/") and '/openings"' in text_of(guest, "/hall")


def test_a_digest_stands_behind_a_word_and_whole_on_paper(rooms: Rooms, guest: FlaskClient) -> None:
    page = text_of(guest, f"/lots/{rooms.world.lot('BIDDING')}").partition("<main")[2]
    shown = re.sub(r'(?s)<details class="digest.*?</details>|<(p|code) class="onlyprint.*?</\1>|<[^>]+>', " ", page)
    assert not re.search(r"[0-9a-f]{32,}|[A-Za-z0-9_-]{43}", shown), re.search(
        r"[0-9a-f]{32,}|[A-Za-z0-9_-]{43}", shown
    )
    assert page.count('class="digest') == page.count('class="onlyprint') >= 3


def test_who_asks_is_not_shown(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    with world.work("bidder1") as work:
        asked = enquiries.ask(work, world.lot_in(work, ref), question="培训地点在哪里？").ref
    before = text_of(guest, f"/lots/{ref}")
    assert "培训地点" not in before
    with world.work("agent") as work:
        enquiries.answer(work, enquiries.enquiry(work.session, asked), text="见文件 5.4。")
    after = text_of(guest, f"/lots/{ref}")
    assert "培训地点在哪里？" in after and "见文件 5.4。" in after and not any(name in after for name in SECRET)


# --- files and documents ------------------------------------------------------------------------------------------------------------


def test_a_file_comes_as_an_attachment_and_leaves_no_trace(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")

    def rows() -> dict[str, int]:
        with world.office.engine.connect() as connection:
            return {
                name: connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar() or 0
                for name in Base.metadata.tables
            }

    before = rows()
    with world.view("clock") as view:
        number = documents.standing(view.session, world.lot_in(view, ref))[0].id
    answer = guest.get(f"/lots/{ref}/documents/{number}")
    assert answer.data == PDF and answer.mimetype == "application/pdf"
    assert (
        answer.headers["Content-Disposition"].startswith("attachment")
        and answer.headers["X-Content-Type-Options"] == "nosniff"
    )
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert rows() == before
    digest = hashlib.sha256(PDF).hexdigest()
    told = guest.get(f"/check/files/{digest}.json").get_json()
    assert told["files"] == [{"lot": ref, "name": "招标文件.pdf", "newest": True, "version": 1}]
    other = world.lot("BIDDING", title="另一标段")
    assert guest.get(f"/lots/{other}/documents/{number}").status_code == 404


def test_a_replaced_file_stays_and_is_named_old(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    blob = world.office.blobs.put([PDF + b"2"])
    with world.work("agent") as work:
        publication.amend(
            work, world.lot_in(work, ref), name="招标文件.pdf", blob=blob, text="第 3.2 条更正", kind="tender_document"
        )
    page = text_of(guest, f"/lots/{ref}")
    assert "（第 2 版）" in page and "第 1 版" in page and "影响投标文件" in page
    assert (
        guest.get("/check/files/" + hashlib.sha256(PDF).hexdigest() + ".json").get_json()["files"][0]["newest"] is False
    )


def test_no_file_before_the_documents_are_issued(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("READY")
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        assert lot.deadline is not None
        issue_at = world.now.replace(second=0) + timedelta(hours=2)
        tenders.plan(work, lot, deadline=lot.deadline, clarify_until=lot.clarify_until, issue_at=issue_at)
    world.publish(ref)
    page = text_of(guest, f"/lots/{ref}")
    assert "文件尚未提供" in page and "招标文件.pdf" not in page
    assert guest.get(f"/lots/{ref}/documents/1").status_code == 404


def test_the_ticket_is_signed_and_names_the_standing_policy(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    answer = guest.get(f"/lots/{ref}/ticket.json")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    ticket = open_document(json.loads(answer.data), "ticket", world.office.keys.public)
    assert json.loads(ticket["policy"]) == json.loads(guest.get(f"/lots/{ref}/policy.json").data)
    assert ticket["tender"] + "-" + ticket["lot"] == ref
    assert unb64u(ticket["trust"]["platform_keys"][0]) == world.office.keys.public
    assert guest.get(f"/lots/{ref}/ticket.json?envelope=nothing").status_code == 404


def test_a_notice_has_the_digest_it_shows(rooms: Rooms, guest: FlaskClient) -> None:
    rooms.world.lot("BIDDING")
    lines = text_of(guest, "/notices")
    number = re.findall(r'href="/notices/(\d+)"', lines)[0]
    page = text_of(guest, f"/notices/{number}")
    document = json.loads(guest.get(f"/notices/{number}/document.json").data)
    assert document["kind"] == "tender" and document["text"] == "欢迎合格投标人参加。" and document["text"] in page
    assert document_hash(document) in page
    text_of(guest, "/notices/999999", 404)
    assert "没有符合的公告" in text_of(guest, "/notices?kind=award")


def test_feeds_carry_the_filters(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    first, second = world.lot("BIDDING"), world.lot("BIDDING", "WORKS", deposit=Money.zero(), title="<b>教学楼</b>")
    both = guest.get("/feed.json").get_json()
    assert both["version"] == "https://jsonfeed.org/version/1.1" and len(both["items"]) == 2
    assert [ref in json.dumps(guest.get("/feed.json?regime=WORKS").json) for ref in (first, second)] == [False, True]
    tree = ElementTree.fromstring(guest.get("/feed.xml?regime=WORKS").data)
    atom = {"a": "http://www.w3.org/2005/Atom"}
    titles = [entry.findtext("a:title", "", atom) for entry in tree.findall("a:entry", atom)]
    assert len(titles) == 1 and "<b>教学楼</b>" in titles[0]


def test_what_strangers_typed_is_only_text(rooms: Rooms, guest: FlaskClient) -> None:
    evil = "<script>alert(1)</script>"
    ref = rooms.world.lot("BIDDING", title=evil, need=evil, place=evil)
    for path in (
        "/",
        "/lots",
        f"/lots/{ref}",
        "/notices",
        f"/lots/{ref}/result",
        f"/?words={evil}",
        f"/notices?words={evil}",
        f"/audit?lot={evil}",
        f"/check?number={evil}",
        f"/savings?agency={evil}",
    ):
        assert evil not in text_of(guest, path), path


@pytest.mark.parametrize(
    "path",
    [
        "/rules",
        "/rules?regime=WORKS&on=2015-06-01",
        "/rules?on=1980-01-01",
        "/rules?on=x",
        "/calendar",
        "/calendar?year=1900",
        "/calendar?start=2026-02-10&length=5&unit=WD",
        "/calendar?length=x",
        "/status",
        "/help",
    ],
)
def test_law_pages_answer(rooms: Rooms, guest: FlaskClient, path: str) -> None:
    text_of(guest, path)
    text_of(guest, path + ("&" if "?" in path else "?") + "lang=en")


def test_a_deadline_that_nobody_watches_is_not_called_faultless(rooms: Rooms, guest: FlaskClient) -> None:
    ref = rooms.world.lot("BIDDING")
    with rooms.world.view("clock") as view:
        deadline = rooms.world.lot_in(view, ref).deadline
    assert deadline is not None
    rooms.world.clock.set(deadline - timedelta(hours=1))
    assert "未达延期标准" not in text_of(guest, "/status")
    with rooms.world.work("clock") as work:
        probes.keep_duties(work, {"inside": b64u(ed25519_public(new_secret()))})
    rooms.world.clock.advance(minutes=3)
    page = text_of(guest, "/status")
    assert ref in page and "未达延期标准" in page, "a few minutes were watched, too few were bad"


def test_rules_and_days_are_those_of_the_books(rooms: Rooms, guest: FlaskClient) -> None:
    assert "20 日" in text_of(guest, "/rules") and "政府采购法" not in text_of(guest, "/rules?on=1980-01-01")
    assert "E-06c" in text_of(guest, "/rules?on=2026-01-01") and 'id="E-06c"' not in text_of(
        guest, "/rules?on=2025-12-31"
    )
    assert "2026-02-24 周二" in text_of(guest, "/calendar?start=2026-02-10&length=5&unit=WD")


@pytest.mark.parametrize("regime", ["GP", "WORKS"])
def test_a_notice_shows_every_fact_of_its_body(rooms: Rooms, regime: str) -> None:
    """Without any one of them its page would say something else; lists have a table of their own on the page."""
    ref = stages.contracted(rooms.world, regime)
    with rooms.world.view("clock") as view:
        posted = notices.of_lot(view.session, rooms.world.lot_in(view, ref))
        bodies = {row.kind: dict(row.body) for row in posted}
    assert {"tender", "opening_record", "result", "award", "contract"} <= set(bodies)
    with rooms.app.test_request_context("/"):
        for kind, body in bodies.items():
            body |= {"currency": "USD"} if "currency" in body else {}  # the usual one goes without saying
            facts = {key for key, value in body.items() if not isinstance(value, (dict, list)) and value != ""}
            told = notice_facts(kind, body, None)
            less = {key: {k: v for k, v in body.items() if k != key} for key in facts}
            assert [f"{kind}: {key}" for key in sorted(facts) if notice_facts(kind, less[key], None) == told] == []
