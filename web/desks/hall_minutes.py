"""The minutes of an opening as a paper: what stands in them, and the address where they are read (rules X-10; TReg art. 36)."""

from __future__ import annotations

from typing import Any

from flask import Response

from trading import opening
from trading.kernel.access import Act
from trading.kernel.clock import floor_second
from trading.kernel.errors import NotAllowed, NotFound
from trading.kernel.work import Look
from web import papers, show, words
from web.desks.hall_cards import BidLine, HallCard, hall_card
from web.desks.hall_room import hall, hall_lot, zone
from web.gate import ANYONE, actor, look, office, request


@hall.page("/<ref>/minutes", needs=ANYONE)
def minutes(ref: str) -> Response:
    """The signed minutes, public from the signature on; the draft (``?draft=1``) is for the host."""
    with look() as now:
        lot = hall_lot(now, ref)
        row = opening.opening(now.session, lot)
        if request.args.get("draft"):
            now.require(Act.OPENING_HOST)
            if row.opened is None:
                raise NotFound("opening.no_minutes", ref=ref)
            data = paper(hall_card(now, lot), now, draft=True)
        elif row.minutes is None:
            raise NotFound("opening.no_minutes", ref=ref)
        else:
            with office().blobs.open(row.minutes) as held:
                data = held.read()
    return papers.answer(data, f"opening-{ref}")


def paper(card: HallCard, now: Look, *, draft: bool = False) -> bytes:
    """The minutes of an opening whose list has been read out, in Chinese, the language of the record. Refuses: NotFound before."""
    if card.opened_at is None:
        raise NotFound("opening.no_minutes", ref=card.lot.ref)
    if now.actor.role in ("expert", "chair"):
        raise NotAllowed("opening.not_for_panel")
    return papers.make("minutes", facts(card, host=actor().name, draft=draft), title="开标记录", at=floor_second(now.now))


def facts(card: HallCard, *, host: str, draft: bool) -> dict[str, Any]:
    """Everything that is printed, as plain texts: the paper only sets it."""
    lot = card.lot
    return {
        "lang": "zh", "draft": draft, "title": "开标记录", "subject": lot.title, "ref": lot.ref,
        "head": [
            ["项目名称", lot.project], ["标段（采购包）", f"{lot.title}（{lot.ref}）"], ["统一交易标识码", lot.code or "–"],
            ["采购人（招标人）", lot.purchaser], ["代理机构", lot.agency or "–"], ["开标地点", lot.place or "–"], ["主持人", host],
            ["投标截止", _at(lot.deadline)], ["封存时点", _at(card.closed_at)], ["公布名单", _at(card.listed_at)],
            ["唱标", _at(card.opened_at)], ["最高限价", show.money(lot.ceiling)], ["开启方案编号", card.policy_id],
            ["名单摘要", card.set_hash],
        ],
        "fields": [field["label"] for field in lot.form if field["key"] != "price"],
        "bids": [_bid(one) for one in card.bids],
        "shares": [[str(one.j), one.name, one.organisation, words.state("side", one.side, "zh").text,
                    _at(one.released_at) if one.released_at else "未到（备用）",
                    "已核对并会签" if any(s.j == one.j for s in card.countersigned) else "–"] for one in card.officers],
        "extended": card.extended,
        "draws": [[words.state("draw_label", one.label, "zh").text, one.draw, one.value or words.state("draw", one.state, "zh").text]
                  for one in card.draws if one.label == "k"],
        "remarks": [[_at(one.at), one.name, words.state("hall_remark", one.kind, "zh").text, one.text, one.answer,
                     _at(one.answered_at) if one.answered_at else ""] for one in card.remarks],
        "silence": f"确认时间到 {_at(card.confirm_until)}。未表示意见的投标人视为对开标过程和开标一览表无异议。",
        "threshold": f"{card.n} 位密钥持有人中任意 {card.t} 位可开启；本次到场 {len(card.shares)} 位。",
        "proofs": [[words.state("log_event", one.event, "zh").text, one.who, one.c, _at(one.sealed_at) if one.sealed_at else "待入簿"]
                   for one in card.proofs],
    }


def _bid(one: BidLine) -> dict[str, Any]:
    outcome = one.outcome.result if one.outcome else ""
    return {
        "no": str(one.no), "name": one.name, "price": show.figure(one.price), "capitals": one.price.capitals() if one.price else "–",
        "values": [value for _label, value in one.values], "digest": one.header_hash,
        "verdict": words.state("verdict", one.verdict, "zh").text + (f"（{one.verdict}）" if one.verdict != "opened" else ""),
        "cause": words.state("cause", one.cause, "zh").text if one.cause else "",
        "effect": words.state("decrypt_outcome", outcome, "zh").text if outcome not in ("", "opened") else "",
        "secured": "已到账" if one.secured else "未到账",
        "files": [[file.name or "（名称未公开）", file.digest] for file in one.files],
        "said": words.state("hall_remark", one.remark, "zh").text if one.remark else "未表示",
    }


def _at(moment: Any) -> str:
    return "–" if moment is None else f"{moment.astimezone(zone()):%Y-%m-%d %H:%M:%S}"


