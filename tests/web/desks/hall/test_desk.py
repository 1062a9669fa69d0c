"""The hall over real acts: what anybody sees before and after the hour, each chair's acts over HTTP, and what is refused."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from crypto import signatures
from crypto.canonical import loads, unb64u
from crypto.receipts import verify_receipt
from crypto.trust import trust_of
from tests.kit import sealing
from tests.kit.world import DEADLINE, OFFICERS, World
from tests.web.desks.hall.kit import Seat, app_of, countersigned, give_keys, return_drills, shares_of, sign_policies
from trading import timeline
from trading.bidding import bids
from trading.custody import policies
from trading.kernel.access import Role
from trading.kernel.clock import parse_moment
from trading.opening import ceremony, opening_list
from trading.tendering import tenders
from web.http import live
from web.papers import printing

NAMES = [name for name, _party, _side in OFFICERS]


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    return app_of(world, tmp_path)


def bid(world: World, ref: str, *usernames: str, **more: Any) -> None:
    for username in usernames or world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username, **more)).accepted


def bidding(world: World, **more: Any) -> str:
    ref = world.lot("BIDDING", **more)
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    return ref


def closed(world: World) -> str:
    """Three bids, one of them replaced; the lot is closed."""
    ref = bidding(world)
    bid(world, ref)
    world.tick()
    sealing.close(world, ref)
    return ref


def listed(world: World, host: Seat, ref: str) -> None:
    """The set published, its tick sealed, claims over."""
    host.act(f"/hall/{ref}/acts/list")
    state = host.json(f"/hall/{ref}/data")
    for _ in range(30):
        if world.now >= begins(state):
            break
        world.clock.set(world.now + timedelta(seconds=10))
        timeline.turn(world.office)


def begins(state: dict[str, Any]) -> Any:
    return parse_moment(state["shares_from"])


def opened(world: World, app: Flask, host: Seat, ref: str, *came: str) -> None:
    listed(world, host, ref)
    for username in came or NAMES:
        seat = Seat(world, app, username)
        seat.act(f"/hall/{ref}/acts/release", shares=shares_of(seat, ref))
    host.act(f"/hall/{ref}/acts/open")


def test_keys_policies_and_drills_are_given_over_http(world: World, app: Flask) -> None:
    ref = world.lot("DRAFTED", regime="WORKS")
    with world.work("agent") as work:
        tenders.plan(work, world.lot_in(work, ref), deadline=DEADLINE, clarify_until=DEADLINE - timedelta(days=5))
    world.name_officers(ref)
    seats = [Seat(world, app, name) for name in NAMES]
    assert f"/hall/{ref}/officer#keys" in seats[0].get("/hall/desk").text
    for seat in seats:
        give_keys(seat, ref)
    with world.work("agent") as work:
        policies.draft_policies(work, world.lot_in(work, ref))
    page = seats[0].get(f"/hall/{ref}/officer").text
    assert page.count('class="box"') == 3  # bids, experts, coefficient: each to be read
    for seat in seats:
        sign_policies(seat, ref)
    for seat in seats:
        assert f"/hall/{ref}/officer#drills" in seat.get("/hall/desk").text
        return_drills(seat, ref)
    with world.view("clock") as view:
        assert not policies.policy_faults(view.session, world.lot_in(view, ref)).found
    assert f"/hall/{ref}/officer#drills" not in seats[0].get("/hall/desk").text


def test_a_foreign_key_for_another_envelope_and_nonsense_are_refused_with_words(world: World, app: Flask) -> None:
    ref = world.lot("DRAFTED")
    world.name_officers(ref)
    seat = Seat(world, app, "officer1")
    for publics in ("{", '"text"', '{"bid": 1}'):
        answer = seat.post(f"/hall/{ref}/acts/keys", publics=publics)
        assert answer.status_code == 422 and "hall.not_json" not in answer.text and "JSON" in answer.text
    assert seat.post(f"/hall/{ref}/acts/keys", publics={"bid": "AAAA", "other": "x"}).status_code == 422
    stranger = Seat(world, app, "agent")
    assert stranger.post(f"/hall/{ref}/acts/keys", publics={}).status_code == 403
    assert Seat(world, app).get(f"/hall/{ref}").status_code == 404  # not published


def _face(page: str) -> str:
    """A page without what changes with every request."""
    page = re.sub(r'(name="(?:csrf_token|form_id)" value=")[^"]*', r"\1", page)
    return page


def test_before_the_hour_the_hall_is_the_same_whatever_has_come(world: World, app: Flask) -> None:
    ref = bidding(world)
    places = [f"/hall/{ref}", "/hall", "/hall/wall", f"/hall/{ref}/data", f"/hall/{ref}/proofs"]
    readers = [Seat(world, app), *(Seat(world, app, name) for name in ("host", "officer1", "clerk", "watch"))]

    def faces() -> list[str]:
        return [_face(reader.get(place).text) for reader in readers for place in places]

    before, stands = faces(), world.now
    with world.view("clock") as view:
        mark = live.TOPICS["hall"](view, ref)
    bid(world, ref)
    world.clock.set(stands)
    assert faces() == before
    with world.view("clock") as view:
        assert live.TOPICS["hall"](view, ref) == mark
    host = readers[1]
    assert host.get(f"/hall/{ref}/host").status_code == 200
    assert host.post(f"/hall/{ref}/acts/list").status_code == 409
    for name in world.bidders:
        code = sealing.code_of(world, name)
        assert all(code not in face and "投标单位" not in face for face in faces())


@pytest.mark.rule("X-07", "X-08", "X-10")
def test_the_hall_from_the_closing_to_the_published_record(world: World, app: Flask) -> None:
    ref = closed(world)
    host, public = Seat(world, app, "host"), Seat(world, app)
    shut = public.get(f"/hall/{ref}").text
    assert "投标单位" not in shut and "待公布名单" in shut
    wall = public.get("/hall/wall").text
    assert "投标单位" not in wall and re.search(
        rf'<a href="/hall/{ref}"[^>]*待公布名单">\s*<rect class="box live"', wall
    )
    listed(world, host, ref)
    assert public.get(f"/hall/{ref}").text.count("投标单位") >= 3
    assert "2,750,000.00" not in public.get(f"/hall/{ref}").text
    seats = {name: Seat(world, app, name) for name in NAMES[:3]}
    for name, seat in seats.items():
        assert f"/hall/{ref}/release" in seat.get("/hall/desk").text
        seat.act(f"/hall/{ref}/acts/release", shares=shares_of(seat, ref))
        assert name in public.get(f"/hall/{ref}").text
    assert host.post(f"/hall/{ref}/acts/open").status_code == 409  # two may still come
    state = host.json(f"/hall/{ref}/data")
    world.clock.set(parse_moment(state["shares_until"]) + timedelta(seconds=1))
    host = Seat(world, app, "host")
    host.act(f"/hall/{ref}/acts/open")
    page = public.get(f"/hall/{ref}").text
    assert page.count("2,750,000.00") == 3 and page.count("贰佰柒拾伍万元整") == 3
    for name in seats:
        seat = Seat(world, app, name)
        seat.act(f"/hall/{ref}/acts/countersign", opened=countersigned(seat, ref))
    with world.work("bidder1", Role.BIDDER_SIGNER) as work:
        opening_list.remark(
            work, ceremony.opening(work.session, world.lot_in(work, ref)), kind="objection", text="唱标金额有误"
        )
    assert "唱标金额有误" in public.get(f"/hall/{ref}").text
    world.clock.set(world.now + timedelta(minutes=16))
    host = Seat(world, app, "host")
    refused = host.post(f"/hall/{ref}/acts/sign-minutes")
    assert refused.status_code == 409  # the objection is open
    number = host.json(f"/hall/{ref}/data")["remarks"][0]["id"]
    host.act(f"/hall/{ref}/acts/answer", remark=str(number), text="以一览表为准")
    assert public.get(f"/hall/{ref}/minutes").status_code == 404
    assert host.get(f"/hall/{ref}/minutes?draft=1").data.startswith(b"%PDF-")
    assert public.get(f"/hall/{ref}/minutes?draft=1").status_code == 403
    host.act(f"/hall/{ref}/acts/sign-minutes")
    paper = public.get(f"/hall/{ref}/minutes")
    assert paper.status_code == 200 and paper.mimetype == "application/pdf" and paper.data.startswith(b"%PDF-")
    host.act(f"/hall/{ref}/acts/close")
    world.tick()
    after = public.json(f"/hall/{ref}/data")
    assert after["state"] == "CLOSED" and after["lot_state"] == "QUAL_REVIEW" and len(after["countersigned"]) == 3
    assert 'class="box done"' in public.get("/hall/wall").text
    proofs = public.json(f"/hall/{ref}/proofs")
    trust = trust_of(proofs["trust"])
    assert [one["event"] for one in proofs["entries"]] == [
        "policy",
        "deadline",
        "opening-set",
        "shares",
        "shares",
        "shares",
        "opened",
    ]
    for one in proofs["entries"]:
        found = verify_receipt(one["receipt"], trust.platform_keys, trust.log_key, trust.witnesses)
        assert found.proven is not None and found.entry["statement"] == one["statement"]


def test_a_bidder_that_signs_in_changes_nothing_anybody_else_can_see(world: World, app: Flask) -> None:
    ref = bidding(world)
    world.clock.set(DEADLINE - timedelta(minutes=10))
    seats = [Seat(world, app), Seat(world, app, "host"), Seat(world, app, "officer1"), Seat(world, app, "watch")]

    def faces() -> list[Any]:
        told = []
        for seat in seats:
            for path in (f"/hall/{ref}", f"/hall/{ref}/sheet"):
                page = re.sub(
                    r'name="(csrf_token|form_id)" value="[^"]*"|data-clock="[^"]*"|data-until="[^"]*"',
                    "",
                    seat.get(path).text,
                )
                told.append(re.sub(r"nonce[^>]*", "", page).partition("<main")[2])
            told.append(seat.json(f"/hall/{ref}/data"))
        return told

    before = faces()
    bidder = Seat(world, app, "bidder1", "bidder-signer")
    assert "签到" in bidder.get(f"/hall/{ref}").text
    bidder.act(f"/hall/{ref}/acts/sign-in")
    assert "您已于" in bidder.get(f"/hall/{ref}").text and "您已于" in bidder.get(f"/hall/{ref}/sheet").text
    assert faces() == before
    seats[1].act(f"/hall/{ref}/acts/sign-in")
    assert faces() != before and [one["chair"] for one in seats[0].json(f"/hall/{ref}/data")["present"]] == ["host"]
    assert Seat(world, app, "clerk").post(f"/hall/{ref}/acts/sign-in").status_code == 403
    bid(world, ref)
    world.tick()
    sealing.close(world, ref)
    seats[1].act(f"/hall/{ref}/acts/list")
    page = seats[0].get(f"/hall/{ref}/sheet").text
    assert page.count("投标单位") == 3 and page.count("未签到") == 2 and "bidder1" in page


def test_shares_of_another_hand_twice_or_too_early_are_refused(world: World, app: Flask) -> None:
    ref = closed(world)
    host = Seat(world, app, "host")
    host.act(f"/hall/{ref}/acts/list")
    first, second = Seat(world, app, "officer1"), Seat(world, app, "officer2")
    early = first.post(f"/hall/{ref}/acts/release", shares={"payload": "", "payloadType": "", "signatures": []})
    assert early.status_code == 409
    listed_from = host.json(f"/hall/{ref}/data")
    while world.now < begins(listed_from):
        world.clock.set(world.now + timedelta(seconds=10))
        timeline.turn(world.office)
    mine = shares_of(first, ref)
    assert second.post(f"/hall/{ref}/acts/release", shares=mine).status_code == 422
    value = loads(signatures.payload_of(mine))
    value["items"][0]["part"] = value["items"][1]["part"]
    forged = signatures.sign("shares", value, world.keys["officer1"].sign)
    assert first.post(f"/hall/{ref}/acts/release", shares=dict(forged)).status_code == 422
    first.act(f"/hall/{ref}/acts/release", shares=mine)
    first.act(f"/hall/{ref}/acts/release", shares=mine)  # the same again changes nothing
    assert [one["j"] for one in host.json(f"/hall/{ref}/data")["shares"]] == [1]


def test_releasing_wants_a_fresh_sign_in(world: World, app: Flask) -> None:
    ref = closed(world)
    listed(world, Seat(world, app, "host"), ref)
    seat = Seat(world, app, "officer1")
    mine = shares_of(seat, ref)
    world.clock.set(world.now + timedelta(minutes=20))
    stopped = seat.post(f"/hall/{ref}/acts/release", shares=mine)
    assert stopped.status_code == 303 and "/account/confirm" in stopped.headers["Location"]
    assert seat.get(f"/hall/{ref}/release").status_code == 303
    assert seat.client.get(f"/hall/{ref}/package.json", headers={"Accept": "application/json"}).status_code == 403


def test_the_window_is_extended_once_and_only_with_a_reason(world: World, app: Flask) -> None:
    ref = closed(world)
    host = Seat(world, app, "host")
    listed(world, host, ref)
    assert host.post(f"/hall/{ref}/acts/extend", reason=" ").status_code == 422
    before = host.json(f"/hall/{ref}/data")["shares_until"]
    host.act(f"/hall/{ref}/acts/extend", reason="一位持有人在路上")
    assert host.json(f"/hall/{ref}/data")["shares_until"] > before
    assert host.post(f"/hall/{ref}/acts/extend", reason="再来").status_code == 409
    assert "一位持有人在路上" in Seat(world, app).get(f"/hall/{ref}").text


def test_a_file_that_fails_is_named_with_its_cause_and_its_effect(world: World, app: Flask) -> None:
    ref = bidding(world)
    bid(world, ref)
    world.tick()
    sealing.close(world, ref)
    with world.view("clock") as view:
        broken = bids.standing_bids(view.session, world.lot_in(view, ref))[0]
        path = world.office.blobs.path(broken.blob)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(data))
    host = Seat(world, app, "host")
    opened(world, app, host, ref)
    page = Seat(world, app).get(f"/hall/{ref}").text
    assert "SEALED_ROOT" in page and "平台原因" in page and "视为撤回投标" in page
    assert page.count("2,750,000.00") == 2


def test_few_bids_never_open_and_no_name_is_shown(world: World, app: Flask) -> None:
    ref = bidding(world)
    bid(world, ref, "bidder1", "bidder2")
    world.tick()
    sealing.close(world, ref)
    timeline.turn(world.office)
    page = Seat(world, app).get(f"/hall/{ref}").text
    assert "流标" in page and "投标单位" not in page
    assert 'class="box off"' in Seat(world, app).get("/hall/wall?page=9").text
    assert Seat(world, app, "host").post(f"/hall/{ref}/acts/list").status_code == 409


def test_packages_come_as_json_and_zip_to_officers_and_host_alone(world: World, app: Flask) -> None:
    ref = closed(world)
    host = Seat(world, app, "host")
    listed(world, host, ref)
    assert host.get(f"/hall/{ref}/package.zip").data.startswith(b"PK")
    assert Seat(world, app, "officer2").json(f"/hall/{ref}/package.json")["officer"]["j"] == 2
    assert Seat(world, app, "agent").get(f"/hall/{ref}/package.json").status_code == 403
    assert Seat(world, app, "clerk").get(f"/hall/{ref}/package.zip").status_code == 403


def test_live_events_tell_of_changes_and_make_up_for_missed_ones(
    world: World, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.01)
    ref = closed(world)
    public = Seat(world, app)
    answer = public.client.get(f"/live/hall/{ref}", buffered=False)
    assert answer.mimetype == "text/event-stream"
    pieces = answer.iter_encoded()
    assert next(pieces).startswith(b"retry") and next(pieces).startswith(b"event: beat")
    listed(world, Seat(world, app, "host"), ref)
    told = next(pieces).decode()
    first = told.partition("id: ")[2].partition("\n")[0]
    assert json.loads(told.partition("data: ")[2]) == {"changed": True} and "投标" not in told
    answer.close()
    opened_again = public.client.get(f"/live/hall/{ref}?after=LONG-AGO", buffered=False)
    pieces = opened_again.iter_encoded()
    next(pieces)
    assert f"id: {first}" in next(pieces).decode()
    opened_again.close()
    assert public.get("/live/hall/NO-SUCH-1").status_code == 404
    assert public.get("/live/nothing/x").status_code == 404


def test_streams_beyond_the_places_of_a_worker_are_sent_to_poll(world: World, app: Flask) -> None:
    ref = bidding(world)
    public = Seat(world, app)
    held = [public.client.get(f"/live/hall/{ref}", buffered=False) for _ in range(live.MOST_STREAMS)]
    assert public.get(f"/live/hall/{ref}").status_code == 503
    for one in held:
        one.close()
    last = public.client.get(f"/live/hall/{ref}", buffered=False)
    assert last.status_code == 200
    last.close()


def test_the_seeds_and_parts_go_to_the_lot_s_officers_only(world: World, app: Flask) -> None:
    ref = closed(world)
    host = Seat(world, app, "host")
    opened(world, app, host, ref)
    found = Seat(world, app, "officer1").json(f"/hall/{ref}/officer/opened")
    assert len(found["seeds"]) == 3 and all(len(unb64u(seed)) == 32 for seed in found["seeds"].values())
    assert host.get(f"/hall/{ref}/officer/opened").status_code == 403
    assert (
        Seat(world, app).client.get(f"/hall/{ref}/officer/opened", headers={"Accept": "application/json"}).status_code
        == 403
    )


def test_without_a_setter_the_minutes_are_a_page_that_says_so(
    world: World, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = closed(world)
    host = Seat(world, app, "host")
    opened(world, app, host, ref)
    pdf = host.get(f"/hall/{ref}/minutes?draft=1")
    assert (
        pdf.data.startswith(b"%PDF-")
        and b"pdfaid" in pdf.data
        and host.get(f"/hall/{ref}/minutes?draft=1").data == pdf.data
    )
    monkeypatch.setattr(printing, "can_set", lambda: False)
    page = host.get(f"/hall/{ref}/papers/form?draft=1")
    assert page.mimetype == "text/html" and "bidhall[reports]" in page.text and "贰佰柒拾伍万元整" in page.text
