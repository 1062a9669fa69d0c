"""Verifying a finished tender from its bundle (audit profile): every claim, offline.

Rival: hashing every file of the bundle and decrypting every bid, with the seeds at hand and nothing else proved.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.race import Row, race, row, workshop
from bench.worlds import world_in
from crypto import sealed_bid
from crypto.canonical import unb64u
from trading.opening import ceremony

if TYPE_CHECKING:
    from tests.kit.world import World

KIB, MIB = 1 << 10, 1 << 20
GOAL, GROWTH = ">= 0.7", "none: growth"


def run(quick: bool) -> list[Row]:
    if quick:
        return [_at(5, 64 * KIB, GROWTH, rounds=1)]
    small = [_at(count, 64 * KIB, GROWTH, rounds=3) for count in (10, 30)]
    return [*small, *(_at(count, 10 * MIB, GOAL, rounds=3) for count in (10, 30, 100))]


def _at(count: int, size: int, goal: str, rounds: int) -> Row:
    from web.verifier import verify_bundle

    with workshop() as folder, world_in(folder / "world", count) as world:
        ref = _finished(world, folder, size)
        bundle = _exported(world, ref, folder)
        seeds = _seeds(world, ref)

        def ours() -> None:
            answer = verify_bundle(bundle)
            if not answer["ok"]:
                raise AssertionError(answer["summary"])

        def bare() -> None:
            if _bare(bundle, seeds) != count:
                raise AssertionError("the bundle does not hold every bid")

        mine, theirs = race(ours, bare, rounds=rounds)
        held = bundle.stat().st_size / MIB
    return row(
        workload=f"verify an audit bundle of {count} bids of {size // MIB or size // KIB} {'MiB' if size >= MIB else 'KiB'}",
        ours=mine, unit="s", rival=theirs, rival_name="hashing and decryption alone", ratio=theirs / mine, goal=goal,
        notes=f"{held:.1f} MiB, {held / mine:.0f} MiB/s",
    )  # fmt: skip


def _finished(world: World, folder: Path, size: int) -> str:
    """A whole tender, from the notice to the filed contract and the refunded deposits."""
    from deposits import demands
    from tests.deposits.money_room import MoneyRoom
    from tests.kit import evaluation_steps as steps
    from tests.kit import opening_steps, sealing
    from trading.awarding import contracts
    from trading.bidding import participants
    from trading.parties import parties

    room = MoneyRoom(world, folder / "bank.db")
    steps.library(world)
    ref = steps.published(world, deposit=world.lot_fields()["deposit"])
    world.take_part(ref)
    for username in world.bidders:
        with world.work(username) as work:
            found = participants.find(
                work.session, world.lot_in(work, ref), parties.party(work.session, world.party_ids[username])
            )
            assert found is not None
            demand = demands.demand_for(work, found)
            assert demand is not None
            number = demand.sub_account
        room.pay_in(username, number)
    room.fetch()
    block = bytes(range(256)) * (size // 256)
    forms = {name: opening_steps.form(price=f"{2_700_000 + at}.00") for at, name in enumerate(world.bidders)}
    opening_steps.bid(world, ref, forms, data=block)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    opening_steps.open_set(world, ref)
    steps.score_opened(world, ref)
    steps.report_and_conclude(world, ref)
    opening_steps.turn(world)
    room.award(ref)
    opening_steps.turn(world)
    room.refund_all()
    room.contract(ref)
    room.refund_all()
    with world.work("agent") as work:
        contracts.publish_and_file(work, world.lot_in(work, ref))
    opening_steps.turn(world)
    return ref


def _exported(world: World, ref: str, folder: Path) -> Path:
    from trading.kernel.access import Actor, Role
    from web.papers import bundles

    path = folder / "audit.zip"
    with path.open("wb") as out:
        bundles.export(world.office, Actor(Role.AUDIT_ADMIN, name="archive"), ref, "audit", out)
    return path


def _seeds(world: World, ref: str) -> dict[bytes, bytes]:
    """Header hash → seed."""
    with world.view("clock") as view:
        return {
            unb64u(bid.header_hash): bid.seed for bid in ceremony.opened_of_lot(view.session, world.lot_in(view, ref))
        }


def _bare(bundle: Path, seeds: dict[bytes, bytes]) -> int:
    opened = 0
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            hashlib.sha256(data).digest()
            if data[:8] == sealed_bid.MAGIC:
                source = io.BytesIO(data)
                header = sealed_bid.read_header(source)
                source.seek(0)
                sealed_bid.open(source, seeds[header.header_hash], lambda _: _Nothing())
                opened += 1
    return opened


class _Nothing:
    """Takes what is written and forgets it."""

    def write(self, data: Any, /) -> int:
        return len(data)
