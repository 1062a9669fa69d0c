"""The mirror: takes only what the platform signed and only bytes of the named root, tells nobody anything, survives being killed."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crypto import mirror, sealed_bid
from crypto.canonical import b64u, loads, unb64u
from crypto.errors import CryptoError
from crypto.headers import CHUNK, TAG
from crypto.keys import ed25519_public, new_secret
from crypto.mirror import Facts
from crypto.opening import make_opening_set
from crypto.signatures import payload_of, sign, to_text
from tests.crypto.ceremony import policy_of
from tests.kit import sealing
from tests.kit.commands import Desk
from tests.kit.mirror import enrol_mirror, mirror_beside
from tests.kit.world import World
from trading.bidding import copies
from trading.bidding.copies import LineDown, MirrorCopy
from trading.kernel.clock import FileClock, SetClock
from web.workers.mirror.line import Line
from web.workers.mirror.server import HEADER, Mirror
from web.workers.mirror.store import Behind, Store
from web.workers.watch.keeper import command

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
AT = "2026-03-10T02:00:00Z"
SECRET = b"\x07" * 32
POLICY = policy_of()


@pytest.fixture
def world(engine: Any, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def a_bid(size: int = 100, bidder: str = "b", kind: str = "files") -> tuple[bytes, Facts]:
    """A sealed file and what a mirror is told of it."""
    out = io.BytesIO()
    made = sealed_bid.seal(
        POLICY, bidder=bidder, announce={}, out=out, files=[sealed_bid.FileIn("a", size, io.BytesIO(os.urandom(size)))]
    )
    return out.getvalue(), Facts(
        "example", "T", "1", "price", b64u(made.header.header_hash), b64u(made.sealed_root), made.size, kind
    )


@contextmanager
def serving(store: Store, clock: Any = None) -> Iterator[int]:
    stop, ready, port = threading.Event(), threading.Event(), []
    served = Mirror(store, "example", [ed25519_public(SECRET)], clock or SetClock(NOW))

    def on_ready(real: int) -> None:
        port.append(real)
        ready.set()

    thread = threading.Thread(target=served.run, args=("127.0.0.1", 0, stop, on_ready), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield port[0]
    finally:
        stop.set()
        thread.join(10)


def a_line(port: int, store: Store, secret: bytes = SECRET) -> Line:
    return Line(f"http://127.0.0.1:{port}", store.public, "example", secret, SetClock(NOW))


def post(port: int, path: str, request: Any, body: bytes = b"") -> tuple[int, bytes]:
    line = HTTPConnection("127.0.0.1", port, timeout=10)
    text = request if isinstance(request, str) else base64.urlsafe_b64encode(to_text(request).encode()).decode()
    try:
        line.request("POST", path, body=body, headers={HEADER: text} if text else {})
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def nonce() -> str:
    return b64u(os.urandom(16))


# --- what is taken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 3 * CHUNK])
def test_a_sealed_file_comes_whole_and_comes_back(tmp_path: Path, size: int) -> None:
    store, (data, facts) = Store(tmp_path), a_bid(size)
    with serving(store) as port:
        line = a_line(port, store)
        line.ping()
        ack = line.deliver(facts, io.BytesIO(data))
        said = mirror.check_ack(ack, facts, [store.public])
        assert (said["at"], said["kind"], said["sealed_root"]) == (AT, "files", facts.sealed_root)
        assert line.deliver(facts, io.BytesIO(b"")) == ack, "asked again it gives the first answer and wants no bytes"
        assert b"".join(line.fetch(facts)) == data
        folder = store.folder(facts)
        assert (
            b"".join(unb for unb in [(folder / "pieces").read_bytes()])[:32]
            == hashlib.sha256((folder / "head").read_bytes()).digest()
        )
        assert facts.header_hash not in str(folder) and folder.stat().st_mode & 0o077 == 0


def test_digests_are_held_to_the_root(tmp_path: Path) -> None:
    store, (data, facts) = Store(tmp_path), a_bid(2 * CHUNK, kind="digests")
    with serving(store) as port:
        line = a_line(port, store)
        mirror.check_ack(line.deliver(facts, io.BytesIO(data)), facts, [store.public])
        assert store.open(facts) is None
        with pytest.raises(LineDown, match="404"):
            list(line.fetch(facts))
        other, wrong = a_bid(2 * CHUNK, kind="digests")
        with pytest.raises(LineDown, match="422"):
            line.deliver(replace(wrong, sealed_root=facts.sealed_root), io.BytesIO(other))


def test_a_transfer_cut_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    store, (data, facts) = Store(tmp_path), a_bid(3 * CHUNK)

    class Cut(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > CHUNK:
                raise OSError("the line is cut")
            return super().read(70_000)

    sent = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            sent.append(len(piece))
            return piece

    with serving(store) as port:
        line = a_line(port, store)
        with pytest.raises(LineDown):
            line.deliver(facts, Cut(data))
        for _ in range(200):
            if CHUNK < store.have(facts) < len(data):
                break
            time.sleep(0.02)
        have = store.have(facts)
        mirror.check_ack(line.deliver(facts, Watched(data)), facts, [store.public])
        assert sum(sent) == len(data) - have < len(data)


@given(flip=st.integers(0, 10**9), data=st.data())
def test_other_bytes_are_never_acknowledged(tmp_path_factory: pytest.TempPathFactory, flip: int, data: Any) -> None:
    """A flipped bit anywhere, a byte too few or too many, or an offset that is not the end: no acknowledgement, nothing kept."""
    good, facts = a_bid(1000)
    store = Store(tmp_path_factory.mktemp("m"))
    bad = bytearray(good)
    bad[flip % len(bad)] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CryptoError):
        store.take(facts, 0, [bytes(bad)], at=AT)
    assert store.ack(facts) is None and store.open(facts) is None and store.have(facts) == 0
    assert store.take(facts, 0, [good[:-1]], at=AT) is None
    with pytest.raises(CryptoError):
        store.take(facts, len(good) - 1, [good[-1:] + b"x"], at=AT)
    with pytest.raises(Behind):
        store.take(facts, 7, [good[7:]], at=AT)
    assert store.take(facts, 0, [good], at=AT) is not None


@pytest.mark.parametrize(
    "change", [{"header_hash": "x"}, {"tender": "U"}, {"lot": "2"}, {"envelope": "bid"}, {"size": 1}]
)
def test_bytes_of_another_bid_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    store, (data, facts) = Store(tmp_path), a_bid()
    if "header_hash" in change:
        change = {"header_hash": a_bid()[1].header_hash}
    with pytest.raises(CryptoError):
        store.take(replace(facts, **change), 0, [data], at=AT)


# --- who is heard -----------------------------------------------------------------------------------------------------


def test_everybody_but_the_platform_gets_the_same_no(tmp_path: Path) -> None:
    store, (data, facts) = Store(tmp_path), a_bid()
    with serving(store) as port:
        a_line(port, store).deliver(facts, io.BytesIO(data))
        good = mirror.make_request("state", facts, SECRET, at=AT, nonce=nonce())
        value = loads(payload_of(good))
        asked: list[tuple[str, Any]] = [
            ("/v1/state", ""),
            ("/v1/state", "AAAA"),
            ("/v1/state", "\x7f"),
            ("/v1/state", mirror.make_request("state", facts, new_secret(), at=AT, nonce=nonce())),
            ("/v1/fetch", good),
            ("/v1/nothing", good),
            ("/", good),
            ("/v1/state", mirror.make_request("state", facts, SECRET, at="2026-03-10T01:57:59Z", nonce=nonce())),
            ("/v1/state", mirror.make_request("state", facts, SECRET, at="2026-03-10T02:02:01Z", nonce=nonce())),
            ("/v1/state", mirror.make_request("state", replace(facts, platform="other"), SECRET, at=AT, nonce=nonce())),
            ("/v1/state", sign("submission", value, SECRET)),
            ("/v1/state", sign(mirror.REQUEST, value | {"more": 1}, SECRET)),
            ("/v1/state", sign(mirror.REQUEST, value | {"nonce": "short"}, SECRET)),
            ("/v1/state", sign(mirror.REQUEST, {k: v for k, v in value.items() if k != "body"}, SECRET)),
        ]
        assert {post(port, path, request) for path, request in asked} == {(403, b"")}
        status, told = post(port, "/v1/state", good)
        assert status == 200 and json.loads(told)["have"] == len(data)
        assert post(port, "/v1/state", good) == (403, b""), "a request counts once"
        other = mirror.make_request("ping", mirror.nobody("example"), SECRET, at=AT, nonce=nonce(), body=b"one")
        assert post(port, "/v1/ping", other, b"two")[0] == 422


def test_an_answer_of_somebody_else_is_no_answer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with serving(store) as port:
        line = a_line(port, store)
        line.key = ed25519_public(new_secret())
        with pytest.raises(LineDown):
            line.ping()
    with pytest.raises(LineDown):
        a_line(port, store).ping()
    with pytest.raises(CryptoError):
        mirror.check_pong(
            mirror.make_pong("example", nonce(), SECRET, at=AT), "example", nonce(), ed25519_public(SECRET)
        )


@pytest.mark.promise("S1")
def test_a_mirror_with_bids_and_one_without_answer_strangers_and_pings_alike(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = []
    for number in (0, 3):
        store = Store(tmp_path / str(number))
        with serving(store) as port:
            for _ in range(number):
                data, facts = a_bid()
                a_line(port, store).deliver(facts, io.BytesIO(data))
            strange = a_bid()[1]
            asked = mirror.make_request("ping", mirror.nobody("example"), SECRET, at=AT, nonce=b64u(bytes(16)))
            unknown = mirror.make_request("fetch", strange, SECRET, at=AT, nonce=nonce())
            status, body = post(port, "/v1/ping", asked)
            told.append(
                (
                    status,
                    loads(payload_of(json.loads(body))),
                    post(port, "/v1/fetch", unknown),
                    post(port, "/v1/state", ""),
                )
            )
    assert told[0] == told[1]
    assert capfd.readouterr() == ("", "")


# --- random pieces ----------------------------------------------------------------------------------------------------


def test_the_mirror_chooses_the_pieces_once_and_names_what_is_missed(tmp_path: Path) -> None:
    store, (data, facts) = Store(tmp_path), a_bid(5 * CHUNK, kind="digests")
    header = sealed_bid.read_header(io.BytesIO(data))
    with serving(store) as port:
        line = a_line(port, store)
        with pytest.raises(LineDown, match="404"):
            line.prove(facts, header, io.BytesIO(data))
        line.deliver(facts, io.BytesIO(data))
        first = store.challenge(facts, at=AT)
        assert first == store.challenge(facts, at=AT), "nobody asks until the pieces suit him"
        good = mirror.open_answer(mirror.CHECK, line.prove(facts, header, io.BytesIO(data)), facts, [store.public])
        assert good["missed"] == [] and good["pieces"] == list(range(7))  # all of so few
        for name, given, missed in (
            ("lost", None, list(range(7))),
            ("one byte of the third chunk", flipped(data, len(data) - 2 * (CHUNK + TAG) - 5), [4]),
            ("cut", data[:-16], [6]),  # what is not there counts as zeros: one byte alone may have been one
        ):
            told = line.prove(facts, header, io.BytesIO(given) if given is not None else None)
            found = mirror.open_answer(mirror.CHECK, told, facts, [store.public])
            assert found["missed"] == missed, name
        with pytest.raises(CryptoError):
            mirror.open_answer(mirror.CHECK, told, a_bid()[1], [store.public])


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@given(count=st.integers(1, 300), seed=st.integers(0, 2**32))
def test_pieces_are_distinct_and_thirty_two_or_all(count: int, seed: int) -> None:
    import random

    chosen = mirror.choose_pieces(count, random.Random(seed).randrange)
    assert (
        len(set(chosen)) == len(chosen) == min(32, count)
        and chosen == sorted(chosen)
        and set(chosen) <= set(range(count))
    )


# --- after the opening ------------------------------------------------------------------------------------------------


def a_set(*facts: Facts, at: str = AT, secret: bytes = SECRET) -> Any:
    rows = [
        {"entry": b64u(os.urandom(32)), "header_hash": one.header_hash, "statement": b64u(os.urandom(32))}
        for one in facts
    ]
    rows.sort(key=lambda row: unb64u(row["header_hash"]))
    return sign("opening-set", make_opening_set(POLICY, at=at, deadline_entry=bytes(32), bids=rows), secret)


def test_only_what_the_published_set_leaves_out_is_forgotten(tmp_path: Path) -> None:
    store, (stays, kept), (goes, gone) = Store(tmp_path), a_bid(), a_bid()
    with serving(store) as port:
        line = a_line(port, store)
        for data, facts in ((stays, kept), (goes, gone)):
            line.deliver(facts, io.BytesIO(data))
        right = a_set(kept)
        for wrong in (a_set(kept, secret=new_secret()), sign("opened", loads(payload_of(right)), SECRET)):
            with pytest.raises(LineDown, match="422"):
                line.forget(gone, wrong)
        with pytest.raises(LineDown, match="422"):
            line.forget(replace(gone, lot="2"), right)
        assert (store.folder(gone) / "sealed").exists()
        line.forget(gone, right)
        line.forget(gone, right)
        assert store.open(gone) is None and (store.folder(gone) / "pieces").exists() and store.ack(gone) is not None
        with pytest.raises(LineDown, match="422"):
            line.forget(kept, right)
        with pytest.raises(LineDown, match="422"):
            line.forget(kept, a_set(gone, at="2026-03-10T02:00:01Z"))  # another set: kept, as evidence
        assert b"".join(line.fetch(kept)) == stays
        assert len(list((tmp_path / "sets").iterdir())) == 2


def test_an_export_gives_the_files_of_a_published_set_alone(tmp_path: Path) -> None:
    desk, store = Desk(tmp_path), Store(tmp_path / "m")
    (one, first), (_, missing), (other, outside) = a_bid(), a_bid(), a_bid()
    store.take(first, 0, [one], at=AT)
    store.take(outside, 0, [other], at=AT)
    key = b64u(ed25519_public(SECRET))
    path = desk.write("set.json", a_set(first, missing))
    ran = desk.run(
        "mirror",
        "export",
        "--data",
        desk.path("m"),
        "--set",
        path,
        "--platform-key",
        key,
        "-o",
        desk.path("out"),
        "--json",
    )
    assert ran.code == 0 and ran.json["written"] == [first.header_hash] and ran.json["missing"] == [missing.header_hash]
    assert (tmp_path / "out" / "bids" / first.header_hash / "sealed").read_bytes() == one
    assert not (tmp_path / "out" / "bids" / outside.header_hash).exists()
    (tmp_path / "out" / "bids" / first.header_hash / "sealed").write_bytes(b"mine")
    again = desk.run(
        "mirror",
        "export",
        "--data",
        desk.path("m"),
        "--set",
        path,
        "--platform-key",
        key,
        "-o",
        desk.path("out"),
        "--json",
    )
    assert again.json["kept"] == [first.header_hash]
    forged = desk.write("forged.json", a_set(first, secret=new_secret()))
    assert (
        desk.run(
            "mirror", "export", "--data", desk.path("m"), "--set", forged, "--platform-key", key, "-o", desk.path("o2")
        ).code
        == 1
    )


# --- a process of its own ---------------------------------------------------------------------------------------------


def start(data: Path, world: World, clock: Path, *, fault: str = "") -> tuple[subprocess.Popen[bytes], int]:
    """A real mirror process on a free port, under the world's clock."""
    data.mkdir(exist_ok=True)
    (data / "rehearsal").touch()
    words = [
        "mirror",
        "serve",
        "--data",
        str(data),
        "--platform",
        world.office.platform,
        "--port",
        "0",
        "--platform-key",
        b64u(world.office.keys.public),
    ]
    env = {**os.environ, "BIDHALL_TEST_CLOCK": str(clock), **({"BIDHALL_TEST_FAULT": fault} if fault else {})}
    child = subprocess.Popen(command(*words), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env)
    assert child.stderr is not None
    line = child.stderr.readline().decode()
    assert "mirror of" in line, line
    return child, int(line.rsplit(":", 1)[1])


@pytest.mark.long
@pytest.mark.promise("R3")
@pytest.mark.parametrize(
    "point", ["mirror.piece:kill@3", "mirror.whole:kill@1", "mirror.named:kill@1", "mirror.acknowledged:kill@1"]
)
def test_killed_in_the_middle_of_a_transfer_it_resumes_and_acknowledges_once(
    world: World, tmp_path: Path, point: str
) -> None:
    """The platform's own rows and log on one side, a mirror process on the other; the process dies at every step that could tear."""
    data, clock = tmp_path / "mirror", tmp_path / "clock"
    FileClock(clock).set(world.now)
    store = Store(data)
    enrol_mirror(world, store.secret)
    child, port = start(data, world, clock, fault=point)

    def line(port: int) -> Line:
        return Line(
            f"http://127.0.0.1:{port}", store.public, world.office.platform, world.office.keys.signing, world.clock
        )

    world.office, world.mirror_mode = replace(world.office, mirror=line(port)), "files"
    try:
        ref = world.lot("BIDDING")
        world.take_part(ref)
        sealing.open_for_bids(world, ref)
        FileClock(clock).set(world.now)
        made = sealing.seal(world, ref, "bidder1", data=os.urandom(3 * CHUNK))
        assert sealing.hand_in(world, ref, "bidder1", *made).accepted
        copies.send_due(world.office)
        assert child.wait(20) == -9
        assert child.stderr is not None
        child.stderr.close()
        assert row_of(world).c is None
        world.clock.advance(seconds=20)
        FileClock(clock).set(world.now)
        copies.send_due(world.office)  # nobody is there
        assert row_of(world).c is None
        child, port = start(data, world, clock)
        world.office = replace(world.office, mirror=line(port))
        world.clock.advance(seconds=40)
        FileClock(clock).set(world.now)
        copies.send_due(world.office)
        assert row_of(world).c
        [folder] = (data / "bids").iterdir()
        assert (folder / "sealed").read_bytes() == made[0] and not (folder / "part").exists()
    finally:
        child.terminate()
        child.wait(10)
        assert child.stderr is not None
        child.stderr.close()


def row_of(world: World) -> MirrorCopy:
    with world.view("clock") as view:
        return view.session.scalars(select(MirrorCopy)).one()


def test_a_mirror_with_faults_or_a_moved_clock_starts_only_for_a_rehearsal(tmp_path: Path) -> None:
    words = [
        "mirror",
        "serve",
        "--data",
        str(tmp_path / "m"),
        "--platform",
        "x",
        "--port",
        "0",
        "--platform-key",
        b64u(ed25519_public(SECRET)),
    ]
    for name, value in (("BIDHALL_TEST_CLOCK", AT), ("BIDHALL_TEST_FAULT", "mirror.piece:kill")):
        done = subprocess.run(command(*words), env={**os.environ, name: value}, capture_output=True, timeout=60)
        assert done.returncode == 3, done.stderr


def test_its_key_is_made_once_and_enrolled_by_a_signed_document(world: World, tmp_path: Path) -> None:
    desk = Desk(tmp_path, world)
    key = desk.run("mirror", "key", "--data", desk.path("m"), "--json").json["key"]
    assert key == desk.run("mirror", "key", "--data", desk.path("m"), "--json").json["key"]
    ran = desk.run(
        "mirror",
        "enrol",
        "--data",
        desk.path("m"),
        "--platform",
        world.office.platform,
        "--name",
        "mirror",
        "-o",
        desk.path("e.json"),
    )
    document = loads(payload_of(desk.read("e.json")))
    assert ran.code == 0 and (document["sign_pk"], document["role"], document["party"]) == (key, "supervisor", "mirror")


def test_kit_and_product_speak_alike(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        beside.line.ping()
        beside.stop()
        with pytest.raises(LineDown):
            beside.line.ping()
