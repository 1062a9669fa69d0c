"""The money room to its last page: a statement taken in, payments explained, refunds prepared by one and approved by another, paid; one
that comes back and goes to another account; a deposit that is kept by three persons; the day compared."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from deposits.bank.simulated import SimulatedBank
from tests.kit.world import PDF
from tests.walk.guide import Guest, Walk
from tests.walk.keywork import with_key
from tests.walk.town import Town
from web.wiring import BANK_FILE

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload


def test_a_statement_is_taken_in_and_what_it_leaves_open_is_explained(walk: Walk) -> None:
    cashier = walk.person("cashier")
    cashier.picture("cashier-home-zh")
    cashier.follow(".rail a[href='/cashier/exceptions']")
    waiting = cashier.page.locator("form[action='/cashier/acts/explain']")
    assert waiting.count() == 2  # the bank's interest, and a deposit that names no number
    interest = "tr:has-text('1,286.40')"
    cashier.page.click(f"{interest} summary")
    with cashier.expecting(422):
        cashier.press(f"{interest} form[action='/cashier/acts/explain'] button")
    assert cashier.page.locator(f"{interest} details[open]").count()  # the form is still there, open
    cashier.page.select_option(f"{interest} [name=account]", "bank_interest")
    cashier.page.fill(f"{interest} [name=note]", "第四季度结息")
    cashier.press(f"{interest} form[action='/cashier/acts/explain'] button")
    assert waiting.count() == 1

    cashier.follow(".rail a[href='/cashier/import']").press("button[name=what][value=unnamed]")
    fetch(cashier)
    cashier.follow(".rail a[href='/cashier/exceptions']")
    stranger = "tr:has-text('20,000.00')"
    cashier.page.click(f"{stranger} summary")
    cashier.page.fill(f"{stranger} [name=note]", "付款人来电：付错了单位")
    cashier.press(f"{stranger} form[action='/cashier/acts/explain'] button")

    cashier.follow(".rail a[href='/cashier/import']")
    with cashier.expecting(422):
        cashier.press("form[action='/cashier/acts/import'] button")
    cashier.press("button[name=what][value=charge]")
    cashier.page.set_input_files("input[type=file]", statement(walk.town))
    cashier.press("form[action='/cashier/acts/import'] button")
    cashier.follow(".rail a[href='/cashier/exceptions']")
    charge = "tr:has(form[action='/cashier/acts/charge'])"
    cashier.page.click(f"{charge} summary")
    cashier.page.fill(f"{charge} [name=note]", "账户管理费")
    cashier.press("form[action='/cashier/acts/charge'] button")
    assert not cashier.page.locator("form[action='/cashier/acts/charge']").count()


def test_refunds_go_out_by_two_hands_and_one_comes_back(walk: Walk, tmp_path: Path) -> None:
    cashier, controller = walk.person("cashier"), walk.person("controller")
    cashier.follow(".rail a[href='/cashier/refunds']").press("form[action='/cashier/acts/due'] button")
    cashier.follow("main .kpi a[href='/cashier/refunds?due=overdue']")
    assert cashier.page.locator("tr.is-late").count() == 1
    ref, lot, who = overdue(walk.town)
    cashier.follow("main .chips a[href='/cashier/refunds']")
    picked = cashier.page.locator("[data-picked]")
    cashier.page.check(f"input[name=refs][value='{ref}']")
    assert "26,000.00" in picked.inner_text()
    cashier.page.click("[data-pick-all]")
    assert "26,000.00" not in picked.inner_text()
    cashier.look()
    cashier.picture("cashier-refunds-zh")
    rows = cashier.page.locator("input[name=refs]:checked").count()
    cashier.press("form[action='/cashier/acts/prepare'] .btn--go")
    batch = cashier.page.url.removeprefix(walk.town.base)
    assert cashier.page.locator("form[action$='/acts/take-back']").count()

    controller.follow(".rail a[href='/cashier']").follow(f"main a[href='{batch}']").follow("main a[href$='/approve']")
    controller.picture("cashier-approve-zh")
    assert controller.page.locator("main tbody tr:not(.sum)").count() == rows
    with controller.expecting(422):
        controller.press("form[action$='/acts/send-back'] button")
    with_key(controller, "approve")

    cashier.follow(".rail a[href='/cashier']").follow(f"main a[href='{batch}']").press(
        "form[action$='/acts/pay'] button"
    )
    listed = list(
        csv.reader(cashier.download("main a[href$='/payments.csv']").read_text(encoding="utf-8-sig").splitlines())
    )
    assert len(listed) == rows + 1
    fetch(cashier)
    cashier.follow(".rail a[href='/cashier/batches']").follow(f"main a[href='{batch}']")
    assert not cashier.page.locator(".steps .here").count()  # all four steps are done

    # one comes back: the bidder names another account, two controllers read the bank's paper
    cashier.follow(f"main a[href='/cashier/refunds/{ref}']").press("form[action$='/acts/rehearse-return'] button")
    cashier.follow("main .btn[href='/cashier/import']")
    fetch(cashier)
    cashier.follow(".rail a[href='/cashier/exceptions']").follow(f"main a[href='/cashier/refunds/{ref}']")
    bidder = walk.person(who)
    bidder.follow(f"main a[href^='/bidder/deposits/{lot}']")
    with bidder.expecting(422):
        bidder.press("form[action$='/acts/payee'] button")
    bidder.fill(account="6222 0000 7777 8888")
    paper = tmp_path / "开户证明.pdf"
    paper.write_bytes(PDF)
    bidder.page.set_input_files("form[action$='/acts/payee'] input[type=file]", paper)
    bidder.press("form[action$='/acts/payee'] button")
    for username in ("controller", "controller2"):
        second = walk.person(username)
        second.go("/cashier").follow(f"main a[href='/cashier/refunds/{ref}']")
        assert second.download("main a[href$='/proof']").read_bytes() == PDF
        with_key(second, "payee", again=username == "controller")
    cashier.go(f"/cashier/refunds/{ref}").press("form[action='/cashier/acts/prepare'] button")
    batch = cashier.page.url.removeprefix(walk.town.base)
    controller.go("/cashier").follow(f"main a[href='{batch}']").follow("main a[href$='/approve']")
    with_key(controller, "approve", again=True)
    cashier.go(batch).press("form[action$='/acts/pay'] button")
    fetch(cashier)
    cashier.go(f"/cashier/refunds/{ref}")
    assert walk.town.ask("select state from refund where ref = ?", ref) == [("CONFIRMED",)]
    assert "8888" in cashier.page.inner_text("main"), "the account's end"


def test_a_deposit_is_kept_by_three_persons(walk: Walk) -> None:
    cashier, controller = walk.person("cashier"), walk.person("controller")
    lot = walk.town.lot("CANDIDATES")
    cashier.follow(".rail a[href='/cashier/forfeits']")
    cashier.fill(lot=lot).press("form[action='/cashier/forfeits'] button")
    with cashier.expecting(422):
        cashier.press("form[action='/cashier/acts/forfeit'] button")
    cashier.page.select_option("[name=account]", index=1)
    cashier.fill(ground="D-41", evidence="招标人催告函与投标人拒签复函，存档 2026-118 号", hold_until="2026-12-31")
    cashier.press("form[action='/cashier/acts/forfeit'] button")
    case = cashier.page.url.removeprefix(walk.town.base)
    cashier.fill(hearing="11 月 30 日送达，投标人称报价漏项").press("form[action$='/acts/hear'] button")
    controller.go("/cashier").follow(".rail a[href='/cashier/forfeits']").follow(f"main a[href='{case}']")
    with_key(controller, "check")
    buyer = walk.person("builder").follow("main a[href^='/agency/forfeits/']")
    with_key(buyer, "keep")
    buyer.follow("nav.crumbs a[href='/agency/forfeits']")
    cashier.go(case).follow(".rail a[href='/cashier/forfeits']")
    (bidder,) = walk.town.ask(
        "select a.username from forfeit f join deposit_demand d on d.id = f.demand_id join participant p on p.id = d.participant_id "
        "join account a on a.party_id = p.party_id where a.username not like '%-%'"
    )
    kept = walk.person(bidder[0]).go(f"/bidder/deposits/{lot}")
    assert kept.page.locator("#forfeit").count() == 1
    kept.follow(".bell").follow(".letters a")


def test_the_day_is_compared_and_the_books_are_read(walk: Walk) -> None:
    cashier, controller = walk.person("cashier"), walk.person("controller")
    cashier.go("/cashier").follow(".rail a[href='/cashier/reconcile']").press(
        "form[action='/cashier/acts/reconcile'] button"
    )
    assert walk.town.ask("select balanced from reconciliation order by id desc limit 1") == [(1,)]
    cashier.picture("cashier-reconcile-zh")
    cashier.follow(".rail a[href='/cashier/ledger']").fill(lot=walk.town.lot("CANDIDATES")).press(
        "main form[method=get] button"
    )
    assert cashier.page.locator("#postings tbody tr").count() >= 3  # what the bidders of the lot paid
    cashier.follow(".rail a[href='/cashier/refunds']").follow("main a[href='/cashier/refunds?show=done']")
    assert cashier.download("main a[href*='format=csv']").read_text(encoding="utf-8-sig").count("\n") > 5
    controller.go("/cashier").follow(".rail a[href='/cashier/batches']")


# --- steps --------------------------------------------------------------------------------------------------------------


def fetch(cashier: Guest) -> None:
    """The statement straight from the bank."""
    cashier.follow(".rail a[href='/cashier/import']").press("form[action='/cashier/acts/fetch'] button")


def statement(town: Town) -> FilePayload:
    """The statement as the bank's counter hands it out."""
    return {
        "name": "流水.csv",
        "mimeType": "text/csv",
        "buffer": SimulatedBank(town.data / BANK_FILE, town.clock).statement(),
    }


def overdue(town: Town) -> tuple[str, str, str]:
    """The refund that is late, its lot, and who may act for its bidder."""
    ((ref, lot, who),) = town.ask(
        "select r.ref, l.ref, min(a.username) from refund r join deposit_demand d on d.id = r.demand_id join lot l on l.id = d.lot_id "
        "join participant p on p.id = d.participant_id join account a on a.party_id = p.party_id "
        "join role_grant g on g.account_id = a.id and g.role = 'bidder-signer' "
        "where r.state = 'DUE' and r.due_on < ? group by r.ref, l.ref",
        f"{town.now:%Y-%m-%d}",
    )
    return str(ref), str(lot), str(who)
