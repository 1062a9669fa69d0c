"""Projects: completeness only, all gaps at once, and a code at acceptance (rules A-01 to A-05)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.kit.world import CENTRE_CODE, World
from trading.kernel import ids
from trading.kernel.access import ROLES, Actor, Role
from trading.kernel.errors import Conflict, Invalid, NotAllowed, WrongStep
from trading.kernel.money import Money
from trading.parties import parties
from trading.tendering import projects
from trading.tendering.projects import PROJECT_FLOW, Gap, Project

BARE: dict[str, Any] = {
    "approval_no": "",
    "budget": Money.zero(),
    "funds": " ",
    "agency_agreement": "",
    "contact": "",
    "region": "",
    "intent_at": None,
}
CHOSEN: dict[str, Any] = {"ground": "", "ground_facts": "", "consent_no": "", "consent_on": None}
"""What the filing of an inquiry holds beside, here without any of it."""
INQUIRY: dict[str, Any] = {
    "method": "M5",
    "ground": "standard_goods",
    "ground_facts": "通用台式计算机，现货供应商二十余家，近一年价格变动不足 3%",
    "consent_no": "开财采批〔2026〕3号",
    "consent_on": date(2026, 2, 2),
}


@pytest.mark.rule("A-05")
def test_a_bare_filing_comes_back_once_with_every_gap(world: World) -> None:
    ref = world.project("FILED", **BARE)
    with world.work("clerk") as work:
        found = projects.return_with_gaps(work, projects.project(work.session, ref))
    assert {gap.field for gap in found} == BARE.keys()
    with world.view("clerk") as view:
        row = projects.project(view.session, ref)
        assert (row.state, row.returns, len(row.gaps)) == ("RETURNED", 1, 7)
        assert {gap["rule"] for gap in row.gaps} == {"A-01", "A-06"}


@pytest.mark.rule("A-01", "R-08")
@pytest.mark.parametrize("field", projects.CHECKED)
def test_each_missing_paper_is_named_and_stops_acceptance(world: World, field: str) -> None:
    ref = world.project("FILED", **(INQUIRY if field in CHOSEN else {}) | {field: (BARE | CHOSEN)[field]})
    with pytest.raises(Invalid) as refusal, world.work("clerk") as work:
        projects.accept(work, projects.project(work.session, ref))
    assert [fault.where for fault in refusal.value.faults] == [field]
    with world.view("clerk") as view:
        row = projects.project(view.session, ref)
        assert row.state == "FILED" and row.code is None


def test_works_need_no_intention_and_no_agency_no_agreement(world: World) -> None:
    world.project("ACCEPTED", regime="WORKS", intent_at=None)
    with world.work("buyer") as work:
        fields = world.project_fields() | {"agency_agreement": ""}
        made = projects.draft(work, **fields)
        assert made.agency_id is None and made.purchaser_id == world.party_ids["purchaser"]
        assert projects.gaps(made, work.now) == []


@pytest.mark.rule("R-07", "R-08", "N-07")
def test_an_inquiry_needs_its_ground_and_from_the_threshold_on_a_consent(world: World) -> None:
    """GPL art. 32; rules R-07, R-08."""
    with world.work("buyer") as work:
        fields = world.project_fields() | {"agency_agreement": "", "method": "M5"}
        threshold = projects.draft(work, **fields | {"budget": Money.parse("2000000")})
        below = projects.draft(work, **fields | {"budget": Money.parse("1999999.99")})
        assert [(gap.field, gap.rule) for gap in projects.gaps(below, work.now)] == [
            ("ground", "A-01"),
            ("ground_facts", "A-01"),
        ]
        assert [(gap.field, gap.rule) for gap in projects.gaps(threshold, work.now)][2:] == [
            ("consent_no", "R-08"),
            ("consent_on", "R-08"),
        ]


def test_a_method_refuses_what_its_article_does_not_allow(world: World) -> None:
    with world.work("buyer") as work, pytest.raises(Invalid) as refusal:
        projects.draft(
            work, **world.project_fields() | {"category": "SERVICES", "method": "M5", "ground": "only_supplier"}
        )
    assert [(fault.where, fault.code) for fault in refusal.value.faults] == [
        ("category", "project.method_category"),
        ("ground", "project.ground"),
    ]


@pytest.mark.rule("A-04")
def test_a_complete_filing_cannot_be_returned(world: World) -> None:
    ref = world.project("FILED")
    with pytest.raises(Invalid, match="project.nothing_missing"), world.work("clerk") as work:
        projects.return_with_gaps(work, projects.project(work.session, ref))


@pytest.mark.rule("A-02")
def test_a_clerk_may_note_completeness_and_nothing_else(world: World) -> None:
    ref = world.project("FILED")
    with pytest.raises(Invalid, match="project.note_field"), world.work("clerk") as work:
        row = projects.project(work.session, ref)
        projects.return_with_gaps(work, row, notes=[Gap("purchaser", "project.gap_unreadable", note="不喜欢")])
    with pytest.raises(Invalid, match="project.note_words"), world.work("clerk") as work:
        projects.return_with_gaps(
            work, projects.project(work.session, ref), notes=[Gap("funds", "project.gap_unreadable")]
        )
    with world.work("clerk") as work:
        row = projects.project(work.session, ref)
        projects.return_with_gaps(work, row, notes=[Gap("funds", "project.gap_unreadable", note="第2页看不清")])
        assert row.gaps == [{"field": "funds", "code": "project.gap_unreadable", "rule": "A-01", "note": "第2页看不清"}]


@pytest.mark.rule("A-05")
def test_returned_edited_filed_again_keeps_the_count_and_the_first_filing(world: World) -> None:
    ref = world.project("FILED", funds="")
    first = world.now
    with world.work("clerk") as work:
        projects.return_with_gaps(work, projects.project(work.session, ref))
    world.clock.advance(hours=5)
    with world.work("agent") as work:
        row = projects.project(work.session, ref)
        projects.edit(work, row, funds="已落实", seen=row.version)
        projects.file(work, row)
    with world.work("clerk") as work:
        row = projects.project(work.session, ref)
        projects.accept(work, row, category_code="A01")
        assert (row.returns, row.gaps, row.first_filed_at) == (1, [], first)
        assert row.accepted_at is not None and row.accepted_at - first == timedelta(hours=5)


def test_the_unified_code_counts_the_day_in_beijing(world: World) -> None:
    def coded(regime: str) -> str:
        with world.view("clerk") as view:
            code = projects.project(view.session, world.project(regime=regime)).code
        assert code is not None
        return code

    codes = [coded("GP"), coded("GP")]
    world.clock.advance(hours=15)  # 16:00 UTC: the next day has begun in Beijing
    codes.append(coded("WORKS"))
    read = [ids.read_transaction_code(code) for code in codes]
    assert [(one.sequence, one.date.isoformat(), one.category) for one in read] == [
        (1, "2026-03-02", "D99"),
        (2, "2026-03-02", "D99"),
        (1, "2026-03-03", "A99"),
    ]
    assert {one.platform_code for one in read} == {CENTRE_CODE}


def test_all_faults_of_a_draft_at_once(world: World) -> None:
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        projects.draft(
            work, name=" ", regime="GP", category="WORKS", kind="CONSTRUCTION", method="M9", budget=Money(-1)
        )
    assert {fault.where for fault in refusal.value.faults} == {
        "name",
        "regime",
        "kind",
        "method",
        "budget",
        "purchaser",
    }


def test_strangers_may_not_touch_it(world: World) -> None:
    ref = world.project("DRAFT")
    for act in (lambda work, row: projects.edit(work, row, funds="x"), projects.file):
        with pytest.raises(NotAllowed, match="project.not_yours"), world.work("agent2") as work:
            act(work, projects.project(work.session, ref))
    with pytest.raises(NotAllowed, match="access.role"), world.work("bidder1") as work:
        projects.draft(work, name="x", regime="GP", category="GOODS")


def test_a_stale_form_is_a_conflict_and_a_filed_project_is_closed(world: World) -> None:
    ref = world.project("DRAFT")
    with world.work("agent") as work:
        projects.edit(work, projects.project(work.session, ref), contact="新联系人")
    with pytest.raises(Conflict, match="form.stale"), world.work("agent") as work:
        projects.edit(work, projects.project(work.session, ref), contact="旧表单", seen=0)
    with world.work("agent") as work:
        projects.file(work, projects.project(work.session, ref))
    with pytest.raises(WrongStep, match="project.not_editable"), world.work("agent") as work:
        projects.edit(work, projects.project(work.session, ref), contact="迟了")


@pytest.mark.parametrize("state", PROJECT_FLOW.states)
@pytest.mark.parametrize("step", [step.name for step in PROJECT_FLOW.steps])
def test_every_pair_not_in_the_table_is_refused(state: str, step: str) -> None:
    thing = Project(ref="P", state=state, version=0)
    if state in PROJECT_FLOW.step(step).origins:
        assert PROJECT_FLOW.check(thing, step).name == step
    else:
        with pytest.raises(WrongStep):
            PROJECT_FLOW.check(thing, step)


def test_the_centre_has_no_step_that_refuses(world: World) -> None:
    """Rules A-02, A-04: accept, or return; nothing else leaves FILED."""
    assert {step.target for step in PROJECT_FLOW.steps if "FILED" in step.origins} == {"ACCEPTED", "RETURNED"}
    allowed = {step.name for step in PROJECT_FLOW.steps if step.needs in ROLES[Role.CENTRE]}
    assert allowed == {"return", "accept"}


def test_own_party_is_asked_of_the_actor_not_the_form(world: World) -> None:
    with world.view("agent") as view:
        assert parties.own_party(view).id == world.party_ids["agency"]
    assert Actor(Role.AGENCY).party_id is None
