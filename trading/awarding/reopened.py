"""What becomes of an award that does not stand: its winner drops out, or an objection or challenge to the result is upheld (rule B-16;
GPReg art. 49, TReg art. 55, O94 art. 16).

Law of the noun: the next candidate in the order of the ranking, and nobody who was awarded the lot before; or all is void, and procured
anew. What was published is withdrawn by a notice, never unsaid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trading import publication
from trading.awarding import awards, signed_award
from trading.awarding.awards import Award
from trading.kernel import signed
from trading.kernel.access import Act
from trading.kernel.errors import Faults, Invalid, WrongStep
from trading.kernel.work import UnitOfWork, View
from trading.procedures import procedure_of
from trading.remedies import complaints, disputes
from trading.tendering import notices, terms
from trading.tendering.notices import Notice
from trading.tendering.projects import require_tie
from trading.tendering.tenders import LOT_FLOW, Lot


def next_in_order(view: View, row: Award) -> list[dict[str, Any]]:
    """The candidates who may be awarded the lot now: of the best rank left, several where they are equal; () when all have been."""
    passed = {one["winner"] for one in signed_award.decisions(view, row.lot)}
    left = [one for one in row.ranking if one["bidder"] not in passed]
    return [one for one in left if one["rank"] == left[0]["rank"]]


def decide_again(work: UnitOfWork, lot: Lot, *, ground: str, bidder: str = "") -> Award:
    """The purchaser awards the lot to the next candidate: the former winner has given it up, cannot sign or was found to have bid against
    the law, or an upheld objection leads to it. ``bidder``: the one chosen among equals. The agency announces it as it did the first.

    Refuses: NotAllowed, SignInNeeded, WrongStep (also ``award.nobody_left``, ``objection.upheld``), Conflict ``objection.open`` and as
    ``signed_award.require``, Invalid (every field).
    """
    work.require(Act.AWARD_DECIDE)
    require_tie(work, lot.project)
    work.lock(lot)
    LOT_FLOW.check(lot, "decide_again")
    row = awards.award(work.session, lot)
    signed_award.require(work, lot, row)
    law = procedure_of(lot)
    if "decide" in law.remedies.stops:
        disputes.refuse_while_open(work.session, lot, "result")
    complaints.refuse_suspended(work, lot)
    chosen = _chosen(next_in_order(work, row), bidder, ground)
    disputes.settle(work, lot, disputes.NEXT)
    former = next(one for one in row.ranking if one["party_id"] == row.winner_party_id)
    told, facts = row.announced_at is not None, {"rank": chosen["rank"], "winner": chosen["bidder"]}
    LOT_FLOW.take(work, lot, "decide_again", ground=ground.strip(), former=former["bidder"], **facts)
    row.decided_at, row.winner_party_id, row.price_minor = work.now, chosen["party_id"], chosen["price_minor"]
    row.ground = ground.strip()
    row.announced_at = row.announce_by = row.contract_by = row.challenge_until = None
    kept = {name: reason for name, reason in row.reasons.items() if name in ("decide_by", "publicity_until")}
    if law.award.announce is not None:
        due = terms.period(work.session, lot, law.award.announce, work.now)
        row.announce_by, kept["announce_by"] = due.ends_at, due.reason
    row.reasons = kept
    row.version += 1
    work.session.flush()
    work.session.refresh(row)
    if told:
        withdraw_notice(work, lot, "result", ground)
        work.send(
            f"award/{lot.ref}/{former['party_id']}/withdrawn/{row.version}",
            to=f"party:{former['party_id']}",
            template="award.withdrawn",
            lot=lot.ref,
        )
    return row


def _chosen(equals: Sequence[dict[str, Any]], bidder: str, ground: str) -> dict[str, Any]:
    if not equals:
        raise WrongStep("award.nobody_left")
    faults = Faults()
    named = [one for one in equals if one["bidder"] == bidder] if bidder or len(equals) > 1 else list(equals)
    if not named:
        faults.add("bidder", "award.tie_choice", rank=equals[0]["rank"], bidders=[one["bidder"] for one in equals])
    if not ground.strip():
        faults.add("ground", "award.ground_missing", rank=equals[0]["rank"])
    faults.refuse_if_any()
    return named[0]


def annul(work: UnitOfWork, lot: Lot, *, reason: str) -> Notice:
    """The tender is void and procured anew: an upheld objection leads to it, or the winner dropped out and the purchaser takes nobody else.

    Refuses: NotAllowed, SignInNeeded, WrongStep (nobody was awarded yet and nothing is upheld; ``objection.upheld``), Invalid.
    """
    work.require(Act.AWARD_DECIDE)
    require_tie(work, lot.project)
    work.lock(lot)
    LOT_FLOW.check(lot, "annul")
    row = awards.award(work.session, lot)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    upheld = disputes.settle(work, lot, disputes.VOID)
    if upheld is None and row.decided_at is None:
        raise WrongStep("award.nothing_to_annul", ref=lot.ref)
    close(work, lot, row, reason)
    return publication.fail(work, lot, ground="dropped" if upheld is None else "upheld", reason=reason)


def close(work: UnitOfWork, lot: Lot, row: Award, reason: str) -> None:
    """Take an award that does not stand out of the rows; its ranking and its steps stay in the log, and what was published is withdrawn."""
    if row.announced_at is not None:
        withdraw_notice(work, lot, "result", reason)
    if row.publicity_from is not None:
        withdraw_notice(work, lot, "candidates", reason)
    work.session.delete(row)
    work.session.flush()


def withdraw_notice(work: UnitOfWork, lot: Lot, kind: str, reason: str) -> Notice:
    """Tell everybody that the last notice of a kind does not stand, and why."""
    return notices.post(work, lot, "correction", title=lot.title, body={"withdraws": kind}, text=reason.strip())


def is_reopened(view: View, lot: Lot) -> bool:
    """Whether the last ranking of a lot was taken back."""
    told = signed.records(view, ("award.propose", *signed_award.TAKEN_BACK), lot.log_of)
    return bool(told) and told[-1][1]["act"] in signed_award.TAKEN_BACK
