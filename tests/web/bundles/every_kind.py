"""Three tenders in whose bundles every kind of document stands that the platform logs, by real steps; then everybody's key is replaced.

So for whoever signed there is a key enrolled later than what it signed, and the archive holds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from crypto.keys import ed25519_public, kid
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, sealing, verdict_steps
from tests.kit.database import Databases
from tests.kit.mirror import mirror_beside
from tests.kit.world import Keys, World
from tests.trading.bidding.test_floods import Flooder
from tests.trading.opening.test_co_opening import listed, on, part_of, post
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.play import Finished
from tests.web.bundles.rewriting import Rewriter
from tests.web.bundles.test_verifier_verdicts import begun, terminated
from trading import timeline
from trading.bidding import bids, copies, uploads
from trading.opening import rechecks
from web.verifier import archive, reading
from web.verifier.findings import Findings

PLATFORM, LOG, MIRROR = "platform", "the log's key", "mirror"
"""Names of signers beside usernames."""


@dataclass(frozen=True)
class Played:
    """A bundle, with all keys by username: as they were when they signed (``then``), and those that replaced them once it was over
    (``later``); ``last`` replaced bidder1's once more, ``past`` is what bidder2's replaced before it bid."""

    over: Finished
    then: dict[str, bytes]
    later: dict[str, bytes]
    last: bytes
    mirror: bytes = b""
    past: bytes = b""

    def owner(self, sign_kid: str) -> str:
        """Whose key this was."""
        return next(name for name, secret in self.then.items() if kid("ed25519", ed25519_public(secret)) == sign_kid)

    def bidder(self, code: str) -> str:
        return next(name for name in self.over.world.bidders if sealing.code_of(self.over.world, name) == code)


def rekeyed(world: World, extra: dict[str, str]) -> tuple[dict[str, bytes], dict[str, bytes], bytes]:
    """Everybody's key replaced, signed for by the one before: (then, later, last). ``extra``: username → role, beside those each world
    has."""
    roles = (
        dict.fromkeys(world.bidders, "bidder")
        | dict.fromkeys(opening_steps.ALL, "officer")
        | {"buyer": "tenderee"}
        | extra
    )
    then = {name: world.keys[name].sign for name in roles}
    for name, role in roles.items():
        replace(world, name, role)
    world.tick()
    later = {name: world.keys[name].sign for name in roles}
    replace(world, "bidder1", "bidder")
    world.tick()
    return then, later, world.keys["bidder1"].sign


def replace(world: World, username: str, role: str) -> None:
    """A new signing key in place of the one before."""
    old = world.keys[username]
    world.enrol(username, role, seal=role == "bidder", replaces=old.sign, new=Keys(seal=old.seal, root=old.root))


def whole(databases: Databases, folder: Path) -> Iterator[Played]:
    """Bids, a replacement, a withdrawal, an opening, the draw of experts, sheets, a ranking."""
    with world_of(databases, folder, 5) as world:
        steps.library(world)
        world.tick()
        early = play.checkpoint(world)
        ref = play.opened(world, "GP")
        steps.score_opened(world, ref)
        seated = list(steps.usernames(world, ref, "seated").values())
        steps.report_and_conclude(world, ref)
        play.turn(world)
        then, later, last = rekeyed(
            world, dict.fromkeys([name for name in seated if name in world.people and name != "buyer"], "expert")
        )
        yield Played(terminated(world, ref, folder, early), then, later, last)


def eventful(databases: Databases, folder: Path) -> Iterator[Played]:
    """A mirror, a flood, an attempt cut off, a late closing, a claim of omission, officers who lie, a finding, a rescue."""
    with world_of(databases, folder, 6) as world, mirror_beside(world, folder) as beside:
        ref, early = begun(world)
        past = world.keys["bidder2"].sign
        replace(world, "bidder2", "bidder")
        world.tick()
        seeds = verdict_steps.bid(world, ref, "bidder1", "bidder2", "bidder3")
        Flooder(world, ref, "bidder4").flood(10)
        token = _half_sent(world, ref, "bidder5")
        copies.send_due(world.office)
        receipt = verdict_steps.lost_receipt(world, ref, "bidder6")
        _close_late(world, ref)
        verdict_steps.file_claim(world, ref, "bidder6", receipt)
        with world.work("bidder5", sealing.SIGNER) as work:
            assert bids.prove_attempt(work, world.lot_in(work, ref), token=token).reason
        play.turn(world)
        verdict_steps.confirm_late(world, ref)
        verdict_steps.settle_claim(world, ref, "upheld")
        play.turn(world)
        sealing.list_set(world, ref)
        rechecks.recheck(world.office)
        verdict_steps.three_lie(world, ref)
        verdict_steps.post_rescue(world, ref, "bidder1", seeds["bidder1"])
        with world.view("clock") as view:
            names = [one.header_hash for one in verdict_steps.failures_of(world, view, ref)]
        for name in names:
            verdict_steps.sign_finding(world, ref, name, 3, verdict_steps.judge(world, ref, name, 3))
        verdict_steps.pause_over(world, ref)
        verdict_steps.decrypt(world, ref)
        verdict_steps.finish(world, ref, *opening_steps.ALL)
        then, later, last = rekeyed(world, {"watch": "supervisor"})
        yield Played(terminated(world, ref, folder, early), then, later, last, beside.store.secret, past)


def _close_late(world: World, ref: str) -> None:
    """As ``verdict_steps.late_closing``, but claims may still be filed."""
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
    assert deadline is not None
    for seconds in (-60, 2700):
        world.clock.set(deadline + timedelta(seconds=seconds))
        timeline.turn(world.office)


def _half_sent(world: World, ref: str, username: str) -> str:
    sealed, _ = sealing.seal(world, ref, username)
    with world.work(username, sealing.SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    uploads.receive(world.office, world.actor(username, sealing.SIGNER), token, offset=0, pieces=[sealed[:5000]])
    return token


def co_opened(databases: Databases, folder: Path) -> Iterator[Played]:
    """Bidders give their own part."""
    with world_of(databases, folder, 3) as world:
        world.tick()
        early = play.checkpoint(world)
        ref = listed(world)
        for username in world.bidders:
            post(world, ref, username, part_of(world, ref, username))
        on(world, ref, ticking=True)
        opening_steps.open_set(world, ref)
        then, later, last = rekeyed(world, {})
        yield Played(terminated(world, ref, folder, early), then, later, last)


def kinds_in(played: Played) -> set[str]:
    """The kinds of the documents of a bundle, as its files are named."""
    found = set()
    for name in play.contents(played.over.audit):
        if name.startswith("entries/lists/"):
            found.add("entry-list")
        elif name.startswith("entries/"):
            found.add("entry")
        elif name.startswith("keys/") and name != "keys/trust.json":
            found.add("enrolment")
        elif name.startswith("acts/") and name.count("/") == 1:
            found.add("act")
        elif name.startswith(("policy/", "bids/", "opening/", "draw/", "sheets/", "ranking/")) and name.count(".") == 2:
            found.add(name.split("/")[-1].split(".")[0])
    return found


# --- tried on their bundles ---------------------------------------------------------------------------------------------------


def faults(path: Path, trust: Any = None) -> list[str]:
    """What the claim `manifest` finds in a bundle, all of it."""
    found = Findings()
    with archive.open_path(path) as source:
        opened = archive.open_archive(source, found)
        archive.check_index(opened, found)
        reading.read(opened, found, trust)
    return [f"{code} {what}" for code, what in found.claims["manifest"].faults]


def told(found: list[str], path: str, code: str = "SIG") -> bool:
    return any(one.startswith(f"B_SIG {path}: {code}:") for one in found)


def secret(played: Played, name: str) -> bytes:
    keys = played.over.world.office.keys
    return {PLATFORM: keys.signing, LOG: keys.log, MIRROR: played.mirror}.get(name) or played.then[name]


def a_byte(value: dict[str, Any]) -> None:
    """One byte of a document, so that it keeps its form."""
    for name in ("at", "sealed_at"):
        if name in value:
            value[name] = f"{value[name][:-2]}{(int(value[name][-2]) + 1) % 10}Z"
            return
    if "max_plen" in value:
        value["max_plen"] += 1 if value["max_plen"] % 10 < 9 else -1
    else:
        value["tender"] = value["tender"][:-1] + ("X" if value["tender"][-1] != "X" else "Y")


def enrolment_of(forger: Rewriter, secret_: bytes) -> str:
    return f"keys/{kid('ed25519', ed25519_public(secret_))}.json"
