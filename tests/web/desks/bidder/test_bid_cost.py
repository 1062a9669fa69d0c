"""What a bid asks of the database, bounded: in the last minute before a deadline each question is a twentieth of what a bid costs."""

from __future__ import annotations

import base64
import json

from tests.kit import sealing
from tests.kit.asked import asked
from tests.web.desks.rooms import BYTES, Person, Rooms, sealed_bid
from trading.bidding import participants
from trading.views import own_bids

UPLOAD = 3
"""Who is signed in; lot, firm, key, policies and beginnings of the last hour; the row."""
SUBMISSION = 11
"""Who is signed in; the lot and the participant, each held; all that is in the books; document, entry, its place in the next tick, bid,
standing bid, receipt; the last tick."""
REPLACEMENT = SUBMISSION + 1
"""The bid that stands is read, and changed instead of written."""


def whole(person: Person, ref: str, data: bytes) -> str:
    meta = ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in (("lot", ref), ("envelope", "bid"))
    )
    done = person.client.post(
        "/uploads/acts", data=data, headers={**BYTES, "Upload-Length": str(len(data)), "Upload-Metadata": meta}
    )
    assert done.status_code == 201 and done.headers["Upload-Whole"] == "yes"
    return str(done.headers["Location"]).rpartition("/")[2]


def hand_in(person: Person, ref: str, token: str, submission: object) -> None:
    answer = person.client.post(
        f"/bidder/lots/{ref}/acts/submit",
        headers={"Accept": "application/json"},
        data={**person.marks, "upload": token, "submission": json.dumps(submission)},
    )
    assert answer.get_json()["accepted"] is True


def test_a_bid_asks_the_database_fourteen_questions(rooms: Rooms) -> None:
    world = rooms.world
    other, ref = world.lot("BIDDING"), world.lot("BIDDING")
    for one in (other, ref):
        world.take_part(one)
        sealing.open_for_bids(world, one)
    person, rival = rooms.person("bidder1", "bidder-signer"), rooms.person("bidder2", "bidder-signer")
    for who, username, lot in ((person, "bidder1", other), (rival, "bidder2", ref)):
        who.get(f"/bidder/lots/{lot}")
        bid = sealed_bid(world, lot, username)
        hand_in(
            who, lot, whole(who, lot, bid.data), bid.submission
        )  # a bidder's key, a lot's policy: proved once a process
    replaces = ""
    for most in (SUBMISSION, REPLACEMENT):
        bid = sealed_bid(world, ref, "bidder1", replaces=replaces)
        person.get(f"/bidder/lots/{ref}")
        with asked(world) as statements:
            token = whole(person, ref, bid.data)
        assert len(statements) <= UPLOAD, statements
        with asked(world) as statements:
            hand_in(person, ref, token, bid.submission)
        assert len(statements) <= most, statements
        assert sum("FOR SHARE" in one or "FOR UPDATE" in one for one in statements) == (
            2 if world.office.engine.dialect.name == "postgresql" else 0
        )
        replaces = bid.statement
    with world.view("bidder1") as view:
        taking = participants.own(view, world.lot_in(view, ref))
        assert taking.lot.ref == ref
        with asked(world) as statements:
            card = own_bids.envelope_card(view, taking, "bid")
    assert card.statement == replaces and card.bid is not None and card.bid.c
    assert len(statements) == 2, "what stands with its receipt, and the uploads"
