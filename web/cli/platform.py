"""`bidhall migrate`, `tick`, `calendar`, `rulebook`: the operator's hand on a platform."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import click

from trading.procedures import REGIMES
from web.cli.common import answer, guarded, json_option, lang_option, read_bytes, say


@click.command("migrate", epilog="Example: bidhall migrate --plan")
@click.option("--plan", is_flag=True, help="Say what would be applied, change nothing.")
@json_option
@lang_option
@guarded
def migrate(plan: bool, as_json: bool, lang: str | None) -> None:
    """Bring the database to this version: say what is pending, keep a copy of an SQLite file beside it, apply all in one transaction."""
    from web import private, schema, wiring
    from web.settings import read_settings

    settings = read_settings()
    private.make(settings.data)
    engine = wiring.open_engine(settings.database) if plan else wiring.open_database(settings)
    todo = schema.plan(engine)
    if not as_json:
        for revision in todo.revisions:
            click.echo(revision)
        if todo.revisions:
            say(f"{todo.applied or 'empty'} -> {todo.head}: {len(todo.revisions)} pending")
        if todo.keeps_copy and plan:
            say("a copy of the database file is kept beside it first")
    done = todo if plan else schema.migrate(engine)
    if as_json:
        answer(
            {
                "plan": plan,
                "from": done.applied,
                "to": done.head,
                "revisions": done.revisions,
                "copy": str(done.copy or ""),
            }
        )
    elif not plan:
        say(
            f"{len(done.revisions)} applied" + (f"; the database as it was is kept at {done.copy}" if done.copy else "")
        )


@click.command("tick", epilog="Example: bidhall tick --json")
@json_option
@lang_option
@guarded
def tick(as_json: bool, lang: str | None) -> None:
    """One turn of the clock by hand: take what is due, seal the log if a tick is due. Nothing while the machine's clocks disagree."""
    from web import wiring
    from web.settings import read_settings
    from web.workers import scheduler

    office = open_ready_office()
    taken = scheduler.turn(office, wiring.open_bank(read_settings(), office.clock))
    if (doubt := office.clock.doubt()) is not None:
        raise doubt
    if as_json:
        answer({"at": office.clock.now().isoformat(), "taken": taken})
    else:
        for line in taken:
            click.echo(line)


def open_ready_office(*, signs: bool = True) -> Any:
    """The office of the settings, its database reachable and migrated, its keys the log's own. ``signs`` False: it is only read, which goes
    on where the platform stands still. Refuses: NotReady."""
    from web import schema, wiring
    from web.settings import read_settings

    settings = read_settings()
    engine = wiring.open_engine(settings.database)
    schema.check_ready(engine)
    engine.dispose()
    office = wiring.open_signing_office(settings)
    if signs and office.trouble is not None:
        raise office.trouble
    return office


@click.group("calendar")
def calendar() -> None:
    """Working days: load a yearly notice. Example: bidhall calendar import 2027.csv"""


@calendar.command("import", epilog="Example: bidhall calendar import 2027.csv")
@click.argument("file")
@lang_option
@guarded
def calendar_import(file: str, lang: str | None) -> None:
    """Load the notice of a year (CSV: see docs/formats). Published dates never move."""
    from trading.kernel.access import Actor, Role
    from trading.rulebook import calendars

    office = open_ready_office()
    with office.work(Actor(Role.SYSTEM_ADMIN, name="command line")) as work:
        year = calendars.load(work, read_bytes(file).decode("utf-8-sig"))
    click.echo(f"{year.year}: {year.source}")


@click.group("rulebook")
def rulebook() -> None:
    """The law as dated data. Example: bidhall rulebook show --on 2026-03-02"""


@rulebook.command("show", epilog="Example: bidhall rulebook show --regime GP --on 2026-03-02")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The day (today).")
@click.option("--regime", type=click.Choice(REGIMES), multiple=True, help="One regime only.")
@json_option
@lang_option
@guarded
def rulebook_show(on: datetime | None, regime: tuple[str, ...], as_json: bool, lang: str | None) -> None:
    """Show the rules in force on a day, with their sources."""
    from trading.kernel.calendar import local_day
    from trading.kernel.system_clock import SystemClock
    from trading.rulebook import select
    from web.cli.language import language

    day: date = on.date() if on else local_day(SystemClock().now())
    books = [select(name, day) for name in regime or REGIMES]
    if as_json:
        answer({book.regime: book.snapshot() for book in books})
        return
    speech = language(lang)
    for book in books:
        click.echo(f"{book.version}")
        for rule in book.rules:
            value = " ".join(part for part in (rule.value or "", rule.unit) if part)
            click.echo(
                f"  {rule.id:<24} {rule.kind:<10} {value:<12} {rule.zh if speech == 'zh' else rule.en}  ({rule.source})"
            )
