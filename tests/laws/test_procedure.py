"""The procedure as one law: random people do random acts on one lot while the clock jumps to and fro, and whatever they do

- no bid is accepted at or after the deadline, or once the closing list is written, whatever the clock says;
- no bid can be read before the opening, and none ever with fewer shares than the policy asks for;
- a refusal changes no row; a refused attempt leaves its receipt and nothing else;
- every entry is in the log by its tick, every receipt can be proved, the set is the one the list replays to.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from crypto.canonical import unb64u
from crypto.opening import replay
from crypto.receipts import IN_LOG, verify_receipt
from crypto.signatures import document_hash, payload_of
from tests.kit import opening_steps, sealing, stages
from tests.kit.database import Databases
from tests.kit.opening_steps import ALL
from tests.kit.rows import changed, fingerprint
from tests.kit.world import World
from tests.trading.bidding.test_bids import REFUSED, submit, upload, withdraw
from trading import timeline
from trading.bidding import bids, closing
from trading.bidding.bids import BidReceipt, SealedBid
from trading.kernel import audit, log
from trading.kernel.audit import LogEntry, LogPending
from trading.kernel.db import open_engine
from trading.kernel.errors import NotFound, Refusal, WrongStep
from trading.kernel.log import LogSeat
from trading.kernel.log_ticks import LogTick
from trading.opening import ceremony, decryption, opening_set, shares
from trading.tendering.tenders import LOT_FLOW

BIDDERS = st.sampled_from(["bidder1", "bidder2", "bidder3"])
PLACES = st.sampled_from([-3600, -90, -10, 0, 1, 30, 59, 60, 61, 125, 300, 2000, 5000])
"""Seconds from the deadline: where the clock may jump to, back and forth."""
FOUND = (Phase.explicit, Phase.generate)
"""A failing run is told as it was found: shrinking a whole procedure would take minutes."""
ORDER = ["BIDDING", "OPENING", "QUAL_REVIEW"]


class Procedure(RuleBasedStateMachine):
    databases: Databases
    folder: Path

    @initialize(before=st.sampled_from([45, 90, 400]))
    def begin(self, before: int) -> None:
        """Bids are in from two of three, and the deadline is near."""
        self.stack = ExitStack()
        self.engine = open_engine(self.stack.enter_context(self.databases.fresh()))
        self.place = self.folder / str(id(self))
        self.world = World(self.engine, self.place)
        self.ref, self.ready = stages.reach(self.world, "two of three", two_of_three)
        with self.world.view("clock") as view:
            lot = self.world.lot_in(view, self.ref)
            assert lot.deadline is not None
            self.deadline, self.t = lot.deadline, 3
        self.world.clock.set(self.deadline - timedelta(seconds=before))
        self.made: dict[str, Any] = {}
        self.came: set[str] = set()
        self.furthest = 0

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            self.world.clock.set(max(self.world.now, self.newest() or self.world.now) + timedelta(minutes=5))
            for _ in range(2):
                timeline.turn(self.world.office)
                self.world.clock.advance(minutes=2)
            self.every_receipt_is_proved()
        finally:
            self.engine.dispose()
            self.stack.close()
            shutil.rmtree(self.place, ignore_errors=True)

    # --- how acts are done ------------------------------------------------------------------------------------------

    def newest(self) -> Any:
        with self.world.view("clock") as view:
            return view.session.scalar(select(func.max(LogTick.at)))

    def attempt(self, act: Callable[[], Any]) -> Any:
        """Do it; a refusal must leave every row as it was."""
        before = fingerprint(self.world)
        try:
            return act()
        except Refusal:
            assert changed(self.world, before) == set()
            return None

    def handed_in(self, act: Callable[[], bids.Outcome], arrived: datetime | None = None) -> None:
        """A yes only in time; a no leaves its receipt alone."""
        before = fingerprint(self.world)
        closed = self.closing() is not None
        outcome = self.attempt(act)
        if outcome is None:
            return
        fresh = changed(self.world, before) != set()
        if not outcome.accepted:
            assert changed(self.world, before) <= REFUSED
        elif fresh:
            assert (arrived or self.world.now) < self.deadline and not closed

    def closing(self) -> closing.Closing | None:
        with self.world.view("clock") as view:
            return closing.find(view.session, self.world.lot_in(view, self.ref))

    # --- acts -------------------------------------------------------------------------------------------------------

    @rule(place=PLACES, turns=st.booleans())
    def the_clock_jumps(self, place: int, turns: bool) -> None:
        """Back and forth round the deadline; a moment before it is a microsecond before it."""
        self.world.clock.set(self.deadline + timedelta(seconds=place, microseconds=-1 if place == 0 else 0))
        if turns:
            timeline.turn(self.world.office)

    @rule()
    def the_deadline_comes(self) -> None:
        self.world.clock.set(self.deadline)

    @rule()
    def the_clock_turns(self) -> None:
        timeline.turn(self.world.office)

    @rule(number=st.integers(0, 3), queued=st.sampled_from([0, 0, 30]))
    def somebody_hands_in(self, number: int, queued: int) -> None:
        """What was uploaded in time is handed in at any time, and may wait in our queue."""
        who, token, submission = self.ready[number]
        self.made[who] = (token, submission)
        arrived = self.world.now
        self.world.clock.advance(seconds=queued)
        self.handed_in(lambda: submit(self.world, self.ref, who, token, submission, arrived_at=arrived), arrived)

    @rule(who=BIDDERS)
    def somebody_uploads(self, who: str) -> None:
        sealed, submission = sealing.seal(self.world, self.ref, who, replaces=self.standing(who))
        token = self.attempt(lambda: upload(self.world, self.ref, who, sealed))
        assert (token is not None) == (self.world.now < self.deadline)
        if token is not None:
            self.made[who] = (token, submission)

    @precondition(lambda self: self.made)
    @rule(who=BIDDERS)
    def somebody_asks_again(self, who: str) -> None:
        if who in self.made:
            token, submission = self.made[who]
            self.handed_in(lambda: submit(self.world, self.ref, who, token, submission))

    @rule(who=BIDDERS, whose=BIDDERS)
    def somebody_withdraws(self, who: str, whose: str) -> None:
        with self.world.view("clock") as view:
            statement = self.standing(whose)
            if not statement:
                return
            submission = audit.document(view.session, statement)
        before = self.standing(whose)
        self.handed_in(lambda: withdraw(self.world, self.ref, who, submission))
        assert who == whose or self.standing(whose) == before

    @rule()
    def the_host_lists(self) -> None:
        def act() -> None:
            with self.world.work("host") as work:
                opening_set.list_bids(work, self.world.lot_in(work, self.ref))

        self.attempt(act)

    @precondition(lambda self: self.listed())
    @rule(officer=st.sampled_from(ALL))
    def an_officer_releases(self, officer: str) -> None:
        def act() -> bool:
            opening_steps.share(self.world, self.ref, officer)
            return True

        if self.attempt(act):
            self.came.add(officer)

    @precondition(lambda self: self.listed())
    @rule()
    def the_host_extends(self) -> None:
        def act() -> None:
            with self.world.work("host") as work:
                shares.extend_window(work, stages.opening_of(self.world, work, self.ref), reason="停电")

        self.attempt(act)

    @rule()
    def the_host_decrypts(self) -> None:
        self.attempt(lambda: decryption.open_bids(self.world.office, self.world.actor("host"), self.ref))

    # --- what is always so ------------------------------------------------------------------------------------------

    def standing(self, who: str) -> str:
        with self.world.view("clock") as view:
            rows = bids.standing_bids(view.session, self.world.lot_in(view, self.ref))
            return next((row.statement for row in rows if row.party_id == self.world.party_ids[who]), "")

    def listed(self) -> bool:
        with self.world.view("clock") as view:
            return ceremony.find(view.session, self.world.lot_in(view, self.ref)) is not None

    @invariant()
    def no_bid_after_the_deadline_or_the_closing(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.world.view("clock") as view:
            lot = self.world.lot_in(view, self.ref)
            taken = list(view.session.scalars(select(SealedBid)))
            assert all(row.at < self.deadline for row in taken)
            row = closing.find(view.session, lot)
            if row is None:
                assert ceremony.find(view.session, lot) is None
                return
            assert {one.c for one in taken} <= set(row.entries["entries"])
            entries = [audit.entry(view.session, c) for c in row.entries["entries"]]
            documents = {
                e.statement: json.loads(payload_of(audit.document(view.session, e.statement)))
                for e in entries
                if e.event in ("bid-received", "bid-replaced", "bid-withdrawn")
            }
            payloads = [json.loads(payload_of(json.loads(e.envelope))) for e in entries]
            current = replay(payloads, documents, tender=lot.tender.ref, lot=lot.no_text, envelope="bid")
            standing = sorted(bids.standing_bids(view.session, lot), key=lambda b: unb64u(b.header_hash))
            assert [b["statement"] for b in current] == [b.statement for b in standing]
            found = ceremony.find(view.session, lot)
            assert found is None or found.bids == current

    @invariant()
    def nothing_is_readable_before_it_is_opened(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.world.view("officer1") as view:
            lot = self.world.lot_in(view, self.ref)
            found = ceremony.find(view.session, lot)
            if found is None:
                with pytest.raises(NotFound):
                    ceremony.opened_of_lot(view.session, lot)
                return
            rows = ceremony.opened_bids(view.session, found)
            if found.opened is None:
                assert rows == []
                with pytest.raises(WrongStep):
                    ceremony.seeds_for_officer(view, found)
            elif len(self.came) < self.t:
                assert {row.verdict for row in rows} == {"TOO_FEW_SHARES"} and not any(
                    row.announce or row.seed for row in rows
                )
            else:
                assert {row.verdict for row in rows} == {"opened"} and all(row.price_minor for row in rows)

    @invariant()
    def the_lot_only_goes_on(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.world.view("clock") as view:
            state = self.world.lot_in(view, self.ref).state
        assert state in LOT_FLOW.states
        at = len(ORDER) if state == "FAILED" else ORDER.index(state)
        assert at >= self.furthest
        self.furthest = at

    @invariant()
    def no_entry_waits_beyond_its_tick(self) -> None:
        if not hasattr(self, "world"):
            return
        newest = self.newest()
        with self.world.view("clock") as view:
            waiting = view.session.scalars(
                select(LogEntry.tick_by).join(LogPending, LogPending.entry_id == LogEntry.id)
            )
            assert all(by > newest for by in waiting)

    def every_receipt_is_proved(self) -> None:
        key = log.log_key(self.world.office.platform, self.world.office.keys)
        with self.world.view("clock") as view:
            ticks = list(view.session.execute(select(LogTick.tick, LogTick.at).order_by(LogTick.tick)))
            assert [at for _, at in ticks] == sorted({at for _, at in ticks})
            seats = view.session.execute(
                select(LogEntry.tick_by, LogSeat.tick).join(LogSeat, LogSeat.entry_id == LogEntry.id)
            )
            for by, tick in seats:  # the first tick at or after its hour, or one before
                assert tick <= next((number for number, at in ticks if at >= by), tick)
            assert view.session.scalar(select(func.count()).select_from(LogPending)) == 0
            for receipt in view.session.scalars(select(BidReceipt)):
                found = verify_receipt(
                    json.loads(json.dumps(bids.receipt_document(view.session, receipt))),
                    [self.world.office.keys.public],
                    key,
                    (),
                )
                assert found.state == IN_LOG and found.entry["statement"] == receipt.statement
                kept = audit.document(view.session, receipt.statement)
                assert document_hash(payload_of(kept) if "payload" in kept else kept) == receipt.statement


def two_of_three(world: World) -> tuple[str, list[tuple[str, str, Any]]]:
    """Two bids stand; four more are uploaded and signed: two that replace them, two of the third bidder."""
    ref = stages.bidding(world)
    ready = []
    for username in ("bidder1", "bidder2", "bidder3", "bidder3"):
        replaces = ""
        if username != "bidder3":
            made = sealing.seal(world, ref, username)
            assert sealing.hand_in(world, ref, username, *made).accepted
            replaces = document_hash(payload_of(made[1]))
        sealed, submission = sealing.seal(world, ref, username, replaces=replaces)
        ready.append((username, upload(world, ref, username, sealed), submission))
    world.tick()
    return ref, ready


@pytest.mark.promise("R2")
@pytest.mark.promise("R7")
@pytest.mark.promise("R14")
def test_whatever_people_and_clocks_do(databases: Databases, tmp_path: Path) -> None:
    class Here(Procedure):
        pass

    Here.databases, Here.folder = databases, tmp_path
    run_state_machine_as_test(Here, settings=settings(max_examples=8, stateful_step_count=22, phases=FOUND))
