"""The evaluation methods a lot can be ranked by: one declaration a file, registered by this list."""

from __future__ import annotations

from evaluation.methods import gp_lowest, gp_score, wk_lowest, wk_score
from evaluation.methods.declared import EvaluationMethod
from trading.kernel.exact import BadValue

METHODS_OF_LOTS: tuple[EvaluationMethod, ...] = (
    gp_score.METHOD,
    gp_lowest.METHOD,
    wk_score.METHOD,
    wk_lowest.METHOD,
)
_BY_ID = {one.id: one for one in METHODS_OF_LOTS}


def method(id: object) -> EvaluationMethod:
    """The method of this id. Refuses: BadValue ``unknown_method``."""
    found = _BY_ID.get(id) if isinstance(id, str) else None
    if found is None:
        raise BadValue("unknown_method", "method", ", ".join(_BY_ID))
    return found
