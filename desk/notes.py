"""Notes as a reader sees them: a role that may not see the note of a card sees of these only its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from desk.formats import rfc3339
from desk.people import Reader
from desk.services import Services
from records.tables import Note


def whose(desk: Services, reader: Reader) -> int | None:
    """Whose notes this reader sees, of those of a customer or a call; None: everybody's."""
    return None if "note" in desk.layout.names_seen_by(reader.role) else reader.user_id


def panel(notes: Sequence[Note], of: str, to: str, more: bool = False) -> dict[str, Any]:
    """What the template of notes shows. `of`: customer or call; `to`: where its form goes."""
    return {"notes": notes, "notes_of": of, "notes_to": to, "notes_more": more}


def facts(note: Note) -> dict[str, Any]:
    """A note as the API writes it."""
    return {
        "note_id": note.id,
        "text": note.text,
        "written_by": note.user.name if note.user else None,
        "at": rfc3339(note.created_at),
        "customer_id": note.customer_id,
        "call_id": note.call_id,
    }
