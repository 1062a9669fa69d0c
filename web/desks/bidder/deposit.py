"""The bidder's deposits: the slip to pay by, what arrived and when it was too late, the way back, and what to do where it went wrong.

GET  /bidder/deposits                          one row a lot
GET  /bidder/deposits/<ref>                    the slip and its states; prints on one page
POST /bidder/deposits/<ref>/acts/claim         ``bank_id``: a payment that named another number is claimed by its owner
POST /bidder/deposits/<ref>/acts/payee         ``refund``, ``account``, ``proof``: another account for a refund the bank returned
POST /bidder/deposits/<ref>/acts/rehearse      ``how``: the simulated bank of a rehearsal books a payment; refused anywhere else
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from deposits import receipts
from deposits.bank.simulated import SimulatedBank
from deposits.refunds import payees, refunds
from deposits.views import own_deposit
from deposits.views.own_deposit import OwnCard
from deposits.views.own_lots import own_lot_card, own_lots
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, NotFound
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.procedures import procedure_of
from trading.tendering import planning
from trading.tendering.tenders import Lot
from web import wiring
from web.desks.bidder import losses
from web.desks.bidder.room import bidder, can, crumbs, lang, own_lot, zone
from web.http.forms import Form
from web.http.gate import go, office, reading, render, work
from web.http.page_rules import ByHand
from web.words import formatting

PAID = ("full", "short", "other")
"""How the simulated bank is told to pay: the sum that is missing, half of it, or all of it from somebody else's account."""
STRANGER = ("演练他人公司", "6222999900000000")
PROOF_BYTES = 10_000_000
BAR = 1000


@dataclass(frozen=True)
class Zone:
    """A stretch of the time bar, in thousandths of its width; ``code``: safe, risky, late."""

    code: str
    x: int
    width: int


@dataclass(frozen=True)
class TimeBar:
    """From now (or from the last safe hour) to past the deadline: where a transfer sent then would end."""

    zones: tuple[Zone, ...]
    safe: int | None
    due: int
    safe_until: datetime | None


def rehearsal_bank() -> SimulatedBank | None:
    """The simulated bank of a data folder made for rehearsal; None where money is real."""
    return wiring.open_bank(current_app.extensions["bidhall"].settings, office().clock)


# --- pages ------------------------------------------------------------------------------------------------------------


@bidder.page("/deposits", needs=Act.DEPOSIT_LOOK_OWN)
def deposits() -> str:
    with reading() as view:
        rows = [one for one in own_lots(view) if one.deposit is not None]
    return render("bidder/deposits.html", rows=rows, crumbs=crumbs((_("Deposits"), "")))


@bidder.page("/deposits/<ref>", needs=Act.DEPOSIT_LOOK_OWN)
def deposit(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row, taking = own_lot(view, ref)
        card = own_deposit.own(view, row)
        if card is None:
            raise NotFound("deposit.none", ref=ref)
        party = parties.own_party(view)
        cap, cap_rule = planning.deposit_cap(row.project, row.budget, planning.book_of(row, view.now))
        settings = current_app.extensions["bidhall"].settings
        bank = rehearsal_bank()
        payee = settings.deposit_payee or parties.name_of_the_centre(view.session)
        at = settings.deposit_bank or (_("Simulated bank of this rehearsal") if bank is not None else "")
        asked = {
            one.ref: payees.pending(view.session, refunds.refund(view.session, one.ref)) is not None
            for one in card.returned
        }
        last = {one.ref: payees.latest(view.session, refunds.refund(view.session, one.ref)) for one in card.returned}
        declined = {
            ref: change.declined_why for ref, change in last.items() if change is not None and change.declined_at
        }
        told = next(
            (one for one in losses.of_lot(view, own_lot_card(view, taking)) if not one.key.startswith("bid-")), None
        )
        booked = bank.booked(card.sub_account) if bank is not None else []
        waiting = _waiting(card, booked)
        facts = {
            "title": row.title,
            "state": row.state,
            "left_at": taking.withdrawn_at,
            "opens_at": row.opens_at,
            "budget": row.budget,
            "law": procedure_of(row).money,
        }
    return render(
        "bidder/deposit.html",
        ref=ref,
        d=card,
        party=party,
        payee=payee,
        bank=at,
        cap=cap,
        cap_rule=cap_rule,
        lot=facts,
        road=_road(card, row.opens_at, view.now),
        bar=time_bar(view.now, card),
        asked=asked,
        declined=declined,
        rehearsal=bank is not None,
        waiting=waiting,
        payable=_unbooked(card, booked),
        may_pay=can(Act.LOT_TAKE_PART),
        loss_card=told,
        now=view.now,
        form=form or Form.blank(),
        crumbs=crumbs((_("My lots"), "/bidder/lots"), (ref, f"/bidder/lots/{ref}"), (_("Deposit"), "")),
    )


def _waiting(card: OwnCard, booked: list[tuple[str, Money]]) -> Money:
    """What the simulated bank has booked and no statement has brought here yet."""
    return Money(sum(amount.minor for _at, amount in booked)) - card.received


def _unbooked(card: OwnCard, booked: list[tuple[str, Money]]) -> Money:
    rest = card.amount - Money(sum(amount.minor for _at, amount in booked))
    return rest if rest.is_positive else Money(0)


def _road(card: OwnCard, opens_at: datetime | None, now: datetime) -> list[dict[str, Any]]:
    """The six states as a road: to pay, arrived, sealed, published, on its way back, back."""
    place = {
        "unpaid": 0,
        "short": 0,
        "none": 0,
        "late": 0,
        "secured": 2,
        "held": 3,
        "forfeited": 3,
        "due": 4,
        "sent": 4,
        "returned": 4,
        "back": 6,
    }[card.state]
    left = formatting.left(card.due_at, now, lang()) if place == 0 and not card.over else ""
    names = [
        (_("Pay"), _("into the sub-account below")),
        (_("Arrived"), _("name, account and sum are compared")),
        (_("Sealed"), _("until the opening nobody but you sees it")),
        (_("Published at the opening"), formatting.moment_short(opens_at, lang(), zone(), now=now) if opens_at else ""),
        (_("Going back"), _("two persons at the centre approve")),
        (_("Back"), _("on the account it came from")),
    ]
    return [
        {
            "label": label,
            "state": "done" if n < place else "here" if n == place else "",
            "lines": [note] if note else [],
            "left": left if n == place else "",
        }
        for n, (label, note) in enumerate(names)
    ]


def time_bar(now: datetime, card: OwnCard) -> TimeBar | None:
    """None once the deadline has passed. The last tenth of the bar lies behind the deadline."""
    if now >= card.due_at:
        return None
    due = BAR * 9 // 10
    span = card.due_at - now
    if card.safe_until is None or card.safe_until <= now:
        return TimeBar((Zone("risky", 0, due), Zone("late", due, BAR - due)), None, due, card.safe_until)
    safe = min(max(due * (card.safe_until - now) // span, BAR // 5), due - BAR // 6)
    return TimeBar(
        (Zone("safe", 0, safe), Zone("risky", safe, due - safe), Zone("late", due, BAR - due)),
        safe,
        due,
        card.safe_until,
    )


# --- acts -------------------------------------------------------------------------------------------------------------


@bidder.act("/deposits/<ref>/acts/claim", needs=Act.DEPOSIT_LOOK_OWN, back=deposit)
def claim(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Our own payment went to another number or named none: found by the bank's number and our name (rule D-29). Field: ``bank_id``."""
    bank_id = form.text("bank_id", limit=64)
    form.refuse_if_any()
    demand = _demand(unit, own_lot(unit, ref)[0])
    try:
        receipts.claim(unit, demand, bank_id=bank_id)
    except NotFound as refusal:
        form.fault("bank_id", refusal.code, **refusal.facts)
        form.refuse_if_any()
    return f"/bidder/deposits/{ref}"


@bidder.page("/deposits/<ref>/acts/payee", needs=Act.DEPOSIT_LOOK_OWN, post=ByHand.BYTES, back=deposit)
def payee(ref: str) -> Any:
    """Another account of our own for a refund the bank returned (rule D-30). Fields: ``refund``, ``account``, ``proof`` (a PDF)."""
    form = Form.read()
    account, proof = form.text("account", limit=60), form.file("proof")
    data = proof.stream.read(PROOF_BYTES + 1) if proof is not None else b""
    if proof is not None and not (data.startswith(b"%PDF-") and len(data) <= PROOF_BYTES):
        form.fault("proof", "payee.proof_pdf", most=formatting.size(PROOF_BYTES, lang()))
    form.refuse_if_any()
    wanted = str(form.typed.get("refund", ""))
    with reading() as view:
        card = own_deposit.own(view, own_lot(view, ref)[0])  # the tie, before anything is stored
    if card is None or wanted not in {one.ref for one in card.returned}:
        raise NotFound("refund.unknown")
    stored = office().blobs.put([data])
    with work() as unit:
        unit.once(form.form_id, where := f"/bidder/deposits/{ref}")
        payees.ask(unit, refunds.refund(unit.session, wanted), account=account, proof=stored)
    return go(where)


@bidder.act("/deposits/<ref>/acts/rehearse", needs=Act.LOT_TAKE_PART, back=deposit)
def rehearse(unit: UnitOfWork, form: Form, ref: str) -> str:
    """In a rehearsal the simulated bank books a payment for us, as a real one would: it counts once a statement has brought it here.
    Field: ``how``. Refuses: NotFound ``deposit.not_rehearsal`` wherever money is real."""
    how = form.choice("how", PAID)
    form.refuse_if_any()
    bank = rehearsal_bank()
    if bank is None:
        raise NotFound("deposit.not_rehearsal")
    card = own_deposit.own(unit, own_lot(unit, ref)[0])
    if card is None:
        raise NotFound("deposit.none", ref=ref)
    rest = _unbooked(card, bank.booked(card.sub_account))
    if not rest.is_positive or card.refunds:
        raise Conflict("deposit.booked", ref=ref)
    party = parties.own_party(unit)
    name, account = STRANGER if how == "other" else (party.name, party.bank_account)
    bank.receive(
        Money(rest.minor // 2) if how == "short" and rest.minor > 1 else rest,
        name=name,
        account=account,
        sub_account=card.sub_account,
    )
    return f"/bidder/deposits/{ref}"


def _demand(view: View, row: Lot) -> Any:
    demand = own_deposit.own_demand(view, row)
    if demand is None:
        raise NotFound("deposit.none", ref=row.ref)
    return demand
