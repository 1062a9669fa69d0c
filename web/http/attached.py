"""Files attached to a filing, an objection or its answer: taken in from a form, listed on pages, handed out.

They are strangers' files: saved, never shown as a page of ours, and only once quarantine lets them go (trading/files/attachments.py).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response
from flask_babel import gettext as _

from trading.files import attachments, file_types
from trading.files.attachments import Attachment
from trading.kernel.blobs import PIECE, Blob
from trading.kernel.errors import Fault, Invalid
from web.http.forms import Form
from web.http.gate import office
from web.http.opened import attachment, has_scanner

ACCEPT = ",".join("." + one for one in file_types.EXTENSIONS)
SLACK = 1_000_000
"""Bytes a form may have beside its files."""
ONE = attachments.MAX_SIZE + SLACK
SEVERAL = 5 * attachments.MAX_SIZE + SLACK
"""Bytes of a form that takes one file, and of one that takes several."""


@dataclass(frozen=True)
class FileRow:
    """An attachment on a page. ``href`` is "" while it is not handed out, ``why`` says what of it."""

    number: int
    name: str
    size: int
    digest: str
    href: str
    why: str


def rows(found: list[Attachment], where: str, *, named: bool = True) -> list[FileRow]:
    """Attachments as a page lists them, ``where`` being the address before their number. Without ``named`` only their kind is told:
    before the opening list a name may tell who filed."""
    return [_row(place, one, where, named) for place, one in enumerate(found, start=1)]


def _row(place: int, one: Attachment, where: str, named: bool) -> FileRow:
    state = attachments.standing(one, scanned=has_scanner())
    why = {
        attachments.WAITING: _("is being checked for malware; try again in a minute"),
        attachments.INFECTED: _("held back: the scanner found %(what)s", what=one.finding or "–"),
        attachments.REFUSED: _("held back: the scanner could not look at it"),
        attachments.UNSCANNED: _("not scanned: this platform has no scanner"),
    }.get(state, _("scanned, nothing found"))
    href = f"{where}/{one.id}" if state in (attachments.CLEAN, attachments.UNSCANNED) else ""
    return FileRow(one.id, shown_name(place, one, named=named), one.size, one.blob, href, why)


def shown_name(place: int, one: Attachment, *, named: bool) -> str:
    if named:
        return one.name
    return _("attachment %(n)s", n=place) + "." + one.name.rpartition(".")[2].lower()


def hand_out(found: list[Attachment], number: int, *, named: bool = True) -> Response:
    """One of the attachments the caller may see, to be saved. Refuses: NotFound, WrongStep."""
    row = attachments.release(found, number, scanned=has_scanner())
    name = shown_name(found.index(row) + 1, row, named=named)
    return attachment(Response(office().blobs.read(row.blob), mimetype="application/octet-stream"), name, row.size)


def taken_in(form: Form, name: str = "files") -> list[tuple[str, Blob]]:
    """(name, stored bytes) of the files chosen in a field. Refuses: Invalid with every fault of the form, before anything is stored."""
    chosen = [one for one in form.files.getlist(name) if one.filename]
    if len(chosen) > attachments.MOST:
        form.fault(name, "attachment.too_many", most=attachments.MOST)
    form.refuse_if_any()
    return [(_plain(one.filename or ""), office().blobs.put(_pieces(one.stream))) for one in chosen]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2].strip()


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


def at_files(refusal: Invalid, name: str = "files") -> Invalid:
    """The same refusal with the faults of the files at their field."""
    faults = [
        Fault(name if one.where in ("name", "file") else one.where, one.code, one.facts) for one in refusal.faults
    ]
    return Invalid(refusal.code, faults=faults, **refusal.facts)
