"""The purchasing desk over real acts, by the forms its pages hold: from a draft to a published lot, answers, award, contract, secrecy."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from urllib.parse import unquote

import pytest
from sqlalchemy import select

from evaluation.panels import panels
from tests.kit import evaluation_steps, stages
from tests.kit.world import DEADLINE, PDF, SETUP
from tests.web.desks.purchasing import done, errors, form_on, forms_of, send
from tests.web.desks.rooms import Person, Rooms
from trading.awarding import awards, contracts
from trading.custody.officers import Policy
from trading.files import attachment_scans, attachments
from trading.files.scanning import Finding
from trading.kernel.audit import ActRecord
from trading.kernel.errors import WrongStep
from trading.kernel.money import Money
from trading.parties import enrolments, parties
from trading.procedures import PROCEDURES, fields
from trading.procedures.field import TEXT
from trading.remedies import complaints, disputes
from trading.tendering import documents, enquiries, notices, projects
from trading.tendering.tenders import Lot
from trading.views import agency_queries

LOT_PAGES = ("", "/edit", "/timetable", "/documents", "/scheme", "/keys", "/clarify", "/award", "/contract")
DRAFT = {
    "name": "区实验小学课桌椅采购",
    "regime": "GP",
    "method.GP": "M1",
    "category": "GOODS",
    "region": "130205",
    "contact": "王老师 0315-3000000",
    "agency_agreement": "委托代理协议 2026-07",
    "funds": "财政资金",
}


@pytest.fixture
def agent(rooms: Rooms) -> Person:
    return rooms.person("agent")


def lot_of(rooms: Rooms, ref: str) -> Lot:
    with rooms.world.view("clock") as view:
        return rooms.world.lot_in(view, ref)


def purchaser_code(rooms: Rooms) -> str:
    with rooms.world.view("agent") as view:
        return agency_queries.parties_of(view, "purchaser")[0][0]


def test_each_declared_procedure_of_a_regime_is_offered(rooms: Rooms, agent: Person) -> None:
    page = agent.get("/agency/projects/new").text
    assert [one in page for one in ('name="method.GP" value="M1"', 'name="method.GP" value="M5"')] == [
        True,
        True,
    ]
    assert 'name="method.WORKS" value="M9"' in page
    asked = DRAFT | {"purchaser": purchaser_code(rooms), "budget": "300 万元"}
    wrong = send(agent, "/agency/projects/new", "draft-project", **asked | {"method.GP": ""})
    assert wrong.status_code == 422 and 'href="#f-method.GP"' in wrong.text
    for method in ("M5", "M1"):
        ref = done(send(agent, "/agency/projects/new", "draft-project", **asked | {"method.GP": method})).rpartition(
            "/"
        )[2]
        with rooms.world.view("agent") as view:
            assert projects.project(view.session, ref).method == method


@pytest.mark.rule("R-08")
def test_an_inquiry_says_its_ground_and_its_consent_on_every_page(rooms: Rooms, agent: Person) -> None:
    """GPL art. 32; rules R-07, R-08: from the draft to what the clerk checks."""
    fields = DRAFT | {"purchaser": purchaser_code(rooms), "budget": "300 万元", "method.GP": "M5"}
    services = send(agent, "/agency/projects/new", "draft-project", **fields | {"category": "SERVICES"})
    assert services.status_code == 422 and "GPL art. 32" in services.text
    where = done(send(agent, "/agency/projects/new", "draft-project", **fields))
    page = agent.get(where).text
    assert "未写明采用该方式的法定情形" in page and "批准采用该方式的文号" in page
    edit = agent.get(where + "/edit").text
    assert 'name="ground.M5" value="standard_goods"' in edit and "2,000,000.00" in edit
    said = {
        "ground.M5": "standard_goods",
        "ground_facts": "通用课桌椅，三家以上厂商现货供应",
        "consent_no": "开财采批〔2026〕3号",
        "consent_on": "2026-02-02",
        "approval_no": "开财采计〔2026〕15号",
        "intent_at": "2026-01-20",
    }
    done(send(agent, where + "/edit", "edit", **fields | said))
    page = agent.get(where).text
    assert "规格、标准统一，现货货源充足" in page and "开财采批〔2026〕3号 · " in page
    done(send(agent, where + "/file", "file"))
    clerk = rooms.person("clerk").get(f"/centre/filings/{where.rpartition('/')[2]}").text
    assert "采用该方式的情形" in clerk and "规格、标准统一" in clerk and "acts/accept" in clerk


# --- the whole road -------------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("A-01", "A-04", "A-05", "T-03", "E-01", "E-03")
def test_from_a_draft_to_a_published_lot_by_forms_alone(rooms: Rooms, agent: Person) -> None:
    world, clerk = rooms.world, rooms.person("clerk")
    where = done(
        send(
            agent, "/agency/projects/new", "draft-project", purchaser=purchaser_code(rooms), budget="300 万元", **DRAFT
        )
    )
    page = agent.get(where).text
    assert "3,000,000.00" in page and "缺采购计划文号" in page and "缺采购意向公开日期" in page
    ref = where.rpartition("/")[2]

    assert done(send(agent, where + "/file", "file")) == where
    filing = f"/centre/filings/{ref}"
    assert "acts/accept" not in clerk.get(filing).text  # incomplete: it can only be returned
    done(send(clerk, filing, "return", note__contact="电话号码少一位"))
    page = agent.get(where).text
    assert "共 3 项" in page and "电话号码少一位" in page and "仍缺" in page

    done(
        send(
            agent,
            where + "/edit",
            "edit",
            approval_no="开财采计〔2026〕19号",
            intent_at="2026-01-20",
            contact="王老师 0315-3000001",
        )
    )
    done(send(agent, where + "/file", "file"))
    refused = send(clerk, filing, "return")
    assert "只能受理，不能退回" in errors(refused)  # rule A-04: complete filings are accepted
    done(send(clerk, filing, "accept"))
    assert "D99-12130205000000000E" in clerk.get(filing + "/slip").text

    lot = done(
        send(
            agent,
            where + "/tender",
            "draft-tender",
            lots__0__ceiling="290万",
            lots__0__deposit="5 万元",
            lots__0__need="课桌椅 800 套",
            lots__0__qualification="政府采购法第二十二条",
            lots__0__place="第一开标室",
        )
    )
    lot_ref = lot.rpartition("/")[2]
    assert lot_of(rooms, lot_ref).ceiling == Money.parse("2900000")

    early = send(agent, lot + "/timetable", "plan", deadline="2026-03-20 09:30")
    assert "2026-03-22" in errors(early) and "T-03" in errors(early) and lot_of(rooms, lot_ref).deadline is None
    assert 'value="2026-03-20T09:30"' in early.text  # nothing typed is lost
    done(send(agent, lot + "/timetable", "plan", deadline="2026-03-24 09:30", clarify_until="2026-03-19 17:00"))

    wrong = send(agent, lot + "/documents", "add-document", file=(io.BytesIO(b"MZ not a pdf"), "招标文件.pdf"))
    assert "内容与扩展名不符" in errors(wrong)
    done(
        send(agent, lot + "/documents", "add-document", file=(io.BytesIO(PDF * 60_000), "招标文件.pdf"))
    )  # 2.9 MB: more than a form may hold

    bad = send(agent, lot + "/scheme", "scheme", criteria__0__max="20")
    assert "E-01" in errors(bad) and "E-03" in errors(bad)
    done(send(agent, lot + "/scheme", "scheme"))
    kept = lot_of(rooms, lot_ref).scheme or {}
    assert [one["id"] for one in kept["criteria"]] == ["price", "response", "delivery", "record", "service"]

    sides = {"side__officer1": "platform", "side__officer2": "platform", "side__officer3": "tenderee"}
    assert "独自" in errors(send(agent, lot + "/keys", "name-officers", t="2", **sides))
    done(
        send(
            agent,
            lot + "/keys",
            "name-officers",
            t="3",
            side__officer4="tenderee",
            side__officer5="supervisor",
            **sides,
        )
    )
    assert "acts/draft-policies" not in agent.get(lot + "/keys").text  # no keys yet
    world.offer_keys(lot_ref)
    assert send(agent, lot + "/keys", "draft-policies", max_plen="1").status_code == 422 and not drafted(rooms, lot_ref)
    done(send(agent, lot + "/keys", "draft-policies", max_plen=str(2**33)))
    assert drafted(rooms, lot_ref) == {2**33}
    done(send(agent, lot + "/keys", "draft-policies"))
    assert drafted(rooms, lot_ref) == {2**31}
    assert "acts/publish" not in agent.get(lot + "/publish").text and "演练" in agent.get(lot).text
    world.sign_policies(lot_ref)
    world.open_drills(lot_ref)
    world.tick()

    assert "请确认" in errors(send(agent, lot + "/publish", "publish")) or lot_of(rooms, lot_ref).state == "ACCEPTED"
    assert done(send(agent, lot + "/publish", "publish", sure="yes")) == lot
    published = lot_of(rooms, lot_ref)
    assert published.state == "NOTICE" and published.rules is not None
    with world.view("clock") as view:
        notice = notices.latest(view.session, published, "tender")
        assert notice.body["budget"] == "3000000.00" and notice.body["files"][0]["name"] == "招标文件.pdf"
    assert "acts/" not in agent.get(lot + "/scheme").text.partition("<main")[2]  # fixed: no form of preparation is left


def test_what_filing_needs_is_marked_before_anything_is_saved(rooms: Rooms, agent: Person) -> None:
    page = agent.get("/agency/projects/new").text
    cases = sum(bool(one.intake.grounds) for one in PROCEDURES)  # a field for each method that needs a case in law
    assert page.count('class="forfiling"') == 11 + cases and "还缺 7 项才能提交" in page
    assert 'href="#f-approval_no"' in page and 'data-only="regime=GP"' in page
    where = done(send(agent, "/agency/projects/new", "draft-project", purchaser=purchaser_code(rooms), **DRAFT))
    edit = agent.get(where + "/edit").text
    assert (
        "还缺 3 项才能提交" in edit
        and edit.count('data-needs="') == 7
        and edit.count('class="is-there" data-needs') == 4
    )
    assert 'value="130205 河北省唐山市开平区"' in edit
    buyer = rooms.person("buyer").get("/agency/projects/new").text
    assert (
        'data-needs="agency_agreement" data-only="agency" hidden' in buyer
    )  # without an agency there is no mandate to give


def test_a_division_is_chosen_from_the_list_or_typed_and_nothing_else_is_taken(rooms: Rooms, agent: Person) -> None:
    labels = agent.get("/agency/regions.json").get_json()
    assert "130205 河北省唐山市开平区" in labels and len(labels) > 3000
    given = DRAFT | {"region": "唐山市开平区"}
    where = done(send(agent, "/agency/projects/new", "draft-project", purchaser=purchaser_code(rooms), **given))
    with rooms.world.view("agent") as view:
        assert projects.project(view.session, where.rpartition("/")[2]).region == "130205"
    wrong = send(agent, where + "/edit", "edit", region="朝阳区")  # several have this name
    assert "朝阳区" in errors(wrong) and 'value="朝阳区"' in wrong.text


def test_another_number_of_lots_loses_nothing_that_was_typed(rooms: Rooms, agent: Person) -> None:
    where = f"/agency/projects/{rooms.world.project('ACCEPTED')}"
    address, fields = next(
        one for one in forms_of(agent.get(where + "/tender").text) if one[0].endswith("draft-tender")
    )
    lots = where + "/acts/lots"
    fields |= {"lots.0.title": "第一包", "lots.0.need": "课桌"}
    two = forms_of(agent.client.post(lots, data=fields | {"to": "2"}).text.partition("<main")[2])[0][1]
    assert two["count"] == "2" and two["lots.0.title"] == "第一包" and two["lots.1.contact"]
    two |= {"lots.1.title": "第二包", "lots.1.budget": "100万", "lots.1.ceiling": "90万"}
    one = forms_of(agent.client.post(lots, data=two | {"to": "1"}).text.partition("<main")[2])[0][1]
    assert one["count"] == "1" and one["lots.1.title"] == "第二包"  # kept aside
    again = agent.client.post(lots, data=one | {"to": "2"})
    back = forms_of(again.text.partition("<main")[2])[0][1]
    assert again.status_code == 200 and back["lots.1.title"] == "第二包"
    assert back["lots.1.budget"] == "100万" and back["lots.0.need"] == "课桌"
    done(agent.client.post(address, data=one | {"lots.0.budget": "200万", "lots.0.ceiling": "190万"}))
    assert agent.client.post(address, data=back).status_code == 303  # the same form again leads to the first one's page
    refused = agent.client.post(lots, data=back | {"to": "99"})
    assert refused.status_code == 422 and 'value="第二包"' in refused.text


def test_caps_of_amounts_are_told_on_the_spot_by_the_rules_that_are_asked_on_saving(
    rooms: Rooms, agent: Person
) -> None:
    where = f"/agency/projects/{rooms.world.project('ACCEPTED')}"
    _address, fields = next(
        one for one in forms_of(agent.get(where + "/tender").text) if one[0].endswith("draft-tender")
    )
    asked = fields | {"lots.0.budget": "100万", "lots.0.ceiling": "100.01万", "lots.0.deposit": "20000.01"}
    found = agent.client.post(where + "/acts/check-lots", data=asked).get_json()
    assert (
        found["fields"]["lots.0.ceiling"]["tone"] == "stop"
        and "1,000,000.00" in found["fields"]["lots.0.ceiling"]["text"]
    )
    assert (
        found["fields"]["lots.0.deposit"]["tone"] == "stop" and "20,000.00" in found["fields"]["lots.0.deposit"]["text"]
    )
    right = asked | {"lots.0.ceiling": "100万", "lots.0.deposit": "2万"}
    found = agent.client.post(where + "/acts/check-lots", data=right).get_json()
    assert {line["tone"] for line in found["fields"].values()} == {"ok"} and found["sum"]["tone"] == "ok"
    found = agent.client.post(where + "/acts/check-lots", data=right | {"lots.0.budget": "两百"}).get_json()
    assert found["fields"]["lots.0.budget"]["tone"] == "stop" and "lots.0.contact" not in found["fields"]

    ref = rooms.world.lot("DRAFTED")
    _address, fields = next(
        one for one in forms_of(agent.get(f"/agency/lots/{ref}/edit").text) if one[0].endswith("acts/edit")
    )
    found = agent.client.post(f"/agency/lots/{ref}/acts/check-amounts", data=fields | {"budget": "900万"}).get_json()
    assert (
        found["sum"]["tone"] == "stop" and lot_of(rooms, ref).version == 0
    )  # over the project's budget; nothing is saved by asking

    _address, fields = next(
        one for one in forms_of(agent.get(f"/agency/lots/{ref}/scheme").text) if one[0].endswith("acts/scheme")
    )
    right = agent.client.post(f"/agency/lots/{ref}/acts/check-scheme", data=fields).get_json()
    assert right["fields"] == {} and right["sum"]["tone"] == "ok"
    wrong = agent.client.post(
        f"/agency/lots/{ref}/acts/check-scheme", data=fields | {"criteria.0.max": "20"}
    ).get_json()
    assert "90" in wrong["sum"]["text"] and "E-03" in wrong["fields"]["criteria.0.max"]["text"]


def test_what_is_written_of_a_lot_is_kept_shown_again_and_in_the_notice(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.lot("DRAFTED")
    page = f"/agency/lots/{ref}/edit"
    written = {one.name: f"今天写的 {one.name}" for one in fields.asked() if one.kind == TEXT}
    done(send(agent, page, "edit", **written))
    lot = lot_of(rooms, ref)
    assert {name: getattr(lot, name) for name in written} == written
    shown = form_on(agent, page, "edit")[1]
    assert {name: shown.get(name) for name in written} == written
    preview = agent.get(f"/agency/lots/{ref}/preview").text
    assert [name for name, text in written.items() if text not in preview] == []


def test_the_earliest_lawful_deadline_is_one_press_and_the_law_accepts_it(rooms: Rooms, agent: Person) -> None:
    page = f"/agency/lots/{rooms.world.lot('DRAFTED')}/timetable"
    _address, fields = next(one for one in forms_of(agent.get(page).text) if one[0].endswith("acts/plan"))
    answer = agent.client.post(
        page.replace("/timetable", "/acts/earliest"), data=fields | {"clarify_until": "2026-03-19 17:00"}
    )
    offered = forms_of(answer.text.partition("<main")[2])[0][1]
    assert "T-03" in answer.text and "2026-03-23" in offered["deadline"]  # 20 days end on a Sunday: the Monday after it
    assert offered["clarify_until"] == "2026-03-19T17:00"
    with rooms.world.view("agent") as view:
        assert rooms.world.lot_in(view, page.split("/")[3]).deadline is None  # nothing is saved yet
    done(agent.client.post(page.replace("/timetable", "/acts/plan"), data=offered))


def test_the_preview_is_the_notice_that_publication_makes(rooms: Rooms, agent: Person) -> None:
    draft = agent.get(f"/agency/lots/{rooms.world.lot('DRAFTED')}/preview").text
    assert "尚未公开" in draft and "还空着" in draft
    ref = rooms.world.lot("READY")
    shown = article(agent.get(f"/agency/lots/{ref}/preview").text)
    done(send(agent, f"/agency/lots/{ref}/publish", "publish", sure="yes"))
    with rooms.world.view("clock") as view:
        number = notices.latest(view.session, rooms.world.lot_in(view, ref), "tender").id
    assert article(rooms.person("buyer").get(f"/notices/{number}").text) == shown
    assert rooms.person("bidder1").get(f"/agency/lots/{ref}/preview").status_code == 403


def article(page: str) -> str:
    """The paper of a notice without its moment of publication, which the clock of the test moves on between two pages."""
    found = re.search(r'(?s)<article class="paper">.*?</article>', page)
    assert found, page[:500]
    return re.sub(r"\d{2}:\d{2}(:\d{2})?", "", found.group(0))


def test_a_lot_takes_terms_criteria_and_documents_from_an_earlier_one_and_neither_money_nor_dates(
    rooms: Rooms, agent: Person
) -> None:
    earlier, new = rooms.world.lot("READY"), rooms.world.lot("DRAFTED")
    done(send(agent, f"/agency/lots/{earlier}/scheme?start=offered", "scheme"))
    base = f"/agency/lots/{new}"
    assert f"from={earlier}" in agent.get(base + "/copy").text or earlier in agent.get(base + "/copy").text
    done(send(agent, base + "/edit", "edit", need="另写的需求", budget="100万", ceiling="90万", deposit="1万"))
    address, fields = next(
        one for one in forms_of(agent.get(f"{base}/copy?from={earlier}").text) if one[0].endswith("acts/copy")
    )
    none = agent.client.post(address, data={**fields, "parts": []})
    assert none.status_code == 422 and lot_of(rooms, new).need == "另写的需求"
    done(agent.client.post(address, data={**fields, "parts": ["terms", "criteria", "documents"]}))
    took, gave = lot_of(rooms, new), lot_of(rooms, earlier)
    assert took.need == gave.need and took.scheme == gave.scheme and took.form == gave.form and took.place == gave.place
    assert took.budget == Money.parse("1000000") and took.deadline is None and took.threshold == 0
    with rooms.world.view("agent") as view:
        files = [documents.standing(view.session, rooms.world.lot_in(view, one)) for one in (new, earlier)]
    assert [row.sha256 for row in files[0]] == [row.sha256 for row in files[1]] and not files[0][0].published
    other = rooms.world.lot("DRAFTED", "WORKS")
    agent.get(f"/agency/lots/{other}/edit")  # a form of its own
    wrong = agent.client.post(address.replace(new, other), data={**agent.marks, "source": earlier, "parts": ["terms"]})
    assert wrong.status_code == 422 and "另一制度" in errors(wrong)
    stranger = rooms.person("agent2")
    stranger.get("/agency/projects/new")
    answer = stranger.client.post(address, data={**stranger.marks, "source": earlier, "parts": ["terms"]})
    assert answer.status_code == 404


def drafted(rooms: Rooms, ref: str) -> set[int]:
    """The largest bid in every drafted policy of bids."""
    with rooms.world.view("clock") as view:
        rows = view.session.scalars(
            select(Policy).where(Policy.lot_id == rooms.world.lot_in(view, ref).id, Policy.envelope == "bid")
        )
        return {json.loads(row.payload)["max_plen"] for row in rows}


def test_every_fault_of_a_draft_is_told_at_once_and_what_was_typed_is_kept(rooms: Rooms, agent: Person) -> None:
    answer = send(
        agent, "/agency/projects/new", "draft-project", name="", budget="三百万", region="130205", category=""
    )
    told = errors(answer)
    assert answer.status_code == 422 and told.count("请填写") == 3 and "三百万" in told
    assert 'value="130205"' in answer.text and 'value="三百万"' in answer.text


@pytest.mark.rule("R-03")
def test_works_in_the_regime_of_government_procurement_are_refused_with_the_rule(rooms: Rooms, agent: Person) -> None:
    told = errors(
        send(
            agent,
            "/agency/projects/new",
            "draft-project",
            purchaser=purchaser_code(rooms),
            **(DRAFT | {"category": "WORKS"}),
        )
    )
    assert "R-03" in told


def test_a_form_sent_twice_drafts_once(rooms: Rooms, agent: Person) -> None:
    address, fields = next(
        one for one in forms_of(agent.get("/agency/projects/new").text) if one[0].endswith("draft-project")
    )
    fields |= DRAFT | {"purchaser": purchaser_code(rooms)}
    first, second = (agent.client.post(address, data=fields) for _ in range(2))
    assert done(first) == done(second)
    assert agent.get("/agency/projects").text.count("区实验小学课桌椅采购") == 1


def test_somebody_elses_change_in_between_is_told_and_nothing_overwritten(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.lot("DRAFTED")
    address, fields = next(
        one for one in forms_of(agent.get(f"/agency/lots/{ref}/edit").text) if one[0].endswith("/acts/edit")
    )
    done(send(agent, f"/agency/lots/{ref}/edit", "edit", title="先改的名称"))
    answer = agent.client.post(address, data=fields | {"title": "后改的名称"})
    assert answer.status_code == 409 and "后改的名称" in answer.text
    assert lot_of(rooms, ref).title == "先改的名称"


def test_the_deposit_cap_and_the_budget_hold(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.lot("DRAFTED")
    told = errors(send(agent, f"/agency/lots/{ref}/edit", "edit", ceiling="3000000.01"))
    assert "3,000,000.01" in told and lot_of(rooms, ref).ceiling == Money.parse("2900000")
    done(send(agent, f"/agency/lots/{ref}/edit", "edit", deposit="60000.01"))
    assert (
        "60,000.01" in agent.get(f"/agency/lots/{ref}").text
    )  # named among what publication still lacks, with the cap
    assert "60,000.00" in agent.get(f"/agency/lots/{ref}").text


def test_a_works_lot_is_offered_the_benchmark_method(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.lot("DRAFTED", "WORKS")
    done(send(agent, f"/agency/lots/{ref}/scheme", "scheme"))
    scheme = lot_of(rooms, ref).scheme
    assert (
        scheme
        and scheme["method"] == "WK_SCORE"
        and scheme["benchmark"]["coefficient"] == "draw K"
        and scheme["benchmark"]["below"] == "0.50"
    )
    told = errors(send(agent, f"/agency/lots/{ref}/scheme", "scheme", criteria__1__bands="五分左右"))
    assert "不像一档" in told


# --- who may see and do ---------------------------------------------------------------------------------------------------------------


def test_another_agency_sees_and_changes_nothing(rooms: Rooms) -> None:
    ref, project = rooms.world.lot("DRAFTED"), rooms.world.project("DRAFT")
    other = rooms.person("agent2")
    for page in (*(f"/agency/lots/{ref}{one}" for one in (*LOT_PAGES, "/publish")), f"/agency/projects/{project}"):
        assert other.get(page).status_code == 404, page
    other.get("/agency/projects/new")
    sent = {"edit": {"title": "x"}, "plan": {"deadline": "2026-03-24 09:30"}, "publish": {"sure": "yes"}}
    for act, typed in sent.items():
        answer = other.client.post(f"/agency/lots/{ref}/acts/{act}", data={**other.marks, **typed})
        assert answer.status_code in (403, 404, 422), act
    assert lot_of(rooms, ref).version == 0 and lot_of(rooms, ref).deadline is None


def test_the_purchaser_reads_what_the_agency_prepares(rooms: Rooms) -> None:
    ref = rooms.world.lot("DRAFTED")
    buyer = rooms.person("buyer")
    for page in LOT_PAGES:
        answer = buyer.get(f"/agency/lots/{ref}{page}")
        assert answer.status_code == 200, page
        assert f"/agency/lots/{ref}/acts/" not in answer.text, page
    assert buyer.get(f"/agency/lots/{ref}/publish").status_code == 403


@pytest.mark.parametrize("username", ["bidder1", "clerk", "host", "watch", "officer1"])
def test_other_roles_stay_outside(rooms: Rooms, username: str) -> None:
    person = rooms.person(username)
    assert person.get("/agency").status_code == 403
    assert person.client.get("/agency/lots").status_code == 403


# --- secrecy --------------------------------------------------------------------------------------------------------------------------


def plain(page: str) -> str:
    """A page without what changes from one showing to the next."""
    return re.sub(r'(name="(csrf_token|form_id)" value=")[^"]*', r"\1", page)


@pytest.mark.promise("S1")
def test_no_page_tells_how_many_take_part(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.lot("BIDDING")
    clerk = rooms.person("clerk")
    pages = [
        (agent, "/agency"),
        (agent, "/agency/lots"),
        *((agent, f"/agency/lots/{ref}{one}") for one in LOT_PAGES),
        (clerk, "/centre"),
        (clerk, "/centre/archive"),
    ]
    before = [plain(person.get(page).text) for person, page in pages]
    rooms.world.take_part(ref)
    assert [plain(person.get(page).text) for person, page in pages] == before


def test_who_asked_and_who_objected_is_not_shown_before_the_opening_list(rooms: Rooms, agent: Person) -> None:
    world, ref = rooms.world, rooms.world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    with world.work("bidder1") as work:
        lot = world.lot_in(work, ref)
        enquiries.ask(work, lot, question="是否接受联合体？")
        objection = disputes.file(work, lot, stage="documents", text="第三章指向特定品牌。", until=lot.deadline).ref  # type: ignore[arg-type]
    for page in (
        "/agency",
        "/agency/questions",
        f"/agency/lots/{ref}/clarify",
        "/agency/objections",
        f"/agency/objections/{objection}",
    ):
        text = agent.get(page).text
        assert "投标单位1" not in text, page
    assert "是否接受联合体" in agent.get(f"/agency/lots/{ref}/clarify").text


# --- answers --------------------------------------------------------------------------------------------------------------------------


def test_a_question_is_answered_to_everybody(rooms: Rooms, agent: Person) -> None:
    world, ref = rooms.world, rooms.world.lot("BIDDING")
    with world.work("bidder2") as work:
        enquiries.ask(work, world.lot_in(work, ref), question="我公司（投标单位2）能否参加？")
    page = f"/agency/lots/{ref}/clarify"
    assert "T-20" in agent.get("/agency").text
    done(send(agent, page, "answer", text="符合条件即可参加。", question="能否参加？", affects="no"))
    with world.view("clock") as view:
        body = notices.latest(view.session, world.lot_in(view, ref), "clarification").body
    assert body["question"] == "能否参加？" and "投标单位" not in str(body)
    assert "acts/answer" not in agent.get(page).text


@pytest.mark.rule("T-05")
def test_a_late_clarification_names_the_deadline_to_extend_to_and_keeps_the_answer(rooms: Rooms) -> None:
    world, ref = rooms.world, rooms.world.lot("BIDDING")
    world.clock.advance(days=12)
    with world.work("bidder2") as work:
        enquiries.ask(work, world.lot_in(work, ref), question="亮度指标是否更改？")
    agent = rooms.person("agent")
    answer = send(agent, f"/agency/lots/{ref}/clarify", "answer", text="改为不低于 350 尼特。", affects="yes")
    assert "T-05" in errors(answer) and "2026-03-29" in errors(answer) and "改为不低于 350 尼特。" in answer.text
    done(
        send(
            agent,
            f"/agency/lots/{ref}/clarify",
            "extend",
            deadline="2026-04-01 09:30",
            opens_at="2026-04-01 09:30",
            reason="第3号澄清影响报价",
        )
    )
    assert lot_of(rooms, ref).deadline == DEADLINE  # it moves with the last signature, not before
    world.sign_policies(ref)
    assert lot_of(rooms, ref).deadline == DEADLINE + timedelta(days=8)


def test_a_lost_key_of_a_holder_is_told_with_what_it_means_and_the_seat_is_filled_anew(
    rooms: Rooms, agent: Person
) -> None:
    world = rooms.world
    ready, bidding = world.lot("READY"), world.lot("BIDDING")
    for username in ("officer1", "officer3"):
        with world.work(username) as work:
            enrolments.revoke(work, parties.account(work.session, world.people[username]), "officer", reason="失窃")
    assert "仍然有效、仍然安全" in agent.get(f"/agency/lots/{bidding}/keys").text
    assert "acts/replace-officer" not in agent.get(f"/agency/lots/{bidding}/keys").text
    page = f"/agency/lots/{ready}/keys"
    assert "请在发布前逐一更换" in agent.get(page).text
    twice = send(agent, page, "replace-officer", seat="1", holder="officer2 platform")
    assert twice.status_code == 422
    done(send(agent, page, "replace-officer", seat="1", holder="officer1 platform"))
    assert "not yet given" in agent.get(page + "?lang=en").text
    with world.work("officer4") as work:
        enrolments.revoke(work, parties.account(work.session, world.people["officer4"]), "officer", reason="失窃")
    assert "treat sealed bids as readable" in agent.get(f"/agency/lots/{bidding}/keys").text


def test_a_published_document_is_amended_with_a_correction(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.lot("BIDDING")
    page = f"/agency/lots/{ref}/documents"
    done(
        send(
            agent,
            page,
            "amend",
            file=(io.BytesIO(PDF + b"%2"), "招标文件.pdf"),
            text="第三章第 2 条更正。",
            affects="yes",
        )
    )
    with rooms.world.view("clock") as view:
        lot = rooms.world.lot_in(view, ref)
        assert [row.version for row in documents.standing(view.session, lot)] == [2]
        assert notices.latest(view.session, lot, "correction").body["affects_bids"] is True
    taken = agent.get(re.search(r'href="(/agency/lots/[^"]+/documents/\d+)"', agent.get(page).text)[1])  # type: ignore[index]
    assert taken.data.endswith(b"%2") and "attachment" in taken.headers["Content-Disposition"]


def test_a_lot_is_terminated_only_by_the_purchaser_with_reasons(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.lot("BIDDING")
    assert agent.get(f"/agency/lots/{ref}/end").status_code == 403
    buyer = rooms.person("buyer")
    assert "请填写" in errors(send(buyer, f"/agency/lots/{ref}/end", "end"))
    done(send(buyer, f"/agency/lots/{ref}/end", "end", reason="需求发生重大变化。"))
    assert lot_of(rooms, ref).state == "TERMINATED"


# --- after the opening ----------------------------------------------------------------------------------------------------------------


def test_qualifications_are_found_bid_by_bid(rooms: Rooms) -> None:
    world = rooms.world
    ref = evaluation_steps.opened(world)
    buyer = rooms.person("buyer")
    page = f"/agency/lots/{ref}/qualification"
    names = re.findall(r'id="bid-(\d+)"', buyer.get(page).text)
    assert len(names) == 3 and "acts/finish-review" not in buyer.get(page).text
    assert "请填写" in errors(send(buyer, page, "review", bid=names[0], ok="no"))
    for name in names:
        done(send(buyer, page, "review", bid=name, ok="yes"))
    done(send(buyer, page, "finish-review", sure="yes"))
    assert lot_of(rooms, ref).state == "EVALUATION"


@pytest.mark.rule("X-13")
def test_award_and_contract_in_government_procurement(rooms: Rooms) -> None:
    world = rooms.world
    evaluation_steps.library(world)
    ref = evaluation_steps.evaluated(world)
    lot = f"/agency/lots/{ref}"
    agent, buyer = rooms.person("agent"), rooms.person("buyer")
    assert "acts/" not in agent.get(lot + "/award").text.partition("<main")[2]  # the purchaser decides, not the agency
    assert agent.get(lot + "/award/decide").status_code == 403
    assert "T-11" in buyer.get("/agency").text
    assert "award" in buyer.get(lot).text.partition("<aside")[2]  # the lot itself leads to the next act
    for who in (agent, buyer):  # they decide on what they can read, before anybody else may
        told = who.get(lot + "/award").text
        assert "分项得分" in told and f'href="{lot}/report.pdf"' in told
        assert who.get(lot + "/report.pdf").data.startswith((b"%PDF-", b"<!doctype"))
    assert rooms.person("clerk").get(f"/lots/{ref}/report.pdf").status_code == 404
    watch = rooms.person("watch")  # each paper a supervisor is shown is there; the public's pages show nothing early
    papers = re.findall(r'href="(/[^"#]+\.(?:pdf|csv))"', watch.get(f"/supervisor/dossier/{ref}").text)
    assert f"/supervisor/dossier/{ref}/report.pdf" in papers
    assert {watch.get(path).status_code for path in papers} == {200}
    assert "report.pdf" not in watch.get(f"/lots/{ref}/result").text
    assert "请填写" in errors(send(buyer, lot + "/award/decide?rank=2", "decide")) or "法定理由" in errors(
        send(buyer, lot + "/award/decide?rank=2", "decide")
    )
    done(send(buyer, lot + "/award/decide?rank=1", "decide"))
    done(send(agent, lot + "/award", "announce"))
    with world.view("clock") as view:
        award = awards.award(view.session, world.lot_in(view, ref))
        assert award.winner is not None and award.price_minor is not None
        price = Money(award.price_minor)
    told = errors(
        send(
            agent,
            lot + "/contract",
            "contract",
            number="HT-1",
            amount=(price - Money(1)).text(),
            signed_at=clock_text(rooms),
        )
    )
    assert "合同价与中标价不同" in told
    world.clock.advance(minutes=2)
    done(send(agent, lot + "/contract", "contract", number="HT-1", signed_at=clock_text(rooms)))
    done(send(agent, lot + "/contract", "publish-contract"))
    with world.view("clock") as view:
        held = contracts.contract(view.session, world.lot_in(view, ref))
        assert held.amount_minor == price.minor and held.published_at is not None
    assert lot_of(rooms, ref).state == "FILING"


def clock_text(rooms: Rooms) -> str:
    return (rooms.world.now + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M")


@pytest.mark.rule("T-17", "T-26")
@pytest.mark.parametrize("is_upheld", [False, True])
def test_works_candidates_are_published_before_the_decision(rooms: Rooms, is_upheld: bool) -> None:
    world = rooms.world
    evaluation_steps.library(world)
    ref = evaluation_steps.evaluated(world, "WORKS")
    lot = f"/agency/lots/{ref}"
    agent = rooms.person("agent")
    assert "T-17" in agent.get("/agency").text
    done(send(agent, lot + "/award", "publicise"))
    buyer = rooms.person("buyer")
    assert "award/decide" not in buyer.get(lot + "/award").text
    assert "公示到" in errors(send(buyer, lot + "/award/decide?rank=1", "decide"))
    with world.work("bidder2") as work:
        row = world.lot_in(work, ref)
        until = awards.object_until(awards.award(work.session, row))
        objection = disputes.file(work, row, stage="result", text="候选人业绩不实。", until=until).ref
    world.clock.set(until)
    agent, buyer = rooms.person("agent"), rooms.person("buyer")
    assert send(buyer, lot + "/award/decide?rank=1", "decide").status_code == 409  # an objection is open
    assert "投标单位2" in agent.get(f"/agency/objections/{objection}").text  # names are public by now
    if is_upheld:
        told = {"text": "业绩不实，异议成立。", "upheld": "yes"}
        assert "如何处理" in errors(send(agent, f"/agency/objections/{objection}", "answer", **told))
        done(send(agent, f"/agency/objections/{objection}", "answer", **told, effect="next"))
        award = buyer.get(lot + "/award").text
        assert "award/decide?rank=2" in award and "award/decide?rank=1" not in award  # no button that only refuses
        assert f'href="{lot}/award"' in buyer.get(f"/agency/objections/{objection}").text
        done(send(buyer, lot + "/award/decide?rank=2", "decide", ground="第一候选人业绩不实"))
        assert lot_of(rooms, ref).state == "AWARD"
        return
    done(send(agent, f"/agency/objections/{objection}", "answer", text="业绩经核查属实。", upheld="no"))
    done(send(buyer, lot + "/award/decide?rank=1", "decide"))
    assert lot_of(rooms, ref).state == "AWARD"


def challenged(rooms: Rooms, ref: str, effect: str) -> None:
    """A challenge to the announced result, which the agency upholds on its page."""
    with rooms.world.work("bidder2") as work:
        row = rooms.world.lot_in(work, ref)
        until = awards.object_until(awards.award(work.session, row))
        objection = disputes.file(work, row, stage="result", text="客观分计算有误。", until=until).ref
    page = f"/agency/objections/{objection}"
    done(send(rooms.person("agent"), page, "answer", text="经核查属实。", upheld="yes", effect=effect))


@pytest.fixture
def announced(rooms: Rooms) -> str:
    world = rooms.world
    ref = stages.proposed(world)
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))
    with world.work("agent") as work:
        awards.announce(work, world.lot_in(work, ref))
    return ref


def test_an_upheld_challenge_leads_by_its_pages_to_another_winner(rooms: Rooms, announced: str) -> None:
    lot = f"/agency/lots/{announced}"
    buyer, agent = rooms.person("buyer"), rooms.person("agent")
    first = buyer.get(lot + "/award").text
    assert "award/again" in first and "award/annul" in first and "award/review" not in first  # the winner may drop out
    assert "award/again" not in agent.get(lot + "/award").text  # which is for the purchaser to decide
    challenged(rooms, announced, "next")
    assert "award/again" in buyer.get(lot + "/award").text and "award/annul" not in buyer.get(lot + "/award").text
    refused = send(agent, lot + "/contract", "contract", number="HT-1", signed_at=clock_text(rooms))
    assert refused.status_code == 409 and "objection.upheld" in refused.text
    told = buyer.get(lot + "/award/again").text
    assert "投标单位2" in told or "投标单位3" in told
    assert "请填写" in errors(send(buyer, lot + "/award/again", "decide-again", ground=" "))
    done(send(buyer, lot + "/award/again", "decide-again", ground="质疑成立，另行确定"))
    done(send(agent, lot + "/award", "announce"))
    public = rooms.person("bidder1").get(f"/lots/{announced}/result").text
    assert "质疑成立，另行确定" in public or "撤回" in public
    with rooms.world.view("clock") as view:
        row = awards.award(view.session, rooms.world.lot_in(view, announced))
        assert row.winner_party_id == row.ranking[1]["party_id"]


def test_an_upheld_challenge_leads_by_its_pages_to_a_review_again(rooms: Rooms, announced: str) -> None:
    lot = f"/agency/lots/{announced}"
    challenged(rooms, announced, "review")
    agent = rooms.person("agent")
    assert "award/review" in agent.get(lot + "/award").text
    assert "办理后续" in agent.get("/agency").text and "签订并登记合同" not in agent.get("/agency").text
    done(send(agent, lot + "/award/review", "review-again", reason="客观分计算有误，组织重新评审"))
    assert lot_of(rooms, announced).state == "EVALUATION"
    assert rooms.person("buyer").get(lot + "/award?lang=en").status_code == 200
    with rooms.world.view("clock") as view:
        chair = panels.find_chair(panels.panel(view.session, rooms.world.lot_in(view, announced)))
        assert chair is not None
        name = chair.account.username
    page = rooms.person(name).get(f"/expert/{announced}?lang=zh").text
    assert "客观分计算有误，组织重新评审" in page


def test_an_upheld_challenge_leads_by_its_pages_to_a_void_tender(rooms: Rooms, announced: str) -> None:
    lot = f"/agency/lots/{announced}"
    challenged(rooms, announced, "void")
    buyer = rooms.person("buyer")
    assert "award/annul" in buyer.get(lot + "/award").text
    done(send(buyer, lot + "/award/annul", "annul", reason="招标文件含歧视性条款"))
    assert lot_of(rooms, announced).state == "FAILED"
    public = rooms.person("bidder1").get(f"/lots/{announced}/result").text
    assert "招标文件含歧视性条款" in public
    assert "acts/retender" in rooms.person("agent").get(lot).text  # and the next round begins


def test_the_opening_form_takes_further_entries(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.lot("DRAFTED")
    page = f"/agency/lots/{ref}/edit"
    done(send(agent, page, "edit", entries="品牌和型号\n产地"))
    fields = lot_of(rooms, ref).form
    added = [(one["key"], one["label"], one["type"]) for one in fields[-2:]]
    assert added == [("entry_1", "品牌和型号", "text"), ("entry_2", "产地", "text")]
    done(send(agent, page, "edit", entries=""))
    assert lot_of(rooms, ref).form == [one for one in fields if not one["key"].startswith("entry_")]


def test_pages_open_in_both_languages_at_every_stage(rooms: Rooms, agent: Person) -> None:
    world = rooms.world
    refs = [world.lot("DRAFTED"), world.lot("READY", "WORKS"), world.lot("BIDDING")]
    for state in ("DRAFT", "FILED", "RETURNED", "ACCEPTED"):
        made = world.project(state, **({"funds": ""} if state == "RETURNED" else {}))
        assert agent.get(f"/agency/projects/{made}").status_code == 200
    for lang in ("zh", "en"):
        for ref in refs:
            for page in (*LOT_PAGES, "/publish"):
                answer = agent.get(f"/agency/lots/{ref}{page}?lang={lang}")
                assert answer.status_code == 200, (page, answer.text[-400:])
                assert "no Chinese" not in answer.text
        for page in (
            "/agency",
            "/agency/projects",
            "/agency/projects/new",
            "/agency/lots",
            "/agency/questions",
            "/agency/objections",
        ):
            assert agent.get(f"{page}?lang={lang}").status_code == 200


# --- attachments ----------------------------------------------------------------------------------------------------------------------


def test_a_filing_holds_its_papers_and_they_are_read_by_its_people_and_the_centre_alone(
    rooms: Rooms, agent: Person
) -> None:
    ref = rooms.world.project("DRAFT")
    page = f"/agency/projects/{ref}"
    wrong = send(agent, page, "attach", files=(io.BytesIO(b"MZ no pdf"), "批文.pdf"))
    assert "内容与扩展名不符" in errors(wrong)
    assert send(agent, page, "attach").status_code == 422  # no file chosen
    done(send(agent, page, "attach", files=(io.BytesIO(PDF), "批文.pdf")))
    twice = send(agent, page, "attach", files=(io.BytesIO(PDF), "又一份.pdf"))
    assert "已经附上" in errors(twice)
    done(send(agent, page, "attach", files=(io.BytesIO(PDF + b"\n%"), "计划.pdf")))
    out = next(fields for action, fields in forms_of(agent.get(page).text) if action.endswith("detach"))
    with rooms.world.view("agent") as view:
        first, second = attachments.of_project(view.session, projects.project(view.session, ref).id)
    done(agent.client.post(f"{page}/acts/detach", data=out | {"attachment": str(second.id)}))
    clerk = rooms.person("clerk")
    assert (
        clerk.get(f"/centre/filings/{ref}/attachments/{first.id}").status_code == 404
    )  # a draft is not the centre's to read
    done(send(agent, page + "/file", "file"))
    with rooms.world.view("clock") as view:
        said = [
            json.loads(row.payload)
            for row in view.session.scalars(select(ActRecord))
            if '"project.file"' in row.payload
        ]
    assert any(first.blob in json.dumps(one) for one in said)  # its digest stands in the record of the filing
    assert "批文.pdf" in clerk.get(f"/centre/filings/{ref}").text
    taken = clerk.get(f"/centre/filings/{ref}/attachments/{first.id}")
    assert taken.data == PDF and "attachment" in taken.headers["Content-Disposition"]
    assert "sandbox" in taken.headers["Content-Security-Policy"]
    assert clerk.get(f"/centre/filings/{ref}/attachments/{second.id}").status_code == 404  # taken out before filing
    assert rooms.person("agent2").get(f"{page}/attachments/{first.id}").status_code == 404
    assert rooms.person("bidder1").get(f"{page}/attachments/{first.id}").status_code == 403
    late = agent.client.post(f"{page}/acts/attach", data={**agent.marks, "files": (io.BytesIO(PDF), "晚了.pdf")})
    assert late.status_code == 409


def test_an_objection_and_its_answer_hold_papers_whose_names_tell_nobody_before_the_opening(
    rooms: Rooms, agent: Person
) -> None:
    world, ref = rooms.world, rooms.world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    blob = world.office.blobs.put([PDF])
    with world.work("bidder1") as work:
        lot = world.lot_in(work, ref)
        assert lot.deadline is not None
        files = [("投标单位1异议.pdf", blob)]
        row = disputes.file(work, lot, stage="documents", text="第三章指向特定品牌。", until=lot.deadline, files=files)
        oref, number = row.ref, attachments.of_objection(work.session, row.id)[0].id
    page = agent.get(f"/agency/objections/{oref}").text
    assert "投标单位1" not in page and "附件1.pdf" in page and f"/attachments/{number}" in page
    assert "投标单位1" not in unquote(
        agent.get(f"/agency/objections/{oref}/attachments/{number}").headers["Content-Disposition"]
    )
    own = rooms.person("bidder1")
    assert "投标单位1异议.pdf" in own.get(f"/bidder/objections/{oref}").text
    assert own.get(f"/bidder/objections/{oref}/attachments/{number}").data == PDF
    assert rooms.person("bidder2").get(f"/bidder/objections/{oref}/attachments/{number}").status_code == 404
    assert rooms.person("agent2").get(f"/agency/objections/{oref}/attachments/{number}").status_code == 404
    assert rooms.person("watch").get(f"/supervisor/objections/{oref}/attachments/{number}").data == PDF

    done(
        send(
            agent,
            f"/agency/objections/{oref}",
            "answer",
            text="已核实，予以更正。",
            upheld="yes",
            files=(io.BytesIO(PDF), "答复.pdf"),
        )
    )
    answered = agent.get(f"/agency/objections/{oref}").text
    assert "答复.pdf" in answered and f"/agency/lots/{ref}/clarify" in answered  # upheld: the page leads on
    assert "答复.pdf" in own.get(f"/bidder/objections/{oref}").text


def test_attachments_wait_for_the_scanner_where_there_is_one(rooms: Rooms, agent: Person) -> None:
    ref = rooms.world.project("DRAFT")
    done(send(agent, f"/agency/projects/{ref}", "attach", files=(io.BytesIO(PDF), "批文.pdf")))
    with rooms.world.view("agent") as view:
        number = attachments.of_project(view.session, projects.project(view.session, ref).id)[0].id
        row = attachments.of_project(view.session, projects.project(view.session, ref).id)
        with pytest.raises(WrongStep, match="file.waiting"):
            attachments.release(row, number, scanned=True)
    with rooms.world.work("clock") as work:
        attachment_scans.note(work, number, Finding("infected", "Eicar-Test"), scanner="ClamAV")
    refused = agent.get(f"/agency/projects/{ref}/attachments/{number}")
    assert refused.status_code == 409 and "Eicar-Test" in agent.get(f"/agency/projects/{ref}").text


def test_a_page_from_before_leads_to_where_the_filing_stands_now(rooms: Rooms, agent: Person) -> None:
    """A tab left open, or the way back in a browser, is no error."""
    filed, ref = rooms.world.project("FILED"), rooms.world.lot("BIDDING")
    project = lot_of(rooms, ref).project.ref
    own, other = f"/agency/projects/{filed}", f"/agency/projects/{project}"
    ways = (
        (f"{own}/edit", own),
        (f"{own}/file", own),
        (f"{other}/tender", other),
        (f"/agency/lots/{ref}/preview", f"/lots/{ref}"),
    )
    for page, where in ways:
        answer = agent.get(page)
        assert answer.status_code == 303 and answer.headers["Location"] == where, page
        assert agent.get(where).status_code == 200


def test_a_complaint_goes_by_its_pages_from_the_bidder_to_the_decision(rooms: Rooms, announced: str) -> None:
    """The bidder complains, the supervisory body has the procurement stand still and decides; the purchaser does what that leads to."""
    world = rooms.world
    with world.work("bidder2") as work:
        row = world.lot_in(work, announced)
        until = awards.object_until(awards.award(work.session, row))
        oref = disputes.file(work, row, stage="result", text="评分有误。", until=until).ref
    agent, watch, own = rooms.person("agent"), rooms.person("watch"), rooms.person("bidder2", "bidder-signer")
    assert "acts/complain" not in own.get(f"/bidder/objections/{oref}").text  # the answer may still come
    done(send(agent, f"/agency/objections/{oref}", "answer", text="无误。", upheld="no"))
    assert "请填写" in errors(send(own, f"/bidder/objections/{oref}", "complain", complaint=" "))
    done(send(own, f"/bidder/objections/{oref}", "complain", complaint="答复没有回应评分错误。"))
    with world.view("clock") as view:
        found = complaints.of_objection(view.session, disputes.objection(view.session, oref))
        assert found is not None
        page = f"/supervisor/complaints/{found.ref}"
    assert "投诉受理审查" in watch.get("/supervisor").text and page in watch.get("/supervisor/objections").text
    assert agent.get(page).status_code in (403, 404)
    assert "请填写" in errors(send(watch, page, "accept", suspend="yes"))
    done(send(watch, page, "accept", suspend="yes", reasons="可能影响中标结果"))
    stopped = send(agent, f"/agency/lots/{announced}/contract", "contract", number="HT-1", signed_at=clock_text(rooms))
    assert stopped.status_code == 409 and "责令暂停" in stopped.text
    for lang in ("zh", "en"):
        for person, where in ((watch, page), (own, f"/bidder/objections/{oref}"), (watch, "/supervisor/objections")):
            assert person.get(f"{where}?lang={lang}").status_code == 200
    done(send(watch, page + "?lang=zh", "decide", upheld="yes", effect="next", reasons="评分确有错误"))
    assert "另行确定中标人" in own.get(f"/bidder/objections/{oref}?lang=zh").text
    buyer = rooms.person("buyer")
    assert "award/again" in buyer.get(f"/agency/lots/{announced}/award").text
    done(send(buyer, f"/agency/lots/{announced}/award/again", "decide-again", ground="投诉处理决定"))


def test_the_page_says_beforehand_which_side_has_no_key_holder(rooms: Rooms) -> None:
    """With two sides nobody's choice of how many open could ever hold: it is said before anybody is named."""
    world = rooms.world
    lot = f"/agency/lots/{world.lot('DRAFTED')}/keys"
    assert "密钥持有人来自三方" not in rooms.person("agent").get(lot).text
    with world.office.work(SETUP) as work:
        parties.disable(work, parties.account(work.session, world.people["officer5"]))
    told = rooms.person("agent").get(lot).text
    assert "密钥持有人来自三方" in told and "还没有人可以代表：行政监督" in told
    assert "three sides" in rooms.person("agent").get(lot + "?lang=en").text
