"""Each test is in one tier, which it gets by itself, and `make ci` runs all tiers."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ROOT, files, text
from tests.kit import postgres_choice
from tests.kit.scheduling import group, longest_first, weight
from tests.kit.tiers import SAME_ON_BOTH, TIERS, on_postgres, tier


@pytest.mark.parametrize(("path", "fixtures", "marks", "expected"), [
    ("crypto/test_keys.py", (), (), "pure"),
    ("web/test_words.py", ("tmp_path",), (), "pure"),
    ("walk/test_words.py", (), (), "pure"),
    ("trading/test_bids.py", ("databases", "world"), (), "acts"),
    ("web/desks/test_agency.py", ("databases",), (), "pages"),
    ("journeys/test_seal_journey.py", ("databases", "browser"), (), "journeys"),
    ("journeys/test_names.py", (), (), "journeys"),
    ("js/test_vectors.py", (), ("browser",), "journeys"),
    ("walk/test_homes.py", ("town", "browser"), ("browser",), "town"),
    ("web/test_town.py", ("filled",), (), "town"),
    ("web/test_edge.py", ("databases",), ("long",), "long"),
    ("faults/test_points.py", (), (), "long"),
    ("faults/test_upload_kills.py", ("databases",), ("pg",), "long"),
])  # fmt: skip
def test_a_test_gets_its_tier_from_its_folder_and_what_it_asks_for(
    path: str, fixtures: tuple[str, ...], marks: tuple[str, ...], expected: str
) -> None:
    assert tier(path, fixtures, marks) == expected


@pytest.mark.parametrize(("path", "fixtures", "expected"), [
    ("trading/kernel/test_work.py", ("databases",), True),
    ("trading/test_of_tomorrow.py", ("databases",), True),
    ("trading/test_of_tomorrow.py", (), False),
    ("deposits/test_refunds.py", ("databases",), True),
    ("faults/test_rush_kills.py", ("databases",), True),
    ("web/desks/test_of_tomorrow.py", ("databases",), True),
    ("web/bundles/test_bundle.py", ("databases",), True),
    ("web/bundles/test_verifier_damage.py", ("databases",), False),
    ("web/cli/test_seal.py", ("databases",), False),
    ("journeys/test_seal_journey.py", ("databases", "browser"), False),
])  # fmt: skip
def test_on_postgresql_runs_what_can_differ_there(path: str, fixtures: tuple[str, ...], expected: bool) -> None:
    assert on_postgres(path, fixtures, tier(path, fixtures, ())) is expected


def test_what_is_the_same_on_both_is_there() -> None:
    names = [name.removeprefix("tests/") for name in files() if name.startswith("tests/") and name.endswith(".py")]
    for one in SAME_ON_BOTH:
        assert any(re.match(one, name) for name in names), one
    for kept in ("bundle", "two_envelopes", "co_opening", "officers_replaced", "mirror"):
        assert f"web/bundles/test_{kept}.py" in names


def test_what_is_left_out_on_postgresql_is_there() -> None:
    left = postgres_choice.LEFT_OUT.read_text("utf-8").splitlines()[1:]
    assert left and left == sorted(set(left))
    gone = []
    for line in left:
        file, _, name = line.partition("[")[0].partition("::")
        if not (ROOT / file).is_file() or not re.search(rf"^def {re.escape(name)}\b", text(file), re.M):
            gone.append(line)
    assert not gone, f"`make pg-choice` again, or strike them from {postgres_choice.LEFT_OUT.name}: {gone}"


def test_postgresql_is_chosen_so_that_every_statement_is_sent() -> None:
    told = [
        postgres_choice.Told("tests/a.py::test_all", 9.0, frozenset("abc")),
        postgres_choice.Told("tests/a.py::test_two", 1.0, frozenset("ab")),
        postgres_choice.Told("tests/a.py::test_one", 1.0, frozenset("c")),
        postgres_choice.Told("tests/a.py::test_same", 1.0, frozenset("b")),
        postgres_choice.Told("tests/b.py::test_none_new", 1.0, frozenset("a")),
    ]
    assert postgres_choice.choose(told, []) == {
        "tests/a.py::test_two", "tests/a.py::test_one", "tests/b.py::test_none_new",
    }  # fmt: skip
    assert "tests/a.py::test_all" in postgres_choice.choose(told, ["tests/a.py::test_all"])


def test_tests_in_which_several_do_something_at_once_stay_on_postgresql() -> None:
    assert postgres_choice.is_always("tests/trading/kernel/test_work.py::test_anything")
    assert postgres_choice.is_always("tests/laws/test_shared_commits.py::test_no_page_waits_for_who_hands_in")
    assert not postgres_choice.is_always("tests/web/desks/test_panels.py::test_of_tomorrow")


def test_every_test_of_this_run_has_one_tier(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        assert len({mark.name for mark in item.iter_markers()} & set(TIERS)) == 1, item.nodeid


def _words() -> dict[str, tuple[list[str], str]]:
    """The words of the Makefile: what each needs first, and its recipe."""
    found = {}
    for name, needs, recipe in re.findall(
        r"^([a-z][a-z-]*):([^\n#]*)[^\n]*\n((?:\t[^\n]*\n)*)", text("Makefile"), re.MULTILINE
    ):
        found[name] = (needs.split(), recipe.replace("$(QUICK)", _chosen("ci-steps: ")))
    return found


def _chosen(of: str = "") -> str:
    """The tiers that the word `test` runs, by itself or for another word."""
    found = re.search(rf"^{of}QUICK\s*:= (.*)$", text("Makefile"), re.MULTILINE)
    assert found
    return found[1]


def test_ci_runs_every_tier() -> None:
    words, todo, recipes = _words(), ["ci-steps"], {}
    assert "$(MAKE) --no-print-directory ci-steps" in words["ci"][1]
    while todo:
        name = todo.pop()
        if name in words and name not in recipes:
            recipes[name] = words[name][1]
            todo += words[name][0]
    chosen = {word for recipe in recipes.values() for choice in re.findall(r'-m (?:"([^"$]+)"|(\w+)$)', recipe, re.MULTILINE)
              for word in " ".join(choice).split(" or ")}  # fmt: skip
    chosen = {word.strip() for word in chosen}
    in_town = "tests/web/test_town.py" in "".join(recipes.values())
    assert chosen >= set(TIERS) - {"town"} and in_town, chosen
    assert "pg" in chosen
    assert "walk" in recipes and "BIDHALL_WALK=whole" in recipes["walk"]


def test_the_quick_tiers_are_those_of_the_document() -> None:
    said = text("docs/tests.md")
    assert f"`{_chosen()}`" in said
    for name, what in TIERS.items():
        assert re.search(rf"^\| `{name}` \| {re.escape(what)} \|", said, re.MULTILINE), name


def test_files_stay_together_and_what_takes_long_begins_first() -> None:
    ids = ["tests/crypto/test_a.py::test_1", "tests/web/bundles/test_b.py::test_1", "tests/web/desks/test_c.py::test_1[x]",
           "tests/web/bundles/test_d.py::test_1", "tests/web/desks/test_c.py::test_2", "tests/walk/test_e.py::test_1[en-390]",
           "tests/walk/test_e.py::test_1[zh-1440]", "tests/journeys/test_f.py::test_1", "tests/journeys/test_f.py::test_2"]  # fmt: skip
    first = longest_first(ids)
    assert sorted(first) == sorted(ids) and first[-1] == ids[0] and {*first[:2]} == {*ids[5:7]}
    assert [group(one) for one in ids] == [
        "tests/crypto/test_a.py", "tests/web/bundles/", "tests/web/desks/test_c.py", "tests/web/bundles/", "tests/web/desks/test_c.py",
        "tests/walk/test_e.py en-390", "tests/walk/test_e.py zh-1440", ids[7], ids[8]]  # fmt: skip
    assert longest_first(ids, {ids[0]})[0] != ids[0] != longest_first(ids, {ids[0]})[-1]
    order = [group(one) for one in first]
    assert all(at == 0 or name == order[at - 1] or name not in order[:at] for at, name in enumerate(order))
    assert all(weight(one) > 0 for one in ids)
