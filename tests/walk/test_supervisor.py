"""The supervisor to the last page: from each figure, column and bar to its rows, the late duty and the objection under way, a whole lot
with its papers and its entries in the book, an opening that may need a hand, the lists taken home."""

from __future__ import annotations

import csv
import zipfile

import pytest

from tests.walk.guide import Walk

ROWS = "main table tbody tr"


def test_every_figure_leads_to_its_rows(walk: Walk) -> None:
    supervisor = walk.person("supervisor")
    supervisor.picture("supervisor-home-zh")
    page = supervisor.page
    late = int(page.locator(".kpi a[href$='show=late']").inner_text())
    assert late >= 2  # a decision and a refund
    supervisor.follow("main .kpi a[href$='show=late']")
    assert page.locator(f"{ROWS}.is-late").count() == late
    listed = list(
        csv.reader(supervisor.download("main a[href*='format=csv']").read_text(encoding="utf-8-sig").splitlines())
    )
    assert len(listed) == late + 1
    supervisor.follow(".rail a[href='/supervisor']")
    weeks = page.locator(".weeks li")
    assert weeks.count() == 12
    fullest = max(range(12), key=lambda n: int(weeks.nth(n).locator(".weeks__n").inner_text() or "0"))
    count = int(weeks.nth(fullest).locator(".weeks__n").inner_text())
    supervisor.follow(f".weeks li:nth-child({fullest + 1}) a")
    assert page.locator(ROWS).count() == count
    supervisor.follow("main a.chip").follow(".rail a[href='/supervisor']").follow(".kinds a[href$='kind=refund']")
    assert page.locator(ROWS).count() > 3
    for figure in (
        "/supervisor/deadlines?show=soon",
        "/supervisor/objections",
        "/supervisor/deadlines?show=kept_late",
        "/audit",
    ):
        supervisor.go("/supervisor").follow(f"main .kpi a[href='{figure}']")


def test_the_objection_under_way_and_the_late_duty(walk: Walk) -> None:
    supervisor = walk.person("supervisor")
    supervisor.go("/supervisor").follow("main table a[href^='/supervisor/objections/']")
    assert supervisor.page.locator("time[data-countdown], [data-until], .countdown").count()
    supervisor.follow("main a[href^='/supervisor/dossier/']")
    supervisor.follow(".rail a[href='/supervisor/objections']").follow("main a[href^='/supervisor/objections/']")
    supervisor.follow(".rail a[href='/supervisor']").follow(".todo .late ~ .what a, .todo a")
    assert supervisor.page.url.rpartition("/")[0].endswith("/supervisor/dossier")


def test_a_whole_lot_with_its_papers_and_its_entries(walk: Walk) -> None:
    supervisor = walk.person("supervisor")
    lot = walk.town.lot("ARCHIVED")
    supervisor.go("/supervisor").follow(".rail a[href='/supervisor/dossier']").fill(lot=lot).press(
        "main form[method=get] button"
    )
    assert supervisor.page.url.endswith(f"/supervisor/dossier/{lot}")
    supervisor.picture("supervisor-lot-zh")
    assert "draw:" not in supervisor.page.inner_text("main")
    report = supervisor.paper("main a[href$='/report.pdf']")
    assert report.pages >= 1 and "智慧教室" in "".join(report.text.split())
    bundle = supervisor.download("main a[href$='/bundle.zip']")
    with zipfile.ZipFile(bundle) as files:
        assert files.testzip() is None and len(files.namelist()) > 10
    supervisor.follow("main a[href^='/notices/']").go(f"/supervisor/dossier/{lot}")
    supervisor.follow(f"main a[href='/hall/{lot}/papers']")
    assert supervisor.paper("main a[href*='/papers/record'], main a[href$='/minutes']").pages >= 1
    supervisor.go(f"/supervisor/dossier/{lot}").follow(f"main a[href='/lots/{lot}']")
    supervisor.go("/supervisor").follow(".rail a[href='/audit']")


def test_an_opening_is_watched_and_the_own_key_is_there(walk: Walk) -> None:
    supervisor = walk.person("supervisor")
    supervisor.go("/supervisor").follow(".rail a[href='/supervisor/hall']").follow("main a[href^='/supervisor/hall/']")
    supervisor.follow("main a[href^='/hall/']").go("/supervisor").follow(".rail a[href='/account/keys']")


@pytest.mark.parametrize("path", ["/cashier", "/agency", "/admin/people", "/centre"])
def test_other_desks_stay_closed(walk: Walk, path: str) -> None:
    supervisor = walk.person("supervisor")
    assert supervisor.context.request.get(walk.town.base + path, max_redirects=0).status == 403
