"""The demo town of `bidhall serve --demo`: what README's first command shows is played by real steps, to every stage, and can be played on
from its card alone.

The town is filled once for all of these, from outside, as `bidhall serve --demo` fills it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from crypto import keyfiles
from crypto.canonical import D, H, b64u, loads, unb64u
from crypto.draws import score_commit
from crypto.signatures import payload_of
from deposits.refunds.refunds import Refund
from deposits.views import statement
from evaluation.panels.panels import Panel
from evaluation.scoring import sheet_rows
from tests.walk import town as towns
from trading.awarding.awards import Award
from trading.disclosure import audit
from trading.kernel.access import PUBLIC, Actor, Role
from trading.kernel.calendar import local_day
from trading.kernel.clock import FileClock, parse_moment
from trading.kernel.work import Office
from trading.reports import history, own, savings
from trading.tendering.documents import TenderDocument
from trading.tendering.tenders import Lot
from trading.views import oversight
from web import wiring
from web.app import create_app
from web.rehearsal import evaluation, server
from web.rehearsal.browser import Browser
from web.rehearsal.cast import Person
from web.rehearsal.front import Plan
from web.rehearsal.town import card, filling, paper_words, plans, play
from web.settings import Settings, read_settings

pytestmark = pytest.mark.skipif("BIDHALL_TEST_TOWN" not in os.environ, reason="a minute of its own: make town")
STATES = {
    "archived": "ARCHIVED",
    "closing": "CLOSING",
    "failed": "FAILED",
    "terminated": "TERMINATED",
    "result": "RESULT",
    "contract": "CONTRACT",
    "report": "REPORT",
    "candidates": "CANDIDATES",
    "award": "AWARD",
    "evaluation": "EVALUATION",
    "qualification": "QUAL_REVIEW",
    "opening": "OPENING",
    "soon": "BIDDING",
    "bidding": "BIDDING",
    "notice": "NOTICE",
    "draft": "ACCEPTED",
}
AUDITOR = Actor(Role.AUDIT_ADMIN, name="test")
SUPERVISOR = Actor(Role.SUPERVISOR, name="test")


@dataclass
class Filled:
    settings: Settings
    office: Office
    told: list[str]
    facts: dict[str, Any]
    seconds: float

    @property
    def engine(self) -> Engine:
        return self.office.engine


@pytest.fixture(scope="module")
def filled(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A copy of the town that is filled once a run (tests/walk/town.py), at the moment it was ready."""
    folder = tmp_path_factory.mktemp("town")
    data, clock = folder / "data", FileClock(folder / "clock")
    with towns.filled(run_folder) as kept:
        shutil.copytree(kept, data)
    ready = parse_moment((data / towns.FILLED).read_text(encoding="ascii"))
    clock.set(ready)
    settings = read_settings({"BIDHALL_DATA": str(data), "BIDHALL_TEST_CLOCK": str(clock.path)})
    told = filling.fill(settings, lambda line: None)
    office, facts = wiring.open_office(settings), filling.facts(data)
    yield Filled(settings, office, told, facts, (ready - parse_moment(facts["made_at"])).total_seconds())
    office.engine.dispose()


def test_a_lot_stands_at_every_stage(filled: Filled) -> None:
    with Session(filled.engine) as session:
        states = {str(ref): str(state) for ref, state in session.execute(select(Lot.ref, Lot.state))}
    assert {one["ref"]: STATES[one["stage"]] for one in filled.facts["lots"].values()} == states
    assert set(filled.facts["stages"]) == set(STATES)
    regimes = Counter(one["regime"] for one in filled.facts["lots"].values())
    assert regimes["GP"] >= 8 and regimes["WORKS"] >= 4


def test_one_lot_is_ranked_by_the_lowest_price(filled: Filled) -> None:
    """Whoever visits meets a result without points; the panel handed in no sheet."""
    ref = filled.facts["lots"]["BEDS"]["ref"]
    with Session(filled.engine) as session:
        lot = session.scalar(select(Lot).where(Lot.ref == ref))
        assert lot is not None and lot.scheme and lot.scheme["method"] == "GP_LOWEST"
        award = session.scalar(select(Award).where(Award.lot_id == lot.id))
        assert award is not None and {row["ranked_by"] for row in award.ranking} == {"price"}
        made = select(sheet_rows.Sheet).join(Panel, sheet_rows.Sheet.panel_id == Panel.id).where(Panel.lot_id == lot.id)
        assert session.scalars(made).all() == []
    page = create_app(filled.settings, filled.office).test_client().get(f"/lots/{ref}/result").text
    assert "评审价" in page and "综合得分" not in page and "总分" not in page


def test_the_nearest_deadline_is_a_quarter_of_an_hour_after_the_town_was_begun(filled: Filled) -> None:
    made = parse_moment(filled.facts["made_at"])
    with Session(filled.engine) as session:
        soon = session.scalar(select(Lot.deadline).where(Lot.ref == filled.facts["lots"]["SOON"]["ref"]))
    assert soon is not None and soon - made == plans.SOON
    assert filled.seconds < 300, "the lot that closes soon would be closed before anybody looks"


def test_a_town_is_not_built_twice(filled: Filled) -> None:
    assert filling.fill(filled.settings, lambda line: pytest.fail("a town is not built twice")) == filled.told


def test_the_log_of_the_town_verifies(filled: Filled) -> None:
    with filled.office.view(AUDITOR) as view:
        found = audit.verify(view)
    assert found.ok and found.entries > 200, found.faults


def test_savings_stand_in_several_months_and_older_years_are_imported(filled: Filled) -> None:
    with filled.office.view(PUBLIC) as view:
        rows = savings.own_rows(own.records(view.session))
        older, sources = savings.own_rows(history.records(view.session)), history.sources(view.session)
    awarded = [row for row in rows if row.status == savings.AWARDED]
    assert len({row.date.isoformat()[:7] for row in awarded if row.date}) >= 3 and len(awarded) >= 5
    assert {"failed", "terminated"} <= {row.status for row in rows}
    assert len({row.date.year for row in older if row.date}) >= 2 and len(sources) == 1
    assert not {row.id for row in older} & {row.id for row in rows}
    assert max(row.date for row in older if row.date) < min(row.date for row in rows if row.date)
    page = create_app(filled.settings, filled.office).test_client().get("/savings?lang=en").text
    assert "Imported from older records" in page and sources[0].source in page


def test_money_is_due_and_one_refund_is_overdue(filled: Filled) -> None:
    today = local_day(filled.office.clock.now())
    with Session(filled.engine) as session:
        totals = statement.totals(session).as_json()
        waiting = list(session.scalars(select(Refund).where(Refund.batch_id.is_(None))))
    assert totals["balanced"] and totals["refunded"] != "0.00"
    assert sum(row.due_on < today for row in waiting) == 1 and sum(row.due_on >= today for row in waiting) >= 2


def test_a_duty_is_late_and_an_objection_is_under_way(filled: Filled) -> None:
    with filled.office.view(SUPERVISOR) as view:
        late = [one for one in oversight.limits(view) if one.state(view.now) == "late"]
        open_ = [one for one in oversight.objections(view) if one.state == "FILED"]
    assert [(one.kind, one.lot) for one in late] == [("decide", filled.facts["lots"]["BUS"]["ref"])]
    assert [one.lot for one in open_] == [filled.facts["lots"]["ROOF"]["ref"]]


def test_papers_have_three_pages_that_can_be_read(filled: Filled) -> None:
    with Session(filled.engine) as session:
        found = list(
            session.execute(
                select(TenderDocument.kind, TenderDocument.blob, Lot.title).join(Lot, Lot.id == TenderDocument.lot_id)
            )
        )
    assert {kind for kind, _blob, _title in found} == {"tender_document", "contract_form"} and len(found) == 2 * len(
        filled.facts["lots"]
    )
    for kind, blob, title in found:
        with filled.office.blobs.open(blob) as stream:
            paper = pypdfium2.PdfDocument(stream.read())
        words = "".join(page.get_textpage().get_text_range() for page in paper)
        assert len(paper) >= 3 and title in words.replace("\r", "").replace("\n", ""), (kind, title, len(paper))
        wanted = ("投标人须知", "供应商须知") if kind == "tender_document" else ("违约责任",)
        assert any(one in words for one in wanted)


def test_a_bid_is_papers_that_can_be_read(filled: Filled) -> None:
    """As its bidder reads it: opened bids of the town are kept for those who review."""
    part = plans.parts(parse_moment(filled.facts["made_at"]))["REVIEW"]
    words = [paper_words.technical(part.plan, "甲公司", "乙"), paper_words.agreement(part.plan)]
    assert "甲公司" not in json.dumps(words[0], ensure_ascii=False)  # works are reviewed blind
    assert all(len(one["parts"]) >= 3 and part.plan.name in json.dumps(one, ensure_ascii=False) for one in words)


def test_every_sheet_file_reveals_what_its_seat_has_committed(filled: Filled) -> None:
    keys, lot = filled.settings.data / filled.facts["keys"], filled.facts["lots"]["REVIEW"]
    assert len(filled.facts["sheets"]) == 3 and len(filled.facts["open_seats"]) == 2
    with Session(filled.engine) as session:
        commits = set(session.scalars(select(sheet_rows.SheetCommit.commit)))
    for username, name in filled.facts["sheets"].items():
        ring = keyfiles.open_keyring(json.loads((keys / f"{username}.json").read_text()), filled.facts["password"])
        assert json.loads((keys / name).read_text())["room"] == "/".join(lot["ref"].rsplit("-", 1))
        kept = kept_sheet(keys / name, ring.secret("ed25519"), username)
        sheet = loads(payload_of(kept["sheet"]))
        assert b64u(score_commit(unb64u(kept["salt"], 32), sheet)) == kept["commit"] and kept["commit"] in commits


def test_the_card_names_people_and_addresses_that_are_there(filled: Filled) -> None:
    client = create_app(filled.settings, filled.office).test_client()
    for one in card.tries(filled.facts):
        assert set(one.who) <= set(filled.facts["people"])
        assert client.get(one.path).status_code in (200, 302, 303)
        for name in one.files:
            assert json.loads(client.get(f"/town/keys/{name}").data)["type"] in ("bidhall-keyring", "bidhall-sheet")
    for speech in ("zh", "en"):
        page = client.get(f"/town?lang={speech}").text
        assert filled.facts["password"] in page and filled.facts["lots"]["HALL"]["ref"] in page
    assert "/town" in client.get("/account/sign-in").text
    assert (
        client.get("/town/keys/platform.key").status_code == 404
        and client.get("/town/keys/../platform.key").status_code == 404
    )
    assert all(
        not name.startswith(("投标人", "专家")) for name in (one["name"] for one in filled.facts["people"].values())
    )


def test_the_town_lies_behind_the_present_moment(filled: Filled) -> None:
    made = parse_moment(filled.facts["made_at"])
    with Session(filled.engine) as session:
        first = session.scalar(select(Lot.published_at).where(Lot.ref == filled.facts["lots"]["CLASS"]["ref"]))
    assert first is not None and made - first > timedelta(days=120)
    assert not (filled.settings.data / filling.BEGUN).exists()


def test_the_panel_that_still_scores_ends_from_the_files_alone(filled: Filled, tmp_path: Path) -> None:
    """Two open seats score; all five reveal, three of them out of their sheet files; the report is signed."""
    data, told = tmp_path / "town", filled.facts
    shutil.copytree(filled.settings.data, data)
    made = parse_moment(told["made_at"])
    plan = plans.parts(made)["REVIEW"].plan
    plan.ref = told["lots"]["REVIEW"]["ref"]
    with server.stage(read_settings({"BIDHALL_DATA": str(data)}), made + timedelta(minutes=40)) as scene:
        panel = [_seat(scene, told, data / told["keys"], name, plan) for name in (*told["sheets"], *told["open_seats"])]
        panel.sort(key=lambda member: member.no)
        evaluation.commit(scene, plan, [one for one in panel if not one.salt], play.points)
        evaluation.reveal(scene, plan, panel)
        evaluation.report(scene, plan, panel)
        with Session(scene.office.engine) as session:
            assert session.scalar(select(Lot.state).where(Lot.ref == plan.ref)) == "REPORT"


def _seat(scene: server.Stage, told: dict[str, Any], keys: Path, username: str, plan: Plan) -> evaluation.Member:
    """A member as whoever holds the card has it: password, key file, and where there is one the sheet file."""
    ring = keyfiles.open_keyring(json.loads((keys / f"{username}.json").read_text()), told["password"])
    person = Person(
        username, told["people"][username]["name"], username, username, (Role.EXPERT,), Browser(scene.base), scene.clock
    )
    person.keys.sign = ring.secret("ed25519")
    room = person.at().json(f"/expert/{plan.ref}/data")
    member = evaluation.Member(person, room["seat"], room["chair"])
    if username in told["sheets"]:
        kept = kept_sheet(keys / told["sheets"][username], ring.secret("ed25519"), username)
        member.sheet, member.salt = loads(payload_of(kept["sheet"])), unb64u(kept["salt"], 32)
    return member


def kept_sheet(path: Path, secret: bytes, username: str) -> Any:
    """What a sheet file holds, opened as the page opens it (static/js/expert_vault.js)."""
    told = json.loads(path.read_text())
    key = D(secret, H("sheet-keep", told["room"].encode()), "sheet-keep")
    box, place = unb64u(told["box"]), f"bidhall-sheet:{username}:{told['room']}:{told['round']}"
    return json.loads(AESGCM(key).decrypt(box[:12], box[12:], place.encode()))
