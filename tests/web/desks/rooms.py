"""What tests of desks share: a signed-in client that reads forms and posts acts as a browser without scripts does."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from crypto.canonical import format_time
from crypto.sealed_bid import FileIn, seal
from crypto.signatures import document_hash, payload_of, sign
from crypto.submissions import make_submission, make_withdrawal
from tests.kit.world import World
from trading.custody import officers
from trading.parties import parties
from web.app import create_app
from web.settings import Settings

PASSWORD = "correct horse battery"
JSON = {"Accept": "application/json"}


@dataclass
class Person:
    """One browser of one person."""

    client: FlaskClient
    marks: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **more: Any) -> Any:
        answer = self.client.get(path, **more)
        if answer.mimetype == "text/html":
            for name in ("csrf_token", "form_id", "version"):
                found = re.findall(rf'name="{name}" value="([^"]*)"', answer.text)
                if found:
                    self.marks[name] = found[-1]
        return answer

    def act(self, path: str, *, page: str = "", json: bool = False, **fields: Any) -> Any:
        """Post an act with the marks of a page (read first, if named)."""
        if page:
            self.get(page)
        return self.client.post(path, data={**self.marks, **fields}, headers=JSON if json else {})


@dataclass
class Rooms:
    world: World
    app: Flask

    def person(self, username: str, role: str = "") -> Person:
        one = Person(self.app.test_client())
        one.get("/account/sign-in")
        answer = one.act("/account/acts/sign-in", username=username, password=PASSWORD, code="")
        assert answer.status_code == 303, answer.text
        if role:
            assert one.act("/account/acts/role", page="/account", role=role).status_code == 303
        return one


def open_rooms(world: World, folder: Path) -> Rooms:
    settings = Settings(
        data=folder / "data", database="", blobs="", place="云汀市公共资源交易", platform=world.office.platform
    )
    app = create_app(settings, world.office)
    return Rooms(world, app)


# --- sealing as the offline tool does -----------------------------------------------------------------------------------


@dataclass
class Bid:
    """Sealed bytes with their signed submission."""

    data: bytes
    value: dict[str, Any]
    submission: dict[str, Any]

    @property
    def statement(self) -> str:
        return document_hash(payload_of(self.submission))


def sealed_bid(
    world: World,
    ref: str,
    bidder: str,
    *,
    price: str = "2800000.00",
    files: dict[str, bytes] | None = None,
    replaces: str = "",
    key: bytes | None = None,
) -> Bid:
    with world.view(bidder) as view:
        lot = world.lot_in(view, ref)
        policy = officers.policy_document(officers.current_policy(view.session, lot))
        code = parties.own_party(view).code
    given = files or {"投标文件.pdf": b"%PDF-1.7\n" + b"x" * 70_000, "报价明细.txt": "明细".encode()}
    out = io.BytesIO()
    announce = {"price": price, "delivery_days": "60", "warranty_months": "24", "small_firm": "no"}
    parts = [FileIn(name, len(data), io.BytesIO(data), "application/octet-stream") for name, data in given.items()]
    sealed = seal(policy, bidder=code, files=parts, announce=announce, out=out)
    statement = make_submission(sealed, replaces=replaces, sealed_at=format_time(world.now), tool="tests/1")
    return Bid(out.getvalue(), statement, dict(sign("submission", statement, key or world.keys[bidder].sign)))


def withdrawal(world: World, bidder: str, bid: Bid) -> dict[str, Any]:
    return dict(sign("withdrawal", make_withdrawal(bid.value, at=format_time(world.now)), world.keys[bidder].sign))


# --- uploading as any tus client does -----------------------------------------------------------------------------------

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


def announce_upload(person: Person, ref: str, length: int, **more: str) -> Any:
    named = {"lot": ref, "envelope": "bid", **more}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in named.items())
    return person.client.post(
        "/uploads/acts", headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
    )


def upload(person: Person, ref: str, data: bytes) -> str:
    """Announce and send in one PATCH; the token."""
    begun = announce_upload(person, ref, len(data))
    assert begun.status_code == 201, begun.text
    where = begun.headers["Location"]
    sent = person.client.patch(where, data=data, headers={**BYTES, "Upload-Offset": "0"})
    assert sent.status_code == 204, sent.text
    return where.rpartition("/")[2]


def hand_in(person: Person, ref: str, bid: Bid, *, token: str = "") -> Any:
    """Upload and submit; the answer as JSON."""
    token = token or upload(person, ref, bid.data)
    return person.act(
        f"/bidder/lots/{ref}/acts/submit",
        page=f"/bidder/lots/{ref}",
        json=True,
        upload=token,
        submission=json.dumps(bid.submission),
    )
