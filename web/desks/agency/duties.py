"""What waits for purchaser and agency, in words: the duty, its basis, its hour, the page with the act that settles it."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import pgettext

from trading.views.agency_waiting import Waiting
from web.http.layout import Duty


def duty_of(one: Waiting) -> Duty:
    """What waits, in words: the duty, its basis, its hour, the page with the act that settles it."""
    lot = f"/agency/lots/{one.lot}"
    known: dict[str, tuple[str, str, str, str]] = {
        "project_draft": (_("Complete and file: %(title)s"), f"/agency/projects/{one.of}", _("Draft"), ""),
        "project_returned": (
            _("Fill the gaps and file again: %(title)s"),
            f"/agency/projects/{one.of}",
            _("Returned"),
            "warn",
        ),
        "tender_missing": (_("Draft the tender: %(title)s"), f"/agency/projects/{one.of}/tender", _("Accepted"), "ok"),
        "lot_prepare": (_("Prepare for publication: %(title)s"), lot, _("Preparation"), ""),
        "enquiry": (_("Answer the question: %(title)s"), f"{lot}/clarify?q={one.of}#q-{one.of}", _("Question"), "now"),
        "clarify_cutoff": (
            _("After this hour a clarification moves the deadline: %(title)s"),
            f"{lot}/clarify",
            _("Limit"),
            "info",
        ),
        "officers_confirm": (_("Confirm new key holders: %(title)s"), f"{lot}/keys#officers", _("Key holders"), "warn"),
        "objection": (_("Answer the objection: %(title)s"), f"/agency/objections/{one.of}", _("Objection"), "warn"),
        "challenge": (_("Answer the challenge: %(title)s"), f"/agency/objections/{one.of}", _("Challenge"), "warn"),
        "upheld": (_("Upheld; do what follows from it: %(title)s"), f"{lot}/award", _("Upheld"), "stop"),
        "qualify": (_("Review qualifications: %(title)s"), f"{lot}/qualification", _("Qualification review"), "now"),
        "publicise": (_("Publish the candidates: %(title)s"), f"{lot}/award", _("Report received"), "now"),
        "decide": (_("Decide the award: %(title)s"), f"{lot}/award", pgettext("award", "Decision"), "now"),
        "announce": (_("Announce the result: %(title)s"), f"{lot}/award", pgettext("award", "Decided"), "now"),
        "contract": (_("Sign and record the contract: %(title)s"), f"{lot}/contract", _("Contract"), "now"),
        "publish_contract": (_("Publish and file the contract: %(title)s"), f"{lot}/contract", _("Contract"), "now"),
        "draw": (_("Our part in the draw: %(title)s"), f"{lot}/draw/{one.of}", _("Draw"), "now"),
        "failed": (_("Failed: tender anew or close: %(title)s"), lot, _("Failed"), "stop"),
    }
    text, href, label, tone = known[one.kind]
    basis = " · ".join(filter(None, (one.lot or one.of, _basis(one))))
    shown = one.title if len(one.title) <= 48 else one.title[:47] + "…"
    return Duty(text % {"title": shown}, href, one.until, _("no fixed limit"), basis, label, tone)


def _basis(one: Waiting) -> str:
    """The legal basis of a duty: the rule by its number and what it says."""
    what = {
        "A-01": _("filing needs the whole set of papers"),
        "A-05": _("gaps are told once, all of them"),
        "T-20": _("answer to an enquiry: 3 working days"),
        "T-05": _("clarifications that affect bids: 15 days before the deadline"),
        "T-22": _("answer to a challenge: 7 working days"),
        "T-26": _("answer to an objection: 3 days, the activity stops meanwhile"),
        "P-43": _("the purchaser or its agency reviews qualifications"),
        "T-17": _("candidates are published within 3 days of the report"),
        "T-11": _("decision within 5 working days of the report"),
        "E-07": _("decision in the order of the ranking"),
        "B-16": _("another candidate, in the order of the ranking"),
        "E-33": _("the panel that signed reviews again"),
        "T-12": _("result notice within 2 working days of the decision"),
        "T-14": _("contract within 30 days of the award notice"),
        "T-15": _("contract published within 2 working days, filed within 7"),
    }.get(one.rule, "")
    return _("rule %(rule)s: %(what)s", rule=one.rule, what=what) if what else one.rule
