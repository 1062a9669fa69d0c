"""Administrators and accounts: a person with a role given by two, keys, the calendar; a firm registers and is accepted; a password is
forgotten and set anew; messages come by mail; people are entered from a workbook; the inbox is read; what was typed outlives a sign-in."""

from __future__ import annotations

import io

import openpyxl

from tests.kit.world import credit_code
from tests.walk.guide import Guest, Walk
from web.rehearsal.names import CENTRE

NEW = "seven herons cross a slow river"
OWN = "nine lanterns over a quiet bridge"
LICENCE = {"name": "营业执照.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 a licence"}
CALENDAR = "year,2028\nstatus,announced\nsource,国办发明电〔2027〕9号\ndate,day,feast\n" + "".join(
    f"2028-{day},rest,节日\n" for day in ("01-01", "05-01", "05-02", "10-01", "10-02", "10-03")
)


def sign_in(guest: Guest, username: str, password: str) -> Guest:
    """By the page of signing in, and on to the own desk."""
    guest.follow("header a[href^='/account/sign-in']")
    guest.fill(username=username, password=password).press("form[action='/account/acts/sign-in'] button")
    return guest.follow("header nav a")


def test_a_role_of_weight_is_given_by_two(walk: Walk) -> None:
    first, second = walk.person("secadmin"), walk.person("secadmin2")
    first.follow("a[href='/admin/people/new']")
    first.fill(party=CENTRE).press("form[action='/admin/people/new'] button")
    with first.expecting(422):
        first.fill(username="newcashier").press("form[action='/admin/acts/invite'] .btn--go")
    first.fill(name="钱新来", password=NEW, roles="cashier", reason="接替钱思源").press(
        "form[action='/admin/acts/invite'] .btn--go"
    )
    person = first.page.url
    second.go("/admin").follow("main a[href^='/admin/grants/']").press("form[action$='/acts/confirm'] button")
    part = second.page.locator("main code").inner_text()
    second.follow("main a[href='/admin/grants']")
    first.go(person)
    assert first.page.locator("form[action$='/acts/revoke']").count() == 1
    first.follow(".bell").follow(".letters a").follow("main a[href^='/admin/grants/']")
    newcomer = walk.stranger().follow("header a[href^='/account/sign-in']")
    newcomer.fill(username="newcashier", password=NEW + part).press("form[action='/account/acts/sign-in'] button")
    assert newcomer.page.url.endswith("/account/password")
    newcomer.fill(old=NEW + part, new=OWN).press("form[action='/account/acts/password'] .btn--go")
    newcomer.follow("header nav a")
    assert newcomer.page.url.endswith("/cashier")
    first.go(person).page.select_option("#f-role", "host")
    first.fill(reason="兼任主持").press("form[action$='/acts/grant'] .btn--go")
    second.go("/admin").follow("main a[href^='/admin/grants/']")
    with second.expecting(422):
        second.press("form[action$='/acts/refuse'] button")
    second.fill(answer="主持另有其人").press("form[action$='/acts/refuse'] button")
    first.go(person)
    assert first.page.locator("form[action$='/acts/revoke']").count() == 1


def test_people_organisations_and_keys_are_looked_through(walk: Walk) -> None:
    admin = walk.person("secadmin")
    admin.go("/admin").follow(".rail a[href='/admin/people']").fill(q="clerk").press(".filters button")
    admin.follow("main table a[href^='/admin/people/']")
    admin.follow(".rail a[href='/admin/parties']").follow(".rail a[href='/admin/keys']").follow(
        ".rail a[href='/admin/grants']"
    ).follow(".rail a[href='/admin/restored']")


def test_a_correction_of_an_organisation_is_proposed_and_refused(walk: Walk) -> None:
    first, second = walk.person("secadmin"), walk.person("secadmin2")
    first.go("/admin/first-week").follow(".rail a[href='/admin/parties']").fill(q="城市管理").press(".filters button")
    first.follow("main a[href^='/admin/parties/correct']")
    with first.expecting(422):
        first.fill(name="").press("form[action='/admin/acts/correct'] .btn--go")
    first.fill(name="春晓区城市管理和综合执法局", reason="机构改革方案").press(
        "form[action='/admin/acts/correct'] .btn--go"
    )
    second.go("/admin").follow("main a[href^='/admin/corrections/']")
    with second.expecting(422):
        second.press("form[action$='/acts/refuse'] button")
    second.fill(answer="方案还没有印发").press("form[action$='/acts/refuse'] button")
    second.follow("main a[href='/admin/parties']")


def test_the_calendar_of_a_year_is_loaded(walk: Walk) -> None:
    admin = walk.person("sysadmin")
    admin.follow(".rail a[href='/admin/calendar']")
    with admin.expecting(422):
        admin.press("form[action='/admin/acts/calendar'] button")
    admin.page.set_input_files(
        "input[type=file]", {"name": "2028.csv", "mimeType": "text/csv", "buffer": CALENDAR.encode()}
    )
    admin.press("form[action='/admin/acts/calendar'] button").follow(".rail a[href='/admin/health']")
    walk.person("auditadmin").follow(".rail a[href='/admin/log']")


def test_a_firm_registers_itself_and_is_accepted(walk: Walk) -> None:
    firm = walk.stranger()
    firm.follow("header a[href^='/account/sign-in']").follow("main a[href='/register']")
    with firm.expecting(422):
        firm.press("form[action='/register/acts/send'] .btn--go")
    firm.fill(
        name="清溪教学仪器有限公司",
        code=credit_code(321),
        region="130205",
        bank_account="6222000012345678",
        bank_name="春晓银行",
        person="苏清溪",
        phone="0310-1234567",
        mail="su@example.com",
        username="suqingxi",
        password=NEW,
    )
    firm.page.set_input_files("input[type=file]", LICENCE)  # type: ignore[arg-type]
    firm.press("form[action='/register/acts/send'] .btn--go")
    clerk = walk.person("clerk").follow("main a[href^='/centre/registrations/']")
    assert clerk.download("main a[href$='/proof']").read_bytes() == LICENCE["buffer"]
    clerk.fill(reasons="扫描件看不清").press("form[action$='/acts/return'] button")
    firm.go("/register/state")
    firm.page.set_input_files("input[type=file]", LICENCE)  # type: ignore[arg-type]
    firm.press("form[action='/register/acts/again'] .btn--go")
    clerk.go("/centre").follow("main a[href^='/centre/registrations/']")
    clerk.fill(checked="yes").press("form[action$='/acts/accept'] .btn--go")
    firm.go("/register/state").follow("main a[href='/account/sign-in']")
    firm.fill(username="suqingxi", password=NEW).press("form[action='/account/acts/sign-in'] button")
    assert firm.page.url.endswith("/bidder")
    firm.follow(".bell").follow(".letters a").go("/bidder").follow(".rail a[href='/bidder/people']")
    firm.fill(name="苏小河", username="xiaohe", password=NEW, roles="bidder-signer").press(
        "form[action='/bidder/acts/invite'] button"
    )
    firm.follow("main a[href^='/bidder/people/']")
    colleague = sign_in(walk.stranger(), "xiaohe", NEW)
    colleague.follow(".rail a[href='/bidder/lots']")


def test_a_forgotten_password_is_set_anew(walk: Walk) -> None:
    owner = walk.person("builder").go("/account").follow("main a[href='/account/mail']")
    owner.fill(mail="builder@example.com").press("form[action='/account/acts/mail'] button")
    guest = walk.stranger()
    guest.follow("header a[href^='/account/sign-in']").follow("main a[href='/account/forgotten']")
    guest.fill(typed="builder@example.com").press("form[action='/account/acts/forgotten'] button")
    guest.follow("main a[href='/account/rehearsal-post']")
    for _ in range(20):
        if guest.page.locator("main a[href^='/account/new-password/']").count():
            break
        guest.page.wait_for_timeout(1000)
        guest.follow("main a[href='/account/rehearsal-post']")
    guest.follow("main a[href^='/account/new-password/']")
    with guest.expecting(422):
        guest.fill(new="toubiao2026").press("form[action$='/acts/set'] button")
    guest.fill(new=NEW).press("form[action$='/acts/set'] button").follow("main a[href='/account/sign-in']")
    guest.fill(username="builder", password=NEW).press("form[action='/account/acts/sign-in'] button")
    assert guest.page.url.endswith("/agency")
    owner.go("/account")  # signed out everywhere else: led to sign in
    assert "/account/sign-in" in owner.page.url


def post_of(walk: Walk, link: str) -> Guest:
    """Somebody who reads the rehearsal's post, once a letter with such a link is there, and follows the newest."""
    guest = walk.stranger().go("/account/rehearsal-post")
    for _ in range(20):
        if guest.page.locator(f"main a[href^='{link}']").count():
            break
        guest.page.wait_for_timeout(1000)
        guest.follow("main a[href='/account/rehearsal-post']")
    return guest.follow(f"main a[href^='{link}']")


def test_messages_come_by_mail_once_an_address_is_confirmed(walk: Walk) -> None:
    owner = walk.person("clerk").go("/account").follow("main a[href='/account/mail']")
    with owner.expecting(422):
        owner.fill(mail="no address").press("form[action='/account/acts/mail'] button")
    owner.fill(mail="clerk@centre.example").press("form[action='/account/acts/mail'] button")
    reader = post_of(walk, "/account/mail/confirm/").press("form[action$='/acts/confirm'] button")
    assert reader.page.url.endswith("/account/mail/confirmed")
    owner.go("/account/mail").fill(pace="daily", groups="deadline", lang="en").press(
        "form[action='/account/acts/mail-choice'] button"
    )
    assert owner.page.locator("[name=groups][value=deadline]").is_checked()
    admin = walk.person("sysadmin").go("/admin").follow(".rail a[href='/admin/mail']")
    with admin.expecting(422):
        admin.press("form[action='/admin/acts/test-mail'] button")
    admin.fill(to="anybody@centre.example").press("form[action='/admin/acts/test-mail'] button")
    assert admin.page.locator(".note--ok").count() == 1


def test_people_are_entered_from_a_workbook(walk: Walk) -> None:
    admin = walk.person("secadmin").go("/admin/people").follow("main a[href='/admin/people/import']")
    template = admin.download("main a[href='/admin/people/template.xlsx']").read_bytes()
    walk.town.typed.update(("春晓区第九小学", "纪校长"))

    def filled(mail: str) -> dict[str, object]:
        book = openpyxl.load_workbook(io.BytesIO(template))
        firms, people = book.worksheets[0], book.worksheets[1]
        code = credit_code(654)
        for column, value in enumerate((code, "春晓区第九小学", "采购人 / 招标人", "130205", "否"), start=1):
            firms.cell(3, column, value)
        for column, value in enumerate(("jiuxiao", "纪校长", code, "采购人", mail), start=1):
            people.cell(3, column, value)
        out = io.BytesIO()
        book.save(out)
        return {"name": "名单.xlsx", "mimeType": "application/octet-stream", "buffer": out.getvalue()}

    admin.page.set_input_files("input[type=file]", filled("nobody"))  # type: ignore[arg-type]
    with admin.expecting(422):
        admin.press("form[action='/admin/acts/people-check'] button")
    admin.page.set_input_files("input[type=file]", filled("ji@school.example"))  # type: ignore[arg-type]
    admin.press("form[action='/admin/acts/people-check'] button")
    admin.press("form[action='/admin/acts/people-enter'] button")
    assert admin.page.locator(".note--ok").count() == 1
    newcomer = post_of(walk, "/account/new-password/").fill(new=OWN).press("form[action$='/acts/set'] button")
    newcomer.follow("main a[href='/account/sign-in']")
    newcomer.fill(username="jiuxiao", password=OWN).press("form[action='/account/acts/sign-in'] button")
    assert newcomer.page.url.endswith("/agency")


def test_the_inbox_is_read(walk: Walk) -> None:
    bidder = walk.person("bidder1")
    bidder.follow(".bell")
    bidder.picture("inbox-zh")
    assert bidder.page.locator(".letters .is-unread").count()
    bidder.follow(".letters a").follow("main a[href='/account/inbox']")
    bidder.fill(about="result").press(".filters button").fill(about="panel").press(".filters button")
    bidder.follow("main a[href='/account/inbox']")
    if bidder.page.locator("form[action='/account/inbox/acts/read']").count():
        bidder.press("form[action='/account/inbox/acts/read'] button")
    assert not bidder.page.locator(".letters .is-unread").count() and not bidder.page.locator(".bell__n").count()


def test_what_was_typed_outlives_the_sign_in(walk: Walk) -> None:
    buyer = walk.person("buyer").go("/agency/projects/new").fill(name="春晓小学智慧教室设备采购")
    buyer.context.clear_cookies(name="__Host-bidhall")
    buyer.press("form[action='/agency/acts/draft-project'] .btn--go")
    buyer.fill(username="buyer", password="sunny-hall-2026").press("form[action='/account/acts/sign-in'] button")
    assert buyer.page.locator("[name=name]").input_value() == "春晓小学智慧教室设备采购"
    assert buyer.page.locator("main [role=status]").count()
