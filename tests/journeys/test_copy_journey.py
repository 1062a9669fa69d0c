"""In a browser: a bidder whose sealed file is broken on the platform hands in the copy it kept, and the opening goes on with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit import sealing, stages
from tests.kit.server import LiveServer
from tests.trading.bidding.test_stored import bid_of, bytes_of, decrypt, spoil, state_of, verdict_of
from trading.opening import rechecks

pytestmark = pytest.mark.long


def test_the_copy_goes_up_from_the_page_and_is_opened(live_server: LiveServer, page: Any, tmp_path: Path) -> None:
    world = live_server.world
    ref = stages.closed(world)
    bid = bid_of(world, ref, "bidder1")
    good = spoil(world, bid)
    rechecks.recheck(world.office)
    kept = tmp_path / "bid.sealed"
    kept.write_bytes(good)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    live_server.sign_in(page, "bidder1", role="bidder-signer")
    page.goto(f"{live_server.url}/bidder/lots/{ref}")
    page.click("text=现在提交本单位的副本")
    (tmp_path / "short").write_bytes(good[:-1])
    page.set_input_files("#copy-file", str(tmp_path / "short"))
    page.click("#copy-go")
    page.wait_for_selector("#copy-say:has-text('大小')")
    page.set_input_files("#copy-file", str(kept))
    page.click("#copy-go")
    page.wait_for_selector("text=您的密封文件在平台上完好")
    assert state_of(world, bid) == ("HANDED_IN", "bidder") and bytes_of(world, bid) == good and not errors
    sealing.list_set(world, ref)
    decrypt(world, ref)
    assert verdict_of(world, ref, "bidder1") == ("opened", "")
