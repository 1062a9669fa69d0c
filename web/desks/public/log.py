"""The audit book: checkpoints, ticks, tiles for stock clients (C2SP tlog-tiles), and the public entries with their documents."""

from __future__ import annotations

import json
import re
from datetime import timedelta

from flask import Response, jsonify

from crypto.canonical import b64u
from trading.bidding import tickets
from trading.kernel import log
from trading.kernel.calendar import day_start, local_day
from trading.kernel.errors import NotFound
from trading.parties import parties
from trading.views import log_queries, restored_queries
from web.desks.public.words import attachment, page
from web.http.forms import Form
from web.http.gate import Desk, reading, request
from web.http.page_rules import ANYONE

desk = Desk("log")
DAYS, ROWS, TICKS = 7, 20, 20
FOREVER = "public, max-age=31536000, immutable"
_TILE = re.compile(r"((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?\Z", re.ASCII)


@desk.page("/audit", needs=ANYONE)
def audit() -> str:
    form = Form.query()
    ref = form.text("lot", needed=False, limit=60)
    before, entry_page = _number("before"), _number("from") or 0
    with reading() as view:
        last = log.last_tick(view.session)
        today = day_start(local_day(view.now))
        spans = [(today - timedelta(days=n), today - timedelta(days=n - 1)) for n in range(DAYS)]
        ticks, days = log_queries.tick_lines(view, before=before, limit=TICKS), log_queries.days_heads(view, spans)
        entries = log_queries.entry_lines(view, lot=ref, limit=ROWS + 1, skip=entry_page)
        trust = tickets.trust(view)
        gaps, alone = restored_queries.gap_lines(view), parties.made_alone(view)
    return page(
        "public/audit.html",
        gaps=gaps,
        alone=alone,
        form=form,
        ref=ref,
        before=before,
        skip=entry_page,
        tip=last,
        ticks=ticks,
        days=days,
        trust=trust,
        entries=entries[:ROWS],
        more=entry_page + ROWS if len(entries) > ROWS else None,
    )


# --- for programs -----------------------------------------------------------------------------------------------------------------


@desk.page("/log/checkpoint", needs=ANYONE)
def checkpoint() -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint)."""
    with reading() as view:
        text = log.checkpoint(view.session)
    if text is None:
        raise NotFound("log.empty")
    return _plain(text)


@desk.page("/log/declared", needs=ANYONE)
def declared() -> Response:
    """Every gap that was declared after a restoration, oldest first: the record, its signed entry, its proof once it is sealed."""
    with reading() as view:
        return jsonify({"gaps": restored_queries.declared_files(view)})


@desk.page("/log/tile/<int:level>/<path:rest>", needs=ANYONE)
def tile(level: int, rest: str) -> Response:
    index, width = _tile_of(rest)
    if level > 6:
        raise NotFound("log.tile_unknown", level=level, index=index, width=width)
    with reading() as view:
        return _bytes(log_queries.tile(view, level, index, width))


@desk.page("/log/tile/entries/<path:rest>", needs=ANYONE)
def bundle(rest: str) -> Response:
    index, width = _tile_of(rest)
    with reading() as view:
        return _bytes(log_queries.entry_bundle(view, index, width))


@desk.page("/log/leaves", needs=ANYONE)
def leaves() -> Response:
    """Leaves from number ``from`` on, at most a thousand; ``next`` is where to go on, null at the end."""
    first = _number("from") or 0
    with reading() as view:
        found = log_queries.leaves(view, first)
        size = log.size(view)
    after = first + len(found)
    return jsonify(**{"from": first, "leaves": found, "size": size, "next": after if found and after < size else None})


@desk.page("/log/consistency", needs=ANYONE)
def consistency() -> Response:
    """That the log of ``to`` leaves (the newest if none is named) continues the one of ``from`` leaves (RFC 9162 §2.1.4)."""
    old = _number("from") or 0
    with reading() as view:
        found = log_queries.consistency(view, old, _number("to"))
    return jsonify(
        **{"from": old, "to": found.size, "proof": [b64u(node) for node in found.proof], "checkpoint": found.checkpoint}
    )


@desk.page("/log/keys.json", needs=ANYONE)
def keys() -> Response:
    """Whom a verifier trusts. Keep it from an earlier day: a key fetched together with what it proves, proves nothing."""
    with reading() as view:
        return attachment(json.dumps(tickets.trust(view), indent=1).encode() + b"\n", "trust.json", "application/json")


@desk.page("/log/entries/<c>.json", needs=ANYONE)
def entry(c: str) -> Response:
    """A public entry as a receipt, with its proof from its tick on."""
    with reading() as view:
        return jsonify(log_queries.public_entry(view, c[:64]))


@desk.page("/log/documents/<name>.json", needs=ANYONE)
def document(name: str) -> Response:
    """A document that a public entry speaks of, byte for byte."""
    with reading() as view:
        kind, text = log_queries.public_document(view, name[:64])
    return attachment(text.encode(), f"{kind}.{name[:12]}.json", "application/json")


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _tile_of(rest: str) -> tuple[int, int]:
    """(index, width) of a tile path. Refuses: NotFound for any other path than the one C2SP writes."""
    found = _TILE.match(rest)
    if found is None or (found[2] is not None and int(found[2]) >= log_queries.WIDTH):
        raise NotFound("page.not_found")
    groups = found[1].replace("x", "").split("/")
    if len(groups) > 1 and groups[0] == "000":
        raise NotFound("page.not_found")
    return int("".join(groups)), int(found[2]) if found[2] else log_queries.WIDTH


def _plain(text: str) -> Response:
    answer = Response(text, content_type="text/plain; charset=utf-8")
    answer.headers["Cache-Control"] = "public, max-age=5"
    return answer


def _bytes(data: bytes) -> Response:
    answer = Response(data, content_type="application/octet-stream")
    answer.headers["Cache-Control"] = FOREVER
    return answer
