"""What `bidhall doctor` says of the supervisory body's mirror: whether it answers an empty ping, whether its key is enrolled. Never what is
on its way to it, or whether anything is: that would tell that there are bids."""

from __future__ import annotations

from typing import Any

from web.cli.doctor_finding import Finding

DOWN = "the mirror does not answer"


def examine(office: Any) -> list[Finding]:
    """The mirror of the settings, if there is one; an error where a policy asks for one and there is none."""
    from trading.bidding.copies import LineDown, mirror_keys
    from trading.kernel.access import CLOCK

    with office.view(CLOCK) as view:
        asked, keys = _asked(view.session), mirror_keys(view.session)
    if office.mirror is None:
        if not asked:
            return []
        return [
            Finding(
                "mirror",
                "error",
                "policies ask for a mirror and none is configured",
                "set BIDHALL_MIRROR_URL and BIDHALL_MIRROR_KEY",
            )
        ]
    found = []
    if office.mirror.key not in keys:
        found.append(
            Finding(
                "mirror_key",
                "error",
                "the mirror's key is not enrolled as the supervisory body's: nothing it signs counts",
                "bidhall mirror enrol on its host, then /account/keys",
            )
        )
    try:
        office.mirror.ping()
    except LineDown as error:
        return [
            *found,
            Finding(
                "mirror", "error", f"{DOWN} ({error})", "ask the supervisory body; what is due is sent once it answers"
            ),
        ]
    return [*found, Finding("mirror", "ok", "the mirror answers")]


def of_policy(office: Any, policy: Any) -> list[Finding]:
    """The same, asked before one deadline: nothing where its policy knows no mirror."""
    from trading.custody.officers import policy_document

    if policy_document(policy)["mirror"] == "none":
        return []
    return [Finding("deadline_" + one.code, one.level, one.what, one.remedy) for one in examine(office)]


def _asked(session: Any) -> bool:
    """Whether a lot that is not over yet has a mirror in its policy: a published fact."""
    from sqlalchemy import select

    from trading.custody.officers import Policy, policy_document
    from trading.tendering.tenders import Lot

    running = (
        select(Policy)
        .join(Lot, Lot.id == Policy.lot_id)
        .where(Policy.standing, Lot.state.in_(("NOTICE", "BIDDING", "OPENING")))
    )
    return any(policy_document(policy)["mirror"] != "none" for policy in session.scalars(running))
