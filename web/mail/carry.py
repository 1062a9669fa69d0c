"""Letters handed to the next mail server (RFC 5321), or written into a folder; what was answered, and what that means for the letter.

A server that is not there, hangs, speaks no TLS or does not let us in says nothing about a letter: all of them wait. An answer of 4xx is
tried again, 5xx to a recipient or a text is for good.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Protocol

from trading.kernel.memory import write_whole
from web.mail.way import NONE, TLS, Way

LONGEST = 4
"""A whole conversation may take so many times what one silence may."""


@dataclass(frozen=True)
class Answer:
    """``kind``: taken, later or never. ``code``: the server's number (0: none); ``text``: its words, for the test letter alone: they may
    name addresses. ``recipient``: it was about the address."""

    kind: str
    code: int = 0
    text: str = ""
    recipient: bool = False


class Unreachable(Exception):
    """No letter can be handed over. ``why``: a code of web/words (``mail.way_…``); ``code`` and ``text``: the server's, if it spoke."""

    def __init__(self, why: str, code: int = 0, text: str = "") -> None:
        super().__init__(why)
        self.why, self.code, self.text = why, code, text


class Line(Protocol):
    """An open way: letters go one after another."""

    def hand(self, letter: EmailMessage, to: str) -> Answer:
        """Raises: Unreachable, after which no more letters go this way."""
        ...


@contextmanager
def opened(way: Way) -> Iterator[Line]:
    """Raises: Unreachable."""
    if not way.host:
        yield _Folder(Path(way.folder))
        return
    with _talking(way) as server:
        yield _Server(server)


def longest(way: Way) -> int:
    """Seconds after which a conversation has ended, whatever the server does."""
    return way.seconds * LONGEST


class _Folder:
    """A file a letter, readable by the platform's user alone; its name is the letter's own, so that twice is once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hand(self, letter: EmailMessage, to: str) -> Answer:
        name = str(letter["Message-ID"]).strip("<>").partition("@")[0]
        target = self.folder / f"{name}.eml"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(target, letter.as_bytes(policy=SMTP))
        except OSError as error:
            raise Unreachable("mail.way_folder", text=error.strerror or type(error).__name__) from error
        return Answer("taken")


class _Server:
    def __init__(self, server: smtplib.SMTP) -> None:
        self.server = server

    def hand(self, letter: EmailMessage, to: str) -> Answer:
        try:
            self.server.send_message(letter, to_addrs=[to])
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()), (0, b""))
            return _judged(code, text, recipient=True)
        except smtplib.SMTPDataError as error:
            return _judged(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPHeloError) as error:
            raise Unreachable("mail.way_refused", error.smtp_code, _said(error.smtp_error)) from error
        except (smtplib.SMTPNotSupportedError, UnicodeError, ValueError):
            # An address beyond ASCII, and a server that takes none (RFC 6531).
            return Answer("never", 553, recipient=True)
        except (smtplib.SMTPException, OSError) as error:
            raise _failed(error) from error
        return Answer("taken", 250)


def _judged(code: int, text: bytes | str, *, recipient: bool = False) -> Answer:
    if code == 421:  # it closes the line with this
        raise Unreachable("mail.way_refused", code, _said(text))
    return Answer("later" if code < 500 else "never", code, _said(text), recipient)


@contextmanager
def _talking(way: Way) -> Iterator[smtplib.SMTP]:
    """A conversation that has got as far as letters; it is cut when its time is up, however slowly the server goes on talking."""
    held: list[socket.socket] = []
    over = threading.Event()

    def cut() -> None:
        over.set()
        for one in held:
            with suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(longest(way), cut)
    timer.daemon = True
    timer.start()
    server: smtplib.SMTP | None = None
    try:
        try:
            server = _connected(way, held)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Unreachable("mail.way_hangs") if over.is_set() else _failed(error) from error
        try:
            yield server
        except Unreachable as error:
            raise Unreachable("mail.way_hangs") if over.is_set() else error from error
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
    finally:
        timer.cancel()
        if server is not None:
            server.close()
        for one in held:
            one.close()


def _connected(way: Way, held: list[socket.socket]) -> smtplib.SMTP:
    context = None if way.tls == NONE else ssl.create_default_context(cafile=way.ca or None)

    class Talk(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
            line = socket.create_connection((host, port), timeout)
            held.append(line)
            if way.tls == TLS and context is not None:
                line = context.wrap_socket(line, server_hostname=host)
                held.append(line)
            return line

    name = way.sender.rpartition("@")[2]
    server = Talk(way.host, way.port, local_hostname=name if name.isascii() else "localhost", timeout=way.seconds)
    server.ehlo_or_helo_if_needed()
    if way.tls not in (NONE, TLS):
        if not server.has_extn("starttls"):
            raise Unreachable("mail.way_no_starttls")
        code, text = server.starttls(context=context)
        if code != 220:
            raise Unreachable("mail.way_refused", code, _said(text))
        if server.sock is not None:
            held.append(server.sock)
        server.ehlo_or_helo_if_needed()
    if way.user:
        server.login(way.user, way.password)
    return server


def _failed(error: Exception) -> Unreachable:
    """What a failure was, in our words."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Unreachable("mail.way_sign_in", error.smtp_code, _said(error.smtp_error))
    if isinstance(error, smtplib.SMTPResponseException):
        return Unreachable("mail.way_refused", error.smtp_code, _said(error.smtp_error))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Unreachable("mail.way_no_sign_in")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable("mail.way_certificate", text=error.verify_message)
    if isinstance(error, ssl.SSLError):
        return Unreachable("mail.way_tls", text=error.reason or "")
    if isinstance(error, TimeoutError) or isinstance(
        error.__context__, TimeoutError
    ):  # smtplib calls silence a broken line
        return Unreachable("mail.way_hangs")
    if isinstance(error, socket.gaierror):
        return Unreachable("mail.way_no_host")
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Unreachable("mail.way_hung_up")
    return Unreachable("mail.way_no_answer", text=getattr(error, "strerror", "") or "")


def _said(text: bytes | str) -> str:
    """A stranger's words, short and in one line."""
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join("".join(one if one.isprintable() else " " for one in whole).split())[:300]
