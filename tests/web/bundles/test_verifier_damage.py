"""A bundle scratched, cut, stuffed or built to harm: always told, never a crash, never unpacked."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from crypto.signatures import payload_of
from tests.web.bundles import play
from trading.disclosure import bundle
from web.verifier import NotABundle, verify_bundle

KINDS = (
    "index.json",
    "index.dsse.json",
    "keys/",
    "keys/trust",
    "entries/",
    "entries/lists/",
    "log/start",
    "log/leaves",
    "log/checkpoints/",
    "log/gaps",
    "ticks/",
    "policy/policy.",
    "policy/drill.",
    "policy/published.",
    "policy/deadline.",
    "bids/submission.",
    "bids/withdrawal.",
    "opening/opening-set.",
    "opening/shares.",
    "opening/opened.",
    "draw/draw-notice.",
    "draw/draw-commit.",
    "draw/commit-list.",
    "draw/draw-reveal.",
    "draw/draw.",
    "draw/experts.",
    "sheets/sheet-commit.",
    "sheets/sheet.",
    "sheets/commit-list.",
    "sheets/salts",
    "sheets/findings",
    "ranking/ranking.",
    "ranking/report",
    "ranking/inputs",
    "ranking/signature.",
    "rules/lot",
    "rules/form",
    "rules/scheme",
    "rules/rulebook",
    "acts/",
    "acts/notices/",
    "acts/deposits/",
    "acts/approvals/",
)
"""Every kind of file there is, by how its name begins."""
OWN_CODE = {
    "entries/lists/": ("sealed_bids", "B_SET"),
    "log/start": ("log", "B_PROOF"),
    "log/leaves": ("log", "B_PROOF"),
    "ticks/": ("log", "B_TICK"),
    "log/checkpoints/": ("log", "B_CHECKPOINT"),
    "log/gaps": ("log", "B_GAP"),
    "policy/policy.": ("sealed_bids", "B_POLICY"),
    "opening/opening-set.": ("sealed_bids", "B_SET"),
    "opening/shares.": ("opening", "B_SHARE"),
    "sheets/salts": ("score_sheets", "B_SHEET"),
    "draw/experts.": ("expert_draw", "B_DRAW"),
    "draw/draw.": ("expert_draw", "B_DRAW"),
    "draw/commit-list.": ("expert_draw", "B_DRAW"),
    "ranking/report": ("arithmetic", "B_SCORE"),
    "rules/scheme": ("ranking", "B_RANK"),
    "ranking/ranking.": ("ranking", "B_RANK"),
    "acts/deposits/": ("deposits", "B_DEPOSIT"),
    "acts/approvals/": ("deposits", "B_DEPOSIT"),
    "opening/opened.": ("opening", "B_SHARE"),
    "sheets/sheet.": ("score_sheets", "B_SHEET"),
}
"""What breaks beside the manifest when a file of this kind can no longer be read."""
MAY_GO = ("log/checkpoints/", "ticks/", "ranking/signature", "rules/form.json", "sheets/panel.json")
"""What no claim rests on alone: the format says so (docs/formats/bundle.md, section 3)."""


def kinds_of(path: Path, start: str) -> str:
    with zipfile.ZipFile(path) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.startswith(start) and (start != "entries/" or "lists" not in name)
        ]
    assert names, start
    return names[0]


def flipped(path: Path, name: str, to: Path, at: float = 0.5) -> Path:
    """One bit of one byte of one file, where it lies in the ZIP."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
        begin = info.header_offset + 30 + len(info.filename)
    data[begin + int(info.file_size * at)] ^= 1
    out = to / "flipped.zip"
    out.write_bytes(data)
    return out


def entry_of(forger: play.Forger, name: str) -> dict[str, Any]:
    """The signed entry that a file below entries/ proves."""
    return dict(json.loads(payload_of(json.loads(forger.files[name])["entry"])))


@pytest.mark.parametrize("start", KINDS)
def test_one_bit_in_each_kind_of_file(finished: dict[str, play.Finished], tmp_path: Path, start: str) -> None:
    path = finished["GP"].audit
    found = play.broken(verify_bundle(flipped(path, kinds_of(path, start), tmp_path)))
    assert "B_INDEX" in found.get("manifest", []) or (start == "index.dsse.json" and "B_SIG" in found["manifest"])


@pytest.mark.parametrize("start", sorted(OWN_CODE))
def test_a_file_taken_away_is_missed_by_its_claim(finished: dict[str, play.Finished], start: str) -> None:
    """The index signed anew, so that it tells nothing."""
    forger = play.Forger(finished["GP"].world, finished["GP"].audit)
    for name in [name for name in forger.below(start) if start != "draw/experts." or name.endswith("pool.json")]:
        del forger.files[name]
    if start == "ticks/":
        name = next(iter(play.Forger(finished["GP"].world, finished["GP"].audit).below(start)))
        forger.files[name] = b"{}"
    claim, code = OWN_CODE[start]
    found = forger.verdict()
    assert code in found.get(claim, []), found


def test_bits_of_the_sealed_file_header_and_pieces(finished: dict[str, play.Finished], tmp_path: Path) -> None:
    path = finished["GP"].audit
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    for last, expected in (
        ("/header", {"sealed_bids": ["B_BID"]}),
        ("/pieces.txt", {"sealed_bids": ["B_BID"]}),
        ("/sealed", {"sealed_bids": ["B_BID"], "opening": ["B_REDERIVE"]}),
    ):
        name = next(name for name in names if name.endswith(last))
        found = play.broken(verify_bundle(flipped(path, name, tmp_path)))
        assert found["manifest"] == ["B_INDEX"]
        for claim, codes in expected.items():
            assert set(codes) <= set(found[claim]), (last, found)


def test_a_flipped_bit_anywhere_is_told(
    finished: dict[str, play.Finished], failed: play.Finished, tmp_path: Path
) -> None:
    """Also in what the ZIP says about itself: headers, directory, end."""
    chance = random.Random(20260324)
    out = tmp_path / "x.zip"
    size = failed.public.stat().st_size
    edges = [0, 4, 10, 12, 26, size - 1, size - 22, size - 30]
    for path, often, places in (
        (failed.public, 12, edges),
        (finished["GP"].audit, 4, []),
        (finished["WORKS"].audit, 4, []),
    ):
        data = path.read_bytes()
        for place in [*(chance.randrange(len(data)) for _ in range(often)), *places]:
            worse = bytearray(data)
            worse[place] ^= 1 << chance.randrange(8)
            out.write_bytes(worse)
            answer = verify_bundle(out)
            assert not answer["ok"], (path.name, place)
            json.dumps(answer)


@pytest.mark.parametrize("regime", ["GP", "WORKS"])
def test_an_entry_whose_proof_is_broken_is_told_whatever_it_speaks_of(
    finished: dict[str, play.Finished], regime: str
) -> None:
    """Each event once: the entry stands there, signed as it was, but nothing shows any more that it is in the log."""
    one = finished[regime]
    forger = play.Forger(one.world, one.audit)
    first = {entry_of(forger, name)["event"]: name for name in forger.below("entries/") if "/lists/" not in name}
    assert len(first) >= 20
    for event, name in sorted(first.items()):
        kept = forger.files[name]
        forger.edit(name, lambda value: value["proof"].update(leaf={}))
        assert "B_PROOF" in forger.verdict()["log"], event
        forger.files[name] = kept


@pytest.mark.long
@pytest.mark.parametrize("regime", ["GP", "WORKS"])
def test_any_one_file_taken_away_is_told(finished: dict[str, play.Finished], regime: str) -> None:
    """Under an index signed anew, so that it tells nothing: of the files that are called alike, one (the format's §3 names what may go)."""
    one = finished[regime]
    forger = play.Forger(one.world, one.audit)
    lot, untold = forger.lot, []
    alike = {
        re.sub(r"[A-Za-z0-9_-]{43}|\d+", "*", name): name
        for name in sorted(forger.files)
        if not name.startswith("index.")
    }
    for name in alike.values():
        kept = forger.files.pop(name)
        if verify_bundle(forger.write(lot))["ok"]:
            untold.append(name)
        forger.files[name] = kept
    assert all(name.startswith(MAY_GO) for name in untold), untold


def test_cut_off_anywhere(failed: play.Finished, tmp_path: Path) -> None:
    data = failed.public.read_bytes()
    out = tmp_path / "x.zip"
    for share in (0.001, 0.1, 0.5, 0.9, 0.999):
        out.write_bytes(data[: max(30, int(len(data) * share))])
        answer = verify_bundle(out)
        assert not answer["ok"] and "B_INDEX" in play.broken(answer)["manifest"]
    out.write_bytes(data + b"more")
    assert play.broken(verify_bundle(out)) == {"manifest": ["B_INDEX"]}
    out.write_bytes(b"before" + data)
    assert play.broken(verify_bundle(out))["manifest"] == ["B_INDEX"]


def rezipped(path: Path, out: Path, *more: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", method) as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info, data, compress_type=method)
        for name, extra in more:
            with pytest.warns(UserWarning) if name in old.namelist() else nullcontext():
                new.writestr(name, extra)
    return out


def test_hostile_archives(failed: play.Finished, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"
    for name in ("../outside", "/etc/passwd", "a\\b", "keys/../../x", "zz", "C:x"):
        found = play.broken(verify_bundle(rezipped(failed.public, out, (name, b"x"))))
        assert "B_INDEX" in found["manifest"], name
    twice = play.broken(verify_bundle(rezipped(failed.public, out, ("rules/lot.json", b"{}"))))
    assert "B_INDEX" in twice["manifest"]
    assert sorted(tmp_path.iterdir()) == [out], "nothing is ever unpacked"


def test_a_bomb_is_not_unpacked(failed: play.Finished, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.json", b"0" * (64 << 20))
    answer = verify_bundle(out)
    assert not answer["ok"] and "not stored plainly" in json.dumps(answer)
    assert not verify_bundle(rezipped(failed.public, out, method=zipfile.ZIP_DEFLATED))["ok"]
    head = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, 0, 0xFFFFFFFE, 0xFFFFFFFE, 1, 0) + b"a"
    out.write_bytes(head * 2000)
    assert not verify_bundle(out)["ok"]


def test_what_is_no_zip(tmp_path: Path) -> None:
    for data in (b"", b"x", b"%PDF-1.7\n" * 1000, bytes(100_000)):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(NotABundle):
            verify_bundle(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"PK\x05\x06" + bytes(18))
    assert not verify_bundle(tmp_path / "x")["ok"], "an empty ZIP is one"


def test_json_that_means_harm(failed: play.Finished) -> None:
    values = [
        b"[" * 100_000,
        b'{"a":' * 5000,
        b"null",
        b"[]",
        b"1e999",
        b'"\\ud800"',
        b"\xff\xfe",
        b'{"payload":"","payloadType":"","signatures":[]}',
        b"9" * 5000,
    ]
    for name in ("keys/trust.json", "log/start.json", "log/gaps.json", "rules/lot.json", "index"):
        for value in values:
            forger = play.Forger(failed.world, failed.audit)
            lot = forger.lot
            if name == "index":
                name = forger.one("entries/lists/")
            forger.files[name] = value
            out = io.BytesIO()
            files = [bundle.bytes_file(path, data) for path, data in forger.files.items()]
            bundle.write(out, files, profile="audit", tender=lot, signing=failed.world.office.keys.signing)
            path = failed.audit.with_suffix(".harm.zip")
            path.write_bytes(out.getvalue())
            assert not verify_bundle(path)["ok"], (name, value[:20])


def test_entries_dropped_swapped_and_resigned(finished: dict[str, play.Finished]) -> None:
    one = finished["GP"]
    forger = play.Forger(one.world, one.audit)
    listed = json.loads(forger.files["entries/lists/bid.json"])["entries"]
    del forger.files[f"entries/{listed[0]}.json"]
    assert "B_GAP" in forger.verdict()["log"]
    forger = play.Forger(one.world, one.audit)
    first, second = (f"entries/{c}.json" for c in listed[:2])
    proofs = [json.loads(forger.files[name])["proof"] for name in (first, second)]
    forger.edit(first, lambda value: value.update(proof=proofs[1]))
    assert "B_PROOF" in forger.verdict()["log"]
    forger = play.Forger(one.world, one.audit)
    forger.resign(forger.one("bids/submission."), "submission", lambda value: value.update(tool="other/1"))
    found = forger.verdict()
    assert "B_SIG" in found["manifest"], "a document that no entry names"
