"""From a refusal to an answer: status, words, JSON, and nothing of ours when we are at fault."""

from __future__ import annotations

import errno
import sqlite3

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from tests.web.conftest import House
from trading.kernel import errors
from trading.kernel.access import Role
from web.http import refusals
from web.http.gate import Desk
from web.http.page_rules import ANYONE

GOLDEN = {
    errors.NotFound("x.y"): 404,
    errors.NotAllowed("x.y"): 403,
    errors.SignInNeeded("x.y"): 403,
    errors.Invalid("x.y"): 422,
    errors.WrongStep("x.y"): 409,
    errors.Conflict("x.y"): 409,
    errors.AlreadyDone("/x"): 409,
    errors.TooEarly("x.y"): 409,
    errors.TooLate("x.y"): 409,
    errors.NotReady("x.y"): 503,
    errors.Refusal("x.y"): 409,
    errors.TooEarly("signin.wait"): 429,
    errors.TooEarly("rate.wait"): 429,
}


@pytest.fixture
def raising(house: House) -> House:
    """A page that raises whatever stands in ``app.config["RAISE"]``."""
    desk = Desk("raising_for_tests")

    def view() -> str:
        raise house.app.config["RAISE"]

    desk.page("/raise", needs=ANYONE, endpoint="view")(view)
    house.app._got_first_request = False
    house.app.register_blueprint(desk.blueprint)
    return house


def answer(house: House, error: Exception, **headers: str):  # type: ignore[no-untyped-def]
    house.app.config["RAISE"] = error
    return house.client().get("/raise", headers=headers)


@pytest.mark.parametrize(
    ("refusal", "status"), GOLDEN.items(), ids=lambda v: type(v).__name__ if isinstance(v, Exception) else str(v)
)
def test_the_table_of_statuses(refusal: errors.Refusal, status: int) -> None:
    assert refusals.status_of(refusal) == status


def test_a_new_kind_of_refusal_takes_its_parents_status() -> None:
    class BadEnvelope(errors.Invalid):
        pass

    assert refusals.status_of(BadEnvelope("x.y")) == 422


def test_a_refusal_becomes_a_page_in_the_persons_language(raising: House) -> None:
    refused = errors.Invalid(
        "form.faults",
        faults=[errors.Fault("price", "money.negative", {"text": "-1"}), errors.Fault("n", "form.required")],
        count=2,
    )
    page = answer(raising, refused)
    assert page.status_code == 422
    assert "有 2 处需要改正" in page.text and "金额不能为负：“-1”" in page.text and "请填写" in page.text
    assert "2 things need correcting" in answer(raising, refused, **{"Accept-Language": "en"}).text


def test_a_program_gets_code_and_words(raising: House) -> None:
    told = answer(
        raising,
        errors.Invalid("form.faults", faults=[errors.Fault("price", "form.required")], count=1),
        Accept="application/json",
    )
    assert told.status_code == 422
    assert {k: told.json[k] for k in ("code", "faults")} == {
        "code": "form.faults",
        "faults": [{"where": "price", "code": "form.required", "words": "请填写。"}],
    }
    assert told.json["request"] == told.headers["X-Request-Id"]


def test_a_fact_cannot_bring_markup(raising: House) -> None:
    page = answer(raising, errors.Invalid("money.negative", text="<img src=x>"))
    assert "<img" not in page.text and "&lt;img" in page.text


def test_a_form_sent_twice_leads_to_its_result(raising: House) -> None:
    again = answer(raising, errors.AlreadyDone("/help"))
    assert (again.status_code, again.location) == (303, "/help")


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_a_result_is_never_on_another_host(raising: House, where: str) -> None:
    assert answer(raising, errors.AlreadyDone(where)).status_code == 409


def test_a_locked_database_is_said_to_be_busy_and_nothing_lost(raising: House) -> None:
    page = answer(raising, OperationalError("INSERT INTO secret", {}, sqlite3.OperationalError("database is locked")))
    assert (page.status_code, page.headers["Retry-After"]) == (503, "3")
    assert "没有丢失" in page.text and "secret" not in page.text and "locked" not in page.text


def test_a_full_disk_is_said_to_be_full_and_another_fault_of_it_is_a_defect(raising: House) -> None:
    page = answer(raising, OSError(errno.ENOSPC, "No space left on device", "/srv/secret"))
    assert page.status_code == 507 and "存储空间已满" in page.text and "secret" not in page.text
    told = answer(raising, OSError(errno.EDQUOT, "Quota"), Accept="application/json")
    assert (told.status_code, told.get_json()["code"]) == (507, "platform.full")
    assert answer(raising, OSError(errno.EIO, "Input/output error")).status_code == 500


def test_a_defect_of_ours_shows_a_reference_and_no_detail(raising: House) -> None:
    page = answer(raising, ZeroDivisionError("the secret is 42"))
    assert page.status_code == 500
    assert page.headers["X-Request-Id"] in page.text
    assert "the secret" not in page.text
    assert "ZeroDivision" not in page.text and "Traceback" not in page.text


def test_a_broken_database_still_answers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame of the error page must not ask the database that is gone."""
    client = house.client()
    house.person("wei", Role.CENTRE)
    assert house.sign_in(client, "wei").status_code == 303

    def gone(*_: object) -> None:
        raise OperationalError("SELECT", {}, sqlite3.OperationalError("unable to open database file"))

    monkeypatch.setattr("web.http.login.parties.find_signed_in", gone)
    page = client.get("/account")
    assert page.status_code == 503 and "没有丢失" in page.text


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/nowhere", "GET", 404), ("/", "DELETE", 405), ("/help/../../etc", "GET", 404), ("/help/no-topic", "GET", 404)],
)
def test_what_flask_refuses_has_words_too(house: House, path: str, method: str, status: int) -> None:
    page = house.client().open(path, method=method)
    assert page.status_code == status and "<h1>" in page.text


def test_a_form_without_its_token_is_refused_in_words(house: House) -> None:
    client = house.client()
    told = client.post("/account/acts/sign-in", data={"username": "a"}, headers={"Accept": "application/json"})
    assert told.status_code == 400 and told.get_json()["code"] == "form.csrf"
    again = client.post(
        "/account/acts/sign-in", data={"username": "a"}
    )  # a page is led back to the form, which says why
    assert again.status_code == 303 and again.location == "/account/sign-in?next=&expired=yes"
    words = client.get(again.location + "&lang=en").text
    assert "This page had been open for too long or in another window." in words


def test_a_body_too_large_is_not_read(house: House) -> None:
    page = house.client().post("/account/acts/sign-in", data={"x": "y" * 3_000_000})
    assert page.status_code == 413 and "page.too_large" in page.text


def test_handlers_are_installed(house: House) -> None:
    assert isinstance(house.app, Flask)
    assert errors.Refusal in house.app.error_handler_spec[None][None]
