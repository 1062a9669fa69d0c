"""What the hall shows of one opening. Before the set is published a card has no field that could tell how many bid, or who."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from crypto.canonical import loads
from crypto.signatures import payload_of
from trading import (
    attendance,
    base_prices,
    bids,
    claims,
    closing,
    consortia,
    draws,
    effects,
    findings,
    late_close,
    lot_cards,
    notices,
    officers,
    opening,
    opening_runs,
    participants,
    readings,
    rescue,
)
from trading.claims import Claim
from trading.kernel import audit, log
from trading.kernel.money import Money
from trading.kernel.work import Look
from trading.lot_cards import LotCard
from trading.opening import Opening
from trading.opening_rules import DecryptOutcome
from trading.parties import Party
from trading.technical import TechnicalResult
from trading.tenders import Lot
from web import opening_run, words
from web.refusals import language

MONEY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,2})?")
BEFORE, SHUT, FAILED = "BEFORE", "SHUT", "FAILED"


@dataclass(frozen=True)
class OfficerLine:
    """A key holder: ``ready`` before the set is published (its key opened the drill); afterwards ``released_at``. ``present_at``: when
    it signed in to the hall, which releases nothing."""

    j: int
    name: str
    organisation: str
    side: str
    fingerprint: str
    ready: bool
    released_at: datetime | None = None
    complaints: int = 0
    present_at: datetime | None = None


@dataclass(frozen=True)
class FileLine:
    name: str
    digest: str


@dataclass(frozen=True)
class BidLine:
    """One bid of the published set. ``no``: its place in the set. Everything from ``verdict`` on is empty before the list is read out.

    ``cause``: the decided one, by the protocol or by a ``ruling`` with its reasons.
    ``values``: (label, value) of the other fields of the form; ``outcome``: what the law makes of it (rule X-09); ``party_id`` is never
    shown: the remark page of a bidder finds its line by it.
    """

    no: int
    party_id: int
    name: str
    secured: bool
    header_hash: str
    entry: str
    verdict: str = ""
    cause: str = ""
    price: Money | None = None
    values: tuple[tuple[str, str], ...] = ()
    form_faults: tuple[str, ...] = ()
    files: tuple[FileLine, ...] = ()
    outcome: DecryptOutcome | None = None
    awaits_finding: bool = False
    """The platform lost it, and the supervisory body has not found on that yet."""
    found_at: datetime | None = None
    """When it found that."""
    found_c: str = ""
    """Its finding in the log."""
    left_sealed: str = ""
    """Why it stays sealed: ``incomplete``, ``rejected``, ``not_opened``; "" for a bid that is to be opened."""
    remark: str = ""
    """What its bidder said last: ``confirm``, ``objection``, or ``answered``, an objection the host has answered."""
    remark_at: datetime | None = None
    came_at: datetime | None = None
    handed_in: datetime | None = None
    over_ceiling: bool = False
    ruling: str = ""
    ruled_at: datetime | None = None


@dataclass(frozen=True)
class RemarkLine:
    id: int
    name: str
    kind: str
    text: str
    at: datetime
    answer: str
    answered_at: datetime | None


@dataclass(frozen=True)
class DrawLine:
    label: str
    draw: str
    state: str
    noticed_at: datetime
    drawn_at: datetime | None
    value: str


@dataclass(frozen=True)
class BaseLine:
    """The base price of works: bound by ``commitment`` beforehand, ``price`` and ``salt`` once it is published (rule C-07)."""

    commitment: str
    committed_at: datetime
    price: Money | None
    salt: str
    published_at: datetime | None


@dataclass(frozen=True)
class ProofLine:
    """An entry of the public log about this opening; ``sealed_at``: the moment of its tick, None while it waits."""

    event: str
    c: str
    at: datetime
    sealed_at: datetime | None
    who: str = ""


@dataclass(frozen=True)
class Progress:
    """The decryption under way: how many bids of how many have been tried. ``stopped``: it died and is to be begun again."""

    done: int
    total: int
    stopped: bool


@dataclass(frozen=True)
class HallCard:
    """One opening. ``step``: BEFORE (sealed), SHUT (intake over, set not published), FAILED, or the state of the opening."""

    lot: LotCard
    step: str
    now: datetime
    policy_id: str
    t: int
    n: int
    officers: tuple[OfficerLine, ...]
    closed_at: datetime | None = None
    closing_late: bool = False
    listed_at: datetime | None = None
    shares_from: datetime | None = None
    shares_until: datetime | None = None
    extended: str = ""
    set_hash: str = ""
    bids: tuple[BidLine, ...] = ()
    opened_at: datetime | None = None
    confirm_until: datetime | None = None
    remarks: tuple[RemarkLine, ...] = ()
    draws: tuple[DrawLine, ...] = ()
    proofs: tuple[ProofLine, ...] = ()
    countersigned: tuple[OfficerLine, ...] = ()
    wanted: int = 0
    may_decrypt: bool = False
    claims: tuple[Claim, ...] = ()
    minutes: str = ""
    version: int = 0
    last: str = ""
    part: str = ""
    form: tuple[dict[str, Any], ...] = ()
    waits_for_prices: bool = False
    """A technical opening: the prices lie in envelopes of their own."""
    window: attendance.Window | None = None
    officials: tuple[attendance.Line, ...] = ()
    came: tuple[attendance.Line, ...] = ()
    base: BaseLine | None = None
    place: int = 0
    read_moments: Mapping[int, datetime] = field(default_factory=dict)
    repair: rescue.Pause | None = None
    failed: tuple[tuple[str, str], ...] = ()
    run: Progress | None = None

    @property
    def line(self) -> BidLine | None:
        """The line that is being read out."""
        return self.bids[self.place - 1] if 1 <= self.place <= len(self.bids) else None

    @property
    def shares(self) -> tuple[OfficerLine, ...]:
        """The officers who came, in the order of their seats."""
        return tuple(one for one in self.officers if one.released_at is not None)

    @property
    def listed(self) -> bool:
        return self.listed_at is not None

    @property
    def opened(self) -> int:
        return sum(one.verdict == "opened" for one in self.bids)

    @property
    def open_objections(self) -> int:
        return sum(one.kind == "objection" and one.answered_at is None for one in self.remarks)


def hall_card(now: Look, lot: Lot, part: str = "") -> HallCard:
    """The card of one opening as of this hour; of two envelopes that of ``part``, or the one whose ceremony the hall holds."""
    card = lot_cards.card_of(now, lot)
    part = part or opening.current_part(now.session, lot)
    row = opening.find(now.session, lot, part)
    policy = officers.find_policy(now.session, lot, part)
    head: dict[str, Any] = {
        "lot": card, "now": now.now, "policy_id": policy.policy_id if policy else "", "t": policy.t if policy else 0,
        "n": officers.policy_document(policy)["n"] if policy else 0, "last": mark(now, lot.ref), "part": part,
        "form": tuple(officers.form_of(lot, part)), "waits_for_prices": part == officers.BID and lot.two_envelopes,
        "window": attendance.window(now.session, lot, now.now), "officials": tuple(attendance.officials(now.session, lot)),
        "came": tuple(attendance.bidders(now.session, lot)), "base": _base(now, lot),
    }
    if row is None:
        ready = officers.drilled(now.session, policy) if policy else set()
        closed = closing.find(now.session, lot, part)
        over = lot.deadline is not None and now.now >= lot.deadline
        step = FAILED if lot.state == "FAILED" else SHUT if lot.state == opening.OPENS_IN[part] and over else BEFORE
        late = closed is not None and policy is not None and late_close.is_awaited(now.session, lot, closed, policy.deadline)
        return HallCard(**head, step=step, officers=_officers(now, lot, ready, head), closed_at=closed.tick_at if closed else None,
                        closing_late=late)
    return _after(now, lot, row, head)


def _officers(now: Look, lot: Lot, ready: set[int], head: dict[str, Any]) -> tuple[OfficerLine, ...]:
    present = {line.account_id: line.at for line in head["officials"]}
    return tuple(
        OfficerLine(seat.j, seat.account.name, seat.account.party.name, seat.side, officers.fingerprint_of(seat), seat.j in ready,
                    present_at=present.get(seat.account_id))
        for seat in officers.seats(now.session, lot))


def _after(now: Look, lot: Lot, row: Opening, head: dict[str, Any]) -> HallCard:
    session = now.session
    closed = closing.find(session, lot, row.part)
    posted = {share.j: share for share in opening.shares(session, row)}
    people = tuple(
        replace(one, released_at=posted[one.j].at, complaints=len(posted[one.j].errors)) if one.j in posted else one
        for one in _officers(now, lot, {seat.j for seat in officers.seats(session, lot)}, head))
    kids = {seat.sign_kid: seat.j for seat in officers.seats(session, lot)}
    by_j = {one.j: one for one in people}
    came = [] if row.opened is None else [kids[s["keyid"]] for s in row.opened["signatures"] if s["keyid"] in kids]
    said = opening.remarks(session, row)
    turned = readings.position(session, row)
    pause, filed = rescue.pause(session, row), tuple(claims.of_lot(session, lot, row.part))
    stopped = (pause is not None and not pause.is_over(now.now)) or any(not one.outcome for one in filed)
    return HallCard(
        **head, place=turned.place, read_moments=turned.moments, repair=pause,
        failed=tuple((one.party.name, one.code) for one in rescue.failures(session, row)), step=row.state, officers=people,
        closed_at=closed.tick_at if closed else None, listed_at=row.listed_at,
        shares_from=row.shares_from, shares_until=row.shares_until, extended=row.extended, set_hash=row.set_hash,
        bids=_bids(now, lot, row, said, head["came"]), opened_at=row.opened_at, confirm_until=row.confirm_until,
        remarks=tuple(RemarkLine(r.id, r.party.name, r.kind, r.text, r.at, r.answer, r.answered_at) for r in said),
        draws=_draws(now, lot), proofs=_proofs(now, lot, row, posted), countersigned=tuple(by_j[j] for j in came),
        wanted=opening.signatures_wanted(session, row), claims=filed,
        may_decrypt=opening.may_decrypt(session, row, now.now) and not stopped,
        minutes=row.minutes or "", version=row.version, run=_run(now, row),
    )


def _run(now: Look, row: Opening) -> Progress | None:
    """None before it was begun and when it has come to an end, also to a refusal."""
    found = opening_runs.find(now.session, row) if row.state == "LISTED" else None
    if found is None or found.ended_at is not None:
        return None
    return Progress(found.done, found.total, not opening_run.is_held(now.office, row.id))


def _bids(now: Look, lot: Lot, row: Opening, said: list[opening.OpeningRemark], came: tuple[attendance.Line, ...]) -> tuple[BidLine, ...]:
    hours = {line.party_id: line.at for line in reversed(came)}
    standing = {bid.header_hash: bid for bid in bids.standing_bids(now.session, lot, row.part)}
    opened = {bid.header_hash: bid for bid in opening.opened_bids(now.session, row)}
    digests = {} if row.opened is None else {b["header_hash"]: b["files"] for b in loads(payload_of(row.opened))["bids"]}
    latest = {r.party_id: r for r in said}
    decided = {one.header_hash: one for one in effects.of_lot(now.session, lot, row.part)}
    joint = consortia.opened(now.session, lot) if opened else {}
    taken = participants.by_party(now.session, lot)
    lines = []
    for no, item in enumerate(row.bids, start=1):
        name = item["header_hash"]
        bid, verdict = standing[name], opened.get(name)
        taking = taken.get(bid.party_id)
        line: dict[str, Any] = {
            "no": no, "party_id": bid.party_id, "name": bid.party.name, "header_hash": name, "entry": item["entry"],
            "secured": taking is not None and participants.is_secured(taking), "handed_in": bid.at, "came_at": hours.get(bid.party_id),
            "left_sealed": row.left_sealed.get(name, {}).get("ground", ""),
        }
        if verdict is not None:
            effect = decided.get(name)  # none of a bid that was not to be opened
            remark = latest.get(bid.party_id)
            line |= {
                "name": _joint(bid.party, joint.get(bid.party.code, [])), "verdict": verdict.verdict,
                "cause": effect.cause if effect else verdict.cause, "values": form_values(lot, verdict.announce),
                "price": None if verdict.price_minor is None else Money(verdict.price_minor, lot.currency),
                "over_ceiling": verdict.price_minor is not None and lot.ceiling_minor > 0 and verdict.price_minor > lot.ceiling_minor,
                "form_faults": tuple(str(fault["field"]) for fault in verdict.form_faults),
                "files": tuple(FileLine(one["name"], one["digest"]) for one in digests.get(name, ())),
                "outcome": effect.outcome if effect else None, "ruling": effect.ruling.reasons if effect and effect.ruling else "",
                "awaits_finding": effect is not None and effect.awaits_finding,
                "found_at": effect.finding.at if effect and effect.finding else None,
                "found_c": effect.finding.c if effect and effect.finding else "",
                "ruled_at": effect.ruling.at if effect and effect.ruling else None,
                "remark": ("answered" if remark.answered_at else remark.kind) if remark else "", "remark_at": remark.at if remark else None,
            }
        lines.append(BidLine(**line))
    return tuple(lines)


def _joint(lead: Party, members: list[consortia.ConsortiumMember]) -> str:
    """A bidder as it is read out: a consortium with its members, the lead first."""
    others = [one.party.name for one in members if one.party_id != lead.id]
    return _("%(lead)s (consortium with %(others)s)", lead=lead.name, others="、".join(others)) if others else lead.name


def _base(now: Look, lot: Lot) -> BaseLine | None:
    row = base_prices.find(now.session, lot)
    if row is None:
        return None
    return BaseLine(row.commitment, row.committed_at, base_prices.price_of(row, lot), row.salt, row.published_at)


def form_values(lot: Lot, announce: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The other fields of the opening form in their order: (label in the language of the page, value as it was sealed)."""
    key = "label" if language() == "zh" else "label_en"
    return tuple((field.get(key) or field["label"], said_of(field, announce[field["key"]]))
                 for field in lot.form if field["key"] != "price" and field["key"] in announce)


def said_of(field: dict[str, Any], value: str) -> str:
    """A value of the opening form as a person reads it."""
    if field["type"] == "choice" and value in ("yes", "no"):
        return words.state("yes_no", value, language()).text
    if field["type"] == "money" and MONEY.fullmatch(value):  # what was sealed is untrusted, and may be no amount
        return f"{Decimal(value):,.2f}"
    return value


def _draws(now: Look, lot: Lot) -> tuple[DrawLine, ...]:
    found = []
    for label in ("k", "experts"):
        row = draws.find(now.session, lot, label)
        if row is not None:
            value = row.pool[draws.picks(row)[0]] if row.state == "DRAWN" and label == "k" else ""
            found.append(DrawLine(label, row.draw, row.state, row.noticed_at, row.drawn_at, value))
    return tuple(found)


def _proofs(now: Look, lot: Lot, row: Opening, posted: dict[int, opening.Share]) -> tuple[ProofLine, ...]:
    """The public entries of this opening: policy, deadline, set, shares, opening list."""
    seats = {seat.j: seat.account.name for seat in officers.seats(now.session, lot)}
    policy = officers.find_policy(now.session, lot, row.part)
    closed = closing.find(now.session, lot, row.part)
    found = findings.of_opening(now.session, row)
    lost = {bid.header_hash: bid.party.name for _, bid, _ in findings.lost(now.session, lot)} if found else {}
    named = [(policy.log_c if policy else None, ""), (closed.deadline_c if closed else None, ""), (row.set_c, ""),
             *[(share.c, seats[j]) for j, share in posted.items()], *[(one.c, one.party.name) for one in rescue.failures(now.session, row)],
             *[(one.c, "") for one in found if one.code != findings.LOST], (row.opened_c, ""),
             *[(one.c, lost.get(one.header_hash, "")) for one in found if one.code == findings.LOST]]
    if (confirmed := late_close.find(now.session, lot, row.part)) is not None:
        named.insert(2, (confirmed.c, ""))
    lines = []
    for c, who in named:
        if c is None:
            continue
        entry = audit.entry(now.session, c)
        tick = log.tick_of(now.session, c)
        lines.append(ProofLine(entry.event, c, entry.at, tick.at if tick else None, who))
    return tuple(lines)


def public_entries(now: Look, lot: Lot) -> list[dict[str, Any]]:
    """Receipts of the public entries with the proofs there are, for anybody who checks. Nothing before the set is published."""
    row = opening.current(now.session, lot)
    if row is None:
        return []
    lines = _proofs(now, lot, row, {share.j: share for share in opening.shares(now.session, row)})
    proofs = log.proofs(now.session, [line.c for line in lines])
    found = []
    for line in lines:
        entry = audit.entry(now.session, line.c)
        receipt: dict[str, Any] = {"entry": json.loads(entry.envelope)}
        if line.c in proofs:
            receipt["proof"] = proofs[line.c]
        found.append({"event": line.event, "c": line.c, "who": line.who, "statement": entry.statement, "receipt": receipt})
    return found




def today(now: Look, zone: Any) -> list[tuple[LotCard, str]]:
    """Openings from yesterday's midnight to a week ahead, by their hour: (card, step). Their hour is public from the notice on."""
    midnight = now.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = now.session.scalars(select(Lot).where(
        Lot.published_at.is_not(None), Lot.opens_at >= midnight, Lot.opens_at < midnight + timedelta(days=8), Lot.state != "TERMINATED",
    ).order_by(Lot.opens_at, Lot.ref))
    return [(lot_cards.card_of(now, lot), step_of(now, lot)) for lot in rows]


def running(now: Look) -> list[tuple[LotCard, str]]:
    """Openings that are not over, whenever they began."""
    rows = now.session.scalars(select(Lot).where(Lot.state == "OPENING").order_by(Lot.opens_at, Lot.ref))
    priced = now.session.scalars(select(Lot).join(TechnicalResult, TechnicalResult.lot_id == Lot.id)
                                 .where(Lot.state == "EVALUATION").order_by(Lot.opens_at, Lot.ref))
    found = [(lot_cards.card_of(now, lot), step_of(now, lot)) for lot in (*rows, *priced)]
    return [(card, step) for card, step in found if step != "CLOSED"]


def step_of(now: Look, lot: Lot) -> str:
    row = opening.current(now.session, lot)
    if row is not None:
        return row.state
    if lot.state == "FAILED":
        return FAILED
    return SHUT if lot.state == opening.OPENS_IN[opening.current_part(now.session, lot)] else BEFORE


def mark(now: Look, ref: str) -> str:
    """A word that changes whenever the public face of an opening does: the id of live events. It tells nothing else: a lot that is still
    sealed has the same word from its notice to its hour, whatever arrives."""
    lot = lot_cards.visible_lot(now, ref)
    opening.refuse_reviewer(now, lot)
    row = opening.current(now.session, lot)
    drawn = [f"{one.label}{one.id}v{one.version}" for label in draws.NEEDS if (one := draws.find(now.session, lot, label))]
    drawn.append(f"p{len(attendance.officials(now.session, lot))}")  # who runs or watches it is no secret; a bidder's coming is in no mark
    if (base := base_prices.find(now.session, lot)) is not None:
        drawn.append(f"b{base.commitment[:8]}{'p' if base.published_at else ''}")
    if row is None:
        closed = closing.find(now.session, lot)
        over = "c" if closed is not None and lot.state != "BIDDING" else ""
        published = [n.version for n in notices.of_lot(now.session, lot, "correction")]
        return "-".join([lot.state, over, str(len(published)), *drawn])
    posted = opening.shares(now.session, row)
    said = opening.remarks(now.session, row)
    filed = claims.of_lot(now.session, lot, row.part)
    drawn.append(f"c{len(filed)}.{sum(bool(one.outcome) for one in filed)}")
    if (pause := rescue.pause(now.session, row)) is not None:
        drawn.append(f"w{int(pause.until.timestamp()) if pause.until else 0}{'o' if pause.is_over(now.now) else ''}")
    if (run := _run(now, row)) is not None:
        drawn.append(f"d{run.done}{'x' if run.stopped else ''}")
    sealed = sum(log.tick_of(now.session, line.c) is not None for line in posted)
    return "-".join([lot.state, row.state, str(row.version), str(int(row.shares_until.timestamp())), f"s{len(posted)}.{sealed}",
                     f"r{len(said)}.{sum(r.answered_at is not None for r in said)}", f"k{readings.position(now.session, row).turns}",
                     *drawn])
