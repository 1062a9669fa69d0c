"""From the award to the public figures: result page, contract page, savings report, and the same figures on the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from openpyxl import load_workbook

from tests.kit import evaluation_steps, sealing
from tests.kit.world import World
from tests.web.desks.rooms import Rooms
from trading import timeline
from trading.awarding import awards, contracts
from trading.kernel.calendar import local_day
from trading.reports import own, savings
from web import schema, wiring
from web.cli import savings as command
from web.settings import read_settings

NAMES = ("投标单位1有限公司", "投标单位2有限公司", "投标单位3有限公司")


@pytest.fixture
def guest(rooms: Rooms) -> FlaskClient:
    return rooms.app.test_client()


def test_an_empty_platform_says_so(guest: FlaskClient) -> None:
    page = guest.get("/savings").text
    assert "还没有结果公告" in page and "统计口径" in page
    assert guest.get("/savings/lots").status_code == 200
    assert json.loads(guest.get("/savings?format=json").data)["transactions"] == 0


@pytest.mark.rule("ST-03")
def test_failed_rounds_are_counted_apart(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    with world.view("clock") as view:
        assert list(own.records(view.session)) == []
    sealing.close(world, ref)
    timeline.turn(world.office)
    with world.view("clock") as view:
        (record,) = own.records(view.session)
    assert (record["id"], record["status"], record["award"], record["budget"]) == (
        ref,
        savings.FAILED,
        None,
        300_000_000,
    )
    told = json.loads(guest.get("/savings?format=json").data)
    assert told["failed"] == 1 and told["transactions"] == 0 and told["saving_rate_pct"] is None
    assert (
        ref in guest.get("/savings/lots?case=failed").text and ref not in guest.get("/savings/lots?case=negative").text
    )


@pytest.mark.rule("ST-02")
def test_from_award_to_figures(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    evaluation_steps.library(world)
    ref = evaluation_steps.evaluated(world)
    pages = (f"/lots/{ref}", f"/lots/{ref}/result", f"/lots/{ref}/contract", "/notices", "/", f"/audit?lot={ref}")

    def named() -> set[str]:
        """What of the evaluation any page tells: names of bidders, and the document of the ranking."""
        found = {name for path in pages for name in NAMES if name in guest.get(path).text}
        with world.view("clock") as view:
            ranking = awards.award(view.session, world.lot_in(view, ref)).ranking_hash
        return found | ({"ranking"} if guest.get(f"/log/documents/{ranking}.json").status_code == 200 else set())

    assert named() == set()
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))
    assert (
        named() == set() and "结果尚未公告" in guest.get(f"/lots/{ref}/result").text
    )  # decided, and still told to nobody
    with world.work("agent") as work:
        awards.announce(work, world.lot_in(work, ref))
    assert named() == {*NAMES, "ranking"}
    with world.view("clock") as view:
        award = awards.award(view.session, world.lot_in(view, ref))
        price, last = award.price_minor or 0, award.challenge_until
    page = guest.get(f"/lots/{ref}/result").text
    for row in award.ranking:
        assert row["name"] in page and row["total"] in page
    assert last is not None and f"{last - timedelta(hours=16):%Y-%m-%d} 24:00" in page and "提出质疑" in page
    with world.work("agent") as work:
        contracts.record(
            work,
            world.lot_in(work, ref),
            number="HT-1",
            amount_minor=price,
            signed_at=work.now,
            text="标的：多媒体设备",
        )
    assert "合同尚未公告" in guest.get(f"/lots/{ref}/contract").text
    with world.work("agent") as work:
        contracts.publish_and_file(work, world.lot_in(work, ref))
    page = guest.get(f"/lots/{ref}/contract").text
    assert "HT-1" in page and "标的：多媒体设备" in page and "一致" in page
    rows = guest.get(f"/savings/lots?period={local_day(award.announced_at or award.proposed_at):%Y-%m}").text
    for wanted in (f"/lots/{ref}/result", f"/lots/{ref}/contract", "/notices/"):
        assert wanted in rows.partition("<main")[2], wanted
    assert (
        ref not in guest.get("/savings/lots?period=2001-01").text
        and ref not in guest.get("/savings/lots?band=90-").text
    )
    assert (
        f"/savings/lots?period={local_day(award.announced_at or award.proposed_at):%Y-%m}" in guest.get("/savings").text
    )
    figures_agree(world, guest, ref, price)


def test_months_without_a_result_keep_their_place() -> None:
    from web.desks.parts import charts
    from web.desks.public.savings import _band, _twelve

    drawn = charts.columns("x", ["11"], [charts.Series("budget", [3]), charts.Series("award", [2])])
    assert all(Fraction(bar["width"]) <= charts.WIDEST for bar in drawn.bars)  # they were two blocks of 40 % each
    assert _twelve("2026-02", None)[0] == "2025-03" and _twelve("2026-02", None)[-1] == "2026-02"
    assert _twelve("2026-02", date(2026, 1, 1)) == [f"2026-{month:02}" for month in range(1, 13)]
    assert (_band("7-8"), _band("-0"), _band("15-"), _band("x"), _band("-")) == (
        (7, 8),
        (None, 0),
        (15, None),
        None,
        None,
    )


def figures_agree(world: World, guest: FlaskClient, ref: str, price: int) -> None:
    """The page, its files and the command say the same of the one result."""
    rate = savings.rate_pct(300_000_000, price)
    told = json.loads(guest.get("/savings?format=json").data)
    assert (told["in_rate"], told["budget"], told["saving_rate_pct"]) == (1, "3000000.00", rate)
    page = guest.get("/savings").text
    assert f">{rate}</a><small>%</small></dd>" in page and "这些数没有说的" in page
    rows = list(csv.reader(io.StringIO(guest.get("/savings/lots?format=csv").data.decode("utf-8-sig"))))
    assert rows[1][0] == ref and rows[1][5:8] == ["3000000.00", f"{price // 100}.{price % 100:02}", rate]
    assert load_workbook(io.BytesIO(guest.get("/savings?format=xlsx").data)).sheetnames
    assert b"3000000.00" in guest.get("/savings?format=csv").data
    assert json.loads(guest.get("/savings?regime=WORKS&format=json").data)["in_rate"] == 0
    assert json.loads(guest.get("/savings?period=2025&format=json").data)["in_rate"] == 0
    assert json.loads(guest.get("/savings?period=2026&format=json").data)["in_rate"] == 1
    assert f"{rate}%" in guest.get("/").text
    asked = CliRunner().invoke(command.command, ["--json"])
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.stdout)["saving_rate_pct"] == rate


@pytest.fixture(autouse=True)
def _own_database(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command reads the database of this test's world."""

    def records() -> list[dict[str, object]]:
        with rooms.world.view("clock") as view:
            return list(own.records(view.session))

    monkeypatch.setattr(command, "own_records", records)
    yield


def test_the_command_finds_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "nothing"))
    monkeypatch.setattr(command, "own_records", command.platform_records)
    asked = CliRunner().invoke(command.command, ["--json"])
    assert asked.exit_code == 3 and not (tmp_path / "nothing").exists()
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path))
    schema.migrate(wiring.open_engine(read_settings().database))
    asked = CliRunner().invoke(command.command, ["--json"])
    assert asked.exit_code == 0 and json.loads(asked.stdout)["transactions"] == 0
