"""The terms of a published lot as the log binds them: the tender notice word for word, and what the act of publication says by hash.

Law of the noun: the record of publication names the hash of the notice and of what a notice does not show; regime, method, amounts, words
and criteria of the rows are held against them by whoever decides by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crypto.signatures import document_hash
from trading.kernel import signed
from trading.kernel.clock import parse_moment
from trading.kernel.errors import Conflict
from trading.kernel.signed import Difference, Proved
from trading.kernel.work import View
from trading.procedures import fields
from trading.procedures.field import BY_NOTICE, BY_RECORD, COUNT, DAY, MOMENT, STATE, TEXT, TICK, Field
from trading.tendering.tenders import LOT_FLOW, Lot

BOUND = ("scheme", *fields.columns("lot", BY_RECORD).split(), "rules")
"""What the record of publication binds by hash; lots published before that was so have the criteria alone, by the record that set them."""
OPEN = ("NOTICE", "BIDDING")
_UNSAID = {TEXT: "", STATE: "", DAY: "", COUNT: 0, TICK: False}
_STEPS = tuple(f"lot.{step.name}" for step in LOT_FLOW.steps)
_ACTS = (*_STEPS, "lot.set_scheme", "notice.publish")


def bound(lot: Lot) -> dict[str, str]:
    """The hashes that the record of publication says, of the lot as it is published."""
    return {f"{name}_hash": hash_of(getattr(lot, name)) for name in BOUND}


def hash_of(value: Any) -> str:
    return document_hash({"value": value})


@dataclass(frozen=True)
class LotHistory:
    """What the log says of a lot: ``steps`` of its flow, ``notices`` by kind, oldest first, ``scheme`` as last set."""

    steps: list[tuple[Proved, dict[str, Any]]]
    notices: dict[str, list[tuple[Proved, dict[str, Any]]]]
    scheme: tuple[Proved, str] | None

    @property
    def published(self) -> tuple[Proved, dict[str, Any]] | None:
        return next(((entry, one) for entry, one in self.steps if one["act"] == "lot.publish"), None)


def history(view: View, lot: Lot) -> LotHistory:
    """Refuses: Conflict ``signed.altered``, ``signed.missing`` (a document that a record names is not there)."""
    steps: list[tuple[Proved, dict[str, Any]]] = []
    found: dict[str, list[tuple[Proved, dict[str, Any]]]] = {}
    scheme = None
    for entry, record in signed.records(view, _ACTS, lot.log_of):
        facts = record["facts"]
        if record["act"] == "lot.set_scheme":
            scheme = (entry, str(facts["scheme"]))
        elif record["act"] == "notice.publish":
            document = signed.kept(view.session, facts["document"])
            if document is None:
                raise signed.missing(lot.ref, f"notice {facts['kind']} {facts['version']}", entry.c)
            found.setdefault(facts["kind"], []).append((entry, document))
        else:
            steps.append((entry, record))
    return LotHistory(steps, found, scheme)


def differences(view: View, lot: Lot, said: LotHistory | None = None) -> Iterator[Difference]:
    """Where lot, tender and project differ from the notice and the record of publication. Nothing is said of a lot that is not published.

    Refuses: as ``history``."""
    if not signed.listed(view, "published", tender=lot.tender.ref, lot=lot.no_text):
        if lot.published_at is not None:
            yield Difference("lot", str(lot.id), "published_at", "", signed.shown(lot.published_at), "")
        return
    said = said or history(view, lot)
    if said.published is None or "tender" not in said.notices:
        raise signed.missing(lot.ref, "the record of publication and its notice")
    yield from _of_notice(lot, *said.notices["tender"][0])
    yield from _of_record(lot, said)
    entry, step = said.steps[-1]
    yield from signed.compare(lot, {"state": step["facts"]["after"]}, entry.c)


def takes_bids(view: View, lot_id: int) -> bool:
    """Whether a lot takes bids by what is signed, the deadline apart: its documents were out by now, and no step has ended it.

    Asked where its row says no; what was altered says no too."""
    lot = view.session.get_one(Lot, lot_id)
    try:
        said = history(view, lot)
    except Conflict:
        return False
    if not said.steps or "tender" not in said.notices:
        return False
    if said.steps[-1][1]["facts"]["after"] not in OPEN:
        return False
    return view.span.last >= parse_moment(said.notices["tender"][0][1]["body"]["issue_at"])


def _of_notice(lot: Lot, entry: Proved, notice: dict[str, Any]) -> Iterator[Difference]:
    body = notice["body"]
    for field in fields.of_notice("tender"):
        if field.proved == BY_NOTICE and field.of:
            yield from _of_field(field, lot, body, entry.c)
    yield from signed.compare(lot, {"published_at": parse_moment(notice["at"])}, entry.c)
    title = lot.tender.title + (f" · {lot.title}" if lot.title != lot.tender.title else "")
    if title.strip()[:300] != notice["title"]:
        yield Difference("lot", str(lot.id), "title", entry.c, title[:60], notice["title"][:60])


def _of_field(field: Field, lot: Lot, body: Mapping[str, Any], entry: str) -> Iterator[Difference]:
    """Where the column of a field is not what the notice says. What it says nothing of is off or empty: an option that was not chosen, a
    field that was declared after the notice went out."""
    if field.name == "clarify_until" and lot.clarify_until is None and body.get(field.name) == body["deadline"]:
        return  # none was set: questions until the deadline
    said = body.get(field.name, _UNSAID.get(field.kind))
    held = field.value(lot) if field.kind == MOMENT else field.plain(lot)
    if held != field.read_back(said):
        table, column = field.column
        row = lot.project if table == "project" else lot
        yield Difference(table, str(row.id), column, entry, signed.shown(held), signed.shown(said))


def _of_record(lot: Lot, said: LotHistory) -> Iterator[Difference]:
    assert said.published is not None
    entry, record = said.published
    facts = record["facts"]
    for name in BOUND:
        if f"{name}_hash" in facts and hash_of(getattr(lot, name)) != facts[f"{name}_hash"]:
            yield Difference("lot", str(lot.id), name, entry.c, "", facts[f"{name}_hash"])
    if "scheme_hash" not in facts and said.scheme is not None and lot.scheme is not None:
        if document_hash(lot.scheme) != said.scheme[1]:
            yield Difference("lot", str(lot.id), "scheme", said.scheme[0].c, "", said.scheme[1])
