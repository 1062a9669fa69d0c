"""An opening to its last page: list, shares of the key holders, decryption, reading out before the public, confirmation, an objection and
its answer, countersignatures, the record signed, opened and read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.walk.guide import PASSWORD, Walk, facts_of
from tests.walk.keywork import with_key
from tests.walk.town import Town

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OFFICERS = ("officer1", "officer2", "officer3", "officer4", "officer5")


@pytest.fixture(scope="module")
def ref(town: Town) -> str:
    """The lot that waits in the hall: its deadline is over, its list not published."""
    return str(town.lot("OPENING"))


@pytest.fixture(scope="module")
def walk(browser: Browser, town: Town, variant: tuple[str, int], judged: Path) -> Iterator[Walk]:
    """Officers, host and bidders stay signed in for the whole opening: a key file is opened once."""
    going = Walk(town, browser, *variant, judged)
    yield going
    going.end()


def test_the_list_is_published_and_shares_are_released(walk: Walk, ref: str) -> None:
    public = walk.stranger().go("/hall").follow("a[href='/hall/wall']")
    public.picture("hall-wall-zh")
    public.follow(f"main a[href='/hall/{ref}']")
    host = walk.person("host").follow(f"a[href='/hall/{ref}/host']")
    host.press("form[action$='/acts/list'] button")
    walk.town.jump(seconds=12)  # the set's own tick: key holders' pages prove it from the log
    for username in OFFICERS[:3]:
        officer = walk.person(username).follow(f"a[href='/hall/{ref}/release']")
        with_key(officer, "release")
    public.go(f"/hall/{ref}")
    told = facts_of(public, f"/hall/{ref}/data")
    assert [one["turn"] for one in told["waits"]] == ["officers"] and len(told["shares"]) == 3
    public.picture("hall-shares-zh")
    assert public.page.locator(
        ".waits .count"
    ).is_visible()  # three are enough, and the page says why and until when it waits
    host.go(f"/hall/{ref}/host")
    for username in OFFICERS[3:]:
        officer = (
            walk.person(username).go(f"/hall/{ref}").follow(f".waits a[href='/hall/{ref}/release']")
        )  # it is their turn
        with_key(officer, "release")
    host.go(f"/hall/{ref}/host").press("form[action$='/acts/open'] button")
    for _ in range(60):
        if facts_of(host, f"/hall/{ref}/data")["state"] == "OPENED":
            break
        host.page.wait_for_timeout(500)
    assert facts_of(host, f"/hall/{ref}/data")["state"] == "OPENED"


def test_the_host_reads_out_and_the_room_follows(walk: Walk, ref: str) -> None:
    host, public = walk.person("host"), walk.stranger()
    public.go(f"/hall/{ref}").follow(f"a[href='/hall/{ref}/projector']")
    lines = public.page.locator(".pj__rows li")
    last = lines.count()
    assert last >= 3 and public.page.locator(".pj__rows li.wait").count() == last
    host.go(f"/hall/{ref}/host").follow(f"a[href='/hall/{ref}/read']")
    for place in range(1, last + 1):
        host.press("form button[data-next]")
        public.page.locator(".pj__rows li.reading .n", has_text=str(place)).wait_for(timeout=15_000)
        public.look()
        if place == 2:
            public.picture("hall-projector-zh")
    host.press("form button[data-next]")  # past the last line: the reading is over
    public.page.locator(".pj__rows li.read").nth(last - 1).wait_for(timeout=15_000)
    public.look().follow(f".pj__nav a[href='/hall/{ref}']")
    assert public.page.locator(".pbars rect").count() == 2 * last
    public.page.locator(".pbars summary").click()
    public.look().picture("hall-opened-zh")


def test_one_confirms_one_objects_and_is_answered(walk: Walk, ref: str) -> None:
    names = [one["name"] for one in facts_of(walk.stranger(), f"/hall/{ref}/data")["bids"]]
    people = [
        username
        for name in names
        for username, party in walk.town.ask(
            "select a.username, p.name from account a join party p on p.id = a.party_id join role_grant g on g.account_id = a.id "
            "where g.role = 'bidder-signer' order by a.id"
        )
        if party == name
    ]
    # from the page of the opening, signed out: the way leads through the sign-in to one's own line
    guest = walk.stranger().go(f"/hall/{ref}")
    guest.follow(f"a[href='/bidder/lots/{ref}/opening']")
    guest.page.fill("#f-username", people[0])
    guest.page.fill("#f-password", PASSWORD)
    guest.press("main form button")
    assert guest.page.url.endswith(f"/bidder/lots/{ref}/opening")
    guest.press("form[action$='/acts/confirm'] button")
    other = walk.person(people[1]).follow(f"a[href='/bidder/lots/{ref}/opening']")
    other.page.locator("details:has(form[action$='/acts/object-opening']) summary").click()
    with other.expecting(422):
        other.press("form[action$='/acts/object-opening'] button")
    other.fill(text="唱出的交货期与我单位投标文件不一致，请核对。")
    other.press("form[action$='/acts/object-opening'] button")
    host = walk.person("host").go(f"/hall/{ref}/host")
    walk.stranger().go(f"/hall/{ref}/projector")
    host.fill(text="经核对投标文件，唱出的交货期与开标一览表一致。")
    host.press("form[action$='/acts/answer'] button")
    for username in people[1:]:
        walk.person(username).go(f"/bidder/lots/{ref}/opening").press("form[action$='/acts/confirm'] button")


def test_the_record_is_signed_by_all_who_must_and_read_back(walk: Walk, ref: str) -> None:
    for username in OFFICERS[:3]:
        officer = walk.person(username).go("/hall/desk").follow(f"a[href='/hall/{ref}/sign']")
        with_key(officer, "countersign", again=True)  # the file was opened when the shares were released
    host = walk.person("host").go(f"/hall/{ref}/host")
    draft = host.paper("a[href$='minutes?draft=1']")
    assert draft.pages >= 1 and "唱出的交货期" in draft.text
    host.press("form[action$='/acts/sign-minutes'] button")
    host.press("form[action$='/acts/close'] button")
    public = walk.stranger().go(f"/hall/{ref}").follow(f"main a[href^='/hall/{ref}/papers']")
    told = facts_of(public, f"/hall/{ref}/data")
    assert told["state"] == "CLOSED" and len(told["countersigned"]) == 3
    for kind in ("sheet", "form", "record"):
        paper = public.paper(f"a[href='/hall/{ref}/papers/{kind}']")
        assert ref in paper.text and (kind == "sheet" or told["bids"][0]["name"] in paper.text)
    record = public.paper(f"a[href='/hall/{ref}/papers/record']")
    assert "经核对投标文件" in record.text
    public.picture_of(record, "hall-record-zh")
    public.follow(f"nav a[href='/hall/{ref}/projector']")
