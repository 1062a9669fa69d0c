"""What is signed when an opening goes wrong, without a server: `bidhall rescue`, `claim` (bidders), `scope` (officers), `late-close`,
`finding` (the supervisory body)."""

from __future__ import annotations

import json
from typing import Any

import click

from crypto import headers, keyfiles
from crypto.canonical import H, b64u, format_time, loads, unb64u
from crypto.documents import sign_document
from crypto.errors import CryptoError
from crypto.keys import officer_scope, officer_tender_key
from crypto.signatures import payload_of
from crypto.verdicts import check_rescue, judge_box
from web.cli.common import BAD_INPUT, force_option, guarded, lang_option, passphrase, read_json, say, stop, writing
from web.cli.offline import key_option, now, open_keys, passphrase_option

SIGNED = "Signed, not yet handed in: take it to the lot's page."


def _write(out: str, value: Any, force: bool) -> None:
    with writing(out, force=force, mode=0o600) as file:
        file.write(json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n")


def _facts(path: str, *names: str) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict) or any(name not in value for name in names):
        stop(f"{path}: not the facts saved from the page (they hold {', '.join(names)})", BAD_INPUT)
    return value


@click.command(
    "rescue", epilog="Example: bidhall rescue rescue-facts.json --keeper keeper.json --key keys.json -o rescue.json"
)
@click.argument("facts")
@click.option("--keeper", required=True, metavar="FILE", help="The keeper file saved when this very bid was sealed.")
@click.option("--keeper-passphrase-file", metavar="FILE", help="Its passphrase, where it differs from the key file's.")
@key_option
@click.option("-o", "--out", required=True, metavar="FILE", help="Where to write the signed rescue (- is stdout).")
@passphrase_option
@force_option
@lang_option
@guarded
def rescue(
    facts: str,
    keeper: str,
    keeper_passphrase_file: str | None,
    key_file: str,
    out: str,
    passphrase_file: str | None,
    force: bool,
    lang: str | None,
) -> None:
    """Open a keeper file, check that its seed gives the submitted header, and sign it for a rescue. FACTS: saved from the rescue page."""
    told = _facts(facts, "set", "header_hash", "header", "code")
    ring, secret = open_keys(key_file, passphrase_file, "bidder")
    if keeper_passphrase_file:
        secret = passphrase(keeper_passphrase_file)
    seed = keyfiles.unwrap_seed(read_json(keeper), secret)
    header = headers.parse_header(unb64u(told["header"]))
    if b64u(header.header_hash) != told["header_hash"] or header.ctx["bidder"] != ring.party:
        raise CryptoError("CONTEXT_MISMATCH", "the header of another bid, or another bidder's")
    check_rescue(told["code"], header, seed)
    document = {
        "v": 1,
        "at": format_time(now()),
        "set": told["set"],
        "header_hash": told["header_hash"],
        "seed": b64u(seed),
    }
    _write(out, sign_document("rescue", document, ring.secret("ed25519")), force)
    say(SIGNED)


@click.command("claim", epilog="Example: bidhall claim receipt.json --key keys.json -o claim.json")
@click.argument("receipt")
@key_option
@click.option("-o", "--out", required=True, metavar="FILE", help="Where to write the signed claim (- is stdout).")
@passphrase_option
@force_option
@lang_option
@guarded
def claim(receipt: str, key_file: str, out: str, passphrase_file: str | None, force: bool, lang: str | None) -> None:
    """Sign the claim that the platform lost the bid a receipt speaks of. RECEIPT: the file saved from its page."""
    told = _facts(receipt, "entry", "statement")
    ring, _ = open_keys(key_file, passphrase_file, "bidder")
    entry, statement = loads(payload_of(told["entry"])), loads(payload_of(told["statement"]))
    document = {
        "v": 1,
        "platform": statement["platform"],
        "tender": entry["tender"],
        "lot": entry["lot"],
        "envelope": entry["envelope"],
        "bidder": ring.party,
        "entry": b64u(H("log", payload_of(told["entry"]))),
        "at": format_time(now()),
    }
    _write(out, sign_document("omission-claim", document, ring.secret("ed25519")), force)
    say(SIGNED)


@click.command(
    "late-close", epilog="Example: bidhall late-close facts.json --finding 'Power cut.' --key keys.json -o late.json"
)
@click.argument("facts")
@click.option(
    "--finding",
    required=True,
    metavar="TEXT",
    help="What happened and why the opening may go on; published word for word.",
)
@key_option
@click.option(
    "-o", "--out", required=True, metavar="FILE", help="Where to write the signed confirmation (- is stdout)."
)
@passphrase_option
@force_option
@lang_option
@guarded
def late_close(
    facts: str, finding: str, key_file: str, out: str, passphrase_file: str | None, force: bool, lang: str | None
) -> None:
    """Sign, for the supervisory body, that an opening may go on after a late closing. FACTS: saved from the supervisor's page."""
    told = _facts(facts, "document")
    ring, _ = open_keys(key_file, passphrase_file, "supervisor")
    document = {**told["document"], "finding": finding, "at": format_time(now())}
    _write(out, sign_document("late-close", document, ring.secret("ed25519")), force)
    say(SIGNED)


@click.command(
    "scope", epilog="Example: bidhall scope scope-facts.json --key officer.json --new-passphrase-file P -o scope.json"
)
@click.argument("facts")
@key_option
@click.option(
    "--new-passphrase-file", metavar="FILE", help="The passphrase of the file that is handed over; asked for otherwise."
)
@click.option("-o", "--out", required=True, metavar="SCOPE.json", help="Where to write the wrapped key (- is stdout).")
@passphrase_option
@force_option
@lang_option
@guarded
def scope(
    facts: str,
    key_file: str,
    new_passphrase_file: str | None,
    out: str,
    passphrase_file: str | None,
    force: bool,
    lang: str | None,
) -> None:
    """Take an officer's key of one opening out of its root, wrapped, for the supervisory body alone. FACTS: saved from the hall."""
    told = _facts(facts, "pk", "scope")
    ring, _ = open_keys(key_file, passphrase_file, "officer")
    secret, public = officer_tender_key(ring.secret("root"), officer_scope(**told["scope"]))
    if b64u(public) != told["pk"]:
        raise CryptoError("CONTEXT_MISMATCH", "this key file is of another officer, or of another opening")
    _write(out, keyfiles.wrap("x25519", secret, passphrase(new_passphrase_file, confirm=True)), force)
    say("Hand it to the supervisory body in person: it opens your boxes of this one opening, and nothing else.")


def _find_lost(path: str, key_file: str, passphrase_file: str | None, out: str, force: bool) -> None:
    told = _facts(path, "lost")
    ring, _ = open_keys(key_file, passphrase_file, "supervisor")
    made = []
    for one in told["lost"]:
        document = {
            "v": 1,
            "at": format_time(now()),
            "set": one["set"],
            "header_hash": one["header_hash"],
            "j": 0,
            "code": "SEALED_ROOT",
        }
        made.append({"document": sign_document("finding", document, ring.secret("ed25519"))})
        say(f"{one['header_hash']}: lost by the platform")
    _write(out, made, force)
    say(SIGNED)


@click.command(
    "finding", epilog="Example: bidhall finding boxes.json --scope scope.json --key keys.json -o findings.json"
)
@click.argument("boxes")
@click.option(
    "--scope", "scope_file", metavar="SCOPE.json", help="The key an officer handed over; not for bids that were lost."
)
@click.option("--scope-passphrase-file", metavar="FILE", help="Its passphrase; asked for otherwise.")
@key_option
@click.option("-o", "--out", required=True, metavar="FILE", help="Where to write the signed findings (- is stdout).")
@passphrase_option
@force_option
@lang_option
@guarded
def finding(
    boxes: str,
    scope_file: str | None,
    scope_passphrase_file: str | None,
    key_file: str,
    out: str,
    passphrase_file: str | None,
    force: bool,
    lang: str | None,
) -> None:
    """Open the boxes an officer reported, with the key it handed over, and sign what is found; or sign that the platform lost the bids
    named. BOXES: saved from the supervisor's page."""
    value = read_json(boxes)
    if isinstance(value, dict) and "lost" in value:
        _find_lost(boxes, key_file, passphrase_file, out, force)
        return
    told = _facts(boxes, "set", "boxes")
    if scope_file is None:
        stop("--scope: the key an officer handed over", BAD_INPUT)
    ring, _ = open_keys(key_file, passphrase_file, "supervisor")
    held = keyfiles.unwrap(read_json(scope_file), passphrase(scope_passphrase_file))
    made = []
    for box in told["boxes"]:
        if held.alg != "x25519" or box["pk"] != held.pub:
            continue
        header = headers.parse_header(unb64u(box["header"]))
        if b64u(header.header_hash) != box["header_hash"]:
            raise CryptoError("CONTEXT_MISMATCH", "another header than the one named")
        code, part = judge_box(header, box["j"], held.secret)
        document = {
            "v": 1,
            "at": format_time(now()),
            "set": told["set"],
            "header_hash": box["header_hash"],
            "j": box["j"],
            "code": code,
        }
        made.append(
            {"document": sign_document("finding", document, ring.secret("ed25519")), "part": b64u(part) if part else ""}
        )
        say(f"box {box['j']} of {box['header_hash']}: {code}")
    if not made:
        raise CryptoError("CONTEXT_MISMATCH", "this key is of no officer who reported a box here")
    _write(out, made, force)
    say(SIGNED)
