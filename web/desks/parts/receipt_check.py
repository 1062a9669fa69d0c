"""Four questions to a receipt and their answers in words: whose it is, what it speaks of, whether the log has it, whether it still counts.

The same answers come from the browser (static/js/receipt_verdict.js) and, for whoever has no scripts, from here. Both choose codes by the
same rules and take the sentences from ``sentences``; a headline follows from the four, and none of them is ever a bare "invalid".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from crypto.canonical import b64u, dumps
from crypto.checkpoints import Checkpoint
from crypto.errors import CryptoError
from crypto.receipts import BARE, Kept, Receipt, check_words, unwrap, verify_receipt
from crypto.signatures import document_hash, payload_of
from crypto.trust import trust_of
from trading.bidding import tickets
from trading.kernel import log
from trading.kernel.clock import parse_moment
from trading.kernel.errors import NotFound
from trading.kernel.work import View
from trading.views.log_queries import Standing, standing_of
from trading.views.restored_queries import GapLine, lost_in
from web.http.refusals import language
from web.words import formatting

OK, OLD, BAD, NONE = "ok", "old", "bad", "none"


@dataclass(frozen=True)
class Answer:
    """One question answered: the code of its sentence, how it looks, and what stands in the sentence."""

    question: str
    state: str
    code: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The four answers and the headline that follows. ``facts``: name → value of the entry; ``successor``: the receipt that counts now."""

    head: str
    state: str
    answers: tuple[Answer, ...]
    about: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    number: str = ""
    successor: str = ""


def sentences() -> dict[str, tuple[str, str]]:
    """Code → (the answer in bold, the rest), in the language of the page; ``{name}`` stands for a fact."""
    return {
        "signature.ok": (
            _("Signed by this platform."),
            _("The signature fits the platform's key, and not a sign was changed since."),
        ),
        "signature.bad": (_("Does not fit."), _("It was changed after signing, or made by somebody else ({code}).")),
        "signature.none": (
            _("Not a receipt."),
            _("What you put in is no receipt of this platform: no signed entry is in it."),
        ),
        "signature.number": (
            _("Not asked."),
            _("A number alone carries no signature. Put in the receipt itself to have it checked."),
        ),
        "digest.ok": (_("Exactly this document."), _("Its digest is the one the receipt names.")),
        "digest.file": (
            _("Exactly this sealed file."),
            _("Its bytes give the digest in the submission that the receipt names."),
        ),
        "digest.open": (
            _("Not compared."),
            _("Put in what it speaks of as well (the submission, or the sealed file) to compare."),
        ),
        "digest.bad": (_("Another document."), _("The receipt names {named}; what you put in has {found}.")),
        "digest.unread": (_("Not compared."), _("What you put in besides the receipt could not be read ({code}).")),
        "book.ok": (
            _("In the audit book."),
            _("It was taken in at {at}, and every step from it to the head of the book fits."),
        ),
        "book.listed": (
            _("In the audit book, in a list."),
            _("A list of refusals of {at} stands for it; fetch the receipt anew to have the proof."),
        ),
        "book.open": (_("Not yet in the audit book."), _("It is taken in at {by} at the latest; ask again then.")),
        "book.late": (
            _("Missing from the audit book."),
            _(
                "It should have been there by {by}. This is a fault of the platform: keep the "
                "receipt and call the hotline."
            ),
        ),
        "book.bad": (
            _("The proof does not fit."),
            _("The receipt brings a proof that does not lead to the audit book ({code})."),
        ),
        "book.lost": (
            _("Lost with the platform's newer data."),
            _(
                "It was signed between {from} and {until}, and what was signed then is lost: the platform was brought back from a backup "
                "and has declared it. The deadline is not over: hand the sealed file in again. It is over: file a claim with this receipt."
            ),
        ),
        "book.missing": (
            _("The audit book has no such entry."),
            _(
                "The receipt proves that it was taken in, and it is not there now. This is a fault of the platform: keep the receipt "
                "and tell the supervisory body."
            ),
        ),
        "book.unknown": (_("The audit book has no such entry."), _("Keep the receipt and call the hotline.")),
        "book.unreached": (
            _("Cannot be told now."),
            _("The platform did not answer. The receipt brings no proof of its own."),
        ),
        "standing.ok": (
            _("Yes, the last submission."),
            _("It was neither replaced nor withdrawn since: this is the bid that is opened."),
        ),
        "standing.superseded": (
            _("No, it was replaced."),
            _("A later submission counts instead. It only proves what was received then."),
        ),
        "standing.withdrawn": (
            _("No, it was withdrawn."),
            _("The bidder took the bid back. It only proves what was received then."),
        ),
        "standing.sealed": (
            _("Told after the opening."),
            _(
                "Before it only the bidder itself is told, after signing in, so that nobody "
                "can probe who changed a bid."
            ),
        ),
        "standing.attempt": (_("Nothing to replace."), _("This proves an attempt: it did not become a bid.")),
        "standing.withdrawal": (_("Nothing to replace."), _("This proves a withdrawal.")),
        "standing.other": (_("Nothing to replace."), _("The entry is not of a bid.")),
        "standing.moot": (_("No need to ask."), _("One of the answers above already says no.")),
        "standing.unreached": (_("Cannot be told now."), _("The platform did not answer.")),
    }


def headlines() -> dict[str, str]:
    """Code → headline."""
    return {
        "ok": _("Genuine, and it still counts"),
        "superseded": _("Genuine, but replaced"),
        "withdrawn": _("Genuine, but withdrawn"),
        "partly": _("Genuine; one question cannot be answered now"),
        "waiting": _("Genuine, not yet in the audit book"),
        "forged": _("Not issued by this platform, or changed"),
        "nothing": _("This is not a receipt"),
        "other": _("Genuine, but of another document"),
        "gap": _("Signed by the platform, but not in its audit book"),
        "attempt": _("A genuine proof of attempt: nothing was submitted"),
        "withdrawal": _("A genuine receipt of a withdrawal"),
        "entry": _("A genuine entry of the audit book"),
        "number": _("This number was issued here"),
    }


def headline(answers: tuple[Answer, ...], event: str) -> tuple[str, str]:
    """(code, state) of the headline, from the four answers alone."""
    by = {one.question: one for one in answers}
    signature, digest, book, standing = (by[name] for name in ("signature", "digest", "book", "standing"))
    if signature.code == "signature.none":
        return "nothing", BAD
    if signature.state == BAD:
        return "forged", BAD
    if book.state == BAD:
        return "gap", BAD
    if digest.state == BAD:
        return "other", BAD
    if standing.state == OLD:
        return standing.code.partition(".")[2], OLD
    if signature.state == NONE:
        return "number", OK
    if event == "bid-refused":
        return "attempt", OLD
    if event == "bid-withdrawn":
        return "withdrawal", OK
    if book.state == NONE:
        return "waiting", OK
    if standing.code == "standing.other":
        return "entry", OK
    return ("ok", OK) if standing.state == OK else ("partly", OK)


def nothing() -> Verdict:
    """The verdict on what is no receipt."""
    answers = (
        Answer("signature", BAD, "signature.none"),
        Answer("digest", NONE, "digest.open"),
        Answer("book", NONE, "standing.moot"),
        Answer("standing", NONE, "standing.moot"),
    )
    return Verdict(*headline(answers, ""), answers)


def check(view: View, value: Any, other: Any) -> Verdict:
    """The four answers to a receipt in any form it is handed out in; ``other``: what it should speak of, if that was put in too."""
    try:
        kept = unwrap(value)
    except CryptoError:
        return nothing()
    trust = trust_of(tickets.trust(view))
    try:
        bare = verify_receipt({"entry": kept.receipt["entry"]}, trust.platform_keys)
    except CryptoError as error:
        moot = tuple(Answer(name, NONE, "standing.moot") for name in ("digest", "book", "standing"))
        answers = (Answer("signature", BAD, "signature.bad", {"code": error.code}), *moot)
        return Verdict(*headline(answers, ""), answers)
    told = _told(view, b64u(bare.c))
    event = bare.entry["event"]
    book = _book(view, kept, bare, told)
    standing = Answer("standing", NONE, "standing.moot") if book.state == BAD else _standing(told, event)
    answers = (
        Answer("signature", OK, "signature.ok"),
        _digest(bare, other if other is not None else kept.statement),
        book,
        standing,
    )
    return Verdict(
        *headline(answers, event),
        answers,
        words=tuple(check_words(bare.entry, language())),
        number=formatting.number(event, bare.c),
        about=_about(bare),
        facts=_facts(bare),
        successor=told.successor if told else "",
    )


def by_number(view: View, c: str, number: str) -> Verdict:
    """What is known of a hash somebody asked for: nothing here tells the lot or whose it is. Refuses: NotFound."""
    told = standing_of(view, c)
    answers = (
        Answer("signature", NONE, "signature.number"),
        Answer("digest", NONE, "digest.open"),
        _sealed(view, told),
        _standing(told, "bid-received" if told.state != "no_bid" else ""),
    )
    return Verdict(*headline(answers, ""), answers, number=number, successor=told.successor)


def _told(view: View, c: str) -> Standing | None:
    try:
        return standing_of(view, c)
    except NotFound:
        return None


def _digest(receipt: Receipt, other: Any) -> Answer:
    if other is None:
        return Answer("digest", NONE, "digest.open")
    try:
        found = document_hash(payload_of(other) if "payloadType" in other else dumps(other))
    except (CryptoError, TypeError) as error:
        return Answer("digest", NONE, "digest.unread", {"code": getattr(error, "code", "JSON_PROFILE")})
    if found == receipt.entry["statement"]:
        return Answer("digest", OK, "digest.ok")
    return Answer(
        "digest",
        BAD,
        "digest.bad",
        {"named": formatting.digest(receipt.entry["statement"], 2), "found": formatting.digest(found, 2)},
    )


def _book(view: View, kept: Kept, bare: Receipt, told: Standing | None) -> Answer:
    whole: Any = (
        {name: kept.receipt[name] for name in BARE if name in kept.receipt} if "proof" in kept.receipt else None
    )
    if whole is None and told is not None and told.proof:
        whole = {"entry": kept.receipt["entry"], "proof": told.proof}
    if whole is None and told is None:
        return _gone(view, bare, None) or Answer("book", BAD, "book.unknown")
    if whole is None:
        assert told is not None
        return _sealed(view, told)
    try:
        proven = verify_receipt(
            whole, [view.office.keys.public], log.log_key(view.office.platform, view.office.keys)
        ).proven
    except CryptoError as error:
        return Answer("book", BAD, "book.bad", {"code": error.code})
    assert proven is not None
    if told is None and "list" not in whole:
        return _gone(view, bare, proven.checkpoint) or Answer("book", BAD, "book.missing")
    return Answer("book", OK, "book.ok", {"at": _moment(parse_moment(proven.at))})


def _gone(view: View, bare: Receipt, kept: Checkpoint | None) -> Answer | None:
    """What the log here does not hold and a declared gap explains."""
    gap = lost_in(view, kept, parse_moment(bare.entry["at"]))
    return Answer("book", BAD, "book.lost", span_of(gap)) if gap is not None else None


def span_of(gap: GapLine) -> dict[str, str]:
    """Between which moments what was signed may be lost."""
    return {"from": _moment(gap.begun_at), "until": _moment(gap.ended_at)}


def _sealed(view: View, told: Standing) -> Answer:
    if told.sealed_at is not None:
        return Answer("book", OK, "book.ok" if told.proof else "book.listed", {"at": _moment(told.sealed_at)})
    head = log.last_tick(view.session)
    late = head is not None and head.at >= told.tick_by
    return Answer("book", BAD if late else NONE, "book.late" if late else "book.open", {"by": _moment(told.tick_by)})


def _standing(told: Standing | None, event: str) -> Answer:
    states = {
        "standing": (OK, "standing.ok"),
        "superseded": (OLD, "standing.superseded"),
        "withdrawn": (OLD, "standing.withdrawn"),
        "sealed": (NONE, "standing.sealed"),
        "no_bid": (NONE, "standing.other"),
    }
    kinds = {"bid-refused": (NONE, "standing.attempt"), "bid-withdrawn": (NONE, "standing.withdrawal")}
    state, code = kinds.get(event) or states.get(told.state if told else "", (NONE, "standing.unreached"))
    return Answer("standing", state, code)


def _about(receipt: Receipt) -> str:
    return f"{_moment(parse_moment(receipt.entry['at']))} · {receipt.entry['tender']}-{receipt.entry['lot']}"


def _facts(receipt: Receipt) -> tuple[tuple[str, str], ...]:
    entry = receipt.entry
    reason = ((_("Reason"), entry["reason"]),) if entry["reason"] else ()
    return (
        (_("Event"), entry["event"]),
        *reason,
        (_("Hash"), b64u(receipt.c)),
        (_("Speaks of document"), entry["statement"] or formatting.NOTHING),
    )


def _moment(moment: Any) -> str:
    return formatting.moment(moment, language(), current_app.extensions["bidhall"].zone)
