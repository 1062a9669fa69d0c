"""The declarations of fields: they name what is there, every page can say them, and no notice carries a fact that is not declared."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tests.kit import stages
from tests.kit.world import World
from trading.kernel.errors import Invalid
from trading.procedures import fields
from trading.procedures.field import BY_NOTICE, COUNT, FORM, MONEY, NUMBERS, STATE, TABLE, TEXT, TICK, Field
from trading.tendering import notices, signed_terms
from trading.tendering.projects import Project
from trading.tendering.tenders import COPIED, Lot
from web import words

every = pytest.mark.parametrize("field", fields.FIELDS, ids=lambda one: f"{one.name}-{one.kind}")


@every
def test_a_field_names_what_is_there(field: Field) -> None:
    assert set(field.notices) <= set(notices.KINDS)
    assert field.of or field.notices, "neither of a lot nor in a notice"
    if field.of:
        table, column = field.column
        assert column in {"lot": Lot, "project": Project}[table].__table__.c
    if field.only:
        option = next(one for one in fields.FIELDS if one.name == field.only)
        assert option.kind == TICK or field.only == "ground"
    if field.ask is not None:
        assert field.of == field.name and field.kind in (TEXT, MONEY, COUNT, TICK, NUMBERS)
        assert (field.kind == COUNT) == bool(field.ask.refusal)
        assert not field.ask.refusal or {"least", "most"} <= words.facts_of(words.refusals()[field.ask.refusal]["zh"])


@every
def test_a_field_can_be_said(field: Field) -> None:
    said = (field.label, field.said, field.unsaid, *((field.ask.label, field.ask.hint) if field.ask else ()))
    for one in said:
        assert one is None or (one.zh.strip() and one.en.strip() and words.facts_of(one.zh) == words.facts_of(one.en))
    assert field.kind != TABLE or field.label is None, "the page has a table for it"
    assert field.kind != STATE or any(noun == field.words for noun, _code in words.states())


def test_a_notice_names_no_fact_twice() -> None:
    for kind in notices.KINDS:
        names = [one.name for one in fields.of_notice(kind)]
        assert len(set(names)) == len(names), kind


def test_pages_name_a_fact_as_its_notice_does_and_no_fact_that_it_lacks() -> None:
    assert fields.label("deadline").en == "Bid deadline", "not the entry that a notice of failure names so"
    for name in ("currency", "amount_minor", "no_such_fact"):
        with pytest.raises(KeyError):
            fields.label(name)


def test_every_column_that_can_be_written_is_declared_once() -> None:
    names = [one.name for one in fields.WRITTEN]
    assert len(set(names)) == len(names)
    of_the_engine = {
        *("id", "tender_id", "no", "ref", "state", "version", "predecessor_id", "scheme", "rules", "threshold"),
        *("published_at", "closed_at", "failure", "failure_reason"),
    }
    declared = {one.column[1] for one in fields.FIELDS if one.of and one.column[0] == "lot"}
    assert set(Lot.__table__.c.keys()) == declared | of_the_engine and not declared & of_the_engine
    assert not {one.name for one in fields.WRITTEN if one.kind == MONEY} & set(COPIED)


def test_an_undeclared_fact_is_refused_and_nothing_is_posted(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.view("clock") as view:
        before = [row.id for row in notices.of_lot(view.session, world.lot_in(view, ref))]
    with pytest.raises(Invalid, match="notice.body") as refusal, world.work("clock") as work:
        notices.post(work, world.lot_in(work, ref), "correction", title="x", body={"delivery": "六月"})
    assert refusal.value.facts == {"reason": "UNDECLARED", "detail": "delivery"}
    with world.view("clock") as view:
        assert [row.id for row in notices.of_lot(view.session, world.lot_in(view, ref))] == before


def test_a_field_declared_after_a_notice_went_out_must_be_empty(world: World) -> None:
    """The notice is signed and says nothing of it: a revision gave the column its empty value, and any other is named."""
    with world.view("clock") as view:
        lot = world.lot_in(view, world.lot("BIDDING"))
        body = dict(notices.latest(view.session, lot, "tender").body)
        read = [one for one in fields.of_notice("tender") if one.of and one.proved == BY_NOTICE]
        named = {
            one.name: [
                (found.column, found.stored)
                for found in signed_terms._of_field(one, lot, {k: v for k, v in body.items() if k != one.name}, "c")
            ]
            for one in read
            if one.kind in (TEXT, COUNT, TICK)
        }
    assert named["place"] == [("place", lot.place[:60])] and named["round"] == [("round", "1")]
    assert named["consortium_most"] == named["two_envelopes"] == named["co_opening"] == []


def test_a_published_lot_reads_back_from_its_notice(world: World) -> None:
    """What the notice says of each field is what its column holds; and the audit sees nothing, until a column is another."""
    ref = stages.contracted(world, "GP")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        body: dict[str, Any] = notices.latest(view.session, lot, "tender").body
        read = [one for one in fields.of_notice("tender") if one.of and one.proved == BY_NOTICE and not one.only]
        assert {one.name: one.plain(lot) for one in read} == {one.name: body[one.name] for one in read}
        assert len(read) > 15 and list(signed_terms.differences(view, lot)) == []
        assert (
            view.session.scalar(select(Lot.form).where(Lot.id == lot.id))
            == [one.value(lot) for one in fields.WRITTEN if one.kind == FORM].pop()
        )
