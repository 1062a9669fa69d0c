"""Everybody who signs enrols keys over the page: the enrolment signed by the new key, the sealing key proved by opening a box."""

from __future__ import annotations

import json

from crypto import hpke
from crypto.canonical import b64u, unb64u
from crypto.documents import sign_document
from crypto.keys import ed25519_public, x25519_public
from trading.kernel.clock import floor_second, write_moment
from web.rehearsal.cast import Person
from web.rehearsal.server import Stage

PAGE = "/account/keys"
CHALLENGE = b"bidhall/sb1/enrol"


def enrol(scene: Stage, person: Person) -> None:
    """First enrolment of a person's key in the role they act in."""
    at = person.at()
    data = at.json(f"{PAGE}/data")
    seal, answer = "", ""
    if data["needs_seal"]:
        seal = b64u(x25519_public(person.keys.seal))
        box = at.post(PAGE, f"{PAGE}/acts/challenge", {"seal_pk": seal}, accept="application/json").json
        answer = b64u(hpke.open_box(person.keys.seal, unb64u(box["enc"]), unb64u(box["ct"]), CHALLENGE))
    document = {
        "v": 1,
        "at": write_moment(floor_second(scene.now)),
        "platform": data["platform"],
        "party": data["party"],
        "role": data["role"],
        "sign_pk": b64u(ed25519_public(person.keys.sign)),
        "seal_pk": seal,
        "replaces": "",
    }
    signed = sign_document("enrolment", document, person.keys.sign)
    at.post(PAGE, f"{PAGE}/acts/enrol", {"enrolment": json.dumps(signed), "answer": answer})
