"""M1, open tender of goods or services under the Government Procurement Law (公开招标)."""

from trading.procedures.gp_shared import (
    ABNORMAL_PRICES,
    AWARD_RULE,
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
from trading.procedures.procedure import Intake, Procedure, RuleRef, Words
from trading.procedures.shared import ENVELOPES
from trading.rulebook import GP

PROCEDURE = Procedure(
    id="M1",
    regime=GP,
    name=Words("公开招标", "Open tender"),
    law=LAW,
    scope=Words(
        "政府采购法的货物、服务；公开招标（M1）",
        "Goods and services under the Government Procurement Law; open tender (M1)",
    ),
    intake=Intake(
        categories=("GOODS", "SERVICES"),
        kinds=("",),
        transaction_category="D99",
        filing=FILING,
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
)
