"""A disk that is really full, under a real server: a small file system of its own, filled to the last byte at each step from the first
bytes of a bid to the published record. What is refused is refused whole; what was accepted stays; and once there is room the same server
goes on, without a restart (promise R6)."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crypto.signatures import payload_of
from tests.faults.ground import audited, copied
from tests.faults.test_server_opening_kills import Ceremony, good
from tests.faults.test_server_upload_kills import TUS, WHO, Handing, handing, withdrawing
from tests.kit import stages
from tests.kit.real_server import Answer, House, Nest, hatchery, house_of
from tests.kit.sealing import SIGNER
from tests.kit.world import World

NO_ROOM = (503, 507)
MEBIBYTES = 48


@dataclass
class Disk:
    """A file system of ``MEBIBYTES`` at ``folder``."""

    folder: Path

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def fill(self, but: int = 0) -> None:
        """Leave no byte free, or ``but`` so many."""
        with self._filler.open("ab", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                left = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize - but
                if but and left <= 0:
                    return
                out.write(bytes(min(left, 1 << 20) if but else 4096 if left < 1 << 20 else 1 << 20))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def disk(world: World, tmp_path: Path) -> Iterator[Disk]:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("real servers run on files of their own")
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "tmpfs", str(folder)], capture_output=True
        ).returncode
    ):
        pytest.skip("no file system may be mounted here; the faults of test_upload_kills.py stand for it")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    with hatchery() as nest:
        yield nest


@pytest.mark.long
@pytest.mark.promise("R6")
def test_below_the_reserve_and_with_no_byte_left_bids_wait_and_come_in_after(
    world: World, disk: Disk, nest: Nest
) -> None:
    ref = stages.bidding(world)
    with copied(world, disk.folder / "data") as mine:
        house = house_of(mine, disk.folder / "data")
        server = nest.serve(house)
        first = handing(mine, ref, "")
        guest = house.person(server, WHO, SIGNER)
        first(guest)
        second = handing(mine, ref, first.statement)
        upload(guest, second, second.sealed[:1_000])  # announced, and begun
        second.token, begun = "", second.token

        disk.fill(but=1_000_000)  # within the reserve: a twentieth of this disk
        meta = f"lot {base64.b64encode(ref.encode()).decode()}"
        told = guest.ask("POST", "/uploads/acts", **TUS, Upload_Length=str(len(first.sealed)), Upload_Metadata=meta)
        entry = json.loads(payload_of(told.json["receipt"]["entry"]))
        assert told.status == 507 and (entry["event"], entry["reason"]) == ("bid-refused", "UNAVAILABLE")
        second.token = begun
        second(guest)  # what had begun may end; the bid is replaced
        second.check(mine)

        disk.free()
        third = handing(mine, ref, second.statement)
        upload(guest, third, third.sealed)
        disk.fill()
        fourth = handing(mine, ref, second.statement)
        answers = [
            guest.post(f"/bidder/lots/{ref}/acts/submit", upload=third.token, submission=third.submission),
            guest.ask("POST", "/uploads/acts", **TUS, Upload_Length=str(len(fourth.sealed)), Upload_Metadata=meta),
        ]
        assert {one.status for one in answers} <= {200, *NO_ROOM}, [one.text[:500] for one in answers]
        third.told += [answers[0].json["c"]] if answers[0].status == 200 else []
        third.check(mine)
        assert guest.get(f"/bidder/receipts/{second.told[0]}").status == 200  # what was accepted is there

        disk.free()
        third(guest)
        third.check(mine)
        gone = withdrawing(mine, ref, third.statement)
        disk.fill(but=1_000_000)
        gone(house.person(server, WHO, SIGNER))  # taking back needs no room
        gone.check(mine)
        disk.free()
        audited(mine, disk.folder / "data")
        server.kill()


def upload(guest, act: Handing, data: bytes) -> None:  # type: ignore[no-untyped-def]
    meta = f"lot {base64.b64encode(act.ref.encode()).decode()}"
    begun = guest.ask(
        "POST",
        "/uploads/acts",
        data,
        **TUS,
        Upload_Length=str(len(act.sealed)),
        Upload_Metadata=meta,
        Content_Type="application/offset+octet-stream",
    )
    assert begun.status == 201, begun.text
    act.token = begun.headers["location"].rpartition("/")[2]


@dataclass
class Starved(Ceremony):
    """A ceremony each of whose buttons is first pressed while the disk is full."""

    disk: Disk | None = None
    refused: list[int] = field(default_factory=list)

    def press(self, button: Callable[[], Answer]) -> None:
        assert self.disk is not None
        self.disk.fill()
        answer = button()
        self.refused.append(answer.status)
        assert answer.status in (303, *NO_ROOM), (answer.status, answer.text[:2000])
        self.check()
        self.disk.free()
        if answer.status != 303:
            good(button())


@pytest.mark.long
@pytest.mark.promise("R6")
@pytest.mark.promise("R14")
def test_an_opening_on_a_disk_that_is_full_at_every_step(world: World, disk: Disk, nest: Nest, tmp_path: Path) -> None:
    ref = stages.bid(world)
    with copied(world, disk.folder / "data") as mine:
        house: House = house_of(mine, disk.folder / "data", clock=tmp_path / "clock")
        server = nest.serve(house)
        ceremony = Starved(house, ref, disk=disk)
        disk.fill()
        with mine.view("clock") as view:
            deadline = mine.lot_in(view, ref).deadline
        assert deadline is not None
        house.at(deadline)
        time.sleep(2.5)  # two turns of each clock, in vain or not
        assert server.alive()
        disk.free()
        ceremony.play(server)
        ceremony.check()
        assert [status for status in ceremony.refused if status in NO_ROOM], ceremony.refused
        print(f"pressed on a full disk: {ceremony.refused}")
        audited(mine, disk.folder / "data")
        server.kill()
