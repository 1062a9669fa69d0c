"""When a bid is unresolved: a key holder takes its key of this one opening out of its key file, for the supervisory body alone (protocol
§5.2)."""

from __future__ import annotations

from flask import Response, jsonify, request
from flask_babel import gettext as _

from trading.kernel.access import Act
from trading.opening import ceremony, findings
from web.desks.hall.cards import hall_card
from web.desks.hall.room import crumbs_of, hall, own_hall
from web.http.forms import Form
from web.http.gate import reading, render


@hall.page("/<ref>/scope", needs=Act.SHARE_RELEASE)
def scope(ref: str) -> str:
    with reading() as view:
        lot, seat = own_hall(view, ref)
        card = hall_card(view, lot)
        row = ceremony.find(view.session, lot)
        mine = (
            [one for one in findings.complaints(view.session, row) if one.officer == seat.j] if row is not None else []
        )
    return render(
        "hall/scope.html",
        card=card,
        seat=seat,
        mine=mine,
        form=Form.blank(),
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Key for the arbiter"), "")),
    )


@hall.page("/<ref>/scope.json", needs=Act.SHARE_RELEASE)
def scope_data(ref: str) -> Response:
    """What an officer's key of this opening is derived for, and the public half it must yield; ``bid``: that of the box of one bid, which
    has another scope where it was sealed to earlier officers."""
    with reading() as view:
        lot, seat = own_hall(view, ref)
        row = ceremony.opening(view.session, lot)
        mine = [one for one in findings.complaints(view.session, row) if one.officer == seat.j]
        wanted = next(
            (one for one in mine if one.failure.header_hash == request.args.get("bid")), mine[0] if mine else None
        )
        j = seat.j if wanted is None else wanted.j
        found = findings.scope_of(view.session, row, j, "" if wanted is None else wanted.failure.header_hash)
        return jsonify(j=j, pk=found.pop("pk"), scope=found)
