"""Bundles of a whole tender: where the three rooms' dossiers meet, since trading knows neither evaluation nor deposits (protocol §6)."""

from __future__ import annotations

from deposits.views import dossier as deposit_dossier
from evaluation.reporting import dossier as evaluation_dossier
from trading.disclosure import bundle, dossier
from trading.disclosure.bundle import PROFILES, File
from trading.kernel.access import ROLES, Act, Actor
from trading.kernel.errors import Invalid, NotAllowed
from trading.kernel.work import Office, View
from trading.tendering.tenders import Lot
from web.papers import mark

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
    with office.view(actor) as view:
        lot = dossier.find_lot(view, ref)
        files, name = files_of(view, lot, profile), lot.log_of
    index = bundle.write(out, files, profile=profile, tender=name, signing=office.keys.signing)
    with office.work(actor) as work:
        work.record("bundle.export", name, profile=profile, index=index)
    return index


def files_of(view: View, lot: Lot, profile: str) -> list[File]:
    """All files of a lot's bundle, from all three rooms; in a rehearsal also the word that it is one."""
    marked = [bundle.bytes_file(mark.FILE, mark.TEXT.encode())] if mark.of(view.office.platform) else []
    return [
        *dossier.gather(
            view,
            lot,
            profile,
            [evaluation_dossier.extra(view, lot, profile), deposit_dossier.extra(view, lot, profile)],
        ),
        *marked,
    ]
