"""The second part of a password that an administrator has set: nobody but its owner ever knows the whole of it.

Law of the noun: one administrator sets a password, another confirms what gives it weight and is shown the second part; each hands over
their own. The two typed one after the other sign in, to nothing but setting a password of one's own.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from trading.parties.parties import Account

_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without the letters and digits that are read one for the other
_LENGTH = 16
_SHOWN = _LENGTH + _LENGTH // 4 - 1


def add(who: Account) -> str:
    """From now on the password works with a second part only; it is returned to be shown once, and kept as a hash."""
    part = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    who.second_part = _hash(who.id, part)
    return "-".join(part[at : at + 4] for at in range(0, _LENGTH, 4))


def first_part(account_id: int, second_part: str | None, typed: str) -> str | None:
    """What was typed without its second part, where one is asked for; None where that is missing or wrong."""
    if second_part is None:
        return typed
    typed = typed.strip()
    part = "".join(c for c in typed[-_SHOWN:].upper() if c.isalnum())
    if len(part) != _LENGTH or not hmac.compare_digest(_hash(account_id, part), second_part):
        return None
    return typed[:-_SHOWN].rstrip()


def owned(who: Account) -> None:
    """Its owner has set a password of their own."""
    who.handed_by = who.second_part = None


def _hash(account_id: int, part: str) -> str:
    return sha256(f"bidhall second part\0{account_id}\0{part}".encode()).hexdigest()
