"""The course of a rehearsal: who does what, where, from the filing to the money that goes back; for the card and for its page."""

from __future__ import annotations

from typing import NamedTuple

from trading.kernel.access import Role


class Turn(NamedTuple):
    """``roles``: whoever holds one of them does it; ``path``: where their work begins; ``zh`` and ``en``: what to do."""

    roles: tuple[Role, ...]
    path: str
    zh: str
    en: str


TURNS: tuple[Turn, ...] = (
    Turn(
        (Role.OFFICER, Role.CONTROLLER, Role.PURCHASER, Role.EXPERT, Role.BIDDER_SIGNER),
        "/account/keys",
        "每人先生成自己的密钥文件并登记（密钥持有人、复核、采购人、专家、投标人）",
        "Everybody who signs makes and enrols a key file first: key holders, controller, purchaser, experts, bidders",
    ),
    Turn((Role.PURCHASER,), "/agency", "填写项目并报建", "Fill in a project and file it"),
    Turn((Role.CENTRE,), "/centre", "受理报建", "Accept the filing"),
    Turn(
        (Role.AGENCY,),
        "/agency",
        "编制招标项目：时间安排、招标文件（样本文件夹 tender）、评标办法；指定密钥持有人",
        "Draft the tender: timetable, documents (samples, folder tender), criteria; name the key holders",
    ),
    Turn(
        (Role.OFFICER,),
        "/hall/desk",
        "给出本项目的密钥，签署开启方案，试开",
        "Give the keys for this lot, sign the opening policy, open the drill",
    ),
    Turn((Role.AGENCY,), "/agency", "发布公告", "Publish the notice"),
    Turn(
        (Role.BIDDER_SIGNER,),
        "/bidder",
        "参加投标，交保证金（演练银行），用样本文件密封并递交",
        "Take part, pay the deposit (rehearsal bank), seal and hand in the sample files",
    ),
    Turn(
        (Role.CENTRE, Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN),
        "/rehearsal",
        "把演练时钟拨到截止前两分钟，看着投标截止",
        "Move the clock to two minutes before the deadline, and watch it close",
    ),
    Turn(
        (Role.HOST,),
        "/hall/desk",
        "主持开标：公布名单，唱标，签记录",
        "Host the opening: publish the list, read out, sign",
    ),
    Turn((Role.OFFICER,), "/hall/desk", "交出解密份额，会签", "Release the shares, countersign"),
    Turn((Role.CENTRE,), "/panels", "抽取评标专家", "Draw the panel"),
    Turn((Role.EXPERT,), "/expert", "应邀、打分、封存、揭示、签报告", "Accept, score, seal, reveal, sign the report"),
    Turn((Role.AGENCY,), "/agency", "公示候选人、公告结果", "Publicise the candidates, announce the result"),
    Turn((Role.PURCHASER,), "/agency", "定标，签合同并备案", "Decide the award, record the contract"),
    Turn((Role.CASHIER,), "/cashier/refunds", "做退款批次", "Prepare the refunds"),
    Turn((Role.CONTROLLER,), "/cashier", "复核并签署批次", "Approve the batch and sign it"),
    Turn((Role.CENTRE,), "/centre", "归档", "Archive the tender"),
    Turn(
        (Role.SECURITY_ADMIN,),
        "/rehearsal",
        "抄下结束检查点，两人到正式站点“第一周”确认演练完成",
        "Take the closing checkpoint; two confirm at the site's own first week that it was played",
    ),
)
