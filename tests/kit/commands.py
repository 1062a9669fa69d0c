"""Run `bidhall` in this process: exit code, stdout, stderr; the clock is the world's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from crypto import keyfiles
from crypto.canonical import b64u
from crypto.keys import ed25519_public
from tests.kit import sealing
from tests.kit.world import World
from trading.bidding import tickets
from trading.hall import package as opening_package
from trading.kernel.clock import write_moment
from web.cli.main import main

PASSPHRASE = "a lantern over nine bridges"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Desk:
    """A folder of one person's files and the command line over it. ``world`` gives the clock; None runs on the machine's."""

    folder: Path
    world: World | None = None

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def write(self, name: str, value: Any) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
        (self.folder / name).write_bytes(data)
        return self.path(name)

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_bytes())

    def run(self, *arguments: str, stdin: bytes | None = None) -> Ran:
        env = {"BIDHALL_LANG": "en", "BIDHALL_TEST_CLOCK": write_moment(self.world.now) if self.world else None}
        found = CliRunner().invoke(main, list(arguments), env=env, input=stdin)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Ran(found.exit_code, found.stdout, found.stderr)

    @property
    def passphrase(self) -> str:
        return self.write("passphrase", PASSPHRASE.encode() + b"\n")


_RINGS: dict[tuple[str, bytes], bytes] = {}


def key_file(desk: Desk, world: World, username: str, role: str, name: str = "keys.json") -> str:
    """The key file of somebody whose keys the world has enrolled. Wrapping takes a second, so each is wrapped once a process."""
    held = world.keys[username]
    party = sealing.code_of(world, username) if role == "bidder" else username
    secrets = {"ed25519": held.sign, **({"x25519": held.seal} if role == "bidder" else {"root": held.root})}
    known = (party, held.sign)
    if known not in _RINGS:
        _RINGS[known] = json.dumps(keyfiles.make_keyring(party, role, secrets, PASSPHRASE)).encode()
    return desk.write(name, _RINGS[known])


def ticket(world: World, ref: str) -> dict[str, Any]:
    with world.view("clock") as view:
        return dict(tickets.ticket(view, world.lot_in(view, ref)))


def package(world: World, ref: str, username: str = "officer1") -> dict[str, Any]:
    with world.view(username) as view:
        return dict(json.loads(json.dumps(opening_package.package(view, world.lot_in(view, ref)))))


def other_trust(trust: dict[str, Any]) -> dict[str, Any]:
    """Trusted keys of another platform with the same log."""
    return {**trust, "platform_keys": [b64u(ed25519_public(bytes(range(32))))]}
