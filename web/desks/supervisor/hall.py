"""The supervisory body at an opening: late closings to confirm, claims of omission to settle, reported boxes to open and judge.

It signs with its own key, held in the browser or by `bidhall`; no secret of it or of an officer comes to this side. Of a sealed lot it
learns no more than the public: moments of the log, and that somebody claims, never who.

    GET  /supervisor/hall/<ref>/late-close.json    the ``late-close`` to sign, ``finding`` and ``at`` left empty
    POST /supervisor/hall/<ref>/acts/confirm-late  ``late_close``: DSSE
    GET  /supervisor/hall/<ref>/boxes.json         the reported boxes: set, headers, officers' public keys
    POST /supervisor/hall/<ref>/acts/findings      ``findings``: ``[{document: DSSE, part}]``
    GET  /supervisor/hall/<ref>/lost.json          the bids whose bytes were lost: set, header hashes
    POST /supervisor/hall/<ref>/acts/lost          ``lost``: ``[{document: DSSE}]``
    POST /supervisor/hall/<ref>/acts/waive         ``reasons``: the opening goes on without the mirror
    POST /supervisor/hall/<ref>/acts/settle        ``claim``, ``outcome`` (upheld, rejected), ``reasons``
"""

from __future__ import annotations

from flask import Response, jsonify

from trading.bidding import bids, claims, late_close
from trading.kernel.access import Act
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony, findings, rechecks
from trading.parties import enrolments, parties
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from trading.views import opening_trouble
from web.desks.hall.room import signed, signed_list
from web.desks.supervisor.desk import desk as supervision
from web.http.forms import Form
from web.http.gate import reading, render


def _published(view: View, ref: str) -> Lot:
    lot = tenders.lot(view.session, ref)
    if lot.published_at is None:
        raise NotFound("lot.unknown", ref=ref)
    return lot


@supervision.page("/hall", needs=Act.SUPERVISE)
def openings() -> str:
    with reading() as view:
        found = opening_trouble.all_openings(view)
    return render("supervisor/hall.html", found=found, at=view.now)


@supervision.page("/hall/<ref>", needs=Act.SUPERVISE, fresh=True)
def opening_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        found = opening_trouble.opening_trouble(view, _published(view, ref))
        account = parties.account(view.session, view.actor.account_id or 0)
        keyed = enrolments.find_key(view.session, account.username, "supervisor") is not None
    return render(
        "supervisor/opening.html", found=found, lot=found.lot, at=view.now, keyed=keyed, form=form or Form.blank()
    )


# --- a late closing ---------------------------------------------------------------------------------------------------


@supervision.page("/hall/<ref>/late-close.json", needs=Act.FINDING_SIGN)
def late_close_data(ref: str) -> Response:
    with reading() as view:
        late = late_close.what_happened(view.session, _published(view, ref))
        if late is None:
            raise NotFound("late_close.not_late")
        return jsonify(document=late_close.document(view, late, finding="", at=""))


@supervision.act("/hall/<ref>/acts/confirm-late", needs=Act.FINDING_SIGN, back=opening_page)
def confirm_late(unit: UnitOfWork, form: Form, ref: str) -> str:
    envelope = signed(form, "late_close")
    form.refuse_if_any()
    late_close.confirm(unit, _published(unit, ref), envelope)
    return f"/supervisor/hall/{ref}"


# --- boxes ------------------------------------------------------------------------------------------------------------


@supervision.page("/hall/<ref>/boxes.json", needs=Act.FINDING_SIGN)
def boxes(ref: str) -> Response:
    """What the arbiter needs to open the reported boxes itself, with the officer's key of this opening."""
    with reading() as view:
        row = ceremony.opening(view.session, _published(view, ref))
        by_hash = {bid.header_hash: bid.header for bid in bids.standing_bids(view.session, row.lot, row.part)}
        found = [
            {
                "header_hash": one.failure.header_hash,
                "header": by_hash[one.failure.header_hash],
                "j": one.j,
                "reported": one.code,
                "pk": findings.scope_of(view.session, row, one.j, one.failure.header_hash)["pk"],
            }
            for one in findings.complaints(view.session, row)
            if one.found is None
        ]
        return jsonify(set=row.set_hash, boxes=found)


@supervision.act("/hall/<ref>/acts/findings", needs=Act.FINDING_SIGN, back=opening_page)
def sign_findings(unit: UnitOfWork, form: Form, ref: str) -> str:
    given = signed_list(form, "findings")
    form.refuse_if_any()
    row = ceremony.opening(unit.session, _published(unit, ref))
    for one in given:
        if not isinstance(one, dict) or not isinstance(one.get("part", ""), str):
            raise Invalid("finding.bad", reason="JSON_PROFILE")
        findings.sign(unit, row, one.get("document"), part=one.get("part", ""))
    return f"/supervisor/hall/{ref}"


# --- lost bytes, and the mirror ---------------------------------------------------------------------------------------


@supervision.page("/hall/<ref>/lost.json", needs=Act.FINDING_SIGN)
def lost_data(ref: str) -> Response:
    """What there is to find on: the bids whose bytes were lost, by set."""
    with reading() as view:
        rows = findings.lost(view.session, _published(view, ref))
        return jsonify(
            lost=[{"set": row.set_hash, "header_hash": bid.header_hash} for row, bid, one in rows if one is None]
        )


@supervision.act("/hall/<ref>/acts/lost", needs=Act.FINDING_SIGN, back=opening_page)
def sign_lost(unit: UnitOfWork, form: Form, ref: str) -> str:
    given = signed_list(form, "lost")
    form.refuse_if_any()
    lot = _published(unit, ref)
    rows = {row.set_hash: row for row, _, _ in findings.lost(unit.session, lot)}
    for one in given:
        row = rows.get(findings.set_of(one.get("document"))) if isinstance(one, dict) else None
        if row is None:
            raise Invalid("finding.bad", reason="CONTEXT_MISMATCH")
        findings.sign_lost(unit, row, one["document"])
    return f"/supervisor/hall/{ref}"


@supervision.act("/hall/<ref>/acts/waive", needs=Act.FINDING_SIGN, back=opening_page)
def waive(unit: UnitOfWork, form: Form, ref: str) -> str:
    reasons = form.text("reasons", limit=2000, lines=True)
    form.refuse_if_any()
    lot = _published(unit, ref)
    rechecks.waive(unit, ceremony.opening(unit.session, lot, ceremony.current_part(unit.session, lot)), reasons=reasons)
    return f"/supervisor/hall/{ref}"


# --- claims -----------------------------------------------------------------------------------------------------------


@supervision.act("/hall/<ref>/acts/settle", needs=Act.FINDING_SIGN, back=opening_page)
def settle(unit: UnitOfWork, form: Form, ref: str) -> str:
    number, outcome = form.whole("claim", least=1), form.choice("outcome", claims.OUTCOMES[1:])
    reasons = form.text("reasons", limit=2000, lines=True)
    form.refuse_if_any()
    lot = _published(unit, ref)
    claim = next((one for one in claims.of_lot(unit.session, lot) if one.id == number), None)
    if claim is None:
        raise NotFound("claim.unknown")
    findings.settle_claim(unit, claim, outcome=outcome, reasons=reasons)
    return f"/supervisor/hall/{ref}"
