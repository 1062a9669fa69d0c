"""What the town leaves in its data folder for whoever plays on: a key file for everybody who signs, the sheet file of every seat that has
committed, and ``town.json``, which says who is there and which tender stands where.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import keyfiles
from crypto.canonical import D, H, b64u
from crypto.documents import sign_document
from crypto.draws import score_commit
from trading.kernel.clock import write_moment
from web.rehearsal.cast import PASSWORD, Cast, Person, signers
from web.rehearsal.evaluation import Member
from web.rehearsal.town.play import Town

CHEAP = (1024, 1)
"""KiB and passes for the key files of a town: their passphrase is on the card that is handed to everybody."""


def write_keys(folder: Path, people: Cast) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for person in signers(people):
        ring = keyfiles.make_keyring(_holder(person), _role(person), _secrets(person), PASSWORD, cost=CHEAP)
        (folder / f"{person.username}.json").write_text(json.dumps(ring, ensure_ascii=False), encoding="utf-8")


def _role(person: Person) -> str:
    if person.username.startswith(("officer", "bidder", "controller")):
        return person.username.rstrip("0123456789")
    return "expert" if person.username.startswith("expert") else "tenderee"


def _holder(person: Person) -> str:
    return person.code if _role(person) in ("bidder", "tenderee") else person.username


def _secrets(person: Person) -> dict[str, bytes]:
    more = {"officer": {"root": person.keys.root}, "bidder": {"x25519": person.keys.seal}}
    return {"ed25519": person.keys.sign, **more.get(_role(person), {})}


def sheet_name(ref: str, member: Member) -> str:
    """As the page of scoring names it (expert_vault.js)."""
    return f"sheet-{ref}-{member.round}-{member.person.username}.json"


def write_sheets(folder: Path, ref: str, tender: str, lot: str, panel: list[Member]) -> dict[str, str]:
    """The file that the page would have kept for every seat that has committed; username → file name."""
    found = {}
    for member in panel:
        if member.salt:
            found[member.person.username] = name = sheet_name(ref, member)
            text = json.dumps(sheet_file(member, f"{tender}/{lot}"), ensure_ascii=False)
            (folder / name).write_text(text, encoding="utf-8")
    return found


def sheet_file(member: Member, room: str) -> dict[str, Any]:
    """A kept sheet as ``static/js/expert_vault.js`` writes it: signed sheet and salt under a key that only the member's key file yields."""
    key = member.person.keys.sign
    kept = {
        "sheet": sign_document("sheet", member.sheet, key),
        "salt": b64u(member.salt),
        "commit": b64u(score_commit(member.salt, member.sheet)),
    }
    raw, iv = D(key, H("sheet-keep", room.encode()), "sheet-keep"), os.urandom(12)
    place = f"bidhall-sheet:{member.sheet['expert']}:{room}:{member.round}"
    box = AESGCM(raw).encrypt(iv, json.dumps(kept, ensure_ascii=False).encode(), place.encode())
    return {"type": "bidhall-sheet", "v": 1, "room": room, "round": member.round, "box": b64u(iv + box)}


def facts(town: Town, sheets: dict[str, str]) -> dict[str, Any]:
    """The document of ``town.json``:

    ``made_at``; ``password`` of everybody and passphrase of every key file; ``keys`` the folder of key and sheet files, inside the data
    folder; ``people`` username → name, org, roles, key (its file, or ""); ``lots`` key → ref, title, regime, stage, project, buyer (a
    username), bidders (usernames); ``stages`` stage → refs; ``sheets`` username → sheet file of the panel that still scores; ``open_seats``
    the usernames of its seats that have not committed.
    """
    lots = {
        key: {
            "ref": one.plan.ref,
            "title": one.plan.name,
            "regime": one.plan.regime,
            "stage": one.stage,
            "project": one.plan.project,
            "buyer": one.plan.buyer,
            "bidders": [f"bidder{n}" for n in one.bidders],
        }
        for key, one in town.parts.items()
    }
    stages: dict[str, list[str]] = {}
    for one in lots.values():
        stages.setdefault(str(one["stage"]), []).append(str(one["ref"]))
    signing = {person.username for person in signers(town.people)}
    return {
        "v": 2,
        "made_at": write_moment(town.now),
        "password": PASSWORD,
        "keys": "keys",
        "people": {
            name: {
                "name": p.name,
                "org": p.name_of_org,
                "roles": [str(role) for role in p.roles],
                "key": f"{name}.json" if name in signing else "",
            }
            for name, p in town.people.items()
        },
        "lots": lots,
        "stages": stages,
        "sheets": sheets,
        "open_seats": [member.person.username for member in town.panel if not member.salt],
    }
