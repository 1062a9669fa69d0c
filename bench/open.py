"""Opening a bid, file to file: a quorum's boxes, the join, the rebuilt header, the tree root and the decryption.

Rival: `age -d`, which decrypts and checks nothing beyond its own chunks.
"""

from __future__ import annotations

from bench.bids import officers, open_file, seal_file
from bench.race import Row, has, noise_file, race, row, shell, skipped, workshop
from bench.seal import MIB, age_recipient

GOAL = ">= 1.3"


def run(quick: bool) -> list[Row]:
    sizes = [26 * MIB, 102 * MIB] if quick else [256 * MIB, 1024 * MIB]
    return [_at(size, rounds=5 if size <= 256 * MIB else 3) for size in sizes]


def _at(size: int, rounds: int) -> Row:
    workload = f"open {size // MIB} MiB, 3 of 5 officers, file to file"
    with workshop() as folder:
        plain = noise_file(folder / "plain", size)
        group = officers()
        sealed = seal_file(group, plain, folder / "sealed")

        def ours() -> None:
            open_file(group, folder / "sealed", folder / "opened", sealed.sealed_root)

        if not has("age"):
            (mine,) = race(ours, rounds=rounds)
            return skipped(
                workload=workload, rival_name="age -d", goal=GOAL, why="age is not installed", ours=size / MIB / mine, unit="MiB/s"
            )
        shell(f'age -r "{age_recipient(folder)}" -o age.in plain', folder)()
        mine, theirs = race(ours, shell("age -d -i age.key -o age.out age.in", folder), rounds=rounds)
        shell("cmp opened plain", folder)()
        return row(
            workload=workload, ours=size / MIB / mine, unit="MiB/s", rival=size / MIB / theirs, rival_name="age -d",
            ratio=theirs / mine, goal=GOAL,
        )  # fmt: skip
