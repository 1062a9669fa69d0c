"""Names of districts: the name in force now; what is no known code stands as it was typed."""

from __future__ import annotations

import pytest

from web.regions import region_choices, region_name


@pytest.mark.parametrize(("code", "name"), [
    ("130205", "开平区"),  # with the year it began
    ("110101", "东城区"),
    ("130200", "唐山市"),
    ("500101", "万州区"),  # renamed: the later name
    ("320586", "320586"),  # no longer in force
    ("999999", "999999"), ("春晓区", "春晓区"), ("", ""), ("13020", "13020"), ("１３０２０５", "１３０２０５"),
])
def test_a_code_becomes_the_name_in_force(code: str, name: str) -> None:
    assert region_name(code) == name


def test_a_filter_offers_codes_in_the_order_of_their_names() -> None:
    assert region_choices(["999999", "130205", "110101"]) == [("999999", "999999"), ("110101", "东城区"), ("130205", "开平区")]
