"""The card of a rehearsal: who signs in with what, and who does what in which order. Written once, 0600; the passwords stand nowhere else.

An HTML page that prints, one line a person to be cut apart, and the same as plain text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from trading.kernel.memory import write_whole
from web import words
from web.papers import mark
from web.rehearsal.site.course import TURNS
from web.rehearsal.site.people import Member, Taken, firms

TEXT, PAGE = "card.txt", "card.html"
_STYLE = """body{font:15px/1.5 "Noto Sans CJK SC","Noto Sans SC",sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c}
h1,h2{color:#0d2f2b}.mark{border:2px solid #9a3412;color:#9a3412;padding:.4rem 1rem;font-weight:700}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px dashed #888;padding:.35rem .5rem;text-align:left;vertical-align:top}
code{font:16px/1.4 ui-monospace,"Noto Sans Mono",monospace;white-space:nowrap}.sub{color:#555;font-size:.85em}tr{break-inside:avoid}"""


def write(folder: Path, platform: str, site: str, taken: Taken, passwords: Mapping[str, str]) -> None:
    """Both cards, 0600."""
    for name, text in (
        (TEXT, "\n".join(_lines(platform, site, taken, passwords)) + "\n"),
        (PAGE, _page(platform, site, taken, passwords)),
    ):
        write_whole(folder / name, text.encode())
        (folder / name).chmod(0o600)


def _roles(one: Member) -> str:
    return "、".join(words.state("role", role.value, "zh").text for role in one.roles)


def _roles_en(one: Member) -> str:
    return ", ".join(words.state("role", role.value, "en").text for role in one.roles)


def _rows(taken: Taken, passwords: Mapping[str, str]) -> Iterator[tuple[Member, str, str]]:
    """(person, organisation, password), organisation by organisation."""
    names = {one.code: one.name for one in taken.orgs}
    order = {one.code: n for n, one in enumerate(taken.orgs)}
    for one in sorted(taken.people, key=lambda who: (order[who.org], who.username)):
        yield one, names[one.org], passwords[one.username]


def _who(taken: Taken, roles: tuple[object, ...]) -> str:
    found = [one.username for one in taken.people if set(one.roles) & set(roles)]
    return ", ".join(found[:8]) + (" …" if len(found) > 8 else "")


def _lines(platform: str, site: str, taken: Taken, passwords: Mapping[str, str]) -> Iterator[str]:
    yield from (mark.TEXT, f"{site} -> {platform}", "", "登录 / sign in")
    for one, org, password in _rows(taken, passwords):
        note = "　[虚构 / invented]" if one.invented else ""
        yield from (f"  {one.name}　{org}{note}", f"      {_roles(one)} / {_roles_en(one)}")
        yield f"      {one.username}    {password}"
    yield from ("", "投标单位 / bidders")
    for firm, who in firms(taken):
        yield f"  {firm.name}    {who.username}    samples/{who.username}/"
    yield from ("", "顺序 / in this order")
    for number, turn in enumerate(TURNS, 1):
        yield from (f"  {number}. {turn.zh}", f"     {turn.en}", f"     {turn.path}    {_who(taken, turn.roles)}")


def _page(platform: str, site: str, taken: Taken, passwords: Mapping[str, str]) -> str:
    people = "".join(
        f"<tr><td>{escape(one.name)}<div class=sub>{escape(org)}{' · 虚构 / invented' if one.invented else ''}</div></td>"
        f"<td>{escape(_roles(one))}<div class=sub lang=en>{escape(_roles_en(one))}</div></td>"
        f"<td><code>{escape(one.username)}</code></td><td><code>{escape(password)}</code></td></tr>"
        for one, org, password in _rows(taken, passwords)
    )
    bidders = "".join(
        f"<tr><td>{escape(org.name)}</td><td><code>{escape(who.username)}</code></td>"
        f"<td><code>samples/{escape(who.username)}/</code></td></tr>"
        for org, who in firms(taken)
    )
    order = "".join(
        f"<tr><td>{number}</td><td>{escape(turn.zh)}<div class=sub lang=en>{escape(turn.en)}</div></td>"
        f"<td><code>{turn.path}</code></td><td class=sub>{escape(_who(taken, turn.roles))}</td></tr>"
        for number, turn in enumerate(TURNS, 1)
    )
    return f"""<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>演练卡 / card of the rehearsal · {escape(site)}</title><style>{_STYLE}</style></head><body>
<p class="mark">{mark.ZH}　<span lang="en">{mark.EN}</span></p>
<h1>演练卡 <span lang="en">Card of the rehearsal</span></h1>
<p>{escape(site)} → <code>{escape(platform)}</code></p>
<h2>登录 <span lang="en">Sign in</span></h2>
<table><thead><tr><th>姓名 <span lang="en">name</span></th><th>身份 <span lang="en">role</span></th>
<th>登录名 <span lang="en">username</span></th><th>演练口令 <span lang="en">password</span></th></tr></thead><tbody>{people}</tbody></table>
<h2>投标单位 <span lang="en">Bidders</span></h2><table><tbody>{bidders}</tbody></table>
<h2>顺序 <span lang="en">In this order</span></h2><table><tbody>{order}</tbody></table>
</body></html>
"""
