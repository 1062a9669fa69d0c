"""What `bidhall doctor` says of libraries of the system: those no wheel carries, and the packages of Debian and Ubuntu that bring them."""

from __future__ import annotations

import importlib
import importlib.util
import re

from web.cli.doctor_finding import Finding
from web.settings import Settings

COMPILED = (
    "cryptography.hazmat.bindings._rust",
    "nacl.bindings",
    "rfc3161_client",
    "numpy",
    "pandas",
    "PIL.Image",
    "pypdfium2",
    "typst",
    "rpds",
)
DRIVER = "psycopg"
PACKAGES = {
    "libstdc++": "libstdc++6",
    "libgcc_s": "libgcc-s1",
    "libz": "zlib1g",
    "libatomic": "libatomic1",
}
"""Name of a shared object before ``.so`` → package; the installer of a release has the same (release/install.py)."""


def examine(settings: Settings) -> list[Finding]:
    """Every compiled part is loaded once; one that is not installed is no fault here."""
    wanted = [*COMPILED, *([DRIVER] if settings.database.startswith("postgresql") else [])]
    told: dict[str, str] = {}
    for name in wanted:
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            continue
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:
            told[name] = str(error).splitlines()[0][:200]
    if not told:
        return [Finding("libraries", "ok", "every compiled library finds what it needs of the system")]
    what = "; ".join(f"{name}: {reason}" for name, reason in told.items())
    packages = sorted({package_of(one) for reason in told.values() for one in missing(reason)})
    remedy = f"apt-get install {' '.join(packages)}" if packages else "install the release again"
    return [Finding("libraries", "error", what, remedy)]


def missing(reason: str) -> list[str]:
    """The shared objects a loader did not find, by what it says."""
    return re.findall(r"(lib[\w+.-]*?\.so[\w.]*): cannot open shared object", reason)


def package_of(shared: str) -> str:
    return PACKAGES.get(shared.partition(".so")[0], shared)
