"""What administrators are shown: people, grants, what the clock and the mail have left undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.kit.world import World
from trading.kernel.access import Actor, Role
from trading.parties import parties
from trading.parties.parties import IDLE, RoleGrant
from trading.tendering import tenders
from trading.views import people_queries, system_queries
from trading.views.system_queries import SLACK, OverdueStep

ROOT = Actor(Role.SECURITY_ADMIN, name="root", fresh_until=datetime(2100, 1, 1, tzinfo=UTC))


def test_a_step_is_overdue_when_the_clock_has_left_it_for_half_a_minute(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.view("clock") as view:
        deadline = tenders.lot(view.session, ref).deadline
        assert deadline is not None and system_queries.overdue_steps(view) == []
        assert [one.ref for one in system_queries.coming_deadlines(view)] == [ref]
    for after, found in ((SLACK, []), (SLACK + timedelta(seconds=1), [OverdueStep("close", ref, deadline)])):
        world.clock.set(deadline + after)
        with world.view("clock") as view:
            assert system_queries.overdue_steps(view) == found and system_queries.coming_deadlines(view) == []


def test_a_person_shows_what_they_hold_and_when_they_last_signed_in(world: World) -> None:
    with world.office.work(ROOT) as work:
        who = parties.account(work.session, world.people["clerk"])
        # A grant of before the kinds of organisations were told apart.
        work.session.add(RoleGrant(account_id=who.id, role=Role.BIDDER_SIGNER, granted_at=work.now))
        parties.open_login(work, who, Role.CENTRE)
    first = world.now
    with world.view("clock") as view:
        (found,) = people_queries.find_people(view, words="clerk")
        (card,) = people_queries.person_cards(view, [found])
        assert (card.roles, card.second, card.disabled, card.signed_in_at) == (("centre",), False, False, first)
        assert {one.role: one.fits for one in people_queries.grant_cards(view, found)} == {
            "centre": True,
            "bidder-signer": False,
        }
        assert people_queries.find_people(view, words="clerk", role=Role.HOST) == []


def test_who_has_a_role_of_weight_should_have_a_second_factor(world: World) -> None:
    with world.view("clock") as view:
        bare = people_queries.find_people(view, no_second=True)
        counts = people_queries.account_counts(view)
    assert {one.username for one in bare} >= {"buyer", "watch", "officer1"} and "agent" not in {
        one.username for one in bare
    }
    assert counts.without_second == len(bare) and counts.active == len(world.people)
    with world.office.work(ROOT) as work:
        parties.account(work.session, world.people["buyer"]).totp_secret = "A" * 32
        parties.disable(work, parties.account(work.session, world.people["watch"]))
    with world.view("clock") as view:
        assert len(people_queries.find_people(view, no_second=True)) == len(bare) - 2
        after = people_queries.account_counts(view)
    assert (after.without_second, after.active) == (len(bare) - 2, counts.active - 1)


def test_holders_of_a_role_are_in_use_and_of_a_kind_that_may_hold_it(world: World) -> None:
    with world.office.work(ROOT) as work:
        firm = parties.party(work.session, world.party_ids["bidder1"])
        assert [one.username for one in parties.holders(work.session, firm, Role.BIDDER_SIGNER)] == ["bidder1"]
        who = parties.account(work.session, world.people["bidder1"])
        work.session.add(RoleGrant(account_id=who.id, role=Role.CENTRE, granted_at=work.now))
        work.session.flush()
        assert parties.holders(work.session, firm, Role.CENTRE) == []
        parties.disable(work, who)
        assert parties.holders(work.session, firm, Role.BIDDER_SIGNER) == []


def test_devices_are_the_sign_ins_used_of_late(world: World) -> None:
    with world.office.work(ROOT) as work:
        who = parties.account(work.session, world.people["clerk"])
        tokens = [parties.open_login(work, who, Role.CENTRE, device=name) for name in ("old", "new", "out")]
        old, new, out = (parties.find_login(work.session, token, work.now) for token in tokens)
        assert old is not None and new is not None and out is not None
        parties.close_login(work, out)
    world.clock.set(world.now + IDLE)
    with world.office.work(ROOT) as work:
        row = parties.login_of(work.session, new.id)
        assert row is not None
        parties.touch(row, work.now - timedelta(seconds=1))
        assert [one.device for one in parties.live_logins(work.session, who.id, work.now)] == ["new"]
        assert [one.device for one in parties.other_logins(work.session, who.id, new.id)] == ["old"]
