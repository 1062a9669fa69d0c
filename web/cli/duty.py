"""Which points are on duty: the one inside, and those of the setting BIDHALL_PROBES, brought into the table (and so into the log)."""

from __future__ import annotations

from crypto.canonical import b64u
from crypto.keys import ed25519_public
from trading.availability import probes
from trading.kernel.access import CLOCK
from web.settings import Settings
from web.workers.watch.process import key_of


def wanted(settings: Settings, *, inside: bool) -> dict[str, str]:
    """Name → public key of every point that has to probe."""
    return dict(settings.probes) | (
        {probes.INSIDE: b64u(ed25519_public(key_of(settings.data, "probe")))} if inside else {}
    )


def sync(settings: Settings, *, inside: bool) -> bytes:
    """Make the points on duty those of the settings; returns the platform's public key. Refuses: NotReady without a database."""
    from web import wiring

    office = wiring.open_signing_office(settings)
    with office.work(CLOCK) as work:
        probes.keep_duties(work, wanted(settings, inside=inside))
    office.engine.dispose()
    return office.keys.public
