"""What a rehearsal signed proves no real tender: said in the first line, and never under the trust of a real platform."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crypto import rehearsals
from crypto.checkpoints import LOG_KEY, NoteKey, parse_vkey
from tests.kit import office, sealing
from tests.kit.commands import Desk
from tests.kit.database import Databases
from tests.kit.world import World
from tests.web.bundles import play
from trading.bidding import bids, tickets
from trading.kernel.audit import LogEntry
from trading.kernel.db import open_engine
from trading.kernel.errors import NotFound
from web.cli.offline import OF_REHEARSAL
from web.papers import mark
from web.verifier import verify_bundle


@dataclass(frozen=True)
class Played:
    audit: Path
    public: Path
    receipt: dict[str, Any]


@pytest.fixture(scope="module")
def played(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A lot that failed with two bids, on a platform with the name of a rehearsal."""
    folder = tmp_path_factory.mktemp("rehearsal")
    with databases.fresh() as url:
        engine = open_engine(url)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(office, "PLATFORM", rehearsals.name_of(office.PLATFORM))
            called = {"centre": "演练的交易中心"}  # kept apart from worlds of the other name
            world = World(engine, folder, bidders=2, called=called)
        assert rehearsals.is_name(world.office.platform)
        one = play.bundled(world, play.failed(world), folder, "")
        with world.view("bidder1", sealing.SIGNER) as view:
            cs = view.session.scalars(select(LogEntry.c).where(LogEntry.event == "bid-received").order_by(LogEntry.id))
            own = next(found for c in cs if (found := _own(view, c)) is not None)
            receipt = json.loads(json.dumps(tickets.receipt_file(view, own)))
        yield Played(one.audit, one.public, receipt)
        engine.dispose()


def _own(view: Any, c: str) -> Any:
    try:
        return bids.own_receipt(view, c)
    except NotFound:
        return None


def test_its_bundle_says_so_first_and_verifies_by_its_own_keys_alone(played: Played, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for path in (played.audit, played.public):
        files = play.contents(path)
        assert files[mark.FILE].decode() == mark.TEXT
        found = verify_bundle(path)
        assert found["ok"] and found["rehearsal"] and found["trust"] == "enclosed"
        for lang, line in zip(("zh", "en"), OF_REHEARSAL, strict=True):
            told = desk.run("verify", str(path), "--lang", lang)
            assert told.code == 0 and told.out.splitlines()[0] == line
    own = desk.write("own.json", json.loads(play.contents(played.audit)["keys/trust.json"]))
    assert desk.run("verify", str(played.audit), "--trust", own).code == 0


def test_under_the_trust_of_a_real_platform_nothing_is_proved(
    played: Played, failed: play.Finished, tmp_path: Path
) -> None:
    desk = Desk(tmp_path)
    trust = json.loads(play.contents(failed.public)["keys/trust.json"])
    found = verify_bundle(played.public, trust)
    assert not found["ok"] and found["rehearsal"] and "B_REHEARSAL" in play.broken(found)["manifest"]
    told = desk.run("verify", str(played.public), "--trust", desk.write("real.json", trust))
    assert told.code == 1 and told.out.splitlines()[0] == OF_REHEARSAL[1] and "B_REHEARSAL" in told.out
    real = verify_bundle(failed.public, trust)
    assert real["ok"] and not real["rehearsal"] and mark.FILE not in play.contents(failed.public)


def test_a_rehearsal_that_signs_with_the_keys_of_the_site_is_told_all_the_same(played: Played, tmp_path: Path) -> None:
    """Were a site's keys ever used: the name that is signed still says what it is, and the trust of the site has another."""
    desk = Desk(tmp_path)
    trust = json.loads(play.contents(played.public)["keys/trust.json"])
    site = rehearsals.site_of(trust["origin"].removesuffix("/log"))
    same = str(NoteKey(f"{site}/log", LOG_KEY, parse_vkey(trust["log_key"]).public))
    forged = {**trust, "origin": f"{site}/log", "log_key": same}
    assert same != trust["log_key"]
    found = verify_bundle(played.public, forged)
    assert not found["ok"] and "B_REHEARSAL" in play.broken(found)["manifest"]
    told = desk.run("receipt", desk.write("receipt.json", played.receipt), "--trust", desk.write("site.json", forged))
    assert told.code == 1 and told.out.splitlines()[0] == OF_REHEARSAL[1]


def test_its_receipt_says_so_first(played: Played, failed: play.Finished, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    kept = desk.write("receipt.json", played.receipt)
    told = desk.run("receipt", kept)
    assert told.code == 0 and told.out.splitlines()[0] == OF_REHEARSAL[1]
    assert desk.run("receipt", kept, "--json").json["rehearsal"] is True
    trust = json.loads(play.contents(failed.public)["keys/trust.json"])
    other = desk.run("receipt", kept, "--trust", desk.write("real.json", trust))
    assert other.code == 1 and other.out.splitlines()[0] == OF_REHEARSAL[1] and "rehearsal" in other.err
