"""The first week's line of the rehearsal: done by the signed words of two administrators about one checkpoint, and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from crypto import checkpoints, rehearsals
from crypto.keys import new_secret
from tests.kit.world import SETUP, World
from tests.web.desks.rooms import Rooms, open_rooms
from tests.web.desks.test_first_week import lines
from trading.kernel import rehearsal
from trading.kernel.access import Role
from trading.kernel.audit import ActRecord
from trading.kernel.errors import Invalid
from trading.parties import parties

LINE = "演练"


@pytest.fixture
def rooms(engine: Engine, tmp_path: Path) -> Rooms:
    world = World(engine, tmp_path)
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for username, role in (("sec", Role.SECURITY_ADMIN), ("sys", Role.SYSTEM_ADMIN), ("aud", Role.AUDIT_ADMIN)):
            who = parties.invite(
                work, centre, username=username, name=username, password="correct horse battery", roles=[role]
            )
            world.people[username] = who.id
    return open_rooms(world, tmp_path)


def ended(world: World, size: int = 412, name: str = "") -> str:
    """The closing checkpoint of a rehearsal, by a key this site has never seen."""
    origin = f"{name or rehearsals.name_of(world.office.platform)}/log"
    return checkpoints.sign_checkpoint(origin, size, bytes(range(32)), new_secret())


def test_two_administrators_say_so_about_one_checkpoint(rooms: Rooms) -> None:
    world, first, second = rooms.world, rooms.person("sec"), rooms.person("sys")
    assert lines(first.get("/admin/first-week").text)[LINE][:2] == ("待办", "尚未")
    text = ended(world)
    page = first.get("/admin/rehearsed").text
    assert "bidhall rehearse DIR" in page and "还没有人确认演练" in page
    assert (
        first.act(
            "/admin/rehearsed/acts/confirm", page="/admin/rehearsed", checkpoint=text.replace("\n", "\r\n")
        ).status_code
        == 303
    )
    assert "还差一位" in lines(first.get("/admin/first-week").text)[LINE][1]
    again = first.act("/admin/rehearsed/acts/confirm", page="/admin/rehearsed", checkpoint=text)
    assert again.status_code == 403 and "须由另一位管理员" in again.text
    other = second.act(
        "/admin/rehearsed/acts/confirm", page="/admin/rehearsed", checkpoint=ended(world, 413)
    )  # of another moment
    assert other.status_code == 303 and lines(second.get("/admin/first-week").text)[LINE][0] == "待办"
    assert second.act("/admin/rehearsed/acts/confirm", page="/admin/rehearsed", checkpoint=text).status_code == 303
    assert lines(second.get("/admin/first-week").text)[LINE][0] == "已完成"
    with world.view("clock") as view:
        said = rehearsal.words(view)
        assert rehearsal.played(said) == rehearsal.Ended(
            f"{rehearsals.name_of(world.office.platform)}/log", 412, text.splitlines()[2]
        )
        told = [
            json.loads(one)
            for one in view.session.scalars(select(ActRecord.payload).where(ActRecord.act == rehearsal.PLAYED))
        ]
        assert len(told) == 3 and all(
            "account:" not in json.dumps(one) for one in told
        )  # who said it is hidden in the log
    assert "已演练完成" not in second.get("/admin/rehearsed").text  # nothing is left to be said


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: "", "rehearsal.checkpoint"),
        (lambda text: "hello\n3\nworld", "rehearsal.checkpoint"),
        (lambda text: text.replace("\n412\n", "\nmany\n"), "rehearsal.checkpoint"),
        (lambda text: "\n".join(text.splitlines()[:3]), "rehearsal.checkpoint"),
        (lambda text: text.replace("\n412\n", "\n3\n"), "rehearsal.checkpoint_short"),
        (lambda text: text.replace(rehearsals.MARK, ""), "rehearsal.checkpoint_other"),
        (lambda text: text.replace("bidhall.example", "other.example"), "rehearsal.checkpoint_other"),
    ],
)
def test_what_is_no_closing_checkpoint_of_this_sites_rehearsal(change: object, code: str) -> None:
    text = checkpoints.sign_checkpoint(
        f"{rehearsals.name_of('bidhall.example')}/log", 412, bytes(range(32)), bytes(range(32))
    )
    with pytest.raises(Invalid) as refused:
        rehearsal.read_ended(change(text), "bidhall.example")  # type: ignore[operator]
    assert refused.value.code == code


def test_the_audit_administrator_and_others_confirm_nothing(rooms: Rooms) -> None:
    for username in ("aud", "clerk"):
        who = rooms.person(username)
        assert who.get("/admin/rehearsed").status_code == 403
