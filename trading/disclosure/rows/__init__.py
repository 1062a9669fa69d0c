"""Every row that a log entry or a signed document speaks of, derived from it anew: what the audit asks after the log itself.

Nothing is repaired, and nothing stops at the first fault: what cannot be read at all is itself a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import select

from crypto.errors import CryptoError
from trading.disclosure.rows import ceremonies, lots, people
from trading.kernel.errors import Refusal
from trading.kernel.signed import Difference
from trading.kernel.work import View
from trading.tendering.tenders import Lot

Check = Callable[[], Iterator[Difference]]


def differences(view: View) -> Iterator[Difference]:
    """All of them, lot by lot and then what belongs to no lot."""
    for lot in view.session.scalars(select(Lot).order_by(Lot.id)):
        for check in (*lots.CHECKS, *ceremonies.CHECKS):
            yield from tried(f"lot {lot.id}", lambda check=check, lot=lot: check(view, lot))  # type: ignore[misc]
    for whole in (*lots.WHOLE, *people.WHOLE):
        yield from tried("database -", lambda whole=whole: whole(view))  # type: ignore[misc]


def tried(where: str, check: Check) -> Iterator[Difference]:
    """What a check finds; where damage keeps it from looking, that."""
    try:
        yield from check()
    except Refusal as refusal:
        told = str(refusal.facts.get("where", where)).split()
        entry = str(refusal.facts.get("entry", ""))
        yield Difference(told[0], told[-1], str(refusal.facts.get("what", "-")), entry, str(refusal), "")
    except (CryptoError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        table, _, row = where.partition(" ")
        yield Difference(table, row, "-", "", f"cannot be read: {type(error).__name__}: {error}"[:120], "")
