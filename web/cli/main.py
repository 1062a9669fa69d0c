"""The command line: one name a command, each loaded only when it is called (docs/reference/commands.md is generated from here)."""

from __future__ import annotations

import importlib
from typing import Any

import click

# name → module of web.cli and the command's name in it
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("serve", "serve"),
    "demo": ("demo", "demo"),
    "migrate": ("platform", "migrate"),
    "tick": ("platform", "tick"),
    "backup": ("backup", "backup"),
    "restore": ("restore", "restore"),
    "doctor": ("doctor", "doctor"),
    "watch": ("watch", "watch"),
    "probe": ("watch", "probe"),
    "beacon": ("watch", "beacon"),
    "status": ("watch", "status"),
    "drop": ("watch", "drop"),
    "mirror": ("mirror", "mirror"),
    "memory": ("memory", "memory"),
    "clock": ("clock", "clock"),
    "user": ("people", "user"),
    "role": ("people", "role"),
    "calendar": ("platform", "calendar"),
    "rulebook": ("platform", "rulebook"),
    "keys": ("keys_data", "keys"),
    "seal": ("seal", "seal"),
    "withdraw": ("seal", "withdraw"),
    "inspect": ("seal", "inspect_bid"),
    "sign-policies": ("signed", "sign_policies"),
    "share": ("opening", "share"),
    "open": ("opening", "open_bid"),
    "rescue": ("verdicts", "rescue"),
    "claim": ("verdicts", "claim"),
    "scope": ("verdicts", "scope"),
    "late-close": ("verdicts", "late_close"),
    "finding": ("verdicts", "finding"),
    "receipt": ("receipt", "receipt"),
    "verify": ("verify", "verify"),
    "recompute": ("recompute", "recompute"),
    "savings": ("savings", "command"),
    "import": ("exchange", "import_"),
    "export": ("exchange", "export"),
    "audit": ("exchange", "audit"),
}


class Lazy(click.Group):
    """A group whose commands are imported when called: `bidhall --help` starts fast, offline commands need no server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"web.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, SHORT[name]) for name in COMMANDS])


SHORT: dict[str, str] = {
    "serve": "Run the web platform and its clock.",
    "demo": "Play whole tenders over HTTP, as a rehearsal.",
    "migrate": "Bring the database to this version.",
    "tick": "One turn of the clock by hand.",
    "backup": "Copy the platform while it runs, or check a copy.",
    "restore": "Bring a platform back from a backup.",
    "doctor": "Say what is wrong with this installation.",
    "watch": "Keep the processes below running.",
    "probe": "Hand in a test bid every ten seconds.",
    "beacon": "Publish the log's checkpoint, dated.",
    "status": "Write the status page.",
    "drop": "Take signed digests when the platform can't take bids.",
    "mirror": "Keep copies of sealed bids, for the supervisory body.",
    "clock": "Show or accept the clock the platform goes by.",
    "memory": "Begin or show what remembers the log outside the data folder.",
    "user": "Add, list, disable or reset accounts.",
    "role": "Grant or revoke a role.",
    "calendar": "Load a year of working days.",
    "rulebook": "Show the rules in force on a day.",
    "keys": "Make, show, print, restore, enrol a key file.",
    "seal": "Seal a bid on this machine.",
    "withdraw": "Sign the withdrawal of a bid.",
    "inspect": "Show what a sealed bid tells without keys.",
    "sign-policies": "Sign the opening policies that wait for an officer.",
    "share": "Open an officer's shares, offline.",
    "open": "Open a sealed bid, or a whole opening, from shares.",
    "rescue": "Sign the seed of a keeper file, to rescue a bid that could not be opened.",
    "claim": "Sign the claim that the platform lost a bid it had signed for.",
    "scope": "Take an officer's key of one opening out, for the supervisory body.",
    "late-close": "Sign that an opening may go on after a late closing.",
    "finding": "Open the boxes an officer reported and sign what is found.",
    "receipt": "Check a receipt or a proof of attempt.",
    "verify": "Re-prove a finished tender from its bundle.",
    "recompute": "Answer calculation vectors.",
    "savings": "Reckon budget against award.",
    "import": "Take in statements, people, experts, history.",
    "export": "Write bundles, openings, OCDS, notices, the log.",
    "audit": "Verify the whole log.",
}


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bidhall", prog_name="bidhall")
def main() -> Any:
    """Bidhall: sealed bids, openings, evaluation and deposits that prove themselves.

    Example: bidhall serve --demo
    """
