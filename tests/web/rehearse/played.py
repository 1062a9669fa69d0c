"""A whole tender in a served rehearsal: everybody signs in with their line of the card and uses the pages; the clerk moves the clock by its
button, and what is due is taken by the server's own clock.

    python -m tests.web.rehearse.played DIR http://127.0.0.1:PORT     # a fresh rehearsal that `bidhall serve DIR` serves
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from evaluation.panels.experts import Expert
from evaluation.panels.experts import specialties as known_specialties
from tests.web.rehearse.kit import card_of
from trading.bidding import tickets
from trading.kernel.access import CLOCK, Role
from trading.kernel.clock import floor_minute
from trading.parties import parties
from trading.parties.parties import Account
from trading.views import rehearsal_queries
from web import wiring
from web.rehearsal import awarding, bidding, enrol, evaluation, front, money, opening
from web.rehearsal.browser import Browser
from web.rehearsal.cast import Cast, Person
from web.rehearsal.front import Plan, local
from web.rehearsal.plans import GP_SCHEME
from web.rehearsal.server import Stage
from web.rehearsal.site import folder
from web.settings import read_settings

SECONDS = 90.0
GOODS = {"delivery_days": "30", "warranty_months": "36", "small_firm": "no"}


@dataclass
class Player(Person):
    """Somebody with a line of the card."""

    password: str = ""

    def at(self) -> Browser:
        if self.since is None:
            self.browser.sign_in(self.username, self.password)
            self.since = self.fresh = self.clock.now()
        return self.browser

    def confirmed(self) -> Browser:
        self.at().confirm(self.password)
        return self.browser


class Told:
    """The platform's clock, as its page says it."""

    def __init__(self, base: str) -> None:
        self._asks = Browser(base)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._asks.json("/time")["ms"] / 1000, UTC)


class Hall(Stage):
    """The served rehearsal as the play knows a stage: its time is asked of the platform, and passes by the clerk's button."""

    def __init__(self, base: str, tell: Callable[[str], None]) -> None:
        self.base, self.tell, self.cast = base, tell, Cast()
        self.bases, self.pool = [base], None
        self.told = Told(base)

    @property
    def now(self) -> datetime:
        return self.told.now()

    def each(self, act: Callable[[Any], object], these: Iterable[Any]) -> None:
        for one in these:
            act(one)

    def button(self, **fields: str) -> None:
        """The clerk's bar, as it stands above every page."""
        clerk = self.cast["clerk"].at()
        clerk.post("/centre", "/rehearsal/acts/move", {"next": "/centre", **fields})

    def jump(self, moment: datetime) -> None:
        clerk = self.cast["clerk"].at()
        clerk.post("/rehearsal", "/rehearsal/acts/move", {"to": "moment", "at": local(moment + timedelta(minutes=1))})
        time.sleep(2.5)

    walk = jump

    def settle(self) -> None:
        """Two minutes on, and the log's next tick."""
        self.jump(floor_minute(self.now) + timedelta(minutes=3))

    def until(self, what: str, found: Callable[[], Any]) -> Any:
        """Whatever the server's own clock has to do first."""
        give_up = time.monotonic() + SECONDS * 3
        while not (value := found()):
            if time.monotonic() > give_up:
                raise TimeoutError(what)
            time.sleep(1.0)
        return value

    def money(self) -> None:
        self.settle()


def cast_of(hall: Hall, here: Path) -> Cast:
    """Everybody by the short name the play has for them."""
    office = wiring.open_office(folder.settings_of(here))
    card, cast = card_of(here), Cast()
    with office.view(CLOCK) as view:
        accounts = list(view.session.scalars(select(Account).order_by(Account.id)))
        seats = dict(view.session.execute(select(Expert.account_id, Expert.code).where(Expert.active)).all())
        for one in accounts:
            roles = tuple(parties.roles_of(view.session, one))
            who = Player(
                one.username,
                one.name,
                one.party.name,
                one.username if set(roles) & {Role.EXPERT} else one.party.code,
                roles,
                Browser(hall.base),
                hall.told,  # type: ignore[arg-type]
                one.party.name,
                password=card[one.username],
            )
            for role, name in NAMES.items():
                if role in roles:
                    cast.setdefault(name, who)
            for role, stem in ((Role.OFFICER, "officer"), (Role.BIDDER_SIGNER, "bidder")):
                if role in roles:
                    cast[f"{stem}{sum(1 for name in cast if name.startswith(stem)) + 1}"] = who
            if one.id in seats:
                cast[seats[one.id]] = who
    office.engine.dispose()
    experts = sorted(name for name, who in cast.items() if Role.EXPERT in who.roles)
    for number, name in enumerate(experts, 1):
        cast[f"expert{number:02d}"] = cast.pop(name)
    hall.cast = cast
    return cast


NAMES = {
    Role.CENTRE: "clerk",
    Role.PURCHASER: "buyer",
    Role.AGENCY: "agent",
    Role.HOST: "host",
    Role.CASHIER: "cashier",
    Role.CONTROLLER: "controller",
}


def play(here: Path, base: str, tell: Callable[[str], None]) -> str:
    """From the filing to the last refund and the archive; returns the lot's reference."""
    hall = Hall(base, tell)
    cast = cast_of(hall, here)
    officers = [cast[name] for name in sorted(cast) if name.startswith("officer")]
    bidders = [cast[name] for name in sorted(cast) if name.startswith("bidder")]
    experts = [cast[name] for name in sorted(cast) if name.startswith("expert")]
    tell("keys")
    for who in (*officers, *bidders, *experts, cast["buyer"], cast["controller"]):
        enrol.enrol(hall, who)
    tell("filing, draft, officers")
    deadline = floor_minute(hall.now) + timedelta(days=22, hours=2)
    samples = here / "samples"
    plan = Plan(
        "1", "演练办公家具采购", "GP", "GOODS", "", "buyer", "", "1000000.00", "20000.00", deadline, deadline,
        intent=(hall.now - timedelta(days=40)).date().isoformat(), scheme=GP_SCHEME, returned=False,
        documents={"tender_document": ("招标文件.pdf", (samples / "tender" / "招标文件.pdf").read_bytes())},
    )  # fmt: skip
    front.file_project(hall, cast, plan)
    front.draft_tender(hall, cast, plan)
    _name_officers(hall, cast, plan, officers)
    for one in officers:
        front.return_drill(hall, one, plan)
    hall.settle()
    front.publish(hall, cast, plan)
    hall.settle()
    tell("taking part, deposits, bids")
    for one in bidders:
        bidding.take_part(one, plan.ref)
        page = one.at().get(f"/bidder/lots/{plan.ref}")
        deposit = next(part.split('"')[0] for part in page.text.split('href="') if part.startswith("/bidder/deposits/"))
        one.at().post(deposit, f"{deposit}/acts/rehearse", {"how": "full"})
    time.sleep(17.0)  # the statement of the rehearsal's bank is taken in every quarter of a minute
    for number, one in enumerate(bidders):
        files = {name: (samples / one.username / name).read_bytes() for name in ("技术文件.pdf", "商务文件.pdf")}
        price = f"{(97, 95, 93, 91)[number % 4]}0000.00"
        bidding.hand_in(hall, one, plan.ref, {"price": price, **GOODS}, files)
    tell("deadline")
    while hall.now < deadline - rehearsal_queries.BEFORE - timedelta(seconds=1):
        hall.button(to="next")
        time.sleep(2.0)
    hall.until("the deadline", lambda: hall.now > deadline + rehearsal_queries.AFTER)
    tell("opening")
    opening.list_bids(hall, cast, plan)
    hall.jump(hall.now + timedelta(minutes=6))  # claims have their time first
    for one in officers:
        opening.release(hall, one, plan)
    opening.decrypt(hall, cast, plan)
    for one in officers:
        opening.countersign_list(one, plan)
    for one in bidders:
        opening.confirm(one, plan)
    opening.sign_and_close(cast, plan)
    tell("panel, sheets, report")
    awarding.qualify(cast, plan)
    with pytest.MonkeyPatch.context() as library:  # that of this site, not of the town
        library.setattr(evaluation, "EXPERTS", len(experts))
        library.setattr(evaluation, "SPECIALTY", specialty_of(here))
        panel = evaluation.seat_panel(hall, cast, plan)
    evaluation.conform(plan, panel)
    evaluation.commit(hall, plan, panel, _points)
    evaluation.reveal(hall, plan, panel)
    evaluation.report(hall, plan, panel)
    tell("award, contract")
    awarding.decide(cast, plan)
    awarding.announce(cast, plan)
    hall.button(to="day")
    awarding.contract(cast, plan, hall.now - timedelta(hours=2))
    hall.settle()
    tell("refunds")
    for _round in range(6):
        money.refund_everything(hall, cast)
        hall.button(to="day")
        time.sleep(2.0)
    return plan.ref


def specialty_of(here: Path) -> str:
    """What most experts of the rehearsal know."""
    office = wiring.open_office(folder.settings_of(here))
    try:
        with office.view(CLOCK) as view:
            return max(known_specialties(view.session), key=lambda one: one[1])[0]
    finally:
        office.engine.dispose()


def _points(member: int, bid: int, criterion: Mapping[str, Any]) -> str:
    """Objective points are the same for all; the others differ a little."""
    most = int(criterion["max"])
    return str(most) if criterion["kind"] == "objective" else f"{most * 7 // 10 + (member + bid) % 4}.50"


def _name_officers(hall: Hall, cast: Cast, plan: Plan, officers: list[Person]) -> None:
    agent, lot = cast["agent"].at(), f"/agency/lots/{plan.ref}"
    page = agent.get(f"{lot}/keys")
    sides = {
        name: "platform" if "中心" in who.name_of_org else "supervisor" if "监督" in who.name_of_org else "tenderee"
        for who in officers
        for name in (who.username,)
    }
    agent.send(page, f"{lot}/acts/name-officers", {"t": "2", **{f"side.{name}": side for name, side in sides.items()}})
    for one in officers:
        front.give_keys(one, plan.ref)
    agent.send(f"{lot}/keys", f"{lot}/acts/draft-policies")
    for one in officers:
        front.sign_policies(one, plan.ref)


def trust_of_site(data: Path) -> dict[str, Any]:
    """What somebody has kept who once had a ticket of the site."""
    office = wiring.open_office(read_settings({"BIDHALL_DATA": str(data)}))
    try:
        with office.view(CLOCK) as view:
            return tickets.trust(view)
    finally:
        office.engine.dispose()


if __name__ == "__main__":
    print(play(Path(sys.argv[1]), sys.argv[2], print))
