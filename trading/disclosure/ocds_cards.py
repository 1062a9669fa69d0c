"""Published lots as cards for ``ocds.release``: one release a lot, of what is public by now (see ocds.py for what a card holds).

Law of the noun: bidders stand in a card only once the opening is closed, so no release before it tells who bid or how many.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from trading.awarding import awards, contracts
from trading.disclosure import ocds
from trading.kernel.access import PUBLIC
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import Office, View
from trading.opening import ceremony
from trading.parties.parties import Party
from trading.procedures.fields import FIELDS
from trading.tendering import documents, notices
from trading.tendering.tenders import Lot

PREFIX = "ocds-bidhall"
_STATUS = {"opened": "valid"}
_DOCUMENTS = {"tender_document": "biddingDocuments", "amendment": "biddingDocuments"}


def package(office: Office, ref: str | None, *, records: bool) -> tuple[str, int]:
    """(text of a release or record package, number of releases). Refuses: NotFound for an unpublished lot, Invalid by the schema."""
    with office.view(PUBLIC) as view:
        query = select(Lot).where(Lot.published_at.is_not(None)).order_by(Lot.id)
        lots = list(view.session.scalars(query.where(Lot.ref == ref) if ref else query))
        if ref and not lots:
            raise NotFound("lot.unknown", ref=ref)
        releases = [ocds.release(card(view, lot), prefix=PREFIX) for lot in lots]
        build = ocds.record_package if records else ocds.release_package
        made = build(releases, uri=f"https://{office.platform}/ocds", publisher=office.platform, published_at=view.now)
    ocds.validate(made)
    return ocds.written(made) + "\n", len(releases)


def card(view: View, lot: Lot) -> dict[str, Any]:
    """What is public of a published lot now."""
    session, project = view.session, lot.project
    row, found = ceremony.find(session, lot), awards.find(session, lot)
    shown = row is not None and row.state == "CLOSED"
    made: dict[str, Any] = {
        "ref": lot.ref,
        "date": view.now,
        "tag": ["tender"],
        "title": lot.title,
        "state": lot.state,
        "method": project.method,
        "category": project.category,
        "regime": project.regime,
        "currency": lot.currency,
        "purchaser": _party(project.purchaser),
        "agency": _party(project.agency) if project.agency else None,
        "project": {"id": project.ref, "title": project.name},
        **{one.name: _known(one.value(lot)) for one in FIELDS if one.ocds},
        "tender_start": lot.published_at,
        "documents": _documents(view, lot),
    }
    if shown and row is not None:
        bids = ceremony.opened_bids(session, row)
        made |= {
            "tenderers": [_party(bid.party) for bid in bids],
            "bids": [_bid(bid, row.opened_at, lot.currency) for bid in bids],
        }
    if (
        found is not None
        and found.announced_at is not None
        and found.winner is not None
        and found.price_minor is not None
    ):
        price = Money(found.price_minor, lot.currency).decimal
        made["tag"].append("award")
        made["awards"] = [
            {
                "id": f"{lot.ref}-award",
                "date": found.announced_at,
                "status": "active",
                "amount": price,
                "suppliers": [_party(found.winner)],
            }
        ]
        made |= _contract(view, lot)
        made["tag"] += ["contract"] if "contracts" in made else []
    return made


def _known(value: Any) -> Any:
    """A value of a lot for a card; None for an empty text."""
    return value.decimal if isinstance(value, Money) else value or None


def _contract(view: View, lot: Lot) -> Mapping[str, Any]:
    row = contracts.find(view.session, lot)
    if row is None or row.published_at is None:
        return {}
    return {
        "contracts": [
            {
                "id": row.number,
                "award_id": f"{lot.ref}-award",
                "status": "active",
                "date": row.signed_at,
                "amount": Money(row.amount_minor, lot.currency).decimal,
            }
        ]
    }


def _bid(bid: ceremony.OpenedBid, opened_at: datetime | None, currency: str) -> dict[str, Any]:
    amount = None if bid.price_minor is None else Money(bid.price_minor, currency).decimal
    return {
        "id": bid.header_hash,
        "date": opened_at,
        "status": _STATUS.get(bid.verdict, "invalid"),
        "tenderer": _party(bid.party),
        "amount": amount,
    }


def _party(party: Party) -> dict[str, Any]:
    return {"id": party.code, "name": party.name, "code": party.code, "region": party.region or None}


def _documents(view: View, lot: Lot) -> list[dict[str, Any]]:
    found = [
        {
            "id": f"{lot.ref}-{notice.kind}-{notice.version}",
            "type": "tenderNotice" if notice.kind == "tender" else None,
            "title": notice.title,
            "date": notice.published_at,
        }
        for notice in notices.of_lot(view.session, lot)
    ]
    files = [
        {"id": file.sha256, "type": _DOCUMENTS.get(file.kind), "title": file.name, "date": file.added_at}
        for file in documents.standing(view.session, lot)
        if file.published
    ]
    return found + [one for one in files if one["id"] not in {held["id"] for held in found}]
