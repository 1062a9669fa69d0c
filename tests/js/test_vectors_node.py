"""The same vectors in node, where there is one."""

import shutil
import subprocess

import pytest

from tests.js.serving import ROOT


@pytest.mark.long
def test_vectors() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node found: the vectors were NOT run in node (the browser run covers them)")
    done = subprocess.run(
        [node, "tests/js/run.mjs"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "webcrypto/webcrypto" in done.stdout
