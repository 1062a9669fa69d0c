"""From the paying-in to the paid refund, by real acts on a real procedure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import DatabaseError

from deposits import demands
from deposits.bank import transfers
from deposits.ledger import accounts, postings
from deposits.refunds import approvals, refunds, rules, settlement, triggers
from deposits.refunds.refunds import REFUND_FLOW
from deposits.views import statement
from tests.deposits.money_room import DEPOSIT, MoneyRoom, demand_of, row_changed, unlocked
from tests.kit import data_keys, sealing
from tests.kit.world import World
from trading.bidding import bids, participants
from trading.kernel.access import CLOCK
from trading.kernel.calendar import day_start, local_day
from trading.kernel.errors import Conflict, Invalid, NotAllowed, SignInNeeded, TooEarly, TooLate, WrongStep
from trading.kernel.money import Money
from trading.rulebook import calendars


def working_days(room: MoneyRoom, day: date, n: int) -> date:
    with room.world.view("clock") as view:
        return calendars.current(view.session).add_working_days(day, n)


@pytest.mark.rule("D-22", "T-31")
def test_the_whole_way_of_a_losers_deposit(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    refs = room.due()
    assert len(refs) == 2 and room.due() == []
    announced = room.notice_day(ref, "award")
    for name in refs:
        row = room.refund(name)
        assert (row.rule, row.event, row.part, row.amount_minor) == (
            "D-22",
            "award_notice_sent_losers",
            "deposit",
            DEPOSIT.minor,
        )
        assert row.event_on == announced and row.due_on == working_days(room, announced, 5)
    batch = room.prepare(*refs)
    room.approve(batch)
    room.pay(batch)
    assert {room.refund(name).state for name in refs} == {"SENT"}
    assert room.fetch().confirmed == 2
    row = room.refund(refs[0])
    assert row.state == "CONFIRMED" and row.prepared_by != row.approved_by and row.interest_minor == row.fee_minor == 0
    totals = room.totals()
    assert (totals.received, totals.refunded, totals.held) == (DEPOSIT * 3, DEPOSIT * 2, DEPOSIT)
    assert totals.balanced and totals.interest.is_zero and totals.forfeited.is_zero
    assert room.bank.balance() == DEPOSIT
    assert room.reconcile().balanced
    assert room.refund_all() == [] and room.fetch().confirmed == 0


@pytest.mark.rule("D-23", "T-32")
def test_the_winner_after_the_contract(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    assert len(room.refund_all()) == 2
    room.contract(ref)
    (winner,) = room.due()
    row = room.refund(winner)
    assert (row.rule, row.event) == ("D-23", "contract_signed_winner")
    assert row.due_on == working_days(room, local_day(room.world.now), 5)


@pytest.mark.rule("D-22", "T-34", "D-50", "D-53")
def test_works_deposits_wait_for_the_contract_and_carry_interest(room: MoneyRoom) -> None:
    ref, subs = room.awarded("WORKS")
    assert room.due() == []
    room.contract(ref)
    refs = room.due()
    assert len(refs) == 3
    signed = local_day(room.world.now)
    with room.world.view("clock") as view:
        assert {room.refund(name).due_on for name in refs} == {calendars.current(view.session).days_rolled(signed, 5)}
    room.bank.pay_interest(Money.parse("20"))
    paid_in = local_day(room.receipts_of(subs["bidder1"])[0].at)
    batch = room.prepare(*refs)
    days = (signed - paid_in).days
    assert days > 20
    # 50,000.00 at 0.05 % for the days from value date in to value date out, 360 days a year
    expected = rules.interest(DEPOSIT, rules.segments(paid_in, signed, {paid_in: "0.0005"}))
    assert expected == Money.rounded(DEPOSIT.fraction * days * 5 / 10000 / 360) and expected.is_positive
    assert {room.refund(name).interest_minor for name in refs} == {expected.minor}
    room.approve(batch)
    room.pay(batch)
    room.fetch()
    totals = room.totals()
    assert totals.refunded == DEPOSIT * 3 and totals.interest == expected * 3 and totals.held == Money.parse("20")
    assert room.reconcile().balanced is True
    assert room.bank.balance() == Money.parse("20") - expected * 3


@pytest.mark.rule("D-24")
def test_a_failed_tender_gives_back_with_interest_and_without_names_before(room: MoneyRoom) -> None:
    ref, subs = room.paid_lot("GP", bid=("bidder1", "bidder2"))
    assert room.due() == []
    room.world.tick()
    sealing.close(room.world, ref)
    room.turn()
    refs = room.due()
    assert {room.refund(name).rule for name in refs} == {"D-24"} and len(refs) == 3
    assert all(room.refund(name).with_interest for name in refs)
    assert {room.refund(name).due_on for name in refs} == {working_days(room, local_day(room.world.now), 5)}


@pytest.mark.rule("D-21", "T-33", "T-36")
def test_a_terminated_tender(room: MoneyRoom) -> None:
    for regime in ("GP", "WORKS"):
        ref, _ = room.paid_lot(regime)
        room.terminate(ref)
        refs = room.due()
        today = local_day(room.world.now)
        assert len(refs) == 3
        rows = [room.refund(name) for name in refs]
        assert {(row.rule, row.event, row.with_interest) for row in rows} == {("D-21", "tender_terminated", True)}
        assert {row.due_on for row in rows} == {working_days(room, today, 5) if regime == "GP" else today}


@pytest.mark.rule("D-20", "T-30")
def test_a_withdrawal_before_the_deadline_is_due_before_the_opening(room: MoneyRoom) -> None:
    ref, subs = room.paid_lot("GP")
    room.withdraw_bid(ref, "bidder1")
    assert room.due() == []  # it may bid anew
    room.leave(ref, "bidder2")
    (name,) = room.due()
    row = room.refund(name)
    assert (row.rule, row.event, row.due_on) == (
        "D-20",
        "withdrawn_before_deadline",
        working_days(room, local_day(room.world.now), 5),
    )
    assert row.with_interest is False
    batch = room.prepare(name)
    room.approve(batch)
    room.pay(batch)
    assert room.fetch().confirmed == 1
    assert room.refunds_of(subs["bidder2"])[0].state == "CONFIRMED"


@pytest.mark.rule("T-35", "D-50")
def test_a_withdrawal_from_works_is_due_in_five_days_and_carries_no_interest(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("WORKS")
    room.leave(ref, "bidder2")
    (name,) = room.due()
    row, today = room.refund(name), local_day(room.world.now)
    with room.world.view("clock") as view:
        assert row.due_on == calendars.current(view.session).days_rolled(today, 5)
    assert (row.rule, row.event, row.with_interest) == ("D-20", "withdrawn_before_deadline", False)


@pytest.mark.rule("D-20")
def test_who_withdrew_and_did_not_bid_anew_is_counted_from_the_withdrawal(engine: Engine, tmp_path: Path) -> None:
    """Rule D-20: the clock runs from the written notice, found once names are public; a bid handed in anew ends it."""
    room = MoneyRoom(World(engine, tmp_path, bidders=5), tmp_path / "bank.db")
    ref, subs = room.paid_lot("GP", bid=("bidder1", "bidder2", "bidder3", "bidder4", "bidder5"))
    for username in ("bidder4", "bidder5"):
        room.withdraw_bid(ref, username)
    room.bid(ref, "bidder4")
    withdrawn = local_day(room.world.now)
    assert room.due() == []
    room.list_set(ref)
    (name,) = room.due()
    row = room.refund(name)
    assert (row.rule, row.event, row.event_on, row.due_on) == (
        "D-20",
        "withdrawn_before_deadline",
        withdrawn,
        working_days(room, withdrawn, 5),
    )
    assert row.demand is not None and row.demand.sub_account == subs["bidder5"]


@pytest.mark.rule("D-20")
def test_who_withdrew_from_a_tender_that_failed_is_counted_from_the_withdrawal(room: MoneyRoom) -> None:
    ref, subs = room.paid_lot("GP", bid=("bidder1", "bidder2", "bidder3"))
    room.withdraw_bid(ref, "bidder3")
    room.world.tick()
    sealing.close(room.world, ref)
    room.turn()
    found = {row.demand.sub_account: row.rule for row in map(room.refund, room.due()) if row.demand is not None}
    assert found == {subs["bidder1"]: "D-24", subs["bidder2"]: "D-24", subs["bidder3"]: "D-20"}


@pytest.mark.rule("D-28")
def test_who_did_not_bid_gets_its_money_at_once_after_the_opening_list(engine: Engine, tmp_path: Path) -> None:
    room = MoneyRoom(World(engine, tmp_path, bidders=4), tmp_path / "bank.db")
    ref, subs = room.paid_lot("GP", bid=("bidder1", "bidder2", "bidder3"))
    assert room.due() == []
    room.list_set(ref)
    (name,) = room.due()
    row = room.refund(name)
    assert (row.rule, row.event, row.due_on) == ("D-28", "not_admitted", local_day(room.world.now))
    assert row.demand is not None and row.demand.sub_account == subs["bidder4"]


def test_the_first_event_decides_and_never_a_second_refund(room: MoneyRoom) -> None:
    ref, subs = room.paid_lot("GP")
    room.leave(ref, "bidder2")
    assert len(room.refund_all()) == 1
    room.terminate(ref)
    assert len(room.refund_all()) == 2
    room.world.clock.advance(days=30)
    assert room.due() == []
    assert room.totals().held.is_zero and room.bank.balance().is_zero


def test_nobody_approves_what_they_prepared_and_roles_hold(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    refs = room.due()
    with pytest.raises(NotAllowed):
        room.prepare(*refs, by="controller")
    batch = room.prepare(*refs)
    with pytest.raises(NotAllowed):
        room.approve(batch, by="cashier")
    actor = room.world.actor("controller")
    stale = type(actor)(
        actor.role, actor.account_id, actor.party_id, actor.name, room.world.now - timedelta(seconds=1), actor.roles
    )
    with room.world.office.work(stale) as work, pytest.raises(SignInNeeded):
        refunds.approve(work, refunds.batch(work.session, batch), approval={})
    same = type(actor)(actor.role, room.world.people["cashier"], actor.party_id, "both", actor.fresh_until, actor.roles)
    with room.world.office.work(same) as work, pytest.raises(NotAllowed) as refusal:
        refunds.approve(work, refunds.batch(work.session, batch), approval={})
    assert refusal.value.code == "refund.same_person"
    with room.world.work("cashier") as work, pytest.raises(WrongStep):
        refunds.pay(work, refunds.batch(work.session, batch))


def test_the_database_itself_refuses_one_person_for_both(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    room.prepare(*room.due())
    with room.world.office.engine.begin() as connection, pytest.raises(DatabaseError):
        connection.execute(update(refunds.Refund).values(approved_by=refunds.Refund.prepared_by))
    with room.world.office.engine.begin() as connection, pytest.raises(DatabaseError):
        connection.execute(update(postings.Posting).values(amount_minor=1))


def test_the_approver_approves_what_was_seen(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    batch = room.prepare(*room.due())
    with room.world.work("controller") as work, pytest.raises(Conflict) as refusal:
        row = refunds.batch(work.session, batch)
        matter = approvals.batch_matter(work, row)
        other = room.approval(work, matter, facts={"digest": "0" * 64, "value_on": row.value_on.isoformat()})
        refunds.approve(work, row, approval=other)
    assert (refusal.value.code, refusal.value.facts["fields"]) == ("approval.other", ["facts"])


def test_a_batch_is_paid_on_its_day_or_goes_back(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    refs = room.due()
    tomorrow = local_day(room.world.now) + timedelta(days=1)
    batch = room.prepare(*refs, value_on=tomorrow)
    room.approve(batch)
    with pytest.raises(TooEarly):
        room.pay(batch)
    room.world.clock.advance(days=2)
    with pytest.raises(TooLate):
        room.pay(batch)
    with room.world.work("controller") as work, pytest.raises(Invalid):
        refunds.send_back(work, refunds.batch(work.session, batch), reason=" ")
    with room.world.work("controller") as work:
        refunds.send_back(work, refunds.batch(work.session, batch), reason="付款日已过")
    assert {room.refund(name).state for name in refs} == {"DUE"}
    with pytest.raises(WrongStep):
        room.pay(batch)
    again = room.prepare(*refs)
    room.approve(again)
    assert len(room.pay(again)) == 3
    with pytest.raises(WrongStep):
        room.pay(again)


@pytest.mark.rule("D-52")
def test_late_money_costs_the_centre_in_government_procurement(room: MoneyRoom) -> None:
    ref, _ = room.awarded("GP")
    refs = room.due()
    due = room.refund(refs[0]).due_on
    room.go_to(due + timedelta(days=10))
    batch = room.prepare(*refs)
    # DP-LATE-01 for 50,000.00: 4.35 % x 1.2 for ten days of 360
    assert {room.refund(name).fee_minor for name in refs} == {7250}
    room.approve(batch)
    room.pay(batch)
    room.fetch()
    totals = room.totals()
    assert totals.interest == Money.parse("145") and totals.balanced and totals.refunded == DEPOSIT * 2
    with room.world.view("clock") as view:
        assert postings.balance(view.session, accounts.CENTRE) == 14500
    assert room.reconcile().balanced


def test_held_money_stays_until_the_hold_ends_by_itself(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    refs = room.due()
    held = next(name for name in refs if room.sub_account_of(name) == subs["bidder2"])
    today = local_day(room.world.now)
    with room.world.work("cashier") as work:
        demand = demand_of(work.session, subs["bidder2"])
        with pytest.raises(Invalid) as refusal:
            demands.place_hold(work, demand, basis="", owner="", until=today - timedelta(days=1))
        assert {fault.where for fault in refusal.value.faults} == {"basis", "owner", "until"}
        demands.place_hold(
            work, demand, basis="市财政局〔2026〕12 号函", owner="开平区财政局", until=today + timedelta(days=3)
        )
    with pytest.raises(Conflict) as conflict:
        room.prepare(*refs)
    assert conflict.value.code == "refund.on_hold"
    batch = room.prepare(*[name for name in refs if name != held])
    room.approve(batch)
    room.pay(batch)
    room.go_to(today + timedelta(days=3), hour=23)
    with pytest.raises(Conflict):
        room.prepare(held)
    room.go_to(today + timedelta(days=4), hour=0)
    room.prepare(held)


def test_a_hold_placed_after_the_approval_stops_the_payment(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    batch = room.prepare(*room.due())
    room.approve(batch)
    with room.world.work("cashier") as work:
        hold = demands.place_hold(
            work,
            demand_of(work.session, subs["bidder2"]),
            basis="冻结",
            owner="法院",
            until=local_day(work.now) + timedelta(days=30),
        ).id
    with pytest.raises(Conflict):
        room.pay(batch)
    with room.world.work("controller") as work:
        demands.lift_hold(work, work.session.get_one(demands.DepositHold, hold), why="解除冻结通知")
    assert len(room.pay(batch)) == 2


def test_the_bank_returns_a_payment_and_it_goes_out_again(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    (name, *rest) = room.due()
    batch = room.prepare(name)
    room.approve(batch)
    (key,) = room.pay(batch)
    room.fetch()
    room.bank.give_back(key, "户名不符")
    assert room.fetch().returned == 1
    row = room.refund(name)
    assert row.state == "RETURNED_BY_BANK" and "户名不符" in row.returned_why
    totals = room.totals()
    assert totals.refunded.is_zero and totals.held == DEPOSIT * 3 and totals.balanced
    assert room.reconcile().balanced
    again = room.prepare(name)
    room.approve(again)
    (other,) = room.pay(again)
    assert other != key
    assert room.fetch().confirmed == 1
    assert room.refund(name).state == "CONFIRMED" and room.totals().refunded == DEPOSIT and room.reconcile().balanced


def test_the_bank_refuses_an_order(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    refs = room.due()
    room.bank.close_account(room.payer("bidder1")[1])
    batch = room.prepare(*refs)
    room.approve(batch)
    room.pay(batch)
    settled = room.fetch()
    assert (settled.confirmed, settled.refused) == (2, 1)
    assert sorted(room.refund(name).state for name in refs) == ["CONFIRMED", "CONFIRMED", "RETURNED_BY_BANK"]
    assert room.totals().held == DEPOSIT and room.reconcile().balanced


@pytest.mark.parametrize("lost", ["lost_answers", "lost_orders"])
def test_an_answer_that_got_lost_is_asked_for_with_the_same_key(room: MoneyRoom, lost: str) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    batch = room.prepare(*room.due())
    room.approve(batch)
    setattr(room.bank, lost, 2)
    room.pay(batch)
    for _ in range(3):
        refunds.deliver(room.world.office, room.bank)
    assert room.bank.balance().is_zero
    assert room.fetch().confirmed == 3 and room.reconcile().balanced


@pytest.mark.rule("D-29")
def test_money_goes_back_to_each_account_it_came_from(room: MoneyRoom) -> None:
    world = room.world
    ref = world.lot("BIDDING")
    subs = room.take_part(ref)
    room.pay_in("bidder1", subs["bidder1"], Money.parse("30000"))
    room.pay_in("bidder1", subs["bidder1"], Money.parse("25000"), account="62229999", name="某某劳务公司")
    room.fetch()
    room.terminate(ref)
    refs = room.refund_all()
    back = sorted((row.amount_minor, row.part, row.payee_account) for row in room.refunds_of(subs["bidder1"]))
    own = room.payer("bidder1")[1]
    assert back == [(500000, "excess", "62229999"), (2000000, "deposit", "62229999"), (3000000, "deposit", own)]
    assert len(refs) == 3 and room.bank.balance().is_zero and room.totals().balanced


@pytest.mark.rule("4.5")
def test_the_winner_converts(room: MoneyRoom) -> None:
    """DP-CONV-02 in kind: what is above the performance deposit goes back, the rest stays as one."""
    ref, subs = room.awarded("GP")
    room.refund_all()
    room.contract(ref)
    (name,) = room.due()
    with room.world.work("cashier") as work:
        found = refunds.convert(work, refunds.refund(work.session, name), rate="0.01")
    assert found.performance_required == Money.parse("27500") and found.refund == Money.parse("22500")
    batch = room.prepare(name)
    room.approve(batch)
    room.pay(batch)
    room.fetch()
    totals = room.totals()
    assert totals.converted == Money.parse("27500") and totals.refunded == DEPOSIT * 2 + Money.parse("22500")
    assert totals.held.is_zero and totals.balanced and room.reconcile().balanced


@pytest.mark.rule("4.5", "D-03")
def test_a_wholly_converted_deposit_ends_without_a_payment(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    losers = room.due()
    room.contract(ref)
    (name,) = room.due()
    with room.world.work("cashier") as work, pytest.raises(Invalid) as refusal:
        refunds.convert(work, refunds.refund(work.session, losers[0]), rate="0.10")
    assert refusal.value.code == "deposit.no_conversion"
    with room.world.work("cashier") as work, pytest.raises(Invalid) as above:
        refunds.convert(work, refunds.refund(work.session, name), rate="0.1001")
    assert above.value.code == "deposit.performance_above_cap"
    with room.world.work("cashier") as work:
        assert refunds.convert(work, refunds.refund(work.session, name), rate="0.10").top_up == Money.parse("225000")
    batch = room.prepare(name)
    room.approve(batch)
    assert room.pay(batch) == []
    assert room.refund(name).state == "CONVERTED"
    assert room.totals().converted == DEPOSIT and room.reconcile().balanced


def test_every_pair_of_state_and_step_not_in_the_table_is_refused(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    (name, *_) = room.due()
    with room.world.view("clock") as view:
        row = refunds.refund(view.session, name)
        for state in REFUND_FLOW.states:
            row.state = state
            for step in REFUND_FLOW.steps:
                if state not in step.origins:
                    with pytest.raises(WrongStep):
                        REFUND_FLOW.check(row, step.name)


@pytest.mark.rule("D-13")
def test_securing_is_handed_down_and_comes_in_time_or_not(room: MoneyRoom) -> None:
    world = room.world
    ref = world.lot("BIDDING")
    subs = room.take_part(ref)
    room.pay_in("bidder1", subs["bidder1"])
    room.pay_in("bidder2", subs["bidder2"], Money.parse("49999.99"))
    room.fetch()

    def secured() -> list[bool]:
        with world.view("clock") as view:
            lot = world.lot_in(view, ref)
            found = [
                participants.find(
                    view.session, lot, participants.parties.account(view.session, world.people[name]).party
                )
                for name in world.bidders
            ]
            return [participants.is_secured(one) for one in found if one is not None]

    assert secured() == [True, False, False]
    room.pay_in("bidder2", subs["bidder2"], Money.parse("0.01"))
    room.fetch()
    assert secured() == [True, True, False]
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
    assert deadline is not None
    world.clock.set(deadline)
    room.pay_in("bidder3", subs["bidder3"])
    room.fetch()
    assert secured() == [True, True, False]
    assert room.receipts_of(subs["bidder3"])[0].exceptions == ["late"]


def test_a_lot_without_deposit_asks_for_none(room: MoneyRoom) -> None:
    ref = room.world.lot("BIDDING", deposit=Money.zero())
    assert set(room.take_part(ref).values()) == {""}
    with room.world.view("clock") as view:
        assert demands.of_lot(view.session, room.world.lot_in(view, ref)) == []


def test_leaving_without_a_bid_is_a_withdrawal_too(room: MoneyRoom) -> None:
    ref = room.world.lot("BIDDING")
    subs = room.take_part(ref)
    room.pay_in("bidder3", subs["bidder3"])
    room.fetch()
    with room.world.work("bidder3", sealing.SIGNER) as work:
        bids.leave(work, participants.own(work, room.world.lot_in(work, ref)))
    (name,) = room.refund_all()
    assert (room.refund(name).rule, room.refund(name).state) == ("D-20", "CONFIRMED")


def test_whose_fault_an_unopened_bid_is_decides(room: MoneyRoom) -> None:
    """A failure of platform or tenderee sets the money free as a withdrawal; the bidder's own and an undecided one wait (D-26, D-44)."""
    ref, subs = room.paid_lot("WORKS")
    room.list_set(ref)
    room.open(ref)
    today = local_day(room.world.now)
    with room.world.view("clock") as view:
        lot = room.world.lot_in(view, ref)
        known = triggers.facts(view.session, lot)
        demand = demands.find_by_sub_account(view.session, subs["bidder1"])
        assert (
            demand is not None
            and known.not_theirs == {}
            and known.undecided == frozenset()
            and len(known.standing) == 3
        )
        party = demand.participant.party_id
        assert triggers.event_of(known, demand) is None
        assert triggers.event_of(replace(known, undecided=frozenset({party})), demand) is None
        assert triggers.event_of(replace(known, not_theirs={party: today}), demand) == ("deemed_withdrawn", today)
        due = triggers.due(view.session, lot, "deemed_withdrawn", today)
        assert (
            due.rule == "D-20" and due.by == calendars.current(view.session).days_rolled(today, 5) and not due.interest
        )
        earlier = today - timedelta(days=3)
        both = replace(known, not_theirs={party: today}, ended=("tender_terminated", earlier))
        assert triggers.event_of(both, demand) == ("tender_terminated", earlier)


def test_forgotten_money_is_on_the_yearly_list(room: MoneyRoom) -> None:
    ref, _ = room.awarded("GP")
    refs = room.due()
    due = room.refund(refs[0]).due_on
    with room.world.view("clock") as view:
        assert statement.dormant(view.session, due + timedelta(days=365)) == []
        assert {row.ref for row in statement.dormant(view.session, due + timedelta(days=366))} == set(refs)


# --- rows are a cache: what was approved stands in the signed book ----------------------------------------------------------------

THIEF = "6222000099998888777"


def tamper(room: MoneyRoom, change: str, **values: str) -> None:
    with room.world.office.engine.begin() as connection:
        assert connection.execute(text(change), values).rowcount > 0


def thief(table: str, row: str) -> str:
    """The thief's account as whoever holds the data key besides the database would write it."""
    return data_keys.sealed(table, "payee_account", row, THIEF)


def approved(room: MoneyRoom) -> tuple[list[str], str]:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    refs = room.due()
    batch = room.prepare(*refs)
    room.approve(batch)
    return refs, batch


def refusal_of(room: MoneyRoom, batch: str, act: str) -> tuple[str, str]:
    """The code and the value that is named, where an act on a batch is refused."""
    with pytest.raises(Conflict) as refusal:
        getattr(room, act)(batch)
    return refusal.value.code, str(refusal.value.facts.get("differs", ""))


CHANGED_AFTER = (
    ("payee_account = '6222000099998888777'", "payee"),
    ("payee_name = '某某'", "payee_name"),
    ("amount_minor = amount_minor - 100", "amount"),
    ("converted_minor = 100", "converted"),
    ("interest_minor = interest_minor + 100", "interest"),
    ("fee_minor = fee_minor + 100", "fee"),
    ("prepared_by = (SELECT id FROM account WHERE username = 'cashier2')", "prepared"),
    ("approved_by = (SELECT id FROM account WHERE username = 'controller2')", "approved"),
    ("batch_id = NULL", "rows"),
)


@pytest.mark.promise("R8")
def test_a_refund_changed_in_the_database_after_the_approval_is_not_paid(room: MoneyRoom) -> None:
    refs, batch = approved(room)
    for change, differs in CHANGED_AFTER:
        with row_changed(room, "refund", change, "ref = :ref", ref=refs[0]):
            assert refusal_of(room, batch, "pay") == ("refund.not_as_approved", differs), change
    with row_changed(room, "refund_batch", "value_on = '2030-01-01'", "ref = :ref", ref=batch):
        room.world.clock.set(day_start(date(2030, 1, 1)))
        assert refusal_of(room, batch, "pay") == ("refund.not_as_approved", "rows")
    assert {room.refund(ref).state for ref in refs} == {"REFUND_CHECKED"} and room.bank.balance() == room.totals().held


CHANGED_BEFORE = (
    ("refund", "amount_minor = amount_minor - 100", "not_as_found", "amount"),
    ("refund", "converted_minor = 100", "not_as_found", "converted"),
    ("refund", "due_on = '2020-01-01'", "not_as_found", "due_on"),
    ("refund", "event_on = '2020-01-01'", "not_as_found", "event_on"),
    ("refund", "rule = 'D-29'", "not_as_found", "rule"),
    ("refund", "event = 'tender_failed'", "not_as_found", "event"),
    ("refund", "with_interest = NOT with_interest", "not_as_found", "with_interest"),
    ("deposit_receipt", "amount_minor = amount_minor + 1", "not_as_received", "received"),
    ("deposit_receipt", "exceptions = '[\"late\"]'", "not_as_received", "exceptions"),
    ("deposit_receipt", "at = '2020-01-01 00:00:00'", "not_as_received", "at"),
    ("deposit_demand", "amount_minor = amount_minor - 1", "not_as_received", "demanded"),
)


def test_a_value_changed_in_the_database_before_the_approval_is_not_approved(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    (name, *_rest) = room.due()
    first = room.refund(name)
    which = {"refund": first.id, "deposit_receipt": first.receipt_id, "deposit_demand": first.demand_id}
    for table, change, code, differs in CHANGED_BEFORE:
        with row_changed(room, table, change, "id = :id", id=which[table]):
            batch = room.prepare(name)
            assert refusal_of(room, batch, "approve") == (f"refund.{code}", differs), change
            with room.world.work("cashier") as work:
                refunds.take_back(work, refunds.batch(work.session, batch))
    batch = room.prepare(name)
    with row_changed(room, "refund", "interest_minor = interest_minor + 1", "id = :id", id=first.id):
        assert refusal_of(room, batch, "approve") == ("refund.batch_changed", "")
        with room.world.view("clock") as view:
            row = refunds.batch(view.session, batch)
            digest = refunds.digest(row, refunds.of_batch(view.session, row))
        with row_changed(room, "refund_batch", f"digest = '{digest}'", "ref = :ref", ref=batch):
            assert refusal_of(room, batch, "approve") == ("refund.batch_changed", "")  # the book has another one
    room.approve(batch)
    assert len(room.pay(batch)) == 1


def test_what_the_bank_sent_back_goes_out_again_as_it_went_out_before(room: MoneyRoom) -> None:
    refs, batch = approved(room)
    first, *_rest = room.pay(batch)
    room.fetch()
    room.bank.give_back(first, "户名不符")
    room.fetch()
    (name,) = [ref for ref in refs if room.refund(ref).state == "RETURNED_BY_BANK"]
    for value in ("interest", "fee"):
        with row_changed(room, "refund", f"{value}_minor = {value}_minor + 100", "ref = :ref", ref=name):
            again = room.prepare(name)
            assert refusal_of(room, again, "approve") == ("refund.not_as_reckoned", value)
            with room.world.work("cashier") as work:
                refunds.take_back(work, refunds.batch(work.session, again))
    again = room.prepare(name)
    room.approve(again)
    assert len(room.pay(again)) == 1


def test_a_line_of_a_statement_changed_in_the_database_pays_nobody_and_confirms_nothing(room: MoneyRoom) -> None:
    refs, batch = approved(room)
    line = room.refund(refs[0]).receipt.line_id
    for change, differs in (
        ("payer_account = '6222000099998888777'", "payer"),
        ("payer_name = '某某'", "payer_name"),
        ("amount_minor = amount_minor + 1", "received"),
    ):
        with unlocked(room, "bank_line"), row_changed(room, "bank_line", change, "id = :id", id=line):
            assert refusal_of(room, batch, "pay") == ("refund.not_as_received", differs)
    room.pay(batch)
    data = room.bank.statement()
    with room.world.office.work(CLOCK) as work:  # the clock has taken the payments in, the cashier settles them
        assert settlement.credit(work, data) == len(refs)
    last = "id = (SELECT max(id) FROM bank_line)"
    with unlocked(room, "bank_line"), row_changed(room, "bank_line", "day = '2020-01-01'", last):
        with room.world.work("cashier") as work, pytest.raises(Conflict, match=r"statement\.not_as_taken"):
            settlement.settle(work)
    assert {room.refund(ref).state for ref in refs} == {"SENT"}
    assert room.fetch().confirmed == len(refs)


def test_a_digest_changed_along_with_the_row_does_not_help(room: MoneyRoom) -> None:
    refs, batch = approved(room)
    tamper(
        room, "UPDATE refund SET payee_account = :thief WHERE ref = :ref", thief=thief("refund", refs[0]), ref=refs[0]
    )
    with room.world.view("clock") as view:
        row = refunds.batch(view.session, batch)
        other = refunds.digest(row, refunds.of_batch(view.session, row))
    tamper(room, "UPDATE refund_batch SET digest = :digest WHERE ref = :ref", digest=other, ref=batch)
    with pytest.raises(Conflict) as refusal:
        room.pay(batch)
    assert refusal.value.code == "refund.not_as_approved"


def test_an_account_changed_before_the_preparation_is_not_paid_either(room: MoneyRoom) -> None:
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    refs = room.due()
    tamper(
        room, "UPDATE refund SET payee_account = :thief WHERE ref = :ref", thief=thief("refund", refs[0]), ref=refs[0]
    )
    batch = room.prepare(*refs)
    with pytest.raises(Conflict) as refusal:
        room.approve(batch)
    assert refusal.value.code == "refund.payee_differs"


def test_an_order_changed_on_its_way_to_the_bank_stays_here(room: MoneyRoom) -> None:
    refs, batch = approved(room)
    with room.world.work("cashier") as work:
        orders = refunds.pay(work, refunds.batch(work.session, batch))
        bad, *good = [order.key for order in orders]
    tamper(
        room,
        "UPDATE bank_transfer SET payee_account = :thief WHERE key = :key",
        thief=thief("bank_transfer", bad),
        key=bad,
    )
    assert sorted(refunds.deliver(room.world.office, room.bank)) == sorted(good)
    with room.world.view("clock") as view, pytest.raises(Conflict) as refusal:
        refunds.require_orders(view, [transfers.transfer(view.session, bad)])
    assert refusal.value.code == "refund.order_differs"
    with room.world.view("clock") as view:
        name = transfers.transfer(view.session, bad).refund
    tamper(room, "UPDATE refund SET payee_account = :thief WHERE bank_key = :key", thief=thief("refund", name), key=bad)
    assert refunds.deliver(room.world.office, room.bank) == []  # the row beside it does not help
