"""What stands in the papers of the town: plausible words about the tender at hand, and nothing that could be taken for a real firm's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trading.kernel.money import Money
from web.rehearsal import names
from web.rehearsal.front import ZONE, Plan

ORG_NAMES = {one.key: one.name for one in names.ORGS}
AGENCY = ORG_NAMES["agency"]


def _day(moment: datetime) -> str:
    local = moment.astimezone(ZONE)
    return f"{local.year}年{local.month}月{local.day}日"


def _money(text: str | Money) -> str:
    amount = Money.parse(text) if isinstance(text, str) else text
    return f"人民币 {amount.full()}（大写：{amount.amount_words()}）"


def _part(
    heading: str,
    *words: str,
    rows: list[list[str]] | None = None,
    widths: list[int] | None = None,
    clauses: list[tuple[str, list[str]]] | None = None,
) -> dict[str, Any]:
    return {
        "heading": heading,
        "words": list(words),
        "rows": rows or [],
        "widths": widths or [],
        "clauses": [list(one) for one in clauses or []],
    }


def _items(plan: Plan) -> list[list[str]]:
    if plan.regime == "WORKS":
        return [
            ["序号", "分部工程", "工作内容", "质量要求"],
            ["1", "准备与拆除", "测量放线、旧构件拆除、垃圾外运", "符合安全文明施工要求"],
            ["2", "主体工程", f"{plan.name}图纸所示全部主体内容", "一次验收合格"],
            ["3", "附属工程", "排水、标识、绿化恢复", "一次验收合格"],
            ["4", "竣工资料", "竣工图、检测报告、保修书", "一式四份，另交电子版"],
        ]
    if plan.category == "SERVICES":
        return [
            ["序号", "服务内容", "频次", "考核标准"],
            ["1", "日常作业", "每日", "巡查合格率不低于 95%"],
            ["2", "专项作业", "每月两次", "现场签认"],
            ["3", "应急响应", "随叫随到", "接报后 60 分钟到场"],
            ["4", "服务报告", "每月一次", "次月 5 日前提交"],
        ]
    return [
        ["序号", "货物名称", "主要要求", "交付"],
        ["1", "主要设备", plan.need, "送达指定地点"],
        ["2", "安装与调试", "随货完成，不另计价", "到货后 7 日内"],
        ["3", "培训", "不少于两场，每场 40 人", "验收前"],
        ["4", "备品备件", "质保期内免费更换", "随货提供清单"],
    ]


def _subject(plan: Plan) -> str:
    return {"WORKS": "工程", "SERVICES": "服务"}.get(plan.category, "货物")


def tender(plan: Plan) -> dict[str, Any]:
    """The tender document."""
    works, thing = plan.regime == "WORKS", _subject(plan)
    owner = "招标人" if works else "采购人"
    law = "《中华人民共和国招标投标法》及其实施条例" if works else "《中华人民共和国政府采购法》及其实施条例"
    return {
        "title": "招标文件",
        "subject": plan.name,
        "house": AGENCY,
        "by": f"{owner}：{ORG_NAMES[plan.purchaser]}　　代理机构：{AGENCY}",
        "on": "春晓区",
        "facts": [
            [owner, ORG_NAMES[plan.purchaser]],
            ["项目类别", thing],
            ["预算金额", _money(plan.budget)],
            ["最高限价", _money(plan.budget)],
            ["投标保证金", _money(plan.deposit)],
            ["投标截止时间", plan.deadline.astimezone(ZONE).strftime("%Y 年 %m 月 %d 日 %H:%M")],
            ["开标地点", "春晓区公共资源交易中心第一开标室"],
        ],
        "parts": [
            _part(
                "第一章　投标人须知",
                f"本项目依据{law}组织，采用公开招标方式，评标办法为综合评分法。投标文件须在投标截止时间前通过阳光标厅加密提交，"
                "逾期送达的投标文件不予接收，系统将出具带签名的拒收回执。",
                clauses=[
                    (
                        "一、资格要求",
                        [
                            "投标人应具有独立承担民事责任的能力，具有良好的商业信誉和健全的财务会计制度，近三年内在经营活动中没有重大违法记录。",
                            "本项目不接受未按规定交纳投标保证金的投标。保证金须从投标人基本账户转出，以平台生成的子账号到账为准。",
                        ],
                    ),
                    (
                        "二、澄清与修改",
                        [
                            "投标人对招标文件有疑问的，应在规定期限前通过平台提问；答复向全体获取招标文件的人公布，不披露提问人。"
                        ],
                    ),
                    (
                        "三、投标文件的组成",
                        [
                            "开标一览表在平台页面填写；"
                            + (
                                "技术文件以 PDF 格式上传，按暗标编制，不得出现投标人名称、人员姓名或者标识。"
                                if works
                                else "技术文件、商务文件以 PDF 格式上传。"
                            )
                            + "所有内容在投标人自己的电脑上加密，开标前任何人不能查看。"
                        ],
                    ),
                    (
                        "四、开标与评标",
                        [
                            "开标由五名开启人中的至少三名到场后共同解密，唱标内容以开标记录为准。评标委员会由从专家库抽取的五名专家组成，独立评分、先承诺后揭示。"
                        ],
                    ),
                ],
            ),
            _part(
                "第二章　评标办法",
                "评标采用综合评分法，满分 100 分。投标报价、技术部分与其他部分的分值见下表；分值相同时按评标委员会的表决排序。",
                rows=[
                    ["评审项", "分值", "评分方式"],
                    *(
                        [
                            ["投标报价", "60", "抽取系数后计算评标基准价"],
                            ["施工组织设计", "30", "横向比较，独立评分"],
                            ["项目班子", "10", "按证明材料核对"],
                        ]
                        if works
                        else [
                            ["投标报价", "40", "最低评审价得满分"],
                            ["技术方案", "40", "横向比较，独立评分"],
                            ["质保与售后", "20", "按承诺核对"],
                        ]
                    ),
                ],
                widths=[3, 1, 4],
                clauses=[
                    (
                        "一、否决投标的情形",
                        [
                            "投标报价超过最高限价的；未按要求交纳投标保证金的；投标文件不能解密且原因在投标人的；提供虚假材料的。"
                        ],
                    ),
                    (
                        "二、定标",
                        [
                            "评标委员会推荐的第一候选人为中标候选人。结果公告后，任何利害关系人可以在法定期限内提出异议或者质疑。"
                        ],
                    ),
                ],
            ),
            _part(
                "第三章　需求与合同要点",
                f"{plan.need}。具体内容及要求见下表。",
                rows=_items(plan),
                widths=[1, 3, 5, 4],
                clauses=[
                    (
                        "一、履约时间",
                        [
                            "合同签订后 240 日历天内竣工。"
                            if works
                            else "合同签订后 30 日内完成交付，服务类项目自进场之日起一年。"
                        ],
                    ),
                    (
                        "二、付款",
                        ["合同签订后支付 30%，验收合格后支付至 97%，其余 3% 作为质量保证金，质保期满无息退还。"],
                    ),
                    (
                        "三、违约责任",
                        ["逾期交付的，每逾期一日按合同金额的千分之一支付违约金，累计不超过合同金额的百分之五。"],
                    ),
                ],
            ),
        ],
        "sign": [],
    }


WAYS = (
    (
        "先勘查、后实施；先样板、后铺开；全过程留痕。每道工序由专人检查，检查记录随进度报送。",
        "第 1 至 5 日完成准备；第 6 日起分区推进；每周五提交周报；最后 5 日用于自检、整改和资料整理。",
    ),
    (
        "分段封闭、半幅施工，保持通行；材料按段备足再开工，避免反复开挖。每段完工即自检并报验。",
        "全长分四段流水作业，每段 55 日；雨天转入室内预制和资料整理；竣工前 20 日进行联合预验收。",
    ),
    (
        "以关键线路控制工期，地下管线先行、面层最后；夜间只做低噪声工序。质量问题当日记录、当日整改。",
        "前 40 日完成管线，其后 160 日完成主体，最后 40 日完成附属与恢复；每月对照计划一次，偏差超过 3 日即增加班组。",
    ),
)
"""How a firm goes about it: its thought, its pace."""


def technical(plan: Plan, firm: str, signer: str) -> dict[str, Any]:
    """The technical file of a bid; of works it is written for a blind review (rule P-47) and names nobody."""
    works = plan.regime == "WORKS"
    thought, pace = WAYS[sum(map(ord, firm[:2])) % len(WAYS)] if works else WAYS[0]
    body = "施工组织设计" if works else "服务方案" if plan.category == "SERVICES" else "供货与安装方案"
    return {
        "title": "技术文件",
        "subject": plan.name,
        "house": "暗标，不署名" if works else firm,
        "by": "" if works else f"投标人：{firm}",
        "on": "",
        "facts": [
            *([] if works else [["投标人", firm], ["授权代表", signer]]),
            ["文件内容", f"{body}、进度计划、质量与服务保证"],
        ],
        "parts": [
            _part(
                f"一、{body}",
                f"我公司认真研究了《{plan.name}》招标文件，踏勘了现场，并据此编制本方案。{plan.need}，我公司理解其重点在于按期、完整、可验收。",
                clauses=[
                    ("1.1 总体思路", [thought, "实施期间尽量不影响周边居民和单位的正常使用，噪声作业避开午休与夜间。"]),
                    (
                        "1.2 重点与难点",
                        [
                            "地下管线和既有设施的保护：开工前与权属单位书面核对，人工探挖后再行机械作业。"
                            if works
                            else "各使用单位作息不同：按单位编制交付日历，提前三日与联系人确认，避开教学、接诊和集中办公时段。"
                        ],
                    ),
                    ("1.3 采用的标准", ["国家和行业现行标准、招标文件所列技术要求；两者不一致时，执行要求较高者。"]),
                ],
            ),
            _part(
                "二、人员与进度",
                "拟投入本项目的主要人员与关键节点如下，人员到岗情况接受随时检查。",
                rows=[
                    ["岗位", "姓名", "职责"],
                    ["项目负责人", "见开标一览表" if works else signer, "全面负责，对外联络"],
                    ["技术负责人", "由本公司技术部指派", "方案与交底"],
                    ["质量员", "由本公司质量部指派", "过程检查"],
                    ["安全员", "由本公司安全部指派", "现场安全"],
                ],
                widths=[2, 3, 4],
                clauses=[
                    ("2.1 进度计划", [pace]),
                    ("2.2 进度保证", ["设进度预警：落后计划三日即增加班组；落后五日由公司分管负责人驻场。"]),
                ],
            ),
            _part(
                "三、质量、安全与售后",
                "质量目标：一次验收合格。安全目标：无责任事故。",
                clauses=[
                    ("3.1 质量控制", ["材料设备进场先验后用，合格证、检测报告齐全；关键工序旁站，隐蔽部位留存影像。"]),
                    ("3.2 安全与环保", ["作业面围挡、警示齐全；扬尘、噪声按当地要求控制；建筑垃圾当日清运。"]),
                    (
                        "3.3 售后服务",
                        ["提供 36 个月质保，2 小时响应，24 小时到场；质保期内免费更换有缺陷的部件，每季度回访一次。"],
                    ),
                    ("3.4 培训与移交", ["移交前组织两场培训，编写操作手册，由使用单位签认。"]),
                ],
            ),
        ],
        "sign": [] if works else [f"投标人：{firm}", f"授权代表：{signer}"],
    }


def commercial(plan: Plan, firm: str, signer: str, price: Money) -> dict[str, Any]:
    """The commercial file of a bid: letter, declarations, prices."""
    tenths = price.split([60, 25, 10, 5])
    return {
        "title": "商务文件",
        "subject": plan.name,
        "house": firm,
        "by": f"投标人：{firm}",
        "on": "",
        "facts": [["投标人", firm], ["授权代表", signer], ["投标总价", _money(price)]],
        "parts": [
            _part(
                "一、投标函",
                f"致：{ORG_NAMES[plan.purchaser]}",
                f"我方已仔细阅读《{plan.name}》招标文件的全部内容，愿意以{_money(price)}的投标总价，按招标文件的要求承担全部责任和义务。",
                "我方承诺在投标有效期内不撤销投标文件；如中标，在收到中标通知书后按规定期限与贵方签订合同，并按约定交纳履约保证金。",
                "我方与本项目的其他投标人之间不存在单位负责人为同一人或者直接控股、管理关系；未与他人串通投标，未向评审人员行贿。",
            ),
            _part(
                "二、资格声明与授权",
                f"兹授权{signer}为我方代表，就本项目的投标、签约及履约事宜以我方名义办理一切手续，本授权自开标之日起一年内有效。",
                clauses=[
                    (
                        "2.1 资格声明",
                        [
                            "我方具有独立承担民事责任的能力；依法缴纳税收和社会保障资金；参加本次采购活动前三年内，在经营活动中没有重大违法记录。"
                        ],
                    ),
                    ("2.2 账户说明", ["投标保证金自我方基本账户转出，退还至原账户。"]),
                ],
            ),
            _part(
                "三、分项报价表",
                "以下为投标总价的组成，合计与投标函一致；分项与总价不一致时以投标函为准。",
                rows=[
                    ["序号", "项目", "金额（元）"],
                    *[
                        [str(n), what, part.text()]
                        for n, (what, part) in enumerate(
                            zip(("人工与设备", "材料与货物", "运输、安装与培训", "管理费与税金"), tenths, strict=True),
                            1,
                        )
                    ],
                    ["", "合计", price.text()],
                ],
                widths=[1, 4, 3],
                clauses=[("付款与验收", ["接受招标文件载明的付款方式与验收标准，无负偏离。"])],
            ),
        ],
        "sign": [f"投标人：{firm}", f"授权代表：{signer}"],
    }


def agreement(plan: Plan) -> dict[str, Any]:
    """The form of the agreement, one of the tender's documents."""
    works, buyer = plan.regime == "WORKS", ORG_NAMES[plan.purchaser]
    return {
        "title": "合同文本",
        "subject": plan.name,
        "house": AGENCY,
        "by": f"甲方：{buyer}　　乙方：（中标人）",
        "on": "",
        "facts": [["甲方", buyer], ["乙方", "中标人"], ["合同标的", plan.name], ["合同金额", "以中标通知书为准"]],
        "parts": [
            _part("第一条至第三条　标的、价款与期限", clauses=agreement_clauses(plan)[:3]),
            _part("第四条至第六条　履行与验收", clauses=agreement_clauses(plan)[3:6]),
            _part("第七条至第九条　责任与争议", clauses=agreement_clauses(plan)[6:]),
        ],
        "sign": [
            f"甲方（盖章）：{buyer}",
            "乙方（盖章）：",
            "甲方代表：",
            "乙方代表：" if not works else "乙方项目负责人：",
        ],
    }


def agreement_clauses(plan: Plan) -> list[tuple[str, list[str]]]:
    works = plan.regime == "WORKS"
    return [
        (
            "第一条　标的",
            [
                f"乙方按招标文件、投标文件及本合同的约定，完成{plan.name}的全部内容。{plan.need}。",
                "招标文件、投标文件、澄清答复均为本合同的组成部分，解释顺序以时间在后者为先。",
            ],
        ),
        ("第二条　价款", ["合同价款为中标价，包含完成本合同所需的全部费用与税金，除双方书面变更外不作调整。"]),
        (
            "第三条　期限",
            [
                "自合同签订之日起 240 日历天内竣工并通过验收。"
                if works
                else "货物自合同签订之日起 30 日内交付；服务期自进场之日起一年。"
            ],
        ),
        (
            "第四条　质量与标准",
            ["符合国家现行标准和招标文件的要求；约定不一致时执行较高标准。质保期 36 个月，自验收合格之日起算。"],
        ),
        (
            "第五条　验收",
            ["乙方提出验收申请后，甲方在 7 个工作日内组织验收，并签署验收书；未通过的，乙方限期整改，费用自负。"],
        ),
        (
            "第六条　付款",
            [
                "合同签订后支付 30%；验收合格后 10 个工作日内支付至 97%；其余 3% 为质量保证金，质保期满 10 个工作日内无息退还。"
            ],
        ),
        (
            "第七条　违约责任",
            ["乙方逾期的，每逾期一日按合同价款的千分之一支付违约金；甲方逾期付款的，按同期贷款市场报价利率支付利息。"],
        ),
        (
            "第八条　变更与解除",
            ["合同的变更须双方书面同意并依法公告；一方根本违约的，守约方可以解除合同并要求赔偿损失。"],
        ),
        (
            "第九条　争议解决",
            ["协商不成的，向甲方所在地人民法院提起诉讼。本合同一式六份，双方各执三份，自签字盖章之日起生效。"],
        ),
    ]


def agreement_text(plan: Plan) -> str:
    """The words of the agreement as recorded with the contract."""
    return "\n\n".join(
        [f"{plan.name}合同", *(f"{heading}\n{' '.join(words)}" for heading, words in agreement_clauses(plan))]
    )
