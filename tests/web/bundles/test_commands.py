"""`bidhall verify`, `export`, `import`, `audit` and `doctor` over a real platform, and what they say when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from click.testing import CliRunner

from crypto import checkpoints, merkle
from migrations import runner
from tests.kit import data_keys
from tests.kit.altering import rewrite
from tests.kit.commands import Ran
from tests.kit.world import World
from tests.web.bundles import play
from trading.kernel.clock import write_moment
from trading.tendering.notices import Notice
from web.cli.main import main
from web.wiring import LOG_KEY, REHEARSAL, SIGNING_KEY

Run = Callable[..., Ran]


def data_folder(world: World, folder: Path) -> Path:
    """A data folder over the world's database, blobs and keys, all of them the platform's alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    world.office.blobs.folder.chmod(0o700)
    if world.office.engine.dialect.name == "sqlite":
        Path(world.office.engine.url.database or "").chmod(0o600)
    for name, secret in ((SIGNING_KEY, world.office.keys.signing), (LOG_KEY, world.office.keys.log)):
        (folder / name).touch(0o600)
        (folder / name).write_text(secret.hex())
    data_keys.lay(folder)
    (folder / REHEARSAL).touch()
    with world.office.engine.begin() as connection:
        command.stamp(runner._config(connection), "head")
    return folder


def command_line(world: World, folder: Path) -> Run:
    data = data_folder(world, folder)

    def run(*arguments: str, at: str = "") -> Ran:
        env = {
            "BIDHALL_LANG": "en",
            "BIDHALL_DATA": str(data),
            "BIDHALL_DATABASE": world.office.engine.url.render_as_string(False),
            "BIDHALL_BLOBS": str(world.office.blobs.folder),
            "BIDHALL_PLATFORM": world.office.platform,
            "BIDHALL_TEST_CLOCK": at or write_moment(world.now),
        }
        found = CliRunner().invoke(main, list(arguments), env=env)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Ran(found.exit_code, found.stdout, found.stderr)

    return run


@pytest.fixture
def over(failed_now: tuple[World, str], tmp_path: Path) -> tuple[World, str, Run]:
    """A platform with a failed lot, and its command line."""
    world, ref = failed_now
    return world, ref, command_line(world, tmp_path / "data")


# --- verify ---------------------------------------------------------------------------------------------------------------------------


def test_verify_says_what_holds(finished: dict[str, play.Finished], tmp_path: Path) -> None:
    one = finished["GP"]
    trust = tmp_path / "trust.json"
    trust.write_bytes(play.contents(one.public)["keys/trust.json"])
    known = tmp_path / "checkpoint"
    known.write_text(one.early)
    found = CliRunner().invoke(
        main, ["verify", str(one.audit), "--json", "--trust", str(trust), "--known-checkpoint", str(known)]
    )
    answer = json.loads(found.stdout)
    assert found.exit_code == 0 and answer["ok"] and answer["trust"] == "given"
    assert set(answer) >= {"ok", "tender", "profile", "trust", "claims", "summary"}
    shown = CliRunner().invoke(main, ["verify", str(one.public), "--lang", "zh"])
    assert "项成立" in shown.output and "every claim" not in shown.output
    assert (
        shown.exit_code == 0 and "密封投标" in shown.stdout and "无可核对" in shown.stdout and "--trust" in shown.stderr
    )


def test_verify_exits_1_for_a_broken_bundle_and_2_for_none(finished: dict[str, play.Finished], tmp_path: Path) -> None:
    data = bytearray(finished["GP"].public.read_bytes())
    data[len(data) // 2] ^= 1
    broken, other = tmp_path / "broken.zip", tmp_path / "other.txt"
    broken.write_bytes(data)
    other.write_text("no ZIP")
    found = CliRunner().invoke(main, ["verify", str(broken), "--json"])
    assert found.exit_code == 1 and not json.loads(found.stdout)["ok"]
    assert CliRunner().invoke(main, ["verify", str(other)]).exit_code == 2
    assert CliRunner().invoke(main, ["verify", str(tmp_path / "nowhere.zip")]).exit_code == 2
    assert CliRunner().invoke(main, ["verify", str(broken), "--trust", str(other)]).exit_code == 2


# --- export ---------------------------------------------------------------------------------------------------------------------------


def test_export_bundle(over: tuple[World, str, Run], tmp_path: Path) -> None:
    world, ref, run = over
    out = tmp_path / "x.zip"
    done = run("export", "bundle", ref, "--profile", "audit", "-o", str(out), "--json")
    assert done.code == 0 and done.json["path"] == str(out)
    assert run("verify", str(out), "--json").json["ok"]
    assert run("export", "bundle", ref, "-o", str(out)).code == 2, "nothing is overwritten"
    assert run("export", "bundle", ref, "-o", str(out), "--force").code == 0
    assert run("export", "bundle", "KP-2026-000000", "-o", str(tmp_path / "y.zip")).code == 2
    assert not (tmp_path / "y.zip").exists()


def test_export_notices_and_ocds(finished: dict[str, play.Finished], tmp_path: Path) -> None:
    one = finished["GP"]
    run = command_line(one.world, tmp_path / "data")
    out = tmp_path / "notices.jsonl"
    assert run("export", "notices", "-o", str(out)).code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    with one.world.view("clock") as view:
        hashes = {row.document_hash for row in view.session.query(Notice)}
    assert {line["hash"] for line in lines} == hashes and {
        "tender",
        "opening_record",
        "result",
        "award",
        "contract",
    } <= {line["notice"]["kind"] for line in lines}
    from crypto.signatures import document_hash

    assert all(document_hash(line["notice"]) == line["hash"] for line in lines)
    ocds = tmp_path / "ocds.json"
    assert run("export", "ocds", "--records", "-o", str(ocds)).code == 0
    record = json.loads(ocds.read_text())["records"][0]["compiledRelease"]
    assert record["tender"]["status"] == "complete" and record["contracts"] and len(record["bids"]["details"]) == 4
    assert run("export", "ocds", "--tender", "KP-2026-000000-1", "-o", "-").code == 2


def test_export_audit_writes_tiles_that_give_the_checkpoint(over: tuple[World, str, Run], tmp_path: Path) -> None:
    world, _, run = over
    folder = tmp_path / "log"
    assert run("export", "audit", "-o", str(folder)).code == 0
    note = (folder / "checkpoint").read_text()
    size = int(note.split("\n")[1])
    assert all((folder / path).is_file() for path in checkpoints.tile_paths(size))
    leaves = [
        leaf
        for path in checkpoints.tile_paths(size)
        if path.startswith("tile/entries")
        for leaf in checkpoints.parse_entry_bundle((folder / path).read_bytes())
    ]
    from trading.kernel import log

    found = checkpoints.verify_checkpoint(note, log.log_key(world.office.platform, world.office.keys))
    assert merkle.root(leaves) == found.root and len(leaves) == size == found.size
    hashes = b"".join(
        (folder / path).read_bytes() for path in checkpoints.tile_paths(size) if path.startswith("tile/0/")
    )
    assert hashes == b"".join(merkle.leaf_hash(leaf) for leaf in leaves)


# --- audit verify ---------------------------------------------------------------------------------------------------------------------


def test_an_untouched_log_verifies(over: tuple[World, str, Run]) -> None:
    _, _, run = over
    found = run("audit", "verify", "--json")
    assert found.code == 0 and found.json["ok"] and found.json["ticks"] and found.json["gaps"]


@pytest.mark.parametrize(
    ("statement", "code", "where"),
    [
        ("UPDATE log_entry SET event = 'bid-withdrawn' WHERE event = 'bid-refused'", "ENTRY_ALTERED", "log_entry"),
        (
            "UPDATE log_entry SET envelope = replace(envelope, 'keyid', 'keyed') WHERE event = 'deadline'",
            "ENTRY_ALTERED",
            "log_entry",
        ),
        (
            "UPDATE log_document SET text = replace(text, '2026-03-24', '2026-03-25') WHERE kind = 'deadline'",
            "DOCUMENT_ALTERED",
            "log_document",
        ),
        (
            "UPDATE act_record SET payload = replace(payload, 'few_bidders', 'platform') WHERE act = 'lot.fail_few'",
            "RECORD_ALTERED",
            "act_record",
        ),
        ("UPDATE log_tick SET leaf = replace(leaf, '\"v\"', '\"w\"') WHERE tick = 3", "LEAF_ALTERED", "log_tick 3"),
        ("UPDATE log_seat SET slot = slot + 1 WHERE tick = 3", "TICK_TREE", "log_tick 3"),
        (
            "UPDATE log_tick SET checkpoint = replace(checkpoint, 'bidhall', 'bidholl') WHERE tick = 2",
            "CHECKPOINT",
            "log_tick 2",
        ),
        (
            'UPDATE log_node SET hash = (SELECT hash FROM log_node WHERE level = 0 AND "index" = 1) WHERE level = 0 AND "index" = 2',
            "NODE_ALTERED",
            "log_node 0/2",
        ),
        ("UPDATE sealed_bid SET size = size + 1", "ROW_ALTERED", "sealed_bid"),
        (
            "UPDATE bid_receipt SET entry = replace(entry, 'sig', 'gis') WHERE kind = 'refused'",
            "ROW_ALTERED",
            "bid_receipt",
        ),
    ],
)
@pytest.mark.promise("I1")
def test_every_altered_row_is_named(over: tuple[World, str, Run], statement: str, code: str, where: str) -> None:
    world, _, run = over
    rewrite(world, statement)
    found = run("audit", "verify", "--json")
    assert found.code == 1 and not found.json["ok"]
    assert any(fault["code"] == code and fault["where"].startswith(where) for fault in found.json["faults"]), (
        found.json["faults"]
    )
    if code == "ENTRY_ALTERED":
        assert found.json["first_bad"]


def test_an_entry_taken_away_is_seen(over: tuple[World, str, Run]) -> None:
    world, _, run = over
    rewrite(world, "DELETE FROM log_seat WHERE tick = 3")
    found = run("audit", "verify", "--json")
    assert {"TICK_TREE"} <= {fault["code"] for fault in found.json["faults"]} and found.json["first_bad"]


# --- import ---------------------------------------------------------------------------------------------------------------------------


def test_templates(over: tuple[World, str, Run]) -> None:
    _, _, run = over
    assert "流水号" in run("import", "statement", "--template", "--lang", "zh").out
    assert "bank_id" in run("import", "statement", "--template", "--lang", "en").out
    assert "专家编号" in run("import", "experts", "--template", "--lang", "zh").out


def test_a_statement_counts_once(over: tuple[World, str, Run], tmp_path: Path) -> None:
    _, _, run = over
    file = tmp_path / "bank.csv"
    file.write_text(
        "date,amount,name,account,text,bank_id,balance\n2026-03-20,100.00,甲公司,622200,无,B1,100.00\n",
        encoding="utf-8",
    )
    first, second = run("import", "statement", str(file), "--json"), run("import", "statement", str(file), "--json")
    assert first.code == 0 and (first.json["taken"], first.json["skipped"]) == (1, 0)
    assert second.code == 0 and (second.json["taken"], second.json["skipped"]) == (0, 1)
    file.write_text("date,amount\n2026-03-20,1\n", encoding="utf-8")
    assert run("import", "statement", str(file)).code == 2
    assert run("import", "statement").code == 2


def test_experts_line_by_line(over: tuple[World, str, Run], tmp_path: Path) -> None:
    from tests.kit.world import SETUP
    from trading.kernel.access import Role
    from trading.parties import parties

    world, _, run = over
    with world.office.work(SETUP) as work:
        firm = parties.register(work, code="PERSON001", name="专家一", kind="expert")
        parties.invite(work, firm, username="zhang", name="张", password="correct horse battery", roles=[Role.EXPERT])
    file = tmp_path / "experts.csv"
    file.write_text(
        "登录名,专家编号,工作单位,专业,地区\nzhang,E900,设计院,A0201 B01,130200\nnobody,E901,设计院,A0201,\n",
        encoding="utf-8",
    )
    first = run("import", "experts", str(file), "--json")
    assert first.code == 1 and [row["result"] for row in first.json["lines"]] == ["taken", "refused"]
    again = run("import", "experts", str(file), "--json")
    assert [row["result"] for row in again.json["lines"]] == ["skipped", "refused"]
    file.write_text("x\n1\n", encoding="utf-8")
    assert run("import", "experts", str(file)).code == 2


# --- doctor ---------------------------------------------------------------------------------------------------------------------------


def codes(ran: Ran, level: str = "error") -> set[str]:
    return {one["code"] for one in ran.json["findings"] if one["level"] == level}


def test_a_sound_platform(over: tuple[World, str, Run]) -> None:
    world, _, run = over
    found = run("doctor", "--json")
    assert found.code == 0 and found.json["ok"] and not codes(found)
    secret = world.office.keys.signing.hex()
    assert secret not in found.out and all(
        set(one) == {"code", "level", "what", "remedy"} for one in found.json["findings"]
    )


def test_what_is_wrong_is_named_with_its_remedy(over: tuple[World, str, Run]) -> None:
    world, ref, run = over
    blob = next(world.office.blobs.folder.glob("??/*"))
    from trading.tendering.documents import TenderDocument

    with world.view("clock") as view:
        blob = world.office.blobs.path(view.session.query(TenderDocument).first().blob)  # type: ignore[union-attr]
    os.rename(blob, blob.with_suffix(".away"))
    shutil.copy(blob.with_suffix(".away"), blob.parent / ("0" * 64))
    rewrite(world, "UPDATE log_document SET text = text || ' ' WHERE kind = 'deadline'")
    found = run("doctor", "--json")
    assert (
        found.code == 3 and {"blob_missing", "log_broken"} <= codes(found) and "blob_spare" in codes(found, "warning")
    )
    assert all(one["remedy"] for one in found.json["findings"] if one["level"] == "error")


def test_a_step_nobody_took(running: tuple[World, str], tmp_path: Path) -> None:
    world, ref = running
    run = command_line(world, tmp_path / "data")
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
    assert deadline is not None
    found = run("doctor", "--json", at=write_moment(deadline.replace(hour=9)))
    assert "step_overdue" in codes(found) and found.code == 3
    of_deadline = [
        one["code"]
        for one in run("doctor", "--json", "--deadline", ref).json["findings"]
        if one["code"].startswith("deadline")
    ]
    assert of_deadline[0] == "deadline" and {
        "deadline_officers",
        "deadline_probes",
        "deadline_disk",
        "deadline_fault",
    } <= set(of_deadline)


def test_no_platform_at_all(tmp_path: Path) -> None:
    env = {"BIDHALL_DATA": str(tmp_path / "none"), "BIDHALL_DATABASE": None, "BIDHALL_TEST_CLOCK": None}
    found = CliRunner().invoke(main, ["doctor", "--json"], env=env)
    answer = json.loads(found.stdout)
    assert found.exit_code == 3 and not answer["ok"] and answer["findings"][-1]["remedy"] == "bidhall migrate"
    assert not (tmp_path / "none").exists(), "a doctor changes nothing"


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("BIDHALL_") and not name.startswith("BIDHALL_TEST_")]:
        monkeypatch.delenv(name)
    yield
