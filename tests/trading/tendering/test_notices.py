"""Notices: versions that are never changed or deleted, each with its hash in the log (rulebook §9.3)."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Executable, delete, select, update
from sqlalchemy.exc import DatabaseError

from crypto.signatures import document_hash
from tests.kit.world import World
from trading.kernel.audit import ActRecord, LogEntry
from trading.kernel.errors import Invalid, NotAllowed, NotFound, WrongStep
from trading.tendering import notices
from trading.tendering.notices import Notice
from trading.views import lot_cards


def correct(world: World, ref: str, text: str = "开标地点改为第二开标室") -> int:
    with world.work("agent") as work:
        body = {"place": "第二开标室"}
        return notices.publish(
            work, world.lot_in(work, ref), "correction", title="更正公告", text=text, body=body
        ).version


def test_each_correction_is_a_further_version(world: World) -> None:
    ref = world.lot("NOTICE")
    assert [correct(world, ref), correct(world, ref, "再次更正")] == [1, 2]
    with world.view("bidder1") as view:
        cards = lot_cards.notice_cards(view, world.lot_in(view, ref))
        assert [(card.kind, card.version) for card in cards] == [("tender", 1), ("correction", 1), ("correction", 2)]
        newest = lot_cards.newest_notices(view, kinds=("correction",), limit=1)
        assert [(card.lot, card.text) for card in newest] == [(ref, "再次更正")]


def test_the_log_holds_the_hash_of_every_notice(world: World) -> None:
    ref = world.lot("NOTICE")
    correct(world, ref)
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        rows = notices.of_lot(view.session, lot)
        named = {
            json.loads(row.payload)["facts"]["document"]: row
            for row in view.session.scalars(select(ActRecord).where(ActRecord.act == "notice.publish"))
        }
        assert {row.document_hash for row in rows} == set(named)
        for row in rows:
            assert document_hash(notices.document_of(row, platform=world.office.platform, lot=lot)) == row.document_hash
            entry = view.session.scalars(
                select(LogEntry).where(LogEntry.c == named[row.document_hash].entry_hash)
            ).one()
            assert entry.statement == document_hash(named[row.document_hash].payload.encode())


@pytest.mark.parametrize("statement", [update(Notice).values(text="x"), delete(Notice)])
def test_a_notice_cannot_be_changed_or_deleted(world: World, statement: Executable) -> None:
    ref = world.lot("NOTICE")
    with pytest.raises(DatabaseError, match="append-only"), world.work("agent") as work:
        work.session.execute(statement)
    with world.view("clerk") as view:
        assert notices.latest(view.session, world.lot_in(view, ref), "tender").text == "欢迎合格投标人参加。"


def test_a_body_holds_no_fractions(world: World) -> None:
    ref = world.lot("NOTICE")
    with pytest.raises(Invalid, match="notice.body.*JSON_PROFILE"), world.work("agent") as work:
        notices.publish(work, world.lot_in(work, ref), "correction", title="x", text="x", body={"place": 1.5})


def test_what_an_agency_may_publish_by_itself(world: World) -> None:
    ref = world.lot("NOTICE")
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        notices.publish(work, world.lot_in(work, ref), "award", title=" ", text=" ")
    assert {fault.where for fault in refusal.value.faults} == {"kind", "title", "text"}
    for username in ("agent2", "buyer", "clerk"):
        with pytest.raises(NotAllowed), world.work(username) as work:
            notices.publish(work, world.lot_in(work, ref), "correction", title="x", text="x")
    draft = world.lot("DRAFTED")
    with pytest.raises(WrongStep, match="lot.not_published"):
        correct(world, draft)
    with world.view("clerk") as view, pytest.raises(NotFound):
        notices.latest(view.session, world.lot_in(view, ref), "award")
