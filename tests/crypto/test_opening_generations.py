"""An opening whose officers were replaced while bids lay sealed: each bid by those it was sealed to, the dead ones by nobody."""

import dataclasses
import io
from typing import Any

import pytest

from crypto import opening
from crypto.canonical import b64u
from crypto.documents import sign_document
from crypto.errors import CryptoError
from crypto.keys import ed25519_public, kid, x25519_public
from crypto.policies import policy_id
from crypto.policy_lines import Generation, boxes_of, dead_bids
from crypto.signatures import document_hash
from crypto.verdicts import open_bid, policy_dead
from tests.crypto import ceremony
from tests.crypto.ceremony import OFFICERS, PLATFORM, SIDES, TRUST, policy_of, signing_keys

SIGN = {f"officer {j}": bytes([10 + j]) * 32 for j in range(1, 10)}
KEYS = {kid("ed25519", ed25519_public(secret)): ed25519_public(secret) for secret in SIGN.values()}
NOW = "2026-03-01T01:34:00Z"


def secret_of(name: str, policy: Any) -> bytes:
    """An officer's secret of the scope a policy names: the first generation's as in the ceremony, a new one for each serial."""
    number = int(name.split()[1])
    return bytes([20 + number]) * 32 if policy["serial"] == 1 else bytes([20 + number, policy["serial"]] * 16)


def after(old: dict[str, Any], names: list[str], **change: Any) -> dict[str, Any]:
    new = {**old, "serial": old["serial"] + 1, "supersedes": policy_id(old), **change}
    new["officers"] = [
        {
            "name": name,
            "pk": b64u(x25519_public(secret_of(name, new))),
            "side": side,
            "sign_kid": kid("ed25519", ed25519_public(SIGN[name])),
        }
        for name, side in zip(names, SIDES, strict=True)
    ]
    return new


def named(*numbers: int) -> list[str]:
    return [f"officer {number}" for number in numbers]


class Replaced:
    """A and B bid under the first officers; then others are named, and B bids anew, C for the first time."""

    def __init__(self, names: list[str], logged_at: str = "2026-03-01T01:10:00Z", **change: Any) -> None:
        self.hall = hall = ceremony.Hall()
        hall.publish()
        self.first, first_entry = hall.policy, hall.policy_entry
        for bidder in ("A", "B"):
            hall.bid(bidder, "2026-03-01T01:00:00Z")
        hall.tick("2026-03-01T01:01:10Z")
        self.second = hall.policy = after(self.first, names, **change)
        hall.policy_entry = hall.entry("policy", logged_at, document_hash(hall.policy))
        hall.tick("2026-03-01T01:11:10Z")
        hall.bid("B", "2026-03-01T01:12:00Z", "4.00")
        hall.bid("C", "2026-03-01T01:13:00Z", "5.00")
        closed = hall.close()
        last = hall.log.size - 1
        signed = [
            sign_document("policy", policy, PLATFORM, *(SIGN[o["name"]] for o in policy["officers"]))
            for policy in (self.first, self.second)
        ]
        receipts = [hall.receipt(first_entry, last), *closed.policy_receipts]
        self.package = dataclasses.replace(closed, policies=signed, policy_receipts=receipts)

    def check(self, **change: Any) -> opening.CheckedSet:
        return opening.check_opening(
            dataclasses.replace(self.package, **change), TRUST, now=NOW, officer_keys=KEYS, signing_keys=signing_keys
        )

    def headers(self, checked: opening.CheckedSet) -> dict[str, Any]:
        return opening.take_headers(checked, [self.hall.made[bid["header_hash"]].header.raw for bid in checked.bids])


def shares_of(checked: opening.CheckedSet, found: dict[str, Any], name: str) -> dict[str, Any]:
    j = next(j for j, one in enumerate(checked.policy["officers"], 1) if one["name"] == name)
    return opening.release_shares(checked, found, j=j, secrets=lambda policy: secret_of(name, policy), now=NOW)


def test_each_bid_is_opened_by_the_officers_it_was_sealed_to() -> None:
    """Officer 2 leaves, 7 comes, and the others sit elsewhere: under the new policy numbers differ from those of the boxes."""
    play = Replaced(named(4, 5, 3, 1, 7))
    checked = play.check()
    found = play.headers(checked)
    assert [(one.missing, one.alive) for one in checked.generations] == [((2,), True), ((), True)]
    by_bidder = {header.ctx["bidder"]: name for name, header in found.items()}
    assert set(by_bidder) == {"A", "B", "C"} and found[by_bidder["A"]].ctx["policy"] == policy_id(play.first)
    documents = {name: shares_of(checked, found, name) for name in named(4, 5, 3, 1, 7)}
    assert {len(one["items"]) for name, one in documents.items() if name != "officer 7"} == {3}
    assert {item["header_hash"] for item in documents["officer 7"]["items"]} == {by_bidder["B"], by_bidder["C"]}
    parts: dict[str, dict[int, bytes]] = {name: {} for name in found}
    for document in documents.values():
        boxes = boxes_of(checked.generations, found, document["j"])
        for name, (part, code) in opening.check_posted_shares(
            document, found, checked.set, checked.generations
        ).items():
            assert part and not code
            parts[name][boxes[name]] = part
    assert sorted(parts[by_bidder["A"]]) == [1, 3, 4, 5] and sorted(parts[by_bidder["C"]]) == [1, 2, 3, 4, 5]
    for name, header in found.items():
        source = io.BytesIO(play.hall.files[name])
        assert (
            open_bid(source, header, sealed_root=play.hall.made[name].sealed_root, parts=parts[name], sides=SIDES).code
            == "opened"
        )


def test_shares_are_of_just_the_own_boxes() -> None:
    play = Replaced(named(4, 5, 3, 1, 7))
    checked = play.check()
    found = play.headers(checked)
    mine, new = shares_of(checked, found, "officer 4"), shares_of(checked, found, "officer 7")
    for wrong in ({"items": mine["items"][1:]}, {"items": [*new["items"], mine["items"][0]]}):
        with pytest.raises(CryptoError) as refused:
            opening.check_posted_shares(
                {**(mine if len(wrong["items"]) == 2 else new), **wrong}, found, checked.set, checked.generations
            )
        assert refused.value.code == "CONTEXT_MISMATCH"
    # officer 4 sits first now, but its old box is the fourth: a part of box 1 is not its own
    old = next(name for name, header in found.items() if header.ctx["policy"] == policy_id(play.first))
    theirs = next(item for item in shares_of(checked, found, "officer 1")["items"] if item["header_hash"] == old)
    swapped = [theirs if item["header_hash"] == old else item for item in mine["items"]]
    assert opening.check_posted_shares({**mine, "items": swapped}, found, checked.set, checked.generations)[old] == (
        b"",
        "SHARE_COMMIT",
    )


def test_bids_of_a_dead_generation_are_opened_by_nobody() -> None:
    play = Replaced(named(4, 8, 3, 9, 7))
    checked = play.check()
    found = play.headers(checked)
    dead = dead_bids(checked.generations, found)
    (name,) = dead
    assert found[name].ctx["bidder"] == "A" and not checked.generations[0].alive
    verdict = policy_dead(name, dead[name])
    assert (verdict.code, verdict.cause) == ("POLICY_DEAD", "unknown"), "1, 2 and 5: platform and tenderee"
    assert all(
        name not in {item["header_hash"] for item in shares_of(checked, found, one["name"])["items"]}
        for one in checked.policy["officers"]
    )
    part = {"error": "", "header_hash": name, "part": b64u(bytes(32))}
    document = shares_of(checked, found, "officer 4")
    with pytest.raises(CryptoError) as refused:
        opening.check_posted_shares(
            {**document, "items": [*document["items"], part]}, found, checked.set, checked.generations
        )
    assert refused.value.code == "CONTEXT_MISMATCH"


def test_the_cause_of_a_dead_policy_is_that_of_its_missing_officers() -> None:
    two = {**policy_of(), "t": 2, "n": 4, "officers": policy_of()["officers"][:4]}
    causes = [policy_dead("x", Generation((two,), missing)).cause for missing in ((1, 4), (2,), (2, 3), (3, 4))]
    assert causes == ["platform", "tenderee", "unknown", "unknown"]


def test_a_platform_that_bends_the_line() -> None:
    play = Replaced(named(4, 5, 3, 1, 7))
    policies, receipts = play.package.policies, play.package.policy_receipts
    alone = play.check(
        policies=policies[1:], policy_receipts=receipts[1:]
    )  # without the first policy its bids are under none
    for bent in (
        lambda: play.headers(alone),
        lambda: play.check(policies=policies[::-1], policy_receipts=receipts[::-1]),
        lambda: Replaced(named(4, 5, 3, 1, 7), serial=1).check(),
    ):
        with pytest.raises(CryptoError) as refused:
            bent()
        assert refused.value.code == "CONTEXT_MISMATCH"


def test_new_officers_after_the_deadline_then_in_force_are_none() -> None:
    play = Replaced(named(4, 5, 3, 1, 7))
    hall = play.hall
    late = hall.entry("policy", "2026-03-01T01:29:00Z", document_hash(play.second))
    hall.tick("2026-03-01T01:31:10Z")
    size = hall.log.size
    with pytest.raises(CryptoError) as refused:
        play.check(
            policy_receipts=[play.package.policy_receipts[0], hall.receipt(late, size - 1)],
            consistency={(size - 1, size): hall.log.consistency(size - 1)},
        )
    assert refused.value.code == "CONTEXT_MISMATCH"


def test_who_left_and_who_was_never_there_gives_nothing() -> None:
    play = Replaced(named(4, 5, 3, 1, 7))
    checked = play.check()
    found = play.headers(checked)
    with pytest.raises(CryptoError) as refused:  # officer 2's own key of the first policy fits no seat of the newest
        opening.release_shares(checked, found, j=2, secrets=lambda _: OFFICERS[1][1], now=NOW)
    assert refused.value.code == "CONTEXT_MISMATCH"
