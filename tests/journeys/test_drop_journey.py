"""The platform dies under a bidder's "Submit": the page offers the digest drop, the file it saves gets a ticket there, and the same
submission is handed in as it is when the platform is back."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from crypto import drops
from crypto.canonical import unb64u
from tests.journeys.test_seal_journey import enrol, fill_bid, newcomer, watched
from tests.kit.server import LiveServer
from trading.bidding import bids
from trading.kernel.access import Role
from web.workers.watch.drop import Drop

pytestmark = pytest.mark.browser
__all__ = ["newcomer"]


def test_no_answer_a_digest_left_and_the_same_bid_taken_later(
    live_server: LiveServer, newcomer: str, page: Any, tmp_path: Path
) -> None:
    ref = live_server.world.lot("BIDDING")
    complaints = watched(page)
    live_server.sign_in(page, newcomer)
    key = enrol(live_server, page, tmp_path)
    page.goto(f"{live_server.url}/bidder/lots/{ref}")
    page.click("form[action$='/acts/take-part'] button")
    page.wait_for_selector("#deposit")
    files = [tmp_path / "资格.pdf"]
    files[0].write_bytes(b"%PDF-1.7\n" + random.Random(3).randbytes(90_000))
    page.goto(f"{live_server.url}/bidder/lots/{ref}/seal")
    fill_bid(page, files, key, price="2,800,000.00")
    page.click("#seal-go")
    page.wait_for_selector("#submit-go:not([disabled])", timeout=90_000)
    assert page.is_hidden("#drop-place")

    page.route("**/acts/submit", lambda route: route.abort())
    page.click("#submit-go")
    page.wait_for_selector("#drop-place:not([hidden])", timeout=30_000)
    with page.expect_download() as kept:
        page.click("#drop-save")
    path = tmp_path / "digest.json"
    kept.value.save_as(path)
    assert page.is_visible("#drop-next")
    drop = Drop(live_server.office.platform, tmp_path / "elsewhere", live_server.world.clock)
    ticket = drops.open_ticket(
        json.loads(drop.leave(json.loads(path.read_text("utf-8")), "10.0.0.9")),
        unb64u(drop.public),
        live_server.office.platform,
    )

    page.unroute("**/acts/submit")
    page.wait_for_selector("#receipt-place:not([hidden]), #submit-go:not([disabled])", timeout=60_000)
    if page.is_hidden("#receipt-place"):
        page.click("#submit-go")
    page.wait_for_selector("#receipt-place:not([hidden]) #verified-here li.ok", timeout=30_000)
    with live_server.world.view(newcomer, Role.BIDDER_SIGNER) as view:
        [receipt] = bids.own_receipts(view)
    assert receipt.kind == "received" and receipt.statement == ticket.digest, (
        "the ticket speaks of the very submission that was taken"
    )
    assert [one for one in complaints if "ERR_FAILED" not in one] == []
