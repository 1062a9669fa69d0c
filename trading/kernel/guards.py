"""The triggers of append-only tables: whether the database still has all of them, as they were made."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from trading.kernel.db import APPEND_ONLY, append_only_ddl


def missing(session: Session) -> list[str]:
    """The append-only tables whose triggers are not there, are not what they were made, or are switched off."""
    dialect = session.get_bind().dialect.name
    return sorted({table.name for table in APPEND_ONLY if not _guarded(session, dialect, table.name)})


def _guarded(session: Session, dialect: str, table: str) -> bool:
    if dialect == "sqlite":
        rows = session.execute(
            text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"), {"table": table}
        )
        return {_plain(wanted) for wanted in append_only_ddl(table)["sqlite"]} <= {_plain(row[0]) for row in rows}
    query = text(
        "SELECT t.tgname, t.tgenabled, p.proname, p.prosrc FROM pg_trigger t "
        "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE c.relname = :table AND pg_table_is_visible(c.oid) AND NOT t.tgisinternal"
    )
    found = {row[0]: row for row in session.execute(query, {"table": table})}
    return all(
        name in found
        and found[name][1] in ("O", "A")
        and found[name][2] == "bidhall_append_only"
        and "RAISE EXCEPTION" in found[name][3]
        for name in (f"{table}_append_only", f"{table}_no_truncate")
    )


def _plain(words: str) -> str:
    return " ".join(words.replace("\n", " ").replace('"', "").split())
