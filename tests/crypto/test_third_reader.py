"""The document of the format is enough: a reader written from it alone agrees with the product on every vector, good and bad."""

import json
from pathlib import Path

import pytest

from tests.crypto import third_reader
from tests.crypto.test_sealed_bid import CASES, SEALED, rebuilt
from tests.crypto.vectors import gen, vec

OFFICERS = {one["index"]: bytes.fromhex(one["sk"]) for one in vec("keys")["officers"]}


def open_it(data: bytes, parts: dict[int, bytes]) -> tuple[dict, list[bytes], list[str]]:
    return third_reader.open_bid(data, third_reader.File(data).root, parts)


@pytest.mark.parametrize("name", CASES)
def test_it_makes_the_header_and_opens_the_file(name: str) -> None:
    case, (data, made) = CASES[name], SEALED[name]
    file = third_reader.File(data)
    assert third_reader.make_header(made.seed, case["ctx"]) == file.raw == case["header_jcs"].encode()
    assert file.root == made.sealed_root and file.header_hash.hex() == case["header_hash"]
    parts = {j: third_reader.open_box(file, j, OFFICERS[j]) for j in list(OFFICERS)[-case["ctx"]["t"] :]}
    if case["ctx"]["co_opening"]:
        parts[0] = third_reader.open_box(file, 0, bytes.fromhex(vec("keys")["bidder_kem"]["sk"]))
    manifest, files, digests = open_it(data, parts)
    assert manifest == json.loads(case["manifest_jcs"])
    assert files == [gen(one["gen"], one["size"]) for one in case["files"]]
    assert digests == next(known["digests"] for known in vec("file_digests") if known["base"] == name)
    with pytest.raises(third_reader.Refused, match="SEALED_ROOT"):
        third_reader.open_bid(data, bytes(32), parts)
    too_few = {j: part for j, part in parts.items() if j != max(parts)}
    with pytest.raises(third_reader.Refused, match="TOO_FEW_SHARES"):
        open_it(data, too_few)


@pytest.mark.parametrize("case", vec("bad"), ids=lambda c: c["id"])
def test_it_refuses_what_the_product_refuses(case: dict) -> None:
    data = rebuilt(case)
    with pytest.raises(third_reader.Refused) as refused:
        open_it(data, {int(j): bytes.fromhex(part) for j, part in case["shares"].items()})
    assert refused.value.args[0] == case["expect"]


@pytest.mark.parametrize("case", vec("bad_headers"), ids=lambda c: c.get("id", ""))
def test_it_refuses_bad_headers(case: dict) -> None:
    raw = case["header"].encode()
    with pytest.raises(third_reader.Refused) as refused:
        third_reader.File(b"BIDSEAL1" + len(raw).to_bytes(4, "big") + raw + bytes(65_536 + 16))
    assert refused.value.args[0] == case["expect"]


def test_it_uses_nothing_of_ours() -> None:
    source = Path(third_reader.__file__).read_text(encoding="utf-8")
    assert not any(
        f"{word} {package}" in source
        for word in ("import", "from")
        for package in ("crypto.", "crypto ", "trading", "web")
    )
    assert source.count("\n") < 350
