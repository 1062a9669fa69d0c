"""The examples of nginx and Caddy, started before a real server: signing in, uploading and handing in a bid go through TLS."""

from __future__ import annotations

import base64
import http.client
import http.cookies
import json
import re
import secrets
import socket
import ssl
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.kit import proxies, sealing, stages
from tests.kit.real_server import Answer, House, Server, hatchery, house_of
from tests.kit.server import PASSWORD
from tests.kit.world import World

TUS = {"Tus-Resumable": "1.0.0"}


@dataclass
class Visitor:
    """A browser at the proxy, by its public name."""

    port: int
    context: ssl.SSLContext
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        line = http.client.HTTPSConnection(proxies.HOST, self.port, context=self.context, timeout=60)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        line.sock = self.context.wrap_socket(plain, server_hostname=proxies.HOST)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            origin = {"Referer": f"https://{proxies.HOST}/", "Cookie": cookie, "Host": proxies.HOST}
            line.request(method, path, body, origin | named)
            answer = line.getresponse()
            for told in answer.headers.get_all("Set-Cookie") or []:
                self.cookies |= {one.key: one.value for one in http.cookies.SimpleCookie(told).values()}
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            line.close()

    def post(self, path: str, page: str, **fields: str) -> Answer:
        """The form of a page, filled in and sent."""
        shown = self.ask("GET", page).text
        (token,) = set(re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', shown))
        form = {"csrf_token": token, "form_id": secrets.token_urlsafe(16), **fields}
        return self.ask(
            "POST",
            path,
            urllib.parse.urlencode(form).encode(),
            Content_Type="application/x-www-form-urlencoded",
            Accept="application/json" if "submission" in fields else "text/html",
        )


@pytest.fixture(params=["nginx", "caddy"])
def stood(
    request: pytest.FixtureRequest, engine: Engine, tmp_path: Path
) -> Iterator[tuple[House, str, Server, Visitor]]:
    if engine.dialect.name != "sqlite":
        pytest.skip("a proxy does not know the database")
    world = World(engine, tmp_path / "data" / "blobs")
    ref = stages.bidding(world)
    sealing.open_for_bids(world, ref)
    house = house_of(world, tmp_path / "data", clock=tmp_path / "clock")
    house.settings = {**proxies.SETTINGS, **proxies.ARRIVAL[request.param]}
    with hatchery() as nest:
        server = nest.serve(house)
        with proxies.standing(request.param, tmp_path / "proxy", server.port) as (port, context):
            yield house, ref, server, Visitor(port, context)


@pytest.mark.long
def test_a_bidder_signs_in_uploads_and_hands_in_through_tls(stood: tuple[House, str, Server, Visitor]) -> None:
    house, ref, _server, visitor = stood
    page = visitor.ask("GET", "/notices")
    assert page.status == 200 and "strict-transport-security" in page.headers
    entered = visitor.post("/account/acts/sign-in", "/account/sign-in", username="bidder1", password=PASSWORD, code="")
    assert entered.status == 303 and entered.headers["location"].startswith("/"), entered.text[:500]
    assert visitor.post("/account/acts/role", "/account", role=sealing.SIGNER.value).status == 303
    sealed, submission = sealing.seal(house.world, ref, "bidder1", data=b"offer " * 400_000)
    assert len(sealed) > 2 << 20
    meta = f"lot {base64.b64encode(ref.encode()).decode()}"
    begun = visitor.ask("POST", "/uploads/acts", b"", **TUS, Upload_Length=str(len(sealed)), Upload_Metadata=meta)
    assert begun.status == 201, begun.text
    token = begun.headers["location"].rpartition("/")[2]
    media = "application/offset+octet-stream"
    sent = visitor.ask("PATCH", f"/uploads/acts/{token}", sealed, **TUS, Upload_Offset="0", Content_Type=media)
    assert (sent.status, sent.headers["upload-offset"]) == (204, str(len(sealed)))
    told = handed_in(visitor, ref, token, submission)
    assert told.status == 200 and told.json["accepted"], told.text[:500]
    assert visitor.ask("GET", f"/bidder/receipts/{told.json['c']}").status == 200


def handed_in(visitor: Visitor, ref: str, token: str, submission: Any) -> Answer:
    page = f"/bidder/lots/{ref}"
    return visitor.post(f"{page}/acts/submit", page, upload=token, submission=json.dumps(submission))


@pytest.mark.long
def test_it_keeps_what_is_for_this_machine_believes_no_stranger_and_writes_nobody_down(
    stood: tuple[House, str, Server, Visitor], tmp_path: Path
) -> None:
    _house, _ref, server, visitor = stood
    assert visitor.ask("GET", "/metrics").status == 404
    strange = visitor.ask("GET", "/notices", Host="elsewhere.example")
    assert strange.status == 400 or strange.data == b""  # Caddy says nothing for a name that is not its own
    answer = visitor.ask("GET", "/notices", X_Forwarded_Host="elsewhere.example", X_Arrived_At="1.0")
    assert answer.status == 200 and "elsewhere" not in answer.text
    access = tmp_path / "proxy" / "access.log"
    assert not access.exists() or access.read_text() == ""
    assert server.alive()
    visitor.context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", visitor.port), timeout=20) as plain:
        with visitor.context.wrap_socket(plain, server_hostname=proxies.HOST) as line:
            assert line.selected_alpn_protocol() == "h2" and line.version() in ("TLSv1.2", "TLSv1.3")
