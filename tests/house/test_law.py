"""web/reference_law.toml knows every rule that code, rulebook and tests name, and says nothing of itself that is not so."""

from __future__ import annotations

import tomllib

import pytest

from tests.house.tree import files, text
from trading.rulebook import REGIMES, all_rules
from web import reference_law
from web.reference_law import ABSENT, ONLY

TABLE = tomllib.loads(text("web/reference_law.toml"))
LAWS = {law.id: law for chapter in reference_law.chapters() for law in chapter.laws}


def test_every_rule_has_its_basis_and_its_words_and_stands_once() -> None:
    ids = [rule for chapter in TABLE["chapter"] for rule in chapter["rules"]]
    assert len(ids) > 250 and len(set(ids)) == len(ids)
    assert [law.id for law in LAWS.values() if not (law.basis and law.en and law.zh)] == []


def test_every_rule_that_code_names_is_known() -> None:
    assert len(reference_law.named()) > 100, "the files have moved, and nothing is found"
    assert sorted(set(reference_law.named()) - set(LAWS)) == []


def test_every_row_of_the_rulebook_belongs_to_a_rule() -> None:
    named = {row.id for regime in REGIMES for row in all_rules(regime)}
    assert sorted(row for row in named if not any(row == rule or row.startswith(f"{rule}.") for rule in LAWS)) == []


def test_every_marked_rule_is_known_and_lives() -> None:
    """A test that plays a rule on a lot, and a page that says no lot feels it, do not go together."""
    assert len(reference_law.marked()) > 0
    assert sorted(set(reference_law.marked()) - set(LAWS)) == []
    assert [rule for rule in reference_law.marked() if LAWS[rule].state in (ONLY, ABSENT)] == []


@pytest.mark.parametrize("kind", ["where", "missing", "only"])
def test_remarks_are_about_rules_there_are(kind: str) -> None:
    assert sorted(set(TABLE[kind]) - set(LAWS)) == []
    assert [rule for rule, said in TABLE[kind].items() if not said] == []


def test_files_are_named_where_the_rule_is_not_named_in_them() -> None:
    """What can be found is not written down: the list would grow stale beside the code."""
    gone = [(rule, name) for rule, names in TABLE["where"].items() for name in names if name not in files()]
    double = [
        (rule, name)
        for rule, names in TABLE["where"].items()
        for name in names
        if name in reference_law.named().get(rule, ())
    ]
    assert gone == [] and double == []


def test_a_remark_says_one_thing() -> None:
    assert sorted(set(TABLE["missing"]) & set(TABLE["only"])) == []
