"""`make release`: the archive an operator installs from, made of one commit and its lock, the same bytes each time.

    python -m release.build --out dist --pythons "3.11 3.13" --sign ~/.ssh/release

Holds our wheel, a wheel of each library of the lock for each Python, what installs them without a network, the operator's guide, a list of
contents (CycloneDX) and the sums of all this. The signature lies beside the archive, so that nothing is unpacked before it is checked, and
so that who builds the same commit without the key gets the same archive.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement

from release import sbom

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements/run.txt"
GLIBC = 36
"""Of Debian 12, the oldest system with Python 3.11 that is supported: no wheel of the archive needs a newer one than 2.36."""
GUIDES = ("docs/operate/", "docs/reference/", "docs/formats/")
ALONE = (
    "LICENSE",
    "README.md",
    "README.zh-CN.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/security.md",
    "docs/threats.md",
)
NAMESPACE = "bidhall-release"
"""Of the signature (ssh-keygen -Y): what is signed as a release is signed as nothing else."""
SUMS = "SHA256SUMS"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make release", description="Make the archive of a release from a commit.")
    parser.add_argument("--out", type=Path, default=Path("dist"))
    parser.add_argument("--pythons", default="", help="Pythons it is for, as 3.11 3.13 (this one)")
    parser.add_argument("--machine", default=platform.machine(), help="x86_64 or aarch64 (this one)")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--sign", default="", metavar="KEY", help="an OpenSSH key that signs the sums")
    asked = parser.parse_args()
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    made = build(asked.commit, asked.pythons.split() or [this], asked.machine, asked.out)
    if changed := _git("status", "--porcelain").decode().splitlines():
        print(f"left out: {len(changed)} files that are not in the commit", file=sys.stderr)
    print(made)
    print(sums_beside(made))
    if asked.sign:
        print(sign(made.parent / SUMS, asked.sign))
    else:
        print("not signed: SIGN=KEY names the release key", file=sys.stderr)


def build(commit: str, pythons: list[str], machine: str, out: Path) -> Path:
    """The archive, in ``out``. Raises: CalledProcessError where git, pip or the index says no."""
    commit = _git("rev-parse", f"{commit}^{{commit}}").decode().strip()
    moment = int(_git("log", "-1", "--format=%ct", commit))
    with tempfile.TemporaryDirectory() as folder:
        source, wheels = Path(folder) / "source", Path(folder) / "wheels"
        _check_out(commit, source)
        wheels.mkdir()
        ours = _our_wheel(source, wheels, moment)
        lock = (source / LOCK).read_text(encoding="utf-8")
        for python in pythons:
            _fetch(lock, python, machine, wheels)
        version = ours.name.split("-")[1]
        name = f"bidhall-{version}-{commit[:9]}-linux-{machine}"
        about = {
            "name": "bidhall",
            "version": version,
            "commit": commit,
            "at": datetime.fromtimestamp(moment, UTC).isoformat(),
            "machine": machine,
            "glibc": f"2.{GLIBC}",
            "pythons": pythons,
        }
        files = {
            "install": (source / "release/install").read_bytes(),
            "install.py": (source / "release/install.py").read_bytes(),
            "release.json": _json(about),
            "requirements.txt": requirements(lock, wheels, ours).encode(),
            "sbom.cdx.json": _json(sbom.of_wheels(sorted(wheels.iterdir()), ours, about, source)),
        }
        files |= {f"wheels/{path.name}": path.read_bytes() for path in wheels.iterdir()}
        files |= {
            path.relative_to(source).as_posix(): path.read_bytes()
            for path in source.rglob("*")
            if path.is_file() and path.relative_to(source).as_posix().startswith((*GUIDES, *ALONE))
        }
        files[SUMS] = "".join(f"{hashlib.sha256(files[one]).hexdigest()}  {one}\n" for one in sorted(files)).encode()
        out.mkdir(parents=True, exist_ok=True)
        made = out / f"{name}.tar"
        _pack(files, name, moment, made)
    return made


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def _check_out(commit: str, to: Path) -> None:
    """The files of the commit and nothing else that lies about, with the same modes whatever the umask."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit))) as archive:
        archive.extractall(to, filter="data")
    for path in to.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _our_wheel(source: Path, wheels: Path, moment: int) -> Path:
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(wheels), str(source)]
    subprocess.run(
        [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *build],
        check=True,
        umask=0o022,  # the modes in a wheel are those of files made on the way
        env={**os.environ, "SOURCE_DATE_EPOCH": str(moment), "PYTHONHASHSEED": "0"},
    )
    (made,) = wheels.glob("bidhall-*.whl")
    return made


# --- the lock -----------------------------------------------------------------------------------------------------------


def entries(lock: str) -> list[tuple[str, list[str]]]:
    """Each pin of a lock with its hashes."""
    found = []
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        pin, *hashes = (line.strip().removesuffix("\\").strip() for line in entry.splitlines())
        found.append((pin, [one.removeprefix("--hash=") for one in hashes]))
    return found


def _fetch(lock: str, python: str, machine: str, wheels: Path) -> None:
    """The wheels a Python on a machine needs, each one of those whose hash is in the lock. pip reads markers as of the Python it runs
    on, so the lines that hold are chosen here."""
    there: dict[str, Any] = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
    }
    wanted = []
    for pin, hashes in entries(lock):
        requirement = Requirement(pin)
        if requirement.marker is None or requirement.marker.evaluate(there):
            wanted.append(
                " ".join([f"{requirement.name}{requirement.specifier}", *(f"--hash={one}" for one in hashes)])
            )
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 4, -1)]
    platforms += [f"{old}_{machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as listed:
        listed.write("\n".join(wanted) + "\n")
        listed.flush()
        words = [
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "-r",
            listed.name,
            "-d",
            str(wheels),
        ]
        words += ["--python-version", python, "--implementation", "cp"]
        words += [word for one in platforms for word in ("--platform", one)]
        subprocess.run([sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *words], check=True)


def requirements(lock: str, wheels: Path, ours: Path) -> str:
    """The lock with the hashes of what lies in the archive and no others, and our own wheel."""
    held = {f"sha256:{_sha256(path)}" for path in wheels.iterdir()}
    lines = [f"{ours.name.split('-')[0]}=={ours.name.split('-')[1]} --hash=sha256:{_sha256(ours)}"]
    for pin, hashes in entries(lock):
        kept = [one for one in hashes if one in held]
        if kept:
            lines.append(" ".join([pin, *(f"--hash={one}" for one in kept)]))
    return "\n".join(lines) + "\n"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- the archive --------------------------------------------------------------------------------------------------------


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _pack(files: dict[str, bytes], name: str, moment: int, to: Path) -> None:
    """Not compressed: what is large in it is. So the bytes hang on no version of a compressor."""
    draft = to.with_suffix(".draft")
    with tarfile.open(draft, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mtime, entry.mode = len(files[path]), moment, 0o755 if path == "install" else 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    draft.replace(to)


def sums_beside(made: Path) -> Path:
    """The sums of every archive in its folder: what is signed."""
    sums = made.parent / SUMS
    sums.write_text("".join(f"{_sha256(one)}  {one.name}\n" for one in sorted(made.parent.glob("bidhall-*.tar"))))
    return sums


def sign(sums: Path, key: str) -> Path:
    """OpenSSH signs, with a key file or one in an agent. Raises: CalledProcessError."""
    signature = sums.with_name(f"{sums.name}.sig")
    signature.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, str(sums)], check=True)
    return signature


if __name__ == "__main__":
    main()
