"""Opening a bid, file to file: a quorum's boxes, the join, the rebuilt header, the tree root and the decryption.

Rivals: `age -d`, which decrypts and checks nothing beyond its own chunks; AES-256-GCM in a plain loop, which hashes nothing.
"""

from __future__ import annotations

from bench.bids import RAW, officers, open_file, raw_decrypt, raw_encrypt, seal_file
from bench.race import Row, has, noise_file, race, row, shell, skipped, workshop
from bench.seal import MIB, age_recipient

GOAL = ">= 1.3"


def run(quick: bool) -> list[Row]:
    sizes = [26 * MIB, 102 * MIB] if quick else [256 * MIB, 1024 * MIB]
    return [found for size in sizes for found in _at(size, rounds=5 if size <= 256 * MIB else 3)]


def _at(size: int, rounds: int) -> list[Row]:
    workload = f"open {size // MIB} MiB, 3 of 5 officers, file to file"
    with workshop() as folder:
        plain = noise_file(folder / "plain", size)
        group = officers()
        sealed = seal_file(group, plain, folder / "sealed")
        raw_encrypt(plain, folder / "raw.in")
        rivals = [lambda: raw_decrypt(folder / "raw.in", folder / "raw.out")]
        if has("age"):
            shell(f'age -r "{age_recipient(folder)}" -o age.in plain', folder)()
            rivals.append(shell("age -d -i age.key -o age.out age.in", folder))
        mine, raw, *age = race(
            lambda: open_file(group, folder / "sealed", folder / "opened", sealed.sealed_root), *rivals, rounds=rounds
        )
        shell("cmp opened plain && cmp raw.out plain", folder)()
        ours = size / MIB / mine
        rows = [
            row(workload=workload, ours=ours, unit="MiB/s", rival=size / MIB / theirs, rival_name=name, ratio=theirs / mine, goal=goal)
            for name, goal, theirs in [(RAW, "none", raw), *(("age -d", GOAL, took) for took in age)]
        ]
        if not age:
            rows.append(skipped(workload=workload, rival_name="age -d", goal=GOAL, why="age is not installed", ours=ours, unit="MiB/s"))
        return rows
