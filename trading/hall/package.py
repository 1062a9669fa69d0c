"""What the hall hands to an officer's client at an opening, taken from the database: the opening of bids, the escrow opening of a draw,
and the kit the tenderee draws with (protocol §5 step 2, §6).

Everything up to the closing is proved under the closing tick's own checkpoint, so that one cosignature speaks for it all; what came later
is joined to it by a consistency proof. Bytes of bids are never in a package, headers only once the set is published.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from crypto.canonical import b64u, loads
from crypto.signatures import payload_of
from trading.bidding import bids, closing, late_close, tickets
from trading.custody import officers
from trading.custody.officers import Policy
from trading.draws import TENDEREE, Draw, policy_of
from trading.kernel import audit, log
from trading.kernel.access import Act, Role
from trading.kernel.errors import NotFound, WrongStep
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import View
from trading.opening import ceremony
from trading.opening.files import DRAW, OPENING, to_files
from trading.tendering.tenders import Lot

ACCEPTED = ("bid-received", "bid-replaced", "bid-withdrawn")


def package(view: View, lot: Lot, part: str = officers.BID) -> dict[str, Any]:
    """The package of an opening (``opening.files.read_package`` reads it), for an officer of the lot or the host's backup.

    Refuses: NotAllowed (neither host nor an officer of this lot), NotFound ``opening.not_yet``, ``closing.not_yet``.
    """
    officer = _asking(view, lot, Act.SHARE_RELEASE)
    session = view.session
    row = ceremony.opening(session, lot, part)
    closed = closing.closing(session, lot, part)
    size = closed.tick + 1
    chain = officers.policy_rows(session, lot, part)
    known = audit.entries(session, [*_logged(chain), closed.deadline_c, *closed.entries["entries"]])
    accepted = [entry.statement for c in closed.entries["entries"] if (entry := known[c]).event in ACCEPTED]
    documents = audit.documents(session, accepted)
    statements = [documents[statement] for statement in accepted]
    bidders = {str(loads(payload_of(envelope))["bidder"]) for envelope in statements}
    proofs = log.proofs(session, [closed.deadline_c, *_logged(chain), *closed.entries["entries"]], size=size)
    value: dict[str, Any] = {
        "type": OPENING,
        "v": 1,
        "platform": view.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "envelope": part,
        "officer": officer,
        "trust": tickets.trust(view),
        "policies": [json.loads(policy.dsse or "") for policy in chain],
        "policy_receipts": [tickets.receipt_of(known[c], proofs) for c in _logged(chain)],
        "deadline": audit.document(session, closed.document),
        "deadline_receipt": tickets.receipt_of(known[closed.deadline_c], proofs),
        "entry_list": closed.entries,
        "entries": [tickets.receipt_of(known[c], proofs) for c in closed.entries["entries"]],
        "statements": statements,
        "opening_set": row.opening_set,
        "headers": [bid.header for bid in _in_set(session, row)],
        "enrolments": tickets.enrolments_of(session, _kids(chain), bidders, size),
        "consistency": [],
    }
    if row.left_sealed:
        value["left_sealed"] = [_left_sealed(session, one) for _, one in sorted(row.left_sealed.items())]
    if closed.tick:
        value["before_closing"] = _leaf(session, closed.tick - 1, size)
    later = [("opening_set_receipt", row.set_c)]
    if (confirmed := late_close.find(session, lot, part)) is not None:
        value["late_close"] = audit.document(session, confirmed.statement)
        later.append(("late_close_receipt", confirmed.c))
    _add_later(session, value, later, size)
    return value


def package_zip(value: dict[str, Any]) -> bytes:
    """A package as a ZIP: stored, names sorted, no times, so that the same package gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in to_files(value).items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def _in_set(session: Session, row: ceremony.Opening) -> list[bids.SealedBid]:
    """The bids of the set that are to be opened, in its order; what was withdrawn or replaced is outside it, what stays sealed is not to be
    opened, and no header of either is ever handed out."""
    by_hash = {bid.header_hash: bid for bid in bids.standing_bids(session, row.lot, row.part)}
    return [by_hash[item["header_hash"]] for item in row.bids if item["header_hash"] not in row.left_sealed]


def _left_sealed(session: Session, told: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"document": audit.document(session, told["statement"])}
    receipt = _newest(session, told["c"])
    return found | ({"receipt": receipt} if "proof" in receipt else {})


# --- draws ----------------------------------------------------------------------------------------------------------------


def escrow_package(view: View, draw: Draw) -> dict[str, Any]:
    """The package of a draw's escrow opening, for an officer of the lot: what ``draws.release_escrow`` takes shares of.

    Refuses: NotAllowed, WrongStep ``draw.wrong_step`` unless the commit list is signed and nothing is drawn yet.
    """
    serial = int(officers.policy_document(policy_of(view.session, draw))["serial"])
    officer = _asking(view, draw.lot, Act.SHARE_RELEASE, serial)
    if draw.state != "LISTED" or draw.list_c is None or draw.listing is None:
        raise WrongStep("draw.wrong_step", state=draw.state, from_states=["LISTED"])
    session = view.session
    turns = {turn.party: turn for turn in draw.turns}
    ordered = [turns[name] for name in draw.notice["parties"]]
    value = _draw_head(view, draw)
    value |= {
        "type": DRAW,
        "officer": officer,
        "listing": draw.listing,
        "listing_receipt": _newest(session, draw.list_c),
        "commits": [audit.document(session, audit.entry(session, turn.commit_c).statement) for turn in ordered],
        "commit_receipts": [_newest(session, turn.commit_c) for turn in ordered],
        "headers": [turn.header for turn in ordered],
    }
    chain = _policies(session, draw)
    firm = draw.lot.project.purchaser.code
    value["enrolments"] = tickets.enrolments_of(session, _kids(chain), set(), log.size(view), tenderee=firm)
    return value


def draw_kit(view: View, draw: Draw) -> dict[str, Any]:
    """What the tenderee's client needs to take part: the notice with its proof, the draw's policy, and, once there, the commit list.

    Refuses: NotAllowed, NotFound ``draw.unknown`` for another's draw.
    """
    view.require(Act.DRAW_TAKE_PART)
    if view.actor.party_id != draw.lot.project.purchaser_id:
        raise NotFound("draw.unknown", label=draw.label)
    value = _draw_head(view, draw)
    value |= {"type": "bidhall-draw", "party": TENDEREE, "state": draw.state}
    if draw.listing is not None:
        value["listing"] = draw.listing
        value["commit_receipts"] = [_newest(view.session, turn.commit_c) for turn in draw.turns]
    return value


def _draw_head(view: View, draw: Draw) -> dict[str, Any]:
    session, lot = view.session, draw.lot
    part = officers.draw_envelope(draw.label, lot)
    chain = _policies(session, draw)
    notice = audit.document(session, audit.entry(session, draw.notice_c).statement)
    return {
        "v": 1,
        "platform": view.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "envelope": part,
        "draw": draw.draw,
        "trust": tickets.trust(view),
        "policies": [json.loads(policy.dsse or "") for policy in chain],
        "policy_receipts": [_newest(session, c) for c in _logged(chain)],
        "notice": notice,
        "notice_receipt": _newest(session, draw.notice_c),
    }


# --- pieces ---------------------------------------------------------------------------------------------------------------


def _asking(view: View, lot: Lot, act: Act, serial: int | None = None) -> dict[str, Any] | None:
    """Who asks: an officer of this lot (of one serial, where a draw had begun), or the host, who may take a backup. Refuses: NotAllowed."""
    if view.actor.role is Role.HOST:
        view.require(Act.OPENING_HOST)
        return None
    view.require(act)
    seat = officers.own_seat(view, lot, serial=serial)
    return {"name": seat.account.username, "j": seat.j, "side": seat.side}


def _policies(session: Session, draw: Draw) -> list[Policy]:
    """The line of a draw's envelope up to the policy its notice names: what superseded that one later binds other draws."""
    line = officers.policy_rows(session, draw.lot, officers.draw_envelope(draw.label, draw.lot))
    named = [row.policy_id for row in line].index(draw.notice["policy"])
    return line[: named + 1]


def _logged(chain: Sequence[Policy]) -> list[str]:
    return [policy.log_c for policy in chain if policy.log_c is not None]


def _kids(chain: Iterable[Policy]) -> set[str]:
    return {officer["sign_kid"] for policy in chain for officer in officers.policy_document(policy)["officers"]}


def _newest(session: Session, c: str) -> dict[str, Any]:
    """The receipt of an entry under the newest checkpoint, without proof while its tick is not sealed."""
    found: dict[str, Any] = {"entry": json.loads(audit.entry(session, c).envelope)}
    if (proof := log.proof(session, c)) is not None:
        found["proof"] = proof
    return found


def _leaf(session: Session, tick: int, size: int) -> dict[str, Any]:
    row = session.get(LogTick, tick)
    assert row is not None
    return {"leaf": json.loads(row.leaf), "tlog": log.tlog_proof(session, tick, size=size)}


def _add_later(session: Session, value: dict[str, Any], named: list[tuple[str, str]], size: int) -> None:
    """Receipts of what was logged after the closing, and the proof that their checkpoint continues the closing one."""
    for name, c in named:
        found = _newest(session, c)
        if "proof" in found:
            value[name] = found
    last = log.last_tick(session)
    if last is not None and last.tick + 1 > size and any(name in value for name, _ in named):
        proof = log.consistency_proof(session, size, last.tick + 1)
        value["consistency"] = [{"from": size, "to": last.tick + 1, "proof": [b64u(item) for item in proof]}]
