"""The declarations of procedures: their paths lie in the one table of steps, their references in the rulebook, their notices say it all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from sqlalchemy import select

from evaluation.methods.panel_rules import minimum_members
from tests.kit import stages
from tests.kit.world import World
from trading import procedures, timeline
from trading.kernel.access import ROLES, Actor, Role
from trading.kernel.errors import WrongStep
from trading.procedures import PROCEDURES, Procedure, fields
from trading.procedures.procedure import rule_refs
from trading.remedies import disputes
from trading.rulebook import Rulebook
from trading.rulebook import select as rules_of
from trading.tendering import notices
from trading.tendering.notices import Notice
from trading.tendering.tenders import LOT_FLOW
from trading.views.public_stages import _LIMITS

TODAY = dt.date(2026, 3, 2)
every = pytest.mark.parametrize("law", PROCEDURES, ids=lambda law: law.id)


@dataclass
class Thing:
    method: str
    state: str
    version: int = 0
    log_of: str = "KP-2026-000001/1"


def book_of(law: Procedure) -> Rulebook:
    return rules_of(law.regime, TODAY)


@every
def test_every_pair_not_in_the_table_is_refused(law: Procedure) -> None:
    """The table of a procedure is the common one, less what is not on its way."""
    taken = 0
    for step in LOT_FLOW.steps:
        origins = [state for state in step.origins if law.path.allows(state, step.name)]
        for state in LOT_FLOW.states:
            thing = Thing(law.id, state)
            if state in origins:
                taken += 1
                assert LOT_FLOW.check(thing, step.name) is step
            else:
                with pytest.raises(WrongStep) as refusal:
                    LOT_FLOW.check(thing, step.name)
                assert refusal.value.facts["from_states"] == origins and thing == Thing(law.id, state)
            for role in Role:
                shown = step in LOT_FLOW.open_to(Actor(role), thing)
                assert shown == (state in origins and step.needs in ROLES[role])
    assert taken > len(law.path.steps)


@every
def test_a_path_lies_in_the_table_and_all_of_it_can_be_walked(law: Procedure) -> None:
    path = law.path
    assert set(path.states) <= set(LOT_FLOW.states) and set(path.steps) <= {step.name for step in LOT_FLOW.steps}
    assert len(set(path.steps)) == len(path.steps) and len(set(path.states)) == len(path.states)
    for state, name in path.never:
        assert state in LOT_FLOW.step(name).origins and state in path.states and name in path.steps
    reached: set[str] = set()
    walked: set[str] = set()
    found = {LOT_FLOW.start}
    while found:
        state = found.pop()
        reached.add(state)
        for step in LOT_FLOW.steps:
            if state in step.origins and path.allows(state, step.name):
                walked.add(step.name)
                found |= {step.target} - reached
    assert reached == set(path.states) and walked == set(path.steps)


def test_no_step_of_the_table_is_without_a_procedure() -> None:
    assert {step.name for step in LOT_FLOW.steps} == {name for law in PROCEDURES for name in law.path.steps}
    assert set(LOT_FLOW.states) == {state for law in PROCEDURES for state in law.path.states}


@every
def test_each_reference_names_a_row_that_speaks_of_the_procedure(law: Procedure) -> None:
    book, found = book_of(law), dict(rule_refs(law))
    assert {"minimum.at_deadline", "remedies.answer", "contract.sign", "panel.members"} <= set(found)
    for where, name in rule_refs(law):
        row = book.find(name)
        assert row is not None and row.applies(method=law.id), (where, name)


@every
def test_a_declaration_holds_no_number(law: Procedure) -> None:
    def numbers(thing: object) -> list[object]:
        if isinstance(thing, tuple):
            return [one for part in thing for one in numbers(part)]
        if hasattr(thing, "__dataclass_fields__"):
            return [one for name in thing.__dataclass_fields__ for one in numbers(getattr(thing, name))]
        return [] if thing is None or isinstance(thing, (str, bool)) else [thing]

    assert numbers(law) == []


@every
def test_steps_reviews_and_stages_fit_the_path(law: Procedure) -> None:
    assert law.minimum.fails_by in law.path.steps
    assert [one.begins_by in law.path.steps for one in law.reviews] and "OPENING" in LOT_FLOW.step(
        law.after_opening
    ).origins
    assert set(law.remedies.stops) | set(law.remedies.upheld_stops) <= set(law.path.steps)
    assert (law.award.publicity is None) == ("publicise" not in law.path.steps)
    states = [state for stage in law.public_stages for state in stage.states]
    assert len(set(states)) == len(states) and set(states) == set(law.path.states) - {
        "ACCEPTED",
        "FILING",
        "CLOSING",
        "ARCHIVED",
        "FAILED",
        "TERMINATED",
    }
    assert {stage.code for stage in law.public_stages} <= set(_LIMITS)
    assert {one.kind for one in law.notices} <= set(notices.KINDS) and law.remedies.kind in disputes.KINDS
    assert tuple(one.stage for one in law.remedies.windows) == disputes.STAGES
    book = book_of(law)
    for refund in law.money.refunds:
        assert book.about("deposit_refunded", anchor=refund.event), refund


def test_methods_are_found_by_id_and_by_regime() -> None:
    assert [procedures.procedure(one.id) for one in PROCEDURES] == list(PROCEDURES)
    assert procedures.find("M99") is None and procedures.of_regime("none") == ()
    assert all(one in procedures.of_regime(one.regime) for one in PROCEDURES)
    with pytest.raises(KeyError):
        procedures.procedure("M99")


@every
def test_the_least_number_comes_from_the_rulebook(law: Procedure) -> None:
    book = book_of(law)
    assert law.minimum.bidders(book) == 3
    stricter = [replace(row, value="4") if row.id == law.minimum.at_deadline else row for row in book.rules]
    assert law.minimum.bidders(Rulebook(law.regime, TODAY, stricter)) == 4


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("budget", ["1", "9999999.99", "10000000", "50000000"])
def test_the_least_panel_is_that_of_the_vectors(budget: str, large: bool) -> None:
    called = {"P-02": "gp_tender", "P-03": "inquiry", "P-01": "works_tender"}
    for law in PROCEDURES:
        over = Fraction(budget) >= book_of(law).rule("R-07").number if law.panel.members == "P-03" else False
        wanted = minimum_members(
            called[law.panel.members],
            Fraction(budget),
            at_or_over_open_tender_threshold=over,
            technically_complex=large,
        )
        assert law.panel.least(book_of(law), Fraction(budget), complex=large) == wanted
        assert law.panel.least(book_of(law), Fraction(budget), large_impact=large) == wanted


@pytest.mark.parametrize(
    "law", [one for one in PROCEDURES if one.invitation is None or one.invitation.pool is None], ids=lambda law: law.id
)  # who is drawn is known to nobody before: tests/trading/tendering/test_invitations.py plays that
def test_each_notice_of_a_lot_played_through_says_what_is_declared(law: Procedure, world: World) -> None:
    ref = stages.contracted(world, law.id)
    timeline.take_due(world.office)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.state == "CLOSING" and lot.method == law.id
        posted = {row.kind: row for row in view.session.scalars(select(Notice).where(Notice.lot_id == lot.id))}
    for rule in law.notices:
        chosen = (
            {one.name for one in fields.of_notice(rule.kind) if one.only == "ground"} if law.intake.grounds else set()
        )
        assert set(rule.fields) | chosen == set(posted[rule.kind].body), rule.kind
