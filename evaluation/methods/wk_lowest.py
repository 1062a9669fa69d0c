"""WK_LOWEST: the lowest reviewed price in works: the quote, arithmetically corrected, and what the documents price beside (2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from evaluation.methods import by_price
from evaluation.methods.by_price import Priced
from evaluation.methods.declared import BY_PRICE, TICK, WORDS, EvaluationMethod, Parameter, Setting
from evaluation.methods.inputs import Inputs
from evaluation.methods.works_reviews import WorksBid, lowest_reviewed_price
from trading.kernel.errors import Faults
from trading.kernel.exact import written_exactly
from trading.procedures.procedure import Words

_OFFERED: dict[str, Any] = {
    "v": 1,
    "method": "WK_LOWEST",
    "tie": "panel",
    "common": True,
    "criteria": [],
}


def priced(inputs: Inputs) -> Priced:
    """Quote, arithmetic correction and adjustments; the contract is at the corrected quote. Refuses: BadValue ``corrected_price``."""
    quotes = inputs.quotes
    bids = {bid.bidder: WorksBid(quotes[bid.bidder], bid.arithmetic, bid.adjustment) for bid in inputs.valid}
    lowest_reviewed_price(bids)  # refuses a corrected price that is none
    rows = {
        bidder: {
            "arithmetic": written_exactly(one.arithmetic),
            "adjustment": written_exactly(one.adjustment),
            "corrected": written_exactly(one.corrected),
        }
        for bidder, one in bids.items()
    }
    prices = {bidder: one.reviewed for bidder, one in bids.items()}
    return Priced(prices, {b: _line(one) for b, one in bids.items()}, {"formula": "lowest_reviewed_price"}, rows)


def _line(bid: WorksBid) -> str:
    """``10000000.00 − 20000.00 = 9980000.00; 9980000.00 + 50000.00 = 10030000.00``; a step that changes nothing is left out."""
    steps = [(bid.quote, bid.arithmetic, bid.corrected), (bid.corrected, bid.adjustment, bid.reviewed)]
    told = [f"{written_exactly(start)} {_signed(by)} = {written_exactly(end)}" for start, by, end in steps if by]
    return "; ".join(told) or written_exactly(bid.quote)


def _signed(value: Fraction) -> str:
    return f"{'−' if value < 0 else '+'} {written_exactly(abs(value))}"


def check(faults: Faults, scheme: Mapping[str, Any], setting: Setting) -> None:
    """Only for works of common technology without special demands, and the documents must say so (rulebook 2.8; O12 art. 30)."""
    if scheme.get("common") is not True:
        faults.add("common", "scheme.works_not_common", rule="2.8")


METHOD = EvaluationMethod(
    id="WK_LOWEST",
    name=Words("经评审的最低投标价法", "Lowest reviewed price"),
    rules=("2.8", "E-21", "E-24"),
    parameters=(
        Parameter(
            "common",
            TICK,
            Words(
                "通用技术、性能标准，无特殊要求", "Common technology and standards of performance, no special demand"
            ),
            hint=Words(
                "只有这样的工程才能采用本办法（规则 2.8；12 号令第三十条）。",
                "Only such works may be evaluated by this method (rule 2.8; O12 art. 30).",
            ),
            rule="2.8",
            form="common",
            needed=True,
            refusal="scheme.common",
        ),
        Parameter(
            "adjustments",
            WORDS,
            Words("计入评审价的商务偏差及折算方法", "Commercial deviations that are priced, and how"),
            hint=Words(
                "一行一项，如：付款每提前 10 日，加报价的 0.5%。招标文件没有写明的，评标时不得折算；不填则只修正算术错误。",
                "One a line, such as: each 10 days of earlier payment adds 0.5 % of the quote. What the documents do not name is not "
                "priced; empty: only arithmetic is corrected.",
            ),
            rule="E-00",
            form="adjustments",
            refusal="scheme.adjustments",
        ),
    ),
    outcome=by_price.by_price(priced),
    lines=by_price.lines,
    check=check,
    offered=_OFFERED,
    recompute="works.lowest_reviewed_price",
    ranks_by=BY_PRICE,
    reviews_price=True,
    price_name=Words("经评审的投标价", "Reviewed price"),
    note=Words(
        "评标委员会修正算术错误（经投标人书面确认），按招标文件折算商务偏差，得出经评审的投标价，由低到高排序；低于成本的否决。"
        "合同价为修正后的报价，不含折算。",
        "The panel corrects arithmetic, which the bidder confirms in writing, and prices deviations as the documents say; bids rank by the "
        "price so reviewed, lowest first, and one below cost is rejected. The contract is at the corrected quote, without adjustments.",
    ),
)
