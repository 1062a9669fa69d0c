"""`bidhall init`: from an empty machine to a platform that can be served (docs/operate/start.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from trading.kernel.errors import Invalid
from web.cli.common import answer, guarded, json_option, lang_option, refusal_text, say
from web.cli.language import language


def _flag(name: str, metavar: str, about: str) -> Any:
    return click.option(f"--{name}", metavar=metavar, default=None, help=about)


def _seat(name: str, about: str) -> Any:
    return click.option(f"--{name}", metavar="USER=NAME", default=None, help=about)


@click.command("init", epilog="Example: bidhall init --answers site.toml")
@click.option(
    "--answers",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A TOML file with all answers; flags go before it.",
)
@click.option("--check", "only_check", is_flag=True, help="Say what is wrong with the answers, make nothing.")
@_flag("name", "NAME", "The platform's name in signed documents (the host of the URL).")
@_flag("url", "URL", "The public address, https://…")
@_flag("centre-name", "NAME", "Registered name of the trading centre.")
@_flag("centre-code", "CODE", "Its unified social credit code, 18 characters.")
@_flag("region", "CODE", "Its region, 6 figures.")
@_seat("system", "The system administrator.")
@_seat("security", "The first security administrator.")
@_seat("second", "The second security administrator, without whom nobody can confirm.")
@_seat("audit", "The audit administrator.")
@_flag("zone", "ZONE", "The centre's time zone (Asia/Shanghai).")
@_flag("database", "URL", "postgresql://…, or nothing for a file in the data folder.")
@_flag("store", "DIR", "Folder of the sealed files, outside the data folder.")
@click.option(
    "--memory",
    metavar="FILE",
    multiple=True,
    help="A file on another disk that remembers the log. More than one may be given.",
)
@_flag("proxies", "N", "How many trusted proxies stand before the platform.")
@_flag("place", "TEXT", "The line under the brand.")
@_flag("hotline", "NUMBER", "Telephone number shown where something went wrong.")
@_flag("time-server", "HOST", "A time server to hold this machine's clock against, once.")
@json_option
@lang_option
@guarded
def init(answers: Path | None, only_check: bool, as_json: bool, lang: str | None, **flags: Any) -> None:
    """Set up a platform in an empty data folder (BIDHALL_DATA): ask for what is missing, or take it from flags and a file; say all that is
    wrong at once; write settings.env, make the database, keys, the centre and its administrators, whose first passwords are shown once.
    Interrupted and run again it goes on."""
    from web.install import answers as told
    from web.install import steps
    from web.settings import given

    data = given()[0]
    speech = language(lang)
    raw = _merged(told.read_file(answers) if answers else {}, flags)
    if answers is None and not as_json:
        _ask(raw, speech)
    held = told.check(raw)
    with steps.alone(data):
        if steps.is_done(data):
            say(_said("done_before", speech))
            return
        clock = steps.check_all(held, begun=steps.is_begun(data))
        if only_check:
            say(_said("checked", speech))
            return
        steps.note(data, done=False)
        steps.write_settings(data, held)
        office = steps.open_office(held)
        passwords = steps.settle(office, held)
        office.engine.dispose()
        left = steps.left_to_do(held, clock)
        if as_json:
            answer(
                {
                    "data": str(data),
                    "platform": held.read.platform,
                    "url": held.read.base_url,
                    "administrators": [vars(one) for one in passwords],
                    "left": left,
                }
            )
        else:
            _show(office.clock.now(), data, held, passwords, left, speech)
        steps.note(data, done=True)


def _merged(found: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """What a flag says goes before the file. Refuses: Invalid ``init.seat`` for an administrator not written USER=NAME."""
    from trading.kernel.errors import Faults
    from web.install.answers import SEATS, TEXTS

    raw: dict[str, Any] = {key: value for key, value in found.items() if key not in ("centre", "administrators")}
    raw |= {key: flags[key] for key in TEXTS if flags.get(key) is not None}
    if flags["memory"]:
        raw["memory"] = list(flags["memory"])
    centre = dict(found.get("centre") or {})
    for key, flag in (("name", "centre_name"), ("code", "centre_code"), ("region", "region")):
        if flags[flag] is not None:
            centre[key] = flags[flag]
    people, faults = dict(found.get("administrators") or {}), Faults()
    for seat in SEATS:
        if flags[seat] is not None:
            username, sign, name = flags[seat].partition("=")
            if flags[seat] and not sign:
                faults.add(f"--{seat}", "init.seat", text=flags[seat])
            people[seat] = {"username": username, "name": name}
    faults.refuse_if_any("init.faults")
    return raw | {"centre": centre, "administrators": people}


def _ask(raw: dict[str, Any], speech: str) -> None:
    """Ask a person for what no flag has said; what is needed is asked until it is well formed."""
    from web.install.answers import SEATS

    for key, needed in (("url", True), ("name", False)):
        _ask_one(raw, key, key, raw, needed=needed, speech=speech)
    for key, needed in (("name", True), ("code", True)):
        _ask_one(raw["centre"], key, f"centre.{key}", raw, needed=needed, speech=speech)
    for seat, (_role, needed) in SEATS.items():
        one = raw["administrators"].setdefault(seat, {})
        _ask_one(one, "username", f"administrators.{seat}.username", raw, needed=needed, speech=speech)
        if one["username"]:
            _ask_one(one, "name", f"administrators.{seat}.name", raw, needed=True, speech=speech)
    for key in ("zone", "database", "store", "memory", "proxies", "time_server"):
        _ask_one(raw, key, key, raw, needed=False, speech=speech)


def _ask_one(into: dict[str, Any], key: str, where: str, raw: dict[str, Any], *, needed: bool, speech: str) -> None:
    if key in into:
        return

    def read(text: str) -> str:
        into[key] = text.strip()
        told = next(_faults_at(raw, where, needed=needed), None)
        if told is not None:
            raise click.UsageError(refusal_text(Invalid(told.code, **dict(told.facts)), speech))
        return str(into[key])

    asked = _said(f"ask_{where.replace('.', '_')}", speech)
    click.prompt(asked, default=None if needed else "", value_proc=read, show_default=False, err=True)


def _faults_at(raw: dict[str, Any], where: str, *, needed: bool) -> Iterator[Any]:
    """What is wrong with one answer, the others being asked for still."""
    from web.install import answers as told

    try:
        told.check(raw)
    except Invalid as refusal:
        for fault in refusal.faults:
            if fault.where == where and (needed or fault.code != "form.required"):
                yield fault


def _said(code: str, speech: str) -> str:
    from web.words import state

    return state("init", code, speech).text


def _show(now: Any, data: Path, held: Any, passwords: list[Any], left: list[str], speech: str) -> None:
    """Once, for whoever sits there: who signs in with what, and what is left to do."""
    from zoneinfo import ZoneInfo

    line: Callable[[str], None] = click.echo
    line("")
    line(f"{_said('ready', speech)}  {held.read.platform}  {held.read.base_url}  {data}")
    local = now.astimezone(ZoneInfo(held.read.zone))
    line(f"{_said('clock', speech)}  {local:%Y-%m-%d %H:%M:%S}  {held.read.zone}")
    if passwords:
        line("")
        line(_said("passwords", speech))
        for one in passwords:
            line(f"  {_said('seat_' + one.seat, speech)}  {one.name}")
            line(f"      {one.username}")
            line(f"      {one.password}")
    line("")
    line(_said("left", speech))
    for number, code in enumerate(left, 1):
        line(f"  {number}. {_said('left_' + code, speech)}")
