"""Anybody without signing in: search, a lot to its result, the report, savings down to a lot's papers, a bundle verified, rules, calendar;
and a signed-in person follows a lot."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from tests.walk.guide import Walk
from web.cli.main import main


def test_a_lot_from_the_search_to_its_result(walk: Walk) -> None:
    anybody = walk.stranger()
    anybody.picture("portal-zh")
    anybody.picture("portal-en")
    anybody.go("/").fill(words=finished(walk), phase="all").press("form[role=search][action='/'] button")
    anybody.follow("ol.notices h2 a").follow("aside a[href$='/result']")
    ref = re.search(r"/lots/([^/]+)/result", anybody.page.url)
    assert ref and anybody.page.locator("section.won .who").inner_text().strip()
    assert (
        anybody.page.locator("ol.sbar > li").count() >= 2 and anybody.page.locator("table.crit tbody td").count() >= 6
    )
    paper = anybody.paper("a[href$='/report.pdf']")
    assert paper.pages >= 1 and "评标报告" in paper.text.replace(" ", "") and ref[1] in paper.text
    anybody.download("a[href$='/result.csv']")
    anybody.picture("public-result-zh")
    anybody.page.locator("details.digest summary").first.click()
    anybody.look()
    anybody.follow("ol.remedy a[href^='/rules']")
    assert anybody.page.locator(".rule.is-here").count() == 1


def test_the_bundle_is_verified_without_the_platform(walk: Walk) -> None:
    anybody = walk.stranger()
    ref = finished(walk)
    anybody.go("/lots?phase=result").follow(f"ol.notices a[href='/lots/{ref}']")
    bundle, trust = anybody.download(f"a[href='/lots/{ref}/bundle.zip']"), anybody.download("a[href='/log/keys.json']")
    proved = CliRunner().invoke(main, ["verify", str(bundle), "--trust", str(trust), "--json"])
    assert proved.exit_code == 0, proved.output
    anybody.page.click("[data-proof] [data-verify]")
    anybody.page.wait_for_function(
        "() => [...document.querySelectorAll('[data-proof] [data-verdict]')].every(e => e.textContent)"
    )
    assert anybody.page.locator("[data-proof] li.bad").count() == 0
    anybody.look()


def test_savings_down_to_a_lot_with_its_notice_and_contract(walk: Walk) -> None:
    anybody = walk.stranger()
    anybody.go("/savings").picture("savings-zh")
    anybody.follow(".kpi--big dd a")
    anybody.follow("td .links a[href$='/contract']")
    anybody.go("/savings").page.locator("figure details summary").first.click()
    anybody.follow("figure details a[href*='period=']").follow("td .links a[href^='/notices/']")
    anybody.go("/savings").follow("table.tbl:not(details *) tbody th a").follow("td .links a[href$='/result']")


def test_rules_openings_and_days(walk: Walk) -> None:
    anybody = walk.stranger()
    anybody.go("/rules")
    anybody.page.fill("#q-q", "T-03")
    anybody.page.select_option("#q-lot", index=1)
    anybody.press("form.rulesbar button")
    assert anybody.page.locator(".rule__lot").count() >= 1
    soon = walk.town.ask("select ref from lot where state = 'BIDDING' order by deadline")[0][0]
    anybody.go("/openings").follow(f".days li a[href='/hall/{soon}']").picture("hall-before-zh")
    anybody.go("/openings").follow("nav.tabs a[href*='past']").follow(".days li a[href^='/hall/']")
    anybody.go("/calendar")


@pytest.mark.parametrize("username", ["supervisor"])
def test_a_lot_is_followed_and_no_longer(walk: Walk, username: str) -> None:
    person = walk.person(username)
    ref = walk.town.lot("BIDDING")
    person.go("/").follow(f"ol.notices a[href='/lots/{ref}']").press("form[action$='/acts/follow'] button")
    person.follow("#follow a[href='/followed']")
    assert person.page.locator(f"main a[href='/lots/{ref}']").count() == 1
    person.press(f"form[action='/lots/{ref}/acts/unfollow'] button")
    assert person.page.locator(f"main a[href='/lots/{ref}']").count() == 0


def finished(walk: Walk) -> str:
    """A lot whose contract is published and whose entries are all in the log."""
    found = walk.town.ask(
        "SELECT lot.ref FROM lot JOIN notice ON notice.lot_id = lot.id WHERE notice.kind = 'contract' "
        "AND lot.state IN ('CONTRACT', 'FILING', 'CLOSING', 'ARCHIVED') ORDER BY lot.id"
    )
    return str(found[0][0])
