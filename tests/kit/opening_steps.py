"""From open bidding to a closed opening record, by the acts of the product: bids, deadline, set, shares, decryption, remarks, minutes.

    ref = open_lot(world)                                        # GP: the lot waits in QUAL_REVIEW; works: in EVALUATION
    ref = open_lot(world, "WORKS", forms={"bidder1": form(price="2700000.00")})

Bids are sealed and shares are made as the clients of bidders and officers make them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from crypto import draws as rules
from crypto.canonical import format_time
from crypto.keys import new_secret
from crypto.opening import CheckedSet
from crypto.opening import release_shares as make_shares
from crypto.signatures import countersign, sign
from tests.kit import kept, sealing
from tests.kit.methods import law_of
from tests.kit.world import OFFICERS, World
from trading import draws, timeline
from trading.custody import officers
from trading.draws import Draw
from trading.kernel.clock import write_moment
from trading.opening import ceremony, decryption, opening_list, shares

ALL = tuple(username for username, _, _ in OFFICERS)
FORMS: dict[str, dict[str, str]] = {
    "GP": {"price": "2750000.00", "delivery_days": "30", "warranty_months": "36", "small_firm": "no"},
    "WORKS": {"price": "2750000.00", "duration_days": "180", "quality": "合格", "manager": "张工"},
}


def form(regime: str = "GP", **changes: str) -> dict[str, str]:
    """What a bid announces, with changes."""
    return FORMS[law_of(regime).regime] | changes


def bid(
    world: World,
    ref: str,
    forms: Mapping[str, dict[str, str]],
    *,
    data: bytes = b"offer",
    only: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """The named bidders take part and hand in a bid each, every envelope of it. ``only``: username → the envelopes they hand in, if not
    all."""
    world.take_part(ref, *forms)
    sealing.open_for_bids(world, ref)
    with world.view("clock") as view:
        asked = {
            part: {field["key"] for field in officers.form_of(world.lot_in(view, ref), part)}
            for part in officers.bid_envelopes(world.lot_in(view, ref))
        }
    for username, announce in forms.items():
        for part in (only or {}).get(username, tuple(asked)):
            told = {key: value for key, value in announce.items() if key in asked[part]} if len(asked) > 1 else announce
            made = sealing.seal(world, ref, username, form=told, data=data + username.encode(), part=part)
            outcome = sealing.hand_in(world, ref, username, *made, part=part)
            assert outcome.accepted, outcome.reason


def turn(world: World, **by: int) -> None:
    """Let time pass (a little more than two minutes by default: every entry made before is in the log then) and turn the clock."""
    world.clock.advance(**(by or {"seconds": 125}))
    timeline.turn(world.office)


def share(world: World, ref: str, username: str, part: str = officers.BID) -> None:
    """An officer's client releases its shares of the set; what it checks first has tests of its own."""
    with world.work(username) as work:
        row = ceremony.opening(work.session, world.lot_in(work, ref), part)
        policy = officers.policy_document(officers.current_policy(work.session, row.lot, part))
        checked = CheckedSet(
            policy,
            ceremony.generations(work.session, row),
            row.set_hash,
            tuple(row.bids),
            {},
            None,  # type: ignore[arg-type]
            write_moment(row.shares_from),
        )
        j = officers.own_seat(work, row.lot).j
        document = make_shares(
            checked,
            ceremony.headers(work.session, row),
            j=j,
            now=format_time(work.now),
            left=row.left_sealed,
            secrets=lambda one: world.policy_secret(username, dict(one)),
        )
        shares.accept_share(work, row, sign("shares", document, world.keys[username].sign))


def countersign_list(world: World, ref: str, username: str, part: str = officers.BID) -> None:
    """An officer's signature under the opening list; what its client checks first has tests of its own."""
    with world.work(username) as work:
        row = ceremony.opening(work.session, world.lot_in(work, ref), part)
        opening_list.countersign(work, row, countersign(dict(row.opened or {}), world.keys[username].sign))


def open_set(world: World, ref: str, *, came: tuple[str, ...] = ALL, part: str = officers.BID) -> None:
    """Shares of the officers who came, decryption, countersignatures, minutes; the record is published and the lot goes on."""
    for username in came:
        share(world, ref, username, part)
    if len(came) < len(ALL):
        turn(world, minutes=31)
    decryption.open_bids(world.office, world.actor("host"), ref, part=part)
    for username in came:
        countersign_list(world, ref, username, part)
    turn(world, minutes=16)
    minutes = world.office.blobs.put([b"minutes of " + ref.encode()]).name
    with world.work("host") as work:
        opening_list.sign_minutes(work, ceremony.opening(work.session, world.lot_in(work, ref), part), minutes=minutes)
    with world.work("host") as work:
        opening_list.close(work, ceremony.opening(work.session, world.lot_in(work, ref), part))


@kept.act
def open_lot(
    world: World,
    regime: str = "GP",
    *,
    ref: str = "",
    forms: Mapping[str, dict[str, str]] | None = None,
    data: bytes = b"offer",
    only: Mapping[str, tuple[str, ...]] | None = None,
    **changes: Any,
) -> str:
    """A lot whose opening is over. ``forms``: username → what the bid announces; all bidders with one form each, 10 000 yuan apart, if none
    is given."""
    ref = ref or world.lot("BIDDING", regime, **changes)
    chosen = forms or {
        name: form(regime, price=f"{2_700_000 + 10_000 * at}.00") for at, name in enumerate(world.bidders)
    }
    bid(world, ref, chosen, data=data, only=only)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    open_set(world, ref)
    return ref


# --- draws ------------------------------------------------------------------------------------------------------------------------


def play_draw(world: World, ref: str, label: str, *, hosted_by: str) -> Draw:
    """An announced draw from the platform's commitment to its result, the purchaser's client taking its part."""

    def row(work: Any) -> Draw:
        return draws.draw(work.session, world.lot_in(work, ref), label)

    turn(world)
    with world.work(hosted_by) as work:
        draws.commit_platform(work, row(work))
    r = new_secret()
    with world.work("buyer") as work:
        one = row(work)
        policy = officers.policy_document(
            officers.current_policy(work.session, one.lot, officers.draw_envelope(label, one.lot))
        )
        header = rules.make_escrow(policy, draw=one.draw, party=draws.TENDEREE, r=r)
        document = draws.commit_document(one, draws.TENDEREE, r=r, header=header, at=format_time(work.now))
        draws.commit(work, one, sign("draw-commit", document, world.keys["buyer"].sign), header=header)
    turn(world)
    with world.work(hosted_by) as work:
        draws.list_commits(work, row(work))
    with world.work("buyer") as work:
        one = row(work)
        draws.sign_list(work, one, countersign(dict(one.listing or {}), world.keys["buyer"].sign))
    turn(world)
    with world.work(hosted_by) as work:
        draws.reveal_platform(work, row(work))
    with world.work("buyer") as work:
        one = row(work)
        document = draws.reveal_document(one, draws.TENDEREE, r=r, at=format_time(work.now))
        draws.reveal(work, one, sign("draw-reveal", document, world.keys["buyer"].sign))
    with world.work(hosted_by) as work:
        one = row(work)
        draws.conclude(work, one)
        return one


def draw_coefficient(world: World, ref: str) -> str:
    """Announce and play the draw of the works coefficient; returns the value drawn."""
    with world.work("host") as work:
        lot = world.lot_in(work, ref)
        draws.announce(work, lot, label="k", pool=lot.coefficients)
    row = play_draw(world, ref, "k", hosted_by="host")
    return row.pool[draws.picks(row)[0]]


def wait_until(world: World, **after_now: int) -> None:
    """On by a stretch of time, one turn at its end."""
    world.clock.set(world.now + timedelta(**after_now))
    timeline.turn(world.office)
