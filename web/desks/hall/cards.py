"""How the card of an opening is put together from what is stored; what it is made of stands in lines.py."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _

from crypto.canonical import loads
from crypto.signatures import payload_of
from trading import draws
from trading.bidding import bids, claims, closing, consortia, late_close, participants
from trading.custody import officers
from trading.hall import attendance, base_prices, legal_effects, readings
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony, rescue
from trading.opening.ceremony import Opening
from trading.parties.parties import Party
from trading.remedies import disputes
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from trading.views.hall_queries import BEFORE, FAILED, SHUT
from web import words
from web.desks.hall.lines import BaseLine, BidLine, DrawLine, FileLine, HallCard, OfficerLine, RemarkLine
from web.desks.hall.marks import mark, progress
from web.desks.hall.proofs import proof_lines
from web.desks.hall.waits import waits
from web.http.refusals import language

MONEY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,2})?")


def hall_card(view: View, lot: Lot, part: str = "") -> HallCard:
    """The card of one opening as of this hour; of two envelopes that of ``part``, or the one whose ceremony the hall holds."""
    found = _card(view, lot, part)
    return replace(found, waits=tuple(waits(found)))


def _card(view: View, lot: Lot, part: str) -> HallCard:
    card = lot_cards.card_of(view, lot)
    part = part or ceremony.current_part(view.session, lot)
    row = ceremony.find(view.session, lot, part)
    policy = officers.find_policy(view.session, lot, part)
    head: dict[str, Any] = {
        "lot": card,
        "now": view.now,
        "policy_id": policy.policy_id if policy else "",
        "t": policy.t if policy else 0,
        "n": officers.policy_document(policy)["n"] if policy else 0,
        "last": mark(view, lot.ref),
        "part": part,
        "form": tuple(officers.form_of(lot, part)),
        "waits_for_prices": part == officers.BID and lot.two_envelopes,
        "window": attendance.window(view.session, lot, view.now),
        "officials": tuple(attendance.officials(view.session, lot)),
        "came": tuple(attendance.bidders(view.session, lot)),
        "base": _base(view, lot),
    }
    if row is None:
        ready = officers.drilled(view.session, policy) if policy else set()
        closed = closing.find(view.session, lot, part)
        over = lot.deadline is not None and view.now >= lot.deadline
        step = FAILED if lot.state == "FAILED" else SHUT if lot.state == ceremony.OPENS_IN[part] and over else BEFORE
        late = (
            closed is not None
            and policy is not None
            and late_close.is_awaited(view.session, lot, closed, policy.deadline)
        )
        return HallCard(
            **head,
            step=step,
            officers=_officers(view, lot, ready, head),
            closed_at=closed.tick_at if closed else None,
            claims_end=_claims_end(closed, policy),
            closing_late=late,
            documents_objected=step == SHUT and disputes.opening_waits(view.session, lot),
        )
    return _after(view, lot, row, head)


def _claims_end(closed: closing.Closing | None, policy: officers.Policy | None) -> datetime | None:
    return closing.claims_end(closed, policy.opens_at) if closed is not None and policy is not None else None


def _officers(view: View, lot: Lot, ready: set[int], head: dict[str, Any]) -> tuple[OfficerLine, ...]:
    present = {line.account_id: line.at for line in head["officials"]}
    return tuple(
        OfficerLine(
            seat.j,
            seat.account.name,
            seat.account.party.name,
            seat.side,
            officers.fingerprint_of(seat),
            seat.j in ready,
            present_at=present.get(seat.account_id),
        )
        for seat in officers.seats(view.session, lot)
    )


def _after(view: View, lot: Lot, row: Opening, head: dict[str, Any]) -> HallCard:
    session = view.session
    closed = closing.find(session, lot, row.part)
    posted = {share.j: share for share in ceremony.shares(session, row)}
    people = tuple(
        replace(one, released_at=posted[one.j].at, complaints=len(posted[one.j].errors)) if one.j in posted else one
        for one in _officers(view, lot, {seat.j for seat in officers.seats(session, lot)}, head)
    )
    kids = {seat.sign_kid: seat.j for seat in officers.seats(session, lot)}
    by_j = {one.j: one for one in people}
    came = [] if row.opened is None else [kids[s["keyid"]] for s in row.opened["signatures"] if s["keyid"] in kids]
    said = ceremony.remarks(session, row)
    turned = readings.position(session, row)
    pause, filed = rescue.pause(session, row), tuple(claims.of_lot(session, lot, row.part))
    stopped = (pause is not None and not pause.is_over(view.now)) or any(not one.outcome for one in filed)
    return HallCard(
        **head,
        place=turned.place,
        reading_ended=turned.ended_at,
        read_moments=turned.moments,
        repair=pause,
        failed=tuple((one.party.name, one.code) for one in rescue.failures(session, row)),
        step=row.state,
        officers=people,
        closed_at=closed.tick_at if closed else None,
        claims_end=_claims_end(closed, officers.find_policy(session, lot, row.part)),
        listed_at=row.listed_at,
        shares_from=row.shares_from,
        shares_until=row.shares_until,
        extended=row.extended,
        set_hash=row.set_hash,
        bids=_bids(view, lot, row, said, head["came"]),
        opened_at=row.opened_at,
        confirm_until=row.confirm_until,
        remarks=tuple(RemarkLine(r.id, r.party.name, r.kind, r.text, r.at, r.answer, r.answered_at) for r in said),
        draws=_draws(view, lot),
        proofs=proof_lines(view, lot, row, posted),
        countersigned=tuple(by_j[j] for j in came),
        wanted=ceremony.signatures_wanted(session, row),
        claims=filed,
        may_decrypt=ceremony.may_decrypt(session, row, view.now) and not stopped,
        minutes=row.minutes or "",
        version=row.version,
        run=progress(view, row),
    )


def _bids(
    view: View, lot: Lot, row: Opening, said: list[ceremony.OpeningRemark], came: tuple[attendance.Line, ...]
) -> tuple[BidLine, ...]:
    hours = {line.party_id: line.at for line in reversed(came)}
    standing = {bid.header_hash: bid for bid in bids.standing_bids(view.session, lot, row.part)}
    opened = {bid.header_hash: bid for bid in ceremony.opened_bids(view.session, row)}
    digests = (
        {} if row.opened is None else {b["header_hash"]: b["files"] for b in loads(payload_of(row.opened))["bids"]}
    )
    latest = {r.party_id: r for r in said}
    decided = {one.header_hash: one for one in legal_effects.of_lot(view.session, lot, row.part)}
    joint = consortia.opened(view.session, lot) if opened else {}
    taken = participants.by_party(view.session, lot)
    lines = []
    for no, item in enumerate(row.bids, start=1):
        name = item["header_hash"]
        bid, verdict = standing[name], opened.get(name)
        taking = taken.get(bid.party_id)
        line: dict[str, Any] = {
            "no": no,
            "party_id": bid.party_id,
            "name": bid.party.name,
            "header_hash": name,
            "entry": item["entry"],
            "secured": taking is not None and participants.is_secured(taking),
            "handed_in": bid.at,
            "came_at": hours.get(bid.party_id),
            "left_sealed": row.left_sealed.get(name, {}).get("ground", ""),
        }
        if verdict is not None:
            effect = decided.get(name)  # none of a bid that was not to be opened
            remark = latest.get(bid.party_id)
            line |= {
                "name": _joint(bid.party, joint.get(bid.party.code, [])),
                "verdict": verdict.verdict,
                "cause": effect.cause if effect else verdict.cause,
                "values": form_values(lot, verdict.announce),
                "price": None if verdict.price_minor is None else Money(verdict.price_minor, lot.currency),
                "over_ceiling": verdict.price_minor is not None
                and lot.ceiling_minor > 0
                and verdict.price_minor > lot.ceiling_minor,
                "form_faults": tuple(str(fault["field"]) for fault in verdict.form_faults),
                "files": tuple(FileLine(one["name"], one["digest"]) for one in digests.get(name, ())),
                "outcome": effect.outcome if effect else None,
                "ruling": effect.ruling.reasons if effect and effect.ruling else "",
                "awaits_finding": effect is not None and effect.awaits_finding,
                "found_at": effect.finding.at if effect and effect.finding else None,
                "found_c": effect.finding.c if effect and effect.finding else "",
                "ruled_at": effect.ruling.at if effect and effect.ruling else None,
                "remark": ("answered" if remark.answered_at else remark.kind) if remark else "",
                "remark_at": remark.at if remark else None,
            }
        lines.append(BidLine(**line))
    return tuple(lines)


def _joint(lead: Party, members: list[consortia.ConsortiumMember]) -> str:
    """A bidder as it is read out: a consortium with its members, the lead first."""
    others = [one.party.name for one in members if one.party_id != lead.id]
    return _("%(lead)s (consortium with %(others)s)", lead=lead.name, others="、".join(others)) if others else lead.name


def _base(view: View, lot: Lot) -> BaseLine | None:
    row = base_prices.find(view.session, lot)
    if row is None:
        return None
    return BaseLine(row.commitment, row.committed_at, base_prices.price_of(row, lot), row.salt, row.published_at)


def form_values(lot: Lot, announce: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The other fields of the opening form in their order: (label in the language of the page, value as it was sealed)."""
    key = "label" if language() == "zh" else "label_en"
    return tuple(
        (field.get(key) or field["label"], said_of(field, announce[field["key"]]))
        for field in lot.form
        if field["key"] != "price" and field["key"] in announce
    )


def said_of(field: dict[str, Any], value: str) -> str:
    """A value of the opening form as a person reads it."""
    if field["type"] == "choice" and value in ("yes", "no"):
        return words.state("yes_no", value, language()).text
    if field["type"] == "money" and MONEY.fullmatch(value):  # what was sealed is untrusted, and may be no amount
        return f"{Decimal(value):,.2f}"
    return value


def _draws(view: View, lot: Lot) -> tuple[DrawLine, ...]:
    found = []
    for label in ("k", "experts"):
        row = draws.find(view.session, lot, label)
        if row is not None:
            value = row.pool[draws.picks(row)[0]] if row.state == "DRAWN" and label == "k" else ""
            found.append(DrawLine(label, row.draw, row.state, row.noticed_at, row.drawn_at, value))
    return tuple(found)
