"""The public reading side: lists of lots and notices as anybody may see them, filtered and paged by the database.

A row has no field for what must not leak (promise S1): nothing about bidders, takers of documents, askers or deposits. Lists read whole
rows in one query, whatever their length; the public entries of the log are in ``log_queries``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from trading.awarding import awards, contracts
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony
from trading.parties.parties import Party
from trading.tendering import documents, notices
from trading.tendering.notices import Notice
from trading.tendering.projects import Project
from trading.tendering.tenders import Lot, Tender

PHASES = ("open", "opening", "publicity", "result", "failed")
SORTS = ("deadline", "-deadline", "budget", "-budget", "published", "-published")
REVIEWED = ("OPENING", "QUAL_REVIEW", "EVALUATION", "REPORT")
_RESULT = ("RESULT", "CONTRACT", "FILING", "CLOSING")
OUTCOMES = ("candidates", "result", "failure", "termination", "contract")


@dataclass(frozen=True)
class LotLine:
    """One lot in a list."""

    ref: str
    title: str
    tender_title: str
    code: str
    regime: str
    method: str
    category: str
    purchaser: str
    region: str
    state: str
    budget: Money
    place: str
    round: int
    published_at: datetime
    deadline: datetime | None
    opens_at: datetime | None


@dataclass(frozen=True)
class NoticeLine:
    """One notice in a list."""

    id: int
    lot: str
    kind: str
    version: int
    title: str
    tender_title: str
    regime: str
    purchaser: str
    published_at: datetime
    until: datetime | None
    body: dict[str, Any]
    document_hash: str


@dataclass(frozen=True)
class FileLine:
    """One version of a published file; ``newest`` while it stands."""

    id: int
    kind: str
    name: str
    version: int
    size: int
    sha256: str
    published_at: datetime
    newest: bool


@dataclass(frozen=True)
class Filters:
    """What a list of lots may be narrowed by; amounts in fen. Empty: not asked for."""

    words: str = ""
    regime: str = ""
    method: str = ""
    region: str = ""
    phase: str = ""
    least: int | None = None
    most: int | None = None


# --- lots -------------------------------------------------------------------------------------------------------------------------

_LOT = (
    Lot.ref,
    Lot.title,
    Tender.title,
    Project.code,
    Project.regime,
    Project.method,
    Project.category,
    Party.name,
    Project.region,
    Lot.state,
    Lot.budget_minor,
    Lot.currency,
    Lot.place,
    Lot.round,
    Lot.published_at,
    Lot.deadline,
    Lot.opens_at,
)


def _joined(*what: Any) -> Select[Any]:
    return (
        select(*what)
        .select_from(Lot)
        .join(Tender, Tender.id == Lot.tender_id)
        .join(Project, Project.id == Tender.project_id)
        .join(Party, Party.id == Project.purchaser_id)
        .where(Lot.published_at.is_not(None))
    )


def _line(row: Any) -> LotLine:
    (
        ref,
        title,
        tender_title,
        code,
        regime,
        method,
        category,
        purchaser,
        region,
        state,
        budget,
        currency,
        place,
        rounds,
        published,
        deadline,
        opens,
    ) = row
    return LotLine(
        ref,
        title,
        tender_title,
        code or "",
        regime,
        method,
        category,
        purchaser,
        region,
        state,
        Money(budget, currency),
        place,
        rounds,
        published,
        deadline,
        opens,
    )


def _has_words(text: str) -> ColumnElement[bool]:
    """Every word occurs in the lot's or tender's title, a reference, or the purchaser's name."""
    columns = (Lot.title, Tender.title, Lot.ref, Project.code, Party.name)
    return and_(*(or_(*(column.contains(word, autoescape=True) for column in columns)) for word in text.split()[:8]))


def _in_phase(phase: str, now: datetime) -> ColumnElement[bool]:
    succeeded = Lot.failure.is_(None) & Lot.id.in_(select(Notice.lot_id).where(Notice.kind == "result"))
    return {
        "open": Lot.state.in_(("NOTICE", "BIDDING")) & (Lot.deadline > now),
        "opening": Lot.state.in_(REVIEWED) | (Lot.state.in_(("NOTICE", "BIDDING")) & (Lot.deadline <= now)),
        "publicity": Lot.state.in_(("CANDIDATES", "AWARD")),
        "result": Lot.state.in_(_RESULT) | ((Lot.state == "ARCHIVED") & succeeded),
        "failed": Lot.state.in_(("FAILED", "TERMINATED")) | ((Lot.state == "ARCHIVED") & ~succeeded),
    }[phase]


def _wanted(filters: Filters, now: datetime) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if filters.words.strip():
        asked.append(_has_words(filters.words))
    asked += [
        column == value
        for column, value in (
            (Project.regime, filters.regime),
            (Project.method, filters.method),
            (Project.region, filters.region),
        )
        if value
    ]
    if filters.phase in PHASES:
        asked.append(_in_phase(filters.phase, now))
    if filters.least is not None:
        asked.append(Lot.budget_minor >= filters.least)
    if filters.most is not None:
        asked.append(Lot.budget_minor <= filters.most)
    return asked


_ORDER = {"deadline": Lot.deadline, "budget": Lot.budget_minor, "published": Lot.published_at}


def count_lots(view: View, filters: Filters) -> int:
    return int(view.session.scalar(_joined(func.count()).where(*_wanted(filters, view.now))) or 0)


def lots(view: View, filters: Filters, *, sort: str = "deadline", limit: int = 20, skip: int = 0) -> list[LotLine]:
    """Published lots that meet the filters; by deadline unless another of SORTS is asked for."""
    column = _ORDER[sort.lstrip("-")] if sort in SORTS else Lot.deadline
    by = (column.desc(), Lot.id.desc()) if sort.startswith("-") else (column, Lot.id)
    rows = _joined(*_LOT).where(*_wanted(filters, view.now)).order_by(*by).limit(limit).offset(skip)
    return [_line(row) for row in view.session.execute(rows)]


def openings_between(view: View, since: datetime, until: datetime, limit: int = 50) -> list[LotLine]:
    """Lots whose opening lies in [since, until), in the order of the hour."""
    rows = _joined(*_LOT).where(Lot.opens_at >= since, Lot.opens_at < until).order_by(Lot.opens_at, Lot.id).limit(limit)
    return [_line(row) for row in view.session.execute(rows)]


def count_openings(view: View, *, since: datetime | None = None, before: datetime | None = None) -> int:
    return int(view.session.scalar(_joined(func.count()).where(*_opened(since, before))) or 0)


def openings(
    view: View, *, since: datetime | None = None, before: datetime | None = None, limit: int = 50, skip: int = 0
) -> list[LotLine]:
    """Openings from ``since`` on, the next first; those ``before`` a moment, the last first."""
    by = (Lot.opens_at.desc(), Lot.id.desc()) if since is None else (Lot.opens_at, Lot.id)
    rows = _joined(*_LOT).where(*_opened(since, before)).order_by(*by).limit(limit).offset(skip)
    return [_line(row) for row in view.session.execute(rows)]


def _opened(since: datetime | None, before: datetime | None) -> list[ColumnElement[bool]]:
    return [
        Lot.opens_at.is_not(None),
        *([Lot.opens_at >= since] if since else []),
        *([Lot.opens_at < before] if before else []),
    ]


def moments_between(view: View, since: datetime, until: datetime, limit: int = 40) -> list[tuple[datetime, str]]:
    """(moment, kind) of what falls into [since, until): openings, bid deadlines, ends of enquiry and of publicity; by the hour."""
    found: list[tuple[datetime, str]] = []
    for kind, column in (("opening", Lot.opens_at), ("deadline", Lot.deadline), ("clarify", Lot.clarify_until)):
        rows = (
            select(column)
            .where(
                Lot.published_at.is_not(None),
                column >= since,
                column < until,
                Lot.state.not_in(("FAILED", "TERMINATED", "ARCHIVED")),
            )
            .order_by(column)
            .limit(limit)
        )
        found += [(moment, kind) for moment in view.session.scalars(rows) if moment is not None]
    ends = (
        select(Notice.until)
        .where(Notice.kind == "candidates", Notice.until >= since, Notice.until < until)
        .limit(limit)
    )
    found += [(moment, "publicity") for moment in view.session.scalars(ends) if moment is not None]
    return sorted(found)


def regions(view: View) -> list[str]:
    """Districts in which something was published."""
    return [name for name in view.session.scalars(_joined(Project.region).distinct().order_by(Project.region)) if name]


def published_lot(view: View, ref: str) -> Lot:
    """A lot that is public. Refuses: NotFound."""
    found = view.session.scalar(select(Lot).where(Lot.ref == ref, Lot.published_at.is_not(None)))
    if found is None:
        raise NotFound("lot.unknown", ref=ref)
    return found


def successor(view: View, lot: Lot) -> str:
    """The reference of the published lot that goes on where this one failed, "" if there is none."""
    return (
        view.session.scalar(
            select(Lot.ref).where(Lot.predecessor_id == lot.id, Lot.published_at.is_not(None)).order_by(Lot.id)
        )
        or ""
    )


# --- notices ----------------------------------------------------------------------------------------------------------------------


def _noticed(*what: Any) -> Select[Any]:
    return (
        select(*what)
        .select_from(Notice)
        .join(Lot, Lot.id == Notice.lot_id)
        .join(Tender, Tender.id == Lot.tender_id)
        .join(Project, Project.id == Tender.project_id)
        .join(Party, Party.id == Project.purchaser_id)
    )


_NOTICE = (
    Notice.id,
    Lot.ref,
    Notice.kind,
    Notice.version,
    Notice.title,
    Tender.title,
    Project.regime,
    Party.name,
    Notice.published_at,
    Notice.until,
    Notice.body,
    Notice.document_hash,
)


def _about(kinds: Iterable[str], words: str, regime: str) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if chosen := [kind for kind in kinds if kind in notices.KINDS]:
        asked.append(Notice.kind.in_(chosen))
    if words.strip():
        asked.append(_has_words(words))
    if regime:
        asked.append(Project.regime == regime)
    return asked


def count_notices(view: View, *, kinds: Iterable[str] = (), words: str = "", regime: str = "") -> int:
    return int(view.session.scalar(_noticed(func.count()).where(*_about(kinds, words, regime))) or 0)


def notice_lines(
    view: View, *, kinds: Iterable[str] = (), words: str = "", regime: str = "", limit: int = 20, skip: int = 0
) -> list[NoticeLine]:
    """Notices of all lots, newest first."""
    rows = (
        _noticed(*_NOTICE).where(*_about(kinds, words, regime)).order_by(Notice.published_at.desc(), Notice.id.desc())
    )
    return [NoticeLine(*row) for row in view.session.execute(rows.limit(limit).offset(skip))]


def notice_numbers(view: View, refs: Iterable[str], kinds: Iterable[str]) -> dict[str, dict[str, int]]:
    """Lot → kind → number of its newest notice of that kind, in one question."""
    rows = (
        select(Lot.ref, Notice.kind, func.max(Notice.id))
        .join(Lot, Lot.id == Notice.lot_id)
        .where(Lot.ref.in_(list(refs)), Notice.kind.in_(list(kinds)))
        .group_by(Lot.ref, Notice.kind)
    )
    found: dict[str, dict[str, int]] = {}
    for ref, kind, number in view.session.execute(rows):
        found.setdefault(ref, {})[kind] = number
    return found


def notice_of(view: View, notice_id: int) -> tuple[Notice, Lot]:
    """One notice with its lot. Refuses: NotFound."""
    found = view.session.get(Notice, notice_id)
    if found is None:
        raise NotFound("notice.unknown", id=notice_id)
    return found, view.session.get_one(Lot, found.lot_id)


# --- files ------------------------------------------------------------------------------------------------------------------------


def file_lines(view: View, lot: Lot) -> list[FileLine]:
    """Every published version of every file, by name, newest version first; none before the documents are issued."""
    if not documents.may_take(view, lot):
        return []
    model = documents.TenderDocument
    rows = select(model).where(model.lot_id == lot.id, model.published, model.withdrawn_at.is_(None))
    found: list[FileLine] = []
    for row in view.session.scalars(rows.order_by(model.name, model.version.desc())):
        found.append(_file(row, not found or found[-1].name != row.name))
    return found


def files_of_digest(view: View, sha256: str) -> list[tuple[str, FileLine]]:
    """(lot, file) of published files with this digest: for whoever holds a file and asks whether it is the published one."""
    model = documents.TenderDocument
    newest = (
        select(model.lot_id, model.name, func.max(model.version).label("version"))
        .where(model.published, model.withdrawn_at.is_(None))
        .group_by(model.lot_id, model.name)
        .subquery()
    )
    rows = (
        select(model, Lot, newest.c.version)
        .join(Lot, Lot.id == model.lot_id)
        .join(newest, and_(newest.c.lot_id == model.lot_id, newest.c.name == model.name))
        .where(model.sha256 == sha256, model.published, model.withdrawn_at.is_(None))
        .order_by(Lot.id, model.version)
        .limit(20)
    )
    return [
        (lot.ref, _file(row, row.version == last))
        for row, lot, last in view.session.execute(rows)
        if documents.may_take(view, lot)
    ]


def _file(row: documents.TenderDocument, newest: bool) -> FileLine:
    return FileLine(
        row.id, row.kind, row.name, row.version, row.size, row.sha256, row.published_at or row.added_at, newest
    )


# --- outcome ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What has been published of a lot's end: the standing notices, and until when one may object.

    ``bidders_public``: the opening list has been published."""

    candidates: Notice | None
    result: Notice | None
    contract: Notice | None
    failure: Notice | None
    object_until: datetime | None
    contract_by: datetime | None
    reasons: dict[str, Any]
    signed_at: datetime | None
    bidders_public: bool


def outcome(view: View, lot: Lot) -> Outcome:
    """Nothing in it is from the award itself before its notice: a decision is told to everybody at the same time."""
    last: dict[str, Notice] = {}
    for row in notices.of_lot(view.session, lot):
        last[row.kind] = row
        if "withdraws" in row.body:
            last.pop(row.body["withdraws"], None)
    award = awards.find(view.session, lot) if "candidates" in last or "result" in last else None
    contract = contracts.find(view.session, lot) if "contract" in last else None
    until = awards.object_until(award) if award is not None else None
    announced = award is not None and "result" in last
    return Outcome(
        last.get("candidates"),
        last.get("result"),
        last.get("contract"),
        last.get("failure") or last.get("termination"),
        until,
        award.contract_by if announced and award else None,
        _reasons(award, announced) if award else {},
        contract.signed_at if contract else None,
        ceremony.is_public(view.session, lot),
    )


def _reasons(award: awards.Award, announced: bool) -> dict[str, Any]:
    """How the published dates were counted; of a decision that is not announced, nothing."""
    return {name: told for name, told in award.reasons.items() if announced or name == "publicity_until"}
