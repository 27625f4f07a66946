"""Who may ask whose a number is: a role that sees customers' numbers, and everybody of the number that calls them now.

Else a role that is not shown numbers could find out any by asking for it.
"""

from __future__ import annotations

from fastapi import HTTPException

from config.sentences import say
from desk.people import Reader
from desk.services import Services
from desk.views import phones_of

NOT_TOLD = say("Your role is told whose a number is only while it calls you.")


async def may_ask(desk: Services, reader: Reader, number: str) -> bool:
    if "numbers" in desk.layout.names_seen_by(reader.role):
        return True
    read, directory = desk.parts.read_number, await desk.people.directory()
    key = read(number).match_key
    mine = [call for call in desk.hub.calls()[1] if call.answer != "withheld" and phones_of(reader, call, directory)]
    return any(key and read(call.customer_number).match_key == key for call in mine)


async def expect_may_ask(desk: Services, reader: Reader, number: str) -> None:
    """Raises HTTPException 403."""
    if not await may_ask(desk, reader, number):
        raise HTTPException(403, NOT_TOLD)
