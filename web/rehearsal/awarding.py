"""After the evaluation, over HTTP: qualification review before it, candidates, objections, decision, notices, contract."""

from __future__ import annotations

from datetime import datetime

from web.rehearsal.cast import Cast, Person
from web.rehearsal.front import Plan, local


def qualify(cast: Cast, plan: Plan) -> None:
    """The purchaser finds every opened bid qualified (government procurement)."""
    buyer, where = cast[plan.buyer].at(), f"/agency/lots/{plan.ref}"
    page = buyer.get(f"{where}/qualification")
    for bid in [dict(form.fields)["bid"] for form in page.forms() if form.action.endswith("/acts/review")]:
        buyer.post(page, f"{where}/acts/review", {"bid": bid, "ok": "yes"})
    buyer.post(f"{where}/qualification", f"{where}/acts/finish-review", {"sure": "yes"})


def publicise(cast: Cast, plan: Plan) -> None:
    """Works: the candidates are published."""
    where = f"/agency/lots/{plan.ref}"
    cast["agent"].at().send(f"{where}/award", f"{where}/acts/publicise")


def object_to(bidder: Person, plan: Plan, text: str) -> None:
    where = f"/bidder/lots/{plan.ref}"
    bidder.at().send(f"{where}/objection", f"{where}/acts/object", {"stage": "result", "text": text})


def answer_objections(cast: Cast, plan: Plan, text: str) -> int:
    """The agency answers what is open; how many."""
    agent = cast["agent"].at()
    page = agent.get("/agency/objections")
    found = sorted({one.split('"')[0] for one in page.text.split('href="') if one.startswith("/agency/objections/")})
    for where in found:
        agent.send(where, f"{where}/acts/answer", {"text": text, "upheld": "no"})
    return len(found)


def decide(cast: Cast, plan: Plan) -> None:
    where = f"/agency/lots/{plan.ref}"
    cast[plan.buyer].confirmed().send(f"{where}/award/decide", f"{where}/acts/decide", {"rank": "1"})


def announce(cast: Cast, plan: Plan) -> None:
    where = f"/agency/lots/{plan.ref}"
    cast["agent"].at().send(f"{where}/award", f"{where}/acts/announce")


def contract(
    cast: Cast, plan: Plan, signed_at: datetime, *, publish: bool = True, text: str = "合同文本（示例）"
) -> None:
    """Recorded as tendered, published and filed."""
    where, agent = f"/agency/lots/{plan.ref}", cast["agent"].at()
    agent.send(
        f"{where}/contract",
        f"{where}/acts/contract",
        {"number": f"HT-{plan.ref}", "signed_at": local(signed_at), "text": text},
    )
    if publish:
        agent.send(f"{where}/contract", f"{where}/acts/publish-contract")


def terminate(cast: Cast, plan: Plan, reason: str) -> None:
    where = f"/agency/lots/{plan.ref}"
    cast[plan.buyer].confirmed().send(f"{where}/end", f"{where}/acts/end", {"reason": reason})


def archive(cast: Cast, plan: Plan) -> None:
    where = f"/centre/archive/{plan.ref}"
    cast["clerk"].confirmed().send(where, f"{where}/acts/seal")
