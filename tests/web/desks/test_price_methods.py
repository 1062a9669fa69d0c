"""Lots that rank by a price alone, by the pages everybody has: chosen by the agency, found on by the panel, shown without any points."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps
from tests.kit.schemes import SCHEMES
from tests.web.desks.expert.kit import Member, offers
from tests.web.desks.purchasing import done, errors, form_on, forms_of, send
from tests.web.desks.rooms import Person, Rooms
from trading.awarding import awards
from trading.procedures import procedure_of

QUOTES = {"bidder1": "2700000.00", "bidder2": "2710000.00", "bidder3": "2720000.00"}
POINTS = re.compile(r"综合得分|总分|得分|主观分|[Tt]otal points|[Ss]ubjective|points\b")


def seated(rooms: Rooms, regime: str, method: str, **how: Any) -> tuple[str, Member, list[Member]]:
    """A lot opened under a method that ranks by price, its panel sitting: (lot, chair, members)."""
    world = rooms.world
    steps.library(world)
    forms = {name: opening_steps.form(regime, price=price) for name, price in QUOTES.items()}
    ref = steps.opened(world, regime, scheme=SCHEMES[method], forms=forms, **how)
    if regime == "GP":
        steps.qualify(world, ref)
    chair = steps.seated(world, ref)
    members = [Member(rooms, name, ref) for _no, name in sorted(steps.usernames(world, ref, "seated").items())]
    return ref, next(one for one in members if one.username == chair), members


def words_of(page: Any) -> str:
    assert page.status_code == 200, page.text[-800:]
    return re.sub(r"(?s)<head>.*?</head>|<script.*?</script>|<[^>]+>|\s+", " ", page.text.partition("<main")[2])


def found_on(chair: Member, amounts: dict[int, dict[str, str]] | None = None) -> None:
    """The chair records every finding; ``amounts``: place of the bid → what is typed of its price."""
    for at, bid in enumerate(chair.data()["reviewed"]):
        typed: dict[str, Any] = (amounts or {}).get(at, {})
        why: dict[str, Any] = {"clause": "三、6", "reason": "清单合计有误，投标人已书面确认"} if typed else {}
        done(
            chair.person.act(
                chair.base + "/acts/conformity",
                page=chair.base + "/review",
                bid=str(bid["id"]),
                votes_for="5",
                **typed,
                **why,
            )
        )


def concluded(rooms: Rooms, ref: str, chair: Member, members: list[Member]) -> None:
    """From the findings to the proposed award: drawn up, signed by all, concluded; each page in both languages."""
    for one in (chair, members[0]):
        for page in ("", "/review", "/report"):
            for lang in ("zh", "en"):
                assert not re.search(r"\bNone\b", words_of(one.person.get(f"{one.base}{page}?lang={lang}")))
        for page in ("/score", "/list", "/reveal"):
            assert one.person.get(one.base + page).headers["Location"].endswith(one.base)  # there are no sheets
    assert chair.data()["next_step"] == "draw_up" and members[0].data()["next_step"] == "wait_report"
    assert not offers(members[0].person, members[0].base + "/report", "draw-up")
    done(send(chair.person, chair.base + "/report", "draw-up"))
    assert not offers(chair.person, chair.base + "/review", "conformity")  # the findings are closed
    for one in members:
        assert one.data()["next_step"] == "sign"
        done(one.sign_report())
    done(send(chair.person, chair.base + "/report", "conclude"))


@pytest.mark.rule("2.8", "E-07b", "E-21")
@pytest.mark.parametrize(
    ("regime", "method", "called"), [("GP", "GP_LOWEST", "评审价"), ("WORKS", "WK_LOWEST", "经评审的投标价")]
)
def test_a_lot_by_price_from_the_findings_to_the_result(rooms: Rooms, regime: str, method: str, called: str) -> None:
    world = rooms.world
    ref, chair, members = seated(rooms, regime, method)
    reviewed = method == "WK_LOWEST"
    # 2,700,000 − 20,000 + 100,000 ranks behind 2,710,000; the contract would be at 2,680,000.
    found_on(chair, {0: {"arithmetic": "-20,000.00", "adjustment": "100000"}} if reviewed else None)
    concluded(rooms, ref, chair, members)
    report = words_of(chair.person.get(chair.base + "/report?lang=zh"))
    assert called in report and "不打分" in report and not POINTS.search(report)
    assert not POINTS.search(words_of(chair.person.get(chair.base + "/report?lang=en")))
    assert chair.person.get(chair.base + "/report.pdf").data.startswith(b"%PDF-")
    assert chair.person.get(chair.base + "/recompute.json").json["same"]

    agent, buyer = rooms.person("agent"), rooms.person("buyer")
    with world.view("clock") as view:
        ranking = awards.award(view.session, world.lot_in(view, ref)).ranking
        law = procedure_of(world.lot_in(view, ref))
    assert [row["rank"] for row in ranking] == [1, 2, 3] and all(row["ranked_by"] == "price" for row in ranking)
    moved = next(row for row in ranking if row["bidder"] == chair.data()["reviewed"][0]["name"])
    assert (moved["rank"], moved["total"], moved["price_minor"]) == (
        (3, "2780000.00", 268_000_000) if reviewed else (1, "2700000.00", 270_000_000)
    )
    for lang in ("zh", "en"):
        page = words_of(agent.get(f"/agency/lots/{ref}/award?lang={lang}"))
        assert not POINTS.search(page) and ("2,780,000.00" in page) == reviewed
    if law.award.publicity is not None:
        with world.work("agent") as work:
            until = awards.publicise(work, world.lot_in(work, ref)).publicity_until
        assert until is not None
        world.clock.set(until)
        buyer = rooms.person("buyer")
    assert "rank 1" in words_of(buyer.get(f"/agency/lots/{ref}/award/decide?rank=1&lang=en"))
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))
    with world.work("agent") as work:
        awards.announce(work, world.lot_in(work, ref))

    guest = rooms.app.test_client()
    for lang in ("zh", "en"):
        for page in (f"/lots/{ref}/result", f"/lots/{ref}"):
            told = words_of(guest.get(f"{page}?lang={lang}"))
            assert not POINTS.search(told), POINTS.search(told)
            assert not re.search(r"\bNone\b", told)
        assert ranking[0]["name"] in words_of(guest.get(f"/lots/{ref}/result?lang={lang}"))
    assert called in words_of(guest.get(f"/lots/{ref}/result?lang=zh"))
    rows = list(csv.reader(io.StringIO(guest.get(f"/lots/{ref}/result.csv").data.decode("utf-8-sig"))))
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"] and all(row["total"] in rows[row["rank"]] for row in ranking)
    assert guest.get(f"/lots/{ref}/report.pdf").data.startswith(b"%PDF-")
    with world.view("clock") as view:
        number = awards.award(view.session, world.lot_in(view, ref)).id
    assert number
    notice = re.search(r'href="(/notices/\d+)"', guest.get(f"/lots/{ref}/result").text)
    assert notice and not POINTS.search(words_of(guest.get(notice.group(1))))
    for lang in ("zh", "en"):
        for username in ("bidder1", "bidder2"):
            own = words_of(rooms.person(username).get(f"/bidder/lots/{ref}/outcome?lang={lang}"))
            assert not POINTS.search(own) and ("2,780,000.00" in own) == (reviewed and username == "bidder1")
        watch = words_of(rooms.person("watch").get(f"/supervisor/dossier/{ref}?lang={lang}"))
        assert "2,720,000.00" in watch and not re.search("<th[^>]*>(得分|Points)", watch)


def test_two_envelopes_are_fixed_opened_and_ranked_without_a_sheet(rooms: Rooms) -> None:
    world = rooms.world
    ref, chair, members = seated(rooms, "WORKS", "WK_LOWEST", two_envelopes=True)
    found_on(chair)
    assert chair.data()["next_step"] == "fix" and members[0].data()["next_step"] == "wait_fix"
    done(send(chair.person, chair.base + "/prices", "fix-technical"))
    steps.open_prices(world, ref)
    page = chair.person.get(chair.base + "/prices")
    for at, bid in enumerate(re.findall(r'name="bid" value="(\d+)"', page.text)):
        typed: dict[str, Any] = (
            {"adjustment": "50000", "clause": "三、6", "reason": "付款提前 30 日"} if at == 0 else {}
        )
        done(chair.person.act(chair.base + "/acts/price", page=chair.base + "/prices", bid=bid, votes_for="5", **typed))
    assert "50,000.00" in words_of(chair.person.get(chair.base + "/prices"))
    assert chair.data()["next_step"] == "draw_up"
    done(send(chair.person, chair.base + "/report", "draw-up"))
    for one in members:
        done(one.sign_report())
    done(send(chair.person, chair.base + "/report", "conclude"))
    with world.view("clock") as view:
        ranking = awards.award(view.session, world.lot_in(view, ref)).ranking
    assert {row["total"] for row in ranking} == {"2750000.00", "2710000.00", "2720000.00"}


@pytest.mark.rule("E-00", "E-21", "E-22")
def test_a_price_changes_only_as_the_method_and_the_documents_say(rooms: Rooms) -> None:
    silent = {key: value for key, value in SCHEMES["WK_LOWEST"].items() if key != "adjustments"}
    world = rooms.world
    steps.library(world)
    forms = {name: opening_steps.form("WORKS", price=price) for name, price in QUOTES.items()}
    ref = steps.opened(world, "WORKS", scheme=silent, forms=forms)
    name = steps.seated(world, ref)
    chair = Member(rooms, name, ref)
    bid, page = str(chair.data()["reviewed"][0]["id"]), chair.base + "/review"

    def refused(**typed: Any) -> str:
        return errors(chair.person.act(chair.base + "/acts/conformity", page=page, bid=bid, votes_for="5", **typed))

    why: dict[str, Any] = {"clause": "三、6", "reason": "付款提前"}
    assert "E-00" in refused(adjustment="50000", **why)
    assert "书面确认" in refused(arithmetic="-100")
    assert "大于零" in refused(arithmetic="-2700000", **why)
    assert refused(arithmetic="1.005", **why) and refused(arithmetic="很多", **why)
    assert chair.data()["reviewed"][0]["finding"] is None
    done(chair.person.act(chair.base + "/acts/conformity", page=page, bid=bid, votes_for="5", arithmetic="-100", **why))
    assert "2,699,900.00" in words_of(chair.person.get(page))


def test_a_finding_may_be_mended_by_a_review_done_again(rooms: Rooms) -> None:
    ref, chair, members = seated(rooms, "GP", "GP_LOWEST")
    found_on(chair)
    done(send(chair.person, chair.base + "/report", "draw-up"))
    done(members[0].sign_report())
    told = send(chair.person, chair.base + "/report", "recheck", ground="abnormal", reason="畸高")
    assert told.status_code == 422
    done(send(chair.person, chair.base + "/report", "recheck", ground="bad_finding", reason="第一份投标的审查结论有误"))
    assert chair.data()["next_step"] == "draw_up" and chair.data()["round"] == 2
    assert "重新审查" in words_of(chair.person.get(chair.base))
    found_on(chair)
    done(send(chair.person, chair.base + "/report", "draw-up"))
    for one in members:
        done(one.sign_report())
    assert "第 2 轮" in words_of(chair.person.get(chair.base + "/report"))
    done(send(chair.person, chair.base + "/report", "conclude"))


# --- the agency chooses -------------------------------------------------------------------------------------------------------------


def held(rooms: Rooms, ref: str) -> dict[str, Any]:
    with rooms.world.view("agent") as view:
        return dict(rooms.world.lot_in(view, ref).scheme or {})


def chosen(agent: Person, ref: str, fields: dict[str, str]) -> dict[str, str]:
    """The fields of the form of criteria once another method was chosen in it."""
    act = f"/agency/lots/{ref}/acts/choose-method"
    answer = agent.client.post(
        act, data=fields, headers={"Referer": f"http://localhost{act}"}
    )  # chosen for the second time
    assert answer.status_code == 200, answer.text[-500:]
    assert f'href="/agency/lots/{ref}/scheme?lang=' in answer.text and f'href="{act}' not in answer.text
    assert ('id="f-criteria.0.title"' in answer.text) == (
        fields["method"] == "GP_SCORE"
    )  # the form is that of the method
    return next(fields for action, fields in forms_of(answer.text) if action.endswith("/acts/scheme"))


def test_the_agency_chooses_a_method_and_what_it_typed_stays(rooms: Rooms) -> None:
    ref, agent = rooms.world.lot("DRAFTED"), rooms.person("agent")
    page = f"/agency/lots/{ref}/scheme"
    _address, fields = form_on(agent, page, "scheme")
    assert fields["method"] == "GP_SCORE" and fields["criteria.0.title"]
    before = held(rooms, ref)
    typed = {"small_firm": "12", "tie": "draw", "criteria.1.title": "我的评分项"}
    other = chosen(agent, ref, fields | typed | {"method": "GP_LOWEST"})
    assert held(rooms, ref) == before  # choosing saves nothing
    assert other["method"] == "GP_LOWEST" and other["small_firm"] == "12" and other["tie"] == "draw"
    back = chosen(agent, ref, other | {"method": "GP_SCORE"})
    assert (
        back["criteria.1.title"] == "我的评分项" and back["small_firm"] == "12" and back["outlier"] == fields["outlier"]
    )
    done(agent.client.post(f"/agency/lots/{ref}/acts/scheme", data=other | {"uniform": "yes"}))
    assert held(rooms, ref) == {
        "v": 1, "method": "GP_LOWEST", "criteria": [], "tie": "draw", "small_firm": "0.12", "uniform": True,
    }  # fmt: skip
    for lang in ("zh", "en"):
        for path in (page, f"/agency/lots/{ref}/preview", f"/agency/lots/{ref}"):
            words_of(agent.get(f"{path}?lang={lang}"))
    again = agent.get(page + "?lang=zh")
    assert "不打分" in again.text and "criteria.0.title" not in again.text
    # What is of one uniform standard is not scored; the fault stands at its field, all others beside it.
    started = chosen(agent, ref, form_on(agent, page, "scheme")[1] | {"method": "GP_SCORE"})
    assert started["criteria.0.title"] and started["uniform"] == "yes"
    told = errors(agent.client.post(f"/agency/lots/{ref}/acts/scheme", data=started | {"small_firm": "50"}))
    assert "最低评标价法" in told and "E-06" in told


@pytest.mark.rule("2.8")
def test_works_by_price_must_be_of_common_technology(rooms: Rooms) -> None:
    ref, agent = rooms.world.lot("DRAFTED", "WORKS"), rooms.person("agent")
    page = f"/agency/lots/{ref}/scheme"
    fields = chosen(agent, ref, form_on(agent, page, "scheme")[1] | {"method": "WK_LOWEST"})
    assert fields["common"] == "yes"
    address, without = f"/agency/lots/{ref}/acts/scheme", {k: v for k, v in fields.items() if k != "common"}
    assert "2.8" in errors(agent.client.post(address, data=without))

    def checked(typed: dict[str, str]) -> Any:
        return agent.client.post(f"/agency/lots/{ref}/acts/check-scheme", data=typed).json

    assert "2.8" in checked(without)["fields"]["common"]["text"]
    done(agent.client.post(address, data=fields | {"adjustments": "付款每提前 10 日，加报价的 0.5%"}))
    assert held(rooms, ref)["adjustments"] and agent.get(page).text.count("0.5%")
    assert checked(fields)["sum"]["tone"] == "ok"
