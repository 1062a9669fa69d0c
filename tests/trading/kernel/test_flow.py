"""Flow tables: every pair that stands in no row is refused, for every flow of the product; buttons and rules agree."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.kit.rows import unchanged
from tests.kit.world import World
from trading.kernel.access import ROLES, Act, Actor, Role
from trading.kernel.errors import Conflict, NotAllowed, WrongStep
from trading.kernel.flow import Flow, Step, check_version, state_check
from trading.opening.ceremony import OPENING_FLOW
from trading.remedies.disputes import OBJECTION_FLOW
from trading.tendering.projects import PROJECT_FLOW
from trading.tendering.tenders import LOT_FLOW

FLOWS = [OPENING_FLOW, OBJECTION_FLOW, PROJECT_FLOW]  # lots: tests/trading/test_procedures.py, once a procedure


@dataclass
class Thing:
    state: str
    version: int = 0
    log_of: str = "KP-2026-000001/1"


@pytest.fixture
def world(engine, tmp_path) -> World:  # type: ignore[no-untyped-def]
    return World(engine, tmp_path)


def holder(act: Act) -> Actor:
    return Actor(next(role for role in Role if act in ROLES[role]), 1, 1)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.noun)
def test_every_pair_not_in_the_table_is_refused(flow: Flow) -> None:
    for step in flow.steps:
        for state in flow.states:
            thing = Thing(state)
            if state in step.origins:
                assert flow.check(thing, step.name) is step
            else:
                with pytest.raises(WrongStep) as refusal:
                    flow.check(thing, step.name)
                assert refusal.value.facts["from_states"] == list(step.origins) and thing == Thing(state)
            for role in Role:
                shown = step in flow.open_to(Actor(role), thing)
                assert shown == (state in step.origins and step.needs in ROLES[role])


@pytest.mark.parametrize("flow", [LOT_FLOW, *FLOWS], ids=lambda flow: flow.noun)
def test_every_state_can_be_reached_and_every_step_has_somebody_to_take_it(flow: Flow) -> None:
    reached = {flow.start}
    while new := {s.target for s in flow.steps if set(s.origins) & reached} - reached:
        reached |= new
    assert reached == set(flow.states)
    assert all(any(step.needs in acts for acts in ROLES.values()) for step in flow.steps)
    assert all(f"'{state}'" in state_check(flow) for state in flow.states)


def test_a_step_needs_its_act_checks_changes_and_records(world: World) -> None:
    flow = Flow("thing", "A", Step("go", "A", "B", Act.PANEL_DRAW), Step("back", ("B", "C"), "A", Act.PANEL_DRAW))
    thing = Thing("A")
    with unchanged(world), pytest.raises(NotAllowed), world.work("agent") as work:
        flow.take(work, thing, "go")
    assert thing == Thing("A")
    with unchanged(world), pytest.raises(WrongStep), world.work("clerk") as work:
        flow.take(work, thing, "back")
    assert thing == Thing("A")
    with world.work("clerk") as work:
        flow.take(work, thing, "go", why="x")
        noted = work.pending[-1]
        assert (thing.state, thing.version, noted.act, noted.facts) == (
            "B",
            1,
            "thing.go",
            {"before": "A", "after": "B", "why": "x"},
        )


def test_a_table_names_a_step_once_and_versions_tell_who_was_first() -> None:
    with pytest.raises(ValueError, match="twice"):
        Flow("x", "A", Step("go", "A", "B", Act.CLOCK), Step("go", "B", "A", Act.CLOCK))
    check_version(Thing("A", 3), 3)
    check_version(Thing("A", 3), None)
    with pytest.raises(Conflict) as refusal:
        check_version(Thing("A", 4), 3)
    assert refusal.value.facts == {"seen": 3, "now": 4}
