"""The words of refusals and states in both languages: one TOML file a noun, read once.

    ["deposit.above_cap"]                      a refusal or fault code, as the rooms below raise it
    zh = "保证金 {amount} 超过上限 {cap}（预算的 2%）。"
    en = "The deposit {amount} exceeds the cap of {cap} (2 % of budget)."

    [state.lot.BIDDING]                        a state: noun, code, words, tone of its tag
    zh = "投标中"
    en = "bidding"
    tone = "now"

``{name}`` is a fact of the refusal; it is put into words by its type (Money, moment, day …), so a template never formats. A fact that
is missing shows as a dash. A code without words is shown as such with its facts: nothing is hidden, and the tests name it.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from web.words import formatting

FOLDER = Path(__file__).parent
LANGS = ("zh", "en")
TONES = ("", "now", "ok", "sealed", "warn", "stop", "info", "plain")


def words(code: str, facts: Mapping[str, Any] | None = None, lang: str = "zh", zone: ZoneInfo = formatting.ZONE) -> str:
    """The sentence for a refusal or fault code with its facts filled in."""
    facts = facts or {}
    entry = refusals().get(code)
    if entry is None:
        told = "; ".join(f"{k} = {formatting.fact(v, lang, zone)}" for k, v in facts.items())
        lead = f"没有办成（{code}）" if lang == "zh" else f"Not done ({code})"
        return f"{lead}：{told}" if told and lang == "zh" else f"{lead}: {told}" if told else lead
    return _Facts(lang, zone).vformat(entry[lang], (), facts)


def state(noun: str, code: str, lang: str = "zh") -> formatting.Label:
    """A state's words and tone; an unknown one shows its code."""
    entry = states().get((noun, code))
    return formatting.Label(code, "plain") if entry is None else formatting.Label(entry[lang], entry.get("tone", ""))


def refusals() -> dict[str, dict[str, str]]:
    return _load()[0]


def states() -> dict[tuple[str, str], dict[str, str]]:
    return _load()[1]


def problems() -> list[str]:
    """What is wrong in the catalogue files. A wrong entry is left out, so that one slip never stops a page; the tests want none."""
    return _load()[2]


@cache
def _load() -> tuple[dict[str, dict[str, str]], dict[tuple[str, str], dict[str, str]], list[str]]:
    codes: dict[str, dict[str, str]] = {}
    named: dict[tuple[str, str], dict[str, str]] = {}
    wrong: list[str] = []
    for file in sorted(FOLDER.glob("*.toml")):
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            wrong.append(f"{file.name}: {error}")
            continue
        entries: list[tuple[Any, Any, str, dict[Any, Any]]] = []
        for noun, held in tables.pop("state", {}).items():
            entries += [
                ((noun, code), entry, f"{file.name}: state {noun}.{code}", named) for code, entry in held.items()
            ]
        entries += [(code, entry, f"{file.name}: {code}", codes) for code, entry in tables.items()]
        for key, entry, where, kept in entries:
            fault = "has words already" if key in kept else _fault(entry)
            if fault:
                wrong.append(f"{where}: {fault}")
            else:
                kept[key] = entry
    return codes, named, wrong


def _fault(entry: Any) -> str:
    if not isinstance(entry, dict) or any(
        not isinstance(entry.get(lang), str) or not entry[lang].strip() for lang in LANGS
    ):
        return 'needs zh and en; a code with a point is quoted, ["noun.reason"]'
    if entry.get("tone", "") not in TONES:
        return f"tone is one of {', '.join(TONES[1:])}"
    try:
        return "" if facts_of(entry["zh"]) == facts_of(entry["en"]) else "zh and en must name the same facts"
    except ValueError as error:
        return str(error)


def facts_of(template: str) -> set[str]:
    """The names of the facts a sentence fills in."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


class _Facts(string.Formatter):
    """Fills facts in by their type. No attribute, index or conversion is followed: a sentence can show facts only."""

    def __init__(self, lang: str, zone: ZoneInfo) -> None:
        self.lang, self.zone = lang, zone

    def get_field(self, field_name: str, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        value = kwargs.get(field_name)
        if field_name == "envelope" and isinstance(value, str):
            value = self._envelope(value)
        elif field_name == "differs":
            value = state("deposit_value", str(value), self.lang).text
        return value, field_name

    def _envelope(self, name: str) -> str:
        """What is opened, in words: ``draw:experts/1`` is a name for programs."""
        return state("envelope", name.partition("/")[0].replace(":", "_"), self.lang).text

    def format_field(self, value: Any, format_spec: str) -> str:
        return formatting.fact(value, self.lang, self.zone)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value
