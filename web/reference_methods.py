"""The reference page of evaluation methods: a table of parameters for each, from its schema."""

from __future__ import annotations

from evaluation.methods.declared import BY_POINTS, CHOICE, DRAW, SHARE, TICK, WORDS, EvaluationMethod, Parameter
from evaluation.methods.registry import METHODS_OF_LOTS
from trading.procedures import PROCEDURES


def make() -> str:
    lines = [
        "# Evaluation methods\n",
        "One declaration a method (`evaluation/methods/`): parameters, outcome, lines. The agency's form, the check of a scheme and this "
        "page come from its schema; [scoring](../scoring.md) has the formulas. Where a price ranks, a scheme holds no criteria, members "
        "give no points and hand in no sheets; the panel's findings and the announced prices are all that counts.\n",
    ]
    for method in METHODS_OF_LOTS:
        lines += _section(method)
    return "\n".join(lines)


def _section(method: EvaluationMethod) -> list[str]:
    by_price = f"{method.price_name.en.lower()} ({method.price_name.zh})"
    ranked = "total points" if method.ranks_by == BY_POINTS else by_price
    laws = ", ".join(law.id for law in PROCEDURES if method.id in law.evaluation)
    lines = [
        f"## {method.id} · {method.name.zh} · {method.name.en}\n",
        f"{method.note.en}\n",
        f"For procedures: {laws}. Ranks by: {ranked}. Rules: {', '.join(method.rules)}. Its prices anew: `bidhall recompute`, method "
        f"`{method.recompute}`.\n",
        "| parameter | 中文 | English | kind | rule | in the form |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in method.parameters:
        asked = ("needed" if one.needed else "yes") if one.form else ""
        lines.append(f"| `{one.key}` | {one.label.zh} | {one.label.en} | {_kind(one)} | {one.rule} | {asked} |")
    return [*lines, ""]


def _kind(one: Parameter) -> str:
    if one.kind == CHOICE:
        return "one of " + ", ".join(f"`{value}`" for value, _words in one.choices)
    named = {
        SHARE: "share of 1, typed in percent",
        DRAW: "drawn in public, or not",
        TICK: "true or absent",
        WORDS: "text, lines",
    }.get(one.kind, one.kind)
    limits = [f"{name} {limit}" for name, limit in (("least", one.least), ("most", one.most)) if limit is not None]
    return "; ".join([named, *limits]) if one.kind != SHARE else named
