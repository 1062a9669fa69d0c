"""What every test would reckon anew and is the same each time: SQL out of statements, Python out of templates, rules of addresses, the slow
hashes of passwords and passphrases, and whether a signature verifies.

A served house compiles each of these once and lives for weeks; a test opens a house of its own and would compile them for half of its
time. Here they are kept for the process (templates for the run). Nothing but the reckoning is left out: engines, connections, applications
and template environments are each test's own, and a hash is kept under all it is made of.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import Dialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from crypto import keyfiles, passwords, signatures
from crypto.errors import CryptoError
from tests.kit import data_keys
from trading.kernel import db

STATEMENTS = 4000
"""As many as are kept; the suite has some three thousand."""
SIGNATURES = 16_384
"""Signatures that verified, of which a bundle has some thousand, and its forgeries nearly the same."""


def install(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Until ``patch`` is undone. ``folder``: of the run, where workers share compiled templates."""
    patch.setattr(db, "create_engine", warm_engine)
    patch.setattr(Flask, "url_rule_class", KeptRule)
    patch.setattr(keyfiles, "wrapping_key", functools.cache(keyfiles.wrapping_key))
    patch.setattr(passwords, "verify_password", kept_verify)
    patch.setattr(signatures, "ed25519_verify", functools.lru_cache(SIGNATURES)(signatures.ed25519_verify))
    patch.setattr(Flask, "jinja_options", templates_in(folder))


def templates_in(folder: Path) -> dict[str, Any]:
    """Jinja's options of an application whose compiled templates are kept in a folder."""
    folder.mkdir(exist_ok=True)
    return {**Flask.jinja_options, "bytecode_cache": KeptTemplates(str(folder))}


class KeptTemplates(FileSystemBytecodeCache):
    """Compiled templates in a folder, and each that was read once in the process too: a test's application reads them all anew."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self._read: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        key = (bucket.key, bucket.checksum)
        if key in self._read:
            bucket.code = self._read[key]
            return
        super().load_bytecode(bucket)
        if bucket.code is not None:
            self._read[key] = bucket.code


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
    data_keys.attach(engine)
    return engine


_REFUSED: dict[tuple[str, str], CryptoError | None] = {}


def kept_verify(password: str, phc: str, verify: Callable[[str, str], None] = passwords.verify_password) -> None:
    """``verify_password``, reckoned once for a password and a hash. Making a hash is not kept: each has a salt of its own."""
    asked = (password, phc)
    if asked not in _REFUSED:
        try:
            verify(password, phc)
            _REFUSED[asked] = None
        except CryptoError as error:
            _REFUSED[asked] = error
    if (told := _REFUSED[asked]) is not None:
        raise CryptoError(told.code, told.detail)


_BUILDERS: dict[tuple[str, bool], Callable[..., tuple[str, str]]] = {}


_PARTS: dict[tuple[Any, ...], tuple[Any, ...]] = {}


class KeptRule(Rule):
    """A rule of addresses that is read and whose builder is compiled once: the code asks the rule it is called on for its converters."""

    def compile(self) -> None:
        if self.defaults or self.subdomain or self.host or self.map is None or self.map.host_matching:
            super().compile()
            return
        key = (self.rule, self.merge_slashes, frozenset(self.map.converters.items()))
        if key not in _PARTS:
            super().compile()
            _PARTS[key] = (self._parts, self._trace, self._converters, frozenset(self.arguments))
            return
        parts, trace, converters, arguments = _PARTS[key]
        self._parts, self._trace, self._converters = list(parts), list(trace), dict(converters)
        self.arguments = set(arguments)
        self._build = self._compile_builder(False).__get__(self, None)
        self._build_unknown = self._compile_builder(True).__get__(self, None)

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if self.defaults or self.subdomain or self.host or self.map is None or self.map.host_matching:
            return super()._compile_builder(append_unknown)
        key = (self.rule, append_unknown)
        if key not in _BUILDERS:
            _BUILDERS[key] = super()._compile_builder(append_unknown)
        return _BUILDERS[key]
