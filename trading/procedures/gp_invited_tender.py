"""M2, invited tender of goods or services under the Government Procurement Law: the open tender, to invitees drawn by lot (邀请招标)."""

from dataclasses import replace

from trading.procedures import gp_open_tender
from trading.procedures.gp_shared import CHOSEN
from trading.procedures.procedure import Ground, InvitationRule, RuleRef, Words

_OPEN = gp_open_tender.PROCEDURE

PROCEDURE = replace(
    _OPEN,
    id="M2",
    name=Words("邀请招标", "Invited tender"),
    scope=Words(
        "供应商范围有限，或公开招标费用占比过大；从符合条件的供应商中随机抽取（M2）",
        "A limited range of suppliers, or an open tender out of proportion; invitees are drawn by lot (M2)",
    ),
    intake=replace(
        _OPEN.intake,
        filing=(*_OPEN.intake.filing, *CHOSEN),
        grounds=(Ground("few_suppliers", "GPL art. 29(1)"), Ground("cost", "GPL art. 29(2)")),
    ),
    invitation=InvitationRule(least=RuleRef("M2.3"), pool=RuleRef("M2.3.pool")),
)
