"""The sealed file: vectors byte for byte, tampered files, and the laws of sealing (protocol section 3)."""

import base64
import hashlib
import io
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto import headers, hpke, policies, sealed_bid, shares
from crypto.canonical import D, H, b64u, dumps, loads, unb64u
from crypto.errors import CODES, CryptoError
from tests.crypto.vectors import gen, vec

CASES = {case["id"]: case for case in vec("sealed")}
POLICIES = {p["policy_id"]: json.loads(p["policy_jcs"]) for p in vec("policies")}


def seal_case(case: dict) -> tuple[bytes, sealed_bid.Sealed]:
    files = [
        sealed_bid.FileIn(f["name"], f["size"], io.BytesIO(gen(f["gen"], f["size"])), m["type"])
        for f, m in zip(case["files"], case["manifest"]["files"], strict=True)
    ]
    out = io.BytesIO()
    ctx = case["ctx"]
    key = unb64u(ctx["bidder_key"])
    made = sealed_bid._seal(
        bytes.fromhex(case["seed"]),
        POLICIES[ctx["policy"]],
        ctx["bidder"],
        case["manifest"]["announce"],
        files,
        out,
        key,
    )
    return out.getvalue(), made


SEALED = {name: seal_case(case) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_sealed_bytes(name: str) -> None:
    case, (data, made) = CASES[name], SEALED[name]
    seed, ctx_hash = bytes.fromhex(case["seed"]), bytes.fromhex(case["ctx_hash"])
    header = made.header
    assert header.ctx == case["ctx"] and header.ctx_hash == ctx_hash
    assert hashlib.sha256(dumps(case["ctx"])).hexdigest() == case["ctx_jcs_sha256"]
    assert header.commit.hex() == case["commit"]
    assert [D(seed, ctx_hash, f"shamir/{k}").hex() for k in range(1, header.t)] == case["shamir_coefs"]
    assert {str(j): p.hex() for j, p in headers.make_parts(seed, case["ctx"]).items()} == case["parts"]
    assert {str(j): D(seed, ctx_hash, f"ephemeral/{j}").hex() for j in header.boxes} == case["ephemeral_ikm"]
    assert {str(j): box.c.hex() for j, box in header.boxes.items()} == case["share_commits"]
    assert header.raw == case["header_jcs"].encode() and len(header.raw) == case["header_len"]
    assert header.header_hash.hex() == case["header_hash"]
    assert headers.content_key(seed, header).hex() == case["content_key"]
    assert dumps(case["manifest"]) == case["manifest_jcs"].encode()
    assert (len(data), made.size) == (case["sealed_size"],) * 2
    assert hashlib.sha256(data).hexdigest() == case["sealed_sha256"]
    assert [made.pieces[i : i + 32].hex() for i in range(0, len(made.pieces), 32)] == case["piece_sha256"]
    assert made.sealed_root.hex() == case["sealed_root"] == sealed_bid.root_of_pieces(made.pieces).hex()
    first = 12 + case["header_len"]
    chunks = [data[i : i + headers.CHUNK + 16] for i in range(first, len(data), headers.CHUNK + 16)]
    assert [c[-16:].hex() for c in chunks] == case["chunk_tags"]
    assert chunks[0][:64].hex() == case["first_chunk_first_64"]
    if "sealed_base64" in case:
        assert base64.b64decode(case["sealed_base64"]) == data


@pytest.mark.parametrize("name", CASES)
def test_every_named_set_of_officers_opens_it(name: str) -> None:
    case, (data, made) = CASES[name], SEALED[name]
    officers = {o["index"]: bytes.fromhex(o["sk"]) for o in vec("keys")["officers"]}
    parts = {j: headers.open_share(made.header, j, sk) for j, sk in officers.items()}
    if made.header.co_opening:
        parts[0] = headers.open_share(made.header, 0, bytes.fromhex(vec("keys")["bidder_kem"]["sk"]))
    for chosen in case["open_with"]:
        mine = {j: parts[j] for j in chosen}
        if made.header.co_opening:
            mine[0] = parts[0]
        seed = headers.join_shares(made.header, mine)
        assert seed.hex() == case["seed"]
        headers.rederive(made.header, seed)
    files: dict[str, io.BytesIO] = {}
    opened = sealed_bid.open(
        io.BytesIO(data),
        bytes.fromhex(case["seed"]),
        lambda item: files.setdefault(item["name"], io.BytesIO()),
        made.sealed_root,
    )
    assert opened.manifest == case["manifest"] and opened.announce == case["manifest"]["announce"]
    for item in case["files"]:
        assert hashlib.sha256(files[item["name"]].getvalue()).hexdigest() == item["sha256"]


@pytest.mark.parametrize("case", vec("file_digests"), ids=lambda c: c["base"])
def test_file_digests(case: dict[str, Any]) -> None:
    data, made = SEALED[case["base"]]
    assert headers.file_salt(made.seed, made.header).hex() == case["file_salt"]
    assert list(sealed_bid.open(io.BytesIO(data), made.seed).digests) == case["digests"]


@pytest.mark.parametrize("case", vec("boundary"), ids=lambda c: str(c["content_bytes_before_padding"]))
def test_lengths_at_the_edges(case: dict[str, Any]) -> None:
    item = case["manifest"]["files"][0]
    ctx = case["ctx"]
    out = io.BytesIO()
    made = sealed_bid._seal(
        bytes.fromhex(case["seed"]),
        POLICIES[ctx["policy"]],
        ctx["bidder"],
        {},
        [sealed_bid.FileIn("f", item["size"], io.BytesIO(gen(case["gen"], item["size"])))],
        out,
        b"",
    )
    data = out.getvalue()
    assert made.header.ctx == ctx and made.header.plen == case["plen"]
    assert headers.chunk_count(case["plen"]) == case["chunks"]
    assert len(data) == case["sealed_size"] and hashlib.sha256(data).hexdigest() == case["sealed_sha256"]
    assert made.sealed_root.hex() == case["sealed_root"]
    assert len(data) - 12 - len(made.header.raw) - (case["chunks"] - 1) * (headers.CHUNK + 16) == case["last_chunk"]
    assert sealed_bid.open(io.BytesIO(data), made.seed).manifest == case["manifest"]


def test_padding_sizes_and_nonces() -> None:
    for case in vec("padme"):
        assert (headers.padme(case["n"]), headers.padded(case["n"])) == (case["padme"], case["padded"])
    for case in vec("sealed_size"):
        assert headers.sealed_size(case["header_len"], case["plen"]) == case["size"]
    for case in vec("nonces"):
        assert sealed_bid.nonce(case["i"], case["last"]).hex() == case["nonce"]


def test_sharing_and_boxes() -> None:
    case = vec("shamir")
    secret, coefs = bytes.fromhex(case["secret"]), [bytes.fromhex(a) for a in case["coefs"]]
    made = shares.split(secret, coefs, case["n"])
    assert {str(j): s.hex() for j, s in made.items()} == case["shares"]
    assert all(shares.multiply(a, b) == product for a, b, product in case["gf_mul"])
    box = {k: bytes.fromhex(v) for k, v in vec("hpke_base").items()}
    assert hpke.seal(box["pk_r"], box["info"], box["pt"], ikm=box["ikm_e"], aad=box["aad"]) == (box["enc"], box["ct"])
    assert hpke.open_box(box["sk_r"], box["enc"], box["ct"], box["info"]) == box["pt"]


@pytest.mark.parametrize("case", vec("bad_headers"), ids=lambda c: c["id"])
def test_bad_headers(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        headers.parse_header(case["header"].encode())
    assert refused.value.code == case["expect"]
    assert headers.hash_of_text(b64u(case["header"].encode())) == ""


# tampered files


def with_header(raw: bytes, seed: bytes, content: bytes) -> bytes:
    """A file whose content is keyed to these header bytes, honest or not."""
    aes = sealed_bid.AESGCM(D(seed, H("header", raw), "content"))
    chunks = [content[i : i + headers.CHUNK] for i in range(0, len(content), headers.CHUNK)]
    body = b"".join(aes.encrypt(sealed_bid.nonce(i, i == len(chunks) - 1), c, None) for i, c in enumerate(chunks))
    return b"BIDSEAL1" + len(raw).to_bytes(4, "big") + raw + body


def plain_content(name: str) -> bytes:
    case = CASES[name]
    body = dumps(case["manifest"])
    content = len(body).to_bytes(4, "big") + body + b"".join(gen(f["gen"], f["size"]) for f in case["files"])
    content += bytes(case["ctx"]["plen"] - len(content))
    assert hashlib.sha256(content).hexdigest() == case["content_sha256"]
    return content


def rebuilt(case: dict) -> bytes:
    """The tampered file of a vector, by its recipe; its hash is in the vector."""
    if case["base"] is None:
        head, tail = bytes.fromhex(case["content_head"]), bytes.fromhex(case["content_tail"])
        content = head + bytes(case["content_len"] - len(head) - len(tail)) + tail
        seed = bytes.fromhex(case["seed"])
        return with_header(headers.make_header(seed, case["ctx"]), seed, content)
    data, made = SEALED[case["base"]]
    raw, first = made.header.raw, 12 + len(made.header.raw)
    name, piece = case["id"], headers.CHUNK + 16
    if name == "magic":
        return bytes([data[0] ^ 1]) + data[1:]
    if name == "truncated-1":
        return data[:-1]
    if name == "trailing-1":
        return data + b"\0"
    if name == "chunk-flip-first":
        return data[: first + 5] + bytes([data[first + 5] ^ 0x80]) + data[first + 6 :]
    if name == "chunk-flip-tag":
        return data[:-1] + bytes([data[-1] ^ 1])
    if name == "chunks-swapped":
        return (
            data[:first]
            + data[first + piece : first + 2 * piece]
            + data[first : first + piece]
            + data[first + 2 * piece :]
        )
    if name == "header-space":
        return data[:8] + (len(raw) + 1).to_bytes(4, "big") + b"{ " + raw[1:] + data[first:]
    value = loads(raw)
    if name == "copied-under-other-name":
        value["ctx"]["bidder"] = "91130205MA0XXXXX9Y"
    elif name == "moved-to-other-envelope":
        value["ctx"]["envelope"] = "technical"
    elif name == "garbage-box-5":
        value["boxes"][4]["ct"] = b64u(bytes.fromhex(case["garbage"]))
        return with_header(dumps(value), made.seed, plain_content(case["base"]))
    elif "header_jcs" in case:
        return with_header(case["header_jcs"].encode(), made.seed, plain_content(case["base"]))
    else:
        return data
    new = dumps(value)
    return data[:8] + len(new).to_bytes(4, "big") + new + data[first:]


def open_with(data: bytes, parts: dict[int, bytes]) -> sealed_bid.Opened:
    seed = headers.join_shares(sealed_bid.inspect(io.BytesIO(data)).header, parts)
    return sealed_bid.open(io.BytesIO(data), seed)


@pytest.mark.parametrize("case", vec("bad"), ids=lambda c: c["id"])
def test_tampered_files(case: dict[str, Any]) -> None:
    data = rebuilt(case)
    assert hashlib.sha256(data).hexdigest() == case["sealed_sha256"]
    parts = {int(j): bytes.fromhex(p) for j, p in case["shares"].items()}
    with pytest.raises(CryptoError) as refused:
        open_with(data, parts)
    assert refused.value.code == case["expect"]
    if case["fault_if_root_is_the_signed_one"].startswith("officer "):
        assert refused.value.index == int(case["fault_if_root_is_the_signed_one"][8:])
    if "open_box_5_expect" in case:
        header = sealed_bid.inspect(io.BytesIO(data)).header
        with pytest.raises(CryptoError) as box:
            headers.open_share(header, 5, bytes.fromhex(vec("keys")["officers"][4]["sk"]))
        assert (box.value.code, box.value.index) == (case["open_box_5_expect"], 5)
    if case.get("sealed_root") and case["expect"] not in ("FORMAT", "SIZE", "HEADER_CANONICAL"):
        assert sealed_bid.inspect(io.BytesIO(data)).sealed_root.hex() == case["sealed_root"]
    if case["expect"] in ("CHUNK_AUTH", "SIZE", "FORMAT", "HEADER_CANONICAL"):
        _, made = SEALED[case["base"]]
        with pytest.raises(CryptoError) as other:
            sealed_bid.open(io.BytesIO(data), made.seed, None, made.sealed_root)
        assert other.value.code == "SEALED_ROOT"


# laws

POLICY = next(iter(POLICIES.values()))
OPEN = next(p for p in POLICIES.values() if p["co_opening"])
KEM = bytes.fromhex(vec("keys")["bidder_kem"]["pk"])


def sealed(
    files: dict[str, bytes], announce: dict[str, str] | None = None, policy: dict = POLICY
) -> tuple[bytes, sealed_bid.Sealed]:
    out = io.BytesIO()
    made = sealed_bid.seal(
        policy,
        bidder="B",
        announce=announce or {},
        out=out,
        files=[sealed_bid.FileIn(n, len(d), io.BytesIO(d)) for n, d in files.items()],
        bidder_key=KEM if policy["co_opening"] else b"",
    )
    return out.getvalue(), made


class Dribble(io.RawIOBase):
    """A stream that gives fewer bytes than asked, as sockets do."""

    def __init__(self, data: bytes, most: int) -> None:
        self._from, self._most = io.BytesIO(data), most

    def read(self, size: int = -1) -> bytes:
        return self._from.read(self._most if size < 0 else min(size, self._most))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([0, 1, 7, 65_535, 65_536, 524_287, 524_288, 524_289, 1_048_576]), max_size=4),
    st.integers(-90, 90),
    st.dictionaries(st.from_regex("[a-z]{1,5}", fullmatch=True), st.text(max_size=9), max_size=3),
)
@example([524_288, 524_288, 524_288], 0, {})
@example([0, 0, 0], 0, {})
def test_round_trip(sizes: list[int], shift: int, announce: dict[str, str]) -> None:
    files = {f"文件{i}.pdf": gen(f"f{i}", max(0, size + shift if size > 100 else size)) for i, size in enumerate(sizes)}
    data, made = sealed(files, announce)
    got: dict[str, io.BytesIO] = {}
    opened = sealed_bid.open(
        Dribble(data, 300_001), made.seed, lambda item: got.setdefault(item["name"], io.BytesIO()), made.sealed_root
    )
    assert {n: b.getvalue() for n, b in got.items()} == files and opened.announce == announce
    seen = sealed_bid.inspect(Dribble(data, 100_003))
    assert (seen.sealed_root, seen.size, seen.pieces) == (made.sealed_root, len(data), made.pieces)
    assert len(opened.digests) == len(files)


def test_a_thousand_files_and_a_manifest_beyond_one_chunk() -> None:
    files = {f"{i:03d}-" + "长" * 83: b"%d" % i for i in range(1000)}
    announce = {f"k{i}": "x" * 3000 for i in range(200)}
    data, made = sealed(files, announce)
    got: dict[str, io.BytesIO] = {}
    sealed_bid.open(io.BytesIO(data), made.seed, lambda item: got.setdefault(item["name"], io.BytesIO()))
    assert {n: b.getvalue() for n, b in got.items()} == files
    with pytest.raises(CryptoError) as refused:
        sealed({**files, "one more": b""})
    assert refused.value.code == "MANIFEST"
    with pytest.raises(CryptoError) as refused:
        sealed({}, {f"k{i}": "x" * 3000 for i in range(400)})
    assert refused.value.code == "MANIFEST"


SMALL, SMALL_MADE = sealed({"a": b"bid"}, {"price": "1.00"})
JOINT, JOINT_MADE = sealed({"a": b"bid"}, {"price": "1.00"}, OPEN)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255), st.booleans())
@example(8, 1, False)
@example(9, 1, True)
@example(12, 1, False)
@example(11, 4, False)
def test_one_flipped_byte_anywhere_is_refused(where: int, mask: int, joint: bool) -> None:
    data, made = (bytearray(JOINT), JOINT_MADE) if joint else (bytearray(SMALL), SMALL_MADE)
    data[min(where, len(data) - 1)] ^= mask
    with pytest.raises(CryptoError) as refused:
        sealed_bid.open(io.BytesIO(data), made.seed)
    assert refused.value.code in CODES
    with pytest.raises(CryptoError) as refused:
        sealed_bid.open(io.BytesIO(data), made.seed, None, made.sealed_root)
    assert refused.value.code == "SEALED_ROOT"
    with pytest.raises(CryptoError):
        open_with(bytes(data), headers.make_parts(made.seed, made.header.ctx))


@given(st.binary(min_size=32, max_size=32), st.integers(2, 15), st.data())
@settings(max_examples=60, deadline=None)
@pytest.mark.promise("S3")
def test_any_t_shares_join_and_fewer_do_not(secret: bytes, t: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(t, 15))
    coefs = data.draw(st.lists(st.binary(min_size=32, max_size=32), min_size=t - 1, max_size=t - 1))
    made = shares.split(secret, coefs, n)
    chosen = data.draw(st.permutations(range(1, n + 1)))
    assert shares.join({j: made[j] for j in chosen[:t]}, t) == secret
    assert shares.join({j: made[j] for j in chosen}, t) == secret
    with pytest.raises(CryptoError) as refused:
        shares.join({j: made[j] for j in chosen[: t - 1]}, t)
    assert refused.value.code == "TOO_FEW_SHARES"
    # t-1 shares fit every secret: for any other there is a polynomial through them
    few = {j: made[j] for j in chosen[: t - 1]}
    other = bytes(b ^ 1 for b in secret)
    assert any(shares.join({**few, j: bytes([x]) * 32}, t) != secret for j in [chosen[t - 1]] for x in (0, 1))
    assert other != secret


def test_all_sets_of_officers_open_the_same_seed_and_two_do_not() -> None:
    officers = {o["index"]: bytes.fromhex(o["sk"]) for o in vec("keys")["officers"]}
    parts = {j: headers.open_share(SMALL_MADE.header, j, sk) for j, sk in officers.items()}
    for size in range(1, 6):
        for chosen in itertools.combinations(parts, size):
            mine = {j: parts[j] for j in chosen}
            if size >= 3:
                assert headers.join_shares(SMALL_MADE.header, mine) == SMALL_MADE.seed
            else:
                with pytest.raises(CryptoError) as refused:
                    headers.join_shares(SMALL_MADE.header, mine)
                assert refused.value.code == "TOO_FEW_SHARES"
    wrong = {**parts, 1: bytes(32)}
    assert headers.join_shares(SMALL_MADE.header, wrong) == SMALL_MADE.seed, "a false share among enough good ones"


def test_the_seed_is_fresh_and_cannot_be_handed_in() -> None:
    import inspect

    assert sealed({"a": b"x"})[1].seed != sealed({"a": b"x"})[1].seed
    assert "seed" not in inspect.signature(sealed_bid.seal).parameters
    assert "seed" not in repr(SMALL_MADE)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0", "a\n", "a\x7f", "x" * 256, "a\x85", "长" * 86])
def test_file_names_that_are_none(name: str) -> None:
    with pytest.raises(CryptoError) as refused:
        sealed({name: b""})
    assert refused.value.code == "MANIFEST"


@pytest.mark.parametrize("said", [2, 4, 0, 600_000])
def test_a_file_that_changes_while_it_is_sealed(said: int) -> None:
    with pytest.raises(CryptoError) as refused:
        sealed_bid.seal(
            POLICY, bidder="B", announce={}, out=io.BytesIO(), files=[sealed_bid.FileIn("a", said, io.BytesIO(b"abc"))]
        )
    assert refused.value.code == "MANIFEST"


def test_drill_keys_and_size() -> None:
    for wrong in ({"bidder": "drill"}, {"bidder": "B", "bidder_key": KEM}):
        with pytest.raises(CryptoError) as refused:
            sealed_bid.seal(POLICY, announce={}, files=[], out=io.BytesIO(), **wrong)
        assert refused.value.code == "CONTEXT_MISMATCH"
    assert (
        sealed_bid.seal(POLICY, bidder="", announce={}, files=[], out=io.BytesIO(), drill=True).header.ctx["bidder"]
        == "drill"
    )
    small = {**POLICY, "max_plen": 65_536}
    with pytest.raises(CryptoError) as refused:
        sealed_bid.seal(
            small,
            bidder="B",
            announce={},
            out=io.BytesIO(),
            files=[sealed_bid.FileIn("a", 70_000, io.BytesIO(bytes(70_000)))],
        )
    assert refused.value.code == "TOO_LARGE"


class Zeros:
    """So many zero bytes, none of them held."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left) if size >= 0 else self.left
        self.left -= size
        return bytes(size)


def test_memory_stays_flat(tmp_path: Path) -> None:
    import tracemalloc

    peaks = []
    for size in (24 << 20, 96 << 20):
        path = tmp_path / str(size)
        tracemalloc.start()
        with path.open("wb") as out:
            made = sealed_bid.seal(
                POLICY, bidder="B", announce={}, out=out, files=[sealed_bid.FileIn("a", size, Zeros(size))]
            )
        with path.open("rb") as source:
            sealed_bid.open(source, made.seed, None, made.sealed_root)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        path.unlink()
    assert max(peaks) < 24 << 20 and peaks[1] < peaks[0] + (4 << 20), peaks


# inspecting while bytes arrive


def test_inspector_takes_pieces_of_any_size_and_resumes() -> None:
    data, made = sealed({"a": gen("a", 1_300_000)})
    for step in (1_000_003, 524_304, 4096, 7777):
        eye = sealed_bid.Inspector(len(data))
        for i in range(0, len(data), step):
            eye.feed(data[i : i + step])
        seen = eye.finish()
        assert (seen.sealed_root, seen.pieces) == (made.sealed_root, made.pieces)
    eye = sealed_bid.Inspector()
    for byte in range(12 + len(made.header.raw)):
        assert eye.header is None
        eye.feed(data[byte : byte + 1])
    assert eye.header == made.header
    head = data[: 12 + len(made.header.raw)]
    for done in range(len(made.pieces) // 32):
        eye = sealed_bid.Inspector()
        offset = eye.resume(head, made.pieces[: 32 * (done + 1)])
        eye.feed(data[offset:])
        assert eye.finish().sealed_root == made.sealed_root


def test_inspector_refuses_as_soon_as_it_can() -> None:
    def code(data: bytes, **kwargs: object) -> str:
        eye = sealed_bid.Inspector(**kwargs)  # type: ignore[arg-type]
        with pytest.raises(CryptoError) as refused:
            eye.feed(data)
        return refused.value.code

    head = SMALL[: 12 + len(SMALL_MADE.header.raw)]
    assert code(b"BIDSEAL2") == code(b"X") == code(b"PK\3\4") == "FORMAT"
    assert code(b"BIDSEAL1\xff\xff\xff\xff") == "FORMAT"
    assert code(head, size=5) == "SIZE"
    assert code(SMALL + b"x") == "SIZE"

    def full(header: headers.Header) -> None:
        policies.check_context(header, [{**POLICY, "max_plen": 1}], bidder="B")

    assert code(head, check=full) == "CONTEXT_MISMATCH"
    for cut, expect in ((0, "FORMAT"), (11, "FORMAT"), (12, "SIZE"), (len(head), "SIZE"), (len(SMALL) - 1, "SIZE")):
        for look in (lambda data: sealed_bid.inspect(io.BytesIO(data)), fed):
            with pytest.raises(CryptoError) as refused:
                look(SMALL[:cut])
            assert refused.value.code == expect, cut


def fed(data: bytes) -> sealed_bid.Inspection:
    eye = sealed_bid.Inspector()
    eye.feed(data)
    return eye.finish()


def test_no_code_but_root_matters_when_stored_bytes_changed() -> None:
    data, made = sealed({"a": gen("a", 1_300_000)})
    broken = bytearray(data)
    broken[-1] ^= 1
    with pytest.raises(CryptoError) as refused:
        sealed_bid.open(io.BytesIO(broken), bytes(32), None, made.sealed_root)
    assert refused.value.code == "SEALED_ROOT"
    with pytest.raises(CryptoError) as refused:
        sealed_bid.open(io.BytesIO(data), bytes(32), None, made.sealed_root)
    assert refused.value.code == "REDERIVE"
