"""PDFs are set by processes of their own: equal bytes whoever sets them, in a fork too, within a time and a number at once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.house.tree import ROOT
from trading.kernel.errors import NotReady
from web.papers import typesetter
from web.papers.typesetter import Child, Typesetter

AT = datetime(2026, 3, 18, 1, 30, tzinfo=UTC)
PAPER: dict[str, Any] = {
    "draft": False,
    "title": "开标记录",
    "subject": "道路照明",
    "ref": "abc",
    "wide": False,
    "house": "沧州　阳光标厅",
    "times": "",
    "signers": [],
    "head": [["项目名称", "道路照明"], ["标段", "一"]],
    "blocks": [
        {
            "heading": "一、开标",
            "words": ["句子。"],
            "head": ["序", "投标人"],
            "rows": [["1", "甲公司"]],
            "widths": [0, 1],
            "right": [],
            "digests": [],
            "list": [],
        }
    ],
}
DIRECT = """
import json, sys, typst
from datetime import datetime
sys.stdout.buffer.write(typst.compile("web/typ/hall.typ", font_paths=["web/fonts"], ignore_system_fonts=True, format="pdf",
    timestamp=datetime.fromisoformat("2026-03-18T01:30:00+00:00"), pdf_standards="a-2u",
    sys_inputs={"data": sys.stdin.read()}))
"""
FORKED = """
import os, sys
from tests.web.papers.test_typesetter import AT, PAPER
from web.papers.typesetter import SETTER
mine = SETTER.compile("hall.typ", PAPER, at=AT, standard="a-2u")
pid = os.fork()
if pid == 0:
    os._exit(0 if SETTER.compile("hall.typ", PAPER, at=AT, standard="a-2u") == mine else 3)
assert os.waitpid(pid, 0)[1] == 0
assert SETTER.compile("hall.typ", PAPER, at=AT, standard="a-2u") == mine  # the fork left the children of this process alone
assert "typst" not in sys.modules
"""


def compile_one(setter: Typesetter, data: Any = PAPER) -> bytes:
    return setter.compile("hall.typ", data, at=AT, standard="a-2u")


def test_the_bytes_are_those_of_the_setter_itself() -> None:
    setter = Typesetter()
    first = compile_one(setter)
    compile_one(setter, PAPER | {"draft": True})
    again = compile_one(setter)
    setter.close()
    direct = subprocess.run(
        [sys.executable, "-c", DIRECT],
        cwd=ROOT,
        input=json.dumps(PAPER, ensure_ascii=False).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout
    assert first == again == direct and first.startswith(b"%PDF-")


def test_a_fork_of_a_process_that_has_set_a_paper_sets_papers_too() -> None:
    assert subprocess.run([sys.executable, "-c", FORKED], cwd=ROOT, timeout=60).returncode == 0


def test_a_template_that_cannot_be_set_and_a_child_that_dies_are_told_and_harm_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setter = Typesetter()
    with pytest.raises(NotReady, match=r"paper\.failed"):
        compile_one(setter, {"title": "without the rest"})
    kept = compile_one(setter)
    setter._idle[0]._process.kill()
    setter._idle[0]._process.wait()
    assert compile_one(setter) == kept  # the kept child was gone: another one answered
    setter.close()
    monkeypatch.setattr(typesetter, "COMMAND", [sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(NotReady, match=r"paper\.failed"):
        compile_one(setter)


def test_nobody_waits_without_end_and_no_child_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    never = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    monkeypatch.setattr(typesetter, "COMMAND", [sys.executable, "-c", never])
    monkeypatch.setattr(typesetter, "SECONDS", 1.5)
    with pytest.raises(NotReady, match=r"paper\.slow"):
        compile_one(Typesetter())
    assert not Path(f"/proc/{mark.read_text()}").exists()


def test_more_than_the_places_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, leave = threading.Semaphore(0), threading.Event()

    def wait(_child: Child, _job: bytes, _until: float) -> bytes:
        inside.release()
        assert leave.wait(30)
        return b"%PDF-"

    monkeypatch.setattr(Child, "ask", wait)
    monkeypatch.setattr(typesetter, "TURN_SECONDS", 0.01)
    setter = Typesetter()
    threads = [threading.Thread(target=compile_one, args=[setter]) for _ in range(typesetter.CHILDREN)]
    for thread in threads:
        thread.start()
        assert inside.acquire(timeout=30)
    with pytest.raises(NotReady, match=r"paper\.busy"):
        compile_one(setter)
    leave.set()
    for thread in threads:
        thread.join()
    assert compile_one(setter) == b"%PDF-"
    setter.close()
