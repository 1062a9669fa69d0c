"""Purchaser, agency and clerk to their last page: a project filed, returned once, accepted, drafted, those to invite drawn by lot,
published; what was asked answered."""

from __future__ import annotations

from pathlib import Path

from tests.kit.world import PDF
from tests.walk.guide import Walk
from tests.walk.keywork import with_key

OFFICERS = {
    "officer1": "platform",
    "officer2": "platform",
    "officer3": "tenderee",
    "officer4": "tenderee",
    "officer5": "supervisor",
}
NAME = "春晓区第二小学图书采购"


def paper(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(PDF)
    return path


def test_a_filing_is_completed_returned_once_and_accepted(walk: Walk, tmp_path: Path) -> None:
    buyer, clerk = walk.person("buyer"), walk.person("clerk")
    buyer.follow("a[href='/agency/projects/new']")
    with buyer.expecting(422):
        buyer.press("form[action$='/acts/draft-project'] button")  # empty
    buyer.fill(
        name=NAME, regime="GP", method__GP="M2", category="GOODS", contact="王老师 0315-0000102", budget="八十六万"
    )
    assert not buyer.page.locator("[name='ground.M5']").first.is_visible()  # the cases of another method
    buyer.fill(ground__M2="few_suppliers")
    with buyer.expecting(422):
        buyer.press("form[action$='/acts/draft-project'] button")
    assert buyer.page.input_value("[name=name]") == NAME  # nothing typed is lost
    buyer.page.fill("[name=budget]", "860000")
    buyer.page.select_option("[name=agency]", index=1)
    assert buyer.page.locator("[data-needs]:visible").count() == 9
    buyer.press("form[action$='/acts/draft-project'] button")
    buyer.follow("main a[href$='/edit#f-region']")  # what is missing leads to its field
    buyer.fill(region="开平区", agency_agreement="委托代理协议 2026-31", funds="财政资金", intent_at="2026-10-12")
    buyer.fill(ground_facts="本市有图书馆配书资质的供应商共八家")
    buyer.look()
    buyer.press("form[action$='/acts/edit'] button")
    buyer.page.set_input_files("[name=files]", paper(tmp_path, "采购计划.pdf"))
    buyer.press("form[action$='/acts/attach'] button")
    buyer.follow("main a[href$='/file']")
    buyer.press("form[action$='/acts/file'] button")

    clerk.follow("main a[href='/centre/filings'], .rail a[href='/centre/filings']")
    ref = buyer.page.url.rpartition("/")[2]
    clerk.follow(f"a[href='/centre/filings/{ref}']")
    assert not clerk.page.locator("form[action$='/acts/accept']").count()  # the plan's number is missing
    clerk.page.fill("[name='note.contact']", "电话号码少一位")
    clerk.press("button[form=return]")
    clerk.follow("a[href$='/slip']")

    buyer.follow(".rail a[href='/agency']")
    buyer.follow(f"main a[href='/agency/projects/{ref}']")
    buyer.follow("main a[href$='/edit']")
    buyer.fill(approval_no="春财采〔2026〕131号", contact="王老师 0315-00001021")
    buyer.press("form[action$='/acts/edit'] button")
    buyer.follow("main a[href$='/file']")
    buyer.press("form[action$='/acts/file'] button")
    clerk.follow(".rail a[href='/centre']")
    clerk.follow(f"main a[href='/centre/filings/{ref}']")
    clerk.press("form[action$='/acts/accept'] button")
    clerk.follow("a[href$='/slip']")
    clerk.follow(".rail a[href='/centre'], .band a[href='/centre']")
    buyer.go(buyer.page.url)  # the purchaser looks again: registered, and who is next


def test_a_lot_is_prepared_and_published(walk: Walk, tmp_path: Path) -> None:
    agent = walk.person("agent")
    (ref,) = walk.town.ask("select ref from project where name = ?", NAME)[0]
    agent.follow(f"main a[href='/agency/projects/{ref}/tender']")
    agent.fill(lots__0__title="第一包")
    agent.press("button[name=to][value='2']")
    agent.fill(lots__1__title="第二包", lots__1__budget="10万", lots__1__ceiling="10万")
    agent.press("button[name=to][value='1']")
    agent.fill(lots__0__budget="860000", lots__0__ceiling="870000", lots__0__deposit="20000", lots__0__need="图书 6,000 册",
               lots__0__qualification="政府采购法第二十二条", lots__0__place="第一开标室")  # fmt: skip
    agent.page.wait_for_selector("[data-check-of='lots.0.ceiling'].checked--stop")
    agent.look()
    with agent.expecting(422):
        agent.press("form[action$='/acts/draft-tender'] button")  # above the budget
    agent.fill(lots__0__ceiling="860000", lots__0__deposit="10000")
    agent.page.wait_for_selector("[data-check-of='lots.0.deposit'].checked--ok")
    agent.press("form[action$='/acts/draft-tender'] button")
    lot = agent.page.url.removeprefix(walk.town.base)

    agent.follow(f"main a[href='{lot}/copy']")
    agent.follow("main a[href^='?from='], main a[href*='from=']")
    agent.page.uncheck("input[name=parts][value=terms]")
    agent.press("form[action$='/acts/copy'] button")
    agent.follow(f".rail a[href='{lot}/timetable']")
    agent.page.fill("[name=clarify_until]", "")
    agent.press("button[formaction$='/acts/earliest']")
    agent.press("form[action$='/acts/plan'] button")
    agent.follow(f".rail a[href='{lot}/documents']")
    with agent.expecting(422):
        agent.press("form[action$='/acts/add-document'] button")  # no file
    agent.page.set_input_files("[name=file]", paper(tmp_path, "招标文件.pdf"))
    agent.press("form[action$='/acts/add-document'] button")
    agent.follow(f".rail a[href='{lot}/scheme']")
    most = agent.page.input_value("[name='criteria.0.max']")
    agent.fill(criteria__0__max="20")
    agent.page.wait_for_selector("[data-check-of='criteria.0.max'].checked--stop")
    agent.fill(criteria__0__max=most)
    for method in ("GP_LOWEST", "GP_SCORE"):  # another method and back: what was typed is still there
        agent.fill(method=method)
        agent.press("button[formaction$='/acts/choose-method']")
        assert agent.page.locator("[name='criteria.0.max']:visible").count() == (method == "GP_SCORE")
    assert agent.page.input_value("[name='criteria.0.max']") == most
    agent.press("form[action$='/acts/scheme'] button:not([tabindex]):not([formaction])")
    agent.follow(f".rail a[href='{lot}/keys']")
    with agent.expecting(422):
        agent.press("form[action$='/acts/name-officers'] button")
    agent.fill(**{f"side__{name}": side for name, side in OFFICERS.items()})
    agent.press("form[action$='/acts/name-officers'] button")
    hall = lot.replace("/agency/lots/", "/hall/") + "/officer"
    officers = [walk.person(name) for name in OFFICERS]
    for officer in officers:
        officer.follow(f"a[href='{hall}'], a[href^='{hall}']")
        with_key(officer, "keys")
    agent.go(lot + "/keys")
    agent.press("form[action$='/acts/draft-policies'] button")
    for officer in officers:
        officer.go(hall)
        with_key(officer, "policies", again=True)
    for officer in officers:
        officer.go(hall)
        with_key(officer, "drills", again=True)
    walk.town.jump(seconds=61)
    draw_the_invited(walk, lot)
    agent.go(lot)
    agent.follow(f"main a[href='{lot}/preview']")
    agent.follow(f"main a[href='{lot}/publish']")
    with agent.expecting(422):
        agent.press("form[action$='/acts/publish'] button")  # not read back
    agent.fill(sure="yes")
    agent.press("form[action$='/acts/publish'] button")
    agent.follow("main a[href^='/lots/']")  # the public page
    assert walk.town.ask("select state from lot where ref = ?", lot.rpartition("/")[2])[0][0] in ("NOTICE", "BIDDING")


def draw_the_invited(walk: Walk, lot: str) -> None:
    """Six on the list, three of them drawn by the centre and the purchaser."""
    agent, clerk, buyer, ref = walk.person("agent"), walk.person("clerk"), walk.person("buyer"), lot.rpartition("/")[2]
    codes = [code for (code,) in walk.town.ask("select code from party where kind = 'bidder' order by code limit 7")]
    agent.go(lot).follow(f"main a[href='{lot}/invited']")
    with agent.expecting(422):
        agent.fill(called="无此公司").press("form[action$='/acts/invite'] button")
    agent.fill(called="\n".join(codes)).press("form[action$='/acts/invite'] button")
    agent.press("form[action$='/acts/strike-invitation'] button")
    with agent.expecting(422):
        agent.fill(take="4").press("form[action$='/acts/draw-invited'] button")  # six are too few to draw four from
    agent.fill(take="3").press("form[action$='/acts/draw-invited'] button")
    steer, own = f"/hall/{ref}/draw/invited", f"/agency/lots/{ref}/draw/invited"
    walk.town.jump(seconds=61)
    clerk.go("/centre").follow(f"main a[href='{steer}']").press("form[action$='/acts/commit'] button")
    buyer.go("/agency").follow(f"main a[href='{own}']")
    with_key(buyer, "commit")
    walk.town.jump(seconds=61)
    clerk.go(steer).press("form[action$='/acts/list'] button")
    with_key(buyer.go(own), "sign-list", again=True)
    walk.town.jump(seconds=61)
    clerk.go(steer).press("form[action$='/acts/reveal'] button")
    with_key(buyer.go(own), "reveal", again=True)
    clerk.go(steer).press("form[action$='/acts/conclude'] button")
    agent.go(f"{lot}/invited")
    assert agent.page.locator("main tbody .tag--ok").count() == 3


def test_the_agency_answers_corrects_and_extends(walk: Walk) -> None:
    agent, ref = walk.person("agent"), walk.town.lot("BIDDING")
    lot = f"/agency/lots/{ref}"
    agent.follow(".rail a[href='/agency/lots']")
    agent.follow(f"main a[href='{lot}']")
    agent.follow(f".rail a[href='{lot}/clarify']")
    with agent.expecting(422):
        agent.press("form[action$='/acts/notice'] button")
    agent.page.fill("form[action$='/acts/notice'] [name=title]", "更正开标地点")
    agent.page.fill("form[action$='/acts/notice'] [name=text]", "开标地点改为第二开标室。")
    agent.press("form[action$='/acts/notice'] button")
    agent.follow("main a[href^='/lots/'], .crumbs a[href^='/agency/lots/']")


def test_the_clerk_has_no_page_without_an_end(walk: Walk) -> None:
    clerk = walk.person("clerk")
    for page in ("/centre/filings", "/centre/archive", "/centre/faults", "/centre/panels"):
        clerk.follow(f".rail a[href='{page}']")
    clerk.follow(".rail a[href='/centre/archive']")
    clerk.follow("main a[href^='/centre/archive/']")
    if clerk.page.locator("form[action$='/acts/seal'] button:enabled").count():
        clerk.press("form[action$='/acts/seal'] button")
