"""The pictures of the documents, taken by the walk as it passes through what they show.

    guest.picture("cashier-refunds-zh")   # in a walk; does nothing where nobody asked for pictures, or in the other language
    make pictures                         # runs those walks and writes docs/pictures anew

``BIDHALL_PICTURES`` names the folder. Every picture has one size, whatever the screen of who takes it: a page is a window of 1440 × 900
points at one pixel a point, a part of a page is as high as it is.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2 as pdfium
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

TAKEN = {
    "tests/walk/test_homes.py": (
        "agency-home-zh", "centre-home-zh", "hall-desk-zh", "expert-home-zh", "supervisor-deadlines-zh", "admin-home-zh", "help-zh",
    ),
    "tests/walk/test_public.py": ("portal-zh", "portal-en", "hall-before-zh", "public-result-zh", "savings-zh"),
    "tests/walk/test_bidder.py": ("bidder-home-zh", "bidder-lot-zh", "bidder-deposit-zh", "sealing-zh", "seal-receipt-zh"),
    "tests/walk/test_hall.py": ("hall-wall-zh", "hall-shares-zh", "hall-projector-zh", "hall-opened-zh", "hall-record-zh"),
    "tests/walk/test_expert.py": ("scoring-zh", "evaluation-report-zh"),
    "tests/walk/test_money.py": ("cashier-home-zh", "cashier-refunds-zh", "cashier-approve-zh", "cashier-reconcile-zh"),
    "tests/walk/test_supervisor.py": ("supervisor-home-zh", "supervisor-lot-zh"),
    "tests/walk/test_people.py": ("inbox-zh",),
}  # fmt: skip
"""Every picture, by the walk that takes it; its name ends with its language."""

WINDOW = {"width": 1440, "height": 900}
PAPER = 621
"""Width of a page of a paper, in pixels."""

EDGE = 12
"""Points of the page round a part of it."""

LARGEST = 200_000
"""Bytes a picture may have: whoever reads a document loads them all."""


def take(page: Page, name: str, place: str = "") -> None:
    """Keep a picture of the window, from the top of its page; with ``place`` (a selector) of that part alone."""
    if (folder := _asked(name)) is None:
        return
    before = page.viewport_size
    page.set_viewport_size(WINDOW)  # type: ignore[arg-type]
    page.evaluate("async () => { document.activeElement?.blur(); scrollTo(0, 0); await document.fonts.ready; }")
    part: Any = {}
    if place:
        box = page.locator(place).first.bounding_box()
        assert box is not None, place
        above = 0 if place == "main" else EDGE  # the band stands above it
        part = {
            "full_page": True,
            "clip": {
                "x": box["x"] - EDGE,
                "y": box["y"] - above,
                "width": box["width"] + 2 * EDGE,
                "height": box["height"] + 2 * above,
            },
        }
    _keep(folder, name, page.screenshot(animations="disabled", caret="hide", **part))
    if before is not None:
        page.set_viewport_size(before)


def take_paper(paper: bytes, name: str) -> None:
    """Keep a picture of the first page of a PDF."""
    if (folder := _asked(name)) is None:
        return
    page = pdfium.PdfDocument(paper)[0]
    out = io.BytesIO()
    page.render(scale=PAPER / page.get_width()).to_pil().save(out, "PNG")
    _keep(folder, name, out.getvalue())


def _asked(name: str) -> Path | None:
    assert any(name in names for names in TAKEN.values()), f"{name} is not among the pictures"
    folder = os.environ.get("BIDHALL_PICTURES")
    return Path(folder) if folder else None


def _keep(folder: Path, name: str, png: bytes) -> None:
    """With 256 colours: those of surfaces exact, the many of the edges of letters near; a third of what a browser writes."""
    path, page = folder / f"{name}.png", Image.open(io.BytesIO(png)).convert("RGB")
    often: list[tuple[int, Any]] = sorted(page.getcolors(page.width * page.height) or [], reverse=True)[:128]
    colours = [part for _, colour in often for part in colour]
    colours += page.quantize(256 - len(often), method=Image.Quantize.MAXCOVERAGE).getpalette()[: 3 * (256 - len(often))]  # type: ignore[index]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours)
    page.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size <= LARGEST, f"{path}: {path.stat().st_size} bytes"


if __name__ == "__main__":
    print(" ".join(TAKEN))
