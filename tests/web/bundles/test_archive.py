"""A bundle's bytes, hashed on threads from a file as they are hashed in turn from memory; a part of it read as a stream and by position."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path

import pytest

from crypto import positional
from web.verifier.archive import open_archive
from web.verifier.findings import Findings

SIZES = {
    "a/small": 10,
    "b/empty": 0,
    "c/large": (1 << 18) + 7,
    "d/larger": (3 << 20) + 1,
    "e/edge": 1 << 18,
    "f/last": 99,
}


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    held = {name: os.urandom(size) for name, size in SIZES.items()}
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as out:
        for name, data in held.items():
            out.writestr(name, data)
    return path, held


def test_every_file_has_its_digest_and_checksum(bundle: tuple[Path, dict[str, bytes]]) -> None:
    path, held = bundle
    for source in (path.open("rb"), io.BytesIO(path.read_bytes())):
        with source:
            found = open_archive(source, Findings())
            assert found.digests == {name: hashlib.sha256(data).digest() for name, data in held.items()}
            assert found.crcs == {name: zlib.crc32(data) for name, data in held.items()}


@pytest.mark.parametrize("cut", [1, 200, 3 << 20, (3 << 20) + 400])
def test_what_is_left_of_a_bundle_cut_off_is_hashed_alike(bundle: tuple[Path, dict[str, bytes]], cut: int) -> None:
    path, _ = bundle
    path.write_bytes(path.read_bytes()[:-cut])
    found = []
    for source in (path.open("rb"), io.BytesIO(path.read_bytes())):
        with source:
            one = open_archive(source, Findings())
            found.append((one.digests, one.crcs, one.files))
    assert found[0] == found[1]


def test_a_file_of_it_is_a_stream_and_a_place(bundle: tuple[Path, dict[str, bytes]]) -> None:
    path, held = bundle
    with path.open("rb") as source:
        archive = open_archive(source, Findings())
        stream = archive.stream("c/large")
        assert stream.read(5) == held["c/large"][:5]
        place = positional.place_of(stream)
        assert place is not None and place.size == len(held["c/large"]) - 5
        view = memoryview(bytearray(place.size + 9))
        assert place.read_into(view, 0) == place.size and bytes(view[: place.size]) == held["c/large"][5:]
        assert stream.read() == held["c/large"][5:] and positional.place_of(stream, writing=True) is None
        assert positional.place_of(open_archive(io.BytesIO(path.read_bytes()), Findings()).stream("c/large")) is None
