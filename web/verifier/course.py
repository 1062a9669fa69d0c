"""The course of a lot after its evaluation, from the acts in its log: which ranking and which decisions stand."""

from __future__ import annotations

from crypto.errors import CryptoError
from web.verifier.material import Document, Material

TAKEN_BACK = ("lot.review_again", "lot.annul")
"""Acts after which no ranking stands until the next one."""


def acts(material: Material, *names: str) -> list[Document]:
    """Records of acts of this lot, by moment."""
    of = f"{material.lot.get('tender')}/{material.lot.get('lot')}"
    found = [d for d in material.of_kind("act") if d.value["act"] in names and d.value["of"] == of]
    return sorted(found, key=lambda d: (d.value["at"], d.hash))


def since_taken_back(material: Material, *names: str) -> list[Document]:
    """Those of them after the last act by which a ranking was taken back."""
    back = acts(material, *TAKEN_BACK)
    return [one for one in acts(material, *names) if not back or one.value["at"] > back[-1].value["at"]]


def rankings(material: Material) -> list[Document]:
    """All rankings, in the order in which the log sealed them; the last one stands, unless it was taken back."""

    def place(document: Document) -> tuple[int, str, str]:
        entries = material.logged(document)
        first = entries[0] if entries else None
        tick = first.proven.tick if first is not None and first.proven else -1
        return tick, first.at if first is not None else "", document.hash

    return sorted(material.of_kind("ranking"), key=place)


def decisions(material: Material) -> list[Document]:
    """What the purchaser decided on the ranking that stands, each after the one it takes the place of.

    Refuses: CryptoError where they do not follow one another."""
    found = since_taken_back(material, "lot.decide", "lot.decide_again")
    first = [one for one in found if one.value["act"] == "lot.decide"]
    if not found:
        return []
    if len(first) != 1:
        raise CryptoError("CONTEXT_MISMATCH", f"{len(first)} decisions")
    after = {one.value["facts"]["former"]: one for one in found if one is not first[0]}
    line = first
    while (follower := after.pop(line[-1].value["facts"]["winner"], None)) is not None:
        line.append(follower)
    if len(line) != len(found):
        raise CryptoError("CONTEXT_MISMATCH", "decisions that take the place of nobody")
    return line
