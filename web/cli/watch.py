"""`bidhall watch`, `probe`, `beacon`, `status`, `drop`: the processes beside the web platform (docs/operate/deadline.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import click

from crypto.canonical import b64u, unb64u
from crypto.errors import CryptoError
from crypto.keys import ed25519_public
from trading.kernel.errors import Invalid, NotReady
from trading.kernel.system_clock import SystemClock
from web.cli.common import answer, force_option, guarded, json_option, lang_option, read_json, say, writing
from web.settings import Settings, read_settings

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")


def _port(default: int | None) -> Any:
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        show_default=default is not None,
        help="Port to listen on.",
    )


@click.command("watch", epilog="Example: bidhall watch --port 8080")
@host_option
@click.option(
    "--port",
    type=click.IntRange(1, 65532),
    default=8080,
    show_default=True,
    help="The platform's port; the watch takes the next three.",
)
@lang_option
@guarded
def watch(host: str, port: int, lang: str | None) -> None:
    """Keep probe, time beacon, status page and digest drop running, each a process of its own (bidhall serve starts this)."""
    from web.workers.watch import keeper, process

    data = read_settings().data
    with process.alone(data, "watch"):
        keeper.Keeper(
            [
                ("probe", "--base-url", f"http://127.0.0.1:{port}"),
                ("beacon", "--host", host, "--port", str(port + 1)),
                ("status", "--host", host, "--port", str(port + 2)),
                ("drop", "--host", host, "--port", str(port + 3)),
            ]
        ).run(process.stopped())


@click.command(
    "probe", epilog="Example: bidhall probe --point north --base-url https://bidhall.example --key north.key"
)
@click.option("--base-url", default="http://127.0.0.1:8080", show_default=True, help="The platform's address.")
@click.option("--point", default="inside", show_default=True, help="Name of this point.")
@click.option(
    "--key", "key_file", type=click.Path(), help="Outside the platform: this point's key file, made if it is not there."
)
@click.option(
    "--platform",
    "platform",
    help="Outside the platform: its name in signed documents (the host of its address by default).",
)
@click.option("--once", is_flag=True, help="Probe once, say how it went, tell nobody.")
@click.option("--show-key", is_flag=True, help="Say the line for BIDHALL_PROBES that enrols this point.")
@click.option("--retire", is_flag=True, help="On the platform: take the inside point off duty.")
@json_option
@lang_option
@guarded
def probe(
    base_url: str,
    point: str,
    key_file: str | None,
    platform: str | None,
    once: bool,
    show_key: bool,
    retire: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """Hand in a test bid every ten seconds, as a bidder would, and tell the platform how it went."""
    from web.workers.watch import process

    if key_file is not None:
        secret, folder, name, place = _outside(Path(key_file), base_url, platform, point)
    else:
        settings = read_settings()
        secret, folder, name, place = process.key_of(settings.data, "probe"), settings.data, settings.platform, "probe"
        if retire:
            duty_of(settings, inside=False)
            say("inside: off duty")
            return
    if show_key:
        click.echo(f"{point}={b64u(ed25519_public(secret))}")
        return
    if once:
        one = _probe(base_url, point, secret, name, folder, None)
        result = one.once(SystemClock().now())
        told = result.told | {"ok": result.code == ""}
        answer(told) if as_json else click.echo(f"{result.code or 'ok'}  {result.ms} ms")
        raise SystemExit(1 if result.code else 0)
    with process.alone(folder, place):
        server_key = duty_of(settings, inside=True) if key_file is None else None
        _probe(base_url, point, secret, name, folder, server_key).run(process.stopped())


def _outside(key_file: Path, base_url: str, platform: str | None, point: str) -> tuple[bytes, Path, str, str]:
    """(secret, folder, the platform's name, this process's place) of a point that has no data folder of the platform."""
    from urllib.parse import urlsplit

    from web.settings import secret_of

    return (
        bytes.fromhex(secret_of(key_file.parent, key_file.name)),
        key_file.parent,
        platform or urlsplit(base_url).hostname or "",
        f"probe-{point}",
    )


def _probe(base_url: str, point: str, secret: bytes, name: str, folder: Path, server_key: bytes | None) -> Any:
    from web.workers.watch import probing, process

    return probing.Probe(
        base_url, point, secret, name, SystemClock(), process.folder_of(folder) / f"probe-{point}.jsonl", server_key
    )


def duty_of(settings: Settings, *, inside: bool) -> bytes | None:
    """Bring the points on duty into the table; a database that is away stops no probe."""
    from sqlalchemy.exc import SQLAlchemyError

    from web.cli import duty

    try:
        return duty.sync(settings, inside=inside)
    except (SQLAlchemyError, NotReady) as error:
        say(f"warning: the points on duty could not be noted ({type(error).__name__}); probing goes on")
        return None


@click.command(
    "beacon", epilog="Example: bidhall beacon --keep https://beacon.example/ --trust TICKET.json -o BEACON.json"
)
@host_option
@_port(8081)
@click.option(
    "--keep",
    "keep_url",
    help="Fetch and check a platform's beacon instead, and keep it: dated evidence beside your bid.",
)
@click.option("--trust", "trust_file", type=click.Path(), help="With --keep: the lot's ticket, or its trust.")
@click.option("-o", "out", default="-", show_default=True, help="With --keep: the file to write.")
@force_option
@lang_option
@guarded
def beacon(
    host: str, port: int, keep_url: str | None, trust_file: str | None, out: str, force: bool, lang: str | None
) -> None:
    """Publish the log's newest signed checkpoint, dated; the last one stands when the platform is dead."""
    from web.workers.watch import beacon as beacons

    if keep_url is not None:
        _keep(keep_url, trust_file, out, force)
        return
    from web import wiring
    from web.workers.watch import process

    settings = read_settings()
    with process.alone(settings.data, beacons.KIND):
        beacons.Beacon(wiring.open_office(settings), settings.data).run(
            host, port, process.stopped(), lambda real: say(f"time beacon on http://{host}:{real}")
        )


def _keep(address: str, trust_file: str | None, out: str, force: bool) -> None:
    from web.workers.watch import beacon as beacons

    if not trust_file:
        raise click.UsageError("--keep needs --trust: the lot's ticket from an earlier day")
    if not address.startswith(("http://", "https://")):
        raise click.UsageError("--keep wants an http or https address")
    with urlopen(address, timeout=20) as response:
        text = response.read(100_000)
    value = read_json(trust_file)
    trust = _trust_of(value)
    checkpoint, seen = beacons.check(json.loads(text), str(trust["log_key"]))
    with writing(out, force=force) as stream:
        stream.write(text)
    say(f"{checkpoint.origin}: {checkpoint.size} ticks, seen at {seen}")


def _trust_of(value: Any) -> dict[str, Any]:
    """The trust of a ticket (an envelope), of a payload, or itself."""
    from crypto.signatures import payload_of

    if isinstance(value, dict) and "payload" in value:
        value = json.loads(payload_of(value))
    found = value.get("trust", value) if isinstance(value, dict) else {}
    if not isinstance(found, dict) or "log_key" not in found:
        raise Invalid("beacon.no_trust")
    return found


@click.command("status", epilog="Example: bidhall status --to /var/www/status")
@host_option
@_port(None)
@click.option(
    "--to", "folder", type=click.Path(), help="Folder to write to (watch/status in the data folder by default)."
)
@click.option("--once", is_flag=True, help="Write once and end.")
@lang_option
@guarded
def status(host: str, port: int | None, folder: str | None, once: bool, lang: str | None) -> None:
    """Write the status page as static files every ten seconds; with --port, serve them too."""
    from web import wiring
    from web.workers.watch import process
    from web.workers.watch import status as pages

    settings = read_settings()
    page = pages.Status(wiring.open_office(settings), settings.data, Path(folder) if folder else None)
    if once:
        page.turn()
        say(f"written to {page.folder}")
        return
    with process.alone(settings.data, pages.KIND):
        page.run(
            host,
            port,
            process.stopped(),
            lambda real: say(f"status page on http://{host}:{real}" if real else f"in {page.folder}"),
        )


@click.group(
    "drop",
    invoke_without_command=True,
    epilog="Example: bidhall drop sign BID.submission.json --key KEYFILE -o DIGEST.json",
)
@host_option
@_port(8083)
@click.pass_context
@guarded
def drop(ctx: click.Context, host: str, port: int) -> None:
    """Take signed digests when the platform cannot take bids, and answer with dated tickets; or sign, check, import them."""
    if ctx.invoked_subcommand is not None:
        return
    from web.workers.watch import drop as drops
    from web.workers.watch import process

    settings = read_settings()
    with process.alone(settings.data, drops.KIND):
        drops.Drop(settings.platform, settings.data, SystemClock()).run(
            host, port, process.stopped(), lambda real: say(f"digest drop on http://{host}:{real}")
        )


@drop.command("sign")
@click.argument("submission", type=click.Path())
@click.option("--key", "key_file", type=click.Path(), required=True, help="The bidder's key file.")
@click.option("--passphrase-file", type=click.Path(), help="File whose first line is the passphrase.")
@click.option("-o", "out", required=True, help="The signed digest to write.")
@force_option
@lang_option
@guarded
def sign_digest(
    submission: str, key_file: str, passphrase_file: str | None, out: str, force: bool, lang: str | None
) -> None:
    """Sign the digest of a signed submission, to be left at the drop."""
    from crypto.drops import make_digest
    from crypto.signatures import document_hash, payload_of
    from web.cli.offline import open_keys

    payload = payload_of(read_json(submission))
    ring, _ = open_keys(key_file, passphrase_file, "bidder")
    made = make_digest(str(json.loads(payload)["platform"]), document_hash(payload), ring.secret("ed25519"))
    with writing(out, force=force) as stream:
        stream.write(json.dumps(made, indent=1).encode() + b"\n")
    say(f"{out}: leave this file at the digest drop")


@drop.command("check")
@click.argument("ticket", type=click.Path())
@click.option(
    "--key", "drop_key", required=True, help="The drop's public key (from its /key, kept from an earlier day)."
)
@click.option("--platform", required=True, help="The platform's name.")
@click.option("--submission", type=click.Path(), help="The signed submission the ticket should speak of.")
@json_option
@lang_option
@guarded
def check_ticket(
    ticket: str, drop_key: str, platform: str, submission: str | None, as_json: bool, lang: str | None
) -> None:
    """Check a ticket offline: who signed it, when, and that it speaks of this submission."""
    from crypto.drops import open_ticket
    from crypto.signatures import document_hash, payload_of

    found = open_ticket(read_json(ticket), unb64u(drop_key, 32), platform)
    if submission is not None and document_hash(payload_of(read_json(submission))) != found.digest:
        raise CryptoError("CONTEXT_MISMATCH", "the ticket speaks of another submission")
    told = {"ok": True, "digest": found.digest, "kid": found.kid, "at": found.at}
    answer(told) if as_json else click.echo(f"{found.at}  {found.digest}  key {found.kid}")


@drop.command("import")
@click.option("--file", "file", type=click.Path(), help="The drop's file (that of this data folder by default).")
@click.option("--key", "drop_key", help="The drop's public key (that of this data folder by default).")
@lang_option
@guarded
def import_tickets(file: str | None, drop_key: str | None, lang: str | None) -> None:
    """Take the drop's tickets over into the platform, each once."""
    from web import wiring
    from web.workers.watch import taking

    settings = read_settings()
    office = wiring.open_signing_office(settings)
    wrong = taking.take_over(
        office, settings.data, Path(file) if file else None, unb64u(drop_key, 32) if drop_key else None
    )
    if wrong:
        raise NotReady("drop.foreign", path=file or "drop.jsonl", lines=wrong)
    say("taken over")
