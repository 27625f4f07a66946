"""What Alembic runs for every command. `records.migrate` hands over an open connection inside a transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from records.search_index import belongs_to_no_model
from records.tables import Base, UtcTime


def render(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """A revision must mean the same for ever, so it names SQL types and nothing of ours."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcTime) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,  # `records.migrate` began a transaction: all of it happens, or nothing
    render_item=render,
    include_name=lambda name, *_: not belongs_to_no_model(name),
)
with context.begin_transaction():
    context.run_migrations()
