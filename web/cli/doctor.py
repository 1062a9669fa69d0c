"""`bidhall doctor`: what is wrong with this installation, what to do about it, and no secret in the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from crypto import rehearsals
from trading.kernel.errors import NotReady, Refusal
from web.cli.common import NOT_READY, answer, guarded, json_option, lang_option, refusal_text
from web.cli.doctor_finding import LEAST_FREE, Finding
from web.cli.doctor_time import WRONG
from web.cli.language import language
from web.settings import Settings, read_settings

OURS = ("crypto", "trading", "evaluation", "deposits", "migrations", "web")
SKEW = timedelta(minutes=2)
LATE = timedelta(minutes=5)
APART = "set the clock right by NTP; if it is right now and was wrong before: bidhall clock accept"
TURN = "start bidhall serve, or call bidhall tick"


@click.command("doctor", epilog="Example: bidhall doctor --json")
@click.option("--deadline", "lot_ref", metavar="LOT", help="Also: is all ready for this lot's deadline?")
@click.option("--note", is_flag=True, help="Keep the moment and how many errors there were, for /metrics.")
@json_option
@lang_option
@guarded
def doctor(lot_ref: str | None, note: bool, as_json: bool, lang: str | None) -> None:
    """Say what is wrong with this installation, and how to mend it."""
    findings = examine(lot_ref)
    ok = all(one.level != "error" for one in findings)
    if note:
        _note(findings)
    if as_json:
        answer({"ok": ok, "findings": [asdict(one) for one in findings]})
    else:
        for one in findings:
            click.echo(_in_chinese(one) if language(lang) == "zh" else _in_english(one))
    if not ok:
        raise SystemExit(NOT_READY)


def _note(findings: list[Finding]) -> None:
    from web import examined, wiring

    settings = read_settings()
    examined.note(settings.data, wiring.open_clock(settings).now(), (one.level for one in findings))


def _in_english(one: Finding) -> str:
    return f"{one.level:<8} {one.code:<24} {one.what}" + (f"\n{'':<34}{one.remedy}" if one.remedy else "")


def _in_chinese(one: Finding) -> str:
    """What a finding is about and what to do; below it what was found, as the machine has it."""
    from web.words import state, states

    name = next((name for name in (one.code, one.code.partition("_")[0]) if ("doctor", name) in states()), "")
    title = state("doctor", name).text if name else one.code
    lines = [f"{state('doctor_level', one.level).text}  {title} [{one.code}]", f"      {one.what}"]
    if one.remedy and ("doctor_remedy", name) in states():
        lines.append(f"      处理：{state('doctor_remedy', name).text}")
    if one.remedy and one.level != "ok":
        lines.append(f"      {one.remedy}")
    return "\n".join(lines)


def examine(lot_ref: str | None = None) -> list[Finding]:
    """All findings, in the order in which one would mend them. Changes nothing."""
    found = [_versions(), *_names(), *_files()]
    try:
        settings = read_settings()
    except NotReady as refusal:
        told = refusal_text(refusal, "en")
        return [*found, Finding("settings", "error", told, "correct the setting, or the line of settings.env")]
    from web.cli import doctor_libraries

    found += doctor_libraries.examine(settings)
    found += _settings(settings)
    found += _modes(settings)
    found += _scanner(settings)
    engine = _database(settings, found)
    if engine is None:
        return found
    from web.cli import (
        doctor_at_rest,
        doctor_backups,
        doctor_mail,
        doctor_memory,
        doctor_mirror,
        doctor_stored,
        doctor_time,
    )

    try:
        office = _office(settings)
    except Refusal as refusal:
        if refusal.code == "log.key_missing":
            return [*found, Finding("log_key", "error", str(refusal), "put the key file back from its backup")]
        if refusal.code.startswith("at_rest."):
            return [
                *found,
                Finding("data_keys", "error", refusal_text(refusal, "en"), "put the file of the data keys back"),
            ]
        return [*found, Finding("office", "error", str(refusal), "see the setting or file that is named")]
    found += doctor_memory.examine(settings, office)
    found += doctor_backups.examine(settings, office.clock.now())
    found += _tried(doctor_backups.restored, office)
    for check in (
        _clock,
        doctor_time.examine,
        _keys,
        doctor_at_rest.examine,
        _log,
        _blobs,
        doctor_stored.examine,
        _second,
        doctor_mirror.examine,
        _overdue,
    ):
        found += _tried(check, office)
    found += _tried(partial(doctor_mail.examine, settings), office)
    if lot_ref:
        from web.cli import doctor_deadline

        found += doctor_deadline.examine(office, settings, lot_ref, _tried)
    return found


def _tried(check: Callable[[Any], list[Finding]], office: Any) -> list[Finding]:
    """A check that meets damage it was not made for must not hide the others."""
    try:
        return check(office)
    except Exception as error:  # a doctor examines what is broken
        return [
            Finding(
                "check_failed",
                "error",
                f"{getattr(check, '__name__', 'check').strip('_')}: {type(error).__name__}: {error}"[:300],
                "restore from a backup, or report this",
            )
        ]


# --- the installation ---------------------------------------------------------------------------------------------------


def _versions() -> Finding:
    names = ("bidhall", "cryptography", "sqlalchemy", "flask")
    texts = [f"python {sys.version.split()[0]}"]
    for name in names:
        try:
            texts.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            return Finding("versions", "error", f"{name} is not installed", "install the package with its dependencies")
    return Finding("versions", "ok", ", ".join(texts))


def _modes(settings: Any) -> list[Finding]:
    """What others of this machine may read of ours; `serve` narrows it, unless it lies in somebody else's name."""
    from web import private

    open_to_others = private.wide(settings)
    if not open_to_others:
        return [Finding("modes", "ok", "data folder, sealed files and database are for the platform's user alone")]
    names = " ".join(map(str, open_to_others))
    return [Finding("modes", "error", f"others on this machine may read or enter: {names}", f"chmod go-rwx {names}")]


def _scanner(settings: Any) -> list[Finding]:
    """Whether the virus scanner answers; without one nothing is wrong, but it is said."""
    from trading.files.scanning import ScannerDown
    from web.wiring import open_scanner

    scanner = open_scanner(settings)
    if scanner is None:
        return [
            Finding(
                "scanner",
                "warning",
                "no virus scanner: files of opened bids are handed out unscanned, and say so",
                "run clamd and set BIDHALL_CLAMD",
            )
        ]
    try:
        return [Finding("scanner", "ok", scanner.version())]
    except ScannerDown as error:
        return [
            Finding(
                "scanner_down",
                "error",
                f"{settings.clamd} does not answer ({error}): files of opened bids wait in quarantine",
                "start clamd, or correct BIDHALL_CLAMD",
            )
        ]


def _names() -> list[Finding]:
    """Our six import names are common words: nobody else may own one of them."""
    owners = metadata.packages_distributions()
    found = []
    for name in OURS:
        others = sorted({owner for owner in owners.get(name, []) if owner.lower() != "bidhall"})
        if others:
            found.append(
                Finding(
                    "name_taken",
                    "error",
                    f"the package {name} belongs to {', '.join(others)} too",
                    f"install bidhall in an environment of its own, without {', '.join(others)}",
                )
            )
    return found or [Finding("names", "ok", ", ".join(OURS) + " are ours alone")]


def _files() -> list[Finding]:
    """What is installed, and so what browsers are handed, against the record that came in the wheel."""
    from web import release

    told = release.record()
    if told is None:
        what = "this runs from a checkout: no record says what its files should be, so none was checked"
        return [Finding("release_unknown", "warning", what, "install the wheel of a release")]
    wrong = release.changed(told)
    if not wrong:
        return [
            Finding("release", "ok", f"{len(told)} files, all those served among them, are what the wheel recorded")
        ]
    more = f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
    remedy = "find out who changed them; stop serving the sealing page, and install the release again"
    return [Finding("release_changed", "error", f"not as released: {', '.join(wrong[:10])}{more}", remedy)]


def _settings(settings: Settings) -> list[Finding]:
    from trading.kernel.db import shown_url

    shown = {
        "data": settings.data,
        "database": shown_url(settings.database),
        "blobs": settings.blobs,
        "base_url": settings.base_url or "-",
        "zone": settings.zone,
        "platform": settings.platform,
    }
    found = [Finding("settings", "ok", ", ".join(f"{name}={value}" for name, value in shown.items()))]
    if rehearsals.is_name(settings.platform):
        site = rehearsals.site_of(settings.platform)
        found.append(Finding("rehearsal", "warning", f"of {site}, without legal effect, on a clock that is moved"))
    if settings.test_clock:
        found.append(Finding("rehearsal", "warning", f"a moved clock: {settings.test_clock}", "never in production"))
    if settings.base_url and not settings.secure:
        found.append(
            Finding("tls", "warning", "the base address is not https", "put a proxy with TLS before the platform")
        )
    return found + _room(settings)


def _room(settings: Settings) -> list[Finding]:
    """Each disk: what is free, and for how many weeks it lasts at the pace of the last four."""
    from web import room

    found = []
    for disk in room.disks(settings):
        lasts = "" if disk.weeks is None else f"; full in {disk.weeks} weeks at the pace of the last four"
        what = f"{disk.name}: {disk.free >> 20} of {disk.size >> 20} MiB free below {disk.folder}{lasts}"
        if disk.free < LEAST_FREE:
            found.append(Finding("disk", "error", what, "make room: bids could be refused"))
        elif disk.fills_soon:
            found.append(Finding("disk_fills", "warning", what, "make room, or move it to a larger disk"))
        else:
            found.append(Finding("disk", "ok", what))
    return found


def _database(settings: Settings, found: list[Finding]) -> Any:
    """An engine on a reachable, migrated database, or None with the reason among the findings."""
    from sqlalchemy import make_url

    from web import schema, wiring

    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        found.append(Finding("database", "error", "there is no database yet", "bidhall migrate"))
        return None
    try:
        engine = wiring.open_engine(settings.database)
        schema.check_ready(engine)
    except NotReady as refusal:
        pending = refusal.code == "database.pending"
        found.append(
            Finding(
                "migrations" if pending else "database",
                "error",
                refusal_text(refusal, "en"),
                "bidhall migrate" if pending else "start the database, or correct BIDHALL_DATABASE",
            )
        )
        return None
    found.append(Finding("database", "ok", "reachable, no pending migrations"))
    return engine


def _office(settings: Settings) -> Any:
    from web import wiring

    return wiring.open_office(settings)


# --- the platform -------------------------------------------------------------------------------------------------------


def _clock(office: Any) -> list[Finding]:
    """Against the newest tick of the log, which the machine that sealed it has dated: it may not lie ahead of us, nor far behind."""
    from trading.kernel import log
    from trading.kernel.access import CLOCK

    found = []
    with office.view(CLOCK) as view:
        last = log.last_tick(view.session)
        office.clock.tend(last.at if last is not None else None)
        if (doubt := office.clock.doubt()) is not None and doubt.code in ("clock.apart", "clock.outside"):
            remedy = APART if doubt.code == "clock.apart" else WRONG
            found.append(Finding(doubt.code.replace(".", "_"), "error", refusal_text(doubt, "en"), remedy))
        if last is not None and last.at > office.clock.span().first + SKEW:
            found.append(
                Finding(
                    "clock_back",
                    "error",
                    f"the log's last tick is of {last.at.isoformat()}, later than now",
                    "the clock went back: set it right before anything is accepted",
                )
            )
        if last is not None and view.now - last.at > LATE:
            found.append(Finding("log_stands", "warning", f"the last tick is of {last.at.isoformat()}", TURN))
    return found or [Finding("clock", "ok", datetime.isoformat(office.clock.now()))]


def _keys(office: Any) -> list[Finding]:
    """Keys and name against what the log began with: others start nothing that signs."""
    from trading.kernel import log_own
    from trading.kernel.access import CLOCK

    try:
        with office.view(CLOCK) as view:
            log_own.check(view.session, office.platform, office.keys)
    except NotReady as refusal:
        if refusal.code == "log.foreign_name":
            back = f"set BIDHALL_PLATFORM={refusal.facts['stored']}"
            return [Finding("log_name", "error", refusal_text(refusal, "en"), back)]
        remedy = "put the log's own key file back, or let BIDHALL_DATA and BIDHALL_DATABASE name one installation"
        return [Finding("log_key", "error", str(refusal), remedy)]
    return [Finding("log_key", "ok", "keys and name are those the log began with")]


def _log(office: Any) -> list[Finding]:
    from trading.kernel.access import Actor, Role
    from web import whole_audit

    with office.view(Actor(Role.AUDIT_ADMIN, name="doctor")) as view:
        seen = whole_audit.verify(view)
    if seen.ok:
        return [Finding("log", "ok", f"{seen.ticks} ticks, {seen.entries} entries verify")]
    return [
        Finding(
            "log_broken",
            "error",
            f"{one['where']}: {one['what']}",
            "bidhall audit verify; restore from a backup of before",
        )
        for one in seen.faults[:20]
    ]


def _blobs(office: Any) -> list[Finding]:
    """Rows without their bytes, and bytes of no row (harmless leftovers of uploads that came to nothing)."""
    from trading.bidding import named_blobs
    from trading.kernel.access import CLOCK

    with office.view(CLOCK) as view:
        named = named_blobs.named(view.session)
    held = set(office.blobs.names())
    found = [
        Finding(
            "blob_missing",
            "error",
            f"{where} names blob {name}, which is not there",
            "restore it from a backup or the mirror",
        )
        for name, where in sorted(named.items())
        if name not in held
    ][:20]
    spare = len(held - set(named))
    if spare:
        found.append(
            Finding(
                "blob_spare",
                "warning",
                f"{spare} blobs belong to no row",
                "the sweeper takes those of given-up uploads",
            )
        )
    return found or [Finding("blobs", "ok", f"{len(held)} blobs, every row has its bytes")]


def _second(office: Any) -> list[Finding]:
    """The folder on the second disk: there, on another disk, and holding what the first one holds."""
    second = office.blobs.second
    if second is None:
        return []
    found = []
    if second.folder.stat().st_dev == office.blobs.folder.stat().st_dev:
        found.append(
            Finding(
                "mirror_dir",
                "warning",
                f"{second.folder} lies on the same disk as the store",
                "name a folder on another disk",
            )
        )
    held = set(second.names())
    if any(name not in held for name in office.blobs.names()):
        found.append(
            Finding(
                "mirror_dir",
                "error",
                f"{second.folder} lacks files of the store",
                "it was named late or lost some: copy what is missing (rsync --ignore-existing), its names are the same",
            )
        )
    return found or [Finding("mirror_dir", "ok", "the second disk has every file")]


def _overdue(office: Any) -> list[Finding]:
    from trading import timeline
    from trading.kernel.access import CLOCK
    from trading.tendering.tenders import Lot

    with office.view(CLOCK) as view:
        late = [(one, view.session.get(Lot, one.lot_id)) for one in timeline.due(view.session, view.now - LATE)]
    found = [
        Finding(
            "step_overdue",
            "error",
            f"{one.what} of {lot.ref if lot else one.lot_id}, due since {one.since.isoformat()}",
            TURN,
        )
        for one, lot in late
    ]
    return found or [Finding("steps", "ok", "no step is overdue")]
