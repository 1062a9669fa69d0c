"""The panel reviews again after it has signed: an upheld challenge or objection leads to it (rule E-33; O87 art. 64, GPReg art. 44).

Law of the noun: the panel that signed does it, in a new round in which each member commits anew; what was concluded before stays on
record, and its award does not stand.
"""

from __future__ import annotations

from evaluation.panels import panels
from evaluation.panels.panels import PANEL_FLOW
from trading.awarding import awards, reopened
from trading.kernel.access import Act
from trading.kernel.errors import Invalid, WrongStep
from trading.kernel.work import UnitOfWork
from trading.opening import technical
from trading.remedies import disputes
from trading.remedies.disputes import Objection
from trading.tendering.projects import require_tie
from trading.tendering.tenders import LOT_FLOW, Lot


def review_again(work: UnitOfWork, lot: Lot, *, reason: str) -> Objection:
    """Purchaser or agency have the panel review again, as the answer to an upheld objection said. Its members are told; what was published
    of the award is withdrawn.

    Refuses: NotAllowed, WrongStep (``award.not_upheld``, ``objection.upheld``), NotFound, Conflict ``technical.fixed`` (of two envelopes:
    the prices are known), Invalid.
    """
    work.require(Act.OBJECTION_ANSWER)
    require_tie(work, lot.project)
    work.lock(lot)
    LOT_FLOW.check(lot, "review_again")
    panel = panels.panel(work.session, lot)
    work.lock(panel)
    technical.refuse_fixed(work.session, lot)
    row = awards.award(work.session, lot)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    found = disputes.settle(work, lot, disputes.REVIEW)
    if found is None:
        raise WrongStep("award.not_upheld", ref=lot.ref)
    reopened.close(work, lot, row, reason)
    LOT_FLOW.take(work, lot, "review_again", objection=found.ref)
    PANEL_FLOW.take(work, panel, "review_again", reason=reason.strip(), round=panel.round)
    panel.round += 1
    panel.recheck = reason.strip()
    for seat in panels.seated(panel):
        key = f"award/{lot.ref}/again/{panel.round}/{seat.no}"
        work.send(key, to=f"account:{seat.account_id}", template="award.reviewed_again", lot=lot.ref)
    work.session.flush()
    return found
