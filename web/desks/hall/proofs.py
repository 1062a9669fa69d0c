"""The entries of the public log about an opening, for the hall and for anybody who checks."""

from __future__ import annotations

import json
from typing import Any

from trading.bidding import closing, late_close
from trading.custody import officers
from trading.kernel import audit, log
from trading.kernel.work import View
from trading.opening import ceremony, findings, rescue
from trading.opening.ceremony import Opening
from trading.tendering.tenders import Lot
from web.desks.hall.lines import ProofLine


def proof_lines(view: View, lot: Lot, row: Opening, posted: dict[int, ceremony.Share]) -> tuple[ProofLine, ...]:
    """The public entries of this opening: policy, deadline, set, shares, opening list."""
    seats = {seat.j: seat.account.name for seat in officers.seats(view.session, lot)}
    policy = officers.find_policy(view.session, lot, row.part)
    closed = closing.find(view.session, lot, row.part)
    found = findings.of_opening(view.session, row)
    lost = {bid.header_hash: bid.party.name for _, bid, _ in findings.lost(view.session, lot)} if found else {}
    named = [
        (policy.log_c if policy else None, ""),
        (closed.deadline_c if closed else None, ""),
        (row.set_c, ""),
        *[(share.c, seats[j]) for j, share in posted.items()],
        *[(one.c, one.party.name) for one in rescue.failures(view.session, row)],
        *[(one.c, "") for one in found if one.code != findings.LOST],
        (row.opened_c, ""),
        *[(one.c, lost.get(one.header_hash, "")) for one in found if one.code == findings.LOST],
    ]
    if (confirmed := late_close.find(view.session, lot, row.part)) is not None:
        named.insert(2, (confirmed.c, ""))
    logged = [(c, who) for c, who in named if c is not None]
    names = [c for c, _ in logged]
    entries, sealed = audit.entries(view.session, names), log.seats(view.session, names)
    return tuple(
        ProofLine(entries[c].event, c, entries[c].at, sealed[c].at if c in sealed else None, who) for c, who in logged
    )


def public_entries(view: View, lot: Lot) -> list[dict[str, Any]]:
    """Receipts of the public entries with the proofs there are, for anybody who checks. Nothing before the set is published."""
    row = ceremony.current(view.session, lot)
    if row is None:
        return []
    lines = proof_lines(view, lot, row, {share.j: share for share in ceremony.shares(view.session, row)})
    names = [line.c for line in lines]
    entries, proofs = audit.entries(view.session, names), log.proofs(view.session, names)
    found = []
    for line in lines:
        entry = entries[line.c]
        receipt: dict[str, Any] = {"entry": json.loads(entry.envelope)}
        if line.c in proofs:
            receipt["proof"] = proofs[line.c]
        found.append(
            {"event": line.event, "c": line.c, "who": line.who, "statement": entry.statement, "receipt": receipt}
        )
    return found
