"""Sealing a bid, file to file: header, boxes, encryption and the tree of piece digests.

Rivals: `age` to one recipient, which hashes no tree; `openssl` and `sha256sum`, which is encryption and a digest with nothing
else; `gpg` without compression; AES-256-GCM in a plain loop, which hashes nothing.
"""

from __future__ import annotations

from pathlib import Path

from bench.bids import RAW, officers, raw_encrypt, seal_file
from bench.race import Row, clear, has, noise_file, pace_rows, race, shell, workshop

MIB = 1 << 20
OPENSSL = f"openssl enc -aes-256-ctr -K {'5a' * 32} -iv {'a5' * 16}"
GPG = "gpg --batch --yes --quiet --pinentry-mode loopback --passphrase bench -z 0 --cipher-algo AES256"
RIVALS = {
    "age -r": ("age", 'age -r "$RECIPIENT" -o age.out plain', ">= 1.3"),
    "openssl aes-256-ctr + sha256sum": (
        "openssl",
        f"{OPENSSL} -in plain -out openssl.out && sha256sum openssl.out",
        ">= 2",
    ),
    "gpg -z 0": ("gpg", f"{GPG} -o gpg.out -c plain", ">= 3"),
}


def run(quick: bool) -> list[Row]:
    return [found for size in ([26, 102] if quick else [256, 1024]) for found in _at(size * MIB)]


def _at(size: int) -> list[Row]:
    workload = f"seal {size // MIB} MiB, 3 of 5 officers, file to file"
    with workshop() as folder:
        plain = noise_file(folder / "plain", size)
        group = officers()
        variables = {"GNUPGHOME": str(folder / "gnupg"), "RECIPIENT": age_recipient(folder)}
        (folder / "gnupg").mkdir(mode=0o700)
        here = {
            name: shell(command, folder, **variables) for name, (program, command, _) in RIVALS.items() if has(program)
        }
        mine, *theirs = race(
            lambda: seal_file(group, plain, folder / "ours.out"), lambda: raw_encrypt(plain, folder / "raw.out"), *here.values(),
            before=lambda: clear(folder),
        )  # fmt: skip
        rivals = [(RAW, "", "none"), *((name, program, goal) for name, (program, _, goal) in RIVALS.items())]
        return pace_rows(workload, size / MIB, mine, rivals, dict(zip([RAW, *here], theirs, strict=True)))


def age_recipient(folder: Path) -> str:
    """A fresh age key in ``folder/age.key``; its recipient, or "" without age."""
    if not has("age-keygen"):
        return ""
    shell("age-keygen -o age.key && age-keygen -y age.key > age.pub", folder)()
    return (folder / "age.pub").read_text(encoding="ascii").strip()
