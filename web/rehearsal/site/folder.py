"""The folder of a rehearsal: what makes it one, what it may not be, and what becomes of one that was cut off."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from crypto import rehearsals
from trading.kernel.errors import NotReady
from trading.kernel.memory import write_whole
from web import private, wiring
from web.settings import REHEARSAL_FACTS, Settings, given, read_settings

LOCK = ".rehearse.lock"
SETTINGS = private.SETTINGS_FILE


def site_settings(source: Path | None) -> Settings:
    """The settings of the site: those in force, or those that a data folder says of itself. Refuses: NotReady as ``read_settings``."""
    if source is None:
        return read_settings()
    return read_settings({"BIDHALL_DATA": str(source)})


def settings_of(folder: Path) -> Settings:
    """The settings of a rehearsal's folder, whatever this shell says. Refuses: NotReady as ``read_settings``."""
    return read_settings({"BIDHALL_DATA": str(folder)})


def facts(folder: Path) -> dict[str, Any]:
    """What a rehearsal's folder says of itself (``site``, ``platform``, ``made_at``, ``done``); {} for a folder that is none."""
    try:
        found = json.loads((folder / REHEARSAL_FACTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def note(folder: Path, told: dict[str, Any]) -> None:
    write_whole(folder / REHEARSAL_FACTS, (json.dumps({"v": 1, **told}, ensure_ascii=False) + "\n").encode())


def check_apart(folder: Path, site: Settings) -> None:
    """The rehearsal is nowhere in the site, nor the site in it. Refuses: NotReady ``rehearsal.inside``."""
    ours = [site.data, Path(site.blobs)]
    url = make_url(site.database)
    if url.get_backend_name() == "sqlite" and url.database:
        ours.append(Path(url.database).parent)
    here = folder.resolve()
    for one in ours:
        there = one.resolve()
        if here.is_relative_to(there) or there.is_relative_to(here):
            raise NotReady("rehearsal.inside", folder=str(folder), data=str(one))


def check_site(site: Settings) -> None:
    """There is a site, by its files. Refuses: NotReady ``rehearsal.no_site``, ``rehearsal.of_rehearsal``."""
    url = make_url(site.database)
    if rehearsals.is_name(site.platform) or wiring.is_rehearsal(site.data):
        raise NotReady("rehearsal.of_rehearsal", data=str(site.data))
    there = url.get_backend_name() != "sqlite" or Path(str(url.database)).is_file()
    if not site.data.is_dir() or not there:
        raise NotReady("rehearsal.no_site", data=str(site.data))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One `rehearse` in a folder at a time. Refuses: NotReady ``rehearsal.running``, ``rehearsal.folder_unwritable``."""
    made = not folder.exists()
    busy = NotReady("rehearsal.running", folder=str(folder))
    unwritable = NotReady("rehearsal.folder_unwritable", path=str(folder))
    with private.held(folder, LOCK, busy=busy, unwritable=unwritable):
        try:
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)
            if made and not any(folder.iterdir()):
                folder.rmdir()


def begin(folder: Path, site: Settings, made_at: str) -> None:
    """Mark an empty folder as a rehearsal's that is being made; what an earlier call of the same site had begun is removed first.

    Refuses: NotReady ``rehearsal.not_empty``, ``rehearsal.done_before``, ``rehearsal.other_site``."""
    found = facts(folder)
    if found.get("done"):
        raise NotReady("rehearsal.done_before", folder=str(folder), site=str(found.get("site", "")))
    if found and found.get("site") != site.platform:
        raise NotReady("rehearsal.other_site", folder=str(folder), site=str(found.get("site", "")))
    if not found and (strangers := sorted(one.name for one in folder.iterdir() if one.name != LOCK)):
        raise NotReady("rehearsal.not_empty", folder=str(folder), names=strangers[:5])
    if found:
        _clear(folder)
    os.chmod(folder, 0o700)
    note(folder, {"site": site.platform, "platform": platform_of(site), "made_at": made_at, "done": False})
    (folder / wiring.REHEARSAL).touch()
    _write_settings(folder, site)


def _clear(folder: Path) -> None:
    """Away with what a broken call left: only in a folder that one has begun, and the word that it has goes last."""
    for one in folder.iterdir():
        if one.name not in (LOCK, REHEARSAL_FACTS):
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()


def platform_of(site: Settings) -> str:
    return rehearsals.name_of(site.platform)


def _write_settings(folder: Path, site: Settings) -> None:
    """Its own settings: name, place and zone. No address of the site's machines, no mail, no mirror, no account: nothing leaves here."""
    lines = {"PLATFORM": platform_of(site), "PLACE": site.place, "ZONE": site.zone}
    write_whole(folder / SETTINGS, "".join(f"BIDHALL_{name}={value}\n" for name, value in lines.items()).encode())
    (folder / SETTINGS).chmod(0o600)


def refuse_unsaid(asked: Path | None) -> Path | None:
    """Which folder `bidhall serve [DIR]` serves as a rehearsal: DIR, where it was said; None for the site's own.

    Refuses: NotReady ``rehearsal.unsaid``: the site's data folder is one of a rehearsal, and nobody has said so; ``rehearsal.not_one``,
    ``rehearsal.half``: DIR is none, or one that was not made to its end."""
    if asked is None:
        data = given()[0]
        if (data / REHEARSAL_FACTS).exists():
            raise NotReady("rehearsal.unsaid", data=str(data))
        return None
    found = facts(asked)
    if not found:
        raise NotReady("rehearsal.not_one", folder=str(asked))
    if not found.get("done"):
        raise NotReady("rehearsal.half", folder=str(asked), site=str(found.get("site", "")))
    return asked
