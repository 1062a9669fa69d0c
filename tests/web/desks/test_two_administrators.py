"""One administrator is not two people: what a role of weight hangs on, two decide, and nobody but its owner ever knows a whole password."""

from __future__ import annotations

import re
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import Engine, select

from tests.kit.world import SETUP, World
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import Person, Rooms, open_rooms
from trading.kernel.access import Role
from trading.parties import parties, role_proposals

PART = re.compile(r"<code>((?:[A-Z0-9]{4}-){3}[A-Z0-9]{4})</code>")
FIRST, OWN = "lantern over bridges", "seven herons cross a slow river"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture
def rooms(engine: Engine, tmp_path: Path) -> Rooms:
    world = World(engine, tmp_path)
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for username in ("secadmin", "second"):
            who = parties.invite(
                work,
                centre,
                username=username,
                name=f"管理员{username}",
                password="correct horse battery",
                roles=[Role.SECURITY_ADMIN],
            )
            world.people[username] = who.id
    return open_rooms(world, tmp_path)


def try_in(rooms: Rooms, username: str, password: str, code: str = "") -> tuple[Person, int, str]:
    one = Person(rooms.app.test_client())
    one.get("/account/sign-in")
    answer = one.act("/account/acts/sign-in", username=username, password=password, code=code)
    return one, answer.status_code, answer.headers.get("Location", "")


def invited(rooms: Rooms, *roles: str) -> tuple[Person, str]:
    """The page of somebody whom the first administrator has invited."""
    admin = rooms.person("secadmin")
    firm = "/admin/people/new?party=CENTRE"
    with rooms.world.view("secadmin") as view:
        firm = f"/admin/people/new?party={parties.party(view.session, rooms.world.party_ids['centre']).code}"
    page = done(
        send(admin, firm, "invite", username="qian", name="钱思源", password=FIRST, roles=list(roles), reason="接任")
    )
    return admin, page


def confirmed(rooms: Rooms, who: str = "second") -> str:
    """What the second administrator is shown on confirming the one thing that waits."""
    second = rooms.person(who)
    (proposal,) = set(re.findall(r"/admin/grants/\d+", second.get("/admin").text))
    answer = send(second, proposal, "confirm")
    assert answer.status_code in (200, 303), answer.text
    return str(answer.text) if answer.status_code == 200 else ""


def test_whoever_invites_a_controller_cannot_sign_in_as_one(rooms: Rooms) -> None:
    invited(rooms, "witness", "controller")
    knows, status, _ = try_in(rooms, "qian", FIRST)
    assert status == 303 and knows.get("/account").status_code == 200, "a witness so far"
    (part,) = PART.findall(confirmed(rooms))
    assert knows.get("/account").status_code == 302, "whoever was in with the handed password is out"
    for password in (FIRST, part, part + FIRST, FIRST + part[:-1] + "x"):
        assert try_in(rooms, "qian", password)[1] == 422
    rooms.world.clock.advance(minutes=20)
    person, status, where = try_in(rooms, "qian", FIRST + part.lower())
    assert (status, where) == (303, "/account/password")
    for path in ("/cashier", "/account", "/account/inbox"):
        assert person.get(path).headers["Location"] == "/account/password", path
    assert person.get("/account", headers={"Accept": "application/json"}).get_json()["code"] == (
        "account.own_password_first"
    )
    shown = person.get("/account/password")
    assert shown.status_code == 200 and "分两部分" in shown.text
    assert person.act("/account/acts/password", old=FIRST, new=OWN).status_code == 422
    assert person.act("/account/acts/password", old=FIRST + " " + part, new=OWN).location == "/account"
    assert person.get("/account").status_code == 200
    assert person.act("/account/acts/role", page="/account", role="controller").location == "/cashier"
    assert person.get("/cashier").status_code == 200
    assert try_in(rooms, "qian", FIRST + part)[1] == 422 and try_in(rooms, "qian", OWN)[1] == 303


def test_whoever_invites_and_changes_the_first_password_gets_no_role_of_weight_by_it(rooms: Rooms) -> None:
    """The one who signs in with a handed password and sets another may be the one who handed it over."""
    admin, page = invited(rooms, "witness")
    knows, _, _ = try_in(rooms, "qian", FIRST)
    knows.get("/account/password")
    assert knows.act("/account/acts/password", old=FIRST, new=OWN).location == "/account"
    done(send(admin, page, "grant", role="controller", reason="复核"))
    (part,) = PART.findall(confirmed(rooms))
    assert knows.get("/account").status_code == 302 and try_in(rooms, "qian", OWN)[1] == 422
    assert try_in(rooms, "qian", OWN + part)[1] == 303


def test_an_owner_whose_password_took_two_to_hand_over_gets_a_role_without_a_second_part(rooms: Rooms) -> None:
    admin, page = invited(rooms, "witness", "host")
    (part,) = PART.findall(confirmed(rooms))
    owner, _, _ = try_in(rooms, "qian", FIRST + part)
    owner.get("/account/password")
    assert owner.act("/account/acts/password", old=FIRST + part, new=OWN).location == "/account"
    done(send(admin, page, "grant", role="controller", reason="复核"))
    with rooms.world.office.work(SETUP) as work:  # a light account whose password an administrator had reset in between
        parties.account(work.session, int(page.rpartition("/")[2])).handed_by = rooms.world.people["secadmin"]
    assert PART.findall(confirmed(rooms))


def test_a_password_of_weight_is_reset_by_two(rooms: Rooms) -> None:
    world = rooms.world
    admin, page = rooms.person("secadmin"), f"/admin/people/{world.people['host']}"
    signed_in = rooms.person("host")
    assert "请填写" in errors(send(admin, page, "reset", password=FIRST, why=" "))
    done(send(admin, page, "reset", password=FIRST, why="本人忘记"))
    assert signed_in.get("/account").status_code == 200 and try_in(rooms, "host", FIRST)[1] == 422, "nothing yet"
    body = admin.get(page).text
    assert "重设密码" in body and "acts/reset" not in body
    with world.view("secadmin") as view:
        waiting = role_proposals.open_for(view.session, parties.account(view.session, world.people["host"]))
    proposal = f"/admin/grants/{waiting[0].id}"
    assert admin.act(proposal + "/acts/confirm", page=proposal).status_code == 403, "not the one who proposed it"
    second = rooms.person("second")
    assert "提议为" in second.get("/account/inbox").text
    answer = send(second, proposal, "confirm")
    (part,) = PART.findall(answer.text)
    assert signed_in.get("/account").status_code == 302
    assert try_in(rooms, "host", FIRST)[1] == 422 and try_in(rooms, "host", FIRST + part)[1] == 303
    with world.view("secadmin") as view:
        assert list(view.session.scalars(select(role_proposals.RoleProposal.password))) == [""]
    assert PART.findall(second.get(proposal).text) == [], "shown once"


def test_a_refused_reset_changes_nothing_and_its_password_is_dropped(rooms: Rooms) -> None:
    admin, page = rooms.person("secadmin"), f"/admin/people/{rooms.world.people['host']}"
    done(send(admin, page, "reset", password=FIRST, why="本人忘记"))
    second = rooms.person("second")
    (proposal,) = set(re.findall(r"/admin/grants/\d+", second.get("/admin").text))
    done(send(second, proposal, "refuse", answer="本人没有来过"))
    assert "被退回" in admin.get("/account/inbox").text
    assert try_in(rooms, "host", FIRST)[1] == 422 and rooms.person("host").get("/account").status_code == 200
    with rooms.world.view("secadmin") as view:
        assert list(view.session.scalars(select(role_proposals.RoleProposal.password))) == [""]


def test_a_light_account_is_reset_by_one_with_a_fresh_sign_in(rooms: Rooms) -> None:
    admin, page = rooms.person("secadmin"), f"/admin/people/{rooms.world.people['clerk']}"
    admin.get(page)
    rooms.world.clock.advance(minutes=11)
    answer = admin.act(page + "/acts/reset", password=FIRST)
    assert answer.status_code == 303 and answer.headers["Location"].startswith("/account/confirm")
    assert try_in(rooms, "clerk", FIRST)[1] == 422
    admin = rooms.person("secadmin")
    done(send(admin, page, "reset", password=FIRST))
    assert try_in(rooms, "clerk", FIRST)[1] == 303


@pytest.mark.parametrize(("name", "by_two"), [("host", True), ("clerk", False)])
def test_a_second_factor_is_voided_by_two_where_it_has_weight(rooms: Rooms, name: str, by_two: bool) -> None:
    world = rooms.world
    with world.office.work(SETUP) as work:
        parties.account(work.session, world.people[name]).totp_secret = SECRET
    assert try_in(rooms, name, "correct horse battery", pyotp.TOTP(SECRET).at(world.now))[1] == 303
    admin, page = rooms.person("secadmin"), f"/admin/people/{world.people[name]}"
    if by_two:
        assert "请填写" in errors(send(admin, page, "second-factor", lost=""))
    done(send(admin, page, "second-factor", lost="手机丢失"))
    if by_two:
        assert try_in(rooms, name, "correct horse battery")[1] == 422
        assert confirmed(rooms) == ""
    assert try_in(rooms, name, "correct horse battery")[1] == 303


def test_a_closed_account_is_opened_again_by_two(rooms: Rooms) -> None:
    admin, page = rooms.person("secadmin"), f"/admin/people/{rooms.world.people['clerk']}"
    done(send(admin, page, "disable", sure="yes"))
    assert "请填写" in errors(send(admin, page, "enable", back=""))
    done(send(admin, page, "enable", back="休假回来"))
    assert try_in(rooms, "clerk", "correct horse battery")[1] == 403
    assert "acts/enable" not in admin.get(page).text
    assert confirmed(rooms) == ""
    assert try_in(rooms, "clerk", "correct horse battery")[1] == 303
    assert "acts/disable" in admin.get(page).text and "重新启用账号" in admin.get("/admin/grants").text


def test_nobody_decides_about_themself(rooms: Rooms) -> None:
    admin, own = rooms.person("secadmin"), f"/admin/people/{rooms.world.people['secadmin']}"
    body = admin.get(own).text
    assert "acts/reset" not in body and "acts/second-factor" not in body
    for act, field in (("reset", "why"), ("second-factor", "lost"), ("enable", "back")):
        answer = admin.act(f"{own}/acts/{act}", page=own, password=FIRST, **{field: "x"})  # type: ignore[arg-type]
        assert answer.status_code == 403, act
    other = f"/admin/people/{rooms.world.people['second']}"
    assert admin.act(f"{other}/acts/reset", page=other, password=FIRST, why="x").status_code == 403


def test_what_one_person_gave_at_the_machine_is_told_in_the_log_and_on_its_page(rooms: Rooms) -> None:
    """The first administrators come from whoever runs the machine; what two decide afterwards is not counted with them."""
    guest = Person(rooms.app.test_client())
    rooms.world.tick()
    rooms.world.tick()
    with rooms.world.view("clock") as view:
        before = parties.made_alone(view)
    assert before[-1][1] == before[-2][1] == ("security-admin",)
    page = guest.get("/audit?lang=en").text
    assert "Given by one person" in page and f"{len(before)} times" in page
    assert "由一个人授予" in guest.get("/audit?lang=zh").text
    invited(rooms, "cashier")
    confirmed(rooms)
    with rooms.world.view("clock") as view:
        assert parties.made_alone(view) == before
