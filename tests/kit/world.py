"""A world for tests: an office with its people and keys, and things in any state, reached by the acts the product itself has.

Nothing here writes a row by hand: a test cannot build a state the product could not. Acts take rows of their own unit of work, so the
world hands out references and ``lot_in(work, ref)`` fetches the row. Later parts add further states to ``lot(at=…)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from crypto import headers, hpke, keys, passwords, signatures
from crypto.canonical import b64u, format_time, unb64u
from crypto.policies import policy_id
from evaluation.scoring import schemes
from tests.kit import kept, methods
from tests.kit.office import make_office
from tests.kit.schemes import scheme_of
from trading import publication
from trading.bidding import floods, participants
from trading.custody import officers, policies
from trading.kernel import ids, log
from trading.kernel.access import CLOCK, Actor, Role
from trading.kernel.clock import SetClock
from trading.kernel.money import Money
from trading.kernel.work import Office, UnitOfWork, View
from trading.parties import enrolments, parties
from trading.tendering import documents, invitations, projects, tenders
from trading.tendering.tenders import Lot

SETUP = Actor(Role.SECURITY_ADMIN, name="setup")
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
CENTRE_CODE = "12130205000000000E"
DEADLINE = datetime(2026, 3, 24, 1, 30, tzinfo=UTC)
"""Tuesday 09:30 in Beijing, 22 days after the world begins."""

PASSWORD = "correct horse battery"
"""Everybody's."""


@cache
def password_hash() -> str:
    """Of everybody's password: hashed once, since the hash is slow on purpose."""
    return passwords.hash_password(PASSWORD)


def credit_code(number: int) -> str:
    """A well-formed unified social credit code of nobody."""
    first = f"91130205MA0{number:06d}"
    return first + ids.uscc_check(first)


@dataclass
class Keys:
    """The secrets of one person: Ed25519 ``sign``, X25519 ``seal``, an officer's ``root``."""

    sign: bytes = field(default_factory=keys.new_secret)
    seal: bytes = field(default_factory=keys.new_secret)
    root: bytes = field(default_factory=keys.new_secret)


OFFICERS = (
    ("officer1", "centre", "platform"),
    ("officer2", "centre", "platform"),
    ("officer3", "purchaser", "tenderee"),
    ("officer4", "agency", "tenderee"),
    ("officer5", "supervisor", "supervisor"),
)
"""(username, party, side): 3 of 5 as 2 + 2 + 1, the protocol's own example."""


class World:
    """``parties`` and ``people`` by short name; ``keys`` by username; ``mirror_mode``: what the policies drafted next say of the mirror."""

    def __init__(
        self, engine: Engine, folder: Path, *, bidders: int = 3, called: Mapping[str, str] | None = None
    ) -> None:
        """``called``: what parties (by short name) and people (``@`` and their username) are called on the pages, where it matters."""
        self.office: Office = make_office(engine, folder)
        self.called = dict(called or {})
        self.party_ids: dict[str, int] = {}
        self.people: dict[str, int] = {}
        self.keys: dict[str, Keys] = {}
        self.bidders = [f"bidder{number}" for number in range(1, bidders + 1)]
        self.mirror_mode = ""
        self.state = ""
        """What it was when last kept (tests/kit/kept.py)."""
        kept.settled(self, World._settle)

    # --- people -------------------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        named = [
            ("centre", CENTRE_CODE, "公共资源交易中心", "centre"),
            ("purchaser", credit_code(1), "开平区教育局", "purchaser"),
            ("agency", credit_code(2), "诚信招标代理有限公司", "agency"),
            ("agency2", credit_code(3), "另一招标代理有限公司", "agency"),
            ("supervisor", credit_code(4), "开平区财政局", "supervisor"),
        ]
        named += [
            (name, credit_code(100 + at), f"投标单位{at}有限公司", "bidder")
            for at, name in enumerate(self.bidders, start=1)
        ]
        staff = [
            ("clerk", "centre", [Role.CENTRE]),
            ("host", "centre", [Role.HOST]),
            ("buyer", "purchaser", [Role.PURCHASER]),
            ("agent", "agency", [Role.AGENCY]),
            ("agent2", "agency2", [Role.AGENCY]),
            ("watch", "supervisor", [Role.SUPERVISOR]),
        ]
        staff += [(username, party, [Role.OFFICER]) for username, party, _ in OFFICERS]
        staff += [(name, name, [Role.BIDDER_SIGNER, Role.BIDDER_OPERATOR]) for name in self.bidders]
        with self.office.work(SETUP) as work:
            for short, code, name, kind in named:
                account = f"62220000{len(self.party_ids)}"
                new = parties.register(
                    work, code=code, name=self.called.get(short, name), kind=kind, region="130205", bank_account=account
                )
                self.party_ids[short] = new.id
            for username, short, roles in staff:
                who = parties.invite(
                    work,
                    parties.party(work.session, self.party_ids[short]),
                    username=username,
                    name=self.called.get(f"@{username}", username),
                    password=PASSWORD,
                    hashed=password_hash(),
                    roles=roles,
                )
                self.people[username] = who.id
        for username, _, _ in OFFICERS:
            self.enrol(username, "officer", seal=False)
        for username in self.bidders:
            self.enrol(username, "bidder")
        self.enrol("buyer", "tenderee")
        self.enrol("watch", "supervisor")

    def actor(self, username: str, role: Role | None = None) -> Actor:
        """A person signed in afresh, in the first of their roles unless one is named."""
        with self.office.view(CLOCK) as view:
            who = parties.account(view.session, self.people[username])
            held = parties.roles_of(view.session, who)
            chosen = role or sorted(held, key=list(Role).index)[-1 if username in self.bidders else 0]
            return parties.actor_for(who, chosen, held, fresh_until=view.now + timedelta(minutes=10))

    @contextmanager
    def work(
        self, username: str, role: Role | None = None, *, arrived_at: datetime | None = None
    ) -> Iterator[UnitOfWork]:
        """A unit of work by a person, or by ``clock``."""
        with self.office.work(
            CLOCK if username == "clock" else self.actor(username, role), arrived_at=arrived_at
        ) as work:
            yield work

    @contextmanager
    def view(self, username: str, role: Role | None = None) -> Iterator[View]:
        with self.office.view(CLOCK if username == "clock" else self.actor(username, role)) as view:
            yield view

    # --- time ---------------------------------------------------------------------------------------------------------------------

    @property
    def clock(self) -> SetClock:
        assert isinstance(self.office.clock, SetClock)
        return self.office.clock

    @property
    def now(self) -> datetime:
        return self.office.clock.now()

    def tick(self) -> None:
        """On to the next whole minute, and the log is sealed there."""
        self.clock.set(self.now.replace(second=0, microsecond=0) + timedelta(minutes=1))
        self.seal_log()

    def seal_log(self) -> None:
        with self.office.work(CLOCK) as work:
            if (due := log.due_tick(work.session, work.now)) is not None:
                floods.gather(work, due)
                log.seal(work, due)

    # --- keys ---------------------------------------------------------------------------------------------------------------------

    def enrol(
        self, username: str, role: str, *, seal: bool = True, replaces: bytes | None = None, new: Keys | None = None
    ) -> Keys:
        """Enrol a person's keys as their client would: challenge, answer, signed enrolment."""
        held = new or self.keys.setdefault(username, Keys())
        with self.work(username) as work:
            account = parties.account(work.session, self.people[username])
            public = keys.x25519_public(held.seal) if seal else None
            answer = ""
            if public:
                box = enrolments.challenge(work, b64u(public))
                answer = b64u(hpke.open_box(held.seal, unb64u(box["enc"]), unb64u(box["ct"]), b"bidhall/sb1/enrol"))
            document = enrolments.enrolment_document(
                platform=self.office.platform,
                holder=enrolments.holder_of(account, role),
                role=role,
                sign_public=keys.ed25519_public(held.sign),
                seal_public=public,
                replaces=keys.kid("ed25519", keys.ed25519_public(replaces)) if replaces else "",
                at=format_time(work.now),
            )
            signed_by = [held.sign, *([replaces] if replaces else [])]
            enrolments.enrol(work, account, role, signatures.sign("enrolment", document, *signed_by), answer=answer)
        self.keys[username] = held
        return held

    def scope_secret(self, username: str, scope: dict[str, Any]) -> bytes:
        """An officer's X25519 secret for one scope, as its client derives it."""
        return keys.officer_tender_key(self.keys[username].root, keys.officer_scope(**scope))[0]

    def policy_secret(self, username: str, policy: Mapping[str, Any]) -> bytes:
        """An officer's secret for the scope a policy names."""
        return self.scope_secret(
            username, {name: policy[name] for name in ("platform", "tender", "lot", "envelope", "serial")}
        )

    # --- projects and lots --------------------------------------------------------------------------------------------------------

    def project_fields(self, regime: str = "GP") -> dict[str, Any]:
        fields: dict[str, Any] = {
            "name": "开平区中小学多媒体设备采购",
            **methods.chosen(regime),
            "category": "WORKS" if methods.is_works(regime) else "GOODS",
            "kind": "CONSTRUCTION" if methods.is_works(regime) else "",
            "budget": Money.parse("3000000"),
            "region": "130205",
            "funds": "财政资金，已落实",
            "approval_no": "开财采计〔2026〕15号",
            "intent_at": date(2026, 1, 20),
            "agency_agreement": "委托代理协议 2026-02",
            "contact": "王老师 0315-3000000",
        }
        return fields

    def project(self, at: str = "ACCEPTED", regime: str = "GP", **changes: Any) -> str:
        """The reference of a project in a state: DRAFT, FILED, RETURNED or ACCEPTED."""
        with self.work("agent") as work:
            purchaser = parties.party(work.session, self.party_ids["purchaser"])
            made = projects.draft(work, purchaser=purchaser, **(self.project_fields(regime) | changes))
            ref = made.ref
            if at != "DRAFT":
                projects.file(work, made)
        if at in ("RETURNED", "ACCEPTED"):
            with self.work("clerk") as work:
                row = projects.project(work.session, ref)
                if at == "RETURNED":
                    projects.return_with_gaps(work, row)
                else:
                    projects.accept(work, row)
        return ref

    def lot_fields(self, regime: str = "GP") -> dict[str, Any]:
        return {
            "title": "多媒体设备",
            "budget": Money.parse("3000000"),
            "ceiling": Money.parse("2900000"),
            "deposit": Money.parse("50000"),
            "need": "多媒体教学设备 120 套",
            "qualification": "符合政府采购法第二十二条",
            "contact": "李工 0315-3111111",
            "place": "第一开标室",
            "coefficients": ["0.95", "0.96", "0.97", "0.98"] if methods.is_works(regime) else [],
        }

    @kept.act
    def lot(self, at: str = "BIDDING", regime: str = "GP", **changes: Any) -> str:
        """The reference of a lot: DRAFTED (tender drafted), READY (all but published), NOTICE or BIDDING."""
        project = self.project(regime=regime)
        with self.work("agent") as work:
            tender = tenders.draft_tender(
                work,
                projects.project(work.session, project),
                title="开平区多媒体设备采购",
                lots=[self.lot_fields(regime) | changes],
            )
            ref = tender.lots[0].ref
        if at == "DRAFTED":
            return ref
        self.prepare(ref)
        if at == "READY":
            return ref
        self.publish(ref)
        if at == "BIDDING":
            self.issue(ref)
        return ref

    def lot_in(self, unit: View, ref: str) -> Lot:
        return tenders.lot(unit.session, ref)

    def prepare(self, ref: str, *, deadline: datetime = DEADLINE, largest: int = officers.MAX_PLEN) -> None:
        """Everything publication asks for: dates, scheme, a document, officers, their keys, signed policies, drills, and a tick over it.
        ``largest``: bytes a bid may have."""
        blob = self.office.blobs.put([PDF])
        with self.work("agent") as work:
            lot = self.lot_in(work, ref)
            tenders.plan(work, lot, deadline=deadline, clarify_until=deadline - timedelta(days=5))
            schemes.set_scheme(work, lot, scheme_of(lot.method))
            if invitations.is_invited_only(lot):
                codes = [parties.party(work.session, self.party_ids[name]).code for name in self.bidders]
                invitations.invite(work, lot, codes)
            documents.add(work, lot, name="招标文件.pdf", blob=blob)
        self.name_officers(ref)
        self.offer_keys(ref)
        with self.work("agent") as work:
            if self.mirror_mode:
                policies.draft_policies(work, self.lot_in(work, ref), mirror=self.mirror_mode)
            else:
                policies.draft_policies(work, self.lot_in(work, ref), max_plen=largest)
        self.sign_policies(ref)
        self.open_drills(ref)
        self.tick()

    def name_officers(self, ref: str, *, t: int = 3) -> None:
        with self.work("agent") as work:
            named = [(parties.account(work.session, self.people[username]), side) for username, _, side in OFFICERS]
            officers.name_officers(work, self.lot_in(work, ref), named, t=t)

    def offer_keys(self, ref: str) -> None:
        for username, _, _ in OFFICERS:
            with self.work(username) as work:
                lot = self.lot_in(work, ref)
                publics = {
                    scope["envelope"]: b64u(keys.x25519_public(self.scope_secret(username, scope)))
                    for scope in officers.scopes_to_key(work, lot)
                }
                officers.offer_keys(work, lot, publics)

    def sign_policies(self, ref: str, *, only: tuple[str, ...] = ()) -> None:
        """Each officer signs all that waits for it, in one act."""
        for username in only or [username for username, _, _ in OFFICERS]:
            with self.work(username) as work:
                lot = self.lot_in(work, ref)
                waiting = [row for row in policies.policies_to_sign(work) if row.lot_id == lot.id]
                policies.sign_policies(
                    work, lot, [self.policy_signature(username, officers.policy_document(row)) for row in waiting]
                )

    def policy_signature(self, username: str, document: dict[str, Any]) -> dict[str, Any]:
        return signatures.sign("policy", document, self.keys[username].sign)

    def open_drills(self, ref: str, *, only: tuple[str, ...] = ()) -> None:
        for username in only or [username for username, _, _ in OFFICERS]:
            with self.work(username) as work:
                lot = self.lot_in(work, ref)
                for drill in policies.drills_to_open(work):
                    if drill.policy.lot_id == lot.id:
                        envelope, part = self.drill_answer(work, username, drill)
                        policies.return_drill(work, drill, envelope, part=part)

    def drill_answer(self, work: View, username: str, drill: officers.Drill) -> tuple[dict[str, Any], str]:
        """What an officer's client hands back: the signed document and the part it found in its box."""
        policy = officers.policy_document(drill.policy)
        assert policy_id(policy) == drill.policy.policy_id
        j = officers.own_seat(work, drill.policy.lot, serial=policy["serial"]).j
        part = headers.open_share(officers.drill_header(drill), j, self.policy_secret(username, policy))
        document = policies.drill_document(self.office.platform, drill, j, at=format_time(work.now))
        return signatures.sign("drill", document, self.keys[username].sign), b64u(part)

    def publish(self, ref: str) -> publication.Published:
        with self.work("agent") as work:
            return publication.publish(work, self.lot_in(work, ref), text="欢迎合格投标人参加。")

    def issue(self, ref: str) -> None:
        with self.work("clock") as work:
            publication.issue(work, self.lot_in(work, ref))

    def take_part(self, ref: str, *usernames: str) -> list[int]:
        """The participants' ids, in the order named (all bidders if none is)."""
        found = []
        for username in usernames or self.bidders:
            with self.work(username) as work:
                found.append(participants.take_part(work, self.lot_in(work, ref)).id)
        return found
