"""A hall over HTTP: people of a World sign in to the real application and act as a script would, with forms and JSON."""

from __future__ import annotations

import json
import secrets
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from crypto import keys, signatures
from crypto.canonical import b64u, format_time, loads, unb64u
from crypto.documents import sign_document
from crypto.headers import open_share, parse_header
from crypto.opening import release_shares
from crypto.trust import trust_of
from tests.kit.world import World
from trading.opening.files import check_package, read_package
from web.app import create_app
from web.settings import Settings

PASSWORD = "correct horse battery"


def app_of(world: World, folder: Any) -> Flask:
    settings = Settings(
        data=folder, database="", blobs="", place="云汀市公共资源交易", hotline="0000-12345", test_clock="rehearsal"
    )
    app = create_app(settings, world.office)
    app.config["TESTING"] = False
    return app


class Seat:
    """One person at a browser without scripts: signed in, posts forms, reads JSON."""

    def __init__(self, world: World, app: Flask, username: str = "", role: str = "") -> None:
        self.world, self.username = world, username
        self.client: FlaskClient = app.test_client()
        self.csrf = ""
        if username:
            answer = self.post("/account/acts/sign-in", username=username, password=PASSWORD)
            assert answer.status_code == 303, answer.text
            if role:
                assert self.post("/account/acts/role", role=role).status_code == 303

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def json(self, path: str) -> Any:
        answer = self.client.get(path, headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        return answer.json

    def post(self, path: str, **fields: Any) -> TestResponse:
        if not self.csrf:
            page = self.client.get("/account/sign-in", follow_redirects=True).text
            self.csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        held = {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in fields.items()}
        answer = self.client.post(path, data={"csrf_token": self.csrf, "form_id": secrets.token_urlsafe(16)} | held)
        if path.startswith("/account/"):
            self.csrf = ""  # a sign-in changes the session
        return answer

    def act(self, path: str, **fields: Any) -> None:
        answer = self.post(path, **fields)
        assert answer.status_code == 303, (path, answer.status_code, answer.text[:3000])


def give_keys(seat: Seat, ref: str) -> None:
    found = seat.json(f"/hall/{ref}/officer/scopes")
    publics = {
        scope["envelope"]: b64u(keys.x25519_public(seat.world.scope_secret(seat.username, scope)))
        for scope in found["scopes"]
    }
    seat.act(f"/hall/{ref}/acts/keys", publics=publics)


def sign_policies(seat: Seat, ref: str) -> None:
    found = seat.json(f"/hall/{ref}/officer/policies")["policies"]
    signed = [
        signatures.sign("policy", loads(one["payload"].encode()), seat.world.keys[seat.username].sign) for one in found
    ]
    seat.act(f"/hall/{ref}/acts/sign-policies", policies=signed)


def return_drills(seat: Seat, ref: str) -> None:
    found = seat.json(f"/hall/{ref}/officer/drills")
    answers = []
    for one in found["drills"]:
        part = open_share(
            parse_header(unb64u(one["header"])), found["j"], seat.world.policy_secret(seat.username, one["policy"])
        )
        document = one["document"] | {"at": format_time(seat.world.now)}
        answers.append(
            {"document": sign_document("drill", document, seat.world.keys[seat.username].sign), "part": b64u(part)}
        )
    seat.act(f"/hall/{ref}/acts/return-drills", drills=answers)


def shares_of(seat: Seat, ref: str) -> dict[str, Any]:
    """What ``bidhall share`` makes of the package."""
    package = seat.json(f"/hall/{ref}/package.json")
    now = format_time(seat.world.now)
    checked = check_package(read_package(package), trust_of(package["trust"]), now=now)
    document = release_shares(
        checked.set,
        checked.headers,
        j=package["officer"]["j"],
        now=now,
        secrets=lambda policy: seat.world.policy_secret(seat.username, policy),
    )
    return dict(sign_document("shares", document, seat.world.keys[seat.username].sign))


def countersigned(seat: Seat, ref: str) -> dict[str, Any]:
    """The opening list with this officer's signature."""
    found = seat.json(f"/hall/{ref}/officer/opened")
    envelope = dict(found["opened"])
    mine = sign_document("opened", loads(signatures.payload_of(envelope)), seat.world.keys[seat.username].sign)
    return {**envelope, "signatures": [*envelope["signatures"], *mine["signatures"]]}
