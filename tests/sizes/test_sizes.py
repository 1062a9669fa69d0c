"""Large things through a real `bidhall serve`: a bid of 5 GiB, cut once and resumed; a lot of 200 bids, and how long each page of it takes.

`make sizes`; figures and their machine stand in docs/operate/sizes.md. BIDHALL_TEST_SIZES_GIB and _BIDS choose smaller ones.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.faults.ground import audited, copied, log_holds
from tests.faults.test_server_opening_kills import Ceremony
from tests.faults.test_server_upload_kills import TUS
from tests.house.tree import ROOT
from tests.kit import commands, opening_steps, sealing
from tests.kit.real_server import Guest, Server, hatchery, house_of
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading import publication
from trading.kernel.access import Actor, Role
from trading.opening.ceremony import OpenedBid
from web.papers import bundles
from web.verifier import verify_bundle

GIB = 1 << 30
LARGE = int(float(os.environ.get("BIDHALL_TEST_SIZES_GIB", "5")) * GIB)
BIDS = int(os.environ.get("BIDHALL_TEST_SIZES_BIDS", "200"))
SPARE = 15 * GIB
"""Bytes of the disk that must stay free."""
SEND = 64 << 20

pytestmark = pytest.mark.skipif(not os.environ.get("BIDHALL_TEST_SIZES"), reason="large: make sizes")

PEAK = """
import sys
from web.cli.main import main
try:
    main(sys.argv[1:])
finally:
    lines = open("/proc/self/status").read().splitlines()
    sys.stderr.write("PEAK " + next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"  {what}: {time.monotonic() - start:.2f} s", flush=True)


def peak_of(server: Server) -> int:
    """The largest resident memory of any process of a server so far, in MiB."""
    found = [0]
    for pid in [server.pid, *server.workers()]:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found += [int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")]
    return max(found)


def sqlite_only(world: World) -> None:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("real servers run on files of their own")


def test_a_bid_of_five_gibibytes(engine: Any, tmp_path: Path) -> None:
    world = World(engine, tmp_path / "office")
    sqlite_only(world)
    if shutil.disk_usage(tmp_path).free < 3.2 * LARGE + SPARE:
        pytest.skip(f"less than {SPARE // GIB} GiB of the disk would stay free")
    ref = world.lot("DRAFTED")
    world.prepare(ref, largest=2**33)
    world.publish(ref)
    world.issue(ref)
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    for username in world.bidders[1:]:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    try:
        with hatchery() as nest, copied(world, tmp_path / "data") as mine:
            house = house_of(mine, tmp_path / "data")
            plain, digest = tmp_path / "drawings.bin", hashlib.sha256()
            block = os.urandom(SEND)
            with plain.open("wb") as out:
                for at in range(LARGE // SEND):
                    piece = at.to_bytes(8, "big") + block[8:]
                    digest.update(piece)
                    out.write(piece)
            sealed, submission = sealed_by_command(mine, ref, tmp_path, plain)
            plain.unlink()
            server = nest.serve(house)
            before = peak_of(server)
            guest = house.person(server, mine.bidders[0], SIGNER)
            with timed("upload, cut in the middle, resumed"):
                token = sent(guest, ref, sealed)
            sealed.unlink()
            guest = house.person(server, mine.bidders[0], SIGNER)
            with timed("submission, to its receipt"):
                answer = guest.post(f"/bidder/lots/{ref}/acts/submit", upload=token, submission=submission)
            assert answer.status == 200 and answer.json["accepted"], answer.text
            uploading = peak_of(server)

            ceremony = Ceremony(house, ref)
            ceremony.close_intake(server)
            ceremony.post(server, "host", "list")
            row = ceremony.row()
            assert row is not None
            ceremony.release(server, row)
            with timed("decryption"):
                ceremony.post(server, "host", "open")
                while ceremony.is_listed():
                    assert server.alive()
                    time.sleep(0.2)
            print(
                f"  memory of the largest process: {before} MiB at the start, {uploading} after the upload, {peak_of(server)} after the"
                " opening",
                flush=True,
            )
            assert max(uploading, peak_of(server)) < before + 96
            with mine.view("clock") as view:
                opened = view.session.scalars(select(OpenedBid)).all()
                assert [bid.verdict for bid in opened] == ["opened"] * 3
                (file,) = [one for bid in opened for one in bid.files if one["name"] == "drawings.bin"]
                assert file["size"] == LARGE and file["blob"] == digest.hexdigest()
            again = hashlib.sha256()
            with mine.office.blobs.open(file["blob"]) as source:
                while piece := source.read(SEND):
                    again.update(piece)
            assert again.hexdigest() == digest.hexdigest()  # byte for byte
            ceremony.play(server)
            audited(mine, house.folder)
            server.kill()
    finally:
        for left in tmp_path.rglob("*"):
            if left.is_file() and left.stat().st_size > SEND:
                left.unlink()


def sealed_by_command(world: World, ref: str, folder: Path, plain: Path) -> tuple[Path, Any]:
    """By `bidhall seal`, as on the bidder's computer: the sealed file and its signed submission."""
    desk = commands.Desk(folder, world)
    words = [
        "seal",
        "--ticket",
        desk.write("ticket.json", commands.ticket(world, ref)),
        "--key",
        commands.key_file(desk, world, world.bidders[0], "bidder"),
        "--form",
        desk.write("form.json", sealing.FORM),
        "--passphrase-file",
        desk.passphrase,
        str(plain),
        "-o",
        desk.path("bid"),
    ]
    with timed(f"bidhall seal of {LARGE / GIB:.0f} GiB, opened again by itself"):
        ran = subprocess.run(
            [sys.executable, "-c", PEAK, *words],
            capture_output=True,
            cwd=ROOT,
            timeout=3000,
            env={**os.environ, "BIDHALL_TEST_CLOCK": world.now.isoformat(), "BIDHALL_LANG": "en"},
        )
    assert ran.returncode == 0, ran.stderr.decode()
    most = int(ran.stderr.rpartition(b"PEAK ")[2]) // 1024
    print(f"  memory of bidhall seal: {most} MiB", flush=True)
    assert most < 256
    return folder / "bid", desk.read("bid.submission.json")


def sent(guest: Guest, ref: str, sealed: Path) -> str:
    """The token of a whole upload over HTTP: one line breaks in the middle of a piece, and the client goes on where the server is."""
    size, cut = sealed.stat().st_size, False
    meta = f"lot {base64.b64encode(ref.encode()).decode()}"
    begun = guest.ask("POST", "/uploads/acts", **TUS, Upload_Length=str(size), Upload_Metadata=meta)
    assert begun.status == 201, begun.text
    where = begun.headers["location"]
    with sealed.open("rb") as source:
        while True:
            asked = guest.ask("HEAD", where, **TUS)
            assert asked.status == 200
            at = int(asked.headers["upload-offset"])
            if asked.headers["upload-whole"] == "yes":
                return where.rpartition("/")[2]
            source.seek(at)
            piece = source.read(SEND)
            if not cut and at > size // 2:
                cut = True
                broken(guest, where, at, piece)
                time.sleep(1)
                continue
            answer = guest.ask(
                "PATCH", where, piece, **TUS, Upload_Offset=str(at), Content_Type="application/offset+octet-stream"
            )
            assert answer.status in (204, 423), answer.text


def broken(guest: Guest, where: str, at: int, piece: bytes) -> None:
    line = http.client.HTTPConnection("127.0.0.1", guest.port, timeout=60)
    line.putrequest("PATCH", where)
    for name, value in {
        "User-Agent": "bench",
        "Cookie": guest.cookie,
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": str(at),
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(len(piece)),
    }.items():
        line.putheader(name, value)
    line.endheaders()
    line.send(piece[: len(piece) // 3])
    line.close()


# --- 200 bids ---------------------------------------------------------------------------------------------------------


PAGES = {
    "": (
        "/hall/{ref}",
        "/hall/{ref}/data",
        "/hall/{ref}/projector",
        "/hall/{ref}/sheet",
        "/hall/{ref}/papers",
        "/lots/{ref}",
    ),
    "host": ("/hall/{ref}/host", "/hall/{ref}/read", "/hall/{ref}/package.json"),
    "officer1": ("/hall/{ref}/officer", "/hall/{ref}/release", "/hall/{ref}/sign"),
    "watch": ("/hall/{ref}", "/supervisor"),
}
LONGEST = 10.0
"""Seconds a page may take at most, on a machine that does other things too."""


def look_at(world: World, house: Any, server: Server, ref: str, stage: str) -> None:
    for username, paths in PAGES.items():
        guest = house.person(server, username) if username else Guest(world, server.port, "", "", "")
        for path in paths:
            start = time.monotonic()
            answer = guest.get(path.format(ref=ref))
            took = time.monotonic() - start
            print(
                f"  {stage}: {username or 'anybody'} {path}: {answer.status}, {took:.2f} s, {len(answer.data) // 1024} KiB",
                flush=True,
            )
            assert answer.status in (200, 404) and took < LONGEST, answer.text[:500]


def test_a_lot_of_two_hundred_bids(engine: Any, tmp_path: Path) -> None:
    world = World(engine, tmp_path / "office", bidders=BIDS)
    sqlite_only(world)
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    with hatchery() as nest, copied(world, tmp_path / "data") as mine:
        house = house_of(mine, tmp_path / "data")
        server = nest.serve(house)
        with timed(f"{BIDS} bids, one after the other, announced, sent and submitted over HTTP"):
            for number, username in enumerate(mine.bidders):
                form = opening_steps.form("GP", price=f"{2_000_000 + 1000 * number}.00")
                sealed, submission = sealing.seal(mine, ref, username, form=form, data=b"offer of " + username.encode())
                guest = house.person(server, username, Role.BIDDER_SIGNER)
                meta = f"lot {base64.b64encode(ref.encode()).decode()}"
                begun = guest.ask(
                    "POST",
                    "/uploads/acts",
                    sealed,
                    **TUS,
                    Upload_Length=str(len(sealed)),
                    Upload_Metadata=meta,
                    Content_Type="application/offset+octet-stream",
                )
                assert begun.status == 201, begun.text
                token = begun.headers["location"].rpartition("/")[2]
                answer = guest.post(f"/bidder/lots/{ref}/acts/submit", upload=token, submission=submission)
                assert answer.status == 200 and answer.json["accepted"], answer.text
                if number % 20 == 19:
                    house.advance(seconds=61)
        ceremony = Ceremony(house, ref)
        with timed("closing, by the servers' own clocks"):
            ceremony.close_intake(server)
        with timed("list"):
            ceremony.post(server, "host", "list")
        look_at(mine, house, server, ref, "listed")
        row = ceremony.row()
        assert row is not None and len(row.bids) == BIDS
        with timed("shares of five officers, made and checked"):
            ceremony.release(server, row)
        with timed("decryption of all"):
            ceremony.post(server, "host", "open")
            while ceremony.is_listed():
                assert server.alive()
                time.sleep(0.1)
        look_at(mine, house, server, ref, "opened")
        with timed("three countersignatures, the three papers set and signed"):
            ceremony.sign(server)
        with timed("closed and published"):
            ceremony.play(server)
        for kind in ("sheet", "form", "record"):
            with timed(f"paper {kind}"):
                paper = house.person(server, "host").get(f"/hall/{ref}/papers/{kind}")
            assert paper.status == 200 and paper.data.startswith(b"%PDF")
            print(f"  paper {kind}: {len(paper.data) // 1024} KiB", flush=True)
        look_at(mine, house, server, ref, "closed")
        print(f"  memory of the largest process: {peak_of(server)} MiB", flush=True)
        server.kill()
        with timed("the whole log verified"):
            log_holds(mine)
        with mine.work("buyer") as work:  # so that it is over and may be bundled
            publication.terminate(work, mine.lot_in(work, ref), reason="采购任务取消")
        opening_steps.turn(mine)
        for profile in bundles.PROFILES:
            path = tmp_path / f"{profile}.zip"
            with timed(f"bundle {profile}"), path.open("wb") as out:
                bundles.export(mine.office, Actor(Role.AUDIT_ADMIN, name="archive"), ref, profile, out)
            with timed(f"bundle {profile} verified"):
                told = verify_bundle(path)
            print(f"  bundle {profile}: {path.stat().st_size // 1024} KiB", flush=True)
            assert told["ok"], [claim for claim in told["claims"] if claim["ok"] is False]
