"""What becomes of a bid once shares are there: opened, or a code and whose fault it is; and how that is repaired.

Implements the protocol, section 5, steps 5 and 6, with 5.1 (fault) and 5.2 (rescue, arbiter). The order of the checks
decides who pays, so it is written down once, in `open_bid`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crypto import headers, sealed_bid
from crypto.canonical import b64u, unb64u
from crypto.documents import check_document
from crypto.errors import CryptoError
from crypto.keys import x25519_public
from crypto.policy_lines import Generation

OPENED, DEAD = "opened", "POLICY_DEAD"

COPIED = "SHARE_COMMIT"
"""The code of a copied bid, cause bidder: its ctx is in every commitment, so that no box of another bid can fit them."""
RESCUABLE = frozenset(("TOO_FEW_SHARES", "UNRESOLVED"))
BAD_BOX, GOOD_BOX = frozenset(("SHARE_OPEN", "SHARE_COMMIT")), "FALSE_COMPLAINT"
Finding = tuple[str, bytes]
"""What `judge_box` gives: a code and the part, empty for a bad box."""


@dataclass(frozen=True)
class Verdict:
    """Of one bid: `code` is `opened` or a code of section 7; `cause` is bidder, platform, tenderee or unknown, or ""."""

    header_hash: str
    code: str
    cause: str = ""
    opened: sealed_bid.Opened | None = None
    seed: bytes = field(default=b"", repr=False)
    false_complaints: tuple[int, ...] = ()
    """Officers who reported a bad box although the seed re-derives it (FALSE_COMPLAINT)."""

    def to_json(self, file_names: bool) -> dict[str, Any]:
        """As it stands in the `opened` document; file names only if the policy says so."""
        item: dict[str, Any] = {
            "header_hash": self.header_hash,
            "verdict": self.code,
            "cause": self.cause,
            "announce": {},
            "files": [],
        }
        if self.opened is not None:
            rows = zip(self.opened.digests, self.opened.manifest["files"], strict=True)
            item["announce"] = self.opened.announce
            item["files"] = [{"digest": d, "name": row["name"] if file_names else ""} for d, row in rows]
        return item


def cause_of_sides(sides: Sequence[str]) -> str:
    """Whose fault officers' failure is: their side's, if all are of the platform's or the tenderee's; else unknown."""
    found = set(sides)
    return found.pop() if len(found) == 1 and found <= {"platform", "tenderee"} else "unknown"


def policy_dead(header_hash: str, generation: Generation) -> Verdict:
    """The verdict on a bid whose officers were replaced to the point that its generation is dead (5.3): decided before
    anything else, for it follows from public policies alone. The cause is that of the officers who are missing."""
    return Verdict(header_hash, DEAD, cause_of_sides(generation.sides_missing))


def open_bid(
    source: sealed_bid.Reader,
    header: headers.Header,
    *,
    sealed_root: bytes,
    parts: Mapping[int, bytes],
    sides: Sequence[str],
    complaints: Mapping[int, str] | None = None,
    outage: bool = False,
    findings: Mapping[int, Finding] | None = None,
    copied: bool = False,
    sink: sealed_bid.Sink | None = None,
) -> Verdict:
    """The verdict on one bid, from its stored bytes and all that was posted. Never refuses for a fault of the bid.

    `header`: the one whose hash stands in the set; `sealed_root`: the signed one; `parts`: index -> posted share, 0 the
    bidder's; `sides`: of officers 1..n; `complaints`: index -> code an officer posted in place of a part; `outage`: the
    platform's own, logged, in the window of the bidders' parts; `findings`: index -> what the supervising body found of
    that officer's complaint: a part it names counts; `copied`: it holds a box of another bid (`crypto.copied`): where no
    seed joins that is why, whoever came and whatever they posted. What `sink` got is worthless unless the code is opened.
    """
    name = b64u(header.header_hash)
    complaints, findings = complaints or {}, findings or {}
    parts = {**parts, **{j: part for j, (_, part) in findings.items() if part}}
    try:
        seed = headers.join_shares(header, parts)
    except CryptoError as error:
        if not _is_root_signed(source, header, sealed_root):
            return Verdict(name, "SEALED_ROOT", "platform")
        if copied:
            return Verdict(name, COPIED, "bidder")
        code, cause = _why_no_seed(header, error, parts, complaints, sides, outage)
        bad = sorted(j for j, (_, part) in findings.items() if not part)
        if code == "UNRESOLVED" and bad:
            code, cause = findings[bad[0]][0], "bidder"
        return Verdict(name, code, cause)
    return open_with_seed(source, header, seed, sealed_root=sealed_root, complaints=complaints, sink=sink)


def open_with_seed(
    source: sealed_bid.Reader,
    header: headers.Header,
    seed: bytes,
    *,
    sealed_root: bytes,
    complaints: Mapping[int, str] | None = None,
    sink: sealed_bid.Sink | None = None,
) -> Verdict:
    """The verdict once the seed is known: joined from shares, or of a keeper file in a rescue."""
    name = b64u(header.header_hash)
    try:
        opened = sealed_bid.open(source, seed, sink, sealed_root)
    except CryptoError as error:
        cause = "platform" if error.code == "SEALED_ROOT" else "bidder"
        false = () if error.code == "REDERIVE" else _false(header, seed, complaints or {})
        return Verdict(name, error.code, cause, false_complaints=false)
    if opened.header.raw != header.raw:  # the same root cannot hold another header, short of a broken SHA-256
        return Verdict(name, "SEALED_ROOT", "platform")
    return Verdict(name, OPENED, "", opened, seed, _false(header, seed, complaints or {}))


def _false(header: headers.Header, seed: bytes, complaints: Mapping[int, str]) -> tuple[int, ...]:
    if not complaints:
        return ()
    try:
        headers.rederive(header, seed)
    except CryptoError:
        return ()
    return tuple(sorted(complaints))


def _is_root_signed(source: sealed_bid.Reader, header: headers.Header, sealed_root: bytes) -> bool:
    try:
        seen = sealed_bid.inspect(source)
    except CryptoError:
        return False
    return seen.sealed_root == sealed_root and seen.header.raw == header.raw


def _why_no_seed(
    header: headers.Header,
    error: CryptoError,
    parts: Mapping[int, bytes],
    complaints: Mapping[int, str],
    sides: Sequence[str],
    outage: bool,
) -> tuple[str, str]:
    if error.code == "BIDDER_PART_MISSING" or error.index == 0:
        return error.code, "platform" if outage else "bidder"
    if error.code == "SHARE_COMMIT" and error.index is not None:
        return error.code, cause_of_sides(sides[error.index - 1 : error.index])
    came = {j for j in (*parts, *complaints) if j}
    if len(came) < header.t:
        return "TOO_FEW_SHARES", cause_of_sides([side for j, side in enumerate(sides, 1) if j not in came])
    return "UNRESOLVED", "unknown"


def make_opened(verdicts: Sequence[Verdict], *, set_: str, at: str, file_names: bool) -> dict[str, Any]:
    """The `opened` document, in the order given (the set's): to be signed by the platform and the officers who came."""
    document = {"v": 1, "at": at, "set": set_, "bids": [verdict.to_json(file_names) for verdict in verdicts]}
    check_document("opened", document)
    return document


def check_opened_item(item: Mapping[str, Any], header: headers.Header, seed: bytes) -> None:
    """What an officer's client repeats before it countersigns: REDERIVE, for a bid said to be opened or said to fail it.

    Refuses: REDERIVE (said to be opened, but it does not re-derive), FALSE_COMPLAINT (said to fail, but it does).
    """
    if item["header_hash"] != b64u(header.header_hash):
        raise CryptoError("CONTEXT_MISMATCH", "another bid")
    if item["verdict"] != "REDERIVE":
        headers.rederive(header, seed)
        return
    try:
        headers.rederive(header, seed)
    except CryptoError:
        return
    raise CryptoError("FALSE_COMPLAINT", "the header re-derives")


# rescue and arbiter


def check_rescue(failed: str, header: headers.Header, seed: bytes) -> None:
    """Whether a posted seed rescues a bid that failed with this code: what re-derives, honest officers would have opened.

    Refuses: CONTEXT_MISMATCH (a code that cannot be rescued), REDERIVE.
    """
    if failed not in RESCUABLE:
        raise CryptoError("CONTEXT_MISMATCH", f"{failed} cannot be rescued")
    headers.rederive(header, seed)


def judge_box(header: headers.Header, j: int, scope_secret: bytes) -> Finding:
    """The supervising body's finding on officer j's complaint, with the officer's key of this scope: (code, part).

    A bad box: SHARE_OPEN or SHARE_COMMIT, cause bidder, no part. A good one: FALSE_COMPLAINT, and its part counts.
    Refuses: CONTEXT_MISMATCH for a secret of another key.
    """
    if not 1 <= j <= header.ctx["n"] or x25519_public(scope_secret) != unb64u(header.ctx["officers"][j - 1]):
        raise CryptoError("CONTEXT_MISMATCH", "not the key of this officer in this scope")
    try:
        return GOOD_BOX, headers.open_share(header, j, scope_secret)
    except CryptoError as error:
        return error.code, b""


def check_finding(header: headers.Header, j: int, finding: Finding) -> None:
    """What can be seen of a finding without the officer's key: a code it may have, and a part just for a good box, the
    committed one. Refuses: JSON_PROFILE, SHARE_COMMIT.
    """
    code, part = finding
    if code not in BAD_BOX | {GOOD_BOX} or (code == GOOD_BOX) is not bool(part):
        raise CryptoError("JSON_PROFILE", "a bad box has no part, a good one has its part")
    if part:
        headers.check_share(header, j, part)
