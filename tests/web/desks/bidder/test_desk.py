"""The bidder's desk over real acts: taking part, handing in, receipts, secrecy, what comes after the deadline."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from crypto.canonical import unb64u
from crypto.receipts import check_words, number_of, verify_receipt
from crypto.signatures import payload_of
from tests.web.desks.rooms import JSON, Person, Rooms, hand_in, sealed_bid, upload, withdrawal
from trading.kernel import log
from trading.kernel.money import Money
from trading.tendering.tenders import Lot
from web.words import formatting


@pytest.fixture
def lot(rooms: Rooms) -> str:
    return rooms.world.lot("BIDDING")


@pytest.fixture
def bidder(rooms: Rooms, lot: str) -> Person:
    person = rooms.person("bidder1", "bidder-signer")
    assert person.act(f"/bidder/lots/{lot}/acts/take-part", page=f"/bidder/lots/{lot}").status_code == 303
    return person


def lot_of(rooms: Rooms, ref: str) -> Lot:
    with rooms.world.view("clock") as view:
        return rooms.world.lot_in(view, ref)


# --- taking part --------------------------------------------------------------------------------------------------------


def test_taking_part_gives_a_sub_account_of_ones_own(rooms: Rooms, lot: str, bidder: Person) -> None:
    page = bidder.get(f"/bidder/lots/{lot}")
    assert page.status_code == 200 and "50,000.00" in page.text
    again = bidder.act(f"/bidder/lots/{lot}/acts/take-part")
    assert again.status_code == 303
    other = rooms.person("bidder2", "bidder-signer")
    other.act(f"/bidder/lots/{lot}/acts/take-part", page=f"/bidder/lots/{lot}")
    theirs = other.get("/bidder/deposits").text
    import re

    mine, their = (set(re.findall(r"(?:\d{4} ){7}\d{4}", text)) for text in (page.text, theirs))
    assert len(mine) == len(their) == 1 and not mine & their


PAGES = (
    "/bidder",
    "/bidder/lots",
    "/bidder/receipts",
    "/bidder/questions",
    "/bidder/objections",
    "/bidder/deposits",
    "/bidder/company",
)


def test_pages_open_with_nothing_and_with_a_lot(rooms: Rooms, lot: str) -> None:
    person = rooms.person("bidder2", "bidder-signer")
    for taking in (False, True):
        if taking:
            rooms.world.take_part(lot, "bidder2")
        for path in (
            *PAGES,
            *(f"/bidder/lots/{lot}{page}" for page in ("", "/seal", "/data", "/ticket", "/objection") if taking),
        ):
            for lang in ("zh", "en"):
                assert person.get(f"{path}?lang={lang}").status_code == 200, path


# --- handing in -----------------------------------------------------------------------------------------------------------


def test_submitting_gives_a_receipt_that_anybody_can_check(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    answer = hand_in(bidder, lot, bid)
    assert (
        answer.status_code == 200
        and answer.json["accepted"]
        and answer.json["kind"] == "received"
        and answer.json["reason"] == ""
    )
    keys = [rooms.world.office.keys.public]
    found = verify_receipt(answer.json["receipt"], keys)
    entry = json.loads(payload_of(answer.json["receipt"]["entry"]))
    assert entry["statement"] == bid.statement and entry["event"] == "bid-received" and found is not None
    c = answer.json["c"]
    page = bidder.get(answer.json["location"])
    assert page.status_code == 200
    words = check_words(payload_of(answer.json["receipt"]["entry"]), "zh")
    assert " · ".join(words) in page.text
    assert "proof" not in bidder.get(f"/bidder/receipts/{c}.json").json
    rooms.world.tick()
    rooms.world.tick()
    proved = bidder.get(f"/bidder/receipts/{c}.json").json
    assert set(proved) == {"entry", "proof"}
    verify_receipt(proved, keys, log.log_key(rooms.world.office.platform, rooms.world.office.keys))
    kept = bidder.get(f"/bidder/receipts/{c}/file")
    assert kept.headers["Content-Disposition"].startswith("attachment") and kept.json["entry"] == proved["entry"]


def test_the_same_submission_again_is_the_same_receipt(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    token = upload(bidder, lot, bid.data)
    first = hand_in(bidder, lot, bid, token=token).json
    rooms.world.clock.advance(seconds=30)
    assert hand_in(bidder, lot, bid, token=token).json == first
    assert bidder.get("/bidder/receipts").text.count(f'/bidder/receipts/{first["c"]}"') == 1
    plain = bidder.act(f"/bidder/lots/{lot}/acts/submit", upload=token, submission=json.dumps(bid.submission))
    assert plain.status_code == 303 and plain.location.endswith(first["c"])


def test_a_submission_sent_again_after_it_was_replaced_is_told_in_words(rooms: Rooms, lot: str, bidder: Person) -> None:
    first = sealed_bid(rooms.world, lot, "bidder1")
    token = upload(bidder, lot, first.data)
    assert hand_in(bidder, lot, first, token=token).json["accepted"]
    second = sealed_bid(rooms.world, lot, "bidder1", price="2700000.00", replaces=first.statement)
    c = hand_in(bidder, lot, second).json["c"]
    counts = number_of(unb64u(c))
    answer = hand_in(bidder, lot, first, token=token)
    assert (answer.status_code, answer.json["code"]) == (409, "bid.replaced_since")
    assert counts in answer.json["words"] and "替换" in answer.json["words"]
    for lang, words in (("zh", "此后被新的投标替换"), ("en", "has been replaced since")):
        page = bidder.act(
            f"/bidder/lots/{lot}/acts/submit?lang={lang}", upload=token, submission=json.dumps(first.submission)
        )
        assert page.status_code == 409 and words in page.text and counts in page.text
    back = json.dumps(withdrawal(rooms.world, "bidder1", second))
    assert bidder.act(f"/bidder/lots/{lot}/acts/withdraw", json=True, withdrawal=back).json["accepted"]
    answer = hand_in(bidder, lot, second)
    assert (answer.status_code, answer.json["code"]) == (409, "bid.withdrawn_since")
    assert bidder.get("/bidder/receipts").text.count('href="/bidder/receipts/') >= 3


def test_replacing_and_withdrawing(rooms: Rooms, lot: str, bidder: Person) -> None:
    first = sealed_bid(rooms.world, lot, "bidder1")
    assert hand_in(bidder, lot, first).json["accepted"]
    lone = sealed_bid(rooms.world, lot, "bidder1", price="2700000.00")
    refused = hand_in(bidder, lot, lone).json  # it names no bid it replaces, but one stands
    assert not refused["accepted"] and refused["reason"] == "CONTEXT_MISMATCH" and refused["kind"] == "refused"
    assert bidder.get(f"/bidder/lots/{lot}/data").json["replaces"] == first.statement
    second = sealed_bid(rooms.world, lot, "bidder1", price="2700000.00", replaces=first.statement)
    assert hand_in(bidder, lot, second).json["kind"] == "replaced"
    assert bidder.get(f"/bidder/lots/{lot}/withdraw").status_code == 200
    refused = bidder.act(f"/bidder/lots/{lot}/acts/withdraw", withdrawal="{my own words")
    assert refused.status_code == 422 and "{my own words" in refused.text
    back = json.dumps(withdrawal(rooms.world, "bidder1", second))
    gone = bidder.act(f"/bidder/lots/{lot}/acts/withdraw", json=True, withdrawal=back).json
    assert gone["accepted"] and gone["kind"] == "withdrawn"
    assert bidder.get(f"/bidder/lots/{lot}/data").json["replaces"] == ""
    assert "没有可撤回的投标" in bidder.get(f"/bidder/lots/{lot}/withdraw").text
    again = bidder.act(f"/bidder/lots/{lot}/acts/withdraw", json=True, withdrawal=back).json
    assert again["c"] == gone["c"]


def test_while_replacing_the_standing_receipt_is_on_top_and_a_superseded_one_never_looks_current(
    rooms: Rooms, lot: str, bidder: Person
) -> None:
    import re

    assert 'id="standing"' not in bidder.get(f"/bidder/lots/{lot}/seal?lang=en").text
    first = sealed_bid(rooms.world, lot, "bidder1")
    old = hand_in(bidder, lot, first).json["c"]
    page = bidder.get(f"/bidder/lots/{lot}/seal?lang=en").text
    banner = page.index('id="standing"')
    assert (
        banner < page.index('id="steps"')
        and "stands until a new one is accepted" in page
        and f'/bidder/receipts/{old}"' in page
    )
    second = sealed_bid(rooms.world, lot, "bidder1", price="2700000.00", replaces=first.statement)
    new = hand_in(bidder, lot, second).json["c"]
    rows = {
        c: row
        for row in re.findall(r"<tr.*?</tr>", bidder.get("/bidder/receipts?lang=en").text, re.S)
        for c in (old, new)
        if c in row
    }
    assert 'class="gone"' in rows[old] and "superseded, does not count" in rows[old]
    assert "tag--ok" not in rows[old].split('data-th="Audit book"')[0]
    assert "counts now" in rows[new] and "gone" not in rows[new]
    back = json.dumps(withdrawal(rooms.world, "bidder1", second))
    assert bidder.act(f"/bidder/lots/{lot}/acts/withdraw", page=f"/bidder/lots/{lot}", json=True, withdrawal=back).json[
        "accepted"
    ]
    listed = bidder.get("/bidder/receipts?lang=en").text
    assert "withdrawn, does not count" in listed and "counts now" not in listed


def test_taking_part_is_one_press_on_the_public_page(rooms: Rooms, lot: str) -> None:
    stranger = Person(rooms.app.test_client())
    assert "Sign in and take part" in stranger.get(f"/lots/{lot}?lang=en").text
    person = rooms.person("bidder2", "bidder-signer")
    page = person.get(f"/lots/{lot}?lang=en").text
    assert f'action="/bidder/lots/{lot}/acts/take-part"' in page
    taken = person.act(f"/bidder/lots/{lot}/acts/take-part")
    assert taken.status_code == 303 and taken.location == f"/bidder/lots/{lot}"
    again = person.get(f"/lots/{lot}?lang=en").text
    assert "You take part" in again and "acts/take-part" not in again
    assert "acts/take-part" not in rooms.person("agent", "agency").get(f"/lots/{lot}").text


def test_the_page_of_a_lot_has_its_documents_next_hour_and_receipt(rooms: Rooms, lot: str, bidder: Person) -> None:
    page = bidder.get(f"/bidder/lots/{lot}?lang=en").text
    assert "Documents to read" in page and "/documents/" in page and "data-until" in page
    assert f'href="/bidder/deposits/{lot}"' in page and "Payment slip" in page
    c = hand_in(bidder, lot, sealed_bid(rooms.world, lot, "bidder1")).json["c"]
    page = bidder.get(f"/bidder/lots/{lot}").text
    assert (
        f"/bidder/receipts/{c}" in page and formatting.number("bid-submitted", c) in page
    )  # the number that is read out


def test_a_second_too_late_is_proved(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    token = upload(bidder, lot, bid.data)
    row = lot_of(rooms, lot)
    assert row.deadline is not None
    rooms.world.clock.set(row.deadline - timedelta(minutes=1))
    bidder = rooms.person("bidder1", "bidder-signer")
    bidder.get(f"/bidder/lots/{lot}")
    rooms.world.clock.set(row.deadline)
    late = hand_in(bidder, lot, bid, token=token).json
    assert not late["accepted"] and late["reason"] == "LATE"
    page = bidder.get(late["location"] + "?lang=en").text
    assert "Proof of attempt" in page and "at or after the deadline" in page
    other = rooms.person("bidder2", "bidder-signer")
    assert (
        other.get(late["location"]).status_code == 404
        and other.get(late["location"] + ".json", headers=JSON).status_code == 404
    )


def test_an_upload_that_was_refused_can_be_proved(rooms: Rooms, lot: str, bidder: Person) -> None:
    from tests.web.desks.rooms import BYTES, announce_upload

    where = announce_upload(bidder, lot, 90_000).headers["Location"]
    bidder.client.patch(where, data=b"a" * 90_000, headers={**BYTES, "Upload-Offset": "0"})
    proof = bidder.act(
        f"/bidder/lots/{lot}/acts/prove-attempt", page=f"/bidder/lots/{lot}", json=True, upload=where.rpartition("/")[2]
    )
    assert proof.status_code == 200 and proof.json["reason"] == "FORMAT"


def test_what_is_no_signed_document_is_named(rooms: Rooms, lot: str, bidder: Person) -> None:
    answer = bidder.act(
        f"/bidder/lots/{lot}/acts/submit", page=f"/bidder/lots/{lot}", json=True, upload="0" * 48, submission="no json"
    )
    assert answer.status_code == 422 and [fault["code"] for fault in answer.json["faults"]] == ["bid.not_json"]
    assert bidder.act(f"/bidder/lots/{lot}/acts/submit", json=True, upload="0" * 48, submission="{}").status_code == 404


# --- roles and secrecy --------------------------------------------------------------------------------------------------


def test_an_operator_prepares_and_does_not_submit(rooms: Rooms, lot: str, bidder: Person) -> None:
    bid = sealed_bid(rooms.world, lot, "bidder1")
    operator = rooms.person("bidder1", "bidder-operator")
    token = upload(operator, lot, bid.data)
    assert hand_in(operator, lot, bid, token=token).status_code == 403
    assert operator.get(f"/bidder/lots/{lot}/seal").status_code == 200


def test_a_page_is_the_same_however_many_take_part(rooms: Rooms, lot: str, bidder: Person) -> None:
    import re

    def seen() -> dict[str, str]:
        found = {}
        for path in (
            "/bidder",
            "/bidder/lots",
            f"/bidder/lots/{lot}",
            f"/bidder/lots/{lot}/seal",
            f"/bidder/lots/{lot}/data",
        ):
            text = bidder.get(path).text
            found[path] = re.sub(r'name="(csrf_token|form_id)" value="[^"]*"', "", text)
        return found

    before = seen()
    for other in ("bidder2", "bidder3"):
        rooms.world.take_part(lot, other)
        person = rooms.person(other, "bidder-signer")
        assert hand_in(person, lot, sealed_bid(rooms.world, lot, other)).json["accepted"]
    assert seen() == before


def test_leaving_is_said_twice_and_final(rooms: Rooms, lot: str, bidder: Person) -> None:
    unsure = bidder.act(f"/bidder/lots/{lot}/acts/leave", page=f"/bidder/lots/{lot}")
    assert unsure.status_code == 422
    assert bidder.act(f"/bidder/lots/{lot}/acts/leave", page=f"/bidder/lots/{lot}", sure="yes").status_code == 303
    back = bidder.act(f"/bidder/lots/{lot}/acts/take-part", json=True, form_id="another-form-of-theirs")
    assert (back.status_code, back.json["code"]) == (409, "participant.left")


def test_asking_shows_the_answer_only_to_the_asker_by_name(rooms: Rooms, lot: str, bidder: Person) -> None:
    asked = bidder.act(f"/bidder/lots/{lot}/acts/ask", page=f"/bidder/lots/{lot}", question="接口是否含安装？")
    again = bidder.act(f"/bidder/lots/{lot}/acts/ask", question="接口是否含安装？")  # the same form once more
    assert asked.status_code == again.status_code == 303 and again.location == asked.location
    assert bidder.get("/bidder/questions").text.count("接口是否含安装？") == 1
    other = rooms.person("bidder2", "bidder-signer")
    rooms.world.take_part(lot, "bidder2")
    assert "接口是否含安装？" not in other.get(f"/bidder/lots/{lot}").text


def test_an_objection_is_filed_and_taken_back(rooms: Rooms, lot: str, bidder: Person) -> None:
    page = bidder.get(f"/bidder/lots/{lot}/objection")
    assert page.status_code == 200
    filed = bidder.act(f"/bidder/lots/{lot}/acts/object", stage="documents", text="技术参数指向单一品牌。")
    assert filed.status_code == 303
    listed = bidder.get("/bidder/objections").text
    assert "技术参数指向单一品牌" in listed
    import re

    oref = re.search(r"/bidder/objections/([\w-]+)", listed)
    assert oref is not None
    assert (
        bidder.act(f"/bidder/objections/{oref[1]}/acts/withdraw", page=f"/bidder/objections/{oref[1]}").status_code
        == 303
    )
    assert rooms.person("bidder2", "bidder-signer").get(f"/bidder/objections/{oref[1]}").status_code == 404
    early = bidder.act(
        f"/bidder/lots/{lot}/acts/object", page=f"/bidder/lots/{lot}/objection", stage="result", text="x"
    )
    assert early.status_code in (409, 422)


# --- after the deadline ---------------------------------------------------------------------------------------------------


def test_ones_own_line_is_read_and_confirmed_and_ones_own_result_shown(rooms: Rooms) -> None:
    from tests.kit import stages
    from trading.awarding import awards
    from trading.opening import ceremony

    world = rooms.world
    ref = stages.proposed(world)
    person = rooms.person("bidder1", "bidder-signer")
    page = person.get(f"/bidder/lots/{ref}/opening?lang=zh")
    assert page.status_code == 200
    with world.view("bidder1") as view:
        line = ceremony.own_opened(view, stages.opening_of(world, view, ref))
    assert line is not None and line.price_minor is not None
    from trading.kernel.money import Money

    assert Money(line.price_minor).amount_words() in page.text
    assert person.act(f"/bidder/lots/{ref}/acts/confirm", json=True).status_code == 409  # the window is over
    assert person.get(f"/bidder/lots/{ref}/outcome").status_code == 404  # proposed is not published
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))
    assert person.get(f"/bidder/lots/{ref}/outcome").status_code == 404
    with world.work("agent") as work:
        award = awards.announce(work, world.lot_in(work, ref))
        own = next(one for one in award.ranking if one["party_id"] == world.party_ids["bidder1"])
        others = [
            one for one in award.ranking if one["party_id"] not in (world.party_ids["bidder1"], award.winner_party_id)
        ]
    outcome = person.get(f"/bidder/lots/{ref}/outcome?lang=en")
    assert outcome.status_code == 200 and own["total"] in outcome.text and "Points by criterion" in outcome.text
    assert all(one["name"] not in outcome.text for one in others)
    assert person.get(f"/bidder/lots/{ref}/outcome?lang=zh").status_code == 200
    filed = person.act(
        f"/bidder/lots/{ref}/acts/object", page=f"/bidder/lots/{ref}/objection", stage="result", text="价格分计算有误。"
    )
    assert filed.status_code == 303
    assert "价格分计算有误" in person.get("/bidder/objections?lang=zh").text


def test_confirming_inside_the_window_is_said_once(rooms: Rooms) -> None:
    from tests.kit import opening_steps, stages
    from trading.opening import decryption

    world = rooms.world
    ref = stages.shared(world)
    person = rooms.person("bidder1", "bidder-signer")
    assert person.get(f"/bidder/lots/{ref}/opening").status_code == 200
    host = world.actor("host")
    decryption.open_bids(world.office, host, ref)
    assert opening_steps.ALL
    shown = person.get(f"/bidder/lots/{ref}/opening?lang=en").text
    assert "Silence counts as confirmation" in shown
    assert "was it read out as you wrote it?" in person.get("/bidder?lang=en").text
    said = person.act(f"/bidder/lots/{ref}/acts/confirm", page=f"/bidder/lots/{ref}/opening")
    assert said.status_code == 303
    empty = person.act(f"/bidder/lots/{ref}/acts/object-opening", page=f"/bidder/lots/{ref}/opening", text="")
    assert empty.status_code == 422
    assert "confirmed" in person.get(f"/bidder/lots/{ref}/opening?lang=en").text
    again = person.act(f"/bidder/lots/{ref}/acts/confirm", page=f"/bidder/lots/{ref}/opening", json=True)
    assert again.status_code == 409


@pytest.mark.rule("T-24")
def test_an_objection_to_documents_of_works_ends_ten_days_before_the_deadline(rooms: Rooms) -> None:
    ref = rooms.world.lot("BIDDING", "WORKS", deposit=Money.zero())
    rooms.world.take_part(ref, "bidder1")
    end = datetime(2026, 3, 14, 16, tzinfo=UTC)  # the deadline is on 24 March

    def filed(at: datetime) -> int:
        rooms.world.clock.set(at)
        bidder = rooms.person("bidder1", "bidder-signer")
        page = f"/bidder/lots/{ref}/objection"
        return bidder.act(
            f"/bidder/lots/{ref}/acts/object", page=page, stage="documents", text="指向单一品牌"
        ).status_code

    assert filed(end - timedelta(seconds=1)) == 303
    assert filed(end) in (409, 422)
