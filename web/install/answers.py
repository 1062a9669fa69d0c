"""What `bidhall init` is told, from flags, a TOML file or a person at the keyboard, and all that is wrong with it at once.

Nothing here changes anything: whoever is told of a fault corrects the answers and begins again.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crypto import rehearsals
from trading.kernel import ids
from trading.kernel.access import Role
from trading.kernel.errors import Faults, Invalid, NotReady
from trading.parties.enrolments import RESERVED
from web.settings import PREFIX, Settings, read_settings

TEXTS = ("name", "url", "zone", "database", "store", "proxies", "place", "hotline", "time_server")
SEATS: dict[str, tuple[Role, bool]] = {
    "system": (Role.SYSTEM_ADMIN, True),
    "security": (Role.SECURITY_ADMIN, True),
    "second": (Role.SECURITY_ADMIN, False),
    "audit": (Role.AUDIT_ADMIN, True),
}
"""Seat → role, and whether it must be filled from the beginning. ``second``: without a second security administrator nobody can confirm."""
CENTRE = ("name", "code", "region")
PERSON = ("username", "name")
SETTING = {
    "name": "PLATFORM",
    "url": "BASE_URL",
    "zone": "ZONE",
    "database": "DATABASE",
    "store": "BLOBS",
    "memory": "MEMORY",
    "proxies": "PROXIES",
    "place": "PLACE",
    "hotline": "HOTLINE",
}
"""Answer → the setting it becomes."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,79}")
_PLACEHOLDER = re.compile(r"<.*>|[A-Z]{3,}(-[A-Z]+)+|.*(示例|某某|例如|XXX|xxx).*|\.\.\.|…")
_NOBODYS = ("example", "invalid", "test", "localhost", "local", "example.com", "example.net", "example.org")
"""Names that are kept for examples (RFC 2606, RFC 6761), or are no name of one machine."""


@dataclass(frozen=True)
class Person:
    """Who sits in a seat."""

    seat: str
    username: str
    name: str

    @property
    def role(self) -> Role:
        return SEATS[self.seat][0]


@dataclass(frozen=True)
class Answers:
    """``settings``: name (without its prefix) → value, as they will stand in settings.env; ``read``: what a process would make of them."""

    settings: Mapping[str, str]
    read: Settings
    centre_name: str
    centre_code: str
    region: str
    people: tuple[Person, ...]
    time_server: str


def read_file(path: Path) -> dict[str, Any]:
    """The answers of a TOML file. Refuses: Invalid ``init.not_toml``, ``init.unknown_answer``."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid("init.not_toml", path=str(path), reason=str(error)) from error
    faults = Faults()
    known: dict[str, Any] = {**dict.fromkeys((*TEXTS, "memory")), "centre": CENTRE, "administrators": None}
    for key, value in found.items():
        inner = known.get(key)
        if key not in known:
            faults.add(key, "init.unknown_answer", known=sorted(known))
        elif key in ("centre", "administrators") and not isinstance(value, dict):
            faults.add(key, "init.not_a_table")
        elif inner:
            _unknown(faults, key, value, inner)
        elif key == "administrators":
            _unknown(faults, key, value, tuple(SEATS))
            for seat, one in value.items():
                if not isinstance(one, dict):
                    faults.add(f"{key}.{seat}", "init.not_a_table")
                else:
                    _unknown(faults, f"{key}.{seat}", one, PERSON)
    faults.refuse_if_any()
    return found


def _unknown(faults: Faults, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            faults.add(f"{where}.{key}", "init.unknown_answer", known=list(known))


def check(raw: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Answers:
    """The answers as they will be kept; a variable that is set is one where nothing else was said. Refuses: Invalid with every fault."""
    faults, real = Faults(), dict(os.environ if environment is None else environment)
    raw = {key: real.get(PREFIX + setting, "") for key, setting in SETTING.items()} | {
        key: value for key, value in raw.items() if value != ""
    }
    told = {key: _text(faults, key, raw.get(key, "")) for key in TEXTS}
    memory = raw.get("memory", "")
    told["memory"] = (
        ", ".join(str(one).strip() for one in memory) if isinstance(memory, list) else _text(faults, "memory", memory)
    )
    host = _check_url(faults, told["url"])
    _check_name(faults, told, host)
    read = _check_settings(faults, told, real)
    centre = raw.get("centre") or {}
    name = _needed(faults, "centre.name", centre.get("name", ""))
    code = _check_code(faults, str(centre.get("code", "")))
    region = _text(faults, "centre.region", centre.get("region", ""))
    if region and not re.fullmatch(r"[0-9]{6}", region, re.ASCII):
        faults.add("centre.region", "init.region")
    people = _check_people(faults, raw.get("administrators") or {})
    faults.refuse_if_any()
    settings = {SETTING[key]: told[key] for key in SETTING if told[key]}
    return Answers(settings, read, name, code, region, people, told["time_server"])


def _text(faults: Faults, where: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        faults.add(where, "init.not_text")
        return ""
    text = str(value).strip()
    if not text.isprintable() or text.startswith(('"', "#")):
        faults.add(where, "init.not_text")
        return ""
    if _PLACEHOLDER.fullmatch(text):
        faults.add(where, "init.placeholder", text=text)
        return ""
    return text


def _needed(faults: Faults, where: str, value: Any) -> str:
    before = len(faults.found)
    text = _text(faults, where, value)
    if not text and len(faults.found) == before:
        faults.add(where, "form.required")
    return text


def _nobodys(host: str) -> bool:
    return any(host == one or host.endswith("." + one) for one in _NOBODYS)


def _check_url(faults: Faults, url: str) -> str:
    """The host that people will reach the platform by; "" where it cannot be told."""
    if not url:
        if not any(one.where == "url" for one in faults.found):
            faults.add("url", "form.required")
        return ""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.username:
        faults.add("url", "init.url", url=url)
        return ""
    if host in LOOPBACK:
        return host
    if parts.scheme != "https":
        faults.add("url", "init.url_https", url=url)
    if _nobodys(host):
        faults.add("url", "init.placeholder", text=host)
    return host


def _check_name(faults: Faults, told: dict[str, str], host: str) -> None:
    """The name in signed documents: the host of the address where nothing else is said."""
    if not told["name"] and _NAME.fullmatch(host) and not re.fullmatch(r"[0-9.]+", host):
        told["name"] = host
    name = told["name"]
    if not name:
        if host and not any(one.where == "name" for one in faults.found):
            faults.add("name", "init.name_needed", host=host)
    elif not _NAME.fullmatch(name) or len(name) > 100 or re.fullmatch(r"[0-9.]+", name):
        faults.add("name", "init.name", text=name)
    elif rehearsals.is_name(name):
        faults.add("name", "init.name_of_rehearsal", text=name)
    elif _nobodys(name) and not any(one.code == "init.placeholder" for one in faults.found):
        faults.add("name", "init.placeholder", text=name)


def _check_settings(faults: Faults, told: dict[str, str], real: Mapping[str, str]) -> Settings:
    """Each setting as a process would read it, one by one, so that all that is wrong is told; and none that a variable would overrule."""
    held = {PREFIX + "DATA": str(Path(real.get(PREFIX + "DATA") or "bidhall-data").absolute())}
    good: dict[str, str] = {}
    for key, setting in SETTING.items():
        if not told[key] or any(one.where == key for one in faults.found):
            continue
        over = real.get(PREFIX + setting)
        if over is not None and over.strip() != told[key]:
            faults.add(key, "init.variable", name=PREFIX + setting)
        try:
            read_settings({**held, PREFIX + setting: told[key]})
        except NotReady as refusal:
            faults.take(key, refusal)
        else:
            good[PREFIX + setting] = told[key]
    read = read_settings({**held, **good})
    if not any(one.where in ("store", "memory") for one in faults.found):
        _check_folders(faults, read, bool(told["store"]))
    return read


def _check_folders(faults: Faults, read: Settings, store_named: bool) -> None:
    if store_named and not os.path.isabs(read.blobs):
        faults.add("store", "init.folder", path=read.blobs)
    elif store_named and not _may_hold(Path(read.blobs).parent):
        faults.add("store", "init.folder_unwritable", path=str(Path(read.blobs).parent))
    for path in read.memory:
        if not _may_hold(Path(path).parent):
            faults.add("memory", "init.folder_unwritable", path=str(Path(path).parent))


def _may_hold(folder: Path) -> bool:
    """Is it there, and may we write in it?"""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _check_code(faults: Faults, text: str) -> str:
    if not text.strip():
        faults.add("centre.code", "form.required")
        return ""
    try:
        code = ids.read_uscc(text)
    except Invalid as refusal:
        faults.take("centre.code", refusal)
        return ""
    if ids.is_invented(code):
        faults.add("centre.code", "uscc.placeholder", text=text)
    return code


def _check_people(faults: Faults, raw: Mapping[str, Any]) -> tuple[Person, ...]:
    """Nobody twice: three administrators are three people."""
    people: list[Person] = []
    for seat, (_role, must) in SEATS.items():
        one = raw.get(seat) or {}
        if not must and not any(str(one.get(part, "")).strip() for part in PERSON):
            continue
        where = f"administrators.{seat}"
        username = _needed(faults, f"{where}.username", one.get("username", "")).lower()
        name = _needed(faults, f"{where}.name", one.get("name", ""))
        if username and (not _USERNAME.fullmatch(username) or username in RESERVED):
            faults.add(f"{where}.username", "init.username", text=username)
        for other in people:
            if username and username == other.username:
                faults.add(f"{where}.username", "init.same_username", text=username)
            if name and name == other.name:
                faults.add(f"{where}.name", "init.same_person", text=name)
        people.append(Person(seat, username, name))
    return tuple(people)
