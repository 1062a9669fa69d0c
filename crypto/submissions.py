"""What the server checks before it takes a bid or a withdrawal, all without keys; order of the protocol, section 4.

The file itself was looked at while it arrived (sealed_bid.Inspector, whose `check` is policies.check_context); here the
signed statement is held against file, policy, time and current bid.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crypto.canonical import b64u, parse_time
from crypto.documents import check_document
from crypto.errors import CryptoError
from crypto.policies import check_context
from crypto.sealed_bid import Inspection
from crypto.signatures import document_hash, verify_any


def make_submission(inspected: Any, *, sealed_at: str, tool: str, replaces: str = "") -> dict[str, Any]:
    """The statement of a sealed bid (a `sealed_bid.Sealed` or `Inspection`), to be signed by the bidder."""
    header = inspected.header
    statement = {
        "v": 1,
        "header_hash": b64u(header.header_hash),
        "sealed_root": b64u(inspected.sealed_root),
        "sealed_size": inspected.size,
        "sealed_at": sealed_at,
        "replaces": replaces,
        "tool": tool,
        **{name: header.ctx[name] for name in ("platform", "tender", "lot", "envelope", "bidder", "policy")},
    }
    check_document("submission", statement)
    return statement


def make_withdrawal(submission: Mapping[str, Any], *, at: str) -> dict[str, Any]:
    """The withdrawal of a submission, to be signed by the bidder."""
    withdrawal = {
        "v": 1,
        "at": at,
        "statement": document_hash(dict(submission)),
        **{name: submission[name] for name in ("platform", "tender", "lot", "envelope", "bidder")},
    }
    check_document("withdrawal", withdrawal)
    return withdrawal


def check_submission(
    envelope: Any,
    inspection: Inspection,
    policies: Sequence[Mapping[str, Any]],
    *,
    bidder: str,
    signing_keys: Iterable[bytes],
    bidder_key: bytes = b"",
    current: str = "",
) -> dict[str, Any]:
    """The statement of a bid that may be taken, time apart (see `check_in_time`).

    `policies`: in order of time; `signing_keys`: the bidder's enrolled Ed25519 keys; `bidder_key`: its enrolled X25519
    key; `current`: hash of its current bid in this lot and envelope, "" if none.
    Refuses: CONTEXT_MISMATCH, TOO_LARGE, SIG, SIG_TYPE, JSON_PROFILE, SEALED_ROOT (other bytes than the signed ones).
    """
    header = inspection.header
    check_context(header, policies, bidder=bidder, bidder_key=bidder_key)
    statement, _ = verify_any(envelope, "submission", signing_keys)
    check_document("submission", statement)
    if statement["sealed_root"] != b64u(inspection.sealed_root):
        raise CryptoError("SEALED_ROOT", "the bytes received are not those that were signed")
    expected = {name: header.ctx[name] for name in ("platform", "tender", "lot", "envelope", "bidder", "policy")}
    expected |= {"header_hash": b64u(header.header_hash), "sealed_size": inspection.size}
    wrong = sorted(name for name, value in expected.items() if statement[name] != value)
    if wrong:
        raise CryptoError("CONTEXT_MISMATCH", "the statement differs from the file: " + ", ".join(wrong))
    if statement["replaces"] != current:
        raise CryptoError("CONTEXT_MISMATCH", "the statement replaces another bid than the current one")
    found: dict[str, Any] = statement
    return found


def check_withdrawal(
    envelope: Any, policies: Sequence[Mapping[str, Any]], *, bidder: str, signing_keys: Iterable[bytes], current: str
) -> dict[str, Any]:
    """A withdrawal of the bidder's current bid. Refuses: SIG, SIG_TYPE, JSON_PROFILE, CONTEXT_MISMATCH."""
    withdrawal, _ = verify_any(envelope, "withdrawal", signing_keys)
    check_document("withdrawal", withdrawal)
    newest = policies[-1]
    expected = {name: newest[name] for name in ("platform", "tender", "lot", "envelope")} | {"bidder": bidder}
    if any(withdrawal[name] != value for name, value in expected.items()):
        raise CryptoError("CONTEXT_MISMATCH", "a withdrawal of another lot or bidder")
    if not current or withdrawal["statement"] != current:
        raise CryptoError("CONTEXT_MISMATCH", "not the current bid")
    found: dict[str, Any] = withdrawal
    return found


def check_in_time(at: str, deadline: str) -> None:
    """`at`: arrival of the last byte, floored to the second; the deadline's exact second is late. Refuses: LATE."""
    parse_time(at)
    parse_time(deadline)
    if not at < deadline:
        raise CryptoError("LATE", f"arrived at {at}, deadline {deadline}")
