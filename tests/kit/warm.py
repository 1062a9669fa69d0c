"""What every test would compile anew and is the same each time: SQL out of statements, Python out of templates, and the rules of addresses.

A served house compiles each of these once and lives for weeks; a test opens a house of its own and would compile them for half of its
time. Here they are kept for the process (templates for the run). Nothing but the compiling is left out: engines, connections, applications
and template environments are each test's own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import Dialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from trading.kernel import db

STATEMENTS = 4000
"""As many as are kept; the suite has some three thousand."""


def install(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Until ``patch`` is undone. ``folder``: of the run, where workers share compiled templates."""
    folder.mkdir(exist_ok=True)
    patch.setattr(db, "create_engine", warm_engine)
    patch.setattr(Flask, "url_rule_class", KeptRule)
    patch.setattr(
        Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": FileSystemBytecodeCache(str(folder))}
    )


_DIALECTS: dict[tuple[str, str], tuple[Dialect, Any]] = {}


def warm_engine(url: str, **how: Any) -> Engine:
    """``create_engine``, but what was compiled for one engine serves all: SQLAlchemy keeps it by dialect, and makes each engine one."""
    engine = create_engine(url, **how)
    key = (engine.dialect.name, str(how.get("isolation_level", "")))
    if key not in _DIALECTS:
        first = create_engine("sqlite://") if engine.dialect.name == "sqlite" else create_engine(url, **how)
        first.connect().close()  # so that the dialect has asked the server what it is
        first.dispose()
        _DIALECTS[key] = (first.dialect, LRUCache(STATEMENTS))
    engine.dialect, cache = _DIALECTS[key]
    engine.pool._dialect = engine.dialect
    engine.update_execution_options(compiled_cache=cache)
    return engine


_BUILDERS: dict[tuple[str, bool], Callable[..., tuple[str, str]]] = {}


class KeptRule(Rule):
    """A rule whose builder is compiled once: the code asks the rule it is called on for its converters."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if self.defaults or self.subdomain or self.host or self.map is None or self.map.host_matching:
            return super()._compile_builder(append_unknown)
        key = (self.rule, append_unknown)
        if key not in _BUILDERS:
            _BUILDERS[key] = super()._compile_builder(append_unknown)
        return _BUILDERS[key]
