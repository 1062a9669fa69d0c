"""What earlier versions left behind still opens: databases are brought to this version with every lot verifying, and bundles, receipts and
key files in people's hands hold as they are (``kept/README.md``)."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from migrations import runner
from web.cli.main import main

KEPT = sorted(Path(__file__).parent.glob("kept/*.tar.xz"))
pytestmark = pytest.mark.parametrize("old", KEPT, ids=lambda path: path.name.removesuffix(".tar.xz"), indirect=True)


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what one archive holds."""
    folder = tmp_path / "old"
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    monkeypatch.setenv("BIDHALL_DATA", str(folder / "data"))
    monkeypatch.setenv("BIDHALL_PLATFORM", "bidhall.rehearsal")
    return folder


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def counted(database: Path) -> dict[str, int]:
    """Rows of every table of the trade."""
    with closing(sqlite3.connect(database)) as held:
        names = [
            name
            for (name,) in held.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
            )
        ]
        return {name: held.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def test_a_populated_database_is_brought_here_and_every_lot_verifies(old: Path) -> None:
    before = counted(old / "data" / "bidhall.db")
    assert before["lot"] >= 4 and before["bid_receipt"] >= 10 and before["refund"] >= 5
    told = json.loads(run("migrate", "--json").stdout)
    assert told["from"] != told["to"] == runner.head()
    after = counted(old / "data" / "bidhall.db")
    assert {name: after.get(name) for name in before} == before
    verified = json.loads(run("audit", "verify", "--json").stdout)
    kept_apart = {"BYTES_MISSING"}  # archives are without the stored files
    assert {fault["code"] for fault in verified["faults"]} == kept_apart, verified["faults"][:5]
    savings = json.loads(run("savings", "--json").stdout)
    assert (savings["transactions"], savings["failed"]) == (3, 1)


def test_bundles_of_before_hold_and_a_changed_byte_does_not(old: Path) -> None:
    bundles = sorted((old / "bundles").glob("*.zip"))
    assert len(bundles) == 2
    for bundle in bundles:
        told = run("verify", bundle, "--json")
        assert told.exit_code == 0, told.output[-2000:]
    data = bytearray(bundles[0].read_bytes())
    data[len(data) // 2] ^= 1
    changed = old / "changed.zip"
    changed.write_bytes(data)
    assert run("verify", changed, "--json").exit_code != 0


def test_a_receipt_of_before_holds(old: Path) -> None:
    told = run("receipt", old / "receipt.json", "--json")
    assert told.exit_code == 0 and json.loads(told.stdout)["state"] == "in_log"


def test_a_key_file_of_before_opens(old: Path) -> None:
    words: list[str | Path] = ["keys", "passphrase", old / "bidder.keys.json", "-o", old / "new.keys.json"]
    (old / "new.txt").write_text("another passphrase 2027\n")
    told = run(*words, "--passphrase-file", old / "passphrase.txt", "--new-passphrase-file", old / "new.txt")
    assert told.exit_code == 0, told.output
    before, after = (json.loads((old / name).read_text()) for name in ("bidder.keys.json", "new.keys.json"))
    assert [key["kid"] for key in before["keys"]] == [key["kid"] for key in after["keys"]]
    (old / "wrong.txt").write_text("not the passphrase\n")
    refused = run(*words, "--force", "--passphrase-file", old / "wrong.txt", "--new-passphrase-file", old / "new.txt")
    assert refused.exit_code != 0
