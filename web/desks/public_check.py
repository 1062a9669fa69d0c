"""The receipt checker: in the browser where scripts run, here where they do not; four answers, never one bare "invalid"."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto.canonical import b64u, dumps
from crypto.errors import CryptoError
from crypto.receipts import Receipt, check_words, verify_receipt
from crypto.signatures import document_hash, payload_of
from trading import queries, tickets
from trading.kernel import log
from trading.kernel.clock import parse_moment
from trading.kernel.errors import NotFound
from trading.kernel.work import Look
from trading.log_queries import Standing, standing_of
from web import show
from web.desks.public_words import lang, page, zone
from web.forms import Form
from web.gate import ANYONE, Desk, look, office, request

desk = Desk("check")
MOST = 1_000_000
_HASH = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
Line = tuple[str, str]


@desk.page("/check", needs=ANYONE)
def check(form: Form | None = None) -> str:
    """The form; with ``?number=`` also what is known of that hash or digest."""
    number = re.sub(r"^sha-?256[:-]|\s", "", request.args.get("number", ""))[:100]
    with look() as now:
        told = _number_lines(now, number) if number else None
        trust = tickets.trust(now)
    return page("public/check.html", form=form or Form.blank(), number=number, told=told, trust=trust, result=None, facts=[], words=[])


@desk.page("/check/acts/check", needs=ANYONE, post=True, back=check)
def do_check() -> str:
    """The same check by the server, for whoever has no scripts. Nothing that was sent is kept."""
    form = Form.read()
    receipt, other = _json(form, "receipt", "receipt_file"), _json(form, "other", "other_file")
    if receipt is None and not form.faults.found:
        form.fault("receipt", "check.nothing")
    form.refuse_if_any()
    with look() as now:
        lines, facts, words = _receipt_lines(now, receipt, other)
        trust = tickets.trust(now)
    return page("public/check.html", form=form, number="", told=None, trust=trust, result=lines, facts=facts, words=words)


@desk.page("/check/entries/<c>.json", needs=ANYONE)
def entry(c: str) -> Response:
    """For whoever holds a receipt: the proof of its tick, and whether it stands (told only when that may be known)."""
    with look() as now:
        if not _HASH.match(c):
            raise NotFound("log.entry_unknown", c=c[:50])
        told = standing_of(now, c)
        overdue = told.tick is None and (head := log.last_tick(now.session)) is not None and head.at >= told.tick_by
    return jsonify(state=told.state, tick=told.tick, proof=told.proof, overdue=overdue)


@desk.page("/check/files/<digest>.json", needs=ANYONE)
def files(digest: str) -> Response:
    """Whether a file of this SHA-256 is one that was published here."""
    with look() as now:
        found = queries.files_of_digest(now, digest) if _DIGEST.match(digest) else []
    return jsonify(files=[{"lot": ref, "name": one.name, "version": one.version, "newest": one.newest} for ref, one in found])


# --- reading ----------------------------------------------------------------------------------------------------------------------


def _json(form: Form, area: str, upload: str) -> Any:
    """What was pasted or chosen, as JSON; a fault where it is none."""
    text = str(form.typed.get(area, "")).strip()
    if not text and (sent := form.file(upload, needed=False)) is not None:
        data = sent.stream.read(MOST + 1)
        try:
            text = data.decode("utf-8-sig") if len(data) <= MOST else ""
        except UnicodeDecodeError:
            text = ""
        if not text:
            form.fault(area, "check.not_json")
            return None
    if not text:
        return None
    try:
        value = json.loads(text[:MOST])
    except (ValueError, RecursionError):
        form.fault(area, "check.not_json")
        return None
    if not isinstance(value, dict):
        form.fault(area, "check.not_json")
        return None
    return value


# --- the four lines ---------------------------------------------------------------------------------------------------------------


def _receipt_lines(now: Look, receipt: dict[str, Any], other: Any) -> tuple[list[Line], list[Line], list[str]]:
    keys = office().keys
    try:
        bare = verify_receipt({"entry": receipt.get("entry")}, [keys.public])
    except CryptoError as error:
        return [("bad", _("The signature is not the platform's, or the receipt was changed (%(code)s).", code=error.code))], [], []
    lines: list[Line] = [("ok", _("Signature: the platform's, and nothing was changed."))]
    lines.append(_digest_line(bare, other))
    c = b64u(bare.c)
    try:
        told: Standing | None = standing_of(now, c)
    except NotFound:
        told = None
    lines.append(_log_line(now, receipt, bare, told))
    lines.append(_stand_line(told))
    entry = bare.entry
    facts = [(_("Signed at"), show.moment(parse_moment(entry["at"]), lang(), zone())), (_("Lot"), f"{entry['tender']}/{entry['lot']}"),
             (_("Event"), entry["event"]), (_("Hash"), c), (_("Speaks of document"), entry["statement"] or "–")]
    return lines, facts, check_words(entry, lang())


def _digest_line(receipt: Receipt, other: Any) -> Line:
    if other is None:
        return "open", _("Digest: not compared. Add the submission or document it speaks of to compare it.")
    try:
        payload = payload_of(other) if "payloadType" in other else dumps(other)
        found = document_hash(payload)
    except CryptoError as error:
        return "bad", _("Digest: the document cannot be read (%(code)s).", code=error.code)
    if found == receipt.entry["statement"]:
        return "ok", _("Digest: the receipt speaks of exactly this document.")
    return "bad", _("Digest: this document has another digest: %(digest)s.", digest=found)


def _log_line(now: Look, receipt: dict[str, Any], bare: Receipt, told: Standing | None) -> Line:
    whole = receipt if "proof" in receipt else {"entry": receipt["entry"], "proof": told.proof} if told and told.proof else None
    if whole is not None:
        try:
            proven = verify_receipt(whole, [office().keys.public], log.log_key(office().platform, office().keys)).proven
        except CryptoError as error:
            return "bad", _("In the log: the proof does not hold (%(code)s).", code=error.code)
        assert proven is not None
        return "ok", _("In the log since the tick of %(at)s.", at=show.moment(parse_moment(proven.at), lang(), zone()))
    if told is None:
        return "bad", _("In the log: this platform knows no such entry. Keep the receipt and call the hotline.")
    by = show.moment(told.tick_by, lang(), zone())
    head = log.last_tick(now.session)
    if head is not None and head.at >= told.tick_by:
        return "bad", _("In the log: it should have been by %(by)s and is not. Keep the receipt and call the hotline.", by=by)
    return "open", _("In the log: not yet, by %(by)s at the latest.", by=by)


def _stand_line(told: Standing | None) -> Line:
    state = told.state if told else ""
    return {
        "standing": ("ok", _("Still valid: this is the bid that stands.")),
        "superseded": ("bad", _("Still valid: no, it was replaced or withdrawn later.")),
        "sealed": ("open", _("Still valid: told after the opening; before that to its own bidder only, after signing in.")),
        "no_bid": ("ok", _("Still valid: the receipt is not of a bid, so nothing can replace it.")),
    }.get(state, ("open", _("Still valid: cannot be told here.")))


def _number_lines(now: Look, number: str) -> list[Line]:
    """What is known of the hash of an entry, or of the digest of a file."""
    if _DIGEST.match(number.lower()):
        found = queries.files_of_digest(now, number.lower())
        if not found:
            return [("bad", _("No file with this digest has been published here."))]
        return [("ok" if one.newest else "bad",
                 (_("%(lot)s: %(name)s, version %(n)s, the newest.", lot=ref, name=one.name, n=one.version) if one.newest else
                  _("%(lot)s: %(name)s, version %(n)s, replaced by a newer one.", lot=ref, name=one.name, n=one.version)))
                for ref, one in found]
    if _HASH.match(number):
        try:
            told = standing_of(now, number)
        except NotFound:
            return [("bad", _("The log knows no entry of this number."))]
        if told.sealed_at is None:
            return [("open", _("In the log: not yet, by %(by)s at the latest.", by=show.moment(told.tick_by, lang(), zone())))]
        return [("ok", _("In the log since the tick of %(at)s.", at=show.moment(told.sealed_at, lang(), zone()))), _stand_line(told)]
    return [("bad", _("This is neither the number of a receipt (43 signs) nor a SHA-256 digest (64 signs)."))]
