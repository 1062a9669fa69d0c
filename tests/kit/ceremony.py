"""Several lots of one tender, opened in one ceremony: published together, with the same hour, each with its own officers' keys."""

from __future__ import annotations

from tests.kit import sealing
from tests.kit.opening_steps import form
from tests.kit.world import World
from trading.kernel.money import Money
from trading.tendering import projects, tenders


def lots_together(world: World, *titles: str, regime: str = "GP") -> list[str]:
    """The references of lots of one tender, open for bids."""
    title = "春晓区学校改造工程"
    project = world.project(regime=regime, name=title)
    share = {"budget": Money.parse("1000000"), "ceiling": Money.parse("900000"), "deposit": Money.parse("18000")}
    with world.work("agent") as work:
        tender = tenders.draft_tender(
            work,
            projects.project(work.session, project),
            title=title,
            lots=[world.lot_fields(regime) | share | {"title": one} for one in titles],
        )
        refs = [lot.ref for lot in tender.lots]
    for ref in refs:
        world.prepare(ref)
    for ref in refs:
        world.publish(ref)
    for ref in refs:
        world.issue(ref)
    return refs


def bid_for(world: World, ref: str, *usernames: str, regime: str = "GP", first: int = 800_000) -> None:
    """The named bidders take part in a lot and hand in, 10 000 yuan apart."""
    world.take_part(ref, *usernames)
    sealing.pay_deposits(world, ref)
    sealing.open_for_bids(world, ref)
    for at, username in enumerate(usernames):
        made = sealing.seal(world, ref, username, form=form(regime, price=f"{first + 10_000 * at}.00"))
        assert sealing.hand_in(world, ref, username, *made).accepted
