"""The quick way on regular files gives the same bytes and the same refusals as the sequential way on streams."""

import errno
import hashlib
import io
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.bids import officers
from crypto import positional, sealed_bid
from crypto.errors import CryptoError
from crypto.headers import CHUNK

GROUP = officers()
SEED = bytes(range(32))
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK - 60, 4 * CHUNK, 7 * CHUNK + 12345)


def _files(folder: Path, sizes: list[int]) -> list[Path]:
    made = []
    for number, size in enumerate(sizes):
        path = folder / f"file{number}.bin"
        path.write_bytes(os.urandom(size))
        made.append(path)
    return made


def _seal(items: list[sealed_bid.FileIn], out: Any) -> sealed_bid.Sealed:
    return sealed_bid._seal(SEED, GROUP.policy, "B-1", {"price": "1.00"}, items, out, b"")


def _both(folder: Path, sizes: list[int]) -> tuple[bytes, bytes, sealed_bid.Sealed, sealed_bid.Sealed]:
    paths = _files(folder, sizes)
    memory = io.BytesIO()
    one = _seal([sealed_bid.FileIn(p.name, p.stat().st_size, io.BytesIO(p.read_bytes())) for p in paths], memory)
    target = folder / "sealed"
    streams = [p.open("rb") for p in paths]
    with target.open("wb") as out:
        out.write(b"before")  # a target that does not begin at 0
        two = _seal([sealed_bid.FileIn(p.name, p.stat().st_size, s) for p, s in zip(paths, streams, strict=True)], out)
        assert out.tell() == len(b"before") + two.size
        out.write(b"after")
    for stream in streams:
        stream.close()
    return memory.getvalue(), target.read_bytes(), one, two


@settings(max_examples=12)
@given(sizes=st.lists(st.sampled_from(SIZES), min_size=1, max_size=4))
def test_the_same_bytes_either_way(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    streamed, placed, one, two = _both(tmp_path_factory.mktemp("both"), sizes)
    assert placed == b"before" + streamed + b"after"
    assert one.sealed_root == two.sealed_root and one.pieces == two.pieces


def _sealed_file(folder: Path) -> tuple[Path, sealed_bid.Sealed, bytes]:
    path = _files(folder, [6 * CHUNK + 99])[0]
    target = folder / "sealed"
    with path.open("rb") as stream, target.open("wb") as out:
        sealed = _seal([sealed_bid.FileIn(path.name, path.stat().st_size, stream)], out)
    return target, sealed, path.read_bytes()


def test_a_file_is_inspected_and_opened_as_a_stream_is(tmp_path: Path) -> None:
    target, sealed, plain = _sealed_file(tmp_path)
    with target.open("rb") as source:
        assert sealed_bid.inspect(source).pieces == sealed.pieces
    got = io.BytesIO()
    with target.open("rb") as source:
        opened = sealed_bid.open(source, sealed.seed, lambda _: got, sealed.sealed_root)
    again = sealed_bid.open(io.BytesIO(target.read_bytes()), sealed.seed, None, sealed.sealed_root)
    assert got.getvalue() == plain and opened == again


@pytest.mark.parametrize("at", [-1, -CHUNK, -3 * CHUNK, -6 * CHUNK])
def test_a_changed_byte_is_refused_alike(tmp_path: Path, at: int) -> None:
    target, sealed, _ = _sealed_file(tmp_path)
    data = bytearray(target.read_bytes())
    data[at] ^= 1
    target.write_bytes(data)
    for root, code in ((None, "CHUNK_AUTH"), (sealed.sealed_root, "SEALED_ROOT")):
        for source in (target.open("rb"), io.BytesIO(bytes(data))):
            with source, pytest.raises(CryptoError) as refused:
                sealed_bid.open(source, sealed.seed, None, root)
            assert refused.value.code == code


@pytest.mark.parametrize("change", [-1, 1])
def test_a_byte_too_few_or_many_is_refused_alike(tmp_path: Path, change: int) -> None:
    target, sealed, _ = _sealed_file(tmp_path)
    data = target.read_bytes()
    target.write_bytes(data[:change] if change < 0 else data + b"x")
    for source in (target.open("rb"), io.BytesIO(target.read_bytes())):
        with source, pytest.raises(CryptoError) as refused:
            sealed_bid.inspect(source)
        assert refused.value.code == "SIZE"
    with target.open("rb") as source, pytest.raises(CryptoError) as refused:
        sealed_bid.open(source, sealed.seed, None, sealed.sealed_root)
    assert refused.value.code == "SEALED_ROOT"


@pytest.mark.parametrize("said", [-1, 1])
def test_a_file_of_another_size_than_said_is_refused(tmp_path: Path, said: int) -> None:
    path = _files(tmp_path, [5 * CHUNK])[0]
    with path.open("rb") as stream, (tmp_path / "out").open("wb") as out, pytest.raises(CryptoError) as refused:
        _seal([sealed_bid.FileIn(path.name, path.stat().st_size + said, stream)], out)
    assert refused.value.code == "MANIFEST"


def test_a_target_opened_for_appending_goes_the_sequential_way(tmp_path: Path) -> None:
    path = _files(tmp_path, [5 * CHUNK])[0]
    target = tmp_path / "out"
    with path.open("rb") as stream, target.open("ab") as out:
        sealed = _seal([sealed_bid.FileIn(path.name, path.stat().st_size, stream)], out)
    with target.open("rb") as source:
        assert sealed_bid.inspect(source).sealed_root == sealed.sealed_root


def _opened_into(folder: Path, sealed: Path, made: sealed_bid.Sealed) -> tuple[sealed_bid.Opened, list[Path]]:
    """As the commands do: a file for each item, the one before closed as soon as the next is asked for."""
    paths: list[Path] = []
    files: list[Any] = []

    def sink(item: dict[str, Any]) -> Any:
        for before in files:
            before.close()
        paths.append(folder / item["name"])
        files.append(paths[-1].open("xb"))
        files[-1].write(b"in front")  # a sink that does not begin at 0
        return files[-1]

    with sealed.open("rb") as source:
        opened = sealed_bid.open(source, made.seed, sink, made.sealed_root)
    assert files[-1].tell() == len(b"in front") + opened.manifest["files"][-1]["size"]
    files[-1].close()
    return opened, paths


@settings(max_examples=12)
@given(sizes=st.lists(st.sampled_from(SIZES), min_size=1, max_size=5))
def test_files_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    folder = tmp_path_factory.mktemp("out")
    paths = _files(folder, sizes)
    memory = io.BytesIO()
    made = _seal([sealed_bid.FileIn(p.name, p.stat().st_size, io.BytesIO(p.read_bytes())) for p in paths], memory)
    (folder / "sealed").write_bytes(memory.getvalue())
    (folder / "opened").mkdir()
    opened, found = _opened_into(folder / "opened", folder / "sealed", made)
    assert [p.read_bytes() for p in found] == [b"in front" + p.read_bytes() for p in paths]
    assert [h.hex() for h in opened.hashes] == [hashlib.sha256(p.read_bytes()).hexdigest() for p in paths]


def test_a_full_disk_is_told_and_not_passed_over(tmp_path: Path) -> None:
    target, sealed, _ = _sealed_file(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with target.open("rb") as source, (tmp_path / "out").open("wb") as out, pytest.raises(OSError) as told:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5 * CHUNK, hard))
        try:
            sealed_bid.open(source, sealed.seed, lambda _: out, sealed.sealed_root)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert told.value.errno == errno.EFBIG


def test_a_place_that_is_a_part_of_a_file_ends_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as stream:
        place, view = positional.Place(stream.fileno(), 2, 5), memoryview(bytearray(8))
        assert place.size == 5 and place.read_into(view, 1) == 4 and bytes(view[:4]) == b"3456"
        assert place.read_into(view, 5) == place.read_into(view, 9) == 0
        assert positional.Place(stream.fileno(), 8, 5).size == 2
