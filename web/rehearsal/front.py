"""The front half of a tender over HTTP: filing, acceptance, draft, officers, policies, drills, publication."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from crypto import headers, keys, policies, signatures
from crypto.canonical import b64u, loads, unb64u
from trading.procedures import Procedure, of_regime, procedure
from web.rehearsal.cast import OFFICERS, Cast, Person
from web.rehearsal.server import Stage

ZONE = ZoneInfo("Asia/Shanghai")
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"


@dataclass
class Plan:
    """What a tender of the play is about. Money as text in yuan, moments aware. ``issue_at``: documents later than the notice;
    ``returned``: filed with two gaps first, which the centre returns; ``documents``: kind → (name, bytes) of the tender's documents;
    ``method``: by which procedure, the usual one of the regime where none is named; ``chosen``: the fields that say why;
    ``invited``: names in the cast of those invited, where only they may bid."""

    key: str
    name: str
    regime: str
    category: str
    kind: str
    buyer: str
    purchaser: str
    budget: str
    deposit: str
    deadline: datetime
    opens_at: datetime
    coefficients: str = ""
    intent: str = ""
    scheme: Mapping[str, str] = field(default_factory=dict)
    need: str = "详见采购需求书"
    funds: str = ""
    issue_at: datetime | None = None
    returned: bool = True
    documents: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    method: str = ""
    chosen: Mapping[str, str] = field(default_factory=dict)
    invited: Sequence[str] = ()
    project: str = ""
    ref: str = ""

    @property
    def law(self) -> Procedure:
        return procedure(self.method) if self.method else of_regime(self.regime)[0]

    @property
    def draws_invited(self) -> bool:
        """Whether those invited are drawn from ``invited``."""
        return self.law.invitation is not None and self.law.invitation.pool is not None

    @property
    def scores(self) -> bool:
        """Whether members give points; else the price alone ranks."""
        return any(name.startswith("criteria.") for name in self.scheme)


def local(moment: datetime) -> str:
    """A moment as a form takes it: the centre's time."""
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


def file_project(scene: Stage, cast: Cast, plan: Plan) -> None:
    """The purchaser drafts and files with two gaps, the centre returns the full list once, the purchaser completes, the centre accepts."""
    buyer, clerk = cast[plan.buyer].at(), cast["clerk"].at()
    funds = plan.funds or f"财政预算资金 {plan.budget} 元，已落实"
    page = buyer.send(
        "/agency/projects/new",
        "/agency/acts/draft-project",
        {
            "regime": plan.regime,
            "name": plan.name,
            "category": plan.category,
            "kind": plan.kind,
            "agency": cast["agent"].code,
            "budget": plan.budget,
            "region": "130205",
            "funds": "" if plan.returned else funds,
            "approval_no": f"春财采〔2026〕{plan.key}号",
            "intent_at": plan.intent,
            "agency_agreement": f"委托代理协议 {plan.key}",
            "contact": f"{cast[plan.buyer].name} 0315-0000101",
            f"method.{plan.regime}": plan.law.id,
            **plan.chosen,
        },
    )
    plan.project = page.path.rsplit("/", 1)[1]
    where = f"/agency/projects/{plan.project}"
    filing = f"/centre/filings/{plan.project}"
    buyer.send(f"{where}/file", f"{where}/acts/file")
    if plan.returned:
        clerk.send(filing, f"{filing}/acts/return")
        buyer.send(f"{where}/edit", f"{where}/acts/edit", {"funds": funds})
        buyer.send(f"{where}/file", f"{where}/acts/file")
    clerk.send(filing, f"{filing}/acts/accept")


def draft_tender(scene: Stage, cast: Cast, plan: Plan) -> None:
    """The agency drafts tender and lot, timetable, document and criteria."""
    agent = cast["agent"].at()
    where = f"/agency/projects/{plan.project}"
    page = agent.send(
        f"{where}/tender",
        f"{where}/acts/draft-tender",
        {
            "title": plan.name,
            "lots.0.title": plan.name,
            "lots.0.budget": plan.budget,
            "lots.0.ceiling": plan.budget,
            "lots.0.deposit": plan.deposit,
            "lots.0.need": plan.need,
            "lots.0.qualification": "具有独立承担民事责任的能力；近三年无重大违法记录",
            "lots.0.place": "春晓区公共资源交易中心第一开标室",
            **({"lots.0.coefficients": plan.coefficients} if plan.coefficients else {}),
        },
    )
    if not page.path.startswith("/agency/lots/"):
        page = agent.get(
            next(one.split('"')[0] for one in page.text.split('href="') if one.startswith("/agency/lots/KP-"))
        )
    plan.ref = page.path.split("/")[3]
    lot = f"/agency/lots/{plan.ref}"
    agent.send(
        f"{lot}/timetable",
        f"{lot}/acts/plan",
        {
            "deadline": local(plan.deadline),
            "opens_at": local(plan.opens_at),
            **({"issue_at": local(plan.issue_at)} if plan.issue_at else {}),
        },
    )
    documents = plan.documents or {"tender_document": (f"招标文件-{plan.key}.pdf", PDF + plan.key.encode())}
    for kind, (name, data) in documents.items():
        agent.send(
            f"{lot}/documents",
            f"{lot}/acts/add-document",
            {"kind": kind},
            files={"file": (name, data, "application/pdf")},
        )
    if plan.invited:
        called = "\n".join(cast[name].code for name in plan.invited)
        agent.send(f"{lot}/invited", f"{lot}/acts/invite", {"called": called})
    page = agent.get(f"{lot}/scheme")
    offered = {name: None for name, _value in page.form(f"{lot}/acts/scheme").fields if name.startswith("criteria.")}
    agent.send(page, f"{lot}/acts/scheme", {**offered, **plan.scheme})


def name_officers(scene: Stage, cast: Cast, plan: Plan) -> None:
    """Five officers, three to open; each gives its keys for this lot; the platform drafts and signs the policies, then every officer."""
    agent, lot = cast["agent"].at(), f"/agency/lots/{plan.ref}"
    agent.send(
        f"{lot}/keys", f"{lot}/acts/name-officers", {"t": "3", **{f"side.{name}": side for name, side in OFFICERS}}
    )
    officers = [cast[name] for name, _side in OFFICERS]
    scene.each(lambda officer: give_keys(officer, plan.ref), officers)
    agent.send(f"{lot}/keys", f"{lot}/acts/draft-policies")
    scene.each(lambda officer: sign_policies(officer, plan.ref), officers)


def scope_secret(officer: Person, scope: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The officer's key pair of one scope, from its root."""
    return keys.officer_tender_key(
        officer.keys.root,
        keys.officer_scope(
            platform=scope["platform"],
            tender=scope["tender"],
            lot=scope["lot"],
            envelope=scope["envelope"],
            serial=scope["serial"],
        ),
    )


def give_keys(officer: Person, ref: str) -> None:
    at = officer.at()
    data = at.json(f"/hall/{ref}/officer/scopes")
    publics = {scope["envelope"]: b64u(scope_secret(officer, scope)[1]) for scope in data["scopes"]}
    at.post(f"/hall/{ref}/officer", f"/hall/{ref}/acts/keys", {"publics": json.dumps(publics)})


def sign_policies(officer: Person, ref: str) -> None:
    """Read every policy, check its rules and that one's own key stands in it, sign the same bytes."""
    at = officer.at()
    data = at.json(f"/hall/{ref}/officer/policies")
    signed = []
    for row in data["policies"]:
        policy = loads(row["payload"].encode())
        policies.check_policy(policy)
        if policy["officers"][data["j"] - 1]["pk"] != b64u(scope_secret(officer, policy)[1]):
            raise ValueError("a policy with another key than mine")
        signed.append(signatures.sign("policy", policy, officer.keys.sign))
    at.post(f"/hall/{ref}/officer", f"/hall/{ref}/acts/sign-policies", {"policies": json.dumps(signed)})


def return_drills(scene: Stage, cast: Cast, plan: Plan) -> None:
    """Every officer opens its box of every drill bid and signs for it."""
    scene.each(lambda officer: return_drill(scene, officer, plan), [cast[name] for name, _side in OFFICERS])


def return_drill(scene: Stage, officer: Person, plan: Plan) -> None:
    """One officer's boxes of every drill bid."""
    at = officer.at()
    data = at.json(f"/hall/{plan.ref}/officer/drills")
    answers = []
    for drill in data["drills"]:
        header = headers.parse_header(unb64u(drill["header"]))
        part = headers.open_share(header, data["j"], scope_secret(officer, drill["policy"])[0])
        document = {**drill["document"], "at": _at(scene)}
        answers.append({"document": signatures.sign("drill", document, officer.keys.sign), "part": b64u(part)})
    at.post(f"/hall/{plan.ref}/officer", f"/hall/{plan.ref}/acts/return-drills", {"drills": json.dumps(answers)})


def publish(scene: Stage, cast: Cast, plan: Plan) -> None:
    lot = f"/agency/lots/{plan.ref}"
    cast["agent"].at().send(f"{lot}/publish", f"{lot}/acts/publish", {"sure": "yes"})


def _at(scene: Stage) -> str:
    from trading.kernel.clock import floor_second, write_moment

    return write_moment(floor_second(scene.now))
