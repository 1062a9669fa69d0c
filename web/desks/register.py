"""A supplier registers its own firm. Open to everybody; whoever sent a registration signs in with its account and sees its state, until a
clerk of the centre has accepted it (web/desks/centre/registrations.py) and the account is like any other.

Fields of /register/acts/send: those of ``registrations.FIELDS``, ``small``, ``username``, ``password``, file ``proof``; …/acts/again the
same without the last two but ``proof`` when it changes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask import current_app, session
from flask_babel import gettext as _

from trading.kernel.blobs import PIECE, Blob
from trading.kernel.clock import parse_moment, write_moment
from trading.kernel.errors import Invalid, NotAllowed
from trading.parties import registrations
from trading.parties.registrations import FirmRegistration, Proof
from web.http import login
from web.http.forms import Form
from web.http.gate import Desk, go, office, reading, render, request, work
from web.http.page_rules import ANYONE, ByHand
from web.http.rate_limits import REGISTER_BY_ADDRESS
from web.words.regions import region_name

desk = Desk("register", prefix="/register")

SESSION = "registration"
SEEN_FOR = timedelta(minutes=30)
UPLOAD_SLACK = 500_000
STATE = "/register/state"


@desk.blueprint.url_value_preprocessor
def _room_for_a_file(endpoint: str | None, values: dict[str, Any] | None) -> None:
    if endpoint in ("register.do_send", "register.do_again"):
        request.max_content_length = registrations.MOST_BYTES + UPLOAD_SLACK


@desk.page("", needs=ANYONE)
def start(form: Form | None = None) -> str:
    return render("register/form.html", form=form or Form.blank(), row=None, action="/register/acts/send")


@desk.page("/acts/send", needs=ANYONE, post=ByHand.BYTES, back=start)
def do_send() -> Any:
    form = Form.read()
    fields, username, password = _fields(form), form.text("username", limit=80), form.password("password")
    proof = form.file("proof", needed=False)
    if password:
        try:
            login.check_strong(password, office().platform, username, fields["person"], fields["name"])
        except Invalid as refusal:
            form.faults.take("password", refusal)
    with reading() as view:  # every fault at once, before bytes are stored and a slow hash is made
        _note_faults(form, lambda: registrations.check(view.session, fields, proof=_measured(proof)))
    form.refuse_if_any()
    current_app.extensions["bidhall"].rate_limits.hit(REGISTER_BY_ADDRESS, "register", request.remote_addr or "")
    assert proof is not None
    stored, hashed = _store(proof), login.new_hash(password, office().platform, username)
    with work() as unit:
        unit.once(form.form_id, STATE)
        row = registrations.send(unit, fields, username=username, password=hashed, proof=stored)
    return welcome(row.ref)


def welcome(ref: str) -> Any:
    """Whoever knows the password of a registration may look at its state for half an hour."""
    session.clear()
    session[SESSION] = [ref, write_moment(office().clock.now() + SEEN_FOR)]
    return go(STATE)


def _own() -> str:
    """The registration this browser may look at. Refuses: NotAllowed."""
    held = session.get(SESSION)
    if not (isinstance(held, list) and len(held) == 2) or parse_moment(str(held[1])) < office().clock.now():
        raise NotAllowed("registration.sign_in")
    return str(held[0])


@desk.page("/state", needs=ANYONE)
def state(form: Form | None = None) -> Any:
    try:
        ref = _own()
    except NotAllowed:
        return go("/account/sign-in")
    with reading() as view:
        row = registrations.find(view.session, ref)
        first = {name: getattr(row, name) for name in registrations.FIELDS} | {"small": "yes" if row.small else ""}
        return render(
            "register/state.html",
            row=row,
            form=form or Form.blank(first, version=row.version),
            action="/register/acts/again",
        )


@desk.page("/acts/again", needs=ANYONE, post=ByHand.BYTES, back=state)
def do_again() -> Any:
    ref, form = _own(), Form.read()
    fields, proof = _fields(form), form.file("proof", needed=False)
    with reading() as view:
        row = registrations.find(view.session, ref)
        _note_faults(form, lambda: registrations.check(view.session, fields, proof=_measured(proof), old=row))
    form.refuse_if_any()
    stored = _store(proof) if proof is not None else None
    with work() as unit:
        unit.once(form.form_id, STATE)
        registrations.send_again(
            unit, registrations.find(unit.session, ref), fields, version=form.version, proof=stored
        )
    return go(STATE)


@desk.page("/acts/leave", needs=ANYONE, post=ByHand.NO_UNIT)
def leave() -> Any:
    session.clear()
    return go("/")


# --- reading the form -----------------------------------------------------------------------------------------------------


def _fields(form: Form) -> dict[str, Any]:
    limits = {
        "code": 40,
        "name": 200,
        "region": 6,
        "bank_name": 120,
        "bank_account": 64,
        "person": 80,
        "phone": 40,
        "mail": 254,
    }
    return {name: form.text(name, needed=False, limit=limits[name]) for name in registrations.FIELDS} | {
        "small": form.ticked("small")
    }


def _measured(found: Any) -> Proof | None:
    """The file by its first bytes and its length, not stored yet."""
    if found is None:
        return None
    head = found.stream.read(16)
    found.stream.seek(0, 2)
    size = found.stream.tell()
    found.stream.seek(0)
    return Proof(Blob("", size), _name(found), head)


def _store(found: Any) -> Proof:
    head = found.stream.read(16)
    found.stream.seek(0)
    return Proof(office().blobs.put(_pieces(found.stream)), _name(found), head)


def _name(found: Any) -> str:
    return unicodedata.normalize("NFC", found.filename or "").replace("\\", "/").rpartition("/")[2].strip()


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


def _note_faults(form: Form, check: Any) -> None:
    try:
        check()
    except Invalid as refusal:
        for one in refusal.faults:
            form.faults.add(one.where, one.code, **one.facts)


def shown_facts(row: FirmRegistration) -> list[tuple[str, Any]]:
    """What was registered, for its own page and the clerk's."""
    return [
        (_("Firm"), row.name),
        (_("Credit code"), row.code),
        (_("District"), region_name(row.region)),
        (_("Size of the firm"), _("small or micro firm") if row.small else _("not small or micro")),
        (_("Basic account"), row.bank_account),
        (_("Bank"), row.bank_name),
        (_("Contact"), row.person),
        (_("Telephone"), row.phone),
        (_("Mail address"), row.mail),
        (_("Account"), row.username),
    ]


@desk.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"shown_facts": shown_facts, "most": registrations.MOST_BYTES // 1_000_000, "blank_form": Form.blank}
