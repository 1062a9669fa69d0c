"""Who is taken from a site into its rehearsal: names, organisations, roles, experts and calendars, and nothing that is a secret.

No column that holds a password, a second factor, an address, an account or a key is asked for, and no table of tenders, bids, money or
messages: what was not read cannot be copied. The site is only read. Bidders are not the centre's people; three invented firms stand in for
them. What a site lacks yet is filled up with invented people, so that a whole tender can be played.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluation.panels.experts import Expert
from trading.kernel import ids, log_own
from trading.kernel.access import FITS, Role, clash, fitting
from trading.kernel.errors import NotReady
from trading.parties.parties import Account, Party, RoleGrant
from trading.rulebook.calendars import CalendarYear

FIRMS = 4
EXPERTS = 12
"""Of a specialty, so that a panel can be drawn though some have to keep away."""
SPECIALTY = "A0201"
DESKS: tuple[tuple[Role, str, int], ...] = (
    (Role.SYSTEM_ADMIN, "centre", 1),
    (Role.SECURITY_ADMIN, "centre", 2),
    (Role.AUDIT_ADMIN, "centre", 1),
    (Role.CENTRE, "centre", 1),
    (Role.HOST, "centre", 1),
    (Role.CASHIER, "centre", 1),
    (Role.CONTROLLER, "centre", 1),
    (Role.PURCHASER, "purchaser", 1),
    (Role.AGENCY, "agency", 1),
    (Role.SUPERVISOR, "supervisor", 1),
)
"""Role, the kind of organisation it is filled up at, and how many a tender needs."""
OFFICERS = (("centre",), ("purchaser", "agency"), ("supervisor",))
"""One key holder from each side at least."""
ORGANISATIONS = {
    "centre": "演练交易中心",
    "purchaser": "演练采购单位",
    "agency": "演练代理机构",
    "supervisor": "演练监督机构",
}


@dataclass
class Org:
    """``invented``: it is nobody's but the rehearsal's."""

    code: str
    name: str
    kind: str
    region: str = ""
    small: bool = False
    invented: bool = False


@dataclass
class Member:
    """``org``: the code of the organisation."""

    username: str
    name: str
    org: str
    roles: tuple[Role, ...]
    invented: bool = False


@dataclass
class Listed:
    """An expert of the library; ``unit`` where they work."""

    username: str
    code: str
    unit: str
    specialties: tuple[str, ...]
    region: str = ""


@dataclass
class Taken:
    """Everybody of a rehearsal, in the order in which they are entered."""

    orgs: list[Org] = field(default_factory=list)
    people: list[Member] = field(default_factory=list)
    experts: list[Listed] = field(default_factory=list)
    years: list[str] = field(default_factory=list)


def read(session: Session, data: str) -> Taken:
    """What a site's database says of its own people. Refuses: NotReady ``rehearsal.no_site`` where no site has begun."""
    if not log_own.begun(session):
        raise NotReady("rehearsal.no_site", data=data)
    taken = Taken(years=list(session.scalars(select(CalendarYear.text).order_by(CalendarYear.id))))
    orgs = {
        number: Org(code, name, kind, region, small)
        for number, code, name, kind, region, small in session.execute(
            select(Party.id, Party.code, Party.name, Party.kind, Party.region, Party.small)
            .where(Party.kind != "bidder")
            .order_by(Party.id)
        )
    }
    granted: dict[int, list[Role]] = {}
    for account, role in session.execute(select(RoleGrant.account_id, RoleGrant.role).order_by(RoleGrant.id)):
        granted.setdefault(account, []).append(Role(role))
    usernames: dict[int, str] = {}
    for number, username, name, party in session.execute(
        select(Account.id, Account.username, Account.name, Account.party_id)
        .where(Account.disabled_at.is_(None))
        .order_by(Account.id)
    ):
        org = orgs.get(party)
        roles = tuple(sorted(fitting(granted.get(number, ()), org.kind), key=str)) if org else ()
        if org is None or not roles or clash(frozenset(roles)):
            continue
        usernames[number] = username
        taken.people.append(Member(username, name, org.code, roles))
    seated = {one.org for one in taken.people}
    taken.orgs = [one for one in orgs.values() if one.kind not in ("expert", "platform") or one.code in seated]
    for account, code, unit, specialties, region in session.execute(
        select(Expert.account_id, Expert.code, Expert.unit, Expert.specialties, Expert.region)
        .where(Expert.active)
        .order_by(Expert.code)
    ):
        if account in usernames and specialties:
            taken.experts.append(Listed(usernames[account], code, unit, tuple(specialties), region))
    return taken


def fill_up(taken: Taken) -> None:
    """Add what a whole tender needs and the site has not yet, and the bidders."""
    region = next((one.region for one in taken.orgs if one.kind == "centre" and one.region), "")
    for role, kind, most in DESKS:
        for _n in range(most - _held(taken, role, FITS[role])):
            _invent(taken, role, kind, region)
    for side in OFFICERS:
        if not _held(taken, Role.OFFICER, side):
            _invent(taken, Role.OFFICER, next((k for k in side if _org(taken, k)), side[0]), region)
    _fill_library(taken, region)
    for n in range(1, FIRMS + 1):
        org = Org(_code(n), f"演练投标人{'甲乙丙丁'[n - 1]}有限公司", "bidder", region, invented=True)
        taken.orgs.append(org)
        _person(taken, f"bidder{n}", f"投标人{'甲乙丙丁'[n - 1]}", org, Role.BIDDER_SIGNER)


def firms(taken: Taken) -> Iterator[tuple[Org, Member]]:
    """Each firm of the rehearsal, with whoever signs for it."""
    orgs = {one.code: one for one in taken.orgs if one.kind == "bidder"}
    return ((orgs[one.org], one) for one in taken.people if one.org in orgs)


def _held(taken: Taken, role: Role, kinds: frozenset[str] | tuple[str, ...]) -> int:
    kind_of = {one.code: one.kind for one in taken.orgs}
    return sum(1 for one in taken.people if role in one.roles and kind_of.get(one.org) in kinds)


def _org(taken: Taken, kind: str) -> Org | None:
    return next((one for one in taken.orgs if one.kind == kind), None)


def _invent(taken: Taken, role: Role, kind: str, region: str) -> None:
    """Somebody for a desk that nobody sits at, in an organisation of that kind; an invented one where there is none."""
    org = _org(taken, kind)
    if org is None:
        org = Org(_code(100 + len(taken.orgs)), ORGANISATIONS[kind], kind, region, invented=True)
        taken.orgs.append(org)
    _person(taken, role.value, f"演练{len(taken.people) + 1:02d}号", org, role)


def _person(taken: Taken, stem: str, name: str, org: Org, role: Role) -> None:
    known = {one.username for one in taken.people}
    username = next(
        one for one in (f"yl-{stem}", *(f"yl-{stem}-{n}" for n in range(2, len(known) + 3))) if one not in known
    )
    taken.people.append(Member(username, name, org.code, (role,), invented=True))


def _fill_library(taken: Taken, region: str) -> None:
    found = Counter(code for one in taken.experts for code in one.specialties)
    specialty = max(sorted(found), key=lambda code: found[code], default=SPECIALTY)
    codes = {one.code for one in taken.orgs} | {one.code for one in taken.experts}
    for n in range(1, EXPERTS - found[specialty] + 1):
        code = next(one for one in (f"YL{n:03d}", *(f"YL{n:03d}-{m}" for m in range(2, 99))) if one not in codes)
        org = Org(code, f"演练专家{n:02d}", "expert", region, invented=True)
        taken.orgs.append(org)
        _person(taken, f"expert{n:02d}", org.name, org, Role.EXPERT)
        place = f"演练单位{n:02d}"
        taken.experts.append(Listed(taken.people[-1].username, code, place, (specialty,), region))


def _code(number: int) -> str:
    """A well-formed unified social credit code of nobody."""
    first = f"91000000MAYL{number:05d}"
    return first + ids.uscc_check(first)
