"""What the line of writers tells (promise S1; docs/decisions/0010): who reads a page never stands in it, and who hands in gets the same
answer alone in a commit or with others. What a watch still tells a bidder who hands in itself is in docs/security.md."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from crypto.canonical import loads
from crypto.signatures import payload_of
from tests.kit import sealing
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from tests.laws.test_secrecy import Twin, _without, addresses, compare, log_size, masked, together
from trading.bidding import bids, uploads
from trading.kernel import commit_queue, faults
from trading.kernel.commit_queue import turns_of
from trading.kernel.work import Office
from trading.parties import parties

pytestmark = pytest.mark.promise("S1")
RIVAL = "bidder4"
OWN = (
    (re.compile(r"(?:[A-Za-z0-9_-]{4} ){2,}(?:… )?[A-Za-z0-9_-]{1,4}"), "*digest*"),
    (re.compile(r"\w+(?: · \w+){3}"), "*check words*"),
    (re.compile(r"[RA]-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}"), "*number*"),
    (re.compile(r"<span>-</span>(?:<b>)?[0-9A-Z]{2,4}(?:</b>)?"), "*signs*"),
    (re.compile(r'class="qr".*?</svg>', re.DOTALL), "*code*"),
)
"""What is random in one's own receipt: its number (also in groups, and as a code to scan), the digest of the ciphertext in
groups of four, and its four words."""


@contextmanager
def held(office: Office) -> Iterator[None]:
    """Somebody is inside a commit and stays there."""
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with contextlib.suppress(OSError), turns_of(office.engine).turn(together=True):
            inside.set()
            leave.wait(120)

    thread = threading.Thread(target=stay, daemon=True)
    thread.start()
    assert inside.wait(10)
    try:
        yield
    finally:
        leave.set()
        thread.join(10)


def waiting(office: Office) -> int:
    return len(turns_of(office.engine)._waiting)


def answered(pool: ThreadPoolExecutor, act: Callable[[], Any], what: str) -> Any:
    """What an act gives while somebody holds the turn. Fails where it stands in line instead."""
    try:
        return pool.submit(act).result(10)
    except TimeoutError:
        raise AssertionError(f"{what} waits for who hands in") from None


# --- who reads ----------------------------------------------------------------------------------------------------------------------------


def test_no_page_waits_for_who_hands_in(twins: tuple[Twin, Twin]) -> None:
    """Every page, as every observer, at once after signing in and again when the sign-in has to be seen anew."""
    one, _ = twins
    shown = 0
    for minutes in (0, 5):
        one.world.clock.advance(minutes=minutes)
        with ThreadPoolExecutor(1) as pool, held(one.world.office):
            for who, seat in one.seats.items():
                for path in addresses(one.ref, who)[: None if minutes == 0 else 3]:
                    answer = answered(
                        pool,
                        lambda seat=seat, path=path: _page_alone(seat.client, path),  # type: ignore[misc]
                        f"{who} {path}",
                    )
                    shown += answer == 200
                    assert waiting(one.world.office) == 0, f"{who} {path} waits for who hands in"
    assert shown > 100


def _page_alone(client: Any, path: str) -> int:
    """The answer to its last byte. It is not closed: what a server does after the last byte is no wait of the reader's."""
    answer = client.get(path, buffered=False)
    for _ in answer.response:
        pass
    return int(answer.status_code)


def test_that_somebody_was_seen_is_written_down_after_the_page(twins: tuple[Twin, Twin]) -> None:
    """The counter-case: the page is out while somebody holds the turn; closing it stands in line, and then the sign-in is seen."""
    one, _ = twins
    world = one.world

    def seen() -> list[Any]:
        with world.view("clock") as view:
            return [row.seen_at for row in view.session.query(parties.Login) if row.account_id == world.people["buyer"]]

    before = seen()
    world.clock.advance(minutes=5)
    with ThreadPoolExecutor(1) as pool:
        with held(world.office):
            answer = pool.submit(lambda: one.seats["purchaser"].client.get("/purchaser", buffered=False)).result(10)
            closing = pool.submit(answer.close)
            with pytest.raises(TimeoutError):
                closing.result(0.5)
            assert waiting(world.office) == 1 and seen() == before
        closing.result(10)
    assert max(seen()) == world.now > max(before)


# --- who hands in -------------------------------------------------------------------------------------------------------------------------


def ready(world: World, ref: str, username: str) -> tuple[str, dict[str, Any]]:
    """Everything but the act itself: the upload is whole, the submission signed."""
    sealed, submission = sealing.seal(world, ref, username, data=username.encode() * 5000)
    with world.work(username, SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    uploads.receive(world.office, world.actor(username, SIGNER), token, offset=0, pieces=[sealed])
    return token, submission


def submit(world: World, ref: str, username: str, token: str, submission: Any) -> dict[str, Any]:
    """As the page does it."""
    with world.office.work(world.actor(username, SIGNER), together=True) as work:
        outcome = bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)
        return dict(json.loads(json.dumps(bids.answer_document(work.session, outcome))))


def in_one_commit(world: World, acts: list[Callable[[], Any]]) -> tuple[list[Any], int]:
    """All of them behind one who holds the turn until they stand in line in this order: what each got, and how many commits it took."""
    commits = 0

    def count(_: Any) -> None:
        nonlocal commits
        commits += 1

    done: list[Future[Any]] = []
    with ThreadPoolExecutor(len(acts)) as pool:
        event.listen(world.office.engine, "commit", count)
        try:
            with held(world.office):
                for number, act in enumerate(acts, start=1):
                    done.append(pool.submit(act))
                    while waiting(world.office) < number:
                        threading.Event().wait(0.001)
            found = [one.exception(30) or one.result() for one in done]
        finally:
            event.remove(world.office.engine, "commit", count)
    return found, commits


def plain(answer: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
    """An answer without what is random in it: its text masked, its length, and the entry but for its random words."""
    entry = loads(payload_of(answer["entry"]))
    return (
        masked(json.dumps(answer, sort_keys=True)),
        len(json.dumps(answer)),
        {name: value for name, value in entry.items() if name not in ("id", "salt", "statement")},
    )


@pytest.mark.long
def test_who_hands_in_gets_the_same_answer_alone_and_in_a_commit_with_others(
    twins: tuple[Twin, Twin], monkeypatch: pytest.MonkeyPatch
) -> None:
    """bidder4 hands in in both worlds; in one of them three others do in the same commit, before and behind, one of them refused."""
    monkeypatch.setattr(commit_queue, "LONGEST_NS", 60 * 10**9)  # however slow the machine, who stands in line shares
    alone, among = twins
    others = [name for name in among.world.bidders if name != RIVAL][:3]
    for world, names in ((alone.world, [RIVAL]), (among.world, [*others, RIVAL])):
        world.take_part(alone.ref, *names)
    made = {name: ready(among.world, among.ref, name) for name in [*others, RIVAL]}
    mine = ready(alone.world, alone.ref, RIVAL)
    broken = {**made[others[1]][1], "signatures": made[others[2]][1]["signatures"]}
    order = [
        (others[0], made[others[0]]),
        (others[1], (made[others[1]][0], broken)),
        (RIVAL, made[RIVAL]),
        (others[2], made[others[2]]),
    ]
    got, commits = in_one_commit(
        among.world,
        [lambda name=name, one=one: submit(among.world, among.ref, name, *one) for name, one in order],  # type: ignore[misc]
    )
    (own,), commits_alone = in_one_commit(alone.world, [lambda: submit(alone.world, alone.ref, RIVAL, *mine)])
    assert commits == commits_alone == 1, "who held the turn shares with all of them, and with the one"
    reasons = [loads(payload_of(answer["entry"]))["reason"] for answer in got]
    assert reasons == ["", "SIG", "", ""]
    assert plain(got[2]) == plain(own)
    _look_at_all(alone, among)


def _look_at_all(alone: Twin, among: Twin) -> None:
    """What everybody sees afterwards, bidder4 of its own bid and receipt too, before and after the tick."""
    for seconds in (0, 150):
        together((alone, among), alone.world.now.replace(microsecond=0) + timedelta(seconds=seconds))
        assert log_size(alone.world) == log_size(among.world)
        receipts = [_receipts(twin) for twin in (alone, among)]
        assert receipts[0] == receipts[1] and len(receipts[0]) == 1
    compare((alone, among), "after the tick of the shared commit", OWN)


def _receipts(twin: Twin) -> list[tuple[int, str]]:
    with twin.world.view(RIVAL, SIGNER) as view:
        cs = [row.c for row in bids.own_receipts(view)]
    return [
        (answer.status_code, _without((0, [], masked(answer.text)), OWN)[2])
        for answer in (twin.seats["rival"].client.get(f"/bidder/receipts/{c}") for c in cs)
    ]


def test_a_commit_that_fails_tells_each_the_same(twins: tuple[Twin, Twin], monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails fails whoever was in the commit, alone or not, in the same words; what the others did is in none of them."""
    monkeypatch.setattr(commit_queue, "LONGEST_NS", 60 * 10**9)
    alone, among = twins
    said = []
    for world, names in ((alone.world, [RIVAL]), (among.world, ["bidder1", RIVAL, "bidder2"])):
        world.take_part(alone.ref, *names)
        made = {name: ready(world, alone.ref, name) for name in names}
        faults.arm("turns.commit:EIO@1")
        try:
            got, _ = in_one_commit(
                world,
                [
                    lambda name=name, world=world, made=made: submit(world, alone.ref, name, *made[name])  # type: ignore[misc]
                    for name in names
                ],
            )
        finally:
            faults.arm("")
        said.append((type(got[names.index(RIVAL)]), str(got[names.index(RIVAL)])))
        assert {(type(one), str(one)) for one in got} == {said[-1]}
    assert said[0] == said[1]
    assert log_size(alone.world) == log_size(among.world) and not _receipts(alone) and not _receipts(among)
