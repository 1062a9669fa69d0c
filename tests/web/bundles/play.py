"""Whole tenders for the bundle tests, from the first notice to refunded deposits, by the acts the product has; and bundles made worse."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from crypto.documents import sign_document
from crypto.signatures import payload_of
from deposits import demands
from tests.deposits.money_room import MoneyRoom
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, sealing
from tests.kit.world import World
from trading import timeline
from trading.awarding import contracts
from trading.bidding import bids, participants, uploads
from trading.disclosure import bundle
from trading.disclosure.bundle import bytes_file
from trading.kernel import log
from trading.kernel.access import Actor, Role
from trading.parties import parties
from web.papers import bundles
from web.verifier import verify_bundle

ARCHIVIST = Actor(Role.AUDIT_ADMIN, name="archive")
CAME = ("officer1", "officer2", "officer3", "officer4")
"""One officer is absent; four are enough."""


@dataclass(frozen=True)
class Finished:
    """A lot that is over, with both bundles; ``early`` and ``late``: checkpoints of before the publication and after the export."""

    world: World
    ref: str
    lot: str
    audit: Path
    public: Path
    early: str
    late: str
    codes: tuple[str, ...]


def bundled(world: World, ref: str, folder: Path, early: str) -> Finished:
    """Export both profiles, and let the log go on."""
    audit_path, public = export(world, ref, folder, "audit"), export(world, ref, folder, "public")
    turn(world)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref).log_of
    codes = tuple(sealing.code_of(world, name) for name in world.bidders)
    return Finished(world, ref, lot, audit_path, public, early, checkpoint(world), codes)


def checkpoint(world: World) -> str:
    with world.view("clock") as view:
        return log.checkpoint(view.session) or ""


def turn(world: World, **by: int) -> None:
    opening_steps.turn(world, **by)


def hand_in(
    world: World, ref: str, username: str, price: str, *, regime: str = "GP", replaces: str = ""
) -> bids.Outcome:
    form = opening_steps.form(regime, price=price)
    return sealing.hand_in(
        world, ref, username, *sealing.seal(world, ref, username, form=form, replaces=replaces, data=b"x" * 70_000)
    )


def bid(world: World, ref: str, regime: str) -> None:
    """Everybody bids; the first replaces its bid, the last withdraws it where there are enough, and one comes too late."""
    sealing.open_for_bids(world, ref)
    first = {
        name: hand_in(world, ref, name, f"{2_700_000 + 10_000 * at}.00", regime=regime)
        for at, name in enumerate(world.bidders)
    }
    assert all(outcome.accepted for outcome in first.values())
    turn(world)
    one = world.bidders[0]
    assert hand_in(world, ref, one, "2690000.00", regime=regime, replaces=first[one].receipt.statement).accepted
    if len(world.bidders) > 3:
        MoneyRoom.withdraw_bid(_Room(world), ref, world.bidders[-1])  # type: ignore[arg-type]
    turn(world)
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
        assert deadline is not None
    world.clock.set(deadline - timedelta(minutes=1))
    timeline.turn(world.office)
    late = world.bidders[1]
    form = opening_steps.form(regime, price="1.00")
    sealed, submission = sealing.seal(world, ref, late, form=form, replaces=first[late].receipt.statement)
    with world.work(late, sealing.SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    uploads.receive(world.office, world.actor(late, sealing.SIGNER), token, offset=0, pieces=[sealed])
    world.clock.set(deadline)
    with world.work(late, sealing.SIGNER) as work:
        assert bids.submit(work, world.lot_in(work, ref), token=token, submission=submission).reason == "LATE"


class _Room:
    """What ``MoneyRoom.withdraw_bid`` looks at."""

    def __init__(self, world: World) -> None:
        self.world = world


def close(world: World, ref: str) -> None:
    """Over the deadline; the lot is judged."""
    sealing.close(world, ref)
    turn(world)


def failed(world: World) -> str:
    """A lot that fails with two bids, unopened."""
    assert len(world.bidders) == 2
    ref = steps.published(world)
    world.take_part(ref)
    bid(world, ref, "GP")
    close(world, ref)
    return ref


def opened(world: World, regime: str, room: MoneyRoom | None = None) -> str:
    """Bids, closing, opening with one officer absent; deposits paid where there is a money room."""
    changes = {} if room is None else {"deposit": world.lot_fields(regime)["deposit"]}
    ref = steps.published(world, regime, **changes)
    world.take_part(ref)
    if room is not None:
        for username in world.bidders:
            with world.work(username) as work:
                lot = world.lot_in(work, ref)
                party = parties.party(work.session, world.party_ids[username])
                found = participants.find(work.session, lot, party)
                assert found is not None
                demand = demands.demand_for(work, found)
                assert demand is not None
                number = demand.sub_account
            room.pay_in(username, number)
        room.fetch()
    bid(world, ref, regime)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    opening_steps.open_set(world, ref, came=CAME)
    return ref


def finished(world: World, regime: str, room: MoneyRoom) -> str:
    """A whole tender: evaluated, awarded, contracted, deposits refunded."""
    ref = opened(world, regime, room)
    steps.score_opened(world, ref, regime)
    steps.report_and_conclude(world, ref)
    turn(world)
    room.award(ref)
    turn(world)
    room.refund_all()
    room.contract(ref)
    room.refund_all()
    with world.work("agent") as work:
        contracts.publish_and_file(work, world.lot_in(work, ref))
    turn(world)
    return ref


def export(world: World, ref: str, folder: Path, profile: str) -> Path:
    """The bundle, written and logged."""
    path = folder / f"{ref}.{profile}.zip"
    with path.open("wb") as out:
        bundles.export(world.office, ARCHIVIST, ref, profile, out)
    return path


# --- making bundles worse ---------------------------------------------------------------------------------------------------------------


def contents(path: Path) -> dict[str, bytes]:
    """Every file of a bundle, the index apart."""
    with zipfile.ZipFile(path) as archive:
        return {
            name: archive.read(name)
            for name in archive.namelist()
            if name not in (bundle.INDEX, bundle.INDEX_SIGNATURE)
        }


class Forger:
    """Somebody with the platform's key: writes a bundle anew under a fresh, rightly signed index, so that only the claim can tell."""

    def __init__(self, world: World, path: Path) -> None:
        self.world, self.path = world, path
        self.files = contents(path)
        with zipfile.ZipFile(path) as archive:
            self.profile = json.loads(archive.read(bundle.INDEX))["profile"]

    def below(self, start: str) -> list[str]:
        return sorted(name for name in self.files if name.startswith(start))

    def one(self, start: str, wanted: Callable[[Any], bool] = lambda value: True) -> str:
        """The first file with this start whose JSON (the payload of an envelope) is wanted."""
        for name in self.below(start):
            if wanted(self.value(name)):
                return name
        raise AssertionError(f"no such file below {start}")

    def value(self, name: str) -> Any:
        """A file's JSON; of an envelope its payload."""
        found = json.loads(self.files[name])
        return json.loads(payload_of(found)) if isinstance(found, dict) and "payload" in found else found

    def put(self, name: str, value: Any) -> None:
        self.files[name] = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    def edit(self, name: str, change: Callable[[Any], None]) -> None:
        """Change a plain JSON file in place."""
        value = json.loads(self.files[name])
        change(value)
        self.put(name, value)

    def resign(self, name: str, kind: str, change: Callable[[Any], None], secret: bytes | None = None) -> None:
        """Change a signed document and sign it anew (its old entry then no longer names it)."""
        value = self.value(name)
        change(value)
        self.put(name, sign_document(kind, value, secret or self.world.office.keys.signing))

    def write(self, tender: str | None = None) -> Path:
        out = io.BytesIO()
        named = tender or self.lot
        bundle.write(
            out,
            [bytes_file(name, data) for name, data in self.files.items()],
            profile=self.profile,
            tender=named,
            signing=self.world.office.keys.signing,
        )
        path = self.path.with_suffix(".forged.zip")
        path.write_bytes(out.getvalue())
        return path

    @property
    def lot(self) -> str:
        value = json.loads(self.files["rules/lot.json"])
        return f"{value['tender']}/{value['lot']}"

    def verdict(self) -> dict[str, list[str]]:
        """claim → codes of what is broken in the rewritten bundle."""
        return broken(verify_bundle(self.write()))


def broken(answer: dict[str, Any]) -> dict[str, list[str]]:
    return {claim["name"]: claim["codes"] for claim in answer["claims"] if claim["ok"] is False}
