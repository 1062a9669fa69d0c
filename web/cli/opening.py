"""`bidhall share` and `bidhall open`: an officer's shares, given after every check, and a bid opened from shares. Both without a server."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click

from crypto import headers, sealed_bid
from crypto.canonical import b64u, format_time, unb64u
from crypto.documents import check_document, sign_document
from crypto.errors import CryptoError
from crypto.headers import Header
from crypto.keyfiles import Keyring
from crypto.keys import ed25519_public, kid, officer_scope, officer_tender_key, x25519_public
from crypto.opening import make_bidder_part, release_shares, set_id
from crypto.policies import policy_id
from crypto.signatures import kind_of, verify_any
from crypto.trust import Trust
from trading.opening import draw_files, files
from trading.opening.files import BIDDER_PART as PART_PACKAGE
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
from web.cli.known import Known, known_of, known_option
from web.cli.offline import (
    Counted,
    Progress,
    key_option,
    now,
    open_keys,
    passphrase_option,
    read_payload,
    there,
    trust_for,
    trust_option,
)
from web.cli.opening_set import SEALED, open_set
from web.cli.signed import check_memory, memory_of, signed_option

MAX_PART = 64 * 2**20
"""The most one file of a package may hold: a ZIP that claims more is not read."""


@click.command(
    "share", epilog="Example: bidhall share opening.json --key officer.json --trust ticket.json -o shares.json"
)
@click.argument("opening")
@key_option
@click.option(
    "-o", "--out", required=True, metavar="SHARES.json", help="Where to write the signed shares (- is stdout)."
)
@trust_option
@known_option
@signed_option
@click.option(
    "--never-in-force",
    "never",
    multiple=True,
    metavar="POLICY",
    help="A policy this key signed that never came into force.",
)
@passphrase_option
@force_option
@json_option
@lang_option
@guarded
def share(
    opening: str,
    key_file: str,
    out: str,
    trust_file: str | None,
    known_file: str | None,
    signed_file: str | None,
    never: tuple[str, ...],
    passphrase_file: str | None,
    force: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """Replay the log to the opening set and, if all is well, sign an officer's shares of its bids. OPENING: JSON, ZIP or folder."""
    if as_json and out == "-":
        stop("stdout holds the shares or the JSON, not both", BAD_INPUT)
    value = read_opening(opening, PART_PACKAGE)
    trust, whose = trust_for(trust_file, value.get("trust"), opening)
    known = Known(known_of(key_file, known_file), str(value.get("platform")), lang)
    first = whose == "enclosed" and known.trust is None
    named = trust
    if whose == "enclosed" and not first:
        trust, whose = known.hold(named), "known"
    at, left = format_time(now()), frozenset[str]()
    if value.get("type") == PART_PACKAGE:
        _bidder_part(value, trust, key_file, passphrase_file, out, at, force=force, as_json=as_json)
        known.first_use(trust if first else None, {})
        known.keep(trust, {})
        return
    chains = _officers_of(value, trust, named, known)
    new = known.follow(chains)
    if value.get("type") == files.DRAW:
        draw = draw_files.check_draw(value, trust, now=at)
        check_memory(memory_of(key_file, signed_file), draw.policy, [policy_id(draw.policy)], never)
        ring, j, secret = _officer(draw.policy, key_file, passphrase_file)
        document, until = draw_files.release_escrows(draw, j=j, secret=secret, now=at), draw.policy["opens_at"]
    else:
        checked = files.check_package(files.read_package(value), trust, now=at)
        line = [name for one in checked.set.generations for name in one.ids]
        check_memory(memory_of(key_file, signed_file), checked.set.policy, line, never)
        ring, j, _ = _officer(checked.set.policy, key_file, passphrase_file)
        document = release_shares(
            checked.set, checked.headers, j=j, secrets=partial(_secret, ring), now=at, left=checked.left
        )
        until, left = checked.set.claims_end, checked.left
    unchecked = known.first_use(trust if first else None, {holder: chains[holder][-1] for holder in new})
    envelope = sign_document("shares", document, ring.secret("ed25519"))
    with writing(out, force=force) as file:
        file.write(json.dumps(envelope, ensure_ascii=False, sort_keys=True).encode() + b"\n")
    known.keep(trust, chains)
    errors = [
        {"header_hash": item["header_hash"], "code": item["error"]}
        for item in document["items"]
        if item["error"] and item["header_hash"] not in left
    ]
    result = {
        "ok": True,
        "shares": out,
        "j": j,
        "set": document["set"],
        "bids": len(document["items"]),
        "errors": errors,
        "from": until,
        "left_sealed": sorted(left),
        "trust": whose,
        "not_checked": unchecked,
        "unwitnessed": trust.unwitnessed,
    }
    if as_json:
        answer(result)
        return
    say(
        f"officer {j}: shares of {len(document['items'])} bids of set {document['set']}; trusted keys {whose}"
        + ("; unwitnessed log" if trust.unwitnessed else "")
    )
    for name in sorted(left):
        say(f"{name} stays sealed: no share of it is given")
    for row in errors:
        say(f"box of {row['header_hash']} does not open: {row['code']} (reported in the shares)")


@click.command(
    "open", epilog="Example: bidhall open bid.sealed --shares s1.json --shares s3.json --shares s5.json -o bid"
)
@click.argument("bid")
@click.argument("more", nargs=-1, metavar="[SHARES.json …]")
@click.option(
    "--shares",
    "given",
    multiple=True,
    required=True,
    metavar="SHARES.json",
    help="An officer's shares; more may follow BID.",
)
@trust_option
@click.option("--bidder-key", metavar="KEYFILE", help="The bidder's key file, where its own part is asked for.")
@click.option("-o", "--out", required=True, metavar="DIR", help="Folder for form.json and files/.")
@passphrase_option
@force_option
@json_option
@lang_option
@guarded
def open_bid(
    bid: str,
    more: tuple[str, ...],
    given: tuple[str, ...],
    trust_file: str | None,
    bidder_key: str | None,
    out: str,
    passphrase_file: str | None,
    force: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """Open a sealed bid from officers' shares: DIR gets form.json and files/, all of it or nothing. BID may be the folder of a whole
    opening (bidhall export opening): DIR gets a folder a bid and opened.json."""
    if Path(bid).is_dir():
        if bidder_key:
            stop("--bidder-key goes with one BID; for a whole opening bidders give their own parts", BAD_INPUT)
        open_set(
            Path(bid), read_opening(bid), (*given, *more), out, trust_file=trust_file, force=force, as_json=as_json
        )
        return
    there(bid)
    target = Path(out)
    if target.exists() and not target.is_dir():
        stop(f"{out}: not a folder", BAD_INPUT)
    if target.is_dir() and any(target.iterdir()) and not force:
        stop(f"{out} is not empty; --force writes over what has the same name", BAD_INPUT)
    with open(bid, "rb") as source:
        header = sealed_bid.read_header(source)
    parts = _parts(header, (*given, *more))
    if bidder_key:
        ring, _ = open_keys(bidder_key, passphrase_file, "bidder")
        parts[0] = headers.open_share(header, 0, ring.secret("x25519"))
    seed = headers.join_shares(header, parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        opened = _write(Path(bid), seed, folder)
        _move(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = [{**item, "digest": digest} for item, digest in zip(opened.manifest["files"], opened.digests, strict=True)]
    document = {
        "ok": True,
        "dir": out,
        "header_hash": b64u(header.header_hash),
        "sealed_root": b64u(opened.sealed_root),
        "bidder": header.ctx["bidder"],
        "officers": sorted(j for j in parts if j),
        "announce": opened.announce,
        "files": rows,
    }
    if as_json:
        answer(document)
        return
    click.echo(f"bidder       {document['bidder']}")
    for name, text in opened.announce.items():
        click.echo(f"{name:12} {_plain(text)}")
    for row in rows:
        click.echo(f"{row['size']:>14}  {_plain(row['name'])}")


# --- the package ----------------------------------------------------------------------------------------------------------


def read_opening(path: str, *more: str) -> dict[str, Any]:
    """The package of an opening (or of one of the types ``more``): a JSON file, a ZIP, a folder, or JSON on stdin. Stops with exit 2 for
    anything else."""
    try:
        if path != "-" and Path(path).is_dir():
            root = Path(path)
            found = {
                file.relative_to(root).as_posix(): file.read_bytes()
                for file in sorted(root.rglob("*"))
                if file.is_file() and file.name != SEALED
            }
            return files.from_files(found)
        if path != "-" and zipfile.is_zipfile(path):
            return files.from_files(_unzipped(path))
    except CryptoError as error:
        stop(f"{path}: {error.detail} [{error.code}]", BAD_INPUT)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        stop(f"{path}: a damaged ZIP: {error}", BAD_INPUT)
    value = read_json(path)
    if not isinstance(value, dict) or value.get("type") not in (files.OPENING, files.DRAW, *more):
        stop(f"{path}: not the package of an opening", BAD_INPUT)
    return value


def _unzipped(path: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if any(info.file_size > MAX_PART for info in infos) or sum(info.file_size for info in infos) > 16 * MAX_PART:
            raise CryptoError("JSON_PROFILE", "larger than any package of an opening")
        return {info.filename: archive.read(info) for info in infos}


def _officers_of(value: dict[str, Any], trust: Trust, named: Trust, known: Known) -> dict[str, list[bytes]]:
    """Officer → keys proved in the log, oldest first. A package of another shape has none: its own check refuses it."""
    brought = value.get("enrolments")
    try:
        keys = files.EnrolledKeys(brought if isinstance(brought, list) else [], trust, str(value.get("platform")))
    except CryptoError as error:
        raise (known.vouching(named) if trust is known.trust else None) or error from error
    return keys.chains("officer")


def _bidder_part(
    value: dict[str, Any],
    trust: Trust,
    key_file: str,
    passphrase_file: str | None,
    out: str,
    at: str,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """A bidder's own part, where the tender has co-opening: its box of its own bid, which must stand in the signed set."""
    opening_set, _ = verify_any(value.get("opening_set"), "opening-set", trust.platform_keys)
    check_document("opening-set", opening_set)
    ring, _ = open_keys(key_file, passphrase_file, "bidder")
    header = headers.parse_header(unb64u(value.get("header")))
    name = b64u(header.header_hash)
    if name not in {bid["header_hash"] for bid in opening_set["bids"]}:
        raise CryptoError("SET_OMISSION", "your bid is not in the published set")
    document = make_bidder_part(header, secret=ring.secret("x25519"), set_=set_id(opening_set), at=at)
    with writing(out, force=force) as file:
        envelope = sign_document("bidder-part", document, ring.secret("ed25519"))
        file.write(json.dumps(envelope, ensure_ascii=False, sort_keys=True).encode() + b"\n")
    if as_json:
        answer({"ok": True, "part": out, "set": document["set"], "header_hash": name, "unwitnessed": trust.unwitnessed})
        return
    say(f"own part of bid {name} of set {document['set']}" + ("; unwitnessed log" if trust.unwitnessed else ""))


def _officer(policy: dict[str, Any], key_file: str, passphrase_file: str | None) -> tuple[Keyring, int, bytes]:
    """(keyring, j, X25519 secret of this scope) of the officer whose key file it is. Refuses: CONTEXT_MISMATCH for a stranger's."""
    ring, _ = open_keys(key_file, passphrase_file, "officer")
    own, secret = kid("ed25519", ed25519_public(ring.secret("ed25519"))), _secret(ring, policy)
    for j, officer in enumerate(policy["officers"], start=1):
        if officer["pk"] == b64u(x25519_public(secret)) and officer["sign_kid"] == own:
            return ring, j, secret
    raise CryptoError("CONTEXT_MISMATCH", "this key file is of no officer of this policy")


def _secret(ring: Keyring, policy: Mapping[str, Any]) -> bytes:
    """The X25519 secret of the scope a policy names: one root, a key for every serial."""
    scope = officer_scope(**{name: policy[name] for name in ("platform", "tender", "lot", "envelope", "serial")})
    return officer_tender_key(ring.secret("root"), scope)[0]


# --- opening a bid ----------------------------------------------------------------------------------------------------------


def _parts(header: Header, paths: tuple[str, ...]) -> dict[int, bytes]:
    """Officer → part of this bid, from shares documents. Each part is held against the header's commitment when they are joined, so the
    signature under the document adds nothing here. Stops with exit 2 for files that are no shares of this bid."""
    name, parts = b64u(header.header_hash), {}
    for path in paths:
        envelope = read_json(path)
        try:
            if kind_of(envelope) == "bidder-part":
                own = read_payload(envelope, "bidder-part")
                items, j = [{**own, "error": ""}], 0
            else:
                if kind_of(envelope) != "shares":
                    raise CryptoError("SIG_TYPE", "not shares")
                document = read_payload(envelope, "shares")
                items, j = document["items"], document["j"]
        except CryptoError as error:
            stop(f"{path}: {error.detail} [{error.code}]", BAD_INPUT)
        item = next((one for one in items if one["header_hash"] == name), None)
        if item is None:
            stop(f"{path}: holds no share of this bid ({name})", BAD_INPUT)
        if item["error"]:
            say(f"{path}: officer {j} reports {item['error']}")
        else:
            part = unb64u(item["part"], 32)
            parts[_box(header, j, part)] = part
    return parts


def _box(header: Header, j: int, part: bytes) -> int:
    """The number of the box a part fits: under later officers (protocol §5.3) it need not be the number its officer has now."""
    for number in (j, *(one for one in header.boxes if one and j)):
        try:
            headers.check_share(header, number, part)
        except CryptoError:
            continue
        return number
    return j


def _write(bid: Path, seed: bytes, folder: Path) -> sealed_bid.Opened:
    """Decrypt into a folder that is thrown away unless the whole bid proves good."""
    inside = folder / "files"
    inside.mkdir()
    out: list[BinaryIO] = []

    def sink(item: dict[str, Any]) -> BinaryIO:
        if out:
            out[-1].close()
        try:
            out.append((inside / item["name"]).open("xb"))
        except FileExistsError as error:
            raise CryptoError("MANIFEST", f"two file names this disk cannot tell apart: {item['name']!r}") from error
        except OSError as error:
            raise CryptoError("MANIFEST", f"a file name this disk refuses: {item['name']!r}") from error
        return out[-1]

    progress = Progress("opening", bid.stat().st_size)
    try:
        with bid.open("rb") as source:
            opened = sealed_bid.open(Counted(source, progress), seed, sink)
    finally:
        for file in out[-1:]:
            file.close()
    progress.end()
    (folder / "form.json").write_text(
        json.dumps(opened.announce, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    return opened


def _move(folder: Path, target: Path) -> None:
    """Put the finished folder in its place; into a folder that is there already, name by name."""
    folder.chmod(0o755)
    if not target.exists() or not any(target.iterdir()):
        os.replace(folder, target)
        return
    (target / "files").mkdir(exist_ok=True)
    for path in (*(folder / "files").iterdir(), folder / "form.json"):
        os.replace(path, target / path.relative_to(folder))


def _plain(text: str) -> str:
    """Text of a bidder's for a terminal: nothing that moves the cursor or turns the reading direction."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
