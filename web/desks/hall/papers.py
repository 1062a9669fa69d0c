"""What stands in the three papers of an opening: sign-in sheet, opening form, record (rules X-08, X-10). In Chinese, the
language of the record; everything as plain texts, so that the setter only sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app

from trading.custody import officers
from trading.kernel.clock import floor_second
from trading.kernel.errors import NotAllowed, NotFound
from trading.kernel.work import View
from trading.opening import ceremony
from trading.tendering.tenders import Lot
from web import words
from web.desks.hall import law
from web.desks.hall.lines import BidLine, HallCard
from web.desks.hall.room import zone
from web.papers import printing
from web.words import formatting

TITLES = {"sheet": "开标签到表", "form": "开标一览表", "record": "开标记录"}
_NUMBERS = "一二三四五六七八九"


@dataclass(frozen=True)
class Facts:
    """What stands in one paper, gathered: it is set after the database has been let go."""

    kind: str
    at: datetime
    data: dict[str, Any]

    def make(self, others: Sequence[tuple[str, str]] = ()) -> bytes:
        """The paper. ``others``: (kind, SHA-256) of the papers the record names. Refuses: as ``papers.make``."""
        if others:
            self.data["blocks"][-1]["words"] = [f"{TITLES[kind]} SHA-256：{name}" for kind, name in others]
        return printing.make("hall", self.data, title=TITLES[self.kind], at=self.at)


def facts(kind: str, card: HallCard, view: View, lot: Lot, *, host: str, draft: bool = False) -> Facts:
    """One paper of an opening whose list has been read out.

    Refuses: NotFound before the verdicts are there, NotAllowed for members of the panel.
    """
    if card.opened_at is None:
        raise NotFound("opening.no_minutes", ref=card.lot.ref)
    if view.actor.role in ("expert", "chair"):
        raise NotAllowed("opening.not_for_panel")
    told = {"sheet": _sheet, "form": _form, "record": _record}[kind](card, view, lot, host)
    data = {
        "draft": draft,
        "title": TITLES[kind],
        "subject": card.lot.title,
        "ref": card.lot.ref,
        "wide": kind == "form",
        "house": f"{current_app.extensions['bidhall'].settings.place}　阳光标厅",
        "times": f"文中时间均为{formatting.zone_name(view.now, 'zh', zone())}",
    } | told
    return Facts(kind, floor_second(view.now), data)


def _head(card: HallCard, host: str) -> list[list[str]]:
    lot = card.lot
    return [
        ["项目名称", lot.project],
        ["标段（采购包）", f"{lot.title}（{lot.ref}）"],
        ["统一交易标识码", lot.code or "–"],
        ["采购人（招标人）", lot.purchaser],
        ["代理机构", lot.agency or "–"],
        ["开标地点", lot.place or "–"],
        ["主持人", host],
        *([["开启信封", _word("bid_envelope", card.part)]] if lot.two_envelopes else []),
        ["投标截止", _at(lot.deadline)],
    ]


def _sheet(card: HallCard, view: View, lot: Lot, host: str) -> dict[str, Any]:
    bidders = []
    for bid in card.bids:
        people = [one for one in card.came if one.party_id == bid.party_id]
        bidders += [
            [str(bid.no) if n == 0 else "", bid.name, one.name, _at(one.at) + ("（截止后）" if one.late else "")]
            for n, one in enumerate(people)
        ] or [[str(bid.no), bid.name, "未签到", "–"]]
    officials = [
        [one.name, one.party, _word("hall_chair", one.kind), _at(one.at) + ("（截止后）" if one.late else "")]
        for one in card.officials
    ]
    came = len({one.party_id for one in card.came})
    return {
        "head": _head(card, host),
        "blocks": [
            _block(
                "一、投标人",
                [
                    f"公布名单内 {len(card.bids)} 家，签到 {came} 家。签到不是义务：未签到的投标照常开启，未表示意见视为确认。"
                ],
                ["序", "投标人", "签到人", "签到时间"],
                bidders,
                widths=[0, 3, 2, 2],
            ),
            _block(
                "二、组织与监督人员",
                [] if officials else ["无人签到。"],
                ["姓名", "单位", "身份", "签到时间"] if officials else [],
                officials,
                widths=[1, 2, 1, 2],
            ),
        ],
        "signers": [["主持人", host, "登录平台签署，签署动作入审计簿"]],
    }


def _form(card: HallCard, view: View, lot: Lot, host: str) -> dict[str, Any]:
    fields = [field["label"] for field in card.form if field["key"] != "price"]
    rows = [
        [
            str(one.no),
            one.name,
            formatting.figure(one.price)
            + (f"\n{one.price.amount_words()}" if one.price else "")
            + ("\n高于最高限价" if one.over_ceiling else ""),
            *[dict(one.values).get(name, "–") for name in fields],
            _deposit(card, one),
            _at(one.handed_in),
            _result(one),
            one.header_hash,
        ]
        for one in card.bids
    ]
    price = 2
    return {
        "head": [
            *_head(card, host),
            ["最高限价", formatting.money(card.lot.ceiling)],
            ["标底", _base(card)],
            ["解密公布", _at(card.opened_at)],
            ["名单摘要", card.set_hash],
        ],
        "blocks": [
            _block(
                "一、各投标人唱标内容",
                [],
                ["序", "投标人", "报价（元）", *fields, "保证金", "递交时间", "结果", "密文摘要"],
                rows,
                widths=[0, 3, 0, *[0] * len(fields), 0, 2, 2, 3],
                right=[price],
                digests=[len(fields) + 6],
            ),
            _block("二、未能开启的投标", [] if _failed(card) else ["无。"], items=_failed(card)),
        ],
        "signers": [["主持人", host, "登录平台签署，签署动作入审计簿"], *_officers(card, view, lot)],
    }


def _record(card: HallCard, view: View, lot: Lot, host: str) -> dict[str, Any]:
    came = len({one.party_id for one in card.came})
    said: list[tuple[datetime | None, str, str]] = [
        (card.lot.deadline, "投标截止", "服务器停止接收"),
        (card.closed_at, "封存时点", "日志封存，早于此的递交全部在内"),
        (card.listed_at, "公布名单", f"{len(card.bids)} 家，签到 {came} 家"),
        *[(one.released_at, "释放份额", f"{one.name}（席位 {one.j}）") for one in card.shares],
        (card.opened_at, "解密完成", f"{len(card.bids)} 家中 {card.opened} 家打开，同时公布"),
        *[
            (at, "唱标", f"第 {place} 行，{card.bids[place - 1].name}")
            for place, at in sorted(card.read_moments.items())
        ],
    ]
    if card.reading_ended:
        said.append((card.reading_ended, "唱标完毕", f"{len(card.read_moments)} 行已唱"))
    if card.base and card.base.published_at:
        said.append((card.base.published_at, "公布标底", _base(card)))
    happened = [[what, _at(at), text] for at, what, text in sorted(said, key=lambda one: one[0] or view.now)]
    bids = [[str(one.no), one.name, formatting.figure(one.price), _result(one), _said(one)] for one in card.bids]
    objections = [
        f"{_at(r.at)} {r.name}：{r.text}\n主持人答复（{_at(r.answered_at)}）：{r.answer}"
        for r in card.remarks
        if r.kind == "objection"
    ]
    draws = [
        f"{_word('draw_label', one.label)}：{one.value or _word('draw', one.state)}\n抽取编号 {one.draw}"
        for one in card.draws
        if one.label == "k"
    ]
    blocks = [
        (
            "开标经过",
            _block(
                "",
                [
                    f"{card.n} 位密钥持有人中任意 {card.t} 位可开启，本次到场 {len(card.shares)} 位。"
                    + (f"解密窗口延长一次，理由：{card.extended}" if card.extended else "")
                ],
                ["事项", "时间", "内容"],
                happened,
                widths=[0, 2, 5],
            ),
        ),
        (
            "投标与唱标结果",
            _block(
                "",
                [f"最高限价 {formatting.money(card.lot.ceiling)}；标底 {_base(card)}。唱标内容见开标一览表。"],
                ["序", "投标人", "报价（元）", "结果", "投标人意见"],
                bids,
                widths=[0, 3, 0, 3, 2],
                right=[2],
            ),
        ),
        ("未能开启的投标及其法律后果", _block("", [] if _failed(card) else ["无。"], items=_failed(card))),
        *([("系数抽取", _block("", [], items=draws))] if draws else []),
        (
            "现场异议与答复",
            _block(
                "",
                [
                    f"对开标的异议当场提出、当场答复并记录（{_law(card, law.OBJECTION)}）。"
                    + ("" if objections else "本次无异议。")
                ],
                items=objections,
            ),
        ),
        (
            "确认",
            _block(
                "",
                [
                    f"确认时间到 {_at(card.confirm_until)}。"
                    "未表示意见的投标人视为对开标过程和开标一览表无异议（开标前已告知）。"
                    f"本记录依据 {_law(card, law.RECORD)} 形成并公布。"
                ],
            ),
        ),
        (
            "可核验的记录",
            _block(
                "",
                ["以下条目均在平台公开日志内，任何人可用 bidhall verify 离线核验。"],
                ["条目", "持有人", "编号", "入簿时点"],
                [
                    [_word("log_event", one.event), one.who, one.c, _at(one.sealed_at) if one.sealed_at else "待入簿"]
                    for one in card.proofs
                ],
                widths=[0, 0, 1, 0],
                digests=[2],
            ),
        ),
        (
            "文件摘要",
            _block(
                "",
                [],
                ["序", "投标文件密文", "文件", "文件摘要"],
                [
                    [
                        str(one.no) if n == 0 else "",
                        one.header_hash if n == 0 else "",
                        file.name or "（名称未公开）",
                        file.digest,
                    ]
                    for one in card.bids
                    for n, file in enumerate(one.files)
                ],
                widths=[0, 2, 1, 2],
                digests=[1, 3],
            ),
        ),
    ]
    return {
        "head": [*_head(card, host), ["开启方案编号", card.policy_id], ["名单摘要", card.set_hash]],
        "blocks": [block | {"heading": f"{_NUMBERS[n]}、{title}"} for n, (title, block) in enumerate(blocks)],
        "signers": [
            ["主持人", host, "登录平台签署，签署动作入审计簿"],
            *_officers(card, view, lot),
            *[
                [_word("hall_chair", one.kind), f"{one.party}　{one.name}", f"{_at(one.at)} 签到"]
                for one in card.officials
                if one.kind in ("tenderee", "agency", "supervisor")
            ],
        ],
    }


def _law(card: HallCard, rule: str) -> str:
    """The source of a rule in the law of the lot's regime, with its id: ``财政部令第87号第42条，规则 X-10``."""
    return "，".join(filter(None, (law.law_of(card.lot, rule, "zh"), f"规则 {rule.partition('.')[0]}")))


def _word(noun: str, code: str) -> str:
    return words.state(noun, code, "zh").text


# --- small words ------------------------------------------------------------------------------------------------------------------


def _block(
    heading: str,
    said: Sequence[str] = (),
    head: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
    *,
    widths: Sequence[int] = (),
    right: Sequence[int] = (),
    digests: Sequence[int] = (),
    items: Sequence[str] = (),
) -> dict[str, Any]:
    """A part of a paper: sentences, a table, a list. ``widths``: 0 as wide as needed, else a share; ``right``, ``digests``: columns."""
    return {
        "heading": heading,
        "words": list(said),
        "head": list(head),
        "rows": [list(row) for row in rows],
        "widths": list(widths),
        "right": list(right),
        "digests": list(digests),
        "list": list(items),
    }


def _officers(card: HallCard, view: View, lot: Lot) -> list[list[str]]:
    """The key holders who came: each with the key and the beginning of the signature under the opening list."""
    row = ceremony.opening(view.session, lot, card.part)
    held = {one["keyid"]: one["sig"] for one in (row.opened or {}).get("signatures", ())}
    kids = {seat.j: seat.sign_kid for seat in officers.seats(view.session, lot)}
    return [
        [
            f"密钥持有人（{_word('side', one.side)}，席位 {one.j}）",
            one.name,
            f"已重新核对并会签，签名 {held[kids[one.j]][:16]}…" if kids[one.j] in held else "到场，未会签",
        ]
        for one in card.shares
    ]


def _failed(card: HallCard) -> list[str]:
    found = []
    for one in card.bids:
        if one.verdict in ("", "opened") or one.outcome is None:
            continue
        effect = _word("decrypt_outcome", one.outcome.result)
        text = (
            f"{one.name}：{_word('verdict', one.verdict)}（{one.verdict}）；{_word('cause', one.cause)}；{effect}"
            f"（{_law(card, law.UNDECRYPTED)}）。其余投标继续开标。"
        )
        if one.ruling:
            text += f"\n主持人 {_at(one.ruled_at)} 裁定，理由：{one.ruling}"
        if one.awaits_finding:
            text += "\n待监督机构认定；认定之前不定标。"
        elif one.found_at:
            text += f"\n监督机构 {_at(one.found_at)} 认定平台丢失该投标，认定书已签名，审计簿条目 {one.found_c}"
        found.append(text)
    return found


def _result(one: BidLine) -> str:
    label = _word("verdict", one.verdict)
    return label if one.verdict == "opened" else f"{label}（{one.verdict}）\n{_word('cause', one.cause)}"


def _deposit(card: HallCard, one: BidLine) -> str:
    if not card.lot.deposit.minor:
        return "不收"
    return "已到账" if one.secured else "未到账"


def _said(one: BidLine) -> str:
    return f"{_word('hall_remark', one.remark)}\n{_at(one.remark_at)}" if one.remark else "未表示，视为确认"


def _base(card: HallCard) -> str:
    if card.base is None:
        return "未设"
    return formatting.money(card.base.price) if card.base.price else "已封存，未公布"


def _at(moment: Any) -> str:
    return "–" if moment is None else f"{moment.astimezone(zone()):%Y-%m-%d %H:%M:%S}"
