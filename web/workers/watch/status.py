"""The status page as static files, written by a process of its own: it goes on, and says so, when the platform or its database is down.

``status.json`` and ``index.html`` (both languages, no script) in a folder; served on a port of its own if one is named. What the database
says is asked anew each time; while it is away the last answer stands, with its date, beside what the inside probe itself wrote down.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from trading.kernel.access import CLOCK
from trading.kernel.clock import parse_moment, write_moment
from trading.kernel.errors import Refusal
from trading.kernel.work import Office
from web.workers.watch import facts
from web.workers.watch.process import Handler, folder_of, listening, write_whole

KIND = "status"
EVERY_SECONDS = 10
COMPONENTS = {
    "database": ("数据库", "Database"),
    "clock": ("服务器时钟", "Server clock"),
    "scheduler": ("定时任务", "Scheduler"),
    "bidding": ("投标提交", "Submitting bids"),
    "probe": ("探测", "Probe"),
    "beacon": ("时间信标", "Time beacon"),
    "status": ("状态页", "Status page"),
    "drop": ("摘要寄存", "Digest drop"),
}
STATES = {
    "SUSPENDED": ("因故障暂停", "suspended for a fault"),
    "EXTENDED": ("已延期", "extended"),
    "LIFTED": ("暂停已解除", "suspension lifted"),
    "ENDED": ("因平台原因终止", "failed for the platform's cause"),
}
CSS = (Path(__file__).parent / "status.css").read_text(encoding="utf-8")


class Status:
    def __init__(self, office: Office, data: Path, folder: Path | None = None) -> None:
        self.office, self.data = office, data
        self.folder = folder or folder_of(data) / "status"
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.folder / "status.json"
        self.last: dict[str, Any] | None = (
            json.loads(kept.read_text(encoding="utf-8")).get("platform") if kept.exists() else None
        )

    def turn(self) -> dict[str, Any]:
        """Look once and write both files; returns what was written."""
        reached = True
        try:
            with self.office.view(CLOCK) as view:
                self.last = facts.gather(view, self.data) | {"minutes": facts.last_minutes(view)}
        except (SQLAlchemyError, Refusal, OSError):
            reached = False
        told = {
            "v": 1,
            "written_at": write_moment(self.office.clock.now()),
            "database_answers": reached,
            "platform": self.last,
            "probe": _own_probe(folder_of(self.data) / "probe-inside.jsonl"),
        }
        write_whole(self.folder / "status.json", json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n")
        write_whole(self.folder / "index.html", page(told).encode())
        write_whole(self.folder / "status.css", CSS.encode())
        return told

    def run(self, host: str, port: int | None, stop: threading.Event, on_ready: Any = None) -> None:
        """Write every ten seconds; with a port, serve the files too."""
        status = self

        class Answers(Handler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/") or "index.html"
                if name not in ("index.html", "status.json", "status.css"):
                    self.answer(404, b"", "text/plain")
                    return
                media = {"html": "text/html; charset=utf-8", "json": "application/json", "css": "text/css"}[
                    name.rpartition(".")[2]
                ]
                self.answer(200, (status.folder / name).read_bytes(), media)

            do_HEAD = do_GET

        self.turn()
        if port is None:
            if on_ready:
                on_ready(None)
            while not stop.wait(EVERY_SECONDS):
                self.turn()
            return
        with listening(Answers, host, port) as real:
            if on_ready:
                on_ready(real)
            while not stop.wait(EVERY_SECONDS):
                self.turn()


def _own_probe(path: Path) -> dict[str, Any] | None:
    """What the inside probe wrote down last: it is there when nothing else answers."""
    if not path.exists():
        return None
    with path.open("rb") as source:
        source.seek(max(0, path.stat().st_size - 2000))
        lines = [line for line in source.read().splitlines() if line.endswith(b"}") and line.startswith(b"{")]
    if not lines:
        return None
    value = json.loads(lines[-1])
    return {"at": value["at"], "ok": value["code"] == "", "code": value["code"], "ms": value["ms"]}


# --- the page ---------------------------------------------------------------------------------------------------------


def _mark(ok: bool | None) -> str:
    text, name = {True: ("正常 · fine", "ok"), False: ("异常 · failing", "bad"), None: ("未测 · not measured", "none")}[
        ok
    ]
    return f'<span class="{name}">{text}</span>'


def _when(text: str | None) -> str:
    if not text:
        return "–"
    local = parse_moment(text).astimezone(facts.verdict.BEIJING)
    return f'<time datetime="{escape(text)}">{local:%Y-%m-%d %H:%M:%S}</time>'


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    top = "".join(f'<th scope="col">{one}</th>' for one in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def page(told: dict[str, Any]) -> str:
    """The whole page. Every word from outside is escaped; times are Beijing time."""
    platform = told["platform"]
    parts = [
        f"<p>写入时间 {_when(told['written_at'])}（北京时间）· Written at this Beijing time. "
        f"数据库 · Database: {_mark(told['database_answers'])}</p>"
    ]
    if told["probe"]:
        probe = told["probe"]
        parts.append(
            f"<p>内部探测自记 · The inside probe's own note: {_when(probe['at'])} {_mark(probe['ok'])} "
            f"{escape(probe['code'])}</p>"
        )
    if platform is None:
        parts.append("<p>平台尚未给出数据 · No data from the platform yet.</p>")
    else:
        if not told["database_answers"]:
            parts.append(
                f'<p class="bad">以下为 {_when(platform["at"])} 的最后数据 · '
                "What follows is the last answer, of that moment.</p>"
            )
        parts += _of_platform(platform)
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta http-equiv="refresh" content="30"><title>平台状态 · Platform status</title>'
        '<link rel="stylesheet" href="status.css"></head>'
        f'<body><main><h1>平台状态 <span class="en" lang="en">Platform status</span></h1>{"".join(parts)}</main></body></html>\n'
    )


def _of_platform(platform: dict[str, Any]) -> list[str]:
    named = [
        (" · ".join(escape(word) for word in COMPONENTS.get(one["name"], (one["name"],))), _mark(one["ok"]))
        for one in platform["components"]
    ]
    age, offset = platform["scheduler_age_s"], platform["clock_offset_ms"]
    parts = [
        "<h2>组成部分 · Components</h2>",
        _table(("部分 · Part", "状态 · State"), named),
        f"<p>最近时刻封存 · Last sealed tick: {_when(platform['tick_at'])} ({'–' if age is None else age} s) · "
        f"时钟偏差 · Clock offset: {'–' if offset is None else offset} ms</p>",
    ]
    if doubt := platform.get("clock_doubt"):
        parts.append(f'<p class="bad">{escape(doubt["zh"])} · <span lang="en">{escape(doubt["en"])}</span></p>')
    if platform["points"]:
        rows = [
            (
                escape(one["name"]),
                _when(one["at"]),
                _mark(one["ok"]),
                "–" if one["ms"] is None else f"{one['ms']} ms",
                escape(one["code"]),
            )
            for one in platform["points"]
        ]
        parts += [
            "<h2>探测点 · Probes</h2>",
            _table(("点 · Point", "最近 · Last", "结果 · Result", "用时 · Took", "原因 · Why"), rows),
        ]
    marks = "".join({True: "▁", False: "█", None: "·"}[one] for one in platform.get("minutes", []))
    parts.append(
        f'<p class="strip" aria-label="last 60 minutes">{marks}</p><p class="en">最近 60 分钟，█ 为不能正常提交 · '
        "The last 60 minutes; █ bidders could not submit as they should, · not measured.</p>"
    )
    windows = [
        (
            f"{escape(one['title'])}<br>{escape(one['lot'])}",
            _when(one["deadline"]),
            str(one["bad"]),
            str(one["unmeasured"]),
            " · ".join(f"{w['bad']}/{w['minutes']}" for w in one["windows"]),
        )
        for one in platform["windows"]
    ]
    parts.append("<h2>各截止时间前的可用性 · Availability before each deadline</h2>")
    head = ("标段 · Lot", "截止 · Deadline", "不正常分钟 · Bad minutes", "未测分钟 · Unmeasured", "10 / 60 / 240")
    parts.append(_table(head, windows) if windows else "<p>近期没有截止时间 · No deadline is near.</p>")
    faults = [
        (
            f"{escape(one['title'])}<br>{escape(one['lot'])}",
            _when(one["at"]),
            " · ".join(STATES.get(one["state"], (one["state"],))),
            _when(one["before"]),
            _when(one["until"]),
        )
        for one in platform["faults"]
    ]
    parts.append("<h2>故障公告 · Notices of faults</h2>")
    head = ("标段 · Lot", "确认 · Confirmed", "结果 · State", "原截止 · Deadline before", "新截止 · New deadline")
    parts.append(_table(head, faults) if faults else "<p>30 天内没有 · None in 30 days.</p>")
    return parts
