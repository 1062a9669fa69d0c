"""The rules: found by word, opened by number, reckoned for a lot; what does not apply stays and says why; what changed is struck."""

from __future__ import annotations

import json
import re

import pytest
from flask.testing import FlaskClient

from tests.web.desks.rooms import Rooms
from trading.kernel.money import Money
from trading.rulebook import REGIMES, all_rules
from web.desks.public import rule_cards


@pytest.fixture
def guest(rooms: Rooms) -> FlaskClient:
    return rooms.app.test_client()


def card_of(page: str, rule: str) -> str:
    found = re.search(rf'(?s)<article class="rule[^"]*" id="{re.escape(rule)}">.*?</article>', page)
    assert found, rule
    return re.sub(r"[ \n]+", " ", found[0])  # as a page shows it: where the template breaks its lines is no matter


def test_rules_are_searched_without_a_script_and_marked(guest: FlaskClient) -> None:
    page = guest.get("/rules?q=投标保证金").text
    card = card_of(page, "D-01")
    assert "<mark>投标保证金</mark>" in card and "不超过 2%" in card and "政府采购法实施条例第33条" in card
    assert 'id="T-21"' not in page
    assert "没有符合的规则" in guest.get("/rules?q=月球").text
    assert "<script>" not in guest.get("/rules?q=<script>").text
    english = guest.get("/rules?q=art. 35&lang=en").text
    assert "T-03" in english and "calendar days, the first day does not count" in english


def test_each_rule_has_an_address_that_opens_its_chapter(guest: FlaskClient) -> None:
    page = guest.get("/rules?rule=T-21").text
    assert 'class="rule is-here" id="T-21"' in page
    disputes = page.partition('id="chapter-disputes"')[2][:60]
    assert disputes.startswith(" open") and not page.partition('id="chapter-notice"')[2].startswith(" open")
    held = {rule.id for rule in all_rules("GP")} & set(re.findall(r'<article class="rule[^"]*" id="([^"]+)"', page))
    assert len(held) > 80
    told = json.loads(guest.get("/rules.json?regime=WORKS&on=2026-03-01").data)
    assert told["regime"] == "WORKS" and len(told["rules"]) > 40


def test_a_rule_is_reckoned_for_a_lot_and_one_that_does_not_apply_says_why(rooms: Rooms, guest: FlaskClient) -> None:
    ref = rooms.world.lot("BIDDING")
    page = guest.get(f"/rules?lot={ref}").text
    assert "3,000,000.00 元 × 2% = <b>60,000.00 元</b>；本标段 50,000.00 元" in card_of(
        page, "D-01"
    ) and "合规" in card_of(page, "D-01")
    deadline = card_of(page, "T-03")
    assert re.search(r"\+ 20 日 = <b>最早 2026-03-22</b>；实际 .*3 月 24 日 09:30", deadline), deadline
    away = card_of(page, "T-04a")
    assert "rule--no" in away and "竞争性谈判" in away and "本标段为公开招标" in away
    only = guest.get(f"/rules?lot={ref}&only=applies").text
    assert 'id="T-04a"' not in only and 'id="T-03"' in only
    works = rooms.world.lot("BIDDING", "WORKS", deposit=Money.zero())
    assert "T-25" in guest.get(f"/rules?lot={works}").text
    assert "找不到" in guest.get("/rules?lot=NO-SUCH").text or "没有" in guest.get("/rules?lot=NO-SUCH").text


def test_what_changed_is_struck_beside_what_holds_now(guest: FlaskClient) -> None:
    page = guest.get("/rules?only=changed&on=2026-03-01").text
    assert re.search(r"<del>不少于 6%</del> <ins>不少于 10%</ins>", card_of(page, "E-06.small.low")), card_of(
        page, "E-06.small.low"
    )
    assert 'id="T-03"' not in page


@pytest.mark.parametrize("regime", REGIMES)
def test_every_rule_has_its_chapter(regime: str) -> None:
    assert [rule.id for rule in all_rules(regime) if rule_cards.chapter_of(rule) == "other"] == []


def test_marks_escape_what_they_mark() -> None:
    assert rule_cards.marked("<b>截止</b>", "截止") == "&lt;b&gt;<mark>截止</mark>&lt;/b&gt;"
    assert rule_cards.marked("x", "") == "x"
