"""`bidhall doctor --deadline LOT`: can this lot's deadline and opening go as they should? Asked the day before, and again two hours before.

Everything here follows from published facts, keys, the clock and the machine; nothing looks at bids.
"""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from trading.kernel.errors import Invalid, NotFound
from web.cli import doctor_mirror
from web.cli.doctor_finding import LEAST_FREE, Finding
from web.settings import Settings

Tried = Callable[[Callable[[Any], list[Finding]], Any], list[Finding]]
ROOM = 10 * LEAST_FREE
SKEW_MS = 1000
STALE = timedelta(seconds=90)
TOGETHER = 10
"""Deadlines in one half hour beyond which somebody should look at the load (a parameter of the platform, L)."""


def examine(office: Any, settings: Settings, ref: str, tried: Tried) -> list[Finding]:
    """All findings about one deadline, the overview first."""
    from trading.custody import officers
    from trading.kernel.access import CLOCK
    from trading.tendering import tenders

    with office.view(CLOCK) as view:
        try:
            lot = tenders.lot(view.session, ref)
            policy = officers.current_policy(view.session, lot)
        except NotFound as refusal:
            return [Finding("deadline", "error", str(refusal), "name a published lot")]
        words = f"{ref}: deadline {policy.deadline.isoformat()}, opening {policy.opens_at.isoformat()}, in {policy.deadline - view.now}"
        found = [Finding("deadline", "ok", words)]
        checks: tuple[Callable[[Any], list[Finding]], ...] = (
            lambda one: _officers(one, lot, policy),
            _clock_and_probes,
            lambda _: _processes(settings),
            lambda _: _disk(office, settings),
            lambda _: _certificate(settings, policy.opens_at),
            lambda one: _load(one, policy),
            lambda one: _fault(one, lot),
            lambda one: _calendar(one, policy.deadline),
            lambda _: doctor_mirror.of_policy(office, policy),
        )
        for check in checks:
            found += tried(check, view)
    return found


def _officers(look: Any, lot: Any, policy: Any) -> list[Finding]:
    """Who can open: the drill bid tried, and the signing key of then still the standing one."""
    from trading.custody import officers
    from trading.parties import enrolments

    seats, tried = officers.seats(look.session, lot), officers.drilled(look.session, policy)
    chain = [row for row in _chain(look.session, lot) if row.id <= policy.id]
    for earlier in chain:
        tried |= officers.drilled(look.session, earlier)  # an extension repeats no drill: the keys are the same
    ready = []
    for seat in seats:
        key = enrolments.find_key(look.session, seat.account.username, "officer")
        if seat.j in tried and key is not None and key.sign_kid == seat.sign_kid and seat.account.disabled_at is None:
            ready.append(seat.j)
    words = f"{len(ready)} of {len(seats)} officers can open, {policy.t} are needed"
    if len(ready) < policy.t:
        return [
            Finding(
                "deadline_officers",
                "error",
                words,
                "replace who cannot, or let them open the drill bid, before the deadline",
            )
        ]
    if len(ready) < len(seats):
        missing = ", ".join(seat.account.username for seat in seats if seat.j not in ready)
        return [
            Finding("deadline_officers", "warning", f"{words}; not: {missing}", "ask them: drill bid, key, account")
        ]
    return [Finding("deadline_officers", "ok", words)]


def _chain(session: Any, lot: Any) -> list[Any]:
    from sqlalchemy import select

    from trading.custody.officers import BID, Policy

    query = (
        select(Policy)
        .where(Policy.lot_id == lot.id, Policy.envelope == BID, Policy.dsse.is_not(None))
        .order_by(Policy.id)
    )
    return list(session.scalars(query))


def _clock_and_probes(look: Any) -> list[Finding]:
    from trading.availability import probes

    points, newest = probes.on_duty(look.session), probes.newest(look.session)
    if not points:
        return [
            Finding(
                "deadline_probes",
                "error",
                "no probe is on duty: a fault before the deadline would not be found",
                "start bidhall serve with its watch, or bidhall watch",
            )
        ]
    found = []
    for point in points:
        last = newest.get(point.name)
        if last is None or look.now - last.at > STALE:
            found.append(
                Finding(
                    "deadline_probes",
                    "error",
                    f"nothing from the point {point.name} of late: its minutes count as bad",
                    "start its bidhall probe, or take it off duty",
                )
            )
        elif not last.ok:
            found.append(
                Finding(
                    "deadline_probes",
                    "error",
                    f"the last test bid of {point.name} failed: {last.code or f'{last.ms} ms'}",
                    "bidders meet the same: see docs/operate/deadline.md",
                )
            )
    outside = [point.name for point in points if point.name != probes.INSIDE]
    if len(outside) < 2:
        found.append(
            Finding(
                "deadline_outside",
                "warning",
                f"{len(outside)} probe points outside the platform, two are wanted",
                "set up bidhall probe --key on two machines elsewhere, and BIDHALL_PROBES here",
            )
        )
    offsets = {
        name: newest[name].offset_ms for name in outside if name in newest and newest[name].offset_ms is not None
    }
    far = [f"{name} {ms} ms" for name, ms in sorted(offsets.items()) if ms is not None and abs(ms) > SKEW_MS]
    if far:
        found.append(
            Finding(
                "deadline_clock", "error", "our clock is off, as seen from " + ", ".join(far), "set it right by NTP"
            )
        )
    elif offsets:
        found.append(
            Finding(
                "deadline_clock",
                "ok",
                f"within {max(abs(ms or 0) for ms in offsets.values())} ms of the outside points",
            )
        )
    else:
        found.append(Finding("deadline_clock", "warning", "nobody outside has measured our clock", "check NTP by hand"))
    return (
        found
        if any(one.code == "deadline_probes" for one in found)
        else [Finding("deadline_probes", "ok", f"on duty: {', '.join(point.name for point in points)}"), *found]
    )


def _processes(settings: Settings) -> list[Finding]:
    from web.workers.watch.process import KINDS, running

    still = [kind for kind in KINDS if not running(settings.data, kind)]
    if still:
        return [
            Finding("deadline_watch", "warning", f"not running on this machine: {', '.join(still)}", "bidhall watch")
        ]
    return [Finding("deadline_watch", "ok", "probe, beacon, status page and drop run")]


def _disk(office: Any, settings: Settings) -> list[Finding]:
    free = min(shutil.disk_usage(office.blobs.folder).free, shutil.disk_usage(settings.data).free)
    if free < ROOM:
        return [Finding("deadline_disk", "warning", f"{free >> 30} GiB free for bids", "make room before the deadline")]
    return [Finding("deadline_disk", "ok", f"{free >> 30} GiB free for bids")]


def _certificate(settings: Settings, opens_at: datetime) -> list[Finding]:
    """The TLS certificate bidders meet must outlive the opening."""
    if not settings.secure:
        return []
    from cryptography import x509

    parts = urlsplit(settings.base_url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = (
            False,
            ssl.CERT_NONE,
        )  # expiry is asked here, also of one that is trusted by nobody
        with (
            socket.create_connection((host, port), 5) as line,
            context.wrap_socket(line, server_hostname=host) as secured,
        ):
            certificate = x509.load_der_x509_certificate(secured.getpeercert(True) or b"")
    except (OSError, ValueError) as error:
        return [
            Finding(
                "deadline_certificate",
                "warning",
                f"{host}:{port}: {type(error).__name__}",
                "look at the certificate by hand",
            )
        ]
    until = certificate.not_valid_after_utc
    if until <= opens_at + timedelta(days=1):
        return [
            Finding(
                "deadline_certificate",
                "error",
                f"ends {until.isoformat()}",
                "renew it now, not within two hours of the deadline",
            )
        ]
    return [Finding("deadline_certificate", "ok", f"until {until.isoformat()}")]


def _load(look: Any, policy: Any) -> list[Finding]:
    """How many deadlines fall into the same half hour: a published number."""
    from sqlalchemy import func, select

    from trading.availability.deadline_faults import WATCHED
    from trading.tendering.tenders import Lot

    half = timedelta(minutes=30)
    query = (
        select(func.count())
        .select_from(Lot)
        .where(Lot.state.in_(WATCHED), Lot.deadline > policy.deadline - half, Lot.deadline < policy.deadline + half)
    )
    count = int(look.session.scalar(query) or 0)
    if count > TOGETHER:
        return [
            Finding(
                "deadline_load",
                "warning",
                f"{count} deadlines within half an hour",
                "spread them, or add workers and measure",
            )
        ]
    return [Finding("deadline_load", "ok", f"{count} deadlines within half an hour")]


def _fault(look: Any, lot: Any) -> list[Finding]:
    from trading.availability import deadline_faults

    if (fault := deadline_faults.standing(look.session, lot)) is not None:
        return [
            Finding(
                "deadline_fault",
                "error",
                f"suspended for a fault since {fault.confirmed_at.isoformat()}",
                "/centre/faults: signatures of the officers, or the supervisory body's decision",
            )
        ]
    found = deadline_faults.assess(look.session, lot, look.now).verdict
    if found.kind != deadline_faults.NONE:
        return [
            Finding(
                "deadline_fault",
                "error",
                f"{found.bad_minutes} bad minutes call for a decision: {found.kind}",
                "confirm it at /centre/faults",
            )
        ]
    return [Finding("deadline_fault", "ok", f"{found.bad_minutes} bad minutes so far, no fault")]


def _calendar(look: Any, deadline: datetime) -> list[Finding]:
    """An extension is counted in working time: the calendar must know the days after the deadline."""
    from trading.kernel.calendar import local_day
    from trading.rulebook import calendars

    try:
        calendars.current(look.session).add_working_days(local_day(deadline), 5)
    except Invalid as refusal:
        return [Finding("deadline_calendar", "error", str(refusal), "bidhall calendar import FILE")]
    return []
