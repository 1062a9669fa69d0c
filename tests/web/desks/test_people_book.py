"""Many people at once: a table is checked whole, shown, entered whole; nobody knows anybody's first password."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.kit.rows import fingerprint
from tests.kit.world import credit_code
from tests.web.conftest import PASSWORD, House, marks
from trading.kernel.access import CLOCK, Role
from trading.kernel.outbox import Message
from trading.parties import parties, role_proposals
from trading.reports import people_book
from web.cli.main import main
from web.words import people_words

FIRM_HEADS = ("统一社会信用代码", "单位名称", "单位性质", "地区", "小微企业")
HEADS = ("登录名", "姓名", "单位代码", "身份", "邮箱", "授权理由")
NEW = "nine lanterns over one bridge"


def workbook(
    people: Sequence[Sequence[Any]], firms: Sequence[Sequence[Any]] = (), heads: Sequence[str] = HEADS
) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "人员"
    for row in (("2026 年入网名单",), heads, *people):
        book.active.append(row)
    sheet = book.create_sheet("单位")
    for row in (FIRM_HEADS, *firms):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.fixture
def office(house: House, tmp_path: Path) -> House:
    """A rehearsal with two security administrators, whose mail is read on the platform."""
    (tmp_path / "rehearsal").touch()
    for name in ("sec", "sec2"):
        house.person(name, Role.SECURITY_ADMIN)
    return house


def signed_in(house: House, name: str = "sec") -> FlaskClient:
    client = house.client()
    house.sign_in(client, name)
    return client


def hand_in(client: FlaskClient, data: bytes, name: str = "people.xlsx") -> Any:
    page = client.get("/admin/people/import")
    return client.post("/admin/acts/people-check", data={**marks(page.text), "book": (io.BytesIO(data), name)})


def confirm(client: FlaskClient, preview: Any, **other: str) -> Any:
    import html

    found = re.search(r'name="rows" value="([^"]*)"', preview.text)
    assert found is not None
    return client.post(
        "/admin/acts/people-enter", data={**marks(preview.text), "rows": html.unescape(found.group(1)), **other}
    )


def people(many: int, firm: str) -> list[list[Any]]:
    return [[f"clerk{n:03d}", f"某{n}", firm, "采购人", f"clerk{n}@firm.example", ""] for n in range(many)]


def all_usernames(house: House) -> set[str]:
    with house.office.view(CLOCK) as view:
        return set(view.session.scalars(select(parties.Account.username)))


def test_of_three_hundred_lines_the_four_wrong_ones_are_named_and_nothing_is_entered(office: House) -> None:
    firm = credit_code(7)
    rows = people(300, firm)
    rows[10][4] = "no address"
    rows[99][3] = "采购人、皇帝"
    rows[150][0] = "clerk007"
    rows[299][3] = "保证金经办"
    client = signed_in(office)
    before = fingerprint(office, without=("login", "rate_count"))  # type: ignore[arg-type]
    answer = hand_in(client, workbook(rows, [(firm, "东风中学", "采购人", "130205", "否")]))
    assert answer.status_code == 422 and "4 处问题" in answer.text
    found = re.findall(r'<th scope="row">(人员![^<]*)</th>\s*<td class="wrap">([^<]*)', answer.text)
    assert [place for place, _ in found] == ["人员!13 邮箱", "人员!102 身份", "人员!153 登录名", "人员!302 身份"]
    assert "皇帝" in found[1][1] and "第 10 行" in found[2][1]
    assert fingerprint(office, without=("login", "rate_count")) == before  # type: ignore[arg-type]


def test_what_is_confirmed_is_entered_and_each_sets_a_password_nobody_else_knows(office: House) -> None:
    firm, centre = credit_code(7), "P-sec"  # the centre is there
    data = workbook(
        [
            ("Ａ0001", "王一", firm, "采购人，评审专家", "Wang@Firm.example", None),
            ("host01", "李二", centre, "交易中心", "li@firm.example", ""),
            ("cash01", "赵三", centre, "保证金经办", "zhao@firm.example", "接替钱某"),
        ],
        [(firm, "东风中学", "采购人 / 招标人", 130205, "")],
    )
    client = signed_in(office)
    preview = hand_in(client, data)
    assert preview.status_code == 200, re.findall(r"<th scope=\"row\">(.*?)</td>", preview.text, re.S)
    assert "东风中学" in preview.text and "wang@firm.example" in preview.text
    assert all_usernames(office) == {"sec", "sec2"}, "a look enters nothing"
    done = confirm(client, preview)
    assert done.status_code == 303 and done.location == "/admin/people/import?people=3&firms=1&proposed=1"
    assert "3 人" in client.get(done.location).text
    assert confirm(client, preview).location == done.location, "twice is once"
    assert all_usernames(office) == {"sec", "sec2", "a0001", "host01", "cash01"}
    with office.office.view(CLOCK) as view:
        who = parties.find_account(view.session, "a0001")
        assert who is not None and parties.roles_of(view.session, who) == {Role.PURCHASER, Role.EXPERT}
        assert who.party.name == "东风中学" and who.party.region == "130205" and who.handed_by is not None
        asked = {m.address: m for m in view.session.scalars(select(Message).where(Message.template == "account.first"))}
        cash = parties.find_account(view.session, "cash01")
        assert cash is not None and parties.roles_of(view.session, cash) == frozenset()
        (proposal,) = role_proposals.open_for(view.session, cash)
    assert set(asked) == {"wang@firm.example", "li@firm.example", "zhao@firm.example"}
    for address in ("wang@firm.example", "zhao@firm.example"):
        link = "/" + asked[address].facts["link"].split("/", 3)[3]
        person = office.client()
        set_ = person.post(f"{link}/acts/set", data={**marks(person.get(link).text), "new": NEW})
        assert set_.location == "/account/new-password-set"
        assert person.get(link).location == "/account/forgotten?over=yes", "it works once"
    assert sign_in(office, "a0001", NEW) == 303
    second = signed_in(office, "sec2")
    page = second.get(f"/admin/grants/{proposal.id}")
    shown = second.post(f"/admin/grants/{proposal.id}/acts/confirm", data=marks(page.text))
    part = re.search(r"\b(?:[A-Z2-9]{4}-){3}[A-Z2-9]{4}\b", shown.text)
    assert part is not None, "the address was the administrator's word"
    assert sign_in(office, "cash01", NEW) == 422 and sign_in(office, "cash01", f"{NEW} {part[0]}") == 303


def test_codes_are_checked_and_a_second_centre_is_not_founded_by_a_table(office: House) -> None:
    code = credit_code(8)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    rows = [(code, "另一个交易中心", "交易中心", "", ""), (wrong, "市财政局", "监督部门", "", "")]
    answer = hand_in(signed_in(office), workbook([], rows))
    assert answer.status_code == 422 and "交易中心已经登记" in answer.text and "校验" in answer.text


def sign_in(house: House, username: str, password: str) -> int:
    client = house.client()
    page = client.get("/account/sign-in")
    data = {**marks(page.text), "username": username, "password": password, "code": ""}
    return client.post("/account/acts/sign-in", data=data).status_code


def test_a_link_never_takes_the_second_part_away(office: House) -> None:
    """Whoever chose the address must not get round what the other administrator hands over in person."""
    test_what_is_confirmed_is_entered_and_each_sets_a_password_nobody_else_knows(office)
    from trading.parties import password_links

    with office.office.work(CLOCK) as work:
        password_links.ask(work, "cash01", "https://localhost")
        password_links.answer(work)
        rows = select(Message).where(Message.template == "password.link").order_by(Message.id.desc()).limit(1)
        link = "/" + work.session.scalars(rows).one().facts["link"].split("/", 3)[3]
    person = office.client()
    other = "seven other lanterns here"
    person.post(f"{link}/acts/set", data={**marks(person.get(link).text), "new": other})
    assert sign_in(office, "cash01", other) == 422


def test_a_link_of_an_invitation_lives_for_a_week(office: House) -> None:
    client = signed_in(office)
    firm = credit_code(7)
    confirm(client, hand_in(client, workbook(people(1, firm), [(firm, "东风中学", "采购人", "", "")])))
    with office.office.view(CLOCK) as view:
        (sent,) = view.session.scalars(select(Message).where(Message.template == "account.first"))
    link = "/" + sent.facts["link"].split("/", 3)[3]
    office.clock.advance(days=6, hours=23)
    assert office.client().get(link).status_code == 200
    office.clock.advance(hours=1)
    assert office.client().get(link).location == "/account/forgotten?over=yes"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_holds_one_of_the_sheets(office: House, encoding: str) -> None:
    client = signed_in(office)
    with office.office.view(CLOCK) as view:
        who = parties.find_account(view.session, "sec")
        assert who is not None
        code = who.party.code
    text = f"用户名,名字,单位代码,角色,电子邮箱\r\nnew.one,新人,{code},系统管理员,new@firm.example\r\n"
    answer = hand_in(client, text.encode(encoding), "people.csv")
    assert answer.status_code == 422 and "csv!2" in answer.text, (
        "a role of weight wants a reason, and the heading is not there"
    )
    text = text.replace("电子邮箱\r\n", "电子邮箱,理由\r\n").replace("example\r\n", "example,新设\r\n")
    assert "1 个账号" in hand_in(client, text.encode(encoding), "people.csv").text


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({1: "=HYPERLINK(1)"}, "人员!3 姓名", "公式"),
        ({1: "+8613"}, "人员!3 姓名", "公式"),
        ({2: credit_code(9)}, "人员!3 单位代码", "没有代码"),
        ({3: "保证金复核"}, "人员!3 身份", "采购人"),
        ({3: ""}, "人员!3 身份", "填写"),
        ({0: "x"}, "人员!3 登录名", ""),
        ({0: "sec2"}, "人员!3 登录名", "sec2"),
        ({4: "a@b.example,c@d.example"}, "人员!3 邮箱", "邮箱"),
        ({1: "某\u202e人"}, "人员!3 姓名", ""),
    ],
)
def test_a_wrong_cell_is_named_with_what_is_wrong(
    office: House, change: dict[int, str], place: str, words: str
) -> None:
    firm = credit_code(7)
    rows = people(1, firm)
    for at, value in change.items():
        rows[0][at] = value
    book = openpyxl.load_workbook(io.BytesIO(workbook(rows, [(firm, "东风中学", "采购人", "", "")])))
    for row in book["人员"].iter_rows(min_row=3):
        for cell in row:
            cell.data_type = "s"  # as text, which a formula's sign may begin too
    out = io.BytesIO()
    book.save(out)
    answer = hand_in(signed_in(office), out.getvalue())
    assert answer.status_code == 422 and f'<th scope="row">{place}</th>' in answer.text and words in answer.text
    assert all_usernames(office) == {"sec", "sec2"}


def test_an_organisation_entered_already_stays_and_one_that_differs_is_named(office: House) -> None:
    client, firm = signed_in(office), credit_code(7)
    confirm(client, hand_in(client, workbook(people(1, firm), [(firm, "东风中学", "采购人", "", "")])))
    more = [["later1", "某", firm, "采购人", "later@firm.example", ""]]
    assert "已在登记中" in hand_in(client, workbook(more, [(firm, "东风中学", "采购人", "", "")])).text
    assert "东风中学" in hand_in(client, workbook(more, [(firm, "西风中学", "采购人", "", "")])).text
    assert hand_in(client, workbook(more, [(firm, "西风中学", "采购人", "", "")])).status_code == 422


def test_what_was_confirmed_is_checked_anew(office: House) -> None:
    client, firm = signed_in(office), credit_code(7)
    preview = hand_in(client, workbook(people(2, firm), [(firm, "东风中学", "采购人", "", "")]))
    office.person("clerk001", Role.CENTRE)  # meanwhile
    answer = confirm(client, preview)
    assert answer.status_code == 422 and "clerk001" in answer.text and "clerk000" not in all_usernames(office)
    for rows in ("", "[]", '{"firms": 1}', json.dumps({"firms": {}, "people": {}})):
        assert confirm(client, preview, rows=rows).status_code == 422


@pytest.mark.parametrize("data", [b"", b"\x00\x01", b"PK\x03\x04 no", b"\xd0\xcf\x11\xe0old", b"a,b\n1,2\n"])
def test_what_is_no_table_is_refused_in_words(office: House, data: bytes) -> None:
    assert hand_in(signed_in(office), data).status_code == 422


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_template_reads_back_and_runs_nothing(lang: str) -> None:
    data = people_words.template(lang)
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row if cell.value} == {"s"}
    assert not any(sheet.title in people_book.read(data) for sheet in book) and set(people_book.read(data)) == {
        "firms",
        "people",
        "experts",
    }
    listed = [row[0].value for row in book.worksheets[-1].iter_rows()] if lang == "zh" else []
    assert not listed or "采购人 / 招标人" in [row[0].value for row in book["可选的身份"].iter_rows()]


def test_the_sheet_of_experts_is_the_centres(office: House) -> None:
    book = openpyxl.load_workbook(io.BytesIO(people_words.template("zh")))
    book["专家"].append(("expert1", "E001", "某大学", "A01、A02", ""))
    out = io.BytesIO()
    book.save(out)
    answer = hand_in(signed_in(office), out.getvalue())
    assert answer.status_code == 422 and "交易中心" in answer.text
    sheet = people_book.read(out.getvalue())["experts"]
    assert [one.values["specialties"] for one in sheet.lines] == ["A01、A02"]


def test_nobody_but_a_security_administrator(office: House) -> None:
    office.person("sys", Role.SYSTEM_ADMIN)
    client = signed_in(office, "sys")
    assert {client.get(path).status_code for path in ("/admin/people/import", "/admin/people/template.xlsx")} == {403}


# --- by command ---------------------------------------------------------------------------------------------------------------


def test_by_command_with_the_same_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BIDHALL_BASE_URL", "https://hall.example")
    monkeypatch.setenv("BIDHALL_LANG", "zh")
    (tmp_path / "own").write_text(PASSWORD + "\n", encoding="utf-8")
    code = credit_code(1)

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, list(words))

    assert run("migrate").exit_code == 0
    file = tmp_path / "people.xlsx"
    firm = credit_code(7)
    rows = people(2, firm)
    file.write_bytes(workbook(rows, [(firm, "东风中学", "采购人", "", "")]))
    own = ("--passphrase-file", str(tmp_path / "own"))
    assert "account.admin_needed" in run("import", "people", str(file)).output, "the machine invites nobody in bulk"
    added = (
        "user",
        "add",
        "sec",
        "--name",
        "武",
        "--kind",
        "centre",
        "--party-name",
        "中心",
        "--role",
        "security-admin",
        "--party",
        code,
    )
    assert run(*added, "--password-file", str(tmp_path / "own")).exit_code == 0
    looked = run("import", "people", str(file), "--check", "--as", "sec", *own)
    assert looked.exit_code == 0 and "2 people" in looked.output and "clerk000" not in run("user", "list").output
    rows[1][4] = "none"
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(workbook(rows, [(firm, "东风中学", "采购人", "", "")]))
    refused = run("import", "people", str(bad), "--as", "sec", *own)
    assert refused.exit_code == 2 and "人员!4 邮箱" in refused.output
    done = run("import", "people", str(file), "--as", "sec", *own, "--json")
    assert json.loads(done.stdout) == {"taken": True, "organisations": 1, "there": 0, "people": 2, "proposed": 0}
    assert "clerk001" in run("user", "list").output
    template = run("import", "people", "--template")
    assert set(people_book.read(template.stdout_bytes)) == {"firms", "people", "experts"}
