"""Reading bids in the room: page images made by the confined converter, the same place of every bid a key away (promise U2).

No byte of a bid reaches the reader's browser here but as pixels or as text of a page of ours; who needs the file itself takes it and
opens it elsewhere. What quarantine holds back is not shown either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import Response, jsonify
from flask_babel import gettext as _

from evaluation.reporting.queries import BidCard, RoomCard
from evaluation.scoring import reviews
from trading.hall import opened_files
from trading.kernel.access import Act
from trading.kernel.errors import NotFound, WrongStep
from trading.kernel.work import View
from trading.tendering import tenders
from web import words
from web.desks.expert.room import expert, own_room, room_card, room_crumbs, zone
from web.http.gate import office, reading, render
from web.http.opened import SANDBOX, has_scanner, states_of
from web.http.refusals import language
from web.workers.confined.convert import NoPreview, Page, convert

MOST_PAGE = 5000
KEPT_PAGES = 48
"""How many converted pages a process keeps: a panel reads the same few, and each costs a child process."""


@dataclass(frozen=True)
class Viewed:
    """One bid of the room at the place being read; ``href`` is empty where it has no file there or it is held back."""

    name: str
    href: str
    here: bool


def _bid(card: RoomCard, bid_id: int, place: int) -> BidCard:
    """Refuses: NotFound."""
    found = next((one for one in card.bids if one.id == bid_id), None)
    if found is None or place >= len(found.files):
        raise NotFound("document.unknown", id=bid_id)
    return found


def _others(view: View, card: RoomCard, ref: str, bid_id: int, place: int, page: int) -> list[Viewed]:
    states = states_of(view, tenders.lot(view.session, ref))
    found = []
    for one in card.bids:
        there = place < len(one.files) and states[one.id, place].handed_out
        href = f"/expert/{ref}/view/{one.id}/{place}/{page}" if there else ""
        found.append(Viewed(one.bidder or one.name, href, one.id == bid_id))
    return found


@expert.page("/<ref>/view/<int:bid_id>/<int:place>/<int:page>", needs=Act.SEAT_ANSWER)
def view(ref: str, bid_id: int, place: int, page: int) -> str:
    """A page of a file of a bid, or why there is none to show."""
    with reading() as view:
        own_room(view, ref)
        card = room_card(view, ref)
        bid = _bid(card, bid_id, place)
        blob = _released(view, ref, bid_id, place)
        others = _others(view, card, ref, bid_id, place, page)
    shown, reason = _converted(blob, page)
    file = bid.files[place]
    name = _("File %(n)s", n=file.name) if card.blind else file.name
    base = f"/expert/{ref}/view/{bid_id}"
    places = [(at, _("File %(n)s", n=one.name) if card.blind else one.name) for at, one in enumerate(bid.files)]
    return render(
        "expert/view.html",
        card=card,
        bid=bid,
        place=place,
        page=page,
        shown=shown,
        reason=reason,
        others=others,
        name=name,
        size=file.size,
        places=places,
        base=base,
        take=f"/expert/{ref}/files/{bid_id}/{place}",
        before=f"{base}/{place}/{page - 1}" if page > 1 else "",
        after=f"{base}/{place}/{page + 1}" if shown and page < shown.pages else "",
        crumbs=room_crumbs(card, (bid.bidder or bid.name, f"/expert/{ref}/review#bid-{bid_id}"), (name, "")),
    )


@expert.page("/<ref>/view/<int:bid_id>/<int:place>/<int:page>.json", needs=Act.SEAT_ANSWER)
def view_data(ref: str, bid_id: int, place: int, page: int) -> Response:
    """A page for the score room: ``{pages, image, text, reason}``; ``image`` an address, ``reason`` in words where there is nothing."""
    with reading() as view:
        own_room(view, ref)
        _bid(room_card(view, ref), bid_id, place)
        try:
            blob = _released(view, ref, bid_id, place)
        except WrongStep as held:
            return jsonify(pages=0, text="", image="", reason=words.words(held.code, held.facts, language(), zone()))
    shown, reason = _converted(blob, page)
    answer = jsonify(
        pages=shown.pages if shown else 0,
        text=shown.text if shown else "",
        image=f"/expert/{ref}/view/{bid_id}/{place}/{page}.png" if shown and shown.png else "",
        reason=words.state("no_preview", reason, language()).text if reason else "",
    )
    answer.headers["Cache-Control"] = "private, max-age=600"
    return answer


@expert.page("/<ref>/view/<int:bid_id>/<int:place>/<int:page>.png", needs=Act.SEAT_ANSWER)
def view_image(ref: str, bid_id: int, place: int, page: int) -> Response:
    with reading() as view:
        own_room(view, ref)
        _bid(room_card(view, ref), bid_id, place)
        blob = _released(view, ref, bid_id, place)
    shown, _reason = _converted(blob, page)
    if shown is None or not shown.png:
        raise NotFound("document.unknown", id=bid_id)
    return Response(
        shown.png,
        mimetype="image/png",
        headers={"Content-Security-Policy": SANDBOX, "Cache-Control": "private, max-age=600"},
    )


def _released(view: View, ref: str, bid_id: int, place: int) -> str:
    """The blob of a file that quarantine lets go. Refuses: WrongStep."""
    bid = reviews.bid_of(view.session, tenders.lot(view.session, ref), bid_id)
    opened_files.release(view.session, bid, place, scanned=has_scanner())
    return str(bid.files[place]["blob"])


def _converted(blob: str, page: int) -> tuple[Page | None, str]:
    if not 0 < page <= MOST_PAGE:
        return None, "no-page"
    try:
        return _page(office().blobs.path(blob), page)
    except NoPreview as slow:
        return None, slow.reason
    except FileNotFoundError:
        return None, "damaged"


@lru_cache(maxsize=KEPT_PAGES)
def _page(path: Path, page: int) -> tuple[Page | None, str]:
    """A page of a blob, whose bytes never change. What was too slow once may not be so again: that is asked anew."""
    try:
        return convert(path, page), ""
    except NoPreview as refusal:
        if refusal.reason in ("slow", "unconfined"):
            raise
        return None, refusal.reason
