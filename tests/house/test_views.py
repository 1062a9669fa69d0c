"""Looking asks for a role, never for a fresh sign-in: a list that did would shut every page it stands on ten minutes after the sign-in."""

from __future__ import annotations

import ast

from tests.house import tree
from trading.kernel.access import WEIGHTY, Act


def test_no_view_requires_an_act_of_weight() -> None:
    wrong = []
    for name in tree.in_packages(suffix=".py"):
        for line, called, call in tree.calls(name):
            if called == "view.require" and call.args:
                act = tree.dotted(call.args[0]).rpartition(".")[2]
                if isinstance(call.args[0], ast.Attribute) and act in Act.__members__ and Act[act] in WEIGHTY:
                    wrong.append(f"{name}:{line} {act}")
    assert wrong == []
