"""Every value of the deposits part of a bundle, changed by somebody with the platform's keys: caught, or said to be told and not proved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto.canonical import b64u
from crypto.signatures import document_hash, payload_of, sign
from tests.deposits.money_room import MoneyRoom
from tests.kit import opening_steps
from tests.kit.database import Databases
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.rewriting import Rewriter
from trading.kernel.calendar import local_day
from web.verifier import verify_bundle

Path_ = tuple[str | int, ...]
FOLDER = "acts/deposits/"


@pytest.fixture
def forger(finished: dict[str, play.Finished]) -> Rewriter:
    return Rewriter(finished["WORKS"].world, finished["WORKS"].audit)


def values_of(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Where each single value of a record stands."""
    for key in value if isinstance(value, dict) else range(len(value)):
        if isinstance(value[key], (dict, list)) and value[key]:
            yield from values_of(value[key], (*at, key))
        else:
            yield (*at, key)


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, list):
        return ["late"]
    if isinstance(value, int):
        return value + 1
    if len(value) == 43:
        return b64u(bytes(32))
    if len(value) == 10 and value[4:5] == "-":
        return "2020-01-01"
    return "2020-01-01T00:00:00Z" if value.endswith("Z") else value + "x"


def change(at: Path_) -> Callable[[Any], None]:
    def how(record: Any) -> None:
        for step in at[:-1]:
            record = record[step]
        record[at[-1]] = other(record[at[-1]])

    return how


def told_and_faults(forger: Rewriter) -> tuple[dict[str, Any], str]:
    """The whole answer, and all that the claim of deposits says."""
    answer = verify_bundle(forger.write())
    return answer, next(claim["detail"] for claim in answer["claims"] if claim["name"] == "deposits")


def caught(forger: Rewriter) -> None:
    """Each value changed alone, one in each record at a time: the claim names the record."""
    names = forger.below(FOLDER)
    kinds: dict[tuple[str, ...], list[tuple[str, Path_]]] = {}
    for name in names:
        for at in values_of(forger.value(name)):
            kinds.setdefault(tuple(str(step) for step in at), []).append((name, at))
    assert len(kinds) > 25
    left, before = dict(kinds), {name: forger.files[name] for name in names}
    while left:
        used: dict[str, tuple[str, ...]] = {}
        for kind, places in list(left.items()):
            free = next(((name, at) for name, at in places if name not in used), None)
            if free is not None:
                forger.edit(free[0], change(free[1]))
                used[free[0]] = kind
                del left[kind]
        assert used
        answer, said = told_and_faults(forger)
        assert not answer["ok"]
        for name, kind in used.items():
            receipt = name.removeprefix(FOLDER).removesuffix(".json")
            assert receipt in said, f"{kind} of {receipt} was changed and nothing was said: {said}"
        forger.files |= before


def signed_by_others(forger: Rewriter) -> None:
    """Each kind of approval under another key, over other values, and twice by one person."""
    world, folder = forger.world, "acts/approvals/"
    whats = [forger.value(path)["what"] for path in forger.below(folder)]
    assert sorted(whats) == ["batch", "batch", "decision", "forfeit", "payee", "payee"]
    before = dict(forger.files)
    for path in forger.below(folder):
        told = forger.value(path)
        forger.put(path, sign("approval", told, world.office.keys.signing))
        assert f"approval of {told['of']}: SIG" in told_and_faults(forger)[1], told["what"]
        forger.files = dict(before)
    first = forger.one("acts/", lambda one: one.get("act") == "payee.approve" and not one["facts"]["second"])
    del forger.files[f"{folder}{forger.value(first)['facts']['signature']}.json"]
    del forger.files[first.replace("acts/", "entries/")]
    del forger.files[first]
    assert "another account that two controllers did not sign for" in told_and_faults(forger)[1]
    forger.files = dict(before)
    kept = next(path for path in forger.below(folder) if forger.value(path)["what"] == "forfeit")
    decided = forger.one("acts/", lambda one: one.get("act") == "forfeit.decide")
    forger.change(decided, lambda one: one["facts"].update(to="forfeited_treasury"))
    assert "other money was kept than a controller signed for" in told_and_faults(forger)[1]
    forger.files = dict(before)
    del forger.files[kept]
    assert f"approval of {json.loads(payload_of(json.loads(before[kept])))['of']}" in told_and_faults(forger)[1]
    forger.files = dict(before)
    signature = forger.value(decided)["facts"]["signature"]
    del forger.files[f"{folder}{signature}.json"]
    forger.change(decided, lambda one: one["facts"].pop("signature"))
    assert "the purchaser did not sign it" in told_and_faults(forger)[1]
    forger.files = dict(before)
    by_another = sign(
        "approval",
        forger.value(f"{folder}{signature}.json") | {"approver": "controller"},
        world.keys["controller"].sign,
    )
    name = document_hash(payload_of(by_another))
    forger.put(f"{folder}{name}.json", by_another)
    del forger.files[f"{folder}{signature}.json"]
    forger.change(decided, lambda one: one["facts"].update(signature=name))
    assert "decision: SIG" in told_and_faults(forger)[1]
    forger.files = dict(before)


@pytest.mark.long
def test_each_value_of_a_refunded_deposit(forger: Rewriter) -> None:
    answer, _said = told_and_faults(forger)
    assert answer["ok"] and [one["what"] for one in answer["told"]] == ["hidden", "later"]
    caught(forger)


@pytest.mark.long
def test_each_value_of_a_deposit_that_was_kept_and_of_one_that_came_back(databases: Databases, tmp_path: Path) -> None:
    """Of a lot whose ranking is not played, so that only the claim of deposits is looked at."""
    with world_of(databases, tmp_path, 3) as world:
        room = MoneyRoom(world, tmp_path / "bank.db")
        ref, subs = room.awarded("WORKS")
        room.keep(subs["bidder1"], ground="D-41", until=local_day(world.now))
        room.contract(ref)
        first, second = room.due()
        batch = room.prepare(first, second)
        room.approve(batch)
        key, _other = room.pay(batch)
        room.fetch()
        room.bank.give_back(key, "账户已销户")
        room.fetch()
        came_back = next(one for one in (first, second) if room.refund(one).state == "RETURNED_BY_BANK")
        owner = room.refund(came_back).demand
        assert owner is not None
        bidder = next(name for name, sub in subs.items() if sub == owner.sub_account)
        room.other_account(came_back, bidder, "6222000077778888")
        room.approve(again := room.prepare(came_back))
        room.pay(again)
        room.fetch()
        opening_steps.turn(world)
        forger = Rewriter(world, play.export(world, ref, tmp_path, "audit"))
        answer, said = told_and_faults(forger)
        assert said.startswith("received "), said
        assert [one["what"] for one in answer["told"] if one["claim"] == "deposits"] == ["hidden", "later"]
        signed_by_others(forger)
        caught(forger)
        record = next(name for name in forger.below(FOLDER) if forger.value(name)["forfeited"])
        forger.edit(
            record, lambda one: one.update(forfeited=0, held=one["held"] + one["forfeited"]) or one.pop("forfeit")
        )
        assert "is not accounted for as kept" in told_and_faults(forger)[1]


def drop_controllers(forger: Rewriter) -> None:
    """As if no controller had ever had a key."""
    for path in forger.below("keys/"):
        if path != "keys/trust.json" and forger.value(path)["role"] == "controller":
            name = document_hash(payload_of(json.loads(forger.files.pop(path))))
            del forger.files[forger.entry_of("key-enrolled", lambda one, name=name: one["statement"] == name)]  # type: ignore[misc]


def test_an_act_left_out_between_others(forger: Rewriter) -> None:
    path = forger.one("acts/", lambda record: record.get("act") == "refund.prepare")
    del forger.files[path]
    del forger.files[path.replace("acts/", "entries/")]
    answer, said = told_and_faults(forger)
    assert not answer["ok"] and "an act of it is left out, or stands twice" in said


def test_a_refund_left_out_of_the_account(forger: Rewriter) -> None:
    path = forger.one(FOLDER, lambda record: bool(record["refunds"]))
    forger.edit(path, lambda one: one.update(refunds=[], refunded=0, held=one["received"]))
    assert "fell due, as the log says, and is not accounted for" in told_and_faults(forger)[1]


def test_a_bundle_of_before_values_were_bound_verifies_and_says_so(forger: Rewriter) -> None:
    """As older releases wrote them: acts that bind nothing, and none of a refund beside those of its batch."""
    for path in forger.below("acts/"):
        record = forger.value(path) if path in forger.files else {}
        if record.get("of", "").startswith("refund/"):
            del forger.files[path]
            del forger.files[path.replace("acts/", "entries/")]
        elif record.get("act") == "batch.approve":
            del forger.files[f"acts/approvals/{record['facts']['signature']}.json"]
            forger.change(path, lambda one: one["facts"].pop("signature"))
        elif "bound" in record.get("facts", {}):
            forger.change(path, lambda one: one["facts"].pop("bound"))
    drop_controllers(forger)
    beside = {"expert_draw", "coefficient_draw", "score_sheets"}  # fixed by a root of before the rewriting
    assert forger.rewritten().keys() <= beside
    answer, _said = told_and_faults(forger)
    before, unsigned = (next(one for one in answer["told"] if one["what"] == what) for what in ("before", "unsigned"))
    assert len(unsigned["of"]) == 2 and all(one.startswith("batch/") for one in unsigned["of"])
    assert before["of"] == [path.removeprefix(FOLDER).removesuffix(".json") for path in forger.below(FOLDER)]
    forger.edit(forger.below(FOLDER)[0], lambda one: one["refunds"][0].update(interest=1))
    assert forger.verdict().keys() <= beside, "told, and so not caught"
