"""The papers of an opening: three, fixed with the signature, in words a person reads; stamps by a real authority, verified by openssl."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest
from flask import Flask
from sqlalchemy import Engine

from crypto.signatures import countersign
from tests.kit import evaluation_steps as steps
from tests.kit import sealing, tsa, verdict_steps
from tests.kit.opening_steps import ALL, bid, form, share, turn
from tests.kit.real_server import hatchery, house_of
from tests.kit.world import World
from tests.trading.opening.test_rescue import bad_box, hash_of
from tests.web.desks.hall.kit import Seat, app_of
from trading.custody import officers
from trading.kernel.errors import NotReady
from trading.opening import ceremony, decryption, opening_list
from web.papers import printing, stamps


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    return app_of(world, tmp_path)


def read_out(world: World) -> str:
    """Decrypted and countersigned; the time to confirm is over."""
    ref = world.lot("BIDDING")
    bid(world, ref, {name: form(price=f"{2_700_000 + 10_000 * at}.00") for at, name in enumerate(world.bidders)})
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        share(world, ref, username)
    decryption.open_bids(world.office, world.actor("host"), ref)
    for username in ALL:
        sign(world, ref, username)
    turn(world, minutes=16)
    return ref


def sign(world: World, ref: str, username: str) -> None:
    with world.work(username) as work:
        row = ceremony.opening(work.session, world.lot_in(work, ref))
        opening_list.countersign(work, row, countersign(dict(row.opened or {}), world.keys[username].sign))


@pytest.mark.rule("X-14", "Y-08")
def test_papers_are_made_stamped_and_checked_without_this_platform(world: World, app: Flask, tmp_path: Path) -> None:
    with tsa.authority(tmp_path / "tsa") as authority:
        house = app.extensions["bidhall"]
        house.settings = replace(house.settings, tsa=authority.url)
        house.settings.data.mkdir(parents=True, exist_ok=True)
        (house.settings.data / stamps.ANCHORS).write_bytes(authority.root)
        ref = read_out(world)
        host, public = Seat(world, app, "host"), Seat(world, app)
        assert public.get(f"/hall/{ref}/papers/form").status_code == 404
        assert public.get(f"/hall/{ref}/papers/form?draft=1").status_code == 403
        assert host.get(f"/hall/{ref}/papers/form?draft=1").data.startswith(b"%PDF-")
        authority.down = True
        host.act(f"/hall/{ref}/acts/sign-minutes")  # an authority that is away stops nothing
        assert "尚无时间戳" in public.get(f"/hall/{ref}/papers").text
        assert public.get(f"/hall/{ref}/papers/form.tsr").status_code == 404
        assert host.post(f"/hall/{ref}/acts/stamp").status_code == 503
        authority.down, authority.replay = False, authority.answer(_request(b"another paper"))
        assert host.post(f"/hall/{ref}/acts/stamp").status_code == 503
        authority.replay = b""
        assert public.post(f"/hall/{ref}/acts/stamp").status_code == 403
        host.act(f"/hall/{ref}/acts/stamp")
        page = public.get(f"/hall/{ref}/papers").text
        assert page.count("已核验") == 3
        for kind in ("sheet", "form", "record"):
            paper, answer = (
                public.get(f"/hall/{ref}/papers/{kind}").data,
                public.get(f"/hall/{ref}/papers/{kind}.tsr").data,
            )
            assert paper.startswith(b"%PDF-") and hashlib.sha256(paper).hexdigest() in page
            assert authority.verify(paper, answer) and not authority.verify(paper + b" ", answer)
            assert "北京时间（UTC+8）" in pages_of(paper)
        asked = authority.asked
        host.act(f"/hall/{ref}/acts/stamp")
        assert authority.asked == asked  # nothing is stamped twice
        assert public.get(f"/hall/{ref}/minutes").data == public.get(f"/hall/{ref}/papers/record").data
        assert public.get(f"/hall/{ref}/papers/other").status_code == 404
        assert public.get(f"/hall/{ref}/papers/form.exe").status_code == 404


def _request(data: bytes) -> bytes:
    from rfc3161_client import TimestampRequestBuilder

    return bytes(TimestampRequestBuilder(data=data).build().as_bytes())


def test_a_stamp_of_a_stranger_or_without_trusted_certificates_is_not_taken(app: Flask, tmp_path: Path) -> None:
    settings = app.extensions["bidhall"].settings
    with pytest.raises(NotReady, match=r"stamp\.none"):
        stamps.stamp(settings, b"paper")
    with tsa.authority(tmp_path / "one") as one, tsa.authority(tmp_path / "two") as two:
        data = tmp_path / "anchors"
        data.mkdir()
        settings = replace(settings, tsa=one.url, data=data)
        with pytest.raises(NotReady, match=r"stamp\.no_anchor"):
            stamps.stamp(settings, b"paper")
        (data / stamps.ANCHORS).write_bytes(two.root)
        with pytest.raises(NotReady, match=r"stamp\.bad"):
            stamps.stamp(settings, b"paper")
        (data / stamps.ANCHORS).write_bytes(two.root + one.root)
        assert one.verify(b"paper", stamps.stamp(settings, b"paper").answer)
        one.replay = b"\x30\x00"
        with pytest.raises(NotReady, match=r"stamp\.bad"):
            stamps.stamp(settings, b"paper")
    with pytest.raises(NotReady, match=r"stamp\.unreachable"):
        stamps.stamp(settings, b"paper")


def test_the_record_says_whose_fault_it_was_and_by_whose_ruling(
    world: World, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = bad_box(world)
    name = hash_of(world, ref, "bidder1")
    host, public = Seat(world, app, "host"), Seat(world, app)
    assert "凑够有效份额" in public.get(f"/hall/{ref}").text and "补救时间未到" in host.get(f"/hall/{ref}/host").text
    verdict_steps.pause_over(world, ref)
    host = Seat(world, app, "host")
    host.act(f"/hall/{ref}/acts/open")
    assert "待裁定" in public.get(f"/hall/{ref}").text
    assert host.post(f"/hall/{ref}/acts/rule", header_hash=name, cause="bidder", reasons="短").status_code == 422
    assert (
        host.post(
            f"/hall/{ref}/acts/rule", header_hash=name, cause="unknown", reasons=verdict_steps.REASONS
        ).status_code
        == 422
    )
    host.act(f"/hall/{ref}/acts/rule", header_hash=name, cause="bidder", reasons=verdict_steps.REASONS)
    page = public.get(f"/hall/{ref}").text
    assert "视为撤销投标" in page and verdict_steps.REASONS in page
    for username in ALL:
        sign(world, ref, username)
    monkeypatch.setattr(printing, "can_set", lambda: False)
    record = host.get(f"/hall/{ref}/papers/record?draft=1").text
    assert "投标人原因；视为撤销投标" in record and "X-09" in record and verdict_steps.REASONS in record
    assert "草稿" in record and record.count("已重新核对并会签") == 5


# --- the price envelope -----------------------------------------------------------------------------------------------


def pages_of(data: bytes) -> str:
    """The text of a PDF."""
    document = pypdfium2.PdfDocument(data)
    return "".join(document[at].get_textpage().get_text_range() for at in range(len(document)))


def test_the_papers_of_the_price_envelope_and_of_the_technical_one_say_each_their_own(world: World, app: Flask) -> None:
    """Three papers for each of two ceremonies: no price in the first, none of the rejected in the second; sheet and projector follow."""
    steps.library(world)
    forms = {name: form("WORKS", price=f"{2_700_000 - 10_000 * at}.00") for at, name in enumerate(world.bidders)}
    ref = steps.published(world, "WORKS", two_envelopes=True)
    bid(world, ref, forms)
    public, host = Seat(world, app), Seat(world, app, "host")
    sealing.close(world, ref)
    opened_by_pages(world, app, ref, officers.BID)
    first = {
        kind: pages_of(public.get(f"/hall/{ref}/papers/{kind}?envelope=bid").data)
        for kind in ("sheet", "form", "record")
    }
    assert not [
        kind for kind, text in first.items() if any(price in text for price in ("2,700,000", "2,690,000", "2,680,000"))
    ]
    steps.seated(world, ref)
    steps.conform(world, ref, reject=("bidder3",))
    steps.score(world, ref)
    steps.fix_technical(world, ref)
    turn(world)
    assert public.get(f"/hall/{ref}/papers/record?envelope=price").status_code == 404
    opened_by_pages(world, app, ref, officers.PRICE)
    second = {
        kind: pages_of(public.get(f"/hall/{ref}/papers/{kind}?envelope=price").data)
        for kind in ("sheet", "form", "record")
    }
    for kind in ("form", "record"):
        assert "2,700,000.00" in second[kind] and "2,690,000.00" in second[kind] and "2,680,000" not in second[kind], (
            kind
        )
    for path in ("projector", "sheet"):
        assert public.get(f"/hall/{ref}/{path}?envelope=price").status_code == 200
        assert "2,680,000" not in public.get(f"/hall/{ref}/{path}?envelope=price").text
    assert host.get(f"/hall/{ref}/papers?envelope=price").status_code == 200
    for kind, text in first.items():  # the papers of before are the bytes of before
        assert pages_of(public.get(f"/hall/{ref}/papers/{kind}?envelope=bid").data) == text


def opened_by_pages(world: World, app: Flask, ref: str, part: str) -> None:
    """A ceremony from the set to the publication, its papers made by the host's own page."""
    sealing.list_set(world, ref, part)
    for username in ALL:
        share(world, ref, username, part)
    decryption.open_bids(world.office, world.actor("host"), ref, part=part)
    for username in ALL:
        with world.work(username) as work:
            row = ceremony.opening(work.session, world.lot_in(work, ref), part)
            opening_list.countersign(work, row, countersign(dict(row.opened or {}), world.keys[username].sign))
    turn(world, minutes=16)
    host = Seat(world, app, "host")
    host.act(f"/hall/{ref}/acts/sign-minutes")
    host.act(f"/hall/{ref}/acts/close")
    turn(world)


def test_a_worker_forked_from_a_server_that_has_set_a_paper_sets_papers(world: World, tmp_path: Path) -> None:
    """As with `make run`: the town is filled, papers and all, by the process that then forks the workers."""
    ref = read_out(world)
    before = (
        "from tests.web.papers.test_typesetter import AT, PAPER\nfrom web.papers.typesetter import SETTER\n"
        "assert SETTER.compile('hall.typ', PAPER, at=AT).startswith(b'%PDF-')"
    )
    with hatchery() as nest:
        house = house_of(world, tmp_path)
        host = house.person(nest.serve(house, cold=True, before=before), "host")
        for _ in range(4):  # both workers
            draft = host.get(f"/hall/{ref}/papers/record?draft=1")
            assert draft.status == 200 and draft.data.startswith(b"%PDF-")
        assert host.post(f"/hall/{ref}/acts/sign-minutes").status in (200, 303)
        assert "开标记录" in pages_of(host.get(f"/hall/{ref}/minutes").data)
