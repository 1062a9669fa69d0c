"""Tender documents: what a file is by its bytes, versions, amendments in time (rule T-05), and nobody counted."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.world import DEADLINE, PDF, World
from trading import publication
from trading.files.file_types import DOCX, EXTENSIONS, JPEG, PNG, TEXT, TIFF, XLSX, ZIP, sniff
from trading.files.file_types import PDF as PDF_MEDIA
from trading.kernel.errors import Invalid, NotAllowed, NotFound, TooLate, WrongStep
from trading.tendering import documents, notices
from trading.views import lot_cards


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(name, b"<x/>")
    return out.getvalue()


WORD, SHEET = archive("[Content_Types].xml", "word/document.xml"), archive("[Content_Types].xml", "xl/workbook.xml")
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (PDF, PDF_MEDIA),
        (WORD, DOCX),
        (SHEET, XLSX),
        (archive("a.txt"), ZIP),
        (archive(), ZIP),
        (PICTURE, PNG),
        (b"\xff\xd8\xff\xe0JFIF", JPEG),
        (b"II*\x00abc", TIFF),
        ("投标须知\r\n".encode(), TEXT),
        ("投标须知".encode("gb18030"), TEXT),
        (b"\xef\xbb\xbfbom", TEXT),
        (b"MZ\x90\x00\x03\x00\x00\x00", ""),
        (b"\x7fELF\x02\x01\x01\x00", ""),
        (b"PK\x03\x04 no archive at all", ""),
        (b"a\x00b", ""),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64), ""),
    ],
)
def test_sniffing(content: bytes, media: str) -> None:
    assert sniff(io.BytesIO(content)) == media


@given(st.binary(max_size=300))
def test_sniffing_never_fails(content: bytes) -> None:
    assert sniff(io.BytesIO(content)) in {"", *EXTENSIONS.values()}


def add(world: World, ref: str, name: str, content: bytes, **more: Any) -> None:
    blob = world.office.blobs.put([content])
    with world.work("agent") as work:
        documents.add(work, world.lot_in(work, ref), name=name, blob=blob, **more)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("招标文件.pdf", WORD, "document.not_what_it_says"),
        ("清单.xlsx", WORD, "document.not_what_it_says"),
        ("图.png", b"\xff\xd8\xff\xe0", "document.not_what_it_says"),
        ("招标文件.pdf.exe", PDF, "document.type_unknown"),
        ("setup.pdf", b"MZ\x90\x00", "document.not_what_it_says"),
        ("说明.docm", WORD, "document.type_unknown"),
        ("空.pdf", b"", "document.empty"),
        ("../a.pdf", PDF, "document.name"),
        ("a\nb.pdf", PDF, "document.name"),
        ("x" * 252 + ".pdf", PDF, "document.name"),
        ("pdf", PDF, "document.type_unknown"),
    ],
)
def test_a_file_that_is_not_what_it_says(world: World, name: str, content: bytes, code: str) -> None:
    ref = world.lot("DRAFTED")
    with pytest.raises(Invalid, match="document.faults") as refusal:
        add(world, ref, name, content)
    assert code in [fault.code for fault in refusal.value.faults]


def test_versions_stand_side_by_side(world: World) -> None:
    ref = world.lot("DRAFTED")
    add(world, ref, "a.pdf", PDF)
    add(world, ref, "a.pdf", PDF + b"2")
    add(world, ref, "b.txt", b"x", kind="other")
    with world.view("agent") as view:
        lot = world.lot_in(view, ref)
        assert [(row.name, row.version) for row in documents.standing(view.session, lot)] == [
            ("a.pdf", 2),
            ("b.txt", 1),
        ]
        first = documents.document(view, lot, 1)
        assert first.version == 1 and b"".join(world.office.blobs.read(first.blob)) == PDF
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        documents.remove(work, lot, documents.standing(work.session, lot)[0])
    with world.view("agent") as view:
        assert [row.name for row in documents.standing(view.session, world.lot_in(view, ref))] == ["b.txt"]


@pytest.mark.rule("A-03")
def test_nobody_outside_gets_a_file_before_its_time(world: World) -> None:
    ref = world.lot("READY")
    with world.view("bidder1") as view, pytest.raises(NotFound):
        documents.document(view, world.lot_in(view, ref), 1)
    world.publish(ref)
    with world.view("bidder1") as view:
        lot = world.lot_in(view, ref)
        assert documents.document(view, lot, 1).name == "招标文件.pdf"
        assert [card.name for card in lot_cards.document_cards(view, lot)] == ["招标文件.pdf"]
    with pytest.raises(WrongStep, match="lot.published_already"):
        add(world, ref, "b.pdf", PDF)


def test_a_file_of_another_lot_is_not_handed_out(world: World) -> None:
    first, second = world.lot("NOTICE"), world.lot("NOTICE")
    with world.view("bidder1") as view, pytest.raises(NotFound):
        other = documents.standing(view.session, world.lot_in(view, first))[0]
        documents.document(view, world.lot_in(view, second), other.id)


@pytest.mark.rule("9.2.corrections")
def test_an_amendment_in_time_is_published_with_its_notice(world: World) -> None:
    ref = world.lot("BIDDING")
    blob = world.office.blobs.put([PDF + b"v2"])
    world.clock.set(DEADLINE - timedelta(days=15))
    with world.work("agent") as work:
        publication.amend(work, world.lot_in(work, ref), name="招标文件.pdf", blob=blob, text="第三章更正")
    with world.view("bidder1") as view:
        lot = world.lot_in(view, ref)
        assert [(row.version, row.published) for row in documents.standing(view.session, lot)] == [(2, True)]
        assert notices.latest(view.session, lot, "correction").body["sha256"] == blob.name
        assert documents.document(view, lot, 1).version == 1


@pytest.mark.rule("T-05", "N-09")
def test_an_amendment_within_fifteen_days_offers_the_deadline_to_extend_to(world: World) -> None:
    ref = world.lot("BIDDING")
    blob = world.office.blobs.put([PDF + b"v2"])
    world.clock.set(DEADLINE - timedelta(days=14))
    with pytest.raises(TooLate, match="lot.clarification_late") as refusal, world.work("agent") as work:
        publication.amend(work, world.lot_in(work, ref), name="招标文件.pdf", blob=blob, text="第三章更正")
    assert refusal.value.facts["rule"] == "T-05" and refusal.value.facts["latest"] == "2026-03-09"
    offered = refusal.value.facts["extend_to"]
    assert offered == DEADLINE + timedelta(days=1)
    with world.work("agent") as work:  # what does not affect bids may still come
        phone = world.office.blobs.put([b"0315"])
        publication.amend(
            work, world.lot_in(work, ref), name="联系电话.txt", blob=phone, text="电话", affects_bids=False
        )
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=offered, reason="补充澄清")
    world.sign_policies(ref)
    with world.work("agent") as work:
        publication.amend(work, world.lot_in(work, ref), name="招标文件.pdf", blob=blob, text="第三章更正")


@pytest.mark.rule("T-05c")
def test_an_inquiry_is_clarified_three_working_days_before(world: World) -> None:
    ref = world.lot("BIDDING", "M5")
    blob = world.office.blobs.put([PDF + b"v2"])

    def amend(before: timedelta) -> None:
        world.clock.set(DEADLINE - before)
        with world.work("agent") as work:
            publication.amend(work, world.lot_in(work, ref), name="询价通知书.pdf", blob=blob, text="更正")

    amend(timedelta(days=5))  # Thursday; the deadline is on Tuesday
    with pytest.raises(TooLate, match="lot.clarification_late") as refusal:
        amend(timedelta(days=4))
    assert refusal.value.facts["rule"] == "T-05c" and refusal.value.facts["latest"] == "2026-03-19"


def test_only_the_agency_amends(world: World) -> None:
    ref = world.lot("BIDDING")
    blob = world.office.blobs.put([PDF])
    for username in ("agent2", "clerk", "bidder1"):
        with pytest.raises(NotAllowed), world.work(username) as work:
            publication.amend(work, world.lot_in(work, ref), name="a.pdf", blob=blob, text="x")
