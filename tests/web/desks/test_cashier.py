"""The money room by its forms: statements in, refunds prepared by one and approved by another, paid, confirmed, compared; and sealed."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from crypto.canonical import format_time
from crypto.documents import sign_document
from deposits import demands
from deposits.refunds import payees, refunds
from tests.deposits.money_room import DEPOSIT, MoneyRoom
from tests.kit import sealing
from tests.kit.world import World
from tests.web.desks.approving import sign
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import Person, Rooms, open_rooms
from tests.web.desks.test_accounts import Looking
from trading.bidding import bids, participants
from trading.files.scanning import CLEAN, INFECTED
from trading.kernel.calendar import local_day
from trading.kernel.money import Money
from web import wiring
from web.workers import scheduler

PAGES = (
    "",
    "/refunds",
    "/refunds?show=done",
    "/batches",
    "/import",
    "/exceptions",
    "/reconcile",
    "/ledger",
    "/forfeits",
)


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> tuple[MoneyRoom, Rooms]:
    """A world, its desks, and the bank both share."""
    world = World(engine, tmp_path)
    rooms = open_rooms(world, tmp_path)
    (tmp_path / "data" / wiring.REHEARSAL).touch()
    return MoneyRoom(world, tmp_path / "data" / wiring.BANK_FILE), rooms


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def chosen(person: Person, page: str = "/cashier/refunds?show=prepare") -> list[str]:
    return re.findall(r'name="refs" value="([^"]+)"', person.get(page).text)


def prepare(person: Person, refs: list[str], **more: str) -> str:
    return done(send(person, "/cashier/refunds?show=prepare", "prepare", refs=refs, **more))


def batch_of(room: MoneyRoom, page: str) -> refunds.RefundBatch:
    with room.world.view("clock") as view:
        return refunds.batch(view.session, page.rpartition("/")[2])


def state_of(room: MoneyRoom, ref: str) -> str:
    return room.refund(ref).state


def test_from_the_statement_to_the_confirmed_refund_by_forms_alone(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, subs = room.awarded("GP")
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    assert "今天没有应退的款" in cashier.get("/cashier").text
    done(send(cashier, "/cashier/refunds", "due"))
    refs = chosen(cashier)
    assert len(refs) == 2 and chosen(controller) == []

    batch = prepare(cashier, refs)
    page = cashier.get(batch).text
    assert "100,000.00" in page and "acts/pay" not in page and "acts/take-back" in page
    assert {state_of(room, one) for one in refs} == {"REFUND_DRAFT"}
    assert "不能" in text(cashier.get("/cashier/refunds").text)  # own rows cannot be ticked, and it says why
    assert cashier.get(batch + "/approve").status_code == 403

    seen = controller.get(batch + "/approve").text
    name = batch.rpartition("/")[2]
    assert batch_of(room, batch).digest in seen and "壹拾万元整" in seen
    rows = seen.partition("所复核的每一笔")[2]
    assert (
        all(room.payer(name)[0] in rows for name in ("bidder2", "bidder3"))
        and "账号尾号" in rows
        and "100,000.00" in rows
    )
    assert re.fullmatch(r"TF-\d{8}-[0-9A-HJKMNP-TV-Z]{4}", name)
    refused = sign(room, controller, batch, facts={"digest": "0" * 64, "value_on": "2026-01-01"})
    assert refused.status_code == 409 and "签名的不是眼前这一份" in refused.text
    assert "请" in errors(send(controller, batch + "/approve", "approve"))
    assert done(sign(room, controller, batch)) == batch
    assert {state_of(room, one) for one in refs} == {"REFUND_CHECKED"}
    assert "acts/pay" not in controller.get(batch).text

    assert done(send(cashier, batch, "pay")) == batch
    page = cashier.get(batch).text
    assert "已受理" in page and room.bank.balance() == DEPOSIT
    assert {state_of(room, one) for one in refs} == {"SENT"}
    where = done(send(cashier, "/cashier/import", "fetch"))
    assert "confirmed=2" in where and "2" in cashier.get(where).text
    assert {state_of(room, one) for one in refs} == {"CONFIRMED"}
    done(send(cashier, "/cashier/reconcile", "reconcile"))
    assert "一致" in cashier.get("/cashier/reconcile").text
    shown = cashier.get(f"/cashier/refunds/{refs[0]}").text
    assert "D-22" in shown and "银行流水确认到账" in shown
    payments = cashier.get(f"/cashier/batches/{name}/payments.csv").get_data().decode("utf-8-sig").splitlines()
    assert len(payments) == 3 and payments[1].count("50000.00") == 1


def test_a_batch_goes_back_with_its_reason_and_is_prepared_anew(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    room.awarded("GP")
    room.due()
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    batch = prepare(cashier, chosen(cashier))
    assert "请填写" in errors(send(controller, batch + "/approve", "send-back"))
    done(send(controller, batch + "/approve", "send-back", reason="第二行金额请核对"))
    assert "第二行金额请核对" in cashier.get(batch).text and len(chosen(cashier)) == 2
    again = prepare(cashier, chosen(cashier)[:1])
    done(send(cashier, again, "take-back"))
    assert len(chosen(cashier)) == 2
    refused = send(cashier, "/cashier/refunds?show=prepare", "prepare", refs=[])
    assert "没有选择退款" in errors(refused)


def test_who_has_no_key_yet_is_told_to_make_one(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path)
    rooms = open_rooms(world, tmp_path)
    room = MoneyRoom(world, tmp_path / "data" / wiring.BANK_FILE, keys=False)
    room.awarded("GP")
    room.due()
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    batch = prepare(cashier, chosen(cashier))
    page = controller.get(batch + "/approve").text
    assert "制作您的密钥" in controller.get("/cashier").text and "制作您的密钥" not in cashier.get("/cashier").text
    assert "请先制作密钥" in page and 'href="/account/keys"' in page and "data-keywork" not in page
    assert controller.get(batch + "/approval.json").status_code == 404
    keys = controller.get("/account/keys").text
    assert "保证金复核人" in keys
    world.enrol("controller", "controller", seal=False)
    assert "data-keywork" in controller.get(batch + "/approve").text
    assert "制作您的密钥" not in controller.get("/cashier").text
    assert done(sign(room, controller, batch)) == batch


def test_approving_wants_a_fresh_sign_in(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    room.awarded("GP")
    room.due()
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    batch = prepare(cashier, chosen(cashier))
    room.world.clock.advance(minutes=11)
    answer = controller.get(batch + "/approve")
    assert answer.status_code == 303 and answer.headers["Location"].startswith("/account/confirm")
    controller.get(batch)
    answer = controller.act(batch + "/acts/approve", approval="x")
    assert answer.status_code == 303 and answer.headers["Location"].startswith("/account/confirm")
    with room.world.view("clock") as view:
        assert refunds.batch(view.session, batch.rpartition("/")[2]).approved_at is None


def test_nothing_of_a_sealed_lot_is_on_any_page(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, subs = room.paid_lot("GP")
    room.withdraw_bid(ref, "bidder2")
    with room.world.work("bidder2") as work:
        bids.leave(work, participants.own(work, room.world.lot_in(work, ref)))
    (one,) = room.due()
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    batch = done(send(cashier, "/cashier/refunds", "prepare", along="yes"))
    done(sign(room, controller, batch))
    done(send(cashier, batch, "pay"))
    assert room.refund(one).state == "SENT" and room.bank.balance() == DEPOSIT * 3, "its order waits for the clock"
    scheduler.money(room.world.office, room.bank)
    assert room.bank.balance() == DEPOSIT * 2
    where = done(send(cashier, "/cashier/import", "fetch"))
    assert room.refund(one).state == "CONFIRMED"
    names = [room.payer(name) for name in room.world.bidders]
    secret = (
        [word for name, account in names for word in (name, account)] + list(subs.values()) + ["50,000.00", "50000.00"]
    )
    with room.world.view("clock") as view:
        secret.append(demands.find_by_sub_account(view.session, subs["bidder1"]).lot.title)  # type: ignore[union-attr]
    pages = [f"/cashier{page}" for page in PAGES] + [
        batch,
        where,
        f"{batch}/payments.csv",
        "/cashier/refunds?format=csv",
        f"/cashier/ledger?lot={ref}",
        f"/cashier/forfeits?lot={ref}",
    ]
    for person in (cashier, controller):
        for page in pages:
            answer = person.get(page)
            if answer.status_code == 403:
                assert page.endswith("payments.csv") and person is controller
                continue
            assert answer.status_code == 200, page
            body = answer.text
            assert [word for word in secret if word in body] == [], page
            assert ref not in body.replace(f'value="{ref}"', "").replace(f"lot={ref}", ""), page
        assert person.get(f"/cashier/refunds/{one}").status_code == 404
    room.world.tick()
    sealing.close(room.world, ref)  # two are too few: the tender fails, and who paid is public
    room.turn()
    cashier = rooms.person("cashier")
    assert room.payer("bidder2")[0] in cashier.get(f"/cashier/refunds/{one}").text
    assert subs["bidder1"] in cashier.get(f"/cashier/ledger?lot={ref}").text


def test_the_pages_are_the_same_however_many_paid(house: tuple[MoneyRoom, Rooms]) -> None:
    """A statement fetched from the bank tells no number of lines, not in its page, not in its address."""
    room, rooms = house
    ref = room.world.lot("BIDDING")
    subs = room.take_part(ref)
    cashier = rooms.person("cashier")
    seen = []
    for names in ((), ("bidder1",), ("bidder2", "bidder3")):
        for name in names:
            room.pay_in(name, subs[name])
        where = done(send(cashier, "/cashier/import", "fetch"))
        page = cashier.get(where).text
        body = page[page.index("<main") : page.index("</main>")]
        seen.append((where, re.sub(r'value="[^"]*"', "", body)))
    assert seen[0] == seen[1] == seen[2]


def test_a_file_with_faults_is_refused_with_all_of_them_and_a_good_one_told_line_by_line(
    house: tuple[MoneyRoom, Rooms],
) -> None:
    room, rooms = house
    ref = room.world.lot("BIDDING")
    subs = room.take_part(ref)
    room.pay_in("bidder1", subs["bidder1"])
    room.bank.charge(Money.parse("12"))
    cashier, other = rooms.person("cashier"), rooms.person("cashier2")
    bad = "日期,金额,对方户名,对方账号,附言,流水号,余额\n不是日期,abc,甲,1,,a1,1.00\n".encode()
    refused = errors(send(cashier, "/cashier/import", "import", statement=(io.BytesIO(bad), "坏.csv")))
    assert "日期写法不对" in refused and refused.count("abc") <= 2 and "坏.csv" not in refused
    assert "文件" in errors(send(cashier, "/cashier/import", "import"))
    good = room.bank.statement()
    where = done(send(cashier, "/cashier/import", "import", statement=(io.BytesIO(good), "3月.csv")))
    page = cashier.get(where).text
    assert ">来款<" in page and "无法解释" in page and "−12.00" in page
    assert ">来款<" not in other.get(where.partition("?")[0]).text.partition("<main")[2]
    again = done(send(cashier, "/cashier/import", "import", statement=(io.BytesIO(good), "3月.csv")))
    assert again.startswith("/cashier/import") and "没有新" in cashier.get(again).text
    assert other.get("/cashier/exceptions").text.count("acts/charge") == 1
    done(send(other, "/cashier/exceptions", "charge", note="账户管理费"))
    assert "acts/charge" not in other.get("/cashier/exceptions").text


def test_a_difference_opens_a_case_stops_everything_and_is_closed_with_its_explanation(
    house: tuple[MoneyRoom, Rooms],
) -> None:
    room, rooms = house
    room.awarded("GP")
    room.due()
    cashier = rooms.person("cashier")
    room.bank.charge(Money.parse("0.50"))
    done(send(cashier, "/cashier/import", "fetch"))
    done(send(cashier, "/cashier/reconcile", "reconcile"))
    home = cashier.get("/cashier").text
    assert "0.50" in home and "暂停" in home
    refused = send(cashier, "/cashier/refunds?show=prepare", "prepare", refs=chosen(cashier))
    assert refused.status_code == 409 and "差额" in refused.text
    done(send(cashier, "/cashier/exceptions", "charge", note="短信费"))
    assert "请填写" in errors(send(cashier, "/cashier/reconcile", "reconcile"))
    done(send(cashier, "/cashier/reconcile", "reconcile", note="银行短信费 0.50 元，中心承担"))
    assert prepare(cashier, chosen(cashier)).startswith("/cashier/batches/")


def test_a_hold_is_placed_by_one_and_lifted_by_another(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    room.awarded("GP")
    one, _two = room.due()
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    page = f"/cashier/refunds/{one}"
    wrong = errors(send(cashier, page, "hold"))
    assert wrong.count("请填写") == 3  # all faults at once
    until = local_day(room.world.now) + timedelta(days=9)
    done(send(cashier, page, "hold", basis="市住建局 12 号函", owner="市住建局", until=until.isoformat()))
    queue = cashier.get("/cashier/refunds").text
    assert "冻结" in queue and f'value="{one}"' not in queue
    assert "acts/lift" not in cashier.get(page).text
    done(send(controller, page, "lift", why="函已撤销"))
    assert one in chosen(cashier)


def test_a_deposit_is_kept_by_three_persons(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, subs = room.awarded("GP")
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    until = (local_day(room.world.now) + timedelta(days=20)).isoformat()
    where = f"/cashier/forfeits?lot={ref}"
    page = cashier.get(where).text.partition("<main")[2]
    assert "D-43" in page and "D-40" not in page and "D-42" not in page  # those of other laws and methods
    made = done(
        send(
            cashier,
            where,
            "forfeit",
            account=subs["bidder1"],
            ground="D-43",
            evidence="2026-03-30 书面拒签",
            hold_until=until,
        )
    )
    assert "acts/check" not in controller.get(made).text  # not before the bidder was heard
    done(send(cashier, made, "hear", hearing="已送达，投标人未陈述"))
    assert "acts/check" not in cashier.get(made).text
    done(sign(room, controller, made, "check"))
    assert "待采购人决定" in controller.get(made).text
    assert "等采购人" in controller.get(made).text or "采购人" in controller.get(made).text
    done(send(controller, made, "drop", why="投标人已签订合同"))
    assert "已撤销" in cashier.get(made).text


def test_the_purchaser_decides_on_a_page_of_its_own(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, subs = room.awarded("GP")
    cashier, controller, buyer = rooms.person("cashier"), rooms.person("controller"), rooms.person("buyer")
    until = (local_day(room.world.now) + timedelta(days=20)).isoformat()
    made = done(
        send(
            cashier,
            f"/cashier/forfeits?lot={ref}",
            "forfeit",
            account=subs["bidder1"],
            ground="D-43",
            evidence="书面拒签",
            hold_until=until,
        )
    )
    where = "/agency/forfeits/" + made.rpartition("/")[2]
    assert "/agency/forfeits/" not in buyer.get("/agency").text  # not before two persons went through it
    done(send(cashier, made, "hear", hearing="投标人称价格算错"))
    done(sign(room, controller, made, "check"))
    assert f'href="{where}"' in buyer.get("/agency").text
    page = buyer.get(where).text
    assert "书面拒签" in page and "投标人称价格算错" in page and "伍万元整" in page
    assert cashier.get(where).status_code == 403
    room.world.clock.advance(minutes=11)
    assert buyer.get(where).headers["Location"].startswith("/account/confirm")
    buyer = rooms.person("buyer")
    assert done(sign(room, buyer, where, "keep", by="buyer")) == where
    assert "acts/keep" not in buyer.get(where).text and "国库" in buyer.get(where).text
    assert "已决定" in cashier.get(made).text or "不予退还" in cashier.get(made).text


def test_another_account_is_approved_by_two_who_read_the_banks_paper(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, _subs = room.paid_lot("GP")
    room.terminate(ref)
    bidder, cashier = rooms.person("bidder1", "bidder-signer"), rooms.person("cashier")
    first, second = rooms.person("controller"), rooms.person("controller2")
    name = next(one for one in room.due() if room.refund(one).payee_name == room.payer("bidder1")[0])
    batch = room.prepare(name)
    room.approve(batch)
    room.pay(batch)
    where = f"/cashier/refunds/{name}"
    assert cashier.get(where + "/proof").status_code == 404
    done(send(cashier, where, "rehearse-return"))
    done(send(cashier, "/cashier/import", "fetch"))
    assert state_of(room, name) == "RETURNED_BY_BANK" and "销户" in cashier.get(where).text
    assert "acts/rehearse-return" not in cashier.get(where).text
    paper = b"%PDF-1.7 the account belongs to this company"

    def ask(account: str) -> None:
        page = f"/bidder/deposits/{ref}"
        done(
            bidder.act(
                f"{page}/acts/payee", page=page, refund=name, account=account, proof=(io.BytesIO(paper), "证明.pdf")
            )
        )

    ask("6222 0000 1111 2222")
    assert where in first.get("/cashier").text
    page = first.get(where).text
    assert "6222 0000 1111 2222" in page and f'href="{where}/proof"' in page
    for person in (first, second, cashier):
        saved = person.get(where + "/proof")
        assert (
            saved.status_code == 200
            and saved.get_data() == paper
            and "attachment" in saved.headers["Content-Disposition"]
        )
    assert "请填写" in errors(send(first, where, "decline-payee"))
    done(send(first, where, "decline-payee", declined_why="证明上没有银行印章"))
    assert (
        "acts/payee" not in first.get(where).text and "证明上没有银行印章" in bidder.get(f"/bidder/deposits/{ref}").text
    )
    ask("6222 0000 1111 3333")
    done(sign(room, first, where, "payee"))
    waiting = first.get(where).text
    assert "acts/payee" not in waiting and "另一名复核人也批准后才算数" in waiting
    told = first.get(where + "/approval.json").get_json()["document"] | {
        "at": format_time(room.world.now.replace(microsecond=0))
    }
    again = json.dumps(sign_document("approval", told, room.world.keys["controller"].sign))
    assert first.act(where + "/acts/payee", page=where, approval=again).status_code == 403
    done(sign(room, second, where, "payee", by="controller2"))
    assert room.refund(name).payee_account == "6222000011113333"
    page = cashier.get(where).text
    assert "acts/payee" not in page and "controller2" in page and name in chosen(cashier)


def test_the_banks_paper_waits_for_the_scanner(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, _subs = room.paid_lot("GP")
    room.terminate(ref)
    name = next(one for one in room.due() if room.refund(one).payee_name == room.payer("bidder1")[0])
    batch = room.prepare(name)
    room.approve(batch)
    (key,) = room.pay(batch)
    room.fetch()
    room.bank.give_back(key)
    room.fetch()
    with room.world.work("bidder1") as work:
        payees.ask(
            work,
            refunds.refund(work.session, name),
            account="6222000011112222",
            proof=work.office.blobs.put([b"%PDF-1.7 x"]),
        )
    assert payees.scan(room.world.office, None) == 0
    assert (
        payees.scan(room.world.office, Looking(INFECTED)) == 1 and payees.scan(room.world.office, Looking(CLEAN)) == 0
    )
    held = rooms.person("controller").get(f"/cashier/refunds/{name}/proof")
    assert held.status_code == 409


def test_no_bank_is_connected_outside_a_rehearsal(engine: Engine, tmp_path: Path) -> None:
    """Money never seems to move where none does: orders wait in the payment file, the statement comes as a file."""
    world = World(engine, tmp_path)
    rooms = open_rooms(world, tmp_path)
    room = MoneyRoom(world, tmp_path / "elsewhere.db")
    room.awarded("GP")
    room.due()
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    assert "acts/fetch" not in cashier.get("/cashier/import").text
    assert cashier.act("/cashier/acts/fetch", page="/cashier/import").status_code == 503
    assert "acts/rehearse" not in cashier.get("/cashier/import").text
    assert cashier.act("/cashier/acts/rehearse", page="/cashier/import", what="unnamed").status_code == 404
    batch = prepare(cashier, chosen(cashier))
    done(sign(room, controller, batch))
    done(send(cashier, batch, "pay"))
    assert "没有连接银行" in cashier.get(batch).text and room.bank.balance() == DEPOSIT * 3


def test_who_may_not(house: tuple[MoneyRoom, Rooms]) -> None:
    _room, rooms = house
    for person in (rooms.person("bidder1"), rooms.person("watch"), rooms.person("clerk")):
        assert {person.get(f"/cashier{page}").status_code for page in PAGES} == {403}
    controller = rooms.person("controller")
    for act in ("import", "fetch", "due", "prepare", "reconcile", "forfeit"):
        assert controller.act(f"/cashier/acts/{act}", page="/cashier").status_code == 403


def test_a_turn_of_the_clock_finds_what_fell_due_and_hands_over_orders(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, _subs = room.awarded("GP")
    room.world.clock.advance(minutes=1)
    assert "refund" in scheduler.turn(room.world.office, room.bank)
    assert scheduler.turn(room.world.office, room.bank) == []  # nothing taken, so the money room is not asked
    refs = [row.ref for row in room.all_refunds()]
    assert len(refs) == 2
    batch = room.prepare(*refs)
    room.approve(batch)
    with room.world.work("cashier") as work:
        refunds.pay(work, refunds.batch(work.session, batch))
    room.world.clock.advance(minutes=1)
    assert "deliver" in scheduler.turn(room.world.office, room.bank)
    assert room.bank.balance() == DEPOSIT
