"""How a lot ended: winner and money, then why, as far as the law opens it; the remedies with the day computed; the report as a paper.

What may be shown comes from ``outcome_queries.outcome_card``: works from the publicity of their candidates on, government procurement from
the result notice on; means of the panel and the arithmetic of the price, never a single member's points; names of the
panel from the result on (rule P-44).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from flask import Response
from flask_babel import gettext as _

from evaluation.reporting import outcome_queries
from evaluation.reporting.outcome_queries import OutcomeCard
from evaluation.scoring import schemes
from trading.availability import deadline_faults
from trading.awarding import awards
from trading.disclosure import bundle, dossier
from trading.kernel.calendar import WorkingDayCalendar
from trading.kernel.clock import floor_second
from trading.kernel.errors import NotAllowed, NotFound
from trading.kernel.exact import written, written_exactly
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.procedures import procedure_of
from trading.reports.savings import rate_pct
from trading.rulebook import Rule, calendars
from trading.tendering import notices
from trading.tendering.notices import Notice
from trading.tendering.planning import book_of
from trading.tendering.tenders import Lot
from trading.views import lot_cards, public_queries
from trading.views.log_queries import entry_lines
from web import words
from web.desks.public import result_charts
from web.desks.public.words import attachment, csv_answer, lang, notice_facts, page
from web.http.gate import Desk, office, reading
from web.http.page_rules import ANYONE
from web.papers import bundles, printing, result_paper
from web.words import formatting

desk = Desk("results")
MOST_BARS = 8
GROUPS = ("objective", "subjective", "price")


@desk.page("/lots/<ref>/result", needs=ANYONE)
def result(ref: str) -> str:
    """Candidates or result as published, with the remedies and their last day."""
    with reading() as view:
        row = public_queries.published_lot(view, ref)
        told = public_queries.outcome(view, row)
        shown = told.result or told.candidates or told.failure
        card = lot_cards.card_of(view, row)
        scores = scores_of(view, row) if told.result or told.candidates else None
        ranked = ranking(shown.body) if shown else []
        listed = notices.of_lot(view.session, row)
        values = {
            "card": card,
            "told": told,
            "notice": shown,
            "rows": ranked,
            "scores": scores,
            "unopened": unopened(listed),
            "table": table(scores) if scores else None,
            "bars": bars(scores, ranked) if scores else [],
            "by_price": scores is not None and scores.by_price,
            "prices": result_charts.prices(
                [
                    (one["name"], one["price_minor"], one["won"])
                    for one in sorted(ranked, key=lambda one: one["price_minor"])
                ],
                ceiling=row.ceiling_minor,
                budget=row.budget_minor,
            )
            if told.result or told.candidates
            else None,
            "corrected": [
                one for one in listed if shown and one.kind == "correction" and one.published_at >= shown.published_at
            ],
            "earlier": [one for one in listed if shown and one.kind == shown.kind and one.id != shown.id],
            "suspended": deadline_faults.standing(view.session, row),
            "remedies": remedies(view, row, told),
            "sums": sums(view, told.reasons),
            "next": what_comes(view, row, told),
            "bundled": row.state in dossier.FINISHED,
            "successor": public_queries.successor(view, row),
            "deposits": book_of(row, view.now).find("D-24"),
            "entries": entry_lines(view, lot=ref, events=("ranking",), limit=1),
        }
    top = ranked[0] if ranked else None
    return page(
        "public/result.html",
        facts=notice_facts(shown.kind, shown.body, values["card"]) if shown else [],
        top=top,
        won=headline(card, ranked),
        why=why(scores) if scores else "",
        most_bars=MOST_BARS,
        can_set=printing.can_set(),
        **values,
    )


@desk.page("/lots/<ref>/result.csv", needs=ANYONE)
def points_csv(ref: str) -> Response:
    """The points shown: one row a criterion, one column a bidder; where a price ranks, one row a bidder."""
    with reading() as view:
        scores = scores_of(view, public_queries.published_lot(view, ref))
    if scores is None:
        raise NotFound("result.no_scores", ref=ref)
    told = table(scores)
    if scores.by_price:
        return csv_answer(f"{ref}-prices.csv", *prices_table(scores))
    rows = [
        [
            one["title"],
            words.state("criterion_kind", group["kind"], lang()).text,
            one["most"],
            *[cell["points"] for cell in one["cells"]],
        ]
        for group in told["groups"]
        for one in group["rows"]
    ]
    return csv_answer(
        f"{ref}-points.csv",
        [_("Criterion"), _("Kind"), _("Maximum points"), *[one["name"] for one in told["bidders"]]],
        [*rows, [_("Total"), "", told["most"], *[one["total"] for one in told["bidders"]]]],
    )


@desk.page("/lots/<ref>/report.pdf", needs=ANYONE)
def report(ref: str) -> Response:
    """The public copy of the evaluation report. Refuses: NotFound before it is public, or where there is none."""
    with reading() as view:
        row = public_queries.published_lot(view, ref)
        scores = scores_of(view, row)
        if scores is None:
            raise NotFound("result.no_scores", ref=ref)
        told, card = public_queries.outcome(view, row), lot_cards.card_of(view, row)
        shown = told.result or told.candidates  # some who look see the points earlier; this copy is that of the notice
        if shown is None:
            raise NotFound("result.no_scores", ref=ref)
        paper = result_paper.make(
            card, scores, table(scores), shown.published_at, unopened(notices.of_lot(view.session, row))
        )
    return printing.answer(paper, f"report-{ref}")


@desk.page("/lots/<ref>/bundle.zip", needs=ANYONE)
def bundle_file(ref: str) -> Response:
    """Everything public of a finished lot in one file, which ``bidhall verify`` checks without the platform. Taking it leaves no trace.

    Refuses: NotFound, WrongStep before the result, TooEarly while an entry waits for its tick."""
    with reading() as view:
        row = public_queries.published_lot(view, ref)
        files, name = bundles.files_of(view, row, "public"), row.log_of
    _index, pieces = bundle.prepared(files, profile="public", tender=name, signing=office().keys.signing)
    return attachment(pieces, f"{ref}.bundle.zip", "application/zip")


def early_report(view: View, lot: Lot) -> bytes:
    """The panel's report as a paper, as purchaser, agency and supervisor read it from the moment it is handed over. Refuses: NotFound
    ``result.no_scores``."""
    award, scores = awards.find(view.session, lot), scores_of(view, lot)
    if award is None or scores is None:
        raise NotFound("result.no_scores", ref=lot.ref)
    card, at = lot_cards.card_of(view, lot), floor_second(award.proposed_at)
    left_out = unopened(notices.of_lot(view.session, lot))
    return result_paper.make(card, scores, table(scores), at, left_out, title="评标报告", dated="收到报告")


# --- what is shown ----------------------------------------------------------------------------------------------------------------


def scores_of(view: View, row: Lot) -> OutcomeCard | None:
    """The points as far as the law opens them to whoever looks; None while they are closed or where the platform held no review."""
    try:
        return outcome_queries.outcome_card(view, row)
    except (NotFound, NotAllowed):
        return None


def ranking(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bidders a notice names, in its order."""
    rows = (
        body.get("ranking")
        or body.get("candidates")
        or ([body["winner"]] if isinstance(body.get("winner"), dict) else [])
    )
    winner = body.get("winner", {})
    return [dict(row) | {"won": isinstance(winner, dict) and row.get("bidder") == winner.get("bidder")} for row in rows]


def headline(card: lot_cards.LotCard, ranked: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The winner, or the first candidate, with what its price saves and how far the next one is."""
    first = next((one for one in ranked if one["won"]), ranked[0] if ranked else None)
    if first is None:
        return None
    price = Money(first["price_minor"], card.budget.currency)
    others = [one for one in ranked if one is not first]
    following = others[0] if others else None
    gap = (
        abs(Fraction(first["total"]) - Fraction(following["total"]))
        if following and first["total"] and following["total"]
        else None
    )
    return {
        "name": first["name"],
        "bidder": first["bidder"],
        "rank": first["rank"],
        "total": first["total"],
        "won": first["won"],
        "price": price,
        "saved": card.budget - price,
        "rate": rate_pct(card.budget.minor, price.minor),
        "next": following,
        "gap": written(gap) if gap is not None else "",
        **ranked_by(card, first),
    }


def ranked_by(card: lot_cards.LotCard, row: Mapping[str, Any]) -> dict[str, Any]:
    """What ranks, for whoever shows a row of a ranking: ``by_price``, and what that price is called."""
    method = schemes.method_of_lot(card)
    by_price = awards.by_price(row)
    return {"by_price": by_price, "price_name": method.price_name.text(lang()) if by_price and method else ""}


def prices_table(scores: OutcomeCard) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a ranking by price, a bidder a row, amounts as exact text."""
    reviewed, called = scores.declared.reviews_price, scores.declared.price_name.text(lang())
    head = [_("Rank"), _("Bidder"), _("Price (yuan)")]
    head += [_("Arithmetic correction"), _("Deviations priced"), called, _("Contract price")] if reviewed else [called]
    keys = ("arithmetic", "adjustment", "total", "corrected") if reviewed else ("total",)
    rows = [[str(one["rank"]), one["name"], one["quote"], *(one[key] for key in keys)] for one in scores.bids]
    return head, rows


def title_of(criterion: tuple[str, str, str, str]) -> str:
    return criterion[2] if lang() == "en" and criterion[2] else criterion[1]


def table(scores: OutcomeCard) -> dict[str, Any]:
    """Criteria by group against bidders in their rank; the best of each row marked, and what each group weighs."""
    most = {part["id"]: Fraction(part["max"]) for one in scores.bids for part in one["criteria"]}
    held = {one["bidder"]: {part["id"]: part for part in one["criteria"]} for one in scores.bids}
    groups = []
    for kind in GROUPS:
        rows = []
        for criterion in scores.criteria:
            if criterion[3] != kind or criterion[0] not in most:
                continue
            given = {bidder: Fraction(parts[criterion[0]]["points"]) for bidder, parts in held.items()}
            best = max(given.values()) if len(set(given.values())) > 1 else None
            rows.append(
                {
                    "id": criterion[0],
                    "title": title_of(criterion),
                    "most": written_exactly(most[criterion[0]], 0),
                    "cells": [
                        {
                            "points": written(given[one["bidder"]]),
                            "best": given[one["bidder"]] == best,
                            "line": held[one["bidder"]][criterion[0]].get("line", "") if kind == "price" else "",
                        }
                        for one in scores.bids
                    ],
                }
            )
        if rows:
            weight = sum((most[row["id"]] for row in rows), Fraction(0))
            groups.append({"kind": kind, "rows": rows, "most": written_exactly(weight, 0)})
    return {
        "groups": groups,
        "most": written_exactly(sum(most.values(), Fraction(0)), 0),
        "bidders": [
            {
                "name": one["name"],
                "bidder": one["bidder"],
                "rank": one["rank"],
                "total": one["total"],
                "quote": one["quote"],
            }
            for one in scores.bids
        ],
    }


def bars(scores: OutcomeCard, ranked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One stacked bar a bidder, in the order of rank."""
    winners = {one["bidder"] for one in ranked if one["won"]}
    found = []
    for one in scores.bids:
        parts: dict[str, Fraction] = {}
        most = Fraction(0)
        for part in one["criteria"]:
            parts[part["kind"]] = parts.get(part["kind"], Fraction(0)) + Fraction(part["points"])
            most += Fraction(part["max"])
        found.append(
            {
                "name": one["name"],
                "rank": one["rank"],
                "total": one["total"],
                "won": one["bidder"] in winners,
                "segments": result_charts.stacked(parts, most),
            }
        )
    return found


def why(scores: OutcomeCard) -> str:
    """In one sentence what set the first apart from the second."""
    if len(scores.bids) < 2:
        return ""
    first, second = scores.bids[0], scores.bids[1]
    if scores.by_price:
        called = scores.declared.price_name.text(lang())
        gap = Fraction(second["total"]) - Fraction(first["total"])
        if not gap:
            return _("%(price)s equal to the second", price=called)
        told = formatting.amount(written_exactly(gap))
        return _("%(price)s %(gap)s yuan below the second", price=called, gap=told)

    def price_and_rest(one: Mapping[str, Any]) -> tuple[Fraction, Fraction]:
        price = sum((Fraction(part["points"]) for part in one["criteria"] if part["kind"] == "price"), Fraction(0))
        return price, Fraction(one["total"]) - price

    (price, rest), (other_price, other_rest) = price_and_rest(first), price_and_rest(second)
    lowest = Fraction(first["quote"]) == min(Fraction(one["quote"]) for one in scores.bids)
    lead = _("the lowest price") if lowest else _("not the lowest price")
    if price >= other_price:
        told = _("%(n)s points more than the second for the price", n=written(price - other_price))
    else:
        told = _("%(n)s points fewer than the second for the price", n=written(other_price - price))
    if rest >= other_rest:
        beside = _("%(n)s more for the rest", n=written(rest - other_rest))
    else:
        beside = _("%(n)s fewer for the rest", n=written(other_rest - rest))
    comma = "，" if lang() == "zh" else ", "
    return comma.join((lead, told, beside))


def unopened(listed: Sequence[Notice]) -> list[dict[str, str]]:
    """Bids that were not opened, as the published record of the opening tells."""
    return [
        {"name": str(bid["bidder"]), "verdict": str(bid["verdict"])}
        for one in listed
        if one.kind == "opening_record"
        for bid in one.body.get("bids", [])
        if bid.get("verdict") != "opened"
    ]


# --- dates ------------------------------------------------------------------------------------------------------------------------


def remedies(view: View, row: Lot, told: public_queries.Outcome) -> list[dict[str, Any]]:
    """What whoever disagrees can do, in its order: each with its last moment if it is known, its rule, and whether it is over."""
    book, law = book_of(row, view.now), procedure_of(row)
    remedies, publicity, result = law.remedies, law.award.publicity, book.find(law.remedies.window("result").basis)
    shown = told.result or told.candidates
    found: list[dict[str, Any]] = []

    def add(what: str, rule: Rule | None, until: Any = None, reason: str = "") -> None:
        found.append(
            {
                "what": what,
                "rule": rule,
                "until": until,
                "over": until is not None and until <= view.now,
                "open": until is not None and until > view.now,
                "reason": reason,
            }
        )

    if told.failure and not shown:
        add(remedies.kind, result)
    elif publicity is not None:
        add(
            "publicity",
            book.find(publicity.lasts),
            told.candidates.until if told.candidates else None,
            "publicity_until",
        )
        add(remedies.kind, result, told.object_until, "publicity_until")
    else:
        add("period", book.find(law.award.shown or ""), told.result.until if told.result else None, "result_until")
        add(remedies.kind, result, told.object_until, "challenge_until")
    add("answer", book.find(remedies.answer))
    add("complaint", book.find(remedies.complaint))
    add("decision", book.find(remedies.complaint_decided))
    return found


def sums(view: View, reasons: Mapping[str, Any]) -> dict[str, str]:
    """The arithmetic of each stored date in words: ``2026-11-24 + 7 个工作日 = 2026-12-03（11-28、11-29 休息日不计）``."""
    calendar = calendars.current(view.session)
    return {
        name: sum_words(calendar, told) for name, told in reasons.items() if isinstance(told, Mapping) and "day" in told
    }


def sum_words(calendar: WorkingDayCalendar, told: Mapping[str, Any]) -> str:
    anchor, last = date.fromisoformat(told["anchor"]), date.fromisoformat(told["day"])
    unit = {"D": _("days"), "WD": _("working days"), "Y": _("years")}.get(told["unit"], told["unit"])
    text = _(
        "%(start)s + %(n)s %(unit)s = %(day)s",
        start=anchor.isoformat(),
        n=told["length"],
        unit=unit,
        day=last.isoformat(),
    )
    comma = "、" if lang() == "zh" else ", "
    if told.get("rolled_from"):
        return text + _(" (%(day)s is a day of rest: the next working day)", day=str(told["rolled_from"])[5:])
    if told["unit"] == "WD":
        rest = [
            day
            for n in range(1, (last - anchor).days)
            if not calendar.is_working_day(day := anchor + timedelta(days=n))
        ]
        if rest:
            return text + _(" (not counted: %(days)s)", days=comma.join(f"{day:%m-%d}" for day in rest))
    return text


def what_comes(view: View, row: Lot, told: public_queries.Outcome) -> list[dict[str, Any]]:
    """The duties that follow a result, each with its last moment where that is known and its rule."""
    found: list[dict[str, Any]] = []
    book, law = book_of(row, view.now), procedure_of(row).contract
    if told.result is not None:
        found.append(
            {
                "what": "contract",
                "until": told.contract_by,
                "reason": "contract_by",
                "rule": book.find(law.sign),
                "done": told.signed_at,
            }
        )
        found.append(
            {
                "what": "contract_notice",
                "until": None,
                "reason": "",
                "rule": book.find(law.publish or ""),
                "done": told.contract.published_at if told.contract else None,
            }
        )
    elif told.candidates is not None:
        found.append({"what": "award", "until": None, "reason": "", "rule": None, "done": None})
    return found
