"""A key's life in a real browser: made, enrolled, put on paper, restored from the paper, replaced by another it signs for; then lost, and
a supervisor signs for the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crypto import keyfiles, recovery
from crypto.canonical import unb64u
from crypto.keyfiles import make_keyring
from tests.journeys.test_seal_journey import PASSPHRASE, enrol, watched
from tests.kit.server import LiveServer
from trading.parties import enrolments

pytestmark = pytest.mark.browser


def signing_public(ring: dict[str, Any]) -> str:
    return str(next(one["pub"] for one in ring["keys"] if one["alg"] == "ed25519"))


def standing(server: LiveServer, holder: str, role: str) -> str:
    with server.world.view("clerk") as view:
        return enrolments.standing_key(view.session, holder, role).sign_public


def make_other(page: Any, folder: Path, name: str) -> Path:
    """A further key file, made in the page and kept."""
    page.fill("#k-pass", PASSPHRASE)
    page.fill("#k-pass2", PASSPHRASE)
    page.click("#k-make")
    page.wait_for_selector("#k-download:not([hidden])", timeout=60_000)
    with page.expect_download() as kept:
        page.click("#k-download")
    kept.value.save_as(folder / name)
    return folder / name


def test_enrolled_put_on_paper_restored_replaced_and_lost(live_server: LiveServer, page: Any, tmp_path: Path) -> None:
    faults = watched(page)
    live_server.sign_in(page, "agent")
    first = enrol(live_server, page, tmp_path)
    ring = json.loads(first.read_bytes())
    code = ring["party"]
    assert standing(live_server, code, "agency") == signing_public(ring)

    page.goto(live_server.url + "/account/keys/sheet?lang=zh")
    page.set_input_files("#s-file", first)
    page.wait_for_selector("#backup:not([hidden]) svg.qr")
    lines = page.locator("#s-lines li").all_inner_texts()
    assert lines == recovery.lines_of(ring)
    assert " · ".join(recovery.key_words("ed25519", unb64u(signing_public(ring)), "zh")) in page.inner_text("main")

    page.goto(live_server.url + "/account/keys/restore?lang=zh")
    slip = "B" if lines[1][5] != "B" else "C"
    page.fill("#r-text", "\n".join([lines[0], lines[1][:5] + slip + lines[1][6:], *lines[2:]]))
    page.fill("#r-pass", PASSPHRASE)
    page.click("#r-go")
    page.wait_for_function("document.querySelector('#r-say').textContent.includes('02')")
    page.fill("#r-text", "\n".join(lines).lower())
    page.click("#r-go")
    page.wait_for_selector("#r-download:not([hidden])", timeout=60_000)
    with page.expect_download() as kept:
        page.click("#r-download")
    back = tmp_path / "back.json"
    kept.value.save_as(back)
    assert json.loads(back.read_bytes()) == ring

    page.goto(live_server.url + "/account/keys?lang=zh")
    page.set_input_files("#k-old", back)
    page.fill("#k-oldpass", PASSPHRASE)
    second = json.loads(make_other(page, tmp_path, "second.json").read_bytes())
    with page.expect_navigation():
        page.click("#k-enrol")
    assert standing(live_server, code, "agency") == signing_public(second) != signing_public(ring)

    page.check("[name=consent][value=lost]")
    page.fill("#k-reason", "新电脑被盗")
    third = json.loads(make_other(page, tmp_path, "third.json").read_bytes())
    with page.expect_navigation():
        page.click("#k-enrol")
    assert standing(live_server, code, "agency") == signing_public(second)

    held = live_server.world.keys["watch"]
    mine = tmp_path / "watch.json"
    mine.write_text(
        json.dumps(make_keyring("watch", "supervisor", {"ed25519": held.sign}, PASSPHRASE)), encoding="utf-8"
    )
    page.context.clear_cookies()
    live_server.sign_in(page, "watch")
    page.goto(live_server.url + "/account/keys/requests?lang=zh")
    assert " · ".join(recovery.key_words("ed25519", unb64u(signing_public(third)), "zh")) in page.inner_text("main")
    page.set_input_files("[data-key]", mine)
    page.fill("[data-pass]", PASSPHRASE)
    with page.expect_navigation(timeout=60_000):
        page.click("[data-vouch] button")
    assert standing(live_server, code, "agency") == signing_public(third)
    assert keyfiles.open_keyring(third, PASSPHRASE).secrets["ed25519"].pub == signing_public(third)
    assert faults == []
