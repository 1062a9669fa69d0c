"""What one side seals, wraps or signs, the other opens: the browser modules (in node) against the Python package."""

import hashlib
import io
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import segno

from crypto import headers, keyfiles, policy_lines, recovery, sealed_bid
from crypto.canonical import b64u, unb64u
from crypto.errors import CryptoError
from crypto.signatures import verify
from crypto.verdicts import cause_of_sides
from tests.crypto import test_policy_lines
from tests.js.serving import ROOT

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node found: the two sealers were NOT compared")
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/sealed_bid_vectors.json").read_text("utf8"))
BIDDER = "91130205MA0ABCDE1X"
SIZES = (0, 1, 700_000, 1_572_864)


def js(command: str, **job: Any) -> Any:
    assert NODE is not None
    done = subprocess.run(
        [NODE, "tests/js/cross.mjs", command],
        cwd=ROOT,
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def policy(co_opening: bool) -> dict[str, Any]:
    found = (json.loads(p["policy_jcs"]) for p in VECTORS["policies"])
    return next(p for p in found if p["co_opening"] is co_opening)


def officers(*indices: int) -> dict[int, bytes]:
    return {o["index"]: bytes.fromhex(o["sk"]) for o in VECTORS["keys"]["officers"] if o["index"] in indices}


def bidder_seal(co_opening: bool) -> dict[int, bytes]:
    return {0: bytes.fromhex(VECTORS["keys"]["bidder_kem"]["sk"])} if co_opening else {}


def contents() -> list[tuple[str, bytes]]:
    source = random.Random(7)
    return [(f"第{i}份.pdf", source.randbytes(size)) for i, size in enumerate(SIZES)]


def seal_key(co_opening: bool) -> bytes:
    return bytes.fromhex(VECTORS["keys"]["bidder_kem"]["pk"]) if co_opening else b""


@pytest.mark.parametrize("co_opening", [False, True])
def test_python_seals_javascript_opens(tmp_path: Path, co_opening: bool) -> None:
    files = contents()
    path = tmp_path / "bid.sealed"
    with path.open("wb") as out:
        sealed_bid.seal(
            policy(co_opening),
            bidder=BIDDER,
            announce={"price": "1.00", "duration_days": "9"},
            files=[
                sealed_bid.FileIn(name=n, size=len(d), type="application/pdf", stream=io.BytesIO(d)) for n, d in files
            ],
            out=out,
            bidder_key=seal_key(co_opening),
        )
    with path.open("rb") as source:
        seen = sealed_bid.inspect(source)
    found = js(
        "open", path=str(path), secrets={j: b64u(sk) for j, sk in (officers(2, 3, 5) | bidder_seal(co_opening)).items()}
    )
    assert found["root"] == b64u(seen.sealed_root)
    assert found["manifest"]["announce"] == {"price": "1.00", "duration_days": "9"}
    assert [f["name"] for f in found["manifest"]["files"]] == [n for n, _ in files]
    assert found["sha256"] == [b64u(hashlib.sha256(d).digest()) for _, d in files]
    with path.open("rb") as source:
        assert list(sealed_bid.open(source, unb64u(found["seed"], 32)).digests) == found["digests"]


@pytest.mark.parametrize("co_opening", [False, True])
def test_javascript_seals_python_opens(tmp_path: Path, co_opening: bool) -> None:
    files, path = contents(), tmp_path / "bid.sealed"
    given = []
    for i, (name, data) in enumerate(files):
        (tmp_path / str(i)).write_bytes(data)
        given.append({"name": name, "type": "application/pdf", "path": str(tmp_path / str(i))})
    done = js(
        "seal",
        policy=policy(co_opening),
        bidder=BIDDER,
        bidder_key=b64u(seal_key(co_opening)),
        announce={"price": "2.50"},
        files=given,
        out=str(path),
        sign=b64u(bytes.fromhex(VECTORS["keys"]["bidder_sign"]["sk"])),
    )
    with path.open("rb") as source:
        seen = sealed_bid.inspect(source)
    assert (b64u(seen.sealed_root), seen.size) == (done["root"], done["size"])
    parts = {
        j: headers.open_share(seen.header, j, sk) for j, sk in (officers(1, 4, 5) | bidder_seal(co_opening)).items()
    }
    seed = headers.join_shares(seen.header, parts)
    assert b64u(seed) == done["seed"]
    written = {item: io.BytesIO() for item, _ in files}
    with path.open("rb") as source:
        opened = sealed_bid.open(source, seed, lambda item: written[item["name"]], seen.sealed_root)
    assert opened.announce == {"price": "2.50"}
    assert {n: w.getvalue() for n, w in written.items()} == dict(files)
    check_submission(done["submission"], seen, policy(co_opening))


def check_submission(envelope: Any, seen: Any, rules: dict[str, Any]) -> None:
    """The Python side takes the browser's submission, and refuses it under another key."""
    statement = verify(envelope, "submission", bytes.fromhex(VECTORS["keys"]["bidder_sign"]["pk"]))
    assert statement["sealed_root"] == b64u(seen.sealed_root) and statement["sealed_size"] == seen.size
    assert statement["envelope"] == rules["envelope"] and statement["bidder"] == BIDDER
    with pytest.raises(CryptoError):
        verify(envelope, "submission", bytes.fromhex(VECTORS["keys"]["platform_sign"]["pk"]))


def test_both_sides_read_the_same_line_of_policies() -> None:
    """Any line: the same generations, missing officers, living and dead, the same numbers of boxes; or the same refusal."""
    source = random.Random(5)
    lines = [made_line(source) for _ in range(120)]
    found = js(
        "lines",
        lines=[{"policies": line, "times": ["", *["2026-01-01T00:00:00Z"] * (len(line) - 1)]} for line in lines],
    )
    answers = [python_line(line) for line in lines]
    assert found == answers
    states = [one["alive"] for answer in answers if "code" not in answer for one in answer["generations"]]
    assert {True, False} == set(states) and sum("code" in one for one in answers) > 10


def made_line(source: random.Random) -> list[dict[str, Any]]:
    line = [test_policy_lines.FIRST]
    for at in range(source.randrange(4)):
        old = line[-1]
        if source.random() < 0.3:
            line.append(test_policy_lines.extension(old, f"2026-03-{at + 2:02d}T01:30:00Z"))
            continue
        new = test_policy_lines.successor(old, tuple(source.sample(range(1, 8), 5)))
        line.append(
            new
            | source.choice(
                [
                    {},
                    {},
                    {},
                    {"serial": old["serial"]},
                    {"supersedes": ""},
                    {"lot": "2"},
                    {"file_names": True},
                    {"window": 9},
                    {"deadline": "2026-02-01T01:30:00Z"},
                ]
            )
        )
    return line


def python_line(line: list[dict[str, Any]]) -> dict[str, Any]:
    try:
        found = policy_lines.generations(line)
    except CryptoError as error:
        return {"code": error.code}
    told = [
        {
            "ids": list(one.ids),
            "missing": list(one.missing),
            "alive": one.alive,
            "cause": cause_of_sides(one.sides_missing),
        }
        for one in found
    ]
    boxes = [[one.number_of(officer) if one.alive else 0 for officer in found[-1].policy["officers"]] for one in found]
    return {"generations": told, "boxes": boxes}


def test_keyrings_open_on_both_sides() -> None:
    ring = keyfiles.new_keyring("officer-1", "officer", "口令 é")
    mine = keyfiles.open_keyring(ring, "口令 é")
    secrets = {alg: b64u(mine.secret(alg)) for alg in ("ed25519", "root")}
    found = js("ring", ring=ring, passphrase="口令 é", party="officer-1", role="officer", secrets=secrets)
    assert (found["party"], found["role"], found["secrets"]) == ("officer-1", "officer", secrets)
    back = keyfiles.open_keyring(found["made"], "口令 é")
    assert {alg: b64u(back.secret(alg)) for alg in secrets} == secrets


def test_both_sides_print_and_read_the_same_recovery_sheet() -> None:
    ring = keyring("bidder")
    lines = recovery.lines_of(ring)
    found = js("sheet", ring=ring, text="\n".join(lines), words=b64u(b"\x07" * 32))
    assert found["sheet"] == {"code": recovery.code_text(ring), "lines": lines}
    assert found["ring"] == ring
    assert found["words"] == {speech: recovery.key_words("ed25519", b"\x07" * 32, speech) for speech in ("zh", "en")}
    assert js("sheet", text=recovery.code_text(ring))["ring"] == ring
    slipped = [line[:3] + line[3:].replace("2", "3") if no in (1, 4) else line for no, line in enumerate(lines)]
    wrong = [f"{no + 1:02d}" for no in (1, 4) if slipped[no] != lines[no]]
    assert js("sheet", text="\n".join(slipped))["ring"] == {"code": "FORMAT", "lines": wrong} and wrong


def keyring(role: str) -> dict[str, Any]:
    source = random.Random(11)
    keys = []
    for alg in keyfiles.ROLES[role]:
        pub = b64u(source.randbytes(32))
        keys.append(
            {
                "alg": alg,
                "ct": b64u(source.randbytes(48)),
                "iv": b64u(source.randbytes(12)),
                "kdf": "argon2id",
                "kid": keyfiles.key_id(alg, pub),
                "lanes": 1,
                "memory_kib": 65_536,
                "passes": 3,
                "pub": pub,
                "salt": b64u(source.randbytes(16)),
                "type": "bidhall-key",
                "v": 1,
            }
        )
    return {"type": "bidhall-keyring", "v": 1, "party": BIDDER, "role": role, "keys": keys}


def test_the_pages_qr_codes_are_those_of_segno() -> None:
    source = random.Random(5)
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    codes = [
        ("".join(source.choices(alphabet, k=length)), mask)
        for mask, length in enumerate((1, 20, 60, 130, 260, 440, 700, 1200))
    ]
    codes.append((recovery.code_text(keyring("bidder")), 3))
    for (text, mask), made in zip(codes, js("sheet", qr=codes)["modules"], strict=True):
        wanted = segno.make(text, error="m", mode="alphanumeric", mask=mask, boost_error=False, micro=False)
        assert made == [list(row) for row in wanted.matrix], (len(text), wanted.version)
