"""The golden table role × page: who may open which page stands in access_matrix.txt, and every door answers as the table says.

After a wanted change: ``python -m tests.web.test_access_matrix`` writes the table anew; read the difference before you commit it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kit.rows import fingerprint
from tests.web.conftest import House
from trading.kernel.access import ROLES, Act, Role, may
from trading.parties.parties import Actor
from web.app import find_desks
from web.http.page_rules import ANYONE, PAGES, Anyone, PageRule, acts_of

TABLE = Path(__file__).with_name("access_matrix.txt")
PEOPLE = [role for role in Role if role not in (Role.PUBLIC, Role.CLOCK)]
OPEN_ACTS = {
    "/account/acts/sign-in",
    "/account/acts/sign-out",
    "/check/acts/check",
    "/account/acts/forgotten",
    "/account/new-password/<token>/acts/set",
    "/account/mail/confirm/<token>/acts/confirm",
    "/register/acts/send",
    "/register/acts/again",
    "/register/acts/leave",
    "/probe/acts",
    "/probe/acts/<token>",
    "/probe/acts/<token>/submit",
    "/probe/acts/samples",
}
"""The only acts for somebody who is not signed in: the door itself and its forgotten key, a firm that registers itself, a check that keeps
nothing, and those of the probes, signed by their points' keys."""
SIGNED_IN = frozenset(PEOPLE)


def own_pages() -> dict[str, PageRule]:
    """The pages of the product (tests put up desks of their own)."""
    ours = {desk.name for desk in find_desks()}
    return {name: page for name, page in PAGES.items() if name.split(".")[0] in ours}


def roles_of(page: PageRule) -> str:
    if isinstance(page.needs, Anyone):
        return "ANYONE"
    held = {role for role in Role if page.open_to(role)}
    return "signed-in" if held == SIGNED_IN else " ".join(role.value for role in Role if role in held)


def lines() -> list[str]:
    rows = [
        f"{page.method:6} {page.path:58} {'fresh ' if page.fresh else ''}{roles_of(page)}"
        for page in own_pages().values()
    ]
    return sorted(rows, key=lambda row: (row.split()[1], row.split()[0]))


def test_the_table_is_the_one_we_agreed_on() -> None:
    assert lines() == TABLE.read_text(encoding="utf-8").splitlines(), (
        "python -m tests.web.test_access_matrix writes it anew"
    )


def test_every_page_names_an_act_that_somebody_holds() -> None:
    for name, page in own_pages().items():
        assert page.needs is ANYONE or acts_of(page.needs), name
        assert page.needs is ANYONE or any(page.open_to(role) for role in PEOPLE), name
        assert page.method in ("GET", "OPTIONS") or page.needs is not ANYONE or page.path in OPEN_ACTS, (
            f"{name}: an act open to all"
        )


def test_rows_that_must_never_soften() -> None:
    """Promises, access: shares, scores, refunds, grants are each one duty's own; administrators see no project data."""
    held = {act: {role for role in Role if act in ROLES[role]} for act in Act}
    assert held[Act.SHARE_RELEASE] == {Role.OFFICER} and held[Act.BID_SUBMIT] == held[Act.BID_WITHDRAW] == {
        Role.BIDDER_SIGNER
    }
    assert held[Act.REFUND_PREPARE] & held[Act.REFUND_APPROVE] == set() and held[Act.REFUND_APPROVE] == {
        Role.CONTROLLER
    }
    assert held[Act.SHEET_COMMIT] == {Role.EXPERT, Role.CHAIR} and held[Act.ROLE_GRANT] == {Role.SECURITY_ADMIN}
    assert held[Act.CLOCK] == {Role.CLOCK} and held[Act.LOG_LOOK] == {Role.SUPERVISOR, Role.AUDIT_ADMIN}
    own = {Act.ACCOUNT_OWN, Act.SYSTEM_ADMIN, Act.CALENDAR_IMPORT}
    of_rehearsals = {
        Act.REHEARSAL_CONFIRM,
        Act.CLOCK_MOVE,
    }  # neither shows a project, the second is nothing on a real site
    assert ROLES[Role.SYSTEM_ADMIN] == own | {Act.SIGN_INS_LOOK} | of_rehearsals
    assert ROLES[Role.PUBLIC] == frozenset()
    for name, page in own_pages().items():
        desk = name.split(".")[0]
        if desk.startswith("hall") and page.method == "POST":
            assert not page.open_to(Role.AGENCY) and not page.open_to(Role.SYSTEM_ADMIN), name


def filled(page: PageRule) -> str:
    """The page's address with arguments nobody has a thing for."""
    return re.sub(r"<(?:(\w+):)?\w+>", lambda m: "999999" if m.group(1) == "int" else "KP-2026-000000-1", page.path)


@pytest.mark.parametrize("role", PEOPLE)
@pytest.mark.promise("P1")
def test_every_page_answers_each_role_as_the_table_says(house: House, role: Role) -> None:
    """Who holds the act is never told that the role lacks it; who does not hold it is told just that, whatever the address names."""
    house.person("p", role)
    client = house.client()
    assert house.sign_in(client, "p").status_code == 303
    for name, page in own_pages().items():
        if page.method != "GET" or page.needs is ANYONE or "/live" in page.path:
            continue
        answer = client.get(filled(page), headers={"Accept": "application/json"})
        code = answer.json.get("code", "") if answer.is_json and isinstance(answer.json, dict) else ""
        if page.open_to(role):
            told = (name, answer.status_code, code)
            assert code != "access.role" and answer.status_code in (200, 302, 303, 401, 403, 404, 409, 422), told
        else:
            assert (answer.status_code, code) == (403, "access.role"), (name, answer.status_code, code)


def test_nobody_signed_in_is_led_to_the_door(house: House) -> None:
    client = house.client()
    for name, page in own_pages().items():
        if page.method != "GET" or page.needs is ANYONE:
            continue
        answer = client.get(filled(page))
        assert answer.status_code == 302 and answer.location.startswith("/account/sign-in?next="), name
        told = client.get(filled(page), headers={"Accept": "application/json"})
        assert told.status_code in (401, 403) and told.get_json()["code"] == "access.sign_in", name


@pytest.mark.parametrize(
    "role", [None, Role.BIDDER_SIGNER, Role.AGENCY, Role.HOST, Role.CENTRE, Role.EXPERT, Role.PURCHASER]
)
def test_no_act_without_the_token_of_a_page(house: House, role: Role | None) -> None:
    """CSRF: a form that no page of ours gave, or one sent from another origin, does nothing, in whatever role."""
    client = house.client()
    if role is not None:
        house.person("p", role)
        assert house.sign_in(client, "p").status_code == 303
    before = fingerprint(house, without=("login", "rate_count"))  # type: ignore[arg-type]
    for name, page in own_pages().items():
        if page.method != "POST":
            continue
        for headers in ({}, {"Origin": "https://elsewhere.example"}, {"Accept": "application/json"}):
            answer = client.post(filled(page), data={"csrf_token": "forged", "form_id": "f" * 32}, headers=headers)
            assert 400 <= answer.status_code < 500 or (
                answer.status_code in (302, 303) and "/account/" in answer.location
            ), (name, answer.status_code)
            assert answer.status_code not in (200, 404) or role is None, (name, answer.status_code)
    assert fingerprint(house, without=("login", "rate_count")) == before  # type: ignore[arg-type]


def test_the_catalogue_and_the_table_agree() -> None:
    for page in own_pages().values():
        for role in PEOPLE:
            assert page.open_to(role) == (
                page.needs is ANYONE or any(may(Actor(role), act) for act in acts_of(page.needs))
            )


if __name__ == "__main__":
    TABLE.write_text("\n".join(lines()) + "\n", encoding="utf-8")
