"""An approval is the controller's own signature: the platform's key, a colleague's, a key that no longer stands and an older document pay
nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from crypto.canonical import format_time
from crypto.documents import sign_document
from deposits import bound, forfeits
from deposits.refunds import approvals, batch_digest, payees, refunds, signed_approvals
from deposits.views import signed_rows
from tests.deposits.money_room import DEPOSIT, MoneyRoom, demand_of, row_changed
from tests.kit.world import Keys, World
from trading.kernel import audit
from trading.kernel.calendar import local_day
from trading.kernel.clock import floor_second
from trading.kernel.errors import Conflict, Invalid, NotFound
from trading.parties import enrolments, parties


def prepared(room: MoneyRoom) -> str:
    """A batch that waits for its controller."""
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    return room.prepare(*room.due())


def written(room: MoneyRoom, batch: str, signature: Any = None, by: str = "controller") -> None:
    """The rows and records of an approval as whoever has the database and the platform's key can write them. ``signature``: an envelope to
    name, made of (work, matter)."""
    with room.world.work(by) as work:
        row = refunds.batch(work.session, batch)
        rows = refunds.of_batch(work.session, row)
        named = {}
        if signature is not None:
            envelope = signature(work, approvals.batch_matter(work, row))
            named = {signed_approvals.FACT: audit.keep_document(work, "approval", envelope, signed=True)}
        shown = batch_digest.proofs(row.secret, [bound.line(one) for one in rows])
        for one in rows:
            one.approved_by, one.approved_at = work.actor.account_id, work.now
            line = {approvals.LINE_PROOF: shown[one.ref].to_json()} if named else {}
            refunds.step(work, one, "approve", batch=row.ref, values=bound.approved(one, row.digest), **line)
        row.approved_by, row.approved_at = work.actor.account_id, work.now
        work.session.flush()
        work.record("batch.approve", row.log_of, digest=row.digest, **named)


def refused(room: MoneyRoom, batch: str) -> tuple[str, Any]:
    with pytest.raises(Conflict) as refusal:
        room.pay(batch)
    assert room.bank.balance().minor > 0 and all(one.state == "REFUND_CHECKED" for one in room.all_refunds())
    return refusal.value.code, refusal.value.facts.get("reason")


def test_the_platforms_key_alone_approves_nothing(room: MoneyRoom) -> None:
    batch = prepared(room)
    written(room, batch)
    assert refused(room, batch) == ("refund.not_signed", "SIG")
    with room.world.view("clock") as view:
        (found,) = [one for one in signed_rows.checks(view)[3]() if one.column == "approved_by"]
    assert (found.table, found.row, found.signed) == ("refund_batch", batch, "refund.not_signed")


@pytest.mark.parametrize("whose", ["platform", "nobody", "controller2"])
def test_another_key_than_the_approvers_pays_nothing(room: MoneyRoom, whose: str) -> None:
    """Neither when it is handed in nor when the record of it was written past the act."""
    world = room.world
    held = {"platform": world.office.keys.signing, "nobody": Keys().sign, "controller2": world.keys["controller2"].sign}
    batch = prepared(room)

    def signature(work: Any, matter: signed_approvals.Matter) -> Any:
        told = signed_approvals.to_sign(work, matter) | {"at": format_time(floor_second(work.now))}
        return sign_document("approval", told, held[whose])

    with world.work("controller") as work, pytest.raises(Invalid) as refusal:
        row = refunds.batch(work.session, batch)
        refunds.approve(work, row, approval=signature(work, approvals.batch_matter(work, row)))
    assert (refusal.value.code, refusal.value.facts["reason"]) == ("approval.refused", "SIG")
    written(room, batch, signature)
    assert refused(room, batch) == ("refund.not_signed", "SIG")


def test_a_signature_over_something_else_pays_nothing(room: MoneyRoom) -> None:
    """A controller's true signature, under another batch, another digest, another preparation, another hour or another's name."""
    batch = prepared(room)
    digest = {"digest": "0" * 64, "value_on": "2026-01-01"}
    for changes in (
        {"of": "batch/TF-20260101-0000"},
        {"facts": digest},
        {"prepared": "A" * 43},
        {"at": format_time(room.world.now.replace(microsecond=0) - timedelta(minutes=11))},
        {"platform": "elsewhere.example"},
        {"log": "elsewhere.example/log"},
        {"person": "account:1"},
        {"approver": "controller2"},
    ):
        with room.world.work("controller") as work, pytest.raises(Conflict) as refusal:
            row = refunds.batch(work.session, batch)
            other = room.approval(work, approvals.batch_matter(work, row), **changes)
            refunds.approve(work, row, approval=other)
        assert (refusal.value.code, refusal.value.facts["fields"]) == ("approval.other", sorted(changes)), changes
    written(room, batch, lambda work, matter: room.approval(work, matter, facts=digest))
    assert refused(room, batch) == ("refund.not_signed", "CONTEXT_MISMATCH")


def test_who_prepared_cannot_be_who_signed(room: MoneyRoom) -> None:
    """The record of an approval under the preparer's name, over a signature of the controller's."""
    batch = prepared(room)
    with room.world.view("controller") as view:
        matter = approvals.batch_matter(view, refunds.batch(view.session, batch))
        true = room.approval(view, matter)
    with room.world.work("cashier2") as work:
        row = refunds.batch(work.session, batch)
        work.record(
            "batch.approve",
            row.log_of,
            digest=row.digest,
            signature=audit.keep_document(work, "approval", true, signed=True),
        )
    with room.world.view("clock") as view:
        row = refunds.batch(view.session, batch)
        record = approvals.last(view, "batch.approve", [row.log_of])[row.log_of]
        with pytest.raises(Conflict) as refusal:
            signed_approvals.require(view, approvals.batch_matter(view, row), record)
    assert refusal.value.facts["detail"] == "another person than the one who approved"


def test_a_row_changed_and_its_records_written_anew_is_not_what_was_signed(room: MoneyRoom) -> None:
    """Whoever has database and platform key can write new records for another account; the signed digest holds the old line."""
    batch = prepared(room)
    room.approve(batch)
    with room.world.work("controller") as work:
        row = refunds.batch(work.session, batch)
        one = refunds.of_batch(work.session, row)[0]
        shown = approvals.facts(approvals.last(work, "refund.approve", [one.log_of])[one.log_of])[approvals.LINE_PROOF]
        one.amount_minor -= 1
        work.session.flush()
        values = audit.hide(bound.approved(one, row.digest))
        work.record("refund.approve", one.log_of, n=one.version, bound=values, line=shown)
    with room.world.view("clock") as view, pytest.raises(Conflict) as refusal:
        one = refunds.refund(view.session, one.ref)
        approvals.require_signed(view, [one])
    assert refusal.value.code == "refund.not_as_approved" and refusal.value.facts["differs"] == "line"


def test_a_key_replaced_afterwards_has_signed_a_key_revoked_before_has_not(room: MoneyRoom) -> None:
    world, batch = room.world, prepared(room)
    room.approve(batch)
    world.clock.advance(minutes=1)
    old = world.keys["controller"]
    world.keys["controller"] = world.enrol("controller", "controller", seal=False, replaces=old.sign, new=Keys())
    world.clock.advance(minutes=1)
    assert len(room.pay(batch)) == 3
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    again = room.prepare(*room.due())
    with world.work("controller") as work:
        enrolments.revoke(work, parties.account(work.session, world.people["controller"]), "controller", reason="失窃")
    world.clock.advance(minutes=1)
    with pytest.raises(NotFound) as refusal:
        room.approve(again)
    assert refusal.value.code == "key.not_enrolled"
    written(room, again, room.approval)
    with pytest.raises(Conflict) as kept:
        room.pay(again)
    assert (kept.value.code, kept.value.facts["reason"]) == ("refund.not_signed", "SIG")


def test_a_key_counts_for_payment_once_the_log_has_sealed_it(engine: Engine, tmp_path: Path) -> None:
    """Whoever invents a controller cannot take the enrolment away again after the payment."""
    room = MoneyRoom(World(engine, tmp_path), tmp_path / "bank.db", keys=False)
    batch = prepared(room)
    room.world.enrol("controller", "controller", seal=False)
    room.approve(batch)
    assert refused(room, batch) == ("approval.key_waiting", None)
    with room.world.view("clock") as view:
        assert not [one for one in signed_rows.checks(view)[3]() if one.column == "approved_by"]
    room.world.tick()
    room.world.tick()
    assert len(room.pay(batch)) == 3


def test_approvals_of_before_there_were_keys_are_paid_if_the_log_proves_that_they_are(
    engine: Engine, tmp_path: Path
) -> None:
    room = MoneyRoom(World(engine, tmp_path), tmp_path / "bank.db", keys=False)
    batch = prepared(room)
    with pytest.raises(NotFound) as refusal:
        room.approve(batch)
    assert refusal.value.code == "key.not_enrolled"
    written(room, batch)
    assert refused(room, batch) == ("refund.not_signed", "SIG"), "while no tick holds it"
    room.world.tick()
    room.world.tick()
    room.world.enrol("controller", "controller", seal=False)
    assert len(room.pay(batch)) == 3
    ref, _ = room.paid_lot("GP")
    room.terminate(ref)
    later = room.prepare(*room.due())
    written(room, later)
    room.world.tick()
    room.world.tick()
    with pytest.raises(Conflict) as kept:
        room.pay(later)
    assert kept.value.code == "refund.not_signed"


# --- what is kept, and another account ----------------------------------------------------------------------------------


def proposed(room: MoneyRoom) -> tuple[str, str]:
    """A proposal to keep the winner's deposit, heard; its reference and the sub-account."""
    _ref, subs = room.awarded("WORKS")
    sub = subs["bidder1"]
    with room.world.work("cashier") as work:
        demand, until = demand_of(work.session, sub), local_day(work.now) + timedelta(days=9)
        name = forfeits.draft(work, demand, ground="D-41", evidence="拒签合同", hold_until=until).ref
    with room.world.work("cashier") as work:
        forfeits.hear(work, forfeits.forfeit(work.session, name), hearing="听取陈述")
    return name, sub


def decide(room: MoneyRoom, name: str) -> Any:
    with pytest.raises(Conflict) as refusal:
        room.decide(name)
    assert room.totals().forfeited.is_zero
    return refusal.value.code, refusal.value.facts.get("reason")


def test_nothing_is_kept_on_a_check_the_platform_wrote(room: MoneyRoom) -> None:
    name, _sub = proposed(room)
    with room.world.work("controller") as work, pytest.raises(Invalid) as refusal:
        row = forfeits.forfeit(work.session, name)
        told = signed_approvals.to_sign(work, forfeits.matter(work, row))
        told["at"] = format_time(floor_second(work.now))
        forfeits.check(work, row, approval=sign_document("approval", told, work.office.keys.signing))
    assert refusal.value.code == "approval.refused"
    with room.world.work("controller") as work:  # with the database besides
        row = forfeits.forfeit(work.session, name)
        row.checked_by, row.checked_at = work.actor.account_id, work.now
        values = audit.hide(forfeits._checked(row))
        forfeits.FORFEIT_FLOW.take(work, row, "check", forfeit=row.ref, bound=values)
    assert decide(room, name) == ("refund.not_signed", "SIG")
    with room.world.view("clock") as view:
        found = [one.column for one in signed_rows.checks(view)[5]()]
    assert found == ["checked_by"]


def test_money_that_came_after_the_check_was_not_checked(room: MoneyRoom) -> None:
    name, sub = proposed(room)
    room.check(name)
    with room.world.view("clock") as view:
        row = forfeits.forfeit(view.session, name)
        about = forfeits.matter(view, row)
        assert about.facts["amount"] == DEPOSIT.minor and len(about.facts["receipts"]) == 1
    with row_changed(room, "deposit_demand", f"amount_minor = {DEPOSIT.minor - 100}", "sub_account = :sub", sub=sub):
        assert decide(room, name)[0] == "forfeit.money_changed"
    room.decide(name)
    assert room.totals().forfeited == DEPOSIT
    with room.world.view("clock") as view:
        assert list(signed_rows.checks(view)[5]()) == []


def test_another_account_wants_two_controllers_signatures(room: MoneyRoom) -> None:
    ref, _subs = room.paid_lot("GP")
    room.leave(ref, "bidder1")
    (name,) = room.due()
    room.approve(batch := room.prepare(name))
    (key,) = room.pay(batch)
    room.fetch()
    room.bank.give_back(key, "账户已销户")
    room.fetch()
    room.other_account(name, "bidder1", "6222000077778888", "controller")
    with room.world.work(
        "controller2"
    ) as work:  # what the platform's key and the database can write without the second
        row = refunds.refund(work.session, name)
        change = payees.pending(work.session, row)
        assert change is not None
        change.second_by, change.second_at = work.actor.account_id, work.now
        row.payee_account, row.version = change.account, row.version + 1
        work.session.flush()
        hidden = audit.hide({"payee": bound.account(row.receipt, change.account)})
        work.record("payee.approve", row.log_of, payee=change.account, second=True, bound=hidden, n=row.version)
    again = room.prepare(name)
    with pytest.raises(Conflict) as refusal:
        room.approve(again)
    assert (refusal.value.code, refusal.value.facts["reason"]) == ("refund.not_signed", "SIG")


def test_another_account_that_two_signed_is_paid(room: MoneyRoom) -> None:
    ref, _subs = room.paid_lot("GP")
    room.leave(ref, "bidder1")
    (name,) = room.due()
    room.approve(batch := room.prepare(name))
    (key,) = room.pay(batch)
    room.fetch()
    room.bank.give_back(key, "账户已销户")
    room.fetch()
    room.other_account(name, "bidder1", "6222000077778888")
    room.approve(again := room.prepare(name))
    room.pay(again)
    room.fetch()
    assert room.refund(name).state == "CONFIRMED" and room.refund(name).payee_account == "6222000077778888"


def test_the_purchasers_decision_is_signed_by_the_purchasers_key(room: MoneyRoom) -> None:
    """Neither the platform's key, nor a controller's, nor the purchaser's under other money decides."""
    name, _sub = proposed(room)
    room.check(name)
    held = {"platform": room.world.office.keys.signing, "controller": room.world.keys["controller"].sign}
    for key in held.values():
        with room.world.work("buyer") as work, pytest.raises(Invalid) as refusal:
            row = forfeits.forfeit(work.session, name)
            told = signed_approvals.to_sign(work, forfeits.decision(work, row))
            told["at"] = format_time(floor_second(work.now))
            forfeits.decide(work, row, approval=sign_document("approval", told, key))
        assert (refusal.value.code, refusal.value.facts["reason"]) == ("approval.refused", "SIG")
    with room.world.work("buyer") as work, pytest.raises(Conflict) as other:
        row = forfeits.forfeit(work.session, name)
        about = forfeits.decision(work, row)
        changed = dict(about.facts) | {"amount": about.facts["amount"] - 1}
        forfeits.decide(work, row, approval=room.approval(work, about, facts=changed))
    assert (other.value.code, other.value.facts["fields"]) == ("approval.other", ["facts"])
    assert room.totals().forfeited.is_zero
    room.decide(name)
    with room.world.view("clock") as view:
        assert list(signed_rows.checks(view)[5]()) == []


def test_a_decision_the_platform_wrote_is_named_by_the_audit(room: MoneyRoom) -> None:
    """Whoever has the database and the platform's key can post a decision; that nobody signed it stays to be seen."""
    name, _sub = proposed(room)
    room.check(name)
    with room.world.work("buyer") as work:
        row = forfeits.forfeit(work.session, name)
        parts = forfeits.to_keep(work.session, row.demand)
        row.amount_minor = sum(amount for _, amount in parts)
        row.decided_by, row.decided_at = work.actor.account_id, work.now
        kept = [{"receipt": one.ref, "bound": audit.hide(bound.kept(one, row, amount))} for one, amount in parts]
        facts = {"ground": row.ground, "amount": row.amount_minor, "to": row.goes_to, "forfeit": row.ref, "kept": kept}
        forfeits.FORFEIT_FLOW.take(work, row, "decide", **facts)
    with room.world.view("clock") as view:
        (found,) = [one for one in signed_rows.checks(view)[5]() if one.column == "decided_by"]
    assert (found.row, found.stored, found.signed) == (name, "SIG", "refund.not_signed")
