"""Who may do what: one catalogue of acts, one table of roles, and the duties that must not meet in one person.

This is the first of the three locks on every door (role · tie · step and time). The tie (own bid, seat on this panel, officer of this
lot) and the step are checked inside the domain act. Closed unless listed: an act that stands in no row is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from trading.kernel.errors import NotAllowed, SignInNeeded


class Role(StrEnum):
    PUBLIC = "public"
    BIDDER_OPERATOR = "bidder-operator"
    BIDDER_SIGNER = "bidder-signer"
    BIDDER_ADMIN = "bidder-admin"
    PURCHASER = "purchaser"
    AGENCY = "agency"
    HOST = "host"
    CENTRE = "centre"
    OFFICER = "officer"
    EXPERT = "expert"
    CHAIR = "chair"
    WITNESS = "witness"
    SUPERVISOR = "supervisor"
    CASHIER = "cashier"
    CONTROLLER = "controller"
    SYSTEM_ADMIN = "system-admin"
    SECURITY_ADMIN = "security-admin"
    AUDIT_ADMIN = "audit-admin"
    CLOCK = "clock"


class Act(StrEnum):
    # everybody who is signed in
    ACCOUNT_OWN = "account.own"
    KEY_ENROL = "key.enrol"
    # purchaser and agency
    PROJECT_DRAFT = "project.draft"
    PROJECT_FILE = "project.file"
    TENDER_DRAFT = "tender.draft"
    LOT_PUBLISH = "lot.publish"
    OFFICERS_CONFIRM = "officers.confirm"
    ENQUIRY_ANSWER = "enquiry.answer"
    QUALIFICATION_REVIEW = "qualification.review"
    AWARD_DECIDE = "award.decide"
    NOTICE_PUBLISH = "notice.publish"
    OBJECTION_ANSWER = "objection.answer"
    CONTRACT_RECORD = "contract.record"
    TENDER_TERMINATE = "tender.terminate"
    # centre
    PROJECT_ACCEPT = "project.accept"
    VENUE_BOOK = "venue.book"
    PANEL_DRAW = "panel.draw"
    DRAW_TAKE_PART = "draw.take_part"
    PANEL_CONVENE = "panel.convene"
    ARCHIVE_SEAL = "archive.seal"
    # opening
    POLICY_SIGN = "policy.sign"
    HALL_ATTEND = "hall.attend"
    BASE_PRICE = "base_price.bind"
    OPENING_HOST = "opening.host"
    SHARE_RELEASE = "share.release"
    OPENING_SIGN = "opening.sign"
    FAULT_CONFIRM = "fault.confirm"
    FAULT_DECIDE = "fault.decide"
    # bidders
    LOT_TAKE_PART = "lot.take_part"
    ENQUIRY_ASK = "enquiry.ask"
    BID_UPLOAD = "bid.upload"
    BID_SUBMIT = "bid.submit"
    BID_WITHDRAW = "bid.withdraw"
    BID_LOOK = "bid.look"
    OPENING_CONFIRM = "opening.confirm"
    CLAIM_FILE = "claim.file"
    BID_RESCUE = "bid.rescue"
    OBJECTION_FILE = "objection.file"
    DEPOSIT_LOOK_OWN = "deposit.look_own"
    # panel
    SEAT_ANSWER = "seat.answer"
    SHEET_COMMIT = "sheet.commit"
    SHEET_REVEAL = "sheet.reveal"
    REPORT_SIGN = "report.sign"
    REPORT_CONCLUDE = "report.conclude"
    # money
    STATEMENT_IMPORT = "statement.import"
    REFUND_PREPARE = "refund.prepare"
    REFUND_APPROVE = "refund.approve"
    REFUND_PAY = "refund.pay"
    DEPOSIT_RECONCILE = "deposit.reconcile"
    DEPOSIT_LOOK = "deposit.look"
    # oversight and administration
    SUPERVISE = "supervise.look"
    FINDING_SIGN = "finding.sign"
    COMPLAINT_DECIDE = "complaint.decide"
    LOG_LOOK = "log.look"
    SIGN_INS_LOOK = "sign_ins.look"
    USER_ADMIN = "user.admin"
    ROLE_GRANT = "role.grant"
    SYSTEM_ADMIN = "system.admin"
    CALENDAR_IMPORT = "calendar.import"
    EXPERT_REGISTER = "expert.register"
    FIRM_ACCEPT = "firm.accept"
    PEOPLE_OWN = "people.own"
    RESTORE_CONFIRM = "restore.confirm"
    REHEARSAL_CONFIRM = "rehearsal.confirm"
    CLOCK_MOVE = "clock.move"
    # the clock
    CLOCK = "clock.turn"


LATCHING = frozenset(
    {
        Act.LOT_PUBLISH,
        Act.OPENING_HOST,
        Act.SHARE_RELEASE,
        Act.AWARD_DECIDE,
        Act.PANEL_DRAW,
        Act.SHEET_REVEAL,
        Act.REPORT_CONCLUDE,
    }
)
"""What a moment decides and nobody can undo: these wait while the machine's clocks disagree."""

_OWN = {Act.ACCOUNT_OWN}
_BIDDER = _OWN | {
    Act.HALL_ATTEND,
    Act.LOT_TAKE_PART,
    Act.ENQUIRY_ASK,
    Act.BID_UPLOAD,
    Act.BID_LOOK,
    Act.DEPOSIT_LOOK_OWN,
}

ROLES: dict[Role, frozenset[Act]] = {
    role: frozenset(acts)
    for role, acts in {
        Role.PUBLIC: set(),
        Role.BIDDER_OPERATOR: _BIDDER,
        Role.BIDDER_SIGNER: _BIDDER
        | {
            Act.KEY_ENROL,
            Act.BID_SUBMIT,
            Act.BID_WITHDRAW,
            Act.OPENING_CONFIRM,
            Act.CLAIM_FILE,
            Act.BID_RESCUE,
            Act.OBJECTION_FILE,
        },
        Role.BIDDER_ADMIN: _OWN | {Act.KEY_ENROL, Act.BID_LOOK, Act.DEPOSIT_LOOK_OWN, Act.PEOPLE_OWN},
        Role.PURCHASER: _OWN
        | {
            Act.KEY_ENROL,
            Act.PROJECT_DRAFT,
            Act.PROJECT_FILE,
            Act.QUALIFICATION_REVIEW,
            Act.AWARD_DECIDE,
            Act.DRAW_TAKE_PART,
            Act.OBJECTION_ANSWER,
            Act.CONTRACT_RECORD,
            Act.TENDER_TERMINATE,
            Act.HALL_ATTEND,
            Act.BASE_PRICE,
            Act.OFFICERS_CONFIRM,
        },
        Role.AGENCY: _OWN
        | {
            Act.KEY_ENROL,
            Act.PROJECT_DRAFT,
            Act.PROJECT_FILE,
            Act.TENDER_DRAFT,
            Act.LOT_PUBLISH,
            Act.ENQUIRY_ANSWER,
            Act.QUALIFICATION_REVIEW,
            Act.NOTICE_PUBLISH,
            Act.OBJECTION_ANSWER,
            Act.CONTRACT_RECORD,
            Act.OFFICERS_CONFIRM,
        },
        Role.HOST: _OWN | {Act.HALL_ATTEND, Act.OPENING_HOST, Act.OPENING_SIGN, Act.FAULT_CONFIRM},
        Role.CENTRE: _OWN
        | {
            Act.PROJECT_ACCEPT,
            Act.VENUE_BOOK,
            Act.PANEL_DRAW,
            Act.PANEL_CONVENE,
            Act.ARCHIVE_SEAL,
            Act.EXPERT_REGISTER,
            Act.FIRM_ACCEPT,
            Act.FAULT_CONFIRM,
            Act.CLOCK_MOVE,
        },
        Role.OFFICER: _OWN | {Act.KEY_ENROL, Act.POLICY_SIGN, Act.HALL_ATTEND, Act.SHARE_RELEASE, Act.OPENING_SIGN},
        # Whoever leads a panel acts as its expert: the seat's `is_chair` is the tie the acts check.
        Role.EXPERT: _OWN
        | {Act.KEY_ENROL, Act.SEAT_ANSWER, Act.SHEET_COMMIT, Act.SHEET_REVEAL, Act.REPORT_SIGN, Act.REPORT_CONCLUDE},
        Role.CHAIR: _OWN
        | {Act.KEY_ENROL, Act.SEAT_ANSWER, Act.SHEET_COMMIT, Act.SHEET_REVEAL, Act.REPORT_SIGN, Act.REPORT_CONCLUDE},
        Role.WITNESS: _OWN,
        Role.SUPERVISOR: _OWN
        | {
            Act.KEY_ENROL,
            Act.HALL_ATTEND,
            Act.SUPERVISE,
            Act.FINDING_SIGN,
            Act.COMPLAINT_DECIDE,
            Act.LOG_LOOK,
            Act.FAULT_DECIDE,
        },
        Role.CASHIER: _OWN
        | {Act.STATEMENT_IMPORT, Act.REFUND_PREPARE, Act.REFUND_PAY, Act.DEPOSIT_RECONCILE, Act.DEPOSIT_LOOK},
        Role.CONTROLLER: _OWN | {Act.KEY_ENROL, Act.REFUND_APPROVE, Act.DEPOSIT_LOOK},
        Role.SYSTEM_ADMIN: _OWN
        | {Act.SYSTEM_ADMIN, Act.CALENDAR_IMPORT, Act.SIGN_INS_LOOK, Act.REHEARSAL_CONFIRM, Act.CLOCK_MOVE},
        Role.SECURITY_ADMIN: _OWN
        | {
            Act.USER_ADMIN,
            Act.ROLE_GRANT,
            Act.RESTORE_CONFIRM,
            Act.SIGN_INS_LOOK,
            Act.REHEARSAL_CONFIRM,
            Act.CLOCK_MOVE,
        },
        Role.AUDIT_ADMIN: _OWN | {Act.LOG_LOOK, Act.SIGN_INS_LOOK},
        Role.CLOCK: {Act.CLOCK},
    }.items()
}

# Duties that one person must never hold together (D-rules of the money room; P-rules of the panel; three administrators).
CLASHES: tuple[frozenset[Role], ...] = (
    frozenset({Role.CASHIER, Role.CONTROLLER}),
    frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN}),
    frozenset({Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN}),
    frozenset({Role.SECURITY_ADMIN, Role.AUDIT_ADMIN}),
    frozenset({Role.EXPERT, Role.OFFICER}),
    frozenset({Role.EXPERT, Role.AGENCY}),
    frozenset({Role.EXPERT, Role.HOST}),
    frozenset({Role.EXPERT, Role.BIDDER_SIGNER}),
    frozenset({Role.SUPERVISOR, Role.AGENCY}),
    frozenset({Role.SUPERVISOR, Role.CASHIER}),
    frozenset({Role.AGENCY, Role.BIDDER_SIGNER}),
    frozenset({Role.PURCHASER, Role.BIDDER_SIGNER}),
)

# Which kinds of organisations (parties.KINDS) a role may be held in. A grant that doesn't fit gives no rights, however it came about.
FITS: dict[Role, frozenset[str]] = {
    Role.PUBLIC: frozenset(),
    Role.BIDDER_OPERATOR: frozenset({"bidder"}),
    Role.BIDDER_SIGNER: frozenset({"bidder"}),
    Role.BIDDER_ADMIN: frozenset({"bidder"}),
    Role.PURCHASER: frozenset({"purchaser"}),
    Role.AGENCY: frozenset({"agency"}),
    Role.HOST: frozenset({"centre", "agency", "purchaser"}),
    Role.CENTRE: frozenset({"centre"}),
    Role.OFFICER: frozenset({"centre", "purchaser", "agency", "supervisor"}),
    Role.EXPERT: frozenset({"expert", "purchaser"}),  # the purchaser's representative sits with the experts (rule P-05)
    Role.CHAIR: frozenset({"expert", "purchaser"}),
    Role.WITNESS: frozenset({"centre", "purchaser", "agency", "supervisor"}),
    Role.SUPERVISOR: frozenset({"supervisor"}),
    Role.CASHIER: frozenset({"centre"}),
    Role.CONTROLLER: frozenset({"centre"}),
    Role.SYSTEM_ADMIN: frozenset({"centre", "platform"}),
    Role.SECURITY_ADMIN: frozenset({"centre", "platform"}),
    Role.AUDIT_ADMIN: frozenset({"centre", "platform", "supervisor"}),
    Role.CLOCK: frozenset(),
}

# Roles holding money, keys, an opening, oversight or the administration: one administrator proposes, another confirms (desks §7.5).
OF_WEIGHT: frozenset[Role] = frozenset(
    {
        Role.HOST,
        Role.OFFICER,
        Role.SUPERVISOR,
        Role.CASHIER,
        Role.CONTROLLER,
        Role.SYSTEM_ADMIN,
        Role.SECURITY_ADMIN,
        Role.AUDIT_ADMIN,
    }
)

# Acts with legal weight: they ask for a fresh sign-in (architecture §7).
WEIGHTY: frozenset[Act] = frozenset(
    {
        Act.SHARE_RELEASE,
        Act.FINDING_SIGN,
        Act.SHEET_REVEAL,
        Act.REPORT_SIGN,
        Act.REFUND_APPROVE,
        Act.AWARD_DECIDE,
        Act.ROLE_GRANT,
        Act.RESTORE_CONFIRM,
        Act.FAULT_CONFIRM,
        Act.FAULT_DECIDE,
    }
)


@dataclass(frozen=True)
class Actor:
    """Who acts, in which role. ``account_id`` is None for the public and for the clock."""

    role: Role
    account_id: int | None = None
    party_id: int | None = None
    name: str = ""
    fresh_until: datetime | None = None
    roles: frozenset[Role] = field(default_factory=frozenset)

    @property
    def person(self) -> str:
        """A stable word for the person, hashed with salt before it enters the log."""
        return self.role.value if self.account_id is None else f"account:{self.account_id}"


PUBLIC = Actor(Role.PUBLIC)
CLOCK = Actor(Role.CLOCK, name="clock")


def may(actor: Actor, act: Act) -> bool:
    return act in ROLES[actor.role]


def require(actor: Actor, act: Act, now: datetime) -> None:
    """The first lock. Refuses: SignInNeeded (nobody signed in, or not freshly), NotAllowed (role does not hold the act)."""
    if not may(actor, act):
        if actor.role is Role.PUBLIC:
            raise SignInNeeded("access.sign_in", reason="sign-in")
        raise NotAllowed("access.role", act=act.value, role=actor.role.value)
    if act in WEIGHTY and (actor.fresh_until is None or actor.fresh_until < now):
        raise SignInNeeded("access.fresh", reason="fresh", act=act.value)


def clash(roles: frozenset[Role]) -> frozenset[Role] | None:
    """The first pair of clashing duties among ``roles``, or None."""
    return next((pair for pair in CLASHES if pair <= roles), None)


def fitting(roles: Iterable[Role], kind: str) -> frozenset[Role]:
    """Those of ``roles`` that may be held in an organisation of this kind."""
    return frozenset(role for role in roles if kind in FITS[role])
