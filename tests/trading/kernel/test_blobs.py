"""Bytes: written once under their own name, and arriving piece by piece with one writer."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.blobs import LocalBlobs
from trading.kernel.errors import Conflict, Invalid, NotFound
from trading.kernel.spool import Spool

TOKEN = "ab" * 20
BAD_NAMES = [
    "",
    "x",
    "../../etc/passwd",
    "A" * 64,
    "0" * 63,
    "0" * 65,
    "0" * 64 + "\n",
    "/" + "0" * 63,
    "0" * 62 + "/.",
    "\x00" * 64,
]


def test_bytes_are_found_by_their_own_name(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    made = blobs.put([b"a", b"", b"bc"])
    assert (made.name, made.size) == (hashlib.sha256(b"abc").hexdigest(), 3)
    assert blobs.put([b"abc"]) == made and list(blobs.names()) == [made.name]
    assert b"".join(blobs.read(made.name)) == b"abc" and blobs.has(made.name)
    assert not list((tmp_path / "incoming").iterdir())
    blobs.remove(made.name)
    blobs.remove(made.name)
    assert not blobs.has(made.name)
    with pytest.raises(NotFound):
        blobs.open(made.name)


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    blobs, name = LocalBlobs(tmp_path), "0" * 64
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"first")
    second.write_bytes(b"second")
    blobs.adopt(first, name)
    blobs.adopt(second, name)
    assert b"".join(blobs.read(name)) == b"first" and first.exists() and second.exists()


def test_a_stream_that_breaks_leaves_no_blob(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise OSError("gone")

    blobs = LocalBlobs(tmp_path)
    with pytest.raises(OSError, match="gone"):
        blobs.put(pieces())
    assert list(blobs.names()) == []


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_of_a_persons_choosing_reach_no_file(tmp_path: Path, name: str) -> None:
    blobs, spool = LocalBlobs(tmp_path / "b"), Spool(tmp_path / "s")
    for ask in (blobs.path, blobs.open, blobs.has, blobs.remove):
        with pytest.raises(NotFound):
            ask(name)
    if name not in ("0" * 63,):
        for act in (spool.path, spool.size, spool.open, spool.remove, spool.create):
            with pytest.raises(NotFound):
                act(name)


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(0, 200))
def test_a_spool_holds_just_what_came(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], most: int) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"))
    spool.create(TOKEN)
    kept = b""
    for piece in pieces:
        if len(kept) + len(piece) > most:
            with pytest.raises(Invalid):
                spool.append(TOKEN, len(kept), [piece], most=most)
        else:
            assert spool.append(TOKEN, len(kept), [piece], most=most) == len(kept) + len(piece)
            kept += piece
        for offset in (len(kept) + 1, len(kept) - 1):
            with pytest.raises(Conflict) as refusal:
                spool.append(TOKEN, offset, [b"x"], most=most)
            assert refusal.value.facts["have"] == len(kept)
        assert spool.size(TOKEN) == len(kept)
    with spool.open(TOKEN) as source:
        assert source.read() == kept


def test_one_writer_at_a_time_and_nothing_unknown(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for ask in (spool.size, spool.open):
        with pytest.raises(NotFound):
            ask(TOKEN)
    with pytest.raises(NotFound):
        spool.append(TOKEN, 0, [b"x"], most=9)
    assert list(tmp_path.iterdir()) == []
    spool.create(TOKEN)
    with pytest.raises(FileExistsError):
        spool.create(TOKEN)
    with pytest.raises(FileExistsError):
        spool.append(TOKEN, 0, [b"x"], most=9, new=True)
    assert spool.size(TOKEN) == 0
    with spool.path(TOKEN).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict) as refusal:
            spool.append(TOKEN, 0, [b"x"], most=9)
        assert refusal.value.code == "upload.busy"
    assert spool.append(TOKEN, 0, [b"x"], most=9) == 1
    spool.remove(TOKEN)
    spool.remove(TOKEN)


def test_a_file_is_made_and_filled_at_once_and_given_away_under_its_content_name(tmp_path: Path) -> None:
    spool, blobs = Spool(tmp_path / "spool"), LocalBlobs(tmp_path / "blobs")
    data = b"whole" * 1000
    name = hashlib.sha256(data).hexdigest()
    for _ in range(2):  # the second time the name is there already
        assert spool.append(TOKEN, 0, [data[:7], data[7:]], most=len(data), new=True) == len(data)
        blobs.adopt(spool.path(TOKEN), name, keep=False)
        with blobs.open(name) as kept:
            assert kept.read() == data
        assert list(spool.folder.iterdir()) == []


def test_a_cut_line_leaves_what_came(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    spool = Spool(tmp_path)
    spool.create(TOKEN)
    with pytest.raises(ConnectionResetError):
        spool.append(TOKEN, 0, pieces(), most=99)
    assert spool.size(TOKEN) == 4 and spool.append(TOKEN, 4, [b"!"], most=99) == 5
