"""Run by alembic inside runner.upgrade: the connection and the metadata come with the configuration."""

from typing import Literal

from alembic import context

from trading.kernel.at_rest import Sealed
from trading.kernel.db import Json, Moment

config = context.config
connection = config.attributes["connection"]


def _render(kind: str, item: object, autogen: object) -> str | Literal[False]:
    """Our column types are written as what they are in the database, so old revisions never import today's code."""
    if kind == "type" and isinstance(item, Moment):
        return "sa.DateTime()"
    if kind == "type" and isinstance(item, Json | Sealed):
        return "sa.Text()"
    return False


context.configure(
    connection=connection,
    target_metadata=config.attributes["metadata"],
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=_render,
    transaction_per_migration=False,
)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4242001)")  # several processes may start together
    context.run_migrations()
