"""For whoever changes `records.tables`: writes the next revision by comparing it with what the revisions make so far.

    .venv/bin/python -m records.migrations "customers have a birthday"

Read what it wrote before you commit it; `tests/contract/test_migrations.py` says whether it is complete.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from records.database import open_database, writer
from records.migrate import config, migrate, newest


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].strip() or arguments[0].startswith("-"):
        sys.stderr.write(__doc__ or "")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'compare.db'}")
        migrate(engine)
        with writer(engine).connect() as connection:
            command.revision(config(connection), arguments[0], autogenerate=True, rev_id=f"{int(newest()) + 1:04}")
        engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
