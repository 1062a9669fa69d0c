"""What the self-check before sealing sees of a file, and the lists a form asks for."""

from __future__ import annotations

import io
import zipfile

import pytest

from trading.files import bid_files
from trading.kernel.errors import Invalid
from trading.tendering import bid_forms

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
PDF = b"%PDF-1.7\n" + bytes(90_000) + b"\ntrailer << /Size 3 >>\n%%EOF\n"


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as into:
        for name in names:
            into.writestr(name, b"content of " + name.encode() * 400)
    return out.getvalue()


def ends(data: bytes) -> tuple[int, bytes, bytes]:
    return len(data), data[: bid_files.HEAD], data[-bid_files.TAIL :]


LOCKED_ZIP = bytearray(archive("a"))
LOCKED_ZIP[6] |= 1
CASES: list[tuple[str, bytes, list[str]]] = [
    ("报价.pdf", PDF, []),
    ("late mark.pdf", b"\xef\xbb\xbf\n" + PDF, []),
    ("half.pdf", PDF[:50_000], ["cut_short"]),
    ("locked.pdf", PDF.replace(b"/Size 3", b"/Encrypt 3 0 R"), ["locked"]),
    ("really.pdf", archive("a"), ["wrong_kind"]),
    ("a.zip", archive("a"), []),
    ("a.ofd", archive("OFD.xml"), []),
    ("half.zip", archive("a", "b")[:600], ["cut_short"]),
    ("locked.zip", bytes(LOCKED_ZIP), ["locked"]),
    ("a.docx", archive("word/document.xml"), []),
    ("a.docx", OLE, ["locked"]),
    ("a.doc", OLE, []),
    ("a.DOC", b"{\\rtf1 text}", []),
    ("a.xls", PDF, ["wrong_kind"]),
    ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(40), []),
    ("a.jpg", b"\x89PNG\r\n\x1a\n" + bytes(40), ["wrong_kind"]),
    ("a.txt", b"anything", []),
    ("a.bin", b"anything", ["unusual"]),
    ("no ending", b"anything", ["unusual"]),
    ("setup.exe", b"anything", ["program"]),
    ("invoice.pdf", b"MZ\x90" + bytes(80), ["program"]),
    ("run.txt", b"#!/bin/sh", ["program"]),
    ("empty.pdf", b"", ["empty_file"]),
    ("a/b.txt", b"x", ["bad_name"]),
    ("a\x85.txt", b"x", ["bad_name"]),
    ("长" * 85 + ".txt", b"x", ["bad_name"]),
]


@pytest.mark.parametrize(
    ("name", "data", "codes"), CASES, ids=[f"{n}-{name[:12]}" for n, (name, _, _) in enumerate(CASES)]
)
def test_what_is_seen_of_a_file(name: str, data: bytes, codes: list[str]) -> None:
    assert [found.code for found in bid_files.judge(name, *ends(data))] == codes


def test_a_form_with_items_and_files() -> None:
    form = bid_forms.with_lists(bid_forms.default_form("GOODS"), items=["设备", "安装"], files=["技术文件"])
    bid_forms.check_form(form)
    assert [field["key"] for field in form][:3] == ["price", "item_1", "item_2"]
    assert bid_forms.lists_of(form) == (["设备", "安装"], ["技术文件"])
    announce = {
        "price": "100.00",
        "item_1": "60.50",
        "item_2": "39.50",
        "delivery_days": "3",
        "warranty_months": "24",
        "small_firm": "no",
    }
    assert bid_forms.sum_of_items(form, bid_forms.parse(form, announce).values) == 100_00
    with pytest.raises(Invalid):  # a file is looked for, never announced
        bid_forms.parse(form, {**announce, "file_1": "技术文件.pdf"})
    assert bid_forms.with_lists(form, items=[], files=[]) == bid_forms.default_form("GOODS")


@pytest.mark.parametrize("item", [
    {"key": "x", "type": "days", "part_of": "price"}, {"key": "x", "type": "money", "part_of": "y"},
    {"key": "price", "type": "money", "part_of": "price"},
])  # fmt: skip
def test_an_item_is_money_of_the_price(item: dict[str, str]) -> None:
    form = [field for field in bid_forms.default_form("GOODS") if field["key"] != item["key"]]
    with pytest.raises(Invalid) as refused:
        bid_forms.check_form([*form, {"label": "x", "required": True, **item}])
    assert "bid_form.bad_item" in [fault.code for fault in refused.value.faults]
