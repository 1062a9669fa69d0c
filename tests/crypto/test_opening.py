"""The opening: list, set and replay by vectors; an officer's client against a platform that cheats (protocol section 5)."""

import dataclasses
from typing import Any

import pytest

from crypto import opening
from crypto.canonical import b64u, loads
from crypto.documents import check_document, sign_document
from crypto.errors import CryptoError
from crypto.signatures import document_hash, sign
from crypto.ticks import check_entry, commitment, sign_entry
from tests.crypto import ceremony
from tests.crypto.ceremony import OFFICERS, PLATFORM, SUPERVISOR, bidder_secret, check, played
from tests.crypto.vectors import vec


@pytest.mark.parametrize("case", vec("entry_lists"), ids=lambda c: c["id"])
def test_entry_lists(case: dict[str, Any]) -> None:
    made = opening.entries_hash(bytes.fromhex(case["salt"]), [bytes.fromhex(c) for c in case["entries"]])
    assert made == b64u(bytes.fromhex(case["hash"]))


@pytest.mark.parametrize("case", vec("opening_sets"), ids=lambda c: c["id"])
def test_replay(case: dict[str, Any]) -> None:
    assert opening.entries_hash(bytes.fromhex(case["list_salt"]), [commitment(e) for e in case["entries"]]) == b64u(
        bytes.fromhex(case["list_hash"])
    )
    for entries in (case["entries"], case["entries"][::-1]):
        args = (entries, case["documents"])
        where: dict[str, Any] = {"tender": "KP-2026-0031", "lot": "1", "envelope": "price"}
        if case["expect"]:
            with pytest.raises(CryptoError) as refused:
                opening.replay(*args, **where)
            assert refused.value.code == case["expect"]
        else:
            assert opening.replay(*args, **where) == case["bids"]


def test_opening_vector() -> None:
    case = vec("opening")
    entry, deadline, opening_set = (loads(case[k].encode()) for k in ("deadline_entry_jcs", "deadline_jcs", "set_jcs"))
    check_entry(entry)
    check_document("deadline", deadline)
    check_document("opening-set", opening_set)
    assert entry["statement"] == document_hash(deadline)
    assert opening_set["deadline"] == b64u(commitment(entry))
    listed = {"v": 1, "entries": case["list"]["entries"], "salt": b64u(bytes.fromhex(case["list"]["salt"]))}
    assert opening.hash_of_list(listed) == deadline["entries"]
    assert {bid["entry"] for bid in opening_set["bids"]} <= set(listed["entries"])


HALL, PACKAGE = played()


def test_an_officer_replays_the_set_and_shares() -> None:
    checked = check(PACKAGE)
    assert checked.set == opening.set_id(HALL.set) and len(checked.bids) == 2
    assert checked.claims_end == "2026-03-01T01:33:00Z"
    assert {s["bidder"] for s in checked.statements.values()} == {"A", "B"}
    raws = [HALL.made[b["header_hash"]].header.raw for b in checked.bids]
    found = opening.take_headers(checked, raws)
    document = opening.release_shares(checked, found, j=2, secrets=lambda _: OFFICERS[1][1], now="2026-03-01T01:33:00Z")
    envelope = sign_document("shares", document, OFFICERS[1][0])
    from crypto.keys import ed25519_public

    assert opening.open_shares(envelope, ed25519_public(OFFICERS[1][0])) == document
    answer = opening.check_posted_shares(document, found, checked.set, checked.generations)
    assert all(part and not code for part, code in answer.values())
    with pytest.raises(CryptoError) as refused:
        opening.release_shares(checked, found, j=2, secrets=lambda _: OFFICERS[1][1], now="2026-03-01T01:32:59Z")
    assert refused.value.code == "UNAVAILABLE"
    for j in (1, 0, 6):
        with pytest.raises(CryptoError) as refused:
            opening.release_shares(checked, found, j=j, secrets=lambda _: OFFICERS[1][1], now="2026-03-01T01:33:00Z")
        assert refused.value.code == "CONTEXT_MISMATCH"


def test_a_withdrawn_bid_is_not_opened_under_a_listed_name() -> None:
    checked = check(PACKAGE)
    listed = [b["header_hash"] for b in checked.bids]
    withdrawn = next(name for name in HALL.made if name not in listed)
    raws = [HALL.made[name].header.raw for name in listed]
    for handed in ([*raws[:1], HALL.made[withdrawn].header.raw], raws[:1], [*raws, b"{}"]):
        with pytest.raises(CryptoError) as refused:
            opening.take_headers(checked, handed)
        assert refused.value.code == "SET_CONFLICT"


def test_posted_shares_are_checked_item_by_item() -> None:
    checked = check(PACKAGE)
    found = opening.take_headers(checked, [HALL.made[b["header_hash"]].header.raw for b in checked.bids])
    good = opening.release_shares(checked, found, j=1, secrets=lambda _: OFFICERS[0][1], now="2026-03-01T01:33:00Z")
    first, second = good["items"]
    wrong = {**good, "items": [{**first, "part": b64u(bytes(32))}, {**second, "part": "", "error": "SHARE_OPEN"}]}
    answer = opening.check_posted_shares(wrong, found, checked.set, checked.generations)
    assert answer[first["header_hash"]] == (b"", "SHARE_COMMIT")
    assert answer[second["header_hash"]] == (b"", "SHARE_OPEN")
    for items in ([first], [first, first], [first, second, second], []):
        with pytest.raises(CryptoError) as refused:
            opening.check_posted_shares({**good, "items": items}, found, checked.set, checked.generations)
        assert refused.value.code == "CONTEXT_MISMATCH"
    with pytest.raises(CryptoError):
        opening.check_posted_shares({**good, "set": b64u(bytes(32))}, found, checked.set, checked.generations)


def refused_with(package: opening.Package, **kwargs: object) -> str:
    with pytest.raises(CryptoError) as refused:
        check(package, **kwargs)  # type: ignore[arg-type]
    return refused.value.code


def change(**fields: object) -> opening.Package:
    return dataclasses.replace(PACKAGE, **fields)  # type: ignore[arg-type]


def test_nothing_before_its_time() -> None:
    assert refused_with(PACKAGE, now="2026-03-01T01:29:59Z") == "UNAVAILABLE"


def test_a_platform_that_leaves_out_or_adds() -> None:
    bids = HALL.set["bids"]
    assert refused_with(change(entries=PACKAGE.entries[1:])) == "LOG_OMISSION"
    shorter = {**PACKAGE.entry_list, "entries": PACKAGE.entry_list["entries"][1:]}
    assert refused_with(change(entry_list=shorter)) == "SET_CONFLICT"
    assert refused_with(change(statements=PACKAGE.statements[1:])) == "SET_CONFLICT"
    less = sign_document("opening-set", {**HALL.set, "bids": bids[:1]}, PLATFORM)
    assert refused_with(change(opening_set=less)) == "SET_OMISSION"
    more = sorted([*bids, {**bids[0], "header_hash": b64u(b"\xff" * 32)}], key=lambda b: b["header_hash"] == "_" * 42)
    assert refused_with(change(opening_set=sign("opening-set", {**HALL.set, "bids": more}, PLATFORM))) == "SET_CONFLICT"
    other = sign_document("opening-set", {**HALL.set, "deadline": b64u(bytes(32))}, PLATFORM)
    assert refused_with(change(opening_set=other)) == "CONTEXT_MISMATCH"
    assert refused_with(change(opening_set=sign_document("opening-set", HALL.set, SUPERVISOR))) == "SIG"


def test_a_statement_its_bidder_never_signed() -> None:
    statement = loads(__import__("base64").b64decode(PACKAGE.statements[0]["payload"]))
    forged = sign_document("submission", statement, PLATFORM)
    assert refused_with(change(statements=[forged, *PACKAGE.statements[1:]])) == "SET_CONFLICT"


def test_other_policies_deadlines_and_closings() -> None:
    policy = {**HALL.policy, "window": 31}
    envelope = sign_document("policy", policy, PLATFORM, *(s for s, _ in OFFICERS))
    assert refused_with(change(policies=[envelope])) == "CONTEXT_MISMATCH"
    few = sign_document("policy", HALL.policy, PLATFORM, *(s for s, _ in OFFICERS[:4]))
    assert refused_with(change(policies=[few])) == "SIG"
    assert refused_with(change(policies=[])) == "CONTEXT_MISMATCH"
    assert refused_with(change(deadline={**PACKAGE.deadline, "at": "2026-03-01T01:31:10Z"})) == "CONTEXT_MISMATCH"
    assert refused_with(change(before_closing=None)) == "TICK_PROOF"
    earlier = {"leaf": HALL.sealed[0].leaf, "tlog": HALL.tlog(0, HALL.log.size - 1)}
    assert refused_with(change(before_closing=earlier)) == "TICK_PROOF"
    assert refused_with(change(deadline_receipt={"entry": PACKAGE.deadline_receipt["entry"]})) == "TICK_PROOF"


def closed(**kwargs: object) -> tuple[ceremony.Hall, opening.Package]:
    hall = ceremony.Hall()
    hall.publish()
    hall.bid("A", "2026-03-01T01:00:00Z")
    return hall, hall.close(**kwargs)  # type: ignore[arg-type]


def test_closing_tick_too_early_not_the_first_or_not_cosigned() -> None:
    assert refused_with(closed(at="2026-03-01T01:30:50Z", before="2026-03-01T01:30:40Z")[1]) == "TICK_PROOF"
    assert refused_with(closed(at="2026-03-01T01:31:10Z", before="2026-03-01T01:31:00Z")[1]) == "TICK_PROOF"
    _, late = closed(cosigned_after=61)
    assert refused_with(late) == "TICK_PROOF"
    check(late, trust=dataclasses.replace(ceremony.TRUST, quorum=0))
    check(closed(cosigned_after=60)[1])


def test_a_late_accepted_entry() -> None:
    hall = ceremony.Hall()
    hall.publish()
    hall.bid("A", "2026-03-01T01:30:00Z")
    assert refused_with(hall.close()) == "LATE"


def test_late_close() -> None:
    hall, package = closed(at="2026-03-01T01:45:00Z", before="2026-03-01T01:29:50Z")
    assert refused_with(package, now="2026-03-01T03:00:00Z") == "UNAVAILABLE"
    document = {
        "v": 1,
        "at": "2026-03-01T02:10:00Z",
        "closing": hall.log.size - 1,
        "deadline": hall.set["deadline"],
        "policy": hall.set["policy"],
        "finding": "power cut",
        "platform": "example",
        "tender": "T",
        "lot": "1",
        "envelope": "price",
    }
    size = hall.log.size
    entry = hall.entry("late-close", "2026-03-01T02:10:00Z", document_hash(document))
    hall.tick("2026-03-01T02:11:00Z")
    good = dataclasses.replace(
        package,
        late_close=sign_document("late-close", document, SUPERVISOR),
        late_close_receipt=hall.receipt(entry, hall.log.size - 1),
        consistency={(size, hall.log.size): hall.log.consistency(size)},
    )
    assert check(good, now="2026-03-01T03:00:00Z").closing.at == "2026-03-01T01:45:00Z"
    for wrong, code in (
        ({"late_close": sign_document("late-close", document, PLATFORM)}, "SIG"),
        ({"late_close": sign_document("late-close", {**document, "closing": 1}, SUPERVISOR)}, "CONTEXT_MISMATCH"),
        ({"consistency": {}}, "TICK_PROOF"),
        ({"late_close_receipt": None}, "UNAVAILABLE"),
    ):
        assert refused_with(dataclasses.replace(good, **wrong), now="2026-03-01T03:00:00Z") == code


def test_an_extension_keeps_earlier_bids() -> None:
    from crypto.policies import policy_id

    hall = ceremony.Hall()
    hall.publish()
    hall.bid("A", "2026-03-01T01:00:00Z")
    first, first_entry = hall.policy, hall.policy_entry
    hall.policy = {
        **first,
        "supersedes": policy_id(first),
        "deadline": "2026-03-02T01:30:00Z",
        "opens_at": "2026-03-02T01:30:00Z",
    }
    hall.policy_entry = hall.entry("policy", "2026-03-01T01:10:00Z", document_hash(hall.policy))
    hall.tick("2026-03-01T01:11:10Z")
    hall.bid("B", "2026-03-02T01:00:00Z")
    package = hall.close(at="2026-03-02T01:31:00Z", before="2026-03-02T01:30:50Z")
    last = hall.log.size - 1
    both = dataclasses.replace(
        package,
        policies=[sign_document("policy", first, PLATFORM, *(s for s, _ in OFFICERS)), *package.policies],
        policy_receipts=[hall.receipt(first_entry, last), *package.policy_receipts],
    )
    checked = check(both, now="2026-03-02T01:40:00Z")
    found = opening.take_headers(checked, [hall.made[b["header_hash"]].header.raw for b in checked.bids])
    assert {h.ctx["policy"] for h in found.values()} == {policy_id(first), policy_id(hall.policy)}
    late = hall.entry("policy", "2026-03-02T00:00:00Z", document_hash(hall.policy))
    hall.tick("2026-03-02T01:31:10Z")
    size = hall.log.size
    after = dataclasses.replace(
        both,
        policy_receipts=[both.policy_receipts[0], hall.receipt(late, size - 1)],
        consistency={(size - 1, size): hall.log.consistency(size - 1)},
    )
    assert refused_with(after, now="2026-03-02T01:40:00Z") == "CONTEXT_MISMATCH"
    alone = check(package, now="2026-03-02T01:40:00Z")
    with pytest.raises(CryptoError) as refused:
        opening.take_headers(alone, [hall.made[b["header_hash"]].header.raw for b in alone.bids])
    assert refused.value.code == "CONTEXT_MISMATCH"


def test_entries_of_another_lot_do_not_pass() -> None:
    import copy

    entry = copy.deepcopy(HALL.entries[0])
    forged = sign_entry({**entry, "lot": "2"}, PLATFORM)
    receipts = [{**PACKAGE.entries[0], "entry": forged}, *PACKAGE.entries[1:]]
    assert refused_with(change(entries=receipts)) == "TICK_PROOF"
    assert bidder_secret("A") != bidder_secret("B")
