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

from crypto import submissions
from crypto.documents import sign_document
from crypto.signatures import payload_of
from tests.kit import commands, opening_steps, restored, sealing
from tests.kit.commands import Desk
from tests.kit.server import LiveServer, serving
from tests.kit.world import World
from tests.web.desks.rooms import Person, Rooms
from trading.bidding import bids, tickets
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base
from web.words import formatting

JSON = {"Accept": "application/json"}


def marks(page: str) -> dict[str, str]:
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[-1] for name in ("csrf_token", "form_id")}


def check(guest: FlaskClient, receipt: Any, **more: Any) -> Any:
    page = guest.get("/check").text
    text = receipt if isinstance(receipt, str) else json.dumps(receipt)
    return guest.post("/check/acts/check", data={**marks(page), "receipt": text, **more})


def lines(answer: Any) -> list[str]:
    """The states of the four answers: ok, old, bad or none."""
    assert answer.status_code == 200, answer.text[-500:]
    box = answer.text.partition("data-check-result")[2].partition("</section>")[0]
    return re.findall(r'<li class="(ok|old|bad|none)" data-code', box)


def heading(answer: Any) -> str:
    found = re.search(r'<h2 id="verdict-head">([^<]*)</h2>', answer.text)
    assert found is not None
    return found[1]


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
    return {
        "ref": ref,
        "submission": submission,
        "outcome": outcome,
        "receipt": sealing.receipt_of(world, "bidder1", outcome),
    }


def test_a_fresh_receipt(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    answer = check(guest, bid["receipt"])
    assert lines(answer) == ["ok", "none", "none", "none"] and heading(answer) == "是真的，尚待入簿"
    assert "核对词" in answer.text and "开标后公布" in answer.text
    rooms.world.tick()
    answer = check(
        guest, bid["receipt"], other_file=(io.BytesIO(json.dumps(bid["submission"]).encode()), "submission.json")
    )
    assert lines(answer) == ["ok", "ok", "ok", "none"] and heading(answer) == "是真的；有一问现在不能回答"


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
    answer = check(own.client, bid["receipt"])
    assert lines(answer) == ["ok", "none", "ok", "old"] and heading(answer) == "是真的，但已被取代"
    after = bids_of(world, bid["ref"])
    assert f"/bidder/receipts/{after[0].c}" in answer.text  # its own bidder finds the one that counts
    assert after[0].c not in check(other.client, bid["receipt"]).text
    withdraw(world, bid["ref"], submission)
    assert heading(check(own.client, bid["receipt"])) == "是真的，但已撤回"


def test_everybody_is_told_once_the_list_is_out(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    world = rooms.world
    for name in ("bidder2", "bidder3"):
        opening_steps.bid(world, bid["ref"], {name: opening_steps.form()})
    sealing.close(world, bid["ref"])
    assert lines(check(guest, bid["receipt"])) == ["ok", "none", "ok", "none"]
    sealing.list_set(world, bid["ref"])
    answer = check(guest, bid["receipt"])
    assert lines(answer) == ["ok", "none", "ok", "ok"] and heading(answer) == "是真的，而且仍然有效"


def test_what_was_changed_is_named(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    rooms.world.tick()
    whole = {
        **bid["receipt"],
        "proof": guest.get(f"/check/entries/{bid['outcome'].receipt.c}.json", headers=JSON).get_json()["proof"],
    }
    assert lines(check(guest, whole)) == ["ok", "none", "ok", "none"]
    forged = copy.deepcopy(whole)
    forged["entry"]["signatures"][0]["sig"] = "A" * 86 + "=="
    answer = check(guest, forged)
    assert lines(answer) == ["bad", "none", "none", "none"] and heading(answer) == "不是本平台出具的，或被改动过"
    torn = copy.deepcopy(whole)
    torn["proof"]["path"] = "A" * len(torn["proof"]["path"])
    answer = check(guest, torn)
    assert lines(answer) == ["ok", "none", "bad", "none"] and heading(answer) == "是平台签的，但审计簿里没有它"
    strange = json.dumps({**bid["submission"], "payload": whole["entry"]["payload"]})
    answer = check(guest, whole, other=strange)
    assert lines(answer) == ["ok", "bad", "ok", "none"] and heading(answer) == "回执是真的，但说的不是这份文件"


@pytest.mark.parametrize(
    "text", ["", "not json", "[1]", "[" * 5000, "{}", '{"entry": 5}', "\x00", '{"entry": {"payload": "x"}}']
)
def test_nonsense_is_answered_in_words(guest: FlaskClient, text: str) -> None:
    answer = check(guest, text)
    assert answer.status_code in (200, 422) and "platform.defect" not in answer.text
    if answer.status_code == 422:
        assert "回执" in answer.text
    else:
        assert lines(answer) == ["bad", "none", "none", "none"] and heading(answer) in (
            "这不是回执",
            "不是本平台出具的，或被改动过",
        )


def test_numbers(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    c = bid["outcome"].receipt.c
    number = formatting.number("received", c)
    assert "尚待入簿" in guest.get(f"/check?number={c}").text
    rooms.world.tick()
    for said in (c, number, number.lower(), number.replace("-", ""), number[2:], number.replace("-", " ")):
        answer = guest.get("/check", query_string={"number": said})
        assert lines(answer) == ["none", "none", "ok", "none"] and bid["ref"] not in answer.text, said
    assert "没有这个编号" in guest.get("/check?number=" + "A" * 43).text
    assert "没有发布过" in guest.get("/check?number=" + "0" * 64).text
    assert "既不是" in guest.get("/check?number=5").text
    assert guest.get("/check/entries/" + "A" * 43 + ".json", headers=JSON).status_code == 404


def test_a_number_that_was_misheard_is_noticed_before_anything_is_looked_up(
    guest: FlaskClient, bid: dict[str, Any]
) -> None:
    number = formatting.number("received", bid["outcome"].receipt.c)
    other = number[:4] + ("3" if number[4] != "3" else "4") + number[5:]
    assert "末两位对不上" in guest.get(f"/check?number={other}").text
    assert "没有 0、O、1、I" in guest.get(f"/check?number={number[:4]}0{number[5:]}").text
    stranger = formatting.number("received", bytes(32))
    assert "没有这个编号" in guest.get(f"/check?number={stranger}").text


# --- every form in which a receipt is handed out, at every place where one is checked -------------------------------------------------


def forms_of(rooms: Rooms, ref: str) -> dict[str, Any]:
    """What the platform hands out as a receipt: by the pages, by the acts, in bundles and packages; of bids, refusals, withdrawals."""
    world, person = rooms.world, rooms.person("bidder1")
    sealed, submission = sealing.seal(world, ref, "bidder1")
    outcome = sealing.hand_in(world, ref, "bidder1", sealed, submission)
    found: dict[str, Any] = {"just submitted": {"entry": json.loads(outcome.receipt.entry)}}
    found["answer to the act"] = {
        "c": outcome.receipt.c,
        "kind": "received",
        "accepted": True,
        "reason": "",
        "location": "x",
        "receipt": found["just submitted"],
    }
    wrong = sign_document("submission", {**json.loads(payload_of(submission)), "lot": "9"}, world.keys["bidder1"].sign)
    refused = sealing.hand_in(world, ref, "bidder1", sealed, wrong)
    assert not refused.accepted
    flood = [
        sealing.hand_in(
            world,
            ref,
            "bidder1",
            sealed,
            sign_document(
                "submission",
                {**json.loads(payload_of(submission)), "lot": "9", "tool": f"flood/{turn}"},
                world.keys["bidder1"].sign,
            ),
        )
        for turn in range(10)
    ]
    world.tick()
    for name, one in (
        ("bid", outcome.receipt),
        ("proof of attempt", refused.receipt),
        ("one of many refusals", flood[-1].receipt),
    ):
        found[f"{name}, page's JSON"] = person.client.get(f"/bidder/receipts/{one.c}.json", headers=JSON).get_json()
        found[f"{name}, file to keep"] = person.client.get(f"/bidder/receipts/{one.c}/file").get_json()
    taken = withdraw(world, ref, submission)
    world.tick()
    found["withdrawal, file to keep"] = person.client.get(f"/bidder/receipts/{taken.receipt.c}/file").get_json()
    found["in a bundle"] = {**found["bid, page's JSON"]}
    assert "list" in found["one of many refusals, file to keep"]
    found["with ticks of the log beside it"] = {
        **found["bid, file to keep"],
        "log": [{name: found["withdrawal, file to keep"]["proof"][name] for name in ("leaf", "tlog")}],
    }
    return found


def test_every_form_of_a_receipt_checks_everywhere(rooms: Rooms, guest: FlaskClient, tmp_path: Path) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)
    desk = Desk(tmp_path, world)
    known = desk.write("ticket.json", commands.ticket(world, ref))
    for name, value in forms_of(rooms, ref).items():
        for answer in (
            check(guest, value),
            check(guest, "", receipt_file=(io.BytesIO(json.dumps(value).encode()), "receipt.json")),
        ):
            assert lines(answer)[0] == "ok" and "bad" not in lines(answer), (name, lines(answer))
        ran = desk.run("receipt", desk.write("r.json", value), "--trust", known, "--json")
        assert ran.code == 0 and ran.json["ok"], (name, ran.out, ran.err)
        said = guest.get(f"/check?number={formatting.number(ran.json['event'], ran.json['c'])}")
        assert lines(said)[2] == "ok", name


def withdraw(world: World, ref: str, submission: Any) -> Any:
    document = submissions.make_withdrawal(json.loads(payload_of(submission)), at=write_moment(floor_second(world.now)))
    with world.work("bidder1", sealing.SIGNER) as work:
        return bids.withdraw(
            work, world.lot_in(work, ref), withdrawal=sign_document("withdrawal", document, world.keys["bidder1"].sign)
        )


def bids_of(world: World, ref: str) -> Any:
    with world.view("bidder1", sealing.SIGNER) as view:
        return bids.own_receipts(view, world.lot_in(view, ref))


def test_nothing_that_was_sent_is_kept(rooms: Rooms, guest: FlaskClient, bid: dict[str, Any]) -> None:
    def rows() -> list[tuple[str, int]]:
        with rooms.world.office.engine.connect() as connection:
            return [
                (name, connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar() or 0)
                for name in sorted(Base.metadata.tables)
            ]

    before = rows()
    check(guest, bid["receipt"])
    assert rows() == before


# --- in a browser ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(engine: Engine, tmp_path: Path) -> Iterator[LiveServer]:
    with serving(World(engine, tmp_path), tmp_path) as server:
        yield server


@pytest.mark.browser
def test_the_browser_comes_to_the_same_answers_and_never_posts(live: LiveServer, page: Any, tmp_path: Path) -> None:
    world = live.world
    ref = world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    outcome = sealing.hand_in(world, ref, "bidder1", sealed, submission)
    world.tick()
    with world.view("bidder1", sealing.SIGNER) as view:
        kept = json.loads(json.dumps(tickets.receipt_file(view, bids.own_receipt(view, outcome.receipt.c))))
    bare = {name: kept[name] for name in ("entry", "proof")}
    forged = copy.deepcopy(bare)
    forged["entry"]["signatures"][0]["sig"] = "A" * 86 + "=="
    torn = copy.deepcopy(bare)
    torn["proof"]["path"] = "A" * len(torn["proof"]["path"])
    cases: dict[str, tuple[Any, list[str]]] = {
        "bare": (bare, ["ok", "none", "ok", "none"]),
        "the file to keep": (kept, ["ok", "ok", "ok", "none"]),
        "without proof": ({"entry": bare["entry"]}, ["ok", "none", "ok", "none"]),
        "answer to the act": ({"c": "x", "receipt": {"entry": bare["entry"]}}, ["ok", "none", "ok", "none"]),
        "forged": (forged, ["bad", "none", "none", "none"]),
        "torn": (torn, ["ok", "none", "bad", "none"]),
        "no receipt": ({"hello": 1}, ["bad", "none", "none", "none"]),
    }
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    states = "[...document.querySelectorAll('[data-check-result] li')].map((li) => li.className)"
    for name, (value, wanted) in cases.items():
        path = tmp_path / "receipt.json"
        path.write_text(json.dumps(value))
        page.goto(live.url + "/check")
        page.click("[data-check] summary")
        page.fill("#f-receipt", path.read_text())
        page.click("[data-check] form[method=post] button")
        page.wait_for_selector("[data-check-result] li")
        assert page.evaluate(states) == wanted, (name, "pasted")
        if wanted[0] == "ok":
            assert page.inner_text(".verdict__h code") == formatting.number(
                "received", outcome.receipt.c
            )  # as the server reckons it
        assert page.evaluate("document.activeElement.hasAttribute('data-check-result')"), name
        if name != "no receipt":
            page.goto(live.url + "/check")
            page.set_input_files("#f-any", path)
            page.wait_for_selector("[data-check-result] li")
            assert page.evaluate(states) == wanted, (name, "as a file")
    page.goto(live.url + "/check")
    (tmp_path / "submission.json").write_text(json.dumps(submission))
    (tmp_path / "bid.sealed").write_bytes(sealed)
    (tmp_path / "receipt.json").write_text(json.dumps(bare))
    page.set_input_files("#f-any", [tmp_path / "receipt.json", tmp_path / "submission.json", tmp_path / "bid.sealed"])
    page.wait_for_selector("[data-check-result] li[data-code='digest.file']")
    (tmp_path / "bid.sealed").write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    page.set_input_files("#f-any", [tmp_path / "receipt.json", tmp_path / "submission.json", tmp_path / "bid.sealed"])
    page.wait_for_selector("[data-check-result] li.bad[data-code='digest.bad']")
    assert not [line for line in sent if line.startswith("POST")]


@pytest.mark.browser
def test_the_browser_verifies_entries_and_that_the_log_only_grew(live: LiveServer, page: Any, tmp_path: Path) -> None:
    world = live.world
    ref = world.lot("BIDDING")
    world.tick()
    page.goto(live.url + f"/lots/{ref}")
    page.click("[data-verify]")
    page.wait_for_selector("[data-entry]:last-child [data-verdict]:not(:empty)")
    assert page.evaluate("[...document.querySelectorAll('[data-entry]')].map((li) => li.className)") == [
        "ok",
        "ok",
        "ok",
    ]
    for sentence in ("已留存在本机", "日志延续了本机留存的链头"):
        page.goto(live.url + "/audit")
        page.click("[data-audit-go]")
        page.wait_for_selector("[data-audit-lines] li")
        assert sentence in page.inner_text("[data-audit-lines]")
        world.tick()
        world.tick()
    size = restored.size(world)
    restored.declare(world, tmp_path, 3)
    for kept, is_declared in ((size + 1, True), (size + 3, False), (size, False)):
        page.evaluate(
            """(size) => { const kept = JSON.parse(localStorage.getItem("bidhall-log-head"));
            localStorage.setItem("bidhall-log-head", JSON.stringify({ ...kept, size, root: "A".repeat(43) })); }""",
            kept,
        )
        page.goto(live.url + "/audit")
        page.click("[data-audit-go]")
        page.wait_for_selector("[data-audit-lines] li.bad")
        assert ("平台申明缺失" in page.inner_text("[data-audit-lines]")) == is_declared
        assert (
            page.evaluate("JSON.parse(localStorage.getItem('bidhall-log-head')).root") == "A" * 43
        )  # the evidence stays
