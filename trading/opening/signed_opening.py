"""An opening by its documents: the set, the shares and the list of what was opened, as platform and officers signed them.

Law of the noun: before a set is published, a share taken or a bid opened, everything that decides is held against what was signed, and the
first row that differs stops the act and is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crypto.canonical import dumps, parse_time
from crypto.documents import open_document
from crypto.errors import CryptoError
from crypto.opening import LEFT_SEALED, set_id
from trading.bidding import participants, signed_bids
from trading.custody import officers, signed_policies
from trading.kernel import audit, signed
from trading.kernel.audit import envelope_text
from trading.kernel.clock import floor_second
from trading.kernel.errors import Invalid
from trading.kernel.signed import Difference, Proved
from trading.kernel.work import View
from trading.opening import ceremony, rulings
from trading.opening.ceremony import CONFIRM, OpenedBid, Opening, Share
from trading.tendering import bid_forms, signed_terms
from trading.tendering.tenders import Lot


def require_listed(view: View, lot: Lot) -> None:
    """Before the set is published: terms, policies and officers, who has left, every bid and the closing.

    Refuses: Conflict ``signed.differs`` with the first row and the entry it differs from, ``signed.altered``, ``signed.missing``.
    """
    signed.refuse_first(lot.ref, signed_terms.differences(view, lot))
    signed.refuse_first(lot.ref, signed_policies.differences(view, lot))
    signed.refuse_first(lot.ref, participants.of_leaving(view, lot))
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


def require_signable(view: View, row: Opening) -> None:
    """Before the opening list is countersigned, the minutes are signed and the record is published: officers with their keys, the list and
    each verdict of it, what bidders said, what the host ruled. Refuses: as ``require_listed``."""
    require_shared(view, row)
    signed.refuse_first(row.lot.ref, of_remarks(view, row))
    signed.refuse_first(row.lot.ref, of_rulings(view, row))


def of_remarks(view: View, row: Opening) -> Iterator[Difference]:
    """Confirmations and objections of bidders, and the host's answers, against their records; records of before they bound the words
    count one for one."""
    left = list(ceremony.remarks(view.session, row))
    answers = []
    for entry, record in signed.records(
        view, ("opening.confirm", "opening.objection", "opening.answer"), row.lot.log_of
    ):
        if record["facts"].get("envelope", row.part) != row.part:
            continue
        if record["act"] == "opening.answer":
            answers.append((entry, record))
            continue
        kind = record["act"].removeprefix("opening.")
        held = next((one for one in left if one.kind == kind and _binds(record, ceremony.words_of(one))), None)
        if held is None:
            yield Difference("opening_remark", entry.c, "text", entry.c)
        else:
            left.remove(held)
    for one in left:
        yield Difference("opening_remark", str(one.id), "kind", "", one.kind, "")
    for one in ceremony.remarks(view.session, row):
        found = next((some for some in answers if _binds(some[1], ceremony.answer_of(one))), None)
        if (found is None) != (one.answered_at is None):
            yield Difference("opening_remark", str(one.id), "answer", "", one.answer, "")
        if found is not None:
            answers.remove(found)
    for entry, _record in answers:
        yield Difference("opening_remark", entry.c, "answer", entry.c)


def _binds(record: dict[str, Any], values: dict[str, str]) -> bool:
    """Whether a record holds these hidden values; one of before it bound any does."""
    return not audit.differing(dumps(record).decode(), "bound", values)


def of_rulings(view: View, row: Opening) -> Iterator[Difference]:
    """The host's rulings against their records."""
    rows = rulings.of_opening(view.session, row.id)
    mine = {item["header_hash"] for item in row.bids}
    for entry, record in signed.records(view, ("opening.rule",), row.lot.log_of):
        facts = record["facts"]
        if facts["header_hash"] not in mine:
            continue
        held = rows.pop(facts["header_hash"], None)
        if held is None:
            yield Difference("ruling", entry.c, "header_hash", entry.c, "", facts["header_hash"])
            continue
        yield from signed.compare(held, {"cause": facts["cause"], "reasons": facts["reasons"]}, entry.c)
    for one in rows.values():
        yield Difference("ruling", str(one.id), "header_hash", "", one.header_hash, "")


def differences(view: View, row: Opening) -> Iterator[Difference]:
    """Where an opening, its shares and its verdicts differ from what was signed. Refuses: as ``require_listed``."""
    found = _entries(view, row)
    entry = found["opening-set"][0] if found["opening-set"] else None
    if entry is None:
        yield Difference("opening", str(row.id), "set_c", "", row.set_c, "")
        return
    yield from _of_set(row, entry)
    yield from of_windows(view, row)
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
    if floor_second(row.listed_at) != parse_time(told["at"]):
        yield Difference("opening", str(row.id), "listed_at", entry.c, signed.shown(row.listed_at), told["at"])


def of_windows(view: View, row: Opening) -> Iterator[Difference]:
    """The moments from which and until which shares are taken, and so until which bidders give their own parts, against the records that
    set them; of an opening whose record names none nothing is said."""
    told: dict[str, Any] = {}
    entry = ""
    for one, record in signed.records(view, ("opening.list", "claim.settle", "opening.extend"), row.lot.log_of):
        facts = record["facts"]
        if facts.get("envelope") != row.part or (not told and "shares_from" not in facts):
            continue
        entry = one.c
        if "shares_from" in facts:
            told = {name: parse_time(facts[name]) for name in ("shares_from", "shares_until")}
        else:
            told["shares_until"] = parse_time(facts["until"])
    yield from signed.compare(row, told, entry)


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
    until = parse_time(told["at"]) + CONFIRM if "at" in told else None
    if (floor_second(row.confirm_until) if row.confirm_until is not None else None) != until:
        yield Difference(
            "opening",
            str(row.id),
            "confirm_until",
            entry or row.set_c,
            signed.shown(row.confirm_until),
            signed.shown(until),
        )
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
