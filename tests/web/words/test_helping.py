"""The help: every page leads to its own, every link in it leads somewhere, every word it marks is explained, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.web.conftest import House
from trading.kernel.access import Role
from web.http.gate import HOMES
from web.http.page_rules import PAGES
from web.words import helping

EMPTY = re.compile(r"<[^>]+>")


def sample(path: str) -> str:
    """An address of a page's kind."""
    return re.sub(r"<(int:)?[^>]+>", "1", re.sub(r"<path:[^>]+>", "1", path))


def test_every_page_of_a_desk_has_help_of_its_own_desk() -> None:
    desks = {home.split("/")[1] for home in HOMES.values() if home != "/"}
    missing = []
    for rule in PAGES.values():
        desk = rule.path.split("/")[1]
        is_page = rule.method == "GET" and desk in desks and "." not in rule.path
        if is_page and not helping.help_href(sample(rule.path)).startswith(f"/help/{desk}"):
            missing.append(rule.path)
    assert missing == []


def test_no_help_explains_a_page_that_does_not_exist() -> None:
    pages = [sample(rule.path) for rule in PAGES.values() if rule.method == "GET"]
    assert [
        pattern.pattern for pattern, _ in helping._pages() if not any(pattern.fullmatch(page) for page in pages)
    ] == []


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.CLOCK, Role.PUBLIC)])
def test_the_home_of_every_role_leads_to_a_task(role: Role) -> None:
    assert "#" in helping.help_href(HOMES[role])


@pytest.mark.parametrize("desk", helping.ORDER)
def test_what_it_says(desk: str) -> None:
    role = helping.role_help(desk)
    texts = [role.lead, role.title]
    for act in role.acts:
        texts += [act.title, act.needs, act.after, *act.steps]
        assert act.pages and act.steps, act.id
        if act.href:
            assert any(rule.path == act.href and rule.method == "GET" for rule in PAGES.values()), act.href
    for pair in role.nots:
        texts += pair
    for text in texts:
        assert re.search("[㐀-鿿]", text.zh) and not re.search("[㐀-鿿]", text.en), text
        assert helping.marked(text, "zh") and helping.marked(text, "en")
        assert not re.search("盐值|承诺值|链头|保函|guarantee", text.zh + text.en), text
    assert len({act.id for act in role.acts}) == len(role.acts)


def test_the_pages_show_it(make_house: Callable[..., House]) -> None:
    client = make_house().app.test_client()
    for lang in ("zh", "en"):
        for path in ("/help", "/help/glossary", *(f"/help/{desk}" for desk in helping.ORDER)):
            page = client.get(f"{path}?lang={lang}")
            assert page.status_code == 200, path
            assert "[[" not in page.text
        text = EMPTY.sub("", client.get(f"/help/bidder?lang={lang}").text)
        assert ("回执" if lang == "zh" else "receipt") in text


def test_help_opens_no_page_that_is_closed_to_its_reader(make_house: Callable[..., House]) -> None:
    house = make_house()
    stranger, clerk = house.client(), house.client()
    house.person("p", Role.CENTRE)
    house.sign_in(clerk, "p")
    for desk, shown in (("centre", True), ("cashier", False)):
        assert f'href="/{desk}"' in stranger.get(f"/help/{desk}").text, "a stranger signs in first"
        assert (f'<a href="/{desk}">' in clerk.get(f"/help/{desk}").text) is shown


def test_a_word_shows_what_it_means_and_nothing_is_markup() -> None:
    said = str(helping.marked(helping.Text("看[[receipt]]<b>", "x"), "zh"))
    assert '<a class="term" href="/help/glossary#receipt">回执<span' in said and "&lt;b&gt;" in said
    with pytest.raises(KeyError):
        helping.marked(helping.Text("[[nothing-like-it]]", ""), "zh")


def test_the_title_of_a_page_carries_the_way_to_its_help(make_house: Callable[..., House]) -> None:
    client = make_house().app.test_client()
    assert 'href="/help/public#rules" data-help' in client.get("/rules").text
    assert "data-help" not in client.get("/help").text
