"""What a card of the hall is made of. Before the set is published it has no field that could tell how many bid, or who."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trading.bidding.claims import Claim
from trading.hall import attendance
from trading.kernel.money import Money
from trading.opening import rescue
from trading.opening.rules import DecryptOutcome
from trading.views.lot_cards import LotCard


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
class Wait:
    """What an opening waits for. ``turn``: whose it is (``host``, ``platform``, ``bidders``, ``officers``, ``supervisor``, "" of nobody);
    ``who`` the same in words; ``seats``: the key holders meant; ``left``: what is left when ``until`` has a moment, for its countdown."""

    turn: str
    who: str
    what: str
    until: datetime | None = None
    left: str = ""
    why: str = ""
    seats: tuple[int, ...] = ()


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
    claims_end: datetime | None = None
    """Until when whoever is missing may claim it; no share is taken before."""
    closing_late: bool = False
    documents_objected: bool = False
    """Something filed about the documents waits for its answer, and the opening for that (TReg art. 22)."""
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
    reading_ended: datetime | None = None
    read_moments: Mapping[int, datetime] = field(default_factory=dict)
    repair: rescue.Pause | None = None
    failed: tuple[tuple[str, str], ...] = ()
    run: Progress | None = None
    waits: tuple[Wait, ...] = ()
    """What it waits for now, the first thing first."""

    @property
    def line(self) -> BidLine | None:
        """The line that is being read out."""
        return self.bids[self.place - 1] if 1 <= self.place <= len(self.bids) else None

    @property
    def shares(self) -> tuple[OfficerLine, ...]:
        """The officers who came, in the order of their seats."""
        return tuple(one for one in self.officers if one.released_at is not None)

    @property
    def said(self) -> int:
        """How many bidders have confirmed or objected."""
        return len({one.name for one in self.remarks})

    @property
    def to_say(self) -> int:
        """How many bidders have a line to confirm."""
        return sum(not one.left_sealed for one in self.bids)

    @property
    def all_said(self) -> bool:
        return self.said >= self.to_say

    @property
    def all_read(self) -> bool:
        """Whether the reading is over: the host turned past the last line, or the record is signed."""
        return self.reading_ended is not None or self.step in ("SIGNED", "CLOSED")

    @property
    def host(self) -> str:
        return next((one.name for one in self.officials if one.kind == "host"), "")

    @property
    def witness(self) -> str:
        return next((one.name for one in self.officials if one.kind == "supervisor"), "")

    @property
    def listed(self) -> bool:
        return self.listed_at is not None

    @property
    def opened(self) -> int:
        return sum(one.verdict == "opened" for one in self.bids)

    @property
    def open_objections(self) -> int:
        return sum(one.kind == "objection" and one.answered_at is None for one in self.remarks)
