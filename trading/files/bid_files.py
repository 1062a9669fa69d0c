"""What can be seen of a bid's file before it is sealed, by its name, its first and last bytes (pure; no database).

`bidhall seal` asks this; the page of sealing holds the same rules in ``bidder_rules.js``, and a test holds the two against each other. A
wrong file is no ground to refuse a bid after the opening: these are the words of a careful colleague, before it is too late to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEAD = 1024
TAIL = 65_557
"""Bytes: a ZIP's last record begins within so many of its end."""

ENDINGS: Mapping[str, Sequence[str]] = {
    "pdf": ["pdf"], "ofd": ["zip"], "zip": ["zip"], "docx": ["zip", "ole"], "xlsx": ["zip", "ole"], "pptx": ["zip", "ole"],
    "doc": ["ole", "rtf"], "xls": ["ole"], "ppt": ["ole"], "wps": ["ole", "zip"], "et": ["ole", "zip"], "rtf": ["rtf"],
    "png": ["png"], "jpg": ["jpeg"], "jpeg": ["jpeg"], "gif": ["gif"], "bmp": ["bmp"], "tif": ["tiff"], "tiff": ["tiff"],
    "rar": ["rar"], "7z": ["7z"], "dwg": ["dwg"], "txt": [], "csv": [], "xml": [], "md": [],
}  # fmt: skip
"""Ending → kinds whose marks a file of that ending may begin with."""

MARKS: Mapping[str, Sequence[bytes]] = {
    "pdf": [b"%PDF"], "zip": [b"PK\x03\x04", b"PK\x05\x06"], "ole": [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"], "rtf": [b"{\\rtf"],
    "png": [b"\x89PNG\r\n\x1a\n"], "jpeg": [b"\xff\xd8\xff"], "gif": [b"GIF87a", b"GIF89a"], "bmp": [b"BM"], "tiff": [b"II*\0", b"MM\0*"],
    "rar": [b"Rar!\x1a\x07"], "7z": [b"7z\xbc\xaf\x27\x1c"], "dwg": [b"AC10"],
}  # fmt: skip
"""Kind → marks at the first byte; those of a PDF may come within the first 1024."""

_PROGRAMS = re.compile(r"\.(exe|com|bat|cmd|scr|msi|lnk|vbs|js|jar|ps1|sh|apk|dll|hta|pif)\Z", re.IGNORECASE)
_PROGRAM_MARKS = (b"MZ", b"\x7fELF", b"#!")
_BAD_NAME = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
_ENDING = re.compile(r"\.([A-Za-z0-9]+)\Z")
STOPS = frozenset(("empty_file", "bad_name", "program", "wrong_kind"))
"""Codes that stop sealing; the others (``unusual``, ``locked``, ``cut_short``) are to be looked at."""


@dataclass(frozen=True)
class Finding:
    """``code``: what is wrong with a file; ``stops``: whether it is sealed all the same."""

    code: str

    @property
    def stops(self) -> bool:
        return self.code in STOPS


def judge(name: str, size: int, head: bytes, tail: bytes) -> list[Finding]:
    """What is wrong with a file of ``size`` bytes. ``head``, ``tail``: its first `HEAD` and last `TAIL` bytes."""
    codes = []
    if _BAD_NAME.search(name) or not 1 <= len(name.encode("utf-8", "surrogatepass")) <= 255 or name in (".", ".."):
        codes.append("bad_name")
    if not size:
        codes.append("empty_file")
    else:
        codes += _content(name, head, tail)
    return [Finding(code) for code in codes]


def _content(name: str, head: bytes, tail: bytes) -> list[str]:
    found = _ENDING.search(name)
    ending = found.group(1).lower() if found else ""
    if _PROGRAMS.search(name) or head.startswith(_PROGRAM_MARKS):
        return ["program"]
    if ending not in ENDINGS:
        return ["unusual"]
    kinds = ENDINGS[ending]
    if kinds and not any(_begins(head, kind) for kind in kinds):
        return ["wrong_kind"]
    if not kinds:
        return []
    codes = ["locked"] if _locked(ending, head, tail) else []
    if (_begins(head, "pdf") and b"%%EOF" not in tail) or (_begins(head, "zip") and b"PK\x05\x06" not in tail):
        codes.append("cut_short")
    return codes


def _begins(head: bytes, kind: str) -> bool:
    return any(mark in head if kind == "pdf" else head.startswith(mark) for mark in MARKS[kind])


def _locked(ending: str, head: bytes, tail: bytes) -> bool:
    if _begins(head, "pdf"):
        return b"/Encrypt" in tail
    if _begins(head, "zip"):
        return head.startswith(b"PK\x03\x04") and len(head) > 6 and head[6] & 1 == 1
    return ending in ("docx", "xlsx", "pptx")  # an office file of today in the container of old is one with a password
