"""Money in a world: bidders pay at a simulated bank, the cashier takes statements in, refunds go their way. By the product's acts alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crypto.canonical import format_time
from crypto.documents import sign_document
from crypto.opening import release_shares
from crypto.submissions import make_withdrawal
from crypto.trust import trust_of
from deposits import demands, forfeits, receipts, reconcile
from deposits.bank.simulated import SimulatedBank
from deposits.demands import DepositDemand
from deposits.refunds import approvals, falling_due, payees, refunds, settlement, signed_approvals
from deposits.refunds.refunds import Refund
from deposits.refunds.settlement import Settled
from deposits.views import statement
from tests.kit import data_keys, kept, sealing
from tests.kit.world import OFFICERS, PASSWORD, SETUP, Keys, World, password_hash
from trading import publication, timeline
from trading.awarding import awards, contracts
from trading.bidding import bids, participants
from trading.hall import package as opening_package
from trading.kernel import at_rest, audit, log
from trading.kernel.access import Role
from trading.kernel.calendar import BEIJING, day_start, local_day
from trading.kernel.clock import floor_second
from trading.kernel.db import append_only_ddl
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony, decryption, shares
from trading.opening.files import check_package, read_package
from trading.parties import enrolments, parties
from trading.tendering import notices
from trading.tendering.tenders import LOT_FLOW

STAFF = (
    ("cashier", Role.CASHIER),
    ("cashier2", Role.CASHIER),
    ("controller", Role.CONTROLLER),
    ("controller2", Role.CONTROLLER),
)
DEPOSIT = Money.parse("50000")
T = TypeVar("T")
WORKS_FORM = {"price": "2750000.00", "duration_days": "120", "quality": "合格", "manager": "王工"}


def demand_of(session: Session, sub_account: str) -> DepositDemand:
    """The demand a sub-account was given for."""
    found = demands.find_by_sub_account(session, sub_account)
    assert found is not None, sub_account
    return found


@kept.act
def staff(world: World, *, keys: bool = True) -> None:
    """The people of the cashier's office; ``keys``: controllers have theirs."""
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for username, role in STAFF:
            who = parties.invite(
                work, centre, username=username, name=username, password=PASSWORD, hashed=password_hash(), roles=[role]
            )
            world.people[username] = who.id
    for username, role in STAFF:
        if keys and role is Role.CONTROLLER:
            world.enrol(username, "controller", seal=False)


class MoneyRoom:
    """``world`` with a cashier's office; moments move only forward."""

    def __init__(self, world: World, bank_file: Path, *, keys: bool = True) -> None:
        self.world = world
        self.bank = SimulatedBank(bank_file, world.clock)
        staff(world, keys=keys)

    def _kept(self, name: str, play: Callable[[], T]) -> T:
        """What ``play`` returns, with world and bank as it leaves them: played once a run (tests/kit/kept.py). ``name``: the act with all
        it is asked."""
        if not kept.automatic:
            return play()
        money = hashlib.sha256(self.bank.path.read_bytes()).hexdigest()
        whole = f"money room {name} {money} {self.bank.lost_answers} {self.bank.lost_orders}"
        found, held = kept.played(self.world, whole, lambda _world: (play(), self.bank.path.read_bytes()))
        self.bank.path.write_bytes(held)
        return cast(T, found)

    # --- bidders --------------------------------------------------------------------------------------------------------------------

    def take_part(self, ref: str, *usernames: str) -> dict[str, str]:
        """Take part and ask for the sub-account: username → number."""
        found = {}
        for username in usernames or self.world.bidders:
            with self.world.work(username) as work:
                demand = demands.demand_for(work, participants.take_part(work, self.world.lot_in(work, ref)))
                found[username] = demand.sub_account if demand is not None else ""
        return found

    def payer(self, username: str) -> tuple[str, str]:
        """Name and basic account of a bidder."""
        with self.world.view("clock") as view:
            party = parties.account(view.session, self.world.people[username]).party
            return party.name, party.bank_account

    def pay_in(
        self,
        username: str,
        sub_account: str,
        amount: Money = DEPOSIT,
        *,
        name: str = "",
        account: str = "",
        text: str = "",
    ) -> str:
        known = self.payer(username)
        return self.bank.receive(
            amount, name=name or known[0], account=account or known[1], sub_account=sub_account, text=text
        )

    def bid(self, ref: str, *usernames: str) -> None:
        sealing.open_for_bids(self.world, ref)
        form = WORKS_FORM if self.regime(ref) == "WORKS" else sealing.FORM
        for username in usernames or self.world.bidders:
            assert sealing.hand_in(
                self.world, ref, username, *sealing.seal(self.world, ref, username, form=form)
            ).accepted

    def withdraw_bid(self, ref: str, username: str) -> None:
        """The signed withdrawal of the bid that stands."""
        with self.world.view("clock") as view:
            lot = self.world.lot_in(view, ref)
            participant = participants.find(
                view.session, lot, parties.account(view.session, self.world.people[username]).party
            )
            assert participant is not None
            row = bids.standing(view.session, participant.id)
            assert row is not None
            submission = bids.submission_payload(audit.document(view.session, row.bid.statement))
        document = make_withdrawal(submission, at=format_time(self.world.now))
        with self.world.work(username, sealing.SIGNER) as work:
            outcome = bids.withdraw(
                work,
                self.world.lot_in(work, ref),
                withdrawal=sign_document("withdrawal", document, self.world.keys[username].sign),
            )
            assert outcome.accepted

    def leave(self, ref: str, username: str) -> None:
        """Through with the lot: the bid is withdrawn, and the bidder takes part no more."""
        self.withdraw_bid(ref, username)
        with self.world.work(username) as work:
            bids.leave(work, participants.own(work, self.world.lot_in(work, ref)))

    # --- the procedure --------------------------------------------------------------------------------------------------------------

    def paid_lot(self, regime: str = "GP", *, bid: tuple[str, ...] = ()) -> tuple[str, dict[str, str]]:
        """A lot in which everybody has taken part and paid, and those named (all) have bid."""
        return self._kept(f"paid_lot {regime} {bid}", lambda: self._paid_lot(regime, bid))

    def _paid_lot(self, regime: str, bid: tuple[str, ...]) -> tuple[str, dict[str, str]]:
        ref = self.world.lot("BIDDING", regime=regime)
        subs = self.take_part(ref)
        for username, sub in subs.items():
            self.pay_in(username, sub)
        self.fetch()
        self.bid(ref, *bid)
        return ref, subs

    def list_set(self, ref: str) -> None:
        """Over the deadline to the published opening list."""
        self._kept(f"list_set {ref}", lambda: self._list_set(ref))

    def _list_set(self, ref: str) -> None:
        self.world.tick()
        sealing.close(self.world, ref)
        sealing.list_set(self.world, ref)

    def open(self, ref: str) -> None:
        """Shares, decryption, signatures: the opening to its end."""
        self._kept(f"open {ref}", lambda: self._open(ref))

    def _open(self, ref: str) -> None:
        world = self.world
        for username, _, _ in OFFICERS:
            with world.view(username) as view:
                package = opening_package.package(view, world.lot_in(view, ref))
            checked = check_package(read_package(package), trust_of(package["trust"]), now=format_time(world.now))
            document = release_shares(
                checked.set,
                checked.headers,
                j=package["officer"]["j"],
                secrets=partial(world.policy_secret, username),
                now=format_time(world.now),
            )
            with world.work(username) as work:
                shares.accept_share(
                    work,
                    ceremony.opening(work.session, world.lot_in(work, ref)),
                    sign_document("shares", document, world.keys[username].sign),
                )
        decryption.open_bids(world.office, world.actor("host"), ref)

    def evaluate(self, ref: str) -> None:
        """The panel's ranking handed down, in the order of the bidders' names."""
        with self.world.work("host") as work:
            lot = self.world.lot_in(work, ref)
            LOT_FLOW.take(work, lot, "review_qualification" if lot.regime == "GP" else "evaluate")
        if self.regime(ref) == "GP":
            with self.world.work("agent") as work:
                LOT_FLOW.take(work, self.world.lot_in(work, ref), "qualify")
        actor = self.world.actor("clerk")
        chair = type(actor)(Role.CHAIR, actor.account_id, actor.party_id, "chair", actor.fresh_until)
        with self.world.office.work(chair) as work:
            lot = self.world.lot_in(work, ref)
            rows = [
                {
                    "bidder": o.party.code,
                    "name": o.party.name,
                    "party_id": o.party_id,
                    "total": "90.00",
                    "price_minor": o.price_minor,
                }
                for o in ceremony.opened_of_lot(work.session, lot)
            ]
            rows.sort(key=lambda row: str(row["bidder"]))
            awards.propose(work, lot, [{**row, "rank": at} for at, row in enumerate(rows, 1)], rules_hash="0" * 43)
            LOT_FLOW.take(work, lot, "report")

    def award(self, ref: str) -> None:
        """Candidates (works), decision, notices."""
        if self.regime(ref) == "WORKS":
            with self.world.work("agent") as work:
                until = awards.publicise(work, self.world.lot_in(work, ref)).publicity_until
                assert until is not None
            self.world.clock.set(until)
        with self.world.work("buyer") as work:
            awards.decide(work, self.world.lot_in(work, ref))
        with self.world.work("agent") as work:
            awards.announce(work, self.world.lot_in(work, ref))

    def contract(self, ref: str) -> None:
        with self.world.work("agent") as work:
            lot = self.world.lot_in(work, ref)
            price = awards.award(work.session, lot).price_minor
            assert price is not None
            contracts.record(work, lot, number="HT-1", amount_minor=price, signed_at=work.now)

    def awarded(self, regime: str = "GP") -> tuple[str, dict[str, str]]:
        return self._kept(f"awarded {regime}", lambda: self._awarded(regime))

    def _awarded(self, regime: str) -> tuple[str, dict[str, str]]:
        ref, subs = self.paid_lot(regime)
        self.list_set(ref)
        self.open(ref)
        self.evaluate(ref)
        self.award(ref)
        return ref, subs

    def terminate(self, ref: str) -> None:
        with self.world.work("buyer") as work:
            publication.terminate(work, self.world.lot_in(work, ref), reason="采购任务取消")

    def regime(self, ref: str) -> str:
        with self.world.view("clock") as view:
            return self.world.lot_in(view, ref).regime

    def notice_day(self, ref: str, kind: str) -> date:
        with self.world.view("clock") as view:
            return local_day(notices.latest(view.session, self.world.lot_in(view, ref), kind).published_at)

    # --- the money room -------------------------------------------------------------------------------------------------------------

    def fetch(self) -> Settled:
        with self.world.work("cashier") as work:
            return settlement.fetch(work, self.bank)[1]

    def due(self) -> list[str]:
        """References of what has fallen due now."""
        with self.world.work("clock") as work:
            return [row.ref for row in falling_due.due(work)]

    def prepare(self, *refs: str, by: str = "cashier", value_on: date | None = None) -> str:
        with self.world.work(by) as work:
            rows = [refunds.refund(work.session, ref) for ref in refs]
            return refunds.prepare(work, rows, value_on=value_on).ref

    def approve(self, batch: str, by: str = "controller") -> None:
        with self.world.work(by) as work:
            row = refunds.batch(work.session, batch)
            refunds.approve(work, row, approval=self.approval(work, approvals.batch_matter(work, row)))

    def approval(self, work: View, matter: signed_approvals.Matter, **changes: Any) -> Any:
        """What an approver's own key signs of a matter."""
        name = next((key for key, held in self.world.people.items() if held == work.actor.account_id), "")
        firm = enrolments.holder_of(parties.account(work.session, work.actor.account_id or 0), matter.role)
        told = {
            "v": 1,
            "at": format_time(floor_second(work.now)),
            "platform": work.office.platform,
            "log": log.origin(work.office.platform),
            "approver": firm,
            "person": work.actor.person,
            "what": matter.what,
            "of": matter.of,
            "prepared": matter.prepared.entry_hash,
            "facts": dict(matter.facts),
        } | changes
        return sign_document("approval", told, self.world.keys.setdefault(name, Keys()).sign)

    def pay(self, batch: str, by: str = "cashier") -> list[str]:
        """Order and hand over; the bank's keys."""
        with self.world.work(by) as work:
            keys = [order.key for order in refunds.pay(work, refunds.batch(work.session, batch))]
        refunds.deliver(self.world.office, self.bank)
        return keys

    def refund_all(self) -> list[str]:
        """All that is due now: prepared, approved, paid, and confirmed by the statement."""
        refs = self.due()
        if refs:
            batch = self.prepare(*refs)
            self.approve(batch)
            self.pay(batch)
            self.fetch()
        return refs

    def refund(self, ref: str) -> Refund:
        with self.world.view("clock") as view:
            return refunds.refund(view.session, ref)

    def refunds_of(self, sub_account: str) -> list[Refund]:
        with self.world.view("clock") as view:
            return refunds.of_demand(view.session, demand_of(view.session, sub_account).id)

    def sub_account_of(self, ref: str) -> str:
        """The sub-account of the demand a refund gives back."""
        demand = self.refund(ref).demand
        assert demand is not None, ref
        return demand.sub_account

    def reconcile(self, note: str = "") -> reconcile.Reconciliation:
        with self.world.work("cashier") as work:
            return reconcile.reconcile(work, note=note)

    def totals(self) -> statement.Totals:
        with self.world.view("clock") as view:
            return statement.totals(view.session)

    def receipts_of(self, sub_account: str) -> list[receipts.Receipt]:
        with self.world.view("clock") as view:
            return receipts.of_demand(view.session, demand_of(view.session, sub_account).id)

    def keys_sealed(self) -> None:
        """On to the tick that seals the keys of the controllers, where no lot has passed one: money moves by them from then on."""
        self.world.tick()
        self.world.tick()

    def check(self, ref: str, by: str = "controller") -> None:
        """A controller checks and signs a proposal to keep a deposit."""
        with self.world.work(by) as work:
            row = forfeits.forfeit(work.session, ref)
            forfeits.check(work, row, approval=self.approval(work, forfeits.matter(work, row)))

    def other_account(self, ref: str, bidder: str, account: str, *by: str) -> None:
        """The bidder names another account of its own for a refund that came back, and controllers sign for it."""
        proof = self.world.office.blobs.put([b"%PDF-1.4 proof of the bank"])
        with self.world.work(bidder) as work:
            payees.ask(work, refunds.refund(work.session, ref), account=account, proof=proof)
        for name in by or ("controller", "controller2"):
            with self.world.work(name) as work:
                change = payees.pending(work.session, refunds.refund(work.session, ref))
                assert change is not None
                payees.approve(work, change, approval=self.approval(work, payees.matter(work, change)))

    def keep(self, sub_account: str, *, ground: str, until: date) -> str:
        """A forfeit from draft to decision by its three persons."""
        with self.world.work("cashier") as work:
            demand = demand_of(work.session, sub_account)
            ref = forfeits.draft(
                work, demand, ground=ground, evidence="招标文件第 12 条；放弃中标声明", hold_until=until
            ).ref
        with self.world.work("cashier") as work:
            forfeits.hear(work, forfeits.forfeit(work.session, ref), hearing="已书面告知，投标人无异议")
        self.check(ref)
        self.decide(ref)
        return ref

    def decide(self, ref: str, by: str = "buyer") -> None:
        """The purchaser decides and signs."""
        with self.world.work(by) as work:
            row = forfeits.forfeit(work.session, ref)
            forfeits.decide(work, row, approval=self.approval(work, forfeits.decision(work, row)))

    def all_refunds(self) -> list[Refund]:
        with self.world.view("clock") as view:
            return list(view.session.scalars(select(Refund).order_by(Refund.id)))

    def go_to(self, day: date, hour: int = 10) -> None:
        self.world.clock.set(max(self.world.now, day_start(day) + timedelta(hours=hour)))

    def turn(self) -> None:
        timeline.turn(self.world.office)


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


# --- what somebody with the database can do ---------------------------------------------------------------------------


@contextmanager
def row_changed(room: MoneyRoom, table: str, change: str, where: str, **values: Any) -> Iterator[None]:
    """A row as somebody with the database, and its data key, has changed it, for a while; what the product did to other columns meanwhile
    stands."""
    column, _, plain = change.partition(" = ")
    columns, plain = [column.strip()], plain.strip("'")
    held = at_rest.HELD.get(table)
    with room.world.office.engine.begin() as connection:
        if held is not None and columns[0] in held.columns:
            row = connection.execute(text(f"SELECT {held.row} FROM {table} WHERE {where}"), values).scalar_one()
            change = f"{columns[0]} = :sealed"
            values["sealed"] = str(data_keys.sealed(table, columns[0], row, plain))
        before = connection.execute(text(f"SELECT id, {', '.join(columns)} FROM {table} WHERE {where}"), values).one()
        assert connection.execute(text(f"UPDATE {table} SET {change} WHERE {where}"), values).rowcount == 1
    yield
    with room.world.office.engine.begin() as connection:
        back = ", ".join(f"{column} = :{column}" for column in columns)
        connection.execute(text(f"UPDATE {table} SET {back} WHERE id = :id"), dict(before._mapping))


@contextmanager
def unlocked(room: MoneyRoom, table: str) -> Iterator[None]:
    """An append-only table without its triggers, which its owner can drop."""
    engine = room.world.office.engine
    names = append_only_ddl(table)[engine.dialect.name]
    with engine.begin() as connection:
        for statement in names:
            if statement.startswith("CREATE TRIGGER"):
                on = f" ON {table}" if engine.dialect.name == "postgresql" else ""
                connection.execute(text(f"DROP TRIGGER {statement.split()[2]}{on}"))
    yield
    with engine.begin() as connection:
        for statement in names:
            connection.execute(text(statement))
