"""Sets of bids of which some hold boxes of others: how they are made, and the vectors of them.

`python -m tests.crypto.copied_sets` writes tests/vectors/copied_boxes.json anew; the test compares.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import headers, sealed_bid
from crypto.canonical import b64u, dumps, loads
from crypto.copied import copies
from crypto.errors import CryptoError
from crypto.headers import Header, make_header, parse_header
from crypto.inspection import MAGIC
from crypto.keys import x25519_public
from tests.crypto.vectors import gen, vec

FILE = Path(__file__).parent.parent / "vectors" / "copied_boxes.json"
PLEN = headers.MIN_PLEN
SECRETS = {one["index"]: bytes.fromhex(one["sk"]) for one in vec("keys")["officers"]}
KEM = bytes.fromhex(vec("keys")["bidder_kem"]["sk"])
POLICY: dict[str, Any] = json.loads(vec("policies")[0]["policy_jcs"])
EVERYBODY = (1, 2, 3, 4, 5)
T = int(POLICY["t"])

Box = dict[str, Any]


def seed_of(bidder: str) -> bytes:
    return gen(f"copied/{bidder}", 32)


def context(bidder: str, *, co_opening: bool = False) -> dict[str, Any]:
    """The ctx of a bid of `bidder`, sealed to the officers of the vectors."""
    return {
        "v": 1,
        **{name: POLICY[name] for name in ("suite", "platform", "tender", "lot", "envelope", "t", "n")},
        "bidder": bidder,
        "policy": b64u(gen("copied/policy", 32)),
        "officers": [b64u(x25519_public(secret)) for _, secret in sorted(SECRETS.items())],
        "co_opening": co_opening,
        "bidder_key": b64u(x25519_public(KEM)) if co_opening else "",
        "plen": PLEN,
    }


def honest(bidder: str, *, co_opening: bool = False, seed: bytes = b"") -> bytes:
    return make_header(seed or seed_of(bidder), context(bidder, co_opening=co_opening))


def boxes_of(raw: bytes) -> list[Box]:
    found: list[Box] = loads(raw)["boxes"]
    return found


def changed(raw: bytes, boxes: dict[int, Box], **more: Any) -> bytes:
    """A header with fields of some boxes changed (index -> fields), still well-formed."""
    value = loads(raw)
    for box in value["boxes"]:
        box |= {key: one for key, one in boxes.get(box["j"], {}).items() if key != "j"}
    return dumps({**value, **more})


def taken(raw: bytes, indices: Any, *fields: str) -> dict[int, Box]:
    """Fields of boxes of another header, to be laid into the same places."""
    return {box["j"]: {key: box[key] for key in fields} for box in boxes_of(raw) if box["j"] in indices}


def garbage(label: str, indices: Any) -> dict[int, Box]:
    return {
        j: {"enc": b64u(x25519_public(gen(f"{label}/{j}/enc", 32))), "ct": b64u(gen(f"{label}/{j}/ct", 48))}
        for j in indices
    }


def readdressed(raw: bytes, bidder: str) -> bytes:
    """The whole header of another under one's own name."""
    value = loads(raw)
    return dumps({**value, "ctx": {**value["ctx"], "bidder": bidder}})


@dataclass
class Set:
    """Bids of a set and what was posted for them, by bidder."""

    id: str
    raws: dict[str, bytes]
    came: tuple[int, ...] = EVERYBODY
    liars: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """bidder -> officers who complain of its box, whatever lies in it."""
    rescued: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    """Bidders who do not post their own part."""

    @property
    def headers(self) -> dict[str, Header]:
        return {bidder: parse_header(raw) for bidder, raw in self.raws.items()}

    def posted(self, bidder: str) -> tuple[dict[int, bytes], dict[int, str]]:
        """(parts, complaints), by real officers' keys."""
        header, parts, complaints = self.headers[bidder], dict[int, bytes](), dict[int, str]()
        if header.co_opening and bidder not in self.silent:
            try:
                parts[0] = headers.open_share(header, 0, KEM)
            except CryptoError:
                pass
        for j in self.came:
            try:
                if j in self.liars.get(bidder, ()):
                    raise CryptoError("SHARE_OPEN", "so it says")
                parts[j] = headers.open_share(header, j, SECRETS[j])
            except CryptoError as error:
                complaints[j] = error.code
        return parts, complaints

    def seeds(self) -> dict[str, bytes]:
        return {bidder: seed_of(bidder) for bidder in self.rescued}

    def copies(self) -> frozenset[str]:
        return copies(self.headers, {bidder: self.posted(bidder)[0] for bidder in self.raws}, self.seeds())


def file_of(raw: bytes, seed: bytes) -> bytes:
    """A sealed file with this header and an empty content, under the key this seed gives with it."""
    header = parse_header(raw)
    manifest = dumps({"v": 1, "announce": {}, "files": []})
    content = (len(manifest).to_bytes(4, "big") + manifest).ljust(PLEN, b"\0")
    body = AESGCM(headers.content_key(seed, header)).encrypt(sealed_bid.nonce(0, True), content, None)
    return MAGIC + len(raw).to_bytes(4, "big") + raw + body


def sets() -> list[Set]:
    b, a = honest("B"), honest("A")
    c = honest("C")
    joint = honest("B", co_opening=True)
    both, three = ("enc", "ct"), (1, 2, 3)
    copy = readdressed(b, "A")
    return [
        Set("none-shared", {"A": a, "B": b, "C": c}),
        Set("whole-header", {"A": copy, "B": b, "C": c}),
        Set("whole-header-twice", {"A": copy, "B": b, "C": readdressed(b, "C")}),
        Set("enc-only", {"A": changed(a, taken(b, three, "enc")), "B": b}),
        Set("ct-only", {"A": changed(a, taken(b, three, "ct")), "B": b}),
        Set("boxes-with-commitments", {"A": changed(a, taken(b, three, "enc", "ct", "c")), "B": b}),
        Set("one-box-and-t-of-its-own", {"A": changed(a, taken(b, (2,), *both)), "B": b}),
        Set("one-box-and-too-few-came", {"A": changed(a, taken(b, (2,), *both)), "B": b}, came=three),
        Set(
            "one-ct-in-another-place",
            {"A": changed(a, garbage("place", (1, 3)) | {5: {"ct": boxes_of(b)[0]["ct"]}}), "B": b},
        ),
        Set("copied-box-0", {"A": changed(honest("A", co_opening=True), taken(joint, (0,), *both)), "B": joint}),
        Set(
            "copied-boxes-and-no-part",
            {"A": changed(honest("A", co_opening=True), taken(joint, three, *both)), "B": joint},
            silent=("A",),
        ),
        Set("origin-without-its-part", {"A": readdressed(joint, "A"), "B": joint}, silent=("B",)),
        Set("officers-lie-of-the-origin", {"A": copy, "B": b}, liars={"B": three}),
        Set("officers-lie-and-it-is-rescued", {"A": copy, "B": b}, liars={"B": three}, rescued=("B",)),
        Set("too-few-came", {"A": copy, "B": b}, came=(1, 2)),
        Set("copy-of-garbage", {"A": changed(a, garbage("second", three)), "B": changed(b, garbage("second", three))}),
        Set(
            "copy-of-a-copy",
            {
                "A": changed(changed(a, taken(b, (1,), *both)), garbage("second", (4, 5))),
                "B": b,
                "C": changed(c, garbage("second", (1, 4, 5))),
            },
        ),
    ]


def vectors() -> list[dict[str, Any]]:
    made = []
    for one in sets():
        rows = []
        for bidder, raw in one.raws.items():
            parts, complaints = one.posted(bidder)
            rows.append(
                {
                    "bidder": bidder,
                    "header": raw.decode(),
                    "shares": {str(j): part.hex() for j, part in sorted(parts.items())},
                    "complaints": {str(j): code for j, code in sorted(complaints.items())},
                    "seed": one.seeds().get(bidder, b"").hex(),
                    "copied": bidder in one.copies(),
                }
            )
        made.append({"id": one.id, "bids": rows})
    return made


def text() -> str:
    notes = [
        "Sets of headers with all that was posted for them; hex, index 0 is the bidder's own part; seed: of a rescue, or empty.",
        "copied: it shares enc or ct of a box with a header of the set that re-derives, and does not re-derive itself.",
    ]
    document = {"format": "copied boxes vectors", "version": 1, "notes": notes, "copied_boxes": vectors()}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
