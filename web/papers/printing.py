"""Papers: a template of ``web/typ`` set as PDF with the fonts that come with the product; a page ready to print where the setter is not
installed (the part ``reports`` of a release), which then says so itself. Setting is done by processes of their own
(web/papers/typesetter.py).

Data comes as JSON and is only ever printed as content, never read as markup, so nothing a bidder wrote can change a paper.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, current_app, render_template

from web.papers import mark
from web.papers.typesetter import SETTER, can_set

PDF_MARK = b"%PDF-"


def make(name: str, data: dict[str, Any], *, title: str, at: datetime) -> bytes:
    """The paper of a template and its facts: PDF/A-2u, which archives take, or a page ready to print. ``at``: the date of the document;
    the same facts and date give the same bytes. Refuses: NotReady (``paper.busy``, ``paper.slow``, ``paper.failed``)."""
    if not can_set():
        return render_template("papers/print.html", name=name, data=data, title=title).encode()
    return SETTER.compile(f"{name}.typ", data, at=at, standard="a-2u", mark=mark.of(_platform()))


def _platform() -> str:
    return str(current_app.extensions["bidhall"].office.platform)


def answer(paper: bytes, filename: str) -> Response:
    """A paper as an answer: shown by the browser, named for whoever keeps it."""
    is_pdf = paper.startswith(PDF_MARK)
    response = Response(paper, mimetype="application/pdf" if is_pdf else "text/html")
    ending = "pdf" if is_pdf else "html"
    response.headers["Content-Disposition"] = f'inline; filename="{mark.saved(filename, _platform())}.{ending}"'
    return response
