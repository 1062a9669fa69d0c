"""The public copy of an evaluation report as a paper: what ``outcome_queries.outcome_card`` opens to everybody, in Chinese, the language of
the record. Plain texts only; the setter sets. Not a desk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import force_locale

from evaluation.reporting.outcome_queries import OutcomeCard
from trading.kernel.money import Money
from trading.views.lot_cards import LotCard
from web import words
from web.papers import printing
from web.words import formatting

TITLE = "评标报告（公开本）"
_KINDS = {"objective": "客观分", "subjective": "主观分", "price": "价格分"}
_MEMBERS = {"expert": "评审专家", "purchaser": "采购人代表"}


def make(
    card: LotCard,
    scores: OutcomeCard,
    table: Mapping[str, Any],
    at: datetime,
    unopened: Sequence[Mapping[str, str]],
    *,
    title: str = TITLE,
    dated: str = "公布",
) -> bytes:
    """``table``: criteria against bidders as the page shows them. ``at``: the date of the paper, that of the notice (``dated`` says of
    what): the same report gives the same bytes."""
    with force_locale("zh_Hans_CN"):
        data = {
            "draft": False,
            "title": title,
            "subject": card.title,
            "ref": card.ref,
            "wide": len(scores.bids) > 4,
            "house": f"{current_app.extensions['bidhall'].settings.place}　阳光标厅",
            "times": f"文中时间均为{formatting.zone_name(at, 'zh', _zone())}",
            "head": [
                *_head(card, scores),
                [dated, formatting.moment(at, "zh", _zone())],
                ["规则版本", card.rules_version],
            ],
            "signers": [],
            "blocks": [
                block | {"heading": f"{'一二三四五六七八'[n]}、{block['heading']}"}
                for n, block in enumerate(_blocks(card, scores, table, unopened))
            ],
        }
    return printing.make("hall", data, title=title, at=at)


def _zone() -> Any:
    return current_app.extensions["bidhall"].zone


def _head(card: LotCard, scores: OutcomeCard) -> list[list[str]]:
    return [
        ["项目名称", card.project],
        ["标段（采购包）", f"{card.title}（{card.ref}）"],
        ["采购人（招标人）", card.purchaser],
        ["代理机构", card.agency or "–"],
        ["采购方式", words.state("method", card.method, "zh").text],
        ["评审方法", words.state("scheme_method", scores.method, "zh").text],
        ["预算金额", formatting.money(card.budget)],
        ["最高限价", formatting.money(card.ceiling)],
    ]


def _yuan(text: str) -> str:
    return formatting.figure(Money.parse(text))


def _blocks(
    card: LotCard, scores: OutcomeCard, table: Mapping[str, Any], unopened: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    if scores.by_price:
        return [*_by_price(scores), *_rest(card, scores, unopened)]
    names = [one["name"] for one in table["bidders"]]
    order = [[str(one["rank"]), one["name"], _yuan(one["quote"]), one["total"]] for one in scores.bids]
    items = [
        [row["title"], _KINDS[group["kind"]], row["most"], *[cell["points"] for cell in row["cells"]]]
        for group in table["groups"]
        for row in group["rows"]
    ]
    items.append(["合计", "", table["most"], *[one["total"] for one in table["bidders"]]])
    sums = [
        f"{names[at]}：{cell['line']}"
        for group in table["groups"]
        for row in group["rows"]
        for at, cell in enumerate(row["cells"])
        if cell["line"]
    ]
    base = [scores.price["line"]] if scores.price.get("line") else []
    return [
        _block("排名", [], ["名次", "投标人", "报价（元）", "综合得分"], order, widths=[0, 4, 0, 0], right=[2, 3]),
        _block(
            "逐项得分",
            ["客观分为各席一致的分数，主观分为各席平均；单个成员的打分不在公开本内。"],
            ["评分因素", "类别", "满分", *names],
            items,
            widths=[3, 0, 0, *[2] * len(names)],
            right=[2, *range(3, 3 + len(names))],
        ),
        _block("价格分算式", base, items=sums),
        *_rest(card, scores, unopened),
    ]


def _by_price(scores: OutcomeCard) -> list[dict[str, Any]]:
    """The ranking by a price, and the sum behind each."""
    method = scores.declared
    called = f"{method.price_name.zh}（元）"
    keys = ("arithmetic", "adjustment", "total", "corrected") if method.reviews_price else ("total",)
    head = ["名次", "投标人", "报价（元）"]
    head += ["算术修正", "商务折算", called, "合同价（元）"] if method.reviews_price else [called]
    rows = [
        [str(one["rank"]), one["name"], _yuan(one["quote"]), *(formatting.amount(one[key]) for key in keys)]
        for one in scores.bids
    ]
    sums = [f"{one['name']}：{one['total_line']}" for one in scores.bids]
    widths, right = [0, 4, *[0] * (len(head) - 2)], list(range(2, len(head)))
    return [
        _block("排名", [method.note.zh], head, rows, widths=widths, right=right),
        _block("价格算式", [], items=sums),
    ]


def _rest(card: LotCard, scores: OutcomeCard, unopened: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Who was left out, the panel, dissent, how to check it."""
    out = [
        f"{one['name']}：{words.state('review_stage', one['stage'], 'zh').text}未通过，依据{one['clause'] or '–'}；{one['reason']}"
        f"（赞成 {one['votes_for']}，反对 {one['votes_against']}）"
        if "votes_for" in one
        else f"{one['name']}：{one.get('reason', '')}"
        for one in scores.rejected
    ]
    shut = [f"{one['name']}：未能开启，{words.state('verdict', one['verdict'], 'zh').text}" for one in unopened]
    seats = [[str(no), name, _MEMBERS.get(kind, kind)] for no, name, kind in scores.members]
    dissent = [f"第 {no} 席：{text}" for no, text in scores.dissents]
    return [
        _block("未进入评审或被否决的投标", [] if out or shut else ["无。"], items=[*shut, *out]),
        _block(
            "评标委员会",
            [] if seats else ["成员名单在结果公告前保密（P-44）。"],
            ["席位", "姓名", "身份"] if seats else [],
            seats,
            widths=[0, 2, 2],
        ),
        _block("不同意见", [] if dissent else ["无。"], items=dissent),
        _block(
            "核验",
            [
                "报告原文以数据形式由评标委员会成员签名；任何人可凭档案包用 bidhall verify 离线复算。",
                f"报告文件 SHA-256（写在公告内）：{scores.report_blob}",
                f"成员签名所指的摘要：{scores.report_hash}",
                f"平台复算：{'与报告一致' if scores.same else '与报告不一致，请致电平台'}",
            ],
        ),
    ]


def _block(
    heading: str,
    said: Sequence[str],
    head: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
    *,
    items: Sequence[str] = (),
    widths: Sequence[int] = (),
    right: Sequence[int] = (),
) -> dict[str, Any]:
    return {
        "heading": heading,
        "words": list(said),
        "head": list(head),
        "rows": [list(row) for row in rows],
        "list": list(items),
        "widths": list(widths),
        "right": list(right),
        "digests": [],
    }
