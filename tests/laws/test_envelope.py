"""Laws of the sealed file and of its shares (protocol §3): any t of n officers, in any order, read the same seed; fewer read nothing;
whoever hands in a wrong share is named; and no change to a byte, a chunk, a length or their order is ever taken for the bid."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from crypto import headers, sealed_bid, shares
from crypto.canonical import D, H, b64u, dumps
from crypto.errors import CryptoError
from crypto.headers import CHUNK, SUITE
from crypto.keys import x25519_public

SECRETS = [bytes([100 + j]) * 32 for j in range(16)]
"""X25519, the bidder's first, then fifteen officers'."""
PIECE = CHUNK + 16
STRUCTURE = {"FORMAT", "SIZE", "HEADER_CANONICAL", "HEADER_SCHEMA", "SUITE_UNKNOWN"}


@cache
def publics() -> list[str]:
    return [b64u(x25519_public(secret)) for secret in SECRETS]


def ctx_of(t: int, n: int, plen: int = 65_536, co: bool = False) -> dict[str, Any]:
    return {
        "v": 1,
        "suite": SUITE,
        "platform": "law",
        "tender": "T",
        "lot": "1",
        "envelope": "bid",
        "bidder": "B",
        "policy": b64u(bytes(32)),
        "t": t,
        "n": n,
        "officers": publics()[1 : n + 1],
        "co_opening": co,
        "bidder_key": publics()[0] if co else "",
        "plen": plen,
    }


def code_of(act: Any) -> str:
    with pytest.raises(CryptoError) as refused:
        act()
    return refused.value.code


# --- shares -------------------------------------------------------------------------------------------------------------------------------


def inverse(a: int) -> int:
    return next(b for b in range(1, 256) if shares.multiply(a, b) == 1)


def value_at(points: dict[int, int], x: int) -> int:
    """The value at x of the polynomial through these points of GF(256), by Lagrange: written here anew, so that it proves something."""
    total = 0
    for j, y in points.items():
        weight = 1
        for m in points:
            if m != j:
                weight = shares.multiply(weight, shares.multiply(x ^ m, inverse(j ^ m)))
        total ^= shares.multiply(y, weight)
    return total


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 255), st.integers(2, 15), st.data())
@pytest.mark.promise("S3")
def test_one_share_too_few_fits_every_secret_alike(secret: int, t: int, data: st.DataObject) -> None:
    """What t-1 officers hold says nothing: whatever secret is named, just one last share would have given it."""
    n = data.draw(st.integers(t, 15))
    coefficients = data.draw(st.lists(st.binary(min_size=1, max_size=1), min_size=t - 1, max_size=t - 1))
    made = shares.split(bytes([secret]), coefficients, n)
    few = data.draw(st.permutations(range(1, n + 1)))[: t - 1]
    last = data.draw(st.sampled_from([j for j in range(1, n + 1) if j not in few]))
    held = {j: made[j][0] for j in few}
    fitting = {named: value_at({0: named, **held}, last) for named in range(256)}
    assert len(set(fitting.values())) == 256 and fitting[secret] == made[last][0]
    named = data.draw(st.integers(0, 255))
    assert shares.join({**{j: made[j] for j in few}, last: bytes([fitting[named]])}, t) == bytes([named])


@dataclass(frozen=True)
class Shared:
    header: headers.Header
    seed: bytes
    parts: dict[int, bytes]


@cache
def shared(t: int, n: int, co: bool) -> Shared:
    """A header, and what each holder finds in its box."""
    seed = H("law", bytes([t, n, co]))
    header = headers.parse_header(headers.make_header(seed, ctx_of(t, n, co=co)))
    return Shared(header, seed, {j: headers.open_share(header, j, SECRETS[j]) for j in header.boxes})


quorums = st.integers(2, 15).flatmap(lambda n: st.tuples(st.integers(2, n), st.just(n)))


@settings(max_examples=120, deadline=None)
@given(quorums, st.booleans(), st.data())
@pytest.mark.promise("S3")
def test_any_t_in_any_order_read_the_same_seed_and_no_fewer_do(
    quorum: tuple[int, int], co: bool, data: st.DataObject
) -> None:
    (t, n), one = quorum, shared(*quorum, co)
    order = data.draw(st.permutations(sorted(one.parts)))
    came = data.draw(st.integers(t, n))
    chosen = [j for j in order if j][:came]
    given_ = {j: one.parts[j] for j in order if j in chosen or j == 0}
    seed = headers.join_shares(one.header, given_)
    assert seed == one.seed
    headers.rederive(one.header, seed)
    few = {j: one.parts[j] for j in order if j in chosen[: t - 1] or j == 0}
    assert code_of(lambda: headers.join_shares(one.header, few)) == "TOO_FEW_SHARES"
    if co:
        alone = {j: part for j, part in one.parts.items() if j}
        assert code_of(lambda: headers.join_shares(one.header, alone)) == "BIDDER_PART_MISSING", (
            "all officers together, the bidder away"
        )


@settings(max_examples=120, deadline=None)
@given(quorums, st.booleans(), st.data())
def test_a_wrong_share_is_named_or_not_needed(quorum: tuple[int, int], co: bool, data: st.DataObject) -> None:
    (t, n), one = quorum, shared(*quorum, co)
    wrong = set(data.draw(st.lists(st.integers(1, n), min_size=1, max_size=n, unique=True)))
    parts = dict(one.parts)
    for j in wrong:
        parts[j] = data.draw(
            st.sampled_from([bytes(32), one.parts[j % n + 1], one.parts[j][:-1] + bytes([one.parts[j][-1] ^ 1])])
        )
        assume(parts[j] != one.parts[j])
        assert code_of(lambda j=j: headers.check_share(one.header, j, parts[j])) == "SHARE_COMMIT"
    if n - len(wrong) >= t:
        assert headers.join_shares(one.header, parts) == one.seed
    else:
        with pytest.raises(CryptoError) as refused:
            headers.join_shares(one.header, parts)
        assert (refused.value.code, refused.value.index) == ("SHARE_COMMIT", min(wrong))
    if co:
        with pytest.raises(CryptoError) as refused:
            headers.join_shares(one.header, {**one.parts, 0: bytes(32)})
        assert (refused.value.code, refused.value.index) == ("SHARE_COMMIT", 0)


@settings(max_examples=40, deadline=None)
@given(quorums, st.data())
def test_a_share_opens_nothing_of_another_bid(quorum: tuple[int, int], data: st.DataObject) -> None:
    """The same officers, the same bidder, the same tender but for one word of the context."""
    one = shared(*quorum, False)
    field = data.draw(st.sampled_from(["platform", "tender", "lot", "envelope", "bidder"]))
    other = headers.parse_header(headers.make_header(one.seed, one.header.ctx | {field: "another"}))
    for j, part in one.parts.items():
        assert code_of(lambda j=j, part=part: headers.check_share(other, j, part)) == "SHARE_COMMIT"
    moved = headers.parse_header(one.header.raw.replace(dumps(one.header.ctx), dumps(other.ctx)))
    assert code_of(lambda: headers.join_shares(moved, one.parts)) == "SHARE_COMMIT", "boxes copied under another name"
    assert code_of(lambda: headers.open_share(moved, 1, SECRETS[1])) == "SHARE_OPEN"


# --- the file -----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sealed:
    data: bytes
    seed: bytes
    root: bytes
    header: headers.Header

    @property
    def first(self) -> int:
        return 12 + len(self.header.raw)

    @property
    def chunks(self) -> list[bytes]:
        return [self.data[i : i + PIECE] for i in range(self.first, len(self.data), PIECE)]


def content_of(sizes: list[int], *, announce: dict[str, str] | None = None) -> bytes:
    """Manifest and files, not padded."""
    files = [{"name": f"{i}.bin", "size": size, "type": ""} for i, size in enumerate(sizes)]
    manifest = {"v": 1, "announce": announce or {}, "files": files}
    body = dumps(manifest)
    return len(body).to_bytes(4, "big") + body + b"".join(bytes([65 + i]) * size for i, size in enumerate(sizes))


def seal(content: bytes, *, plen: int = 0, seed: bytes = bytes(range(32))) -> Sealed:
    """Any content sealed under an honest header that states ``plen``: what a hostile sealer can do, unseen before the opening."""
    plen = plen or headers.padded(len(content))
    raw = headers.make_header(seed, ctx_of(3, 5, plen))
    header = headers.parse_header(raw)
    aes = sealed_bid.AESGCM(D(seed, header.header_hash, "content"))
    padded = content + bytes(max(0, plen - len(content)))
    pieces = [padded[i : i + CHUNK] for i in range(0, len(padded), CHUNK)]
    body = b"".join(
        aes.encrypt(sealed_bid.nonce(i, i == len(pieces) - 1), piece, None) for i, piece in enumerate(pieces)
    )
    data = b"BIDSEAL1" + len(raw).to_bytes(4, "big") + raw + body
    try:
        root = sealed_bid.inspect(io.BytesIO(data)).sealed_root
    except CryptoError:
        root = bytes(32)
    return Sealed(data, seed, root, header)


@cache
def large() -> Sealed:
    """Four chunks, the last one short."""
    return seal(content_of([700_000, 0, 900_001], announce={"price": "1.00"}))


def refused(data: bytes, one: Sealed, *, signed: bool = False) -> str:
    return code_of(lambda: sealed_bid.open(io.BytesIO(data), one.seed, None, one.root if signed else None))


def test_the_large_one_opens() -> None:
    one = large()
    assert len(one.chunks) == 4 and len(one.chunks[-1]) < PIECE
    opened = sealed_bid.open(io.BytesIO(one.data), one.seed, None, one.root)
    assert opened.announce == {"price": "1.00"} and len(opened.digests) == 3


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(0, 7))
@example(0, 0)
@example(8, 7)
@example(11, 0)
@example(12, 0)
def test_a_bit_anywhere_is_refused_with_the_code_of_its_place(where: int, bit: int) -> None:
    one = large()
    at = where % len(one.data) if where % 3 else where % one.first  # a third of them in the header, which is small
    data = bytearray(one.data)
    data[at] ^= 1 << bit
    code = refused(bytes(data), one)
    if at < 8:
        assert code == "FORMAT"
    elif at < 12:
        assert code in {"FORMAT", "SIZE", "HEADER_CANONICAL", "HEADER_SCHEMA"}
    elif at < one.first:
        assert code in STRUCTURE | {"REDERIVE"}
    else:
        assert code == "CHUNK_AUTH"
    assert refused(bytes(data), one, signed=True) == "SEALED_ROOT"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=6))
@example([0, 1, 3, 2])
@example([1, 1, 2, 3])
@example([0, 1, 2])
@example([])
@example([0, 1, 2, 3, 3])
def test_chunks_in_another_order_or_number_are_refused(order: list[int]) -> None:
    assume(order != [0, 1, 2, 3])
    one = large()
    data = one.data[: one.first] + b"".join(one.chunks[i] for i in order)
    assert refused(data, one) == ("CHUNK_AUTH" if len(data) == len(one.data) else "SIZE")
    assert refused(data, one, signed=True) == "SEALED_ROOT"


def test_a_chunk_of_another_file_of_the_same_seed_is_refused() -> None:
    """The content key hangs on the whole header: another size, another key."""
    one = large()
    other = seal(content_of([2_000_000]))
    data = one.data[: one.first] + other.chunks[0] + one.data[one.first + PIECE :]
    assert one.seed == other.seed and refused(data, one) == "CHUNK_AUTH"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), st.binary(min_size=1, max_size=40))
@example(0, b"x")
@example(8, b"x")
@example(12, b"x")
def test_cut_off_or_longer_anywhere_is_refused(where: int, more: bytes) -> None:
    one = large()
    cut = where % len(one.data)
    code = refused(one.data[:cut], one)
    assert code == ("FORMAT" if cut < 12 else "SIZE")
    assert refused(one.data[:cut], one, signed=True) == refused(one.data + more, one, signed=True) == "SEALED_ROOT"
    assert refused(one.data + more, one) == "SIZE"


# --- sizes that lie -----------------------------------------------------------------------------------------------------------------------


lengths = st.sampled_from([65_536, 67_584, 131_072, 524_288, 1_048_576])


@settings(max_examples=60, deadline=None)
@given(lengths, lengths)
def test_a_header_that_lies_about_the_length(said: int, real: int) -> None:
    """Sealed by somebody who knows the seed, so that everything else is right."""
    assume(said != real)
    raw = headers.make_header(bytes(range(32)), ctx_of(3, 5, said))
    body = seal(content_of([10]), plen=real).chunks
    data = b"BIDSEAL1" + len(raw).to_bytes(4, "big") + raw + b"".join(body)
    assert code_of(lambda: sealed_bid.inspect(io.BytesIO(data))) == "SIZE"
    assert code_of(lambda: sealed_bid.open(io.BytesIO(data), bytes(range(32)))) == "SIZE"


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 4), st.integers(-70_000, 700_000))
@example(0, -1)
@example(1, 1)
@example(4, -1)
@example(4, 1)
def test_a_manifest_that_lies_about_a_size(which: int, by: int) -> None:
    """A file said to be shorter leaves bytes that are no padding, one said to be longer runs out of the content or into its padding."""
    sizes = [5, 100, 70_000, 0, 300_000]
    assume(by and sizes[which] + by >= 0)
    honest = content_of(sizes)
    told = list(sizes)
    told[which] += by
    lying = content_of(told)
    head = 4 + int.from_bytes(lying[:4], "big")
    content = lying[:head] + honest[4 + int.from_bytes(honest[:4], "big") :]
    one = seal(content, plen=headers.padded(len(honest)))
    meant = head + sum(told)
    if meant > headers.padded(len(honest)):
        assert refused(one.data, one) == "MANIFEST"
    elif meant < len(content) or headers.padded(meant) != headers.padded(len(honest)):
        assert refused(one.data, one) == "PADDING"
    else:  # longer by what was padding all the same: then it is just a file that ends in zeros
        sealed_bid.open(io.BytesIO(one.data), one.seed, None, one.root)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 0xFFFFFFFF))
@example(0)
@example(1 << 20)
@example((1 << 20) + 1)
@example(0xFFFFFFFF)
def test_a_manifest_that_lies_about_its_own_length(said: int) -> None:
    content = content_of([1000])
    assume(said != int.from_bytes(content[:4], "big"))
    one = seal(said.to_bytes(4, "big") + content[4:])
    assert refused(one.data, one) == "MANIFEST"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60_000), st.integers(1, 255))
def test_padding_that_is_none(where: int, byte: int) -> None:
    content = content_of([100])
    at = len(content) + where % (65_536 - len(content))
    full = bytearray(content + bytes(65_536 - len(content)))
    full[at] = byte
    one = seal(bytes(full))
    assert refused(one.data, one) == "PADDING"


def test_a_broken_chunk_outranks_what_the_others_say() -> None:
    """A manifest of nonsense and a chunk that does not open: the first match of the protocol's order is the chunk."""
    one = seal(b"\xff" * 4 + bytes(1_500_000))
    data = bytearray(one.data)
    data[-1] ^= 1
    assert refused(one.data, one) == "MANIFEST" and refused(bytes(data), one) == "CHUNK_AUTH"
