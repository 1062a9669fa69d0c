"""What `bidhall doctor` says of what remembers the log outside the data folder: whether anything does, what it holds, where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from web.cli.doctor_finding import Finding
from web.settings import Settings

SET = "set BIDHALL_MEMORY to files on other disks, then bidhall memory begin"
MEND = "docs/operate/memory.md: stop this copy, start from the data that continue what is remembered"


def examine(settings: Settings, office: Any) -> list[Finding]:
    """Changes nothing; a place that cannot be asked is an error of its own, beside what the others say."""
    from sqlalchemy.exc import SQLAlchemyError

    from trading.kernel.access import CLOCK
    from web.wiring import is_rehearsal

    memory = office.memory
    if memory is None:
        if is_rehearsal(settings.data):
            return [
                Finding("memory", "ok", "nothing remembers the log outside the data folder: a rehearsal needs none")
            ]
        what = "nothing outside the data folder remembers the log: an old copy of it would go on, and sign a second history"
        return [Finding("memory", "error", what, SET)]
    found = [*_places(settings, memory)]
    try:
        with office.view(CLOCK) as view:
            trouble = memory.look(view.session)
    except SQLAlchemyError as error:
        return [
            *found,
            Finding("memory", "error", f"the log cannot be compared: {type(error).__name__}", "see the database"),
        ]
    if trouble is not None:
        return [*found, Finding("memory_" + trouble.code.partition(".")[2], "error", str(trouble), MEND)]
    if not memory.files:
        what = "only the time beacon remembers the log, and it runs beside the platform"
        found.append(Finding("memory", "warning", what, SET))
    return found or [Finding("memory", "ok", f"the log continues what {_names(memory)} remember")]


def _places(settings: Settings, memory: Any) -> list[Finding]:
    from trading.kernel.errors import Refusal

    found = []
    for where, one in memory.seen().items():
        if isinstance(one, Refusal) and one.code == "memory.unreadable":
            found.append(Finding("memory_unreadable", "error", str(one), "mount the disk, or put the file right"))
        elif one is None and where not in memory.afar:
            remedy = "the next tick makes it, if another memory is there; else bidhall memory begin"
            found.append(Finding("memory_missing", "warning", f"{where} is not there", remedy))
    for path in memory.files:
        if _device(path.parent) == _device(settings.data):
            what = f"{path} lies on the disk of the data folder: both are brought back together"
            found.append(Finding("memory_disk", "warning", what, "name a file on another disk"))
    return found


def _device(folder: Path) -> int | None:
    try:
        return folder.stat().st_dev
    except OSError:
        return None


def _names(memory: Any) -> str:
    return ", ".join([*map(str, memory.files), *memory.afar])
