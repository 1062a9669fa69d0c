"""The fields of a lot and the facts of its notices, each declared once, in the order in which a notice shows them.

A field that an agency writes has an ``Ask``; a fact that only notices have names the kinds that carry it. What a tender notice must say:
O87 art. 13, rulebook §9.2.
"""

from __future__ import annotations

from trading.procedures.field import (
    AMOUNTS,
    BY_NOTICE,
    BY_POLICY,
    BY_RECORD,
    COUNT,
    DAY,
    DIGEST,
    DRAFT,
    FAULT,
    FORM,
    LATER,
    MINOR,
    MOMENT,
    MONEY,
    NAME,
    NUMBERS,
    OPENING,
    PUBLICATION,
    REGION,
    STATE,
    TABLE,
    TERMS,
    TEXT,
    TEXTS,
    TICK,
    Ask,
    Field,
)
from trading.procedures.procedure import NoticeRule, Words

_TENDER = ("tender",)
_MOVED = ("tender", "correction")
"""What a correction may say anew."""
_CORRECTION, _CLARIFICATION, _FAILURE = ("correction",), ("clarification",), ("failure",)

_PROJECT = (
    Field("project", TEXT, Words("项目", "Project"), _TENDER, of="project.name", proved=BY_NOTICE),
    Field("code", TEXT, Words("统一交易标识码", "Transaction code"), _TENDER, of="project.code", proved=BY_NOTICE),
    Field("regime", STATE, Words("适用制度", "Regime"), _TENDER, of="project.regime", proved=BY_NOTICE, words="regime"),
    Field(
        "category", STATE, Words("类别", "Category"), _TENDER, of="project.category", proved=BY_NOTICE, words="category"
    ),
    Field("method", STATE, Words("采购方式", "Method"), _TENDER, of="project.method", proved=BY_NOTICE, words="method"),
    Field(
        "ground",
        STATE,
        Words("采用该方式的情形", "Ground of the method"),
        _TENDER,
        of="project.ground",
        proved=BY_NOTICE,
        only="ground",
        words="method_ground",
    ),
    Field(
        "ground_facts",
        TEXT,
        Words("该情形的事实", "Facts of the ground"),
        _TENDER,
        of="project.ground_facts",
        proved=BY_NOTICE,
        only="ground",
    ),
    Field(
        "consent_no",
        TEXT,
        Words("采用该方式的批准文号", "Consent to the method"),
        _TENDER,
        of="project.consent_no",
        proved=BY_NOTICE,
        only="ground",
    ),
    Field(
        "consent_on",
        DAY,
        Words("批准日期", "Day of the consent"),
        _TENDER,
        of="project.consent_on",
        proved=BY_NOTICE,
        only="ground",
    ),
    Field("purchaser", TEXT, Words("采购人", "Purchaser"), _TENDER, of="project.purchaser.name", proved=BY_NOTICE),
    Field("agency", TEXT, Words("代理机构", "Agency"), _TENDER, of="project.agency.name", proved=BY_NOTICE),
    Field("region", REGION, Words("区县", "District"), _TENDER, of="project.region", proved=BY_NOTICE),
)

_WRITTEN = (
    Field(
        "title",
        TEXT,
        of="title",
        proved=BY_NOTICE,
        needed=DRAFT,
        ask=Ask(NAME, Words("标段名称", "Name of the lot"), copied=False),
    ),
    Field(
        "budget",
        MONEY,
        Words("预算", "Budget"),
        _TENDER,
        of="budget",
        proved=BY_NOTICE,
        needed=DRAFT,
        ask=Ask(
            AMOUNTS,
            Words("标段预算", "Budget of the lot"),
            Words("各标段合计不超过项目预算。", "All lots together stay within the budget of the project."),
            copied=False,
        ),
        ocds="planning.budget.amount",
        bundled=True,
    ),
    Field(
        "ceiling",
        MONEY,
        Words("最高限价", "Price ceiling"),
        _TENDER,
        of="ceiling",
        proved=BY_NOTICE,
        needed=DRAFT,
        ask=Ask(
            AMOUNTS,
            Words("最高限价", "Highest price accepted (ceiling)"),
            Words("不超过预算。", "Not above the budget."),
            copied=False,
        ),
        ocds="tender.value",
        bundled=True,
    ),
    Field("currency", TEXT, None, _TENDER, of="currency", proved=BY_NOTICE, bundled=True),
    Field(
        "deposit",
        MONEY,
        Words("投标保证金", "Bid deposit"),
        _TENDER,
        of="deposit",
        proved=BY_NOTICE,
        ask=Ask(
            AMOUNTS,
            Words("投标保证金", "Bid deposit"),
            Words("不填则不收。", "Nothing is asked where this stays empty."),
            copied=False,
        ),
        bundled=True,
    ),
    Field(
        "need",
        TEXT,
        Words("采购需求", "What is bought"),
        _MOVED,
        of="need",
        proved=BY_NOTICE,
        needed=PUBLICATION,
        ask=Ask(
            TEXTS,
            Words("采购需求", "What is needed"),
            Words(
                "名称、数量、简要技术要求，写入公告。",
                "Names, quantities, brief technical requirements: it stands in the notice.",
            ),
            limit=8000,
        ),
        terms=True,
        ocds="tender.description",
    ),
    Field(
        "qualification",
        TEXT,
        Words("资格要求", "Who may bid"),
        _MOVED,
        of="qualification",
        proved=BY_NOTICE,
        needed=PUBLICATION,
        ask=Ask(TEXTS, Words("投标人资格条件", "Qualification of bidders"), limit=8000, rows=3),
        terms=True,
    ),
    Field(
        "contact",
        TEXT,
        Words("联系人", "Contact"),
        _MOVED,
        of="contact",
        proved=BY_NOTICE,
        needed=PUBLICATION,
        ask=Ask(TEXTS, Words("联系人和电话", "Contact person and telephone")),
    ),
    Field(
        "place",
        TEXT,
        Words("开标地点", "Place of opening"),
        _MOVED,
        of="place",
        proved=BY_NOTICE,
        needed=PUBLICATION,
        ask=Ask(TEXTS, Words("开标地点", "Place of the opening")),
    ),
    Field("form", FORM, of="form", proved=BY_RECORD),
    Field(
        "coefficients",
        NUMBERS,
        Words("系数 K", "Coefficients K"),
        of="coefficients",
        proved=BY_RECORD,
        ask=Ask(
            TERMS,
            Words("供抽取的系数 K", "Coefficients K to draw from"),
            Words(
                "数字之间空一格，如 0.95 0.96 0.97；公式不用的不填。K 在开标时公开抽取。",
                "Numbers with a space between, such as 0.95 0.96 0.97; empty where the formula has none. "
                "K is drawn in public at the opening.",
            ),
            limit=400,
            coefficient=True,
        ),
        bundled=True,
    ),
    Field(
        "window_minutes",
        COUNT,
        of="window_minutes",
        proved=BY_POLICY,
        ask=Ask(
            LATER,
            Words("解密窗口", "Decryption window"),
            Words(
                "名单公布后，持有人交份额的时间。",
                "How long key holders have for their shares after the list is published.",
            ),
            least=1,
            most=1440,  # minutes; the longest opening window a policy may name (protocol §2)
            refusal="lot.window",
            first=30,
            unit=Words("分钟", "minutes"),
        ),
    ),
)

_PLANNED = (
    Field("issue_at", MOMENT, Words("文件提供自", "Documents from"), _TENDER, of="issue_at", proved=BY_NOTICE),
    Field("clarify_until", MOMENT, Words("提问截止", "Questions until"), _TENDER, of="clarify_until", proved=BY_NOTICE),
    Field(
        "deadline",
        MOMENT,
        Words("投标截止", "Bid deadline"),
        _MOVED,
        of="deadline",
        proved=BY_POLICY,
        needed=PUBLICATION,
        ocds="tender.tenderPeriod.endDate",
    ),
    Field("deadline", DIGEST, Words("投标截止的日志条目", "Entry of the bid deadline"), _FAILURE),
    Field("opens_at", MOMENT, Words("开标", "Opening"), _MOVED, of="opens_at", proved=BY_POLICY, needed=PUBLICATION),
)

_OPENED = (
    Field(
        "round",
        COUNT,
        Words("招标次数", "Round"),
        ("tender", "failure", "termination"),
        of="round",
        proved=BY_NOTICE,
    ),
    Field("policy", DIGEST, Words("开启方案指纹", "Fingerprint of the opening policy"), _MOVED),
    Field(
        "two_envelopes",
        TICK,
        Words("信封", "Envelopes"),
        _TENDER,
        of="two_envelopes",
        proved=BY_NOTICE,
        only="two_envelopes",
        said=Words("两个：技术与报价，先后开启", "two: technical and price, opened one after the other"),
        unsaid=Words("一个", "one"),
        ask=Ask(
            OPENING,
            Words("双信封：技术与报价", "Two envelopes: technical and price"),
            Words(
                "每份投标由两个密封文件组成。技术信封到时开启并评分；技术评审结果固定以后才开报价信封，技术评审不通过的报价永不开启。"
                "金额各栏自动放进报价信封。",
                "Every bid is two sealed files. The technical one is opened at the hour and scored; the prices are opened only once the "
                "technical result is fixed, and never those of bids rejected technically. Fields of money go into the price "
                "envelope by themselves.",
            ),
        ),
    ),
    Field(
        "policy_price",
        DIGEST,
        Words("报价信封开启方案的指纹", "Fingerprint of the policy of the price envelopes"),
        _MOVED,
        only="two_envelopes",
    ),
    Field(
        "co_opening",
        TICK,
        Words("共同开启", "Co-opening"),
        _TENDER,
        of="co_opening",
        proved=BY_NOTICE,
        only="co_opening",
        said=Words("投标人用自己的密钥一同开启", "bidders take part with a key of their own"),
        unsaid=Words("否", "no"),
        ask=Ask(
            OPENING,
            Words("共同开启：投标人用自己的密钥参加", "Co-opening: bidders take part with a key of their own"),
            Words(
                "名单公布后，各投标人在解密窗口内先交自己的份额，然后密钥持有人再交。没有它就打不开；不来的视为撤销投标。"
                "它能防止密钥持有人与平台串通提前打开。",
                "After the set is published each bidder gives its own part, within the decryption window, before the key holders give "
                "theirs. Nothing opens without it; whoever stays away counts as having revoked the bid. It protects against key "
                "holders acting together with the platform.",
            ),
        ),
        bundled=True,
    ),
    Field(
        "consortium_most",  # TReg art. 37
        COUNT,
        Words("联合体", "Consortium"),
        _TENDER,
        of="consortium_most",
        proved=BY_NOTICE,
        said=Words("接受，至多 {n} 家", "accepted, at most {n} members"),
        unsaid=Words("不接受", "not accepted"),
        ask=Ask(
            TERMS,
            Words("联合体成员上限", "Members of a consortium at most"),
            Words(
                "留空表示不接受联合体。接受与否都写入公告。",
                "Empty: no consortium is accepted. The notice says so either way.",
            ),
            least=2,
            most=10,
            refusal="lot.consortium_most",
            blank=True,
        ),
    ),
    Field("files", TABLE, None, _TENDER),
)

_TOLD = (
    Field("question", TEXT, Words("提问", "Question"), _CLARIFICATION),
    Field("answer", TEXT, Words("答复", "Answer"), _CLARIFICATION),
    Field("asked_at", MOMENT, Words("提问时间", "Asked"), _CLARIFICATION),
    Field("ground", STATE, Words("事由", "Ground"), _FAILURE, words="ground"),
    Field("file", TEXT, Words("文件名", "File name"), _CORRECTION),
    Field("version", COUNT, Words("版本", "Version"), _CORRECTION),
    Field("sha256", DIGEST, Words("SHA-256", "SHA-256"), _CORRECTION),
    Field("size", COUNT, None, _CORRECTION),
    Field("affects_bids", TICK, None, (*_CORRECTION, *_CLARIFICATION)),
    Field("number", TEXT, Words("合同编号", "Contract number"), ("contract",)),
    Field("supplier", TEXT, Words("供应商", "Supplier"), ("contract",)),
    Field("amount_minor", MINOR, Words("金额", "Amount"), ("contract",)),
    Field("differences", TABLE, None, ("contract",)),
    Field("winner", TABLE, None, ("result", "award")),
    Field("candidates", TABLE, None, ("candidates",)),
    Field("budget_minor", MINOR, Words("预算", "Budget"), ("result",)),
    Field("ranking", TABLE, None, ("result",)),
    Field("report", DIGEST, Words("报告摘要", "Digest of the report"), ("candidates", "result")),
    Field("withdraws", STATE, Words("撤回", "Withdraws"), _CORRECTION, words="notice"),
    Field("rule", TEXT, Words("规则", "Rule"), _FAILURE),
    Field("entries", COUNT, None, _FAILURE),
    Field("entries_price", COUNT, None, _FAILURE),
    Field("deadline_price", DIGEST, None, _FAILURE),
    Field("before", MOMENT, Words("原截止时间", "Deadline before"), _CORRECTION),
    Field("officers", TEXT, None, _CORRECTION),
    Field("bids_die", TICK, None, _CORRECTION),
    Field("fault", FAULT, Words("平台故障", "Fault of the platform"), _CORRECTION),
    Field(
        "bad_minutes", COUNT, Words("不能正常提交的分钟数", "Minutes in which bidders could not submit"), _CORRECTION
    ),
    Field("planned", MOMENT, Words("拟定的新截止时间", "Planned new deadline"), _CORRECTION),
    Field("evidence", DIGEST, Words("探测记录", "Probe record"), _CORRECTION),
    Field("envelope", STATE, Words("信封", "Envelopes"), ("opening_record",), words="envelope"),
    Field("opened", DIGEST, Words("开标一览表的日志条目", "Entry of the opening list"), ("opening_record",)),
    Field("bids", TABLE, None, ("opening_record",)),
)

FIELDS: tuple[Field, ...] = (*_PROJECT, *_WRITTEN, *_PLANNED, *_OPENED, *_TOLD)


def of_notice(kind: str) -> tuple[Field, ...]:
    """The facts that the body of a notice may carry."""
    return tuple(one for one in FIELDS if kind in one.notices)


def label(name: str) -> Words:
    """What a tender notice calls a fact, for pages that show it beside. Raises: KeyError for one that it does not name."""
    return {one.name: one.label for one in of_notice("tender") if one.label}[name]


def notice(kind: str) -> NoticeRule:
    """A notice of the regular course with the facts that every one of its kind carries."""
    return NoticeRule(kind, tuple(one.name for one in of_notice(kind) if not one.only))


def asked(*parts: str) -> tuple[Field, ...]:
    """The fields an agency writes; of some parts of the form, if named."""
    return tuple(one for one in FIELDS if one.ask and (not parts or one.ask.part in parts))


WRITTEN = tuple(one for one in FIELDS if one.ask or one.kind == FORM)
"""What is written of a lot, its bid form included."""
PLANNED = tuple(one.name for one in FIELDS if one.kind == MOMENT and one.of)
"""The moments of a lot's timetable by name."""


def columns(table: str, proved: str) -> str:
    """The columns of a table that something proves, with blanks between."""
    found = [one.column[1] for one in FIELDS if one.proved == proved and one.column[0] == table]
    return " ".join(dict.fromkeys(found))
