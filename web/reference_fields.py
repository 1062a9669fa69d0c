"""The reference page of fields: what is written of a lot, and what each kind of notice says."""

from __future__ import annotations

from trading.procedures import fields
from trading.procedures.field import Field
from trading.tendering.notices import KINDS

_NEEDED = {"draft": "as soon as it is drafted", "publication": "for publication", "": ""}
_PROVED = {
    "notice": "the tender notice",
    "policy": "the policy in force",
    "record": "its hash in the record of publication",
    "": "",
}


def make() -> str:
    lines = [
        "# Fields\n",
        "Each field of a lot and each fact of a notice is declared once, in `trading/procedures/fields.py`; form, checks, notice, audit, "
        "bundle, export and pages read the declaration. Before publication a lot is seen by its purchaser and agency, its key holders, the "
        "centre and the supervisory body, whole; afterwards by everybody.\n",
        "## What is written of a lot\n",
        "| field | kind | on the form | needed | taken over from an earlier lot | proved once published by | in a release (OCDS) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_written(one) for one in fields.WRITTEN]
    lines += [_planned(one) for one in fields.FIELDS if one.name in fields.PLANNED and one.of]
    for kind in KINDS:
        lines += [
            f"\n## Notice: {kind.replace('_', ' ')}\n",
            "| fact | kind | shown as | when |",
            "| --- | --- | --- | --- |",
        ]
        lines += [_fact(one) for one in fields.of_notice(kind)]
    return "\n".join(lines) + "\n"


def _written(one: Field) -> str:
    ask = one.ask
    label = f"{ask.label.zh} · {ask.label.en}" if ask else "lists of the bid form"
    copied = "" if ask and not ask.copied else "yes"
    ocds = f"`{one.ocds}`" if one.ocds else ""
    return (
        f"| `{one.name}` | {one.kind} | {label} | {_NEEDED[one.needed]} | {copied} | {_PROVED[one.proved]} | {ocds} |"
    )


def _planned(one: Field) -> str:
    ocds = f"`{one.ocds}`" if one.ocds else ""
    return f"| `{one.name}` | {one.kind} | the timetable | {_NEEDED[one.needed]} |  | {_PROVED[one.proved]} | {ocds} |"


def _fact(one: Field) -> str:
    label = f"{one.label.zh} · {one.label.en}" if one.label else "a table of its own" if one.kind == "table" else ""
    return f"| `{one.name}` | {one.kind} | {label} | {f'with `{one.only}`' if one.only else ''} |"
