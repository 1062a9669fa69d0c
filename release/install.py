"""Installs a release from its unpacked archive, without a network: `./install /opt/bidhall`. Standard library only.

The folder gets `releases/VERSION-COMMIT`, an environment with all libraries, `current`, which leads to it, and `bin/bidhall`. Another
release goes beside it, and `current` moves when it is whole; the one before stays until somebody removes it. What was interrupted is begun
anew. Every Python that may be found can read this file, so that one that is too old is told so.
"""

import argparse
import fcntl
import hashlib
import json
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = ("releases", "current", "bin", ".lock")
HALF = ".half"
ROOM = 900
"""MiB an installed release takes at most, while it is being made."""
UNITS = (
    "bidhall.service",
    "bidhall-watch.service",
    "bidhall-backup.service",
    "bidhall-backup.timer",
    "bidhall-doctor.service",
    "bidhall-doctor.timer",
)
WORDS = {
    "install.no_python": (
        "this is Python {found}; the release is for {wanted}: name another one, PYTHON=python{first} ./install …",
        "这是 Python {found}；本发行版适用于 {wanted}：请指定另一个，PYTHON=python{first} ./install …",
    ),
    "install.machine": (
        "this machine is {found}; the release is for {wanted}: take the archive for it",
        "本机是 {found}；本发行版适用于 {wanted}：请改用适用于本机的安装包",
    ),
    "install.libc": (
        "the C library here is {found}; the release needs glibc {wanted} or newer, as of Debian 12",
        "本机的 C 库是 {found}；本发行版需要 glibc {wanted} 或更新（Debian 12 起）",
    ),
    "install.no_venv": (
        "python3 cannot make environments: apt-get install python3-venv",
        "python3 不能建立独立环境：apt-get install python3-venv",
    ),
    "install.damaged": (
        "not as released: {found}: unpack the archive anew, and check its signature",
        "与发行时不同：{found}：请重新解开安装包，并核对签名",
    ),
    "install.not_empty": (
        "{found} holds other things: name an empty folder, or one with an earlier release",
        "{found} 里有别的东西：请指定空文件夹，或装有以前发行版的文件夹",
    ),
    "install.not_writable": (
        "{found} cannot be written: install as root, or name another folder",
        "{found} 不可写：请以 root 安装，或指定别的文件夹",
    ),
    "install.no_room": (
        "{found} MiB free at {where}, {wanted} needed: make room",
        "{where} 只剩 {found} MiB，需要 {wanted}：请腾出空间",
    ),
    "install.busy": ("another installation runs in {found}: wait for it", "{found} 里正有另一次安装：请等它结束"),
    "install.library": (
        "a system library is missing ({found}): apt-get install {wanted}",
        "缺少系统库（{found}）：apt-get install {wanted}",
    ),
    "install.failed": ("it went wrong: {found}", "安装出错：{found}"),
    "begun": ("an interrupted installation is begun anew", "上次安装中断，现在重新开始"),
    "there": ("this release is installed already", "本发行版已经安装"),
    "works": ("installing {count} wheels into {where} …", "正在把 {count} 个安装文件装入 {where} …"),
    "done": ("installed: {where}", "已安装：{where}"),
    "linked": ("linked: {where}", "已链接：{where}"),
    "kept": ("{where} is there and is another one: kept as it is", "{where} 已存在且不同：未改动"),
    "unit": ("written: {where}", "已写入：{where}"),
    "private": (
        "note: {found} may be entered by its owner alone; where another user serves, install with PYTHON=/usr/bin/python3",
        "注意：{found} 只有其所有者能进入；由其他用户运行平台时，请用 PYTHON=/usr/bin/python3 安装",
    ),
    "nobody": (
        "there is no user {user} yet: useradd --system --user-group --home-dir {data} --shell /usr/sbin/nologin {user}\n"
        "and the folder of the data: install -d -m 0700 -o {user} -g {user} {data}",
        "还没有用户 {user}：useradd --system --user-group --home-dir {data} --shell /usr/sbin/nologin {user}\n"
        "以及数据文件夹：install -d -m 0700 -o {user} -g {user} {data}",
    ),
    "next": (
        "next: systemctl daemon-reload, then docs/operate/start.md from step 3 on",
        "下一步：systemctl daemon-reload，然后按 docs/operate/start.zh-CN.md 第 3 步继续",
    ),
}
LIBRARIES = {
    "libstdc++.so": "libstdc++6",
    "libgcc_s.so": "libgcc-s1",
    "libz.so": "zlib1g",
    "libatomic.so": "libatomic1",
}
"""What wheels leave to the system, and the packages that bring it."""


class Refused(Exception):
    """Nothing was installed."""


def words(code: str, **facts: object) -> str:
    chinese = (os.environ.get("BIDHALL_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "").startswith(
        "zh"
    )
    text = WORDS[code][1 if chinese else 0].format(**facts)
    return "[%s] %s" % (code, text) if code.startswith("install.") else text


def say(code: str, **facts: object) -> None:
    print(words(code, **facts), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./install", description="Install this release of Bidhall, without a network."
    )
    parser.add_argument(
        "prefix", nargs="?", default="/opt/bidhall", help="folder of the program, never of data (/opt/bidhall)"
    )
    parser.add_argument("--link", metavar="FOLDER", help="also link the command bidhall there: /usr/local/bin")
    parser.add_argument("--units", metavar="FOLDER", help="also write systemd units: /etc/systemd/system")
    parser.add_argument("--user", default="bidhall", help="whose name the units serve in (bidhall)")
    parser.add_argument("--data", default="/var/lib/bidhall", help="data folder of the units (/var/lib/bidhall)")
    parser.add_argument("--check", action="store_true", help="only say whether it could be installed")
    asked = parser.parse_args()
    if not re.match(r"^[a-z_][a-z0-9_-]{0,31}$", asked.user):
        parser.error("--user: a name of this system")
    if not re.match(r"^(/[A-Za-z0-9._-]+)+$", asked.data) or not re.match(r"^[^\s%:\\]+$", asked.prefix):
        parser.error("folders: by their whole path, without spaces")
    os.umask(0o022)  # whoever serves is another user, and reads all of it
    try:
        with open(os.path.join(HERE, "release.json"), encoding="utf-8") as stream:
            about = json.load(stream)
        prefix = os.path.abspath(asked.prefix)
        faults = system_faults(about) + place_faults(prefix) + damage()
        if faults:
            raise Refused("\n".join(faults))
        if asked.check:
            return 0
        install(about, prefix)
        if private_to(os.path.realpath(sys.executable)):
            say("private", found=private_to(os.path.realpath(sys.executable)))
        if asked.link:
            link(os.path.join(prefix, "bin", "bidhall"), os.path.join(asked.link, "bidhall"))
        if asked.units:
            write_units(asked.units, prefix, asked.user, asked.data)
            if not there_is(asked.user):
                say("nobody", user=asked.user, data=asked.data)
            say("next")
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(words("install.failed", found=error), file=sys.stderr)
        return 1
    return 0


# --- whether it can be ------------------------------------------------------------------------------------------------


def system_faults(about: "dict[str, Any]") -> "list[str]":
    found, here = [], "%d.%d" % sys.version_info[:2]
    if here not in about["pythons"] or platform.python_implementation() != "CPython":
        wanted = about["pythons"]
        found.append(
            words("install.no_python", found=platform.python_version(), wanted=", ".join(wanted), first=wanted[0])
        )
    if platform.machine() != about["machine"] or platform.system() != "Linux":
        there = "%s %s" % (platform.system(), platform.machine())
        found.append(words("install.machine", found=there, wanted="Linux " + about["machine"]))
    name, version = platform.libc_ver()
    if name != "glibc" or numbers(version) < numbers(about["glibc"]):
        found.append(words("install.libc", found=(name + " " + version).strip() or "musl", wanted=about["glibc"]))
    if subprocess.call([sys.executable, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL):
        found.append(words("install.no_venv"))
    return found


def numbers(version: str) -> "list[int]":
    return [int(one) for one in version.split(".") if one.isdigit()]


def place_faults(prefix: str) -> "list[str]":
    """A folder that is empty, or ours, on a disk with room."""
    above = prefix
    while not os.path.exists(above):
        above = os.path.dirname(above)
    if os.path.isdir(prefix):
        held = os.listdir(prefix)
        if [one for one in held if one not in OURS] or (held and ".lock" not in held):
            return [words("install.not_empty", found=prefix)]
    elif os.path.exists(prefix):
        return [words("install.not_empty", found=prefix)]
    if not os.access(above, os.W_OK | os.X_OK) or not os.path.isdir(above):
        return [words("install.not_writable", found=above)]
    free = shutil.disk_usage(above).free >> 20
    return [words("install.no_room", found=free, where=above, wanted=ROOM)] if free < ROOM else []


def damage() -> "list[str]":
    """Every file of the archive against its sums: a download that was cut off, or a file somebody changed."""
    wrong = []
    with open(os.path.join(HERE, "SHA256SUMS"), encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    for line in lines:
        told, name = line.split("  ", 1)
        try:
            with open(os.path.join(HERE, name), "rb") as stream:
                if hashlib.sha256(stream.read()).hexdigest() != told:
                    wrong.append(name)
        except OSError:
            wrong.append(name)
    told_of = [line.split("  ", 1)[1] for line in lines]
    wheels = os.path.join(HERE, "wheels")
    there = ["wheels/" + one for one in os.listdir(wheels)] if os.path.isdir(wheels) else []
    wrong += [one for one in there if one not in told_of]
    return [words("install.damaged", found=", ".join(sorted(wrong)[:5]))] if wrong else []


# --- doing it ---------------------------------------------------------------------------------------------------------


def install(about: "dict[str, Any]", prefix: str) -> None:
    os.makedirs(os.path.join(prefix), mode=0o755, exist_ok=True)
    with open(os.path.join(prefix, ".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(words("install.busy", found=prefix)) from None
        name = "%s-%s" % (about["version"], about["commit"][:9])
        home = os.path.join(prefix, "releases", name)
        half = os.path.join(home, HALF)
        if os.path.exists(home) and os.path.exists(half):
            say("begun")
            shutil.rmtree(home)
        if os.path.exists(home):
            say("there")
        else:
            os.makedirs(home, mode=0o755)
            open(half, "w").close()
            environment(home)
            os.unlink(half)
        point(os.path.join("releases", name), os.path.join(prefix, "current"))
        os.makedirs(os.path.join(prefix, "bin"), mode=0o755, exist_ok=True)
        point("../current/bin/bidhall", os.path.join(prefix, "bin", "bidhall"))
    say("done", where=os.path.join(prefix, "bin", "bidhall"))


def environment(home: str) -> None:
    """A venv with the libraries of the archive, each compared with its hash; pip is given no index and reads no settings of anybody's."""
    wheels = os.path.join(HERE, "wheels")
    say("works", count=len(os.listdir(wheels)), where=home)
    quiet = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
    quiet["PIP_CONFIG_FILE"] = os.devnull
    python = os.path.join(home, "bin", "python")
    run([sys.executable, "-I", "-m", "venv", home], quiet)
    pip = [python, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "install"]
    listed = os.path.join(HERE, "requirements.txt")
    run(pip + ["--no-index", "--find-links", wheels, "--only-binary=:all:", "--require-hashes", "-r", listed], quiet)
    missing = libraries(home)
    if missing:
        needed = sorted({LIBRARIES.get(re.sub(r"\.so.*", ".so", one), one) for one in missing})
        raise Refused(words("install.library", found=", ".join(missing), wanted=" ".join(needed)))
    run([os.path.join(home, "bin", "bidhall"), "--version"], quiet)
    share = os.path.join(home, "share", "bidhall")
    os.makedirs(share)
    for one in ("release.json", "requirements.txt", "sbom.cdx.json", "SHA256SUMS", "LICENSE"):
        shutil.copyfile(os.path.join(HERE, one), os.path.join(share, one))
    shutil.copytree(os.path.join(HERE, "docs"), os.path.join(share, "docs"), copy_function=shutil.copyfile)
    for folder, _folders, _names in os.walk(share):
        os.chmod(folder, 0o755)  # the archive may have been unpacked for its owner's eyes alone


def run(command: "list[str]", environment: "dict[str, str]") -> None:
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise OSError("%s: %s" % (" ".join(command[:5]), done.stdout.decode("utf-8", "replace")[-2000:]))


def libraries(home: str) -> "list[str]":
    """Names of system libraries that something installed wants and this machine has not, as its loader says it."""
    made = [
        os.path.join(folder, name)
        for folder, _folders, names in os.walk(os.path.join(home, "lib"))
        for name in names
        if ".so" in name
    ]
    if not shutil.which("ldd"):
        return []
    said = subprocess.run(["ldd"] + made, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode(
        "utf-8", "replace"
    )
    return sorted(set(re.findall(r"^\s*(\S+) => not found", said, re.MULTILINE)))


def point(to: str, name: str) -> None:
    """A link that leads to another place from one moment to the next."""
    draft = name + ".new"
    if os.path.lexists(draft):
        os.unlink(draft)
    os.symlink(to, draft)
    os.replace(draft, name)


def link(command: str, name: str) -> None:
    os.makedirs(os.path.dirname(os.path.abspath(name)), mode=0o755, exist_ok=True)
    if os.path.lexists(name) and not (os.path.islink(name) and os.readlink(name) == command):
        say("kept", where=name)
        return
    point(command, name)
    say("linked", where=name)


def write_units(folder: str, prefix: str, user: str, data: str) -> None:
    """The units of docs/operate/service for this folder, this user and these data; one that is there and differs is left as it is."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    for name in UNITS:
        with open(os.path.join(HERE, "docs", "operate", "service", name), encoding="utf-8") as stream:
            text = unit(stream.read(), prefix, user, data)
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                if stream.read() != text:
                    say("kept", where=path)
            continue
        with open(path + ".new", "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(path + ".new", path)
        say("unit", where=path)


def private_to(path: str) -> str:
    """The folder above a file that its owner alone may enter, "" for none."""
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            return path
    return ""


def there_is(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def unit(text: str, prefix: str, user: str, data: str) -> str:
    """A folder below /var/lib is made by systemd; any other is there already, and has to be named as writable."""
    text = text.replace("/opt/bidhall/", prefix + "/").replace("User=bidhall", "User=" + user)
    text = text.replace("Group=bidhall", "Group=" + user).replace("/var/lib/bidhall", data)
    below = re.match(r"^/var/lib/([A-Za-z0-9._-]+)$", data)
    return text.replace(
        "StateDirectory=bidhall", "StateDirectory=" + below.group(1) if below else "ReadWritePaths=" + data
    )


if __name__ == "__main__":
    sys.exit(main())
