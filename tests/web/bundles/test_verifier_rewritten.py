"""Every claim broken once by a platform that holds all its keys and rewrites its log to match: just that claim tells."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from crypto.canonical import b64u, later, unb64u
from crypto.opening import hash_of_list
from crypto.signatures import sign
from tests.kit.world import Keys
from tests.web.bundles import play
from tests.web.bundles.rewriting import Rewriter
from web.verifier import verify_bundle

GP = "GP"


@pytest.fixture
def forger(finished: dict[str, play.Finished]) -> Rewriter:
    return Rewriter(finished[GP].world, finished[GP].audit)


@pytest.fixture
def works(finished: dict[str, play.Finished]) -> Rewriter:
    return Rewriter(finished["WORKS"].world, finished["WORKS"].audit)


def platform(forger: Rewriter) -> bytes:
    return forger.world.office.keys.signing


def officers(forger: Rewriter) -> list[bytes]:
    return [forger.world.keys[name].sign for name in play.CAME]


def expert_of(forger: Rewriter, path: str) -> bytes:
    return forger.world.keys[forger.value(path)["expert"]].sign


def changed(found: dict[str, list[str]], claim: str, code: str) -> None:
    """The claim is broken by the code; the roots that draws and sheets fixed before the rewriting may tell as well."""
    assert code in found.get(claim, []), found
    others = set(found) - {claim, "expert_draw", "coefficient_draw", "score_sheets"}
    assert not others, found


def test_a_history_rewritten_without_a_change_verifies(forger: Rewriter) -> None:
    assert forger.rewritten() == {}


# --- opening ----------------------------------------------------------------------------------------------------------------------------


def test_another_price_read_out(forger: Rewriter) -> None:
    path = forger.one("opening/opened.")

    def cheaper(opened: Any) -> None:
        opened["bids"][0]["announce"]["price"] = "2000000.00"

    forger.change(path, cheaper, platform(forger), *officers(forger))
    found = forger.rewritten()
    assert found["opening_list"] == ["B_CONTENT"]
    assert found["arithmetic"] == ["B_SCORE"], "and the scores no longer follow from what was read out"


def test_another_file_digest_in_the_opening_list(forger: Rewriter) -> None:
    def other(opened: Any) -> None:
        opened["bids"][0]["files"][0]["digest"] = b64u(bytes(32))

    forger.change(forger.one("opening/opened."), other, platform(forger), *officers(forger))
    changed(forger.rewritten(), "opening_list", "B_CONTENT")


def test_a_bid_said_to_have_failed(forger: Rewriter) -> None:
    def lost(opened: Any) -> None:
        opened["bids"][0].update(verdict="CHUNK_AUTH", cause="bidder", announce={}, files=[])

    forger.change(forger.one("opening/opened."), lost, platform(forger), *officers(forger))
    assert forger.rewritten()["opening"] == ["B_REDERIVE"]


def test_an_opening_list_that_leaves_a_bid_out(forger: Rewriter) -> None:
    forger.change(
        forger.one("opening/opened."), lambda opened: opened["bids"].pop(), platform(forger), *officers(forger)
    )
    assert forger.rewritten()["sealed_bids"] == ["B_SET"]


def test_an_opening_list_without_its_officers(forger: Rewriter) -> None:
    forger.change(forger.one("opening/opened."), lambda opened: None, platform(forger), *officers(forger)[:1])
    found = forger.rewritten()
    assert "B_SHARE" in found["opening"] and found["manifest"] == ["B_SIG"]


def test_a_share_of_another_bid(forger: Rewriter) -> None:
    path = forger.one("opening/shares.", lambda value: value["j"] == 1)

    def swap(shares: Any) -> None:
        one, two = shares["items"][:2]
        one["part"], two["part"] = two["part"], one["part"]

    forger.change(path, swap, forger.world.keys["officer1"].sign)
    changed(forger.rewritten(), "opening", "B_SHARE")


def test_too_few_shares_for_what_was_opened(forger: Rewriter) -> None:
    for j in (1, 2):

        def posted(value: Any, j: int = j) -> bool:
            return bool(value["j"] == j)

        path = forger.one("opening/shares.", posted)
        forger.change(
            path,
            lambda shares: [item.update(part="", error="SHARE_OPEN") for item in shares["items"]],
            forger.world.keys[f"officer{j}"].sign,
        )
    found = forger.rewritten()
    assert found["opening"] == ["B_REDERIVE", "B_SHARE"]


# --- bids -------------------------------------------------------------------------------------------------------------------------------


def test_a_bid_left_out_of_the_set(forger: Rewriter) -> None:
    forger.change(forger.one("opening/opening-set."), lambda value: value["bids"].pop(), platform(forger))
    assert "B_SET" in forger.rewritten()["sealed_bids"]


def test_a_late_bid_slipped_in(failed: play.Finished) -> None:
    """The refused bid that came on the deadline's second becomes an accepted one, with list, deadline and log to match."""
    forger = Rewriter(failed.world, failed.audit)
    path = forger.entry_of("bid-refused")
    old = path.removeprefix("entries/").removesuffix(".json")
    new = forger.change_entry(path, lambda entry: entry.update(event="bid-replaced", reason=""))
    listed = "entries/lists/bid.json"

    def rename(value: Any) -> None:
        names = [new.removeprefix("entries/").removesuffix(".json") if c == old else c for c in value["entries"]]
        from crypto.canonical import unb64u

        value["entries"] = sorted(names, key=unb64u)

    forger.edit(listed, rename)
    entries = hash_of_list(json.loads(forger.files[listed]))
    forger.change(forger.one("policy/deadline."), lambda value: value.update(entries=entries))
    found = forger.rewritten()
    assert found["deadline"] == ["B_LATE"] and set(found) <= {"deadline", "sealed_bids"}


def test_a_bid_backdated_into_a_tick_after_the_closing(failed: play.Finished) -> None:
    """A receipt signed for a moment before the deadline, but in the log only afterwards."""
    forger = Rewriter(failed.world, failed.audit)
    act = next(
        name
        for name in reversed(forger.below("entries/"))
        if "lists" not in name
        and forger.entry(name)["event"] == "act"
        and forger.value(f"acts/{name[8:]}")["act"] == "lot.fail_few"
    )
    deadline = forger.value(forger.one("policy/deadline."))["deadline"]
    from crypto.ticks import tick_by

    refused = forger.entry(forger.entry_of("bid-refused"))
    at = later(deadline, -10)
    del forger.files[f"acts/{act[8:]}"]
    forger.change_entry(
        act,
        lambda entry: entry.update(
            event="bid-received", at=at, tick_by=tick_by(at), envelope="bid", statement=refused["statement"]
        ),
    )
    found = forger.rewritten()
    assert found["deadline"] == ["B_LATE"]
    assert "B_PROOF" in found["log"], "and it missed the tick its receipt had promised"


def test_an_entry_kept_off_the_list(failed: play.Finished) -> None:
    forger = Rewriter(failed.world, failed.audit)
    listed = "entries/lists/bid.json"
    forger.edit(listed, lambda value: value["entries"].pop())
    entries = hash_of_list(json.loads(forger.files[listed]))
    forger.change(forger.one("policy/deadline."), lambda value: value.update(entries=entries))
    assert "B_SET" in forger.rewritten()["sealed_bids"]


def test_a_policy_not_tried_by_all(forger: Rewriter) -> None:
    path = forger.one("policy/drill.", lambda value: value["envelope"] == "bid" and value["j"] == 2)
    entry = next(
        name
        for name in forger.below("entries/")
        if "lists" not in name
        and forger.entry(name)["event"] == "drill"
        and path.split(".")[1] == forger.entry(name)["statement"]
    )
    del forger.files[path], forger.files[entry]
    for name in forger.below("ticks/"):  # a released secret would tell as well
        del forger.files[name]
    assert forger.verdict() == {"sealed_bids": ["B_POLICY"]}


# --- draws ------------------------------------------------------------------------------------------------------------------------------


def test_another_coefficient_drawn(works: Rewriter) -> None:
    path = works.one("draw/draw.", lambda value: value["label"] == "k")
    works.change(path, lambda value: value.update(picks=[(value["picks"][0] + 1) % value["size"]]), platform(works))
    found = works.rewritten()
    assert found["coefficient_draw"] == ["B_DRAW"] and found["arithmetic"] == ["B_SCORE"]


def test_another_expert_drawn(forger: Rewriter) -> None:
    path = forger.one("draw/draw.", lambda value: value["label"] == "experts")
    forger.change(path, lambda value: value["picks"].reverse(), platform(forger))
    changed(forger.rewritten(), "expert_draw", "B_DRAW")


def test_another_pool_than_the_one_frozen(works: Rewriter) -> None:
    path = (
        works.one("draw/k.", lambda value: True)
        if not works.below("draw/k.")[0].endswith("pool.json")
        else works.below("draw/k.")[0]
    )
    pool = next(name for name in works.below("draw/k.") if name.endswith("/pool.json"))
    assert path
    works.edit(pool, lambda value: value["pool"].reverse())
    found = works.verdict()
    assert found["coefficient_draw"] == ["B_DRAW"]


def test_a_reveal_of_other_bytes(forger: Rewriter) -> None:
    path = forger.one("draw/draw-reveal.", lambda value: value["party"] == "platform")
    forger.change(path, lambda value: value.update(r=b64u(bytes([7]) * 32)), platform(forger))
    changed(forger.rewritten(), "expert_draw", "B_DRAW")


# --- evaluation -------------------------------------------------------------------------------------------------------------------------


def test_a_sheet_changed_after_its_commitment(forger: Rewriter) -> None:
    path = forger.below("sheets/sheet.")[0]

    def better(sheet: Any) -> None:
        item = next(item for item in sheet["bids"][0]["items"] if item["id"] == "plan")
        item["score"] = "40.00"

    forger.change(path, better, expert_of(forger, path))
    found = forger.rewritten()
    assert "B_SHEET" in found["score_sheets"] and "B_SCORE" in found["arithmetic"]


def test_scores_that_do_not_add_up(forger: Rewriter) -> None:
    def more(ranking: Any) -> None:
        ranking["ranking"][0]["score"] = "99.99"

    forger.change(forger.one("ranking/ranking."), more, platform(forger))
    assert forger.rewritten() == {"arithmetic": ["B_SCORE"]}


def test_ranks_exchanged(forger: Rewriter) -> None:
    def exchange(ranking: Any) -> None:
        one, two = ranking["ranking"][:2]
        one["bidder"], two["bidder"] = two["bidder"], one["bidder"]
        one["score"], two["score"] = two["score"], one["score"]

    forger.change(forger.one("ranking/ranking."), exchange, platform(forger))
    found = forger.rewritten()
    assert found["ranking"] == ["B_RANK"] and found["award"] == ["B_AWARD"] and set(found) == {"ranking", "award"}


def test_another_scheme(forger: Rewriter) -> None:
    forger.edit("rules/scheme.json", lambda scheme: scheme["criteria"][0].update(title="价格"))
    assert forger.verdict() == {"ranking": ["B_RANK"]}


def test_another_report_than_the_one_concluded(forger: Rewriter) -> None:
    forger.edit("ranking/report.json", lambda report: report.update(title="另一个"))
    found = forger.verdict()
    assert found["arithmetic"] == ["B_SCORE"] and found["manifest"] == ["B_SIG"], "nor is it the one the members signed"


def test_an_award_to_somebody_else(forger: Rewriter) -> None:
    path = forger.one("acts/", lambda value: value.get("act") == "lot.decide")
    second = next(row["bidder"] for row in forger.value(forger.one("ranking/ranking."))["ranking"] if row["rank"] == 2)
    forger.change(path, lambda record: record["facts"].update(winner=second))
    assert forger.rewritten() == {"award": ["B_AWARD"]}


def test_the_second_without_a_ground(forger: Rewriter) -> None:
    path = forger.one("acts/", lambda value: value.get("act") == "lot.decide")
    second = next(row["bidder"] for row in forger.value(forger.one("ranking/ranking."))["ranking"] if row["rank"] == 2)
    forger.change(path, lambda record: record["facts"].update(winner=second, rank=2))
    assert forger.rewritten() == {"award": ["B_AWARD"]}


def test_a_publicity_cut_short(works: Rewriter) -> None:
    path = works.one("acts/", lambda value: value.get("act") == "lot.decide")
    works.change(path, lambda record: record.update(at=later(record["at"], -86_400)))
    assert "B_AWARD" in works.rewritten()["award"]


# --- deposits ---------------------------------------------------------------------------------------------------------------------------


def refunded(forger: Rewriter) -> str:
    return forger.one("acts/deposits/", lambda record: any(row["state"] == "CONFIRMED" for row in record["refunds"]))


def test_a_refund_to_another_account(forger: Rewriter) -> None:
    forger.edit(refunded(forger), lambda record: record["refunds"][0].update(payee=b64u(bytes(32))))
    assert forger.verdict() == {"deposits": ["B_DEPOSIT"]}


def test_one_pair_of_hands(forger: Rewriter) -> None:
    forger.edit(refunded(forger), lambda record: record["refunds"][0].update(approved=record["refunds"][0]["prepared"]))
    assert forger.verdict() == {"deposits": ["B_DEPOSIT"]}


def test_a_refund_twice(forger: Rewriter) -> None:
    forger.edit(refunded(forger), lambda record: record["refunds"].append(dict(record["refunds"][0])))
    assert forger.verdict() == {"deposits": ["B_DEPOSIT"]}


def test_money_that_vanished(forger: Rewriter) -> None:
    forger.edit(refunded(forger), lambda record: record.update(refunded=record["refunded"] - 1))
    assert forger.verdict() == {"deposits": ["B_DEPOSIT"]}


def test_less_received_than_the_log_says(forger: Rewriter) -> None:
    forger.edit(
        refunded(forger), lambda record: record.update(received=record["received"] - 100, held=record["held"] - 100)
    )
    assert forger.verdict() == {"deposits": ["B_DEPOSIT"]}


def test_a_payment_left_out(forger: Rewriter) -> None:
    del forger.files[refunded(forger)]
    assert forger.verdict() == {"deposits": ["B_DEPOSIT"]}


def test_a_batch_nobody_approved(forger: Rewriter) -> None:
    forger.edit(refunded(forger), lambda record: record["refunds"][0].update(batch="0" * 64))
    assert forger.verdict() == {"deposits": ["B_DEPOSIT"]}


def approval(forger: Rewriter) -> tuple[str, str]:
    """The record of an approval, and what its controller signed."""
    record = forger.one("acts/", lambda value: value.get("act") == "batch.approve")
    return record, f"acts/approvals/{forger.value(record)['facts']['signature']}.json"


def said(forger: Rewriter) -> str:
    changed(forger.rewritten(), "deposits", "B_DEPOSIT")
    claims = verify_bundle(forger.write())["claims"]
    return next(str(claim["detail"]) for claim in claims if claim["name"] == "deposits")


@pytest.mark.parametrize("whose", ["platform", "controller2", "nobody"])
def test_an_approval_that_the_platform_signed_for_its_controller(forger: Rewriter, whose: str) -> None:
    """The same document by another key: the platform's, another controller's, one that nobody enrolled."""
    keys = {"platform": platform(forger), "controller2": forger.world.keys["controller2"].sign, "nobody": Keys().sign}
    _record, path = approval(forger)
    forger.put(path, sign("approval", forger.value(path), keys[whose]))
    assert "signed by none of the known keys" in said(forger)


def test_an_approval_without_its_signature(forger: Rewriter) -> None:
    record, path = approval(forger)
    del forger.files[path]
    forger.change(record, lambda value: value["facts"].pop("signature"))
    assert "no controller signed it" in said(forger)


def test_a_signed_approval_left_out(forger: Rewriter) -> None:
    del forger.files[approval(forger)[1]]
    changed(forger.rewritten(), "deposits", "B_DEPOSIT")


def test_an_approval_that_no_act_names(forger: Rewriter) -> None:
    _record, path = approval(forger)
    forger.put(f"acts/approvals/{'A' * 43}.json", json.loads(forger.files[path]))
    assert "an approval of no act" in said(forger)


def test_a_payee_changed_in_every_record_of_the_platform(forger: Rewriter) -> None:
    """Payer, refund and all their acts say another account: what the controller signed does not."""
    path = refunded(forger)
    record = forger.value(path)
    name, other = record["receipt"], b64u(bytes(32))
    refund = record["refunds"][0]["refund"]

    def elsewhere(value: Any) -> None:
        value.update(payer=other)
        value["refunds"][0].update(payee=other)

    forger.edit(path, elsewhere)
    for act in forger.below("acts/"):
        value = forger.value(act)
        for key in {f"receipt/{name}": ("payer",), f"refund/{refund}": ("payee",)}.get(value.get("of", ""), ()):
            if key in value["facts"].get("bound", {}):
                forger.change(act, lambda one, key=key: one["facts"]["bound"].update({key: _hides(one, key, other)}))  # type: ignore[misc]
    assert "it is no line of the batch that the controller signed" in said(forger)


def _hides(record: Any, key: str, value: str) -> str:
    return b64u(sha256(unb64u(record["salt"]) + key.encode() + b"\0" + value.encode()).digest())


def test_the_preparer_signs_too(forger: Rewriter) -> None:
    """The record of the preparation under the approver's name: one person for both."""
    _record, path = approval(forger)
    person, prepared = forger.value(path)["person"], forger.value(path)["prepared"]
    act = f"acts/{prepared}.json"
    forger.change(act, lambda one: one["facts"].update(person=_hides(one, "person", person)))
    assert "approval of batch/" in said(forger)
