"""`bidhall rescue`, `claim`, `scope`, `finding`, `late-close`: what they sign the platform takes; what does not fit they sign not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from crypto import keyfiles
from tests.kit import commands, sealing, stages, verdict_steps
from tests.kit.commands import PASSPHRASE, Desk
from tests.kit.sealing import SIGNER
from tests.kit.verdict_steps import row_of
from tests.kit.world import World
from tests.trading.opening import test_rescue
from trading.bidding import bids, claims, late_close
from trading.opening import findings, rescue


def ring(desk: Desk, world: World, username: str, role: str) -> str:
    """A key file of a role that holds an ed25519 key alone."""
    if role in ("bidder", "officer"):
        return commands.key_file(desk, world, username, role, f"{username}.keys")
    return desk.write(
        f"{username}.keys", keyfiles.make_keyring(username, role, {"ed25519": world.keys[username].sign}, PASSPHRASE)
    )


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfiles, "MEMORY_KIB", 1024)  # what key files cost is tested elsewhere
    monkeypatch.setattr(keyfiles, "PASSES", 1)


def test_a_keeper_file_rescues_its_own_bid_and_no_other(desk: Desk, world: World) -> None:
    ref, seeds = test_rescue.failed(world)
    with world.view("bidder1", SIGNER) as view:
        row = row_of(world, view, ref)
        failed = rescue.own_failure(view.session, row, view.actor.party_id)
        assert failed is not None
        header = next(
            bid.header for bid in bids.standing_bids(view.session, row.lot) if bid.header_hash == failed.header_hash
        )
        facts = desk.write(
            "facts", {"set": row.set_hash, "header_hash": failed.header_hash, "header": header, "code": failed.code}
        )
    keeper, other = (desk.write(name, keyfiles.wrap_seed(seeds[name], PASSPHRASE)) for name in ("bidder1", "bidder2"))
    keys = ring(desk, world, "bidder1", "bidder")
    arguments = ["rescue", facts, "--key", keys, "-o", desk.path("out"), "--passphrase-file", desk.passphrase]
    wrong = desk.run(*arguments, "--keeper", other)
    assert wrong.code == 1 and "[REDERIVE]" in wrong.err and not Path(desk.path("out")).exists()
    assert desk.run(*arguments, "--keeper", facts).code in (1, 2)
    assert desk.run("rescue", keeper, *arguments[2:], "--keeper", keeper).code == 2, "not the facts of a rescue"
    made = desk.run(*arguments, "--keeper", keeper)
    assert made.code == 0, made.err
    with world.work("bidder1", SIGNER) as work:
        assert rescue.post(work, row_of(world, work, ref), desk.read("out")).seed == seeds["bidder1"]


def test_a_key_handed_over_and_the_finding_it_gives(desk: Desk, world: World) -> None:
    ref = test_rescue.bad_box(world)
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        by_hash = {bid.header_hash: bid.header for bid in bids.standing_bids(view.session, row.lot)}
        told = findings.scope_of(view.session, row, 2)
        facts = desk.write("facts", {"pk": told.pop("pk"), "scope": told})
        boxes = desk.write(
            "boxes",
            {
                "set": row.set_hash,
                "boxes": [
                    {
                        "header_hash": one.failure.header_hash,
                        "header": by_hash[one.failure.header_hash],
                        "j": one.j,
                        "pk": findings.scope_of(view.session, row, one.j)["pk"],
                    }
                    for one in findings.complaints(view.session, row)
                ],
            },
        )
    secret = desk.passphrase
    scope = [
        "scope",
        facts,
        "--new-passphrase-file",
        secret,
        "-o",
        desk.path("scope"),
        "--passphrase-file",
        secret,
        "--key",
    ]
    assert desk.run(*scope, ring(desk, world, "officer3", "officer")).code == 1, "another officer's key"
    assert desk.run(*scope, ring(desk, world, "officer2", "officer")).code == 0
    found = [
        "finding",
        boxes,
        "--scope-passphrase-file",
        secret,
        "-o",
        desk.path("out"),
        "--passphrase-file",
        secret,
        "--key",
        ring(desk, world, "watch", "supervisor"),
    ]
    made = desk.run(*found, "--scope", desk.path("scope"))
    assert made.code == 0 and "SHARE_COMMIT" in made.err, made.err
    (one,) = desk.read("out")
    with world.work("watch") as work:
        assert findings.sign(work, row_of(world, work, ref), one["document"], part=one["part"]).j == 2
    stranger = desk.write("stranger", keyfiles.wrap("x25519", world.keys["bidder1"].seal, PASSPHRASE))
    assert desk.run(*found, "--force", "--scope", stranger).code == 1


def test_a_late_closing_signed_without_a_browser(desk: Desk, world: World) -> None:
    ref = stages.bid(world)
    verdict_steps.late_closing(world, ref)
    with world.view("watch") as view:
        late = late_close.what_happened(view.session, world.lot_in(view, ref))
        assert late is not None
        facts = desk.write("facts", {"document": late_close.document(view, late, finding="", at="")})
    keys = ring(desk, world, "watch", "supervisor")
    made = desk.run(
        "late-close",
        facts,
        "--finding",
        "停电，已核对",
        "--key",
        keys,
        "-o",
        desk.path("out"),
        "--passphrase-file",
        desk.passphrase,
    )
    assert made.code == 0, made.err
    with world.work("watch") as work:
        late_close.confirm(work, world.lot_in(work, ref), desk.read("out"))


def test_a_claim_from_a_saved_receipt(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path, bidders=4)
    desk = Desk(tmp_path, world)
    ref = stages.bidding(world)
    verdict_steps.bid(world, ref, "bidder1", "bidder2", "bidder3")
    receipt = verdict_steps.lost_receipt(world, ref, "bidder4")
    sealing.close(world, ref)
    made = desk.run(
        "claim",
        desk.write("receipt", receipt),
        "--key",
        ring(desk, world, "bidder4", "bidder"),
        "-o",
        desk.path("out"),
        "--passphrase-file",
        desk.passphrase,
    )
    assert made.code == 0, made.err
    with world.work("bidder4", SIGNER) as work:
        assert (
            claims.file(work, world.lot_in(work, ref), claim=desk.read("out"), receipt=receipt).code == "LOG_OMISSION"
        )
