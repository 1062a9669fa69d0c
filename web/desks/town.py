"""The card of a rehearsal's town: who plays which role, what to try first, and the key files for it.

There is one only in a data folder made for rehearsal that ``bidhall serve --demo`` has filled; elsewhere these addresses are no pages.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, send_file

from trading.kernel.errors import NotFound
from web import words
from web.desks.public.words import lang
from web.http.gate import Desk, render, saved_as
from web.http.page_rules import ANYONE
from web.rehearsal.town import card as town_card
from web.rehearsal.town import filling

desk = Desk("town")


def _facts() -> dict[str, Any]:
    house = current_app.extensions["bidhall"]
    found = filling.facts(house.settings.data) if house.town else {}
    if not found:
        raise NotFound("page.not_found")
    return found


@desk.page("/town", needs=ANYONE)
def card() -> str:
    """For each role one line: who to sign in as, what to try first, where, with which files."""
    found, speech = _facts(), lang()
    people = found["people"]
    rows = [
        {
            "people": [(name, people[name]["name"], people[name]["org"]) for name in one.who],
            "role": words.state("role", people[one.who[0]]["roles"][0], speech).text if one.who else "",
            "text": one.zh if speech == "zh" else one.en,
            "path": one.path,
            "files": one.files,
        }
        for one in town_card.tries(found)
    ]
    others = [
        (name, one["name"], one["org"], [words.state("role", role, speech).text for role in one["roles"]], one["key"])
        for name, one in people.items()
    ]
    return render("public/town.html", rows=rows, others=others, password=found["password"])


@desk.page("/town/keys/<name>", needs=ANYONE)
def key_file(name: str) -> Response:
    """A key file or a sheet file of the town: its passphrase stands on the card."""
    found = _facts()
    known = {one["key"] for one in found["people"].values()} | set(found["sheets"].values())
    if not name or name not in known:
        raise NotFound("page.not_found")
    path = current_app.extensions["bidhall"].settings.data / found["keys"] / name
    return saved_as(send_file(path, mimetype="application/json", max_age=0), name)
