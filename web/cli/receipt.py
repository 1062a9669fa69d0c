"""`bidhall receipt`: what a receipt or a proof of attempt proves, without asking the platform."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

from crypto import rehearsals, sealed_bid
from crypto.canonical import b64u, format_time, later
from crypto.documents import check_document
from crypto.errors import CryptoError
from crypto.receipts import IN_LOG, Kept, Receipt, check_words, number_of, omission_state, unwrap, verify_receipt
from crypto.signatures import document_hash, kind_of, payload_of
from crypto.ticks import commitment, verify_leaf
from crypto.trust import Trust
from web.cli.common import BAD_INPUT, REFUSED, answer, guarded, json_option, lang_option, read_json, say, stop
from web.cli.language import language
from web.cli.offline import OF_REHEARSAL, Counted, Progress, now, read_payload, there, trust_for, trust_option

GRACE = 5
"""Seconds after a tick's moment until its checkpoint is out (protocol §4)."""
PIECE = 2**20
KINDS = {
    "bid-received": ("submission",),
    "bid-replaced": ("submission",),
    "bid-withdrawn": ("withdrawal",),
    "bid-refused": ("submission", "withdrawal", "attempt"),
}


@click.command("receipt", epilog="Example: bidhall receipt receipt.json --bid bid.sealed --trust ticket.json")
@click.argument("receipt")
@click.option(
    "--bid",
    "bid_file",
    metavar="BID",
    help="The sealed file the receipt should speak of; BID.submission.json lies beside it.",
)
@click.option("--submission", "statement_file", metavar="FILE", help="The submission, if it lies elsewhere.")
@click.option(
    "--log", "log_file", metavar="FILE", help="Ticks the log is known to have: [{leaf, tlog}], or a later receipt."
)
@trust_option
@json_option
@lang_option
@guarded
def receipt(
    receipt: str,
    bid_file: str | None,
    statement_file: str | None,
    log_file: str | None,
    trust_file: str | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Check a receipt or a proof of attempt: signature, place in the log, and whether it speaks of this bid."""
    value = read_json(receipt)
    try:
        kept = unwrap(value)
    except CryptoError as error:
        stop(f"{receipt}: not a receipt: {error.detail}", BAD_INPUT)
    bare = kept.receipt
    trust, whose = trust_for(trust_file, kept.trust, receipt)
    told: dict[str, Any] = {
        "ok": False,
        "state": "",
        "code": "",
        "detail": "",
        "trust": whose,
        "unwitnessed": trust.unwitnessed,
        "rehearsal": _is_rehearsal(trust, kept),
    }
    try:
        if told["rehearsal"] and not rehearsals.is_origin(trust.origin):
            raise CryptoError("CONTEXT_MISMATCH", "a receipt of a rehearsal proves nothing of a real platform")
        found = verify_receipt(bare, trust.platform_keys, trust.log_key, trust.witnesses)
        told |= _entry(found)
        if "list" in bare:
            told["list"] = {
                "c": b64u(commitment(payload_of(bare["list"]["entry"]))),
                "refusals": len(bare["list"]["refusals"]["entries"]),
            }
        told["speaks_of_bid"] = None
        told["state"] = _state(found, trust, kept, log_file)
        if bid_file:
            told["speaks_of_bid"] = False
            _speaks_of(found.entry, bid_file, _statement(kept, bid_file, statement_file))
            told["speaks_of_bid"] = True
        told["overdue"] = told["state"] != IN_LOG and format_time(now()) > later(found.entry["tick_by"], GRACE)
        told["ok"] = True
    except CryptoError as error:
        told["code"], told["detail"] = error.code, error.detail
        told["state"] = told["state"] or ("LOG_OMISSION" if error.code == "LOG_OMISSION" else "")
    if as_json:
        answer(told)
    else:
        _tell(told)
    if not told["ok"]:
        raise SystemExit(REFUSED)


def _is_rehearsal(trust: Trust, kept: Kept) -> bool:
    """Whether the log it is held against is a rehearsal's, or what came with it says that its own is: trusted keys, a checkpoint."""
    proof = kept.receipt.get("proof")
    lines = str(proof.get("tlog", "")).splitlines() if isinstance(proof, dict) else []
    enclosed = kept.trust.get("origin", "") if isinstance(kept.trust, dict) else ""
    return any(map(rehearsals.is_origin, (trust.origin, str(enclosed), *lines)))


def _entry(found: Receipt) -> dict[str, Any]:
    entry = found.entry
    shown = {
        name: entry[name] for name in ("event", "at", "tick_by", "tender", "lot", "envelope", "statement", "reason")
    }
    proven = found.proven
    tick = None if proven is None else {"tick": proven.tick, "at": proven.at, "size": proven.checkpoint.size}
    return {
        **shown,
        "c": b64u(found.c),
        "number": number_of(found.c),
        "tick": tick,
        "check_words": {"zh": check_words(entry, "zh"), "en": check_words(entry, "en")},
    }


def _state(found: Receipt, trust: Trust, kept: Kept, log_file: str | None) -> str:
    """submitted or in_log. Refuses: LOG_OMISSION where ticks are known that should have held the entry; TICK_PROOF for false ones."""
    known = [found.proven.at] if found.proven is not None else []
    for one in _ticks(kept.log or []) + (_ticks(read_json(log_file)) if log_file else []):
        known.append(verify_leaf(one["leaf"], one["tlog"], trust.log_key, trust.witnesses).at)
    return omission_state(found.entry["tick_by"], known, found.proven.at if found.proven is not None else "")


def _ticks(value: Any) -> list[dict[str, Any]]:
    """``{leaf, tlog}`` of every tick shown: a list of them, or the proof of another receipt."""
    rows = value if isinstance(value, list) else [value]
    rows = [row["proof"] if isinstance(row, dict) and isinstance(row.get("proof"), dict) else row for row in rows]
    if any(not isinstance(row, dict) or "leaf" not in row or "tlog" not in row for row in rows):
        raise CryptoError("TICK_PROOF", "a tick is shown by its leaf and tlog")
    return rows


def _statement(kept: Kept, bid_file: str, statement_file: str | None) -> Any:
    """The document the receipt should speak of: named, lying beside the bid, or enclosed. Stops with exit 2 where there is none."""
    beside = Path(f"{bid_file}.submission.json")
    if statement_file:
        return read_json(statement_file)
    if kept.statement is not None:
        return kept.statement
    if beside.is_file():
        return read_json(str(beside))
    stop(f"{beside} is not there: name the submission with --submission", BAD_INPUT)


def _speaks_of(entry: dict[str, Any], bid_file: str, statement: Any) -> None:
    """That the entry names this statement, and the statement these bytes. Refuses: CONTEXT_MISMATCH, SEALED_ROOT, SIG, JSON_PROFILE."""
    signed = isinstance(statement, dict) and "payload" in statement
    kind = kind_of(statement) if signed else "attempt"
    if kind not in KINDS.get(entry["event"], ()):
        raise CryptoError("CONTEXT_MISMATCH", f"a {kind} is not what a {entry['event']} speaks of")
    if signed:
        document = read_payload(statement, kind)
        named = document_hash(payload_of(statement))
    else:
        check_document("attempt", statement)
        document, named = statement, document_hash(statement)
    if named != entry["statement"]:
        raise CryptoError("CONTEXT_MISMATCH", f"the receipt speaks of another {kind}")
    if any(document[name] != entry[name] for name in ("tender", "lot", "envelope")):
        raise CryptoError("CONTEXT_MISMATCH", "of another lot")
    path = there(bid_file)
    if kind == "attempt":
        _same_start(path, document)
    elif kind == "submission":
        _same_file(path, document)
    else:
        raise CryptoError("CONTEXT_MISMATCH", "a withdrawal names a submission, no bytes")


def _same_file(path: Path, document: dict[str, Any]) -> None:
    progress = Progress("reading", path.stat().st_size)
    with path.open("rb") as source:
        seen = sealed_bid.inspect(Counted(source, progress))
    progress.end()
    if b64u(seen.sealed_root) != document["sealed_root"]:
        raise CryptoError("SEALED_ROOT", "the receipt speaks of other bytes")
    if b64u(seen.header.header_hash) != document["header_hash"] or seen.size != document["sealed_size"]:
        raise CryptoError("CONTEXT_MISMATCH", "the submission names another header or size")


def _same_start(path: Path, document: dict[str, Any]) -> None:
    """The bytes that came, by the platform's account, are the first ones of this file."""
    digest, left = hashlib.sha256(), document["bytes"]
    with path.open("rb") as source:
        while left and (piece := source.read(min(PIECE, left))):
            digest.update(piece)
            left -= len(piece)
    if left or b64u(digest.digest()) != document["sha256"]:
        raise CryptoError("CONTEXT_MISMATCH", "the bytes that came are not the start of this file")


def _tell(told: dict[str, Any]) -> None:
    if told["rehearsal"]:
        click.echo(OF_REHEARSAL[0 if language(None) == "zh" else 1])
    for name in ("state", "event", "reason", "at", "tick_by", "tender", "lot", "envelope", "statement", "number", "c"):
        if told.get(name):
            click.echo(f"{name:12} {told[name]}")
    if told.get("tick"):
        click.echo(f"{'tick':12} {told['tick']['tick']}  {told['tick']['at']}")
    if told.get("list"):
        click.echo(f"{'list':12} one of {told['list']['refusals']} refusals that entry {told['list']['c']} stands for")
    if told.get("check_words"):
        click.echo(f"{'words':12} {' '.join(told['check_words']['zh'])}  /  {' '.join(told['check_words']['en'])}")
    click.echo(f"{'trust':12} {told['trust']}{'  unwitnessed' if told['unwitnessed'] else ''}")
    if told["speaks_of_bid"] if "speaks_of_bid" in told else False:
        click.echo(f"{'bid':12} is the one this receipt speaks of")
    if told.get("overdue"):
        say(
            "the log should hold this entry by now: fetch the receipt again; without a proof then, the platform is at fault (LOG_OMISSION)"
        )
    if told["code"]:
        say(f"{told['detail']} [{told['code']}]")
