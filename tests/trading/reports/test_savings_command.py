"""`bidhall savings` as people call it: answers, exit codes, files; and the commands of docs/savings.md give what it prints."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from web.cli import savings as page

HOUSE = Path(__file__).parents[3]
PHILGEPS = str(HOUSE / "tests/data/philgeps/release_package.json")
YEARBOOK = str(HOUSE / "docs/examples/yearbook-2018.csv")


def run(*args: str, data: bytes | None = None, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(
        page.command, list(args), input=data, env={"LANG": "C", "LC_ALL": "C", "BIDHALL_LANG": "", **(env or {})}
    )


def test_philgeps() -> None:
    made = run(PHILGEPS, "--json")
    assert (made.exit_code, made.stderr) == (0, "")
    found = json.loads(made.stdout)
    assert (found["currency"], found["budget"], found["award"], found["saving_rate_pct"]) == (
        "PHP",
        "12622402.51",
        "21673536.53",
        "-71.71",
    )
    assert [one["reason"] for one in found["exceptions"]] == ["award_far_from_budget"]
    assert [one["reason"] for one in found["excluded"]] == ["no_award"]


def test_the_yearbook_year() -> None:
    """57 procurements and 58 works; 72 open, 42 competitive, 1 single source; 30.1770 and 29.4648 hundred million yuan; 2.36 %."""
    found = json.loads(run(YEARBOOK, "--json", "--by", "regime").stdout)
    assert [(one["by"]["regime"], one["transactions"]) for one in found["groups"]] == [("GP", 57), ("WORKS", 58)]
    assert (found["budget"], found["award"], found["saving_rate_pct"]) == ("3017700000.00", "2946480000.00", "2.36")
    assert found["rate_from_rounded_totals"]["rate_pct"] == "2.39"
    crossed = json.loads(run(YEARBOOK, "--json", "--by", "regime", "--by", "Method, regime").stdout)["groups"]
    assert list(crossed[0]["by"]) == ["regime", "method"] and len(crossed) == 4
    by_method = json.loads(run(YEARBOOK, "--format", "json", "--by", "method").stdout)["groups"]
    assert {one["by"]["method"]: one["transactions"] for one in by_method} == {
        "公开招标": 72,
        "竞争": 42,
        "单一来源": 1,
    }
    quarters = [
        json.loads(
            run(YEARBOOK, "--json", "--from", f"2018-{first:02d}-01", "--to", f"2018-{first + 2:02d}-{last}").stdout
        )["transactions"]
        for first, last in ((1, 31), (4, 30), (7, 30), (10, 31))
    ]
    assert sum(quarters) == 115 and all(quarters)


def test_files_are_read_from_stdin_and_written_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.xlsx"
    data = Path(YEARBOOK).read_bytes()
    assert run("-", "--format", "xlsx", "-o", str(out), data=data).exit_code == 0
    assert openpyxl.load_workbook(out).sheetnames[0] == "Summary"
    again = run("-", "-o", str(out), data=data)
    assert again.exit_code == 2 and "--force" in again.stderr
    assert run("-", "-o", str(out), "--force", "--lang", "zh", data=data).exit_code == 0
    assert "节约率 %" in out.read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["out.xlsx"]
    assert run("-", "-o", str(out), "--force", "--format", "csv", data=data).exit_code == 0
    assert out.read_bytes().startswith(b"\xef\xbb\xbftransactions,in_rate,budget,")
    assert run("-", "--format", "csv", data=data).stdout.startswith("transactions,in_rate,budget,")
    assert run("-", "--format", "xlsx", data=data).stdout_bytes == run("-", "--format", "xlsx", data=data).stdout_bytes


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        ([YEARBOOK, "--by", "colour"], "colour"),
        ([YEARBOOK, "--from", "x"], "--from"),
        ([YEARBOOK, "--json", "--format", "csv"], "exclude"),
        ([YEARBOOK, "--from", "2019-01-01", "--to", "2018-01-01"], "later"),
        ([YEARBOOK, "-o", "/nowhere/at/all"], "/nowhere"),
    ],
)
def test_wrong_calls_end_with_2_and_say_why(args: list[str], says: str) -> None:
    made = run(*args)
    assert (made.exit_code, made.stdout) == (2, "") and says in made.stderr and "Traceback" not in made.stderr


def test_unfit_files_name_every_fault_in_either_language() -> None:
    data = "编号,预算金额,成交金额\nA,x,1\n,1,-1\n".encode("gb18030")
    for lang, words in (("zh", "不是金额"), ("en", "is not an amount")):
        made = run("-", "--json", data=data, env={"BIDHALL_LANG": lang})
        assert (made.exit_code, made.stdout) == (2, "")
        assert words in made.stderr and made.stderr.count("[cell.") == 3 and "line 3, id" in made.stderr


def test_own_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "own_records", None)
    assert run("--json").exit_code == 3
    monkeypatch.setattr(page, "own_records", lambda: [{"id": "L1", "budget": 10000, "award": 9000, "method": "M1"}])
    assert json.loads(run("--json").stdout)["saving_rate_pct"] == "10.00"


def test_pdf() -> None:
    pytest.importorskip("typst")
    made = run(YEARBOOK, "--format", "pdf", "--by", "regime,method")
    assert made.exit_code == 0 and made.stdout_bytes.startswith(b"%PDF-")


def test_every_code_of_the_readers_has_words() -> None:
    from web.words import refusals

    source = "".join(path.read_text("utf-8") for path in (HOUSE / "trading/reports").glob("*.py"))
    codes = set(re.findall(r'"((?:file|json|ocds|csv|xlsx|table|cell|savings)\.[a-z_]+)"', source))
    assert len(codes) > 25 and not codes - refusals().keys()


def console_blocks() -> list[tuple[str, str]]:
    """(command, what it prints) of each console block in docs/savings.md."""
    text = (HOUSE / "docs/savings.md").read_text("utf-8")
    return [tuple(block.split("\n", 1)) for block in re.findall(r"```console\n\$ (.*?)```", text, re.S)]


@pytest.mark.parametrize(("call", "printed"), console_blocks())
def test_the_documents_print_what_the_command_prints(call: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOUSE)
    words = shlex.split(call)
    assert words[:2] == ["bidhall", "savings"]
    made = run(*words[2:])
    assert made.exit_code == 0
    assert made.stdout.rstrip() == printed.rstrip()


def test_the_documents_hold_the_runs_they_promise() -> None:
    calls = [call for call, _ in console_blocks()]
    assert any("philgeps" in call for call in calls) and any("yearbook-2018" in call for call in calls)


def test_xlsx_of_the_yearbook_reads_back(tmp_path: Path) -> None:
    made = run(YEARBOOK, "--format", "xlsx", "--by", "regime", "--lang", "en")
    sheet = openpyxl.load_workbook(io.BytesIO(made.stdout_bytes))["Breakdown"]
    assert [cell.value for cell in list(sheet.iter_rows())[-1]] == [
        "Total",
        115,
        115,
        3017700000,
        2946480000,
        71220000,
        2.36,
    ]
