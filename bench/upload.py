"""Uploading one large bid over loopback to the whole service: spooled, synced, header checked, the tree of piece digests built.

Rival: `curl -T` of the same bytes to an endpoint under the same server that only hashes them. The same curl sends both. Files lie in
memory where the machine has room: disks are not what is measured.
"""

from __future__ import annotations

import asyncio
import base64
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.race import Row, has, noise_file, race, row, skipped, workshop
from bench.service import AGENT, Line, Person, bare, bidhall, signed_in
from bench.worlds import world_in
from crypto import sealed_bid

if TYPE_CHECKING:
    from tests.kit.world import World

MIB = 1 << 20
GOAL, NAME = ">= 0.7", "curl -T to a bare WSGI sink that hashes"


def run(quick: bool) -> list[Row]:
    sizes = (26,) if quick else (64, 256, 1024)
    if not has("curl"):
        return [
            skipped(workload=f"upload {size} MiB", rival_name=NAME, goal=GOAL, why="curl is not installed")
            for size in sizes
        ]
    from tests.kit import sealing

    with workshop() as folder, world_in(folder / "world", 3) as world:
        ref = world.lot("BIDDING")
        world.take_part(ref)
        sealing.open_for_bids(world, ref)
        files = [_sealed(world, ref, folder, size) for size in sizes]
        (person,) = signed_in(world, folder / "world", ["bidder1"])
        world.office.engine.dispose()
        shift = world.now - datetime.now(UTC) + timedelta(seconds=1)
        with bidhall(world, folder / "world", shift) as port, bare(folder / "bare", sync=False) as sink:
            return [
                _at(port, sink, person, ref, path, size, 2 if quick else 5)
                for path, size in zip(files, sizes, strict=True)
            ]


def _sealed(world: World, ref: str, folder: Path, size: int) -> Path:
    from tests.kit import sealing

    plain, path = noise_file(folder / "plain", size * MIB), folder / f"sealed-{size}"
    with plain.open("rb") as stream, path.open("wb") as out:
        sealed_bid.seal(
            sealing.policy_of(world, ref),
            bidder=sealing.code_of(world, "bidder1"),
            announce=sealing.FORM,
            out=out,
            files=[sealed_bid.FileIn("bid.bin", size * MIB, stream)],
        )
    plain.unlink()
    return path


def _at(port: int, sink: int, person: Person, ref: str, path: Path, size: int, rounds: int) -> Row:
    length = path.stat().st_size

    def ours() -> None:
        where = asyncio.run(_announced(port, person, ref, length))
        _curl(
            f"http://127.0.0.1:{port}{where}",
            path,
            "204",
            "-X",
            "PATCH",
            "-H",
            f"Cookie: {person.cookie}",
            "-A",
            AGENT,
            "-H",
            "Tus-Resumable: 1.0.0",
            "-H",
            "Upload-Offset: 0",
            "-H",
            "Content-Type: application/offset+octet-stream",
        )

    def theirs() -> None:
        _curl(f"http://127.0.0.1:{sink}/", path, "200")

    mine, bare_seconds = race(ours, theirs, rounds=rounds)
    return row(
        workload=f"upload {size} MiB over loopback, whole and taken over", ours=length / MIB / mine, unit="MiB/s",
        rival=length / MIB / bare_seconds, rival_name=NAME, ratio=bare_seconds / mine, goal=GOAL,
    )  # fmt: skip


async def _announced(port: int, person: Person, ref: str, length: int) -> str:
    line = await Line.open(port, person.cookie)
    meta = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("lot", ref), ("envelope", "bid")))
    status, headers, body = await line.ask(
        "POST", "/uploads/acts", Tus_Resumable="1.0.0", Upload_Length=str(length), Upload_Metadata=meta
    )
    line.close()
    if status != 201:
        raise RuntimeError(f"not announced: {status} {body[:200]!r}")
    return headers["location"]


def _curl(address: str, path: Path, wanted: str, *words: str) -> None:
    """Send a file; any other answer than the one wanted is a fault."""
    done = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:", *words, "-T", str(path), address],
        check=True,
        capture_output=True,
        text=True,
    )
    if done.stdout != wanted:
        raise RuntimeError(f"answered {done.stdout}, not {wanted}")
