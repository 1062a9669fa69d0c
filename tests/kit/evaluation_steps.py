"""From an opened lot to the conclusion of its evaluation, by the acts of the product and with the members' own keys.

library(world)                                    # twelve experts, E001 to E012
ref = evaluated(world, "GP")                      # opened, reviewed, scored, concluded: the award is proposed
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from crypto.canonical import b64u, format_time
from crypto.draws import score_commit
from crypto.signatures import countersign, sign
from evaluation.methods.inputs import Criterion, Scheme
from evaluation.panels import experts, panels, seating
from evaluation.panels.panels import Panel, Seat
from evaluation.reporting import conclusion, report
from evaluation.scoring import price_review, reviews, schemes, sheets
from tests.kit import kept, opening_steps, sealing
from tests.kit.methods import law_of
from tests.kit.opening_steps import turn
from tests.kit.schemes import scheme_of
from tests.kit.world import PASSWORD, SETUP, World, password_hash
from trading.awarding import awards
from trading.custody import officers
from trading.kernel.access import Role
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony
from trading.parties import parties

SPECIALTY = "A0201"
"""A code of the expert library."""


def expert_name(number: int) -> str:
    return f"expert{number:02d}"


@kept.act
def library(
    world: World, count: int = 12, *, specialty: str = SPECIALTY, ties: Mapping[int, list[dict[str, Any]]] | None = None
) -> None:
    """Experts E001 … with accounts ``expert01`` …, each with a key. ``ties``: number → ties to register."""
    with world.office.work(SETUP) as work:
        for number in range(1, count + 1):
            party = parties.register(work, code=f"PERSON{number:03d}", name=f"专家{number}", kind="expert")
            who = parties.invite(
                work,
                party,
                username=expert_name(number),
                name=f"专家{number}",
                password=PASSWORD,
                hashed=password_hash(),
                roles=[Role.EXPERT],
            )
            world.people[expert_name(number)] = who.id
    with world.work("clerk") as work:
        for number in range(1, count + 1):
            account = parties.account(work.session, world.people[expert_name(number)])
            experts.register(
                work,
                account,
                code=f"E{number:03d}",
                unit=f"第{number}研究院",
                specialties=[specialty],
                region="130200",
                ties=(ties or {}).get(number, ()),
            )
    for number in range(1, count + 1):
        world.enrol(expert_name(number), "expert", seal=False)


def representative(world: World, username: str = "delegate") -> None:
    """A person of the purchaser who may sit on panels."""
    with world.office.work(SETUP) as work:
        party = parties.party(work.session, world.party_ids["purchaser"])
        who = parties.invite(
            work,
            party,
            username=username,
            name="采购人代表",
            password=PASSWORD,
            hashed=password_hash(),
            roles=[Role.EXPERT],
        )
        world.people[username] = who.id
    world.enrol(username, "expert", seal=False)


@kept.act
def published(world: World, regime: str = "GP", scheme: dict[str, Any] | None = None, **changes: Any) -> str:
    """A lot open for bids under a validated scheme."""
    ref = world.lot("READY", regime, **({"deposit": Money.zero("CNY")} | changes))
    with world.work("agent") as work:
        schemes.set_scheme(work, world.lot_in(work, ref), scheme or scheme_of(regime))
    world.publish(ref)
    world.issue(ref)
    return ref


@kept.act
def opened(
    world: World,
    regime: str = "GP",
    *,
    scheme: dict[str, Any] | None = None,
    forms: Mapping[str, dict[str, str]] | None = None,
    **changes: Any,
) -> str:
    """A published lot whose opening is over; of two envelopes, that of the technical ones."""
    return opening_steps.open_lot(world, regime, ref=published(world, regime, scheme, **changes), forms=forms)


# --- qualification and panel ------------------------------------------------------------------------------------------------------


def qualify(world: World, ref: str, *, reject: tuple[str, ...] = ()) -> bool:
    """The purchaser finds every opened bid qualified but those of the named bidders."""
    with world.work("buyer") as work:
        lot = world.lot_in(work, ref)
        for bid in ceremony.opened_of_lot(work.session, lot):
            bad = any(bid.party_id == world.party_ids[name] for name in reject)
            reviews.review_qualification(
                work, lot, bid.id, ok=not bad, clause="二、1" if bad else "", reason="缺少资格证明" if bad else ""
            )
        return reviews.finish_qualification(work, lot)


def panel_in(work: View, world: World, ref: str) -> Panel:
    return panels.panel(work.session, world.lot_in(work, ref))


def ask(world: World, ref: str, *, members: int = 5, drawn: int | None = None, **how: Any) -> None:
    """The centre asks for a panel and the draw is announced."""
    with world.work("clerk") as work:
        panels.request(
            work,
            world.lot_in(work, ref),
            members=members,
            experts_wanted=drawn,
            specialties=[SPECIALTY],
            starts_at=world.now,
            place="第二评标室",
            **how,
        )


def draw_panel(world: World, ref: str) -> None:
    """The draw is played and the drawn are called."""
    opening_steps.play_draw(world, ref, "experts", hosted_by="clerk")
    with world.work("clerk") as work:
        panels.call(work, panel_in(work, world, ref))


def usernames(world: World, ref: str, *states: str) -> dict[int, str]:
    """place → username of those who hold a place, in the states named (all in play if none)."""
    with world.view("clock") as view:
        held = panels.in_play(panel_in(view, world, ref))
        return {seat.no: seat.account.username for seat in held if not states or seat.state in states}


def accept_all(world: World, ref: str) -> None:
    for username in usernames(world, ref, "called").values():
        with world.work(username) as work:
            panels.answer(work, panel_in(work, world, ref), accept=True, no_conflict=True)


def convene(world: World, ref: str) -> None:
    with world.work("clerk") as work:
        seating.convene(work, panel_in(work, world, ref))


def elect(world: World, ref: str, no: int = 0) -> str:
    """Everybody votes for one place (the last, by default); returns the chair's username."""
    members = usernames(world, ref, "seated")
    chosen = no or max(members)
    for username in members.values():
        with world.work(username) as work:
            seating.vote_chair(work, panel_in(work, world, ref), chosen)
    return members[chosen]


def seated(world: World, ref: str, **how: Any) -> str:
    """Request, draw, answers, convening, chair; returns the chair's username."""
    ask(world, ref, **how)
    draw_panel(world, ref)
    accept_all(world, ref)
    convene(world, ref)
    return elect(world, ref)


def chair_of(world: World, ref: str) -> str:
    with world.view("clock") as view:
        found = panels.find_chair(panel_in(view, world, ref))
        assert found is not None
        return found.account.username


def conform(
    world: World,
    ref: str,
    *,
    reject: tuple[str, ...] = (),
    amounts: Mapping[str, tuple[int, int]] | None = None,
    competes: bool = True,
) -> None:
    """The chair records the panel's vote on every qualified bid. ``amounts``: username → what the panel changes of its price, in fen.
    ``competes``: the panel then says, where it must, that competition is left among few."""
    changed = {world.party_ids[name]: reviews.Amounts(*given) for name, given in (amounts or {}).items()}
    with world.work(chair_of(world, ref)) as work:
        panel = panel_in(work, world, ref)
        for bid in reviews.qualified(work.session, panel.lot):
            bad = any(bid.party_id == world.party_ids[name] for name in reject)
            mine = changed.get(bid.party_id, reviews.NOTHING)
            reviews.find_conformity(
                work,
                panel,
                bid.id,
                votes_for=1 if bad else panel.members,
                clause="三、2" if bad or mine else "",
                reason="未响应实质性要求" if bad else "清单合计有误，投标人已书面确认；付款提前" if mine else "",
                amounts=mine,
            )
        if competes and reviews.wants_word(work.session, panel):
            reviews.judge_competition(work, panel, votes_for=panel.members, reason="报价差距合理，仍有竞争")


# --- sheets -----------------------------------------------------------------------------------------------------------------------


def default_score(scheme: Scheme, seat_no: int, place: int, criterion: Criterion) -> str:
    """Objective: the best band, or the maximum; subjective: some 70 to 85 percent, less for each later bid, by member and bid."""
    if criterion.kind == "objective":
        return str(int(criterion.max))
    return f"{max(0, int(criterion.max) * 7 // 10 + seat_no % 3 + 2 - place)}.50"


def sheet_of(
    world: World, ref: str, username: str, scores: Mapping[tuple[str, str], str] | None = None
) -> dict[str, Any]:
    """A member's sheet; ``scores``: (name of the bid, criterion) → points where they differ from the default."""
    with world.view(username) as view:
        panel = panel_in(view, world, ref)
        seat, scheme = panels.own_seat(view, panel), schemes.of_lot(panel.lot)
        named = list(sheets.names_of(view.session, panel))
        return sheets.sheet_document(
            panel,
            seat,
            {
                name: [
                    {
                        "id": one.id,
                        "score": (scores or {}).get((name, one.id), default_score(scheme, seat.no, place, one)),
                        "reason": "" if one.kind == "objective" else "方案完整、可行",
                    }
                    for one in scheme.scored
                ]
                for place, name in enumerate(named)
            },
        )


class Scored:
    """What a member keeps on its own machine until the reveal: sheet and salt."""

    def __init__(self, sheet: dict[str, Any]) -> None:
        self.sheet, self.salt = sheet, secrets.token_bytes(32)

    @property
    def commit(self) -> bytes:
        return score_commit(self.salt, self.sheet)


def commit_sheet(world: World, ref: str, username: str, kept: Scored, *, reason: str = "") -> None:
    with world.work(username) as work:
        panel = panel_in(work, world, ref)
        seat: Seat = panels.own_seat(work, panel)
        document = sheets.commit_document(panel, seat, commit=kept.commit, at=format_time(work.now), reason=reason)
        sheets.commit(work, panel, sign("sheet-commit", document, world.keys[username].sign))


def commit_all(
    world: World, ref: str, scores: Mapping[str, Mapping[tuple[str, str], str]] | None = None, *, reason: str = ""
) -> dict[str, Scored]:
    """username → what the member keeps. ``scores``: username → its differing points."""
    kept = {
        name: Scored(sheet_of(world, ref, name, (scores or {}).get(name)))
        for name in usernames(world, ref, "seated").values()
    }
    for username, one in kept.items():
        commit_sheet(world, ref, username, one, reason=reason)
    return kept


def list_all(world: World, ref: str) -> None:
    """The commitments are sealed, listed, and signed by every member; the list is sealed too."""
    turn(world)
    names = list(usernames(world, ref, "seated").values())
    for username in names:
        with world.work(username) as work:
            panel = panel_in(work, world, ref)
            row = sheets.list_commits(work, panel)
            sheets.sign_list(work, panel, countersign(row.listing, world.keys[username].sign))
    turn(world)


def reveal_sheet(world: World, ref: str, username: str, kept: Scored) -> None:
    with world.work(username) as work:
        sheets.reveal(
            work, panel_in(work, world, ref), sign("sheet", kept.sheet, world.keys[username].sign), salt=b64u(kept.salt)
        )


def score(
    world: World, ref: str, scores: Mapping[str, Mapping[tuple[str, str], str]] | None = None, *, reason: str = ""
) -> None:
    """Everybody commits, signs the list and reveals."""
    kept = commit_all(world, ref, scores, reason=reason)
    list_all(world, ref)
    for username, one in kept.items():
        reveal_sheet(world, ref, username, one)


# --- report and conclusion --------------------------------------------------------------------------------------------------------


def draw_up(world: World, ref: str, *, tie_break: tuple[str, ...] = ()) -> dict[str, Any]:
    """The chair has the report drawn up; its facts."""
    with world.work(chair_of(world, ref)) as work:
        return report.draw_up(work, panel_in(work, world, ref), tie_break=tie_break).facts


def sign_report(world: World, ref: str, username: str, *, dissent: str = "") -> None:
    with world.work(username) as work:
        panel = panel_in(work, world, ref)
        row = report.report(work.session, panel)
        document = report.signature_document(row, panels.own_seat(work, panel), at=report.at(work), dissent=dissent)
        report.sign(work, row, sign(report.SIGNATURE, document, world.keys[username].sign))


def fix_technical(world: World, ref: str) -> None:
    """The chair fixes the technical result of two envelopes."""
    with world.work(chair_of(world, ref)) as work:
        conclusion.fix_technical(work, world.lot_in(work, ref))


def open_prices(world: World, ref: str) -> None:
    """The price envelopes are opened in a ceremony of their own."""
    sealing.list_set(world, ref, officers.PRICE)
    opening_steps.open_set(world, ref, part=officers.PRICE)


def conform_prices(world: World, ref: str, *, reject: tuple[str, ...] = ()) -> None:
    """The panel finds every opened price in order but those of the named bidders."""
    with world.work(chair_of(world, ref)) as work:
        panel = panel_in(work, world, ref)
        for bid in price_review.waiting(work.session, panel):
            bad = any(bid.party_id == world.party_ids[name] for name in reject)
            price_review.find_price(
                work,
                panel,
                bid.id,
                votes_for=1 if bad else panel.members,
                clause="三、5" if bad else "",
                reason="报价超过最高限价" if bad else "",
            )


def conclude(world: World, ref: str, **how: Any) -> awards.Award:
    with world.work(chair_of(world, ref)) as work:
        return conclusion.conclude(work, world.lot_in(work, ref), **how)


@kept.act
def scored(
    world: World,
    regime: str = "GP",
    *,
    scheme: dict[str, Any] | None = None,
    forms: Mapping[str, dict[str, str]] | None = None,
    scores: Mapping[str, Mapping[tuple[str, str], str]] | None = None,
    panel: Mapping[str, Any] | None = None,
    amounts: Mapping[str, tuple[int, int]] | None = None,
    **changes: Any,
) -> str:
    """A lot whose sheets are revealed, or whose bids are all found on where nothing is scored. The library must be there."""
    ref = opened(world, regime, scheme=scheme, forms=forms, **changes)
    score_opened(world, ref, regime, scheme=scheme, scores=scores, panel=panel, amounts=amounts)
    return ref


def score_opened(
    world: World,
    ref: str,
    regime: str = "GP",
    *,
    scheme: dict[str, Any] | None = None,
    scores: Mapping[str, Mapping[tuple[str, str], str]] | None = None,
    panel: Mapping[str, Any] | None = None,
    amounts: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """From the opening to revealed sheets."""
    if law_of(regime).qualifies:
        qualify(world, ref)
    told = schemes.read(scheme or scheme_of(regime))
    if told.draws_coefficient:
        opening_steps.draw_coefficient(world, ref)
    seated(world, ref, **(panel or {}))
    conform(world, ref, amounts=amounts)
    if told.scored:
        score(world, ref, scores)


def report_and_conclude(world: World, ref: str) -> None:
    """From revealed sheets to the proposed award: the report drawn up, signed by every member, and the conclusion."""
    draw_up(world, ref)
    for username in usernames(world, ref, "seated").values():
        sign_report(world, ref, username)
    conclude(world, ref)


@kept.act
def evaluated(world: World, regime: str = "GP", **how: Any) -> str:
    """A lot whose award is proposed: everything up to the conclusion, signed by every member."""
    ref = scored(world, regime, **how)
    if how.get("two_envelopes"):
        fix_technical(world, ref)
        open_prices(world, ref)
        conform_prices(world, ref)
    report_and_conclude(world, ref)
    return ref
