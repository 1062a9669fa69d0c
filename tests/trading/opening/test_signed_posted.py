"""What decides about a bid during its opening is what its people signed: a row that was changed, taken away or put in stops the act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crypto.canonical import b64u, loads
from crypto.documents import sign_document
from crypto.keys import ed25519_public
from crypto.signatures import payload_of
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.altering import rewrite
from tests.kit.rows import unchanged
from tests.kit.stages import opening_of
from tests.kit.world import Keys, World
from tests.trading.bidding.test_claims import four, lost  # noqa: F401
from tests.trading.opening import test_co_opening as co
from tests.trading.opening.test_rescue import failed
from trading.kernel.errors import Conflict, Invalid
from trading.opening import ceremony, decryption, opening_list, opening_set


def refused(act: Callable[[], Any], table: str, column: str) -> None:
    with pytest.raises(Conflict) as refusal:
        act()
    assert refusal.value.code == "signed.differs", refusal.value
    assert (refusal.value.facts["where"].split()[0], refusal.value.facts["column"]) == (table, column)


def public_of(keys: Keys) -> str:
    return b64u(ed25519_public(keys.sign))


def decrypt(world: World, ref: str) -> None:
    decryption.open_bids(world.office, world.actor("host"), ref)


# --- bidders' own parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "column"),
    [
        ("DELETE FROM bidder_part WHERE id = (SELECT min(id) FROM bidder_part)", "c"),
        ("UPDATE bidder_part SET part = replace(part, 'A', 'B') || 'A' WHERE id = 1", "part"),
        ("UPDATE bidder_part SET party_id = (SELECT max(party_id) FROM bidder_part) WHERE id = 1", "party_id"),
    ],
)
def test_a_part_taken_away_or_changed_revokes_nobody(world: World, statement: str, column: str) -> None:
    ref = co.listed(world)
    for username in world.bidders:
        co.post(world, ref, username, co.part_of(world, ref, username))
    co.on(world, ref, ticking=True)
    for username in opening_steps.ALL:
        opening_steps.share(world, ref, username)
    rewrite(world, statement)
    with unchanged(world):
        refused(lambda: decrypt(world, ref), "bidder_part", column)


def test_a_window_moved_by_sql_turns_no_part_away_and_takes_no_share_early(world: World) -> None:
    ref = co.listed(world)
    rewrite(world, "UPDATE opening SET shares_from = listed_at")
    with unchanged(world):
        refused(lambda: co.post(world, ref, "bidder1", co.part_of(world, ref, "bidder1")), "opening", "shares_from")
        refused(lambda: opening_steps.share(world, ref, "officer1"), "opening", "shares_from")


def test_a_policy_that_asks_for_parts_asks_whatever_its_row_says(world: World) -> None:
    ref = co.listed(world)
    made = co.part_of(world, ref, "bidder1")
    asked = ('"co_opening":true', '"co_opening":false')
    rewrite(world, "UPDATE policy SET payload = replace(payload, :asked, :unasked)", asked=asked[0], unasked=asked[1])
    assert co.post(world, ref, "bidder1", made).header_hash


def test_a_key_put_into_the_table_gives_no_part(world: World) -> None:
    ref = co.listed(world)
    made = co.part_of(world, ref, "bidder1")
    thief = Keys()
    other = sign_document("bidder-part", loads(payload_of(made)), thief.sign)
    rewrite(world, "UPDATE enrolled_key SET sign_public = :public WHERE role = 'bidder'", public=public_of(thief))
    with unchanged(world), pytest.raises(Invalid):
        co.post(world, ref, "bidder1", other)
    assert co.post(world, ref, "bidder1", made).header_hash


# --- failed bids and their rescue ---------------------------------------------------------------------------------------


def test_a_failure_taken_away_turns_no_rescue_away(world: World) -> None:
    ref, seeds = failed(world)
    rewrite(world, "DELETE FROM bid_failure")
    with unchanged(world):
        refused(lambda: _post(world, ref, seeds), "bid_failure", "c")


def _post(world: World, ref: str, seeds: dict[str, bytes]) -> None:
    verdict_steps.post_rescue(world, ref, "bidder1", seeds["bidder1"])


def test_a_rescue_taken_away_leaves_no_bid_closed(world: World) -> None:
    ref, seeds = failed(world)
    _post(world, ref, seeds)
    verdict_steps.pause_over(world, ref)
    rewrite(world, "DELETE FROM rescue")
    with unchanged(world):
        refused(lambda: decrypt(world, ref), "rescue", "c")


# --- claims -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "column"),
    [
        ("DELETE FROM omission_claim", "c"),
        ("UPDATE omission_claim SET outcome = 'rejected', settled_at = at", "outcome"),
    ],
)
def test_a_claim_settled_or_taken_away_by_sql_opens_nothing(
    four: World,  # noqa: F811
    statement: str,
    column: str,
) -> None:
    world = four
    ref, receipt = lost(world)
    verdict_steps.file_claim(world, ref, "bidder4", receipt)
    rewrite(world, statement)

    def list_bids() -> None:
        with world.work("host") as work:
            opening_set.list_bids(work, world.lot_in(work, ref))

    with unchanged(world):
        refused(list_bids, "omission_claim", column)
        if column == "outcome":
            refused(lambda: verdict_steps.settle_claim(world, ref, "upheld"), "omission_claim", column)


def test_a_deadline_moved_by_sql_turns_no_claim_away(four: World) -> None:  # noqa: F811
    world = four
    ref, receipt = lost(world)
    rewrite(world, "UPDATE lot SET deadline = published_at")
    assert verdict_steps.file_claim(world, ref, "bidder4", receipt).code == "LOG_OMISSION"


# --- the opening list -----------------------------------------------------------------------------------------------------


def opened(world: World) -> str:
    def build(world: World) -> str:
        ref = stages.shared(world)
        decrypt(world, ref)
        return ref

    return str(stages.reach(world, "opened", build))


def countersigned(world: World) -> str:
    """Every officer has countersigned, one bidder objects, nobody has answered."""

    def build(world: World) -> str:
        ref = opened(world)
        for username in opening_steps.ALL:
            opening_steps.countersign_list(world, ref, username)
        with world.work("bidder1", sealing.SIGNER) as work:
            opening_list.remark(work, opening_of(world, work, ref), kind="objection", text="报价读错了")
        world.clock.advance(minutes=16)
        return ref

    return str(stages.reach(world, "countersigned", build))


def sign_minutes(world: World, ref: str) -> None:
    with world.work("host") as work:
        opening_list.sign_minutes(work, opening_of(world, work, ref), minutes="0" * 64)


@pytest.mark.parametrize(
    ("statement", "table", "column"),
    [
        ("UPDATE opened_bid SET verdict = 'SHARE_OPEN', cause = 'bidder' WHERE id = 1", "opened_bid", "verdict"),
        ("UPDATE officer_seat SET sign_public = :thief", "officer_seat", "sign_public"),
        ("UPDATE opening SET confirm_until = listed_at", "opening", "confirm_until"),
    ],
)
def test_no_list_is_countersigned_over_a_row_that_differs(
    world: World, statement: str, table: str, column: str
) -> None:
    ref = opened(world)
    rewrite(world, statement, **({"thief": public_of(Keys())} if ":thief" in statement else {}))
    with unchanged(world):
        refused(lambda: opening_steps.countersign_list(world, ref, "officer1"), table, column)


@pytest.mark.parametrize(
    ("statement", "table", "column"),
    [
        ("DELETE FROM opening_remark", "opening_remark", "text"),
        ("UPDATE opening_remark SET kind = 'confirm'", "opening_remark", "text"),
        ("UPDATE opening_remark SET answer = '读得对', answered_at = at", "opening_remark", "answer"),
    ],
)
def test_no_minutes_over_an_objection_that_was_answered_or_taken_away_by_sql(
    world: World, statement: str, table: str, column: str
) -> None:
    ref = countersigned(world)
    with pytest.raises(Conflict, match=r"opening\.unanswered"):
        sign_minutes(world, ref)
    rewrite(world, statement)
    with unchanged(world):
        refused(lambda: sign_minutes(world, ref), table, column)


def test_signatures_put_under_the_list_by_sql_are_none(world: World) -> None:
    ref = opened(world)
    with world.work("host") as work:
        row = opening_of(world, work, ref)
        opened_ = dict(row.opened or {})
        forged = [{"keyid": one["keyid"], "sig": one["sig"]} for one in opened_["signatures"]] * 4
        row.opened = opened_ | {"signatures": forged}
    world.clock.advance(minutes=16)
    with unchanged(world):
        refused(lambda: sign_minutes(world, ref), "opening", "opened")


def test_no_record_is_published_over_a_verdict_that_differs(world: World) -> None:
    ref = countersigned(world)
    with world.work("host") as work:
        row = opening_of(world, work, ref)
        (said,) = ceremony.remarks(work.session, row)
        opening_list.answer_remark(work, said, row, text="已核对，报价读得对")
    sign_minutes(world, ref)
    rewrite(world, "UPDATE opened_bid SET verdict = 'SHARE_OPEN', cause = 'bidder', price_minor = NULL")

    def close() -> None:
        with world.work("host") as work:
            opening_list.close(work, opening_of(world, work, ref))

    with unchanged(world):
        refused(close, "opened_bid", "verdict")
