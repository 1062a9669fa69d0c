"""The opening ceremony as it stands: its set, officers' shares, every bid's verdict, what bidders said of it (protocol §5; rules X-07 to
X-10, rulebook §5.2). The tables, and the ways to look at them.

Law of the noun: nothing is shown before every bid of the set has its verdict; a bid that fails never stops the others; whose fault it is
follows from the order of checks, not from anybody's word. The steps stand in opening_set.py, shares.py, decryption.py and
opening_list.py; what officers' clients are handed in trading/hall/package.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import b64u, unb64u
from crypto.headers import Header, read_text
from crypto.policy_lines import Generation, boxes_of, dead_bids
from trading.bidding import bids
from trading.custody import officers
from trading.kernel.access import Act
from trading.kernel.db import Base, Json, Moment, append_only, one_of
from trading.kernel.errors import NotAllowed, NotFound, WrongStep
from trading.kernel.flow import Flow, Step, state_check
from trading.kernel.work import View
from trading.opening import technical
from trading.parties.parties import Party
from trading.tendering.tenders import Lot

OPENING_FLOW = Flow(
    "opening",
    "LISTED",
    Step("decrypt", "LISTED", "OPENED", Act.OPENING_HOST),
    Step("sign", "OPENED", "SIGNED", Act.OPENING_SIGN),
    Step("close", "SIGNED", "CLOSED", Act.OPENING_HOST),
)
REMARKS = ("confirm", "objection")
CONFIRM = timedelta(minutes=15)
"""For how long bidders may confirm their line or object, once bids are opened."""
OPENS_IN = {officers.BID: "OPENING", officers.PRICE: "EVALUATION"}
"""The state of a lot in which an envelope is opened."""


class Opening(Base):
    """One envelope's opening. ``opening_set``: signed; ``set_hash`` names it in shares; ``left_sealed``: header_hash → ``{ground, cause,
    c, statement}`` of the bids of the set that are not to be opened; ``opened``: the signed opening list, with the
    officers' signatures so far; ``minutes``: blob of the signed paper."""

    __tablename__ = "opening"
    __table_args__ = (UniqueConstraint("lot_id", "part"), CheckConstraint(state_check(OPENING_FLOW), name="state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    part: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(20), default=OPENING_FLOW.start)
    version: Mapped[int] = mapped_column(default=0)
    opening_set: Mapped[dict[str, Any]] = mapped_column(Json)
    set_hash: Mapped[str] = mapped_column(String(50))
    set_c: Mapped[str] = mapped_column(String(50))
    bids: Mapped[list[dict[str, str]]] = mapped_column(Json)
    left_sealed: Mapped[dict[str, dict[str, str]]] = mapped_column(Json, default=dict)
    listed_at: Mapped[datetime] = mapped_column(Moment)
    shares_from: Mapped[datetime] = mapped_column(Moment)
    shares_until: Mapped[datetime] = mapped_column(Moment)
    extended: Mapped[str] = mapped_column(Text, default="")
    opened: Mapped[dict[str, Any] | None] = mapped_column(Json)
    opened_c: Mapped[str | None] = mapped_column(String(50))
    opened_at: Mapped[datetime | None] = mapped_column(Moment)
    confirm_until: Mapped[datetime | None] = mapped_column(Moment)
    minutes: Mapped[str | None] = mapped_column(String(64))
    lot: Mapped[Lot] = relationship()

    @property
    def log_of(self) -> str:
        return self.lot.log_of


class Share(Base):
    """An officer's signed ``shares`` and the server's answer: ``parts`` header_hash → good part, ``errors`` header_hash → code."""

    __tablename__ = "share"

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), index=True)
    j: Mapped[int]
    document: Mapped[str] = mapped_column(Text)
    parts: Mapped[dict[str, str]] = mapped_column(Json)
    errors: Mapped[dict[str, str]] = mapped_column(Json)
    c: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)


class OpenedBid(Base):
    """The verdict on one bid. ``announce`` as sealed; ``price_minor`` in fen once the form could be read, ``form_faults`` if it could not;
    ``files``: ``[{name, size, type, blob, digest}]``, untrusted content; ``seed`` for the archive and the officers' second look only."""

    __tablename__ = "opened_bid"
    __table_args__ = (UniqueConstraint("opening_id", "header_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), index=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    header_hash: Mapped[str] = mapped_column(String(50))
    verdict: Mapped[str] = mapped_column(String(30))
    cause: Mapped[str] = mapped_column(String(20), default="")
    announce: Mapped[dict[str, str]] = mapped_column(Json)
    price_minor: Mapped[int | None] = mapped_column(BigInteger)
    form_faults: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    files: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    party: Mapped[Party] = relationship(lazy="joined")


class OpeningRemark(Base):
    """A bidder's confirmation of its line, or an objection on the spot with the host's answer (TReg art. 44)."""

    __tablename__ = "opening_remark"
    __table_args__ = (CheckConstraint(one_of("kind", REMARKS), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment)
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    party: Mapped[Party] = relationship(lazy="joined")


for _table in (Share, OpenedBid):
    append_only(_table.__table__)  # type: ignore[arg-type]


# --- looking ----------------------------------------------------------------------------------------------------------


def find(session: Session, lot: Lot, part: str = officers.BID) -> Opening | None:
    return session.scalar(select(Opening).where(Opening.lot_id == lot.id, Opening.part == part))


def current_part(session: Session, lot: Lot) -> str:
    """Whose ceremony the hall holds now: of two envelopes the price's once the technical result is fixed."""
    return officers.PRICE if lot.two_envelopes and technical.find(session, lot) is not None else officers.BID


def current(session: Session, lot: Lot) -> Opening | None:
    """The opening the hall holds now, None before its set is published."""
    return find(session, lot, current_part(session, lot))


def opening(session: Session, lot: Lot, part: str = officers.BID) -> Opening:
    """Refuses: NotFound ``opening.not_yet``."""
    found = find(session, lot, part)
    if found is None:
        raise NotFound("opening.not_yet", ref=lot.ref)
    return found


def headers(session: Session, row: Opening) -> dict[str, Header]:
    """The headers of the set, by header hash: handed out to officers only once the set is published; never of what stays sealed."""
    found = bids.standing_facts(session, row.lot, row.part, bids.SealedBid.header)
    return {name: read_text(text) for name, (text,) in sorted(found.items()) if name not in row.left_sealed}


def to_open(session: Session, row: Opening) -> list[bids.SealedBid]:
    """The bids of the set that are to be opened, without their bidders."""
    found = bids.standing_bids(session, row.lot, row.part, alone=True)
    return [bid for bid in found if bid.header_hash not in row.left_sealed]


def generations(session: Session, row: Opening) -> tuple[Generation, ...]:
    """The generations of officers of an opening, the newest last: each bid is opened by those it was sealed to (protocol §5.3)."""
    return officers.generations(session, row.lot, row.part)


def dead(session: Session, row: Opening) -> dict[str, Generation]:
    """header hash → its generation, of the bids whose officers were replaced to the point that nobody opens them (POLICY_DEAD)."""
    found = generations(session, row)
    return {} if len(found) == 1 else dead_bids(found, headers(session, row))


def shares(session: Session, row: Opening) -> list[Share]:
    return list(session.scalars(select(Share).where(Share.opening_id == row.id).order_by(Share.j)))


@dataclass(frozen=True)
class Posted:
    """What officers gave for one bid, by the number of the box: in a bid of earlier officers not the number they have now."""

    parts: dict[int, str]
    errors: dict[int, str]
    officers: dict[int, int]
    """Number of the box → number of the officer in the newest policy."""


def posted(session: Session, row: Opening) -> dict[str, Posted]:
    """header hash → what was given for it, for every bid that is to be opened."""
    line, found = generations(session, row), headers(session, row)
    answer = {name: Posted({}, {}, {}) for name in found}
    for share in shares(session, row):
        for name, number in boxes_of(line, found, share.j, row.left_sealed).items():
            one = answer[name]
            one.officers[number] = share.j
            if name in share.parts:
                one.parts[number] = share.parts[name]
            elif name in share.errors:
                one.errors[number] = share.errors[name]
    return answer


def opened_bids(session: Session, row: Opening) -> list[OpenedBid]:
    """Every bid's verdict, in the order of the set."""
    found = session.scalars(select(OpenedBid).where(OpenedBid.opening_id == row.id))
    return sorted(found, key=lambda bid: unb64u(bid.header_hash))


def opened_of_lot(session: Session, lot: Lot, part: str = officers.BID) -> list[OpenedBid]:
    """Bids that were opened (verdict ``opened``), in the order of the set; for reviewers after the opening. Refuses: NotFound."""
    return [bid for bid in opened_bids(session, opening(session, lot, part)) if bid.verdict == "opened"]


def own_opened(view: View, row: Opening) -> OpenedBid | None:
    return view.session.scalar(
        select(OpenedBid).where(OpenedBid.opening_id == row.id, OpenedBid.party_id == view.actor.party_id)
    )


def remarks(session: Session, row: Opening) -> list[OpeningRemark]:
    return list(
        session.scalars(select(OpeningRemark).where(OpeningRemark.opening_id == row.id).order_by(OpeningRemark.id))
    )


def words_of(remark: OpeningRemark) -> dict[str, str]:
    """What the record of a confirmation or objection binds."""
    return {"party": remark.party.code, "text": remark.text}


def answer_of(remark: OpeningRemark) -> dict[str, str]:
    """What the record of the host's answer binds."""
    return {"party": remark.party.code, "answer": remark.answer}


def seeds_for_officer(view: View, row: Opening) -> dict[str, str]:
    """header_hash → seed of every joined bid, for an officer who came to repeat the re-derivation. Refuses: NotAllowed, WrongStep."""
    view.require(Act.OPENING_SIGN)
    officers.own_seat(view, row.lot)
    if row.opened is None:
        raise WrongStep("opening.not_opened", state=row.state)
    return {b.header_hash: b64u(b.seed) for b in opened_bids(view.session, row) if b.seed}


def parties_of_set(session: Session, row: Opening) -> set[int]:
    """The ids of those who bid, from the published set."""
    names = {item["header_hash"] for item in row.bids}
    found = bids.standing_facts(session, row.lot, row.part, bids.SealedBid.party_id)
    return {party for name, (party,) in found.items() if name in names}


def is_public(session: Session, lot: Lot) -> bool:
    """Whether the names of those who bid may be shown: from the published opening list on (promise S1)."""
    return find(session, lot) is not None


def public_among(session: Session, lots: Iterable[int]) -> set[int]:
    """The row numbers of those of these lots of which names may be shown, in one question."""
    return set(session.scalars(select(Opening.lot_id).where(Opening.lot_id.in_(set(lots)))))


def refuse_reviewer(view: View, lot: Lot) -> None:
    """Members of the panel do not attend the opening (O87 art. 40). Refuses: NotAllowed for experts."""
    if view.actor.role in ("expert", "chair") and lot.state == "OPENING":
        raise NotAllowed("opening.not_for_panel")


def may_decrypt(session: Session, opening: Opening, now: datetime) -> bool:
    """Step 4 has ended: all officers have posted, or t have and the window is over, or the window is over anyway."""
    posted = len(shares(session, opening))
    return posted == len(officers.seats(session, opening.lot)) or now > opening.shares_until


def signatures_wanted(session: Session, opening: Opening) -> int:
    """How many officers must countersign: t, or all who came, if fewer."""
    t = officers.current_policy(session, opening.lot, opening.part).t
    return min(t, len(shares(session, opening))) or 1
