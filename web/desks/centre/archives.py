"""Archives of finished lots, for the clerk: what is on record, each thing with the page or paper it can be read on, the list of contents
as a paper, and the seal."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, current_app

from trading.awarding import archives
from trading.awarding.archives import Item
from trading.kernel.access import Act
from trading.kernel.clock import floor_second
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork, View
from trading.tendering import tenders
from trading.tendering.tenders import LOT_FLOW, Lot
from trading.views import lot_cards
from trading.views.lot_cards import LotCard
from web.http.forms import Form
from web.http.gate import Desk, reading, render
from web.papers import printing
from web.words import formatting, state

PLACE = "/centre/archive"
SEALED = "ARCHIVED"
TITLE = "归档目录"


def place_of(item: Item, card: LotCard) -> str:
    """Where a thing of the archive can be read, "" where it has no page of its own."""
    lot = f"/lots/{card.ref}"
    if not item.there or (card.published_at is None and item.kind != "filing"):
        return ""
    places = {
        "filing": f"/centre/filings/{item.name}/slip",
        "notice": f"/notices/{item.number}",
        "document": f"{lot}/documents/{item.number}",
        "policy": f"{lot}/policy.json?envelope={quote(item.name, safe='')}",
        "opening": f"/hall/{card.ref}/papers?envelope={quote(item.name)}",
        "report": f"{lot}/result",
        "contract": f"{lot}/contract",
    }
    return places.get(item.kind, "")


def name_of(item: Item, card: LotCard, lang: str) -> str:
    """What a thing is called on the list."""
    if item.kind == "notice":
        return state("notice", item.name, lang).text
    if item.kind == "policy":
        return state("envelope", item.name.partition("/")[0].replace(":", "_"), lang).text
    if item.kind == "opening" and card.two_envelopes:
        return state("bid_envelope", f"one_{item.name}", lang).text
    return item.name if item.name and item.kind != "opening" else state("archive", item.kind, lang).text


def contents_paper(view: View, lot: Lot) -> bytes:
    """The list of contents as a paper, in Chinese as every paper. Refuses: WrongStep while the lot is not finished, and what the setting of
    papers refuses."""
    if lot.state != SEALED:
        LOT_FLOW.check(lot, "archive")
    zone = current_app.extensions["bidhall"].zone
    card, items = lot_cards.card_of(view, lot), archives.contents(view, lot)
    missing = [one for one in items if one.needed and not one.there]
    rows = [
        [
            str(n),
            state("archive", one.kind, "zh").text,
            name_of(one, card, "zh"),
            formatting.moment(one.at, "zh", zone) if one.at else "–",
            one.digest or "–",
            "有" if one.there else "缺" if one.needed else "无",
        ]
        for n, one in enumerate(items, 1)
    ]
    said = [
        f"共 {len(items)} 件" + (f"，其中缺 {len(missing)} 件，补齐后方可封存。" if missing else "，齐全。"),
        "归档时本目录的摘要写入审计簿，此后不增不减。"
        if lot.state != SEALED
        else "本目录的摘要已写入审计簿，不再增减。",
    ]
    data = {
        "draft": False,
        "title": TITLE,
        "subject": card.title,
        "ref": card.ref,
        "wide": True,
        "house": f"{current_app.extensions['bidhall'].settings.place}　阳光标厅",
        "times": f"文中时间均为{formatting.zone_name(view.now, 'zh', zone)}",
        "head": [
            ["标段（采购包）", f"{card.title}（{card.ref}）"],
            ["统一交易标识码", card.code or "–"],
            ["采购人（招标人）", card.purchaser],
            ["代理机构", card.agency or "–"],
            ["状态", state("lot", card.state, "zh").text],
            ["打印时间", formatting.moment(view.now, "zh", zone)],
        ],
        "blocks": [
            {
                "heading": "目录",
                "words": said,
                "head": ["序", "类别", "名称", "时间", "摘要或编号", "状态"],
                "rows": rows,
                "widths": [0, 0, 3, 2, 3, 0],
                "right": [],
                "digests": [4],
                "list": [],
            }
        ],
        "signers": [["经办人", "", "签字、日期"], ["复核人", "", "签字、日期"]],
    }
    return printing.make("hall", data, title=TITLE, at=floor_second(view.now))


def add_pages(desk: Desk) -> None:
    """The pages, on the desk of the centre."""
    blueprint: Blueprint = desk.blueprint
    blueprint.context_processor(lambda: {"place_of": place_of, "name_of": name_of})

    @desk.page("/archive", needs=Act.ARCHIVE_SEAL)
    def archive_list() -> str:
        with reading() as view:
            return render(
                "centre/archives.html",
                ready=lot_cards.lots_in(view, archives.READY),
                sealed=lot_cards.lots_in(view, (SEALED,))[::-1],
            )

    @desk.page("/archive/<ref>", needs=Act.ARCHIVE_SEAL)
    def archive(ref: str, form: Form | None = None) -> str:
        with reading() as view:
            lot = tenders.lot(view.session, ref)
            items = archives.contents(view, lot) if lot.state in (*archives.READY, SEALED) else []
            return render(
                "centre/archive.html",
                card=lot_cards.card_of(view, lot),
                items=items,
                form=form or Form.blank(version=lot.version),
                missing=[item for item in items if item.needed and not item.there],
                ready=lot.state in archives.READY,
            )

    @desk.page("/archive/<ref>/contents.pdf", needs=Act.ARCHIVE_SEAL)
    def contents(ref: str) -> Response:
        with reading() as view:
            paper = contents_paper(view, tenders.lot(view.session, ref))
        return printing.answer(paper, f"contents-{ref}")

    @desk.act("/archive/<ref>/acts/seal", needs=Act.ARCHIVE_SEAL, back=archive)
    def do_seal(unit: UnitOfWork, form: Form, ref: str) -> str:
        lot = tenders.lot(unit.session, ref)
        check_version(lot, form.version)
        archives.seal(unit, lot)
        return f"{PLACE}/{ref}"
