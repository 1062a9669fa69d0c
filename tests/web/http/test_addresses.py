"""Odd ids and arguments in an address: every page of the map answers them with a refusal, whoever asks, never as a defect of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask import Request as FlaskRequest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import Map, Rule

from tests.kit import stages
from tests.kit.world import SETUP, World, password_hash
from tests.web.conftest import House
from tests.web.desks.rooms import PASSWORD, open_rooms
from trading.kernel.access import FITS, Role
from trading.parties import parties
from web.http.addresses import MOST_ID, Addresses
from web.http.page_rules import PAGES, Anyone

PEOPLE = [role for role in Role if role not in (Role.PUBLIC, Role.CLOCK)]
ODD_IDS = (
    "99999999999999999999",
    "9223372036854775808",
    "2147483648",
    "-1",
    "0",
    "１２",
    "9" * 5_000,
    "a%00b",
    "1%0D%0A",
    "%ED%A0%80",
    "%FF%FE",
    "%E2%80%AE1",
    "%F0%9F%92%A9",
    "..%2F..%2Fetc%2Fpasswd",
    "x" * 10_000,
)
ODD_ARGUMENTS = (
    "",
    "9" * 30,
    "9" * 5_000,
    "-1",
    "１２",
    "0000-00-00",
    "9999-12-31",
    "0001-01-01",
    "a\0b",
    "\ud800",
    "‮",
    "'%_\\",
    "[]",
    "x" * 10_000,
)
SAYS_NO = {"check.files"}
"""Of any text it says that no list has it."""
REFUSED = {302, 303, 400, 403, 404, 410}
MET = {200, 301, 302, 303, 400, 401, 403, 404, 405, 406, 409, 410, 411, 412, 413, 415, 416, 422, 429}
"""What a page may answer to an argument."""


def filled(rule: Rule, known: dict[str, str], otherwise: str) -> str:
    """The address of a rule with these arguments, and one value for all others."""
    parts = [known.get(data, otherwise) if is_dynamic else data for is_dynamic, data in rule._trace]
    return "".join(parts).replace("|", "")


def with_ids(app: Flask) -> list[Rule]:
    return sorted((rule for rule in app.url_map.iter_rules() if rule.arguments), key=lambda rule: rule.rule)


def spoken(rule: Rule) -> str:
    return sorted(rule.methods or {"GET"}, key=("GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS").index)[0]


def asked(client: FlaskClient, rule: Rule, value: str) -> int:
    answer = client.open(filled(rule, {}, value), method=spoken(rule), data={})
    answer.close()
    return answer.status_code


def told(rule: Rule, value: str, status: int) -> str:
    return f"{spoken(rule)} {rule.rule} with {value[:30]!r}: {status}"


def test_the_map_knows_every_route_with_an_id(house: House) -> None:
    """The ids of all routes are read by the same converters, the ones of this house."""
    assert isinstance(house.app.url_map, Addresses) and len(with_ids(house.app)) > 250
    ours = set(Addresses.default_converters.values()) - set(Map.default_converters.values())
    for rule in with_ids(house.app):
        kinds = {type(one) for one in rule._converters.values()}
        assert kinds <= ours, rule


def test_the_bounds_of_ids(house: House) -> None:
    at = house.app.url_map.bind("h")
    assert at.match(f"/notices/{MOST_ID}")[1] == {"number": MOST_ID}
    assert at.match("/lots/KP-2026-7F3A2C-1")[1] == {"ref": "KP-2026-7F3A2C-1"}
    for path in (f"/notices/{MOST_ID + 1}", "/notices/１２", "/lots/" + "x" * 10_000, "/lots/a\0b", "/lots/\ud800"):
        assert not at.test(path), path[:40]


@pytest.mark.parametrize("role", [None, *(pytest.param(role, marks=pytest.mark.long) for role in PEOPLE)])
def test_no_id_is_a_defect_for_anybody(house: House, role: Role | None) -> None:
    house.app.config["WTF_CSRF_ENABLED"] = False  # so that what is posted comes as far as its id
    client = house.client()
    if role is not None:
        house.person("p", role)
        assert house.sign_in(client, "p").status_code == 303
    bad = []
    for at, rule in enumerate(with_ids(house.app)):
        page = PAGES.get(rule.endpoint)
        inside = role is None or page is None or page.open_to(role)
        values = ODD_IDS if inside else ODD_IDS[at % len(ODD_IDS) :][:1]
        for value in values:
            status = asked(client, rule, value)
            wanted = REFUSED if spoken(rule) == "GET" else {*REFUSED, 401, 405, 409, 411, 412, 413, 415, 422, 429}
            if status not in wanted and not (status == 200 and rule.endpoint in SAYS_NO):
                bad.append(told(rule, value, status))
    assert not bad, "\n".join(bad)


# --- arguments --------------------------------------------------------------------------------------------------------------------


class Heard(ImmutableMultiDict[str, str]):
    """The arguments of a request, which remember what they were asked for: what a page reads is what it declares."""

    names: ClassVar[set[str]] = set()

    def get(self, key: Any, *more: Any, **named: Any) -> Any:
        Heard.names.add(key)
        return super().get(key, *more, **named)

    def __getitem__(self, key: Any) -> Any:
        Heard.names.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: Any) -> bool:
        Heard.names.add(key)
        return super().__contains__(key)

    def getlist(self, key: Any, *more: Any, **named: Any) -> Any:
        Heard.names.add(key)
        return super().getlist(key, *more, **named)


class HeardRequest(FlaskRequest):
    parameter_storage_class = Heard


EVERYWHERE = {"lang", "theme", "kept", "v"}
"""Read on every page: tried on one."""
STAFF = {
    Role.CASHIER: "cashier",
    Role.CONTROLLER: "controller",
    Role.SYSTEM_ADMIN: "system",
    Role.SECURITY_ADMIN: "security",
    Role.AUDIT_ADMIN: "audit",
    Role.EXPERT: "member",
    Role.CHAIR: "chair",
    Role.WITNESS: "witness",
    Role.BIDDER_ADMIN: "registrar",
}
KNOWN = {
    Role.PURCHASER: "buyer",
    Role.AGENCY: "agent",
    Role.HOST: "host",
    Role.CENTRE: "clerk",
    Role.OFFICER: "officer1",
    Role.SUPERVISOR: "watch",
    Role.BIDDER_SIGNER: "bidder1",
    Role.BIDDER_OPERATOR: "bidder1",
}
"""Who of a world holds a role already."""


def people(world: World) -> dict[Role, str]:
    """A username for each role that there is a person for; the missing ones are invited."""
    kinds = {"centre": "centre", "purchaser": "purchaser", "bidder1": "bidder"}
    with world.office.work(SETUP) as work:
        for role, username in STAFF.items():
            short = next(short for short, kind in kinds.items() if kind in FITS[role])
            party = parties.party(work.session, world.party_ids[short])
            parties.invite(
                work, party, username=username, name=username, password=PASSWORD, roles=[role], hashed=password_hash()
            )
    return {**KNOWN, **STAFF}


def shown(client: FlaskClient, path: str, **arguments: str) -> int:
    query = urlencode({name: value.encode("utf-8", "surrogatepass") for name, value in arguments.items()})
    answer = client.get(path + (f"?{query}" if query else ""))
    answer.close()
    return answer.status_code


def reads(client: FlaskClient, path: str) -> set[str]:
    """The arguments a page asks for: as it is, and once more with all of those given, since one may be read for another."""
    found: set[str] = set()
    for _ in range(2):
        Heard.names = set()
        shown(client, path, **dict.fromkeys(found, "1"))
        found |= Heard.names - EVERYWHERE
    return found


@pytest.mark.long
def test_no_argument_is_a_defect(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path)
    refs = (stages.proposed(world),)
    rooms, named = open_rooms(world, tmp_path), people(world)
    rooms.app.request_class = HeardRequest
    signed_in = {role: rooms.person(username, role.value).client for role, username in named.items()}
    anybody, declared, bad = rooms.app.test_client(), set[str](), []
    for rule in sorted(rooms.app.url_map.iter_rules(), key=lambda rule: rule.rule):
        page = PAGES.get(rule.endpoint)
        if page is None or page.method != "GET":
            continue
        client = next((one for role, one in signed_in.items() if page.open_to(role)), None)
        if isinstance(page.needs, Anyone):
            client = anybody
        assert client is not None, f"nobody looks at {rule.rule}"
        for path in dict.fromkeys(filled(rule, {"ref": ref, "tender": ref.rpartition("-")[0]}, "1") for ref in refs):
            names = reads(client, path)
            declared |= names
            for name in sorted(names):
                for value in ODD_ARGUMENTS:
                    status = shown(client, path, **{name: value})
                    if status not in MET:
                        bad.append(f"{path} with {name}={value[:30]!r}: {status}")
    assert not bad, "\n".join(bad)
    assert {"page", "rows", "from", "to", "sort", "format", "words", "year", "day", "number", "show"} <= declared


@pytest.mark.parametrize("name", sorted(EVERYWHERE))
@pytest.mark.parametrize("path", ["/", "/notices", "/static/css/base.css"])
def test_arguments_of_every_page(client: FlaskClient, path: str, name: str) -> None:
    for value in ODD_ARGUMENTS:
        assert shown(client, path, **{name: value}) in MET


def test_what_no_address_holds_is_a_bad_request_in_words(client: FlaskClient) -> None:
    for query in ("words=a%00b", "wor%00ds=a", "words=" + "x" * 10_000, "words=%1B%5B2J"):
        answer = client.get("/notices?" + query, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.get_json()["code"]) == (400, "page.bad_request"), query[:20]
    assert client.get("/notices?words=%E5%AD%A6%0A%E6%A0%A1").status_code == 200
    assert client.get("/static/css/%00.css").status_code == 404
