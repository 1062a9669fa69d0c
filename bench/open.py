"""Opening a bid, file to file: a quorum's boxes, the join, the rebuilt header, the tree root and the decryption.

Rivals: `age -d`, which decrypts and checks nothing beyond its own chunks; `openssl` and `sha256sum`, which is decryption and a digest with
nothing else; `gpg -d`; AES-256-GCM in a plain loop, which hashes nothing.
"""

from __future__ import annotations

from bench.bids import RAW, officers, open_file, raw_decrypt, raw_encrypt, seal_file
from bench.race import Row, clear, has, noise_file, pace_rows, race, shell, workshop
from bench.seal import GPG, MIB, OPENSSL, age_recipient

RIVALS = {
    "age -d": ("age", 'age -r "$RECIPIENT" -o age.in plain', "age -d -i age.key -o age.out age.in", ">= 1.3"),
    "openssl aes-256-ctr -d + sha256sum": (
        "openssl", f"{OPENSSL} -in plain -out openssl.in", f"sha256sum openssl.in && {OPENSSL} -d -in openssl.in -out openssl.out", "none",
    ),
    "gpg -d": ("gpg", f"{GPG} -o gpg.in -c plain", f"{GPG} -o gpg.out -d gpg.in", "none"),
}  # fmt: skip


def run(quick: bool) -> list[Row]:
    return [found for size in ([26, 102] if quick else [256, 1024]) for found in _at(size * MIB)]


def _at(size: int) -> list[Row]:
    workload = f"open {size // MIB} MiB, 3 of 5 officers, file to file"
    with workshop() as folder:
        plain = noise_file(folder / "plain", size)
        group = officers()
        sealed = seal_file(group, plain, folder / "sealed")
        raw_encrypt(plain, folder / "raw.in")
        variables = {"GNUPGHOME": str(folder / "gnupg"), "RECIPIENT": age_recipient(folder)}
        (folder / "gnupg").mkdir(mode=0o700)
        here = {name: RIVALS[name] for name, (program, *_) in RIVALS.items() if has(program)}
        for _, prepare, _, _ in here.values():
            shell(prepare, folder, **variables)()
        contestants = [
            lambda: open_file(group, folder / "sealed", folder / "ours.out", sealed.sealed_root),
            lambda: raw_decrypt(folder / "raw.in", folder / "raw.out"),
            *(shell(work, folder, **variables) for _, _, work, _ in here.values()),
        ]
        for contestant in contestants:
            clear(folder)
            contestant()
            shell("cmp *.out plain", folder)()
        mine, *theirs = race(*contestants, before=lambda: clear(folder))
        rivals = [(RAW, "", "none"), *((name, program, goal) for name, (program, _, _, goal) in RIVALS.items())]
        return pace_rows(workload, size / MIB, mine, rivals, dict(zip([RAW, *here], theirs, strict=True)))
