"""What a rehearsal has come to: the figures, the log verified whole, the bundles proved offline and a spoilt one refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deposits.views import statement
from trading.awarding import awards
from trading.kernel.access import Actor, Role
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony
from trading.parties import parties
from trading.reports.savings import rate_pct
from trading.tendering import tenders
from web import whole_audit
from web.papers import bundles as bundling
from web.rehearsal import cast, script, server
from web.rehearsal.script import Play, Story
from web.verifier.verify import verify_bundle

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
AUDITOR = Actor(Role.SUPERVISOR, name="rehearsal")


def rehearse(folder: Path, *, bidders: int, seed: int, bundles: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Play everything in ``folder``; bundles go to ``bundles``. The document of commands.md."""
    began = time.monotonic()
    with server.stage(server.settings_of(folder), START) as scene:
        scene.turn()
        people = cast.settle(scene, bidders=2 * bidders)
        p = script.prepare(scene, people, bidders=bidders, seed=seed, start=START, tell=tell)
        script.play(p)
        tell("bundles and proofs")
        paths = [_bundle(p, story, bundles) for story in p.stories.values()]
        with scene.office.view(AUDITOR) as view:
            told = [_tender(view, p, story) for story in p.stories.values()]
            money = statement.totals(view.session).as_json()
            book = _log(view)
        p.check("deposits balanced", bool(money["balanced"]))
        p.check("every deposit returned", money["received"] == money["refunded"])
        p.check("log verified", bool(book["verified"]))
    return {
        "tenders": told,
        "deposits": money,
        "log": book,
        "bundles": [str(path) for path in paths],
        "checks": [{"name": name, "ok": ok} for name, ok in p.checks.items()],
        "seconds": round(time.monotonic() - began),
    }


def _bundle(p: Play, story: Story, folder: Path) -> Path:
    """Write a tender's audit bundle, verify it, and see that a changed byte is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{story.plan.ref}.zip"
    with path.open("wb") as out:
        bundling.export(p.scene.office, AUDITOR, story.plan.ref, "audit", out)
    found = verify_bundle(path)
    p.check("every bundle verifies", bool(found["ok"]))
    data = bytearray(path.read_bytes())
    at = data.find(b"sealed_root")
    data[at + 20] ^= 1
    spoilt = folder / f"{story.plan.ref}.spoilt.zip"
    spoilt.write_bytes(data)
    p.check("a changed byte breaks the bundle", not verify_bundle(spoilt)["ok"])
    spoilt.unlink()
    return path


def _tender(view: View, p: Play, story: Story) -> dict[str, Any]:
    lot = tenders.lot(view.session, story.plan.ref)
    award = awards.find(view.session, lot)
    row = ceremony.find(view.session, lot)
    won = award is not None and award.price_minor is not None
    price = award.price_minor if award else None
    winner = parties.party(view.session, award.winner_party_id).name if award and award.winner_party_id else ""
    return {
        "ref": story.plan.ref,
        "regime": lot.regime,
        "method": lot.project.method,
        "state": lot.state,
        "budget": Money(lot.budget_minor).text(),
        "award": Money(price).text() if price is not None else None,
        "saving_rate_pct": rate_pct(lot.budget_minor, price) if won and price is not None else None,
        "winner": winner,
        "bids": {
            "received": story.received,
            "replaced": story.replaced,
            "withdrawn": story.withdrawn,
            "refused": story.refused,
            "opened": sum(b.verdict == "opened" for b in ceremony.opened_bids(view.session, row)) if row else 0,
        },
        "ranking": [{"bidder": r["name"], "total": r["total"], "rank": r["rank"]} for r in award.ranking]
        if award
        else [],
    }


def _log(view: View) -> dict[str, Any]:
    found = whole_audit.verify(view)
    return {"ticks": found.ticks, "entries": found.entries, "root": found.root, "verified": found.ok}


def told(result: dict[str, Any]) -> str:
    """The outcome for people."""
    lines = []
    for one in result["tenders"]:
        held = one["bids"]
        lines.append(
            f"{one['ref']}  {one['regime']:<5} {one['state']:<8} budget {one['budget']:>14}  award {one['award'] or '-':>14}"
            f"  {one['saving_rate_pct'] or '-':>6} %  {one['winner']}"
        )
        lines.append(
            f"    bids: {held['received']} received, {held['replaced']} replaced, {held['withdrawn']} withdrawn, "
            f"{len(held['refused'])} refused, {held['opened']} opened"
        )
    money, book = result["deposits"], result["log"]
    lines.append(
        "deposits: "
        + ", ".join(f"{name} {money[name]}" for name in ("received", "refunded", "forfeited", "held", "interest"))
        + (", balanced" if money["balanced"] else ", NOT BALANCED")
    )
    lines.append(
        f"log: {book['ticks']} ticks, {book['entries']} entries, {'verified' if book['verified'] else 'NOT VERIFIED'}"
    )
    lines += [f"{'ok ' if one['ok'] else 'NOT OK'} {one['name']}" for one in result["checks"]]
    return "\n".join([*lines, f"{result['seconds']} s"])
