"""Money that is kept, accounts that change, and the records that prove it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from deposits import demands, forfeits
from deposits.forfeits import Forfeit
from deposits.ledger import accounts, postings
from deposits.refunds import payees, refunds
from deposits.views import dossier
from tests.deposits.money_room import DEPOSIT, MoneyRoom, demand_of, row_changed
from tests.kit import data_keys
from trading.kernel.calendar import local_day
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, WrongStep
from trading.kernel.money import Money


def records(room: MoneyRoom, ref: str) -> list[dict[str, Any]]:
    with room.world.view("clock") as view:
        return dossier.records(view.session, room.world.lot_in(view, ref))


def winner_of(room: MoneyRoom, subs: dict[str, str]) -> str:
    """The rank is by the bidders' codes, which are in the order of their names."""
    return subs["bidder1"]


@pytest.mark.rule("D-41", "D-43", "D-45")
@pytest.mark.parametrize(
    ("regime", "ground", "to"), [("GP", "D-43", accounts.TREASURY), ("WORKS", "D-41", accounts.TENDEREE)]
)
def test_a_winner_that_does_not_sign(room: MoneyRoom, regime: str, ground: str, to: str) -> None:
    ref, subs = room.awarded(regime)
    room.keep(winner_of(room, subs), ground=ground, until=local_day(room.world.now) + timedelta(days=60))
    totals = room.totals()
    assert totals.forfeited == DEPOSIT and totals.held == DEPOSIT * 2 and totals.balanced
    with room.world.view("clock") as view:
        assert postings.balance(view.session, to) == DEPOSIT.minor
    assert room.reconcile().balanced
    if regime == "GP":
        room.refund_all()
        assert room.totals().refunded == DEPOSIT * 2
    room.due()
    assert all(row.demand is None or row.demand.sub_account != winner_of(room, subs) for row in room.all_refunds())
    kept = next(row for row in records(room, ref) if row["forfeited"])
    assert (
        kept["forfeit"]["ground"] == ground
        and len({kept["forfeit"][who] for who in ("drafted", "checked", "decided")}) == 3
    )


def test_three_persons_in_three_rooms(room: MoneyRoom) -> None:
    ref, subs = room.awarded("WORKS")
    until = local_day(room.world.now) + timedelta(days=10)
    with room.world.work("cashier") as work:
        demand = demands.find_by_sub_account(work.session, winner_of(room, subs))
        assert demand is not None
        with pytest.raises(Invalid) as refusal:
            forfeits.draft(work, demand, ground="D-43", evidence=" ", hold_until=until)
        assert {fault.code for fault in refusal.value.faults} == {"forfeit.ground", "form.required"}
        name = forfeits.draft(work, demand, ground="D-41", evidence="拒签合同", hold_until=until).ref
        with pytest.raises(Conflict):
            forfeits.draft(work, demand, ground="D-41", evidence="拒签合同", hold_until=until)

    def one(work: Any) -> Forfeit:
        return forfeits.forfeit(work.session, name)

    with room.world.work("controller") as work, pytest.raises(WrongStep):
        forfeits.check(work, one(work), approval={})
    with room.world.work("cashier") as work:
        forfeits.hear(work, one(work), hearing="听取陈述")
        with pytest.raises(NotAllowed):
            forfeits.check(work, one(work), approval={})
    with room.world.work("buyer") as work, pytest.raises(WrongStep):
        forfeits.decide(work, one(work), approval={})
    room.check(name)
    with room.world.work("controller") as work:
        with pytest.raises(NotAllowed):
            forfeits.decide(work, one(work), approval={})
    with room.world.work("agent") as work, pytest.raises(NotAllowed):
        forfeits.decide(work, one(work), approval={})
    assert room.totals().forfeited.is_zero
    room.decide(name)
    assert room.totals().forfeited == DEPOSIT
    with room.world.work("buyer") as work, pytest.raises(WrongStep):
        forfeits.decide(work, one(work), approval={})


CHANGED = (
    ("ground = 'D-44'", "ground"),
    ("evidence = '另一份'", "evidence"),
    ("hearing = '另一次'", "hearing"),
    ("goes_to = 'forfeited_treasury'", "to"),
    ("drafted_by = (SELECT id FROM account WHERE username = 'cashier2')", "drafted"),
    ("checked_by = (SELECT id FROM account WHERE username = 'controller2')", "checked"),
)


@pytest.mark.promise("R8")
def test_a_proposal_changed_in_the_database_is_neither_checked_nor_decided(room: MoneyRoom) -> None:
    ref, subs = room.awarded("WORKS")
    until = local_day(room.world.now) + timedelta(days=10)
    with room.world.work("cashier") as work:
        demand = demand_of(work.session, winner_of(room, subs))
        name = forfeits.draft(work, demand, ground="D-41", evidence="拒签合同", hold_until=until).ref
    with room.world.work("cashier") as work:
        forfeits.hear(work, forfeits.forfeit(work.session, name), hearing="听取陈述")

    def refused(username: str, act: Any) -> str:
        with room.world.work(username) as work, pytest.raises(Conflict, match=r"forfeit\.book_differs") as refusal:
            act(work, forfeits.forfeit(work.session, name))
        return str(refusal.value.facts["differs"])

    for change, differs in CHANGED[:-1]:
        with row_changed(room, "forfeit", change, "ref = :ref", ref=name):
            assert refused("controller", partial(forfeits.check, approval={})) == differs
    room.check(name)
    for change, differs in CHANGED:
        with row_changed(room, "forfeit", change, "ref = :ref", ref=name):
            assert refused("buyer", partial(forfeits.decide, approval={})) == differs
    room.decide(name)
    assert room.totals().forfeited == DEPOSIT


def test_who_drafted_checks_nothing_whatever_the_row_says(room: MoneyRoom) -> None:
    ref, subs = room.awarded("WORKS")
    with room.world.work("cashier") as work:
        demand = demand_of(work.session, winner_of(room, subs))
        name = forfeits.draft(
            work, demand, ground="D-41", evidence="拒签合同", hold_until=local_day(work.now) + timedelta(days=9)
        ).ref
        forfeits.hear(work, forfeits.forfeit(work.session, name), hearing="听取陈述")
    actor = room.world.actor("controller")
    both = type(actor)(actor.role, room.world.people["cashier"], actor.party_id, "both", actor.fresh_until, actor.roles)
    with row_changed(
        room, "forfeit", "drafted_by = (SELECT id FROM account WHERE username = 'cashier2')", "ref = :ref", ref=name
    ):
        with room.world.office.work(both) as work, pytest.raises(NotAllowed, match=r"refund\.same_person"):
            forfeits.check(work, forfeits.forfeit(work.session, name), approval={})


def test_pending_holds_the_money_and_dropping_sets_it_free(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    until = local_day(room.world.now) + timedelta(days=10)
    with room.world.work("cashier") as work:
        demand = demands.find_by_sub_account(work.session, subs["bidder2"])
        assert demand is not None
        name = forfeits.draft(work, demand, ground="D-43", evidence="虚假材料", hold_until=until).ref
    refs = room.due()
    mine = next(one for one in refs if room.sub_account_of(one) == subs["bidder2"])
    with pytest.raises(Conflict) as refusal:
        room.prepare(mine)
    assert refusal.value.code == "refund.on_hold"
    with room.world.work("controller") as work:
        forfeits.drop(work, forfeits.forfeit(work.session, name), why="事由不成立")
    room.prepare(mine)


def test_what_went_back_cannot_be_kept_and_what_runs_neither(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    refs = room.due()
    mine = next(one for one in refs if room.sub_account_of(one) == subs["bidder2"])
    until = local_day(room.world.now) + timedelta(days=1)
    batch = room.prepare(mine)
    with pytest.raises(Conflict) as refusal:
        room.keep(subs["bidder2"], ground="D-43", until=until)
    assert refusal.value.code == "forfeit.refund_running"
    with room.world.work("controller") as work:
        row = work.session.scalars(forfeits.select(Forfeit)).one()
        forfeits.drop(work, row, why="退款在先")
    room.approve(batch)
    room.pay(batch)
    with room.world.work("cashier") as work, pytest.raises(Conflict) as conflict:
        forfeits.draft(work, demand_of(work.session, subs["bidder2"]), ground="D-43", evidence="x", hold_until=until)
    assert conflict.value.code == "forfeit.nothing_left"


def test_another_account_needs_the_bank_the_bidder_and_two(room: MoneyRoom) -> None:
    ref, subs = room.paid_lot("GP")
    room.terminate(ref)
    name = next(one for one in room.due() if room.sub_account_of(one) == subs["bidder1"])
    proof = room.world.office.blobs.put([b"%PDF-1.7 proof"])

    def ask(username: str, account: str = "6222777766665555") -> str:
        with room.world.work(username) as work:
            return payees.ask(work, refunds.refund(work.session, name), account=account, proof=proof).ref

    with pytest.raises(WrongStep):
        ask("bidder1")
    batch = room.prepare(name)
    room.approve(batch)
    (key,) = room.pay(batch)
    room.fetch()
    room.bank.give_back(key, "账户已销户")
    room.fetch()
    with pytest.raises(NotFound):
        ask("bidder2")
    with pytest.raises(NotAllowed):
        ask("cashier")
    with pytest.raises(Invalid):
        ask("bidder1", "62-22 账号")
    ask("bidder1")
    with pytest.raises(Conflict):
        ask("bidder1")

    def approve(username: str) -> bool:
        with room.world.work(username) as work:
            change = work.session.scalars(payees.select(payees.PayeeChange)).one()
            return payees.approve(work, change, approval=room.approval(work, payees.matter(work, change)))

    def other_account(number: str) -> None:
        """By somebody who holds the database and its data key."""
        with room.world.view("clock") as view:
            asked = view.session.scalars(payees.select(payees.PayeeChange)).one().ref
        token = data_keys.sealed("payee_change", "account", asked, number)
        with room.world.office.engine.begin() as connection:
            connection.execute(payees.PayeeChange.__table__.update().values(account=token))  # type: ignore[attr-defined]

    assert approve("controller") is False
    with pytest.raises(NotAllowed):
        approve("controller")
    assert room.refund(name).payee_account == room.payer("bidder1")[1]
    other_account("6222000099998888")
    with pytest.raises(Conflict) as conflict:
        approve("controller2")
    assert conflict.value.code == "refund.payee_differs"
    other_account("6222777766665555")
    with row_changed(room, "payee_change", "proof = 'another'", "refund_id > 0"), pytest.raises(Conflict) as conflict:
        approve("controller2")
    assert conflict.value.code == "refund.payee_differs"
    with row_changed(room, "payee_change", "first_by = NULL", "refund_id > 0"):
        with pytest.raises(NotAllowed):  # the book knows who approved first
            approve("controller")
        with pytest.raises(Conflict) as conflict:
            approve("controller2")
    assert conflict.value.code == "refund.book_differs"
    assert approve("controller2") is True
    with pytest.raises(Conflict):
        approve("controller2")
    assert room.refund(name).payee_account == "6222777766665555"
    again = room.prepare(name)
    room.approve(again)
    room.pay(again)
    assert room.fetch().confirmed == 1 and room.reconcile().balanced
    record = next(one for one in records(room, ref) if one["refunds"][0]["refund"] == name)
    assert record["refunds"][0]["payee"] != record["payer"]


def test_the_records_of_a_lot_add_up_and_prove_two_hands(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    room.refund_all()
    found = records(room, ref)
    assert [one["receipt"] for one in found] == sorted(one["receipt"] for one in found) and len(found) == 3
    for one in found:
        assert one["received"] == one["refunded"] + one["converted"] + one["forfeited"] + one["held"] == DEPOSIT.minor
        for back in one["refunds"]:
            assert (
                back["payee"] == one["payer"]
                and back["prepared"]
                and back["approved"]
                and back["prepared"] != back["approved"]
            )
            assert back["state"] == "CONFIRMED" and back["due_on"] > back["event_on"] and len(back["batch"]) == 64
    assert sum(one["held"] for one in found) == room.totals().held.minor
    text = repr(found)
    for username in room.world.bidders:
        name, account = room.payer(username)
        assert account not in text and name not in text
    assert len({one["payer"] for one in found}) == 3


def test_money_that_comes_after_the_forfeit_is_not_taken_for_kept(room: MoneyRoom) -> None:
    ref, subs = room.awarded("GP")
    room.keep(winner_of(room, subs), ground="D-43", until=local_day(room.world.now))
    room.pay_in("bidder1", winner_of(room, subs), Money.parse("10"))
    room.fetch()
    totals = room.totals()
    assert totals.forfeited == DEPOSIT and totals.held == DEPOSIT * 2 + Money.parse("10") and totals.balanced
    assert sum(one["forfeited"] for one in records(room, ref)) == DEPOSIT.minor
    refs = room.refund_all()
    assert [room.refund(one).part for one in refs].count("excess") == 1
