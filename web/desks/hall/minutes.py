"""The papers of an opening: made and signed once, read by anybody, stamped with a trusted time (rules X-10, X-14).

anybody   GET  /hall/<ref>/papers                       what there is, with digests and stamps
          GET  /hall/<ref>/papers/<kind>, <kind>.tsr    ``sheet``, ``form``, ``record``; its RFC 3161 stamp; ``?draft=1`` for the host
          GET  /hall/<ref>/minutes                      the record
host      POST /hall/<ref>/acts/stamp                   asks for the stamps that are still missing
"""

from __future__ import annotations

from typing import Any, cast

from flask import Response, current_app
from flask_babel import gettext as _

from trading.hall import papers as opening_papers
from trading.kernel.access import Act, may
from trading.kernel.errors import NotFound, NotReady
from trading.kernel.work import View
from trading.opening import ceremony as opening
from web.desks.hall import papers as hall_papers
from web.desks.hall.cards import hall_card
from web.desks.hall.room import ceremony, crumbs_of, hall, hall_lot, lot_at_market, part_asked
from web.http.forms import Form
from web.http.gate import actor, go, office, reading, render, request, saved_as, work
from web.http.page_rules import ANYONE, ByHand
from web.papers import printing, stamps


@hall.page("/<ref>/minutes", needs=ANYONE)
def minutes(ref: str) -> Response:
    """The signed record, public from the signature on; the draft (``?draft=1``) is for the host."""
    return cast(Response, paper(ref=ref, kind="record"))


@hall.page("/<ref>/papers", needs=ANYONE)
def paper_list(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = lot_at_market(view, ref)
        part = part_asked(view, lot)
        card, row = hall_card(view, lot, part), opening.find(view.session, lot, part)
        found = opening_papers.of_opening(view.session, row) if row is not None else []
    return render(
        "hall/papers.html",
        card=card,
        papers=found,
        is_host=may(actor(), Act.OPENING_HOST),
        can_stamp=stamps.ready(_settings()),
        form=form or Form.blank(),
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Papers of the opening"), "")),
    )


@hall.page("/<ref>/papers/<kind>", needs=ANYONE)
def paper(ref: str, kind: str) -> Response:
    """Refuses: NotFound ``opening.no_minutes`` before the signature (the host's draft apart)."""
    name, _dot, ending = kind.partition(".")
    if name not in opening_papers.KINDS or ending not in ("", "tsr"):
        raise NotFound("page.not_found")
    with reading() as view:
        lot = hall_lot(view, ref)
        part = part_asked(view, lot)
        row = opening.opening(view.session, lot, part)
        if request.args.get("draft") and not ending:
            view.require(Act.OPENING_HOST)
            draft = hall_papers.facts(name, hall_card(view, lot, part), view, lot, host=actor().name, draft=True)
        else:
            draft, blob = None, _kept(view, row, name, stamp=bool(ending))
    if draft is not None:
        return printing.answer(draft.make(), f"{name}-{ref}")
    with office().blobs.open(blob) as source:
        data = source.read()
    if ending:
        return saved_as(Response(data, mimetype="application/timestamp-reply"), f"{name}-{ref}.tsr")
    return printing.answer(data, f"{name}-{ref}")


def _kept(view: View, row: opening.Opening, name: str, *, stamp: bool) -> str:
    """The blob of a signed paper, or of its stamp. Refuses: NotFound."""
    if row.minutes is None:
        raise NotFound("opening.no_minutes", ref=row.lot.ref)
    held = opening_papers.find(view.session, row, name)
    blob = held.stamp if stamp else held.blob
    if blob is None:
        raise NotFound("paper.no_stamp")
    return blob


def make_all(ref: str) -> dict[str, str]:
    """The three papers set and stored: kind → blob. Bytes first, and no database while they are set; nothing is signed yet.

    Refuses: as ``papers.make``."""
    with reading() as view:
        lot = hall_lot(view, ref)
        card = hall_card(view, lot)
        gathered = [hall_papers.facts(kind, card, view, lot, host=actor().name) for kind in opening_papers.KINDS]
    blobs: dict[str, str] = {}
    for facts in gathered:
        blobs[facts.kind] = office().blobs.put([facts.make(list(blobs.items()) if facts.kind == "record" else ())]).name
    return blobs


def stamp_all(ref: str) -> None:
    """Ask for the stamps that are missing, each kept as soon as it is verified. Refuses: NotReady with the first reason that stops it."""
    with reading() as view:
        row = ceremony(view, hall_lot(view, ref))
        missing = [(one.kind, one.blob) for one in opening_papers.of_opening(view.session, row) if one.stamp is None]
    for kind, blob in missing:
        with office().blobs.open(blob) as source:
            found = stamps.stamp(_settings(), source.read())
        kept = office().blobs.put([found.answer]).name
        with work() as unit:
            opening_papers.stamp(unit, ceremony(unit, hall_lot(unit, ref)), kind, stamp=kept, at=found.at)


@hall.page("/<ref>/acts/stamp", needs=Act.OPENING_HOST, post=ByHand.OUTSIDE, back=paper_list)
def do_stamp(ref: str) -> Any:
    form = Form.read()
    stamp_all(ref)
    with work() as unit:
        unit.once(form.form_id, where := f"/hall/{ref}/papers")
    return go(where)


def stamp_if_ready(ref: str) -> None:
    """After the signature: stamps at once where an authority is configured. One that is away stops nothing; the page of papers says it."""
    if not stamps.ready(_settings()):
        return
    try:
        stamp_all(ref)
    except NotReady as refusal:
        current_app.logger.warning("no time stamp: %s", refusal.code)


def _settings() -> Any:
    return current_app.extensions["bidhall"].settings
