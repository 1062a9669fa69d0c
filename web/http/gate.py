"""The only way to add a page: every page names the act it needs.

    bidder = Desk("bidder", prefix="/bidder")

    @bidder.page("/lots/<ref>/ask", needs=Act.ENQUIRY_ASK)
    def ask(ref: str, form: Form | None = None) -> str:
        with reading() as view: card = …
        return render("bidder/ask.html", card=card, form=form or Form.blank())

    @bidder.act("/lots/<ref>/acts/ask", needs=Act.ENQUIRY_ASK, back=ask)
    def do_ask(unit: UnitOfWork, form: Form, ref: str) -> str:
        text = form.text("text", limit=2000, lines=True)
        form.refuse_if_any()
        enquiries.ask(unit, tenders.lot(unit.session, ref), text=text)
        return url("bidder.asked", ref=ref)

What is posted is an ``act``: the gate reads the form, opens the unit of work, claims the form's id and goes on to the address returned; the
same form sent again leads to that same address. So an act holds the writer's turn from its first line: nothing slow belongs in it, nor
another unit, nor whatever writes by itself (the rate limits, the sign-in). A route that needs such a thing, or is no form at all, is a
``page`` with ``post`` and the reason, and does by hand what of this it needs:

    @agency.page("/lots/<ref>/acts/amend", needs=Act.NOTICE_PUBLISH, post=ByHand.BYTES, back=documents_page)
    def do_amend(ref: str) -> Any:
        form = Form.read()
        name, blob = stored(form, "file")
        with work() as unit:
            unit.once(form.form_id, where := f"/agency/lots/{ref}/documents")
            …
        return go(where)

``back``: the page shown again, with what was typed and the faults, when the act refuses the input. This is the first lock (role); tie and
step are checked by the act itself. A page open to all says ``needs=ANYONE``, one for whoever is signed in ``needs=Act.ACCOUNT_OWN``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Concatenate
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from flask import (
    Blueprint,
    Response,
    current_app,
    g,
    has_app_context,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from trading.kernel.access import WEIGHTY, Act, Actor, Role, may
from trading.kernel.clock import Span
from trading.kernel.errors import (
    AlreadyDone,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    Refusal,
    SignInNeeded,
    TooEarly,
    WrongStep,
)
from trading.kernel.work import Office, UnitOfWork, View
from trading.parties import inbox
from web.http import arrivals, kept, login
from web.http.forms import Form
from web.http.layout import Group, Rail
from web.http.page_rules import PAGES, Anyone, ByHand, Needs, PageRule, acts_of
from web.http.refusals import status_of, wants_json
from web.papers import mark

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
# Where each role's work begins.
HOMES: dict[Role, str] = {
    Role.PUBLIC: "/",
    Role.BIDDER_OPERATOR: "/bidder",
    Role.BIDDER_SIGNER: "/bidder",
    Role.BIDDER_ADMIN: "/bidder",
    Role.PURCHASER: "/agency",
    Role.AGENCY: "/agency",
    Role.HOST: "/hall/desk",
    Role.CENTRE: "/centre",
    Role.OFFICER: "/hall/desk",
    Role.EXPERT: "/expert",
    Role.CHAIR: "/expert",
    Role.WITNESS: "/expert",
    Role.SUPERVISOR: "/supervisor",
    Role.CASHIER: "/cashier",
    Role.CONTROLLER: "/cashier",
    Role.SYSTEM_ADMIN: "/admin",
    Role.SECURITY_ADMIN: "/admin",
    Role.AUDIT_ADMIN: "/admin",
    Role.CLOCK: "/",
}


class Desk:
    """One desk: its pages, its rail. Modules below ``web/desks`` with a Desk named ``desk`` are found by the app by themselves."""

    def __init__(self, name: str, *, prefix: str = "") -> None:
        self.name = name
        self.prefix = prefix
        self.blueprint = Blueprint(name, "web.desks." + name, url_prefix=prefix or None)
        self._rail: Rail | None = None

    def page(
        self,
        path: str,
        *,
        needs: Needs | Iterable[Act],
        post: ByHand | None = None,
        fresh: bool = False,
        back: Callable[..., Any] | None = None,
        endpoint: str = "",
        methods: tuple[str, ...] = (),
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Adds a page. ``needs``: an act, several (one of them suffices), or ANYONE. ``fresh``: also a page that only shows wants a
        fresh sign-in (the read-back of a weighty act, so that nothing typed is lost to it); posting a weighty act always does.
        ``post``: it is posted, and why it is no ``act``. ``methods``: for a door that speaks another protocol than forms (resumable
        uploads), the first one stands in the matrix."""
        spoken = methods or ("POST" if post else "GET",)
        by_hand = ByHand.PROTOCOL if methods else post

        def add(view: Callable[..., Any]) -> Callable[..., Any]:
            return self._put(
                view, view, path, needs, spoken, fresh=fresh, back=back, endpoint=endpoint, by_hand=by_hand
            )

        return add

    def act(
        self,
        path: str,
        *,
        needs: Needs | Iterable[Act],
        fresh: bool = False,
        back: Callable[..., Any] | None = None,
        endpoint: str = "",
    ) -> Callable[[Callable[Concatenate[UnitOfWork, Form, ...], str]], Callable[..., Any]]:
        """Adds what is done when a form is sent: a function that gets the unit of work, the form and the arguments of the address, and
        returns the address of the page to look at next. The rest is as for ``page``."""

        def add(do: Callable[Concatenate[UnitOfWork, Form, ...], str]) -> Callable[..., Any]:
            @wraps(do)
            def done(**arguments: Any) -> AnyResponse:
                form = Form.read()  # to its last byte, before the unit asks what time it is
                with work() as unit:
                    use = unit.once(form.form_id)
                    use.where = where = do(unit, form, **arguments)
                return go(where)

            return self._put(do, done, path, needs, ("POST",), fresh=fresh, back=back, endpoint=endpoint, by_hand=None)

        return add

    def _put(
        self,
        view: Callable[..., Any],
        answered: Callable[..., Any],
        path: str,
        needs: Needs | Iterable[Act],
        spoken: tuple[str, ...],
        *,
        fresh: bool,
        back: Callable[..., Any] | None,
        endpoint: str,
        by_hand: ByHand | None,
    ) -> Callable[..., Any]:
        """Puts a route up behind the lock. ``view`` is the function as it is written, ``answered`` what is called for a request."""
        held: Needs = needs if isinstance(needs, (Anyone, Act)) else frozenset(needs)
        protocol = by_hand is ByHand.PROTOCOL
        sent = spoken == ("POST",) and not protocol
        weighty = fresh or (sent and bool(acts_of(held)) and acts_of(held) <= WEIGHTY)
        name = endpoint or str(view.__name__)
        rule = PageRule(
            f"{self.name}.{name}", self.prefix + path, spoken[0], held, weighty, getattr(back, "endpoint", ""), by_hand
        )
        if rule.endpoint in PAGES and PAGES[rule.endpoint] != rule:
            raise ValueError(f"the page {rule.endpoint} stands twice")
        if back is not None and (lacks := _lacks(back, rule.path)):
            raise ValueError(f"the page shown again for {rule.endpoint} does not take {sorted(lacks)}")
        PAGES[rule.endpoint] = rule

        @wraps(view)
        def guarded(**arguments: Any) -> Any:
            stopped = _stopped(rule, arguments)
            if stopped is not None:
                return stopped
            try:
                if rule.method == "GET" and kept.ARGUMENT in request.args:
                    form = kept.restored(rule.endpoint, arguments)
                    return answered(**arguments) if form is None else answered(**arguments, form=form)
                if back is not None:
                    # A page shown by what is posted stands under an address nobody can load: it knows its own.
                    g.page_address = kept.page_of(rule.back, arguments)
                answer = answered(**arguments)
                if rule.back:
                    kept.forget()
                return answer
            except (Invalid, Conflict, TooEarly, WrongStep) as refusal:
                if back is None or wants_json() or "form" not in g or not _shown_again(refusal):
                    raise
                return _again(back, arguments, refusal)

        self.blueprint.add_url_rule(
            path, name, guarded, methods=spoken, provide_automatic_options=False if protocol else None
        )
        guarded.view, guarded.endpoint = view, rule.endpoint  # type: ignore[attr-defined]
        return guarded

    def rail(self, make: Rail) -> Rail:
        """The function that gives this desk's rail; called once for a page of the desk."""
        self._rail = make
        return make

    def groups(self) -> list[Group]:
        """The rail; none where what it is about is not there or not for this person, which the page itself says."""
        try:
            return self._rail() if self._rail else []
        except (NotFound, NotAllowed):
            return []


def _lacks(back: Callable[..., Any], path: str) -> set[str]:
    """What an act would hand to the page shown again that this page does not take: the form, a part of the address."""
    takes = signature(getattr(back, "view", back)).parameters
    if any(one.kind is Parameter.VAR_KEYWORD for one in takes.values()):
        return set()
    return {"form", *_ARGUMENT.findall(path)} - set(takes)


def _stopped(rule: PageRule, arguments: dict[str, Any]) -> AnyResponse | None:
    """The lock. None, or the way to the sign-in; what was typed is kept meanwhile. Refuses: SignInNeeded, NotAllowed."""
    if isinstance(rule.needs, Anyone):
        return None
    who = actor()
    if who.role is Role.PUBLIC:
        g.nobody_signed_in = True
        if rule.method == "GET" and not wants_json():
            return redirect("/account/sign-in?" + urlencode({"next": _here()}))
        if not wants_json() and rule.method == "POST" and (held := kept.keep(rule.back, arguments)).kept:
            return redirect("/account/sign-in?" + urlencode({"next": safe_next(held.page), "ended": "yes"}), 303)
        raise SignInNeeded("access.sign_in", reason="sign-in")
    if (first := login.first_duty()) and rule.endpoint not in login.BEFORE_ANYTHING_ELSE[first]:
        if wants_json() and first == login.OWN_PASSWORD:
            raise NotAllowed("account.own_password_first")
        if wants_json():
            raise NotAllowed("account.second_factor_first")
        return redirect(first, 303)
    if not any(may(who, act) for act in acts_of(rule.needs)):
        raise NotAllowed("access.role", acts=sorted(acts_of(rule.needs)), role=who.role.value)
    if rule.fresh and (who.fresh_until is None or who.fresh_until < office().clock.now()):
        if wants_json():
            raise SignInNeeded("access.fresh", reason="fresh")
        where = _here() if rule.method == "GET" else kept.keep(rule.back, arguments).page
        return redirect("/account/confirm?" + urlencode({"next": where}), 303)
    return None


def _shown_again(refusal: Refusal) -> bool:
    """Wherever changing or sending again what was typed may help: nothing of it is lost then. What was done already leads to its result."""
    return isinstance(refusal, (Invalid, TooEarly, Conflict)) and not isinstance(refusal, AlreadyDone)


def _again(back: Callable[..., Any], arguments: dict[str, Any], refusal: Refusal) -> Response:
    """The page of the form once more: entries kept, faults beside their fields, the record's version as it is now kept by the page."""
    form: Form = g.form
    form.learn(refusal)
    response = make_response(getattr(back, "view", back)(**arguments, form=form))
    response.status_code = status_of(refusal)
    return response


def _here() -> str:
    return request.full_path.rstrip("?")


def page_shown() -> tuple[str, dict[str, str]]:
    """Path and arguments of the page that is shown; of a form shown again, those of the page it stands on."""
    if request.method in ("GET", "HEAD"):
        return request.path, dict(request.args.items())
    shown = urlsplit(str(g.get("page_address") or before()))
    return unquote(shown.path), dict(parse_qsl(shown.query))


def before() -> str:
    """The page of ours an act was sent from, with its arguments: whoever has to sign in meanwhile comes back to that very page."""
    base, seen = request.host_url.rstrip("/"), request.referrer or ""
    return seen.removeprefix(base).partition("#")[0] if seen.startswith(base + "/") else "/"


# --- what a page function uses -------------------------------------------------------------------------------------------------------


def office() -> Office:
    return current_app.extensions["bidhall"].office


def actor() -> Actor:
    return login.actor()


def frame_unread() -> int:
    """Messages in the inbox of whoever is signed in that are unread; asked once a request."""
    if "unread" not in g:
        with office().glance() as connection:
            g.unread = inbox.unread(connection, actor(), office().clock.now())
    return max(0, int(g.unread) - int(g.get("read_now", 0)))


def work(*, arrived_at: Span | None = None, together: bool = False) -> AbstractContextManager[UnitOfWork]:
    """A unit of work in the name of whoever is signed in. Its ``now`` is read when it opens, after the last byte of the form came in;
    where the moment itself decides (handing in, withdrawing) it is that of ``arrival``. ``together``: short, and one of many."""
    return office().work(actor(), arrived_at=arrived_at, together=together)


def arrival() -> Span:
    """When the last byte of this request arrived (promise R2). Ask once the form is read."""
    house = current_app.extensions["bidhall"]
    return arrivals.arrived_at(request.environ, office().clock, house.settings.arrival_header)


def reading() -> AbstractContextManager[View]:
    return office().view(actor())


def base_address() -> str:
    """Where this platform is reached, for papers and codes that lead back to it; without a slash at its end."""
    return (current_app.extensions["bidhall"].settings.base_url or request.host_url).rstrip("/")


def render(template: str, **values: Any) -> str:
    return render_template(template, **values)


def url(endpoint: str, **values: Any) -> str:
    return url_for(endpoint, **values)


def go(where: str) -> AnyResponse:
    """The answer of an act: look at the result."""
    return redirect(where, 303)


def saved_as(answer: Response, name: str) -> Response:
    """The same answer, to be saved under ``name`` and never shown: with a plain name, and the full one as RFC 8187 writes it, since a
    header holds ASCII only. What is saved from a rehearsal says so in its name, but for a bidder's own file."""
    if has_app_context():  # the files host has none
        name = mark.saved(name, office().platform)
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    full = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{plain}"{full}'
    return answer


def safe_next(address: str | None, otherwise: str = "/") -> str:
    """An address of ours to go on to, or ``otherwise``: never another host's."""
    if (
        not address
        or not address.startswith("/")
        or address.startswith(("//", "/\\"))
        or any(ord(c) < 33 for c in address)
    ):
        return otherwise
    return address
