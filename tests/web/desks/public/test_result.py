"""The page of a result: winner and money, points by criterion as far as the law opens them, remedies with their day, the report."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from tests.kit import evaluation_steps, opening_steps, stages
from tests.web.desks.rooms import Rooms
from trading.awarding import awards
from trading.kernel.money import Money
from trading.tendering import notices
from web.cli.main import main
from web.desks.public import result_charts
from web.words import formatting

NAMES = ("投标单位1有限公司", "投标单位2有限公司", "投标单位3有限公司")


@pytest.fixture
def guest(rooms: Rooms) -> FlaskClient:
    return rooms.app.test_client()


def test_a_result_tells_winner_money_points_prices_panel_and_remedies(
    rooms: Rooms, guest: FlaskClient, tmp_path: Path
) -> None:
    world = rooms.world
    ref = stages.proposed(world)
    for path, status in (("report.pdf", 404), ("result.csv", 404), ("bundle.zip", 409)):  # concluded is not published
        assert guest.get(f"/lots/{ref}/{path}").status_code == status
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))
    assert guest.get(f"/lots/{ref}/report.pdf").status_code == 404
    with world.work("agent") as work:
        award = awards.announce(work, world.lot_in(work, ref))
        winner, price, last = award.winner, award.price_minor or 0, award.challenge_until
        ranking, budget = award.ranking, world.lot_in(work, ref).budget
    assert winner is not None and last is not None
    page = guest.get(f"/lots/{ref}/result").text
    for wanted in (
        winner.name,
        Money(price).amount_words(),
        "比预算节约",
        "技术方案",
        "质保期",
        "投标报价",
        "客观",
        "主观",
        f"{last - timedelta(hours=16):%Y-%m-%d} 24:00",
        "T-21",
        "个工作日 = ",
        "提出质疑",
        "评标委员会",
    ):
        assert wanted in page, wanted
    assert f'class="fig">{formatting.figure(budget - Money(price))}' in page
    assert all(one["total"] in page and one["name"] in page for one in ranking)
    assert page.count('class="seg-subjective" x=') == len(ranking)  # a bar a bidder, stacked
    assert "专家" in page and "given" not in page
    told = list(csv.reader(io.StringIO(guest.get(f"/lots/{ref}/result.csv").data.decode("utf-8-sig"))))
    assert told[-1][3:] == [one["total"] for one in ranking] and len(told) == 5
    columns = list(zip(*[row[3:] for row in told[1:-1]], strict=True))
    assert [f"{sum(int(cell.replace('.', '')) for cell in column) / 100:.2f}" for column in columns] == told[-1][3:]
    paper = guest.get(f"/lots/{ref}/report.pdf")
    assert (
        paper.status_code == 200
        and paper.data.startswith(b"%PDF-")
        and paper.data == guest.get(f"/lots/{ref}/report.pdf").data
    )
    world.tick()
    taken = guest.get(f"/lots/{ref}/bundle.zip")
    assert taken.status_code == 200 and taken.mimetype == "application/zip"
    (tmp_path / "lot.zip").write_bytes(taken.data)
    (tmp_path / "trust.json").write_bytes(guest.get("/log/keys.json").data)
    proved = CliRunner().invoke(
        main, ["verify", str(tmp_path / "lot.zip"), "--trust", str(tmp_path / "trust.json"), "--json"]
    )
    assert proved.exit_code == 0, proved.output
    english = guest.get(f"/lots/{ref}/result?lang=en").text
    assert "Why this bidder" in english and "Technical plan" in english and "Below the budget" in english


@pytest.mark.rule("T-25", "P-44")
def test_works_show_candidates_and_no_panel_before_the_award(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = stages.proposed(world, "WORKS")
    with world.work("agent") as work:
        award = awards.publicise(work, world.lot_in(work, ref))
        until, top = award.publicity_until, award.ranking[0]
    assert until is not None
    page = guest.get(f"/lots/{ref}/result").text
    assert "第一中标候选人" in page and top["name"] in page and "中标候选人公示" in page and "提出异议" in page
    assert (
        f"{until - timedelta(hours=16):%Y-%m-%d} 24:00" in page and "P-44" in page and not re.search(r"<b>专家", page)
    )
    assert "为什么是它" not in page and ">中标人<" not in page
    world.clock.set(until)
    over = guest.get(f"/lots/{ref}/result").text
    assert "期限已满" in over and f"/bidder/lots/{ref}/objection" not in over
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))
    with world.work("agent") as work:
        awards.announce(work, world.lot_in(work, ref))
        lot = world.lot_in(work, ref)
        notices.publish(work, lot, "correction", title=lot.title, text="候选人名称更正为全称。")
    page = guest.get(f"/lots/{ref}/result").text
    assert (
        "发布过更正" in page and "候选人名称更正为全称" in page and "为什么是它" in page and re.search(r"<b>专家", page)
    )


@pytest.mark.rule("E-24")
def test_a_rejected_bid_stands_with_clause_and_votes(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    evaluation_steps.library(world)
    ref = evaluation_steps.opened(
        world,
        "WORKS",
        forms={name: opening_steps.form("WORKS", price=f"27{at}0000.00") for at, name in enumerate(world.bidders)},
    )
    opening_steps.draw_coefficient(world, ref)
    evaluation_steps.seated(world, ref)
    evaluation_steps.conform(world, ref, reject=("bidder2",))
    evaluation_steps.score(world, ref)
    evaluation_steps.report_and_conclude(world, ref)
    with world.work("agent") as work:
        awards.publicise(work, world.lot_in(work, ref))
    page = guest.get(f"/lots/{ref}/result").text
    gone = page.partition("未进入评审或被否决")[2].partition("</table>")[0]
    assert NAMES[1] in gone and "三、2" in gone and "5 票中 4 票反对" in gone
    assert NAMES[0] not in gone


def test_segments_of_a_bar_fill_exactly_their_points() -> None:
    drawn = result_charts.stacked(
        {"price": Fraction(30), "objective": Fraction(25), "subjective": Fraction("36.8")}, Fraction(100)
    )
    assert [(one.kind, one.x, one.points) for one in drawn] == [
        ("objective", "0.00", "25.00"),
        ("subjective", "25.00", "36.80"),
        ("price", "61.80", "30.00"),
    ]
    scale = result_charts.prices([("甲", 80, True), ("乙", 120, False)], ceiling=100, budget=100)
    assert scale is not None and [row["over"] for row in scale.rows] == [False, True]
    assert scale.ceiling == scale.budget == "50.00"
    assert result_charts.prices([], ceiling=1, budget=1) is None
