"""What a release is made of, as CycloneDX 1.6 (JSON): every wheel and every file of other people in ours, with licence, hash and purl.

Read out of the wheels themselves, which say their name, licence and needs (core metadata, PEP 566, 639)."""

from __future__ import annotations

import hashlib
import tomllib
import uuid
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SPECIFICATION = "1.6"
VENDORED = ("web/static/vendor/VENDOR.toml", "web/fonts/VENDOR.toml")


def of_wheels(wheels: list[Path], ours: Path, about: dict[str, Any], source: Path) -> dict[str, Any]:
    """The bill of one release. ``about``: its version, commit and moment (ISO 8601); ``source``: the files of the commit."""
    said = {path: metadata(path) for path in wheels}
    refs: dict[str, list[str]] = {}
    for path, meta in said.items():
        refs.setdefault(canonicalize_name(str(meta["Name"])), []).append(_purl(path, meta))
    vendored = [part for listed in VENDORED for part in _vendored(source / listed)]
    component = _component(ours, said[ours]) | {"type": "application"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'bidhall {about}')}",
        "version": 1,
        "metadata": {
            "timestamp": about["at"],
            "component": component | {"properties": [{"name": "bidhall:commit", "value": about["commit"]}]},
        },
        "components": [_component(path, meta) for path, meta in said.items() if path != ours] + vendored,
        "dependencies": [
            {"ref": _purl(path, meta), "dependsOn": sorted(ref for name in _needs(meta) for ref in refs.get(name, []))}
            for path, meta in said.items()
        ],
    }


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.count("/") == 1 and one.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode("utf-8"), headersonly=True)


def _needs(meta: Message) -> set[str]:
    """What it needs on some Python, its extras apart; an extra's needs stand in the lock too, and so among the components."""
    found = (Requirement(str(line)) for line in meta.get_all("Requires-Dist", []))
    return {canonicalize_name(one.name) for one in found if one.marker is None or "extra" not in str(one.marker)}


def _purl(path: Path, meta: Message) -> str:
    return f"pkg:pypi/{canonicalize_name(str(meta['Name']))}@{meta['Version']}?file_name={quote(path.name)}"


def _component(path: Path, meta: Message) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _purl(path, meta),
        "name": str(meta["Name"]),
        "version": str(meta["Version"]),
        "licenses": licences(meta),
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "purl": _purl(path, meta),
    }


def licences(meta: Message) -> list[dict[str, Any]]:
    """An SPDX expression where there is one, else the words of the classifiers, else the first line of what it says."""
    if expression := meta.get("License-Expression"):
        return [{"expression": str(expression)}]
    lines = map(str, meta.get_all("Classifier", []))
    named = [line.rpartition(" :: ")[2] for line in lines if line.startswith("License :: ") and line.count(" :: ") > 1]
    if not named and (words := str(meta.get("License") or "").strip()):
        named = [words.splitlines()[0].strip()]
    return [{"license": {"name": name}} for name in named]


def _vendored(listed: Path) -> list[dict[str, Any]]:
    """Files of other people that our wheel carries."""
    found = []
    for one in tomllib.loads(listed.read_text(encoding="utf-8"))["file"]:
        version = one["version"].split()[0]
        found.append(
            {
                "type": "library",
                "bom-ref": f"{one['path']}@{version}",
                "name": one["name"],
                "version": version,
                "licenses": [{"license": {"id": one["licence"]}}],
                "hashes": [{"alg": "SHA-256", "content": one["sha256"]}],
                "purl": f"pkg:generic/{quote(one['name'], safe='')}@{version}?file_name={quote(one['path'])}",
                "externalReferences": [{"type": "website", "url": one["home"]}],
            }
        )
    return found
