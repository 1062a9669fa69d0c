"""Taking statements in: once, in whole, and matched by the sub-account alone."""

from __future__ import annotations

import pytest

from deposits import demands, receipts
from deposits.bank import statements
from deposits.ledger import accounts, postings
from deposits.receipts import ImportReport
from deposits.refunds import settlement
from tests.deposits.money_room import DEPOSIT, MoneyRoom, demand_of
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from trading.kernel.money import Money

DAY = "2026-03-04 09:00:00"


def take(room: MoneyRoom, data: bytes, by: str = "cashier") -> ImportReport:
    with room.world.work(by) as work:
        return settlement.take_statement(work, data, name="流水.csv")[0]


def csv(*rows: tuple[str, str, str, str, str, str, str]) -> bytes:
    return statements.write_csv([(*row, "") for row in rows])


def refused(room: MoneyRoom, data: bytes) -> set[str]:
    with pytest.raises(Invalid) as refusal:
        take(room, data)
    return {fault.code for fault in refusal.value.faults}


def held(room: MoneyRoom) -> Money:
    return room.totals().held


def test_the_same_and_overlapping_files_count_once(room: MoneyRoom) -> None:
    subs = room.take_part(room.world.lot("BIDDING"))
    room.pay_in("bidder1", subs["bidder1"])
    first = room.bank.statement()
    assert len(take(room, first).taken) == 1
    again = take(room, first)
    assert again.taken == () and len(again.skipped) == 1 and again.closing_minor is None
    room.pay_in("bidder2", subs["bidder2"])
    both = take(room, room.bank.statement("en"))
    assert len(both.taken) == 1 and len(both.skipped) == 1
    assert (both.opening_minor, both.closing_minor) == (5000000, 10000000)
    assert held(room) == DEPOSIT * 2 and room.reconcile().balanced


def test_only_the_cashier_takes_statements(room: MoneyRoom) -> None:
    room.bank.receive(DEPOSIT, name="某", account="1")
    for username in ("controller", "clerk", "bidder1", "watch"):
        with pytest.raises(NotAllowed):
            take(room, room.bank.statement(), by=username)


def test_a_gap_an_altered_line_and_a_line_between_are_refused_in_whole(room: MoneyRoom) -> None:
    one, two = (DAY, "100", "甲", "1", "", "B1", "100"), (DAY, "50", "乙", "2", "", "B2", "150")
    three = (DAY, "30", "丙", "3", "", "B3", "180")
    take(room, csv(one))
    assert refused(room, csv(three)) == {"statement.gap"}
    assert refused(room, csv((DAY, "100", "丁", "1", "", "B1", "100"), two)) == {"statement.line_differs"}
    assert held(room) == Money.parse("100")
    take(room, csv(two, three))
    assert held(room) == Money.parse("180")
    late = (DAY, "5", "戊", "4", "", "B9", "105")
    assert "statement.gap" in refused(room, csv(one, late, (DAY, "50", "乙", "2", "", "B2", "155")))


def test_money_brought_forward_is_the_centres(room: MoneyRoom) -> None:
    take(room, csv((DAY, "100", "甲", "1", "", "B1", "1100")))
    with room.world.view("clock") as view:
        assert postings.balance(view.session, accounts.CENTRE) == -100000
    assert room.reconcile().balanced and held(room) == Money.parse("100")


@pytest.mark.rule("D-05")
def test_a_wrong_payer_counts_and_is_noted(room: MoneyRoom) -> None:
    subs = room.take_part(room.world.lot("BIDDING"))
    room.pay_in("bidder1", subs["bidder1"], name="张三", account="62229999")
    room.pay_in("bidder2", subs["bidder2"], account="62228888")
    name, account = room.payer("bidder3")
    room.pay_in("bidder3", subs["bidder3"], name=f" {name} ".replace("公司", "公 司"), account=account)
    room.fetch()
    assert [room.receipts_of(subs[name])[0].exceptions for name in room.world.bidders] == [
        ["payer_name", "payer_account"],
        ["payer_account"],
        [],
    ]


def test_the_sub_account_in_the_remark(room: MoneyRoom) -> None:
    subs = room.take_part(room.world.lot("BIDDING"))
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in subs["bidder2"])
    room.bank.receive(DEPOSIT, name="甲", account="1", text=f"投标保证金{subs['bidder1']}号")
    room.bank.receive(DEPOSIT, name="乙", account="2", text=f"项目 {full_width}")
    slip = str((int(subs["bidder3"][-3]) + 1) % 10)
    room.bank.receive(DEPOSIT, name="丙", account="3", text=subs["bidder3"][:-3] + slip + subs["bidder3"][-2:])
    room.fetch()
    with room.world.view("clock") as view:
        assert set(postings.items(view.session, accounts.DEPOSITS)) == {subs["bidder1"], subs["bidder2"]}
        assert postings.balance(view.session, accounts.SUSPENSE) == DEPOSIT.minor


@pytest.mark.rule("D-29")
def test_a_bidder_claims_its_own_stray_payment_and_no_other(room: MoneyRoom) -> None:
    ref = room.world.lot("BIDDING")
    subs = room.take_part(ref)
    name, account = room.payer("bidder1")
    bank_id = room.bank.receive(DEPOSIT, name=name, account=account, text="保证金")
    room.fetch()

    def claim(username: str, bank_id: str) -> None:
        with room.world.work(username) as work:
            demand = demands.find_by_sub_account(work.session, subs[username])
            assert demand is not None
            receipts.claim(work, demand, bank_id=bank_id)

    for username, number in (("bidder2", bank_id), ("bidder1", "no such")):
        with pytest.raises(NotFound) as refusal:
            claim(username, number)
        assert refusal.value.code == "deposit.claim_unknown"
    with room.world.work("bidder2") as work, pytest.raises(NotFound):
        receipts.claim(work, demand_of(work.session, subs["bidder1"]), bank_id=bank_id)
    claim("bidder1", bank_id)
    with pytest.raises(NotFound):
        claim("bidder1", bank_id)
    with room.world.view("clock") as view:
        demand = demands.find_by_sub_account(view.session, subs["bidder1"])
        assert demand is not None and demand.participant.secured_at is not None
        assert postings.balance(view.session, accounts.SUSPENSE) == 0
    room.terminate(ref)
    assert len(room.refund_all()) == 1 and room.totals().balanced and room.bank.balance().is_zero


def test_strangers_interest_and_charges_are_explained(room: MoneyRoom) -> None:
    room.keys_sealed()
    room.bank.receive(Money.parse("1000"), name="路人甲", account="77", text="货款")
    room.bank.pay_interest(Money.parse("8.05"))
    room.fetch()
    room.bank.charge(Money.parse("12"))
    room.fetch()
    assert not room.reconcile().balanced
    with room.world.view("clock") as view:
        stray, interest = sorted(receipts.in_suspense(view.session), key=lambda row: -row.amount_minor)
        (charge,) = receipts.unexplained(view.session)
    with room.world.work("cashier") as work:
        with pytest.raises(Invalid):
            receipts.explain(work, receipts.receipt(work.session, stray.ref), account="deposits", note="x")
        receipts.explain(work, receipts.receipt(work.session, stray.ref), account="stranger", note="误汇，来电确认")
        receipts.explain(work, receipts.receipt(work.session, interest.ref), account="bank_interest", note="一季度结息")
        receipts.book_charge(work, work.session.get_one(receipts.BankLine, charge.id), note="一季度手续费")
    with room.world.work("cashier") as work:
        with pytest.raises(Conflict):
            receipts.explain(work, receipts.receipt(work.session, stray.ref), account="centre", note="again")
        with pytest.raises(Conflict):
            receipts.book_charge(work, work.session.get_one(receipts.BankLine, charge.id), note="again")
    assert room.reconcile(note="手续费已入账").balanced
    assert room.totals().received == Money.parse("1000")
    room.bank.receive(Money.parse("3.95"), name="公共资源交易中心", account="", text="补手续费")
    room.fetch()
    with room.world.work("cashier") as work:
        (paid,) = receipts.in_suspense(work.session)
        receipts.explain(work, paid, account="centre", note="中心补足")
    (name,) = room.refund_all()
    row = room.refund(name)
    assert (row.state, row.part, row.rule, row.payee_account) == ("CONFIRMED", "stranger", "D-29", "77")
    totals = room.totals()
    assert totals.balanced and totals.held.is_zero and totals.refunded == totals.received == Money.parse("1000")
    assert room.bank.balance().is_zero and room.reconcile().balanced


def test_a_difference_opens_a_case_that_stops_payments(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    refs = room.due()
    batch = room.prepare(refs[0])
    room.approve(batch)
    room.bank.charge(Money.parse("0.01"))
    room.fetch()
    found = room.reconcile()
    assert not found.balanced and found.bank_minor - found.ledger_minor == -1 and found.unexplained == 1
    for act in (lambda: room.pay(batch), lambda: room.prepare(refs[1])):
        with pytest.raises(Conflict) as refusal:
            act()
        assert refusal.value.code == "reconcile.case_open"
    assert not room.reconcile().balanced
    with room.world.work("cashier") as work:
        (charge,) = receipts.unexplained(work.session)
        receipts.book_charge(work, charge, note="手续费")
    with pytest.raises(Invalid):
        room.reconcile()
    assert room.reconcile(note="手续费，中心承担").balanced
    assert len(room.pay(batch)) == 1


def test_a_payment_out_that_is_none_of_ours_is_never_taken_for_one(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    batch = room.prepare(*room.due())
    room.approve(batch)
    keys = room.pay(batch)
    cells = room.bank.statement().decode("utf-8-sig").splitlines()
    forged = [line.replace("-50000.00", "-49999.99") if keys[0] in line else line for line in cells]
    with pytest.raises(Invalid):
        take(room, "\r\n".join(forged).encode())
    assert room.fetch().confirmed == 3


def test_a_remark_the_bank_has_dressed_up_still_names_our_order(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    batch = room.prepare(*room.due())
    room.approve(batch)
    keys = room.pay(batch)
    data = room.bank.statement().decode("utf-8-sig")
    for key in keys:
        data = data.replace(f"退投标保证金 {key}", f"网银转账/退投标保证金：{key.upper()}")
    assert keys and keys[0] not in data
    take(room, data.encode())
    assert {row.state for row in room.all_refunds()} == {"CONFIRMED"}


def test_a_statement_of_many_thousand_lines(room: MoneyRoom) -> None:
    rows = [(DAY, "1", "某", "1", "", f"N{n}", str(n + 1)) for n in range(6000)]
    data = statements.write_csv([(*row, "") for row in rows])
    with room.world.work("cashier") as work:
        # the look-up in pieces, without posting six thousand entries
        assert receipts._known(work.session, [line.bank_id for line in statements.read_csv(data)]) == {}
    take(room, statements.write_csv([(*row, "") for row in rows[:3]]))
    with room.world.work("cashier") as work:
        assert sorted(receipts._known(work.session, [f"N{n}" for n in range(12_000)])) == ["N0", "N1", "N2"]
