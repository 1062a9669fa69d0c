"""A second process of a rehearsal's platform: the same folder and the same clock, which it reads from a file.

    python -m web.rehearsal.helper

Settings come as a line of JSON on standard input, the address goes out on standard output; the process ends with its standard input.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from crypto import passwords
from trading.kernel.clock import FileClock
from web.rehearsal import server


def main() -> None:
    settings = server.settings_from(sys.stdin.readline())
    passwords.lower_cost()
    clock = FileClock(Path(settings.test_clock))
    office = server.office_of(settings, clock)
    serving = server.serving(settings, office, clock.now())
    server.lighten()
    threading.Thread(target=serving.serve_forever, name="rehearsal", daemon=True).start()
    print(server.address_of(serving), flush=True)
    sys.stdin.read()
    serving.shutdown()
    office.engine.dispose()


if __name__ == "__main__":
    main()
