"""A whole Bidhall service over a world's folder, as `bidhall serve` runs it, and people with sign-ins at its door.

The service is a process of its own: gunicorn, its workers, the clock in each. Its clock is the machine's, moved by a constant, so that
client, workers and deadline agree on every moment. Sign-ins are rows and cookies as the sign-in page makes them: the page itself takes
60 an hour from one address.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.start import free_port, stop, wait_for
from bench.worlds import DATABASE

if TYPE_CHECKING:
    from tests.kit.world import World
    from web.settings import Settings

AGENT = "bench"
COOKIE = "__Host-bidhall"
ROOT = Path(__file__).parents[1]

BIDHALL = """
import sys
from datetime import timedelta
from pathlib import Path
from trading.kernel.clock import Machine
from trading.kernel.system_clock import SystemClock
from web import wiring
from web.cli import serve
from web.settings import Settings

folder, port, shift, platform = Path(sys.argv[1]), int(sys.argv[2]), timedelta(seconds=float(sys.argv[3])), sys.argv[4]

class Moved(Machine):
    def wall_ns(self):
        return super().wall_ns() + shift // timedelta(microseconds=1) * 1000

wiring.open_clock = lambda settings: SystemClock(machine=Moved())
settings = Settings(data=folder, database=sys.argv[5], blobs=f"{folder}/blobs", platform=platform)
serve.run(settings, host="127.0.0.1", port=port, workers=2)
"""

BARE = """
import hashlib, itertools, os, sys
from pathlib import Path
from gunicorn.app.base import BaseApplication

folder, port, sync = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "sync"
number = itertools.count()

def application(environ, start_response):
    length, digest = int(environ.get("CONTENT_LENGTH") or 0), hashlib.sha256()
    body = environ["wsgi.input"]
    if sync:
        with open(folder / f"{os.getpid()}-{next(number)}", "xb") as out:
            while length and (piece := body.read(min(length, 1 << 20))):
                out.write(piece)
                length -= len(piece)
            out.flush()
            os.fsync(out.fileno())
    else:
        while length and (piece := body.read(min(length, 1 << 20))):
            digest.update(piece)
            length -= len(piece)
    answer = digest.hexdigest().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]

class Server(BaseApplication):
    def load_config(self):
        options = {"bind": f"127.0.0.1:{port}", "worker_class": "gthread", "workers": 2, "threads": 64, "loglevel": "warning"}
        for key, value in options.items():
            self.cfg.set(key, value)

    def load(self):
        return application

Server().run()
"""

FLOOR = BARE.replace(
    BARE[BARE.index("def application") : BARE.index("class Server")],
    """
from datetime import UTC, datetime
from flask import Flask, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from trading.kernel.db import open_engine
from trading.kernel.commit_queue import turns_of

class Base(DeclarativeBase):
    pass

class Row(Base):
    __tablename__ = "row"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    size: Mapped[int]
    at: Mapped[datetime]

engine = open_engine(f"sqlite:///{folder}/floor.db")
try:
    Base.metadata.create_all(engine)
except Exception:
    pass  # the other worker was first
application = Flask("floor")

@application.post("/")
def take():
    name, size = f"{os.getpid()}-{next(number)}", request.content_length or 0
    with open(folder / name, "xb") as out:
        while piece := request.stream.read(1 << 20):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    with turns_of(engine).turn(together=True) as connection, Session(connection, expire_on_commit=False) as session:
        row = Row(name=name, size=size, at=datetime.now(UTC))
        session.add(row)
        session.commit()
    return {"id": row.id, "name": name}

@application.get("/")
def up():
    return "up"

""",
)


_SERVERS: dict[int, int] = {}
"""port → process of the services that run."""


@contextmanager
def bidhall(world: World, folder: Path, shift: timedelta) -> Iterator[int]:
    """The port of a service over the world in ``folder``; its clock is the machine's plus ``shift``."""
    _keep_keys(world, folder)
    with _server(
        BIDHALL, folder, shift.total_seconds(), world.office.platform, settings_of(world, folder).database
    ) as port:
        yield port


def cpu_seconds(port: int) -> float:
    """Processor time the service on a port has used so far, in all its processes: what a bid costs, whoever else is on the machine."""
    table: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            table[int(entry.name)] = int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    ours = {_SERVERS[port]}
    for _ in range(2):
        ours |= {pid for pid, (parent, _seconds) in table.items() if parent in ours}
    return sum(table[pid][1] for pid in ours if pid in table)


@contextmanager
def bare(folder: Path, *, sync: bool) -> Iterator[int]:
    """The port of an endpoint under the same server that writes and syncs each body (or, without ``sync``, hashes it) and no more."""
    folder.mkdir(parents=True, exist_ok=True)
    with _server(BARE, folder, "sync" if sync else "hash") as port:
        yield port


@contextmanager
def floor(folder: Path) -> Iterator[int]:
    """The port of the least that a page of this kind can be under the same server: Flask, the bytes written and synced, one row by
    SQLAlchemy in a synced commit, writers in their turns as ours. What a bid costs beyond it is what a bid is."""
    folder.mkdir(parents=True, exist_ok=True)
    with _server(FLOOR, folder, "sync") as port:
        yield port


@contextmanager
def _server(code: str, folder: Path, *words: object) -> Iterator[int]:
    port = free_port()
    errors = folder / f"server-{port}.log"
    with errors.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", code, str(folder), str(port), *map(str, words)],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            env={k: v for k, v in os.environ.items() if not k.startswith("BIDHALL_")},
        )
        try:
            _SERVERS[port] = server.pid
            wait_for(f"http://127.0.0.1:{port}/time" if code is BIDHALL else f"http://127.0.0.1:{port}/", server)
            yield port
        except BaseException:
            sys.stderr.write(errors.read_text(errors="replace")[-2000:])
            raise
        finally:
            stop(server)


def _keep_keys(world: World, folder: Path) -> None:
    """The platform's keys of this world as the files a service reads."""
    from tests.kit import data_keys
    from web import wiring

    for name, secret in ((wiring.SIGNING_KEY, world.office.keys.signing), (wiring.LOG_KEY, world.office.keys.log)):
        path = folder / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secret.hex(), encoding="ascii")
    data_keys.lay(folder)


def settings_of(world: World, folder: Path) -> Settings:
    from web.settings import Settings

    url = world.office.engine.url
    database = (
        f"sqlite:///{folder / DATABASE}"
        if url.get_backend_name() == "sqlite"
        else url.render_as_string(hide_password=False)
    )
    return Settings(data=folder, database=database, blobs=str(folder / "blobs"), platform=world.office.platform)


@dataclass(frozen=True)
class Person:
    """What a browser holds after signing in."""

    cookie: str
    csrf: str


def signed_in(world: World, folder: Path, usernames: list[str]) -> list[Person]:
    """Bidders' signers, freshly signed in at the world's present moment, from this machine's address."""
    from flask import session
    from flask_login import login_user
    from flask_wtf.csrf import generate_csrf

    from tests.kit.world import SETUP
    from trading.kernel.access import Role
    from trading.parties import parties
    from web.app import create_app
    from web.http import login

    app = create_app(settings_of(world, folder), world.office)
    signer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    found = []
    with world.office.work(SETUP) as work:
        for username in usernames:
            who = parties.account(work.session, world.people[username])
            token = parties.open_login(work, who, Role.BIDDER_SIGNER, AGENT)
            row = parties.find_login(work.session, token, work.now)
            assert row is not None
            person = login._person(work.session, token, row)
            with app.test_request_context(
                "/", environ_base={"REMOTE_ADDR": "127.0.0.1"}, headers={"User-Agent": AGENT}
            ):
                login_user(person)
                csrf = generate_csrf()
                found.append(Person(f"{COOKIE}={signer.dumps(dict(session))}", csrf))
    return found


# --- a client that costs little -------------------------------------------------------------------------------------------


class Line:
    """One kept-alive connection; requests with a whole body, answers by Content-Length."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cookie: str) -> None:
        self.reader, self.writer, self.cookie = reader, writer, cookie

    @classmethod
    async def open(cls, port: int, cookie: str = "") -> Line:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(reader, writer, cookie)

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"User-Agent: {AGENT}", f"Content-Length: {len(body)}"]
        lines += [f"Cookie: {self.cookie}"] if self.cookie else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        self.writer.write(body)
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        answer = await self.reader.readexactly(int(found.get("content-length", 0))) if method != "HEAD" else b""
        return int(head[0].split(" ")[1]), found, answer

    def close(self) -> None:
        self.writer.close()


@dataclass
class Delivery:
    """What became of one bid. Moments by the machine's clock: ``due`` (open loop), ``sent`` (the submission), ``done`` (the receipt)."""

    due: float
    sent: float = 0.0
    done: float = 0.0
    accepted: bool = False
    reason: str = ""
    c: str = ""

    @property
    def seconds(self) -> float:
        return self.done - self.due


async def deliver(
    port: int, person: Person, ref: str, sealed: Path, submission: str, *, due: float, submit_at: float = 0.0
) -> Delivery:
    """Announce with the bytes, submit; the receipt, or why there is none."""
    await asyncio.sleep(max(0.0, due - time.time()))
    told = Delivery(due)
    line = await Line.open(port, person.cookie)
    try:
        data = sealed.read_bytes()
        meta = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("lot", ref), ("envelope", "bid")))
        status, headers, body = await line.ask(
            "POST",
            "/uploads/acts",
            data,
            Tus_Resumable="1.0.0",
            Upload_Length=str(len(data)),
            Upload_Metadata=meta,
            Content_Type="application/offset+octet-stream",
        )
        if status != 201:
            told.reason = f"upload {status} {body[:80]!r}"
            return told
        where = headers["location"]
        if submit_at:
            line.close()  # the server ends a silent line after 15 s, as it should
            await asyncio.sleep(max(0.0, submit_at - time.time()))
            line = await Line.open(port, person.cookie)
            told.due = time.time()
        form = {
            "csrf_token": person.csrf,
            "form_id": secrets.token_urlsafe(16),
            "upload": where.rsplit("/", 1)[1],
            "submission": submission,
        }
        told.sent = time.time()
        status, headers, body = await line.ask(
            "POST",
            f"/bidder/lots/{ref}/acts/submit",
            urllib.parse.urlencode(form).encode(),
            Content_Type="application/x-www-form-urlencoded",
            Accept="application/json",
        )
        if status != 200:
            told.reason = f"submit {status} {body[:80]!r}"
            return told
        found = json.loads(body)
        told.accepted, told.reason, told.c = found["accepted"], found["reason"], found["c"]
        return told
    except (OSError, asyncio.IncompleteReadError) as error:
        told.reason = f"line {type(error).__name__}"
        return told
    finally:
        told.done = time.time()
        line.close()


async def post_bare(port: int, sealed: Path) -> None:
    """The same bytes to the bare endpoint."""
    line = await Line.open(port)
    try:
        status, _, _ = await line.ask("POST", "/", sealed.read_bytes())
        if status != 200:
            raise RuntimeError(f"the bare endpoint answered {status}")
    finally:
        line.close()
