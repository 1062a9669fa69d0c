"""Who plays: organisations and people of a small town, registered by its administrators; every person keeps their own keys.

The first administrator is made as on any empty platform; everybody else is entered by that person. From then on all of them only use the
pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crypto.keys import new_secret
from evaluation.panels import experts
from trading.kernel.access import Actor, Role
from trading.kernel.clock import Clock
from trading.parties import parties
from web.rehearsal import names
from web.rehearsal.browser import Browser
from web.rehearsal.names import Member, Org
from web.rehearsal.server import Stage

PASSWORD = "sunny-hall-2026"
SETUP = Actor(Role.SECURITY_ADMIN, name="setup")
SPECIALTY = "A0201"
IDLE, DAY, FRESH = timedelta(minutes=25), timedelta(hours=11), timedelta(minutes=9)
OFFICERS = (
    ("officer1", "platform"),
    ("officer2", "platform"),
    ("officer3", "tenderee"),
    ("officer4", "tenderee"),
    ("officer5", "supervisor"),
)
EXPERTS = len(names.EXPERTS)


@dataclass
class Keys:
    """A person's secrets: Ed25519 ``sign``, X25519 ``seal``, an officer's ``root``."""

    sign: bytes = field(default_factory=new_secret)
    seal: bytes = field(default_factory=new_secret)
    root: bytes = field(default_factory=new_secret)


@dataclass
class Person:
    """Somebody who plays: what they sign in with, their keys, their browser. ``holder`` is the name in signed documents."""

    username: str
    name: str
    org: str
    code: str
    roles: tuple[Role, ...]
    browser: Browser
    clock: Clock
    name_of_org: str = ""
    keys: Keys = field(default_factory=Keys)
    since: datetime | None = None
    seen: datetime | None = None
    fresh: datetime | None = None

    def at(self) -> Browser:
        """The person's browser, signed in; again after a pause, as the platform asks."""
        now = self.clock.now()
        if self.since is None or self.seen is None or now - self.seen > IDLE or now - self.since > DAY:
            self.browser.forget()
            self.browser.sign_in(self.username, PASSWORD)
            self.since = self.fresh = now
        self.seen = now
        return self.browser

    def confirmed(self) -> Browser:
        """The same, freshly confirmed for an act with legal effect: as long as the platform holds that fresh, it is not asked again."""
        self.at()
        now = self.clock.now()
        if self.fresh is None or now - self.fresh > FRESH:
            self.browser.confirm(PASSWORD)
            self.fresh = now
        return self.browser


Cast = dict[str, Person]


def settle(scene: Stage, *, bidders: int, lang: str = "zh", hashed: str | None = None) -> Cast:
    """Enter everybody. Returns username → person; bidders are ``bidder1`` … and experts ``expert01`` …; ``hashed``: everybody's password,
    hashed already."""
    orgs = [
        *names.ORGS,
        *(
            Org(
                f"bidder{n}",
                names.credit_code(n),
                names.firm_of(n),
                "bidder",
                small=n % 3 == 2,
                account=f"6222{n:012d}",
            )
            for n in range(1, bidders + 1)
        ),
    ]
    people = [
        *names.PEOPLE,
        *(Member(f"bidder{n}", names.signer_of(n), f"bidder{n}", (Role.BIDDER_SIGNER,)) for n in range(1, bidders + 1)),
        *(one for one in names.COLLEAGUES if int(one.org.removeprefix("bidder")) <= bidders),
    ]
    cast: Cast = {}
    with scene.office.work(SETUP) as work:
        found = {
            o.key: parties.register(
                work,
                code=o.code,
                name=o.name,
                kind=o.kind,
                region="130205",
                small=o.small,
                bank_account=o.account,
                bank_name=names.BANK if o.account else "",
            )
            for o in orgs
        }
        held = {"password": hashed} if hashed else {}
        for p in people:
            _invite(work, found[p.org], p, held)
            cast[p.username] = Person(
                p.username,
                p.name,
                p.org,
                found[p.org].code,
                p.roles,
                Browser(_base(scene, p.username), lang=lang),
                scene.clock,
                found[p.org].name,
            )
        for n, (name, place) in enumerate(names.EXPERTS, 1):
            unit = parties.register(work, code=f"EXPERT-{n:03d}", name=name, kind="expert", region="130205")
            one = Member(f"expert{n:02d}", name, f"expert{n:02d}", (Role.EXPERT,))
            _invite(work, unit, one, held)
            cast[one.username] = Person(
                one.username,
                one.name,
                one.org,
                one.username,
                one.roles,
                Browser(_base(scene, one.username), lang=lang),
                scene.clock,
                place,
            )
    with scene.office.work(Actor(Role.CENTRE, name="setup")) as work:
        for n, (_name, place) in enumerate(names.EXPERTS, 1):
            who = parties.find_account(work.session, f"expert{n:02d}")
            assert who is not None
            experts.register(work, who, code=f"E{n:03d}", unit=place, specialties=[SPECIALTY], region="130205")
    return cast


def _base(scene: Stage, username: str) -> str:
    """Where somebody's browser goes: those of one kind by turns to each process of the platform, everybody else to the first."""
    number = username.lstrip("abcdefghijklmnopqrstuvwxyz-")
    return scene.bases[int(number) % len(scene.bases)] if number.isdigit() else scene.base


def _invite(work: Any, party: parties.Party, person: Member, hashed: dict[str, Any]) -> None:
    """Everybody of the town has the same password; it is hashed once, since the hash is slow on purpose."""
    if not hashed:
        first = parties.invite(
            work, party, username=person.username, name=person.name, password=PASSWORD, roles=list(person.roles)
        )
        hashed["password"] = first.password
        return
    parties.invite(
        work,
        party,
        username=person.username,
        name=person.name,
        password=PASSWORD,
        roles=list(person.roles),
        hashed=hashed["password"],
    )


def signers(people: Cast) -> list[Person]:
    """Everybody who signs: officers, purchasers, those who sign for bidders, experts, controllers."""
    return [
        p
        for name, p in people.items()
        if name.startswith(("officer", "buyer", "expert", "controller"))
        or name == "builder"
        or (name.startswith("bidder") and "-" not in name)
    ]
