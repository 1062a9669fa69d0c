"""In which language a command speaks: as chosen, else as the variable, the settings or the locale say."""

from __future__ import annotations

import locale
import os
import re
from pathlib import Path
from typing import Any

import click


class Language(click.ParamType[str]):
    """``zh`` or ``en``, also written as locales are: zh-CN, zh_CN.UTF-8, en-GB."""

    name = "language"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = re.fullmatch(r"(zh|en)(?:[-_.@][A-Za-z0-9_.@-]*)?", str(value).strip(), re.IGNORECASE)
        if found is None:
            self.fail(f"{value!r}: zh or en", param, ctx)
        return found[1].lower()

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "[zh|en]"


LANGUAGE = Language()


def language(chosen: str | None) -> str:
    """``zh`` or ``en``: as chosen, else ``BIDHALL_LANG``, the variable or the line of settings.env, else the locale."""
    told = chosen or os.environ.get("BIDHALL_LANG") or _of_settings()
    if not told:
        told = (
            os.environ.get("LC_ALL")
            or os.environ.get("LC_MESSAGES")
            or os.environ.get("LANG")
            or locale.getlocale()[0]
            or ""
        )
    return "zh" if told.lower().startswith("zh") else "en"


def _of_settings() -> str:
    """The line of settings.env, whatever else is wrong with that file: a refusal has a language, too."""
    try:
        text = (Path(os.environ.get("BIDHALL_DATA") or "bidhall-data") / "settings.env").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    found = re.search(r"(?m)^\s*BIDHALL_LANG\s*=\s*\"?([A-Za-z][\w.@-]*)", text)
    return found[1] if found else ""
