"""The evaluation over HTTP: a panel drawn and convened, bids reviewed, sheets committed before they are revealed, the report signed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from crypto.canonical import b64u, loads
from crypto.documents import sign_document
from crypto.draws import score_commit
from crypto.signatures import countersign, payload_of, sign
from trading.kernel.clock import floor_second, write_moment
from web.rehearsal import opening
from web.rehearsal.cast import EXPERTS, SPECIALTY, Cast, Person
from web.rehearsal.front import Plan, local
from web.rehearsal.server import Stage, Steps

Points = Callable[[int, int, Mapping[str, Any]], str]
"""(place of the member, place of the bid, criterion) → points as text."""


@dataclass
class Member:
    """One seat: its person, and what is kept on the person's own machine until the reveal."""

    person: Person
    no: int
    chair: bool = False
    sheet: dict[str, Any] = field(default_factory=dict)
    salt: bytes = b""
    round: int = 1


def seat_panel(scene: Stage, cast: Cast, plan: Plan, *, members: int = 5) -> list[Member]:
    """The centre asks for a panel; the draw is played with the purchaser; the drawn accept; the panel convenes and elects its chair."""
    found: list[Member] = scene.play(seat_panel_steps(scene, cast, plan, members=members))
    return found


def seat_panel_steps(scene: Stage, cast: Cast, plan: Plan, *, members: int = 5) -> Steps:
    """The same, with its pauses. Whoever is called to several panels at once says yes to each."""
    clerk, where = cast["clerk"].at(), f"/centre/panels/{plan.ref}"
    clerk.post(
        where,
        f"{where}/acts/request",
        {
            "members": members,
            "experts": members,
            "specialties": SPECIALTY,
            "place": "第二评标室",
            "starts_at": local(scene.now + timedelta(minutes=30)),
        },
    )
    found = yield from opening.draw_steps(scene, cast, plan, "experts", steered_by="clerk")
    cast["clerk"].at().post(where, f"{where}/acts/call", {})
    experts = [cast[f"expert{n:02d}"] for n in range(1, EXPERTS + 1)]
    called: list[Person] = []
    picks = loads(payload_of(found["result"]))["picks"]
    drawn = [experts[pick] for pick in picks if pick < len(experts)]
    scene.each(lambda person: called.extend(_accept(person)), drawn)
    for person in experts:
        if len(called) < members and person not in drawn:
            called.extend(_accept(person))
    cast["clerk"].at().post(where, f"{where}/acts/convene", {})
    seated: list[Member] = []
    scene.each(lambda person: seated.extend(_seat(plan, person)), called)
    seated.sort(key=lambda m: m.no)
    first = seated[0]
    scene.each(
        lambda member: member.person.at().post(
            f"/expert/{plan.ref}", f"/expert/{plan.ref}/acts/vote", {"no": first.no}
        ),
        seated,
    )
    first.chair = True
    return seated


def _accept(person: Person) -> list[Person]:
    """Say yes to every call that waits; the person, if there was one."""
    page = person.at().get("/expert")
    calls = sorted({one for one in page.text.split('"') if one.startswith("/expert/calls/")})
    for call in calls:
        person.at().post(call, f"{call}/acts/answer", {"answer": "yes", "no_conflict": "yes"})
    return [person] if calls else []


def _seat(plan: Plan, person: Person) -> list[Member]:
    """The seat of somebody who has one on this panel."""
    answer = person.at().get(f"/expert/{plan.ref}/data", accept="application/json", ok=(200, 403, 404))
    return [Member(person, answer.json["seat"])] if answer.status == 200 else []


def conform(plan: Plan, panel: list[Member]) -> None:
    """The chair records that every bid conforms, all members in favour."""
    chair = panel[0].person.at()
    for bid in data(panel[0], plan)["reviewed"]:
        chair.post(
            f"/expert/{plan.ref}",
            f"/expert/{plan.ref}/acts/conformity",
            {"bid": bid["id"], "votes_for": len(panel), "clause": "", "reason": ""},
        )


def data(member: Member, plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = member.person.at().json(f"/expert/{plan.ref}/data")
    return found


def commit(scene: Stage, plan: Plan, panel: list[Member], points: Points) -> None:
    """Each scores alone, keeps sheet and salt, and posts the signed commitment."""
    scene.each(lambda one: _commit(scene, plan, *one, points), list(enumerate(panel)))


def _commit(scene: Stage, plan: Plan, place: int, member: Member, points: Points) -> None:
    room = data(member, plan)
    criteria = {one["id"]: one for one in room["scheme"]["criteria"]}
    member.sheet = {
        "v": 1,
        "tender": room["tender"],
        "lot": room["lot"],
        "expert": room["expert"],
        "bids": [
            {
                "bidder": name,
                "items": [
                    {
                        "id": item["id"],
                        "score": points(place, at, criteria[item["id"]]),
                        "reason": "" if item["kind"] == "objective" else "响应完整，措施可行",
                    }
                    for item in room["items"]
                ],
            }
            for at, name in enumerate(room["bids"])
        ],
    }
    member.salt, member.round = secrets.token_bytes(32), room["round"]
    document = {
        "v": 1,
        "at": write_moment(floor_second(scene.now)),
        "commit": b64u(score_commit(member.salt, member.sheet)),
        "expert": room["expert"],
        "lot": room["lot"],
        "reason": "",
        "tender": room["tender"],
    }
    member.person.at().post(
        f"/expert/{plan.ref}",
        f"/expert/{plan.ref}/acts/commit",
        {"commit": json.dumps(sign_document("sheet-commit", document, member.person.keys.sign))},
    )


def reveal(scene: Stage, plan: Plan, panel: list[Member]) -> None:
    """Once all commitments are in the log: the list is signed by everybody, then everybody reveals."""
    scene.play(reveal_steps(scene, plan, panel))


def reveal_steps(scene: Stage, plan: Plan, panel: list[Member]) -> Steps:
    """The same, with its pauses."""
    yield
    room = f"/expert/{plan.ref}"
    panel[0].person.at().post(room, f"{room}/acts/list", {})
    scene.each(lambda member: _sign_list(plan, member), panel)
    yield
    scene.each(lambda member: _reveal(plan, member), panel)


def _sign_list(plan: Plan, member: Member) -> None:
    room, listing = f"/expert/{plan.ref}", data(member, plan)["listing"]
    member.person.at().post(
        room, f"{room}/acts/sign-list", {"listing": json.dumps(countersign(listing, member.person.keys.sign))}
    )


def _reveal(plan: Plan, member: Member) -> None:
    room, sheet = f"/expert/{plan.ref}", sign_document("sheet", member.sheet, member.person.keys.sign)
    member.person.confirmed().post(room, f"{room}/acts/reveal", {"sheet": json.dumps(sheet), "salt": b64u(member.salt)})


def report(scene: Stage, plan: Plan, panel: list[Member]) -> None:
    """The chair has the report drawn up, every member signs it, the chair concludes: the award is proposed."""
    room = f"/expert/{plan.ref}"
    panel[0].person.at().post(room, f"{room}/acts/draw-up", {})
    scene.each(lambda member: _sign_report(plan, member), panel)
    panel[0].person.confirmed().post(room, f"{room}/acts/conclude", {})


def _sign_report(plan: Plan, member: Member) -> None:
    room, document = f"/expert/{plan.ref}", data(member, plan)["report"]["document"]
    member.person.confirmed().post(
        room,
        f"{room}/acts/sign-report",
        {"signature": json.dumps(sign("report-signature", document, member.person.keys.sign))},
    )
