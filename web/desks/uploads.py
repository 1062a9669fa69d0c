"""Resumable uploads of sealed bids: a tus 1.0 server (https://tus.io/protocols/resumable-upload, core, creation and checksum).

A client announces an upload (``POST /uploads/acts`` with ``Upload-Length`` and the metadata ``lot`` and ``envelope``), asks how much has
arrived (``HEAD``) and sends from there (``PATCH``). Bytes flow in pieces of 1 MiB straight into the spool; no transaction is open
meanwhile. No CSRF token here: each request must carry the sign-in cookie and the ``Tus-Resumable`` header, which no other site can set
without a preflight that is never granted.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
import tempfile
from collections.abc import Iterator
from typing import IO

from flask import Response, current_app, jsonify, request
from werkzeug.exceptions import ClientDisconnected

from trading.bidding import bids, stored, uploads
from trading.bidding.uploads import PIECE, Arrival
from trading.custody import officers
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, Invalid, NotReady, Refusal
from trading.views import lot_cards
from web import words
from web.http.gate import Desk, actor, office, work
from web.http.page_rules import ANYONE
from web.http.refusals import language, status_of

desk = Desk("uploads", prefix="/uploads")
desk.blueprint.record_once(lambda state: state.app.extensions["csrf"].exempt(desk.blueprint))

TUS = "1.0.0"
ALGORITHMS = ("sha256", "sha1")
AT_ONCE = 8 << 20
"""Bytes that may come with the announcement and be written down together with it; what is larger is announced first, so that it can be
resumed whatever happens."""
_BODY = "application/offset+octet-stream"


@desk.page("/acts", needs=ANYONE, methods=("OPTIONS",))
def options() -> Response:
    """What this server speaks. Nothing here allows another origin, so a browser's preflight from elsewhere ends here."""
    headers = {
        "Tus-Version": TUS,
        "Tus-Extension": "creation,creation-with-upload,checksum",
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Tus-Max-Size": str(officers.SIZES[-1] + 70_000 + 16 * (officers.SIZES[-1] >> 19) + 16),
    }
    return _answer(204, headers)


@desk.page("/acts", needs=Act.BID_UPLOAD, methods=("POST",))
def create() -> Response:
    """Announce an upload, if one likes with its first bytes, all of them for most bids (``creation-with-upload``). 201 with its address;
    400 bad length or metadata, 404 no such lot, 409 too early or too late, 413 too large, 415 another media type, 422 no sealed bid of
    this lot and bidder, 460 bad checksum, 507 no room, with a signed proof of the attempt."""
    if (wrong := _not_tus()) is not None:
        return wrong
    length, metadata = _whole("Upload-Length"), _metadata()
    if length is None or metadata is None:
        return _told("upload.bad_request", 400)
    sent = request.content_length or 0
    if sent and request.mimetype != _BODY:
        return _told("page.media_type", 415)
    if sent > length:
        return _told("upload.too_long", 413, Invalid("upload.too_long", most=length))
    try:
        if length > office().spool.room():
            return _no_room(metadata, length)
        copy = (
            metadata.get("copy") == "yes"
        )  # one's own copy of a bid whose bytes are broken here: wanted after the deadline
        if 0 < sent <= AT_ONCE and not request.headers.get("Upload-Checksum") and not copy:
            return _created_whole(metadata, length, sent)
        with work() as unit:
            lot, part = lot_cards.visible_lot(unit, metadata.get("lot", "")), metadata.get("envelope") or officers.BID
            uploads.not_too_many(unit)
            row = (
                stored.start_copy(unit, lot, length=length, part=part)
                if copy
                else uploads.start(unit, lot, length=length, envelope=part)
            )
            token = row.token
    except Refusal as refusal:
        status = 413 if refusal.code == "upload.bad_length" and length > 0 else status_of(refusal)
        return _told(refusal.code, status, refusal)
    except OSError as error:
        return _disk_full(error)
    where = {"Location": f"/uploads/acts/{token}"}
    if not sent:
        return _answer(201, {**where, "Upload-Offset": "0"})
    answer = _sent_on(token, 0, sent)
    answer.headers.update(where)
    if answer.status_code == 204:
        answer.status_code = 201
    return answer


def _no_room(metadata: dict[str, str], length: int) -> Response:
    """The disk is kept for what was taken already: a new upload is refused by a signed proof that it is our fault (promise R6)."""
    with work() as unit:
        lot = lot_cards.visible_lot(unit, metadata.get("lot", ""))
        outcome = bids.no_room(unit, lot, length=length, part=metadata.get("envelope") or officers.BID)
        document = bids.answer_document(unit.session, outcome)
    told = _told("upload.no_room", 507, NotReady("upload.no_room"))
    told.set_data(
        json.dumps(
            {**json.loads(told.get_data()), "receipt": document, "location": f"/bidder/receipts/{outcome.receipt.c}"},
            ensure_ascii=False,
        )
    )
    return told


def _created_whole(metadata: dict[str, str], length: int, sent: int) -> Response:
    request.max_content_length = sent
    body = Body(request.stream, sent)
    token, arrival = uploads.start_with(
        office(),
        actor(),
        metadata.get("lot", ""),
        lot_cards.visible_lot,
        length=length,
        envelope=metadata.get("envelope") or officers.BID,
        pieces=body,
    )
    where = {"Location": f"/uploads/acts/{token}", **_where(arrival)}
    if arrival.refused:
        return _told("upload.not_sealed", 422, Invalid("upload.not_sealed", reason=arrival.refused), headers=where)
    if body.cut:
        return _told("upload.cut", 400, headers=where)
    return _answer(201, where)


@desk.page("/acts/<token>", needs=Act.BID_UPLOAD, methods=("HEAD",))
def offset(token: str) -> Response:
    """How much has arrived: the length of the file itself. 404 for anybody else's, 410 once the bytes were refused."""
    if (wrong := _not_tus()) is not None:
        return wrong
    try:
        arrival = uploads.arrived(office(), actor(), token)
    except Refusal as refusal:
        return _answer(status_of(refusal))
    return _answer(410 if arrival.refused else 200, _where(arrival))


@desk.page("/acts/<token>", needs=Act.BID_UPLOAD, methods=("PATCH",))
def append(token: str) -> Response:
    """Take bytes at an offset. 204 with the new offset; 400, 403, 404, 409 wrong offset, 411 no length, 413 more than announced,
    415 another media type, 422 no sealed bid of this lot and bidder, 423 another writer, 460 bad checksum, 507 no room."""
    if (wrong := _not_tus()) is not None:
        return wrong
    at = _whole("Upload-Offset")
    if at is None:
        return _told("upload.bad_request", 400)
    if request.mimetype != _BODY:
        return _told("page.media_type", 415)
    if request.content_length is None:
        return _told("upload.no_content_length", 411)
    return _sent_on(token, at, request.content_length)


def _sent_on(token: str, at: int, length: int) -> Response:
    try:
        before = uploads.arrived(office(), actor(), token)
        if not before.refused and at != before.size:
            raise Conflict("upload.offset", have=before.size, offset=at)
        if not before.refused and at + length > before.length:
            raise Invalid("upload.too_long", most=before.length)
        return _received(token, at, length)
    except Refusal as refusal:
        status = {"upload.busy": 423, "upload.offset": 409, "upload.too_long": 413}.get(
            refusal.code, status_of(refusal)
        )
        return _told(refusal.code, status, refusal)
    except OSError as error:
        return _disk_full(error)


def _disk_full(error: OSError) -> Response:
    """The disk filled up while bytes flowed: what came is kept, and may be gone on with once there is room."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    return _told("upload.no_room", 507, NotReady("upload.no_room"))


def _received(token: str, at: int, length: int) -> Response:
    request.max_content_length = length  # the bound of forms is not that of sealed bids; what was announced is
    body = Body(request.stream, length)
    checksum = request.headers.get("Upload-Checksum", "")
    if checksum:
        return _checked(token, at, body, checksum)
    arrival = uploads.receive(office(), actor(), token, offset=at, pieces=body)
    if body.cut:  # what came is kept, the client asks where to go on; most likely nobody hears this
        return _told("upload.cut", 400)
    return _answer(204, _where(arrival))


def _checked(token: str, at: int, body: Body, checksum: str) -> Response:
    """With a checksum nothing may be kept before it fits: the piece waits in a file without a name."""
    name, _, told = checksum.partition(" ")
    try:
        wanted = base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError):
        wanted = b""
    if name not in ALGORITHMS or not wanted:
        return _told("upload.bad_request", 400)
    digest = hashlib.new(name)
    with tempfile.TemporaryFile(dir=office().spool.folder) as held:
        for piece in body:
            digest.update(piece)
            held.write(piece)
        if body.cut:
            return _told("upload.cut", 400)
        if digest.digest() != wanted:
            return _told("upload.checksum", 460)
        held.seek(0)
        arrival = uploads.receive(office(), actor(), token, offset=at, pieces=iter(lambda: held.read(PIECE), b""))
    return _answer(204, _where(arrival))


class Body:
    """The bytes of a request, piece by piece. ``cut``: fewer came than ``Content-Length`` said. To a WSGI application a broken line and
    the end of the body look alike, so the bytes are counted."""

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self.stream, self.length, self.cut = stream, length, False

    def __iter__(self) -> Iterator[bytes]:
        got = 0
        while got < self.length:
            try:
                piece = self.stream.read(min(PIECE, self.length - got))
            except (ClientDisconnected, OSError):
                piece = b""
            if not piece:
                break
            got += len(piece)
            yield piece
        self.cut = got < self.length


# --- the protocol's own forms -----------------------------------------------------------------------------------------


def _not_tus() -> Response | None:
    """412 unless the request speaks our version: this header is what forces a preflight on other origins."""
    if request.headers.get("Tus-Resumable") == TUS:
        return None
    return _told("upload.tus_version", 412, headers={"Tus-Version": TUS})


def _whole(name: str) -> int | None:
    text = request.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _metadata() -> dict[str, str] | None:
    """``Upload-Metadata``: pairs ``key base64`` parted by commas; None if it is malformed."""
    found: dict[str, str] = {}
    for pair in request.headers.get("Upload-Metadata", "").split(","):
        key, _, value = pair.strip().partition(" ")
        if not key:
            continue
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return None
    return found


def _where(arrival: Arrival) -> dict[str, str]:
    return {
        "Upload-Offset": str(arrival.size),
        "Upload-Length": str(arrival.length),
        "Upload-Whole": "yes" if arrival.whole else "no",
    }


def _answer(status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(status=status, headers={"Tus-Resumable": TUS, "Cache-Control": "no-store", **(headers or {})})


def _told(code: str, status: int, refusal: Refusal | None = None, *, headers: dict[str, str] | None = None) -> Response:
    """A refusal as JSON: ``{code, words, facts}``; ``facts.reason`` is the code of the protocol when the bytes are no sealed bid."""
    facts = refusal.facts if refusal else {}
    response = jsonify(
        {
            "code": code,
            "words": words.words(code, facts, language(), current_app.extensions["bidhall"].zone),
            "facts": {k: v for k, v in facts.items() if isinstance(v, (str, int))},
        }
    )
    response.status_code = status
    response.headers.update({"Tus-Resumable": TUS, "Cache-Control": "no-store", **(headers or {})})
    return response
