"""A platform that rewrites its history with all its keys: changed documents get new entries, new ticks, a new log and new proofs.

So every signature and proof of the bundle holds again, and only the claim that a test is about can tell. (Witnesses would have told, and
whoever kept a checkpoint or a receipt.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select

from crypto import checkpoints, merkle, ticks
from crypto.canonical import b64u, dumps, unb64u
from crypto.signatures import document_hash, payload_of, sign
from tests.web.bundles.play import Forger
from trading.kernel import log
from trading.kernel.audit import LogEntry
from trading.kernel.log_ticks import LogTick


class Rewriter(Forger):
    """``change`` documents or entries, then ``relog`` and ``write``."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.renamed: dict[str, str] = {}

    def change(self, path: str, how: Callable[[Any], object], *secrets: bytes) -> None:
        """Change a document: signed anew by ``secrets`` if anybody signed it; its entry then speaks of the new one."""
        old, value = json.loads(self.files[path]), self.value(path)
        signed = isinstance(old, dict) and "payload" in old
        before = document_hash(payload_of(old)) if signed else document_hash(self.files[path])
        how(value)
        made = sign(path.split("/")[-1].split(".")[0], value, *secrets) if signed else value
        after = document_hash(value)
        del self.files[path]
        self.put(path.replace(before, after), made)
        for name in self.below("entries/"):
            if not name.startswith("entries/lists/") and self.entry(name)["statement"] == before:
                self.change_entry(name, lambda entry: entry.update(statement=after))

    def entry(self, path: str) -> Any:
        return json.loads(payload_of(json.loads(self.files[path])["entry"]))

    def entry_of(self, event: str, wanted: Callable[[Any], bool] = lambda value: True) -> str:
        """The path of an entry."""
        return next(
            name
            for name in self.below("entries/")
            if not name.startswith("entries/lists/") and self.entry(name)["event"] == event and wanted(self.entry(name))
        )

    def change_entry(self, path: str, how: Callable[[Any], object]) -> str:
        """Change an entry; returns its new path."""
        value = self.entry(path)
        how(value)
        old, new = path.removeprefix("entries/").removesuffix(".json"), b64u(ticks.commitment(value))
        receipt = json.loads(self.files.pop(path)) | {"entry": ticks.sign_entry(value, self.world.office.keys.signing)}
        self.put(f"entries/{new}.json", receipt)
        self.renamed[old] = new
        if value["event"] == "act" and f"acts/{old}.json" in self.files:
            self.files[f"acts/{new}.json"] = self.files.pop(f"acts/{old}.json")
        return f"entries/{new}.json"

    def relog(self) -> None:
        """Every tick, leaf, checkpoint and proof anew."""
        office = self.world.office
        with self.world.view("clock") as view:
            rows = list(view.session.scalars(select(LogTick).order_by(LogTick.tick)))
            seats = view.session.execute(
                select(log.LogSeat.tick, log.LogSeat.slot, LogEntry.c).join(
                    LogEntry, LogEntry.id == log.LogSeat.entry_id
                )
            )
            held: dict[int, dict[int, bytes]] = {}
            for tick, slot, c in seats:
                held.setdefault(tick, {})[slot] = unb64u(self._now(c))
        start = json.loads(self.files["log/start.json"])
        size = start["first"] + self.files["log/leaves.txt"].count(b"\n")
        tree, leaves, trees = merkle.Tree(), [], {}
        notes: dict[int, str] = {}
        for row in rows[:size]:
            trees[row.tick] = ticks.TickTree(row.secret, held.get(row.tick, {}))
            leaf = ticks.make_leaf(row.tick, json.loads(row.leaf)["at"], trees[row.tick].root)
            leaves.append(leaf)
            tree.append(dumps(leaf))
            notes[row.tick + 1] = checkpoints.sign_checkpoint(
                log.origin(office.platform), row.tick + 1, tree.root(), office.keys.log
            )
        self._write(start, leaves, notes)
        where = {b64u(c): (tick, slot) for tick, slots in held.items() for slot, c in slots.items()}
        for name in self.below("entries/"):
            if name.startswith("entries/lists/"):
                continue
            tick, slot = where[name.removeprefix("entries/").removesuffix(".json")]
            text = checkpoints.proof_text(tick, tree.inclusion(tick), notes[size])
            proof = ticks.make_proof(leaves[tick], trees[tick].path(slot), slot, text)
            self.edit(name, lambda value, proof=proof: value.update(proof=proof))  # type: ignore[misc]

    def _now(self, c: str) -> str:
        while self.renamed.get(c, c) != c:
            c = self.renamed[c]
        return c

    def _write(self, start: dict[str, Any], leaves: Sequence[dict[str, Any]], notes: dict[int, str]) -> None:
        first = start["first"]
        self.files["log/leaves.txt"] = b"".join(dumps(leaf) + b"\n" for leaf in leaves[first:])
        self.files["log/before"] = b"".join(merkle.leaf_hash(dumps(leaf)) for leaf in leaves[start["start"] : first])
        for name in self.below("log/checkpoints/"):
            self.files[name] = notes[int(name.removeprefix("log/checkpoints/").removesuffix(".txt"))].encode()
        for name in self.below("ticks/"):
            self.edit(
                name, lambda value: value.update(entries=[row | {"c": self._now(row["c"])} for row in value["entries"]])
            )

    def rewritten(self) -> dict[str, list[str]]:
        """claim → codes once the history is rewritten."""
        self.relog()
        return self.verdict()
