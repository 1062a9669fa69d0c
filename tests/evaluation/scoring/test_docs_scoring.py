"""The worked examples of docs/scoring.md are what the program does."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

from web.cli import vectors

PAGE = Path(__file__).parents[3] / "docs" / "scoring.md"


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_the_worked_examples_run() -> None:
    examples = "".join(fences("python"))
    test = doctest.DocTestParser().get_doctest(examples, {}, "scoring.md", str(PAGE), 0)
    said: list[str] = []
    found = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert found.failed == 0, "".join(said)
    assert found.attempted == examples.count(">>> ") > 50


def test_the_recalculation_answers_as_the_page_says() -> None:
    asked, answered = fences("json")
    assert vectors.answers(asked.encode()) == json.loads(answered)
