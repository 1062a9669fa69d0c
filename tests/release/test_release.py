"""The archive of a release: what it is made of, that it is made the same twice, and that a machine without a network runs from it."""

from __future__ import annotations

import email
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from release import build, sbom
from release import install as installer
from tests.house.tree import ROOT, text
from tests.kit.world import credit_code

LOCK = """\
flask==3.1.3 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:cc
"""
ANSWERS = """\
url = "https://bid.chunxiao.gov.cn"
memory = ["{folder}/other/bidhall.memory"]
proxies = 1
time_server = ""
[centre]
name = "春晓区公共资源交易中心"
code = "{code}"
region = "130205"
[administrators]
system = {{ username = "liu", name = "刘系" }}
security = {{ username = "wu", name = "武安" }}
second = {{ username = "sun", name = "孙二" }}
audit = {{ username = "shen", name = "沈审" }}
"""


GUIDES = ("docs/operate/install.md", "docs/operate/install.zh-CN.md")


def guide(name: str) -> list[str]:
    """The commands of a guide."""
    return [line for block in re.findall(r"(?ms)^```sh\n(.*?)^```$", text(name)) for line in block.splitlines() if line]


def test_both_guides_give_the_same_commands_and_name_every_refusal() -> None:
    assert guide(GUIDES[0]) == guide(GUIDES[1]) and len(guide(GUIDES[0])) > 6
    refusals = {code for code in installer.WORDS if code.startswith("install.")} - {"install.failed"}
    for name in GUIDES:
        assert {code for code in refusals if f"`{code}`" not in text(name)} == set()


# --- its parts --------------------------------------------------------------------------------------------------------


def test_a_lock_is_read_pin_by_pin() -> None:
    assert build.entries(LOCK) == [
        ("flask==3.1.3", ["sha256:aa", "sha256:bb"]),
        ("numpy==2.4.6 ; python_full_version < '3.12'", ["sha256:cc"]),
    ]
    assert len(build.entries(text(build.LOCK))) > 40


def test_what_a_site_may_need_is_in_the_lock_of_a_release() -> None:
    names = {pin.split("==")[0].split("[")[0] for pin, _hashes in build.entries(text(build.LOCK))}
    assert {"psycopg", "psycopg-binary", "typst", "cryptography", "gunicorn"} <= names


def test_a_requirement_keeps_the_hashes_of_what_is_there_alone(tmp_path: Path) -> None:
    ours, flask = tmp_path / "bidhall-0.1.0-py3-none-any.whl", tmp_path / "flask-3.1.3-py3-none-any.whl"
    ours.write_bytes(b"ours")
    flask.write_bytes(b"flask")
    digest = build._sha256(flask)
    lock = (
        f"flask==3.1.3 \\\n    --hash=sha256:{digest} \\\n    --hash=sha256:bb\nnumpy==2.4.6 \\\n    --hash=sha256:cc\n"
    )
    assert build.requirements(lock, tmp_path, ours).splitlines() == [
        f"bidhall==0.1.0 --hash=sha256:{build._sha256(ours)}",
        f"flask==3.1.3 --hash=sha256:{digest}",
    ]


@pytest.mark.parametrize(
    ("said", "licences"),
    [
        ("License-Expression: MIT OR Apache-2.0", [{"expression": "MIT OR Apache-2.0"}]),
        ("Classifier: License :: OSI Approved :: MIT License", [{"license": {"name": "MIT License"}}]),
        ("License: BSD\n more words", [{"license": {"name": "BSD"}}]),
        ("Classifier: License :: OSI Approved", []),
    ],
)
def test_a_licence_is_what_a_wheel_says_of_itself(said: str, licences: list[object]) -> None:
    assert sbom.licences(email.message_from_string(f"Name: x\n{said}\n\n")) == licences


# --- what it refuses --------------------------------------------------------------------------------------------------


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """An archive without wheels: enough to be looked at before anything is done."""
    folder = tmp_path / "archive"
    (folder / "wheels").mkdir(parents=True)
    for name in ("install", "install.py"):
        shutil.copy(ROOT / "release" / name, folder / name)
    about = {"version": "0.1.0", "commit": "0" * 40, "glibc": "2.0", "machine": os.uname().machine}
    seal(folder, about | {"pythons": [f"{sys.version_info.major}.{sys.version_info.minor}"]})
    return folder


def seal(folder: Path, about: dict[str, object]) -> None:
    (folder / "release.json").write_text(json.dumps(about))
    names = ("install", "install.py", "release.json")
    (folder / build.SUMS).write_text("".join(f"{build._sha256(folder / name)}  {name}\n" for name in names))


def install(folder: Path, *words: str, lang: str = "en", **more: str) -> tuple[int, str]:
    environment = {"PATH": os.environ["PATH"], "BIDHALL_LANG": lang, "PYTHON": sys.executable, **more}
    ran = subprocess.run([folder / "install", *words], env=environment, capture_output=True, text=True)
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stdout + ran.stderr


def test_an_archive_that_fits_could_be_installed(unpacked: Path, tmp_path: Path) -> None:
    assert install(unpacked, str(tmp_path / "to"), "--check") == (0, "")
    assert not (tmp_path / "to").exists()


def test_all_that_is_wrong_is_said_at_once_in_both_languages(unpacked: Path, tmp_path: Path) -> None:
    seal(unpacked, {"version": "0", "commit": "0" * 40, "glibc": "9.9", "machine": "vax", "pythons": ["9.1"]})
    (unpacked / "wheels/strange.whl").touch()
    (tmp_path / "to").mkdir()
    (tmp_path / "to/mine").touch()
    codes = ("no_python", "machine", "libc", "not_empty", "damaged")
    for lang, word in (("en", "take the archive"), ("zh", "安装包")):
        code, said = install(unpacked, str(tmp_path / "to"), lang=lang)
        assert code == 2 and word in said
        assert [one for one in codes if f"[install.{one}]" in said] == list(codes)
    assert os.listdir(tmp_path / "to") == ["mine"]


def test_a_python_that_cannot_make_environments_names_the_package(unpacked: Path, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    bare.chmod(0o755)
    script = (unpacked / "install.py").read_text().replace("[sys.executable, ", f"[{str(bare)!r}, ")
    (unpacked / "install.py").write_text(script)
    seal(unpacked, json.loads((unpacked / "release.json").read_text()))
    code, said = install(unpacked, str(tmp_path / "to"))
    assert (code, said) == (2, "[install.no_venv] python3 cannot make environments: apt-get install python3-venv\n")


def test_a_file_that_was_changed_after_the_release_is_named(unpacked: Path, tmp_path: Path) -> None:
    with (unpacked / "install").open("a") as stream:
        stream.write("# more\n")
    code, said = install(unpacked, str(tmp_path / "to"))
    assert code == 2 and "[install.damaged] not as released: install:" in said


def test_without_a_python_it_says_so(unpacked: Path, tmp_path: Path) -> None:
    code, said = install(unpacked, str(tmp_path / "to"), PYTHON="python-that-is-not-there")
    assert code == 2 and said.count("[install.no_python]") == 2


# --- the whole of it --------------------------------------------------------------------------------------------------


def commit_of_the_tree(folder: Path) -> str:
    """A commit of the files as they lie here, on no branch: what is being changed is what is tried."""

    def git(*words: str) -> str:
        who = {f"GIT_{one}_{what}": "test@bidhall" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **who, "GIT_INDEX_FILE": str(folder / "index")}
        return subprocess.run(
            ["git", *words], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("read-tree", "HEAD")
    git("add", "-A")
    return git("commit-tree", "-p", "HEAD", "-m", "as it lies here", git("write-tree"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    try:
        return build.build(
            commit_of_the_tree(folder), [f"3.{sys.version_info.minor}"], os.uname().machine, folder / "out"
        )
    except subprocess.CalledProcessError as error:
        if "download" in error.cmd:
            pytest.skip("no package index can be reached: no release was made")
        raise


@pytest.mark.long
def test_one_commit_makes_the_same_bytes_twice_whatever_the_umask(made: Path, tmp_path: Path) -> None:
    commit = json.loads(member(made, "release.json"))["commit"]
    before = os.umask(0o077)
    try:
        again = build.build(commit, [f"3.{sys.version_info.minor}"], os.uname().machine, tmp_path)
    finally:
        os.umask(before)
    assert again.name == made.name and build._sha256(again) == build._sha256(made)


def member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as opened:
        stream = opened.extractfile(f"{archive.name.removesuffix('.tar')}/{name}")
        assert stream is not None
        return stream.read()


@pytest.mark.long
def test_its_bill_names_every_wheel_with_licence_hash_and_purl(made: Path) -> None:
    bill = json.loads(member(made, "sbom.cdx.json"))
    sums = {line[66:]: line[:64] for line in member(made, build.SUMS).decode().splitlines()}
    parts = [*bill["components"], bill["metadata"]["component"]]
    held = {one["hashes"][0]["content"] for one in parts}
    assert {digest for name, digest in sums.items() if name.startswith("wheels/")} <= held
    assert all(one["licenses"] and one["purl"] and one["version"] for one in parts)
    refs = {one["bom-ref"] for one in parts}
    assert len(refs) == len(parts) and all(set(one["dependsOn"]) <= refs for one in bill["dependencies"])
    ours = next(one for one in bill["dependencies"] if one["ref"] == bill["metadata"]["component"]["bom-ref"])
    assert any("/flask@" in ref for ref in ours["dependsOn"])


@pytest.mark.long
def test_the_sums_are_signed_and_anybody_with_ssh_can_tell(made: Path, tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen: the signature of a release was not tried")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "release", "-f", key], check=True)
    sums = build.sums_beside(made)
    signature = build.sign(sums, str(key))
    signers = tmp_path / "signers"
    signers.write_text(f"release@bidhall {key.with_suffix('.pub').read_text()}")
    (command,) = (
        line for line in text("docs/operate/install.md").splitlines() if line.startswith("ssh-keygen -Y verify")
    )
    command = command.replace("bidhall.signers", str(signers)).replace("SHA256SUMS.sig", str(signature))

    def verifies() -> bool:
        with sums.open("rb") as stream:
            return subprocess.run(command.split(" < ")[0].split(), stdin=stream, capture_output=True).returncode == 0

    assert verifies()
    sums.write_bytes(sums.read_bytes().replace(b"0", b"1", 1))
    assert not verifies()


def without_network() -> list[str]:
    words = ["unshare", "-rn"]
    try:
        return words if subprocess.run([*words, "true"], capture_output=True).returncode == 0 else []
    except OSError:
        return []


@pytest.mark.long
def test_a_machine_without_a_network_installs_it_and_serves(made: Path, tmp_path: Path) -> None:
    prefix, commit = tmp_path / "opt", json.loads(member(made, "release.json"))["commit"]
    (tmp_path / made.name).symlink_to(made)
    environment = {"PATH": os.environ["PATH"], "PYTHON": sys._base_executable, "BIDHALL_LANG": "en"}  # type: ignore[attr-defined]
    environment |= {"PIP_INDEX_URL": "https://127.0.0.1:9/", "https_proxy": "http://127.0.0.1:9"}

    half = prefix / "releases" / f"0.1.0-{commit[:9]}"
    half.mkdir(parents=True)  # as one that was killed leaves it
    (half / ".half").touch()
    (prefix / ".lock").touch()
    said = []
    lines = [line for line in guide(GUIDES[0]) if line.startswith(("tar ", "bidhall-*/install "))]
    for line in [*lines, lines[-1]]:
        for place, instead in (
            ("/opt/bidhall", prefix),
            ("/usr/local/bin", tmp_path),
            ("/etc/systemd/system", tmp_path / "units"),
        ):
            line = line.replace(place, str(instead))
        command = [*without_network(), "sh", "-c", line]
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, umask=0o077)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        said.append(ran.stdout)
    assert said[:2] == ["", ""] and "begun anew" in said[2] and "installed already" in said[3]
    assert f"ExecStart={prefix}/bin/bidhall serve" in (tmp_path / "units/bidhall.service").read_text()
    closed = [path for path in prefix.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o044 != 0o044]
    assert closed == []  # the user that serves is another one

    bidhall, site = str(tmp_path / "bidhall"), tmp_path / "site.toml"
    (tmp_path / "other").mkdir()
    site.write_text(ANSWERS.format(folder=tmp_path, code=credit_code(90)), encoding="utf-8")
    here = {"PATH": os.environ["PATH"], "BIDHALL_DATA": str(tmp_path / "data"), "BIDHALL_LANG": "en"}
    here |= {"BIDHALL_METRICS": "loopback", "HOME": str(tmp_path / "home")}  # a user of the system has none

    def says(*words: str) -> str:
        ran = subprocess.run([bidhall, *words], env=here, cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    assert says("--version").startswith("bidhall, version ")
    says("init", "--answers", str(site))
    findings = {one["code"]: one["level"] for one in json.loads(says("doctor", "--json"))["findings"]}
    assert findings["release"] == "ok"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (tmp_path / "server.log").open("wb") as log:
        words = [bidhall, "serve", "--port", str(port), "--no-watch"]
        server = subprocess.Popen(words, env=here, cwd=tmp_path, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 90
        while asked(port)[0] != 200:
            assert server.poll() is None and time.monotonic() < until, (tmp_path / "server.log").read_text()
            time.sleep(0.2)
        assert all(asked(port, "/notices")[0] == 200 for _ in range(20))
        code, figures = asked(port, "/metrics")  # of both workers together, whoever answers
        assert code == 200 and 'bidhall_requests_total{desk="public",status="2xx"} 20\n' in figures
        (turned,) = re.findall(r"(?m)^bidhall_clock_turn_timestamp_seconds (\d+)$", figures)
        assert abs(time.time() - int(turned)) < 30
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    log_of_it = (tmp_path / "server.log").read_text()
    assert "ERROR" not in log_of_it and not (tmp_path / "home").exists(), log_of_it


def asked(port: int, path: str = "/readyz") -> tuple[int, str]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        line.close()
