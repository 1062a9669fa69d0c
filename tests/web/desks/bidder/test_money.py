"""The bidder's deposit page and first page: what is lost and what can still be done, the slip, paying in a rehearsal, money on its way."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from deposits.views.own_deposit import safe_until
from tests.deposits.money_room import DEPOSIT, MoneyRoom
from tests.kit import opening_steps
from tests.web.desks.rooms import Person, Rooms
from trading.kernel.calendar import BEIJING, packaged_calendar
from trading.kernel.money import Money
from trading.opening import decryption
from web import wiring
from web.workers import scheduler

HALF = Money.parse("25000")


@pytest.fixture
def money(rooms: Rooms) -> MoneyRoom:
    """A rehearsal: its bank is the simulated one, in the file where the served platform keeps it."""
    data: Path = rooms.app.extensions["bidhall"].settings.data
    data.mkdir(parents=True, exist_ok=True)
    (data / wiring.REHEARSAL).touch()
    return MoneyRoom(rooms.world, data / wiring.BANK_FILE)


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def home(person: Person) -> str:
    return plain(person.get("/bidder?lang=en").text)


def share(rooms: Rooms, ref: str) -> None:
    for username in opening_steps.ALL:
        opening_steps.share(rooms.world, ref, username)


# --- what is lost -------------------------------------------------------------------------------------------------------


def test_a_deposit_that_never_came_is_said_in_red_with_consequence_and_remedy(rooms: Rooms, money: MoneyRoom) -> None:
    ref = rooms.world.lot("BIDDING")
    subs = money.take_part(ref)
    money.pay_in("bidder2", subs["bidder2"])
    money.fetch()
    money.bid(ref)
    one, two = rooms.person("bidder1", "bidder-signer"), rooms.person("bidder2", "bidder-signer")
    assert "Deposit has not arrived" in home(one) and "Deposit has not arrived" not in home(two)
    money.list_set(ref)
    one, two = rooms.person("bidder1", "bidder-signer"), rooms.person("bidder2", "bidder-signer")
    page = one.get("/bidder?lang=en").text
    assert 'class="loss"' in page and "nothing had arrived in your sub-account; 50,000.00 yuan was asked for" in page
    assert "rules D-13 and E-25" in page and "Nothing needs you today" not in page
    assert "Opening under way" in page and f'href="/bidder/lots/{ref}/opening"' in page
    assert "The next remedy opens when the result is published" in page
    assert 'class="loss"' not in two.get("/bidder?lang=en").text
    share(rooms, ref)
    decryption.open_bids(rooms.world.office, rooms.world.actor("host"), ref)
    one = rooms.person("bidder1", "bidder-signer")
    opened = one.get("/bidder?lang=en").text
    assert "object and attach it" in opened and f'href="/bidder/lots/{ref}/objection"' in opened and "T-21" in opened
    zh = one.get("/bidder?lang=zh").text
    assert "发生了什么" in zh and "后果" in zh and "还能做什么" in zh and "保证金未按时足额到账" in zh


def test_late_by_seconds_is_named_to_the_second(rooms: Rooms, money: MoneyRoom) -> None:
    ref = rooms.world.lot("BIDDING")
    subs = money.take_part(ref)
    money.bid(ref)
    rooms.world.tick()
    with rooms.world.view("clock") as view:
        deadline = rooms.world.lot_in(view, ref).deadline
    assert deadline is not None
    rooms.world.clock.set(deadline + timedelta(seconds=7))
    money.pay_in("bidder1", subs["bidder1"])
    money.fetch()
    person = rooms.person("bidder1", "bidder-signer")
    assert "7 s after the deadline" in home(person)
    page = plain(person.get(f"/bidder/deposits/{ref}?lang=en").text)
    assert "arrived too late" in page and "7 s after the deadline" in page and "If it is late" not in page


def test_the_running_window_is_a_clock_with_the_line_as_read_out(rooms: Rooms, money: MoneyRoom) -> None:
    ref, _subs = money.paid_lot()
    money.list_set(ref)
    share(rooms, ref)
    decryption.open_bids(rooms.world.office, rooms.world.actor("host"), ref)
    person = rooms.person("bidder1", "bidder-signer")
    page = person.get("/bidder?lang=en").text
    assert (
        'class="now"' in page
        and "was it read out as you wrote it?" in page
        and "data-until" in page
        and "the same file" in page
    )
    said = person.act(f"/bidder/lots/{ref}/acts/confirm", page="/bidder")
    assert said.status_code == 303
    after = person.get("/bidder?lang=en").text
    assert "now--over" in after and "Said in time" in after and "It is right" not in after
    other = rooms.person("bidder2", "bidder-signer")
    assert "It is right" in other.get("/bidder?lang=en").text
    rooms.world.clock.advance(minutes=16)
    silent = rooms.person("bidder2", "bidder-signer").get("/bidder?lang=en").text
    assert "The window is over" in silent and "counts as confirmed (" in silent and "It is right" not in silent


def test_with_nothing_due_the_next_date_is_named(rooms: Rooms, money: MoneyRoom) -> None:
    person = rooms.person("bidder1", "bidder-signer")
    assert "Nothing needs you today" in home(person) and "Nothing of yours has an hour" in home(person)
    money.paid_lot(bid=("bidder1",))
    page = home(rooms.person("bidder1", "bidder-signer"))
    assert "Nothing needs you today" in page and "Next: deadline:" in page


# --- paying -------------------------------------------------------------------------------------------------------------


def test_the_slip_is_in_the_order_a_bank_asks(rooms: Rooms, money: MoneyRoom) -> None:
    ref = rooms.world.lot("BIDDING")
    sub = money.take_part(ref, "bidder1")["bidder1"]
    page = rooms.person("bidder1", "bidder-signer").get(f"/bidder/deposits/{ref}?lang=en").text
    asked = ("Payee<", "Payee's bank", "Account", "Amount", "Remark", "From account")
    places = [page.index("<dt>" + text) for text in asked]
    assert places == sorted(places)
    assert f'data-copy="{sub}"' in page and 'data-copy="50000.00"' in page and DEPOSIT.amount_words() in page
    assert len(re.findall(r"<span>\d{4}</span>", page)) == 8 and 'class="timebar"' in page
    assert rooms.person("bidder2", "bidder-signer").get(f"/bidder/deposits/{ref}").status_code == 404
    assert "guarantee" not in page.lower()
    for regime in ("GP", "WORKS"):
        other = rooms.world.lot("BIDDING", regime=regime)
        money.take_part(other, "bidder3")
        for lang in ("zh", "en"):
            assert (
                rooms.person("bidder3", "bidder-signer").get(f"/bidder/deposits/{other}?lang={lang}").status_code == 200
            )


def test_in_a_rehearsal_a_button_pays_and_the_clock_credits_it(rooms: Rooms, money: MoneyRoom) -> None:
    ref = rooms.world.lot("BIDDING")
    money.take_part(ref, "bidder1")
    person, where = rooms.person("bidder1", "bidder-signer"), f"/bidder/deposits/{ref}"
    unsaid = person.act(f"{where}/acts/rehearse", page=where)
    assert unsaid.status_code == 422
    half = person.act(f"{where}/acts/rehearse", page=where, how="short")
    assert half.status_code == 303
    doubled = person.act(f"{where}/acts/rehearse", how="short")
    assert doubled.status_code in (303, 409) and [amount for _at, amount in money.bank.booked(_sub(person, where))] == [
        HALF
    ]
    waiting = plain(person.get(where + "?lang=en").text)
    assert "The bank has booked 25,000.00 yuan" in waiting and "not arrived" in waiting
    seen: dict[str, str] = {}
    assert (
        scheduler.credit(rooms.world.office, money.bank, seen) == 1
        and scheduler.credit(rooms.world.office, money.bank, seen) == 0
    )
    short = person.get("/bidder?lang=en").text
    assert (
        'class="loss"' in short and "25,000.00 yuan of the deposit are missing" in short and f'href="{where}"' in short
    )
    assert person.act(f"{where}/acts/rehearse", page=where, how="full").status_code == 303
    scheduler.credit(rooms.world.office, money.bank, seen)
    done = person.get(where + "?lang=en").text
    assert "in full and in time" in done and "nothing is left to pay" in done and 'value="full"' not in done
    assert person.act(f"{where}/acts/rehearse", page=where, json=True, how="full").status_code == 409
    assert 'class="loss"' not in person.get("/bidder?lang=en").text


def _sub(person: Person, where: str) -> str:
    found = re.search(r'data-copy="(\d{32})"', person.get(where).text)
    assert found is not None
    return found[1]


def test_where_money_is_real_nobody_is_offered_a_bank(rooms: Rooms) -> None:
    ref = rooms.world.lot("BIDDING")
    person, where = rooms.person("bidder1", "bidder-signer"), f"/bidder/deposits/{ref}"
    assert person.act(f"/bidder/lots/{ref}/acts/take-part", page=f"/bidder/lots/{ref}").status_code == 303
    assert "acts/rehearse" not in person.get(where).text
    assert person.act(f"{where}/acts/rehearse", page=where, json=True, how="full").status_code == 404
    data: Path = rooms.app.extensions["bidhall"].settings.data
    assert not (data / wiring.BANK_FILE).exists()


def test_another_payer_is_named_before_it_is_too_late(rooms: Rooms, money: MoneyRoom) -> None:
    ref = rooms.world.lot("BIDDING")
    money.take_part(ref, "bidder1")
    person, where = rooms.person("bidder1", "bidder-signer"), f"/bidder/deposits/{ref}"
    assert person.act(f"{where}/acts/rehearse", page=where, how="other").status_code == 303
    scheduler.credit(rooms.world.office, money.bank, {})
    page = plain(person.get("/bidder?lang=en").text)
    assert "somebody else paid the deposit" in page and "演练他人公司" in page and "rules D-05, CL-07" in page


def test_a_payment_to_a_wrong_number_is_claimed_by_its_owner_alone(rooms: Rooms, money: MoneyRoom) -> None:
    ref = rooms.world.lot("BIDDING")
    money.take_part(ref, "bidder1", "bidder2")
    bank_id = money.pay_in("bidder1", "", text="保证金")
    money.fetch()
    other = rooms.person("bidder2", "bidder-signer")
    where = f"/bidder/deposits/{ref}"
    refused = other.act(f"{where}/acts/claim", page=where, bank_id=bank_id)
    assert refused.status_code == 422 and bank_id in refused.text
    person = rooms.person("bidder1", "bidder-signer")
    assert person.act(f"{where}/acts/claim", page=where, bank_id="").status_code == 422
    assert person.act(f"{where}/acts/claim", page=where, bank_id=bank_id).status_code == 303
    assert "in full and in time" in plain(person.get(where + "?lang=en").text)


# --- money on its way back ------------------------------------------------------------------------------------------------


def test_refunds_stand_with_sum_and_day_and_a_returned_one_in_red(rooms: Rooms, money: MoneyRoom) -> None:
    ref, subs = money.paid_lot(bid=())
    money.leave(ref, "bidder1")
    due = money.due()
    person = rooms.person("bidder1", "bidder-signer")
    page = home(person)
    assert "Money coming back" in page and "50,000.00" in page and "1 refund" in page
    batch = money.prepare(*due)
    money.approve(batch)
    (key,) = money.pay(batch)
    money.fetch()
    money.bank.give_back(key)
    money.fetch()
    lost = rooms.person("bidder1", "bidder-signer")
    red = lost.get("/bidder?lang=en").text
    assert "your refund came back" in red and "#payee" in red
    where = f"/bidder/deposits/{ref}"
    form = lost.get(where + "?lang=en").text
    refund = re.search(r'name="refund" value="([^"]+)"', form)
    assert refund is not None
    empty = lost.act(f"{where}/acts/payee", page=where, refund=refund[1], account="")
    assert empty.status_code == 422 and len(re.findall(r'class="err"', empty.text)) == 2


def test_safe_until_is_the_close_of_the_banks_last_working_day() -> None:
    from datetime import datetime

    calendar = packaged_calendar()
    monday = datetime(2026, 3, 16, 9, 30, tzinfo=BEIJING)
    assert safe_until(calendar, monday) == datetime(2026, 3, 13, 17, 0, tzinfo=BEIJING)
    evening = datetime(2026, 3, 16, 18, 0, tzinfo=BEIJING)
    assert safe_until(calendar, evening) == datetime(2026, 3, 16, 17, 0, tzinfo=BEIJING)
