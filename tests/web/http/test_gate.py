"""The first lock: every page names its act, sign-in takes two factors, a code works once, a weighty act wants a fresh sign-in."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from inspect import signature

import pyotp
import pytest
from flask import Response, render_template_string, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.web.conftest import NOON, PASSWORD, House, marks
from trading.kernel import outbox, rates
from trading.kernel.access import CLOCK, PUBLIC, ROLES, Act, Role, may
from trading.kernel.errors import Conflict, Invalid
from trading.kernel.work import FormUse, UnitOfWork
from trading.parties import parties
from web.http import gate, login
from web.http.forms import Form
from web.http.gate import Desk
from web.http.page_rules import ANYONE, PAGES, ByHand, PageRule

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890", the secret of RFC 6238, appendix B


def code_at(house: House, steps: int = 0) -> str:
    return pyotp.TOTP(SECRET).at(house.clock.now() + timedelta(seconds=30 * steps))


def sent(database: Session) -> list[str]:
    """What the acts of the desk below have done so far."""
    return list(database.scalars(select(outbox.Message.key).where(outbox.Message.template == "x")))


def claims(house: House) -> list[FormUse]:
    with house.office.view(PUBLIC) as view:
        return list(view.session.scalars(select(FormUse).where(FormUse.where.startswith("/t/"))))


def done(house: House) -> list[str]:
    with house.office.view(PUBLIC) as view:
        return sent(view.session)


@pytest.fixture
def desk(house: House) -> Desk:
    """A desk with one page of each kind, put up for this test."""
    made = Desk("gate_for_tests", prefix="/t")
    for name in [n for n in PAGES if n.startswith("gate_for_tests.")]:
        del PAGES[name]

    @made.page("/open", needs=ANYONE)
    def open_() -> str:
        return "open"

    @made.page("/own", needs=Act.ACCOUNT_OWN)
    def own() -> str:
        return "own"

    @made.page("/form", needs=Act.BID_SUBMIT)
    def form(form: Form | None = None) -> str:
        form = form or Form.blank()
        if request.args.get("frame"):
            return render_template_string("{% set f = frame %}{{ f.own }} {{ f.lang_href }}")
        return f"{form.shown('price')}|{[(f.where, f.code) for f in form.faults.found]}|{form.form_id}"

    @made.act("/acts/form", needs=Act.BID_SUBMIT, back=form)
    def do_form(unit: UnitOfWork, form: Form) -> str:
        if form.typed.get("stale"):
            raise Conflict("form.stale")
        if form.typed.get("broken"):
            raise LookupError("a defect of ours")
        amount = form.money("price")
        form.refuse_if_any()
        unit.send(f"done {len(sent(unit.session))}", to="party:1", template="x")
        return f"/t/done/{amount.text() if amount else ''}?nth={len(sent(unit.session))}"

    @made.page("/acts/approve", needs=Act.REFUND_APPROVE, post=ByHand.NO_UNIT)
    def approve() -> str:
        return "approved"

    @made.page("/approve", needs=Act.REFUND_APPROVE, fresh=True)
    def approve_page() -> str:
        return "read back"

    @made.page("/either", needs=[Act.REFUND_PREPARE, Act.REFUND_APPROVE])
    def either() -> str:
        return "either"

    house.app._got_first_request = False
    house.app.register_blueprint(made.blueprint)
    house.app.extensions["csrf"].exempt(made.blueprint)
    return made


def test_every_address_of_the_house_stands_in_the_matrix(house: House) -> None:
    rules = {r.endpoint: r for r in house.app.url_map.iter_rules() if r.endpoint != "static"}
    assert set(rules) == {name for name in PAGES if name.split(".")[0] in house.app.blueprints}
    for name, rule in rules.items():
        page = PAGES[name]
        assert page.method in (rule.methods or ()) and page.path == rule.rule
        assert page.method == "GET" or "/acts/" in page.path or page.path.endswith("/acts"), name


def test_what_the_public_may_see(house: House) -> None:
    client = house.client()
    for name, page in PAGES.items():
        if name.split(".")[0] not in house.app.blueprints or page.method != "GET" or "<" in page.path:
            continue
        answer = client.get(page.path)
        if page.open_to(Role.PUBLIC):
            assert answer.status_code in (200, 303, 404), page
        else:
            assert answer.status_code == 302 and answer.location.startswith("/account/sign-in?next="), page


@pytest.mark.parametrize("role", [r for r in Role if r not in (Role.PUBLIC, Role.CLOCK)])
def test_each_role_passes_just_the_doors_it_holds(house: House, desk: Desk, role: Role) -> None:
    house.person("p", role)
    client = house.client()
    assert house.sign_in(client, "p").status_code == 303
    for path, acts in (
        ("/t/own", [Act.ACCOUNT_OWN]),
        ("/t/form", [Act.BID_SUBMIT]),
        ("/t/either", [Act.REFUND_PREPARE, Act.REFUND_APPROVE]),
    ):
        allowed = any(may(parties.Actor(role), act) for act in acts)
        assert client.get(path).status_code == (200 if allowed else 403), (path, role)


def test_the_matrix_is_the_catalogue_of_acts() -> None:
    rule = PageRule("x", "/x", "GET", Act.REFUND_APPROVE, False)
    assert (
        {r for r in Role if rule.open_to(r)} == {r for r in Role if Act.REFUND_APPROVE in ROLES[r]} == {Role.CONTROLLER}
    )


def test_a_page_cannot_stand_twice(desk: Desk) -> None:
    with pytest.raises(ValueError, match="twice"):
        desk.page("/elsewhere", needs=ANYONE, endpoint="own")(lambda: "x")


def test_nobody_signed_in_is_sent_to_the_door_and_back(house: House, desk: Desk) -> None:
    house.person("p", Role.BIDDER_SIGNER)
    client = house.client()
    away = client.get("/t/own?x=1")
    assert away.location == "/account/sign-in?next=%2Ft%2Fown%3Fx%3D1"
    page = client.get(away.location)
    back = client.post("/account/acts/sign-in", data={**marks(page.text), "username": "p", "password": PASSWORD})
    assert back.location == "/t/own?x=1"
    assert house.client().get("/t/own", headers={"Accept": "application/json"}).get_json()["code"] == "access.sign_in"
    assert house.client().post("/t/acts/form").status_code == 403
    # a form sent after the sign-in had ended: back to its very page, and what was typed is given back to be copied
    said = "一段较长的异议，说明唱标金额与投标文件不一致之处。"
    sent = house.client().post(
        "/t/acts/approve",
        data={"text": said, "password": "not to be shown at all"},
        headers={"Referer": "http://localhost/t/form?envelope=bid#x"},
    )  # an act without a page to show again
    assert sent.status_code == 403 and "/account/sign-in?next=%2Ft%2Fform%3Fenvelope%3Dbid" in sent.text
    assert said in sent.text and "not to be shown" not in sent.text
    foreign = house.client().post("/t/acts/form", data={"text": said}, headers={"Referer": "http://evil/t/form"})
    assert said not in foreign.text


def test_one_comes_in_the_role_that_may_see_what_one_came_for(house: House, desk: Desk) -> None:
    house.person("p", Role.CENTRE, Role.CONTROLLER)
    client = house.client()
    page = client.get(client.get("/t/approve").location)
    back = client.post("/account/acts/sign-in", data={**marks(page.text), "username": "p", "password": PASSWORD})
    assert back.location == "/t/approve" and client.get("/t/approve").text == "read back"
    token = marks(client.get("/account").text)["csrf_token"]
    assert (
        client.post("/account/acts/role", data={"csrf_token": token, "role": "centre", "next": "/t/approve"}).location
        == "/centre"
    )
    refused = client.get("/t/approve")  # the other role is offered on the spot
    assert (
        refused.status_code == 403
        and 'value="controller"' in refused.text
        and 'name="next" value="/t/approve"' in refused.text
    )
    switched = client.post("/account/acts/role", data={"csrf_token": token, "role": "controller", "next": "/t/approve"})
    assert switched.location == "/t/approve"


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x", "/ x"],
)
def test_after_the_door_one_never_leaves_the_house(house: House, address: str) -> None:
    house.person("p", Role.CENTRE)
    client = house.client()
    page = client.get("/account/sign-in")
    answer = client.post(
        "/account/acts/sign-in", data={**marks(page.text), "username": "p", "password": PASSWORD, "next": address}
    )
    assert answer.location == "/centre"


# --- forms through the gate ---------------------------------------------------------------------------------------------------------


def test_a_page_shown_again_takes_what_its_act_hands_to_it() -> None:
    """An act refused on a page that does not take its address ended in a 500 (objections taken back, lost keys refused)."""
    made = Desk("gate_for_tests_of_pages", prefix="/u")

    def lone() -> str:
        return ""

    with pytest.raises(ValueError, match=r"do_it does not take \['form', 'ident'\]"):

        @made.act("/<int:ident>/acts/do", needs=ANYONE, back=lone)
        def do_it(unit: UnitOfWork, form: Form, ident: int) -> str:
            return str(ident)


def test_a_refused_form_comes_back_with_entries_and_faults(house: House, desk: Desk) -> None:
    house.person("p", Role.BIDDER_SIGNER)
    client = house.client()
    house.sign_in(client, "p")
    sent = {"form_id": "x" * 22, "price": "8O0"}
    answer = client.post("/t/acts/form", data=sent)
    assert answer.status_code == 422
    assert answer.text == f"8O0|[('price', 'money.letters')]|{'x' * 22}"
    stale = client.post("/t/acts/form", data={**sent, "stale": "1"})
    assert stale.status_code == 409 and stale.text.startswith("8O0|[('', 'form.stale')]")


def test_a_form_shown_again_knows_the_address_of_its_page(house: House, desk: Desk) -> None:
    """It stands under the act's address, which nobody can load: live updates, the other language and the help go by the page's own."""
    house.person("p", Role.BIDDER_SIGNER)
    client = house.client()
    house.sign_in(client, "p")
    sent = {"form_id": "x" * 22, "price": "8O0"}
    page = "/t/form?frame=1&party=%E7%94%B2"
    assert client.get(page).text == f" {page}&lang=en".replace("&", "&amp;")
    for referrer, own in ((page, page), ("/t/acts/form?frame=1", "/t/form"), ("", "/t/form")):
        # the page; itself shown again; unknown
        headers = {"Referer": f"http://localhost{referrer}"} if referrer else {}
        answer = client.post("/t/acts/form?frame=1", data=sent, headers=headers)
        assert answer.status_code == 422
        assert answer.text == f"{own} {own}{'&' if '?' in own else '?'}lang=en".replace("&", "&amp;")


def test_the_same_form_twice_is_done_once(house: House, desk: Desk) -> None:
    """The second sending leads to the page of the first, whatever is in it by now."""
    house.person("p", Role.BIDDER_SIGNER)
    client = house.client()
    house.sign_in(client, "p")
    first = client.post("/t/acts/form", data={"form_id": "y" * 22, "price": "1"})
    assert (first.status_code, first.location) == (303, "/t/done/1.00?nth=1")
    for again in ({"price": "2"}, {"price": "8O0"}, {"stale": "1"}):
        answer = client.post("/t/acts/form", data={"form_id": "y" * 22, **again})
        assert (answer.status_code, answer.location) == (303, "/t/done/1.00?nth=1")
    told = client.post("/t/acts/form", data={"form_id": "y" * 22}, headers={"Accept": "application/json"})
    assert (told.status_code, told.get_json()["code"]) == (409, "form.already_done")
    assert len(done(house)) == 1
    assert client.post("/t/acts/form", data={"form_id": "z" * 22, "price": "1"}).location == "/t/done/1.00?nth=2"
    assert {one.where for one in claims(house)} == {"/t/done/1.00?nth=1", "/t/done/1.00?nth=2"}


@pytest.mark.parametrize(("wrong", "status"), [({"price": "8O0"}, 422), ({"stale": "1"}, 409), ({"broken": "1"}, 500)])
def test_what_was_refused_or_broke_claims_nothing(house: House, desk: Desk, wrong: dict[str, str], status: int) -> None:
    """So the same form, mended, is done: nobody is led to a page of something that never was."""
    house.person("p", Role.BIDDER_SIGNER)
    client = house.client()
    house.sign_in(client, "p")
    assert client.post("/t/acts/form", data={"form_id": "w" * 22, **wrong}).status_code == status
    assert claims(house) == [] and done(house) == []
    mended = client.post("/t/acts/form", data={"form_id": "w" * 22, "price": "3"})
    assert (mended.status_code, mended.location) == (303, "/t/done/3.00?nth=1")


@pytest.mark.promise("R13")
def test_two_sendings_at_the_same_moment_lead_to_one_page(house: House, desk: Desk) -> None:
    """On PostgreSQL the second waits where it claims the form id, on SQLite for its turn; it is led to what only the first could know."""
    house.person("p", Role.BIDDER_SIGNER)
    clients, answers, go = [house.client() for _ in range(4)], [], threading.Barrier(4)
    for client in clients:
        house.sign_in(client, "p")

    def send(n: int) -> None:
        go.wait(timeout=10)
        answers.append(clients[n].post("/t/acts/form", data={"form_id": "v" * 22, "price": str(n + 1)}))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status_code for one in answers] == [303] * 4
    [claim] = claims(house)
    assert {one.location for one in answers} == {claim.where} and len(done(house)) == 1


def test_the_unit_opens_once_the_form_is_there(house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow line does not hold the writer's turn, and the moment of the act is after the form's last byte."""
    house.person("p", Role.BIDDER_SIGNER)
    client = house.client()
    house.sign_in(client, "p")
    read = Form.read

    def slowly() -> Form:
        form = read()
        house.clock.advance(seconds=7)
        with house.office.work(PUBLIC):  # somebody else's turn meanwhile
            pass
        return form

    monkeypatch.setattr(Form, "read", slowly)
    before = house.clock.now()
    assert client.post("/t/acts/form", data={"form_id": "u" * 22, "price": "1"}).status_code == 303
    assert [one.at for one in claims(house)] == [before + timedelta(seconds=7)]


def test_what_is_posted_goes_through_the_gate_or_says_why(house: House) -> None:
    posted = {name: page for name, page in PAGES.items() if page.method != "GET" and name in house.app.view_functions}
    by_gate = {name for name, page in posted.items() if page.by_hand is None}
    for name in posted:
        takes = list(signature(vars(house.app.view_functions[name])["view"]).parameters.values())
        assert (len(takes) >= 2 and takes[0].annotation == "UnitOfWork") == (name in by_gate), name
    assert len(by_gate) > 130 and {page.by_hand for page in posted.values()} - {None} == set(ByHand)
    assert all(page.by_hand is None for page in PAGES.values() if page.method == "GET")


# --- sign-in ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.promise("N4")
def test_every_wrong_sign_in_sounds_the_same(house: House) -> None:
    house.person("p", Role.CENTRE, secret=SECRET)
    told = []
    for username, password, code in (
        ("p", "wrong", code_at(house)),
        ("nobody", PASSWORD, ""),
        ("p", PASSWORD, ""),
        ("p", PASSWORD, "000000"),
    ):
        client = house.client()
        page = client.get("/account/sign-in")
        answer = client.post(
            "/account/acts/sign-in", data={**marks(page.text), "username": username, "password": password, "code": code}
        )
        assert answer.status_code == 422
        told.append(re.findall(r"<li>\s*(.*?)\s*</li>", answer.text[answer.text.index("data-errors") :])[0])
    assert set(told) == {"账号、密码或验证码不对。"}


@pytest.mark.promise("N3")
def test_a_code_works_once_and_an_older_one_no_more(house: House) -> None:
    house.person("p", Role.CENTRE, secret=SECRET)
    assert house.sign_in(house.client(), "p", code_at(house)).status_code == 303
    assert house.sign_in(house.client(), "p", code_at(house)).status_code == 422
    assert house.sign_in(house.client(), "p", code_at(house, -1)).status_code == 422
    house.clock.advance(seconds=30)
    assert house.sign_in(house.client(), "p", code_at(house)).status_code == 303


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    who = parties.Account(totp_secret=SECRET, totp_last_step=0)
    assert login.take_code(who, f"{code[:3]} {code[3:]}", datetime.fromtimestamp(seconds, UTC))
    assert who.totp_last_step == seconds // 30
    assert not login.take_code(who, code, datetime.fromtimestamp(seconds, UTC))


def test_codes_far_off_are_refused(house: House) -> None:
    house.person("p", Role.CENTRE, secret=SECRET)
    for steps in (-2, 2, 3):
        assert house.sign_in(house.client(), "p", code_at(house, steps)).status_code == 422
    assert house.sign_in(house.client(), "p", code_at(house, 1)).status_code == 303


def test_a_rejected_sign_in_does_not_use_up_the_code(house: House) -> None:
    house.person("p", Role.CENTRE, secret=SECRET)
    client = house.client()
    page = client.get("/account/sign-in")
    client.post(
        "/account/acts/sign-in", data={**marks(page.text), "username": "p", "password": "wrong", "code": code_at(house)}
    )
    assert house.sign_in(house.client(), "p", code_at(house)).status_code == 303


@pytest.mark.promise("N2")
def test_guessing_is_slowed_down_and_a_success_forgets(house: House) -> None:
    house.person("p", Role.CENTRE)
    for _ in range(4):
        page = (client := house.client()).get("/account/sign-in")
        assert (
            client.post(
                "/account/acts/sign-in", data={**marks(page.text), "username": "p", "password": "wrong"}
            ).status_code
            == 422
        )
    assert house.sign_in(house.client(), "p").status_code == 303
    for _ in range(5):
        page = (client := house.client()).get("/account/sign-in")
        client.post("/account/acts/sign-in", data={**marks(page.text), "username": "P ", "password": "wrong"})
    waiting = house.sign_in(house.client(), "p")
    assert waiting.status_code == 429 and "北京时间" in waiting.text
    house.clock.advance(seconds=2)
    assert house.sign_in(house.client(), "p").status_code == 303


@pytest.mark.promise("N1")
def test_a_disabled_person_is_out_at_once(house: House) -> None:
    who = house.person("p", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "p")
    assert client.get("/account").status_code == 200
    with house.office.work(parties.Actor(Role.SECURITY_ADMIN, name="root")) as work:
        parties.disable(work, parties.account(work.session, who))
    assert client.get("/account").status_code == 302
    assert house.sign_in(house.client(), "p").status_code == 403


@pytest.mark.promise("N1")
def test_a_sign_in_ends_when_idle_and_when_old(house: House) -> None:
    house.person("p", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "p")
    house.clock.advance(minutes=29)
    assert client.get("/account").status_code == 200
    house.clock.advance(minutes=29)
    assert client.get("/account").status_code == 200, "use keeps it alive"
    house.clock.advance(minutes=31)
    assert client.get("/account").status_code == 302


@pytest.mark.promise("N1")
def test_a_copied_cookie_dies_with_the_sign_out(house: House) -> None:
    house.person("p", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "p")
    cookie = client.get_cookie("__Host-bidhall")
    assert cookie is not None
    thief = house.client()
    thief.set_cookie("__Host-bidhall", cookie.value)
    page = client.get("/account")
    client.post("/account/acts/sign-out", data=marks(page.text))
    assert thief.get("/account").status_code == 302


def test_the_cookie_of_before_the_sign_in_is_not_the_one_after(house: House) -> None:
    house.person("p", Role.CENTRE)
    client = house.client()
    client.get("/account/sign-in")
    before = client.get_cookie("__Host-bidhall")
    house.sign_in(client, "p")
    after = client.get_cookie("__Host-bidhall")
    assert before and after and before.value != after.value
    with house.office.view(PUBLIC) as view:
        stored = view.session.scalars(select(parties.Login.token_hash)).all()
    assert all(s not in after.value for s in stored)


def test_who_signs_in_where_somebody_is_signed_in_ends_that_sign_in(house: House) -> None:
    for name in ("p", "q"):
        house.person(name, Role.CENTRE)
    client, thief = house.client(), house.client()
    house.sign_in(client, "p")
    cookie = client.get_cookie("__Host-bidhall")
    assert cookie is not None
    thief.set_cookie("__Host-bidhall", cookie.value)
    assert client.get("/account/sign-in?as=p&next=/account").headers["Location"].endswith("/account"), (
        "it is p who is here"
    )
    page = client.get("/account/sign-in?as=q&next=/account")
    assert page.status_code == 200 and 'value="q"' in page.text
    client.post(
        "/account/acts/sign-in", data=marks(page.text) | {"username": "q", "password": "wrong", "next": "/account"}
    )
    assert thief.get("/account").status_code == 200, "a wrong password ends nothing"
    answer = client.post(
        "/account/acts/sign-in", data=marks(page.text) | {"username": "q", "password": PASSWORD, "next": "/account"}
    )
    assert answer.headers["Location"].endswith("/account") and client.get("/account").status_code == 200
    assert thief.get("/account").status_code == 302


def test_a_weighty_act_wants_a_fresh_sign_in_and_nothing_less(house: House, desk: Desk) -> None:
    house.person("p", Role.CONTROLLER, secret=SECRET)
    client = house.client()
    house.sign_in(client, "p", code_at(house))
    assert client.post("/t/acts/approve").text == "approved"
    house.clock.advance(minutes=11)
    away = client.get("/t/approve")
    assert away.location == "/account/confirm?next=%2Ft%2Fapprove"
    assert client.post("/t/acts/approve").status_code == 303
    sent = client.post("/t/acts/approve", headers={"Referer": "http://localhost/t/approve?batch=7"})
    assert sent.location == "/account/confirm?next=%2Ft%2Fapprove%3Fbatch%3D7"
    assert client.post("/t/acts/approve", headers={"Accept": "application/json"}).get_json()["code"] == "access.fresh"
    page = client.get(away.location)
    wrong = client.post("/account/acts/confirm", data={**marks(page.text), "password": PASSWORD, "code": "123456"})
    assert wrong.status_code == 422 and client.post("/t/acts/approve").status_code == 303
    right = client.post(
        "/account/acts/confirm", data={**marks(page.text), "password": PASSWORD, "code": code_at(house)}
    )
    assert right.location == "/t/approve"
    assert client.get("/t/approve").text == "read back"
    assert client.post("/t/acts/approve").text == "approved"


def test_one_acts_in_one_role_at_a_time(house: House, desk: Desk) -> None:
    house.person("p", Role.HOST, Role.CONTROLLER)
    client = house.client()
    house.sign_in(client, "p")
    assert client.get("/t/either").status_code == 403
    token = marks(client.get("/account").text)["csrf_token"]
    assert client.post("/account/acts/role", data={"csrf_token": token, "role": "controller"}).location == "/cashier"
    assert client.get("/t/either").status_code == 200
    for role in ("cashier", "clock", "no-such"):
        assert client.post("/account/acts/role", data={"csrf_token": token, "role": role}).status_code in (403, 404)
    assert client.get("/t/either").status_code == 200


def test_a_second_factor_is_taken_up_by_its_first_code(house: House) -> None:
    who = house.person("p", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "p")
    page = client.get("/account/second-factor")
    secret = re.sub(r"\s", "", re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0])
    assert client.post("/account/acts/second-factor", data={**marks(page.text), "code": "000000"}).status_code == 422
    assert (
        client.post(
            "/account/acts/second-factor", data={**marks(page.text), "code": pyotp.TOTP(secret).at(NOON)}
        ).location
        == "/account/recovery-codes"
    )
    with house.office.view(PUBLIC) as view:
        assert parties.account(view.session, who).totp_secret == secret
    assert house.sign_in(house.client(), "p").status_code == 422


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "account.password_short"),
        ("toubiao2026", "account.password_weak"),
        ("zhangsan1234", "account.password_weak"),
        ("Password123", "account.password_common"),
        ("seven herons cross zhangsan", "account.password_named"),
    ],
)
def test_weak_passwords_are_refused(house: House, new: str, code: str) -> None:
    with pytest.raises(Invalid, match=code):
        login.change_password(
            house.office,
            house.app.extensions["bidhall"].rate_limits,
            login.Person("", 0, parties.Actor(Role.CENTRE, 1, name="张三"), NOON, NOON, (), "zhangsan"),
            old="",
            new=new,
        )


def test_a_changed_password_ends_the_other_devices(house: House) -> None:
    house.person("p", Role.CENTRE)
    one, other = house.client(), house.client()
    house.sign_in(one, "p")
    house.sign_in(other, "p")
    page = one.get("/account/password")
    assert (
        one.post(
            "/account/acts/password",
            data={**marks(page.text), "old": PASSWORD, "new": "seven herons cross a slow river"},
        ).location
        == "/account"
    )
    assert one.get("/account").status_code == 200
    assert other.get("/account").status_code == 302


def test_extending_needs_a_token_of_ours(house: House) -> None:
    house.person("p", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "p")
    assert client.post("/account/acts/extend", data={"next": "/help"}).status_code == 400
    token = marks(client.get("/account").text)["csrf_token"]
    assert client.post("/account/acts/extend", data={"next": "/help", "csrf_token": token}).location == "/help"


def test_two_shields_count_together(house: House) -> None:
    from limits import parse

    from trading.kernel.errors import TooEarly
    from web.http.rate_limits import RateLimits

    first, second, limit = (
        RateLimits(house.office.engine, house.clock),
        RateLimits(house.office.engine, house.clock),
        parse("3/minute"),
    )
    for rate_limits in (first, second, first):
        rate_limits.hit(limit, "x")
    with pytest.raises(TooEarly):
        second.hit(limit, "x")
    house.clock.advance(seconds=61)
    second.hit(limit, "x")
    house.clock.advance(seconds=120)
    with house.office.work(CLOCK) as work:
        assert len(work.session.scalars(select(rates.RateCount)).all()) == 1
        rates.sweep(work)
        assert work.session.scalars(select(rates.RateCount)).all() == []


def test_a_saved_file_keeps_its_chinese_name_in_an_ascii_header() -> None:
    answer = gate.saved_as(Response(b""), '招标"文件\\1.pdf')
    told = answer.headers["Content-Disposition"]
    assert told.isascii() and told.startswith('attachment; filename="')
    assert told.endswith("filename*=UTF-8''%E6%8B%9B%E6%A0%87%22%E6%96%87%E4%BB%B6%5C1.pdf")
    assert (
        gate.saved_as(Response(b""), "plain.pdf").headers["Content-Disposition"] == 'attachment; filename="plain.pdf"'
    )
