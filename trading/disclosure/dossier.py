"""Everything the house can show of a finished or failed lot, laid out as the files of its bundle (protocol §6; docs/formats/bundle.md).

Law of the noun: nothing leaves before its hour. A lot that still runs has no bundle; of a lot that failed unopened the public learns how
many came, never who; seeds, parts, sealed files, names in a pool of experts and the records of money stand in the archive's profile
``audit`` alone. What evaluation and deposits add is handed in by the caller (``Extra``), for this room knows neither.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from crypto import sealed_bid
from crypto.canonical import loads, unb64u
from crypto.policies import policy_id
from crypto.signatures import document_hash, payload_of
from trading import draws
from trading.bidding import bids, claims, closing, floods, tickets
from trading.custody import officers
from trading.disclosure.bundle import File, blob_file, bytes_file, canonical_file, json_file
from trading.disclosure.log_part import log_files
from trading.kernel import log
from trading.kernel.audit import ActRecord, LogDocument, LogEntry, LogPending
from trading.kernel.errors import Invalid, NotFound, TooEarly, WrongStep
from trading.kernel.work import View
from trading.opening import ceremony, findings, rechecks
from trading.parties import enrolments
from trading.procedures.fields import FIELDS
from trading.tendering.tenders import Lot, Tender

FINISHED = ("RESULT", "CONTRACT", "FILING", "CLOSING", "FAILED", "TERMINATED", "ARCHIVED")
PUBLIC_ACTS = (
    "lot.",
    "notice.",
    "award.",
    "contract.",
    "draw.",
    "policy.",
    "officer.",
    "document.",
    "tender.",
    "technical.",
)
"""Acts whose records the public may read; all others are shown in the archive alone."""
BUNDLE_ACT = "bundle."
SECRET_KINDS = frozenset({"shares", "bidder-part", "rescue"})
_FOLDERS = {
    "policy": "policy",
    "drill": "policy",
    "published": "policy",
    "deadline": "policy",
    "late-close": "policy",
    "submission": "bids",
    "withdrawal": "bids",
    "attempt": "bids",
    "refusal-list": "bids",
    "mirror-ack": "bids",
    "omission-claim": "bids",
    "opening-set": "opening",
    "shares": "opening",
    "bidder-part": "opening",
    "bid-failed": "opening",
    "rescue": "opening",
    "finding": "opening",
    "opened": "opening",
    "draw-notice": "draw",
    "draw-commit": "draw",
    "commit-list": "draw",
    "draw-reveal": "draw",
    "draw": "draw",
    "draw-void": "draw",
    "sheet-commit": "sheets",
    "sheet": "sheets",
    "ranking": "ranking",
}


@dataclass(frozen=True)
class Extra:
    """What another room adds: files of its own, entries (by c) that lie outside the lot's own, holders of keys as (holder, role)."""

    files: tuple[File, ...] = ()
    entries: tuple[str, ...] = ()
    holders: tuple[tuple[str, str], ...] = ()


@dataclass
class _Dossier:
    look: View
    lot: Lot
    profile: str
    files: list[File] = field(default_factory=list)
    entries: dict[str, LogEntry] = field(default_factory=dict)
    holders: set[tuple[str, str]] = field(default_factory=set)
    documents: dict[str, LogDocument] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)

    @property
    def audit(self) -> bool:
        return self.profile == "audit"


def find_lot(view: View, ref: str) -> Lot:
    """A lot by its own reference, or by its tender's where that has only one. Refuses: NotFound, Invalid ``bundle.which_lot``."""
    lot = view.session.scalar(select(Lot).where(Lot.ref == ref))
    if lot is not None:
        return lot
    tender = view.session.scalar(select(Tender).where(Tender.ref == ref))
    if tender is None:
        raise NotFound("lot.unknown", ref=ref)
    if len(tender.lots) != 1:
        raise Invalid("bundle.which_lot", ref=ref, lots=[one.ref for one in tender.lots])
    return tender.lots[0]


def gather(view: View, lot: Lot, profile: str, extras: Sequence[Extra] = ()) -> list[File]:
    """The files of a lot's bundle. ``profile``: ``public`` or ``audit``.

    Refuses: WrongStep ``bundle.not_finished`` while the lot runs, TooEarly ``bundle.log_waiting`` while an entry of it waits for its tick.
    """
    if lot.state not in FINISHED:
        raise WrongStep("bundle.not_finished", ref=lot.ref, state=lot.state)
    dossier = _Dossier(view, lot, profile)
    _take_entries(dossier, extras)
    _take_documents(dossier)
    _take_bids(dossier)
    _take_evidence(dossier)
    _take_draws(dossier)
    _take_rules(dossier)
    for extra in extras:
        dossier.files += extra.files
        dossier.holders |= set(extra.holders)
    _take_keys(dossier)
    dossier.files += log_files(
        view, dossier.entries, ref=lot.ref, policies=_sealed_policies(dossier), audit=dossier.audit
    )
    return dossier.files


# --- entries and the documents they speak of ------------------------------------------------------------------------------------------


def _take_entries(dossier: _Dossier, extras: Iterable[Extra]) -> None:
    session, lot = dossier.look.session, dossier.lot
    own = list(
        session.scalars(
            select(LogEntry)
            .where(LogEntry.tender == lot.tender.ref, LogEntry.lot.in_((lot.no_text, "")))
            .order_by(LogEntry.id)
        )
    )
    asked = [c for extra in extras for c in extra.entries]
    own += [row for row in _by_c(dossier, asked) if row.tender != lot.tender.ref or row.lot not in (lot.no_text, "")]
    acts = dict(
        _chunked(dossier, select(ActRecord.entry_hash, ActRecord.act), ActRecord.entry_hash, [e.c for e in own])
    )
    waiting = {
        row[0] for row in _chunked(dossier, select(LogPending.entry_id), LogPending.entry_id, [e.id for e in own])
    }
    listed = floods.without_slot(session, [e.c for e in own if e.event == floods.EVENT])
    for entry in own:
        if entry.c in listed:
            continue  # its list stands for it; the receipt is the bidder's
        act = acts.get(entry.c, "")
        if act.startswith(BUNDLE_ACT):
            continue
        if entry.id in waiting:
            raise TooEarly("bundle.log_waiting", ref=lot.ref, event=act or entry.event, tick_by=entry.tick_by)
        if _may_show(dossier, entry, act, asked):
            dossier.entries[entry.c] = entry
    _check_list(dossier)


def _may_show(dossier: _Dossier, entry: LogEntry, act: str, asked: Sequence[str]) -> bool:
    if dossier.audit or entry.c in asked:
        return True
    if entry.event == "act":
        return act.startswith(PUBLIC_ACTS)
    if entry.event.startswith("bid-") or entry.event in ("omission-claim", "mirror-ack"):
        return entry.event == "bid-failed" or _list_is_open(dossier, entry.part)
    if entry.event.startswith("sheet") or (
        entry.event == "commit-list" and not entry.part
    ):  # a list of a draw has its envelope
        return _is_ranked(dossier)
    return entry.event != "key-enrolled"


def _list_is_open(dossier: _Dossier, part: str) -> bool:
    """The list of all that came is opened at the opening, or when the lot fails (protocol §4, Deadline); of two envelopes each its own."""
    session, lot = dossier.look.session, dossier.lot
    return closing.find(session, lot, part) is not None and (
        lot.failure == "few_bidders" or ceremony.find(session, lot, part) is not None
    )


def _is_ranked(dossier: _Dossier) -> bool:
    """Sheets of a panel that never came to a ranking stay in the archive."""
    lot = dossier.lot
    ranked = select(LogEntry.id).where(
        LogEntry.tender == lot.tender.ref, LogEntry.lot == lot.no_text, LogEntry.event == "ranking"
    )
    return dossier.look.session.scalar(ranked) is not None


def _shows_bidders(dossier: _Dossier) -> bool:
    return dossier.audit or ceremony.is_public(dossier.look.session, dossier.lot)


def _check_list(dossier: _Dossier) -> None:
    for part in officers.bid_envelopes(dossier.lot):
        row = closing.find(dossier.look.session, dossier.lot, part)
        if row is not None and (dossier.audit or _list_is_open(dossier, part)):
            dossier.files.append(canonical_file(f"entries/lists/{row.part}.json", row.entries))


def _by_c(dossier: _Dossier, wanted: Sequence[str]) -> list[LogEntry]:
    return [row[0] for row in _chunked(dossier, select(LogEntry).order_by(LogEntry.id), LogEntry.c, list(wanted))]


def _chunked(dossier: _Dossier, query: Any, column: Any, values: Sequence[Any]) -> list[Any]:
    """Rows by a list of values of any length: databases take some thousands at once."""
    return [
        row
        for start in range(0, len(values), 500)
        for row in dossier.look.session.execute(query.where(column.in_(values[start : start + 500])))
    ]


def _take_documents(dossier: _Dossier) -> None:
    session = dossier.look.session
    named = sorted({e.statement for e in dossier.entries.values() if e.statement and e.event != "act"})
    for start in range(0, len(named), 500):
        rows = session.scalars(select(LogDocument).where(LogDocument.hash.in_(named[start : start + 500])))
        dossier.documents |= {row.hash: row for row in rows}
    for name in named:
        row = dossier.documents.get(name)
        if row is not None:
            _take_document(dossier, row)
    acts = dict(
        _chunked(
            dossier, select(ActRecord.entry_hash, ActRecord.payload), ActRecord.entry_hash, sorted(dossier.entries)
        )
    )
    for c in sorted(acts):
        dossier.files.append(bytes_file(f"acts/{c}.json", acts[c].encode()))
        record = loads(acts[c].encode())
        if record["act"] == "notice.publish":
            notice = session.scalar(select(LogDocument).where(LogDocument.hash == record["facts"]["document"]))
            if notice is not None:
                dossier.files.append(bytes_file(f"acts/notices/{notice.hash}.json", notice.text.encode()))


def _take_document(dossier: _Dossier, row: LogDocument) -> None:
    value = loads(payload_of(json.loads(row.text))) if row.signed else json.loads(row.text)
    if row.kind in ("submission", "withdrawal", "attempt", "refusal-list", "omission-claim"):
        if not _shows_bidders(dossier):
            return
        dossier.holders.add((value["bidder"], "bidder"))
    if row.kind == "sheet-commit":
        dossier.holders.add((value["expert"], "expert"))
    of_draw = row.kind == "shares" and value["set"] not in _set_hashes(dossier)
    if row.kind in SECRET_KINDS and not dossier.audit and not of_draw:
        return  # what opens a silent party's escrow gives nothing but its random bytes
    folder = "draw" if of_draw else _FOLDERS[row.kind]
    if row.kind == "commit-list" and value["of"] == dossier.lot.log_of:
        folder = "sheets"
    if row.hash not in dossier.shown:
        dossier.shown.add(row.hash)
        dossier.files.append(bytes_file(f"{folder}/{row.kind}.{row.hash}.json", row.text.encode()))


def _set_hashes(dossier: _Dossier) -> list[str]:
    rows = [ceremony.find(dossier.look.session, dossier.lot, part) for part in officers.bid_envelopes(dossier.lot)]
    return [row.set_hash for row in rows if row is not None]


# --- bids, draws, rules, keys ---------------------------------------------------------------------------------------------------------


def _take_bids(dossier: _Dossier) -> None:
    """Headers and piece digests of the bids of each opening set; the archive of an opened lot holds the sealed files too, but never those
    that stay sealed. Of bids replaced or withdrawn the boxes are never handed out (protocol §5), and of a lot that failed nothing is
    opened."""
    for part in officers.bid_envelopes(dossier.lot):
        _take_bids_of(dossier, part)
        _take_erased(dossier, part)


def _take_bids_of(dossier: _Dossier, part: str) -> None:
    session, lot, blobs = dossier.look.session, dossier.lot, dossier.look.office.blobs
    row = ceremony.find(session, lot, part)
    if row is None and not dossier.audit:
        return
    standing = bids.standing_bids(session, lot, part)
    opened = row is not None and row.opened is not None
    for bid in standing:
        folder = f"bids/{bid.header_hash}"
        dossier.files.append(bytes_file(f"{folder}/header", bids.header_bytes(bid)))
        if not blobs.has(bid.blob):
            continue
        with blobs.open(bid.blob) as source:
            reader = _Hashing(source)
            pieces = sealed_bid.inspect(reader).pieces
        lines = "".join(pieces[i : i + 32].hex() + "\n" for i in range(0, len(pieces), 32))
        dossier.files.append(bytes_file(f"{folder}/pieces.txt", lines.encode()))
        if dossier.audit and opened and row is not None and bid.header_hash not in row.left_sealed:
            dossier.files.append(
                blob_file(
                    f"{folder}/sealed", blobs, bid.blob, sha256=reader.digest.digest(), crc=reader.crc, size=bid.size
                )
            )


def _take_erased(dossier: _Dossier, part: str) -> None:
    """What is kept of bids replaced or withdrawn once their chunks are gone: in the archive alone, for nobody else gets their boxes."""
    blobs = dossier.look.office.blobs
    for row in rechecks.erasures(dossier.look.session, dossier.lot, part) if dossier.audit else ():
        if row.blob and blobs.has(row.blob):
            folder = f"bids/{row.bid.header_hash}"
            dossier.files.append(bytes_file(f"{folder}/header", bids.header_bytes(row.bid)))
            dossier.files.append(bytes_file(f"{folder}/pieces.txt", b"".join(blobs.read(row.blob))))


def _take_evidence(dossier: _Dossier) -> None:
    """The receipts that claims of omission rest on; in the archive what lay in the boxes that were found good after a complaint."""
    session, lot = dossier.look.session, dossier.lot
    for part in officers.bid_envelopes(lot):
        if _shows_bidders(dossier):
            dossier.files += [
                json_file(f"claims/{one.entry}.json", claims.receipt_of(one))
                for one in claims.of_lot(session, lot, part)
            ]
        row = ceremony.find(session, lot, part)
        if row is not None and dossier.audit:
            dossier.files += [
                bytes_file(f"opening/found/{one.header_hash}.{one.j}", unb64u(one.part, 32))
                for one in findings.of_opening(session, row)
                if one.part
            ]


class _Hashing:
    """A reader that hashes what passes."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.digest = hashlib.sha256()
        self.crc = 0

    def read(self, size: int = -1, /) -> bytes:
        data: bytes = self._source.read(size)
        self.digest.update(data)
        self.crc = zlib.crc32(data, self.crc)
        return data


def _take_draws(dossier: _Dossier) -> None:
    rows = dossier.look.session.scalars(
        select(draws.Draw).where(draws.Draw.lot_id == dossier.lot.id).order_by(draws.Draw.id)
    )
    for row in rows:
        name = f"draw/{row.label}.{row.id}"
        for turn in row.turns:
            dossier.files.append(bytes_file(f"{name}/escrow.{turn.party}", unb64u(turn.header)))
        if dossier.audit or row.label == "k":
            document = draws.pool_document(row)
            dossier.files.append(canonical_file(f"{name}/pool.json", {"v": 1, "draw": row.draw, **document}))
        firm = dossier.lot.project.purchaser
        dossier.holders.add((firm.code, "tenderee"))


def _take_rules(dossier: _Dossier) -> None:
    lot = dossier.lot
    project = lot.project
    dossier.files.append(
        canonical_file(
            "rules/lot.json",
            {
                "v": 1,
                "platform": dossier.look.office.platform,
                "tender": lot.tender.ref,
                "lot": lot.no_text,
                "ref": lot.ref,
                "title": lot.title,
                "regime": project.regime,
                "category": project.category,
                "method": project.method,
                "purchaser": project.purchaser.code,
                **{one.name: one.plain(lot) for one in FIELDS if one.bundled},
                "envelopes": officers.bid_envelopes(lot),
                "state": lot.state,
                "failure": lot.failure or "",
            },
        )
    )
    dossier.files.append(json_file("rules/form.json", lot.form))
    if lot.scheme is not None:
        dossier.files.append(json_file("rules/scheme.json", lot.scheme))
    if lot.rules is not None:
        dossier.files.append(json_file("rules/rulebook.json", lot.rules))


def _take_keys(dossier: _Dossier) -> None:
    """Whom the log is held to, and every key ever enrolled for those who signed something here, with its entry."""
    session = dossier.look.session
    holders = dossier.holders | {
        (seat.account.username, "officer")
        for stage in (officers.STANDING, officers.PAST)
        for seat in officers.seats(session, dossier.lot, stage)
    }
    key_of = select(enrolments.EnrolledKey).order_by(enrolments.EnrolledKey.id)
    rows = [
        key
        for (key,) in _chunked(
            dossier, key_of, enrolments.EnrolledKey.holder, sorted({name for name, _role in holders})
        )
        if (key.holder, key.role) in holders
    ]
    rows.sort(key=lambda key: key.id)
    statements = {key.id: document_hash(payload_of(json.loads(key.document))) for key in rows}
    enrolled = select(LogEntry).where(LogEntry.event == "key-enrolled")
    entries = {
        entry.statement: entry
        for (entry,) in _chunked(dossier, enrolled, LogEntry.statement, sorted(statements.values()))
    }
    sealed = log.seats(session, sorted(entry.c for entry in entries.values()))
    for key in rows:
        dossier.files.append(bytes_file(f"keys/{key.sign_kid}.json", key.document.encode()))
        if (entry := entries.get(statements[key.id])) is not None and entry.c in sealed:
            dossier.entries[entry.c] = entry
    dossier.files.append(json_file("keys/trust.json", tickets.trust(dossier.look)))


def _sealed_policies(dossier: _Dossier) -> Mapping[str, dict[str, Any]]:
    """c of the entry → policy document, of every complete policy of the lot."""
    of_lot = select(officers.Policy).where(officers.Policy.lot_id == dossier.lot.id, officers.Policy.log_c.is_not(None))
    rows = dossier.look.session.scalars(of_lot.order_by(officers.Policy.id))
    found = {row.log_c: officers.policy_document(row) for row in rows if row.log_c}
    assert all(policy_id(value) for value in found.values())
    return found
