"""Everybody's first look: signing in, the desk it leads to, every entry of its rail, one page of each kind that links lead to from there;
a stranger's of the band; the help of every desk and page."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error as PlaywrightError

from tests.walk.guide import Guest, Walk, kind_of
from web.words import helping

PEOPLE = (
    "bidder1", "buyer", "agent", "clerk", "host", "officer1", "expert04",
    "cashier", "controller", "supervisor", "sysadmin", "secadmin", "auditadmin",
)  # fmt: skip
AT = {
    "bidder": ("bidder1",),
    "agency": ("buyer", "agent"),
    "centre": ("clerk",),
    "hall": ("host", "officer1"),
    "expert": ("expert04",),
    "cashier": ("cashier", "controller"),
    "supervisor": ("supervisor",),
    "admin": ("sysadmin", "secadmin", "auditadmin"),
    "public": (),
}
"""Who works at a desk."""

PICTURES = {
    ("agent", "/agency"): "agency-home-zh", ("clerk", "/centre"): "centre-home-zh", ("host", "/hall/desk"): "hall-desk-zh",
    ("expert04", "/expert"): "expert-home-zh", ("supervisor", "/supervisor/deadlines"): "supervisor-deadlines-zh",
    ("secadmin", "/admin"): "admin-home-zh",
}  # fmt: skip
"""Pages of whom are shown in the documents."""

RAIL = "() => [...document.querySelectorAll('nav.rail a[href]')].map(a => a.pathname + a.search)"
NAV = """() => [...document.querySelectorAll('header a[href], footer a[href]')]
  .filter(a => !/lang=|theme=/.test(a.search)).map(a => a.pathname + a.search)"""
NOWHERE = """() => [...document.querySelectorAll('main a[href*="#"]')].filter(a => a.pathname === location.pathname)
  .map(a => decodeURIComponent(a.hash.slice(1))).filter(id => id && !document.getElementById(id))"""
ANCHORS = (
    "path => [...document.querySelectorAll(`main a[href^='${path}#']`)].map(a => decodeURIComponent(a.hash.slice(1)))"
)
NO_PAGE = re.compile(
    r"\.(zip|pdf|json|csv|xlsx|xml|ics|atom|png|tar|txt)$|/(file|proof|feed|stream|events|checkpoint|data)$"
    r"|[?&](lang|theme)="
)


@pytest.mark.parametrize("username", PEOPLE)
def test_every_entry_of_the_rail(walk: Walk, username: str) -> None:
    look_at_all(walk.person(username), RAIL)


@pytest.mark.short_walk
def test_every_entry_of_the_band(walk: Walk) -> None:
    look_at_all(walk.stranger(), NAV)


def test_the_help_of_every_desk_leads_on(walk: Walk) -> None:
    anybody = walk.stranger().follow("footer a[href='/help']")
    words: set[str] = set()
    for desk in helping.ORDER:
        anybody.go("/help").follow(f"main a[href='/help/{desk}']")
        if desk == "bidder":
            anybody.picture("help-zh")
        assert anybody.page.evaluate(NOWHERE) == [], desk
        words.update(anybody.page.evaluate(ANCHORS, "/help/glossary"))
        here = set(anybody.page.evaluate("() => [...document.querySelectorAll('section.guide')].map(e => e.id)"))
        assert here == {act.id for act in helping.role_help(desk).acts}
    anybody.go("/help").follow("main a[href='/help/glossary']")
    assert words and not words - set(
        anybody.page.evaluate("() => [...document.querySelectorAll('main [id]')].map(e => e.id)")
    )


@pytest.mark.parametrize("desk", AT)
def test_a_page_says_where_its_help_is_and_the_help_where_the_page_is(walk: Walk, desk: str) -> None:
    """The mark beside the title and the key lead to the task of the page; what the help offers to open somebody of the desk can open."""
    people = [walk.person(username) for username in AT[desk]] or [walk.stranger()]
    for one in people:
        at = one.page.locator("main [data-help]").get_attribute("href") or ""
        with one.page.expect_navigation(wait_until="load"):
            one.page.keyboard.press("?")
        assert at.startswith(f"/help/{desk}#") and one.page.url == walk.town.base + at
        assert one.page.locator("#" + at.partition("#")[2]).count() == 1
    for act in helping.role_help(desk).acts:
        if act.href:
            answers = [one.context.request.get(walk.town.base + act.href) for one in people]
            ends = {act.href} if AT[desk] else {act.href, "/account/sign-in"}  # a stranger is asked to sign in first
            assert any(answer.ok and urlsplit(answer.url).path in ends for answer in answers), act.href


def test_one_page_of_each_kind(walk: Walk) -> None:
    """All that links lead to from anybody's first page, one of each kind, in the town as it stands; in the narrow window alone, where most
    goes wrong."""
    if walk.width > 1000:
        pytest.skip("in the narrow window")
    wrong: list[str] = []
    for username in PEOPLE:
        wrong += crawled(walk.person(username))
    assert not wrong, "\n".join(wrong)


def crawled(guest: Guest) -> list[str]:
    """What is wrong with the pages of kinds that nobody has looked at in this town, and with those they lead to."""
    town, wrong = guest.walk.town, list[str]()
    while True:
        shown = town.links[guest.username]
        todo = [
            path
            for kind, paths in shown.items()
            for path in paths
            if kind not in town.looked and not NO_PAGE.search(path)
        ]
        if not todo:
            return wrong
        town.looked.add(kind_of(urlsplit(todo[0]).path))
        try:
            guest.go(todo[0])
        except AssertionError as error:
            wrong.append(str(error))
        except PlaywrightError as error:
            if "Download is starting" not in str(
                error
            ):  # a file, not a page: every link shown is asked for at the walk's end
                raise


def look_at_all(guest: Guest, links: str) -> None:
    """Every page the links lead to, and all that is wrong with any of them."""
    wrong = []
    for path in dict.fromkeys(guest.page.evaluate(links)):
        try:
            guest.go(path)
        except AssertionError as error:
            wrong.append(str(error))
        if (guest.username, path) in PICTURES:
            guest.picture(PICTURES[guest.username, path])
    assert not wrong, "\n".join(wrong)
