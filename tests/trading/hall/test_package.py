"""The package of an opening: taken from a real hall, checked offline, held against a hall that cheats."""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from crypto.canonical import b64u, format_time, unb64u
from crypto.documents import sign_document
from crypto.errors import CryptoError
from crypto.keys import ed25519_public
from crypto.opening import release_shares
from crypto.trust import Trust, trust_of
from tests.kit import sealing
from tests.kit.world import OFFICERS, Keys, World
from trading.bidding import bids
from trading.hall import package as opening_package
from trading.kernel.access import Role
from trading.kernel.errors import NotAllowed, NotFound
from trading.opening import ceremony, decryption, shares
from trading.opening.files import check_package, from_files, header_name, read_package, to_files

Package = dict[str, Any]


def played(world: World) -> str:
    """Three bidders bid, one replaces, one attempt is refused; the lot is closed and the set published."""
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    first = standing(world, ref, world.bidders[0])
    assert sealing.hand_in(
        world, ref, world.bidders[0], *sealing.seal(world, ref, world.bidders[0], replaces=first)
    ).accepted
    stranger = sealing.seal(world, ref, world.bidders[1], replaces=first)
    assert sealing.hand_in(world, ref, world.bidders[1], *stranger).reason == "CONTEXT_MISMATCH"
    world.tick()
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    return ref


def standing(world: World, ref: str, username: str) -> str:
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        code = sealing.code_of(world, username)
        return next(bid.statement for bid in bids.standing_bids(view.session, lot) if bid.party.code == code)


def package_of(world: World, ref: str, username: str = "officer1") -> Package:
    with world.view(username) as view:
        made = opening_package.package(view, world.lot_in(view, ref))
    return dict(json.loads(json.dumps(made)))


def check(world: World, package: Package) -> Any:
    return check_package(read_package(package), trust_of(package["trust"]), now=format_time(world.now))


def refused(world: World, package: Package, trust: Trust | None = None) -> str:
    with pytest.raises(CryptoError) as refusal:
        check_package(read_package(package), trust or trust_of(package["trust"]), now=format_time(world.now))
    return refusal.value.code


@pytest.fixture
def hall(world: World) -> tuple[World, str, Package]:
    ref = played(world)
    return world, ref, package_of(world, ref)


def test_an_officer_replays_the_hall_to_the_same_set_and_the_shares_open_it(hall: tuple[World, str, Package]) -> None:
    world, ref, package = hall
    checked = check(world, package)
    assert len(checked.set.bids) == len(checked.headers) == 3
    assert package["officer"] == {"name": "officer1", "j": 1, "side": "platform"}
    for j, (username, _, _) in enumerate(OFFICERS, start=1):
        document = release_shares(
            checked.set,
            checked.headers,
            j=j,
            secrets=partial(world.policy_secret, username),
            now=format_time(world.now),
        )
        with world.work(username) as work:
            shares.accept_share(
                work,
                ceremony.opening(work.session, world.lot_in(work, ref)),
                sign_document("shares", document, world.keys[username].sign),
            )
    decryption.open_bids(world.office, world.actor("host"), ref)
    with world.view("host") as view:
        opened = ceremony.opened_of_lot(view.session, world.lot_in(view, ref))
        assert [(bid.announce["price"], bid.price_minor) for bid in opened] == [("2750000.00", 275000000)] * 3


def test_files_and_zip_give_the_same_package(hall: tuple[World, str, Package]) -> None:
    _, _, package = hall
    files = to_files(package)
    assert from_files(files) == package and "opening/set.json" in files and "policy/000.json" in files
    again = zipfile.ZipFile(io.BytesIO(opening_package.package_zip(package)))
    assert from_files({name: again.read(name) for name in again.namelist()}) == package
    assert opening_package.package_zip(package) == opening_package.package_zip(package)
    assert {f"bids/{bid}/header" for bid in map(_name, package["headers"])} <= set(files)


def _name(header: str) -> str:
    return header_name(unb64u(header))


def test_no_bytes_of_bids_and_no_header_outside_the_set(hall: tuple[World, str, Package]) -> None:
    world, ref, package = hall
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        standing_headers = {bid.header for bid in bids.standing_bids(view.session, lot)}
    assert set(package["headers"]) == standing_headers and len(package["statements"]) == 4
    assert len(json.dumps(package)) < 400_000


def test_only_officers_of_the_lot_and_the_host_are_handed_it(hall: tuple[World, str, Package]) -> None:
    world, ref, _ = hall
    assert package_of(world, ref, "host")["officer"] is None
    for username, role in (("bidder1", Role.BIDDER_SIGNER), ("clerk", None), ("agent", None)):
        with pytest.raises(NotAllowed), world.view(username, role) as view:
            opening_package.package(view, world.lot_in(view, ref))


def test_nothing_before_the_set_is_published(world: World) -> None:
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    for username in world.bidders:
        sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username))
    sealing.close(world, ref)
    with pytest.raises(NotFound) as refusal, world.view("officer1") as view:
        opening_package.package(view, world.lot_in(view, ref))
    assert refusal.value.code == "opening.not_yet"


def test_a_hall_that_cheats_gets_no_share(hall: tuple[World, str, Package]) -> None:
    world, _, package = hall

    def changed(**changes: Any) -> Package:
        return {**copy.deepcopy(package), **changes}

    assert refused(world, changed(entries=package["entries"][1:])) == "LOG_OMISSION"
    assert refused(world, changed(headers=package["headers"][1:])) == "SET_CONFLICT"
    assert refused(world, changed(headers=[*package["headers"][1:], *package["headers"][1:2]])) == "SET_CONFLICT"
    assert refused(world, changed(statements=package["statements"][1:])) == "SET_CONFLICT"
    assert refused(world, changed(enrolments=package["enrolments"][:-1])) == "SET_CONFLICT"
    assert refused(world, changed(enrolments=package["enrolments"][1:])) == "SIG"
    assert refused(world, changed(consistency=[])) == "TICK_PROOF"
    assert (
        refused(
            world,
            changed(
                enrolments=[
                    {**package["enrolments"][0], "receipt": package["deadline_receipt"]},
                    *package["enrolments"][1:],
                ]
            ),
        )
        == "CONTEXT_MISMATCH"
    )
    without = changed()
    del without["before_closing"]
    assert refused(world, without) == "TICK_PROOF"


def test_trust_from_an_earlier_day_unmasks_another_platform(hall: tuple[World, str, Package]) -> None:
    world, _, package = hall
    other = {**package["trust"], "platform_keys": [b64u(stranger())]}
    assert refused(world, package, trust_of(other)) == "SIG"


def stranger() -> bytes:
    return ed25519_public(Keys().sign)


def test_too_early_on_the_officers_own_clock(hall: tuple[World, str, Package]) -> None:
    world, _, package = hall
    with pytest.raises(CryptoError) as refusal:
        check_package(
            read_package(package), trust_of(package["trust"]), now=format_time(world.now - timedelta(hours=1))
        )
    assert refusal.value.code == "UNAVAILABLE"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.pop("policies"),
        lambda p: p.update(type="bidhall-bundle"),
        lambda p: p.update(headers="x"),
        lambda p: p.update(consistency=[{"from": 1}]),
        lambda p: p.update(enrolments=[{}]),
        lambda p: p.update(trust=[]),
    ],
)
def test_a_package_of_another_form_is_named_as_such(hall: tuple[World, str, Package], spoil: Any) -> None:
    world, _, package = hall
    spoiled = copy.deepcopy(package)
    spoil(spoiled)
    with pytest.raises(CryptoError) as refusal:
        check_package(read_package(spoiled), trust_of(package["trust"]), now=format_time(world.now))
    assert refusal.value.code == "JSON_PROFILE"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inside for place in places(child, (*path, key)))]


def test_whatever_is_spoiled_is_refused_with_a_code_and_never_an_error(hall: tuple[World, str, Package]) -> None:
    """Every part of the package that carries weight: another value there is a refusal, whatever its type."""
    world, _, package = hall
    trust, now = trust_of(package["trust"]), format_time(world.now)
    idle = {
        "officer",
        "trust",
        "platform",
        "tender",
        "lot",
        "envelope",
    }  # told for people; the proofs speak for themselves
    found = [place for place in places(package) if place and place[0] not in idle and place[-1] != "keyid"]
    chance = random.Random(20260324)
    for place in chance.sample(found, 120):
        spoiled = copy.deepcopy(package)
        at: Any = spoiled
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = chance.choice([None, 7, "x", [], {}, [[]], {"entry": 1}, -1.5, True])
        with pytest.raises(CryptoError):
            check_package(read_package(spoiled), trust, now=now)
            pytest.fail(f"taken: {place} {at[place[-1]]!r}")
