"""The words of a table of people: roles and kinds of organisations as they may stand in a cell, in both languages and as codes."""

from __future__ import annotations

from trading.kernel.access import OF_WEIGHT, Role
from trading.parties import bulk
from trading.parties.bulk import folded
from trading.parties.parties import KINDS
from trading.reports import people_book
from web.words import LANGS, state

GRANTABLE = tuple(role for role in Role if role not in (Role.PUBLIC, Role.CLOCK, Role.CHAIR))
"""Leading a panel is a seat, no role one is given."""


def words() -> bulk.Words:
    roles = {folded(word): role for role in GRANTABLE for word in _said("role", role.value)}
    kinds = {folded(word): kind for kind in KINDS for word in _said("party_kind", kind)}
    return bulk.Words(
        roles, kinds | {folded(word): kind for word, kind in (("供应商", "bidder"), ("监督机构", "supervisor"))}
    )


def _said(noun: str, code: str) -> set[str]:
    """A word of both languages, its halves where it names two (采购人 / 招标人), and the code."""
    whole = {state(noun, code, lang).text for lang in LANGS}
    return {code, *whole, *(part for one in whole for part in one.split(" / "))}


def template(lang: str) -> bytes:
    """The workbook to fill in."""
    weight = "（须另一位管理员确认）" if lang == "zh" else " (a second administrator confirms it)"
    roles = [state("role", one.value, lang).text + (weight if one in OF_WEIGHT else "") for one in GRANTABLE]
    return people_book.template(lang, [state("party_kind", one, lang).text for one in KINDS], roles)
