"""Tenders and lots: drafting, planning, publication with every fault at once, failing, terminating, tendering again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crypto.documents import open_document
from crypto.policies import policy_id
from tests.kit.schemes import SCHEMES
from tests.kit.world import DEADLINE, World
from trading import publication, rulebook
from trading.custody import officers, policies
from trading.kernel import audit, log
from trading.kernel.audit import ActRecord, LogEntry
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, TooLate, WrongStep
from trading.kernel.money import Money
from trading.tendering import documents, notices, planning, projects, tenders
from trading.tendering.tenders import LOT_FLOW

yuan = Money.parse


def refused(world: World, ref: str) -> dict[str, dict[str, Any]]:
    """What publication refuses with: where → code and facts."""
    with pytest.raises(Invalid, match="lot.not_publishable") as refusal, world.work("agent") as work:
        publication.publish(work, world.lot_in(work, ref))
    return {fault.where: {"code": fault.code} | fault.facts for fault in refusal.value.faults}


def edit(world: World, ref: str, **changes: Any) -> None:
    with world.work("agent") as work:
        tenders.edit_lot(work, world.lot_in(work, ref), **changes)


@pytest.mark.rule("T-01")
def test_a_lot_publishes_once_with_the_rules_of_the_day(world: World) -> None:
    ref = world.lot("READY")
    done = world.publish(ref)
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        assert (lot.state, lot.published_at, lot.issue_at) == ("NOTICE", world.now, world.now)
        assert lot.rules is not None
        book = rulebook.Rulebook.from_snapshot(lot.rules)
        assert book.on.isoformat() == "2026-03-02" and book.rule("T-03").whole == 20
        assert done.notice.body["policy"] == officers.current_policy(view.session, lot).policy_id
        assert (
            done.notice.until is not None and done.notice.until.isoformat() == "2026-03-09T16:00:00+00:00"
        )  # 5 working days
        assert all(row.published for row in documents.standing(view.session, lot))
    with pytest.raises(WrongStep), world.work("agent") as work:
        publication.publish(work, world.lot_in(work, ref))
    with pytest.raises(WrongStep, match="lot.published_already"):
        edit(world, ref, title="x")


def test_the_log_says_what_was_published(world: World) -> None:
    ref = world.lot("NOTICE", regime="WORKS")
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        entry = view.session.scalars(select(LogEntry).where(LogEntry.event == "published")).one()
        assert (entry.tender, entry.lot) == (lot.tender.ref, "1")
        document = open_document(audit.document(view.session, entry.statement), "published", world.office.keys.public)
        assert document["files"][0]["name"] == "招标文件.pdf"
        wanted = [
            officers.current_policy(view.session, lot, name).policy_id for name in ("bid", "draw:experts/1", "draw:k/1")
        ]
        assert document["policies"] == wanted
        acts = set(view.session.scalars(select(ActRecord.act).where(ActRecord.of == lot.log_of)))
        assert {"lot.publish", "notice.publish", "lot.plan", "lot.set_scheme", "policy.sign", "drill.return"} <= acts


def test_policies_and_drills_lie_in_the_log_before_publication(world: World) -> None:
    ref = world.lot("READY")
    world.publish(ref)
    world.tick()
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        rows = view.session.execute(
            select(LogEntry.event, log.LogSeat.tick)
            .join(log.LogSeat, log.LogSeat.entry_id == LogEntry.id)
            .where(LogEntry.tender == lot.tender.ref)
        ).all()
        published = [tick for event, tick in rows if event == "published"]
        assert max(tick for event, tick in rows if event in ("policy", "drill")) < min(published)


def test_an_untouched_lot_hears_everything_at_once(world: World) -> None:
    ref = world.lot("DRAFTED", need="", qualification="", contact="", place="")
    found = refused(world, ref)
    assert set(found) == {"need", "qualification", "contact", "place", "deadline", "scheme", "documents", "officers"}


@pytest.mark.rule("T-03")
@pytest.mark.parametrize("regime", ["GP", "WORKS"])
def test_too_short_a_time_names_the_rule_and_the_earliest_day(world: World, regime: str) -> None:
    ref = world.lot("DRAFTED", regime)
    world.prepare(ref, deadline=DEADLINE - timedelta(days=4))  # 18 days
    fault = refused(world, ref)["bid_deadline"]
    assert (fault["code"], fault["rule"], fault["earliest"]) == ("timetable.too_early", "T-03", "2026-03-22")


@pytest.mark.rule("N-08")
def test_exactly_twenty_days_warns(world: World) -> None:
    ref = world.lot("DRAFTED")
    world.prepare(ref, deadline=DEADLINE - timedelta(days=2))  # Sunday 22 March
    done = world.publish(ref)
    assert {(one.rule, one.code) for one in done.warnings} >= {
        ("T-03", "timetable.exactly_minimum"),
        ("N-08.rest", "timetable.rest_day"),
    }


@pytest.mark.rule("A-06", "M1.7", "D-01")
def test_many_breaches_come_together(world: World) -> None:
    """Deadline too near, opening not at the deadline, intention too late, deposit over its cap."""
    ref = world.lot("DRAFTED", deposit=yuan("60000.01"))
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        tenders.plan(work, lot, deadline=DEADLINE - timedelta(days=10), opens_at=DEADLINE)
        lot.project.intent_at = (world.now - timedelta(days=29)).date()
    found = refused(world, ref)
    assert {found[name]["rule"] for name in ("bid_deadline", "opening", "notice_published", "deposit")} >= {
        "T-03",
        "A-06",
        "D-01",
    }
    assert found["deposit"]["cap"] == "60000.00"


@pytest.mark.rule("T-04c", "T-01b")
def test_an_inquiry_is_public_for_three_working_days_and_answered_no_sooner(world: World) -> None:
    ref = world.lot("DRAFTED", "M5")
    with world.work("agent") as work:
        soon = world.now.replace(second=0, microsecond=0) + timedelta(days=2)
        tenders.plan(work, world.lot_in(work, ref), deadline=soon)
    fault = refused(world, ref)["bid_deadline"]
    assert (fault["code"], fault["rule"], fault["earliest"]) == ("timetable.too_early", "T-04c", "2026-03-05")
    until = world.publish(world.lot("READY", "M5")).notice.until
    assert until is not None and until.isoformat() == "2026-03-05T16:00:00+00:00"


@pytest.mark.rule("M7.7", "D-02")
def test_works_open_at_the_deadline_and_their_deposit_has_a_ceiling(world: World) -> None:
    project = world.project(regime="WORKS", budget=yuan("60000000"))
    large = {"budget": yuan("50000000"), "ceiling": yuan("50000000"), "deposit": yuan("800000.01")}
    with world.work("agent") as work:
        lots = [world.lot_fields("WORKS") | large]
        made = tenders.draft_tender(work, projects.project(work.session, project), title="一标段", lots=lots)
        tenders.plan(work, made.lots[0], deadline=DEADLINE, opens_at=DEADLINE + timedelta(hours=1))
        ref = made.lots[0].ref
    found = refused(world, ref)
    assert found["opening"]["rule"] == "M7.7"
    assert (found["deposit"]["rule"], found["deposit"]["cap"]) == ("D-02.works_construction", "800000.00")


@pytest.mark.parametrize(
    ("budget", "kind", "regime", "cap", "rule"),
    [
        ("333333.33", "", "GP", "6666.66", "D-01"),
        ("30000000", "CONSTRUCTION", "WORKS", "600000.00", "D-01"),
        ("50000000", "CONSTRUCTION", "WORKS", "800000.00", "D-02.works_construction"),
        ("8000000", "WORK_SERVICES", "WORKS", "100000.00", "D-02.survey_design"),
    ],
)
def test_deposit_caps_of_the_rulebook(world: World, budget: str, kind: str, regime: str, cap: str, rule: str) -> None:
    """The four cap examples of rulebook §4.1."""
    ref = world.project(regime=regime, kind=kind, budget=yuan("60000000"))
    with world.view("clerk") as view:
        book = rulebook.select(regime, view.now.date())
        found, by = planning.deposit_cap(projects.project(view.session, ref), yuan(budget), book)
    assert (found.text(), by) == (cap, rule)


@pytest.mark.parametrize("missing", ["officer3", "officer5"])
def test_a_missing_drill_or_signature_is_named(world: World, missing: str) -> None:
    ref = world.lot("DRAFTED")
    others = tuple(
        username for username in ("officer1", "officer2", "officer3", "officer4", "officer5") if username != missing
    )
    blob = world.office.blobs.put([b"%PDF-1.7\n"])
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        tenders.plan(work, lot, deadline=DEADLINE)
        tenders.set_scheme(work, lot, SCHEMES["GP"])
        documents.add(work, lot, name="a.pdf", blob=blob)
    world.name_officers(ref)
    world.offer_keys(ref)
    with world.work("agent") as work:
        policies.draft_policies(work, world.lot_in(work, ref))
    world.sign_policies(ref, only=others)
    assert {fault["code"] for fault in refused(world, ref).values()} == {"policy.not_signed"}
    world.sign_policies(ref, only=(missing,))
    world.open_drills(ref, only=others)
    found = refused(world, ref)
    assert found["drill.bid"]["officers"] == [int(missing[-1])] and found["policy"]["code"] == "policy.not_in_log_yet"
    world.open_drills(ref, only=(missing,))
    assert set(refused(world, ref)) == {"policy"}
    world.tick()
    world.publish(ref)


def test_dates_moved_after_signing_must_be_signed_again(world: World) -> None:
    ref = world.lot("READY")
    with world.work("agent") as work:
        tenders.plan(work, world.lot_in(work, ref), deadline=DEADLINE + timedelta(days=1))
    assert {fault["code"] for fault in refused(world, ref).values()} == {"policy.other_timetable"}
    with world.work("agent") as work:
        assert len(policies.draft_policies(work, world.lot_in(work, ref))) == 2
    world.sign_policies(ref)
    world.open_drills(ref)
    world.tick()
    world.publish(ref)


@pytest.mark.rule("C-02")
def test_money_of_lots(world: World) -> None:
    with pytest.raises(Invalid) as refusal:
        world.lot("DRAFTED", ceiling=yuan("3000000.01"))
    assert [(fault.where, fault.code) for fault in refusal.value.faults] == [
        ("lots.0.ceiling", "lot.ceiling_over_budget")
    ]
    with pytest.raises(Invalid) as refusal:
        world.lot("DRAFTED", budget=yuan("3000000.01"))
    assert [fault.code for fault in refusal.value.faults] == ["tender.over_budget"]


def test_only_procurement_keeps_the_ceiling_within_the_budget(world: World) -> None:
    """C-02 is a rule of procurement; a works ceiling is what the bill of quantities comes to."""
    ref = world.lot("BIDDING", "WORKS", ceiling=yuan("3000000.01"))
    with world.view("agent") as view:
        lot = world.lot_in(view, ref)
        assert lot.ceiling > lot.budget and lot.state == "BIDDING"


def test_two_lots_share_the_budget(world: World) -> None:
    project = world.project()
    half = {"budget": yuan("1500000"), "ceiling": yuan("1500000"), "deposit": yuan("0")}
    with world.work("agent") as work:
        made = tenders.draft_tender(
            work,
            projects.project(work.session, project),
            title="两包",
            lots=[world.lot_fields() | half, world.lot_fields() | half],
        )
        refs = [lot.ref for lot in made.lots]
        assert refs == [f"{made.ref}-1", f"{made.ref}-2"] and [lot.log_of for lot in made.lots] == [
            f"{made.ref}/1",
            f"{made.ref}/2",
        ]
    with pytest.raises(Invalid, match="form.faults") as refusal:
        edit(world, refs[0], budget=yuan("1500000.01"))
    assert refusal.value.faults[0].code == "tender.over_budget"
    with pytest.raises(Conflict, match="tender.exists"), world.work("agent") as work:
        tenders.draft_tender(work, projects.project(work.session, project), title="又一次", lots=[world.lot_fields()])


def test_every_fault_of_a_draft_at_once(world: World) -> None:
    project = world.project()
    bad = {
        "title": " ",
        "budget": yuan("0"),
        "ceiling": yuan("1"),
        "deposit": Money(-1),
        "window_minutes": 0,
        "coefficients": ["0.95", "0.95", "x"],
        "form": [{"key": "Price", "type": "money"}],
    }
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        tenders.draft_tender(work, projects.project(work.session, project), title="", lots=[bad])
    where = {fault.where for fault in refusal.value.faults}
    assert {
        "title",
        "lots.0.title",
        "lots.0.budget",
        "lots.0.ceiling",
        "lots.0.deposit",
        "lots.0.window_minutes",
        "lots.0.coefficients",
        "lots.0.coefficients.2",
        "lots.0.form.0",
    } <= where


def test_a_plan_is_whole_minutes_in_order(world: World) -> None:
    ref = world.lot("DRAFTED")
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        tenders.plan(
            work,
            world.lot_in(work, ref),
            deadline=DEADLINE.replace(second=1),
            opens_at=DEADLINE,
            issue_at=DEADLINE + timedelta(1),
            clarify_until=DEADLINE + timedelta(1),
        )
    assert {fault.where for fault in refusal.value.faults} == {"deadline", "opens_at", "issue_at", "clarify_until"}


def test_only_its_own_people_prepare_a_lot(world: World) -> None:
    ref = world.lot("READY")
    for act in (
        lambda w, lot: tenders.edit_lot(w, lot, title="x"),
        lambda w, lot: tenders.set_scheme(w, lot, {}),
        lambda w, lot: tenders.plan(w, lot, deadline=DEADLINE),
        lambda w, lot: publication.publish(w, lot),
    ):
        with pytest.raises(NotAllowed, match="project.not_yours"), world.work("agent2") as work:
            act(work, world.lot_in(work, ref))
        with pytest.raises(NotAllowed, match="access.role"), world.work("clerk") as work:
            act(work, world.lot_in(work, ref))


def test_documents_are_issued_by_the_clock_at_their_moment(world: World) -> None:
    ref = world.lot("DRAFTED")
    world.prepare(ref, deadline=DEADLINE + timedelta(days=2))
    with world.work("agent") as work:
        tomorrow = world.now.replace(second=0) + timedelta(days=1)
        tenders.plan(work, world.lot_in(work, ref), deadline=DEADLINE + timedelta(days=2), issue_at=tomorrow)
    world.publish(ref)
    with pytest.raises(TooEarly, match="lot.not_issued"):
        world.issue(ref)
    world.clock.advance(days=1)
    with pytest.raises(NotAllowed), world.work("agent") as work:
        publication.issue(work, world.lot_in(work, ref))
    world.issue(ref)
    with world.view("clerk") as view:
        assert world.lot_in(view, ref).state == "BIDDING"


def test_an_extension_moves_when_every_officer_has_signed(world: World) -> None:
    ref = world.lot("BIDDING")
    later = DEADLINE + timedelta(days=3)
    with world.view("clerk") as view:
        before = officers.current_policy(view.session, world.lot_in(view, ref)).policy_id
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=later, reason="补充澄清")
    world.sign_policies(ref, only=("officer1", "officer2", "officer3", "officer4"))
    with world.view("clerk") as view:
        assert world.lot_in(view, ref).deadline == DEADLINE
    world.sign_policies(ref, only=("officer5",))
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        now = officers.current_policy(view.session, lot)
        assert (lot.deadline, lot.opens_at, now.supersedes) == (later, later, before)
        assert [policy_id(one) for one in officers.policy_chain(view.session, lot)] == [before, now.policy_id]
        assert notices.latest(view.session, lot, "correction").body["policy"] == now.policy_id


def test_an_extension_says_why_moves_the_draws_too_and_asks_for_no_drill(world: World) -> None:
    ref = world.lot("BIDDING")
    later = DEADLINE + timedelta(days=3)
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=later, reason=" ")
    assert [(fault.where, fault.code) for fault in refusal.value.faults] == [("reason", "form.required")]
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=DEADLINE + timedelta(days=2), reason="先这样")
    with world.work("agent") as work:
        drafts = publication.extend(work, world.lot_in(work, ref), deadline=later, reason="第3号澄清")
        assert [row.envelope for row in drafts] == officers.envelopes(world.lot_in(work, ref))
    with world.view("clerk") as view:
        changes = officers.changes_of(view.session, world.lot_in(view, ref))
        assert [(row.state, row.reason) for row in changes] == [("VOID", "先这样"), ("OPEN", "第3号澄清")]
        assert not any(done for _, done in policies.signing_of(view.session, world.lot_in(view, ref)))
    world.sign_policies(ref)
    with world.view("officer1") as view:
        lot = world.lot_in(view, ref)
        assert notices.latest(view.session, lot, "correction").text == "第3号澄清"
        for envelope in officers.envelopes(lot):
            policy = officers.current_policy(view.session, lot, envelope)
            assert (policy.deadline, policy.opens_at) == officers.moments_of(envelope, later, later)
        assert policies.drills_to_open(view) == [] and officers.open_change(view.session, lot) is None


def test_the_policy_of_a_draw_moves_after_that_of_the_bids(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=DEADLINE + timedelta(days=3), reason="补充澄清")
    for username in ("officer1", "officer2", "officer3", "officer4"):
        world.sign_policies(ref, only=(username,))
    with pytest.raises(WrongStep, match="policy.bids_first"), world.work("officer5") as work:
        lot = world.lot_in(work, ref)
        draw = next(row for row in policies.policies_to_sign(work) if row.envelope != officers.BID)
        policies.sign_policy(work, lot, world.policy_signature("officer5", officers.policy_document(draw)))


def test_an_extension_too_late_to_reach_the_log_is_refused(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=DEADLINE + timedelta(days=3), reason="补充澄清")
    world.sign_policies(ref, only=("officer1", "officer2", "officer3", "officer4"))
    world.clock.set(DEADLINE - timedelta(seconds=60))
    with pytest.raises(TooLate, match="policy.extension_late"):
        world.sign_policies(ref, only=("officer5",))
    world.clock.set(DEADLINE)
    with pytest.raises(TooLate, match="lot.deadline_past"), world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=DEADLINE + timedelta(days=3), reason="补充澄清")


def test_a_deadline_never_moves_nearer(world: World) -> None:
    ref = world.lot("BIDDING")
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=DEADLINE - timedelta(days=1), reason="补充澄清")
    assert [fault.code for fault in refusal.value.faults] == ["lot.not_later"]


@pytest.mark.rule("B-03", "9.2.failure")
def test_termination_needs_the_purchaser_and_a_reason(world: World) -> None:
    ref = world.lot("BIDDING")
    with pytest.raises(NotAllowed), world.work("agent") as work:
        publication.terminate(work, world.lot_in(work, ref), reason="预算取消")
    with pytest.raises(Invalid, match="form.required"), world.work("buyer") as work:
        publication.terminate(work, world.lot_in(work, ref), reason=" ")
    with world.work("buyer") as work:
        notice = publication.terminate(work, world.lot_in(work, ref), reason="预算取消")
        assert notice is not None and notice.kind == "termination"
        assert world.lot_in(work, ref).state == "TERMINATED"


@pytest.mark.rule("B-02")
def test_failing_has_a_ground_a_notice_and_a_next_round(world: World) -> None:
    ref = world.lot("BIDDING")
    with pytest.raises(WrongStep), world.work("clock") as work:
        publication.fail(work, world.lot_in(work, ref), ground="few_bidders")
    world.clock.set(DEADLINE)
    with world.work("clock") as work:
        LOT_FLOW.take(work, world.lot_in(work, ref), "close")
    with pytest.raises(Invalid, match="lot.ground"), world.work("clock") as work:
        publication.fail(work, world.lot_in(work, ref), ground="bad_weather")
    with world.work("clock") as work:
        notice = publication.fail(
            work, world.lot_in(work, ref), ground="few_bidders", reason="递交投标文件的投标人不足三家"
        )
        assert (notice.kind, notice.body["ground"]) == ("failure", "few_bidders")
    with world.work("agent") as work:
        again = tenders.retender(work, world.lot_in(work, ref))
        assert (again.no, again.round, again.state, again.deadline) == (2, 2, "ACCEPTED", None)
        assert again.predecessor_id == world.lot_in(work, ref).id
    with pytest.raises(Conflict, match="lot.retendered"), world.work("agent") as work:
        tenders.retender(work, world.lot_in(work, ref))


def test_unknown_references(world: World) -> None:
    with world.view("clerk") as view:
        for find in (tenders.lot, tenders.tender, projects.project):
            with pytest.raises(NotFound):
                find(view.session, "KP-2026-000000-9")


def test_a_lot_is_named_with_its_tender() -> None:
    assert tenders.full_name("第二小学图书采购", "第一包") == "第二小学图书采购 第一包"
    assert tenders.full_name("第二小学图书采购", "第二小学图书采购") == "第二小学图书采购"
    assert tenders.full_name("图书采购", "图书采购 B 包") == "图书采购 B 包"
