"""The bytes stored beside the database: which belong to its rows, and whether bytes are the ones of their name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto.errors import CryptoError
from crypto.inspection import inspect
from trading.bidding.bids import SealedBid
from trading.bidding.stored import BidErasure
from trading.kernel.blobs import NAME
from trading.kernel.db import Base

COLUMNS = ("blob", "minutes", "proof", "files", "report")


def named(session: Session) -> dict[str, str]:
    """Blob name → table that names it: every column that holds one, in all tables; files of opened bids too. What was erased by rule, the
    chunks of bids replaced or withdrawn, is named no more."""
    found: dict[str, str] = {}
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.name not in COLUMNS:
                continue
            for row in session.execute(select(column).where(column.is_not(None))):
                for name in _names_in(row[0]):
                    if NAME.match(name):
                        found.setdefault(name, table.name)
    for name in session.scalars(select(SealedBid.blob).join(BidErasure, BidErasure.bid_id == SealedBid.id)):
        found.pop(name, None)
    return found


def _names_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [str(item["blob"]) for item in value if isinstance(item, dict) and "blob" in item]
    return []


def is_named_so(path: Path, name: str) -> bool:
    """Whether the bytes of a file give its name: the sealed root of a bid, or their SHA-256. The whole file is read; False for none."""
    try:
        with path.open("rb") as source:
            try:
                if inspect(source).sealed_root.hex() == name:
                    return True
            except CryptoError:
                pass  # no bid, which its first bytes tell, or a damaged one
            source.seek(0)
            return hashlib.file_digest(source, "sha256").hexdigest() == name
    except OSError:
        return False
