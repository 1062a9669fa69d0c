"""What a bank does of its own accord, for a rehearsal: a payment that names no sub-account, interest, a charge, a payment that comes back.

The simulated bank books it as a real one would; the money room learns of it by the statement. Where money is real these acts are refused.
"""

from __future__ import annotations

from typing import Any

from deposits.bank import transfers
from deposits.bank.protocol import ACCEPTED
from deposits.bank.simulated import SimulatedBank
from deposits.refunds import refunds
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, NotFound
from trading.kernel.money import Money
from web.desks.cashier.books import statements
from web.desks.cashier.refunds import refund
from web.desks.cashier.room import cashier, own_bank
from web.http.forms import Form
from web.http.gate import go, work

WHAT = {"unnamed": Money(2_000_000), "interest": Money(86_400), "charge": Money(1_500)}
PAYER = ("演练他人公司", "6222999900000000")


def rehearsal_bank() -> SimulatedBank:
    """Refuses: NotFound ``bank.not_rehearsal`` wherever money is real."""
    bank = own_bank()
    if not isinstance(bank, SimulatedBank):
        raise NotFound("bank.not_rehearsal")
    return bank


@cashier.page("/acts/rehearse", needs=Act.STATEMENT_IMPORT, post=True, back=statements)
def do_rehearse() -> Any:
    """The simulated bank books something nobody here has ordered. Field: ``what``."""
    form = Form.read()
    what = form.choice("what", WHAT)
    form.refuse_if_any()
    bank = rehearsal_bank()
    with work() as unit:
        unit.once(form.form_id, "/cashier/import")
        if what == "unnamed":
            bank.receive(WHAT[what], name=PAYER[0], account=PAYER[1], text="投标保证金")
        elif what == "interest":
            bank.pay_interest(WHAT[what])
        else:
            bank.charge(WHAT[what])
    return go("/cashier/import?booked=yes")


@cashier.page("/refunds/<ref>/acts/rehearse-return", needs=Act.STATEMENT_IMPORT, post=True, back=refund)
def do_rehearse_return(ref: str) -> Any:
    """The simulated bank gives a refund back that it carried out, as when the payee's account is closed."""
    form, where = Form.read(), f"/cashier/refunds/{ref}"
    bank = rehearsal_bank()
    with work() as unit:
        unit.once(form.form_id, where)
        row = refunds.refund(unit.session, ref)
        order = transfers.transfer(unit.session, row.bank_key) if row.bank_key else None
        if row.state not in ("SENT", "CONFIRMED") or order is None or order.state != ACCEPTED:
            raise Conflict("bank.nothing_to_return")
        try:
            bank.give_back(order.key, "收款账户已销户")
        except ValueError as error:
            raise Conflict("bank.nothing_to_return") from error
    return go(where + "?returned=yes")
