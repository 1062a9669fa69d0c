"""How long starting takes: `bidhall --help`, and `bidhall serve` from an empty folder to its first answer.

Rival: an interpreter that imports Flask and ends, the least a web application in Python can do.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bench.race import Row, race, row
from bench.worlds import disk

HELP_S, SERVE_S = 0.3, 2.5


def run(quick: bool) -> list[Row]:
    rounds = 2 if quick else 10
    flask, helped, python = race(_python("import flask"), _bidhall("--help"), _python("pass"), rounds=rounds)
    served = min(_first_answer() for _ in range(1 if quick else 5))
    return [
        row(workload="bidhall --help", ours=helped, unit="s", rival=flask, rival_name='python -c "import flask"', ratio=flask / helped,
            goal=f"<= {HELP_S} s", met=helped <= HELP_S, notes=f"an empty interpreter takes {python:.3f} s"),
        row(workload="bidhall serve in an empty folder, to its first answer", ours=served, unit="s", rival=flask,
            rival_name='python -c "import flask"', ratio=flask / served, goal=f"<= {SERVE_S} s", met=served <= SERVE_S,
            notes="tables made, two workers"),
    ]  # fmt: skip


def _python(code: str):  # type: ignore[no-untyped-def]
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def _bidhall(*words: str):  # type: ignore[no-untyped-def]
    """As the installed script starts: its own module, nothing else."""
    code = "import sys; from web.cli.main import main; sys.argv[0] = 'bidhall'; main()"
    return lambda: subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)


def free_port() -> int:
    """A port that nobody listens on, below those the system gives to outgoing connections: from among these any client may be given it
    between the servers that are to use it, and the next finds its address in use."""
    outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(outgoing.read_text().split()[0]) if outgoing.exists() else 32768
    while True:
        port = random.randrange(10240, max(first, 10241))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _first_answer() -> float:
    with disk() as folder:
        port = free_port()
        start = time.perf_counter()
        code = "import sys; from web.cli.main import main; main()"
        server = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--port", str(port)], cwd=Path(__file__).parents[1],
            env={**os.environ, "BIDHALL_DATA": str(folder / "data")}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}/", server)
            return time.perf_counter() - start
        finally:
            stop(server)


def wait_for(address: str, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Until the first answer with status 200."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.01)
    raise TimeoutError(address)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server that was started here, and nothing else."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
