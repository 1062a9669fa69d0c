"""The protocol's vectors in a real browser, under the strict content policy; the sealing worker; vendored files."""

import hashlib
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.js.serving import ROOT, browser_page, static_server


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with static_server() as address, browser_page(address) as found:
        yield found


def test_vectors(page: Any) -> None:
    report = page.evaluate("window.runVectors()")
    failed = {r["name"]: r["why"] for r in report["results"] if not r["ok"]}
    assert not failed
    assert len(report["results"]) > 50
    assert report["untouched"] == [] and report["stray"] == []
    assert page.evaluate("window.violations") == []
    assert page.problems == []


@pytest.mark.parametrize(("store", "stored"), [("", "opfs"), ("blob", "blob")])
def test_worker_seals(page: Any, store: str, stored: str) -> None:
    block = bytes((i * 31) & 255 for i in range(1 << 20))
    done = page.evaluate("window.sealHere", {"megabytes": 6, "store": store})
    assert "error" not in done, done
    assert done["stored"] == stored
    assert done["size"] == done["wanted"] == done["again"]
    assert done["sha256"] == [hashlib.sha256(block * 3).hexdigest()] * 2
    assert done["phases"] == ["seal", "check"] and done["last"][1] == done["last"][2]
    assert len(done["kept"]) == (1 if stored == "opfs" else 0) and done["after"] == []


def test_worker_cancels_and_leaves_nothing(page: Any) -> None:
    done = page.evaluate("window.sealHere", {"megabytes": 64, "cancel": True})
    assert done == {"error": "AbortError", "code": 20, "leftovers": []}


def test_worker_refuses_with_a_code(page: Any) -> None:
    done = page.evaluate("window.sealHere", {"megabytes": 2, "names": ["a/b", "c"]})
    assert done == {"error": "SealedBidError", "code": "MANIFEST", "leftovers": []}


def test_worker_meets_no_policy_violation(page: Any) -> None:
    page.evaluate("window.sealHere", {"megabytes": 2})
    assert page.evaluate("window.violations") == []
    with pytest.raises(Exception, match="TrustedScriptURL"):
        page.evaluate("new Worker('/tests/js/suite_page.mjs')")


def test_vendored_files_are_the_declared_ones() -> None:
    folder = ROOT / "web/static/vendor"
    declared = tomllib.loads((folder / "VENDOR.toml").read_text("utf8"))["file"]
    ours = {"noble-curves-2.4.0.min.js", "noble-hashes-2.4.0.min.js", "tus-js-client-4.3.1.min.js"}
    assert ours <= {f["path"] for f in declared}
    for file in declared:
        data = (folder / file["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"] and len(data) == file["bytes"], file["path"]
        assert (folder / file["licence_file"]).read_text("utf8").strip()
        assert (
            b"eval(" not in data
            and b"new Function" not in data
            and b"WebAssembly" not in data
            and b"sourceMappingURL" not in data
        )
