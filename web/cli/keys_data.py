"""`bidhall keys rotate-data`: another key for what is sealed in the database (trading/kernel/at_rest.py)."""

from __future__ import annotations

from typing import Any

from web.cli.common import answer, guarded, json_option, lang_option, say
from web.cli.keys_paper import keys

PASSES = 3
"""Workers that began a page before the new key was there may still write with the old one while the first pass runs."""


@keys.command("rotate-data", epilog="Example: bidhall keys rotate-data")
@json_option
@lang_option
@guarded
def rotate_data(as_json: bool, lang: str | None) -> None:
    """Seal everything in the database with a new data key, while the platform runs. Stopped half-way it goes on when called again; the old
    keys stay in the file, for backups of before."""
    from trading.kernel import at_rest
    from web.cli.platform import open_ready_office

    engine = open_ready_office(signs=False).engine
    ring = at_rest.ring_of(engine)
    resumed = _unfinished(engine, ring)
    if not resumed:
        assert ring.path is not None
        at_rest.write_file(ring.path, [at_rest.new_secret(), *at_rest.read_file(ring.path)])
    many = 0
    for _ in range(PASSES):
        many += (done := at_rest.rewrap(engine))
        if not done:
            break
    logged = _record(ring.first.id, many)
    if as_json:
        told = {"key": ring.first.id, "sealed": many, "resumed": resumed, "keys": [one.id for one in ring.keys]}
        answer(told | {"logged": logged})
    else:
        say(
            f"{many} values sealed anew with the data key {ring.first.id}; keep a copy of {ring.path} apart from the backups"
        )
        if not logged:
            say("the platform stands still: this change stands in no log")


def _record(key: str, many: int) -> bool:
    """That the data key was changed, in the log; False on a platform that signs nothing."""
    from trading.kernel.access import Actor, Role
    from trading.kernel.errors import NotReady
    from web.cli.platform import open_ready_office

    try:
        office = open_ready_office()
        with office.work(Actor(Role.SYSTEM_ADMIN, name="command line")) as work:
            work.record("keys.rotate_data", "platform", key=key, sealed=many)
    except NotReady:
        return False
    return True


def _unfinished(engine: Any, ring: Any) -> bool:
    """Is anything still sealed with another key than the first?"""
    from trading.kernel.at_rest import MARK, all_values

    with engine.connect().execution_options(bidhall_readonly=True) as connection:
        return any(not one.token.startswith(f"{MARK}{ring.first.id}.") for one in all_values(connection))
