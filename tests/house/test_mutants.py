"""Mutation testing is declared in one place and judged in another, and both speak of what is there; the run itself is `make mutants`."""

from __future__ import annotations

import pytest

from tests.house.test_documents import functions
from tests.house.tree import files, text
from tests.kit.mutants import JUDGED, PARTS, BadDocument, Judgement, Mutant, chosen, compared, judgements

MODULES = {module: tests for part in PARTS.values() for module, tests in part.items()}


def test_the_table_names_modules_and_tests_that_exist() -> None:
    named = [one.partition("::") for tests in MODULES.values() for one in tests]
    assert sorted({*MODULES, *(file for file, _, _ in named)} - set(files())) == []
    assert [f"{file}::{test}" for file, _, test in named if test and test not in functions(file)] == []
    assert sum(map(len, PARTS.values())) == len(MODULES), "a module stands in two parts"
    assert [module for module, tests in MODULES.items() if not tests] == []


def test_what_is_judged_is_declared_and_the_line_is_there() -> None:
    found = judgements(text(JUDGED))
    assert sorted({one.mutant.module for one in found} - set(MODULES)) == []
    lines = {module: {line.strip() for line in text(module).splitlines()} for module in MODULES}
    whole = {module: " ".join(line.strip() for line in text(module).splitlines()) for module in MODULES}
    assert [
        one.mutant
        for one in found
        if one.mutant.old not in lines[one.mutant.module] and one.mutant.old not in whole[one.mutant.module]
    ] == []


def test_ci_does_not_wait_for_it() -> None:
    assert "mutants" not in [
        word for line in text("Makefile").splitlines() if line.startswith("ci") for word in line.split()
    ]
    assert "kit.mutants $(NAMES)" in text("Makefile")


DOCUMENT = """# Title

Words before the first module.

## `a/b.py`

**Equivalent:** the limit is
never met.

```diff
@@ f @@
- if a < b:
+ if a <= b:
- return a
+ return b
@@ C.g @@
- pass
+ break
```

## Left out

Words again.
"""


def test_a_judgement_stands_before_the_changes_it_is_about() -> None:
    why = "the limit is never met."
    assert judgements(DOCUMENT) == [
        Judgement(Mutant("a/b.py", "f", "if a < b:", "if a <= b:"), why),
        Judgement(Mutant("a/b.py", "f", "return a", "return b"), why),
        Judgement(Mutant("a/b.py", "C.g", "pass", "break"), why),
    ]


@pytest.mark.parametrize("wrong", [
    DOCUMENT.replace("**Equivalent:**", "Equivalent:"),
    DOCUMENT.replace("**Equivalent:** the limit is\nnever met.\n", ""),
    DOCUMENT.replace("## `a/b.py`\n", ""),
    DOCUMENT.replace("@@ f @@\n", ""),
    DOCUMENT.replace("+ return b\n", ""),
    DOCUMENT.replace("## Left out", "**Equivalent:** nothing follows."),
])  # fmt: skip
def test_a_document_out_of_form_is_refused(wrong: str) -> None:
    assert wrong != DOCUMENT
    with pytest.raises(BadDocument):
        judgements(wrong)


def test_a_survivor_that_nobody_judged_and_a_judgement_without_survivor_are_told() -> None:
    one, two, three = (Mutant("a/b.py", "f", "old", new) for new in ("1", "2", "3"))
    assert compared([one, two, two], [two, three]) == ([one, two], [three])
    assert compared([one, one], [one, one]) == ([], [])


def test_a_part_or_a_module_can_be_chosen() -> None:
    part = next(iter(PARTS))
    module = next(iter(MODULES))
    assert chosen([]) == MODULES
    assert chosen([part]) == PARTS[part]
    assert chosen([module]) == {module: MODULES[module]}
    with pytest.raises(SystemExit, match="neither one of the parts"):
        chosen(["nothing"])
