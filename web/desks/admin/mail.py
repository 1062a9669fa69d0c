"""Mail, for the system administrator: where letters go, whether they leave, and a test letter with what the server answers. Neither
addresses nor contents, and no length of the queue."""

from __future__ import annotations

from flask import current_app
from flask_babel import gettext as _

from trading.kernel import ids
from trading.kernel.access import Act
from trading.parties import mail_queue
from web import wiring, words
from web.desks.admin.room import admin, zone
from web.http.forms import Form
from web.http.gate import actor, office, reading, render, request
from web.http.page_rules import ByHand
from web.http.rate_limits import TEST_LETTERS
from web.http.refusals import language
from web.mail import carry, compose
from web.mail.way import is_address
from web.workers.outbox_worker import Post

SHORT_SECONDS = 10
"""A page waits no longer for a server that says nothing."""


@admin.page("/mail", needs=Act.SYSTEM_ADMIN)
def mail(form: Form | None = None) -> str:
    return _shown(form or Form.blank())


def _shown(form: Form, said: tuple[str, str, str] | None = None) -> str:
    """``said``: of a test letter, how it went (ok, warn, stop), in our words, in the server's."""
    post = _post()
    with reading() as view:
        left = mail_queue.backlog(view.session, view.now)
    return render(
        "admin/mail.html",
        form=form,
        said=said,
        chosen=post.way.chosen,
        left=left,
        facts=[
            (_("Letters go to"), post.way.shown),
            (_("Sender"), post.way.sender or "–"),
            (_("Links in them lead to"), post.base or _("nowhere: BIDHALL_BASE_URL is not set")),
        ],
    )


@admin.page("/acts/test-mail", needs=Act.SYSTEM_ADMIN, post=ByHand.NO_UNIT, back=mail)
def do_test_mail() -> str:
    """Field: ``to``. Sent at once, in no queue; shows what the server answered."""
    form = Form.read()
    to = form.text("to", limit=254)
    if to and not is_address(to):
        form.fault("to", "account.mail_bad")
    form.refuse_if_any()
    current_app.extensions["bidhall"].rate_limits.hit(TEST_LETTERS, "test-mail", str(actor().account_id))
    return _shown(Form.blank({"to": to}), _tried(_post(), to))


def _post() -> Post:
    return wiring.open_post(current_app.extensions["bidhall"].settings, request.host_url.rstrip("/"))


def _tried(post: Post, to: str) -> tuple[str, str, str]:
    lang, way = language(), post.way.hurried(SHORT_SECONDS)
    facts = {"place": post.place, "at": office().clock.now()}
    letter = compose.envelope(
        to,
        way,
        subject=words.words("mail.test.subject", facts, lang),
        text=words.words("mail.test", facts, lang, zone()) + "\n",
        ref=ids.new_reference(),
        place=post.place,
        now=office().clock.now(),
    )
    try:
        with carry.opened(way) as line:
            answer = line.hand(letter, to)
    except carry.Unreachable as error:
        return "stop", words.words(error.why, {}, lang), _verbatim(error.code, error.text)
    taken = "mail.test_taken" if way.host else "mail.test_filed"
    code = {"taken": taken, "later": "mail.test_later", "never": "mail.test_never"}[answer.kind]
    level = {"taken": "ok", "later": "warn", "never": "stop"}[answer.kind]
    return level, words.words(code, {}, lang), _verbatim(answer.code, answer.text)


def _verbatim(code: int, text: str) -> str:
    return " ".join(filter(None, (str(code) if code else "", text)))
