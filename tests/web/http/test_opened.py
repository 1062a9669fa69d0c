"""Files of opened bids over the web: out of quarantine only when it lets them, as attachments in a sandbox, from a host of their own
that knows no cookie (promise U2; OWASP ASVS 3.2.1, 3.5.4, 5.4.2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, select
from werkzeug.test import Client

from tests.kit import opening_steps, stages
from tests.kit.clamd import speaking
from tests.kit.world import World
from tests.web.desks.rooms import PASSWORD, Person, Rooms
from trading.hall import opened_files
from trading.kernel.errors import NotReady
from trading.opening.ceremony import OpenedBid
from trading.parties import parties
from web.app import create_app
from web.http.gate import saved_as
from web.settings import Settings, read_settings

FILES = "http://files.bidhall.example"


def rooms_with(engine: Engine, folder: Path, **settings: Any) -> tuple[Rooms, str]:
    world = World(engine, folder)
    ref = str(stages.reach(world, "opened/GP", lambda w: opening_steps.open_lot(w)))
    chosen = replace(Settings(data=folder / "data", database="", blobs="", platform=world.office.platform), **settings)
    return Rooms(world, create_app(chosen, world.office)), ref


def address(rooms: Rooms, ref: str, place: int = 0) -> str:
    with rooms.world.view("clock") as view:
        bid = view.session.scalars(select(OpenedBid).order_by(OpenedBid.id)).first()
        assert bid is not None
        return f"/agency/lots/{ref}/qualification/files/{bid.id}/{place}"


@pytest.mark.promise("U2")
def test_without_a_host_of_its_own_an_attachment_in_a_sandbox(engine: Engine, tmp_path: Path) -> None:
    rooms, ref = rooms_with(engine, tmp_path)
    agent = rooms.person("agent")
    assert "未扫描" in agent.get(f"/agency/lots/{ref}/qualification").text
    answer = agent.get(address(rooms, ref))
    assert answer.status_code == 200 and answer.data.startswith(b"offerbidder")
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"____.txt\"; filename*=UTF-8''%E6%8A%95%E6%A0%87%E6%96%87%E4%BB%B6.txt"
    )
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.mimetype == "application/octet-stream"
    assert agent.get(address(rooms, ref, place=7)).status_code == 404


@pytest.mark.promise("U2")
def test_quarantine_holds_at_the_door(engine: Engine, tmp_path: Path) -> None:
    rooms, ref = rooms_with(engine, tmp_path, clamd="tcp://127.0.0.1:1")
    agent = rooms.person("agent")
    page = agent.get(f"/agency/lots/{ref}/qualification").text
    assert page.count("待扫描") == 3 and "/files/" not in page  # no link to what may not be had
    refused = agent.get(address(rooms, ref))
    assert refused.status_code == 409 and "隔离" in refused.text
    with speaking(b"stream: Eicar-Test FOUND\0", b"stream: OK\0") as scanner:
        opened_files.scan(rooms.world.office, scanner)
    page = agent.get(f"/agency/lots/{ref}/qualification").text
    assert "Eicar-Test" in page and page.count("/qualification/files/") == 2
    refused = agent.get(address(rooms, ref))
    assert refused.status_code == 409 and "Eicar-Test" in refused.text and b"offer" not in refused.data


@pytest.fixture
def apart(engine: Engine, tmp_path: Path) -> tuple[Rooms, str]:
    return rooms_with(engine, tmp_path, files_url=FILES)


def link(agent: Person, rooms: Rooms, ref: str) -> str:
    answer = agent.get(address(rooms, ref))
    assert answer.status_code == 303 and answer.headers["Referrer-Policy"] == "no-referrer"
    where = str(answer.headers["Location"])
    assert where.startswith(FILES + "/opened/")
    return where


def fetch(rooms: Rooms, where: str, method: str = "GET", **headers: str) -> Any:
    """As a browser would, that has no cookie for this host."""
    parts = urlsplit(where)
    return Client(rooms.app.wsgi_app).open(
        parts.path, method=method, base_url=f"{parts.scheme}://{parts.netloc}", headers=headers
    )


@pytest.mark.promise("U2")
def test_the_files_host_hands_out_for_a_signed_link_and_nothing_else(apart: tuple[Rooms, str]) -> None:
    rooms, ref = apart
    agent = rooms.person("agent")
    where = link(agent, rooms, ref)
    answer = fetch(rooms, where)
    assert answer.status_code == 200 and answer.data.startswith(b"offerbidder")
    assert (
        answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        and "Set-Cookie" not in answer.headers
    )
    assert (
        answer.headers["Content-Disposition"].startswith("attachment; ")
        and "filename*=UTF-8''" in answer.headers["Content-Disposition"]
    )
    head = fetch(rooms, where, "HEAD")
    assert head.status_code == 200 and not head.data
    for path in (
        "/",
        "/agency",
        "/account/sign-in?lang=en",
        "/static/css/base.css",
        "/opened/",
        "/opened/forged",
        "/opened/W10.x",
    ):
        other = fetch(rooms, FILES + path)
        assert other.status_code == 404 and "Set-Cookie" not in other.headers, path
    assert fetch(rooms, where, "POST").status_code == 405
    # the link is of no use on the platform's own host, and the files host's name opens no desk even with the cookie
    assert agent.get(urlsplit(where).path).status_code == 404
    assert agent.get("/agency", base_url=FILES).status_code == 404


@pytest.mark.promise("U2")
def test_a_link_is_for_one_file_one_sign_in_and_two_minutes(apart: tuple[Rooms, str]) -> None:
    rooms, ref = apart
    agent = rooms.person("agent")
    where = link(agent, rooms, ref)
    path = where[:-4] + ("AAAA" if not where.endswith("AAAA") else "BBBB")
    assert fetch(rooms, path).status_code == 404
    rooms.world.clock.advance(seconds=121)
    over = fetch(rooms, where)
    assert over.status_code == 410 and "失效" in over.text and "expired" in over.text
    where = link(agent, rooms, ref)
    agent.act("/account/acts/sign-out", page="/account")
    assert fetch(rooms, where).status_code == 410
    again = rooms.person("agent")
    where = link(again, rooms, ref)
    with rooms.world.office.work(rooms.world.actor("agent")) as work:
        parties.account(work.session, rooms.world.people["agent"]).disabled_at = work.now
    assert fetch(rooms, where).status_code == 410
    assert PASSWORD not in where and "agent" not in where


@pytest.mark.promise("U2")
def test_quarantine_holds_on_the_files_host_too(engine: Engine, tmp_path: Path) -> None:
    rooms, ref = rooms_with(engine, tmp_path, files_url=FILES, clamd="tcp://127.0.0.1:1")
    with speaking(b"stream: OK\0") as scanner:
        opened_files.scan(rooms.world.office, scanner)
    agent = rooms.person("agent")
    where = link(agent, rooms, ref)
    with rooms.world.office.work(rooms.world.actor("agent")) as work:
        for row in work.session.scalars(select(opened_files.OpenedFile)):
            row.state, row.finding = "infected", "Late.One"
    answer = fetch(rooms, where)
    assert answer.status_code == 409 and "Late.One" in answer.text


def test_every_download_has_its_name_from_one_place() -> None:
    """RFC 6266 and 8187 are written once, in web.http.gate.saved_as; what is shown in the browser (papers) is no download."""
    web = Path(__file__).parents[3] / "web"
    found = [
        path.relative_to(web).as_posix() for path in web.rglob("*.py") if '"Content-Disposition"' in path.read_text()
    ]
    assert sorted(found) == ["http/gate.py", "papers/printing.py"]


@pytest.mark.parametrize(
    "name, header",
    [
        ("plain.pdf", 'attachment; filename="plain.pdf"'),
        ('a"b\\c.pdf', "attachment; filename=\"a_b_c.pdf\"; filename*=UTF-8''a%22b%5Cc.pdf"),
        ("x\r\nSet-Cookie: y", "attachment; filename=\"x__Set-Cookie: y\"; filename*=UTF-8''x%0D%0ASet-Cookie%3A%20y"),
        ("报价.xlsx", "attachment; filename=\"__.xlsx\"; filename*=UTF-8''%E6%8A%A5%E4%BB%B7.xlsx"),
    ],
)
def test_names(name: str, header: str) -> None:
    from flask import Response

    assert saved_as(Response(), name).headers["Content-Disposition"] == header


@pytest.mark.parametrize(
    "name, value",
    [
        ("CLAMD", "http://x"),
        ("FILES_URL", "files.example"),
        ("FILES_URL", "https://bidhall.example"),
        ("FILES_URL", "http://files.example"),
        ("FILES_URL", "https://files.example/x"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(NotReady, match="settings.value"):
        read_settings(
            {"BIDHALL_DATA": str(tmp_path), "BIDHALL_BASE_URL": "https://bidhall.example", "BIDHALL_" + name: value}
        )


def test_the_doctor_says_how_the_scanner_is(tmp_path: Path) -> None:
    from web.cli.doctor import _scanner

    plain = Settings(data=tmp_path, database="", blobs="")
    assert [(one.code, one.level) for one in _scanner(plain)] == [("scanner", "warning")]
    assert [(one.code, one.level) for one in _scanner(replace(plain, clamd="127.0.0.1:1"))] == [
        ("scanner_down", "error")
    ]
    with speaking(b"") as there:
        (found,) = _scanner(replace(plain, clamd=f"127.0.0.1:{there.port}"))
    assert (found.code, found.level) == ("scanner", "ok") and found.what.startswith("ClamAV ")
