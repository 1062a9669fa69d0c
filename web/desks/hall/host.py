"""The host's chair: publish the set, extend the window once, decrypt, answer objections, sign the minutes, close (desks §9.2).

The host sees what the public sees and has buttons beside it. A button that cannot be pressed yet says when it can.
"""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from trading.hall import papers
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork
from trading.opening import ceremony as opening
from trading.opening import findings, opening_list, opening_set, rulings, shares
from web import words
from web.desks.hall import minutes
from web.desks.hall.cards import hall_card
from web.desks.hall.room import ceremony, crumbs_of, hall, hall_lot, lot_at_market
from web.http.forms import Form
from web.http.gate import actor, go, office, reading, render, work
from web.http.page_rules import ByHand
from web.http.refusals import language
from web.workers import opening_run


@hall.page("/<ref>/host", needs=Act.OPENING_HOST)
def host(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = hall_card(view, lot_at_market(view, ref))
    return render(
        "hall/host.html",
        form=form or Form.blank(),
        card=card,
        cause_words=[(one, words.state("cause", one, language()).text) for one in rulings.CAUSES],
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Host's chair"), "")),
    )


@hall.act("/<ref>/acts/list", needs=Act.OPENING_HOST, back=host)
def do_list(unit: UnitOfWork, _form: Form, ref: str) -> str:
    lot = hall_lot(unit, ref)
    opening_set.list_bids(unit, lot, opening.current_part(unit.session, lot))
    return f"/hall/{ref}/host"


@hall.act("/<ref>/acts/extend", needs=Act.OPENING_HOST, back=host)
def do_extend(unit: UnitOfWork, form: Form, ref: str) -> str:
    reason = form.text("reason", limit=500, lines=True)
    form.refuse_if_any()
    lot = hall_lot(unit, ref)
    shares.extend_window(unit, ceremony(unit, lot), reason=reason)
    return f"/hall/{ref}/host"


@hall.page("/<ref>/acts/open", needs=Act.OPENING_HOST, post=ByHand.OUTSIDE, back=host)
def do_open(ref: str) -> Any:
    """The long act: it opens outside any transaction and claims its form afterwards; doing it twice refuses ``opening.opened``, and doing
    it while it runs leads back to the page that counts."""
    form = Form.read()
    with reading() as view:
        part = opening.current_part(view.session, hall_lot(view, ref))
    opening_run.start(office(), actor(), ref, part=part)
    with work() as unit:
        unit.once(form.form_id, where := f"/hall/{ref}/host")
    return go(where)


@hall.act("/<ref>/acts/answer", needs=Act.OPENING_HOST, back=host)
def do_answer(unit: UnitOfWork, form: Form, ref: str) -> str:
    number = form.whole("remark", least=1)
    text = form.text("text", limit=2000, lines=True)
    form.refuse_if_any()
    lot = hall_lot(unit, ref)
    row = ceremony(unit, lot)
    unit.lock(row)
    said = next(
        (one for one in opening.remarks(unit.session, row) if one.id == number and one.kind == "objection"), None
    )
    if said is None:
        raise NotFound("opening.no_remark", remark=number)
    opening_list.answer_remark(unit, said, row, text=text)
    return f"/hall/{ref}/host"


@hall.page("/<ref>/acts/sign-minutes", needs=Act.OPENING_SIGN, post=ByHand.BYTES, back=host)
def do_sign_minutes(ref: str) -> Any:
    """Bytes first: the papers are set and stored, then one short unit writes that they are the record; a stamp follows if there is one."""
    form = Form.read()
    blobs = minutes.make_all(ref)
    with work() as unit:
        lot = hall_lot(unit, ref)
        unit.once(form.form_id, where := f"/hall/{ref}/host")
        papers.sign(unit, ceremony(unit, lot), blobs)
    minutes.stamp_if_ready(ref)
    return go(where)


@hall.act("/<ref>/acts/rule", needs=Act.OPENING_HOST, back=host)
def do_rule(unit: UnitOfWork, form: Form, ref: str) -> str:
    """The ruling on a bid that failed for a cause nobody has proved; its effect follows from then (rulebook §5.2, point 6)."""
    named = form.text("header_hash", limit=60)
    cause = form.choice("cause", rulings.CAUSES)
    reasons = form.text("reasons", limit=2000, lines=True)
    form.refuse_if_any()
    lot = hall_lot(unit, ref)
    findings.rule(unit, ceremony(unit, lot), header_hash=named, cause=cause, reasons=reasons)
    return f"/hall/{ref}/host"


@hall.act("/<ref>/acts/close", needs=Act.OPENING_HOST, back=host)
def do_close(unit: UnitOfWork, _form: Form, ref: str) -> str:
    lot = hall_lot(unit, ref)
    opening_list.close(unit, ceremony(unit, lot))
    return f"/hall/{ref}"
