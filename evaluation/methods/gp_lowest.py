"""GP_LOWEST: the lowest evaluated price in government procurement; bids that meet every requirement rank by it alone (E-06, E-07b)."""

from __future__ import annotations

from typing import Any

from evaluation.methods import by_price, gp_shared
from evaluation.methods.by_price import Priced
from evaluation.methods.declared import BY_PRICE, EvaluationMethod
from evaluation.methods.inputs import Inputs
from trading.kernel.exact import written_exactly
from trading.procedures.procedure import Words

_OFFERED: dict[str, Any] = {
    "v": 1,
    "method": "GP_LOWEST",
    "tie": "purchaser",
    "small_firm": "0.10",
    "criteria": [],
}


def priced(inputs: Inputs) -> Priced:
    """The quote less the deduction for small firms; the contract is at the quote."""
    quotes, rates = inputs.quotes, gp_shared.rates(inputs)
    prices = {bidder: quote * (1 - rates.get(bidder, 0)) for bidder, quote in quotes.items()}
    lines = {
        bidder: gp_shared.line(quote, rates[bidder]) if bidder in rates else written_exactly(quote)
        for bidder, quote in quotes.items()
    }
    share = written_exactly(gp_shared.share_of(inputs.scheme.own), 0)
    return Priced(prices, lines, {"formula": "lowest_evaluated_price", "small_firm": share}, {})


METHOD = EvaluationMethod(
    id="GP_LOWEST",
    name=Words("最低评标价法", "Lowest evaluated price"),
    rules=("E-07b", "E-06", "E-09"),
    parameters=(gp_shared.PARAMETER, gp_shared.UNIFORM),
    outcome=by_price.by_price(priced),
    lines=by_price.lines,
    check=gp_shared.check,
    offered=_OFFERED,
    recompute="gp.lowest_evaluated_price",
    ranks_by=BY_PRICE,
    note=Words(
        "实质性要求全部满足者，按评审价由低到高排序；评审价相同为并列。同一核心产品品牌只有报价最低的一家有效，"
        "其余由评标委员会认定不通过（规则 E-09）。",
        "Bids that meet every material requirement rank by their evaluated price, lowest first; equal prices are tied. Of bidders that "
        "offer one brand of the core product only the lowest quote stands; the panel finds the others not to conform (rule E-09).",
    ),
)
