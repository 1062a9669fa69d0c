"""Procurement procedures: one declaration a method. Engine, pages and verifier ask it; nobody else compares a regime or a method.

A procedure is data and small pure functions (``procedure.py`` has the types). A new one is a file beside these and a line in the list
below.
"""

from __future__ import annotations

from typing import Protocol

from trading.procedures import gp_inquiry, gp_invited_tender, gp_open_tender, works_invited_tender, works_open_tender
from trading.procedures.procedure import Procedure

PROCEDURES: tuple[Procedure, ...] = (
    gp_open_tender.PROCEDURE,
    gp_invited_tender.PROCEDURE,
    gp_inquiry.PROCEDURE,
    works_open_tender.PROCEDURE,
    works_invited_tender.PROCEDURE,
)
REGIMES = tuple(dict.fromkeys(one.regime for one in PROCEDURES))
_BY_ID = {one.id: one for one in PROCEDURES}


class HasMethod(Protocol):
    """A project, a lot, or the card of one: what says by which method it is procured."""

    @property
    def method(self) -> str: ...


def procedure(id: str) -> Procedure:
    """The procedure of a method id. Refuses: KeyError for one that is not declared."""
    return _BY_ID[id]


def procedure_of(thing: HasMethod) -> Procedure:
    """The procedure of a project, a lot, or a card of one."""
    return _BY_ID[thing.method]


def find(id: str) -> Procedure | None:
    """The procedure of a method id as somebody wrote it, None for one that is not declared."""
    return _BY_ID.get(id)


def of_regime(regime: str) -> tuple[Procedure, ...]:
    """The procedures of a regime, the usual one first; () for no regime of ours."""
    return tuple(one for one in PROCEDURES if one.regime == regime)


__all__ = ["PROCEDURES", "REGIMES", "HasMethod", "Procedure", "find", "of_regime", "procedure", "procedure_of"]
