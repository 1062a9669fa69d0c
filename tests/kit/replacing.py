"""Officers replaced after publication, by the acts of the product: proposed, confirmed, keys, signatures, drills.

replace_officers(world, ref, SPARE)                 # officer5 leaves, officer6 comes
replace_officers(world, ref, DEADLY, dies=True)     # three leave: bids sealed so far die
"""

from __future__ import annotations

from datetime import datetime

from crypto import keys
from crypto.canonical import b64u
from tests.kit.world import OFFICERS, PASSWORD, SETUP, World, password_hash
from trading.custody import officers, policies, replacements
from trading.custody.officers import PolicyChange
from trading.kernel.access import Role
from trading.parties import parties

EXTRA = (
    ("officer6", "supervisor", "supervisor"),
    ("officer7", "centre", "platform"),
    ("officer8", "agency", "tenderee"),
)
Named = tuple[tuple[str, str], ...]
SPARE: Named = (*((username, side) for username, _, side in OFFICERS[:4]), ("officer6", "supervisor"))
SHUFFLED: Named = (SPARE[3], SPARE[4], SPARE[0], SPARE[2], SPARE[1])
DEADLY: Named = (
    ("officer1", "platform"),
    ("officer7", "platform"),
    ("officer3", "tenderee"),
    ("officer8", "tenderee"),
    ("officer6", "supervisor"),
)


def hire(world: World) -> None:
    """Three more people who may be officers, with keys of their own. Doing it twice is harmless."""
    if "officer6" in world.people:
        return
    with world.office.work(SETUP) as work:
        for username, short, _ in EXTRA:
            who = parties.invite(
                work,
                parties.party(work.session, world.party_ids[short]),
                username=username,
                name=username,
                password=PASSWORD,
                hashed=password_hash(),
                roles=[Role.OFFICER],
            )
            world.people[username] = who.id
    for username, _, _ in EXTRA:
        world.enrol(username, "officer", seal=False)
    world.tick()
    world.tick()


def propose(
    world: World,
    ref: str,
    named: Named,
    *,
    t: int = 3,
    ground: str = "lost",
    reason: str = "持有人的密钥文件损坏",
    deadline: datetime | None = None,
    by: str = "agent",
) -> PolicyChange:
    with world.work(by) as work:
        rows = [(parties.account(work.session, world.people[username]), side) for username, side in named]
        return replacements.propose(
            work, world.lot_in(work, ref), rows, t=t, ground=ground, reason=reason, deadline=deadline
        )


def confirm(world: World, ref: str, *, dies: bool = False, by: str = "buyer") -> PolicyChange:
    with world.work(by) as work:
        return replacements.confirm(work, world.lot_in(work, ref), dies=dies)


def give_keys(world: World, ref: str, *only: str) -> None:
    with world.view("clock") as view:
        asked = [seat.account.username for seat in officers.next_seats(view.session, world.lot_in(view, ref))]
    for username in only or asked:
        with world.work(username) as work:
            lot = world.lot_in(work, ref)
            publics = {
                scope["envelope"]: b64u(keys.x25519_public(world.scope_secret(username, scope)))
                for scope in officers.scopes_to_key(work, lot)
            }
            policies.give_keys(work, lot, publics)


def take_over(
    world: World, ref: str, named: Named, *, dies: bool = False, ground: str = "lost", deadline: datetime | None = None
) -> None:
    """All but the drills."""
    hire(world)
    propose(world, ref, named, ground=ground, deadline=deadline)
    confirm(world, ref, dies=dies)
    give_keys(world, ref)
    world.sign_policies(ref, only=tuple(username for username, _ in named))


def replace_officers(
    world: World, ref: str, named: Named, *, dies: bool = False, ground: str = "lost", deadline: datetime | None = None
) -> None:
    take_over(world, ref, named, dies=dies, ground=ground, deadline=deadline)
    world.open_drills(ref, only=tuple(username for username, _ in named))
    world.tick()
    world.tick()
