"""`bidhall seal`, `withdraw`, `inspect`: a bidder's commands, on a machine that needs no server.

The sealed file is opened again with its own seed before anything is signed: a bid that would not open is never handed in. Files are
streamed, so memory stays flat however large they are; what is written appears whole or not at all.
"""

from __future__ import annotations

import json
import mimetypes
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import click

from crypto import keyfiles, positional, sealed_bid, submissions
from crypto.canonical import b64u, format_time, parse_time, unb64u
from crypto.documents import sign_document
from crypto.errors import CryptoError
from crypto.headers import MAX_PLEN, Header, padded
from crypto.keys import ed25519_public, x25519_public
from crypto.policies import DRILL
from crypto.sealed_bid import FileIn, Inspection, Sealed
from crypto.signatures import document_hash, payload_of
from trading.files import bid_files
from trading.kernel import amount_words
from trading.kernel.errors import Faults, Invalid, TooLate
from trading.tendering import bid_forms
from web.cli.common import (
    BAD_INPUT,
    REFUSED,
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
from web.cli.known import known_of, known_option
from web.cli.language import language
from web.cli.offline import (
    Counted,
    Progress,
    key_option,
    now,
    open_keys,
    passphrase_option,
    read_payload,
    read_signed,
    there,
    tool,
    trust_option,
)
from web.cli.sealing_ticket import sealing_ticket

OPEN_AT_ONCE = 200
"""Files of a bid that are held open while it is sealed: well below what systems allow a process."""


@click.command(
    "seal", epilog="Example: bidhall seal --ticket ticket.json --key keys.json --form form.json offer.pdf -o bid.sealed"
)
@click.argument("files", nargs=-1, metavar="[FILE|KEY=FILE …]")
@click.option("--ticket", "ticket_file", required=True, metavar="TICKET.json", help="The ticket from the lot's page.")
@key_option
@click.option(
    "--form", "form_file", required=True, metavar="FORM.json", help="What is read out: one flat object of texts."
)
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="BID",
    help="Where to write the sealed bid; BID.submission.json goes beside it.",
)
@click.option("--replaces", metavar="SUBMISSION", help="The submission this bid supersedes: its file, or its hash.")
@click.option(
    "--keeper",
    metavar="FILE",
    help="Also write the keeper file: it alone opens this bid, for a rescue. Keep it to yourself.",
)
@trust_option
@known_option
@passphrase_option
@force_option
@json_option
@lang_option
@guarded
def seal(
    files: tuple[str, ...],
    ticket_file: str,
    key_file: str,
    form_file: str,
    out: str,
    replaces: str | None,
    keeper: str | None,
    trust_file: str | None,
    known_file: str | None,
    passphrase_file: str | None,
    force: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """Seal a bid on this machine: writes BID and its signed BID.submission.json, both to be handed in on the lot's page."""
    if out == "-" or keeper == "-":
        stop("a sealed bid is read again after it is written: name a file, not -", BAD_INPUT)
    checked = sealing_ticket(ticket_file, trust_file, known_of(key_file, known_file), lang)
    ticket, policy = checked.ticket, checked.policy
    moment = now()
    deadline = parse_time(policy["deadline"])
    if moment >= deadline:
        raise TooLate("seal.late", now=moment, deadline=deadline)
    announce = _form(ticket["form"], read_json(form_file))
    marked = [_marked(given, ticket["form"]) for given in files]
    inside = [_file_in(path) if len(marked) <= OPEN_AT_ONCE else _file_in(path, _InTurn) for _, path in marked]
    look_over(ticket["form"], announce, marked, lang)
    head = sealed_bid.content_head(announce, inside)
    size = padded(len(head) + sum(file.size for file in inside))
    if size > min(MAX_PLEN, policy["max_plen"]):
        raise Invalid("seal.too_large", size=size, most=policy["max_plen"])
    superseded = _superseded(replaces)
    ring, secret = open_keys(key_file, passphrase_file, "bidder")
    if ring.party == DRILL:
        stop("drill is no bidder's name", BAD_INPUT)
    bidder_key = x25519_public(ring.secret("x25519")) if policy["co_opening"] else b""
    sign = ring.secret("ed25519")
    beside = f"{out}.submission.json"
    with ExitStack() as stack:
        stack.callback(_close, inside)
        bid = stack.enter_context(writing(out, force=force))
        submission = stack.enter_context(writing(beside, force=force))
        kept = stack.enter_context(writing(keeper, force=force, mode=0o600)) if keeper else None
        progress = Progress("sealing", size)
        made = sealed_bid.seal(
            policy,
            bidder=ring.party,
            announce=announce,
            files=inside,
            out=Counted(bid, progress),
            bidder_key=bidder_key,
        )
        progress.end()
        _check_again(bid, made, announce)
        statement = submissions.make_submission(made, sealed_at=format_time(moment), tool=tool(), replaces=superseded)
        envelope = sign_document("submission", statement, sign)
        submissions.check_submission(
            envelope,
            Inspection(made.header, made.size, made.sealed_root, made.pieces),
            [policy],
            bidder=ring.party,
            signing_keys=[ed25519_public(sign)],
            bidder_key=bidder_key,
            current=superseded,
        )
        submission.write(_text(envelope))
        if kept is not None:
            kept.write(_text(keyfiles.wrap_seed(made.seed, secret)))
    document = {
        "ok": True,
        "bid": out,
        "submission": beside,
        "keeper": keeper or "",
        "statement": document_hash(statement),
        "header_hash": statement["header_hash"],
        "sealed_root": statement["sealed_root"],
        "size": made.size,
        "sealed_at": statement["sealed_at"],
        "bidder": ring.party,
        "policy": statement["policy"],
        "replaces": superseded,
        "deadline": policy["deadline"],
        "trust": checked.whose,
        "not_checked": checked.unchecked,
    }
    checked.keep()
    if as_json:
        answer(document)
        return
    for name in (
        "bid",
        "submission",
        "keeper",
        "size",
        "header_hash",
        "sealed_root",
        "statement",
        "policy",
        "deadline",
    ):
        if document[name]:
            click.echo(f"{name:12} {document[name]}")
    say("Sealed, not yet handed in: upload both files on the lot's page before the deadline, and keep the receipt.")


@click.command(
    "withdraw", epilog="Example: bidhall withdraw bid.sealed.submission.json --key keys.json -o withdrawal.json"
)
@click.argument("submission")
@key_option
@click.option("-o", "--out", required=True, metavar="FILE", help="Where to write the signed withdrawal (- is stdout).")
@passphrase_option
@force_option
@lang_option
@guarded
def withdraw(
    submission: str, key_file: str, out: str, passphrase_file: str | None, force: bool, lang: str | None
) -> None:
    """Sign the withdrawal of a bid, to hand in on the lot's page before the deadline."""
    document = read_payload(read_signed(submission, "submission"), "submission")
    ring, _ = open_keys(key_file, passphrase_file, "bidder")
    if document["bidder"] != ring.party:
        raise Invalid("withdraw.not_yours", bidder=document["bidder"], party=ring.party)
    withdrawal = submissions.make_withdrawal(document, at=format_time(now()))
    envelope = sign_document("withdrawal", withdrawal, ring.secret("ed25519"))
    with writing(out, force=force) as file:
        file.write(_text(envelope))
    say("Signed, not yet handed in: the bid stands until the platform's receipt says otherwise.")


@click.command("inspect", epilog="Example: bidhall inspect bid.sealed --json")
@click.argument("bid")
@json_option
@lang_option
@guarded
def inspect_bid(bid: str, as_json: bool, lang: str | None) -> None:
    """Show what can be seen of a sealed bid without keys; a malformed one is named by its code (exit 1)."""
    seen: list[Header] = []
    document: dict[str, Any]
    try:
        if bid == "-":
            found = sealed_bid.inspect(sys.stdin.buffer, seen.append)
        else:
            with there(bid).open("rb") as source:
                found = _inspect(source, seen)
        document = {
            "ok": True,
            "code": "",
            "header_hash": b64u(found.header.header_hash),
            "sealed_root": b64u(found.sealed_root),
            "size": found.size,
            "ctx": found.header.ctx,
        }
    except CryptoError as error:
        size = 0 if bid == "-" else Path(bid).stat().st_size
        document = {
            "ok": False,
            "code": error.code,
            "detail": error.detail,
            "header_hash": b64u(seen[0].header_hash) if seen else "",
            "sealed_root": "",
            "size": size,
            "ctx": seen[0].ctx if seen else {},
        }
    if as_json:
        answer(document)
    elif document["ok"]:
        for name in ("header_hash", "sealed_root", "size"):
            click.echo(f"{name:12} {document[name]}")
        for name, value in sorted(document["ctx"].items()):
            click.echo(f"{name:12} {', '.join(value) if isinstance(value, list) else value}")
    else:
        say(f"{bid}: {document['detail']} [{document['code']}]")
    if not document["ok"]:
        raise SystemExit(REFUSED)


# --- pieces ---------------------------------------------------------------------------------------------------------------


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _inspect(source: BinaryIO, seen: list[Header]) -> Inspection:
    progress = Progress("reading", os.fstat(source.fileno()).st_size)
    found = sealed_bid.inspect(Counted(source, progress), seen.append)
    progress.end()
    return found


def _form(fields: Sequence[Mapping[str, Any]], form: Any) -> dict[str, str]:
    """What is announced, if the form fits. A choice whose choices the ticket does not tell is taken as it stands."""
    if not isinstance(form, dict) or any(not isinstance(value, str) for value in form.values()):
        stop('FORM: one flat object of texts, such as {"price": "8180000.00"}', BAD_INPUT)
    known = [
        {**field, "type": "text"} if field["type"] == "choice" and not field.get("choices") else field
        for field in fields
    ]
    if bid_forms.PRICE in form or any(field["key"] == bid_forms.PRICE for field in known):
        return dict(bid_forms.parse(known, form).values)
    # an envelope without a price (the technical one of two): the reader always wants one, so it is lent and taken away again
    lent = {"key": bid_forms.PRICE, "type": "money", "required": True}
    found = bid_forms.parse([*known, lent], {**form, bid_forms.PRICE: "1"}).values
    return {key: text for key, text in found.items() if key != bid_forms.PRICE}


def _marked(given: str, fields: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """(key of the asked file, path) of ``KEY=FILE``; of a bare FILE the key whose label its name holds, or ""."""
    asked = {str(field["key"]): str(field["label"]).lower() for field in fields if field["type"] == "file"}
    key, mark, path = given.partition("=")
    if mark and key in asked and not Path(given).exists():
        return key, path
    name = unicodedata.normalize("NFC", Path(given).name).lower()
    return next((key for key, label in asked.items() if label in name), ""), given


def look_over(
    fields: Sequence[Mapping[str, Any]], announce: Mapping[str, str], files: Sequence[tuple[str, str]], lang: str | None
) -> None:
    """The self-check before sealing, by the rules of the page: what is to be looked at is said, what stops is refused, all at once.

    ``files``: (key of the asked file or "", path). Refuses: Invalid ``seal.self_check``.
    """
    from web.words import words

    faults = Faults()
    price = bid_forms.price_minor(announce[bid_forms.PRICE]) if bid_forms.PRICE in announce else None
    for field in fields:
        if (
            field["key"] == bid_forms.PRICE
            and price is not None
            and field.get("most")
            and price > bid_forms.price_minor(field["most"])
        ):
            faults.add(bid_forms.PRICE, "seal.above_ceiling", price=announce[bid_forms.PRICE], ceiling=field["most"])
        if field["type"] == "file" and field["required"] and all(key != field["key"] for key, _ in files):
            faults.add(str(field["key"]), "seal.file_missing", key=field["key"], label=field["label"])
    if price is not None:
        say(f"{announce[bid_forms.PRICE]}  {amount_words.write(price)}")
        if (items := bid_forms.sum_of_items(fields, announce)) is not None and items != price:
            faults.add(
                bid_forms.PRICE, "seal.sum", sum=f"{items // 100}.{items % 100:02}", price=announce[bid_forms.PRICE]
            )
    names = [unicodedata.normalize("NFC", Path(path).name) for _, path in files]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.add(name, "seal.file_twice", name=name)
    for name, (_, path) in zip(names, files, strict=True):
        for finding in bid_files.judge(name, *_ends(there(path))):
            if finding.stops:
                faults.add(name, f"seal.{finding.code}")
            else:
                say(f"  {name}: {words(f'seal.{finding.code}', {}, language(lang))} [seal.{finding.code}]")
    faults.refuse_if_any("seal.self_check")


def _ends(path: Path) -> tuple[int, bytes, bytes]:
    """(size, first, last bytes) of a file."""
    with path.open("rb") as source:
        head, size = source.read(bid_files.HEAD), path.stat().st_size
        source.seek(max(0, size - bid_files.TAIL))
        return size, head, source.read(bid_files.TAIL)


class _OnDemand:
    """A file opened when its first byte is wanted and closed at its end: a thousand files need no thousand handles."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        if self._ended:
            return b""
        if self._file is None:
            self._file = self._path.open("rb")
        data = self._file.read(size)
        if not data:
            self._ended = True
            self._file.close()
        return data

    def place(self, writing: bool) -> positional.Place | None:
        """Where its bytes are, for threads to read at (crypto.positional)."""
        if self._file is None:
            self._file = self._path.open("rb")
        return positional.place_of(self._file, writing=writing)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _InTurn(_OnDemand):
    """One of so many that they cannot all be open at once: read as a stream, one after the other."""

    def place(self, writing: bool) -> positional.Place | None:
        return None


def _file_in(path: str, stream: type[_OnDemand] = _OnDemand) -> FileIn:
    found = there(path)
    return FileIn(found.name, found.stat().st_size, stream(found), mimetypes.guess_type(found.name)[0] or "")


def _close(files: Sequence[FileIn]) -> None:
    for file in files:
        if isinstance(file.stream, _OnDemand):
            file.stream.close()


def _superseded(given: str | None) -> str:
    """The hash of the submission that is replaced, "" if none."""
    if not given:
        return ""
    if Path(given).is_file():
        return document_hash(payload_of(read_signed(given, "submission")))
    try:
        unb64u(given, 32)
    except CryptoError:
        stop(f"--replaces {given}: neither a submission's file nor its hash", BAD_INPUT)
    return given


def _check_again(bid: BinaryIO, made: Sealed, announce: Mapping[str, str]) -> None:
    """Open what was just written, from the disk and with its own seed, before anything is signed."""
    bid.flush()
    progress = Progress("checking", made.size)
    with os.fdopen(os.dup(bid.fileno()), "rb") as again:
        again.seek(0)
        opened = sealed_bid.open(Counted(again, progress), made.seed, sealed_root=made.sealed_root)
    progress.end()
    if opened.header.raw != made.header.raw or opened.announce != dict(announce):
        raise CryptoError("SEALED_ROOT", "what was written is not what was sealed: this machine or its disk is faulty")
