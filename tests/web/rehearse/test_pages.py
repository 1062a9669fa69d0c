"""The pages of a rehearsal: its word on each of them, its files, and the clock that is moved by a button there and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.web.conftest import House, marks
from tests.web.rehearse.kit import NAME, card_of, made
from trading.kernel import log_own, rehearsal
from trading.kernel.access import CLOCK, Act, Actor, Role
from trading.kernel.audit import ActRecord
from trading.kernel.clock import floor_second
from trading.kernel.errors import Invalid, NotAllowed, NotFound
from trading.kernel.moved_clock import AHEAD_FILE, MovedClock
from trading.kernel.work import Office
from web import wiring
from web.app import create_app
from web.papers import mark
from web.papers.typesetter import SETTER, can_set
from web.rehearsal.site import folder, samples

WORD = "演练 · 不具法律效力"


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return made(tmp_path, monkeypatch, played=True).play


@pytest.fixture
def office(play: Path) -> Iterator[Office]:
    office = wiring.open_signing_office(folder.settings_of(play))
    yield office
    office.engine.dispose()


@pytest.fixture
def client(play: Path, office: Office) -> FlaskClient:
    return create_app(folder.settings_of(play), office).test_client()


def sign_in(client: FlaskClient, play: Path, username: str) -> Any:
    page = client.get("/account/sign-in")
    password = card_of(play)[username]
    return client.post("/account/acts/sign-in", data={**marks(page.text), "username": username, "password": password})


def move(client: FlaskClient, **fields: str) -> Any:
    return client.post("/rehearsal/acts/move", data={**marks(client.get("/rehearsal").text), **fields})


def records(office: Office) -> list[dict[str, Any]]:
    with office.view(CLOCK) as view:
        rows = view.session.scalars(
            select(ActRecord.payload).where(ActRecord.act == rehearsal.MOVED).order_by(ActRecord.id)
        )
        return [json.loads(one)["facts"] for one in rows]


def test_every_page_bears_the_word(client: FlaskClient, play: Path) -> None:
    for path in (
        "/",
        "/notices",
        "/rehearsal",
        "/account/sign-in",
        "/audit",
        "/status",
        "/help",
        "/hall/wall",
        "/no-such-page",
    ):
        for lang in ("zh", "en"):
            page = client.get(path, query_string={"lang": lang}).text
            assert page.count(WORD) >= 2 and "Rehearsal · no legal effect" in page, path
    assert sign_in(client, play, "liu").status_code == 303
    page = client.get("/admin").text  # no second factor is asked for, though the role bears weight
    assert WORD in page and 'action="/rehearsal/acts/move"' in page
    assert NAME in client.get("/rehearsal").text and not any(
        password in client.get("/rehearsal").text for password in card_of(play).values()
    )


def test_sample_files_are_saved_under_a_name_that_says_so(client: FlaskClient) -> None:
    page = client.get("/rehearsal").text
    assert "yl-bidder1/技术文件.pdf" in page
    answer = client.get("/rehearsal/files/yl-bidder1/技术文件.pdf")
    assert (
        answer.status_code == 200
        and answer.data.startswith(b"%PDF")
        and "REHEARSAL-" in answer.headers["Content-Disposition"]
    )
    for path in ("../platform.key", "..%2Fcard.txt", "yl-bidder1", "nothing.pdf"):
        assert client.get(f"/rehearsal/files/{path}").status_code == 404


@pytest.mark.skipif(not can_set(), reason="no setter of papers")
def test_papers_bear_the_word_on_every_page() -> None:
    words = samples._tender()
    for marked, wanted in ((mark.of(f"{NAME}.yanlian-rehearsal"), True), (mark.of(NAME), False)):
        paper = pypdfium2.PdfDocument(SETTER.compile("town.typ", words, at=None, mark=marked))
        texts = [page.get_textpage().get_text_range() for page in paper]
        assert len(texts) == 4 and all(("no legal effect" in one) is wanted for one in texts)


def test_the_clock_goes_on_for_all_and_stays_in_the_log(client: FlaskClient, play: Path, office: Office) -> None:
    other = wiring.open_office(folder.settings_of(play))  # as another process
    assert sign_in(client, play, "sun").status_code == 303
    before = office.clock.now()
    assert move(client, to="day").status_code == 303
    assert timedelta(hours=23) < office.clock.now() - before < timedelta(days=12)
    assert abs(other.clock.now() - office.clock.now()) < timedelta(seconds=5)
    (told,) = records(office)
    assert told["ahead"] == json.loads((play / AHEAD_FILE).read_text())["ahead_seconds"]
    assert client.get("/admin").status_code == 200  # whoever was signed in still is
    (play / AHEAD_FILE).unlink()  # or it was never written: the process died between record and file
    again = wiring.open_signing_office(folder.settings_of(play))
    assert abs(again.clock.now() - office.clock.now()) < timedelta(seconds=5) and not again.clock.doubt()
    for one in (other, again):
        one.engine.dispose()


def test_it_goes_forward_only(client: FlaskClient, play: Path, office: Office) -> None:
    assert sign_in(client, play, "wu").status_code == 303
    back = move(client, to="moment", at="2026-01-01T09:00")
    assert back.status_code == 422 and "时钟只往前走" in back.text
    far = move(client, to="moment", at="2036-01-01T09:00")
    assert far.status_code == 422 and not records(office)
    assert move(client, to="next").status_code == 422  # no lot, no limit
    with office.work(Actor(Role.SYSTEM_ADMIN, name="t")) as work, pytest.raises(Invalid) as refused:
        rehearsal.move(work, work.now)
    assert refused.value.code == "rehearsal.backwards"
    clock = office.clock
    assert isinstance(clock, MovedClock)
    clock.set_ahead(timedelta(days=2))
    later = clock.now()
    clock.set_ahead(timedelta(days=1))  # a file somebody wrote back
    assert clock.now() >= later


def test_only_administrators_and_the_clerk_move_it(client: FlaskClient, play: Path, office: Office) -> None:
    nobody = marks(client.get("/account/sign-in").text)
    assert client.post("/rehearsal/acts/move", data={**nobody, "to": "day"}).status_code == 403
    assert sign_in(client, play, "yl-bidder1").status_code == 303
    assert 'action="/rehearsal/acts/move"' not in client.get("/bidder").text
    assert move(client, to="day").status_code == 403 and not records(office)
    allowed = {role for role in Role if Act.CLOCK_MOVE in _acts(role)}
    assert allowed == {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.CENTRE}
    with office.work(Actor(Role.BIDDER_SIGNER, name="t")) as work, pytest.raises(NotAllowed):
        rehearsal.move(work, work.now + timedelta(days=1))


def _acts(role: Role) -> frozenset[Act]:
    from trading.kernel.access import ROLES

    return ROLES[role]


def test_nobody_jumps_over_a_deadline(office: Office) -> None:
    with office.work(Actor(Role.CENTRE, name="t")) as work:
        limit = floor_second(work.now + timedelta(hours=1))
        with pytest.raises(Invalid) as refused:
            rehearsal.move(work, limit + timedelta(seconds=1), before=limit)
        assert refused.value.code == "rehearsal.over_deadline"
        ahead = rehearsal.move(work, limit, before=limit)
        assert timedelta(minutes=59) < ahead < timedelta(minutes=61)


def test_no_real_platform_has_such_a_clock(house: House) -> None:
    client = house.client()
    house.person("root", Role.SYSTEM_ADMIN)
    house.sign_in(client, "root")
    assert (
        client.get("/rehearsal").status_code == 404
        and client.get("/rehearsal/files/tender/招标文件.pdf").status_code == 404
    )
    page = client.get("/help")
    assert "drill" not in page.text
    answer = client.post("/rehearsal/acts/move", data={**marks(client.get("/account/password").text), "to": "day"})
    assert answer.status_code == 404
    with house.office.work(Actor(Role.SYSTEM_ADMIN, name="t")) as work, pytest.raises(NotFound):
        rehearsal.move(work, work.now + timedelta(days=1))


def test_a_marked_name_over_a_log_that_began_otherwise_moves_nothing(office: Office) -> None:
    """What decides is the first record: with its signature gone, or another act in it, there is no such clock."""
    with office.view(CLOCK) as view:
        assert log_own.first_record(view.session, office.keys.public)["act"] == "platform.rehearsal"
        assert log_own.first_record(view.session, bytes(32)) == {}
    with office.engine.begin() as line:
        for trigger in line.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
            line.exec_driver_sql(f'DROP TRIGGER "{trigger}"')
        first = line.execute(select(ActRecord.id).order_by(ActRecord.id)).scalars().first()
        payload = line.execute(select(ActRecord.payload).where(ActRecord.id == first)).scalar_one()
        line.execute(
            update(ActRecord).where(ActRecord.id == first).values(payload=payload.replace("rehearsal", "named", 1))
        )
    with office.work(Actor(Role.SYSTEM_ADMIN, name="t")) as work, pytest.raises(NotFound):
        rehearsal.move(work, work.now + timedelta(days=1))
