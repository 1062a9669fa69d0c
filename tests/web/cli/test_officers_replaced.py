"""`bidhall share`, `open` and `export opening` where officers were replaced while bids lay sealed: nothing changes by hand."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit import commands, replacing, sealing
from tests.kit.commands import Desk, Ran
from tests.kit.replacing import DEADLY, SHUFFLED, Named
from tests.kit.world import DEADLINE, World
from tests.trading.custody.test_replacements import statement_of
from tests.web.cli.test_offline_opening import copy_database, export
from trading import publication
from trading.custody import policies
from trading.opening import ceremony, decryption, shares


def price(at: int) -> dict[str, str]:
    return sealing.FORM | {"price": f"{2_700_000 + at}.00"}


def played(desk: Desk, world: World, lot: str, named: Named, *, dies: bool = False) -> None:
    """Three bids, other officers, bidder2 seals anew; the set is published, package and key files lie on the desk."""
    for at, username in enumerate(world.bidders):
        assert sealing.hand_in(world, lot, username, *sealing.seal(world, lot, username, form=price(at))).accepted
    replacing.replace_officers(world, lot, named, dies=dies)
    made = sealing.seal(world, lot, "bidder2", replaces=statement_of(world, lot, "bidder2"), form=price(100))
    assert sealing.hand_in(world, lot, "bidder2", *made).accepted
    world.tick()
    desk.write("ticket.json", commands.ticket(world, lot))
    sealing.close(world, lot)
    sealing.list_set(world, lot)
    desk.write("opening.json", commands.package(world, lot))
    for username, _ in named:
        commands.key_file(desk, world, username, "officer", f"{username}.json")


def share(desk: Desk, username: str) -> Ran:
    return desk.run(
        "share",
        desk.path("opening.json"),
        "--key",
        desk.path(f"{username}.json"),
        "-o",
        desk.path(f"{username}.shares"),
        "--passphrase-file",
        desk.passphrase,
        "--json",
        "--force",
    )


def exported(desk: Desk, world: World, lot: str) -> Path:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("the backup of this test is a copy of an SQLite file")
    backup = desk.folder / "backup"
    shutil.copytree(world.office.blobs.folder, backup / "blobs")
    copy_database(world, backup)
    (backup / "rehearsal").touch()
    return export(desk, world, lot)


def test_two_generations_are_opened_by_the_same_commands(desk: Desk, world: World, lot: str) -> None:
    played(desk, world, lot, SHUFFLED)
    told = {username: share(desk, username) for username, _ in SHUFFLED}
    assert {username: (ran.code, ran.json["j"], ran.json["bids"]) for username, ran in told.items()} == {
        "officer4": (0, 1, 3),
        "officer6": (0, 2, 1),
        "officer1": (0, 3, 3),
        "officer3": (0, 4, 3),
        "officer2": (0, 5, 3),
    }
    folder = exported(desk, world, lot)
    came = [
        part
        for username in ("officer1", "officer4", "officer3")
        for part in ("--shares", desk.path(f"{username}.shares"))
    ]
    done = desk.run(
        "open", str(folder), "--trust", desk.path("ticket.json"), *came, "-o", desk.path("opened"), "--json"
    )
    assert done.code == 0, done.err
    assert {row["announce"]["price"] for row in done.json["bids"]} == {"2700000.00", "2700100.00", "2700002.00"}
    old = next(row for row in done.json["bids"] if row["announce"]["price"] == "2700000.00")
    one = desk.run(
        "open", str(folder / "bids" / old["header_hash"] / "sealed"), *came, "-o", desk.path("one"), "--json"
    )
    assert one.code == 0 and one.json["officers"] == [1, 3, 4], "by the numbers of the boxes, not by those of now"
    new = [
        part
        for username in ("officer6", "officer1", "officer4")
        for part in ("--shares", desk.path(f"{username}.shares"))
    ]
    few = desk.run("open", str(folder), "--trust", desk.path("ticket.json"), *new, "-o", desk.path("few"), "--json")
    assert few.code == 1
    assert sorted(row["verdict"] for row in few.json["bids"]) == ["TOO_FEW_SHARES", "TOO_FEW_SHARES", "opened"]
    for username, _ in SHUFFLED:
        with world.work(username) as work:
            shares.accept_share(
                work, ceremony.opening(work.session, world.lot_in(work, lot)), desk.read(f"{username}.shares")
            )
    decryption.open_bids(world.office, world.actor("host"), lot)
    with world.view("host") as view:
        assert len(ceremony.opened_of_lot(view.session, world.lot_in(view, lot))) == 3


def test_who_left_has_no_key_here(desk: Desk, world: World, lot: str) -> None:
    played(desk, world, lot, SHUFFLED)
    commands.key_file(desk, world, "officer5", "officer", "officer5.json")
    ran = share(desk, "officer5")
    assert ran.code == 1 and "CONTEXT_MISMATCH" in ran.err


def test_dead_bids_are_named_and_opened_by_nobody(desk: Desk, world: World, lot: str) -> None:
    played(desk, world, lot, DEADLY, dies=True)
    for username, _ in DEADLY:
        ran = share(desk, username)
        assert (ran.code, ran.json["bids"]) == (0, 1), "of the one bid that is alive"
    folder = exported(desk, world, lot)
    came = [part for username, _ in DEADLY for part in ("--shares", desk.path(f"{username}.shares"))]
    done = desk.run(
        "open", str(folder), "--trust", desk.path("ticket.json"), *came, "-o", desk.path("opened"), "--json"
    )
    assert done.code == 1
    assert sorted((row["verdict"], row["cause"]) for row in done.json["bids"]) == [
        ("POLICY_DEAD", "unknown"),
        ("POLICY_DEAD", "unknown"),
        ("opened", ""),
    ]


# --- what an officer's machine keeps --------------------------------------------------------------------------------------------------


def waiting(desk: Desk, world: World, lot: str, username: str) -> str:
    """What /hall/LOT/officer/policies hands to an officer."""
    with world.view(username) as view:
        rows = [row for row in policies.policies_to_sign(view) if row.lot.ref == lot]
        return desk.write(
            "policies.json",
            {
                "policies": [
                    {"envelope": row.envelope, "policy_id": row.policy_id, "payload": row.payload} for row in rows
                ]
            },
        )


def sign(desk: Desk, username: str, source: str, *more: str) -> Ran:
    return desk.run(
        "sign-policies",
        source,
        "--key",
        desk.path(f"{username}.json"),
        "-o",
        desk.path(f"{username}.policies"),
        "--passphrase-file",
        desk.passphrase,
        "--json",
        "--force",
        *more,
    )


def extend(world: World, lot: str, days: int) -> None:
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, lot), deadline=DEADLINE + timedelta(days=days), reason="顺延")


def bid_and_list(desk: Desk, world: World, lot: str) -> None:
    for username in world.bidders:
        assert sealing.hand_in(world, lot, username, *sealing.seal(world, lot, username)).accepted
    world.tick()
    sealing.close(world, lot)
    sealing.list_set(world, lot)
    desk.write("opening.json", commands.package(world, lot))


def test_signed_by_hand_kept_beside_the_key_and_taken_by_the_hall(desk: Desk, world: World, lot: str) -> None:
    keys = commands.key_file(desk, world, "officer1", "officer", "officer1.json")
    extend(world, lot, 3)
    ran = sign(desk, "officer1", waiting(desk, world, lot, "officer1"))
    assert ran.code == 0, ran.err
    assert (
        ran.json["kept"] == keys + ".signed"
        and oct((desk.folder / "officer1.json.signed").stat().st_mode)[-3:] == "600"
    )
    kept = desk.read("officer1.json.signed")
    assert {row["policy"] for row in kept["signed"]} == {one["policy"] for one in ran.json["policies"]}
    with world.work("officer1") as work:
        policies.sign_policies(work, world.lot_in(work, lot), desk.read("officer1.policies"))
    world.sign_policies(lot, only=("officer2", "officer3", "officer4", "officer5"))
    bid_and_list(desk, world, lot)
    assert share(desk, "officer1").code == 0, "the newest it signed is in the line"
    replacing.hire(world)
    commands.key_file(desk, world, "officer7", "officer", "officer7.json")
    again = sign(desk, "officer7", desk.path("policies.json"))
    assert again.code == 1 and "CONTEXT_MISMATCH" in again.err, "policies that name another key"


def test_a_package_that_hides_a_policy_this_key_signed_is_refused(desk: Desk, world: World, lot: str) -> None:
    """The extension waits for ever: to officer1's machine that looks just like a later policy that is hidden."""
    commands.key_file(desk, world, "officer1", "officer", "officer1.json")
    extend(world, lot, 3)
    ran = sign(desk, "officer1", waiting(desk, world, lot, "officer1"))
    assert ran.code == 0
    (never,) = [one["policy"] for one in ran.json["policies"] if one["envelope"] == "bid"]
    bid_and_list(desk, world, lot)
    refused = share(desk, "officer1")
    assert (
        refused.code == 1
        and "CONTEXT_MISMATCH" in refused.err
        and never in refused.err
        and "--never-in-force" in refused.err
    )
    assert not (desk.folder / "officer1.shares").exists()
    told = desk.run(
        "share",
        desk.path("opening.json"),
        "--key",
        desk.path("officer1.json"),
        "-o",
        desk.path("officer1.shares"),
        "--passphrase-file",
        desk.passphrase,
        "--json",
        "--never-in-force",
        never,
    )
    assert told.code == 0, told.err
    assert share(desk, "officer1").code == 0, "forgotten from then on"
    bad = desk.write("officer1.json.signed", {"type": "other"})
    assert share(desk, "officer1").code == 2 and Path(bad).exists()
