"""What a procedure calls things: the platform's texts speak of tenders and bids; the law has other words where nobody is called to bid.

The words of O74 (negotiation, inquiry, single source) and C214 (consultation) beside those of O87.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

Pairs = tuple[tuple[str, str], ...]

_KEPT = ("招标投标法", "公开招标", "邀请招标", "两阶段招标", "开标大厅", "开标室")
"""Names of laws, methods and places, which stay."""


@dataclass(frozen=True)
class Vocabulary:
    """Pairs (the usual word, the word of this procedure) in both languages; the longest that fits a place of a text counts."""

    zh: Pairs = ()
    en: Pairs = ()

    def said(self, text: str, language: str) -> str:
        """A text of the platform in the words of this procedure. Never for what a person wrote."""
        pairs = self.zh if language == "zh" else self.en
        if not pairs:
            return text
        pattern, words = _compiled(pairs)
        return pattern.sub(lambda found: words.get(found[0], found[0]), text)


USUAL = Vocabulary()
"""Tenders and bids."""


@lru_cache(maxsize=64)
def _compiled(pairs: Pairs) -> tuple[re.Pattern[str], dict[str, str]]:
    words = dict(pairs)
    longest = sorted({*words, *_KEPT}, key=lambda one: (-len(one), one))
    return re.compile("|".join(map(re.escape, longest))), words


def responses(*, documents: str, notice: tuple[str, str], panel: tuple[str, str], documents_en: str) -> Vocabulary:
    """The words of a procedure in which suppliers respond (响应) and a deal is made (成交). ``documents``: what the documents are called;
    ``notice``, ``panel``: the notice and who reviews, in Chinese and English."""
    return Vocabulary(
        zh=(
            ("招标公告", notice[0]),
            ("招标文件", documents),
            ("招标项目", "采购项目"),
            ("招标人", "采购人"),
            ("招标", "采购"),
            ("评标委员会", panel[0]),
            ("评标报告", "评审报告"),
            ("评标室", "评审室"),
            ("评标", "评审"),
            ("评委会", panel[0]),
            ("中标候选人", "成交候选人"),
            ("中标通知书", "成交通知书"),
            ("中标供应商", "成交供应商"),
            ("中标人", "成交供应商"),
            ("中标", "成交"),
            ("投标保证金", "保证金"),
            ("投标人", "供应商"),
            ("投标文件", "响应文件"),
            ("投标报价", "报价"),
            ("投标函", "响应函"),
            ("投标", "响应"),
            ("开标一览表", "报价一览表"),
            ("开标", "开启"),
        ),
        en=(
            ("Tender notice", notice[1]),
            ("tender notice", notice[1][0].lower() + notice[1][1:]),
            ("Tender documents", documents_en[0].upper() + documents_en[1:]),
            ("tender documents", documents_en),
            ("Evaluation committee", panel[1][0].upper() + panel[1][1:]),
            ("evaluation committee", panel[1]),
        ),
    )
