"""The processes of the watch: probes over a real line, a beacon that outlives its database, a drop that tells nothing, a lasting page."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import create_engine, func, select

from crypto import drops
from crypto.canonical import b64u, unb64u
from crypto.errors import CryptoError
from crypto.keys import ed25519_public, new_secret
from crypto.signatures import payload_of, sign
from tests.kit import sealing, stages
from tests.kit.rows import unchanged
from tests.kit.server import LiveServer
from tests.kit.world import World
from tests.trading.availability.test_deadline_faults import twins
from trading.availability import probes
from trading.bidding import drop_tickets
from trading.bidding.drop_tickets import DropTicket
from trading.kernel import log
from trading.kernel.clock import SetClock
from trading.kernel.errors import NotReady
from trading.tendering.tenders import Lot
from web.settings import Settings, read_settings
from web.workers.watch import beacon, drop, facts, keeper, probing, process, status, taking
from web.workers.watch.probing import Probe

DIGEST = b64u(b"\x07" * 32)


@pytest.fixture
def world(engine: Any, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def a_probe(server: LiveServer, tmp_path: Path, secret: bytes, point: str = "inside", *, on_duty: bool = True) -> Probe:
    if on_duty:
        with server.world.work("clock") as work:
            probes.keep_duties(work, {point: b64u(ed25519_public(secret))})
    office = server.office
    return Probe(
        server.url, point, secret, office.platform, server.world.clock, tmp_path / f"{point}.jsonl", office.keys.public
    )


def refused(address: str, body: bytes) -> int:
    """The status of a refusal."""
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(address, data=body), timeout=10)
    with caught.value as answer:
        return int(answer.code)


# --- probes -----------------------------------------------------------------------------------------------------------


def test_a_probe_goes_the_way_of_a_bid_and_leaves_nothing_of_one(live_server: LiveServer, tmp_path: Path) -> None:
    one = a_probe(live_server, tmp_path, new_secret())
    with unchanged(live_server.world, without=("probe_point", "probe_sample", "rate_count")):
        result = one.once(live_server.world.now)
        assert (result.code, result.offset_ms) == ("", 0) and 0 < result.ms < 30_000
        one.note(result)
        assert one.tell() == 1 and one.tell() == 0
    with live_server.world.view("clock") as view:
        [kept] = view.session.scalars(select(probes.ProbeSample))
        assert (kept.point, kept.ok, kept.code) == ("inside", True, "")
        assert probes.point(view.session, "inside").beat_at == live_server.world.now
    assert list((live_server.office.blobs.folder / "probes").iterdir()) == [], "the test bid is forgotten"


def test_a_probe_says_what_failed(live_server: LiveServer, tmp_path: Path) -> None:
    one = a_probe(live_server, tmp_path, new_secret(), on_duty=False)
    assert one.once(live_server.world.now).code == "HTTP 403"
    nowhere = Probe("http://127.0.0.1:9", "inside", new_secret(), "x", live_server.world.clock, tmp_path / "n.jsonl")
    assert nowhere.once(live_server.world.now).code == "URLError"
    good = a_probe(live_server, tmp_path, new_secret(), "north")
    good.data = good.data[:-1] + bytes([good.data[-1] ^ 1])  # a byte lost its bit on the way: the root is another
    assert good.once(live_server.world.now).code == "HTTP 422"
    forged = Probe(
        live_server.url,
        "north",
        good.secret,
        live_server.office.platform,
        live_server.world.clock,
        tmp_path / "f.jsonl",
        ed25519_public(new_secret()),
    )
    assert forged.once(live_server.world.now).code == "SIG", "a receipt of somebody else is no receipt"


def test_what_could_not_be_told_is_told_after_a_restart(live_server: LiveServer, tmp_path: Path) -> None:
    secret = new_secret()
    one = a_probe(live_server, tmp_path, secret)
    base, one.base = one.base, "http://127.0.0.1:9"
    for n in range(3):
        one.note(one.once(live_server.world.now - timedelta(seconds=10 * n)))
    with pytest.raises(OSError):
        one.tell()
    again = Probe(
        base, "inside", secret, live_server.office.platform, live_server.world.clock, tmp_path / "inside.jsonl"
    )
    assert again.tell() == 3
    with live_server.world.view("clock") as view:
        assert [s.ok for s in view.session.scalars(select(probes.ProbeSample))] == [False] * 3


Wrong = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d | {"platform": "elsewhere"},
        lambda d: d | {"at": "2020-01-01T00:00:00Z"},
        lambda d: d | {"point": "west"},
        lambda d: d | {"more": 1},
        lambda d: {k: v for k, v in d.items() if k != "root"},
        lambda d: d | {"step": "submit"},
    ],
)
def test_the_door_takes_only_what_a_point_on_duty_signed(
    live_server: LiveServer, tmp_path: Path, change: Wrong
) -> None:
    one = a_probe(live_server, tmp_path, new_secret())
    document = json.loads(payload_of(one._step("announce", "")))
    door = one.base + "/probe/acts"
    assert refused(door, json.dumps(sign(probing.STEP, change(document), one.secret)).encode()) == 403
    for body in (b"{}", b"[1]", b"\xff", json.dumps(sign("probe-samples", document, one.secret)).encode()):
        assert refused(door, body) == 403


# --- beacon and status ------------------------------------------------------------------------------------------------


def broken(world: World) -> Any:
    return replace(world.office, engine=create_engine("sqlite:////nowhere/at/all.db"))


def test_the_last_beacon_stands_when_the_database_is_gone(world: World, tmp_path: Path) -> None:
    stages.bid(world)
    one = beacon.Beacon(world.office, tmp_path)
    assert one.turn() and not one.turn()
    first = json.loads(one.text)
    key = str(log.log_key(world.office.platform, world.office.keys))
    checkpoint, seen = beacon.check(first, key)
    with world.view("clock") as view:
        assert checkpoint.size == log.size(view) and seen.startswith("2026-")
    world.tick()
    assert one.turn() and json.loads(one.text) != first
    dead = beacon.Beacon(broken(world), tmp_path)
    assert not dead.turn() and dead.text == one.text
    stop = threading.Event()
    ports: list[int] = []
    thread = threading.Thread(target=dead.run, args=("127.0.0.1", 0, stop, ports.append), daemon=True)
    thread.start()
    while not ports:
        stop.wait(0.01)
    with urlopen(f"http://127.0.0.1:{ports[0]}/", timeout=10) as answer:
        assert answer.read() == one.text
    stop.set()
    thread.join(5)
    with pytest.raises(CryptoError):
        beacon.check(
            json.loads(one.text),
            str(log.log_key(world.office.platform, type(world.office.keys)(new_secret(), new_secret()))),
        )
    forged = json.loads(one.text)
    forged["key"] = b64u(ed25519_public(new_secret()))
    with pytest.raises(CryptoError):
        beacon.check(forged, key)


def test_the_status_page_goes_on_without_a_database_and_escapes_what_it_shows(world: World, tmp_path: Path) -> None:
    world.lot("BIDDING", title="<b>多媒体</b>")
    with world.work("clock") as work:
        probes.keep_duties(work, {"inside": b64u(ed25519_public(new_secret()))})
    with world.view("clock") as view:
        lot = view.session.scalars(select(Lot)).one()
        assert lot.deadline is not None
        world.clock.set(lot.deadline - timedelta(hours=1))
    one = status.Status(world.office, tmp_path)
    told = one.turn()
    assert told["database_answers"] and told["platform"]["windows"][0]["bad"] == 179, (
        "nothing came from the point on duty: all bad"
    )
    assert (told["platform"]["windows"][0]["measured"], told["platform"]["windows"][0]["unmeasured"]) == (179, 0)
    page = (one.folder / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;多媒体" in page and "<b>多媒体" not in page and "<script" not in page and "style=" not in page
    dead = status.Status(broken(world), tmp_path)
    later = dead.turn()
    assert not later["database_answers"] and later["platform"] == json.loads(json.dumps(told["platform"]))
    assert "最后数据" in (dead.folder / "index.html").read_text(encoding="utf-8")


@pytest.mark.promise("S1")
def test_the_status_is_the_same_whoever_bids(world: World) -> None:
    refs = twins(world)
    with world.view("clock") as view:
        deadline = world.lot_in(view, refs[0]).deadline
    assert deadline is not None
    world.clock.set(deadline - timedelta(minutes=30))
    with world.view("clock") as view:
        empty, full = facts.gather(view)["windows"]
    assert (empty.pop("lot"), full.pop("lot")) == refs and empty == full
    assert empty["measured"] == 0 and empty["unmeasured"] == 209, "nobody is on duty: that is no praise"


# --- drop -------------------------------------------------------------------------------------------------------------


def test_a_digest_gets_one_ticket_that_outlives_the_process_and_is_taken_over_once(
    world: World, tmp_path: Path
) -> None:
    secret = world.keys["bidder1"].sign
    clock = SetClock(world.now)
    one = drop.Drop(world.office.platform, tmp_path, clock)
    ticket = one.leave(drops.make_digest(world.office.platform, DIGEST, secret), "10.0.0.1")
    clock.advance(minutes=5)
    assert one.leave(drops.make_digest(world.office.platform, DIGEST, secret), "10.0.0.2") == ticket
    again = drop.Drop(world.office.platform, tmp_path, clock)
    assert again.leave(drops.make_digest(world.office.platform, DIGEST, secret), "10.0.0.3") == ticket
    found = drops.open_ticket(json.loads(ticket), unb64u(one.public), world.office.platform)
    assert found.digest == DIGEST and found.at == world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (tmp_path / "watch" / "drop.jsonl").stat().st_mode & 0o077 == 0
    with (tmp_path / "watch" / "drop.jsonl").open("ab") as out:
        out.write(b'{"payload": "cut')  # a crash in the middle of a line: it was never answered
    for _ in range(2):
        taking._seen.clear()
        assert taking.take_over(world.office, tmp_path) == 0
    with world.view("clock") as view:
        assert view.session.scalar(select(func.count()).select_from(DropTicket)) == 1
    with world.view("bidder1", sealing.SIGNER) as view:
        assert [row.digest for row in drop_tickets.own(view)] == [DIGEST]
    with world.view("bidder2", sealing.SIGNER) as view:
        assert drop_tickets.own(view) == []


def test_the_drop_refuses_what_is_not_signed_for_it_and_slows_down_who_asks_too_often(tmp_path: Path) -> None:
    clock = SetClock(datetime(2026, 3, 2, tzinfo=UTC))
    one = drop.Drop("bidhall.test", tmp_path, clock)
    secret = new_secret()
    good = drops.make_digest("bidhall.test", DIGEST, secret)
    wrongs: tuple[Any, ...] = (
        {},
        [],
        good | {"key": b64u(ed25519_public(new_secret()))},
        drops.make_digest("elsewhere", DIGEST, secret),
        {
            "key": good["key"],
            "signed": sign("submission", {"v": 1, "platform": "bidhall.test", "digest": DIGEST}, secret),
        },
        {
            "key": good["key"],
            "signed": sign(drops.DIGEST, {"v": 1, "platform": "bidhall.test", "digest": "AA"}, secret),
        },
    )
    for wrong in wrongs:
        with pytest.raises(CryptoError):
            one.leave(wrong, "10.0.0.1")
    for n in range(drop.BY_KEY):
        one.leave(drops.make_digest("bidhall.test", b64u(n.to_bytes(32, "big")), secret), "10.0.0.1")
    with pytest.raises(drop.Full):
        one.leave(good, "10.0.0.1")
    clock.advance(minutes=61)
    assert one.leave(good, "10.0.0.1")
    ticket = json.loads(one.leave(good, "10.0.0.1"))
    with pytest.raises(CryptoError):
        drops.open_ticket(ticket, ed25519_public(new_secret()), "bidhall.test")


def test_the_drop_speaks_http_with_a_file_or_with_json(tmp_path: Path) -> None:
    one = drop.Drop("bidhall.test", tmp_path, SetClock(datetime(2026, 3, 2, tzinfo=UTC)))
    stop = threading.Event()
    ports: list[int] = []
    thread = threading.Thread(target=one.run, args=("127.0.0.1", 0, stop, ports.append), daemon=True)
    thread.start()
    while not ports:
        stop.wait(0.01)
    base = f"http://127.0.0.1:{ports[0]}/"
    body = json.dumps(drops.make_digest("bidhall.test", DIGEST, new_secret())).encode()
    with urlopen(Request(base, data=body, headers={"Content-Type": "application/json"}), timeout=10) as answer:
        first = answer.read()
        assert "attachment" in answer.headers["Content-Disposition"]
    form = b'--x\r\nContent-Disposition: form-data; name="digest"; filename="d.json"\r\n\r\n' + body + b"\r\n--x--\r\n"
    with urlopen(
        Request(base, data=form, headers={"Content-Type": "multipart/form-data; boundary=x"}), timeout=10
    ) as answer:
        assert answer.read() == first
    for wrong, code in ((b"nonsense", 422), (b"x" * 20_000, 413)):
        assert refused(base, wrong) == code
    with urlopen(base, timeout=10) as answer:
        assert (
            "摘要寄存" in answer.read().decode() and "default-src 'none'" in answer.headers["Content-Security-Policy"]
        )
    stop.set()
    thread.join(5)


# --- the processes ----------------------------------------------------------------------------------------------------


def test_one_of_a_kind_per_data_folder(tmp_path: Path) -> None:
    assert not process.running(tmp_path, "beacon")
    with process.alone(tmp_path, "beacon"):
        assert process.running(tmp_path, "beacon") and not process.running(tmp_path, "drop")
        with pytest.raises(NotReady, match=r"watch\.running"), process.alone(tmp_path, "beacon"):
            pass
    assert not process.running(tmp_path, "beacon")


def test_the_keeper_starts_again_what_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "PAUSE", 0)
    one = keeper.Keeper([("--version",)])
    one.turn()
    first = one.running[0]
    assert first.wait(60) == 0
    one.turn()
    assert one.running[0].pid != first.pid
    one.end()
    assert one.running[0].poll() is not None


def test_outside_points_are_named_in_the_settings(tmp_path: Path) -> None:
    key = b64u(ed25519_public(new_secret()))
    found = read_settings(
        {
            "BIDHALL_DATA": str(tmp_path),
            "BIDHALL_PROBES": f"south={key}, north={key}",
            "BIDHALL_DROP_URL": "https://d.example/",
        }
    )
    assert found.probes == (("north", key), ("south", key)) and found.drop_url == "https://d.example"
    for wrong in ("inside=" + key, "north", "North=" + key, f"a={key},a={key}", "north=short"):
        with pytest.raises(NotReady, match=r"settings\.value"):
            read_settings({"BIDHALL_DATA": str(tmp_path), "BIDHALL_PROBES": wrong})
    assert isinstance(found, Settings)
