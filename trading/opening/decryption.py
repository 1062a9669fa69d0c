"""From shares to plain bids: the long part of the opening, outside any transaction (protocol §5 step 5).

Bytes first: every file of every bid goes to the blob store as untrusted content; then one short unit writes all verdicts at once. A
crash in between loses nothing and shows nothing; doing it again gives the same.
"""

from __future__ import annotations

import io
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from crypto import positional
from crypto.canonical import unb64u
from crypto.copied import copies as copied_bids
from crypto.errors import CryptoError
from crypto.headers import CHUNK, Header, join_shares
from crypto.opening import LEFT_SEALED
from crypto.policy_lines import generation_of
from crypto.verdicts import BAD_BOX, RESCUABLE, Finding, Verdict, open_bid, open_with_seed, policy_dead
from trading.bidding import bids, claims, copies, stored
from trading.bidding.bids import SealedBid
from trading.custody import officers
from trading.kernel.access import CLOCK, Act, Actor
from trading.kernel.blobs import LocalBlobs
from trading.kernel.errors import NotFound, TooEarly
from trading.kernel.faults import fault
from trading.kernel.work import Office
from trading.opening import ceremony, co_opening, findings, opening_list, rescue, signed_opening, signed_posted
from trading.opening.ceremony import OPENING_FLOW, Opening
from trading.opening.opening_list import BidVerdict
from trading.tendering.tenders import Lot
from trading.tendering.tenders import lot as find_lot

_AT_ONCE = min(4 * (os.cpu_count() or 1), 8)
"""Bids under way at once: while the files of one wait for the disk others go on."""
_SMALL = 4 * CHUNK
"""Below this a bid is opened on the calling thread: the work is the interpreter's, and threads that took it from each other would need half
as much again. Hashing and decrypting large ones releases it."""

SEALED_ROOT = "SEALED_ROOT"
"""The verdict on a bid whose stored bytes are not those that were signed for."""


class _Sink:
    """Takes one file of a bid: written beside the store, named once the whole bid has been proved."""

    def __init__(self, blobs: LocalBlobs, item: dict[str, Any]) -> None:
        self.item = item
        self.path = blobs.folder / "incoming" / secrets.token_hex(16)
        self._out: BinaryIO = self.path.open("xb")

    def write(self, data: memoryview) -> None:
        self._out.write(data)

    def seek(self, offset: int) -> None:
        self._out.seek(offset)

    def place(self, writing: bool) -> positional.Place:
        """Large files are on their way to the disk while the rest is decrypted, so that the sync at the end has little left."""
        self._out.flush()
        return positional.Place(self._out.fileno(), self._out.tell(), early=writing)

    def finish(self) -> None:
        """The bytes are synced."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()

    def discard(self) -> None:
        self._out.close()
        self.path.unlink(missing_ok=True)


class _Files:
    """The files of one bid."""

    def __init__(self, blobs: LocalBlobs) -> None:
        self.blobs = blobs
        self._sinks: list[_Sink] = []

    def sink(self, item: dict[str, Any]) -> _Sink:
        self._sinks.append(_Sink(self.blobs, item))
        return self._sinks[-1]

    def keep(self, verdict: Verdict) -> list[dict[str, Any]]:
        """Sync and name all of an opened bid."""
        assert verdict.opened is not None
        files = []
        for one, digest, hashed in zip(self._sinks, verdict.opened.digests, verdict.opened.hashes, strict=True):
            one.finish()
            name = hashed.hex()
            self.blobs.adopt(one.path, name)
            files.append(
                {
                    "name": one.item["name"],
                    "size": one.item["size"],
                    "type": one.item["type"],
                    "blob": name,
                    "digest": digest,
                }
            )
        return files

    def discard(self) -> None:
        """What was written beside the store goes; what was named stays."""
        while self._sinks:
            self._sinks.pop().discard()


@dataclass(frozen=True)
class _Task:
    """One bid to open, with all that was posted for it, read beforehand."""

    bid: SealedBid
    header: Header
    sealed_root: bytes
    blob: str
    parts: dict[int, bytes]
    complaints: dict[int, str]
    findings: dict[int, Finding]
    seed: bytes
    """Of a rescue, b"" without one."""
    sides: list[str]
    """Of the officers 1..n this bid was sealed to."""
    outage: bool = False
    """The platform stood still while bidders' own parts were taken."""
    copied: bool = False
    """It holds a box of another bid of the set that re-derives, and does not itself."""

    @property
    def counted(self) -> dict[int, bytes]:
        """All parts that count: those posted, and those that lay in boxes found good."""
        return {**self.parts, **{j: part for j, (_, part) in self.findings.items() if part}}


def open_bids(
    office: Office,
    actor: Actor,
    lot_ref: str,
    *,
    part: str = officers.BID,
    progress: Callable[[int], None] = lambda done: None,
) -> Opening:
    """Open every bid of the set and write the outcome; repeatable. ``progress`` is told after each bid, on any thread, how many have been
    tried, and never what was found.

    Where a bid finds no t good shares and that can be repaired, the first call decrypts nothing: it tells the failures in the log, the
    opening stays LISTED, and a call after the window for repair opens all that can be opened (protocol §5.2).
    Refuses: NotAllowed, NotFound, WrongStep, TooEarly ``opening.shares_running`` while officers may still post, ``opening.repair_running``
    in the window for repair, Conflict ``claim.open``, and as
    ``signed_opening.require_listed``.
    """
    with office.view(actor) as view:
        view.require(Act.OPENING_HOST)
        lot = find_lot(view.session, lot_ref)
        row = ceremony.opening(view.session, lot, part)
        OPENING_FLOW.check(row, "decrypt")
        signed_opening.require_opened(view, row)
        signed_posted.require(view, row)
        if not ceremony.may_decrypt(view.session, row, view.now):
            raise TooEarly("opening.shares_running", until=row.shares_until, now=view.now)
        claims.require_none_open(view, lot, part)
        window = rescue.pause(view.session, row)
        if window is not None and not window.is_over(view.now):
            raise TooEarly("opening.repair_running", until=window.until, now=view.now)
        policy = officers.policy_document(officers.current_policy(view.session, lot, part))
        tasks, dead = _tasks(view.session, row), ceremony.dead(view.session, row)
        file_names = bool(policy["file_names"])
        form, order, left = (
            officers.form_of(lot, part),
            [item["header_hash"] for item in row.bids],
            dict(row.left_sealed),
        )
    if window is None and (failed := rescue.to_note(policy, _stuck(office, lot, tasks))):
        with office.work(actor) as work:
            row = ceremony.opening(work.session, find_lot(work.session, lot_ref), part)
            rescue.note_failures(work, row, failed)
            return row
    verdicts = [_bid_verdict(form, file_names, *one) for one in _open_all(office, lot, tasks, progress)]
    verdicts += [_unopened(Verdict(name, LEFT_SEALED, one["cause"])) for name, one in left.items()]
    verdicts += [_unopened(policy_dead(name, one)) for name, one in dead.items()]
    verdicts.sort(key=lambda one: order.index(one.header_hash))
    with office.work(actor) as work:
        row = ceremony.opening(work.session, find_lot(work.session, lot_ref), part)
        opening_list.record_opened(work, row, verdicts)
        return row


def _tasks(session: Any, row: Opening) -> list[_Task]:
    posted, dead, line = ceremony.posted(session, row), ceremony.dead(session, row), ceremony.generations(session, row)
    found = ceremony.headers(session, row)
    by_hash = {bid.header_hash: bid for bid in bids.standing_bids(session, row.lot, row.part, alone=True)}
    seeds, own, outage = rescue.seeds(session, row), co_opening.parts(session, row), co_opening.outage(session, row)
    judged = findings.by_bid(session, row)
    tasks = []
    for item in row.bids:
        name = item["header_hash"]
        if name in row.left_sealed or name in dead:
            continue
        given = posted[name]
        tasks.append(
            _Task(
                by_hash[name],
                found[name],
                unb64u(by_hash[name].sealed_root, 32),
                by_hash[name].blob,
                {j: unb64u(part, 32) for j, part in given.parts.items()} | ({0: own[name]} if name in own else {}),
                given.errors,
                judged.get(name, {}),
                seeds.get(name, b""),
                [officer["side"] for officer in generation_of(line, found[name].ctx["policy"]).policy["officers"]],
                outage,
            )
        )
    return _with_copies(tasks)


def _with_copies(tasks: list[_Task]) -> list[_Task]:
    copied = copied_bids(
        {task.bid.header_hash: task.header for task in tasks},
        {task.bid.header_hash: task.counted for task in tasks},
        {task.bid.header_hash: task.seed for task in tasks},
    )
    return [replace(task, copied=True) if task.bid.header_hash in copied else task for task in tasks]


def _stuck(office: Office, lot: Lot, tasks: list[_Task]) -> list[Verdict]:
    """The verdicts on those bids whose shares join no seed. Nothing is decrypted."""
    found = []
    for task in tasks:
        try:
            join_shares(task.header, task.parts)
        except CryptoError:
            verdict = _without_seed(office.blobs, task)
            if verdict.code == SEALED_ROOT and _mended(office, lot, task):
                verdict = _without_seed(office.blobs, task)
            found.append(verdict)
    return found


def _open_all(
    office: Office,
    lot: Lot,
    tasks: list[_Task],
    progress: Callable[[int], None],
) -> list[tuple[Verdict, list[dict[str, Any]]]]:
    """The verdict on every bid, and its files, which are in the store by then."""
    files, waiting, counting, tried = (
        [_Files(office.blobs) for _ in tasks],
        threading.BoundedSemaphore(_AT_ONCE),
        threading.Lock(),
        [],
    )

    def keep(at: int, verdict: Verdict) -> tuple[Verdict, list[dict[str, Any]]]:
        kept = files[at].keep(verdict) if verdict.code == "opened" else []
        fault("decrypt.kept")
        files[at].discard()
        with counting:
            tried.append(at)
            progress(len(tried))
        return verdict, kept

    def whole(at: int) -> tuple[Verdict, list[dict[str, Any]]]:
        return keep(at, _open_or_mend(office, lot, tasks[at], files[at]))

    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            trying: dict[int, Future[tuple[Verdict, list[dict[str, Any]]]]] = {}
            for at in (at for at, task in enumerate(tasks) if task.header.plen < _SMALL):
                verdict = _open_or_mend(office, lot, tasks[at], files[at])
                waiting.acquire()  # few bids have files open at once
                trying[at] = pool.submit(keep, at, verdict)
                trying[at].add_done_callback(lambda _: waiting.release())
            trying |= {at: pool.submit(whole, at) for at, task in enumerate(tasks) if task.header.plen >= _SMALL}
        return [trying[at].result() for at in range(len(tasks))]
    finally:
        for one in files:
            one.discard()


def _open_or_mend(office: Office, lot: Lot, task: _Task, files: _Files) -> Verdict:
    """Open a bid; where the stored bytes turn out to be broken only now, from a copy of the second disk or of the mirror, if its root is
    the logged one (protocol §5.1)."""
    found = _open_one(office.blobs, task, files)
    if found.code != SEALED_ROOT or not _mended(office, lot, task):
        return found
    files.discard()
    return _open_one(office.blobs, task, files)


def _without_seed(blobs: LocalBlobs, task: _Task) -> Verdict:
    with _stored(blobs, task.blob) as source:
        return open_bid(
            source,
            task.header,
            sealed_root=task.sealed_root,
            parts=task.parts,
            sides=task.sides,
            complaints=task.complaints,
            outage=task.outage,
            copied=task.copied,
        )


def _mended(office: Office, lot: Lot, task: _Task) -> bool:
    """Whether a copy with the logged root was put in the place of broken bytes; if so the log says where it came from."""
    with office.view(CLOCK) as view:
        kind = copies.mode_of(view.session, lot, task.bid.part)
    source = stored.restore(office, lot, task.bid, kind)
    if not source:
        return False
    with office.work(CLOCK) as work:
        stored.note(work, task.bid, stored.RESTORED, source=source)
        work.record(
            "opening.bytes",
            lot.log_of,
            header_hash=task.bid.header_hash,
            state=stored.RESTORED,
            source=source,
            envelope=task.bid.part,
        )
    return True


def _open_one(blobs: LocalBlobs, task: _Task, files: _Files) -> Verdict:
    with _stored(blobs, task.blob) as source:
        verdict = open_bid(
            source,
            task.header,
            sealed_root=task.sealed_root,
            parts=task.parts,
            sides=task.sides,
            complaints=task.complaints,
            findings=task.findings,
            outage=task.outage,
            copied=task.copied,
            sink=files.sink,
        )
        if task.seed and verdict.code in RESCUABLE | BAD_BOX:
            source.seek(0)
            verdict = open_with_seed(
                source,
                task.header,
                task.seed,
                sealed_root=task.sealed_root,
                complaints=task.complaints,
                sink=files.sink,
            )
    fault("decrypt.bid")
    return verdict


def _bid_verdict(
    form: list[dict[str, Any]], file_names: bool, verdict: Verdict, files: list[dict[str, Any]]
) -> BidVerdict:
    announce = dict(verdict.opened.announce) if verdict.opened else {}
    price, faults = signed_opening.read(form, announce) if verdict.opened else (None, [])
    return BidVerdict(
        verdict.header_hash,
        verdict.code,
        verdict.cause,
        announce,
        price,
        faults,
        files,
        verdict.seed,
        verdict.to_json(file_names),
    )


def _unopened(verdict: Verdict) -> BidVerdict:
    """A bid of the set that nobody opens, listed as such: it stays sealed, or its officers are gone."""
    return BidVerdict(
        verdict.header_hash, verdict.code, verdict.cause, {}, None, [], [], b"", verdict.to_json(file_names=False)
    )


def _stored(blobs: LocalBlobs, name: str) -> BinaryIO:
    """The stored bytes; none at all where they are lost, so that just this bid fails, by the platform's fault (promise R10)."""
    try:
        return blobs.open(name)
    except NotFound:
        return io.BytesIO()
