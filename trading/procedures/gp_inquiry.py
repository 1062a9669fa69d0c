"""M5, inquiry: goods of uniform specification by one price each, under the Government Procurement Law (询价).

As the open tender, but that the inquiry panel reviews qualification too and the lowest price wins (GPL arts. 32, 40).
"""

from dataclasses import replace

from trading.procedures import gp_open_tender
from trading.procedures.gp_shared import CHOSEN
from trading.procedures.procedure import (
    CONFORMITY,
    Ground,
    Minimum,
    PanelRule,
    Path,
    PublicStage,
    Review,
    RuleRef,
    Words,
)
from trading.procedures.vocabulary import responses

_OPEN = gp_open_tender.PROCEDURE

PROCEDURE = replace(
    _OPEN,
    id="M5",
    name=Words("询价", "Inquiry"),
    scope=Words(
        "规格、标准统一，现货充足且价格变化幅度小的货物；一次报价，不得更改（M5）",
        "Goods of uniform specification, in ample stock, whose price moves little; one price, never changed (M5)",
    ),
    intake=replace(
        _OPEN.intake,
        categories=("GOODS",),
        filing=(*_OPEN.intake.filing, *CHOSEN),
        grounds=(Ground("standard_goods", "GPL art. 32"),),
        limits="GPL art. 32",
    ),
    path=Path(
        states=(
            "ACCEPTED",
            "NOTICE",
            "BIDDING",
            "OPENING",
            "EVALUATION",
            "REPORT",
            "AWARD",
            "RESULT",
            "CONTRACT",
            "FILING",
            "CLOSING",
            "ARCHIVED",
            "FAILED",
            "TERMINATED",
        ),
        steps=(
            "publish",
            "issue",
            "close",
            "fail_few",
            "fail_opening",
            "fail_fault",
            "evaluate",
            "fail_evaluation",
            "report",
            "decide",
            "announce",
            "decide_again",
            "review_again",
            "annul",
            "contract",
            "file",
            "settle",
            "archive",
            "terminate",
        ),
    ),
    public_stages=(
        PublicStage("intention"),
        PublicStage("notice", ("NOTICE",)),
        PublicStage("documents"),
        PublicStage("bidding", ("BIDDING",)),
        PublicStage("opening", ("OPENING",)),
        PublicStage("review", ("EVALUATION",)),
        PublicStage("decision", ("REPORT",)),
        PublicStage("result", ("AWARD",)),
        PublicStage("contract", ("RESULT", "CONTRACT")),
    ),
    envelopes=(("bid",),),
    minimum=Minimum(RuleRef("B-04"), "fail_few", conforming=RuleRef("B-04")),
    reviews=(Review(CONFORMITY, "panel", "evaluate"),),
    panel=PanelRule(
        members=RuleRef("P-03"),
        odd=RuleRef("P-03.odd"),
        experts=RuleRef("P-03.experts"),
        purchaser_may_lead=False,
        large=RuleRef("P-03.large"),
        large_budget=RuleRef("R-07"),
        large_by_nature=False,
    ),
    evaluation=("GP_LOWEST",),
    money=replace(_OPEN.money, grounds=("D-42",)),
    vocabulary=responses(
        documents="询价通知书",
        notice=("询价公告", "Inquiry notice"),
        panel=("询价小组", "inquiry panel"),
        documents_en="inquiry documents",
    ),
)
