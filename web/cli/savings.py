"""`bidhall savings`: budget against award, from a file of anybody's or from the platform's own data.

The reckoning and the rules stand in ``trading.reports.savings``; here a file is read, and the answer is written where it was asked
for, whole or not at all.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from trading.kernel.errors import Invalid, NotReady
from trading.reports import readers, savings, words, writers
from web.cli.language import LANGUAGE, language
from web.papers.typesetter import SETTER, can_set
from web.words import words as say


def platform_records() -> list[Mapping[str, Any]]:
    """The results of the platform in the data folder, read and nothing written. A file asked for needs none of this, so the database is
    imported here. Refuses: NotReady ``database.unreachable``, ``database.pending``."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.orm import Session

    from trading.reports import own
    from web import schema, wiring
    from web.settings import read_settings

    settings = read_settings()
    where = make_url(settings.database)
    if where.get_backend_name() == "sqlite" and where.database and not Path(where.database).is_file():
        raise NotReady("database.unreachable", reason=f"no file {where.database}")
    engine = wiring.open_reading(settings)
    schema.check_ready(engine)
    with engine.connect().execution_options(bidhall_readonly=True) as connection, Session(connection) as session:
        return list(own.records(session))


own_records: Callable[[], Iterable[Mapping[str, Any]]] | None = platform_records
"""Gives the platform's own results (``trading.reports.savings.own_rows``)."""

FORMATS = ("table", "json", "csv", "xlsx", "pdf")


def _stop(message: str, exit_code: int) -> NoReturn:
    click.echo(message, err=True)
    raise SystemExit(exit_code)


@click.command(
    "savings",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: bidhall savings docs/examples/yearbook-2018.csv --by regime,method",
)
@click.argument("file", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), default=None, help="How to answer (table).")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--by", multiple=True, metavar="DIM,…", help="Break down by " + ", ".join(savings.DIMENSIONS) + ".")
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="First day of the result (YYYY-MM-DD).")
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="Last day of the result (YYYY-MM-DD).")
@click.option("--currency", metavar="CODE", help="The currency to reckon in (that of most rows).")
@click.option("-o", "out", metavar="OUT", default="-", help="File to write; - is stdout.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--lang", type=LANGUAGE, default=None, help="Language of the answer.")
def command(
    file: str | None,
    form: str | None,
    as_json: bool,
    by: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    currency: str | None,
    out: str,
    force: bool,
    lang: str | None,
) -> None:
    """Reckon budget against award from an OCDS package, a CSV or XLSX table, or the platform's own data."""
    speech = language(lang)
    if as_json:
        if form not in (None, "json"):
            raise click.UsageError(f"--json and --format {form} exclude each other")
        form = "json"
    form = form or "table"
    if since and until and since > until:
        raise click.UsageError("--from is later than --to")
    target = None if out == "-" else Path(out)
    if target is not None and target.exists() and not force:
        raise click.UsageError(f"{out} is there already; --force writes over it")
    if target is None and form in ("xlsx", "pdf") and sys.stdout.isatty():
        raise click.UsageError(f"{form} is not for a terminal; name a file with -o")
    rows, places = _rows(file, speech)
    try:
        report = savings.reckon(
            rows,
            places=places,
            by=_dimensions(",".join(by)),
            since=since.date() if since else None,
            until=until.date() if until else None,
            currency=currency.upper() if currency else None,
        )
    except Invalid as wrong:
        raise click.UsageError(say(wrong.code, wrong.facts, speech)) from wrong
    _write(target, _answer(form, report, rows, speech, to_file=target is not None, marked=_mark(file)))


def _mark(file: str | None) -> str:
    """The watermark of a rehearsal's own figures; those of a file are whose they are."""
    from web.papers import mark
    from web.settings import read_settings

    return mark.of(read_settings().platform) if file is None else ""


def _dimensions(by: str) -> list[str]:
    """The dimensions named, each once, in the order given."""
    return list(dict.fromkeys(name for part in by.split(",") if (name := part.strip().lower())))


def _rows(file: str | None, speech: str) -> tuple[list[savings.Row], int]:
    if file is None:
        give = own_records
        if give is None:
            _stop(
                {
                    "zh": "平台数据尚不可用；请给出一个文件，或先运行 bidhall migrate。",
                    "en": "The platform's own data is not ready; give a FILE, or run bidhall migrate first.",
                }[speech],
                3,
            )
        try:
            return savings.own_rows(give()), 2
        except NotReady as refusal:
            _stop(say(refusal.code, refusal.facts, speech), 3)
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        _stop(f"{file}: {error.strerror or error}", 2)
    try:
        table = readers.read(data)
    except Invalid as wrong:
        lines = [f"{file}: {say(wrong.code, wrong.facts, speech)}"]
        lines += [
            f"  {fault.where or file}: [{fault.code}] {say(fault.code, fault.facts, speech)}" for fault in wrong.faults
        ]
        _stop("\n".join(writers.tame(line) for line in "\n".join(lines).split("\n")), 2)
    for where, code in table.notes:
        click.echo(f"{file}: {where}: {words.word('note.' + code, speech)}", err=True)
    return table.rows, table.places


def _answer(
    form: str, report: savings.Savings, rows: list[savings.Row], speech: str, *, to_file: bool, marked: str
) -> bytes:
    """The report in the form asked for, as bytes. A CSV file begins with a byte order mark, without which Excel misreads Chinese; what goes
    into a pipe does not."""
    if form == "csv":
        return writers.csv_text(report, speech).encode("utf-8-sig" if to_file else "utf-8")
    spread = savings.distribution(
        (row.budget, row.award)
        for row, why in zip(
            rows,
            savings.treatments(rows, currency=report.currency, since=report.since, until=report.until),
            strict=True,
        )
        if why is None and row.budget is not None and row.award is not None
    )
    if form == "json":
        return (json.dumps(writers.document(report, spread), ensure_ascii=False, indent=1) + "\n").encode()
    if form == "xlsx":
        return writers.xlsx_bytes(report, rows, speech, spread)
    if form == "pdf":
        return _pdf(report, speech, spread, marked)
    return writers.table_text(report, speech, spread).encode()


def _pdf(report: savings.Savings, speech: str, spread: savings.Distribution | None, marked: str) -> bytes:
    if not can_set():
        _stop(
            "PDF needs the setter typst, which is not installed: install this release from its file, with its part “reports”",
            3,
        )
    head, lines = writers.group_table(report, speech)
    data = {
        "lang": speech,
        "title": words.word("title", speech),
        "figures": writers.figures(report, speech, spread),
        "by": len(report.by),
        "head": head,
        "lines": lines,
        "notes_title": words.word("notes", speech),
        "notes": writers.caveats(report, speech),
        "lists": [
            {
                "title": words.word("exceptions", speech),
                "rows": [
                    [one.id, writers.shown(one.budget, report.places), writers.shown(one.award, report.places)]
                    for one in report.exceptions
                ],
            },
            {
                "title": words.word("excluded", speech),
                "rows": [[ident, words.reason(why, speech)] for ident, why in report.excluded],
            },
        ],
    }
    try:
        return SETTER.compile("savings.typ", data, at=None, mark=marked)
    except NotReady as refusal:
        _stop(say(refusal.code, refusal.facts, speech), 3)


def _write(target: Path | None, data: bytes) -> None:
    """To stdout, or to a file under a temporary name that is renamed when it is whole."""
    if target is None:
        click.echo(data, nl=False)
        return
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        _stop(f"{target}: {error.strerror or error}", 2)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, target)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        _stop(f"{target}: {error.strerror or error}", 2)
