"""Where letters go, as it is set: a mail server, or a folder that people can read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.errors import HeaderParseError
from email.headerregistry import Address
from pathlib import Path
from urllib.parse import urlsplit

from trading.kernel.errors import NotReady

STARTTLS, TLS, NONE = MODES = ("starttls", "tls", "none")
LOCAL = ("localhost", "127.0.0.1", "::1")
PORTS = {TLS: 465, STARTTLS: 587, NONE: 25}
PREFIX = "BIDHALL_MAIL"
DEFAULT_FOLDER = "mail"
SECONDS = 20
SHAPE = "smtp://mail.example.cn:587, or a folder by its whole path"


@dataclass(frozen=True)
class Way:
    """``folder``: where letters are written as files, "" with a server. ``chosen``: whether anybody has said where they go. ``tls``: one
    of ``MODES``; ``ca``: a file with the certificate of an authority of one's own; ``sender``: the address in From; ``seconds``: how long
    the server may keep silent."""

    folder: str = ""
    chosen: bool = False
    host: str = ""
    port: int = 0
    tls: str = NONE
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""
    ca: str = ""
    seconds: int = SECONDS

    @property
    def shown(self) -> str:
        """In one line, no secret in it."""
        if not self.host:
            return self.folder
        return f"{self.host}:{self.port} ({self.tls})" + (f", {self.user}" if self.user else "")

    def hurried(self, seconds: int) -> Way:
        """The same with no longer patience."""
        return replace(self, seconds=min(self.seconds, seconds))


def read(values: Mapping[str, str], data: Path) -> Way:
    """Of the settings by name (without their prefix). Refuses: NotReady ``settings.value``, ``settings.secret_open``."""
    where = values.get("MAIL", "").strip()
    if not where:
        return Way(folder=str(data / DEFAULT_FOLDER))
    if not where.startswith("smtp://"):
        if "://" in where:
            raise _wrong("", where, SHAPE)
        return Way(folder=where, chosen=True)
    parts = urlsplit(where)
    host = parts.hostname or ""
    try:
        port = parts.port
    except ValueError as error:
        raise _wrong("", where, SHAPE) from error
    if not host or parts.path not in ("", "/") or parts.query or parts.username or parts.password:
        raise _wrong("", f"smtp://{host}", SHAPE)  # a password that stands in the address is not repeated
    local = host in LOCAL
    tls = values.get("MAIL_TLS", "").strip() or (TLS if port == PORTS[TLS] else NONE if local else STARTTLS)
    if tls not in MODES or (tls == NONE and not local):
        raise _wrong("_TLS", tls, "starttls, tls; none only for a server on this machine")
    user, password = values.get("MAIL_USER", "").strip(), _password(values)
    if bool(user) is not bool(password):
        raise _wrong("_USER", user or "-", "with BIDHALL_MAIL_PASSWORD or BIDHALL_MAIL_PASSWORD_FILE, or neither")
    return Way(
        chosen=True,
        host=host,
        port=port or PORTS[tls],
        tls=tls,
        user=user,
        password=password,
        sender=_sender(values.get("MAIL_FROM", "").strip()),
        ca=_ca(values.get("MAIL_CA", "").strip()),
        seconds=_seconds(values.get("MAIL_TIMEOUT", "").strip()),
    )


def _password(values: Mapping[str, str]) -> str:
    given, path = values.get("MAIL_PASSWORD", ""), values.get("MAIL_PASSWORD_FILE", "").strip()
    if not path:
        return given
    if given:
        raise _wrong("_PASSWORD_FILE", path, "either the file or BIDHALL_MAIL_PASSWORD, not both")
    if not os.path.isabs(path) or not Path(path).is_file():
        raise _wrong("_PASSWORD_FILE", path, "a file by its whole path: /etc/bidhall/mail.password")
    if Path(path).stat().st_mode & 0o077:
        raise NotReady("settings.secret_open", path=path)
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0].strip():
        raise _wrong("_PASSWORD_FILE", path, "the password on its first line")
    return lines[0].strip()


def _sender(text: str) -> str:
    if not is_address(text):
        raise _wrong("_FROM", text or "-", "the address letters come from: bidhall@example.cn")
    return text


def _ca(path: str) -> str:
    if path and not (os.path.isabs(path) and Path(path).is_file()):
        raise _wrong("_CA", path, "a file of certificates by its whole path: /etc/bidhall/mail-ca.pem")
    return path


def _seconds(text: str) -> int:
    if not text:
        return SECONDS
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text, re.ASCII) or int(text) > 120:
        raise _wrong("_TIMEOUT", text, "seconds, 1 to 120")
    return int(text)


def is_address(text: str) -> bool:
    """One address of mail and nothing beside it."""
    try:
        return bool(text) and "\n" not in text and "\r" not in text and Address(addr_spec=text).domain != ""
    except (HeaderParseError, ValueError, IndexError):
        return False


def _wrong(name: str, value: str, expected: str) -> NotReady:
    return NotReady("settings.value", name=PREFIX + name, value=value, expected=expected)
