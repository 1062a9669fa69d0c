"""A message of the platform in words, for the page and for the letter alike."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from web import words

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)


def spoken(template: str, facts: dict[str, Any], lang: str) -> tuple[str, str]:
    """Subject and text."""
    known, told = template if template in words.refusals() else "inbox.no_words", facts_of(facts, lang)
    return words.words(f"{known}.subject", told, lang), words.words(known, told, lang)


def facts_of(facts: dict[str, Any], lang: str) -> dict[str, Any]:
    """Facts are kept as text; a moment among them is shown as one, in the centre's zone, and a role in words."""
    said = {
        name: datetime.fromisoformat(value) if isinstance(value, str) and _MOMENT.fullmatch(value) else value
        for name, value in facts.items()
    }
    return said | ({"role": words.state("role", str(said["role"]), lang).text} if "role" in said else {})
