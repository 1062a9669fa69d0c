"""New opening officers after publication: what that means for bids already sealed, and the unit in which they take over (protocol §5.3).

Law of the noun: nothing here looks at a bid. What becomes of bids under the officers of before follows from the public policies alone;
the new ones sit as ``next`` until everybody has signed, then all envelopes pass to them at once. Who proposes and who confirms stands in
replacements.py, what bidders are told in trading/bidding/officer_news.py.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from importlib import resources
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from crypto.policies import policy_id
from crypto.policy_lines import generations
from trading.custody import officers
from trading.custody.officers import NEXT, PAST, STANDING, OfficerSeat, Policy, PolicyChange, bid_envelopes
from trading.kernel.clock import write_moment
from trading.kernel.errors import TooLate, WrongStep
from trading.kernel.work import UnitOfWork
from trading.parties import enrolments, parties
from trading.tendering import notices
from trading.tendering.tenders import Lot

GROUNDS = ("lost", "stolen", "absent")
"""Why officers are replaced after publication: keys are lost, in other hands, or their holder will not come."""
SETTLE = timedelta(hours=2)
"""What new officers leave at least before the deadline: time for their drills, and for bidders to seal anew."""
BEIJING = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class Fate:
    """What a change means for the bids of one earlier generation: ``missing`` of ``n`` officers, ``t`` of whom open."""

    envelope: str
    policies: tuple[str, ...]
    missing: int
    t: int
    n: int
    alive: bool
    dies: bool
    """Alive so far, and dead with this change."""

    @property
    def left(self) -> int:
        return self.n - self.missing


def fates(session: Session, lot: Lot, who: Sequence[tuple[str, str]]) -> list[Fate]:
    """What it would mean for bids sealed so far if officers of these (names, kids of signing keys) took over now; by envelope, oldest
    generation first. A pure rule over public policies: it tells nothing of whether there is a bid."""
    found = []
    for envelope in bid_envelopes(lot):
        line = officers.policy_chain(session, lot, envelope)
        newest = line[-1]
        named = [{"name": name, "sign_kid": sign_kid, "side": "", "pk": ""} for name, sign_kid in who]
        planned = {
            **newest,
            "serial": newest["serial"] + 1,
            "supersedes": policy_id(newest),
            "officers": named,
            "n": len(named),
        }
        now = generations(line)
        for before, after in zip(now, generations([*line, planned])[:-1], strict=True):
            found.append(
                Fate(
                    envelope,
                    after.ids,
                    len(after.missing),
                    after.policy["t"],
                    after.policy["n"],
                    after.alive,
                    before.alive and not after.alive,
                )
            )
    return found


def planned(session: Session, change: PolicyChange) -> list[tuple[str, str]]:
    """(name, kid of the signing key of now) of the officers a change names; "" for who has no key enrolled."""
    rows = [parties.account(session, one["account"]) for one in change.plan["officers"]]
    keys = [enrolments.find_key(session, account.username, "officer") for account in rows]
    return [(account.username, key.sign_kid if key else "") for account, key in zip(rows, keys, strict=True)]


def seat_next(work: UnitOfWork, lot: Lot, change: PolicyChange) -> list[OfficerSeat]:
    """The officers of a confirmed change take their seats beside the standing ones, under a serial nobody has had."""
    serial = officers.last_serial(work.session, lot) + 1
    new = [
        OfficerSeat(
            lot_id=lot.id,
            j=j,
            account_id=one["account"],
            side=one["side"],
            serial=serial,
            stage=NEXT,
            publics={},
            sign_kid="",
            sign_public="",
        )
        for j, one in enumerate(change.plan["officers"], start=1)
    ]
    work.session.add_all(new)
    work.session.flush()
    for seat in new:
        work.session.refresh(seat)
    return new


def drop_next(session: Session, lot: Lot) -> None:
    """The officers of a change that came to nothing leave their seats."""
    session.execute(delete(OfficerSeat).where(OfficerSeat.lot_id == lot.id, OfficerSeat.stage == NEXT))
    session.flush()


def check_time(now: datetime, deadline: datetime) -> None:
    """Refuses: TooLate ``officers.too_close``: bidders would have less than ``SETTLE`` under the new officers."""
    if deadline - now < SETTLE:
        raise TooLate("officers.too_close", deadline=deadline, now=now, until=deadline - SETTLE)


def take_over(work: UnitOfWork, lot: Lot, change: PolicyChange, drafts: Sequence[Policy]) -> None:
    """The unit of the last signature: the seats change hands, the deadline moves where the change says so. The policies are completed by
    the caller, who has checked the tick. Refuses: TooLate ``officers.too_close``, WrongStep ``officers.bids_would_die``."""
    assert lot.deadline is not None
    check_time(work.now, change.deadline)
    dies = any(one.dies for one in fates(work.session, lot, planned(work.session, change)))
    if dies and not change.plan["dies"]:
        raise WrongStep("officers.bids_would_die", ref=lot.ref)
    for seat in officers.seats(work.session, lot):
        seat.stage = PAST
    work.session.flush()
    for seat in officers.next_seats(work.session, lot):
        seat.stage = STANDING
    before, lot.deadline, lot.opens_at, lot.threshold = (
        lot.deadline,
        change.deadline,
        change.opens_at,
        int(change.plan["t"]),
    )
    lot.version += 1
    change.state, change.ended_at, change.plan = "DONE", work.now, {**change.plan, "dies": dies}
    work.session.flush()
    bids = [one for one in drafts if one.envelope in bid_envelopes(lot)]
    named = {"policy" if one.envelope == officers.BID else f"policy_{one.envelope}": one.policy_id for one in bids}
    work.record(
        "officers.take_over",
        lot.log_of,
        ground=change.ground,
        policies=[one.policy_id for one in drafts],
        dies=dies,
        before=before,
        after=lot.deadline,
    )
    body: dict[str, Any] = {"officers": change.ground, "bids_die": dies, **named}
    if lot.deadline != before:
        body |= {
            "before": write_moment(before),
            "deadline": write_moment(lot.deadline),
            "opens_at": write_moment(lot.opens_at),
        }
    text = notice_text(change, policy=bids[0].policy_id, before=before, at=work.now)
    notices.post(work, lot, "correction", title=lot.title, body=body, text=text)


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    return tomllib.loads(
        resources.files("trading").joinpath("rulebook", "officers_notice.toml").read_text(encoding="utf-8")
    )


def notice_text(change: PolicyChange, *, policy: str, before: datetime, at: datetime) -> str:
    """The notice in both languages, Chinese first: the ground, what it means for bids already sealed, what bidders do now."""
    words = _words()
    parts = [
        "changed",
        *(["moved"] if change.deadline != before else []),
        "dead" if change.plan["dies"] else "alive",
        "next",
    ]
    told = []
    for language, joined in (("zh", ""), ("en", " ")):
        facts = {
            "ground": words["ground"][change.ground][language],
            "reason": change.reason,
            "policy": policy,
            "at": _local(at),
            "before": _local(before),
            "until": _local(change.deadline),
        }
        told.append(joined.join(_line(words[part][language], language).format(**facts) for part in parts))
    return "\n\n".join(told)


def _line(text: str, language: str) -> str:
    return "".join(text.split("\n")) if language == "zh" else " ".join(text.split())


def _local(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
