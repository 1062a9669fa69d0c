"""What the books and the supervisor are told: limits of refunds, the lines of a statement, sums."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from deposits import demands
from deposits.bank.protocol import ACCEPTED
from deposits.refunds import refunds, settlement
from deposits.views import books, dossier, limits, queries, reckoning
from tests.deposits.money_room import DEPOSIT, MoneyRoom, demand_of
from tests.kit.asked import asked
from trading.kernel.audit import ActRecord
from trading.kernel.calendar import day_end, local_day
from trading.kernel.errors import NotAllowed, NotFound
from trading.kernel.money import Money


def listed(room: MoneyRoom) -> dict[str, limits.RefundLimit]:
    with room.world.view("watch") as view:
        return {one.ref: one for one in limits.refund_limits(view)}


def test_refunds_are_limits_once_their_payers_are_public(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.leave(ref, "bidder2")
    (name,) = room.due()
    assert listed(room) == {}
    room.terminate(ref)
    found = listed(room)
    assert found[name].lot == ref and found[name].principal == DEPOSIT and found[name].met_at is None
    assert found[name].until == day_end(room.refund(name).due_on)
    room.refund_all()
    batch = room.prepare(name)
    room.approve(batch)
    room.pay(batch)
    assert listed(room)[name].met_at == room.refund(name).sent_at
    room.fetch()
    assert listed(room)[name].met_at == room.refund(name).confirmed_at
    with room.world.view("cashier") as view, pytest.raises(NotAllowed):
        limits.refund_limits(view)


def test_held_money_is_no_limit_until_the_hold_ends(room: MoneyRoom) -> None:
    """The day a hold ends is its last, whole; each moment is asked of both questions that know holds."""
    _ref, subs = room.awarded("GP")
    refs = set(room.due())
    held = next(name for name in refs if room.sub_account_of(name) == subs["bidder2"])
    last = local_day(room.world.now) + timedelta(days=3)
    with room.world.work("cashier") as work:
        demands.place_hold(work, demand_of(work.session, subs["bidder2"]), basis="冻结", owner="法院", until=last)
    for day, hour, kept in ((last, 23, True), (last + timedelta(days=1), 0, False)):
        room.go_to(day, hour=hour)
        assert (held not in listed(room)) is kept and refs - {held} <= set(listed(room))
        with room.world.view("clock") as view:
            demand = demand_of(view.session, subs["bidder2"])
            assert (demand.id in demands.held_demands(view.session, view.now)) is kept
            assert bool(demands.holds(view.session, demand.id, view.now)) is kept


def test_a_lifted_hold_is_none(room: MoneyRoom) -> None:
    _ref, subs = room.awarded("GP")
    until = local_day(room.world.now) + timedelta(days=30)
    with room.world.work("cashier") as work:
        hold = demands.place_hold(
            work, demand_of(work.session, subs["bidder2"]), basis="冻结", owner="法院", until=until
        )
        hold_id = hold.id
        assert demands.held_demands(work.session, work.now) == {hold.demand_id}
    with room.world.work("controller") as work:
        demands.lift_hold(work, work.session.get_one(demands.DepositHold, hold_id), why="解除")
        assert demands.held_demands(work.session, work.now) == set()


def test_a_list_of_refunds_asks_for_their_holds_once(room: MoneyRoom) -> None:
    _ref, subs = room.awarded("GP")
    refs = set(room.due())
    until = local_day(room.world.now) + timedelta(days=30)
    with room.world.work("cashier") as work:
        demands.place_hold(work, demand_of(work.session, subs["bidder2"]), basis="冻结", owner="法院", until=until)
    with asked(room.world) as statements, room.world.view("cashier") as view:
        cards = queries.queue(view)
    assert len(refs) > 1 and refs <= {card.ref for card in cards}
    held = [room.sub_account_of(card.ref) for card in cards if card.state == "HELD"]
    assert held == [subs["bidder2"]] and [card.held_until for card in cards if card.held_basis] == [until]
    assert sum("FROM deposit_hold" in one for one in statements) == 1


def test_a_bundle_names_the_acts_of_its_own_batches_and_no_others(room: MoneyRoom) -> None:
    other, _ = room.paid_lot("GP")
    room.leave(other, "bidder2")
    room.terminate(other)
    room.approve(room.prepare(*room.due()))
    ref, _ = room.awarded("GP")
    names = room.due()
    batch = room.prepare(*names)
    room.approve(batch)
    with asked(room.world) as statements, room.world.view("watch") as view:
        entries = dossier.extra(view, room.world.lot_in(view, ref), "audit").entries
        rows = list(
            view.session.scalars(select(ActRecord).where(ActRecord.entry_hash.in_(entries)).order_by(ActRecord.id))
        )
    assert [(row.act, row.of) for row in rows if row.act.startswith("batch.")] == [
        ("batch.prepare", f"batch/{batch}"),
        ("batch.approve", f"batch/{batch}"),
    ]
    assert {f"refund/{name}" for name in names} <= {row.of for row in rows}
    assert [one for one in statements if "LIKE" in one] == []


def test_of_a_fetched_statement_nobody_sees_who_paid(room: MoneyRoom) -> None:
    """Payments in are left out, and a statement that holds money of sealed lots alone is on no list until they are public."""
    ref, _ = room.paid_lot("GP")
    room.leave(ref, "bidder2")
    (name,) = room.due()
    batch = room.prepare(name)
    room.approve(batch)
    room.pay(batch)
    room.fetch()
    for username in ("cashier", "controller"):
        with room.world.view(username) as view:
            assert books.statement_cards(view) == [] and books.pool_card(view) == books.PoolCard(None, None)
    room.terminate(ref)
    with room.world.view("controller") as view:
        newest, *_, oldest = books.statement_cards(view)
        assert newest.fetched and not newest.own and books.line_cards(view, oldest) == []
        (line,) = books.line_cards(view, newest)
        assert (line.kind, line.of, line.amount) == ("transfer", name, Money(-DEPOSIT.minor))
        (answer,) = books.bank_answers(view, batch).items()
        assert answer == (name, books.BankAnswer(ACCEPTED, ""))
    with room.world.view("watch") as view, pytest.raises(NotAllowed):
        books.statement_cards(view)


def test_who_took_a_file_in_sees_its_lines(room: MoneyRoom) -> None:
    ref = room.world.lot("BIDDING")
    (sub,) = room.take_part(ref, "bidder1").values()
    bank_id = room.pay_in("bidder1", sub)
    with room.world.work("cashier") as work:
        name = settlement.name_of_file("C:\\bank\\bank-1.csv")
        settlement.take_statement(work, room.bank.statement(), name=name)
    with room.world.view("cashier") as view:
        (card,) = books.statement_cards(view)
        assert (card.name, card.own, card.fetched) == ("file-bank-1.csv", True, False)
        assert books.statement_card(view, card.ref) == card
        (line,) = books.line_cards(view, card)
        assert (line.n, line.bank_id, line.kind, line.amount) == (1, bank_id, "receipt", None)
        with pytest.raises(NotFound):
            books.statement_card(view, "nobody")
    with room.world.view("controller") as view:
        assert books.statement_cards(view) == []
    room.terminate(ref)
    with room.world.view("controller") as view:
        (card,) = books.statement_cards(view)
        assert not card.own and card.closing_minor is None and books.line_cards(view, card) == []


def test_comparisons_are_listed_by_day_newest_first(room: MoneyRoom) -> None:
    room.paid_lot("GP")
    first = room.reconcile()
    today = local_day(room.world.now)
    room.go_to(today + timedelta(days=1))
    second = room.reconcile()
    with room.world.view("controller") as view:
        assert [one.id for one in books.comparison_cards(view)] == [second.id, first.id]
        (one,) = books.comparison_cards(view, today)
        assert (one.id, one.by, one.balanced) == (first.id, room.world.people["cashier"], True)
        assert one.ledger_minor == one.registers_minor == one.bank_minor == 0, "the lot was sealed then"


def test_a_late_refund_is_reckoned_as_it_will_be_paid(room: MoneyRoom) -> None:
    room.awarded("GP")
    (name, *_) = room.due()
    due = room.refund(name).due_on

    def sums() -> reckoning.Reckoning:
        with room.world.view("cashier") as view:
            found = reckoning.reckoning(view, refunds.refund(view.session, name))
        assert found is not None
        return found

    assert (sums().fee.minor, sums().has_fee, sums().overdue, sums().segments) == (0, True, 0, ())
    room.go_to(due + timedelta(days=10))
    before = sums()
    assert (before.principal, before.fee.minor, before.overdue) == (DEPOSIT, 7250, 10)  # as in test_refunds
    room.prepare(name)
    room.go_to(due + timedelta(days=20))
    assert sums() == before and room.refund(name).fee_minor == before.fee.minor  # what was prepared stands
    with room.world.view("cashier") as view:
        assert queries.refund_card(view, name).fee == before.fee
