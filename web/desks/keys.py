"""Keys `/account/keys`: a person makes a key file in the browser, keeps it, and enrols its public half (protocol §2, Enrolment).

The secret never leaves the browser. The server sends a box that only the holder of the X25519 key can open (proof of possession) and
takes a signed enrolment. A key made by the command line is enrolled with its key file, or by pasting a signed enrolment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto import keys as kernel
from crypto.canonical import unb64u
from trading import enrolments, parties
from trading.enrolments import EnrolledKey
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.work import Look
from web.desks.bidder_room import signed
from web.forms import Form
from web.frame import Group, Link
from web.gate import Desk, actor, go, look, render, request, work
from web.refusals import language, wants_json
from web.words import state

desk = Desk("keys", prefix="/account/keys")

SEALING = ("bidder",)
"""Key roles whose key file also holds an X25519 key to be proved. An officer's root yields one such key for each lot, proved there."""
AGAIN = 300
"""Bytes of a challenge's answer or public key at most, as typed."""


def _held(now: Look) -> dict[str, Any]:
    """Whose key it is, the key that stands, what a new enrolment must say."""
    account = parties.account(now.session, actor().account_id or 0)
    role = enrolments.key_role(now.actor.role)
    holder = enrolments.holder_of(account, role)
    return {"account": account, "role": role, "holder": holder, "key": enrolments.find_key(now.session, holder, role)}


def _data(now: Look) -> dict[str, Any]:
    held = _held(now)
    key: EnrolledKey | None = held["key"]
    return {"platform": now.office.platform, "party": held["holder"], "role": held["role"], "needs_seal": held["role"] in SEALING,
            "current": {"kid": key.sign_kid, "sign_pk": key.sign_public, "seal_pk": key.seal_public,
                        "enrolled_at": key.enrolled_at.isoformat()} if key else None}


def _fingerprints(key: EnrolledKey) -> list[tuple[str, str]]:
    found = [(_("Signing key (Ed25519)"), kernel.fingerprint("ed25519", unb64u(key.sign_public, 32)))]
    if key.seal_public:
        found.append((_("Sealing key (X25519)"), kernel.fingerprint("x25519", unb64u(key.seal_public, 32))))
    return found


@desk.page("", needs=Act.KEY_ENROL)
def index(form: Form | None = None) -> str:
    with look() as now:
        held, data = _held(now), _data(now)
    key = held["key"]
    return render("keys/index.html", held=held, data=data, form=form or Form.blank(), fingerprints=_fingerprints(key) if key else [],
                  role=state("key_role", held["role"], language()).text, is_supervisor=held["role"] == "supervisor")


@desk.page("/data", needs=Act.KEY_ENROL)
def data() -> Response:
    """For scripts: ``{platform, party, role, needs_seal, current}``, the fields of the enrolment to sign."""
    with look() as now:
        found = _data(now)
    return jsonify(found)


@desk.page("/acts/challenge", needs=Act.KEY_ENROL, post=True)
def challenge() -> Any:
    """A box for the holder of an X25519 key. Field: ``seal_pk`` (base64url). Gives ``{enc, ct}``; good for ten minutes."""
    form = Form.read()
    public = form.text("seal_pk", limit=AGAIN)
    form.refuse_if_any()
    with work() as unit:
        box = enrolments.challenge(unit, public)
    return jsonify(box)


@desk.page("/acts/enrol", needs=Act.KEY_ENROL, post=True, back=index)
def enrol() -> Any:
    """Enrol. Fields: ``enrolment`` (signed, JSON), ``answer`` (what the box held, where the enrolment names a sealing key)."""
    form = Form.read()
    envelope, answer = signed(form, "enrolment"), form.text("answer", needed=False, limit=AGAIN)
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, "/account/keys")
        held = _held(unit)
        key = enrolments.enrol(unit, held["account"], held["role"], envelope, answer=answer)
        kid = key.sign_kid
    return jsonify({"kid": kid, "location": "/account/keys"}) if wants_json() else go("/account/keys")


@desk.page("/sheet", needs=Act.KEY_ENROL)
def sheet() -> str:
    """The recovery sheet, to print: whose key, its fingerprints, where the copies lie; no secret is on it."""
    with look() as now:
        held = _held(now)
        at: datetime = now.now
    key = held["key"]
    if key is None:
        raise NotFound("key.not_enrolled", holder=held["holder"], role=held["role"])
    return render("keys/sheet.html", held=held, fingerprints=_fingerprints(key), at=at,
                  role=state("key_role", held["role"], language()).text)


@desk.rail
def rail() -> list[Group]:
    links = [(_("My account"), "/account"), (_("Keys"), "/account/keys"), (_("Second factor"), "/account/second-factor"),
             (_("Password"), "/account/password")]
    return [Group(_("Account"), tuple(Link(label, href, here=request.path == href) for label, href in links))]
