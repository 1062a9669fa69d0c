"""What needs a bidder now, and its questions on a lot."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _

from deposits.views.own_lots import OwnLot
from trading.kernel.work import View
from trading.procedures import procedure_of
from trading.remedies import disputes
from trading.tendering import enquiries, invitations
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from web.desks.bidder.room import lang, zone
from web.desks.hall.law import OBJECTION, with_law
from web.http.layout import Duty
from web.words import formatting

ANSWERED_SHOWN = timedelta(days=10)
"""How long an answered objection stands on the first page."""
OVER = ("FAILED", "TERMINATED", "CONTRACT", "FILING", "CLOSING", "ARCHIVED")


# --- what needs us now ------------------------------------------------------------------------------------------------


def duties(view: View, lots: list[OwnLot]) -> list[Duty]:
    found: list[Duty] = []
    if lots and not lots[0].keyed:
        found.append(
            Duty(
                _("Make and enrol a key: without it no bid can be signed"),
                "/account/keys",
                when=_("now"),
                basis=_("Once for the company; the key file stays on your computer"),
                act=_("Make the key"),
            )
        )
    for one in lots:
        found += _duties_of(view, one)
    return found


def _duties_of(view: View, one: OwnLot) -> list[Duty]:
    ref, title, deadline = one.card.ref, one.card.title, one.card.deadline
    home = f"/bidder/lots/{ref}"
    found = []
    if one.left_at is None and (one.open or one.early):
        if one.deposit is not None and not one.deposit.secured and one.deposit.state != "short":
            found.append(
                Duty(
                    _("Deposit has not arrived: %(title)s", title=title),
                    f"/bidder/deposits/{ref}",
                    until=deadline,
                    basis=_(
                        "%(amount)s into the sub-account of this lot; it must have arrived before the deadline (rule D-13)",
                        amount=formatting.money(one.deposit.amount, lang()),
                    ),
                    act=_("Payment slip"),
                )
            )
        if one.open and (one.bid is None or one.missing):
            whole = any(upload.whole for upload in one.uploads)
            text = (
                _("Uploaded but not submitted: %(title)s", title=title)
                if whole
                else _("No bid submitted yet: %(title)s", title=title)
            )
            found.append(
                Duty(
                    text,
                    home + "/seal",
                    until=deadline,
                    basis=_("Uploading is not submitting; what counts is the receipt"),
                    act=_("Submit it") if whole else _("Seal and submit"),
                )
            )
    if (
        one.confirm_until is not None
        and one.opening == "OPENED"
        and one.verdict
        and not one.said
        and view.now <= one.confirm_until
    ):
        found.append(
            Duty(
                _("Confirm your line of the opening, or object: %(title)s", title=title),
                home + "/opening",
                until=one.confirm_until,
                basis=_(
                    "Silence counts as confirmation; an objection is answered on the spot (%(law)s)",
                    law=with_law(one.card, OBJECTION),
                ),
                act=_("Read it"),
            )
        )
    if one.object_until is not None and view.now < one.object_until:
        rule = (
            _("Rule T-25; the decision waits for the answer")
            if "decide" in procedure_of(one.card).remedies.stops
            else _("Rule T-21; answered within 7 working days")
        )
        found.append(
            Duty(
                _("The result is published; you may object until the hour shown: %(title)s", title=title),
                home + "/outcome",
                until=one.object_until,
                basis=rule,
                act=_("See the result"),
            )
        )
    if one.won and one.contract_by is not None and one.card.state in ("AWARD", "RESULT") and view.now < one.contract_by:
        found.append(
            Duty(
                _("Sign the contract: %(title)s", title=title),
                home + "/outcome",
                until=one.contract_by,
                basis=_("The award is yours; the purchaser records the signed contract (rule T-14)"),
                act=_("See the award"),
            )
        )
    if one.deposit is not None and one.deposit.forfeit is not None and one.deposit.forfeit.state != "FORFEITED":
        found.append(
            Duty(
                _("It is proposed to keep your deposit: %(title)s", title=title),
                f"/bidder/deposits/{ref}",
                when=_("now"),
                basis=_("Ground %(rule)s; you are heard before anything is decided", rule=one.deposit.forfeit.ground),
                act=_("Read the ground"),
            )
        )
    return found


def objection_duties(view: View) -> list[Duty]:
    fresh = [
        row
        for row in disputes.own(view)
        if row.state == "ANSWERED" and row.answered_at is not None and view.now - row.answered_at < ANSWERED_SHOWN
    ]
    return [
        Duty(
            _("Objection answered: %(lot)s", lot=row.lot.title),
            f"/bidder/objections/{row.ref}",
            when=when(row.answered_at, view),
            act=_("Read the answer"),
        )
        for row in fresh
    ]


def invitation_duties(view: View, taken: set[str]) -> list[Duty]:
    """Lots we are invited to and do not take part in yet; ``taken``: those we do."""
    return [
        Duty(
            _("You are invited to bid: %(lot)s", lot=lot.name),
            f"/bidder/lots/{lot.ref}",
            until=lot.deadline,
            act=_("Look at it"),
        )
        for lot in invitations.own(view)
        if lot.ref not in taken and lot.deadline is not None and view.now < lot.deadline
    ]


def when(at: datetime | None, view: View) -> str:
    return formatting.moment_short(at, lang(), zone(), now=view.now) if at is not None else ""


# --- the task list of one lot -----------------------------------------------------------------------------------------


def questions(view: View, lot: Lot) -> tuple[list[Any], datetime | None]:
    """Our questions on a lot and until when more may be asked."""
    return lot_cards.own_enquiry_cards(view, lot), enquiries.closes_at(lot)
