"""Parts that the procedures of the Government Procurement Law have in common."""

from trading.procedures.procedure import (
    ANNOUNCED,
    CONFORMITY,
    NOTICE_ENDS,
    OPENED,
    QUALIFICATION,
    RESULT_ENDS,
    SIGNED,
    AwardRule,
    ContractRule,
    Minimum,
    Money,
    Needed,
    PanelRule,
    Path,
    PublicStage,
    Refund,
    Remedies,
    Review,
    RuleRef,
    Window,
    Words,
)
from trading.procedures.shared import AWARD, CONTRACT, OPENING_RECORD, RESULT, TENDER

LAW = Words("政府采购", "Government procurement")
_CHALLENGE = RuleRef("T-21")

FILING = (
    Needed("approval_no", "project.gap_plan"),
    Needed("budget", "project.gap_budget"),
    Needed("funds", "project.gap_funds"),
    Needed("agency_agreement", "project.gap_agreement", of_agency=True),
    Needed("contact", "project.gap_contact"),
    Needed("region", "project.gap_region"),
    Needed("intent_at", "project.gap_intent", RuleRef("A-06")),
)
CHOSEN = (
    Needed("ground", "project.gap_ground"),
    Needed("ground_facts", "project.gap_ground_facts"),
    Needed("consent_no", "project.gap_consent", "R-08", from_budget=RuleRef("R-07")),
    Needed("consent_on", "project.gap_consent_day", "R-08", from_budget=RuleRef("R-07")),
)
"""What a filing holds beside where the open tender is not used: the ground in law with its facts, and from the open-tender threshold on
the consent of the finance department (rules R-07, R-08)."""

AWARD_RULE = AwardRule(publicity=None, decide=RuleRef("T-11"), announce=RuleRef("T-12"), shown=RuleRef("T-13"))
CONTRACT_RULE = ContractRule(sign=RuleRef("T-14"), publish=RuleRef("T-15"), file=RuleRef("T-16"))

REMEDIES = Remedies(
    kind="challenge",
    windows=(
        Window("documents", NOTICE_ENDS, _CHALLENGE, _CHALLENGE),
        Window("opening", OPENED, _CHALLENGE, _CHALLENGE),
        Window("result", RESULT_ENDS, _CHALLENGE, _CHALLENGE),
    ),
    answer=RuleRef("T-22"),
    complaint=RuleRef("T-23"),
    complaint_examined=RuleRef("T-23b"),
    complaint_decided=RuleRef("T-23b.decide"),
    stops=("contract",),
    upheld_stops=("contract",),
    forfeit=_CHALLENGE,
    forfeit_by="challenge",
    complaint_suspends=RuleRef("T-23b.suspend"),
)
MONEY = Money(
    refunds=(Refund("award_notice_sent_losers", ANNOUNCED, losers=True), Refund("contract_signed_winner", SIGNED)),
    grounds=("D-43",),
    goes_to="treasury",
    missing="E-25",
)
ABNORMAL_PRICES = (RuleRef("2.9.mean"), RuleRef("2.9.second"), RuleRef("2.9.ceiling"))

TENDER_PATH = Path(
    states=(
        "ACCEPTED",
        "NOTICE",
        "BIDDING",
        "OPENING",
        "QUAL_REVIEW",
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
        "review_qualification",
        "fail_review",
        "qualify",
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
)
TENDER_STAGES = (
    PublicStage("intention"),
    PublicStage("notice", ("NOTICE",)),
    PublicStage("documents"),
    PublicStage("bidding", ("BIDDING",)),
    PublicStage("opening", ("OPENING",)),
    PublicStage("review", ("QUAL_REVIEW", "EVALUATION")),
    PublicStage("decision", ("REPORT",)),
    PublicStage("result", ("AWARD",)),
    PublicStage("contract", ("RESULT", "CONTRACT")),
)
TENDER_MINIMUM = Minimum(RuleRef("B-01"), "fail_few", conforming=RuleRef("B-01.conforming"))
TENDER_REVIEWS = (
    Review(QUALIFICATION, "purchaser or agency", "review_qualification"),
    Review(CONFORMITY, "panel", "qualify"),
)
TENDER_PANEL = PanelRule(
    members=RuleRef("P-02"),
    odd=RuleRef("P-02.odd"),
    experts=RuleRef("P-02.experts"),
    purchaser_may_lead=False,
    large=RuleRef("P-02.large"),
    large_budget=RuleRef("P-02.large_budget"),
)
TENDER_NOTICES = (
    TENDER,
    OPENING_RECORD,
    RESULT,
    AWARD,
    CONTRACT,
)
