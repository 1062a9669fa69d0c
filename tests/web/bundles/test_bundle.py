"""Bundles of real tenders: what is in them, who may have them, and that an honest one verifies in every claim it carries."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from crypto.canonical import loads
from tests.kit.world import World
from tests.web.bundles import play
from trading.disclosure import bundle, zip_layout
from trading.kernel.access import PUBLIC, Actor, Role
from trading.kernel.errors import Invalid, NotAllowed, NotFound, TooEarly, WrongStep
from web.papers import bundles
from web.verifier import verify_bundle

ALWAYS = ["manifest", "log", "deadline", "sealed_bids"]
SECRETS = ("sealed", "shares.", "rescue", "acts/deposits", "acts/approvals", "sheets/panel")


def proved(answer: dict[str, Any]) -> dict[str, bool | None]:
    return {claim["name"]: claim["ok"] for claim in answer["claims"]}


@pytest.mark.rule("Y-07", "9.4")
@pytest.mark.parametrize("regime", ["GP", "WORKS"])
def test_every_claim_of_a_whole_tender_holds(finished: dict[str, play.Finished], regime: str) -> None:
    answer = verify_bundle(finished[regime].audit)
    assert (
        answer["ok"]
        and answer["profile"] == "audit"
        and answer["trust"] == "enclosed"
        and "unwitnessed" in answer["summary"]
    )
    claims = proved(answer)
    assert all(claims.values()) and len(claims) == (13 if regime == "WORKS" else 12)
    assert ("coefficient_draw" in claims) is (regime == "WORKS")
    assert answer["tender"] == finished[regime].lot


@pytest.mark.parametrize("regime", ["GP", "WORKS"])
def test_the_public_bundle_proves_all_but_what_only_the_archive_holds(
    finished: dict[str, play.Finished], regime: str
) -> None:
    answer = verify_bundle(finished[regime].public)
    assert answer["ok"]
    assert [name for name, ok in proved(answer).items() if ok is None] == ["opening", "opening_list", "deposits"]


def test_a_lot_that_failed_verifies_and_names_nobody(failed: play.Finished) -> None:
    for path in (failed.audit, failed.public):
        answer = verify_bundle(path)
        assert answer["ok"] and [name for name, ok in proved(answer).items() if ok] == ALWAYS
    codes = [code.encode() for code in failed.codes]
    files = play.contents(failed.public)
    assert not [name for name, data in files.items() if any(code in data for code in codes)]
    assert not [name for name in files if name.startswith("bids/")]
    assert any(code in data for code in codes for data in play.contents(failed.audit).values())


def test_trusted_keys_from_before_are_used(finished: dict[str, play.Finished], failed: play.Finished) -> None:
    trust = json.loads(play.contents(finished["GP"].public)["keys/trust.json"])
    assert verify_bundle(finished["GP"].public, trust)["trust"] == "given"
    other = verify_bundle(failed.public, trust)
    assert not other["ok"] and {"manifest", "log"} <= set(play.broken(other))


def test_a_checkpoint_known_from_before(finished: dict[str, play.Finished], failed: play.Finished) -> None:
    one = finished["GP"]
    assert one.early and verify_bundle(one.audit, known_checkpoint=one.early)["ok"]
    with_other = verify_bundle(one.audit, known_checkpoint=failed.early)
    assert play.broken(with_other) == {"log": ["B_CHECKPOINT"]}
    newer = verify_bundle(one.audit, known_checkpoint=one.late)
    assert play.broken(newer) == {"log": ["B_CHECKPOINT"]} and "shrunk" in json.dumps(newer)


def test_public_bundles_hold_no_secret(finished: dict[str, play.Finished]) -> None:
    for one in finished.values():
        public, audit = play.contents(one.public), play.contents(one.audit)
        for word in SECRETS:
            assert not [name for name in public if word in name], word
            assert [name for name in audit if word in name] or word == "rescue", word
        pools = [name for name in public if name.endswith("/pool.json")]
        assert all(name.startswith("draw/k.") for name in pools)
        assert not [name for name in public if name.startswith("ticks/")]
        for name in public:
            if name.startswith("acts/") and "/notices/" not in name:
                assert not loads(public[name])["act"].startswith(
                    ("receipt.", "refund.", "batch.", "deposit.", "user.", "login.")
                )


def test_the_zip_is_stored_sorted_and_always_the_same(finished: dict[str, play.Finished], tmp_path: Path) -> None:
    one = finished["GP"]
    with zipfile.ZipFile(one.audit) as archive:
        infos = archive.infolist()
        assert archive.testzip() is None
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    names = [info.filename for info in infos]
    assert names == sorted(names) and len(set(names)) == len(names)
    index = loads(zipfile.ZipFile(one.audit).read(bundle.INDEX))
    assert [row["path"] for row in index["files"]] == [
        name for name in names if name not in (bundle.INDEX, bundle.INDEX_SIGNATURE)
    ]
    forger = play.Forger(one.world, one.audit)
    assert forger.write().read_bytes() == one.audit.read_bytes()
    again = tmp_path / "copied.zip"
    with zipfile.ZipFile(again, "w") as out, zipfile.ZipFile(one.audit) as archive:
        for info in archive.infolist():
            out.writestr(info, archive.read(info))
    assert again.read_bytes() == one.audit.read_bytes()


def test_large_members_get_zip64_records() -> None:
    members = [zip_layout.Member("a", 1 << 33, 1), zip_layout.Member("b", 3, 2)]
    assert zip_layout.local(members[0])[18:26] == b"\xff" * 8 and (1 << 33).to_bytes(8, "little") in zip_layout.local(
        members[0]
    )
    tail = zip_layout.tail(members)
    assert b"PK\x06\x06" in tail and b"PK\x06\x07" in tail and tail.endswith(b"\xff\xff\xff\xff\x00\x00")
    assert b"PK\x06\x06" not in zip_layout.tail([zip_layout.Member("b", 3, 2)])


def test_who_may_export_what(finished: dict[str, play.Finished], running: tuple[World, str], tmp_path: Path) -> None:
    one = finished["GP"]
    office = one.world.office
    with (tmp_path / "x.zip").open("wb") as out:
        with pytest.raises(NotAllowed):
            bundles.export(office, PUBLIC, one.ref, "audit", out)
        with pytest.raises(NotAllowed):
            bundles.export(office, Actor(Role.EXPERT), one.ref, "audit", out)
        with pytest.raises(Invalid):
            bundles.export(office, PUBLIC, one.ref, "everything", out)
        with pytest.raises(NotFound):
            bundles.export(office, PUBLIC, "KP-2026-000000-1", "public", out)
        bundles.export(office, PUBLIC, one.ref, "public", out)
        world, ref = running
        with pytest.raises(WrongStep, match="bundle.not_finished"):
            bundles.export(world.office, play.ARCHIVIST, ref, "audit", out)


def test_a_tenders_own_reference_names_its_only_lot(finished: dict[str, play.Finished]) -> None:
    one = finished["WORKS"]
    with one.world.view("clock") as view:
        from trading.disclosure import dossier

        lot = one.world.lot_in(view, one.ref)
        assert dossier.find_lot(view, lot.tender.ref).id == lot.id


def test_what_waits_for_its_tick_is_waited_for(failed_now: tuple[World, str], tmp_path: Path) -> None:
    world, ref = failed_now
    with world.work("clerk") as work:
        work.record("lot.note", world.lot_in(work, ref).log_of)
    with pytest.raises(TooEarly, match="bundle.log_waiting"):
        play.export(world, ref, tmp_path, "public")
    play.turn(world)
    assert verify_bundle(play.export(world, ref, tmp_path, "public"))["ok"]
    assert verify_bundle(play.export(world, ref, tmp_path, "audit"))["ok"], "the export's own record waits for nobody"


def test_the_verifier_needs_neither_flask_nor_a_database() -> None:
    code = (
        "import sys, web.verifier; print([m for m in ('flask', 'sqlalchemy', 'pandas', 'alembic') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
