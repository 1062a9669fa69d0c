"""`bidhall recompute`: answer calculation vectors; needs no database and changes nothing."""

from __future__ import annotations

import sys

import click


@click.command("recompute", epilog="Example: bidhall recompute vectors.json")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="The answer is JSON in any case.")
def recompute(file: str, as_json: bool) -> None:
    """Answer the calculation vectors of FILE (- is stdin): one answer for each, or the reason there is none."""
    from web.cli.vectors import recompute as run

    sys.exit(run(file))
