"""The papers of the town: tender documents, technical and commercial files of bids, agreements; three pages and more, about their tender.

They are set beside the play, in the setter's own process; what is asked for twice is set once. Where the setter is not installed each
paper is a bare PDF without pages.
"""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from trading.kernel.money import Money
from web.papers.typesetter import SETTER, can_set
from web.rehearsal import names
from web.rehearsal.front import PDF, Plan
from web.rehearsal.town import paper_words
from web.rehearsal.town.plans import Part

TEMPLATE = "town.typ"


class Papers:
    """Sets papers as they are asked for; ``order`` before they are needed, so that they are there by then."""

    def __init__(self) -> None:
        self._line = ThreadPoolExecutor(1) if can_set() else None
        self._made: dict[str, Future[bytes]] = {}

    def __enter__(self) -> Papers:
        return self

    def __exit__(self, *_what: object) -> None:
        if self._line is not None:
            self._line.shutdown(cancel_futures=True)

    def order(self, parts: list[Part]) -> None:
        """Begin with what these tenders need, in their order."""
        for one in parts:
            self._start(_said(one.plan, paper_words.tender(one.plan)))
            self._start(_said(one.plan, paper_words.agreement(one.plan)))
            for n, thousandths in zip(one.bidders, one.offers, strict=False):
                firm, signer = names.firm_of(n), names.signer_of(n)
                self._start(_said(one.plan, paper_words.technical(one.plan, firm, signer)))
                if one.plan.regime != "WORKS":
                    words = paper_words.commercial(one.plan, firm, signer, _price(one, thousandths))
                    self._start(_said(one.plan, words))

    def tender(self, one: Part) -> dict[str, tuple[str, bytes]]:
        """The documents of a tender: kind → (name, bytes)."""
        return {
            "tender_document": (
                one.plan.law.vocabulary.said("招标文件", "zh") + f"-{one.plan.name}.pdf",
                self._paper(_said(one.plan, paper_words.tender(one.plan))),
            ),
            "contract_form": (
                f"合同文本-{one.plan.name}.pdf",
                self._paper(_said(one.plan, paper_words.agreement(one.plan))),
            ),
        }

    def bid(self, one: Part, n: int, price: str) -> dict[str, bytes]:
        """The files of a firm's bid. Works are reviewed blind: there what names the firm stands in the form alone."""
        firm, signer = names.firm_of(n), names.signer_of(n)
        files = {"技术文件.pdf": self._paper(_said(one.plan, paper_words.technical(one.plan, firm, signer)))}
        if one.plan.regime != "WORKS":
            files["商务文件.pdf"] = self._paper(
                _said(one.plan, paper_words.commercial(one.plan, firm, signer, Money.parse(price)))
            )
        return files

    def _start(self, words: dict[str, Any]) -> Future[bytes] | None:
        if self._line is None:
            return None
        key = json.dumps(words, ensure_ascii=False, sort_keys=True)
        if key not in self._made:
            self._made[key] = self._line.submit(SETTER.compile, TEMPLATE, words, at=None)
        return self._made[key]

    def _paper(self, words: dict[str, Any]) -> bytes:
        made = self._start(words)
        return PDF if made is None else made.result()


def _said(plan: Plan, words: dict[str, Any]) -> dict[str, Any]:
    """The words of a paper as the law of the plan's method says them."""
    said: dict[str, Any] = json.loads(plan.law.vocabulary.said(json.dumps(words, ensure_ascii=False), "zh"))
    return said


def _price(one: Part, thousandths: int) -> Money:
    return Money.parse(f"{int(one.plan.budget.split('.')[0]) * thousandths // 1000}.00")
