"""Notices and lots: what is bought, by which rules, until when, and how it ended. Whoever takes a file leaves no trace."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto.canonical import dumps
from crypto.ticks import PUBLIC_EVENTS
from trading.availability import deadline_faults
from trading.bidding import officer_news, participants, tickets
from trading.custody import officers
from trading.disclosure import dossier
from trading.kernel import audit, log
from trading.kernel.access import Act, may
from trading.kernel.audit import envelope_text
from trading.kernel.calendar import local_day
from trading.kernel.clock import write_moment
from trading.kernel.errors import NotFound
from trading.kernel.work import View
from trading.procedures import REGIMES, procedure_of
from trading.procedures.procedure import DEADLINE
from trading.rulebook import Rule, calendars
from trading.tendering import documents, enquiries, follows, invitations, notices
from trading.tendering.planning import book_of, deposit_cap
from trading.tendering.tenders import Lot
from trading.views import lot_cards, public_queries, public_stages, restored_queries
from trading.views.log_queries import entry_lines, notice_document
from web import words
from web.desks.public.lists import lots_csv, read_filters
from web.desks.public.result import ranking
from web.desks.public.words import attachment, lang, last_day, limit, line_state, notice_facts, page, zone
from web.http.forms import Form
from web.http.gate import Desk, office, reading, request
from web.http.layout import address, page_of
from web.http.page_rules import ANYONE
from web.words import formatting
from web.words.citations import citation
from web.words.formatting import tag
from web.words.regions import region_choices

desk = Desk("lots")
MOST_IN_FEED = 50
SHOWN = tuple(sorted(PUBLIC_EVENTS - {"drill"}))
"""Entries named on a lot's page; drills, one an officer, stand in the audit book."""


# --- notices ----------------------------------------------------------------------------------------------------------------------


@desk.page("/notices", needs=ANYONE)
def all_notices() -> str:
    """Every notice of every lot, newest first; corrections stand beside what they correct."""
    form = Form.query()
    kind, regime = form.choice("kind", notices.KINDS, needed=False), form.choice("regime", REGIMES, needed=False)
    text = form.text("words", needed=False, limit=80)
    kinds = (kind,) if kind else ()
    with reading() as view:
        pages = page_of(
            public_queries.count_notices(view, kinds=kinds, words=text, regime=regime), request.args, "/notices"
        )
        lines = public_queries.notice_lines(
            view, kinds=kinds, words=text, regime=regime, limit=pages.size, skip=pages.offset
        )
    speech = lang()
    asked = [
        ("words", f"“{text}”" if text else ""),
        ("kind", words.state("notice", kind, speech).text if kind else ""),
        ("regime", words.state("regime", regime, speech).text if regime else ""),
    ]
    chosen = [(label, address("/notices", request.args, page=None, **{name: None})) for name, label in asked if label]
    return page(
        "public/notices.html",
        form=form,
        pages=pages,
        lines=lines,
        chosen=chosen,
        kinds=[(one, words.state("notice", one, speech).text) for one in notices.KINDS],
        feed=address("/feed.xml", {"words": text, "kind": kind, "regime": regime}),
    )


@desk.page("/notices/<int:number>", needs=ANYONE)
def notice(number: int) -> str:
    with reading() as view:
        row, lot = public_queries.notice_of(view, number)
        others = [one for one in notices.of_lot(view.session, lot) if one.id != row.id]
        card = lot_cards.card_of(view, lot)
    return page(
        "public/notice.html",
        notice=row,
        card=card,
        facts=notice_facts(row.kind, row.body, card),
        rows=ranking(row.body),
        others=others,
    )


@desk.page("/notices/<int:number>/document.json", needs=ANYONE)
def notice_json(number: int) -> Response:
    """The document whose digest the log holds, as its canonical bytes."""
    with reading() as view:
        row, _lot = public_queries.notice_of(view, number)
        text = audit.document(view.session, row.document_hash)
        told = notice_document(view, row)
    if text != told:
        raise NotFound("log.document_unknown", hash=row.document_hash)
    return attachment(_canonical(told), f"notice-{row.kind}-{row.version}.json", "application/json")


@desk.page("/feed.json", needs=ANYONE)
def feed_json() -> Response:
    """JSON Feed 1.1 of the newest notices; the same filters as the page."""
    base = request.host_url.rstrip("/")
    items = [
        {
            "id": f"{base}/notices/{one.id}",
            "url": f"{base}/notices/{one.id}",
            "title": _feed_title(one),
            "content_text": one.tender_title,
            "date_published": write_moment(one.published_at),
        }
        for one in _fed()
    ]
    answer = jsonify(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": _("Notices"),
            "home_page_url": f"{base}/notices",
            "feed_url": base + request.full_path.rstrip("?"),
            "language": "zh-CN" if lang() == "zh" else "en",
            "items": items,
        }
    )
    answer.content_type = "application/feed+json"
    return answer


@desk.page("/feed.xml", needs=ANYONE)
def feed_xml() -> Response:
    """Atom (RFC 4287) of the newest notices; of all of them, with the gaps the platform declared after a restoration."""
    lines = _fed()
    with reading() as view:
        gaps = [] if request.args else restored_queries.gap_lines(view)
    newest = [one.published_at for one in lines[:1]] + [one.at for one in gaps[:1]]
    text = page(
        "public/feed.html",
        gaps=gaps,
        base=request.host_url.rstrip("/"),
        self=request.full_path.rstrip("?"),
        lines=lines,
        title_of=_feed_title,
        moment=write_moment,
        updated=write_moment(max(newest, default=office().clock.now())),
    )
    return Response(text, mimetype="application/atom+xml")


def _fed() -> list[public_queries.NoticeLine]:
    kind = request.args.get("kind", "")
    regime = request.args.get("regime", "")
    with reading() as view:
        return public_queries.notice_lines(
            view,
            kinds=(kind,) if kind in notices.KINDS else (),
            words=request.args.get("words", "")[:80],
            regime=regime if regime in REGIMES else "",
            limit=MOST_IN_FEED,
        )


def _feed_title(one: public_queries.NoticeLine) -> str:
    return f"{words.state('notice', one.kind, lang()).text} · {one.title} · {one.lot}"


# --- lots -------------------------------------------------------------------------------------------------------------------------


@desk.page("/lots", needs=ANYONE)
def lots() -> Any:
    """All lots, whatever their stage."""
    form = Form.query()
    filters, chosen = read_filters(form, request.args, "/lots")
    with reading() as view:
        pages = page_of(public_queries.count_lots(view, filters), request.args, "/lots", csv=True)
        lines = public_queries.lots(
            view, filters, sort=request.args.get("sort", "-published"), limit=pages.size, skip=pages.offset
        )
        regions = public_queries.regions(view)
    if request.args.get("format") == "csv":
        return lots_csv(lines)
    return page(
        "public/lots.html",
        form=form,
        pages=pages,
        lines=lines,
        chosen=chosen,
        filters=filters,
        regions=region_choices(regions),
        state_of=lambda line: tag(line_state(line, view.now, lang())),
    )


@desk.page("/lots/<ref>", needs=ANYONE)
def lot(ref: str) -> str:
    """One lot: its road with the law's limits, facts, files, answers, notices, rights, and what the log proves of it."""
    with reading() as view:
        row = public_queries.published_lot(view, ref)
        told = public_queries.outcome(view, row)
        listed = notices.of_lot(view.session, row)
        first = next((one for one in listed if one.kind == "tender"), None)
        card = lot_cards.card_of(view, row)
        policy = officers.find_policy(view.session, row)
        cap, cap_rule = deposit_cap(row.project, row.budget, book_of(row, view.now))
        road = public_stages.stages(view, row, told, first)
        may_read = invitations.may_read(view, row)
        values = {
            "card": card,
            "stages": road,
            "told": told,
            "notices": listed,
            "answers": [one for one in listed if one.kind in ("clarification", "correction")][::-1],
            "files": public_queries.file_lines(view, row),
            "issued": documents.may_take(view, row),
            "policy": policy,
            "policy_facts": officers.policy_document(policy) if policy else {},
            "cap": cap,
            "cap_rule": cap_rule,
            "cutoff": public_stages.clarify_cutoff(view, row),
            "questions_until": enquiries.closes_at(row),
            "rights": _rights(view, row, told),
            "entries": entry_lines(view, lot=ref, events=SHOWN, limit=6),
            "tip": log.last_tick(view.session),
            "untried": bool(officers.untried(view.session, row)),
            "changed": officer_news.last_change(view.session, row),
            "suspended": deadline_faults.standing(view.session, row),
            "trust": tickets.trust(view),
            "following": follows.follows(view, row),
            "bundled": row.state in dossier.FINISHED,
            "may_read": may_read,
            "invited_only": invitations.is_invited_only(row),
            "may_join": may(view.actor, Act.LOT_TAKE_PART) and may_read,
            "taking": participants.takes_part(view, row),
            "open": card.state in ("NOTICE", "BIDDING") and card.deadline is not None and view.now < card.deadline,
        }
    return page("public/lot.html", form=Form.blank(), stage_rows=[_stage(one, card) for one in road], **values)


@desk.page("/lots/<ref>/ticket.json", needs=ANYONE)
def ticket(ref: str) -> Response:
    """What a sealer needs, signed by the platform: the complete policy, whom to trust, the opening form."""
    with reading() as view:
        row = public_queries.published_lot(view, ref)
        envelope = tickets.ticket(view, row, request.args.get("envelope", officers.BID)[:128])
    return attachment(envelope_text(envelope).encode(), f"{ref}.ticket.json", "application/json")


@desk.page("/lots/<ref>/policy.json", needs=ANYONE)
def policy(ref: str) -> Response:
    """The opening policy that stands, with the signatures of every officer."""
    with reading() as view:
        row = officers.current_policy(
            view.session, public_queries.published_lot(view, ref), request.args.get("envelope", officers.BID)[:128]
        )
        text = row.dsse or ""
    return attachment(text.encode(), f"{ref}.policy.json", "application/json")


@desk.page("/lots/<ref>/documents/<int:number>", needs=ANYONE)
def document(ref: str, number: int) -> Response:
    """One file, as an attachment. Nothing is written down about whoever takes it."""
    with reading() as view:
        found = documents.document(view, public_queries.published_lot(view, ref), number)
        blobs = view.office.blobs
    answer = attachment(blobs.read(found.blob), found.name, found.media)
    answer.content_length = found.size
    answer.headers["Repr-Digest"] = f"sha-256=:{_base64(found.sha256)}:"
    return answer


@desk.page("/lots/<ref>/contract", needs=ANYONE)
def contract(ref: str) -> str:
    with reading() as view:
        row = public_queries.published_lot(view, ref)
        told = public_queries.outcome(view, row)
        card = lot_cards.card_of(view, row)
    return page(
        "public/contract.html",
        card=card,
        told=told,
        notice=told.contract,
        facts=notice_facts("contract", told.contract.body, card) if told.contract else [],
    )


# --- parts ------------------------------------------------------------------------------------------------------------------------


def _stage(stage: public_stages.Stage, card: lot_cards.LotCard) -> dict[str, Any]:
    """A stage for the macro: its moment, then each limit of the law with its rule as small print."""
    speech = lang()
    lines: list[str] = []
    if stage.day:
        lines.append(formatting.day(stage.day, speech))
    if stage.at is not None:
        lines.append(_short(stage.at))
    if stage.until is not None:
        lines.append(_("until %(when)s", when=_short(stage.until)))
    limits = [text for rule in stage.rules if (text := limit(rule, speech))]
    if limits:
        lines.append(_("law: %(limits)s", limits=("，" if speech == "zh" else ", ").join(dict.fromkeys(limits))))
    left = ""
    if stage.code == "bidding" and stage.state == public_stages.HERE and card.deadline is not None:
        now = office().clock.now()
        left = formatting.left(card.deadline, now, speech) if now < card.deadline else ""
    if stage.state == public_stages.HERE and card.state in ("FAILED", "TERMINATED"):
        left = words.state("lot", card.state, speech).text
    title = "\n".join(
        f"{rule.id} {rule.zh if speech == 'zh' else rule.en} ({citation(rule.source, speech)})" for rule in stage.rules
    )
    return {
        "label": words.state("stage", stage.code, speech).text,
        "state": stage.state,
        "lines": lines,
        "left": left,
        "title": title,
    }


def _short(moment: datetime) -> str:
    local = moment.astimezone(zone())
    if (local.hour, local.minute, local.second) == (0, 0, 0):
        return last_day(moment)[5:]
    return f"{local:%m-%d %H:%M}"


def _rights(view: View, row: Lot, told: public_queries.Outcome) -> list[dict[str, Any]]:
    """Who may ask or object, until when, who answers by when: from the lot's own rulebook."""
    book = book_of(row, view.now)
    law = procedure_of(row).remedies
    documents, result, answer = law.window("documents"), law.window("result"), book.find(law.answer)
    found: list[dict[str, Any]] = []
    until = enquiries.closes_at(row)
    found.append(
        {
            "what": "enquiry",
            "until": until,
            "over": until is None or until <= view.now,
            "answer": book.find("T-20"),
            "rule": None,
        }
    )
    rule = book.find(documents.basis)
    last = None
    if documents.anchor == DEADLINE and rule is not None and row.deadline is not None:
        last = _term_end(view, rule, row.deadline)
    found.append(
        {
            "what": f"{law.kind}_documents",
            "until": last,
            "over": last is not None and last <= view.now,
            "rule": rule,
            "answer": answer,
        }
    )
    if told.object_until is not None:
        found.append(
            {
                "what": f"{law.kind}_result",
                "until": told.object_until,
                "over": told.object_until <= view.now,
                "rule": book.find(result.basis),
                "answer": answer,
            }
        )
    found.append(
        {
            "what": "complaint",
            "until": None,
            "over": False,
            "rule": book.find(law.complaint),
            "answer": book.find(law.complaint_decided),
        }
    )
    return found


def _term_end(view: View, rule: Rule, anchor: datetime) -> datetime | None:
    term = rule.term(local_day(anchor), calendars.current(view.session))
    return term.ends_at if term else None


def _canonical(value: dict[str, Any]) -> bytes:
    return dumps(value)


def _base64(hexed: str) -> str:
    return b64encode(bytes.fromhex(hexed)).decode()
