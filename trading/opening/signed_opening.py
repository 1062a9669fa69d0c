"""An opening by its documents: the set, the shares and the list of what was opened, as platform and officers signed them.

Law of the noun: before a set is published, a share taken or a bid opened, everything that decides is held against what was signed, and the
first row that differs stops the act and is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crypto.documents import open_document
from crypto.errors import CryptoError
from crypto.opening import LEFT_SEALED, set_id
from trading.bidding import signed_bids
from trading.custody import officers, signed_policies
from trading.kernel import signed
from trading.kernel.audit import envelope_text
from trading.kernel.errors import Invalid
from trading.kernel.signed import Difference, Proved
from trading.kernel.work import View
from trading.opening import ceremony
from trading.opening.ceremony import OpenedBid, Opening, Share
from trading.tendering import bid_forms, signed_terms
from trading.tendering.tenders import Lot


def require_listed(view: View, lot: Lot) -> None:
    """Before the set is published: terms, policies and officers, every bid and the closing.

    Refuses: Conflict ``signed.differs`` with the first row and the entry it differs from, ``signed.altered``, ``signed.missing``.
    """
    signed.refuse_first(lot.ref, signed_terms.differences(view, lot))
    signed.refuse_first(lot.ref, signed_policies.differences(view, lot))
    for part in officers.bid_envelopes(lot):
        signed.refuse_first(lot.ref, signed_bids.differences(view, lot, part))
        signed.refuse_first(lot.ref, signed_bids.of_closing(view, lot, part))


def require_shared(view: View, row: Opening) -> None:
    """Before a share is taken: policies and officers, the set and the shares so far. Refuses: as ``require_listed``."""
    signed.refuse_first(row.lot.ref, signed_policies.differences(view, row.lot))
    signed.refuse_first(row.lot.ref, differences(view, row))


def require_opened(view: View, row: Opening) -> None:
    """Before bids are decrypted: terms besides, and the bids that the signed set lists. Refuses: as ``require_listed``."""
    signed.refuse_first(row.lot.ref, signed_terms.differences(view, row.lot))
    require_shared(view, row)
    signed.refuse_first(row.lot.ref, signed_bids.of_set(view, row.lot, row.part, row.bids, row.set_c))


def differences(view: View, row: Opening) -> Iterator[Difference]:
    """Where an opening, its shares and its verdicts differ from what was signed. Refuses: as ``require_listed``."""
    found = _entries(view, row)
    entry = found["opening-set"][0] if found["opening-set"] else None
    if entry is None:
        yield Difference("opening", str(row.id), "set_c", "", row.set_c, "")
        return
    yield from _of_set(row, entry)
    yield from _of_left(row, [one for one in found["bid-failed"] if one.entry["reason"] == LEFT_SEALED])
    yield from _of_shares(view, row, found["shares"])
    yield from _of_opened(view, row, found["opened"])


def _entries(view: View, row: Opening) -> dict[str, list[Proved]]:
    found: dict[str, list[Proved]] = {name: [] for name in ("opening-set", "bid-failed", "shares", "opened")}
    lot = row.lot
    for one in signed.listed(view, list(found), tender=lot.tender.ref, lot=lot.no_text, part=row.part):
        if one.document is None:
            raise signed.missing(lot.ref, one.entry["event"], one.c)
        found[one.entry["event"]].append(one)
    return found


def _of_set(row: Opening, entry: Proved) -> Iterator[Difference]:
    told = entry.payload
    wanted = {"opening_set": entry.document, "set_hash": set_id(told), "set_c": entry.c, "bids": told["bids"]}
    yield from signed.compare(row, wanted, entry.c)


def _of_left(row: Opening, found: list[Proved]) -> Iterator[Difference]:
    told = {
        one.payload["header_hash"]: (one.payload["cause"], one.c, one.entry["statement"])
        for one in found
        if one.payload["set"] == row.set_hash
    }
    try:
        held = {name: (one["cause"], one["c"], one["statement"]) for name, one in row.left_sealed.items()}
    except (KeyError, TypeError, AttributeError):
        yield Difference("opening", str(row.id), "left_sealed", row.set_c)
        return
    for name in sorted(set(told) | set(held)):
        if told.get(name) != held.get(name):
            entry = told[name][1] if name in told else ""
            yield Difference("opening", str(row.id), "left_sealed", entry, str(held.get(name)), str(told.get(name)))


def _of_shares(view: View, row: Opening, found: list[Proved]) -> Iterator[Difference]:
    yield from signed.paired("share", ceremony.shares(view.session, row), found, _of_share)


def _of_share(share: Share, one: Proved) -> Iterator[Difference]:
    told = one.payload
    wanted: dict[str, Any] = {
        "j": told["j"],
        "document": envelope_text(one.document),
        "parts": {item["header_hash"]: item["part"] for item in told["items"] if item["part"]},
        "errors": {item["header_hash"]: item["error"] for item in told["items"] if item["error"]},
    }
    yield from signed.compare(share, wanted, one.c)


def _of_opened(view: View, row: Opening, logged: list[Proved]) -> Iterator[Difference]:
    """The verdicts against the opening list: logged once the minutes are signed, before that as the platform signed it."""
    entry = logged[0].c if logged else ""
    if logged:
        yield from signed.compare(row, {"opened": logged[0].document, "opened_c": entry}, entry)
        told = logged[0].payload
    elif row.opened is not None:
        try:
            alone = {**row.opened, "signatures": row.opened["signatures"][:1]}
            told = open_document(alone, "opened", view.office.keys.public)
        except (CryptoError, KeyError, TypeError):
            yield Difference("opening", str(row.id), "opened", row.set_c)
            return
    else:
        told = {"bids": [], "set": row.set_hash}
    if told["set"] != row.set_hash:
        yield Difference("opening", str(row.id), "opened", entry or row.set_c)
        return
    rows = {bid.header_hash: bid for bid in ceremony.opened_bids(view.session, row)}
    if not rows and not told["bids"]:
        return
    form = officers.form_of(row.lot, row.part)
    bidders = {name: bid.bidder for name, bid in signed_bids.accepted(view, row.lot, row.part)[1].items()}
    for item in told["bids"]:
        bid = rows.pop(item["header_hash"], None)
        if bid is None:
            yield Difference("opened_bid", item["header_hash"], "header_hash", entry, "", item["header_hash"])
            continue
        yield from _of_verdict(bid, item, form, entry)
        if bid.lot_id != row.lot_id:
            yield Difference("opened_bid", str(bid.id), "lot_id", entry, str(bid.lot_id), str(row.lot_id))
        if bid.party.code != bidders.get(item["header_hash"]):
            yield Difference("opened_bid", str(bid.id), "party_id", entry)
    for bid in rows.values():
        yield Difference("opened_bid", str(bid.id), "header_hash", entry, bid.header_hash, "")


def _of_verdict(bid: OpenedBid, item: dict[str, Any], form: list[dict[str, Any]], entry: str) -> Iterator[Difference]:
    price, faults = read(form, item["announce"]) if item["verdict"] == "opened" else (None, [])
    wanted = {
        "verdict": item["verdict"],
        "cause": item["cause"],
        "announce": item["announce"],
        "price_minor": price,
        "form_faults": faults,
    }
    yield from signed.compare(bid, wanted, entry)
    held = [one.get("digest") if isinstance(one, dict) else None for one in bid.files]
    if held != [one["digest"] for one in item["files"]]:
        yield Difference("opened_bid", str(bid.id), "files", entry)


def read(form: list[dict[str, Any]], announce: dict[str, str]) -> tuple[int | None, list[dict[str, Any]]]:
    """The price of what a bid announces, and what of its form cannot be read."""
    try:
        return bid_forms.parse(form, announce).price_minor, []
    except Invalid as refusal:
        return None, [{"field": f.where, "code": f.code} for f in refusal.faults]
