"""The address of live updates; what a topic is and who may watch it stands with its desk."""

from __future__ import annotations

from flask import Response

from web.desks.hall import marks, session
from web.http import live as streams
from web.http.gate import Desk, actor, office, request
from web.http.page_rules import ANYONE

desk = Desk("live", prefix="/live")

streams.TOPICS["hall"] = marks.mark
streams.TOPICS["hall-session"] = session.session_mark


@desk.page("/<path:topic>", needs=ANYONE)
def live(topic: str) -> Response:
    last = request.headers.get("Last-Event-ID", "") or request.args.get("after", "")
    return streams.stream(office(), actor(), topic, last=last[:200])
