"""`bidhall verify page`: a served sealing page against a release, the page as a signed-in browser gets it included."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from tests.kit.commands import Desk
from tests.kit.world import World
from tests.web.desks.rooms import Rooms, open_rooms
from web.app import COOKIE
from web.cli.verify_page import _look_over
from web.release import STATIC, installed, sri

ROOT = STATIC.parent.parent


@pytest.fixture
def rooms(world: World, tmp_path: Path) -> Rooms:
    return open_rooms(world, tmp_path)


@pytest.fixture
def origin(rooms: Rooms) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, rooms.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def wheel(path: Path, change: Callable[[str, bytes], bytes] = lambda _name, data: data) -> str:
    """Templates and served files as a wheel holds them, with its record."""
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((*STATIC.rglob("*"), *(STATIC.parent / "templates").rglob("*"))):
            if file.is_file():
                name = file.relative_to(ROOT).as_posix()
                data = change(name, file.read_bytes())
                archive.writestr(name, data)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
                lines.append(f"{name},sha256={digest},{len(data)}")
        archive.writestr("bidhall-0.dist-info/RECORD", "\n".join(lines))
    return str(path)


@pytest.mark.promise("S3")
def test_a_served_page_is_the_releases_or_each_difference_is_named(
    desk: Desk, rooms: Rooms, lot: str, origin: str, tmp_path: Path
) -> None:
    bidder = rooms.person("bidder1", "bidder-signer")
    held = bidder.client.get_cookie(COOKIE)
    assert held is not None
    asked = {"Cookie": f"{COOKIE}={held.value}", "User-Agent": bidder.client.get("/").request.user_agent.string}
    signed_in = desk.write("headers", "\n".join(f"{name}: {value}" for name, value in asked.items()).encode())
    address, release = f"{origin}/bidder/lots/{lot}/seal", wheel(tmp_path / "a.whl")
    ran = desk.run("verify", "page", address, "--release", release, "--headers", signed_in, "--json")
    assert ran.code == 0, ran.out
    assert (ran.json["page"], ran.json["different"], ran.json["recorded"]) == (True, [], True)
    assert ran.json["same"] > len(installed().sealing_page())

    def other(name: str, data: bytes) -> bytes:
        return data + b"\n" if name.endswith(("js/seal_worker.js", "js/bidder_run.js")) else data

    changed = wheel(tmp_path / "b.whl", other)
    ran = desk.run("verify", "page", address, "--release", changed, "--json")
    told = {(one["state"], one["address"].removeprefix(origin)) for one in ran.json["different"]}
    assert ran.code == 1 and ran.json["page"] is None
    assert told == {("differs", f"/static/js/{name}.js") for name in ("seal_worker", "bidder_run")}
    told = {
        (one["state"], one["address"].removeprefix(origin))
        for one in desk.run("verify", "page", address, "--release", changed, "--headers", signed_in, "--json").json[
            "different"
        ]
    }
    assert ("integrity", "/static/js/bidder_run.js") in told
    here = desk.run("verify", "page", address)
    assert here.code == 0 and "not checked" in here.err and "checkout" in here.err
    chinese = desk.run("verify", "page", address, "--release", changed, "--lang", "zh")
    assert chinese.code == 1 and "内容与发布版本不同 [differs]" in chinese.out and "页面本身未核对" in chinese.err


def test_what_is_no_address_no_server_or_no_wheel_is_exit_2(desk: Desk) -> None:
    for arguments in (("ftp://x/",), ("http://127.0.0.1:9/",), ("http://127.0.0.1:9/", "--release", desk.passphrase)):
        assert desk.run("verify", "page", *arguments).code == 2, arguments


def test_what_a_page_adds_to_the_release_is_named() -> None:
    here, against = "http://h.example/bidder/lots/L/seal", installed()
    good = sri((STATIC / "js/theme.js").read_bytes())
    page = f"""<link rel="stylesheet" href="/static/css/base.css"><script src="/static/js/theme.js?v=1" integrity="{good}"></script>
      <script src="//evil.example/a.js"></script><script>leak()</script><script src="/static/js/new.js"></script>
      <script src="/static/../secret.js"></script><img src="x" onerror="leak()"><iframe src="/"></iframe><base href="//evil.example">
      <a href=" javascript:leak()">x</a><meta http-equiv="refresh" content="0">"""
    names: dict[str, str] = {}
    found = {(one.state, one.address) for one in _look_over(here, "http://h.example", page, against, names)}
    assert found == {
        ("integrity", "http://h.example/static/css/base.css"),
        ("foreign", "http://evil.example/a.js"),
        ("inline", "<script>"),
        ("foreign", "http://h.example/secret.js"),
        ("inline", "<img onerror>"),
        ("foreign", "<iframe>"),
        ("foreign", "<base>"),
        ("inline", "<a href>"),
        ("foreign", "<meta http-equiv>"),
    }
    assert names["http://h.example/static/js/new.js"] == "js/new.js"  # fetched, and told as in no release
