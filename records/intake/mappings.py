"""What somebody has said of a file's columns, kept by its set of headers, so that the next such file needs no words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from config.sentences import say
from records.errors import NotFound
from records.tables import ImportMapping


def kept_mapping(session: Session, headers: Sequence[str]) -> dict[str, str]:
    """Header -> what it is; nothing when nobody has said anything of such a file."""
    found = session.scalar(select(ImportMapping).where(ImportMapping.headers == _key(headers)))
    return _read(found) if found else {}


def keep_mapping(session: Session, headers: Sequence[str], mapping: Mapping[str, str]) -> None:
    found = session.scalar(select(ImportMapping).where(ImportMapping.headers == _key(headers)))
    if found is None:
        found = ImportMapping(headers=_key(headers))
        session.add(found)
    found.mapping, found.used_at = orjson.dumps(dict(mapping)).decode(), datetime.now(UTC)


def kept_mappings(session: Session) -> list[tuple[int, dict[str, str]]]:
    """(id, mapping), the last used first."""
    return [
        (row.id, _read(row)) for row in session.scalars(select(ImportMapping).order_by(ImportMapping.used_at.desc()))
    ]


def forget_mapping(session: Session, mapping_id: int) -> None:
    """Raises NotFound."""
    found = session.get(ImportMapping, mapping_id)
    if found is None:
        raise NotFound(
            say("no mapping {mapping_id} is kept; ringcard import --mappings lists them", mapping_id=mapping_id)
        )
    session.delete(found)


def _read(row: ImportMapping) -> dict[str, str]:
    return {str(header): str(target) for header, target in orjson.loads(row.mapping).items()}


def _key(headers: Sequence[str]) -> str:
    return orjson.dumps(sorted({" ".join(header.casefold().split()) for header in headers})).decode()
