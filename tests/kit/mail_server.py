"""A mail server on a thread: it speaks SMTP (RFC 5321), STARTTLS (RFC 3207) and AUTH PLAIN over real sockets, and does what a test asks.

with MailServer(greylist=1) as server:
    ... Way(host="127.0.0.1", port=server.port, ...)
    server.letters[0].message["Subject"]
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "bidhall", "nine lanterns over one bridge"


@dataclass
class Received:
    """``over_tls``: was the line closed to others when it came."""

    sender: str
    to: str
    message: EmailMessage
    over_tls: bool


@dataclass
class MailServer:
    """``tls``: starttls, tls or none. ``greylist``: so many times each recipient is put off with 451. ``refuses``: recipient → reply.
    ``data_reply``: the answer to a letter that came in whole. ``hangs_at``: greeting, ehlo, data: says nothing more there. ``drips``:
    greets a letter a second and never ends. ``auth``: asks for a sign-in. ``mail_reply``: the answer to MAIL FROM."""

    tls: str = "none"
    greylist: int = 0
    refuses: dict[str, bytes] = field(default_factory=dict)
    data_reply: bytes = b"250 2.0.0 queued"
    mail_reply: bytes = b"250 2.1.0 ok"
    hangs_at: str = ""
    drips: bool = False
    auth: bool = False
    letters: list[Received] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    conversations: int = 0
    at_once: int = 0

    def __enter__(self) -> MailServer:
        self._over = threading.Event()
        self._seen: Counter[str] = Counter()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._talking = 0
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # whoever waits in accept would keep it open
        self._door.close()
        for one in self._open:
            with suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(line,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, line: socket.socket) -> None:
        self._open.append(line)
        self.conversations += 1
        self._talking += 1
        self.at_once = max(self.at_once, self._talking)
        try:
            with suppress(OSError, ssl.SSLError):
                if self.tls == "tls":
                    line = _context().wrap_socket(line, server_side=True)
                    self._open.append(line)
                talk = _Talk(self, line, self.tls == "tls")
                try:
                    talk.run()
                finally:
                    talk.file.close()
        finally:
            self._talking -= 1
            line.close()

    def wait(self) -> None:
        """Says nothing until the test is over."""
        self._over.wait(60)


class _Talk:
    def __init__(self, server: MailServer, line: socket.socket, secret: bool) -> None:
        self.server, self.line, self.secret = server, line, secret
        self.file = line.makefile("rb")
        self.sender = self.to = ""
        self.known = False

    def say(self, reply: bytes) -> None:
        self.line.sendall(reply + b"\r\n")

    def stop_at(self, place: str) -> bool:
        if self.server.hangs_at == place:
            self.server.wait()
            return True
        return False

    def run(self) -> None:
        if self.stop_at("greeting"):
            return
        if self.server.drips:
            for letter in b"220-" + b"x" * 60:
                self.line.sendall(bytes([letter]))
                time.sleep(0.1)
                if self.server._over.is_set():
                    return
        self.say(b"220 test ESMTP")
        for raw in self.file:
            text = raw.decode("utf-8").rstrip("\r\n")
            self.server.lines.append(text)
            if not self.answer(*text.partition(" ")[::2]):
                return

    def answer(self, verb: str, rest: str) -> bool:
        """Whether the conversation goes on."""
        word = verb.upper()
        if word in ("EHLO", "HELO"):
            if self.stop_at("ehlo"):
                return False
            offers = [b"250-test", b"250-8BITMIME", b"250-SMTPUTF8"]
            offers += [b"250-STARTTLS"] if self.server.tls == "starttls" and not self.secret else []
            offers += [b"250-AUTH PLAIN"] if self.server.auth else []
            self.say(b"\r\n".join([*offers, b"250 SIZE 10000000"]))
        elif word == "STARTTLS":
            self.say(b"220 go on")
            self.line = _context().wrap_socket(self.line, server_side=True)
            self.server._open.append(self.line)
            self.file, self.secret = self.line.makefile("rb"), True
            for raw in self.file:
                text = raw.decode("utf-8").rstrip("\r\n")
                self.server.lines.append(text)
                if not self.answer(*text.partition(" ")[::2]):
                    return False
            return False
        elif word == "AUTH":
            given = base64.b64decode(rest.split()[-1]).split(b"\0")[1:]
            self.known = given == [USER.encode(), PASSWORD.encode()]
            self.say(b"235 2.7.0 welcome" if self.known else b"535 5.7.8 wrong name or password")
        elif word == "MAIL":
            self.sender = rest.partition("<")[2].partition(">")[0]
            self.say(b"530 5.7.0 who are you" if self.server.auth and not self.known else self.server.mail_reply)
        elif word == "RCPT":
            self.rcpt(rest.partition("<")[2].partition(">")[0])
        elif word == "DATA":
            self.say(b"354 go on")
            return self.data()
        elif word == "QUIT":
            self.say(b"221 bye")
            return False
        else:
            self.say(b"250 ok")
        return True

    def rcpt(self, to: str) -> None:
        self.server._seen[to] += 1
        if to in self.server.refuses:
            self.say(self.server.refuses[to])
        elif self.server._seen[to] <= self.server.greylist:
            self.say(b"451 4.7.1 greylisted, come again")
        else:
            self.to = to
            self.say(b"250 2.1.5 ok")

    def data(self) -> bool:
        whole = b""
        for raw in self.file:
            if raw == b".\r\n":
                break
            whole += raw[1:] if raw.startswith(b"..") else raw
        if self.stop_at("data"):
            return False
        if self.server.data_reply.startswith(b"2"):
            message = message_from_bytes(whole, policy=policy.default)
            self.server.letters.append(Received(self.sender, self.to, message, self.secret))
        self.say(self.server.data_reply)
        return True


@cache
def certificate() -> tuple[bytes, bytes]:
    """A certificate for 127.0.0.1 signed by itself, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail of a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def trust(folder: Path) -> str:
    """The file that ``BIDHALL_MAIL_CA`` names."""
    path = folder / "mail-ca.pem"
    path.write_bytes(certificate()[0])
    return str(path)


@cache
def _context() -> ssl.SSLContext:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "both.pem"
        both.write_bytes(b"".join(certificate()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
    return context
