"""The receipt checker: four separate answers, computed here without scripts and in the browser with them; nothing is told too early."""

from __future__ import annotations

import copy
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.kit import opening_steps, sealing
from tests.kit.server import LiveServer, serving
from tests.kit.world import World
from tests.web.desks.rooms import Person, Rooms
from trading.kernel.db import Base

JSON = {"Accept": "application/json"}


def marks(page: str) -> dict[str, str]:
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[-1] for name in ("csrf_token", "form_id")}


def check(guest: FlaskClient, receipt: Any, **more: Any) -> Any:
    page = guest.get("/check").text
    text = receipt if isinstance(receipt, str) else json.dumps(receipt)
    return guest.post("/check/acts/check", data={**marks(page), "receipt": text, **more})


def lines(answer: Any) -> list[str]:
    """The states of the four lines: ok, bad or open."""
    assert answer.status_code == 200, answer.text[-500:]
    box = answer.text.partition("data-check-result")[2].partition("</section>")[0]
    return re.findall(r'<li class="(ok|bad|open)">', box)


@pytest.fixture
def guest(rooms: Rooms) -> FlaskClient:
    return rooms.app.test_client()


@pytest.fixture
def bid(rooms: Rooms) -> dict[str, Any]:
    """A bid of bidder1, not yet in a tick."""
    world = rooms.world
    ref = world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    outcome = sealing.hand_in(world, ref, "bidder1", sealed, submission)
    return {"ref": ref, "submission": submission, "outcome": outcome, "receipt": sealing.receipt_of(world, "bidder1", outcome)}


def test_a_fresh_receipt(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    answer = check(guest, bid["receipt"])
    assert lines(answer) == ["ok", "open", "open", "open"]
    assert "核对词" in answer.text and "开标后公布" in answer.text
    rooms.world.tick()
    answer = check(guest, bid["receipt"], other_file=(io.BytesIO(json.dumps(bid["submission"]).encode()), "submission.json"))
    assert lines(answer) == ["ok", "ok", "ok", "open"]


def test_its_own_bidder_is_told_whether_it_stands(rooms: Rooms, bid: dict[str, Any]) -> None:
    world = rooms.world
    world.tick()
    own, other = rooms.person("bidder1"), rooms.person("bidder2")
    c = bid["outcome"].receipt.c

    def state(who: Person) -> str:
        return str(who.client.get(f"/check/entries/{c}.json", headers=JSON).get_json()["state"])
    assert (state(own), state(other)) == ("standing", "sealed")
    sealed, submission = sealing.seal(world, bid["ref"], "bidder1", replaces=bid["outcome"].receipt.statement)
    assert sealing.hand_in(world, bid["ref"], "bidder1", sealed, submission).accepted
    assert (state(own), state(other)) == ("superseded", "sealed")
    assert lines(check(own.client, bid["receipt"])) == ["ok", "open", "ok", "bad"]


def test_everybody_is_told_once_the_list_is_out(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    world = rooms.world
    for name in ("bidder2", "bidder3"):
        opening_steps.bid(world, bid["ref"], {name: opening_steps.form()})
    sealing.close(world, bid["ref"])
    assert lines(check(guest, bid["receipt"])) == ["ok", "open", "ok", "open"]
    sealing.list_set(world, bid["ref"])
    assert lines(check(guest, bid["receipt"])) == ["ok", "open", "ok", "ok"]


def test_what_was_changed_is_named(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    rooms.world.tick()
    whole = {**bid["receipt"], "proof": guest.get(f"/check/entries/{bid['outcome'].receipt.c}.json", headers=JSON).get_json()["proof"]}
    assert lines(check(guest, whole)) == ["ok", "open", "ok", "open"]
    forged = copy.deepcopy(whole)
    forged["entry"]["signatures"][0]["sig"] = "A" * 86 + "=="
    assert lines(check(guest, forged)) == ["bad"]
    torn = copy.deepcopy(whole)
    torn["proof"]["path"] = "A" * len(torn["proof"]["path"])
    assert lines(check(guest, torn)) == ["ok", "open", "bad", "open"]
    strange = json.dumps({**bid["submission"], "payload": whole["entry"]["payload"]})
    assert lines(check(guest, whole, other=strange)) == ["ok", "bad", "ok", "open"]


@pytest.mark.parametrize("text", ["", "not json", "[1]", "[" * 5000, "{}", '{"entry": 5}', "\x00", '{"entry": {"payload": "x"}}'])
def test_nonsense_is_answered_in_words(guest: FlaskClient, text: str) -> None:
    answer = check(guest, text)
    assert answer.status_code in (200, 422) and "platform.defect" not in answer.text
    if answer.status_code == 422:
        assert "回执" in answer.text
    else:
        assert lines(answer) == ["bad"]


def test_numbers(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    c = bid["outcome"].receipt.c
    assert "尚未" in guest.get(f"/check?number={c}").text
    rooms.world.tick()
    assert "已于" in guest.get(f"/check?number={c}").text
    assert "没有这个编号" in guest.get("/check?number=" + "A" * 43).text
    assert "没有发布过" in guest.get("/check?number=" + "0" * 64).text
    assert "既不是" in guest.get("/check?number=5").text
    assert guest.get("/check/entries/" + "A" * 43 + ".json", headers=JSON).status_code == 404


def test_nothing_that_was_sent_is_kept(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    def rows() -> list[tuple[str, int]]:
        with rooms.world.office.engine.connect() as connection:
            return [(name, connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar() or 0)
                    for name in sorted(Base.metadata.tables)]
    before = rows()
    check(guest, bid["receipt"])
    assert rows() == before


# --- in a browser ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(engine: Engine, tmp_path: Path) -> Iterator[LiveServer]:
    with serving(World(engine, tmp_path), tmp_path) as server:
        yield server


@pytest.mark.browser
def test_the_browser_comes_to_the_same_four_lines(live: LiveServer, page: Any, tmp_path: Path) -> None:
    world = live.world
    ref = world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    outcome = sealing.hand_in(world, ref, "bidder1", sealed, submission)
    world.tick()
    (tmp_path / "receipt.json").write_text(json.dumps(sealing.receipt_of(world, "bidder1", outcome)))
    (tmp_path / "submission.json").write_text(json.dumps(submission))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method + " " + request.url))
    page.goto(live.url + "/check")
    page.set_input_files("#f-receipt_file", tmp_path / "receipt.json")
    page.wait_for_selector("[data-check-result] li")
    states = "[...document.querySelectorAll('[data-check-result] li')].map((li) => li.className)"
    assert page.evaluate(states) == ["ok", "open", "ok", "open"]
    page.set_input_files("#f-other_file", tmp_path / "submission.json")
    page.wait_for_selector("[data-check-result] li.ok:nth-child(2)")
    assert page.evaluate(states) == ["ok", "ok", "ok", "open"]
    assert not [line for line in sent if line.startswith("POST")]
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    receipt["entry"]["signatures"][0]["sig"] = "A" * 86 + "=="
    (tmp_path / "forged.json").write_text(json.dumps(receipt))
    page.set_input_files("#f-receipt_file", tmp_path / "forged.json")
    page.wait_for_selector("[data-check-result] li.bad")
    assert page.evaluate(states) == ["bad"]


@pytest.mark.browser
def test_the_browser_verifies_entries_and_that_the_log_only_grew(live: LiveServer, page: Any) -> None:
    world = live.world
    ref = world.lot("BIDDING")
    world.tick()
    page.goto(live.url + f"/lots/{ref}")
    page.click("[data-verify]")
    page.wait_for_selector("[data-entry]:last-child [data-verdict]:not(:empty)")
    assert page.evaluate("[...document.querySelectorAll('[data-entry]')].map((li) => li.className)") == ["ok", "ok", "ok"]
    for sentence in ("已留存在本机", "日志延续了本机留存的链头"):
        page.goto(live.url + "/audit")
        page.click("[data-audit-go]")
        page.wait_for_selector("[data-audit-lines] li")
        assert sentence in page.inner_text("[data-audit-lines]")
        world.tick()
        world.tick()
    page.evaluate("""() => { const kept = JSON.parse(localStorage.getItem("bidhall-log-head"));
        localStorage.setItem("bidhall-log-head", JSON.stringify({ ...kept, root: "A".repeat(43) })); }""")
    page.goto(live.url + "/audit")
    page.click("[data-audit-go]")
    page.wait_for_selector("[data-audit-lines] li.bad")
    assert page.evaluate("JSON.parse(localStorage.getItem('bidhall-log-head')).root") == "A" * 43  # the evidence stays
