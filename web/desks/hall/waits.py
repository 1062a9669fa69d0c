"""What an opening waits for: whose turn it is, for what, until when, and why it does not go on without them. The same words on every page
of the hall, for the public, the host and each key holder; nothing here is known before it may be known."""

from __future__ import annotations

from datetime import datetime

from flask_babel import gettext as _

from trading.bidding.closing import CLOSING_DELAY
from trading.views.hall_queries import BEFORE, SHUT
from web.desks.hall import law
from web.desks.hall.lines import HallCard, Wait
from web.http.refusals import language

HOST, PLATFORM, BIDDERS, OFFICERS, SUPERVISOR, AGENCY, NOBODY = (
    "host",
    "platform",
    "bidders",
    "officers",
    "supervisor",
    "agency",
    "",
)


def waits(card: HallCard) -> list[Wait]:
    """Everything the opening waits for now, what must come first on top; nothing once it is over."""
    if card.step == BEFORE:
        return [
            Wait(
                NOBODY,
                _("the deadline"),
                _("Nothing can be done before the hour."),
                card.lot.deadline,
                _("until the deadline"),
            )
        ]
    if card.step == SHUT:
        return _shut(card)
    if card.step == "LISTED":
        return _listed(card)
    if card.step == "OPENED":
        return _opened(card)
    if card.step == "SIGNED":
        return [Wait(HOST, _("the host"), _("Close the opening: the record is published and the lot goes on."))]
    return []


def _shut(card: HallCard) -> list[Wait]:
    if card.closed_at is None:
        at = card.lot.deadline + CLOSING_DELAY if card.lot.deadline else None
        return [
            Wait(
                PLATFORM,
                _("the platform"),
                _("Seal off the log, one minute after the deadline, whether anything came or not."),
                at,
                _("until the log is sealed off"),
            )
        ]
    if card.closing_late:
        return [Wait(SUPERVISOR, _("the supervisory body"), _("Confirm the closing, which came late."))]
    if card.documents_objected:
        why = _(
            "Until an objection to the tender documents is answered nothing is opened (%(law)s); bids stay sealed.",
            law=law.with_law(card.lot, law.DOCUMENTS),
        )
        return [
            Wait(AGENCY, _("the purchaser or its agency"), _("Answer what was objected to in the documents."), why=why)
        ]
    found = []
    if card.lot.opens_at is not None and card.now < card.lot.opens_at:
        found.append(
            Wait(
                NOBODY,
                _("the hour of the opening"),
                _("The list is published from then on."),
                card.lot.opens_at,
                _("until the opening"),
            )
        )
    else:
        found.append(Wait(HOST, _("the host"), _("Publish the list of bidders.")))
    return found + _claims(card)


def _claims(card: HallCard) -> list[Wait]:
    """The window of claims: two minutes from the moment the log was sealed off, never before the hour of the opening."""
    end = card.claims_end
    if end is None or card.now >= end:
        return []
    return [
        Wait(
            BIDDERS,
            _("bidders"),
            _("Whoever holds a receipt and is missing may claim it."),
            end,
            _("until claims end"),
            _(
                "Two minutes from the moment the log was sealed off, whenever the list is published. No share is taken before."
            ),
        )
    ]


def _listed(card: HallCard) -> list[Wait]:
    if any(not one.outcome for one in card.claims):
        return [
            Wait(
                SUPERVISOR,
                _("the supervisory body"),
                _("Decide on the claim of omission; the opening stands still until then."),
            )
        ]
    found = []
    if card.shares_from is not None and card.now < card.shares_from:
        if card.claims_end is not None and card.now < card.claims_end:
            found += _claims(card)
        if card.claims_end is None or card.shares_from > card.claims_end:
            found.append(
                Wait(
                    BIDDERS,
                    _("bidders"),
                    _("Give their own parts."),
                    card.shares_from,
                    _("until key holders may begin"),
                    _("This tender has co-opening: each bid needs its bidder's own part too."),
                )
            )
        return [*found, _holders(card, _("Release their shares from then on."), None)]
    if card.run is not None and not card.run.stopped:
        return [
            Wait(
                PLATFORM,
                _("the platform"),
                _("Decrypt: %(done)s of %(total)s bids.", done=card.run.done, total=card.run.total),
            )
        ]
    if card.repair is not None and not card.repair.is_over(card.now):
        return [
            Wait(
                BIDDERS,
                _("bidders"),
                _("Rescue the bids that found too few good shares."),
                card.repair.until,
                _("left to rescue them"),
            )
        ]
    if card.may_decrypt:
        return [Wait(HOST, _("the host"), _("Decrypt and read out."))]
    return [_holders(card, _("Release their shares."), card.shares_until)]


def _holders(card: HallCard, what: str, until: datetime | None) -> Wait:
    away = [one for one in card.officers if one.released_at is None]
    names = ("、" if language() == "zh" else ", ").join(one.name for one in away)
    came, enough = len(card.shares), len(card.shares) >= card.t
    why = (
        _(
            "%(came)s of %(n)s came, %(t)s are enough to open. The opening still waits for the others: it begins when all have come or "
            "the time is over, so that nobody picks whose shares count, and each who stays away is on record.",
            came=came,
            n=card.n,
            t=card.t,
        )
        if enough
        else _("%(came)s of %(n)s came, %(t)s are needed.", came=came, n=card.n, t=card.t)
    )
    return Wait(OFFICERS, names, what, until, _("left for key holders"), why, tuple(one.j for one in away))


def _opened(card: HallCard) -> list[Wait]:
    found = []
    if card.open_objections:
        found.append(Wait(HOST, _("the host"), _("Answer %(n)s objections.", n=card.open_objections)))
    if (missing := card.wanted - len(card.countersigned)) > 0:
        signed = {one.j for one in card.countersigned}
        away = [one for one in card.shares if one.j not in signed]
        names = ("、" if language() == "zh" else ", ").join(one.name for one in away)
        found.append(
            Wait(
                OFFICERS,
                names,
                _("Countersign the opening list: %(n)s signatures more.", n=missing),
                None,
                "",
                _("%(t)s signatures are enough; any of those who released shares may give them.", t=card.wanted),
                tuple(one.j for one in away),
            )
        )
    if card.confirm_until is not None and card.now < card.confirm_until and not card.all_said:
        found.append(
            Wait(
                BIDDERS,
                _("bidders"),
                _("Confirm their lines or object: %(n)s of %(all)s have.", n=card.said, all=card.to_say),
                card.confirm_until,
                _("left for bidders"),
                _("Silence counts as confirmation."),
            )
        )
    return found or [Wait(HOST, _("the host"), _("Sign the record."))]
