"""`bidhall backup`: a consistent copy of the platform while it runs, and whether one that lies there is whole (docs/operate/backup.md)."""

from __future__ import annotations

from pathlib import Path

import click

from trading.kernel.clock import since_steady, steady_ns, write_moment
from trading.kernel.errors import Invalid, NotReady
from web.cli.common import NOT_READY, REFUSED, answer, guarded, json_option, lang_option, refusal_text, say

EVERY_SECONDS = 5


@click.command("backup", epilog="Example: bidhall backup /mnt/backup --keep 14")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Take none: read all of a backup in DIR again, and say what is wrong.")
@click.option(
    "--name", default="", metavar="TIME", help="With --check: which one, as its folder is called (the newest)."
)
@click.option("--keep", type=click.IntRange(1), default=None, help="Afterwards drop all but so many.")
@click.option("--passphrase-file", metavar="FILE", help="The passphrase for the keys, first line of FILE (asked for).")
@json_option
@lang_option
@guarded
def backup(
    folder: Path,
    check: bool,
    name: str,
    keep: int | None,
    passphrase_file: str | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Copy database, sealed bids, files, settings and (under a passphrase) keys into DIR, while the platform runs. What DIR holds
    already is not copied again, and the passphrase is asked for only where its keys are not these."""
    if check:
        _look_through(folder, name, as_json, lang)
    else:
        _take(folder, keep or 0, passphrase_file, as_json, lang)


def _take(folder: Path, keep: int, passphrase_file: str | None, as_json: bool, lang: str | None) -> None:
    from web.backups import taking
    from web.cli.common import passphrase
    from web.cli.platform import open_ready_office
    from web.settings import read_settings

    office = open_ready_office()
    path, manifest = taking.take(
        office,
        read_settings(),
        folder,
        lambda: passphrase(passphrase_file, confirm=True),
        keep=keep,
        tell=Progress(),
    )
    if as_json:
        answer({"name": path.name, "ok": not manifest.missing, **manifest.to_json(), "files": len(manifest.files)})
    else:
        click.echo(f"{path}: {manifest.ticks} ticks, {manifest.blobs[0]} files of {manifest.blobs[1]} bytes")
    if manifest.missing:
        say(refusal_text(NotReady("backup.lacks", count=len(manifest.missing), names=list(manifest.missing[:5])), lang))
        raise SystemExit(NOT_READY)


def _look_through(folder: Path, name: str, as_json: bool, lang: str | None) -> None:
    from web.backups import checking, layout

    place = layout.chosen(folder, name)
    looked = checking.check(folder, place, Progress())
    if not looked.faults:
        _note_checked(folder)
    if as_json:
        faults = [{"where": one.where, "code": one.code, **one.facts} for one in looked.faults]
        at = looked.manifest.at if looked.manifest else ""
        answer({"name": place.name, "ok": not faults, "at": at, "faults": faults})
        if faults:
            raise SystemExit(REFUSED)
        return
    try:
        manifest = looked.refuse_if_any(place.name)
    except Invalid as refusal:
        say(refusal_text(refusal, lang))
        raise SystemExit(REFUSED) from None
    click.echo(f"{place}: {manifest.ticks} ticks, {manifest.blobs[0]} files, all whole")


def _note_checked(folder: Path) -> None:
    """For `bidhall doctor`, where this is a folder in which the platform of this machine keeps its backups."""
    from web import wiring
    from web.backups import state
    from web.settings import read_settings

    settings = read_settings()
    kept = state.read(settings.data)
    if kept.folder and Path(kept.folder).resolve() == folder.resolve():
        state.note(settings.data, checked_at=write_moment(wiring.open_clock(settings).now()))


class Progress:
    """Says how far it is, every few seconds."""

    def __init__(self) -> None:
        self._told = steady_ns()

    def __call__(self, done: int, of: int) -> None:
        if since_steady(self._told) > EVERY_SECONDS * 10**9:
            self._told = steady_ns()
            say(f"{done} / {of}")
