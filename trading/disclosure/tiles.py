"""The public log as files that any web server can serve: C2SP tlog-tiles, the entry bundles of its leaves, and the checkpoint.

A full tile never changes, so a folder written before is only added to. The checkpoint is written last: whoever reads it finds every tile
it needs.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import select

from crypto import checkpoints
from crypto.canonical import unb64u
from trading.kernel import log
from trading.kernel.errors import NotFound
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import View

WIDTH, HEIGHT = checkpoints.TILE_WIDTH, checkpoints.TILE_HEIGHT


def write(view: View, folder: Path) -> int:
    """Write what is new; returns how many ticks the log has. Refuses: NotFound ``log.empty``."""
    last = log.last_tick(view.session)
    if last is None:
        raise NotFound("log.empty")
    size = last.tick + 1
    level, count = 0, size
    while count:
        for index in range(-(-count // WIDTH)):
            width = min(WIDTH, count - index * WIDTH)
            hashes = _hashes(view, level * HEIGHT, index * WIDTH, width)
            _put(folder / checkpoints.tile_path(level, index, width), hashes, full=width == WIDTH)
            if level == 0:
                leaves = _leaves(view, index * WIDTH, width)
                _put(folder / checkpoints.entries_path(index, width), leaves, full=width == WIDTH)
        level, count = level + 1, count // WIDTH
    _put(folder / "checkpoint", last.checkpoint.encode(), full=False)
    return size


def _hashes(view: View, level: int, first: int, width: int) -> bytes:
    rows = view.session.execute(
        select(log.LogNode.hash)
        .where(log.LogNode.level == level, log.LogNode.index >= first, log.LogNode.index < first + width)
        .order_by(log.LogNode.index)
    )
    return b"".join(unb64u(row[0]) for row in rows)


def _leaves(view: View, first: int, width: int) -> bytes:
    rows = view.session.execute(
        select(LogTick.leaf).where(LogTick.tick >= first, LogTick.tick < first + width).order_by(LogTick.tick)
    )
    return checkpoints.entry_bundle(row[0].encode() for row in rows)


def _put(path: Path, data: bytes, *, full: bool) -> None:
    if full and path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    os.replace(temporary, path)
