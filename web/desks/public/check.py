"""The receipt checker: in the browser where scripts run, here where they do not; four answers, never one bare "invalid".

GET  /check                       the page; ``?number=`` a receipt's number or hash, or a file's digest, asked of the server
POST /check/acts/check            for whoever has no scripts: the receipt is sent, checked and forgotten
GET  /check/entries/<c>.json      what the page asks: the proof of an entry's tick, and whether the bid stands
GET  /check/files/<digest>.json   whether a file of this digest was published here
"""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto.errors import CryptoError
from trading.bidding import tickets
from trading.kernel import log
from trading.kernel.clock import write_moment
from trading.kernel.errors import NotFound
from trading.kernel.work import View
from trading.views import public_queries, restored_queries
from trading.views.log_queries import hash_of_number, standing_of
from web.desks.parts import receipt_check
from web.desks.parts.receipt_check import Verdict
from web.desks.public.words import page
from web.http.forms import Form
from web.http.gate import Desk, reading, request
from web.http.page_rules import ANYONE, ByHand
from web.words import formatting

desk = Desk("check")
MOST = 1_000_000
_HASH = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_CONFUSED = re.compile(r"[0O1I]")
Line = tuple[str, str]


@desk.page("/check", needs=ANYONE)
def check(form: Form | None = None) -> str:
    """The form; with ``?number=`` also what is known of that number, hash or digest."""
    asked = request.args.get("number", "").strip()[:100]
    with reading() as view:
        verdict, told = _number(view, asked) if asked else (None, None)
        trust, gaps = tickets.trust(view), _gaps(view)
    return _page(form or Form.blank(), trust, gaps, number=asked, verdict=verdict, told=told)


@desk.page("/check/acts/check", needs=ANYONE, post=ByHand.NO_UNIT, back=check)
def do_check() -> str:
    """The same check by the server, for whoever has no scripts. Nothing that was sent is kept."""
    form = Form.read()
    receipt, other = _json(form, "receipt", "receipt_file"), _json(form, "other", "other_file")
    if receipt is None and not form.faults.found:
        form.fault("receipt", "check.nothing")
    form.refuse_if_any()
    with reading() as view:
        verdict = receipt_check.check(view, receipt, other)
        trust, gaps = tickets.trust(view), _gaps(view)
    return _page(form, trust, gaps, verdict=verdict, by_server=True)


def _page(
    form: Form,
    trust: dict[str, Any],
    gaps: list[dict[str, Any]],
    *,
    number: str = "",
    verdict: Verdict | None = None,
    told: list[Line] | None = None,
    by_server: bool = False,
) -> str:
    return page(
        "public/check.html",
        form=form,
        number=number,
        trust=trust,
        gaps=gaps,
        verdict=verdict,
        told=told,
        by_server=by_server,
        sentences=receipt_check.sentences(),
        headlines=receipt_check.headlines(),
    )


def _gaps(view: View) -> list[dict[str, Any]]:
    """The declared gaps, for the page to tell what was lost in them."""
    return [
        {
            "ticks": one.gap.ticks,
            "remembered": one.gap.remembered,
            "root": one.gap.remembered_root,
            "begun": write_moment(one.begun_at),
            "ended": write_moment(one.ended_at),
            "words": receipt_check.span_of(one),
        }
        for one in restored_queries.gap_lines(view)
    ]


@desk.page("/check/entries/<c>.json", needs=ANYONE)
def entry(c: str) -> Response:
    """For whoever holds a receipt: the proof of its tick, and whether it stands (told only when that may be known)."""
    with reading() as view:
        if not _HASH.match(c):
            raise NotFound("log.entry_unknown", c=c[:50])
        told = standing_of(view, c)
        overdue = told.tick is None and (head := log.last_tick(view.session)) is not None and head.at >= told.tick_by
    listed = write_moment(told.sealed_at) if told.sealed_at is not None and told.proof is None else ""
    return jsonify(
        state=told.state, tick=told.tick, proof=told.proof, overdue=overdue, listed=listed, successor=told.successor
    )


@desk.page("/check/files/<digest>.json", needs=ANYONE)
def files(digest: str) -> Response:
    """Whether a file of this SHA-256 is one that was published here."""
    with reading() as view:
        found = public_queries.files_of_digest(view, digest) if _DIGEST.match(digest) else []
    return jsonify(
        files=[{"lot": ref, "name": one.name, "version": one.version, "newest": one.newest} for ref, one in found]
    )


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


# --- a number that was typed in ---------------------------------------------------------------------------------------------------


def _number(view: View, asked: str) -> tuple[Verdict | None, list[Line] | None]:
    """What is known of the number or hash of a receipt, or of the digest of a file: a verdict, or sentences."""
    bare = re.sub(r"^sha-?256[:-]|\s", "", asked)
    if _DIGEST.match(bare.lower()):
        return None, _files(view, bare.lower())
    try:
        if _HASH.match(bare):
            return receipt_check.by_number(view, bare, formatting.digest(bare, 2)), None
        return _short(view, formatting.number_signs(asked))
    except NotFound:
        return None, [
            (
                "bad",
                _(
                    "The audit book knows no receipt of this number. Look at it again, sign by sign; if it is right, keep the "
                    "receipt and call the hotline."
                ),
            )
        ]


def _short(view: View, signs: str) -> tuple[Verdict | None, list[Line] | None]:
    """Refuses: NotFound."""
    groups = " · ".join(filter(None, (signs[:4], signs[4:8], signs[8:])))
    if len(signs) != 10 or not signs.isalnum():
        return None, [
            (
                "bad",
                _(
                    "The number of a receipt is R (or A) and ten signs, its hash has 43 signs, a SHA-256 digest 64. These are "
                    "%(n)s.",
                    n=len(signs),
                ),
            )
        ]
    if _CONFUSED.search(signs):
        return None, [
            ("bad", _("No number has 0, O, 1 or I in it. Look at these signs again: %(groups)s.", groups=groups))
        ]
    try:
        c = hash_of_number(view, signs)
    except CryptoError:
        return None, [
            (
                "bad",
                _(
                    "The last two signs do not fit the others, so one of them was mistyped or misheard. Look at each group "
                    "again: %(groups)s.",
                    groups=groups,
                ),
            )
        ]
    return receipt_check.by_number(view, c, f"{signs[:4]}-{signs[4:8]}-{signs[8:]}"), None


def _files(view: View, digest: str) -> list[Line]:
    found = public_queries.files_of_digest(view, digest)
    if not found:
        return [("bad", _("No file with this digest has been published here."))]
    return [
        (
            "ok" if one.newest else "bad",
            (
                _("%(lot)s: %(name)s, version %(n)s, the newest.", lot=ref, name=one.name, n=one.version)
                if one.newest
                else _(
                    "%(lot)s: %(name)s, version %(n)s, replaced by a newer one.", lot=ref, name=one.name, n=one.version
                )
            ),
        )
        for ref, one in found
    ]
