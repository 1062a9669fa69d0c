"""Two copies of one data folder, started at once against one memory: the second is refused until the first has stopped."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest

from tests.faults.ground import over
from tests.kit.real_server import Died, House, Nest, Server
from tests.web.bundles.test_commands import codes
from tests.web.cli.test_memory import held, kept, saved, ticked, until
from tests.web.cli.test_memory import house as house  # the fixture
from tests.web.cli.test_own_keys import command_line_as_it_is as command_line
from tests.web.cli.test_own_keys import rows
from trading.kernel import lease, memory
from trading.kernel.lease import Holder

pytestmark = pytest.mark.long  # real servers, killed and started again


def copy_of(house: House) -> House:
    folder = saved(house, "copy")
    shutil.copy(house.clock_file, folder / "clock")
    world = over(house.world, url=f"sqlite:///{folder / 'bidhall.db'}", folder=folder / "blobs")
    return House(world, folder, house.clock_file, dict(house.settings))


def holder(house: House) -> Holder | None:
    return lease.of_json(memory.read(kept(house))["lease"])


def refused(nest: Nest, house: House) -> str:
    server = nest.serve(house, wait=False)
    with pytest.raises(Died):
        server.ready()
    return server.log.read_text()


def stopped(server: Server) -> None:
    os.kill(server.pid, signal.SIGTERM)
    server.gone()


@pytest.mark.promise("I1")
def test_of_two_copies_at_once_the_second_is_refused(house: House, nest: Nest) -> None:
    ticked(house)
    assert holder(house) is None  # a command heeds a lease and leaves none
    second = copy_of(house)
    first = nest.serve(house)
    mine = holder(house)
    assert mine is not None and mine.pid == first.pid
    before = rows(second)
    assert "[memory.taken]" in refused(nest, second)
    ran = command_line(second)("tick", "--lang", "zh")
    assert ran.code == 3 and "[memory.taken]" in ran.err and str(first.pid) in ran.err
    assert "memory_taken" in codes(command_line(second)("doctor", "--json"))
    assert rows(second) == before and holder(house) == mine

    beside = nest.serve(house)  # another server over the same database is no copy
    remembered = held(kept(house))
    ticked(house, 1)
    until(lambda: held(kept(house)) == remembered + 1)
    renewed = holder(house)
    assert renewed is not None and renewed.is_same_process(mine) and renewed.until >= mine.until
    stopped(beside)
    assert holder(house) == renewed  # not its own, so it is not taken away
    stopped(first)
    assert holder(house) is None
    server = nest.serve(house)
    server.kill()
    assert holder(house) is not None  # nobody has said good-bye, but its process is known to be gone
    nest.serve(house).kill()


def test_a_first_that_stopped_before_a_tick_leaves_its_place_to_the_copy(house: House, nest: Nest) -> None:
    ticked(house)
    second = copy_of(house)
    first = nest.serve(house)
    assert "[memory.taken]" in refused(nest, second)
    stopped(first)
    server = nest.serve(second)
    remembered = held(kept(house))
    second.advance(minutes=1)
    until(lambda: held(kept(house)) == remembered + 1)
    house.at(second.world.now)
    house.advance(minutes=1)
    ran = command_line(house)("tick")
    assert ran.code == 3 and "[memory.taken]" in ran.err  # and now the first is the second
    stopped(server)
    ran = command_line(house)("tick")
    assert ran.code == 3 and "[memory.behind]" in ran.err


def test_another_machines_lease_stands_until_its_time_is_over(house: House, nest: Nest) -> None:
    ticked(house)
    file = kept(house)
    found = memory.read(file)
    other = Holder("sqlite elsewhere", "another-host", "another-boot", "pid:[1]", 77, "123")
    world = house.world
    with world.view("clock") as view:
        key = memory.log.log_key(world.office.platform, view.office.keys)
    writer = memory.Memory(world.office.platform, key, [file])
    writer.write(file, found["checkpoint"], found["at"], other.renewed())
    assert "[memory.taken]" in refused(nest, house)
    house.advance(minutes=1)
    ran = command_line(house)("tick")
    assert ran.code == 3 and "another-host" in ran.err and "77" in ran.err
    short = Holder(**{**other.to_json(), "until": int(time.time()) + 2})
    writer.write(file, found["checkpoint"], found["at"], short)
    time.sleep(2.1)
    assert command_line(house)("tick").code == 0
    server = nest.serve(house)
    writer.write(
        file, memory.read(file)["checkpoint"], found["at"], other.renewed()
    )  # we were asleep for too long: it took our place
    before = rows(house)[0]
    house.advance(minutes=1)
    guest = house.person(server, "agent")
    until(lambda: all("The platform stands still" in guest.get("/notices?lang=en").text for _ in range(8)))
    assert rows(house)[0] == before and "memory.taken" in server.log.read_text()
    server.kill()
