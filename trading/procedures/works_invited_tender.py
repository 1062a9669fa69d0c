"""M9, invited tender of construction works and what belongs to them: the open tender, to bidders who are invited (邀请招标)."""

from dataclasses import replace

from trading.procedures import works_open_tender
from trading.procedures.procedure import Ground, InvitationRule, Needed, RuleRef, Words

_OPEN = works_open_tender.PROCEDURE

PROCEDURE = replace(
    _OPEN,
    id="M9",
    name=Words("邀请招标", "Invited tender"),
    scope=Words(
        "适用招标投标法；只有少量潜在投标人，或公开招标费用占比过大（M9）",
        "Under the Tender Law; few possible bidders, or an open tender out of proportion (M9)",
    ),
    intake=replace(
        _OPEN.intake,
        filing=(
            *_OPEN.intake.filing,
            Needed("ground", "project.gap_ground", "TReg art. 8"),
            Needed("ground_facts", "project.gap_ground_facts", "TReg art. 8"),
            Needed("consent_no", "project.gap_finding", "TReg art. 8", grounds=("works_cost",)),
            Needed("consent_on", "project.gap_finding_day", "TReg art. 8", grounds=("works_cost",)),
        ),
        grounds=(Ground("few_bidders", "TReg art. 8(1)"), Ground("works_cost", "TReg art. 8(2)")),
    ),
    invitation=InvitationRule(least=RuleRef("M9.3")),
)
