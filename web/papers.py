"""Papers: a template of ``web/typ`` set as PDF with the fonts that come with the product; a page ready to print where the setter is not
installed (``pip install bidhall[reports]``), which then says so itself.

Data comes as JSON and is only ever printed as content, never read as markup, so nothing a bidder wrote can change a paper.
"""

from __future__ import annotations

import importlib.util
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Response, render_template

FOLDER = Path(__file__).parent
FONTS = FOLDER / "fonts"
TEMPLATES = FOLDER / "typ"
PDF_MARK = b"%PDF-"


def can_set() -> bool:
    """Whether the setter is installed."""
    return importlib.util.find_spec("typst") is not None


def make(name: str, data: dict[str, Any], *, title: str, at: datetime) -> bytes:
    """The paper of a template and its facts: PDF/A-2u, which archives take, or a page ready to print. ``at``: the date of the document;
    the same facts and date give the same bytes."""
    if not can_set():
        return render_template("papers/print.html", name=name, data=data, title=title).encode()
    import typst

    return bytes(typst.compile(TEMPLATES / f"{name}.typ", font_paths=[FONTS], ignore_system_fonts=True, format="pdf", timestamp=at,
                               pdf_standards="a-2u", sys_inputs={"data": json.dumps(data, ensure_ascii=False)}))


def answer(paper: bytes, filename: str) -> Response:
    """A paper as an answer: shown by the browser, named for whoever keeps it."""
    is_pdf = paper.startswith(PDF_MARK)
    response = Response(paper, mimetype="application/pdf" if is_pdf else "text/html")
    response.headers["Content-Disposition"] = f'inline; filename="{filename}.{"pdf" if is_pdf else "html"}"'
    return response
