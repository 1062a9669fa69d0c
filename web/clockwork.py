"""The alarm clock: APScheduler calls, the database remembers.

Each process may run it; ``timeline.turn`` is harmless twice, late or on two machines, and a tick is sealed once. Nothing is scheduled per
lot: what is due stands in the rows. It is started in a worker's own process, never at import.
"""

from __future__ import annotations

import logging

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DBAPIError

from trading import timeline
from trading.kernel.errors import Refusal
from trading.kernel.work import Office
from web import courier

EVERY_SECONDS = 1
COURIER_SECONDS = 5
logger = logging.getLogger("bidhall.clockwork")


def start(office: Office, mail: str = "") -> BackgroundScheduler:
    """Start turning. The caller keeps the scheduler and shuts it down."""
    scheduler = BackgroundScheduler(
        timezone=office.zone, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(_turn, "interval", seconds=EVERY_SECONDS, args=[office], id="turn")
    scheduler.add_job(_deliver, "interval", seconds=COURIER_SECONDS, args=[office, mail], id="courier")
    scheduler.start()
    return scheduler


def _turn(office: Office) -> None:
    try:
        for step in timeline.turn(office):
            if step != "tick":
                logger.info("taken: %s", step)
    except (DBAPIError, Refusal) as error:  # tried again in a second; what is due stays due
        logger.error("turn failed: %s", type(error).__name__)


def _deliver(office: Office, mail: str) -> None:
    try:
        courier.deliver(office, mail)
    except (DBAPIError, OSError) as error:
        logger.error("courier failed: %s", type(error).__name__)
