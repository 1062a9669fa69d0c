"""What a bank does of its own accord, for a rehearsal: a payment that names no sub-account, interest, a charge, a payment that comes back.

The simulated bank books it as a real one would; the money room learns of it by the statement. Where money is real these acts are refused.
"""

from __future__ import annotations

from deposits.bank import transfers
from deposits.bank.protocol import ACCEPTED
from deposits.bank.simulated import SimulatedBank
from deposits.refunds import refunds
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, NotFound
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork
from web.desks.cashier.books import statements
from web.desks.cashier.refunds import refund
from web.desks.cashier.room import cashier, own_bank
from web.http.forms import Form

WHAT = {"unnamed": Money(2_000_000), "interest": Money(86_400), "charge": Money(1_500)}
PAYER = ("演练他人公司", "6222999900000000")


def rehearsal_bank() -> SimulatedBank:
    """Refuses: NotFound ``bank.not_rehearsal`` wherever money is real."""
    bank = own_bank()
    if not isinstance(bank, SimulatedBank):
        raise NotFound("bank.not_rehearsal")
    return bank


@cashier.act("/acts/rehearse", needs=Act.STATEMENT_IMPORT, back=statements)
def do_rehearse(unit: UnitOfWork, form: Form) -> str:
    """The simulated bank books something nobody here has ordered. Field: ``what``."""
    what = form.choice("what", WHAT)
    form.refuse_if_any()
    bank = rehearsal_bank()
    if what == "unnamed":
        bank.receive(WHAT[what], name=PAYER[0], account=PAYER[1], text="投标保证金")
    elif what == "interest":
        bank.pay_interest(WHAT[what])
    else:
        bank.charge(WHAT[what])
    return "/cashier/import?booked=yes"


@cashier.act("/refunds/<ref>/acts/rehearse-return", needs=Act.STATEMENT_IMPORT, back=refund)
def do_rehearse_return(unit: UnitOfWork, _form: Form, ref: str) -> str:
    """The simulated bank gives a refund back that it carried out, as when the payee's account is closed."""
    bank = rehearsal_bank()
    row = refunds.refund(unit.session, ref)
    order = transfers.transfer(unit.session, row.bank_key) if row.bank_key else None
    if row.state not in ("SENT", "CONFIRMED") or order is None or order.state != ACCEPTED:
        raise Conflict("bank.nothing_to_return")
    try:
        bank.give_back(order.key, "收款账户已销户")
    except ValueError as error:
        raise Conflict("bank.nothing_to_return") from error
    return f"/cashier/refunds/{ref}?returned=yes"
