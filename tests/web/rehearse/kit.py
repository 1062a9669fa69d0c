"""A real site that `bidhall init` has made, with people whose every secret is a canary, and the rehearsal made of it."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluation.panels import experts
from tests.kit.commands import Ran
from tests.kit.world import credit_code
from trading.kernel.access import Actor, Role
from trading.parties import parties
from web import wiring
from web.cli.main import main
from web.settings import read_settings

ANSWERS = """
url = "https://bid.chunxiao.gov.cn"
place = "春晓市公共资源交易"
hotline = "0315-7770001"

[centre]
name = "春晓市公共资源交易中心"
code = "{code}"
region = "130205"

[administrators]
system = {{ username = "liu", name = "刘系" }}
security = {{ username = "wu", name = "武安" }}
second = {{ username = "sun", name = "孙二" }}
audit = {{ username = "shen", name = "沈审" }}
"""
NAME = "bid.chunxiao.gov.cn"
MAIL, ACCOUNT, TOTP, PASSWORD = (
    "canary@secret.example",
    "6217001234567890123",
    "JBSWY3DPEHPK3PXP",
    "canary-of-a-password",
)
SETUP = Actor(Role.SECURITY_ADMIN, name="setup")


def run(*words: str, **env: str) -> Ran:
    found = CliRunner().invoke(main, list(words), env={"BIDHALL_LANG": "en", **env})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Ran(found.exit_code, found.stdout, found.stderr)


@dataclass(frozen=True)
class Site:
    """``data``: the real site's folder; ``play``: where a rehearsal of it goes."""

    data: Path
    play: Path

    def rehearse(self, *words: str) -> Ran:
        return run("rehearse", str(self.play), *words)


def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, played: bool = False) -> Site:
    """The site, its settings in force; ``played``: with its rehearsal. Made once a process, and copied."""
    for name in [one for one in os.environ if one.startswith("BIDHALL_") and not one.startswith("BIDHALL_TEST")]:
        monkeypatch.delenv(name)
    for one in ("data", "play", "site.toml") if played else ("data", "site.toml"):
        there = once(tmp_path.parent, played=played) / one
        shutil.copytree(there, tmp_path / one) if there.is_dir() else shutil.copy(there, tmp_path / one)
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    return Site(tmp_path / "data", tmp_path / "play")


@cache
def once(base: Path, *, played: bool) -> Path:
    """A folder of this worker, below that of its tests, which nobody changes any more."""
    here = base / f"site-{'played' if played else 'real'}"
    here.mkdir()
    if played:
        shutil.copytree(once(base, played=False), here, dirs_exist_ok=True)
        told = run("rehearse", str(here / "play"), BIDHALL_DATA=str(here / "data"))
    else:
        (here / "site.toml").write_text(ANSWERS.format(code=credit_code(90)), encoding="utf-8")
        told = run("init", "--answers", str(here / "site.toml"), BIDHALL_DATA=str(here / "data"))
    assert told.code == 0, told.err
    if not played:
        _fill(here / "data")
    return here


def _fill(data: Path) -> None:
    """A purchaser with somebody who buys, a bidder with an account at a bank, an expert with a relative, one who has left."""
    office = wiring.open_signing_office(read_settings({"BIDHALL_DATA": str(data)}))
    with office.work(SETUP) as work:
        buyer = parties.register(work, code=credit_code(91), name="春晓市教育局", kind="purchaser", region="130205")
        firm = parties.register(
            work, code=credit_code(92), name="真实投标有限公司", kind="bidder", bank_account=ACCOUNT, bank_name="某银行"
        )
        unit = parties.register(work, code="E-1", name="陆景行", kind="expert", region="130205")
        for username, org, roles in (
            ("li", buyer, [Role.PURCHASER]),
            ("gone", buyer, [Role.PURCHASER]),
            ("firm", firm, [Role.BIDDER_SIGNER]),
            ("lu", unit, [Role.EXPERT]),
        ):
            who = parties.invite(work, org, username=username, name=username, password=PASSWORD, roles=roles)
            who.totp_secret = TOTP
            who.mail = MAIL
            if username == "gone":
                parties.disable(work, who)
    with office.work(Actor(Role.CENTRE, name="setup")) as work:
        expert = parties.find_account(work.session, "lu")
        assert expert is not None
        tie = {
            "code": credit_code(93),
            "name": "亲属单位",
            "kind": "relative",
            "since": date(2026, 1, 1),
            "until": None,
        }
        experts.register(work, expert, code="E007", unit="春晓大学", specialties=["A0305"], region="130205", ties=[tie])
    office.engine.dispose()


def card_of(play: Path) -> dict[str, str]:
    """Username → password, as the card says."""
    return dict(
        re.findall(r"(?m)^ {6}(\S+) {4}([A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4})$", (play / "card.txt").read_text("utf-8"))
    )
