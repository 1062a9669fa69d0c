"""What the procedures of the Government Procurement Law that are not the open tender have in common."""

from trading.procedures.procedure import Needed, RuleRef

CHOSEN = (
    Needed("ground", "project.gap_ground"),
    Needed("ground_facts", "project.gap_ground_facts"),
    Needed("consent_no", "project.gap_consent", "R-08", from_budget=RuleRef("R-07")),
    Needed("consent_on", "project.gap_consent_day", "R-08", from_budget=RuleRef("R-07")),
)
"""What a filing holds beside: the ground in law with its facts, and from the open-tender threshold on the consent of the finance
department (rules R-07, R-08)."""
