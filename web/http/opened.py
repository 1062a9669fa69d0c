"""Handing out files of opened bids: only what quarantine lets go, only to be saved, from an origin of their own where there is one
(promise U2; OWASP ASVS 3.2.1, 3.5.4, 5.4.2).

What a bidder put into its bid is a stranger's file. It is never shown as a page of ours: with ``BIDHALL_FILES_URL`` set, a signed link
leads to the files host (web/http/files_host.py), where no sign-in exists that it could steal; else it comes from here as an attachment
that a browser keeps in a sandbox.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, g, redirect
from werkzeug.wrappers import Response as AnyResponse

from trading.files.scanning import Quarantine
from trading.hall import opened_files
from trading.kernel.work import View
from trading.opening.ceremony import OpenedBid
from trading.tendering.tenders import Lot
from web.http import login
from web.http.files_host import link_to
from web.http.gate import office, saved_as
from web.settings import Settings

SANDBOX = "default-src 'none'; sandbox"


def has_scanner() -> bool:
    return bool(_settings().clamd)


def states_of(view: View, lot: Lot) -> dict[tuple[int, int], Quarantine]:
    """(bid, place) → where each file of a lot stands; asked once a page."""
    if "file_states" not in g or g.file_states[0] != lot.id:
        g.file_states = (lot.id, opened_files.states(view.session, lot, scanned=has_scanner()))
    found: dict[tuple[int, int], Quarantine] = g.file_states[1]
    return found


def hand_out(view: View, bid: OpenedBid, place: int, name: str) -> AnyResponse:
    """A file of an opened bid, to be saved as ``name``. Whoever calls has checked that this person may have it.

    Refuses: NotFound, WrongStep ``file.waiting``, ``file.infected``, ``file.refused``.
    """
    opened_files.release(view.session, bid, place, scanned=has_scanner())
    file = bid.files[place]
    person, settings = login.present(), _settings()
    if settings.files_url and person is not None:
        where = link_to(
            settings, current_app, view.now, login_id=person.login_id, bid_id=bid.id, place=place, name=name
        )
        answer = redirect(where, 303)
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer
    return attachment(
        Response(office().blobs.read(file["blob"]), mimetype="application/octet-stream"), name, int(file["size"])
    )


def attachment(answer: Response, name: str, size: int) -> Response:
    """A stranger's bytes: saved, never shown, in a sandbox should a browser show them all the same."""
    saved_as(answer, name)
    answer.headers["Content-Length"] = str(size)
    answer.headers["Content-Security-Policy"] = SANDBOX
    return answer


def _settings() -> Settings:
    settings: Any = current_app.extensions["bidhall"].settings
    found: Settings = settings
    return found
