"""The opening over HTTP: the host's steps, the officers' shares and countersignatures, bidders' confirmations, the drawn coefficient."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from crypto import draws as draw_rules
from crypto import headers, signatures, verdicts
from crypto.canonical import b64u, loads, unb64u
from crypto.documents import sign_document
from crypto.keys import new_secret
from crypto.opening import release_shares
from crypto.signatures import countersign, payload_of
from crypto.trust import trust_of
from trading.kernel.clock import floor_second, write_moment
from trading.opening.files import check_package, read_package
from web.rehearsal.cast import Cast, Person
from web.rehearsal.front import Plan, scope_secret
from web.rehearsal.server import Stage, Steps

LONGEST_SECONDS = 300.0


def list_bids(scene: Stage, cast: Cast, plan: Plan) -> None:
    cast["host"].at().send(f"/hall/{plan.ref}/host", f"/hall/{plan.ref}/acts/list")


def release(scene: Stage, officer: Person, plan: Plan) -> None:
    """The officer's client: every check of the protocol, then the own parts, signed."""
    at = officer.confirmed()
    given = read_package(at.json(f"/hall/{plan.ref}/package.json"))
    now = write_moment(floor_second(scene.now))
    checked = check_package(given, trust_of(given.trust), now=now)
    assert given.officer is not None
    document = release_shares(
        checked.set,
        checked.headers,
        j=given.officer["j"],
        now=now,
        secrets=lambda policy: scope_secret(officer, policy)[0],
    )
    shares = sign_document("shares", document, officer.keys.sign)
    at.post(f"/hall/{plan.ref}/release", f"/hall/{plan.ref}/acts/release", {"shares": json.dumps(shares)})


def decrypt(scene: Stage, cast: Cast, plan: Plan) -> None:
    """Press the button and wait as a host would: a long decryption goes on beside the request."""
    at = cast["host"].at()
    at.send(f"/hall/{plan.ref}/host", f"/hall/{plan.ref}/acts/open")
    give_up = time.monotonic() + LONGEST_SECONDS
    while at.json(f"/hall/{plan.ref}/data")["state"] == "LISTED":
        if time.monotonic() > give_up:
            raise TimeoutError(f"the decryption of {plan.ref} does not end")
        time.sleep(0.5)


def countersign_list(officer: Person, plan: Plan) -> None:
    """Repeat the re-derivation of every bid said to be opened, then sign the list."""
    at = officer.at()
    data = at.json(f"/hall/{plan.ref}/officer/opened")
    given = read_package(at.json(f"/hall/{plan.ref}/package.json"))
    known = {b64u(h.header_hash): h for h in (headers.parse_header(raw) for raw in given.headers)}
    for item in loads(payload_of(data["opened"]))["bids"]:
        if item["header_hash"] in data["seeds"]:
            verdicts.check_opened_item(item, known[item["header_hash"]], unb64u(data["seeds"][item["header_hash"]]))
    at.post(
        f"/hall/{plan.ref}/sign",
        f"/hall/{plan.ref}/acts/countersign",
        {"opened": json.dumps(countersign(data["opened"], officer.keys.sign))},
    )


def confirm(bidder: Person, plan: Plan) -> None:
    bidder.at().send(f"/bidder/lots/{plan.ref}/opening", f"/bidder/lots/{plan.ref}/acts/confirm")


def object_on_the_spot(bidder: Person, plan: Plan, text: str) -> None:
    bidder.at().send(f"/bidder/lots/{plan.ref}/opening", f"/bidder/lots/{plan.ref}/acts/object-opening", {"text": text})


def answer_on_the_spot(cast: Cast, plan: Plan, text: str) -> None:
    cast["host"].at().send(f"/hall/{plan.ref}/host", f"/hall/{plan.ref}/acts/answer", {"text": text})


def sign_and_close(cast: Cast, plan: Plan) -> None:
    host = cast["host"].at()
    host.send(f"/hall/{plan.ref}/host", f"/hall/{plan.ref}/acts/sign-minutes")
    host.send(f"/hall/{plan.ref}/host", f"/hall/{plan.ref}/acts/close")


def open_lot(scene: Stage, cast: Cast, plan: Plan, *, came: Iterable[str], bidders: Iterable[str]) -> None:
    """Shares of those who came, decryption (after the window, if somebody is absent), countersignatures, confirmations."""
    names = list(came)
    scene.each(lambda name: release(scene, cast[name], plan), names)
    if len(names) < 5:
        scene.walk(scene.now + timedelta(minutes=31))
    decrypt(scene, cast, plan)
    scene.each(lambda name: countersign_list(cast[name], plan), names)
    scene.each(lambda name: confirm(cast[name], plan), bidders)


def draw(scene: Stage, cast: Cast, plan: Plan, label: str, *, steered_by: str) -> dict[str, Any]:
    """A public draw from its announcement on: the platform first, then the purchaser with bytes of its own, list, reveals, result."""
    found: dict[str, Any] = scene.play(draw_steps(scene, cast, plan, label, steered_by=steered_by))
    return found


def draw_invited(scene: Stage, cast: Cast, plan: Plan, *, take: int) -> list[str]:
    """The agency announces the draw of whom to invite, centre and purchaser play it; the names in the cast of those drawn."""
    page = f"/agency/lots/{plan.ref}"
    cast["agent"].at().send(f"{page}/invited", f"{page}/acts/draw-invited", {"take": str(take)})
    found = draw(scene, cast, plan, "invited", steered_by="clerk")
    ordered = draw_rules.sorted_pool([cast[name].code for name in plan.invited])
    names = {cast[name].code: name for name in plan.invited}
    return sorted(names[ordered[pick]] for pick in loads(payload_of(found["result"]))["picks"])


def draw_steps(scene: Stage, cast: Cast, plan: Plan, label: str, *, steered_by: str) -> Steps:
    """The same, with its pauses."""
    steer, where = cast[steered_by].at(), f"/hall/{plan.ref}/draw/{label}"
    buyer, own = cast[plan.buyer], f"/agency/lots/{plan.ref}/draw/{label}"
    if label == "k":
        steer.post(where, f"{where}/acts/announce", {})
    yield
    steer.post(where, f"{where}/acts/commit", {})
    kit = buyer.at().json(f"{own}/kit")
    r = new_secret()
    policy = loads(payload_of(kit["policies"][-1]))
    header = draw_rules.make_escrow(policy, draw=kit["draw"], party="tenderee", r=r)
    now = write_moment(floor_second(scene.now))
    document = {
        "v": 1,
        "at": now,
        "commit": b64u(draw_rules.draw_commit(kit["draw"], "tenderee", r)),
        "draw": kit["draw"],
        "header_hash": b64u(headers.parse_header(header).header_hash),
        "party": "tenderee",
    }
    buyer.at().post(
        own,
        f"{own}/acts/commit",
        {"commit": json.dumps(sign_document("draw-commit", document, buyer.keys.sign)), "header": b64u(header)},
    )
    yield
    steer.post(where, f"{where}/acts/list", {})
    listing = buyer.at().json(f"/lots/{plan.ref}/draw/{label}/data")["listing"]
    buyer.at().post(
        own, f"{own}/acts/sign-list", {"listing": json.dumps(signatures.countersign(listing, buyer.keys.sign))}
    )
    yield
    steer.post(where, f"{where}/acts/reveal", {})
    reveal = {
        "v": 1,
        "at": write_moment(floor_second(scene.now)),
        "draw": kit["draw"],
        "party": "tenderee",
        "r": b64u(r),
    }
    buyer.at().post(
        own, f"{own}/acts/reveal", {"reveal": json.dumps(sign_document("draw-reveal", reveal, buyer.keys.sign))}
    )
    steer.post(where, f"{where}/acts/conclude", {})
    found: dict[str, Any] = buyer.at().json(f"/lots/{plan.ref}/draw/{label}/data")
    return found
