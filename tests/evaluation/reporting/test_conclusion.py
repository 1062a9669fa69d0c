"""Report and conclusion: signed by all or told why not, recomputed before it is handed down, the same for ever after."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import pytest

from crypto.canonical import dumps, loads
from crypto.keys import new_secret
from crypto.signatures import document_hash, sign
from evaluation.methods.inputs import Inputs
from evaluation.panels import panels
from evaluation.reporting import conclusion, dossier, outcome_queries, prompts, queries, report
from evaluation.scoring import outcome, schemes, sheets
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps
from tests.kit.evaluation_steps import panel_in
from tests.kit.opening_steps import form
from tests.kit.schemes import SCHEMES
from tests.kit.world import SETUP, World
from trading import draws
from trading.awarding import awards
from trading.kernel.audit import document
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, WrongStep


def names(world: World, ref: str) -> list[str]:
    with world.view("clock") as view:
        return list(sheets.names_of(view.session, panel_in(view, world, ref)))


def sign_all(world: World, ref: str) -> None:
    for username in steps.usernames(world, ref, "seated").values():
        steps.sign_report(world, ref, username)


@pytest.mark.parametrize("regime", ["GP", "WORKS"])
def test_a_whole_evaluation_ends_in_the_proposed_award(world: World, regime: str) -> None:
    ref = steps.evaluated(world, regime)
    with world.view("clock") as view:
        other, panel_id = "WORKS" if regime == "GP" else "GP", panel_in(view, world, ref).id
        share, later = Fraction(3, 10), view.now + 2 * prompts.SPAN
        asked = [(regime, share, view.now), (other, share, view.now), (regime, share, later)]
        rates = [prompts.elsewhere(view.session, *one) for one in asked]
        assert rates == [prompts.Rate(0, 15, 1), prompts.Rate(0, 0, 0), prompts.Rate(0, 0, 0)]
        assert prompts.elsewhere(view.session, regime, share, view.now, but=panel_id).lots == 0
        lot = world.lot_in(view, ref)
        panel, award = panels.panel(view.session, lot), awards.award(view.session, lot)
        row = report.report(view.session, panel)
        assert (lot.state, panel.state) == ("REPORT", "CONCLUDED")
        assert [one["rank"] for one in award.ranking] == [1, 2, 3] and award.ranking[0]["price_minor"] == 270_000_000
        assert award.ranking[0]["bidder"] == row.facts["bids"][0]["bidder"] and award.report == row.blob
        assert b"".join(view.office.blobs.read(row.blob)) == dumps(row.facts) and document_hash(row.facts) == row.hash
        told = loads(dumps(document(view.session, award.ranking_hash) and row.facts))
        assert told["rules"] == schemes.rules_hash(lot.scheme or {})
        again = conclusion.recompute(view.session, lot)
        assert again["same"] and again["facts"] == row.facts
        if regime == "WORKS":
            drawn = draws.draw(view.session, lot, "k")
            assert row.facts["price"]["coefficient"] == drawn.pool[draws.picks(drawn)[0]]


def test_recomputing_finds_a_report_that_was_tampered_with(world: World) -> None:
    ref = steps.scored(world)
    steps.draw_up(world, ref)
    with world.work(steps.chair_of(world, ref)) as work:
        row = report.report(work.session, panel_in(work, world, ref))
        facts = copy.deepcopy(row.facts)
        facts["bids"][0]["total"], facts["bids"][1]["rank"] = "99.99", 3
        row.facts = facts
        work.session.flush()
        found = conclusion.recompute(work.session, world.lot_in(work, ref))
        assert not found["same"] and found["differences"] == ["bids.0.total", "bids.1.rank"]
    sign_all(world, ref)
    with pytest.raises(Conflict, match="report.differs"):
        steps.conclude(world, ref)
    with world.view("clock") as view:
        assert (
            world.lot_in(view, ref).state == "EVALUATION" and awards.find(view.session, world.lot_in(view, ref)) is None
        )


@pytest.mark.rule("E-02", "E-05", "E-30", "E-04")
def test_outside_code_gets_the_same_ranking_from_the_bundle_alone(world: World) -> None:
    """From the signed sheets, salts, announced prices and scheme, with no table of ours."""
    ref = steps.evaluated(
        world,
        forms={
            "bidder1": form(price="2700000.00"),
            "bidder2": form(price="2650000.00"),
            "bidder3": form(price="2800000.00"),
        },
    )
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        found = dossier.records(view.session, lot)
        scheme, award = lot.scheme or {}, awards.award(view.session, lot)
        signed = {
            one["sheet"]: loads(bytes_of(document(view.session, one["sheet"])))
            for one in found["sheets/salts.json"]["sheets"]
        }
        prices = {one["bidder"]: one["quote"] for one in found["ranking/report.json"]["bids"]}
    lowest = min(Fraction(price) for price in prices.values())
    totals = {}
    for bidder, price in prices.items():
        given = [
            {
                item["id"]: Fraction(item["score"])
                for bid in sheet["bids"]
                if bid["bidder"] == bidder
                for item in bid["items"]
            }
            for sheet in signed.values()
        ]
        plan = sum((one["plan"] for one in given), Fraction(0)) / len(given)
        points = lowest / Fraction(price) * 40
        totals[bidder] = half_up(plan) + given[0]["warranty"] + half_up(points)
    assert scheme["criteria"][0]["max"] == "40"
    assert [(one["bidder"], Fraction(one["total"])) for one in award.ranking] == sorted(
        totals.items(), key=lambda pair: -pair[1]
    )


def half_up(value: Fraction) -> Fraction:
    return Fraction(int(value * 100 + Fraction(1, 2)), 100)


def bytes_of(envelope: dict[str, Any]) -> bytes:
    import base64

    return base64.b64decode(envelope["payload"])


def test_the_records_open_the_commitments(world: World) -> None:
    from crypto import draws as rules
    from crypto.canonical import unb64u

    ref = steps.evaluated(world)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        found = dossier.records(view.session, lot)
        for one in found["sheets/salts.json"]["sheets"]:
            told = loads(bytes_of(document(view.session, one["sheet"])))
            commit = loads(bytes_of(document(view.session, one["commit"])))
            rules.check_sheet(told, unb64u(one["salt"], 32), unb64u(commit["commit"], 32))
        assert len(found["sheets/panel.json"]["seats"]) == 5 and found["ranking/report.json"]["bids"][0]["rank"] == 1
        for value in found.values():
            dumps(value)
        public = {file.path for file in dossier.extra(view, lot, "public").files}
        assert "sheets/panel.json" not in public and "sheets/salts.json" in public
        assert len([path for path in public if path.startswith("ranking/signature.")]) == 5


@pytest.mark.rule("E-01e", "E-32", "E-38")
def test_objective_points_that_differ_block_the_report(world: World) -> None:
    ref = steps.opened(world)
    steps.qualify(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref)
    seats = steps.usernames(world, ref)
    one, two, bidder = seats[2], seats[4], names(world, ref)[0]
    steps.score(world, ref, {one: {(bidder, "warranty"): "10"}, two: {(bidder, "plan"): "5.00"}})
    with world.view(one) as view:
        told = prompts.of_panel(view, panel_in(view, world, ref))
        assert [(item.kind, item.bidder, item.criterion, item.seat) for item in told.found] == [
            ("far", bidder, "plan", 4)
        ]
        assert (
            told.found[0].flag is not None and told.found[0].flag.effect is None
        )  # objective points differ: no ranking yet
        assert (
            (told.here.flagged, told.here.cells) == (1, 15)
            and told.elsewhere.percent is None
            and told.threshold == Fraction("0.3")
        )
    with pytest.raises(Invalid, match="report.objective_differs"):
        steps.draw_up(world, ref)
    with world.view(one) as view:
        differing = [cell for cell in queries.room(view, world.lot_in(view, ref)).cells if cell.differs]
        assert [(cell.bid, cell.criterion) for cell in differing] == [(bidder, "warranty")]
    chair = steps.chair_of(world, ref)
    other = next(name for name in seats.values() if name != chair)
    for name, due in ((chair, "recheck"), (other, "wait_recheck")):  # not the report, which cannot be
        with world.view(name) as view:
            assert queries.room(view, world.lot_in(view, ref)).next_step == due
    with world.work(chair) as work:
        sheets.recheck(work, panel_in(work, world, ref), ground="objective_differs", reason="质保期评分不一致")
    steps.score(world, ref, reason="改正质保期得分")
    assert steps.draw_up(world, ref)["recheck"] == "质保期评分不一致"
    with world.view(one) as view:
        told = prompts.of_panel(view, panel_in(view, world, ref))
        mended = {(item.kind, item.seat): item for item in told.found}
        assert set(mended) == {("far", 4), ("objective", 2)} and {item.decided for item in told.found} == {"changed"}
        item = mended["objective", 2]
        assert item.why == "改正质保期得分" and (item.points, item.now) == (Fraction(10), Fraction(20))


@pytest.mark.rule("E-38")
def test_a_prompt_tells_whether_the_rank_changes_and_what_its_seat_decided(world: World) -> None:
    ref = steps.opened(world)
    steps.qualify(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref)
    far, bidder = steps.usernames(world, ref)[4], names(world, ref)[0]
    steps.score(world, ref, {far: {(bidder, "plan"): "5.00"}})
    with world.view(far) as view:
        seen = prompts.of_panel(view, panel_in(view, world, ref))
    (told,) = seen.found
    assert seen.elsewhere == prompts.Rate(0, 0, 0) and seen.here == prompts.Rate(1, 15, 1)
    assert told.decided == "" and told.flag is not None and told.flag.effect is not None
    assert told.flag.effect.total < told.flag.effect.total_then and told.flag.effect.rank >= told.flag.effect.rank_then
    steps.draw_up(world, ref)
    steps.sign_report(world, ref, far, dissent="维持原分")
    with world.view(far) as view:
        (told,) = prompts.of_panel(view, panel_in(view, world, ref)).found
    assert (told.decided, told.why) == ("dissented", "维持原分") and told.at is not None


@pytest.mark.rule("E-06")
def test_a_deduction_needs_the_declaration_and_the_register(world: World) -> None:
    from trading.parties import parties

    forms = {name: form(price="2700000.00", small_firm="yes" if name != "bidder3" else "no") for name in world.bidders}
    with world.office.work(SETUP) as work:
        for short in ("bidder1", "bidder3"):
            parties.party(work.session, world.party_ids[short]).small = True
    ref = steps.evaluated(world, forms=forms)
    with world.view("clock") as view:
        facts = report.report(view.session, panel_in(view, world, ref)).facts
        small = {one["name"]: one["small"] for one in facts["bids"]}
        codes = {short: parties.party(view.session, world.party_ids[short]).name for short in world.bidders}
    assert small == {codes["bidder1"]: True, codes["bidder2"]: False, codes["bidder3"]: False}
    assert facts["price"]["benchmark"] == "2430000.00"


@pytest.mark.rule("P-43")
def test_everybody_signs_or_says_why_not(world: World) -> None:
    ref = steps.scored(world)
    with world.work(steps.chair_of(world, ref)) as work, pytest.raises(NotFound, match="report.not_yet"):
        conclusion.conclude(work, world.lot_in(work, ref))
    steps.draw_up(world, ref)
    chair = steps.chair_of(world, ref)
    others = [name for name in steps.usernames(world, ref).values() if name != chair]
    with world.work(others[0]) as work, pytest.raises(NotAllowed, match="panel.not_chair"):
        conclusion.conclude(work, world.lot_in(work, ref))
    steps.sign_report(world, ref, chair)
    with pytest.raises(Conflict, match="report.signed"):
        steps.sign_report(world, ref, chair)
    with pytest.raises(Conflict, match="report.signed_already"):
        steps.draw_up(world, ref)
    steps.sign_report(world, ref, others[0], dissent="对投标单位2的技术评分有异议")
    for name in others[1:3]:
        steps.sign_report(world, ref, name)
    with pytest.raises(TooEarly, match="report.unsigned") as refusal:
        steps.conclude(world, ref)
    silent = refusal.value.facts["places"]
    assert len(silent) == 1
    with pytest.raises(Invalid, match="report.note_missing"):
        steps.conclude(world, ref, refusals={silent[0]: " "})
    steps.conclude(world, ref, refusals={silent[0]: "拒绝签字且不陈述理由"})
    with world.view("buyer") as view:
        card = outcome_queries.outcome_card(view, world.lot_in(view, ref))
    assert [words for _, words in card.dissents] == ["对投标单位2的技术评分有异议"] and card.same and card.members == ()


def test_a_signature_is_on_this_report_by_this_member(world: World) -> None:
    ref = steps.scored(world)
    steps.draw_up(world, ref)
    one, other = list(steps.usernames(world, ref).values())[:2]

    def attempt(changes: dict[str, str], key: bytes) -> str:
        with pytest.raises(Invalid, match="report.bad_signature") as refusal, world.work(one) as work:
            panel = panel_in(work, world, ref)
            row = report.report(work.session, panel)
            told = report.signature_document(row, panels.own_seat(work, panel), at=report.at(work))
            report.sign(work, row, sign(report.SIGNATURE, told | changes, key))
        return str(refusal.value.facts["reason"])

    own = world.keys[one].sign
    assert attempt({"report": document_hash({"v": 1})}, own) == "CONTEXT_MISMATCH"
    assert attempt({"expert": other}, own) == "CONTEXT_MISMATCH"
    assert attempt({"more": "x"}, own) == "JSON_PROFILE"
    assert attempt({}, world.keys[other].sign) == "SIG"
    assert attempt({}, new_secret()) == "SIG"


@pytest.mark.rule("E-32")
def test_a_recheck_makes_the_signed_report_old(world: World) -> None:
    ref = steps.scored(world)
    steps.draw_up(world, ref)
    chair = steps.chair_of(world, ref)
    steps.sign_report(world, ref, chair)
    with world.work(chair) as work:
        old = report.report(work.session, panel_in(work, world, ref)).id
        sheets.recheck(work, panel_in(work, world, ref), ground="abnormal", reason="畸高")
    with world.work(chair) as work, pytest.raises(NotFound, match="report.not_yet"):
        conclusion.conclude(work, world.lot_in(work, ref))
    with world.work(chair) as work, pytest.raises(Conflict, match="report.old"):
        report.sign(work, work.session.get_one(report.Report, old), {})


@pytest.mark.rule("E-07")
def test_a_tie_is_shown_or_broken_as_the_scheme_says(world: World) -> None:
    forms = {name: form(price="2700000.00") for name in world.bidders}
    ref = steps.opened(world, forms=forms)
    steps.qualify(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref)
    given = {
        name: {(bidder, "plan"): "30.00" for bidder in names(world, ref)}
        for name in steps.usernames(world, ref).values()
    }
    steps.score(world, ref, given)
    codes = names(world, ref)
    assert steps.draw_up(world, ref)["ties"] == [codes]
    with pytest.raises(WrongStep, match="report.tie_open"):  # after the report nobody could settle it
        sign_all(world, ref)
    with pytest.raises(Invalid, match="report.tie_names"):
        steps.draw_up(world, ref, tie_break=("X",))
    facts = steps.draw_up(world, ref, tie_break=(codes[2], codes[0]))
    assert [(one["bidder"], one["rank"]) for one in facts["bids"]] == [(codes[2], 1), (codes[0], 2), (codes[1], 3)]
    sign_all(world, ref)
    award = steps.conclude(world, ref)
    assert award.ranking[0]["bidder"] == codes[2]


@pytest.mark.rule("E-07")
def test_a_tie_left_to_a_draw_takes_the_order_drawn_in_the_room(world: World) -> None:
    forms = {name: form(price="2700000.00") for name in world.bidders}
    ref = steps.opened(world, scheme=SCHEMES["GP"] | {"tie": "draw"}, forms=forms)
    steps.qualify(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref)
    codes = names(world, ref)
    same = {(bidder, "plan"): "30.00" for bidder in codes}
    steps.score(world, ref, dict.fromkeys(steps.usernames(world, ref).values(), same))
    assert steps.draw_up(world, ref)["ties"] == [codes]
    facts = steps.draw_up(world, ref, tie_break=tuple(reversed(codes)))
    assert [one["bidder"] for one in facts["bids"]] == list(reversed(codes)) and not facts["ties"]
    sign_all(world, ref)
    assert [one["rank"] for one in steps.conclude(world, ref).ranking] == [1, 2, 3]


def test_a_tie_left_to_the_purchaser_is_not_the_panels_to_break(world: World) -> None:
    ref = steps.scored(world, scheme=SCHEMES["GP"] | {"tie": "purchaser"})
    with pytest.raises(Invalid, match="report.tie"):
        steps.draw_up(world, ref, tie_break=tuple(names(world, ref)[:2]))


def test_works_wait_for_the_drawn_coefficient(world: World) -> None:
    ref = steps.opened(world, "WORKS")
    steps.seated(world, ref)
    steps.conform(world, ref)
    steps.score(world, ref)
    with pytest.raises(NotFound, match="draw.unknown"):
        steps.draw_up(world, ref)
    value = opening_steps.draw_coefficient(world, ref)
    assert steps.draw_up(world, ref)["price"]["coefficient"] == value


@pytest.mark.rule("E-24")
def test_a_rejected_bid_is_in_the_report_with_vote_and_clause(world: World) -> None:
    world_forms = {name: form(price=f"27{at}0000.00") for at, name in enumerate(world.bidders)}
    ref = steps.opened(
        world,
        "WORKS",
        forms={name: opening_steps.form("WORKS", price=one["price"]) for name, one in world_forms.items()},
    )
    opening_steps.draw_coefficient(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref, reject=("bidder2",))
    steps.score(world, ref)
    facts = steps.draw_up(world, ref)
    assert len(facts["bids"]) == 2
    assert {key: facts["rejected"][0][key] for key in ("stage", "clause", "votes_for", "votes_against")} == {
        "stage": "conformity",
        "clause": "三、2",
        "votes_for": 1,
        "votes_against": 4,
    }


@pytest.mark.rule("9.1.scores", "9.2.losers", "P-44")
def test_the_outcome_shows_itself_step_by_step(world: World) -> None:
    ref = steps.scored(world)
    steps.draw_up(world, ref)
    with world.view("buyer") as view, pytest.raises(NotAllowed, match="outcome.not_yet"):
        outcome_queries.outcome_card(view, world.lot_in(view, ref))
    sign_all(world, ref)
    steps.conclude(world, ref)
    for username in ("buyer", "agent", "clerk", "watch"):
        with world.view(username) as view:
            assert len(outcome_queries.outcome_card(view, world.lot_in(view, ref)).bids) == 3
    for username in ("bidder1", "agent2", "clock"):
        with world.view(username) as view, pytest.raises(NotAllowed, match="outcome.not_yet"):
            outcome_queries.outcome_card(view, world.lot_in(view, ref))
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))
    with world.work("agent") as work:
        awards.announce(work, world.lot_in(work, ref))
    with world.view("bidder2") as view:
        card = outcome_queries.outcome_card(view, world.lot_in(view, ref))
    assert card.own is not None and card.own["name"] == "投标单位2有限公司"
    assert len(card.members) == 5 and all(name.startswith("专家") for _, name, _ in card.members)
    assert all(
        "given" not in part for one in card.bids for part in one["criteria"]
    )  # single members' points are not for the public
    with world.work(steps.chair_of(world, ref)) as work, pytest.raises(WrongStep):
        conclusion.conclude(work, world.lot_in(work, ref))


def test_the_order_in_which_rows_are_read_changes_nothing(world: World) -> None:
    ref = steps.evaluated(world)
    with world.view("clock") as view:
        panel = panel_in(view, world, ref)
        inputs = report.gather(view.session, panel)
    turned = Inputs(
        inputs.scheme,
        list(reversed(inputs.bids)),
        dict(reversed(list(inputs.scores.items()))),
        inputs.coefficient,
        inputs.ceiling,
        inputs.tie_break,
    )
    assert dumps(outcome.outcome(turned)) == dumps(outcome.outcome(inputs))
