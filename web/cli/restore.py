"""`bidhall restore`: a platform brought back from a backup (docs/operate/backup.md)."""

from __future__ import annotations

import os
from pathlib import Path

import click

from trading.kernel.errors import Refusal
from web.cli.backup import Progress
from web.cli.common import answer, guarded, json_option, lang_option, refusal_text, say


@click.command("restore", epilog="Example: bidhall restore /mnt/backup --to /srv/bidhall")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--to", metavar="DATA", type=click.Path(path_type=Path), help="The new data folder (BIDHALL_DATA).")
@click.option("--name", default="", metavar="TIME", help="Which backup, as its folder is called (the newest).")
@click.option("--passphrase-file", metavar="FILE", help="The passphrase of the keys, first line of FILE (asked for).")
@json_option
@lang_option
@guarded
def restore(
    folder: Path, to: Path | None, name: str, passphrase_file: str | None, as_json: bool, lang: str | None
) -> None:
    """Check a backup, and lay it into an empty folder. A platform started there is read and signs nothing until two security
    administrators have said what was lost: on its pages at /admin/restored, or by bidhall memory declare."""
    from web.backups import restoring
    from web.cli.common import passphrase

    back = restoring.restore(
        folder,
        lambda: passphrase(passphrase_file),
        name=name,
        to=to.absolute() if to is not None else None,
        environment=os.environ,
        tell=Progress(),
    )
    manifest = back.manifest
    if as_json:
        answer(
            {
                "data": str(back.data),
                "name": back.name,
                "platform": manifest.platform,
                "ticks": manifest.ticks,
                "backup_at": manifest.at,
                "lost_ticks": back.lost,
            }
        )
        return
    click.echo(f"{back.data}: {manifest.platform}, {manifest.ticks} ticks, as of {manifest.at}")
    for where, one in back.remembered.items():
        if isinstance(one, Refusal):
            say(refusal_text(one, lang))
        elif one is not None:
            say(f"{where}: {one.checkpoint.size} ticks ({one.at})")
    if back.lost:
        say(f"{back.lost} ticks are lost")
    say("next: bidhall serve; then two security administrators at /admin/restored")
