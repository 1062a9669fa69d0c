"""The page on which two security administrators declare what a restoration lost, and what everybody sees of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from crypto.receipts import verify_receipt
from crypto.signatures import document_hash
from tests.kit import restored as kit
from tests.kit.world import SETUP, World, credit_code
from tests.web.desks.purchasing import done, forms_of, send
from tests.web.desks.rooms import Rooms, open_rooms
from trading.kernel import log
from trading.kernel.access import CLOCK, Role
from trading.kernel.audit import ActRecord
from trading.kernel.declared import ACT
from trading.parties import parties

PAGE = "/admin/restored"
LOST = 3


@pytest.fixture
def rooms(engine: Engine, tmp_path: Path) -> Rooms:
    world = World(engine, tmp_path / "office")
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for name, role in (("sec", Role.SECURITY_ADMIN), ("sec2", Role.SECURITY_ADMIN), ("sys", Role.SYSTEM_ADMIN)):
            made = parties.invite(
                work, centre, username=name, name=f"管理员{name}", password="correct horse battery", roles=[role]
            )
            world.people[name] = made.id
    world.tick()
    world.tick()
    kit.bring_back(world, tmp_path, LOST)
    return open_rooms(world, tmp_path)


def restored_acts(rooms: Rooms) -> list[ActRecord]:
    with rooms.world.office.view(CLOCK) as view:
        return list(view.session.scalars(select(ActRecord).where(ActRecord.act == ACT)))


@pytest.mark.promise("R16")
def test_two_people_look_and_confirm_and_everybody_sees_the_gap(rooms: Rooms) -> None:
    world, first, other = rooms.world, rooms.person("sec"), rooms.person("sec2")  # people sign in while it stands
    before = kit.size(world)
    home = first.get("/admin?lang=en").text
    assert (
        "Confirm what was lost" in home
        and "brought back from a backup" in home
        and "平台暂停办理" in first.get("/admin?lang=zh").text
    )
    shown = first.get(PAGE + "?lang=en").text
    assert (
        f"{before} ticks, the last of" in shown
        and f"{before + LOST} ticks, the last of" in shown
        and "Confirm as the first of two" in shown
    )
    assert "作第一次确认" in first.get(PAGE + "?lang=zh").text
    refused = send(first, "/admin/parties", "register", name="云汀市财政局", code=credit_code(95), kind="supervisor")
    assert refused.status_code == 503  # nothing else is signed
    assert rooms.person("sys").get(PAGE).status_code == 403

    assert done(send(first, PAGE, "confirm", remembered=str(before + LOST))) == PAGE
    assert restored_acts(rooms) == [] and "You have confirmed this" in first.get(PAGE + "?lang=en").text
    assert forms_of(first.get(PAGE).text.partition("<main")[2]) == []  # nothing to press for who has confirmed
    again = first.act(PAGE + "/acts/confirm", form_id="a" * 22, remembered=str(before + LOST))
    assert again.status_code == 403 and "restore.one_person" in again.text and restored_acts(rooms) == []

    stale = send(other, PAGE, "confirm", remembered=str(before))
    assert stale.status_code == 409 and restored_acts(rooms) == []
    assert "管理员sec" in other.get(PAGE + "?lang=en").text
    assert done(send(other, PAGE, "confirm", remembered=str(before + LOST))) == PAGE
    assert world.office.trouble is None
    (record,) = restored_acts(rooms)
    facts = json.loads(record.payload)["facts"]
    assert (facts["ticks"], facts["remembered"]) == (before, before + LOST)
    assert "管理员" not in record.payload and "account:" not in record.payload  # people stand as hashes

    world.tick()
    for lang, words in (("en", f"{LOST} signed ticks are lost"), ("zh", f"缺失 {LOST} 个已签名的时点")):
        page = first.get(f"/audit?lang={lang}").text
        assert words in re.sub(r"<[^>]+>", "", page) and "stands still" not in page
    assert (
        "audit#declared" in first.get("/feed.xml").text
        and "audit#declared" not in first.get("/feed.xml?kind=award").text
    )
    assert "Declared gaps" in first.get(PAGE + "?lang=en").text

    (told,) = first.get("/log/declared").json["gaps"]
    key = log.log_key(world.office.platform, world.office.keys)
    receipt = verify_receipt({"entry": told["entry"], "proof": told["proof"]}, [world.office.keys.public], key)
    assert receipt.entry["statement"] == document_hash(told["record"])
    assert receipt.proven is not None and receipt.proven.tick == facts["ticks"] == before


def test_only_what_the_declaration_covers_is_excused(rooms: Rooms, tmp_path: Path) -> None:
    world, memory = rooms.world, rooms.world.office.memory
    size, told = kit.size(world), memory.seen()[str(memory.files[0])].checkpoint
    for username in ("sec", "sec2"):
        done(send(rooms.person(username), PAGE, "confirm", remembered=str(size + LOST)))

    def trouble(note: str) -> str:
        memory.write(memory.files[0], note, "2026-03-02T01:00:00Z")
        memory.trouble = None
        with world.view("clock") as view:
            found = memory.look(view.session)
        memory.trouble = None
        return found.code if found is not None else ""

    assert trouble(told.note) == ""
    assert trouble(kit.note(world, size + 1)) == ""
    assert trouble(kit.note(world, size + LOST)) == "memory.behind"  # the very size, another root
    assert trouble(kit.note(world, size + LOST + 1)) == "memory.behind"
    assert trouble(kit.note(world, size)) == "memory.forked"  # what the copy had, it has
    for _ in range(LOST + 2):
        world.tick()
    assert trouble(told.note) == "" and trouble(kit.note(world, size + 1)) == ""
    assert trouble(kit.note(world, size + LOST + 1)) == "memory.forked"


def test_a_declaration_that_was_not_made_at_once_is_none(rooms: Rooms) -> None:
    """A record of the same form that lies in a later tick: something was signed before it, so it excuses nothing."""
    world = rooms.world
    standing, world.office = world.office, replace(world.office, memory=None, restored=None)
    world.tick()
    with world.office.work(SETUP) as work:
        size = kit.size(world) - 1
        work.record(
            ACT, "platform", ticks=size, root="", at="", backup_at="", remembered=size + 9, remembered_root="A" * 43,
            remembered_at="", restored_at="",
        )  # fmt: skip
    world.tick()
    world.office = standing
    with world.view("clock") as view:
        assert standing.restored.look(view) is not None
        standing.memory.trouble = None
        assert standing.memory.look(view.session).code == "memory.behind"


def test_where_nothing_was_brought_back_the_page_says_what_it_is_for(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path / "office")
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        parties.invite(
            work, centre, username="sec", name="管理员", password="correct horse battery", roles=[Role.SECURITY_ADMIN]
        )
    person = open_rooms(world, tmp_path).person("sec")
    assert "Nothing was brought back" in person.get(PAGE + "?lang=en").text
    refused = person.act(PAGE + "/acts/confirm", remembered="0")
    assert refused.status_code == 409 and "restore.nothing" in refused.text
    assert person.get("/log/declared").json == {"gaps": []} and "Declared gaps" not in person.get("/audit?lang=en").text
