"""The tus server: offsets, cuts, other people's uploads, what is no sealed bid. Statuses as tus 1.0 names them."""

from __future__ import annotations

import base64
import hashlib
import io
import json

import pytest
from werkzeug.test import TestResponse

from tests.web.desks.rooms import BYTES, TUS, Person, Rooms, announce_upload, hand_in, sealed_bid, upload
from trading.bidding import bids
from trading.kernel import spool
from trading.kernel.access import Act, Role
from web.desks.uploads import PIECE, Body
from web.http.page_rules import PAGES


@pytest.fixture
def lot(rooms: Rooms) -> str:
    ref = rooms.world.lot("BIDDING")
    rooms.world.take_part(ref, "bidder1", "bidder2")
    return ref


@pytest.fixture
def bidder(rooms: Rooms) -> Person:
    return rooms.person("bidder1")


def test_a_file_comes_in_pieces_and_goes_on_where_it_stopped(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1", files={"a.bin": b"\x07" * 5_300_000})
    begun = announce_upload(bidder, lot, len(bid.data))
    assert begun.status_code == 201
    where, at = begun.headers["Location"], 0
    while at < len(bid.data):
        asked = bidder.client.head(where, headers=TUS)
        assert (
            asked.status_code == 200
            and asked.headers["Upload-Offset"] == str(at)
            and asked.headers["Cache-Control"] == "no-store"
        )
        piece = bid.data[at : at + 2_700_001]
        sent = bidder.client.patch(where, data=piece, headers={**BYTES, "Upload-Offset": str(at)})
        at += len(piece)
        assert (
            sent.status_code == 204
            and sent.headers["Upload-Offset"] == str(at)
            and sent.headers["Tus-Resumable"] == "1.0.0"
        )
    whole = bidder.client.head(where, headers=TUS)
    assert whole.headers["Upload-Whole"] == "yes" and whole.headers["Upload-Length"] == str(len(bid.data))
    again = bidder.client.patch(
        where, headers={**BYTES, "Upload-Offset": str(at)}, environ_overrides={"CONTENT_LENGTH": "0"}
    )
    assert again.status_code == 204  # a last answer that was lost may be asked for again


def test_a_cut_line_keeps_what_came(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    where = announce_upload(bidder, lot, len(bid.data)).headers["Location"]
    half = len(bid.data) // 2
    cut = bidder.client.patch(
        where,
        input_stream=io.BytesIO(bid.data[:half]),
        headers={**BYTES, "Upload-Offset": "0"},
        environ_overrides={"CONTENT_LENGTH": str(len(bid.data))},
    )
    assert cut.status_code == 400 and json.loads(cut.text)["code"] == "upload.cut"
    assert bidder.client.head(where, headers=TUS).headers["Upload-Offset"] == str(half)
    rest = bidder.client.patch(where, data=bid.data[half:], headers={**BYTES, "Upload-Offset": str(half)})
    assert rest.status_code == 204 and rest.headers["Upload-Whole"] == "yes"


def test_a_body_that_ends_early_is_no_end() -> None:
    class Cut(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    body = Body(io.BytesIO(b"x" * (PIECE + 5)), PIECE + 6)
    assert [len(piece) for piece in body] == [PIECE, 5] and body.cut
    body = Body(io.BytesIO(b"x" * 9), 4)
    assert b"".join(body) == b"xxxx" and not body.cut
    body = Body(Cut(), 1)  # type: ignore[arg-type]
    assert list(body) == [] and body.cut


def test_wrong_offsets_lengths_and_types(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    where = announce_upload(bidder, lot, len(bid.data)).headers["Location"]
    patch = bidder.client.patch
    assert patch(where, data=b"x", headers={**BYTES, "Upload-Offset": "1"}).status_code == 409
    assert patch(where, data=b"x", headers=BYTES).status_code == 400
    assert patch(where, data=b"x", headers={**BYTES, "Upload-Offset": "-1"}).status_code == 400
    assert patch(where, data=bid.data + b"x", headers={**BYTES, "Upload-Offset": "0"}).status_code == 413
    assert (
        patch(where, data=b"x", headers={**TUS, "Content-Type": "text/plain", "Upload-Offset": "0"}).status_code == 415
    )
    assert patch("/uploads/acts/" + "0" * 48, data=b"x", headers={**BYTES, "Upload-Offset": "0"}).status_code == 404
    assert bidder.client.head(where, headers=TUS).headers["Upload-Offset"] == "0"
    assert announce_upload(bidder, lot, 0).status_code == 422
    assert announce_upload(bidder, lot, 2**40).status_code == 413
    assert announce_upload(bidder, "no-such-lot", 100).status_code == 404
    assert (
        bidder.client.post(
            "/uploads/acts", headers={**TUS, "Upload-Length": "9", "Upload-Metadata": "lot !!!"}
        ).status_code
        == 400
    )
    assert bidder.client.post("/uploads/acts", headers=TUS).status_code == 400


def test_another_writer_has_the_file(rooms: Rooms, lot: str, bidder: Person) -> None:
    import fcntl

    bid = sealed_bid(rooms.world, lot, "bidder1")
    where = announce_upload(bidder, lot, len(bid.data)).headers["Location"]
    with rooms.world.office.spool.path(where.rpartition("/")[2]).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert bidder.client.patch(where, data=bid.data, headers={**BYTES, "Upload-Offset": "0"}).status_code == 423
    assert bidder.client.patch(where, data=bid.data, headers={**BYTES, "Upload-Offset": "0"}).status_code == 204


def test_what_is_no_sealed_bid_is_refused_and_stays_so(rooms: Rooms, lot: str, bidder: Person) -> None:
    plain = b"%PDF-1.7 a price in the open" + b"\0" * 70_000
    where = announce_upload(bidder, lot, len(plain)).headers["Location"]
    refused = bidder.client.patch(where, data=plain, headers={**BYTES, "Upload-Offset": "0"})
    told = json.loads(refused.text)
    assert refused.status_code == 422 and told["code"] == "upload.not_sealed" and told["facts"]["reason"] == "FORMAT"
    assert bidder.client.head(where, headers=TUS).status_code == 410
    assert bidder.client.patch(where, data=b"x", headers={**BYTES, "Upload-Offset": "0"}).status_code == 422
    foreign = sealed_bid(rooms.world, lot, "bidder2")
    where = announce_upload(bidder, lot, len(foreign.data)).headers["Location"]
    refused = bidder.client.patch(where, data=foreign.data, headers={**BYTES, "Upload-Offset": "0"})
    assert refused.status_code == 422 and json.loads(refused.text)["facts"]["reason"] == "CONTEXT_MISMATCH"


def test_nobody_else_sees_an_upload(rooms: Rooms, lot: str, bidder: Person) -> None:
    token = upload(bidder, lot, sealed_bid(rooms.world, lot, "bidder1").data)
    other = rooms.person("bidder2")
    assert other.client.head(f"/uploads/acts/{token}", headers=TUS).status_code == 404
    assert (
        other.client.patch(f"/uploads/acts/{token}", data=b"x", headers={**BYTES, "Upload-Offset": "0"}).status_code
        == 404
    )
    stranger = rooms.app.test_client()
    assert stranger.head(f"/uploads/acts/{token}", headers=TUS).status_code == 403
    clerk = rooms.person("clerk")
    assert clerk.client.head(f"/uploads/acts/{token}", headers=TUS).status_code == 403
    assert announce_upload(clerk, lot, 100).status_code == 403


def test_the_version_header_stands_for_the_token_of_forms(rooms: Rooms, lot: str, bidder: Person) -> None:
    lone = bidder.client.post("/uploads/acts", headers={"Upload-Length": "100"})
    assert lone.status_code == 412 and lone.headers["Tus-Version"] == "1.0.0"
    asked = rooms.app.test_client().options("/uploads/acts")
    assert (
        asked.status_code == 204
        and asked.headers["Tus-Version"] == "1.0.0"
        and "creation" in asked.headers["Tus-Extension"]
    )
    assert not [name for name in asked.headers.keys() if name.lower().startswith("access-control")]


def test_a_checksum_that_does_not_fit_keeps_nothing(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    where = announce_upload(bidder, lot, len(bid.data)).headers["Location"]
    good = "sha256 " + base64.b64encode(hashlib.sha256(bid.data).digest()).decode()
    bad = "sha256 " + base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    headers = {**BYTES, "Upload-Offset": "0"}
    assert bidder.client.patch(where, data=bid.data, headers={**headers, "Upload-Checksum": bad}).status_code == 460
    assert (
        bidder.client.patch(where, data=bid.data, headers={**headers, "Upload-Checksum": "md5 aaaa"}).status_code == 400
    )
    assert bidder.client.head(where, headers=TUS).headers["Upload-Offset"] == "0"
    done = bidder.client.patch(where, data=bid.data, headers={**headers, "Upload-Checksum": good})
    assert done.status_code == 204 and done.headers["Upload-Whole"] == "yes"


def test_a_lot_that_is_over_takes_no_beginning(rooms: Rooms, lot: str, bidder: Person) -> None:
    with rooms.world.view("clock") as view:
        deadline = rooms.world.lot_in(view, lot).deadline
    assert deadline is not None
    rooms.world.clock.set(deadline)
    bidder = rooms.person("bidder1")
    assert announce_upload(bidder, lot, 100_000).status_code == 409


def test_the_doors_stand_in_the_matrix() -> None:
    mine = {name: page for name, page in PAGES.items() if name.startswith("uploads.")}
    assert {(page.method, page.path) for page in mine.values()} == {
        ("OPTIONS", "/uploads/acts"),
        ("POST", "/uploads/acts"),
        ("HEAD", "/uploads/acts/<token>"),
        ("PATCH", "/uploads/acts/<token>"),
    }
    assert all(page.needs is Act.BID_UPLOAD for name, page in mine.items() if name != "uploads.options")
    assert {role for role in Role if mine["uploads.append"].open_to(role)} == {Role.BIDDER_OPERATOR, Role.BIDDER_SIGNER}


# --- bytes with the announcement, and no room for them ----------------------------------------------------------------


def with_bytes(bidder: Person, lot: str, data: bytes, length: int | None = None, /, **headers: str) -> TestResponse:
    meta = ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in (("lot", lot), ("envelope", "bid"))
    )
    return bidder.client.post(
        "/uploads/acts",
        data=data,
        headers={
            **BYTES,
            "Upload-Length": str(len(data) if length is None else length),
            "Upload-Metadata": meta,
            **headers,
        },
    )


def test_a_bid_comes_whole_with_its_announcement(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    done = with_bytes(bidder, lot, bid.data)
    assert (
        done.status_code == 201
        and done.headers["Upload-Whole"] == "yes"
        and done.headers["Upload-Offset"] == str(len(bid.data))
    )
    where = done.headers["Location"]
    assert bidder.client.head(where, headers=TUS).headers["Upload-Whole"] == "yes"
    token = where.rpartition("/")[2]
    assert hand_in(rooms.person("bidder1", Role.BIDDER_SIGNER), lot, bid, token=token).json["accepted"] is True
    assert not list(rooms.world.office.spool.folder.glob(token + "*"))  # the store has the bytes now


def test_the_first_bytes_with_the_announcement_and_the_rest_later(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1", files={"a.bin": b"\x07" * 9_000_000})
    for first in (1_000_000, (8 << 20) + 1):
        begun = with_bytes(bidder, lot, bid.data[:first], len(bid.data))
        assert (
            begun.status_code == 201
            and begun.headers["Upload-Offset"] == str(first)
            and begun.headers["Upload-Whole"] == "no"
        )
        rest = bidder.client.patch(
            begun.headers["Location"], data=bid.data[first:], headers={**BYTES, "Upload-Offset": str(first)}
        )
        assert rest.status_code == 204 and rest.headers["Upload-Whole"] == "yes"


def test_what_is_no_sealed_bid_is_noted_though_it_came_at_once(rooms: Rooms, lot: str, bidder: Person) -> None:
    foreign = sealed_bid(rooms.world, lot, "bidder2")
    for data, reason in ((b"%PDF-1.7" + b"\0" * 70_000, "FORMAT"), (foreign.data, "CONTEXT_MISMATCH")):
        refused = with_bytes(bidder, lot, data)
        assert refused.status_code == 422 and json.loads(refused.text)["facts"]["reason"] == reason
        assert bidder.client.head(refused.headers["Location"], headers=TUS).status_code == 410
        token = refused.headers["Location"].rpartition("/")[2]
        proof = bidder.act(f"/bidder/lots/{lot}/acts/prove-attempt", page=f"/bidder/lots/{lot}", upload=token)
        assert proof.status_code == 303 and "/bidder/receipts/" in proof.headers["Location"]


def test_wrong_announcements_with_bytes_leave_nothing(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    before = sorted(rooms.world.office.spool.folder.iterdir())
    assert with_bytes(bidder, lot, bid.data, len(bid.data) - 1).status_code == 413
    assert with_bytes(bidder, lot, bid.data, **{"Content-Type": "text/plain"}).status_code == 415
    assert with_bytes(bidder, "NONE-1", bid.data).status_code == 404
    assert with_bytes(rooms.person("bidder3"), lot, bid.data).status_code == 404  # takes no part
    bad = "sha256 " + base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert sorted(rooms.world.office.spool.folder.iterdir()) == before
    assert with_bytes(bidder, lot, bid.data, **{"Upload-Checksum": bad}).status_code == 460


def test_a_line_cut_in_the_announcement_keeps_what_came(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    meta = f"lot {base64.b64encode(lot.encode()).decode()}"
    cut = bidder.client.post(
        "/uploads/acts",
        input_stream=io.BytesIO(bid.data[:50_000]),
        environ_overrides={"CONTENT_LENGTH": str(len(bid.data))},
        headers={**BYTES, "Upload-Length": str(len(bid.data)), "Upload-Metadata": meta},
    )
    assert cut.status_code == 400 and json.loads(cut.text)["code"] == "upload.cut"
    where = cut.headers["Location"]
    assert bidder.client.head(where, headers=TUS).headers["Upload-Offset"] == "50000"
    rest = bidder.client.patch(where, data=bid.data[50_000:], headers={**BYTES, "Upload-Offset": "50000"})
    assert rest.status_code == 204 and rest.headers["Upload-Whole"] == "yes"


@pytest.mark.promise("R6")
def test_below_the_reserve_new_uploads_get_a_signed_no_and_all_else_goes_on(
    rooms: Rooms, lot: str, bidder: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's answer about its disk is the only thing changed here."""
    real = spool.disk_usage(rooms.world.office.spool.folder)
    first, second = sealed_bid(rooms.world, lot, "bidder1"), sealed_bid(rooms.world, lot, "bidder1")
    token = upload(bidder, lot, first.data)
    free = min(spool.RESERVE, real.total // 20) + len(second.data) - 1
    monkeypatch.setattr(spool, "disk_usage", lambda _folder: real._replace(free=free, used=real.total - free))
    for refused in (with_bytes(bidder, lot, second.data), announce_upload(bidder, lot, len(second.data))):
        told = json.loads(refused.text)
        assert refused.status_code == 507 and told["code"] == "upload.no_room"
        entry = json.loads(base64.b64decode(told["receipt"]["entry"]["payload"]))
        assert (entry["event"], entry["reason"]) == ("bid-refused", "UNAVAILABLE")
        assert bidder.get(told["location"]).status_code == 200
    assert announce_upload(bidder, lot, 10).status_code == 201  # a smaller one has room
    assert hand_in(rooms.person("bidder1", Role.BIDDER_SIGNER), lot, first, token=token).json["accepted"] is True
    with rooms.world.view("bidder1") as view:
        row = bids.own_receipts(view, rooms.world.lot_in(view, lot))[0]
    assert row.kind == "received"
    monkeypatch.undo()
    assert with_bytes(bidder, lot, second.data).status_code == 201  # no restart needed
