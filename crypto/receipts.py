"""Receipts: what a bidder holds, what it proves and when it convicts; the words that tell two receipts apart.

Implements the protocol, section 4 (receipt, claims). At once a receipt is `{entry}`; from its tick on `{entry, proof}`;
of a flood of refusals `{entry, list: {entry, refusals}, proof}`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from crypto.canonical import H, b64u, dumps, later, parse_time
from crypto.checkpoints import Checkpoint, NoteKey
from crypto.documents import check_document
from crypto.errors import CryptoError
from crypto.merkle import verify_consistency
from crypto.signatures import document_hash
from crypto.ticks import ProvenTick, open_entry, verify_proof

SUBMITTED, IN_LOG = "submitted", "in_log"
_WORDS = {"zh": "chinese_simplified.txt", "en": "english.txt"}


@dataclass(frozen=True)
class Receipt:
    """A verified receipt: its state (submitted or in_log), entry, commitment, and the tick if it is proven."""

    state: str
    entry: dict[str, Any]
    c: bytes
    proven: ProvenTick | None = None


def verify_receipt(
    receipt: Any, platform_keys: Iterable[bytes], log_key: NoteKey | None = None, witnesses: Sequence[NoteKey] = ()
) -> Receipt:
    """What a receipt proves. A receipt with a proof needs `log_key`.

    Refuses: SIG, SIG_TYPE (the entry), JSON_PROFILE (shape, entry, list), TICK_PROOF.
    """
    platform = tuple(platform_keys)
    if type(receipt) is not dict or receipt.keys() not in ({"entry"}, {"entry", "proof"}, {"entry", "list", "proof"}):
        raise CryptoError("JSON_PROFILE", "a receipt is entry; entry and proof; or entry, list and proof")
    entry, c = open_entry(receipt["entry"], platform)
    if "proof" not in receipt:
        return Receipt(SUBMITTED, entry, c)
    if log_key is None:
        raise CryptoError("TICK_PROOF", "the log's key is not known")
    in_tick = _listed(receipt["list"], entry, c, platform) if "list" in receipt else c
    return Receipt(IN_LOG, entry, c, verify_proof(receipt["proof"], in_tick, log_key, witnesses))


def _listed(listed: Any, entry: dict[str, Any], c: bytes, platform: Sequence[bytes]) -> bytes:
    """The commitment of the entry whose refusal list holds c."""
    if type(listed) is not dict or listed.keys() != {"entry", "refusals"}:
        raise CryptoError("JSON_PROFILE", "a list is exactly entry and refusals")
    above, above_c = open_entry(listed["entry"], platform)
    refusals = listed["refusals"]
    check_document("refusal-list", refusals)
    if entry["event"] != "bid-refused" or above["event"] != "bid-refusals":
        raise CryptoError("JSON_PROFILE", "only refusals stand in a list")
    for name in ("tender", "lot", "envelope"):
        if not entry[name] == above[name] == refusals[name]:
            raise CryptoError("JSON_PROFILE", "a list of another lot or envelope")
    if above["statement"] != document_hash(refusals):
        raise CryptoError("JSON_PROFILE", "not the list that was signed")
    if b64u(c) not in refusals["entries"]:
        raise CryptoError("JSON_PROFILE", "the list lacks the entry")
    return above_c


def check_extends(checkpoint: Checkpoint, before: Checkpoint, proof: Sequence[bytes]) -> None:
    """That a checkpoint's log continues the one last seen. Refuses: TICK_PROOF."""
    if checkpoint.origin != before.origin:
        raise CryptoError("TICK_PROOF", "another log")
    verify_consistency(before.size, checkpoint.size, proof, before.root, checkpoint.root)


def check_fresh(entry: dict[str, Any], now: str, statement: str) -> None:
    """What a client asks of a new receipt: it speaks of the statement just sent, and `at` is within 2 min of its clock.

    Refuses: CONTEXT_MISMATCH.
    """
    if entry["statement"] != statement:
        raise CryptoError("CONTEXT_MISMATCH", "a receipt for another document")
    parse_time(now)
    if not later(entry["at"], -120) <= now <= later(entry["at"], 120):
        raise CryptoError("CONTEXT_MISMATCH", "the platform's time and the clock here differ by more than 2 minutes")


def omission_state(tick_by: str, ticks: Iterable[str], sealed_at: str = "") -> str:
    """State of a signed entry: `ticks` are the moments of the log's ticks known, `sealed_at` its own tick, "" if none.

    Refuses: LOG_OMISSION once the log has a tick at or after `tick_by` and the entry is in none up to the first such.
    """
    due = min((at for at in ticks if at >= tick_by), default="")
    if sealed_at and (not due or sealed_at <= due):
        return IN_LOG
    if due:
        raise CryptoError("LOG_OMISSION", f"no proof in a tick up to {due}")
    return SUBMITTED


def claims_end(closing: str, opens_at: str) -> str:
    """Until when an omission may be claimed: the later of closing tick + 120 s and opens_at."""
    parse_time(opens_at)
    return max(later(closing, 120), opens_at)


def claim_counts(*, closing: str, opens_at: str, proof_at: str = "", filed_at: str = "", anchored_at: str = "") -> bool:
    """Whether a receipt's omission counts. Times of: its proof's tick, the claim, an outside lodging or time stamp.

    So a platform key stolen later mints no omissions.
    """
    end = claims_end(closing, opens_at)
    timely = ((proof_at, closing), (filed_at, end), (anchored_at, end))
    return any(at != "" and at <= until for at, until in timely)


def check_words(payload: bytes | dict[str, Any], language: str) -> list[str]:
    """Four words (`zh` or `en`) of an entry's payload, to compare by ear. They catch mix-ups, not the platform."""
    words = word_list(language)
    digest = H("words", payload if isinstance(payload, bytes) else dumps(payload))
    bits = int.from_bytes(digest[:6], "big") >> 4
    return [words[bits >> shift & 2047] for shift in (33, 22, 11, 0)]


@cache
def word_list(language: str) -> list[str]:
    """The 2048 BIP-39 words of a language, `zh` or `en`."""
    words = files("crypto").joinpath("wordlists", _WORDS[language]).read_text("utf-8").split()
    if len(words) != 2048:
        raise ValueError("a word list has 2048 words")
    return words


# the forms in which a receipt is kept

BARE = ("entry", "list", "proof")
ENCLOSED = ("statement", "trust", "log")


@dataclass(frozen=True)
class Kept:
    """A receipt out of whatever it was kept in: the receipt itself, and what came with it (None where nothing did)."""

    receipt: dict[str, Any]
    statement: Any = None
    trust: Any = None
    log: Any = None


def unwrap(value: Any) -> Kept:
    """The receipt in any form the platform hands one out: bare; the file to keep, with `statement`, `trust` and `log` beside it; the answer
    to an act, which holds it as `receipt`; an enrolment or another document with its `receipt`. What came with it proves nothing by itself;
    what nobody knows stays in the receipt, and `verify_receipt` refuses it.

    Refuses: JSON_PROFILE for what holds no receipt.
    """
    held, statement = value, None
    if type(value) is dict and "entry" not in value and type(value.get("receipt")) is dict:
        held, statement = value["receipt"], value.get("document")
    if type(held) is not dict or "entry" not in held:
        raise CryptoError("JSON_PROFILE", "no receipt in it: an object with an entry")
    statement = held.get("statement") if held.get("statement") is not None else statement
    return Kept(
        {name: part for name, part in held.items() if name not in ENCLOSED},
        statement,
        held.get("trust"),
        held.get("log"),
    )


# a number to say

NUMBER_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Thirty-two signs that are not mistaken for one another: no 0 and O, no 1 and I."""
NUMBER_BITS = 40


def number_of(c: bytes) -> str:
    """The number of a receipt that people read out: the first 40 bits of its hash as eight signs, and two that check them.

    Two numbers that differ in one or two signs, or by two signs changed about, never both have the right checks (a code over GF(32) of
    distance 3). Everybody who has the receipt has its number; nobody who has the number has the receipt.
    """
    bits = int.from_bytes(c[: NUMBER_BITS // 8], "big")
    signs = [bits >> shift & 31 for shift in range(NUMBER_BITS - 5, -1, -5)]
    return "".join(NUMBER_ALPHABET[sign] for sign in [*signs, *_checks(signs)])


def number_start(number: str) -> bytes:
    """The five bytes a hash of this number begins with. Refuses: JSON_PROFILE for other signs or wrong checks."""
    signs = [NUMBER_ALPHABET.find(sign) for sign in number]
    if len(signs) != 10 or -1 in signs or _checks(signs[:8]) != signs[8:]:
        raise CryptoError("JSON_PROFILE", "no number of a receipt")
    return sum(sign << shift for sign, shift in zip(signs, range(NUMBER_BITS - 5, -1, -5), strict=False)).to_bytes(
        5, "big"
    )


def _checks(signs: Sequence[int]) -> list[int]:
    """Σ aᵢ and Σ αⁱ·aᵢ in GF(2⁵) by x⁵ + x² + 1, Horner's way."""
    first = second = 0
    for sign in signs:
        first ^= sign
        second = (second << 1 ^ (0b100101 if second & 16 else 0)) ^ sign
    return [first, second]
