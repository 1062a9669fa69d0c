"""The opening: shares in time from the right people, decryption that survives a crash, verdicts that name who is at fault, minutes."""

from __future__ import annotations

import copy
import errno
import io
import os
import threading
from datetime import timedelta
from typing import Any

import pytest

from crypto import headers as sealed_headers
from crypto import sealed_bid, submissions
from crypto.canonical import dumps, format_time, loads, unb64u
from crypto.documents import sign_document
from crypto.headers import CHUNK, TAG, Header, make_header, padded, parse_header
from crypto.opening import CheckedSet, release_shares
from crypto.policies import make_ctx
from crypto.sealed_bid import FileIn
from crypto.signatures import countersign, payload_of
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.opening_steps import ALL
from tests.kit.rows import changed, fingerprint, unchanged
from tests.kit.sealing import SIGNER
from tests.kit.world import Keys, World
from trading.bidding import bids
from trading.custody import officers
from trading.kernel.clock import write_moment
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, SignInNeeded, TooEarly, TooLate, WrongStep
from trading.opening import ceremony, decryption, opening_list, shares
from trading.opening.ceremony import OpenedBid, Opening

opened_at = stages.opening_of


def shares_document(
    world: World, ref: str, username: str, *, j: int = 0, at: str = "", **changes: Any
) -> dict[str, Any]:
    """What an officer's client makes of the set that was handed out."""
    with world.view("clock") as view:
        row = opened_at(world, view, ref)
        policy = officers.policy_document(officers.current_policy(view.session, row.lot))
        checked = CheckedSet(
            policy,
            ceremony.generations(view.session, row),
            row.set_hash,
            tuple(row.bids),
            {},
            None,  # type: ignore[arg-type]
            "2020-01-01T00:00:00Z",
        )
        own = ALL.index(username) + 1
        document = release_shares(
            checked,
            ceremony.headers(view.session, row),
            j=own,
            secrets=lambda policy: world.policy_secret(username, policy),
            now=at or format_time(max(world.now, row.shares_from)),
        )
    return document | ({"j": j} if j else {}) | changes


def post(world: World, ref: str, username: str, document: dict[str, Any], *, key: bytes = b"") -> ceremony.Share:
    with world.work(username) as work:
        signed = sign_document("shares", document, key or world.keys[username].sign)
        return shares.accept_share(work, opened_at(world, work, ref), signed)


def window(world: World, ref: str) -> tuple[Any, Any]:
    with world.view("clock") as view:
        row = opened_at(world, view, ref)
        return row.shares_from, row.shares_until


def decrypt(world: World, ref: str) -> Opening:
    return decryption.open_bids(world.office, world.actor("host"), ref)


def verdicts(world: World, ref: str) -> list[tuple[str, str, str]]:
    with world.view("clock") as view:
        return [
            (b.party.name, b.verdict, b.cause) for b in ceremony.opened_bids(view.session, opened_at(world, view, ref))
        ]


def of_bidder(world: World, ref: str, username: str) -> OpenedBid:
    with world.view("clock") as view:
        return next(
            b
            for b in ceremony.opened_bids(view.session, opened_at(world, view, ref))
            if b.party_id == world.party_ids[username]
        )


# --- shares -----------------------------------------------------------------------------------------------------------


def test_shares_only_within_their_window(world: World) -> None:
    ref = stages.listed(world)
    begins, ends = window(world, ref)
    moment = timedelta(microseconds=1)
    document = shares_document(world, ref, "officer1")
    world.clock.set(begins - moment)
    with unchanged(world), pytest.raises(TooEarly):
        post(world, ref, "officer1", document)
    world.clock.set(begins)
    post(world, ref, "officer1", document)
    world.clock.set(ends)
    post(world, ref, "officer2", shares_document(world, ref, "officer2"))
    late = shares_document(world, ref, "officer3")
    world.clock.set(ends + moment)
    with unchanged(world), pytest.raises(TooLate):
        post(world, ref, "officer3", late)


def test_shares_dated_before_claims_end_are_refused(world: World) -> None:
    ref = stages.listed(world)
    begins, _ = window(world, ref)
    early = shares_document(world, ref, "officer1", at=write_moment(begins - timedelta(seconds=1)))
    with unchanged(world), pytest.raises(Invalid) as refusal:
        post(world, ref, "officer1", early)
    assert (refusal.value.code, refusal.value.facts["reason"]) == ("share.bad", "CONTEXT_MISMATCH")


def test_foreign_shares_are_refused(world: World) -> None:
    ref = stages.listed(world)
    mine, theirs = shares_document(world, ref, "officer1"), shares_document(world, ref, "officer2")
    cases: list[tuple[str, dict[str, Any], bytes]] = [
        ("signed by a stranger", mine, Keys().sign),
        ("signed by another officer", mine, world.keys["officer2"].sign),
        ("another officer's document", theirs, b""),
        ("another set", mine | {"set": theirs["items"][0]["header_hash"]}, b""),
        ("a bid left out", mine | {"items": mine["items"][1:]}, b""),
        ("a bid twice", mine | {"items": [mine["items"][0], *mine["items"]]}, b""),
    ]
    for name, document, key in cases:
        with unchanged(world), pytest.raises(Invalid) as refusal:
            post(world, ref, "officer1", document, key=key)
        assert refusal.value.code == "share.bad", name
    for junk in (None, {}, "x", {"payload": ""}):
        with unchanged(world), pytest.raises(Invalid), world.work("officer1") as work:
            shares.accept_share(work, opened_at(world, work, ref), junk)


def test_wrong_parts_are_answered_item_by_item_and_may_be_posted_again(world: World) -> None:
    ref = stages.listed(world)
    good, other = shares_document(world, ref, "officer1"), shares_document(world, ref, "officer2")
    bad = copy.deepcopy(good)
    bad["items"][1]["part"] = other["items"][1]["part"]
    with unchanged(world), pytest.raises(Invalid) as refusal:
        post(world, ref, "officer1", bad)
    assert refusal.value.code == "share.wrong_parts"
    assert refusal.value.facts["codes"] == {good["items"][1]["header_hash"]: "SHARE_COMMIT"}
    assert len(post(world, ref, "officer1", good).parts) == 3


def test_the_same_shares_twice_are_one_and_others_a_conflict(world: World) -> None:
    ref = stages.listed(world)
    document = shares_document(world, ref, "officer1")
    first = post(world, ref, "officer1", document)
    with unchanged(world):
        assert post(world, ref, "officer1", document).c == first.c
    world.clock.advance(seconds=1)
    with unchanged(world), pytest.raises(Conflict) as refusal:
        post(world, ref, "officer1", document | {"at": format_time(world.now)})
    assert refusal.value.code == "share.posted"


def test_who_may_release(world: World) -> None:
    ref = stages.listed(world)
    document = shares_document(world, ref, "officer1")
    for username in ("host", "agent", "buyer", "clerk", "watch", "bidder1"):
        with unchanged(world), pytest.raises(NotAllowed):
            post(world, ref, username, document, key=world.keys["officer1"].sign)
    stale = world.actor("officer1")
    world.clock.advance(minutes=11)
    with unchanged(world), pytest.raises(SignInNeeded), world.office.work(stale) as work:
        shares.accept_share(
            work, opened_at(world, work, ref), sign_document("shares", document, world.keys["officer1"].sign)
        )


def test_the_window_is_extended_once_by_as_much_with_a_reason(world: World) -> None:
    ref = stages.listed(world)
    begins, ends = window(world, ref)
    for reason, kind in (("", Invalid), ("   ", Invalid)):
        with unchanged(world), pytest.raises(kind), world.work("host") as work:
            shares.extend_window(work, opened_at(world, work, ref), reason=reason)
    with unchanged(world), pytest.raises(NotAllowed), world.work("officer1") as work:
        shares.extend_window(work, opened_at(world, work, ref), reason="停电")
    with world.work("host") as work:
        shares.extend_window(work, opened_at(world, work, ref), reason="停电")
    assert window(world, ref) == (begins, ends + (ends - begins))
    with unchanged(world), pytest.raises(Conflict), world.work("host") as work:
        shares.extend_window(work, opened_at(world, work, ref), reason="又停电")
    late = shares_document(world, ref, "officer1")
    world.clock.set(ends + timedelta(minutes=5))
    post(world, ref, "officer1", late)


@pytest.mark.rule("X-08")
def test_nothing_is_decrypted_while_officers_may_still_post(world: World) -> None:
    ref = stages.listed(world)
    for username in ALL[:4]:  # one more than needed, one may still come
        opening_steps.share(world, ref, username)
    with unchanged(world), pytest.raises(TooEarly) as refusal:
        decrypt(world, ref)
    assert refusal.value.code == "opening.shares_running"
    _, ends = window(world, ref)
    world.clock.set(ends)
    with pytest.raises(TooEarly):
        decrypt(world, ref)
    world.clock.set(ends + timedelta(seconds=1))
    assert decrypt(world, ref).state == "OPENED"
    assert {v for _, v, _ in verdicts(world, ref)} == {"opened"}


@pytest.mark.rule("X-06", "9.1.content")
@pytest.mark.parametrize(
    ("came", "cause"),
    [
        (("officer1", "officer2"), "unknown"),  # tenderee and supervisor stayed away
        (("officer1", "officer5"), "unknown"),
        (("officer1", "officer3"), "unknown"),
        ((), "unknown"),
    ],
)
@pytest.mark.promise("S3")
def test_one_share_too_few_opens_nothing_and_names_the_absent(world: World, came: tuple[str, ...], cause: str) -> None:
    ref = stages.listed(world)
    for username in came:
        opening_steps.share(world, ref, username)
    world.clock.set(window(world, ref)[1] + timedelta(seconds=1))
    assert decrypt(world, ref).state == "LISTED"  # first it is told in the log: bidders may rescue their bids
    opening_steps.turn(world)
    verdict_steps.pause_over(world, ref)
    decrypt(world, ref)
    assert {(v, c) for _, v, c in verdicts(world, ref)} == {("TOO_FEW_SHARES", cause)}
    with world.view("clock") as view:
        rows = ceremony.opened_bids(view.session, opened_at(world, view, ref))
        assert all(
            row.announce == {} and row.files == [] and row.seed == b"" and row.price_minor is None for row in rows
        )
        assert ceremony.opened_of_lot(view.session, world.lot_in(view, ref)) == []


@pytest.mark.parametrize(
    ("absent", "cause"), [((3, 4), "tenderee"), ((1, 2), "platform"), ((5,), "unknown"), ((1, 3), "unknown")]
)
def test_the_sides_of_the_absent_are_charged(absent: tuple[int, ...], cause: str) -> None:
    """With t = 4 of these five: the sides of whoever stayed away, if they are one and answerable."""
    from crypto.verdicts import cause_of_sides
    from tests.kit.world import OFFICERS

    assert cause_of_sides([OFFICERS[j - 1][2] for j in absent]) == cause


# --- decryption -------------------------------------------------------------------------------------------------------


def test_a_crash_between_blobs_and_rows_loses_and_shows_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = stages.shared(world)

    class Killed(BaseException):
        pass

    real, seen = decryption._open_one, []

    def once(*arguments: Any) -> Any:
        seen.append(real(*arguments))
        if len(seen) == 2:
            raise Killed
        return seen[-1]

    monkeypatch.setattr(decryption, "_open_one", once)
    with unchanged(world), pytest.raises(Killed):
        decrypt(world, ref)
    monkeypatch.setattr(opening_list, "record_opened", lambda *a: (_ for _ in ()).throw(Killed()))
    with unchanged(world), pytest.raises(Killed):
        decrypt(world, ref)
    monkeypatch.undo()
    with world.view("host") as view:
        assert ceremony.opened_bids(view.session, opened_at(world, view, ref)) == []
    decrypt(world, ref)
    assert [v for _, v, _ in verdicts(world, ref)] == ["opened"] * 3
    with world.view("clock") as view:
        for row in ceremony.opened_bids(view.session, opened_at(world, view, ref)):
            content = b"".join(world.office.blobs.read(row.files[0]["blob"]))
            assert content.startswith(b"offer of bidder") and row.files[0]["size"] == len(content)
    assert not list((world.office.blobs.folder / "incoming").iterdir())


@pytest.mark.parametrize("hint_fails", [False, True])
def test_large_bids_are_sent_to_the_disk_early_and_come_out_as_they_went_in(
    world: World, hint_fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, data, told = world.lot("BIDDING"), os.urandom(5 * CHUNK + 12345), []
    opening_steps.bid(world, ref, {name: opening_steps.form() for name in world.bidders}, data=data)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        opening_steps.share(world, ref, username)
    real = os.posix_fadvise

    def advise(fd: int, offset: int, length: int, advice: int) -> None:
        told.append(length)
        if hint_fails:
            raise OSError(errno.ENOSYS, "no such hint here")
        real(fd, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", advise)
    decrypt(world, ref)
    assert sum(told) == sum(len(data) + len(name) for name in world.bidders)
    for name in world.bidders:
        (file,) = of_bidder(world, ref, name).files
        assert b"".join(world.office.blobs.read(file["blob"])) == data + name.encode()
    assert not list((world.office.blobs.folder / "incoming").iterdir())


def test_two_at_once_write_one_outcome(world: World) -> None:
    ref = stages.shared(world)
    told: list[str] = []
    ready = threading.Barrier(2)

    def run() -> None:
        ready.wait()
        try:
            decrypt(world, ref)
            told.append("done")
        except (Conflict, WrongStep) as refusal:
            told.append(type(refusal).__name__)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told)[-1] == "done" and sorted(told)[0] in ("Conflict", "WrongStep")
    assert len(verdicts(world, ref)) == 3
    with unchanged(world), pytest.raises(WrongStep):
        decrypt(world, ref)


def test_two_that_both_decrypted_write_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = stages.shared(world)
    real = decryption._open_one
    inner: list[Opening] = []

    def slow(*arguments: Any) -> Any:
        if not inner:
            monkeypatch.setattr(decryption, "_open_one", real)
            inner.append(decrypt(world, ref))
        return real(*arguments)

    monkeypatch.setattr(decryption, "_open_one", slow)
    with pytest.raises(Conflict) as refusal:
        decrypt(world, ref)
    assert refusal.value.code == "opening.opened" and len(verdicts(world, ref)) == 3


@pytest.mark.parametrize("how", ["flipped", "cut", "swapped", "header"])
def test_tampered_stored_bytes_are_the_platforms_fault_and_stop_nobody_else(world: World, how: str) -> None:
    ref = stages.shared(world)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        rows = {row.party_id: row for row in bids.standing_bids(view.session, lot)}
    first, second = (world.office.blobs.path(rows[world.party_ids[name]].blob) for name in ("bidder1", "bidder2"))
    data = bytearray(first.read_bytes())
    if how == "flipped":
        data[-5] ^= 1
    elif how == "cut":
        del data[-1:]
    elif how == "swapped":
        data = bytearray(second.read_bytes())
    else:
        data[400] ^= 1
    first.unlink()  # the spool may hold the same file
    first.write_bytes(bytes(data))
    decrypt(world, ref)
    bad = of_bidder(world, ref, "bidder1")
    assert (bad.verdict, bad.cause, bad.files, bad.price_minor) == ("SEALED_ROOT", "platform", [], None)
    assert {of_bidder(world, ref, name).verdict for name in ("bidder2", "bidder3")} == {"opened"}


@pytest.mark.promise("R10")
def test_lost_stored_bytes_stop_nobody_else(world: World) -> None:
    ref = stages.shared(world)
    with world.view("clock") as view:
        row = next(
            b
            for b in bids.standing_bids(view.session, world.lot_in(view, ref))
            if b.party_id == world.party_ids["bidder1"]
        )
    world.office.blobs.path(row.blob).unlink()
    decrypt(world, ref)
    bad = of_bidder(world, ref, "bidder1")
    assert (bad.verdict, bad.cause) == ("SEALED_ROOT", "platform")
    assert {of_bidder(world, ref, name).verdict for name in ("bidder2", "bidder3")} == {"opened"}


# --- bidders that cheat -----------------------------------------------------------------------------------------------


def forged(
    world: World,
    ref: str,
    username: str,
    *,
    header_of: Any = None,
    content_seed: bytes = b"",
    content: bytes = b"",
    manifest: Any = None,
) -> tuple[bytes, dict[str, Any]]:
    """A sealed file made by a client that does not keep to the protocol. ``header_of``: changes the header's value; the content is sealed
    with the key of ``content_seed`` (the header's own by default)."""
    seed = bytes(range(32))
    policy = sealing.policy_of(world, ref)
    announce, data = dict(opening_steps.form()), b"offer"
    head = (
        sealed_bid.content_head(announce, [FileIn("a.txt", len(data), io.BytesIO(data))])
        if manifest is None
        else (len(dumps(manifest)).to_bytes(4, "big") + dumps(manifest))
    )
    plain = content or (head + data)
    plen = padded(len(plain))
    plain = plain.ljust(plen, b"\0") if not content else plain + bytes(plen - len(plain))
    ctx = make_ctx(policy, bidder=sealing.code_of(world, username), bidder_key=b"", plen=plen, drill=False)
    value = loads(make_header(seed, ctx))
    raw = dumps(header_of(value) if header_of else value)
    header: Header = parse_header(raw)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = AESGCM(sealed_headers.content_key(content_seed or seed, header))
    chunks = [plain[at : at + CHUNK] for at in range(0, plen, CHUNK)]
    body = b"".join(
        key.encrypt(sealed_bid.nonce(i, i == len(chunks) - 1), chunk, None) for i, chunk in enumerate(chunks)
    )
    assert len(body) == plen + TAG * len(chunks)
    sealed = sealed_bid.MAGIC + len(raw).to_bytes(4, "big") + raw + body
    statement = submissions.make_submission(
        sealed_bid.inspect(io.BytesIO(sealed)), sealed_at=format_time(world.now), tool="forger/1"
    )
    return sealed, dict(sign_document("submission", statement, world.keys[username].sign))


def swap_box(at: int, other: int) -> Any:
    def change(value: dict[str, Any]) -> dict[str, Any]:
        boxes = value["boxes"]
        boxes[at] |= {"enc": boxes[other]["enc"], "ct": boxes[other]["ct"]}
        return value

    return change


def wrong_commitments(value: dict[str, Any]) -> dict[str, Any]:
    """Boxes that open, but to parts that are not the ones committed to."""
    for box, next_box in zip(value["boxes"], [*value["boxes"][1:], value["boxes"][0]], strict=True):
        box["c"], next_box["c"] = next_box["c"], box["c"]
    return value


def wrong_commit(value: dict[str, Any]) -> dict[str, Any]:
    value["commit"] = value["boxes"][0]["c"]
    return value


EMPTY = dumps({"announce": {}, "files": [], "v": 1})
FORGED: dict[str, tuple[dict[str, Any], str, str]] = {
    "one bad box, REDERIVE fails for whoever came": ({"header_of": swap_box(4, 3)}, "REDERIVE", "bidder"),
    "another commit": ({"header_of": wrong_commit}, "REDERIVE", "bidder"),
    "no box is the one committed to": ({"header_of": wrong_commitments}, "UNRESOLVED", "unknown"),
    "content under another key": ({"content_seed": bytes(32)}, "CHUNK_AUTH", "bidder"),
    "no manifest": ({"content": b"\xff" * 65536}, "MANIFEST", "bidder"),
    "a name that climbs": (
        {"manifest": {"v": 1, "announce": {}, "files": [{"name": "../x", "size": 5, "type": ""}]}},
        "MANIFEST",
        "bidder",
    ),
    "padding that is none": (
        {"content": (len(EMPTY).to_bytes(4, "big") + EMPTY).ljust(65536, b"\x01")},
        "PADDING",
        "bidder",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_bidder_that_cheats_is_found_and_the_others_go_on(world: World, name: str) -> None:
    how, code, cause = FORGED[name]
    ref = stages.bidding(world)
    for username in ("bidder2", "bidder3"):
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    assert sealing.hand_in(
        world, ref, "bidder1", *forged(world, ref, "bidder1", **how)
    ).accepted  # without keys nobody can tell
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:  # honest clients: a bad box is a complaint, and a complaint stops nobody
        opening_steps.share(world, ref, username)
    if decrypt(world, ref).state == "LISTED":  # the window for repair, where an arbiter could decide
        assert code == "UNRESOLVED"
        opening_steps.turn(world)
        verdict_steps.pause_over(world, ref)
        decrypt(world, ref)
    bad = of_bidder(world, ref, "bidder1")
    assert (bad.verdict, bad.cause) == (code, cause)
    assert (bad.announce, bad.files, bad.price_minor) == ({}, [], None)
    assert {of_bidder(world, ref, other).verdict for other in ("bidder2", "bidder3")} == {"opened"}
    with world.view("clock") as view:
        row = opened_at(world, view, ref)
        item = next(i for i in loads(payload_of(row.opened))["bids"] if i["header_hash"] == bad.header_hash)
        assert (item["verdict"], item["cause"], item["announce"], item["files"]) == (code, cause, {}, [])


def test_faults_of_the_form_are_kept_beside_what_was_announced(world: World) -> None:
    ref = stages.bidding(world)
    forms = {
        "bidder1": {"price": "abc", "warranty_months": "-1"},
        "bidder2": opening_steps.form(),
        "bidder3": opening_steps.form(),
    }
    for username, form in forms.items():
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username, form=form)).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        opening_steps.share(world, ref, username)
    decrypt(world, ref)
    bad = of_bidder(world, ref, "bidder1")
    assert (bad.verdict, bad.announce, bad.price_minor) == ("opened", forms["bidder1"], None)
    assert {"price", "delivery_days", "warranty_months"} <= {fault["field"] for fault in bad.form_faults}
    assert of_bidder(world, ref, "bidder2").form_faults == []


# --- the record -------------------------------------------------------------------------------------------------------


def sign_list(world: World, ref: str, username: str, *, key: bytes = b"", opened: Any = None) -> None:
    with world.work(username) as work:
        row = opened_at(world, work, ref)
        opening_list.countersign(
            work, row, countersign(dict(opened or row.opened or {}), key or world.keys[username].sign)
        )


def minutes(world: World, ref: str, username: str = "host") -> None:
    name = world.office.blobs.put([b"minutes"]).name
    with world.work(username) as work:
        opening_list.sign_minutes(work, opened_at(world, work, ref), minutes=name)


def remark(world: World, ref: str, username: str, kind: str, text: str = "") -> ceremony.OpeningRemark:
    with world.work(username, SIGNER) as work:
        return opening_list.remark(work, opened_at(world, work, ref), kind=kind, text=text)


def opened(world: World) -> str:
    def build(world: World) -> str:
        ref = stages.shared(world)
        decrypt(world, ref)
        return ref

    return str(stages.reach(world, "opened", build))


@pytest.mark.rule("X-10")
def test_minutes_want_signatures_confirmations_and_answers(world: World) -> None:
    ref = opened(world)
    with unchanged(world), pytest.raises(TooEarly) as refusal:
        minutes(world, ref)
    assert refusal.value.code == "opening.signatures_missing" and refusal.value.facts["needed"] == 3
    for username in ALL[:3]:
        sign_list(world, ref, username)
    with unchanged(world), pytest.raises(TooEarly) as refusal:
        minutes(world, ref)
    assert refusal.value.code == "opening.confirm_running"
    remark(world, ref, "bidder1", "confirm")
    remark(world, ref, "bidder2", "confirm")
    said = remark(world, ref, "bidder3", "objection", "报价唱错了")
    with unchanged(world), pytest.raises(Conflict) as unanswered:
        minutes(world, ref)
    assert unanswered.value.code == "opening.unanswered"
    with unchanged(world), pytest.raises(Invalid), world.work("host") as work:
        row = work.session.get_one(ceremony.OpeningRemark, said.id)
        opening_list.answer_remark(work, row, opened_at(world, work, ref), text=" ")
    with world.work("host") as work:
        row = work.session.get_one(ceremony.OpeningRemark, said.id)
        opening_list.answer_remark(work, row, opened_at(world, work, ref), text="已核对，无误")
    minutes(world, ref)
    with unchanged(world), pytest.raises(WrongStep):
        minutes(world, ref)
    with unchanged(world), pytest.raises(WrongStep):
        remark(world, ref, "bidder1", "objection", "太晚")
    with world.work("host") as work:
        opening_list.close(work, opened_at(world, work, ref))
    with unchanged(world), pytest.raises(WrongStep), world.work("host") as work:
        opening_list.close(work, opened_at(world, work, ref))
    with world.view("clock") as view:
        assert world.lot_in(view, ref).state == "QUAL_REVIEW"


def test_the_window_of_remarks_ends_and_the_silent_are_not_waited_for(world: World) -> None:
    ref = opened(world)
    for username in ALL[:3]:
        sign_list(world, ref, username)
    with world.view("clock") as view:
        until = opened_at(world, view, ref).confirm_until
    assert until is not None
    world.clock.set(until)
    remark(world, ref, "bidder1", "confirm")
    with unchanged(world), pytest.raises(Conflict):
        remark(world, ref, "bidder1", "confirm")
    minutes(world, ref)
    world.clock.set(until + timedelta(microseconds=1))
    with unchanged(world), pytest.raises((TooLate, WrongStep)):
        remark(world, ref, "bidder2", "confirm")


def test_remarks_are_of_those_who_bid(world: World) -> None:
    ref = opened(world)
    for username in ("agent", "host", "officer1"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            opening_list.remark(work, opened_at(world, work, ref), kind="confirm")
    with unchanged(world), pytest.raises(Invalid):
        remark(world, ref, "bidder1", "objection", "  ")
    with unchanged(world), pytest.raises(Invalid):
        remark(world, ref, "bidder1", "applause", "x")


def test_who_countersigns_what(world: World) -> None:
    ref = opened(world)
    with world.view("clock") as view:
        real = dict(opened_at(world, view, ref).opened or {})
    document = loads(payload_of(real))
    document["bids"][0]["announce"] = {"price": "1.00"}
    other = sign_document("opened", document, world.office.keys.signing)
    for name, how in (
        ("another list", {"opened": other}),
        ("a stranger's key", {"key": Keys().sign}),
        ("another officer's key", {"key": world.keys["officer2"].sign}),
    ):
        with unchanged(world), pytest.raises(Invalid) as refusal:
            sign_list(world, ref, "officer1", **how)
        assert refusal.value.code == "opening.bad_signature", name
    with unchanged(world), pytest.raises(Invalid), world.work("officer1") as work:
        row = opened_at(world, work, ref)
        opening_list.countersign(work, row, row.opened)  # nothing added
    with unchanged(world), pytest.raises(NotAllowed):
        sign_list(world, ref, "host", key=world.keys["officer1"].sign)
    sign_list(world, ref, "officer1")
    sign_list(world, ref, "officer1")
    with world.view("clock") as view:
        signed = opened_at(world, view, ref).opened
        assert signed is not None and len(signed["signatures"]) == 2  # the platform and one officer, once


def test_seeds_are_for_officers_once_everything_is_decided(world: World) -> None:
    ref = stages.shared(world)
    with pytest.raises(WrongStep), world.view("officer1") as view:
        ceremony.seeds_for_officer(view, opened_at(world, view, ref))
    decrypt(world, ref)
    with world.view("officer1") as view:
        row = opened_at(world, view, ref)
        seeds = ceremony.seeds_for_officer(view, row)
        for name, header in ceremony.headers(view.session, row).items():
            sealed_headers.rederive(header, unb64u(seeds[name], 32))
    for username in ("bidder1", "clerk", "agent", "buyer"):
        with pytest.raises(NotAllowed), world.view(username) as view:
            ceremony.seeds_for_officer(view, opened_at(world, view, ref))


def test_nothing_is_public_before_the_set_and_only_names_before_the_verdicts(world: World) -> None:
    ref = stages.closed(world)
    with world.view("clock") as view:
        assert not ceremony.is_public(view.session, world.lot_in(view, ref))
    before = fingerprint(world)
    sealing.list_set(world, ref)
    with world.view("clock") as view:
        assert ceremony.is_public(view.session, world.lot_in(view, ref))
        with pytest.raises(NotFound):
            ceremony.opened_of_lot(view.session, world.lot_in(view, "KP-2026-000000-1"))
        assert ceremony.opened_of_lot(view.session, world.lot_in(view, ref)) == []
    assert "opened_bid" not in changed(world, before)
