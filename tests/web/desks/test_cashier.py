"""The money room by its forms: statements in, refunds prepared by one and approved by another, paid, confirmed, compared; and sealed."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deposits import demands, refunds
from tests.deposits.money_room import DEPOSIT, MoneyRoom
from tests.kit import sealing
from tests.kit.world import World
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import Person, Rooms, open_rooms
from trading import bids, participants
from trading.kernel.calendar import local_day
from trading.kernel.money import Money
from web import clockwork, wiring

PAGES = ("", "/refunds", "/refunds?show=done", "/batches", "/import", "/exceptions", "/reconcile", "/ledger", "/forfeits")


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
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', seen)
    assert digest is not None and "壹拾万元整" in seen
    rows = seen.partition("所复核的每一笔")[2]
    assert all(room.payer(name)[0] in rows for name in ("bidder2", "bidder3")) and "账号尾号" in rows and "100,000.00" in rows
    assert re.fullmatch(r"TF-\d{8}-[0-9A-HJKMNP-TV-Z]{4}", name)
    refused = send(controller, batch + "/approve", "approve", digest="0" * 64)
    assert refused.status_code == 409 and "批次内容与您看到的摘要不一致" in refused.text
    assert done(send(controller, batch + "/approve", "approve")) == batch
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
    answer = controller.act(batch + "/acts/approve", digest="x")
    assert answer.status_code == 303 and answer.headers["Location"].startswith("/account/confirm")
    with room.world.look("clock") as look:
        assert refunds.batch(look.session, batch.rpartition("/")[2]).approved_at is None


def test_nothing_of_a_sealed_lot_is_on_any_page(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, subs = room.paid_lot("GP")
    room.withdraw_bid(ref, "bidder2")
    with room.world.work("bidder2") as work:
        bids.leave(work, participants.own(work, room.world.lot_in(work, ref)))
    (one,) = room.due()
    cashier, controller = rooms.person("cashier"), rooms.person("controller")
    batch = prepare(cashier, [one])
    done(send(controller, batch + "/approve", "approve"))
    done(send(cashier, batch, "pay"))
    where = done(send(cashier, "/cashier/import", "fetch"))
    names = [room.payer(name) for name in room.world.bidders]
    secret = [word for name, account in names for word in (name, account)] + list(subs.values()) + ["50,000.00", "50000.00"]
    with room.world.look("clock") as look:
        secret.append(demands.find_by_sub_account(look.session, subs["bidder1"]).lot.title)  # type: ignore[union-attr]
    pages = [f"/cashier{page}" for page in PAGES] + [batch, where, f"/cashier/refunds/{one}", f"{batch}/payments.csv",
             "/cashier/refunds?format=csv", f"/cashier/ledger?lot={ref}", f"/cashier/forfeits?lot={ref}"]
    for person in (cashier, controller):
        for page in pages:
            answer = person.get(page)
            if answer.status_code == 403:
                assert page.endswith("payments.csv") and person is controller
                continue
            assert answer.status_code == 200, page
            body = answer.text
            if page in ("/cashier", "/cashier/ledger", f"/cashier/ledger?lot={ref}") or "/statements/" in page or page.endswith("/import"):
                told = [word for word in secret if word not in ("50,000.00", "50000.00")]  # totals over all lots
            else:
                told = secret
            assert [word for word in told if word in body] == [], page
            assert ref not in body.replace(f'value="{ref}"', "").replace(f"lot={ref}", ""), page
    assert "封存" in cashier.get(f"/cashier/refunds/{one}").text
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
    for names in (("bidder1",), ("bidder2", "bidder3")):
        for name in names:
            room.pay_in(name, subs[name])
        where = done(send(cashier, "/cashier/import", "fetch"))
        page = cashier.get(where).text
        body = page[page.index("<main"):page.index("</main>")]
        body = re.sub(r"[\d,]+\.\d\d|\d\d:\d\d(:\d\d)?|statements/[a-z0-9]+|<span class=\"proof\">[^<]+", "#", body)
        seen.append((re.sub(r"statements/[a-z0-9]+", "#", where), re.sub(r'value="[^"]*"', "", body)))
    assert seen[0] == seen[1]


def test_a_file_with_faults_is_refused_with_all_of_them_and_a_good_one_told_line_by_line(house: tuple[MoneyRoom, Rooms]) -> None:
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


def test_a_difference_opens_a_case_stops_everything_and_is_closed_with_its_explanation(house: tuple[MoneyRoom, Rooms]) -> None:
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
    assert "D-42" in cashier.get(where).text and "D-40" not in cashier.get(where).text.partition("<main")[2]
    made = done(send(cashier, where, "forfeit", account=subs["bidder1"], ground="D-42", evidence="2026-03-30 书面拒签", hold_until=until))
    assert "acts/check" not in controller.get(made).text  # not before the bidder was heard
    done(send(cashier, made, "hear", hearing="已送达，投标人未陈述"))
    assert "acts/check" not in cashier.get(made).text
    done(send(controller, made, "check"))
    assert "待采购人决定" in controller.get(made).text
    assert "等采购人" in controller.get(made).text or "采购人" in controller.get(made).text
    done(send(controller, made, "drop", why="投标人已签订合同"))
    assert "已撤销" in cashier.get(made).text


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
    batch = prepare(cashier, chosen(cashier))
    done(send(controller, batch + "/approve", "approve"))
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
    assert "refund" in clockwork.turn(room.world.office, room.bank)
    assert clockwork.turn(room.world.office, room.bank) == []  # nothing taken, so the money room is not asked
    refs = [row.ref for row in room.all_refunds()]
    assert len(refs) == 2
    batch = room.prepare(*refs)
    room.approve(batch)
    with room.world.work("cashier") as work:
        refunds.pay(work, refunds.batch(work.session, batch))
    room.world.clock.advance(minutes=1)
    assert "deliver" in clockwork.turn(room.world.office, room.bank)
    assert room.bank.balance() == DEPOSIT
