"""Doctor's look at every link between a customer's call and the name on the phone, asked for at the desk.

One look at a time: who asks while one goes on gets that one. What was found last is kept for the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from starlette.requests import HTTPConnection

from desk.parts import Finding


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, and when. `state` of a finding is ok, warn or fail."""

    at: datetime
    findings: Sequence[Finding]

    @property
    def works(self) -> bool:
        """Whether a call would be named, shown and routed as it should."""
        return not any(finding.state == "fail" for finding in self.findings)


class Doctor:
    """One per process. `examine` ends by itself, whatever is frozen."""

    def __init__(self, examine: Callable[[], Awaitable[Sequence[Finding]]], clock: Callable[[], datetime]) -> None:
        self.last: Looked | None = None
        self._examine = examine
        self._clock = clock
        self._looking: asyncio.Task[Looked] | None = None

    async def look(self) -> Looked:
        """Who asked may go away meanwhile: the look is finished for the next one."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="doctor")
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> Looked:
        self.last = Looked(self._clock(), await self._examine())
        return self.last


def doctor_of(connection: HTTPConnection) -> Doctor:
    return cast(Doctor, connection.app.state.doctor)
