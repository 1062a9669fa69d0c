"""Organisations and people entered together from a table: checked whole, entered whole or not at all.

Law of the noun: the rules are those of entering one (parties.py, role_proposals.py): roles fit the organisation and do not clash, a role of
weight is proposed and another administrator decides. Nobody knows a first password: each person sets one by a link sent to the address
in the table. That address was an administrator's word, so the password set by it counts as handed over (handover.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto import passwords
from trading.kernel import ids
from trading.kernel.access import OF_WEIGHT, Act, Role
from trading.kernel.errors import Faults, Invalid, NotAllowed
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties, password_links, role_proposals
from trading.parties.own_people import is_address
from trading.parties.parties import Account, Party, RoleGrant

FIRMS, PEOPLE = "firms", "people"
MOST_LINES, MOST_FAULTS = 1000, 500
LIMITS = {
    "code": 40,
    "name": 200,
    "region": 40,
    "bank_name": 120,
    "username": 80,
    "person": 80,
    "mail": 254,
    "reason": 500,
}
_RUNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{3,79}")
_YES, _NO = {"是", "yes", "y", "true", "1", "√"}, {"", "否", "no", "n", "false", "0"}
_PARTS = re.compile(r"[、,，;；\n]+")


@dataclass(frozen=True)
class Line:
    number: int
    values: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """``heads``: each field by its heading as it stands there."""

    title: str = ""
    heads: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()

    def place(self, line: Line, name: str) -> str:
        return f"{self.title}!{line.number} {self.heads.get(name, name)}".strip()


@dataclass(frozen=True)
class Book:
    firms: Sheet = field(default_factory=Sheet)
    people: Sheet = field(default_factory=Sheet)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def of_json(value: Any) -> Book:
    """What ``to_json`` gave, back from a page. Refuses: Invalid ``people.unreadable``."""

    def sheet(held: Any) -> Sheet:
        lines = tuple(
            Line(int(one["number"]), {str(k): str(v) for k, v in one["values"].items()}) for one in held["lines"]
        )
        return Sheet(str(held["title"]), {str(k): str(v) for k, v in held["heads"].items()}, lines)

    try:
        return Book(sheet(value[FIRMS]), sheet(value[PEOPLE]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid("people.unreadable") from error


@dataclass(frozen=True)
class Words:
    """What stands in a cell → role or kind, in every language and in its code; folded as ``folded`` does."""

    roles: Mapping[str, Role]
    kinds: Mapping[str, str]


@dataclass(frozen=True)
class NewFirm:
    code: str
    name: str
    kind: str
    region: str
    small: bool
    bank_name: str
    bank_account: str


@dataclass(frozen=True)
class NewPerson:
    username: str
    name: str
    code: str
    firm: str
    mail: str
    roles: tuple[Role, ...]
    reason: str

    @property
    def heavy(self) -> tuple[Role, ...]:
        """Roles that a second administrator decides about."""
        return tuple(one for one in self.roles if one in OF_WEIGHT)


@dataclass(frozen=True)
class Plan:
    """``there``: how many organisations of the table are entered already, as they stand in it."""

    firms: tuple[NewFirm, ...]
    people: tuple[NewPerson, ...]
    there: int


def folded(text: str) -> str:
    """A word of a cell in one shape: half width, small letters, no blanks."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()


def check(view: View, book: Book, words: Words) -> Plan:
    """What would be entered. Refuses: NotAllowed, Invalid ``people.file`` with every fault, by sheet and line."""
    view.require(Act.USER_ADMIN)
    faults = Faults()
    many = len(book.firms.lines) + len(book.people.lines)
    if not many:
        faults.add("", "people.no_rows")
    if many > MOST_LINES:
        faults.add("", "people.too_many", most=MOST_LINES, lines=many)
        faults.refuse_if_any("people.file")
    known = _known_firms(view.session, book)
    firms, there = _firms(faults, book.firms, words, known, parties.centre_of_platform(view.session))
    kinds = {code: one.kind for code, one in known.items()} | {one.code: one.kind for one in firms}
    names = {code: one.name for code, one in known.items()} | {one.code: one.name for one in firms}
    people = _people(faults, view.session, book.people, words, kinds, names)
    faults.found = faults.found[:MOST_FAULTS]
    faults.refuse_if_any("people.file")
    return Plan(tuple(firms), tuple(people), there)


def _known_firms(session: Session, book: Book) -> dict[str, Party]:
    wanted = {_code(one.values.get("code", "")) for sheet in (book.firms, book.people) for one in sheet.lines}
    return {one.code: one for one in session.scalars(select(Party).where(Party.code.in_(sorted(wanted))))}


def _code(text: str) -> str:
    """As it is compared: a credit code in capitals, any other as it was entered."""
    code = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    return code.upper() if len(code) == 18 else code


def _firms(
    faults: Faults, sheet: Sheet, words: Words, known: Mapping[str, Party], centre: Party | None
) -> tuple[list[NewFirm], int]:
    found: dict[str, NewFirm] = {}
    first: dict[str, int] = {}
    there = 0
    for line in sheet.lines:
        cell = _Cells(faults, sheet, line)
        code, name = _code(cell.text("code", limit="code")), cell.text("name", limit="name")
        kind = words.kinds.get(folded(cell.text("kind")), "") if cell.has("kind") else ""
        if cell.has("kind") and not kind:
            cell.wrong("kind", "people.kind", value=cell.raw("kind")[:40])
        if code and kind:
            code = cell.checked("code", partial(parties.read_code, code=code, kind=kind))
        if kind == "centre" and code not in known and centre is not None:
            cell.wrong("kind", "party.second_centre", centre=centre.name, credit_code=centre.code)
        small = folded(cell.raw("small"))
        if small not in _YES | _NO:
            cell.wrong("small", "people.yes_no", value=cell.raw("small")[:40])
        account = re.sub(r"\s", "", unicodedata.normalize("NFKC", cell.raw("bank_account")))
        if account and not re.fullmatch(r"[0-9]{8,32}", account, re.ASCII):
            cell.wrong("bank_account", "registration.account_bad")
        if code in first:
            cell.wrong("code", "people.twice", value=code, line=first[code])
            continue
        if code:
            first[code] = line.number
        if code in known:
            if kind and (known[code].kind, known[code].name) != (kind, name):
                cell.wrong("code", "people.firm_differs", value=code, entered=known[code].name)
            there += 1
            continue
        region, bank = (
            cell.text("region", needed=False, limit="region"),
            cell.text("bank_name", needed=False, limit="bank_name"),
        )
        found[code] = NewFirm(code, name, kind, region, small in _YES, bank, account)
    return list(found.values()), there


def _people(
    faults: Faults,
    session: Session,
    sheet: Sheet,
    words: Words,
    kinds: Mapping[str, str],
    names: Mapping[str, str],
) -> list[NewPerson]:
    typed = {folded(one.values.get("username", "")) for one in sheet.lines}
    taken = set(session.scalars(select(Account.username).where(Account.username.in_(sorted(typed)))))
    found, first = [], dict[str, int]()
    for line in sheet.lines:
        cell = _Cells(faults, sheet, line)
        username = folded(cell.text("username"))
        if username and not _USERNAME.fullmatch(username):
            cell.wrong("username", "registration.username_bad")
        elif username in taken:
            cell.wrong("username", "account.exists", username=username)
        elif username in first:
            cell.wrong("username", "people.twice", value=username, line=first[username])
        first.setdefault(username, line.number)
        name, code = cell.text("person", limit="person"), _code(cell.text("code"))
        if code and code not in kinds:
            cell.wrong("code", "people.firm_unknown", value=code)
        mail = unicodedata.normalize("NFKC", cell.text("mail")).lower()
        if mail and not is_address(mail):
            cell.wrong("mail", "account.mail_bad")
        roles = _roles(cell, words, kinds.get(code, ""))
        reason = cell.text("reason", needed=bool(OF_WEIGHT & set(roles)), limit="reason")
        found.append(NewPerson(username, name, code, names.get(code, ""), mail, roles, reason))
    return found


def _roles(cell: _Cells, words: Words, kind: str) -> tuple[Role, ...]:
    found: list[Role] = []
    for part in filter(None, (one.strip() for one in _PARTS.split(cell.text("roles", lines=True)))):
        role = words.roles.get(folded(part))
        if role is None:
            cell.wrong("roles", "people.role", value=part[:40])
        elif role not in found:
            if kind:
                rules = Faults()
                parties.check_role(rules, "roles", Party(kind=kind), role, found)
                for one in rules.found:
                    cell.wrong("roles", one.code, **one.facts)
                if rules.found:
                    continue
            found.append(role)
    return tuple(found)


class _Cells:
    """The cells of one line; what is wrong with one is noted under its place."""

    def __init__(self, faults: Faults, sheet: Sheet, line: Line) -> None:
        self.faults, self.sheet, self.line = faults, sheet, line

    def raw(self, name: str) -> str:
        return self.line.values.get(name, "")

    def has(self, name: str) -> bool:
        return bool(self.raw(name).strip())

    def wrong(self, name: str, code: str, **facts: Any) -> None:
        self.faults.add(self.sheet.place(self.line, name), code, **facts)

    def checked(self, name: str, read: Callable[[Faults], str]) -> str:
        """What a rule of somewhere else reads, its faults noted here."""
        rules = Faults()
        value = read(rules)
        for one in rules.found:
            self.wrong(name, one.code, **one.facts)
        return value

    def text(self, name: str, *, needed: bool = True, limit: str = "", lines: bool = False) -> str:
        value = unicodedata.normalize("NFC", self.raw(name)).strip()
        most = LIMITS.get(limit or name, 500)
        if any(
            unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Cn") and not (lines and one == "\n") for one in value
        ):
            self.wrong(name, "form.bad_text")
        elif value.startswith(_RUNS):
            self.wrong(name, "people.formula", value=value[:40])
        elif len(value) > most:
            self.wrong(name, "form.too_long", limit=most, length=len(value))
        elif needed and not value:
            self.wrong(name, "form.required")
        else:
            return value
        return ""


# --- entering -----------------------------------------------------------------------------------------------------------------


def enter(work: UnitOfWork, book: Book, words: Words, *, base: str) -> Plan:
    """Enter all of it; each person is sent a link to set a first password. ``base``: the address of the platform.

    Refuses: as ``check``, NotAllowed ``account.admin_needed`` (the machine itself invites nobody in bulk), Invalid ``people.no_base``."""
    if work.actor.account_id is None:
        raise NotAllowed("account.admin_needed")
    work.require(Act.ROLE_GRANT)
    plan = check(work, book, words)
    if plan.people and not base:
        raise Invalid("people.no_base")
    firms = {one.code: _party(one) for one in plan.firms}
    work.session.add_all(firms.values())
    work.session.flush()
    for firm in firms.values():
        work.record("party.register", f"party/{firm.id}", kind=firm.kind)
    known = _parties(work.session, {one.code for one in plan.people})
    unknown = passwords.hash_password(ids.new_reference())  # nobody has it: a first one comes by link
    people = [(one, _account(work, one, known[one.code], unknown)) for one in plan.people]
    work.session.add_all(who for _, who in people)
    work.session.flush()
    for one, who in people:
        light = [role for role in one.roles if role not in OF_WEIGHT]
        work.session.add_all(
            RoleGrant(account_id=who.id, role=role, granted_by=work.actor.account_id, granted_at=work.now)
            for role in light
        )
        work.record("account.invite", f"account/{who.id}", roles=sorted(light), person=f"account:{who.id}")
    work.session.flush()
    for one, who in people:
        for role in one.heavy:
            role_proposals.propose(work, who, role, one.reason)
    password_links.invite(work, [who for _, who in people], base)
    return plan


def _party(one: NewFirm) -> Party:
    return Party(
        code=one.code,
        name=one.name,
        kind=one.kind,
        region=one.region,
        small=one.small,
        bank_name=one.bank_name,
        bank_account=one.bank_account,
    )


def _parties(session: Session, codes: Iterable[str]) -> dict[str, Party]:
    return {one.code: one for one in session.scalars(select(Party).where(Party.code.in_(sorted(codes))))}


def _account(work: UnitOfWork, one: NewPerson, firm: Party, unknown: str) -> Account:
    return Account(
        username=one.username,
        name=one.name,
        party_id=firm.id,
        password=unknown,
        mail=one.mail,
        made_at=work.now,
        handed_by=work.actor.account_id,
    )
