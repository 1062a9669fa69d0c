"""Which language a command speaks: however it was asked for, from the first word of help to what a doctor finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from web.cli import doctor, main
from web.words import states


@pytest.fixture(autouse=True)
def nothing_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An English machine without settings."""
    for name in ("BIDHALL_LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    return tmp_path


def said(*words: str) -> str:
    return CliRunner().invoke(main.main, list(words)).output


@pytest.mark.parametrize("lang", ["zh", "zh-CN", "zh_CN.UTF-8", "ZH-Hans-CN"])
def test_chinese_however_it_is_written(lang: str) -> None:
    assert "连不上数据库" in said("tick", "--lang", lang)
    assert "说明本套安装" in said("doctor", "--help", "--lang", lang) == said("doctor", "--lang", lang, "--help")


@pytest.mark.parametrize("lang", ["en", "en-US"])
def test_english_however_it_is_written(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "cannot be reached" in said("tick", "--lang", lang)
    assert not re.search(r"[\u4e00-\u9fff]", said("doctor", "--lang", lang))


def test_another_language_is_refused_in_words() -> None:
    found = CliRunner().invoke(main.main, ["tick", "--lang", "fr"])
    assert found.exit_code == 2 and "zh or en" in found.output


def test_the_machine_the_variable_and_the_settings_in_this_order(
    nothing_said: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Commands:" in said("--help") and "命令:" not in said("--help")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "命令:" in said("--help")
    (nothing_said / "data").mkdir()
    (nothing_said / "data/settings.env").write_text("BIDHALL_LANG=en\n", encoding="utf-8")
    assert "Commands:" in said("--help")
    monkeypatch.setenv("BIDHALL_LANG", "zh")
    assert "命令:" in said("--help")


def test_every_command_is_told_in_both_languages() -> None:
    assert set(main.SHORT) == set(main.SHORT_ZH) == set(main.COMMANDS)
    assert all(re.search(r"[\u4e00-\u9fff]", words) for words in main.SHORT_ZH.values())


def test_the_doctor_speaks_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIDHALL_LANG", "zh")
    told = said("doctor")
    assert "错误  数据库 [database]" in told and "处理：" in told and "正常  版本 [versions]" in told


def test_whatever_a_doctor_finds_has_a_title_in_chinese() -> None:
    codes = {
        code
        for path in sorted(Path(doctor.__file__).parent.glob("doctor*.py"))
        for code in re.findall(r'Finding\(\s*f?"([a-z_]+)', path.read_text(encoding="utf-8"))
    }
    assert len(codes) > 40
    known = {name for noun, name in states() if noun == "doctor"}
    assert {code for code in codes if code not in known and code.partition("_")[0] not in known} == set()
