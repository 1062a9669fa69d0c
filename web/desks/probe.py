"""The door of the probes: a test bid goes the way of a bid (announced, sent, inspected, submitted, answered with a signed receipt) and is
then forgotten; and the points hand in what they saw. Nothing here touches a lot, and nobody signs in: each request is signed by a point.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from flask import Response, current_app, jsonify, request
from limits import parse

from crypto.canonical import b64u, unb64u
from crypto.errors import CryptoError
from crypto.sealed_bid import Inspector
from crypto.signatures import payload_of, sign, verify
from trading.availability import probes
from trading.availability.probes import ReportedSample
from trading.kernel.access import CLOCK
from trading.kernel.clock import parse_moment
from trading.kernel.errors import Invalid, NotAllowed, NotReady
from trading.kernel.spool import TOKEN, Spool
from trading.kernel.work import View
from web.desks.uploads import Body
from web.http.gate import Desk, office
from web.http.page_rules import ANYONE
from web.workers.watch.probing import RECEIPT, SAMPLES, STEP

desk = Desk("probe", prefix="/probe")
desk.blueprint.record_once(lambda state: state.app.extensions["csrf"].exempt(desk.blueprint))

LONGEST = 2_000_000
SKEW = timedelta(minutes=5)
STEPS = parse("40/minute")
LEFT = timedelta(hours=1)
_STEP_KEYS = {"v", "platform", "point", "step", "token", "length", "root", "at"}
_SAMPLES_KEYS = {"v", "platform", "point", "samples", "at"}


@desk.page("/acts", needs=ANYONE, methods=("POST",))
def announce() -> Response:
    """A point announces a test bid. 201 with its token; 403 for who is no point."""
    document = _step("announce")
    current_app.extensions["bidhall"].rate_limits.hit(STEPS, "probe", document["point"])
    if not 0 < document["length"] <= LONGEST:
        raise Invalid("upload.bad_length", length=document["length"], most=LONGEST)
    spool = _spool()
    _forget(spool)
    token = secrets.token_hex(24)
    spool.create(token)
    answer = jsonify(token=token)
    answer.status_code = 201
    return answer


@desk.page("/acts/<token>", needs=ANYONE, methods=("PATCH",))
def send(token: str) -> Response:
    """The bytes, in one go from offset 0, inspected as they come."""
    spool = _spool()
    if not TOKEN.match(token) or not spool.path(token).exists():
        raise NotAllowed("probe.refused")
    length = request.content_length
    if length is None or not 0 < length <= LONGEST:
        raise NotAllowed("probe.refused")
    request.max_content_length = length
    inspector = Inspector(length)
    try:
        size = spool.append(token, 0, _inspected(inspector, Body(request.stream, length)), most=LONGEST)
        root = inspector.finish().sealed_root if size == length else b""
    except CryptoError as error:
        raise Invalid("upload.not_sealed", reason=error.code, detail=error.detail) from error
    (spool.folder / (token + ".root")).write_text(b64u(root), encoding="ascii")
    return Response(status=204, headers={"Upload-Offset": str(size), "Cache-Control": "no-store"})


def _inspected(inspector: Inspector, pieces: Iterator[bytes] | Body) -> Iterator[bytes]:
    for piece in pieces:
        inspector.feed(piece)
        yield piece


@desk.page("/acts/<token>/submit", needs=ANYONE, methods=("POST",))
def submit(token: str) -> Response:
    """The moment that counts: checked, written in a unit of work, answered with a signed receipt, forgotten."""
    document = _step("submit")
    spool = _spool()
    kept = spool.folder / (token + ".root")
    if document["token"] != token or not TOKEN.match(token) or not kept.exists():
        raise NotAllowed("probe.refused")
    if kept.read_text(encoding="ascii") != document["root"] or spool.size(token) != document["length"]:
        raise Invalid("upload.not_sealed", reason="SEALED_ROOT", detail="the bytes are not those that were signed")
    with office().work(CLOCK) as work:
        probes.beat(work, document["point"])
        ms = (work.now - datetime.fromtimestamp(0, work.now.tzinfo)) // timedelta(milliseconds=1)
        receipt = sign(
            RECEIPT,
            {
                "v": 1,
                "platform": office().platform,
                "point": document["point"],
                "token": token,
                "root": document["root"],
                "ms": ms,
            },
            office().keys.signing,
        )
    spool.remove(token)
    kept.unlink(missing_ok=True)
    return jsonify(receipt)


@desk.page("/acts/samples", needs=ANYONE, methods=("POST",))
def samples() -> Response:
    """What a point saw, signed: taken once per slot."""
    document = _signed(SAMPLES, _SAMPLES_KEYS)
    try:
        told = [
            ReportedSample(
                parse_moment(one["at"]),
                int(one["ms"]),
                one["code"] == "",
                str(one["code"]),
                int(one["offset_ms"]) if one["offset_ms"] else None,
            )
            for one in document["samples"]
        ]
    except (KeyError, TypeError, ValueError, NotReady) as error:
        raise Invalid("probe.samples", most=probes.MOST_SAMPLES) from error
    with office().work(CLOCK) as work:
        taken = probes.take(work, document["point"], told)
    return jsonify(taken=taken)


# --- who knocks -------------------------------------------------------------------------------------------------------


def _step(step: str) -> dict[str, Any]:
    document = _signed(STEP, _STEP_KEYS)
    if document["step"] != step or type(document["length"]) is not int:
        raise NotAllowed("probe.refused")
    return document


def _signed(kind: str, names: set[str]) -> dict[str, Any]:
    """The document of a point on duty, signed by its key and dated now. Refuses: NotAllowed ``probe.refused``, whatever is wrong."""
    try:
        envelope = json.loads(request.get_data(cache=False)[:1_000_000])
        claimed = json.loads(payload_of(envelope))
        with office().view(CLOCK) as view:
            document: dict[str, Any] = verify(
                envelope, kind, unb64u(probes.point(view.session, str(claimed["point"])).public, 32)
            )
            _check(document, names, view)
    except (ValueError, KeyError, TypeError, CryptoError, NotReady) as error:
        raise NotAllowed("probe.refused") from error
    return document


def _check(document: dict[str, Any], names: set[str], view: View) -> None:
    if (
        document.keys() != names
        or document["platform"] != view.office.platform
        or abs(parse_moment(document["at"]) - view.now) > SKEW
    ):
        raise NotAllowed("probe.refused")


def _spool() -> Spool:
    """Beside the uploads, on the same disk: a probe meets the same full disk as a bid."""
    return Spool(office().blobs.folder / "probes")


def _forget(spool: Spool) -> None:
    """What was announced and never submitted goes after an hour."""
    now = office().clock.now()
    for path in spool.folder.iterdir():
        try:
            if datetime.fromtimestamp(path.stat().st_mtime, now.tzinfo) < now - LEFT:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue
