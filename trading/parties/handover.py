"""The second part of a password that an administrator has set: nobody but its owner ever knows the whole of it.

Law of the noun: one administrator sets a password, another confirms what gives it weight and is shown the second part; each hands over
their own. The two typed one after the other sign in, to nothing but setting a password of one's own.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from trading.parties import handed_codes
from trading.parties.parties import Account


def add(who: Account) -> str:
    """From now on the password works with a second part only; it is returned to be shown once, and kept as a hash."""
    part = handed_codes.draw()
    who.second_part = _hash(who.id, part)
    return handed_codes.written(part)


def first_part(account_id: int, second_part: str | None, typed: str) -> str | None:
    """What was typed without its second part, where one is asked for; None where that is missing or wrong."""
    if second_part is None:
        return typed
    typed = typed.strip()
    part = handed_codes.read(typed[-handed_codes.WRITTEN :])
    if part is None or not hmac.compare_digest(_hash(account_id, part), second_part):
        return None
    return typed[: -handed_codes.WRITTEN].rstrip()


def owned(who: Account) -> None:
    """Whoever knew the password has set another. That was its owner where it took two to hand over the one before; else it may have been
    who handed it over, so a role of weight still wants a second part (role_proposals.py)."""
    if who.second_part is not None:
        who.handed_by = who.second_part = None


def _hash(account_id: int, part: str) -> str:
    return sha256(f"bidhall second part\0{account_id}\0{part}".encode()).hexdigest()
