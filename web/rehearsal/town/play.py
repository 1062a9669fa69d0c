"""The town's story: an agenda of moments in the order of time, and what its people do at each, all of it over the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from trading.kernel.money import Money
from web.rehearsal import awarding, bidding, enrol, evaluation, front, money, opening
from web.rehearsal.cast import OFFICERS, Cast, signers
from web.rehearsal.evaluation import Member
from web.rehearsal.server import Stage
from web.rehearsal.town import paper_words
from web.rehearsal.town.papers import Papers
from web.rehearsal.town.plans import Part

OFFICER_NAMES = tuple(name for name, _side in OFFICERS)
FORMS = {
    "GOODS": {"delivery_days": "30", "warranty_months": "36", "small_firm": "no"},
    "SERVICES": {"duration_days": "365", "small_firm": "no"},
    "WORKS": {"duration_days": "240", "quality": "合格", "manager": "张建业"},
}
OPENED = ("archived", "closing", "result", "contract", "report", "candidates", "award", "evaluation", "qualification")
DECIDED = ("archived", "closing", "result", "contract")
STRAY = ("云汀启明文化传播有限公司", "6222800012345678")
"""Who pays a deposit and names no number."""
COMMITTED = 3
"""Of the five seats of the panel that still scores, so many have committed; the others are for whoever visits."""


@dataclass
class Town:
    """What the play works with; ``says`` takes each line of its story, ``panel``: the seats of the panel that still scores."""

    scene: Stage
    people: Cast
    parts: dict[str, Part]
    papers: Papers
    says: Callable[[str], None]
    now: datetime
    panel: list[Member] = field(default_factory=list)
    step: str = ""

    def tell(self, line: str) -> None:
        """One line of the story, with the step it belongs to: '12/41  ...'."""
        self.says(f"{self.step}  {line}".strip())

    def of(self, *stages: str, filed: int | None = None) -> list[Part]:
        return [one for one in self.parts.values() if one.stage in stages and filed in (None, one.filed)]


def play(town: Town) -> None:
    """Everything, each moment of the agenda in its turn."""
    town.tell("所有签名人的密钥 / keys of everybody who signs")
    for person in signers(town.people):
        enrol.enrol(town.scene, person)
    steps = sorted(agenda(town), key=lambda one: one[0])
    for number, (moment, act) in enumerate(steps, 1):
        town.step = f"{number}/{len(steps)}"
        if moment > town.scene.now:
            town.scene.jump(moment)
        act()
    town.scene.jump(max(town.now, town.scene.now))


def agenda(town: Town) -> list[tuple[datetime, Callable[[], None]]]:
    """(moment, what is done then). Tenders that were filed together walk together."""
    found: list[tuple[datetime, Callable[[], None]]] = []
    now = town.now
    for filed in sorted({one.filed for one in town.parts.values()}, reverse=True):
        cohort = [one for one in town.parts.values() if one.filed == filed]
        if filed < 10:
            found.append((now - timedelta(days=filed), partial(prepare, town, cohort)))
            continue
        found += [
            (now - timedelta(days=filed), partial(publish, town, cohort)),
            (now - timedelta(days=filed - 4), partial(bids, town, cohort)),
        ]
        for deadline in sorted({one.plan.deadline for one in cohort if one.stage in OPENED}):
            together = [one for one in cohort if one.stage in OPENED and one.plan.deadline == deadline]
            found.append((deadline + timedelta(seconds=60), partial(open_all, town, together)))
            scored = [one for one in together if one.stage != "qualification"]
            if scored:
                found.append((deadline + timedelta(hours=3), partial(evaluate, town, scored)))
            found += _awards(town, [one for one in scored if one.stage in DECIDED], deadline)
    found += _standing(town)
    return found


def _awards(town: Town, parts: list[Part], deadline: datetime) -> list[tuple[datetime, Callable[[], None]]]:
    """From the report to the contract; money goes back twice: to those who lost, and after the contract."""
    if not parts:
        return []
    shown = [one for one in parts if one.plan.law.award.publicity is not None]
    decided = [one for one in parts if one not in shown]
    signed = [one for one in parts if one.stage != "result"]
    late = signed and signed[0].stage == "contract"
    contracts = town.now - timedelta(days=3) if late else deadline + timedelta(days=11)
    found: list[tuple[datetime, Callable[[], None]]] = [
        (deadline + timedelta(hours=6), partial(publicise, town, shown)),
        (deadline + timedelta(days=2), partial(award, town, decided)),
        (deadline + timedelta(days=5), partial(refund, town, 1 if late else 0)),
        (deadline + timedelta(days=9), partial(award, town, shown)),
        (contracts, partial(contract, town, signed, publish=not late)),
    ]
    if not late:
        found += [(deadline + timedelta(days=13), partial(refund, town, 0))]
    return found


def _standing(town: Town) -> list[tuple[datetime, Callable[[], None]]]:
    """What is under way at the present moment."""
    now, hall = town.now, town.parts["HALL"].plan
    return [
        (now - timedelta(days=60), partial(terminate, town)),
        (now - timedelta(days=95), partial(archive, town)),
        (now - timedelta(days=2, hours=1), partial(publicise, town, town.of("candidates"))),
        (now - timedelta(days=1, hours=2), partial(object_now, town)),
        (now - timedelta(days=1), partial(decide, town, town.of("award"))),
        (now - timedelta(days=1), partial(questions, town)),
        (now - timedelta(hours=3), partial(bank_news, town)),
        (hall.deadline + timedelta(seconds=60), town.scene.settle),
        (now - timedelta(seconds=1), partial(filings, town)),
    ]


# --- the front half -----------------------------------------------------------------------------------------------------------------


def publish(town: Town, cohort: list[Part]) -> None:
    prepare(town, cohort)
    town.scene.settle()
    for one in cohort:
        front.publish(town.scene, town.people, one.plan)
    town.scene.settle()


def prepare(town: Town, cohort: list[Part]) -> None:
    for one in cohort:
        town.tell(f"{one.plan.name}：立项、编制招标文件 / filed and drafted")
        one.plan.documents = town.papers.tender(one)
        front.file_project(town.scene, town.people, one.plan)
        front.draft_tender(town.scene, town.people, one.plan)
        if one.stage != "draft":
            front.name_officers(town.scene, town.people, one.plan)
            front.return_drills(town.scene, town.people, one.plan)


def bids(town: Town, cohort: list[Part]) -> None:
    for one in cohort:
        if one.bidders:
            town.tell(f"{one.plan.name}：投标 / bids")
        town.scene.each(lambda offer: bid(town, one, *offer), list(zip(one.bidders, one.offers, strict=False)))  # noqa: B023 (at once)
    if any(one.bidders for one in cohort):
        money.fetch_statement(town.people)


def bid(town: Town, one: Part, n: int, thousandths: int) -> None:
    """A firm takes part, pays and hands in."""
    bidder = town.people[f"bidder{n}"]
    price = f"{int(one.plan.budget.split('.')[0]) * thousandths // 1000}.00"
    bidding.take_part(bidder, one.plan.ref)
    money.pay_in(town.scene, bidder, one.plan, account=f"6222{n:012d}", name=bidder.name_of_org)
    bidding.hand_in(
        town.scene, bidder, one.plan.ref, {"price": price, **FORMS[one.plan.category]}, town.papers.bid(one, n, price)
    )


def questions(town: Town) -> None:
    """On the lot that stays open longest: one question answered to everybody, one that waits."""
    ref = town.parts["OPEN"].plan.ref
    for name in ("bidder4", "bidder9"):
        bidding.take_part(town.people[name], ref)
    bidding.ask(town.people["bidder4"], ref, "交货地点是否包含各养老服务站的二楼房间？")
    agent = town.people["agent"].at()
    page = agent.get(f"/agency/lots/{ref}/clarify")
    form = next(one for one in page.forms() if "enquiry" in dict(one.fields))
    agent.post(
        page,
        form.action,
        {
            "enquiry": dict(form.fields)["enquiry"],
            "text": "包含。各站均有电梯，货物须送至指定房间。",
            "question": "交货地点是否包含各养老服务站的二楼房间？",
            "affects": "no",
        },
    )
    bidding.ask(town.people["bidder9"], ref, "床头柜的尺寸允许偏差是多少？")


# --- opening and evaluation ---------------------------------------------------------------------------------------------------------


def open_all(town: Town, parts: list[Part]) -> None:
    town.tell("、".join(one.plan.name for one in parts) + "：开标 / opening")
    scene, people = town.scene, town.people
    scene.walk(scene.now + timedelta(seconds=130))
    for one in parts:
        opening.list_bids(scene, people, one.plan)
    scene.settle()
    for one in parts:
        opening.open_lot(scene, people, one.plan, came=OFFICER_NAMES, bidders=[f"bidder{n}" for n in one.bidders])
    scene.together(
        [opening.draw_steps(scene, people, one.plan, "k", steered_by="host") for one in parts if one.plan.coefficients]
    )
    for one in parts:
        opening.sign_and_close(people, one.plan)


def evaluate(town: Town, parts: list[Part]) -> None:
    town.tell("、".join(one.plan.name for one in parts) + "：评标 / evaluation")
    scene, people = town.scene, town.people
    for one in parts:
        if one.plan.law.qualifies:
            awarding.qualify(people, one.plan)
    panels = scene.together([evaluation.seat_panel_steps(scene, people, one.plan) for one in parts])
    whole: list[tuple[Part, list[Member]]] = []
    for one, panel in zip(parts, panels, strict=True):
        evaluation.conform(one.plan, panel)
        if one.stage == "evaluation":
            town.panel = panel
            evaluation.commit(scene, one.plan, panel[:COMMITTED], points)
            continue
        if one.plan.scores:
            evaluation.commit(scene, one.plan, panel, points)
        whole.append((one, panel))
    scored = [(one.plan, panel) for one, panel in whole if one.plan.scores]
    scene.together([evaluation.reveal_steps(scene, plan, panel) for plan, panel in scored])
    for one, panel in whole:
        evaluation.report(scene, one.plan, panel)


def points(member: int, at: int, criterion: Mapping[str, Any]) -> str:
    most = int(criterion["max"])
    return str(most) if criterion["kind"] == "objective" else f"{most * 7 // 10 + (member + at) % 4}.50"


# --- after it -----------------------------------------------------------------------------------------------------------------------


def publicise(town: Town, parts: list[Part]) -> None:
    for one in parts:
        awarding.publicise(town.people, one.plan)


def decide(town: Town, parts: list[Part]) -> None:
    for one in parts:
        awarding.decide(town.people, one.plan)


def award(town: Town, parts: list[Part]) -> None:
    if parts:
        town.tell("、".join(one.plan.name for one in parts) + "：定标 / award")
    decide(town, parts)
    for one in parts:
        awarding.announce(town.people, one.plan)


def contract(town: Town, parts: list[Part], *, publish: bool) -> None:
    town.tell("、".join(one.plan.name for one in parts) + "：合同 / contract")
    for one in parts:
        awarding.contract(
            town.people,
            one.plan,
            town.scene.now - timedelta(hours=1),
            publish=publish,
            text=paper_words.agreement_text(one.plan),
        )
    town.scene.turn()


def refund(town: Town, leave: int) -> None:
    """What is due goes back with its interest, which the bank has credited by then, but for so many, which stay and become overdue."""
    town.tell("退还保证金 / deposits go back")
    money.bank_interest(town.scene, town.people, "960.00", note="保证金专户结息")
    for _ in range(3):
        if not money.refund_everything(town.scene, town.people, leave=leave) or leave:
            break
        town.scene.jump(town.scene.now + timedelta(hours=1))
    money.reconcile(town.people)


def bank_news(town: Town) -> None:
    """The bank credits its interest, and a deposit that names no sub-account, of a firm that is registered nowhere here: the cashier has to
    say what they are. (One of a registered firm would be shown to nobody while a lot is sealed that it may be for.)"""
    town.scene.bank.receive(
        Money.parse(town.parts["OPEN"].plan.deposit), name=STRAY[0], account=STRAY[1], text="投标保证金"
    )
    town.scene.bank.pay_interest(Money.parse("1286.40"))
    money.fetch_statement(town.people)


def terminate(town: Town) -> None:
    for one in town.of("terminated"):
        awarding.terminate(town.people, one.plan, "采购任务取消：公园整体改造计划调整，本年度不再实施照明维护。")


def archive(town: Town) -> None:
    for one in town.of("archived"):
        awarding.archive(town.people, one.plan)


def object_now(town: Town) -> None:
    """A bidder who did not come first objects to the candidates; the answer is due."""
    for one in town.of("candidates"):
        awarding.object_to(
            town.people[f"bidder{one.bidders[0]}"], one.plan, "请求复核第一中标候选人拟派项目经理的业绩证明材料。"
        )


def filings(town: Town) -> None:
    """One project waits for the clerk, one is a draft."""
    for name, filed in (("春晓区学校食堂食材配送服务", True), ("春晓区教师培训服务采购", False)):
        buyer = town.people["buyer"].at()
        page = buyer.send(
            "/agency/projects/new",
            "/agency/acts/draft-project",
            {
                "regime": "GP",
                "method.GP": "M1",
                "name": name,
                "category": "SERVICES",
                "kind": "",
                "agency": town.people["agent"].code,
                "budget": "860000.00",
                "region": "130205",
                "funds": "财政预算资金",
                "approval_no": "春财采〔2026〕88号",
                "agency_agreement": "委托代理协议",
                "intent_at": (town.now - timedelta(days=45)).date().isoformat(),
                "contact": f"{town.people['buyer'].name} 0315-0000101",
            },
        )
        if filed:
            buyer.send(f"{page.path}/file", f"{page.path}/acts/file")
