"""Pages of an opening that goes wrong, over HTTP: what the supervisory body signs and settles, bidders rescue and claim, the host rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from crypto.canonical import b64u, format_time, loads, unb64u
from crypto.documents import sign_document
from crypto.headers import parse_header
from crypto.signatures import payload_of
from crypto.ticks import commitment
from crypto.verdicts import judge_box
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.world import World
from tests.trading.opening import test_rescue
from tests.web.desks.hall.kit import Seat, app_of


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    return app_of(world, tmp_path)


def seat(world: World, app: Flask, username: str) -> Seat:
    return Seat(world, app, username, role="bidder-signer" if username.startswith("bidder") else "")


def test_a_late_closing_is_shown_and_confirmed(world: World, app: Flask) -> None:
    ref = stages.bid(world)
    verdict_steps.late_closing(world, ref)
    watch = seat(world, app, "watch")
    assert "待确认" in watch.get("/supervisor/hall").text and ref in watch.get("/supervisor/hall").text
    page = watch.get(f"/supervisor/hall/{ref}").text
    assert "45 分钟" in page and "签署确认书" in page and "投标单位" not in page.partition("<main")[2]
    assert "监督部门" in seat(world, app, "host").get(f"/hall/{ref}/host").text
    document = watch.json(f"/supervisor/hall/{ref}/late-close.json")["document"] | {
        "finding": "停电",
        "at": format_time(world.now),
    }
    watch.act(
        f"/supervisor/hall/{ref}/acts/confirm-late",
        late_close=dict(sign_document("late-close", document, world.keys["watch"].sign)),
    )
    assert "开标可以继续" in watch.get(f"/supervisor/hall/{ref}").text
    opening_steps.turn(world)
    seat(world, app, "host").act(f"/hall/{ref}/acts/list")
    refused = watch.post(f"/supervisor/hall/{ref}/acts/confirm-late", late_close={"payload": "x"})
    assert refused.status_code == 409 and "已于" in refused.text


def test_a_bidder_rescues_its_bid_and_everybody_sees_the_window(world: World, app: Flask) -> None:
    ref, seeds = test_rescue.failed(world)
    hall = seat(world, app, "").get(f"/hall/{ref}").text
    assert hall.count("TOO_FEW_SHARES") == 3
    assert (
        "disabled"
        in seat(world, app, "host").get(f"/hall/{ref}/host").text.partition("acts/open")[2].partition("</form")[0]
    )
    one = seat(world, app, "bidder1")
    assert f"/bidder/lots/{ref}/rescue" in one.get(f"/bidder/lots/{ref}/opening").text
    assert "种子" in one.get(f"/bidder/lots/{ref}/rescue").text
    facts = one.json(f"/bidder/lots/{ref}/rescue.json")
    document = {"v": 1, "at": format_time(world.now), "set": facts["set"], "header_hash": facts["header_hash"]}
    wrong = one.post(
        f"/bidder/lots/{ref}/acts/rescue",
        rescue=dict(sign_document("rescue", document | {"seed": b64u(bytes(32))}, world.keys["bidder1"].sign)),
    )
    assert wrong.status_code == 422 and "还原不出" in wrong.text
    one.act(
        f"/bidder/lots/{ref}/acts/rescue",
        rescue=dict(sign_document("rescue", document | {"seed": b64u(seeds["bidder1"])}, world.keys["bidder1"].sign)),
    )
    assert "已于" in one.get(f"/bidder/lots/{ref}/rescue").text
    verdict_steps.pause_over(world, ref)
    seat(world, app, "host").act(f"/hall/{ref}/acts/open")
    lost = seat(world, app, "bidder2").get(f"/bidder/lots/{ref}/opening").text
    assert "原因尚待裁定" in lost and "没有任何不利后果" in lost
    assert "2,750,000.00" in seat(world, app, "bidder1").get(f"/bidder/lots/{ref}/opening").text
    assert "2,750,000.00" in seat(world, app, "").get(f"/hall/{ref}").text


def test_boxes_are_judged_and_what_is_left_is_ruled_on(world: World, app: Flask) -> None:
    ref = test_rescue.bad_box(world)
    watch = seat(world, app, "watch")
    page = watch.get(f"/supervisor/hall/{ref}").text
    assert "被报告的坏份额盒" in page and "投标单位1有限公司" in page
    told = watch.json(f"/supervisor/hall/{ref}/boxes.json")
    assert [box["j"] for box in told["boxes"]] == [2, 3, 4, 5]
    officer = seat(world, app, "officer2")
    assert "取出本次开标的密钥" in officer.get(f"/hall/{ref}/scope").text
    facts = officer.json(f"/hall/{ref}/scope.json")
    assert facts["pk"] == told["boxes"][0]["pk"]
    assert "没有报告过" in seat(world, app, "officer1").get(f"/hall/{ref}/scope").text
    box = told["boxes"][0]
    secret = world.scope_secret("officer2", facts["scope"])
    code, part = judge_box(parse_header(unb64u(box["header"])), 2, secret)
    document = {
        "v": 1,
        "at": format_time(world.now),
        "set": told["set"],
        "header_hash": box["header_hash"],
        "j": 2,
        "code": code,
    }
    finding = {
        "document": dict(sign_document("finding", document, world.keys["watch"].sign)),
        "part": b64u(part) if part else "",
    }
    for junk in ([], [1], [{"document": {}, "part": 5}], [finding | {"part": b64u(bytes(32))}]):
        assert watch.post(f"/supervisor/hall/{ref}/acts/findings", findings=junk).status_code == 422
    watch.act(f"/supervisor/hall/{ref}/acts/findings", findings=[finding])
    verdict_steps.pause_over(world, ref)
    host = seat(world, app, "host")
    host.act(f"/hall/{ref}/acts/open")
    text = host.get(f"/hall/{ref}").text
    assert "SHARE_COMMIT" in text
    assert "视为撤销" in seat(world, app, "bidder1").get(f"/bidder/lots/{ref}/opening").text


def test_the_host_rules_with_reasons(world: World, app: Flask) -> None:
    ref = test_rescue.bad_box(world)
    verdict_steps.pause_over(world, ref)
    host = seat(world, app, "host")
    host.act(f"/hall/{ref}/acts/open")
    assert f"/hall/{ref}/acts/rule" in host.get(f"/hall/{ref}/host").text
    with world.view("clock") as view:
        name = verdict_steps.failures_of(world, view, ref)[0].header_hash
    short = host.post(f"/hall/{ref}/acts/rule", header_hash=name, cause="platform", reasons="短")
    assert short.status_code == 422 and "至少" in short.text
    host.act(f"/hall/{ref}/acts/rule", header_hash=name, cause="platform", reasons=verdict_steps.REASONS)
    mine = seat(world, app, "bidder1").get(f"/bidder/lots/{ref}/opening").text
    assert verdict_steps.REASONS in mine and "直接损失可以要求赔偿" in mine
    assert "视为撤回" in host.get(f"/hall/{ref}").text
    assert (
        host.post(f"/hall/{ref}/acts/rule", header_hash=name, cause="bidder", reasons=verdict_steps.REASONS).status_code
        == 409
    )


def test_a_lost_bid_is_claimed_and_settled(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path, bidders=4)
    app = app_of(world, tmp_path)
    ref = stages.bidding(world)
    verdict_steps.bid(world, ref, "bidder1", "bidder2", "bidder3")
    receipt = verdict_steps.lost_receipt(world, ref, "bidder4")
    sealing.close(world, ref)
    four = seat(world, app, "bidder4")
    assert "平台遗漏了我的投标" in four.get(f"/bidder/lots/{ref}/claim").text

    def claim(**changes: Any) -> dict[str, Any]:
        entry = loads(payload_of(receipt["entry"]))
        document = {
            "v": 1,
            "platform": world.office.platform,
            "tender": entry["tender"],
            "lot": entry["lot"],
            "envelope": "bid",
            "bidder": sealing.code_of(world, "bidder4"),
            "entry": b64u(commitment(entry)),
            "at": format_time(world.now),
        }
        return dict(sign_document("omission-claim", document | changes, world.keys["bidder4"].sign))

    bad = four.post(f"/bidder/lots/{ref}/acts/claim", claim=claim(entry=b64u(bytes(32))), receipt=receipt)
    assert bad.status_code == 422 and "申诉书" in bad.text
    four.act(f"/bidder/lots/{ref}/acts/claim", claim=claim(), receipt=receipt)
    host = seat(world, app, "host")
    stopped = host.post(f"/hall/{ref}/acts/list")
    assert stopped.status_code == 409 and "LOG_OMISSION" in stopped.text
    watch = seat(world, app, "watch")
    page = watch.get(f"/supervisor/hall/{ref}").text
    assert "一家投标人；名称尚未公开" in page and "投标单位4" not in page, (
        "who claims is sealed as long as the names are"
    )
    number = page.partition('name="claim" value="')[2].partition('"')[0]
    settled = {"outcome": "upheld", "reasons": verdict_steps.REASONS}
    assert watch.post(f"/supervisor/hall/{ref}/acts/settle", claim="9999", **settled).status_code == 404
    watch.act(f"/supervisor/hall/{ref}/acts/settle", claim=number, **settled)
    sealing.list_set(world, ref)
    public = seat(world, app, "").get(f"/hall/{ref}").text
    assert "遗漏申诉" in public and "责任在平台" in public
    assert "直接损失可以要求赔偿" in seat(world, app, "bidder4").get(f"/bidder/lots/{ref}/opening").text
