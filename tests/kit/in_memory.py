"""Where the files of tests lie, and a database server for them: in memory where there is enough, for a commit waits for a disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ENOUGH = 8 * 2**30
"""Free bytes of memory below which they lie on the disk."""


def place() -> str:
    """A folder for what a run leaves nothing behind of."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ENOUGH
    return str(memory) if roomy else "/tmp"
