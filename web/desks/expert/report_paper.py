"""The evaluation report as a paper (rules E-32, P-43): ranking, every sum, how the seats scored, prompts, dissent in full, signatures.
A paper is in Chinese; members stand by the number of their seat."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

from flask import current_app

from evaluation.panels.panels import Panel
from evaluation.reporting.prompts import Prompted, Prompts
from evaluation.reporting.queries import RoomCard
from trading.kernel.clock import floor_second
from trading.kernel.exact import written, written_exactly
from trading.kernel.work import View
from web.desks.expert.report_view import ReportView, grouped, report_view
from web.desks.expert.room import zone
from web.papers import printing
from web.words import formatting, state

TITLE = "评标报告"
_RECOMPUTED_PRICES = "按公布的报价、审查结论和评审办法重算，"
_RECOMPUTED = "按已签名的评分表、公布的报价、审查结论和评审办法重算，"


def make(view: View, panel: Panel, card: RoomCard) -> bytes:
    """Refuses: what the setting of papers refuses. The report must have been drawn up and the sheets revealed."""
    shown = report_view(view, panel, card)
    row, facts = shown.row, card.report_facts
    assert row is not None and facts is not None
    titles = {one["id"]: one["title"] for one in facts["criteria"]}
    missing = [one.seat for one in shown.signed if one.at is None]
    if card.scored:
        blocks = [
            _ranking(shown),
            *_sums(facts, titles),
            _seats(shown, card, titles),
            _prompts(shown.prompts, shown.codes, titles),
            _dissents(shown, "五"),
            _rejected(facts, "六"),
            _recomputed(shown, "七", _RECOMPUTED),
        ]
    else:
        blocks = [
            *_by_price(shown, card),
            _dissents(shown, "三"),
            _rejected(facts, "四"),
            _recomputed(shown, "五", _RECOMPUTED_PRICES),
        ]
    data = {
        "draft": bool(missing) and card.panel_state != "CONCLUDED",
        "title": TITLE,
        "subject": card.title,
        "ref": card.lot,
        "wide": False,
        "house": f"{current_app.extensions['bidhall'].settings.place}　阳光标厅",
        "times": f"文中时间均为{formatting.zone_name(view.now, 'zh', zone())}",
        "head": [
            ["标段（采购包）", f"{card.title}（{card.lot}）"],
            ["评标委员会", f"{len(card.seats)} 人，按席位号列示"],
            ["评审轮次", f"第 {facts['round']} 轮" + (f"；复核事由：{facts['recheck']}" if facts["recheck"] else "")],
            ["报告生成", _at(row.drawn_up_at)],
            ["报告摘要", row.hash],
            ["评审办法摘要", facts["rules"]],
        ],
        "blocks": [block for block in blocks if block],
        "signers": [
            [
                f"{one.seat} 号席位" + ("（组长）" if one.chair else ""),
                _word("seat_kind", one.kind),
                _signed(one.at, one.dissent),
            ]
            for one in shown.signed
        ],
    }
    return printing.make("hall", data, title=TITLE, at=floor_second(row.drawn_up_at))


def _at(moment: datetime) -> str:
    return formatting.moment(moment, "zh", zone())


def _word(kind: str, code: str) -> str:
    return state(kind, code, "zh").text


def _signed(at: datetime | None, dissent: str) -> str:
    return "未签名" if at is None else f"{'保留意见并签名' if dissent else '签名'} {_at(at)}"


def _block(
    heading: str,
    words: list[str],
    head: list[str] | None = None,
    rows: list[list[str]] | None = None,
    *,
    widths: list[int] | None = None,
    right: tuple[int, ...] = (),
    listed: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "heading": heading,
        "words": words,
        "head": head or [],
        "rows": rows or [],
        "widths": widths or [1] * len(head or []),
        "right": list(right),
        "digests": [],
        "list": listed or [],
    }


def _ranking(shown: ReportView) -> dict[str, Any]:
    rows = [
        [
            str(one.facts["rank"]),
            one.facts["name"],
            grouped(one.facts["quote"]),
            grouped(one.evaluated),
            one.objective,
            one.subjective,
            one.price,
            one.facts["total"],
        ]
        for one in shown.ranked
    ]
    return _block(
        "一、排序",
        ["各项先按规定位数取舍，再相加；总分高者在前。"],
        ["名次", "投标人", "报价（元）", "评审价（元）", "客观", "主观", "价格", "总分"],
        rows,
        widths=[0, 3, 2, 2, 0, 0, 0, 0],
        right=(2, 3, 4, 5, 6, 7),
    )


def _by_price(shown: ReportView, card: RoomCard) -> list[dict[str, Any]]:
    """The ranking by a price, and its arithmetic."""
    method = card.method
    assert method is not None
    reviewed, called = method.reviews_price, f"{method.price_name.zh}（元）"
    rows = [
        [
            str(one.facts["rank"]),
            one.facts["name"],
            grouped(one.facts["quote"]),
            *([_signed_amount(one.facts[key]) for key in ("arithmetic", "adjustment")] if reviewed else []),
            grouped(one.facts["total"]),
            *([grouped(one.facts["corrected"])] if reviewed else []),
        ]
        for one in shown.ranked
    ]
    head = ["名次", "投标人", "报价（元）"]
    head += ["算术修正", "商务折算", called, "合同价（元）"] if reviewed else [called]
    widths = [0, 3, *[2] * (len(head) - 2)]
    sums = [[one.facts["name"], one.facts["total_line"], grouped(one.facts["total"])] for one in shown.ranked]
    return [
        _block("一、排序", [method.note.zh], head, rows, widths=widths, right=tuple(range(2, len(head)))),
        _block("二、算式", [], ["投标人", "算式", called], sums, widths=[2, 6, 2], right=(2,)),
    ]


def _signed_amount(text: str) -> str:
    return f"−{grouped(text[1:])}" if text.startswith("-") else grouped(text)


def _sums(facts: dict[str, Any], titles: dict[str, str]) -> list[dict[str, Any]]:
    base = [f"评标基准价：{facts['price']['line']}"] if facts["price"].get("line") else []
    found = []
    for at, bid in enumerate(facts["bids"]):
        rows = [[titles[part["id"]], part["line"], part["points"]] for part in bid["criteria"]]
        rows.append(["合计", bid["total_line"], bid["total"]])
        heading = f"{'' if at else '二、算式　'}{bid['rank']}　{bid['name']}"
        found.append(
            _block(heading, [] if at else base, ["评审因素", "算式", "得分"], rows, widths=[2, 6, 0], right=(2,))
        )
    return found


def _seats(shown: ReportView, card: RoomCard, titles: dict[str, str]) -> dict[str, Any]:
    places = [no for no, _points in card.cells[0].points]
    rows = [
        [shown.names.get(cell.bid, cell.bid), titles[cell.criterion], *(points for _no, points in cell.points)]
        for cell in card.cells
    ]
    return _block(
        "三、各席评分",
        [],
        ["投标人", "评审因素", *(f"{no} 号" for no in places)],
        rows,
        widths=[3, 2, *([0] * len(places))],
        right=tuple(range(2, 2 + len(places))),
    )


def _prompts(found: Prompts | None, names: dict[str, str], titles: dict[str, str]) -> dict[str, Any]:
    if found is None:
        return {}
    share, step = (written_exactly(value * 100, 0) for value in (found.threshold, found.step))
    words = [
        f"与其余成员均值相差超过 {share}%（评审办法载明），且相差超过该项满分的 {step}%、过半成员不在其邻近者，请再看一眼；"
        "不自动改分（规则 E-38）。"
    ]
    listed = [_prompt(one, names, titles, found) for one in found.found]
    return _block("四、复核提示", words + ([] if listed else ["没有需要再看的分数。"]), listed=listed)


def _prompt(one: Prompted, names: dict[str, str], titles: dict[str, str], found: Prompts) -> str:
    where = f"{titles[one.criterion]} · {names.get(one.bidder, one.bidder)}：{one.seat} 号席位 {_plain(one.points)} 分"
    lines = [where]
    if one.flag is not None and one.kind == "far":
        lines[0] += f"，其余成员均值 {written(one.flag.others)} 分"
        lines.append(
            f"相差 {written(one.flag.far)} 分，为满分的 {written(one.flag.of_most, 1)}%。本标段 {found.here.cells} 个主观分中提示 "
            f"{found.here.flagged} 个。" + _elsewhere(found)
        )
        lines.append(_matters(one))
    elif one.kind == "objective":
        lines[0] += "，客观分应当一致（规则 E-01e）"
    told = {
        "": "尚未决定。",
        "kept": "该席维持原分并签名。",
        "dissented": f"该席维持原分，保留意见：{one.why}",
        "changed": f"复核后改为 {_plain(one.now or Fraction(0))} 分。理由：{one.why or '–'}",
    }[one.decided]
    return "\n".join([*lines, told])


def _elsewhere(found: Prompts) -> str:
    rate = found.elsewhere
    if rate.percent is None:
        return "近 24 个月尚无同类已办结标段可比。"
    return f"近 24 个月 {rate.lots} 个同类标段，每百个主观分提示 {written(rate.percent, 1)} 个。"


def _matters(one: Prompted) -> str:
    effect = one.flag.effect if one.flag else None
    if effect is None:
        return "是否影响排序尚不能计算。"
    totals = f"若该席与其余成员均值相同，总分 {written_exactly(effect.total)} → {written_exactly(effect.total_then)}"
    return f"{totals}，排序{'改变' if effect.moved else '不变'}。"


def _plain(points: Fraction) -> str:
    return written_exactly(points, 0)


def _dissents(shown: ReportView, no: str) -> dict[str, Any]:
    listed = [f"{one.seat} 号席位（{_at(one.at)}）\n{one.dissent}" for one in shown.dissents if one.at]
    return _block(f"{no}、保留意见", [] if listed else ["无。"], listed=listed)


def _rejected(facts: dict[str, Any], no: str) -> dict[str, Any]:
    rows = [
        [
            one["name"],
            _word("review_stage", one["stage"]),
            one["clause"],
            one["reason"],
            f"{one['votes_for']} : {one['votes_against']}",
        ]
        for one in facts["rejected"]
    ]
    if not rows:
        return _block(f"{no}、否决投标", ["无。"])
    return _block(
        f"{no}、否决投标", [], ["投标人", "阶段", "条款", "事实与理由", "赞成 : 反对"], rows, widths=[3, 2, 2, 4, 0]
    )


def _recomputed(shown: ReportView, no: str, words: str) -> dict[str, Any]:
    again = shown.again
    if again is None:
        return {}
    told = "与本报告各处一致。" if again["same"] else f"与本报告有不同：{'、'.join(again['differences'])}。"
    return _block(f"{no}、重算", [words + told])
