"""A controller approves by a page, with a key of their own."""

from __future__ import annotations

import json
from typing import Any

from crypto.canonical import format_time
from crypto.documents import sign_document
from tests.deposits.money_room import MoneyRoom
from tests.web.desks.purchasing import send
from tests.web.desks.rooms import Person


def sign(
    room: MoneyRoom, controller: Person, page: str, act: str = "approve", by: str = "controller", **changes: Any
) -> Any:
    """What a page gives to sign, signed as the controller's browser does and handed in."""
    told = controller.get(page + "/approval.json").get_json()["document"]
    told |= {"at": format_time(room.world.now.replace(microsecond=0))} | changes
    signed = json.dumps(sign_document("approval", told, room.world.keys[by].sign))
    return send(controller, page + "/approve" if act == "approve" else page, act, approval=signed)
