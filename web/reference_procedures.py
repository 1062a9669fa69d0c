"""The reference page of procedures: a diagram and a table for each declaration."""

from __future__ import annotations

from collections.abc import Iterable

from trading.procedures import PROCEDURES, Procedure
from trading.rulebook import all_rules
from trading.tendering.tenders import LOT_FLOW


def make() -> str:
    lines = [
        "# Procedures\n",
        "One declaration a method (`trading/procedures/`). Engine, pages and verifier ask it; a number of the law is always that of the "
        "named row of the rulebook in force for the lot. [Steps](steps.md) has the table these paths lie in.\n",
    ]
    for law in PROCEDURES:
        lines += [f"## {law.id} · {law.name.zh} · {law.name.en}\n", f"{law.law.zh} · {law.law.en}. {law.scope.en}.\n"]
        lines += ["```mermaid", "stateDiagram-v2", f"    [*] --> {LOT_FLOW.start}"]
        lines += [
            f"    {state} --> {step.target}: {step.name}"
            for step in LOT_FLOW.steps
            for state in step.origins
            if law.path.allows(state, step.name)
        ]
        lines += ["```", "", "| what | how | rules |", "| --- | --- | --- |"]
        lines += [f"| {what} | {how} | {rules} |" for what, how, rules in _rows(law)]
        lines += [""]
    return "\n".join(lines)


def _rows(law: Procedure) -> Iterable[tuple[str, str, str]]:
    names = {row.id: row.en for row in all_rules(law.regime)}

    def cited(*refs: str | None) -> str:
        return "<br>".join(f"`{ref}` {names[ref]}" if ref in names else f"{ref}" for ref in refs if ref is not None)

    def listed(words: Iterable[str]) -> str:
        return ", ".join(word.replace("_", " ") for word in words)

    yield "categories", listed(one.lower() for one in law.intake.categories), ""
    yield "kinds of works", listed(one.lower() for one in law.intake.kinds if one) or "none", ""
    for rule in dict.fromkeys(one.rule for one in law.intake.filing):
        fields = [
            one.field + (" (where an agency files)" if one.of_agency else "")
            for one in law.intake.filing
            if one.rule == rule
        ]
        yield "a filing must hold", listed(fields), cited(rule)
    yield "stages shown to the public", " → ".join(one.code for one in law.public_stages), ""
    yield "envelopes", "; or ".join(" and ".join(one) for one in law.envelopes), ""
    yield "prices", _prices(law), cited(law.ceiling_within, law.ceiling, law.base_price, *law.abnormal_prices)
    yield (
        "fewest bids at the deadline",
        f"else the lot fails (`{law.minimum.fails_by}`)",
        cited(law.minimum.at_deadline),
    )
    after = "one" if law.minimum.conforming is None else "as many as the rule says"
    revoked = "; the lot fails where all count as revoked" if law.minimum.lapses_when_revoked else ""
    yield "fewest bids after the reviews", after + revoked, cited(law.minimum.conforming)
    for review in law.reviews:
        yield f"review of {review.kind}", f"by {review.by}, from `{review.begins_by}`", ""
    lead = "may" if law.panel.purchaser_may_lead else "may not"
    panel = law.panel
    yield (
        "panel",
        f"the purchaser's representative {lead} be the chair (P-40)",
        cited(panel.members, panel.odd, panel.experts, panel.large, panel.large_budget),
    )
    yield "evaluation methods", ", ".join(f"`{one}`" for one in law.evaluation), ""
    if law.award.publicity is None:
        yield "award", "by decision of the purchaser", cited(law.award.decide, law.award.announce, law.award.shown)
    else:
        shown = law.award.publicity
        yield (
            "award",
            "publicity of the candidates, then decision of the purchaser",
            cited(shown.starts, shown.lasts, shown.most, law.award.decide, law.award.announce, law.award.shown),
        )
    yield "contract", "signed, published, filed", cited(law.contract.sign, law.contract.publish, law.contract.file)
    for notice in law.notices:
        yield f"notice: {notice.kind.replace('_', ' ')}", listed(notice.fields), ""
    remedies = law.remedies
    for window in remedies.windows:
        how = "counted from" if window.period else "until"
        yield f"{remedies.kind} to the {window.stage}", f"{how} {window.anchor.replace('_', ' ')}", cited(window.basis)
    barred = f"; an upheld one bars {listed(remedies.upheld_stops)}" if remedies.upheld_stops else ""
    yield f"an open {remedies.kind} to the result", f"stops {listed(remedies.stops)}{barred}", cited(remedies.answer)
    yield "complaint", "to the supervisory body", cited(remedies.complaint, remedies.complaint_decided)
    for refund in law.money.refunds:
        whose = "of those who did not win" if refund.losers else "of everybody left"
        rows = [row.id for row in all_rules(law.regime) if row.anchor == refund.event]
        yield f"deposits {whose} go back", f"from the day of: {refund.on.replace('_', ' ')}", cited(*rows)
    yield (
        "a deposit may be kept",
        f"on these grounds alone; it goes to the {law.money.goes_to}",
        listed(law.money.grounds),
    )
    yield "against keeping it", remedies.forfeit_by, cited(remedies.forfeit)
    yield "bids both alone and jointly", "refused", law.consortium


def _prices(law: Procedure) -> str:
    said = ["a ceiling" if law.ceiling_within is None else "a ceiling within the budget"]
    if law.base_price is not None:
        said.append("a base price may be bound")
    if law.coefficient:
        said.append("a coefficient may be drawn in public")
    if law.abnormal_prices:
        said.append("abnormally low ones are prompted for")
    return ", ".join(said)
