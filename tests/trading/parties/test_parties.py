"""Organisations, people, roles that clash, sign-ins that die when they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from crypto import passwords
from crypto.errors import CryptoError
from tests.kit.rows import unchanged
from tests.kit.world import World, credit_code
from trading.kernel.access import CLASHES, FITS, OF_WEIGHT, Actor, Role, clash, fitting
from trading.kernel.audit import ActRecord
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, WrongStep
from trading.kernel.outbox import Message
from trading.parties import parties, role_proposals
from trading.parties.parties import ABSOLUTE, FRESH, IDLE, Login, RoleGrant

ROOT = Actor(Role.SECURITY_ADMIN, name="root", fresh_until=datetime(2100, 1, 1, tzinfo=UTC))
WORD = "correct horse battery"
MOMENT = timedelta(microseconds=1)


def test_an_organisation_is_entered_once_with_a_true_code(world: World) -> None:
    with unchanged(world), pytest.raises(Invalid) as refusal, world.office.work(ROOT) as work:
        parties.register(work, code="91130205MA0000101Y", name=" ", kind="club")
    assert {f.where for f in refusal.value.faults} == {"code", "kind", "name"}
    wrong = credit_code(1)[:-1] + ("0" if credit_code(1)[-1] != "0" else "1")
    with unchanged(world), pytest.raises(Invalid) as code, world.office.work(ROOT) as work:
        parties.register(work, code=wrong, name="校验位错", kind="bidder")
    assert {f.where for f in code.value.faults} == {"code"}
    with unchanged(world), pytest.raises(Conflict) as twice, world.office.work(ROOT) as work:
        parties.register(work, code=credit_code(1), name="又一个教育局", kind="purchaser")
    assert twice.value.code == "party.exists"
    with unchanged(world), pytest.raises(NotAllowed), world.work("agent") as work:
        parties.register(work, code=credit_code(9), name="自己登记", kind="bidder")


def test_an_account_names_every_fault_at_once_and_its_password_is_never_kept(world: World) -> None:
    with unchanged(world), pytest.raises(Invalid) as refusal, world.office.work(ROOT) as work:
        firm = parties.party(work.session, world.party_ids["centre"])
        parties.invite(work, firm, username=" ", name="", password="short", roles=[Role.CASHIER, Role.CONTROLLER])
    assert {f.code for f in refusal.value.faults} == {"form.required", "account.password_short", "account.role_clash"}
    with world.office.work(ROOT) as work:
        firm = parties.party(work.session, world.party_ids["centre"])
        new = parties.invite(work, firm, username=" Zhang ", name="张三", password=WORD, roles=[Role.CASHIER])
        assert new.username == "zhang" and WORD not in new.password
        passwords.verify_password(WORD, new.password)
        with pytest.raises(CryptoError):
            passwords.verify_password(WORD + "!", new.password)
    for name in ("zhang", "ZHANG", " Zhang"):
        with unchanged(world), pytest.raises(Conflict), world.office.work(ROOT) as work:
            centre = parties.party(work.session, world.party_ids["centre"])
            parties.invite(work, centre, username=name, name="李四", password=WORD, roles=[])


@pytest.mark.parametrize("pair", CLASHES, ids=lambda pair: "+".join(sorted(pair)))
def test_no_person_ever_holds_two_duties_that_clash(world: World, pair: frozenset[Role]) -> None:
    one, other = sorted(pair)
    kind = next((kind for kind in parties.KINDS if fitting(pair, kind) == pair), None)
    if kind is None:  # no organisation could hold both: the table of kinds keeps them apart already
        assert FITS[one] & FITS[other] == frozenset()
        assert clash(frozenset(pair)) == pair
        return
    with world.office.work(ROOT) as work:
        firm = parties.register(work, code=credit_code(77), name="又一单位", kind=kind, another=True)
        who = parties.invite(work, firm, username="both", name="两面人", password=WORD, roles=[one], hashed="x")
    with unchanged(world), pytest.raises(Invalid) as refusal, world.office.work(ROOT) as work:
        parties.grant(work, parties.account(work.session, who.id), other)
    assert refusal.value.code == "account.role_clash" and set(refusal.value.facts["roles"]) == set(pair)
    assert clash(frozenset(pair)) == pair and clash(frozenset({one})) is None
    with world.office.work(ROOT) as work:
        parties.revoke(work, parties.account(work.session, who.id), one)
        parties.grant(work, parties.account(work.session, who.id), other)
        parties.grant(work, parties.account(work.session, who.id), other)
        assert parties.roles_of(work.session, parties.account(work.session, who.id)) == {other}


def test_nobody_grants_to_themself_and_only_the_security_administrator_grants(world: World) -> None:
    with world.office.work(ROOT) as work:
        firm = parties.party(work.session, world.party_ids["centre"])
        boss = parties.invite(
            work, firm, username="boss", name="安全管理员", password=WORD, roles=[Role.SECURITY_ADMIN], hashed="x"
        )
        world.people["boss"] = boss.id
    with unchanged(world), pytest.raises(NotAllowed) as refusal, world.work("boss") as work:
        parties.grant(work, parties.account(work.session, boss.id), Role.CENTRE)
    assert refusal.value.code == "account.grant_self"
    for username in ("clerk", "host", "watch", "agent"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            parties.grant(work, parties.account(work.session, world.people["buyer"]), Role.CENTRE)
    with world.work("boss") as work:
        parties.grant(work, parties.account(work.session, world.people["clerk"]), Role.WITNESS)
    with unchanged(world), pytest.raises(NotFound), world.work("boss") as work:
        parties.revoke(work, parties.account(work.session, world.people["clerk"]), Role.CASHIER)


@pytest.mark.parametrize("kind", parties.KINDS)
def test_a_role_fits_the_kind_of_organisation_and_an_old_grant_that_does_not_gives_no_rights(
    world: World, kind: str
) -> None:
    """A bidder's employee was made cashier of the centre by one administrator."""
    with world.office.work(ROOT) as work:
        firm = parties.register(work, code=credit_code(77), name="某单位", kind=kind, another=True)
    for role in Role:
        fits = kind in FITS[role]
        if fits:
            with world.office.work(ROOT) as work:
                who = parties.invite(
                    work, firm, username=f"x-{role.value}", name="甲", password=WORD, hashed="x", roles=[role]
                )
                assert parties.roles_of(work.session, who) == {role}
        else:
            with unchanged(world), pytest.raises(Invalid) as refusal, world.office.work(ROOT) as work:
                parties.invite(
                    work, firm, username=f"x-{role.value}", name="甲", password=WORD, hashed="x", roles=[role]
                )
            assert [(f.where, f.code) for f in refusal.value.faults] == [("roles", "account.role_misfit")]
            with world.office.work(ROOT) as work:
                who = parties.invite(
                    work, firm, username=f"x-{role.value}", name="甲", password=WORD, hashed="x", roles=[]
                )
            with unchanged(world), pytest.raises(Invalid) as refusal, world.office.work(ROOT) as work:
                parties.grant(work, parties.account(work.session, who.id), role)
            assert refusal.value.code == "account.role_misfit"
            with world.office.work(ROOT) as work:  # as rows of an older platform stand
                work.session.add(RoleGrant(account_id=who.id, role=role, granted_at=work.now))
            world.people["old"] = who.id
            assert not alive(world, sign_in(world, "old", role))
            with world.view("clock") as view:
                assert parties.roles_of(view.session, parties.account(view.session, who.id)) == frozenset()


def administrators(world: World) -> None:
    with world.office.work(ROOT) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for name in ("boss", "second"):
            who = parties.invite(
                work, centre, username=name, name=name, password=WORD, roles=[Role.SECURITY_ADMIN], hashed="x"
            )
            world.people[name] = who.id
        world.people["newcomer"] = parties.invite(
            work, centre, username="newcomer", name="新人", password=WORD, roles=[], hashed="x"
        ).id


@pytest.mark.parametrize("role", sorted(OF_WEIGHT))
def test_a_role_of_weight_is_given_by_two(world: World, role: Role) -> None:
    administrators(world)
    kind = next(iter(FITS[role] - {"platform"}))
    with world.office.work(ROOT) as work:
        firm = parties.register(work, code=credit_code(77), name="某单位", kind=kind, another=True)
        who = parties.invite(work, firm, username="held", name="持有人", password=WORD, roles=[], hashed="x").id
    with unchanged(world), pytest.raises(NotAllowed) as alone, world.work("boss") as work:
        parties.grant(work, parties.account(work.session, who), role)
    assert alone.value.code == "account.second_needed"
    with unchanged(world), pytest.raises(NotAllowed) as first, world.work("boss") as work:
        parties.invite(
            work, parties.party(work.session, firm.id), username="x", name="x", password=WORD, roles=[role], hashed="x"
        )
    assert first.value.code == "account.second_needed"
    with world.work("boss") as work:
        proposal = role_proposals.propose(work, parties.account(work.session, who), role, "接任").id
    with world.view("clock") as view:
        assert parties.roles_of(view.session, parties.account(view.session, who)) == frozenset()
        told = {(m.to, m.template) for m in view.session.scalars(select(Message)) if m.template.startswith("role.")}
        assert told == {(f"account:{world.people['second']}", "role.proposed")}
    with unchanged(world), pytest.raises(NotAllowed) as own, world.work("boss") as work:
        role_proposals.confirm(work, role_proposals.find(work.session, proposal))
    assert own.value.code == "proposal.own"
    with unchanged(world), pytest.raises(Conflict), world.work("second") as work:
        role_proposals.propose(work, parties.account(work.session, who), role, "再提")
    with (
        unchanged(world),
        pytest.raises(NotAllowed),
        world.office.work(ROOT) as work,
    ):  # the command line is nobody's second person
        role_proposals.confirm(work, role_proposals.find(work.session, proposal))
    with world.work("second") as work:
        role_proposals.confirm(work, role_proposals.find(work.session, proposal))
    with world.view("clock") as view:
        assert parties.roles_of(view.session, parties.account(view.session, who)) == {role}
        acts = [a.act for a in view.session.scalars(select(ActRecord)) if a.act.startswith("role.")]
        assert acts == ["role.propose", "role.grant"]
    with unchanged(world), pytest.raises(WrongStep), world.work("second") as work:
        role_proposals.refuse(work, role_proposals.find(work.session, proposal), "晚了")


def test_a_proposal_is_refused_with_a_reason_or_taken_back_and_nobody_decides_about_themself(world: World) -> None:
    administrators(world)
    with unchanged(world), pytest.raises(Invalid) as faults, world.work("boss") as work:
        role_proposals.propose(work, parties.account(work.session, world.people["buyer"]), Role.CASHIER, " ")
    assert {f.code for f in faults.value.faults} == {"form.required", "account.role_misfit"}
    with unchanged(world), pytest.raises(NotAllowed), world.work("boss") as work:
        role_proposals.propose(work, parties.account(work.session, world.people["boss"]), Role.HOST, "自己")
    with unchanged(world), pytest.raises(Invalid), world.work("boss") as work:
        role_proposals.propose(work, parties.account(work.session, world.people["clerk"]), Role.WITNESS, "不必")
    with world.work("boss") as work:
        one = role_proposals.propose(
            work, parties.account(work.session, world.people["newcomer"]), Role.CASHIER, "接任"
        ).id
        two = role_proposals.propose(work, parties.account(work.session, world.people["clerk"]), Role.HOST, "轮岗").id
        three = role_proposals.propose(
            work, parties.account(work.session, world.people["second"]), Role.HOST, "轮岗"
        ).id
    with unchanged(world), pytest.raises(Invalid) as pair, world.work("second") as work:
        role_proposals.propose(work, parties.account(work.session, world.people["newcomer"]), Role.CONTROLLER, "兼任")
    assert {f.code for f in pair.value.faults} == {"account.role_clash"}, "what is proposed counts as held"
    with unchanged(world), pytest.raises(NotAllowed) as self_, world.work("second") as work:
        role_proposals.confirm(work, role_proposals.find(work.session, three))
    assert self_.value.code == "account.grant_self"
    with unchanged(world), pytest.raises(Invalid), world.work("second") as work:
        role_proposals.refuse(work, role_proposals.find(work.session, one), " ")
    with world.work("second") as work:
        role_proposals.refuse(work, role_proposals.find(work.session, one), "钱思源留任")
    with unchanged(world), pytest.raises(NotAllowed), world.work("second") as work:
        role_proposals.withdraw(work, role_proposals.find(work.session, two))
    with world.work("boss") as work:
        role_proposals.withdraw(work, role_proposals.find(work.session, two))
    with world.view("clock") as view:
        assert parties.roles_of(view.session, parties.account(view.session, world.people["newcomer"])) == frozenset()
        (letter,) = [m for m in view.session.scalars(select(Message)) if m.template == "role.refused"]
        assert letter.to == f"account:{world.people['boss']}" and letter.facts["reason"] == "钱思源留任"


def sign_in(world: World, username: str, role: Role) -> str:
    with world.office.work(ROOT) as work:
        return parties.open_login(work, parties.account(work.session, world.people[username]), role)


def alive(world: World, token: str) -> bool:
    with world.view("clock") as view:
        return parties.find_login(view.session, token, view.now) is not None


def test_a_sign_in_dies_idle_old_switched_off_or_without_its_role(world: World) -> None:
    token, begun = sign_in(world, "clerk", Role.CENTRE), world.now
    for after, lives in ((IDLE, True), (IDLE + MOMENT, False)):
        world.clock.set(begun + after)
        assert alive(world, token) is lives
    for step in range(1, 26):  # used every half hour it lives for twelve hours
        world.clock.set(begun + IDLE * step)
        if step <= 24:
            with world.office.work(ROOT) as work:
                login = parties.find_login(work.session, token, work.now)
                assert login is not None, step
                parties.touch(login, work.now)
        else:
            assert begun + ABSOLUTE < world.now and not alive(world, token)
    for end in (parties.disable, lambda work, who: parties.revoke(work, who, Role.HOST)):
        token = sign_in(world, "host", Role.HOST)
        assert alive(world, token)
        with world.office.work(ROOT) as work:
            end(work, parties.account(work.session, world.people["host"]))
        assert not alive(world, token)
        with world.office.work(ROOT) as work:
            parties.account(work.session, world.people["host"]).disabled_at = None


def test_a_token_is_never_stored_and_a_wrong_one_is_nobody(world: World) -> None:
    token = sign_in(world, "clerk", Role.CENTRE)
    with world.view("clock") as view:
        (row,) = view.session.scalars(select(Login))
        assert token not in row.token_hash and len(token) >= 43
        assert parties.find_login(view.session, row.token_hash, view.now) is None
        assert parties.find_login(view.session, "", view.now) is None
        actor = parties.actor_of(view.session, row)
        assert actor.role is Role.CENTRE and actor.fresh_until == world.now + FRESH


def test_one_acts_in_a_role_one_holds(world: World) -> None:
    token = sign_in(world, "bidder1", Role.BIDDER_OPERATOR)
    with world.office.work(ROOT) as work:
        login = parties.find_login(work.session, token, work.now)
        assert login is not None
        parties.switch_role(work, login, Role.BIDDER_SIGNER)
        assert parties.actor_of(work.session, login).role is Role.BIDDER_SIGNER
        with pytest.raises(NotAllowed):
            parties.switch_role(work, login, Role.CENTRE)
        parties.close_login(work, login)
    assert not alive(world, token)


def test_nobody_becomes_two_administrators_by_resetting_a_password(world: World) -> None:
    administrators(world)
    with unchanged(world), pytest.raises(NotAllowed) as refusal, world.work("boss") as work:
        parties.reset_password(work, parties.account(work.session, world.people["second"]), WORD + "!")
    assert refusal.value.code == "account.reset_administrator"
    token = sign_in(world, "clerk", Role.CENTRE)
    with world.work("boss") as work:
        parties.reset_password(work, parties.account(work.session, world.people["clerk"]), WORD + "!")
    assert not alive(world, token), "who had the old password is out"


def test_a_new_password_takes_the_place_of_the_old(world: World) -> None:
    with unchanged(world), pytest.raises(Invalid), world.office.work(ROOT) as work:
        parties.reset_password(work, parties.account(work.session, world.people["clerk"]), "short")
    with unchanged(world), pytest.raises(NotAllowed), world.work("clerk") as work:
        parties.reset_password(work, parties.account(work.session, world.people["host"]), WORD + "!")
    with world.office.work(ROOT) as work:
        who = parties.account(work.session, world.people["clerk"])
        before = who.password
        parties.reset_password(work, who, "another long pass phrase")
        assert who.password != before
