"""Keys and roles, held against enrolments and the records of who was granted what."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import select

from trading.kernel import audit, signed
from trading.kernel.signed import Difference
from trading.kernel.work import View
from trading.parties import signed_keys
from trading.parties.parties import RoleGrant

_INVITES = "account.invite"


def _keys(view: View) -> Iterator[Difference]:
    yield from signed_keys.differences(view)


def _roles(view: View) -> Iterator[Difference]:
    """Every grant that stands follows from a record of granting or inviting that no revocation took back."""
    held: dict[tuple[int, str], str] = {}
    for entry, record in signed.records(view, ("role.grant", "role.revoke", _INVITES)):
        account, facts = int(record["of"].removeprefix("account/")), record["facts"]
        if not audit.check_fact_of(json.dumps(record), "person", f"account:{account}"):
            yield Difference("act_record", entry.c, "of", entry.c)
            continue
        roles = facts["roles"] if record["act"] == _INVITES else [facts["role"]]
        for role in roles:
            if record["act"] == "role.revoke":
                held.pop((account, role), None)
            else:
                held[account, role] = entry.c
    for row in view.session.scalars(select(RoleGrant).order_by(RoleGrant.id)):
        if held.pop((row.account_id, row.role), None) is None:
            yield Difference("role_grant", str(row.id), "role", "", f"account/{row.account_id} {row.role}")
    for (account, role), c in held.items():
        yield Difference("role_grant", f"account/{account}", "role", c, "", role)


WHOLE = (_keys, _roles)
