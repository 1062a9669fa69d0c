"""M2, invited tender of goods or services under the Government Procurement Law: invitees drawn by lot (邀请招标)."""

from trading.procedures.gp_shared import (
    ABNORMAL_PRICES,
    AWARD_RULE,
    CHOSEN,
    CONTRACT_RULE,
    FILING,
    LAW,
    MONEY,
    REMEDIES,
    TENDER_MINIMUM,
    TENDER_NOTICES,
    TENDER_PANEL,
    TENDER_PATH,
    TENDER_REVIEWS,
    TENDER_STAGES,
)
from trading.procedures.procedure import Ground, Intake, InvitationRule, Procedure, RuleRef, Words
from trading.procedures.shared import ENVELOPES
from trading.rulebook import GP

PROCEDURE = Procedure(
    id="M2",
    regime=GP,
    name=Words("邀请招标", "Invited tender"),
    law=LAW,
    scope=Words(
        "供应商范围有限，或公开招标费用占比过大；从符合条件的供应商中随机抽取（M2）",
        "A limited range of suppliers, or an open tender out of proportion; invitees are drawn by lot (M2)",
    ),
    intake=Intake(
        categories=("GOODS", "SERVICES"),
        kinds=("",),
        transaction_category="D99",
        filing=(*FILING, *CHOSEN),
        grounds=(Ground("few_suppliers", "GPL art. 29(1)"), Ground("cost", "GPL art. 29(2)")),
    ),
    path=TENDER_PATH,
    public_stages=TENDER_STAGES,
    envelopes=ENVELOPES,
    minimum=TENDER_MINIMUM,
    reviews=TENDER_REVIEWS,
    panel=TENDER_PANEL,
    evaluation=("GP_SCORE", "GP_LOWEST"),
    award=AWARD_RULE,
    contract=CONTRACT_RULE,
    notices=TENDER_NOTICES,
    remedies=REMEDIES,
    money=MONEY,
    ceiling=RuleRef("C-04"),
    ceiling_within=RuleRef("C-02"),
    consortium="GPReg art. 22",
    intention=RuleRef("A-06"),
    abnormal_prices=ABNORMAL_PRICES,
    invitation=InvitationRule(least=RuleRef("M2.3"), pool=RuleRef("M2.3.pool")),
)
