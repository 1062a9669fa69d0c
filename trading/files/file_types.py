"""What a file is: by its name, and by its bytes. A file that is not what its name says is refused."""

from __future__ import annotations

import codecs
import unicodedata
import zipfile
from typing import BinaryIO

from trading.kernel.blobs import Blob
from trading.kernel.errors import Faults
from trading.kernel.work import View

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
TIFF, TEXT, ZIP = "image/tiff", "text/plain", "application/zip"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXTENSIONS = {
    "pdf": PDF,
    "docx": DOCX,
    "xlsx": XLSX,
    "zip": ZIP,
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "tif": TIFF,
    "tiff": TIFF,
    "txt": TEXT,
}
MAX_SIZE = 2**31
_MAGIC = ((b"%PDF-", PDF), (b"\x89PNG\r\n\x1a\n", PNG), (b"\xff\xd8\xff", JPEG), (b"II*\x00", TIFF), (b"MM\x00*", TIFF))
_PIECE = 1 << 16


def sniff(source: BinaryIO) -> str:
    """What a file is by its bytes: one of the media types above, or "" for anything else. Never unpacks: of an archive only the list of
    contents is read."""
    head = source.read(16)
    for magic, media in _MAGIC:
        if head.startswith(magic):
            return media
    source.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(source)
    return TEXT if _is_text(source) else ""


def _archive(source: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(source) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return ""
    if "[Content_Types].xml" in names:
        for part, media in (("word/document.xml", DOCX), ("xl/workbook.xml", XLSX)):
            if part in names:
                return media
    return ZIP


def _is_text(source: BinaryIO) -> bool:
    """UTF-8 or GB 18030 throughout, without control characters but tab and line ends."""
    for encoding in ("utf-8-sig", "gb18030"):
        source.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while piece := source.read(_PIECE):
                if not _plain(decoder.decode(piece)):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return True
    return False


def _plain(text: str) -> bool:
    return all(unicodedata.category(letter) != "Cc" or letter in "\t\r\n\f" for letter in text)


def check_name(faults: Faults, name: str) -> None:
    """1 to 255 bytes, no path, no control characters: the rule for names in a sealed bid holds here too (protocol §3.2)."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if (
        not 1 <= size <= 255
        or name in (".", "..")
        or any(letter in "/\\" or unicodedata.category(letter) == "Cc" for letter in name)
    ):
        faults.add("name", "document.name", name=name[:80])


def media_of(work: View, name: str, blob: Blob, *, most: int = MAX_SIZE) -> str:
    """The media type of a stored file of at most ``most`` bytes.

    Refuses: Invalid ``document.faults``: ``document.name``, ``document.type_unknown``,
    ``document.empty``, ``document.too_large``, ``document.not_what_it_says`` (its bytes are not what its name says)."""
    faults = Faults()
    check_name(faults, name)
    said = EXTENSIONS.get(name.rpartition(".")[2].lower() if "." in name else "")
    if said is None:
        faults.add("name", "document.type_unknown", name=name[:80], known=sorted(EXTENSIONS))
    if blob.size == 0:
        faults.add("file", "document.empty")
    elif blob.size > most:
        faults.add("file", "document.too_large", size=blob.size, most=most)
    elif said is not None:
        with work.office.blobs.open(blob.name) as source:
            found = sniff(source)
        if found != said:
            faults.add("file", "document.not_what_it_says", name=name[:80], says=said, found=found)
    faults.refuse_if_any("document.faults")
    assert said is not None
    return said
