"""Who signed what (claim A1): for every kind of document there is, each way of its not being signed by the one who should have signed it.

Every case rewrites the bundle of a real tender as a platform with all its keys could: entries, ticks, log, proofs and index fit again, so
nothing but the missing signature can tell. A kind without a case fails the test of the table.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from crypto.canonical import b64u, unb64u
from crypto.documents import KINDS, check_document
from crypto.keys import ed25519_public, kid, new_secret
from crypto.signatures import document_hash, payload_of, sign
from crypto.trust import trust_of
from tests.web.bundles import play
from tests.web.bundles.every_kind import LOG, MIRROR, PLATFORM, Played, a_byte, faults, secret, told
from tests.web.bundles.rewriting import Rewriter
from web.verifier import verify_bundle

Who = Callable[[Played, dict[str, Any], Rewriter], list[str]]


def by(*names: str) -> Who:
    return lambda played, value, forger: list(names)


def its_bidder(played: Played, value: dict[str, Any], forger: Rewriter) -> list[str]:
    return [played.bidder(value["bidder"])]


def of_the_bid(played: Played, value: dict[str, Any], forger: Rewriter) -> list[str]:
    path = forger.one("bids/submission.", lambda one: bool(one["header_hash"] == value["header_hash"]))
    return [played.bidder(forger.value(path)["bidder"])]


def officer_j(played: Played, value: dict[str, Any], forger: Rewriter) -> list[str]:
    return [f"officer{value['j']}"]


def the_expert(played: Played, value: dict[str, Any], forger: Rewriter) -> list[str]:
    return [signer_of(played, forger, value)]


def signer_of(played: Played, forger: Rewriter, value: dict[str, Any]) -> str:
    """Whose hint stands beside the one signature."""
    name = document_hash(value)
    path = next(path for path in forger.below("sheets/") if name in path)
    return played.owner(json.loads(forger.files[path])["signatures"][0]["keyid"])


def as_it_stands(played: Played, value: dict[str, Any], forger: Rewriter) -> list[str]:
    """The platform first, then whoever else signed."""
    name = document_hash(value)
    path = next(
        path for path in forger.files if name in path and path.endswith(".json") and not path.startswith("entries/")
    )
    hints = [one["keyid"] for one in json.loads(forger.files[path])["signatures"]]
    platform = kid("ed25519", ed25519_public(played.over.world.office.keys.signing))
    return [PLATFORM, *(played.owner(hint) for hint in hints if hint != platform)]


def any_expert(name: str) -> bool:
    return name.startswith("expert")


@dataclass(frozen=True)
class Case:
    """``which``: of which tender; ``start``: where the documents of the kind lie; ``who`` should have signed; ``wrong``: a party of the
    same standing that should not; ``trusted``: its key is known to whoever verifies, not enrolled, so that none can come too late."""

    which: str
    start: str
    who: Who
    wrong: str
    trusted: bool = False
    wanted: Callable[[dict[str, Any]], bool] = lambda value: True


def platforms(which: str, start: str, **more: Any) -> Case:
    return Case(which, start, by(PLATFORM), LOG, trusted=True, **more)


SIGNED: dict[str, Case] = {
    "policy": Case("whole", "policy/policy.", as_it_stands, "buyer"),
    "drill": Case("whole", "policy/drill.", officer_j, "officer5", wanted=lambda value: value["j"] == 2),
    "published": platforms("whole", "policy/published."),
    "submission": Case(
        "eventful",
        "bids/submission.",
        its_bidder,
        "bidder4",
        wanted=lambda value: not value["tool"].startswith("flood"),
    ),
    "withdrawal": Case("whole", "bids/withdrawal.", its_bidder, "bidder1"),
    "mirror-ack": Case("eventful", "bids/mirror-ack.", by(MIRROR), PLATFORM, trusted=True),
    "late-close": Case("eventful", "policy/late-close.", by("watch"), PLATFORM, trusted=True),
    "omission-claim": Case("eventful", "bids/omission-claim.", its_bidder, "bidder1"),
    "opening-set": platforms("whole", "opening/opening-set."),
    "bidder-part": Case("co_opened", "opening/bidder-part.", of_the_bid, "officer1"),
    "shares": Case("whole", "opening/shares.", officer_j, "officer5", wanted=lambda value: value["j"] == 2),
    "bid-failed": platforms("eventful", "opening/bid-failed."),
    "rescue": Case("eventful", "opening/rescue.", of_the_bid, "bidder2"),
    "finding": Case("eventful", "opening/finding.", by("watch"), PLATFORM, trusted=True),
    "opened": Case("whole", "opening/opened.", as_it_stands, "bidder1"),
    "draw-notice": platforms("whole", "draw/draw-notice."),
    "draw-commit": Case(
        "whole", "draw/draw-commit.", by("buyer"), "bidder1", wanted=lambda value: value["party"] == "tenderee"
    ),
    "commit-list": Case("whole", "sheets/commit-list.", as_it_stands, "buyer"),
    "draw-reveal": Case(
        "whole", "draw/draw-reveal.", by("buyer"), "bidder1", wanted=lambda value: value["party"] == "tenderee"
    ),
    "draw": platforms("whole", "draw/draw."),
    "sheet-commit": Case("whole", "sheets/sheet-commit.", the_expert, "another expert"),
    "sheet": Case("whole", "sheets/sheet.", the_expert, "another expert"),
    "ranking": platforms("whole", "ranking/ranking."),
}
"""Kinds signed for an entry that names them."""
PLAIN: dict[str, tuple[str, str]] = {
    "refusal-list": ("eventful", "bids/refusal-list."),
    "deadline": ("whole", "policy/deadline."),
    "act": ("whole", "acts/"),
    "attempt": ("eventful", "bids/attempt."),
}
"""Kinds nobody signs: the entry names their hash."""
APART = {"enrolment", "entry", "entry-list", "index", "ticket", "draw-void", "approval"}
"""Kinds with tests of their own: test_signers_apart.py, test_verifier_rewritten.py (approvals), and the list below."""


def test_every_kind_of_document_has_its_case() -> None:
    assert set(KINDS) == set(SIGNED) | set(PLAIN) | APART
    assert not set(SIGNED) & set(PLAIN) and not APART & (set(SIGNED) | set(PLAIN))
    assert {kind for kind, rule in KINDS.items() if rule.signed_by.startswith("none")} == set(PLAIN) | {"entry-list"}


def stranger(played: Played, case: Case, right: list[str]) -> bytes:
    if case.wrong != "another expert":
        return secret(played, case.wrong)
    return secret(played, next(name for name in sorted(played.then) if any_expert(name) and name not in right))


class Bench:
    """One document of a kind in a fresh copy of its bundle."""

    def __init__(self, played: Played, kind: str) -> None:
        self.played, self.kind, self.case = played, kind, SIGNED[kind]
        self.forger = Rewriter(played.over.world, played.over.audit)
        self.path = self.forger.one(self.case.start, self.case.wanted)
        self.value = self.forger.value(self.path)
        self.right = self.case.who(played, self.value, self.forger)

    def secrets(self, *instead: bytes) -> list[bytes]:
        """Of those who should sign; the last of them replaced by ``instead``."""
        held = [secret(self.played, name) for name in self.right]
        return [*held[:-1], *instead] if instead else held

    def signed(self, *secrets: bytes, kind: str = "") -> list[str]:
        """Faults with the same payload signed by these; its hash stays, so nothing else needs to change."""
        self.forger.put(self.path, sign(kind or self.kind, self.value, *secrets))
        return faults(self.forger.write())


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    kind = request.param
    return Bench(request.getfixturevalue(SIGNED[kind].which), kind)


every_signed = pytest.mark.parametrize("bench", sorted(SIGNED), indirect=True)


@every_signed
def test_signed_anew_by_those_who_should_it_holds(bench: Bench) -> None:
    """The counter-case of all others: the keys this table names are the right ones, and all of them."""
    assert bench.signed(*bench.secrets()) == []


@every_signed
def test_the_wrong_party_of_the_right_standing(bench: Bench) -> None:
    assert told(bench.signed(*bench.secrets(stranger(bench.played, bench.case, bench.right))), bench.path)


@every_signed
def test_a_key_nobody_enrolled(bench: Bench) -> None:
    assert told(bench.signed(*bench.secrets(new_secret())), bench.path)


@every_signed
def test_one_signature_too_many(bench: Bench) -> None:
    assert told(bench.signed(*bench.secrets(), new_secret()), bench.path)


@every_signed
def test_a_key_enrolled_later(bench: Bench) -> None:
    """The party's own key, but of a later day. Whoever the verifier knows by itself has no day: it knows only keys it kept."""
    name = bench.right[-1]
    if not bench.case.trusted:
        assert told(bench.signed(*bench.secrets(bench.played.later[name])), bench.path)
        return
    if name != "watch":
        assert name not in bench.played.later, "neither the platform nor a mirror replaced its key here"
        return
    later = bench.played.later["watch"]
    kept = json.loads(bench.forger.files["keys/trust.json"])
    kept["supervisor_keys"] = [one for one in kept["supervisor_keys"] if unb64u(one) != ed25519_public(later)]
    bench.signed(*bench.secrets(later))
    assert told(faults(bench.forger.write(), trust_of(kept)), bench.path)


@every_signed
def test_unsigned(bench: Bench) -> None:
    envelope = json.loads(bench.forger.files[bench.path])
    bench.forger.put(bench.path, envelope | {"signatures": []})
    assert any(one.startswith(f"B_SIG {bench.path}") for one in faults(bench.forger.write()))
    bench.forger.files[bench.path] = payload_of(envelope)
    assert told(faults(bench.forger.write()), bench.path), "the bare document, of the very hash its entry names"


@every_signed
def test_the_type_of_another_kind(bench: Bench) -> None:
    other = "withdrawal" if bench.kind != "withdrawal" else "submission"
    assert told(bench.signed(*bench.secrets(), kind=other), bench.path, "SIG_TYPE")


@every_signed
def test_a_byte_of_its_payload(bench: Bench) -> None:
    """First the file alone: nothing names it. Then the whole history is written to match it, all but its signatures."""
    before = json.loads(bench.forger.files[bench.path])["signatures"]
    value = json.loads(json.dumps(bench.value))
    a_byte(value)
    check_document(bench.kind, value)
    only = Rewriter(bench.played.over.world, bench.played.over.audit)
    only.put(bench.path, sign(bench.kind, value, *bench.secrets()))
    assert f"B_SIG {bench.path} is named by no entry of the log" in faults(only.write())
    bench.forger.change(bench.path, a_byte, *bench.secrets())
    path = bench.path.replace(document_hash(bench.value), document_hash(value))
    bench.forger.edit(path, lambda envelope: envelope.update(signatures=before))
    bench.forger.relog()
    assert told(faults(bench.forger.write()), path)


@pytest.mark.parametrize("bench", ["sheet", "finding", "bidder-part"], indirect=True)
def test_the_whole_verification_says_so_too(bench: Bench) -> None:
    bench.signed(*bench.secrets(new_secret()))
    assert "B_SIG" in play.broken(verify_bundle(bench.forger.write()))["manifest"]


# --- what nobody signs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(PLAIN))
def test_a_plain_document_is_the_one_of_its_hash(kind: str, request: pytest.FixtureRequest) -> None:
    which, start = PLAIN[kind]
    played = request.getfixturevalue(which)

    def fresh() -> tuple[Rewriter, str, Any]:
        forger = Rewriter(played.over.world, played.over.audit)
        path = next(name for name in forger.below(start) if name.count("/") == 1)
        return forger, path, forger.value(path)

    forger, path, value = fresh()
    last = "last_at" if kind == "attempt" else "bidder" if kind == "refusal-list" else "at"
    changed = value | {last: value[last][:-2] + str((int(value[last][-2]) + 1) % 10) + value[last][-1]}
    check_document(kind, changed)
    forger.put(path, changed)
    assert f"B_SIG {path} is named by no entry of the log" in faults(forger.write())
    forger, path, value = fresh()
    forger.put(path, sign(kind, value, secret(played, PLATFORM)))
    # What was refused may be in any envelope: a refused submission stands there as it came.
    assert told(faults(forger.write()), path) is (kind != "attempt"), "signed, though nobody signs it"
    forger, path, value = fresh()
    forger.change(path, lambda one: one.pop("v"))
    forger.relog()
    changed_path = next(
        name for name in forger.below(start) if name not in Rewriter(played.over.world, played.over.audit).files
    )
    assert told(faults(forger.write()), changed_path, "JSON_PROFILE"), "logged anew, but no document of its kind"


def test_a_list_is_the_one_its_deadline_commits_to(whole: Played) -> None:
    forger = Rewriter(whole.over.world, whole.over.audit)
    forger.edit("entries/lists/bid.json", lambda value: value.update(salt=b64u(bytes(32))))
    assert "B_GAP" in forger.verdict()["log"]
