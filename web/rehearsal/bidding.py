"""Bidders over HTTP: keys, taking part, questions, sealing on their own machine, resumable upload, submission, replacement, withdrawal."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crypto import receipts, sealed_bid, signatures
from crypto.canonical import loads
from crypto.documents import open_document, sign_document
from crypto.signatures import document_hash, payload_of
from crypto.submissions import make_submission, make_withdrawal
from crypto.trust import Trust, trust_of
from trading.kernel.clock import floor_second, write_moment
from web.rehearsal.browser import Answer
from web.rehearsal.cast import Person
from web.rehearsal.server import Stage

TOOL = "bidhall-rehearsal/1"
PART = 256 * 1024


@dataclass
class Bid:
    """What a bidder keeps: the sealed bytes, the signed statement and its hash, the receipt."""

    data: bytes = field(repr=False)
    submission: dict[str, Any]
    statement: str
    header_hash: str
    token: str = ""
    receipt: dict[str, Any] = field(default_factory=dict)
    c: str = ""


def take_part(bidder: Person, ref: str) -> Answer:
    return bidder.at().send(f"/bidder/lots/{ref}", f"/bidder/lots/{ref}/acts/take-part")


def ticket_of(bidder: Person, ref: str) -> tuple[dict[str, Any], Trust]:
    """The lot's ticket, its signature proved by the platform key it names, and whom it says to trust."""
    envelope = bidder.at().json(f"/lots/{ref}/ticket.json")
    claimed = loads(payload_of(envelope))
    trust = trust_of(claimed["trust"])
    ticket: dict[str, Any] = open_document(envelope, "ticket", trust.platform_keys[0])
    return ticket, trust


def seal(
    scene: Stage, bidder: Person, ref: str, form: Mapping[str, str], files: Mapping[str, bytes], *, replaces: str = ""
) -> Bid:
    """Seal form and files under the policy of the ticket, and sign the submission: all on the bidder's own machine."""
    ticket, _trust = ticket_of(bidder, ref)
    policy = loads(payload_of(signatures.from_text(ticket["policy"])))
    out = io.BytesIO()
    items = [sealed_bid.FileIn(name, len(data), io.BytesIO(data), "application/pdf") for name, data in files.items()]
    sealed = sealed_bid.seal(policy, bidder=bidder.code, announce=dict(form), files=items, out=out)
    document = make_submission(sealed, sealed_at=write_moment(floor_second(scene.now)), tool=TOOL, replaces=replaces)
    submission = sign_document("submission", document, bidder.keys.sign)
    return Bid(out.getvalue(), submission, document_hash(document), document["header_hash"])


def upload(bidder: Person, ref: str, data: bytes, *, stop_after: int | None = None) -> str:
    """Announce and send, a small bid in one request, as the page does it, others in parts; with ``stop_after`` the line is cut there and
    the upload taken up again from what had arrived."""
    at = bidder.at()
    meta = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("lot", ref), ("envelope", "bid")))
    whole = stop_after is None and len(data) <= PART
    made = at.raw(
        "POST",
        "/uploads/acts",
        data if whole else b"",
        {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(data)),
            "Upload-Metadata": meta,
            **({"Content-Type": "application/offset+octet-stream"} if whole else {}),
        },
    )
    if made.status != 201:
        raise ValueError(f"upload refused: {made.status} {made.code}")
    where = made.headers["location"]
    at_byte, cut = int(made.headers["upload-offset"]), stop_after
    while at_byte < len(data):
        part = data[at_byte : at_byte + PART]
        if cut is not None:
            part, cut = part[:cut], None
        sent = at.raw(
            "PATCH",
            where,
            part,
            {
                "Tus-Resumable": "1.0.0",
                "Upload-Offset": str(at_byte),
                "Content-Type": "application/offset+octet-stream",
            },
        )
        if sent.status != 204:
            raise ValueError(f"upload refused: {sent.status} {sent.text_of(300)}")
        there = at.raw("HEAD", where, None, {"Tus-Resumable": "1.0.0"})
        at_byte = int(there.headers["upload-offset"])
    return where.rsplit("/", 1)[1]


def submit(bidder: Person, ref: str, bid: Bid) -> dict[str, Any]:
    """Hand the upload in; the page's answer with the signed receipt, accepted or not."""
    answer = bidder.at().post(
        f"/bidder/lots/{ref}",
        f"/bidder/lots/{ref}/acts/submit",
        {"upload": bid.token, "submission": json.dumps(bid.submission)},
        accept="application/json",
    )
    found: dict[str, Any] = answer.json
    bid.receipt, bid.c = found["receipt"], found["c"]
    return found


def hand_in(
    scene: Stage,
    bidder: Person,
    ref: str,
    form: Mapping[str, str],
    files: Mapping[str, bytes],
    *,
    replaces: str = "",
    stop_after: int | None = None,
) -> Bid:
    """Seal, upload, submit; the receipt is proved on the bidder's side before anything is believed."""
    bid = seal(scene, bidder, ref, form, files, replaces=replaces)
    bid.token = upload(bidder, ref, bid.data, stop_after=stop_after)
    found = submit(bidder, ref, bid)
    if not found["accepted"]:
        raise ValueError(f"refused: {found['reason']}")
    prove(bidder, ref, bid)
    return bid


def prove(bidder: Person, ref: str, bid: Bid) -> receipts.Receipt:
    """The receipt as an outsider checks it: signature, statement, and its tick as soon as there is one."""
    _ticket, trust = ticket_of(bidder, ref)
    document = bidder.at().json(f"/bidder/receipts/{bid.c}.json")
    proved = receipts.verify_receipt(document, trust.platform_keys, trust.log_key)
    if proved.entry["statement"] != bid.statement:
        raise ValueError("a receipt of something else")
    bid.receipt = document
    return proved


def withdraw(scene: Stage, bidder: Person, ref: str, bid: Bid) -> dict[str, Any]:
    """A signed withdrawal (撤回) of the standing bid."""
    document = make_withdrawal(loads(payload_of(bid.submission)), at=write_moment(floor_second(scene.now)))
    signed = sign_document("withdrawal", document, bidder.keys.sign)
    answer = bidder.at().post(
        f"/bidder/lots/{ref}",
        f"/bidder/lots/{ref}/acts/withdraw",
        {"withdrawal": json.dumps(signed)},
        accept="application/json",
    )
    found: dict[str, Any] = answer.json
    return found


def ask(bidder: Person, ref: str, question: str) -> Answer:
    return bidder.at().post(f"/bidder/lots/{ref}", f"/bidder/lots/{ref}/acts/ask", {"question": question})
