"""Bundles of a whole tender: where the three rooms' dossiers meet, since trading knows neither evaluation nor deposits (protocol §6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from crypto.canonical import dumps
from deposits import demands
from deposits.views import dossier as deposit_dossier
from evaluation.reporting import dossier as evaluation_dossier
from trading.disclosure import bundle, dossier
from trading.disclosure.bundle import PROFILES, File, canonical_file
from trading.disclosure.dossier import Extra
from trading.kernel.access import ROLES, Act, Actor
from trading.kernel.audit import ActRecord
from trading.kernel.errors import Invalid, NotAllowed
from trading.kernel.work import Look, Office
from trading.tendering.tenders import Lot

ARCHIVE_ACTS = (Act.ARCHIVE_SEAL, Act.SUPERVISE, Act.LOG_LOOK)
"""Any of these opens the archive's profile; the public one is everybody's."""


def may_export(actor: Actor, profile: str) -> bool:
    return profile == "public" or any(act in ROLES[actor.role] for act in ARCHIVE_ACTS)


def export(office: Office, actor: Actor, ref: str, profile: str, out: bundle.Writer) -> str:
    """Write the bundle of a finished lot (its reference, or a tender's of one lot), log the hash of its index and return it.

    Refuses: NotAllowed ``bundle.not_for_you``, NotFound, Invalid, WrongStep ``bundle.not_finished``, TooEarly ``bundle.log_waiting``.
    """
    if profile not in PROFILES:
        raise Invalid("bundle.profile", profile=profile, profiles=list(PROFILES))
    if not may_export(actor, profile):
        raise NotAllowed("bundle.not_for_you", profile=profile, role=actor.role.value)
    with office.look(actor) as look:
        lot = dossier.find_lot(look, ref)
        files, name = files_of(look, lot, profile), lot.log_of
    index = bundle.write(out, files, profile=profile, tender=name, signing=office.keys.signing)
    with office.work(actor) as work:
        work.record("bundle.export", name, profile=profile, index=index)
    return index


def files_of(look: Look, lot: Lot, profile: str) -> list[File]:
    """All files of a lot's bundle, from all three rooms."""
    return dossier.gather(look, lot, profile, [evaluation_dossier.extra(look, lot, profile), deposit_extra(look, lot, profile)])


def deposit_extra(look: Look, lot: Lot, profile: str) -> Extra:
    """What the money room adds to the archive: one account a payment, and the acts of receipts and batches in the log."""
    if profile != "audit" or not demands.is_public(look.session, lot):
        return Extra()
    records = deposit_dossier.records(look.session, lot)
    files = tuple(canonical_file(f"acts/deposits/{record['receipt']}.json", record) for record in records)
    wanted = [f"receipt/{record['receipt']}" for record in records]
    digests = {row["batch"] for record in records for row in record["refunds"] if row["batch"]}
    return Extra(files=files, entries=tuple(_acts(look, wanted, digests)))


def _acts(look: Look, things: list[str], digests: set[Any]) -> list[str]:
    found = list(look.session.scalars(select(ActRecord.c).where(ActRecord.of.in_(things)).order_by(ActRecord.id)))
    batches = look.session.execute(select(ActRecord.c, ActRecord.payload).where(ActRecord.act.like("batch.%")).order_by(ActRecord.id))
    return found + [c for c, payload in batches if any(dumps({"digest": digest})[1:-1].decode() in payload for digest in sorted(digests))]
