"""`bidhall memory`: what remembers the log outside the data folder (docs/operate/memory.md)."""

from __future__ import annotations

from typing import Any

import click

from trading.kernel.errors import Conflict, NotReady, Refusal
from web.cli.common import answer, guarded, json_option, lang_option, refusal_text, say


@click.group("memory")
def memory() -> None:
    """What remembers the log outside the data folder. Example: bidhall memory show"""


def _opened() -> Any:
    from web import schema, wiring
    from web.settings import read_settings

    settings = read_settings()
    engine = wiring.open_engine(settings.database)
    schema.check_ready(engine)
    engine.dispose()
    office = wiring.open_signing_office(settings)
    if office.memory is None or not office.memory.files:
        raise NotReady("memory.none")
    return office


@memory.command("begin", epilog="Example: bidhall memory begin")
@lang_option
@guarded
def begin(lang: str | None) -> None:
    """Write each file of BIDHALL_MEMORY that is not there, from the log as it stands: when a memory is new, or its disk was replaced."""
    from trading.kernel import log
    from trading.kernel.access import CLOCK
    from trading.kernel.clock import floor_second, write_moment

    office = _opened()
    if office.trouble is not None and office.trouble.code != "memory.lost":
        raise office.trouble
    with office.view(CLOCK) as view:
        last = log.last_tick(view.session)
    seen = office.memory.seen(afar=False)
    new = [path for path in office.memory.files if seen[str(path)] is None]
    for path in office.memory.files:
        if path not in new and isinstance(seen[str(path)], Refusal):
            say(refusal_text(seen[str(path)], lang))
    if not new:
        held = next((one for one in seen.values() if one is not None and not isinstance(one, Refusal)), None)
        if held is None:
            raise SystemExit(3)
        raise Conflict("memory.not_begun", where=held.where, ticks=held.checkpoint.size)
    for path in new:
        office.memory.write(path, last.checkpoint if last else "", write_moment(floor_second(last.at)) if last else "")
        say(f"{path}: {last.tick + 1 if last else 0} ticks")


@memory.command("show", epilog="Example: bidhall memory show --json")
@json_option
@lang_option
@guarded
def show(as_json: bool, lang: str | None) -> None:
    """Say what each place remembers, and whether the log here continues it. Exit 3 where it does not."""
    office = _opened()
    places: list[dict[str, Any]] = []
    for where, one in office.memory.seen().items():
        if isinstance(one, Refusal):
            places.append({"where": where, "ticks": None, "at": "", "code": one.code})
        else:
            places.append(
                {"where": where, "ticks": one.checkpoint.size if one else 0, "at": one.at if one else "", "code": ""}
            )
    trouble = office.trouble
    if as_json:
        answer({"ok": trouble is None, "code": trouble.code if trouble else "", "places": places})
    else:
        for place in places:
            ticks = "-" if place["ticks"] is None else place["ticks"]
            click.echo(f"{place['where']}  {ticks} ticks  {place['at'] or place['code'] or '-'}")
    if trouble is not None:
        if not as_json:
            say(refusal_text(trouble, lang))
        raise SystemExit(3)
