"""Parts that the procedures of the Tendering and Bidding Law have in common."""

from trading.procedures.procedure import (
    CONFIRMATION_ENDS,
    DEADLINE,
    PUBLICITY_ENDS,
    SIGNED,
    AwardRule,
    ContractRule,
    Minimum,
    Money,
    Needed,
    PanelRule,
    Path,
    Publicity,
    PublicStage,
    Refund,
    Remedies,
    RuleRef,
    Window,
    Words,
)
from trading.procedures.shared import AWARD, CANDIDATES, CONTRACT, OPENING_RECORD, RESULT, TENDER

LAW = Words("工程招标", "Works tender")
FILING = (
    Needed("approval_no", "project.gap_approval"),
    Needed("budget", "project.gap_budget"),
    Needed("funds", "project.gap_funds"),
    Needed("agency_agreement", "project.gap_agreement", of_agency=True),
    Needed("contact", "project.gap_contact"),
    Needed("region", "project.gap_region"),
)
CATEGORIES = ("GOODS", "SERVICES", "WORKS")
KINDS = ("CONSTRUCTION", "WORK_GOODS", "WORK_SERVICES")
PATH = Path(
    states=(
        "ACCEPTED",
        "NOTICE",
        "BIDDING",
        "OPENING",
        "EVALUATION",
        "REPORT",
        "CANDIDATES",
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
        "publicise",
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
    never=(("REPORT", "decide"),),
)
STAGES = (
    PublicStage("notice", ("NOTICE",)),
    PublicStage("documents"),
    PublicStage("bidding", ("BIDDING",)),
    PublicStage("opening", ("OPENING",)),
    PublicStage("review", ("EVALUATION",)),
    PublicStage("publicity", ("REPORT", "CANDIDATES")),
    PublicStage("result", ("AWARD",)),
    PublicStage("contract", ("RESULT", "CONTRACT")),
)
MINIMUM = Minimum(RuleRef("B-07"), "fail_few", competition=RuleRef("B-07"), lapses_when_revoked=True)
PANEL = PanelRule(
    members=RuleRef("P-01"),
    odd=RuleRef("P-01.odd"),
    experts=RuleRef("P-01.experts"),
    purchaser_may_lead=True,
)
AWARD_RULE = AwardRule(
    publicity=Publicity(starts=RuleRef("T-17"), lasts=RuleRef("T-17.publicity"), most=RuleRef("M7.9")),
    decide=None,
    announce=None,
    shown=None,
)
CONTRACT_RULE = ContractRule(sign=RuleRef("T-14"), publish=None, file=None)
NOTICES = (
    TENDER,
    OPENING_RECORD,
    CANDIDATES,
    RESULT,
    AWARD,
    CONTRACT,
)
REMEDIES = Remedies(
    kind="objection",
    windows=(
        Window("documents", DEADLINE, RuleRef("T-24"), RuleRef("T-24")),
        Window("opening", CONFIRMATION_ENDS, None, "TReg art. 44"),
        Window("result", PUBLICITY_ENDS, None, RuleRef("T-25")),
    ),
    answer=RuleRef("T-26"),
    complaint=RuleRef("T-27"),
    complaint_examined=RuleRef("T-27b"),
    complaint_decided=RuleRef("T-27b.decide"),
    stops=("decide", "contract"),
    upheld_stops=("decide", "contract"),
    forfeit=RuleRef("T-27"),
    forfeit_by="complaint",
    opening_waits=True,
    complaint_from_answer=True,
)
MONEY = Money(
    refunds=(Refund("contract_signed_all", SIGNED),),
    grounds=("D-40", "D-41", "D-44"),
    goes_to="tenderee",
    missing="E-24",
)
