"""Sign-ins to one's own account that failed."""

from __future__ import annotations

from trading.kernel.access import Act
from trading.parties import failed_sign_ins
from web.desks.account.room import account
from web.http.gate import reading, render, request
from web.http.layout import page_of

PATH = "/account/sign-ins"


@account.page("/sign-ins", needs=Act.ACCOUNT_OWN)
def failed() -> str:
    with reading() as view:
        total = failed_sign_ins.own(view, limit=0)[1]
        page = page_of(total, request.args, PATH)
        rows, _total = failed_sign_ins.own(view, limit=page.size, offset=page.offset)
    return render("account/failed.html", rows=rows, page=page, days=failed_sign_ins.KEPT.days)
