"""Sources of the law in words: the rulebook names them short (``GPReg art. 43; O87 art. 69``), a page in full, in the reader's language."""

from __future__ import annotations

import re

_NAMES = {
    "TL": ("招标投标法", "Tendering Law"),
    "TReg": ("招标投标法实施条例", "Tendering Regulation"),
    "GPL": ("政府采购法", "Government Procurement Law"),
    "GPReg": ("政府采购法实施条例", "Government Procurement Regulation"),
    "O87": ("财政部令第87号", "Finance Order 87"),
    "O74": ("财政部令第74号", "Finance Order 74"),
    "O94": ("财政部令第94号", "Finance Order 94"),
    "O101": ("财政部令第101号", "Finance Order 101"),
    "C214": ("财库〔2014〕214号", "Caiku [2014] 214"),
    "C198": ("财库〔2016〕198号", "Caiku [2016] 198"),
    "O12": ("七部委令2001年第12号", "Order 12 of 2001"),
    "O30": ("七部委令2003年第30号", "Order 30 of 2003"),
    "O27": ("七部委令2005年第27号", "Order 27 of 2005"),
    "O11": ("七部委令2004年第11号", "Order 11 of 2004"),
    "O20": ("八部委令2013年第20号", "Order 20 of 2013"),
    "O26": ("发展改革委令2024年第26号", "Development Order 26 of 2024"),
    "O39": ("十四部委令2016年第39号", "Order 39 of 2016"),
    "NO10": ("发展改革委令2017年第10号", "Development Order 10 of 2017"),
    "NO16": ("发展改革委令2018年第16号", "Development Order 16 of 2018"),
    "Order 2 of 2003": ("八部委令2003年第2号", "Order 2 of 2003"),
}
_PHRASES = {
    "platform rule": "平台规则",
    "bank usage": "银行惯例",
    "set by the province": "由省级规定",
    "treated as termination": "比照终止办理",
    "length as after withdrawal": "期限比照撤回",
}
_ISSUERS = {"Caiku": "财库", "Guobanfa": "国办发", "Fagaifagui": "发改法规"}
_SHORT = re.compile(rf"^({'|'.join(sorted(map(re.escape, _NAMES), key=len, reverse=True))})(?!\w)")
_PAPER = re.compile(r"^(" + "|".join(_ISSUERS) + r") \[(\d{4})\] (\d+)")
_ARTICLES = re.compile(r" arts?\. ([\d, ]+)(?:\((\d+)\))?$")


def citation(source: str, lang: str) -> str:
    """``GPL art. 36(1)`` → ``政府采购法第36条第1项`` or ``Government Procurement Law art. 36(1)``.

    What is not known stays as it is written."""
    between = re.split(r"(; |, (?=[A-Z])|: )", source)
    told = [part if at % 2 else _one(part, lang) for at, part in enumerate(between)]
    text = "".join(told)
    return re.sub(r"(?:; |, (?!\d)|: )", "；", text) if lang == "zh" else text


def _one(part: str, lang: str) -> str:
    if part in _PHRASES:
        return _PHRASES[part] if lang == "zh" else part
    articles = _ARTICLES.search(part)
    head = part[: articles.start()] if articles else part
    paper = _PAPER.match(head)
    if lang == "zh" and paper:
        head = f"{_ISSUERS[paper[1]]}〔{paper[2]}〕{paper[3]}号" + head[paper.end() :]
    else:
        head = _SHORT.sub(lambda found: _NAMES[found[1]][lang != "zh"], head)
    if not articles:
        return head
    if lang != "zh":
        return head + articles[0]
    return f"{head}第{articles[1].replace(', ', '、')}条" + (f"第{articles[2]}项" if articles[2] else "")
