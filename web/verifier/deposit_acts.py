"""What the log binds of the deposit records (claim `deposits`): each value is held against the act that made it.

An act about money holds the values it made as hidden facts: a hash of each under the salt of the act's own record, which stands here. So a
refund is played again from its acts, which are numbered from 0 on, and every value of the record must be the one the last act left.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from crypto.canonical import b64u, dumps, unb64u
from web.verifier.material import Document, Material

RECEIVED = ("receipt", "at", "received", "payer", "payer_name", "bidder", "demanded", "exceptions")
DUE = ("refund", "receipt", "part", "event", "rule", "event_on", "due_on", "amount", "with_interest")
LINE = ("amount", "converted", "interest", "fee", "payee", "payee_name", "prepared", "batch")
KEPT = ("forfeit", "ground", "to", "drafted", "checked", "decided", "decided_at", "forfeited")
OF_RECORD = frozenset((*RECEIVED, "v", "refunded", "converted", "forfeited", "held", "refunds"))
OF_REFUND = frozenset((*DUE, *LINE, "approved", "confirmed_at", "state")) - {"receipt"}
SENT = ("refund.pay", "refund.convert")


class Acts:
    """The acts of a bundle by what they are about, each with its record."""

    APPROVALS = ("batch.approve", "forfeit.check", "forfeit.decide", "payee.approve")
    """Acts by which somebody approves, under a signature of their own."""

    def __init__(self, material: Material) -> None:
        self.of: dict[str, list[Document]] = {}
        for document in material.of_kind("act"):
            self.of.setdefault(document.value["of"], []).append(document)

    def about(self, thing: str, *acts: str) -> list[Document]:
        return [one for one in self.of.get(thing, []) if one.value["act"] in acts]

    def kept(self) -> dict[str, Document]:
        """Payment → the decision by which its deposit was kept."""
        return {
            item["receipt"]: one
            for documents in self.of.values()
            for one in documents
            if one.value["act"] == "forfeit.decide"
            for item in one.value["facts"].get("kept", ())
        }

    def due(self) -> dict[str, Document]:
        """Refund → the act by which it fell due."""
        return {
            of.removeprefix("refund/"): one
            for of, documents in self.of.items()
            for one in documents
            if one.value["act"] == "refund.due"
        }


def differing(act: Document, facts: Any, values: dict[str, Any]) -> list[str]:
    """The values that the hidden facts of an act do not bind."""
    salt = unb64u(act.value["salt"], 32)
    return [key for key, value in values.items() if facts.get(key) != _hidden(salt, key, value)]


def hidden_of(act: Document, key: str, value: Any) -> str:
    """A value as a record hides it."""
    return _hidden(unb64u(act.value["salt"], 32), key, value)


def _hidden(salt: bytes, key: str, value: Any) -> str:
    return b64u(sha256(salt + key.encode() + b"\0" + str(value).encode()).digest())


def of_payment(record: dict[str, Any], acts: Acts) -> tuple[list[str], bool]:
    """What is wrong with the payment itself, and whether the log binds it at all."""
    name = f"receipt/{record['receipt']}"
    made = acts.about(name, "receipt.claim") or acts.about(name, "receipt.record")
    if len(made) != 1:
        return ["the log does not say once whose payment it is"], True
    bound = made[0].value["facts"].get("bound")
    if bound is None:
        return [], False
    values = {key: record.get(key) for key in RECEIVED} | {"exceptions": dumps(record["exceptions"]).decode()}
    found = [f"{key} is not what was received" for key in differing(made[0], bound, values)]
    found += [f"{key} is bound by nothing" for key in sorted(record.keys() - OF_RECORD - {"forfeit"})]
    return found, True


def of_refund(record: dict[str, Any], row: dict[str, Any], acts: Acts, *, paid: bool) -> tuple[list[str], bool, bool]:
    """What is wrong with a refund, whether the log binds it at all, and whether it has been sent by its acts. ``paid``: the log binds its
    payment, and so must bind the refund, which came later."""
    mine = [one for one in acts.of.get(f"refund/{row['refund']}", []) if type(one.value["facts"].get("n")) is int]
    steps = sorted(mine, key=lambda one: one.value["facts"]["n"])
    due_acts = acts.about(f"refund/{row['refund']}", "refund.due")
    if not any("n" in one.value["facts"] for one in due_acts):
        return (["the log does not say that it fell due"] if paid else []), False, False
    if [one.value["facts"]["n"] for one in steps] != list(range(len(steps))) or steps[0].value["act"] != "refund.due":
        return ["an act of it is left out, or stands twice"], True, False
    due = {key: row.get(key) for key in DUE} | {"receipt": record["receipt"]}
    found = [
        f"{key} is not what fell due" for key in differing(steps[0], steps[0].value["facts"].get("bound", {}), due)
    ]
    found += [f"{key} is bound by nothing" for key in sorted(row.keys() - OF_REFUND)]
    left, sent = _played(record, row, steps, found)
    for key, (act, value) in left.items():
        same = row.get(key) == value if act is None else not differing(act, {key: value}, {key: row.get(key)})
        if not same:
            found.append(f"{key} is not what its acts left")
    return found, True, sent


def _played(
    record: dict[str, Any], row: dict[str, Any], steps: list[Document], found: list[str]
) -> tuple[dict[str, tuple[Document | None, Any]], bool]:
    """Each value as the acts left it: as it is, or as an act binds it."""
    left: dict[str, tuple[Document | None, Any]] = dict.fromkeys(("converted", "interest", "fee"), (None, 0))
    left |= dict.fromkeys(("prepared", "approved", "batch", "confirmed_at"), (None, ""))
    left |= {"payee": (None, record.get("payer")), "payee_name": (None, record.get("payer_name"))}
    state, sent = "DUE", False
    for step in steps[1:]:
        act, facts = step.value["act"], step.value["facts"]
        bound = facts.get("bound", {})
        if "before" in facts:
            if facts["before"] != state:
                found.append(f"{act} was done in another state than the acts before it left")
            state = facts["after"]
        if act in ("refund.prepare", "refund.approve", *SENT):
            left |= {
                key: (step, bound.get(key)) for key in (*LINE, *(() if act == "refund.prepare" else ("approved",)))
            }
        if act in ("refund.take_back", "refund.send_back"):
            left |= dict.fromkeys(("prepared", "batch"), (None, ""))
        if act in ("refund.prepare", "refund.take_back", "refund.send_back"):
            left["approved"] = (None, "")
        if act == "refund.set_conversion":
            left["converted"] = (None, facts["converted"])
        if act == "payee.approve":
            left["payee"] = (step, bound.get("payee"))
        if act == "refund.confirm":
            left["confirmed_at"] = (step, bound.get("confirmed_at"))
        if act == "refund.bounce":
            left["confirmed_at"] = (None, "")
        sent = sent or act in SENT
    if row["state"] != state:
        found.append("its state is not the one its acts left")
    return left, sent


def of_kept(record: dict[str, Any], acts: Acts) -> tuple[list[str], bool]:
    """What is wrong with money that was kept, and whether the log binds it at all."""
    decision = acts.kept().get(record["receipt"])
    if decision is None:
        bound = any("kept" in one.value["facts"] for documents in acts.of.values() for one in documents)
        return (["the log knows no decision to keep it"] if record["forfeited"] and bound else []), not record[
            "forfeited"
        ]
    if not record["forfeited"]:
        return ["it was kept, as the log says, and is not accounted for as kept"], True
    item = next(one for one in decision.value["facts"]["kept"] if one["receipt"] == record["receipt"])
    forfeit = record.get("forfeit") or {}
    values = {key: forfeit.get(key) for key in KEPT} | {"forfeited": record["forfeited"]}
    found = [f"{key} is not what was decided" for key in differing(decision, item["bound"], values)]
    return found + [f"{key} is bound by nothing" for key in sorted(forfeit.keys() - set(KEPT))], True
