"""`bidhall memory`: what remembers the log outside the data folder (docs/operate/memory.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from trading.kernel.errors import Conflict, NotAllowed, NotReady, Refusal
from web.cli.common import NOT_READY, answer, guarded, json_option, lang_option, refusal_text, say


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


@memory.command("declare", epilog="Example: bidhall memory declare --as sec --second sec2")
@click.option("--as", "as_user", metavar="USER", help="A security administrator.")
@click.option("--passphrase-file", metavar="FILE", help="Their password, first line of FILE.")
@click.option("--second", "second_user", metavar="USER", help="Another one, who has looked as well.")
@click.option("--second-passphrase-file", metavar="FILE", help="Their password, first line of FILE.")
@click.option("--show", "only_show", is_flag=True, help="Say what would be declared, sign nothing.")
@json_option
@lang_option
@guarded
def declare(
    as_user: str | None,
    passphrase_file: str | None,
    second_user: str | None,
    second_passphrase_file: str | None,
    only_show: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """On restored data: say what was lost, on the word of two security administrators. It stands in the log, and the platform goes on."""
    from trading.kernel import restored
    from trading.kernel.access import CLOCK
    from trading.kernel.errors import WrongStep
    from trading.parties import parties
    from web.cli.people import signed_in
    from web.cli.platform import open_ready_office

    office = open_ready_office(signs=False)
    seen = {} if office.memory is None else office.memory.seen()
    with office.view(CLOCK) as view:
        row = restored.waiting(view.session, office.keys.public)
        if row is None:
            raise WrongStep("restore.nothing")
        gap = restored.gap_of(view, row, seen)
        people = parties.administrators(view.session)
    if as_json and only_show:
        answer({**gap.facts(), "lost": gap.lost})
    else:
        say(f"copy        {gap.ticks} ticks  {gap.at or '-'}  (backup of {gap.backup_at})")
        say(f"remembered  {gap.remembered or '-'} ticks  {gap.remembered_at or '-'}")
        say(f"lost        {gap.lost if gap.remembered else '?'} ticks")
    if only_show:
        return
    first = signed_in(office, as_user, passphrase_file)
    if first.account_id is None:  # a platform without people, whose machine speaks for it
        first = replace(first, fresh_until=office.clock.now() + parties.FRESH)
    alone = len(people) < 2
    both = [first] if alone else [first, signed_in(office, second_user, second_passphrase_file)]
    if len(both) > len({one.account_id for one in both}):
        raise NotAllowed("restore.one_person")
    for one in both:
        with office.work(one) as work:
            said = restored.said_by(work)
            if said is not None and said == one.account_id and not alone:
                continue  # on the page, before
            if restored.confirm(work, seen, remembered=gap.remembered, alone=alone) is not None:
                break
    with office.view(CLOCK) as view:
        office.restored.look(view)
        trouble = office.memory.look_anew(view.session) if office.memory is not None else None
    if as_json:
        answer({"declared": True, **gap.facts(), "lost": gap.lost})
    else:
        click.echo(f"{gap.lost} ticks declared lost; the platform goes on")
    if trouble is not None:
        say(refusal_text(trouble, lang))
        raise SystemExit(NOT_READY)


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
