"""Which tests stay together on one worker of pytest-xdist.

pytest-xdist 3.8 puts the name of a group behind the id of a test, which pytest 9.2 no longer lets it: with these two ``--dist loadgroup``
groups nothing, and says nothing. So the groups are told from the ids here.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

WALK = re.compile(r"(?P<file>(?:.*/)?tests/walk/[^:]+)::.*\[(?P<variant>[a-z]{2}-\d+)")


class Scheduling(LoadScopeScheduling):
    """All tests of a file of walks go on in one town, one for each language; any other test may run anywhere."""

    def _split_scope(self, nodeid: str) -> str:
        walk = WALK.match(nodeid)
        return f"{walk['file']} {walk['variant']}" if walk else nodeid
