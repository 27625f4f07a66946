"""Alembic revisions: how a database of any earlier Ringcard becomes today's `records.tables`."""
