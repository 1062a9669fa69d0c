"""Files to play with, made beside the rehearsal's data: a tender document and contract form for the agency, and for each invented firm what
it hands in, so that a bid is sealed within minutes. They name nobody real and suit any tender.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from web.papers import mark
from web.papers.typesetter import SETTER, can_set
from web.rehearsal.front import PDF
from web.rehearsal.site.people import Member, Org, Taken, firms

FOLDER = "samples"
TEMPLATE = "town.typ"
OFFERS = (97, 95, 93, 91)
"""Hundredths of the ceiling price, by firm."""


def write(folder: Path, taken: Taken) -> tuple[Path, ...]:
    """All files; those of a firm in a folder under the name of whoever signs for it. Returns them in order."""
    found = [
        _put(folder / "tender" / "招标文件.pdf", _paper(_tender())),
        _put(folder / "tender" / "合同文本.pdf", _paper(_agreement())),
    ]
    for number, (org, who) in enumerate(firms(taken)):
        here = folder / who.username
        found += [
            _put(here / "技术文件.pdf", _paper(_technical(org, who))),
            _put(here / "商务文件.pdf", _paper(_commercial(org, who))),
            _put(here / "报价.txt", _offer(org, OFFERS[number % len(OFFERS)]).encode()),
        ]
    return tuple(found)


def names(folder: Path) -> list[str]:
    """The files that are there, each by its path below the folder, in order."""
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


def _put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def _paper(words: dict[str, Any]) -> bytes:
    return SETTER.compile(TEMPLATE, words, at=None, mark=mark.TEXT) if can_set() else PDF


def _offer(org: Org, hundredths: int) -> str:
    return (
        f"{org.name}\n\n投标总价：最高限价的 {hundredths}%（例：限价 1000000.00 元，填 {hundredths}0000.00）\n"
        f"Price: {hundredths} % of the ceiling (a ceiling of 1000000.00: fill in {hundredths}0000.00)\n"
    )


def _part(heading: str, *words: str, clauses: list[tuple[str, list[str]]] | None = None) -> dict[str, Any]:
    listed = [list(one) for one in clauses or []]
    return {"heading": heading, "words": list(words), "rows": [], "widths": [], "clauses": listed}


def _cover(title: str, house: str, by: str, facts: list[list[str]], parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": title,
        "subject": "演练项目",
        "house": house,
        "by": by,
        "on": "",
        "facts": facts,
        "parts": parts,
        "sign": [],
    }


def _tender() -> dict[str, Any]:
    return _cover(
        "招标文件",
        "演练",
        "",
        [["用途", "演练用招标文件，适用于任何演练项目"], ["预算、限价、时间", "以平台上的公告为准"]],
        [
            _part(
                "第一章　投标人须知",
                "投标文件须在投标截止时间前通过平台加密递交；逾期的不予接收，平台出具带签名的拒收回执。",
                clauses=[
                    ("一、资格要求", ["投标人应具有独立承担民事责任的能力；按平台生成的子账号交纳投标保证金。"]),
                    ("二、投标文件的组成", ["开标一览表在平台页面填写；技术文件、商务文件以 PDF 格式上传。"]),
                ],
            ),
            _part("第二章　需求", "供货、安装、调试和培训；质保期三年；接到报修后二十四小时内到场。"),
            _part("第三章　评标办法", "按平台所列评审因素评审；评审专家各自打分，封存后一并揭示。"),
        ],
    )


def _agreement() -> dict[str, Any]:
    return _cover(
        "合同文本",
        "演练",
        "甲方：（采购人）　　乙方：（中标人）",
        [["合同金额", "以中标通知书为准"]],
        [
            _part(
                "第一条至第三条　标的、价款与期限", "标的、数量和质量要求见招标文件；价款为中标价；期限自签订之日起算。"
            ),
            _part("第四条至第六条　履行、验收与付款", "乙方按期交付；甲方十个工作日内验收，验收合格后按约付款。"),
            _part("第七条　责任与争议", "违约责任和争议解决方式由双方依法约定。"),
        ],
    )


def _technical(org: Org, who: Member) -> dict[str, Any]:
    return _cover(
        "技术文件",
        org.name,
        f"投标人：{org.name}",
        [["投标人", org.name], ["授权代表", who.name]],
        [
            _part(
                "一、供货与安装方案", "按采购人的作息编制交付日历，提前三日确认；到货、开箱、安装、调试、验收各有记录。"
            ),
            _part("二、人员与进度", "项目负责人一名，安装人员四名；四十日内完成，落后三日即增加人手。"),
            _part("三、质量与售后", "质保三十六个月，两小时响应，二十四小时到场；移交前培训两场。"),
        ],
    )


def _commercial(org: Org, who: Member) -> dict[str, Any]:
    return _cover(
        "商务文件",
        org.name,
        f"投标人：{org.name}",
        [["投标人", org.name], ["授权代表", who.name], ["投标总价", "以开标一览表为准"]],
        [
            _part("一、投标函", "我方已阅读招标文件的全部内容，愿意按其要求承担全部责任和义务。"),
            _part("二、资格声明与授权", f"兹授权{who.name}为我方代表，办理本次投标、签约及履约的一切手续。"),
            _part("三、报价说明", "投标总价填写在开标一览表中，包括货物、运输、安装、培训和税金。"),
        ],
    )
