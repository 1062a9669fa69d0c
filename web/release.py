"""The files of a release that browsers load, what they load in turn, and the record that a wheel carries of them.

No Flask: `bidhall verify page` compares with these on a machine of one's own. Scripts import each other by relative addresses, and a worker
is named by `new URL(…, import.meta.url)`; both are read off the text, so that a page can name all it will load with its integrity.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path

STATIC = Path(__file__).parent / "static"
PACKAGES = ("crypto", "trading", "evaluation", "deposits", "migrations", "web")
INSIDE = "web/static/"
SEALING_PAGE = ("base.html", "bidder/seal.html")
"""The templates whose scripts and styles make the sealing page."""
WORKERS = ("js/seal_worker.js", "js/seal_store.js")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""The content policy of every page."""

_IMPORT = re.compile(
    r"""\b(?:import|export)\b[^"';()]*?\bfrom\s*["'](\.[^"']+)["']|\bimport\s*\(?\s*["'](\.[^"']+)["']"""
)
_WORKER = re.compile(r"""new URL\(\s*["'](\.[^"']+)["']\s*,\s*import\.meta\.url\s*\)""")
_NAMED = re.compile(r"""\b(?:module|script|stylesheet)\(["']([^"']+)["']\)""")
_LOOPED = re.compile(r"""for name in \(([^)]*)\) %\}\s*\{\{ module\('js/' ~ name""")


@dataclass
class Release:
    """Files below web/static by name. ``record``: path → SHA-256 of every file, as the wheel says it; None for a checkout."""

    read: Callable[[str], bytes]
    template: Callable[[str], str]
    record: dict[str, str] | None
    what: str
    _loads: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def sealing_page(self) -> list[str]:
        """All files that the sealing page loads, its workers and their imports included."""
        found: list[str] = []
        for template in SEALING_PAGE:
            text = self.template(template)
            looped = [name for names in _LOOPED.findall(text) for name in re.findall(r'"(\w+)"', names)]
            for name in [*(f"js/{one}.js" for one in looped), *_NAMED.findall(text)]:
                found += [*self.closure(name), name]
        return list(dict.fromkeys(found))

    def closure(self, name: str) -> list[str]:
        """What a file loads, directly or not, in the order of a walk; without itself."""
        seen: dict[str, None] = {name: None}
        for one in self._walk(name, seen):
            seen[one] = None
        return [one for one in seen if one != name]

    def _walk(self, name: str, seen: dict[str, None]) -> Iterator[str]:
        if name not in self._loads:
            text = self.read(name).decode("utf-8", "replace") if name.endswith(".js") else ""
            self._loads[name] = (*imports(name, text), *workers(name, text))
        for one in self._loads[name]:
            if one not in seen:
                yield one
                yield from self._walk(one, seen)


def imports(name: str, text: str) -> tuple[str, ...]:
    """The files a script imports, at once or later."""
    return tuple(dict.fromkeys(_beside(name, first or later) for first, later in _IMPORT.findall(text)))


def workers(name: str, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_beside(name, address) for address in _WORKER.findall(text)))


def _beside(name: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), address))


def sri(data: bytes, algorithm: str = "sha384") -> str:
    """The value of an `integrity` attribute for these bytes."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


# --- where releases are -------------------------------------------------------------------------------------------------


def installed() -> Release:
    """What is installed here; without a record where it is an editable checkout."""
    return Release(
        lambda name: (STATIC / name).read_bytes(),
        lambda name: (STATIC.parent / "templates" / name).read_text(encoding="utf-8"),
        record(),
        "the installed release" if record() is not None else "this checkout",
    )


def of_wheel(path: str) -> Release:
    """The release of a wheel file. Raises ValueError for a file that is none, or that its own record does not fit."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist() if name.startswith(("web/", "bidhall-"))}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError("not a wheel") from error
    lines = next((data for name, data in files.items() if name.endswith(".dist-info/RECORD")), None)
    if lines is None or INSIDE + "js/bidder_seal.js" not in files:
        raise ValueError("not a wheel of bidhall")
    told = _record_of(lines.decode("utf-8", "replace"))
    wrong = sorted(name for name, data in files.items() if name in told and told[name] != _sha256(data))
    missing = sorted(name for name in files if name.startswith("web/") and name not in told)
    if wrong or missing:
        raise ValueError(f"not what its own record says: {', '.join([*wrong, *missing][:5])}")
    return Release(
        lambda name: _of(files, INSIDE + name), lambda name: _of(files, f"web/templates/{name}").decode(), told, path
    )


def _of(files: dict[str, bytes], name: str) -> bytes:
    if name not in files:
        raise FileNotFoundError(2, "no such file in the release", name)
    return files[name]


@lru_cache(maxsize=1)
def record() -> dict[str, str] | None:
    """Path → SHA-256 (base64url) of the files of our packages, as the wheel recorded them; None where this runs from a checkout."""
    try:
        found = metadata.distribution("bidhall")
    except metadata.PackageNotFoundError:
        return None
    if Path(str(found.locate_file(INSIDE))).resolve() != STATIC.resolve():
        return None
    return _record_of(found.read_text("RECORD") or "") or None


def _record_of(text: str) -> dict[str, str]:
    rows = (line.rsplit(",", 2) for line in text.splitlines() if line.count(",") >= 2)
    return {
        name.strip('"'): value.removeprefix("sha256=")
        for name, value, _size in rows
        if value.startswith("sha256=") and name.strip('"').startswith(tuple(f"{one}/" for one in PACKAGES))
    }


def _sha256(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def changed(told: dict[str, str], root: Path = STATIC.parent.parent) -> list[str]:
    """Files of our packages that are not what the record says, are gone, or are served and in no record."""
    wrong = []
    for name, value in told.items():
        try:
            if _sha256((root / name).read_bytes()) != value:
                wrong.append(name)
        except OSError:
            wrong.append(name)
    served = (path.relative_to(root).as_posix() for path in (root / INSIDE).rglob("*") if path.is_file())
    return sorted({*wrong, *(name for name in served if name not in told)})


# --- for pages ----------------------------------------------------------------------------------------------------------


def integrity(name: str) -> str:
    """The `integrity` of a file we serve: of the bytes that are there, unless a wheel recorded others, which no browser then runs."""
    return _integrity(name, stamp(name))


def stamp(name: str) -> int:
    """By what a file of ours is known to be another one: in a checkout, where people edit it, its time of change; 0 where a wheel's record
    says what it must be, so that no page asks the disk for each file. Raises: FileNotFoundError."""
    return 0 if record() is not None else (STATIC / name).stat().st_mtime_ns


def preloads(name: str) -> tuple[str, ...]:
    """The scripts a script imports, deepest first and without workers: each before what imports it."""
    found: dict[str, None] = {}
    _deepest_first(name, found, {name})
    return tuple(found)


def _deepest_first(name: str, found: dict[str, None], above: set[str]) -> None:
    for one in _imports(name, stamp(name)):
        if one not in found and one not in above:
            _deepest_first(one, found, above | {one})
            found[one] = None


@lru_cache(maxsize=4096)
def _imports(name: str, _changed: int) -> tuple[str, ...]:
    return imports(name, (STATIC / name).read_text(encoding="utf-8"))


@lru_cache(maxsize=4096)
def _integrity(name: str, _changed: int) -> str:
    data, told = (STATIC / name).read_bytes(), record()
    if told is not None and (value := told.get(INSIDE + name, "")) != _sha256(data):
        return "sha256-" + base64.b64encode(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))).decode()
    return sri(data)
