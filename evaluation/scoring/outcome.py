"""The outcome of an evaluation as a pure function of its stored inputs: what ranks, the ranking, each number with its arithmetic line
(rules E-02, E-05 to E-08b, E-30, E-31; rulebook 2.7, 2.8, 2.12). How a lot is ranked its method declares; this asks for it.

Nothing here reads a database or a clock: what goes in is what anybody can take from the bundle (signed sheets, announced prices, findings,
the drawn coefficient, the scheme), so what comes out can be recomputed by anybody. The order of bids and members never matters. All numbers
in the facts are texts, for the report is signed as canonical JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluation.methods import registry
from evaluation.methods.declared import BY_PRICE
from evaluation.methods.expert_scores import Outliers, outliers
from evaluation.methods.inputs import BidIn, Criterion, Inputs, given
from trading.kernel.exact import written, written_exactly


def outlier_flags(inputs: Inputs) -> list[dict[str, Any]]:
    """Subjective scores whose deviation is above the scheme's share: the arithmetic of rule E-38 as the report states it. What people are
    asked to look at again is less: ``flags.flags``."""
    found = []
    for bid in inputs.valid:
        for criterion in inputs.scheme.scored:
            scores = given(inputs, criterion, bid.bidder)
            if criterion.kind != "subjective" or len(scores) < 2:
                continue
            found += [
                _flag(bid.bidder, criterion, scores, outliers(scores, inputs.scheme.outlier), no)
                for no in outliers(scores, inputs.scheme.outlier).flagged
            ]
    return found


def _flag(bidder: str, criterion: Criterion, scores: Mapping[str, Fraction], seen: Outliers, no: str) -> dict[str, Any]:
    deviation = seen.deviation_pct[no]
    return {
        "bidder": bidder,
        "criterion": criterion.id,
        "seat": int(no),
        "points": written_exactly(scores[no]),
        "others": written(seen.others_mean[no]),
        "percent": "" if deviation is None else written(deviation),
    }


def outcome(inputs: Inputs) -> dict[str, Any]:
    """The outcome as facts: bids best first, each with criteria, price and rank; rejected bids; ties.

    Refuses: BadValue ``objective_differs``, ``missing``, and whatever the method cannot use.
    """
    method = registry.method(inputs.scheme.method)
    found = method.outcome(inputs)
    return {
        "method": method.id,
        **({"ranked_by": BY_PRICE} if method.ranks_by == BY_PRICE else {}),
        "price": found.prices.facts,
        "tie_rule": inputs.scheme.tie,
        "tie_break": list(inputs.tie_break),
        "bids": method.lines(found),
        "ties": [list(group) for group in found.ranking.order if len(group) > 1],
        "rejected": [_rejected(bid) for bid in sorted(inputs.bids, key=lambda bid: bid.bidder) if not bid.valid],
    }


@dataclass(frozen=True)
class Standing:
    """Totals and ranks alone, without their arithmetic."""

    totals: dict[str, Fraction]
    ranks: dict[str, int]


def standing(inputs: Inputs) -> Standing:
    """Totals and ranks as ``outcome`` gives them; points may be any fraction. Refuses: BadValue, as ``outcome``."""
    found = registry.method(inputs.scheme.method).outcome(inputs)
    return Standing(found.figures, found.ranking.ranks)


def _rejected(bid: BidIn) -> dict[str, Any]:
    quote = "" if bid.quote is None else written_exactly(bid.quote)
    return {
        "bidder": bid.bidder,
        "name": bid.name,
        "quote": quote,
        **{key: bid.finding[key] for key in sorted(bid.finding)},
    }


def plain_points(value: Fraction) -> str:
    """Points as they are shown."""
    return written_exactly(value)
