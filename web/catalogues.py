"""Keeps the translation catalogues: one folder a room of pages, so that two people never edit the same file.

    python -m web.catalogues            read the sources, update every .po, compile every .mo, name what has no Chinese yet
    python -m web.catalogues --check    change nothing; exit 1 if a .po is stale, a .mo differs or a message has no Chinese

Source strings are English and stand in the code; ``zh_Hans_CN`` is the only catalogue there is, English needs none. The room of a
string is the desk of its file: ``templates/bidder/*`` and ``desks/bidder/*`` → ``translations/bidder``; all else → ``translations/house``.
Flask-Babel merges the folders. A message that stands in two rooms needs its words once.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

WEB = Path(__file__).parent
TRANSLATIONS = WEB / "translations"
LOCALE = "zh_Hans_CN"
HOUSE = "house"
_KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "_l": None,
    "lazy_gettext": None,
    "N_": None,
    "pgettext": ((1, "c"), 2),
}


def rooms() -> list[str]:
    """Folders that hold a catalogue, the house first: where two say the same message, the later one is heard."""
    found = (
        sorted(p.name for p in TRANSLATIONS.iterdir() if (p / LOCALE / "LC_MESSAGES").is_dir())
        if TRANSLATIONS.is_dir()
        else []
    )
    return [r for r in found if r == HOUSE] + [r for r in found if r != HOUSE]


def room_of(path: Path) -> str:
    """The room of a source file under ``web``."""
    parts = path.relative_to(WEB).parts
    if parts[0] == "desks" and parts[-1] != "__init__.py":
        return HOUSE if parts[1] == "parts" else parts[1].removesuffix(".py")
    if parts[0] == "templates" and len(parts) > 2 and parts[1] != "parts":
        return parts[1]
    return HOUSE


def sources() -> Iterator[tuple[Path, str]]:
    for path in sorted(WEB.rglob("*.py")):
        yield path, "python"
    for path in sorted((WEB / "templates").rglob("*.html")):
        yield path, "jinja2"


@cache
def messages() -> dict[str, Catalog]:
    """What the sources say, by room; read once a process."""
    found: dict[str, Catalog] = {}
    for path, method in sources():
        room = found.setdefault(room_of(path), _blank())
        for _line, message, comments, context in extract_from_file(
            method, path, keywords=_KEYWORDS, options={"trimmed": "true"}
        ):
            room.add(message, auto_comments=comments, context=context)
    return {room: catalog for room, catalog in found.items() if len(catalog)}


def po_of(room: str) -> Path:
    return TRANSLATIONS / room / LOCALE / "LC_MESSAGES" / "messages.po"


def read(room: str) -> Catalog:
    if not po_of(room).exists():
        return _blank()
    with po_of(room).open("rb") as stream:
        return read_po(stream, locale=LOCALE)


def updated(room: str, template: Catalog) -> Catalog:
    """The room's catalogue with the messages of today: known words kept, messages that are gone dropped."""
    catalog = read(room)
    known = {(m.id if isinstance(m.id, str) else tuple(m.id), m.context): m.string for m in catalog if m.id}
    fresh = _blank()
    for message in sorted((m for m in template if m.id), key=lambda m: (str(m.id), m.context or "")):
        key = (message.id if isinstance(message.id, str) else tuple(message.id), message.context)
        fresh.add(message.id, known.get(key, ""), context=message.context, auto_comments=message.auto_comments)
    return fresh


def untranslated() -> dict[str, list[str]]:
    """Messages of the sources that no room gives Chinese words for."""
    template = messages()
    catalogues = {room: updated(room, catalog) for room, catalog in template.items()}
    said = {(str(m.id), m.context) for c in catalogues.values() for m in c if m.id and _has_words(m.string)}
    missing = {
        room: [str(m.id) for m in c if m.id and (str(m.id), m.context) not in said] for room, c in catalogues.items()
    }
    return {room: ids for room, ids in missing.items() if ids}


def po_text(catalog: Catalog) -> bytes:
    out = io.BytesIO()
    write_po(out, catalog, width=0, no_location=True, omit_header=False, sort_output=True, ignore_obsolete=True)
    return out.getvalue()


def mo_text(catalog: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def stale() -> list[Path]:
    """Catalogue files that running this again would change."""
    changed = []
    for room, template in messages().items():
        catalog = updated(room, template)
        for path, data in ((po_of(room), po_text(catalog)), (po_of(room).with_suffix(".mo"), mo_text(catalog))):
            if not path.exists() or path.read_bytes() != data:
                changed.append(path)
    return changed


def refresh() -> None:
    for room, template in messages().items():
        catalog = updated(room, template)
        path = po_of(room)
        path.parent.mkdir(parents=True, exist_ok=True)
        for target, data in ((path, po_text(catalog)), (path.with_suffix(".mo"), mo_text(catalog))):
            if not target.exists() or target.read_bytes() != data:
                target.write_bytes(data)


class _Plain(Catalog):
    """A catalogue whose header holds no dates, names or versions of tools: the same sources give the same bytes."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Language", LOCALE),
            ("Plural-Forms", "nplurals=1; plural=0;"),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


def _blank() -> Catalog:
    return _Plain(locale=LOCALE, header_comment="", fuzzy=False)


def _has_words(string: object) -> bool:
    return all(string) if isinstance(string, tuple) else bool(string)


def main(arguments: list[str]) -> int:
    if "--check" not in arguments:
        refresh()
    problems = [f"stale: {path.relative_to(WEB.parent)}" for path in stale()]
    for room, ids in untranslated().items():
        problems += [f"no Chinese in {room}: {message}" for message in ids]
    print("\n".join(problems) or "catalogues are complete")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
