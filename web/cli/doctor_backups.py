"""What `bidhall doctor` says of backups: when the last one was taken, when one was last looked through, whether it lacks anything."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from web.backups import state
from web.cli.common import refusal_text
from web.cli.doctor_finding import Finding
from web.settings import Settings

TAKE = "bidhall backup DIR, each night; docs/operate/backup.md"
CHECK = "bidhall backup DIR --check, and once a month a restoration into an empty folder"


def examine(settings: Settings, now: datetime) -> list[Finding]:
    """Warnings alone: a site may be saved in other ways. A rehearsal needs none."""
    from web.wiring import is_rehearsal

    held = state.read(settings.data)
    if held.taken is None:
        if is_rehearsal(settings.data):
            return [Finding("backup", "ok", "no backup: a rehearsal needs none")]
        return [Finding("backup", "warning", "no backup was ever taken from here", TAKE)]
    found = []
    if held.missing:
        what = f"the newest backup lacks {held.missing} files which the platform itself had lost"
        found.append(Finding("backup_lacks", "error", what, "see blob_missing; bring them back from the mirror"))
    if held.is_old(now):
        found.append(Finding("backup_old", "warning", f"the last backup is of {held.at} ({held.folder})", TAKE))
    if held.is_unchecked(now):
        since = f"last looked through at {held.checked_at}" if held.checked_at else "never looked through"
        found.append(Finding("backup_unchecked", "warning", f"the backups in {held.folder} were {since}", CHECK))
    return found or [Finding("backup", "ok", f"{held.folder}: of {held.at}, looked through at {held.checked_at}")]


def restored(office: Any) -> list[Finding]:
    """Whether these data were brought back and nobody has declared the gap yet."""
    from trading.kernel.access import CLOCK

    with office.view(CLOCK) as view:
        trouble = office.restored.look(view)
    if trouble is None:
        return []
    return [Finding("restored", "error", refusal_text(trouble, "en"), "/admin/restored, or bidhall memory declare")]
