"""The bidder's lots, the task list of one lot; taking part, leaving, asking; questions and company."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from deposits import demands
from deposits.views.own_lots import OwnLot, own_lot_card, own_lots
from trading.availability import deadline_faults
from trading.bidding import bids, officer_news, participants, tickets
from trading.custody import officers
from trading.kernel import log
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments, parties
from trading.tendering import enquiries, invitations, notices
from trading.tendering.tenders import Lot
from trading.views import lot_cards, restored_queries
from trading.views.own_bids import EnvelopeCard
from web import words
from web.desks.bidder import agenda
from web.desks.bidder.duties import questions, when
from web.desks.bidder.losses import losses
from web.desks.bidder.receipts import download
from web.desks.bidder.room import SEE, bidder, can, crumbs, lang, lot_crumbs, open_lot, own_lot, zone
from web.desks.bidder.trouble import copies_wanted
from web.http.forms import Form
from web.http.gate import reading, render, request
from web.words import formatting


@bidder.page("/lots", needs=SEE)
def lots() -> str:
    with reading() as view:
        rows = [
            (one, agenda.bar_of(one, view.now), agenda.own_tags(one, view.now), agenda.next_date(one, view.now))
            for one in own_lots(view)
        ]
    return render("bidder/lots.html", rows=rows)


@bidder.page("/lots/<ref>", needs=SEE)
def lot(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row = open_lot(view, ref)
        taking = participants.find(view.session, row, parties.own_party(view))
        card = lot_cards.card_of(view, row)
        if taking is None:
            invited = invitations.may_read(view, row)
            return render(
                "bidder/join.html",
                card=card,
                form=form or Form.blank(),
                gap=restored_queries.gap_of_lot(view, row),
                crumbs=lot_crumbs(ref),
                now=view.now,
                invited=invited,
                may_join=can(Act.LOT_TAKE_PART)
                and invited
                and card.state in ("NOTICE", "BIDDING")
                and bool(card.deadline and view.now < card.deadline),
            )
        mine, gap = own_lot_card(view, taking), restored_queries.gap_of_lot(view, row)
        asked, until = questions(view, row)
        changed, suspended = changed_officers(view, row, taking), deadline_faults.standing(view.session, row)
        files, told = lot_cards.document_cards(view, row), lot_cards.notice_cards(view, row)
        copy_wanted, lost, ahead = (
            bool(copies_wanted(view, row)),
            losses(view, [mine]),
            agenda.next_date(mine, view.now),
        )
    return render(
        "bidder/lot.html",
        mine=mine,
        card=mine.card,
        gap=gap,
        tasks=tasks(mine),
        form=form or Form.blank(),
        asked=asked,
        ask_until=until,
        files=files,
        notices=told,
        crumbs=crumbs((_("My lots"), "/bidder/lots"), (ref, "")),
        now=view.now,
        can_submit=can(Act.BID_SUBMIT),
        copy_wanted=copy_wanted,
        consortia=row.consortium_most > 1,
        changed=changed,
        suspended=suspended,
        lost=lost,
        next=ahead,
    )


def changed_officers(view: View, row: Lot, taking: participants.Participant) -> dict[str, Any] | None:
    """What a bidder is told of key holders replaced after publication: whether keys are being tried, and what became of its own bid."""
    change = officer_news.last_change(view.session, row)
    if change is None:
        return None
    own = officer_news.own_bids(view, taking)
    states = {one.state for one in own}
    state = (
        officer_news.DEAD if officer_news.DEAD in states else officer_news.KEPT if officer_news.KEPT in states else ""
    )
    return {
        "at": change.ended_at,
        "state": state,
        "untried": bool(officers.untried(view.session, row)),
        "parts": [one.part for one in own if one.state == state],
    }


def tasks(mine: OwnLot) -> list[dict[str, Any]]:
    """What is to be done on a lot, in its order: label, state (done, now, todo, late), note, href, act."""
    base, deposit = f"/bidder/lots/{mine.card.ref}", mine.deposit
    over = not (mine.open or mine.early)
    rows = [_task(_("Take part"), "done", when_words(mine))]
    if deposit is not None:
        state = "done" if deposit.secured else "late" if over else "now"
        rows.append(
            _task(
                _("Deposit"),
                state,
                _deposit_words(mine),
                f"/bidder/deposits/{mine.card.ref}",
                _("Payment slip") if state == "now" else "",
            )
        )
    keyed = _("A key is enrolled") if mine.keyed else _("Make and enrol it once")
    rows.append(
        _task(
            _("Key"), "done" if mine.keyed else "now", keyed, "/account/keys", "" if mine.keyed else _("Make the key")
        )
    )
    if len(mine.envelopes) > 1:
        rows += [task for one in mine.envelopes for task in _envelope_tasks(mine, one, over)]
    else:
        rows += _bid_tasks(mine, over)
    rows.append(
        _task(
            _("Opening"),
            "done" if mine.opening in ("SIGNED", "CLOSED") else "now" if mine.opening == "OPENED" else "todo",
            formatting.moment(mine.card.opens_at, lang(), zone()) if mine.card.opens_at else "",
            base + "/opening" if mine.opening else "",
            _("Read it") if mine.opening == "OPENED" else "",
        )
    )
    rows.append(
        _task(
            _("Result"),
            "done" if mine.outcome else "todo",
            _("Own score, rank and reasons"),
            base + "/outcome" if mine.outcome else "",
        )
    )
    if deposit is not None:
        back = [card for card in deposit.refunds if card.state == "CONFIRMED"]
        rows.append(
            _task(
                _("Refund"),
                "done" if back else "now" if deposit.refunds else "todo",
                _("To the account it came from"),
                f"/bidder/deposits/{mine.card.ref}#refund" if deposit.refunds else "",
            )
        )
    return rows


def _bid_tasks(mine: OwnLot, over: bool) -> list[dict[str, Any]]:
    base, rows = f"/bidder/lots/{mine.card.ref}", []
    sealed = any(upload.whole for upload in mine.uploads) or mine.bid is not None
    rows.append(
        _task(
            _("Form, files, seal"),
            "done" if sealed else "late" if over else "now" if mine.open else "todo",
            _("On this computer; the key never leaves it"),
            base + "/seal" if mine.open else "",
            _("Seal and submit") if mine.open and not sealed else "",
        )
    )
    if mine.bid is not None:
        rows.append(
            _task(_("Submit"), "done", formatting.moment(mine.bid.at, lang(), zone()), f"/bidder/receipts/{mine.bid.c}")
        )
    else:
        rows.append(
            _task(
                _("Submit"),
                "late" if over else "now" if mine.open else "todo",
                _("Nothing submitted") if over else _("Uploading is not submitting"),
                base + "/seal" if mine.open else "",
                _("Submit it") if mine.open and sealed else "",
            )
        )
    return rows


def _envelope_tasks(mine: OwnLot, one: EnvelopeCard, over: bool) -> list[dict[str, Any]]:
    """Of two envelopes each is sealed and submitted for itself; a lone one is no bid, and that is said."""
    href = f"/bidder/lots/{mine.card.ref}/seal?envelope={one.part}" if mine.open else ""
    name = words.state("bid_envelope", f"one_{one.part}", lang()).text
    label = name[:1].upper() + name[1:]
    if one.bid is not None:
        return [_task(label, "done", formatting.moment(one.bid.at, lang(), zone()), f"/bidder/receipts/{one.bid.c}")]
    note = (
        _("Not submitted: the other envelope alone is no bid")
        if mine.missing
        else (_("Nothing submitted") if over else _("Seal and submit it; both envelopes together are the bid"))
    )
    return [_task(label, "late" if over else "now" if mine.open else "todo", note, href)]


def _task(label: str, state: str, note: str, href: str = "", act: str = "") -> dict[str, Any]:
    return {"label": label, "state": state, "note": note, "href": href, "act": act}


def when_words(mine: OwnLot) -> str:
    if mine.left_at is not None:
        return _("Left on %(at)s", at=formatting.moment(mine.left_at, lang(), zone()))
    return _("Since %(at)s", at=formatting.moment(mine.joined_at, lang(), zone()))


def _deposit_words(mine: OwnLot) -> str:
    deposit = mine.deposit
    assert deposit is not None
    if deposit.secured:
        return _("%(amount)s arrived in time", amount=formatting.money(deposit.received, lang()))
    return _(
        "%(got)s of %(amount)s arrived",
        got=formatting.money(deposit.received, lang()),
        amount=formatting.money(deposit.amount, lang()),
    )


# --- acts -------------------------------------------------------------------------------------------------------------


@bidder.act("/lots/<ref>/acts/take-part", needs=Act.LOT_TAKE_PART, back=lot)
def take_part(unit: UnitOfWork, _form: Form, ref: str) -> str:
    """Take part, and get a sub-account of one's own for the deposit. Doing it twice is harmless."""
    taking = participants.take_part(unit, open_lot(unit, ref))
    demands.demand_for(unit, taking)
    return f"/bidder/lots/{ref}"


@bidder.act("/lots/<ref>/acts/leave", needs=Act.BID_WITHDRAW, back=lot)
def leave(unit: UnitOfWork, form: Form, ref: str) -> str:
    """The written notice that we no longer take part. Field: ``sure``. Final; a bid that stands is withdrawn first."""
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    _lot, taking = own_lot(unit, ref)
    bids.leave(unit, taking)
    return f"/bidder/lots/{ref}"


@bidder.act("/lots/<ref>/acts/ask", needs=Act.ENQUIRY_ASK, back=lot)
def ask(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Ask about the tender documents; who asks is shown to nobody. Field: ``question``."""
    question = form.text("question", limit=enquiries.MAX_LENGTH, lines=True)
    form.refuse_if_any()
    enquiries.ask(unit, open_lot(unit, ref), question=question)
    return f"/bidder/lots/{ref}#questions"


# --- for the sealer ---------------------------------------------------------------------------------------------------


@bidder.page("/lots/<ref>/ticket", needs=SEE)
def ticket(ref: str) -> Response:
    """The ticket for `bidhall seal`: policy, form and whom to trust, signed by the platform; ``?envelope=`` where a bid has two."""
    with reading() as view:
        row = open_lot(view, ref)
        part = part_asked(row)
        document = tickets.ticket(view, row, part)
    return download(document, f"ticket-{ref}.json" if part == officers.BID else f"ticket-{ref}-{part}.json")


@bidder.page("/lots/<ref>/data", needs=SEE)
def data(ref: str) -> Response:
    """All that the page of sealing needs: policy, enrolments, form, the notice's policy id, our name, key, standing bid, uploads."""
    with reading() as view:
        row, taking = own_lot(view, ref)
        found = seal_data(view, row, own_lot_card(view, taking, part_asked(row)))
    return jsonify(found)


def part_asked(row: Lot) -> str:
    """The envelope a page was asked for; the first one unless the lot has it."""
    asked = request.args.get("envelope", "")
    return asked if asked in officers.bid_envelopes(row) else officers.BID


def seal_data(view: View, row: Lot, mine: OwnLot) -> dict[str, Any]:
    """What the page of sealing works with, for the envelope of ``mine``."""
    policy = officers.current_policy(view.session, row, mine.part)
    party = parties.own_party(view)
    key = enrolments.find_key(view.session, party.code, "bidder")
    document = officers.policy_document(policy)
    named = {one["sign_kid"] for one in document["officers"]}
    return {
        "ref": row.ref,
        "platform": view.office.platform,
        "tender": row.tender.ref,
        "lot": row.no_text,
        "envelope": mine.part,
        "policy": json.loads(policy.dsse or "null"),
        "policy_id": policy.policy_id,
        "published_policy_id": _published(view, row, mine.part),
        "enrolments": tickets.enrolments_of(view.session, named, set(), log.size(view)),
        "trust": tickets.trust(view),
        "form": officers.form_of(row, mine.part),
        "ceiling": row.ceiling.text() if row.ceiling.minor else "",
        "policy_t": document["t"],
        "policy_n": document["n"],
        "max_plen": document["max_plen"],
        "bidder": party.code,
        "key": {"kid": key.sign_kid, "sign_pk": key.sign_public, "seal_pk": key.seal_public} if key else None,
        "replaces": mine.statement,
        "deadline": row.deadline.isoformat() if row.deadline else "",
        "open": mine.open,
        "standing": mine.bid.c if mine.bid else "",
        "uploads": [vars(upload) | {"made_at": upload.made_at.isoformat()} for upload in mine.uploads],
    }


def _published(view: View, row: Lot, part: str) -> str:
    """The policy id as the newest notice names it: what the page compares the key with before the first byte."""
    name = "policy" if part == officers.BID else f"policy_{part}"
    told = [notice.body[name] for notice in notices.of_lot(view.session, row) if notice.body.get(name)]
    if not told:
        raise NotFound("notice.missing", ref=row.ref, kind="tender")
    return str(told[-1])


# --- other pages ------------------------------------------------------------------------------------------------------


@bidder.page("/questions", needs=SEE)
def all_questions() -> str:
    with reading() as view:
        rows = [(one.card, questions(view, open_lot(view, one.card.ref))[0]) for one in own_lots(view)]
    return render("bidder/questions.html", rows=[(card, asked) for card, asked in rows if asked])


@bidder.page("/company", needs=SEE)
def company() -> str:
    with reading() as view:
        party = parties.own_party(view)
        key = enrolments.find_key(view.session, party.code, "bidder")
        facts = [
            (_("Name"), party.name),
            (_("Unified social credit code"), party.code),
            (_("Region"), party.region or "—"),
            (_("Basic account"), _tail(party.bank_account)),
        ]
        enrolled = when(key.enrolled_at, view) if key else ""
    return render(
        "bidder/company.html",
        facts=facts,
        key=key,
        enrolled=enrolled,
        crumbs=crumbs((_("Company"), "")),
        can_key=can(Act.KEY_ENROL),
    )


def _tail(account: str | None) -> str:
    return f"…{account[-4:]}" if account else "—"
