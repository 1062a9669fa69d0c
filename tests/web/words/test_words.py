"""The catalogue of refusal words and states, and the translation catalogues."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from trading.kernel.access import Role
from trading.kernel.money import Money
from web import catalogues, reference, words


def test_no_catalogue_file_has_a_fault() -> None:
    assert words.problems() == []


def test_facts_are_put_into_words_by_their_type() -> None:
    facts = {"until": datetime(2026, 3, 18, 1, 30, tzinfo=UTC)}
    assert (
        words.words("rate.wait", facts, "zh")
        == "请求过于频繁。请于 2026-03-18 09:30:00 北京时间（UTC+8） 后再试，什么都没有丢失。"
    )
    assert "Beijing time" in words.words("rate.wait", facts, "en")
    assert words.words("form.too_large", {"most": Money(17_200_000)}, "zh") == "不能大于 172,000.00 元。"


def test_a_missing_fact_is_a_dash_and_never_an_error() -> None:
    assert words.words("form.too_large", {}, "zh") == "不能大于 –。"


def test_a_fact_is_never_a_template() -> None:
    assert "{text}" in words.words("money.negative", {"text": "{text}"}, "en")


def test_an_unknown_code_hides_nothing() -> None:
    assert words.words("no.such_code", {"limit": 3}, "zh") == "没有办成（no.such_code）：limit = 3"
    assert words.words("no.such_code", {}, "en") == "Not done (no.such_code)"


def test_every_role_has_its_words() -> None:
    for role in Role:
        for lang in words.LANGS:
            assert words.state("role", role.value, lang).text != role.value or lang == "en"


def test_an_unknown_state_shows_its_code() -> None:
    assert words.state("lot", "NO_SUCH").text == "NO_SUCH"


def test_every_state_of_what_is_shown_has_its_words() -> None:
    shown = {noun for noun, _state in words.states()}
    needed = {(flow.noun, state) for flow in reference.flows() if flow.noun in shown for state in flow.states}
    assert len(needed) > 40 and needed - words.states().keys() == set()


def test_the_house_speaks_chinese_everywhere() -> None:
    assert catalogues.untranslated() == {}


def test_compiling_changes_nothing() -> None:
    assert catalogues.stale() == []


def test_placeholders_survive_translation() -> None:
    for room in catalogues.rooms():
        for message in catalogues.read(room):
            if not message.id or not catalogues._has_words(message.string):
                continue
            source = message.id if isinstance(message.id, str) else message.id[-1]
            assert message.string is not None
            target = message.string if isinstance(message.string, str) else message.string[0]
            wanted = sorted(re.findall(r"%\(\w+\)s|\{\w+\}", source))
            assert sorted(re.findall(r"%\(\w+\)s|\{\w+\}", target)) == wanted, source


def test_an_opening_policy_has_one_name_in_chinese() -> None:
    """The glossary calls it 开启方案; 策略 and 规约 stood for the same thing on other desks."""
    spoken = [text for path in words.FOLDER.glob("*.toml") for text in [path.read_text("utf-8")]]
    for room in catalogues.rooms():
        for message in catalogues.read(room):
            spoken.append(message.string if isinstance(message.string, str) else " ".join(message.string or ()))
    assert [text[:80] for text in spoken if re.search("规约|策略", text)] == []


def test_an_envelope_is_told_in_words() -> None:
    assert words.words("policy.not_signed", {"envelope": "draw:experts/1"}) == "开启方案（抽取专家）还没有全部签名。"
    assert (
        words.words("policy.not_signed", {"envelope": "bid"}, "en") == "The opening policy (bids) is not signed by all."
    )
