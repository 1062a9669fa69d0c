"""kill -9 at every step of upload, submission, replacement and withdrawal: nothing acknowledged is lost, nothing is half there, and the
client that comes back gets its first answer (promises R3, R5, R6, R13)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from crypto import sealed_bid
from crypto.canonical import format_time, unb64u
from crypto.documents import sign_document
from crypto.signatures import document_hash, payload_of
from tests.faults.ground import KILLS, Told, Worker, copied, log_holds, points, sealed_again, worker
from tests.kit import sealing, stages
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading.bidding import bids, uploads
from trading.bidding.bids import BidReceipt, SealedBid, StandingBid
from trading.bidding.uploads import Upload
from trading.kernel.audit import LogEntry

WHO = "bidder1"
PATH = (
    "trading/bidding/uploads.py",
    "trading/bidding/bids.py",
    "trading/kernel/spool.py",
    "trading/kernel/work.py",
    "trading/kernel/commit_queue.py",
)
BLOBS = ("blob.linked", "blob.named")
NOT_ON_THIS_WAY = ("bid.withdrawn",)
TURNS = ("turns.commit", "turns.committed")
"""Of the queue of SQLite's writers."""
STEP = 200_000


@dataclass
class Client:
    """A bidder's client: it has its sealed file and signed submission, asks what arrived, and goes on from there."""

    ref: str
    sealed: bytes
    submission: Any
    token: str = ""

    def __call__(self, world: World, tell: Told) -> None:
        if not self.token:
            with world.work(WHO, SIGNER) as work:
                token = uploads.start(work, world.lot_in(work, self.ref), length=len(self.sealed)).token
            tell(token=token)
            self.token = token
        actor = world.actor(WHO, SIGNER)
        at = uploads.arrived(world.office, actor, self.token)
        while not at.whole:
            pieces = [
                self.sealed[i : i + STEP // 4] for i in range(at.size, min(at.size + STEP, len(self.sealed)), STEP // 4)
            ]
            at = uploads.receive(
                world.office, actor, self.token, offset=at.size, pieces=[p[: at.length - at.size] for p in pieces]
            )
            tell(whole=at.whole)
        with world.work(WHO, SIGNER) as work:
            outcome = bids.submit(work, world.lot_in(work, self.ref), token=self.token, submission=self.submission)
        tell(c=outcome.receipt.c, accepted=outcome.accepted)

    @property
    def statement(self) -> str:
        return document_hash(payload_of(self.submission))


def after(client: Client, world: World, died: Worker, *, standing: str) -> str:
    """What must hold whatever happened, then the client's second try; returns the statement that stands now."""
    assert died.killed and not died.error, died.error
    for fact in died.acked:
        client.token = fact.get("token", client.token)
    told = [fact["c"] for fact in died.acked if "c" in fact]
    nothing_half_there(world, client, told, standing=standing)
    done = worker(world, client)
    assert not done.error and done.acked[-1]["accepted"], done.error
    if told:
        assert done.acked[-1]["c"] == told[0]  # the first answer again (R13)
    nothing_half_there(world, client, [done.acked[-1]["c"]], standing=standing)
    again = worker(world, client)
    assert again.acked[-1]["c"] == done.acked[-1]["c"]
    return client.statement


def nothing_half_there(world: World, client: Client, told: list[str], *, standing: str) -> None:
    with world.view("clock") as view:
        session = view.session
        stands = session.scalars(select(StandingBid)).all()
        assert len(stands) <= 1
        bid = session.scalar(select(SealedBid).where(SealedBid.statement == client.statement))
        receipts = session.scalars(select(BidReceipt).where(BidReceipt.statement == client.statement)).all()
        entries = session.scalars(select(LogEntry).where(LogEntry.statement == client.statement)).all()
        assert len(receipts) == len(entries) == (1 if bid is not None else 0)  # all of it or nothing
        if told:
            assert bid is not None and [row.c for row in receipts] == told  # what was acknowledged is there
        if bid is not None:
            assert [row.bid.statement for row in stands] == [client.statement] and receipts[0].c == bid.c
            with world.office.blobs.open(bid.blob) as source:
                assert sealed_bid.inspect(source).sealed_root == unb64u(bid.sealed_root)
        else:
            assert [row.bid.statement for row in stands] == ([standing] if standing else [])
        for row in session.scalars(select(Upload).where(Upload.blob.is_not(None))):
            assert world.office.blobs.has(row.blob or "")  # no row without bytes
    log_holds(world)


@pytest.fixture
def ready(world: World) -> tuple[World, str]:
    return world, stages.bidding(world)


def test_the_points_of_the_way_are_known() -> None:
    assert set(points(*PATH)) | set(BLOBS) == {
        "upload.begun",
        "upload.asked",
        "upload.arrived",
        "upload.digests",
        "upload.noted",
        "spool.piece",
        "spool.written",
        "spool.synced",
        "work.commit",
        "work.committed",
        "bid.signed",
        "bid.stored",
        "bid.receipt",
        "bid.withdrawn",
        *TURNS,
        *BLOBS,
    }


@pytest.mark.promise("R3")
@pytest.mark.promise("R13")
@pytest.mark.pg
def test_killed_once_at_every_step_of_upload_and_submission(ready: tuple[World, str], tmp_path: Path) -> None:
    world, ref = ready
    standing = ""
    with copied(world, tmp_path / "killed") as mine:
        here = TURNS if world.office.engine.dialect.name == "sqlite" else ()
        named = sorted((set(points(*PATH)) | set(BLOBS)) - set(NOT_ON_THIS_WAY) - set(TURNS) | set(here))
        for order in [
            *(f"{name}:kill@1" for name in named),
            "work.commit:kill@2",
            "work.commit:kill@3",
            "work.committed:kill@2",
            "work.committed:kill@3",
            "spool.piece:kill@6",
        ]:
            client = Client(ref, *sealed_again(mine, ref, WHO, replaces=standing))
            standing = after(client, mine, worker(mine, client, fault=order), standing=standing)
        with mine.view("clock") as view:
            kept = view.session.scalar(select(func.count()).select_from(SealedBid))
        assert kept == len(named) + 5


@pytest.mark.promise("R3")
@pytest.mark.pg
def test_killed_at_every_step_of_a_withdrawal(ready: tuple[World, str], tmp_path: Path) -> None:
    world, ref = ready
    with copied(world, tmp_path / "killed") as mine:
        for order in ("bid.withdrawn:kill@1", "bid.receipt:kill@1", "work.commit:kill@1", "work.committed:kill@1"):
            client = Client(ref, *sealed_again(mine, ref, WHO))
            assert worker(mine, client).acked[-1]["accepted"]
            with mine.view("clock") as view:
                lot = mine.lot_in(view, ref)
                facts = {"platform": mine.office.platform, "tender": lot.tender.ref, "lot": lot.no_text}
            document = {
                "v": 1,
                **facts,
                "envelope": "bid",
                "bidder": sealing.code_of(mine, WHO),
                "statement": client.statement,
                "at": format_time(mine.now),
            }
            paper = sign_document("withdrawal", document, mine.keys[WHO].sign)

            def withdraw(one: World, tell: Told, paper: Any = paper) -> None:
                with one.work(WHO, SIGNER) as work:
                    tell_later = bids.withdraw(work, one.lot_in(work, ref), withdrawal=paper)
                tell(c=tell_later.receipt.c, accepted=tell_later.accepted)

            died = worker(mine, withdraw, fault=order)
            assert died.killed and not died.acked
            done = worker(mine, withdraw)
            assert not done.error and done.acked[-1]["accepted"], done.error
            with mine.view("clock") as view:
                assert view.session.scalars(select(StandingBid)).all() == []
                receipts = view.session.scalars(
                    select(BidReceipt).where(
                        BidReceipt.kind == "withdrawn", BidReceipt.statement == document_hash(payload_of(paper))
                    )
                ).all()
                assert [row.c for row in receipts] == [done.acked[-1]["c"]]
            log_holds(mine)


@pytest.mark.promise("R5")
@pytest.mark.promise("R6")
@pytest.mark.parametrize(
    "order",
    [
        *(
            f"{name}:ENOSPC@1"
            for name in sorted(
                (set(points(*PATH)) | set(BLOBS)) - {*NOT_ON_THIS_WAY, "work.committed", "turns.committed"}
            )
        ),
        "spool.piece:ENOSPC@2",
        "spool.synced:EIO@1",
        "blob.named:EIO@1",
        "work.commit:ENOSPC@3",
        "turns.commit:EIO@3",
        "bid.stored:EIO@1",
    ],
)
def test_a_disk_that_fails_refuses_and_accepts_after(ready: tuple[World, str], tmp_path: Path, order: str) -> None:
    world, ref = ready
    if world.office.engine.dialect.name != "sqlite" and order.startswith("turns."):
        pytest.skip("a queue of SQLite's")
    with copied(world, tmp_path / "full") as mine:
        client = Client(ref, *sealed_again(mine, ref, WHO))
        died = worker(mine, client, fault=order)
        assert not died.killed and ("Errno 28" in died.error or "Errno 5" in died.error)
        client.token = next((fact["token"] for fact in died.acked if "token" in fact), "")
        assert not [fact for fact in died.acked if "c" in fact]  # no receipt for what is not on the disk
        nothing_half_there(mine, client, [], standing="")
        done = worker(mine, client)
        assert not done.error and done.acked[-1]["accepted"]
        nothing_half_there(mine, client, [done.acked[-1]["c"]], standing="")


@pytest.mark.promise("R6")
def test_a_database_without_room_refuses_the_submission_and_takes_it_after(
    ready: tuple[World, str], tmp_path: Path
) -> None:
    """SQLite really full (max_page_count), not a raised error."""
    world, ref = ready
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("how full PostgreSQL is cannot be set")
    with copied(world, tmp_path / "full") as mine:
        client = Client(ref, *sealed_again(mine, ref, WHO))

        def no_room(one: World, tell: Told) -> None:
            from sqlalchemy import event

            @event.listens_for(one.office.engine, "connect")
            def _small(connection: Any, _record: Any) -> None:
                connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0]}")

            client(one, tell)
            for _ in range(200):  # until the free pages are used up
                Client(ref, client.sealed, client.submission)(one, lambda **_facts: None)

        died = worker(mine, no_room)
        assert "database or disk is full" in died.error
        log_holds(mine)
        told = [fact["c"] for fact in died.acked if "c" in fact]
        client.token = next((fact["token"] for fact in died.acked if "token" in fact), "")
        nothing_half_there(mine, client, told[:1], standing="")
        done = worker(mine, client)
        assert not done.error and done.acked[-1]["accepted"] and (not told or done.acked[-1]["c"] == told[0])


@pytest.mark.skipif(not KILLS, reason="the long loop: make faults")
@pytest.mark.promise("R3")
def test_long_every_pass_of_any_step(ready: tuple[World, str], tmp_path: Path) -> None:
    """N = 1, 2, 3 … of any point until a run is clean: with what dies in between, every single pass has died once."""
    world, ref = ready
    order, standing = 1, ""
    while order:
        with copied(
            world, tmp_path / "killed"
        ) as mine:  # anew now and then: the whole log is verified after every death
            standing = ""
            for _ in range(25):
                client = Client(ref, *sealed_again(mine, ref, WHO, replaces=standing))
                died = worker(mine, client, fault=f"*:kill@{order}")
                if not died.killed:
                    assert not died.error and died.acked[-1]["accepted"], died.error
                    break
                standing, order = after(client, mine, died, standing=standing), order + 1
            else:
                continue
            break
    print(f"upload path, forked workers: killed at each of its {order - 1} passes: 0 lost, 0 half there", flush=True)
