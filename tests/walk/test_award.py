"""After the opening and after the report, to the last page: qualifications reviewed, the award decided, announced, challenged and defended,
an objection to candidates answered, contracts signed and published; each as purchaser, agency and the bidders it concerns see it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.kit.world import PDF
from tests.walk.guide import Walk
from tests.walk.keywork import confirm

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload


def lot_of(walk: Walk, key: str) -> str:
    return str(walk.town.facts["lots"][key]["ref"])


def open_objection(walk: Walk, ref: str) -> str:
    """The number of the objection to a lot that waits for its answer."""
    found = walk.town.ask(
        "select o.ref from objection o join lot l on l.id = o.lot_id where l.ref = ? and o.state = 'FILED'", ref
    )
    return str(found[0][0])


def pdf(name: str) -> FilePayload:
    return {"name": name, "mimeType": "application/pdf", "buffer": PDF}


def moment(at: datetime) -> str:
    """As a field for a moment wants it, in the centre's time."""
    return (at + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M")


def test_qualifications_are_reviewed(walk: Walk) -> None:
    buyer, lot = walk.person("buyer"), f"/agency/lots/{lot_of(walk, 'SERVERS')}"
    buyer.follow(f"main a[href='{lot}/qualification']")
    forms = "form[action$='/acts/review']"
    with buyer.expecting(422):
        buyer.press(f"{forms} button")  # nothing found
    for place in range(buyer.page.locator(forms).count()):
        form = buyer.page.locator(forms).nth(place)
        form.locator("[name=ok][value=yes]").check()
        if place == 1:  # a no wants its clause and its reason, which stay when one is missing
            form.locator("[name=ok][value=no]").check()
            form.locator("[name=reason]").fill("44 (1)")
            with buyer.expecting(422):
                buyer.press(f".sec:nth-of-type({place + 1}) {forms} button")
            form = buyer.page.locator(forms).nth(place)
            assert form.locator("[name=reason]").input_value() == "44 (1)"
            form.locator("[name=clause]").fill("资格条件 1")
        buyer.press(f".sec:nth-of-type({place + 1}) {forms} button")
    changed = buyer.page.locator(".sec").nth(1)  # the licence was found after all
    changed.locator("summary").first.click()
    changed.locator("[name=ok][value=yes]").check()
    buyer.press(f".sec:nth-of-type(2) {forms} button")
    with buyer.expecting(422):
        buyer.press("form[action$='/acts/finish-review'] button")
    buyer.fill(sure="yes")
    buyer.press("form[action$='/acts/finish-review'] button")
    assert walk.town.ask("select state from lot where ref = ?", lot_of(walk, "SERVERS")) == [("EVALUATION",)]


def test_a_lot_is_awarded_announced_and_challenged(walk: Walk) -> None:
    buyer, agent, ref = walk.person("buyer"), walk.person("agent"), lot_of(walk, "BUS")
    lot = f"/agency/lots/{ref}"
    buyer.follow(f"main a[href='{lot}/award']")
    buyer.follow("main a[href$='/award/decide?rank=2']")
    confirm(buyer)
    with buyer.expecting(422):
        buyer.press("form[action$='/acts/decide'] button")  # another than the first wants its ground
    buyer.follow(f"main a[href='{lot}/award']")
    buyer.follow("main a[href$='/award/decide?rank=1']")
    buyer.press("form[action$='/acts/decide'] button")
    agent.go("/agency").follow(f"main a[href='{lot}/award']")
    agent.press("form[action$='/acts/announce'] button")
    ranking = [
        name
        for (name,) in walk.town.ask(
            "select a.username from account a join role_grant g on g.account_id = a.id, award w join lot l on l.id = w.lot_id, "
            "json_each(w.ranking) r where l.ref = ? and g.role = 'bidder-signer' and a.party_id = json_extract(r.value, '$.party_id') "
            "order by json_extract(r.value, '$.rank')",
            ref,
        )
    ]
    winner, loser = walk.person(ranking[0]), walk.person(ranking[1])
    winner.follow(f"main a[href='/bidder/lots/{ref}/outcome'], main a[href='/bidder/lots/{ref}']")
    if not winner.page.url.endswith("/outcome"):
        winner.follow(f"main a[href='/bidder/lots/{ref}/outcome']")
    loser.go(f"/bidder/lots/{ref}").follow(f"main a[href='/bidder/lots/{ref}/outcome']")
    loser.follow(f"main a[href='/bidder/lots/{ref}/objection']")
    with loser.expecting(422):
        loser.press("form[action$='/acts/object'] button")
    loser.fill(text="第一名的服务方案评分与招标文件所列评分档不符，请予复核。")
    loser.page.set_input_files("[name=files]", files=pdf("证据.pdf"))
    loser.press("form[action$='/acts/object'] button")

    agent.go("/agency").follow(f"main a[href='{lot}']").follow(
        f"main a[href='{lot}/contract']"
    )  # it waits for the answer, and says so
    assert agent.page.locator("form[action$='/acts/contract'] button").is_disabled()
    agent.follow("main a[href='/agency/objections']")
    agent.follow(f"main a[href='/agency/objections/{open_objection(walk, ref)}']")
    with agent.expecting(422):
        agent.press("form[action$='/acts/answer'] button")
    assert agent.page.locator("main a[href*='/attachments/']").count()
    agent.fill(text="经核对评分表与招标文件，评分在所列评分档之内。", upheld="no")
    agent.page.set_input_files("[name=files]", files=pdf("评分核对表.pdf"))
    agent.press("form[action$='/acts/answer'] button")
    loser.go("/bidder").follow(".rail a[href='/bidder/objections']").follow("main a[href^='/bidder/objections/']")
    papers = {link for link in loser.links_shown() if "/attachments/" in link}
    assert len(papers) == 2  # one's own and that of the answer

    agent.go("/agency").follow(f"main a[href='{lot}/contract']")
    with agent.expecting(422):
        agent.press("form[action$='/acts/contract'] button")  # no number, no day
    agent.fill(number="HT-2026-77", amount="1", signed_at=moment(walk.town.now - timedelta(seconds=61)))
    with agent.expecting(422):
        agent.press("form[action$='/acts/contract'] button")  # another price than awarded, a day before the award
    assert agent.page.input_value("[name=number]") == "HT-2026-77"


def test_a_signed_contract_is_recorded_published_and_read_by_everybody(walk: Walk) -> None:
    agent, ref = walk.person("agent"), lot_of(walk, "BEDS")
    lot = f"/agency/lots/{ref}"
    agent.follow(f"main a[href='{lot}/contract']")
    agent.fill(
        number="HT-2026-39",
        signed_at=moment(walk.town.now - timedelta(days=1)),
        text="护理床 120 张，三十日内交货，质保三年。",
    )
    agent.press("form[action$='/acts/contract'] button")
    agent.press("form[action$='/acts/publish-contract'] button")
    agent.follow(f"main a[href='/lots/{ref}/contract']")
    assert "HT-2026-39" in agent.page.inner_text("main")
    bridge = f"/agency/lots/{lot_of(walk, 'BRIDGE')}"
    agent.go("/agency").follow(f"main a[href='{bridge}/contract']")
    agent.press("form[action$='/acts/publish-contract'] button")


def test_an_objection_to_candidates_is_answered_and_the_award_follows(walk: Walk) -> None:
    agent, builder, ref = walk.person("agent"), walk.person("builder"), lot_of(walk, "ROOF")
    lot = f"/agency/lots/{ref}"
    builder.go(f"{lot}/award")  # publicity is running, an objection is open
    agent.follow(".rail a[href='/agency/objections']")
    number = open_objection(walk, ref)
    agent.follow(f"main a[href='/agency/objections/{number}']")
    agent.fill(text="经复核，第一中标候选人拟派项目经理的业绩证明材料齐全、有效。", upheld="no")
    agent.press("form[action$='/acts/answer'] button")
    bidder = walk.person(walk.town.facts["lots"]["ROOF"]["bidders"][0])
    bidder.follow(".rail a[href='/bidder/objections']").follow(f"main a[href='/bidder/objections/{number}']")
    until = walk.town.ask("select a.publicity_until from award a join lot l on l.id = a.lot_id where l.ref = ?", ref)[
        0
    ][0]
    walk.town.jump(to=datetime.fromisoformat(until).replace(tzinfo=walk.town.now.tzinfo) + timedelta(minutes=1))


def test_the_award_of_works_follows_the_publicity(walk: Walk) -> None:
    agent, builder, ref = walk.person("agent"), walk.person("builder"), lot_of(walk, "ROOF")
    lot = f"/agency/lots/{ref}"
    builder.follow(f"main a[href='{lot}/award']").follow("main a[href$='/award/decide?rank=1']")
    builder.press("form[action$='/acts/decide'] button")
    agent.go("/agency").follow(f"main a[href='{lot}/award']").press("form[action$='/acts/announce'] button")
    agent.follow(f".rail a[href='{lot}/contract']")
    agent.fill(number="HT-2026-33")
    walk.town.jump(minutes=2)  # a contract is signed after its award
    agent.fill(signed_at=moment(walk.town.now))
    agent.press("form[action$='/acts/contract'] button")
    agent.press("form[action$='/acts/publish-contract'] button")
    agent.follow(f"main a[href='/lots/{ref}/contract']")
