"""Names of districts: the name in force now; what is no known code stands as it was typed."""

from __future__ import annotations

import pytest

from web.words.regions import divisions, near, read_region, region_choices, region_label, region_name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("130205", "开平区"),  # with the year it began
        ("110101", "东城区"),
        ("130200", "唐山市"),
        ("500101", "万州区"),  # renamed: the later name
        ("320586", "320586"),  # no longer in force
        ("999999", "999999"),
        ("春晓区", "春晓区"),
        ("", ""),
        ("13020", "13020"),
        ("１３０２０５", "１３０２０５"),
    ],
)
def test_a_code_becomes_the_name_in_force(code: str, name: str) -> None:
    assert region_name(code) == name


def test_a_filter_offers_codes_in_the_order_of_their_names() -> None:
    assert region_choices(["999999", "130205", "110101"]) == [
        ("999999", "999999"),
        ("110101", "东城区"),
        ("130205", "开平区"),
    ]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("130205", "130205"),
        ("130205 河北省唐山市开平区", "130205"),
        ("开平区", "130205"),
        ("唐山市 · 开平区", "130205"),
        ("河北省", "130000"),
        ("朝阳区", None),
        ("北京市朝阳区", "110105"),
        ("春晓区", None),
        ("999999", None),
        ("1302055", None),
        ("", None),
        ("区", None),
    ],
)
def test_what_was_typed_or_chosen_is_read_back_to_one_division(typed: str, code: str | None) -> None:
    assert read_region(typed) == code


def test_the_list_begins_with_the_own_district_and_what_it_lies_in() -> None:
    assert near("130205")[:3] == [("130205", "河北省唐山市开平区"), ("130200", "河北省唐山市"), ("130000", "河北省")]
    assert near("130205")[3][0].startswith("1302") and all(code.startswith("13") for code, _name in near("130205"))
    assert near("") == [] and near("999999") == []
    assert region_label("130205") == "130205 河北省唐山市开平区" and region_label("春晓区") == "春晓区"
    assert len(divisions()) > 3000 and not {name for _code, name in divisions()} & {"市辖区", "县"}
