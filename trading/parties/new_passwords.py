"""What a new password must not be, whoever sets it: short, one that many people have, or one with the account's or the platform's name.

The list (crypto/wordlists/common_passwords.txt) is what whoever guesses tries first. A rehearsal's one password stands on its card for
everybody; it goes through here like any other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from trading.kernel.errors import Fault, Faults, Invalid

LEAST = 10
NAME_LEAST = 4
"""Shorter names stand in too many words to say anything."""
OURS = "bidhall"


def check(password: str, username: str, platform: str) -> None:
    """Refuses: Invalid ``account.password_short``, ``account.password_common``, ``account.password_named``."""
    found = fault_of(password, username, platform)
    if found is not None:
        raise Invalid(found.code, **found.facts)


def note(faults: Faults, password: str, username: str, platform: str) -> None:
    """As ``check``, among the other faults of a form."""
    found = fault_of(password, username, platform)
    if found is not None:
        faults.add(found.where, found.code, **found.facts)


def fault_of(password: str, username: str, platform: str) -> Fault | None:
    if len(password) < LEAST:
        return Fault("password", "account.password_short", {"least": LEAST})
    if is_common(password):
        return Fault("password", "account.password_common")
    return Fault("password", "account.password_named") if is_named(password, username, platform) else None


def is_common(password: str) -> bool:
    """Does it stand on the list, however it is written, and whatever signs stand round it?"""
    folded = _folded(password)
    return not {folded, folded.strip("".join(set(filter(_is_sign, folded))))}.isdisjoint(_common())


def is_named(password: str, username: str, platform: str) -> bool:
    """Does it hold the name of the account, or of the platform?"""
    folded = _folded(password)
    return any(name in folded for name in _names(_folded(username), _folded(platform)))


def _names(username: str, platform: str) -> Iterator[str]:
    for name in (username, username.partition("@")[0], platform, platform.partition(".")[0], OURS):
        if len(name) >= NAME_LEAST:
            yield name


def _is_sign(letter: str) -> bool:
    return not letter.isalnum()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


@cache
def _common() -> frozenset[str]:
    return frozenset(files("crypto").joinpath("wordlists", "common_passwords.txt").read_text("utf-8").split("\n")) - {
        ""
    }
