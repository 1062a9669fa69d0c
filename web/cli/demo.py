"""`bidhall demo`: a rehearsal of whole tenders over HTTP, checked on the way, bundles proved at the end."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from web.cli.common import NOT_READY, REFUSED, answer, guarded, json_option, lang_option, say, stop


@click.command("demo", epilog="Example: bidhall demo --bundle-dir bundles --json")
@json_option
@click.option("--data", metavar="DIR", help="Keep the data folder there (a new or empty one).")
@click.option("--bundle-dir", metavar="DIR", help="Keep the bundles there (audit profile).")
@click.option(
    "--bidders",
    type=click.IntRange(4, 30),
    default=4,
    show_default=True,
    help="Bidders for the first tender and for the works.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of prices and file contents.")
@lang_option
@guarded
def demo(as_json: bool, data: str | None, bundle_dir: str | None, bidders: int, seed: int, lang: str | None) -> None:
    """Play whole tenders over HTTP against a platform of its own, with real sealing and opening, and check everything."""
    from web.rehearsal import outcome

    folder = Path(data) if data else Path(tempfile.mkdtemp(prefix="bidhall-demo-"))
    if folder.exists() and any(folder.iterdir()):
        stop(f"{folder} holds something already; name an empty folder", NOT_READY)
    try:
        kept = Path(bundle_dir) if bundle_dir else folder / "bundles"
        result = outcome.rehearse(folder, bidders=bidders, seed=seed, bundles=kept, tell=say)
    finally:
        if not data:
            shutil.rmtree(folder, ignore_errors=True)
    if not bundle_dir and not data:
        result["bundles"] = []
    if as_json:
        answer(result)
    else:
        click.echo(outcome.told(result))
    broken = [one["name"] for one in result["checks"] if not one["ok"]]
    if broken:
        stop("not ok: " + "; ".join(broken), REFUSED)
