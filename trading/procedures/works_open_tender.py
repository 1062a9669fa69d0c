"""M7, open tender of construction works and what belongs to them under the Tendering and Bidding Law (公开招标)."""

from trading.procedures.procedure import CONFORMITY, Intake, Procedure, Review, RuleRef, Words
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
    id="M7",
    regime=WORKS,
    name=Words("公开招标", "Open tender"),
    law=LAW,
    scope=Words("适用招标投标法；公开招标（M7）", "Under the Tender Law; open tender (M7)"),
    intake=Intake(
        categories=CATEGORIES,
        kinds=KINDS,
        transaction_category="A99",
        filing=FILING,
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
)
