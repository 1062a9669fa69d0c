"""Secrets that people read off a page and type again: how they are drawn, written in groups of four, and read however they were typed."""

from __future__ import annotations

import secrets

_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without the letters and digits that are read one for the other
LENGTH = 16  # 79 bits: a plain hash is enough
WRITTEN = LENGTH + LENGTH // 4 - 1
"""Characters of one as it is shown."""


def draw() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


def written(code: str) -> str:
    """``ABCD-EFGH-JKMN-PQRS``"""
    return "-".join(code[at : at + 4] for at in range(0, LENGTH, 4))


def read(typed: str) -> str | None:
    """The code somebody typed, with whatever between its letters, great or small; None for what has another length."""
    code = "".join(c for c in typed.upper() if c.isalnum())
    return code if len(code) == LENGTH else None
