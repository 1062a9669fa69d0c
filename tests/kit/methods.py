"""By which procedure a lot of a test goes: ``regime`` in the kit is a regime, whose usual procedure is meant, or the id of a method."""

from __future__ import annotations

from datetime import date
from typing import Any

from trading.procedures import REGIMES, Procedure, of_regime, procedure
from trading.rulebook import WORKS


def law_of(regime: str) -> Procedure:
    return of_regime(regime)[0] if regime in REGIMES else procedure(regime)


def is_works(regime: str) -> bool:
    return law_of(regime).regime == WORKS


def chosen(regime: str) -> dict[str, Any]:
    """The fields of a filing that say by which method and why, complete at any budget."""
    law = law_of(regime)
    fields: dict[str, Any] = {"regime": law.regime, "method": law.id}
    if law.intake.grounds:
        fields |= {"ground": law.intake.grounds[0].code, "ground_facts": "本省能供应的单位有限，见市场调查报告"}
    if law.intake.asks("consent_no"):
        fields |= {"consent_no": "开财采批〔2026〕3号", "consent_on": date(2026, 2, 2)}
    return fields
