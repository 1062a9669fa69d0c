"""Before the opening list the money room sees totals over all lots and nothing that could name, count or order."""

from __future__ import annotations

import pytest

from deposits import demands, forfeits
from deposits.refunds import refunds, settlement
from deposits.refunds import sealed as sealed_money
from deposits.views import books, dossier, own_deposit, queries
from tests.deposits.money_room import DEPOSIT, MoneyRoom
from trading.kernel.access import CLOCK
from trading.kernel.calendar import local_day
from trading.kernel.errors import NotFound, NotReady, TooEarly
from trading.kernel.money import Money
from trading.kernel.work import View


def everything(view: View) -> str:
    """All the desk can read, as one text."""
    batches, statements = queries.batches(view), books.statement_cards(view)
    told = (
        queries.home(view),
        queries.queue(view),
        queries.exceptions(view),
        batches,
        queries.balances(view),
        statements,
    )
    lines = [books.line_cards(view, one) for one in statements]
    return repr((told, lines, books.comparison_cards(view), [books.bank_answers(view, one.ref) for one in batches]))


def test_a_house_with_sealed_money_alone_compares_as_one_without_any(room: MoneyRoom) -> None:
    """Whether there is anything to compare would tell that somebody has paid."""
    with room.world.view("cashier") as view, pytest.raises(NotReady, match="no_statement"):
        books.figures(view)
    room.paid_lot("GP")
    with room.world.view("cashier") as view, pytest.raises(NotReady, match="no_statement"):
        books.figures(view)
    room.bank.pay_interest(Money.parse("1"))
    room.fetch()
    with room.world.view("cashier") as view:
        assert books.figures(view).bank == Money.parse("1").minor


@pytest.mark.rule("D-12")
def test_the_desk_learns_nothing_of_a_sealed_lot(room: MoneyRoom) -> None:
    ref, subs = room.paid_lot("GP")
    room.pay_in("bidder1", subs["bidder1"], Money.parse("777.77"), name="张三", account="62229999")
    name, account = room.payer("bidder3")
    room.bank.receive(Money.parse("1"), name=name, account=account, text="写错账号")
    room.fetch()
    room.leave(ref, "bidder2")
    (sealed,) = room.due()
    secrets = [ref, "张三", "62229999", *subs.values()]
    secrets += [part for username in room.world.bidders for part in room.payer(username)]
    for username in ("cashier", "controller"):
        with room.world.view(username) as view:
            text = everything(view)
            assert [secret for secret in secrets if secret in text] == []
            assert queries.queue(view) == []
            with pytest.raises(NotFound):
                queries.refund_card(view, sealed)
            assert queries.home(view).totals.held.is_zero and books.pool_card(view).balance_minor is None
            assert {amount.text() for amount in queries.balances(view).values()} == {"0.00"}
            lot = room.world.lot_in(view, ref)
            for ask in (queries.lot_postings, queries.forfeits_of):
                with pytest.raises(NotFound):
                    ask(view, lot)
            with pytest.raises(NotFound):
                queries.payer_mismatches(view.session, lot)
            with pytest.raises(TooEarly):
                dossier.records(view.session, lot)
    with room.world.work("cashier") as work:
        demand = demands.find_by_sub_account(work.session, subs["bidder1"])
        assert demand is not None
        until = local_day(work.now)
        with pytest.raises(NotFound):
            demands.place_hold(work, demand, basis="x", owner="y", until=until)
        with pytest.raises(NotFound):
            forfeits.draft(work, demand, ground="D-43", evidence="x", hold_until=until)
    with room.world.work("cashier") as work:
        batch = refunds.prepare(work, [], along=sealed_money.waiting(work.session)).ref
    with room.world.view("controller") as view:
        card = queries.batch_card(view, batch)
        assert card.rows == () and card.total.is_zero
        assert [secret for secret in secrets if secret in everything(view)] == []
    room.approve(batch)
    room.pay(batch)
    data = room.bank.statement()
    with room.world.office.work(CLOCK) as work:
        settlement.credit(work, data)
    assert room.reconcile().balanced, "with a line of ours on the statement that is not settled yet"
    room.fetch()
    assert room.refund(sealed).state == "CONFIRMED" and room.reconcile().balanced
    with room.world.view("cashier") as view:
        assert [secret for secret in secrets if secret in everything(view)] == []
    room.terminate(ref)
    with room.world.view("cashier") as view:  # from now on everything stands there
        assert [card.ref for card in queries.batch_card(view, batch).rows] == [sealed]
        assert queries.home(view).totals.received == DEPOSIT * 3 + Money.parse("778.77")
        assert len(queries.exceptions(view)) == 3


@pytest.mark.rule("D-12")
def test_a_bidder_sees_its_own_alone(room: MoneyRoom) -> None:
    ref, subs = room.paid_lot("GP")
    with room.world.view("bidder1") as view:
        lot = room.world.lot_in(view, ref)
        card = own_deposit.own(view, lot)
        assert card is not None and card.sub_account == subs["bidder1"] and card.received == DEPOSIT and card.secured
        assert not any(sub in repr(card) for name, sub in subs.items() if name != "bidder1")
    room.leave(ref, "bidder1")
    room.due()
    with room.world.view("bidder1") as view:
        card = own_deposit.own(view, room.world.lot_in(view, ref))
        assert card is not None and [row.rule for row in card.refunds] == ["D-20"]


@pytest.mark.rule("D-05", "CL-07")
def test_from_the_opening_list_on_wrong_payers_are_shown(room: MoneyRoom) -> None:
    world = room.world
    ref = world.lot("BIDDING")
    subs = room.take_part(ref)
    for username, sub in subs.items():
        room.pay_in(username, sub, name="李四" if username == "bidder2" else "")
    room.fetch()
    room.bid(ref)
    with world.view("cashier") as view:
        assert queries.exceptions(view) == []
    room.list_set(ref)
    with world.view("cashier") as view:
        (card,) = queries.exceptions(view)
        assert (card.kind, card.payer, card.lot, card.bidder) == ("payer_name", "李四", ref, room.payer("bidder2")[0])
        assert queries.payer_mismatches(view.session, world.lot_in(view, ref)) == [card]
        assert len(queries.lot_postings(view, world.lot_in(view, ref))) == 3


def test_own_rows_cannot_be_ticked(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    batch = room.prepare(*room.due())
    for username, expected in (("cashier", {"take_back"}), ("controller", {"approve", "send_back"})):
        with room.world.view(username) as view:
            cards = queries.batch_card(view, batch).rows
            assert {step for card in cards for step in card.may} == expected
            assert all(card.mine == (username == "cashier") for card in cards)
            assert all(card.title and card.bidder and card.due_reason for card in cards)
    with room.world.work("cashier") as work:
        refunds.take_back(work, refunds.batch(work.session, batch))
    with room.world.view("cashier") as view:
        assert {card.state for card in queries.queue(view)} == {"DUE"}
        assert queries.home(view).to_check == 0


def test_refunds_stand_by_what_is_on_them_and_not_by_a_random_reference(room: MoneyRoom) -> None:
    for ref in [room.paid_lot("GP")[0] for _ in range(2)]:
        room.terminate(ref)
    batch = room.prepare(*room.due())
    with room.world.view("cashier") as view:
        for cards in (queries.queue(view), list(queries.batch_card(view, batch).rows)):
            told = [(card.due_on, card.lot, card.bidder) for card in cards]
            assert len(told) >= 4 and told == sorted(told)


def test_sub_accounts_tell_nothing_and_see_slips() -> None:
    numbers = [demands.new_sub_account() for _ in range(300)]
    assert len(set(numbers)) == 300 and all(demands.is_sub_account(number) for number in numbers)
    for number in numbers[:30]:
        for at in range(len(number)):
            assert not demands.is_sub_account(number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :])
            if at and number[at] != number[at - 1]:
                assert not demands.is_sub_account(number[: at - 1] + number[at] + number[at - 1] + number[at + 1 :])
