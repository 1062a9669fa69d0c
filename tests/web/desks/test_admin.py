"""Three administrators: people and keys, calendar and health, the log; and what none of them sees."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from tests.deposits.money_room import MoneyRoom
from tests.kit.world import SETUP, World, credit_code
from tests.web.desks.purchasing import done, errors, forms_of, send
from tests.web.desks.rooms import Rooms, open_rooms
from trading.kernel import at_rest, signed
from trading.kernel.access import Role
from trading.kernel.audit import ActRecord
from trading.kernel.calendar import packaged_calendar
from trading.parties import parties
from trading.rulebook import calendars

SEATS = (
    ("secadmin", Role.SECURITY_ADMIN),
    ("second", Role.SECURITY_ADMIN),
    ("sysadmin", Role.SYSTEM_ADMIN),
    ("auditadmin", Role.AUDIT_ADMIN),
)
PAGES = {
    "secadmin": ("/admin/people", "/admin/people/new", "/admin/grants", "/admin/parties", "/admin/keys"),
    "sysadmin": ("/admin/calendar", "/admin/health"),
    "auditadmin": ("/admin/log", "/admin/log?verify=yes"),
}


@pytest.fixture
def rooms(engine: Engine, tmp_path: Path) -> Rooms:
    world = World(engine, tmp_path)
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for username, role in SEATS:
            who = parties.invite(
                work,
                centre,
                username=username,
                name=f"管理员{username}",
                password="correct horse battery",
                roles=[role],
            )
            world.people[username] = who.id
    return open_rooms(world, tmp_path)


def test_each_seat_opens_its_own_pages_and_no_other(rooms: Rooms) -> None:
    for username, pages in PAGES.items():
        person = rooms.person(username)
        assert person.get("/admin").status_code == 200
        assert {person.get(page).status_code for page in pages} == {200}, username
        others = [page for name, held in PAGES.items() if name != username for page in held]
        assert {person.get(page).status_code for page in others} == {403}, username
    for username in ("clerk", "bidder1", "agent"):
        assert rooms.person(username).get("/admin").status_code == 403


def test_name_and_code_of_an_organisation_are_corrected_by_two(rooms: Rooms) -> None:
    admin, world = rooms.person("secadmin"), rooms.world
    with world.view("clerk") as view:
        old = parties.own_party(view)
        bound = parties.party(view.session, world.party_ids["agency"])
        firm = parties.party(view.session, world.party_ids["bidder1"])
    page, right = f"/admin/parties/correct?party={old.code}", credit_code(93)
    assert f'href="{page}"' in admin.get("/admin/parties").text
    wrong = errors(send(admin, page, "correct", code=right[:-1] + "0", name="", reason=""))
    assert wrong.count("请填写") == 2  # the name, and why
    where = done(send(admin, page, "correct", code=right, name="更名后的中心", reason="登记证书"))
    assert "另一位安全管理员" in admin.get(where).text and not [
        action for action, _ in forms_of(admin.get(where).text) if action.endswith("confirm")
    ]
    assert where in admin.get(page).text, "one at a time"
    assert where not in admin.get("/admin").text
    second = rooms.person("second")
    assert where in second.get("/admin").text and "提议更正单位" in second.get("/account/inbox").text
    assert "请填写" in errors(send(second, where, "refuse", answer=""))
    done(send(second, where, "confirm"))
    told = second.get("/admin/parties?q=" + old.code).text
    assert right in told and "更名后的中心" in told and old.name in told
    with world.view("clerk") as view:
        now = parties.own_party(view)
        assert (now.code, now.name, now.bank_account) == (right, "更名后的中心", old.bank_account)
        ((_, record),) = signed.records(view, ("party.correct",))
        assert (record["facts"]["old_code"], record["facts"]["code"]) == (old.code, right)
        assert list(at_rest.unreadable(view.session)) == []
    assert "不能更正" in errors(
        send(admin, f"/admin/parties/correct?party={firm.code}", "correct", code=credit_code(94), reason="证书")
    )
    assert rooms.person("clerk").get(page).status_code == 403
    where = done(send(admin, f"/admin/parties/correct?party={bound.code}", "correct", name="又名", reason="证书"))
    done(send(admin, where, "withdraw"))
    assert "已撤回" in admin.get(where).text


def test_invite_propose_confirm_refuse_clashes_revoke_disable(rooms: Rooms) -> None:
    admin = rooms.person("secadmin")
    new = {"name": "云汀市资金结算所", "code": credit_code(95), "kind": "centre"}
    assert "交易中心已经登记" in errors(send(admin, "/admin/parties", "register", **new))
    firm = done(send(admin, "/admin/parties", "register", **new, another="yes"))
    assert firm == f"/admin/people/new?party={credit_code(95)}"
    clashing = errors(
        send(admin, firm, "invite", username="", name="钱思源", password="short", roles=["cashier", "controller"])
    )
    assert clashing.count("请填写") == 2  # the name of the account, and why
    clashing = errors(
        send(
            admin,
            firm,
            "invite",
            username="qian",
            name="钱思源",
            password="short",
            roles=["cashier", "controller"],
            reason="接任",
        )
    )
    assert "保证金经办" in clashing and "保证金复核" in clashing
    assert "10" in errors(
        send(admin, firm, "invite", username="qian", name="钱思源", password="short", roles=["witness"])
    )
    page = done(
        send(
            admin,
            firm,
            "invite",
            username="Qian",
            name="钱思源",
            password="lantern over bridges",
            roles=["cashier", "witness"],
            reason="接任保证金经办",
        )
    )
    body = admin.get(page).text
    assert "钱思源" in body and "已提议、尚未生效" in body and "接任保证金经办" in body and "从未登录" in body
    rooms.world.people["qian"] = int(page.rpartition("/")[2])
    with rooms.world.office.work(SETUP) as work:
        assert parties.roles_of(work.session, parties.account(work.session, rooms.world.people["qian"])) == {
            Role.WITNESS
        }
    assert "保证金复核" in errors(send(admin, page, "grant", role="controller", reason="兼任"))
    second = rooms.person("second")
    home = second.get("/admin").text
    assert "请确认或退回拟授角色：钱思源" in home and "待确认的授权" in second.get("/account/inbox").text
    proposal = re.findall(r"/admin/grants/\d+", home)[0]
    assert "acts/confirm" not in admin.get(proposal).text and "您可以撤回" in admin.get(proposal).text
    assert admin.act(proposal + "/acts/confirm", page=proposal).status_code == 403
    assert "请填写" in errors(send(second, proposal, "refuse", answer=" "))
    shown = send(
        second, proposal, "confirm"
    ).text  # the first password is known to who invited: another hands over a second part
    assert re.search(r"<code>(?:[A-Z0-9]{4}-){3}[A-Z0-9]{4}</code>", shown)
    body = admin.get(page).text
    assert "与“保证金经办”不能兼任" in body and "已提议、尚未生效" not in body and "second" in body
    assert admin.get("/admin/people?role=witness").text.count("钱思源") == 1
    assert "钱思源" in admin.get("/admin/grants").text
    done(send(admin, page, "revoke", role="cashier"))
    with rooms.world.office.work(SETUP) as work:
        assert parties.roles_of(work.session, parties.account(work.session, rooms.world.people["qian"])) == {
            Role.WITNESS
        }
    person = rooms.person("clerk")
    assert (
        "从未" in admin.get("/admin/people?q=qian").text
        and "从未" not in admin.get("/admin/people?q=clerk").text.partition("<main")[2]
    )
    clerk_page = f"/admin/people/{rooms.world.people['clerk']}"
    assert "请" in errors(send(admin, clerk_page, "disable"))
    done(send(admin, clerk_page, "disable", sure="yes"))
    assert person.get("/centre").status_code in (302, 303)  # the sign-in is dead at once
    assert "停用" in admin.get(clerk_page).text
    done(send(admin, page, "reset", password="another lantern here"))
    own = f"/admin/people/{rooms.world.people['secadmin']}"
    assert "acts/grant" not in admin.get(own).text and "acts/disable" not in admin.get(own).text
    assert admin.act(own + "/acts/grant", page=own, role="witness").status_code == 403
    other = f"/admin/people/{rooms.world.people['second']}"
    assert "acts/reset" not in admin.get(other).text
    assert admin.act(other + "/acts/reset", page=other, password="another lantern here", why="x").status_code == 403


def test_a_bidders_employee_is_offered_a_bidders_roles_only(rooms: Rooms) -> None:
    """A system administrator could make a bidder's employee cashier of the centre, alone."""
    admin = rooms.person("secadmin")
    page = f"/admin/people/{rooms.world.people['bidder1']}"
    body = admin.get(page).text.partition("<main")[2]
    assert 'value="cashier"' not in body and 'value="bidder-admin"' in body
    assert "不适用于投标人的人员" in errors(send(admin, page, "grant", role="cashier", reason="兼任"))
    firm = f"/admin/people/new?party={credit_code(101)}"
    assert 'value="cashier"' not in admin.get(firm).text
    assert "不适用于投标人的人员" in errors(
        send(
            admin,
            firm,
            "invite",
            username="mole",
            name="内鬼",
            password="lantern over bridges",
            roles=["bidder-operator", "cashier"],
            reason="兼任",
        )
    )
    with rooms.world.office.work(SETUP) as work:  # a grant from before the table of kinds
        work.session.add(
            parties.RoleGrant(account_id=rooms.world.people["bidder1"], role=Role.CASHIER, granted_at=work.now)
        )
    assert "不生效" in admin.get(page).text
    bidder = rooms.person("bidder1")
    assert bidder.get("/cashier").status_code == 403
    assert bidder.act("/account/acts/role", page="/account", role="cashier").status_code == 403
    assert (
        "EXPERT" not in admin.get("/admin/people/new").text
        and "没有这个代码的单位" in admin.get("/admin/people/new?party=nobody").text
    )


def test_granting_wants_a_fresh_sign_in(rooms: Rooms) -> None:
    admin = rooms.person("secadmin")
    page = f"/admin/people/{rooms.world.people['host']}"
    admin.get(page)
    rooms.world.clock.advance(minutes=11)
    answer = admin.act(page + "/acts/grant", role="witness")
    assert answer.status_code == 303 and answer.headers["Location"].startswith("/account/confirm")


def test_experts_and_secrets_are_on_no_list(rooms: Rooms) -> None:
    world = rooms.world
    with world.office.work(SETUP) as work:
        unit = parties.register(work, code="EXPERT-9", name="李专家", kind="expert")
        parties.invite(
            work, unit, username="expert09", name="李专家", password="correct horse battery", roles=[Role.EXPERT]
        )
    world.people["expert09"] = 0
    admin = rooms.person("secadmin")
    for page in ("/admin/people", "/admin/people?role=expert", "/admin/parties", "/admin/keys", "/admin/people?q=专家"):
        assert "李专家" not in admin.get(page).text.partition("<main")[2], page
    assert "李专家" in admin.get("/admin/people?q=expert09").text  # who knows the username finds the account
    keys = admin.get("/admin/keys").text
    assert len(re.findall(r"(?:[0-9a-f]{4} ){7}[0-9a-f]{4}", keys)) >= 10
    health = rooms.person("sysadmin").get("/admin/health").text
    assert "session.key" not in health and "correct horse" not in health


def test_a_calendar_with_faults_tells_them_all_and_a_right_one_is_loaded(rooms: Rooms) -> None:
    admin = rooms.person("sysadmin")
    bad = "year,2028\nstatus,announced\nsource,通知\ndate,day,feast\n2028-13-01,rest,元旦\n2027-01-01,rest,元旦\n2028-02-01,maybe,\n"
    answer = send(admin, "/admin/calendar", "calendar", calendar=(io.BytesIO(bad.encode()), "2028.csv"))
    told = errors(answer)
    assert answer.status_code == 422
    for line in ("line 5", "line 6", "line 7"):
        assert line in told
    assert "2028" not in {str(year) for year in packaged_calendar().years}
    text = "year,2028\nstatus,announced\nsource,国办发明电〔2027〕9号\ndate,day,feast\n" + "".join(
        f"2028-{day},rest,节日\n" for day in ("01-01", "05-01", "05-02", "10-01", "10-02", "10-03")
    )
    with rooms.world.view("clock") as view:
        before = calendars.current(view.session).years
    assert 2028 not in before
    done(send(admin, "/admin/calendar", "calendar", calendar=(io.BytesIO(text.encode()), "2028.csv")))
    assert "国办发明电〔2027〕9号" in admin.get("/admin/calendar").text
    with rooms.world.view("clock") as view:
        assert 2028 in calendars.current(view.session).years


def test_health_names_what_stands_still(rooms: Rooms) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    world.tick()
    admin = rooms.person("sysadmin")
    page = admin.get("/admin/health").text
    assert "时点正常" in page and ref in page
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
    assert deadline is not None
    world.clock.set(deadline + timedelta(minutes=5))
    admin = rooms.person("sysadmin")
    page = admin.get("/admin/health").text
    assert "截止" in page and "bidhall tick" in page
    assert "停住" in admin.get("/admin").text


def test_the_auditor_verifies_and_sees_a_changed_row_but_no_count_of_entries(rooms: Rooms, engine: Engine) -> None:
    world = rooms.world
    room = MoneyRoom(world, world.office.blobs.folder.parent / "bank.db")
    ref, _subs = room.paid_lot("GP")
    world.tick()
    auditor = rooms.person("auditadmin")
    page = auditor.get("/admin/log?verify=yes").text
    main = page.partition("<main")[2]
    assert "每一条记录" in main and "不成立" not in main and "新增账号" in main
    for name in world.bidders:
        assert room.payer(name)[0] not in main
    assert [action for action, _ in forms_of(main) if "/acts/" in action] == []  # it changes nothing
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            found = connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'act_record'"
            ).all()
            for (name,) in found:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.execute(update(ActRecord).where(ActRecord.id == 1).values(payload="{}"))
        assert "不成立" in auditor.get("/admin/log?verify=yes").text
    assert ref in auditor.get("/admin/log").text
