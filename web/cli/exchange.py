"""`bidhall import`, `export`, `audit`: what goes in from other systems, what goes out for anybody to check."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from web.cli.common import (
    BAD_INPUT,
    REFUSED,
    answer,
    force_option,
    guarded,
    json_option,
    lang_option,
    read_bytes,
    say,
    stop,
    writing,
)
from web.cli.opening_set import export_opening
from web.cli.people import as_option, password_option, signed_in
from web.cli.platform import open_ready_office

EXPERT_HEADINGS = {
    "username": "登录名",
    "code": "专家编号",
    "unit": "工作单位",
    "specialties": "专业",
    "region": "地区",
}


@click.group("export")
def export() -> None:
    """Write bundles, OCDS, notices, the log. Example: bidhall export bundle KP-2026-7F3A2C-1 -o out.zip"""


@export.command("bundle", epilog="Example: bidhall export bundle KP-2026-7F3A2C-1 --profile public -o out.zip")
@click.argument("ref")
@click.option(
    "--profile",
    type=click.Choice(["public", "audit"]),
    default="public",
    show_default=True,
    help="For all, or the archive.",
)
@click.option("-o", "out", required=True, metavar="OUT", help="The file to write; - is stdout.")
@force_option
@json_option
@lang_option
@guarded
def export_bundle(ref: str, profile: str, out: str, force: bool, as_json: bool, lang: str | None) -> None:
    """Everything of a finished or failed lot, for `bidhall verify`."""
    from trading.kernel.access import Actor, Role
    from web.papers import bundles

    office = open_ready_office(signs=False)
    with writing(out, force=force) as target:
        index = bundles.export(office, Actor(Role.AUDIT_ADMIN, name="command line"), ref, profile, target)
    if as_json and out != "-":
        answer({"path": out, "profile": profile, "index": index})
    else:
        say(f"{out}: {profile}, index {index}")


@export.command("notices", epilog="Example: bidhall export notices -o notices.json")
@click.option("--tender", "ref", help="One lot only.")
@click.option("-o", "out", required=True, metavar="OUT", help="The file to write; - is stdout.")
@force_option
@lang_option
@guarded
def export_notices(ref: str | None, out: str, force: bool, lang: str | None) -> None:
    """Every published notice, word for word, as JSON lines; each line's hash stands in the log."""
    from sqlalchemy import select

    from trading.kernel.access import PUBLIC
    from trading.tendering.notices import Notice, document_of
    from trading.tendering.tenders import Lot

    office = open_ready_office(signs=False)
    count = 0
    with office.view(PUBLIC) as view, writing(out, force=force) as target:
        query = select(Notice, Lot).join(Lot, Lot.id == Notice.lot_id).order_by(Notice.published_at, Notice.id)
        for notice, lot in view.session.execute(query.where(Lot.ref == ref) if ref else query):
            line = {
                "ref": lot.ref,
                "hash": notice.document_hash,
                "notice": document_of(notice, platform=office.platform, lot=lot),
            }
            target.write(json.dumps(line, ensure_ascii=False, sort_keys=True).encode() + b"\n")
            count += 1
    say(f"{out}: {count} notices")


@export.command("ocds", epilog="Example: bidhall export ocds --records -o ocds.json")
@click.option("--tender", "ref", help="One lot only.")
@click.option("--records", is_flag=True, help="A record package: each contracting process compiled.")
@click.option("-o", "out", required=True, metavar="OUT", help="The file to write; - is stdout.")
@force_option
@lang_option
@guarded
def export_ocds(ref: str | None, records: bool, out: str, force: bool, lang: str | None) -> None:
    """Published lots in the Open Contracting Data Standard, 1.1."""
    from trading.disclosure import ocds_cards

    office = open_ready_office(signs=False)
    document, count = ocds_cards.package(office, ref, records=records)
    with writing(out, force=force) as target:
        target.write(document.encode())
    say(f"{out}: {count} releases")


@export.command("audit", epilog="Example: bidhall export audit -o log/")
@click.option(
    "-o", "out", required=True, metavar="DIR", help="The folder to write; new tiles are added to one of before."
)
@lang_option
@guarded
def export_audit(out: str, lang: str | None) -> None:
    """The public log as static tiles (C2SP tlog-tiles) and its checkpoint: what witnesses and mirrors read."""
    from trading.disclosure import tiles
    from trading.kernel.access import PUBLIC

    office = open_ready_office(signs=False)
    with office.view(PUBLIC) as view:
        size = tiles.write(view, Path(out))
    say(f"{out}: {size} ticks")


export.add_command(export_opening)


# --- import -------------------------------------------------------------------------------------------------------------


@click.group("import")
def import_() -> None:
    """Take in statements, experts, results of older years. Example: bidhall import statement bank.csv"""


@import_.command("statement", epilog="Example: bidhall import statement bank.csv")
@click.argument("file", required=False)
@click.option("--format", "form", type=click.Choice(["csv", "camt.053", "mt940"]), default="csv", show_default=True)
@click.option("--template", is_flag=True, help="Write an empty file with the headings, take nothing.")
@json_option
@lang_option
@guarded
def import_statement(file: str | None, form: str, template: bool, as_json: bool, lang: str | None) -> None:
    """Take a bank statement in: known lines are skipped, an unfit file is taken as a whole or not at all."""
    from deposits.bank import statements
    from deposits.refunds import settlement
    from trading.kernel.access import Actor, Role
    from web.cli.language import language

    if template:
        sys.stdout.buffer.write(statements.write_csv([], language(lang)))
        return
    if form != "csv":
        stop(f"--format {form} is not taken by this version; csv is", BAD_INPUT)
    name, data = _file(file)
    office = open_ready_office()
    with office.work(Actor(Role.CASHIER, name="command line")) as work:
        report, settled = settlement.take_statement(work, data, name=name)
    rows = [{"row": row, "bank_id": bank_id, "result": "taken"} for row, bank_id in report.taken]
    rows += [{"row": row, "bank_id": bank_id, "result": "skipped"} for row, bank_id in report.skipped]
    _report(
        as_json,
        sorted(rows, key=lambda row: row["row"]),
        {"confirmed": settled.confirmed, "returned": settled.returned, "refused": settled.refused},
    )


@import_.command("history", epilog="Example: bidhall import history yearbook-2018.csv --source 'Yearbook 2018'")
@click.argument("file")
@click.option("--source", required=True, help="Whose records these are, in words for the readers of the savings page.")
@json_option
@lang_option
@guarded
def import_history(file: str, source: str, as_json: bool, lang: str | None) -> None:
    """Take results of the years before the platform in, whole or not at all: an OCDS package, CSV or XLSX, as `bidhall savings` reads them.
    The savings page shows them apart, as imported."""
    from trading.kernel.access import Actor, Role
    from trading.reports import history

    name, data = _file(file)
    office = open_ready_office()
    with office.work(Actor(Role.SYSTEM_ADMIN, name="command line")) as work:
        rows = history.take_in(work, data, name=name, source=source)
    if as_json:
        answer({"taken": rows, "name": name, "source": source})
    else:
        say(f"{rows} taken")


@import_.command("experts", epilog="Example: bidhall import experts experts.csv")
@click.argument("file", required=False)
@click.option("--template", is_flag=True, help="Write an empty file with the headings, take nothing.")
@json_option
@lang_option
@guarded
def import_experts(file: str | None, template: bool, as_json: bool, lang: str | None) -> None:
    """Enter experts of the library, whose accounts are there; who is entered already is skipped. Specialties are parted by spaces
    or commas. From a workbook the sheet 专家 is read, as `bidhall import people --template` makes it."""
    from web.cli.language import language

    if template:
        out = io.StringIO()
        csv.writer(out).writerow(EXPERT_HEADINGS.values() if language(lang) == "zh" else EXPERT_HEADINGS)
        sys.stdout.buffer.write(b"\xef\xbb\xbf" + out.getvalue().encode())
        return
    _, data = _file(file)
    lines = list(_of_workbook(data) if data.startswith(b"PK\x03\x04") else _rows(data))
    office = open_ready_office()
    _report(as_json, [_expert(office, number, row, lang) for number, row in lines], {})


def _expert(office: Any, number: int, row: dict[str, str], lang: str | None) -> dict[str, Any]:
    """One line: taken, skipped or refused with its reason."""
    from evaluation.panels import experts
    from trading.kernel.access import Actor, Role
    from trading.kernel.errors import Conflict, NotFound, Refusal
    from trading.parties import parties
    from web.cli.common import refusal_text

    found = {"row": number, "code": row["code"]}
    try:
        with office.work(Actor(Role.CENTRE, name="command line")) as work:
            account = parties.find_account(work.session, row["username"].strip())
            if account is None:
                raise NotFound("account.unknown", username=row["username"])
            experts.register(
                work,
                account,
                code=row["code"],
                unit=row["unit"],
                specialties=re.split(r"[\s、,，;；]+", row["specialties"].strip()),
                region=row.get("region", ""),
            )
    except Conflict:
        return {**found, "result": "skipped"}
    except Refusal as refusal:
        return {**found, "result": "refused", "reason": refusal.code, "words": refusal_text(refusal, lang)}
    return {**found, "result": "taken"}


def _of_workbook(data: bytes) -> Iterable[tuple[int, dict[str, str]]]:
    """Of its sheet of experts. Stops with exit 2 where there is none. Refuses: Invalid ``people.file``."""
    from trading.reports import people_book

    sheet = people_book.read(data).get(people_book.EXPERTS)
    if sheet is None:
        stop("no sheet of experts (专家); bidhall import people --template writes one", BAD_INPUT)
    for line in sheet.lines:
        yield line.number, {**dict.fromkeys(EXPERT_HEADINGS, ""), **line.values}


def _rows(data: bytes) -> Iterable[tuple[int, dict[str, str]]]:
    """(line, row) under the known headings, in either language. Stops with exit 2 for a file that lacks one."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", "replace")
    reader = csv.reader(io.StringIO(text))
    by_word = {word: key for key, zh in EXPERT_HEADINGS.items() for word in (key, zh)}
    heads = [by_word.get(cell.strip(), "") for cell in next(reader, [])]
    missing = [
        f"{key} {EXPERT_HEADINGS[key]}" for key in ("username", "code", "unit", "specialties") if key not in heads
    ]
    if missing:
        stop("headings missing: " + ", ".join(missing) + "; --template writes them", BAD_INPUT)
    for number, cells in enumerate(reader, 2):
        if any(cell.strip() for cell in cells):
            yield (
                number,
                {key: cell.strip() for key, cell in zip(heads, [*cells, *[""] * len(heads)], strict=False) if key},
            )


def _file(path: str | None) -> tuple[str, bytes]:
    if path is None:
        stop("FILE is missing; --template writes an empty one", BAD_INPUT)
    return Path(path).name, read_bytes(path)


def _report(as_json: bool, rows: list[dict[str, Any]], more: dict[str, Any]) -> None:
    counts = {result: sum(row["result"] == result for row in rows) for result in ("taken", "skipped", "refused")}
    if as_json:
        answer({**counts, **more, "lines": rows})
    else:
        for row in rows:
            click.echo(
                "  ".join(str(row[key]) for key in row if key != "words")
                + (f"  {row['words']}" if "words" in row else "")
            )
        say(", ".join(f"{count} {result}" for result, count in {**counts, **more}.items()))
    if counts["refused"]:
        raise SystemExit(REFUSED)


@import_.command("people", epilog="Example: bidhall import people people.xlsx --as chen")
@click.argument("file", required=False)
@click.option("--template", is_flag=True, help="Write an empty workbook to stdout, take nothing.")
@click.option("--check", "only_check", is_flag=True, help="Say what is wrong, or what would be entered; take nothing.")
@as_option
@password_option
@json_option
@lang_option
@guarded
def import_people(
    file: str | None,
    template: bool,
    only_check: bool,
    as_user: str | None,
    passphrase_file: str | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Enter organisations and people of a workbook or CSV, whole or not at all, as the page does. Everybody gets a link by mail to set
    a first password; roles of weight are proposed, and another security administrator confirms them."""
    from trading.parties import bulk
    from trading.reports import people_book
    from web import wiring
    from web.cli.language import language
    from web.settings import read_settings
    from web.words import people_words

    if template:
        sys.stdout.buffer.write(people_words.template(language(lang)))
        return
    _, data = _file(file)
    book = people_book.book_of(people_book.read(data))
    office = open_ready_office()
    actor = signed_in(office, as_user, passphrase_file)
    if only_check:
        with office.view(actor) as view:
            plan = bulk.check(view, book, people_words.words())
    else:
        with office.work(actor) as work:
            plan = bulk.enter(work, book, people_words.words(), base=wiring.open_post(read_settings()).base)
    told = {
        "organisations": len(plan.firms),
        "there": plan.there,
        "people": len(plan.people),
        "proposed": sum(len(one.heavy) for one in plan.people),
    }
    if as_json:
        answer({"taken": not only_check, **told})
    else:
        say(", ".join(f"{count} {name}" for name, count in told.items()) + (": nothing taken" if only_check else ""))


# --- audit --------------------------------------------------------------------------------------------------------------


@click.group("audit")
def audit() -> None:
    """The whole log. Example: bidhall audit verify --json"""


@audit.command("verify", epilog="Example: bidhall audit verify --json")
@json_option
@lang_option
@guarded
def audit_verify(as_json: bool, lang: str | None) -> None:
    """Verify the whole log: ticks and gaps, checkpoints, tick trees rebuilt, rows against entries and signed documents, guards of the
    database, every byte of the stored bids."""
    from trading.kernel.access import Actor, Role
    from web import whole_audit

    office = open_ready_office(signs=False)
    with office.view(Actor(Role.AUDIT_ADMIN, name="command line")) as view:
        found = whole_audit.verify(view, every_byte=True)
    if as_json:
        answer(found.to_json())
    else:
        click.echo(f"{found.ticks} ticks, {found.entries} entries, root {found.root or '-'}")
        for gap in found.gaps:
            click.echo(f"  gap after tick {gap['after']}: {gap['count']} missed, {gap['first']} to {gap['last']}")
        for fault in found.faults:
            click.echo(f"  {fault['code']}  {fault['where']}: {fault['what']}")
        say(
            "the log verifies"
            if found.ok
            else f"{len(found.faults)} faults; the first bad entry: {found.first_bad or '-'}"
        )
    if not found.ok:
        raise SystemExit(REFUSED)
