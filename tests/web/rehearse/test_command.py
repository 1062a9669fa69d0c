"""`bidhall rehearse`: who comes along and what never does, where it refuses, and that none of it is ever a site."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crypto import passwords, rehearsals
from evaluation.panels.experts import Expert
from migrations import runner
from tests.web.rehearse import kit
from tests.web.rehearse.kit import ACCOUNT, MAIL, NAME, PASSWORD, TOTP, Site, card_of, made, run
from trading.kernel import log_own, rehearsal
from trading.kernel.access import CLOCK, FITS
from trading.kernel.audit import ActRecord
from trading.kernel.work import Office
from trading.parties.parties import Account, Party, RoleGrant
from web import wiring
from web.rehearsal.site import filling, folder, people, samples
from web.settings import read_settings

REHEARSAL = rehearsals.name_of(NAME)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return made(tmp_path, monkeypatch)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, Office]]:
    site = made(tmp_path, monkeypatch, played=True)
    office = wiring.open_signing_office(folder.settings_of(site.play))
    yield site, office
    office.engine.dispose()


def held(data: Path) -> dict[str, bytes]:
    """Every file of a site but what SQLite keeps beside its database while somebody reads."""
    return {
        str(one.relative_to(data)): one.read_bytes()
        for one in sorted(data.rglob("*"))
        if one.is_file() and not one.name.endswith(("-wal", "-shm"))
    }


def test_people_come_along_and_their_secrets_stay(played: tuple[Site, Office]) -> None:
    site, office = played
    with office.view(CLOCK) as view:
        accounts = {one.username: one for one in view.session.scalars(select(Account))}
        assert {"liu", "wu", "sun", "shen", "li", "lu"} <= accounts.keys() and not {"gone", "firm"} & accounts.keys()
        card = card_of(site.play)
        assert card.keys() == accounts.keys() and len(set(card.values())) == len(card)
        passwords.verify_password(card["li"], accounts["li"].password)  # refuses another one
        for one in accounts.values():
            assert not one.totp_secret and not one.mail
        kinds = {one.code: one for one in view.session.scalars(select(Party))}
        assert all(one.bank_account.startswith("9900") for one in kinds.values() if one.kind != "expert")
        (known,) = view.session.scalars(select(Expert).where(Expert.code == "E007"))
        assert known.unit == "春晓大学" and known.ties == []
        roles = {
            (role, kinds_of)
            for role, kinds_of in view.session.execute(
                select(RoleGrant.role, Party.kind).join(Account, Account.id == RoleGrant.account_id).join(Party)
            )
        }
        for role, kind, _most in people.DESKS:
            assert any((role.value, one) in roles for one in FITS[role]), (role, kind)
        assert sum(1 for one in kinds.values() if one.kind == "bidder") == people.FIRMS >= 3
    canaries = [one.encode() for one in (MAIL, ACCOUNT, TOTP, PASSWORD, "0315-7770001", "亲属单位", "真实投标有限公司")]
    for path in site.play.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert not [one for one in canaries if one in data], path
    for path in site.play.rglob("*"):  # whoever is not this user reads nothing: the folder lets nobody in
        assert path.is_dir() or path.name not in ("card.txt", "card.html") or path.stat().st_mode & 0o777 == 0o600
    assert site.play.stat().st_mode & 0o077 == 0


def test_the_first_record_says_what_it_is(played: tuple[Site, Office]) -> None:
    _site, office = played
    assert office.platform == REHEARSAL
    with office.view(CLOCK) as view:
        first = view.session.scalars(select(ActRecord).order_by(ActRecord.id)).first()
        assert first is not None and first.act == log_own.REHEARSAL
        told = json.loads(first.payload)
        assert (told["platform"], told["facts"]["site"]) == (REHEARSAL, NAME)
        assert rehearsal.is_one(view)


def test_the_site_is_only_read(played: tuple[Site, Office]) -> None:
    """Of two copies of a site one was rehearsed from."""
    before, after = (kit.once(played[0].data.parent.parent, played=one) / "data" for one in (False, True))
    rows = []
    for data in (before, after):
        with closing(sqlite3.connect(f"file:{data / 'bidhall.db'}?mode=ro", uri=True)) as base:
            rows.append(list(base.iterdump()))
    assert rows[0] == rows[1]
    old, new = held(before), held(after)
    assert {name for name in new if new[name] != old.get(name)} <= {"clock.anchor"} and old.keys() == new.keys()
    mine = {(played[0].play / name).read_bytes() for name in ("platform.key", "log.key", "data.keys")}
    assert len(mine) == 3 and not mine & set(new.values())


def test_sample_bids_lie_ready_for_each_firm(played: tuple[Site, Office]) -> None:
    site, _office = played
    here = samples.names(site.play / samples.FOLDER)
    firms = {one.split("/")[0] for one in here} - {"tender"}
    assert len(firms) == people.FIRMS and firms <= card_of(site.play).keys()
    for one in sorted(firms):
        assert {"技术文件.pdf", "商务文件.pdf", "报价.txt"} == {
            name.split("/")[1] for name in here if name.startswith(one + "/")
        }


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_refuses_where_it_must_not_write(site: Site, lang: str) -> None:
    def refused(*words: str, **env: str) -> str:
        ran = run("--lang", lang, *words, BIDHALL_LANG=lang, **env)
        assert ran.code == 3, ran.err
        assert ("演练" in ran.err or "站点" in ran.err) is (lang == "zh")
        return ran.err.rsplit("[", 1)[1].rstrip("]\n")

    full = site.play.parent / "full"
    full.mkdir()
    (full / "note.txt").write_text("mine")
    assert refused("rehearse", str(full)) == "rehearsal.not_empty" and [one.name for one in full.iterdir()] == [
        "note.txt"
    ]
    for place in (site.data, site.data / "play", site.data.parent):
        assert refused("rehearse", str(place)) == "rehearsal.inside"
    assert not (site.data / "play").exists() and not (site.data / "rehearsal.json").exists()
    nowhere = site.play.parent / "nowhere"
    assert refused("rehearse", str(site.play), "--from", str(nowhere)) == "rehearsal.no_site"
    assert not nowhere.exists() and not site.play.exists()


@pytest.mark.parametrize(
    ("revision", "code"), [("9999", "database.newer"), (f"{int(runner.head()) - 1:04d}", "database.pending")]
)
def test_refuses_a_database_of_another_version(site: Site, revision: str, code: str) -> None:
    with closing(sqlite3.connect(site.data / "bidhall.db")) as base:
        base.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        base.commit()
    told = site.rehearse()
    assert told.code == 3 and f"[{code}]" in told.err and not site.play.exists()


def test_cut_off_in_the_middle_it_begins_anew(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(Exception):
        pass

    def cut(*_what: Any) -> Any:
        raise Cut

    with monkeypatch.context() as broken:
        broken.setattr(samples, "write", cut)
        with pytest.raises(Cut):
            filling.rehearse(site.play, None, lambda _line: None)
    monkeypatch.setattr(samples, "can_set", lambda: False)  # where no setter is installed the files are bare
    first = (site.play / "platform.key").read_bytes()
    assert folder.facts(site.play)["done"] is False and not (site.play / "card.txt").exists()
    served = run("serve", str(site.play), "--port", "0")
    assert served.code == 3 and "[rehearsal.half]" in served.err
    assert site.rehearse().code == 0 and folder.facts(site.play)["done"] is True
    assert (site.play / "platform.key").read_bytes() != first
    again = site.rehearse()
    assert again.code == 3 and "[rehearsal.done_before]" in again.err
    with monkeypatch.context() as broken:
        broken.setattr(folder, "facts", lambda _folder: {"site": "other.gov.cn", "done": False})
        other = site.rehearse()
    assert other.code == 3 and "[rehearsal.other_site]" in other.err


def test_what_this_shell_says_of_the_site_is_not_of_its_rehearsal(played: tuple[Site, Office]) -> None:
    site, _office = played
    said = {
        "BIDHALL_DATA": str(site.play),
        "BIDHALL_DATABASE": f"sqlite:///{site.data / 'bidhall.db'}",
        "BIDHALL_PLATFORM": NAME,
        "BIDHALL_MAIL": "smtp://mail.example",
        "BIDHALL_TEST_CLOCK": "2030-01-01T00:00:00Z",
        "BIDHALL_BASE_URL": "https://bid.chunxiao.gov.cn",
    }
    read = read_settings(said)
    assert read.platform == REHEARSAL and str(site.play) in read.database and not read.base_url and not read.test_clock
    post = wiring.open_post(read, "http://127.0.0.1:1")
    assert not post.way.host and post.way.folder.startswith(str(site.play))
    assert run("tick", **said).code == 0 and run("audit", "verify", **said).code == 0
    assert f"of {NAME}, without legal effect" in run("doctor", **said).out


def test_a_rehearsal_is_never_served_as_a_site(played: tuple[Site, Office], monkeypatch: pytest.MonkeyPatch) -> None:
    site, _office = played
    unsaid = run("serve", "--port", "0", BIDHALL_DATA=str(site.play))
    assert unsaid.code == 3 and "[rehearsal.unsaid]" in unsaid.err
    real = run("serve", str(site.data), "--port", "0")
    assert real.code == 3 and "[rehearsal.not_one]" in real.err
    answers = str(site.data.parent / "site.toml")
    init = run("init", "--answers", answers, BIDHALL_DATA=str(site.play))
    assert init.code == 3 and "[rehearsal.no_init]" in init.err
    demo = run("serve", str(site.play), "--demo", "--port", "0")
    assert demo.code == 3 and "[demo.not_empty]" in demo.err
    kept = run("backup", str(site.play.parent / "backup"), BIDHALL_DATA=str(site.play))
    assert kept.code == 3 and "[rehearsal.no_backup]" in kept.err and not (site.play.parent / "backup").exists()
    second = run("rehearse", str(site.play.parent / "second"), "--from", str(site.play))
    assert second.code == 3 and "[rehearsal.of_rehearsal]" in second.err
    text = Path(answers).read_text("utf-8")
    Path(answers).write_text(f'name = "{REHEARSAL}"\n{text}', encoding="utf-8")
    named = run("init", "--answers", answers, "--check", BIDHALL_DATA=str(site.play.parent / "third"))
    assert named.code == 2 and "[init.name_of_rehearsal]" in named.err


def test_its_keys_are_no_sites_keys_and_the_other_way_round(played: tuple[Site, Office]) -> None:
    site, _office = played
    real = {name: (site.data / name).read_bytes() for name in ("platform.key", "log.key")}
    for name in real:
        (site.data / name).write_bytes((site.play / name).read_bytes())
        refused = run("tick")
        assert refused.code == 3 and "[rehearsal.keys]" in refused.err
        (site.data / name).write_bytes(real[name])
    assert run("tick").code == 0
    (site.play / "platform.key").write_bytes(real["platform.key"])
    refused = run("tick", BIDHALL_DATA=str(site.play))
    assert refused.code == 3 and "[rehearsal.keys_real]" in refused.err


def test_a_marked_name_or_folder_without_the_other_starts_nothing(played: tuple[Site, Office]) -> None:
    site, _office = played
    (site.data / "rehearsal").touch()  # a real site with a simulated bank and no second factors
    refused = run("tick")
    assert refused.code == 3 and "[rehearsal.mark_on_site]" in refused.err
    (site.data / "rehearsal").unlink()
    named = run("tick", BIDHALL_PLATFORM=REHEARSAL)  # a real site that calls itself one
    assert named.code == 3 and "[rehearsal.mark_missing]" in named.err
    (site.play / "rehearsal").unlink()
    bare = run("tick", BIDHALL_DATA=str(site.play))
    assert bare.code == 3 and "[rehearsal.mark_missing]" in bare.err
