"""The clerk to the last page: a panel asked for, drawn with the purchaser in public, called and seated; an archive sealed, its list opened
as a paper and read back; the deadlines watched for faults."""

from __future__ import annotations

from datetime import timedelta

from tests.walk.guide import Walk
from tests.walk.keywork import with_key


def test_a_panel_is_drawn_in_public_and_sits(walk: Walk) -> None:
    clerk, buyer, ref = walk.person("clerk"), walk.person("buyer"), str(walk.town.facts["lots"]["SERVERS"]["ref"])
    panel, steer, own = f"/centre/panels/{ref}", f"/hall/{ref}/draw/experts", f"/agency/lots/{ref}/draw/experts"
    clerk.follow(".rail a[href='/centre/panels']").follow(f"main a[href='{panel}']")
    clerk.fill(members="4")
    with clerk.expecting(422):
        clerk.press("form[action$='/acts/request'] button")  # no specialty, no hour; an even number
    clerk.fill(members="5", place="第三评标室", starts_at=local(walk, hours=1))
    clerk.page.locator("main [name=specialties]").first.check()
    clerk.press("form[action$='/acts/request'] button")
    walk.town.jump(seconds=12)
    clerk.follow(f"main a[href='{steer}']").press("form[action$='/acts/commit'] button")
    buyer.go("/agency").follow(f"main a[href='{own}']")  # its turn is a duty
    with_key(buyer, "commit")
    walk.town.jump(seconds=12)
    clerk.go(steer).press("form[action$='/acts/list'] button")
    with_key(buyer.go(own), "sign-list", again=True)
    walk.town.jump(seconds=12)
    clerk.go(steer).press("form[action$='/acts/reveal'] button")
    with_key(buyer.go(own), "reveal", again=True)
    clerk.go(steer).press("form[action$='/acts/conclude'] button")
    clerk.follow(f"main a[href='{panel}'], .crumbs a[href='{panel}'], .rail a[href='{panel}']")
    clerk.press("form[action$='/acts/call'] button")
    called = walk.town.ask(
        "select a.username from account a join seat s on s.account_id = a.id join panel p on p.id = s.panel_id "
        "join lot l on l.id = p.lot_id where l.ref = ? and s.state = 'called'",
        ref,
    )
    assert len(called) == 5
    for (username,) in called:
        expert = walk.person(username).follow("main a[href^='/expert/calls/']")
        expert.fill(answer="yes", no_conflict="yes")
        expert.press("form[action$='/acts/answer'] button")
    clerk.go(panel).press("form[action$='/acts/convene'] button")
    assert walk.town.ask("select p.state from panel p join lot l on l.id = p.lot_id where l.ref = ?", ref) == [
        ("SEATED",)
    ]
    walk.stranger().go(f"/lots/{ref}/draw")


def test_an_archive_is_sealed_and_its_list_read(walk: Walk) -> None:
    clerk, ref = walk.person("clerk"), str(walk.town.facts["lots"]["CLINIC"]["ref"])
    clerk.follow(".rail a[href='/centre/archive']").follow(f"main a[href='/centre/archive/{ref}']")
    clerk.press("form[action$='/acts/seal'] button")
    assert walk.town.ask("select state from lot where ref = ?", ref) == [("ARCHIVED",)]
    paper = clerk.paper("a[href$='/contents.pdf']")
    assert ref in paper.text and "合同" in paper.text
    clerk.follow("main th a")  # what is listed can be opened
    clerk.go("/centre/archive")


def test_watched_deadlines(walk: Walk) -> None:
    clerk = walk.person("clerk")
    clerk.follow(".rail a[href='/centre/faults']").follow("main a[href^='/centre/faults/']").follow(
        ".crumbs a[href='/centre/faults']"
    )


def local(walk: Walk, *, hours: int) -> str:
    """So many hours from now as a field for a moment wants it, in the centre's time."""
    return (walk.town.now + timedelta(hours=8 + hours)).strftime("%Y-%m-%dT%H:%M")
