"""`bidhall keys sheet | restore | passphrase | enrol | answer | vouch`: key files on paper, keys enrolled from a machine of one's own."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import click

from crypto import hpke, keyfiles, recovery, signatures
from crypto import keys as kernel
from crypto.canonical import b64u, loads, unb64u
from crypto.documents import check_document
from crypto.errors import PASSPHRASE, CryptoError
from trading.kernel.clock import write_moment
from web.cli.common import (
    BAD_INPUT,
    answer,
    force_option,
    guarded,
    json_option,
    lang_option,
    passphrase,
    read_bytes,
    read_json,
    say,
    stop,
    writing,
)
from web.cli.keys import keys
from web.cli.offline import now, passphrase_option

_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title><style>
@page {{ size: A4; margin: 18mm }} body {{ font: 11pt/1.5 "Noto Sans CJK SC", sans-serif; max-width: 174mm; margin: 0 auto }}
h1 {{ font-size: 18pt }} h2 {{ font-size: 12pt; margin: 1.2em 0 .3em }} pre {{ font: 10.5pt/1.7 monospace }}
svg {{ width: 62mm; height: 62mm }}
dt {{ color: #555 }} dd {{ margin: 0 0 .5em }} .row {{ display: flex; gap: 8mm }}
</style></head><body><h1>恢复单 · Recovery sheet</h1>
<dl><dt>持有人 · Holder</dt><dd>{party}</dd><dt>身份 · Role</dt><dd>{role}</dd><dt>印出 · Printed</dt><dd>{at}</dd></dl>
<h2>公钥指纹 · Fingerprint</h2><p>{groups}</p><p>{zh}<br>{en}</p>
<h2>加密的密钥文件 · The wrapped key file</h2><div class="row">{code}<pre>{lines}</pre></div>
<h2>恢复 · Back from this sheet</h2><p>bidhall keys restore sheet.txt -o keys.json<br>
或在网页“我的账户 / 密钥 / 从恢复单恢复”。须有口令；口令不要写在本单上。<br>
Or on the page Keys / Restore from a sheet. The passphrase is needed; do not write it on this sheet.</p>
</body></html>
"""


def _ring(path: str) -> dict[str, Any]:
    ring = read_json(path)
    try:
        keyfiles.check_keyring(ring)
    except CryptoError as error:
        stop(f"{path}: not a key file: {error.detail} [{error.code}]", BAD_INPUT)
    found: dict[str, Any] = ring
    return found


def _opened(path: str, passphrase_file: str | None) -> keyfiles.Keyring:
    ring, secret = _ring(path), passphrase(passphrase_file)
    try:
        return keyfiles.open_keyring(ring, secret)
    except CryptoError as error:
        stop(f"{path}: {error.detail} [{error.code}]", BAD_INPUT if error.code == PASSPHRASE else 1)


def _write(out: str, force: bool, value: Any) -> None:
    with writing(out, force=force, mode=0o600) as file:
        file.write(json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n")


@keys.command("sheet", epilog="Example: bidhall keys sheet keys.json -o sheet.html")
@click.argument("keyfile")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE",
    help="Where to write it: .html to print, else the bare lines (- is stdout).",
)
@force_option
@lang_option
@guarded
def sheet(keyfile: str, out: str, force: bool, lang: str | None) -> None:
    """Write the recovery sheet of a key file: the wrapped file as a code and as lines. Needs no passphrase."""
    import segno

    ring = _ring(keyfile)
    lines = "\n".join(recovery.lines_of(ring))
    if not out.endswith(".html"):
        with writing(out, force=force, mode=0o600) as file:
            file.write(lines.encode() + b"\n")
        return
    public = unb64u(next(one["pub"] for one in ring["keys"] if one["alg"] == "ed25519"), 32)
    code = segno.make(recovery.code_text(ring), error="m", micro=False).svg_inline(border=4, omitsize=True)
    text = _PAGE.format(
        title=escape(f"{ring['role']} {ring['party']}"),
        party=escape(ring["party"]),
        role=escape(ring["role"]),
        at=write_moment(now()),
        groups=kernel.fingerprint("ed25519", public),
        zh=" · ".join(recovery.key_words("ed25519", public, "zh")),
        en=" · ".join(recovery.key_words("ed25519", public, "en")),
        code=code,
        lines=lines,
    )
    with writing(out, force=force, mode=0o600) as file:
        file.write(text.encode())
    say(f"{out}: print it and keep it away from the passphrase; then delete the file.")


@keys.command("restore", epilog="Example: bidhall keys restore sheet.txt -o keys.json")
@click.argument("text")
@click.option("-o", "--out", required=True, metavar="KEYFILE", help="Where to write the key file (- is stdout).")
@passphrase_option
@force_option
@lang_option
@guarded
def restore(text: str, out: str, passphrase_file: str | None, force: bool, lang: str | None) -> None:
    """Make the key file again from a sheet: TEXT holds what the code says, or the lines as typed (- is stdin). Tries the passphrase."""
    try:
        ring = recovery.restore(read_bytes(text).decode("utf-8", "replace"))
    except CryptoError as error:
        stop(f"{text}: {error.detail} [{error.code}]", BAD_INPUT)
    try:
        keyfiles.open_keyring(ring, passphrase(passphrase_file))
    except CryptoError as error:
        stop(f"the sheet is whole, but: {error.detail} [{error.code}]", BAD_INPUT if error.code == PASSPHRASE else 1)
    _write(out, force, ring)
    say(f"{out}: keys of {ring['role']} {ring['party']}")


@keys.command("passphrase", epilog="Example: bidhall keys passphrase keys.json -o keys-new.json")
@click.argument("keyfile")
@click.option(
    "-o", "--out", required=True, metavar="KEYFILE", help="Where to write the same keys under the new passphrase."
)
@passphrase_option
@click.option("--new-passphrase-file", metavar="FILE", help="The new passphrase: first line of FILE (asked for).")
@force_option
@lang_option
@guarded
def rewrap(
    keyfile: str, out: str, passphrase_file: str | None, new_passphrase_file: str | None, force: bool, lang: str | None
) -> None:
    """Wrap the same keys under another passphrase. Old copies still open with the old one: destroy them, print a new sheet."""
    ring = _opened(keyfile, passphrase_file)
    secret = passphrase(new_passphrase_file, confirm=True)
    _write(
        out,
        force,
        keyfiles.make_keyring(ring.party, ring.role, {alg: one.secret for alg, one in ring.secrets.items()}, secret),
    )
    say(f"{out}: the same keys; copies of {keyfile} still open with the old passphrase")


@keys.command(
    "enrol", epilog="Example: bidhall keys enrol new.json --old keys.json --platform bidhall.example -o enrolment.json"
)
@click.argument("keyfile")
@click.option(
    "--platform",
    required=True,
    metavar="NAME",
    help="The platform's name in signed documents (shown at /account/keys/data).",
)
@click.option("--old", "old_file", metavar="KEYFILE", help="Rotation: the key file that stands; it signs too.")
@click.option(
    "--lost", metavar="KID", help="Loss: the id of the key that is lost; the supervisor signs instead (keys vouch)."
)
@passphrase_option
@click.option("--old-passphrase-file", metavar="FILE", help="The passphrase of --old (asked for).")
@click.option("-o", "--out", required=True, metavar="FILE", help="Where to write the signed enrolment (- is stdout).")
@force_option
@lang_option
@guarded
def enrol(
    keyfile: str,
    platform: str,
    old_file: str | None,
    lost: str | None,
    passphrase_file: str | None,
    old_passphrase_file: str | None,
    out: str,
    force: bool,
    lang: str | None,
) -> None:
    """Sign the enrolment of a key: a first key alone, or one that replaces another. Hand it in at /account/keys within ten minutes."""
    if old_file and lost is not None:
        stop("either --old or --lost: one who has the old key file lets it sign", BAD_INPUT)
    ring = _opened(keyfile, passphrase_file)
    signing, replaces = [ring.secret("ed25519")], lost or ""
    if old_file:
        old = _opened(old_file, old_passphrase_file)
        if (old.party, old.role) != (ring.party, ring.role):
            stop(f"{old_file}: the key of {old.role} {old.party}, not of {ring.role} {ring.party}", BAD_INPUT)
        signing.append(old.secret("ed25519"))
        replaces = kernel.kid("ed25519", kernel.ed25519_public(old.secret("ed25519")))
    document = {
        "v": 1,
        "platform": platform,
        "party": ring.party,
        "role": ring.role,
        "sign_pk": ring.secrets["ed25519"].pub,
        "seal_pk": ring.secrets["x25519"].pub if "x25519" in ring.secrets else "",
        "replaces": replaces,
        "at": write_moment(now()),
    }
    check_document("enrolment", document)
    _write(out, force, signatures.sign("enrolment", document, *signing))
    say(
        f"{out}: enrolment of {ring.role} {ring.party}"
        + ("; the supervisor has yet to sign it" if lost is not None else "")
    )


@keys.command("answer", epilog="Example: bidhall keys answer keys.json --box box.json")
@click.argument("keyfile")
@click.option(
    "--box", "box_file", required=True, metavar="FILE", help="The challenge of the platform: {enc, ct} (- is stdin)."
)
@passphrase_option
@json_option
@lang_option
@guarded
def answer_box(keyfile: str, box_file: str, passphrase_file: str | None, as_json: bool, lang: str | None) -> None:
    """Open the challenge that proves the sealing key; opens nothing but a challenge."""
    box, ring = read_json(box_file), _opened(keyfile, passphrase_file)
    if not isinstance(box, dict) or not {"enc", "ct"} <= box.keys():
        stop(f"{box_file}: not a challenge", BAD_INPUT)
    found = b64u(
        hpke.open_box(ring.secret("x25519"), unb64u(box["enc"], 32), unb64u(box["ct"], 48), b"bidhall/sb1/enrol")
    )
    if as_json:
        answer({"answer": found})
    else:
        click.echo(found)


@keys.command("vouch", epilog="Example: bidhall keys vouch request.json --key supervisor.json -o signed.json")
@click.argument("request")
@click.option("--key", "key_file", required=True, metavar="KEYFILE", help="The supervisor's key file.")
@passphrase_option
@click.option(
    "-o", "--out", required=True, metavar="FILE", help="Where to write it with both signatures (- is stdout)."
)
@force_option
@lang_option
@guarded
def vouch(request: str, key_file: str, passphrase_file: str | None, out: str, force: bool, lang: str | None) -> None:
    """As the supervisor, sign the enrolment of somebody who lost a key. First make sure who asks: the words are shown to compare."""
    envelope = read_json(request)
    if signatures.kind_of(envelope) != "enrolment":
        stop(f"{request}: not an enrolment", BAD_INPUT)
    document = loads(signatures.payload_of(envelope))
    check_document("enrolment", document)
    public = unb64u(document["sign_pk"], 32)
    signatures.verify(envelope, "enrolment", public)
    if not document["replaces"]:
        stop(f"{request}: a first key needs no supervisor", BAD_INPUT)
    say(
        f"{document['role']} {document['party']}: "
        + " · ".join(recovery.key_words("ed25519", public, "zh" if lang == "zh" else "en"))
    )
    ring = _opened(key_file, passphrase_file)
    if ring.role != "supervisor":
        stop(f"{key_file}: the key file of a {ring.role}, not of a supervisor", BAD_INPUT)
    _write(out, force, signatures.countersign(envelope, ring.secret("ed25519")))
