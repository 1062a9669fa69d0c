"""A flood of refused attempts: a signed no for each, eight slots, one list a tick for the rest, and nobody else's affair (protocol §4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from crypto.canonical import unb64u
from crypto.documents import MAX_LISTED, sign_document
from crypto.errors import CryptoError
from crypto.receipts import IN_LOG, SUBMITTED, Receipt, verify_receipt
from crypto.signatures import document_hash, payload_of
from tests.kit import sealing, stages
from tests.kit.rows import unchanged
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading import timeline
from trading.bidding import bids, closing, floods, tickets, uploads
from trading.bidding.floods import FloodListed, FloodWaiting
from trading.disclosure import audit as auditing
from trading.kernel import log
from trading.kernel.audit import LogEntry, LogPending
from trading.kernel.errors import NotReady

EIGHT = 8


@pytest.fixture
def ref(world: World) -> str:
    return stages.bidding(world)


class Flooder:
    """A bidder whose submissions speak of another lot: each is refused, and each is another document."""

    def __init__(self, world: World, ref: str, username: str) -> None:
        self.world, self.ref, self.username, self.turn = world, ref, username, 0
        sealed, self.submission = sealing.seal(world, ref, username)
        with world.work(username, SIGNER) as work:
            self.token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
        uploads.receive(world.office, world.actor(username, SIGNER), self.token, offset=0, pieces=[sealed])

    def attempt(self) -> bids.Outcome:
        self.turn += 1
        payload = bids.submission_payload(self.submission) | {"lot": "9", "tool": f"flood/{self.turn}"}
        return self.send(sign_document("submission", payload, self.world.keys[self.username].sign))

    def send(self, submission: Any) -> bids.Outcome:
        with self.world.work(self.username, SIGNER) as work:
            return bids.submit(work, self.world.lot_in(work, self.ref), token=self.token, submission=submission)

    def flood(self, count: int) -> list[bids.Outcome]:
        return [self.attempt() for _ in range(count)]


def verified(world: World, username: str, outcome: bids.Outcome) -> tuple[Receipt, dict[str, Any]]:
    document = sealing.receipt_of(world, username, outcome)
    with world.view("clock") as view:
        platform = [unb64u(one) for one in tickets.trust(view)["platform_keys"]]
    return verify_receipt(document, platform, log.log_key(world.office.platform, world.office.keys), ()), document


@pytest.mark.promise("U1")
def test_each_gets_a_signed_no_eight_a_slot_and_the_rest_one_list(world: World, ref: str) -> None:
    one, other = Flooder(world, ref, "bidder1"), Flooder(world, ref, "bidder2")
    outcomes, others = one.flood(EIGHT + 5), other.flood(EIGHT + 1)
    assert {outcome.reason for outcome in outcomes} == {"CONTEXT_MISMATCH"}
    assert len({outcome.receipt.c for outcome in outcomes}) == EIGHT + 5
    assert all(verified(world, "bidder1", outcome)[0].state == SUBMITTED for outcome in outcomes)
    with world.view("clock") as view:
        waiting = set(view.session.scalars(select(LogEntry.c).join(LogPending, LogPending.entry_id == LogEntry.id)))
    assert {o.receipt.c for o in outcomes} & waiting == {o.receipt.c for o in outcomes[:EIGHT]}
    world.tick()
    lists = []
    for place, outcome in enumerate(outcomes):
        found, document = verified(world, "bidder1", outcome)
        assert found.state == IN_LOG and found.proven is not None and found.proven.at <= found.entry["tick_by"]
        assert ("list" in document) is (place >= EIGHT)
        lists += [document["list"]] if place >= EIGHT else []
    assert len(lists) == 5 and all(one == lists[0] for one in lists)
    assert lists[0]["refusals"]["entries"] == sorted((o.receipt.c for o in outcomes[EIGHT:]), key=unb64u)
    _found, document = verified(world, "bidder2", others[-1])
    assert document["list"]["refusals"]["entries"] == [others[-1].receipt.c]  # a list tells nothing of anybody else
    assert one.send(one.submission).accepted  # and shuts nobody out


def test_the_next_tick_has_its_own_list_and_an_answer_asked_again_is_the_first(world: World, ref: str) -> None:
    flooder = Flooder(world, ref, "bidder1")
    flooder.flood(EIGHT)
    first = flooder.attempt()
    world.tick()
    second = flooder.attempt()
    flooder.turn -= 1
    with unchanged(world):
        assert flooder.attempt().receipt.c == second.receipt.c
    world.tick()
    lists = [verified(world, "bidder1", outcome)[1]["list"] for outcome in (first, second)]
    assert [one["refusals"]["entries"] for one in lists] == [[first.receipt.c], [second.receipt.c]]
    assert lists[0]["entry"] != lists[1]["entry"]


def test_the_closing_list_holds_the_list_and_not_what_stands_in_it(world: World, ref: str) -> None:
    flooder = Flooder(world, ref, "bidder1")
    outcomes = flooder.flood(EIGHT + 3)
    sealing.close(world, ref)
    with world.view("clock") as view:
        listed = set(closing.closing(view.session, world.lot_in(view, ref)).entries["entries"])
        events = sorted(view.session.scalars(select(LogEntry.event).where(LogEntry.c.in_(listed))))
    with world.view("watch") as view:
        assert auditing.verify(view).ok
    assert {o.receipt.c for o in outcomes} & listed == {o.receipt.c for o in outcomes[:EIGHT]}
    assert events == ["bid-refusals"] + ["bid-refused"] * EIGHT


def test_a_full_list_stamps_nothing_until_the_next_tick(
    world: World, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_LISTED == 1000
    monkeypatch.setattr(floods, "MAX_LISTED", 4)  # a parameter of ours; the protocol's own is asserted above
    flooder = Flooder(world, ref, "bidder1")
    flooder.flood(EIGHT + 4)
    with unchanged(world), pytest.raises(NotReady) as refusal:
        flooder.attempt()
    assert refusal.value.code == "bid.too_many_refusals"
    assert flooder.send(flooder.submission).accepted
    world.tick()
    assert flooder.attempt().reason == "CONTEXT_MISMATCH"


def test_an_auditor_finds_a_refusal_that_no_list_tells_of(world: World, ref: str) -> None:
    flooder = Flooder(world, ref, "bidder1")
    outcomes = flooder.flood(EIGHT + 2)
    world.tick()
    with world.view("watch") as view:
        assert auditing.verify(view).ok
        assert view.session.scalar(select(func.count()).select_from(FloodWaiting)) == 0
        listed = view.session.get_one(FloodListed, outcomes[-1].receipt.c)
        other = view.session.scalar(select(LogEntry.c).where(LogEntry.event == "bid-refused").limit(1))
    with world.office.engine.begin() as connection:
        for trigger in ("flood_listed_no_update", "flood_listed_append_only"):
            if connection.dialect.name == "sqlite" and trigger.endswith("no_update"):
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
            if connection.dialect.name == "postgresql" and trigger.endswith("append_only"):
                connection.exec_driver_sql(f"DROP TRIGGER {trigger} ON flood_listed")
        connection.execute(update(FloodListed).where(FloodListed.c == listed.c).values(list_c=other))
    with world.view("watch") as view:
        found = auditing.verify(view)
    assert not found.ok and listed.c in json.dumps(found.faults)


def test_a_list_that_lacks_the_entry_or_is_another_lots_proves_nothing(world: World, ref: str) -> None:
    flooder = Flooder(world, ref, "bidder1")
    outcomes = flooder.flood(EIGHT + 2)
    world.tick()
    _found, document = verified(world, "bidder1", outcomes[-1])
    platform, key = [world.office.keys.public], log.log_key(world.office.platform, world.office.keys)
    for change in ({"entries": [outcomes[-2].receipt.c]}, {"lot": "2"}, {"bidder": "x"}):
        refusals = document["list"]["refusals"] | change
        assert document_hash(refusals) != json.loads(payload_of(document["list"]["entry"]))["statement"]
        with pytest.raises(CryptoError):
            verify_receipt({**document, "list": {**document["list"], "refusals": refusals}}, platform, key, ())


def test_rows_of_the_list_stay(world: World, ref: str) -> None:
    from sqlalchemy.exc import DBAPIError

    Flooder(world, ref, "bidder1").flood(EIGHT + 1)
    timeline.turn(world.office)
    world.tick()
    for change in (update(FloodListed).values(list_c="x"), delete(FloodListed)):
        with pytest.raises(DBAPIError, match="append-only"), world.office.engine.begin() as connection:
            connection.execute(change)
