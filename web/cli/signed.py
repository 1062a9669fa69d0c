"""`bidhall sign-policies`, and what an officer's machine keeps: the ids of the policies it signed, in a file beside the key file.

At an opening the client goes by the newest of them (protocol §2): the log cannot show that none is newer, so a package that hides a later
policy of ours is refused. No secret is in the file; it goes with the key file to an offline machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from crypto.canonical import b64u, format_time, loads
from crypto.documents import check_document, sign_document
from crypto.errors import CryptoError
from crypto.keys import ed25519_public, kid, officer_scope, officer_tender_key, x25519_public
from crypto.policies import policy_id
from web.cli.common import (
    BAD_INPUT,
    answer,
    force_option,
    guarded,
    json_option,
    lang_option,
    read_json,
    say,
    stop,
    writing,
)
from web.cli.offline import key_option, now, open_keys, passphrase_option

TYPE = "bidhall-signed-policies"
SCOPE = ("platform", "tender", "lot", "envelope")

signed_option = click.option(
    "--signed", "signed_file", metavar="FILE", help="What this key has signed (beside the key file: KEYFILE.signed)."
)


def memory_of(key_file: str, signed_file: str | None = None) -> Path:
    return Path(signed_file or key_file + ".signed")


def read_memory(path: Path) -> list[dict[str, Any]]:
    """What was signed, oldest first; nothing where there is no file. Stops with exit 2 for another file."""
    if not path.exists():
        return []
    value = read_json(str(path))
    rows = (
        value.get("signed") if isinstance(value, dict) and value.get("type") == TYPE and value.get("v") == 1 else None
    )
    if not isinstance(rows, list) or any(
        not isinstance(row, dict) or not {*SCOPE, "policy", "at"} <= row.keys() for row in rows
    ):
        stop(f"{path}: not what a key has signed", BAD_INPUT)
    found: list[dict[str, Any]] = rows
    return found


def write_memory(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with writing(str(path), force=True, mode=0o600) as file:
        file.write(
            json.dumps({"type": TYPE, "v": 1, "signed": list(rows)}, ensure_ascii=False, indent=1).encode() + b"\n"
        )


def check_memory(path: Path, policy: Mapping[str, Any], ids: Sequence[str], never: Sequence[str] = ()) -> str:
    """Hold the line of an opening (ids) against the newest policy signed for its scope; ``never``: those that never came into force, which
    are forgotten. Gives its id, "" where none is known. Refuses: CONTEXT_MISMATCH for a line without it."""
    rows = read_memory(path)
    if any(row["policy"] in never for row in rows):
        rows = [row for row in rows if row["policy"] not in never]
        write_memory(path, rows)
    newest = next((row for row in reversed(rows) if all(row[name] == policy[name] for name in SCOPE)), None)
    if newest is None:
        return ""
    if newest["policy"] not in ids:
        raise CryptoError(
            "CONTEXT_MISMATCH",
            f"at {newest['at']} this key signed policy {newest['policy']}, which is not shown here: "
            "a later policy may be hidden. Ask, and look it up in the public log; if it never came into force, "
            f"say so with --never-in-force {newest['policy']}",
        )
    return str(newest["policy"])


@click.command("sign-policies", epilog="Example: bidhall sign-policies policies.json --key officer.json -o signed.json")
@click.argument("policies")
@key_option
@click.option("-o", "--out", required=True, metavar="SIGNED.json", help="Where to write the signatures (- is stdout).")
@signed_option
@passphrase_option
@force_option
@json_option
@lang_option
@guarded
def sign_policies(
    policies: str,
    key_file: str,
    out: str,
    signed_file: str | None,
    passphrase_file: str | None,
    force: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """Sign the opening policies that wait for an officer, and keep that it did. POLICIES: what /hall/LOT/officer/policies gives."""
    if as_json and out == "-":
        stop("stdout holds the signatures or the JSON, not both", BAD_INPUT)
    value = read_json(policies)
    rows = value.get("policies") if isinstance(value, dict) else None
    if not isinstance(rows, list) or not rows:
        stop(f"{policies}: no policies that wait for a signature", BAD_INPUT)
    ring, _ = open_keys(key_file, passphrase_file, "officer")
    own, found = kid("ed25519", ed25519_public(ring.secret("ed25519"))), []
    for row in rows:
        payload = row.get("payload") if isinstance(row, dict) else None
        if not isinstance(payload, str):
            stop(f"{policies}: no policies that wait for a signature", BAD_INPUT)
        policy = loads(payload.encode())
        check_document("policy", policy)
        scope = officer_scope(**{name: policy[name] for name in (*SCOPE, "serial")})
        public = b64u(x25519_public(officer_tender_key(ring.secret("root"), scope)[0]))
        if not any(one["pk"] == public and one["sign_kid"] == own for one in policy["officers"]):
            raise CryptoError(
                "CONTEXT_MISMATCH", f"policy of {policy['envelope']}: it does not name the key of this file"
            )
        found.append(policy)
    envelopes = [sign_document("policy", policy, ring.secret("ed25519")) for policy in found]
    path, at = memory_of(key_file, signed_file), format_time(now())
    kept = [{**{name: policy[name] for name in SCOPE}, "policy": policy_id(policy), "at": at} for policy in found]
    names = {row["policy"] for row in kept}
    write_memory(
        path, [*(row for row in read_memory(path) if row["policy"] not in names), *kept]
    )  # before the signatures leave
    with writing(out, force=force) as file:
        file.write(json.dumps(envelopes, ensure_ascii=False, sort_keys=True).encode() + b"\n")
    told = [
        {
            "envelope": policy["envelope"],
            "policy": policy_id(policy),
            "t": policy["t"],
            "n": policy["n"],
            "supersedes": policy["supersedes"],
        }
        for policy in found
    ]
    if as_json:
        answer({"ok": True, "signed": out, "kept": str(path), "policies": told})
        return
    for one in told:
        say(
            f"{one['envelope']}: policy {one['policy']}, {one['t']} of {one['n']} open"
            + (f", supersedes {one['supersedes']}" if one["supersedes"] else "")
        )
    say(f"kept in {path}: take it along with the key file")
