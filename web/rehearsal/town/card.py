"""The card of the town: for each role who plays it, what to try first in one line, and where; for the console and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Try(NamedTuple):
    """``who``: usernames; the first is the one to take."""

    who: tuple[str, ...]
    zh: str
    en: str
    path: str
    files: tuple[str, ...] = ()


def tries(facts: Mapping[str, Any]) -> list[Try]:
    """What to try first, one line a role."""
    lots = {key: one["ref"] for key, one in facts["lots"].items()}
    seats, sheets = facts["open_seats"], facts["sheets"]
    return [
        Try(
            (),
            "看一眼公开首页，再看节约与已完成的项目",
            "Look at the public front page, then savings and a finished tender",
            "/",
        ),
        Try(
            ("bidder2", "bidder3", "bidder4"),
            "截止只剩一刻钟的项目：替换或者撤回自己的投标",
            "The lot that closes in a quarter of an hour: replace or withdraw your bid",
            f"/bidder/lots/{lots['SOON']}",
            ("bidder2.json", "bidder3.json", "bidder4.json"),
        ),
        Try(
            ("bidder1",),
            "还有 11 天的项目：参加、交保证金、密封、提交，核对回执",
            "The lot with 11 days left: take part, pay, seal, submit, check the receipt",
            f"/bidder/lots/{lots['OPEN']}",
            ("bidder1.json",),
        ),
        Try(
            ("host",),
            "开标大厅里等着：公布名单，解密，唱标，签记录",
            "An opening waits: publish the list, decrypt, read out, sign the record",
            f"/hall/{lots['HALL']}/host",
        ),
        Try(
            ("officer1", "officer2", "officer3", "officer4", "officer5"),
            "同一场开标：交出自己的解密份额，核对后会签",
            "The same opening: release your share, check and countersign",
            f"/hall/{lots['HALL']}",
            tuple(f"officer{n}.json" for n in range(1, 6)),
        ),
        Try(
            tuple(seats),
            "给三份投标打分并封存",
            "Score the three bids and seal your sheet",
            f"/expert/{lots['REVIEW']}",
            tuple(f"{name}.json" for name in seats),
        ),
        Try(
            tuple(sheets),
            "已封存的三席：名单出来后，用评分表文件揭示自己的评分，签报告",
            "The three seats that have sealed theirs: after the list, reveal with the sheet file, sign the report",
            f"/expert/{lots['REVIEW']}",
            tuple(file for name, sheet in sheets.items() for file in (f"{name}.json", sheet)),
        ),
        Try(("agent",), "回答一个提问和一个异议", "Answer a question and an objection", "/agency"),
        Try(
            ("buyer",),
            "定标已经逾期的项目；资格审查等着的项目",
            "A decision that is overdue; a qualification review that waits",
            "/agency",
        ),
        Try(
            ("buyer3",),
            "草稿项目：看还差什么才能发布",
            "A draft: see what is missing before it can be published",
            f"/agency/lots/{lots['DRAFT']}",
        ),
        Try(("clerk",), "受理一份报建，归档一个完成的项目", "Accept a filing, archive a finished tender", "/centre"),
        Try(
            ("cashier",),
            "到期和逾期未退的保证金：做一批退款；银行有两笔来款待说明",
            "Deposits due and one overdue: prepare a batch of refunds; two payments want explaining",
            "/cashier/refunds",
        ),
        Try(
            ("controller", "controller2"),
            "复核出纳做好的批次",
            "Approve the batch the cashier has prepared",
            "/cashier",
        ),
        Try(("supervisor",), "逾期的时限、在办的异议", "A late duty, an objection under way", "/supervisor"),
        Try(("secadmin", "secadmin2"), "给一位新人开账号、授权", "Give a new person an account and a role", "/admin"),
        Try(("sysadmin",), "看平台运行状况和工作日历", "Look at the platform's health and the calendar", "/admin"),
        Try(("auditadmin",), "查日志并导出", "Search the log and export it", "/admin"),
    ]


def lines(facts: Mapping[str, Any], data: Path) -> list[str]:
    """The card for the console, in both languages."""
    password = facts["password"]
    told = [
        f"所有人的密码和所有密钥文件的口令 / password of everybody and passphrase of every key file: {password}",
        f"密钥文件与评分表文件 / key files and sheet files: {data / facts['keys']}",
        "",
    ]
    for one in tries(facts):
        who = (
            ", ".join(f"{name} {facts['people'][name]['name']}" for name in one.who if name in facts["people"]) or "－"
        )
        told += [
            f"  {who}",
            f"      {one.zh}",
            f"      {one.en}",
            f"      {one.path}" + (f"    [{', '.join(one.files)}]" if one.files else ""),
        ]
    return told
