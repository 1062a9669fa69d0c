"""A small town for rehearsal: people for every role with their key files, tenders in every stage, one with its deadline minutes away.

Everything is reached by the same pages a person uses, on a clock that ends at the present moment; nothing is written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from crypto import keyfiles
from trading.kernel.clock import SystemClock, floor_minute
from web.rehearsal import awarding, bidding, cast, enrol, evaluation, front, money, opening, plans, server
from web.rehearsal.cast import OFFICERS, PASSWORD, Cast, Person
from web.rehearsal.front import PDF, Plan
from web.rehearsal.server import Stage
from web.settings import Settings

DONE = "town.json"
BACK = timedelta(days=34)
OFFICER_NAMES = tuple(name for name, _side in OFFICERS)
OFFERS = {"ROAD": (948, 921, 904), "DONE": (961, 944, 926)}  # thousandths of the ceiling
GOODS = {"delivery_days": "30", "warranty_months": "36", "small_firm": "no"}


def fill(settings: Settings, tell: Callable[[str], None]) -> list[str]:
    """Fill an empty data folder, or use the town an earlier run made. Returns the lines that say who can sign in and how."""
    kept = settings.data / DONE
    if not kept.exists():
        now = floor_minute(SystemClock().now())
        with server.stage(replace(settings, test_clock=""), now - BACK) as scene:
            lines = _build(scene, now, tell)
        kept.write_text(json.dumps(lines, ensure_ascii=False, indent=1), encoding="utf-8")
    found: list[str] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _build(scene: Stage, now: datetime, tell: Callable[[str], None]) -> list[str]:
    scene.turn()
    people = cast.settle(scene, bidders=6)
    tell("people and keys")
    signing = [p for name, p in people.items() if name in (*OFFICER_NAMES, "buyer", "builder") or name.startswith(("bidder", "expert"))]
    for person in signing:
        enrol.enrol(scene, person)
    _write_key_files(scene.settings.data / "keys", signing)
    made = _plans(now)
    for plan in made.values():
        tell(f"{plan.name}: filed and drafted")
        front.file_project(scene, people, plan)
        if plan.key != "NEW":
            _ready(scene, people, plan)
    scene.settle()
    for plan in made.values():
        if plan.key != "NEW":
            front.publish(scene, people, plan)
    scene.settle()
    scene.jump(now - BACK + timedelta(days=3))
    for plan in made.values():
        if plan.key not in ("NEW", "OPEN"):
            tell(f"{plan.name}: bids")
            _bids(scene, people, plan, 2 if plan.key == "FAILED" else 3)
    money.fetch_statement(people)
    scoring = _finish(scene, people, made, now, tell)
    scene.jump(now)
    _filings(people, now)
    return list(_sign_ins(scene, people, made, scoring))


def _plans(now: datetime) -> dict[str, Plan]:
    def goods(key: str, name: str, budget: str, deposit: str, deadline: datetime) -> Plan:
        return Plan(key, name, "GP", "GOODS", "", "buyer", "education", budget, deposit, deadline, deadline,
                    intent=(now - BACK - timedelta(days=40)).date().isoformat(), scheme=plans.GP_SCHEME)

    works = Plan("REVIEW", "春晓区滨河路道路改造工程施工", "WORKS", "WORKS", "CONSTRUCTION", "builder", "works", "26800000.00", "500000.00",
                 now - timedelta(days=2), now - timedelta(days=2), coefficients=plans.COEFFICIENTS, scheme=plans.WORKS_SCHEME)
    road = Plan("ROAD", "春晓区百花路人行道改造工程施工", "WORKS", "WORKS", "CONSTRUCTION", "builder", "works", "9600000.00", "180000.00",
                now - timedelta(days=13), now - timedelta(days=13), coefficients=plans.COEFFICIENTS, scheme=plans.WORKS_SCHEME)
    return {
        "ROAD": road,
        "DONE": goods("DONE", "春晓区中小学智慧教室设备采购", "3200000.00", "60000.00", now - timedelta(days=9)),
        "FAILED": goods("FAILED", "春晓区图书馆座椅采购", "600000.00", "12000.00", now - timedelta(days=8)),
        "REVIEW": works,
        "HALL": goods("HALL", "春晓区机关食堂设备更新采购", "1500000.00", "30000.00", now - timedelta(minutes=20)),
        "SOON": goods("SOON", "春晓区政务大厅自助终端采购", "2400000.00", "48000.00", now + timedelta(minutes=15)),
        "OPEN": goods("OPEN", "春晓区养老服务站家具采购", "900000.00", "18000.00", now + timedelta(days=11)),
    }


def _ready(scene: Stage, people: Cast, plan: Plan) -> None:
    front.draft_tender(scene, people, plan)
    front.name_officers(scene, people, plan)
    front.return_drills(scene, people, plan)


def _bids(scene: Stage, people: Cast, plan: Plan, count: int) -> None:
    form = {"duration_days": "240", "quality": "合格", "manager": "张工"} if plan.regime == "WORKS" else GOODS
    ceiling = int(plan.budget.split(".")[0])
    offers = OFFERS.get(plan.key, (968, 953, 937))
    for n in range(1, count + 1):
        bidder = people[f"bidder{n}"]
        bidding.take_part(bidder, plan.ref)
        money.pay_in(scene, bidder, plan, account=f"6222{n:012d}", name=bidder.name_of_org)
        bidding.hand_in(scene, bidder, plan.ref, {"price": f"{ceiling * offers[n - 1] // 1000}.00", **form}, {"技术文件.pdf": PDF * 60})


def _finish(scene: Stage, people: Cast, made: dict[str, Plan], now: datetime, tell: Callable[[str], None]) -> list[str]:
    """Deadlines and openings in the order of time; what lies behind today is played to its end. Returns the experts still scoring."""
    road, done, review = made["ROAD"], made["DONE"], made["REVIEW"]
    _to_opening(scene, people, road, tell)
    opening.draw(scene, people, road, "k", steered_by="host")
    _evaluate(scene, people, road)
    awarding.publicise(people, road)
    _to_opening(scene, people, done, tell)
    awarding.qualify(people, done)
    _evaluate(scene, people, done)
    tell(f"{road.name}, {done.name}: award and contract")
    for plan in (road, done):
        awarding.decide(people, plan)
        awarding.announce(people, plan)
    scene.jump(made["FAILED"].deadline + timedelta(seconds=60))
    for plan in (road, done):
        awarding.contract(people, plan, scene.now - timedelta(hours=1))
    scene.turn()
    money.bank_interest(scene, people, "640.00")
    while money.refund_everything(scene, people):
        scene.jump(scene.now + timedelta(hours=1))
    money.reconcile(people)
    _to_opening(scene, people, review, tell)
    opening.draw(scene, people, review, "k", steered_by="host")
    scoring = _evaluate(scene, people, review, committed=3)
    scene.jump(made["HALL"].deadline + timedelta(seconds=60))
    scene.settle()
    return scoring


def _evaluate(scene: Stage, people: Cast, plan: Plan, *, committed: int = 5) -> list[str]:
    """A panel scores; to the signed report if all five have committed, else the others' sheets stay open. Returns whose."""
    scene.jump(scene.now + timedelta(hours=2))
    panel = evaluation.seat_panel(scene, people, plan)
    evaluation.conform(plan, panel)
    evaluation.commit(scene, plan, panel[:committed], _points)
    if committed == len(panel):
        evaluation.reveal(scene, plan, panel)
        evaluation.report(plan, panel)
    return [member.person.username for member in panel[committed:]]


def _points(member: int, at: int, criterion: Mapping[str, Any]) -> str:
    most = int(criterion["max"])
    return str(most) if criterion["kind"] == "objective" else f"{most * 7 // 10 + (member + at) % 4}.50"


def _to_opening(scene: Stage, people: Cast, plan: Plan, tell: Callable[[str], None]) -> None:
    tell(f"{plan.name}: opening")
    if scene.now < plan.deadline + timedelta(seconds=60):
        scene.jump(plan.deadline + timedelta(seconds=60))
    scene.walk(scene.now + timedelta(seconds=130))
    opening.list_bids(scene, people, plan)
    scene.settle()
    opening.open_lot(scene, people, plan, came=OFFICER_NAMES, bidders=[f"bidder{n}" for n in (1, 2, 3)])
    opening.sign_and_close(people, plan)


def _filings(people: Cast, now: datetime) -> None:
    """One project waits for the clerk, one is a draft."""
    for name, filed in (("春晓区教育局校车租赁服务", True), ("春晓区实验小学操场维修", False)):
        buyer = people["buyer"].at()
        page = buyer.send("/agency/projects/new", "/agency/acts/draft-project", {
            "regime": "GP", "name": name, "category": "SERVICES", "kind": "", "agency": people["agent"].code, "budget": "860000.00",
            "region": "130205", "funds": "财政预算资金", "approval_no": "春财采〔2026〕88号", "agency_agreement": "委托代理协议",
            "intent_at": (now - timedelta(days=45)).date().isoformat(), "contact": "李采购 0315-0000101"})
        if filed:
            buyer.send(f"{page.path}/file", f"{page.path}/acts/file")


def _write_key_files(folder: Path, people: list[Person]) -> None:
    """A key file for everybody who signs, all under the town's passphrase, so that a visitor can try the pages."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(person: Person) -> None:
        role, secrets = "expert", {"ed25519": person.keys.sign}
        if person.username in OFFICER_NAMES:
            role, secrets = "officer", {"ed25519": person.keys.sign, "root": person.keys.root}
        elif person.username.startswith("bidder"):
            role, secrets = "bidder", {"ed25519": person.keys.sign, "x25519": person.keys.seal}
        elif person.username in ("buyer", "builder"):
            role = "tenderee"
        holder = person.code if role in ("bidder", "tenderee") else person.username
        ring = keyfiles.make_keyring(holder, role, secrets, PASSWORD)
        (folder / f"{person.username}.json").write_text(json.dumps(ring, ensure_ascii=False), encoding="utf-8")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, people))


def _sign_ins(scene: Stage, people: Cast, made: dict[str, Plan], scoring: list[str]) -> Iterator[str]:
    yield f"Password of everybody, and passphrase of every key file in {scene.settings.data / 'keys'}: {PASSWORD}"
    for person in people.values():
        if not person.username.startswith("expert") or person.username == "expert01":
            yield f"  {person.username:<12} {', '.join(person.roles):<16} {person.name} · {person.name_of_org}"
    yield f"  expert02 … expert{cast.EXPERTS:02d} as expert01"
    yield f"  deadline in 15 minutes: /lots/{made['SOON'].ref}   waiting in the hall: /hall/{made['HALL'].ref}"
    yield f"  score sheets open to {' and '.join(scoring)}: /expert/{made['REVIEW'].ref}"
