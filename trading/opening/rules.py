"""Pure decisions around the opening: what becomes of an electronic bid, and whether enough bidders are left to go on.

Electronic tendering: rules X-04, X-05 (the deadline) and X-09 (decryption). Smallest numbers of suppliers: rules B-01
to B-09. No clock and no database here; the moments come in as parameters.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from trading.kernel.exact import Answer, BadValue, boolean, cases, count, take, word

# --- electronic bids --------------------------------------------------------------------------------------------------


def submission_result(deadline: dt.datetime, completed_at: dt.datetime | None, *, encrypted: bool) -> str:
    """What becomes of an upload: `treated_as_withdrawn` (never completed), `rejected_late` (at or after the deadline),
    `rejected_not_encrypted`, or `accepted`. Both moments aware."""
    if completed_at is None:
        return "treated_as_withdrawn"
    if completed_at >= deadline:
        return "rejected_late"
    return "accepted" if encrypted else "rejected_not_encrypted"


@dataclass(frozen=True)
class DecryptOutcome:
    """What becomes of a bid at decryption, of its deposit, and whether the bidder may claim a loss."""

    result: str
    deposit: str
    claim_for_loss: bool


OPENED = DecryptOutcome("opened", "hold", False)
_PLATFORM = DecryptOutcome("treated_as_withdrawn", "refund", True)
NOT_DECRYPTED = {
    "bidder": DecryptOutcome("treated_as_revoked", "may_be_withheld", False),
    "platform": _PLATFORM,
    "tenderee": _PLATFORM,
    "unknown": DecryptOutcome("ruling_required", "hold", False),
}


def decrypt_outcome(cause: str | None) -> DecryptOutcome:
    """The outcome of one bid; `cause` is who failed (`bidder`, `platform`, `tenderee`, `unknown`), None when it was
    decrypted (X-09).
    """
    return OPENED if cause is None else NOT_DECRYPTED[cause]


# --- how many are needed ----------------------------------------------------------------------------------------------


def tender_may_continue(received: int, conforming: int | None = None) -> bool:
    """GP open and invited tenders: three bids received and, once reviewed, three that conform."""
    return received >= 3 and (conforming is None or conforming >= 3)


def negotiation_may_continue(
    final_quotes: int, *, converted_from_failed_tender_with_two: bool = False, finance_approval: bool = False
) -> bool:
    """Three final quotes; two where a failed tender with two suppliers was converted with the approval of finance."""
    return final_quotes >= 3 or (final_quotes == 2 and converted_from_failed_tender_with_two and finance_approval)


def consultation_may_continue(final_quotes: int, *, ground: str | None = None, started_with: int | None = None) -> bool:
    """Three final quotes; two for research or technology transfer, and for services bought for the public that began
    with three.

    Refuses: `missing` when that beginning decides and is not given.
    """
    if final_quotes != 2 or ground is None:
        return final_quotes >= 3
    if ground == "research_or_tech_transfer":
        return True
    if started_with is None:
        raise BadValue("missing", "started_with", "with how many the consultation began")
    return started_with >= 3


def works_may_continue(received: int, undecrypted_bidder_fault: int = 0) -> bool:
    """Three bids received in time, and one left after those not decrypted through the fault of their bidder."""
    return received >= 3 and received - undecrypted_bidder_fault >= 1


# --- an outage, seen from the log ---------------------------------------------------------------------------------------

OUTAGE = dt.timedelta(seconds=120)
"""The log is sealed at least once a minute: two ticks further apart than this show that the platform stood still between them."""


def stood_still(ticks: Sequence[dt.datetime], begins: dt.datetime, ends: dt.datetime) -> bool:
    """The rule by which anybody finds an outage from the moments of the log's ticks alone: between ``begins`` and ``ends`` there is a
    stretch longer than ``OUTAGE`` in which nothing was sealed."""
    moments = [begins, *(at for at in ticks if begins < at < ends), ends]
    return any(following - at > OUTAGE for at, following in pairwise(moments))


# --- asked as test vectors --------------------------------------------------------------------------------------------

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:Z|([+-])(\d\d):([0-5]\d))", re.ASCII
)


def instant(value: object, where: str) -> dt.datetime:
    """INSTANT: `YYYY-MM-DDThh:mm:ss`, up to six decimals, then `Z` or an offset such as `+08:00`; it must exist."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        *parts, decimals, sign, hours, minutes = found.groups()
        offset = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        try:
            year, month, day, hour, minute, second = map(int, parts)
            return dt.datetime(
                year,
                month,
                day,
                hour,
                minute,
                second,
                int((decimals or "0").ljust(6, "0")),
                dt.timezone(-offset if sign == "-" else offset),
            )
        except ValueError:  # no such day, hour or offset
            pass
    raise BadValue("bad_instant", where, "a moment with an offset, such as 2026-03-10T09:30:00+08:00")


def _asked_submission(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    deadline = take(inputs, "deadline", instant)
    return {
        "result": [
            submission_result(
                deadline,
                take(case, "completed_at", instant, default=None),
                encrypted=take(case, "encrypted", boolean),
            )
            for case in cases(inputs)
        ]
    }


def _asked_decrypt(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = [
        decrypt_outcome(None if take(case, "decrypted", boolean) else take(case, "cause", word(*NOT_DECRYPTED)))
        for case in cases(inputs)
    ]
    return {
        "result": [one.result for one in found],
        "deposit": [one.deposit for one in found],
        "claim_for_loss": [one.claim_for_loss for one in found],
        "others_continue": OPENED in found,
    }


def _may_continue(case: Mapping[str, Any]) -> bool:
    number = count(0)
    method = take(
        case,
        "method",
        word(
            "open_tender", "invited_tender", "negotiation", "consultation", "inquiry", "single_source", "works_tender"
        ),
    )
    if method in ("open_tender", "invited_tender"):
        return tender_may_continue(take(case, "received", number), take(case, "conforming", number, default=None))
    if method == "negotiation":
        flags = {
            key: take(case, key, boolean, default=False)
            for key in ("converted_from_failed_tender_with_two", "finance_approval")
        }
        return negotiation_may_continue(take(case, "final_quotes", number), **flags)
    if method == "consultation":
        grounds = word("research_or_tech_transfer", "government_purchase_of_services")
        return consultation_may_continue(
            take(case, "final_quotes", number),
            ground=take(case, "ground", grounds, default=None),
            started_with=take(case, "started_with", number, default=None),
        )
    if method == "inquiry":
        return take(case, "quotes", number) >= 3
    if method == "single_source":
        return take(case, "suppliers", number) == 1
    received, undecrypted = take(case, "received", number), take(case, "undecrypted_bidder_fault", number, default=0)
    if undecrypted > received:
        raise BadValue("too_large", "undecrypted_bidder_fault", "at most the bids received")
    return works_may_continue(received, undecrypted)


def _asked_min_suppliers(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"may_continue": [_may_continue(case) for case in cases(inputs)]}


METHODS: dict[str, Answer] = {
    "etender.submission_deadline": _asked_submission,
    "etender.decrypt_outcome": _asked_decrypt,
    "gp.min_suppliers": _asked_min_suppliers,
}
