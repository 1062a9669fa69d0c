"""What a bidder has lost, or is about to lose, and what can still be done about it: one card each, in words, until the last remedy is over.

The facts come from the rooms below; here they are only put into sentences. Rule ids stand beside every consequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import pgettext

from deposits.views.own_deposit import OwnCard, OwnPayment
from deposits.views.own_lots import OwnLot
from trading.kernel.access import Act
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.procedures import procedure_of
from trading.tendering import terms
from trading.tendering.tenders import Lot
from web import words
from web.desks.bidder.after import open_stages
from web.desks.bidder.room import can, lang, open_lot, zone
from web.words import formatting


@dataclass(frozen=True)
class Loss:
    """``label``: one word; ``happened``, ``follows``, ``remedy``: sentences; ``until``: the remedy's last moment, ``rule``: what sets it;
    ``acts``: (words, address), the first is the one that matters. ``lost``: it has happened, against what can still be averted."""

    key: str
    ref: str
    label: str
    title: str
    happened: tuple[str, ...]
    follows: tuple[str, ...]
    remedy: tuple[str, ...]
    until: datetime | None = None
    rule: str = ""
    acts: tuple[tuple[str, str], ...] = ()
    amount: Money | None = None
    lost: bool = True


def losses(view: View, lots: list[OwnLot]) -> list[Loss]:
    """Over all lots, what has happened before what can be averted, each by the nearest last moment."""
    found = [loss for one in lots for loss in of_lot(view, one)]
    return sorted(found, key=lambda loss: (not loss.lost, loss.until is None, loss.until or view.now, loss.key))


def of_lot(view: View, one: OwnLot) -> list[Loss]:
    """Of one lot; at most one for its deposit and one for its bid."""
    if one.left_at is not None and one.deposit is None:
        return []
    found = [_deposit(view, one, one.deposit)] if one.deposit is not None else []
    bid = _bid(view, one)
    if bid is not None and not any(loss is not None and loss.lost for loss in found):
        found.append(bid)
    return [loss for loss in found if loss is not None]


# --- the deposit ------------------------------------------------------------------------------------------------------


def _deposit(view: View, one: OwnLot, d: OwnCard) -> Loss | None:
    if d.state == "forfeited":
        return _forfeited(view, one, d)
    if d.returned:
        return _returned(one, d)
    if one.left_at is not None or one.card.state in ("FAILED", "TERMINATED"):
        return None
    if d.over:
        return _not_there(view, one, d) if d.state in ("none", "short", "late") and one.bid is not None else None
    if d.state == "short":
        return _short(one, d)
    return _stranger(one, d) if "payer_name" in d.exceptions else None


def _not_there(view: View, one: OwnLot, d: OwnCard) -> Loss | None:
    """The deadline is over and the deposit did not stand: the bid is as good as lost (rules D-13, E-25)."""
    last = d.payments[-1] if d.payments else None
    if d.state == "late" and last is not None:
        happened = _(
            "%(sum)s arrived at %(at)s, %(n)s s after the deadline.",
            sum=money(d.received),
            at=moment(last.at),
            n=formatting.count(_latest(d.payments)),
        )
    elif d.state == "short":
        happened = _(
            "By the deadline, %(at)s, %(got)s of %(sum)s had arrived; %(rest)s were missing.",
            at=moment(d.due_at),
            got=money(d.received),
            sum=money(d.amount),
            rest=money(d.missing),
        )
    else:
        happened = _(
            "By the deadline, %(at)s, nothing had arrived in your sub-account; %(sum)s was asked for.",
            at=moment(d.due_at),
            sum=money(d.amount),
        )
    follows = {
        "E-25": _(
            "The opening list names no deposit beside your bid, and the panel decides that it is invalid (rules D-13 and E-25)."
        ),
        "E-24": _(
            "The opening list names no deposit beside your bid; it departs from the documents and is rejected (rules D-13, E-24)."
        ),
    }[procedure_of(one.card).money.missing]
    back = (
        _("What arrived, %(sum)s, goes back to the account it came from; it is not kept.", sum=money(d.received))
        if d.received.is_positive
        else _("No money of yours lies with the centre for this lot.")
    )
    row = open_lot(view, one.card.ref)
    remedy, until, rule, acts = _remedy(
        view, row, one, _("If your bank’s advice shows that it had arrived in time, object and attach it.")
    )
    if remedy is None:
        return None
    return Loss(
        f"deposit-{one.card.ref}",
        one.card.ref,
        _("bid lost"),
        _("%(lot)s: the deposit did not count", lot=one.card.title),
        (happened,),
        (follows, back),
        remedy,
        until,
        rule,
        (*acts, (_("See the deposit"), slip(one))),
        d.amount,
    )


def _short(one: OwnLot, d: OwnCard) -> Loss:
    last = d.payments[-1]
    title = _("%(lot)s: %(rest)s of the deposit are missing", lot=one.card.title, rest=money(d.missing))
    return Loss(
        f"short-{one.card.ref}",
        one.card.ref,
        _("too little"),
        title,
        (
            _(
                "%(got)s of %(sum)s had arrived by %(at)s.",
                got=money(d.received),
                sum=money(d.amount),
                at=moment(last.at),
            ),
        ),
        (_("Not in full at the deadline counts as none, and the bid is invalid (rule D-13)."),),
        (_("Send %(rest)s to the same sub-account; it must have arrived before the deadline.", rest=money(d.missing)),),
        d.due_at,
        "D-13",
        ((_("To the slip"), slip(one)),),
        d.missing,
        lost=False,
    )


def _stranger(one: OwnLot, d: OwnCard) -> Loss:
    wrong = next(p for p in d.payments if "payer_name" in p.exceptions)
    return Loss(
        f"payer-{one.card.ref}",
        one.card.ref,
        _("another payer"),
        _("%(lot)s: somebody else paid the deposit", lot=one.card.title),
        (
            _(
                "%(sum)s came from %(name)s (account ending in %(tail)s) at %(at)s.",
                sum=money(wrong.amount),
                name=wrong.payer or "–",
                tail=wrong.account_tail or "–",
                at=moment(wrong.at),
            ),
        ),
        (_("It is counted as arrived, but the panel is shown it and may decide against the bid (rules D-05, CL-07)."),),
        (
            _(
                "Pay again from your own basic account before the deadline; what is too much goes back to its payer (rule D-29)."
            ),
        ),
        d.due_at,
        "D-13",
        ((_("To the slip"), slip(one)),),
        wrong.amount,
        lost=False,
    )


def _returned(one: OwnLot, d: OwnCard) -> Loss:
    row = d.returned[0]
    came = moment(row.returned_at) if row.returned_at is not None else formatting.day(row.due_on, lang())
    return Loss(
        f"returned-{one.card.ref}",
        one.card.ref,
        _("returned by your bank"),
        _("%(lot)s: your refund came back", lot=one.card.title),
        (
            _(
                "Your bank sent %(sum)s back at %(at)s: %(why)s",
                sum=money(row.amount),
                at=came,
                why=row.returned_why or "–",
            ),
        ),
        (_("The money lies with the centre; nothing of it is lost."),),
        (
            _(
                "Name another account in your company’s name, with your bank’s proof; two controllers approve it (rule D-30)."
            ),
        ),
        None,
        "",
        ((_("Name an account"), slip(one) + "#payee"),),
        row.amount,
    )


def _forfeited(view: View, one: OwnLot, d: OwnCard) -> Loss | None:
    kept = d.forfeit
    assert kept is not None and kept.decided_at is not None
    row = open_lot(view, one.card.ref)
    law = procedure_of(row).remedies
    rule, challenged = law.forfeit, law.forfeit_by == "challenge"
    until = terms.period(view.session, row, rule, kept.decided_at).ends_at
    if view.now >= until:
        return None
    to = words.state("forfeit_goes_to", kept.goes_to, lang()).text
    remedy = (
        _("You may challenge the decision; the purchaser answers within 7 working days (rule T-22).")
        if challenged
        else _("You may complain to the supervisory body of the trade (rule T-27).")
    )
    acts = (
        ((_("Challenge it"), f"/bidder/lots/{one.card.ref}/objection"),)
        if challenged and can(Act.OBJECTION_FILE)
        else ()
    )
    return Loss(
        f"kept-{one.card.ref}",
        one.card.ref,
        _("not paid back"),
        _("%(lot)s: the deposit is kept", lot=one.card.title),
        (
            _("The purchaser decided at %(at)s, ground %(rule)s.", at=moment(kept.decided_at), rule=kept.ground),
            kept.evidence,
        ),
        (_("%(sum)s is not paid back; it goes to %(whom)s (rule D-45).", sum=money(kept.amount), whom=to),),
        (remedy,),
        until,
        rule,
        (*acts, (_("See the deposit"), slip(one))),
        kept.amount,
    )


# --- the bid ----------------------------------------------------------------------------------------------------------


def _bid(view: View, one: OwnLot) -> Loss | None:
    """A bid that could not be opened, or that the panel left out of the ranking."""
    base = f"/bidder/lots/{one.card.ref}"
    if one.left_at is not None or one.card.state in ("FAILED", "TERMINATED"):
        return None
    if one.verdict and one.verdict != "opened" and not one.left_sealed:
        happened, page = words.state("sb", one.verdict, lang()).text, (_("What happened to it"), base + "/opening")
        follows = _(
            "It takes no further part. Who bears that, and the deposit, follows from the cause (rule X-09); it stands on its page."
        )
        title, label = _("%(lot)s: your bid was not opened", lot=one.card.title), pgettext("bid", "not opened")
    elif one.outcome and one.ranked is False and one.bid is not None:
        happened, page = (
            _("The published ranking does not name your bid."),
            (pgettext("reason", "Why"), base + "/outcome"),
        )
        follows = _("It takes no further part in this lot; the reason stands on the page of the outcome.")
        title, label = _("%(lot)s: your bid was rejected", lot=one.card.title), _("rejected")
    else:
        return None
    remedy, until, rule, acts = _remedy(
        view, open_lot(view, one.card.ref), one, _("If you hold it for wrong, object with your reasons.")
    )
    if remedy is None:
        return None
    return Loss(
        f"bid-{one.card.ref}", one.card.ref, label, title, (happened,), (follows,), remedy, until, rule, (*acts, page)
    )


Remedy = tuple[tuple[str, ...] | None, datetime | None, str, tuple[tuple[str, str], ...]]


def _remedy(view: View, row: Lot, one: OwnLot, how: str) -> Remedy:
    """(sentences, last moment, rule, acts): the remedy open now, else the one that opens with the result; sentences None when all are
    over."""
    open_now = {stage: until for stage, until in open_stages(row, view) if stage in ("opening", "result")}
    if open_now:
        stage, until = max(open_now.items(), key=lambda item: item[1])
        law = procedure_of(row).remedies
        rule, act = law.window(stage).basis, _("Challenge") if law.kind == "challenge" else _("Object")
        acts = ((act, f"/bidder/lots/{row.ref}/objection"),) if can(Act.OBJECTION_FILE) else ()
        return (how,), until, rule, acts
    if one.object_until is None:
        return (
            (_("The next remedy opens when the result is published; this page will name its last hour."),),
            None,
            "",
            (),
        )
    return None, None, "", ()


def _latest(payments: tuple[OwnPayment, ...]) -> int:
    return max((p.late_by for p in payments), default=0)


def slip(one: OwnLot) -> str:
    return f"/bidder/deposits/{one.card.ref}"


def money(value: Money | None) -> str:
    return formatting.money(value, lang())


def moment(at: datetime) -> str:
    return formatting.moment(at, lang(), zone())
