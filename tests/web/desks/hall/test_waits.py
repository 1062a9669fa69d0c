"""What the hall waits for: whose turn, until when and why, in the same words as the act; the law by the regime of the lot; the way back
to one's own act for whoever has to sign in first."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from sqlalchemy import Engine

from crypto import signatures
from tests.kit import sealing
from tests.kit.opening_steps import form, share
from tests.kit.world import OFFICERS, World
from tests.web.desks.hall.kit import PASSWORD, Seat, app_of, countersigned, shares_of
from trading import timeline
from trading.bidding import closing
from trading.kernel.clock import parse_moment
from trading.remedies import disputes
from web.desks.hall import law

NAMES = [name for name, _party, _side in OFFICERS]


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    return app_of(world, tmp_path)


def closed(world: World, regime: str = "GP", *, objects: str = "") -> str:
    """``objects``: who objects to the documents and gets no answer."""
    ref = world.lot("BIDDING", regime)
    world.take_part(ref)
    if objects:
        with world.work(objects, sealing.SIGNER) as work:
            until = work.now + timedelta(days=1)
            disputes.file(work, world.lot_in(work, ref), stage="documents", text="参数有倾向性", until=until)
    sealing.open_for_bids(world, ref)
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username, form=form(regime))).accepted
    world.tick()
    sealing.close(world, ref)
    return ref


def plain(seat: Seat, path: str) -> str:
    """A page without its marks, for sentences that have some inside."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", seat.get(path).text))


def test_claims_run_from_the_sealing_off_and_page_act_and_text_say_the_same(world: World, app: Flask) -> None:
    ref = closed(world)
    host, public = Seat(world, app, "host"), Seat(world, app)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        row = closing.closing(view.session, lot)
        assert lot.opens_at is not None
        end = closing.claims_end(row, lot.opens_at)
    assert world.now < end
    state = public.json(f"/hall/{ref}/data")
    assert parse_moment(state["claims_end"]) == end
    shut = public.get(f"/hall/{ref}").text
    assert f'data-until="{int(end.timestamp() * 1000)}"' in shut and "从封存时起算两分钟，与何时公布名单无关" in shut
    late = end - timedelta(seconds=5)
    world.clock.set(late)
    timeline.turn(world.office)
    host.act(f"/hall/{ref}/acts/list")  # published five seconds before claims end: the two minutes are not begun anew
    assert parse_moment(host.json(f"/hall/{ref}/data")["shares_from"]) == end
    officer = Seat(world, app, NAMES[0])
    early = officer.post(
        f"/hall/{ref}/acts/release", shares=signatures.sign("shares", {"v": 1}, world.keys[NAMES[0]].sign)
    )
    assert early.status_code == 409
    page = officer.get(f"/hall/{ref}/release").text
    assert f'data-until="{int(end.timestamp() * 1000)}"' in page and "两分钟" in page
    for _ in range(3):  # the set's own tick
        world.clock.set(world.now + timedelta(seconds=10))
        timeline.turn(world.office)
    officer.act(f"/hall/{ref}/acts/release", shares=shares_of(officer, ref))


def test_three_of_five_wait_for_the_others_and_everybody_reads_why(world: World, app: Flask) -> None:
    ref = closed(world)
    host, public = Seat(world, app, "host"), Seat(world, app)
    sealing.list_set(world, ref)
    for name in NAMES[:3]:
        share(world, ref, name)
    until = host.json(f"/hall/{ref}/data")["shares_until"]
    away = NAMES[3:]
    for seat, path in (
        (public, f"/hall/{ref}"),
        (host, f"/hall/{ref}/host"),
        (Seat(world, app, NAMES[3]), f"/hall/{ref}/release"),
    ):
        text = plain(seat, path)
        assert "5 位密钥持有人已到 3 位，3 位就够开启。仍等其余各位" in text, path
        assert "谁都不能挑选用哪几份" in text
        assert str(int(parse_moment(until).timestamp() * 1000)) in seat.get(path).text
    assert host.post(f"/hall/{ref}/acts/open").status_code == 409  # and the act says the same
    mine = Seat(world, app, NAMES[3]).get(f"/hall/{ref}").text
    assert "该您办理" in mine and f'href="/hall/{ref}/release"' in mine
    assert "该您办理" not in Seat(world, app, NAMES[0]).get(f"/hall/{ref}").text
    told = public.json(f"/hall/{ref}/data")["waits"]
    assert [one["turn"] for one in told] == ["officers"] and len(told[0]["who"].split("、")) == len(away)
    for name in away:
        share(world, ref, name)
    assert [one["turn"] for one in public.json(f"/hall/{ref}/data")["waits"]] == ["host"]
    assert "该您办理" in host.get(f"/hall/{ref}").text
    host.act(f"/hall/{ref}/acts/open")
    assert [one["turn"] for one in public.json(f"/hall/{ref}/data")["waits"]] == ["officers", "bidders"]
    # whoever has to sign in to confirm comes back to that very page
    stranger = Seat(world, app)
    assert f'href="/bidder/lots/{ref}/opening"' in stranger.get(f"/hall/{ref}").text
    door = stranger.get(f"/bidder/lots/{ref}/opening")
    assert (
        door.status_code == 302
        and unquote(door.headers["Location"]) == f"/account/sign-in?next=/bidder/lots/{ref}/opening"
    )
    shown = stranger.get(door.headers["Location"]).text
    assert f'name="next" value="/bidder/lots/{ref}/opening"' in shown
    back = stranger.post(
        "/account/acts/sign-in", username="bidder1", password=PASSWORD, next=f"/bidder/lots/{ref}/opening"
    )
    assert back.headers["Location"] == f"/bidder/lots/{ref}/opening"
    held = stranger.get(back.headers["Location"]).text
    assert f"{ref}/acts/confirm" not in held and "以投标人 · 签署身份继续" in held
    # in the other of this person's roles, and back to this page
    switched = stranger.post("/account/acts/role", role="bidder-signer", next=f"/bidder/lots/{ref}/opening")
    assert switched.headers["Location"] == f"/bidder/lots/{ref}/opening"
    assert f"{ref}/acts/confirm" in stranger.get(switched.headers["Location"]).text
    # its law is that of procurement
    own = stranger.get(f"/bidder/lots/{ref}/opening").text
    assert "财政部令第87号第42条" in own and "招标投标法" not in own
    assert "财政部令第87号第42条" in stranger.get("/bidder").text
    for name in NAMES[:3]:
        seat = Seat(world, app, name)
        seat.act(f"/hall/{ref}/acts/countersign", opened=countersigned(seat, ref))
    assert [one["turn"] for one in public.json(f"/hall/{ref}/data")["waits"]] == ["bidders"]


def test_a_works_lot_cites_the_tendering_law(world: World, app: Flask) -> None:
    ref = closed(world, "WORKS")
    sealing.list_set(world, ref)
    for name in NAMES:
        share(world, ref, name)
    Seat(world, app, "host").act(f"/hall/{ref}/acts/open")
    own = Seat(world, app, "bidder1", "bidder-signer").get(f"/bidder/lots/{ref}/opening").text
    assert "招标投标法实施条例第44条" in own and "财政部令第87号" not in own


def test_works_wait_for_the_answer_to_an_objection_to_the_documents_by_the_law_of_works(
    world: World, app: Flask
) -> None:
    ref = closed(world, "WORKS", objects="bidder1")
    host = plain(Seat(world, app, "host"), f"/hall/{ref}")
    assert "对招标文件的异议答复之前暂停开标（招标投标法实施条例第22、54条，规则 T-26）" in host.replace(
        "条、第", "、"
    ), host


@pytest.mark.parametrize(
    ("regime", "rule", "zh", "en"),
    [
        ("GP", "X-08.objection", "财政部令第87号第42条", "Finance Order 87 art. 42"),
        ("WORKS", "X-08.objection", "招标投标法实施条例第44条", "Tendering Regulation art. 44"),
        ("GP", "X-09", "平台规则", "platform rule"),
        ("WORKS", "X-09", "八部委令2013年第20号第31条", "Order 20 of 2013 art. 31"),
        ("GP", "X-10", "财政部令第87号第42条", "Finance Order 87 art. 42"),
        ("WORKS", "X-10", "八部委令2013年第20号第32条", "Order 20 of 2013 art. 32"),
        ("GP", "B-01", "政府采购法第36条第1项", "Government Procurement Law art. 36(1)"),
        (
            "WORKS",
            "B-07",
            "招标投标法第28条；招标投标法实施条例第44条",
            "Tendering Law art. 28; Tendering Regulation art. 44",
        ),
        ("WORKS", "C-07", "招标投标法实施条例第27、50条", "Tendering Regulation arts. 27, 50"),
        ("GP", "C-07", "", ""),
    ],
)
def test_the_law_of_the_hall_is_that_of_the_regime(regime: str, rule: str, zh: str, en: str) -> None:
    lot: Any = SimpleNamespace(regime=regime, rules_version=f"{regime}@2026-03-01.0123456789ab")
    assert (law.law_of(lot, rule, "zh"), law.law_of(lot, rule, "en")) == (zh, en)


def test_no_source_stands_in_a_page_or_paper_of_the_hall_itself() -> None:
    """Every citation comes from the rulebook: none is written into a template, a paper or a sentence of the hall."""
    root = Path(__file__).parents[4] / "web"
    files = [
        *root.glob("templates/hall/*.html"),
        *root.glob("desks/hall/*.py"),
        *root.glob("translations/hall/*/*/messages.po"),
        root / "templates" / "bidder" / "opening.html",
        root / "words" / "opening.toml",
    ]
    source = re.compile(
        r"(?:TReg|GPReg|GPL|TL|O87|O20) arts?\.|第[一二三四五六七八九十百零0-9]+条|rule [A-Z]-\d|Rule [A-Z]-\d"
    )
    ours = law.__file__
    found = [
        (file.name, line.strip()[:120])
        for file in files
        if str(file) != ours
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
        and source.search(line)
        and "``" not in line
        and '"""' not in line
        and "rule X-09;" not in line
    ]
    assert found == []
