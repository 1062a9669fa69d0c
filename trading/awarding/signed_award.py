"""The ranking by which an award is decided, held against the ranking that was signed and logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from crypto.canonical import parse_time
from crypto.signatures import document_hash
from trading.kernel import signed
from trading.kernel.signed import Difference
from trading.kernel.work import View
from trading.parties import parties
from trading.tendering import signed_terms
from trading.tendering.tenders import Lot

DECISIONS = ("lot.decide", "lot.decide_again")
TAKEN_BACK = ("lot.review_again", "lot.annul")
"""Steps after which no row of an award stands, until the panel proposes again."""


def hash_of(ranking: list[dict[str, Any]]) -> str:
    """What binds a ranking to its record: no signed document else names the prices at which a contract would be made."""
    return document_hash(json.dumps(ranking, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode())


def require(view: View, lot: Lot, row: Any) -> None:
    """Before the award of a lot is published, decided or announced.

    Refuses: Conflict ``signed.differs``, ``signed.altered``, ``signed.missing``."""
    signed.refuse_first(lot.ref, (*signed_terms.differences(view, lot), *differences(view, row)))


def differences(view: View, row: Any) -> Iterator[Difference]:
    """Where the row of an award (``awards.Award``) differs from the ranking and the records of its steps."""
    lot: Lot = row.lot
    found = signed.listed(view, "ranking", tender=lot.tender.ref, lot=lot.no_text)
    if not found:
        yield Difference("award", str(row.id), "ranking_c", "", row.ranking_c, "")
        return
    entry = found[-1]
    if entry.document is None:
        raise signed.missing(lot.ref, "ranking", entry.c)
    yield from signed.compare(row, {"ranking_c": entry.c, "ranking_hash": entry.entry["statement"]}, entry.c)
    if _ranked(row.ranking) != [_known(one) for one in entry.payload["ranking"]]:
        yield Difference("award", str(row.id), "ranking", entry.c)
        return
    for place in row.ranking:
        if parties.party(view.session, place["party_id"]).code != place["bidder"]:
            yield Difference("award", str(row.id), "ranking", entry.c, str(place["party_id"]), place["bidder"])
    yield from _of_records(view, row)


def _ranked(ranking: Any) -> list[tuple[str, int, str]] | None:
    """The ranking as far as it is signed, None for what is none."""
    try:
        return [(one["bidder"], one["rank"], one["total"]) for one in ranking]
    except (KeyError, TypeError):
        return None


def _known(one: dict[str, Any]) -> tuple[str, int, str]:
    return one["bidder"], one["rank"], one["score"] if "score" in one else one["price"]


def decisions(view: View, lot: Lot) -> list[dict[str, Any]]:
    """What the purchaser decided on the ranking that stands, as the records bind it, oldest first: ``{rank, ground, winner, …}``."""
    return [record["facts"] for _entry, record in _since_proposed(view, lot) if record["act"] in DECISIONS]


def _since_proposed(view: View, lot: Lot) -> list[tuple[signed.Proved, dict[str, Any]]]:
    """Records of the ranking that stands: from its proposal on."""
    told = signed.records(view, ("award.propose", *DECISIONS), lot.log_of)
    places = [at for at, (_entry, record) in enumerate(told) if record["act"] == "award.propose"]
    return told[places[-1] :] if places else told


def _of_records(view: View, row: Any) -> Iterator[Difference]:
    """Prices, report and the purchaser's last choice, as the records of those acts bind them."""
    told = _since_proposed(view, row.lot)
    decided = [one for one in told if one[1]["act"] in DECISIONS]
    for entry, record in [one for one in told if one[1]["act"] == "award.propose"] + decided[-1:]:
        facts = record["facts"]
        if record["act"] == "award.propose":
            yield from signed.compare(row, {"report": facts["report"]}, entry.c)
            if "rows_hash" in facts and hash_of(row.ranking) != facts["rows_hash"]:
                yield Difference("award", str(row.id), "ranking", entry.c, "", facts["rows_hash"])
            if parse_time(record["at"]) != row.proposed_at.replace(microsecond=0):
                yield Difference(
                    "award", str(row.id), "proposed_at", entry.c, signed.shown(row.proposed_at), record["at"]
                )
            continue
        chosen = [one for one in row.ranking if one["bidder"] == facts["winner"]]
        wanted = {
            "ground": facts["ground"],
            "winner_party_id": chosen[0]["party_id"] if chosen else None,
            "price_minor": chosen[0]["price_minor"] if chosen else None,
        }
        yield from signed.compare(row, wanted, entry.c)
        if row.decided_at is None or parse_time(record["at"]) != row.decided_at.replace(microsecond=0):
            yield Difference("award", str(row.id), "decided_at", entry.c, signed.shown(row.decided_at), record["at"])
