"""A form posted after the sign-in ended is led to the door, and what was typed stands there again; no secret is kept, and nobody else
sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.web.conftest import PASSWORD, House, marks
from trading.kernel.access import Role
from trading.kernel.kept import KEPT_FOR, KeptForm

PAGE = "/agency/projects/new"
ACT = "/agency/acts/draft-project"
TYPED = {"name": "春晓小学智慧教室设备采购", "contact": "李老师，谁也不想再打一遍", "password": "never kept"}


def from_page(client: FlaskClient, act: str, page: str, **fields: Any) -> Any:
    """As a browser posts a form that stands on a page of ours."""
    return client.post(act, data=fields, headers={"Referer": "http://localhost" + page})


def follow_sign_in(house: House, client: FlaskClient, where: str, username: str) -> str:
    """Sign in on the page led to; returns where that leads on to."""
    page = client.get(where)
    assert "您填写的内容已保留半小时" in page.text
    answer = client.post(
        "/account/acts/sign-in", data={**marks(page.text), "username": username, "password": PASSWORD, "code": ""}
    )
    return str(answer.location)


@pytest.fixture
def typist(house: House) -> tuple[House, FlaskClient, dict[str, str]]:
    house.person("p", Role.PURCHASER)
    client = house.client()
    house.sign_in(client, "p")
    return house, client, marks(client.get(PAGE).text)


@pytest.mark.parametrize("how", ["idle", "ended", "cookies gone"])
def test_what_was_typed_outlives_the_sign_in(typist: tuple[House, FlaskClient, dict[str, str]], how: str) -> None:
    house, client, held = typist
    if how == "idle":
        house.clock.advance(minutes=31)
    elif how == "ended":
        other = house.client()
        house.sign_in(other, "p")
        other.post("/account/acts/end-others", data=marks(other.get("/account").text))
    else:
        client.delete_cookie("__Host-bidhall")
    away = from_page(client, ACT, PAGE, **held, **TYPED)
    assert away.status_code == 303 and away.location.startswith("/account/sign-in?next="), away.text[:300]
    where = follow_sign_in(house, client, away.location, "p")
    assert where.startswith(PAGE + "?kept=")
    page = client.get(where).text
    assert TYPED["name"] in page and TYPED["contact"] in page and "还没有提交" in page and "never kept" not in page
    with house.office.glance() as connection:
        (body,) = connection.execute(select(KeptForm.body)).scalars()
    assert "春晓".encode() not in body, "what lies in the database is of no use without the browser's key"
    sent = from_page(client, ACT, where, **{**marks(page), **TYPED})
    assert sent.status_code in (303, 422)  # taken, or its own faults told: no longer a matter of the sign-in
    if sent.status_code == 303:
        assert TYPED["name"] not in client.get(where).text


def test_it_is_given_back_to_the_same_person_only_and_not_for_ever(
    typist: tuple[House, FlaskClient, dict[str, str]],
) -> None:
    house, client, held = typist
    house.person("q", Role.PURCHASER)
    house.clock.advance(minutes=31)
    away = from_page(client, ACT, PAGE, **held, **TYPED)
    where = follow_sign_in(house, client, away.location, "q")  # somebody else at the same computer
    assert TYPED["name"] not in client.get(where).text
    stranger = house.client()
    house.sign_in(stranger, "p")
    assert TYPED["name"] not in stranger.get(where).text, "another browser has no key"
    client.post("/account/acts/sign-out", data=marks(client.get("/account").text))
    house.sign_in(client, "p")
    assert TYPED["name"] in client.get(where).text
    assert TYPED["name"] not in client.get("/agency/projects?" + where.partition("?")[2]).text, "of another page"
    house.clock.advance(seconds=(KEPT_FOR + timedelta(minutes=1)).total_seconds())
    house.sign_in(client, "p")
    assert client.get(where).status_code == 200 and TYPED["name"] not in client.get(where).text


def test_a_page_elsewhere_fills_no_form_of_ours(typist: tuple[House, FlaskClient, dict[str, str]]) -> None:
    house, client, held = typist
    for headers in ({}, {"Referer": "https://elsewhere.example/agency/projects/new"}, {"Sec-Fetch-Site": "cross-site"}):
        client.delete_cookie("__Host-bidhall")
        answer = client.post(ACT, data={**held, **TYPED}, headers=headers)
        assert answer.status_code in (303, 400) and "kept" not in (answer.location or "")
    with house.office.glance() as connection:
        assert connection.execute(select(KeptForm.token_hash)).all() == []


def test_a_form_from_before_another_sign_in_is_shown_again(typist: tuple[House, FlaskClient, dict[str, str]]) -> None:
    """Two windows: signed out and in again in one, the form of the other has an old token."""
    house, client, held = typist
    client.post("/account/acts/sign-out", data=marks(client.get("/account").text))
    house.sign_in(client, "p")
    answer = from_page(client, ACT, PAGE, **held, **TYPED)
    assert answer.status_code == 303 and answer.location.startswith(PAGE + "?kept=")
    assert TYPED["contact"] in client.get(answer.location).text


def test_an_old_sign_in_page_says_so_and_offers_a_new_one(house: House) -> None:
    house.person("p", Role.CENTRE)
    client = house.client()
    answer = client.post(
        "/account/acts/sign-in", data={"csrf_token": "old", "form_id": "f" * 32, "username": "p", "password": PASSWORD}
    )
    assert answer.status_code == 302 or answer.status_code == 303
    assert "请在此登录" in client.get(answer.location).text


def test_the_step_of_a_fresh_sign_in_loses_nothing(house: House) -> None:
    house.person("sec", Role.SECURITY_ADMIN)
    who = house.person("w", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "sec")
    page = f"/admin/people/{who}"
    held = marks(client.get(page).text)
    house.clock.advance(minutes=11)
    away = from_page(client, f"{page}/acts/grant", page, **held, role="host", reason="何清扬退休，由其接任主持")
    assert away.location.startswith("/account/confirm?next=")
    confirm = client.get(away.location)
    assert "验证后即可继续" in confirm.text
    on = client.post("/account/acts/confirm", data={**marks(confirm.text), "password": PASSWORD, "code": ""})
    assert on.location.startswith(page + "?kept=")
    assert "何清扬退休，由其接任主持" in client.get(on.location).text
