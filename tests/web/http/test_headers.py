"""What every answer carries: a strict policy, cookies nobody else can set, a language, a request id."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import NOON, House
from web import release
from web.app import STATIC

PAGES = ("/", "/status", "/help", "/help/verify", "/account/sign-in", "/time", "/nowhere", "/static/css/base.css")


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "require-trusted-types-for 'script'" in policy
    assert not re.search("unsafe|data:|blob:|https?:|[*]", " ".join(policy))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert re.fullmatch(r"[0-9a-f]{4}-[0-9a-f]{4}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize("path", ["/", "/status", "/help", "/account/sign-in", "/nowhere"])
def test_no_page_has_an_inline_script_or_style(client: FlaskClient, path: str) -> None:
    page = client.get(path).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", page)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert address.startswith(("/", "#")) and not address.startswith("//"), address


@pytest.mark.parametrize("path", ["/", "/check", "/account/sign-in", "/nowhere"])
def test_every_script_and_style_carries_its_integrity_imports_before_importers(client: FlaskClient, path: str) -> None:
    page, seen, asked = client.get(path).text, list[str](), list[str]()
    for tag in re.findall(r'<(?:script|link rel="(?:stylesheet|modulepreload)")[^>]*>', page):
        address, integrity = (re.search(rf'{name}="([^"]+)"', tag) for name in ("(?:src|href)", "integrity"))
        assert address and integrity, tag
        assert integrity[1] == release.sri(client.get(address[1]).data), tag
        name = address[1].partition("?")[0].removeprefix("/static/")
        assert set(release.preloads(name)) <= set(seen), name
        seen.append(name)
        asked.append(address[1])
    assert "js/theme.js" in seen and len(asked) == len(set(asked))


def test_templates_load_nothing_without_integrity() -> None:
    for path in (STATIC.parent / "templates").rglob("*.html"):
        if path.name not in (
            "busy.html",
            "waiting.html",
        ):  # pages of a server that is not up: styles alone, by fixed addresses
            assert not re.search(r"<script|<link rel=.stylesheet", path.read_text(encoding="utf-8")), path.name


def test_templates_have_no_inline_script_or_style() -> None:
    for path in (STATIC.parent / "templates").rglob("*.html"):
        assert not re.search(
            r"<style|\sstyle=|\son[a-z]+=\"|javascript:|\|\s*safe\b", path.read_text(encoding="utf-8")
        ), path.name


def test_scripts_write_no_markup() -> None:
    for path in sorted((STATIC / "js").glob("*.js")):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(\s*['\"]",
            path.read_text(encoding="utf-8"),
        )


def test_the_modules_stay_small() -> None:
    ours = ("theme", "clock", "countdown", "forms", "dialog", "tables", "live")
    assert sum((STATIC / "js" / f"{name}.js").stat().st_size for name in ours) < 30_000


def test_both_ways_into_the_dark_are_the_same() -> None:
    css = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
    by_system = re.search(r':root:not\(\[data-theme="light"\]\) \{(.*?)\}', css, re.DOTALL)
    by_choice = re.search(r':root\[data-theme="dark"\] \{(.*?)\}', css, re.DOTALL)
    assert by_system and by_choice
    assert by_system[1].split() == by_choice[1].split()


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _tokens(css: str) -> dict[str, str]:
    found = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{3,6})\b", css))
    return {k: v if len(v) == 7 else "#" + "".join(c * 2 for c in v[1:]) for k, v in found.items()}


def test_text_stands_out_from_its_ground_in_both_schemes() -> None:
    css = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
    light = _tokens(css.split("@media")[0])
    dark = light | _tokens(re.search(r':root\[data-theme="dark"\] \{(.*?)\}', css, re.DOTALL)[1])  # type: ignore[index]
    pairs = [(ink, ground) for ink in ("ink", "ink-2", "ink-3", "act", "stop") for ground in ("ground", "surface")]
    pairs += [(tone, f"{tone}-soft") for tone in ("sealed", "ok", "warn", "stop", "info")] + [
        ("sun-ink", "sun-soft"),
        ("on-band", "band"),
        ("on-act", "act"),
    ]
    for scheme in (light, dark):
        for front, back in pairs:
            high, low = sorted((_luminance(scheme[front]), _luminance(scheme[back])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (front, back)  # WCAG 2.2, 1.4.3


def test_the_session_cookie_is_a_host_cookie(client: FlaskClient) -> None:
    cookie = next(
        c for c in client.get("/account/sign-in").headers.getlist("Set-Cookie") if c.startswith("__Host-bidhall=")
    )
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    ("asked", "accepted", "lang"),
    [
        ("", "", "zh-CN"),
        ("", "de", "zh-CN"),
        ("", "zh-TW,en;q=0.5", "zh-CN"),
        ("", "en-US,zh;q=0.5", "en"),
        ("zh", "en", "zh-CN"),
        ("en", "zh", "en"),
        ("../etc", "zh", "zh-CN"),
    ],
)
def test_language_by_address_then_browser_with_chinese_by_default(
    client: FlaskClient, asked: str, accepted: str, lang: str
) -> None:
    page = client.get(
        "/help" + (f"?lang={asked}" if asked else ""), headers={"Accept-Language": accepted} if accepted else {}
    )
    assert f'<html lang="{lang}"' in page.text


def test_a_language_once_chosen_is_kept(client: FlaskClient) -> None:
    client.get("/?lang=en")
    page = client.get("/help", headers={"Accept-Language": "zh-CN"})
    assert '<html lang="en"' in page.text and ">Help<" in page.text
    assert 'href="/help?lang=zh"' in page.text


def test_the_theme_is_kept_without_a_script(client: FlaskClient) -> None:
    assert 'data-theme="dark"' in client.get("/?theme=dark").text
    assert 'data-theme="dark"' in client.get("/help").text


def test_time_is_the_offices(client: FlaskClient) -> None:
    answer = client.get("/time")
    assert answer.json == {"now": "2026-03-18T01:52:41Z", "ms": int(NOON.timestamp() * 1000)}
    assert answer.headers["Cache-Control"] == "no-store"


def test_files_are_kept_a_year_under_their_digest(client: FlaskClient) -> None:
    address = re.search(r"/static/css/parts\.css\?v=[0-9a-f]{12}", client.get("/").text)
    assert address
    assert "immutable" in client.get(address[0]).headers["Cache-Control"]
    assert "immutable" not in client.get("/static/css/parts.css").headers.get("Cache-Control", "")


def test_another_hosts_name_is_refused(make_house: Callable[..., House]) -> None:
    client = make_house(base_url="https://bidhall.example").client()
    assert client.get("/", base_url="https://bidhall.example").status_code == 200
    assert client.get("/", base_url="https://evil.example").status_code == 400


def test_strict_transport_only_over_tls(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" in client.get("/", base_url="https://localhost").headers
    assert "Strict-Transport-Security" not in client.get("/").headers


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_of_components_shows_every_part(make_house: Callable[..., House], tmp_path: Path, lang: str) -> None:
    page = make_house(test_clock="2026-03-18T01:52:41Z").client().get(f"/help/components?lang={lang}")
    assert page.status_code == 200
    for part in (
        "band",
        "sunline",
        "rail",
        "crumbs",
        "stages",
        "steps",
        "kpis",
        "todo",
        "tabs",
        "chips",
        "tbl",
        "pages",
        "commitbar",
        "chart",
        "count",
        "proofbox",
        "note",
        "empty",
        "keys",
        "desc",
        "errors",
        "field--bad",
        "readback",
        "receipt",
        "seal",
        "docs",
        "log",
        "foot",
    ):
        assert re.search(rf'class="[^"]*\b{part}\b', page.text), part
    ids = re.findall(r'\sid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids)), sorted(i for i in ids if ids.count(i) > 1)


def test_the_page_of_components_is_not_in_service(client: FlaskClient) -> None:
    assert client.get("/help/components").status_code == 404
