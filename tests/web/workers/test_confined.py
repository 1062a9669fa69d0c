"""Previews by the confined converter: hostile files end in a page or a plain no within ten seconds, and the converter can reach nothing
(promise U2; OWASP ASVS 1.5.1, 5.2.3)."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.kit.hostile import page, samples
from web.workers.confined import convert as parent
from web.workers.confined.convert import REASONS, NoPreview, Page, convert

ELSEWHERE = sys.platform != "linux" or os.uname().machine != "x86_64"
pytestmark = pytest.mark.skipif(ELSEWHERE, reason="the converter is confined on x86-64 Linux, and refuses elsewhere")

TRIES = """
import ctypes, json, os, socket, sys
from web.workers.confined import child
child._warm()
granted = child.confine()
libc = ctypes.CDLL(None, use_errno=True)

def can(act):
    try:
        return act() not in (None, -1, False)
    except BaseException:
        return False

found = {
    "socket": can(lambda: socket.socket()), "unix": can(lambda: socket.socket(socket.AF_UNIX)),
    "passwd": can(lambda: os.open("/etc/passwd", os.O_RDONLY)), "own source": can(lambda: os.open(child.__file__, os.O_RDONLY)),
    "proc": can(lambda: os.open("/proc/self/environ", os.O_RDONLY)),
    "parent": can(lambda: os.open(f"/proc/{sys.argv[1]}/environ", os.O_RDONLY)),
    "write": can(lambda: os.open("/tmp/" + sys.argv[2], os.O_WRONLY | os.O_CREAT)),
    "mkdir": can(lambda: os.mkdir("/tmp/" + sys.argv[2]) or 1),
    "unlink": can(lambda: os.unlink(sys.argv[3]) or 1), "fork": can(os.fork), "exec": can(lambda: os.execv("/bin/true", ["true"])),
    "kill": can(lambda: os.kill(int(sys.argv[1]), 0) or 1), "ptrace": can(lambda: libc.ptrace(16, int(sys.argv[1]), 0, 0)),
    "stderr": can(lambda: os.write(2, b"x")), "code": can(lambda: libc.mprotect(libc.malloc(1 << 20) & ~4095, 4096, 7) == 0),
    "memory": can(lambda: bytearray(2 << 30)), "limits": can(lambda: __import__("resource").setrlimit(0, (1000, 1000)) or 1),
    "chdir": can(lambda: os.chdir("/etc") or 1), "chmod": can(lambda: os.chmod(sys.argv[3], 0o777) or 1),
    "link": can(lambda: os.link(sys.argv[3], sys.argv[3] + "x") or 1), "mount": can(lambda: libc.mount(b"x", b"/", b"tmpfs", 0, 0) == 0),
    "io_uring": can(lambda: libc.syscall(425, 8, 0)), "bpf": can(lambda: libc.syscall(321, 0, 0, 0)),
}
os.write(1, json.dumps({"granted": granted, "found": found}).encode())
os._exit(0)
"""


@pytest.mark.promise("U2")
def test_the_confined_process_can_reach_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("x")
    arguments = [str(os.getpid()), f"confined-{os.getpid()}", str(kept)]
    done = subprocess.run([sys.executable, "-c", TRIES, *arguments], cwd=ROOT, capture_output=True, env={}, timeout=60)
    told = json.loads(done.stdout)
    assert told["granted"].endswith("seccomp") and [name for name, reached in told["found"].items() if reached] == []
    assert kept.read_text() == "x" and kept.stat().st_mode & 0o777 != 0o777


class Canary(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def canary() -> Iterator[str]:
    Canary.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/canary"
    server.shutdown()
    server.server_close()


@pytest.mark.long
@pytest.mark.promise("U2")
def test_hostile_files_end_in_a_page_or_a_no_within_ten_seconds(tmp_path: Path, canary: str) -> None:
    made = samples(canary)
    assert len(made) >= 30

    def look(name: str) -> tuple[str, str, float]:
        path = tmp_path / name
        path.write_bytes(made[name])
        began = time.monotonic()
        try:
            shown = convert(path)
            assert shown.png.startswith(b"\x89PNG") or not shown.png
            told = "page" if shown.png else "text"
            assert "root:" not in shown.text  # no file of ours came along
        except NoPreview as refusal:
            told = refusal.reason
        return name, told, time.monotonic() - began

    with ThreadPoolExecutor(2) as pool:
        found = {name: (told, seconds) for name, told, seconds in pool.map(look, made)}
    assert {name: seconds for name, (_, seconds) in found.items() if seconds > 10} == {}
    told = {name: what for name, (what, _) in found.items()}
    assert set(told.values()) <= {*REASONS, "page", "text"}
    assert (
        told["good.pdf"] == told["javascript.pdf"] == told["launch.pdf"] == "page"
    )  # what is harmless in them is shown
    assert told["bomb.png"] == "too-large" and told["xxe.svg"] == told["script.html"] == "text"
    assert {told[name] for name in ("bomb.zip", "macro.docm", "template.docx", "macro.xls", "object.rtf")} == {"office"}
    assert Canary.asked == []


def shown(tmp_path: Path, name: str, data: bytes, number: int = 1) -> Page:
    path = tmp_path / name
    path.write_bytes(data)
    return convert(path, number)


def test_pages_and_texts_as_they_are(tmp_path: Path) -> None:
    from PIL import Image

    found = shown(tmp_path, "a", page(b"1 0 0 rg 0 0 300 200 re f"))
    (tmp_path / "a.png").write_bytes(found.png)
    with Image.open(tmp_path / "a.png") as image:
        image.load()
        assert found.pages == 1 and image.size == (1100, 734) and image.getpixel((500, 300)) == (255, 0, 0)
    with pytest.raises(NoPreview, match="no-page"):
        shown(tmp_path, "a", page(), 2)
    assert shown(tmp_path, "b", "报价\t一\r\n二".encode("gb18030")).text == "报价\t一\n二"
    assert shown(tmp_path, "c", samples("http://x")["bidi.txt"]).text.count("\N{REPLACEMENT CHARACTER}") == 4


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"BHP1",
        b"BHP1" + bytes(12),
        b"BHP1" + (1).to_bytes(4, "big") * 3 + b"xx",
        b"BHT1\0\0\0\x09abc",
        b"BHE1anything",
        b"\x89PNG\r\n\x1a\n",
        b"BHP1" + b"\xff" * 12 + b"x" * 30,
    ],
)
def test_a_converter_that_was_taken_over_gets_nothing_through(answer: bytes) -> None:
    with pytest.raises(NoPreview, match="damaged"):
        parent._read(answer, 1)


def test_one_that_never_ends_or_never_stops_talking_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"text")
    monkeypatch.setattr(parent, "SECONDS", 1)
    for program, reason in (
        ("while True: pass", "slow"),
        ("import os\nwhile True: os.write(1, bytes(1 << 20))", "too-large"),
    ):
        fake = tmp_path / "python"
        fake.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{program}'\n")
        fake.chmod(0o755)
        monkeypatch.setattr(parent.sys, "executable", str(fake))
        began = time.monotonic()
        with pytest.raises(NoPreview, match=reason):
            parent.convert(path)
        assert time.monotonic() - began < 8
        monkeypatch.undo()
        monkeypatch.setattr(parent, "SECONDS", 3)
