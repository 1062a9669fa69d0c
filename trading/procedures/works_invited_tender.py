"""M9, invited tender of construction works and what belongs to them under the Tendering and Bidding Law (邀请招标)."""

from trading.procedures.procedure import (
    CONFORMITY,
    Ground,
    Intake,
    InvitationRule,
    Needed,
    Procedure,
    Review,
    RuleRef,
    Words,
)
from trading.procedures.shared import ENVELOPES
from trading.procedures.works_shared import (
    AWARD_RULE,
    CATEGORIES,
    CONTRACT_RULE,
    FILING,
    KINDS,
    LAW,
    MINIMUM,
    MONEY,
    NOTICES,
    PANEL,
    PATH,
    REMEDIES,
    STAGES,
)
from trading.rulebook import WORKS

PROCEDURE = Procedure(
    id="M9",
    regime=WORKS,
    name=Words("邀请招标", "Invited tender"),
    law=LAW,
    scope=Words(
        "适用招标投标法；只有少量潜在投标人，或公开招标费用占比过大（M9）",
        "Under the Tender Law; few possible bidders, or an open tender out of proportion (M9)",
    ),
    intake=Intake(
        categories=CATEGORIES,
        kinds=KINDS,
        transaction_category="A99",
        filing=(
            *FILING,
            Needed("ground", "project.gap_ground", "TReg art. 8"),
            Needed("ground_facts", "project.gap_ground_facts", "TReg art. 8"),
            Needed("consent_no", "project.gap_finding", "TReg art. 8", grounds=("works_cost",)),
            Needed("consent_on", "project.gap_finding_day", "TReg art. 8", grounds=("works_cost",)),
        ),
        grounds=(Ground("few_bidders", "TReg art. 8(1)"), Ground("works_cost", "TReg art. 8(2)")),
    ),
    path=PATH,
    public_stages=STAGES,
    envelopes=ENVELOPES,
    minimum=MINIMUM,
    reviews=(Review(CONFORMITY, "panel", "evaluate"),),
    panel=PANEL,
    evaluation=("WK_SCORE", "WK_LOWEST"),
    award=AWARD_RULE,
    contract=CONTRACT_RULE,
    notices=NOTICES,
    remedies=REMEDIES,
    money=MONEY,
    ceiling=RuleRef("C-06"),
    consortium="TReg art. 37",
    coefficient=True,
    base_price=RuleRef("C-07"),
    invitation=InvitationRule(least=RuleRef("M9.3")),
)
