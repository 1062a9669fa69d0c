"""Public keys by their fingerprints, and the key holders of lots not opened yet. There is nothing secret to show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crypto.canonical import unb64u
from crypto.keys import fingerprint
from trading.custody import officers
from trading.kernel.access import Act
from trading.kernel.work import Look
from trading.parties.enrolments import KEY_ROLES, EnrolledKey
from trading.parties.parties import Party
from trading.tendering.tenders import Lot
from web import words
from web.desks.admin.room import admin
from web.http.forms import Form
from web.http.frame import page_of
from web.http.gate import look, render, request
from web.http.refusals import language


@dataclass(frozen=True)
class KeyRow:
    """``fingerprint`` of the public signing key, to be read aloud; there is nothing secret to show."""

    holder: str
    organisation: str
    role: str
    fingerprint: str
    enrolled_at: datetime
    ended_at: datetime | None


@admin.page("/keys", needs=Act.USER_ADMIN)
def keys() -> str:
    form = Form.query()
    role = form.choice("role", [one for one in KEY_ROLES if one != "expert"], needed=False)
    with look() as now:
        query = select(EnrolledKey, Party.name).join(Party, Party.id == EnrolledKey.party_id).where(EnrolledKey.role != "expert")
        if role:
            query = query.where(EnrolledKey.role == role)
        if request.args.get("ended") != "yes":
            query = query.where(EnrolledKey.ended_at.is_(None))
        rows = [KeyRow(key.holder, name, key.role, fingerprint("ed25519", unb64u(key.sign_public, 32)), key.enrolled_at, key.ended_at)
                for key, name in now.session.execute(query.order_by(EnrolledKey.role, EnrolledKey.holder, EnrolledKey.id))]
        page = page_of(len(rows), request.args, "/admin/keys")
        seats = _seats(now)
        return render("admin/keys.html", rows=rows[page.offset:page.offset + page.size], page=page, form=form, seats=seats,
                      ended=request.args.get("ended") == "yes",
                      roles=[(one, words.state("key_role", one, language()).text) for one in KEY_ROLES if one != "expert"])


def _seats(now: Look) -> list[dict[str, Any]]:
    """Key holders of lots not opened yet: whether they have given their keys and stood the rehearsal."""
    rows = select(Lot).where(Lot.state.in_(("ACCEPTED", "NOTICE", "BIDDING", "OPENING"))).order_by(Lot.opens_at, Lot.id)
    found = []
    for lot in now.session.scalars(rows):
        standing = [row for row in now.session.scalars(select(officers.Policy).where(officers.Policy.lot_id == lot.id)) if row.standing]
        for seat in officers.seats(now.session, lot):
            drilled = sum(1 for policy in standing if seat.j in officers.drilled(now.session, policy))
            found.append({"lot": lot.ref, "title": lot.title, "opens_at": lot.opens_at, "name": seat.account.name, "side": seat.side,
                          "keyed": bool(seat.publics), "drilled": drilled, "policies": len(standing),
                          "active": seat.account.disabled_at is None})
    return found
