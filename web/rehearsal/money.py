"""The money room over HTTP: bidders pay at their bank, the cashier takes in statements, refunds go out by two hands, books are compared."""

from __future__ import annotations

import json
import re

from crypto.documents import sign_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.money import Money
from web.rehearsal.browser import Answer
from web.rehearsal.cast import Cast, Person
from web.rehearsal.front import Plan
from web.rehearsal.server import Stage

SUB_ACCOUNT = re.compile(r"(?<![0-9])[0-9]{32}(?![0-9])")


def sub_account(bidder: Person, plan: Plan) -> str:
    """The number this bidder pays to for this lot, read off its own page."""
    text = bidder.at().get(f"/bidder/lots/{plan.ref}").text_of(100_000).replace(" ", "")
    found = SUB_ACCOUNT.search(text)
    if found is None:
        raise LookupError(f"no sub-account on the page of {plan.ref}")
    return found[0]


def pay_in(scene: Stage, bidder: Person, plan: Plan, *, account: str, name: str, amount: str = "") -> None:
    """The bidder's bank sends the deposit. ``account`` and ``name``: who pays, which need not be the bidder."""
    scene.bank.receive(
        Money.parse(amount or plan.deposit), name=name, account=account, sub_account=sub_account(bidder, plan)
    )


def fetch_statement(cast: Cast) -> Answer:
    """The cashier takes in the bank's statement."""
    return cast["cashier"].at().post("/cashier/import", "/cashier/acts/fetch", {})


def bank_interest(scene: Stage, cast: Cast, amount: str, *, note: str = "第一季度结息") -> None:
    """The bank credits interest on the pooled account; the cashier finds it unexplained and says what it is."""
    scene.bank.pay_interest(Money.parse(amount))
    fetch_statement(cast)
    page = cast["cashier"].at().get("/cashier/exceptions")
    for form in page.forms():
        held = dict(form.fields)
        if form.action.endswith("/acts/explain") and "receipt" in held:
            cast["cashier"].at().send(page, "/cashier/acts/explain", {"account": "bank_interest", "note": note})
            return


def refund_everything(scene: Stage, cast: Cast, *, leave: int = 0) -> int:
    """Find what is due, prepare, have it approved by another, pay, hand over, take in the statement; ``leave`` of them stay unpaid.
    Returns how many refunds went."""
    cashier, controller = cast["cashier"], cast["controller"]
    cashier.at().post("/cashier/refunds", "/cashier/acts/due", {})
    page = cashier.at().get("/cashier/refunds")
    refs = sorted(
        set(re.findall(r'name="refs" value="([^"]+)"', page.text))
        | set(re.findall(r'value="([^"]+)" name="refs"', page.text))
    )
    refs = refs[: len(refs) - leave]
    if not refs:
        return 0
    made = cashier.at().post(page, "/cashier/acts/prepare", {"refs": refs})
    where = made.path.split("?")[0]
    if not where.startswith("/cashier/batches/"):
        raise LookupError(f"no batch was made: {made.path} {made.text_of(300)}")
    approve(scene, controller, where)
    cashier.at().post(where, f"{where}/acts/pay", {})
    scene.money()
    fetch_statement(cast)
    return len(refs)


def approve(scene: Stage, controller: Person, where: str) -> Answer:
    """The controller signs what the page of a batch gives to sign, with the own key."""
    told = controller.confirmed().json(f"{where}/approval.json")["document"]
    document = {**told, "at": write_moment(floor_second(scene.now))}
    signed = json.dumps(sign_document("approval", document, controller.keys.sign))
    return controller.at().post(f"{where}/approve", f"{where}/acts/approve", {"approval": signed})


def reconcile(cast: Cast) -> Answer:
    return cast["cashier"].at().post("/cashier/reconcile", "/cashier/acts/reconcile", {"note": ""})
