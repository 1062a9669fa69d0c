"""Keys `/account/keys`: a person makes a key file in the browser, keeps it, and enrols its public half (protocol §2, Enrolment).

The secret never leaves the browser. The server sends a box that only the holder of the X25519 key can open (proof of possession) and
takes a signed enrolment. A key made by the command line is enrolled with its key file, or by pasting a signed enrolment. A lost key is
applied for, and a supervisor, sure of who asks, signs the application; a key somebody else may have is revoked at once. The recovery sheet
is filled in the browser from the wrapped key file: not even that is sent here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto import keys as kernel
from crypto.canonical import unb64u
from crypto.recovery import key_words
from trading.kernel.access import Act, may
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments, parties
from trading.parties.enrolments import EnrolledKey
from web.desks.bidder.room import signed
from web.http.forms import Form
from web.http.gate import Desk, actor, base_address, go, reading, render, request, work
from web.http.layout import Group, Link
from web.http.page_rules import ByHand
from web.http.refusals import language, wants_json
from web.words import state
from web.words.formatting import check_words

desk = Desk("keys", prefix="/account/keys")

SEALING = ("bidder",)
"""Key roles whose key file also holds an X25519 key to be proved. An officer's root yields one such key for each lot, proved there."""
AGAIN = 300
"""Bytes of a challenge's answer or public key at most, as typed."""


def _held(view: View) -> dict[str, Any]:
    """Whose key it is, the key that stands, what a new enrolment must say."""
    account = parties.account(view.session, actor().account_id or 0)
    role = enrolments.key_role(view.actor.role)
    holder = enrolments.holder_of(account, role)
    keys = enrolments.keys_of(view.session, holder, role)
    return {
        "account": account,
        "role": role,
        "holder": holder,
        "key": next((one for one in keys if one.ended_at is None), None),
        "last": keys[0] if keys else None,
        "former": [one for one in keys if one.ended_at is not None],
        "request": enrolments.last_request(view.session, holder, role),
    }


def _data(view: View) -> dict[str, Any]:
    held = _held(view)
    key: EnrolledKey | None = held["last"]
    return {
        "platform": view.office.platform,
        "party": held["holder"],
        "role": held["role"],
        "needs_seal": held["role"] in SEALING,
        "current": {
            "kid": key.sign_kid,
            "sign_pk": key.sign_public,
            "seal_pk": key.seal_public,
            "enrolled_at": key.enrolled_at.isoformat(),
            "ended": key.ended_at is not None,
        }
        if key
        else None,
    }


@dataclass(frozen=True)
class Print:
    """A public key as people compare it: eight groups of hexadecimal digits, and twelve words."""

    name: str
    groups: str
    words: str


def print_of(name: str, alg: str, public: str) -> Print:
    key = unb64u(public, 32)
    return Print(name, kernel.fingerprint(alg, key), check_words(key_words(alg, key, language())))


def _fingerprints(key: EnrolledKey) -> list[Print]:
    found = [print_of(_("Signing key (Ed25519)"), "ed25519", key.sign_public)]
    if key.seal_public:
        found.append(print_of(_("Sealing key (X25519)"), "x25519", key.seal_public))
    return found


@desk.page("", needs=Act.KEY_ENROL)
def index(form: Form | None = None) -> str:
    with reading() as view:
        held, data = _held(view), _data(view)
    key = held["key"]
    return render(
        "keys/index.html",
        held=held,
        data=data,
        form=form or Form.blank(),
        fingerprints=_fingerprints(key) if key else [],
        role=state("key_role", held["role"], language()).text,
        former=[_former(one) for one in held["former"]],
    )


def _former(key: EnrolledKey) -> dict[str, Any]:
    why = {
        "replaced": _("replaced by the holder"),
        "lost": _("lost, replaced with the supervisor's signature"),
        "revoked": _("revoked by the holder"),
    }
    return {
        "kid": key.sign_kid,
        "from": key.enrolled_at,
        "until": key.ended_at,
        "why": why.get(key.end_reason, why["replaced"]),
    }


@desk.page("/lost", needs=Act.KEY_ENROL)
def lost(form: Form | None = None) -> str:
    """What a lost or stolen key means for this holder, in words, and what to do; revoking works without a script."""
    with reading() as view:
        held = _held(view)
    return render(
        "keys/lost.html", held=held, form=form or Form.blank(), role=state("key_role", held["role"], language()).text
    )


@desk.act("/acts/revoke", needs=Act.KEY_ENROL, back=lost)
def revoke(unit: UnitOfWork, form: Form) -> str:
    """End the standing key at once. Fields: ``reason``, ``sure``."""
    reason = form.text("reason", limit=300, lines=True)
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    held = _held(unit)
    enrolments.revoke(unit, held["account"], held["role"], reason=reason)
    return "/account/keys"


@desk.act("/acts/ask", needs=Act.KEY_ENROL, back=index)
def ask(unit: UnitOfWork, form: Form) -> str:
    """Apply for a new key in place of a lost one. Fields: ``enrolment`` (signed by the new key alone, JSON), ``answer``, ``reason``."""
    envelope, answer = signed(form, "enrolment"), form.text("answer", needed=False, limit=AGAIN)
    reason = form.text("reason", limit=300, lines=True)
    form.refuse_if_any()
    held = _held(unit)
    enrolments.ask(unit, held["account"], held["role"], envelope, answer=answer, reason=reason)
    return "/account/keys"


# --- the supervisor's side --------------------------------------------------------------------------------------------------------


@desk.page("/requests", needs=Act.SUPERVISE)
def requests(form: Form | None = None, ident: int | None = None) -> str:
    """Applications for new keys in place of lost ones: whose, why, the fingerprint to compare by telephone; sign or refuse. ``ident``: the
    one an act was about; all are shown again."""
    with reading() as view:
        compare = _("The new key, to compare by telephone")
        rows = [
            {
                "row": one,
                "print": print_of(compare, "ed25519", one.sign_public),
                "until": one.asked_at + enrolments.REQUEST_LIVES,
                "role": state("key_role", one.role, language()).text,
                "document": json.loads(one.document),
            }
            for one in enrolments.requests(view)
        ]
        account = parties.account(view.session, actor().account_id or 0)
        own = enrolments.find_key(view.session, account.username, "supervisor")
    return render("keys/requests.html", rows=rows, own=own, me=actor().account_id, form=form or Form.blank())


@desk.act("/requests/<int:ident>/acts/confirm", needs=Act.SUPERVISE, back=requests)
def confirm(unit: UnitOfWork, form: Form, ident: int) -> str:
    """Sign for a lost key. Field: ``enrolment``: the applicant's document with both signatures (JSON)."""
    envelope = signed(form, "enrolment")
    form.refuse_if_any()
    enrolments.confirm(unit, enrolments.request(unit.session, ident), envelope)
    return "/account/keys/requests"


@desk.act("/requests/<int:ident>/acts/refuse", needs=Act.SUPERVISE, back=requests)
def refuse(unit: UnitOfWork, form: Form, ident: int) -> str:
    reason = form.text("reason", limit=300, lines=True)
    form.refuse_if_any()
    enrolments.refuse(unit, enrolments.request(unit.session, ident), reason=reason)
    return "/account/keys/requests"


# --- for scripts, on paper --------------------------------------------------------------------------------------------------------


@desk.page("/data", needs=Act.KEY_ENROL)
def data() -> Response:
    """For scripts: ``{platform, party, role, needs_seal, current}``, the fields of the enrolment to sign."""
    with reading() as view:
        found = _data(view)
    return jsonify(found)


@desk.page("/acts/challenge", needs=Act.KEY_ENROL, post=ByHand.DOCUMENT)
def challenge() -> Any:
    """A box for the holder of an X25519 key. Field: ``seal_pk`` (base64url). Gives ``{enc, ct}``; good for ten minutes."""
    form = Form.read()
    public = form.text("seal_pk", limit=AGAIN)
    form.refuse_if_any()
    with work() as unit:
        box = enrolments.challenge(unit, public)
    return jsonify(box)


@desk.page("/acts/enrol", needs=Act.KEY_ENROL, post=ByHand.DOCUMENT, back=index)
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
    """The recovery sheet, to print: whose key, its fingerprints, where the copies lie. The wrapped key file joins it in the browser."""
    with reading() as view:
        held, data = _held(view), _data(view)
        at: datetime = view.now
    key = held["key"]
    if key is None:
        raise NotFound("key.not_enrolled", holder=held["holder"], role=held["role"])
    return render(
        "keys/sheet.html",
        held=held,
        data=data,
        fingerprints=_fingerprints(key),
        at=at,
        base=base_address(),
        role=state("key_role", held["role"], language()).text,
    )


@desk.page("/restore", needs=Act.KEY_ENROL)
def restore() -> str:
    """Back from paper: the code or the lines of a recovery sheet give the key file again, in the browser."""
    with reading() as view:
        held, data = _held(view), _data(view)
    return render("keys/restore.html", held=held, data=data)


@desk.rail
def rail() -> list[Group]:
    links = [
        (_("My account"), "/account"),
        (_("Keys"), "/account/keys"),
        (_("Second factor"), "/account/second-factor"),
        (_("Password"), "/account/password"),
    ]
    if may(actor(), Act.SUPERVISE):
        links.insert(2, (_("Lost keys of others"), "/account/keys/requests"))
    return [Group(_("Account"), tuple(Link(label, href, here=request.path == href) for label, href in links))]
