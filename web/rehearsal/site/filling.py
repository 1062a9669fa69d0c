"""A rehearsal made from a site, step by step: folder, database, keys, the first record, people, sample files, the card.

The folder says that it is being made until all of it is there: a call that was cut off is made again from the beginning, for nothing of it
was handed to anybody yet. The card is the last thing written, and what is on it is kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from evaluation.panels import experts
from trading.kernel.access import Actor, Role
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import NotReady
from trading.kernel.work import Office, UnitOfWork
from trading.parties import handed_codes, parties
from trading.rulebook import calendars
from web import schema, wiring
from web.rehearsal.site import card, folder, people, samples
from web.rehearsal.site.people import Member, Taken
from web.settings import Settings

SETUP = Actor(Role.SECURITY_ADMIN, name="bidhall rehearse")
GROUPS = 3
"""Of four characters each, of what everybody signs in with: 59 bits, and typed in a second."""
BANK = "演练银行（虚构）"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """``names``: username → password. ``invented``: how many were filled up."""

    platform: str
    site: str
    taken: Taken
    passwords: dict[str, str]
    files: tuple[Path, ...]


def rehearse(into: Path, source: Path | None, tell: Tell) -> Made:
    """Make a rehearsal in an empty folder from a site, which is only read.

    Refuses: NotReady ``rehearsal.*`` of folder.py, ``rehearsal.no_site``, ``database.unreachable``, ``database.newer``,
    ``database.pending``.
    """
    site = folder.site_settings(source)
    folder.check_site(site)
    folder.check_apart(into, site)
    with folder.alone(into):
        taken = _read(site)
        people.fill_up(taken)
        folder.begin(into, site, write_moment(floor_second(wiring.open_clock(site).now())))
        settings = folder.settings_of(into)
        tell("database")
        engine = wiring.open_database(settings)
        schema.migrate(engine)
        engine.dispose()
        office = wiring.open_signing_office(settings)
        tell("people")
        passwords = _enter(office, taken)
        office.engine.dispose()
        tell("samples")
        files = samples.write(into / samples.FOLDER, taken)
        made = Made(settings.platform, site.platform, taken, passwords, files)
        card.write(into, made.platform, made.site, taken, passwords)
        folder.note(into, {**folder.facts(into), "done": True})
    return made


def _read(site: Settings) -> Taken:
    """All that is taken, from a database of this version. Refuses: NotReady ``database.unreachable``, ``database.newer``,
    ``database.pending``, ``rehearsal.no_site``."""
    with _reading(site) as session:
        return people.read(session, str(site.data))


@contextmanager
def _reading(site: Settings) -> Iterator[Session]:
    """The site's database, to be read and no more."""
    engine = wiring.open_reading(site)
    try:
        if not schema.plan(engine).applied:
            raise NotReady("rehearsal.no_site", data=str(site.data))
        schema.check_ready(engine)
        with engine.connect().execution_options(bidhall_readonly=True) as connection, Session(connection) as session:
            yield session
            session.rollback()
    finally:
        engine.dispose()


def _enter(office: Office, taken: Taken) -> dict[str, str]:
    """Everybody, in one unit of work; username → password."""
    passwords: dict[str, str] = {}
    with office.work(SETUP) as work:
        found = {}
        for number, one in enumerate(taken.orgs, 1):
            found[one.code] = parties.register(
                work,
                code=one.code,
                name=one.name,
                kind=one.kind,
                region=one.region,
                small=one.small,
                bank_account="" if one.kind == "expert" else f"9900{number:012d}",
                bank_name="" if one.kind == "expert" else BANK,
                another=True,
            )
        for person in taken.people:
            passwords[person.username] = _invite(work, found[person.org], person)
    with office.work(Actor(Role.CENTRE, name=SETUP.name)) as work:
        for listed in taken.experts:
            who = parties.find_account(work.session, listed.username)
            assert who is not None
            if Role.EXPERT in parties.roles_of(work.session, who):
                experts.register(
                    work,
                    who,
                    code=listed.code,
                    unit=listed.unit,
                    specialties=listed.specialties,
                    region=listed.region,
                )
    with office.work(Actor(Role.SYSTEM_ADMIN, name=SETUP.name)) as work:
        for text in taken.years:
            calendars.load(work, text)
    return passwords


def _invite(work: UnitOfWork, org: parties.Party, one: Member) -> str:
    password = draw()
    parties.invite(work, org, username=one.username, name=one.name, password=password, roles=list(one.roles))
    return password


def draw() -> str:
    """A password for the card, in groups of four as other handed-over secrets are."""
    return handed_codes.written(handed_codes.draw())[: GROUPS * 5 - 1]
