"""Twin worlds in small (promise S1): two platforms that differ only in who has bid look the same to everybody else until the opening.

One settled world is copied; in one copy nobody bids, in the other four firms take part, upload, bid, replace, withdraw and are refused.
The same observers open every page there is, at the same moments, and get the same bytes once nonces, tokens and digests are masked.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.kit import sealing
from tests.kit.database import Databases
from tests.kit.sealing import SIGNER
from tests.kit.world import SETUP, World
from tests.trading.bidding.test_bids import withdraw
from tests.web.desks.rooms import Person, Rooms, hand_in, open_rooms, sealed_bid
from trading import timeline
from trading.bidding import bids
from trading.kernel import audit, log, outbox
from trading.kernel.access import Role
from trading.kernel.db import open_engine
from trading.parties import parties
from web.app import find_desks
from web.http.metrics import Metrics
from web.http.page_rules import ANYONE, PAGES
from web.http.wellness import Wellness
from web.settings import Settings
from web.tally import TALLY

find_desks()

OBSERVERS: dict[str, tuple[str, str]] = {
    # who → (username, role)
    "agency": ("agent", "agency"),
    "purchaser": ("buyer", "purchaser"),
    "host": ("host", "host"),
    "centre": ("clerk", "centre"),
    "officer": ("officer1", "officer"),
    "supervisor": ("watch", "supervisor"),
    "cashier": ("till", "cashier"),
    "controller": ("check", "controller"),
    "system-admin": ("root1", "system-admin"),
    "security-admin": ("root2", "security-admin"),
    "audit-admin": ("root3", "audit-admin"),
    "expert": ("judge", "expert"),
    "rival": ("bidder4", "bidder-signer"),
}
STAFF = {
    "till": Role.CASHIER,
    "check": Role.CONTROLLER,
    "root1": Role.SYSTEM_ADMIN,
    "root2": Role.SECURITY_ADMIN,
    "root3": Role.AUDIT_ADMIN,
    "judge": Role.EXPERT,
}
MASKS = (
    (re.compile(r'(name="(?:csrf_token|form_id)" value=")[^"]*'), r"\1*"),
    (re.compile(r'(nonce[-=]"?)[A-Za-z0-9_+/=-]{16,}'), r"\1*"),
    (re.compile(r'(content=")[A-Za-z0-9_.-]{60,}"'), r'\1*"'),  # the CSRF token in a meta element
    (re.compile(r"\b[0-9a-f]{4}-[0-9a-f]{4}\b"), "*request*"),
    (re.compile(r'(class="proof"[^>]*>)[A-Za-z0-9_+/=…-]{16,}'), r"\1*"),
    (re.compile(r"[A-Za-z0-9_+/-]{40,}={0,2}"), "*digest*"),
    (re.compile(r"[A-Za-z0-9_+/-]{12,43}…"), "*digest…*"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "*hex*"),
    (re.compile(r"^— .*$", re.MULTILINE), "*signature*"),
)


@dataclass
class Twin:
    world: World
    rooms: Rooms
    ref: str
    seats: dict[str, Person]


def staffed(world: World) -> str:
    """The world before anybody bids: more staff, a published lot, documents issued."""
    with world.office.work(SETUP) as work:
        for username, role in STAFF.items():
            party = (
                parties.register(work, code="JUDGE", name="评审专家", kind="expert")
                if username == "judge"
                else parties.party(work.session, world.party_ids["centre"])
            )
            world.people[username] = parties.invite(
                work, party, username=username, name=username, password="correct horse battery", roles=[role]
            ).id
    ref = world.lot("BIDDING")
    sealing.open_for_bids(world, ref)
    return ref


def make_twins(
    databases: Databases, tmp_path: Path, before: Callable[[World], str] = staffed
) -> Iterator[tuple[Twin, Twin]]:
    """A settled world and its copy, with everybody who looks signed in to both. The fixture ``twins`` (conftest.py). ``before``: what is
    the same in both."""
    with databases.fresh() as one, databases.fresh() as two:
        engines = [open_engine(one), open_engine(two)]
        if engines[0].dialect.name != "sqlite":
            pytest.skip("a world is copied byte by byte, which SQLite alone can")
        first = World(engines[0], tmp_path / "one", bidders=5)
        ref = before(first)
        second = World(engines[1], tmp_path / "two", bidders=5)
        with closing(engines[0].raw_connection()) as source, closing(engines[1].raw_connection()) as target:
            source.driver_connection.backup(target.driver_connection)  # type: ignore[union-attr]
        shutil.rmtree(second.office.blobs.folder)
        shutil.copytree(first.office.blobs.folder, second.office.blobs.folder)
        second.office = replace(second.office, keys=first.office.keys)
        second.people, second.party_ids, second.keys = first.people, first.party_ids, first.keys
        second.clock.set(first.now)
        made = []
        for world in (first, second):
            rooms = open_rooms(world, tmp_path / "rooms")
            seats = {who: rooms.person(username, role) for who, (username, role) in OBSERVERS.items()}
            seats["public"] = Person(rooms.app.test_client())
            made.append(Twin(world, rooms, ref, seats))
        yield made[0], made[1]
        for engine in engines:
            engine.dispose()


def masked(text: str) -> str:
    for pattern, instead in MASKS:
        text = pattern.sub(instead, text)
    return text


OWN_SECRETS = ("/account/second-factor",)
"""Pages that show a fresh secret of whoever asks."""


def addresses(ref: str, who: str) -> list[str]:
    """The pages an observer's role opens, with their arguments filled in. Pages open to all are looked at by the public and one other;
    doors that stay shut are the access matrix's matter (the gate answers before any page looks at the lot)."""
    values = {
        "ref": ref,
        "tender": ref.rpartition("-")[0],
        "lot": ref,
        "size": "3",
        "tick": "2",
        "no": "1",
        "label": "experts",
    }

    def fill(match: re.Match[str]) -> str:
        return values.get(match.group(2), "1" if match.group(1) == "int" else "x")

    role = Role(OBSERVERS[who][1]) if who in OBSERVERS else Role.PUBLIC
    found = set()
    for name, page in PAGES.items():
        desk = name.split(".")[0]
        if page.method != "GET" or "/live" in page.path or desk.endswith("_for_tests") or page.path in OWN_SECRETS:
            continue
        if page.open_to(role) and (page.needs is not ANYONE or who in ("public", "agency")):
            found.add(re.sub(r"<(?:(\w+):)?(\w+)>", fill, page.path))
    return sorted(found)


def seen(twin: Twin, who: str, path: str) -> tuple[Any, ...]:
    answer = twin.seats[who].client.get(path)
    assert answer.mimetype is not None, path
    text = (
        answer.get_data(as_text=True)
        if not answer.mimetype.startswith(("application/zip", "application/vnd.openxmlformats"))
        else answer.get_data().decode("latin-1")
    )
    told = {
        k: masked(v)
        for k, v in answer.headers.items()
        if k not in ("Set-Cookie", "Date", "X-Request-Id", "ETag", "Content-Length") and not k.startswith("X-RateLimit")
    }
    return answer.status_code, sorted(told.items()), masked(text)


def bid_busily(world: World, ref: str) -> None:
    """All that bidders can do before the deadline."""
    names = world.bidders[:3] + world.bidders[4:]
    world.take_part(ref, *names)
    for name in names:
        made = sealing.seal(world, ref, name, data=name.encode() * 5000)
        assert sealing.hand_in(world, ref, name, *made).accepted
        world.clock.advance(seconds=1)
    one = sealing.seal(world, ref, names[0])
    assert not sealing.hand_in(world, ref, names[0], *one).accepted
    with world.view("clock") as view:
        standing = bids.standing_bids(view.session, world.lot_in(view, ref))
        statement = next(b.statement for b in standing if b.party_id == world.party_ids[names[1]])
    assert sealing.hand_in(world, ref, names[1], *sealing.seal(world, ref, names[1], replaces=statement)).accepted
    with world.view(names[2], SIGNER) as view:
        mine = bids.own_receipts(view)[0]
        document = audit.document(view.session, mine.statement)
    assert withdraw(world, ref, names[2], document).accepted


def compare(twins: tuple[Twin, Twin], when: str, own: tuple[tuple[re.Pattern[str], str], ...] = ()) -> int:
    """Fetch everything as everybody in both worlds; nothing may differ. Returns how many pages answered with content. ``own``: masks of
    what is random of an observer's own, where one has handed in."""
    one, two = twins
    assert one.world.now == two.world.now
    shown, differ = 0, []
    for who in one.seats:
        for path in addresses(one.ref, who):
            a, b = (_without(seen(twin, who, path), own) for twin in twins)
            shown += a[0] == 200
            if a != b:
                where = next(
                    (i for i, (x, y) in enumerate(zip(a[2], b[2], strict=False)) if x != y), min(len(a[2]), len(b[2]))
                )
                differ.append(
                    f"{when}: {who} {path} {a[0]}/{b[0]}\n  {a[2][max(0, where - 80) : where + 120]!r}\n  "
                    f"{b[2][max(0, where - 80) : where + 120]!r}"
                    if a[2] != b[2]
                    else f"{when}: {who} {path} {a[:2]} {b[:2]}"
                )
    assert not differ, "\n".join(differ[:12])
    return shown


def _without(answer: tuple[Any, ...], own: tuple[tuple[re.Pattern[str], str], ...]) -> tuple[Any, ...]:
    text = answer[2]
    for pattern, instead in own:
        text = pattern.sub(instead, text)
    return answer[0], answer[1], text


def log_size(world: World) -> int:
    with world.view("clock") as view:
        return log.size(view)


def together(twins: tuple[Twin, Twin], moment: Any) -> None:
    for twin in twins:
        twin.world.clock.set(moment)
        timeline.turn(twin.world.office)


@pytest.mark.rule("9.1.bidders", "9.1.takers")
@pytest.mark.long
@pytest.mark.promise("S1")
def test_nobody_can_tell_the_world_with_bids_from_the_one_without(twins: tuple[Twin, Twin]) -> None:
    empty, busy = twins
    assert compare(twins, "before anybody bid") > 60
    bid_busily(busy.world, busy.ref)
    moment = busy.world.now.replace(second=0, microsecond=0) + timedelta(minutes=3)
    together(twins, moment)
    for twin in twins:  # sign-ins are as old as the world: the observers go on where they were
        for who, (username, role) in OBSERVERS.items():
            twin.seats[who] = twin.rooms.person(username, role)
    compare(twins, "after the bids")
    with busy.world.view("clock") as view:
        deadline = busy.world.lot_in(view, busy.ref).deadline
    assert deadline is not None
    for seconds in (-20, 0, 30):
        together(twins, deadline + timedelta(seconds=seconds))
    for twin in twins:
        for who, (username, role) in OBSERVERS.items():
            twin.seats[who] = twin.rooms.person(username, role)
    compare(twins, "at the deadline, before the closing tick")
    assert log_size(empty.world) == log_size(busy.world)
    assert letters_of(empty) == letters_of(busy)


def letters_of(twin: Twin) -> list[tuple[str, str]]:
    """What the platform has written to anybody but bidders."""
    bidders = {f"party:{twin.world.party_ids[name]}" for name in twin.world.bidders}
    with twin.world.view("clock") as view:
        return sorted((m.to, m.template) for m in view.session.scalars(select(outbox.Message)) if m.to not in bidders)


@pytest.mark.promise("S1")
def test_no_figure_of_metrics_and_no_line_of_a_log_tells_of_a_bid(
    twins: tuple[Twin, Twin], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In one world a firm uploads and submits over HTTP and looks round, and others bid busily; in both a clerk opens one page."""
    empty, busy = twins
    caplog.set_level("INFO", "bidhall")
    told, moment = [], empty.world.now.replace(second=0, microsecond=0) + timedelta(minutes=3)
    for twin in twins:
        TALLY.share(1)
        caplog.clear()
        twin.seats["clerk"] = twin.rooms.person("clerk", "centre")
        assert twin.seats["clerk"].client.get("/centre").status_code == 200
        if twin is busy:
            world, ref = twin.world, twin.ref
            world.take_part(ref, "bidder4")
            person = twin.rooms.person("bidder4", "bidder-signer")
            bid = sealed_bid(world, ref, "bidder4")
            assert hand_in(person, ref, bid).status_code == 200
            for path in (
                f"/lots/{ref}/ticket.json",
                f"/bidder/lots/{ref}",
                "/account",
                "/static/js/seal_worker.js",
                "/notices",
            ):
                assert person.client.get(path).status_code == 200
            assert twin.seats["public"].client.get(f"/lots/{ref}/ticket.json").status_code == 200
            bid_busily(world, ref)
        together((twin, twin), moment)
        settings = Settings(data=tmp_path / "data", database="", blobs=str(tmp_path), metrics="loopback")
        figures = Metrics(Wellness(None, twin.world.office), settings, twin.world.office).text()
        assert 'bidhall_requests_total{desk="centre",status="2xx"} 1' in figures
        told.append(
            (re.sub(r"(request_seconds\w+\{[^}]*\}) .*", r"\1", figures), [one.getMessage() for one in caplog.records])
        )
    assert told[0] == told[1] and told[0][1] == ["answered"]


@pytest.mark.promise("S1")
def test_the_log_grows_by_the_clock_alone(twins: tuple[Twin, Twin]) -> None:
    empty, busy = twins
    sizes = []
    for minute in range(1, 6):
        if minute == 2:
            bid_busily(busy.world, busy.ref)
        together(twins, empty.world.now.replace(second=0, microsecond=0) + timedelta(minutes=1))
        sizes.append((log_size(empty.world), log_size(busy.world)))
        with empty.world.view("clock") as one, busy.world.view("clock") as two:
            a, b = log.last_tick(one.session), log.last_tick(two.session)
            assert (
                a is not None
                and b is not None
                and (a.at, len(a.leaf), len(a.checkpoint)) == (b.at, len(b.leaf), len(b.checkpoint))
            )
    assert all(a == b for a, b in sizes) and sizes[-1][0] == sizes[0][0] + 4
    assert letters_of(empty) == letters_of(busy)


def test_the_masks_hide_no_names_and_no_numbers() -> None:
    for told in (
        "投标单位1有限公司",
        "91130205MA0000101X",
        "2750000.00",
        "3 家",
        "bidder1",
        "KP-2026-AB12CD-1",
        "2026-03-24T01:30:00Z",
    ):
        assert masked(f"<td>{told}</td>") == f"<td>{told}</td>"
