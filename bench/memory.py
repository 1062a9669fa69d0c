"""How much memory sealing and opening take above start, and that a bid four times as large takes no more.

Each act runs in a process of its own. Its peak is the kernel's mark of that process (VmHWM, which begins anew with the program), less
the mark when the imports were done.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.race import Row, row, skipped

MIB = 1 << 20
LIMIT_MIB = 64

ACT = """
import json, sys
from pathlib import Path
from bench import bids
from crypto import sealed_bid

def peak():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024

class Stream:
    '''Bytes that no file holds.'''
    def __init__(self, size): self.left, self.block = size, bytes(range(256)) * 4096
    def read(self, size=-1):
        take = min(self.left, len(self.block), size if size >= 0 else self.left)
        self.left -= take
        return self.block[:take]

class Sink:
    '''Takes what is written and forgets it.'''
    def write(self, data): return len(data)

act, size, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
group = bids.officers()
start = peak()
if act == "seal":
    with path.open("wb") as out:
        made = sealed_bid.seal(group.policy, bidder="B-1", announce={}, files=[sealed_bid.FileIn("f", size, Stream(size))], out=out)
    print(json.dumps([peak() - start, made.seed.hex(), made.sealed_root.hex()]))
else:
    with path.open("rb") as source:
        sealed_bid.open(source, bytes.fromhex(sys.argv[4]), lambda item: Sink(), bytes.fromhex(sys.argv[5]))
    print(json.dumps([peak() - start]))
"""


def run(quick: bool) -> list[Row]:
    sizes = (102 * MIB, 410 * MIB) if quick else (1024 * MIB, 4096 * MIB)
    peaks: dict[str, list[float]] = {"seal": [], "open": []}
    goal = f"<= {LIMIT_MIB} MiB above start, equal for both sizes"
    workload = " and ".join(f"{size // MIB} MiB" for size in sizes)
    with tempfile.TemporaryDirectory(prefix="bidhall-bench-") as name:
        if shutil.disk_usage(name).free < 2 * max(sizes):
            return [
                skipped(workload=f"{act} {workload}", rival_name="", goal=goal, why="no room on the disk")
                for act in peaks
            ]
        for size in sizes:
            path = Path(name) / "sealed"
            peak, seed, root = _act("seal", str(size), str(path))
            peaks["seal"].append(int(peak) / MIB)
            (peak,) = _act("open", str(size), str(path), seed, root)
            peaks["open"].append(int(peak) / MIB)
    return [
        row(
            workload=f"{act} {workload}, peak above start", ours=max(both), unit="MiB", goal=goal,
            met=max(both) <= LIMIT_MIB and abs(both[1] - both[0]) <= 4,
            notes=" and ".join(f"{peak:.1f} MiB" for peak in both) + "; equal means within 4 MiB",
        )
        for act, both in peaks.items()
    ]  # fmt: skip


def _act(*words: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", ACT, *words], check=True, capture_output=True, text=True)
    return list(json.loads(done.stdout))
