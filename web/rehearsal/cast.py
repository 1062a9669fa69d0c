"""Who plays: organisations and people of a small town, registered by its administrators; every person keeps their own keys.

The first administrator is made as on any empty platform; everybody else is entered by that person. From then on all of them only use the
pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crypto.keys import new_secret
from evaluation import experts
from trading import parties
from trading.kernel import ids
from trading.kernel.access import Actor, Role
from trading.kernel.clock import Clock
from web.rehearsal.browser import Browser
from web.rehearsal.server import Stage

PASSWORD = "sunny-hall-2026"
SETUP = Actor(Role.SECURITY_ADMIN, name="setup")
CENTRE = "12130205000000000E"
SPECIALTY = "A0201"
IDLE, DAY, FRESH = timedelta(minutes=25), timedelta(hours=11), timedelta(minutes=9)


def credit_code(number: int) -> str:
    """A well-formed unified social credit code of nobody."""
    first = f"91130205MA0{number:06d}"
    return first + ids.uscc_check(first)


@dataclass(frozen=True)
class Org:
    key: str
    code: str
    name: str
    kind: str
    small: bool = False
    account: str = ""


@dataclass(frozen=True)
class Member:
    username: str
    name: str
    org: str
    roles: tuple[Role, ...]


ORGS = (
    Org("centre", CENTRE, "春晓区公共资源交易中心", "centre"),
    Org("education", credit_code(101), "春晓区教育局", "purchaser"),
    Org("works", credit_code(102), "春晓区城建投资有限公司", "purchaser"),
    Org("agency", credit_code(103), "明理招标代理有限公司", "agency"),
    Org("finance", "CHUNXIAO-FINANCE", "春晓区财政局", "supervisor"),
)
BIDDERS = ("启明教学设备有限公司", "北辰科技股份有限公司", "和风办公家具有限公司", "云杉信息系统有限公司", "长河建设集团有限公司",
           "青石工程有限公司", "瑞丰建筑安装有限公司", "天工市政建设有限公司", "远山智能装备有限公司", "百川建设工程有限公司")
PEOPLE = (
    Member("clerk", "陈书仪", "centre", (Role.CENTRE,)),
    Member("host", "何清扬", "centre", (Role.HOST,)),
    Member("officer1", "吴敬之", "centre", (Role.OFFICER,)),
    Member("officer2", "郑知微", "centre", (Role.OFFICER,)),
    Member("cashier", "钱思源", "centre", (Role.CASHIER,)),
    Member("controller", "孙复核", "centre", (Role.CONTROLLER,)),
    Member("sysadmin", "周运维", "centre", (Role.SYSTEM_ADMIN,)),
    Member("secadmin", "武安全", "centre", (Role.SECURITY_ADMIN,)),
    Member("auditadmin", "沈审计", "centre", (Role.AUDIT_ADMIN,)),
    Member("buyer", "李采购", "education", (Role.PURCHASER,)),
    Member("builder", "赵业主", "works", (Role.PURCHASER,)),
    Member("agent", "林经办", "agency", (Role.AGENCY,)),
    Member("officer3", "冯守诚", "agency", (Role.OFFICER,)),
    Member("officer4", "韩持正", "agency", (Role.OFFICER,)),
    Member("supervisor", "许督察", "finance", (Role.SUPERVISOR,)),
    Member("officer5", "曹明鉴", "finance", (Role.OFFICER,)),
)
OFFICERS = (("officer1", "platform"), ("officer2", "platform"), ("officer3", "tenderee"), ("officer4", "tenderee"),
            ("officer5", "supervisor"))
EXPERTS = 9


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


def settle(scene: Stage, *, bidders: int, lang: str = "zh") -> Cast:
    """Enter everybody. Returns username → person; bidders are ``bidder1`` … and experts ``expert01`` …"""
    orgs = [*ORGS, *(Org(f"bidder{n}", credit_code(n), _bidder_name(n), "bidder", small=n % 3 == 2, account=f"6222{n:012d}")
                     for n in range(1, bidders + 1))]
    people = [*PEOPLE, *(Member(f"bidder{n}", f"投标人{n}", f"bidder{n}", (Role.BIDDER_SIGNER,)) for n in range(1, bidders + 1))]
    cast: Cast = {}
    with scene.office.work(SETUP) as work:
        found = {
            o.key: parties.register(work, code=o.code, name=o.name, kind=o.kind, region="130205", small=o.small,
                                    bank_account=o.account, bank_name="春晓银行" if o.account else "")
            for o in orgs}
        hashed: dict[str, Any] = {}
        for p in people:
            _invite(work, found[p.org], p, hashed)
            cast[p.username] = Person(p.username, p.name, p.org, found[p.org].code, p.roles, Browser(scene.base, lang=lang),
                                      scene.clock, found[p.org].name)
        for n in range(1, EXPERTS + 1):
            unit = parties.register(work, code=f"EXPERT-{n:03d}", name=f"评审专家{n:02d}", kind="expert", region="130205")
            one = Member(f"expert{n:02d}", f"专家{n:02d}", f"expert{n:02d}", (Role.EXPERT,))
            _invite(work, unit, one, hashed)
            cast[one.username] = Person(one.username, one.name, one.org, one.username, one.roles,
                                        Browser(scene.base, lang=lang), scene.clock, unit.name)
    with scene.office.work(Actor(Role.CENTRE, name="setup")) as work:
        for n in range(1, EXPERTS + 1):
            who = parties.find_account(work.session, f"expert{n:02d}")
            assert who is not None
            experts.register(work, who, code=f"E{n:03d}", unit=f"第{n}研究院", specialties=[SPECIALTY], region="130205")
    return cast


def _invite(work: Any, party: parties.Party, person: Member, hashed: dict[str, Any]) -> None:
    """Everybody of the town has the same password; it is hashed once, since the hash is slow on purpose."""
    if not hashed:
        first = parties.invite(work, party, username=person.username, name=person.name, password=PASSWORD, roles=list(person.roles))
        hashed["password"] = first.password
        return
    parties.invite(work, party, username=person.username, name=person.name, password=PASSWORD, roles=list(person.roles),
                   hashed=hashed["password"])


def _bidder_name(n: int) -> str:
    return BIDDERS[n - 1] if n <= len(BIDDERS) else f"第{n}投标有限公司"
