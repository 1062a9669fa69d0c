"""Settings: variables named ``BIDHALL_…``, or lines of ``settings.env`` in the data folder; a variable wins.

Secrets are no settings: they are files of mode 0600 in the data folder, made on first use. The one that others give us, the password of a
mail server, may be a variable or a file of that mode.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trading.kernel import outside_time
from trading.kernel.errors import NotReady
from web.mail.way import Way
from web.mail.way import read as read_way

PREFIX = "BIDHALL_"
NAMES = (
    "DATA",
    "DATABASE",
    "BLOBS",
    "BASE_URL",
    "PROXIES",
    "MAIL",
    "MAIL_TLS",
    "MAIL_USER",
    "MAIL_PASSWORD",
    "MAIL_PASSWORD_FILE",
    "MAIL_FROM",
    "MAIL_CA",
    "MAIL_TIMEOUT",
    "MIRROR_DIR",
    "TSA",
    "CLAMD",
    "FILES_URL",
    "ZONE",
    "TEST_CLOCK",
    "PLATFORM",
    "PLACE",
    "HOTLINE",
    "DEPOSIT_PAYEE",
    "DEPOSIT_BANK",
    "LANG",
    "LOG",
    "ARRIVAL_HEADER",
    "PROBES",
    "BEACON_URL",
    "DROP_URL",
    "MIRROR_URL",
    "MIRROR_KEY",
    "MEMORY",
    "SECOND_FACTOR",
    "DATA_KEYS",
    "TIME_SOURCES",
    "METRICS",
    "KEEP_DAYS",
)
SECOND_FACTOR = ("required", "optional")
METRICS = ("loopback", "token")
KEEP_DAYS = 90
_OF_TESTS = tuple(
    PREFIX + name
    for name in (
        "TEST_DB",
        "TEST_PG",
        "TEST_BROWSER",
        "TEST_FAULT",
        "TEST_KILLS",
        "TEST_SIZES",
        "TEST_TOWN",
        "WALK",
        "PG_",
    )
)
REHEARSAL_FACTS = "rehearsal.json"
"""In the data folder of a site's rehearsal: what it was made of (web/rehearsal/site/folder.py)."""
OF_A_CALL = ("DATA", "LANG", "LOG")
"""Variables that say something of the call and nothing of a platform."""
SECRET_FILE, OLD_SECRET_FILE = "session.key", "session.old.key"


@dataclass(frozen=True)
class Settings:
    """``platform`` is the name in signed documents; ``place`` the line under the brand; ``proxies`` how many trusted ones stand before
    us; ``clamd`` where the virus scanner listens; ``files_url`` the origin from which strangers' files are handed out;
    ``arrival_header`` the header in which the nearest proxy says when a request had arrived; ``probes`` the outside points and their keys;
    ``beacon_url`` and ``drop_url`` where bidders reach the time beacon and the digest drop; ``mirror_url`` and ``mirror_key`` the
    supervisory body's mirror and its public key; ``mirror_dir`` a folder on a second disk that gets every blob too;
    ``memory`` the files on other disks that hold the log's last checkpoint;
    ``mail`` where letters go;
    ``time_sources`` the clocks outside that ours is held against;
    ``metrics`` who may read figures at /metrics: "" nobody, this machine, or whoever has the token;
    ``keep_days`` how long letters in a folder are kept, 0 for ever;
    ``data_keys`` the file of the keys that seal values in the database, "" for ``data.keys`` in the data folder;
    ``second_factor`` whether whoever holds a role of weight must have one, "" for: unless this is a rehearsal."""

    data: Path
    database: str
    blobs: str
    base_url: str = ""
    proxies: int = 0
    mail: Way = field(default_factory=Way)
    mirror_dir: str = ""
    tsa: str = ""
    clamd: str = ""
    files_url: str = ""
    zone: str = "Asia/Shanghai"
    test_clock: str = ""
    platform: str = "bidhall.local"
    place: str = "公共资源交易"
    hotline: str = ""
    deposit_payee: str = ""
    deposit_bank: str = ""
    log: str = "WARNING"
    arrival_header: str = ""
    probes: tuple[tuple[str, str], ...] = ()
    beacon_url: str = ""
    drop_url: str = ""
    mirror_url: str = ""
    mirror_key: str = ""
    memory: tuple[str, ...] = ()
    second_factor: str = "optional"
    data_keys: str = ""
    time_sources: tuple[str, ...] = ()
    metrics: str = ""
    keep_days: int = KEEP_DAYS

    @property
    def second_factor_required(self) -> bool:
        """Not in a rehearsal, whose card has no authenticators, unless it says so."""
        return self.second_factor == "required" or (not self.second_factor and not self.rehearses)

    @property
    def rehearses(self) -> bool:
        """Was the data folder made for rehearsal?"""
        return (self.data / "rehearsal").exists()

    @property
    def secure(self) -> bool:
        """Is the platform reached over TLS?"""
        return urlsplit(self.base_url).scheme == "https"

    @property
    def hosts(self) -> list[str]:
        """Host names the platform answers to; others get 400. Empty: any (a platform without a base address)."""
        name = urlsplit(self.base_url).hostname
        return [name, "localhost", "127.0.0.1", "::1"] if name else []


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Refuses: NotReady ``settings.unknown``, ``settings.line``, ``settings.value`` with the name and what was expected."""
    data, values = given(environment)
    zone = values.get("ZONE") or "Asia/Shanghai"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise NotReady("settings.value", name=PREFIX + "ZONE", value=zone, expected="Asia/Shanghai") from error
    proxies = values.get("PROXIES") or "0"
    if not (proxies.isascii() and proxies.isdigit() and len(proxies) < 3):
        raise NotReady("settings.value", name=PREFIX + "PROXIES", value=proxies, expected="0, 1, 2")
    header = values.get("ARRIVAL_HEADER") or ""
    if header and (proxies == "0" or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,60}", header)):
        expected = "X-Arrived-At, and BIDHALL_PROXIES of 1 or more: else anybody could send it"
        raise NotReady("settings.value", name=PREFIX + "ARRIVAL_HEADER", value=header, expected=expected)
    base = (values.get("BASE_URL") or "").rstrip("/")
    if base and (urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname):
        raise NotReady("settings.value", name=PREFIX + "BASE_URL", value=base, expected="https://bidhall.example")
    second = values.get("SECOND_FACTOR", "").strip()
    if second and second not in SECOND_FACTOR:
        expected = " / ".join(SECOND_FACTOR)
        raise NotReady("settings.value", name=PREFIX + "SECOND_FACTOR", value=second, expected=expected)
    metrics = values.get("METRICS", "").strip()
    if metrics and metrics not in METRICS:
        raise NotReady("settings.value", name=PREFIX + "METRICS", value=metrics, expected=" / ".join(METRICS))
    keep = values.get("KEEP_DAYS", "").strip() or str(KEEP_DAYS)
    if not (keep.isascii() and keep.isdigit() and len(keep) < 5):
        raise NotReady("settings.value", name=PREFIX + "KEEP_DAYS", value=keep, expected="0, 30, 90")
    clamd = values.get("CLAMD", "").strip()
    if clamd:
        try:
            from web.clamd import parse_address

            parse_address(clamd)
        except ValueError as error:
            expected = "unix:/run/clamav/clamd.ctl, tcp://127.0.0.1:3310"
            raise NotReady("settings.value", name=PREFIX + "CLAMD", value=clamd, expected=expected) from error
    return Settings(
        data=data,
        database=_database(values.get("DATABASE", "").strip()) or f"sqlite:///{data / 'bidhall.db'}",
        blobs=values.get("BLOBS") or str(data / "blobs"),
        base_url=base,
        proxies=int(proxies),
        mail=read_way(values, data),
        mirror_dir=values.get("MIRROR_DIR", ""),
        tsa=values.get("TSA", ""),
        clamd=clamd,
        files_url=_files_url((values.get("FILES_URL") or "").rstrip("/"), base),
        zone=zone,
        test_clock=values.get("TEST_CLOCK", ""),
        platform=values.get("PLATFORM") or urlsplit(base).hostname or "bidhall.local",
        place=values.get("PLACE") or "公共资源交易",
        hotline=values.get("HOTLINE", ""),
        deposit_payee=values.get("DEPOSIT_PAYEE", ""),
        deposit_bank=values.get("DEPOSIT_BANK", ""),
        log=values.get("LOG") or "WARNING",
        arrival_header=header,
        probes=_probes(values.get("PROBES", "")),
        beacon_url=_address("BEACON_URL", values),
        drop_url=_address("DROP_URL", values),
        mirror_url=_address("MIRROR_URL", values),
        mirror_key=_mirror_key(values),
        memory=_memory(values.get("MEMORY", ""), data),
        second_factor=second,
        data_keys=_key_file(values.get("DATA_KEYS", "").strip()),
        time_sources=_time_sources(values.get("TIME_SOURCES", "")),
        metrics=metrics,
        keep_days=int(keep),
    )


def given(environment: Mapping[str, str] | None = None) -> tuple[Path, dict[str, str]]:
    """The data folder, and the settings that were made, name (without its prefix) → value as written. Those of a site's rehearsal stand in
    its own settings.env alone.

    Refuses: NotReady ``settings.unknown``, ``settings.line``."""
    named = {
        k.removeprefix(PREFIX): v
        for k, v in (os.environ if environment is None else environment).items()
        if k.startswith(PREFIX) and not k.startswith(_OF_TESTS)
    }
    data = Path(named.get("DATA") or "bidhall-data").absolute()
    if (data / REHEARSAL_FACTS).exists():  # what this shell says of the site is not of its rehearsal
        named = {name: value for name, value in named.items() if name in OF_A_CALL}
    values = {**in_file(data / "settings.env"), **named}
    for name in values:
        if name not in NAMES:
            raise NotReady("settings.unknown", name=PREFIX + name, known=[PREFIX + n for n in NAMES])
    return data, values


def _database(text: str) -> str:
    """The address of a database; PostgreSQL is spoken to by the one driver there is. Refuses: NotReady ``settings.value``, without a
    password that may stand in it."""
    scheme, sign, rest = text.partition("://")
    if sign and scheme in ("postgres", "postgresql"):
        text = f"postgresql+psycopg://{rest}"
    elif text and (not sign or scheme not in ("sqlite", "postgresql+psycopg")):
        expected = "postgresql://user@host/name, sqlite:////folder/bidhall.db"
        shown = f"{scheme}://…" if sign else "…"
        raise NotReady("settings.value", name=PREFIX + "DATABASE", value=shown, expected=expected)
    if text:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            make_url(text)
        except (ArgumentError, ValueError) as error:
            expected = "postgresql://user@host:5432/name"
            raise NotReady(
                "settings.value", name=PREFIX + "DATABASE", value=f"{scheme}://…", expected=expected
            ) from error
    return text


def _probes(text: str) -> tuple[tuple[str, str], ...]:
    """``north=KEY, south=KEY`` → (name, key) of each outside point. Refuses: NotReady ``settings.value``."""
    found = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, key = part.partition("=")
        well = re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name) and re.fullmatch(r"[A-Za-z0-9_-]{43}", key)
        if not well or name == "inside" or name in found:
            raise NotReady("settings.value", name=PREFIX + "PROBES", value=part, expected="north=KEY, south=KEY")
        found[name] = key
    return tuple(sorted(found.items()))


def _mirror_key(values: Mapping[str, str]) -> str:
    """The mirror's public key; an address without a key would be a mirror anybody could play. Refuses: NotReady ``settings.value``."""
    key = values.get("MIRROR_KEY", "").strip()
    if bool(key) is not bool(values.get("MIRROR_URL", "").strip()) or (
        key and not re.fullmatch(r"[A-Za-z0-9_-]{43}", key)
    ):
        expected = "with BIDHALL_MIRROR_URL, and as bidhall mirror key says it"
        raise NotReady("settings.value", name=PREFIX + "MIRROR_KEY", value=key, expected=expected)
    return key


def _key_file(path: str) -> str:
    """Refuses: NotReady ``settings.value``."""
    if path and (not os.path.isabs(path) or Path(path).is_dir()):
        expected = "a file by its whole path: /mnt/other/bidhall.data.keys"
        raise NotReady("settings.value", name=PREFIX + "DATA_KEYS", value=path, expected=expected)
    return path


def _time_sources(text: str) -> tuple[str, ...]:
    """``ntp.example, ntp.other:1123``. Refuses: NotReady ``settings.value``."""
    found = tuple(dict.fromkeys(filter(None, (one.strip() for one in text.split(",")))))
    if not found:
        return ()
    try:
        for one in found:
            outside_time.parse(one)
        if len(found) > outside_time.MOST:
            raise ValueError(text)
    except ValueError as error:
        expected = f"ntp.example, ntp.other:123, [2001:db8::1]; at most {outside_time.MOST}"
        raise NotReady("settings.value", name=PREFIX + "TIME_SOURCES", value=text, expected=expected) from error
    return found


def _memory(text: str, data: Path) -> tuple[str, ...]:
    """``/mnt/a/log.json, /mnt/b/log.json``: what lies in the data folder would be brought back with it. Refuses: NotReady
    ``settings.value``."""
    found = dict.fromkeys(filter(None, (one.strip() for one in text.split(","))))
    for path in found:
        if not os.path.isabs(path) or Path(path).is_dir() or Path(path).resolve().is_relative_to(data.resolve()):
            expected = "files outside the data folder, each by its whole path: /mnt/other/bidhall.memory"
            raise NotReady("settings.value", name=PREFIX + "MEMORY", value=path, expected=expected)
    return tuple(found)


def _address(name: str, values: Mapping[str, str]) -> str:
    text = values.get(name, "").rstrip("/")
    if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
        raise NotReady("settings.value", name=PREFIX + name, value=text, expected="https://bidhall.example")
    return text


def _files_url(address: str, base: str) -> str:
    """Another origin than the platform's own. Refuses: NotReady ``settings.value``."""
    if not address:
        return ""
    parts = urlsplit(address)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path
        or parts.query
        or address == base
        or (base.startswith("https:") and parts.scheme != "https")
    ):
        raise NotReady(
            "settings.value", name=PREFIX + "FILES_URL", value=address, expected="https://files.bidhall.example"
        )
    return address


def in_file(path: Path) -> dict[str, str]:
    """The lines of a settings.env, name (without its prefix) → value; nothing where there is no file. Refuses: NotReady
    ``settings.line``."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign or not name.strip().startswith(PREFIX):
            raise NotReady("settings.line", path=str(path), line=number, text=line)
        found[name.strip().removeprefix(PREFIX)] = value.strip().strip('"')
    return found


def secret_of(folder: Path, name: str = SECRET_FILE, mark: str = "") -> str:
    """A secret of 256 bits from its 0600 file, made on first use, with ``mark`` before it. Refuses: NotReady ``settings.secret_open``
    when others can read it."""
    path = folder / name
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_secret(path, mark)
    if path.stat().st_mode & 0o077:
        raise NotReady("settings.secret_open", path=str(path))
    text = path.read_text(encoding="ascii").strip()
    if len(text) < 32:
        raise NotReady("settings.secret_short", path=str(path))
    return text


def _make_secret(path: Path, mark: str) -> None:
    """There whole or not at all, whoever dies meanwhile; of two who make it at once the first one's stays."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(mark + secrets.token_hex(32))
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def old_secrets(folder: Path) -> list[str]:
    """Keys of before a change: sign-ins made with them live on."""
    return [secret_of(folder, OLD_SECRET_FILE)] if (folder / OLD_SECRET_FILE).exists() else []
