"""The bytes of a stored ZIP around its files: one layout, so that the same files give the same bytes and nothing can hide between them.

Pure; APPNOTE 6.3 with the ZIP64 records where a size, an offset or a count needs them. Dates are those of an empty clock and rights are
plain, for neither says anything true about a bundle.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_DAY, _REGULAR = 33, 0o100644 << 16  # 1980-01-01; -rw-r--r--
_LIMIT, _FULL = (1 << 31) - 1, 0xFFFFFFFF
_MOST = 0xFFFF


@dataclass(frozen=True)
class Member:
    """One file: its path (ASCII), size in bytes and CRC-32."""

    path: str
    size: int
    crc: int


def local(member: Member) -> bytes:
    """What stands before a file's bytes."""
    name = member.path.encode("ascii")
    size, extra, version = member.size, b"", 20
    if size > _LIMIT:
        extra, size, version = struct.pack("<HHQQ", 1, 16, member.size, member.size), _FULL, 45
    return (
        LOCAL
        + struct.pack("<HHHHHIIIHH", version, 0, 0, 0, _DAY, member.crc, size, size, len(name), len(extra))
        + name
        + extra
    )


def tail(members: Sequence[Member]) -> bytes:
    """What stands after the last file's bytes: the central directory and its end."""
    directory, offset = [], 0
    for member in members:
        directory.append(_central(member, offset))
        offset += len(local(member)) + member.size
    body = b"".join(directory)
    return body + _end(len(members), len(body), offset)


def _central(member: Member, offset: int) -> bytes:
    name, wide = member.path.encode("ascii"), []
    size, at = member.size, offset
    if size > _LIMIT:
        wide += [size, size]
        size = _FULL
    if at > _LIMIT:
        wide.append(at)
        at = _FULL
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    version = 45 if wide else 20
    return (
        CENTRAL
        + struct.pack(
            "<BBHHHHHIIIHHHHHII",
            version,
            3,
            version,
            0,
            0,
            0,
            _DAY,
            member.crc,
            size,
            size,
            len(name),
            len(extra),
            0,
            0,
            0,
            _REGULAR,
            at,
        )
        + name
        + extra
    )


def _end(count: int, size: int, offset: int) -> bytes:
    found = b""
    if count > _MOST or size > _LIMIT or offset > _LIMIT:
        found = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, offset)
        found += b"PK\x06\x07" + struct.pack("<IQI", 0, offset + size, 1)
        count, size, offset = min(count, _MOST), min(size, _FULL), min(offset, _FULL)
    return found + END + struct.pack("<HHHHIIH", 0, 0, count, count, size, offset, 0)
