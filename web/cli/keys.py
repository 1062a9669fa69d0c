"""`bidhall keys`: make a key file, or show whose it is. Works alone: the secrets never leave this machine unwrapped."""

from __future__ import annotations

import json
from typing import Any

import click

from crypto import keyfiles
from crypto import keys as kernel
from crypto.canonical import unb64u
from crypto.errors import CryptoError
from crypto.policies import DRILL
from crypto.recovery import key_words
from web.cli.common import (
    BAD_INPUT,
    answer,
    force_option,
    guarded,
    json_option,
    lang_option,
    passphrase,
    read_json,
    say,
    stop,
    writing,
)
from web.cli.language import language
from web.cli.offline import passphrase_option

OTHER_ROLES = ("tenderee", "agency", "expert", "supervisor", "controller")
LEAST = 8


@click.group("keys", epilog="Example: bidhall keys new --bidder --party 91130205MA0000011X -o keys.json")
def keys() -> None:
    """Make a key file, or show whose it is."""


@keys.command("new", epilog="Example: bidhall keys new --bidder --party 91130205MA0000011X -o keys.json")
@click.option("--bidder", is_flag=True, help="A bidder's: signs submissions, opens its own part.")
@click.option("--officer", is_flag=True, help="An opening officer's: signs, and yields one key a tender.")
@click.option("--role", "role", type=click.Choice(OTHER_ROLES), help="Anybody else's: signs.")
@click.option(
    "--party", required=True, metavar="ID", help="The firm's code (bidder, tenderee, agency) or the person's user name."
)
@click.option("-o", "--out", required=True, metavar="KEYFILE", help="Where to write it (- is stdout).")
@passphrase_option
@force_option
@json_option
@lang_option
@guarded
def new(
    bidder: bool,
    officer: bool,
    role: str | None,
    party: str,
    out: str,
    passphrase_file: str | None,
    force: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """Make a key file with fresh secrets, wrapped under one passphrase."""
    named = [*(["bidder"] if bidder else []), *(["officer"] if officer else []), *([role] if role else [])]
    if len(named) != 1:
        stop("whose keys: one of --bidder, --officer, --role", BAD_INPUT)
    role = named[0]
    if not 1 <= len(party.encode()) <= 128 or party in (DRILL, "platform"):
        stop(f"--party {party}: a name of 1 to 128 bytes that stands for nobody else", BAD_INPUT)
    if as_json and out == "-":
        stop("stdout holds the key file or the JSON, not both", BAD_INPUT)
    secret = passphrase(passphrase_file, confirm=True)
    if len(secret) < LEAST:
        say(f"warning: a passphrase of less than {LEAST} characters is soon guessed by whoever has the file")
    ring = keyfiles.new_keyring(party, role, secret)
    with writing(out, force=force, mode=0o600) as file:
        file.write(json.dumps(ring, ensure_ascii=False, indent=2).encode() + b"\n")
    if as_json:
        answer(_shown(ring))
    else:
        say(f"{out}: keys of {role} {party}. Keep a copy in a safe place: without file and passphrase nobody can help.")


@keys.command("show", epilog="Example: bidhall keys show keys.json")
@click.argument("keyfile")
@json_option
@lang_option
@guarded
def show(keyfile: str, as_json: bool, lang: str | None) -> None:
    """Show whose key file this is, and its public keys; needs no passphrase."""
    ring = read_json(keyfile)
    try:
        keyfiles.check_keyring(ring)
        document = _shown(ring)
    except CryptoError as error:
        stop(f"{keyfile}: not a key file: {error.detail} [{error.code}]", BAD_INPUT)
    if as_json:
        answer(document)
        return
    click.echo(f"{document['role']}  {document['party']}")
    for row in document["keys"]:
        click.echo(f"{row['alg']:8} {row['kid']}  {row['fingerprint']}")
        if row["alg"] == "ed25519":
            click.echo(" " * 9 + " · ".join(row["words"]["zh" if language(lang) == "zh" else "en"]))


def _shown(ring: dict[str, Any]) -> dict[str, Any]:
    """``{party, role, keys: [{alg, kid, pub, fingerprint, words}]}``; of a root no public key is known here: no fingerprint, no words."""
    rows = []
    for file in ring["keys"]:
        public = unb64u(file["pub"], 32)
        curve = file["alg"] in ("ed25519", "x25519")
        rows.append(
            {
                "alg": file["alg"],
                "kid": file["kid"],
                "pub": file["pub"],
                "fingerprint": kernel.fingerprint(file["alg"], public) if curve else "",
                "words": {speech: key_words(file["alg"], public, speech) if curve else [] for speech in ("zh", "en")},
            }
        )
    return {"party": ring["party"], "role": ring["role"], "keys": rows}
