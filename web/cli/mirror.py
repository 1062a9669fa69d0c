"""`bidhall mirror serve | key | enrol | export`: the supervisory body's own host (docs/operate/mirror.md). None of them needs the
platform's data folder or database."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import click

from crypto import signatures
from crypto.canonical import b64u, unb64u
from crypto.documents import check_document
from trading.kernel.clock import write_moment
from trading.kernel.errors import NotReady
from web.cli.common import (
    BAD_INPUT,
    answer,
    force_option,
    guarded,
    json_option,
    lang_option,
    read_json,
    say,
    stop,
    writing,
)

data_option = click.option(
    "--data", "data", type=click.Path(), default="mirror-data", show_default=True, help="The mirror's own folder."
)
keys_option = click.option(
    "--platform-key",
    "platform_keys",
    multiple=True,
    required=True,
    metavar="KEY",
    help="The platform's public key (platform_keys of a ticket's trust); again for each earlier one.",
)


@click.group("mirror")
def mirror() -> None:
    """Keep copies of sealed bids, for the supervisory body. Example: bidhall mirror serve --platform bidhall.example --platform-key KEY"""


@mirror.command(
    "serve", epilog="Example: bidhall mirror serve --data /srv/mirror --platform bidhall.example --platform-key KEY"
)
@data_option
@click.option("--platform", required=True, metavar="NAME", help="The platform's name in signed documents.")
@keys_option
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; a proxy with TLS stands before it."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port to listen on.")
@lang_option
@guarded
def serve(data: str, platform: str, platform_keys: tuple[str, ...], host: str, port: int, lang: str | None) -> None:
    """Take sealed files, or the digests of their pieces, from the platform and sign for each."""
    from web.workers.mirror.server import KIND, Mirror
    from web.workers.mirror.store import Store
    from web.workers.watch import process

    folder = Path(data).absolute()
    store = Store(folder)
    served = Mirror(store, platform, [unb64u(key, 32) for key in platform_keys], _clock(folder))
    with process.alone(folder, KIND):
        served.run(host, port, process.stopped(), lambda real: say(f"mirror of {platform} on http://{host}:{real}"))


def _clock(folder: Path) -> Any:
    """The machine's clock; a moved one, and faults, only in a folder made for rehearsal. Refuses: NotReady."""
    from trading.kernel import faults
    from trading.kernel.clock import rehearsal_clock
    from trading.kernel.system_clock import SystemClock
    from web.wiring import is_rehearsal

    moved = os.environ.get("BIDHALL_TEST_CLOCK")
    if faults.armed() and not is_rehearsal(folder):
        raise NotReady("faults.not_rehearsal", name=faults.VARIABLE)
    if not moved:
        return SystemClock()
    if not is_rehearsal(folder):
        raise NotReady("clock.not_rehearsal", data=str(folder))
    return rehearsal_clock(moved)


@mirror.command("key", epilog="Example: bidhall mirror key --data /srv/mirror")
@data_option
@json_option
@lang_option
@guarded
def key(data: str, as_json: bool, lang: str | None) -> None:
    """Say the mirror's public key, for BIDHALL_MIRROR_KEY on the platform; made on first use."""
    from web.workers.mirror.store import Store

    public = b64u(Store(Path(data).absolute()).public)
    answer({"key": public}) if as_json else click.echo(public)


@mirror.command(
    "enrol", epilog="Example: bidhall mirror enrol --platform bidhall.example --name mirror -o enrolment.json"
)
@data_option
@click.option("--platform", required=True, metavar="NAME", help="The platform's name in signed documents.")
@click.option(
    "--name",
    required=True,
    metavar="USERNAME",
    help="The sign-in name of the supervisory body's account for the mirror.",
)
@click.option("-o", "--out", required=True, metavar="FILE", help="Where to write the signed enrolment (- is stdout).")
@force_option
@lang_option
@guarded
def enrol(data: str, platform: str, name: str, out: str, force: bool, lang: str | None) -> None:
    """Sign the enrolment of the mirror's key, as a key of the supervisory body. Hand it in at /account/keys within ten minutes."""
    from web.cli.offline import now
    from web.workers.mirror.store import Store

    store = Store(Path(data).absolute())
    document = {
        "v": 1,
        "platform": platform,
        "party": name,
        "role": "supervisor",
        "sign_pk": b64u(store.public),
        "seal_pk": "",
        "replaces": "",
        "at": write_moment(now()),
    }
    check_document("enrolment", document)
    with writing(out, force=force) as file:
        file.write(json.dumps(signatures.sign("enrolment", document, store.secret), indent=1).encode() + b"\n")
    say(f"{out}: enrolment of supervisor {name}")


@mirror.command(
    "export", epilog="Example: bidhall mirror export --set opening/opening/set.json --platform-key KEY -o opening/"
)
@data_option
@click.option(
    "--set",
    "set_file",
    required=True,
    type=click.Path(),
    help="The signed opening set: nothing leaves before it is published.",
)
@keys_option
@click.option("-o", "--out", required=True, metavar="DIR", help="The folder of `bidhall export opening`, or a new one.")
@force_option
@json_option
@lang_option
@guarded
def export(
    data: str, set_file: str, platform_keys: tuple[str, ...], out: str, force: bool, as_json: bool, lang: str | None
) -> None:
    """Lay the mirror's sealed files of a published set where `bidhall open FOLDER` looks for them: DIR/bids/HASH/sealed."""
    from web.cli.opening_set import sealed_of
    from web.workers.mirror.store import Store

    target = Path(out)
    if target.exists() and not target.is_dir():
        stop(f"{out} is no folder", BAD_INPUT)
    store, written, kept, missing = Store(Path(data).absolute()), [], [], []
    for header_hash, path in store.of_set(read_json(set_file), [unb64u(one, 32) for one in platform_keys]):
        place = sealed_of(target, header_hash)
        if path is None:
            missing.append(header_hash)
        elif place.exists() and not force:
            kept.append(header_hash)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            with writing(str(place), force=True) as file, path.open("rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
            written.append(header_hash)
    told: dict[str, Any] = {"path": out, "written": written, "kept": kept, "missing": missing}
    if as_json:
        answer(told)
        return
    say(
        f"{out}: {len(written)} sealed files"
        + (f"; {len(kept)} were there already, --force writes over them" if kept else "")
    )
    for name in missing:
        say(f"the mirror has no sealed file of {name}")
