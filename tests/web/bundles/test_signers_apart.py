"""As test_signers.py, for kinds that stand elsewhere in a bundle or in none, and for keys that are right, but not then or not theirs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crypto.documents import check_document, sign_document
from crypto.errors import CryptoError
from crypto.keys import ed25519_public, kid, new_secret
from crypto.signatures import document_hash, payload_of, sign
from crypto.trust import trust_of
from tests.kit.world import World
from tests.web.bundles import play
from tests.web.bundles.every_kind import PLATFORM, Played, a_byte, enrolment_of, faults, secret, told
from tests.web.bundles.rewriting import Rewriter
from trading.bidding import tickets
from trading.custody import officers
from trading.disclosure.bundle import INDEX_SIGNATURE
from web.cli.offline import open_ticket

# --- enrolments, entries, index -------------------------------------------------------------------------------------------------------


def test_an_enrolment_is_signed_by_the_new_key_and_the_one_it_replaces(whole: Played) -> None:
    new, old = whole.later["bidder1"], whole.then["bidder1"]
    path = enrolment_of(Rewriter(whole.over.world, whole.over.audit), new)

    def found(kind: str = "enrolment", *secrets: bytes) -> list[str]:
        forger = Rewriter(whole.over.world, whole.over.audit)
        forger.put(path, sign(kind, forger.value(path), *secrets))
        return faults(forger.write())

    assert found("enrolment", new, old) == []
    wrong = {
        "the new key alone": (new,),
        "the old key alone": (old,),
        "another bidder's": (new, whole.then["bidder2"]),
        "nobody's": (new, new_secret()),
        "the platform's": (new, secret(whole, PLATFORM)),
        "one enrolled later": (new, whole.last),
        "one too many": (new, old, new_secret()),
    }
    for what, secrets in wrong.items():
        assert told(found("enrolment", *secrets), path), what
    assert told(found("policy", new, old), path, "SIG_TYPE")


def test_an_enrolment_unsigned_changed_or_out_of_the_log(whole: Played) -> None:
    def fresh() -> tuple[Rewriter, str]:
        forger = Rewriter(whole.over.world, whole.over.audit)
        return forger, enrolment_of(forger, whole.later["bidder1"])

    forger, path = fresh()
    forger.edit(path, lambda envelope: envelope.update(signatures=[]))
    assert told(faults(forger.write()), path)
    forger, path = fresh()
    value = forger.value(path)
    a_byte(value)
    forger.put(path, sign("enrolment", value, whole.later["bidder1"], whole.then["bidder1"]))
    assert told(faults(forger.write()), path), "an enrolment that is not in the log"
    forger, path = fresh()
    before, signatures = forger.value(path), json.loads(forger.files[path])["signatures"]
    forger.put(path, sign("enrolment", value, whole.later["bidder1"], whole.then["bidder1"]))
    entry = forger.entry_of("key-enrolled", lambda one: bool(one["statement"] == document_hash(before)))
    forger.change_entry(entry, lambda one: one.update(statement=document_hash(value)))
    forger.edit(path, lambda envelope: envelope.update(signatures=signatures))
    forger.relog()
    assert told(faults(forger.write()), path), "in the log, but not what was signed"


def test_an_entry_is_the_platforms_own(whole: Played) -> None:
    keys = whole.over.world.office.keys
    forger = Rewriter(whole.over.world, whole.over.audit)
    path = forger.entry_of("published")
    value, receipt = forger.entry(path), json.loads(forger.files[path])

    def found(envelope: Any) -> list[str]:
        forger.put(path, receipt | {"entry": envelope})
        return faults(forger.write())

    assert found(sign("entry", value, keys.signing)) == []
    wrong = {
        "the log's key": (keys.log,),
        "a supervisor's": (whole.then["buyer"],),
        "nobody's": (new_secret(),),
        "one too many": (keys.signing, new_secret()),
    }
    for what, secrets in wrong.items():
        assert told(found(sign("entry", value, *secrets)), path), what
    assert told(found(receipt["entry"] | {"signatures": []}), path)
    assert told(found(sign("published", value, keys.signing)), path, "SIG_TYPE")
    a_byte(value)
    assert told(found(sign("entry", value, keys.signing) | {"signatures": receipt["entry"]["signatures"]}), path)


def test_the_index_is_the_platforms_own(whole: Played, tmp_path: Path) -> None:
    with zipfile.ZipFile(whole.over.audit) as source:
        held = {one.filename: source.read(one) for one in source.infolist()}
    envelope = json.loads(held[INDEX_SIGNATURE])
    value, keys = json.loads(payload_of(envelope)), whole.over.world.office.keys

    def found(made: Any) -> list[str]:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archived:
            for name, data in held.items():
                archived.writestr(name, json.dumps(made).encode() if name == INDEX_SIGNATURE else data)
        path = tmp_path / "signed.zip"
        path.write_bytes(out.getvalue())
        return [one for one in faults(path) if INDEX_SIGNATURE in one or "another index" in one]

    assert found(sign("index", value, keys.signing)) == []
    for secrets in ((keys.log,), (new_secret(),), (keys.signing, new_secret())):
        assert told(found(sign("index", value, *secrets)), INDEX_SIGNATURE)
    assert told(found(envelope | {"signatures": []}), INDEX_SIGNATURE)
    assert told(found(sign("published", value, keys.signing)), INDEX_SIGNATURE, "SIG_TYPE")
    other = json.loads(json.dumps(value))
    other["files"][0]["size"] += 1
    assert "B_SIG the signature is of another index" in found(sign("index", other, keys.signing))
    assert told(found(sign("index", other, keys.signing) | {"signatures": envelope["signatures"]}), INDEX_SIGNATURE)


# --- a draw declared void: no act of the platform's makes one, so a hostile one does ---------------------------------------------------


def void(played: Played, *secrets: bytes, kind: str = "draw-void") -> tuple[list[str], str]:
    """An act's entry turned into one of a void draw, signed by these."""
    forger = Rewriter(played.over.world, played.over.audit)
    act = forger.one(
        "acts/", lambda value: value.get("act") == "tender.draft"
    )  # nothing else in the bundle speaks of it
    entry = act.replace("acts/", "entries/")
    document = {"v": 1, "at": forger.entry(entry)["at"], "draw": "T/x", "missing": ["tenderee"], "next": "T/y"}
    check_document("draw-void", document)
    del forger.files[act]
    forger.change_entry(
        entry, lambda one: one.update(event="draw-void", envelope="draw:experts", statement=document_hash(document))
    )
    path = f"draw/draw-void.{document_hash(document)}.json"
    forger.put(path, sign(kind, document, *secrets) if secrets else document)
    forger.relog()
    return faults(forger.write()), path


def test_a_draw_is_void_by_platform_and_supervisor_together(eventful: Played) -> None:
    platform, watch = secret(eventful, PLATFORM), secret(eventful, "watch")
    assert void(eventful, platform, watch)[0] == []
    wrong = {
        "the platform alone": (platform,),
        "the supervisor alone": (watch,),
        "an officer": (platform, secret(eventful, "officer1")),
        "nobody": (platform, new_secret()),
        "one too many": (platform, watch, new_secret()),
        "unsigned": (),
    }
    for what, secrets in wrong.items():
        found, path = void(eventful, *secrets)
        assert told(found, path), what
    found, path = void(eventful, platform, watch, kind="late-close")
    assert told(found, path, "SIG_TYPE")


def test_a_draw_is_void_by_any_key_of_the_platform(eventful: Played) -> None:
    """Whoever verifies may know several keys of the platform, the one that signed not being the first."""
    platform, watch = secret(eventful, PLATFORM), secret(eventful, "watch")
    void(eventful, platform, watch)
    path = Rewriter(eventful.over.world, eventful.over.audit).path.with_suffix(".forged.zip")
    kept = trust_of(json.loads(play.contents(path)["keys/trust.json"]))
    assert faults(path, replace(kept, platform_keys=(ed25519_public(new_secret()), *kept.platform_keys))) == []


# --- a ticket is never logged ---------------------------------------------------------------------------------------------------------


def test_a_ticket_is_the_platforms_own(running: tuple[World, str]) -> None:
    world, ref = running
    with world.view("clock") as view:
        envelope = tickets.ticket(view, world.lot_in(view, ref), officers.BID)
        kept = trust_of(tickets.trust(view))
    value, platform = json.loads(payload_of(envelope)), world.office.keys.signing
    assert open_ticket(envelope, kept) == value == open_ticket(sign_document("ticket", value, platform), kept)

    def refused(made: Any) -> str:
        with pytest.raises(CryptoError) as refusal:
            open_ticket(made, kept)
        return refusal.value.code

    for secrets in ((world.office.keys.log,), (new_secret(),), (world.keys["watch"].sign,), (platform, new_secret())):
        assert refused(sign("ticket", value, *secrets)) == "SIG"
    assert refused(dict(envelope) | {"signatures": []}) == "SIG"
    assert refused(sign("policy", value, platform)) == "SIG_TYPE"
    other = sign("ticket", value | {"title": value["title"] + "。"}, platform)
    assert refused(other | {"signatures": envelope["signatures"]}) == "SIG"


# --- the right key at the wrong time, bound to the wrong name -------------------------------------------------------------------------


def test_a_key_that_had_been_replaced_signs_nothing(eventful: Played) -> None:
    """bidder2's first key was replaced before it bid. Whoever held it, with the platform's help, could else have bid in its name."""
    forger = Rewriter(eventful.over.world, eventful.over.audit)
    path = forger.one("bids/submission.", lambda value: eventful.bidder(value["bidder"]) == "bidder2")
    value = forger.value(path)
    assert enrolment_of(forger, eventful.past) in forger.files, "it stands among the enrolled ones"
    forger.put(path, sign("submission", value, eventful.past))
    assert told(faults(forger.write()), path)
    forger.put(path, sign("submission", value, eventful.then["bidder2"]))
    assert faults(forger.write()) == []


def rebound(played: Played, change: Callable[[dict[str, Any]], None], *names: str | bytes) -> tuple[list[str], str]:
    """The policy of the bids changed, and signed by the platform and these; entries and log to match."""
    forger = Rewriter(played.over.world, played.over.audit)
    path = forger.one("policy/policy.", lambda value: value["envelope"] == "bid")
    held = [secret(played, name) if isinstance(name, str) else name for name in names]
    before, value = document_hash(forger.value(path)), forger.value(path)
    change(value)
    forger.change(path, change, secret(played, PLATFORM), *held)
    forger.relog()
    return faults(forger.write()), path.replace(before, document_hash(value))


def test_a_policy_binds_each_officer_to_a_key_of_its_own(whole: Played) -> None:
    """Two officers who hold each other's place: all keys are enrolled, all of them signed, but no name belongs to its key."""
    names = [f"officer{j}" for j in range(1, 6)]

    def exchange(value: dict[str, Any]) -> None:
        one, two = value["officers"][:2]
        one["sign_kid"], two["sign_kid"] = two["sign_kid"], one["sign_kid"]

    found, path = rebound(whole, exchange, *names)
    assert told(found, path)
    found, path = rebound(whole, lambda value: None, *names)
    assert not told(found, path)


def test_a_policy_binds_nobody_to_a_key_of_a_later_day(whole: Played) -> None:
    later = whole.later["officer1"]

    def rebind(value: dict[str, Any]) -> None:
        value["officers"][0]["sign_kid"] = kid("ed25519", ed25519_public(later))

    found, path = rebound(whole, rebind, later, *(f"officer{j}" for j in range(2, 6)))
    assert told(found, path)


def test_the_public_profile_asks_for_as_many_countersignatures(whole: Played) -> None:
    """It holds no shares, but the log says how many officers gave theirs."""
    forger = Rewriter(whole.over.world, whole.over.public)
    path = forger.one("opening/opened.")
    value = forger.value(path)
    assert not forger.below("opening/shares.")
    for number, holds in ((1, False), (2, False), (3, True)):
        forger.put(
            path,
            sign(
                "opened", value, secret(whole, PLATFORM), *(secret(whole, f"officer{j}") for j in range(1, number + 1))
            ),
        )
        assert (faults(forger.write()) == []) is holds, number
