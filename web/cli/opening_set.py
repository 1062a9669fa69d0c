"""`bidhall export opening` and `bidhall open FOLDER`: a whole opening from a backup and key files, where there is no platform any more.

The folder is named as the bundle of protocol §6: what an officer's client is handed (opening_files), and each sealed file of the set beside
its header as ``bids/<header_hash>/sealed``. It is made from a data folder or a copy of one, which is only read.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click

from crypto import verdicts
from crypto.canonical import format_time, unb64u
from crypto.copied import copies
from crypto.errors import CryptoError
from crypto.headers import check_share
from crypto.opening import check_posted_shares, open_shares
from crypto.policy_lines import Generation, boxes_of, dead_bids, generation_of
from crypto.signatures import kind_of
from crypto.verdicts import Verdict, policy_dead
from trading.opening import files as opening_files
from trading.opening.files import Checked
from web.cli.common import (
    BAD_INPUT,
    NOT_READY,
    REFUSED,
    answer,
    force_option,
    guarded,
    json_option,
    lang_option,
    read_json,
    say,
    stop,
)
from web.cli.offline import Counted, Progress, now, trust_for

SEALED = "sealed"
"""The sealed file beside its header: never read when only shares are wanted."""


def sealed_of(root: Path, header_hash: str) -> Path:
    return root / "bids" / header_hash / SEALED


# --- out of a data folder -------------------------------------------------------------------------------------------------


@click.command("opening", epilog="Example: BIDHALL_DATA=backup bidhall export opening KP-2026-7F3A2C-1 -o opening/")
@click.argument("ref")
@click.option("--envelope", default="bid", show_default=True, help="Which envelope of the lot.")
@click.option("-o", "out", required=True, metavar="DIR", help="A new folder.")
@force_option
@json_option
@lang_option
@guarded
def export_opening(ref: str, envelope: str, out: str, force: bool, as_json: bool, lang: str | None) -> None:
    """A lot's published opening as a folder, sealed files included, for `bidhall share` and `bidhall open`. BIDHALL_DATA names the data
    folder or a copy of one; it is only read."""
    from trading.bidding import bids
    from trading.hall import package as opening_package
    from trading.kernel.access import Actor, Role
    from trading.tendering import tenders

    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())) and not force:
        stop(f"{out} is there already; --force writes over it", BAD_INPUT)
    with _reading() as (office, own_keys):
        with office.view(Actor(Role.HOST, name="command line")) as view:
            lot = tenders.lot(view.session, ref)
            package = opening_package.package(view, lot, envelope)
            stored = {bid.header_hash: bid.blob for bid in bids.standing_bids(view.session, lot, envelope)}
        if not own_keys:
            del package["trust"]  # the platform's keys are kept apart: whom to trust, an officer's ticket says
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        missing: list[str] = []
        try:
            for name, data in opening_files.to_files(package).items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            for header_hash, blob in sorted(stored.items()):
                if not sealed_of(folder, header_hash).parent.is_dir():
                    continue  # it stays sealed, and nobody gets its header
                if not office.blobs.has(blob):
                    missing.append(header_hash)
                else:
                    shutil.copyfile(office.blobs.path(blob), sealed_of(folder, header_hash))
            folder.chmod(0o755)
            if target.exists():
                shutil.rmtree(target)
            os.replace(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    result = {"path": out, "bids": len(package["headers"]), "missing": missing, "trust": own_keys}
    if as_json:
        answer(result)
        return
    say(
        f"{out}: {result['bids']} bids"
        + ("" if own_keys else "; without trusted keys: officers name their ticket with --trust")
    )
    for name in missing:
        say(
            f"the sealed file of {name} is not in the backup; a copy of the mirror or of the bidder goes to {sealed_of(target, name)}"
        )


@contextmanager
def _reading() -> Iterator[tuple[Any, bool]]:
    """(an office over a copy of the database, whether the platform's own keys are there). A backup must stay as it is: SQLite writes even
    when it only reads, an older one has to be brought up to this version, and keys that are not there must not be made."""
    from crypto.keys import new_secret
    from trading.kernel.audit import PlatformKeys
    from trading.kernel.blobs import LocalBlobs
    from trading.kernel.work import Office
    from web import schema, wiring
    from web.settings import read_settings

    settings = read_settings()
    own = all((settings.data / name).exists() for name in (wiring.SIGNING_KEY, wiring.LOG_KEY))
    keys = wiring.platform_keys(settings.data) if own else PlatformKeys(new_secret(), new_secret())
    if not Path(settings.blobs).is_dir():
        stop(
            f"{settings.blobs}: no store of sealed files there; BIDHALL_DATA names the data folder or its copy",
            NOT_READY,
        )
    with tempfile.TemporaryDirectory(prefix="bidhall-opening-") as folder:
        url = settings.database
        if url.startswith("sqlite:///"):
            url = f"sqlite:///{_copy(Path(url.removeprefix('sqlite:///')), Path(folder))}"
        engine = wiring.open_reading(settings, url)
        try:
            if url != settings.database:
                schema.migrate(engine)
            schema.check_ready(engine)
            yield (
                Office(
                    engine,
                    wiring.open_clock(settings),
                    LocalBlobs(Path(settings.blobs)),
                    settings.platform,
                    keys,
                    settings.zone,
                ),
                own,
            )
        finally:
            engine.dispose()


def _copy(path: Path, folder: Path) -> Path:
    if not path.is_file():
        stop(f"{path}: no database there; BIDHALL_DATA names the data folder or its copy", NOT_READY)
    for name in (path, path.with_name(path.name + "-wal")):
        if name.exists():
            shutil.copyfile(name, folder / name.name)
    copied = folder / path.name
    try:
        with closing(sqlite3.connect(copied)) as database:
            wrong = database.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        wrong = str(error)
    if wrong != "ok":
        stop(f"{path}: a damaged database: {wrong}", BAD_INPUT)
    return copied


# --- a whole set opened ---------------------------------------------------------------------------------------------------


@dataclass
class _Posted:
    """What was handed over for one bid: index → good part, index → code an officer reported."""

    parts: dict[int, bytes] = field(default_factory=dict)
    complaints: dict[int, str] = field(default_factory=dict)


def open_set(
    root: Path,
    package: dict[str, Any],
    given: tuple[str, ...],
    out: str,
    *,
    trust_file: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Open every bid of a set: OUT gets a folder a bid and ``opened.json``, the outcome bid by bid, with its cause (protocol §5.1).
    Exit 1 if any bid does not open; the others are there all the same."""
    trust, whose = trust_for(trust_file, package.get("trust"), str(root))
    checked = opening_files.check_package(opening_files.read_package(package), trust, now=format_time(now()))
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())) and not force:
        stop(f"{out} is not empty; --force writes over what has the same name", BAD_INPUT)
    dead = dead_bids(checked.set.generations, checked.headers)
    posted, came = _posted(checked, given)
    alive = {name: header for name, header in checked.headers.items() if name not in dead}
    copied = copies(alive, {name: one.parts for name, one in posted.items()})
    target.mkdir(parents=True, exist_ok=True)
    rows = [
        _dead(checked, bid["header_hash"], dead[bid["header_hash"]])
        if bid["header_hash"] in dead
        else _open_one(root, target, checked, bid, posted[bid["header_hash"]], copied=bid["header_hash"] in copied)
        for bid in checked.set.bids
        if bid["header_hash"] not in checked.left
    ]
    named: dict[str, Any] = {name: checked.set.policy[name] for name in ("tender", "lot", "envelope")}
    named["left_sealed"] = sorted(checked.left)
    document = {
        "set": checked.set.set,
        **named,
        "officers": came,
        "trust": whose,
        "unwitnessed": trust.unwitnessed,
        "bids": rows,
    }
    _write(target / "opened.json", json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")
    failed = [row for row in rows if row["verdict"] != verdicts.OPENED]
    if as_json:
        answer({"ok": not failed, "dir": out, **document})
    else:
        for row in rows:
            click.echo(
                f"{row['bidder']}  {row['verdict']}"
                + (f" ({row['cause']})" if row["cause"] else "")
                + f"  {row['header_hash']}"
            )
        for name in sorted(checked.left):
            say(f"{name} stays sealed")
        who = ", ".join(map(str, came)) or "none"
        say(f"{len(rows) - len(failed)} of {len(rows)} bids opened, from officers {who}; trusted keys {whose}")
    if failed:
        raise SystemExit(REFUSED)


def _posted(checked: Checked, paths: tuple[str, ...]) -> tuple[dict[str, _Posted], list[int]]:
    """Every share held against its signature and its commitment, as the hall does it. Stops with exit 2 for a file that is none."""
    posted = {name: _Posted() for name in checked.headers}
    came: set[int] = set()
    for path in paths:
        envelope = read_json(path)
        try:
            if kind_of(envelope) == "bidder-part":
                _take_bidder_part(checked, envelope, posted)
                continue
            j = _take_shares(checked, envelope, posted)
        except CryptoError as error:
            stop(f"{path}: {error.detail} [{error.code}]", BAD_INPUT)
        came.add(j)
    for header_hash, one in posted.items():
        for j, code in sorted(one.complaints.items()):
            say(f"officer {j} has no good share of {header_hash}: {code}")
    return posted, sorted(came)


def _take_shares(checked: Checked, envelope: Any, posted: Mapping[str, _Posted]) -> int:
    for j, officer in enumerate(checked.set.policy["officers"], 1):
        try:
            document = open_shares(envelope, checked.officer_keys[officer["sign_kid"]])
        except (CryptoError, KeyError):
            continue
        if document["j"] != j:
            raise CryptoError("CONTEXT_MISMATCH", f"signed by officer {j}, but shares of officer {document['j']}")
        line = checked.set.generations
        boxes = boxes_of(line, checked.headers, j, checked.left)
        for name, (part, code) in check_posted_shares(
            document, checked.headers, checked.set.set, line, checked.left
        ).items():
            if name in checked.left:
                continue
            if part:
                posted[name].parts[boxes[name]] = part
            else:
                posted[name].complaints[boxes[name]] = code
        return j
    raise CryptoError("SIG", "not signed by an officer of this opening")


def _take_bidder_part(checked: Checked, envelope: Any, posted: Mapping[str, _Posted]) -> None:
    """A bidder's own part counts by its commitment; a wrong one is left out, as in the hall."""
    from web.cli.offline import read_payload

    document = read_payload(envelope, "bidder-part")
    if document["set"] != checked.set.set or document["header_hash"] not in posted:
        raise CryptoError("CONTEXT_MISMATCH", "the part of a bid of another opening")
    part = unb64u(document["part"], 32)
    check_share(checked.headers[document["header_hash"]], 0, part)
    posted[document["header_hash"]].parts[0] = part


def _dead(checked: Checked, name: str, generation: Generation) -> dict[str, Any]:
    """A bid whose officers were replaced to the point that nobody opens it (protocol §5.3)."""
    verdict = policy_dead(name, generation)
    return {
        "header_hash": name,
        "bidder": checked.headers[name].ctx["bidder"],
        "verdict": verdict.code,
        "cause": verdict.cause,
        "announce": {},
        "files": [],
        "dir": "",
    }


def _open_one(
    root: Path, target: Path, checked: Checked, bid: Mapping[str, str], posted: _Posted, *, copied: bool
) -> dict[str, Any]:
    """One bid's verdict; its folder appears whole or not at all."""
    name = bid["header_hash"]
    header, statement = checked.headers[name], checked.set.statements[bid["statement"]]
    stored = sealed_of(root, name)
    policy = generation_of(checked.set.generations, header.ctx["policy"]).policy
    sides = [officer["side"] for officer in policy["officers"]]
    folder = Path(tempfile.mkdtemp(dir=target, prefix=f".{name}."))
    try:
        verdict = _verdict(stored, header, unb64u(statement["sealed_root"], 32), posted, sides, folder, copied=copied)
        files: list[dict[str, Any]] = []
        if verdict.opened is not None:
            rows = zip(verdict.opened.manifest["files"], verdict.opened.digests, strict=True)
            files = [{**item, "digest": digest} for item, digest in rows]
            _write(
                folder / "form.json", json.dumps(verdict.opened.announce, ensure_ascii=False, indent=2).encode() + b"\n"
            )
            folder.chmod(0o755)
            shutil.rmtree(target / name, ignore_errors=True)
            os.replace(folder, target / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "header_hash": name,
        "bidder": header.ctx["bidder"],
        "verdict": verdict.code,
        "cause": verdict.cause,
        "announce": dict(verdict.opened.announce) if verdict.opened else {},
        "files": files,
        "dir": name if verdict.opened else "",
    }


def _verdict(
    stored: Path, header: Any, root: bytes, posted: _Posted, sides: list[str], folder: Path, *, copied: bool
) -> Verdict:
    inside = folder / "files"
    inside.mkdir()
    out: list[BinaryIO] = []

    def sink(item: dict[str, Any]) -> BinaryIO:
        for before in out:
            before.close()
        try:
            out.append((inside / item["name"]).open("xb"))
        except OSError as error:
            raise CryptoError("MANIFEST", f"a file name this disk refuses: {item['name']!r}") from error
        return out[-1]

    progress = Progress(f"opening {header.ctx['bidder']}", stored.stat().st_size if stored.is_file() else 1)
    try:
        with stored.open("rb") if stored.is_file() else open(os.devnull, "rb") as source:
            found = verdicts.open_bid(
                Counted(source, progress),
                header,
                sealed_root=root,
                parts=posted.parts,
                sides=sides,
                complaints=posted.complaints,
                copied=copied,
                sink=sink,
            )
    finally:
        for file in out:
            file.close()
    progress.end()
    return found


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name("." + path.name)
    temporary.write_bytes(data)
    os.replace(temporary, path)
