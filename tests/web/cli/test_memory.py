"""An old copy of the data folder, started by the real command: it is read, it signs nothing, and it says so (BIDHALL_MEMORY)."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from crypto.signatures import payload_of
from tests.faults.ground import copied
from tests.faults.test_full_disk import upload
from tests.faults.test_server_upload_kills import WHO, handing
from tests.kit import stages
from tests.kit.real_server import House, Nest, house_of
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from tests.web.bundles.test_commands import codes
from tests.web.cli.test_own_keys import command_line_as_it_is as command_line
from tests.web.cli.test_own_keys import rows
from trading.kernel import memory
from web.wiring import REHEARSAL, open_office
from web.workers.watch import beacon

REF = "ref"

pytestmark = pytest.mark.long  # real servers, killed and started again


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> Iterator[House]:
    if engine.dialect.name != "sqlite":
        pytest.skip("real servers run on files of their own")
    world = World(engine, tmp_path / "office")
    world.called[REF] = str(stages.bidding(world))
    (tmp_path / "other-disk").mkdir()
    with copied(world, tmp_path / "data") as mine:
        found = house_of(mine, tmp_path / "data")
        remember(found, tmp_path / "other-disk" / "log.memory")
        assert command_line(found)("memory", "begin").code == 0
        yield found


def remember(house: House, *files: Path) -> None:
    house.settings["BIDHALL_MEMORY"] = ", ".join(map(str, files))


def kept(house: House) -> Path:
    return Path(house.settings["BIDHALL_MEMORY"].split(", ")[0])


def held(path: Path) -> int:
    """How many ticks a file remembers."""
    return int(str(memory.read(path)["checkpoint"]).split("\n")[1])


def ticked(house: House, times: int = 2) -> None:
    """Ticks by the command an operator has."""
    for _ in range(times):
        house.advance(minutes=1)
        ran = command_line(house)("tick")
        assert ran.code == 0, ran.err


def saved(house: House, name: str) -> Path:
    """A copy of the data folder as it lies there."""
    house.world.office.engine.dispose()
    return Path(shutil.copytree(house.folder, house.folder.parent / name))


def brought_back(house: House, copy: Path) -> None:
    """The copy in the place of the data folder; the hour stays."""
    house.world.office.engine.dispose()
    shutil.rmtree(house.folder)
    shutil.copytree(copy, house.folder)
    house._app = None  # it signs cookies with the key of the folder that was there
    house.at(house.world.now)


def until(what: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.promise("I1")
def test_an_old_copy_is_read_and_signs_nothing(house: House, nest: Nest) -> None:
    ref, file = house.world.called[REF], kept(house)
    ticked(house)
    old = saved(house, "old")
    server = nest.serve(house)
    before = held(file)
    house.advance(minutes=1)
    until(lambda: held(file) == before + 1)  # the server's own clock remembers its tick
    server.kill()
    assert held(file) == rows(house)[0]
    new = saved(house, "new")
    remembered = file.read_bytes()

    brought_back(house, old)
    ticks, entries = rows(house)
    act = handing(house.world, ref, "")
    server = nest.serve(house)
    assert "[memory.behind]" in server.log.read_text()
    guest = house.person(server, WHO, SIGNER)
    pages = [guest.get(f"/lots/{ref}?lang={lang}") for lang in ("en", "zh")]
    assert [page.status for page in pages] == [200, 200]
    assert "The platform stands still" in pages[0].text and "平台暂停办理" in pages[1].text
    assert str(file) not in pages[0].text  # where our memory lies is nobody's business

    upload(guest, act, act.sealed)
    answer = guest.post(f"/bidder/lots/{ref}/acts/submit", upload=act.token, submission=act.submission)
    assert answer.status == 200 and not answer.json["accepted"] and answer.json["reason"] == "UNAVAILABLE"
    entry = json.loads(payload_of(answer.json["receipt"]["entry"]))
    assert (entry["event"], entry["reason"]) == ("bid-refused", "UNAVAILABLE")
    agent = house.person(server, "agent")
    refused = agent.post(f"/bidder/lots/{ref}/acts/submit")
    assert refused.status == 403
    house.advance(minutes=3)
    time.sleep(2.5)  # two looks of the clocks at least
    assert rows(house) == (ticks, entries + 1) and file.read_bytes() == remembered

    run = command_line(house)
    for lang, words in (("en", "start from the newer data"), ("zh", "用较新的数据启动")):
        ran = run("tick", "--lang", lang)
        assert ran.code == 3 and "[memory.behind]" in ran.err and words in ran.err
    ran = run("user", "add", "more", "--name", "More", "--party", "CENTRE", "--role", "centre")
    assert ran.code == 3 and "[memory.behind]" in ran.err
    assert run("audit", "verify").code == 0  # looking goes on
    told = run("doctor", "--json")
    assert told.code == 3 and "memory_behind" in codes(told)
    shown = run("memory", "show", "--json")
    assert shown.code == 3 and shown.json["code"] == "memory.behind" and shown.json["places"][0]["ticks"] == held(file)
    assert run("memory", "begin").code == 3
    server.kill()

    brought_back(house, new)
    assert "memory" not in {code[:6] for code in codes(run("doctor", "--json"))}
    server = nest.serve(house)
    house.advance(minutes=1)
    until(lambda: held(file) > before + 1)
    guest = house.person(server, WHO, SIGNER)
    assert "The platform stands still" not in guest.get("/notices?lang=en").text
    act = handing(house.world, ref, "")
    act(guest)
    server.kill()


@pytest.mark.promise("I1")
def test_a_longer_log_that_is_another_history_signs_nothing(house: House, nest: Nest) -> None:
    ticked(house)
    old = saved(house, "old")
    ticked(house)
    remembered = held(kept(house))
    brought_back(house, old)
    with without_memory(house):
        ticked(house, 5)  # what the copy would do unnoticed
    assert rows(house)[0] > remembered
    run = command_line(house)
    house.advance(minutes=1)
    ran, told = run("tick"), run("doctor", "--json")
    assert ran.code == 3 and "[memory.forked]" in ran.err and "memory_forked" in codes(told)
    server = nest.serve(house)
    assert "[memory.forked]" in server.log.read_text()
    server.kill()
    assert held(kept(house)) == remembered


@contextmanager
def without_memory(house: House) -> Iterator[None]:
    settings = house.settings.copy()
    house.settings.clear()
    yield
    house.settings.update(settings)


def test_killed_between_the_tick_and_its_memory_goes_on(house: House, nest: Nest) -> None:
    ticked(house)
    remembered = held(kept(house))
    server = nest.serve(house, fault="log.sealed:down@1", wait=False)
    house.advance(minutes=1)
    server.gone()
    server = nest.serve(house, fault="memory.keep:down@1", wait=False)
    server.gone()
    assert held(kept(house)) == remembered and rows(house)[0] == remembered + 1
    ticked(house)
    assert held(kept(house)) == rows(house)[0] == remembered + 3


def test_a_running_server_whose_data_are_exchanged_stands_still_at_its_next_tick(house: House, nest: Nest) -> None:
    """As a restored PostgreSQL would be under its servers: the connection stays, what is behind it does not."""
    ticked(house)
    with closing(sqlite3.connect(house.folder / "bidhall.db")) as base, closing(sqlite3.connect(":memory:")) as copy:
        base.backup(copy)
        server = nest.serve(house)
        remembered = held(kept(house))
        house.advance(minutes=1)
        until(lambda: held(kept(house)) == remembered + 1)
        copy.backup(base)
    house.advance(minutes=1)
    guest = house.person(server, WHO, SIGNER)
    until(lambda: all("The platform stands still" in guest.get("/notices?lang=en").text for _ in range(8)))
    assert rows(house)[0] == remembered and held(kept(house)) == remembered + 1
    assert "memory.behind" in server.log.read_text()
    server.kill()


def test_a_memory_that_is_not_there_is_no_memory_of_nothing(house: House, tmp_path: Path) -> None:
    ticked(house)
    run, file = command_line(house), kept(house)
    file.rename(file.with_name("away"))  # its disk is not mounted
    house.advance(minutes=1)
    ran = run("tick")
    assert ran.code == 3 and "[memory.lost]" in ran.err and "bidhall memory begin" in ran.err
    assert "memory_lost" in codes(run("doctor", "--json"))
    second = tmp_path / "third-disk" / "log.memory"
    second.parent.mkdir()
    file.with_name("away").rename(second)
    remember(house, file, second)
    assert (
        run("tick").code == 0 and held(file) == held(second) == rows(house)[0]
    )  # one is enough, the other is made anew

    for path in (file, second):
        path.write_text("{")
    ran = run("tick")
    assert ran.code == 3 and "[memory.lost]" in ran.err and "memory_unreadable" in codes(run("doctor", "--json"))
    for path in (file, second):
        path.unlink()
    assert run("memory", "begin").code == 0 and held(file) == held(second) == rows(house)[0]
    ticked(house)
    again = run("memory", "begin")
    assert again.code == 1 and "[memory.not_begun]" in again.err


def test_the_memory_of_another_log_is_not_written_over(house: House, engine: Engine, tmp_path: Path) -> None:
    ticked(house)
    file = kept(house)
    value = json.loads(file.read_bytes())
    file.write_text(json.dumps(value | {"platform": "other.example"}))
    house.advance(minutes=1)
    ran = command_line(house)("tick")
    assert (
        ran.code == 3
        and "[memory.foreign]" in ran.err
        and "memory_foreign" in codes(command_line(house)("doctor", "--json"))
    )
    lines = value["checkpoint"].split("\n")
    lines[1] = str(int(lines[1]) + 1)  # a size nobody has signed
    file.write_text(json.dumps(value | {"checkpoint": "\n".join(lines)}))
    ran = command_line(house)("tick")
    assert ran.code == 3 and "[memory.foreign]" in ran.err


def test_a_file_in_the_data_folder_is_no_memory(house: House) -> None:
    remember(house, house.folder / "memory")
    ran = command_line(house)("tick")
    assert ran.code == 3 and "[settings.value]" in ran.err and "outside the data folder" in ran.err


def test_the_doctor_says_so_where_nothing_remembers(house: House) -> None:
    run = command_line(house)
    same_disk = [one for one in run("doctor", "--json").json["findings"] if one["code"].startswith("memory")]
    assert {(one["code"], one["level"]) for one in same_disk} == {("memory_disk", "warning")}
    with without_memory(house):
        found = next(one for one in run("doctor", "--json").json["findings"] if one["code"] == "memory")
        assert found["level"] == "ok" and "rehearsal" in found["what"]
        (house.folder / REHEARSAL).unlink()
        told = command_line(house, BIDHALL_TEST_CLOCK="")("doctor", "--json")
        assert told.code == 3 and "memory" in codes(told)


def test_the_beacon_remembers_too_and_never_goes_back(house: House, nest: Nest) -> None:
    house.settings.clear()
    ticked(house)
    old = saved(house, "old")
    ticked(house)
    from web.settings import read_settings

    office = open_office(read_settings(house.environment()))
    one = beacon.Beacon(office, house.folder.parent / "beacon")
    assert one.turn()
    outlived = beacon.Beacon(
        replace(office, engine=create_engine("sqlite:////nowhere.db")), house.folder.parent / "beacon"
    )
    stop, ports = threading.Event(), []  # type: threading.Event, list[int]
    thread = threading.Thread(target=outlived.run, args=("127.0.0.1", 0, stop, ports.append), daemon=True)
    thread.start()
    until(lambda: bool(ports))
    newest = one.text
    house.settings["BIDHALL_BEACON_URL"] = f"http://127.0.0.1:{ports[0]}"
    run = command_line(house)
    assert "memory" in codes(run("doctor", "--json"), "warning")
    office.engine.dispose()
    brought_back(house, old)
    house.advance(minutes=1)
    ran = run("tick")
    assert ran.code == 3 and "[memory.behind]" in ran.err and house.settings["BIDHALL_BEACON_URL"] in ran.err
    server = nest.serve(house)
    assert "[memory.behind]" in server.log.read_text()
    house.advance(minutes=1)
    time.sleep(2.5)
    assert "The platform stands still" in house.person(server, WHO, SIGNER).get("/notices?lang=en").text
    assert not one.turn() and one.text == newest  # the beacon looks at the old copy by now
    server.kill()
    with without_memory(house):
        ticked(house, 6)
    office.engine.dispose()
    assert not one.turn() and one.text == newest  # longer, and another history
    stop.set()
    thread.join(10)
    assert run("doctor", "--json").code == 3  # a beacon that is away is said
    office.engine.dispose()
