"""Key work in a page: a key file opened in the browser, once in a sign-in, and what it signs handed in; a sign-in made fresh."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.walk.guide import PASSWORD, Guest


def open_key(guest: Guest, kind: str) -> None:
    """Choose the own key file and type its passphrase; it must not have been opened in this sign-in."""
    box = guest.page.locator(f"[data-keywork='{kind}']")
    box.locator("[data-keyfile]").set_input_files(guest.walk.town.key_file(guest.username))
    box.locator("[data-passphrase]").fill(PASSWORD)


def with_key(guest: Guest, kind: str, *, again: bool = False, files: Iterable[tuple[str, Path]] = ()) -> None:
    """Sign and hand in. ``again``: the key file was opened in this sign-in, so nobody may ask for it; ``files``: others that are wanted."""
    box = guest.page.locator(f"[data-keywork='{kind}']")
    box.wait_for()
    if again:
        box.locator("[data-keyopen]").wait_for()
        assert not box.locator("[data-keyfile]").is_visible()
    else:
        open_key(guest, kind)
    for selector, path in files:
        box.locator(selector).set_input_files(path)
    with guest.page.expect_navigation(wait_until="load", timeout=60_000):
        box.locator("[data-go]").click()
    guest.look()


def confirm(guest: Guest) -> Guest:
    """Say who one is again, where the sign-in is too old for an act of weight."""
    if "/account/confirm" in guest.page.url:
        guest.fill(password=PASSWORD).press("main form button:not([type=button])")
    return guest
