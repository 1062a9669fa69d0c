"""Accounts by command: what two administrators decide is proposed by one and confirmed by the other, as on the pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.kit.world import credit_code
from web.cli.main import main

CENTRE = credit_code(90)
"""Of the centre: well-formed, and nobody's."""
OWN, NEW = "lantern-river-2026", "other-lantern-77-x"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A migrated platform with two security administrators and a cashier whom both have made one."""
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    for name, secret in (("own", OWN), ("new", NEW)):
        (tmp_path / name).write_text(secret + "\n", encoding="utf-8")
    assert run(tmp_path, "migrate").exit_code == 0
    first = run(
        tmp_path,
        "user add sec --name 武怀瑾 --kind centre --party-name 某中心 --role security-admin --password-file OWN --party",
        CENTRE,
    )
    assert first.exit_code == 0, first.output
    for name, role in (("sec2", "security-admin"), ("chen", "cashier")):
        made = run(
            tmp_path,
            f"user add {name} --name 某某 --role {role} --password-file NEW --as sec --passphrase-file OWN --party",
            CENTRE,
        )
        assert made.exit_code == 0, made.output
    return tmp_path


def run(folder: Path, words: str, *more: str) -> Result:
    files = {"OWN": str(folder / "own"), "NEW": str(folder / "new")}
    return CliRunner().invoke(main, [files.get(word, word) for word in words.split()] + list(more))


def roles(folder: Path, username: str) -> str:
    told = run(folder, "user list").output
    return next(line.split()[-1] for line in told.splitlines() if line.startswith(username + " "))


def test_a_role_of_weight_is_confirmed_by_another_who_is_shown_the_second_part(site: Path) -> None:
    assert roles(site, "chen") != "cashier"
    own = run(site, "role confirm chen cashier --as sec --passphrase-file OWN")
    assert own.exit_code != 0 and roles(site, "chen") != "cashier"
    done = run(site, "role confirm chen cashier --as sec2 --passphrase-file NEW")
    assert done.exit_code == 0 and roles(site, "chen") == "cashier"
    part = re.search(r"\b(?:[A-Z2-9]{4}-){3}[A-Z2-9]{4}\b", done.output)
    assert part, done.output
    assert part[0] not in run(site, "user list").output


def test_the_password_of_a_role_of_weight_is_only_proposed(site: Path) -> None:
    assert run(site, "role confirm chen cashier --as sec2 --passphrase-file NEW").exit_code == 0
    told = run(site, "user reset chen --password-file OWN --as sec --passphrase-file OWN --lang en")
    assert told.exit_code == 0 and "proposed" in told.output
    again = run(site, "user reset chen --password-file OWN --as sec --passphrase-file OWN")
    assert again.exit_code != 0 and "proposal.deed_open" in again.output + again.stderr


def test_the_password_of_a_light_role_is_set_by_one(site: Path) -> None:
    made = run(
        site,
        "user add zhao --name 赵 --role centre --password-file NEW --as sec --passphrase-file OWN --party",
        CENTRE,
    )
    assert made.exit_code == 0, made.output
    told = run(site, "user reset zhao --password-file OWN --as sec2 --passphrase-file NEW --lang en")
    assert told.exit_code == 0 and "proposed" not in told.output


def test_nobody_acts_by_command_with_the_half_of_a_password(site: Path) -> None:
    """What an administrator set is one part of two once a role of weight hangs on it: it acts nowhere."""
    third = run(
        site,
        "user add sec3 --name 某某 --role security-admin --password-file OWN --as sec --passphrase-file OWN --party",
        CENTRE,
    )
    assert third.exit_code == 0, third.output
    assert run(site, "role confirm sec3 security-admin --as sec2 --passphrase-file NEW").exit_code == 0
    assert roles(site, "sec3") == "security-admin"
    acted = run(site, "role confirm chen cashier --as sec3 --passphrase-file OWN")
    assert acted.exit_code != 0 and "signin.wrong" in acted.output + acted.stderr and roles(site, "chen") != "cashier"


def test_an_organisation_is_never_founded_by_a_slip_of_the_pen(site: Path) -> None:
    """A typo of the code used to found a second centre, under the code as its name."""
    slip = CENTRE[:-2] + CENTRE[-1] + CENTRE[-2]
    add = "user add wu --name 吴 --role centre --password-file NEW --as sec --passphrase-file OWN --lang en"
    told = run(site, f"{add} --party", slip)
    assert told.exit_code == 2 and "[party.unknown_code]" in told.stderr and slip in told.stderr
    for more, code in (
        (["--kind", "centre", "--party-name", "某中心", "--party", slip], "uscc.check"),
        (["--kind", "supervisor", "--party-name", "财政局", "--party", "CENTRE-CODE"], "uscc.length"),
        (["--kind", "purchaser", "--party-name", "教育局", "--party", "0" * 18], "uscc.placeholder"),
        (["--kind", "centre", "--party-name", "另一中心", "--party", credit_code(91)], "party.second_centre"),
        (["--kind", "purchaser", "--party", credit_code(91)], "form.required"),
    ):
        told = run(site, add, *more)
        assert told.exit_code == 2 and f"[{code}]" in told.stderr, told.output
    listed = json.loads(run(site, "party list --json").stdout)["parties"]
    assert [one["code"] for one in listed] == [CENTRE]
    assert " wu " not in run(site, "user list").output


def test_a_code_that_was_entered_wrong_is_corrected_by_two_and_still_found(site: Path) -> None:
    right, who = credit_code(92), "--as sec --passphrase-file OWN"
    correct = f"party correct {CENTRE} --to {right} --reason 登记证书 --lang en {who}"
    alone = run(site, f"{correct} --second sec --second-passphrase-file OWN")
    assert alone.exit_code == 1 and "[proposal.own]" in alone.stderr
    bad = run(site, f"party correct {CENTRE} --to {right[:-1]}0 --reason 登记证书 {who}")
    assert bad.exit_code == 2 and "[uscc.check]" in bad.stderr
    done = run(site, f"{correct} --second sec2 --second-passphrase-file NEW")
    assert done.exit_code == 0, done.output
    (listed,) = json.loads(run(site, "party list --json").stdout)["parties"]
    assert (listed["code"], listed["name"], listed["former"]) == (right, "某中心", [[CENTRE, "某中心"]])
    assert "某中心" in run(site, "party list").output and CENTRE in run(site, "party list").output
    again = run(site, f"party correct {CENTRE} --name 新名 --reason 登记证书 {who}")
    assert again.exit_code == 2 and "[party.unknown]" in again.stderr
    sealed = run(site, "tick")
    assert sealed.exit_code == 0, sealed.output
    audit = run(site, "audit verify --json")
    assert audit.exit_code == 0 and json.loads(audit.stdout)["ok"], audit.output
