"""Which columns the audit derives anew and from what, and which it does not and why: every column of every table of `trading`.

``AUDITED``: table → {rule: columns}. ``FREE``: table → {reason: columns}; ``*`` are all the others of the table. A number that rows are
known by (``id``) is free everywhere: who is what follows from what rows hold. ``NAMED_AT``: where a change is named that is not named at
the row itself. A test changes every audited column, and fails for a column in no list.
"""

from __future__ import annotations

from trading.procedures import fields
from trading.procedures.field import BY_NOTICE, BY_POLICY
from trading.tendering import signed_terms

Declared = dict[str, dict[str, str]]

_NOTICE = "the tender notice, whose hash its record and so the log holds"
_PUBLICATION = "the hash in the record of publication"
_POLICY = "the policy in force, signed by all officers"
_ENTRY = "the signed entry"
_SUBMISSION = "the submission the bidder signed, and its entry"
_DOCUMENT = "the signed document the entry names"
_TREE = "the tree of its tick, the log's root and the signed checkpoint"
_RECORD = "the record of the act, whose hash its entry holds"

AUDITED: Declared = {
    "log_document": {"the hash it is named by, and the kind that was signed": "hash kind signed text"},
    "log_entry": {_ENTRY: "c event at tick_by tender lot part statement envelope"},
    "act_record": {"the hash in its entry": "c act actor of at payload"},
    "log_seat": {_TREE: "entry_id tick slot"},
    "log_node": {"the leaves below it": "level index hash"},
    "log_tick": {_TREE: "tick at leaf secret checkpoint"},
    "log_busy": {"the logged policies": "deadline opens_at"},
    "lot": {
        _NOTICE: fields.columns("lot", BY_NOTICE) + " published_at",
        _PUBLICATION: " ".join(signed_terms.BOUND),
        _POLICY: fields.columns("lot", BY_POLICY) + " threshold",
        "the last record of a step": "state",
        "tender and number": "tender_id no ref",
        "the closing": "closed_at",
        "the notice of failure": "failure failure_reason",
    },
    "invitation": {"the names that the record of its invitations binds": "lot_id party_id chosen"},
    "tender": {_NOTICE: "ref title"},
    "project": {_NOTICE: fields.columns("project", BY_NOTICE)},
    "notice": {_RECORD: "lot_id kind title body text published_at until version document_hash"},
    "tender_document": {
        "the record of adding it": "lot_id name version sha256 blob",
        "the document of publication": "size published",
    },
    "enquiry": {"the records of asking and answering": "lot_id ref asker_party_id question answered_at"},
    "policy": {
        _POLICY: "lot_id envelope policy_id payload signatures dsse supersedes t deadline opens_at log_c",
        "the line of policies since publication": "standing",
    },
    "officer_seat": {_POLICY: "lot_id j account_id side serial stage publics sign_kid sign_public"},
    "drill": {"what officers signed for": "policy_id header header_hash"},
    "drill_return": {_DOCUMENT: "drill_id j document log_c"},
    "enrolled_key": {
        "the enrolment in the log": "holder party_id account_id role sign_kid sign_public seal_public document enrolled_at",
        "the enrolment that replaces it, or the record of its revocation": "ended_at end_reason",
    },
    "complaint": {"the records of its steps": "state suspended_at suspended_until upheld effect"},
    "objection": {"the records of answering it and of doing what that leads to": "upheld effect settled_at"},
    "role_grant": {"records of inviting, granting and revoking": "account_id role"},
    "participant": {"records of taking part and leaving": "lot_id party_id joined_at withdrawn_at"},
    "sealed_bid": {
        _SUBMISSION: "lot_id party_id participant_id part header header_hash sealed_root size blob statement c replaces at"
    },
    "standing_bid": {"submissions, replacements and withdrawals of the log": "participant_id lot_id part bid_id"},
    "bid_receipt": {_ENTRY: "c lot_id party_id part kind reason statement entry at"},
    "closing": {
        "the deadline entry and the salted list it binds": "lot_id part tick tick_at entries document deadline_c"
    },
    "opening": {
        "the opening set": "lot_id part opening_set set_hash set_c bids left_sealed listed_at",
        "the opening list, signed by platform and officers": "opened opened_c confirm_until",
        "the records that set and moved them": "shares_from shares_until",
    },
    "share": {_DOCUMENT: "opening_id j document parts errors c"},
    "opened_bid": {
        "the opening list": "opening_id lot_id header_hash verdict cause announce files",
        "the submission": "party_id",
        "what the bid announced": "price_minor form_faults",
        "the header, which the seed gives again": "seed",
    },
    "bidder_part": {_DOCUMENT: "header_hash part document c", _SUBMISSION: "party_id"},
    "rescue": {_DOCUMENT: "header_hash seed c at", _SUBMISSION: "party_id"},
    "bid_failure": {_DOCUMENT: "header_hash code cause c at", _SUBMISSION: "party_id"},
    "omission_claim": {
        _DOCUMENT: "lot_id party_id part entry document c at",
        "the records of filing and settling": "code outcome reasons",
    },
    "opening_remark": {_RECORD: "opening_id party_id kind text answer answered_at"},
    "ruling": {_RECORD: "opening_id header_hash cause reasons"},
    "box_finding": {_DOCUMENT: "header_hash j code c at"},
    "technical_result": {_RECORD: "lot_id passed rejected"},
    "draw": {
        "the notice of the draw": "lot_id draw label notice notice_c pool pool_salt",
        "the signed list and result": "state listing list_c root result result_c",
    },
    "draw_turn": {_DOCUMENT: "draw_id party commit header commit_c r reveal_c"},
    "award": {
        "the signed ranking": "lot_id ranking ranking_c ranking_hash",
        _RECORD: "report proposed_at decided_at winner_party_id price_minor ground",
    },
    "contract": {_RECORD: "lot_id party_id number amount_minor"},
}

_FORM = "counts changes, so that an old form is not taken; decides nothing"
_WHEN = "when it was written down; what counts is the moment in its entry"
_SECRET = "a secret or a person's own affair, of which the log must say nothing"
_PAGE = "shown and never decided by"
_MESSAGE = "a message and its delivery"
_DRAFT = "before publication nothing is signed; what is published is held in the lot"
_BYTES = "bytes are known by their hash, which is audited where they are used"
_HELPER = "kept while something runs, and written anew at any time"
_DUTY = "a duty's last moment, counted anew by the calendar"
_HUMAN = "a person's words or standing, which no key signs"

FREE: Declared = {
    "log_document": {_WHEN: "at"},
    "log_pending": {"what waits for its tick; an entry that waits too long is named": "*"},
    "flood_listed": {"held against the list in the log by the audit of entries": "*"},
    "flood_waiting": {"what waits for its tick; an entry in no list is named": "*"},
    "lot": {_FORM: "version", "where it came from, shown and never decided by": "predecessor_id"},
    "tender": {_DRAFT: "project_id made_at"},
    "invitation": {_DRAFT: "made_at"},
    "project": {
        _DRAFT: "ref kind budget_minor currency funds approval_no intent_at agency_agreement contact state version returns made_at"
        " first_filed_at filed_at returned_at accepted_at gaps"
    },
    "tender_document": {_PAGE: "kind media", _WHEN: "added_at published_at withdrawn_at"},
    "policy": {_WHEN: "drafted_at"},
    "policy_change": {"a plan; what comes of it is a policy all officers sign": "*"},
    "drill": {_BYTES: "blob", _WHEN: "made_at"},
    "drill_return": {_WHEN: "at"},
    "key_challenge": {_HELPER: "*"},
    "key_request": {"what comes of it is an enrolment in the log": "*"},
    "role_grant": {_PAGE: "granted_by granted_at"},
    "role_proposal": {"what comes of it is a record of granting": "*"},
    "account": {
        "named at the keys and policies that bear it": "username party_id",
        _PAGE: "name made_at handed_by",
        _SECRET: "password totp_secret totp_last_step disabled_at mail mail_index second_part",
    },
    "login": {_SECRET: "*"},
    "failed_sign_in": {_SECRET: "*"},
    "password_link": {_SECRET: "*"},
    "password_wish": {_SECRET: "*"},
    "recovery_code": {_SECRET: "*"},
    "inbox_read": {_SECRET: "*"},
    "rate_count": {_HELPER: "*"},
    "kept_form": {_HELPER: "*"},
    "restoration": {"that a gap is to be declared; what was declared is read from the record": "*"},
    "form_use": {_HELPER: "*"},
    "outbox_message": {_MESSAGE: "*"},
    "mail_letter": {_MESSAGE: "*"},
    "mail_choice": {_SECRET: "*"},
    "mail_check": {_SECRET: "*"},
    "lot_follow": {_MESSAGE: "*"},
    "party": {
        "named at the keys, bids and notices that bear it": "code name",
        "the register's, which no key signs; accounts to pay are audited with the money": "kind region small bank_account bank_name",
    },
    "party_correction": {"a proposal; what was put right is read from the record": "*"},
    "firm_registration": {"an application; what comes of it is a party and an account": "*"},
    "participant": {"a reference for the bank": "ref", "money: held against the ledger": "secured_at secured_minor"},
    "upload": {"bytes on their way; a bid follows from the submission alone": "*"},
    "drop_ticket": {"given once and checked by its own signature": "*"},
    "consortium": {_HUMAN: "*"},
    "consortium_member": {_HUMAN: "*"},
    "omission_claim": {"proved by its own signature where it is shown": "receipt", _WHEN: "settled_by settled_at"},
    "mirror_copy": {"delivery to the mirror, which signs what it has": "*"},
    "mirror_waiver": {_HUMAN: "*"},
    "scrub": {_HELPER: "*"},
    "byte_check": {"what a look at the stored bytes found; the audit looks itself": "*"},
    "bid_erasure": {"what was erased by rule is told by a record": "*"},
    "share": {_WHEN: "at"},
    "opening": {
        _FORM: "version",
        "the steps of a ceremony, which never go back: set, shares and list are audited": "state",
        _WHEN: "opened_at",
        "why a window was extended, in its record": "extended",
        _BYTES: "minutes",
    },
    "opening_remark": {_WHEN: "at"},
    "opening_run": {_HELPER: "*"},
    "opening_paper": {_BYTES: "*"},
    "opened_file": {"what a scanner found; the files are audited with the bid": "*"},
    "bidder_part": {"follow from the entry": "opening_id at"},
    "rescue": {"follow from the entry": "opening_id"},
    "bid_failure": {"follow from the entry": "opening_id"},
    "box_finding": {"follows from the entry": "opening_id", "held against the box as it is opened": "part"},
    "ruling": {"follows from the bid": "party_id", _WHEN: "account_id at"},
    "technical_result": {_WHEN: "account_id at"},
    "reading": {_PAGE: "*"},
    "hall_attendance": {_HUMAN: "*"},
    "base_price": {"its commitment is checked as it is published": "*"},
    "draw": {_FORM: "version", _WHEN: "noticed_at drawn_at"},
    "draw_turn": {
        "the platform's own secret until it is revealed": "own",
        "shares, in the log with their officers": "escrow",
    },
    "award": {
        _FORM: "version",
        _DUTY: "publicity_from publicity_until decide_by announce_by announced_at contract_by challenge_until reasons",
    },
    "contract": {
        _DUTY: "publish_by file_by",
        _WHEN: "signed_at recorded_at published_at filed_at",
        _HUMAN: "text differences reasons",
    },
    "objection": {_HUMAN: "*"},
    "complaint": {_HUMAN: "*"},
    "enquiry": {
        _DUTY: "due_at",
        _WHEN: "asked_at",
        "stands in its notice, which is audited": "answer published notice_id",
    },
    "attachment": {_BYTES: "*"},
    "deadline_fault": {"the finding of probes; what comes of it is a policy or a notice": "*"},
    "probe_point": {_HELPER: "*"},
    "probe_sample": {"measurements, of which the log holds the evidence a finding rests on": "*"},
    "calendar_year": {"the public calendar, with its source": "*"},
    "history_file": {"other offices' published results": "*"},
    "history_result": {"other offices' published results": "*"},
}

NAMED_AT: dict[tuple[str, str], tuple[str, ...]] = {
    ("tender", "ref"): ("lot",),
    ("tender", "title"): ("lot",),
    ("log_entry", "c"): ("log_tick", "log_document", "bid_receipt", "act_record"),
    ("log_seat", "entry_id"): ("log_tick", "log_entry"),
    ("log_seat", "tick"): ("log_tick",),
    ("log_seat", "slot"): ("log_tick",),
    ("drill", "policy_id"): ("drill_return",),
    ("officer_seat", "account_id"): ("lot",),
    ("participant", "party_id"): ("lot", "sealed_bid"),
    ("sheet", "seat_id"): ("panel",),
    ("sheet_commit", "round"): ("sheet_list", "sheet"),
    ("sheet_commit", "seat_id"): ("panel",),
    ("report_signature", "seat_id"): ("panel",),
}
