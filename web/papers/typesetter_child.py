"""The setter's own process: jobs come in on standard input, PDFs go out on standard output, one after the other.

    python -I -B -m web.papers.typesetter_child

A job is a length (big-endian u32) and JSON: ``template`` (a file of ``typ/``), ``data``, ``standard`` ("" for none), ``mark`` (a
watermark, "" for none), ``at`` (the date of the document in ISO form, or null). An answer is ``P`` or ``E``, a length, and the PDF or
why there is none. The process ends with its standard input, or by itself once nobody has wanted anything for a while. Nothing of the
product is imported but this file.
"""

from __future__ import annotations

import json
import os
import select
import struct
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

IDLE_SECONDS = 60
FONTS = Path(__file__).parents[1] / "fonts"
TEMPLATES = Path(__file__).parents[1] / "typ"


def compile_job(job: dict[str, Any]) -> bytes:
    """The PDF of a job. Equal jobs give equal bytes, in whatever process and order, where ``at`` is given."""
    import typst

    options: dict[str, Any] = {
        "font_paths": [FONTS],
        "ignore_system_fonts": True,
        "format": "pdf",
        "sys_inputs": {"data": json.dumps(job["data"], ensure_ascii=False), "mark": job["mark"]},
    }
    if job["at"] is not None:
        options["timestamp"] = datetime.fromisoformat(job["at"])
    if job["standard"]:
        options["pdf_standards"] = job["standard"]
    return bytes(typst.compile(TEMPLATES / Path(job["template"]).name, **options))


def answer(job: bytes) -> bytes:
    try:
        mark, body = b"P", compile_job(json.loads(job))
    except Exception as error:  # whatever the setter says of a template; the parent logs it
        mark, body = b"E", f"{type(error).__name__}: {error}"[:4000].encode("utf-8", "replace")
    return mark + struct.pack(">I", len(body)) + body


def main() -> None:
    source = os.fdopen(0, "rb", buffering=0)
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        head = _read(source, 4)
        if len(head) < 4:
            return
        wanted = struct.unpack(">I", head)[0]
        job = _read(source, wanted)
        if len(job) < wanted:
            return
        sys.stdout.buffer.write(answer(job))
        sys.stdout.buffer.flush()


def _read(source: Any, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := source.read(size - len(data))):
        data += piece
    return bytes(data)


if __name__ == "__main__":
    main()
