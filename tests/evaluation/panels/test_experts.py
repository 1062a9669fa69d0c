"""The library of experts: registration, ties, who must keep away and for how long."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.panels import experts
from tests.kit.evaluation_steps import SPECIALTY, expert_name
from tests.kit.world import World
from trading.kernel.access import Role
from trading.kernel.errors import Conflict, Invalid, NotAllowed
from trading.parties import parties

DAY = date(2026, 3, 25)


def test_a_tie_counts_for_three_years_after_it_ended() -> None:
    assert experts.still_counts(None, DAY)
    assert experts.still_counts(date(2023, 3, 25), DAY)
    assert not experts.still_counts(date(2023, 3, 24), DAY)
    assert experts.years_before(date(2028, 2, 29), 3) == date(2025, 2, 28)


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)), st.integers(0, 6000))
def test_what_counts_goes_on_counting_the_later_it_ended(on: date, back: int) -> None:
    until = date.fromordinal(on.toordinal() - back)
    later = date.fromordinal(until.toordinal() + 1)
    assert not experts.still_counts(until, on) or experts.still_counts(later, on)


def test_the_pool_leaves_out_whoever_must_avoid(world: World) -> None:
    code = "91130205MA00009999"
    with world.work("clerk") as work:
        for number, until in ((1, None), (2, date(2024, 1, 1)), (3, date(2020, 1, 1))):
            one = experts.by_code(work.session, f"E{number:03d}")
            experts.add_tie(
                work,
                one,
                {"code": code, "name": "某公司", "kind": "employed", "since": date(2015, 1, 1), "until": until},
            )
        experts.edit(work, experts.by_code(work.session, "E004"), active=False)
        experts.edit(work, experts.by_code(work.session, "E005"), specialties=["B99"])

    def pool(*codes: str, **how: str) -> list[str]:
        with world.view("clerk") as view:
            return [
                one.code for one in experts.pool(view.session, specialties=[SPECIALTY], codes=set(codes), on=DAY, **how)
            ]

    assert pool(code) == ["E003", *(f"E{number:03d}" for number in range(6, 13))]
    assert pool() == ["E001", "E002", "E003", *(f"E{number:03d}" for number in range(6, 13))]
    assert pool("PERSON007") == [one for one in pool() if one != "E007"]  # the unit an expert's account belongs to
    assert pool(region="1302") == pool() and pool(region="4401") == []
    with world.view("clerk") as view:
        assert experts.avoidances(experts.by_code(view.session, "E001"), {code}, DAY) == [
            experts.Avoidance(code, "employed")
        ]


def test_registration_names_every_fault(world: World) -> None:
    with world.work("clerk") as work, pytest.raises(Invalid) as refusal:
        experts.register(
            work,
            parties.account(work.session, world.people["buyer"]),
            code=" ",
            unit="",
            specialties=[" "],
            ties=[
                {"code": "", "kind": "friend", "since": None},
                {"code": "X", "kind": "owner", "since": date(2020, 1, 2), "until": date(2020, 1, 1)},
            ],
        )
    assert {(fault.where, fault.code) for fault in refusal.value.faults} == {
        ("code", "form.required"),
        ("unit", "form.required"),
        ("specialties", "form.required"),
        ("account", "expert.role_needed"),
        ("ties.0.code", "form.required"),
        ("ties.0.kind", "expert.tie_kind"),
        ("ties.0.since", "form.required"),
        ("ties.1.until", "expert.tie_ends_first"),
    }


def test_only_the_centre_registers_and_nobody_twice(world: World) -> None:
    with world.work("clerk") as work, pytest.raises(Conflict, match="expert.exists"):
        account = parties.account(work.session, world.people[expert_name(1)])
        experts.register(work, account, code="E999", unit="x", specialties=[SPECIALTY])
    with world.work("agent", Role.AGENCY) as work, pytest.raises(NotAllowed):
        experts.edit(work, experts.by_code(work.session, "E001"), active=False)
    with world.work("clerk") as work, pytest.raises(Conflict, match="form.stale"):
        experts.edit(work, experts.by_code(work.session, "E001"), active=False, seen=7)
