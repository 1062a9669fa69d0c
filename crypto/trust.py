"""Whom a verifier trusts: the log's key, the platform's and the supervisor's, the witnesses and how many must cosign.

It comes from outside the material that is verified: a ticket kept from an earlier day, or a file (protocol, section 4,
quorum). Where the quorum is 0, "cosigned" always holds and every verdict should say `unwitnessed`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crypto.canonical import b64u, unb64u
from crypto.checkpoints import LOG_KEY, NoteKey, parse_vkey
from crypto.errors import CryptoError
from crypto.keys import check_ed25519_public
from crypto.ticks import ProvenTick, unix


@dataclass(frozen=True)
class Trust:
    """Trusted keys. `quorum` of `witnesses` must have cosigned. `officer_keys`: where there are any, a bid is sealed for officers with
    these keys alone, whatever a log shows."""

    log_key: NoteKey
    platform_keys: tuple[bytes, ...]
    supervisor_keys: tuple[bytes, ...] = ()
    witnesses: tuple[NoteKey, ...] = ()
    quorum: int = 0
    officer_keys: tuple[bytes, ...] = ()

    @property
    def origin(self) -> str:
        return self.log_key.name

    @property
    def unwitnessed(self) -> bool:
        return self.quorum == 0

    def to_json(self) -> dict[str, Any]:
        """As it stands in a ticket; with `officer_keys` only where there are any, which no ticket has."""
        officers = {"officer_keys": [b64u(key) for key in self.officer_keys]} if self.officer_keys else {}
        return {
            **officers,
            "origin": self.origin,
            "log_key": str(self.log_key),
            "quorum": self.quorum,
            "platform_keys": [b64u(key) for key in self.platform_keys],
            "supervisor_keys": [b64u(key) for key in self.supervisor_keys],
            "witnesses": [str(key) for key in self.witnesses],
        }


def trust_of(value: Mapping[str, Any]) -> Trust:
    """Trusted keys from their JSON. Refuses: JSON_PROFILE for another form, SIG for a bad key."""
    try:
        log_key = parse_vkey(value["log_key"])
        witnesses = tuple(parse_vkey(text) for text in value["witnesses"])
        platform = tuple(unb64u(text, 32) for text in value["platform_keys"])
        supervisors = tuple(unb64u(text, 32) for text in value["supervisor_keys"])
        officers = tuple(unb64u(text, 32) for text in value.get("officer_keys", ()))
        origin, quorum = value["origin"], value["quorum"]
    except (KeyError, TypeError, AttributeError) as error:
        raise CryptoError("JSON_PROFILE", "not trusted keys") from error
    except CryptoError as error:
        raise CryptoError("JSON_PROFILE", error.detail) from error
    if origin != log_key.name or log_key.kind != LOG_KEY or not platform:
        raise CryptoError("JSON_PROFILE", "a log key of another origin or kind, or no platform key")
    if type(quorum) is not int or not 0 <= quorum <= len(witnesses):
        raise CryptoError("JSON_PROFILE", "a quorum that these witnesses cannot give")
    for key in (*platform, *supervisors, *officers):
        check_ed25519_public(key)
    return Trust(log_key, platform, supervisors, witnesses, quorum, officers)


def check_cosigned(proven: ProvenTick, trust: Trust, within: int = 60) -> None:
    """That the checkpoint which first holds this tick was cosigned by the quorum within so many seconds of it.

    Refuses: TICK_PROOF.
    """
    if trust.quorum == 0:
        return
    if proven.checkpoint.size != proven.tick + 1:
        raise CryptoError("TICK_PROOF", "the proof is not under the tick's own checkpoint")
    if not proven.checkpoint.cosigned_by(unix(proven.at) + within, trust.quorum):
        raise CryptoError("TICK_PROOF", "the tick's checkpoint was not cosigned in time")
