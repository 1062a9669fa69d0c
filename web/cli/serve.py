"""`bidhall serve`: the web platform and its clock in one command."""

from __future__ import annotations

import gc
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from trading.kernel.access import CLOCK
from trading.kernel.errors import NotReady
from trading.kernel.work import Office
from web.cli.common import guarded, lang_option, refusal_text, say
from web.settings import REHEARSAL_FACTS, Settings, read_settings

LINES = 4096
"""Connections each worker holds open, and that may wait at the door."""
FILES = 2 * LINES + 512
"""Open at once in a worker."""
GRACEFUL_SECONDS, KEPT_SECONDS = 10, 15
"""For requests under way when we stop; for the next request of a line."""
STOPPED_SECONDS = 12
"""A worker that has not moved for so long is killed, and with it the lock of writers it may hold: others wait for that lock for a minute,
so nothing that waits is lost, and what was acknowledged is on the disk."""
GATHER = 10_000
"""Objects that may be left behind before the collector of cycles looks: some seven bids."""


@click.command("serve", epilog="Example: bidhall serve --demo")
@click.argument("rehearsal", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
@click.option(
    "--watch/--no-watch",
    default=None,
    help="Also start the watch (probe, time beacon, status page, digest drop) on the "
    "next three ports, in processes of their own; the default, except in a rehearsal.",
)
@click.option("--demo", is_flag=True, help="Fill an empty data folder with a small town for rehearsal.")
@lang_option
@guarded
def serve(
    rehearsal: Path | None, host: str, port: int, workers: int, watch: bool | None, demo: bool, lang: str | None
) -> None:
    """Run the web platform and its clock. With no settings: SQLite and files under ./bidhall-data. DIR: the rehearsal of a site that
    `bidhall rehearse DIR` made; the settings of this shell are not its own."""
    from web import logs, private, wiring
    from web.papers import mark
    from web.rehearsal.site import folder

    served = folder.refuse_unsaid(rehearsal.absolute() if rehearsal else None)
    if served is not None:
        os.environ["BIDHALL_DATA"] = str(served)
    settings = read_settings()
    private.make(settings.data)
    with _listening(host, port) as at:
        if demo:
            settings = _demo_town(settings, at, host, port)
        if narrowed := private.narrow(settings):  # said, where what opens the office would do it unsaid
            say(f"others could read these, and no longer can: {', '.join(map(str, narrowed))}")
        office = _prepare(settings, demo)
        if served is not None:
            say(f"{mark.ZH} / {mark.EN}: {settings.platform}")
        if host not in ("127.0.0.1", "localhost", "::1") and not settings.secure:
            say(
                "warning: no TLS beyond this machine: browsers will keep no sign-in; set BIDHALL_BASE_URL=https://… behind a proxy"
            )
        logs.start(settings.log)
        keeper = (
            _watch(settings, host, port)
            if (watch if watch is not None else not wiring.is_rehearsal(settings.data))
            else None
        )
        try:
            run(
                settings,
                host=host,
                port=port,
                workers=workers,
                at=at,
                office=office,
                on_ready=lambda: say(f"Bidhall serves on http://{host}:{port}"),
            )
        finally:
            if keeper is not None and keeper.poll() is None:
                keeper.terminate()
                keeper.wait(15)
            if office.memory is not None:
                office.memory.release()


def _prepare(settings: Settings, demo: bool) -> Office:
    """Tables of this version, a clock that is set, the keys the log began with. If it will stand still that is said, and is no reason
    not to let people read; another copy that signs is one. The office, its database closed. Refuses: NotReady, ``memory.taken`` too."""
    from web import schema, wiring

    engine = wiring.open_database(settings)
    if demo or settings.database.startswith("sqlite"):
        copy = schema.migrate(engine).copy
        if copy:
            say(f"the tables were brought to this version; the database as it was is kept at {copy}")
    schema.check_ready(engine)
    engine.dispose()
    office = wiring.open_signing_office(settings)
    memory = office.memory
    if memory is not None and memory.trouble is not None and memory.trouble.code == "memory.taken":
        raise memory.trouble
    if office.trouble is not None:
        say(refusal_text(office.trouble))
    elif memory is not None:
        with office.view(CLOCK) as view:
            memory.take(view.session)
    office.engine.dispose()
    return office


def _watch(settings: Settings, host: str, port: int) -> Any:
    """The keeper of the watch, in a session of its own: a killed server leaves it running, a polite end takes it along."""
    from web.workers.watch import keeper, process

    if not 0 < port <= 65532:
        say("no watch: it needs a port of its own number, and the next three")
        return None
    if process.running(settings.data, "watch"):
        say("the watch runs already")
        return None
    say(f"the watch: time beacon on port {port + 1}, status page on {port + 2}, digest drop on {port + 3}")
    return keeper.start(["watch", "--host", host, "--port", str(port)], port=port)


def _raise_file_limit() -> None:
    """As many open lines as the system lets us have: a rush before a deadline must not end at a soft limit of 1024."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listening(host: str, port: int) -> socket.socket:
    """The platform's address, ours from now on. Refuses: NotReady ``serve.address``."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=LINES
        )
    except OSError as error:
        raise NotReady(
            "serve.address", at=f"{host}:{port}", reason=os.strerror(error.errno) if error.errno else str(error)
        ) from error


def _demo_town(settings: Settings, at: socket.socket, host: str, port: int) -> Settings:
    """The settings for the town; while it is filled its address says how far that is.

    Refuses: NotReady ``demo.not_empty``, ``demo.failed``."""
    from web.http import waiting
    from web.rehearsal.names import HOTLINE
    from web.rehearsal.town import filling

    town = (settings.data / "rehearsal").exists() and not (settings.data / REHEARSAL_FACTS).exists()
    if any(settings.data.iterdir()) and not town:
        raise NotReady("demo.not_empty", data=str(settings.data))
    (settings.data / "rehearsal").touch()
    if filling.facts(settings.data):
        lines = filling.fill(settings, say)
    else:
        say(f"the demo town is being filled; http://{host}:{port} says how far that is")
        with waiting.answering(at) as tell:

            def both(line: str) -> None:
                say(line)
                tell(line)

            lines = filling.fill(settings, both)
    for line in lines:
        say(line)
    return replace(settings, hotline=settings.hotline or HOTLINE)


def _files_door(settings: Settings, host: str) -> list[str]:
    """A files host with a port of its own and no TLS is ours to listen on; any other is led here by a proxy, by its name. Refuses: NotReady
    ``serve.address``."""
    parts = urlsplit(settings.files_url)
    return [f"fd://{_listening(host, parts.port).detach()}"] if parts.scheme == "http" and parts.port else []


def settle() -> None:
    """What was loaded by now stays as long as the process: the collector of cycles need not look at it again and again, some 70 ms each
    time with every request standing still, and after a fork its pages stay shared. What a request leaves behind is little and is
    gathered some requests at a time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GATHER)


def run(
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int,
    threads: int = 64,
    at: socket.socket | None = None,
    office: Office | None = None,
    on_ready: Any = None,
) -> None:
    """gunicorn, embedded: factory after the fork, so no engine crosses it; every worker turns the clock (twice is harmless). ``at``: what
    listens at the address already. ``office``: the server's own, which has looked at the memory and holds its lease."""
    trouble = office.memory.trouble if office and office.memory else None
    server = office.memory.mine if office and office.memory else None
    from gunicorn.app.base import BaseApplication

    from web.app import find_desks
    from web.http.edge import EdgeWorker
    from web.tally import TALLY

    doors = _files_door(settings, host)
    _raise_file_limit()
    TALLY.share(2 * workers + 4)  # one that ends and the one after it may overlap
    find_desks()  # read once, for all workers; nothing in them runs or opens anything yet
    settle()

    class Server(BaseApplication):
        def load_config(self) -> None:
            options = {
                "bind": [f"fd://{at.detach()}" if at else f"{host}:{port}", *doors],
                "worker_class": type("Edge", (EdgeWorker,), {"counts_addresses": not settings.proxies}),
                "workers": workers,
                "threads": threads,
                "timeout": STOPPED_SECONDS,
                "worker_connections": LINES,
                "backlog": LINES,
                "graceful_timeout": GRACEFUL_SECONDS,
                "keepalive": KEPT_SECONDS,
                "loglevel": "warning",
                "proc_name": "bidhall",
                "forwarded_allow_ips": "*" if settings.proxies else "127.0.0.1",
                "worker_tmp_dir": None,
                "control_socket_disable": True,  # it would be a door in somebody's home, by which workers are ended
                "when_ready": lambda _server: on_ready() if on_ready else None,
                "pre_fork": _give_slot,
                "post_fork": lambda _server, worker: TALLY.take(worker.bidhall_slot),
                "post_worker_init": _start_clock,
                "worker_exit": _stop_clock,
            }
            for key, value in options.items():
                self.cfg.set(key, value)

        def load(self) -> Any:
            from web import wiring
            from web.app import create_app

            return create_app(settings, wiring.open_worker_office(settings, trouble, server))

    def _give_slot(server: Any, worker: Any) -> None:
        worker.bidhall_slot = TALLY.free_slot(one.bidhall_slot for one in server.WORKERS.values())

    def _start_clock(worker: Any) -> None:
        from web import wiring
        from web.workers import scheduler

        pages = worker.wsgi.extensions["bidhall"].office
        office = replace(
            wiring.open_office(settings), memory=pages.memory, clock=pages.clock, restored=pages.restored
        )  # what the clock finds out, the pages know
        bank, scanner = wiring.open_bank(settings, office.clock), wiring.open_scanner(settings)
        post = wiring.open_post(settings, f"http://{host}:{port}")
        worker.bidhall_clock = scheduler.start(office, bank, post, scanner, settings)
        settle()

    def _stop_clock(_server: Any, worker: Any) -> None:
        """Before the interpreter takes the threads away from under it, which the scheduler would write down as an error; without jobs,
        since it looks for one that is due once more while it stops."""
        clock = getattr(worker, "bidhall_clock", None)
        if clock is not None:
            clock.remove_all_jobs()
            clock.shutdown(wait=False)

    Server().run()
