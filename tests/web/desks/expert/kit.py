"""Members' own programs, as the command line or the page acts: they read a room's data, sign with their keys, hand in the forms."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crypto.canonical import b64u
from crypto.draws import score_commit
from crypto.signatures import countersign, sign
from tests.web.desks.purchasing import done, form_on, send
from tests.web.desks.rooms import PASSWORD, Person, Rooms


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass
class Member:
    """A member of a panel at its own machine: browser, key, and what it keeps until the reveal."""

    rooms: Rooms
    username: str
    ref: str
    person: Person = field(init=False)
    sheet: dict[str, Any] = field(default_factory=dict)
    salt: bytes = b""

    def __post_init__(self) -> None:
        self.person = self.rooms.person(self.username)

    @property
    def base(self) -> str:
        return f"/expert/{self.ref}"

    @property
    def key(self) -> bytes:
        return self.rooms.world.keys[self.username].sign

    def data(self) -> dict[str, Any]:
        answer = self.person.get(self.base + "/data")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def confirmed(self) -> None:
        """A fresh sign-in, as weighty acts want it."""
        page = self.person.get("/account/confirm")
        if page.status_code == 200:
            done(send(self.person, "/account/confirm", "confirm", password=PASSWORD))

    def fill_in(self, points: Mapping[tuple[str, str], str] | None = None, reason: str = "方案完整、可行") -> None:
        """A sheet: full marks for objective items, most for the others; ``points``: (bid, item) → points."""
        data = self.data()
        most = {one["id"]: one["max"] for one in data["scheme"]["criteria"]}
        self.sheet = {
            "v": 1,
            "tender": data["tender"],
            "lot": data["lot"],
            "expert": data["expert"],
            "bids": [
                {
                    "bidder": bid,
                    "items": [
                        {
                            "id": item["id"],
                            "score": (points or {}).get((bid, item["id"]))
                            or (
                                most[item["id"]]
                                if item["kind"] == "objective"
                                else str(int(most[item["id"]]) - 5 - place)
                            ),
                            "reason": "" if item["kind"] == "objective" else reason,
                        }
                        for item in data["items"]
                    ],
                }
                for place, bid in enumerate(data["bids"])
            ],
        }
        self.salt = secrets.token_bytes(32)

    def commitment(self, *, why: str = "", **changes: str) -> dict[str, Any]:
        data = self.data()
        document = {
            "v": 1,
            "at": data["at"],
            "commit": b64u(score_commit(self.salt, self.sheet)),
            "expert": data["expert"],
            "lot": data["lot"],
            "reason": why,
            "tender": data["tender"],
            **changes,
        }
        return dict(sign("sheet-commit", document, self.key))

    def commit(self, *, why: str = "") -> Any:
        return send(self.person, self.base + "/score", "commit", commit=text(self.commitment(why=why)))

    def sign_list(self) -> Any:
        return send(
            self.person, self.base + "/list", "sign-list", listing=text(countersign(self.data()["listing"], self.key))
        )

    def reveal(self, *, salt: bytes = b"") -> Any:
        self.confirmed()
        return send(
            self.person,
            self.base + "/reveal",
            "reveal",
            sheet=text(sign("sheet", self.sheet, self.key)),
            salt=b64u(salt or self.salt),
        )

    def sign_report(self, *, dissent: str = "") -> Any:
        self.confirmed()
        document = self.data()["report"]["document"] | {"dissent": dissent}
        return send(
            self.person,
            self.base + "/sign",
            "sign-report",
            signature=text(sign("report-signature", document, self.key)),
        )


def offers(person: Person, page: str, act: str) -> bool:
    """Whether a page shows a form for an act."""
    try:
        form_on(person, page, act)
    except AssertionError:
        return False
    return True
