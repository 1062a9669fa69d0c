"""`bidhall seal`, `withdraw`, `inspect`: by hand from ticket to a receipt of the hall."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto import keyfiles, sealed_bid
from crypto.canonical import b64u, unb64u
from crypto.documents import sign_document
from crypto.keys import ed25519_public, kid, x25519_public
from crypto.signatures import document_hash, payload_of
from tests.kit import commands, sealing
from tests.kit.commands import PASSPHRASE, Desk
from tests.kit.world import World
from trading.bidding import bids
from trading.kernel.errors import Invalid
from trading.tendering import bid_forms
from web.cli.seal import _marked, look_over

FORM = sealing.FORM
PK = b"PK\x03\x04" + bytes(40) + b"PK\x05\x06"
BLOCKED = ("flask", "sqlalchemy", "alembic", "pandas", "openpyxl", "typst", "obstore")


def prepare(
    desk: Desk, world: World, ref: str, username: str = "bidder1", form: dict[str, Any] | None = None
) -> tuple[str, ...]:
    """The arguments all sealing shares."""
    return (
        "seal",
        "--ticket",
        desk.write("ticket.json", commands.ticket(world, ref)),
        "--key",
        commands.key_file(desk, world, username, "bidder"),
        "--form",
        desk.write("form.json", form or FORM),
        "--passphrase-file",
        desk.passphrase,
    )


def hand_in(desk: Desk, world: World, ref: str, name: str = "bid", username: str = "bidder1") -> bids.Outcome:
    return sealing.hand_in(
        world, ref, username, Path(desk.path(name)).read_bytes(), desk.read(f"{name}.submission.json")
    )


def test_what_is_sealed_here_the_hall_takes(desk: Desk, world: World, lot: str) -> None:
    offer = desk.write("报价.txt", b"we offer")
    ran = desk.run(*prepare(desk, world, lot), offer, "-o", desk.path("bid"), "--json")
    assert ran.code == 0, ran.err
    seen = desk.run("inspect", desk.path("bid"), "--json").json
    for name in ("header_hash", "sealed_root", "size"):
        assert ran.json[name] == seen[name]
    assert ran.json["statement"] == document_hash(payload_of(desk.read("bid.submission.json")))
    outcome = hand_in(desk, world, lot)
    assert outcome.accepted and outcome.receipt.kind == "received"


def test_replacing_and_withdrawing(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    assert desk.run(*arguments, "-o", desk.path("bid")).code == 0
    assert hand_in(desk, world, lot).accepted
    second = desk.run(*arguments, "-o", desk.path("bid2"), "--replaces", desk.path("bid.submission.json"), "--json")
    assert second.json["replaces"] == document_hash(payload_of(desk.read("bid.submission.json")))
    assert hand_in(desk, world, lot, "bid2").receipt.kind == "replaced"
    third = desk.run(*arguments, "-o", desk.path("bid3"), "--replaces", second.json["statement"])
    assert third.code == 0 and hand_in(desk, world, lot, "bid3").receipt.kind == "replaced"
    ran = desk.run(
        "withdraw",
        desk.path("bid3.submission.json"),
        "--key",
        desk.path("keys.json"),
        "-o",
        desk.path("w"),
        "--passphrase-file",
        desk.passphrase,
    )
    assert ran.code == 0, ran.err
    with world.work("bidder1", sealing.SIGNER) as work:
        assert bids.withdraw(work, world.lot_in(work, lot), withdrawal=desk.read("w")).receipt.kind == "withdrawn"


def test_somebody_elses_bid_is_not_withdrawn(desk: Desk, world: World, lot: str) -> None:
    assert desk.run(*prepare(desk, world, lot), "-o", desk.path("bid")).code == 0
    other = commands.key_file(desk, world, "bidder2", "bidder", "other.json")
    ran = desk.run(
        "withdraw",
        desk.path("bid.submission.json"),
        "--key",
        other,
        "-o",
        desk.path("w"),
        "--passphrase-file",
        desk.passphrase,
    )
    assert ran.code == 2 and "withdraw.not_yours" in ran.err and not Path(desk.path("w")).exists()


def test_the_keeper_file_alone_opens_the_bid(desk: Desk, world: World, lot: str) -> None:
    ran = desk.run(
        *prepare(desk, world, lot),
        desk.write("a.bin", b"x" * 700_000),
        "-o",
        desk.path("bid"),
        "--keeper",
        desk.path("keeper"),
    )
    assert ran.code == 0
    assert desk.read("keeper")["type"] == "bidhall-seed" and os.stat(desk.path("keeper")).st_mode & 0o777 == 0o600
    opened = sealed_bid.open(
        io.BytesIO(Path(desk.path("bid")).read_bytes()), keyfiles.unwrap_seed(desk.read("keeper"), PASSPHRASE)
    )
    assert opened.announce == FORM and [file["name"] for file in opened.manifest["files"]] == ["a.bin"]


@pytest.mark.parametrize("at_once", [200, 1])
def test_large_files_are_sealed_held_open_or_read_in_turn(
    desk: Desk, world: World, lot: str, monkeypatch: Any, at_once: int
) -> None:
    from web.cli import seal as module

    monkeypatch.setattr(module, "OPEN_AT_ONCE", at_once)
    held = {"a.bin": os.urandom(2_500_000), "b.bin": os.urandom(700_001)}
    files = [desk.write(name, data) for name, data in held.items()]
    ran = desk.run(
        *prepare(desk, world, lot), *files, "-o", desk.path("bid"), "--keeper", desk.path("keeper"), "--json"
    )
    assert ran.code == 0, ran.err
    found: dict[str, io.BytesIO] = {}
    seed = keyfiles.unwrap_seed(desk.read("keeper"), PASSPHRASE)
    sealed_bid.open(
        io.BytesIO(Path(desk.path("bid")).read_bytes()), seed, lambda item: found.setdefault(item["name"], io.BytesIO())
    )
    assert {name: out.getvalue() for name, out in found.items()} == held


def test_two_seals_of_one_content_share_nothing(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    first = desk.run(*arguments, "-o", desk.path("a"), "--json").json
    second = desk.run(*arguments, "-o", desk.path("b"), "--json").json
    assert first["header_hash"] != second["header_hash"] and first["sealed_root"] != second["sealed_root"]


def test_the_tickets_signature_is_asked_for(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    envelope = commands.ticket(world, lot)
    bare = json.loads(payload_of(envelope))
    forged = sign_document("ticket", {**bare, "title": "另一标段"}, bytes(range(32)))
    swapped = {**envelope, "payload": forged["payload"]}
    for value in (bare, forged, swapped, {**envelope, "signatures": []}, desk_other_kind(world)):
        desk.write("ticket.json", value)
        ran = desk.run(*arguments, "-o", desk.path("bid"))
        assert ran.code == 1 and "[SIG" in ran.err, ran.err
        assert not Path(desk.path("bid")).exists() and not Path(desk.path("bid.submission.json")).exists()


def desk_other_kind(world: World) -> dict[str, Any]:
    return dict(
        sign_document(
            "refusal-list",
            {"v": 1, "platform": "p", "tender": "t", "lot": "1", "envelope": "bid", "bidder": "b", "entries": []},
            world.office.keys.signing,
        )
    )


def test_trust_of_an_earlier_day_unmasks_another_platform(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    trust = json.loads(payload_of(commands.ticket(world, lot)))["trust"]
    known, other = desk.write("known.json", trust), desk.write("other.json", commands.other_trust(trust))
    assert desk.run(*arguments, "-o", desk.path("bid"), "--trust", known, "--json").json["trust"] == "given"
    assert desk.run(*arguments, "-o", desk.path("bid2"), "--trust", desk.path("ticket.json")).code == 0
    ran = desk.run(*arguments, "-o", desk.path("bid3"), "--trust", other)
    assert ran.code == 1 and "[SIG]" in ran.err


def test_a_policy_not_every_officer_signed_is_refused(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    bare = json.loads(payload_of(commands.ticket(world, lot)))
    policy = json.loads(bare["policy"])
    policy["signatures"].pop()
    desk.write(
        "ticket.json", sign_document("ticket", {**bare, "policy": json.dumps(policy)}, world.office.keys.signing)
    )
    ran = desk.run(*arguments, "-o", desk.path("bid"))
    assert ran.code == 1 and "every officer" in ran.err
    desk.write("ticket.json", sign_document("ticket", {**bare, "lot": "9"}, world.office.keys.signing))
    ran = desk.run(*arguments, "-o", desk.path("bid"))
    assert ran.code == 1 and "[CONTEXT_MISMATCH]" in ran.err


def forged(
    ticket: dict[str, Any],
    policy: dict[str, Any],
    signers: list[bytes],
    platform: bytes,
    claim: list[str] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A ticket by whoever has the platform's key: the policy signed by ``signers``, whose key ids may be ``claim``ed to be others'."""
    envelope = sign_document("policy", policy, platform, *signers)
    for row, name in zip(envelope["signatures"][1:], claim or [], strict=False):
        row["keyid"] = name
    return dict(sign_document("ticket", {**ticket, "policy": json.dumps(envelope), **changes}, platform))


def test_who_has_the_platforms_key_cannot_have_bids_sealed_to_keys_of_its_own(
    desk: Desk, world: World, lot: str
) -> None:
    arguments = prepare(desk, world, lot)
    ticket, platform = json.loads(payload_of(commands.ticket(world, lot))), world.office.keys.signing
    policy = json.loads(payload_of(json.loads(ticket["policy"])))
    own = [bytes([number]) * 32 for number in range(1, policy["n"] + 1)]
    sealed_to = [b64u(x25519_public(secret)) for secret in own]
    named = [{**officer, "pk": pk} for officer, pk in zip(policy["officers"], sealed_to, strict=True)]
    renamed = [
        {**officer, "sign_kid": kid("ed25519", ed25519_public(secret))}
        for officer, secret in zip(named, own, strict=True)
    ]
    kids = [officer["sign_kid"] for officer in named]
    thief = {
        "document": sign_document(
            "enrolment",
            {
                "v": 1,
                "platform": ticket["platform"],
                "party": named[0]["name"],
                "role": "officer",
                "sign_pk": b64u(ed25519_public(own[0])),
                "seal_pk": "",
                "replaces": "",
                "at": "2026-01-05T01:00:00Z",
            },
            own[0],
        ),
        "receipt": json.loads(ticket["enrolments"][0])["receipt"],
    }
    tries = {
        "officers named, signatures under their key ids": forged(
            ticket, policy | {"officers": named}, own, platform, kids
        ),
        "officers' names with other keys": forged(ticket, policy | {"officers": renamed}, own, platform),
        "and an enrolment nobody logged": forged(
            ticket, policy | {"officers": renamed}, own, platform, enrolments=[json.dumps(thief)]
        ),
        "a ticket without enrolments": forged(ticket, policy, own, platform, enrolments=[]),
    }
    for what, value in tries.items():
        desk.write("ticket.json", value)
        ran = desk.run(*arguments, "-o", desk.path("bid"))
        assert ran.code == 1 and any(code in ran.err for code in ("[SIG]", "[CONTEXT_MISMATCH]")), (what, ran.err)
        assert not Path(desk.path("bid")).exists(), what


def test_officers_keys_can_be_kept_from_an_earlier_day(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    ticket = json.loads(payload_of(commands.ticket(world, lot)))
    keys = [json.loads(payload_of(json.loads(row)["document"]))["sign_pk"] for row in ticket["enrolments"]]
    known = desk.write("known.json", {**ticket["trust"], "officer_keys": keys})
    told = desk.run(*arguments, "-o", desk.path("bid"), "--trust", known)
    assert told.code == 0 and "officer1" in told.err
    old = {
        name: part for name, part in ticket.items() if name != "enrolments"
    }  # a ticket of before, which names no enrolments
    desk.write("ticket.json", sign_document("ticket", old, world.office.keys.signing))
    assert desk.run(*arguments, "-o", desk.path("bid2"), "--trust", known).code == 0
    assert desk.run(*arguments, "-o", desk.path("bid3")).code == 1
    fewer = desk.write("fewer.json", {**ticket["trust"], "officer_keys": keys[1:]})
    ran = desk.run(*arguments, "-o", desk.path("bid4"), "--trust", fewer)
    assert ran.code == 1 and "officers' keys you trust" in ran.err


def test_nothing_is_sealed_at_or_after_the_deadline(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    with world.view("clock") as view:
        deadline = world.lot_in(view, lot).deadline
    assert deadline is not None
    world.clock.set(deadline - timedelta(seconds=30))
    assert desk.run(*arguments, "-o", desk.path("bid")).code == 0
    world.clock.set(deadline)
    ran = desk.run(*arguments, "-o", desk.path("late"))
    assert ran.code == 1 and "seal.late" in ran.err and not Path(desk.path("late")).exists()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"price": "2,750,000"}, "price"),
        ({"price": ""}, "price"),
        ({"small_firm": "perhaps"}, "small_firm"),
        ({"bribe": "1"}, "bribe"),
        ({"delivery_days": "soon"}, "delivery_days"),
    ],
)
def test_a_form_that_does_not_fit_is_refused_with_every_fault(
    desk: Desk, world: World, lot: str, changes: dict[str, str], named: str
) -> None:
    ran = desk.run(
        *prepare(desk, world, lot, form={**FORM, "warranty_months": "-1", **changes}), "-o", desk.path("bid")
    )
    assert ran.code == 2 and named in ran.err and "warranty_months" in ran.err and not Path(desk.path("bid")).exists()


@pytest.mark.parametrize("text", [b'{"price": 5}', b"[]", b'"x"', b"{"])
def test_a_form_that_is_no_flat_object_of_texts(desk: Desk, world: World, lot: str, text: bytes) -> None:
    arguments = prepare(desk, world, lot)
    desk.write("form.json", text)
    assert desk.run(*arguments, "-o", desk.path("bid")).code == 2


def test_wrong_passphrase_wrong_role_and_missing_files_are_exit_2(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    bad = desk.write("bad", b"another\n")
    assert desk.run(*arguments[:-1], bad, "-o", desk.path("bid")).code == 2
    officer = commands.key_file(desk, world, "officer1", "officer", "officer.json")
    ran = desk.run(*(officer if part == desk.path("keys.json") else part for part in arguments), "-o", desk.path("bid"))
    assert ran.code == 2 and "officer" in ran.err
    assert desk.run(*arguments, desk.path("absent.pdf"), "-o", desk.path("bid")).code == 2
    assert desk.run(*arguments, "-o", "-").code == 2
    assert desk.run(*arguments, "-o", desk.path("bid"), "--replaces", "no-hash").code == 2
    assert not Path(desk.path("bid")).exists() and [p for p in desk.folder.iterdir() if p.name.startswith(".")] == []


def test_two_files_of_one_name_are_refused(desk: Desk, world: World, lot: str) -> None:
    (desk.folder / "sub").mkdir()
    ran = desk.run(
        *prepare(desk, world, lot), desk.write("a.txt", b"1"), desk.write("sub/a.txt", b"2"), "-o", desk.path("bid")
    )
    assert ran.code == 2 and "[seal.file_twice]" in ran.err


def test_nothing_is_written_over_without_force(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    desk.write("bid.submission.json", b"mine")
    assert desk.run(*arguments, "-o", desk.path("bid")).code == 2
    assert not Path(desk.path("bid")).exists() and Path(desk.path("bid.submission.json")).read_bytes() == b"mine"
    assert desk.run(*arguments, "-o", desk.path("bid"), "--force").code == 0


def test_a_file_that_shrinks_while_sealed_leaves_nothing_behind(
    desk: Desk, world: World, lot: str, monkeypatch: Any
) -> None:
    from web.cli import seal as module

    offer = desk.write("offer.bin", b"x" * 100)
    honest = module._file_in
    monkeypatch.setattr(module, "_file_in", lambda path: sealed_bid.FileIn("offer.bin", 101, honest(path).stream))
    ran = desk.run(*prepare(desk, world, lot), offer, "-o", desk.path("bid"))
    assert ran.code == 1 and "[MANIFEST]" in ran.err
    assert not [p.name for p in desk.folder.iterdir() if "bid" in p.name]


def test_a_disk_that_lies_is_noticed_before_anything_is_signed(
    desk: Desk, world: World, lot: str, monkeypatch: Any
) -> None:
    from web.cli import seal as module

    class Lying(module.Counted):
        def write(self, data: memoryview, /) -> Any:
            spoiled = bytearray(data)
            spoiled[-1] ^= 1
            return super().write(memoryview(spoiled))

    monkeypatch.setattr(module, "Counted", Lying)
    ran = desk.run(*prepare(desk, world, lot), "-o", desk.path("bid"))
    assert ran.code == 1 and not [p.name for p in desk.folder.iterdir() if "bid" in p.name]


# --- inspect --------------------------------------------------------------------------------------------------------------


def test_inspect_tells_what_can_be_seen_and_names_what_is_wrong(desk: Desk, world: World, lot: str) -> None:
    assert desk.run(*prepare(desk, world, lot), "-o", desk.path("bid")).code == 0
    good = Path(desk.path("bid")).read_bytes()
    seen = desk.run("inspect", desk.path("bid"), "--json").json
    assert (
        seen["ok"]
        and seen["code"] == ""
        and seen["size"] == len(good)
        and seen["ctx"]["bidder"] == sealing.code_of(world, "bidder1")
    )
    assert FORM["price"].encode() not in good and "price" not in seen["ctx"]
    assert desk.run("inspect", "-", "--json", stdin=good).json == seen
    for data, code in (
        (good[:-1], "SIZE"),
        (good + b"x", "SIZE"),
        (b"PK" + good[2:], "FORMAT"),
        (b"", "FORMAT"),
        (good[:40], "SIZE"),
        (good.replace(b'"v":1', b'"v":2', 1), "HEADER_SCHEMA"),
        (good.replace(b'{"boxes"', b'{ "boxe"', 1), "HEADER_CANONICAL"),
    ):
        ran = desk.run("inspect", desk.write("bad", data), "--json")
        assert (ran.code, ran.json["ok"], ran.json["code"]) == (1, False, code)
        assert set(ran.json) >= {"ok", "code", "header_hash", "sealed_root", "size", "ctx"} and ran.json["size"] == len(
            data
        )
    assert desk.run("inspect", desk.path("absent")).code == 2


def test_another_byte_gives_another_root(desk: Desk, world: World, lot: str) -> None:
    assert desk.run(*prepare(desk, world, lot), "-o", desk.path("bid")).code == 0
    good = bytearray(Path(desk.path("bid")).read_bytes())
    before = desk.run("inspect", desk.path("bid"), "--json").json
    good[-20] ^= 1
    after = desk.run("inspect", desk.write("bid2", bytes(good)), "--json").json
    assert (
        after["ok"] and after["header_hash"] == before["header_hash"] and after["sealed_root"] != before["sealed_root"]
    )
    assert len(unb64u(after["sealed_root"])) == 32


# --- on a machine with nothing else -----------------------------------------------------------------------------------------


BARE = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked!r}:
            raise ImportError('not on this machine: ' + name)
sys.meta_path.insert(0, Nothing())
from web.cli.main import main
main(sys.argv[1:])
"""


def bare(*arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """`bidhall` where no server's libraries exist."""
    script = BARE.format(blocked=BLOCKED)
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, env={**os.environ, **env}, timeout=120
    )


@pytest.mark.parametrize(
    "command",
    [["keys", "new"], ["keys", "show"], ["seal"], ["withdraw"], ["inspect"], ["share"], ["open"], ["receipt"]],
)
def test_help_says_one_sentence_and_an_example_without_any_servers_library(command: list[str]) -> None:
    ran = bare(*command, "--help", BIDHALL_LANG="en")
    text = ran.stdout.decode()
    assert ran.returncode == 0, ran.stderr.decode()
    assert f"Example: bidhall {' '.join(command)}" in " ".join(text.split())


def test_sealing_needs_no_server_no_database_and_no_flask(desk: Desk, world: World, lot: str) -> None:
    clock = world.now.isoformat()
    ran = bare(*prepare(desk, world, lot), "-o", desk.path("bid"), BIDHALL_TEST_CLOCK=clock)
    assert ran.returncode == 0, ran.stderr.decode()
    assert hand_in(desk, world, lot).accepted


PEAK = """
import resource, sys
from web.cli.main import main
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write('PEAK %d' % resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(world: World, *arguments: str) -> int:
    """The peak memory of a command, in KiB."""
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments],
        capture_output=True,
        timeout=600,
        env={**os.environ, "BIDHALL_TEST_CLOCK": world.now.isoformat()},
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return int(ran.stderr.rpartition(b"PEAK ")[2])


@pytest.mark.long
def test_memory_stays_flat_over_a_gibibyte(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    small = desk.write("small.bin", b"x")
    big = desk.path("big.bin")
    with open(big, "wb") as file:
        file.truncate(2**30)
    base = peak(world, *arguments, small, "-o", desk.path("small"))
    most = peak(world, *arguments, big, "-o", desk.path("bid"))
    assert most < base + 64 * 1024  # KiB over a bid of one byte; Argon2id's 64 MiB are in both
    assert peak(world, "inspect", desk.path("bid")) < base + 64 * 1024
    Path(big).unlink()


def test_the_self_check_names_all_that_is_to_be_mended(desk: Desk, world: World) -> None:
    form = bid_forms.with_lists(bid_forms.default_form("GOODS"), items=["设备", "安装"], files=["技术文件", "报价明细"])
    ticket = json.loads(
        json.dumps({"form": [*({**one, "most": "2900000.00"} if one["key"] == "price" else one for one in form)]})
    )
    announce = {
        "price": "2950000.00",
        "item_1": "2000000.00",
        "item_2": "900000.00",
        "delivery_days": "3",
        "warranty_months": "24",
        "small_firm": "no",
    }
    good, bad = desk.write("技术文件.txt", b"x"), desk.write("offer.pdf", b"no PDF")
    with pytest.raises(Invalid) as refused:
        look_over(ticket["form"], announce, [_marked(one, ticket["form"]) for one in (good, bad, good)], "en")
    assert [fault.code for fault in refused.value.faults] == [
        "seal.above_ceiling",
        "seal.file_missing",
        "seal.sum",
        "seal.file_twice",
        "seal.wrong_kind",
    ]
    announce |= {"price": "2900000.00"}
    look_over(
        ticket["form"],
        announce,
        [_marked(one, ticket["form"]) for one in (good, f"file_2={desk.write('b.xlsx', PK)}")],
        "en",
    )


def test_a_price_above_the_ceiling_is_not_sealed(desk: Desk, world: World, lot: str) -> None:
    ran = desk.run(
        *prepare(desk, world, lot, form={**FORM, "price": "999999999.00"}),
        desk.write("a.txt", b"x"),
        "-o",
        desk.path("bid"),
    )
    assert ran.code == 2 and "seal.above_ceiling" in ran.err and not Path(desk.path("bid")).exists()
    ran = desk.run(*prepare(desk, world, lot), desk.write("a.bin", b"x"), "-o", desk.path("bid"))
    assert ran.code == 0 and "seal.unusual" in ran.err  # looked at, sealed all the same
