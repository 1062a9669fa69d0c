"""Why a cryptographic check refused: one exception, one stable code, one sentence of detail.

The codes are those of the sealed-bid protocol, section 7; a program decides by the code, a person reads the detail.
Nothing in this package returns False for "forged": verify functions raise, and return what they have proved.
"""

CODES: tuple[str, ...] = (
    "FORMAT",
    "SIZE",
    "HEADER_CANONICAL",
    "HEADER_SCHEMA",
    "SUITE_UNKNOWN",
    "JSON_PROFILE",
    "CONTEXT_MISMATCH",
    "TOO_LARGE",
    "SEALED_ROOT",
    "SIG",
    "SIG_TYPE",
    "LATE",
    "TICK_PROOF",
    "LOG_OMISSION",
    "SHARE_OPEN",
    "SHARE_COMMIT",
    "TOO_FEW_SHARES",
    "BIDDER_PART_MISSING",
    "REDERIVE",
    "CHUNK_AUTH",
    "MANIFEST",
    "PADDING",
    "SET_OMISSION",
    "SET_CONFLICT",
    "FALSE_COMPLAINT",
    "UNRESOLVED",
    "POLICY_DEAD",
    "DRAW_ESCROW",
    "UNAVAILABLE",
)
"""The codes of the protocol, section 7, in its order. Only these may stand in a signed document."""

PASSPHRASE = "PASSPHRASE"
"""Not of the protocol and never in a document: a key file and its passphrase do not fit."""


class CryptoError(Exception):
    """A check refused. `code` is one of CODES (or PASSPHRASE); `detail` says in English what was wrong, for logs.

    `index` names the officer (or 0, the bidder) whose share was wrong, where that is the fault.
    """

    def __init__(self, code: str, detail: str = "", *, index: int | None = None) -> None:
        if code != PASSPHRASE and code not in CODES:
            raise ValueError(f"no such code: {code}")
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.index = index
