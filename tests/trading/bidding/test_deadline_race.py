"""A few cases of the race at a deadline; ``make race`` plays a thousand a side."""

from __future__ import annotations

import pytest

from tests.kit.deadline_race import MOST, cases, play
from tests.kit.world import World


@pytest.mark.promise("R2")
def test_what_came_before_the_deadline_counts_however_long_it_waited_with_us(world: World) -> None:
    result = play(world, 12)
    assert result.wrong == [] and (result.before, result.after) == (12, 12)


def test_the_cases_are_what_the_promise_names() -> None:
    found = cases(1000, 1)
    assert sum(case.came < 0 for case in found) == 1000 and all(
        0 <= case.commits - case.came <= MOST + 1e-9 for case in found
    )
    assert max(case.commits for case in found if case.came < 0) > 25 and any(case.came == 0 for case in found)
