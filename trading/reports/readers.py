"""Files become rows: OCDS packages, CSV and XLSX tables (the headings of the savings command).

What a file is, is told from its bytes, not its name. A file is read to its end and every fault of it is named at once, with line
or cell, a code and the facts that mend it; a file with a fault gives no rows. Amounts become whole numbers of one small unit for the
whole table, fine enough for its finest amount, so nothing is rounded on the way in (rules ST-08, ST-11).

``ocds_rows`` reads OCDS, ``tables`` reads headings and cells; this file tells them apart and decodes bytes.
"""

from __future__ import annotations

from trading.kernel.errors import Faults
from trading.reports import ocds_rows, tables
from trading.reports.source import Table

MOST_BYTES = 512 * 1024 * 1024
MOST_FAULTS = 1_000


def read(data: bytes) -> Table:
    """The rows of a file: OCDS release or record package (JSON or JSON lines), CSV or XLSX.

    Refuses: Invalid ``savings.file`` with every fault.
    """
    faults = Faults()
    table: Table | None = None
    if len(data) > MOST_BYTES:
        faults.add("", "file.too_large", most_mib=MOST_BYTES >> 20)
    elif data.startswith(b"PK\x03\x04"):
        table = tables.from_sheets(data, faults)
    elif data.startswith(b"\xd0\xcf\x11\xe0"):
        faults.add("", "file.old_excel")
    else:
        text = decoded(data, faults)
        if text is not None and not text.strip():
            faults.add("", "file.empty")
        elif text is not None:
            table = ocds_rows.read(text, faults) if text.lstrip()[0] in "{[" else tables.from_text(text, faults)
    faults.found = faults.found[:MOST_FAULTS]
    faults.refuse_if_any("savings.file")
    assert table is not None
    return table


def decoded(data: bytes, faults: Faults) -> str | None:
    """The text of a file in UTF-8, UTF-16 with its mark, or GB18030 (which GBK and GB 2312 are parts of)."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ("utf-16",)
    elif data.startswith(b"\xef\xbb\xbf"):
        encodings = ("utf-8-sig",)
    else:
        encodings = ("utf-8", "gb18030")  # type: ignore[assignment]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            wrong = error
            continue
        if "\0" in text:
            break
        return text
    else:
        line = data.count(b"\n", 0, wrong.start) + 1
        faults.add(f"line {line}", "file.encoding", byte=wrong.start)
        return None
    faults.add("", "file.not_text")
    return None
