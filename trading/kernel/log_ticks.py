"""The ticks of the public log as they are stored: what entries (kernel/audit.py) and the log above them (kernel/log.py) both ask."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, Text, func, select
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.db import Base, Moment, append_only


class LogTick(Base):
    """One leaf. ``secret`` never leaves the platform before every entry of the tick may be shown."""

    __tablename__ = "log_tick"

    tick: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Moment, unique=True)
    leaf: Mapped[str] = mapped_column(Text)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    checkpoint: Mapped[str] = mapped_column(Text)  # the signed note over the log that ends with this leaf


append_only(LogTick.__table__)  # type: ignore[arg-type]

LAST_SEALED = select(func.max(LogTick.at))
"""The moment of the last tick, as a question ready made."""
