"""`bidhall rehearse`: a centre plays a whole tender with its own people before its first one (docs/operate/rehearsal.md)."""

from __future__ import annotations

from pathlib import Path

import click

from web.cli.common import answer, guarded, json_option, lang_option, say
from web.cli.language import language


@click.command("rehearse", epilog="Example: bidhall rehearse /srv/rehearsal")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--from", "source", metavar="DATA", type=click.Path(path_type=Path), help="The site's data folder (BIDHALL_DATA)."
)
@json_option
@lang_option
@guarded
def rehearse(folder: Path, source: Path | None, as_json: bool, lang: str | None) -> None:
    """Make a rehearsal in an empty folder: a platform with a name, keys and a log of its own, which says in its first record that it proves
    nothing; with the site's people and none of their secrets, everybody's password on a card, sample bids, and a clock that is moved by a
    button. The site is only read. Cut off and run again it begins anew."""
    from web.rehearsal.site import card, filling, samples
    from web.words import state

    speech = language(lang)

    def tell(step: str) -> None:
        say(state("rehearse", step, speech).text)

    into = folder.absolute()
    made = filling.rehearse(into, source.absolute() if source else None, tell)
    invented = sum(1 for one in made.taken.people if one.invented)
    if as_json:
        answer(
            {
                "folder": str(into),
                "platform": made.platform,
                "site": made.site,
                "people": len(made.taken.people),
                "invented": invented,
                "card": str(into / card.PAGE),
                "samples": [str(path) for path in made.files],
            }
        )
        return
    click.echo(f"{made.site} -> {made.platform}")
    for name, value in (
        ("people", f"{len(made.taken.people)} ({state('rehearse', 'invented', speech).text}: {invented})"),
        ("card", f"{into / card.PAGE}, {card.TEXT}"),
        ("files", str(into / samples.FOLDER)),
        ("serve", f"bidhall serve {into}"),
    ):
        click.echo(f"  {state('rehearse', name, speech).text}: {value}")
