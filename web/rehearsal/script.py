"""The play: four tenders from filing to the last refund over HTTP, with the troubles of real life, and what is checked on the way."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from web.rehearsal import awarding, bidding, enrol, evaluation, front, money, opening
from web.rehearsal.bidding import Bid
from web.rehearsal.browser import Unexpected
from web.rehearsal.cast import OFFICERS, Cast, signers
from web.rehearsal.front import PDF, Plan
from web.rehearsal.plans import plans
from web.rehearsal.server import Stage

GOODS = {"delivery_days": "30", "warranty_months": "36", "small_firm": "no"}
WORKS = {"duration_days": "240", "quality": "合格", "manager": "张工"}
OFFICER_NAMES = tuple(name for name, _side in OFFICERS)


@dataclass
class Story:
    """One tender as it goes: who takes part, what they handed in, what was refused."""

    plan: Plan
    bidders: list[str]
    bids: dict[str, Bid] = field(default_factory=dict)
    received: int = 0
    replaced: int = 0
    withdrawn: int = 0
    refused: list[str] = field(default_factory=list)
    drawn: dict[str, Any] | None = None


@dataclass
class Play:
    """The whole rehearsal: scene, people, stories by key, checks by name."""

    scene: Stage
    cast: Cast
    stories: dict[str, Story]
    rng: random.Random
    tell: Callable[[str], None]
    checks: dict[str, bool] = field(default_factory=dict)

    def check(self, name: str, ok: bool) -> None:
        """A check that is made several times holds only if it held every time."""
        self.checks[name] = self.checks.get(name, True) and bool(ok)

    def refused(self, name: str, act: Callable[[], Any], *statuses: int) -> None:
        """The check that an act is refused with one of these statuses."""
        try:
            act()
        except Unexpected as error:
            self.check(name, error.answer.status in statuses)
        else:
            self.check(name, False)


def prepare(scene: Stage, cast: Cast, *, bidders: int, seed: int, start: datetime, tell: Callable[[str], None]) -> Play:
    """Who bids for what: the first tender and the works get ``bidders`` each, the second procurement three, the failing one two."""
    found = plans(start)
    names = [f"bidder{n}" for n in range(1, 2 * bidders + 1)]
    stories = {
        "A": Story(found["A"], names[:bidders]),
        "B": Story(found["B"], names[bidders:]),
        "C": Story(found["C"], names[:3]),
        "D": Story(found["D"], names[:2]),
        "E": Story(found["E"], []),
    }
    found["D"].invited = names[:3]
    found["E"].invited = names[:6]
    return Play(scene, cast, stories, random.Random(seed), tell)


def play(p: Play) -> None:
    """Everything, in the order it happens."""
    publish(p)
    take_part(p)
    bid(p)
    close(p)
    open_all(p)
    evaluate(p)
    award(p)
    settle(p)


def publish(p: Play) -> None:
    """Filing with a gap, acceptance, drafts, officers' keys, policies, drills, notices; the illegal date is refused with its rule."""
    p.tell("filing, acceptance and drafts")
    for person in signers(p.cast):
        enrol.enrol(p.scene, person)
    for story in p.stories.values():
        front.file_project(p.scene, p.cast, story.plan)
        front.draft_tender(p.scene, p.cast, story.plan)
    lot = f"/agency/lots/{p.stories['A'].plan.ref}"
    p.refused(
        "illegal deadline refused",
        lambda: (
            p.cast["agent"]
            .at()
            .send(f"{lot}/timetable", f"{lot}/acts/plan", {"deadline": front.local(p.scene.now + timedelta(days=10))})
        ),
        422,
    )
    p.tell("officers' keys, policies and drills")
    for story in p.stories.values():
        front.name_officers(p.scene, p.cast, story.plan)
        front.return_drills(p.scene, p.cast, story.plan)
    p.scene.settle()
    for story in p.stories.values():
        if story.plan.draws_invited:
            p.tell("a draw of whom to invite")
            story.bidders = opening.draw_invited(p.scene, p.cast, story.plan, take=3)
    p.scene.settle()
    for story in p.stories.values():
        front.publish(p.scene, p.cast, story.plan)
    p.scene.settle()


def take_part(p: Play) -> None:
    """Bidders take part and pay; one pays from a stranger's account; a question is asked and answered to everybody."""
    p.tell("taking part, deposits, a question")
    p.scene.jump(p.scene.now + timedelta(days=2))
    for key, story in p.stories.items():
        for name in story.bidders:
            bidder = p.cast[name]
            bidding.take_part(bidder, story.plan.ref)
            own = f"6222{int(name.removeprefix('bidder')):012d}"
            stranger = key == "A" and name == story.bidders[2]
            money.pay_in(
                p.scene,
                bidder,
                story.plan,
                account="6228999900001111" if stranger else own,
                name="路过商贸有限公司" if stranger else p.cast[name].name_of_org,
            )
    ref = p.stories["A"].plan.ref
    bidding.ask(p.cast["bidder1"], ref, "交货期能否按学校分批计算？")
    agent = p.cast["agent"].at()
    page = agent.get(f"/agency/lots/{ref}/clarify")
    form = next(one for one in page.forms() if "enquiry" in dict(one.fields))
    agent.post(
        page,
        form.action,
        {
            "enquiry": dict(form.fields)["enquiry"],
            "text": "可以，按学校分批计算，最后一批不晚于约定日期。",
            "question": "交货期能否按学校分批计算？",
            "affects": "no",
        },
    )
    p.check("question answered to everybody", "分批计算" in p.cast["bidder2"].at().get(f"/lots/{ref}").text)
    money.fetch_statement(p.cast)


def bid(p: Play) -> None:
    """Sealing, resumable uploads, receipts; a bid replaced, one withdrawn, one meant for another lot."""
    p.tell("sealing, uploading and submitting bids")
    p.scene.jump(p.scene.now + timedelta(days=8))
    for key, story in p.stories.items():
        for at, name in enumerate(story.bidders):
            cut = 5000 if key == "A" and at == 0 else None
            hand_in(p, key, story, name, price(p, story, at), stop_after=cut)
    a = p.stories["A"]
    second, last = a.bidders[1], a.bidders[-1]
    hand_in(p, "A", a, second, price(p, a, 1, cheaper=True), replaces=a.bids[second].statement)
    a.received, a.replaced = a.received - 1, a.replaced + 1
    taken = bidding.withdraw(p.scene, p.cast[last], a.plan.ref, a.bids.pop(last))
    a.withdrawn += taken["accepted"]
    foreign = bidding.seal(
        p.scene, p.cast[a.bidders[0]], p.stories["C"].plan.ref, {"price": "1.00", **GOODS}, {"a.pdf": PDF}
    )
    try:
        bidding.upload(p.cast[a.bidders[0]], a.plan.ref, foreign.data)
        p.check("another lot's envelope refused at its header", False)
    except ValueError as error:
        p.check("another lot's envelope refused at its header", "422" in str(error))
    p.scene.settle()
    for story in p.stories.values():
        for name, one in story.bids.items():
            p.check(
                "every receipt proved in the log", bidding.prove(p.cast[name], story.plan.ref, one).state == "in_log"
            )


def price(p: Play, story: Story, at: int, *, cheaper: bool = False) -> str:
    """A price some percent under the ceiling, spread by the seed."""
    budget = int(story.plan.budget.split(".")[0])
    percent = 97 - 2 * at - (3 if cheaper else 0)
    return f"{budget * percent // 100 - p.rng.randrange(0, budget // 500)}.00"


def hand_in(
    p: Play, key: str, story: Story, name: str, amount: str, *, replaces: str = "", stop_after: int | None = None
) -> None:
    form = {"price": amount, **(WORKS if story.plan.regime == "WORKS" else GOODS)}
    files = {"技术文件.pdf": PDF + p.rng.randbytes(20_000), "商务文件.pdf": PDF + p.rng.randbytes(3_000)}
    story.bids[name] = bidding.hand_in(
        p.scene, p.cast[name], story.plan.ref, form, files, replaces=replaces, stop_after=stop_after
    )
    story.received += 1


def close(p: Play) -> None:
    """The last hour; nobody sees numbers or names; a bid that comes with the deadline's second is refused with a proof."""
    p.tell("the last hour before the deadline")
    a = p.stories["A"]
    p.scene.jump(a.plan.deadline - timedelta(minutes=60))
    look_for_names(p)
    late_name = a.bidders[-1]
    late = bidding.seal(p.scene, p.cast[late_name], a.plan.ref, {"price": "1000000.00", **GOODS}, {"技术文件.pdf": PDF})
    p.scene.walk(a.plan.deadline - timedelta(seconds=10))
    late.token = bidding.upload(p.cast[late_name], a.plan.ref, late.data)
    p.scene.walk(a.plan.deadline)
    found = bidding.submit(p.cast[late_name], a.plan.ref, late)
    a.refused.append(found["reason"])
    p.check("late bid refused with a signed proof", found["reason"] == "LATE" and not found["accepted"])
    p.scene.walk(a.plan.deadline + timedelta(seconds=190))
    p.check("late refusal proved in the log", bidding.prove(p.cast[late_name], a.plan.ref, late).state == "in_log")
    d = p.stories["D"].plan
    page = p.cast["agent"].at().get(f"/lots/{d.ref}")
    p.check("two bidders: failed, not opened", "流标" in page.text or "废标" in page.text)
    p.refused(
        "a failed tender is not opened",
        lambda: p.cast["host"].at().post(f"/hall/{d.ref}/host", f"/hall/{d.ref}/acts/list", {}),
        409,
    )


def look_for_names(p: Play) -> None:
    """Nobody but the bidder itself finds a bidder's name on any page of a sealed lot."""
    ref = p.stories["A"].plan.ref
    pages = {
        "agent": [f"/agency/lots/{ref}", "/agency"],
        "host": [f"/hall/{ref}/host", f"/hall/{ref}"],
        "clerk": ["/centre"],
        "cashier": ["/cashier", "/cashier/refunds", "/cashier/ledger"],
        "supervisor": ["/supervisor"],
        "buyer": [f"/lots/{ref}", "/"],
    }
    names = [p.cast[name].name_of_org for name in p.stories["A"].bidders] + [
        p.cast[name].code for name in p.stories["A"].bidders
    ]
    for who, paths in pages.items():
        for path in paths:
            text = p.cast[who].at().get(path, ok=(200, 403, 404)).text
            p.check("no bidder named on any page before the opening", not any(name in text for name in names))


def open_all(p: Play) -> None:
    """Sets published, shares released, one officer absent, decryption, countersignatures, confirmations, the coefficient drawn, minutes."""
    p.tell("opening: shares, decryption, minutes")
    live = [p.stories[key] for key in "ABCE"]
    for story in live:
        opening.list_bids(p.scene, p.cast, story.plan)
    p.scene.settle()
    for story in live:
        came = [name for name in OFFICER_NAMES if not (story.plan.key == "A" and name == "officer4")]
        for name in came:
            opening.release(p.scene, p.cast[name], story.plan)
    for story in live[1:]:
        finish_opening(p, story, list(OFFICER_NAMES))
    b = p.stories["B"]
    b.drawn = opening.draw(p.scene, p.cast, b.plan, "k", steered_by="host")
    a = p.stories["A"]
    p.refused(
        "no decryption while an officer may still come",
        lambda: p.cast["host"].at().post(f"/hall/{a.plan.ref}/host", f"/hall/{a.plan.ref}/acts/open", {}),
        409,
    )
    p.scene.walk(a.plan.deadline + timedelta(minutes=36))
    finish_opening(p, a, [name for name in OFFICER_NAMES if name != "officer4"])


def finish_opening(p: Play, story: Story, came: list[str]) -> None:
    opening.decrypt(p.scene, p.cast, story.plan)
    for name in came:
        opening.countersign_list(p.cast[name], story.plan)
    for name in story.bids:
        opening.confirm(p.cast[name], story.plan)
    opening.sign_and_close(p.cast, story.plan)
    hall = p.cast["buyer"].at().get(f"/hall/{story.plan.ref}").text
    p.check("every bid of the set opened", all(p.cast[name].name_of_org in hall for name in story.bids))


def evaluate(p: Play) -> None:
    """Qualification, panels, sheets (one member's scores far off), reports."""
    p.tell("panels, score sheets, reports")
    p.scene.jump(p.scene.now + timedelta(hours=3))
    for key in "ABCE":
        story = p.stories[key]
        if story.plan.law.qualifies:
            awarding.qualify(p.cast, story.plan)
        panel = evaluation.seat_panel(p.scene, p.cast, story.plan)
        evaluation.conform(story.plan, panel)
        if not story.plan.scores:
            evaluation.report(p.scene, story.plan, panel)
            continue
        evaluation.commit(p.scene, story.plan, panel, _points(key))
        first = panel[0]
        p.refused(
            "no sheet revealed before all are listed",
            lambda f=first, s=story: f.person.confirmed().post(  # type: ignore[misc]
                f"/expert/{s.plan.ref}", f"/expert/{s.plan.ref}/acts/reveal", {"sheet": "{}", "salt": ""}
            ),
            409,
            422,
        )
        evaluation.reveal(p.scene, story.plan, panel)
        evaluation.report(p.scene, story.plan, panel)


def _points(key: str) -> evaluation.Points:
    def points(member: int, bid_at: int, criterion: Any) -> str:
        most = int(criterion["max"])
        if criterion["kind"] == "objective":
            return str(most)
        if key == "A" and member == 2 and bid_at == 0:
            return f"{most * 3 // 10}.00"  # the outlier
        return f"{most * 7 // 10 + (member + bid_at) % 4}.50"

    return points


def award(p: Play) -> None:
    """Decisions, publicity with an objection answered, notices, contracts."""
    p.tell("publicity, objection, decisions, contracts")
    b = p.stories["B"]
    awarding.publicise(p.cast, b.plan)
    for key in "ACE":
        awarding.decide(p.cast, p.stories[key].plan)
        awarding.announce(p.cast, p.stories[key].plan)
    p.scene.jump(p.scene.now + timedelta(days=1))
    loser = list(b.bids)[-1]
    awarding.object_to(p.cast[loser], b.plan, "请求复核第一中标候选人的项目经理业绩。")
    p.refused(
        "an open objection stops the decision",
        lambda: (
            p.cast["builder"]
            .confirmed()
            .post(f"/agency/lots/{b.plan.ref}/award/decide", f"/agency/lots/{b.plan.ref}/acts/decide", {"rank": "1"})
        ),
        409,
        422,
    )
    p.check(
        "objection answered", awarding.answer_objections(p.cast, b.plan, "经复核，业绩材料齐全，评审结论成立。") == 1
    )
    p.scene.jump(p.scene.now + timedelta(days=6))
    awarding.decide(p.cast, b.plan)
    awarding.announce(p.cast, b.plan)
    for key in "ACE":
        awarding.contract(p.cast, p.stories[key].plan, p.scene.now - timedelta(hours=2))
    p.scene.jump(p.scene.now + timedelta(days=2))
    awarding.contract(p.cast, b.plan, p.scene.now - timedelta(hours=1))
    p.scene.turn()


def settle(p: Play) -> None:
    """Refunds prepared by one, approved by another, paid, confirmed by the statement; the books compared."""
    p.tell("refunds and reconciliation")
    p.refused(
        "the cashier approves nothing",
        lambda: (
            p.cast["cashier"]
            .confirmed()
            .post("/cashier/refunds", "/cashier/batches/none/acts/approve", {"approval": ""})
        ),
        403,
    )
    money.bank_interest(p.scene, p.cast, "800.00")
    for _ in range(4):
        if not money.refund_everything(p.scene, p.cast):
            break
        p.scene.jump(p.scene.now + timedelta(hours=1))
    money.reconcile(p.cast)
    p.scene.settle()
