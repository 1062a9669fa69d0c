"""Files of opened bids in quarantine: waiting, scanned by clamd, unscanned without a scanner; never out when something was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.kit import opening_steps, sealing, stages
from tests.kit.clamd import MARKER, MOST, NAME, find_clamd, real_clamd, speaking
from tests.kit.world import World
from trading.awarding import archives
from trading.files.scanning import NO_BYTES, Finding, Quarantine, ScannerDown
from trading.hall import opened_files
from trading.hall.opened_files import OpenedFile
from trading.kernel.access import CLOCK
from trading.kernel.audit import ActRecord
from trading.kernel.errors import NotAllowed, WrongStep
from trading.opening import decryption
from trading.opening.ceremony import OpenedBid
from web.clamd import Clamd, parse_address


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    if find_clamd() is None:
        pytest.skip("no clamd on this machine: the protocol is tried on a small server of our own only")
    with real_clamd(tmp_path_factory.mktemp("clamd")) as found:
        yield found


def opened(world: World, **data: bytes) -> str:
    """A lot with every bid decrypted; the named bidders' files hold these bytes."""

    def build(world: World) -> str:
        ref = world.lot("BIDDING")
        world.take_part(ref)
        sealing.open_for_bids(world, ref)
        for username in world.bidders:
            made = sealing.seal(
                world,
                ref,
                username,
                form=opening_steps.form(),
                data=data.get(username, b"offer of " + username.encode()),
            )
            assert sealing.hand_in(world, ref, username, *made).accepted
        sealing.close(world, ref)
        sealing.list_set(world, ref)
        for username in opening_steps.ALL:
            opening_steps.share(world, ref, username)
        decryption.open_bids(world.office, world.actor("host"), ref)
        return ref

    return str(stages.reach(world, "quarantine/" + ",".join(sorted(data)), build))


def rows(world: World) -> dict[str, OpenedFile]:
    """username → the row of its one file."""
    names = {world.party_ids[name]: name for name in world.bidders}
    with world.view("clock") as view:
        found = view.session.execute(
            select(OpenedFile, OpenedBid.party_id).join(OpenedBid, OpenedBid.id == OpenedFile.opened_bid_id)
        )
        return {names[party]: row for row, party in found}


def states(world: World, ref: str, *, scanned: bool) -> list[str]:
    with world.view("clock") as view:
        return sorted(
            one.state for one in opened_files.states(view.session, world.lot_in(view, ref), scanned=scanned).values()
        )


def release(world: World, username: str, *, scanned: bool = True) -> Quarantine:
    with world.view("clock") as view:
        bid = view.session.scalar(select(OpenedBid).where(OpenedBid.party_id == world.party_ids[username]))
        assert bid is not None
        return opened_files.release(view.session, bid, 0, scanned=scanned)


def told(world: World, act: str) -> list[dict[str, Any]]:
    with world.view("clock") as view:
        found = [json.loads(row.payload) for row in view.session.scalars(select(ActRecord).order_by(ActRecord.id))]
    return [record["facts"] for record in found if record["act"] == act]


@pytest.mark.promise("U2")
def test_nothing_leaves_quarantine_before_the_scanner_has_looked(world: World) -> None:
    ref = opened(world)
    assert states(world, ref, scanned=True) == ["waiting"] * 3
    with pytest.raises(WrongStep, match="file.waiting"):
        release(world, "bidder1")


@pytest.mark.promise("U2")
def test_without_a_scanner_it_says_so(world: World) -> None:
    ref = opened(world)
    assert states(world, ref, scanned=False) == ["unscanned"] * 3  # at once: nothing will ever come
    assert opened_files.scan(world.office, None) == [f"unscanned {ref}"]
    assert opened_files.scan(world.office, None) == []
    assert release(world, "bidder1", scanned=False).state == "unscanned"
    (facts,) = told(world, "file.unscanned")
    assert len(facts["files"]) == 3
    # a scanner that comes later looks at them after all, and until then nothing is handed out
    with pytest.raises(WrongStep, match="file.waiting"):
        release(world, "bidder1", scanned=True)
    with speaking(b"stream: OK\0") as scanner:
        assert opened_files.scan(world.office, scanner) == [f"clean {ref}"] * 3
    assert release(world, "bidder1").state == "clean"


@pytest.mark.promise("U2")
def test_a_real_clamd_finds_its_signature_and_the_file_stays(world: World, clamd: Clamd) -> None:
    ref = opened(world, bidder2=b"before " + MARKER + b" after", bidder3=b"x" * (MOST + 100_000))
    assert sorted(opened_files.scan(world.office, clamd)) == [f"clean {ref}", f"infected {ref}", f"refused {ref}"]
    found = rows(world)
    assert found["bidder1"].state == "clean" and found["bidder1"].scanner.startswith("ClamAV ")
    assert (found["bidder2"].state, found["bidder2"].finding) == ("infected", f"{NAME}.UNOFFICIAL")
    assert found["bidder3"].state == "refused" and "size limit" in found["bidder3"].finding
    assert release(world, "bidder1").state == "clean"
    with pytest.raises(WrongStep, match="file.infected") as refusal:
        release(world, "bidder2")
    assert refusal.value.facts["finding"] == f"{NAME}.UNOFFICIAL"
    with pytest.raises(WrongStep, match="file.refused"):
        release(world, "bidder3")
    facts = told(world, "file.scan")
    assert sorted(one["state"] for one in facts) == ["clean", "infected", "refused"]
    with world.view("clock") as view:
        (bid,) = view.session.scalars(select(OpenedBid).where(OpenedBid.party_id == world.party_ids["bidder2"]))
        (held,) = opened_files.held_back(view.session, world.lot_in(view, ref))
    assert next(one for one in facts if one["state"] == "infected")["file"] == bid.files[0]["digest"] == held.digest
    assert opened_files.scan(world.office, clamd) == []  # nothing waits any more
    with world.view("clerk") as view:
        listed = [one for one in archives.contents(view, world.lot_in(view, ref)) if one.kind == "held_file"]
    assert [(one.name, one.needed, one.there) for one in listed] == [(f"{NAME}.UNOFFICIAL {held.digest}", False, True)]


@pytest.mark.promise("U2")
@pytest.mark.parametrize(
    "answer, state, what",
    [
        (b"stream: Win.Test.EICAR_HDB-1 FOUND\0", "infected", "Win.Test.EICAR_HDB-1"),
        (b"stream: Heuristics.Encrypted.Zip FOUND\0", "refused", "Heuristics.Encrypted.Zip"),
        (
            b"stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND\0",
            "refused",
            "Heuristics.Limits.Exceeded.MaxScanSize",
        ),
        (b"stream: Can't allocate memory ERROR\0", "refused", "Can't allocate memory"),
        (b"stream: OK, but later\0", "refused", "stream: OK, but later"),
        (b"OK\0", "clean", ""),
    ],
)
def test_answers(tmp_path: Path, answer: bytes, state: str, what: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"y" * 200_000)
    with speaking(answer) as scanner, path.open("rb") as source:
        found = scanner.scan(source)
    assert found.state == state and found.what in (what, what.removeprefix("stream: "))


def test_over_its_limit_it_answers_and_hangs_up(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"y" * 8_000_000)
    with (
        speaking(b"INSTREAM size limit exceeded. ERROR\0", hang_up_after=100_000) as scanner,
        path.open("rb") as source,
    ):
        try:
            assert scanner.scan(source) == Finding("refused", "INSTREAM size limit exceeded")
        except ScannerDown:  # the system may throw the answer away with what was still under way
            pass


def test_a_scanner_that_dies_leaves_the_file_waiting(world: World) -> None:
    ref = opened(world)
    with speaking(b"stream: OK\0", b"") as scanner, pytest.raises(ScannerDown):
        opened_files.scan(world.office, scanner)
    assert states(world, ref, scanned=True) == ["clean", "waiting", "waiting"]
    with pytest.raises(ScannerDown):
        opened_files.scan(world.office, Clamd(host="127.0.0.1", port=1))
    with speaking(b"stream: OK\0") as scanner:
        assert opened_files.scan(world.office, scanner) == [f"clean {ref}"] * 2


def test_a_file_in_another_process_is_left_to_it_for_a_while(world: World) -> None:
    ref = opened(world)
    with world.office.work(CLOCK) as work:
        opened_files.take_in(work)
        for row in work.session.scalars(select(OpenedFile)):
            row.taken_at = work.now
    with speaking(b"stream: OK\0") as scanner:
        assert opened_files.scan(world.office, scanner) == []
        world.clock.advance(minutes=6)
        assert len(opened_files.scan(world.office, scanner)) == 3
    assert states(world, ref, scanned=True) == ["clean"] * 3


def test_what_was_found_stays_found_and_a_no_is_asked_again_after_an_hour(world: World) -> None:
    ref = opened(world)
    with speaking(b"stream: Bad.One FOUND\0", b"stream: Can't open ERROR\0", b"stream: OK\0") as scanner:
        assert sorted(opened_files.scan(world.office, scanner)) == [f"clean {ref}", f"infected {ref}", f"refused {ref}"]
    bad = next(row for row in rows(world).values() if row.state == "infected")
    with world.work("clock") as work:
        opened_files.note(work, bad.id, Finding("clean"), scanner="another")
    assert next(row for row in rows(world).values() if row.id == bad.id).state == "infected"
    with speaking(b"stream: OK\0") as scanner:
        assert opened_files.scan(world.office, scanner) == []
        world.clock.advance(minutes=61)
        assert opened_files.scan(world.office, scanner) == [f"clean {ref}"]


def test_lost_bytes_are_refused_and_only_the_clock_scans(world: World) -> None:
    opened(world)
    with world.view("clock") as view:
        (bid,) = view.session.scalars(select(OpenedBid).where(OpenedBid.party_id == world.party_ids["bidder1"]))
    world.office.blobs.remove(bid.files[0]["blob"])
    with speaking(b"stream: OK\0") as scanner:
        opened_files.scan(world.office, scanner)
    assert rows(world)["bidder1"].finding == NO_BYTES
    with pytest.raises(NotAllowed), world.work("host") as work:
        opened_files.take_in(work)


@pytest.mark.parametrize(
    "text, where",
    [
        ("unix:/run/clamav/clamd.ctl", Clamd(path="/run/clamav/clamd.ctl")),
        ("/run/c.sock", Clamd(path="/run/c.sock")),
        ("tcp://127.0.0.1:3311", Clamd(host="127.0.0.1", port=3311)),
        ("scanner.example", Clamd(host="scanner.example", port=3310)),
    ],
)
def test_addresses(text: str, where: Clamd) -> None:
    assert parse_address(text) == where


@pytest.mark.parametrize("text", ["http://127.0.0.1", "unix:relative", "tcp://", "tcp://host:1/x", "tcp://host:99999"])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)
