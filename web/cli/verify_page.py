"""`bidhall verify page`: a served sealing page, and every file it loads, byte by byte against a release. No Flask, no database.

The files are the same for everybody and need no sign-in. The page itself does: with a browser's headers it is read as that browser gets
it, and held to the content policy and to the integrity each script must carry. What was not seen is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from posixpath import normpath
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import click

from web.cli.common import BAD_INPUT, REFUSED, answer, guarded, json_option, lang_option, read_bytes, say, stop
from web.cli.language import language
from web.release import POLICY, Release, changed, installed, of_wheel, sri

TIMEOUT, MOST = 30, 32 << 20
STATES = {
    "differs": ("内容与发布版本不同", "other bytes than the release"),
    "absent": ("未能取得", "not served"),
    "unknown": ("发布版本中没有此文件", "no file of the release"),
    "foreign": ("来自别处或发布版本之外", "from elsewhere than the release's files"),
    "inline": ("页面内嵌脚本或样式", "script or style inside the page"),
    "integrity": ("缺少 integrity 或与发布版本不符", "without the release's integrity"),
    "policy": ("内容安全策略与发布版本不同", "another content policy than the release's"),
    "installed": ("本机安装的文件与其记录不符", "not what this installation's own record says"),
}
SEEN = ("页面本身已核对", "the page itself was checked")
UNSEEN = (
    "页面本身未核对：须登录才能看到。请用 --headers 给出已登录浏览器的 Cookie 与 User-Agent",
    "the page itself was not checked: it needs a sign-in. Give Cookie and User-Agent of a signed-in browser with --headers",
)
UNRECORDED = (
    "对照的是本机的源码目录，不是发布版本；用 --release 指定 wheel",
    "compared with a checkout, not with a release: name a wheel with --release",
)
SAME, OTHER = ("{0} 个文件与 {1} 逐字节一致", "{0} files are those of {1}, byte for byte"), ("{0} 处不同", "{0} differ")


@dataclass(frozen=True)
class Different:
    """One thing that is not as released."""

    address: str
    state: str


class _Page(HTMLParser):
    """What a page loads: ``(address, integrity)`` of scripts, styles and preloads; whatever else could run or frame is ``odd``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.loads: list[tuple[str, str]] = []
        self.foreign: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        if tag == "script":
            if "src" in held:
                self.loads.append((held["src"], held.get("integrity", "")))
            else:
                self.inline.append("<script>")
        elif tag == "link" and set(held.get("rel", "").lower().split()) & {"stylesheet", "modulepreload", "preload"}:
            self.loads.append((held.get("href", ""), held.get("integrity", "")))
        elif tag in ("iframe", "frame", "object", "embed", "base", "portal"):
            self.foreign.append(f"<{tag}>")
        elif tag == "meta" and "http-equiv" in held:
            self.foreign.append("<meta http-equiv>")
        elif tag == "style":
            self.inline.append("<style>")
        self.inline += [f"<{tag} {name}>" for name in held if name.startswith("on") or name == "style"]
        self.inline += [
            f"<{tag} {name}>" for name, text in held.items() if text.strip().lower().startswith("javascript:")
        ]


class _Stay(HTTPRedirectHandler):
    """Follows nothing: where a page sends us is not the page."""

    def redirect_request(self, *_: Any) -> None:
        return None


@click.command("page", epilog="Example: bidhall verify page https://bidhall.example/bidder/lots/KP-2026-7F3A2C-1/seal")
@click.argument("url")
@click.option("--release", "wheel", metavar="WHEEL", help="A wheel to compare with (the installed release).")
@click.option(
    "--headers",
    "headers_file",
    metavar="FILE",
    help="Cookie and User-Agent lines of a signed-in browser's request, as its developer tools show them.",
)
@json_option
@lang_option
@guarded
def page(url: str, wheel: str | None, headers_file: str | None, as_json: bool, lang: str | None) -> None:
    """Compare a served sealing page, and every file it loads, byte by byte with a release."""
    at = urlsplit(url)
    if at.scheme not in ("http", "https") or not at.hostname:
        stop(f"{url}: not the address of a page", BAD_INPUT)
    try:
        against = of_wheel(wheel) if wheel else installed()
    except ValueError as error:
        stop(f"{wheel}: {error}", BAD_INPUT)
    found = _compare(url, against, _headers(headers_file) if headers_file else {})
    if not wheel and against.record is not None:
        found["different"] += [asdict(Different(name, "installed")) for name in changed(against.record)]
    found["ok"] = not found["different"]
    if as_json:
        answer(found)
    else:
        _show(found, language(lang) == "en")
    if not found["ok"]:
        raise SystemExit(REFUSED)


def _headers(path: str) -> dict[str, str]:
    """What makes us that browser: a sign-in holds for its cookie together with its name. Sent to the page's address alone."""
    lines = (line.partition(":") for line in read_bytes(path).decode("utf-8", "replace").splitlines())
    told = {name.strip().lower(): value.strip() for name, _, value in lines}
    if not told.get("cookie"):
        stop(f"{path}: no line `Cookie: …`", BAD_INPUT)
    return {name: told[name] for name in ("cookie", "user-agent") if told.get(name)}


def _compare(url: str, against: Release, sent: dict[str, str]) -> dict[str, Any]:
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    try:
        status, headers, body = _fetch(url, sent)
    except (URLError, OSError) as error:
        stop(f"{url}: {getattr(error, 'reason', error)}", BAD_INPUT)
    different: list[Different] = []
    names: dict[str, str] = {f"{origin}/static/{name}": name for name in against.sealing_page()}
    seen = status == 200 and "text/html" in headers.get("Content-Type", "")
    if seen:
        if headers.get_all("Content-Security-Policy") != [POLICY]:
            different.append(Different(url, "policy"))
        different += _look_over(url, origin, body.decode("utf-8", "replace"), against, names)
    elif status not in (301, 302, 303, 307, 308, 401, 403):
        different.append(Different(url, "absent"))
    same = 0
    for address, name in names.items():
        state = _held(address, name, against)
        same += not state
        if state:
            different.append(Different(address, state))
    return {
        "ok": False,
        "url": url,
        "release": against.what,
        "recorded": against.record is not None,
        "page": seen or None,
        "same": same,
        "different": [asdict(one) for one in dict.fromkeys(different)],
    }


def _look_over(url: str, origin: str, text: str, against: Release, names: dict[str, str]) -> Iterator[Different]:
    """What of the page itself is not as released; the files it loads are added to ``names``."""
    read = _Page()
    read.feed(text)
    yield from (Different(what, "inline") for what in read.inline)
    yield from (Different(what, "foreign") for what in read.foreign)
    for given, integrity in read.loads:
        address = urljoin(url, given)
        plain = address.partition("?")[0].partition("#")[0]
        if not plain.startswith(f"{origin}/static/"):
            yield Different(address, "foreign")
            continue
        name = plain.removeprefix(f"{origin}/static/")
        names[address] = name
        wanted = _released(name, against)
        if wanted is not None and integrity != sri(wanted):  # what is in no release is told as unknown
            yield Different(address, "integrity")


def _held(address: str, name: str, against: Release) -> str:
    """Empty where these are the bytes of the release."""
    wanted = _released(name, against)
    if wanted is None:
        return "unknown"
    try:
        status, _, body = _fetch(address, {})
    except (URLError, OSError):
        return "absent"
    return "absent" if status != 200 else "" if body == wanted else "differs"


def _released(name: str, against: Release) -> bytes | None:
    """The bytes of a file of the release; None for a name it has not, or that leads out of its folder."""
    try:
        return against.read(name) if normpath(name) == name and not name.startswith(("/", "..")) else None
    except (OSError, ValueError):
        return None


def _fetch(address: str, sent: dict[str, str]) -> tuple[int, Any, bytes]:
    request = Request(address, headers=sent)
    try:
        with build_opener(_Stay).open(request, timeout=TIMEOUT) as came:
            return came.status, came.headers, came.read(MOST)
    except HTTPError as error:
        with error:
            return error.code, error.headers, b""


def _show(found: dict[str, Any], english: bool) -> None:
    click.echo(SAME[english].format(found["same"], found["release"]))
    for one in found["different"]:
        click.echo(f"  {STATES[one['state']][english]} [{one['state']}]: {one['address']}")
    if found["different"]:
        click.echo(OTHER[english].format(len(found["different"])))
    say(SEEN[english] if found["page"] else UNSEEN[english])
    if not found["recorded"]:
        say(UNRECORDED[english])
