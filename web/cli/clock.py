"""`bidhall clock`: the machine's clock held against the one since boot, and how two people say that it is right (docs/operate/clock.md)."""

from __future__ import annotations

import click

from trading.kernel.clock import write_moment
from trading.kernel.errors import NotAllowed, NotReady
from trading.kernel.system_clock import SystemClock
from web.cli.common import answer, guarded, json_option, lang_option, refusal_text, say


@click.group("clock")
def clock() -> None:
    """The clock the platform goes by. Example: bidhall clock show"""


@clock.command("show", epilog="Example: bidhall clock show --json")
@json_option
@lang_option
@guarded
def show(as_json: bool, lang: str | None) -> None:
    """Say what time the platform goes by, and whether its clocks agree. Exit 3 where they do not."""
    from trading.kernel import log
    from trading.kernel.access import CLOCK
    from web.cli.platform import open_ready_office

    office = open_ready_office(signs=False)
    with office.view(CLOCK) as view:
        office.clock.tend(log.newest(view.session))
    span, doubt = office.clock.span(), office.clock.doubt()
    at, first, last = (write_moment(one, exact=True) for one in span)
    if as_json:
        answer({"ok": doubt is None, "code": doubt.code if doubt else "", "at": at, "first": first, "last": last})
    else:
        click.echo(at)
    if doubt is not None:
        if not as_json:
            say(refusal_text(doubt, lang))
        raise SystemExit(3)


@clock.command("accept", epilog="Example: bidhall clock accept --as sec --second sec2")
@click.option("--as", "as_user", metavar="USER", help="A security administrator.")
@click.option("--passphrase-file", metavar="FILE", help="Their password, first line of FILE.")
@click.option("--second", "second_user", metavar="USER", help="Another one, who has looked at another clock as well.")
@click.option("--second-passphrase-file", metavar="FILE", help="Their password, first line of FILE.")
@lang_option
@guarded
def accept(
    as_user: str | None,
    passphrase_file: str | None,
    second_user: str | None,
    second_passphrase_file: str | None,
    lang: str | None,
) -> None:
    """Go by the machine's clock as it is now, on the word of two security administrators. It stands in the log."""
    from web.cli.people import signed_in
    from web.cli.platform import open_ready_office

    office = open_ready_office()
    if not isinstance(office.clock, SystemClock):
        raise NotReady("clock.by_hand")
    actor = signed_in(office, as_user, passphrase_file)
    second = signed_in(office, second_user, second_passphrase_file)
    if actor.account_id is not None and actor.account_id == second.account_id:
        raise NotAllowed("clock.one_person")
    span = office.clock.span()
    with office.work(actor) as work:
        work.record(
            "clock.accept",
            "platform",
            account=second.person,
            reckoned=write_moment(span.moment),
            last=write_moment(span.last),
        )
    moved = office.clock.accept()
    say(
        f"the platform goes by the machine's clock: {write_moment(office.clock.now(), exact=True)} ({moved.total_seconds():+.3f} s)"
    )
