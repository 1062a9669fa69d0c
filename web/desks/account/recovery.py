"""Recovery codes: how many are left, and ten new ones, shown once."""

from __future__ import annotations

from trading.kernel.access import Act
from trading.parties import parties, recovery_codes
from web.desks.account.room import account, person
from web.http.forms import Form
from web.http.gate import reading, render, request, safe_next, work
from web.http.page_rules import ByHand

PATH = "/account/recovery-codes"


@account.page("/recovery-codes", needs=Act.ACCOUNT_OWN)
def recovery(form: Form | None = None) -> str:
    """``used``: one has just been used to sign in; ``next``: where that was to lead."""
    mine = person().actor.account_id or 0
    with reading() as view:
        left = recovery_codes.left(view.session, mine)
        has_code = bool(parties.account(view.session, mine).totp_secret)
    return render(
        "account/recovery.html",
        form=form or Form.blank(),
        left=left,
        most=recovery_codes.MANY,
        has_code=has_code,
        used=bool(request.args.get("used")),
        onward=safe_next(request.args.get("next"), ""),
    )


@account.page("/acts/recovery-codes", needs=Act.ACCOUNT_OWN, post=ByHand.DOCUMENT, fresh=True, back=recovery)
def do_recovery() -> str:
    form = Form.read()
    with work() as unit:
        unit.once(form.form_id, PATH)
        codes = recovery_codes.make(unit)
    return render("account/recovery_made.html", codes=codes)
