"""`bidhall share` and `bidhall open`: from sealing by hand to the hall's own decryption, and what an officer's client refuses."""

from __future__ import annotations

import io
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto import sealed_bid
from crypto.canonical import b64u
from crypto.documents import sign_document
from crypto.signatures import payload_of
from tests.kit import commands, sealing
from tests.kit.commands import Desk
from tests.kit.world import OFFICERS, Keys, World
from tests.trading.opening.test_co_opening import listed as co_listed
from tests.trading.opening.test_co_opening import on, post
from tests.trading.opening.test_draw_files import in_draw, listed, package_of, to_opening
from tests.web.cli.test_seal import bare
from trading import draws
from trading.bidding import bids, tickets
from trading.hall import package as opening_package
from trading.opening import ceremony, co_opening, decryption
from trading.opening import shares as opening_shares
from trading.opening.files import to_files

OFFER = {"技术方案.txt": b"plan " * 1000, "one.bin": b"1", ".hidden": b"h"}


@pytest.fixture
def hall(desk: Desk, world: World, lot: str) -> str:
    """Three bids sealed by command, handed in, the lot closed and its set published; the package lies on the desk."""
    ticket = desk.write("ticket.json", commands.ticket(world, lot))
    form = desk.write("form.json", sealing.FORM)
    offers = [desk.write(name, data) for name, data in OFFER.items()]
    for username in world.bidders:
        keys = commands.key_file(desk, world, username, "bidder", f"{username}.json")
        ran = desk.run(
            "seal",
            "--ticket",
            ticket,
            "--key",
            keys,
            "--form",
            form,
            *offers,
            "-o",
            desk.path(username),
            "--passphrase-file",
            desk.passphrase,
        )
        assert ran.code == 0, ran.err
        assert sealing.hand_in(
            world, lot, username, Path(desk.path(username)).read_bytes(), desk.read(f"{username}.submission.json")
        ).accepted
    world.tick()
    sealing.close(world, lot)
    sealing.list_set(world, lot)
    desk.write("opening.json", commands.package(world, lot))
    return lot


def share(desk: Desk, world: World, username: str, source: str = "opening.json", *more: str) -> commands.Ran:
    keys = commands.key_file(desk, world, username, "officer", f"{username}.json")
    return desk.run(
        "share",
        desk.path(source),
        "--key",
        keys,
        "-o",
        desk.path(f"{username}.shares"),
        "--passphrase-file",
        desk.passphrase,
        "--json",
        "--force",
        *more,
    )


def test_from_sealing_by_hand_to_the_halls_own_decryption(desk: Desk, world: World, hall: str) -> None:
    for j, (username, _, _) in enumerate(OFFICERS, start=1):
        ran = share(desk, world, username)
        assert ran.code == 0, ran.err
        told = [ran.json[name] for name in ("j", "bids", "errors", "trust", "unwitnessed")]
        assert told == [j, 3, [], "enclosed", True]
        with world.work(username) as work:
            opening_shares.accept_share(
                work, ceremony.opening(work.session, world.lot_in(work, hall)), desk.read(f"{username}.shares")
            )
    decryption.open_bids(world.office, world.actor("host"), hall)
    with world.view("host") as view:
        opened = ceremony.opened_of_lot(view.session, world.lot_in(view, hall))
        assert len(opened) == 3 and all(bid.announce == sealing.FORM for bid in opened)


def test_a_bid_opens_from_any_threshold_of_shares_and_from_no_fewer(desk: Desk, world: World, hall: str) -> None:
    for username in ("officer2", "officer4", "officer5"):
        assert share(desk, world, username).code == 0
    shares = [desk.path(f"{username}.shares") for username in ("officer5", "officer2", "officer4")]
    ran = desk.run("open", desk.path("bidder1"), "--shares", *shares, "-o", desk.path("out"), "--json")
    assert ran.code == 0, ran.err
    assert json.loads(Path(desk.path("out/form.json")).read_bytes()) == ran.json["announce"] == sealing.FORM
    assert {path.name: path.read_bytes() for path in Path(desk.path("out/files")).iterdir()} == OFFER
    assert ran.json["officers"] == [2, 4, 5] and [row["name"] for row in ran.json["files"]] == list(OFFER)
    few = desk.run("open", desk.path("bidder1"), "--shares", shares[0], "--shares", shares[1], "-o", desk.path("few"))
    assert few.code == 1 and "[TOO_FEW_SHARES]" in few.err and not Path(desk.path("few")).exists()


def test_open_writes_all_or_nothing_and_over_nothing(desk: Desk, world: World, hall: str) -> None:
    for username in ("officer1", "officer3", "officer5"):
        share(desk, world, username)
    arguments = [
        part
        for username in ("officer1", "officer3", "officer5")
        for part in ("--shares", desk.path(f"{username}.shares"))
    ]
    spoiled = bytearray(Path(desk.path("bidder1")).read_bytes())
    spoiled[-5] ^= 1
    ran = desk.run("open", desk.write("spoiled", bytes(spoiled)), *arguments, "-o", desk.path("bad"))
    assert ran.code == 1 and "[CHUNK_AUTH]" in ran.err and not Path(desk.path("bad")).exists()
    os.mkdir(desk.path("full"))
    mine = Path(desk.write("full/mine.txt", b"mine"))
    assert desk.run("open", desk.path("bidder1"), *arguments, "-o", desk.path("full")).code == 2
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]
    assert desk.run("open", desk.path("bidder1"), *arguments, "-o", desk.path("full"), "--force").code == 0
    assert mine.read_bytes() == b"mine" and Path(desk.path("full/files/one.bin")).read_bytes() == b"1"
    assert not [path.name for path in desk.folder.iterdir() if path.name.startswith(".") and path.name != ".hidden"]


def test_shares_of_another_bid_or_a_wrong_part_are_named(desk: Desk, world: World, hall: str) -> None:
    for username in ("officer1", "officer3", "officer5"):
        share(desk, world, username)
    document = json.loads(payload_of(desk.read("officer5.shares")))
    for item in document["items"]:
        item["part"] = b64u(bytes(32))
    desk.write("officer5.shares", sign_document("shares", document, world.keys["officer5"].sign))
    arguments = [
        part
        for username in ("officer1", "officer3", "officer5")
        for part in ("--shares", desk.path(f"{username}.shares"))
    ]
    ran = desk.run("open", desk.path("bidder1"), *arguments, "-o", desk.path("out"))
    assert ran.code == 1 and "[SHARE_COMMIT]" in ran.err
    stranger, _ = sealing.seal(world, hall, "bidder1")
    ran = desk.run("open", desk.write("stranger", stranger), *arguments, "-o", desk.path("out"))
    assert ran.code == 2 and "no share of this bid" in ran.err
    ran = desk.run(
        "open", desk.path("bidder1"), "--shares", desk.path("bidder1.submission.json"), "-o", desk.path("out")
    )
    assert ran.code == 2 and "SIG_TYPE" in ran.err
    assert not Path(desk.path("out")).exists()


def test_a_folder_and_a_zip_serve_as_well(desk: Desk, world: World, hall: str) -> None:
    package = desk.read("opening.json")
    desk.write("opening.zip", opening_package.package_zip(package))
    for name, data in to_files(package).items():
        path = desk.folder / "backup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    share(desk, world, "officer1")  # the first use, which says more
    plain = share(desk, world, "officer1").json
    assert share(desk, world, "officer1", "opening.zip").json == plain
    assert share(desk, world, "officer1", "backup").json == plain


def test_a_damaged_zip_or_another_file_is_exit_2(desk: Desk, world: World, hall: str) -> None:
    whole = opening_package.package_zip(desk.read("opening.json"))
    middle = bytearray(whole)
    middle[len(whole) // 3] ^= 0xFF
    for data in (whole[:-30], bytes(middle), b"PK", b"{}", b"[]", b"", json.dumps(desk.read("ticket.json")).encode()):
        desk.write("bad", data)
        ran = share(desk, world, "officer1", "bad")
        assert ran.code == 2 and ran.err and ran.out == "", (data[:20], ran)
    assert share(desk, world, "officer1", "absent").code == 2


def test_no_share_before_claims_end_on_the_officers_own_clock(desk: Desk, world: World, hall: str) -> None:
    world.clock.set(world.now - timedelta(minutes=2))
    ran = share(desk, world, "officer1")
    assert ran.code == 1 and "[UNAVAILABLE]" in ran.err and not Path(desk.path("officer1.shares")).exists()


def test_a_stranger_and_a_bidder_give_no_shares(desk: Desk, world: World, hall: str) -> None:
    world.keys["officer9"] = Keys()
    ran = desk.run(
        "share",
        desk.path("opening.json"),
        "--key",
        _stranger(desk, world),
        "-o",
        desk.path("s"),
        "--passphrase-file",
        desk.passphrase,
    )
    assert ran.code == 1 and "[CONTEXT_MISMATCH]" in ran.err
    ran = desk.run(
        "share",
        desk.path("opening.json"),
        "--key",
        desk.path("bidder1.json"),
        "-o",
        desk.path("s"),
        "--passphrase-file",
        desk.passphrase,
    )
    assert ran.code == 2 and not Path(desk.path("s")).exists()


def _stranger(desk: Desk, world: World) -> str:
    return commands.key_file(desk, world, "officer9", "officer", "officer9.json")


def test_a_hall_that_hides_a_bid_or_speaks_with_another_key_gets_nothing(desk: Desk, world: World, hall: str) -> None:
    package: dict[str, Any] = desk.read("opening.json")
    document = json.loads(payload_of(package["opening_set"]))
    document["bids"].pop()
    short = {**package, "opening_set": sign_document("opening-set", document, world.office.keys.signing)}
    short.pop("opening_set_receipt")
    desk.write("short.json", short)
    ran = share(desk, world, "officer1", "short.json")
    assert ran.code == 1 and "[SET_OMISSION]" in ran.err
    other = desk.write("other.json", commands.other_trust(package["trust"]))
    ran = share(desk, world, "officer1", "opening.json", "--trust", other)
    assert ran.code == 1 and "[SIG]" in ran.err
    assert share(desk, world, "officer1", "opening.json", "--trust", desk.path("ticket.json")).json["trust"] == "given"
    again = share(desk, world, "officer1").json
    assert (again["trust"], again["not_checked"]) == ("known", [])
    desk.write("forged.json", {**package, "trust": commands.other_trust(package["trust"])})
    ran = share(desk, world, "officer1", "forged.json")
    assert ran.code == 1 and "[known.changed]" in ran.err
    desk.write("opening.json", {**package, "enrolments": 5})
    assert "[JSON_PROFILE]" in share(desk, world, "officer1").err


def test_sharing_and_opening_need_no_server(desk: Desk, world: World, hall: str) -> None:
    clock = world.now.isoformat()
    for username in ("officer1", "officer2", "officer3"):
        keys = commands.key_file(desk, world, username, "officer", f"{username}.json")
        ran = bare(
            "share",
            desk.path("opening.json"),
            "--key",
            keys,
            "-o",
            desk.path(f"{username}.shares"),
            "--passphrase-file",
            desk.passphrase,
            BIDHALL_TEST_CLOCK=clock,
        )
        assert ran.returncode == 0, ran.stderr.decode()
    ran = bare(
        "open",
        desk.path("bidder2"),
        "--shares",
        *(desk.path(f"officer{j}.shares") for j in (1, 2, 3)),
        "-o",
        desk.path("out"),
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert json.loads(Path(desk.path("out/form.json")).read_bytes()) == sealing.FORM


def test_the_escrow_of_a_draw_is_opened_by_the_same_command(desk: Desk, world: World) -> None:
    ref, _ = listed(world)
    to_opening(world, ref)
    desk.write("draw.json", package_of(world, ref))
    ran = share(desk, world, "officer1", "draw.json")
    assert ran.code == 0 and (ran.json["j"], ran.json["bids"]) == (1, 2), ran.err
    with world.work("officer1") as work:
        draws.release_escrow(work, in_draw(work, world, ref), desk.read("officer1.shares"))
    world.clock.set(world.now - timedelta(seconds=1))
    ran = share(desk, world, "officer1", "draw.json")
    assert ran.code == 1 and "[UNAVAILABLE]" in ran.err


# --- co-opening ---------------------------------------------------------------------------------------------------------------


def co_package(world: World, ref: str, username: str) -> dict[str, Any]:
    """What the bidder downloads from its page of the opening."""
    with world.view(username, sealing.SIGNER) as view:
        row = ceremony.opening(view.session, world.lot_in(view, ref))
        return dict(json.loads(json.dumps(co_opening.package(view, row) | {"trust": tickets.trust(view)})))


def own_part(desk: Desk, world: World, username: str, *more: str) -> commands.Ran:
    keys = commands.key_file(desk, world, username, "bidder", f"{username}.json")
    return desk.run(
        "share",
        desk.path(f"{username}.package"),
        "--key",
        keys,
        "-o",
        desk.path(f"{username}.part"),
        "--passphrase-file",
        desk.passphrase,
        "--force",
        *more,
    )


def test_a_bidder_gives_its_own_part_by_command_and_the_hall_opens(desk: Desk, world: World) -> None:
    ref = co_listed(world)
    for username in world.bidders:
        desk.write(f"{username}.package", co_package(world, ref, username))
        ran = own_part(desk, world, username, "--json")
        assert ran.code == 0, ran.err
        assert ran.json["ok"] and ran.json["header_hash"] == desk.read(f"{username}.package")["header_hash"]
        post(world, ref, username, desk.read(f"{username}.part"))
    on(world, ref, ticking=True)
    desk.write("opening.json", commands.package(world, ref))
    for username, _, _ in OFFICERS:
        assert share(desk, world, username).code == 0
        with world.work(username) as work:
            opening_shares.accept_share(
                work, ceremony.opening(work.session, world.lot_in(work, ref)), desk.read(f"{username}.shares")
            )
    decryption.open_bids(world.office, world.actor("host"), ref)
    with world.view("host") as view:
        lot = world.lot_in(view, ref)
        assert [bid.verdict for bid in ceremony.opened_of_lot(view.session, lot)] == ["opened"] * 3
        (sealed,) = [bid for bid in bids.standing_bids(view.session, lot) if bid.party_id == world.party_ids["bidder1"]]
        with world.office.blobs.open(sealed.blob) as source:
            desk.write("sealed", source.read())
    shares = [desk.path(f"{username}.shares") for username in ("officer1", "officer3", "officer5")]
    short = desk.run("open", desk.path("sealed"), "--shares", *shares, "-o", desk.path("out"))
    assert short.code == 1 and "[BIDDER_PART_MISSING]" in short.err  # officers alone open nothing
    both = desk.run(
        "open", desk.path("sealed"), "--shares", *shares, desk.path("bidder1.part"), "-o", desk.path("out"), "--json"
    )
    assert both.code == 0, both.err


def test_no_part_is_made_for_another_set_another_bid_or_by_another_key(desk: Desk, world: World) -> None:
    ref = co_listed(world)
    good = co_package(world, ref, "bidder1")
    desk.write("bidder2.package", good)
    assert own_part(desk, world, "bidder2").code == 1  # the box is not theirs
    assert not Path(desk.path("bidder2.part")).exists()
    stranger, _ = sealing.seal(world, ref, "bidder1")
    wrong = {"header": b64u(sealed_bid.inspect(io.BytesIO(stranger)).header.raw)}
    desk.write("bidder1.package", good | wrong)
    ran = own_part(desk, world, "bidder1")
    assert ran.code == 1 and "[SET_OMISSION]" in ran.err
    forged = json.loads(payload_of(good["opening_set"])) | {"at": "2026-03-24T01:31:01Z"}
    desk.write("bidder1.package", good | {"opening_set": sign_document("opening-set", forged, Keys().sign)})
    ran = own_part(desk, world, "bidder1")
    assert ran.code == 1 and "[SIG]" in ran.err
