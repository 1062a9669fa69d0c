"""Whose log this is: the keys and the name that its first entry and its first checkpoint were signed under.

A platform that starts with other ones would sign a second history into the log of the first: every start of a process that signs asks
here before it signs anything (web/wiring.py). What is altered rather than signed by somebody else is the audit's to name, not ours.

Law of the noun: the name is the first thing a log holds, signed in a record of its own before anything else is, so that two processes
that start on an empty log under two names cannot both go on; of every record and every checkpoint after it, it is part.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto import checkpoints, rehearsals, ticks
from crypto.errors import CryptoError
from crypto.signatures import document_hash
from trading.kernel import log
from trading.kernel.access import CLOCK
from trading.kernel.audit import ActRecord, LogEntry, PlatformKeys, platform_kid
from trading.kernel.errors import AlreadyDone, NotReady
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import Office

NAMED = "platform.named"
"""The act whose record says under which name a log begins; the form id that only one unit can claim, too."""
REHEARSAL = "platform.rehearsal"
"""The same, of a rehearsal: no log that begins so proves anything of the site whose name it bears."""


def begun(session: Session) -> bool:
    """Whether the log has an entry or a tick, and so keys of its own."""
    return session.scalar(select(LogEntry.id).limit(1)) is not None or log.last_tick(session) is not None


def check(session: Session, platform: str, keys: PlatformKeys) -> None:
    """Hold keys and name against what the log began with.

    Refuses: NotReady ``log.foreign_name``, ``log.foreign_log_key``, ``log.foreign_signing_key``.
    """
    first = session.scalar(select(LogTick.checkpoint).order_by(LogTick.tick).limit(1))
    if first is not None:
        _check_checkpoint(first, log.log_key(platform, keys), platform)
    elif (stored := str(first_record(session, keys.public).get("platform", ""))) not in ("", platform):
        raise NotReady("log.foreign_name", stored=stored, platform=platform)
    entry = session.scalar(select(LogEntry.envelope).order_by(LogEntry.id).limit(1))
    if entry is not None:
        _check_entry(entry, keys)


def begin(office: Office) -> None:
    """Sign the name into a log that has not begun, before anything else is signed: as that of a rehearsal where the name is one's
    (rehearsal.py). A process that was quicker has named it.

    Refuses: NotReady as ``check``, where that was under another name.
    """
    with office.view(CLOCK) as view:
        named = begun(view.session)
    if not named:
        with suppress(AlreadyDone), office.work(CLOCK) as work:
            if not begun(work.session):
                work.once(NAMED)
                if rehearsals.is_name(office.platform):
                    work.record(REHEARSAL, "platform", site=rehearsals.site_of(office.platform))
                else:
                    work.record(NAMED, "platform")
    with office.view(CLOCK) as view:
        check(view.session, office.platform, office.keys)


def first_record(session: Session, public: bytes) -> dict[str, Any]:
    """The first record of a log, as the platform with this key signed it; {} where there is none, or it is somebody else's."""
    row = session.execute(
        select(LogEntry.envelope, ActRecord.payload)
        .join(ActRecord, ActRecord.entry_hash == LogEntry.c)
        .order_by(LogEntry.id)
        .limit(1)
    ).first()
    try:
        if row is None:
            return {}
        entry, _ = ticks.open_entry(json.loads(row[0]), (public,))
        return dict(json.loads(row[1])) if entry["statement"] == document_hash(row[1].encode()) else {}
    except (CryptoError, ValueError, LookupError, TypeError):
        return {}


def _check_checkpoint(note: str, key: checkpoints.NoteKey, platform: str) -> None:
    try:
        checkpoints.verify_checkpoint(note, key)
    except CryptoError:
        name, signer = checkpoints.signed_as(note)
        if name and name != key.name:
            raise NotReady("log.foreign_name", stored=name.removesuffix("/log"), platform=platform) from None
        if signer and signer != key.key_hash:
            raise NotReady("log.foreign_log_key", key=key.key_hash.hex(), wanted=signer.hex()) from None


def _check_entry(text: str, keys: PlatformKeys) -> None:
    try:
        ticks.open_entry(json.loads(text), (keys.public,))
    except (CryptoError, ValueError):
        wanted, own = _signer(text), platform_kid(keys)
        if wanted and wanted != own:
            raise NotReady("log.foreign_signing_key", key=own, wanted=wanted) from None


def _signer(text: str) -> str:
    """The key id an entry says it was signed with; "" where nothing can be read of it."""
    try:
        return str(json.loads(text)["signatures"][0]["keyid"])
    except (ValueError, LookupError, TypeError):
        return ""
