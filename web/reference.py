"""Reference pages made from the code itself: steps, procedures, evaluation methods, fields, access,
settings, commands, refusals, and the law.
``python -m web.reference`` writes them, ``--check`` says whether they are fresh (a house test asks)."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trading.kernel.access import CLASHES, ROLES, WEIGHTY, Act, Role
from trading.kernel.flow import Flow
from web import reference_fields, reference_law, reference_methods, reference_procedures

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
HEAD = "<!-- Made by `make docs` from the code. Change the code, not this page. -->\n\n"

SETTINGS: tuple[tuple[str, str, str], ...] = (
    ("DATA", "./bidhall-data", "The data folder: database, blobs, keys, settings.env."),
    ("DATABASE", "sqlite in the data folder", "SQLAlchemy URL; `postgresql+psycopg://…` for PostgreSQL."),
    ("BLOBS", "blobs in the data folder", "Folder of the write-once store."),
    ("BASE_URL", "", "The public address, `https://…`. Host names other than its own are refused."),
    ("PROXIES", "0", "How many trusted proxies stand before the platform."),
    (
        "ARRIVAL_HEADER",
        "",
        "The header in which the nearest proxy says when a request's last byte arrived, in seconds since 1970 "
        "(nginx: `$msec`). It must overwrite what a client sends. Empty: the moment at which the bytes reached this machine.",
    ),
    (
        "MAIL",
        "the folder `mail` in the data folder",
        "Where letters go ([how](../operate/mail.md)): `smtp://host:port` of a mail server, or a folder, in which each letter is a file.",
    ),
    (
        "MAIL_TLS",
        "by port and host",
        "`starttls`, `tls` (port 465), or `none`, which only a server on this machine may have.",
    ),
    ("MAIL_FROM", "", "The address letters come from; needed with a server."),
    ("MAIL_USER", "", "The user name at the server, if it asks for one."),
    (
        "MAIL_PASSWORD_FILE",
        "",
        "The file with that user's password on its first line, 0600, by its whole path; or `BIDHALL_MAIL_PASSWORD`, the password itself.",
    ),
    ("MAIL_PASSWORD", "", "The password itself, where no file can be given. It stands in no log and on no page."),
    ("MAIL_CA", "", "A file of certificates, where the server's is from an authority of your own."),
    (
        "MAIL_TIMEOUT",
        "20",
        "Seconds for which the server may keep silent, 1 to 120; a whole conversation gets four times as many.",
    ),
    (
        "MIRROR_DIR",
        "",
        "A folder on another disk: every stored file is written and synced there too before it counts. Empty: one disk.",
    ),
    (
        "TSA",
        "",
        "RFC 3161 authority that stamps the papers of an opening; its certificates: `tsa.pem` in the data folder.",
    ),
    (
        "CLAMD",
        "",
        "Where clamd listens, `unix:/run/clamav/clamd.ctl` or `tcp://host:3310`. Empty: opened files are marked unscanned.",
    ),
    (
        "FILES_URL",
        "",
        "Another origin, `https://files.…`, that hands out opened files. Empty: the platform's own does.",
    ),
    ("ZONE", "Asia/Shanghai", "The centre's time zone, for showing times; inside everything is UTC."),
    ("TEST_CLOCK", "", "A moment to run on from, or a file that holds one. Only in a data folder made for rehearsal."),
    (
        "PLATFORM",
        "host of BASE_URL, else bidhall.local",
        "The name in every signed document; never change it after the first tick.",
    ),
    ("PLACE", "公共资源交易", "The line under the brand."),
    (
        "DEPOSIT_PAYEE",
        "",
        "In whose name the deposits' pooled account is kept; without it the centre's registered name.",
    ),
    (
        "DEPOSIT_BANK",
        "",
        "The bank of that account, with its number, as a transfer form asks for it. Without it bidders ask the centre.",
    ),
    ("HOTLINE", "", "Telephone number shown where something went wrong."),
    (
        "SECOND_FACTOR",
        "",
        "Must whoever holds a role of weight have a second factor? `required` or `optional`. Empty: required, except in a rehearsal.",
    ),
    ("LOG", "WARNING", "How much the platform writes to its own log: DEBUG, INFO, WARNING, ERROR."),
    (
        "PROBES",
        "",
        "Outside probe points and their keys: `north=KEY, south=KEY` (`bidhall probe --show-key` says the line).",
    ),
    ("BEACON_URL", "", "Where the public reaches the time beacon."),
    ("DROP_URL", "", "Where bidders reach the digest drop."),
    ("MIRROR_URL", "", "The supervisory body's mirror of sealed bids (docs/operate/mirror.md). Empty: there is none."),
    ("MIRROR_KEY", "", "The mirror's public key, as `bidhall mirror key` says it; its answers are held to it."),
    (
        "MEMORY",
        "",
        "Files on other disks, `/mnt/a/bidhall.memory, /mnt/b/bidhall.memory`, that hold the log's last signed checkpoint, written "
        "after each tick ([what for](../operate/memory.md)). Empty: an old copy of the data is not noticed.",
    ),
    (
        "DATA_KEYS",
        "`data.keys` in the data folder",
        "The file of the keys that seal values in the database, by its whole path ([what for](../operate/data-keys.md)).",
    ),
    (
        "TIME_SOURCES",
        "",
        "Clocks outside, `ntp.example, ntp.other:123`, asked each minute over SNTP: while most of them say that ours is wrong nothing is "
        "closed, opened or sealed ([what for](../operate/clock.md)). Three or more, in different hands.",
    ),
    (
        "METRICS",
        "",
        "Who may read figures at `/metrics` ([which](../operate/watching.md)): `loopback`, this machine, or `token`, whoever has "
        "`metrics.token` of the data folder. Empty: nobody.",
    ),
    (
        "KEEP_DAYS",
        "90",
        "Days for which letters written into a folder are kept, 0: for ever ([what else is tidied](../operate/watching.md#what-grows)).",
    ),
    ("LANG", "the locale", "Language of the command line: `zh` or `en`."),
)


def flows() -> list[Flow]:
    """Every step table of the product, in the order a tender meets them."""
    from deposits import forfeits
    from deposits.refunds import refunds
    from evaluation.panels import panels
    from trading.availability import deadline_faults
    from trading.opening import ceremony
    from trading.remedies import disputes
    from trading.tendering import projects, tenders

    return [
        projects.PROJECT_FLOW,
        tenders.LOT_FLOW,
        ceremony.OPENING_FLOW,
        deadline_faults.FAULT_FLOW,
        panels.PANEL_FLOW,
        disputes.OBJECTION_FLOW,
        refunds.REFUND_FLOW,
        forfeits.FORFEIT_FLOW,
    ]


def steps() -> str:
    lines = ["# Steps\n", "One table for each thing with a life; there is no other way its state changes.\n"]
    for flow in flows():
        lines += [
            f"## {flow.noun}\n",
            f"Starts as `{flow.start}`.\n",
            "| step | from | to | act |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f"| {s.name} | {', '.join(f'`{o}`' for o in s.origins)} | `{s.target}` | {s.needs.value} |"
            for s in flow.steps
        ]
        lines += ["", "```mermaid", "stateDiagram-v2", f"    [*] --> {flow.start}"]
        lines += [f"    {origin} --> {s.target}: {s.name}" for s in flow.steps for origin in s.origins]
        lines += ["```", ""]
    return "\n".join(lines)


def access() -> str:
    lines = [
        "# Access\n",
        "Which role holds which act. An act in no row is nobody's. Weighty acts ask for a fresh sign-in.\n",
        "| act | weighty | roles |",
        "| --- | --- | --- |",
    ]
    for act in Act:
        roles = [role.value for role in Role if act in ROLES[role]]
        lines.append(f"| `{act.value}` | {'yes' if act in WEIGHTY else ''} | {', '.join(roles)} |")
    lines += ["", "## Duties that never meet in one person\n"]
    lines += [f"- {' and '.join(sorted(pair))}" for pair in CLASHES]
    return "\n".join(lines) + "\n"


def settings() -> str:
    from web.settings import NAMES

    assert {name for name, _, _ in SETTINGS} == set(NAMES), "settings and their page differ"
    lines = [
        "# Settings\n",
        "Variables, or lines of `settings.env` in the data folder; a variable wins.",
        "Secrets are 0600 files in that folder.\n",
        "| variable | default | what |",
        "| --- | --- | --- |",
    ]
    return "\n".join(lines + [f"| `BIDHALL_{name}` | {default} | {what} |" for name, default, what in SETTINGS]) + "\n"


def commands() -> str:
    from web.cli.main import main

    codes = (
        "0 done · 1 a check failed or a rule refused · 2 the input or the call is wrong · 3 the platform is not ready"
    )
    lines = ["# Commands\n", f"Exit codes: {codes}.\n"]
    context = click.Context(main, info_name="bidhall", **main.context_settings)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        lines += _command(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(lines)


def _command(command: click.Command, context: click.Context) -> list[str]:
    lines = [f"## {context.command_path}\n", "```text", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            inner = _command(found, click.Context(found, info_name=name, parent=context))
            lines += ["#" + line if line.startswith("## ") else line for line in inner]
    return lines


def refusals() -> str:
    from web import words

    lines = [
        "# Refusals\n",
        "Every code a rule may answer with, and its words.\n",
        "| code | 中文 | English |",
        "| --- | --- | --- |",
    ]
    known = words.refusals()
    return (
        "\n".join(lines + [f"| `{code}` | {known[code]['zh']} | {known[code]['en']} |" for code in sorted(known)])
        + "\n"
    )


PAGES = {
    "steps": steps,
    "procedures": reference_procedures.make,
    "methods": reference_methods.make,
    "fields": reference_fields.make,
    "access": access,
    "settings": settings,
    "commands": commands,
    "refusals": refusals,
    "law": reference_law.make,
}


def made() -> dict[Path, str]:
    """Every page as it should be."""
    return {FOLDER / f"{name}.md": HEAD + make() for name, make in PAGES.items()}


def stale() -> list[str]:
    """Pages that are not what the code says."""
    return [path.name for path, text in made().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def run() -> int:
    if "--check" in sys.argv:
        for name in stale():
            print(f"stale: docs/reference/{name}; run make docs", file=sys.stderr)
        return 1 if stale() else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(run())
