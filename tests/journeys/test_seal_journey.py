"""A bidder's whole way in a real browser: a key made and enrolled, two files sealed in the page, uploaded, submitted; the page checks the
receipt itself, before and after its tick; the bid replaced, then withdrawn."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crypto import keyfiles
from crypto.sealed_bid import inspect
from tests.kit import sealing
from tests.kit.server import PASSWORD, LiveServer
from tests.kit.world import SETUP, credit_code
from tests.trading.files.test_bid_files import CASES, ends
from trading.bidding import bids
from trading.files import bid_files
from trading.kernel import amount_words
from trading.kernel.access import Role
from trading.parties import enrolments, parties

pytestmark = pytest.mark.browser

PASSPHRASE = "nine lanterns over the bridge"
NAME = "青禾医疗科技（云汀）有限公司"


@pytest.fixture
def newcomer(live_server: LiveServer) -> str:
    """A bidder without a key."""
    world = live_server.world
    with world.office.work(SETUP) as work:
        party = parties.register(
            work, code=credit_code(900), name=NAME, kind="bidder", region="130205", bank_account="6222000900"
        )
        who = parties.invite(
            work, party, username="qinghe", name="沈若溪", password=PASSWORD, roles=[Role.BIDDER_SIGNER]
        )
        world.people["qinghe"], world.party_ids["qinghe"] = who.id, party.id
    return "qinghe"


def watched(page: Any) -> list[str]:
    """Collects what a browser complains about: broken policies, uncaught errors."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    return found


def enrol(server: LiveServer, page: Any, folder: Path) -> Path:
    """Makes a key file in the page, keeps it, enrols it."""
    page.goto(server.url + "/account/keys")
    page.fill("#k-pass", PASSPHRASE)
    page.fill("#k-pass2", PASSPHRASE)
    page.click("#k-make")
    page.wait_for_selector("#k-download:not([hidden])", timeout=60_000)
    assert page.is_disabled("#k-enrol")  # first the file is kept
    with page.expect_download() as kept:
        page.click("#k-download")
    path = folder / "key.json"
    kept.value.save_as(path)
    page.click("#k-enrol")
    page.wait_for_selector("#standing", timeout=60_000)
    return path


def fill_bid(page: Any, files: list[Path], key: Path, *, price: str) -> None:
    page.wait_for_selector("#checks:not(.proofbox--open)")
    for name, value in (("price", price), ("delivery_days", "60"), ("warranty_months", "24")):
        page.fill(f"#a-{name}", value)
    page.select_option("#a-small_firm", "no")
    page.set_input_files("#bid-files", files)
    page.set_input_files("#key-file", key)
    page.fill("#key-pass", PASSPHRASE)


def seal_and_submit(page: Any) -> None:
    page.click("#seal-go")
    page.wait_for_selector("#submit-go:not([disabled])", timeout=90_000)
    page.click("#submit-go")
    page.wait_for_selector("#receipt-place:not([hidden]) #verified-here li.ok", timeout=30_000)


def test_from_no_key_to_a_bid_in_the_log_and_back(
    live_server: LiveServer, newcomer: str, page: Any, tmp_path: Path
) -> None:
    world = live_server.world
    ref = world.lot("BIDDING")
    complaints = watched(page)
    live_server.sign_in(page, newcomer)
    key = enrol(live_server, page, tmp_path)
    with world.view(newcomer) as view:
        held = enrolments.find_key(view.session, credit_code(900), "bidder")
        assert held is not None and held.seal_public
    assert json.loads(key.read_text())["party"] == credit_code(900)

    page.goto(f"{live_server.url}/bidder/lots/{ref}")
    page.click("form[action$='/acts/take-part'] button")
    page.wait_for_selector("#deposit")

    first, second = tmp_path / "资格与商务文件.pdf", tmp_path / "技术文件.docx"
    first.write_bytes(b"%PDF-1.7\n" + random.Random(1).randbytes(900_000))
    second.write_bytes(b"PK\x03\x04" + random.Random(2).randbytes(120_000) + b"PK\x05\x06" + bytes(18))
    page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
    page.wait_for_selector("#checks:not(.proofbox--open)")
    assert page.text_content("#policy-mine") == page.text_content("#policy-notice")

    # the self-check names everything at once, and nothing leaves before it is mended
    page.fill("#a-price", "2,950,000.00")
    page.click("#seal-go")
    page.wait_for_selector("#selfcheck.proofbox--bad")
    told = page.inner_text("#selfcheck")
    assert "2,950,000.00" in told and len(page.query_selector_all("#selfcheck li.bad")) >= 6
    # and who types on keeps the field while it looks again
    page.fill("#a-price", "2,700,000.00")
    page.locator("#selfcheck", has_text="2,700,000.00").wait_for()
    assert page.evaluate("document.activeElement.id") == "a-price"
    fill_bid(page, [first, second], key, price="2,800,000.00")
    assert (page.input_value("#a-price"), page.inner_text("#sum-price"), page.inner_text("#sum-words")) == (
        "2,800,000.00",
        "2,800,000.00",
        "贰佰捌拾万元整",
    )
    seal_and_submit(page)
    assert page.get_attribute("#steps [aria-current] ", "class") == "here"
    shown = page.inner_text("#r-words")
    with world.view(newcomer) as view:
        lot = world.lot_in(view, ref)
        receipt = bids.own_receipts(view, lot)[0]
        assert receipt.kind == "received" and page.inner_text("#r-c").replace(" ", "") == receipt.c
        bid = bids.standing_bids(view.session, lot)[0]
    with world.office.blobs.open(bid.blob) as source:
        assert inspect(source).header.ctx["bidder"] == credit_code(900)
    assert world.office.blobs.path(bid.blob).stat().st_size > 1_020_000
    assert page.evaluate(f"localStorage.getItem('bidhall-sealed-{ref}')") is None

    # its tick: the page finds the proof by itself
    world.tick()
    world.tick()
    page.wait_for_selector("#verified-here[data-state=in_log]", timeout=30_000)
    assert not page.query_selector("#verified-here li.bad")
    page.click("#r-page")
    page.wait_for_selector("#verified[data-state=in_log]", timeout=30_000)
    assert shown in page.inner_text("main") and not page.query_selector("#verified li.bad")
    with page.expect_download() as kept:
        page.click("a[href$='/file']")
    assert set(json.loads(Path(kept.value.path()).read_text())) >= {"entry", "proof"}

    # another bid takes its place
    page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
    fill_bid(page, [second], key, price="2750000")
    seal_and_submit(page)
    with world.view(newcomer) as view:
        lot = world.lot_in(view, ref)
        assert [row.kind for row in bids.own_receipts(view, lot)] == ["replaced", "received"]
        assert len(bids.standing_bids(view.session, lot)) == 1

    # and is taken back
    page.goto(f"{live_server.url}/bidder/lots/{ref}/withdraw")
    page.set_input_files("#key-file", key)
    page.fill("#key-pass", "wrong " + PASSPHRASE)
    page.click("#withdraw-go")
    page.wait_for_selector("#withdraw-say:has-text('口令不对')", timeout=30_000)
    page.fill("#key-pass", PASSPHRASE)
    page.click("#withdraw-go")
    page.wait_for_url("**/bidder/receipts/**", timeout=30_000)
    with world.view(newcomer) as view:
        assert not bids.standing_bids(view.session, world.lot_in(view, ref))
    assert complaints == []


@pytest.mark.promise("S3")
def test_a_script_that_is_not_the_named_one_runs_in_no_page_and_seals_nothing(
    live_server: LiveServer, page: Any, tmp_path: Path
) -> None:
    """A byte changed on the way, or on the disk under a running server: in a module deep below the page, and in a worker."""
    world = live_server.world
    ref = world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)
    held = world.keys["bidder1"]
    key = tmp_path / "key.json"
    secrets = {"ed25519": held.sign, "x25519": held.seal}
    key.write_text(json.dumps(keyfiles.make_keyring(sealing.code_of(world, "bidder1"), "bidder", secrets, PASSPHRASE)))
    live_server.sign_in(page, "bidder1", role="bidder-signer")

    def change(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.body() + b"\n")

    page.route("**/static/js/sb/policy.js", change)
    with page.expect_console_message(lambda one: "integrity" in one.text and "policy.js" in one.text):
        page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
    page.wait_for_function("() => document.readyState === 'complete'")
    assert page.inner_text("#policy-mine") == "–" and page.is_visible("#checks.proofbox--open")
    page.unroute("**/static/js/sb/policy.js")

    page.route("**/static/js/seal_worker.js", change)
    page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
    file = tmp_path / "技术文件.zip"
    file.write_bytes(b"PK\x03\x04" + random.Random(3).randbytes(30_000) + b"PK\x05\x06" + bytes(18))
    fill_bid(page, [file], key, price="2800000")
    assert page.locator("#fresh dd").count() >= 7 and "officer1" in page.text_content("#fresh-keys")
    page.click("#seal-go")
    page.locator("#seal-say", has_text="与本页所列的不符").wait_for(timeout=60_000)
    assert page.is_disabled("#submit-go")
    page.unroute("**/static/js/seal_worker.js")

    page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
    fill_bid(page, [file], key, price="2800000")
    seal_and_submit(page)
    page.evaluate(
        """() => { const place = Object.keys(localStorage).find((one) => one.startsWith("bidhall-known:"));
      const known = JSON.parse(localStorage.getItem(place)); known.officers.officer2 = known.officers.officer1;
      localStorage.setItem(place, JSON.stringify(known)); }"""
    )
    page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
    page.wait_for_selector("#checks.proofbox--bad")
    assert "known.changed" in page.inner_text("#checks") and page.is_disabled("#seal-go")


def test_a_reload_in_the_middle_loses_nothing(
    live_server: LiveServer, newcomer: str, page: Any, tmp_path: Path
) -> None:
    world = live_server.world
    ref = world.lot("BIDDING")
    live_server.sign_in(page, newcomer)
    key = enrol(live_server, page, tmp_path)
    world.take_part(ref, newcomer)
    file = tmp_path / "技术文件.zip"
    file.write_bytes(b"PK\x03\x04" + random.Random(3).randbytes(300_000) + b"PK\x05\x06" + bytes(18))
    page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
    fill_bid(page, [file], key, price="2800000")
    page.click("#seal-go")
    page.wait_for_selector("#submit-go:not([disabled])", timeout=90_000)
    page.reload()
    page.wait_for_selector("#kept:not([hidden])", timeout=30_000)
    page.click("#kept-go")
    page.wait_for_selector("#submit-go:not([disabled])", timeout=30_000)
    page.set_input_files("#key-file", key)
    page.fill("#key-pass", PASSPHRASE)
    # the answer of the first submission is lost on the way: the page asks again and gets the same receipt
    lost = {"n": 0}

    def lose(route: Any) -> None:
        lost["n"] += 1
        if lost["n"] == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/acts/submit", lose)
    page.click("#submit-go")
    page.wait_for_selector("#receipt-place:not([hidden]) #verified-here li.ok", timeout=30_000)
    with world.view(newcomer) as view:
        assert [row.kind for row in bids.own_receipts(view, world.lot_in(view, ref))] == ["received"]
    assert lost["n"] == 2


def test_capital_figures_of_the_page_are_those_of_the_platform(live_server: LiveServer, page: Any) -> None:
    page.goto(live_server.url + "/account/sign-in")
    chance = random.Random(7)
    amounts = [0, 1, 10, 100, 101, 110, 1000_00, 10_0000_00, 1_0500_0000_00, 10_001_0000_0000_00, 818000000]
    amounts += [chance.randrange(10 ** chance.randrange(1, 18)) for _ in range(400)]
    written = page.evaluate(
        """async (all) => {
      const { amountWords } = await import("/static/js/bidder_form.js");
      return all.map((text) => amountWords(BigInt(text)));
    }""",
        [str(one) for one in amounts],
    )
    assert written == [amount_words.write(one) for one in amounts]


def test_the_page_and_the_command_see_the_same_of_a_file(live_server: LiveServer, page: Any) -> None:
    page.goto(live_server.url + "/account/sign-in")
    told = [(name, *ends(data)) for name, data, _ in CASES]
    seen = page.evaluate(
        """async (all) => {
      const { judge } = await import("/static/js/bidder_rules.js");
      return all.map(([name, size, head, tail]) => judge(name, size, head, tail));
    }""",
        [[name, size, head.decode("latin-1"), tail.decode("latin-1")] for name, size, head, tail in told],
    )
    here = [[["stop" if found.stops else "warn", found.code] for found in bid_files.judge(*one)] for one in told]
    assert seen == here


def test_the_page_warns_a_day_an_hour_and_ten_minutes_before_the_deadline(live_server: LiveServer, page: Any) -> None:
    """By the server's clock, once for each, also while the page just stands there; nothing before and nothing after."""
    world = live_server.world
    ref = world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
    assert deadline is not None
    complaints = watched(page)
    live_server.sign_in(page, "bidder1", role="bidder-signer")
    bar = page.locator("[data-warn-at] .tag--warn")

    def at(**before: float) -> None:
        with world.office.work(SETUP) as work:  # the sign-in of days ago would be over
            for row in work.session.scalars(select(parties.Login)):
                row.made_at = row.seen_at = deadline - timedelta(**before)
        world.clock.set(deadline - timedelta(**before))
        page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
        page.wait_for_selector("#checks:not(.proofbox--open)")

    at(hours=24, minutes=1)
    assert bar.count() == 1 and bar.is_hidden()
    at(hours=24, seconds=-1)
    for before, words in (
        ({"hours": 23}, "24 小时"),
        ({"hours": 1, "seconds": 4}, "24 小时"),
        ({"minutes": 59}, "1 小时"),
        ({"minutes": 10, "seconds": 4}, "1 小时"),
        ({"minutes": 9}, "10 分钟"),
        ({"seconds": 40}, "10 分钟"),
    ):
        at(**before)
        bar.wait_for(state="visible")
        assert words in bar.inner_text() and bar.get_attribute("role") == "status", before
    at(minutes=10, seconds=4)
    assert "1 小时" in bar.inner_text()
    page.wait_for_function(
        "() => document.querySelector('[data-warn-at] .tag--warn').textContent.includes('10 分钟')", timeout=20_000
    )
    at(seconds=-5)
    assert bar.count() == 0 or bar.is_hidden()
    assert not complaints
