"""What a procurement procedure is: the types its declaration is written in. Data and small pure functions; no database, no clock.

A number of the law is never written here or in a declaration: a ``RuleRef`` names the row of the dated rulebook that holds it, and the
rulebook a lot was published under is asked for its value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction

from trading.procedures.vocabulary import USUAL, Vocabulary
from trading.rulebook import Rulebook

OPENED, CONFIRMATION_ENDS, NOTICE_ENDS, DEADLINE = "opened", "confirmation_ends", "notice_period_ends", "bid_deadline"
RESULT_ENDS, PUBLICITY_ENDS = "result_period_ends", "publicity_ends"
"""The moments a period to object is counted from."""
QUALIFICATION, CONFORMITY = "qualification", "conformity"
ANNOUNCED, SIGNED = "award_announced", "contract_signed"


class RuleRef(str):
    """The id of a row of the rulebook."""

    __slots__ = ()


@dataclass(frozen=True)
class Words:
    """A name in both languages."""

    zh: str
    en: str

    def text(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


# --- intake and the way of a lot --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Needed:
    """A field that a filing must hold; ``gap``: the code of its absence; ``rule``: what it rests on; ``of_agency``: only where an agency
    files for the purchaser; ``from_budget``: only from the budget of that row on; ``grounds``: only where one of these was chosen, ()
    where the ground does not matter."""

    field: str
    gap: str
    rule: str = "A-01"
    of_agency: bool = False
    from_budget: RuleRef | None = None
    grounds: tuple[str, ...] = ()

    def wanted(self, book: Rulebook, budget: Fraction, *, by_agency: bool, ground: str) -> bool:
        """Whether a filing for a budget in yuan must hold it. Refuses: NotFound (the rulebook lacks the row)."""
        return (
            (by_agency or not self.of_agency)
            and (self.from_budget is None or budget >= book.rule(self.from_budget).number)
            and (not self.grounds or ground in self.grounds)
        )


@dataclass(frozen=True)
class Ground:
    """A case in which the law allows a method that is not the open tender; ``basis``: the article."""

    code: str
    basis: str


@dataclass(frozen=True)
class Intake:
    """What may be filed. ``kinds``: of works, ``("",)`` where there are none; ``transaction_category``: of the unified transaction code,
    where the filer names none (the open end of the list); ``grounds``: one of which must be named, () for the open tender; ``limits``:
    the article that keeps the method to its categories, "" where the regime does."""

    categories: tuple[str, ...]
    kinds: tuple[str, ...]
    transaction_category: str
    filing: tuple[Needed, ...]
    grounds: tuple[Ground, ...] = ()
    limits: str = ""

    def needed(self, book: Rulebook, budget: Fraction, *, by_agency: bool, ground: str = "") -> tuple[Needed, ...]:
        """What a filing for a budget in yuan must hold. Refuses: NotFound (the rulebook lacks a row)."""
        return tuple(one for one in self.filing if one.wanted(book, budget, by_agency=by_agency, ground=ground))

    def asks(self, field: str) -> bool:
        return any(one.field == field for one in self.filing)


@dataclass(frozen=True)
class Path:
    """The way of a lot through the one table of lot steps: the states it may be in, the steps it may take, ``never``: pairs of state and
    step that the table has and this procedure has not."""

    states: tuple[str, ...]
    steps: tuple[str, ...]
    never: tuple[tuple[str, str], ...] = ()

    def allows(self, state: str, step: str) -> bool:
        return state in self.states and step in self.steps and (state, step) not in self.never


@dataclass(frozen=True)
class PublicStage:
    """A stage of the road shown to the public, with the states of the lot in which it is the present one."""

    code: str
    states: tuple[str, ...] = ()


# --- bids, reviews, panel ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Minimum:
    """How many bids there must be. ``at_deadline``: bids received; fewer fail the lot by the step ``fails_by``. ``conforming``: bids left
    after the reviews, None where one is enough; ``competition``: rejections that leave fewer want the panel's word whether competition is
    left, None where the law does not ask for it (rule B-10). ``lapses_when_revoked``: the lot fails too when every bid counts as revoked
    because its own bidder's key did not open it."""

    at_deadline: RuleRef
    fails_by: str
    conforming: RuleRef | None = None
    competition: RuleRef | None = None
    lapses_when_revoked: bool = False

    def bidders(self, book: Rulebook) -> int:
        """Bids that must have been received at the deadline. Refuses: NotFound (the rulebook lacks the row)."""
        return book.rule(self.at_deadline).whole

    def left(self, book: Rulebook) -> int:
        """Bids that must be left for the evaluation to go on. Refuses: NotFound (the rulebook lacks the row)."""
        return 1 if self.conforming is None else book.rule(self.conforming).whole

    def wants_word(self, book: Rulebook, left: int, rejected: int) -> bool:
        """Whether the panel must say if competition is left, where ``rejected`` bids leave ``left``. Refuses: NotFound."""
        return self.competition is not None and rejected > 0 and 0 < left < book.rule(self.competition).whole

    def all_revoked(self, book: Rulebook, received: int, revoked: int) -> bool:
        """Whether nothing is left of the tender once bids lost by their own bidders count as revoked. Refuses: NotFound."""
        return self.lapses_when_revoked and (received < self.bidders(book) or revoked == received)


@dataclass(frozen=True)
class InvitationRule:
    """Only invited bidders may take part, ``least`` of them or more. ``pool``: how many times their number must be known for them to be
    drawn by lot from; None where they are chosen."""

    least: RuleRef
    pool: RuleRef | None = None


@dataclass(frozen=True)
class Review:
    """A review of bids: ``by`` whom, and the step of the lot that begins it."""

    kind: str
    by: str
    begins_by: str


@dataclass(frozen=True)
class PanelRule:
    """The evaluation committee. ``large``, ``large_budget``: more members from a budget on, and with ``large_by_nature`` where the project
    is complex or of large social impact. ``purchaser_may_lead``: whether the purchaser's representative may be the chair (rule P-40)."""

    members: RuleRef
    odd: RuleRef
    experts: RuleRef
    purchaser_may_lead: bool
    large: RuleRef | None = None
    large_budget: RuleRef | None = None
    large_by_nature: bool = True

    def least(self, book: Rulebook, budget: Fraction, *, complex: bool = False, large_impact: bool = False) -> int:
        """The smallest lawful panel for a budget in yuan. Refuses: NotFound (the rulebook lacks a row)."""
        if self.large is None or self.large_budget is None:
            return book.rule(self.members).whole
        by_nature = self.large_by_nature and (complex or large_impact)
        large = by_nature or budget >= book.rule(self.large_budget).number
        return book.rule(self.large if large else self.members).whole


# --- award, contract, notices -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Publicity:
    """The candidates are shown before the decision: within ``starts`` of the report, for ``lasts``, ``most`` candidates."""

    starts: RuleRef
    lasts: RuleRef
    most: RuleRef


@dataclass(frozen=True)
class AwardRule:
    """How the winner is found: by ``publicity`` of candidates, or by decision alone (None). Periods of decision, result notice and its
    display; None where the law sets none."""

    publicity: Publicity | None
    decide: RuleRef | None
    announce: RuleRef | None
    shown: RuleRef | None


@dataclass(frozen=True)
class ContractRule:
    """Periods from the award notice to the signing, and from the signing to publication and filing; None where the law sets none."""

    sign: RuleRef
    publish: RuleRef | None
    file: RuleRef | None


@dataclass(frozen=True)
class NoticeRule:
    """A notice of the regular course: its kind, and the fields of its body.

    A lot opened in another way than most says so in further ones.
    """

    kind: str
    fields: tuple[str, ...]


# --- remedies and money -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """Until when a stage may be objected to. ``anchor``: the moment counted from; ``period``: the row counted, None where the anchor is the
    last moment itself; ``basis``: the rule or article shown with it."""

    stage: str
    anchor: str
    period: RuleRef | None
    basis: str


@dataclass(frozen=True)
class Remedies:
    """``kind``: objection (异议) or challenge (质疑). ``opening_waits``: whether bids are opened only when everything filed about the
    documents is answered. ``stops``: steps that wait until what was filed about the result is answered; ``upheld_stops``: steps that an
    upheld one bars until what it leads to is done. ``complaint``: the period to complain, from the answer where ``complaint_from_answer``,
    else from the end of the time for it; ``complaint_examined``, ``complaint_decided``: periods of the supervisory body;
    ``complaint_suspends``: the longest it may have the procurement stand still, None where no day is named. ``forfeit``: the period
    against a decision to keep a deposit; ``forfeit_by``: whether that goes by the same kind of remedy, or by complaint to the supervisory
    body."""

    kind: str
    windows: tuple[Window, ...]
    answer: RuleRef
    complaint: RuleRef
    complaint_examined: RuleRef
    complaint_decided: RuleRef
    stops: tuple[str, ...]
    upheld_stops: tuple[str, ...]
    forfeit: RuleRef
    forfeit_by: str
    opening_waits: bool = False
    complaint_from_answer: bool = False
    complaint_suspends: RuleRef | None = None

    def window(self, stage: str) -> Window:
        return next(one for one in self.windows if one.stage == stage)


@dataclass(frozen=True)
class Refund:
    """``event``: the anchor of the rulebook's row on refunds; ``on``: what brings it about; ``losers``: only for those who did not win."""

    event: str
    on: str
    losers: bool = False


@dataclass(frozen=True)
class Money:
    """Deposits: events of the award that set them free, grounds (rule ids) on which one may be kept, to whom it then goes; ``missing``: the
    rule by which a bid without its deposit is left out."""

    refunds: tuple[Refund, ...]
    grounds: tuple[str, ...]
    goes_to: str
    missing: str

    @property
    def losers_first(self) -> bool:
        """Whether those who did not win get their deposits back by an event of their own, before the contract."""
        return any(one.losers for one in self.refunds)


# --- the whole --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Procedure:
    """One method of procurement. ``law``: its regime by name, ``scope``: in a sentence for whoever chooses; ``envelopes``: how a bid may be
    parted; ``evaluation``: ids of the evaluation methods a scheme may use; ``coefficient``: whether one may be drawn for the price formula;
    ``base_price``, ``intention``: rule, None where there is no such thing; ``ceiling``: rule of a price above it; ``ceiling_within``: rule
    by which it stays within the budget, None where it may be above; ``abnormal_prices``: rows by which a low price is prompted for;
    ``consortium``: article on bidding both alone and jointly; ``invitation``: rule on who is invited, None where everybody may bid;
    ``vocabulary``: its words where the platform's usual ones are others."""

    id: str
    regime: str
    name: Words
    law: Words
    scope: Words
    intake: Intake
    path: Path
    public_stages: tuple[PublicStage, ...]
    envelopes: tuple[tuple[str, ...], ...]
    minimum: Minimum
    reviews: tuple[Review, ...]
    panel: PanelRule
    evaluation: tuple[str, ...]
    award: AwardRule
    contract: ContractRule
    notices: tuple[NoticeRule, ...]
    remedies: Remedies
    money: Money
    ceiling: RuleRef
    consortium: str
    coefficient: bool = False
    ceiling_within: RuleRef | None = None
    base_price: RuleRef | None = None
    intention: RuleRef | None = None
    abnormal_prices: tuple[RuleRef, ...] = ()
    invitation: InvitationRule | None = None
    vocabulary: Vocabulary = USUAL

    def reviews_kind(self, kind: str) -> bool:
        """Whether there is a review of this kind."""
        return any(one.kind == kind for one in self.reviews)

    @property
    def after_opening(self) -> str:
        """The step that hands an opened lot to its first review."""
        return self.reviews[0].begins_by

    @property
    def qualifies(self) -> bool:
        """Whether the purchaser or its agency reviews qualification before the panel."""
        return self.reviews_kind(QUALIFICATION)

    def stage_of(self, state: str) -> str:
        """The public stage a lot in ``state`` is at, "" for none."""
        return next((one.code for one in self.public_stages if state in one.states), "")

    def shares_terms_with(self, other: Procedure) -> bool:
        """Whether words and terms of a lot under ``other`` may be taken over: the same law governs both."""
        return self.regime == other.regime


def rule_refs(thing: object, where: str = "") -> Iterator[tuple[str, RuleRef]]:
    """Every reference to the rulebook in a declaration, with the place it stands at: ``award.publicity.lasts``."""
    if isinstance(thing, RuleRef):
        yield where, thing
    elif isinstance(thing, tuple):
        for one in thing:
            yield from rule_refs(one, where)
    elif is_dataclass(thing):
        for field in fields(thing):
            yield from rule_refs(getattr(thing, field.name), f"{where}.{field.name}".lstrip("."))
