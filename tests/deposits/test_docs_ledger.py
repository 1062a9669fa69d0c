"""The worked examples of docs/ledger.md are what the program does, and its table of states is the flow's."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from deposits.refunds.refunds import REFUND_FLOW

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


def test_the_worked_examples_run() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    examples = "\n".join(blocks)
    test = doctest.DocTestParser().get_doctest(examples, {}, "ledger.md", str(PAGE), 0)
    said: list[str] = []
    found = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert found.failed == 0, "".join(said)
    assert found.attempted == examples.count(">>> ") > 30


def test_every_state_of_a_refund_is_explained() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text("utf-8"), flags=re.MULTILINE)) == set(
        REFUND_FLOW.states
    )
